"""What was read as a pseudonym can be asked for again, and what it stands for is nowhere to be seen."""

from __future__ import annotations

import asyncio
import datetime
import uuid
from collections.abc import Iterator
from decimal import Decimal

import asyncpg
import psycopg
import pytest
from psycopg import pq

from tests.integration.wiretap import Wiretap, tapped
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "pseudonyms"
SCHEMA = """
CREATE DOMAIN ssn_t AS text;
CREATE TABLE people (
    id int PRIMARY KEY, name text, ssn ssn_t UNIQUE, email varchar(60), card bigint, code int, tiny smallint, tag char(20),
    born date, ref uuid, pay numeric, paid numeric(12,2), at timestamp, seen timestamptz(3), woke time, tags text[], parts int[],
    days date[], rate float8, note text
);
INSERT INTO people SELECT i, 'name' || i, 'canaryssn' || i, 'canary' || i || '@shop.test', 7654321000000 + i, 8765432 + i,
    12340 + i, 'canarytag' || i, '1987-06-05'::date + i, ('c0ffee00-0000-0000-0000-00000000000' || i)::uuid, 8765432.5 + i,
    -8765432 - i / 4.0, '1987-06-05 04:03:02'::timestamp + i * interval '1.5 s',
    '1987-06-05 04:03:02.25+02'::timestamptz + i * interval '1 h',
    '04:03:02'::time + i * interval '1 s', ARRAY['canarytag' || i, NULL, 'canary two ' || i], ARRAY[8765432 + i, i],
    ARRAY['1987-06-05'::date + i], 8765432.5 + i, 'n'
    FROM generate_series(1, 6) i;
INSERT INTO people (id, name, ssn, email) VALUES (7, 'Ö', E'canary\\\\é''7', NULL);
CREATE TABLE visits (id int, ssn text, place text);
INSERT INTO visits SELECT i, 'canaryssn' || i, 'place' || i FROM generate_series(1, 6) i;
CREATE VIEW v_people AS SELECT id AS n, ssn AS number, name FROM people;
"""
MASKS = {
    "*.ssn": "pseudonym", "*.people.card": "pseudonym", "*.people.code": "pseudonym", "*.people.tiny": "pseudonym",
    "*.people.tag": "pseudonym", "*.people.born": "pseudonym", "*.people.ref": "pseudonym", "*.people.pay": "pseudonym",
    **dict.fromkeys(("*.paid", "*.at", "*.seen", "*.woke", "*.tags", "*.parts", "*.days", "*.rate"), "pseudonym"),
}  # fmt: skip
EMAIL = '[[mask]]\ncolumn = "*.people.email"\nmasker = "pseudonym"\nargument = "email"\n'
ARRAYS = ("tags", "parts", "days")
COLUMNS = ("ssn", "email", "card", "code", "tiny", "tag", "born", "ref", "pay", "paid", "at", "seen", "woke", *ARRAYS)
CASTS = {
    "born": "date", "ref": "uuid", "pay": "numeric", "paid": "numeric", "at": "timestamp", "seen": "timestamptz", "woke": "time",
    "parts": "int", "days": "date",
}  # fmt: skip
CANARIES = (b"canary", b"7654321", b"876543", b"1987-06", b"c0ffee", bytes.fromhex("c0ffee00"), b"04:03:")


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
    plan = GatewayPlan(
        server=database, dbname=DBNAME, masks=MASKS, extra=EMAIL, wait_s=0.01, log_rows="all", users=("agent", "writer")
    )
    with running_gateway(plan, tmp_path_factory.mktemp("pseudonyms")) as running:
        yield running


@pytest.fixture(scope="module")
def tap(gateway: Gateway) -> Iterator[Wiretap]:
    with tapped("127.0.0.1", gateway.port) as found:
        yield found


def session(tap: Wiretap, user: str) -> Iterator[psycopg.Connection]:
    dsn = f"postgresql://{user}:{user}-secret@127.0.0.1:{tap.port}/{DBNAME}"
    with psycopg.connect(dsn, autocommit=True, sslmode="disable") as connection:
        tap.take()
        yield connection
        heard = tap.take()
        assert [canary for canary in CANARIES if canary in heard] == []


@pytest.fixture
def agent(tap: Wiretap) -> Iterator[psycopg.Connection]:
    yield from session(tap, "agent")


@pytest.fixture
def writer(tap: Wiretap) -> Iterator[psycopg.Connection]:
    """Another identity: each may have twenty requests waiting."""
    yield from session(tap, "writer")


def row(agent: psycopg.Connection, number: int = 3) -> dict[str, object]:
    found = agent.execute(f"SELECT {', '.join(COLUMNS)} FROM people WHERE id = %s", (number,)).fetchone()
    assert found is not None
    return dict(zip(COLUMNS, found, strict=True))


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_a_bound_pseudonym_finds_its_row(agent: psycopg.Connection, column: str, binary: bool) -> None:
    marker = "%b" if binary else "%s"
    with agent.cursor(binary=binary) as cursor:
        cursor.execute(f"SELECT id, {column} FROM people WHERE {column} IS NOT NULL AND id < 7")
        rows = cursor.fetchall()
        for _ in range(2):  # the second time psycopg's prepared statements take part
            for number, value in rows:
                cursor.execute(f"SELECT id FROM people WHERE {column} = {marker}", (value,), prepare=True)
                assert cursor.fetchall() == [(number,)]
                if column in ARRAYS:
                    cursor.execute(f"SELECT id FROM people WHERE {marker} = ANY({column})", (value[0],))
                else:
                    cursor.execute(f"SELECT id FROM people WHERE {column} = ANY({marker})", ([value],))
                assert cursor.fetchall() == [(number,)]


@pytest.mark.parametrize("column", [column for column in COLUMNS if column not in ARRAYS])
def test_a_pseudonym_in_the_text_finds_its_row(agent: psycopg.Connection, column: str) -> None:
    value = str(row(agent)[column])
    literal = value if value.lstrip("-").replace(".", "").isdigit() else f"'{value}'"
    cast = f"::{CASTS[column]}[]" if column in CASTS else ""
    for sql in (
        f"SELECT id FROM people WHERE {column} = {literal}",
        f"SELECT id FROM people WHERE {column}={literal} AND true",
        f"SELECT 'é', x.id FROM people x WHERE x.{column} IN ({literal}, {literal}) AND name = 'name3'",
        f"SELECT id FROM (SELECT id, {column} AS q FROM people) s WHERE '{value}' = q",
        f"WITH a AS (SELECT * FROM people) SELECT id FROM a WHERE {column} = ANY('{{\"{value}\"}}')",
        f"SELECT id FROM people WHERE {column} = ANY(ARRAY[{literal}]{cast})",
        f"UPDATE people SET note = 'seen' WHERE {column} = {literal} RETURNING id",
    ):
        found = agent.execute(sql).fetchall()  # type: ignore[arg-type]
        assert [each[-1] for each in found] == [3], sql


@pytest.mark.parametrize("column", ARRAYS)
def test_an_array_of_pseudonyms_in_the_text_finds_its_row(agent: psycopg.Connection, column: str) -> None:
    (text, first) = agent.execute(f"SELECT {column}, {column} FROM people WHERE id = 3").fetchone() or ("", "")  # type: ignore[arg-type]
    assert text == first
    elements = ["NULL" if each is None else f"'{each}'" for each in text]
    whole = "{" + ",".join("NULL" if each is None else f'"{each}"' for each in text) + "}"
    kind = CASTS.get(column, "text")
    for sql in (
        f"SELECT id FROM people WHERE {column} = '{whole}'",
        f"SELECT id FROM people x WHERE '{whole}'::{kind}[] = x.{column}",
        f"SELECT id FROM people WHERE {column} = ARRAY[{', '.join(elements)}]::{kind}[]",
        f"SELECT id FROM people WHERE {elements[0]} = ANY({column})",
        f"SELECT id FROM people WHERE {column} IN ('{whole}', '{{}}')",
    ):
        assert agent.execute(sql).fetchall() == [(3,)], sql  # type: ignore[arg-type]
    nothing = "nothing" if kind == "text" else text[0]
    others = agent.execute(f"SELECT id FROM people WHERE '{nothing}' <> ALL({column}) ORDER BY id").fetchall()  # type: ignore[arg-type]
    assert len(others) == (0 if column == "tags" else 5)


def test_equal_numbers_and_instants_are_found_however_they_are_written(agent: psycopg.Connection) -> None:
    paid, seen = agent.execute("SELECT paid, seen FROM people WHERE id = 2").fetchone() or (
        Decimal(),
        datetime.datetime.now(),
    )
    assert (paid < 0, -paid.as_tuple().exponent) == (True, 2)
    for number in (f"{paid}000", f"'{paid:e}'", f"{paid.normalize():f}", f"'{paid}'::numeric"):
        assert agent.execute(f"SELECT id FROM people WHERE paid = {number}").fetchall() == [(2,)], number  # type: ignore[arg-type]
    assert agent.execute("SELECT id FROM people WHERE paid = %s", (float(paid),)).fetchall() == [(2,)]
    for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
        agent.execute(f"SET TimeZone = '{zone}'")  # type: ignore[arg-type]
        assert agent.execute("SELECT seen FROM people WHERE id = 2").fetchone() == (seen,)
        assert agent.execute(f"SELECT id FROM people WHERE seen = '{seen}'").fetchall() == [(2,)]  # type: ignore[arg-type]
        assert agent.execute("SELECT id FROM people WHERE seen = %s", (seen,)).fetchall() == [(2,)]
    agent.execute("SET DateStyle = 'German'")
    agent.execute("SET TimeZone = 'UTC'")
    result = agent.pgconn.exec_(b"SELECT at, seen, born, at FROM people WHERE id = 2")
    assert [result.get_value(0, place) for place in range(4)] == [
        b"2000-01-01 00:00:00", b"2000-01-01 00:00:00+00", b"2000-01-01", b"2000-01-01 00:00:00"
    ]  # fmt: skip


def test_asyncpg_asks_again_by_prepared_statement(tap: Wiretap) -> None:
    async def ask() -> None:
        dsn = f"postgresql://agent:agent-secret@127.0.0.1:{tap.port}/{DBNAME}?sslmode=disable"
        connection = await asyncpg.connect(dsn)
        try:
            rows = await connection.fetch(f"SELECT id, {', '.join(COLUMNS)} FROM people WHERE id < 7")
            for column in [column for column in COLUMNS if column not in ARRAYS]:
                statement = await connection.prepare(f"SELECT id FROM people WHERE {column} = $1")
                many = await connection.prepare(f"SELECT id FROM people WHERE {column} = ANY($1)")
                for found in rows:
                    assert await statement.fetchval(found[column]) == found["id"]
                    assert await many.fetchval([found[column]]) == found["id"]
            for column in ARRAYS:
                statement = await connection.prepare(
                    f"SELECT id FROM people WHERE {column} = $1 AND $2 = ANY({column})"
                )
                for found in rows:
                    assert await statement.fetchval(found[column], found[column][0]) == found["id"]
        finally:
            await connection.close()

    tap.take()
    asyncio.run(ask())
    heard = tap.take()
    assert [canary for canary in CANARIES if canary in heard] == []


def test_pseudonyms_keep_their_type_and_are_the_same_everywhere(agent: psycopg.Connection) -> None:
    found = row(agent)
    assert isinstance(found["card"], int)
    assert isinstance(found["born"], datetime.date)
    assert isinstance(found["ref"], uuid.UUID)
    assert str(found["ssn"]).startswith("wp_")
    assert str(found["email"]).endswith("@pseudonym.invalid")
    token = found["ssn"]
    joined = agent.execute("SELECT v.place FROM visits v WHERE v.ssn = %s", (token,)).fetchall()
    assert joined == [("place3",)]
    assert agent.execute("SELECT number FROM v_people WHERE number = %s", (token,)).fetchall() == [(token,)]
    assert isinstance(found["pay"], Decimal)
    assert isinstance(found["at"], datetime.datetime)
    assert found["parts"][0] == found["code"]  # type: ignore[index]
    assert agent.execute("SELECT rate FROM people WHERE id = 3").fetchone() == (0,)


def test_quotes_backslashes_and_letters_beyond_ascii_survive(agent: psycopg.Connection) -> None:
    (token,) = agent.execute("SELECT ssn FROM people WHERE id = 7").fetchone() or ("",)
    assert agent.execute(f"SELECT id FROM people WHERE ssn = '{token}'").fetchall() == [(7,)]
    agent.execute("SET standard_conforming_strings = off")
    assert agent.execute(f"SELECT id FROM people WHERE ssn = '{token}'").fetchall() == [(7,)]
    agent.execute("SET standard_conforming_strings = on")
    agent.execute("SET client_encoding = 'LATIN1'")
    assert agent.execute(f"SELECT id FROM people WHERE ssn = '{token}'").fetchall() == [(7,)]


def test_sql_prepared_statements_take_pseudonyms(agent: psycopg.Connection) -> None:
    found = row(agent, 5)
    agent.execute("PREPARE by_ssn(text) AS SELECT id FROM people WHERE ssn = $1")
    agent.execute("PREPARE by_card AS SELECT id FROM people WHERE card = $1")
    for _ in range(2):
        assert agent.execute(f"EXECUTE by_ssn('{found['ssn']}')").fetchall() == [(5,)]
        assert agent.execute(f"EXECUTE by_card({found['card']})").fetchall() == [(5,)]
    # the server would turn the real value into a smallint, and fail where it is none
    for asked in (
        "by_small(smallint) AS SELECT id FROM people WHERE card",
        "by_day(date) AS SELECT id FROM people WHERE at",
    ):
        with pytest.raises(psycopg.Error, match="wireproxy"):
            agent.execute(f"PREPARE {asked} = $1")  # type: ignore[arg-type]
    with agent.transaction():
        agent.execute(f"DECLARE c CURSOR FOR SELECT id FROM people WHERE ssn = '{found['ssn']}'")
        assert agent.execute("FETCH ALL FROM c").fetchall() == [(5,)]


def test_what_the_server_echoes_is_masked(agent: psycopg.Connection, tap: Wiretap) -> None:
    found = row(agent)
    ssn, card = found["ssn"], found["card"]
    agent.execute("SET client_min_messages = debug5")
    for sql in (
        f"SELECT current_query() FROM people WHERE ssn = '{ssn}'",
        f"SELECT query FROM pg_stat_activity, people WHERE ssn = '{ssn}'",
        f"EXPLAIN SELECT id FROM people WHERE ssn = '{ssn}'",
        f"EXPLAIN (ANALYZE, VERBOSE) SELECT id FROM people WHERE card = {card}",
        f"PREPARE echo AS SELECT id FROM people WHERE ssn = '{ssn}' AND card = {card}",
        "EXPLAIN EXECUTE echo",
        "EXECUTE echo",
        "SELECT statement FROM pg_prepared_statements",
        "SELECT * FROM pg_prepared_statement()",
        "SELECT ident FROM pg_backend_memory_contexts",
        f"BEGIN; DECLARE echo CURSOR FOR SELECT id FROM people WHERE ssn = '{ssn}'; SELECT statement FROM pg_cursors; COMMIT",
        f"SELECT 1 / (id - 3) FROM people WHERE ssn = '{ssn}'",
        f"SELECT name::int FROM people WHERE ssn = '{ssn}'",
        f"SELECT nothing FROM people WHERE ssn = '{ssn}'",
        f"SELECT id FROM people WHERE ssn = '{ssn}'::varchar(3)",
        f"SELECT id FROM people WHERE ssn = '{ssn}'::ssn_t",
        f"SELECT id FROM people WHERE ssn = '{ssn}'::name",
        f"SELECT id FROM people WHERE ssn LIKE '{ssn}'",
        f"SELECT '{ssn}', {card} FROM people WHERE ssn = '{ssn}' AND card = {card}",
        f"SELECT s.t FROM people, (SELECT '{ssn}'::text AS t) s WHERE ssn = s.t",
        f"COPY (SELECT name, '{ssn}' FROM people WHERE ssn = '{ssn}') TO STDOUT",
        f"CREATE TEMP VIEW echoing AS SELECT id FROM people WHERE ssn = '{ssn}'",
        "SELECT pg_get_viewdef('echoing'::regclass)",
    ):
        tap.take()
        result = agent.pgconn.exec_(sql.encode())
        while result is not None and result.status == pq.ExecStatus.COPY_OUT:
            while agent.pgconn.get_copy_data(0)[0] > 0:
                pass
            result = agent.pgconn.get_result()
        assert agent.pgconn.status == pq.ConnStatus.OK, sql
        heard = tap.take()
        assert [canary for canary in CANARIES if canary in heard] == [], (sql, heard)
    agent.pgconn.exec_(b"ROLLBACK")


def test_a_parameter_that_is_shown_as_well_is_not_translated(agent: psycopg.Connection) -> None:
    found = row(agent)
    for sql, value in (
        ("SELECT %(x)s::text, id FROM people WHERE ssn = %(x)s", found["ssn"]),
        ("SELECT id FROM people WHERE card = %(x)s OR id = %(x)s", found["card"]),
        ("UPDATE people SET note = %(x)s WHERE ssn = %(x)s", found["ssn"]),
    ):
        with pytest.raises(psycopg.Error) as raised:
            agent.execute(sql, {"x": value})  # type: ignore[arg-type]
        assert "wireproxy" in str(raised.value)
    asked = "SELECT id FROM people WHERE (%(x)s::text IS NULL OR ssn = %(x)s)"
    assert agent.execute(asked, {"x": found["ssn"]}).fetchall() == [(3,)]


def test_errors_point_into_the_text_that_the_client_wrote(agent: psycopg.Connection) -> None:
    token = row(agent)["ssn"]
    sql = f"SELECT id FROM people WHERE ssn = '{token}' AND name + 1 = 2"
    with pytest.raises(psycopg.errors.UndefinedFunction) as raised:
        agent.execute(sql)  # type: ignore[arg-type]
    assert raised.value.diag.message_primary == "operator does not exist: text + integer"
    assert sql[int(raised.value.diag.statement_position or 0) - 1 :].startswith("+ 1")


def test_a_guess_of_a_text_passes_and_a_number_is_always_a_pseudonym(agent: psycopg.Connection) -> None:
    # the canary is in what the client sends, and the tap hears only what comes
    assert agent.execute("SELECT id FROM people WHERE ssn = 'canaryssn3'").fetchall() == [(3,)]
    assert agent.execute("SELECT id FROM people WHERE card = 7654321000003").fetchall() == []


@pytest.mark.parametrize(
    "condition",
    [
        "pay = 5 + 1",
        "at = 'now'",
        "seen = '2024-05-31 10:00:00'",
        "woke = 'noon'",
        "parts = ARRAY[1 + 1]",
        "card = 5 + 1",
        "card = 1.5",
        "card = 0x1F",
        "born = 'today'",
        "born = '1/2/1999'",
        "ref = 'x'",
        "code = E'5'",
    ],
)
def test_what_cannot_be_translated_is_not_compared_as_it_is(agent: psycopg.Connection, condition: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        agent.execute(f"SELECT id FROM people WHERE {condition}")  # type: ignore[arg-type]
    assert "wireproxy" in str(raised.value)


def test_pseudonyms_are_not_written_into_tables(writer: psycopg.Connection) -> None:
    found = row(writer)
    for sql in (
        f"INSERT INTO visits VALUES (9, 'x', '{found['ssn']}')",
        f"UPDATE people SET note = 'was {found['ssn']}' WHERE id = 1",
        "UPDATE people SET note = '***' WHERE id = 1",
        "UPDATE people SET card = 5 WHERE id = 1",
        "UPDATE people SET at = '2024-05-31 10:00:00' WHERE id = 1",
        "INSERT INTO people (id, pay) VALUES (9, 5), (10, 6)",
        f"UPDATE people SET tags = '{{{found['tags'][0]}}}' WHERE id = 1",  # type: ignore[index]
    ):
        with pytest.raises(psycopg.Error, match="pending"):
            writer.execute(sql)  # type: ignore[arg-type]
    for value in (found["ssn"], "***", "a***@shop.test"):
        with pytest.raises(psycopg.Error, match="pending"):
            writer.execute("UPDATE people SET note = %s WHERE id = 1", (value,))
    writer.execute("UPDATE people SET note = %s WHERE id = 1", ("a ** star",))


def test_neither_the_log_nor_the_desk_holds_what_a_pseudonym_stands_for(
    agent: psycopg.Connection, gateway: Gateway
) -> None:
    token = row(agent, 6)["ssn"]
    agent.execute(f"SELECT id FROM people WHERE ssn = '{token}'")  # type: ignore[arg-type]
    agent.execute("SELECT id FROM people WHERE ssn = %s", (token,))
    with pytest.raises(psycopg.Error):
        agent.execute(f"SELECT id FROM people WHERE ssn = '{token}' AND ssn > 'a'")  # type: ignore[arg-type]
    agent.close()
    assert str(token) in gateway.cli("search", str(token)).stdout
    # `6` is asked for by its pseudonym alone, `3` also as a guess of another test
    assert "canaryssn6" not in gateway.cli("search", "canaryssn6").stdout.replace('"canaryssn6"', "")
    stored = [path for path in gateway.config.parent.rglob("approvals.db*") if path.is_file()]
    assert stored
    assert all(b"canaryssn6" not in path.read_bytes() for path in stored)
