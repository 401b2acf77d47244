"""Definitions that the open transaction changed: tables and indexes disturb no read of masked columns.

And no name is believed that may mean something else by now.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "open_definitions"
SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, first text, last text, email text, ssn text);
INSERT INTO people SELECT i, 'first' || i, 'last' || i, 'canary' || i || '@x', 'canaryssn' || i FROM generate_series(1, 3) i;
CREATE TABLE orders (id int PRIMARY KEY, person int, note text);
INSERT INTO orders VALUES (1, 1, 'n');
CREATE SCHEMA a;
CREATE TABLE a.people (id int, ssn text);
INSERT INTO a.people VALUES (9, 'plain');
CREATE TABLE a.slips (id int, ssn text);
CREATE TABLE sink (what text);
CREATE FUNCTION loud(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';
CREATE FUNCTION remake() RETURNS int LANGUAGE sql AS $$
    CREATE OR REPLACE FUNCTION loud(text) RETURNS text LANGUAGE sql VOLATILE
        AS 'INSERT INTO sink VALUES ($1) RETURNING what'; SELECT 1 $$;
CREATE VIEW remaking AS SELECT remake() AS made;
"""
HARMLESS = [
    "CREATE TABLE plain (a int, b text DEFAULT upper('x'))", "CREATE TEMP TABLE kept AS SELECT id, note FROM orders",
    "SELECT id INTO TEMP kept FROM orders", "CREATE INDEX by_note ON orders (lower(note))", "DROP INDEX IF EXISTS no_such_index",
    "DROP TABLE sink", "ALTER TABLE orders ADD COLUMN extra text", "ALTER TABLE orders ADD CHECK (id > 0)",
    "ALTER TABLE orders RENAME COLUMN note TO remark", "ALTER TABLE orders RENAME TO purchases", "CREATE SCHEMA empty",
    "CREATE STATISTICS together ON id, person FROM orders", "CREATE SEQUENCE numbers", "COMMENT ON TABLE orders IS 'all of them'",
    "TRUNCATE orders", "ANALYZE orders",
]  # fmt: skip
MAKES_CODE = [
    "CREATE FUNCTION pg_temp.upper(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
    "CREATE FUNCTION other() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE VIEW seen AS SELECT 1 AS one",
    "CREATE DOMAIN short AS text", "CREATE TYPE pair AS (a int, b int)", "CREATE TYPE mood AS ENUM ('sad')",
    "CREATE AGGREGATE most(int) (sfunc = int4larger, stype = int)",
    "CREATE OPERATOR @@@ (LEFTARG = text, RIGHTARG = text, FUNCTION = textcat)",
    "DROP FUNCTION loud(text)",
    "ALTER FUNCTION loud(text) RENAME TO quiet", "CREATE TABLE made AS SELECT remake()", "SELECT remake() INTO TEMP made",
    "CREATE TABLE made AS SELECT made FROM remaking",
]  # fmt: skip


@pytest.fixture(scope="module")
def gateway(postgres18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with psycopg.connect(postgres18.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(postgres18.dsn(DBNAME), autocommit=True) as connection:
        connection.execute(SCHEMA)
    masks = {"public.people.ssn": "redact", "public.people.email": "email"}
    plan = GatewayPlan(server=postgres18, dbname=DBNAME, masks=masks, wait_s=0)
    with running_gateway(plan, tmp_path_factory.mktemp("definitions")) as found:
        yield found


@pytest.fixture
def agent(gateway: Gateway) -> Iterator[psycopg.Connection]:
    with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
        yield connection


def said(agent: psycopg.Connection, *statements: str) -> str:
    """The rows of the last, or why it did not run; all of it in one transaction that is taken back."""
    *before, last = statements
    agent.execute("BEGIN")
    try:
        for each in before:
            agent.execute(each.encode())
        try:
            return str(agent.execute(last.encode()).fetchall())
        except psycopg.Error as error:
            return f"{error}"
    finally:
        agent.execute("ROLLBACK")


@pytest.mark.parametrize("change", HARMLESS)
def test_a_change_that_makes_no_code_disturbs_no_read_of_masked_columns(agent: psycopg.Connection, change: str) -> None:
    read = "SELECT id, first || '!', upper(ssn) FROM public.people WHERE id = 1"
    assert said(agent, change, read) == "[(1, 'first1!', '***')]"
    if "ANALYZE" not in change:
        agent.execute("BEGIN")
        assert agent.execute(f"{change}; {read}".encode()) is not None  # in one text, too
        agent.execute("ROLLBACK")


@pytest.mark.parametrize("change", MAKES_CODE)
def test_after_a_change_that_may_make_code_nothing_is_given_a_masked_value(
    agent: psycopg.Connection, change: str
) -> None:
    answer = said(agent, change, "SELECT loud(ssn) FROM people")
    assert 'held by rule "mask"' in answer
    assert "loud may keep or show" in answer


MOVED = [
    # another relation gets the name
    ("DROP TABLE a.people", "SELECT upper(ssn), row_to_json(x) FROM people x"),
    ("ALTER TABLE a.people RENAME TO others", "SELECT reverse(ssn) FROM people"),
    ("ALTER TABLE a.people SET SCHEMA public2", "SELECT max(ssn) FROM people"),
    ("ALTER SCHEMA a RENAME TO b", "SELECT max(ssn) FROM people"),
    ("DROP SCHEMA a CASCADE", "SELECT max(ssn) FROM people"),
    # a column that is gone is another query's
    ("ALTER TABLE a.slips RENAME COLUMN ssn TO other", "SELECT (SELECT max(upper(ssn)) FROM a.slips) FROM public.people"),
    ("ALTER TABLE a.slips DROP COLUMN ssn", "SELECT (SELECT upper(ssn) || count(*) FROM a.slips) FROM public.people"),
    # aliases count columns
    ("ALTER TABLE orders DROP COLUMN note", "SELECT upper(e) FROM (orders CROSS JOIN public.people) AS j (a, b, c, d, f, e)"),
    ("ALTER TABLE orders DROP COLUMN note", "SELECT upper(e) FROM (SELECT * FROM orders, public.people) AS j (a, b, c, d, f, e)"),
    ("ALTER TABLE orders ADD COLUMN x int", "SELECT upper(e) FROM (public.people p CROSS JOIN orders) AS j (a, b, c, d, e)"),
    ("CREATE TABLE a.orders (id int)", "SELECT upper(e) FROM (orders CROSS JOIN public.people) AS j (a, b, c, d, e)"),
    ("ALTER TABLE sink RENAME TO orders2", "SELECT upper(e) FROM (orders2 CROSS JOIN public.people) AS j (a, b, c, d, e)"),
    ("ALTER TABLE a.slips RENAME ssn TO note", "SELECT upper(note) FROM a.slips NATURAL FULL JOIN orders, public.people"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "read"), MOVED)
def test_a_name_that_moved_in_the_open_transaction_shows_no_masked_value(
    agent: psycopg.Connection, change: str, read: str
) -> None:
    agent.execute("SET search_path = a, public")
    before = ["CREATE SCHEMA public2"] if "public2" in change else []
    answer = said(agent, *before, change, read)
    assert "canary" not in answer.lower()
    assert "yranac" not in answer.lower()
    agent.execute("BEGIN")
    try:
        whole = str(agent.execute("; ".join([*before, change, read]).encode()).fetchall())
    except psycopg.Error as error:
        whole = str(error)
    agent.execute("ROLLBACK")
    assert "canary" not in whole.lower()
    agent.execute("RESET search_path")


def test_what_the_transaction_changed_is_followed_again_once_it_has_ended(agent: psycopg.Connection) -> None:
    assert said(agent, "ALTER TABLE orders ADD COLUMN x int", "SELECT upper(note) FROM orders") == "[('N',)]"
    agent.execute("BEGIN")
    agent.execute("DROP TABLE a.slips")
    agent.execute("ROLLBACK")
    assert agent.execute("SELECT id, lower(ssn) FROM a.slips").fetchall() == []
    assert agent.execute("SELECT loud(ssn) FROM people WHERE id = 1").fetchall() == [("***",)]
