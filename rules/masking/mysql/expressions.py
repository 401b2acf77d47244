"""Which masked columns an expression of MySQL can reveal.

A value is made of its parts, whatever the node: so a node of any type that the classifier let through is followed by its parts.
Those that have a meaning of their own are in `HANDLERS`. What may fail, warn or answer for some values only is judged like a
condition, since errors and the number of warnings pass: functions that do none of these are listed, all others are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp

from rules.functions.mysql import NATIVE
from rules.masking.follow import listed
from rules.masking.mysql.absent import surely_absent
from rules.masking.mysql.follow import NUMBER, Follow
from rules.masking.mysql.predicates import answers, asks_for_null, condition, equality, stands_for, told_apart
from rules.masking.mysql.reading import Node
from rules.masking.mysql.scope import NoColumn, Scope, members
from rules.masking.values import CLEAN, CONSTANT, Unsure, Value, union
from rules.model import Effect, Volatility

CONSTANTS = (
    exp.Literal, exp.Placeholder, exp.Boolean, exp.Null, exp.HexString, exp.BitString, exp.National, exp.Introducer,
)  # fmt: skip
# Nodes without a value of their own.
_INERT = (
    exp.Var,
    exp.DataType,
    exp.DataTypeParam,
    exp.CharacterSet,
    exp.JSONPath,
    exp.JSONSchema,
    exp.SessionParameter,
)
# Reserved words that are calls without parentheses, and DEFAULT, which the parser takes for columns.
_CALLS = frozenset(
    """
    CURRENT_DATE CURRENT_ROLE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER LOCALTIME LOCALTIMESTAMP UTC_DATE UTC_TIME
    UTC_TIMESTAMP DEFAULT
    """.split()  # noqa: SIM905
)
COMPARING = (
    exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.Between, exp.RegexpLike, exp.MatchAgainst, exp.JSONArrayContains,
    exp.Any, exp.All, exp.Escape,
)  # fmt: skip
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Neg)
_NUMERIC = (
    exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Trunc, exp.Sign, exp.Sum, exp.Avg, exp.StddevPop, exp.StddevSamp,
    exp.VariancePop, exp.Variance,
)  # fmt: skip
# They give a value for every value, without an error or a warning.
_SAFE = (
    exp.Upper, exp.Lower, exp.Concat, exp.ConcatWs, exp.Substring, exp.Left, exp.Right, exp.SubstringIndex, exp.Length,
    exp.BitLength, exp.Trim, exp.Replace, exp.Hex, exp.MD5, exp.SHA, exp.SHA2, exp.Coalesce, exp.Nullif, exp.Nvl2,
    exp.Greatest, exp.Least, exp.If, exp.Case, exp.GroupConcat, exp.JSONObjectAgg, exp.JSONObject, exp.JSONKeyValue,
    exp.Max, exp.Min, exp.Count, exp.AnyValue, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue,
    exp.Reverse, exp.Pad, exp.Elt, exp.StrPosition, exp.ToBase64, exp.Ascii, exp.Soundex, exp.Paren, exp.Exists,
    exp.And, exp.Or, exp.Xor, exp.Not, exp.In, exp.Anonymous, exp.Cast, exp.TimeToStr, exp.Year, exp.Month, exp.Day,
    exp.DayOfMonth, exp.DayOfWeek, exp.DayOfYear, exp.Week, exp.Quarter, exp.Hour, exp.Minute, exp.Second, exp.Dayname,
    exp.LastDay, exp.DateDiff, exp.Extract, exp.TsOrDsToDate, exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp,
    exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.RowNumber, exp.Compress, exp.EQ, exp.NEQ,
    exp.NullSafeEQ, exp.Is, exp.Tuple, exp.Collate, exp.Interval, exp.WindowSpec, exp.IgnoreNulls, exp.RespectNulls,
)  # fmt: skip
_SAFE_NAMES = frozenset(
    """
    MID OCTET_LENGTH CRC32 JSON_ARRAYAGG JSON_ARRAY JSON_QUOTE FIELD FIND_IN_SET STRCMP QUOTE ORD WEEKDAY MICROSECOND
    TIME_FORMAT ROW LENGTHB AES_ENCRYPT VALUES VALUE CHARSET COLLATION UNIX_TIMESTAMP ISNULL IFNULL WEIGHT_STRING
    """.split()  # noqa: SIM905
)
# Functions of dates fail on a date only where it is none.
_OF_DATES = (
    exp.TimeToStr, exp.Year, exp.Month, exp.Day, exp.DayOfMonth, exp.DayOfWeek, exp.DayOfYear, exp.Week, exp.Quarter,
    exp.Hour, exp.Minute, exp.Second, exp.Dayname, exp.LastDay, exp.DateDiff, exp.TimestampDiff, exp.Extract, exp.TsOrDsToDate,
    exp.TsOrDsToTimestamp,
)  # fmt: skip
_TEXT_TYPES = frozenset({"CHAR", "NCHAR", "VARCHAR", "NVARCHAR", "TEXT", "BINARY", "VARBINARY", "CHARACTER_SET"})


def name_of(node: Node) -> str | None:
    """The name of an output column; None where the server makes it of the expression's text."""
    if isinstance(node, exp.Alias):
        return node.alias
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
        return node.name
    if isinstance(node, exp.Literal):
        return str(node.this)
    return None


def value(follow: Follow, node: Node, scope: Scope) -> Value:
    """What `node` can reveal. Raises Unsure."""
    if isinstance(node, list | tuple):
        return union([value(follow, each, scope) for each in node])
    if not isinstance(node, exp.Expr):
        return CLEAN  # a word, a flag, or nothing
    handler = HANDLERS.get(type(node))
    if handler is not None:
        return handler(follow, node, scope)
    if isinstance(node, CONSTANTS):
        return CONSTANT
    if isinstance(node, _INERT):
        return CLEAN
    if isinstance(node, exp.Query):
        return scalar(follow, node, scope)
    found = parts(follow, node, scope)
    if found.masked and _answered(follow, node, scope):
        return found.unmasked()
    if found.masked and _may_tell(follow, node, scope):
        follow.oracle(found, f"{_title(node)}, which fails, warns or answers for some values,")
    return found


def parts(follow: Follow, node: exp.Expr, scope: Scope) -> Value:
    return union([value(follow, part, scope) for part in node.args.values()])


def _answered(follow: Follow, node: exp.Expr, scope: Scope) -> bool:
    """Whether it is a condition that passes: a WHERE would give its answer by which rows come."""
    if not answers(follow):
        return False
    if asks_for_null(node):
        return value(follow, node.this, scope).plain
    return isinstance(node, exp.EQ | exp.NEQ | exp.NullSafeEQ | exp.In) and equality(follow, node, scope)


def _divides_by_number(follow: Follow, node: exp.Expr) -> bool:
    """`masked / 12`: a division that cannot be one by zero. It looks at a constant."""
    divisor = node.expression if isinstance(node, exp.Div | exp.IntDiv | exp.Mod) else None
    if not isinstance(divisor, exp.Literal) or divisor.is_string:
        return False
    follow.literal = True
    return any(digit in "123456789" for digit in str(divisor.this).lower().partition("e")[0])


def _may_tell(follow: Follow, node: exp.Expr, scope: Scope) -> bool:
    if isinstance(node, COMPARING):
        return True
    if isinstance(node, _OF_DATES):
        return False
    if isinstance(node, _ARITHMETIC + _NUMERIC) or _divides_by_number(follow, node):
        return not numeric(follow, node, scope)
    return not isinstance(node, _SAFE)


def _title(node: exp.Expr) -> str:
    return str(node.this).lower() if isinstance(node, exp.Anonymous) else type(node).__name__


def numeric(follow: Follow, node: Node, scope: Scope) -> bool:
    """Whether what is masked in it are numbers: then computing with it converts no text."""
    if isinstance(node, exp.Column):
        found = value(follow, node, scope)
        return not found.masked or (found.type_oid == NUMBER and found.plain)
    parted = (*_ARITHMETIC, *_NUMERIC, exp.Paren, exp.Max, exp.Min, exp.Coalesce, exp.Distinct, exp.Count)
    if isinstance(node, parted) or _divides_by_number(follow, node):
        return all(numeric(follow, each, scope) for each in _children(node))
    return not value(follow, node, scope).masked


def _children(node: exp.Expr) -> Iterable[exp.Expr]:
    for part in node.args.values():
        for each in part if isinstance(part, list) else [part]:
            if isinstance(each, exp.Expr):
                yield each


# Names


def column(follow: Follow, node: exp.Column, scope: Scope) -> Value:
    table, schema = node.args.get("table"), node.args.get("db")
    if any(part and name not in ("this", "table", "db") for name, part in node.args.items()):
        raise Unsure("a name of more than three parts")
    this = node.this
    if not isinstance(this, exp.Identifier):
        raise Unsure("a star inside an expression")
    if table is None and not this.args.get("quoted") and this.name.upper() in _CALLS:
        return CLEAN
    try:
        if table is None:
            return follow.noted(scope.column(this.name))
        return follow.noted(of_table(scope, table.name, None if schema is None else schema.name, this.name))
    except NoColumn:
        return absent(follow, this.name)


def absent(follow: Follow, name: str) -> Value:
    """The server answers with an error: what else the statement asks is judged all the same. Raises NoColumn."""
    follow.literal = True  # a string that names it would make it a column
    if follow.reading is None or not surely_absent(follow, follow.reading, name):
        raise NoColumn(name)
    follow.absent.add(name)
    return CLEAN


def of_table(scope: Scope, table: str, schema: str | None, name: str) -> Value:
    found = members(scope.tables(table, schema), name)
    if found is None:
        raise NoColumn(name)
    return found


def identifier(follow: Follow, node: exp.Identifier, scope: Scope) -> Value:
    """A bare name in a place where the parser expected no column: VALUES(a)."""
    return follow.noted(scope.column(node.name))


def variable(follow: Follow, node: exp.PropertyEQ, scope: Scope) -> Value:
    """@a := expression"""
    found = value(follow, node.expression, scope)
    follow.laundered(found, "a user variable")
    return found.derived()


def user_variable(follow: Follow, _node: exp.Parameter, _scope: Scope) -> Value:
    """What is masked gets into one by an approval alone."""
    return follow.world.marks.everything if follow.namespace.holds_masked else CLEAN


# Queries inside of expressions


def scalar(follow: Follow, node: exp.Expr, scope: Scope) -> Value:
    columns = follow.query(node, Scope(outer=scope))
    if columns.rest is None and len(columns.named) == 1:
        found = columns.named[0][1]
        return Value(found.origins, found.plain, None, found.type_oid)
    return columns.everything()


def exists(follow: Follow, node: exp.Exists, scope: Scope) -> Value:
    scalar(follow, node.this, scope)
    return CLEAN  # whether a row is there; the conditions that it depends on are judged in the query


def quantified(follow: Follow, node: exp.Expr, scope: Scope) -> Value:
    return scalar(follow, node.this, scope) if isinstance(node.this, exp.Query) else value(follow, node.this, scope)


# Calls


def count(follow: Follow, node: exp.Count, scope: Scope) -> Value:
    for part in (node.this, *node.expressions):
        if not isinstance(part, exp.Star):
            value(follow, part, scope)
    return CLEAN  # a number of rows, whatever they hold


def distinct(follow: Follow, node: exp.Distinct, scope: Scope) -> Value:
    each = [value(follow, part, scope) for part in node.expressions]
    told_apart(follow, each, "DISTINCT in an aggregate")
    return union(each)


def order(follow: Follow, node: exp.Order, scope: Scope) -> Value:
    """`x ORDER BY y` inside of an aggregate."""
    return union([value(follow, node.this, scope), ordered(follow, node, scope, "the order of an aggregate")])


def ordered(follow: Follow, node: Node, scope: Scope, what: str) -> Value:
    if node is None:
        return CLEAN
    found = union([value(follow, key.this, scope) for key in node.expressions])
    follow.oracle(found, what)
    return found


def window(follow: Follow, node: exp.Window, scope: Scope) -> Value:
    """What a window depends on beside the arguments of its function."""
    keys = [value(follow, key, scope) for key in node.args.get("partition_by") or ()]
    told_apart(follow, keys, "the PARTITION BY of a window")
    partition = union(key.unmasked() if stands_for(follow, key) else key for key in keys)
    found = ordered(follow, node.args.get("order"), scope, "the ORDER BY of a window")
    frame = value(follow, node.args.get("spec"), scope)
    follow.oracle(frame, "the frame of a window")
    return union([partition, found, frame])


def windowed(follow: Follow, node: exp.Window, scope: Scope) -> Value:
    named = CLEAN
    if node.args.get("alias") is not None:
        if scope.windows is None:
            raise Unsure("a window that is not in sight")
        named = scope.windows
    function = node.this
    inner = value(follow, function, scope)
    return union([inner, window(follow, node, scope), named])


def choice(follow: Follow, node: exp.If, scope: Scope) -> Value:
    condition(follow, node.this, scope, "an IF")
    return union([value(follow, part, scope) for part in node.args.values()])


def case(follow: Follow, node: exp.Case, scope: Scope) -> Value:
    subject = node.args.get("this")
    found = [value(follow, node.args.get("default"), scope)]
    for when in node.args["ifs"]:
        test = when.this
        if subject is not None:
            test = exp.EQ(this=subject, expression=test)
        condition(follow, test, scope, "a CASE")
        found += [value(follow, test, scope), value(follow, when.args.get("true"), scope)]
    return union(found)


def cast(follow: Follow, node: exp.Cast, scope: Scope) -> Value:
    inner = value(follow, node.this, scope)
    target = node.args.get("to")
    name = str(getattr(target.this, "value", target.this)) if isinstance(target, exp.DataType) else ""
    text = name in _TEXT_TYPES or name.startswith(("CHAR", "VARCHAR"))
    if inner.masked and not text and not numeric(follow, node.this, scope):
        follow.oracle(inner, "a cast that warns or fails for some values")
    return inner.derived()


def anonymous(follow: Follow, node: exp.Anonymous, scope: Scope) -> Value:
    arguments = value(follow, node.expressions, scope)
    return applied(follow, None, node.name, arguments)


def dotted(follow: Follow, node: exp.Dot, scope: Scope) -> Value:
    """`schema.function(…)`: a stored one, whatever its name."""
    if not isinstance(node.this, exp.Identifier) or not isinstance(node.expression, exp.Anonymous):
        raise Unsure("a name with dots")
    call = node.expression
    arguments = value(follow, call.expressions, scope)
    return stored(follow, node.this.name, call.name, arguments)


def applied(follow: Follow, schema: str | None, name: str, arguments: Value) -> Value:
    upper = name.upper()
    if upper == "ROW" and schema is None:
        return arguments
    own = NATIVE.get(upper)
    if own is None:
        return stored(follow, schema, name, arguments)
    keeps = own.volatility is Volatility.VOLATILE or bool(own.effects - {Effect.READ}) or upper == "LAST_INSERT_ID"
    if arguments.masked:
        if keeps:
            follow.find("laundering", "hold", f"{name.lower()} may keep or show {listed(arguments.masked)} elsewhere")
        elif upper not in _SAFE_NAMES:
            follow.oracle(arguments, f"{name.lower()}, which fails, warns or answers for some values,")
    if upper == "LOAD_FILE":
        return union([arguments, follow.world.marks.everything])
    # a function of one server alone may be a stored one on the other
    return arguments if follow.knows(upper) else union([arguments, stored(follow, schema, name, arguments)])


def stored(follow: Follow, schema: str | None, name: str, arguments: Value) -> Value:
    called = follow.world.routines.called(schema, name, "f", follow.namespace)
    if called.stores and (arguments.masked or called.shows.masked):
        follow.find("laundering", "hold", f"{name} may keep or show {listed(union([arguments, called.shows]).masked)}")
    if called.asks:
        follow.asks(name)
    if arguments.masked:
        follow.oracle(arguments, f"the stored function {name}")
    return union([arguments, follow.noted(called.shows)])


Handler = Callable[[Follow, Node, Scope], Value]
HANDLERS: dict[type, Handler] = {
    exp.Column: column,
    exp.Identifier: identifier,
    exp.Paren: lambda follow, node, scope: value(follow, node.this, scope),
    exp.PropertyEQ: variable,
    exp.Parameter: user_variable,
    exp.Exists: exists,
    exp.Any: quantified,
    exp.All: quantified,
    exp.Count: count,
    exp.Distinct: distinct,
    exp.Order: order,
    exp.Window: windowed,
    exp.If: choice,
    exp.Case: case,
    exp.Cast: cast,
    exp.Anonymous: anonymous,
    exp.Dot: dotted,
    exp.Star: lambda _follow, _node, scope: scope.star().everything(),
}
