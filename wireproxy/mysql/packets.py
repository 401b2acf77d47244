"""Packets over a wire, before the pump takes over: one at a time, numbered on."""

from __future__ import annotations

from protocols.base import Peer, ProtocolError
from protocols.mysql.packets import FULL_PAYLOAD, HEADER_BYTES, frame
from wireproxy.wire import Wire


class PacketWire:
    """`sequence` is the number of the next packet in either direction. `peer` is who is at the other end."""

    def __init__(self, wire: Wire, peer: Peer) -> None:
        self.wire = wire
        self.sequence = 0
        self._peer = peer

    async def read(self, limit_bytes: int, *, ahead: bool = False) -> bytes:
        """ProtocolError for a packet out of order, or longer than `limit_bytes`. `ahead` as `Wire.receive_exactly` has it."""
        header = await self.wire.receive_exactly(HEADER_BYTES, ahead=ahead)
        length = int.from_bytes(header[:3], "little")
        if header[3] != self.sequence & 0xFF:
            raise ProtocolError("packets out of order", peer=self._peer, sqlstate="08S01")
        if length > limit_bytes or length == FULL_PAYLOAD:
            raise ProtocolError("a packet of the login is too long", peer=self._peer)
        self.sequence += 1
        return await self.wire.receive_exactly(length, ahead=ahead)

    async def send(self, payload: bytes) -> None:
        await self.wire.send_all(self.encode(payload))

    def encode(self, payload: bytes) -> bytes:
        raw = frame(payload, self.sequence)
        self.sequence += 1
        return raw
