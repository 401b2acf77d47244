"""Whether a WHERE excludes any row at all, as far as can be seen without the data.

Sound in the direction that matters little (a condition may be trivial in ways that are not seen here: `id > 0`) and
meant for accidents and lazy evasions: `WHERE 1`, `1=1`, `TRUE`, `a = a`, `NOT 0`, `id IS NULL OR id IS NOT NULL`.
"""

from __future__ import annotations

from sqlglot import exp

_REFLEXIVE = (exp.EQ, exp.GTE, exp.LTE, exp.NullSafeEQ, exp.Like)
_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "==",
    exp.NEQ: "!=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}
_MAX_NODES = 200


def is_trivial(condition: exp.Expr) -> bool:
    """Whether every row passes, or the answer does not depend on the row. A constant that is false is not trivial."""
    if _too_large(condition):
        return False
    truth = _truth(condition)
    if truth is not None:
        return truth
    return not _depends_on_row(condition)


def _too_large(condition: exp.Expr) -> bool:
    return sum(1 for _, _ in zip(condition.walk(), range(_MAX_NODES), strict=False)) >= _MAX_NODES


def _depends_on_row(node: exp.Expr) -> bool:
    return any(isinstance(part, (exp.Column, exp.Star, exp.Select, exp.Table)) for part in node.walk())


def _truth(node: exp.Expr | None) -> bool | None:
    """True or False where it is so for every row, None where it is not known. Depth is bounded by `_MAX_NODES`."""
    match node:
        case exp.Paren():
            return _truth(node.this)
        case exp.Boolean():
            return bool(node.this)
        case exp.Literal():
            return _literal_truth(node)
        case exp.Null():
            return False
        case exp.Neg():
            return _truth(node.this)
        case exp.Not():
            inner = _truth(node.this)
            return None if inner is None else not inner
        case exp.And():
            left, right = _truth(node.this), _truth(node.expression)
            if left is False or right is False:
                return False
            return True if left and right else None
        case exp.Or():
            left, right = _truth(node.this), _truth(node.expression)
            if left or right or _opposite(node.this, node.expression):
                return True
            return False if left is False and right is False else None
        case exp.Exists():
            return None if _depends_on_tables(node) else True
        case exp.Between():
            return _between(node)
        case exp.In():
            return _in(node)
        case exp.Like() | exp.EQ() | exp.NEQ() | exp.GT() | exp.GTE() | exp.LT() | exp.LTE() | exp.NullSafeEQ():
            return _comparison(node)
        case _:
            return None


def _literal_truth(node: exp.Literal) -> bool | None:
    value = _number(node)
    return None if value is None else value != 0


def _number(node: exp.Expr | None) -> float | None:
    """A constant as a number; a string counts with its leading digits, as the server converts it."""
    if isinstance(node, exp.Paren):
        return _number(node.this)
    if isinstance(node, exp.Boolean):
        return float(bool(node.this))
    if isinstance(node, exp.Neg):
        inner = _number(node.this)
        return None if inner is None else -inner
    if not isinstance(node, exp.Literal):
        return None
    text = str(node.this).strip()
    digits = ""
    for letter in text:
        if not (letter.isdecimal() or (letter == "." and "." not in digits) or (letter in "+-" and not digits)):
            break
        digits += letter
    try:
        return float(digits or "0")
    except ValueError:
        return 0.0


def _comparison(node: exp.Expr) -> bool | None:
    left, right = node.args.get("this"), node.args.get("expression")
    if left is None or right is None:
        return None
    if isinstance(node, _REFLEXIVE) and left == right:
        return True
    if isinstance(node, exp.Like):
        return True if isinstance(right, exp.Literal) and right.is_string and set(str(right.this)) == {"%"} else None
    if _string(left) is not None and _string(right) is not None:
        return _ordered(type(node), str(_string(left)), str(_string(right)))
    a, b = _number(left), _number(right)
    return None if a is None or b is None else _ordered(type(node), a, b)


def _string(node: exp.Expr) -> str | None:
    return str(node.this).lower() if isinstance(node, exp.Literal) and node.is_string else None


def _ordered(kind: type[exp.Expr], a: str | float, b: str | float) -> bool | None:
    match _COMPARISONS.get(kind):
        case "==":
            return a == b
        case "!=":
            return a != b
        case ">":
            return a > b  # type: ignore[operator]
        case ">=":
            return a >= b  # type: ignore[operator]
        case "<":
            return a < b  # type: ignore[operator]
        case "<=":
            return a <= b  # type: ignore[operator]
        case _:
            return None


def _between(node: exp.Between) -> bool | None:
    value, low, high = _number(node.this), _number(node.args.get("low")), _number(node.args.get("high"))
    return None if value is None or low is None or high is None else low <= value <= high


def _in(node: exp.In) -> bool | None:
    members = node.args.get("expressions") or []
    if any(member == node.this for member in members):
        return True
    value = _number(node.this)
    numbers = [_number(member) for member in members]
    if value is None or not numbers or None in numbers:
        return None
    return value in numbers


def _depends_on_tables(node: exp.Expr) -> bool:
    return node.find(exp.Table, exp.Where, exp.Having, exp.Limit) is not None


def _opposite(left: exp.Expr, right: exp.Expr) -> bool:
    """a IS NULL OR a IS NOT NULL, a = 1 OR a <> 1, x OR NOT x."""
    left, right = _bare(left), _bare(right)
    for one, other in ((left, right), (right, left)):
        if isinstance(other, exp.Not) and _bare(other.this) == one:
            return True
        pair = _OPPOSITES.get(type(one))
        if pair is not None and isinstance(other, pair) and one.this == other.this:
            return one.args.get("expression") == other.args.get("expression")
    return False


_OPPOSITES: dict[type[exp.Expr], type[exp.Expr]] = {exp.EQ: exp.NEQ, exp.GT: exp.LTE, exp.LT: exp.GTE}


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren) and isinstance(node.this, exp.Expr):
        node = node.this
    return node
