"""Conditions over masked columns: which of them ask no more than "is it this value, which I already have?".

Under `equality` a masked column may be compared for equality with constants and parameters, and with another masked
column (both sides come out masked). Equality with anything else is held: `JOIN generate_series(...) g ON g = salary`
would print the salary as g.
"""

from __future__ import annotations

from collections.abc import Iterable

from pglast import ast, enums

from rules.masking.follow import Follow, Node, isa
from rules.masking.hashing import HASHED
from rules.masking.pseudonyms import SCALARS
from rules.masking.scope import Scope
from rules.masking.values import Value, union

EQUALITY = frozenset({"=", "<>"})
# Types under which equal values have equal masked values and others others, by masker.
EQUALITY_KEPT = {"pseudonym": SCALARS, "hash": HASHED}  # of arrays with several dimensions all are shown as empty
A = enums.A_Expr_Kind
PLAIN_KINDS = frozenset(
    {A.AEXPR_OP, A.AEXPR_IN, A.AEXPR_OP_ANY, A.AEXPR_OP_ALL, A.AEXPR_DISTINCT, A.AEXPR_NOT_DISTINCT}
)


def condition(follow: Follow, node: Node, scope: Scope, where: str) -> None:
    """Judges one condition; findings go to `follow`. Raises Unsure."""
    if node is None:
        return
    if isinstance(node, list | tuple):
        for each in node:
            condition(follow, each, scope, where)
    elif isa(node, ast.BoolExpr):
        for each in node.args:
            condition(follow, each, scope, where)
    elif isa(node, ast.BooleanTest) and not isa(node.arg, ast.ColumnRef):
        condition(follow, node.arg, scope, where)
    elif isa(node, ast.NullTest) and follow.value(node.arg, scope).plain:
        if follow.predicates in ("hold", "deny"):
            follow.oracle(follow.value(node.arg, scope), where)
    elif not equality(follow, node, scope) or follow.predicates != "equality":
        follow.oracle(follow.value(node, scope), where)


def equality(follow: Follow, node: Node, scope: Scope) -> bool:
    """Whether the condition is an equality that passes under `equality`."""
    if isa(node, ast.SubLink):
        return _in_query(follow, node, scope)
    if not isa(node, ast.A_Expr) or node.kind not in PLAIN_KINDS:
        return False
    operator = [part.sval for part in node.name]
    follow.operated(operator[-1], union([follow.value(node.lexpr, scope), follow.value(node.rexpr, scope)]))
    if operator[-1] not in EQUALITY or operator[:-1] not in ([], ["pg_catalog"]):
        return False
    if isa(node.lexpr, ast.RowExpr) and isa(node.rexpr, ast.RowExpr):
        left, right = node.lexpr.args or (), node.rexpr.args or ()
        if len(left) != len(right):
            return False
        # every pair is looked at, or the pseudonyms behind the first that does not pass would stay
        pairs = [pair(follow, one, two, scope) for one, two in zip(left, right, strict=True)]
        return all(pairs)
    if isinstance(node.rexpr, tuple | list):
        pairs = [pair(follow, node.lexpr, each, scope) for each in node.rexpr]
        return all(pairs)
    return pair(follow, node.lexpr, node.rexpr, scope, many=node.kind in (A.AEXPR_OP_ANY, A.AEXPR_OP_ALL))


def pair(follow: Follow, left: Node, right: Node, scope: Scope, *, many: bool = False) -> bool:
    one, two = follow.value(left, scope), follow.value(right, scope)
    if not comparable(one, two):
        return False
    follow.equated(one, left, two, right, many=many)
    return True


def comparable(left: Value, right: Value) -> bool:
    """Whether `left = right` tells the client nothing but what it already holds, or shows in masked form on both sides."""
    if not left.masked and not right.masked:
        return True
    if left.masked and right.masked:
        return left.plain and right.plain
    masked, other = (left, right) if left.masked else (right, left)
    return masked.plain and other.constant


def _in_query(follow: Follow, node: Node, scope: Scope) -> bool:
    """`masked IN (SELECT masked …)`."""
    kinds = enums.SubLinkType
    if node.subLinkType == kinds.EXISTS_SUBLINK:
        follow.value(node, scope)
        return True
    operator = [part.sval for part in node.operName or ()]
    if node.subLinkType not in (kinds.ANY_SUBLINK, kinds.ALL_SUBLINK) or operator not in ([], ["="], ["<>"]):
        return False
    columns = follow.query(node.subselect, Scope(outer=scope))
    follow.operated(
        operator[-1] if operator else "=", union([follow.value(node.testexpr, scope), columns.everything()])
    )
    tests = node.testexpr.args if isa(node.testexpr, ast.RowExpr) else [node.testexpr]
    if columns.rest is not None or len(columns.named) != len(tests):
        return False
    pairs = [(test, follow.value(test, scope), found) for test, (_, found) in zip(tests, columns.named, strict=True)]
    for test, value, found in pairs:
        follow.equated(value, test, found, node.subselect)
    return all(comparable(value, found) for _, value, found in pairs)


def merged(follow: Follow, left: Value, right: Value, name: str) -> None:
    """A column that USING or NATURAL joins on."""
    if follow.predicates != "equality" or not comparable(left, right):
        follow.oracle(union([left, right]), f"joining on {name}")
    follow.operated("=", union([left, right]))
    follow.equated(left, None, right, None)


def told_apart(follow: Follow, values: Iterable[Value], what: str) -> None:
    """Rows are told apart, or put together, by these values: GROUP BY, DISTINCT and their kin."""
    follow.oracle(union(value for value in values if not stands_for(follow, value)), what)


def stands_for(follow: Follow, value: Value) -> bool:
    """Whether equality of the column's values is what its masked values show anyway: whoever reads them could group them himself.

    So is whether two masked columns are equal, which `equality` lets everybody ask.
    """
    marks = {origin.mark for origin in value.masked}
    if follow.predicates != "equality" or not value.plain or len(marks) != 1:
        return False
    (mark,) = marks
    assert mark is not None
    return value.type_oid in EQUALITY_KEPT.get(mark.masker, ())


def answers(follow: Follow) -> bool:
    """Whether the policy lets everybody ask for equality, and so see the answer."""
    return follow.world.policy.predicates in ("allow", "equality")
