"""What an approver learns of a held statement's effect: the optimizer's estimate, and a try that is rolled back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mysql.connector
import pymysql
import pytest

from protocols.mysql.capabilities import Capability
from rules.model import Dialect
from tests.integration.mysql_gateway import PASSWORD, direct
from tests.integration.test_mysql_prepared import NEW, S, a_client
from tests.protocols import mysql_playbook as p
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server
from wireproxy.config.model import Database, Secret

DBNAME = "wp_previews"
POLICY = """
[policy.mine]
pack = "agent-default"
[[policy.mine.rule]]
name = "few"
action = "hold"
maximum_rows = 10
when = { kinds = ["delete"], relations = ["*.few"] }
"""


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    with closing(direct(found, "mysql")) as connection, connection.cursor() as cursor:
        for text in (
            f"DROP DATABASE IF EXISTS {DBNAME}",
            f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
            f"USE {DBNAME}",
            "CREATE TABLE orders (id int PRIMARY KEY, note varchar(20), KEY (note)) ENGINE=InnoDB",
            "CREATE TABLE few LIKE orders",
            "CREATE TABLE plain (id int) ENGINE=MyISAM",
            "CREATE TABLE watched LIKE orders",
            "CREATE TRIGGER w BEFORE DELETE ON watched FOR EACH ROW SET @gone = OLD.id",
        ):
            cursor.execute(text)
        for table in ("orders", "few", "watched"):
            cursor.executemany(
                f"INSERT INTO {table} VALUES (%s, %s)", [(n, "Grüße" if n % 10 == 0 else "x") for n in range(1, 201)]
            )
            cursor.execute(f"ANALYZE TABLE {table}")
            cursor.fetchall()
    return found


@pytest.fixture(autouse=True)
def nothing_waits(gateway: Gateway) -> Iterator[None]:
    """Whatever a test leaves behind is denied."""
    yield
    for line in gateway.cli("approvals", "--json").stdout.splitlines():
        gateway.cli("deny", json.loads(line)["id"], "--reason", "test")


@pytest.fixture(scope="module")
def gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    plan = GatewayPlan(server=server, dialect="mysql", dbname=DBNAME, policy="mine", wait_s=0.1, extra=POLICY)
    with running_gateway(plan, tmp_path_factory.mktemp("previews")) as gateway:
        gateway.mysql().close()  # after a first login the connector needs neither TLS nor the gateway's key
        yield gateway


def hold(gateway: Gateway, text: str, *before: str) -> dict[str, Any]:
    """The request that comes of a text."""
    with closing(gateway.mysql()) as agent:
        for each in before:
            agent.query(each)
        with pytest.raises(pymysql.err.Error):
            agent.query(text)
    return newest(gateway)


def newest(gateway: Gateway) -> dict[str, Any]:
    lines = gateway.cli("approvals", "--json").stdout.splitlines()
    found: dict[str, Any] = json.loads(lines[0])
    assert len(lines) == 1
    return found


def preview(gateway: Gateway, request: dict[str, Any]) -> tuple[int, str]:
    done = gateway.cli("preview", str(request["id"]))
    return done.returncode, done.stdout + done.stderr


def test_an_approver_sees_the_estimate_and_the_real_number(gateway: Gateway, server: Server) -> None:
    request = hold(gateway, "DELETE FROM orders WHERE id > 150")
    assert 40 <= request["estimated_rows"] <= 60
    status, said = preview(gateway, request)
    assert status == 0, said
    assert "50" in said
    with closing(direct(server, DBNAME)) as dba, dba.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders")
        assert cursor.fetchone() == (200,)


def test_the_estimate_is_of_the_rows_that_are_looked_at(gateway: Gateway) -> None:
    """docs/limitations.md has it: the real number is the preview's."""
    request = hold(gateway, "DELETE FROM orders WHERE id % 100 = 7")
    assert request["estimated_rows"] > 100
    status, said = preview(gateway, request)
    assert status == 0, said
    assert "DELETE 2" in said


def test_bound_values_count_in_both(gateway: Gateway) -> None:
    agent = mysql.connector.connect(
        host="127.0.0.1", port=gateway.port, user="agent", password="agent-secret", database=DBNAME, ssl_disabled=True
    )
    with closing(agent), closing(agent.cursor(prepared=True)) as cursor, pytest.raises(mysql.connector.Error):
        cursor.execute("DELETE FROM orders WHERE note = ? AND id > ?", ("Grüße", 100))
    request = newest(gateway)
    assert request["parameters"] == ["Grüße", "100"]
    assert request["estimated_rows"] is not None
    status, said = preview(gateway, request)
    assert status == 0, said
    assert "10" in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("DELETE FROM plain", "InnoDB"),
        ("DELETE FROM watched", "triggers"),
        ("DELETE FROM orders WHERE id = @mine", "variables"),
        ("DELETE FROM orders WHERE id = LAST_INSERT_ID()", "before"),
        ("TRUNCATE TABLE orders", "something else"),
    ],
)
def test_what_could_not_be_taken_back_or_would_be_something_else_is_not_tried(
    gateway: Gateway, text: str, why: str
) -> None:
    status, said = preview(gateway, hold(gateway, text))
    assert status == 1
    assert why in said


def test_a_lock_of_the_application_is_not_waited_for(gateway: Gateway, server: Server) -> None:
    request = hold(gateway, "UPDATE orders SET note = 'y' WHERE id = 7")
    with closing(direct(server, DBNAME)) as application, application.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM orders WHERE id = 7 FOR UPDATE")
        began = time.monotonic()
        status, said = preview(gateway, request)
        assert time.monotonic() - began < 15
    assert status == 1
    assert "the dry run failed" in said


def test_an_approval_that_covers_fewer_rows_is_not_even_asked_for(gateway: Gateway) -> None:
    with closing(gateway.mysql()) as agent:
        with pytest.raises(pymysql.err.Error, match="at most 10"):
            agent.query("DELETE FROM few WHERE id > 100")
        with pytest.raises(pymysql.err.Error, match="wp-"):
            agent.query("DELETE FROM few WHERE id > 195")
    assert preview(gateway, newest(gateway))[0] == 0


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)  # MySQL has no such command
async def test_a_bulk_execution_is_tried_with_each_set_of_its_values(gateway: Gateway, tmp_path: Path) -> None:
    password = tmp_path / "agent"
    password.write_text(PASSWORD)
    database = Database(
        DBNAME, Dialect.MYSQL, "127.0.0.1", gateway.port, DBNAME, "agent", Secret(file=password), tls="disable"
    )
    sets = b"".join(b"\0" + p.text(note) + b"\0" + p.number(least) for note, least in (("Grüße", 100), ("x", 195)))
    async with a_client(database, NEW | Capability.BULK) as client:
        await client.say(p.prepare("DELETE FROM orders WHERE note = ? AND id > ?"))
        answer = await client.say(p.bulk(S, 128, b"\xfd\0\3\0" + sets))
    assert b"is pending" in answer
    request = newest(gateway)
    assert request["parameters"] == ["Grüße", "100", "x", "195"]
    status, said = preview(gateway, request)
    assert status == 0, said
    assert "DELETE 14 by 2 sets of values" in said
