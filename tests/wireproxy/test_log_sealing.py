"""Encrypted logs: proved by everybody, read by the auditors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.wireproxy.log_samples import Shelf, allow, findings_of, play, recorded
from wireproxy.log import Auditor, AuditorKey, KeyFileError, LogError
from wireproxy.log.findings import FindingKind
from wireproxy.log.reader import RecordAt, Walk, find_session
from wireproxy.log.records import StatementRecord
from wireproxy.log.summary import summarize_all


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "log")
    yield shelf
    shelf.close()


def key() -> AuditorKey:
    return AuditorKey(X25519PrivateKey.generate())


def opened(shelf: Shelf, auditor: AuditorKey | None, running: bool = False) -> Walk:
    return Walk(find_session(shelf.directory, "aaaa"), shelf.ring, auditor, running)


def records(walk: Walk) -> int:
    return sum(isinstance(met, RecordAt) for met in walk)


def test_no_statement_stands_in_an_encrypted_log_at_any_moment(shelf: Shelf) -> None:
    log = shelf.log(auditors=(key().public(),), identity="the-agent", database="the-shop")

    def look() -> None:
        content = b"".join(path.read_bytes() for path in shelf.directory.rglob("*") if path.is_file())
        for word in (b"customers", b"orders", b"the-agent", b"the-shop", b"wp-7f3a", b"example.com"):
            assert word not in content

    play(log, shelf.clock, look)
    log.end("x")
    look()


def test_an_encrypted_log_is_proved_without_the_private_key(shelf: Shelf) -> None:
    log = shelf.log(auditors=(key().public(),))
    play(log, shelf.clock)
    log.end("x")
    assert shelf.findings() == []
    assert (shelf.verdicts()[0].records, shelf.verdicts()[0].signed) == (15, 15)
    walk = opened(shelf, None)
    assert records(walk) == 0
    assert walk.progress.sealed_records == 15


def test_every_auditor_reads_it_and_nobody_else(shelf: Shelf) -> None:
    auditors = [key(), key()]
    log = shelf.log(auditors=tuple(auditor.public() for auditor in auditors), part_bytes=2000)
    play(log, shelf.clock)
    play(log, shelf.clock)
    log.end("x")
    assert log.path.with_name("aaaa0001.0002.wplog").exists()
    assert [records(opened(shelf, auditor)) for auditor in (*auditors, key())] == [28, 28, 0]


def test_the_journal_of_a_running_session_is_read_with_the_key(shelf: Shelf) -> None:
    auditor = key()
    log = shelf.log(auditors=(auditor.public(),))
    counts: list[int] = []
    play(log, shelf.clock, lambda: counts.append(records(opened(shelf, auditor, running=True))))
    assert counts == [2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12, 12, 13, 14]
    allow(log, 5)
    shelf.die()
    assert [finding.kind for finding in findings_of(opened(shelf, auditor))] == [FindingKind.NOT_CLOSED]
    assert [finding.kind for finding in findings_of(opened(shelf, None))] == [FindingKind.NOT_CLOSED]


def test_a_changed_encrypted_log_is_found_without_the_private_key(shelf: Shelf) -> None:
    log = shelf.log(auditors=(key().public(),))
    play(log, shelf.clock)
    log.end("x")
    content = log.path.read_bytes()
    for position in range(0, len(content), 7):
        log.path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        assert [verdict.ok for verdict in shelf.verdicts()] == [False], position


def test_two_logs_and_two_parts_share_no_key(shelf: Shelf) -> None:
    auditor = key()
    wrapped = set()
    for session in ("aaaa0001", "bbbb0001"):
        log = shelf.log(session, auditors=(auditor.public(),), part_bytes=2000)
        play(log, shelf.clock)
        play(log, shelf.clock)
        log.end("x")
    for path in shelf.directory.rglob("*.wplog"):
        from wireproxy.log.reader import read_header

        with path.open("rb") as file:
            wrapped.add(read_header(file)[0].recipients[0].wrapped)
    assert len(wrapped) == len(list(shelf.directory.rglob("*.wplog"))) >= 4


def test_a_list_shows_that_a_session_is_encrypted_and_with_the_key_who_it_was(shelf: Shelf) -> None:
    auditor = key()
    log = shelf.log(auditors=(auditor.public(),))
    play(log, shelf.clock)
    log.end("x")
    (blind,) = summarize_all(shelf.directory, shelf.books())
    (seen,) = summarize_all(shelf.directory, shelf.books(), auditor)
    assert (blind.sealed, blind.start, blind.state) == (True, None, "closed")
    assert seen.start is not None
    assert (seen.start.identity, seen.denied, seen.sealed) == ("agent", 1, False)


def test_statements_are_as_they_were(shelf: Shelf) -> None:
    auditor = key()
    log = shelf.log(auditors=(auditor.public(),))
    allow(log, 1, b"SELECT 42")
    log.end("x")
    texts = [
        met.record.text
        for met in opened(shelf, auditor)
        if isinstance(met, RecordAt) and isinstance(met.record, StatementRecord)
    ]
    assert texts == [b"SELECT 42"]
    assert len(recorded(shelf, running=False)) == 0


def test_auditors_keys_are_read_from_pem(tmp_path: Path) -> None:
    private = X25519PrivateKey.generate()
    (tmp_path / "a.key").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "a.pub").write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert AuditorKey.load(tmp_path / "a.key").public() == Auditor.load(tmp_path / "a.pub")
    for load in (AuditorKey.load, Auditor.load):
        (tmp_path / "bad").write_bytes(b"nothing")
        with pytest.raises(KeyFileError):
            load(tmp_path / "bad")
    with pytest.raises(KeyFileError):
        Auditor.load(tmp_path / "a.key")


def test_a_small_order_key_is_no_auditor(shelf: Shelf, tmp_path: Path) -> None:
    """An all-zero shared secret would be a key that everybody knows."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    with pytest.raises(LogError, match="cannot be encrypted"):
        shelf.log(auditors=(Auditor(bytes(32)),))
    zero = X25519PublicKey.from_public_bytes(bytes(32))
    (tmp_path / "zero.pub").write_bytes(zero.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(KeyFileError, match="everybody"):
        Auditor.load(tmp_path / "zero.pub")
