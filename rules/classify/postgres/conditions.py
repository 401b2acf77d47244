"""Whether the WHERE of an UPDATE or DELETE excludes anything, as far as the text can tell.

A condition is said to be trivial when it is true for every row whose columns are not NULL, or when it does not look at the row at
all and is not plainly false: then it means the whole table or nothing. What it misses: conditions that are true because of the
data (`id > 0`), and rewritings deeper than a person would type.
"""

from __future__ import annotations

import enum
from typing import Any

from attrs import define

from rules.classify.postgres.terms import term_of
from rules.classify.postgres.tree import Node, constant, same, strings
from rules.classify.postgres.walk import Walk
from rules.classify.sampling import always, hangs_on_constants

_DEPTH = 60  # of NOT and parentheses; what is nested deeper is taken to be true
_SYSTEM_COLUMNS = frozenset({"ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"})
_NEVER_NULL = _SYSTEM_COLUMNS | {"id"}  # a column of that name is a primary key, as far as anybody has ever seen
_REFLEXIVE = frozenset({"=", ">=", "<=", "~~", "~~*", "@>", "<@", "~"})
_IRREFLEXIVE = frozenset({"<>", "!=", "<", ">"})
_OPPOSITES = ({"=", "<>"}, {"=", "!="}, {"<", ">="}, {">", "<="}, {"<=", ">="}, {"~~", "!~~"}, {"~", "!~"})
_MATCH_ALL = {"~~": {"%", "%%"}, "~~*": {"%", "%%"}, "~": {"", ".*", "^", "^.*", "^.*$", ".*$", "$"}, "~*": {"", ".*"}}
_NOT_NEGATIVE = frozenset({"length", "char_length", "character_length", "octet_length", "abs"})
_TRUE = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
_FALSE = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})


class Truth(enum.Enum):
    ALWAYS = "always"
    NEVER = "never"
    DEPENDS = "depends"


_NOT = {Truth.ALWAYS: Truth.NEVER, Truth.NEVER: Truth.ALWAYS, Truth.DEPENDS: Truth.DEPENDS}


@define
class Judged:
    looked: bool = False  # at the value of a constant, or at a parameter that stands where a constant could


def judge_where(walk: Walk, node: Node) -> None:
    condition = node.get("whereClause")
    if condition is None:
        walk.where(False, False, False)
        return
    judged = Judged()
    truth = _truth(condition, judged, node.get("relation", {}), 0)
    if truth is Truth.DEPENDS:
        term = term_of(condition)
        judged.looked = judged.looked or hangs_on_constants(term)
        if always(term):
            truth, judged.looked = Truth.ALWAYS, True
    walk.where(True, truth is Truth.ALWAYS, judged.looked)


def _truth(condition: Any, judged: Judged, target: Node, depth: int) -> Truth:
    if depth > _DEPTH:
        return Truth.ALWAYS
    if not _looks_at_row(condition):
        judged.looked = True
        return Truth.NEVER if _plainly_false(condition) else Truth.ALWAYS
    ((tag, node),) = condition.items()
    match tag:
        case "BoolExpr":
            return _connected(node, judged, target, depth)
        case "A_Expr":
            return _compared(node, judged, target)
        case "NullTest":
            return _null_test(node)
        case "BooleanTest":
            inner = _truth(node["arg"], judged, target, depth + 1)
            kind = node.get("booltesttype", "IS_TRUE")
            if kind in ("IS_TRUE", "IS_NOT_FALSE"):
                return inner
            return _NOT[inner] if kind in ("IS_FALSE", "IS_NOT_TRUE") else Truth.DEPENDS
        case "TypeCast" | "CollateClause":
            return _truth(node["arg"], judged, target, depth + 1) if "arg" in node else Truth.DEPENDS
        case "CoalesceExpr":
            return _coalesced(node, judged, target, depth)
        case "CaseExpr":
            return _cases(node, judged, target, depth)
        case "SubLink":
            return _within_itself(node, target)
        case _:
            return Truth.DEPENDS


def _connected(node: Node, judged: Judged, target: Node, depth: int) -> Truth:
    arguments = node.get("args", [])
    truths = [_truth(each, judged, target, depth + 1) for each in arguments]
    match node.get("boolop"):
        case "NOT_EXPR":
            return _NOT[truths[0]]
        case "AND_EXPR":
            if Truth.NEVER in truths:
                return Truth.NEVER
            return Truth.ALWAYS if all(each is Truth.ALWAYS for each in truths) else Truth.DEPENDS
        case _:
            if Truth.ALWAYS in truths or _complementary(arguments, judged):
                return Truth.ALWAYS
            return Truth.NEVER if all(each is Truth.NEVER for each in truths) else Truth.DEPENDS


def _complementary(arguments: list[Node], judged: Judged) -> bool:
    """`a IS NULL OR a IS NOT NULL`, `x OR NOT x`, `a = 1 OR a <> 1`."""
    if any(_has_constant(each) for each in arguments):
        judged.looked = True
    some = arguments[:24]  # of more than these nobody has written the opposite by accident
    for index, one in enumerate(some):
        for other in some[index + 1 :]:
            if _opposite(one, other) or _opposite(other, one):
                return True
    return False


def _opposite(one: Node, other: Node) -> bool:
    ((tag, left),) = one.items()
    if tag == "BoolExpr" and left.get("boolop") == "NOT_EXPR":
        return same(left["args"][0], other)
    if tag not in other:
        return False
    right = other[tag]
    if tag == "NullTest":
        return left.get("nulltesttype") != right.get("nulltesttype") and same(left["arg"], right["arg"])
    if tag != "A_Expr":
        return False
    pair = {(strings(left.get("name", [])) or [""])[-1], (strings(right.get("name", [])) or [""])[-1]}
    if pair not in _OPPOSITES or not same(left.get("lexpr"), right.get("lexpr")):
        return False
    return same(left.get("rexpr"), right.get("rexpr"))


def _compared(node: Node, judged: Judged, _target: Node) -> Truth:
    symbol = (strings(node.get("name", [])) or [""])[-1]
    left, right = node.get("lexpr"), node.get("rexpr")
    match node.get("kind"):
        case "AEXPR_OP" | "AEXPR_LIKE" | "AEXPR_ILIKE":
            if left and right and _same_value(left, right, judged):
                if symbol in _REFLEXIVE:
                    return Truth.ALWAYS
                return Truth.NEVER if symbol in _IRREFLEXIVE else Truth.DEPENDS
            return _pattern(symbol, left, right, judged)
        case "AEXPR_NOT_DISTINCT":
            return Truth.ALWAYS if _same_value(left, right, judged) else Truth.DEPENDS
        case "AEXPR_DISTINCT":
            if right is not None and right.get("A_Const", {}).get("isnull"):
                return _not_null(left)
            return Truth.NEVER if _same_value(left, right, judged) else Truth.DEPENDS
        case "AEXPR_IN":
            items = right.get("List", {}).get("items", []) if right else []
            if symbol == "=" and any(_same_value(left, item, judged) for item in items[:64]):
                return Truth.ALWAYS
            return Truth.DEPENDS
        case "AEXPR_BETWEEN" | "AEXPR_BETWEEN_SYM":
            items = right.get("List", {}).get("items", []) if right else []
            alike = [_same_value(left, item, judged) for item in items]
            return Truth.ALWAYS if alike and all(alike) else Truth.DEPENDS
        case _:
            return Truth.DEPENDS


def _same_value(left: Any, right: Any, judged: Judged) -> bool:
    if _has_constant(left) and _has_constant(right):
        judged.looked = True
    return same(left, right) or _plain(left, right)


def _plain(left: Any, right: Any, *, alias: bool = False) -> bool:
    """`t.a = a`: the same column with and without its table. `alias`: of the same table under two names."""
    if not left or not right or "ColumnRef" not in left or "ColumnRef" not in right:
        return False
    one, other = strings(left["ColumnRef"].get("fields", [])), strings(right["ColumnRef"].get("fields", []))
    return (alias or len(one) != len(other)) and one[-1:] == other[-1:] != [""]


def _pattern(symbol: str, left: Any, right: Any, judged: Judged) -> Truth:
    if right is None or left is None:
        return Truth.DEPENDS
    if symbol in _MATCH_ALL:
        judged.looked = True
        return Truth.ALWAYS if constant(right) in _MATCH_ALL[symbol] else Truth.DEPENDS
    if symbol in (">=", ">") and "FuncCall" in left:
        name = (strings(left["FuncCall"].get("funcname", [])) or [""])[-1]
        if name in _NOT_NEGATIVE:
            judged.looked = True
            number = constant(right) or ("-1" if _negative(right) else "")
            return Truth.ALWAYS if (symbol, number) in ((">=", "0"), (">", "-1"), (">=", "-1")) else Truth.DEPENDS
    return Truth.DEPENDS


def _negative(item: Any) -> bool:
    found = item.get("A_Expr")
    return found is not None and "lexpr" not in found and strings(found.get("name", [])) == ["-"]


def _null_test(node: Node) -> Truth:
    truth = _not_null(node.get("arg"))
    return truth if node.get("nulltesttype") == "IS_NOT_NULL" else _NOT[truth]


def _not_null(item: Any) -> Truth:
    if item is not None and "ColumnRef" in item:
        fields = strings(item["ColumnRef"].get("fields", []))
        if fields and fields[-1] in _NEVER_NULL:
            return Truth.ALWAYS
        if item["ColumnRef"].get("fields", [{}])[-1].get("A_Star") is not None:
            return Truth.DEPENDS
    return Truth.DEPENDS


def _coalesced(node: Node, judged: Judged, target: Node, depth: int) -> Truth:
    truths = [_truth(each, judged, target, depth + 1) for each in node.get("args", [])]
    return truths[0] if truths and all(each is truths[0] for each in truths) else Truth.DEPENDS


def _cases(node: Node, judged: Judged, target: Node, depth: int) -> Truth:
    """CASE … THEN true ELSE true END."""
    results = [each.get("CaseWhen", {}).get("result") for each in node.get("args", [])] + [node.get("defresult")]
    if any(each is None for each in results):
        return Truth.DEPENDS
    truths = [_truth(each, judged, target, depth + 1) for each in results]
    return truths[0] if all(each is truths[0] for each in truths) else Truth.DEPENDS


def _within_itself(node: Node, target: Node) -> Truth:
    """`id IN (SELECT id FROM t)`, where t is the table that is changed."""
    query = node.get("subselect", {}).get("SelectStmt", {})
    sources, columns = query.get("fromClause", []), query.get("targetList", [])
    if strings(node.get("operName", [])) not in ([], ["="]) or node.get("subLinkType") != "ANY_SUBLINK":
        return Truth.DEPENDS
    if len(sources) != 1 or len(columns) != 1:
        return Truth.DEPENDS
    if any(field in query for field in ("whereClause", "limitCount", "limitOffset", "groupClause", "havingClause")):
        return Truth.DEPENDS
    source = sources[0].get("RangeVar", {})
    if source.get("relname") != target.get("relname") or source.get("schemaname") != target.get("schemaname"):
        return Truth.DEPENDS
    column = columns[0].get("ResTarget", {}).get("val")
    test = node.get("testexpr")
    if same(test, column) or _plain(test, column) or _plain(test, column, alias=True):
        return Truth.ALWAYS
    return Truth.DEPENDS


def _looks_at_row(condition: Any) -> bool:
    """Whether a column, or a query over some relation, stands anywhere in it."""
    pending = [condition]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if "ColumnRef" in item or "fromClause" in item or "CurrentOfExpr" in item:
                return True
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return False


def _has_constant(item: Any) -> bool:
    pending = [item]
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            if "A_Const" in found or "ParamRef" in found:
                return True
            pending.extend(found.values())
        elif isinstance(found, list):
            pending.extend(found)
    return False


def _plainly_false(condition: Any) -> bool:
    """`false`, `1 = 0`, NULL, NOT true, and these joined by AND and OR. Anything else without a column may be true."""
    ((tag, node),) = condition.items()
    match tag:
        case "A_Const":
            return "isnull" in node or (constant(condition) or "").strip().lower() in _FALSE
        case "TypeCast":
            return bool(node.get("arg")) and _plainly_false(node["arg"])
        case "BoolExpr":
            arguments = node.get("args", [])
            if node.get("boolop") == "AND_EXPR":
                return any(_plainly_false(each) for each in arguments)
            if node.get("boolop") == "OR_EXPR":
                return all(_plainly_false(each) for each in arguments)
            return (constant(arguments[0]) or "").strip().lower() in _TRUE
        case "A_Expr":
            return _unequal(node)
        case _:
            return False


def _unequal(node: Node) -> bool:
    """Two whole numbers, or two strings, that do not compare as the operator asks."""
    left, right = node.get("lexpr"), node.get("rexpr")
    if node.get("kind") != "AEXPR_OP" or not left or not right:
        return False
    one, other = left.get("A_Const"), right.get("A_Const")
    if one is None or other is None:
        return False
    symbol = (strings(node.get("name", [])) or [""])[-1]
    if "ival" in one and "ival" in other:
        a, b = one["ival"].get("ival", 0), other["ival"].get("ival", 0)
        return bool({"=": a != b, "<>": a == b, "<": a >= b, ">": a <= b, "<=": a > b, ">=": a < b}.get(symbol))
    if "sval" in one and "sval" in other:
        return symbol == "<>" and bool(one["sval"] == other["sval"])
    return False
