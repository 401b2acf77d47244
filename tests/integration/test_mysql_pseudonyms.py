"""MariaDB and MySQL: what was read as a pseudonym can be asked for again, and what it stands for is nowhere to be seen."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import trio
from pymysql.constants import CLIENT

from protocols.mysql.capabilities import Capability
from rules.model import Dialect
from tests.integration.mysql_gateway import PASSWORD, connect, direct, in_a_thread
from tests.integration.test_mysql_prepared import NEW, OLD, S, a_client
from tests.integration.wiretap import Wiretap, tapped
from tests.protocols import mysql_playbook as p
from tests.support.servers import Server
from wireproxy.config.model import Database, Secret

pytestmark = pytest.mark.integration
DBNAME = "wp_pseudonyms"
SCHEMA = (
    "CREATE TABLE people (id int PRIMARY KEY, name varchar(80), ssn varchar(60), mail varchar(80), tag char(20), code int)",
    "CREATE TABLE visits (id int PRIMARY KEY, ssn varchar(60) CHARACTER SET latin1, place varchar(20))",
    "CREATE VIEW seen AS SELECT id AS n, ssn AS number FROM people",
)
MASKS = """
[[mask]]
column = "*.ssn"
masker = "pseudonym"
[[mask]]
column = "*.people.mail"
masker = "pseudonym"
argument = "email"
[[mask]]
column = "*.people.tag"
masker = "pseudonym"
"""
CANARIES = (b"canary", b"63616e617279", b"Y2FuYXJ5", b"yranac")


def made(found: Server) -> Iterator[Server]:
    """The server with the tables of these tests."""
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {DBNAME}")
        for text in SCHEMA:
            cursor.execute(text)
        for number in range(1, 7):
            row = (
                number,
                f"name{number}",
                f"canaryssn{number}",
                f"canary{number}@shop.test",
                f"canarytag{number}",
                number,
            )
            cursor.execute("INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s)", row)
            cursor.execute("INSERT INTO visits VALUES (%s, %s, %s)", (number, f"canaryssn{number}", f"place{number}"))
        cursor.execute("INSERT INTO people VALUES (7, 'Ö', %s, NULL, NULL, 7)", ("canary\\é'7",))
        cursor.execute("INSERT INTO visits VALUES (7, %s, 'place7')", ("canary\\é'7",))
    yield found
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")


@pytest.fixture(params=["mariadb", "mysql"], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    yield from made(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def tap(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiretap]:
    folder = tmp_path_factory.mktemp("pseudonyms")
    with in_a_thread(server, DBNAME, folder, extra=MASKS, wait_s=0.01) as port, tapped("127.0.0.1", port) as found:
        yield found


@pytest.fixture
def agent(tap: Wiretap) -> Iterator[Any]:
    with connect(tap.port, client_flag=CLIENT.MULTI_STATEMENTS) as connection:
        tap.take()
        yield connection
        heard = tap.take().lower()
        assert [canary for canary in CANARIES if canary.lower() in heard] == []


def rows(connection: Any, text: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return list(cursor.fetchall())


def answers(connection: Any, text: str) -> list[Any]:
    """Every result, or the error."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
            found = [cursor.fetchall()]
            while cursor.nextset():
                found.append(cursor.fetchall())
            return found
    except pymysql.err.MySQLError as error:
        return [error]


def token(connection: Any, number: int = 3, column: str = "ssn") -> str:
    ((found,),) = rows(connection, f"SELECT {column} FROM people WHERE id = {number}")
    assert found.startswith("wp_")
    return str(found)


@pytest.mark.parametrize("mode", ["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"])
@pytest.mark.parametrize("charset", ["utf8mb4", "latin1"])
@pytest.mark.parametrize("column", ["ssn", "mail", "tag"])
def test_a_pseudonym_in_the_text_finds_its_row(agent: Any, mode: str, charset: str, column: str) -> None:
    rows(agent, f"SET SESSION sql_mode = '{mode}', NAMES {charset}")
    for number in (3, 7) if column == "ssn" else (3,):
        value = token(agent, number, column)
        for text in (
            f"SELECT id FROM people WHERE {column} = '{value}'",
            f"SELECT 'é', x.id FROM people x WHERE x.{column} IN ('{value}', 'no') AND id > 0",
            f"SELECT id FROM (SELECT id, {column} AS q FROM people) s WHERE '{value}' = q",
            f"SELECT id FROM people WHERE (id, {column}) = ({number}, '{value}')",
            f"WITH a AS (SELECT * FROM people) SELECT id FROM a WHERE {column} <=> '{value}'",
        ):
            assert [each[-1] for each in rows(agent, text)] == [number], text
        assert rows(agent, f"SELECT COUNT(*) FROM people WHERE {column} <> '{value}'") == [
            (6 if column == "ssn" else 5,)
        ]


def test_a_pseudonym_joins_with_other_tables_and_through_views(agent: Any) -> None:
    for number in (3, 7):
        value = token(agent, number)
        assert rows(agent, f"SELECT place FROM visits WHERE ssn = '{value}'") == [(f"place{number}",)]
        assert rows(agent, f"SELECT number, n FROM seen WHERE number = '{value}'") == [(value, number)]
        joined = f"SELECT v.place, p.ssn FROM people p JOIN visits v ON v.ssn = p.ssn WHERE v.ssn = '{value}'"
        assert rows(agent, joined) == [(f"place{number}", value)]
    batch = f"SELECT id FROM people WHERE ssn = '{value}'; SELECT place FROM visits WHERE ssn = '{value}'"
    assert answers(agent, batch) == [((7,),), (("place7",),)]


def test_a_pseudonym_in_a_statement_inside_of_another_finds_its_row(agent: Any) -> None:
    mariadb = "MariaDB" in str(rows(agent, "SELECT VERSION()"))
    for mode in ("", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"):
        rows(agent, f"SET SESSION sql_mode = '{mode}'")
        for number in (3, 7):
            value = token(agent, number)
            rows(agent, f"PREPARE s FROM 'SELECT ''it''''s'', id FROM people WHERE ssn = ''{value}'''")
            for _ in range(2):
                assert rows(agent, "EXECUTE s") == [("it's", number)]
            rows(agent, f"SET @found = (SELECT max(id) FROM people WHERE ssn = '{value}')")
            assert rows(agent, "SELECT @found") == [(number,)]
            assert len(rows(agent, f"EXPLAIN SELECT id FROM people WHERE ssn = '{value}'")) == 1
            if mariadb:
                immediate = f"EXECUTE IMMEDIATE 'SELECT id FROM people WHERE ssn = ''{value}'''"
                assert rows(agent, immediate) == [(number,)]
                limited = f"SET STATEMENT max_statement_time = 9 FOR SELECT id FROM people WHERE ssn = '{value}'"
                assert rows(agent, limited) == [(number,)]
    for held in (
        "SET @x = '{T}'",
        "CREATE VIEW told AS SELECT id FROM people WHERE ssn = '{T}'",
        "SELECT id FROM people WHERE ssn = @x",
        "CALL nowhere('{T}')",
    ):
        with pytest.raises(pymysql.err.MySQLError, match="pseudonym"):
            rows(agent, held.replace("{T}", value))
    rows(agent, "SET @x = 'plain'")
    rows(agent, "PREPARE s FROM 'SELECT id FROM people WHERE ssn = ?'")
    with pytest.raises(pymysql.err.MySQLError, match="variable"):
        rows(agent, "EXECUTE s USING @x")


@pytest.mark.parametrize("flags", [OLD, NEW], ids=["eof", "deprecate-eof"])
@pytest.mark.parametrize("kind", [253, 254, 252])
async def test_a_bound_pseudonym_finds_its_row(tap: Wiretap, tmp_path: Path, flags: Capability, kind: int) -> None:
    mine = tmp_path / "mine"
    mine.write_text(PASSWORD)
    through = Database("shop", Dialect.MYSQL, "127.0.0.1", tap.port, "shop", "agent", Secret(file=mine), tls="disable")

    def found() -> dict[int, str]:
        with connect(tap.port) as connection:
            return {number: token(connection, number) for number in (3, 7)}

    tokens = await trio.to_thread.run_sync(found)
    tap.take()
    async with a_client(through, flags) as client:
        await client.say(p.prepare("SELECT ? AS mine, concat('row', id) AS which FROM people WHERE id > ? AND ssn = ?"))
        for turn, (number, value) in itertools.product(range(2), tokens.items()):
            values = (p.text("own"), p.number(0), p.text(value))
            types = None if turn else (253, p.LONG, kind)  # the second time the types are known
            assert f"row{number}".encode() in await client.say(p.execute(S, *values, types=types))
            plain = p.execute(S, p.text("wp_"), p.number(0), p.text("none"), types=None)
            assert b"row" not in await client.say(plain)
            opened = p.execute(S, *values, types=None, cursor=1)
            assert f"row{number}".encode() in await client.say(opened) + await client.say(p.fetch(S))
            # long data of the value that is translated, in pieces, and of one that is not
            cut = len(value) // 2
            pieces = [p.long_data(S, 2, value[:cut].encode()), p.long_data(S, 2, value[cut:].encode())]
            long = p.execute(S, p.text("x"), p.number(0), b"", types=(253, p.LONG, kind))
            assert f"row{number}".encode() in await client.say(*pieces, long)
            both = [p.long_data(S, 0, b"l" * 9), *pieces]
            answer = await client.say(*both, p.execute(S, b"", p.number(0), b"", types=(253, p.LONG, kind)))
            assert f"row{number}".encode() in answer
            assert b"l" * 9 in answer
            await client.say(p.execute(S, *values, types=(253, p.LONG, kind)))
    heard = tap.take().lower()
    assert [canary for canary in CANARIES if canary.lower() in heard] == []


# each is sent behind a statement in which a pseudonym was translated; {T} is that pseudonym
ATTEMPTS = [
    "SELECT ssn = '{T}' FROM people",
    "SELECT IF(ssn = '{T}', 1, 0) FROM people",
    "SELECT * FROM (SELECT CASE ssn WHEN '{T}' THEN 1 END FROM people) x",
    "SELECT (SELECT name FROM people WHERE ssn = '{T}')",
    "SELECT (SELECT name FROM people WHERE ssn = '{T}') AS x, '{T}' AS y",
    "SELECT '{T}' AS y, id FROM people WHERE ssn = '{T}'",
    "SELECT id FROM people WHERE ssn = '{T}' AND name = '{T}'",
    "SELECT id, concat('{T}', '') FROM people WHERE ssn = '{T}'",
    "SELECT id FROM people WHERE ssn = '{T}' HAVING concat('{T}', id) IS NOT NULL",
    "SELECT id FROM people WHERE ssn = concat('{T}', '')",
    "SELECT id FROM people WHERE ssn LIKE '{T}%'",
    "SELECT id FROM people WHERE ssn = '{T}' AND ssn LIKE 'canary%'",
    "SELECT substr('{T}', 1, 3), length('{T}')",
    "SELECT id FROM people WHERE ssn = '{T}' AND extractvalue('<a/>', concat('~', name))",
    "SELECT id FROM people WHERE ssn = '{T}' AND (SELECT 1 UNION SELECT 2)",
    "SELECT id FROM people WHERE ssn = '{T}' AND name + 1 > 0; SHOW WARNINGS",
    "SELECT id FROM people WHERE ssn = '{T}' AND cast(name AS date) IS NULL; SHOW WARNINGS",
    "SELECT id FROM people WHERE ssn = '{T}' AND nowhere = 1",
    "SELECT id FROM people WHERE ssn = '{T}' AND exp(id + 1000) > 0",
    "SELECT id FROM people WHERE ssn = '{T}' COLLATE latin1_bin",
    "SELECT id FROM people WHERE ssn = '{T}' GROUP BY name",
    "SELECT id FROM people, visits WHERE people.ssn = '{T}'",
    "SET @x = '{T}'; SELECT @x",
    "SELECT @x := (ssn = '{T}') FROM people; SELECT @x",
    "SELECT id INTO @x FROM people WHERE ssn = '{T}'; SELECT @x",
    "SET @x = (SELECT name FROM people WHERE ssn = '{T}'); SELECT @x",
    "PREPARE s FROM 'SELECT id FROM people WHERE ssn = ''{T}'''; EXECUTE s",
    "SET @x = '{T}'; PREPARE s FROM 'SELECT id, ? FROM people WHERE ssn = ?'; EXECUTE s USING @x, @x",
    "EXECUTE IMMEDIATE 'SELECT id FROM people WHERE ssn = ''{T}'''",
    "PREPARE s FROM 'SELECT ssn = ''{T}'' FROM people'; EXECUTE s",
    "PREPARE s FROM 'SELECT nowhere FROM people WHERE ssn = ''{T}'''; SHOW WARNINGS",
    "PREPARE s FROM 'SELECT id FROM people WHERE ssn = ''{T}'' AND extractvalue(''<a/>'', concat(''~'', name))'; EXECUTE s",
    "PREPARE s FROM 'SELECT id FROM people WHERE ssn = ''{T}'''; SELECT * FROM performance_schema.prepared_statements_instances",
    "PREPARE s FROM 'EXPLAIN SELECT id FROM people WHERE ssn = ''{T}'''; EXECUTE s; SHOW WARNINGS",
    "PREPARE s FROM 'SET @x = (SELECT ssn FROM people WHERE ssn = ''{T}'')'; EXECUTE s; SELECT @x",
    "SET @x = (SELECT ssn FROM people WHERE ssn = '{T}'); SELECT @x",
    "SET @x = (SELECT concat(id, '{T}') FROM people WHERE ssn = '{T}'); SELECT @x",
    "DO (SELECT id FROM people WHERE ssn = '{T}' AND name + 1 > 0); SHOW WARNINGS",
    "EXPLAIN FORMAT=TREE SELECT id FROM people WHERE ssn = '{T}' AND name > ''",
    "EXPLAIN EXTENDED SELECT name, '{T}' FROM people WHERE ssn = '{T}'; SHOW WARNINGS",
    "EXPLAIN PARTITIONS SELECT * FROM seen WHERE number = '{T}'; SHOW WARNINGS",
    "SET STATEMENT optimizer_trace = 'enabled=on' FOR SELECT id FROM people WHERE ssn = '{T}';"
    " SELECT * FROM information_schema.OPTIMIZER_TRACE",
    "EXPLAIN SELECT id FROM people WHERE ssn = '{T}'; SHOW WARNINGS",
    "EXPLAIN FORMAT=JSON SELECT id FROM people WHERE ssn = '{T}'",
    "EXPLAIN ANALYZE SELECT id FROM people WHERE ssn = '{T}'",
    "ANALYZE FORMAT=JSON SELECT id FROM people WHERE ssn = '{T}'",
    "CREATE VIEW told AS SELECT id FROM people WHERE ssn = '{T}'; SHOW CREATE VIEW told; DROP VIEW IF EXISTS told",
    "CREATE TABLE told AS SELECT ssn = '{T}' FROM people; SHOW CREATE TABLE told; DROP TABLE IF EXISTS told",
    "INSERT INTO visits VALUES (99, '{T}', 'x')",
    "INSERT INTO visits (id, place) SELECT 99, left('{T}', 9) FROM people WHERE ssn = '{T}'",
    "UPDATE visits SET place = 'x' WHERE ssn = '{T}'",
    "SHOW FULL PROCESSLIST",
    "SHOW PROFILES",
    "SHOW ENGINE INNODB STATUS",
    "SELECT * FROM information_schema.PROCESSLIST",
    "SELECT * FROM information_schema.PROFILING",
    "SELECT * FROM information_schema.OPTIMIZER_TRACE",
    "SELECT * FROM information_schema.INNODB_TRX",
    "SELECT * FROM performance_schema.events_statements_current",
    "SELECT * FROM performance_schema.events_statements_history",
    "SELECT * FROM performance_schema.events_statements_summary_by_digest",
    "SELECT * FROM performance_schema.prepared_statements_instances",
    "SELECT * FROM performance_schema.threads",
    "SELECT * FROM performance_schema.processlist",
    "SELECT * FROM sys.session",
    "SELECT * FROM sys.processlist",
    "SELECT * FROM sys.statement_analysis",
    "SELECT * FROM mysql.general_log",
    "SELECT * FROM mysql.slow_log",
    "SHOW BINLOG EVENTS",
    "GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT; SELECT @m",
]


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_what_a_pseudonym_stands_for_is_never_heard(agent: Any, attempt: str) -> None:
    """The fixture looks at every byte that came."""
    value = token(agent)
    for setting in ("SET profiling = 1", "SET optimizer_trace = 'enabled=on'"):
        answers(agent, setting)
    found = rows(agent, f"SELECT id FROM people WHERE ssn = '{value}'")
    assert found == [(3,)]
    answers(agent, attempt.replace("{T}", value))
    agent.ping(reconnect=False)


def test_what_is_sent_would_be_shown_directly(server: Server) -> None:
    """The servers name columns by it, and print it: the attempts above are not vain."""
    with direct(server, DBNAME) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ssn = 'canaryssn3' FROM people")
        assert "canaryssn3" in str(cursor.description)
        cursor.execute("SELECT INFO FROM information_schema.PROCESSLIST WHERE 'canaryssn3' <> ''")
        assert "canaryssn3" in str(cursor.fetchall())
