"""PyMySQL against real servers, direct and through the gateway: the same values, the same errors; and what a policy does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import trio
import trustme

from tests.integration.mysql_gateway import Door, connect, direct, mysql_gateway
from tests.support.servers import Server
from wireproxy.log.reader import Walk, find_logs

DBNAME = "wp_wire_through"
SCHEMA = (
    "CREATE TABLE people (id int PRIMARY KEY AUTO_INCREMENT, name varchar(80), born date, height decimal(5,2), note text)",
    "INSERT INTO people (name, born, height, note) VALUES ('Ada', '1815-12-10', 1.65, NULL), ('Grüße', NULL, NULL, '')",
    "CREATE PROCEDURE both_ways() BEGIN SELECT 1 AS first; SELECT name FROM people ORDER BY id; END",
)


@pytest.fixture(params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found: Server = request.getfixturevalue(request.param)
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
    with direct(found, DBNAME) as connection, connection.cursor() as cursor:
        for text in SCHEMA:
            cursor.execute(text)
    yield found
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")


@pytest.fixture
async def door(server: Server, tmp_path: Path) -> AsyncIterator[Door]:
    async with mysql_gateway(server, DBNAME, tmp_path) as found:
        yield found


def rows(connection: Any, text: str, *values: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text, values or None)
        return cursor.fetchall()


def error_of(connection: Any, text: str) -> Any:
    with pytest.raises(pymysql.err.MySQLError) as caught:
        rows(connection, text)
    return type(caught.value), caught.value.args


def reads_values(connection: Any) -> Any:
    return rows(connection, "SELECT * FROM people ORDER BY id")


def asks_with_values(connection: Any) -> Any:
    return rows(connection, "SELECT id FROM people WHERE name = %s", "Grüße")


def fails(connection: Any) -> Any:
    found = [
        error_of(connection, text)
        for text in ("SELECT * FROM nowhere", "SELEC 1", "INSERT INTO people (id) VALUES (1)")
    ]
    return found, rows(connection, "SELECT 1")


def runs_a_transaction(connection: Any) -> Any:
    connection.begin()
    with connection.cursor() as cursor:
        changed = cursor.execute("UPDATE people SET note = 'x'")
    seen = rows(connection, "SELECT note FROM people")
    connection.rollback()
    return changed, seen, rows(connection, "SELECT note FROM people ORDER BY id")


def counts_changes(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO people (id, name) VALUES (100, 'x'), (101, 'y')")
        first = cursor.rowcount, cursor.lastrowid
        cursor.execute("DELETE FROM people WHERE id >= 100")
        return first, cursor.rowcount


def takes_many_rows(connection: Any) -> Any:
    text = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i, REPEAT('x', 100) FROM n"
    return rows(connection, text)


def takes_a_long_value(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT REPEAT('z', 16777300)")
        ((value,),) = cursor.fetchall()
    return len(value), rows(connection, "SELECT 2")


def calls_a_procedure(connection: Any) -> Any:
    found = []
    with connection.cursor() as cursor:
        cursor.execute("CALL both_ways()")
        found.append(cursor.fetchall())
        while cursor.nextset():
            found.append(cursor.fetchall())
    return found


def streams_rows(connection: Any) -> Any:
    with connection.cursor(pymysql.cursors.SSCursor) as cursor:
        cursor.execute("SELECT id, name FROM people ORDER BY id")
        return list(cursor)


def moves_about(connection: Any) -> Any:
    connection.select_db("information_schema")
    elsewhere = rows(connection, "SELECT DATABASE()")
    rows(connection, f"USE {DBNAME}")
    connection.ping(reconnect=False)
    return elsewhere, rows(connection, "SELECT DATABASE()")


def changes_how_text_is_read(connection: Any) -> Any:
    rows(connection, "SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')")
    first = rows(connection, 'SELECT "name" FROM people WHERE id = 1')
    rows(connection, "SET sql_mode = ''")
    return first, rows(connection, 'SELECT "name"')


def prepares_in_sql(connection: Any) -> Any:
    rows(connection, "PREPARE s FROM 'SELECT name FROM people WHERE id = ?'")
    rows(connection, "SET @i = 1")
    found = rows(connection, "EXECUTE s USING @i")
    rows(connection, "DEALLOCATE PREPARE s")
    return found, error_of(connection, "EXECUTE s USING @i")


SCRIPTS = (
    reads_values, asks_with_values, fails, runs_a_transaction, counts_changes, takes_many_rows, calls_a_procedure,
    streams_rows, moves_about, changes_how_text_is_read, prepares_in_sql, takes_a_long_value,
)  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
async def test_a_driver_sees_the_same_through_the_gateway(
    server: Server, door: Door, script: Callable[[Any], Any]
) -> None:
    with direct(server, DBNAME) as connection:
        wanted = script(connection)
    assert await door.run(script) == wanted


async def test_several_statements_in_one_text_are_judged_and_run(door: Door) -> None:
    def work(connection: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1; SELECT 2")
            first = cursor.fetchall()
            cursor.nextset()
            return first, cursor.fetchall()

    flag = pymysql.constants.CLIENT.MULTI_STATEMENTS
    assert await door.run(work, client_flag=flag) == (((1,),), ((2,),))


async def test_a_file_of_the_client_goes_up_where_everything_is_allowed(door: Door, tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("loaded\n")

    def work(connection: Any) -> Any:
        rows(connection, f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE people (name)")
        return rows(connection, "SELECT COUNT(*) FROM people WHERE name = 'loaded'")

    assert await door.run(work, local_infile=True) == ((1,),)


@pytest.mark.parametrize(
    "options",
    [{"password": "wrong"}, {"user": "nobody"}, {"password": ""}, {"database": "nowhere"}],
    ids=str,
)
async def test_who_may_not_come_in_is_told_so_in_mysqls_words(door: Door, options: dict[str, Any]) -> None:
    def work() -> Any:
        with pytest.raises(pymysql.err.OperationalError) as caught:
            connect(door.port, **options)
        return caught.value.args[0]

    assert await trio.to_thread.run_sync(work) in (1045, 1049)


async def test_the_second_login_is_the_fast_one_and_tls_carries_the_first(server: Server, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    chain, key, trusted = tmp_path / "crt.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    key.chmod(0o600)
    authority.cert_pem.write_to_path(str(trusted))
    async with mysql_gateway(server, DBNAME, tmp_path, tls=(chain, key)) as door:
        for _ in range(2):
            options = {"ssl_disabled": False, "ssl_ca": str(trusted), "ssl_verify_cert": True}
            assert await door.run(lambda c: rows(c, "SELECT 1"), **options) == ((1,),)


# -- what a policy does


async def test_a_refusal_is_an_ordinary_error_and_the_session_lives_on(server: Server, tmp_path: Path) -> None:
    async with mysql_gateway(server, DBNAME, tmp_path, policy="read-only") as door:

        def work(connection: Any) -> Any:
            return error_of(connection, "DROP TABLE people"), rows(connection, "SELECT COUNT(*) FROM people")

        (kind, arguments), counted = await door.run(work)
    assert kind is pymysql.err.OperationalError or issubclass(kind, pymysql.err.MySQLError)
    assert arguments[0] == 1142
    assert "wireproxy" in arguments[1]
    assert counted == ((2,),)


async def test_a_held_statement_that_nobody_approves_has_not_run(server: Server, tmp_path: Path) -> None:
    async with mysql_gateway(server, DBNAME, tmp_path, policy="agent-default") as door:

        def work(connection: Any) -> Any:
            return error_of(connection, "DELETE FROM people"), rows(connection, "SELECT COUNT(*) FROM people")

        (_, arguments), counted = await door.run(work)
    assert "is pending" in arguments[1]
    assert "wireproxy approve" in arguments[1]
    assert counted == ((2,),)


async def test_what_a_session_did_is_in_its_log(door: Door) -> None:
    await door.run(lambda c: rows(c, "SELECT name FROM people ORDER BY id"))
    with trio.fail_after(60):
        while len(door.gateway.live):
            await trio.lowlevel.checkpoint()
    logs = [list(Walk(names)) for names in find_logs(door.folder / "sessions")]
    (log,) = [log for log in logs if any(b"SELECT name FROM people" in text_of(met) for met in log)]
    shown = [row for met in log for row in rows_of(met)]
    assert b"\x03Ada" in b"".join(shown)


def text_of(met: object) -> bytes:
    return bytes(getattr(getattr(met, "record", None), "text", b""))


def rows_of(met: object) -> list[bytes]:
    record = getattr(met, "record", None)
    return [bytes(record.frames)] if hasattr(record, "frames") else []


async def test_masks_that_come_with_a_reload_hold_for_sessions_that_are_open(server: Server, tmp_path: Path) -> None:
    async with mysql_gateway(server, DBNAME, tmp_path) as door:
        connection = await trio.to_thread.run_sync(connect, door.port)
        assert await trio.to_thread.run_sync(rows, connection, "SELECT name FROM people WHERE id = 1") == (("Ada",),)
        with (tmp_path / "wireproxy.toml").open("a") as file:
            file.write('[[mask]]\ncolumn = "*.people.name"\nmasker = "redact"\n')
        await door.gateway.reload()
        assert await trio.to_thread.run_sync(rows, connection, "SELECT name FROM people WHERE id = 1") == (("***",),)


async def test_a_text_prepared_in_one_database_is_not_judged_as_one_of_another(server: Server, tmp_path: Path) -> None:
    """It would delete where it was prepared, and be shown where the session has moved to."""
    async with mysql_gateway(server, DBNAME, tmp_path, policy="agent-default") as door:

        def work(connection: Any) -> Any:
            rows(connection, "PREPARE s FROM 'SELECT name FROM people WHERE id = 1'")
            first = rows(connection, "EXECUTE s")
            connection.select_db("information_schema")
            return first, error_of(connection, "EXECUTE s")

        first, (_, arguments) = await door.run(work)
    assert first == (("Ada",),)
    assert "wireproxy" in arguments[1]


async def test_a_query_whose_client_hung_up_is_ended(server: Server, door: Door) -> None:
    def leave() -> None:
        connection = connect(door.port)
        connection._execute_command(pymysql.constants.COMMAND.COM_QUERY, "SELECT SLEEP(100), 'wp_wire_left'")
        connection._force_close()

    def running() -> int:
        with direct(server, "mysql") as connection:
            text = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(100), %'"
            return int(rows(connection, text)[0][0])

    await trio.to_thread.run_sync(leave)
    with trio.fail_after(60):
        while len(door.gateway.live) or await trio.to_thread.run_sync(running):
            await trio.lowlevel.checkpoint()
