"""The commands over recorded sessions: what a security engineer types, and what comes back."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from rich.console import Console

from tests.wireproxy.log_samples import START_NS, Shelf, allow, data_row, play, walk
from wireproxy.cli import cli
from wireproxy.cli.log_place import since_ns
from wireproxy.cli.replay_screen import Screen, duration, pace, size
from wireproxy.cli.screen import warnings
from wireproxy.cli.session_list import listing, short_ids
from wireproxy.log import AuditorKey, Signer
from wireproxy.log import records as rec
from wireproxy.log.books import read_books
from wireproxy.log.summary import summarize_all


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "log", Signer.load_or_create(tmp_path / "gateway.key"))
    yield shelf
    shelf.close()


@pytest.fixture
def filled(shelf: Shelf) -> Shelf:
    """One session with everything, one that only read, one still running."""
    log = shelf.log(
        "aaaa0001", identity="support-agent", groups=("agents",), client="10.0.0.7:5151", source="oidc", issuer="corp"
    )
    play(log, shelf.clock)
    log.end("the client left")
    log = shelf.log("abcd0002", identity="alice", database="ledger")
    allow(log, 1, b"SELECT 'quiet'")
    log.end("the client left")
    allow(shelf.log("ffff0003", identity="bob"), 1, b"SELECT count(*) FROM orders")
    return shelf


def run(shelf: Shelf, *arguments: str) -> Result:
    return CliRunner().invoke(
        cli, [arguments[0], "--directory", str(shelf.directory), *arguments[1:]], env={"COLUMNS": "120"}
    )


def lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


# -- sessions


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_is_whole_on_a_screen_of_eighty_columns(filled: Shelf, width: int) -> None:
    out = io.StringIO()
    summaries = list(summarize_all(filled.directory, read_books(filled.directory, {})))
    Console(file=out, width=width, highlight=False, markup=False, emoji=False).print(listing(summaries, width))
    shown = out.getvalue()
    assert "…" not in shown
    assert all(word in shown for word in ("aaaa0001", "support-agent", "ledger", "denied", "errors", "closed", "open"))


def test_the_list_into_another_program_is_not_cut(filled: Shelf) -> None:
    result = CliRunner().invoke(cli, ["sessions", "--directory", str(filled.directory)], env={"COLUMNS": "40"})
    assert "…" not in result.stdout
    assert all(word in result.stdout for word in ("aaaa0001", "support-agent", "ledger", "lasted", "closed"))


def test_sessions_lists_who_what_and_how_it_went(filled: Shelf) -> None:
    result = run(filled, "sessions")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["id", "who", "database", "started", "lasted", "stmts", "held", "denied", "errors", "state"]
    assert rows[1] == [
        "aaaa0001",
        "support-agent",
        "shop",
        "2026-01-01",
        "00:00:00",
        "1.6",
        "s",
        "4",
        "1",
        "1",
        "2",
        "closed",
    ]
    assert rows[2] == ["abcd0002", "alice", "ledger", "2026-01-01", "00:00:00", "0", "µs", "1", "·", "·", "·", "closed"]
    assert rows[3][-1] == "open"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), ["aaaa0001", "abcd0002", "ffff0003"]),
        (("--user", "alice"), ["abcd0002"]),
        (("--database", "shop"), ["aaaa0001", "ffff0003"]),
        (("--denied",), ["aaaa0001"]),
        (("--since", "2025-12-31"), ["aaaa0001", "abcd0002", "ffff0003"]),
        (("--since", "2026-01-02"), []),
    ],
)  # fmt: skip
def test_sessions_can_be_narrowed(filled: Shelf, options: tuple[str, ...], found: list[str]) -> None:
    assert [line["session"] for line in lines(run(filled, "sessions", "--json", *options))] == found


def test_a_torn_session_is_listed_as_torn(filled: Shelf) -> None:
    filled.die()
    states = {line["session"]: line["state"] for line in lines(run(filled, "sessions", "--json"))}
    assert states == {"aaaa0001": "closed", "abcd0002": "closed", "ffff0003": "torn"}


def test_a_long_log_that_is_closed_is_listed_from_its_two_ends(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    log = shelf.log(part_bytes=100_000)
    for ticket in range(60):
        allow(log, ticket, os.urandom(10_000))
    log.end("x")
    monkeypatch.setattr("wireproxy.log.summary._from_a_walk", None)
    (line,) = lines(run(shelf, "sessions", "--json"))
    assert (line["statements"], line["state"]) == (60, "closed")


def test_an_empty_directory_is_no_error(tmp_path: Path) -> None:
    assert run(Shelf(tmp_path), "sessions").stdout == "No session is recorded.\n"


# -- replay


def test_replay_tells_the_session_in_order(filled: Shelf) -> None:
    result = run(filled, "replay", "aa")
    assert result.exit_code == 0
    expected = (
        "session aaaa0001", "support-agent  (agents)", "10.0.0.7:5151",
        "+00:00:00.010    #1 ✓ allow  reads  query · select", "SELECT id, email FROM customers",
        "id  email", "1   a***@example.com", "2   null", "SELECT 2  2 rows · 70 B · 1.5 ms",
        "#2 ⏸ HELD  writes  wp-7f3a", "DELETE FROM orders WHERE id = $1", "$1 = 7", "because DELETE changes rows",
        "#2 ✓ wp-7f3a APPROVED by dba — looks right", "#3 ✗ DENIED  no-ddl", "DROP TABLE customers",
        "✗ ERROR 42501 refused by rule no-ddl", "hint: ask a DBA", "◆ policy_reloaded  from=1  to=2", "✗ FATAL 57P01",
        "■ end  the client left  4 statements, 1 held, 1 denied, 2 errors, 3 rows",
        "✓ 15 records, all signed",
    )  # fmt: skip
    position = 0
    for text in expected:
        found = result.stdout.find(text, position)
        assert found >= 0, text
        position = found


def test_replay_shows_a_running_session_as_far_as_it_got(filled: Shelf) -> None:
    result = run(filled, "replay", "ffff")
    assert "SELECT count(*) FROM orders" in result.stdout
    assert "still running" in result.stdout


def test_replay_shows_a_torn_session_and_says_so(filled: Shelf) -> None:
    filled.die()
    result = run(filled, "replay", "ffff")
    assert "SELECT count(*) FROM orders" in result.stdout
    assert "not closed: 2 records" in result.stdout


def test_nothing_recorded_draws_on_the_screen(shelf: Shelf) -> None:
    evil = "\x1b[2J\x1b]0;x\x07\u202e[bold]\r\n\x00"
    raw = evil.encode()
    log = shelf.log(identity=evil, application_name=evil, groups=(evil,), policy=evil, database=evil)
    log.statement(1, evil, raw, [raw], (0,), evil, evil, (evil,), "I", evil, (evil,))
    log.decision(1, "deny", evil, (evil,), evil, evil)
    log.verdict(1, evil, evil, evil, evil)
    log.rows(1, [(evil, 25, 0), (evil, 25, 1)], data_row(raw, raw, raw))
    log.completion(1, evil, 1, 1, 1)
    log.error(1, {"S": evil, "C": evil, "M": evil, "D": evil, "H": evil})
    log.event(evil, {evil: evil})
    log.end(evil)
    for command in (("replay", "aaaa"), ("sessions",), ("search", "2J"), ("verify",)):
        result = run(shelf, *command)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "\x1b" not in result.stdout
        assert "\u202e" not in result.stdout
        assert "\x07" not in result.stdout
        assert "\r" not in result.stdout
    for command in (
        ("export", "aaaa"),
        ("sessions", "--json"),
        ("replay", "aaaa", "--json"),
        ("search", "2J", "--json"),
    ):
        output = run(shelf, *command).stdout
        assert output.isascii()
        assert output.replace("\n", "").isprintable()


def test_replay_paces_itself_by_the_session(filled: Shelf) -> None:
    waits: list[float] = []
    for _ in pace(Screen().replay(walk(filled)), 10, waits.append):
        pass
    assert sum(waits) == pytest.approx(0.164)
    assert not list(zip(pace(Screen().replay(walk(filled)), None, waits.clear), range(0), strict=False))


def test_many_rows_are_counted_and_not_shown(shelf: Shelf) -> None:
    log = shelf.log()
    log.rows(1, [(f"c{index}", 23, 0) for index in range(20)], data_row(*(b"1",) * 20) * 30, truncated=True)
    log.completion(1, "SELECT 30", 30, 1, 1)
    log.end("x")
    output = run(shelf, "replay", "aaaa", "--rows", "3").stdout
    assert "8 more columns, 27 more rows in the log, more rows passed than the log keeps" in " ".join(output.split())


def test_rows_of_pipelined_results_keep_to_their_tickets(shelf: Shelf) -> None:
    log = shelf.log()
    log.rows(1, [("one", 25, 0)], data_row(b"first"))
    log.rows(2, [("two", 25, 0)], data_row(b"second"))
    log.completion(1, "SELECT 1", 1, 1, 1)
    log.completion(2, "SELECT 1", 1, 1, 1)
    log.end("x")
    output = run(shelf, "replay", "aaaa").stdout
    assert [output.index(word) for word in ("one", "first", "#1", "two", "second", "#2")] == sorted(
        output.index(word) for word in ("one", "first", "#1", "two", "second", "#2")
    )


# -- verify


def test_verify_of_an_untouched_directory_is_fine(filled: Shelf) -> None:
    result = run(filled, "verify")
    assert result.exit_code == 0
    assert "3 sessions, 1 still running: whole, unchanged and signed" in result.stdout
    assert filled.signer.key_id in result.stdout


def test_verify_says_what_is_wrong_and_where(filled: Shelf) -> None:
    path = filled.directory / "2026-01-01" / "aaaa0001.wplog"
    content = bytearray(path.read_bytes())
    content[400] ^= 1
    path.write_bytes(content)
    result = run(filled, "verify")
    assert result.exit_code == 1
    assert "(aaaa0001.wplog at byte" in " ".join(result.stdout.split())
    assert run(filled, "verify", "aaaa").exit_code == 1
    assert run(filled, "verify", "abcd").exit_code == 0


def test_verify_finds_a_deleted_session_by_the_ledger(filled: Shelf) -> None:
    (filled.directory / "2026-01-01" / "aaaa0001.wplog").unlink()
    result = run(filled, "verify", "--json")
    assert result.exit_code == 1
    (missing,) = [line for line in lines(result) if line.get("state") == "missing"]
    assert missing["session"] == "aaaa0001"
    assert run(filled, "verify", "aaaa").exit_code == 1


def test_verify_finds_a_directory_without_its_ledger(filled: Shelf) -> None:
    for path in (filled.directory / "ledger").iterdir():
        path.unlink()
    result = run(filled, "verify", "--json")
    assert result.exit_code == 1
    assert "there is no ledger" in result.stdout


def test_verify_needs_a_key(filled: Shelf, tmp_path: Path) -> None:
    (tmp_path / "gateway.pub").unlink()
    result = run(filled, "verify")
    assert result.exit_code == 1
    assert "--public-key" in result.output


def test_verify_with_another_key_is_a_finding(filled: Shelf, tmp_path: Path) -> None:
    Signer.load_or_create(tmp_path / "other" / "gateway.key")
    result = run(filled, "verify", "aaaa", "--public-key", str(tmp_path / "other" / "gateway.pub"))
    assert result.exit_code == 1
    assert "which was not given" in " ".join(result.stdout.split())


def test_verify_of_a_single_file_needs_no_ledger_and_says_so(filled: Shelf, tmp_path: Path) -> None:
    (tmp_path / "sent").mkdir()
    sent = tmp_path / "sent" / "aaaa0001.wplog"
    sent.write_bytes((filled.directory / "2026-01-01" / "aaaa0001.wplog").read_bytes())
    key = str(tmp_path / "gateway.pub")
    result = CliRunner().invoke(cli, ["verify", str(sent), "--public-key", key])
    assert result.exit_code == 0
    assert "verified alone" in result.stdout
    sent.write_bytes(sent.read_bytes()[:-1])
    assert CliRunner().invoke(cli, ["verify", str(sent), "--public-key", key]).exit_code == 1


def test_verify_json_ends_with_a_total_and_the_heads_of_the_ledgers(filled: Shelf) -> None:
    total = lines(run(filled, "verify", "--json"))[-1]
    assert (total["ok"], total["sessions"], total["findings"]) == (True, 3, 0)
    assert list(total["heads"]) == [filled.ledger.path.name]  # type: ignore[call-overload]


# -- search


def test_search_finds_statements_parameters_and_people(shelf: Shelf) -> None:
    log = shelf.log(identity="support-agent")
    log.statement(
        1, "parse", b"SELECT * FROM Customers WHERE mail = $1", [b"bob@example.com"], (0,), "allow", "r", (), "I"
    )
    log.end("x")
    for text, where in (("customers", "statement"), ("BOB@", "parameter"), ("support", "identity")):
        (hit,) = lines(run(shelf, "search", "--json", text))
        assert hit["where"] == where
    assert "nothing found" in run(shelf, "search", "orders").stdout
    assert "1 found" in run(shelf, "search", "customers").stdout


def test_search_takes_regular_expressions(filled: Shelf) -> None:
    (hit,) = lines(run(filled, "search", "--json", "--regex", r"DELETE\s+FROM (\w+)"))
    assert (hit["match"], hit["action"]) == ("DELETE FROM orders", "hold")
    result = run(filled, "search", "--regex", "(")
    assert result.exit_code == 1
    assert "not a regular expression" in result.output


def test_an_expression_that_takes_for_ever_is_stopped(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wireproxy.cli.sessions.REGEX_SECONDS", 0.2)
    log = shelf.log()
    allow(log, 1, b"a" * 60 + b"!")
    log.end("x")
    result = run(shelf, "search", "--regex", "(a+)+$")
    assert result.exit_code == 1
    assert "make it simpler" in result.output


def test_plain_text_is_no_expression(filled: Shelf) -> None:
    assert lines(run(filled, "search", "--json", "count(*)")) != []
    assert lines(run(filled, "search", "--json", ".*")) == []


def test_search_can_be_narrowed(filled: Shelf) -> None:
    assert len(lines(run(filled, "search", "--json", "select"))) == 4
    assert [hit["identity"] for hit in lines(run(filled, "search", "--json", "select", "--user", "alice"))] == ["alice"]
    assert lines(run(filled, "search", "--json", "select", "--since", "2026-02-01")) == []


# -- export

FIELDS = {
    "start": {"started_ns", "identity", "database", "dialect", "groups", "client", "policy", "policy_version", "format"},
    "statement": {"ticket", "stage", "text", "parameters", "action", "rule", "reasons", "transaction", "request_id", "kinds",
                  "truncated", "redacted", "sha256"},
    "decision": {"ticket", "action", "rule", "reasons", "stage", "request_id"},
    "verdict": {"ticket", "request_id", "verdict", "approver", "reason"},
    "head": {"ticket", "columns"},
    "rows": {"ticket", "rows", "truncated"},
    "completion": {"ticket", "tag", "rows", "bytes", "elapsed_ns"},
    "error": {"ticket", "fields"},
    "event": {"name", "detail"},
    "end": {"reason", "statements", "held", "denied", "errors", "rows", "bytes"},
    "checkpoint": {"records", "time", "kind", "signature", "link"},
}  # fmt: skip


def test_export_gives_every_record_with_the_names_that_stay(filled: Shelf) -> None:
    exported = lines(run(filled, "export", "aaaa"))
    assert {str(line["type"]) for line in exported} == set(FIELDS)
    for line in exported:
        assert FIELDS[str(line["type"])] <= set(line)
        assert line["session"] == "aaaa0001"
    assert [line["number"] for line in exported if line["type"] != "checkpoint"] == list(range(15))
    assert [line["signature"] for line in exported if line["type"] == "checkpoint"] == ["valid"] * 5
    (rows,) = [line for line in exported if line["type"] == "rows"]
    assert rows["rows"] == [["1", "a***@example.com"], ["2", None]]
    assert lines(run(filled, "replay", "aaaa", "--json")) == exported


def test_export_names_every_kind_of_record() -> None:
    from typing import get_args

    from wireproxy.log.export import TYPES

    assert set(TYPES) == set(get_args(rec.Record))
    assert set(TYPES.values()) | {"checkpoint"} == set(FIELDS)


def test_export_raw_gives_the_exact_bytes(filled: Shelf) -> None:
    (rows,) = [line for line in lines(run(filled, "export", "aaaa", "--raw")) if line["type"] == "rows"]
    assert str(rows["frames_base64"]).startswith("RAAAA")


def test_export_of_a_damaged_log_says_so_in_its_lines(filled: Shelf) -> None:
    path = filled.directory / "2026-01-01" / "aaaa0001.wplog"
    path.write_bytes(path.read_bytes()[:-10])
    kinds = [line["kind"] for line in lines(run(filled, "export", "aaaa")) if line["type"] == "finding"]
    assert kinds == ["torn", "not_closed"]


def test_an_encrypted_session_needs_the_auditors_key(shelf: Shelf, tmp_path: Path) -> None:
    private = X25519PrivateKey.generate()
    (tmp_path / "auditor.key").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    log = shelf.log(auditors=(AuditorKey(private).public(),))
    play(log, shelf.clock)
    log.end("x")
    assert run(shelf, "verify").exit_code == 0
    blind = run(shelf, "replay", "aaaa").stdout
    assert "customers" not in blind
    assert "15 records are encrypted" in blind
    assert "customers" in run(shelf, "replay", "aaaa", "--private-key", str(tmp_path / "auditor.key")).stdout
    assert "encrypted" in run(shelf, "sessions").stdout


# -- what is typed wrong


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("replay", "zzz"), 1, "wireproxy sessions"),
        (("replay", "a"), 1, "fits 2 sessions"),
        (("export", "\x1b[31m"), 1, "\\x1b[31m"),
        (("sessions", "--since", "yesterday"), 2, "2h, 3d"),
        (("verify", "--public-key", "/nonexistent"), 1, "No such file"),
        (("replay", "aaaa", "--private-key", "/dev/null"), 1, "not a private key"),
        (("verify", "nothing.wplog"), 1, "is not a session log"),
    ],
)
def test_a_mistake_is_told_with_the_next_step(
    filled: Shelf, arguments: tuple[str, ...], status: int, says: str
) -> None:
    result = run(filled, *arguments)
    assert result.exit_code == status
    assert says in result.output
    assert "Traceback" not in result.output


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = run(Shelf(tmp_path / "none"), "sessions")
    assert result.exit_code == 1
    assert "--directory" in result.output


# -- small things


def test_short_ids_name_one_session_each() -> None:
    assert short_ids(["abcdefgh1", "abcdefgh2", "b" * 16]) == {
        "abcdefgh1": "abcdefgh1", "abcdefgh2": "abcdefgh2", "b" * 16: "b" * 8,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("2h", 7200), ("3d", 259200), ("1w", 604800)]
)  # fmt: skip
def test_since_counts_back_from_now(text: str, seconds: int) -> None:
    assert since_ns(text, START_NS) == START_NS - seconds * 1_000_000_000


def test_since_takes_dates_in_utc_and_with_a_zone() -> None:
    assert since_ns("2026-01-01", 0) == START_NS
    assert since_ns("2026-01-01T01:00+01:00", 0) == START_NS
    for text in ("never", "999999999999d", "99999w1"):
        with pytest.raises(click.BadParameter):
            since_ns(text, 0)


def test_numbers_are_short() -> None:
    assert [duration(value) for value in (900, 1_500_000, 2_500_000_000, 61_000_000_000, 7_260_000_000_000)] == [
        "1 µs", "1.5 ms", "2.5 s", "1m 01s", "2h 01m",
    ]  # fmt: skip
    assert [size(value) for value in (5, 1500, 2_500_000, 3_000_000_000_000)] == [
        "5 B",
        "1.5 kB",
        "2.5 MB",
        "3000.0 GB",
    ]


def test_a_replay_fits_a_narrow_terminal(filled: Shelf) -> None:
    stream = io.StringIO()
    screen = Console(file=stream, width=60, highlight=False)
    for shown in Screen().replay(walk(filled)):
        screen.print(shown.what)
    assert all(len(line) <= 60 for line in stream.getvalue().splitlines())


def test_a_configuration_whose_gateway_never_ran_is_told(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli, ["init", str(tmp_path / "new")]).exit_code == 0
    result = CliRunner().invoke(cli, ["sessions", "-c", str(tmp_path / "new" / "wireproxy.toml")])
    assert result.exit_code == 1
    assert "not there yet" in result.output


def test_a_word_in_look_alike_letters_of_one_script_is_not_flagged() -> None:
    """docs/limitations.md has it."""
    assert "several scripts" in "".join(warnings("SELECT \u0430ccess FROM t"))
    assert warnings("SELECT \u0430\u0441\u0441\u0435\u0455\u0455 FROM t") == []
