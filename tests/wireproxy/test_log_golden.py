"""A directory of each version of the format that ever landed: it stays readable, and proved, by every later reader.

`tests/captures/session-log-N/` has logs (one of them encrypted, one in parts, one of a gateway that was killed), their
ledgers, the public key, the auditor's key, and what `export --raw` gave when it was made.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wireproxy.log.books import key_ring, read_books
from wireproxy.log.export import export
from wireproxy.log.findings import Finding
from wireproxy.log.format import VERSION
from wireproxy.log.reader import Walk, find_logs
from wireproxy.log.sealing import AuditorKey
from wireproxy.log.signing import load_public_keys
from wireproxy.log.verify import verify_directory

CAPTURES = Path(__file__).parents[1] / "captures"
VERSIONS = sorted(CAPTURES.glob("session-log-*"))


def auditor(capture: Path) -> AuditorKey:
    return AuditorKey.load(capture / "auditor-of-the-tests.pem")


def test_the_version_written_now_has_a_capture() -> None:
    assert CAPTURES / f"session-log-{VERSION}" in VERSIONS


@pytest.mark.parametrize("capture", VERSIONS, ids=lambda path: path.name)
def test_a_capture_is_proved(capture: Path) -> None:
    ring = key_ring(load_public_keys(capture / "gateway.pub"))
    books = read_books(capture / "log", ring)
    verdicts = {verdict.session: verdict for verdict in verify_directory(capture / "log", ring, books)}
    assert books.findings == []
    assert {session: verdict.state for session, verdict in verdicts.items()} == {
        "aaaa0001": "closed", "bbbb0002": "closed", "cccc0003": "closed", "dddd0004": "torn",
    }  # fmt: skip
    assert [verdict.session for verdict in verdicts.values() if not verdict.ok] == ["dddd0004"]


@pytest.mark.parametrize("capture", VERSIONS, ids=lambda path: path.name)
def test_a_capture_reads_as_it_did(capture: Path) -> None:
    """Later readers may add fields, and may change none."""
    ring = key_ring(load_public_keys(capture / "gateway.pub"))
    for names in find_logs(capture / "log"):
        kept = [json.loads(line) for line in (capture / f"{names.session}.jsonl").read_text().splitlines()]
        exported = export(Walk(names, ring, auditor(capture)), raw=True)
        lines = [json.loads(json.dumps(line)) for line in exported if line["type"] != "finding"]
        assert len(lines) == len(kept)
        for line, before in zip(lines, kept, strict=True):
            assert {name: line[name] for name in before} == before


@pytest.mark.parametrize("capture", VERSIONS, ids=lambda path: path.name)
def test_the_session_of_the_killed_gateway_is_read_to_its_last_record(capture: Path) -> None:
    (names,) = [names for names in find_logs(capture / "log") if names.session == "dddd0004"]
    walk = Walk(names)
    findings = [met.message for met in walk if isinstance(met, Finding)]
    assert findings == ["not closed: no signed end"]
    assert walk.progress.records == 14
