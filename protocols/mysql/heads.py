"""Heads of results: how many columns there are, their definitions, and the EOF packet behind them where there is one.

The statements of a session have few of them, and each comes again and again, the same to the byte. So a head is read once, and
found again by its bytes, the sequence ids and the status included: equal bytes in the same place mean the same.
"""

from __future__ import annotations

from typing import Final

from protocols.mysql.detecting import textual
from protocols.mysql.messages import MySqlColumn
from protocols.mysql.packets import frame

_KEPT: Final = 16  # each is compared with what comes: more would cost more than they save
_LONGEST_BYTES: Final = 16 * 1024


class Head:
    """Shared by the results that have it, so never changed."""

    __slots__ = ("columns", "holds_text", "packets", "raw", "sequence", "status")

    def __init__(self, sequence: int, payloads: list[bytes], columns: tuple[MySqlColumn, ...], status: int) -> None:
        self.sequence = sequence  # id of its first packet
        self.packets = len(payloads)
        self.raw = b"".join([frame(payload, sequence + index) for index, payload in enumerate(payloads)])
        self.columns = columns
        self.holds_text = textual(columns) != ()
        self.status = status  # of its EOF packet, where it has one


class Heads:
    """Those of one session that came last."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: list[Head] = []

    def find(self, buffer: bytes, at: int, sequence: int) -> Head | None:
        """The one that stands at `at`, whole, and that begins with this sequence id."""
        for index, head in enumerate(self._kept):
            if head.sequence == sequence and buffer.startswith(head.raw, at):
                if index:
                    del self._kept[index]
                    self._kept.insert(0, head)
                return head
        return None

    def keep(self, sequence: int, payloads: list[bytes], columns: tuple[MySqlColumn, ...], status: int) -> None:
        """`payloads` of its packets, the first of which has this sequence id."""
        if sum(map(len, payloads)) > _LONGEST_BYTES:
            return
        if len(self._kept) >= _KEPT:
            self._kept.pop()
        self._kept.insert(0, Head(sequence, payloads, columns, status))
