"""Rows on their way to the client, a whole read at a time. Compiled where it can be: each loop runs once for a row.

A run is frames of one kind, whole and one behind the other. What stays as it is leaves as slices of what was read: of a run that
is not masked one, of one that is masked the stretches between the fields that are replaced, with the lengths of rows that became
others written over. Whatever is wrong with a row is found before anything of its run leaves.

Spec: PostgreSQL documentation, 55.7, DataRow: Int16 columns, then for each an Int32 length (-1: NULL) and the value. A row of
COPY in binary is the same, in a CopyData of its own.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Final

from librt.strings import BytesWriter, read_i32_be, write_i32_be

from protocols.base import Masker, Peer, ProtocolError, RowPlan, constant_of, looked_at, many_of, own_of
from protocols.postgres.detecting import values
from protocols.shortening import keeps_of, shortening_of

if TYPE_CHECKING:
    from mypy_extensions import i64

_NULL: Final = -1
_NULL_FIELD: Final = b"\xff\xff\xff\xff"
_HEADER_BYTES: Final = 5


def int32(buffer: bytes, at: i64) -> i64:
    a: i64 = buffer[at]
    b: i64 = buffer[at + 1]
    c: i64 = buffer[at + 2]
    d: i64 = buffer[at + 3]
    return a << 24 | b << 16 | c << 8 | d


def length_of_field(buffer: bytes, at: i64) -> i64:
    """That of a field, which is less than 0 for NULL and for what is none."""
    found: int = read_i32_be(buffer, at)
    return found


def put_length(out: BytesWriter, at: i64, length: i64) -> None:
    """Over the one that stands there."""
    place: i64 = 0
    while place < 4:
        byte: int = length >> (24 - 8 * place) & 0xFF
        out[at + place] = byte
        place += 1


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
    """What a column gets."""

    __slots__ = ("field", "gap", "keeps_null", "many", "masker", "new", "own", "shortening", "taken", "values")

    def __init__(self, gap: int, masker: Masker) -> None:
        self.gap: i64 = gap  # columns that are not masked, in front of it
        self.masker = masker
        constant = constant_of(masker)
        self.field: bytes | None = None if constant is None else encode_field(constant[0])  # the same for every row
        self.keeps_null = constant is not None and constant[1]
        self.shortening = shortening_of(masker)
        self.many = many_of(masker)
        self.own = own_of(masker)
        self.values: list[bytes] = []  # of a run, for `many`,
        self.new: list[bytes | None] = []  # what that gave for them,
        self.taken: i64 = 0  # and how much of it has been written

    def mask_all(self) -> None:
        """The values that were gathered."""
        if self.many is not None:
            self.new = self.many(self.values)
            if len(self.new) != len(self.values):
                raise AssertionError("a masker gave another number of values than it got")
            self.values = []
            self.taken = 0


class RowRewriter:
    """Replaces the fields of masked columns, for one plan."""

    __slots__ = ("_apart", "_columns", "_kind", "_later", "_looked_at", "_masked", "_rest", "outside", "searched")

    def __init__(self, plan: RowPlan, kind: bytes = b"D") -> None:
        self._kind = kind
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
        self._later = any(column.many is not None for column in self._masked)
        self._looked_at = looked_at(plan)
        # whether what a detector finds in what is written, it suspects in what was read and is not masked as a whole
        self._apart = all(masker is None or own_of(masker) or keeps_of(masker) is not None for masker in plan)
        self.searched = False  # as `CopyRewriter` has these
        self.outside: bytes | None = None

    def rewrite(self, buffer: bytes, start: int) -> tuple[bytes, int, int]:
        """The run that starts here, rewritten; where it ends, and how many rows it has.

        A row of another arity is a protocol error: it cannot be masked.
        """
        if self._later:
            for column in self._masked:
                column.values = []  # of a run that broke off
            between = BytesWriter()
            self._pass(buffer, start, between, True)
            self.outside = between.getvalue() if self.searched and self._apart else None
            for column in self._masked:
                column.mask_all()
        out = BytesWriter()
        end, rows = self._pass(buffer, start, out, False)
        return out.getvalue(), end, rows

    def places(self, new: bytes, columns: tuple[bool, ...] | None) -> list[tuple[int, int]]:
        """`columns`: which hold text; None, not known."""
        wanted = tuple([each and (columns is None or columns[place]) for place, each in enumerate(self._looked_at)])
        return values(new, 0, len(new), wanted, self._kind == b"d") if any(wanted) else []

    def _pass(self, buffer: bytes, start: i64, out: BytesWriter, gathers: bool) -> tuple[int, int]:
        """Over the run that starts here: where it ends, and how many rows it has.

        The first, where there are two, `gathers` what is masked many at once, and writes what is not made here, for a detector.
        """
        size: i64 = len(buffer)
        begin = start
        kept = start  # from here on what was read is still to be taken over
        rows: i64 = 0
        kind: i64 = self._kind[0]
        columns: i64 = self._columns
        rest: i64 = self._rest
        masked = self._masked
        while size - begin >= _HEADER_BYTES and buffer[begin] == kind:
            length = length_of_field(buffer, begin + 1)
            end = begin + 1 + length
            if length < 4 or end > size:
                break
            count: i64 = 0 if length < 6 else int16(buffer, begin + 5)
            if count != columns:
                raise ProtocolError(f"a row of {count} columns where {columns} were described", peer=Peer.SERVER)
            place_of_length = len(out) + begin + 1 - kept
            old = length
            at = begin + 7
            last = end - 4  # no field can begin behind it
            for column in masked:
                at = _behind(buffer, at, last, column.gap)
                if at > last:
                    raise _too_long()
                field = length_of_field(buffer, at)
                null = field < 0
                if null:
                    if field != _NULL:
                        raise _too_long()
                    field = 0
                until = at + 4 + field
                if until > end:
                    raise _too_long()
                if null and (column.many is not None or column.keeps_null):
                    at = until
                    continue
                if gathers:
                    if column.many is not None:
                        column.values.append(buffer[at + 4 : until])
                    if column.own:
                        if self.searched:
                            out.write(buffer[kept:at])
                        kept = until
                    at = until
                    continue
                constant = column.field
                if constant is not None:
                    out.write(buffer[kept:at])
                    out.write(constant)
                    length += len(constant) - (until - at)
                    kept = at = until
                    continue
                if column.many is not None:
                    value = column.new[column.taken]
                    column.taken += 1
                else:
                    shortening = column.shortening
                    tail: i64 = -1 if shortening is None or null else shortening.tail(buffer, at + 4, until, -1)
                    if shortening is not None and tail >= 0:
                        out.write(buffer[kept : at + 4 + shortening.front])
                        new = shortening.front + len(shortening.stars) + until - tail
                        put_length(out, len(out) - shortening.front - 4, new)
                        out.write(shortening.stars)
                        length += new - field
                        kept = tail
                        at = until
                        continue
                    value = column.masker(None if null else buffer[at + 4 : until])
                out.write(buffer[kept:at])
                if value is None:
                    out.write(_NULL_FIELD)
                    length -= field
                else:
                    put_field(out, value)
                    length += len(value) - field
                kept = at = until
            at = _behind(buffer, at, last, rest)
            if at > end:
                raise _too_long()
            if at < end:
                raise ProtocolError("a row is longer than its fields", peer=Peer.SERVER)
            if length != old:
                put_length(out, place_of_length, length)
            begin = end
            rows += 1
        out.write(buffer[kept:begin])
        return begin, rows


def _behind(buffer: bytes, at: i64, last: i64, fields: i64) -> i64:
    """Where so many fields end. `last`: where the last field can begin."""
    while fields:
        if at > last:
            raise _too_long()
        length = length_of_field(buffer, at)
        if length < 0:
            if length != _NULL:
                raise _too_long()
            length = 0
        at += 4 + length
        fields -= 1
    return at


def put_field(out: BytesWriter, value: bytes) -> None:
    length: int = len(value)
    write_i32_be(out, length)
    out.write(value)


def int16(buffer: bytes, at: i64) -> i64:
    high: i64 = buffer[at]
    low: i64 = buffer[at + 1]
    return high << 8 | low


def encode_field(value: bytes | None) -> bytes:
    return _NULL_FIELD if value is None else len(value).to_bytes(4, "big") + value


def _too_long() -> ProtocolError:
    return ProtocolError("a row's field is longer than the row", peer=Peer.SERVER)
