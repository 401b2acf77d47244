"""Prepared statements, cursors, long data and bulk execution, as packets: the same from real servers, direct and through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from protocols.base import Forward, Question
from protocols.mysql.capabilities import Capability
from protocols.mysql.messages import Command
from protocols.mysql.relay import MySqlRelay
from rules.model import Dialect
from tests.integration.mysql_gateway import PASSWORD, direct, mysql_gateway
from tests.protocols import mysql_playbook as p
from tests.support.servers import Server
from wireproxy.config.model import Database, Secret
from wireproxy.mysql.namespace import setup
from wireproxy.mysql.upstream import MySqlUpstream, connect_mysql
from wireproxy.wire import READ_BYTES

DBNAME = "wp_wire_prepared"
S = 0x7A6B5C4D  # stands for the statement's number: MariaDB counts over all sessions
C = Capability
OLD = C.PROTOCOL_41 | C.TRANSACTIONS | C.MULTI_STATEMENTS | C.MULTI_RESULTS | C.PS_MULTI_RESULTS
NEW = OLD | C.DEPRECATE_EOF
TYPES = (
    "a tinyint, b smallint unsigned, c mediumint, d int, e bigint unsigned, f float, g double, h decimal(8,3), i date, j time(6),"
    " k datetime(6), l timestamp NULL, m year, n char(3), o varchar(20), p blob, q text, r enum('x','y'), s set('x','y'), t bit(9),"
    " u json"
)
VALUES = (
    "-1, 65535, -8388608, 7, 18446744073709551615, 1.5, -2.25, 12345.678, '2025-11-23', '-101:02:03.000004',"
    " '2025-11-23 10:11:12.000001', '2025-11-23 10:11:12', 2025, 'abc', 'Grüße', x'00ff', '', 'y', 'x,y', b'101010101',"
    " '{\"a\": 1}'"
)
SCHEMA = (
    "CREATE TABLE people (id int PRIMARY KEY, name varchar(80), note longtext)",
    "INSERT INTO people VALUES (1, 'Ada', NULL), (2, 'Grüße', ''), (3, 'Bo', 'x')",
    f"CREATE TABLE every_type ({TYPES})",
    f"INSERT INTO every_type VALUES ({VALUES})",
    f"INSERT INTO every_type VALUES ({', '.join(['NULL'] * 21)})",
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


class Raw:
    """Sends commands and gives their answers as packets; a relay that allows everything says where an answer ends."""

    def __init__(self, upstream: MySqlUpstream) -> None:
        self._wire = upstream.wire
        self._relay = MySqlRelay(None, upstream.capabilities, upstream.capabilities)
        self._number = b""

    async def say(self, *packets: bytes) -> bytes:
        for packet in packets:
            self._relay.feed_client(packet.replace(p.number(S), self._number) if self._number else packet)
        answer = await self._answer()
        if packets[0][4] != Command.STMT_PREPARE or answer[4]:
            return answer
        self._number = answer[5:9]
        return answer[:5] + p.number(S) + answer[9:]

    async def _answer(self) -> bytes:
        relay = self._relay
        answer = b""
        while True:
            while effects := relay.advance():
                for effect in effects:
                    if isinstance(effect, Question):
                        relay.decide(effect.ticket, Forward())
            await self._wire.send_all(b"".join(relay.take_for_server()))
            answer += b"".join(relay.take_for_client())
            if not relay.busy:
                return answer
            data = await self._wire.receive(READ_BYTES)
            assert data, "the connection was closed"
            relay.feed_server(data)


@asynccontextmanager
async def a_client(database: Database, flags: Capability) -> AsyncIterator[Raw]:
    upstream = await connect_mysql(database, flags)
    with upstream.wire:
        yield Raw(upstream)


async def both(server: Server, folder: Path, flags: Capability, script: list[tuple[bytes, ...]]) -> list[bytes]:
    """The answers to a script, once direct and once through the gateway; they must be equal."""
    mine, theirs = folder / "mine", folder / "theirs"
    mine.write_text(PASSWORD)
    theirs.write_text(server.password)
    to_server = Database(
        "shop", Dialect.MYSQL, server.host, server.port, DBNAME, server.user, Secret(file=theirs), tls="disable"
    )
    async with a_client(to_server, flags) as client:
        wanted = [await client.say(*packets) for packets in script]
    async with mysql_gateway(server, DBNAME, folder) as door:
        through = Database(
            "shop", Dialect.MYSQL, "127.0.0.1", door.port, "shop", "agent", Secret(file=mine), tls="disable"
        )
        async with a_client(through, flags) as client:
            got = [await client.say(*packets) for packets in script]
    assert got == wanted
    return got


FLAGS = pytest.mark.parametrize("flags", [OLD, NEW], ids=["eof", "deprecate-eof"])


@FLAGS
async def test_values_go_in_and_come_out_as_they_would(server: Server, tmp_path: Path, flags: Capability) -> None:
    answers = await both(
        server,
        tmp_path,
        flags,
        [
            (p.prepare("SELECT id, name FROM people WHERE id = ? OR name = ? ORDER BY id"),),
            (p.execute(S, p.number(1), p.text("Grüße"), types=(p.LONG, p.VAR_STRING)),),
            (p.execute(S, p.number(3), None, types=None),),
            (p.reset(S),),
            (p.close(S), p.query("SELECT 1")),
            (p.prepare("SELECT nothing FROM nowhere"),),
            (p.prepare("INSERT INTO people VALUES (?, 'x', 'y')"),),
            (p.command(Command.PING),),
            (p.query("SELECT 1; SELECT 2; SELECT nothing; SELECT 3"),),
        ],
    )
    assert "Grüße".encode() in answers[1]


@FLAGS
async def test_every_type_comes_in_binary(server: Server, tmp_path: Path, flags: Capability) -> None:
    answers = await both(
        server, tmp_path, flags, [(p.prepare("SELECT * FROM every_type"),), (p.execute(S),), (p.execute(S),)]
    )
    assert "Grüße".encode() in answers[1]


@FLAGS
async def test_a_cursor_gives_its_rows_in_portions(server: Server, tmp_path: Path, flags: Capability) -> None:
    answers = await both(
        server,
        tmp_path,
        flags,
        [
            (p.prepare("SELECT name FROM people ORDER BY id"),),
            (p.execute(S, cursor=1),),
            (p.fetch(S, 2),),
            (p.fetch(S, 2),),
            (p.close(S), p.command(Command.PING)),
        ],
    )
    assert b"Ada" not in answers[1]
    assert b"Ada" in answers[2]
    assert b"Bo" in answers[3]


@FLAGS
async def test_long_data_arrives_whole(server: Server, tmp_path: Path, flags: Capability) -> None:
    execution = p.command(Command.STMT_EXECUTE, p.number(S) + b"\0" + p.number(1) + b"\0\1\xfc\0")
    answers = await both(
        server,
        tmp_path,
        flags,
        [
            (p.prepare("UPDATE people SET note = ? WHERE id = 1"),),
            (p.long_data(S, 0, b"x" * 700_000), p.long_data(S, 0, b"y" * 9), execution),
            (p.query("SELECT LENGTH(note), RIGHT(note, 10) FROM people WHERE id = 1"),),
            (p.query("UPDATE people SET note = NULL WHERE id = 1"),),
        ],
    )
    assert b"700009" in answers[2]
    assert b"xyyyyyyyyy" in answers[2]


@FLAGS
async def test_an_execution_longer_than_is_kept_streams(server: Server, tmp_path: Path, flags: Capability) -> None:
    answers = await both(
        server,
        tmp_path,
        flags,
        [
            (p.prepare("SELECT LENGTH(?)"),),
            (p.execute(S, p.text("v" * 17_000_000)),),
            (p.execute(S, p.text("w" * 5), types=None),),
        ],
    )
    assert (17_000_000).to_bytes(4, "little") in answers[1]


@FLAGS
async def test_a_reset_connection_is_as_new_and_still_tells_its_settings(
    server: Server, tmp_path: Path, flags: Capability
) -> None:
    await both(
        server,
        tmp_path,
        flags,
        [
            (
                p.query(setup(Capability(0), read_only=False)[0].decode()),
            ),  # as the gateway does, so that as much is reported
            (p.query("SET sql_mode = 'ANSI_QUOTES'"),),
            (p.query('SELECT "name" FROM people WHERE "id" = 1'),),
            (p.command(Command.RESET_CONNECTION),),
            (p.query('SELECT "name" FROM people WHERE id = 1'),),
            (p.command(Command.INIT_DB, b"information_schema"),),
            (p.query("SELECT DATABASE()"),),
        ],
    )


async def test_mariadbs_bulk_execution_passes(mariadb: Server, tmp_path: Path) -> None:
    with direct(mariadb, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE DATABASE {DBNAME}")
        cursor.execute(f"CREATE TABLE {DBNAME}.bulk (id int, name varchar(9) DEFAULT 'none')")
    row = b"\0" + p.number(1) + b"\0" + p.text("a") + b"\0" + p.number(2) + b"\2" + b"\1" + b"\1"
    answers = await both(
        mariadb,
        tmp_path,
        NEW | C.BULK,
        [
            (p.prepare("INSERT INTO bulk VALUES (?, ?)"),),
            (p.bulk(S, 128, b"\x03\0\xfd\0" + row),),
            (p.query("SELECT * FROM bulk"),),
            (p.query("TRUNCATE bulk"),),
            (p.prepare("SELECT 1"), p.execute(0xFFFFFFFF)),
        ],
    )
    assert b"none" in answers[2]
    with direct(mariadb, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {DBNAME}")


async def test_rows_that_a_bulk_execution_returns_are_masked(mariadb: Server, tmp_path: Path) -> None:
    with direct(mariadb, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE DATABASE {DBNAME}")
        cursor.execute(f"CREATE TABLE {DBNAME}.bulk (id int AUTO_INCREMENT PRIMARY KEY, ssn varchar(20))")
    password = tmp_path / "mine"
    password.write_text(PASSWORD)
    mask = '[[mask]]\ncolumn = "*.bulk.ssn"\nmasker = "redact"'
    rows = b"\0" + p.text("900-11-1111") + b"\0" + p.text("900-22-2222")
    async with mysql_gateway(mariadb, DBNAME, tmp_path, extra=mask) as door:
        through = Database(
            "shop", Dialect.MYSQL, "127.0.0.1", door.port, "shop", "agent", Secret(file=password), tls="disable"
        )
        async with a_client(through, NEW | C.BULK) as client:
            await client.say(p.prepare("INSERT INTO bulk (ssn) VALUES (?) RETURNING id, ssn"))
            answer = await client.say(p.bulk(S, 128, b"\xfd\0" + rows))
    with direct(mariadb, DBNAME) as connection, connection.cursor() as cursor:
        assert cursor.execute("SELECT * FROM bulk") == 2
        cursor.execute(f"DROP DATABASE {DBNAME}")
    assert b"900-" not in answer
    assert p.binary_row(p.number(1), p.text("***")) in answer
    assert p.binary_row(p.number(2), p.text("***")) in answer
