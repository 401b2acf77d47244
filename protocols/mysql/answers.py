"""Packets of the server that are no rows, each handled by the phase of the exchange in which it comes (see `exchange`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.base import Completed, Detected, Failed, ParameterChanged
from protocols.detecting import cleaned
from protocols.mysql import describing, progress
from protocols.mysql.describing import Gathered
from protocols.mysql.exchange import Exchange, Phase
from protocols.mysql.heading import Heading, bad
from protocols.mysql.keeping import KeptRows
from protocols.mysql.messages import (
    CURSOR_EXISTS,
    EOF,
    ERR,
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
    known_changes,
    state_changes,
)
from protocols.mysql.packets import frame
from protocols.mysql.prepared import Prepared
from protocols.mysql.shared import Answered, ConnectionReset, Shared

_ROWS: Final = Phase.ROWS
_FETCH: Final = Command.STMT_FETCH
_RESET: Final = Command.RESET_CONNECTION
PREPARE_OK_BYTES: Final = 12


class Answers:
    """The server's packets one by one, whole."""

    __slots__ = ("_handlers", "deprecates_eof", "heading", "kept", "shared")

    def __init__(self, shared: Shared, kept: KeptRows, heading: Heading) -> None:
        self.shared = shared
        self.kept = kept
        self.heading = heading
        self.deprecates_eof = heading.deprecates_eof
        self._handlers: dict[Phase, Callable[[Exchange, bytes], None]] = {
            Phase.FIRST: self._first,
            Phase.DEFINITIONS: self.heading.definition,
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

    def handle(self, exchange: Exchange, payload: bytes) -> None:
        if payload[:3] == progress.HEAD and exchange.phase is not Phase.FILE:
            self._progress(exchange, payload)
            return
        self._handlers[exchange.phase](exchange, payload)

    def _progress(self, exchange: Exchange, payload: bytes) -> None:
        shared = self.shared
        if not shared.progress_of_server or exchange.phase is Phase.DEFINITIONS:
            raise bad("a progress report that nobody asked for")
        if shared.scrub is not None or shared.detector is not None:
            payload = progress.fixed_words_only(payload)
        self.shared.pass_on(exchange, payload)

    def _first(self, exchange: Exchange, payload: bytes) -> None:
        match payload[0]:
            case 0x00:
                self._ok(exchange, payload)
            case 0xFF:
                self._err(exchange, payload)
            case 0xFB:
                self._ask_for_file(exchange, payload)
            case _:
                self.heading.count(exchange, payload)

    def _ask_for_file(self, exchange: Exchange, payload: bytes) -> None:
        """A server could ask for any file of the client: it gets the one that the statement names, once."""
        if not exchange.takes_file or len(payload) < 2 or payload[1:] not in exchange.text:
            raise bad("the server asks for a file of the client that no statement names")
        exchange.takes_file = False
        exchange.phase = Phase.FILE
        self.shared.pass_on(exchange, payload)

    @staticmethod
    def _during_file(_exchange: Exchange, _payload: bytes) -> None:
        raise bad("an answer before the client's file has ended")

    def _after_definitions(self, exchange: Exchange, payload: bytes) -> None:
        if payload[0] == ERR:
            self._err(exchange, payload)
            return
        status = self._eof(payload)
        self.shared.pass_on(exchange, payload)
        exchange.out_parameters = bool(status & PS_OUT_PARAMS)
        self.heading.ended(exchange, payload, status)
        if self._opened(exchange, status):
            self._result_ended(exchange, status, exchange.position, b"CURSOR")
            return
        exchange.phase = _ROWS

    @staticmethod
    def _opened(exchange: Exchange, status: int) -> bool:
        """MariaDB sets the flag as well for what a procedure selects while a cursor of its own is open: rows follow then."""
        return bool(status & CURSOR_EXISTS) and exchange.opens_cursor

    def _eof(self, payload: bytes) -> int:
        if payload[0] != EOF:
            raise bad("something else where an EOF packet was due")
        self.shared.status = decode_eof_status(payload)
        return self.shared.status

    def _end_of_rows(self, exchange: Exchange, payload: bytes) -> None:
        if payload[0] == ERR:
            self._err(exchange, payload)
            return
        if payload[0] != EOF:
            raise bad("something else where the end of the rows was due")
        if self.deprecates_eof:
            ok = self._status(exchange, payload)
            payload = self._for_client(ok, payload, EOF)
            status = ok.status
        else:
            status = self._eof(payload)
        self.shared.pass_on(exchange, payload)
        if exchange.out_parameters:
            status |= MORE_RESULTS  # MySQL says so before the rows alone
        fetched = exchange.command is _FETCH and status & CURSOR_EXISTS
        tag = b"CURSOR" if fetched or self._opened(exchange, status) else b"ROWS %d" % exchange.rows
        self._result_ended(exchange, status, exchange.position, tag)

    # -- the end of a result, and of an answer

    def _ok(self, exchange: Exchange, payload: bytes) -> None:
        if exchange.stopped:
            raise bad("a file that was stopped has been taken")
        ok = self._status(exchange, payload)
        self.shared.pass_on(exchange, self._for_client(ok, payload, OK))
        self._result_ended(exchange, ok.status, exchange.position, b"OK %d" % ok.affected_rows)

    def _status(self, exchange: Exchange, payload: bytes) -> Ok:
        shared = self.shared
        ok = decode_ok(payload, tracks=shared.tracks_server)
        shared.status = ok.status
        if ok.state is not None:
            for name, value in state_changes(ok.state):
                if exchange.injected and name == describing.VARIABLE:
                    continue  # set back by the gateway; what the client wants is as it was
                shared.effects.append(ParameterChanged(name, value.decode("utf-8", "replace")))
        return ok

    def _for_client(self, ok: Ok, payload: bytes, header: int) -> bytes:
        """A client that did not ask for the session's changes would take them for the message; which may be data."""
        shared = self.shared
        words, state = ok.info, ok.state
        if shared.scrub is not None:
            if words:
                words = shared.scrub({"S": b"OK", "M": words}).get("M", b"")
            if state:
                state = known_changes(state)
        if words == ok.info and state == ok.state and (shared.tracks_client or not ok.status & STATE_CHANGED):
            return payload
        return encode_ok(ok._replace(info=words, state=state), header=header, tracks=shared.tracks_client)

    def _result_ended(self, exchange: Exchange, status: int, position: int, tag: bytes) -> None:
        shared = self.shared
        self.kept.give()
        exchange.results += 1
        if self._opened(exchange, status) and exchange.prepared is not None:
            self._keep_cursor(exchange, exchange.prepared)
        if exchange.injected:
            if status & MORE_RESULTS:
                raise bad("several answers to one question of the gateway's own")
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
        prepared.cursor_columns = exchange.columns

    def _end(self, exchange: Exchange, *, failed: bool = False) -> None:
        shared = self.shared
        shared.exchange = None
        if exchange.names:
            shared.names.apply(exchange.names, failed=failed)
        if exchange.taints:
            shared.names.taint()
        if exchange.command is _RESET and not failed:
            shared.statements.clear()
            shared.names.apply_reset()
            shared.describes = True
            shared.effects.append(ConnectionReset())
        if exchange.refusal is not None:
            # what stood in for the refused command has ended, well or not
            sequence = exchange.shift + 1
            shared.to_client.append(frame(encode_err(error_of(exchange.refusal)), sequence))

    def _err(self, exchange: Exchange, payload: bytes) -> None:
        shared = self.shared
        self.kept.give()
        err = decode_err(payload)
        if exchange.injected:
            shared.effects.append(Answered((), err))
            shared.exchange = None
            return
        if exchange.refusal is None:
            fields = self.heard(exchange.ticket, err, exchange.own)
            full = None if fields.get("M", b"") == err.message else fields_of(err)
            if shared.scrub is not None or shared.detector is not None:
                payload = encode_err(Err(err.errno, err.sqlstate, fields.get("M", b"")))
            self.shared.pass_on(exchange, payload)
            shared.effects.append(Failed(exchange.ticket or None, fields, exchange.attachment, full))
        elif exchange.stopped:
            shared.effects.append(Failed(exchange.ticket or None, exchange.refusal, exchange.attachment))
        if exchange.command is Command.STMT_PREPARE:
            shared.statements.last = None
        if exchange.prepared is not None and exchange.command in (Command.STMT_EXECUTE, Command.STMT_BULK_EXECUTE):
            exchange.prepared.known_types = (
                None  # how far it came is not said: the next execution brings its types again
            )
        self._end(exchange, failed=True)

    def heard(self, ticket: int, err: Err, text: bytes = b"") -> dict[str, bytes]:
        """What passes of an error."""
        fields = self.scrubbed(err, text)
        detector = self.shared.detector
        found = None if detector is None else cleaned({"M": fields.get("M", b"")}, detector)
        if found is None:
            return fields
        self.shared.effects.append(Detected(ticket, found[1]))
        return {**fields, **found[0]}

    def scrubbed(self, err: Err, text: bytes = b"") -> dict[str, bytes]:
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

    # -- prepared statements and the rest

    def _preparing(self, exchange: Exchange, payload: bytes) -> None:
        if payload[0] == ERR:
            self._err(exchange, payload)
            return
        if payload[0] != OK:
            raise bad("a strange answer to COM_STMT_PREPARE")
        if len(payload) != PREPARE_OK_BYTES + self.shared.marked_by_server:
            raise bad("the answer to COM_STMT_PREPARE has another length than its contents")
        found = decode_prepare_ok(payload)
        prepared = Prepared(found.statement, exchange.text, found.parameters, found.columns, exchange.attachment)
        prepared.waits = exchange.waits
        self.shared.statements.add(prepared)
        exchange.prepared = prepared
        described = True
        told = payload
        if self.shared.marked_by_server:
            described = self.heading.read_mark(payload[-1])
            told = payload[:-1]
            if not described:
                self.shared.effects.append(ParameterChanged(describing.VARIABLE, "NONE"))
        if self.shared.marks_statements_for_client:
            exchange.described = described and self.shared.describes
            told += describing.FULL if exchange.described else describing.NONE
        self.shared.pass_on(exchange, told)
        # descriptions to come, or -1 where only the EOF packet behind them does
        none = 0 if self.deprecates_eof else -1
        exchange.left = found.columns if described else none if found.columns else 0
        exchange.parameters_left = found.parameters if described else none if found.parameters else 0
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
            decode_column(payload)  # what is no definition does not leave as one
            self.heading.tell(exchange, payload)
            if counter == "left" and self.shared.caches:
                self._note_described(exchange, payload, left)
            left = left - 1 or (0 if self.deprecates_eof else -1)
        else:
            self._eof(payload)
            self.shared.pass_on(exchange, payload)
            left = 0
        setattr(exchange, counter, left)
        if not left:
            self._next_of_prepare(exchange)

    @staticmethod
    def _note_described(exchange: Exchange, definition: bytes, left: int) -> None:
        """The columns of a statement as the client is told of them when it is prepared."""
        prepared = exchange.prepared
        assert prepared is not None
        if exchange.gathered is None:
            exchange.gathered = Gathered(b"", 0)
        elif exchange.gathered.size_bytes > describing.GATHERED_BYTES:
            return  # too long to be compared: nothing more of them is kept
        if exchange.gathered.add(definition) and left == 1:
            prepared.described = describing.digest(exchange.gathered.definitions)

    def _field(self, exchange: Exchange, payload: bytes) -> None:
        if payload[0] in (ERR, EOF):
            self._single(exchange, payload)
        else:
            decode_column(payload, default=True)
            self.shared.pass_on(exchange, payload)

    def _single(self, exchange: Exchange, payload: bytes) -> None:
        if payload[0] == ERR:
            self._err(exchange, payload)
        elif payload[0] == OK:
            self._ok(exchange, payload)
        elif payload[0] == EOF and len(payload) == 5:
            status = self._eof(payload)
            self.shared.pass_on(exchange, payload)
            self._result_ended(exchange, status, 0, b"OK 0")
        elif payload[0] == EOF:
            ok = self._status(exchange, payload)
            self.shared.pass_on(exchange, self._for_client(ok, payload, EOF))
            self._result_ended(exchange, ok.status, 0, b"OK 0")
        else:
            raise bad("a strange answer to a simple command")

    def _text(self, exchange: Exchange, payload: bytes) -> None:
        if payload[0] == ERR:
            self._err(exchange, payload)
            return
        self.shared.pass_on(exchange, payload)
        self._end(exchange)
