"""A condition of the parse tree as arithmetic: what `rules.classify.sampling` can try out."""

from __future__ import annotations

from typing import Any

from rules.classify.postgres.tree import Node, constant, strings
from rules.classify.sampling import SYMBOLS, Column, Operation, Term

_DEPTH = 60
_JOINS = {"AND_EXPR": "and", "OR_EXPR": "or", "NOT_EXPR": "not"}


def term_of(item: Any, depth: int = 0) -> Term:
    """A condition, or a number in it, as far as it is made of columns, numbers and what is done with numbers."""
    if not item or depth > _DEPTH:
        return None
    ((tag, node),) = item.items()
    match tag:
        case "ColumnRef":
            return Column(tuple(strings(node.get("fields", []))))
        case "A_Const":
            return _constant_term(item, node)
        case "TypeCast":
            return term_of(node.get("arg"), depth + 1)
        case "BoolExpr":
            arguments = tuple(term_of(each, depth + 1) for each in node.get("args", []))
            return Operation(_JOINS[node["boolop"]], arguments) if node.get("boolop") in _JOINS else None
        case "A_Expr":
            return _operation(node, depth)
        case _:
            return None


def _constant_term(item: Node, node: Node) -> Term:
    if "ival" in node or "fval" in node:
        try:
            return float(constant(item) or "")
        except ValueError:
            return None
    return bool(node["boolval"].get("boolval")) if "boolval" in node else None


def _operation(node: Node, depth: int) -> Term:
    symbol = (strings(node.get("name", [])) or [""])[-1]
    left, right = term_of(node.get("lexpr"), depth + 1), node.get("rexpr")
    match node.get("kind"):
        case "AEXPR_OP" if symbol in SYMBOLS:
            if "lexpr" not in node:
                return Operation(symbol, (0, term_of(right, depth + 1))) if symbol in ("+", "-") else None
            return Operation(symbol, (left, term_of(right, depth + 1)))
        case "AEXPR_IN" | "AEXPR_BETWEEN" as kind:
            items = [term_of(each, depth + 1) for each in (right or {}).get("List", {}).get("items", [])]
            if kind == "AEXPR_IN" and symbol in ("=", "<>"):
                return Operation(
                    "or" if symbol == "=" else "and", tuple(Operation(symbol, (left, each)) for each in items)
                )
            if kind == "AEXPR_BETWEEN" and len(items) == 2:
                return Operation("and", (Operation(">=", (left, items[0])), Operation("<=", (left, items[1]))))
    return None
