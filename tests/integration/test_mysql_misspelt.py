"""What MySQL and MariaDB take for a mistake is answered by their own error beside masks, and not held for people to look at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.integration.mysql_gateway import Door, direct, mysql_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "wp_misspelt"
MASKS = """
[[mask]]
column = "*.customers.ssn"
masker = "redact"
"""
LONG = "'abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz'"
MISTAKES = [
    "SELEC 1",
    "SELECT id FROM customers WHERE",
    "SELECT id frm customers",
    "SELECT id FROM customers WHERE name ILIKE 'a%'",
    f"SELECT id FROM customers WHERE name == = {LONG} AND id = 4 ORDER BY id",
    "SELECT id::text FROM customers;",
    "SELECT count(*) FILTER (WHERE id > 1) FROM customers",
    "SELECT 'abc FROM customers",
    "SELECT ssn, nofunc(1) FROM customers",
    "SELECT ssn FROM custommers",
    "INSERT INTO customers (nam) VALUES (1)",
    "UPDATE customers SET nam = upper(ssn)",
    "SELECT upper(ssn) FROM customers UNION SELECT 1, 2",
    "SELECT nam FROM (SELECT ssn FROM customers) x ORDER BY ssn",
]
HELD = [
    "SELECT id FROM customers ORDER BY ssn",
    "SELECT ssn FROM customers ORDER BY ssn; SELEC 1",  # the first of them would run
    "INSERT INTO notes SELECT ssn FROM customers",
    "UPDATE customers SET name = ssn",
    "SELECT keeps(1)",
    "SELECT keeps(1) FROM customers WHERE ssn > 'a'",
]


@pytest.fixture(params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found: Server = request.getfixturevalue(request.param)
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {DBNAME}")
        cursor.execute("CREATE TABLE customers (id int PRIMARY KEY, name varchar(40), ssn varchar(20))")
        cursor.execute("INSERT INTO customers VALUES (1, 'Ann', 'canary')")
        cursor.execute("CREATE TABLE notes (note varchar(40)) ENGINE=MyISAM")
        cursor.execute(
            "CREATE FUNCTION keeps(n int) RETURNS int DETERMINISTIC BEGIN INSERT INTO notes VALUES ('ran'); RETURN n; END"
        )
    yield found
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")


@pytest.fixture
async def door(server: Server, tmp_path: Path) -> AsyncIterator[Door]:
    async with mysql_gateway(server, DBNAME, tmp_path, policy="agent-default", extra=MASKS, wait_s=0.01) as door:
        yield door


def told(connection: Any, text: str) -> tuple[object, ...]:
    with pytest.raises(pymysql.Error) as failed, connection.cursor() as cursor:
        cursor.execute(text)
    return failed.value.args


async def test_it_is_the_servers_own_error(server: Server, door: Door) -> None:
    with direct(server, DBNAME) as connection:
        expected = [told(connection, text) for text in MISTAKES]
    assert await door.run(lambda connection: [told(connection, text) for text in MISTAKES]) == expected

    def goes_on(connection: Any) -> object:
        told(connection, MISTAKES[0])
        with connection.cursor() as cursor:
            cursor.execute("SELECT ssn FROM customers")
            return cursor.fetchall()

    assert await door.run(goes_on) == (("***",),)


async def test_what_is_no_mistake_is_held_and_nothing_of_it_ran(server: Server, door: Door) -> None:
    multi = pymysql.constants.CLIENT.MULTI_STATEMENTS
    found = await door.run(lambda connection: [told(connection, text) for text in HELD], client_flag=multi)
    assert all("pending, held by" in str(message) for _, message in found), found
    with direct(server, DBNAME) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM notes), name FROM customers")
        assert cursor.fetchall() == ((0, "Ann"),)
