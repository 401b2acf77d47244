"""Masks that come back by COPY FROM STDIN: the copy is stopped, nothing is stored, and the session goes on in order."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psycopg
import pytest
from attrs import frozen
from psycopg import pq

from protocols.postgres.copy import unescape
from tests.integration.test_transparency_streaming import ALLOWED, Memory
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.programs import postgres_programs
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "masked_copy_from"
SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name text, ssn text, email text, born date, tags text[], doc jsonb, sum text, note text);
INSERT INTO people SELECT i, 'name' || i, 'canaryssn' || i, 'canary' || i || '@shop.test', '1987-06-05', ARRAY['canary' || i],
    '"canary"', 'canary', 'plain' FROM generate_series(1, 300) i;
CREATE TABLE copies (LIKE people INCLUDING ALL);
CREATE TABLE notes (id int PRIMARY KEY, note text);
CREATE TABLE cards (id int, card bigint);
"""
MASKS = {
    "*.people.ssn": "pseudonym", "*.email": "email", "*.born": "redact", "*.tags": "redact", "*.doc": "redact", "*.sum": "hash",
    "*.cards.card": "pseudonym",
}  # fmt: skip
CONSTANT = '[[mask]]\ncolumn = "*.copies.ssn"\nmasker = "constant"\nargument = "n. n."\n'


@frozen
class Place:
    """A database and a gateway in front of it."""

    server: Server
    gateway: Gateway

    def agent(self) -> psycopg.Connection:
        return psycopg.connect(self.gateway.dsn(), autocommit=True)

    def count(self, table: str) -> int:
        with psycopg.connect(self.server.dsn(DBNAME), autocommit=True) as direct:
            found = direct.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert found is not None
        return int(found[0])


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    server: Server = request.getfixturevalue(request.param)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(server.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
        plan = GatewayPlan(server=server, dbname=DBNAME, masks=MASKS, extra=CONSTANT, wait_s=0.01)
        with running_gateway(plan, tmp_path_factory.mktemp(request.param)) as running:
            yield Place(server, running)
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


def read(agent: psycopg.Connection, form: str, columns: str = "*") -> bytes:
    """What a program reads to write it back: masked."""
    with agent.cursor().copy(f"COPY (SELECT {columns} FROM people ORDER BY id) TO STDOUT (FORMAT {form})") as out:
        return b"".join(bytes(piece) for piece in out)


def write(agent: psycopg.Connection, data: bytes, options: str, into: str, cut: int = 8000) -> int:
    cursor = agent.cursor()
    with cursor.copy(f"COPY {into} FROM STDIN {options}") as copy:
        for at in range(0, len(data), cut):
            copy.write(data[at : at + cut])
    return cursor.rowcount


# The columns whose masks say by their form that they are some: a redacted date or number is a value like others.
TELLING = {
    "ssn": "a pseudonym",
    "email": "a masked value",
    "tags": None,  # redacted to an empty array
    "doc": "a masked value",
    "sum": "a hash",
}


@pytest.mark.parametrize("form", ["text", "csv", "csv, header", "binary"])
@pytest.mark.parametrize("column", TELLING)
def test_a_masked_column_is_not_copied_back(place: Place, form: str, column: str) -> None:
    with place.agent() as agent:
        data = read(agent, form, f"id, {column}")
        into = f"copies (id, {column})"
        if TELLING[column] is None:
            write(agent, data, f"(FORMAT {form})", into)
            agent.execute("DELETE FROM copies")
            return
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="stopped by rule") as refused:
            write(agent, data, f"(FORMAT {form})", into)
        first = {"text": "Line 1", "csv": "Line 1", "csv, header": "Line 2", "binary": "Row 1"}[form]
        detail = str(refused.value.diag.message_detail)
        assert detail.startswith(f"{first}, column {column}: {TELLING[column]}"), detail
        assert "INSERT" in str(refused.value.diag.message_hint)
        assert agent.execute("SELECT 1, 'zwei'").fetchone() == (1, "zwei"), "the session goes on"
        assert place.count("copies") == 0


def test_the_line_and_the_column_are_named_behind_megabytes_of_others(place: Place) -> None:
    rows = [f"{number}\tplain {number} " + "x" * 100 for number in range(30_000)]
    rows[29_990] = "29990\tsee " + token(place)
    with place.agent() as agent, pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
        write(agent, "\n".join(rows).encode(), "", "notes", 100_000)
    assert str(refused.value.diag.message_detail).startswith("Line 29991, column note: a pseudonym")
    assert place.count("notes") == 0


def token(place: Place) -> str:
    with place.agent() as agent:
        found = agent.execute("SELECT ssn FROM people WHERE id = 7").fetchone()
    assert found is not None
    return str(found[0])


def test_within_a_transaction_it_fails_as_any_statement_does(place: Place) -> None:
    with place.agent() as agent:
        agent.execute("BEGIN")
        agent.execute("INSERT INTO notes VALUES (1, 'one')")
        agent.execute("SAVEPOINT a")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            write(agent, b"2\t***\n", "", "notes")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            agent.execute("SELECT 1")
        agent.execute("ROLLBACK TO a")
        assert write(agent, b"2\ttwo\n", "", "notes") == 1
        agent.execute("COMMIT")
    assert place.count("notes") == 2
    with psycopg.connect(place.server.dsn(DBNAME), autocommit=True) as direct:
        direct.execute("DELETE FROM notes")


def test_what_is_no_mask_is_copied(place: Place) -> None:
    data = b"1\t***bold*** and wp_posts, a_b@c.d\n2\t****\n3\t\\N\n4\t0123456789abcdef\n5\twp_\n"
    with place.agent() as agent:
        assert write(agent, data, "", "notes", 3) == 5, "a hash is one only in a table with hashed columns"
        assert agent.execute("SELECT note FROM notes ORDER BY id LIMIT 1").fetchone() == (
            "***bold*** and wp_posts, a_b@c.d",
        )
        assert write(agent, b"6\t***\n7\tx\n", "(NULL '***')", "notes") == 2, "the client says that stars are NULL"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            write(agent, b"8,n. n.\n", "CSV", "notes")
        agent.execute("DELETE FROM notes")


def test_a_copy_into_a_column_of_pseudonymised_numbers_is_held_before_any_data(place: Place) -> None:
    """Each of its values is the pseudonym of some value: as for INSERT, people decide, and the way forward is theirs."""
    with place.agent() as agent:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is pending") as held:
            write(agent, b"1\t2\n", "", "cards")
        assert "pseudonym" in str(held.value.diag.message_detail)
        request = str(held.value).split("request ")[1].split()[0]
        assert place.gateway.cli("approve", request).returncode == 0
        assert write(agent, b"1\t2\n", "", "cards") == 1
        assert write(agent, b"1\n", "", "cards (id)") == 1


def psql(place: Place, script: str) -> subprocess.CompletedProcess[str]:
    programs = postgres_programs()
    parts = urlsplit(place.gateway.dsn())
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")}, **programs.environment,
        "PGHOST": str(parts.hostname), "PGPORT": str(parts.port), "PGUSER": str(parts.username),
        "PGPASSWORD": str(parts.password), "PGDATABASE": DBNAME, "PGSSLMODE": "disable", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    return subprocess.run(
        [programs / "psql", "-XAtq"], input=script, capture_output=True, text=True, env=environment, timeout=60
    )


def test_psql_copy_of_a_file_that_was_read_masked(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    done = psql(
        place,
        f"\\copy (SELECT id, name, email FROM people) TO '{file}' CSV HEADER\n"
        f"\\copy copies (id, name, email) FROM '{file}' CSV HEADER\nSELECT count(*) FROM copies;\n",
    )
    assert len(file.read_text(encoding="utf-8").splitlines()) == 301
    assert 'COPY copies FROM STDIN stopped by rule "mask"' in done.stderr
    assert "Line 2, column email: a masked value would be written" in done.stderr
    assert "HINT:  Nothing was written." in done.stderr
    assert done.stdout == "0\n"


def test_psql_reads_its_inline_data_to_the_end_though_the_copy_was_stopped(place: Place) -> None:
    inline = "".join(f"{number}\t{'***' if number == 3 else 'x' * 100}\n" for number in range(20_000))
    done = psql(place, f"COPY notes FROM STDIN;\n{inline}\\.\nSELECT 'next';\n")
    assert "Line 4, column note" in done.stderr
    assert done.stderr.count("ERROR") == 1
    assert done.stdout == "next\n"


def test_two_copies_of_one_text_are_each_looked_at(place: Place) -> None:
    with place.agent() as agent:
        connection = agent.pgconn
        connection.send_query(b"COPY notes FROM STDIN; COPY notes FROM STDIN; SELECT 1")
        results = []
        waiting = [b"1\tone\n", b"2\t***\n"]
        message = b""
        while (result := connection.get_result()) is not None:
            results.append(result.status)
            message = result.error_message
            if result.status == pq.ExecStatus.COPY_IN:
                connection.put_copy_data(waiting.pop(0))
                connection.put_copy_end()
        assert b"Line 1, column note" in message
        copy_in, done = pq.ExecStatus.COPY_IN, pq.ExecStatus.COMMAND_OK
        assert results == [copy_in, done, copy_in, pq.ExecStatus.FATAL_ERROR]
        assert agent.execute("SELECT 5").fetchone() == (5,)
    assert place.count("notes") == 0, "a batch is one transaction"


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
def test_asyncpg_copies_records_and_files(place: Place, form: str) -> None:
    async def run() -> None:
        agent = await asyncpg.connect(place.gateway.dsn())
        try:
            stars = {"text": b"1\tok\n2\t***\n", "csv": b"1,ok\n2,***\n"}
            clean = [(number, "x" * 1000) for number in range(3000)]
            assert await agent.copy_records_to_table("notes", records=clean) == "COPY 3000"
            await agent.execute("DELETE FROM notes")
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="stopped by rule") as refused:
                if form == "binary":
                    await agent.copy_records_to_table("notes", records=[*clean, (3001, "***"), *clean])
                else:
                    await agent.copy_to_table("notes", source=io.BytesIO(stars[form] * 100_000), format=form)
            assert (refused.value.detail or "").startswith("Row 3001" if form == "binary" else "Line 2")
            assert await agent.fetchval("SELECT 7") == 7
            assert await agent.fetchval("SELECT count(*) FROM notes") == 0
        finally:
            await agent.close()

    asyncio.run(run())


def test_what_was_stopped_is_in_the_log_without_the_value(place: Place) -> None:
    secret = token(place)
    with place.agent() as agent, pytest.raises(psycopg.errors.InsufficientPrivilege):
        write(agent, f"1\t{secret}\n".encode(), "", "notes")
    session = json.loads(place.gateway.cli("sessions", "--json", "--user", "agent").stdout.splitlines()[-1])
    exported = place.gateway.cli("export", session["session"]).stdout
    assert "Line 1, column note: a pseudonym" in exported
    assert secret not in exported


def test_psql_describes_a_masked_query_as_it_does_without_masks(place: Place) -> None:
    """`\\gdesc` prepares, asks for the description, and has the server write the types' names."""
    done = psql(place, "SELECT ssn, upper(ssn) AS loud, born, doc FROM people \\gdesc\n")
    assert done.stderr == ""
    assert done.stdout == "ssn|text\nloud|text\nborn|date\ndoc|jsonb\n"


@pytest.mark.timeout(300)
def test_an_upload_is_looked_at_in_constant_memory(place: Place) -> None:
    """Many rows, then one field of a hundred megabytes with a pseudonym at its end."""
    rows = b"".join(b"%d\tnote %d\n" % (number, number) for number in range(1000, 50_000))
    piece = b"x" * 1_000_000
    with place.agent() as agent, pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
        agent.execute("SELECT 1")
        memory = Memory(place.gateway)
        with agent.cursor().copy("COPY notes FROM STDIN") as copy:
            copy.write(rows)
            copy.write(b"1\t")
            for _ in range(100):
                copy.write(piece)
            copy.write(f" {token(place)}\n".encode())
    assert str(refused.value.diag.message_detail).startswith("Line 49001, column note: a pseudonym")
    assert memory.grown_bytes() < ALLOWED
    assert place.count("notes") == 0


ESCAPED = [rb"\052\x2a*", rb"\*\*\*", rb"\52\x2A\052", rb"*\**"]


@pytest.mark.parametrize("field", ESCAPED)
def test_a_mask_that_is_written_in_escapes_is_one(place: Place, field: bytes) -> None:
    with place.agent() as agent:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="stopped by rule") as refused:
            write(agent, b"1\t\\N\n2\t" + field + b"\n", "", "notes")
        assert str(refused.value.diag.message_detail).startswith("Line 2, column note: a masked value")
        written = "".join(f"\\x{byte:x}" if byte % 2 else f"\\{byte:03o}" for byte in token(place).encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="stopped by rule"):
            write(agent, f"1\tsee {written}\n".encode(), "", "notes")
    assert place.count("notes") == 0


def test_escapes_stand_for_what_the_server_takes_them_for(place: Place) -> None:
    ends = [b"%c" % sign for sign in range(32, 127) if sign not in b"0."]  # these two are refused
    numbers = [
        b"1",
        b"12",
        b"101",
        b"1012",
        b"18",
        b"177",
        b"x",
        b"x4",
        b"x41",
        b"x4g",
        b"x410",
        b"X41",
        b"xg",
        b"x\\x41",
    ]
    fields = [b"a\\" + each + b"z" for each in (*ends, *numbers, b"\t", b"\\052", b"\\\\x41")]
    with psycopg.connect(place.server.dsn(DBNAME)) as direct:
        data = b"".join(b"%d\t%s\n" % (number, field) for number, field in enumerate(fields))
        write(direct, data, "", "notes")
        stored = [bytes(value) for (value,) in direct.execute("SELECT convert_to(note, 'UTF8') FROM notes ORDER BY id")]
        direct.rollback()
    assert stored == [unescape(field) for field in fields]
