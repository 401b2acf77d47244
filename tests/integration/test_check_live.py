"""`wireproxy check --live`: judged with the catalog; each output column says where it comes from and what it gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from attrs import evolve
from click.testing import CliRunner

from tests.integration.mysql_gateway import direct
from tests.support.gateway import GatewayPlan, configuration
from tests.support.servers import Server
from wireproxy.cli import cli

pytestmark = pytest.mark.integration
DBNAME = "check_live"
TABLES = (
    "CREATE TABLE customers (id int, name varchar(40), ssn varchar(20), email varchar(60))",
    "CREATE VIEW people AS SELECT id, ssn AS number FROM customers",
)
MASKS = {"*.customers.ssn": "last4", "*.customers.email": "email"}
SQL = "SELECT p.id, p.number AS n, upper(c.email) AS loud, c.name FROM people p JOIN customers c ON c.id = p.id"


@pytest.fixture(scope="module", params=["postgres", "mariadb", "mysql"])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    server: Server = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp(f"check-{request.param}")
    plan = GatewayPlan(
        server=server, dbname=DBNAME, policy="agent-default", masks=MASKS,
        dialect="postgres" if request.param == "postgres" else "mysql",
    )  # fmt: skip
    drop, create = f"DROP DATABASE IF EXISTS {DBNAME}", f"CREATE DATABASE {DBNAME}"
    if plan.dialect == "postgres":
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(drop)
            admin.execute(create)
            with psycopg.connect(evolve(server, dbname=DBNAME).dsn(), autocommit=True) as connection:
                for statement in TABLES:
                    connection.execute(statement)
            yield written(plan, folder)
            admin.execute(drop)
    else:
        with direct(server, "mysql") as admin, admin.cursor() as cursor:
            for statement in (drop, create, f"USE {DBNAME}", *TABLES):
                cursor.execute(statement)
            yield written(plan, folder)
            cursor.execute(drop)


def written(plan: GatewayPlan, folder: Path) -> Path:
    path = folder / "wireproxy.toml"
    path.write_text(configuration(plan, folder, 1))
    return path


def check(config: Path, sql: str, *options: str) -> tuple[int, str]:
    found = CliRunner().invoke(cli, ["check", "--live", "-c", str(config), "--database", DBNAME, *options, sql])
    return found.exit_code, found.output


def test_each_output_column_says_where_it_comes_from_and_what_it_gets(config: Path) -> None:
    status, output = check(config, SQL, "--json")
    assert status == 0, output
    columns = {each["name"]: each for each in json.loads(output)["columns"]}
    assert list(columns) == ["id", "n", "loud", "name"]
    assert {name: each["gets"] for name, each in columns.items()} == {
        "id": "as it is", "n": "last4", "loud": "redact (derived)", "name": "as it is",
    }  # fmt: skip
    assert [origin.partition(".")[2] for origin in columns["n"]["masked"]] == ["customers.ssn"]
    assert any(origin.endswith("customers.email") for origin in columns["loud"]["from"])


def test_the_screen_shows_them_too(config: Path) -> None:
    status, output = check(config, "SELECT ssn AS number, name FROM customers")
    assert status == 0, output
    assert "customers.ssn: last4" in " ".join(output.split())
    assert "customers.name: as it is" in " ".join(output.split())


def test_masks_are_heard_when_it_judges(config: Path) -> None:
    assert check(config, "SELECT id FROM customers WHERE ssn LIKE '07%'")[0] == 3
    assert check(config, "SELECT id FROM customers WHERE name LIKE 'A%'")[0] == 0
    assert check(config, "SELECT id FROM customers WHERE ssn LIKE '07%'", "--json")[1].count('"columns"') == 1


def test_what_is_missing_is_said(config: Path) -> None:
    status, output = check(config, "SELECT 1", "--policy", "read-only")
    assert (status, "leave --policy out" in output) == (2, True)
    found = CliRunner().invoke(cli, ["check", "--live", "-c", str(config), "--database", "chek_live", "SELECT 1"])
    assert (found.exit_code, "check_live" in found.output) == (1, True)
