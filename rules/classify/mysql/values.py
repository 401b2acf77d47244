"""Expressions that stand alone, outside of any query: values of SET, arguments of CALL, conditions of SHOW."""

from __future__ import annotations

from rules.classify.mysql.expressions import read_expression
from rules.classify.mysql.grammar import parse
from rules.classify.mysql.lexer import NAME, NUMBER, STRING, string_value
from rules.classify.mysql.reading import Reader

_NOTHING: frozenset[str] = frozenset()
_ENDS = frozenset({"", ",", ")"})


def read_value(reader: Reader, stops: frozenset[str]) -> str | None:
    """Takes a value up to a word of `stops`: its text if it is a constant, None if the server has to compute it."""
    if reader.word == "DEFAULT" and reader.peek(1).word != "(":
        reader.advance()  # whatever the server or the session began with
        return None
    constant = _constant(reader, stops)
    if constant is not None:
        return constant
    read_checked(reader, stops)
    return None


def read_checked(reader: Reader, stops: frozenset[str] = _NOTHING) -> None:
    """Takes an expression, or several with commas between, and lets the parser have a look at it too."""
    named, selects = reader.named, reader.selects
    reader.named, reader.selects = set(), 0
    first = reader.position
    read_expression(reader, frozenset(), stops)
    if reader.position == first:
        reader.fail("expected a value")
    parse(reader, first, reader.position, "Select", prefix="SELECT ")
    reader.named, reader.selects = named, selects


def _constant(reader: Reader, stops: frozenset[str]) -> str | None:
    sign = reader.word if reader.word in ("-", "+") else ""
    token, after = reader.peek(1 if sign else 0), reader.peek(2 if sign else 1)
    if not (after.kind == "end" or after.word in stops or after.word == ";"):
        return None
    if token.kind == STRING and not sign:
        reader.advance()
        return string_value(token, reader.lexing)
    if token.kind == NUMBER:
        reader.position += 2 if sign else 1
        return ("-" if sign == "-" else "") + token.text
    if token.kind == NAME and not sign and token.word != "DEFAULT":
        reader.advance()
        return token.text
    return None
