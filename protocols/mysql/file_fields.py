r"""Reading the fields of a file that LOAD DATA LOCAL sends, as it streams by.

What a field and a row are follows READ_INFO of the server: a field that begins with the enclosing character ends at one that stands
before a terminator, two of them are one, and every other field ends at the next terminator. An escaped byte is data.

Spec: MySQL 8.4 manual §15.2.9 "LOAD DATA Statement", "Field and Line Handling".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocols.field_reader import USUAL, FieldCheck, FieldReader, Found, ReadLimits

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


class FileFields(FieldReader):
    def __init__(self, file_format: FileFormat, check: FieldCheck, limits: ReadLimits = USUAL) -> None:
        super().__init__(check, limits)
        self._format = file_format
        self._field_end, self._line_end = file_format.field_end, file_format.line_end
        self._nothing = {file_format.escape + b"N"} if file_format.escape else {b"NULL"}
        if file_format.enclosed:
            self._nothing.add(b"NULL")
        signs = file_format.field_end + file_format.line_end + file_format.enclosed + file_format.escape
        self._hinted = _ORDINARY.issuperset(signs)
        self._to_skip = file_format.skipped_lines
        self._row = 1
        self._column = 0
        self._long = False  # the field that is read began in what is not kept
        enclosed, escape = re.escape(file_format.enclosed), re.escape(file_format.escape)
        ends = rb"(?:%s|%s)" % (re.escape(self._field_end), re.escape(self._line_end))
        plain = _until(self._field_end[:1] + self._line_end[:1], ends, escape)
        cell = plain
        if enclosed:
            inside = _until(
                file_format.enclosed, rb"%s(?=%s)" % (enclosed, ends), escape, rb"%s%s" % (enclosed, enclosed)
            )
            cell = rb"(?:%s%s%s|(?!%s)%s)" % (enclosed, inside, enclosed, enclosed, plain)
        self._cell = re.compile(cell, re.DOTALL)
        row = rb"%s(?:%s%s)*+%s" % (cell, re.escape(self._field_end), cell, re.escape(self._line_end))
        self._one = re.compile(row, re.DOTALL)
        self._rows = re.compile(rb"(?:%s)*+" % row, re.DOTALL)
        self._line = re.compile(
            _until(self._line_end[:1], re.escape(self._line_end), escape) + re.escape(self._line_end), re.DOTALL
        )
        self._escaped = re.compile(rb"%s(.)" % escape, re.DOTALL) if escape else None

    def _read(self, data: bytes, last: bool) -> Found | None:
        if last and data:
            data += self._line_end  # the last row may end with the file
        at = 0
        while self._to_skip:
            line = self._line.match(data, at)
            if line is None:
                self._keep(data[at:][-self._limits.kept_bytes :])
                return None
            self._to_skip -= 1
            self._row += 1
            at = line.end()
        if self._column or self._long:
            found, at = self._cells(data, at, last)
            if found is not None or at < 0:
                return found
        whole = self._rows.match(data, at)
        end = whole.end() if whole is not None else at
        found = self._whole_rows(data, at, end)
        if found is not None:
            return found
        if last:
            return self._cells(data, end, True)[0]
        if len(data) - end <= self._limits.kept_bytes:
            self._keep(data[end:])
            return None
        return self._cells(data, end, False)[0]

    def _whole_rows(self, data: bytes, at: int, end: int) -> Found | None:
        if self._hinted and self._check.hint.search(data, at, end) is None:
            self._count(data, at, end)
            return None
        while at < end:
            row = self._one.match(data, at)
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
        """Lines, whatever they are part of."""
        self._row += data.count(self._line_end, at, end)

    def _cells(self, data: bytes, at: int, last: bool) -> tuple[Found | None, int]:
        """Read the row that goes on at `at`, field by field, and give where the next begins; -1: its end has not come."""
        start = at
        while True:
            match = self._cell.match(data, at)
            end = at if match is None else match.end()
            ends_field = data.startswith(self._field_end, end)
            if match is None or not (ends_field or data.startswith(self._line_end, end)):
                break  # it ends with the data, or inside of an enclosed field that does
            why = self._why(data[at:end])
            if why is not None:
                return Found(self._row, self._column, why), end
            self._long = False
            if not ends_field:
                self._column = 0
                self._count(data, start, end + len(self._line_end))
                return None, end + len(self._line_end)
            at = end + len(self._field_end)
            self._column += 1
        if last:
            why = self._why(data[at:])
            return (None if why is None else Found(self._row, self._column, why)), -1
        self._count(data, start, at)
        return self._pass_on(data[at:]), -1

    def _pass_on(self, rest: bytes) -> Found | None:
        """Keep the beginning of a field, or look at it and keep its end alone."""
        if len(rest) <= self._limits.kept_bytes:
            self._keep(rest)
            return None
        why = self._check.why_part(rest)
        if why is not None:
            return Found(self._row, self._column, why)
        cut = len(rest) - self._limits.overlap_bytes
        escape = self._format.escape
        if escape:
            cut -= (cut - len(rest[:cut].rstrip(escape))) % 2  # not between an escape and what it escapes
        opening = self._format.enclosed if self._format.enclosed and rest.startswith(self._format.enclosed) else b""
        self._long = True
        self._count(rest, 0, cut)
        self._keep(opening + rest[cut:])
        return None

    def _why(self, cell: bytes) -> str | None:
        if self._long:
            return self._check.why_part(cell)
        if self._hinted and self._check.hint.search(cell) is None:
            return None
        return None if cell in self._nothing else self._check.why(self._value(cell))

    def _value(self, cell: bytes) -> bytes:
        enclosed = self._format.enclosed
        if enclosed and len(cell) > 1 and cell.startswith(enclosed) and cell.endswith(enclosed):
            cell = cell[1:-1].replace(enclosed + enclosed, enclosed)
        if self._escaped is None:
            return cell
        return self._escaped.sub(lambda match: _ESCAPES.get(match[1], match[1]), cell)


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
