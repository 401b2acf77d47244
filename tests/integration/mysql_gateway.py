"""A gateway in this process in front of a MySQL or MariaDB server, and PyMySQL clients in threads."""

from __future__ import annotations

import getpass
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from queue import Queue
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


@contextmanager
def in_a_thread(server: Server, dbname: str, folder: Path, **options: Any) -> Iterator[int]:
    """A gateway for several tests: it runs in a thread of its own. Gives its port."""
    started: Queue[tuple[int, trio.lowlevel.TrioToken, trio.Event] | BaseException] = Queue()

    async def run() -> None:
        enough = trio.Event()
        async with mysql_gateway(server, dbname, folder, **options) as door:
            started.put((door.port, trio.lowlevel.current_trio_token(), enough))
            await enough.wait()

    def work() -> None:
        try:
            trio.run(run)
        except BaseException as error:  # whoever waits for the start or the end must hear of it
            started.put(error)

    thread = threading.Thread(target=work)
    thread.start()
    found = started.get(timeout=60)
    if isinstance(found, BaseException):
        raise found
    port, token, enough = found
    try:
        yield port
    finally:
        token.run_sync_soon(enough.set)
        thread.join(30)
        if not started.empty():
            raise AssertionError("the gateway did not end well") from started.get()
