"""The time by which requests, approvals and unmaskings end: the machine's, that never goes back.

Somebody who sets the clock back would else give new life to what is over, or a longer one to what is not. Where the clock was
ahead and has been corrected, this one stays ahead until the gateway starts anew: things end early by that much, never late.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def _uptime_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)  # goes on while the machine sleeps


class SteadyClock:
    """Nanoseconds since 1970. Not for several threads."""

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns, uptime_ns: Callable[[], int] = _uptime_ns) -> None:
        self._wall_ns = wall_ns
        self._uptime_ns = uptime_ns
        self._told_ns = wall_ns()
        self._told_at_ns = uptime_ns()

    def __call__(self) -> int:
        now_ns = self._uptime_ns()
        self._told_ns = max(self._wall_ns(), self._told_ns + now_ns - self._told_at_ns)
        self._told_at_ns = now_ns
        return self._told_ns
