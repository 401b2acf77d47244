"""`wireproxy user`: users in a configuration that people wrote."""

from __future__ import annotations

import errno
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from protocols.mysql.caching_sha2 import check_password
from protocols.postgres.scram import make_verifier, parse_verifier
from wireproxy.cli import cli
from wireproxy.cli.user_block import EditRefused, User, added, block, listed, removed

CONFIG = """\
# the gateway of the shop
state_dir = "state"  # beside this file

# who may log in
[user.ann]
verifier = "SCRAM-SHA-256$1:AA==$x:y"  # old
groups = ["dba"]

# everything below is Ben's
[user."ben b"]
groups = [
  "agents",  # two lines
]

[database.shop]
host = "db"
"""


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["user", *arguments], input=stdin)


def fits(verifier: str, password: str) -> bool:
    parsed = parse_verifier(verifier)
    return str(make_verifier(password, parsed.salt, parsed.iterations)) == verifier


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "wireproxy.toml"
    path.write_text(CONFIG)
    path.chmod(0o640)
    return path


def users(path: Path) -> Any:
    return tomllib.loads(path.read_text())["user"]


# The commands


def test_without_a_file_the_block_is_printed_and_nothing_else() -> None:
    result = run("add", "claude", "--group", "agents", "--password-stdin", stdin="correct horse battery\n")
    assert result.exit_code == 0
    found = tomllib.loads(result.stdout)["user"]["claude"]
    assert fits(found["verifier"], "correct horse battery")
    assert check_password("correct horse battery", found["mysql_verifier"])
    assert found["groups"] == ["agents"]
    assert "correct" not in result.output


def test_a_generated_password_is_shown_once_and_is_in_no_file(config: Path) -> None:
    result = run("add", "claude", "--generate", "-c", str(config))
    assert result.exit_code == 0
    password = result.stderr.strip().rpartition(" ")[2]
    assert len(password) >= 32
    assert password not in config.read_text()
    assert fits(users(config)["claude"]["verifier"], password)


def test_two_users_with_one_password_have_different_verifiers() -> None:
    one, two = (run("add", "u", "--password-stdin", stdin="correct horse battery\n").stdout for _ in range(2))
    assert one != two


def test_a_user_is_appended_and_all_else_stays(config: Path) -> None:
    assert run("add", "claude", "-c", str(config), "--password-stdin", stdin="correct horse battery\n").exit_code == 0
    assert config.read_text().startswith(CONFIG)
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert os.listdir(config.parent) == ["wireproxy.toml"]


def test_a_user_who_is_there_is_replaced_only_when_asked(config: Path) -> None:
    refused = run("add", "ann", "-c", str(config), "--password-stdin", stdin="correct horse battery\n")
    assert refused.exit_code == 1
    assert "--replace" in refused.output
    assert config.read_text() == CONFIG
    assert (
        run("add", "ann", "-c", str(config), "--replace", "--password-stdin", stdin="correct horse battery\n").exit_code
        == 0
    )
    assert fits(users(config)["ann"]["verifier"], "correct horse battery")
    assert users(config)["ann"]["groups"] == ["dba"]
    assert "# everything below is Ben's" in config.read_text()


def test_a_revoked_user_is_gone_and_nobody_else(config: Path) -> None:
    assert run("revoke", "ann", "-c", str(config)).exit_code == 0
    assert list(users(config)) == ["ben b"]
    assert '# everything below is Ben\'s\n[user."ben b"]' in config.read_text()
    assert run("revoke", "ann", "-c", str(config)).exit_code == 1


def test_where_the_file_cannot_be_written_the_block_is_printed(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(_draft: Path, _to: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "replace", read_only)
    result = run("add", "claude", "--generate", "-c", str(config))
    assert result.exit_code == 0
    assert fits(tomllib.loads(result.stdout)["user"]["claude"]["verifier"], result.stderr.strip().rpartition(" ")[2])
    assert "cannot be changed from here" in result.stderr
    taken = run("add", "ann", "--generate", "-c", str(config))
    assert (taken.exit_code, taken.stdout) == (1, "")  # she is there already
    gone = run("revoke", "ann", "-c", str(config))
    assert gone.exit_code == 1
    assert "take [user.ann] out" in gone.stderr
    assert config.read_text() == CONFIG
    assert list(config.parent.iterdir()) == [config]


def test_the_list_says_who_can_log_in(config: Path) -> None:
    run("add", "claude", "-c", str(config), "--password-stdin", stdin="correct horse battery\n")
    result = run("list", "-c", str(config), "--json")
    found = {line["name"]: line for line in map(json.loads, result.output.splitlines())}
    assert found["ann"]["usable"] is False
    assert found["ben b"] == {"name": "ben b", "groups": ["agents"], "verifiers": [], "usable": False}
    assert found["claude"]["usable"] is True
    assert "$" not in result.output
    assert "its verifier is broken" in run("list", "-c", str(config)).output


def test_the_list_works_on_a_file_with_other_errors(config: Path) -> None:
    config.write_text(CONFIG + "\n[nonsense]\nx = 1\n")
    assert run("list", "-c", str(config)).exit_code == 0


def test_a_link_is_followed_not_replaced(config: Path) -> None:
    link = config.with_name("link.toml")
    link.symlink_to(config)
    run("revoke", "ann", "-c", str(link))
    assert link.is_symlink()
    assert "ann" not in users(config)


def test_without_a_terminal_a_password_must_come_from_somewhere() -> None:
    result = run("add", "claude")
    assert result.exit_code == 1
    assert "--generate" in result.output


@pytest.mark.parametrize("password", ["", "\n", "a\0b\n"])
def test_an_empty_password_is_refused(password: str) -> None:
    assert run("add", "claude", "--password-stdin", stdin=password).exit_code == 1


@pytest.mark.parametrize("name", ["", " ann", "a\x1b[31mb", "a\u202eb", "a\nb", "x" * 64, "a\u200bb"])
def test_a_name_that_could_pass_for_another_is_refused(name: str) -> None:
    assert run("add", name, "--generate").exit_code == 1


def test_broken_toml_is_left_alone(config: Path) -> None:
    config.write_text("[user.ann\n")
    result = run("revoke", "ann", "-c", str(config))
    assert result.exit_code == 1
    assert config.read_text() == "[user.ann\n"


# Editing

NEW = User("new", "v", None, ("g",))


@pytest.mark.parametrize(
    "text",
    [
        "user = { ann = { groups = [] } }\n",
        "[user]\nann = { groups = [] }\n",
        "[user]\nann.groups = []\n",
        "x = '''\n[user.ann]\n'''\nuser.ann.groups = []\n",
        "x = '''\n[user.ann]\n'''\n[user.ann]\n",
        "[user.ann]\nnote = '''\n[database.x]\n'''\n",
    ],
)
def test_a_spelling_that_is_not_understood_is_not_touched(text: str) -> None:
    for change in (lambda: removed(text, "ann"), lambda: added(text, User("ann", "v", None), replace=True)):
        with pytest.raises(EditRefused, match="by hand"):
            change()


@pytest.mark.parametrize(
    "header",
    ["[user.ann]", '[user."ann"]', "[ user . 'ann' ]", "  [user.ann] # who", '["user".ann]', '[user."a\\u006en"]'],
)
def test_every_spelling_of_the_header_is_found(header: str) -> None:
    assert removed(f"{header}\ngroups = []\n[x]\n", "ann") == "[x]\n"


def test_line_ends_stay_as_they_are(config: Path) -> None:
    config.write_bytes(CONFIG.replace("\n", "\r\n").encode())
    run("revoke", "ann", "-c", str(config))
    assert b'\r\n[user."ben b"]\r\n' in config.read_bytes()
    assert b"ann" not in config.read_bytes()


def test_an_empty_file_and_one_without_a_last_line_end_can_be_added_to() -> None:
    assert added("", NEW, replace=False) == block(NEW)
    assert added("a = 1", NEW, replace=False) == "a = 1\n\n" + block(NEW)


@given(st.text(min_size=1), st.lists(st.text(), max_size=3), st.text())
def test_any_name_and_group_survive_the_file(name: str, groups: list[str], verifier: str) -> None:
    try:
        (name + verifier + "".join(groups)).encode()
    except UnicodeEncodeError:
        return
    text = added(CONFIG, User(name, verifier, None, groups), replace=True)
    (found,) = [user for user in listed(text) if user.name == name]
    assert found.verifier == verifier
    assert set(found.groups) == (set(groups) or set(next((u.groups for u in listed(CONFIG) if u.name == name), ())))
    assert {user.name for user in listed(removed(text, name))} == {"ann", "ben b"} - {name}
