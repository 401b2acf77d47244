"""The writer when the disk fails or the process dies: what was accepted is there, once and in order, or the session ends."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.wireproxy.log_samples import START_NS, Clock, Shelf, allow, deny, findings_of, play, recorded, walk
from wireproxy.log import LogError, SessionLog, SessionStart, Signer
from wireproxy.log import appender as appending
from wireproxy.log.findings import FindingKind
from wireproxy.log.reader import RecordAt
from wireproxy.log.records import StatementRecord
from wireproxy.log.syncing import syncer


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "log")
    yield shelf
    shelf.close()


# -- files that are taken away


def test_a_log_that_is_removed_while_its_session_is_open_ends_the_session(shelf: Shelf) -> None:
    """What is written to a file without a name is lost, and nobody would hear of it."""
    log = shelf.log()
    allow(log, 1)
    log.path.unlink()
    shelf.clock.step(2000)
    with pytest.raises(LogError, match="removed while its session was open"):
        log.tick()
    with pytest.raises(LogError):
        allow(log, 2)


# -- disks that fail


def fail_after(count: int, error: int, written: int = 0) -> Callable[[int, bytes], int]:
    """An os.write that works `count` times, then writes `written` bytes once, then fails."""
    left = [count]
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        left[0] -= 1
        if left[0] >= 0:
            return real(descriptor, data)
        if left[0] == -1 and written:
            return real(descriptor, bytes(data)[:written])
        raise OSError(error, os.strerror(error))

    return write


def test_a_session_that_could_not_begin_leaves_nothing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shelf.ledger
    for count in range(5):
        monkeypatch.setattr(os, "write", fail_after(count, errno.ENOSPC, 3))
        try:
            log = shelf.log()
        except LogError:
            pass
        else:
            monkeypatch.undo()
            log.end("x")
            break
        monkeypatch.undo()
        assert shelf.findings() == []
    assert count == 4
    assert shelf.findings() == []


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("written", [0, 1, 20])
@pytest.mark.parametrize("count", range(12))
def test_a_record_that_cannot_be_written_raises_and_what_was_accepted_stays(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, error: int, written: int, count: int
) -> None:
    log = shelf.log()
    accepted = [1]

    def tell() -> None:
        accepted[0] = len(recorded(shelf))

    monkeypatch.setattr(os, "write", fail_after(count, error, written))
    with pytest.raises(LogError):
        for _ in range(2):
            play(log, shelf.clock, tell)
    with pytest.raises(LogError):
        allow(log, 9)
    with pytest.raises(LogError):
        log.end("x")
    monkeypatch.undo()
    kept = len(recorded(shelf))
    assert accepted[0] <= kept <= accepted[0] + 1  # rows() makes two records
    kinds = {finding.kind for finding in findings_of(walk(shelf))}
    assert kinds == {FindingKind.NOT_CLOSED}


def test_a_short_write_is_continued(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:7]))
    log = shelf.log()
    play(log, shelf.clock)
    log.end("x")
    monkeypatch.undo()
    assert shelf.findings() == []
    assert len(recorded(shelf)) == 15


def test_a_file_size_limit_of_the_system_ends_the_session(shelf: Shelf) -> None:
    log = shelf.log()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(LogError, match="File too large"):
            for ticket in range(20):
                allow(log, ticket, os.urandom(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {finding.kind for finding in findings_of(walk(shelf))} == {FindingKind.NOT_CLOSED}


def test_a_directory_that_cannot_be_written_raises(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    with pytest.raises(LogError):
        Shelf(tmp_path / "log").log()


def test_a_session_whose_log_failed_is_not_taken_for_running(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    log = shelf.log()
    monkeypatch.setattr(appending.os, "unlink", fail_unlink)
    with pytest.raises(LogError, match="cannot be removed"):
        deny(log, 1)
    monkeypatch.undo()
    with pytest.raises(LogError):
        log.end("x")
    assert [verdict.state for verdict in shelf.verdicts()] == ["torn"]


def fail_unlink(path: object) -> None:
    raise OSError(errno.EROFS, "Read-only file system")


def test_a_full_disk_that_is_emptied_lets_the_next_session_begin(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.log("aaaa0001")
    for count in range(6):
        monkeypatch.setattr(os, "write", fail_after(count, errno.ENOSPC, 3))
        try:
            shelf.log(f"bbbb000{count}").abandon("x")
        except LogError:
            pass
        monkeypatch.undo()
    shelf.log("cccc0001").end("x")
    assert shelf.books().findings == []
    assert {verdict.session: verdict.ok for verdict in shelf.verdicts()}["cccc0001"]


# -- processes that die


class Killed(BaseException):
    """As SIGKILL between two system calls: nothing runs after it."""


CALLS = ("write", "open", "unlink", "close")


def die_at(monkeypatch: pytest.MonkeyPatch, number: int, part: int) -> None:
    """The process dies at its `number`th system call, of which `part` bytes still happen if it is a write."""
    left = [number]

    def wrapped(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def call(*arguments: object, **named: object) -> object:
            left[0] -= 1
            if left[0] > 0:
                return real(*arguments, **named)
            if left[0] == 0 and name == "write" and part:
                real(arguments[0], bytes(arguments[1])[:part])  # type: ignore[call-overload]
            raise Killed

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, wrapped(name))


@pytest.mark.parametrize("part", [0, 1, 37, 100_000])
def test_a_process_that_dies_at_any_system_call_loses_and_doubles_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    survived = False
    number = 0
    while not survived:
        number += 1
        shelf = Shelf(tmp_path / f"log{number}")
        log = shelf.log()
        done: list[None] = []
        with monkeypatch.context() as patch:
            die_at(patch, number, part)
            try:
                play(log, shelf.clock, partial(done.append, None))
                log.end("x")
                survived = True
            except Killed:
                pass
        shelf.die()
        numbers = [met.number for met in walk(shelf) if isinstance(met, RecordAt)]
        assert numbers == list(range(len(numbers))), f"at call {number}"
        records_after = [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12, 12, 13, 14][len(done)]
        # one call more may have written all of its records before it died
        assert records_after <= len(numbers) <= records_after + 2, f"at call {number}"
        findings = {finding.kind for finding in findings_of(walk(shelf))}
        assert findings <= {FindingKind.NOT_CLOSED, FindingKind.TORN}
    assert number > 25


CHILD = """
import itertools, os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from wireproxy.log import SessionLog, SessionStart, Signer
signer = Signer.load_or_create(Path({directory!r}) / "gateway.key")
log = SessionLog(Path({directory!r}), SessionStart("aaaa0001", 1767225600000000000, "agent", "shop"), signer)
for ticket in itertools.count(1):
    action = "deny" if ticket % 97 == 0 else "allow"
    text = b"SELECT %d -- " % ticket + b"x" * (ticket % 300 if ticket % 50 else 40000)
    log.statement(ticket, "query", text, None, (), action, "r", (), "I")
    os.write(1, b"%d\\n" % ticket)
"""


@pytest.mark.parametrize("lines", [1, 230, 1171, 2500])
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path, lines: int) -> None:
    root = str(Path(__file__).parents[2])
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(root=root, directory=str(tmp_path))], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    for _ in range(lines):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read().split(b"\n")
    child.wait()
    acknowledged = lines + len(rest) - 1
    shelf = Shelf(tmp_path, Signer.load(tmp_path / "gateway.key"))
    met = [met for met in walk(shelf) if isinstance(met, RecordAt)]
    tickets = [met.record.ticket for met in met if isinstance(met.record, StatementRecord)]
    assert tickets == list(range(1, len(tickets) + 1))
    assert len(tickets) in (acknowledged, acknowledged + 1)
    assert {finding.kind for finding in findings_of(walk(shelf))} <= {FindingKind.NOT_CLOSED, FindingKind.TORN}
    assert FindingKind.NOT_CLOSED in {finding.kind for finding in findings_of(walk(shelf))}


# -- the disk itself


def test_decisions_are_synced_beside_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    log = SessionLog(tmp_path, SessionStart("a1", START_NS, "agent", "shop"), Signer.generate(), Clock())
    allow(log, 1)
    assert syncer().drain(30)
    assert len(synced) == 0
    deny(log, 2)
    assert syncer().drain(30)
    assert len(synced) == 2  # the log, and the folder that got a new name
    log.verdict(2, "wp-1", "denied", "dba", "")
    assert syncer().drain(30)
    log.end("x")
    assert syncer().drain(30)
    assert len(synced) == 4


def test_a_flood_of_denials_on_a_slow_disk_queues_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    synced: list[int] = []

    def slow(descriptor: int) -> None:
        synced.append(descriptor)
        begun.set()
        go_on.wait(60)

    monkeypatch.setattr(os, "fdatasync", slow)
    log = SessionLog(tmp_path, SessionStart("a1", START_NS, "agent", "shop"), Signer.generate(), Clock())
    before = len(os.listdir("/proc/self/fd"))
    deny(log, 1)
    assert begun.wait(30)
    for ticket in range(50):
        deny(log, ticket)
    assert len(os.listdir("/proc/self/fd")) <= before + 3
    go_on.set()
    assert syncer().drain(30)
    assert 2 <= len(synced) <= 4
    log.end("x")


def test_a_sync_that_fails_ends_the_session_at_its_next_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    log = SessionLog(tmp_path, SessionStart("a1", START_NS, "agent", "shop"), Signer.generate(), Clock())
    deny(log, 1)
    assert syncer().drain(30)
    with pytest.raises(LogError, match="brought to the disk"):
        allow(log, 2)


def test_waiting_for_the_disk_raises_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    log = SessionLog(tmp_path, SessionStart("a1", START_NS, "agent", "shop"), Signer.generate(), Clock(), sync="wait")
    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(LogError, match="brought to the disk"):
        deny(log, 1)
