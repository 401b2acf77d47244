"""Rows on their way to the client. Compiled where it can be: it runs once for each masked row."""

from __future__ import annotations

from typing import Final

from protocols.base import Peer, ProtocolError, RowPlan

_NULL: Final = 0xFFFFFFFF  # the length -1


def rewrite_row(body: bytes, plan: RowPlan) -> bytes:
    """A DataRow frame with the planned columns replaced. A row of another arity is a protocol error: it cannot be masked.

    Spec: 55.7 DataRow: Int16 columns, then for each an Int32 length (-1: NULL) and the value.
    """
    count = int.from_bytes(body[:2], "big")
    if count != len(plan):
        raise ProtocolError(f"a row of {count} columns where {len(plan)} were described", peer=Peer.SERVER)
    parts = []
    at, kept = 2, 0
    for masker in plan:
        length = int.from_bytes(body[at : at + 4], "big")
        end = at + 4 + (length if length < _NULL else 0)
        if end > len(body):
            raise ProtocolError("a row's field is longer than the row", peer=Peer.SERVER)
        if masker is not None:
            masked = masker(None if length == _NULL else body[at + 4 : end])
            parts.append(body[kept:at])
            parts.append(b"\xff\xff\xff\xff" if masked is None else len(masked).to_bytes(4, "big") + masked)
            kept = end
        at = end
    if at != len(body):
        raise ProtocolError("a row is longer than its fields", peer=Peer.SERVER)
    parts.append(body[kept:])
    new = b"".join(parts)
    return b"D" + (len(new) + 4).to_bytes(4, "big") + new
