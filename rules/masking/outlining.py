"""Which JSON a call makes, where its keys are known: of rows, and of objects with constant keys."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve
from pglast import ast

from rules.masking.documents import Document, Part
from rules.masking.follow import Follow, Node, isa
from rules.masking.routines import built_in
from rules.masking.values import Value

_OF_ONE = frozenset({"row_to_json", "to_json", "to_jsonb"})
_AGGREGATES = frozenset({"json_agg", "jsonb_agg", "json_agg_strict", "jsonb_agg_strict"})
_OBJECTS = frozenset({"json_build_object", "jsonb_build_object"})


def document(follow: Follow, node: Node, schema: str | None, name: str, given: Sequence[Value]) -> Document | None:
    """Of a call of that name with these arguments. None: what it makes is not known, or nothing of it is masked."""
    if name not in _OF_ONE | _AGGREGATES | _OBJECTS or schema not in (None, "pg_catalog") or follow.namespace.redefined:
        return None
    overloads = follow.world.routines.named(name)
    if not overloads or not all(map(built_in, overloads)) or node.func_variadic or not given or _cast(follow):
        return None
    found: Document | None = None
    if name in _OBJECTS:
        found = _object(follow, node.args, given)
    else:
        part = part_of(given[0])
        if isinstance(part, Document):
            found = Document(None, part) if name in _AGGREGATES else part
    return found.sorted() if found is not None and name.startswith(("jsonb", "to_jsonb")) else found


def _cast(follow: Follow) -> bool:
    """Whether casts of users make JSON of a type: such code chooses its own keys."""
    routines, conversions = follow.world.routines, follow.world.catalog.conversions
    casts = [*conversions.get("json", ()), *conversions.get("jsonb", ())]
    return any(each.extension is None for cast in casts for each in routines.users_in(cast))


def _object(follow: Follow, arguments: Sequence[Node], given: Sequence[Value]) -> Document | None:
    if not any(value.masked for value in given):
        return None
    follow.positional = True  # a statement of this shape may have its keys in another order
    keys = [each.val.sval for each in arguments[::2] if isa(each, ast.A_Const) and isa(each.val, ast.String)]
    if len(keys) * 2 != len(arguments):
        return None
    return Document(tuple(zip(keys, map(part_of, given[1::2]), strict=True)))


def part_of(value: Value) -> Part:
    if not value.masked:
        return True
    if value.document is not None:
        return value.document
    if value.fields is None or not value.keyed:
        return False
    members = tuple((name, part_of(field)) for name, field in value.fields if name is not None)
    return Document(members) if len(members) == len(value.fields) else False


def defaulted(parts: Sequence[Value]) -> Document | None:
    """Of COALESCE(json_agg(t), '[]')."""
    documents = [part.document for part in parts if part.document is not None]
    others = [part for part in parts if part.document is None]
    return documents[0] if len(documents) == 1 and all(part.constant for part in others) else None


def without(follow: Follow, node: Node, left: Value) -> Document | None:
    """Of `to_jsonb(t) - 'key'` and `- ARRAY['key', …]`. Only keys that it has: taking away others could hide a wrong outline."""
    found = left.document
    if found is None or found.members is None or found.ordered or follow.namespace.redefined:
        return None
    follow.positional = True
    listed = node.rexpr.elements or () if isa(node.rexpr, ast.A_ArrayExpr) else (node.rexpr,)
    keys = [each.val.sval for each in listed if isa(each, ast.A_Const) and isa(each.val, ast.String)]
    if len(keys) != len(listed) or not {key for key, _ in found.members}.issuperset(keys):
        return None
    return evolve(found, members=tuple(member for member in found.members if member[0] not in keys))
