"""What the columns of a query of MySQL can reveal: SELECT and its clauses, table references, WITH, set operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import evolve
from sqlglot import exp

from rules.masking.mysql.expressions import name_of, window
from rules.masking.mysql.follow import Follow
from rules.masking.mysql.names import folded
from rules.masking.mysql.predicates import condition, merged, told_apart
from rules.masking.mysql.reading import Node
from rules.masking.mysql.scope import Item, Scope, Source, joined, member, one_of
from rules.masking.values import CLEAN, Columns, NamedValue, Unsure, Value, merge, union

_ROUNDS = (
    64  # of a recursive query: each adds a masked column to some output, so it ends; the cap is for our own mistakes
)
_MOST_COLUMNS = 4096  # MAX_FIELDS of the server

_OF_SELECT = frozenset(
    """
    expressions from_ joins where group having order limit offset windows with_ distinct hint laterals operation_modifiers
    """.split()  # noqa: SIM905
)
_OF_JOIN = frozenset({"this", "on", "using", "method", "side", "kind"})
_OF_TABLE = frozenset({"this", "db", "alias", "joins", "partition"})
_OF_SUBQUERY = frozenset({"this", "alias", "order", "limit", "offset", "with_", "joins"})
_OF_SET = frozenset({"this", "expression", "distinct", "with_", "order", "limit", "offset"})


def only(node: exp.Expr, known: frozenset[str]) -> None:
    """Raises Unsure where a node has a part that nobody here follows."""
    for name, part in node.args.items():
        if part and name not in known:
            raise Unsure(f"{name} of a {type(node).__name__}")


def query(follow: Follow, node: Node, scope: Scope) -> Columns:
    """The columns of a query. `scope` is its own. Raises Unsure."""
    if isinstance(node, exp.Select):
        return select(follow, node, scope)
    if isinstance(node, exp.SetOperation):
        only(node, _OF_SET)
        common_tables(follow, node.args.get("with_"), scope)
        return behind(follow, node, set_operation(follow, node, scope), scope)
    if isinstance(node, exp.Subquery):
        only(node, _OF_SUBQUERY)
        if node.args.get("joins"):
            raise Unsure("joins behind a query")
        common_tables(follow, node.args.get("with_"), scope)
        return behind(follow, node, follow.query(node.this, Scope(outer=scope)), scope)
    if isinstance(node, exp.Values):
        return values(follow, node, scope)
    raise Unsure(type(node).__name__)


def select(follow: Follow, node: exp.Select, scope: Scope) -> Columns:
    only(node, _OF_SELECT)
    common_tables(follow, node.args.get("with_"), scope)
    tables(follow, node, scope)
    if node.args.get("windows"):
        named = [window(follow, each, scope) for each in node.args["windows"]]
        scope.windows = union(named)
    found = targets(follow, node.expressions, scope)
    condition(follow, node.args.get("where"), scope, "a WHERE")
    scope.tail = True
    if (group := node.args.get("group")) is not None:
        keys = [each for name, part in group.args.items() if name == "expressions" for each in part]
        told_apart(follow, [positional(follow, key, scope) for key in keys], "a GROUP BY")
    condition(follow, node.args.get("having"), scope, "a HAVING")
    if node.args.get("distinct") is not None:
        told_apart(follow, found.values(), "DISTINCT")
    return behind(follow, node, found, scope)


def behind(follow: Follow, node: exp.Expr, found: Columns, scope: Scope) -> Columns:
    """ORDER BY and LIMIT of a whole query."""
    scope.outputs, scope.tail = found, True
    order = node.args.get("order")
    for key in () if order is None else order.expressions:
        follow.oracle(positional(follow, key.this, scope), "an ORDER BY")
    for name in ("limit", "offset"):
        part = node.args.get(name)
        if part is not None:
            follow.oracle(follow.value(list(part.args.values()), scope), "a LIMIT")
    return found


def positional(follow: Follow, node: Node, scope: Scope) -> Value:
    """A key of ORDER BY or GROUP BY: the number of an output, or an expression in which outputs are names."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Literal) and not node.is_string and scope.outputs is not None:
        outputs = scope.outputs
        place = int(node.this) - 1 if str(node.this).isdigit() else -1
        if outputs.rest is None and 0 <= place < len(outputs.named):
            return outputs.named[place][1]
        return outputs.everything()
    return follow.value(node, scope)


def targets(follow: Follow, expressions: Iterable[Node], scope: Scope) -> Columns:
    several: list[Columns] = []
    scope.outputs = Columns()
    for node in expressions:
        if isinstance(node, exp.Star):
            found = scope.star()
            follow.noted(found.everything())
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            found = tables_star(node, scope)
            follow.noted(found.everything())
        else:
            inner = node.this if isinstance(node, exp.Alias) else node
            found = Columns(((name_of(node), follow.value(inner, scope)),))
        several.append(found)
        scope.outputs = joined(several)
        if len(scope.outputs.named) > _MOST_COLUMNS:
            raise Unsure("more columns than the server allows")
    return scope.outputs


def tables_star(node: exp.Column, scope: Scope) -> Columns:
    schema = node.args.get("db")
    several = scope.tables(node.args["table"].name, None if schema is None else schema.name, star=True)
    return several[0] if len(several) == 1 else Columns((), union(each.everything() for each in several))


def set_operation(follow: Follow, node: exp.SetOperation, scope: Scope) -> Columns:
    left = follow.query(node.this, Scope(outer=scope))
    right = follow.query(node.expression, Scope(outer=scope))
    if left.rest is None and right.rest is None and len(left.named) == len(right.named):
        pairs = zip(left.named, right.named, strict=True)
        found = Columns(tuple((name, _either(one, two)) for (name, one), (_, two) in pairs))
    else:
        found = Columns((), union([left.everything(), right.everything()]))
    if not isinstance(node, exp.Union) or node.args.get("distinct"):
        told_apart(follow, found.values(), "a set operation that compares rows")
    return found


def _either(left: Value, right: Value) -> Value:
    return Value(left.origins | right.origins) if left.constant or right.constant else merge(left, right)


def values(follow: Follow, node: exp.Values, scope: Scope) -> Columns:
    """VALUES ROW(…), …: columns are called column_0, column_1; MariaDB calls them otherwise."""
    only(node, frozenset({"expressions", "alias", "order", "limit", "offset"}))
    found: list[Value] | None = None
    for row in node.expressions:
        cells = cells_of(row)
        each = [follow.value(cell, scope) for cell in cells]
        if found is not None and len(found) != len(each):
            raise Unsure("VALUES of different lengths")
        found = each if found is None else [_either(one, two) for one, two in zip(found, each, strict=True)]
    columns = Columns(tuple((None, Value(each.origins, each.plain, None, each.type_oid)) for each in found or ()))
    return behind(follow, node, columns, scope)


def cells_of(row: Node) -> list[Node]:
    cells = list(row.expressions)
    if len(cells) == 1 and isinstance(cells[0], exp.Anonymous) and str(cells[0].this).upper() == "ROW":
        return list(cells[0].expressions)
    return cells


# Table references


def tables(follow: Follow, node: exp.Expr, scope: Scope) -> None:
    """Adds FROM and its joins, of a SELECT, to the scope."""
    from_ = node.args.get("from_")
    if from_ is None:
        if node.args.get("joins"):
            raise Unsure("joins without FROM")
        return
    only(from_, frozenset({"this"}))
    if node.args.get("laterals"):
        raise Unsure("laterals")
    scope.add(chain(follow, from_item(follow, from_.this, scope), node.args.get("joins") or (), scope))


def chain(follow: Follow, left: Source, joins: Iterable[exp.Join], scope: Scope) -> Source:
    """A table reference and what is joined to it, from the left to the right."""
    for join in joins:
        only(join, _OF_JOIN)
        right = from_item(follow, join.this, beside(scope, left))
        merges = bool(join.args.get("using")) or str(join.args.get("method") or "").upper() == "NATURAL"
        loose = left.loose or right.loose
        left = join_of(follow, left, right, join, scope)
        if merges and loose:
            left = Source(left.items, left.columns, Columns((), left.star.everything()), True)
        elif not merges:
            # a comma looks like a JOIN without ON here, and the sides of a RIGHT JOIN change places under a later USING
            side = str(join.args.get("side") or "").upper()
            comma = not (join.args.get("on") or join.args.get("kind") or side)
            left = evolve(left, loose=loose or comma or side == "RIGHT")
    return left


def beside(scope: Scope, left: Source) -> Scope:
    """What LATERAL on the right side of a join sees."""
    inside = Scope(scope.outer, list(scope.items), list(scope.sources), list(scope.stars), scope.ctes)
    inside.parameters = scope.parameters
    inside.add(left)
    return inside


def before(scope: Scope) -> Scope:
    """The same level without its tables: what a derived table sees that is not LATERAL."""
    return Scope(scope.outer, ctes=scope.ctes, parameters=scope.parameters)


def join_of(follow: Follow, left: Source, right: Source, join: exp.Join, scope: Scope) -> Source:
    if str(join.args.get("side") or "").upper() == "RIGHT":
        left, right = right, left  # the server turns it round, and so the order of its columns
        swapped = True
    else:
        swapped = False
    items = left.items + right.items
    shared = [each.name for each in join.args.get("using") or ()]
    if str(join.args.get("method") or "").upper() == "NATURAL":
        shared = natural(left.star, right.star)
    inside = before(scope)
    inside = Scope(outer=inside, items=list(items), sources=[left.columns, right.columns], ctes=scope.ctes)
    condition(follow, join.args.get("on"), inside, "a JOIN")
    if not shared:
        stars = [right.star, left.star] if swapped else [left.star, right.star]
        return Source(items, joined([left.columns, right.columns]), joined(stars))
    common: list[NamedValue] = []
    for name in shared:
        one, two = member(left.columns, name), member(right.columns, name)
        if one is None or two is None:
            raise Unsure("a join on an unknown column")
        follow.noted(union([one, two]))
        merged(follow, one, two, name)
        common.append((name, merge(one, two)))
    names = {folded(name) for name in shared}
    columns = joined([Columns(tuple(common)), *(_without(each.columns, names) for each in (left, right))])
    ordered = _in_order(common, left.star)
    star = joined([ordered, *(_without(each.star, names) for each in (left, right))])
    return Source(items, columns, star)


def _in_order(common: list[NamedValue], left: Columns) -> Columns:
    """Merged columns come first, in the order of the left side."""
    order = {folded(name): at for at, (name, _) in enumerate(left.named) if name is not None}
    return Columns(tuple(sorted(common, key=lambda pair: order.get(folded(pair[0] or ""), len(order)))))


def _without(columns: Columns, names: set[str]) -> Columns:
    kept = tuple(pair for pair in columns.named if pair[0] is None or folded(pair[0]) not in names)
    return Columns(kept, columns.rest)


def natural(left: Columns, right: Columns) -> list[str]:
    if left.rest is not None or right.rest is not None:
        raise Unsure("a NATURAL join with unknown columns")
    if any(name is None or not name.isascii() for columns in (left, right) for name, _ in columns.named):
        raise Unsure("a NATURAL join with unknown names")
    there = {folded(name or "") for name, _ in right.named}
    return [name for name, _ in left.named if name is not None and folded(name) in there]


def from_item(follow: Follow, node: Node, scope: Scope) -> Source:
    """One table reference; `scope` holds what stands before it, which LATERAL alone may see."""
    if isinstance(node, exp.Table):
        only(node, _OF_TABLE)
        if isinstance(node.this, exp.JSONTable):
            return json_table(follow, node, scope)
        found = table(follow, node, scope)
        return chain(follow, found, node.args.get("joins") or (), scope)
    if isinstance(node, exp.Lateral):
        only(node, frozenset({"this", "alias"}))
        return derived(node.args.get("alias"), follow.query(node.this, Scope(outer=scope)))
    if isinstance(node, exp.Subquery):
        only(node, _OF_SUBQUERY)
        if isinstance(node.this, exp.Table | exp.Subquery) and not _is_query(node.this):
            if node.args.get("alias") is not None or node.args.get("order") or node.args.get("limit"):
                raise Unsure("an alias of joined tables")
            return chain(follow, from_item(follow, node.this, scope), node.args.get("joins") or (), scope)
        inside = follow.query(_bare(node), Scope(outer=before(scope)))
        found = derived(node.args.get("alias"), inside)
        return chain(follow, found, node.args.get("joins") or (), scope)
    if isinstance(node, exp.Values):
        return derived(node.args.get("alias"), follow.query(node, Scope(outer=before(scope))))
    raise Unsure(type(node).__name__)


def _is_query(node: exp.Expr) -> bool:
    """Whether a parenthesis in FROM holds a query: tables in parentheses are of the same node type."""
    while isinstance(node, exp.Subquery):
        if node.args.get("alias") is not None or node.args.get("joins"):
            return False
        node = node.this
    return isinstance(node, exp.Query)


def _bare(node: exp.Subquery) -> Node:
    """The query of a derived table; what stands behind its parenthesis belongs to FROM."""
    return node.this if not (node.args.get("order") or node.args.get("limit") or node.args.get("with_")) else node


def table(follow: Follow, node: exp.Table, scope: Scope) -> Source:
    name = node.name
    schema = node.args.get("db")
    home = schema.name if schema is not None else None
    if home is None and name.casefold() == "dual":
        return Source.plain((), Columns())
    alias = node.args.get("alias")
    called = alias.name if alias is not None else name
    common, certain = scope.cte(name) if home is None else ([], False)
    if certain:
        return derived(alias, one_of(common), name)
    columns = follow.relation(home, name)
    star = columns
    known = follow.candidates(home, name)
    if common:
        columns = star = Columns((), union([each.everything() for each in (columns, *common)]))
    elif len(known) == 1 and columns is follow.world.columns(known[0]):
        star = follow.world.shown(known[0])
    if alias is not None and alias.args.get("columns"):
        raise Unsure("an alias with columns of a table")
    item = Item(called, columns, home if home is not None else follow.namespace.database, star)
    return Source((item,), columns, star)


def derived(alias: exp.TableAlias | None, columns: Columns, name: str | None = None) -> Source:
    """A query in FROM, or a common table expression, under its alias."""
    if alias is not None:
        columns = renamed(columns, [each.name for each in alias.args.get("columns") or ()])
        name = alias.name or name
    if not name:
        return Source.plain((), columns)
    return Source.plain((Item(name, columns),), columns)


def renamed(columns: Columns, names: list[str]) -> Columns:
    if not names:
        return columns
    if columns.rest is not None:
        everything = columns.everything()
        return Columns(tuple((name, everything) for name in names), everything)
    if len(names) != len(columns.named):
        raise Unsure("another number of column names than columns")
    return Columns(tuple(zip(names, (value for _, value in columns.named), strict=True)))


def json_table(follow: Follow, node: exp.Table, scope: Scope) -> Source:
    """Its columns are read by the classifier and not by the parser, so their names and number are not known here."""
    found = follow.value(node.this.this, scope).derived()
    follow.oracle(found, "the number of rows of JSON_TABLE")
    if found.masked:
        follow.oracle(found, "a conversion in JSON_TABLE")
    alias = node.args.get("alias")
    columns = Columns((), found)
    items = () if alias is None else (Item(alias.name, columns),)
    return chain(follow, Source.plain(items, columns), node.args.get("joins") or (), scope)


# WITH


def common_tables(follow: Follow, clause: exp.With | None, scope: Scope) -> None:
    if clause is None:
        return
    for cte in clause.expressions:
        only(cte, frozenset({"this", "alias"}))
        if clause.args.get("recursive"):
            scope.ctes[cte.alias] = Recursive(follow, cte, scope).columns
    for cte in clause.expressions:
        if clause.args.get("recursive"):
            scope.ctes[cte.alias]()
        else:
            sight = Scope(scope.outer, ctes=dict(scope.ctes), parameters=scope.parameters)
            scope.ctes[cte.alias] = constant(finished(cte, follow.query(cte.this, Scope(outer=sight))))


def constant(columns: Columns) -> Callable[[], Columns]:
    return lambda: columns


def finished(cte: exp.CTE, columns: Columns) -> Columns:
    return renamed(columns, [each.name for each in cte.args["alias"].args.get("columns") or ()])


class Recursive:
    """One table of a WITH RECURSIVE: followed again and again until it reveals nothing new."""

    def __init__(self, follow: Follow, cte: exp.CTE, scope: Scope) -> None:
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
        node = self.cte.this
        if (first := _first_arm(node)) is not node:
            try:
                self.assumed = finished(self.cte, self.follow.query(first, self.inside()))
            except Unsure:
                self.assumed = None
        for _ in range(_ROUNDS):
            found = finished(self.cte, self.follow.query(node, self.inside()))
            if self.assumed is None or found == self.assumed:
                self.found = found
                return found
            self.assumed = widened(self.assumed, found)
        raise Unsure("a recursive query that does not settle")

    def inside(self) -> Scope:
        return Scope(outer=Scope(self.scope.outer, ctes=self.scope.ctes, parameters=self.scope.parameters))


def _first_arm(node: Node) -> Node:
    while isinstance(node, exp.SetOperation) and not node.args.get("with_"):
        node = node.this
    return node


def widened(known: Columns, found: Columns) -> Columns:
    if known.rest is not None or found.rest is not None or len(known.named) != len(found.named):
        return Columns((), union([known.everything(), found.everything()]))
    pairs = zip(known.named, found.named, strict=True)
    return Columns(tuple((name, _either(one, two)) for (name, one), (_, two) in pairs))


__all__ = ["CLEAN", "from_item", "query", "tables"]
