"""The writer: what was accepted is there, once, in order, and can be read at once."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wireproxy.log_samples import Shelf, allow, data_row, deny, play, recorded, walk
from wireproxy.log import LogError
from wireproxy.log import appender as appending
from wireproxy.log.reader import SignedAt
from wireproxy.log.records import EndRecord, ErrorRecord, RowsRecord, StatementRecord


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


# -- results in one write

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
