"""`wireproxy serve` that cannot start says why, in a line, and leaves with status 1."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess, run

import pytest
import structlog

from tests.support.gateway import wireproxy_command
from wireproxy.cli.serve import configure_diagnostics, leaves

CONFIG = """
state_dir = "{folder}/state"
[listen.postgres]
host = "127.0.0.1"
port = {port}
[database.shop]
dialect = "postgres"
host = "127.0.0.1"
port = 1
user = "nobody"
"""


def serve(folder: Path, port: int, more: str = "") -> CompletedProcess[str]:
    config = folder / "wireproxy.toml"
    config.write_text(CONFIG.format(folder=folder, port=port) + more)
    config.chmod(0o600)
    return run([*wireproxy_command(), "serve", "-c", str(config)], capture_output=True, text=True, timeout=30)


def a_port_in_use(folder: Path, port: int) -> str:
    return f"[listen.postgres] 127.0.0.1:{port}: Address already in use"


def a_mask_key_cut_short(folder: Path, port: int) -> str:
    (folder / "state").mkdir()
    (folder / "state" / "mask.key").touch()
    return f"{folder}/state/mask.key is not 32 bytes long; remove it and a new one is made"


def a_salt_key_cut_short(folder: Path, port: int) -> str:
    (folder / "state").mkdir()
    (folder / "state" / "mock-salt.key").touch()
    return f"{folder}/state/mock-salt.key is not 32 bytes long; remove it and a new one is made"


def a_folder_in_the_place_of_the_socket(folder: Path, port: int) -> str:
    (folder / "state" / "control.sock").mkdir(parents=True)
    return f"{folder}/state/control.sock: there is something that is not a socket; move it away"


@pytest.mark.parametrize(
    "obstacle", [a_port_in_use, a_mask_key_cut_short, a_salt_key_cut_short, a_folder_in_the_place_of_the_socket]
)
def test_what_keeps_it_from_starting_is_said_in_a_line(tmp_path: Path, obstacle: Callable[[Path, int], str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = obstacle(tmp_path, port)
        done = serve(tmp_path, port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == f"wireproxy: cannot start: {said}"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("json_log", [True, False])
def test_a_name_that_a_client_chose_stays_in_its_line_and_moves_no_cursor(
    capsys: pytest.CaptureFixture[str], json_log: bool
) -> None:
    before = structlog.get_config()
    try:
        configure_diagnostics(json_log)
        structlog.get_logger("gateway").warning("login_failed", user="a\x1b[2J\r\nb\u202e", reason="no such user")
    finally:
        structlog.configure(**before)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.removesuffix("\n").isprintable()
    assert "no such user" in said


def test_a_group_of_groups_is_told_by_what_is_in_it() -> None:
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [OSError("one"), OSError("two")]), OSError("three")])
    assert [str(each) for each in leaves(group)] == ["one", "two", "three"]
