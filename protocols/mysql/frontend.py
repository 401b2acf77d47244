"""The client's half of a relay: commands on their way to the database.

Theory of operation. A command is read when the one before has been answered. One that carries or runs a statement becomes a
`Question` (see `asking`); commands that say something SQL can say as well (COM_INIT_DB, COM_FIELD_LIST, COM_PROCESS_INFO,
COM_PROCESS_KILL) are asked about in SQL's words, and go out as they came. What concerns prepared statements is in `executing`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.base import ProtocolError, Question, Stage, Terminated
from protocols.buffer import Inbox
from protocols.mysql.asking import Asking
from protocols.mysql.attributes import decode_query, encode_query
from protocols.mysql.changing import LONGEST_CHANGE_BYTES, Step, UserChange
from protocols.mysql.cutting import Waiting, assemble, beginning, quoted
from protocols.mysql.exchange import Exchange
from protocols.mysql.executing import Executing
from protocols.mysql.messages import Command
from protocols.mysql.packets import HEADER_BYTES, Cursor, frame
from protocols.mysql.shared import Shared
from protocols.mysql.streaming import Streaming

_TEXTS: Final = frozenset({Command.QUERY, Command.STMT_PREPARE})  # commands that are a statement's text
_EXECUTIONS: Final = frozenset({Command.STMT_EXECUTE, Command.STMT_BULK_EXECUTE})
_QUERY: Final = Command.QUERY
_LONG_DATA: Final = int(Command.STMT_SEND_LONG_DATA)
_NO_CHANGE: Final = Step.NONE
_DECIDING: Final = Step.DECIDING
_SHORT_COMMAND_BYTES: Final = 4096  # of commands that carry names and numbers


class Frontend:
    """Reads what the client sent; writes to `shared.to_server`."""

    __slots__ = ("_executing", "_handlers", "_inbox", "_streaming", "change", "questions", "shared", "terminated")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._inbox = Inbox()
        self._streaming = Streaming(shared)
        self.questions = Asking(shared, self._streaming)
        self._executing = Executing(shared, self.questions, self._streaming)
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
            Command.STMT_PREPARE: self._executing.prepare,
            Command.STMT_EXECUTE: self._executing.execute,
            Command.STMT_BULK_EXECUTE: self._executing.bulk_execute,
            Command.STMT_FETCH: self._executing.fetch,
            Command.STMT_CLOSE: self._executing.close,
            Command.STMT_RESET: self._executing.reset_statement,
            Command.SET_OPTION: self._set_option,
            Command.RESET_CONNECTION: self._plain,
        }

    @property
    def asking(self) -> Question | None:
        waiting = self.questions.waiting
        return waiting.question if waiting is not None else None

    @property
    def blocked(self) -> bool:
        """Nothing more is read from the client for now, except the rest of a command that streams."""
        return (
            self.questions.waiting is not None
            or self.terminated
            or self.change.step is _DECIDING
            or (self.shared.exchange is not None and not self._streaming.runs and not self._streaming.sends_file)
        )

    @property
    def changing(self) -> bool:
        return self.change.step is not _NO_CHANGE

    @property
    def at_boundary(self) -> bool:
        return not self._streaming.runs and not self._streaming.file_is_open

    @property
    def buffered_bytes(self) -> int:
        return self._inbox.size

    @property
    def answer_sequence(self) -> int:
        """What an ERR packet of the gateway's own would carry now."""
        waiting = self.questions.waiting
        return waiting.sequence + waiting.told if waiting is not None else self._streaming.last_sequence + 1

    def end_file(self, filler: bytes) -> None:
        self._streaming.end_file(filler)

    def feed(self, data: bytes) -> None:
        self._inbox.add(data)

    def advance(self) -> None:
        shared = self.shared
        idle = self.questions.waiting is None and not self._streaming.runs and not self.changing
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
        if self._streaming.runs:
            at = self._streaming.run(buffer, at)
            return at, HEADER_BYTES if self._streaming.runs else 0
        if self.changing:
            return self.change.read(buffer, at)
        if self._streaming.sends_file:
            return self._streaming.pass_file(buffer, at)
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
        if code == _LONG_DATA:
            return self._executing.long_data(buffer, at, length)
        handler = self._handlers.get(code)
        if handler is None:
            self._streaming.discard(length, lambda sequence: self.questions.refuse_command(code, sequence))
            return at + HEADER_BYTES, 0
        limit = self._limit(code)
        payload, end, sequence = assemble(buffer, at, limit)
        if end < 0:
            return at, sequence
        if payload is None:
            return self._oversize(code, buffer, at, limit), 0
        self._streaming.last_sequence = sequence
        handler(buffer[at:end], payload, sequence + 1)
        return end, 0

    def _limit(self, code: int) -> int:
        limits = self.shared.limits
        if code in _TEXTS:
            return limits.statement_bytes + 1
        if code in _EXECUTIONS:
            return limits.bind_bytes
        if code == Command.CHANGE_USER:
            return LONGEST_CHANGE_BYTES
        return _SHORT_COMMAND_BYTES

    def _oversize(self, code: int, buffer: bytes, at: int, limit: int) -> int:
        """A command that is longer than its limit: asked about with its beginning alone, or refused."""
        length = int.from_bytes(buffer[at : at + 3], "little")
        if code in _TEXTS:
            head = beginning(buffer, at, limit)
            stage = Stage.QUERY if code == Command.QUERY else Stage.PARSE
            text = head[1:]
            if code == Command.QUERY and self.shared.names_of_client:
                text = head[decode_query(head)[1] :]
            question = Question(self.shared.next_ticket(), stage, text, truncated=True, length=length)

            def ask(sequence: int) -> None:
                self.questions.ask(Waiting(Command(code), b"", sequence, question))

            self._streaming.discard(length, ask)
            return at + HEADER_BYTES
        if code in _EXECUTIONS:
            return self._executing.stream_execution(Command(code), buffer, at, length)
        raise ProtocolError(f"a command of {length} bytes is longer than such a command can be", sqlstate="54000")

    # -- commands; each is given its packets, its payload, and the sequence id of an answer

    def _ask_own(self) -> None:
        shared = self.shared
        text = shared.own.popleft()
        shared.to_server.append(
            frame((encode_query(()) if shared.names_for_server else bytes((Command.QUERY,))) + text)
        )
        shared.exchange = Exchange(Command.QUERY, 1, injected=True)

    def _change_user(self, _packets: bytes, payload: bytes, sequence: int) -> None:
        self.change.begin(payload, sequence)

    def _quit(self, packets: bytes, _payload: bytes, _sequence: int) -> None:
        self.terminated = True
        self.shared.to_server.append(packets)
        self.shared.effects.append(Terminated())

    def _plain(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if len(payload) != 1:
            raise ProtocolError("a command is longer than its contents")
        self.questions.start(Command(payload[0]), packets, sequence)

    def _query(self, packets: bytes, payload: bytes, sequence: int) -> None:
        self.questions.ask_query(packets, payload, sequence)

    def _init_db(self, packets: bytes, payload: bytes, sequence: int) -> None:
        self.questions.ask_text(Command.INIT_DB, b"USE " + quoted(payload[1:]), packets, sequence)

    def _field_list(self, packets: bytes, payload: bytes, sequence: int) -> None:
        table = Cursor(payload, 1).read_cstring()
        self.questions.ask_text(Command.FIELD_LIST, b"SHOW COLUMNS FROM " + quoted(table), packets, sequence)

    def _process_info(self, packets: bytes, _payload: bytes, sequence: int) -> None:
        self.questions.ask_text(Command.PROCESS_INFO, b"SHOW PROCESSLIST", packets, sequence)

    def _process_kill(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if len(payload) != 5:
            raise ProtocolError("COM_PROCESS_KILL has another length than its contents")
        self.questions.ask_text(Command.PROCESS_KILL, b"KILL %d" % Cursor(payload, 1).read_int(4), packets, sequence)

    def _set_option(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if len(payload) != 3:
            raise ProtocolError("COM_SET_OPTION has another length than its contents")
        self.questions.start(Command.SET_OPTION, packets, sequence)
