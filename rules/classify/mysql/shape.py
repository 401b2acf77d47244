r"""Texts of MySQL that differ only in constants that no judgement looks at, told apart from others without a parser.

`shape` puts a mark in the place of a constant that is a whole operand of a comparison, of LIKE, BETWEEN, IN or LIMIT, or a value of
a plain INSERT. The mark tells the kind of constant; everything else is left as it is, to the byte: an argument of a function,
a column's name, the number of an output, a path, a format, a file, a number with a sign. What of such an operand is looked at after
all, the classifier says (`Statement.literal`: a WHERE that may exclude nothing), or is searched for in the text itself (masks on
their way back).

Two texts of one shape have the same tokens but for the values of those constants. The pattern takes a text from left to right,
quoted names and strings as wholes; a mark has a NUL, which no text with a shape has, so what it took of both is the same
but for marks. A constant is cut alike under every sql_mode and character set: printable ASCII without quote or backslash in
single quotes, or digits that touch no word. Whatever a setting could make a quote, an escape or a comment, gives no shape.
"""

from __future__ import annotations

import re
from typing import Final

_NUL: Final = 0x00
_BACKSLASH: Final = 0x5C
_DOUBLE: Final = 0x22
_HASH: Final = 0x23
_LONGEST: Final = 4096  # bytes: fewer tokens than the parser is given, whatever the constants

_REST = rb"[ !#-&(-\[\]-~]*+'"  # of a string, behind its opening quote
_STRING = rb"'" + _REST
_FIGURES = rb"\d{0,18}+"  # of a whole number, behind its first digit
_NUMBER = rb"\d" + _FIGURES
_FRACTION = rb"\." + _NUMBER
# what may follow an operand that is a constant and no more: it is not part of a longer expression
_BEHIND = (
    rb"(?=\s*+(?:[),;]|\Z)|\s++(?i:AND|OR|AS|ASC|DESC|THEN|ELSE|END|WHEN|WHERE|GROUP|HAVING|ORDER|LIMIT|UNION|EXCEPT"
    rb"|INTERSECT|FOR|ON|LEFT|INNER|JOIN)(?![\w$.(\x80-\xff]))"
)
# What stands in front, seen from behind the first character of the constant: a comparison, which neither -> nor := nor a shift is
_COMPARED = (
    rb"(?:(?<=[=<>].)(?<!->.)(?<!:=.)(?<!>>.)(?<!<<.)|(?<=[=<>] .)(?<!-> .)(?<!:= .)(?<!>> .)(?<!<< .)"
    rb"|(?<=[\s)](?i:LIKE) .))"
)
_IN = rb"(?:(?<=[\s)](?i:IN) \(.)|(?<=[\s)](?i:IN)\(.))"
_BETWEEN = rb"(?<=[\s)](?i:BETWEEN) .)"
_AND = rb" (?i:AND) "
_LIMIT = rb"(?<=[\s)](?i:LIMIT) .)"

# An empty group behind each kind of constant says by its number which it was.
_KINDS: Final = (
    (rb"(?<=')" + _COMPARED + _REST + _BEHIND, b"\0s", b"?"),
    (rb"(?<=\d)" + _COMPARED + _FIGURES + _BEHIND, b"\0n", b"?"),
    (rb"(?<=\d)" + _COMPARED + _FIGURES + _FRACTION + _BEHIND, b"\0f", b"?"),
    (rb"(?<=\d)" + _LIMIT + _FIGURES + _BEHIND, b"\0l", b"?"),
    (rb"(?<=\d)" + _LIMIT + _FIGURES + rb", ?+" + _NUMBER + _BEHIND, b"\0c", b"?, ?"),
    (rb"(?<=\d)" + _LIMIT + _FIGURES + rb" (?i:OFFSET) " + _NUMBER + _BEHIND, b"\0o", b"? OFFSET ?"),
    (rb"(?<=')" + _IN + _REST + rb"(?:, ?+" + _STRING + rb")*+(?=\))", b"\0S", b"?"),
    (rb"(?<=\d)" + _IN + _FIGURES + rb"(?:, ?+" + _NUMBER + rb")*+(?=\))", b"\0N", b"?"),
    (rb"(?<=')" + _BETWEEN + _REST + _AND + _STRING + _BEHIND, b"\0t", b"? AND ?"),
    (rb"(?<=\d)" + _BETWEEN + _FIGURES + _AND + _NUMBER + _BEHIND, b"\0m", b"? AND ?"),
)
_constants: Final = re.compile(
    # every match begins with one of few characters, which is what makes the search quick
    rb"[\d'`](?:" + b"|".join(source + rb"()" for source, _, _ in _KINDS) + rb"|(?<=')[^']*+'|(?<=`)[^`]*+`)",
    re.DOTALL,
)
_MARKS: Final = [b"", *(mark for _, mark, _ in _KINDS)]
_PLACES: Final = [b"", *(place for _, _, place in _KINDS)]

_VALUE = rb"\s*+(?:'(?:[^']|'')*+'|-?+\d++(?:\.\d++)?+|(?i:NULL|DEFAULT)\b|\?)\s*+"
_ROW = rb"\(" + _VALUE + rb"(?:," + _VALUE + rb")*+\)"
_insert: Final = re.compile(
    rb"(\s*+(?i:INSERT|REPLACE)\s++(?i:IGNORE\s++)?(?i:INTO)\s++[\w`.$]++\s*+(?:\([\w`,.$\s]*+\)\s*+)?(?i:VALUES)\s*+)"
    rb"(" + _ROW + rb"(?:\s*+,\s*+" + _ROW + rb")*+)(\s*+;?+\s*+)",
    re.DOTALL,
)
_values: Final = re.compile(
    rb"(?<![\d.'])(?:" + _STRING + rb"(?!')()|" + _NUMBER + rb"(?![\d.])()|" + _NUMBER + _FRACTION + rb"(?!\d)()"
    rb"|'(?:[^']|'')*+')"
)  # fmt: skip


def shape(text: bytes) -> bytes | None:
    """The text with marks for constants. None: it has no shape, and only the very same text may be judged like it."""
    # characters by number: looking for bytes in bytes makes CPython try whether they are a number
    if len(text) > _LONGEST or _NUL in text or _BACKSLASH in text or _DOUBLE in text or _HASH in text:
        return None
    if text.find(b"--") >= 0 or text.find(b"/*") >= 0 or text.count(b"'") & 1 or text.count(b"`") & 1:
        return None
    if text[:1] in b"IiRr" and (found := _insert.fullmatch(text)) is not None:
        return found[1] + b"\0v" + _values.sub(_marked, found[2]) + found[3]
    return _constants.sub(_marked, text)


def without_constants(text: bytes) -> str:
    """A text that has a shape with parameters in the place of those constants: for whoever reads what was kept of it."""
    found = _insert.fullmatch(text)
    bare = _constants.sub(_placed, text) if found is None else found[1] + _values.sub(_placed, found[2]) + found[3]
    return bare.decode("utf-8", "replace")


def _marked(found: re.Match[bytes]) -> bytes:
    kind = found.lastindex
    return found[0] if kind is None else _MARKS[kind]


def _placed(found: re.Match[bytes]) -> bytes:
    kind = found.lastindex
    return found[0] if kind is None else _PLACES[kind]
