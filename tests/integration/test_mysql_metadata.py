"""Descriptions of columns that a client does not want, or has already: the same bytes on both routes, and masks that hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from mysql.connector import connect as connect_in_c
from mysql.connector.constants import ClientFlag

from protocols.mysql.capabilities import Capability as C
from protocols.mysql.messages import Command
from tests.integration.mysql_gateway import PASSWORD, direct, in_a_thread
from tests.integration.mysql_plain import Plain, count_of, plain
from tests.integration.mysql_routes import Gateways, MySqlRoute
from tests.protocols import mysql_playbook as p
from tests.support.servers import Server

TABLE = (
    "CREATE TABLE people (id int PRIMARY KEY, name varchar(20), ssn varchar(20))",
    "INSERT INTO people VALUES (1, 'Ada', '078-05-1120'), (2, 'Bo', NULL)",
)
MASK = """
[[mask]]
column = "*.people.ssn"
masker = "redact"
"""
DBNAME = "wp_metadata"
NONE = p.query("SET resultset_metadata = NONE")
ALL = "SELECT id, name, ssn FROM people ORDER BY id"


def fill(server: Server, dbname: str) -> None:
    with direct(server, dbname) as connection, connection.cursor() as cursor:
        for statement in TABLE:
            cursor.execute(statement)


Step = bytes | Callable[[int], bytes]


def said(client: Plain, script: Sequence[Step]) -> list[list[bytes]]:
    """The answers; steps that are no bytes are given the number of the statement prepared last, which is no part of an answer."""
    answers = []
    number = 0
    for step in script:
        answer = client.say(step if isinstance(step, bytes) else step(number))
        if isinstance(step, bytes) and step[4] == Command.STMT_PREPARE and answer[0][0] == 0:
            number = int.from_bytes(answer[0][1:5], "little")
            answer[0] = answer[0][:1] + answer[0][5:]
        answers.append(answer)
    return answers


def executes(*values: bytes, types: Sequence[int] = (), cursor: int = 0) -> Step:
    return lambda number: p.execute(number, *values, types=types, cursor=cursor)


# -- MySQL


@pytest.mark.parametrize("eof", [C(0), C.DEPRECATE_EOF], ids=["eof", "deprecate-eof"])
def test_a_session_without_descriptions_is_the_same_directly_and_through(
    mysql_gateways: Gateways, mysql: Server, eof: C
) -> None:
    script = [
        p.query(ALL),
        NONE,
        p.query(ALL),
        p.query("SELECT 1; SELECT 2, 3; SET @x = 1; SELECT @x"),
        p.prepare("SELECT name, ? FROM people WHERE id = ?"),
        executes(p.text("x"), p.number(1, 8), types=(p.VAR_STRING, p.LONGLONG)),
        executes(p.text("y"), p.number(2, 8), types=(p.VAR_STRING, p.LONGLONG), cursor=1),
        p.fetch,
        p.query("SELECT broken FROM people"),
        p.query("SET resultset_metadata = FULL"),
        p.query(ALL),
        executes(p.text("x"), p.number(1, 8), types=(p.VAR_STRING, p.LONGLONG)),
        p.prepare("SELECT id FROM people"),
        NONE,
        p.query("CREATE PROCEDURE both_of() BEGIN SELECT 1; SELECT 'a', 'b'; END"),
        p.query("CALL both_of()"),
        p.command(Command.RESET_CONNECTION),
        p.query(ALL),
    ]
    answers = []
    for name in ("direct", "through"):
        route = mysql_gateways.route(name, "mysql", mysql)
        fill(mysql, route.dbname)
        with plain(route, C.OPTIONAL_METADATA | eof) as client:
            answers.append(said(client, script))
    assert answers[1] == answers[0]
    described, bare = answers[0][0], answers[0][2]
    assert (count_of(described[0]), count_of(bare[0])) == ((3, 1), (3, 0))
    assert len(described) == len(bare) + 3


def test_a_result_behind_the_change_in_one_text_passes_bare_where_nothing_is_masked(
    mysql_gateways: Gateways, mysql: Server
) -> None:
    answers = []
    for name in ("direct", "through"):
        route = mysql_gateways.route(name, "mysql", mysql)
        with plain(route, C.OPTIONAL_METADATA) as client:
            batch = p.query("SET resultset_metadata = NONE; SELECT 1 AS a")
            answers.append(said(client, [batch, p.query("SELECT 2 AS b"), p.query("SELECT 3 AS c")]))
    assert answers[1] == answers[0]
    assert count_of(answers[0][2][0]) == (1, 0)


@contextmanager
def masking(server: Server, folder: Path) -> Iterator[MySqlRoute]:
    """Through a gateway that masks."""
    with direct(server, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
    fill(server, DBNAME)
    with in_a_thread(server, DBNAME, folder, extra=MASK) as port:
        yield MySqlRoute("through", "", "127.0.0.1", port, "agent", PASSWORD, "shop", Path("none"), server)


def test_masks_hold_for_a_client_that_wants_no_descriptions(mysql: Server, tmp_path: Path) -> None:
    with masking(mysql, tmp_path) as route, plain(route, C.OPTIONAL_METADATA | C.DEPRECATE_EOF) as client:
        client.say(p.query("SELECT 1"))
        assert client.say(NONE)[0][0] == 0
        answer = client.say(p.query(ALL), least=4)
        assert count_of(answer[0]) == (3, 0)
        assert answer[1:3] == [p.row(b"1", b"Ada", b"***"), p.row(b"2", b"Bo", None)]
        answer = said(client, [p.prepare(ALL), executes()])[1]
        assert count_of(answer[0]) == (3, 0)
        assert answer[1] == p.binary_row(p.number(1), p.text("Ada"), p.text("***"))
        # and in the text that asks for it, where the gateway has no description to mask by, nothing comes
        answer = client.say(p.query("SET resultset_metadata = FULL; SET resultset_metadata = NONE; " + ALL))
        assert answer[-1][0] == 0xFF
        assert b"078" not in b"".join(answer)
        with pytest.raises(EOFError):
            client.say(p.query("SELECT 1"))


def test_tracking_that_a_client_turns_off_does_not_unmask(mysql: Server, tmp_path: Path) -> None:
    with masking(mysql, tmp_path) as route, plain(route, C.OPTIONAL_METADATA | C.DEPRECATE_EOF) as client:
        client.say(p.query("SET SESSION session_track_system_variables = ''"))
        client.say(NONE)
        try:
            answer = client.say(p.query(ALL))
        except EOFError:
            return
        assert not [packet for packet in answer if b"078" in packet]


@pytest.mark.parametrize("name", ["direct", "through"])
def test_the_connector_in_c_reads_results_without_descriptions(
    mysql_gateways: Gateways, mysql: Server, name: str
) -> None:
    """libmysqlclient, the client for which this is made."""
    route = mysql_gateways.route(name, "mysql", mysql)
    fill(mysql, route.dbname)
    connection = connect_in_c(
        host=route.host, port=route.port, user=route.user, password=route.password, database=route.dbname,
        use_pure=False, ssl_disabled=True, client_flags=[ClientFlag.PROTOCOL_41, C.OPTIONAL_METADATA.value],
    )  # fmt: skip
    try:
        with connection.cursor() as cursor:
            cursor.execute(ALL)
            assert cursor.fetchall() == [(1, "Ada", "078-05-1120"), (2, "Bo", None)]
            cursor.execute("SET resultset_metadata = NONE")
            cursor.execute("SET @left = 1")
            cursor.execute("SET resultset_metadata = FULL")
            cursor.execute("SELECT @left")
            assert cursor.fetchall() == [(1,)]
    finally:
        connection.close()


# -- MariaDB


def test_what_mariadb_does_not_describe_again_the_gateway_does_not_either(
    mysql_gateways: Gateways, mariadb: Server
) -> None:
    script = [
        p.prepare("SELECT id, name, ssn FROM people WHERE id = ?"),
        executes(p.number(1, 8), types=(p.LONGLONG,)),
        executes(p.number(2, 8), types=(p.LONGLONG,)),
        p.query(ALL),
        executes(p.number(1, 8), types=(p.LONGLONG,), cursor=1),
        p.fetch,
        p.reset,
        p.query("ALTER TABLE people MODIFY name varchar(40) NOT NULL"),
        executes(p.number(1, 8), types=(p.LONGLONG,)),
        executes(p.number(2, 8), types=(p.LONGLONG,)),
        p.query("CREATE PROCEDURE both_of() BEGIN SELECT 1; SELECT 'a', 'b'; END"),
        p.prepare("CALL both_of()"),
        executes(),
        executes(),
        p.prepare("SELECT 1 AS changes"),
        executes(),
    ]
    answers = []
    for name in ("direct", "through"):
        route = mysql_gateways.route(name, "mariadb", mariadb)
        fill(mariadb, route.dbname)
        with plain(route, C.CACHE_METADATA) as client:
            answers.append(said(client, script))
    assert answers[1] == answers[0]
    marks = [count_of(answers[0][place][0])[1] for place in (1, 2, 3, 4, 8, 9, 12, 15)]
    assert marks == [0, 0, 1, 1, 1, 0, 1, 0]


def test_masks_hold_for_a_client_that_has_the_descriptions_already(mariadb: Server, tmp_path: Path) -> None:
    with masking(mariadb, tmp_path) as route, plain(route, C.CACHE_METADATA) as client:
        number = int.from_bytes(client.say(p.prepare(ALL))[0][1:5], "little")
        for mark in (0, 0):
            answer = client.say(p.execute(number), least=5)
            assert count_of(answer[0]) == (3, mark)
            assert answer[2:4] == [
                p.binary_row(p.number(1), p.text("Ada"), p.text("***")),
                p.binary_row(p.number(2), p.text("Bo"), None),
            ]
        with direct(mariadb, DBNAME) as connection, connection.cursor() as cursor:
            cursor.execute("ALTER TABLE people MODIFY ssn varchar(30)")
            cursor.execute("ALTER TABLE people MODIFY id bigint")
        answer = client.say(p.execute(number), least=5)
        assert count_of(answer[0]) == (3, 1)
        assert answer[5] == p.binary_row(p.number(1, 8), p.text("Ada"), p.text("***"))
