"""Programs that are no Python: the mariadb client, node's mysql2, sysbench; each directly and through the gateway, with the same
result."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartGateway
from tests.integration.mysql_routes import Gateways, MySqlRoute
from tests.support import programs
from tests.support.gateway import GatewayPlan
from tests.support.servers import Server

NODE = Path(__file__).parent / "node"
SCRIPT = """
CREATE TABLE t (id int PRIMARY KEY, v varchar(20), b blob);
INSERT INTO t VALUES (1, 'Grüße', x'00ff27'), (2, NULL, NULL), (3, '', '\\0\\n');
SELECT * FROM t ORDER BY id;
SHOW TABLES;
DESCRIBE t;
DELIMITER //
CREATE PROCEDURE p(n int) BEGIN SELECT n; SELECT n + 1; END//
DELIMITER ;
CALL p(4);
SHOW WARNINGS;
UPDATE t SET v = 'x' WHERE id > 1;
SELECT ROW_COUNT();
SELECT * FROM nowhere;
"""


def mariadb(route: MySqlRoute, *arguments: str, text: str | None = None, tls: bool = True, fails: bool = False) -> str:
    tool = programs.mariadb_client()
    options = [
        *("--no-defaults", f"--plugin-dir={tool.environment['MARIADB_PLUGIN_DIR']}", "--default-character-set=utf8mb4"),
        *(
            "-h",
            route.host,
            "-P",
            str(route.port),
            "-u",
            route.user,
            *([f"--ssl-ca={route.ca}"] if tls else ["--skip-ssl"]),
        ),
    ]
    done = subprocess.run(
        [*tool.command, *options, *arguments, route.dbname], input=text, capture_output=True, timeout=60,
        encoding="utf-8", errors="backslashreplace",
        env={**os.environ, **tool.environment, "MYSQL_PWD": route.password},
    )  # fmt: skip
    assert fails == bool(done.returncode), done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "clear"])
def test_a_script_of_the_mariadb_client_says_the_same(
    mysql_gateways: Gateways, request: pytest.FixtureRequest, tls: bool
) -> None:
    for family in ("mariadb", "mysql"):
        server = request.getfixturevalue(family)
        said = [
            mariadb(
                mysql_gateways.route(name, family, server),
                "--force",
                "--table",
                "-vv",
                text=SCRIPT,
                tls=tls,
            )
            for name in ("direct", "through")
        ]
        assert said[0] == said[1]
        assert "Grüße" in said[0]
        assert "ERROR 1146 (42S02)" in said[0]


def test_the_mariadb_client_logs_in_by_the_old_method_where_a_verifier_of_it_is_kept(
    mariadb_server: Server, start_gateway: StartGateway
) -> None:
    gateway = start_gateway(GatewayPlan(server=mariadb_server, dialect="mysql", dbname="test"))
    added = gateway.cli("user", "add", "old", "--mysql-native", "--generate")
    password = added.stderr.rstrip().rpartition(" ")[2]
    assert gateway.cli("reload").returncode == 0
    for name, secret, fails in (("old", password, False), ("old", "wrong", True), ("agent", "agent-secret", False)):
        route = MySqlRoute(
            "through", "mariadb", "127.0.0.1", gateway.port, name, secret, "test", gateway.config, mariadb_server
        )
        said = mariadb(route, "--default-auth=mysql_native_password", "-N", "-e", "SELECT 'in'", tls=False, fails=fails)
        assert ("Access denied" in said) == fails


@pytest.fixture
def mariadb_server(mariadb: Server) -> Server:
    return mariadb


def test_mysql2_of_node_finds_the_same_in_text_and_prepared(mysql_route: MySqlRoute) -> None:
    run_node, _ = programs.node()
    place = programs.node_modules(NODE)
    arguments = [mysql_route.host, str(mysql_route.port), mysql_route.user, mysql_route.password, mysql_route.dbname]
    done = subprocess.run(
        [*run_node, NODE / "client.js", *arguments, mysql_route.ca], capture_output=True, text=True, timeout=60,
        env={**os.environ, "NODE_PATH": str(place / "node_modules")},
    )  # fmt: skip
    assert not done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["text_insert"], found["prepared_insert"], found["prepared_again"]) == (1, 2, 1)
    row = {
        "name": "Grüße 🐘 'q' \\", "price": "12.50", "born": "1815-12-10", "seen": "2025-11-23 10:11:12.345678",
        "data": "00FF275C", "big": "9007199254740993", "note": None,
    }  # fmt: skip
    for rows in (found["text"], found["prepared"]):
        assert [{name: each[name] for name in row} for each in rows] == [row, row]
    assert found["several"] == [[{"a": 1}], [{"b": 2, "c": "x"}]]
    assert found["procedure"] == [[{"a": 1}], [{"b": 2}]]
    assert found["error"] == [1146, "ER_NO_SUCH_TABLE", "42S02"]
    assert found["after_rollback"] == 2
    assert found["changed_user"] == [{"mine": None, "d": mysql_route.dbname}]
    assert found["pool"] == list(range(12))


def sysbench(route: MySqlRoute, script: str, *arguments: str) -> str:
    tool = programs.sysbench()
    command: Sequence[str | Path] = [
        *tool.command, tool.root / f"usr/share/sysbench/{script}.lua", "--db-driver=mysql", f"--mysql-host={route.host}",
        f"--mysql-port={route.port}", f"--mysql-user={route.user}", f"--mysql-password={route.password}",
        f"--mysql-db={route.dbname}", "--tables=1", "--table-size=500", *arguments,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **tool.environment})
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("prepared", ["auto", "disable"])
def test_sysbench_reads_and_writes_without_an_error(mysql_route: MySqlRoute, prepared: str) -> None:
    sysbench(mysql_route, "oltp_read_write", "prepare")
    said = sysbench(
        mysql_route, "oltp_read_write", "--threads=4", "--time=0", "--events=60", f"--db-ps-mode={prepared}", "run"
    )
    numbers = {line.split(":")[0].strip(): line.split(":")[1].split()[0] for line in said.splitlines() if ":  " in line}
    assert numbers["transactions"] == "60"
    assert numbers["reconnects"] == "0"
