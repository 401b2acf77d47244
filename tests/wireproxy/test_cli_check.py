"""`check` answers a program by JSON Lines and exit status, and a person by a screen that a statement cannot draw on."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rules.model import Dialect
from wireproxy.cli import cli
from wireproxy.cli.calls import Failed
from wireproxy.cli.check import check_lines, check_text
from wireproxy.cli.dry_judge import Circumstances, find_policy, version_number

KEYS = {"kind", "action", "rule", "reasons", "relations", "functions", "opaque"}


def run(*arguments: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["check", *arguments], input=given)


@pytest.mark.parametrize("dialect", ["postgres", "mysql"])
@pytest.mark.parametrize(
    ("sql", "status", "action"),
    [
        ("SELECT a FROM t", 0, "allow"),
        ("DELETE FROM t", 3, "hold"),
        ("DROP TABLE t", 4, "deny"),
        ("SELECT 1; DELETE FROM t; DROP TABLE t", 4, "deny"),
        ("SELECT nobody_knows(1)", 3, "hold"),
        ("SELECT $$", 3, "hold"),
        ("", 0, None),
    ],
)
def test_the_exit_status_is_that_of_the_worst_statement(
    dialect: str, sql: str, status: int, action: str | None
) -> None:
    found = run("--dialect", dialect, "--json", sql)
    assert found.exit_code == status, found.output
    answers = [json.loads(line) for line in found.stdout.splitlines()]
    assert all(answer.keys() >= KEYS for answer in answers)
    if action is not None:
        assert answers[-1]["action"] == action


@pytest.mark.parametrize("dialect", ["postgres", "mysql"])
def test_relations_have_schema_name_and_access(dialect: str) -> None:
    (line,) = run("--dialect", dialect, "--json", "INSERT INTO app.log SELECT * FROM users").stdout.splitlines()
    relations = json.loads(line)["relations"]
    assert {"schema": "app", "name": "log", "access": "write"} in relations
    assert {"schema": None, "name": "users", "access": "read"} in relations


def test_standard_input_is_a_statement() -> None:
    assert run("-", given="DROP TABLE t").exit_code == 4
    assert run("-", given=b"SELECT '\xff'").exit_code == 3


def test_a_policy_can_be_named_or_be_a_file(tmp_path: Path) -> None:
    assert run("--policy", "read-only", "DELETE FROM t WHERE a = 1").exit_code == 4
    assert run("--policy", "allow-all", "DROP TABLE t").exit_code == 0
    path = tmp_path / "mine.toml"
    path.write_text('default = "deny"\n[[rule]]\nname = "x"\naction = "allow"\nwhen = { kinds = ["delete"] }')
    assert run("--policy", str(path), "DELETE FROM t").exit_code == 0
    path.write_text('[[rule]]\nname = "x"\naction = "alow"')
    wrong = run("--policy", str(path), "DELETE FROM t")
    assert wrong.exit_code == 1
    assert 'mine.toml:3: rule[1].action: "alow" is not one of them; did you mean "allow"?' in wrong.stderr


def test_who_sends_it_counts(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('default = "deny"\n[[rule]]\nname = "x"\naction = "allow"\nwhen = { groups = ["dba"] }')
    assert run("--policy", str(path), "DELETE FROM t").exit_code == 4
    assert run("--policy", str(path), "--group", "dba", "DELETE FROM t").exit_code == 0


def test_one_source_of_sql_is_needed() -> None:
    assert run().exit_code == 2
    assert run("--jsonl", "-", "SELECT 1").exit_code == 2


@pytest.mark.parametrize("dialect", list(Dialect))
def test_lines_are_answered_in_order_and_a_bad_line_by_an_error(dialect: Dialect) -> None:
    circumstances = Circumstances(dialect)
    lines = [
        b'{"id": 1, "sql": "SELECT 1"}', b"", b"not json", b"[1]", b'{"sql": 5}', b'{"id": "x", "sql": "DELETE FROM t"}',
        b'{"id": null, "sql": "SELECT \\ud800"}', b"[" * 100_000, b'{"id": {"a": 1}, "sql": ""}',
    ]  # fmt: skip
    output = io.StringIO()
    status = check_lines(io.BytesIO(b"\n".join(lines)), output, circumstances.judge(), circumstances.namespace())
    answers = [json.loads(line) for line in output.getvalue().splitlines()]
    assert status == 1
    assert [(answer.get("id"), answer.get("action"), "error" in answer) for answer in answers] == [
        (1, "allow", False), (None, None, True), (None, None, True), (None, None, True), ("x", "hold", False),
        (None, "hold", False), (None, None, True), ({"a": 1}, "allow", False),
    ]  # fmt: skip
    assert answers[0]["statements"][0].keys() >= KEYS


def test_good_lines_give_the_status_of_the_worst() -> None:
    circumstances = Circumstances(Dialect.MYSQL)
    lines = io.BytesIO(b'{"id": 1, "sql": "SELECT 1"}\n{"id": 2, "sql": "DELETE FROM t"}')
    assert check_lines(lines, io.StringIO(), circumstances.judge(), circumstances.namespace()) == 3


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_statement_cannot_draw_on_the_screen(dialect: Dialect) -> None:
    circumstances = Circumstances(dialect)
    output = io.StringIO()
    sql = 'SELECT \x1b[2J"a\x1b]0;x\x07", [bold]x[/bold] FROM "t\x1b[31m\u202e"\r\n'
    check_text(sql.encode(), output, circumstances.judge(), circumstances.namespace(), as_json=False)
    assert "\x1b" not in output.getvalue()
    assert "\u202e" not in output.getvalue()
    assert "\x07" not in output.getvalue()


@pytest.mark.parametrize(
    ("dialect", "written", "number"),
    [
        (Dialect.POSTGRES, "15", (150000, False)),
        (Dialect.POSTGRES, "15.4", (150004, False)),
        (Dialect.POSTGRES, "15.4 (Debian 15.4-1)", (150004, False)),
        (Dialect.POSTGRES, "180001", (180001, False)),
        (Dialect.MYSQL, "8.0.36", (80036, False)),
        (Dialect.MYSQL, "10.11.6-MariaDB-1", (101106, True)),
        (Dialect.MYSQL, "11.4", (110400, True)),
    ],
)
def test_versions_as_servers_write_them(dialect: Dialect, written: str, number: tuple[int, bool]) -> None:
    assert version_number(dialect, written) == number


def test_a_policy_that_is_not_there_is_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Failed, match="there is no pack 'agent-defalt'"):
        find_policy("agent-defalt", None)
    with pytest.raises(Failed, match="no such file"):
        find_policy("agent-default", tmp_path / "none.toml")
    with pytest.raises(Failed, match="No such file"):
        find_policy("./none.toml", None)


def test_nothing_of_a_statement_is_printed_by_a_library() -> None:
    """sqlglot warns of what it cannot parse by quoting it."""
    text = """SELECT a->'canary''x' FROM t"""
    program = (
        "import wireproxy, sys; from rules.classify.mysql import classify; from rules.model import Namespace; "
        + ("print(len(classify(sys.argv[1], Namespace(database='shop'))))")
    )
    done = subprocess.run([sys.executable, "-c", program, text], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "")
