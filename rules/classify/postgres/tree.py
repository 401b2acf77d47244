"""The parse tree as plain dictionaries: libpg_query's JSON, decoded by msgspec.

`pglast.parser.parse_sql` builds the same tree as Python objects. That takes ten times as long, and on a deep tree it kills
the process (SIGSEGV on a sum of 200,000 terms) where the JSON writer ends in an ordinary error. A node is a dictionary of
its fields without those that are empty. Where a field can hold several types, the node is wrapped: `{"ColumnRef": {...}}`;
where the grammar has one type for it, it is not, and `FIELDS` says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from attrs import frozen
from pglast import ast, parser
from pglast.error import Error

Node = dict[str, Any]  # what the fields hold depends on the node's type: no static type says more

SPACE = " \t\n\r\f\v"  # what the server's lexer calls white space; Python's strip() takes more away
_MESSAGE = 200
_DECODER = msgspec.json.Decoder()
_UNWRAPPED = frozenset({"Node", "Expr", "List", "A_Const"})


class Unreadable(Exception):
    """The text is not SQL as the parser knows it, or its tree is too deep. The message says which."""


@frozen
class Parsed:
    tag: str  # the node's type
    node: Node
    text: str  # its own slice of the batch
    start: int  # byte offset of the slice in the batch


def _fields() -> dict[str, dict[str, str]]:
    """For each node type, the fields whose value is a node of one certain type, from the library's own description."""
    found: dict[str, dict[str, str]] = {}
    for name, kind in vars(ast).items():
        if not (isinstance(kind, type) and issubclass(kind, ast.Node)):
            continue
        slots = vars(kind).get("__slots__", {})
        found[name] = {
            slot: described.c_type.rstrip("*")
            for slot, described in (slots.items() if isinstance(slots, Mapping) else ())
            if described.c_type.rstrip("*") not in _UNWRAPPED
            and isinstance(getattr(ast, described.c_type.rstrip("*"), None), type)
            and issubclass(getattr(ast, described.c_type.rstrip("*")), ast.Node)
        }
    return found


FIELDS = _fields()
NODE_TYPES = frozenset(FIELDS)


def parse(text: str) -> list[Parsed]:
    """One entry for each statement. Raises Unreadable. `text` has passed `text.too_big` and is free of NUL."""
    try:
        found = _DECODER.decode(parser.parse_sql_json(text))
    except Error as error:
        raise Unreadable(_why(error)) from None
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except (UnicodeError, msgspec.DecodeError):
        raise Unreadable("it has characters that cannot be text") from None
    statements = found.get("stmts", [])
    if len(statements) == 1:
        (statement,) = statements
        ((tag, node),) = statement["stmt"].items()
        if not statement.get("stmt_len") and not statement.get("stmt_location"):
            return [Parsed(tag, node, text.strip(SPACE), 0)]
    raw = text.encode("utf-8")
    return [_slice(statement, raw) for statement in statements]


def _slice(statement: Node, raw: bytes) -> Parsed:
    ((tag, node),) = statement["stmt"].items()
    start = statement.get("stmt_location", 0)
    length = statement.get("stmt_len", 0) or len(raw) - start
    return Parsed(tag, node, raw[start : start + length].decode("utf-8", "replace").strip(SPACE), start)


def _why(error: Error) -> str:
    message = str(error.args[0]) if error.args else ""
    if len(message) > _MESSAGE:  # it quotes the text, as much of it as it did not understand
        message = message[:_MESSAGE] + "…"
    if "stack depth" in message or "memory exhausted" in message:
        return "it is nested too deeply"
    return f"the parser cannot read it: {message}"


def strings(items: list[Node]) -> list[str]:
    """The strings of a list of String nodes: a qualified name. `*` and other things count as an empty string."""
    return [item["String"].get("sval", "") if "String" in item else "" for item in items]


def constant(item: Node) -> str | None:
    """The text of a constant, as SET reads it; None when it is something else, or NULL. `item` is a wrapped node."""
    if "TypeCast" in item:
        return None
    if (plain := item.get("String") or item.get("Integer") or item.get("Float")) is not None:
        return str(next(iter(plain.values()), 0))
    found = item.get("A_Const")
    if found is None or "isnull" in found:
        return None
    if "sval" in found:
        return str(found["sval"].get("sval", ""))
    if "ival" in found:
        return str(found["ival"].get("ival", 0))
    if "fval" in found:
        return str(found["fval"].get("fval", ""))
    if "boolval" in found:
        return "true" if found["boolval"].get("boolval") else "false"
    return None


def options(node: Node, field: str = "options") -> list[tuple[str, Node]]:
    """(name in lower case, DefElem) of a list of options."""
    return [
        (item["DefElem"].get("defname", "").lower(), item["DefElem"])
        for item in node.get(field, ())
        if "DefElem" in item
    ]


def same(one: Any, other: Any) -> bool:
    """Whether two trees are equal but for where they stand in the text."""
    pending = [(one, other)]
    while pending:
        one, other = pending.pop()
        if isinstance(one, dict):
            if not isinstance(other, dict):
                return False
            keys = (one.keys() | other.keys()) - _PLACES
            for key in keys:
                if key not in one or key not in other:
                    return False
                pending.append((one[key], other[key]))
        elif isinstance(one, list):
            if not isinstance(other, list) or len(one) != len(other):
                return False
            pending.extend(zip(one, other, strict=True))
        elif one != other:
            return False
    return True


_PLACES = frozenset(
    {"location", "stmt_location", "stmt_len", "arg_location", "list_start", "list_end", "rexpr_list_start",
     "rexpr_list_end", "name_location", "all_location"}
)  # fmt: skip
