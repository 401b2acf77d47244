"""Heads of results: how many columns there are, their definitions, and the EOF packet behind them where there is one.

The statements of a session have few of them, and each comes again and again, the same to the byte. So a head is read once, and
found again by its bytes, the sequence ids and the status included: equal bytes in the same place mean the same.
"""

from __future__ import annotations

from typing import Final

from protocols.mysql.describing import FULL, NONE, digest
from protocols.mysql.detecting import textual
from protocols.mysql.messages import MySqlColumn
from protocols.mysql.packets import frame

_KEPT: Final = 16  # each is compared with what comes: more would cost more than they save
LONGEST_HEAD_BYTES: Final = 16 * 1024


class Head:
    """Shared by the results that have it, so never changed."""

    __slots__ = (
        "_count", "_definitions", "_digest", "_eof", "columns", "holds_text", "packets", "raw", "sequence", "status",
    )  # fmt: skip

    def __init__(
        self,
        sequence: int,
        count: bytes,
        definitions: list[bytes],
        eof: bytes,
        columns: tuple[MySqlColumn, ...],
        status: int,
        raw: bytes,
    ) -> None:
        self.sequence = sequence  # id of its first packet
        self._count = count  # payload of that, without a mark
        self._definitions = definitions
        self._eof = eof  # b"": it has none
        self._digest = b""  # once somebody asked
        self.packets = 1 + len(definitions) + (1 if eof else 0)
        self.columns = columns
        self.holds_text = textual(columns) != ()
        self.status = status  # of its EOF packet, where it has one
        self.raw = raw

    @property
    def digest(self) -> bytes:
        """Of the definitions."""
        if not self._digest:
            self._digest = digest(self._definitions)
        return self._digest

    @property
    def described(self) -> bytes:
        """For a client that looks for a mark behind the count."""
        return numbered([self._count + FULL, *self._definitions, *self._behind], self.sequence)

    @property
    def bare(self) -> bytes:
        """For such a client that has the definitions, or wants none."""
        return numbered([self._count + NONE, *self._behind], self.sequence)

    @property
    def _behind(self) -> list[bytes]:
        return [self._eof] if self._eof else []


class Heads:
    """Those of one session that came last. `marked`: the server puts a mark behind the count."""

    __slots__ = ("_kept", "_marked")

    def __init__(self, *, marked: bool = False) -> None:
        self._marked = marked
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

    def keep(
        self, sequence: int, payloads: list[bytes], eof: bytes, columns: tuple[MySqlColumn, ...], status: int
    ) -> None:
        """`payloads`: the count, the first packet, which has this sequence id, and the definitions."""
        if sum(map(len, payloads)) > LONGEST_HEAD_BYTES:
            return
        raw = numbered([*payloads, eof] if eof else payloads, sequence)
        if self.find(raw, 0, sequence) is not None:
            return
        count = payloads[0][:-1] if self._marked else payloads[0]
        if len(self._kept) >= _KEPT:
            self._kept.pop()
        self._kept.insert(0, Head(sequence, count, payloads[1:], eof, columns, status, raw))


def numbered(payloads: list[bytes], sequence: int) -> bytes:
    """Packets of their own, the first with this sequence id."""
    return b"".join([frame(payload, sequence + index) for index, payload in enumerate(payloads)])
