"""A gateway in this process in front of a MySQL or MariaDB server, and PyMySQL clients in threads."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

import pymysql
import trio
from attrs import frozen

from protocols.mysql.caching_sha2 import make_verifier
from tests.support.servers import Server
from wireproxy.config.load import load
from wireproxy.demo.cluster import free_port
from wireproxy.gateway import Gateway

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
    port = free_port()
    config = load(_written(server, dbname, folder, port, policy, wait_s, extra, tls))
    config.state_dir.mkdir(parents=True, exist_ok=True)
    config.log.directory.mkdir(parents=True, exist_ok=True)
    gateway = Gateway(config)
    async with trio.open_nursery() as nursery:
        await nursery.start(gateway.run)
        yield Door(port, gateway, folder)
        nursery.cancel_scope.cancel()


def _written(
    server: Server, dbname: str, folder: Path, port: int, policy: str, wait_s: float, extra: str,
    tls: tuple[Path, Path] | None,
) -> Path:  # fmt: skip
    certificate = "" if tls is None else f'tls_certificate = "{tls[0]}"\ntls_key = "{tls[1]}"'
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
[listen.mysql]
host = "127.0.0.1"
port = {port}
{certificate}
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
