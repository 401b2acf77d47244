"""A column is shown for a time and masked again; what is written from a masked column is masked where it arrives."""

from __future__ import annotations

import json
import os
import pwd
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway, serving
from tests.support.servers import Server
from wireproxy.demo.cluster import free_port

pytestmark = pytest.mark.integration
DBNAME = "exemptions"
SCHEMA = """
CREATE TABLE customers (id int, email text, ssn text);
INSERT INTO customers VALUES (1, 'canary@shop.test', '123-canary');
CREATE TABLE parts (id int, email text) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
INSERT INTO parts VALUES (1, 'canary@part.test');
CREATE TABLE notes (id int, body text, more text);
INSERT INTO notes VALUES (1, 'own', 'words');
CREATE TABLE moved (id int, email text);
INSERT INTO moved VALUES (1, 'canary@moved.test');
CREATE TABLE kept (id int, address text);
"""
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(scope="module")
def database(postgres18: Server) -> Iterator[Server]:
    with psycopg.connect(postgres18.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(postgres18.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield postgres18
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


@pytest.fixture(scope="module")
def gateway(database: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    masks = {"*.email": "redact", "*.customers.ssn": "hash"}
    plan = GatewayPlan(server=database, dbname=DBNAME, masks=masks, users=("agent", "tester"), wait_s=10)
    with running_gateway(plan, tmp_path_factory.mktemp("exemptions")) as running:
        yield running


def value(connection: psycopg.Connection, sql: str) -> object:
    (found,) = connection.execute(sql).fetchone() or (None,)  # type: ignore[arg-type]
    return found


def until(connection: psycopg.Connection, sql: str, expected: object) -> None:
    deadline = time.monotonic() + 30
    while value(connection, sql) != expected:
        assert time.monotonic() < deadline, sql


def test_a_column_is_shown_for_a_time_and_masked_again(gateway: Gateway) -> None:
    email = "SELECT email FROM customers"
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent, psycopg.connect(gateway.dsn("tester")) as other:
        assert value(agent, email) == "***"
        prepared = agent.cursor()
        prepared.execute("SELECT email FROM parts", prepare=True)
        given = gateway.cli(
            "unmask", "grant", "--column", "public.*.email", "--to", "agent", "--for", "8s", "--reason", "a case"
        )
        assert given.returncode == 0, given.stderr
        assert value(agent, email) == "canary@shop.test"
        assert value(agent, "SELECT email FROM parts") == "canary@part.test"
        assert prepared.execute("SELECT email FROM parts", prepare=True).fetchone() == ("canary@part.test",)
        assert value(agent, "SELECT ssn FROM customers") != "123-canary"
        assert value(other, email) == "***"
        until(agent, email, "***")
        assert prepared.execute("SELECT email FROM parts", prepare=True).fetchone() == ("***",)
    log = gateway.cli("sessions", "--json", "--user", "agent").stdout
    session = json.loads(log.splitlines()[0])["session"]
    assert "unmasked" in gateway.cli("export", session).stdout


def test_a_grant_can_be_taken_back(gateway: Gateway) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        given = gateway.cli("unmask", "grant", "--column", "public.customers.email", "--to", "agent", "--for", "1h")
        assert value(agent, "SELECT email FROM customers") == "canary@shop.test"
        grant = given.stdout.split(":")[0]
        (listed,) = [json.loads(line) for line in gateway.cli("unmask", "list", "--json").stdout.splitlines()]
        assert (listed["id"], listed["to"], listed["approver"]) == (grant, "agent", "tester")
        assert gateway.cli("unmask", "revoke", grant).returncode == 0
        assert value(agent, "SELECT email FROM customers") == "***"
        assert gateway.cli("unmask", "revoke", "um-none").returncode == 1


@pytest.mark.parametrize(
    ("column", "to", "duration"),
    [
        ("public.customers.email", "tester", "1h"),
        ("public.customers.email", ME, "1h"),
        ("public.customers.email", "DBA", "1h"),
        ("public.customers.email", "agent", "40d"),
        ("email", "agent", "1h"),
    ],
)
def test_nobody_unmasks_for_oneself_or_without_end(gateway: Gateway, column: str, to: str, duration: str) -> None:
    refused = gateway.cli("unmask", "grant", "--column", column, "--to", to, "--for", duration)
    assert refused.returncode == 1
    assert gateway.cli("unmask", "list", "--json").stdout == ""


def approved(gateway: Gateway, connection: psycopg.Connection, sql: str) -> None:
    """Runs a statement that is held, and approves it meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(connection.execute, sql)  # type: ignore[arg-type]
        deadline = time.monotonic() + 30
        while not (waiting := gateway.cli("approvals", "--json").stdout):
            assert time.monotonic() < deadline
            assert not running.done(), running.exception()
        assert gateway.cli("approve", json.loads(waiting.splitlines()[0])["id"]).returncode == 0
        running.result(10)


def test_what_is_written_from_a_masked_column_inherits_its_mask(
    gateway: Gateway, database: Server, tmp_path: Path
) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        (hashed,) = agent.execute("SELECT ssn FROM customers").fetchone() or ("",)
        approved(gateway, agent, "CREATE TABLE taken AS SELECT id, ssn AS number, ssn || '!' AS loud FROM customers")
        assert agent.execute("SELECT number, loud FROM taken").fetchall() == [(hashed, "***")]
        approved(gateway, agent, "INSERT INTO notes (id, body) SELECT id, number FROM taken")
        assert value(agent, "SELECT body FROM notes WHERE id = 1 AND more IS NULL") == hashed
        assert value(agent, "SELECT more FROM notes WHERE more IS NOT NULL") == "words"
        approved(gateway, agent, "ALTER TABLE taken RENAME COLUMN number TO harmless")
        assert value(agent, "SELECT harmless FROM taken") == hashed
        approved(gateway, agent, "ALTER TABLE taken RENAME TO nothing_here")
        assert value(agent, "SELECT harmless FROM nothing_here") == hashed
        approved(gateway, agent, "CREATE TEMP TABLE mine AS SELECT ssn AS s FROM customers")
        assert value(agent, "SELECT s FROM mine") == hashed
        approved(gateway, agent, "CREATE VIEW shown AS SELECT ssn AS s FROM customers")
        assert value(agent, "SELECT s FROM shown") == hashed
    names = [json.loads(line)["move"]["relation"] for line in gateway.cli("masks", "--json").stdout.splitlines()]
    assert {"taken", "notes", "nothing_here"} <= set(names)
    assert "public.notes.body" in gateway.cli("masks").stdout
    again = tmp_path / "wireproxy.toml"
    again.write_text(gateway.config.read_text())
    # another gateway on the same store, as after a restart
    port = free_port()
    other = again.read_text().replace(f"port = {gateway.port}", f"port = {port}")
    again.write_text(other.replace(str(gateway.config.parent / "control"), str(tmp_path / "control")))
    again.chmod(0o600)
    with (
        serving(again, port, DBNAME) as restarted,
        psycopg.connect(restarted.dsn("tester"), autocommit=True) as tester,
    ):
        assert value(tester, "SELECT harmless FROM nothing_here") == hashed
        assert value(tester, "SELECT body FROM notes WHERE more IS NULL") == hashed
    forgotten = gateway.cli("masks", "--forget", DBNAME, "public.notes.body")
    assert forgotten.returncode == 0, forgotten.stderr
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        assert value(agent, "SELECT body FROM notes WHERE more IS NULL") == "123-canary"


def test_who_may_see_the_source_of_a_copy_sees_in_it_what_the_source_no_longer_holds(
    gateway: Gateway, database: Server
) -> None:
    """docs/limitations.md has it."""
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        approved(gateway, agent, "INSERT INTO kept SELECT id, email FROM moved")
        assert value(agent, "SELECT address FROM kept") == "***"
        with psycopg.connect(database.dsn(DBNAME), autocommit=True) as direct:
            direct.execute("DELETE FROM moved")
        given = gateway.cli("unmask", "grant", "--column", "public.moved.email", "--to", "agent", "--for", "1h")
        assert given.returncode == 0, given.stderr
        assert value(agent, "SELECT address FROM kept") == "canary@moved.test"
        assert gateway.cli("unmask", "revoke", given.stdout.split(":")[0]).returncode == 0
