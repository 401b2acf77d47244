r"""Reading the fields of a file that LOAD DATA LOCAL sends, as it streams by.

What a field and a row are follows READ_INFO of the server: a field that begins with the enclosing character ends at one that stands
before a terminator, two of them are one, and every other field ends at the next terminator. An escaped byte is data.

Spec: MySQL 8.4 manual §15.2.9 "LOAD DATA Statement", "Field and Line Handling".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocols.field_reader import USUAL, FieldCheck, Found, ReadLimits, RowReader, run_length

_ESCAPES: Final = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}
_ORDINARY: Final = frozenset(b"\t,;|:~^ \"'\\\r\n")  # with a meaning of their own these hide no hint


@dataclass(frozen=True, slots=True)
class FileFormat:
    """FIELDS and LINES of the statement. Both terminators have at least a byte."""

    field_end: bytes = b"\t"
    line_end: bytes = b"\n"
    enclosed: bytes = b""
    escape: bytes = b"\\"
    skipped_lines: int = 0

    @property
    def filler(self) -> bytes:
        """Ends the row that is read, in whatever state that is, and begins others."""
        return (self.enclosed + self.line_end) * 256


class FileFields(RowReader):
    def __init__(self, file_format: FileFormat, check: FieldCheck, limits: ReadLimits = USUAL) -> None:
        self._format = file_format
        self._ends_field, self._ends_row = file_format.field_end, file_format.line_end
        self._nothing = {file_format.escape + b"N"} if file_format.escape else {b"NULL"}
        if file_format.enclosed:
            self._nothing.add(b"NULL")
        self._to_skip = file_format.skipped_lines
        enclosed, escape = re.escape(file_format.enclosed), re.escape(file_format.escape)
        ends = rb"(?:%s|%s)" % (re.escape(self._ends_field), re.escape(self._ends_row))
        plain = _until(self._ends_field[:1] + self._ends_row[:1], ends, escape)
        cell = plain
        if enclosed:
            inside = _until(
                file_format.enclosed, rb"%s(?=%s)" % (enclosed, ends), escape, rb"%s%s" % (enclosed, enclosed)
            )
            cell = rb"(?:%s%s%s|(?!%s)%s)" % (enclosed, inside, enclosed, enclosed, plain)
        row = rb"%s(?:%s%s)*+%s" % (cell, re.escape(self._ends_field), cell, re.escape(self._ends_row))
        signs = file_format.field_end + file_format.line_end + file_format.enclosed + file_format.escape
        super().__init__(check, limits, cell, row, _ORDINARY.issuperset(signs))
        self._line = re.compile(
            _until(self._ends_row[:1], re.escape(self._ends_row), escape) + re.escape(self._ends_row), re.DOTALL
        )
        self._escaped = re.compile(rb"%s(.)" % escape, re.DOTALL) if escape else None
        if escape:
            bounds = re.escape(file_format.field_end + file_format.line_end)
            self._usual(file_format.escape, b"0bnrtZ", file_format.escape + b"N", bounds)

    def _read(self, data: bytes, last: bool) -> Found | None:
        return super()._read(
            data + self._ends_row if last and data else data, last
        )  # the last row may end with the file

    def _begin(self, data: bytes) -> int:
        at = 0
        while self._to_skip:
            line = self._line.match(data, at)
            if line is None:
                self._keep(data[at:][-self._limits.kept_bytes :])
                return -1
            self._to_skip -= 1
            self._row += 1
            at = line.end()
        return at

    def _field_end(self, data: bytes, at: int) -> int:
        return len(self._ends_field) if data.startswith(self._ends_field, at) else 0

    def _row_end(self, data: bytes, at: int) -> int:
        return len(self._ends_row) if data.startswith(self._ends_row, at) else 0

    def _count(self, data: bytes, at: int, end: int) -> None:
        """Lines, whatever they are part of."""
        self._row += data.count(self._ends_row, at, end)

    def _remains(self, rest: bytes) -> tuple[bytes, int]:
        escape, enclosed = self._format.escape, self._format.enclosed
        cut = len(rest) - self._limits.overlap_bytes
        if escape:
            cut -= self._limits.overlap_bytes  # each byte may be escaped
            cut -= run_length(rest, cut, escape) % 2  # not between an escape and what it escapes
        opening = enclosed if enclosed and rest.startswith(enclosed) else b""
        return opening + rest[cut:], cut

    def _value(self, cell: bytes) -> bytes | None:
        if cell in self._nothing:
            return None
        enclosed = self._format.enclosed
        if enclosed and len(cell) > 1 and cell.startswith(enclosed) and cell.endswith(enclosed):
            cell = cell[1:-1].replace(enclosed + enclosed, enclosed)
        return self._part(cell)

    def _part(self, piece: bytes) -> bytes:
        if self._escaped is None:
            return piece
        return self._escaped.sub(lambda match: _ESCAPES.get(match[1], match[1]), piece)


def _until(first: bytes, end: bytes, escape: bytes, pairs: bytes = b"") -> bytes:
    """What stands in front of `end`, which begins with one of the bytes `first`. What is escaped, and `pairs`, end nothing."""
    ordinary = rb"[^%s%s]" % (re.escape(first), escape)
    skipped = b"|".join(each for each in (rb"%s." % escape if escape else b"", pairs) if each)
    other = (
        rb"(?:%s|(?!%s)[%s])" % (skipped, end, re.escape(first))
        if skipped
        else rb"(?!%s)[%s]" % (end, re.escape(first))
    )
    return rb"%s*+(?:%s%s*+)*+" % (ordinary, other, ordinary)
