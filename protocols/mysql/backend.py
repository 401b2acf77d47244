"""The server's half of a relay: what the database answers, on its way to the client.

The phase of the exchange says what may come (see `exchange`). Runs of rows that need no look are forwarded as one slice of what
was read; a row that is to be masked is put together, rewritten and numbered anew. Nothing is told from a packet's first byte
alone: the same byte is an error in one phase, a field's length in another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.base import Completed, Failed, ParameterChanged, Peer, ProtocolError, RowPlan, Rows
from protocols.buffer import Inbox
from protocols.mysql.capabilities import Capability
from protocols.mysql.exchange import ANY_SEQUENCE, Exchange, Phase
from protocols.mysql.messages import (
    CURSOR_EXISTS,
    EOF,
    EOF_MOST_BYTES,
    ERR,
    LOCAL_INFILE,
    MORE_RESULTS,
    OK,
    PS_OUT_PARAMS,
    STATE_CHANGED,
    Command,
    Err,
    Ok,
    decode_column,
    decode_eof_status,
    decode_err,
    decode_ok,
    decode_prepare_ok,
    encode_err,
    encode_ok,
    error_of,
    fields_of,
    state_changes,
)
from protocols.mysql.packets import FULL_PAYLOAD, HEADER_BYTES, Cursor, frame, packet_count
from protocols.mysql.prepared import Prepared
from protocols.mysql.rows import rewrite_binary_row, rewrite_text_row
from protocols.mysql.runs import BinaryRun, TextRun, end_of_run
from protocols.mysql.shared import Answered, ConnectionReset, ResultDescribed, Shared

MOST_COLUMNS: Final = 65_535
_OWN_ROWS: Final = 100  # an answer to a question of the gateway's own is a handful of settings


def _bad(text: str) -> ProtocolError:
    return ProtocolError(text, peer=Peer.SERVER)


class Backend:
    """Reads what the server sent; writes to `shared.to_client`."""

    __slots__ = ("_asked", "_deprecates_eof", "_handlers", "_inbox", "_kept", "_passing", "shared")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._inbox = Inbox()
        self._passing = 0  # bytes of a row's packet that is streamed through and has not ended
        self._asked: Exchange | None = None
        self._kept: list[bytes] = []  # rows for the record
        self._deprecates_eof = bool(shared.capabilities & Capability.DEPRECATE_EOF)
        self._handlers: dict[Phase, Callable[[Exchange, bytes], None]] = {
            Phase.FIRST: self._first,
            Phase.DEFINITIONS: self._definition,
            Phase.AFTER: self._after_definitions,
            Phase.ROWS: self._end_of_rows,
            Phase.PREPARING: self._preparing,
            Phase.PARAMETERS: self._parameter,
            Phase.COLUMNS: self._column,
            Phase.FIELDS: self._field,
            Phase.SINGLE: self._single,
            Phase.TEXT: self._text,
            Phase.FILE: self._during_file,
        }

    @property
    def waiting(self) -> bool:
        """A plan is awaited: nothing more is read from the server until then."""
        return self._asked is not None

    @property
    def at_boundary(self) -> bool:
        exchange = self.shared.exchange
        return self._passing == 0 and not (exchange is not None and exchange.continues)

    def feed(self, data: bytes) -> None:
        self._inbox.add(data)

    def advance(self) -> None:
        if self._asked is not None or not self._inbox.ready:
            return
        buffer = self._inbox.take()
        at = needed = 0
        if self._passing:
            at = min(self._passing, len(buffer))
            self._passing -= at
            self.shared.to_client.append(buffer[:at])
        while not needed:
            at, needed = self._step(buffer, at)
        if self._kept:
            self._give_kept()
        self._inbox.put_back(buffer, at, needed)

    # -- cutting

    def _step(self, buffer: bytes, at: int) -> tuple[int, int]:
        """Handle what stands at `at`: where the next packet begins, and how many bytes are needed to go on; 0: go on."""
        if self._asked is not None or len(buffer) - at < HEADER_BYTES:
            return at, HEADER_BYTES
        exchange = self.shared.exchange
        if exchange is None:
            return self._unasked(buffer, at)
        if exchange.phase is Phase.ROWS:
            if exchange.look and not exchange.planned:
                self._describe(exchange)
                return at, HEADER_BYTES
            at, needed = self._rows(exchange, buffer, at)
            if needed:
                return at, needed
        return self._control(exchange, buffer, at)

    def _unasked(self, buffer: bytes, at: int) -> tuple[int, int]:
        """A server that ends the session by itself says so with an ERR packet. Nothing else may come now."""
        length = int.from_bytes(buffer[at : at + 3], "little")
        end = at + HEADER_BYTES + length
        if length > self.shared.limits.message_bytes:
            raise _bad("the server sent a packet that nobody asked for")
        if len(buffer) < end:
            return at, end - at
        payload = buffer[at + HEADER_BYTES : end]
        if payload[:1] != b"\xff":
            raise _bad("the server sent a packet that nobody asked for")
        fields = self._scrubbed(decode_err(payload))
        self.shared.to_client.append(frame(encode_err(error_of(fields)), buffer[at + 3]))
        self.shared.effects.append(Failed(None, fields, None))
        return end, 0

    def _number(self, exchange: Exchange, sequence: int) -> None:
        if exchange.sequence == ANY_SEQUENCE:
            exchange.sequence = sequence
        elif sequence != exchange.sequence & 0xFF:
            raise _bad("packets out of order")
        exchange.sequence += 1

    def _control(self, exchange: Exchange, buffer: bytes, at: int) -> tuple[int, int]:
        """A packet that is no row: handled whole. Gives where the next begins, and how many bytes are needed if it is not here."""
        length = int.from_bytes(buffer[at : at + 3], "little")
        end = at + HEADER_BYTES + length
        if length > self.shared.limits.message_bytes or length == FULL_PAYLOAD:
            raise _bad("a packet is longer than message_bytes")
        if end > len(buffer):
            return at, end - at
        if not length:
            raise _bad("an empty packet")
        self._number(exchange, buffer[at + 3])
        self._handlers[exchange.phase](exchange, buffer[at + HEADER_BYTES : end])
        return end, 0

    def _ends(self, first: int, length: int) -> bool:
        """Whether a packet among rows is none. A row that begins with 0xFE has a first field of 16 MiB, and so a full packet."""
        if first == ERR:
            return True
        if first != EOF:
            return False
        return length < FULL_PAYLOAD if self._deprecates_eof else length < EOF_MOST_BYTES

    def _rows(self, exchange: Exchange, buffer: bytes, at: int) -> tuple[int, int]:
        """Take the rows that are here. Needs nothing when the packet at the place that it gives is the end of them."""
        if exchange.plan is not None or exchange.injected or exchange.shift:
            return self._rows_rewritten(exchange, buffer, at)
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
                        self._record_run(exchange, buffer[at:end])
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
                    raise _bad("an empty packet")
                if self._ends(buffer[at + HEADER_BYTES], length):
                    break
                exchange.rows += 1
            self._number(exchange, buffer[at + 3])
            end = at + HEADER_BYTES + length
            exchange.size_bytes += HEADER_BYTES + length
            if recording:
                whole = end <= size and not exchange.continues and length < FULL_PAYLOAD
                self._record(exchange, buffer[at:end], whole)
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

    def _rows_rewritten(self, exchange: Exchange, buffer: bytes, at: int) -> tuple[int, int]:
        while True:
            at = self._run_rewritten(exchange, buffer, at)
            if len(buffer) - at < HEADER_BYTES + 1:
                return at, HEADER_BYTES + 1
            length = int.from_bytes(buffer[at : at + 3], "little")
            if not length:
                raise _bad("an empty packet")
            if self._ends(buffer[at + HEADER_BYTES], length):
                return at, 0
            payload, end = self._whole(buffer, at)
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
                raise _bad("a plan for another number of columns than were described")
            exchange.run = BinaryRun(plan, exchange.columns) if exchange.binary else TextRun(plan)
        new, end, rows = exchange.run.rewrite(
            buffer, at, exchange.sequence, exchange.shift, self.shared.limits.masked_row_bytes
        )
        if rows:
            exchange.sequence += rows
            exchange.rows += rows
            exchange.size_bytes += len(new)
            if exchange.record_left:
                self._record_run(exchange, new)
            self.shared.to_client.append(new)
        return end

    def _whole(self, buffer: bytes, at: int) -> tuple[bytes | None, int]:
        """A row of any number of packets, and where it ends; or None and how many bytes are needed."""
        start = at
        parts = []
        total = 0
        while True:
            if len(buffer) - at < HEADER_BYTES:
                return None, at - start + HEADER_BYTES
            length = int.from_bytes(buffer[at : at + 3], "little")
            total += length
            if total > self.shared.limits.masked_row_bytes:
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
        exchange.size_bytes += len(new)
        if exchange.record_left:
            self._record(exchange, new, len(payload) < FULL_PAYLOAD)
        self.shared.to_client.append(new)

    @staticmethod
    def _collect(exchange: Exchange, payload: bytes) -> None:
        if len(exchange.collected) >= _OWN_ROWS:
            raise _bad("too long an answer to a question of the gateway's own")
        cursor = Cursor(payload, peer=Peer.SERVER)
        row: list[bytes | None] = []
        while cursor.left:
            if payload[cursor.at] == LOCAL_INFILE:  # here the sign of NULL
                cursor.at += 1
                row.append(None)
            else:
                row.append(cursor.read_lenenc())
        exchange.collected.append(tuple(row))

    def _record(self, exchange: Exchange, data: bytes, whole: bool) -> None:
        """Keep a row for the record; the first that does not fit ends what is kept of this result."""
        if not whole or len(data) > exchange.record_left:
            exchange.record_left = 0
            return
        exchange.record_left -= len(data)
        self._kept.append(data)

    def _record_run(self, exchange: Exchange, run: bytes) -> None:
        """The same for rows one behind the other, as if they had come one by one."""
        at = 0
        if len(run) > exchange.record_left:
            while exchange.record_left:
                end = at + HEADER_BYTES + int.from_bytes(run[at : at + 3], "little")
                self._record(exchange, run[at:end], True)
                at = end
        else:
            self._record(exchange, run, True)

    def _give_kept(self) -> None:
        exchange = self.shared.exchange
        assert exchange is not None
        self.shared.effects.append(Rows(exchange.ticket, b"".join(self._kept)))
        self._kept = []

    # -- answers

    def _send(self, exchange: Exchange, payload: bytes) -> None:
        """The packet just counted, or one in its place that is as long as one packet."""
        if not exchange.injected and exchange.refusal is None:
            self.shared.to_client.append(frame(payload, exchange.sequence - 1 + exchange.shift))

    def _first(self, exchange: Exchange, payload: bytes) -> None:
        match payload[0]:
            case 0x00:
                self._ok(exchange, payload)
            case 0xFF:
                self._err(exchange, payload)
            case 0xFB:
                self._ask_for_file(exchange, payload)
            case _:
                cursor = Cursor(payload, peer=Peer.SERVER)
                count = cursor.read_lenenc_int()
                cursor.finish("a count of columns")
                if not 0 < count <= MOST_COLUMNS:
                    raise _bad(f"a result of {count} columns")
                exchange.left = count
                exchange.phase = Phase.DEFINITIONS
                self._send(exchange, payload)

    def _ask_for_file(self, exchange: Exchange, payload: bytes) -> None:
        """A server could ask for any file of the client: it gets the one that the statement names, once."""
        if not exchange.takes_file or len(payload) < 2 or payload[1:] not in exchange.text:
            raise _bad("the server asks for a file of the client that no statement names")
        exchange.takes_file = False
        exchange.phase = Phase.FILE
        self._send(exchange, payload)

    @staticmethod
    def _during_file(_exchange: Exchange, _payload: bytes) -> None:
        raise _bad("an answer before the client's file has ended")

    def _definition(self, exchange: Exchange, payload: bytes) -> None:
        if exchange.look or exchange.record_bytes or exchange.opens_cursor:
            exchange.columns.append(decode_column(payload))
        self._send(exchange, payload)
        exchange.left -= 1
        if exchange.left:
            return
        exchange.phase = Phase.ROWS if self._deprecates_eof else Phase.AFTER
        if exchange.look or exchange.record_bytes:
            self._describe(exchange)

    def _describe(self, exchange: Exchange) -> None:
        columns = tuple(exchange.columns)
        described = ResultDescribed(
            exchange.ticket, exchange.position, columns, exchange.binary, exchange.attachment, exchange.look
        )
        self.shared.effects.append(described)
        if exchange.look:
            self._asked = exchange

    def plan(self, plan: RowPlan | None) -> None:
        """The answer to `ResultDescribed`."""
        exchange = self._asked
        assert exchange is not None
        if plan is not None and len(plan) != len(exchange.columns):
            raise _bad("a plan for another number of columns than were described")
        self._asked = None
        exchange.plan = plan
        exchange.planned = True

    def _after_definitions(self, exchange: Exchange, payload: bytes) -> None:
        if payload[0] == ERR:
            self._err(exchange, payload)
            return
        status = self._eof(payload)
        self._send(exchange, payload)
        exchange.out_parameters = bool(status & PS_OUT_PARAMS)
        if self._opened(exchange, status):
            self._result_ended(exchange, status, exchange.position, b"CURSOR")
            return
        exchange.phase = Phase.ROWS

    @staticmethod
    def _opened(exchange: Exchange, status: int) -> bool:
        """MariaDB sets the flag as well for what a procedure selects while a cursor of its own is open: rows follow then."""
        return bool(status & CURSOR_EXISTS) and exchange.opens_cursor

    def _eof(self, payload: bytes) -> int:
        if payload[0] != EOF:
            raise _bad("something else where an EOF packet was due")
        self.shared.status = decode_eof_status(payload)
        return self.shared.status

    def _end_of_rows(self, exchange: Exchange, payload: bytes) -> None:
        if payload[0] == ERR:
            self._err(exchange, payload)
            return
        if payload[0] != EOF:
            raise _bad("something else where the end of the rows was due")
        if self._deprecates_eof:
            ok = self._status(payload)
            payload = self._for_client(ok, payload, EOF)
            status = ok.status
        else:
            status = self._eof(payload)
        self._send(exchange, payload)
        if exchange.out_parameters:
            status |= MORE_RESULTS  # MySQL says so before the rows alone
        fetched = exchange.command is Command.STMT_FETCH and status & CURSOR_EXISTS
        tag = b"CURSOR" if fetched or self._opened(exchange, status) else b"ROWS %d" % exchange.rows
        self._result_ended(exchange, status, exchange.position, tag)

    def _ok(self, exchange: Exchange, payload: bytes) -> None:
        ok = self._status(payload)
        self._send(exchange, self._for_client(ok, payload, OK))
        self._result_ended(exchange, ok.status, exchange.position, b"OK %d" % ok.affected_rows)

    def _status(self, payload: bytes) -> Ok:
        shared = self.shared
        ok = decode_ok(payload, tracks=shared.tracks_server)
        shared.status = ok.status
        if ok.state is not None:
            for name, value in state_changes(ok.state):
                shared.effects.append(ParameterChanged(name, value.decode("utf-8", "replace")))
        return ok

    def _for_client(self, ok: Ok, payload: bytes, header: int) -> bytes:
        """A client that did not ask for the session's changes would take them for the message; which may be data."""
        shared = self.shared
        words = ok.info
        if words and shared.scrub is not None:
            words = shared.scrub({"S": b"OK", "M": words}).get("M", b"")
        if words == ok.info and (shared.tracks_client or not ok.status & STATE_CHANGED):
            return payload
        return encode_ok(ok._replace(info=words), header=header, tracks=shared.tracks_client)

    def _result_ended(self, exchange: Exchange, status: int, position: int, tag: bytes) -> None:
        shared = self.shared
        if self._kept:
            self._give_kept()
        exchange.results += 1
        if self._opened(exchange, status) and exchange.prepared is not None:
            self._keep_cursor(exchange, exchange.prepared)
        if exchange.injected:
            if status & MORE_RESULTS:
                raise _bad("several answers to one question of the gateway's own")
            shared.effects.append(Answered(tuple(exchange.collected), None))
            shared.exchange = None
            return
        if exchange.ticket:
            shared.effects.append(
                Completed(exchange.ticket, position, tag, exchange.rows, exchange.size_bytes, exchange.attachment)
            )
        if status & MORE_RESULTS:
            exchange.next_result()
            return
        self._end(exchange)

    @staticmethod
    def _keep_cursor(exchange: Exchange, prepared: Prepared) -> None:
        prepared.look = exchange.look
        prepared.record_bytes = exchange.record_bytes
        prepared.cursor_plan = exchange.plan
        prepared.cursor_columns = tuple(exchange.columns)

    def _end(self, exchange: Exchange, *, failed: bool = False) -> None:
        shared = self.shared
        shared.exchange = None
        if exchange.names:
            shared.names.apply(exchange.names, failed=failed)
        if exchange.taints:
            shared.names.taint()
        if exchange.command is Command.RESET_CONNECTION and not failed:
            shared.statements.clear()
            shared.names.apply_reset()
            shared.effects.append(ConnectionReset())
        if exchange.refusal is not None:
            # what stood in for the refused command has ended, well or not
            sequence = exchange.shift + 1
            shared.to_client.append(frame(encode_err(error_of(exchange.refusal)), sequence))

    def _scrubbed(self, err: Err, text: bytes = b"") -> dict[str, bytes]:
        """`text`, what the client sent, is for the scrubber to compare with: a message may quote it."""
        fields = fields_of(err)
        if self.shared.scrub is None:
            return fields
        scrubbed = self.shared.scrub({**fields, "text": text})
        return {
            **{code: value for code, value in scrubbed.items() if code != "text"},
            "errno": fields["errno"],
            "C": fields["C"],
        }

    def _err(self, exchange: Exchange, payload: bytes) -> None:
        shared = self.shared
        if self._kept:
            self._give_kept()
        err = decode_err(payload)
        if exchange.injected:
            shared.effects.append(Answered((), err))
            shared.exchange = None
            return
        if exchange.refusal is None:
            fields = self._scrubbed(err, exchange.text)
            if shared.scrub is not None:
                payload = encode_err(Err(err.errno, err.sqlstate, fields.get("M", b"")))
            self._send(exchange, payload)
            shared.effects.append(Failed(exchange.ticket or None, fields, exchange.attachment))
        if exchange.command is Command.STMT_PREPARE:
            shared.statements.last = None
        self._end(exchange, failed=True)

    # -- prepared statements and the rest

    def _preparing(self, exchange: Exchange, payload: bytes) -> None:
        if payload[0] == ERR:
            self._err(exchange, payload)
            return
        if payload[0] != OK:
            raise _bad("a strange answer to COM_STMT_PREPARE")
        found = decode_prepare_ok(payload)
        prepared = Prepared(found.statement, exchange.text, found.parameters, found.columns, exchange.attachment)
        self.shared.statements.add(prepared)
        exchange.prepared = prepared
        self._send(exchange, payload)
        exchange.left = found.columns
        exchange.parameters_left = found.parameters
        self._next_of_prepare(exchange)

    def _next_of_prepare(self, exchange: Exchange) -> None:
        if exchange.parameters_left:
            exchange.phase = Phase.PARAMETERS
        elif exchange.left:
            exchange.phase = Phase.COLUMNS
        else:
            self.shared.effects.append(Completed(exchange.ticket, 0, b"PREPARED", 0, 0, exchange.attachment))
            self._end(exchange)

    def _parameter(self, exchange: Exchange, payload: bytes) -> None:
        self._of_prepare(exchange, payload, "parameters_left")

    def _column(self, exchange: Exchange, payload: bytes) -> None:
        self._of_prepare(exchange, payload, "left")

    def _of_prepare(self, exchange: Exchange, payload: bytes, counter: str) -> None:
        """Definitions, and behind the last one an EOF packet where the client has not agreed to do without."""
        left = getattr(exchange, counter)
        if payload[0] == ERR:
            self._err(exchange, payload)
            return
        if left > 0:
            self._send(exchange, payload)
            left = left - 1 or (0 if self._deprecates_eof else -1)
        else:
            self._eof(payload)
            self._send(exchange, payload)
            left = 0
        setattr(exchange, counter, left)
        if not left:
            self._next_of_prepare(exchange)

    def _field(self, exchange: Exchange, payload: bytes) -> None:
        if payload[0] in (ERR, EOF):
            self._single(exchange, payload)
        else:
            self._send(exchange, payload)

    def _single(self, exchange: Exchange, payload: bytes) -> None:
        if payload[0] == ERR:
            self._err(exchange, payload)
        elif payload[0] == OK:
            self._ok(exchange, payload)
        elif payload[0] == EOF and len(payload) == 5:
            status = self._eof(payload)
            self._send(exchange, payload)
            self._result_ended(exchange, status, 0, b"OK 0")
        elif payload[0] == EOF:
            ok = self._status(payload)
            self._send(exchange, self._for_client(ok, payload, EOF))
            self._result_ended(exchange, ok.status, 0, b"OK 0")
        else:
            raise _bad("a strange answer to a simple command")

    def _text(self, exchange: Exchange, payload: bytes) -> None:
        if payload[0] == ERR:
            self._err(exchange, payload)
            return
        self._send(exchange, payload)
        self._end(exchange)
