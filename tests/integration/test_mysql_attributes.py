"""Query attributes of MySQL's own clients: read by the server as ever, shown to approvers, recorded, and bound to an approval."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio
from mysql.connector import connect as connector
from mysql.connector.errors import Error

from protocols.mysql.capabilities import Capability as C
from tests.integration.mysql_gateway import PASSWORD, Door, direct, mysql_gateway
from tests.integration.mysql_plain import plain
from tests.integration.mysql_routes import Gateways, MySqlRoute
from tests.integration.test_mysql_exemptions import told
from tests.integration.test_mysql_holding import BOB, the_request
from tests.protocols import mysql_playbook as p
from tests.support import programs
from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.servers import Server
from wireproxy.store.model import State

DBNAME = "wp_attributes"
COMPONENT = "file://component_query_attributes"
READ = "SELECT mysql_query_attribute_string('trace'), mysql_query_attribute_string('n')"
DELETE = "DELETE FROM people WHERE name LIKE 'B%'"


@pytest.fixture(scope="module")
def server(mysql: Server) -> Iterator[Server]:
    with closing(direct(mysql, "mysql")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM component WHERE component_urn = %s", (COMPONENT,))
        if cursor.fetchone() == (0,):
            cursor.execute(f"INSTALL COMPONENT '{COMPONENT}'")
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
        cursor.execute(f"CREATE TABLE {DBNAME}.people (id int PRIMARY KEY, name varchar(80))")
        cursor.execute(f"INSERT INTO {DBNAME}.people VALUES (1, 'Ada'), (2, 'Bo')")
        cursor.execute(f"CREATE TABLE {DBNAME}.notes (what varchar(80))")
        cursor.execute(f"CREATE VIEW {DBNAME}.seen AS SELECT 2 AS id")
    yield mysql
    with closing(direct(mysql, "mysql")) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {DBNAME}")


@pytest.fixture(params=["direct", "through"])
def route(request: pytest.FixtureRequest, mysql_gateways: Gateways, server: Server) -> MySqlRoute:
    return mysql_gateways.route(request.param, "mysql", server)


def test_the_mysql_client_sends_attributes_that_the_server_reads(route: MySqlRoute) -> None:
    tool = programs.mysql_tools()
    script = f"query_attributes trace 00-ab n 5;\n{READ};\n{READ};\n"
    done = subprocess.run(
        [
            *tool.command, "--no-defaults", f"--ssl-ca={route.ca}", f"-h{route.host}", f"-P{route.port}", f"-u{route.user}",
            "--commands", "--named-commands", "-N", route.dbname,
        ],
        input=script, capture_output=True, text=True, timeout=60, env={**os.environ, "MYSQL_PWD": route.password},
    )  # fmt: skip
    assert not done.returncode, done.stderr
    assert done.stdout.splitlines() == ["00-ab\t5", "NULL\tNULL"]


@pytest.mark.parametrize("pure", [True, False], ids=["pure", "c"])
def test_the_connector_sends_attributes_with_texts_and_with_executions(route: MySqlRoute, pure: bool) -> None:
    tls = {"ssl_ca": str(route.ca)}
    with closing(_connect(route.host, route.port, route.user, route.password, route.dbname, pure, **tls)) as connection:
        for prepared in (False, True):
            with connection.cursor(prepared=prepared) as cursor:
                cursor.add_attribute("trace", "00-Grüße")
                cursor.add_attribute("n", -5)
                cursor.execute(READ)
                assert cursor.fetchall() == [("00-Grüße", "-5")]
                cursor.execute(f"{READ}, %s, %s", (7, None))
                assert cursor.fetchall() == [("00-Grüße", "-5", 7, None)]
                cursor.clear_attributes()
                cursor.execute(READ)
                assert cursor.fetchall() == [(None, None)]


def _connect(host: str, port: int, user: str, password: str, database: str, pure: bool, **tls: Any) -> Any:
    return connector(
        host=host, port=port, user=user, password=password, database=database, use_pure=pure, charset="utf8mb4",
        autocommit=True, **tls,
    )  # fmt: skip


def test_bytes_of_attributes_in_any_form_are_answered_alike(mysql_gateways: Gateways, server: Server) -> None:
    attributes = [
        ("trace", p.VAR_STRING, p.text("x")),
        ("n", p.LONGLONG | p.UNSIGNED, b"\xff" * 8),
        ("f", p.DOUBLE, b"\0\0\0\0\0\0\xf8\x3f"),
        ("d", p.DATETIME, b"\x07\xea\x07\x0b\x1b\x0d\x05\x33"),
        ("t", p.TIME, b"\x08\x01\x01\0\0\0\x02\x03\x04"),
        ("trace", p.VAR_STRING, p.text("the second of the same name")),
        ("none", p.VAR_STRING, None),
    ]
    names = ", ".join(f"mysql_query_attribute_string('{name}')" for name, _, _ in attributes)
    answers = []
    for name in ("direct", "through"):
        with plain(mysql_gateways.route(name, "mysql", server), C.QUERY_ATTRIBUTES | C.DEPRECATE_EOF) as client:
            said = [client.say(p.query_with(f"SELECT {names}", *attributes), least=9)]
            said.append(client.say(p.prepare(f"SELECT ?, {names}"), least=9))
            number = int.from_bytes(said[1][0][1:5], "little")
            value = ("who", p.VAR_STRING, p.text("y"))
            for flags in (8, 0, 9):
                said.append(client.say(p.execute_with(number, value, *attributes, flags=flags), least=3))
            said.append(client.say(p.fetch(number)))
            said.append(client.say(p.prepare("SELECT mysql_query_attribute_string('trace')")))
            number = int.from_bytes(said[-1][0][1:5], "little")
            for flags in (8, 0):
                said.append(client.say(p.execute_with(number, *attributes, flags=flags)))
            answers.append([[each for each in answer if each[:1] != b"\0" or len(each) != 12] for answer in said])
    assert answers[1] == answers[0]
    assert b"18446744073709551615" in b"".join(answers[0][0])


def test_a_value_that_would_move_the_beginning_of_the_text_never_arrives(
    mysql_gateways: Gateways, server: Server
) -> None:
    """MySQL reads an INT24 as a string: of what looks like `SELECT 1` to whoever takes four bytes, it would run the rest."""
    hidden = "DROP TABLE IF EXISTS gone"
    trick = p.query_with(hidden, ("n", 9, b"\7\0\0\0SEL "))
    with plain(mysql_gateways.route("through", "mysql", server), C.QUERY_ATTRIBUTES) as client:
        answer = client.say(trick)
        assert answer[0][0] == 0xFF
        with pytest.raises((EOFError, OSError)):
            client.say(p.query_with("SELECT 1"))


# -- held


@pytest.fixture
async def door(server: Server, tmp_path: Path) -> Any:
    async with mysql_gateway(server, DBNAME, tmp_path, policy="agent-default", wait_s=0.2) as found:
        await found.run(lambda _: None)  # PyMySQL brings the password without TLS; from then on a proof is enough
        yield found


def run(door: Door, text: str, **attributes: object) -> str:
    """What came of it, with these attributes; each call is a session."""
    with (
        closing(_connect("127.0.0.1", door.port, "agent", PASSWORD, "shop", False, ssl_disabled=True)) as connection,
        connection.cursor() as cursor,
    ):
        for name, value in attributes.items():
            cursor.add_attribute(name, value)
        try:
            cursor.execute(text)
            return str(cursor.fetchall() if cursor.with_rows else cursor.rowcount)
        except Error as error:
            return str(error.msg)


async def test_an_approval_is_good_for_the_attributes_that_were_shown(door: Door, server: Server) -> None:
    in_thread = trio.to_thread.run_sync
    assert "pending" in await in_thread(lambda: run(door, DELETE, trace="00-ab", password="hunter2"))
    request = await the_request(door)
    assert request.facts.attributes == (("trace", "00-ab"), ("password", "[redacted]"))
    desk = door.gateway.desk
    assert desk is not None
    await desk.approve(request.id, BOB, "fine")
    # other values, other names, none: each is another request
    for other in ({"trace": "00-ac", "password": "hunter2"}, {"trace": "00-ab", "other": "hunter2"}, {}):
        assert "pending" in await in_thread(lambda given=other: run(door, DELETE, **given))
    assert (await desk.get(request.id)).state is State.APPROVED
    assert await in_thread(lambda: run(door, DELETE, trace="00-ab", password="hunter2")) == "1"
    assert (await desk.get(request.id)).state is State.USED
    with closing(direct(server, DBNAME)) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO people VALUES (2, 'Bo')")


async def test_a_statement_that_reads_attributes_is_held_shown_and_recorded_with_them(door: Door) -> None:
    text = "SELECT mysql_query_attribute_string('trace')"
    given = {"trace": "00-ab", "token": "s3cret", "n": 5}
    assert "pending" in await trio.to_thread.run_sync(lambda: run(door, text, **given))
    request = await the_request(door)
    shown = (await told(door, "show", request.id)).stdout
    assert "trace = '00-ab'" in shown
    assert "n = '5'" in shown
    assert "s3cret" not in shown
    assert (await told(door, "approve", request.id)).returncode == 0
    assert await trio.to_thread.run_sync(lambda: run(door, text, **given)) == "[('00-ab',)]"
    with trio.fail_after(60):
        while len(door.gateway.live):
            await trio.lowlevel.checkpoint()
    session = json.loads((await told(door, "sessions", "--json")).stdout.splitlines()[-1])["session"]
    exported = await told(door, "export", session)
    records = [json.loads(line) for line in exported.stdout.splitlines()]
    (statement,) = [each for each in records if each.get("text") == text]
    assert statement["attributes"] == [["trace", "00-ab"], ["token", "[redacted]"], ["n", "5"]]
    assert statement["redacted"]
    assert "trace = 00-ab" in (await told(door, "replay", session)).stdout
    assert "attribute" in (await told(door, "search", "00-ab")).stdout


async def test_a_dry_run_that_would_lack_the_attributes_of_a_view_is_not_made(door: Door) -> None:
    for text, attributes, status, word in (
        ("DELETE FROM people WHERE id IN (SELECT id FROM seen)", {"n": 1}, 1, "query attributes"),
        ("DELETE FROM people WHERE id IN (SELECT id FROM seen)", {}, 0, "DELETE 1"),
        (DELETE, {"n": 1}, 0, "DELETE 1"),
    ):
        said = await trio.to_thread.run_sync(lambda text=text, given=attributes: run(door, text, **given))
        (request,) = re.findall("request (wp-[0-9a-f]+)", said)
        done = await told(door, "preview", request)
        assert done.returncode == status
        assert word in done.stdout + done.stderr


@pytest.mark.parametrize("prepared", [False, True], ids=["text", "prepared"])
def test_a_target_that_knows_no_attributes_is_sent_the_statement_alone(
    mariadb: Server, mysql: Server, tmp_path: Path, prepared: bool
) -> None:
    """With targets of both kinds, the gateway looks like MySQL to everybody."""
    other = f"""
[database.other]
dialect = "mysql"
host = "{mysql.host}"
port = {mysql.port}
dbname = "mysql"
user = "{mysql.user}"
password = {{ file = "{tmp_path}/other" }}
tls = "disable"
policy = "allow-all"
"""
    secret = tmp_path / "other"
    secret.touch(mode=0o600)
    secret.write_text(mysql.password)
    plan = GatewayPlan(server=mariadb, dialect="mysql", dbname="test", extra=other)
    with running_gateway(plan, tmp_path / "gateway") as gateway:
        gateway.mysql().close()  # the password is known from then on, and a proof is enough
        with (
            closing(
                _connect("127.0.0.1", gateway.port, "agent", "agent-secret", "test", False, ssl_disabled=True)
            ) as connection,
            connection.cursor(prepared=prepared) as cursor,
        ):
            cursor.add_attribute("trace", "00-ab")
            for value in (7, 8):
                cursor.execute("SELECT %s, 1", (value,))
                assert cursor.fetchall() == [(value, 1)]
        sessions = [json.loads(line) for line in gateway.cli("sessions", "--json").stdout.splitlines()]
        exported = gateway.cli("export", sessions[-1]["session"]).stdout
        assert '"attributes": [["trace", "00-ab"]]' in exported


def test_beside_masks_what_writes_an_attribute_is_held(server: Server, tmp_path: Path) -> None:
    """docs/limitations.md has it: what the function gives may be anything, a mask on its way back too."""
    plan = GatewayPlan(server, DBNAME, masks={"*.people.name": "pseudonym"}, dialect="mysql", wait_s=0)
    with running_gateway(plan, tmp_path) as gateway:
        gateway.mysql().close()  # the password is known from then on, and a proof is enough
        with (
            closing(
                _connect("127.0.0.1", gateway.port, "agent", "agent-secret", DBNAME, False, ssl_disabled=True)
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.add_attribute("n", "a note")
            for values in ("people VALUES (7, {})", "notes VALUES ({})"):
                with pytest.raises(Error, match="pending"):
                    cursor.execute("INSERT INTO " + values.format("mysql_query_attribute_string('n')"))
            cursor.execute("INSERT INTO notes VALUES ('a note')")
