"""Commands about prepared statements, on their way to the database.

MariaDB's "the statement prepared last" is given its number, so that what is judged is what runs; types that the server has not got
yet are put into an execution (see `prepared`). Two commands have no answer (COM_STMT_CLOSE, COM_STMT_SEND_LONG_DATA).

Spec: MySQL, "Prepared Statements"; MariaDB, "COM_STMT_BULK_EXECUTE".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.base import ProtocolError, Question, Stage
from protocols.mysql.asking import Asking
from protocols.mysql.attributes import COUNT_AVAILABLE, declared_in_beginning, with_names, without_names
from protocols.mysql.capabilities import Capability
from protocols.mysql.cutting import Stream, Waiting
from protocols.mysql.exchange import ANY_SEQUENCE
from protocols.mysql.messages import Command
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
from protocols.mysql.streaming import Streaming

_BIND: Final = Stage.BIND
_EXECUTE: Final = Command.STMT_EXECUTE
LONG_DATA_HEAD_BYTES: Final = 7  # command, statement, parameter
_UNKNOWN_STATEMENT: Final = {"C": b"HY000", "errno": b"1243"}  # ER_UNKNOWN_STMT_HANDLER


class Executing:
    """Each command is given its packets, its payload, and the sequence id of an answer."""

    __slots__ = ("_asking", "_streaming", "shared")

    def __init__(self, shared: Shared, asking: Asking, streaming: Streaming) -> None:
        self.shared = shared
        self._asking = asking
        self._streaming = streaming

    def prepare(self, packets: bytes, payload: bytes, sequence: int) -> None:
        shared = self.shared
        statements, limits = shared.statements, shared.limits
        if (
            len(statements.by_number) >= limits.prepared_statements
            or statements.text_bytes + len(payload) > limits.prepared_bytes
        ):
            self._asking.answer(
                {"C": b"42000", "errno": b"1461"},
                b"wireproxy: more prepared statements than prepared_statements allows",
                sequence,
            )
            return
        question = Question(shared.next_ticket(), Stage.PARSE, payload[1:], length=len(packets))
        self._asking.ask(Waiting(Command.STMT_PREPARE, packets, sequence, question))

    def _statement(self, payload: bytes, sequence: int) -> Prepared | None:
        """The statement that a command names; None: the client was told that there is none."""
        number = Cursor(payload, STATEMENT_AT).read_int(4)
        prepared = self.shared.statements.find(number)
        if prepared is None:
            self._asking.answer(
                _UNKNOWN_STATEMENT, b"Unknown prepared statement handler (%d) given to the gateway" % number, sequence
            )
        return prepared

    def execute(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if len(payload) < 10:
            raise ProtocolError("COM_STMT_EXECUTE ends early")
        if payload[5] & ~(CURSOR_FLAGS | (COUNT_AVAILABLE if self.shared.names_of_client else 0)):
            raise ProtocolError("COM_STMT_EXECUTE with unknown flags")
        self._ask_execution(_EXECUTE, packets, payload, sequence, decode_execute)

    def bulk_execute(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if not self.shared.capabilities & Capability.BULK:
            self._asking.refuse_command(Command.STMT_BULK_EXECUTE, sequence)
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
        named = None
        whole = payload
        if self.shared.names_of_client and command is Command.STMT_EXECUTE:
            payload, named = without_names(payload, prepared)
        bound = decode(payload, prepared)
        new = bound.payload
        if int.from_bytes(payload[1:5], "little") == LAST_STATEMENT:
            new = new[:1] + prepared.number.to_bytes(4, "little") + new[5:]
        if named is not None and self.shared.names_for_server:
            new = with_names(new, named, prepared.parameters)
        if new is not whole and new != whole:
            packets = frame(new)
        cut = prepared.long_cut
        question = Question(
            self.shared.next_ticket(),
            _BIND,
            prepared.text,
            b"%d" % prepared.number,
            None if cut else bound.parameters,
            () if cut else bound.formats,
            () if cut else bound.types,
            prepared.attachment,
            cut,
            len(packets) + prepared.long_bytes,
            row_length=prepared.parameters,
            attributes=() if named is None else named.shown,
        )
        opens_cursor = command is _EXECUTE and payload[5] != 0
        waiting = Waiting(command, packets, sequence, question, prepared, bound, opens_cursor=opens_cursor)
        if self.shared.names_for_server:
            waiting.named = named
        self._asking.ask(waiting)

    def stream_execution(self, command: Command, buffer: bytes, at: int, length: int) -> int:
        """Only its statement is known: its values are longer than bind_bytes. It streams if it is allowed so."""
        payload = buffer[at + HEADER_BYTES : at + HEADER_BYTES + 16]
        prepared = self.shared.statements.find(Cursor(payload, STATEMENT_AT).read_int(4))
        if prepared is None or (
            command is Command.STMT_BULK_EXECUTE and not self.shared.capabilities & Capability.BULK
        ):
            number = int.from_bytes(payload[1:5], "little")
            text = b"Unknown prepared statement handler (%d) given to the gateway" % number
            self._streaming.discard(length, lambda sequence: self._asking.answer(_UNKNOWN_STATEMENT, text, sequence))
            return at + HEADER_BYTES
        shared = self.shared
        if shared.names_of_client and not shared.names_for_server and command is Command.STMT_EXECUTE:
            raise ProtocolError("an execution too long to be freed of its query attributes", sqlstate="54000")
        if prepared.known_types != prepared.types:
            raise ProtocolError("an execution too long to be given the types that it lacks", sqlstate="54000")
        question = Question(
            shared.next_ticket(), _BIND, prepared.text, b"%d" % prepared.number, attachment=prepared.attachment,
            truncated=True, length=length,
        )  # fmt: skip
        head = buffer[at : at + HEADER_BYTES + STATEMENT_AT] + prepared.number.to_bytes(4, "little")
        begin = at + HEADER_BYTES
        declares = (
            declared_in_beginning if shared.names_of_client and command is Command.STMT_EXECUTE else declared_types
        )
        bound = Bound((), (), (), declares(buffer[begin : begin + length], prepared), b"")
        self._streaming.stream = Stream(length - 5, length == FULL_PAYLOAD, 1, self._streaming.pass_on)
        opens_cursor = command is _EXECUTE and payload[5] & CURSOR_FLAGS != 0
        self._asking.ask(Waiting(command, head, ANY_SEQUENCE, question, prepared, bound, opens_cursor=opens_cursor))
        return at + len(head)

    def fetch(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if len(payload) != 9:
            raise ProtocolError("COM_STMT_FETCH has another length than its contents")
        prepared = self._statement(payload, sequence)
        if prepared is None:
            return
        if payload[1:5] != prepared.number.to_bytes(4, "little"):
            packets = frame(payload[:1] + prepared.number.to_bytes(4, "little") + payload[5:])
        if prepared.epoch == self.shared.epoch:
            self._asking.continue_cursor(
                self._asking.start(Command.STMT_FETCH, packets, sequence, prepared), prepared, self.shared.epoch
            )
            return
        question = Question(
            self.shared.next_ticket(), Stage.EXECUTE, prepared.text, b"%d" % prepared.number,
            attachment=prepared.attachment, length=len(packets),
        )  # fmt: skip
        self._asking.ask(Waiting(Command.STMT_FETCH, packets, sequence, question, prepared))

    def close(self, _packets: bytes, payload: bytes, _sequence: int) -> None:
        number = Cursor(payload, STATEMENT_AT).read_int(4)
        prepared = self.shared.statements.find(number)
        if prepared is None:
            return
        self.shared.statements.close(prepared.number)
        self.shared.to_server.append(frame(payload[:1] + prepared.number.to_bytes(4, "little")))

    def reset_statement(self, packets: bytes, payload: bytes, sequence: int) -> None:
        if len(payload) != 5:
            raise ProtocolError("COM_STMT_RESET has another length than its contents")
        prepared = self._statement(payload, sequence)
        if prepared is None:
            return
        self.shared.statements.forget_long_data(prepared)
        if payload[1:5] != prepared.number.to_bytes(4, "little"):
            packets = frame(payload[:1] + prepared.number.to_bytes(4, "little"))
        self._asking.start(Command.STMT_RESET, packets, sequence, prepared)

    def long_data(self, buffer: bytes, at: int, length: int) -> tuple[int, int]:
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
            self._streaming.stream = Stream(left, length == FULL_PAYLOAD, 1, lambda _piece, _payload: None)
            return begin, 0
        kept, limit = prepared, self.shared.limits.bind_bytes
        statements = self.shared.statements
        statements.keep_long_data(kept, parameter, b"", limit)
        if parameter in prepared.waits:  # what it stands for is not known before the execution is asked about

            def keep(piece: bytes, payload: bool) -> None:
                if payload:
                    statements.keep_long_data(kept, parameter, piece, limit)

            self._streaming.stream = Stream(left, length == FULL_PAYLOAD, 1, keep)
            return begin, 0
        header = buffer[at : at + HEADER_BYTES + STATEMENT_AT]
        self.shared.to_server.append(header + prepared.number.to_bytes(4, "little") + parameter.to_bytes(2, "little"))

        def sink(piece: bytes, payload: bool) -> None:
            if payload:
                statements.keep_long_data(kept, parameter, piece, limit)
            self.shared.to_server.append(piece)

        self._streaming.stream = Stream(left, length == FULL_PAYLOAD, 1, sink)
        return begin, 0
