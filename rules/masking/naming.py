"""The name that the server gives an output column without AS.

Spec: PostgreSQL, parse_target.c, FigureColname: a node names itself, or is named by what is inside of it; of two names the
stronger one counts. What is not told for sure has no name here (None), and counts as one that may be any.
"""

from __future__ import annotations

from pglast import ast, enums

from rules.masking.trees import Node, isa

NOTHING = "?column?"
_WEAK, _STRONG = 1, 2
_OWN = {
    ast.A_ArrayExpr: "array",
    ast.CoalesceExpr: "coalesce",
    ast.GroupingFunc: "grouping",
    ast.RowExpr: "row",
}
# Their parts are looked at by nobody: the server calls them ?column?.
_NAMELESS = (ast.BooleanTest, ast.BoolExpr, ast.NullTest, ast.ParamRef)
_SUBLINKS = {enums.SubLinkType.EXISTS_SUBLINK: "exists", enums.SubLinkType.ARRAY_SUBLINK: "array"}
_COMPARING = frozenset({enums.SubLinkType.ALL_SUBLINK, enums.SubLinkType.ANY_SUBLINK})


def figured(node: Node) -> str | None:
    """The name of `SELECT node`; None where these rules do not tell."""
    try:
        name, strength = _figure(node)
    except _Unknown:
        return None
    return name if strength else NOTHING


class _Unknown(Exception):
    """A node whose name is not known here."""


def _figure(node: Node) -> tuple[str, int]:
    """A name and how strong it is; 0: none."""
    found = _OWN.get(type(node))
    if found is not None:
        return found, _STRONG
    if isa(node, _NAMELESS):
        return "", 0
    if isa(node, ast.ColumnRef):
        return _last(node.fields), _STRONG
    if isa(node, ast.A_Indirection):
        steps = [step for step in node.indirection if isa(step, ast.String)]
        return (steps[-1].sval, _STRONG) if steps else _figure(node.arg)
    if isa(node, ast.FuncCall):
        return _last(node.funcname), _STRONG
    if isa(node, ast.A_Expr):
        return ("nullif", _STRONG) if node.kind == enums.A_Expr_Kind.AEXPR_NULLIF else ("", 0)
    if isa(node, ast.A_Const) and not isa(
        node.val, ast.Boolean
    ):  # true is a cast, of a type that versions name differently
        return "", 0
    if isa(node, ast.TypeCast):
        name, strength = _figure(node.arg)
        return (name, strength) if strength > _WEAK else (_last(node.typeName.names), _WEAK)
    if isa(node, ast.CollateClause):
        return _figure(node.arg)
    if isa(node, ast.CaseExpr):
        name, strength = ("", 0) if node.defresult is None else _figure(node.defresult)
        return (name, strength) if strength > _WEAK else ("case", _WEAK)
    if isa(node, ast.MinMaxExpr):
        return ("greatest" if node.op == enums.MinMaxOp.IS_GREATEST else "least"), _STRONG
    if isa(node, ast.SubLink):
        return _of_subquery(node)
    raise _Unknown


def _of_subquery(node: Node) -> tuple[str, int]:
    if node.subLinkType in _SUBLINKS:
        return _SUBLINKS[node.subLinkType], _STRONG
    if node.subLinkType in _COMPARING:
        return "", 0
    inner = node.subselect
    while isa(inner, ast.SelectStmt) and inner.larg is not None:  # a set operation has the names of its first arm
        inner = inner.larg
    if node.subLinkType != enums.SubLinkType.EXPR_SUBLINK or not isa(inner, ast.SelectStmt) or not inner.targetList:
        raise _Unknown
    (target, *more) = inner.targetList
    if more:
        raise _Unknown
    if target.name is not None:
        return target.name, _STRONG
    name, strength = _figure(target.val)
    return (name if strength else NOTHING), _STRONG


def _last(fields: Node) -> str:
    last = fields[-1]
    if not isa(last, ast.String):  # a star
        raise _Unknown
    name: str = last.sval
    return name
