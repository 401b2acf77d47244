"""From text to `Statement`s: one package for each dialect. What is not understood is one opaque statement that says why."""

from __future__ import annotations

import re

from pglast import parser
from pglast.error import Error

from rules.model import Effect, Kind, Statement
from rules.outline import without_strings

_SHAPE_BYTES = 16 * 1024  # a longer text is not kept by shape, so normalizing it would be lost time
# Normalizing costs the square of the depth of subqueries: 100 take 8 ms, 400 take 45 ms.
_SHAPE_SUBQUERIES = 40
_SHAPE_PARENTHESES = 400
# A comment sign next to an operator is searched by the lexer from each of them to the last.
_SHAPE_COMMENTS = 100
_SHAPE_SIGNS = "+" * 32, "-" * 200, "*" * 200
# A number that servers before PostgreSQL 16 read as another one and a name: 0x1F, 1_000
_new_number = re.compile(rb"[0-9](?<![\w$].)(?:[xXoObB]|[0-9.eE+-]*+_)")


def shape_postgres(text: str) -> str | None:
    """The text with its literals taken out: statements of one shape are classified alike unless `literal` says otherwise.

    None where that is not certain or not worth it: what a backslash does in a string, and in which encoding a letter beyond
    ASCII is read, depends on settings that the normalizer does not know, and where a number ends, on the server's version.
    Never raises.
    """
    if len(text) > _SHAPE_BYTES or "\\" in text or "\0" in text or not text.isascii():
        return None
    parentheses = text.count("(")
    if parentheses > _SHAPE_PARENTHESES or text.count("/*") > _SHAPE_COMMENTS:
        return None
    if parentheses > _SHAPE_SUBQUERIES and text.lower().count("select") > _SHAPE_SUBQUERIES:
        return None
    if any(signs in text for signs in _SHAPE_SIGNS):
        return None
    raw = text.encode()
    if _new_number.search(without_strings(raw) or raw) is not None:
        return None
    try:
        shape = parser.normalize(text)
    except (Error, UnicodeError, RecursionError):
        return None
    return shape if isinstance(shape, str) else None


def opaque(text: str, reason: str) -> Statement:
    """A statement about which nothing is known but the reason why. Policies hold it unless one of their rules names it."""
    return Statement(text, Kind.OPAQUE, "", frozenset({Effect.UNKNOWN}), opaque=reason, literal=True)
