"""`wireproxy token`: whether a token would be accepted, and as whom, without a login and without showing the token."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.issuer import JWKS, P384, token
from wireproxy.cli import cli

CONFIG = """
[listen.postgres]
port = 6432

[database.shop]
host = "db"
user = "agent"
groups = ["staff"]
policy_by_group = { dba = "read-only" }

[database.other]
host = "db"
user = "agent"
users = ["nobody-else"]

[oidc.corp]
issuer = "https://id.corp.example"
audience = "wireproxy"
jwks_file = "jwks.json"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "jwks.json").write_text(json.dumps(JWKS))
    path = tmp_path / "wireproxy.toml"
    path.write_text(CONFIG)
    return path


def run(config: Path, raw: bytes, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["token", "-c", str(config), *arguments], input=raw)


def fresh(**claims: object) -> bytes:
    return token(**{"exp": time.time() + 36_000, "iat": time.time() - 5, **claims})  # type: ignore[arg-type]


def test_a_good_token_says_as_whom_and_where(config: Path) -> None:
    result = run(config, fresh() + b"\n", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["accepted"] is True
    assert (found["user"], found["groups"], found["issuer"]) == ("ann", ["dba", "staff"], "corp")
    assert found["databases"] == {"shop": "read-only"}


def test_the_token_itself_is_never_shown(config: Path) -> None:
    raw = fresh()
    for arguments in ([], ["--json"]):
        output = run(config, raw, *arguments).output
        assert not any(part in output for part in raw.decode().split("."))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (fresh(exp=time.time() - 3600), "expired"),
        (fresh(aud="elsewhere"), "audience"),
        (fresh(key=P384, algorithm="ES384"), "algorithm"),
        (fresh(iss="https://evil.example"), "not configured"),
        (b"hunter2", "not a token"),
        (b"", "not a token"),
    ],
)
def test_a_bad_token_says_why(config: Path, raw: bytes, reason: str) -> None:
    result = run(config, raw)
    assert result.exit_code == 1
    assert reason in result.output
    assert "hunter2" not in result.output


def test_another_user_name_does_not_go_with_it(config: Path) -> None:
    result = run(config, fresh(), "--user", "bob")
    assert result.exit_code == 1
    assert "not the user name" in result.output


def test_claims_cannot_draw_on_the_screen(config: Path) -> None:
    result = run(config, fresh(note="\x1b[2J\u202e", exp=1))
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output


def test_a_configuration_with_errors_is_told_with_its_lines(config: Path) -> None:
    config.write_text(CONFIG + "\n[nonsense]\n")
    result = run(config, fresh())
    assert result.exit_code == 1
    assert "wireproxy.toml:" in result.output
