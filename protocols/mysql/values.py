"""Values of the binary protocol: how long each is, and what a person is shown of a parameter.

Spec: MySQL, "Binary Protocol Value"; MariaDB, "Binary Parameter Encoding".
"""

from __future__ import annotations

import struct
from typing import Final

from protocols.base import Peer, ProtocolError
from protocols.mysql.packets import Cursor, encode_lenenc

NULL_TYPE: Final = 6
# bytes of the types that have a fixed length
WIDTHS: Final[dict[int, int]] = {1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 8: 8, 9: 4, 13: 2}
FLOAT: Final = 4
DOUBLE: Final = 5
YEAR: Final = 13
TIME: Final = 11
DATE: Final = 10
LONGLONG: Final = 8
DATES: Final = frozenset({7, 10, 12})  # TIMESTAMP, DATE, DATETIME: a length of one byte, then the parts
# length-encoded strings: DECIMAL, VARCHAR, BIT, VECTOR, JSON, NEWDECIMAL, ENUM, SET, BLOBs, VAR_STRING, STRING, GEOMETRY
STRINGS: Final = frozenset({0, 15, 16, 242, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255})
_DATE_BYTES: Final = frozenset({0, 4, 7, 11})
_TIME_BYTES: Final = frozenset({0, 8, 12})
UNSIGNED_TYPE: Final = 0x8000  # in the two bytes that declare a parameter
# Of parameters, the types that drivers declare and that every server reads alike. What is left out is read as a string by one
# server and as nothing by another (INT24, YEAR, BIT, ENUM …): an approver would be shown one value and another would run.
PARAMETERS: Final = frozenset(
    {0, 1, 2, 3, 4, 5, NULL_TYPE, 7, 8, 10, 11, 12, 15, 245, 246, 249, 250, 251, 252, 253, 254}
)


def value_bytes(data: bytes, at: int, kind: int, peer: Peer) -> tuple[int, int]:
    """Where the value's own bytes begin and end; behind its length, where it has one. ProtocolError past the packet's end."""
    width = WIDTHS.get(kind)
    if width is not None:
        end = at + width
    elif kind in STRINGS or kind in DATES or kind == TIME:
        cursor = Cursor(data, at, peer)
        length = cursor.read_lenenc_int()
        at = cursor.at
        end = at + length
        if (kind in DATES and length not in _DATE_BYTES) or (kind == TIME and length not in _TIME_BYTES):
            raise ProtocolError("a date or time of a length that none has", peer=peer)
    elif kind == NULL_TYPE:
        return at, at
    else:
        raise ProtocolError(f"a value of the unknown type {kind}", peer=peer)
    if end > len(data):
        raise ProtocolError("a value is longer than its packet", peer=peer)
    return at, end


def shown(value: bytes, declared: int) -> bytes | None:
    """A parameter as text: the same text for the same value, and another for another. `declared`: type and unsigned flag."""
    kind = declared & 0xFF
    if kind == FLOAT:
        return repr(struct.unpack("<f", value)[0]).encode()
    if kind == DOUBLE:
        return repr(struct.unpack("<d", value)[0]).encode()
    if kind in WIDTHS:
        signed = not declared & UNSIGNED_TYPE and kind != YEAR
        return str(int.from_bytes(value, "little", signed=signed)).encode()
    if kind in DATES:
        return _date(value)
    if kind == TIME:
        return _time(value)
    if kind == NULL_TYPE:
        return None
    return value


def encoded(value: bytes, declared: int) -> bytes:
    """A value in its text form, as it stands in an execution that declares its type. BIGINT, DATE and strings alone."""
    kind = declared & 0xFF
    if kind == LONGLONG:
        return int(value).to_bytes(8, "little", signed=not declared & UNSIGNED_TYPE)
    if kind == DATE:
        year, month, day = map(int, value.split(b"-"))
        return b"\4" + struct.pack("<HBB", year, month, day)
    return encode_lenenc(value)


def _date(value: bytes) -> bytes:
    if not value:
        return b"0000-00-00"
    text = f"{int.from_bytes(value[:2], 'little'):04}-{value[2]:02}-{value[3]:02}"
    if len(value) >= 7:
        text += f" {value[4]:02}:{value[5]:02}:{value[6]:02}"
    if len(value) == 11:
        text += f".{int.from_bytes(value[7:], 'little'):06}"
    return text.encode()


def _time(value: bytes) -> bytes:
    if not value:
        return b"00:00:00"
    days = int.from_bytes(value[1:5], "little")
    text = f"{'-' if value[0] else ''}{days} {value[5]:02}:{value[6]:02}:{value[7]:02}"
    if len(value) == 12:
        text += f".{int.from_bytes(value[8:], 'little'):06}"
    return text.encode()
