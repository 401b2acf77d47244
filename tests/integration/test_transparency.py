"""With everything allowed and nothing masked, bytes out equal bytes in, however they are cut."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.raw import (
    FLUSH,
    SYNC,
    bind,
    close,
    describe,
    execute,
    message,
    parse,
    query,
    raw_connection,
    text,
)
from tests.support.servers import Server

INT4 = 23

# name -> what the client sends; each ends in as many ReadyForQuery as there are Syncs and Queries
CONVERSATIONS: dict[str, bytes] = {
    "simple": query("SELECT * FROM things ORDER BY id") + query("") + query(";;") + query("SELECT"),
    "batch": query(
        "SELECT 1; SELECT 2 WHERE false; INSERT INTO things VALUES (90, 'x') RETURNING *; DELETE FROM things WHERE id = 90"
    ),
    "batch with an error": query("SELECT 1; SELECT 1/0; SELECT 3") + query("SELECT 4"),
    "syntax error": query("SELEC 1") + query("SELECT 'unfinished") + query("SELECT 1"),
    "transaction": query("BEGIN") + query("SELECT 1/0") + query("SELECT 1") + query("ROLLBACK") + query("COMMIT"),
    "notices": query("DO $$ BEGIN RAISE NOTICE 'one %', 1; RAISE WARNING 'two'; END $$")
    + query("DROP TABLE IF EXISTS nowhere"),
    "unnamed": parse("", "SELECT $1::int4 + 1", INT4) + bind("", "", b"41") + describe(b"P", "") + execute() + SYNC,
    "named": parse("s1", "SELECT id, label FROM things WHERE id > $1 ORDER BY id", INT4)
    + describe(b"S", "s1")
    + SYNC
    + bind("p1", "s1", b"1")
    + describe(b"P", "p1")
    + execute("p1", 1)
    + FLUSH
    + execute("p1", 1)
    + execute("p1", 0)
    + SYNC
    + close(b"P", "p1")
    + close(b"S", "s1")
    + close(b"S", "never was")
    + SYNC,
    "binary results": parse("", "SELECT id, label, NULL::text FROM things ORDER BY id")
    + bind("", "", binary_results=True)
    + describe(b"P", "")
    + execute()
    + SYNC,
    "pipeline": b"".join(parse("", f"SELECT {n}") + bind("", "") + execute() for n in range(40)) + SYNC,
    "pipeline with an error": parse("", "SELECT 1")
    + bind("", "")
    + execute()
    + parse("", "SELECT 1/0")
    + bind("", "")
    + execute()
    + parse("", "SELECT 2")
    + bind("", "")
    + execute()
    + SYNC
    + query("SELECT 3"),
    "errors of every kind": bind("", "no such statement")
    + SYNC
    + execute("no such portal")
    + SYNC
    + describe(b"S", "no such statement")
    + SYNC
    + parse("twice", "SELECT 1")
    + parse("twice", "SELECT 2")
    + SYNC
    + parse("", "SELECT $1::int4", INT4)
    + bind("", "", b"not a number")
    + execute()
    + SYNC,
    "empty statement": parse("", "") + bind("", "") + describe(b"P", "") + execute() + SYNC,
    "several commands in one Parse": parse("", "SELECT 1; SELECT 2") + SYNC + query("SELECT 1"),
    "copy out": query("COPY things TO STDOUT") + query("COPY (SELECT 1, 2) TO STDOUT (FORMAT binary)"),
    "copy in": query("COPY things FROM STDIN")
    + message(b"d", b"50\tcopied\n51\tco")
    + message(b"d", b"pied\n")
    + message(b"c")
    + query("DELETE FROM things WHERE id >= 50"),
    "copy fail": query("COPY things FROM STDIN")
    + message(b"d", b"60\tx\n")
    + message(b"f", text("never mind"))
    + query("SELECT 1"),
    "a batch that copies": query(
        "CREATE TEMP TABLE c (a int); COPY c FROM STDIN; SELECT a + 0 AS a FROM c; DROP TABLE c"
    )
    + message(b"d", b"1\n2\n")
    + message(b"c")
    + query("SELECT 1"),
    "copy of nonsense": query("COPY things FROM STDIN") + message(b"d", b"what\n") + message(b"c") + query("SELECT 1"),
    "extended copy": parse("", "COPY things FROM STDIN")
    + bind("", "")
    + execute()
    + SYNC
    + message(b"d", b"70\ty\n")
    + message(b"c")
    + SYNC
    + query("DELETE FROM things WHERE id >= 50"),
    "parameters": query("SET TimeZone = 'Asia/Tokyo'")
    + query("SET application_name = 'n'")
    + query("SET no.such = 'x'"),
    "cursors": query("BEGIN; DECLARE c SCROLL CURSOR FOR SELECT * FROM things ORDER BY id")
    + query("FETCH 1 FROM c")
    + bind("", "")
    + SYNC
    + query("ROLLBACK"),
    "sql names and protocol names": query("PREPARE q AS SELECT id FROM things WHERE id = $1")
    + bind("", "q", b"1")
    + describe(b"P", "")
    + execute()
    + SYNC
    + query("EXECUTE q(2)")
    + query("DEALLOCATE q")
    + bind("", "q", b"1")
    + SYNC,
    "long names": parse("n" * 70, "SELECT 7")
    + bind("", "n" * 70)
    + execute()
    + SYNC
    + bind("", "n" * 63)
    + execute()
    + SYNC,
    "large": parse("", "SELECT length($1)")
    + bind("", "", b"x" * 3_000_000)
    + execute()
    + SYNC
    + query("SELECT repeat('y', 3000000)"),
}


# a Sync that arrives while the server reads COPY data has no answer; libpq sends one there all the same
UNANSWERED = {"extended copy": 1}


def _ends(name: str) -> int:
    """How many ReadyForQuery answer it: frames are walked, payloads skipped."""
    conversation = CONVERSATIONS[name]
    count, position = -UNANSWERED.get(name, 0), 0
    while position < len(conversation):
        count += conversation[position : position + 1] in (b"Q", b"S")
        position += struct.unpack_from("!I", conversation, position + 1)[0] + 1
    return count


def _talk(dsn: str, name: str, largest: int | None) -> bytes:
    conversation = CONVERSATIONS[name]
    with raw_connection(dsn) as connection:
        if largest is None:
            connection.send(conversation)
        else:
            connection.send_in_pieces(conversation, seed=len(conversation), largest=largest)
        return b"".join(connection.read_until(b"Z", _ends(name)))


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def routes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The same database directly and through a gateway."""
    server: Server = request.getfixturevalue(request.param)
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE conversations")
    direct = server.dsn("conversations")
    with psycopg.connect(direct, autocommit=True) as connection:
        connection.execute("CREATE TABLE things (id int PRIMARY KEY, label text)")
        connection.execute("INSERT INTO things VALUES (1, 'one'), (2, 'zwei €'), (3, NULL)")
    plan = GatewayPlan(server=server, dbname="conversations")
    with running_gateway(plan, tmp_path_factory.mktemp("conversations")) as gateway:
        yield direct, gateway.dsn()
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("DROP DATABASE conversations WITH (FORCE)")


@pytest.mark.parametrize("largest", [None, 7, 1], ids=["whole", "pieces", "single bytes"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_replies_are_the_servers_own_byte_for_byte(routes: tuple[str, str], name: str, largest: int | None) -> None:
    """However the requests are cut. What is large is cut into pieces of up to 70,000 bytes instead."""
    direct, through = routes
    cut = 70_000 if largest and name == "large" else largest
    assert _talk(through, name, cut) == _talk(direct, name, None)
