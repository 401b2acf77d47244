"""Roads round the judgement that were open once: what a name means moves between when it is judged and when it is used.

Every attempt plays a few messages of a clever client. None may change a row, and none may show a canary.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from tests.support import raw
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.raw import SYNC, bind, close, execute, parse
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "breaking"
SCHEMA = """
    CREATE SCHEMA clean;
    CREATE TABLE customers (id int PRIMARY KEY, name text, ssn text);
    CREATE TABLE clean.customers (id int PRIMARY KEY, name text, ssn text);
    INSERT INTO customers SELECT g, 'name' || g, 'canary' || g FROM generate_series(1, 5) g;
    INSERT INTO clean.customers SELECT g, 'name' || g, 'public' || g FROM generate_series(1, 5) g;
    CREATE TABLE orders (id int PRIMARY KEY);
    INSERT INTO orders SELECT generate_series(1, 100);
"""
DELETE = "DELETE FROM orders"
READ = "SELECT upper(ssn) FROM customers"
CURSOR = f"DECLARE c CURSOR FOR {READ}"
Step = str | bytes  # a simple query, or messages up to their Sync


def run(sql: str, portal: str = "") -> bytes:
    return parse("run", sql) + bind(portal, "run") + close(b"S", "run") + execute(portal)


UNSEEN_RUNS: dict[str, list[Step]] = {
    "DEALLOCATE ALL leaves the unnamed statement": [
        parse("", DELETE) + run("DEALLOCATE ALL", "p") + SYNC,
        bind("", "") + execute() + SYNC,
    ],
    "the same before any Sync": [
        parse("", DELETE) + run("DEALLOCATE ALL", "p") + bind("", "") + execute() + SYNC,
    ],
    "DISCARD ALL leaves it too": [
        parse("discard", "DISCARD ALL") + SYNC,
        parse("", DELETE) + bind("p", "discard") + execute("p") + SYNC,
        bind("", "") + execute() + SYNC,
    ],
    "a portal of EXECUTE runs what its name means by then": [
        "BEGIN",
        parse("x", "SELECT 1") + parse("e", "EXECUTE x") + bind("p", "e") + SYNC,
        close(b"S", "x") + parse("x", DELETE) + SYNC,
        execute("p") + SYNC,
        "COMMIT",
    ],
    "the same within one run": [
        parse("x", "SELECT 1") + parse("e", "EXECUTE x") + bind("p", "e") + close(b"S", "x") + parse("x", DELETE)
        + execute("p") + SYNC,
    ],
    "a portal of EXPLAIN ANALYZE EXECUTE": [
        "BEGIN",
        parse("x", "SELECT 1") + parse("e", "EXPLAIN ANALYZE EXECUTE x") + bind("p", "e") + SYNC,
        close(b"S", "x") + parse("x", DELETE) + SYNC,
        execute("p") + SYNC,
        "COMMIT",
    ],
}  # fmt: skip
UNMASKED_READS: dict[str, list[Step]] = {
    "a cursor is read under another search_path than it was opened under": [
        "BEGIN", CURSOR, "SET search_path = clean", "FETCH ALL FROM c",
    ],
    "a cursor that outlives its transaction": [
        f"DECLARE c CURSOR WITH HOLD FOR {READ}", "SET search_path = clean", "FETCH ALL FROM c",
    ],
    "a cursor read by the protocol": [
        "BEGIN", CURSOR, "SET search_path = clean", execute("c") + SYNC,
    ],
    "a portal read by FETCH": [
        "BEGIN", parse("", READ) + bind("p", "") + SYNC, "SET search_path = clean", "FETCH ALL FROM p",
    ],
    "a portal of FETCH, and another cursor by its name": [
        "BEGIN", "DECLARE c CURSOR FOR SELECT name || 'x' FROM customers",
        parse("", "FETCH ALL FROM c") + bind("p", "") + SYNC,
        "CLOSE c", CURSOR, execute("p") + SYNC,
    ],
    "COPY looks its table up when it runs": [
        "SET search_path = clean", "BEGIN", parse("", "COPY customers TO STDOUT") + bind("p", "") + SYNC,
        "SET search_path = public", execute("p") + SYNC,
    ],
    "COMMIT AND CHAIN ends SET LOCAL": ["BEGIN", "SET LOCAL search_path = clean", "COMMIT AND CHAIN", READ],
    "ROLLBACK AND CHAIN takes SET back": ["BEGIN", "SET search_path = clean", "ROLLBACK AND CHAIN", READ],
    "a transaction ends and another begins in one text": [
        "BEGIN", "SET LOCAL search_path = clean", "COMMIT; BEGIN", READ,
    ],
    "one is rolled back and another begins": ["BEGIN", "SET search_path = clean", "ROLLBACK; BEGIN", READ],
    "COMMIT in a pipeline": ["BEGIN", "SET LOCAL search_path = clean", run("COMMIT") + run(READ) + SYNC],
    "ROLLBACK in a pipeline": ["BEGIN", "SET search_path = clean", run("ROLLBACK") + run(READ) + SYNC],
    "SET after SET LOCAL lasts": [
        "SET search_path = clean", "BEGIN", "SET LOCAL search_path = clean", "SET search_path = public", "COMMIT", READ,
    ],
    "an error before a SET that lasts": ["SET search_path = clean", "SELECT 1/0", "SET search_path = public", READ],
    "quotes in set_config belong to the name": ["SELECT set_config('search_path', '''clean'', public', false)", READ],
    "set_config of a transaction": ["SELECT set_config('search_path', 'clean', true)", READ],
    "set_config that is rolled back": ["SELECT set_config('search_path', 'clean', false); SELECT 1/0", READ],
    "set_config that never ran": ["SELECT set_config('search_path', 'clean', false) WHERE false", READ],
    "set_config behind a condition": ["SELECT CASE WHEN false THEN set_config('search_path', 'clean', false) END", READ],
    "set_config in a prepared statement": [
        "PREPARE s AS SELECT set_config('search_path', 'public', false)", "SET search_path = clean", "EXECUTE s", READ,
    ],
    "the same, explained": [
        "PREPARE s AS SELECT set_config('search_path', 'public', false)", "SET search_path = clean",
        "EXPLAIN ANALYZE EXECUTE s", READ,
    ],
    "set_config in a portal that FETCH reads": [
        "BEGIN", parse("", "SELECT set_config('search_path', 'public', false)") + bind("p", "") + SYNC,
        "SET search_path = clean", "FETCH p", READ,
    ],
    "set_config in a portal that runs on": [
        "BEGIN",
        parse("", "SELECT set_config('search_path', CASE g WHEN 1 THEN 'clean' ELSE 'public' END, false)"
                  " FROM generate_series(1, 2) g") + bind("p", "") + execute("p", 1) + SYNC,
        "SET search_path = clean", execute("p", 1) + SYNC, READ,
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(postgres: Server) -> Iterator[Server]:
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(postgres.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield postgres
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


@pytest.fixture(scope="module")
def gateway(shop: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    plan = GatewayPlan(
        server=shop, dbname=DBNAME, policy="agent-default", masks={"public.customers.ssn": "redact"}, wait_s=0.01
    )
    with running_gateway(plan, tmp_path_factory.mktemp("breaking")) as gateway:
        yield gateway


def play(dsn: str, steps: list[Step]) -> bytes:
    """Everything that arrives. The session must live to the end."""
    heard = b""
    with raw.raw_connection(dsn) as connection:
        for step in steps:
            connection.send(raw.query(step) if isinstance(step, str) else step)
            heard += b"".join(connection.read_until(b"Z"))
    return heard


@pytest.mark.parametrize("road", UNSEEN_RUNS)
def test_nothing_runs_that_was_not_judged(gateway: Gateway, shop: Server, road: str) -> None:
    play(gateway.dsn(), UNSEEN_RUNS[road])
    with psycopg.connect(shop.dsn(DBNAME)) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (100,)


@pytest.mark.parametrize("road", UNMASKED_READS)
def test_no_masked_value_is_shown(gateway: Gateway, road: str) -> None:
    assert b"canary" not in play(gateway.dsn(), UNMASKED_READS[road]).lower()


def test_the_roads_that_read_would_show_a_value_directly(shop: Server) -> None:
    silent = [road for road, steps in UNMASKED_READS.items() if b"canary" not in play(shop.dsn(DBNAME), steps).lower()]
    assert silent == []


@pytest.mark.parametrize(
    "steps",
    [
        ["SET search_path = clean", READ],
        ["BEGIN", "SET LOCAL search_path = clean", "COMMIT", "SET search_path = clean", READ],
        ["SET search_path = clean", "BEGIN", CURSOR, "FETCH ALL FROM c"],
        ["SET search_path = clean", f"PREPARE s AS {READ}", "EXECUTE s"],
        ["SET search_path = clean", "BEGIN", parse("", "COPY customers TO STDOUT") + bind("p", "") + execute("p") + SYNC],
        ["SET search_path = clean", "SELECT 1/0", READ],
        ["SET search_path = clean", "BEGIN", "SET LOCAL search_path = public", "ROLLBACK AND CHAIN", READ],
    ],
)  # fmt: skip
def test_what_is_not_masked_is_read_as_before(gateway: Gateway, steps: list[Step]) -> None:
    assert b"public5" in play(gateway.dsn(), steps).lower()


@pytest.mark.parametrize("binary", [False, True])
def test_a_migration_past_the_gateway_ends_no_session_and_shows_nothing(
    gateway: Gateway, shop: Server, binary: bool
) -> None:
    everything = "SELECT * FROM customers ORDER BY id"
    with (
        psycopg.connect(shop.dsn(DBNAME), autocommit=True) as admin,
        psycopg.connect(gateway.dsn(), autocommit=True) as agent,
    ):
        before = agent.execute(everything, binary=binary).fetchall()
        admin.execute("ALTER TABLE customers ADD COLUMN city text DEFAULT 'Rome'")
        try:
            during = agent.execute(everything, binary=binary).fetchall()
            assert [row[:2] for row in during] == [row[:2] for row in before]
            assert not any("canary" in str(value) for row in during for value in row)
            after = agent.execute(everything, binary=binary).fetchall()
            assert [row[3] for row in after] == ["Rome"] * 5
            assert [row[:3] for row in after] == before
        finally:
            admin.execute("ALTER TABLE customers DROP COLUMN city")
        assert agent.execute(everything, binary=binary).fetchall() == before


def test_a_prepared_statement_serves_again_and_again(gateway: Gateway) -> None:
    steps = [parse("x", "SELECT 41 + 1") + parse("e", "EXECUTE x") + SYNC, *[bind("", "e") + execute() + SYNC] * 3]
    assert play(gateway.dsn(), steps).count(b"SELECT 1") == 3


@pytest.mark.parametrize("statement", [b'EXECUTE "\xe9"', b"EXECUTE \xe9"])
def test_a_name_in_another_encoding_is_the_same_name(gateway: Gateway, shop: Server, statement: bytes) -> None:
    # the session may be ended for it
    with suppress(EOFError, OSError), raw.raw_connection(gateway.dsn() + "?client_encoding=LATIN1") as connection:
        connection.send(parse("X", DELETE).replace(b"X", b"\xe9") + SYNC)
        connection.send(raw.message(b"Q", statement + b"\0"))
        connection.read_until(b"Z", 2)
    with psycopg.connect(shop.dsn(DBNAME)) as admin:
        assert admin.execute("SELECT count(*) FROM orders").fetchone() == (100,)
