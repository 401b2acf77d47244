"""Whether a WHERE excludes any row at all, as far as can be seen without the data.

Sound in the direction that matters little (a condition may be trivial in ways that are not seen here: `id > 0`) and
meant for accidents and lazy evasions: `WHERE 1`, `1=1`, `TRUE`, `a = a`, `NOT 0`, `id IS NULL OR id IS NOT NULL`.
"""

from __future__ import annotations

from sqlglot import exp

from rules.classify.sampling import Column, Operation, Term, always, restless

_REFLEXIVE = (exp.EQ, exp.GTE, exp.LTE, exp.NullSafeEQ, exp.Like)
_IRREFLEXIVE = (exp.NEQ, exp.GT, exp.LT)
_NOT_NEGATIVE = (exp.Length, exp.Abs)
_MATCH_ALL = frozenset({"", ".*", "^", "$", "^.*", ".*$", "^.*$"})
_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "==",
    exp.NEQ: "!=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}
_MAX_NODES = 200


def is_trivial(condition: exp.Expr, target: str | None = None) -> bool:
    """Whether every row passes, or the answer does not depend on the row. A constant that is false is not trivial.

    `target`: the bare name of the only table, if there is one.
    """
    if _too_large(condition):
        return False
    truth = _truth(condition)
    if truth is not None:
        return truth
    return not _depends_on_row(condition) or always(_term(condition)) or _within_itself(condition, target)


def is_steady(condition: exp.Expr) -> bool:
    """Whether `is_trivial` says no whatever the constants are: it must hold, among what else must, that a column is a constant.

    Two tries in a row of `always` differ in one column. A number must be that column's, or the tries could end before the column
    of the number had another value than it; a string is nothing that is known, so nothing with it is always true.
    """
    if _too_large(condition):
        return False
    moving = restless(_term(condition))
    found = False
    pending: list[object] = [condition]
    while pending:
        node = pending.pop()
        if isinstance(node, exp.Paren):
            pending.append(node.this)
        elif isinstance(node, exp.And):
            pending += (node.this, node.expression)
        elif isinstance(node, exp.EQ):
            column, constant = node.this, node.expression
            if isinstance(column, exp.Column) and isinstance(constant, exp.Literal):
                found = found or constant.is_string or _key(column) == moving
    return found


def _key(column: exp.Column) -> tuple[str, ...]:
    return tuple(part.name.lower() for part in column.parts)


def _within_itself(node: exp.Expr, target: str | None) -> bool:
    """`id IN (SELECT id FROM t)`, `id = ANY (SELECT id FROM t)`, where t is the table that is changed."""
    node = _bare(node)
    column, query = node.this, node.args.get("query")
    if isinstance(node, exp.EQ) and isinstance(node.expression, exp.Any):
        query = node.expression.this
    while isinstance(query, exp.Paren | exp.Subquery):
        query = query.this
    if target is None or not isinstance(column, exp.Column) or not isinstance(query, exp.Select):
        return False
    source = query.args.get("from_") or query.args.get("from")
    plain = all(name in _PLAIN_QUERY for name, value in query.args.items() if value)
    if not plain or source is None or not isinstance(source.this, exp.Table) or len(query.expressions) != 1:
        return False
    shown = query.expressions[0]
    return source.this.name == target and isinstance(shown, exp.Column) and shown.name.lower() == column.name.lower()


_PLAIN_QUERY = frozenset({"expressions", "from", "from_", "kind", "operation_modifiers"})
_SYMBOLS: dict[type[exp.Expr], str] = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.EQ: "=", exp.NullSafeEQ: "=", exp.NEQ: "<>", exp.GT: ">",
    exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=", exp.And: "and", exp.Or: "or",
}  # fmt: skip


def _term(node: object) -> Term:
    """A condition, or a number in it, as far as it is made of columns, numbers and what is done with numbers."""
    match node:
        case exp.Paren():
            return _term(node.this)
        case exp.Column():
            return Column(_key(node))
        case exp.Boolean():
            return bool(node.this)
        case exp.Literal() if not node.is_string:
            return _number(node)
        case exp.Neg():
            return Operation("-", (0, _term(node.this)))
        case exp.Not():
            return Operation("not", (_term(node.this),))
        case exp.Between():
            low, high = (_term(node.args.get(name)) for name in ("low", "high"))
            value = _term(node.this)
            return Operation("and", (Operation(">=", (value, low)), Operation("<=", (value, high))))
        case exp.In() if not node.args.get("query"):
            value = _term(node.this)
            return Operation("or", tuple(Operation("=", (value, _term(each))) for each in node.expressions))
        case exp.Expr() if (symbol := _SYMBOLS.get(type(node))) is not None:
            return Operation(symbol, (_term(node.this), _term(node.expression)))
        case _:
            return None


def _too_large(condition: exp.Expr) -> bool:
    return sum(1 for _, _ in zip(condition.walk(), range(_MAX_NODES), strict=False)) >= _MAX_NODES


def _depends_on_row(node: exp.Expr) -> bool:
    return any(isinstance(part, (exp.Column, exp.Star, exp.Table)) for part in node.walk())


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
            return True if node.this == node.args.get("low") == node.args.get("high") else _between(node)
        case exp.Is():
            return _is(node)
        case exp.RegexpLike():
            everything = isinstance(node.expression, exp.Literal) and node.expression.this in _MATCH_ALL
            return True if everything else None
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
    if left == right or _same_column(left, right):
        return True if isinstance(node, _REFLEXIVE) else False if isinstance(node, _IRREFLEXIVE) else None
    if isinstance(node, exp.GTE | exp.GT) and isinstance(left, _NOT_NEGATIVE):
        least = _number(right)
        return True if least is not None and (least < 0 or (least == 0 and isinstance(node, exp.GTE))) else None
    if isinstance(node, exp.Like):
        return True if isinstance(right, exp.Literal) and right.is_string and set(str(right.this)) == {"%"} else None
    if _string(left) is not None and _string(right) is not None:
        return _ordered(type(node), str(_string(left)), str(_string(right)))
    a, b = _number(left), _number(right)
    return None if a is None or b is None else _ordered(type(node), a, b)


def _same_column(left: exp.Expr, right: exp.Expr) -> bool:
    """`t.a = a`: the same column with and without its table."""
    if not isinstance(left, exp.Column) or not isinstance(right, exp.Column):
        return False
    return left.name.lower() == right.name.lower() and bool(left.table) != bool(right.table)


def _is(node: exp.Is) -> bool | None:
    """`id IS NULL`: a column of that name is a primary key, as far as anybody has ever seen."""
    if isinstance(node.this, exp.Column) and node.this.name.lower() == "id" and isinstance(node.expression, exp.Null):
        return False
    return None


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
