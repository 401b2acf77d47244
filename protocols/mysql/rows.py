"""Rows with masked columns rewritten, in text and in binary. Two code paths: nothing of one holds for the other.

What a masker is given: in text the value as the server writes it; in binary the value's own bytes by its type, without the
length in front of strings, dates and times. What it gives back must be of the same form; for a number of the same width.

Spec: MySQL, "Text Resultset Row", "Binary Protocol Resultset Row".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from protocols.base import Peer, ProtocolError, RowPlan
from protocols.mysql.messages import MySqlColumn
from protocols.mysql.packets import Cursor, encode_lenenc
from protocols.mysql.values import WIDTHS, value_bytes

_NULL: Final = 0xFB
_NULL_BITS_OFFSET: Final = 2  # of a binary row's bitmap; that of COM_STMT_EXECUTE has none


def rewrite_text_row(payload: bytes, plan: RowPlan) -> bytes:
    """A row of another number of columns than planned is a protocol error: it cannot be masked."""
    cursor = Cursor(payload, peer=Peer.SERVER)
    parts: list[bytes] = []
    kept = 0
    for masker in plan:
        start = cursor.at
        if payload[start : start + 1] == b"\xfb":
            cursor.at += 1
            value = None
        else:
            value = cursor.read_lenenc()
        if masker is not None:
            masked = masker(value)
            parts += (payload[kept:start], b"\xfb" if masked is None else encode_lenenc(masked))
            kept = cursor.at
    cursor.finish("a row")
    parts.append(payload[kept:])
    return b"".join(parts)


def rewrite_binary_row(payload: bytes, plan: RowPlan, columns: Sequence[MySqlColumn]) -> bytes:
    if len(plan) != len(columns):
        raise ProtocolError("a plan for another number of columns than were described", peer=Peer.SERVER)
    bitmap_end = 1 + (len(columns) + 7 + _NULL_BITS_OFFSET) // 8
    if len(payload) < bitmap_end or payload[0]:
        raise ProtocolError("a binary row without its head", peer=Peer.SERVER)
    nulls = bytearray(payload[1:bitmap_end])
    parts: list[bytes] = []
    at = kept = bitmap_end
    for index, (column, masker) in enumerate(zip(columns, plan, strict=True)):
        place, bit = divmod(index + _NULL_BITS_OFFSET, 8)
        if nulls[place] >> bit & 1:
            value, end, start = None, at, at
        else:
            start = at
            begin, end = value_bytes(payload, at, column.type, Peer.SERVER)
            value = payload[begin:end]
        if masker is not None:
            masked = masker(value)
            parts.append(payload[kept:start])
            if masked is None:
                nulls[place] |= 1 << bit
            else:
                nulls[place] &= ~(1 << bit) & 0xFF
                parts.append(encode_binary(masked, column.type))
            kept = end
        at = end
    if at != len(payload):
        raise ProtocolError("a row is longer than its fields", peer=Peer.SERVER)
    parts.append(payload[kept:])
    return b"\0" + bytes(nulls) + b"".join(parts)


def encode_binary(value: bytes, kind: int) -> bytes:
    width = WIDTHS.get(kind)
    if width is None:
        return encode_lenenc(value)
    if len(value) != width:
        raise ProtocolError("a masked number has another width than its type", peer=Peer.SERVER)
    return value
