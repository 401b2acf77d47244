"""The open question of a session: a message that waits for its verdict, and what its verdict makes of it.

One question at a time: nothing behind it is read before it is answered. What the stand-ins of a refused message are, and why,
is said in `frontend`.
"""

from __future__ import annotations

from typing import Final

from protocols.base import CopyStopped, Fields, NameChange, ProtocolError, Question, Refuse, Stage, Withdrawn
from protocols.postgres.messages import FLUSH, encode_copy_fail, encode_parse, encode_query
from protocols.postgres.names import NAME_BYTES, Change, Named
from protocols.postgres.pending import Entry, Owed
from protocols.postgres.shared import Shared

_QUERY: Final = Stage.QUERY
_PARSE: Final = Stage.PARSE
_FUNCTION_CALL: Final = Stage.FUNCTION_CALL


class Waiting:
    """A message whose question is open, or will be asked once what its names mean is certain."""

    __slots__ = ("message", "portal", "question", "results", "source", "stage", "statement", "streamed")

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
        self.source: Named | None = None  # of a Bind that is here whole: what stands behind the statement's name
        self.results = b""  # of such a Bind: the formats of the columns
        self.streamed = streamed  # the length of a Bind of which only the beginning is here, or 0


class Asking:
    """What the client's half waits for, and how much of the message that it has begun is still to come."""

    __slots__ = ("barrier", "discarding", "head", "passing", "reading", "retry", "shared", "stopped", "waiting")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.passing = 0  # bytes of a message that is streamed through and has not ended
        self.reading = False  # what passes is a CopyData that is looked at
        self.head = 0  # bytes of its header that are still to come
        self.stopped: Fields | None = (
            None  # the copy that is passing is failed at the end of its message, with this error
        )
        self.discarding = 0  # bytes of a message that is refused or skipped and has not ended
        self.waiting: Waiting | None = None
        self.barrier = False  # nothing is read until the server owes nothing
        self.retry: Waiting | None = None  # what was put off until then

    def ask(self, waiting: Waiting, question: Question) -> None:
        shared = self.shared
        if shared.pending.count >= shared.limits.owed:
            raise ProtocolError("too many messages without reading their answers", sqlstate="54000")
        waiting.question = question
        self.waiting = waiting
        shared.effects.append(question)

    def put_off(self, retry: Waiting | None) -> None:
        self.barrier = True
        self.retry = retry
        self.flush_for_hold()

    def discard_streamed(self) -> None:
        """The rest of a Bind that would have been streamed is not wanted any more."""
        if self.passing:
            self.discarding, self.passing = self.passing, 0

    def flush_for_hold(self) -> None:
        """Before a long wait the server is told to send what it has for the messages before: the client may need it."""
        last = self.shared.pending.last
        if last is not None and last.kind not in (Owed.QUERY, Owed.SYNC):  # after these the server sends by itself
            self.shared.to_server.append(FLUSH)

    def withdraw_if_skipped(self) -> None:
        """The open question became moot because an earlier message of the same run failed."""
        waiting = self.waiting
        if waiting is None or not self.shared.skipping:
            return
        self.waiting = None
        self.discard_streamed()
        assert waiting.question is not None
        self.shared.effects.append(Withdrawn(waiting.question.ticket))

    def refuse(self, question: Question, verdict: Refuse) -> None:
        shared = self.shared
        text = b"wireproxy refused %d" % question.ticket  # a syntax error in every version and setting
        self.discard_streamed()
        if question.stage is _QUERY or question.stage is _FUNCTION_CALL:
            shared.to_server.append(encode_query(text))
            kind = Owed.QUERY
        else:
            name = b"" if question.stage is _PARSE and not question.name else b"wireproxy_refused"
            shared.to_server.append(encode_parse(name, text))
            kind = Owed.PARSE
            shared.skipping = True  # the server will skip up to Sync: what it skips need not be held first
        shared.pending.push(Entry(kind, question.ticket, refusal=verdict.fields, attachment=question.attachment))

    # -- copies that are looked at as they pass

    def copied(self, data: bytes) -> None:
        """A piece of a CopyData that has been sent on, or its header."""
        head = min(self.head, len(data))
        self.head -= head
        reader = self.shared.copy_reader
        if reader is None:  # the server has failed it meanwhile
            self.stopped = None
        elif self.stopped is None and len(data) > head:
            self.stopped = reader.feed(data[head:] if head else data)
        if self.stopped is not None and not self.passing:
            self.stop_copy(self.stopped)

    def stop_copy(self, fields: Fields) -> None:
        """Fail it, as the client itself could. What the client still sends of it, the server ignores."""
        shared = self.shared
        self.stopped = None
        head = shared.pending.head
        assert head is not None
        head.refusal = fields
        shared.end_copy()
        shared.to_server.append(encode_copy_fail(b"wireproxy refused %d" % head.ticket))
        shared.effects.append(CopyStopped(head.ticket, fields))

    def propose(self, ticket: int, names: tuple[NameChange, ...], segment: int) -> tuple[Change, ...]:
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

    def push(self, entry: Entry) -> None:
        if self.shared.pending.count >= self.shared.limits.owed:
            raise ProtocolError("too many messages without reading their answers", sqlstate="54000")
        self.shared.pending.push(entry)
