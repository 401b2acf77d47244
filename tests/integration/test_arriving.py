"""The way in, crowded: what many clients at once, or a reload in the middle of a login, may not bring about."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
import pymysql
import pytest
from attrs import evolve

from tests.integration.mysql_gateway import direct
from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration


class Dam:
    """A target's port: connections wait before it until it is opened, and pass to the server then."""

    def __init__(self, server: Server) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.open = threading.Event()
        self.open.set()
        self.waiting = 0
        self.came = 0
        self._to = (server.host, server.port)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.came += 1
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        self.waiting += 1
        self.open.wait(30)
        self.waiting -= 1
        with client, socket.create_connection(self._to) as server:
            back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
            back.start()
            self._copy(client, server)
            back.join(30)

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@contextmanager
def dammed(server: Server) -> Iterator[Dam]:
    dam = Dam(server)
    try:
        yield dam
    finally:
        dam.open.set()
        dam.listener.close()


@pytest.fixture
def dam(postgres: Server) -> Iterator[Dam]:
    with dammed(postgres) as dam:
        yield dam


def mysql_database(server: Server) -> str:
    with closing(direct(server, "mysql")) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS wp_arriving")
    return "wp_arriving"


@contextmanager
def behind(dam: Dam, postgres: Server, folder: Path, limits: str) -> Iterator[str]:
    plan = GatewayPlan(server=evolve(postgres, port=dam.port), extra=f"[limits]\n{limits}\n")
    with running_gateway(plan, folder) as gateway:
        psycopg.connect(gateway.dsn()).close()  # the catalog is there
        yield gateway.dsn()


def until(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come to be within 60 s")


def test_logins_at_once_open_no_more_sessions_than_one_user_may_have(
    dam: Dam, postgres: Server, tmp_path: Path
) -> None:
    """Each was let in while the target of the others was still being connected to, and none of them counted."""
    with behind(dam, postgres, tmp_path / "gateway", "sessions_per_user = 3") as dsn, ThreadPoolExecutor(12) as pool:
        dam.open.clear()

        def log_in() -> psycopg.Connection | str:
            try:
                return psycopg.connect(dsn)
            except psycopg.OperationalError as error:
                return str(error)

        results = [pool.submit(log_in) for _ in range(12)]
        until(lambda: sum(result.done() for result in results) == 9 and dam.waiting == 3)
        dam.open.set()
        came = [result.result() for result in results]
        opened = [each for each in came if isinstance(each, psycopg.Connection)]
        for connection in opened:
            connection.close()
    assert len(opened) == 3
    assert all("too many sessions are open" in each for each in came if isinstance(each, str))


def test_who_says_nothing_keeps_nobody_out(dam: Dam, postgres: Server, tmp_path: Path) -> None:
    with behind(dam, postgres, tmp_path / "gateway", "sessions = 20") as dsn, ExitStack() as silent:
        port = int(psycopg.conninfo.conninfo_to_dict(dsn)["port"])
        for _ in range(100):
            silent.enter_context(socket.create_connection(("127.0.0.1", port)))
        with psycopg.connect(dsn, connect_timeout=30) as honest:
            assert honest.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("dialect", ["postgres", "mysql"])
def test_who_is_removed_while_logging_in_gets_no_session(
    dialect: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Told as the answer to the login: behind it, a client may find the connection closed before it reads why."""
    server: Server = request.getfixturevalue("postgres" if dialect == "postgres" else "mariadb")
    with ExitStack() as stack:
        dam = stack.enter_context(dammed(server))
        dbname = None if dialect == "postgres" else mysql_database(server)
        plan = GatewayPlan(
            server=evolve(server, port=dam.port), dialect=dialect, dbname=dbname, users=("agent", "other")
        )
        gateway = stack.enter_context(running_gateway(plan, tmp_path / "gateway"))
        pool = stack.enter_context(ThreadPoolExecutor(1))

        def log_in(user: str) -> str:
            try:
                connection = psycopg.connect(gateway.dsn(user)) if dialect == "postgres" else gateway.mysql(user)
            except (psycopg.Error, pymysql.err.Error) as error:
                return str(error)
            connection.close()
            return "was let in"

        assert log_in("other") == "was let in"  # the catalog is there
        dam.open.clear()
        came = pool.submit(log_in, "agent")
        until(lambda: dam.waiting == 1)
        gateway.config.write_text(gateway.config.read_text().replace("[user.agent]", "[user.somebody]"))
        assert gateway.cli("reload").returncode == 0
        dam.open.set()
        assert "access was withdrawn" in came.result(20)


def test_who_leaves_at_once_costs_the_target_one_connection(mariadb: Server, tmp_path: Path) -> None:
    """The gateway's first question was taken for a statement of the client's that must be killed."""
    with dammed(mariadb) as dam:
        plan = GatewayPlan(
            server=evolve(mariadb, port=dam.port),
            dialect="mysql",
            dbname=mysql_database(mariadb),
        )
        with running_gateway(plan, tmp_path / "gateway") as gateway:
            gateway.mysql().close()  # the catalog is there
            before = dam.came
            for _ in range(20):
                gateway.mysql().close()
            until(lambda: '"sessions": 0' in gateway.cli("status", "--json").stdout)
    assert 20 <= dam.came - before < 30  # the catalog may have been read again, and not each had a KILL
