"""MariaDB and MySQL: secrets in results that no rule masks are overwritten for real drivers and in the record, and counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from protocols.mysql.messages import Command
from rules.model import Dialect
from tests.integration.mysql_gateway import PASSWORD, Door, direct, mysql_gateway
from tests.integration.test_mysql_exemptions import told
from tests.integration.test_mysql_prepared import NEW, OLD, S, a_client
from tests.protocols import mysql_playbook as p
from tests.support.servers import Server
from wireproxy.config.model import Database, Secret

pytestmark = pytest.mark.integration
DBNAME = "wp_detection"
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
CARD = "4111 1111 1111 1111"
NOTE = f"use {AWS} (ann@shop.test, {CARD})"
HIDDEN = f"use {'*' * 20} (ann@shop.test, {CARD})"
COLUMNS = "v, t, b, c, j"
POLICY = """
[policy.careful]
pack = "agent-default"
detect = ["secrets", "cards", "emails"]
[policy.careless]
pack = "agent-default"
detect = []
"""


@pytest.fixture(params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found: Server = request.getfixturevalue(request.param)
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
        cursor.execute(
            f"CREATE TABLE {DBNAME}.notes (id int PRIMARY KEY, v varchar(200), t text, b blob, c char(120), j json, n bigint)"
        )
        for number in range(1, 301):
            row = (number, NOTE, NOTE, NOTE.encode(), NOTE, json.dumps({"k": NOTE}), 4111111111111111)
            cursor.execute(f"INSERT INTO {DBNAME}.notes VALUES (%s, %s, %s, %s, %s, %s, %s)", row)
    yield found
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")


def rows(connection: Any, text: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


async def test_the_shipped_pack_hides_secrets_and_nothing_else(server: Server, tmp_path: Path) -> None:
    async with mysql_gateway(server, DBNAME, tmp_path, policy="agent-default") as door:
        found = await door.run(lambda c: rows(c, f"SELECT id, {COLUMNS}, n FROM notes ORDER BY id"))
        assert len(found) == 300
        for number, row in enumerate(found, 1):
            assert (row[0], row[6]) == (number, 4111111111111111)
            assert (row[1], row[2], row[3], row[4]) == (HIDDEN, HIDDEN, HIDDEN.encode(), HIDDEN)
            assert json.loads(row[5]) == {"k": HIDDEN}
        long = await door.run(
            lambda c: rows(c, "SELECT concat(repeat('. ', 1000000), v, repeat(' .', 1000000)) FROM notes LIMIT 2")
        )
        assert [(HIDDEN in text, AWS in text, len(text)) for (text,) in long] == [
            (True, False, 4_000_000 + len(NOTE))
        ] * 2
        with pytest.raises(pymysql.err.MySQLError) as caught:
            await door.run(lambda c: rows(c, "SELECT extractvalue('<a/>', concat('/ ', v)) FROM notes"))
        assert AWS not in str(caught.value)


@pytest.mark.parametrize("flags", [OLD, NEW], ids=["eof", "deprecate-eof"])
async def test_prepared_statements_and_cursors_are_looked_at(server: Server, tmp_path: Path, flags: Any) -> None:
    mine = tmp_path / "mine"
    mine.write_text(PASSWORD)
    async with mysql_gateway(server, DBNAME, tmp_path, policy="agent-default") as door:
        through = Database(
            "shop", Dialect.MYSQL, "127.0.0.1", door.port, "shop", "agent", Secret(file=mine), tls="disable"
        )
        async with a_client(through, flags) as client:
            await client.say(p.prepare(f"SELECT id, {COLUMNS}, n FROM notes WHERE id <= ? ORDER BY id"))
            run = await client.say(p.execute(S, p.number(20), types=(p.LONG,)))
            opened = await client.say(p.execute(S, p.number(20), types=(p.LONG,), cursor=1))
            fetched = await client.say(p.fetch(S, 7))
        assert int(Command.STMT_FETCH) == 28
    for answer, count in ((run, 20), (fetched, 7)):
        assert AWS.encode() not in answer
        assert answer.count(HIDDEN.encode()) == 5 * count
    assert AWS.encode() not in opened


async def test_a_policy_says_what_is_looked_for(server: Server, tmp_path: Path) -> None:
    careful, careless = tmp_path / "careful", tmp_path / "careless"
    for folder in (careful, careless):
        folder.mkdir()
    async with mysql_gateway(server, DBNAME, careful, policy="careful", extra=POLICY) as door:
        ((value, number),) = await door.run(lambda c: rows(c, "SELECT v, n FROM notes WHERE id = 1"))
        assert (value, number) == (f"use {'*' * 20} (***@****.****, 0000 0000 0000 0000)", 4111111111111111)
    async with mysql_gateway(server, DBNAME, careless, policy="careless", extra=POLICY) as door:
        assert await door.run(lambda c: rows(c, "SELECT v FROM notes WHERE id = 1")) == ((NOTE,),)


async def test_what_is_found_is_counted_in_the_log_and_never_recorded(server: Server, tmp_path: Path) -> None:
    async with mysql_gateway(server, DBNAME, tmp_path, policy="agent-default") as door:
        await door.run(lambda c: rows(c, "SELECT v FROM notes"))
        records = await replayed(door)
    assert sum(int(each["detail"]["aws-key"]) for each in records if each.get("name") == "detected") == 300
    assert AWS not in json.dumps(records)
    assert "use *****" in json.dumps(records)


async def replayed(door: Door) -> list[Any]:
    session = json.loads((await told(door, "sessions", "--json")).stdout.strip().splitlines()[-1])["session"]
    shown = (await told(door, "replay", session, "--json")).stdout
    return [json.loads(line) for line in shown.splitlines()]
