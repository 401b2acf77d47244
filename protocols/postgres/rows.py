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

from protocols.base import Masker, Peer, ProtocolError, RowPlan, constant_of

if TYPE_CHECKING:
    from mypy_extensions import i64

_NULL: Final = 0xFFFFFFFF  # the length -1
_NULL_FIELD: Final = b"\xff\xff\xff\xff"
_HEADER_BYTES: Final = 5
_SHORT: Final = 2048  # lengths below this are taken from a table
_LENGTHS: Final = [length.to_bytes(4, "big") for length in range(_SHORT)]
_HEADERS: Final = {kind: [kind + length for length in _LENGTHS] for kind in (b"D", b"d")}


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


class RowRewriter:
    """Replaces the fields of masked columns, for one plan."""

    __slots__ = ("_columns", "_constants", "_gaps", "_headers", "_keep_null", "_kind", "_maskers", "_rest")

    def __init__(self, plan: RowPlan, kind: bytes = b"D") -> None:
        self._kind = kind
        self._headers = _HEADERS[kind]
        self._columns = len(plan)
        self._gaps: list[int] = []  # for each masked column, how many that are not stand in front of it
        self._maskers: list[Masker] = []
        self._constants: list[bytes | None] = []  # the field that takes its place, where it is the same for every row
        self._keep_null: list[bool] = []
        gap = 0
        for masker in plan:
            if masker is None:
                gap += 1
                continue
            self._gaps.append(gap)
            self._maskers.append(masker)
            constant = constant_of(masker)
            self._constants.append(None if constant is None else encode_field(constant[0]))
            self._keep_null.append(constant is not None and constant[1])
            gap = 0
        self._rest = gap  # behind the last masked column

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
        marked: i64 = len(self._gaps)
        gaps, maskers, constants, keep_null = self._gaps, self._maskers, self._constants, self._keep_null
        headers = self._headers
        parts: list[bytes] = []
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
            for which in range(marked):
                gap: i64 = gaps[which]
                for _ in range(gap):
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
                if null and keep_null[which]:
                    at = until
                    continue
                parts.append(buffer[kept:at])
                constant = constants[which]
                if constant is not None:
                    parts.append(constant)
                    length += len(constant) - (until - at)
                else:
                    masked = maskers[which](None if null else buffer[at + 4 : until])
                    parts.append(encode_length(masked))
                    length += 4 - (until - at)
                    if masked is not None:
                        parts.append(masked)
                        length += len(masked)
                kept = at = until
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
            if kept < end:
                parts.append(buffer[kept:end])
            parts[header] = headers[length] if length < _SHORT else encode_header(self._kind, length)
            begin = end
            rows += 1
        return b"".join(parts), begin, rows


def int16(buffer: bytes, at: i64) -> i64:
    high: i64 = buffer[at]
    low: i64 = buffer[at + 1]
    return high << 8 | low


def encode_length(value: bytes | None) -> bytes:
    """What stands in front of a field's value."""
    if value is None:
        return _NULL_FIELD
    length = len(value)
    return _LENGTHS[length] if length < _SHORT else length.to_bytes(4, "big")


def encode_field(value: bytes | None) -> bytes:
    return encode_length(value) + (value or b"")


def encode_header(kind: bytes, length: int) -> bytes:
    """`length`: of the message with its length."""
    return _HEADERS[kind][length] if length < _SHORT else kind + length.to_bytes(4, "big")


def _too_long() -> ProtocolError:
    return ProtocolError("a row's field is longer than the row", peer=Peer.SERVER)
