"""Putting logs on the disk itself, beside the event loop.

A record is safe from the death of the process as soon as it was written. Safe from the death of the machine it is only
after `fsync`, which takes milliseconds and would stop every session of the process: so one thread does it, in turn, and a
failure is told to the log it belongs to, which then refuses to go on.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import Literal

from attrs import frozen

Sync = Literal["never", "decisions", "wait"]
"""When a log is synced: never; in the background after each hold, denial and verdict and at the end; or the same, and the
method waits for it."""


@frozen
class Job:
    """A file to sync. Whoever runs it closes the descriptor."""

    descriptor: int
    begins: Callable[[], None]  # called before the sync: what is written after that needs another one
    failed: Callable[[str], None]

    def run(self) -> None:
        self.begins()
        try:
            os.fdatasync(self.descriptor)
        except OSError as error:
            self.failed(f"the session log cannot be brought to the disk: {error}")
        finally:
            os.close(self.descriptor)


class Syncer:
    """One thread."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | threading.Event] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="wireproxy-log-sync", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        self._jobs.put(job)

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything submitted so far is on the disk."""
        done = threading.Event()
        self._jobs.put(done)
        return done.wait(timeout_s)

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if isinstance(job, threading.Event):
                job.set()
            else:
                job.run()


_syncers: dict[int, Syncer] = {}  # by process id: threads do not survive a fork


def syncer() -> Syncer:
    found = _syncers.get(os.getpid())
    if found is None:
        found = _syncers[os.getpid()] = Syncer()
    return found
