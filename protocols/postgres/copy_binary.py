"""COPY's binary format. Spec: PostgreSQL documentation, COPY, "Binary Format"."""

from __future__ import annotations

import struct
from typing import Final

from protocols.base import ProtocolError
from protocols.postgres.copy_rows import HEADER_BYTES, FieldRewriter, Plan, broken, end_of_frame
from protocols.postgres.messages import frame
from protocols.postgres.rows import RowRewriter, encode_field

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
_FLAGS: Final = struct.Struct("!iI")  # flags, length of the header's extension
_HAS_OIDS: Final = 1 << 16


class BinaryCopy:
    """A signature, then rows of counted fields, then a count of -1."""

    __slots__ = ("_buffer", "_columns", "_done", "_maximum", "_plan", "_rows", "_started", "outside")

    def __init__(self, plan: Plan, maximum_row_bytes: int) -> None:
        self._plan = list(plan)
        self._columns = len(plan)
        self._rows = RowRewriter(plan, b"d")
        self._maximum = maximum_row_bytes
        self._buffer = bytearray()
        self._started = False
        self._done = False
        self.outside: bytes | None = None

    @property
    def searched(self) -> bool:
        return self._rows.searched

    @searched.setter
    def searched(self, searched: bool) -> None:
        self._rows.searched = searched

    def places(self, new: bytes, columns: tuple[bool, ...] | None) -> list[tuple[int, int]]:
        return self._rows.places(new, columns)

    def rewrite(self, buffer: bytes, at: int) -> tuple[bytes, int]:
        """The messages that stand at `at` and behind it with their rows rewritten, and where the first other one begins."""
        if self._started and not self._buffer and not self._done:
            try:
                rows, at, _ = self._rows.rewrite(buffer, at)
            except ProtocolError:
                pass  # not one row in each message: the trailer is among them, or the server cuts them elsewhere
            else:
                self.outside = self._rows.outside
                return rows, at
        self.outside = None
        out: list[bytes] = []
        while end := end_of_frame(buffer, at):
            data = self.feed(buffer[at + HEADER_BYTES : end])
            if data:
                out.append(frame(b"d", data))
            at = end
        return b"".join(out), at

    def feed(self, data: bytes) -> bytes:
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
        return encode_field(change(None if length < 0 else bytes(self._buffer[start:end])))
