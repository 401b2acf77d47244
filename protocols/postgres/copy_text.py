"""COPY's text format. Spec: PostgreSQL documentation, COPY, "Text Format"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from protocols.postgres.copy_lines import BACKSLASH, LINE_END, LineCopy
from protocols.postgres.copy_rows import CopyFormat, Plan, broken
from protocols.words import everywhere, first_of, printable_but

if TYPE_CHECKING:
    from mypy_extensions import i64


class TextCopy(LineCopy):
    """Fields are split by the delimiter; a backslash escapes it, itself and line ends; a line end is always a row's end."""

    def __init__(self, copy_format: CopyFormat, plan: Plan, maximum_row_bytes: int) -> None:
        self._delimiters: i64 = everywhere(copy_format.delimiter[0])
        self._backslashes: i64 = everywhere(BACKSLASH)
        super().__init__(copy_format, plan, maximum_row_bytes)
        self._escaping = BACKSLASH
        self._shorten_but(b"\\" + self._delimiter)
        self._escaped = b"\\" + copy_format.delimiter
        self._parts: list[bytes] = []  # of a row whose end has not come
        self._size = 0
        delimiter = re.escape(copy_format.delimiter)
        self._split = re.compile(rb"((?:[^\\%s]|\\.)*+)(?:%s|\Z)" % (delimiter, delimiter), re.DOTALL)

    def _at_row(self) -> bool:
        return not self._parts and not self._header

    def _end_of_cell(self, buffer: bytes, at: i64, last: i64) -> i64:
        while True:
            at = first_of(buffer, at, last, self._delimiters, self._backslashes, _LINE_ENDS)
            if at == last or buffer[at] != BACKSLASH:
                if at < last and buffer[at] == LINE_END:
                    return -1
                return at
            if buffer[at + 1] == LINE_END:
                return -1
            at += 2

    def _skip(self, buffer: bytes, at: i64, last: i64, cells: i64) -> i64:
        while cells > 0:
            at = first_of(buffer, at, last, self._delimiters, self._backslashes, _LINE_ENDS)
            if at == last or buffer[at] == LINE_END:
                return -1
            if buffer[at] != BACKSLASH:
                cells -= 1
            else:
                at += 1
                if buffer[at] == LINE_END:
                    return -1
            at += 1
        return at

    def _message(self, data: bytes) -> bytes:
        if data and not self._parts and data.find(b"\n") == len(data) - 1:
            return self._row(data[:-1])
        return self.feed(data)

    def feed(self, data: bytes) -> bytes:
        end = data.rfind(b"\n")
        if end < 0:
            self._keep(data)
            return b""
        self._parts.append(data[:end])
        whole = b"".join(self._parts)
        self._parts, self._size = [], 0
        self._keep(data[end + 1 :])
        return b"".join([self._row(line) for line in whole.split(b"\n")])

    def finish(self) -> bytes:
        if self._size:
            raise broken("it ends inside a row")
        return b""

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._maximum:
            raise broken(f"a row of more than {self._maximum} bytes cannot be masked")
        if data:
            self._parts.append(data)

    def _row(self, line: bytes) -> bytes:
        if self._header:
            self._header = False
            return self._passed(line + b"\n")
        if line == b"\\.":  # the end marker of old protocols; a value of this form is written as \\.
            return self._passed(line + b"\n")
        fields = self._fields(line)
        if len(fields) != self._columns:
            raise broken(f"a row of {len(fields)} fields for a plan of {self._columns}")
        return self._joined(fields)

    def _value(self, cell: bytes) -> bytes:
        return unescape(cell)

    def _written(self, value: bytes | None) -> bytes:
        if value is None:
            return self._null_sign
        if (
            self._scans
            and len(value) <= _SHORT
            and printable_but(value, 0, len(value), self._delimiters, self._backslashes)
        ):
            return value
        return escape(value, self._delimiter)

    def _fields(self, line: bytes) -> list[bytes]:
        """As they are written. A backslash elsewhere than in front of a delimiter, as in the sign of NULL, hides none."""
        if line.find(self._escaped) < 0 and not line.endswith(b"\\"):
            return line.split(self._delimiter)
        fields: list[bytes] = []
        at = 0
        while True:
            match = self._split.match(line, at)
            if match is None:
                raise broken("a row ends in an escape")
            fields.append(match[1])
            at = match.end()
            if match.end(1) == at:  # no delimiter followed
                return fields


_ESCAPES: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_ESCAPED: Final = re.compile(rb"\\([^0-7x]|[0-7]{1,3}|x[0-9A-Fa-f]{0,2})", re.DOTALL)
_LETTERS: Final = {value: b"\\" + letter for letter, value in _ESCAPES.items()}
_SPECIAL: Final = re.compile(rb"[\\\x08-\x0d]")
_LINE_ENDS: Final = 0x0A0A0A0A0A0A0A0A
_SHORT: Final = 100  # bytes: what is longer is faster searched by what is made for it


def unescape(field: bytes) -> bytes:
    """The value of a field in text form."""
    if BACKSLASH not in field:  # as a number: `bytes in bytes` first makes an exception, and takes five times as long
        return field
    return _ESCAPED.sub(_meant, field)


def _meant(match: re.Match[bytes]) -> bytes:
    """What one escape stands for. The server cuts octal numbers to a byte."""
    written = match[1]
    if b"0" <= written[:1] <= b"7":
        return bytes((int(written, 8) & 0xFF,))
    if len(written) > 1:
        return bytes((int(written[1:], 16),))
    return _ESCAPES.get(written, written)


def escape(value: bytes, delimiter: bytes) -> bytes:
    """A value as a field in text form."""
    if delimiter[0] not in value and _SPECIAL.search(value) is None:
        return value
    value = value.replace(b"\\", b"\\\\")
    for plain, written in _LETTERS.items():
        if plain in value and plain != delimiter:
            value = value.replace(plain, written)
    return value.replace(delimiter, b"\\" + delimiter)
