"""Expressions outside conditions that tell something of a value all the same: comparisons, and what fails for some values.

Their result is masked, but `1 / (salary - 5000)` fails for one salary only, and an error passes. Such an expression is judged
like a condition. Arithmetic that can overflow is not among them: that `+`, `-` and `*` reveal a bit in this way is a known limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pglast import ast, enums

from rules.masking.follow import Node, isa
from rules.masking.values import Value

A = enums.A_Expr_Kind
COMPARING = frozenset(
    {A.AEXPR_LIKE, A.AEXPR_ILIKE, A.AEXPR_SIMILAR, A.AEXPR_BETWEEN, A.AEXPR_NOT_BETWEEN, A.AEXPR_BETWEEN_SYM}
    | {A.AEXPR_NOT_BETWEEN_SYM}
)
_ORDER = ("<", ">", "<=", ">=")
BETWEEN = dict.fromkeys(
    (A.AEXPR_BETWEEN, A.AEXPR_NOT_BETWEEN, A.AEXPR_BETWEEN_SYM, A.AEXPR_NOT_BETWEEN_SYM), _ORDER
)  # the operators that stand behind the word
# Operators whose result is a value of its own, and that do not fail: anything else compares, divides or is unknown.
SHAPING = frozenset({"=", "<>", "||", "+", "-", "*", "->", "->>", "#>", "#>>", "&", "|", "#", "BETWEEN"})

NUMBERS = frozenset({20, 21, 23, 26, 700, 701, 1700})
TIMES = frozenset({1082, 1114, 1184})
NUMBER_NAMES = frozenset("int2 int4 int8 float4 float8 numeric bigint integer smallint real decimal oid money".split())  # noqa: SIM905
TIME_NAMES = frozenset({"date", "timestamp", "timestamptz"})
SAME = {
    "json": frozenset({114, 3802}), "jsonb": frozenset({114, 3802}), "bytea": frozenset({17}), "xml": frozenset({142}),
    "uuid": frozenset({2950}),
}  # fmt: skip
TEXT_NAMES = frozenset({"text", "varchar", "bpchar", "char", "name", "unknown", "cstring"})
# Results of these are numbers, or as good as their argument: a cast of them fails on overflow alone.
NUMERIC_RESULTS = frozenset(
    """
    sum avg min max round trunc floor ceil ceiling abs stddev variance extract date_part
    """.split()  # noqa: SIM905
)

# Functions of the server that give a result for every value of their arguments. What is not here may fail for some, or, as
# to_tsvector and plainto_tsquery, say something about some in a notice.
TOTAL = frozenset(
    """
    upper lower initcap casefold length char_length character_length octet_length bit_length reverse btrim ltrim rtrim replace
    translate ascii md5 sha224 sha256 sha384 sha512 crc32 crc32c concat concat_ws quote_literal quote_ident quote_nullable strpos
    position starts_with string_to_array string_to_table array_to_string to_hex to_bin to_oct text varchar bpchar name hashtext
    sign floor ceil ceiling abs degrees radians scale min_scale trim_scale age isfinite justify_days justify_hours
    justify_interval to_json to_jsonb row_to_json array_to_json json_build_array jsonb_build_array jsonb_pretty json_typeof
    jsonb_typeof json_strip_nulls jsonb_strip_nulls json_extract_path json_extract_path_text jsonb_extract_path
    jsonb_extract_path_text array_append array_prepend array_remove array_replace array_position array_positions array_length
    array_upper array_lower array_ndims array_dims cardinality array_sort array_reverse unnest sum min max avg array_agg string_agg
    json_agg jsonb_agg json_agg_strict jsonb_agg_strict bool_and bool_or every bit_and bit_or bit_xor stddev stddev_pop
    stddev_samp variance var_pop var_samp corr covar_pop covar_samp regr_avgx regr_avgy regr_count regr_intercept regr_r2
    regr_slope regr_sxx regr_sxy regr_syy mode any_value xmlagg range_agg range_intersect_agg row_number rank dense_rank
    percent_rank cume_dist lag lead first_value last_value lower_inc upper_inc lower_inf upper_inf isempty range_merge num_nulls
    num_nonnulls pg_typeof pg_column_size pg_size_pretty host family masklen netmask network broadcast abbrev strip numnode
    record_send textsend textcat
    """.split()  # noqa: SIM905
)
# Of these all but one argument is a length, a format, a path or a key, of which some are wrong.
TOTAL_IN_FIRST = frozenset(
    """
    substr substring left right lpad rpad split_part overlay regexp_replace regexp_match regexp_matches regexp_count regexp_instr
    regexp_substr regexp_like regexp_split_to_array regexp_split_to_table to_char trunc round encode jsonb_set jsonb_insert
    nth_value normalize is_normalized
    """.split()  # noqa: SIM905
)
TOTAL_IN_SECOND = frozenset(
    """
    extract date_part date_trunc timezone json_object_agg jsonb_object_agg json_object_agg_strict jsonb_object_agg_strict
    """.split()  # noqa: SIM905
)
TOTAL_IN_EVERY_SECOND = frozenset({"json_build_object", "jsonb_build_object"})
# Of these no result is NULL unless an argument is: with NULL, nothing is computed, and so nothing fails.
NEVER_NULL = frozenset(
    """
    upper lower initcap casefold length char_length character_length octet_length bit_length reverse btrim ltrim rtrim replace
    translate ascii md5 sha224 sha256 sha384 sha512 concat quote_literal quote_ident strpos position starts_with to_hex text varchar
    bpchar name hashtext sign floor ceil ceiling abs trunc round age date_trunc date_part extract timezone to_char left right lpad
    rpad split_part overlay regexp_replace regexp_count regexp_instr encode normalize to_json to_jsonb sum min max avg
    """.split()  # noqa: SIM905
)

# Nodes that are computed without an error, and that nobody notices, whatever stands in their parts. Casts, calls and operators are
# looked at themselves.
QUIET = (
    ast.A_Const, ast.ParamRef, ast.ColumnRef, ast.String, ast.Integer, ast.Float, ast.Boolean, ast.BitString, ast.A_Star,
    ast.CoalesceExpr, ast.MinMaxExpr, ast.NullTest, ast.BooleanTest, ast.BoolExpr, ast.CaseExpr, ast.CaseWhen,
    ast.CollateClause, ast.SQLValueFunction,
)  # fmt: skip
QUIET_OPERATORS = frozenset({"=", "<>", "<", ">", "<=", ">=", "||", "~~", "!~~", "~~*", "!~~*", "->", "->>", "BETWEEN"})
ARRAY_RESULTS = frozenset({"string_to_array", "array_positions", "regexp_split_to_array", "regexp_match", "array_agg"})


def at_risk(name: str, arguments: Sequence[Value]) -> Iterable[Value]:
    """The arguments of which some values make a function of the server fail."""
    if name in TOTAL:
        return ()
    if name in TOTAL_IN_FIRST:
        return arguments[1:]
    if name in TOTAL_IN_SECOND:
        return (*arguments[:1], *arguments[2:])
    return arguments[::2] if name in TOTAL_IN_EVERY_SECOND else arguments


def null_for_some(
    name: str, nodes: Sequence[Node], arguments: Sequence[Value], column: Callable[[Node], Value]
) -> Iterable[Value]:
    """The masked arguments that can be NULL because of what they hold, of a function of which another argument can be wrong.

    `split_part(substring(ssn FROM '^1'), ',', 0)` is an error where the pattern matches, and NULL elsewhere. `column`: what a
    reference to one is.
    """
    if name in TOTAL or not (name in TOTAL_IN_FIRST or name in TOTAL_IN_SECOND):
        return
    for place, (node, argument) in enumerate(zip(nodes, arguments, strict=False)):
        others = [*nodes[:place], *nodes[place + 1 :]]
        if argument.masked and not all(map(_small, others)) and may_be_null(node, column):
            yield argument


def may_be_null(node: Node, column: Callable[[Node], Value]) -> bool:
    """Whether an expression can be NULL because of what masked columns hold that are not NULL."""
    if isa(node, ast.ColumnRef):
        found = column(node)
        return bool(found.masked) and not found.plain  # of a subquery, where it was computed
    if isa(node, ast.A_Const | ast.ParamRef):
        return False
    if isa(node, ast.TypeCast | ast.CollateClause):
        return may_be_null(node.arg, column)
    if isa(node, ast.FuncCall):
        name, arguments = node.funcname[-1].sval, node.args or ()
        positions = name in ("substr", "substring") and all(map(_small, arguments[1:]))
        return not (name in NEVER_NULL or positions) or any(may_be_null(each, column) for each in arguments)
    if isa(node, ast.A_Expr) and node.kind == A.AEXPR_OP and node.name[-1].sval in ("||", "+", "-", "*", "/", "%"):
        return any(may_be_null(each, column) for each in (node.lexpr, node.rexpr) if each is not None)
    return True


def _small(node: Node) -> bool:
    """A number that is right as any length, place or count."""
    if not isa(node, ast.A_Const) or not isa(node.val, ast.Integer):
        return False
    return bool(0 < node.val.ival <= 10_000)


def quiet(node: Node) -> bool:
    """Whether nobody can tell if an expression was computed or left out: it cannot fail, and changes nothing."""
    if node is None or isinstance(node, list | tuple):
        return all(map(quiet, node or ()))
    if isa(node, ast.FuncCall):
        *schema, name = [part.sval for part in node.funcname]
        arguments = node.args or ()
        fixed = name in TOTAL_IN_FIRST and all(isa(each, ast.A_Const | ast.ParamRef) for each in arguments[1:])
        return (name in TOTAL or fixed) and schema in ([], ["pg_catalog"]) and quiet(arguments)
    if isa(node, ast.A_Expr):
        name = node.name[-1].sval
        return (name in QUIET_OPERATORS or node.kind == A.AEXPR_NULLIF) and quiet([node.lexpr, node.rexpr])
    if isa(node, ast.TypeCast):
        to_text = is_text(node.typeName)
        return isa(node.arg, ast.A_Const | ast.ParamRef) or (to_text and quiet(node.arg))
    return isa(node, QUIET) and all(
        quiet(part) for each in node if isinstance(part := getattr(node, each), ast.Node | list | tuple)
    )


def fragile(node: Node) -> list[Node]:
    """The parts of a constructor of JSON or XML, or of a subscript, of which some values are an error."""
    if isa(node, ast.JsonObjectConstructor | ast.JsonObjectAgg):  # a key may not be NULL, or not come twice
        return [pair.key for pair in (node.exprs or () if isa(node, ast.JsonObjectConstructor) else [node.arg])]
    if isa(node, ast.JsonValueExpr):
        return [node.raw_expr] if node.format.format_type == enums.JsonFormatType.JS_FORMAT_JSON else []
    if isa(node, ast.JsonParseExpr):
        return [node.expr]
    if isa(node, ast.JsonFuncExpr):
        noticed = any(map(_noticed, (node.on_empty, node.on_error)))
        return [node.context_item, node.pathspec, *(node.passing or ())] if noticed else []
    if isa(node, ast.XmlSerialize):  # a document has one root
        return [node.expr] if node.xmloption == enums.XmlOptionType.XMLOPTION_DOCUMENT else []
    if isa(node, ast.XmlExpr):
        return list(node.args or ()) if node.op in (enums.XmlExprOp.IS_XMLPARSE, enums.XmlExprOp.IS_XMLPI) else []
    return (
        [node.lidx, node.uidx] if isa(node, ast.A_Indices) else []
    )  # what stands behind one that is NULL is not computed


def _noticed(behaviour: Node) -> bool:
    """Whether what JSON_VALUE and its kin do in that case is an error, or something that can be seen from outside."""
    if behaviour is None:
        return False
    return behaviour.btype == enums.JsonBehaviorType.JSON_BEHAVIOR_ERROR or not quiet(behaviour.expr)


def is_text(type_name: Node) -> bool:
    parts = [part.sval for part in type_name.names]
    return parts[-1] in TEXT_NAMES and parts[:-1] in ([], ["pg_catalog"]) and not type_name.arrayBounds


def many(node: Node) -> bool:
    """Whether an expression makes an array, whose length may depend on what it is made of."""
    if isa(node, ast.TypeCast):
        return bool(node.typeName.arrayBounds)
    if isa(node, ast.FuncCall):
        return node.funcname[-1].sval in ARRAY_RESULTS
    return isa(node, ast.A_ArrayExpr) or (
        isa(node, ast.SubLink) and node.subLinkType == enums.SubLinkType.ARRAY_SUBLINK
    )


def divides_by_number(node: Node, name: str) -> bool:
    """`masked / 12`: a division that cannot be one by zero. It looks at a constant."""
    if name not in ("/", "%") or node.kind != A.AEXPR_OP or not isa(node.rexpr, ast.A_Const):
        return False
    constant = node.rexpr.val
    if isa(constant, ast.Integer):
        return bool(constant.ival)
    return isa(constant, ast.Float) and any(digit in "123456789" for digit in constant.fval.lower().partition("e")[0])


def compares(node: Node, name: str) -> bool:
    """Whether an operator outside of a condition tells something of its operands all the same."""
    if node.kind in COMPARING or (node.kind != A.AEXPR_NULLIF and name not in SHAPING):
        return True
    if isa(node.lexpr, ast.RowExpr) or isinstance(
        node.rexpr, list | tuple
    ):  # one part after the other, up to the first that decides
        return not quiet([getattr(node.lexpr, "args", node.lexpr), getattr(node.rexpr, "args", node.rexpr)])
    return name == "||" and (many(node.lexpr) or many(node.rexpr))  # of arrays whose dimensions must agree


def may_fail(node: Node, inner: Value) -> bool:
    """Whether a cast of something masked can fail depending on what it holds."""
    target = node.typeName.names[-1].sval
    if is_text(node.typeName):
        return False
    if node.typeName.arrayBounds:
        return True
    if inner.plain and inner.type_oid:
        known = NUMBERS if target in NUMBER_NAMES else TIMES if target in TIME_NAMES else SAME.get(target, frozenset())
        return inner.type_oid not in known
    return not (isa(node.arg, ast.FuncCall) and node.arg.funcname[-1].sval in NUMERIC_RESULTS)
