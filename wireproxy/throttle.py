"""Failed logins slow down the next ones from the same address.

A delay, not a ban: agents share addresses, and one that guesses must not lock its neighbours out. So a user who has logged in
from an address before goes past the queue of those who fail there, as long as few guesses are made at that user itself. What
bounds the rate of guessing is that few attempts of one address may wait at once.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

import trio
from attrs import define

FREE_FAILURES = 5  # typing mistakes cost nothing
FORGIVEN_PER_S = 1 / 6  # ten a minute
FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 5.0
MOST_WAITING = 20  # of one address: 4 guesses a second at the longest delay
MOST_ADDRESSES = 10_000  # the ones that have not failed for the longest time are forgotten first


class TooManyFailures(Exception):
    """So many attempts of this address wait already that this one is refused."""


@define
class _Record:
    level: float = 0.0
    at: float = 0.0
    waiting: int = 0


class Throttle:
    """Counts failures by address: an IPv4 address, or the /64 of an IPv6 one, since a host owns all of that."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._proved: OrderedDict[tuple[str, str], _Record] = OrderedDict()

    async def pause(self, address: str, user: str = "") -> None:
        """Wait as long as this address's failures ask for; called before a proof is looked at. TooManyFailures."""
        if self._is_neighbour(address, user):
            return
        record = self._records.get(_network(address))
        delay_s = 0.0 if record is None else self._delay_s(record)
        if record is None or delay_s == 0.0:
            return
        if record.waiting >= MOST_WAITING:
            raise TooManyFailures
        record.waiting += 1
        try:
            await trio.sleep(delay_s)
        finally:
            record.waiting -= 1

    def _is_neighbour(self, address: str, user: str) -> bool:
        """One who was here before. Each attempt counts as a guess until it has succeeded: many may be made at once."""
        record = self._proved.get((_network(address), user))
        if record is None:
            return False
        self._forgive(record)
        if record.level >= FREE_FAILURES:
            return False
        record.level += 1
        return True

    def proved(self, address: str, user: str) -> None:
        key = (_network(address), user)
        record = self._proved.setdefault(key, _Record(at=trio.current_time()))
        self._proved.move_to_end(key)
        record.level = max(0.0, record.level - 1)
        while len(self._proved) > MOST_ADDRESSES:
            self._proved.popitem(last=False)

    def failed(self, address: str) -> None:
        key = _network(address)
        record = self._records.setdefault(key, _Record(at=trio.current_time()))
        self._records.move_to_end(key)
        self._forgive(record)
        record.level += 1
        while len(self._records) > MOST_ADDRESSES:
            self._records.popitem(last=False)

    def _forgive(self, record: _Record) -> None:
        now = trio.current_time()
        record.level = max(0.0, record.level - (now - record.at) * FORGIVEN_PER_S)
        record.at = now

    def _delay_s(self, record: _Record) -> float:
        self._forgive(record)
        over = record.level - FREE_FAILURES
        return 0.0 if over <= 0 else min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(over, 10.0))


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
