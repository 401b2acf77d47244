"""Definitions that are being changed while the catalog is read: nobody waits, and nothing is judged by what was there before."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

DBNAME = "in_flight"
SECRET = "123-45-6789"
SCHEMA = f"""
CREATE TABLE customers (id int, name text, ssn text);
INSERT INTO customers VALUES (1, 'Ann', '{SECRET}');
CREATE TABLE numbers (a int, b int GENERATED ALWAYS AS (a * 2) STORED);
INSERT INTO numbers VALUES (1);
CREATE VIEW names AS SELECT id, name FROM customers;
CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS n FROM customers;
CREATE FUNCTION most() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT max(a) FROM numbers; END;
CREATE SCHEMA lab;
CREATE FUNCTION lab.tidy() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE TABLE kept (id int);
INSERT INTO kept VALUES (1);
CREATE FUNCTION lab.same(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE TABLE trail (what text);
"""
POLICY = """
[policy.lab]
pack = "agent-default"
[[policy.lab.rule]]
name = "own-functions"
action = "allow"
when = { kinds = ["ddl"], roots = ["CreateFunctionStmt"] }
"""
REDEFINED = "CREATE OR REPLACE FUNCTION lab.tidy() RETURNS int LANGUAGE sql AS 'DELETE FROM public.kept; SELECT 1'"


@pytest.fixture(params=["postgres", "postgres18"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    with psycopg.connect(found.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(found.dsn(DBNAME), autocommit=True) as connection:
        connection.execute(SCHEMA)
    return found


def gateway_of(server: Server, policy: str, folder: pytest.TempPathFactory) -> Iterator[Gateway]:
    plan = GatewayPlan(
        server=server, dbname=DBNAME, policy=policy, masks={"public.customers.ssn": "redact"}, extra=POLICY, wait_s=0.1,
        users=("agent", "other"),
    )  # fmt: skip
    with running_gateway(plan, folder.mktemp(policy)) as gateway:
        yield gateway


@pytest.fixture
def open_gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    yield from gateway_of(server, "allow-all", tmp_path_factory)


@pytest.fixture
def lab_gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    yield from gateway_of(server, "lab", tmp_path_factory)


def connected(gateway: Gateway, user: str = "agent") -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(gateway.dsn(user), autocommit=True)


CHANGES = [
    "CREATE OR REPLACE VIEW names AS SELECT id, name, 1 AS one FROM customers",
    "DROP VIEW names",
    "REFRESH MATERIALIZED VIEW counts",
    "ALTER TABLE numbers ADD COLUMN c int",
    "LOCK TABLE customers",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_is_not_committed_keeps_nobody_waiting(
    open_gateway: Gateway, server: Server, change: str
) -> None:
    with connected(open_gateway) as own, connected(open_gateway, "other") as other:
        own.execute("BEGIN")
        own.execute(change)  # type: ignore[call-overload]
        other.execute("CREATE TABLE made (a int)")  # so that the catalog is read while the change is in flight
        begun = time.monotonic()
        assert other.execute("SELECT id FROM kept").fetchall() == [(1,)]
        assert own.execute("SELECT name, ssn FROM customers").fetchall() == [("Ann", "***")]
        assert time.monotonic() - begun < 15
        own.execute("ROLLBACK")
        assert other.execute("SELECT most(), b FROM numbers").fetchall() == [(1, 2)]


def test_what_cannot_be_read_now_is_masked_until_it_can(open_gateway: Gateway, server: Server) -> None:
    with connected(open_gateway) as own, connected(open_gateway, "other") as other:
        with psycopg.connect(server.dsn(DBNAME)) as somebody:
            somebody.execute("LOCK TABLE names")
            own.execute("CREATE TABLE made (a int)")
            assert own.execute("SELECT id FROM kept").fetchall() == [(1,)]
            rows: list[object] = []
            reader = threading.Thread(
                target=lambda: rows.extend(other.execute("SELECT name || '' FROM names").fetchall())
            )
            reader.start()  # the server lets it wait
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and "waiting" not in waits(server):
                time.sleep(0.05)
            somebody.rollback()
            reader.join(10)
        assert rows == [("***",)]
        deadline = time.monotonic() + 20
        while other.execute("SELECT name || '' FROM names").fetchall() != [("Ann",)]:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def waits(server: Server) -> list[str]:
    with psycopg.connect(server.dsn(DBNAME)) as connection:
        rows = connection.execute("SELECT 'waiting' FROM pg_locks WHERE NOT granted").fetchall()
    return [row[0] for row in rows]


def test_a_function_that_was_redefined_in_the_same_transaction_is_not_judged_by_its_old_body(
    lab_gateway: Gateway,
) -> None:
    with connected(lab_gateway) as own, connected(lab_gateway, "other") as other:
        assert own.execute("SELECT lab.tidy()").fetchall() == [(1,)]
        own.execute("BEGIN")
        own.execute(REDEFINED)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            own.execute("SELECT lab.tidy()")
        own.execute("ROLLBACK")
        assert own.execute("SELECT lab.tidy()").fetchall() == [(1,)]
        own.execute("BEGIN")
        own.execute(REDEFINED)
        other.execute("SELECT 1")  # reads the catalog again, in which the change is not yet
        own.execute("COMMIT")
        for each in (own, other):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                each.execute("SELECT lab.tidy()")
        assert own.execute("SELECT id FROM kept").fetchall() == [(1,)]


KEEPS = """CREATE OR REPLACE FUNCTION lab.same(t text) RETURNS text LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.trail VALUES (t); RETURN t; END'"""


@pytest.mark.parametrize("pipelined", [False, True])
def test_a_function_that_a_prepared_transaction_redefined_is_not_judged_by_its_old_body(
    open_gateway: Gateway, *, pipelined: bool
) -> None:
    """It changes when somebody commits it, which says no word of a definition."""
    with connected(open_gateway) as own, connected(open_gateway, "other") as other:
        own.execute("BEGIN")
        own.execute(KEEPS)
        own.execute("PREPARE TRANSACTION 'keeps'")
        for each in (own, other):  # the catalog is read again, in which the change is not yet
            assert each.execute("SELECT lab.same(ssn) FROM customers").fetchall() == [("***",)]
        if pipelined:
            with pytest.raises(psycopg.errors.InsufficientPrivilege), other.pipeline():
                other.execute("COMMIT PREPARED 'keeps'")
                other.execute("SELECT lab.same(ssn) FROM customers")
        else:
            other.execute("COMMIT PREPARED 'keeps'")
        for each in (other, own):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                each.execute("SELECT lab.same(ssn) FROM customers")
        assert own.execute("SELECT what FROM trail").fetchall() == []
