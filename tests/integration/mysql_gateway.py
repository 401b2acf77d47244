"""A gateway in this process in front of a MySQL or MariaDB server, and PyMySQL clients in threads."""

from __future__ import annotations

import getpass
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

import pymysql
import trio
from attrs import evolve, frozen

from protocols.base import ProtocolError
from protocols.mysql.caching_sha2 import make_verifier
from rules.model import Dialect
from tests.support.servers import Server
from wireproxy.config.load import load
from wireproxy.config.model import Listen
from wireproxy.gateway import Gateway
from wireproxy.mysql.serving import MySqlPort
from wireproxy.tls import ServerCertificate
from wireproxy.wire import BrokenWire, Wire

T = TypeVar("T")
PASSWORD = "agent-secret"
VERIFIER = make_verifier(PASSWORD, "wireproxy.tests.salt")


@frozen
class Door:
    port: int
    gateway: Gateway
    folder: Path

    async def run(self, work: Callable[[Any], T], **options: Any) -> T:
        """`work` with a connection through the gateway, in a thread."""

        def connected() -> T:
            with closing(connect(self.port, **options)) as connection:
                return work(connection)

        return await trio.to_thread.run_sync(connected)


def connect(port: int, **options: Any) -> Any:
    chosen = {"user": "agent", "password": PASSWORD, "database": "shop", "autocommit": True, "ssl_disabled": True}
    return pymysql.connect(host="127.0.0.1", port=port, connect_timeout=10, read_timeout=30, **(chosen | options))


def direct(server: Server, dbname: str, **options: Any) -> Any:
    return pymysql.connect(
        host=server.host, port=server.port, user=server.user, password=server.password, database=dbname,
        autocommit=True, **options,
    )  # fmt: skip


@asynccontextmanager
async def mysql_gateway(
    server: Server, dbname: str, folder: Path, *, policy: str = "allow-all", wait_s: float = 0.2, extra: str = "",
    tls: tuple[Path, Path] | None = None,
) -> AsyncIterator[Door]:  # fmt: skip
    config = load(_written(server, dbname, folder, policy, wait_s, extra))
    listen = Listen(Dialect.MYSQL, "127.0.0.1", 0, *(tls or (None, None)))
    gateway = Gateway(evolve(config, listen=()))
    port = MySqlPort(gateway)
    certificate = None if tls is None else ServerCertificate(*tls)
    config.state_dir.mkdir(parents=True, exist_ok=True)
    config.log.directory.mkdir(parents=True, exist_ok=True)

    async def attend(connection: socket.socket) -> None:
        try:
            with Wire(connection) as wire:
                await port.attend(wire, listen, certificate)
        except (BrokenWire, ProtocolError):
            pass

    async def accept() -> None:
        while True:
            await trio.lowlevel.wait_readable(listener)
            nursery.start_soon(attend, listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        async with trio.open_nursery() as nursery:
            await nursery.start(gateway.run)
            nursery.start_soon(accept)
            yield Door(listener.getsockname()[1], gateway, folder)
            nursery.cancel_scope.cancel()


def _written(server: Server, dbname: str, folder: Path, policy: str, wait_s: float, extra: str) -> Path:
    password = folder / "target-password"
    password.touch(mode=0o600)
    password.write_text(server.password, encoding="utf-8")
    path = folder / "wireproxy.toml"
    path.touch(mode=0o600)
    path.write_text(
        f"""
[gateway]
state_dir = "{folder}/state"
control_socket = "{folder}/control"
[database.shop]
dialect = "mysql"
host = "{server.host}"
port = {server.port}
dbname = "{dbname}"
user = "{server.user}"
password = {{ file = "{password}" }}
tls = "disable"
policy = "{policy}"
[log]
directory = "{folder}/sessions"
[approvals]
wait_s = {wait_s}
[approver.tester]
unix_users = ["{getpass.getuser()}"]
groups = ["dba"]
[user.agent]
mysql_verifier = "{VERIFIER}"
{extra}
""",
        encoding="utf-8",
    )
    return path
