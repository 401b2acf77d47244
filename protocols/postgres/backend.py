"""The server's half of a relay: what the database answers, on its way to the client.

Theory of operation. Each message is cut at its header; runs that need no look are forwarded as one slice of what was read. The
head of the owed answers says what a message belongs to, and `_EXPECTED` says which messages that head may get: anything else is
a protocol error, because a gateway that has lost its place can neither mask nor refuse. A row of a result that is to be looked
at never leaves before its description has been planned; where the client did not ask for the description, the client's half has
put a Describe of the gateway's own in front of the Execute.
"""

from __future__ import annotations

from typing import Final

from protocols.base import (
    Completed,
    CopyOut,
    CopyRewriter,
    Described,
    Detected,
    Failed,
    Fields,
    ParameterChanged,
    Peer,
    ProtocolError,
    Ready,
    RowPlan,
    Rows,
)
from protocols.buffer import Inbox
from protocols.detecting import cleaned
from protocols.postgres.detecting import LongFrame, overwritten, textual
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
    shortened_fields,
)
from protocols.postgres.pending import OWED_NAMES, Entry, Owed
from protocols.postgres.rows import RowRewriter, end_of_run, int32
from protocols.postgres.shared import Shared

_ROW: Final = ord("D")
_PART: Final = 64 * 1024  # of a row that is looked at in parts
_DESCRIPTIONS_KEPT: Final = 256
_COPY_DATA: Final = ord("d")
_ERROR: Final = ord("E")
_NOTICE: Final = ord("N")

# What may arrive while an entry is the head. ErrorResponse, NoticeResponse, ParameterStatus and NotificationResponse may arrive
# at any time and are not listed. Spec: PostgreSQL 55.2.2 and 55.2.3.
_EXPECTED: Final[list[bytes]] = [
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


class Backend:
    """Reads what the server sent; writes to `shared.to_client`."""

    __slots__ = (
        "_asked",
        "_description",
        "_dropping",
        "_inbox",
        "_kept",
        "_kept_ticket",
        "_passing",
        "_portal",
        "_scanning",
        "_scanning_ticket",
        "_textual",
        "shared",
    )

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._inbox = Inbox()
        self._passing = 0  # bytes of a message that is streamed through and has not ended
        self._dropping = 0  # bytes of a message whose beginning was enough
        self._asked: Entry | None = None  # the entry whose result waits for a plan
        self._description = b""  # of the portal that was described last: without it, recorded rows are hard to read
        self._kept: list[bytes] = []  # frames for the record, of one ticket
        self._kept_ticket = 0
        self._scanning: LongFrame | None = None  # that is passing in parts, which a detector looks at
        self._scanning_ticket = 0
        self._portal: tuple[bytes, tuple[bool, ...] | None] | None = None  # described last, and which columns hold text
        self._textual: dict[bytes, tuple[bool, ...]] = {}  # by RowDescription: the same few come again and again

    @property
    def waiting(self) -> bool:
        """A plan is awaited: nothing more is read from the server until then."""
        return self._asked is not None

    def feed(self, data: bytes) -> None:
        self._inbox.add(data)

    @property
    def at_boundary(self) -> bool:
        return self._passing == 0

    def advance(self) -> None:
        """Cut and handle what is here, up to the first thing that must be answered."""
        if self._asked is not None or not self._inbox.ready:
            return
        buffer = self._inbox.take()
        size = len(buffer)
        needed = 5
        shared = self.shared
        out = shared.to_client
        at = start = 0  # bytes from start to at are whole messages that go out as they are
        if self._dropping:
            at = start = min(self._dropping, size)
            self._dropping -= at
        if self._scanning is not None:
            at = start = self._scan_part(buffer, 0)
            if self._passing:
                return
        elif self._passing:
            at = min(self._passing, size)
            self._passing -= at
            if self._passing:
                out.append(buffer)
                return
        while size - at >= 5:
            kind = buffer[at]
            length = int32(buffer, at + 1)
            end = at + 1 + length
            if length < 4:
                raise ProtocolError("a message shorter than its header", peer=Peer.SERVER)
            if kind == _ROW or kind == _COPY_DATA:
                head = shared.pending.head
                if head is None or kind not in _EXPECTED[head.kind] or head.refusal is not None:
                    raise ProtocolError("the server sent rows that nobody asked for", peer=Peer.SERVER)
                masked = head.plan is not None if kind == _ROW else head.copy is not None
                if masked or (head.look and not head.described):
                    if end <= size:
                        if at > start:
                            out.append(buffer[start:at])
                        at = start = self._rewrite_run(head, buffer, at)
                        continue
                    if length > shared.limits.masked_row_bytes:
                        raise ProtocolError(
                            f"a row of {length} bytes is longer than masked_row_bytes",
                            peer=Peer.SERVER,
                            sqlstate="54000",
                        )
                    needed = end - at
                    break
                if end <= size:
                    end, frames = end_of_run(buffer, at)
                    if kind == _ROW:
                        head.rows += frames
                    head.size_bytes += end - at
                    if shared.detector is not None and self._holds_text(head, kind):
                        new = self._detected(head, buffer, at, end)
                        if new is not None:
                            if at > start:
                                out.append(buffer[start:at])
                            out.append(new)
                            start = end
                            if head.record_left:
                                self._record_run(head, new)
                            at = end
                            continue
                    if head.record_left:
                        self._record_run(head, buffer[at:end])
                    at = end
                    continue
                detector = shared.detector
                scanned = detector is not None and self._holds_text(head, kind)
                if scanned and length <= shared.limits.message_bytes:
                    needed = end - at
                    break
                # streamed: it may be a gigabyte
                if kind == _ROW:
                    head.rows += 1
                head.size_bytes += length + 1
                head.record_left = 0
                if scanned and detector is not None:
                    out.append(buffer[start : at + 5])
                    self._passing = length - 4
                    self._scanning = LongFrame(detector, length - 4, kind == _ROW or head.binary_copy, head.textual)
                    self._scanning_ticket = head.ticket
                    if self._kept:
                        self._give_kept()
                    self._scan_part(buffer, at + 5)
                    return
                out.append(buffer[start:])
                self._passing = end - size
                if self._kept:
                    self._give_kept()
                return
            if length > shared.limits.message_bytes:
                if kind != _ERROR and kind != _NOTICE:
                    raise ProtocolError("a message is longer than message_bytes", peer=Peer.SERVER)
                # it quotes a value of megabytes, and is no reason to end the session: its beginning says what is wrong
                needed = 1 + shared.limits.message_bytes
                if size - at < needed:
                    break
                if at > start:
                    out.append(buffer[start:at])
                message = shortened_fields(buffer[at : at + needed])
                self._dropping = max(0, end - size)
                at = start = min(end, size)
                self._handle(kind, message)
                continue
            if end > size:
                needed = end - at
                break
            # those that come with every statement stay part of the run, unless they answer the gateway's own
            if kind == 0x43 or kind == 0x49 or kind == 0x73:  # C, I, s
                self._completed(kind, buffer[at + 5 : end])
                at = end
                continue
            if kind == 0x5A:  # Z
                self._ready(buffer[at + 5 : end])
                at = end
                continue
            if kind == 0x31 or kind == 0x32 or kind == 0x33:
                passes = self._confirmed(kind)
            elif kind == 0x54:  # T
                passes = self._row_description(buffer[at:end])
            elif kind == 0x6E:  # n
                passes = self._no_data()
            else:
                if at > start:
                    out.append(buffer[start:at])
                self._handle(kind, buffer[at:end])
                at = start = end
                if self.waiting:
                    break
                continue
            if not passes:
                if at > start:
                    out.append(buffer[start:at])
                start = end
            at = end
            if self.waiting:
                break
        if at > start:
            out.append(buffer[start:at])
        if self._kept:
            self._give_kept()
        self._inbox.put_back(buffer, at, needed)

    def _handle(self, kind: int, message: bytes) -> None:
        """What comes more seldom. Each puts on the way to the client what is to go there."""
        match kind:
            case 0x53:  # S
                self._parameter_status(message, message[5:])
            case 0x45:  # E
                self._error(message, message[5:])
            case 0x4E:  # N
                self._notice(message, message[5:])
            case 0x74:  # t
                self._parameter_description(message, message[5:])
            case 0x41:  # A
                self._notification(message, message[5:])
            case 0x47:  # G
                self._copy_in(message)
            case 0x48:  # H
                self._copy_out(message, message[5:])
            case 0x63:  # c
                self._copy_done(message)
            case _:
                raise ProtocolError(f"the server sent a message of unknown type {kind:#x}", peer=Peer.SERVER)

    def deliver_notices(self) -> None:
        """Messages of the gateway's own go out between two messages of the server, never inside one."""
        shared = self.shared
        if shared.notices and not self._passing:
            shared.to_client.extend(shared.notices)
            shared.notices.clear()

    # -- what detectors look at

    def _holds_text(self, head: Entry, kind: int) -> bool:
        """Whether a detector has anything to look at in these rows. Columns of which nothing is known may hold anything."""
        if kind != _ROW:
            return True
        if head.textual is None and head.kind == Owed.EXECUTE and self._portal is not None:
            name, columns = self._portal
            if name == head.name:
                head.textual = columns
        return head.textual is None or head.textual != ()

    def _describes(self, message: bytes) -> tuple[bool, ...]:
        known = self._textual.get(message)
        if known is None:
            if len(self._textual) >= _DESCRIPTIONS_KEPT:
                self._textual.clear()
            known = self._textual[message] = textual(decode_row_description(message[5:]))
        return known

    def _detected(self, head: Entry, data: bytes, start: int, end: int) -> bytes | None:
        """Whole frames without what the detector finds in them; None: it finds nothing."""
        detector = self.shared.detector
        assert detector is not None
        found = overwritten(data, start, end, head.textual, head.binary_copy, detector)
        if found is None:
            return None
        self.shared.effects.append(Detected(head.ticket, found[1]))
        return found[0]

    def _cleaned(self, fields: Fields, ticket: int | None) -> Fields:
        """What an error, a notice or a notification says, without what the detector finds in it."""
        detector = self.shared.detector
        found = None if detector is None else cleaned(fields, detector)
        if found is None:
            return fields
        self.shared.effects.append(Detected(ticket or 0, found[1]))
        return found[0]

    def _scan_part(self, buffer: bytes, at: int) -> int:
        """Passes what is here of a long frame, but for an end that may belong to a finding. Gives how far it got."""
        frame = self._scanning
        assert frame is not None
        new, at, counts = frame.feed(buffer, at)
        self.shared.to_client.extend(new)
        if counts:
            self.shared.effects.append(Detected(self._scanning_ticket, counts))
        self._passing = frame.left
        if self._passing:
            self._inbox.put_back(buffer, at, min(self._passing, _PART))
        else:
            self._scanning = None
        return at

    # -- rows

    def _record(self, head: Entry, frame_bytes: bytes) -> None:
        """Keep a frame for the record; the first that does not fit ends what is kept of this result."""
        if len(frame_bytes) > head.record_left:
            head.record_left = 0
            return
        if self._description and head.kind == Owed.EXECUTE:
            self._kept.append(self._description)
            self._description = b""
        head.record_left -= len(frame_bytes)
        self._kept.append(frame_bytes)
        self._kept_ticket = head.ticket

    def _record_run(self, head: Entry, run: bytes) -> None:
        """The same for frames one behind the other, as if they had come one by one."""
        at = 0
        if len(run) > head.record_left:
            while head.record_left:
                end = at + 1 + int32(run, at + 1)
                self._record(head, run[at:end])
                at = end
        else:
            self._record(head, run)

    def _give_kept(self) -> None:
        self.shared.effects.append(Rows(self._kept_ticket, b"".join(self._kept)))
        self._kept = []

    def _rewrite_run(self, head: Entry, buffer: bytes, at: int) -> int:
        """Send the rows that stand at `at` and behind it in their masked form. Gives where the first other message begins."""
        if buffer[at] == _ROW:
            if head.plan is None:
                raise ProtocolError("a row came before its description", peer=Peer.SERVER)
            new, end, rows = head.plan.rewrite(buffer, at)
            head.rows += rows
        else:
            if head.copy is None:
                raise ProtocolError("copy data came before its plan", peer=Peer.SERVER)
            new, end = head.copy.rewrite(buffer, at)
        if new:
            head.size_bytes += len(new)
            if self.shared.detector is not None and self._holds_text(head, buffer[at]):
                new = self._detected(head, new, 0, len(new)) or new
            if head.record_left:
                self._record_run(head, new)
            self.shared.to_client.append(new)
        return end

    def _expect(self, kind: int) -> Entry:
        head = self.shared.pending.head
        if head is None or kind not in _EXPECTED[head.kind]:
            wanted = "nothing" if head is None else OWED_NAMES[head.kind]
            raise ProtocolError(f"the server sent {chr(kind)!r} where {wanted} was to be answered", peer=Peer.SERVER)
        if head.refusal is not None and kind != 0x5A:
            # what stood in for a refused message did not fail: whatever it did, the client must not take it for an answer
            raise ProtocolError(f"the server answered {chr(kind)!r} to a refused message", peer=Peer.SERVER)
        return head

    def _row_description(self, message: bytes) -> bool:
        """Whether it passes to the client."""
        head = self._expect(0x54)
        if head.kind == Owed.DESCRIBE_STATEMENT:
            self.shared.pending.pop()
            return True
        columns_of_text = self._describes(message) if self.shared.detector is not None else None
        if head.kind == Owed.DESCRIBE_PORTAL:
            self._description = message
            self._portal = (head.name, columns_of_text)
            if not head.injected:
                self.shared.pending.pop()
                return True
        else:
            head.textual = columns_of_text
            head.size_bytes += len(message)
            if head.record_left:
                self._record(head, message)
        if head.look:
            columns = decode_row_description(message[5:])
            again = head.columns_seen > 0
            head.columns_seen += 1
            self._asked = head
            self.shared.effects.append(Described(head.ticket, head.index, columns, head.attachment, again))
        elif head.injected:
            raise ProtocolError("a description came that was not to be looked at", peer=Peer.SERVER)
        return not head.injected

    def plan(self, plan: RowPlan | None) -> None:
        """The answer to `Described`."""
        head = self._asked
        assert head is not None
        self._asked = None
        if head.kind == Owed.DESCRIBE_PORTAL:
            self.shared.pending.pop()
            target = self.shared.pending.head
            # an injected Describe is always followed by its Execute
            assert target is not None
            assert target.kind == Owed.EXECUTE
            head = target
        head.plan = None if plan is None else RowRewriter(plan)
        head.described = True

    def _no_data(self) -> bool:
        """Whether it passes to the client."""
        head = self._expect(0x6E)
        self.shared.pending.pop()
        return not head.injected

    def _parameter_description(self, message: bytes, body: bytes) -> None:
        types = decode_parameter_description(body)
        head = self._expect(0x74)
        named = self.shared.names.statements.confirmed.get(head.name)
        if named is not None:
            named.types = types  # most drivers leave the types to the server; a person who approves needs them
        self.shared.to_client.append(message)

    # -- ends

    def _confirmed(self, kind: int) -> bool:
        """Whether it passes to the client."""
        head = self._expect(kind)
        self.shared.pending.pop()
        if head.kind == Owed.BIND:
            self._portal = None  # of its name there is another one now
        for change in head.changes:
            self.shared.names.confirm(change)
        return not head.injected

    def _completed(self, kind: int, body: bytes) -> None:
        shared = self.shared
        head = self._expect(kind)
        for change in head.changes:
            if change.position == head.index:
                shared.names.confirm(change)
        if head.settles:
            shared.report_ready = True
        if head.taints:
            shared.names.taint()
        if head.copy is not None:
            head.copy = None
        shared.copy_in = False
        if self._kept:
            self._give_kept()
        tag = body[:-1] if kind == 0x43 else b""
        shared.effects.append(Completed(head.ticket, head.index, tag, head.rows, head.size_bytes, head.attachment))
        if self._portal is not None and (head.kind != Owed.EXECUTE or self._portal[0] != head.name):
            self._portal = None  # SQL may have closed the cursor of its name, and opened another
        if head.kind == Owed.EXECUTE:
            self._description = b""
            shared.pending.pop()
        else:
            if head.changes:
                head.changes = tuple([change for change in head.changes if change.position != head.index])
            head.next_statement()

    def _error(self, message: bytes, body: bytes) -> None:
        shared = self.shared
        fields: Fields = decode_fields(body)
        head = shared.pending.head
        fatal = fields.get("V", fields.get("S", b"")) in (b"FATAL", b"PANIC")
        ticket = head.ticket if head is not None and head.kind != Owed.SYNC else None
        attachment = head.attachment if head is not None else None
        shared.copy_in = False
        if head is not None and head.refusal is not None and not fatal:
            out: Fields = head.refusal
        elif head is not None and head.mend is not None:
            out = head.mend(fields)
        elif shared.scrub is not None:
            out = shared.scrub(fields)
        else:
            out = fields
        out = self._cleaned(out, ticket)
        shared.to_client.append(message if out is fields else encode_fields(b"E", out))
        shared.effects.append(Failed(ticket, out, attachment))
        if head is None or fatal:
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
            return
        if head.kind == Owed.SYNC:
            # committing at Sync failed (a deferred constraint): ReadyForQuery still comes, and nothing is skipped
            return
        for entry in shared.pending.skip_to_sync():
            self._undo(entry)
        # the client's half may still be on its way to that Sync
        shared.skipping = shared.pending.head is None

    def _undo(self, entry: Entry) -> None:
        for change in entry.changes:
            self.shared.names.roll_back(change)

    def _ready(self, body: bytes) -> None:
        shared = self.shared
        if len(body) != 1 or body not in (b"I", b"T", b"E"):
            raise ProtocolError("ReadyForQuery with an unknown status", peer=Peer.SERVER)
        if shared.swallowed_syncs and (shared.pending.head is None or shared.pending.head.kind != Owed.SYNC):
            shared.swallowed_syncs -= 1
        else:
            head = self._expect(0x5A)
            if head.kind == Owed.FUNCTION_CALL and head.refusal is not None:
                raise ProtocolError("the server answered a refused function call", peer=Peer.SERVER)
            if head.changes:
                # a batch ended well and yet not every name it makes was seen to be made: the count of statements is off
                self._undo(head)
                shared.names.taint()
            shared.pending.pop()
        shared.copy_in = False
        shared.transaction_status = body
        if body == b"I":
            shared.names.transaction_ended()
        if shared.report_ready:
            shared.report_ready = False
            shared.effects.append(Ready(body.decode("ascii")))

    # -- COPY

    def _copy_in(self, message: bytes) -> None:
        shared = self.shared
        self._expect(0x47)
        ended, eaten = shared.pending.begin_copy()
        if eaten is not None:
            self._undo(eaten)
        shared.copy_in = not ended and eaten is None
        shared.to_client.append(message)

    def _copy_out(self, message: bytes, body: bytes) -> None:
        head = self._expect(0x48)
        binary, columns = decode_copy_response(body)
        self.shared.to_client.append(message)
        head.copying = True
        head.binary_copy = binary
        if head.record_left:
            self._record(head, message)
        if head.look:
            self._asked = head
            self.shared.effects.append(CopyOut(head.ticket, head.index, binary, columns, head.attachment))

    def plan_copy(self, rewriter: CopyRewriter | None) -> None:
        """The answer to `CopyOut`."""
        head = self._asked
        assert head is not None
        self._asked = None
        head.copy = rewriter
        head.described = True

    def _copy_done(self, message: bytes) -> None:
        head = self._expect(0x63)
        if head.copy is not None and (rest := head.copy.finish()):
            self.shared.to_client.append(frame(b"d", rest))
        self.shared.to_client.append(message)

    # -- at any time

    def _notice(self, message: bytes, body: bytes) -> None:
        head = self.shared.pending.head
        scrub = head.mend if head is not None and head.mend is not None else self.shared.scrub
        if scrub is None and self.shared.detector is None:
            self.shared.to_client.append(message)
            return
        fields = decode_fields(body)
        out = self._cleaned(fields if scrub is None else scrub(fields), head.ticket if head is not None else None)
        self.shared.to_client.append(message if out is fields else encode_fields(b"N", out))

    def _parameter_status(self, message: bytes, body: bytes) -> None:
        name, value = decode_parameter_status(body)
        self.shared.effects.append(ParameterChanged(name.decode("latin-1"), value.decode("utf-8", "replace")))
        self.shared.to_client.append(message)

    def _notification(self, message: bytes, body: bytes) -> None:
        if self.shared.scrub_notification is None and self.shared.detector is None:
            self.shared.to_client.append(message)
            return
        process_id, channel, payload = decode_notification(body)
        if self.shared.scrub_notification is not None:
            payload = self.shared.scrub_notification(channel, payload)
        payload = self._cleaned({"": payload}, None)[""]
        self.shared.to_client.append(encode_notification(process_id, channel, payload))
