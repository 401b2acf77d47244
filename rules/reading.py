"""How the bytes of a statement become statements, by dialect. Each part is total: it raises on no bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import frozen

from rules.catalog import Catalog
from rules.model import Dialect, Namespace, Statement
from rules.outline import outline

# The server's name of a character set -> ours. Only those in which no byte of a longer character looks like a quote or a
# backslash; anything else is not decoded, and what is not decoded is opaque.
_MYSQL_CHARSETS = {
    "utf8mb4": "utf-8",
    "utf8mb3": "utf-8",
    "utf8": "utf-8",
    "ascii": "ascii",
    "latin1": "cp1252",  # Spec: MySQL, "latin1 is cp1252"; the five bytes that cp1252 leaves out are not decoded
}


class Classify(Protocol):
    def __call__(self, text: str, namespace: Namespace, catalog: Catalog | None = None) -> tuple[Statement, ...]: ...


@frozen
class Reader:
    """How texts of one dialect are read. All of them are total."""

    decode: Callable[[bytes, Namespace], str | None]  # None: not text in the session's encoding
    classify: Classify
    shape: Callable[[str], str | None]  # the text with literals taken out, by a parser; None: it has no shape to go by
    # the text with some of its literals taken out, by its bytes alone; None: it has no outline
    outline: Callable[[bytes], bytes | None]
    kept: Callable[[bytes], str] | None = None  # what is kept of a text with an outline, where no parser gives shapes


def reader_for(dialect: Dialect) -> Reader:
    match dialect:
        case Dialect.POSTGRES:
            from rules.classify import shape_postgres
            from rules.classify.postgres import classify as classify_postgres
            from rules.classify.postgres.text import decode as decode_postgres

            return Reader(decode_postgres, classify_postgres, shape_postgres, outline)
        case Dialect.MYSQL:
            from rules.classify.mysql import classify as classify_mysql
            from rules.classify.mysql.shape import shape as shape_mysql
            from rules.classify.mysql.shape import without_constants

            return Reader(decode_mysql, classify_mysql, lambda _text: None, shape_mysql, without_constants)


def encode_mysql(text: str, namespace: Namespace) -> bytes | None:
    """None: the session's encoding does not have all of it, or is none that is known."""
    codec = _MYSQL_CHARSETS.get(namespace.charset.lower())
    try:
        return None if codec is None else text.encode(codec)
    except UnicodeEncodeError:
        return None


def decode_mysql(text: bytes, namespace: Namespace) -> str | None:
    codec = _MYSQL_CHARSETS.get(namespace.charset.lower())
    if codec is None:
        return None
    try:
        return text.decode(codec)
    except UnicodeDecodeError:
        return None
