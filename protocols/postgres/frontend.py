"""The client's half of a relay: what the client asks, on its way to the database.

Theory of operation. Every message that can carry or start a statement (Query, Parse, Bind, Execute, FunctionCall) becomes a
`Question`, and nothing behind it is read before it is answered: what comes later never overtakes what is held.

* `Forward`: the very bytes go out, and what the server will answer is pushed on the owed answers.
* `Refuse`: in the message's place goes one that is sure to fail at once and carries only the ticket. The server's own error
  then keeps the order, skips to Sync and sets the transaction's state; the other half puts the refusal in its place.
  The stand-in for an extended message is a Parse with a name, because a failing Parse without one would drop the unnamed
  statement, which a refused Bind or Execute does not do.
* `Later`: the question is asked again when the server owes nothing more.

After an error in the extended protocol the server discards everything up to Sync, and so does this half: what is not sent need
not be judged.
"""

from __future__ import annotations

from typing import Final

from protocols.base import Forward, ProtocolError, Question, Refuse, Stage, Terminated, Verdict
from protocols.buffer import Inbox
from protocols.postgres.asking import Asking, Waiting
from protocols.postgres.extended import Extended
from protocols.postgres.messages import decode_bind_names, encode_query
from protocols.postgres.names import UNCERTAIN
from protocols.postgres.pending import Entry, Owed
from protocols.postgres.rows import int32
from protocols.postgres.shared import Shared

_DURING_COPY: Final = b"cfHSX"  # besides CopyData
_KINDS: Final = b"QPBEDCSHFcfX"

_QUERY: Final = Stage.QUERY
_PARSE: Final = Stage.PARSE
_BIND: Final = Stage.BIND
_EXECUTE: Final = Stage.EXECUTE
_FUNCTION_CALL: Final = Stage.FUNCTION_CALL


class Frontend:
    """Reads what the client sent; writes to `shared.to_server`."""

    __slots__ = ("_asking", "_extended", "_inbox", "shared", "terminated")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._inbox = Inbox()
        self._asking = Asking(shared)
        self._extended = Extended(shared, self._asking)
        self.terminated = False

    @property
    def asking(self) -> Question | None:
        waiting = self._asking.waiting
        return waiting.question if waiting is not None else None

    @property
    def blocked(self) -> bool:
        """Nothing more is read from the client for now: a question is open, or the server has to answer first."""
        asking = self._asking
        if asking.waiting is not None or self.terminated:
            return True
        # a barrier waits for the server's answer, and in a copy the server waits for the client's data
        return asking.barrier and not self.shared.copy_in

    @property
    def at_boundary(self) -> bool:
        return self._asking.passing == 0

    @property
    def buffered_bytes(self) -> int:
        return self._inbox.size

    def feed(self, data: bytes) -> None:
        self._inbox.add(data)

    def advance(self) -> None:
        shared = self.shared
        asking = self._asking
        if asking.barrier and shared.copy_in:
            if asking.retry is not None:
                raise ProtocolError("a message behind COPY from stdin that is not part of the copy")
        elif asking.barrier:
            if shared.pending.head is not None:
                return
            asking.barrier = False
            if asking.retry is not None:
                retry, asking.retry = asking.retry, None
                if shared.skipping:
                    asking.discard_streamed()
                else:
                    self._ask_again(retry)
        if not self._inbox.ready or self.blocked:
            return
        buffer = self._inbox.take()
        size = len(buffer)
        at = 0
        needed = 5
        while not self.blocked:
            if asking.passing or asking.discarding:
                at = self._stream(buffer, at)
                if asking.passing or asking.discarding:
                    break
                continue  # a copy may have been stopped with its message's end, and nothing is read for now
            if size - at < 5:
                break
            kind = buffer[at]
            length = int32(buffer, at + 1)
            if length < 4:
                raise ProtocolError("a message shorter than its header")
            end = at + 1 + length
            if shared.skipping and kind != 0x53 and kind != 0x58:  # up to Sync or Terminate
                asking.discarding = 1 + length
                continue
            if kind == 0x64:  # CopyData: without a copy the server ignores it
                asking.passing = 1 + length
                asking.reading = shared.copy_reader is not None
                asking.head = 5
                continue
            if shared.copy_in and kind not in _DURING_COPY:
                # the server would read it as part of the copy, or, if that has just failed, as what it is
                raise ProtocolError(f"message type {kind:#x} during COPY from stdin")
            if kind not in _KINDS:
                raise ProtocolError(f"invalid frontend message type {kind}")
            if end > size:
                if not self._oversize(kind, length, buffer, at):
                    needed = min(end - at, 5 + max(shared.limits.statement_bytes, shared.limits.bind_bytes))
                    break
                at = size
                continue
            message = buffer if end - at == size else buffer[at:end]
            at = end
            self._handle(kind, message)
        self._inbox.put_back(buffer, at, needed)

    def _handle(self, kind: int, message: bytes) -> None:
        # direct calls, in the order of how often they come
        if kind == 0x51:  # Q
            self._query(message)
        elif kind == 0x42:  # B
            self._extended.bind(message)
        elif kind == 0x45:  # E
            self._extended.execute(message)
        elif kind == 0x53:  # S
            self._sync(message)
        elif kind == 0x44:  # D
            self._extended.describe(message)
        elif kind == 0x50:  # P
            self._extended.parse(message)
        elif kind == 0x43:  # C
            self._extended.close(message)
        elif kind == 0x48:  # H
            self._flush(message)
        elif kind == 0x46:  # F
            self._function_call(message)
        elif kind == 0x58:  # X
            self._terminate(message)
        else:  # c, f
            self._copy_end(message)

    def _stream(self, buffer: bytes, at: int) -> int:
        """Pass or discard the rest of a message whose beginning has been dealt with."""
        asking = self._asking
        rest = asking.passing or asking.discarding
        taken = min(rest, len(buffer) - at)
        if asking.passing:
            asking.passing -= taken
            if taken:
                piece = buffer[at : at + taken]
                self.shared.to_server.append(piece)
                if asking.reading:
                    asking.reading = asking.passing > 0
                    asking.copied(piece)
        else:
            asking.discarding -= taken
        return at + taken

    def _oversize(self, kind: int, length: int, buffer: bytes, at: int) -> bool:
        """A message that does not fit: its question is asked with its beginning alone. False: wait for more of it."""
        limits = self.shared.limits
        head = buffer[at + 5 :]
        if kind == 0x42:  # Bind: streamed if it is allowed
            if length <= limits.bind_bytes or (len(head) < min(length - 4, limits.bind_bytes)):
                return False
            portal, statement, _ = decode_bind_names(head)
            self._extended.begin_bind(buffer[at:], portal, statement, length)
            return True
        if length <= limits.statement_bytes:
            return False
        if kind not in (0x51, 0x50, 0x46):
            raise ProtocolError(f"a message of {length} bytes is longer than statement_bytes", sqlstate="54000")
        if len(head) < limits.statement_bytes:
            return False
        stage = {0x51: Stage.QUERY, 0x50: Stage.PARSE, 0x46: Stage.FUNCTION_CALL}[kind]
        self._asking.discarding = 1 + length - (len(buffer) - at)
        question = Question(
            self.shared.next_ticket(), stage, head[: limits.statement_bytes], truncated=True, length=length
        )
        self._asking.ask(Waiting(stage, b""), question)
        return True

    # -- asking and answering

    def _ask_again(self, waiting: Waiting) -> None:
        """What was put off: a name that the message refers to may mean another thing by now."""
        if waiting.stage is _BIND:
            self._extended.ask_bind(waiting)
        elif waiting.stage is _EXECUTE:
            self._extended.run(waiting)
        elif waiting.question is not None:
            self._asking.ask(waiting, waiting.question)

    def flush_for_hold(self) -> None:
        self._asking.flush_for_hold()

    def withdraw_if_skipped(self) -> None:
        self._asking.withdraw_if_skipped()

    def decide(self, ticket: int, verdict: Verdict) -> None:
        waiting = self._asking.waiting
        question = waiting.question if waiting is not None else None
        if waiting is None or question is None or question.ticket != ticket:
            raise AssertionError("a verdict for a question that is not open")
        self._asking.waiting = None
        if isinstance(verdict, Forward):
            if question.truncated and question.stage is not _BIND:
                raise AssertionError("a statement that was not seen whole cannot be allowed")
            self._forward(waiting, question, verdict)
        elif isinstance(verdict, Refuse):
            self._asking.refuse(question, verdict)
        else:
            self._asking.put_off(waiting)

    def _forward(self, waiting: Waiting, question: Question, verdict: Forward) -> None:
        stage = waiting.stage
        if stage is _QUERY:
            self._forward_query(waiting, question, verdict)
        elif stage is _PARSE:
            self._extended.forward_parse(waiting, question, verdict)
        elif stage is _BIND:
            self._extended.forward_bind(waiting, question, verdict)
        elif stage is _EXECUTE:
            self._extended.forward_execute(waiting, question, verdict)
        else:
            raise AssertionError("function calls are always refused")
        if verdict.barrier and (stage is _QUERY or stage is _EXECUTE):
            self._asking.put_off(None)

    # -- queries and function calls

    def _query(self, message: bytes) -> None:
        if len(message) <= 5 or message[len(message) - 1]:
            raise ProtocolError("Query without its terminator")
        question = Question(self.shared.next_ticket(), _QUERY, message[5:-1], length=len(message))
        self._asking.ask(Waiting(_QUERY, message), question)

    def _forward_query(self, waiting: Waiting, question: Question, verdict: Forward) -> None:
        shared = self.shared
        ticket = question.ticket
        # a simple Query drops the unnamed statement, whether it succeeds or not (Spec: 55.2.3)
        changes = self._asking.propose(ticket, verdict.names, UNCERTAIN) if verdict.names else ()
        exchange = verdict.exchange
        if exchange is None or exchange.text is None:
            shared.to_server.append(waiting.message)
        else:
            shared.to_server.append(encode_query(exchange.text))
        shared.pending.push(
            Entry(
                Owed.QUERY,
                ticket,
                attachment=verdict.attachment,
                look=verdict.look,
                record_bytes=verdict.record_bytes,
                changes=changes,
                taints=verdict.taints,
                settles=verdict.barrier,
                mend=exchange.mend if exchange is not None else None,
            )
        )

    def _function_call(self, message: bytes) -> None:
        question = Question(self.shared.next_ticket(), _FUNCTION_CALL, message[5:], length=len(message))
        self._asking.ask(Waiting(_FUNCTION_CALL, message), question)

    # -- what carries no statement

    def _sync(self, message: bytes) -> None:
        if len(message) != 5:
            raise ProtocolError("Sync has contents")
        shared = self.shared
        shared.to_server.append(message)
        if shared.copy_in:
            shared.swallowed_syncs += 1
            return
        shared.segment += 1
        shared.skipping = False
        self._asking.push(Entry(Owed.SYNC))

    def _flush(self, message: bytes) -> None:
        if len(message) != 5:
            # the server would answer with an error and skip to Sync: nothing is owed for a Flush, and answers would shift
            raise ProtocolError("Flush has contents")
        self.shared.to_server.append(message)

    def _copy_end(self, message: bytes) -> None:
        reader = self.shared.copy_reader
        if reader is not None and message[0] == 0x63 and (stopped := reader.finish()) is not None:
            self._asking.stop_copy(stopped)
            return
        shared = self.shared
        shared.to_server.append(message)
        if shared.copy_in:
            shared.end_copy()
            if self._asking.barrier:
                self._asking.flush_for_hold()  # the one that was sent behind the copy's Execute was read as part of it
        elif shared.pending.count:  # of a copy that has not begun: the server reads it when it does
            self._asking.push(Entry(Owed.COPY_END))

    def _terminate(self, message: bytes) -> None:
        self.terminated = True
        self.shared.to_server.append(message)
        self.shared.effects.append(Terminated())
