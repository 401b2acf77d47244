"""Conditions over masked columns: which of them ask no more than "is it this value, which I already have?".

MySQL converts what it compares. A text that is compared with a number is read as one, and `ssn = 78` asks for its leading digits
alone: so equality passes only between things of one kind.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from rules.masking.mysql.domains import NO_DOMAIN
from rules.masking.mysql.follow import NUMBER, TEXT, Follow
from rules.masking.mysql.reading import Node, nodes
from rules.masking.mysql.scope import Scope
from rules.masking.values import Value, union

_JUNCTIONS = (exp.And, exp.Or, exp.Xor)
_EQUALITIES = (exp.EQ, exp.NEQ, exp.NullSafeEQ)
# A constant is text, a number, anything (it converts to the column's own kind, or tells nothing), or a parameter.
_WORD, _FIGURE, _ANY, _PARAMETER = "text", "number", "any", "parameter"
_COMPUTED = (
    exp.Literal, exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Paren, exp.CurrentDate, exp.CurrentTimestamp, exp.Interval,
    exp.Var, exp.DateAdd, exp.DateSub, exp.Cast, exp.DataType, exp.DataTypeParam, exp.Concat, exp.Collate, exp.Placeholder,
)  # fmt: skip


def condition(follow: Follow, node: Node, scope: Scope, where: str) -> None:
    """Judges one condition; findings go to `follow`. Raises Unsure."""
    if node is None:
        return
    if isinstance(node, list | tuple):
        for each in node:
            condition(follow, each, scope, where)
    elif isinstance(node, _JUNCTIONS):
        condition(follow, node.this, scope, where)
        condition(follow, node.expression, scope, where)
    elif isinstance(node, exp.Where | exp.Having | exp.Paren | exp.Not):
        condition(follow, node.this, scope, where)
    elif asks_for_null(node) and follow.value(node.this, scope).plain:
        if follow.predicates in ("hold", "deny"):
            follow.oracle(follow.value(node.this, scope), where)
    elif not equality(follow, node, scope) or follow.predicates != "equality":  # asked always: it notes pseudonyms
        follow.oracle(follow.value(node, scope), where)


def equality(follow: Follow, node: Node, scope: Scope) -> bool:
    """Whether the condition is an equality that passes under `equality`."""
    if isinstance(node, exp.Exists):
        follow.value(node, scope)
        return True
    if isinstance(node, _EQUALITIES):
        if isinstance(node.expression, exp.Any | exp.All):
            return _in_query(follow, node.this, node.expression.this, scope)
        for one, other in ((node.this, node.expression), (node.expression, node.this)):
            if _members(one) is not None and isinstance(other, exp.Query):
                return _in_query(follow, one, other, scope)
        return _equal(follow, node.this, node.expression, scope)
    if isinstance(node, exp.In):
        if (query := node.args.get("query")) is not None:
            return _in_query(follow, node.this, query, scope)
        every = [
            _equal(follow, node.this, each, scope) for each in node.expressions
        ]  # behind the first that fails as well
        return all(every) and not (node.args.get("unnest") or node.args.get("field"))
    return False


def _equal(follow: Follow, left: Node, right: Node, scope: Scope) -> bool:
    one, two = _members(left), _members(right)
    if one is not None and two is not None:
        pairs = [_equal(follow, a, b, scope) for a, b in zip(one, two, strict=False)]
        return len(one) == len(two) and all(pairs)
    first, second = follow.value(left, scope), follow.value(right, scope)
    follow.equated(first, right, second)
    follow.equated(second, left, first)
    if not first.masked and not second.masked:
        return True
    if first.masked and second.masked:
        return _alike(first, second)
    if first.masked:
        return _given(follow, first, right)
    return _given(follow, second, left)


def _members(node: Node) -> list[Node] | None:
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Tuple):
        return list(node.expressions)
    if isinstance(node, exp.Anonymous) and str(node.this).upper() == "ROW":
        return list(node.expressions)
    return None


def _alike(left: Value, right: Value) -> bool:
    return left.plain and right.plain and left.type_oid == right.type_oid


def _given(follow: Follow, masked: Value, node: Node) -> bool:
    """Whether the other side is something that the client wrote, of the column's kind."""
    if not masked.plain:
        return False
    kind = constant_kind(node)
    if kind is None:
        return False
    if masked.type_oid in (0, TEXT):
        if kind == _PARAMETER:
            if follow.predicates == "equality":
                follow.told |= {str(each.this) for each in nodes(node) if isinstance(each, exp.Placeholder)}
            return True
        return kind in (_WORD, _ANY)
    if masked.type_oid == NUMBER:
        return True
    return True


def constant_kind(node: Node) -> str | None:
    """What kind of constant it is; None for anything that is not one."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Placeholder):
        return _PARAMETER
    if isinstance(node, exp.Literal):
        return _WORD if node.is_string else _FIGURE
    if isinstance(node, exp.Null):
        return _ANY
    if isinstance(node, exp.National | exp.Introducer | exp.HexString):
        return _WORD
    if isinstance(node, exp.Boolean | exp.BitString):
        return _FIGURE
    if isinstance(node, exp.Concat) and all(isinstance(each, exp.Literal) for each in node.expressions):
        return _WORD
    if isinstance(node, exp.Collate):
        return constant_kind(node.this)
    # computed of constants: never taken for a text, since what it is converted to is not known
    return _FIGURE if all(isinstance(each, _COMPUTED) for each in nodes(node)) else None


def _in_query(follow: Follow, subject: Node, query: Node, scope: Scope) -> bool:
    """`masked IN (SELECT masked …)`"""
    if not isinstance(query, exp.Query):
        return False
    columns = follow.query(query, Scope(outer=scope))
    members = _members(subject) or [subject]
    if columns.rest is not None or len(columns.named) != len(members):
        return False
    passes = True
    for member, (_, two) in zip(members, columns.named, strict=True):
        one = follow.value(member, scope)
        follow.equated(one, query, two)
        follow.equated(two, member, one)
        clean = not one.masked and not two.masked
        passes = passes and (clean or (bool(one.masked and two.masked) and _alike(one, two)))
    return passes


def told_apart(follow: Follow, values: Iterable[Value], what: str) -> None:
    """Rows are told apart, or put together, by these values: GROUP BY, DISTINCT and their kin."""
    follow.oracle(union(value for value in values if not stands_for(follow, value)), what)


def stands_for(follow: Follow, value: Value) -> bool:
    """Whether equality of the values is what their masked forms show anyway: whoever reads them could group them himself."""
    marks = {origin.mark for origin in value.masked}
    if follow.predicates != "equality" or not value.plain or len(marks) != 1:
        return False
    (mark,) = marks
    if mark is not None and mark.masker == "hash":
        return value.type_oid == TEXT
    return follow.world.pseudonymised(value) not in (None, NO_DOMAIN)


def answers(follow: Follow) -> bool:
    """Whether the policy lets everybody ask for equality, and so see the answer."""
    return follow.world.policy.predicates in ("allow", "equality")


def asks_for_null(node: Node) -> bool:
    return isinstance(node, exp.Is) and isinstance(node.expression, exp.Null)


def merged(follow: Follow, left: Value, right: Value, name: str) -> None:
    """A column that USING or NATURAL joins on."""
    clean = not left.masked and not right.masked
    if follow.predicates != "equality" or not (clean or (left.masked and right.masked and _alike(left, right))):
        follow.oracle(union([left, right]), f"joining on {name}")
