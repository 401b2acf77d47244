"""What is recorded of results: rows wait for their completion, which mostly comes with them, and are written with it.

All of it is written by the end of the turn that brought it (`SessionLog.flush`).
"""

from __future__ import annotations

from wireproxy.log import SessionLog
from wireproxy.log.writer import ColumnHead

_SHORT_BYTES = 64 * 1024  # a longer result is written as it comes


class Results:
    """At most one result waits, and at the latest until the end of the turn that brought it."""

    __slots__ = ("_frames", "_head", "_log", "_ticket", "_waits")

    def __init__(self, log: SessionLog) -> None:
        self._log = log
        self._waits = False
        self._ticket = 0
        self._head: tuple[ColumnHead, ...] | None = None
        self._frames = b""

    def head(self, ticket: int, head: tuple[ColumnHead, ...]) -> None:
        """The columns of a result whose rows are still to come."""
        self.rows(ticket, head, b"")

    def rows(self, ticket: int, head: tuple[ColumnHead, ...] | None, frames: bytes) -> None:
        """`head`: the columns, when these are the first rows of a result."""
        if self._waits and head is None and self._ticket == ticket and not self._frames:
            self._frames = frames  # behind the head that waits
            return
        self.flush()
        self._waits = True
        self._ticket, self._head, self._frames = ticket, head, frames

    def completed(self, ticket: int, tag: str, rows: int, size_bytes: int, elapsed_ns: int) -> None:
        if self._waits and self._ticket == ticket and len(self._frames) <= _SHORT_BYTES:
            self._waits = False
            self._log.result(ticket, self._head, self._frames, tag, rows, size_bytes, elapsed_ns, later=True)
            return
        self.flush()
        self._log.completion(ticket, tag, rows, size_bytes, elapsed_ns, later=True)

    def flush(self) -> None:
        if self._waits:
            self._waits = False
            self._log.rows(self._ticket, self._head, self._frames)
