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

from librt.strings import BytesWriter, read_i32_be, read_i64_le, write_i32_be, write_i64_le

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

    __slots__ = ("field", "gap", "keeps_null", "many", "masker", "new", "passes_null", "shortening", "taken", "values")

    def __init__(self, gap: int, masker: Masker) -> None:
        self.gap: i64 = gap  # columns that are not masked, in front of it
        self.masker = masker
        constant = constant_of(masker)
        self.field: bytes | None = None if constant is None else encode_field(constant[0])  # the same for every row
        self.keeps_null = constant is not None and constant[1]
        self.shortening = shortening_of(masker)
        self.many = many_of(masker)
        self.passes_null = self.many is not None or self.keeps_null
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

    __slots__ = (
        "_apart",
        "_columns",
        "_kind",
        "_later",
        "_looked_at",
        "_masked",
        "_own",
        "_rest",
        "outside",
        "searched",
    )

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
        self._own = [own_of(column.masker) for column in self._masked]
        # whether what a detector finds in what is written, it suspects in what was read and is not masked as a whole
        self._apart = all(masker is None or own_of(masker) or keeps_of(masker) is not None for masker in plan)
        self.searched = False  # as `CopyRewriter` has these
        self.outside: bytes | None = None

    def rewrite(self, buffer: bytes, start: int) -> tuple[bytes, int, int]:
        """The run that starts here, rewritten; where it ends, and how many rows it has.

        A row of another arity is a protocol error: it cannot be masked.
        """
        spans = BytesWriter()
        end, rows = self._find(buffer, start, spans)
        found = spans.getvalue()
        self.outside = None
        if self._later:
            if self.searched and self._apart:
                between = BytesWriter()
                write_between(buffer, start, end, found, self._own, between)
                self.outside = between.getvalue()
            self._gather(buffer, found)
            for column in self._masked:
                column.mask_all()
        out = BytesWriter()
        self._write(buffer, start, end, found, out)
        return out.getvalue(), end, rows

    def places(self, new: bytes, columns: tuple[bool, ...] | None) -> list[tuple[int, int]]:
        """`columns`: which hold text; None, not known."""
        wanted = tuple([each and (columns is None or columns[place]) for place, each in enumerate(self._looked_at)])
        return values(new, 0, len(new), wanted, self._kind == b"d") if any(wanted) else []

    def _find(self, buffer: bytes, start: i64, spans: BytesWriter) -> tuple[int, int]:
        """Over the run that starts here: where it ends, and how many rows it has.

        `spans`: of each row, where it begins, and of each masked field, its length included, where it begins and ends; 0 for the
        end of a NULL that stays one.
        """
        size: i64 = len(buffer)
        begin = start
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
            count: i64 = 0
            if length >= 6:
                count = int16(buffer, begin + 5)
            if count != columns:
                raise ProtocolError(f"a row of {count} columns where {columns} were described", peer=Peer.SERVER)
            write_i64_le(spans, begin)
            at = begin + 7
            last = end - 4  # no field can begin behind it
            for column in masked:
                at = _behind(buffer, at, last, column.gap)
                if at > last:
                    raise _too_long()
                write_i64_le(spans, at)
                field = length_of_field(buffer, at)
                at += 4
                if field >= 0:
                    at += field
                elif field != _NULL:
                    raise _too_long()
                if at > end:
                    raise _too_long()
                if field < 0 and column.passes_null:
                    write_i64_le(spans, 0)
                else:
                    write_i64_le(spans, at)
            at = _behind(buffer, at, last, rest)
            if at > end:
                raise _too_long()
            if at < end:
                raise ProtocolError("a row is longer than its fields", peer=Peer.SERVER)
            begin = end
            rows += 1
        return begin, rows

    def _gather(self, buffer: bytes, spans: bytes) -> None:
        """The values that are masked many at once."""
        size: i64 = len(spans)
        stride: i64 = 8 + 16 * len(self._masked)
        first: i64 = 8
        for column in self._masked:
            if column.many is not None:
                values: list[bytes] = []
                at = first
                while at < size:
                    until = read_i64_le(spans, at + 8)
                    if until:
                        values.append(buffer[read_i64_le(spans, at) + 4 : until])
                    at += stride
                column.values = values
            first += 16

    def _write(self, buffer: bytes, start: i64, end: i64, spans: bytes, out: BytesWriter) -> None:
        """The run with its masked fields replaced, and the lengths of rows that became others."""
        kept = start  # from here on what was read is still to be taken over
        masked = self._masked
        size: i64 = len(spans)
        place: i64 = 0
        while place < size:
            begin = read_i64_le(spans, place)
            place += 8
            place_of_length = len(out) + begin + 1 - kept
            grown: i64 = 0
            for column in masked:
                at = read_i64_le(spans, place)
                until = read_i64_le(spans, place + 8)
                place += 16
                if not until:
                    continue
                constant = column.field
                if constant is not None:
                    out.write(buffer[kept:at])
                    out.write(constant)
                    grown += len(constant) + at - until
                    kept = until
                    continue
                field = until - at - 4
                if column.many is not None:
                    value = column.new[column.taken]
                    column.taken += 1
                else:
                    null = not field and length_of_field(buffer, at) < 0
                    shortening = column.shortening
                    tail: i64 = -1
                    if shortening is not None and not null:
                        tail = shortening.tail(buffer, at + 4, until, -1)
                    if shortening is not None and tail >= 0:
                        out.write(buffer[kept : at + 4 + shortening.front])
                        new = shortening.front + len(shortening.stars) + until - tail
                        put_length(out, len(out) - shortening.front - 4, new)
                        out.write(shortening.stars)
                        grown += new - field
                        kept = tail
                        continue
                    value = column.masker(None if null else buffer[at + 4 : until])
                out.write(buffer[kept:at])
                if value is None:
                    out.write(_NULL_FIELD)
                    grown -= field
                else:
                    put_field(out, value)
                    grown += len(value) - field
                kept = until
            if grown:
                put_length(out, place_of_length, int32(buffer, begin + 1) + grown)
        out.write(buffer[kept:end])


def write_between(buffer: bytes, start: i64, end: i64, spans: bytes, own: list[bool], out: BytesWriter) -> None:
    """What stands between the spans whose contents are made here, which `own` says of each column."""
    kept = start
    size: i64 = len(spans)
    place: i64 = 0
    while place < size:
        place += 8
        for each in own:
            until = read_i64_le(spans, place + 8)
            if each and until:
                out.write(buffer[kept : read_i64_le(spans, place)])
                kept = until
            place += 16
    out.write(buffer[kept:end])


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
