"""What the tour stands on: a database with the sample shop, and the gateway in front of it as a process of its own."""

from __future__ import annotations

import getpass
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import frozen

from wireproxy.demo.cluster import free_port, tail
from wireproxy.demo.interrupts import Interrupts
from wireproxy.demo.show import GATEWAY_ROLE, Server, Show, StageError
from wireproxy.demo.unprivileged import make_folder, server_account, stop

START_S = 30.0
COMMAND_S = 60.0


@frozen
class Stage:
    """Everything that runs, and how to reach it."""

    folder: Path
    show: Show
    server: Server
    gateway: subprocess.Popen[bytes]
    port: int  # of the gateway
    agent_password: str

    @property
    def config(self) -> Path:
        return self.folder / "gateway" / "wireproxy.toml"

    @property
    def agent_url(self) -> str:
        return self.show.agent_url(self.port, self.agent_password)

    def command(self, *arguments: str, columns: int, colour: bool) -> subprocess.CompletedProcess[str]:
        """Runs `wireproxy …` in the gateway's folder, as a person at a terminal of so many columns does."""
        look = {"FORCE_COLOR": "1"} if colour else {"NO_COLOR": "1"}
        environment = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR")}
        environment |= {"COLUMNS": str(columns), **look}
        return subprocess.run(  # noqa: S603 - our own program, no shell
            [*_wireproxy(), *arguments],
            cwd=self.config.parent,
            env=environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    def gateway_log(self) -> str:
        return tail(self.folder / "gateway.log", 20)


@contextmanager
def set_stage(show: Show, interrupts: Interrupts, keep: bool) -> Iterator[Stage]:
    """Starts everything and takes it down again, whatever happens in between; with `keep` only if something fails."""
    stack = ExitStack()
    try:
        with interrupts.shield():
            folder = make_folder(server_account(), "wireproxy-demo-")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        with interrupts.shield():
            server = show.start(folder)
            stack.callback(stop, server.process, server.ended_by)
        role_password = secrets.token_urlsafe(18)
        show.load(server, role_password)
        port, agent_password = free_port(), secrets.token_urlsafe(12)
        _configure(folder / "gateway", show, server, port, role_password, agent_password)
        with interrupts.shield():
            gateway = _start_gateway(folder)
            stack.callback(stop, gateway, signal.SIGTERM)
        _await_gateway(gateway, port, folder / "gateway.log")
        yield Stage(folder, show, server, gateway, port, agent_password)
        if keep:
            stack.pop_all()
    finally:
        with interrupts.shield():
            stack.close()


def _configure(folder: Path, show: Show, server: Server, port: int, role_password: str, agent_password: str) -> None:
    folder.mkdir(mode=0o700)
    secret = folder / "shop.password"
    secret.touch(mode=0o600)
    secret.write_text(role_password + "\n", encoding="ascii")
    masks = "".join(
        f'[[mask]]\ncolumn = "{show.schema}.customers.{name}"\nmasker = "{mask}"\n\n'
        for name, mask in show.masks.items()
    )
    (folder / "wireproxy.toml").write_text(
        f"""\
# written by `wireproxy demo`
[listen.{show.name}]
host = "127.0.0.1"
port = {port}

[database.shop]
dialect = "{show.name}"
host = "127.0.0.1"
port = {server.port}
user = "{GATEWAY_ROLE}"
password = {{ file = "shop.password" }}
tls = "disable"
policy = "agent-default"

[user.agent]
{show.verifier(agent_password)}

[approver.dba]
unix_users = [{json.dumps(getpass.getuser())}]

{masks}""",
        encoding="utf-8",
    )


def _start_gateway(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "gateway.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own program, no shell
            [*_wireproxy(), "serve", "-c", "wireproxy.toml"],
            cwd=folder / "gateway",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C ends the tour, which ends the gateway
        )


def _wireproxy() -> list[str]:
    return [sys.executable, "-m", "wireproxy"]


def _await_gateway(gateway: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if gateway.poll() is not None:
            raise StageError(f"the gateway ended with status {gateway.returncode}:\n{tail(log, 20)}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.03)
        else:
            return
    raise StageError(f"the gateway did not listen within {START_S:.0f} s:\n{tail(log, 20)}")
