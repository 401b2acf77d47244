"""What a detector finds in rows of MySQL, in text and in binary: two code paths, as they are in `rows`.

The detector is first asked about all that was read at once, lengths included, which is quick where there is nothing to find. Only
where it suspects something are the rows cut, and it looks at each value of a column that may hold text by itself.

Spec: MySQL, "Text Resultset Row", "Binary Protocol Resultset Row".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from protocols.base import Peer
from protocols.detecting import Detector, hidden
from protocols.mysql.messages import MySqlColumn
from protocols.mysql.packets import HEADER_BYTES, Cursor
from protocols.mysql.values import DATES, NULL_TYPE, TIME, WIDTHS, value_bytes

# Types whose values are no text: numbers, dates and times, BIT, DECIMAL, VECTOR, GEOMETRY.
_NO_TEXT: Final = frozenset({*WIDTHS, *DATES, TIME, NULL_TYPE, 0, 16, 242, 246, 255})


def textual(columns: Sequence[MySqlColumn]) -> tuple[bool, ...]:
    """Which columns may hold text; () when none does."""
    flags = tuple(column.type not in _NO_TEXT for column in columns)
    return flags if any(flags) else ()


def overwritten(
    data: bytes,
    start: int,
    end: int,
    columns: Sequence[MySqlColumn],
    binary: bool,
    detector: Detector,
    wanted: Sequence[bool] | None = None,
) -> tuple[bytes, dict[str, int]] | None:
    """The packets from `start` to `end`, each a whole row, without what is found in them, and how much of what; None: nothing.

    `wanted`: which columns are looked at if they may hold text; None, all.

    ProtocolError for a row that is not its fields.
    """
    suspects = detector.suspects(data, start, end)
    if not suspects:
        return None
    return hidden(data, start, end, _values(data, start, end, columns, binary, wanted), suspects, detector)


def _values(
    data: bytes, start: int, end: int, columns: Sequence[MySqlColumn], binary: bool, wanted: Sequence[bool] | None
) -> list[tuple[int, int]]:
    """Where the values of columns that may hold text stand."""
    places: list[tuple[int, int]] = []
    flags = textual(columns)
    if wanted is not None:
        flags = tuple([may_hold and wanted[place] for place, may_hold in enumerate(flags)])
    at = start
    while at < end:
        begin = at + HEADER_BYTES
        at = begin + int.from_bytes(data[at : at + 3], "little")
        row = data[begin:at]
        if binary:
            _binary(row, begin, columns, flags, places)
        else:
            _text(row, begin, flags, places)
    return places


def _text(row: bytes, begin: int, flags: Sequence[bool], places: list[tuple[int, int]]) -> None:
    cursor = Cursor(row, peer=Peer.SERVER)
    for may_hold_text in flags:
        if row[cursor.at : cursor.at + 1] == b"\xfb":
            cursor.at += 1
            continue
        length = len(cursor.read_lenenc())
        if may_hold_text:
            places.append((begin + cursor.at - length, begin + cursor.at))
    cursor.finish("a row")


def _binary(
    row: bytes, begin: int, columns: Sequence[MySqlColumn], flags: Sequence[bool], places: list[tuple[int, int]]
) -> None:
    at = 1 + (len(columns) + 9) // 8
    for index, column in enumerate(columns):
        place, bit = divmod(index + 2, 8)
        if row[1 + place : 2 + place] and row[1 + place] >> bit & 1:
            continue
        low, at = value_bytes(row, at, column.type, Peer.SERVER)
        if flags[index]:
            places.append((begin + low, begin + at))
