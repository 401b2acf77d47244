"""Names that the server takes for one, and that look like two: whoever finds such a pair reads one and is masked by the other.

MySQL and MariaDB compare some names by case and some not, each in its own way; MySQL makes a question mark of each character that
needs four bytes; and names of prepared statements are compared by a collation, to which `é` is `e` and `ß` is `s`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.integration.mysql_gateway import Door, direct, mysql_gateway
from tests.support.servers import Server

DBNAME = "wp_names"
SECRET = "123-45-6789"
MASKS = """
[[mask]]
column = "*.customers.ssn"
masker = "redact"
"""
NAME, NUMBER = "SELECT name AS x FROM customers", "SELECT ssn AS x FROM customers"

# (a name outside, a name inside, the one that is asked for): what is outside is not masked, what is inside is
PAIRS = [("a", "A"), ("A", "a"), ("`é`", "`É`"), ("`İ`", "`i`"), ("`😁`", "`?`"), ("`?`", "`😁`"), ("`K`", "`k`")]
FORMS = (
    f"WITH {{0}} AS ({NAME}) SELECT * FROM (WITH {{1}} AS ({NUMBER}) SELECT concat(x, '') FROM {{0}}) t",
    f"WITH {{0}} AS ({NAME}) SELECT * FROM (WITH {{1}} AS ({NUMBER}) SELECT x, concat(x, '') FROM {{1}}) t",
    f"SELECT (SELECT concat({{0}}.x, '') FROM ({NUMBER}) {{1}} LIMIT 1) FROM ({NAME}) {{0}}",
    "SELECT (SELECT concat({0}, '') FROM (SELECT ssn AS {1} FROM customers) t) FROM (SELECT name AS {0} FROM customers) u",
)
NESTED = [
    *(form.format(*pair) for form in FORMS for pair in PAIRS),
    *(FORMS[3].format("`?`", name) for name in ("'😁'", '"😁"')),
]
PREPARED = [("e", "é"), ("s", "ß"), ("a", "a "), ("i", "ı"), ("?", "😁"), ("a", "A")]


@pytest.fixture(params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found: Server = request.getfixturevalue(request.param)
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
        cursor.execute(f"CREATE TABLE {DBNAME}.customers (id int PRIMARY KEY, name varchar(40), ssn varchar(20))")
        cursor.execute(f"INSERT INTO {DBNAME}.customers VALUES (1, 'Ann', '{SECRET}')")
    yield found
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")


@pytest.fixture(params=["agent-default", "allow-all"])
async def door(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> AsyncIterator[Door]:
    async with mysql_gateway(server, DBNAME, tmp_path, policy=request.param, extra=MASKS, wait_s=0.01) as door:
        yield door


def heard(connection: Any, text: str) -> str:
    with connection.cursor() as cursor:
        try:
            cursor.execute(text)
        except pymysql.Error as error:
            return str(error)
        return str(cursor.fetchall())


async def test_a_name_that_the_server_finds_nearer_is_masked(door: Door) -> None:
    def ask(connection: Any) -> list[str]:
        return [text for text in NESTED if SECRET in heard(connection, text)]

    assert await door.run(ask) == []


async def test_a_prepared_statement_whose_name_is_that_of_another_is_masked(door: Door) -> None:
    def ask(connection: Any) -> list[str]:
        found = []
        for known, other in PREPARED:
            for text in (
                f"PREPARE `{known}` FROM 'SELECT 1'",
                f"PREPARE `{other}` FROM 'SELECT concat(ssn, 1) FROM customers'",
                f"EXECUTE `{known}`",
                f"EXECUTE `{other}`",
                f"DEALLOCATE PREPARE `{other}`",
            ):
                if SECRET in heard(connection, text):
                    found.append(f"{known} {other} {text}")
        return found

    assert await door.run(ask) == []


async def test_names_that_are_beyond_doubt_are_not_masked(door: Door) -> None:
    def ask(connection: Any) -> None:
        assert "Ann" in heard(connection, "WITH `é` AS (SELECT name AS `ß` FROM customers) SELECT `ß`, '😁' FROM `é`")
        assert heard(connection, "PREPARE my_name FROM 'SELECT name FROM customers'") == "[]"
        assert "Ann" in heard(connection, "EXECUTE MY_NAME")

    await door.run(ask)
