"""A table that is made after a statement was prepared, earlier in the search_path: the server goes on by the one that it found."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from attrs import evolve

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.raw import SYNC, RawConnection, bind, execute, parse, query, raw_connection
from tests.support.servers import Server

DBNAMES = [f"prepared_before_{number}" for number in range(12)]  # one for each test
SECRET = b"123-45-6789"
SCHEMA = f"""
CREATE TABLE customers (id int, ssn text);
INSERT INTO customers VALUES (1, '{SECRET.decode()}');
CREATE TABLE orders (id int);
INSERT INTO orders VALUES (1);
CREATE SCHEMA lab;
"""
POLICY = """
[policy.lab]
pack = "agent-default"
[[policy.lab.rule]]
name = "own-tables"
action = "allow"
when = { kinds = ["ddl", "delete"], only_relations = ["lab.*"], missing_where = false }
"""
PATH = query("SET search_path = lab, public")
READ, WIPE = "SELECT ssn || '' FROM customers", "DELETE FROM orders WHERE id > 0"
HIDE = query("CREATE TABLE lab.customers (id int, ssn text)") + query("CREATE TABLE lab.orders (id int)")
RUN = bind("", "s") + execute() + SYNC
# what comes before the tables are made, and what after
WAYS = {
    "prepared": (parse("s", "{}") + SYNC, RUN),
    "prepared by SQL": (query("PREPARE s AS {}"), query("EXECUTE s")),
    "prepared, with another path in between": (
        parse("s", "{}") + SYNC,
        query("SET search_path = public") + RUN + PATH + RUN,
    ),
    "prepared under another path": (query("SET search_path = public") + parse("s", "{}") + SYNC, RUN + PATH + RUN),
}
CURSORS = {
    "a portal": (query("BEGIN") + parse("", "{}") + bind("p", "") + SYNC, execute("p") + SYNC),
    "a cursor": (query("BEGIN") + query("DECLARE c CURSOR FOR {}"), query("FETCH ALL FROM c")),
}


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def serving(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Iterator[str]]]:
    """A gateway, and the names of databases that no test has used yet."""
    plan = GatewayPlan(
        server=server, dbname=DBNAMES[0], also=DBNAMES[1:], policy="lab", masks={"public.customers.ssn": "redact"},
        extra=POLICY, wait_s=0.05, users=("agent", "other"),
    )  # fmt: skip
    with running_gateway(plan, tmp_path_factory.mktemp("before")) as gateway:
        yield gateway, iter(DBNAMES)
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        for name in DBNAMES:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def gateway(server: Server, serving: tuple[Gateway, Iterator[str]]) -> Gateway:
    """In front of a new database."""
    shared, names = serving
    name = next(names)
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute(SCHEMA)
    return evolve(shared, dbname=name)


def filled(messages: bytes, text: str) -> bytes:
    """The messages with `text` in the place of {}: their lengths are made anew."""
    made = b""
    while messages:
        end = 1 + int.from_bytes(messages[1:5], "big")
        body = messages[5:end].replace(b"{}", text.encode())
        made += messages[:1] + (len(body) + 4).to_bytes(4, "big") + body
        messages = messages[end:]
    return made


def answers(connection: RawConnection, messages: bytes) -> bytes:
    connection.send(messages + query("SELECT 'the last'"))
    heard = b""
    for _, frame in connection.frames():
        heard += frame
        if b"the last" in frame or b"FATAL" in frame:
            break
    return heard


@pytest.mark.parametrize("way", [*WAYS, *CURSORS])
def test_the_masked_table_stays_masked(gateway: Gateway, way: str) -> None:
    before, after = (WAYS | CURSORS)[way]
    with raw_connection(gateway.dsn()) as own, raw_connection(gateway.dsn("other")) as other:
        heard = answers(own, PATH + filled(before, READ))
        heard += answers(other, HIDE)
        assert heard.count(b"CREATE TABLE") == 2
        heard += answers(own, filled(after, READ))
        assert SECRET not in heard


@pytest.mark.parametrize("way", WAYS)
def test_a_change_is_not_let_through_by_the_name_of_another_table(gateway: Gateway, server: Server, way: str) -> None:
    before, after = WAYS[way]
    with raw_connection(gateway.dsn()) as own, raw_connection(gateway.dsn("other")) as other:
        answers(own, PATH + filled(before, WIPE))
        answers(other, HIDE)
        assert b"DELETE 1" not in answers(own, filled(after, WIPE))
    with psycopg.connect(server.dsn(gateway.dbname)) as connection:
        assert connection.execute("SELECT id FROM public.orders").fetchall() == [(1,)]


def test_what_is_prepared_afterwards_goes_by_the_new_table(gateway: Gateway) -> None:
    with raw_connection(gateway.dsn()) as own:
        answers(own, PATH + HIDE + parse("s", WIPE) + SYNC)
        assert b"DELETE 0" in answers(own, RUN)


def test_a_table_of_another_name_disturbs_nothing(gateway: Gateway) -> None:
    with raw_connection(gateway.dsn()) as own:
        answers(own, PATH + HIDE + parse("s", "SELECT id FROM orders") + SYNC)
        answers(own, query("CREATE TABLE lab.more (id int)"))
        heard = answers(own, parse("t", WIPE) + SYNC + bind("", "t") + execute() + SYNC + RUN)
        assert b"DELETE 0" in heard
        assert b"SELECT 0" in heard
