"""`policy test`, `explain` and `backtest`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wireproxy.cli import cli
from wireproxy.cli.policy_cases import CaseErrors, read_cases
from wireproxy.log import SessionLog, SessionStart, Signer


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["policy", *arguments])


CASES = """
[[case]]
sql = "SELECT 1"
action = "allow"

[[case]]
sql = "DELETE FROM t"
action = "hold"
rule = "whole-table"

[[case]]
sql = "DELETE FROM t WHERE a = 1"
action = "hold"
rule = "whole-table"

[[case]]
sql = "DROP TABLE t"
action = "hold"
"""


def test_cases_that_do_not_agree_are_shown_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "cases.toml"
    path.write_text(CASES)
    found = run("test", "--dialect", "mysql", str(path))
    assert found.exit_code == 1
    assert "expected hold by whole-table, found hold by writes" in found.stdout
    assert "expected hold, found deny by no-drop" in found.stdout
    assert "cases.toml:11:" in found.stdout.replace("\n", "")
    assert "2 of 4 agree" in found.stdout
    path.write_text(CASES[: CASES.index('[[case]]\nsql = "DELETE FROM t WHERE')])
    assert run("test", "--dialect", "mysql", str(path)).exit_code == 0
    answers = [json.loads(line) for line in run("test", "--dialect", "mysql", "--json", str(path)).stdout.splitlines()]
    assert [answer["agrees"] for answer in answers] == [True, True]


def test_a_case_has_its_own_circumstances(tmp_path: Path) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text("""
default = "deny"
[[rule]]
name = "day"
action = "observe"
when = { groups = ["dba"], databases = ["shop"], hours = "08:00-18:00", estimated_rows_over = 5 }
""")
    case = 'sql = "SELECT 1"\ngroups = ["dba"]\ndatabase = "shop"\nat = "mon 09:00"\nestimated_rows = 6\naction = "observe"\n'
    path = tmp_path / "cases.toml"
    path.write_text(f"[[case]]\n{case}" + "".join(
        f"[[case]]\n{case.replace(old, new).replace('observe', 'deny')}"
        for old, new in (("dba", "x"), ("shop", "x"), ("mon 09:00", "mon 19:00"), ("= 6", "= 5"))
    ))  # fmt: skip
    found = run("test", "--dialect", "mysql", "--policy", str(policy), str(path))
    assert found.exit_code == 0, found.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no [[case]] in it"),
        ('[[cases]]\nsql = "x"', 'cases: unknown key; did you mean "case"?'),
        ('[[case]]\nsql = "x"', "case[1].action: is missing"),
        ('[[case]]\nsql = "x"\naction = "hold"\nat = "monday"', 'write "mon 09:30"'),
        ("[[case]", "cases.toml: "),
    ],
)
def test_what_is_wrong_with_a_file_of_cases_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cases.toml"
    path.write_text(text)
    with pytest.raises(CaseErrors) as caught:
        read_cases(path)
    assert said in str(caught.value)


def test_explain_shows_the_rules_in_order_with_those_of_the_pack(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("""
pack = "agent-default"
[[rule]]
name = "mine"
action = "hold"
approvers = ["dba"]
quorum = 2
maximum_rows = 10
when = { kinds = ["update"], hours = "08:00-18:00", days = "mon-fri" }
[[rule]]
name = "few"
action = "allow"
limit = { rows = 10, window_s = 60 }
when = { kinds = ["copy"], missing_where = false }
""")
    shown = run("explain", str(path)).stdout
    for words in ("mine", "2 of dba", "above 10 rows", "hours: 08:00-18:00", "days: mon, tue, wed, thu, fri",
                  "10 rows in 60 s", "missing_where: false", "no-drop", "whatever no rule has decided"):  # fmt: skip
        assert words in shown, words
    assert shown.index("mine") < shown.index("few") < shown.index("no-programs")
    found = json.loads(run("explain", "--json", str(path)).stdout)
    assert found["rules"][0]["when"] == {
        "kinds": ["update"],
        "hours": "08:00-18:00",
        "days": ["mon", "tue", "wed", "thu", "fri"],
    }
    assert found["rules"][1]["limit"]["rows"] == 10
    assert found["default"] == "hold"


def record(
    folder: Path, *statements: tuple[bytes, str, str], identity: str = "agent", session: str = "aaaa0001"
) -> None:
    start = SessionStart(
        session, time.time_ns(), identity, "shop", "mysql", ("agents",), server_version="8.0.36", target_dbname="shop"
    )
    log = SessionLog(folder, start, Signer.generate())
    for ticket, (text, stage, action) in enumerate(statements):
        log.statement(ticket, stage, text, None, (), action, "then", (), "I")
    log.end("bye")


def test_backtest_lists_what_would_be_decided_otherwise(tmp_path: Path) -> None:
    record(
        tmp_path,
        (b"SELECT 1", "query", "allow"),
        (b"DELETE FROM t", "query", "allow"),
        (b"DELETE FROM t", "query", "allow"),
        (b"DELETE FROM t", "parse", "allow"),
        (b"DROP TABLE t", "query", "hold"),
        (b"UPDATE t SET a = 1", "query", "hold"),
        (b"INSERT INTO t VALUES (\x1b[2J 1)", "query", "observe"),
    )
    record(tmp_path, (b"DELETE FROM t", "query", "deny"), identity="other", session="aaaa0002")
    found = run("backtest", "--directory", str(tmp_path), "--policy", "agent-default", "--json")
    assert found.exit_code == 0, found.output
    changes = {(each["sql"], each["identity"]): each for each in map(json.loads, found.stdout.splitlines())}
    delete = changes["DELETE FROM t", "agent"]
    assert (delete["before"], delete["after"], delete["after_rule"], delete["times"]) == (
        "allow",
        "hold",
        "whole-table",
        2,
    )
    assert changes["DROP TABLE t", "agent"]["after"] == "deny"
    assert changes["DELETE FROM t", "other"]["before"] == "deny"
    assert ("SELECT 1", "agent") not in changes
    assert ("UPDATE t SET a = 1", "agent") not in changes
    screen = run("backtest", "--directory", str(tmp_path), "--policy", "agent-default").stdout
    assert "7 statements of 2 sessions under agent-default: 5 would be decided otherwise" in screen.replace("\n", "")
    assert "\x1b" not in screen


def test_backtest_looks_at_sessions_since(tmp_path: Path) -> None:
    record(tmp_path, (b"DELETE FROM t", "query", "allow"))
    found = run("backtest", "--directory", str(tmp_path), "--policy", "read-only", "--since", "2200-01-01")
    assert "0 statements of 0 sessions" in found.stdout


def test_backtest_is_over_where_nothing_is_recorded(tmp_path: Path) -> None:
    assert run("backtest", "--directory", str(tmp_path), "--policy", "read-only").exit_code == 0
