"""What a relay keeps in memory at most."""

from __future__ import annotations

from typing import NamedTuple


class RelayLimits(NamedTuple):
    """Caps on what is kept in memory, in bytes; each with its reason in `wireproxy.config.model.Limits`."""

    statement_bytes: int = 4 * 1024 * 1024
    bind_bytes: int = 4 * 1024 * 1024
    message_bytes: int = 1024 * 1024
    masked_row_bytes: int = 16 * 1024 * 1024
    prepared_statements: int = 10_000
    names_bytes: int = 32 * 1024 * 1024
    owed: int = 100_000  # unanswered messages: a client that never reads its answers must not grow the queue
