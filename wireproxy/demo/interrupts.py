"""Ctrl-C and SIGTERM end the tour, but never between starting a process and remembering to end it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from attrs import define


@define
class Interrupts:
    """Raises KeyboardInterrupt in the main thread on SIGINT and SIGTERM; later, when it comes within a `shield`."""

    _shields: int = 0
    _pending: bool = False

    def install(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    @contextmanager
    def shield(self) -> Iterator[None]:
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
            if self._pending and not self._shields:
                self._pending = False
                raise KeyboardInterrupt

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if not self._shields:
            raise KeyboardInterrupt
        self._pending = True
