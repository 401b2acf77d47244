"""`wireproxy policy backtest --live`: recorded sessions judged anew with the catalog, the masks and the settings that they had."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pymysql
import pytest
from attrs import evolve, frozen

from tests.integration.mysql_gateway import direct
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME, HIDDEN = "backtest", "backtest_hidden"
MASKS = {"*.customers.ssn": "last4"}
TABLES = ("CREATE TABLE customers (id int, name varchar(40), ssn varchar(20))",)
POSTGRES = (
    f"CREATE SCHEMA {HIDDEN}", f"CREATE TABLE {HIDDEN}.secrets (id int, said text)", f"CREATE TABLE {HIDDEN}.notes (id int)",
    "CREATE FUNCTION how_many() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM customers'",
    "CREATE FUNCTION forget() RETURNS void LANGUAGE sql AS 'DELETE FROM customers'",
    f"ALTER DATABASE {DBNAME} SET search_path = public, {HIDDEN}",
)  # fmt: skip
MYSQL = (
    f"CREATE DATABASE {HIDDEN}", f"CREATE TABLE {HIDDEN}.secrets (id int, said text)",
    "CREATE FUNCTION how_many() RETURNS bigint READS SQL DATA RETURN (SELECT count(*) FROM customers)",
    "CREATE FUNCTION forget() RETURNS int MODIFIES SQL DATA BEGIN DELETE FROM customers; RETURN 1; END",
)  # fmt: skip
POLICY = f"""
[policy.careful]
pack = "agent-default"
[[policy.careful.rule]]
name = "hidden"
action = "deny"
reason = "nobody reads that"
when = {{ relations = ["{HIDDEN}.*"] }}
"""
# every spelling of a sum that ends a parser in the process that runs it
LONG = "SELECT " + "+".join(["1"] * 60_000)


@frozen
class Recorded:
    """A gateway with sessions of one policy in its log."""

    gateway: Gateway
    postgres: bool

    def changes(self, *options: str) -> dict[str, tuple[str, str]]:
        found = self.gateway.cli("policy", "backtest", "--json", *options)
        assert found.returncode == 0, found.stdout + found.stderr
        each = [json.loads(line) for line in found.stdout.splitlines()]
        return {change["sql"]: (change["after"], change["after_rule"]) for change in each}


@pytest.fixture(scope="module", params=["postgres", "mariadb", "mysql"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    server: Server = request.getfixturevalue(request.param)
    postgres = request.param == "postgres"
    plan = GatewayPlan(
        server=server, dbname=DBNAME, policy="allow-all", masks=MASKS, extra=POLICY, wait_s=0.1,
        dialect="postgres" if postgres else "mysql",
    )  # fmt: skip
    folder = tmp_path_factory.mktemp(f"backtest-{request.param}")
    if postgres:
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
            admin.execute(f"CREATE DATABASE {DBNAME}")
            with psycopg.connect(evolve(server, dbname=DBNAME).dsn(), autocommit=True) as connection:
                for statement in (*TABLES, *POSTGRES):
                    connection.execute(statement)
            with running_gateway(plan, folder) as gateway:
                yield _after(gateway, _postgres_sessions, postgres=True)
            admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")
        return
    with direct(server, "mysql") as admin, admin.cursor() as cursor:
        for each in (DBNAME, HIDDEN):
            cursor.execute(f"DROP DATABASE IF EXISTS {each}")
        for statement in (f"CREATE DATABASE {DBNAME}", f"USE {DBNAME}", *TABLES, *MYSQL):
            cursor.execute(statement)
        with running_gateway(plan, folder) as gateway:
            yield _after(gateway, _mysql_sessions, postgres=False)
        for each in (DBNAME, HIDDEN):
            cursor.execute(f"DROP DATABASE {each}")


def _after(gateway: Gateway, sessions: Callable[[Gateway], None], *, postgres: bool) -> Recorded:
    sessions(gateway)
    return Recorded(gateway, postgres)


ORDINARY = ("SELECT how_many()", "SELECT id, name FROM customers WHERE name LIKE 'A%'", "SELECT forget()", LONG)
GUESSED = "SELECT id FROM customers WHERE ssn LIKE '07%'"


def _postgres_sessions(gateway: Gateway) -> None:
    def run(connection: psycopg.Connection, *statements: str) -> None:
        for statement in statements:
            with suppress(psycopg.Error):  # held, or refused for its length
                connection.execute(statement.encode())

    with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
        run(connection, *ORDINARY, "SELECT id FROM secrets", "SET search_path = public", "SELECT said FROM secrets")
        run(
            connection, "BEGIN", f"SET search_path = {HIDDEN}", "SELECT 1 FROM secrets", "ROLLBACK",
            "SELECT 2 FROM secrets",
        )  # fmt: skip
        connection.execute("SELECT %s::text", ["bound"], prepare=True)
        connection.execute(f"SET search_path = {HIDDEN}", prepare=True)
        connection.execute("SELECT id, said FROM secrets WHERE id = %s", [1])
    with psycopg.connect(gateway.dsn(), autocommit=True, options=f"-c search_path={HIDDEN}") as connection:
        run(connection, "SELECT 3 FROM secrets", GUESSED.replace("customers", "public.customers"))
    with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
        run(connection, GUESSED)


def _mysql_sessions(gateway: Gateway) -> None:
    with gateway.mysql() as connection, connection.cursor() as cursor:

        def run(*statements: str) -> None:
            for statement in statements:
                with suppress(pymysql.MySQLError):
                    cursor.execute(statement)

        run(*ORDINARY, GUESSED, f"USE {HIDDEN}", "SELECT id FROM secrets")
        connection.select_db(DBNAME)
        connection.select_db(HIDDEN)
        run("SELECT said FROM secrets", "SET sql_mode = 'ANSI_QUOTES'", 'SELECT "id" FROM "secrets"')


def test_with_the_catalog_it_is_known_what_a_function_of_the_database_does(recorded: Recorded) -> None:
    without, live = recorded.changes("--policy", "careful"), recorded.changes("--live", "--policy", "careful")
    assert without["SELECT how_many()"][0] == "hold"
    assert "SELECT how_many()" not in live
    if recorded.postgres:
        assert live["SELECT forget()"][0] == "hold"
    else:
        assert "SELECT forget()" not in live, "it was held by a mask, and would be"
    assert "SELECT id, name FROM customers WHERE name LIKE 'A%'" not in live


def test_the_masks_of_the_configuration_are_asked(recorded: Recorded) -> None:
    """It was held by a mask when it ran, under a policy that allows everything: without the masks nothing would hold it."""
    assert recorded.changes("--policy", "allow-all")[GUESSED] == ("allow", "everything")
    assert GUESSED not in recorded.changes("--live", "--policy", "allow-all")


def test_names_mean_what_they_meant_in_the_session(recorded: Recorded) -> None:
    live = recorded.changes("--live", "--policy", "careful")
    denied = {text for text, (action, rule) in live.items() if (action, rule) == ("deny", "hidden")}
    if recorded.postgres:
        assert denied == {
            "SELECT id FROM secrets", "SELECT 1 FROM secrets", "SELECT 3 FROM secrets",
            "SELECT id, said FROM secrets WHERE id = $1",
        }  # fmt: skip
    else:
        assert denied == {"SELECT id FROM secrets", "SELECT said FROM secrets", 'SELECT "id" FROM "secrets"'}


def test_what_the_session_set_is_followed_without_the_catalog_too(recorded: Recorded) -> None:
    found = recorded.changes("--policy", "careful")
    text = "SELECT id, said FROM secrets WHERE id = $1" if recorded.postgres else 'SELECT "id" FROM "secrets"'
    assert found[text] == ("deny", "hidden")


def test_the_configuration_as_it_is_would_decide_as_it_did(recorded: Recorded) -> None:
    """Judged live by the policy of the configuration, nothing changes: the trial reads and judges as the gateway does."""
    assert recorded.changes("--live") == {}
    screen = recorded.gateway.cli("policy", "backtest", "--live").stdout
    assert "under the policies of the configuration: 0 would be decided otherwise" in " ".join(screen.split())


def test_a_database_that_is_gone_is_judged_without_its_catalog(recorded: Recorded, tmp_path: Path) -> None:
    other = tmp_path / "wireproxy.toml"
    other.write_text(recorded.gateway.config.read_text().replace(f"[database.{DBNAME}]", "[database.other]"))
    gone = evolve(recorded.gateway, config=other).cli("policy", "backtest", "--live", "--policy", "careful")
    assert gone.returncode == 0, gone.stderr
    assert f"database {DBNAME} is not in the configuration" in " ".join(gone.stdout.split())


def test_a_catalog_that_cannot_be_read_ends_it(recorded: Recorded, tmp_path: Path) -> None:
    other = tmp_path / "wireproxy.toml"
    text = recorded.gateway.config.read_text()
    other.write_text(text.replace(f'dbname = "{DBNAME}"', 'dbname = "nowhere"'))
    found = evolve(recorded.gateway, config=other).cli("policy", "backtest", "--live", "--policy", "careful")
    assert found.returncode == 1
    assert DBNAME in found.stderr
    assert recorded.gateway.cli("policy", "backtest").returncode == 2, "neither a policy nor --live"
