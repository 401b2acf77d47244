"""A client that tries to shift answers: were one taken for that of another statement, rows would leave unmasked.

What it can send without owing an answer, or so that the server skips what has one, is COPY's messages, Sync and Flush.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.raw import FLUSH, SYNC, RawConnection, bind, execute, message, parse, query, raw_connection
from tests.support.servers import Server

DBNAME = "shifted"
SECRET = b"123-45-6789"
SCHEMA = f"""
CREATE TABLE customers (id int, ssn text);
INSERT INTO customers VALUES (1, '{SECRET.decode()}');
CREATE TABLE inbox (id int);
CREATE TABLE closed (id int);
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '08P01'; END $$;
CREATE TRIGGER no BEFORE INSERT ON closed FOR EACH STATEMENT EXECUTE FUNCTION no();
"""
GOOD, BAD, DONE, FAIL = message(b"d", b"1\n"), message(b"d", b"bad\n"), message(b"c"), message(b"f", b"no\0")
MASK = message(b"d", b"wp_" + b"x" * 30 + b"\n" + b"1\n" * 20_000)  # stops the copy, as a read of it is looked at
SIMPLE = query("COPY inbox FROM STDIN")
CLOSED = query("COPY closed FROM STDIN")
EXTENDED = parse("", "COPY inbox FROM STDIN") + bind("", "") + execute()
EXTENDED_CLOSED = parse("", "COPY closed FROM STDIN") + bind("", "") + execute()
READ = query("SELECT ssn FROM customers")
OTHER = query("SELECT 1")
READ_EXTENDED = parse("", "SELECT ssn FROM customers") + bind("", "") + execute() + SYNC

# What is sent at once, and what after CopyInResponse. Those with anything behind a copy's beginning that is no part of it may
# end the session; the others must not.
WITHIN = {
    "a sync in the data": (SIMPLE, GOOD + SYNC + DONE),
    "syncs and flushes in the data": (SIMPLE, SYNC + GOOD + FLUSH + SYNC * 3 + GOOD + DONE),
    "a sync before a failure": (SIMPLE, SYNC + FAIL),
    "a sync behind a bad line": (SIMPLE, BAD + SYNC + GOOD + DONE),
    "syncs in the data of an extended copy": (EXTENDED, GOOD + SYNC * 2 + DONE + SYNC),
    "an extended copy in one go": (EXTENDED + SYNC, GOOD + DONE + SYNC),
    "an extended copy that fails with its sync behind it": (EXTENDED + SYNC, BAD + DONE + SYNC),
    "an extended copy that a trigger fails": (EXTENDED_CLOSED + SYNC, DONE + SYNC),
    "a mask in the data": (SIMPLE, GOOD + MASK + GOOD + DONE),
    "a mask in the data, and syncs": (SIMPLE, SYNC + MASK + SYNC + GOOD + DONE),
    "a mask in the data, and no end": (SIMPLE, MASK + GOOD),
    "a mask in the last line": (SIMPLE, message(b"d", b"wp_" + b"x" * 30) + SYNC + DONE),
    "a mask in the data of an extended copy": (EXTENDED + SYNC, MASK + GOOD + DONE + SYNC),
    "a mask in the data of an extended copy, and a sync too few": (EXTENDED, MASK + SYNC + GOOD + DONE),
    "a mask behind a bad line": (SIMPLE, BAD + MASK + SYNC + DONE),
    "all at once, with a mask": (SIMPLE + MASK + SYNC + DONE, b""),
    "all at once, extended, with a mask": (EXTENDED + MASK + DONE + SYNC, b""),
    "all at once": (SIMPLE + GOOD + DONE, b""),
    "all at once, a sync within": (SIMPLE + GOOD + SYNC + DONE, b""),
    "all at once, and it fails": (SIMPLE + BAD + SYNC + DONE, b""),
    "all at once, and a trigger fails it": (CLOSED + SYNC + GOOD + SYNC + DONE, b""),
}
BEHIND = {
    "a query behind a bad line": (SIMPLE + BAD + READ + OTHER, b""),
    "a query behind a copy that a trigger fails": (CLOSED + READ + OTHER, b""),
    "two queries behind a copy": (SIMPLE + READ + OTHER, b""),
    "a statement behind an extended copy that fails": (EXTENDED_CLOSED + SYNC + READ_EXTENDED + OTHER, b""),
}


@pytest.fixture(scope="module")
def gateway(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(postgres.dsn(DBNAME), autocommit=True) as connection:
        connection.execute(SCHEMA)
    plan = GatewayPlan(
        server=postgres, dbname=DBNAME, policy="allow-all", masks={"public.customers.ssn": "redact"}, log_rows="none"
    )
    with running_gateway(plan, tmp_path_factory.mktemp("shifted")) as gateway:
        yield gateway


def rest(connection: RawConnection) -> bytes:
    """What comes until the connection ends, or falls silent after the answer to one more query."""
    heard = b""
    try:
        for _, frame in connection.frames():
            heard += frame
            if b"the last" in frame:
                break
    except ConnectionError:
        pass
    return heard


@pytest.mark.parametrize("case", [*WITHIN, *BEHIND])
@pytest.mark.parametrize("read", [READ, READ_EXTENDED], ids=["simple", "extended"])
def test_the_next_result_is_masked(gateway: Gateway, case: str, read: bytes) -> None:
    first, later = (WITHIN | BEHIND)[case]
    with raw_connection(gateway.dsn()) as connection:
        connection.send(first + FLUSH)
        heard = b""
        for kind, frame in connection.frames():
            heard += frame
            if kind in b"GE":
                break
        connection.send(later + read + OTHER + read + query("SELECT 'the last'"))
        heard += rest(connection)
    assert SECRET not in heard
    if case in WITHIN:
        assert heard.count(b"\0\0\0\3***") == 2  # fields of rows, not what an error leaves out
        assert b"the last" in heard


def test_a_flush_with_contents_skips_no_statement(gateway: Gateway) -> None:
    """The server answers it with an error and reads nothing more up to Sync: not the query behind it."""
    fails = query("SELECT 1/0")
    with raw_connection(gateway.dsn()) as connection:
        connection.send(message(b"H", b"x") + OTHER + SYNC + fails + READ + query("SELECT 'the last'"))
        assert SECRET not in rest(connection)
