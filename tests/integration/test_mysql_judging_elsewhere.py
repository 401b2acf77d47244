"""On MySQL's port too: the worst texts make nobody wait but who sends them, and a long text is read like any other."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import trio

from tests.integration.mysql_gateway import Door, direct, mysql_gateway
from tests.support.servers import Server

DBNAME = "wireproxy_elsewhere"
WORST = {
    "operands": "SELECT 1" + "+1" * 5_900,
    "more operands": "SELECT 1" + "+1" * 200_000,
    "relations": "SELECT 1 FROM t" + ",t" * 2_900,
    "alternatives": "DELETE FROM t WHERE " + " OR ".join(["id = 1"] * 1_400),
    "statements": "SELECT 1;" * 490,
    "brackets": "SELECT " + "(" * 100_000 + "1",
    "rows": "INSERT INTO t VALUES " + ",".join(f"({number})" for number in range(9_000)),
    "negations": "SELECT " + "NOT " * 1_400 + "1",
    "one long word": "SELECT '" + "x" * 500_000 + "'",
    "secrets": "SELECT 'password " + "x', 'y" * 100_000 + "'",
}
NOBODY_WAITS_S = 0.4
ROUNDS = 4


@pytest.fixture
async def door(mariadb: Server, tmp_path: Path) -> AsyncIterator[Door]:
    with direct(mariadb, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME}")
        cursor.execute(f"CREATE TABLE {DBNAME}.t (id int)")
    async with mysql_gateway(mariadb, DBNAME, tmp_path, policy="agent-default", wait_s=0.1) as found:
        yield found
    with direct(mariadb, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")


async def test_others_do_not_wait_while_worst_cases_are_judged(door: Door) -> None:
    """In the gateway's process somebody would wait in each round; a machine that stands still does not do so in all."""
    rounds = []
    for number in range(ROUNDS):
        took = await waits(door, number)
        if took[-1] < NOBODY_WAITS_S:
            return
        rounds.append(f"median {took[len(took) // 2]:.4f} s, longest {took[-5:]}")
    raise AssertionError(rounds)


async def waits(door: Door, number: int) -> list[float]:
    """How long the statements of another took, in seconds, while each of the worst texts was judged; the longest last."""
    stop = threading.Event()
    answered: dict[str, int] = {}
    took: list[float] = []

    def attack(connection: Any) -> None:
        for name, text in WORST.items():
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"{text} -- {number}")  # a text that is new each time
                    while cursor.nextset():
                        pass
                answered[name] = 0
            except pymysql.err.MySQLError as error:
                answered[name] = int(error.args[0])
        stop.set()

    def ask(connection: Any) -> None:
        deadline = time.monotonic() + 45
        while time.monotonic() < deadline and not stop.is_set():
            started = time.monotonic()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                assert cursor.fetchall() == ((1,),)
            took.append(time.monotonic() - started)
            stop.wait(0.01)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: door.run(attack, client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS))
        nursery.start_soon(lambda: door.run(ask))
    assert set(answered) == set(WORST), "each was answered, and the attacker's session went on"
    return sorted(took)


async def test_a_long_statement_that_is_fine_passes(door: Door) -> None:
    text = "SELECT " + ",".join(f"{number} AS c{number}" for number in range(400))

    def work(connection: Any) -> None:
        for _ in range(2):
            with connection.cursor() as cursor:
                cursor.execute(text)
                assert cursor.fetchall() == (tuple(range(400)),)

    await door.run(work)


@pytest.mark.parametrize("padding", [20_000, 700_000])
async def test_a_long_kill_is_a_kill(door: Door, padding: int) -> None:
    """However long the comment is: somebody else's connection is not ended, whatever the policy says of it."""

    def work(connection: Any) -> None:
        with connection.cursor() as cursor:
            for text in (f"/* {'x' * padding} */ KILL 1", f"KILL 1 /* {'x' * padding} */"):
                with pytest.raises(pymysql.err.MySQLError):
                    cursor.execute(text)
            cursor.execute(f"SELECT 'kill' /* {'x' * padding} */")
            assert cursor.fetchall() == (("kill",),)

    await door.run(work)
