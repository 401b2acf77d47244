"""Packets of the MySQL protocol and what stands in them: lengths, sequence ids, length-encoded values.

A packet is 3 bytes of length, 1 byte of sequence id, and at most 16 MiB - 1 of payload. A payload of exactly that length goes
on in the next packet; one that ends there is followed by an empty packet. Spec: MySQL, "MySQL Packets"; MariaDB, "0-Packet".
"""

from __future__ import annotations

from typing import Final

from protocols.base import Peer, ProtocolError

HEADER_BYTES: Final = 4
FULL_PAYLOAD: Final = 0xFFFFFF  # a packet of this length goes on in the next one


def frame(payload: bytes, sequence: int = 0) -> bytes:
    """The payload in as many packets as it needs, the first with this sequence id."""
    if len(payload) < FULL_PAYLOAD:
        return len(payload).to_bytes(3, "little") + bytes((sequence & 0xFF,)) + payload
    parts = []
    for start in range(0, len(payload) + 1, FULL_PAYLOAD):
        part = payload[start : start + FULL_PAYLOAD]
        parts += [len(part).to_bytes(3, "little"), bytes((sequence & 0xFF,)), part]
        sequence += 1
    return b"".join(parts)


def packet_count(payload_bytes: int) -> int:
    """How many packets a payload of this length takes."""
    return payload_bytes // FULL_PAYLOAD + 1


def encode_lenenc_int(value: int) -> bytes:
    if value < 0xFB:
        return bytes((value,))
    if value <= 0xFFFF:
        return b"\xfc" + value.to_bytes(2, "little")
    if value <= 0xFFFFFF:
        return b"\xfd" + value.to_bytes(3, "little")
    return b"\xfe" + value.to_bytes(8, "little")


def encode_lenenc(value: bytes) -> bytes:
    return encode_lenenc_int(len(value)) + value


class Cursor:
    """Reads a payload from its beginning; every read is checked against its end."""

    __slots__ = ("at", "data", "peer")

    def __init__(self, data: bytes, at: int = 0, peer: Peer = Peer.CLIENT) -> None:
        self.data = data
        self.at = at
        self.peer = peer

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def read_bytes(self, size: int) -> bytes:
        if size < 0 or size > self.left:
            raise ProtocolError("a packet ends early", peer=self.peer)
        taken = self.data[self.at : self.at + size]
        self.at += size
        return taken

    def read_int(self, size: int) -> int:
        return int.from_bytes(self.read_bytes(size), "little")

    def read_lenenc_int(self) -> int:
        first = self.read_int(1)
        if first < 0xFB:
            return first
        width = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first)
        if width is None:
            raise ProtocolError("a length that is none", peer=self.peer)
        return self.read_int(width)

    def read_lenenc(self) -> bytes:
        return self.read_bytes(self.read_lenenc_int())

    def read_cstring(self) -> bytes:
        end = self.data.find(0, self.at)
        if end < 0:
            raise ProtocolError("string without its terminator", peer=self.peer)
        taken = self.data[self.at : end]
        self.at = end + 1
        return taken

    def read_rest(self) -> bytes:
        return self.read_bytes(self.left)

    def finish(self, what: str) -> None:
        if self.left:
            raise ProtocolError(f"{what} is longer than its contents", peer=self.peer)
