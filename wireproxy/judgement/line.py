"""Whose text is judged next, where more are to be judged elsewhere than there are workers.

Theory of operation. An identity has one text with a worker at a time; its others wait behind that one, whatever the number of its
sessions. What it uses of the workers' time is remembered and halves every `HALF_LIFE_S`; a text that cost a worker its life counts
`DEATH_S` more. Who has used much is *heavy*: the heavy together have all workers but one, so that there is one for everybody
else, and they come after everybody else in line. Among equals the one who has used least comes first, and among those who have
used nothing yet, as when many newcomers arrive at once, the shortest text. So nobody waits longer
than one text of each of those who have used less, and whoever keeps workers busy waits behind all others.

With a single worker there is none to spare: others wait for the rest of the text that it has.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import trio
from attrs import define, field

HALF_LIFE_S: Final = 60.0
HEAVY_S: Final = 3.0  # of a worker's time: some hundred ordinary long texts, or one that ended its worker
DEATH_S: Final = 5.0
KEPT: Final = 4096  # identities remembered; who has used least is forgotten first


@define(eq=False)
class _Standing:
    """One identity's."""

    used_s: float = 0.0
    at: float = 0.0
    running: bool = False
    waiting: deque[tuple[trio.Event, int]] = field(factory=deque)  # with the length of its text

    def used(self, now: float) -> float:
        return self.used_s * math.exp2((self.at - now) / HALF_LIFE_S)

    def charge(self, seconds: float, now: float) -> None:
        self.used_s, self.at = self.used(now) + seconds, now


class Line:
    def __init__(self, places: int) -> None:
        self._places = places
        self._standings: dict[str, _Standing] = {}
        self._waiting: dict[str, _Standing] = {}  # those of them with a text in line, in the order in which they came
        self._running: set[str] = set()

    @property
    def places(self) -> int:
        return self._places

    @places.setter
    def places(self, places: int) -> None:
        self._places = places
        self._call()

    async def enter(self, who: str, wait_s: float, length: int = 0) -> None:
        """Until it is the turn of a text of `who`, `length` bytes long. Raises trio.TooSlowError.

        Each `enter` needs a `leave`, unless it raises.
        """
        self._forget()
        standing = self._standings.setdefault(who, _Standing())
        turn = trio.Event()
        standing.waiting.append((turn, length))
        self._waiting[who] = standing
        self._call()
        try:
            with trio.fail_after(wait_s):
                await turn.wait()
        except BaseException:
            if turn.is_set():  # its turn came, and it will not take it
                self.leave(who, 0.0)
            else:
                standing.waiting.remove((turn, length))
                self._left_line(who, standing)
            raise

    def leave(self, who: str, seconds: float, *, died: bool = False) -> None:
        """A text of `who` has had a worker for `seconds`; with `died`, the worker did not outlive it."""
        standing = self._standings[who]
        standing.running = False
        self._running.discard(who)
        standing.charge(seconds + (DEATH_S if died else 0.0), trio.current_time())
        self._call()

    def heavy(self, who: str) -> bool:
        standing = self._standings.get(who)
        return standing is not None and standing.used(trio.current_time()) >= HEAVY_S

    def _call(self) -> None:
        """Gives each free place to whoever it is the turn of."""
        now = trio.current_time()
        while len(self._running) < self._places:
            ready = [
                (standing.used(now), standing.waiting[0][1], number, who)
                for number, (who, standing) in enumerate(self._waiting.items())
                if not standing.running
            ]
            if not ready:
                return
            used, _, _, who = min(ready)
            if used >= HEAVY_S and not self._room_for_heavy():
                return  # and all others in line are heavy as well
            standing = self._standings[who]
            standing.running = True
            self._running.add(who)
            turn, _ = standing.waiting.popleft()
            turn.set()
            self._left_line(who, standing)

    def _left_line(self, who: str, standing: _Standing) -> None:
        if not standing.waiting:
            self._waiting.pop(who, None)

    def _room_for_heavy(self) -> bool:
        return sum(map(self.heavy, self._running)) < max(self._places - 1, 1)

    def _forget(self) -> None:
        if len(self._standings) <= KEPT:
            return
        now = trio.current_time()
        idle = [
            (standing.used(now), who)
            for who, standing in self._standings.items()
            if not standing.running and not standing.waiting
        ]
        for _, who in sorted(idle)[: KEPT // 4]:
            del self._standings[who]
