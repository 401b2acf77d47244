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

from protocols.base import (
    Forward,
    NameChange,
    ProtocolError,
    Question,
    Refuse,
    Stage,
    Terminated,
    Verdict,
    Withdrawn,
)
from protocols.buffer import Inbox
from protocols.postgres.messages import (
    FLUSH,
    decode_bind,
    decode_bind_names,
    decode_parse,
    encode_bind_parameters,
    encode_describe_portal,
    encode_parse,
    encode_query,
    read_cstring,
)
from protocols.postgres.names import NAME_BYTES, UNCERTAIN, Change, Named
from protocols.postgres.pending import Entry, Owed
from protocols.postgres.rows import int32
from protocols.postgres.shared import Shared

_DURING_COPY: Final = b"cfHSX"  # besides CopyData
_KINDS: Final = b"QPBEDCSHFcfX"
_BIND_HEAD_BYTES: Final = (
    1024  # two names of at most NAMEDATALEN as the server keeps them; longer ones end the stream's patience
)


_QUERY: Final = Stage.QUERY
_PARSE: Final = Stage.PARSE
_BIND: Final = Stage.BIND
_EXECUTE: Final = Stage.EXECUTE
_FUNCTION_CALL: Final = Stage.FUNCTION_CALL


class _Waiting:
    """A message whose question is open, or will be asked once what its names mean is certain."""

    __slots__ = ("message", "portal", "question", "stage", "statement", "streamed")

    def __init__(
        self,
        stage: Stage,
        message: bytes,
        question: Question | None = None,
        portal: bytes = b"",
        statement: bytes = b"",
        streamed: int = 0,
    ) -> None:
        self.stage = stage
        self.message = message
        self.question = question
        self.portal = portal  # of a Bind or an Execute
        self.statement = statement  # of a Bind
        self.streamed = streamed  # the length of a Bind of which only the beginning is here, or 0


class Frontend:
    """Reads what the client sent; writes to `shared.to_server`."""

    __slots__ = (
        "_barrier",
        "_discarding",
        "_inbox",
        "_passing",
        "_retry",
        "_waiting",
        "shared",
        "terminated",
    )

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._inbox = Inbox()
        self._passing = 0  # bytes of a message that is streamed through and has not ended
        self._discarding = 0  # bytes of a message that is refused or skipped and has not ended
        self._waiting: _Waiting | None = None
        self._barrier = False  # nothing is read until the server owes nothing
        self._retry: _Waiting | None = None  # what was put off until then
        self.terminated = False

    @property
    def asking(self) -> Question | None:
        return self._waiting.question if self._waiting is not None else None

    @property
    def blocked(self) -> bool:
        """Nothing more is read from the client for now: a question is open, or the server has to answer first."""
        if self._waiting is not None or self.terminated:
            return True
        # a barrier waits for the server's answer, and in a copy the server waits for the client's data
        return self._barrier and not self.shared.copy_in

    @property
    def at_boundary(self) -> bool:
        return self._passing == 0

    @property
    def buffered_bytes(self) -> int:
        return self._inbox.size

    def feed(self, data: bytes) -> None:
        self._inbox.add(data)

    def advance(self) -> None:
        shared = self.shared
        if self._barrier and shared.copy_in:
            if self._retry is not None:
                raise ProtocolError("a message behind COPY from stdin that is not part of the copy")
        elif self._barrier:
            if shared.pending.head is not None:
                return
            self._barrier = False
            if self._retry is not None:
                retry, self._retry = self._retry, None
                if shared.skipping:
                    self._discard_streamed()
                else:
                    self._ask_again(retry)
        if not self._inbox.ready or self.blocked:
            return
        buffer = self._inbox.take()
        size = len(buffer)
        at = 0
        needed = 5
        while not self.blocked:
            if self._passing or self._discarding:
                at = self._stream(buffer, at)
                if self._passing or self._discarding:
                    break
            if size - at < 5:
                break
            kind = buffer[at]
            length = int32(buffer, at + 1)
            if length < 4:
                raise ProtocolError("a message shorter than its header")
            end = at + 1 + length
            if shared.skipping and kind != 0x53 and kind != 0x58:  # up to Sync or Terminate
                self._discarding = 1 + length
                continue
            if kind == 0x64:  # CopyData: without a copy the server ignores it
                self._passing = 1 + length
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
            self._bind(message)
        elif kind == 0x45:  # E
            self._execute(message)
        elif kind == 0x53:  # S
            self._sync(message)
        elif kind == 0x44:  # D
            self._describe(message)
        elif kind == 0x50:  # P
            self._parse(message)
        elif kind == 0x43:  # C
            self._close(message)
        elif kind == 0x48:  # H, Flush
            self.shared.to_server.append(message)
        elif kind == 0x46:  # F
            self._function_call(message)
        elif kind == 0x58:  # X
            self._terminate(message)
        else:  # c, f
            self._copy_end(message)

    def _stream(self, buffer: bytes, at: int) -> int:
        """Pass or discard the rest of a message whose beginning has been dealt with."""
        rest = self._passing or self._discarding
        taken = min(rest, len(buffer) - at)
        if self._passing:
            if taken:
                self.shared.to_server.append(buffer[at : at + taken])
            self._passing -= taken
        else:
            self._discarding -= taken
        return at + taken

    def _oversize(self, kind: int, length: int, buffer: bytes, at: int) -> bool:
        """A message that does not fit: its question is asked with its beginning alone. False: wait for more of it."""
        limits = self.shared.limits
        head = buffer[at + 5 :]
        if kind == 0x42:  # Bind: streamed if it is allowed
            if length <= limits.bind_bytes or (len(head) < min(length - 4, limits.bind_bytes)):
                return False
            portal, statement, _ = decode_bind_names(head)
            self._begin_bind(buffer[at:], portal, statement, length)
            return True
        if length <= limits.statement_bytes:
            return False
        if kind not in (0x51, 0x50, 0x46):
            raise ProtocolError(f"a message of {length} bytes is longer than statement_bytes", sqlstate="54000")
        if len(head) < limits.statement_bytes:
            return False
        stage = {0x51: Stage.QUERY, 0x50: Stage.PARSE, 0x46: Stage.FUNCTION_CALL}[kind]
        self._discarding = 1 + length - (len(buffer) - at)
        question = Question(
            self.shared.next_ticket(), stage, head[: limits.statement_bytes], truncated=True, length=length
        )
        self._ask(_Waiting(stage, b""), question)
        return True

    # -- asking and answering

    def _ask(self, waiting: _Waiting, question: Question) -> None:
        shared = self.shared
        if shared.pending.count >= shared.limits.owed:
            raise ProtocolError("too many messages without reading their answers", sqlstate="54000")
        waiting.question = question
        self._waiting = waiting
        shared.effects.append(question)

    def _ask_again(self, waiting: _Waiting) -> None:
        """What was put off: a name that the message refers to may mean another thing by now."""
        if waiting.stage is _BIND:
            self._ask_bind(waiting)
        elif waiting.stage is _EXECUTE:
            self._run(waiting)
        elif waiting.question is not None:
            self._ask(waiting, waiting.question)

    def _discard_streamed(self) -> None:
        """The rest of a Bind that would have been streamed is not wanted any more."""
        if self._passing:
            self._discarding, self._passing = self._passing, 0

    def flush_for_hold(self) -> None:
        """Before a long wait the server is told to send what it has for the messages before: the client may need it."""
        last = self.shared.pending.last
        if last is not None and last.kind not in (Owed.QUERY, Owed.SYNC):  # after these the server sends by itself
            self.shared.to_server.append(FLUSH)

    def withdraw_if_skipped(self) -> None:
        """The open question became moot because an earlier message of the same run failed."""
        waiting = self._waiting
        if waiting is None or not self.shared.skipping:
            return
        self._waiting = None
        self._discard_streamed()
        assert waiting.question is not None
        self.shared.effects.append(Withdrawn(waiting.question.ticket))

    def decide(self, ticket: int, verdict: Verdict) -> None:
        waiting = self._waiting
        question = waiting.question if waiting is not None else None
        if waiting is None or question is None or question.ticket != ticket:
            raise AssertionError("a verdict for a question that is not open")
        self._waiting = None
        if isinstance(verdict, Forward):
            if question.truncated and question.stage is not _BIND:
                raise AssertionError("a statement that was not seen whole cannot be allowed")
            self._forward(waiting, question, verdict)
        elif isinstance(verdict, Refuse):
            self._refuse(question, verdict)
        else:
            self._put_off(waiting)

    def _put_off(self, retry: _Waiting | None) -> None:
        self._barrier = True
        self._retry = retry
        self.flush_for_hold()

    def _refuse(self, question: Question, verdict: Refuse) -> None:
        shared = self.shared
        text = b"wireproxy refused %d" % question.ticket  # a syntax error in every version and setting
        self._discard_streamed()
        if question.stage is _QUERY or question.stage is _FUNCTION_CALL:
            shared.to_server.append(encode_query(text))
            kind = Owed.QUERY
        else:
            name = b"" if question.stage is _PARSE and not question.name else b"wireproxy_refused"
            shared.to_server.append(encode_parse(name, text))
            kind = Owed.PARSE
            shared.skipping = True  # the server will skip up to Sync: what it skips need not be held first
        shared.pending.push(Entry(kind, question.ticket, refusal=verdict.fields, attachment=question.attachment))

    def _forward(self, waiting: _Waiting, question: Question, verdict: Forward) -> None:
        stage = waiting.stage
        if stage is _QUERY:
            self._forward_query(waiting, question, verdict)
        elif stage is _PARSE:
            self._forward_parse(waiting, question, verdict)
        elif stage is _BIND:
            self._forward_bind(waiting, question, verdict)
        elif stage is _EXECUTE:
            self._forward_execute(waiting, question, verdict)
        else:
            raise AssertionError("function calls are always refused")
        if verdict.barrier and (stage is _QUERY or stage is _EXECUTE):
            self._put_off(None)

    def _propose(self, ticket: int, names: tuple[NameChange, ...], segment: int) -> tuple[Change, ...]:
        changes = []
        for change in names:
            named = None
            if change.created:
                named = Named(
                    change.text,
                    change.attachment,
                    ticket,
                    types=change.types,
                    declared=True,
                    epoch=self.shared.epoch,
                    look=True,
                )
            name = change.name[:NAME_BYTES] if change.name is not None else None
            proposed = Change(change.space, name, named, segment, change.position)
            self.shared.names.propose(proposed)
            changes.append(proposed)
        return tuple(changes)

    # -- simple query

    def _query(self, message: bytes) -> None:
        if len(message) <= 5 or message[len(message) - 1]:
            raise ProtocolError("Query without its terminator")
        question = Question(self.shared.next_ticket(), _QUERY, message[5:-1], length=len(message))
        self._ask(_Waiting(_QUERY, message), question)

    def _forward_query(self, waiting: _Waiting, question: Question, verdict: Forward) -> None:
        shared = self.shared
        ticket = question.ticket
        # a simple Query drops the unnamed statement, whether it succeeds or not (Spec: 55.2.3)
        changes = self._propose(ticket, verdict.names, UNCERTAIN) if verdict.names else ()
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

    # -- extended query

    def _parse(self, message: bytes) -> None:
        parse = decode_parse(message[5:])
        self._check_name(parse.name)
        if parse.name and len(self.shared.names.statements.confirmed) >= self.shared.limits.prepared_statements:
            raise ProtocolError("more prepared statements than prepared_statements allows", sqlstate="54000")
        if parse.name:
            self._check_room(len(message))
        question = Question(
            self.shared.next_ticket(), _PARSE, parse.text, parse.name, types=parse.types, length=len(message)
        )
        self._ask(_Waiting(_PARSE, message), question)

    def _forward_parse(self, waiting: _Waiting, question: Question, verdict: Forward) -> None:
        shared = self.shared
        exchange = verdict.exchange
        mend = exchange.mend if exchange is not None else None
        # what stands behind the name is the client's own text: that is what is judged when it is bound
        named = Named(
            question.text, verdict.attachment, question.ticket, types=question.types, epoch=shared.epoch, mend=mend
        )
        change = Change("statement", question.name[:NAME_BYTES], named, shared.segment)
        shared.names.propose(change)
        if exchange is None or (exchange.text is None and exchange.types is None):
            shared.to_server.append(waiting.message)
        else:
            text = (question.text or b"") if exchange.text is None else exchange.text
            types = question.types if exchange.types is None else exchange.types
            shared.to_server.append(encode_parse(question.name, text, types))
        shared.pending.push(
            Entry(Owed.PARSE, question.ticket, changes=(change,), attachment=verdict.attachment, mend=mend)
        )

    def _bind(self, message: bytes) -> None:
        portal, statement, _ = decode_bind_names(message[5:])
        self._begin_bind(message, portal, statement, 0)

    def _begin_bind(self, message: bytes, portal: bytes, statement: bytes, streamed: int) -> None:
        shared = self.shared
        self._check_name(portal)
        self._check_name(statement)
        if portal:
            if len(shared.names.portals.confirmed) >= shared.limits.prepared_statements:
                raise ProtocolError("more portals than prepared_statements allows", sqlstate="54000")
            self._check_room(len(message))
        if streamed:
            self._passing = 1 + streamed - len(message)
        self._ask_bind(_Waiting(_BIND, message, None, portal, statement, streamed))

    def _ask_bind(self, waiting: _Waiting) -> None:
        shared = self.shared
        found = shared.names.statements.look_up(waiting.statement, shared.segment)
        if not found.certain:
            self._put_off(waiting)
            return
        named = found.named
        message, streamed = waiting.message, waiting.streamed
        parameters: tuple[bytes | None, ...] | None = None
        formats: tuple[int, ...] = ()
        if not streamed:
            bind = decode_bind(message[5:])
            parameters, formats = bind.parameters, bind.formats
        question = Question(
            shared.next_ticket(),
            _BIND,
            named.text if named is not None else None,
            waiting.statement,
            parameters,
            formats,
            named.types if named is not None else (),
            named.attachment if named is not None else None,
            streamed != 0,
            streamed or len(message),
        )
        self._ask(waiting, question)

    def _forward_bind(self, waiting: _Waiting, question: Question, verdict: Forward) -> None:
        shared = self.shared
        portal = waiting.portal[:NAME_BYTES]
        exchange = verdict.exchange
        mend = exchange.mend if exchange is not None else None
        named = Named(
            question.text,
            verdict.attachment,
            question.ticket,
            look=verdict.look,
            record_bytes=verdict.record_bytes,
            epoch=shared.epoch,
            statement=question.name,
            parameters=question.parameters,
            formats=question.formats,
            barrier=verdict.barrier,
            names=verdict.names,
            taints=verdict.taints,
            late=verdict.late,
            mend=mend,
        )
        change = Change("portal", portal, named, shared.segment)
        shared.names.propose(change)
        if exchange is None or exchange.parameters is None:
            shared.to_server.append(waiting.message)
        elif question.truncated:
            raise AssertionError("values that were not seen whole cannot be exchanged")
        else:
            shared.to_server.append(encode_bind_parameters(waiting.message[5:], exchange.parameters))
        shared.pending.push(
            Entry(Owed.BIND, question.ticket, changes=(change,), attachment=verdict.attachment, mend=mend)
        )

    def _execute(self, message: bytes) -> None:
        portal, at = read_cstring(message, 5)
        if len(message) != at + 4:
            raise ProtocolError("Execute has another length than its contents")
        self._check_name(portal)
        self._run(_Waiting(_EXECUTE, message, None, portal))

    def _run(self, waiting: _Waiting) -> None:
        shared = self.shared
        message, portal = waiting.message, waiting.portal
        found = shared.names.portals.look_up(portal, shared.segment)
        if not found.certain:
            self._put_off(waiting)
            return
        named = found.named
        moved = named is not None and named.late and named.version != shared.names.version
        if named is not None and named.epoch == shared.epoch and not named.declared and not moved:
            self._send_execute(message, portal, named, named.ticket, named.barrier)
            if named.barrier:
                self._put_off(None)
            return
        question = Question(
            shared.next_ticket(),
            _EXECUTE,
            named.text if named is not None else None,
            portal,
            named.parameters if named is not None else None,
            named.formats if named is not None else (),
            attachment=named.attachment if named is not None else None,
            length=len(message),
            moved=moved,
        )
        self._ask(waiting, question)

    def _forward_execute(self, waiting: _Waiting, question: Question, verdict: Forward) -> None:
        named = Named(
            question.text,
            verdict.attachment,
            question.ticket,
            look=verdict.look,
            record_bytes=verdict.record_bytes,
            names=verdict.names,
            taints=verdict.taints,
            mend=verdict.exchange.mend if verdict.exchange is not None else None,
        )
        self._send_execute(waiting.message, waiting.portal, named, question.ticket, verdict.barrier)

    def _send_execute(self, message: bytes, portal: bytes, named: Named, ticket: int, settles: bool) -> None:
        shared = self.shared
        if named.look:
            # what the rows carry must be known before the first of them, and the client may never ask
            shared.to_server.append(encode_describe_portal(portal))
            shared.pending.push(
                Entry(
                    Owed.DESCRIBE_PORTAL,
                    ticket,
                    attachment=named.attachment,
                    injected=True,
                    look=True,
                    mend=named.mend,
                    name=portal[:NAME_BYTES],
                )
            )
        changes = self._propose(ticket, named.names, shared.segment) if named.names else ()
        shared.to_server.append(message)
        shared.pending.push(
            Entry(
                Owed.EXECUTE,
                ticket,
                attachment=named.attachment,
                look=named.look,
                record_bytes=named.record_bytes,
                changes=changes,
                taints=named.taints,
                settles=settles,
                mend=named.mend,
                name=portal[:NAME_BYTES],
            )
        )

    def _describe(self, message: bytes) -> None:
        if len(message) < 7 or message[5] not in b"SP":
            raise ProtocolError("Describe of something that is neither statement nor portal")
        kind = Owed.DESCRIBE_STATEMENT if message[5] == 0x53 else Owed.DESCRIBE_PORTAL
        name, _ = read_cstring(message, 6)
        self.shared.to_server.append(message)
        names = self.shared.names
        space = names.statements if kind == Owed.DESCRIBE_STATEMENT else names.portals
        named = space.look_up(name, self.shared.segment).named
        self._push(Entry(kind, name=name[:NAME_BYTES], mend=named.mend if named is not None else None))

    def _close(self, message: bytes) -> None:
        if len(message) < 7 or message[5] not in b"SP":
            raise ProtocolError("Close of something that is neither statement nor portal")
        name, _ = read_cstring(message, 6)
        self._check_name(name)
        space = "statement" if message[5] == 0x53 else "portal"
        change = Change(space, name[:NAME_BYTES], None, self.shared.segment)
        self.shared.names.propose(change)
        self.shared.to_server.append(message)
        self._push(Entry(Owed.CLOSE, changes=(change,)))

    def _check_room(self, size_bytes: int) -> None:
        if not self.shared.names.has_room(size_bytes, self.shared.limits.names_bytes):
            raise ProtocolError("prepared statements and portals are longer than names_bytes allows", sqlstate="54000")

    def _check_name(self, name: bytes) -> None:
        """The server converts names; two spellings of one, of which the gateway knows one, would be two statements here."""
        if self.shared.ascii_names and not name.isascii():
            raise ProtocolError("names beyond ASCII need client_encoding UTF8", sqlstate="0A000")

    def _push(self, entry: Entry) -> None:
        if self.shared.pending.count >= self.shared.limits.owed:
            raise ProtocolError("too many messages without reading their answers", sqlstate="54000")
        self.shared.pending.push(entry)

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
        self._push(Entry(Owed.SYNC))

    def _function_call(self, message: bytes) -> None:
        question = Question(self.shared.next_ticket(), _FUNCTION_CALL, message[5:], length=len(message))
        self._ask(_Waiting(_FUNCTION_CALL, message), question)

    def _copy_end(self, message: bytes) -> None:
        self.shared.copy_in = False
        self.shared.to_server.append(message)
        if self.shared.pending.count:
            self._push(Entry(Owed.COPY_END))

    def _terminate(self, message: bytes) -> None:
        self.terminated = True
        self.shared.to_server.append(message)
        self.shared.effects.append(Terminated())
