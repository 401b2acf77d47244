"""What the client sends without that anybody keeps it whole: the rest of a command, and a file of its own.

Spec: MySQL, "LOCAL INFILE Request"; MySQL, "Sending More Than 16Mb".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.base import Fields, ProtocolError
from protocols.mysql.cutting import Stream
from protocols.mysql.exchange import Exchange, Phase
from protocols.mysql.packets import FULL_PAYLOAD, HEADER_BYTES, frame
from protocols.mysql.shared import FileStopped, Shared

_FILE: Final = Phase.FILE


class Streaming:
    """The command or the file that is on its way, if any."""

    __slots__ = ("_file_lacks", "_file_left", "_file_sequence", "after", "last_sequence", "shared", "stream")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.stream: Stream | None = None
        self.after: Callable[[int], None] | None = None  # given the sequence id that an answer would have
        self.last_sequence = 0  # of the command that was read last
        self._file_left = 0  # bytes of the packet of a client's file that is passed on
        self._file_lacks = 0  # bytes that the server waits for, of one that was stopped
        self._file_sequence = 0  # of the next packet of the client's file

    @property
    def runs(self) -> bool:
        """Whether the rest of a command is still to come."""
        return self.stream is not None

    @property
    def sends_file(self) -> bool:
        """Whether what the client sends is part of a file."""
        exchange = self.shared.exchange
        passes = exchange is not None and exchange.phase is Phase.FILE and not exchange.stopped
        return passes or self.shared.discards_file

    @property
    def file_is_open(self) -> bool:
        """Whether the server reads one."""
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
            self._file_piece(exchange, piece)
            return at + len(piece), 0
        if len(buffer) - at < HEADER_BYTES:
            return at, HEADER_BYTES
        discards = self.shared.discards_file
        expected = self._file_sequence if discards else exchange.sequence + exchange.shift
        if buffer[at + 3] != expected & 0xFF:
            raise ProtocolError("packets out of order", sqlstate="08S01")
        self._file_left = int.from_bytes(buffer[at : at + 3], "little")
        self._file_sequence = expected + 1
        if discards:
            if not self._file_left:
                self._discarded(exchange)
        elif self._file_left or not self._stops_at_end(exchange):
            self.shared.to_server.append(buffer[at : at + 3] + bytes((exchange.sequence & 0xFF,)))
            exchange.sequence += 1
            if not self._file_left:
                exchange.phase = Phase.FIRST
        return at + HEADER_BYTES, 0

    def _file_piece(self, exchange: Exchange, piece: bytes) -> None:
        if self.shared.discards_file:
            return
        reader = exchange.file_reader
        fields = None if reader is None else reader.feed(piece)
        if fields is None:
            self.shared.to_server.append(piece)
        else:
            self._stop(exchange, fields, len(piece) + self._file_left)

    def _stops_at_end(self, exchange: Exchange) -> bool:
        """Whether what came last must not be stored: the file's end is not sent then."""
        fields = None if exchange.file_reader is None else exchange.file_reader.finish()
        if fields is None:
            return False
        self._stop(exchange, fields, 0)
        self._discarded(exchange)
        return True

    def _stop(self, exchange: Exchange, fields: Fields, lacks: int) -> None:
        """`lacks`: bytes of the packet that the server is reading."""
        exchange.refusal = fields
        exchange.stopped = True
        self._file_lacks = lacks
        self.shared.discards_file = True
        self.shared.effects.append(FileStopped(exchange.ticket, fields))

    def _discarded(self, exchange: Exchange) -> None:
        self.shared.discards_file = False
        exchange.shift = self._file_sequence - 1  # the refusal goes out under the number that follows the client's last

    def end_file(self, filler: bytes) -> None:
        exchange = self.shared.exchange
        assert exchange is not None
        assert exchange.stopped
        lacks = self._file_lacks
        rest = (filler * (lacks // len(filler) + 1))[:lacks]
        self.shared.to_server += [rest, frame(filler, exchange.sequence), frame(b"", exchange.sequence + 1)]
        exchange.sequence += 2
        exchange.phase = Phase.FIRST

    def discard(self, length: int, after: Callable[[int], None]) -> None:
        self.stream = Stream(length, length == FULL_PAYLOAD, 1, lambda _piece, _payload: None)
        self.after = after

    def pass_on(self, piece: bytes, _payload: bool) -> None:
        self.shared.to_server.append(piece)
