"""Rewriting the rows of COPY … TO STDOUT, in text, CSV and binary, as they stream by.

A rewriter is fed the bodies of CopyData messages, cut anywhere, and gives back bodies of whole rows. A plan has one entry per
column: a function from the field's value to what stands in its place, or None for a field that stays as it is, byte for byte.
Rows of another number of fields than the plan are a protocol error: guessing which field is which would show the wrong one.

Spec: PostgreSQL documentation, SQL COMMAND COPY, "File Formats"; 55.2.6 COPY Operations.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from protocols.base import Peer, ProtocolError

FieldRewriter = Callable[[bytes | None], bytes | None]
Plan = Sequence[FieldRewriter | None]

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_FLAGS = struct.Struct("!iI")  # flags, length of the header's extension
_LENGTH = struct.Struct("!i")
_NULL = b"\xff\xff\xff\xff"
_HAS_OIDS = 1 << 16
MAXIMUM_ROW_BYTES = 16 * 1024 * 1024  # a row is held whole while it is rewritten


@dataclass(frozen=True, slots=True)
class CopyFormat:
    """How the rows are written. Delimiter, quote and escape are single bytes, as the server demands."""

    style: Literal["text", "csv", "binary"] = "text"
    delimiter: bytes = b"\t"
    null: bytes = b"\\N"
    quote: bytes = b'"'
    escape: bytes = b'"'
    header: bool = False


def broken(reason: str) -> ProtocolError:
    return ProtocolError(f"copy data: {reason}", peer=Peer.SERVER)


def copy_rewriter(
    copy_format: CopyFormat, plan: Plan, maximum_row_bytes: int = MAXIMUM_ROW_BYTES
) -> TextCopy | CsvCopy | BinaryCopy:
    match copy_format.style:
        case "text":
            return TextCopy(copy_format, plan, maximum_row_bytes)
        case "csv":
            return CsvCopy(copy_format, plan, maximum_row_bytes)
        case "binary":
            return BinaryCopy(plan, maximum_row_bytes)


class TextCopy:
    """Fields are split by the delimiter; a backslash escapes it, itself and line ends; a line end is always a row's end."""

    __slots__ = ("_columns", "_delimiter", "_header", "_marks", "_maximum", "_null", "_parts", "_size", "_split")

    def __init__(self, copy_format: CopyFormat, plan: Plan, maximum_row_bytes: int) -> None:
        self._columns = len(plan)
        self._marks = [(place, change) for place, change in enumerate(plan) if change is not None]
        self._delimiter = copy_format.delimiter
        self._null = copy_format.null
        self._header = copy_format.header
        self._maximum = maximum_row_bytes
        self._parts: list[bytes] = []  # of a row whose end has not come
        self._size = 0
        delimiter = re.escape(self._delimiter)
        self._split = re.compile(rb"((?:[^\\%s]|\\.)*+)(?:%s|\Z)" % (delimiter, delimiter), re.DOTALL)

    def feed(self, data: bytes) -> bytes:
        end = data.rfind(b"\n")
        if end < 0:
            self._keep(data)
            return b""
        if not self._parts and end == len(data) - 1 and data.find(b"\n") == end:
            return self._row(data[:end])  # one row in one message, as servers send them
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
        fields = line.split(self._delimiter) if b"\\" not in line else self._escaped(line)
        if len(fields) != self._columns:
            raise broken(f"a row of {len(fields)} fields for a plan of {self._columns}")
        for place, change in self._marks:
            raw = fields[place]
            new = change(None if raw == self._null else unescape(raw))
            fields[place] = self._null if new is None else escape(new, self._delimiter)
        return self._delimiter.join(fields) + b"\n"

    def _escaped(self, line: bytes) -> list[bytes]:
        if self._columns == 0 and not line:
            return []
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


_ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_LETTERS = {value: b"\\" + letter for letter, value in _ESCAPES.items()}


def unescape(field: bytes) -> bytes:
    """The value of a field in text form."""
    if b"\\" not in field:
        return field
    return _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), field)


def escape(value: bytes, delimiter: bytes) -> bytes:
    """A value as a field in text form."""
    if value.isalnum():
        return value
    value = value.replace(b"\\", b"\\\\")
    for plain, written in _LETTERS.items():
        if plain in value and plain != delimiter:
            value = value.replace(plain, written)
    return value.replace(delimiter, b"\\" + delimiter)


class CsvCopy:
    """Fields may be quoted; inside quotes a line end is data, and the escape byte makes a quote data."""

    __slots__ = (
        "_at",
        "_buffer",
        "_columns",
        "_field",
        "_format",
        "_header",
        "_marks",
        "_maximum",
        "_quoted",
        "_special",
    )

    def __init__(self, copy_format: CopyFormat, plan: Plan, maximum_row_bytes: int) -> None:
        self._format = copy_format
        self._columns = len(plan)
        self._marks = [(place, change) for place, change in enumerate(plan) if change is not None]
        self._header = copy_format.header
        self._maximum = maximum_row_bytes
        self._buffer = bytearray()  # of rows whose end has not come
        self._at = 0  # how far it has been looked at
        self._quoted = False
        quote, escape_byte = re.escape(copy_format.quote), re.escape(copy_format.escape)
        delimiter = re.escape(copy_format.delimiter)
        self._special = re.compile(rb"[%s%s\n]" % (quote, escape_byte))
        if copy_format.quote == copy_format.escape:
            inside = rb"(?:[^%s]|%s%s)*+" % (quote, quote, quote)
        else:
            inside = rb"(?:%s.|[^%s%s])*+" % (escape_byte, quote, escape_byte)
        self._field = re.compile(
            rb"(?:%s(%s)%s|([^%s%s\n]*+))(?:%s|\Z)" % (quote, inside, quote, quote, delimiter, delimiter), re.DOTALL
        )

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
        quote, escape_byte = self._format.quote[0], self._format.escape[0]
        buffer, at, ends = self._buffer, self._at, []
        while (match := self._special.search(buffer, at)) is not None:
            at = match.end()
            byte = buffer[at - 1]
            if byte == 10:
                if not self._quoted:
                    ends.append(at - 1)
            elif self._quoted and byte == escape_byte and escape_byte != quote:
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
            return line + b"\n"
        for place, change in self._marks:
            raw, quoted = fields[place]
            new = change(None if not quoted and raw == self._format.null else self._value(raw, quoted))
            fields[place] = (self._format.null, False) if new is None else (self._written(new), False)
        quote = self._format.quote
        cells = [quote + raw + quote if quoted else raw for raw, quoted in fields]
        return self._format.delimiter.join(cells) + b"\n"

    def _cut(self, line: bytes) -> list[tuple[bytes, bool]]:
        """The fields as they are written, each with whether it was quoted."""
        if self._columns == 0 and not line:
            return []
        fields: list[tuple[bytes, bool]] = []
        at = 0
        while True:
            match = self._field.match(line, at)
            if match is None:
                raise broken("a CSV field that is neither quoted nor plain")
            quoted = match[1] is not None
            fields.append((match[1] if quoted else match[2], quoted))
            at = match.end()
            content_end = match.end(1) + 1 if quoted else match.end(2)
            if content_end == at:
                return fields

    def _value(self, raw: bytes, quoted: bool) -> bytes:
        if not quoted:
            return raw
        escape_byte = re.escape(self._format.escape)
        return re.sub(rb"%s(.)" % escape_byte, lambda match: match[1], raw, flags=re.DOTALL)

    def _written(self, value: bytes) -> bytes:
        quote, escape_byte = self._format.quote, self._format.escape
        if (
            value.isalnum()
            and value != self._format.null
            and quote not in value
            and self._format.delimiter not in value
        ):
            return value
        inside = value
        if escape_byte != quote:
            inside = inside.replace(escape_byte, escape_byte + escape_byte)
        return quote + inside.replace(quote, escape_byte + quote) + quote


class BinaryCopy:
    """A signature, then rows of counted fields, then a count of -1."""

    __slots__ = ("_buffer", "_columns", "_done", "_head", "_maximum", "_plan", "_started")

    def __init__(self, plan: Plan, maximum_row_bytes: int) -> None:
        self._plan = list(plan)
        self._columns = len(plan)
        self._head = len(plan).to_bytes(2, "big")
        self._maximum = maximum_row_bytes
        self._buffer = bytearray()
        self._started = False
        self._done = False

    def feed(self, data: bytes) -> bytes:
        if self._started and not self._buffer and not self._done:
            row = self._whole(data)
            if row is not None:
                return row
        self._buffer += data
        out: list[bytes] = []
        at = 0
        if not self._started:
            at = self._start(out)
        while self._started and (end := self._row(at, out)) is not None:
            at = end
        del self._buffer[:at]
        if len(self._buffer) > self._maximum:
            raise broken(f"a row of more than {self._maximum} bytes cannot be masked")
        return b"".join(out)

    def finish(self) -> bytes:
        if self._buffer or not self._done:
            raise broken("it ends before its trailer")
        return b""

    def _whole(self, data: bytes) -> bytes | None:
        """The rewritten row, where the message is one row of the plan's width and nothing else, as servers send them."""
        if data[:2] != self._head:
            return None
        parts: list[bytes] = []
        kept = 0  # from here on what was passed is still to be taken over
        at = 2
        size = len(data)
        for change in self._plan:
            if at + 4 > size:
                return None
            (length,) = _LENGTH.unpack_from(data, at)
            if length < -1:
                return None
            end = at + 4 + (length if length > 0 else 0)
            if change is not None:
                if end > size:
                    return None
                new = change(None if length < 0 else data[at + 4 : end])
                parts.append(data[kept:at])
                parts.append(_NULL if new is None else _LENGTH.pack(len(new)) + new)
                kept = end
            at = end
        if at != size:
            return None
        parts.append(data[kept:])
        return b"".join(parts)

    def _start(self, out: list[bytes]) -> int:
        """The header, with an extension that nobody knows and that could hold anything: none passes."""
        size = len(SIGNATURE) + _FLAGS.size
        if len(self._buffer) < size:
            return 0
        if not self._buffer.startswith(SIGNATURE):
            raise broken("no binary copy signature")
        flags, extension = _FLAGS.unpack_from(self._buffer, len(SIGNATURE))
        if flags & _HAS_OIDS:
            raise broken("rows with OIDs, which no server sends since version 12")
        if extension > self._maximum:
            raise broken("a header of that length")
        if len(self._buffer) < size + extension:
            return 0
        self._started = True
        out.append(SIGNATURE + _FLAGS.pack(flags, 0))
        return size + int(extension)

    def _row(self, at: int, out: list[bytes]) -> int | None:
        """Where the row at `at` ends, once it is whole and its rewritten form is in `out`."""
        buffer = self._buffer
        if len(buffer) - at < 2:
            return None
        count = int.from_bytes(buffer[at : at + 2], "big", signed=True)
        if self._done:
            raise broken("bytes behind the trailer")
        if count == -1:
            self._done = True
            out.append(b"\xff\xff")
            return at + 2
        if count != self._columns:
            raise broken(f"a row of {count} fields for a plan of {self._columns}")
        end = self._row_end(at + 2)
        if end is None:
            return None
        parts = [bytes(buffer[at : at + 2])]
        at += 2
        for change in self._plan:
            length = int.from_bytes(buffer[at : at + 4], "big", signed=True)
            until = at + 4 + max(length, 0)
            parts.append(bytes(buffer[at:until]) if change is None else self._field(change, length, at + 4, until))
            at = until
        out.append(b"".join(parts))
        return end

    def _row_end(self, at: int) -> int | None:
        """Where the fields that start at `at` end; None when they are not all there yet."""
        buffer = self._buffer
        for _ in self._plan:
            if len(buffer) - at < 4:
                return None
            length = int.from_bytes(buffer[at : at + 4], "big", signed=True)
            if length < -1 or length > self._maximum:
                raise broken(f"a field of {length} bytes")
            at += 4 + max(length, 0)
        return at if at <= len(buffer) else None

    def _field(self, change: FieldRewriter, length: int, start: int, end: int) -> bytes:
        new = change(None if length < 0 else bytes(self._buffer[start:end]))
        return b"\xff\xff\xff\xff" if new is None else len(new).to_bytes(4, "big") + new
