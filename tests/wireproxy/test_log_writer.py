"""The writer: what was accepted is there, once, in order, whatever happens to the process or the disk."""

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

from tests.wireproxy.log_samples import START_NS, Clock, Shelf, allow, data_row, deny, findings_of, play, recorded, walk
from wireproxy.log import LogError, SessionLog, SessionStart, Signer
from wireproxy.log import appender as appending
from wireproxy.log.findings import FindingKind
from wireproxy.log.reader import RecordAt, SignedAt
from wireproxy.log.records import EndRecord, ErrorRecord, RowsRecord, StatementRecord
from wireproxy.log.syncing import syncer


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "log")
    yield shelf
    shelf.close()


def test_every_record_can_be_read_as_soon_as_its_method_has_returned(shelf: Shelf) -> None:
    log = shelf.log()
    counts: list[int] = []
    play(log, shelf.clock, lambda: counts.append(len(recorded(shelf))))
    assert counts == [2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12, 12, 13, 14]
    log.end("done")


def test_a_session_that_ended_is_closed_signed_and_without_findings(shelf: Shelf) -> None:
    log = shelf.log()
    play(log, shelf.clock)
    log.end("the client left")
    (verdict,) = shelf.verdicts()
    assert (verdict.state, verdict.records, verdict.signed, verdict.findings) == ("closed", 15, 15, ())
    assert shelf.books().findings == []
    end = recorded(shelf, running=False)[-1]
    assert isinstance(end, EndRecord)
    assert (end.statements, end.held, end.denied, end.errors, end.rows, end.bytes) == (4, 1, 1, 2, 3, 80)


def test_what_was_read_is_what_was_written(shelf: Shelf) -> None:
    log = shelf.log(groups=("agents",), issuer="corp", subject="s-1")
    play(log, shelf.clock)
    log.end("the client left")
    types = [type(record).__name__ for record in recorded(shelf, running=False)]
    assert types == [
        "SessionStart", "StatementRecord", "HeadRecord", "RowsRecord", "CompletionRecord", "StatementRecord",
        "VerdictRecord", "DecisionRecord", "CompletionRecord", "StatementRecord", "ErrorRecord", "EventRecord",
        "StatementRecord", "ErrorRecord", "EndRecord",
    ]  # fmt: skip
    statement = recorded(shelf, running=False)[5]
    assert isinstance(statement, StatementRecord)
    assert statement.parameters == (b"\0\0\0\7",)
    assert (statement.action, statement.request_id, statement.kinds, statement.types) == (
        "hold",
        "wp-7f3a",
        ("delete",),
        (23,),
    )


def test_a_denial_is_signed_before_the_method_returns(shelf: Shelf) -> None:
    log = shelf.log()
    allow(log, 1)
    assert not [met for met in walk(shelf, running=True) if isinstance(met, SignedAt)]
    deny(log, 2)
    signed = [met for met in walk(shelf, running=True) if isinstance(met, SignedAt)]
    assert [(met.valid, met.checkpoint.records) for met in signed] == [(True, 3)]
    assert not log.path.with_suffix(".open").exists()


def test_a_block_is_signed_when_it_is_a_second_old_by_tick_or_by_the_next_record(shelf: Shelf) -> None:
    log = shelf.log()
    shelf.clock.step(999)
    log.tick()
    assert walk_signed(shelf) == 0
    shelf.clock.step(1)
    log.tick()
    assert walk_signed(shelf) == 1
    allow(log, 1)
    shelf.clock.step(1000)
    allow(log, 2)
    assert walk_signed(shelf) == 3


def walk_signed(shelf: Shelf) -> int:
    pass_over = walk(shelf, running=True)
    list(pass_over)
    return pass_over.progress.signed


def test_blocks_closed_by_their_size_are_signed_a_second_later_at_the_latest(shelf: Shelf) -> None:
    log = shelf.log()
    for ticket in range(20):
        allow(log, ticket, os.urandom(10_000))
    assert walk_signed(shelf) < 21
    shelf.clock.step(2000)
    log.tick()
    log.tick()
    assert walk_signed(shelf) == 21


def test_a_long_record_is_written_once_and_not_to_the_journal(shelf: Shelf) -> None:
    log = shelf.log()
    before = log.path.stat().st_size
    allow(log, 1, os.urandom(appending.DIRECT_BYTES))
    assert not log.path.with_suffix(".open").exists()
    assert log.path.stat().st_size - before < appending.DIRECT_BYTES * 1.1
    assert len(recorded(shelf)) == 2


def test_rows_longer_than_a_record_are_cut_into_several(shelf: Shelf) -> None:
    log = shelf.log()
    frames = data_row(b"x" * 100) * 40_000
    log.rows(1, None, frames, truncated=True)
    rows = [record for record in recorded(shelf) if isinstance(record, RowsRecord)]
    assert b"".join(record.frames for record in rows) == frames
    assert [record.truncated for record in rows] == [False] * (len(rows) - 1) + [True]


def test_an_oversized_statement_is_cut_marked_and_known_by_its_digest(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wireproxy.log.writer.TEXT_LIMIT_BYTES", 100)
    monkeypatch.setattr("wireproxy.log.writer.PARAMETERS_LIMIT_BYTES", 100)
    log = shelf.log()
    log.statement(1, "query", b"y" * 200, [b"z" * 90, b"z" * 90, None], (), "allow", "r", (), "I")
    statement = recorded(shelf)[-1]
    assert isinstance(statement, StatementRecord)
    assert (statement.text, statement.truncated, len(statement.digest or b"")) == (b"y" * 100, True, 32)
    assert statement.parameters == (b"z" * 33, b"z" * 33, None)


def test_passwords_are_taken_out_and_the_exact_text_is_known_by_its_digest(shelf: Shelf) -> None:
    log = shelf.log()
    allow(log, 1, b"ALTER ROLE bob PASSWORD 'hunter2'")
    log.statement(
        2, "parse", b"UPDATE u SET password = $1 WHERE id = $2", [b"hunter2", b"7"], (0,), "allow", "r", (), "I"
    )
    log.end("x")
    texts = b"".join(path.read_bytes() for path in shelf.directory.rglob("*") if path.is_file())
    assert b"hunter2" not in texts
    one, two = (record for record in recorded(shelf) if isinstance(record, StatementRecord))
    assert one.text == b"ALTER ROLE bob PASSWORD '[redacted]'"
    assert one.redacted
    assert one.digest is not None
    assert two.parameters == (b"[redacted]", b"7")
    assert two.redacted


def test_passwords_quoted_in_errors_reasons_events_and_options_are_taken_out(shelf: Shelf) -> None:
    log = shelf.log(parameters={"options": "-c app.password=hunter2"})
    log.statement(1, "query", b"SELECT 1", None, (), "deny", "r", ("ALTER ROLE x PASSWORD 'hunter2' is refused",), "I")
    log.decision(1, "deny", "r", ("password = 'hunter2'",))
    log.error(
        1,
        {
            "M": "failed: postgres://u:hunter2@h/d",
            "q": "ALTER ROLE x PASSWORD 'hunter2'",
            "W": 'conn "password=hunter2"',
        },
    )
    log.event("notice", {"text": "password=hunter2"})
    assert "hunter2" not in repr(recorded(shelf))


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


def test_the_dialect_decides_where_a_literal_ends(shelf: Shelf) -> None:
    log = shelf.log("aaaa0001", dialect="mysql")
    allow(log, 1, b"UPDATE u SET password = 'a\\'hunter2', x = 'shown'")
    statement = recorded(shelf)[-1]
    assert isinstance(statement, StatementRecord)
    assert statement.text == b"UPDATE u SET password = '[redacted]', x = 'shown'"


def test_text_that_is_not_unicode_is_written_with_escapes(shelf: Shelf) -> None:
    log = shelf.log()
    log.error(1, {"M": "lone \udc80 surrogate"})
    error = recorded(shelf)[-1]
    assert isinstance(error, ErrorRecord)
    assert error.fields == {"M": "lone \\udc80 surrogate"}


@pytest.mark.parametrize("session", ["", "../x", "a/b", "a" * 65, "-a", "a\0", "a.b"])
def test_a_session_id_that_could_leave_the_directory_is_refused(shelf: Shelf, session: str) -> None:
    with pytest.raises(LogError):
        shelf.log(session)


def test_an_id_that_is_taken_is_refused(shelf: Shelf) -> None:
    shelf.log().end("x")
    with pytest.raises(LogError, match="cannot be made"):
        shelf.log()
    assert shelf.findings() == []


def test_a_log_is_readable_by_its_owner_alone(shelf: Shelf) -> None:
    log = shelf.log()
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert log.path.with_suffix(".open").stat().st_mode & 0o777 == 0o600
    assert log.path.parent.stat().st_mode & 0o777 == 0o700


def test_after_its_end_a_log_takes_nothing_more(shelf: Shelf) -> None:
    log = shelf.log()
    log.end("x")
    log.end("again")
    log.tick()
    with pytest.raises(LogError):
        allow(log, 1)
    assert shelf.findings() == []


def test_a_log_grows_in_parts_that_are_read_as_one(shelf: Shelf) -> None:
    log = shelf.log(part_bytes=100_000)
    for ticket in range(40):
        allow(log, ticket, os.urandom(10_000))
        assert len(recorded(shelf)) == ticket + 2
    log.end("x")
    parts = sorted(path.name for path in log.path.parent.glob("*.wplog"))
    assert parts == ["aaaa0001.0002.wplog", "aaaa0001.0003.wplog", "aaaa0001.wplog"]
    assert shelf.findings() == []
    assert len(recorded(shelf, running=False)) == 42


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
    assert syncer().drain(5)
    assert len(synced) == 0
    deny(log, 2)
    assert syncer().drain(5)
    assert len(synced) == 2  # the log, and the folder that got a new name
    log.verdict(2, "wp-1", "denied", "dba", "")
    assert syncer().drain(5)
    log.end("x")
    assert syncer().drain(5)
    assert len(synced) == 4


def test_a_flood_of_denials_on_a_slow_disk_queues_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    synced: list[int] = []

    def slow(descriptor: int) -> None:
        synced.append(descriptor)
        begun.set()
        go_on.wait(10)

    monkeypatch.setattr(os, "fdatasync", slow)
    log = SessionLog(tmp_path, SessionStart("a1", START_NS, "agent", "shop"), Signer.generate(), Clock())
    before = len(os.listdir("/proc/self/fd"))
    deny(log, 1)
    assert begun.wait(5)
    for ticket in range(50):
        deny(log, ticket)
    assert len(os.listdir("/proc/self/fd")) <= before + 3
    go_on.set()
    assert syncer().drain(5)
    assert 2 <= len(synced) <= 4
    log.end("x")


def test_a_sync_that_fails_ends_the_session_at_its_next_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    log = SessionLog(tmp_path, SessionStart("a1", START_NS, "agent", "shop"), Signer.generate(), Clock())
    deny(log, 1)
    assert syncer().drain(5)
    with pytest.raises(LogError, match="brought to the disk"):
        allow(log, 2)


def test_waiting_for_the_disk_raises_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    log = SessionLog(tmp_path, SessionStart("a1", START_NS, "agent", "shop"), Signer.generate(), Clock(), sync="wait")
    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(LogError, match="brought to the disk"):
        deny(log, 1)


HEAD = (("x", 25, 0),)


@pytest.mark.parametrize("size", [10, 100_000], ids=["in one write", "longer than a block"])
def test_a_result_that_came_whole_is_the_same_as_its_parts(shelf: Shelf, size: int) -> None:
    frames = data_row(b"x" * size)
    whole, parts = shelf.log("aaaa0001"), shelf.log("bbbb0001")
    for log in (whole, parts):
        allow(log, 1)
    whole.result(1, HEAD, frames, "SELECT 1", 1, len(frames), 7)
    parts.rows(1, HEAD, frames)
    parts.completion(1, "SELECT 1", 1, len(frames), 7)
    assert recorded(shelf, "aaaa0001")[1:] == recorded(shelf, "bbbb0001")[1:]
    for log in (whole, parts):
        log.end("done")
    assert [verdict.findings for verdict in shelf.verdicts()] == [(), ()]


def test_a_result_that_cannot_be_written_is_an_error(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    log = shelf.log()
    allow(log, 1)

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(appending.os, "write", full)
    with pytest.raises(LogError):
        log.result(1, None, b"", "SELECT 0", 0, 0, 1)
