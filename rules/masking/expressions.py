"""Which masked columns an expression of Postgres can reveal."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import evolve
from pglast import ast, enums

from rules.masking.computing import shown
from rules.masking.failing import (
    BETWEEN,
    at_risk,
    compares,
    divides_by_number,
    fragile,
    many,
    may_fail,
    null_for_some,
    quiet,
)
from rules.masking.follow import Follow, Node, isa
from rules.masking.outlining import defaulted, document, without
from rules.masking.predicates import answers, condition, equality, stands_for, told_apart
from rules.masking.scope import Scope, member
from rules.masking.values import CLEAN, CONSTANT, Columns, Unsure, Value, union

# Nodes whose value is made of their parts' values in the same scope, and of nothing else.
COMPOSED = (
    ast.A_Indices, ast.BooleanTest, ast.CollateClause, ast.GroupingFunc,
    ast.JsonAggConstructor, ast.JsonArgument, ast.JsonArrayAgg, ast.JsonArrayConstructor, ast.JsonBehavior,
    ast.JsonFuncExpr, ast.JsonIsPredicate, ast.JsonKeyValue, ast.JsonObjectAgg, ast.JsonObjectConstructor,
    ast.JsonParseExpr, ast.JsonScalarExpr, ast.JsonSerializeExpr, ast.JsonValueExpr, ast.MinMaxExpr, ast.NamedArgExpr,
    ast.ResTarget, ast.XmlExpr, ast.XmlSerialize,
)  # fmt: skip
NEWER = (
    ast.JsonArrayConstructor, ast.JsonArrayAgg, ast.JsonFuncExpr, ast.JsonObjectAgg, ast.JsonObjectConstructor,
    ast.JsonParseExpr, ast.JsonScalarExpr, ast.JsonSerializeExpr,
)  # fmt: skip
SYNTAX_OF_LATER_SERVERS = (
    "json", "json_array", "json_arrayagg", "json_exists", "json_object", "json_objectagg", "json_query", "json_scalar",
    "json_serialize", "json_table", "json_value", "merge_action",
)  # fmt: skip
INERT = (
    ast.A_Const, ast.A_Star, ast.Boolean, ast.Float, ast.Integer, ast.String, ast.BitString, ast.TypeName, ast.JsonFormat,
    ast.JsonOutput, ast.JsonReturning, ast.SetToDefault, ast.CurrentOfExpr,
)  # fmt: skip


def names(fields: Iterable[Node] | None) -> list[str | None]:
    """The parts of a qualified name; None for a star or anything that is no name."""
    return [field.sval if isa(field, ast.String) else None for field in fields or ()]


def value(follow: Follow, node: Node, scope: Scope) -> Value:
    """What `node` can reveal. Raises Unsure."""
    if node is None:
        return CLEAN
    if isinstance(node, list | tuple):
        return union([value(follow, each, scope) for each in node])
    handler = HANDLERS.get(type(node))
    if handler is not None:
        return handler(follow, node, scope)
    if isa(node, COMPOSED):
        return composed(follow, node, scope)
    if isa(node, INERT):
        return CLEAN
    raise Unsure(type(node).__name__)


def composed(follow: Follow, node: Node, scope: Scope) -> Value:
    # Servers before 17 take some of this syntax for calls of functions that users may have defined.
    found = [follow.world.routines.shown_by_name(name) for name in SYNTAX_OF_LATER_SERVERS] if isa(node, NEWER) else []
    follow.oracle(value(follow, fragile(node), scope), "what is an error for some values")
    for attribute in node:
        part = getattr(node, attribute)
        if attribute == "over":
            window(follow, part, scope)
        elif attribute == "agg_filter":
            condition(follow, part, scope, "a FILTER")
        elif attribute == "agg_order":
            found.append(ordered(follow, part, scope, "the order of an aggregate"))
        elif isinstance(part, ast.Node | list | tuple):
            found.append(value(follow, part, scope))
    return union(found)


def constant(_follow: Follow, _node: Node, _scope: Scope) -> Value:
    return CONSTANT


def parameter(_follow: Follow, node: Node, scope: Scope) -> Value:
    return scope.parameter(node.number or 0) or CONSTANT


def type_cast(follow: Follow, node: Node, scope: Scope) -> Value:
    inner = value(follow, node.arg, scope)
    if inner.masked and may_fail(node, inner):
        follow.oracle(inner, "a cast that fails for some values")
    shown = follow.converted(node.typeName.names[-1].sval, inner)
    if shown.origins:
        return union([inner, shown])
    return inner if inner.constant else inner.derived()


def array(follow: Follow, node: Node, scope: Scope) -> Value:
    parts = [value(follow, each, scope) for each in node.elements or ()]
    if any(map(many, node.elements or ())) or _computed_before(node.elements, parts):
        follow.oracle(union(parts), "an array whose dimensions must agree")
    return CONSTANT if parts and all(part.constant for part in parts) else union(parts)


def _computed_before(nodes: Iterable[Node] | None, parts: Iterable[Value]) -> bool:
    """Whether one is a masked column of a subquery that was computed there, and so may be an array."""
    return any(
        isa(node, ast.ColumnRef) and part.masked and not part.plain and part.fields is None
        for node, part in zip(nodes or (), parts, strict=False)
    )


def coalesce(follow: Follow, node: Node, scope: Scope) -> Value:
    parts = [value(follow, each, scope) for each in node.args]
    for place, part in enumerate(parts[:-1], 1):
        if part.masked and not part.plain and not quiet(node.args[place:]):
            follow.oracle(part, "what is computed only if it is NULL")
    made = defaulted(parts)
    return union(parts) if made is None else evolve(union(parts), document=made)


def boolean(follow: Follow, node: Node, scope: Scope) -> Value:
    """AND and OR stop at the first part that decides: what else stands there may be computed, or not."""
    found = value(follow, node.args, scope)
    if found.masked and len(node.args) > 1 and not quiet(node.args):
        condition(follow, node.args, scope, "a condition")
    return found


def column_ref(follow: Follow, node: Node, scope: Scope) -> Value:
    parts = names(node.fields)
    if parts[-1] is None:
        if len(parts) == 1:
            return scope.columns().row()
        return whole_row(parts[:-1], scope)
    first = parts[0]
    if first is None or None in parts:
        raise Unsure("a name of stars")
    if len(parts) == 1:
        return scope.column(first)
    if len(parts) == 2 and scope.may_be_argument(first):
        raise Unsure("a name of a table and of an argument: the server takes the one that has such a column")
    last = parts[-1]
    assert last is not None
    return attribute_of(follow, whole_row(parts[:-1], scope), last)


def whole_row(parts: list[str | None], scope: Scope) -> Value:
    """`alias`, `schema.table` or `database.schema.table` standing before a column."""
    if len(parts) == 1 and parts[0] is not None:
        row = scope.row(parts[0])
        if row is not None:
            return row
    elif len(parts) in (2, 3) and parts[-1] is not None:
        item = scope.item(parts[-1], parts[-2])
        if item is not None:
            return item.columns.row()
    raise Unsure("a qualified name whose table is not in sight")


def attribute_of(follow: Follow, row: Value, name: str) -> Value:
    """`row.name`: a column of it, or the function of that name called with the whole row."""
    if row.fields is not None:
        found = member(Columns(row.fields), name)
        if found is not None:
            return found
    elif not follow.world.routines.called(None, name).known:
        return row.derived()
    return applied(follow, None, name, [row])


def indirection(follow: Follow, node: Node, scope: Scope) -> Value:
    found = value(follow, node.arg, scope)
    for step in node.indirection:
        if isa(step, ast.String):
            found = attribute_of(follow, found, step.sval)
        elif isa(step, ast.A_Indices):
            found = union([found, composed(follow, step, scope)])
        elif not isa(step, ast.A_Star):
            raise Unsure("an indirection")
    return found


def row_expression(follow: Follow, node: Node, scope: Scope) -> Value:
    fields: list[tuple[str | None, Value]] = []
    for part in node.args or ():
        starred = stars(follow, part, scope)
        if starred is not None:
            if starred.rest is not None:
                return Value(value(follow, node.args, scope).origins)
            fields.extend(starred.named)
        else:
            fields.append((None, value(follow, part, scope)))
    numbered = tuple((f"f{number}", found) for number, (_, found) in enumerate(fields, 1))
    return Value(union(found for _, found in fields).origins, fields=numbered)


def stars(follow: Follow, node: Node, scope: Scope) -> Columns | None:
    """The columns that `*`, `alias.*` or `(row).*` stand for; None when the node is none of these."""
    if isa(node, ast.ColumnRef) and isa(node.fields[-1], ast.A_Star):
        if len(node.fields) == 1:
            return scope.columns()
        row = whole_row(names(node.fields)[:-1], scope)
    elif isa(node, ast.A_Indirection) and isa(node.indirection[-1], ast.A_Star):
        row = indirection(follow, node, scope)
    else:
        return None
    return Columns((), row.derived()) if row.fields is None else Columns(row.fields)


def operator(follow: Follow, node: Node, scope: Scope) -> Value:
    parts = [value(follow, node.lexpr, scope), value(follow, node.rexpr, scope)]
    name = names(node.name)[-1] or ""
    symbols = BETWEEN.get(node.kind, (name,))
    found = union([*parts, *(follow.operated(symbol, union(parts)) for symbol in symbols)])
    behind = any(symbol in follow.world.catalog.operators for symbol in symbols)
    if not behind and parts[1].constant and (parts[0].constant or node.lexpr is None):
        return CONSTANT
    if found.masked and not behind and answers(follow) and equality(follow, node, scope):
        return found.unmasked()  # the answer that a WHERE gives as well, by which rows come
    if found.masked and compares(node, name):
        if divides_by_number(node, name):
            follow.positional = True
        else:
            follow.oracle(found, f"the operator {name}")
    made = without(follow, node, parts[0]) if name == "-" and not behind else None
    return found if made is None else evolve(found, document=made)


def null_test(follow: Follow, node: Node, scope: Scope) -> Value:
    """Whether a masked column is NULL is asked by WHERE as well, and most masks show it."""
    found = value(follow, node.arg, scope)
    return found.unmasked() if found.plain and answers(follow) else found.derived()


def case(follow: Follow, node: Node, scope: Scope) -> Value:
    found = [value(follow, node.defresult, scope)]
    subject = value(follow, node.arg, scope)
    shown = subject.masked and not answers(follow)  # whether the result tells more of the subject than conditions may
    for when in node.args:
        if node.arg is None:
            condition(follow, when.expr, scope, "a CASE")
            found.append(value(follow, when.expr, scope))
        else:
            test = value(follow, when.expr, scope)
            follow.operated("=", union([subject, test]))
            if subject.plain and test.constant:
                follow.equated(subject, node.arg, test, when.expr)
            if not (subject.plain and test.constant and follow.predicates in ("allow", "equality")):
                follow.oracle(union([subject, test]), "a CASE")
                shown = True
            found.append(test)
        found.append(value(follow, when.result, scope))
    return union([subject if shown else subject.unmasked(), *found])


def sublink(follow: Follow, node: Node, scope: Scope) -> Value:
    test = value(follow, node.testexpr, scope)
    columns = follow.query(node.subselect, Scope(outer=scope))
    kinds = enums.SubLinkType
    if node.testexpr is not None:
        follow.operated(names(node.operName)[-1] or "" if node.operName else "=", union([test, columns.everything()]))
    if node.subLinkType == kinds.EXISTS_SUBLINK:
        return CLEAN  # whether a row is there; the conditions it depends on are judged in the subquery
    if node.subLinkType == kinds.EXPR_SUBLINK and columns.rest is None and len(columns.named) == 1:
        return columns.named[0][1]
    if node.subLinkType in (kinds.EXPR_SUBLINK, kinds.MULTIEXPR_SUBLINK):
        return columns.row()
    return union([test, columns.everything()])


def call(follow: Follow, node: Node, scope: Scope) -> Value:
    parts = names(node.funcname)
    name = parts[-1] or ""
    schema = parts[-2] if len(parts) > 1 else None
    over = window(follow, node.over, scope)
    condition(follow, node.agg_filter, scope, "a FILTER")
    each = [value(follow, part, scope) for part in node.args or ()]
    arguments = union(each)
    if node.agg_within_group:  # percentile_cont(0.5) WITHIN GROUP (ORDER BY x) is an aggregate over x
        arguments = union([arguments, *(value(follow, part.node, scope) for part in node.agg_order or ())])
    else:
        arguments = union([arguments, ordered(follow, node.agg_order, scope, "the order of an aggregate")])
    if node.agg_distinct:
        told_apart(follow, each, "DISTINCT in an aggregate")
    called = follow.world.routines.called(schema, name)
    if not called.known and schema is None and len(each) == 1 and each[0].fields is not None:
        field = member(Columns(each[0].fields), name)
        if field is not None:
            return field  # column(row) is row.column
    if name == "count" and schema in (None, "pg_catalog"):
        # a number of rows, whatever they hold; of an expression, of those for which it is not NULL
        follow.oracle(union(part for part in each if not part.plain and part.fields is None), "a count")
        return called.shows
    if called.pure and all(part.constant for part in each):
        return CONSTANT
    if name == "array_agg" and (any(map(many, node.args or ())) or _computed_before(node.args, each)):
        follow.oracle(arguments, "an array whose dimensions must agree")
    if called.supplied:
        follow.oracle(
            union(null_for_some(name, node.args or (), each, lambda part: value(follow, part, scope))),
            f"{name}, which fails unless it is NULL,",
        )
    made = document(follow, node, schema, name, each)
    risky = each if any(isa(part, ast.NamedArgExpr) for part in node.args or ()) else None
    found = applied(follow, schema, name, each, union([arguments, over]), risky)
    return found if made is None else evolve(found, document=made)


def applied(
    follow: Follow,
    schema: str | None,
    name: str,
    each: list[Value],
    beside: Value = CLEAN,
    risky: list[Value] | None = None,
) -> Value:
    """A function called with `each` of these arguments. `beside`: what else it depends on; `risky`: arguments in another order."""
    called = follow.world.routines.called(schema, name)
    arguments = union([*each, beside])
    if not called.runs_text and risky is None and (found := shown(follow, schema, name, each)) is not None:
        return found  # what it does with it was followed as well
    if called.runs_text:
        follow.find("source", "hold", f"{name} reads what no lineage can follow, and columns are masked here")
    if called.stores or (follow.namespace.redefined and not (schema == "pg_catalog" and called.supplied)):
        follow.handed(name, arguments)
    if called.sets:
        follow.oracle(arguments, f"the number of rows of {name}")
    if called.asks:
        follow.asks(name)
    if called.tests or (called.supplied and union(at_risk(name, each) if risky is None else risky).masked):
        follow.oracle(arguments, f"{name}, which fails for some values,")
    return union([arguments, called.shows])


def window(follow: Follow, node: Node, scope: Scope) -> Value:
    """A window's own expressions: what a window function's result depends on besides its arguments."""
    if node is None:
        return CLEAN
    keys = [value(follow, key, scope) for key in node.partitionClause or ()]
    told_apart(follow, keys, "the PARTITION BY of a window")
    parts = union(key.unmasked() if stands_for(follow, key) else key for key in keys)
    order = ordered(follow, node.orderClause, scope, "the ORDER BY of a window")
    frame = value(follow, [node.startOffset, node.endOffset], scope)
    follow.oracle(frame, "the frame of a window")
    return union([parts, order, frame])


def ordered(follow: Follow, clause: Iterable[Node] | None, scope: Scope, what: str) -> Value:
    found = union([value(follow, each.node, scope) for each in clause or ()])
    follow.oracle(found, what)
    return found


Handler = Callable[[Follow, Node, Scope], Value]
HANDLERS: dict[type, Handler] = {
    ast.A_Const: constant,
    ast.ParamRef: parameter,
    ast.SQLValueFunction: constant,
    ast.TypeCast: type_cast,
    ast.A_ArrayExpr: array,
    ast.BoolExpr: boolean,
    ast.CoalesceExpr: coalesce,
    ast.ColumnRef: column_ref,
    ast.A_Indirection: indirection,
    ast.RowExpr: row_expression,
    ast.A_Expr: operator,
    ast.CaseExpr: case,
    ast.NullTest: null_test,
    ast.SubLink: sublink,
    ast.FuncCall: call,
    ast.MergeSupportFunc: lambda follow, _node, _scope: follow.world.routines.shown_by_name("merge_action"),
    ast.JsonArrayQueryConstructor: lambda follow, node, scope: follow.query(
        node.query, Scope(outer=scope)
    ).everything(),
}
