"""Whatever changes how text is read is known before the next statement is judged, by whichever road it changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
import pytest
import trio

from rules.model import Namespace
from tests.integration.mysql_gateway import Door, direct, mysql_gateway
from tests.support.servers import Server

DBNAME, OTHER = "wp_state", "wp_state_other"


@pytest.fixture(params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    with closing(direct(found, "mysql")) as connection, connection.cursor() as cursor:
        for name in (DBNAME, OTHER):
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute(f"CREATE DATABASE {name}")
        cursor.execute(f"CREATE PROCEDURE {DBNAME}.moves() SET SESSION sql_mode = 'ANSI_QUOTES', NAMES latin1")
        cursor.execute(
            f"CREATE PROCEDURE {DBNAME}.half() BEGIN SET sql_mode = 'ANSI_QUOTES'; SELECT * FROM nowhere; END"
        )
    return found


@pytest.fixture
async def door(server: Server, tmp_path: Path) -> AsyncIterator[Door]:
    async with mysql_gateway(server, DBNAME, tmp_path) as found:
        yield found


ANSI = "sql_mode = 'ANSI_QUOTES'"
ROADS = {
    "set": [f"SET {ANSI}"],
    "set session": [f"SET @@SESSION.{ANSI}"],
    "from a variable": ["SET @m = 'ANSI_QUOTES'", "SET sql_mode = @m"],
    "execute": [f'PREPARE s FROM "SET {ANSI}"', "EXECUTE s"],
    "execute of a variable": [f'SET @t = "SET {ANSI}"', "PREPARE s FROM @t", "EXECUTE s"],
    "in a batch": [f"SELECT 1; SET {ANSI}; SELECT 2"],
    "a batch that fails later": [f"SET {ANSI}; SELECT * FROM nowhere"],
    "procedure": ["CALL moves()"],
    "a procedure that fails later": ["CALL half()"],
}


@pytest.mark.parametrize("road", sorted(ROADS))
async def test_a_change_of_sql_mode_is_known_before_the_next_statement(door: Door, road: str) -> None:
    def go(connection: Any) -> tuple[Namespace, tuple[str, str]]:
        for text in ROADS[road]:
            run(connection, text)
        known = state(door)
        return known, run(connection, "SELECT @@sql_mode, @@character_set_client")[0]

    found, (sql_mode, charset) = await door.run(go, client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS)
    assert (found.sql_mode, found.charset) == (frozenset(filter(None, sql_mode.split(","))), charset)
    assert found.lexing_known
    assert "ANSI_QUOTES" in sql_mode or "procedure" in road  # servers take back what a routine does to it


@pytest.mark.parametrize(
    ("texts", "charset"),
    [
        (["SET NAMES latin1"], "latin1"),
        (["SET NAMES latin1", "SET NAMES DEFAULT"], None),
        (["SET CHARACTER SET latin1"], "latin1"),
        (["SET character_set_client = latin1"], "latin1"),
        (["PREPARE s FROM 'SET NAMES latin1'", "EXECUTE s"], "latin1"),
        (["SET NAMES latin1", "SET character_set_client = DEFAULT"], None),
    ],
)
async def test_a_change_of_the_character_set_is_known(
    door: Door, server: Server, texts: list[str], charset: str | None
) -> None:
    def go(connection: Any) -> tuple[Namespace, str]:
        for text in texts:
            run(connection, text)
        return state(door), str(run(connection, "SELECT @@character_set_client")[0][0])

    found, said = await door.run(go)
    assert found.charset == said
    if charset is not None:
        assert said == charset


@pytest.mark.parametrize(
    "texts", [[f"USE {OTHER}"], [f"PREPARE s FROM 'USE {OTHER}'", "EXECUTE s"], ["SELECT 1", "init_db"]]
)
async def test_a_change_of_the_database_is_known(door: Door, texts: list[str]) -> None:
    def go(connection: Any) -> Namespace | None:
        for text in texts:
            if text == "init_db":
                connection.select_db(OTHER)
                continue
            try:
                run(connection, text)
            except pymysql.err.Error:
                return None  # MySQL does not prepare USE
        return state(door)

    found = await door.run(go)
    assert found is None or found.database == OTHER


def run(connection: Any, text: str) -> Any:
    with connection.cursor() as cursor:
        try:
            cursor.execute(text)
            while cursor.nextset():
                pass
            return cursor.fetchall()
        except pymysql.err.ProgrammingError as error:
            assert error.args[0] == 1146  # noqa: PT017  the failure that the text is made for
            return ()


def state(door: Door) -> Namespace:
    """As the gateway would judge the next statement."""
    (live,) = door.gateway.live
    found: Namespace = trio.from_thread.run_sync(lambda: live.session.namespace.current)
    return found
