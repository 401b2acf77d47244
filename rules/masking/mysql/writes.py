"""INSERT, REPLACE, UPDATE and DELETE: what RETURNING reveals, and whether a masked value is written elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from rules.masking.mysql.domains import NO_DOMAIN, TEXT
from rules.masking.mysql.follow import Follow, constant_in
from rules.masking.mysql.inheriting import Table, assigned
from rules.masking.mysql.names import same
from rules.masking.mysql.predicates import condition
from rules.masking.mysql.queries import behind, cells_of, common_tables, from_item, only, tables, targets
from rules.masking.mysql.reading import Node
from rules.masking.mysql.scope import Item, Scope, Source, member
from rules.masking.values import CLEAN, Columns, Unsure, Value, union
from rules.masking.writes import OPAQUE_MASKERS, hides_less

_OF_INSERT = frozenset({"this", "expression", "conflict", "returning", "with_", "is_function", "alias"})
_OF_UPDATE = frozenset({"this", "expressions", "where", "order", "limit", "returning", "with_", "from_"})
_OF_DELETE = frozenset({"tables", "this", "using", "where", "order", "limit", "returning", "with_"})


def insert(follow: Follow, node: exp.Insert, scope: Scope) -> Columns:
    """The columns of RETURNING. Raises Unsure."""
    only(node, _OF_INSERT)
    common_tables(follow, node.args.get("with_"), scope)
    into = node.this
    columns: list[str] | None = None
    if isinstance(into, exp.Schema):
        columns = [each.name for each in into.expressions]
        into = into.this
    only(into, frozenset({"this", "db", "partition", "alias"}))
    name, schema = into.name, into.args.get("db")
    home = None if schema is None else schema.name
    target = follow.relation(home, name)
    table = (home, name)
    if columns is None:
        columns = [found or "" for found, _ in stars(follow, home, name, target).named]
    source, given = written(follow, node.expression, scope)
    if source.rest is not None or target.rest is not None or len(source.named) > len(columns):
        keep(follow, table, CLEAN, None, source.everything())
    else:
        for column, (_, value) in zip(columns, source.named, strict=False):
            assign(follow, table, target, column, value)
    came_back(follow, table, target, columns, node.expression, len(source.named))
    row = Source.plain((Item(name, target, home or follow.namespace.database),), target)
    scope.add(row)
    if (conflict := node.args.get("conflict")) is not None:
        inside = Scope(outer=scope, items=[*scope.items, *given.items], sources=[target, *given.sources])
        alias = node.expression.args.get("alias") if isinstance(node.expression, exp.Values) else None
        inserted = source.everything()
        if alias is not None:  # … AS new: what would have been inserted
            inside.items.append(Item(alias.name, Columns((), inserted)))
        assignments(follow, table, conflict.expressions, target, inside, inserted)
    return returning(follow, node, scope)


def stars(follow: Follow, home: str | None, name: str, target: Columns) -> Columns:
    """The columns that an INSERT without names fills."""
    found = follow.candidates(home, name)
    return follow.world.shown(found[0]) if len(found) == 1 else target


def written(follow: Follow, node: Node, scope: Scope) -> tuple[Columns, Scope]:
    """What is inserted; and the tables that it is made of, whose columns ON DUPLICATE KEY UPDATE may name."""
    inside = Scope(outer=scope)
    if node is None:
        return Columns(), inside
    if isinstance(node, exp.Values):
        found: list[Value] | None = None
        for row in node.expressions:
            each = [follow.value(cell, scope) for cell in cells_of(row)]
            if found is not None and len(found) != len(each):
                raise Unsure("VALUES of different lengths")
            found = each if found is None else [union([one, two]) for one, two in zip(found, each, strict=True)]
        return Columns(tuple((None, value) for value in found or ())), inside
    columns = follow.query(node, inside)
    query = node
    while isinstance(query, exp.Subquery):
        query = query.this
    given = Scope(outer=scope, ctes=scope.ctes)
    if isinstance(query, exp.Select):
        common_tables(follow, query.args.get("with_"), given)
        tables(follow, query, given)
    return columns, given


def update(follow: Follow, node: exp.Update, scope: Scope) -> Columns:
    only(node, _OF_UPDATE)
    if node.args.get("from_"):
        raise Unsure("UPDATE … FROM")
    common_tables(follow, node.args.get("with_"), scope)
    source = from_item(follow, node.this, scope)
    scope.add(source)
    condition(follow, node.args.get("where"), scope, "a WHERE")
    assignments(follow, None, node.expressions, source.columns, scope, None)
    behind(follow, node, Columns(), scope)
    return returning(follow, node, scope)


def delete(follow: Follow, node: exp.Delete, scope: Scope) -> Columns:
    only(node, _OF_DELETE)
    common_tables(follow, node.args.get("with_"), scope)
    using = node.args.get("using")
    for each in using if isinstance(using, list) and using else [node.this]:
        scope.add(from_item(follow, each, scope))
    condition(follow, node.args.get("where"), scope, "a WHERE")
    behind(follow, node, Columns(), scope)
    return returning(follow, node, scope)


def assignments(
    follow: Follow, table: Table | None, nodes: list[Node], target: Columns, scope: Scope, inserted: Value | None
) -> None:
    for node in nodes:
        if not isinstance(node, exp.EQ | exp.PropertyEQ) or not isinstance(node.this, exp.Column):
            raise Unsure("an assignment of another form")
        column = node.this
        if inserted is not None and any(_is_values(part) for part in node.expression.walk()):
            value = union([inserted, *_beside_values(follow, node.expression, scope)])
        else:
            value = follow.value(node.expression, scope)
        owners = [target]
        if column.args.get("table") is not None and inserted is None:
            schema = column.args.get("db")
            owners = scope.tables(column.args["table"].name, None if schema is None else schema.name)
        for owner in owners:
            assign(follow, table, owner, column.name, value)
            returned(follow, table, owner, column.name, node.expression)


def _is_values(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and str(node.this).upper() in ("VALUES", "VALUE")


def _beside_values(follow: Follow, node: exp.Expr, scope: Scope) -> list[Value]:
    """The columns of an expression with VALUES(…) in it: what is in its parentheses is one of the table's own."""
    return [follow.value(each, scope).derived() for each in node.find_all(exp.Column, exp.Query)]


def assign(follow: Follow, table: Table | None, target: Columns, name: str, value: Value) -> None:
    held = member(target, name)
    if held is None:
        raise Unsure(f"no column {name} in {'a table' if table is None else table[1]}")
    if target.rest is not None and not any(found is not None and same(found, name) for found, _ in target.named):
        held = CLEAN  # of a table that is not known: nothing says that it hides what is written to it
    keep(follow, table, held, name, value)


def came_back(follow: Follow, table: Table, target: Columns, columns: list[str], node: Node, width: int) -> None:
    """Findings about the constants of an INSERT. `width`: how many columns its source has."""
    typed = [_is_typed(follow, target, column) for column in columns]
    if not any(typed):
        return
    for column, cells in zip(columns, _cells_by_column(node, width), strict=False):
        for cell in cells:
            returned(follow, table, target, column, cell)
    for row in _rows_unseen(follow):
        for column, given in zip(columns, row, strict=False):
            if given:
                _returned(follow, table, target, column)


def returned(follow: Follow, table: Table | None, target: Columns, name: str, cell: Node) -> None:
    """A finding where a constant goes into a column of numbers, dates, times or UUIDs that a client sees pseudonyms of."""
    if isinstance(constant_in(cell, None), exp.Literal | exp.Placeholder):
        _returned(follow, table, target, name)


def _returned(follow: Follow, table: Table | None, target: Columns, name: str) -> None:
    if not _is_typed(follow, target, name):
        return
    into = name if table is None else f"{table[1]}.{name}"
    follow.find("writeback", "hold", f"what is written into {into} may be a pseudonym: of its type every value is one")


def _is_typed(follow: Follow, target: Columns, name: str) -> bool:
    """Whether every value of the column is the pseudonym of some value."""
    held = member(target, name)
    return held is not None and follow.world.pseudonymised(held) not in (None, NO_DOMAIN, TEXT)


def _rows_unseen(follow: Follow) -> Iterator[list[bool]]:
    """Rows of constants behind the first, which the parser does not get to see: for each cell whether it is more than NULL."""
    read = follow.reading
    ends = dict(() if read is None else read.substituted)
    end, cells = 0, [False]
    for token in () if read is None else read.tokens:
        if token.word == "," and token.start in ends:
            end, cells = ends[token.start], [False]
        elif token.end == end:  # the closing parenthesis
            yield cells
        elif token.word == ",":
            cells.append(False)
        elif token.word not in ("(", "NULL", "DEFAULT"):
            cells[-1] = True


def _cells_by_column(node: Node, width: int) -> Iterator[list[Node]]:
    """What is inserted, column by column, as far as it is written out."""
    if isinstance(node, exp.Values):
        rows = [cells_of(row) for row in node.expressions]
    else:
        arms = ([each.unalias() for each in arm.expressions] for arm in _arms(node))
        rows = [arm for arm in arms if len(arm) == width]
    yield from map(list, zip(*rows, strict=False))


def _arms(node: Node) -> Iterator[exp.Select]:
    if isinstance(node, exp.Subquery):
        yield from _arms(node.this)
    elif isinstance(node, exp.SetOperation):
        yield from _arms(node.this)
        yield from _arms(node.expression)
    elif isinstance(node, exp.Select):
        yield node


def keep(follow: Follow, table: Table | None, held: Value, name: str | None, value: Value) -> None:
    """A finding unless the column that takes the value hides it as well as the one it comes from."""
    if not value.masked:
        return
    follow.brought |= value.masked
    own = {origin.mark for origin in held.masked}
    came = {origin.mark for origin in value.masked}
    if held.plain and own == came and len(own) == 1:
        (mark,) = own
        if value.plain or (mark is not None and mark.masker in OPAQUE_MASKERS):
            return
    if name is None:
        into = "a table" if table is None else table[1]
    else:
        into = f"the column {name}" if table is None else f"{table[1]}.{name}"
    follow.laundered(value, into, assigned(follow, table, held, name, value), hides_less(held, value))


def returning(follow: Follow, node: exp.Expr, scope: Scope) -> Columns:
    clause = node.args.get("returning")
    if clause is None:
        return Columns()
    if clause.args.get("into"):
        raise Unsure("RETURNING … INTO")
    return targets(follow, clause.expressions, scope)
