"""What a detector finds in rows, overwritten in place: as many bytes, so that frames, fields and their lengths stay as they are.

The detector is first asked about all that was read at once, lengths included, which is quick where there is nothing to find. Only
where it suspects something are the rows cut, and it looks at each value by itself; where the columns are known, only at text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from protocols.base import ColumnDescription
from protocols.detecting import Detector, hidden

_NULL: Final = 0xFFFFFFFF
_ROW: Final = ord("D")
_COPY_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
_COPY_HEADER_BYTES: Final = len(_COPY_SIGNATURE) + 8  # with flags, and the length of an extension that no server sends
# Types whose values are no text in either format: bool, int8, int2, int4, oid, float4, float8, date, time, timestamp, timestamptz,
# interval, timetz, numeric, uuid.
_NUMBERS: Final = frozenset({16, 20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950})


def textual(columns: Sequence[ColumnDescription]) -> tuple[bool, ...]:
    """Which columns may hold text; () when none does."""
    flags = tuple(column.type_oid not in _NUMBERS for column in columns)
    return flags if any(flags) else ()


def overwritten(
    data: bytes, start: int, end: int, columns: tuple[bool, ...] | None, binary_copy: bool, detector: Detector
) -> tuple[bytes, dict[str, int]] | None:
    """The frames from `start` to `end` without what is found in them, and how much of what that is; None: nothing.

    `columns`: which hold text; None, not known.
    """
    suspects = detector.suspects(data, start, end)
    if not suspects:
        return None
    # what COPY's columns hold nobody says
    kept = None if binary_copy else columns
    return hidden(data, start, end, values(data, start, end, kept, binary_copy), suspects, detector)


def values(
    data: bytes, start: int, end: int, columns: tuple[bool, ...] | None, binary_copy: bool
) -> list[tuple[int, int]]:
    """Where the values of DataRow frames stand, and of CopyData frames those in binary, else the contents.

    `columns`: whose values; None, all.
    """
    places: list[tuple[int, int]] = []
    at = start
    while at < end:
        frame_end = at + 1 + int.from_bytes(data[at + 1 : at + 5], "big")
        if data[at] == _ROW:
            _fields(data, at + 5, frame_end, columns, places)
        elif not binary_copy:
            places.append((at + 5, frame_end))
        else:
            header = _COPY_HEADER_BYTES if data.startswith(_COPY_SIGNATURE, at + 5) else 0
            before = len(places)
            if not _fields(data, at + 5 + header, frame_end, columns, places):
                places[before:] = [(at + 5, frame_end)]
        at = frame_end
    return places


def _fields(data: bytes, at: int, end: int, columns: tuple[bool, ...] | None, places: list[tuple[int, int]]) -> bool:
    """Whether they end where their frame does."""
    column = 0
    at += 2
    while at < end:
        length = int.from_bytes(data[at : at + 4], "big")
        at += 4
        if length != _NULL:
            if columns is None or column >= len(columns) or columns[column]:
                places.append((at, min(at + length, end)))
            at += length
        column += 1
    return at == end


class LongFrame:
    """The contents of a frame that is too long to be kept whole, looked at in parts as they come.

    What could be the beginning of a finding stays for the next part.
    """

    def __init__(self, detector: Detector, length: int, row: bool, columns: tuple[bool, ...] | None) -> None:
        """`length`: of the contents. `row`: they are a count and fields; else one value."""
        self.left = length
        self._detector = detector
        self._columns = columns
        self._row = row
        self._head = 2 if row else 0  # bytes that are no value's
        self._column = -1 if row else 0
        self._value = 0 if row else length

    def feed(self, data: bytes, at: int) -> tuple[list[bytes], int, dict[str, int]]:
        """What goes out of the data from `at` on, how far that reaches, and what was found in it."""
        out: list[bytes] = []
        counts: dict[str, int] = {}
        end = min(len(data), at + self.left)
        begun = at
        while at < end:
            if self._head:
                if end - at < self._head:
                    break
                out.append(data[at : at + self._head])
                at += self._head
                self._head = 0
            elif self._value:
                cut = self._part(data, at, min(end, at + self._value), out, counts)
                if cut == at:
                    break
                self._value -= cut - at
                at = cut
            else:
                if end - at < 4:
                    if end - at == self.left - (at - begun):
                        out.append(data[at:end])  # no length: the row is not one
                        at = end
                    break
                length = int.from_bytes(data[at : at + 4], "big")
                self._value = 0 if length == _NULL else length
                self._column += 1
                out.append(data[at : at + 4])
                at += 4
        self.left -= at - begun
        return out, at, counts

    def _part(self, data: bytes, at: int, end: int, out: list[bytes], counts: dict[str, int]) -> int:
        """Passes what is sure of a value. Gives how far that reaches."""
        columns = self._columns
        if columns is not None and self._column < len(columns) and not columns[self._column]:
            out.append(data[at:end])
            return end
        whole = end - at == self._value or end - at == self.left
        part = data[at:end]
        size = len(part)
        found = self._detector.find(part)
        cut = size if whole else max(0, size - self._detector.overlap)
        for each in found:
            if each.start < cut < each.end:
                cut = each.start or each.end
        if not cut:
            return at
        new = bytearray(part[:cut])
        for each in found:
            if each.end > cut:
                break
            new[each.start : each.end] = each.new
            counts[each.name] = counts.get(each.name, 0) + 1
        out.append(bytes(new))
        return at + cut
