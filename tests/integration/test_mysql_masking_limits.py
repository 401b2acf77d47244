"""What masking in MariaDB and MySQL is known not to hold, shown. Each is a row of docs/limitations.md, which names the test.

When one of these fails, something holds better than the register says: take the row out, and turn the test round.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pymysql
import pytest

from tests.integration import mysql_gateway as gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "wp_masking_limits"
SCHEMA = (
    "CREATE TABLE people (id int PRIMARY KEY, name varchar(40), ssn varchar(40) DEFAULT 'canarydefault')",
    "INSERT INTO people VALUES (1, 'name1', 'canary1'), (2, 'name2', 'canary2'), (3, 'name3', 'canary1')",
    "CREATE TABLE notes (id int PRIMARY KEY, label varchar(40))",
    "INSERT INTO notes VALUES (1, 'note1')",
    "CREATE PROCEDURE branches() READS SQL DATA BEGIN IF 1 THEN SELECT label FROM notes; END IF;"
    " SELECT COUNT(*) FROM people; END",
    "CREATE PROCEDURE keeps() READS SQL DATA BEGIN DECLARE n varchar(40);"
    " SELECT ssn INTO n FROM people WHERE id = 1; SELECT label FROM notes; END",
)
MASKS = f"\n[[mask]]\ncolumn = '{DBNAME}.people.ssn'\nmasker = 'redact'\n"


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def agent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    server: Server = request.getfixturevalue(request.param)
    with closing(gateway.direct(server, "mysql")) as admin, admin.cursor() as cursor:
        for statement in (f"DROP DATABASE IF EXISTS {DBNAME}", f"CREATE DATABASE {DBNAME}", f"USE {DBNAME}", *SCHEMA):
            cursor.execute(statement)
        with (
            gateway.in_a_thread(server, DBNAME, tmp_path_factory.mktemp("limits"), wait_s=0.01, extra=MASKS) as port,
            closing(gateway.connect(port)) as connection,
        ):
            yield connection
        cursor.execute(f"DROP DATABASE {DBNAME}")


def rows(connection: Any, sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def test_equality_and_counts_tell_something_in_mysql_too(agent: Any) -> None:
    guesses = ", ".join(f"'canary{number}'" for number in range(1000))
    assert rows(agent, f"SELECT id, ssn FROM people WHERE id = 1 AND ssn IN ({guesses})") == [(1, "***")]
    assert rows(agent, "SELECT COUNT(ssn) FROM people WHERE ssn = 'canary1'") == [(2,)]


def test_the_default_of_a_masked_column_is_a_definition(agent: Any) -> None:
    assert "canarydefault" in str(rows(agent, "SHOW CREATE TABLE people"))


def test_a_routine_with_branches_or_variables_is_masked_whole_or_held(agent: Any) -> None:
    assert rows(agent, "CALL branches()") == [("***",)], "a note, which no rule names"
    with pytest.raises(pymysql.err.OperationalError, match="pending"):
        rows(agent, "CALL keeps()")
