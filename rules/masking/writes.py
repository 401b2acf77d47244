"""INSERT, UPDATE, DELETE and MERGE: what RETURNING reveals, and whether a masked value is written elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pglast import ast, enums

from rules.masking.exchange import pseudonymised, uncast
from rules.masking.expressions import names, stars
from rules.masking.firing import NOTHING, fired, ruled
from rules.masking.follow import Follow, Node, isa, listed
from rules.masking.inheriting import move
from rules.masking.predicates import condition
from rules.masking.pseudonyms import RECOGNIZED
from rules.masking.scope import Item, Scope, Source, member
from rules.masking.values import CLEAN, Columns, NamedValue, Unsure, Value, union

# Maskers that show nothing of the value: what is computed from a column may stay in it. Under the others a value could be
# moved through the part that shows.
OPAQUE_MASKERS = frozenset({"redact", "null", "constant"})
BY_SOURCE = enums.MergeMatchKind.MERGE_WHEN_NOT_MATCHED_BY_SOURCE
_MERGED = {
    int(enums.CmdType.CMD_INSERT): "INSERT",
    int(enums.CmdType.CMD_UPDATE): "UPDATE",
    int(enums.CmdType.CMD_DELETE): "DELETE",
}


def write(follow: Follow, node: Node, scope: Scope) -> Columns:
    """The columns of RETURNING. Raises Unsure."""
    if isa(node, ast.InsertStmt):
        target = insert(follow, node, scope)
    elif isa(node, ast.UpdateStmt):
        target = update(follow, node, scope)
    elif isa(node, ast.DeleteStmt):
        target = delete(follow, node, scope)
    else:
        target = merge_into(follow, node, scope)
    triggered(follow, node, scope)
    shown = ruled(follow, node.relation.schemaname, node.relation.relname, events_of(node))
    returned = returning(follow, node.returningClause, target, scope)
    return Columns((), union([returned.everything(), shown])) if shown.masked else returned


def events_of(node: Node) -> frozenset[str]:
    if isa(node, ast.InsertStmt):
        return frozenset({"INSERT"} if node.onConflictClause is None else {"INSERT", "UPDATE"})
    if isa(node, ast.MergeStmt):
        return frozenset(_MERGED.get(int(when.commandType), "") for when in node.mergeWhenClauses or ()) - {""}
    return frozenset({"UPDATE"} if isa(node, ast.UpdateStmt) else {"DELETE"})


def triggered(follow: Follow, node: Node, scope: Scope) -> None:
    """What the target's triggers do with masked values."""
    table, brought = node.relation, NOTHING
    if isa(node, ast.InsertStmt) and node.selectStmt is not None:
        source = follow.query(node.selectStmt, Scope(outer=scope))
        into = into_columns(node, target_of(follow, table))
        exact = source.rest is None and len(source.named) <= len(into)
        named = tuple((name, value) for name, (_, value) in zip(into, source.named, strict=False))
        brought = Columns(named) if exact else Columns((), source.everything())
    fired(follow, table.schemaname, table.relname, events_of(node), brought, changed=changed_by(node))


def changed_by(node: Node) -> frozenset[str]:
    """The columns that it sets in rows that were there."""
    if isa(node, ast.MergeStmt):
        lists = [when.targetList for when in node.mergeWhenClauses or () if when.values is None]
    elif isa(node, ast.InsertStmt):
        lists = [] if node.onConflictClause is None else [node.onConflictClause.targetList]
    else:
        lists = [node.targetList] if isa(node, ast.UpdateStmt) else []
    return frozenset(each.name for one in lists for each in one or ())


def target_of(follow: Follow, node: Node) -> Columns:
    return follow.relation(node.schemaname, node.relname)


def named_target(node: Node, columns: Columns) -> Source:
    alias = node.alias.aliasname if node.alias is not None else node.relname
    schema = None if node.alias is not None else node.schemaname
    return Source((Item(alias, columns, schema, node.alias is None),), columns)


def insert(follow: Follow, node: Node, scope: Scope) -> Columns:
    target = target_of(follow, node.relation)
    source = Columns() if node.selectStmt is None else follow.query(node.selectStmt, Scope(outer=scope))
    into = into_columns(node, target)
    indistinct = [place for place, name in enumerate(into) if is_indistinct(target, name)]
    for row in rows_of(node.selectStmt) if indistinct else ():
        for place in indistinct:
            returned(follow, node.relation, target, into[place], row[place : place + 1])
    if source.rest is not None or len(source.named) > len(into):
        stored(follow, node.relation, CLEAN, None, source.everything())
    else:
        for name, (_, value) in zip(into, source.named, strict=False):
            assign(follow, node.relation, target, name, value)
    conflict = node.onConflictClause
    scope.add(named_target(node.relation, target))
    if conflict is not None:
        inside = Scope(outer=scope)
        inside.items.append(Item("excluded", target))
        condition(follow, conflict.whereClause, inside, "a WHERE")
        if conflict.infer is not None:
            condition(follow, conflict.infer.whereClause, inside, "a WHERE")
        assignments(follow, node.relation, conflict.targetList, target, inside)
    return target


def into_columns(node: Node, target: Columns) -> list[str | None]:
    """The columns that an INSERT fills, in the order of its values."""
    return [column.name for column in node.cols] if node.cols else [name for name, _ in target.named]


def update(follow: Follow, node: Node, scope: Scope) -> Columns:
    target = target_of(follow, node.relation)
    scope.add(named_target(node.relation, target))
    for item in node.fromClause or ():
        scope.add(follow.from_item(item, scope))
    condition(follow, node.whereClause, scope, "a WHERE")
    assignments(follow, node.relation, node.targetList, target, scope)
    return target


def delete(follow: Follow, node: Node, scope: Scope) -> Columns:
    target = target_of(follow, node.relation)
    scope.add(named_target(node.relation, target))
    for item in node.usingClause or ():
        scope.add(follow.from_item(item, scope))
    condition(follow, node.whereClause, scope, "a WHERE")
    return target


def merge_into(follow: Follow, node: Node, scope: Scope) -> Columns:
    target = target_of(follow, node.relation)
    source = follow.from_item(node.sourceRelation, scope)
    if any(when.matchKind == BY_SOURCE for when in node.mergeWhenClauses or ()):
        source = source.unconditioned()  # rows of either side come, as of a FULL JOIN
    # RETURNING * of MERGE gives the source's columns first.
    scope.add(source)
    scope.add(named_target(node.relation, target))
    condition(follow, node.joinCondition, scope, "the ON of a MERGE")
    into_table = node.relation
    for when in node.mergeWhenClauses or ():
        condition(follow, when.condition, scope, "the WHEN of a MERGE")
        if when.values is not None:
            into = [column.name for column in when.targetList or ()] or [name for name, _ in target.named]
            for column, cell in zip(into, when.values, strict=False):
                returned(follow, into_table, target, column, [cell])
                assign(follow, into_table, target, column, follow.value(cell, scope))
        else:
            assignments(follow, into_table, when.targetList, target, scope)
    return target


def assignments(follow: Follow, table: Node, nodes: Iterable[Node] | None, target: Columns, scope: Scope) -> None:
    for node in nodes or ():
        if isa(node.val, ast.MultiAssignRef):
            value = follow.value(node.val.source, scope)
            place = node.val.colno - 1
            if value.fields is not None and 0 <= place < len(value.fields):
                value = value.fields[place][1]
            for row in rows_in(node.val.source):
                returned(follow, table, target, node.name, row[place : place + 1])
        else:
            value = follow.value(node.val, scope)
            returned(follow, table, target, node.name, [node.val])
        assign(follow, table, target, node.name, value if not node.indirection else value.derived())


def assign(follow: Follow, table: Node, target: Columns, name: str | None, value: Value) -> None:
    held = CLEAN if name is None else member(target, name)
    if held is None:
        raise Unsure(f"no column {name} in {table.relname}")
    stored(follow, table, held, name, value)


def is_indistinct(target: Columns, name: str | None) -> bool:
    """Whether a client sees pseudonyms of the column, and cannot tell them from its values."""
    held = None if name is None else member(target, name)
    return held is not None and pseudonymised(held) not in (None, 0, *RECOGNIZED)


def returned(follow: Follow, table: Node, target: Columns, name: str | None, cells: Sequence[Node]) -> None:
    """A finding where a constant goes into such a column: it may be a pseudonym."""
    for each in cells:
        cell = uncast(each)
        if isa(cell, ast.A_ArrayExpr):
            returned(follow, table, target, name, cell.elements or ())
        elif (isa(cell, ast.ParamRef) or (isa(cell, ast.A_Const) and not cell.isnull)) and is_indistinct(target, name):
            follow.find(
                "writeback",
                "hold",
                f"what is written into {table.relname}.{name} may be a pseudonym: of its type every value is one",
            )


def rows_in(source: Node) -> Iterator[Sequence[Node]]:
    """What SET (a, b) = … writes out."""
    if isa(source, ast.RowExpr):
        yield source.args or ()
    elif isa(source, ast.SubLink):
        yield from rows_of(source.subselect)


def rows_of(select: Node) -> Iterator[Sequence[Node]]:
    """What an INSERT writes out, row by row: of VALUES, and of select lists."""
    if not isa(select, ast.SelectStmt):
        return
    yield from select.valuesLists or ()
    if select.targetList:
        yield [each.val for each in select.targetList]
    yield from rows_of(select.larg)
    yield from rows_of(select.rarg)


def stored(follow: Follow, table: Node, held: Value, name: str | None, value: Value) -> None:
    """A finding unless the column that takes the value hides it as well as the one it comes from."""
    if not value.masked:
        return
    checked(follow, table, name, value)
    own = {origin.mark for origin in held.masked}
    came = {origin.mark for origin in value.masked}
    if held.plain and own == came and len(own) == 1:
        (mark,) = own
        if value.plain or (mark is not None and mark.masker in OPAQUE_MASKERS):
            return
    into = f"{table.relname}.{name}" if name is not None else table.relname
    known = list(follow.candidates(table.schemaname, table.relname))
    moves = [move(each.schema, each.name, name, value) for each in known]
    follow.laundered(value, into, *moves, though=hides_less(held, value))


def checked(follow: Follow, table: Node, name: str | None, value: Value) -> None:
    """A finding where the checks of a domain, or a cast to the column's type, may keep what the column is given."""
    for each in follow.candidates(table.schemaname, table.relname) if follow.world.keeping_types else ():
        for column in each.columns:
            if name in (None, column.name) and follow.world.kept_by_type(column.type_name):
                follow.handed(f"the type of {each.name}.{column.name}", value)


def hides_less(held: Value, value: Value) -> str | None:
    """Why the mask of a column is not enough for a value that is written into it; None: it has none."""
    masked = held.masked
    if not masked:
        return None
    maskers = " or ".join(sorted({origin.mark.masker for origin in masked if origin.mark is not None}))
    if value.masked <= masked:
        return f"a value computed from {listed(value.masked)}: its mask ({maskers}) would show another part of it"
    return f"{listed(value.masked)} under another mask ({maskers})"


def returning(follow: Follow, clause: Node, target: Columns, scope: Scope) -> Columns:
    if clause is None:
        return Columns()
    inside = Scope(outer=scope.outer, items=list(scope.items), sources=list(scope.sources), ctes=scope.ctes)
    inside.parameters = scope.parameters
    aliases = {"old": "old", "new": "new"}
    for option in clause.options or ():
        aliases["old" if int(option.option) == 0 else "new"] = option.value
    taken = {item.alias for item in inside.items}
    inside.items.extend(Item(alias, target) for alias in aliases.values() if alias not in taken)
    named: list[NamedValue] = []
    for node in clause.exprs:
        starred = stars(follow, node.val, inside)
        if starred is None:
            name = node.name or (names(node.val.fields)[-1] if isa(node.val, ast.ColumnRef) else None)
            named.append((name, follow.value(node.val, inside)))
        elif starred.rest is not None:
            return Columns(
                (), union([starred.everything(), *(value for _, value in named), *_rest(follow, clause, inside)])
            )
        else:
            named.extend(starred.named)
    return Columns(tuple(named))


def _rest(follow: Follow, clause: Node, scope: Scope) -> list[Value]:
    return [follow.value(node.val, scope) for node in clause.exprs]
