"""What the client sends without that anybody keeps it whole: the rest of a command, and a file of its own.

Spec: MySQL, "LOCAL INFILE Request"; MySQL, "Sending More Than 16Mb".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.base import ProtocolError
from protocols.mysql.cutting import Stream
from protocols.mysql.exchange import Phase
from protocols.mysql.packets import FULL_PAYLOAD, HEADER_BYTES
from protocols.mysql.shared import Shared

_FILE: Final = Phase.FILE


class Streaming:
    """The command or the file that is on its way, if any."""

    __slots__ = ("_file_left", "after", "last_sequence", "shared", "stream")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.stream: Stream | None = None
        self.after: Callable[[int], None] | None = None  # given the sequence id that an answer would have
        self.last_sequence = 0  # of the command that was read last
        self._file_left = 0  # bytes of the packet of a client's file that is passed on

    @property
    def runs(self) -> bool:
        """Whether the rest of a command is still to come."""
        return self.stream is not None

    @property
    def sends_file(self) -> bool:
        exchange = self.shared.exchange
        return exchange is not None and exchange.phase is _FILE

    def run(self, buffer: bytes, at: int) -> int:
        stream = self.stream
        assert stream is not None
        while True:
            if stream.left:
                piece = buffer[at : at + stream.left]
                if not piece:
                    return at
                stream.left -= len(piece)
                at += len(piece)
                stream.sink(piece, True)
                continue
            if not stream.more:
                self.stream = None
                self.last_sequence = stream.sequence - 1 & 0xFF
                after, self.after = self.after, None
                if after is not None:
                    after(stream.sequence)
                return at
            if len(buffer) - at < HEADER_BYTES:
                return at
            header = buffer[at : at + HEADER_BYTES]
            if header[3] != stream.sequence & 0xFF:
                raise ProtocolError("packets out of order", sqlstate="08S01")
            stream.left = int.from_bytes(header[:3], "little")
            stream.more = stream.left == FULL_PAYLOAD
            stream.sequence += 1
            at += HEADER_BYTES
            stream.sink(header, False)

    def pass_file(self, buffer: bytes, at: int) -> tuple[int, int]:
        """A piece of the file that LOAD DATA LOCAL asks for; an empty packet ends it. Its packets are numbered on."""
        exchange = self.shared.exchange
        assert exchange is not None
        if self._file_left:
            piece = buffer[at : at + self._file_left]
            if not piece:
                return at, 1
            self._file_left -= len(piece)
            self.shared.to_server.append(piece)
            return at + len(piece), 0
        if len(buffer) - at < HEADER_BYTES:
            return at, HEADER_BYTES
        if buffer[at + 3] != exchange.sequence + exchange.shift & 0xFF:
            raise ProtocolError("packets out of order", sqlstate="08S01")
        self._file_left = int.from_bytes(buffer[at : at + 3], "little")
        self.shared.to_server.append(buffer[at : at + 3] + bytes((exchange.sequence & 0xFF,)))
        exchange.sequence += 1
        if not self._file_left:
            exchange.phase = Phase.FIRST
        return at + HEADER_BYTES, 0

    def discard(self, length: int, after: Callable[[int], None]) -> None:
        self.stream = Stream(length, length == FULL_PAYLOAD, 1, lambda _piece, _payload: None)
        self.after = after

    def pass_on(self, piece: bytes, _payload: bool) -> None:
        self.shared.to_server.append(piece)
