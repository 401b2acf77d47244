"""Temporary tables with the name of a masked table: the catalog shows those of all sessions, and not whose they are."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

DBNAME = "temporary_names"
SECRET = "123-45-6789"
HIDES = "CREATE TEMPORARY TABLE customers (id int, name text, ssn text)"
GONE = {
    "dropped": [HIDES, "DROP TABLE pg_temp.customers"],
    "rolled back": ["BEGIN", HIDES, "ROLLBACK"],
    "rolled back to": ["BEGIN", "SAVEPOINT s", HIDES, "ROLLBACK TO s", "COMMIT"],
    "discarded": [HIDES, "DISCARD ALL"],
    "discarded alone": [HIDES, "DISCARD TEMP"],
    "dropped by its transaction": ["BEGIN", HIDES + " ON COMMIT DROP", "COMMIT"],
}
READS = [
    "SELECT ssn FROM customers",
    "SELECT ssn || '' FROM customers",
    "SELECT c::text FROM customers c",
    "SELECT (SELECT max(ssn) FROM customers)",
    "WITH c AS (SELECT ssn || '' AS s FROM customers) SELECT s FROM c",
]


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    server: Server = request.getfixturevalue(request.param)
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(server.dsn(DBNAME), autocommit=True) as connection:
        connection.execute("CREATE TABLE customers (id int, name text, ssn text)")
        connection.execute("INSERT INTO customers VALUES (1, 'Ann', %s)", [SECRET])
    masks = {"public.customers.ssn": "redact"}
    plan = GatewayPlan(server=server, dbname=DBNAME, policy="allow-all", masks=masks, users=("agent", "other"))
    with running_gateway(plan, tmp_path_factory.mktemp(request.param)) as gateway:
        yield gateway


@pytest.mark.parametrize("how", GONE)
def test_the_temporary_table_of_another_session_hides_no_mask(gateway: Gateway, how: str) -> None:
    with (
        psycopg.connect(gateway.dsn("other"), autocommit=True) as other,
        psycopg.connect(gateway.dsn(), autocommit=True) as own,
    ):
        other.execute(HIDES)
        for text in GONE[how]:
            own.execute(text)  # type: ignore[call-overload]
        for text in READS:
            rows = own.execute(text).fetchall()  # type: ignore[call-overload]
            assert len(rows) == 1
            assert SECRET not in str(rows), text
        with own.cursor().copy("COPY (SELECT ssn FROM customers) TO STDOUT") as copy:
            copied = b"".join(bytes(part) for part in copy)
        assert SECRET.encode() not in copied


def test_what_is_in_a_temporary_table_is_read_as_it_is(gateway: Gateway) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as own:
        own.execute("CREATE TEMPORARY TABLE notes (ssn text)")
        own.execute("INSERT INTO notes VALUES ('mine')")
        assert own.execute("SELECT ssn || '' FROM notes").fetchall() == [("mine",)]
        own.execute(HIDES)
        own.execute("INSERT INTO customers VALUES (1, 'x', 'mine')")
        assert own.execute("SELECT ssn FROM customers").fetchall() == [("mine",)]
