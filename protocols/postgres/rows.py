"""Rows on their way to the client, a whole read at a time. Compiled where it can be: each loop runs once for a row.

A run is frames of one kind, whole and one behind the other. What stays as it is leaves as slices of what was read: of a run that
is not masked one, of one that is masked the stretches between the fields that are replaced. Whatever is wrong with a row is
found before anything of its run leaves.

Spec: PostgreSQL documentation, 55.7, DataRow: Int16 columns, then for each an Int32 length (-1: NULL) and the value. A row of
COPY in binary is the same, in a CopyData of its own.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Final

from protocols.base import Masker, Peer, ProtocolError, RowPlan, constant_of, many_of
from protocols.postgres.detecting import values
from protocols.shortening import shortening_of

if TYPE_CHECKING:
    from mypy_extensions import i64

_NULL: Final = 0xFFFFFFFF  # the length -1
_NULL_FIELD: Final = b"\xff\xff\xff\xff"
_LATER: Final = b"\xff\xff\xff\xfe"  # stands, itself, where a length will; it is none
_HEADER_BYTES: Final = 5
SHORT: Final = 2048  # lengths below this are taken from a table
_LENGTHS: Final = [length.to_bytes(4, "big") for length in range(SHORT)]
HEADERS: Final = {kind: [kind + length for length in _LENGTHS] for kind in (b"D", b"d")}


def int32(buffer: bytes, at: i64) -> i64:
    a: i64 = buffer[at]
    b: i64 = buffer[at + 1]
    c: i64 = buffer[at + 2]
    d: i64 = buffer[at + 3]
    return a << 24 | b << 16 | c << 8 | d


COMPILED: Final = type(int32) is not FunctionType


def end_of_run(buffer: bytes, start: int) -> tuple[int, int]:
    """Where the run that starts here ends, and how many frames it has. What has no valid length is not of it."""
    size: i64 = len(buffer)
    at: i64 = start
    frames: i64 = 0
    kind: i64 = buffer[at]
    while size - at >= _HEADER_BYTES and buffer[at] == kind:
        length: i64 = buffer[at + 4]
        if buffer[at + 3] or buffer[at + 2] or buffer[at + 1]:
            length = int32(buffer, at + 1)
        if length < 4 or at + 1 + length > size:
            break
        at += 1 + length
        frames += 1
    return at, frames


class MaskedColumn:
    """What a column gets, in as many parts for every row: what is in front of its field, and what is in its place."""

    __slots__ = ("field", "gap", "keeps_null", "many", "masker", "parts", "shortening", "values")

    def __init__(self, gap: int, masker: Masker) -> None:
        self.gap: i64 = gap  # columns that are not masked, in front of it
        self.masker = masker
        constant = constant_of(masker)
        self.field: bytes | None = None if constant is None else encode_field(constant[0])  # the same for every row
        self.keeps_null = constant is not None and constant[1]
        self.shortening = shortening_of(masker)
        self.many = many_of(masker)
        self.values: list[bytes] = []  # of a run, for `many`
        self.parts: i64 = 3 if self.field is None else 2  # without the shortening, which takes four


class RowRewriter:
    """Replaces the fields of masked columns, for one plan."""

    __slots__ = ("_columns", "_headers", "_kind", "_later", "_masked", "_own", "_rest", "outside", "searched")

    def __init__(self, plan: RowPlan, kind: bytes = b"D") -> None:
        self._kind = kind
        self._headers = HEADERS[kind]
        self._columns = len(plan)
        self._masked: list[MaskedColumn] = []
        gap = 0
        for masker in plan:
            if masker is None:
                gap += 1
            else:
                self._masked.append(MaskedColumn(gap, masker))
                gap = 0
        self._rest = gap  # behind the last masked column
        # whose fields nothing of the value is left in
        self._own = [each is not None and (constant_of(each) is not None or many_of(each) is not None) for each in plan]
        self.searched = False  # as `CopyRewriter` has these
        self.outside: bytes | None = None
        self._later = any(column.many is not None for column in self._masked)
        if self._later:
            for column in self._masked:
                column.shortening = None  # the masker itself does: rows have as many parts then

    def rewrite(self, buffer: bytes, start: int) -> tuple[bytes, int, int]:
        """The run that starts here, rewritten; where it ends, and how many rows it has.

        A row of another arity is a protocol error: it cannot be masked.
        """
        size: i64 = len(buffer)
        begin: i64 = start
        rows: i64 = 0
        kind: i64 = self._kind[0]
        columns: i64 = self._columns
        rest: i64 = self._rest
        masked = self._masked
        headers = self._headers
        later = self._later
        parts: list[bytes] = []
        for column in masked:
            column.values = []
        while size - begin >= _HEADER_BYTES and buffer[begin] == kind:
            # most lengths fit into their last byte: reading one byte and testing three is what costs least, compiled or not
            length: i64 = buffer[begin + 4]
            if buffer[begin + 3] or buffer[begin + 2] or buffer[begin + 1]:
                length = int32(buffer, begin + 1)
            end = begin + 1 + length
            if length < 4 or end > size:
                break
            count: i64 = 0 if length < 6 else int16(buffer, begin + 5)
            if count != columns:
                raise ProtocolError(f"a row of {count} columns where {columns} were described", peer=Peer.SERVER)
            header = len(parts)
            parts.append(b"")
            at = begin + 7
            kept = begin + 5  # from here on what was read is still to be taken over
            last = end - 4  # no field can begin behind it
            for column in masked:
                for _ in range(column.gap):
                    if at > last:
                        raise _too_long()
                    field: i64 = buffer[at + 3]
                    if buffer[at + 2] or buffer[at + 1] or buffer[at]:
                        field = int32(buffer, at)
                        if field == _NULL:
                            field = 0
                    at += 4 + field
                if at > last:
                    raise _too_long()
                null = False
                field = buffer[at + 3]
                if buffer[at + 2] or buffer[at + 1] or buffer[at]:
                    field = int32(buffer, at)
                    if field == _NULL:
                        null = True
                        field = 0
                until = at + 4 + field
                if until > end:
                    raise _too_long()
                parts.append(buffer[kept:at])
                kept = until
                constant = column.field
                if constant is not None:
                    if null and column.keeps_null:
                        constant = _NULL_FIELD
                    parts.append(constant)
                    length += len(constant) - (until - at)
                    at = until
                    continue
                length += 4 - (until - at)
                at += 4
                shortening = column.shortening
                if shortening is not None:
                    tail: i64 = -1 if null else shortening.tail(buffer, at, until, -1)
                    if tail >= 0:
                        front = at + shortening.front
                        kept = tail
                        new = front - at + len(shortening.stars) + until - tail
                        parts.append(length_field(new))
                        parts.append(buffer[at:front])
                        parts.append(shortening.stars)
                        length += new
                        at = until
                        continue
                value = None if null else buffer[at:until]
                at = until
                if column.many is not None:
                    if value is None:
                        parts.append(_NULL_FIELD)
                    else:
                        column.values.append(value)
                        parts.append(_LATER)
                    parts.append(b"")
                    continue
                value = column.masker(value)
                parts.append(encode_length(value))
                parts.append(b"" if value is None else value)
                if value is not None:
                    length += len(value)
            for _ in range(rest):
                if at > last:
                    raise _too_long()
                field = buffer[at + 3]
                if buffer[at + 2] or buffer[at + 1] or buffer[at]:
                    field = int32(buffer, at)
                    if field == _NULL:
                        field = 0
                at += 4 + field
            if at > end:
                raise _too_long()
            if at < end:
                raise ProtocolError("a row is longer than its fields", peer=Peer.SERVER)
            parts.append(buffer[kept:end])
            if not later:
                parts[header] = headers[length] if length < SHORT else encode_header(self._kind, length)
            begin = end
            rows += 1
        if later:
            if self.searched:
                self.outside = b"".join(parts)
            self._fill(parts, rows)
        return b"".join(parts), begin, rows

    def places(self, new: bytes, columns: tuple[bool, ...] | None) -> list[tuple[int, int]]:
        """`columns`: which hold text; None, not known."""
        looked_at = tuple([not own and (columns is None or columns[place]) for place, own in enumerate(self._own)])
        return values(new, 0, len(new), looked_at, self._kind == b"d") if any(looked_at) else []

    def _fill(self, parts: list[bytes], rows: i64) -> None:
        """The values that were put aside, masked together, and then the headers of all rows."""
        width: i64 = 2  # header and rest
        for column in self._masked:
            width += column.parts
        first: i64 = 1
        for column in self._masked:
            if column.many is not None:
                new = column.many(column.values)
                if len(new) != len(column.values):
                    raise AssertionError("a masker gave another number of values than it got")
                column.values = []
                at = first + column.parts - 2  # of the length; behind it stands the value
                taken: i64 = 0
                for _ in range(rows):
                    if parts[at] is _LATER:
                        value = new[taken]
                        taken += 1
                        parts[at] = encode_length(value)
                        if value is not None:
                            parts[at + 1] = value
                    at += width
            first += column.parts
        headers = self._headers
        header: i64 = 0
        for _ in range(rows):
            length: i64 = 4
            for place in range(header + 1, header + width):
                length += len(parts[place])
            parts[header] = headers[length] if length < SHORT else encode_header(self._kind, length)
            header += width


def int16(buffer: bytes, at: i64) -> i64:
    high: i64 = buffer[at]
    low: i64 = buffer[at + 1]
    return high << 8 | low


def encode_length(value: bytes | None) -> bytes:
    """What stands in front of a field's value."""
    return _NULL_FIELD if value is None else length_field(len(value))


def length_field(length: i64) -> bytes:
    return _LENGTHS[length] if length < SHORT else int(length).to_bytes(4, "big")


def encode_field(value: bytes | None) -> bytes:
    return encode_length(value) + (value or b"")


def encode_header(kind: bytes, length: int) -> bytes:
    """`length`: of the message with its length."""
    return HEADERS[kind][length] if length < SHORT else kind + length.to_bytes(4, "big")


def _too_long() -> ProtocolError:
    return ProtocolError("a row's field is longer than the row", peer=Peer.SERVER)
