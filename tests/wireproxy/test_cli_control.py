"""`wireproxy status` and `reload` against a real control socket."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner, Result

from tests.wireproxy.test_control import Gateway, running
from wireproxy.cli import cli


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(tmp_path) as gateway:
        yield gateway


async def run(gateway: Gateway, *arguments: str) -> Result:
    def invoke() -> Result:
        return CliRunner().invoke(cli, [arguments[0], "--socket", str(gateway.path), *arguments[1:]])

    return await trio.to_thread.run_sync(invoke)


async def test_status_shows_what_the_gateway_says(gateway: Gateway) -> None:
    await gateway.submit()
    shown = await run(gateway, "status")
    assert shown.exit_code == 0
    assert "pending 1" in shown.output
    found = json.loads((await run(gateway, "status", "--json", "--sessions")).output)
    assert found == {"version": "1", "requests": {"pending": 1}, "open_sessions": [{"id": "s1"}]}
    assert "s1" in (await run(gateway, "status", "--sessions")).output


async def test_reload_says_what_came_of_it(gateway: Gateway) -> None:
    first = await run(gateway, "reload")
    assert (first.exit_code, first.output) == (0, "Reloaded.\nversion: 2\n")
    second = await run(gateway, "reload")
    assert second.exit_code == 1
    assert "wireproxy.toml:3: no such policy" in second.output


ANSWERS = [
    b"",
    b"not json\n",
    b'{"ok": true}',
    b"{}\n",
    b'{"ok": true, "result": 7}\n',
    b'{"ok": false, "error": "\\u001b[2J\\u202e"}\n',
    b"\xff\n",
]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("command", ["status", "reload", "approvals", "watch"])
def test_whatever_answers_a_command_ends_in_order(tmp_path: Path, answer: bytes, command: str) -> None:
    """Something else may listen on that socket, or a gateway of another version."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        result = CliRunner().invoke(cli, [command, "--socket", str(tmp_path / "s")])
        thread.join()
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output


def test_a_file_that_is_no_socket_is_named(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("")
    result = CliRunner().invoke(cli, ["status", "--socket", str(tmp_path / "s")])
    assert result.exit_code == 1
    assert "wireproxy serve" in result.output
