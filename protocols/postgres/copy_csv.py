"""COPY's CSV format. Spec: PostgreSQL documentation, COPY, "CSV Format"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from protocols.postgres.copy_lines import LineCopy
from protocols.postgres.copy_rows import CopyFormat, Plan, broken
from protocols.words import everywhere, first_of, printable_but

if TYPE_CHECKING:
    from mypy_extensions import i64

_LINE_ENDS: Final = 0x0A0A0A0A0A0A0A0A
_SHORT: Final = 100  # bytes: what is longer is faster searched by what is made for it


class CsvCopy(LineCopy):
    """Fields may be quoted; inside quotes a line end is data, and the escape byte makes a quote data."""

    def __init__(self, copy_format: CopyFormat, plan: Plan, maximum_row_bytes: int) -> None:
        self._quote = copy_format.quote
        self._escape = copy_format.escape
        self._quotes: i64 = everywhere(copy_format.quote[0])
        self._delimiters: i64 = everywhere(copy_format.delimiter[0])
        self._reserved = re.compile(b"[" + re.escape(self._quote + copy_format.delimiter) + b"\n\r]")
        super().__init__(copy_format, plan, maximum_row_bytes)
        self._quoting = self._quote[0]
        self._shorten_but(self._delimiter + self._quote + b"\n\r")
        self._buffer = bytearray()  # of rows whose end has not come
        self._at = 0  # how far it has been looked at
        self._quoted = False
        quote, escape, delimiter = re.escape(self._quote), re.escape(self._escape), re.escape(self._delimiter)
        self._special = re.compile(rb"[%s%s\n]" % (quote, escape))
        self._escaped = re.compile(rb"%s(.)" % escape, re.DOTALL)
        if quote == escape:
            inside = rb"[^%s]*+(?:%s%s[^%s]*+)*+" % (quote, quote, quote, quote)
        else:
            inside = rb"[^%s%s]*+(?:%s.[^%s%s]*+)*+" % (quote, escape, escape, quote, escape)
        plain = rb"[^%s%s\n]*+" % (quote, delimiter)
        self._field = re.compile(rb"(?:%s(%s)%s|(%s))(?:%s|\Z)" % (quote, inside, quote, plain, delimiter), re.DOTALL)
        # a row with quotes as a whole, the fields that change as its groups
        cell = rb"(?:%s%s%s|%s)" % (quote, inside, quote, plain)
        cells = [cell if rewriter is None else rb"(%s)" % cell for rewriter in plan]
        self._row_shape = re.compile(delimiter.join(cells) + rb"\n", re.DOTALL)

    def _at_row(self) -> bool:
        return not self._buffer and not self._header

    def _end_of_cell(self, buffer: bytes, at: i64, last: i64) -> i64:
        if buffer[at] == self._quoting:
            return self._end_of_quoted(buffer, at + 1, last)
        at = first_of(buffer, at, last, self._delimiters, self._quotes, _LINE_ENDS)
        if at < last and buffer[at] != self._delimiters & 0xFF:
            return -1
        return at

    def _end_of_quoted(self, buffer: bytes, at: i64, last: i64) -> i64:
        quote: i64 = self._quote[0]
        escape: i64 = self._escape[0]
        while at < last:
            byte: i64 = buffer[at]
            if byte == escape and (byte != quote or buffer[at + 1] == quote):
                at += 1  # what it escapes is data; its line end is not the last byte
            elif byte == quote:
                at += 1
                if at < last and buffer[at] != self._delimiters & 0xFF:
                    return -1
                return at
            at += 1
        return -1

    def _message(self, data: bytes) -> bytes:
        if not self._buffer and not self._header:
            if self._quote[0] in data:
                match = self._row_shape.fullmatch(data)
                if match is not None:
                    return self._quoted_row(data, match)
            elif data and data.find(b"\n") == len(data) - 1:
                fields = data[:-1].split(self._delimiter)
                if len(fields) == self._columns:
                    return self._joined(fields)
        return self.feed(data)  # not one row in one message, as servers send them

    def _quoted_row(self, data: bytes, match: re.Match[bytes]) -> bytes:
        parts: list[bytes] = []
        at = kept = 0
        for number, change in enumerate(self._changes, 1):
            start, end = match.span(number)
            cell = self._changed(change, data[start:end])
            parts.append(data[kept:start])
            parts.append(cell)
            at += start - kept
            self._made(change, self._given + at, cell)
            at += len(cell)
            kept = end
        parts.append(data[kept:])
        return b"".join(parts)

    def feed(self, data: bytes) -> bytes:
        self._buffer += data
        done: list[bytes] = []
        start = 0
        for end in self._row_ends():
            done.append(self._row(bytes(self._buffer[start:end])))
            start = end + 1
        if start:
            del self._buffer[:start]
            self._at -= start
        if len(self._buffer) > self._maximum:
            raise broken(f"a row of more than {self._maximum} bytes cannot be masked")
        return b"".join(done)

    def finish(self) -> bytes:
        if self._buffer:
            raise broken("it ends inside a row")
        return b""

    def _row_ends(self) -> list[int]:
        quote, escape = self._quote[0], self._escape[0]
        buffer, at, ends = self._buffer, self._at, []
        while (match := self._special.search(buffer, at)) is not None:
            at = match.end()
            byte = buffer[at - 1]
            if byte == 10:
                if not self._quoted:
                    ends.append(at - 1)
            elif self._quoted and byte == escape and escape != quote:
                if at == len(buffer):  # what it escapes has not come
                    at -= 1
                    break
                at += 1
            elif byte == quote:  # a doubled quote closes and opens again
                self._quoted = not self._quoted
        else:
            at = len(buffer)
        self._at = at
        return ends

    def _row(self, line: bytes) -> bytes:
        fields = self._cut(line)
        if len(fields) != self._columns:
            raise broken(f"a row of {len(fields)} fields for a plan of {self._columns}")
        if self._header:
            self._header = False
            return self._passed(line + b"\n")
        return self._joined(fields)

    def _cut(self, line: bytes) -> list[bytes]:
        """The fields as they are written."""
        if self._columns == 0 and not line:
            return []
        fields: list[bytes] = []
        at = 0
        while True:
            match = self._field.match(line, at)
            if match is None:
                raise broken("a CSV field that is neither quoted nor plain")
            quoted = match[1] is not None
            end = match.end(1) + 1 if quoted else match.end(2)
            fields.append(line[at:end])
            at = match.end()
            if end == at:  # no delimiter followed
                return fields

    def _value(self, cell: bytes) -> bytes:
        if not cell.startswith(self._quote):
            return cell
        return self._escaped.sub(lambda match: match[1], cell[1:-1])

    def _written(self, value: bytes | None) -> bytes:
        if value is None:
            return self._null_sign
        if self._plain(value) and value != self._null_sign and value != b"\\.":
            return value
        quote, escape = self._quote, self._escape
        if escape != quote:
            value = value.replace(escape, escape + escape)
        return quote + value.replace(quote, escape + quote) + quote

    def _plain(self, value: bytes) -> bool:
        """Whether nothing in it needs quotes, as the server sees it."""
        if self._scans and len(value) <= _SHORT and printable_but(value, 0, len(value), self._delimiters, self._quotes):
            return True
        return self._reserved.search(value) is None
