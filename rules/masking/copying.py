"""How COPY writes its rows, or reads them, from the options of the statement."""

from __future__ import annotations

import re
from typing import Any, Literal

from attrs import frozen
from pglast import ast

from rules.masking.values import Unsure

# Client encodings none of whose characters contain a byte that could be taken for a delimiter, by the server's names of
# them and their aliases. In the others (SJIS, BIG5, GBK, …) rows cannot be cut.
CUTTABLE = re.compile(
    r"(utf8|unicode|sqlascii|latin|iso8859|win1|win8|windows1|windows8|euc|koi8|alt\Z|abc\Z|tcvn|vscii)"
)


@frozen
class CopyShape:
    """The options that say how rows are written, with the server's defaults."""

    style: Literal["text", "csv", "binary"] = "text"
    delimiter: bytes = b"\t"
    null: bytes = b"\\N"
    quote: bytes = b'"'
    escape: bytes = b'"'
    header: bool = False
    default: bytes | None = None  # COPY FROM: what stands for a column's default


@frozen
class Incoming:
    """What COPY … FROM STDIN stores, for who looks at it as it comes."""

    shape: CopyShape
    table: str
    columns: tuple[str, ...] = ()  # as they come; (): not known
    hashed: bool = False  # it goes into a table with hashed columns
    encoding: str | None = None  # None: the client's


def cuttable(encoding: str) -> bool:
    return CUTTABLE.match(re.sub(r"[^a-z0-9]", "", encoding.lower())) is not None


def shape_of(options: Any) -> tuple[CopyShape, str | None]:
    """The shape of the rows of COPY, and their encoding if one is given. Raises Unsure on a format that is not known."""
    given: dict[str, Any] = {option.defname: option.arg for option in options or ()}
    text: dict[str, str] = {name: arg.sval for name, arg in given.items() if isinstance(arg, ast.String)}  # type: ignore[misc]
    style = text.get("format", "text").lower()
    if style not in ("text", "csv", "binary"):
        raise Unsure("a format of COPY")
    csv = style == "csv"
    quote = text.get("quote", '"')
    shape = CopyShape(
        "csv" if csv else "binary" if style == "binary" else "text",
        text.get("delimiter", "," if csv else "\t").encode(),
        text.get("null", "" if csv else "\\N").encode(),
        quote.encode(),
        text.get("escape", quote).encode(),
        "header" in given and _truth(given["header"]),
        text["default"].encode() if "default" in text else None,
    )
    return shape, text.get("encoding")


def _truth(value: Any) -> bool:
    if isinstance(value, ast.Boolean):
        return bool(value.boolval)
    if isinstance(value, ast.Integer):
        return bool(value.ival)
    if isinstance(value, ast.String):
        return str(value.sval).lower() not in ("false", "off", "0")
    return True
