"""What the columns of a query can reveal: SELECT and its clauses, FROM items, common table expressions, set operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import evolve
from pglast import ast, enums

from rules.masking.computing import computed
from rules.masking.expressions import names, stars
from rules.masking.expressions import window as follow_window
from rules.masking.follow import Follow, Node, isa
from rules.masking.inheriting import Move, move
from rules.masking.keys import by_earlier_key, by_key, keyed
from rules.masking.naming import figured
from rules.masking.predicates import condition, merged, told_apart
from rules.masking.scope import Item, Scope, Source, either, find, member
from rules.masking.values import CLEAN, Columns, NamedValue, Unsure, Value, merge, union
from rules.masking.writes import write

ROUNDS = (
    64  # of a recursive query: each adds a masked column to some output, so it ends; the cap is for our own mistakes
)

# MaxTupleAttributeNumber of the server, for a target list. CTEs that each select twice from the one before double their columns.
_MOST_COLUMNS = 1664


def query(follow: Follow, node: Node, scope: Scope) -> Columns:
    """The columns of a query or of a data-modifying statement with RETURNING. `scope` is its own. Raises Unsure."""
    if isa(node, ast.SelectStmt):
        return select(follow, node, scope)
    if isa(node, ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt | ast.MergeStmt):
        common_tables(follow, node.withClause, scope)
        return write(follow, node, scope)
    raise Unsure(type(node).__name__)


def select(follow: Follow, node: Node, scope: Scope) -> Columns:
    common_tables(follow, node.withClause, scope)
    if node.op != enums.SetOperation.SETOP_NONE:
        found = set_operation(follow, node, scope)
    elif node.valuesLists is not None:
        found = values(follow, node.valuesLists, scope)
    else:
        found = block(follow, node, scope)
    scope.outputs = found
    sort(follow, node, scope)
    for limit in (node.limitCount, node.limitOffset):
        follow.oracle(follow.value(limit, scope), "a LIMIT")
    into = first_arm(node).intoClause  # SELECT … INTO t … UNION SELECT …: the grammar hangs it on the first of them
    if into is not None and found.everything().masked:
        follow.laundered(found.everything(), f"the new table {into.rel.relname}", *moved(into, found))
    return found


def moved(into: Node, columns: Columns) -> list[Move]:
    """What a new table will hold, by SELECT INTO or CREATE TABLE AS."""
    schema, name = ("pg_temp" if into.rel.relpersistence == "t" else into.rel.schemaname), into.rel.relname
    if columns.rest is not None:
        return [move(schema, name, None, columns.everything())]
    given = [each.sval for each in into.colNames or ()]
    names = [*given, *(found for found, _ in columns.named[len(given) :])]
    pairs = zip(names, (value for _, value in columns.named), strict=False)
    return [move(schema, name, column, value) for column, value in pairs if value.masked]


def first_arm(node: Node) -> Node:
    while node.larg is not None:
        node = node.larg
    return node


def set_operation(follow: Follow, node: Node, scope: Scope) -> Columns:
    left = follow.query(node.larg, Scope(outer=scope))
    right = follow.query(node.rarg, Scope(outer=scope))
    if left.rest is None and right.rest is None and len(left.named) == len(right.named):
        pairs = zip(left.named, right.named, strict=True)
        found = Columns(tuple((name, merge(one, two)) for (name, one), (_, two) in pairs))
    else:
        found = Columns((), union([left.everything(), right.everything()]))
    if not (node.all and node.op == enums.SetOperation.SETOP_UNION):
        told_apart(follow, found.values(), "a set operation that compares rows")
    return found


def values(follow: Follow, lists: Iterable[Iterable[Node]], scope: Scope) -> Columns:
    found: list[Value] | None = None
    for row in lists:
        cells = [follow.value(cell, scope) for cell in row]
        if found is not None and len(found) != len(cells):
            raise Unsure("VALUES of different lengths")
        found = cells if found is None else [merge(one, two) for one, two in zip(found, cells, strict=True)]
    # Cells of several rows are no constant of one condition (`merge` sees to that): a join with VALUES is a table of guesses.
    named = ((f"column{number}", evolve(each, fields=None, type_oid=0)) for number, each in enumerate(found or (), 1))
    return Columns(tuple(named))


def block(follow: Follow, node: Node, scope: Scope) -> Columns:
    for item in node.fromClause or ():
        scope.add(from_item(follow, item, scope))
    condition(follow, node.whereClause, scope, "a WHERE")
    found = targets(follow, node.targetList, scope)
    scope.outputs = found
    keys = list(grouped(follow, node.groupClause, scope))
    if follow.predicates == "equality" and not any(isa(key, ast.GroupingSet) for key in node.groupClause or ()):
        keys = by_key(node.targetList, node.groupClause or (), keys, scope)
    told_apart(follow, keys, "a GROUP BY")
    condition(follow, node.havingClause, scope, "a HAVING")
    for window in node.windowClause or ():
        follow_window(follow, window, scope)
    if node.distinctClause:
        keys = [key for key in node.distinctClause if key is not None]
        if keys:
            told_apart(follow, [named_or(follow, key, scope, True) for key in keys], "DISTINCT ON")
        else:
            apart = found.values()
            if follow.predicates == "equality" and found.rest is None:
                apart = by_earlier_key(node.targetList, apart, scope)
            told_apart(follow, apart, "DISTINCT")
    return found


def targets(follow: Follow, nodes: Iterable[Node] | None, scope: Scope) -> Columns:
    named: list[NamedValue] = []
    rests: list[Value] = []
    for target in nodes or ():
        starred = stars(follow, target.val, scope)
        if starred is None:
            named.append((target.name or figured(target.val), follow.value(target.val, scope)))
            continue
        named.extend(starred.named)
        if len(named) > _MOST_COLUMNS:
            raise Unsure("more columns than the server allows")
        if starred.rest is not None:
            rests.append(starred.rest)
    if rests:  # the columns after it stand at unknown places
        return Columns((), union([*rests, *(value for _, value in named)]))
    return Columns(tuple(named))


def sort(follow: Follow, node: Node, scope: Scope) -> None:
    for key in node.sortClause or ():
        follow.oracle(named_or(follow, key.node, scope, True), "an ORDER BY")


def grouped(follow: Follow, keys: Iterable[Node] | None, scope: Scope) -> Iterator[Value]:
    for key in keys or ():
        if isa(key, ast.GroupingSet):
            yield from grouped(follow, key.content, scope)
        else:
            yield named_or(follow, key, scope, False)


def named_or(follow: Follow, node: Node, scope: Scope, outputs_first: bool) -> Value:
    """A key of ORDER BY, GROUP BY or DISTINCT ON: an output by number or by name, else an expression over the input."""
    outputs = scope.outputs
    if isa(node, ast.A_Const) and isa(node.val, ast.Integer) and outputs is not None:
        follow.positional = True
        place = (node.val.ival or 0) - 1
        if outputs.rest is None and 0 <= place < len(outputs.named):
            return outputs.named[place][1]
        return outputs.everything()
    if isa(node, ast.ColumnRef) and len(node.fields) == 1 and outputs is not None:
        name = names(node.fields)[0]
        exact, maybe = find([outputs], name) if name is not None else (None, [])
        if exact is not None or maybe:
            found = union(maybe) if exact is None else either(exact, maybe)
            if outputs_first and exact is not None:
                return found
            try:
                return merge(found, follow.value(node, scope))
            except Unsure:
                return found
    return follow.value(node, scope)


# FROM


def from_item(follow: Follow, node: Node, scope: Scope) -> Source:
    """One FROM item; `scope` holds what stands before it, which only LATERAL items may see."""
    if isa(node, ast.RangeVar):
        return table(follow, node, scope)
    if isa(node, ast.JoinExpr):
        return join(follow, node, scope)
    if isa(node, ast.RangeSubselect):
        inside = Scope(outer=scope if node.lateral else before(scope))
        source = aliased(node.alias, follow.query(node.subquery, inside))
        return source if node.alias is None or node.alias.colnames else exactly(source)
    if isa(node, ast.RangeFunction):
        return function(follow, node, scope)
    if isa(node, ast.RangeTableSample):
        follow.oracle(follow.value([*(node.args or ()), node.repeatable], scope), "a TABLESAMPLE")
        return from_item(follow, node.relation, scope)
    if isa(node, ast.RangeTableFunc):
        parts = [node.docexpr, node.rowexpr, *(each for each in node.namespaces or ())]
        parts += [part for column in node.columns or () for part in (column.colexpr, column.coldefexpr)]
        found = follow.value(parts, scope)
        follow.oracle(found, "the number of rows of XMLTABLE")
        return aliased(node.alias, Columns(tuple((column.colname, found) for column in node.columns or ())))
    if isa(node, ast.JsonTable):
        found = follow.value([node.context_item, *(node.passing or ()), node.on_error], scope)
        found = union(
            [
                found,
                follow.world.routines.shown_by_name("json_table"),
                follow.value(list(behaviours(node.columns)), scope),
            ]
        )
        follow.oracle(found, "the number of rows of JSON_TABLE")
        return aliased(node.alias, Columns(tuple((name, found) for name in json_names(node.columns))))
    raise Unsure(type(node).__name__)


def before(scope: Scope) -> Scope:
    """The same level without its FROM items: what a subquery sees that is not LATERAL."""
    return Scope(outer=scope.outer, ctes=scope.ctes, parameters=scope.parameters)


def json_names(columns: Iterable[Node] | None) -> list[str]:
    found: list[str] = []
    for column in columns or ():
        found.extend(json_names(column.columns) if column.columns else [column.name])
    return found


def behaviours(columns: Iterable[Node] | None) -> list[Node]:
    found: list[Node] = []
    for column in columns or ():
        found.extend(part for part in (column.on_empty, column.on_error) if part is not None)
        found.extend(behaviours(column.columns))
    return found


def table(follow: Follow, node: Node, scope: Scope) -> Source:
    cte = scope.cte(node.relname) if node.schemaname is None else None
    columns = cte() if cte is not None else follow.relation(node.schemaname, node.relname)
    stored = None if cte is not None else keyed(follow, node.schemaname, node.relname)
    if node.alias is not None:
        source = aliased(node.alias, columns)
        if node.alias.colnames:
            return source
        return exactly(Source(tuple(evolve(item, keyed=stored) for item in source.items), columns))
    return exactly(Source((Item(node.relname, columns, node.schemaname, cte is None, keyed=stored),), columns))


def exactly(source: Source) -> Source:
    return Source(tuple(evolve(item, exact=True) for item in source.items), source.columns)


def aliased(alias: Node, columns: Columns) -> Source:
    if alias is None:
        return Source((), columns)
    columns = renamed(columns, [each.sval for each in alias.colnames or ()])
    return Source((Item(alias.aliasname, columns),), columns)


def renamed(columns: Columns, names: list[str]) -> Columns:
    """The first columns under new names."""
    if not names:
        return columns
    named = columns.named
    if columns.rest is not None:
        missing = len(names) - len(named)
        everything = columns.everything()
        return Columns(
            tuple((name, everything) for name in names) + (named[len(names) :] if missing < 0 else ()), everything
        )
    if len(names) > len(named):
        raise Unsure("more column aliases than columns")
    return Columns(tuple(zip(names, (value for _, value in named), strict=False)) + named[len(names) :])


def join(follow: Follow, node: Node, scope: Scope) -> Source:
    left = from_item(follow, node.larg, scope)
    right = from_item(follow, node.rarg, lateral(scope, left))
    if node.jointype == enums.JoinType.JOIN_FULL:
        left, right = left.unconditioned(), right.unconditioned()
    inside = Scope(outer=before(scope), items=list(left.items), sources=[left.columns])
    inside.add(right)
    condition(follow, node.quals, inside, "a JOIN")
    shared = [each.sval for each in node.usingClause or ()]
    if node.isNatural:
        if left.columns.rest is not None or right.columns.rest is not None:
            raise Unsure("a NATURAL join with unknown columns")
        there = {name for name, _ in right.columns.named}
        if None in there or any(name is None for name, _ in left.columns.named):
            raise Unsure("a NATURAL join with unknown names")
        shared = [name for name, _ in left.columns.named if name in there and name is not None]
    columns, common = joined(follow, left.columns, right.columns, shared)
    items = left.items + right.items
    if node.join_using_alias is not None:
        items += (Item(node.join_using_alias.aliasname, common),)
    if node.alias is not None:
        return aliased(node.alias, columns)
    return Source(items, columns)


def lateral(scope: Scope, left: Source) -> Scope:
    """The scope of a join's right side: the FROM items before the join, and the join's left side."""
    inside = Scope(outer=scope.outer, items=list(scope.items), sources=list(scope.sources), ctes=scope.ctes)
    inside.parameters = scope.parameters
    inside.add(left)
    return inside


def joined(follow: Follow, left: Columns, right: Columns, shared: list[str]) -> tuple[Columns, Columns]:
    """The columns of a join: those it merges first. And the merged ones alone."""
    common: list[NamedValue] = []
    for name in shared:
        one, two = member(left, name), member(right, name)
        if one is None or two is None:
            raise Unsure("a join on an unknown column")
        merged(follow, one, two, name)
        common.append((name, merge(one, two)))
    rests = [columns.rest for columns in (left, right) if columns.rest is not None]
    others = tuple(pair for columns in (left, right) for pair in columns.named if pair[0] not in shared)
    both = Columns(tuple(common))
    return Columns(tuple(common) + others, union(rests) if rests else None), both


def function(follow: Follow, node: Node, scope: Scope) -> Source:
    found: list[NamedValue] = []
    rest: Value | None = None
    single = len(node.functions) == 1
    for call, definitions in node.functions:
        value = follow.value(call, scope)
        columns = result_columns(follow, call, scope, [*(definitions or ()), *(node.coldeflist or ())], value)
        if single and node.alias is not None and not node.alias.colnames and is_scalar(follow, call):
            columns = Columns(((node.alias.aliasname, value),))
        found.extend(columns.named)
        if columns.rest is not None:
            rest = columns.rest if rest is None else union([rest, columns.rest])
    if node.ordinality:
        found.append(("ordinality", CLEAN))
    if rest is not None:
        rest = union([rest, *(value for _, value in found)])
    columns = Columns(tuple(found), rest)
    if node.alias is not None:
        return aliased(node.alias, columns)
    name = names(call.funcname)[-1] if isa(call, ast.FuncCall) else None
    return Source(() if name is None else (Item(name, columns),), columns)


def is_scalar(follow: Follow, call: Node) -> bool:
    if not isa(call, ast.FuncCall):
        return True
    parts = names(call.funcname)
    return follow.world.routines.called(parts[-2] if len(parts) > 1 else None, parts[-1] or "").scalar


def result_columns(follow: Follow, call: Node, scope: Scope, definitions: list[Node], value: Value) -> Columns:
    if definitions:
        return Columns(tuple((each.colname, value) for each in definitions))
    if not isa(call, ast.FuncCall):
        return Columns(((None, value),))
    parts = names(call.funcname)
    called = follow.world.routines.called(parts[-2] if len(parts) > 1 else None, parts[-1] or "")
    if called.scalar:
        return Columns(((parts[-1], value),))
    each = [follow.value(part, scope) for part in call.args or ()]
    found = None if called.runs_text else computed(follow, parts[-2] if len(parts) > 1 else None, parts[-1] or "", each)
    if found is not None and called.columns is not None:
        rows = follow.world.routines.rows_of(parts[-2] if len(parts) > 1 else None, parts[-1] or "", found)
        if rows is not None:
            return Columns(tuple(zip(called.columns, rows, strict=True)))
    if called.columns is not None and called.rows is not None:
        given = follow.value(call.args, scope)
        each = [union([given, row]) if given.masked else row for row in called.rows]
        return Columns(tuple(zip(called.columns, each, strict=True)))
    if called.columns is not None:
        return Columns(tuple((name, value) for name in called.columns))
    return Columns((), value)


# WITH


def common_tables(follow: Follow, clause: Node, scope: Scope) -> None:
    """Adds the names of a WITH to `scope`. Every one is followed at once: a CTE that deletes runs whether it is read or not."""
    if clause is None:
        return
    if clause.recursive:
        # Any of them may name any other, in any order; each is followed when it is first asked for.
        for cte in clause.ctes:
            scope.ctes[cte.ctename] = Recursive(follow, cte, scope).columns
    for cte in clause.ctes:
        if not clause.recursive:
            found = finished(follow, cte, follow.query(cte.ctequery, Scope(outer=snapshot(scope))))
            scope.ctes[cte.ctename] = constant(found)
        else:
            scope.ctes[cte.ctename]()


def snapshot(scope: Scope) -> Scope:
    """The scope as a CTE sees it: the tables of the WITH so far, none of the FROM."""
    return Scope(outer=scope.outer, ctes=dict(scope.ctes), parameters=scope.parameters)


def constant(columns: Columns) -> Callable[[], Columns]:
    return lambda: columns


class Recursive:
    """One table of a WITH RECURSIVE: followed again and again until it reveals nothing new."""

    def __init__(self, follow: Follow, cte: Node, scope: Scope) -> None:
        self.follow, self.cte, self.scope = follow, cte, scope
        self.found: Columns | None = None
        self.assumed: Columns | None = None
        self.running = False

    def columns(self) -> Columns:
        if self.found is not None:
            return self.found
        if self.running:
            if self.assumed is None:
                raise Unsure("a recursive query that starts with itself")
            return self.assumed
        self.running = True
        node = self.cte.ctequery
        if isa(node, ast.SelectStmt) and node.op != enums.SetOperation.SETOP_NONE and node.withClause is None:
            try:
                self.assumed = finished(self.follow, self.cte, self.follow.query(node.larg, self.inside()))
            except Unsure:
                self.assumed = None
        for _ in range(ROUNDS):
            found = finished(self.follow, self.cte, self.follow.query(node, self.inside()))
            if found == self.assumed or self.assumed is None:
                self.found = found
                return found
            self.assumed = widened(self.assumed, found)
        raise Unsure("a recursive query that does not settle")

    def inside(self) -> Scope:
        return Scope(outer=Scope(outer=self.scope.outer, ctes=self.scope.ctes, parameters=self.scope.parameters))


def widened(known: Columns, found: Columns) -> Columns:
    if known.rest is not None or found.rest is not None or len(known.named) != len(found.named):
        return Columns((), union([known.everything(), found.everything()]))
    pairs = zip(known.named, found.named, strict=True)
    return Columns(tuple((name, merge(one, two)) for (name, one), (_, two) in pairs))


def finished(follow: Follow, cte: Node, columns: Columns) -> Columns:
    """The columns of a CTE under its own names, with those that SEARCH and CYCLE add."""
    columns = renamed(columns, [each.sval for each in cte.aliascolnames or ()])
    everything = columns.everything()
    extra: list[NamedValue] = []
    if cte.search_clause is not None:
        follow.oracle(everything, "a SEARCH")
        extra.append((cte.search_clause.search_seq_column, everything))
    if cte.cycle_clause is not None:
        follow.oracle(everything, "a CYCLE")
        extra.append((cte.cycle_clause.cycle_mark_column, everything))
        extra.append((cte.cycle_clause.cycle_path_column, everything))
    return Columns(columns.named + tuple(extra), columns.rest)
