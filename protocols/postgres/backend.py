"""The server's half of a relay: what the database answers, on its way to the client.

Theory of operation. Each message is cut at its header; runs that need no look are forwarded as one slice of what was read. The
head of the owed answers says what a message belongs to, and `EXPECTED` says which messages that head may get: anything else is
a protocol error, because a gateway that has lost its place can neither mask nor refuse. A row of a result that is to be looked
at never leaves before its description has been planned; where the client did not ask for the description, the client's half has
put a Describe of the gateway's own in front of the Execute.
"""

from __future__ import annotations

from typing import Final

from protocols.base import CopyReader, CopyRewriter, Detected, Peer, ProtocolError, RowPlan
from protocols.buffer import Inbox
from protocols.postgres.answers import EXPECTED, Answers
from protocols.postgres.detecting import LongFrame
from protocols.postgres.keeping import KeptRows
from protocols.postgres.messages import shortened_fields
from protocols.postgres.pending import Entry
from protocols.postgres.rows import end_of_run, int32
from protocols.postgres.shared import Shared
from protocols.postgres.texts import Rewriter, Texts

_ROW: Final = ord("D")
_PART: Final = 64 * 1024  # of a row that is looked at in parts
_COPY_DATA: Final = ord("d")
_ERROR: Final = ord("E")
_NOTICE: Final = ord("N")


class Backend:
    """Reads what the server sent; writes to `shared.to_client`."""

    __slots__ = (
        "_answers",
        "_dropping",
        "_inbox",
        "_kept",
        "_passing",
        "_scanning",
        "_scanning_ticket",
        "_texts",
        "shared",
    )

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._inbox = Inbox()
        self._passing = 0  # bytes of a message that is streamed through and has not ended
        self._dropping = 0  # bytes of a message whose beginning was enough
        self._scanning: LongFrame | None = None  # that is passing in parts, which a detector looks at
        self._scanning_ticket = 0
        self._kept = KeptRows(shared)
        self._texts = Texts(shared)
        self._answers = Answers(shared, self._kept, self._texts)

    @property
    def waiting(self) -> bool:
        """A plan is awaited: nothing more is read from the server until then."""
        return self._answers.asked is not None

    def feed(self, data: bytes) -> None:
        self._inbox.add(data)

    @property
    def at_boundary(self) -> bool:
        return self._passing == 0

    def advance(self) -> None:
        """Cut and handle what is here, up to the first thing that must be answered."""
        answers = self._answers
        if answers.asked is not None or not self._inbox.ready:
            return
        buffer = self._inbox.take()
        size = len(buffer)
        needed = 5
        shared = self.shared
        kept = self._kept
        texts = self._texts
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
                if head is None or kind not in EXPECTED[head.kind] or head.refusal is not None:
                    raise ProtocolError("the server sent rows that nobody asked for", peer=Peer.SERVER)
                if head.copying != (kind == _COPY_DATA):  # they would go past the plan that was made for the others
                    raise ProtocolError("the server mixed rows and copied data", peer=Peer.SERVER)
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
                    if shared.detector is not None and texts.holds_text(head, kind):
                        new = texts.detected(head, buffer, at, end)
                        if new is not None:
                            if at > start:
                                out.append(buffer[start:at])
                            out.append(new)
                            start = end
                            if head.record_left:
                                kept.keep_run(head, new)
                            at = end
                            continue
                    if head.record_left:
                        kept.keep_run(head, buffer[at:end])
                    at = end
                    continue
                detector = shared.detector
                scanned = detector is not None and texts.holds_text(head, kind)
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
                    if kept.frames:
                        kept.give()
                    self._scan_part(buffer, at + 5)
                    return
                out.append(buffer[start:])
                self._passing = end - size
                if kept.frames:
                    kept.give()
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
                answers.completed(kind, buffer[at + 5 : end])
                at = end
                continue
            if kind == 0x5A:  # Z
                answers.ready(buffer[at + 5 : end])
                at = end
                continue
            if kind == 0x31 or kind == 0x32 or kind == 0x33:
                passes = answers.confirmed(kind)
            elif kind == 0x54:  # T
                passes = answers.row_description(buffer[at:end])
            elif kind == 0x6E:  # n
                passes = answers.no_data()
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
        if kept.frames:
            kept.give()
        self._inbox.put_back(buffer, at, needed)

    def _handle(self, kind: int, message: bytes) -> None:
        """What comes more seldom. Each puts on the way to the client what is to go there."""
        answers = self._answers
        match kind:
            case 0x53:  # S
                answers.parameter_status(message, message[5:])
            case 0x45:  # E
                answers.error(message, message[5:])
            case 0x4E:  # N
                answers.notice(message, message[5:])
            case 0x74:  # t
                answers.parameter_description(message, message[5:])
            case 0x41:  # A
                answers.notification(message, message[5:])
            case 0x47:  # G
                answers.copy_in(message, message[5:])
            case 0x48:  # H
                answers.copy_out(message, message[5:])
            case 0x63:  # c
                answers.copy_done(message)
            case _:
                raise ProtocolError(f"the server sent a message of unknown type {kind:#x}", peer=Peer.SERVER)

    def plan(self, plan: RowPlan | None) -> None:
        self._answers.plan(plan)

    def plan_copy(self, rewriter: CopyRewriter | None) -> None:
        self._answers.plan_copy(rewriter)

    def plan_copy_in(self, reader: CopyReader | None) -> None:
        self._answers.plan_copy_in(reader)

    def deliver_notices(self) -> None:
        """Messages of the gateway's own go out between two messages of the server, never inside one."""
        shared = self.shared
        if shared.notices and not self._passing:
            shared.to_client.extend(shared.notices)
            shared.notices.clear()

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

    def _rewrite_run(self, head: Entry, buffer: bytes, at: int) -> int:
        """Send the rows that stand at `at` and behind it in their masked form. Gives where the first other message begins."""
        if buffer[at] == _ROW:
            if head.plan is None:
                raise ProtocolError("a row came before its description", peer=Peer.SERVER)
            rewriter: Rewriter = head.plan
            new, end, rows = head.plan.rewrite(buffer, at)
            head.rows += rows
        else:
            if head.copy is None:
                raise ProtocolError("copy data came before its plan", peer=Peer.SERVER)
            rewriter = head.copy
            new, end = head.copy.rewrite(buffer, at)
        if new:
            head.size_bytes += len(new)
            if self.shared.detector is not None and self._texts.holds_text(head, buffer[at]):
                new = self._texts.detected_beside(head, new, rewriter) or new
            if head.record_left:
                self._kept.keep_run(head, new)
            self.shared.to_client.append(new)
        return end
