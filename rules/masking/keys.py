"""Rows that are told apart by a primary key beside a masked column: the key decides alone, so nothing is told of the column.

`GROUP BY p.id, p.ssn` puts together the same rows as `GROUP BY p.id`, whatever `p` is joined with: all that have one id are of one
row of its table. The server sorts them by the key alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from pglast import ast

from rules.catalog import CatalogRelation
from rules.masking.expressions import names
from rules.masking.follow import Follow, Node, isa
from rules.masking.scope import Item, Scope
from rules.masking.values import Value

Place = tuple[Item, str]  # a column of a stored table that stands in FROM


def keyed(follow: Follow, schema: str | None, name: str) -> CatalogRelation | None:
    """The table of that name, if its primary key tells all of its rows apart; None: it has none, or which it is is not sure."""
    found = list(follow.candidates(schema, name))
    if len(found) != 1 or name in follow.namespace.changed or not found[0].key:
        return None
    (relation,) = found
    # a key does not reach into tables that inherit; into partitions it does
    return relation if relation.kind == "p" or not follow.world.children(relation) else None


def by_key(targets: Sequence[Node] | None, keys: Sequence[Node], values: Sequence[Value], scope: Scope) -> list[Value]:
    """The values of a GROUP BY, without those of columns whose row the other keys know."""
    places = [_place(_meant(key, targets), scope) for key in keys]
    return [value for value, place in zip(values, places, strict=True) if place is None or not _decided(place, places)]


def by_earlier_key(targets: Sequence[Node], values: Sequence[Value], scope: Scope) -> list[Value]:
    """The same of DISTINCT, whose rows may come sorted by its columns one after the other."""
    if len(targets) != len(values) or any(_is_star(target.val) for target in targets):
        return list(values)
    places = [_place(target.val, scope) for target in targets]
    return [
        value
        for number, (value, place) in enumerate(zip(values, places, strict=True))
        if place is None or not _decided(place, places[:number])
    ]


def _decided(place: Place, by: Sequence[Place | None]) -> bool:
    item, column = place
    assert item.keyed is not None
    given = {name for found in by if found is not None and found[0] is item for name in (found[1],)}
    return column not in item.keyed.key and given.issuperset(item.keyed.key)


def _meant(key: Node, targets: Sequence[Node] | None) -> Node:
    """GROUP BY 2."""
    if not (isa(key, ast.A_Const) and isa(key.val, ast.Integer)):
        return key
    number = key.val.ival or 0
    if targets is None or not 0 < number <= len(targets) or any(_is_star(each.val) for each in targets):
        return None
    return targets[number - 1].val


def _is_star(node: Node) -> bool:
    parts: Sequence[Node] = (
        node.fields if isa(node, ast.ColumnRef) else node.indirection if isa(node, ast.A_Indirection) else ()
    )
    return bool(parts) and isa(parts[-1], ast.A_Star)


def _place(node: Node, scope: Scope) -> Place | None:
    if not isa(node, ast.ColumnRef):
        return None
    parts = names(node.fields)
    name = parts[-1]
    if name is None or len(parts) > 2:
        return None
    if len(parts) == 2:
        found = [item for item in scope.items if item.alias == parts[0]]
    else:
        if any(columns.rest is not None for columns in scope.sources):
            return None
        if sum(other == name for columns in scope.sources for other, _ in columns.named) != 1:
            return None
        found = [item for item in scope.items if any(other == name for other, _ in item.columns.named)]
    if len(found) != 1 or found[0].keyed is None or all(other != name for other, _ in found[0].columns.named):
        return None
    return found[0], name
