"""What the two directions of one relay share: names, owed answers, outboxes and effects."""

from __future__ import annotations

from collections.abc import Callable

from protocols.base import CopyReader, Effect, Fields
from protocols.detecting import Detector
from protocols.postgres.limits import RelayLimits
from protocols.postgres.names import Names
from protocols.postgres.pending import Pending

Scrubber = Callable[[Fields], Fields]
NotificationScrubber = Callable[[bytes, bytes], bytes]


class Shared:
    __slots__ = (
        "ascii_names",
        "copy_in",
        "copy_reader",
        "detector",
        "effects",
        "encoding",
        "epoch",
        "known_values",
        "limits",
        "names",
        "notices",
        "pending",
        "report_ready",
        "scrub",
        "scrub_notification",
        "segment",
        "skipping",
        "swallowed_syncs",
        "tickets",
        "to_client",
        "to_server",
        "transaction_status",
    )

    def __init__(self, limits: RelayLimits) -> None:
        self.limits = limits
        self.names = Names()
        self.known_values: set[str] = set()  # of parameters: what the session began with, and what the client wrote
        self.pending = Pending()
        self.to_server: list[bytes] = []
        self.to_client: list[bytes] = []
        self.effects: list[Effect] = []
        self.notices: list[bytes] = []  # wait for the end of a message that is on its way
        self.transaction_status = b"I"  # the last ReadyForQuery's: I idle, T in a transaction, E in a failed one
        self.segment = 0  # counts the Syncs sent
        self.skipping = False  # the server has erred and reads nothing more up to the Sync of this segment
        self.copy_in = False  # the server reads CopyData
        self.copy_reader: CopyReader | None = None  # looks at it, while `copy_in`
        self.swallowed_syncs = 0  # sent into a copy, and eaten by it unless that had failed already
        self.tickets = 0
        self.epoch = 0  # counts up when a verdict given earlier may not hold any more
        self.ascii_names = False  # the client writes its names in another encoding than UTF-8
        self.report_ready = False  # somebody waits for the next ReadyForQuery
        self.detector: Detector | None = None  # looks at the text of results
        self.scrub: Scrubber | None = None
        self.scrub_notification: NotificationScrubber | None = None

    def end_copy(self) -> None:
        """The server reads no CopyData any more, or will not once it has read what was sent."""
        self.copy_in = False
        self.copy_reader = None

    def next_ticket(self) -> int:
        self.tickets += 1
        return self.tickets
