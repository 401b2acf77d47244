"""Records that wait for the next write: they come in order, all at once, and never get lost behind a write that failed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.wireproxy.log_samples import Shelf, allow, deny, recorded
from wireproxy.log import LogError, SessionLog
from wireproxy.log.appender import DIRECT_BYTES
from wireproxy.log.records import StatementRecord


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "log")
    yield shelf
    shelf.close()


def wait(log: SessionLog, ticket: int, text: bytes = b"SELECT 1") -> None:
    log.statement(ticket, "parse", text, None, (), "allow", "reads", (), "I", later=True)


def tickets(shelf: Shelf) -> list[int]:
    return [record.ticket for record in recorded(shelf) if isinstance(record, StatementRecord)]


def test_what_waits_is_there_when_flush_has_returned_and_took_one_write(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = shelf.log()
    allow(log, 1)
    writes: list[int] = []
    write = os.write

    def counted(descriptor: int, data: bytes) -> int:
        writes.append(descriptor)
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", counted)
    for ticket in (2, 3, 4):
        wait(log, ticket)
    log.completion(3, "SELECT 1", 1, 10, 1, later=True)
    assert tickets(shelf) == [1]
    log.flush()
    log.flush()
    assert len(writes) == 1
    assert tickets(shelf) == [1, 2, 3, 4]
    log.end("done")


@pytest.mark.parametrize(
    "act",
    [
        lambda log: allow(log, 3),
        lambda log: deny(log, 3),
        lambda log: log.event("policy_reloaded", {}),
        lambda log: log.decision(2, "deny", "r", ()),
        lambda log: log.rows(2, [("id", 23, 0)], b""),
        lambda log: log.end("done"),
    ],
    ids=["allow", "deny", "event", "decision", "rows", "end"],
)
def test_whatever_is_recorded_next_comes_behind_what_waits(shelf: Shelf, act: Callable[[SessionLog], None]) -> None:
    log = shelf.log()
    wait(log, 1)
    wait(log, 2)
    act(log)
    kinds = [type(record).__name__ for record in recorded(shelf)]
    assert kinds[:3] == ["SessionStart", "StatementRecord", "StatementRecord"]
    assert len(kinds) == 4
    assert tickets(shelf)[:2] == [1, 2]


@pytest.mark.parametrize("size", [10, DIRECT_BYTES, 200_000])
def test_long_ones_wait_too(shelf: Shelf, size: int) -> None:
    log = shelf.log()
    for ticket in (1, 2, 3):
        wait(log, ticket, b"SELECT 1 -- " + b"x" * size)
    log.flush()
    assert tickets(shelf) == [1, 2, 3]


def test_a_flush_that_failed_fails_ever_after(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next turn of its session would send what was never recorded."""
    log = shelf.log()
    allow(log, 1)
    wait(log, 2)

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(LogError):
        log.flush()
    monkeypatch.undo()
    for _ in range(2):
        with pytest.raises(LogError):
            log.flush()
    with pytest.raises(LogError):
        log.end("x")
    with pytest.raises(LogError):
        log.flush()
    assert tickets(shelf) == [1]
