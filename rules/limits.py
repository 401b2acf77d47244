"""How much of a rule's limit an identity has used. Pure: the clock is an argument, in seconds of any steady clock.

A window begins with the first statement after the one before has ended, and ends `window_s` later, when everything is given
back at once: that is what can be told to a client in one sentence. Statements are counted when they begin. Rows, bytes and
time are known only when a statement ends, so a statement that begins below the limit may end above it; the next one then
waits for the window. State is kept in this process alone, bounded, and begins anew with it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from attrs import Factory, define, frozen

from rules.policy import Limit

Measure = Literal["statements", "rows", "bytes", "seconds"]
TRACKED = 10_000  # pairs of identity and rule; above it the one unused for longest is forgotten


@frozen
class Exceeded:
    """A statement may not begin before the window has ended."""

    measure: Measure
    allowed: float
    used: float
    window_s: float
    resets_in_s: float


@define
class _Window:
    began_s: float
    statements: int = 0
    rows: int = 0
    bytes: int = 0
    time_s: float = 0.0


@define
class Usage:
    """What identities have used of the limits of rules. One for each database and policy."""

    _windows: OrderedDict[tuple[str, str], _Window] = Factory(OrderedDict)

    def begin(self, identity: str, rule: str, limit: Limit, now_s: float) -> Exceeded | None:
        """Counts a statement that is about to run; None if it may. One that may not is not counted."""
        window = self._window(identity, rule, limit, now_s)
        for measure, allowed, used in (
            ("statements", limit.statements, window.statements),
            ("rows", limit.rows, window.rows),
            ("bytes", limit.bytes, window.bytes),
            ("seconds", limit.time_s, window.time_s),
        ):
            if allowed is not None and used >= allowed:
                resets_in_s = max(window.began_s + limit.window_s - now_s, 0.0)
                return Exceeded(measure, allowed, used, limit.window_s, resets_in_s)  # type: ignore[arg-type]
        window.statements += 1
        return None

    def end(self, identity: str, rule: str, limit: Limit, now_s: float, *, rows: int, size: int, time_s: float) -> None:
        """Adds what a statement came to. `size` is in bytes. One that began in an earlier window counts in this one."""
        window = self._window(identity, rule, limit, now_s)
        window.rows += max(rows, 0)
        window.bytes += max(size, 0)
        window.time_s += max(time_s, 0.0)

    def _window(self, identity: str, rule: str, limit: Limit, now_s: float) -> _Window:
        key = (identity, rule)
        window = self._windows.get(key)
        # a clock that went backwards must not lock somebody out until it has caught up
        if window is None or not window.began_s <= now_s < window.began_s + limit.window_s:
            window = self._windows[key] = _Window(now_s)
            if len(self._windows) > TRACKED:
                self._windows.popitem(last=False)
        self._windows.move_to_end(key)
        return window
