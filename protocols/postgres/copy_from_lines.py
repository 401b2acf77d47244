"""Reading the fields of COPY FROM whose rows are lines: text and CSV.

A row ends at a line feed, a carriage return or both; the server takes whichever the first row ended in, and refuses the others.
"""

from __future__ import annotations

import re
from typing import Final

from protocols.field_reader import FieldCheck, Found, ReadLimits, RowReader, run_length
from protocols.postgres.copy_rows import CopyFormat
from protocols.postgres.copy_text import escape, unescape

_RETURN: Final = 13
_ORDINARY: Final = frozenset(b"\t,;|:~^ \"'\\")  # as delimiter, quote and escape these hide no hint
# At the end of a piece, what may be the beginning of an escape: a backslash, two octal digits, one in hexadecimal.
_UNFINISHED: Final = re.compile(rb"\\(?:[0-7]{0,2}|x[0-9A-Fa-f]?)\Z")


class LineFields(RowReader):
    def __init__(
        self, copy_format: CopyFormat, check: FieldCheck, limits: ReadLimits, cell: bytes, row: bytes, signs: bytes
    ) -> None:
        """`cell`, `row`: what matches a field, and a row up to its end; `signs`: the bytes that the format gives a meaning."""
        row = rb"%s(?:\r\n|[\r\n])" % row
        super().__init__(check, limits, cell, row, _ORDINARY.issuperset(signs))
        self._delimiter = copy_format.delimiter[0]
        self._nothing = {copy_format.null, copy_format.default}  # what stands for no value of the client's
        self._header = copy_format.header

    def _read(self, data: bytes, last: bool) -> Found | None:
        if last and self._header and self._one.match(data) is None:
            return None  # no row follows it
        return super()._read(data, last)

    def _begin(self, data: bytes) -> int:
        if not self._header:
            return 0
        first = self._one.match(data)
        if first is not None:
            self._header = False
            self._count(data, 0, first.end())
            return first.end()
        if len(data) <= self._limits.kept_bytes:
            self._keep(data)
        else:  # names of that length are none: whatever the server makes of it, it stores none of it
            self._stop()
        return -1

    def _field_end(self, data: bytes, at: int) -> int:
        return 1 if at < len(data) and data[at] == self._delimiter else 0

    def _row_end(self, data: bytes, at: int) -> int:
        if at == len(data) or data[at] not in b"\r\n":
            return 0
        return 2 if data[at] == _RETURN and data[at + 1 : at + 2] == b"\n" else 1

    def _count(self, data: bytes, at: int, end: int) -> None:
        """Lines as an editor counts them."""
        self._row += data.count(b"\n", at, end) or data.count(b"\r", at, end)


class TextFields(LineFields):
    def __init__(self, copy_format: CopyFormat, check: FieldCheck, limits: ReadLimits) -> None:
        delimiter = re.escape(copy_format.delimiter)
        cell = rb"[^\\%s\r\n]*+(?:\\.[^\\%s\r\n]*+)*+" % (delimiter, delimiter)
        row = rb"[^\\\r\n]*+(?:\\.[^\\\r\n]*+)*+"
        super().__init__(copy_format, check, limits, cell, row, copy_format.delimiter)
        self._sign = copy_format.delimiter
        self._usual(b"\\", b"bfnrtv", b"\\N", delimiter + b"\r\n")

    def _value(self, cell: bytes) -> bytes | None:
        return None if cell in self._nothing else unescape(cell)

    def _part(self, piece: bytes) -> bytes:
        return unescape(piece)

    def _remains(self, rest: bytes) -> tuple[bytes, int]:
        unfinished = _UNFINISHED.search(rest)
        done = len(rest)
        if unfinished is not None and run_length(rest, unfinished.start() + 1, b"\\") % 2:
            done = unfinished.start()
        value = unescape(rest[:done])
        return escape(value[-self._limits.overlap_bytes :], self._sign) + rest[done:], done


class CsvFields(LineFields):
    def __init__(self, copy_format: CopyFormat, check: FieldCheck, limits: ReadLimits) -> None:
        quote, escaping = re.escape(copy_format.quote), re.escape(copy_format.escape)
        delimiter = re.escape(copy_format.delimiter)
        self._doubled = copy_format.quote == copy_format.escape
        self._quote, self._escaping = copy_format.quote, copy_format.escape
        # a doubled quote closes and opens again: of where rows end that says the same
        inside = rb"[^%s]*+" % quote if self._doubled else rb"[^%s%s]*+(?:%s.[^%s%s]*+)*+" % (
            quote, escaping, escaping, quote, escaping
        )  # fmt: skip
        quoted = rb"%s%s%s" % (quote, inside, quote)
        plain = rb"[^%s%s\r\n]*+" % (quote, delimiter)
        cell = rb"%s(?:%s%s)*+" % (plain, quoted, plain)
        row = rb"[^%s\r\n]*+(?:%s[^%s\r\n]*+)*+" % (quote, quoted, quote)
        signs = copy_format.delimiter + copy_format.quote + copy_format.escape
        super().__init__(copy_format, check, limits, cell, row, signs)
        self._outside = re.compile(rb"[^%s]*+(?:%s[^%s]*+)*+" % (quote, quoted, quote), re.DOTALL)
        # within quotes an escape makes a quote, or another escape, data
        literal = rb"%s%s" % (quote, quote) if self._doubled else rb"%s[%s%s]" % (escaping, quote, escaping)
        held = rb"(?:[^%s]|%s)*+" % (quote, literal) if self._doubled else rb"(?:%s|[^%s])*+" % (literal, quote)
        self._quotes = re.compile(rb"%s(%s)%s" % (quote, held, quote), re.DOTALL)
        self._literal = re.compile(literal, re.DOTALL)

    def _value(self, cell: bytes) -> bytes | None:
        if self._quote not in cell:
            return None if cell in self._nothing else cell
        return self._quotes.sub(lambda part: self._literal.sub(lambda pair: pair[0][1:], part[1]), cell)

    def _remains(self, rest: bytes) -> tuple[bytes, int]:
        cut = len(rest) - self._limits.overlap_bytes
        if not self._doubled:
            cut -= run_length(rest, cut, self._escaping) % 2
        outside = self._outside.match(rest, 0, cut)
        opening = b"" if outside is not None and outside.end() == cut else self._quote
        return opening + rest[cut:], cut
