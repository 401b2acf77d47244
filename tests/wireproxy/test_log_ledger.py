"""The ledger: a session whose log is gone altogether is missed, and a ledger that lost its end too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wireproxy.log_samples import Shelf, allow
from wireproxy.log import Ledger, LogError, SessionLog, SessionStart, Signer, close_ledgers
from wireproxy.log.books import read_books
from wireproxy.log.findings import FindingKind
from wireproxy.log.ledger import is_alive, ledger_paths, read_entries
from wireproxy.log.verify import verify_directory


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "log")
    yield shelf
    shelf.close()


def kinds(shelf: Shelf) -> set[FindingKind]:
    return {finding.kind for finding in shelf.findings()}


def test_a_deleted_log_is_missed(shelf: Shelf) -> None:
    log = shelf.log()
    log.end("x")
    shelf.log("bbbb0001").end("x")
    log.path.unlink()
    gone = [verdict for verdict in shelf.verdicts() if not verdict.ok]
    assert [(verdict.session, verdict.state, verdict.findings[0].kind) for verdict in gone] == [
        ("aaaa0001", "missing", FindingKind.MISSING)
    ]


def test_a_log_that_no_ledger_knows_is_found(shelf: Shelf, tmp_path: Path) -> None:
    shelf.log().end("x")
    other = Shelf(tmp_path / "other")
    log = other.log("bbbb0001")
    log.end("x")
    shutil.copy(log.path, shelf.directory / "2026-01-01")
    assert kinds(shelf) == {FindingKind.UNLISTED}
    other.close()


def test_a_log_moved_to_another_day_is_found(shelf: Shelf) -> None:
    log = shelf.log()
    log.end("x")
    (shelf.directory / "2025-01-01").mkdir()
    log.path.rename(shelf.directory / "2025-01-01" / log.path.name)
    assert kinds(shelf) == {FindingKind.IDENTITY}


def test_a_running_session_is_told_from_one_whose_gateway_died(shelf: Shelf) -> None:
    allow(shelf.log(), 1)
    assert [(verdict.state, verdict.ok) for verdict in shelf.verdicts()] == [("open", True)]
    shelf.die()
    assert [(verdict.state, verdict.ok) for verdict in shelf.verdicts()] == [("torn", False)]
    assert kinds(shelf) == {FindingKind.NOT_CLOSED, FindingKind.LEDGER}


def test_the_ledger_of_a_gateway_that_died_is_pinned_by_the_next_start(shelf: Shelf) -> None:
    shelf.log().end("x")
    shelf.die()
    assert [finding.message for finding in shelf.findings()] == [
        "was not closed: its gateway died, or its last entries were cut off"
    ]
    shelf.log("bbbb0001").end("x")
    shelf.close()
    assert shelf.findings() == []
    assert "reaches as far as the next start found it" in shelf.books().notices[0]


def test_entries_cut_off_a_pinned_ledger_are_missed(shelf: Shelf) -> None:
    shelf.log().end("x")
    shelf.log("bbbb0001").end("x")
    shelf.close()
    first = ledger_paths(shelf.directory)[0]
    shelf.log("cccc0001").end("x")
    shelf.close()
    ends = [stored.end for stored in read_entries(first)]
    os.truncate(first, ends[2])
    (shelf.directory / "2026-01-01" / "bbbb0001.wplog").unlink()
    assert [finding.kind for finding in shelf.findings()] == [FindingKind.LEDGER]
    assert "has lost entries" in shelf.findings()[0].message


def test_a_ledger_that_is_gone_is_missed(shelf: Shelf) -> None:
    shelf.log().end("x")
    shelf.close()
    first = ledger_paths(shelf.directory)[0]
    shelf.clock.step(2000)
    shelf.log("bbbb0001").end("x")
    shelf.close()
    first.unlink()
    (shelf.directory / "2026-01-01" / "aaaa0001.wplog").unlink()
    assert [finding.kind for finding in shelf.findings()] == [FindingKind.LEDGER]


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_or_cut_ledger_is_found(tmp_path: Path, data: st.DataObject) -> None:
    directory = tmp_path / "log"
    shelf = Shelf(directory)
    if not directory.exists():
        for session in ("aaaa0001", "bbbb0001"):
            shelf.log(session).end("x")
        shelf.close()
        shutil.copytree(directory / "ledger", tmp_path / "kept")
    (path,) = ledger_paths(directory)
    content = bytearray((tmp_path / "kept" / path.name).read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert shelf.findings()


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_can_be_read_as_a_ledger_and_are_never_ok(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "log" / "ledger"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "x.wpledger").write_bytes(content)
    assert Shelf(tmp_path / "log").findings()


def test_a_ledger_signed_by_another_key_is_found(tmp_path: Path) -> None:
    other = Shelf(tmp_path / "log", Signer.generate())
    other.log().end("x")
    other.close()
    assert kinds(Shelf(tmp_path / "log")) == {FindingKind.KEY}


def test_a_ledger_under_another_name_is_found(shelf: Shelf) -> None:
    shelf.log().end("x")
    shelf.close()
    (path,) = ledger_paths(shelf.directory)
    path.rename(path.with_name(f"0{path.name}"))
    assert FindingKind.LEDGER in kinds(shelf)


def test_several_processes_share_a_directory(tmp_path: Path) -> None:
    one, two = Shelf(tmp_path / "log"), Shelf(tmp_path / "log")
    logs = [one.log("aaaa0001"), two.log("bbbb0001"), one.log("cccc0001"), two.log("dddd0001")]
    for log in logs[:2]:
        log.end("x")
    assert [verdict.state for verdict in one.verdicts()] == ["closed", "closed", "open", "open"]
    two.die()
    assert [verdict.state for verdict in one.verdicts()] == ["closed", "closed", "open", "torn"]
    logs[2].end("x")
    one.close()


def test_a_ledger_being_made_is_not_seen_without_its_lock(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[Path]] = []
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        seen.append(ledger_paths(shelf.directory))
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    path = shelf.ledger.path
    assert seen == [[], []]
    assert is_alive(path)


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    script = (
        f"import os, sys, time; sys.path.insert(0, {root!r}); from pathlib import Path; from wireproxy.log import *\n"
        f"Ledger(Path({str(tmp_path)!r}), Signer.generate()); print('ready', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdin is not None
    child.stdout.readline()
    (path,) = ledger_paths(tmp_path)
    assert is_alive(path)
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert not is_alive(path)


def test_a_fork_keeps_a_ledger_of_its_own(tmp_path: Path) -> None:
    signer = Signer.generate()
    parent = SessionLog(tmp_path, SessionStart("aaaa", 1, "a", "d"), signer, sync="never")
    child = os.fork()
    if child == 0:
        try:
            SessionLog(tmp_path, SessionStart("bbbb", 1, "a", "d"), signer, sync="never").end("x")
            close_ledgers()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    parent.end("x")
    close_ledgers()
    assert len(ledger_paths(tmp_path)) == 2
    ring = {signer.key_id: signer.verifier}
    books = read_books(tmp_path, ring)
    assert books.findings == []
    assert all(verdict.ok for verdict in verify_directory(tmp_path, ring, books))


def test_a_closed_ledger_takes_no_entry(shelf: Shelf) -> None:
    ledger = shelf.ledger
    ledger.close()
    ledger.close()
    with pytest.raises(LogError):
        ledger.started("a", "b", b"c")


def test_a_folder_that_cannot_be_made_raises(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("")
    with pytest.raises(LogError, match="cannot be made"):
        Ledger(tmp_path, Signer.generate())


def test_books_of_one_session_hold_no_other(shelf: Shelf) -> None:
    for session in ("aaaa0001", "bbbb0001"):
        shelf.log(session).end("x")
    assert list(read_books(shelf.directory, {}, "bb").sessions) == ["bbbb0001"]
