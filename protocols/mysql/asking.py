"""The open question: a command that waits for its verdict, and what becomes of it.

`Forward` sends the very bytes; `Refuse` answers with an ERR packet in the command's own sequence. Long data of an execution that
was refused is taken back with COM_STMT_RESET before the client hears of the refusal, or it would be part of the next one.
"""

from __future__ import annotations

from typing import Final

from protocols.base import CopyReader, Forward, Later, ProtocolError, Question, Refuse, Stage, Verdict
from protocols.base import Exchange as Contents
from protocols.mysql.attributes import all_shown, decode_query, encode_query, with_names
from protocols.mysql.cutting import Waiting
from protocols.mysql.exchange import ANY_SEQUENCE, Exchange
from protocols.mysql.messages import MORE_RESULTS, STATE_CHANGED, Command, Ok, encode_ok
from protocols.mysql.packets import frame
from protocols.mysql.prepared import Bound, Prepared, exchanged
from protocols.mysql.progress import encode_progress
from protocols.mysql.shared import Shared
from protocols.mysql.streaming import Streaming

_QUERY: Final = Stage.QUERY
_BIND: Final = Stage.BIND
_FETCH: Final = Command.STMT_FETCH
_REFUSED_COMMAND: Final = {"C": b"08S01", "errno": b"1047"}  # ER_UNKNOWN_COM_ERROR


class Asking:
    """One question at a time: MySQL has no pipelining."""

    __slots__ = ("shared", "streaming", "waiting")

    def __init__(self, shared: Shared, streaming: Streaming) -> None:
        self.shared = shared
        self.streaming = streaming
        self.waiting: Waiting | None = None

    def ask(self, waiting: Waiting) -> None:
        self.waiting = waiting
        self.shared.effects.append(waiting.question)

    def ask_query(self, packets: bytes, payload: bytes, sequence: int) -> None:
        """COM_QUERY, its attributes taken off where they were agreed on."""
        shared = self.shared
        if not shared.names_of_client:
            self.ask_text(Command.QUERY, payload[1:], packets, sequence)
            return
        attributes, begin = decode_query(payload)
        text = payload[begin:]
        head = encode_query(attributes) if shared.names_for_server else payload[:1]
        if payload[:begin] != head:
            packets = frame(head + text)
        question = Question(
            shared.next_ticket(), Stage.QUERY, text, length=len(packets), attributes=all_shown(attributes)
        )
        waiting = Waiting(Command.QUERY, packets, sequence, question)
        waiting.head = head
        self.ask(waiting)

    def ask_text(self, command: Command, text: bytes, packets: bytes, sequence: int) -> None:
        question = Question(self.shared.next_ticket(), _QUERY, text, length=len(packets))
        self.ask(Waiting(command, packets, sequence, question))

    def decide(self, ticket: int, verdict: Verdict) -> None:
        waiting = self.waiting
        if waiting is None or waiting.question.ticket != ticket:
            raise AssertionError("a verdict for a question that is not open")
        match verdict:
            case Forward():
                if waiting.question.truncated and waiting.question.stage is not _BIND:
                    raise AssertionError("a statement that was not seen whole cannot be allowed")
                self.waiting = None
                self._forward(waiting, verdict)
            case Refuse():
                self.waiting = None
                self._refuse(waiting, verdict)
            case Later():
                raise AssertionError("nothing is in flight that could change what a question means")

    def tell(self, words: bytes) -> None:
        """Words for a client that waits, as a report of no progress; not while its command is still on its way."""
        waiting = self.waiting
        if waiting is None or waiting.sequence == ANY_SEQUENCE or self.streaming.runs:
            return
        self.shared.to_client.append(frame(encode_progress(words), waiting.sequence + waiting.told))
        waiting.told += 1

    def give_file(self, reader: CopyReader | None) -> None:
        assert self.waiting is not None
        self.waiting.gives_file = True
        self.waiting.file_reader = reader

    def answer_ok(self, ticket: int) -> None:
        waiting = self.waiting
        if waiting is None or waiting.question.ticket != ticket:
            raise AssertionError("an answer to a question that is not open")
        self.waiting = None
        status = self.shared.status & ~(STATE_CHANGED | MORE_RESULTS)
        sequence = waiting.sequence + waiting.told
        self.streaming.last_sequence = sequence - 1
        self.shared.to_client.append(frame(encode_ok(Ok(0, 0, status, 0, b"", None)), sequence))

    def _refuse(self, waiting: Waiting, verdict: Refuse) -> None:
        prepared = waiting.prepared
        if waiting.bound is not None and waiting.bound.declared is not None and prepared is not None:
            prepared.types = waiting.bound.declared  # the client will not send them again
        if self.streaming.stream is not None:
            # a streamed execution: what is still to come of it is thrown away before the answer
            self.streaming.stream.sink = lambda _piece, _payload: None
            self.streaming.after = lambda sequence: self._refuse_now(verdict, sequence, prepared)
            return
        sequence = waiting.sequence + waiting.told
        self._refuse_now(verdict, sequence, prepared if waiting.command is not _FETCH else None)

    def _refuse_now(self, verdict: Refuse, sequence: int, prepared: Prepared | None) -> None:
        shared = self.shared
        self.streaming.last_sequence = sequence - 1
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
        packets = waiting.packets
        exchange = verdict.exchange
        if exchange is not None and exchange.text is not None:
            packets = frame(waiting.head + exchange.text)
        waits = prepared is not None and not prepared.waits.isdisjoint(prepared.long_data)
        if prepared is not None and bound is not None and waiting.command is not _FETCH:
            values = None if exchange is None else exchange.parameters
            if values is not None or waits:
                if question.truncated:
                    raise ProtocolError(
                        "an execution whose values were not seen whole cannot be put together", sqlstate="54000"
                    )
                packets = self._exchanged(waiting, prepared, bound, exchange)
        shared.to_server.append(packets)
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
        shared.exchange.shift = waiting.told
        shared.exchange.takes_file = waiting.gives_file
        shared.exchange.file_reader = waiting.file_reader
        if exchange is not None:
            shared.exchange.own = b""  # what the server quotes may be what was sent, which the client did not write
            shared.exchange.waits = exchange.waits
        if waiting.command is _FETCH and prepared is not None:
            self.continue_cursor(shared.exchange, prepared, shared.epoch)
            shared.exchange.look = shared.exchange.look or verdict.look
        elif prepared is not None:
            prepared.epoch = shared.epoch
            prepared.ticket = question.ticket
            self.shared.statements.forget_long_data(prepared)

    @staticmethod
    def _exchanged(waiting: Waiting, prepared: Prepared, bound: Bound, exchange: Contents | None) -> bytes:
        payload = bound.payload[:1] + prepared.number.to_bytes(4, "little") + bound.payload[5:]
        values = None if exchange is None else exchange.parameters
        types = None if exchange is None else exchange.types
        new, prepared.known_types = exchanged(
            payload, prepared, bound, bound.parameters if values is None else values, types
        )
        if waiting.named is not None:
            new = with_names(new, waiting.named, prepared.parameters)
        return frame(new)

    def start(self, command: Command, packets: bytes, sequence: int, prepared: Prepared | None = None) -> Exchange:
        """Forward a command that asks for no statement."""
        self.shared.to_server.append(packets)
        exchange = Exchange(command, sequence, prepared=prepared)
        self.shared.exchange = exchange
        return exchange

    def refuse_command(self, code: int, sequence: int) -> None:
        self.answer(_REFUSED_COMMAND, b"wireproxy: command %#x is not relayed" % code, sequence)

    def answer(self, fields: dict[str, bytes], message: bytes, sequence: int) -> None:
        self.shared.refuse(Refuse({**fields, "M": message}), sequence)

    @staticmethod
    def continue_cursor(exchange: Exchange, prepared: Prepared, epoch: int) -> None:
        """Rows of a cursor are of the result that its execution described."""
        exchange.ticket = exchange.ticket or prepared.ticket
        exchange.look = prepared.look
        exchange.plan = prepared.cursor_plan
        exchange.planned = prepared.epoch == epoch
        exchange.columns = prepared.cursor_columns
        exchange.record_left = prepared.record_bytes
