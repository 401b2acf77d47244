"""LOAD DATA LOCAL: held as any write, and only the file that the statement names is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.integration.mysql_gateway import direct
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

DBNAME = "wp_infile"


@pytest.fixture(params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    with closing(direct(found, "mysql")) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME}")
        cursor.execute(f"CREATE TABLE {DBNAME}.t (id int, v varchar(20))")
    return found


@pytest.fixture
def gateway(server: Server, tmp_path: Path) -> Iterator[Gateway]:
    plan = GatewayPlan(server=server, dialect="mysql", dbname=DBNAME, policy="agent-default", wait_s=0.2)
    with running_gateway(plan, tmp_path / "gateway") as gateway:
        yield gateway


def run(connection: Any, text: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


def test_a_file_goes_up_once_its_statement_is_approved_and_the_session_lives_on(
    gateway: Gateway, tmp_path: Path
) -> None:
    file = tmp_path / "rows.tsv"
    file.write_text("".join(f"{n}\tv{n}\n" for n in range(100_000)))
    text = f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE t"
    with closing(gateway.mysql(local_infile=True)) as agent:
        with pytest.raises(pymysql.err.Error, match="wp-"):
            run(agent, text)
        assert run(agent, "SELECT count(*) FROM t") == ((0,),)
        (line,) = gateway.cli("approvals", "--json").stdout.splitlines()
        assert gateway.cli("approve", json.loads(line)["id"]).returncode == 0
        run(agent, text)
        assert run(agent, "SELECT count(*), max(id) FROM t") == ((100_000, 99_999),)


def test_no_file_is_asked_for_where_the_policy_refuses_it(server: Server, tmp_path: Path) -> None:
    plan = GatewayPlan(server=server, dialect="mysql", dbname=DBNAME, policy="read-only", wait_s=0.2)
    with running_gateway(plan, tmp_path / "gateway") as gateway, closing(gateway.mysql(local_infile=True)) as agent:
        with pytest.raises(pymysql.err.Error) as caught:
            run(agent, f"LOAD DATA LOCAL INFILE '{tmp_path / 'missing'}' INTO TABLE t")
        assert caught.value.args[0] == 1142  # a driver that is asked for a file that is not there says 1017
        assert run(agent, "SELECT count(*) FROM t") == ((0,),)
