"""Holds on MySQL and MariaDB: what an approver is shown, that an approval runs exactly that, and that nothing else does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import trio

from protocols.mysql.capabilities import Capability
from protocols.mysql.messages import Command
from rules.model import Dialect
from tests.integration.mysql_gateway import PASSWORD, Door, connect, direct, mysql_gateway
from tests.integration.test_mysql_prepared import NEW, S, a_client
from tests.protocols import mysql_playbook as p
from tests.support.servers import Server
from wireproxy.approvals import Request
from wireproxy.config.model import Approver, Database, Secret
from wireproxy.store.model import State

DBNAME = "wp_wire_holding"
BOB = Approver("bob", frozenset({"bob"}), frozenset({"dba"}))


@pytest.fixture(params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found: Server = request.getfixturevalue(request.param)
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
        cursor.execute(f"CREATE TABLE {DBNAME}.people (id int PRIMARY KEY, name varchar(80))")
        cursor.execute(f"INSERT INTO {DBNAME}.people VALUES (1, 'Ada'), (2, 'Bo')")
    yield found
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")


@pytest.fixture
async def door(server: Server, tmp_path: Path) -> AsyncIterator[Door]:
    async with mysql_gateway(server, DBNAME, tmp_path, policy="agent-default", wait_s=20) as found:
        yield found


def names(server: Server) -> list[str]:
    with direct(server, DBNAME) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name FROM people ORDER BY id")
        return [name for (name,) in cursor.fetchall()]


async def the_request(door: Door) -> Request:
    desk = door.gateway.desk
    assert desk is not None
    with trio.fail_after(60):
        while not (found := await desk.select()):
            await desk.changed(1)
    return found[0]


async def test_an_approved_statement_runs_while_its_client_waits(server: Server, door: Door) -> None:
    def work(connection: Any) -> int:
        with connection.cursor() as cursor:
            return int(cursor.execute("DELETE FROM people WHERE name LIKE 'B%'"))

    changed: list[int] = []

    async def client() -> None:
        changed.append(await door.run(work))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client)
        request = await the_request(door)
        assert request.facts.sql == "DELETE FROM people WHERE name LIKE 'B%'"
        assert names(server) == ["Ada", "Bo"]
        assert door.gateway.desk is not None
        await door.gateway.desk.approve(request.id, BOB, "fine")
    assert changed == [1]
    assert names(server) == ["Ada"]


async def test_a_denied_statement_is_an_error_and_has_not_run(server: Server, door: Door) -> None:
    def work(connection: Any) -> str:
        with connection.cursor() as cursor, pytest.raises(pymysql.err.MySQLError) as caught:
            cursor.execute("DELETE FROM people WHERE name LIKE 'B%'")
        return str(caught.value)

    said: list[str] = []

    async def client() -> None:
        said.append(await door.run(work))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client)
        request = await the_request(door)
        assert door.gateway.desk is not None
        await door.gateway.desk.deny(request.id, BOB, "not today")
    assert "not today" in said[0]
    assert names(server) == ["Ada", "Bo"]


async def test_a_held_execution_shows_its_values_long_data_included(server: Server, door: Door) -> None:
    mine = door.folder / "mine"
    mine.write_text(PASSWORD)
    through = Database("shop", Dialect.MYSQL, "127.0.0.1", door.port, "shop", "agent", Secret(file=mine), tls="disable")
    answers: list[bytes] = []
    execution = p.command(
        Command.STMT_EXECUTE, p.number(S) + b"\0" + p.number(1) + b"\0\1\xfc\0\x08\0" + p.number(1, 8)
    )

    async def client() -> None:
        async with a_client(through, NEW & ~Capability.MULTI_STATEMENTS) as raw:
            await raw.say(p.prepare("DELETE FROM people WHERE name <> ? OR id > ?"))
            answers.append(await raw.say(p.long_data(S, 0, b"A"), p.long_data(S, 0, b"da"), execution))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client)
        request = await the_request(door)
        assert request.facts.sql == "DELETE FROM people WHERE name <> ? OR id > ?"
        assert request.facts.parameters == ("Ada", "1")
        assert names(server) == ["Ada", "Bo"]
        assert door.gateway.desk is not None
        await door.gateway.desk.approve(request.id, BOB, "fine")
    assert answers[0][4] == 0
    assert names(server) == ["Ada"]


async def test_what_was_held_when_its_client_left_never_runs(server: Server, door: Door) -> None:
    def leave() -> Any:
        connection = connect(door.port)
        connection._execute_command(pymysql.constants.COMMAND.COM_QUERY, "DELETE FROM people WHERE name LIKE 'B%'")
        return connection

    connection = await trio.to_thread.run_sync(leave)
    request = await the_request(door)
    connection._force_close()
    desk = door.gateway.desk
    assert desk is not None
    with trio.fail_after(60):
        while (await desk.get(request.id)).state is State.PENDING:
            await desk.changed(1)
        while len(door.gateway.live):
            await trio.lowlevel.checkpoint()
    assert (await desk.get(request.id)).state is State.WITHDRAWN
    assert names(server) == ["Ada", "Bo"]


async def test_who_has_as_many_requests_as_may_be_open_is_told_how_one_is_closed(
    server: Server, tmp_path: Path
) -> None:
    def work(connection: Any) -> list[str]:
        said = []
        with connection.cursor() as cursor:
            for row in range(21):
                with pytest.raises(pymysql.err.MySQLError) as caught:
                    cursor.execute(f"DELETE FROM people WHERE id = {row}")
                said.append(str(caught.value))
        return said

    async with mysql_gateway(server, DBNAME, tmp_path, policy="agent-default", wait_s=0) as door:
        *held, refused = await door.run(work)
    assert all("is pending" in each for each in held)
    for word in ("20 of your requests wait", "approver approves or denies", "wireproxy approvals", "expires", "cancel"):
        assert word in refused
    assert refused.rstrip("')\"").endswith("needs no new place.")  # nothing was cut
    assert names(server) == ["Ada", "Bo"]
