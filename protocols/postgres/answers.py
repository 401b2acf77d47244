"""The server's messages one by one, but for rows: what each says about the answer that is owed.

Any message that the head of the owed answers may not get is a protocol error, because a gateway that has lost its place can
neither mask nor refuse.
"""

from __future__ import annotations

import re
from typing import Final

from protocols.base import (
    Completed,
    CopyIn,
    CopyOut,
    CopyReader,
    CopyRewriter,
    Described,
    Failed,
    Fields,
    ParameterChanged,
    Peer,
    ProtocolError,
    Ready,
    RowPlan,
)
from protocols.postgres.keeping import KeptRows
from protocols.postgres.messages import (
    decode_copy_response,
    decode_fields,
    decode_notification,
    decode_parameter_description,
    decode_parameter_status,
    decode_row_description,
    encode_fields,
    encode_notification,
    frame,
)
from protocols.postgres.pending import OWED_NAMES, Entry, Owed
from protocols.postgres.rows import RowRewriter
from protocols.postgres.shared import Shared
from protocols.postgres.texts import Texts

# What may arrive while an entry is the head. ErrorResponse, NoticeResponse, ParameterStatus and NotificationResponse may arrive
# at any time and are not listed. Spec: PostgreSQL 55.2.2 and 55.2.3.
EXPECTED: Final[list[bytes]] = [
    b"TDCIGHdcZ",  # QUERY
    b"1",  # PARSE
    b"2",  # BIND
    b"tTn",  # DESCRIBE_STATEMENT
    b"Tn",  # DESCRIBE_PORTAL
    b"DCIsGHdc",  # EXECUTE
    b"3",  # CLOSE
    b"Z",  # SYNC
    b"Z",  # FUNCTION_CALL: always refused: its error, then ReadyForQuery
    b"",  # COPY_END
]
# Parameters that the server reports and that take no text of anybody's own, nor a number.
CLOSED: Final = frozenset({
    b"client_encoding", b"DateStyle", b"default_transaction_read_only", b"in_hot_standby", b"integer_datetimes", b"IntervalStyle",
    b"is_superuser", b"server_encoding", b"server_version", b"session_authorization", b"standard_conforming_strings",
})  # fmt: skip
OFFSET: Final = re.compile(rb"<[+-]\d\d(:\d\d){0,2}>[+-]\d\d(:\d\d){0,2}")  # what the server makes of SET TIME ZONE 2


class Answers:
    """Handles them, and puts on the way to the client what is to go there and does not go as part of a run."""

    __slots__ = ("asked", "kept", "shared", "texts")

    def __init__(self, shared: Shared, kept: KeptRows, texts: Texts) -> None:
        self.shared = shared
        self.kept = kept
        self.texts = texts
        self.asked: Entry | None = None  # the entry whose result waits for a plan

    def expect(self, kind: int) -> Entry:
        head = self.shared.pending.head
        if head is None or kind not in EXPECTED[head.kind]:
            wanted = "nothing" if head is None else OWED_NAMES[head.kind]
            raise ProtocolError(f"the server sent {chr(kind)!r} where {wanted} was to be answered", peer=Peer.SERVER)
        if head.refusal is not None and kind != 0x5A:
            # what stood in for a refused message did not fail: whatever it did, the client must not take it for an answer
            raise ProtocolError(f"the server answered {chr(kind)!r} to a refused message", peer=Peer.SERVER)
        return head

    # -- descriptions

    def row_description(self, message: bytes) -> bool:
        """Whether it passes to the client."""
        head = self.expect(0x54)
        if head.kind == Owed.DESCRIBE_STATEMENT:
            self.shared.pending.pop()
            self.shared.names.describe(head.name, message, self.shared.limits.names_bytes)
            return True
        columns_of_text = self.texts.describes(message) if self.shared.detector is not None else None
        if head.kind == Owed.DESCRIBE_PORTAL:
            self.kept.description, self.kept.portal = message, head.name
            self.texts.portal = (head.name, columns_of_text)
            if not head.injected:
                self.shared.pending.pop()
                return True
        else:
            head.textual = columns_of_text
            head.size_bytes += len(message)
            if head.record_left:
                self.kept.keep(head, message)
        if head.look:
            columns = decode_row_description(message[5:])
            again = head.columns_seen > 0
            head.columns_seen += 1
            self.asked = head
            self.shared.effects.append(Described(head.ticket, head.index, columns, head.attachment, again))
        elif head.injected:
            raise ProtocolError("a description came that was not to be looked at", peer=Peer.SERVER)
        return not head.injected

    def plan(self, plan: RowPlan | None) -> None:
        """The answer to `Described`."""
        head = self.asked
        assert head is not None
        self.asked = None
        if head.kind == Owed.DESCRIBE_PORTAL:
            self.shared.pending.pop()
            target = self.shared.pending.head
            # an injected Describe is always followed by its Execute
            assert target is not None
            assert target.kind == Owed.EXECUTE
            head = target
        head.plan = None if plan is None else RowRewriter(plan)
        if head.plan is not None:
            head.plan.searched = self.shared.detector is not None
        head.described = True

    def no_data(self) -> bool:
        """Whether it passes to the client."""
        head = self.expect(0x6E)
        self.shared.pending.pop()
        return not head.injected

    def parameter_description(self, message: bytes, body: bytes) -> None:
        types = decode_parameter_description(body)
        head = self.expect(0x74)
        named = self.shared.names.statements.confirmed.get(head.name)
        if named is not None:
            named.types = types  # most drivers leave the types to the server; a person who approves needs them
        self.shared.to_client.append(message)

    # -- ends

    def confirmed(self, kind: int) -> bool:
        """Whether it passes to the client."""
        head = self.expect(kind)
        self.shared.pending.pop()
        if head.kind == Owed.BIND:
            self.texts.portal = None  # of its name there is another one now
            self.kept.description = b""
        for change in head.changes:
            self.shared.names.confirm(change)
        return not head.injected

    def completed(self, kind: int, body: bytes) -> None:
        shared = self.shared
        head = self.expect(kind)
        for change in head.changes:
            if change.position == head.index:
                shared.names.confirm(change)
        if head.settles:
            shared.report_ready = True
        if head.taints:
            shared.names.taint()
        if head.copy is not None:
            head.copy = None
        shared.end_copy()
        shared.swallowed_syncs = 0  # whatever was sent before this statement's end has been eaten or answered by now
        if self.kept.frames:
            self.kept.give()
        tag = body[:-1] if kind == 0x43 else b""
        shared.effects.append(Completed(head.ticket, head.index, tag, head.rows, head.size_bytes, head.attachment))
        if self.texts.portal is not None and (head.kind != Owed.EXECUTE or self.texts.portal[0] != head.name):
            self.texts.portal = None  # SQL may have closed the cursor of its name, and opened another
        if head.kind == Owed.EXECUTE:
            self.kept.description = b""
            shared.pending.pop()
        else:
            if head.changes:
                head.changes = tuple([change for change in head.changes if change.position != head.index])
            head.next_statement()

    def error(self, message: bytes, body: bytes) -> None:
        shared = self.shared
        fields: Fields = decode_fields(body)
        head = shared.pending.head
        fatal = fields.get("V", fields.get("S", b"")) in (b"FATAL", b"PANIC")
        ticket = head.ticket if head is not None and head.kind != Owed.SYNC else None
        attachment = head.attachment if head is not None else None
        shared.end_copy()
        if head is not None and head.refusal is not None and not fatal:
            out: Fields = head.refusal
        elif head is not None and head.mend is not None:
            out = head.mend(fields)
        elif shared.scrub is not None:
            out = shared.scrub(fields)
        else:
            out = fields
        out = self.texts.cleaned(out, ticket)
        shared.to_client.append(message if out is fields else encode_fields(b"E", out))
        full = None if out is fields or (head is not None and head.refusal is not None and not fatal) else fields
        shared.effects.append(Failed(ticket, out, attachment, full))
        if fatal:
            return
        if head is None:
            if not shared.swallowed_syncs:
                # whether the server skips to Sync now is not known, and so not what it answers next
                raise ProtocolError("the server sent an error where nothing was to be answered", peer=Peer.SERVER)
            return
        if head.settles:
            shared.report_ready = True
        if head.taints:
            shared.names.taint()  # what it did before it failed is not undone: PREPARE is not transactional
        if head.kind in (Owed.QUERY, Owed.FUNCTION_CALL):
            self._undo(head)
            head.changes = ()
            head.refusal = None
            head.next_statement()
            head.kind = (
                Owed.SYNC
            )  # an error ends the whole text: rows behind it would be of a statement that nobody let through
            return
        if head.kind == Owed.SYNC:
            # committing at Sync failed (a deferred constraint): ReadyForQuery still comes, and nothing is skipped
            return
        for entry in shared.pending.skip_to_sync():
            self._undo(entry)
        # the client's half may still be on its way to that Sync
        shared.skipping = shared.pending.head is None

    def _answered(self) -> bool:
        """Whether a ReadyForQuery can be the head's. If not, it is that of a Sync which a copy that had failed did not eat."""
        head = self.shared.pending.head
        # a Query is always answered with something else first
        return head is not None and (head.kind == Owed.SYNC or (head.kind == Owed.QUERY and head.index > 0))

    def _undo(self, entry: Entry) -> None:
        for change in entry.changes:
            self.shared.names.roll_back(change)

    def ready(self, body: bytes) -> None:
        shared = self.shared
        if len(body) != 1 or body not in (b"I", b"T", b"E"):
            raise ProtocolError("ReadyForQuery with an unknown status", peer=Peer.SERVER)
        if shared.swallowed_syncs and not self._answered():
            shared.swallowed_syncs -= 1
            if shared.pending.head is None:
                shared.skipping = False  # that Sync is what it skipped to
        else:
            head = self.expect(0x5A)
            if head.kind == Owed.QUERY and not head.index:
                raise ProtocolError(
                    "the server is ready for another query before it answered the last", peer=Peer.SERVER
                )
            if head.kind == Owed.FUNCTION_CALL and head.refusal is not None:
                raise ProtocolError("the server answered a refused function call", peer=Peer.SERVER)
            if head.changes:
                # a batch ended well and yet not every name it makes was seen to be made: the count of statements is off
                self._undo(head)
                shared.names.taint()
            shared.pending.pop()
        shared.end_copy()
        shared.transaction_status = body
        if body == b"I":
            shared.names.transaction_ended()
        if shared.report_ready:
            shared.report_ready = False
            shared.effects.append(Ready(body.decode("ascii")))

    # -- COPY

    def copy_in(self, message: bytes, body: bytes) -> None:
        shared = self.shared
        head = self.expect(0x47)
        binary, columns = decode_copy_response(body)
        ended, syncs = shared.pending.begin_copy()
        shared.swallowed_syncs += syncs
        shared.to_client.append(message)
        if head.look and not ended:
            self.asked = head
            shared.effects.append(CopyIn(head.ticket, head.index, binary, columns, head.attachment))
        else:
            shared.copy_in = not ended
            shared.copy_reader = None

    def plan_copy_in(self, reader: CopyReader | None) -> None:
        """The answer to `CopyIn`."""
        assert self.asked is not None
        self.asked = None
        self.shared.copy_in = True
        self.shared.copy_reader = reader

    def copy_out(self, message: bytes, body: bytes) -> None:
        head = self.expect(0x48)
        binary, columns = decode_copy_response(body)
        self.shared.to_client.append(message)
        head.copying = True
        head.binary_copy = binary
        if head.record_left:
            self.kept.keep(head, message)
        if head.look:
            self.asked = head
            self.shared.effects.append(CopyOut(head.ticket, head.index, binary, columns, head.attachment))

    def plan_copy(self, rewriter: CopyRewriter | None) -> None:
        """The answer to `CopyOut`."""
        head = self.asked
        assert head is not None
        self.asked = None
        head.copy = rewriter
        if rewriter is not None:
            rewriter.searched = self.shared.detector is not None
        head.described = True

    def copy_done(self, message: bytes) -> None:
        head = self.expect(0x63)
        head.copying = False
        if head.copy is not None and (rest := head.copy.finish()):
            self.shared.to_client.append(frame(b"d", rest))
        self.shared.to_client.append(message)

    # -- at any time

    def notice(self, message: bytes, body: bytes) -> None:
        head = self.shared.pending.head
        scrub = head.mend if head is not None and head.mend is not None else self.shared.scrub
        if scrub is None and self.shared.detector is None:
            self.shared.to_client.append(message)
            return
        fields = decode_fields(body)
        out = self.texts.cleaned(fields if scrub is None else scrub(fields), head.ticket if head is not None else None)
        self.shared.to_client.append(message if out is fields else encode_fields(b"N", out))

    def parameter_status(self, message: bytes, body: bytes) -> None:
        name, value = decode_parameter_status(body)
        text = value.decode("utf-8", "replace")
        self.shared.effects.append(ParameterChanged(name.decode("latin-1"), text))
        if not (
            self.shared.scrub is None
            or name in CLOSED
            or text.lower() in self.shared.known_values
            or OFFSET.fullmatch(value)
        ):
            return  # a function may have put a masked value there: to the client, the parameter is what it was
        shown = self.texts.cleaned({"": value}, None)[""]  # a query may put a row into application_name
        self.shared.to_client.append(message if shown == value else frame(b"S", name + b"\0" + shown + b"\0"))

    def notification(self, message: bytes, body: bytes) -> None:
        if self.shared.scrub_notification is None and self.shared.detector is None:
            self.shared.to_client.append(message)
            return
        process_id, channel, payload = decode_notification(body)
        if self.shared.scrub_notification is not None:
            payload = self.shared.scrub_notification(channel, payload)
        payload = self.texts.cleaned({"": payload}, None)[""]
        self.shared.to_client.append(encode_notification(process_id, channel, payload))
