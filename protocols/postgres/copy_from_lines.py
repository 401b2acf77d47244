"""Reading the fields of COPY FROM whose rows are lines: text and CSV.

A row ends at a line feed, a carriage return or both; the server takes whichever the first row ended in, and refuses the others.
"""

from __future__ import annotations

import re
from typing import Final

from protocols.field_reader import FieldCheck, FieldReader, Found, ReadLimits
from protocols.postgres.copy_rows import CopyFormat
from protocols.postgres.copy_text import unescape

_RETURN: Final = 13
_ORDINARY: Final = frozenset(b"\t,;|:~^ \"'\\")  # as delimiter, quote and escape these hide no hint


class LineFields(FieldReader):
    def __init__(
        self, copy_format: CopyFormat, check: FieldCheck, limits: ReadLimits, cell: bytes, row: bytes, signs: bytes
    ) -> None:
        """`cell`, `row`: what matches a field, and a row up to its end; `signs`: the bytes that the format gives a meaning."""
        super().__init__(check, limits)
        self._delimiter = copy_format.delimiter[0]
        self._nothing = {copy_format.null, copy_format.default}  # what stands for no value of the client's
        self._header = copy_format.header
        self._hinted = _ORDINARY.issuperset(signs)
        self._line = 1
        self._column = 0
        self._long = False  # the field that is read began in what is not kept
        self._cell = re.compile(cell, re.DOTALL)
        row = rb"%s(?:\r\n|[\r\n])" % row
        self._row = re.compile(row, re.DOTALL)
        self._rows = re.compile(rb"(?:%s)*+" % row, re.DOTALL)

    def _read(self, data: bytes, last: bool) -> Found | None:
        at = 0
        if self._column or self._long:
            found, at = self._cells(data, 0, last)
            if found is not None or at < 0:
                return found
        whole = self._rows.match(data, at)
        end = whole.end() if whole is not None else at
        if self._header and end > at:
            self._header = False
            first = self._row.match(data, at)
            assert first is not None
            self._count(data, at, first.end())
            at = first.end()
        found = self._whole_rows(data, at, end)
        if found is not None:
            return found
        if last:
            return None if self._header else self._cells(data, end, True)[0]
        if len(data) - end <= self._limits.kept_bytes:
            self._keep(data[end:])
            return None
        if self._header:  # names of that length are none: whatever the server makes of it, it stores none of it
            self._stop()
            return None
        return self._cells(data, end, False)[0]

    def _whole_rows(self, data: bytes, at: int, end: int) -> Found | None:
        if self._hinted and self._check.hint.search(data, at, end) is None:
            self._count(data, at, end)
            return None
        while at < end:
            row = self._row.match(data, at)
            assert row is not None
            until = row.end()
            if not self._hinted or self._check.hint.search(data, at, until) is not None:
                found, _ = self._cells(data, at, False)
                if found is not None:
                    return found
            else:
                self._count(data, at, until)
            at = until
        return None

    def _count(self, data: bytes, at: int, end: int) -> None:
        """Lines as an editor counts them."""
        self._line += data.count(b"\n", at, end) or data.count(b"\r", at, end)

    def _cells(self, data: bytes, at: int, last: bool) -> tuple[Found | None, int]:
        """Read the row that goes on at `at`, field by field, and give where the next begins; -1: its end has not come."""
        start, size = at, len(data)
        while True:
            match = self._cell.match(data, at)
            assert match is not None
            end = match.end()
            if end == size or not (data[end] == self._delimiter or data[end] in b"\r\n"):
                break  # it ends with the data, or inside of quotes or an escape that do
            why = self._why(data[at:end])
            if why is not None:
                return Found(self._line, self._column, why), end
            self._long = False
            at = end + 1
            if data[end] != self._delimiter:
                if data[end] == _RETURN and data[at : at + 1] == b"\n":
                    at += 1
                self._column = 0
                self._count(data, start, at)
                return None, at
            self._column += 1
        if last:
            why = self._why(data[at:])
            return (None if why is None else Found(self._line, self._column, why)), -1
        self._count(data, start, at)
        return self._pass_on(data[at:]), -1

    def _pass_on(self, rest: bytes) -> Found | None:
        """Keep the beginning of a field, or look at it and keep its end alone."""
        if len(rest) <= self._limits.kept_bytes:
            self._keep(rest)
            return None
        why = self._check.why_part(rest)
        if why is not None:
            return Found(self._line, self._column, why)
        cut = self._whole_signs(rest, len(rest) - self._limits.overlap_bytes)
        self._long = True
        self._count(rest, 0, cut)
        self._keep(self._opening(rest[:cut]) + rest[cut:])
        return None

    def _why(self, cell: bytes) -> str | None:
        if self._long:
            return self._check.why_part(cell)
        if self._hinted and self._check.hint.search(cell) is None:
            return None
        value = self._value(cell)
        return None if value is None else self._check.why(value)

    def _value(self, cell: bytes) -> bytes | None:
        """None: NULL, or the column's default."""
        raise NotImplementedError

    def _whole_signs(self, rest: bytes, cut: int) -> int:
        """The place at or before `cut` that does not stand between an escape and what it escapes."""
        raise NotImplementedError

    def _opening(self, _dropped: bytes) -> bytes:
        """What must stand in front of the rest of a field for it to be read as it would be behind `_dropped`."""
        return b""


class TextFields(LineFields):
    def __init__(self, copy_format: CopyFormat, check: FieldCheck, limits: ReadLimits) -> None:
        delimiter = re.escape(copy_format.delimiter)
        cell = rb"[^\\%s\r\n]*+(?:\\.[^\\%s\r\n]*+)*+" % (delimiter, delimiter)
        row = rb"[^\\\r\n]*+(?:\\.[^\\\r\n]*+)*+"
        super().__init__(copy_format, check, limits, cell, row, copy_format.delimiter)

    def _value(self, cell: bytes) -> bytes | None:
        return None if cell in self._nothing else unescape(cell)

    def _whole_signs(self, rest: bytes, cut: int) -> int:
        return cut - _run(rest, cut, b"\\") % 2


class CsvFields(LineFields):
    def __init__(self, copy_format: CopyFormat, check: FieldCheck, limits: ReadLimits) -> None:
        quote, escape = re.escape(copy_format.quote), re.escape(copy_format.escape)
        delimiter = re.escape(copy_format.delimiter)
        self._doubled = copy_format.quote == copy_format.escape
        self._quote, self._escape = copy_format.quote, copy_format.escape
        # a doubled quote closes and opens again: of where rows end that says the same
        inside = rb"[^%s]*+" % quote if self._doubled else rb"[^%s%s]*+(?:%s.[^%s%s]*+)*+" % (
            quote, escape, escape, quote, escape
        )  # fmt: skip
        quoted = rb"%s%s%s" % (quote, inside, quote)
        plain = rb"[^%s%s\r\n]*+" % (quote, delimiter)
        cell = rb"%s(?:%s%s)*+" % (plain, quoted, plain)
        row = rb"[^%s\r\n]*+(?:%s[^%s\r\n]*+)*+" % (quote, quoted, quote)
        signs = copy_format.delimiter + copy_format.quote + copy_format.escape
        super().__init__(copy_format, check, limits, cell, row, signs)
        self._outside = re.compile(rb"[^%s]*+(?:%s[^%s]*+)*+" % (quote, quoted, quote), re.DOTALL)
        # within quotes an escape makes a quote, or another escape, data
        literal = rb"%s%s" % (quote, quote) if self._doubled else rb"%s[%s%s]" % (escape, quote, escape)
        held = rb"(?:[^%s]|%s)*+" % (quote, literal) if self._doubled else rb"(?:%s|[^%s])*+" % (literal, quote)
        self._quotes = re.compile(rb"%s(%s)%s" % (quote, held, quote), re.DOTALL)
        self._literal = re.compile(literal, re.DOTALL)

    def _value(self, cell: bytes) -> bytes | None:
        if self._quote not in cell:
            return None if cell in self._nothing else cell
        return self._quotes.sub(lambda part: self._literal.sub(lambda pair: pair[0][1:], part[1]), cell)

    def _whole_signs(self, rest: bytes, cut: int) -> int:
        return cut if self._doubled else cut - _run(rest, cut, self._escape) % 2

    def _opening(self, dropped: bytes) -> bytes:
        outside = self._outside.match(dropped)
        return b"" if outside is not None and outside.end() == len(dropped) else self._quote


def _run(data: bytes, end: int, sign: bytes) -> int:
    """How many of `sign` stand one behind the other up to `end`."""
    return end - len(data[:end].rstrip(sign))
