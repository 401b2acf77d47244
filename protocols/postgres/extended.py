"""The extended protocol's messages: named statements, their portals, and what runs one.

A statement is judged when it is parsed, and again when it is bound, since what its names mean may have changed by then and its
values are there. An Execute runs what was allowed at its Bind, unless the policy, the catalog or the meaning of names has
changed since, or SQL made the portal.
"""

from __future__ import annotations

from typing import Final

from protocols.base import Forward, ProtocolError, Question, Stage
from protocols.postgres.asking import Asking, Waiting
from protocols.postgres.messages import (
    decode_bind,
    decode_bind_names,
    decode_parse,
    encode_bind_parameters,
    encode_describe_portal,
    encode_parse,
    read_cstring,
)
from protocols.postgres.names import NAME_BYTES, Change, Named
from protocols.postgres.pending import Entry, Owed
from protocols.postgres.shared import Shared

_PARSE: Final = Stage.PARSE
_BIND: Final = Stage.BIND
_EXECUTE: Final = Stage.EXECUTE


class Extended:
    """Turns its messages into questions, and their verdicts into what goes to the server."""

    __slots__ = ("asking", "shared")

    def __init__(self, shared: Shared, asking: Asking) -> None:
        self.shared = shared
        self.asking = asking

    def parse(self, message: bytes) -> None:
        parse = decode_parse(message[5:])
        self._check_name(parse.name)
        if parse.name and len(self.shared.names.statements.confirmed) >= self.shared.limits.prepared_statements:
            raise ProtocolError("more prepared statements than prepared_statements allows", sqlstate="54000")
        if parse.name:
            self._check_room(len(message))
        question = Question(
            self.shared.next_ticket(), _PARSE, parse.text, parse.name, types=parse.types, length=len(message)
        )
        self.asking.ask(Waiting(_PARSE, message), question)

    def forward_parse(self, waiting: Waiting, question: Question, verdict: Forward) -> None:
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

    def bind(self, message: bytes) -> None:
        portal, statement, _ = decode_bind_names(message[5:])
        self.begin_bind(message, portal, statement, 0)

    def begin_bind(self, message: bytes, portal: bytes, statement: bytes, streamed: int) -> None:
        shared = self.shared
        self._check_name(portal)
        self._check_name(statement)
        if portal:
            if len(shared.names.portals.confirmed) >= shared.limits.prepared_statements:
                raise ProtocolError("more portals than prepared_statements allows", sqlstate="54000")
            self._check_room(len(message))
        if streamed:
            self.asking.passing = 1 + streamed - len(message)
        self.ask_bind(Waiting(_BIND, message, None, portal, statement, streamed))

    def ask_bind(self, waiting: Waiting) -> None:
        shared = self.shared
        found = shared.names.statements.look_up(waiting.statement, shared.segment)
        if not found.certain:
            self.asking.put_off(waiting)
            return
        named = found.named
        message, streamed = waiting.message, waiting.streamed
        parameters: tuple[bytes | None, ...] | None = None
        formats: tuple[int, ...] = ()
        if not streamed:
            bind = decode_bind(message[5:])
            parameters, formats = bind.parameters, bind.formats
            waiting.source, waiting.results = named, bind.results
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
        self.asking.ask(waiting, question)

    def forward_bind(self, waiting: Waiting, question: Question, verdict: Forward) -> None:
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
            source=waiting.source,
            results=waiting.results,
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

    def execute(self, message: bytes) -> None:
        portal, at = read_cstring(message, 5)
        if len(message) != at + 4:
            raise ProtocolError("Execute has another length than its contents")
        self._check_name(portal)
        self.run(Waiting(_EXECUTE, message, None, portal))

    def run(self, waiting: Waiting) -> None:
        shared = self.shared
        message, portal = waiting.message, waiting.portal
        found = shared.names.portals.look_up(portal, shared.segment)
        if not found.certain:
            self.asking.put_off(waiting)
            return
        named = found.named
        moved = named is not None and named.late and named.version != shared.names.version
        if named is not None and named.epoch == shared.epoch and not named.declared and not moved:
            self._send_execute(message, portal, named, named.ticket, named.barrier)
            if named.barrier:
                self.asking.put_off(None)
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
        self.asking.ask(waiting, question)

    def forward_execute(self, waiting: Waiting, question: Question, verdict: Forward) -> None:
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
        changes = self.asking.propose(ticket, named.names, shared.segment) if named.names else ()
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
                portal=named,
            )
        )

    def describe(self, message: bytes) -> None:
        if len(message) < 7 or message[5] not in b"SP":
            raise ProtocolError("Describe of something that is neither statement nor portal")
        kind = Owed.DESCRIBE_STATEMENT if message[5] == 0x53 else Owed.DESCRIBE_PORTAL
        name, _ = read_cstring(message, 6)
        self.shared.to_server.append(message)
        names = self.shared.names
        space = names.statements if kind == Owed.DESCRIBE_STATEMENT else names.portals
        named = space.look_up(name, self.shared.segment).named
        self.asking.push(Entry(kind, name=name[:NAME_BYTES], mend=named.mend if named is not None else None))

    def close(self, message: bytes) -> None:
        if len(message) < 7 or message[5] not in b"SP":
            raise ProtocolError("Close of something that is neither statement nor portal")
        name, _ = read_cstring(message, 6)
        self._check_name(name)
        space = "statement" if message[5] == 0x53 else "portal"
        change = Change(space, name[:NAME_BYTES], None, self.shared.segment)
        self.shared.names.propose(change)
        self.shared.to_server.append(message)
        self.asking.push(Entry(Owed.CLOSE, changes=(change,)))

    def _check_room(self, size_bytes: int) -> None:
        if not self.shared.names.has_room(size_bytes, self.shared.limits.names_bytes):
            raise ProtocolError("prepared statements and portals are longer than names_bytes allows", sqlstate="54000")

    def _check_name(self, name: bytes) -> None:
        """The server converts names; two spellings of one, of which the gateway knows one, would be two statements here."""
        if self.shared.ascii_names and not name.isascii():
            raise ProtocolError(
                "names beyond ASCII need UTF8, of the database and as client_encoding", sqlstate="0A000"
            )
