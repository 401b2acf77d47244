"""The server's half of a relay: what the database answers, on its way to the client.

The phase of the exchange says what may come (see `exchange`). Runs of rows that need no look are forwarded as one slice of what
was read; a row that is to be masked is put together, rewritten and numbered anew. Nothing is told from a packet's first byte
alone: the same byte is an error in one phase, a field's length in another.
"""

from __future__ import annotations

from typing import Final

from protocols.base import Detected, Failed, Peer, ProtocolError, RowPlan, looked_at
from protocols.buffer import Inbox
from protocols.mysql.answers import Answers
from protocols.mysql.detecting import overwritten, textual
from protocols.mysql.exchange import ANY_SEQUENCE, Exchange, Phase
from protocols.mysql.heading import Heading, bad
from protocols.mysql.keeping import KeptRows
from protocols.mysql.messages import (
    EOF,
    EOF_MOST_BYTES,
    ERR,
    LOCAL_INFILE,
    decode_err,
    encode_err,
    error_of,
    fields_of,
)
from protocols.mysql.packets import FULL_PAYLOAD, HEADER_BYTES, Cursor, frame, packet_count
from protocols.mysql.rows import rewrite_binary_row, rewrite_text_row
from protocols.mysql.runs import BinaryRun, TextRun, end_of_run, renumbered
from protocols.mysql.shared import Shared

_FIRST: Final = Phase.FIRST
_ROWS: Final = Phase.ROWS
_OWN_ROWS: Final = 100  # an answer to a question of the gateway's own is a handful of settings
_OWN_BYTES: Final = 1024 * 1024


class Backend:
    """Reads what the server sent; writes to `shared.to_client`."""

    __slots__ = ("_answers", "_heading", "_inbox", "_kept", "_passing", "shared")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._inbox = Inbox()
        self._passing = 0  # bytes of a row's packet that is streamed through and has not ended
        self._kept = KeptRows(shared)
        self._heading = Heading(shared)
        self._answers = Answers(shared, self._kept, self._heading)

    @property
    def waiting(self) -> bool:
        """A plan is awaited: nothing more is read from the server until then."""
        return self._heading.asked is not None

    @property
    def at_boundary(self) -> bool:
        exchange = self.shared.exchange
        return self._passing == 0 and not (exchange is not None and exchange.continues)

    def feed(self, data: bytes) -> None:
        self._inbox.add(data)

    def advance(self) -> None:
        if self._heading.asked is not None or self.shared.discards_file or not self._inbox.ready:
            return
        buffer = self._inbox.take()
        at = needed = 0
        if self._passing:
            at = min(self._passing, len(buffer))
            self._passing -= at
            self.shared.to_client.append(buffer[:at])
        while not needed:
            at, needed = self._step(buffer, at)
        self._kept.give()
        self._inbox.put_back(buffer, at, needed)

    # -- cutting

    def _step(self, buffer: bytes, at: int) -> tuple[int, int]:
        """Handle what stands at `at`: where the next packet begins, and how many bytes are needed to go on; 0: go on."""
        if self._heading.asked is not None or self.shared.discards_file or len(buffer) - at < HEADER_BYTES:
            return at, HEADER_BYTES
        exchange = self.shared.exchange
        if exchange is None:
            return self._unasked(buffer, at)
        if exchange.phase is _ROWS:
            if exchange.look and not exchange.planned:
                self._heading.describe(exchange)
                return at, HEADER_BYTES
            at, needed = self._rows(exchange, buffer, at)
            if needed:
                return at, needed
        elif exchange.phase is _FIRST and (end := self._heading.known(exchange, buffer, at)):
            return end, 0
        return self._control(exchange, buffer, at)

    def _unasked(self, buffer: bytes, at: int) -> tuple[int, int]:
        """A server that ends the session by itself says so with an ERR packet. Nothing else may come now."""
        length = int.from_bytes(buffer[at : at + 3], "little")
        end = at + HEADER_BYTES + length
        if length > self.shared.limits.message_bytes:
            raise bad("the server sent a packet that nobody asked for")
        if len(buffer) < end:
            return at, end - at
        payload = buffer[at + HEADER_BYTES : end]
        if payload[:1] != b"\xff":
            raise bad("the server sent a packet that nobody asked for")
        err = decode_err(payload)
        fields = self._answers.heard(0, err)
        full = None if fields.get("M", b"") == err.message else fields_of(err)
        self.shared.to_client.append(frame(encode_err(error_of(fields)), buffer[at + 3]))
        self.shared.effects.append(Failed(None, fields, None, full))
        return end, 0

    def _number(self, exchange: Exchange, sequence: int) -> None:
        if exchange.sequence == ANY_SEQUENCE:
            exchange.sequence = sequence
        elif sequence != exchange.sequence & 0xFF:
            raise bad("packets out of order")
        exchange.sequence += 1

    def _control(self, exchange: Exchange, buffer: bytes, at: int) -> tuple[int, int]:
        """A packet that is no row: handled whole. Gives where the next begins, and how many bytes are needed if it is not here."""
        length = int.from_bytes(buffer[at : at + 3], "little")
        end = at + HEADER_BYTES + length
        if length > self.shared.limits.message_bytes or length == FULL_PAYLOAD:
            raise bad("a packet is longer than message_bytes")
        if end > len(buffer):
            return at, end - at
        if not length:
            raise bad("an empty packet")
        self._number(exchange, buffer[at + 3])
        self._answers.handle(exchange, buffer[at + HEADER_BYTES : end])
        return end, 0

    def _ends(self, first: int, length: int) -> bool:
        """Whether a packet among rows is none. A row that begins with 0xFE has a first field of 16 MiB, and so a full packet."""
        if first == ERR:
            return True
        if first != EOF:
            return False
        return length < FULL_PAYLOAD if self._answers.deprecates_eof else length < EOF_MOST_BYTES

    def _rows(self, exchange: Exchange, buffer: bytes, at: int) -> tuple[int, int]:
        """Take the rows that are here. Needs nothing when the packet at the place that it gives is the end of them."""
        if exchange.plan is not None or exchange.injected:
            return self._rows_rewritten(exchange, buffer, at)
        detects = self.shared.detector is not None and self._holds_text(exchange)
        if detects or exchange.shift:
            return self._rows_looked_at(exchange, buffer, at, detects)
        size = len(buffer)
        start = at
        needed = 0
        recording = exchange.record_left > 0
        while True:
            if not exchange.continues and exchange.sequence != ANY_SEQUENCE:
                end, rows = end_of_run(buffer, at, exchange.sequence)
                if rows:
                    exchange.sequence += rows
                    exchange.rows += rows
                    exchange.size_bytes += end - at
                    if recording:
                        self._kept.keep_run(exchange, buffer[at:end])
                        recording = exchange.record_left > 0
                    at = end
            if size - at < HEADER_BYTES + 1:
                # a packet without a payload can only be the end of a row of full packets
                if size - at == HEADER_BYTES and exchange.continues and buffer[at : at + 3] == b"\0\0\0":
                    self._number(exchange, buffer[at + 3])
                    exchange.continues = False
                    at += HEADER_BYTES
                needed = HEADER_BYTES + 1
                break
            length = int.from_bytes(buffer[at : at + 3], "little")
            if not exchange.continues:
                if not length:
                    raise bad("an empty packet")
                if self._ends(buffer[at + HEADER_BYTES], length):
                    break
                exchange.rows += 1
            self._number(exchange, buffer[at + 3])
            end = at + HEADER_BYTES + length
            exchange.size_bytes += HEADER_BYTES + length
            if recording:
                whole = end <= size and not exchange.continues and length < FULL_PAYLOAD
                self._kept.keep(exchange, buffer[at:end], whole)
                recording = exchange.record_left > 0
            exchange.continues = length == FULL_PAYLOAD
            if end > size:  # streamed: it may be a gigabyte
                self._passing = end - size
                at = size
                needed = HEADER_BYTES
                break
            at = end
        if at > start:
            self.shared.to_client.append(buffer[start:at])
        return at, needed

    def _rows_looked_at(self, exchange: Exchange, buffer: bytes, at: int, detects: bool) -> tuple[int, int]:
        """The same for rows whose packets get other numbers, or which a detector looks at.

        It is given them whole, up to `masked_row_bytes`; longer ones stream.
        """
        size = len(buffer)
        most = min(self.shared.limits.masked_row_bytes, FULL_PAYLOAD - 1) if detects else 0
        while True:
            if not exchange.continues and exchange.sequence != ANY_SEQUENCE:
                end, rows = end_of_run(buffer, at, exchange.sequence)
                if rows:
                    self._send_looked_at(exchange, buffer, at, end, rows)
                    at = end
            if size - at < HEADER_BYTES + 1:
                if size - at == HEADER_BYTES and exchange.continues and buffer[at : at + 3] == b"\0\0\0":
                    self._number(exchange, buffer[at + 3])
                    exchange.continues = False
                    self._send_numbered(exchange, buffer, at, at + HEADER_BYTES)
                    at += HEADER_BYTES
                return at, HEADER_BYTES + 1
            length = int.from_bytes(buffer[at : at + 3], "little")
            end = at + HEADER_BYTES + length
            if not exchange.continues:
                if not length:
                    raise bad("an empty packet")
                if self._ends(buffer[at + HEADER_BYTES], length):
                    return at, 0
                if length <= most:
                    if end > size:
                        return at, end - at
                    if buffer[at + 3] != exchange.sequence & 0xFF:
                        raise bad("packets out of order")
                    self._send_looked_at(exchange, buffer, at, end, 1)
                    at = end
                    continue
                exchange.rows += 1
                exchange.record_left = 0
            self._number(exchange, buffer[at + 3])
            exchange.size_bytes += HEADER_BYTES + length
            exchange.continues = length == FULL_PAYLOAD
            self._send_numbered(exchange, buffer, at, end)
            if end > size:
                self._passing = end - size
                return size, HEADER_BYTES
            at = end

    def _send_numbered(self, exchange: Exchange, buffer: bytes, at: int, end: int) -> None:
        """The packet that was counted just now, or the beginning of it, under the number that it has for the client."""
        if not exchange.shift:
            self.shared.to_client.append(buffer[at:end])
            return
        number = exchange.sequence - 1 + exchange.shift & 0xFF
        self.shared.to_client += (buffer[at : at + 3] + bytes((number,)), buffer[at + HEADER_BYTES : end])

    def _send_looked_at(self, exchange: Exchange, buffer: bytes, at: int, end: int, rows: int) -> None:
        """Whole rows of a packet each, the first with the number that is due."""
        run = self._looked_at(exchange, buffer, at, end)
        if exchange.shift:
            run = renumbered(run, exchange.sequence + exchange.shift)
        exchange.sequence += rows
        exchange.rows += rows
        exchange.size_bytes += end - at
        if exchange.record_left > 0:
            self._kept.keep_run(exchange, run)
        self.shared.to_client.append(run)

    def _holds_text(self, exchange: Exchange) -> bool:
        if exchange.textual is None:
            exchange.textual = textual(exchange.columns) != ()
        return exchange.textual and not exchange.injected

    def _looked_at(self, exchange: Exchange, data: bytes, at: int, end: int) -> bytes:
        """Rows of a packet each without what the detector finds in them."""
        detector = self.shared.detector
        found = None
        if detector is not None and at < end and self._holds_text(exchange):
            wanted = None if exchange.plan is None else looked_at(exchange.plan)
            found = overwritten(data, at, end, exchange.columns, exchange.binary, detector, wanted)
        if found is None:
            return data[at:end]
        self.shared.effects.append(Detected(exchange.ticket, found[1]))
        return found[0]

    def _rows_rewritten(self, exchange: Exchange, buffer: bytes, at: int) -> tuple[int, int]:
        while True:
            at = self._run_rewritten(exchange, buffer, at)
            if len(buffer) - at < HEADER_BYTES + 1:
                return at, HEADER_BYTES + 1
            length = int.from_bytes(buffer[at : at + 3], "little")
            if not length:
                raise bad("an empty packet")
            if self._ends(buffer[at + HEADER_BYTES], length):
                return at, 0
            payload, end = self._whole(
                buffer, at, _OWN_BYTES if exchange.injected else self.shared.limits.masked_row_bytes
            )
            if payload is None:
                return at, end
            packets = packet_count(len(payload))
            for number in range(packets):
                self._number(exchange, buffer[at + number * (HEADER_BYTES + FULL_PAYLOAD) + 3])
            at = end
            self._row(exchange, payload, packets)

    def _run_rewritten(self, exchange: Exchange, buffer: bytes, at: int) -> int:
        """Send what stands at `at` of rows that are a packet each. Gives where anything else begins."""
        plan = exchange.plan
        if plan is None or exchange.injected or exchange.sequence == ANY_SEQUENCE:
            return at
        if exchange.run is None or exchange.run.plan is not plan:
            if len(plan) != len(exchange.columns):
                raise bad("a plan for another number of columns than were described")
            exchange.run = BinaryRun(plan, exchange.columns) if exchange.binary else TextRun(plan)
            exchange.run.searched = self.shared.detector is not None
        new, end, rows = exchange.run.rewrite(
            buffer, at, exchange.sequence, exchange.shift, self.shared.limits.masked_row_bytes
        )
        if rows:
            outside = exchange.run.outside
            detector = self.shared.detector
            if outside is None or (detector is not None and detector.suspects(outside, 0, len(outside))):
                new = self._looked_at(exchange, new, 0, len(new))
            exchange.sequence += rows
            exchange.rows += rows
            exchange.size_bytes += len(new)
            if exchange.record_left:
                self._kept.keep_run(exchange, new)
            self.shared.to_client.append(new)
        return end

    def _whole(self, buffer: bytes, at: int, most: int) -> tuple[bytes | None, int]:
        """A row of any number of packets of `most` bytes, and where it ends; or None and how many bytes are needed."""
        start = at
        parts = []
        total = 0
        while True:
            if len(buffer) - at < HEADER_BYTES:
                return None, at - start + HEADER_BYTES
            length = int.from_bytes(buffer[at : at + 3], "little")
            total += length
            if total > most:
                raise ProtocolError(
                    f"a row of {total} bytes or more is longer than masked_row_bytes",
                    peer=Peer.SERVER,
                    sqlstate="54000",
                )
            end = at + HEADER_BYTES + length
            if end > len(buffer):
                return None, end - start
            parts.append(buffer[at + HEADER_BYTES : end])
            at = end
            if length < FULL_PAYLOAD:
                return (parts[0] if len(parts) == 1 else b"".join(parts)), end

    def _row(self, exchange: Exchange, payload: bytes, packets: int) -> None:
        exchange.rows += 1
        if exchange.injected:
            self._collect(exchange, payload)
            return
        if exchange.plan is not None:
            if exchange.binary:
                payload = rewrite_binary_row(payload, exchange.plan, exchange.columns)
            else:
                payload = rewrite_text_row(payload, exchange.plan)
        # the packets of the row were counted already, by the numbers they had
        new = frame(payload, exchange.sequence - packets + exchange.shift)
        exchange.shift += packet_count(len(payload)) - packets
        if len(payload) < FULL_PAYLOAD:
            new = self._looked_at(exchange, new, 0, len(new))
        exchange.size_bytes += len(new)
        if exchange.record_left:
            self._kept.keep(exchange, new, len(payload) < FULL_PAYLOAD)
        self.shared.to_client.append(new)

    @staticmethod
    def _collect(exchange: Exchange, payload: bytes) -> None:
        exchange.size_bytes += len(payload)
        if len(exchange.collected) >= _OWN_ROWS or exchange.size_bytes > _OWN_BYTES:
            raise bad("too long an answer to a question of the gateway's own")
        cursor = Cursor(payload, peer=Peer.SERVER)
        row: list[bytes | None] = []
        while cursor.left:
            if payload[cursor.at] == LOCAL_INFILE:  # here the sign of NULL
                cursor.at += 1
                row.append(None)
            else:
                row.append(cursor.read_lenenc())
        exchange.collected.append(tuple(row))

    def plan(self, plan: RowPlan | None) -> None:
        self._heading.plan(plan)
