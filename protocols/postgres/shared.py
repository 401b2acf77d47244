"""What the two directions of one relay share: names, owed answers, outboxes and effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from protocols.base import Effect, Fields
from protocols.postgres.names import Names
from protocols.postgres.pending import Pending

Scrubber = Callable[[Fields], Fields]
NotificationScrubber = Callable[[bytes, bytes], bytes]


class RelayLimits(NamedTuple):
    """Caps on what is kept in memory, in bytes; each with its reason in `wireproxy.config.model.Limits`."""

    statement_bytes: int = 4 * 1024 * 1024
    bind_bytes: int = 4 * 1024 * 1024
    message_bytes: int = 1024 * 1024
    masked_row_bytes: int = 16 * 1024 * 1024
    prepared_statements: int = 10_000
    owed: int = 100_000  # unanswered messages: a client that never reads its answers must not grow the queue


class Shared:
    __slots__ = (
        "copy_in",
        "effects",
        "encoding",
        "epoch",
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
        self.pending = Pending()
        self.to_server: list[bytes] = []
        self.to_client: list[bytes] = []
        self.effects: list[Effect] = []
        self.notices: list[bytes] = []  # wait for the end of a message that is on its way
        self.transaction_status = b"I"  # the last ReadyForQuery's: I idle, T in a transaction, E in a failed one
        self.segment = 0  # counts the Syncs sent
        self.skipping = False  # the server has erred and reads nothing more up to the Sync of this segment
        self.copy_in = False  # the server reads CopyData
        self.swallowed_syncs = 0  # sent while it did, and eaten by the copy unless that had failed already
        self.tickets = 0
        self.epoch = 0  # counts up when a verdict given earlier may not hold any more
        self.report_ready = False  # somebody waits for the next ReadyForQuery
        self.scrub: Scrubber | None = None
        self.scrub_notification: NotificationScrubber | None = None

    def next_ticket(self) -> int:
        self.tickets += 1
        return self.tickets
