"""A search_path through a schema that the gateway's role may not look into: the server passes over it, and so must the gateway.

A role of least privilege has such schemas. By a table in one with the name of a masked table a statement would be judged that
reads the masked one.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from attrs import evolve

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

DBNAME = "closed_schemas"
ROLE = "closed_reader"
SECRET = "123-45-6789"
SCHEMA = f"""
CREATE TABLE customers (id int, name text, ssn text);
INSERT INTO customers VALUES (1, 'Ann', '{SECRET}');
CREATE SCHEMA hr;
CREATE TABLE hr.salaries (id int, salary int);
INSERT INTO hr.salaries VALUES (1, 77777);
CREATE SCHEMA archive;
CREATE TABLE archive.customers (id int, name text, ssn text);
CREATE TABLE archive.salaries (id int, salary int);
GRANT USAGE ON SCHEMA hr TO {ROLE};
GRANT SELECT ON ALL TABLES IN SCHEMA public, hr, archive TO {ROLE};
"""
POLICY = """
[policy.shop]
pack = "agent-default"
[[policy.shop.rule]]
name = "no-hr"
action = "deny"
when = { relations = ["hr.*"] }
"""
READS = [
    "SELECT ssn || '' FROM customers",
    "SELECT c::text FROM customers c",
    "SELECT max(ssn) FROM customers",
    "SELECT to_json(c) FROM customers c",
    "SELECT x.s FROM (SELECT concat(ssn) AS s FROM customers) x",
]


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    with psycopg.connect(found.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        connection.execute(f"DROP ROLE IF EXISTS {ROLE}")
        connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'reader-secret'")
        connection.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(found.dsn(DBNAME), autocommit=True) as connection:
        connection.execute(SCHEMA)
    return found


@pytest.fixture(scope="module")
def gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    plan = GatewayPlan(
        server=evolve(server, user=ROLE, password="reader-secret"), dbname=DBNAME, policy="shop",
        masks={"public.customers.ssn": "redact"}, extra=POLICY, wait_s=0.1,
    )  # fmt: skip
    with running_gateway(plan, tmp_path_factory.mktemp("closed")) as gateway:
        yield gateway


@pytest.mark.parametrize("how", ["set", "set_config", "startup"])
def test_the_table_behind_a_closed_schema_is_masked(gateway: Gateway, how: str) -> None:
    dsn = gateway.dsn() + ("?options=-csearch_path%3Darchive,public" if how == "startup" else "")
    with psycopg.connect(dsn, autocommit=True) as connection:
        if how == "set":
            connection.execute("SET search_path = archive, public")
        elif how == "set_config":
            connection.execute("SELECT set_config('search_path', 'archive, public', false)")
        for text in READS:
            try:
                rows = connection.execute(text).fetchall()  # type: ignore[call-overload]
            except psycopg.errors.InsufficientPrivilege as error:
                rows = [error]
            assert SECRET not in str(rows), text


def test_the_table_behind_a_closed_schema_is_refused_by_its_own_name(gateway: Gateway) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
        connection.execute("SET search_path = archive, hr")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no-hr"):
            connection.execute("SELECT salary FROM salaries")


def test_a_schema_that_is_open_is_not_passed_over(gateway: Gateway) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
        connection.execute("SET search_path = public, archive")
        assert connection.execute("SELECT name || '' FROM customers").fetchall() == [("Ann",)]
        assert connection.execute("SELECT ssn || '' FROM customers").fetchall() == [("***",)]
