"""MariaDB's progress reports: of the server's work, and of a statement that waits for an approval."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from protocols.mysql.capabilities import Capability as C
from protocols.mysql.packets import frame
from tests.integration.mysql_gateway import PASSWORD, direct, in_a_thread
from tests.integration.mysql_plain import Plain, plain
from tests.integration.mysql_routes import Gateways, MySqlRoute
from tests.integration.test_mysql_programs import PROMPT, Terminal, mariadb_kit
from tests.protocols import mysql_playbook as p
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

ROWS = 60_000
BIG = f"INSERT INTO big SELECT seq, REPEAT('x', 150) FROM seq_1_to_{ROWS}"
ALTER = "ALTER TABLE big FORCE, ALGORITHM = COPY"
REPORT = b"\xff\xff\xff"


def reported(client: Plain, text: str) -> tuple[list[bytes], bytes]:
    """The reports on a statement, and its answer."""
    said = client.say(p.query(text))
    while said[-1][:3] == REPORT:
        number, payload = client._read()
        assert number == len(said) + 1
        said.append(payload)
    return said[:-1], said[-1]


def fill(client: Plain) -> None:
    client.say(p.query("SET progress_report_time = 1"))
    client.say(p.query("CREATE TABLE big (id int PRIMARY KEY, v varchar(200))"))
    assert reported(client, BIG)[1][0] == 0


@pytest.mark.parametrize("name", ["direct", "through"])
def test_reports_on_a_long_statement_arrive_and_the_session_goes_on(
    mysql_gateways: Gateways, mariadb: Server, name: str
) -> None:
    with plain(mysql_gateways.route(name, "mariadb", mariadb), C.PROGRESS) as client:
        fill(client)
        reports, answer = reported(client, ALTER)
        assert answer[0] == 0
        assert b"copy to tmp table" in reports[0]
        _, answer = reported(client, "ALTER TABLE big ADD UNIQUE (v), ALGORITHM = COPY")
        assert answer[:3] == b"\xff" + (1062).to_bytes(2, "little")
        assert client.say(p.query(f"SELECT COUNT(*) = {ROWS} FROM big"))[3] == p.row(b"1")


@pytest.mark.parametrize("name", ["direct", "through"])
def test_reports_behind_a_file_of_the_client_are_numbered_on(
    mysql_gateways: Gateways, mariadb: Server, name: str
) -> None:
    with plain(mysql_gateways.route(name, "mariadb", mariadb), C.PROGRESS | C.LOCAL_FILES) as client:
        client.say(p.query("SET progress_report_time = 1"))
        client.say(p.query("CREATE TABLE loaded (id int, v int)"))
        asked = client.say(p.query("LOAD DATA LOCAL INFILE 'mine' INTO TABLE loaded (id) SET v = SLEEP(0.5)"))
        assert asked == [b"\xfbmine"]
        client.connection.sendall(frame(b"1\n2\n3\n", 2) + frame(b"", 3))
        got = [client._read()]
        while got[-1][1][:3] == REPORT:
            got.append(client._read())
        assert [number for number, _ in got] == list(range(4, 4 + len(got)))
        assert b"Records: 3" in got[-1][1]
        assert client.say(p.query("SELECT COUNT(*) FROM loaded"))[3] == p.row(b"3")


def test_reports_pass_where_columns_are_masked(mariadb: Server, tmp_path: Path) -> None:
    with closing(direct(mariadb, "mysql")) as connection, connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS wp_progress")
        cursor.execute("CREATE DATABASE wp_progress")
        cursor.execute("CREATE TABLE wp_progress.big (id int PRIMARY KEY, v varchar(200))")
        cursor.execute("CREATE TABLE wp_progress.secrets (v varchar(20))")
        cursor.execute(f"INSERT INTO wp_progress.big SELECT seq, REPEAT('x', 150) FROM seq_1_to_{ROWS}")
    mask = '[[mask]]\ncolumn = "*.secrets.v"\nmasker = "redact"\n'
    with in_a_thread(mariadb, "wp_progress", tmp_path, extra=mask) as port:
        route = MySqlRoute("through", "mariadb", "127.0.0.1", port, "agent", PASSWORD, "shop", tmp_path, mariadb)
        with plain(route, C.PROGRESS) as client:
            client.say(p.query("SET progress_report_time = 1"))
            reports, answer = reported(client, ALTER)
            assert answer[0] == 0
            assert b"copy to tmp table" in reports[0]


# -- the client at a terminal


@pytest.fixture
def gateway(mariadb: Server, tmp_path: Path) -> Iterator[Gateway]:
    with closing(direct(mariadb, "mysql")) as connection, connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS wp_programs")
        cursor.execute("CREATE DATABASE wp_programs")
        cursor.execute("CREATE TABLE wp_programs.people (id int PRIMARY KEY, name varchar(40))")
        cursor.execute("INSERT INTO wp_programs.people VALUES (1, 'Ada'), (2, 'Bo')")
    plan = GatewayPlan(server=mariadb, dialect="mysql", dbname="wp_programs", policy="agent-default", wait_s=20)
    with running_gateway(plan, tmp_path / "gateway") as found:
        yield found


def test_the_mariadb_client_shows_the_request_that_it_waits_for(gateway: Gateway) -> None:
    assert shutil.which("setsid")
    terminal = Terminal.open(mariadb_kit(), gateway)
    try:
        terminal.until(PROMPT)
        terminal.type("DELETE FROM people WHERE name LIKE 'B%';\n")
        said = terminal.until(r"wireproxy approve wp-[0-9a-f]+")
        request = said.rpartition("wireproxy approve ")[2].split()[0].strip("'")
        assert gateway.cli("approve", request).returncode == 0
        terminal.until("(?s)1 row affected.*" + PROMPT)
        terminal.type("SELECT COUNT(*) AS left_over FROM people;\n")
        terminal.until(r"\| +1 \|")
    finally:
        terminal.close()
