"""The client's half of a relay: commands on their way to the database.

Theory of operation. A command is read when the one before has been answered. One that carries or runs a statement becomes a
`Question`; commands that say something SQL can say as well (COM_INIT_DB, COM_FIELD_LIST, COM_PROCESS_INFO, COM_PROCESS_KILL) are
asked about in SQL's words, and go out as they came. `Forward` sends the very bytes; `Refuse` answers with an ERR packet in the
command's own sequence. Two commands have no answer (COM_STMT_CLOSE, COM_STMT_SEND_LONG_DATA).

Three things differ from forwarding bytes: MariaDB's "the statement prepared last" is given its number, so that what is judged is
what runs; types that the server has not got yet are put into an execution (see `prepared`); and long data of an execution that
was refused is taken back with COM_STMT_RESET before the client hears of the refusal, or it would be part of the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.base import Forward, Later, ProtocolError, Question, Refuse, Stage, Terminated, Verdict
from protocols.buffer import Inbox
from protocols.mysql.capabilities import Capability
from protocols.mysql.changing import LONGEST_CHANGE_BYTES, Step, UserChange
from protocols.mysql.cutting import Stream, Waiting, assemble, beginning, quoted
from protocols.mysql.exchange import ANY_SEQUENCE, Exchange, Phase
from protocols.mysql.messages import MORE_RESULTS, STATE_CHANGED, Command, Ok, encode_ok
from protocols.mysql.packets import FULL_PAYLOAD, HEADER_BYTES, Cursor, frame
from protocols.mysql.prepared import (
    CURSOR_FLAGS,
    LAST_STATEMENT,
    STATEMENT_AT,
    Bound,
    Prepared,
    declared_types,
    decode_bulk,
    decode_execute,
)
from protocols.mysql.shared import Shared

LONG_DATA_HEAD_BYTES: Final = 7  # command, statement, parameter
_SHORT_COMMAND_BYTES: Final = 4096  # of commands that carry names and numbers
_REFUSED_COMMAND: Final = {"C": b"08S01", "errno": b"1047"}  # ER_UNKNOWN_COM_ERROR
_UNKNOWN_STATEMENT: Final = {"C": b"HY000", "errno": b"1243"}  # ER_UNKNOWN_STMT_HANDLER


class Frontend:
    """Reads what the client sent; writes to `shared.to_server`."""

    __slots__ = (
        "_after_stream",
        "_file_left",
        "_handlers",
        "_inbox",
        "_last_sequence",
        "_stream",
        "_waiting",
        "change",
        "shared",
        "terminated",
    )

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._inbox = Inbox()
        self._waiting: Waiting | None = None
        self._stream: Stream | None = None
        self._after_stream: Callable[[int], None] | None = None  # given the sequence id that an answer would have
        self._last_sequence = 0
        self._file_left = 0  # bytes of the packet of a client's file that is passed on
        self.change = UserChange(shared)
        self.terminated = False
        self._handlers: dict[int, Callable[[bytes, bytes, int], None]] = {
            Command.QUIT: self._quit,
            Command.QUERY: self._query,
            Command.INIT_DB: self._init_db,
            Command.FIELD_LIST: self._field_list,
            Command.STATISTICS: self._plain,
            Command.PROCESS_INFO: self._process_info,
            Command.PROCESS_KILL: self._process_kill,
            Command.PING: self._plain,
            Command.CHANGE_USER: self._change_user,
            Command.STMT_PREPARE: self._prepare,
            Command.STMT_EXECUTE: self._execute,
            Command.STMT_BULK_EXECUTE: self._bulk_execute,
            Command.STMT_FETCH: self._fetch,
            Command.STMT_CLOSE: self._close,
            Command.STMT_RESET: self._reset_statement,
            Command.SET_OPTION: self._set_option,
            Command.RESET_CONNECTION: self._plain,
        }

    @property
    def asking(self) -> Question | None:
        return self._waiting.question if self._waiting is not None else None

    @property
    def blocked(self) -> bool:
        """Nothing more is read from the client for now, except the rest of a command that streams."""
        return (
            self._waiting is not None
            or self.terminated
            or self.change.step is Step.DECIDING
            or (self.shared.exchange is not None and self._stream is None and not self._sends_file)
        )

    @property
    def _sends_file(self) -> bool:
        exchange = self.shared.exchange
        return exchange is not None and exchange.phase is Phase.FILE

    @property
    def changing(self) -> bool:
        return self.change.step is not Step.NONE

    @property
    def at_boundary(self) -> bool:
        return self._stream is None and not self._sends_file

    @property
    def buffered_bytes(self) -> int:
        return self._inbox.size

    @property
    def answer_sequence(self) -> int:
        """What an ERR packet of the gateway's own would carry now."""
        return self._waiting.sequence if self._waiting is not None else self._last_sequence + 1

    def feed(self, data: bytes) -> None:
        self._inbox.add(data)

    def advance(self) -> None:
        shared = self.shared
        idle = self._waiting is None and self._stream is None and not self.changing
        if shared.exchange is None and shared.own and idle:
            self._ask_own()
        if self.blocked or not self._inbox.ready:
            return
        buffer = self._inbox.take()
        at = needed = 0
        while not needed:
            at, needed = self._step(buffer, at)
        self._inbox.put_back(buffer, at, needed)

    # -- cutting

    def _step(self, buffer: bytes, at: int) -> tuple[int, int]:
        """Handle what stands at `at`: where the next command begins, and how many bytes are needed to go on; 0: go on."""
        if self.blocked:
            return at, 1
        if self._stream is not None:
            at = self._run_stream(buffer, at)
            return at, 0 if self._stream is None else HEADER_BYTES
        if self.changing:
            return self.change.read(buffer, at)
        if self._sends_file:
            return self._pass_file(buffer, at)
        if self.shared.own:
            self._ask_own()
            return at, 1
        if len(buffer) - at < HEADER_BYTES + 1:
            if buffer[at : at + HEADER_BYTES] == bytes(HEADER_BYTES):
                raise ProtocolError("an empty command")
            return at, HEADER_BYTES + 1
        return self._command(buffer, at)

    def _command(self, buffer: bytes, at: int) -> tuple[int, int]:
        """Handle the command that begins at `at`."""
        length = int.from_bytes(buffer[at : at + 3], "little")
        if buffer[at + 3]:
            raise ProtocolError("a command that does not begin with sequence id 0", sqlstate="08S01")
        if not length:
            raise ProtocolError("an empty command")
        code = buffer[at + 4]
        if code == Command.STMT_SEND_LONG_DATA:
            return self._long_data(buffer, at, length)
        handler = self._handlers.get(code)
        if handler is None:
            self._discard(length, self._refuse_command(code))
            return at + HEADER_BYTES, 0
        limit = self._limit(code)
        payload, end, sequence = assemble(buffer, at, limit)
        if end < 0:
            return at, sequence
        if payload is None:
            return self._oversize(code, buffer, at, limit), 0
        self._last_sequence = sequence
        handler(buffer[at:end], payload, sequence + 1)
        return end, 0

    def _limit(self, code: int) -> int:
        limits = self.shared.limits
        if code in (Command.QUERY, Command.STMT_PREPARE):
            return limits.statement_bytes + 1
        if code in (Command.STMT_EXECUTE, Command.STMT_BULK_EXECUTE):
            return limits.bind_bytes
        if code == Command.CHANGE_USER:
            return LONGEST_CHANGE_BYTES
        return _SHORT_COMMAND_BYTES

    def _oversize(self, code: int, buffer: bytes, at: int, limit: int) -> int:
        """A command that is longer than its limit: asked about with its beginning alone, or refused."""
        length = int.from_bytes(buffer[at : at + 3], "little")
        if code in (Command.QUERY, Command.STMT_PREPARE):
            head = beginning(buffer, at, limit)
            stage = Stage.QUERY if code == Command.QUERY else Stage.PARSE
            question = Question(self.shared.next_ticket(), stage, head[1:], truncated=True, length=length)

            def ask(sequence: int) -> None:
                self._ask(Waiting(Command(code), b"", sequence, question))

            self._discard(length, ask)
            return at + HEADER_BYTES
        if code in (Command.STMT_EXECUTE, Command.STMT_BULK_EXECUTE):
            return self._stream_execution(Command(code), buffer, at, length)
        raise ProtocolError(f"a command of {length} bytes is longer than such a command can be", sqlstate="54000")

    # -- streams

    def _run_stream(self, buffer: bytes, at: int) -> int:
        stream = self._stream
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
                self._stream = None
                self._last_sequence = stream.sequence - 1 & 0xFF
                after, self._after_stream = self._after_stream, None
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

    def _pass_file(self, buffer: bytes, at: int) -> tuple[int, int]:
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

    def _discard(self, length: int, after: Callable[[int], None]) -> None:
        self._stream = Stream(length, length == FULL_PAYLOAD, 1, lambda _piece, _payload: None)
        self._after_stream = after

    def _pass_on(self, piece: bytes, _payload: bool) -> None:
        self.shared.to_server.append(piece)

    def _long_data(self, buffer: bytes, at: int, length: int) -> tuple[int, int]:
        """Runs nothing and has no answer: it goes on at once, and is kept for the execution that it belongs to."""
        if length < LONG_DATA_HEAD_BYTES:
            raise ProtocolError("COM_STMT_SEND_LONG_DATA ends early")
        begin = at + HEADER_BYTES + LONG_DATA_HEAD_BYTES
        if len(buffer) < begin:
            return at, begin - at
        head = Cursor(buffer, at + HEADER_BYTES + STATEMENT_AT)
        prepared = self.shared.statements.find(head.read_int(4))
        parameter = head.read_int(2)
        left = length - LONG_DATA_HEAD_BYTES
        if prepared is None or parameter >= prepared.parameters:
            # the server would remember the mistake until the execution; it cannot be executed rightly in any case
            self._stream = Stream(left, length == FULL_PAYLOAD, 1, lambda _piece, _payload: None)
            return begin, 0
        header = buffer[at : at + HEADER_BYTES + STATEMENT_AT]
        self.shared.to_server.append(header + prepared.number.to_bytes(4, "little") + parameter.to_bytes(2, "little"))
        kept, limit = prepared, self.shared.limits.bind_bytes
        statements = self.shared.statements
        statements.keep_long_data(kept, parameter, b"", limit)

        def sink(piece: bytes, payload: bool) -> None:
            if payload:
                statements.keep_long_data(kept, parameter, piece, limit)
            self.shared.to_server.append(piece)

        self._stream = Stream(left, length == FULL_PAYLOAD, 1, sink)
        return begin, 0

    # -- asking and answering

    def _ask(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self.shared.effects.append(waiting.question)

    def _ask_text(self, command: Command, text: bytes, packets: bytes, sequence: int) -> None:
        question = Question(self.shared.next_ticket(), Stage.QUERY, text, length=len(packets))
        self._ask(Waiting(command, packets, sequence, question))

    def _ask_own(self) -> None:
        shared = self.shared
        text = shared.own.popleft()
        shared.to_server.append(frame(bytes((Command.QUERY,)) + text))
        shared.exchange = Exchange(Command.QUERY, 1, injected=True)

    def decide(self, ticket: int, verdict: Verdict) -> None:
        waiting = self._waiting
        if waiting is None or waiting.question.ticket != ticket:
            raise AssertionError("a verdict for a question that is not open")
        match verdict:
            case Forward():
                if waiting.question.truncated and waiting.question.stage is not Stage.BIND:
                    raise AssertionError("a statement that was not seen whole cannot be allowed")
                self._waiting = None
                self._forward(waiting, verdict)
            case Refuse():
                self._waiting = None
                self._refuse(waiting, verdict)
            case Later():
                raise AssertionError("nothing is in flight that could change what a question means")

    def give_file(self) -> None:
        assert self._waiting is not None
        self._waiting.gives_file = True

    def answer_ok(self, ticket: int) -> None:
        waiting = self._waiting
        if waiting is None or waiting.question.ticket != ticket:
            raise AssertionError("an answer to a question that is not open")
        self._waiting = None
        status = self.shared.status & ~(STATE_CHANGED | MORE_RESULTS)
        self._last_sequence = waiting.sequence - 1
        self.shared.to_client.append(frame(encode_ok(Ok(0, 0, status, 0, b"", None)), waiting.sequence))

    def _refuse(self, waiting: Waiting, verdict: Refuse) -> None:
        prepared = waiting.prepared
        if waiting.bound is not None and waiting.bound.declared is not None and prepared is not None:
            prepared.types = waiting.bound.declared  # the client will not send them again
        if self._stream is not None:
            # a streamed execution: what is still to come of it is thrown away before the answer
            self._stream.sink = lambda _piece, _payload: None
            self._after_stream = lambda sequence: self._refuse_now(verdict, sequence, prepared)
            return
        self._refuse_now(verdict, waiting.sequence, prepared if waiting.command is not Command.STMT_FETCH else None)

    def _refuse_now(self, verdict: Refuse, sequence: int, prepared: Prepared | None) -> None:
        shared = self.shared
        self._last_sequence = sequence - 1
        if prepared is None or not prepared.long_data:
            shared.refuse(verdict, sequence)
            return
        self.shared.statements.forget_long_data(prepared)
        reset = bytes((Command.STMT_RESET,)) + prepared.number.to_bytes(4, "little")
        shared.to_server.append(frame(reset))
        shared.exchange = Exchange(Command.STMT_RESET, 1, refusal=verdict.fields)
        shared.exchange.shift = sequence - 1

    def _forward(self, waiting: Waiting, verdict: Forward) -> None:
        shared = self.shared
        question, prepared, bound = waiting.question, waiting.prepared, waiting.bound
        if bound is not None and prepared is not None and bound.declared is not None:
            prepared.types = prepared.known_types = bound.declared
        shared.to_server.append(waiting.packets)
        shared.exchange = Exchange(
            waiting.command,
            waiting.sequence,
            question.ticket,
            attachment=verdict.attachment,
            look=verdict.look,
            record_bytes=verdict.record_bytes,
            names=verdict.names,
            taints=verdict.taints,
            prepared=prepared,
            text=question.text or b"",
        )
        shared.exchange.opens_cursor = waiting.opens_cursor
        shared.exchange.takes_file = waiting.gives_file
        if waiting.command is Command.STMT_FETCH and prepared is not None:
            self._continue_cursor(shared.exchange, prepared, shared.epoch)
            shared.exchange.look = shared.exchange.look or verdict.look
        elif prepared is not None:
            prepared.epoch = shared.epoch
            prepared.ticket = question.ticket
            self.shared.statements.forget_long_data(prepared)

    # -- commands; each is given its packets, its payload, and the sequence id of an answer

    def _start(self, command: Command, packets: bytes, sequence: int, prepared: Prepared | None = None) -> Exchange:
        """Forward a command that asks for no statement."""
        self.shared.to_server.append(packets)
        exchange = Exchange(command, sequence, prepared=prepared)
        self.shared.exchange = exchange
        return exchange

    def _answer(self, fields: dict[str, bytes], message: bytes, sequence: int) -> None:
        self.shared.refuse(Refuse({**fields, "M": message}), sequence)

    def _refuse_command(self, code: int) -> Callable[[int], None]:
        text = b"wireproxy: command %#x is not relayed" % code
        return lambda sequence: self._answer(_REFUSED_COMMAND, text, sequence)

    def _change_user(self, _packets: bytes, payload: bytes, sequence: int) -> None:
        self.change.begin(payload, sequence)

    def _quit(self, packets: bytes, _payload: bytes, _sequence: int) -> None:
        self.terminated = True
        self.shared.to_server.append(packets)
        self.shared.effects.append(Terminated())

    def _plain(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if len(payload) != 1:
            raise ProtocolError("a command is longer than its contents")
        self._start(Command(payload[0]), packets, sequence)

    def _query(self, packets: bytes, payload: bytes, sequence: int) -> None:
        self._ask_text(Command.QUERY, payload[1:], packets, sequence)

    def _init_db(self, packets: bytes, payload: bytes, sequence: int) -> None:
        self._ask_text(Command.INIT_DB, b"USE " + quoted(payload[1:]), packets, sequence)

    def _field_list(self, packets: bytes, payload: bytes, sequence: int) -> None:
        table = Cursor(payload, 1).read_cstring()
        self._ask_text(Command.FIELD_LIST, b"SHOW COLUMNS FROM " + quoted(table), packets, sequence)

    def _process_info(self, packets: bytes, _payload: bytes, sequence: int) -> None:
        self._ask_text(Command.PROCESS_INFO, b"SHOW PROCESSLIST", packets, sequence)

    def _process_kill(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if len(payload) != 5:
            raise ProtocolError("COM_PROCESS_KILL has another length than its contents")
        self._ask_text(Command.PROCESS_KILL, b"KILL %d" % Cursor(payload, 1).read_int(4), packets, sequence)

    def _set_option(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if len(payload) != 3:
            raise ProtocolError("COM_SET_OPTION has another length than its contents")
        self._start(Command.SET_OPTION, packets, sequence)

    # -- prepared statements

    def _prepare(self, packets: bytes, payload: bytes, sequence: int) -> None:
        shared = self.shared
        statements, limits = shared.statements, shared.limits
        if (
            len(statements.by_number) >= limits.prepared_statements
            or statements.text_bytes + len(payload) > limits.prepared_bytes
        ):
            self._answer(
                {"C": b"42000", "errno": b"1461"},
                b"wireproxy: more prepared statements than prepared_statements allows",
                sequence,
            )
            return
        question = Question(shared.next_ticket(), Stage.PARSE, payload[1:], length=len(packets))
        self._ask(Waiting(Command.STMT_PREPARE, packets, sequence, question))

    def _statement(self, payload: bytes, sequence: int) -> Prepared | None:
        """The statement that a command names; None: the client was told that there is none."""
        number = Cursor(payload, STATEMENT_AT).read_int(4)
        prepared = self.shared.statements.find(number)
        if prepared is None:
            self._answer(
                _UNKNOWN_STATEMENT, b"Unknown prepared statement handler (%d) given to the gateway" % number, sequence
            )
        return prepared

    def _execute(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if len(payload) < 10:
            raise ProtocolError("COM_STMT_EXECUTE ends early")
        if payload[5] & ~CURSOR_FLAGS:
            raise ProtocolError("COM_STMT_EXECUTE with unknown flags")
        self._ask_execution(Command.STMT_EXECUTE, packets, payload, sequence, decode_execute)

    def _bulk_execute(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if not self.shared.capabilities & Capability.BULK:
            self._refuse_command(Command.STMT_BULK_EXECUTE)(sequence)
            return
        self._ask_execution(Command.STMT_BULK_EXECUTE, packets, payload, sequence, decode_bulk)

    def _ask_execution(
        self,
        command: Command,
        packets: bytes,
        payload: bytes,
        sequence: int,
        decode: Callable[[bytes, Prepared], Bound],
    ) -> None:
        prepared = self._statement(payload, sequence)
        if prepared is None:
            return
        bound = decode(payload, prepared)
        if bound.payload is not payload or int.from_bytes(payload[1:5], "little") == LAST_STATEMENT:
            new = bound.payload[:1] + prepared.number.to_bytes(4, "little") + bound.payload[5:]
            packets = frame(new)
        cut = prepared.long_cut
        question = Question(
            self.shared.next_ticket(),
            Stage.BIND,
            prepared.text,
            b"%d" % prepared.number,
            None if cut else bound.parameters,
            () if cut else bound.formats,
            () if cut else bound.types,
            prepared.attachment,
            cut,
            len(packets) + prepared.long_bytes,
        )
        opens_cursor = command is Command.STMT_EXECUTE and payload[5] != 0
        self._ask(Waiting(command, packets, sequence, question, prepared, bound, opens_cursor=opens_cursor))

    def _stream_execution(self, command: Command, buffer: bytes, at: int, length: int) -> int:
        """Only its statement is known: its values are longer than bind_bytes. It streams if it is allowed so."""
        payload = buffer[at + HEADER_BYTES : at + HEADER_BYTES + 16]
        prepared = self.shared.statements.find(Cursor(payload, STATEMENT_AT).read_int(4))
        if prepared is None or (
            command is Command.STMT_BULK_EXECUTE and not self.shared.capabilities & Capability.BULK
        ):
            number = int.from_bytes(payload[1:5], "little")
            text = b"Unknown prepared statement handler (%d) given to the gateway" % number
            self._discard(length, lambda sequence: self._answer(_UNKNOWN_STATEMENT, text, sequence))
            return at + HEADER_BYTES
        if prepared.known_types != prepared.types:
            raise ProtocolError("an execution too long to be given the types that it lacks", sqlstate="54000")
        question = Question(
            self.shared.next_ticket(), Stage.BIND, prepared.text, b"%d" % prepared.number, attachment=prepared.attachment,
            truncated=True, length=length,
        )  # fmt: skip
        head = buffer[at : at + HEADER_BYTES + STATEMENT_AT] + prepared.number.to_bytes(4, "little")
        begin = at + HEADER_BYTES
        bound = Bound((), (), (), declared_types(buffer[begin : begin + length], prepared), b"")
        self._stream = Stream(length - 5, length == FULL_PAYLOAD, 1, self._pass_on)
        opens_cursor = command is Command.STMT_EXECUTE and payload[5] != 0
        self._ask(Waiting(command, head, ANY_SEQUENCE, question, prepared, bound, opens_cursor=opens_cursor))
        return at + len(head)

    def _fetch(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if len(payload) != 9:
            raise ProtocolError("COM_STMT_FETCH has another length than its contents")
        prepared = self._statement(payload, sequence)
        if prepared is None:
            return
        if payload[1:5] != prepared.number.to_bytes(4, "little"):
            packets = frame(payload[:1] + prepared.number.to_bytes(4, "little") + payload[5:])
        if prepared.epoch == self.shared.epoch:
            self._continue_cursor(
                self._start(Command.STMT_FETCH, packets, sequence, prepared), prepared, self.shared.epoch
            )
            return
        question = Question(
            self.shared.next_ticket(), Stage.EXECUTE, prepared.text, b"%d" % prepared.number,
            attachment=prepared.attachment, length=len(packets),
        )  # fmt: skip
        self._ask(Waiting(Command.STMT_FETCH, packets, sequence, question, prepared))

    @staticmethod
    def _continue_cursor(exchange: Exchange, prepared: Prepared, epoch: int) -> None:
        """Rows of a cursor are of the result that its execution described."""
        exchange.ticket = exchange.ticket or prepared.ticket
        exchange.look = prepared.look
        exchange.plan = prepared.cursor_plan
        exchange.planned = prepared.epoch == epoch
        exchange.columns = list(prepared.cursor_columns)
        exchange.record_left = prepared.record_bytes

    def _close(self, _packets: bytes, payload: bytes, _sequence: int) -> None:
        number = Cursor(payload, STATEMENT_AT).read_int(4)
        prepared = self.shared.statements.find(number)
        if prepared is None:
            return
        self.shared.statements.close(prepared.number)
        self.shared.to_server.append(frame(payload[:1] + prepared.number.to_bytes(4, "little")))

    def _reset_statement(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if len(payload) != 5:
            raise ProtocolError("COM_STMT_RESET has another length than its contents")
        prepared = self._statement(payload, sequence)
        if prepared is None:
            return
        self.shared.statements.forget_long_data(prepared)
        if payload[1:5] != prepared.number.to_bytes(4, "little"):
            packets = frame(payload[:1] + prepared.number.to_bytes(4, "little"))
        self._start(Command.STMT_RESET, packets, sequence, prepared)
