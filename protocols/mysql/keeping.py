"""Rows that are kept for the record, as the client gets them."""

from __future__ import annotations

from protocols.base import Rows
from protocols.mysql.exchange import Exchange
from protocols.mysql.packets import HEADER_BYTES
from protocols.mysql.shared import Shared


class KeptRows:
    """Of one read; they become an effect before the next, and before their result ends."""

    __slots__ = ("_rows", "shared")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._rows: list[bytes] = []

    def keep(self, exchange: Exchange, data: bytes, whole: bool) -> None:
        """Keep a row for the record; the first that does not fit ends what is kept of this result."""
        if not whole or len(data) > exchange.record_left:
            exchange.record_left = 0
            return
        exchange.record_left -= len(data)
        self._rows.append(data)

    def keep_run(self, exchange: Exchange, run: bytes) -> None:
        """The same for rows one behind the other, as if they had come one by one."""
        at = 0
        if len(run) > exchange.record_left:
            while exchange.record_left:
                end = at + HEADER_BYTES + int.from_bytes(run[at : at + 3], "little")
                self.keep(exchange, run[at:end], True)
                at = end
        else:
            self.keep(exchange, run, True)

    def give(self) -> None:
        if not self._rows:
            return
        exchange = self.shared.exchange
        assert exchange is not None
        self.shared.effects.append(Rows(exchange.ticket, b"".join(self._rows)))
        self._rows = []
