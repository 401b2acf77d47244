"""Rows of MySQL and MariaDB out of a log: text and binary resultset packets cut into readable values. Total.

Spec: MySQL Internals, "Text Resultset Row", "Binary Protocol Resultset Row".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from wireproxy.log.records import Column

UNSIGNED_FLAG = 0x20
BINARY_CHARSET_FLAG = 0x80
_FULL_PACKET = 0xFFFFFF

Row = tuple[str | None, ...]


def mysql_rows(frames: bytes, columns: Sequence[Column]) -> Iterator[Row]:
    """Cut packets into rows. A packet that is no row of these columns is passed over."""
    binary = any(column.format for column in columns)
    for payload in _payloads(frames):
        try:
            row = _binary_row(payload, columns) if binary else _text_row(payload, len(columns))
        except (struct.error, ValueError, IndexError, OverflowError):
            continue
        if row is not None:
            yield row


def _payloads(frames: bytes) -> Iterator[bytes]:
    """Put packets that were split at 16 MiB together again."""
    offset = 0
    parts: list[bytes] = []
    while offset + 4 <= len(frames):
        length = int.from_bytes(frames[offset : offset + 3], "little")
        end = offset + 4 + length
        if end > len(frames):
            return
        parts.append(frames[offset + 4 : end])
        offset = end
        if length < _FULL_PACKET:
            yield b"".join(parts)
            parts = []


def _text_row(payload: bytes, count: int) -> Row | None:
    values: list[str | None] = []
    offset = 0
    for _ in range(count):
        if payload[offset] == 0xFB:
            values.append(None)
            offset += 1
            continue
        value, offset = _sized(payload, offset)
        values.append(value.decode("utf-8", "backslashreplace"))
    return tuple(values) if offset == len(payload) else None


def _sized(payload: bytes, offset: int) -> tuple[bytes, int]:
    """Spec: Protocol::LengthEncodedString."""
    first = payload[offset]
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
    if first in (0xFB, 0xFF):
        raise ValueError("not a length")
    length = int.from_bytes(payload[offset + 1 : offset + 1 + width], "little") if width else first
    start = offset + 1 + width
    if start + length > len(payload):
        raise ValueError("a value is longer than its packet")
    return payload[start : start + length], start + length


def _binary_row(payload: bytes, columns: Sequence[Column]) -> Row | None:
    nulls = (len(columns) + 7 + 2) // 8
    if payload[0] != 0 or len(payload) < 1 + nulls:
        return None
    values: list[str | None] = []
    offset = 1 + nulls
    for index, column in enumerate(columns):
        bit = index + 2
        if payload[1 + bit // 8] >> (bit % 8) & 1:
            values.append(None)
            continue
        value, offset = _binary_value(payload, offset, column)
        values.append(value)
    return tuple(values) if offset == len(payload) else None


_INTEGERS = {1: 1, 2: 2, 3: 4, 8: 8, 9: 4, 13: 2}  # TINY, SHORT, LONG, LONGLONG, INT24, YEAR
_DATES = {7, 10, 12}  # TIMESTAMP, DATE, DATETIME


def _binary_value(payload: bytes, offset: int, column: Column) -> tuple[str, int]:
    width = _INTEGERS.get(column.type)
    if width is not None:
        raw = payload[offset : offset + width]
        if len(raw) < width:
            raise ValueError("a value is longer than its packet")
        unsigned = bool(column.flags & UNSIGNED_FLAG) or column.type == 13
        return str(int.from_bytes(raw, "little", signed=not unsigned)), offset + width
    if column.type in (4, 5):
        code, size = ("<f", 4) if column.type == 4 else ("<d", 8)
        number = struct.unpack_from(code, payload, offset)[0]
        return format(number, ".7g") if size == 4 else repr(number), offset + size
    value, end = _sized(payload, offset)
    if column.type in _DATES:
        return _date(value), end
    if column.type == 11:
        return _time(value), end
    return value.decode("utf-8", "backslashreplace"), end


def _date(value: bytes) -> str:
    if not value:
        return "0000-00-00"
    year, month, day = struct.unpack_from("<HBB", value)
    shown = f"{year:04}-{month:02}-{day:02}"
    if len(value) >= 7:
        shown += " {:02}:{:02}:{:02}".format(*value[4:7])
    if len(value) >= 11:
        shown += f".{int.from_bytes(value[7:11], 'little'):06}"
    return shown


def _time(value: bytes) -> str:
    if not value:
        return "00:00:00"
    negative, days, hours, minutes, seconds = struct.unpack_from("<BIBBB", value)
    shown = f"{'-' if negative else ''}{days * 24 + hours:02}:{minutes:02}:{seconds:02}"
    return shown + (f".{int.from_bytes(value[8:12], 'little'):06}" if len(value) >= 12 else "")
