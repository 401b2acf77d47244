"""COPY's text format. Spec: PostgreSQL documentation, COPY, "Text Format"."""

from __future__ import annotations

import re
from typing import Final

from protocols.postgres.copy_rows import HEADER_BYTES, Change, CopyFormat, Plan, broken, changes_of, end_of_frame
from protocols.postgres.rows import encode_header


class TextCopy:
    """Fields are split by the delimiter; a backslash escapes it, itself and line ends; a line end is always a row's end."""

    __slots__ = (
        "_changes",
        "_columns",
        "_delimiter",
        "_escaped",
        "_header",
        "_maximum",
        "_null_sign",
        "_parts",
        "_size",
        "_split",
    )

    def __init__(self, copy_format: CopyFormat, plan: Plan, maximum_row_bytes: int) -> None:
        self._columns = len(plan)
        self._delimiter = copy_format.delimiter
        self._null_sign = copy_format.null
        self._changes: list[Change] = changes_of(plan, self._written)
        self._escaped = b"\\" + copy_format.delimiter
        self._header = copy_format.header
        self._maximum = maximum_row_bytes
        self._parts: list[bytes] = []  # of a row whose end has not come
        self._size = 0
        delimiter = re.escape(self._delimiter)
        self._split = re.compile(rb"((?:[^\\%s]|\\.)*+)(?:%s|\Z)" % (delimiter, delimiter), re.DOTALL)

    def rewrite(self, buffer: bytes, at: int) -> tuple[bytes, int]:
        """The messages that stand at `at` and behind it with their rows rewritten, and where the first other one begins."""
        out: list[bytes] = []
        while end := end_of_frame(buffer, at):
            start = at + HEADER_BYTES
            if not self._parts and buffer.find(b"\n", start, end) == end - 1:  # one row, as servers send them
                data = self._row(buffer[start : end - 1])
            else:
                data = self.feed(buffer[start:end])
            if data:
                out.append(encode_header(b"d", len(data) + 4))
                out.append(data)
            at = end
        return b"".join(out), at

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
            return line + b"\n"
        if line == b"\\.":  # the end marker of old protocols; a value of this form is written as \\.
            return line + b"\n"
        fields = self._fields(line)
        if len(fields) != self._columns:
            raise broken(f"a row of {len(fields)} fields for a plan of {self._columns}")
        for change in self._changes:
            raw = fields[change.place]
            null = raw == self._null_sign
            if change.constant is not None:
                if not null or not change.keeps_null:
                    fields[change.place] = change.constant
                continue
            fields[change.place] = self._written(change.rewriter(None if null else unescape(raw)))
        fields[-1] += b"\n"
        return self._delimiter.join(fields)

    def _written(self, value: bytes | None) -> bytes:
        return self._null_sign if value is None else escape(value, self._delimiter)

    def _fields(self, line: bytes) -> list[bytes]:
        """As they are written. A backslash elsewhere than in front of a delimiter, as in the sign of NULL, hides none."""
        if self._escaped not in line and not line.endswith(b"\\"):
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
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_LETTERS: Final = {value: b"\\" + letter for letter, value in _ESCAPES.items()}
_SPECIAL: Final = re.compile(rb"[\\\x08-\x0d]")


def unescape(field: bytes) -> bytes:
    """The value of a field in text form."""
    if b"\\" not in field:
        return field
    return _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), field)


def escape(value: bytes, delimiter: bytes) -> bytes:
    """A value as a field in text form."""
    if delimiter not in value and _SPECIAL.search(value) is None:
        return value
    value = value.replace(b"\\", b"\\\\")
    for plain, written in _LETTERS.items():
        if plain in value and plain != delimiter:
            value = value.replace(plain, written)
    return value.replace(delimiter, b"\\" + delimiter)
