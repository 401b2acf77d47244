"""Rows that are kept for the record, as the client gets them."""

from __future__ import annotations

from protocols.base import Rows
from protocols.postgres.messages import with_formats
from protocols.postgres.names import Named
from protocols.postgres.pending import Entry
from protocols.postgres.rows import int32
from protocols.postgres.shared import Shared


class KeptRows:
    """Of one read and one ticket; they become an effect before the next, and before their result ends."""

    __slots__ = ("description", "frames", "portal", "shared", "ticket")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.frames: list[bytes] = []
        self.ticket = 0
        self.description = b""  # of the portal that was described last: without it, recorded rows are hard to read
        self.portal = b""  # its name

    def keep(self, head: Entry, frame_bytes: bytes) -> None:
        """Keep a frame for the record; the first that does not fit ends what is kept of this result."""
        if len(frame_bytes) > head.record_left:
            head.record_left = 0
            return
        if head.portal is not None:
            description = self.description if self.portal == head.name else b""
            if description := description or _described(head.portal):
                self.frames.append(description)
            self.description, head.portal = b"", None
        head.record_left -= len(frame_bytes)
        self.frames.append(frame_bytes)
        self.ticket = head.ticket

    def keep_run(self, head: Entry, run: bytes) -> None:
        """The same for frames one behind the other, as if they had come one by one."""
        at = 0
        if len(run) > head.record_left:
            while head.record_left:
                end = at + 1 + int32(run, at + 1)
                self.keep(head, run[at:end])
                at = end
        else:
            self.keep(head, run)

    def give(self) -> None:
        self.shared.effects.append(Rows(self.ticket, b"".join(self.frames)))
        self.frames = []


def _described(portal: Named) -> bytes:
    """What the client was told of the columns when it prepared the statement. b"" when it never asked."""
    source = portal.source
    return with_formats(source.description, portal.results) if source is not None and source.description else b""
