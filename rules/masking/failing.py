"""Expressions outside conditions that tell something of a value all the same: comparisons, and what fails for some values.

Their result is masked, but `1 / (salary - 5000)` fails for one salary only, and an error passes. Such an expression is judged
like a condition. Arithmetic that can overflow is not among them: that `+`, `-` and `*` reveal a bit in this way is a known limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pglast import ast, enums

from rules.masking.follow import Node, isa
from rules.masking.values import Value

A = enums.A_Expr_Kind
COMPARING = frozenset(
    {A.AEXPR_LIKE, A.AEXPR_ILIKE, A.AEXPR_SIMILAR, A.AEXPR_BETWEEN, A.AEXPR_NOT_BETWEEN, A.AEXPR_BETWEEN_SYM}
    | {A.AEXPR_NOT_BETWEEN_SYM}
)
# Operators whose result is a value of its own, and that do not fail: anything else compares, divides or is unknown.
SHAPING = frozenset({"=", "<>", "||", "+", "-", "*", "->", "->>", "#>", "#>>", "&", "|", "#", "BETWEEN"})

NUMBERS = frozenset({20, 21, 23, 26, 700, 701, 1700})
TIMES = frozenset({1082, 1114, 1184})
NUMBER_NAMES = frozenset("int2 int4 int8 float4 float8 numeric bigint integer smallint real decimal oid money".split())  # noqa: SIM905
TIME_NAMES = frozenset({"date", "timestamp", "timestamptz"})
TEXT_NAMES = frozenset({"text", "varchar", "bpchar", "char", "name", "unknown", "cstring", "xml", "bytea"})
# Results of these are numbers, or as good as their argument: a cast of them fails on overflow alone.
NUMERIC_RESULTS = frozenset(
    """
    sum avg min max round trunc floor ceil ceiling abs stddev variance extract date_part
    """.split()  # noqa: SIM905
)

# Functions that fail for some values: of any argument, or of those behind the first (lengths, counts, positions).
FAILING = frozenset(
    """
    sqrt cbrt ln log log10 exp power pow factorial chr asin acos acosh atanh cot gcd lcm mod div repeat decode convert_from
    convert to_date to_timestamp to_number make_date make_time make_timestamp make_timestamptz make_interval width_bucket
    get_byte set_byte get_bit set_bit array_fill format xmlparse json_populate_record jsonb_populate_record json_to_record
    jsonb_to_record jsonb_path_query_first jsonb_path_match to_tsquery websearch_to_tsquery phraseto_tsquery parse_ident
    pg_size_bytes
    """.split()  # noqa: SIM905
)
FAILING_BEHIND_FIRST = frozenset(
    """
    substr substring left right lpad rpad split_part overlay regexp_replace regexp_match regexp_count regexp_instr
    regexp_substr regexp_like to_char trunc round encode jsonb_set jsonb_insert
    """.split()  # noqa: SIM905
)
# Of any but the second: a unit, a time zone.
FAILING_BUT_SECOND = frozenset({"date_part", "date_trunc", "timezone"})
_Part = TypeVar("_Part")


def failing_by(name: str, arguments: Sequence[_Part]) -> Sequence[_Part]:
    """The arguments whose value may make the function fail."""
    if name in FAILING:
        return arguments
    if name in FAILING_BUT_SECOND:
        return [*arguments[:1], *arguments[2:]]
    return arguments[1:] if name in FAILING_BEHIND_FIRST else ()


def divides_by_number(node: Node, name: str) -> bool:
    """`masked / 12`: a division that cannot be one by zero. It looks at a constant."""
    if name not in ("/", "%") or node.kind != A.AEXPR_OP or not isa(node.rexpr, ast.A_Const):
        return False
    constant = node.rexpr.val
    if isa(constant, ast.Integer):
        return bool(constant.ival)
    return isa(constant, ast.Float) and any(digit in "123456789" for digit in constant.fval.lower().partition("e")[0])


def compares(node: Node, name: str) -> bool:
    return node.kind in COMPARING or (node.kind != A.AEXPR_NULLIF and name not in SHAPING)


def may_fail(node: Node, inner: Value) -> bool:
    """Whether a cast of something masked can fail depending on what it holds."""
    target = node.typeName.names[-1].sval
    if node.typeName.arrayBounds:
        return True
    if target in TEXT_NAMES:
        return False
    if inner.plain and inner.type_oid:
        known = NUMBERS if target in NUMBER_NAMES else TIMES if target in TIME_NAMES else frozenset[int]()
        return inner.type_oid not in known and not (target in ("json", "jsonb") and inner.type_oid in (114, 3802))
    return not (isa(node.arg, ast.FuncCall) and node.arg.funcname[-1].sval in NUMERIC_RESULTS)
