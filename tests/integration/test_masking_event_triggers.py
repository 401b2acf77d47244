"""A change of definitions that fires an event trigger which copies masked columns is held, and what fires none is not."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import trio

from rules.masking import MaskSet, compile_masks
from rules.model import Dialect, Identity, Kind, Namespace, Statement
from rules.policy import MaskRule, Policy
from tests.support.servers import Server
from wireproxy.catalog import load_postgres
from wireproxy.config.model import Database

pytestmark = pytest.mark.integration
DBNAME = "masking_event_triggers"
SCHEMA = """
CREATE TABLE people (id int, name text, ssn text);
INSERT INTO people VALUES (1, 'n', 'canary');
CREATE TABLE copied (what text);
CREATE TABLE wanted (id int);
CREATE SCHEMA moving;
CREATE TABLE moving.thing (id int);
CREATE FUNCTION makes() RETURNS int LANGUAGE plpgsql AS 'BEGIN CREATE TEMP TABLE made (id int); RETURN 1; END';
CREATE FUNCTION made() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM makes(); RETURN NEW; END';
CREATE TRIGGER makes BEFORE INSERT ON wanted FOR EACH ROW EXECUTE FUNCTION made();
CREATE FUNCTION "Keeps It"() RETURNS event_trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.copied SELECT ssn FROM public.people; END';
CREATE FUNCTION keeps_texts() RETURNS event_trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.copied VALUES (tg_tag || current_query()); END';
CREATE EVENT TRIGGER keeps_texts ON ddl_command_start EXECUTE FUNCTION keeps_texts();
"""
FIRING = [
    "CREATE TABLE new (id int)",
    "CREATE TEMP TABLE new (id int)",
    "CREATE TABLE new AS SELECT id FROM people",
    "SELECT id INTO new FROM people",
    "SELECT id INTO new FROM people UNION SELECT 2",
    "CREATE VIEW new AS SELECT 1 AS id",
    "CREATE SEQUENCE new",
    "CREATE FUNCTION new() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "COMMENT ON TABLE wanted IS 'x'",
    "GRANT SELECT ON wanted TO PUBLIC",
    "ALTER TABLE wanted ADD COLUMN more int",
    "ALTER SCHEMA moving RENAME TO moved",
    "DROP TABLE moving.thing",
    "DO 'BEGIN CREATE TEMP TABLE x (id int); END'",
    "SELECT makes()",
    "INSERT INTO wanted VALUES (1)",
]
QUIET = [
    "SELECT id FROM people",
    "INSERT INTO copied VALUES ('x')",
    "UPDATE people SET name = 'x'",
    "SET work_mem = '8MB'",
    "CREATE ROLE never_made",
    "TRUNCATE copied",
    "EXPLAIN ANALYZE CREATE TABLE new AS SELECT id FROM people",
    "DO 'BEGIN PERFORM 1; END'",
]  # fmt: skip


@pytest.fixture(scope="module")
def owner(postgres18: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres18.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(postgres18.dsn(DBNAME)) as connection:
            connection.execute(SCHEMA)
            connection.commit()
            yield connection
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


def masks(server: Server) -> MaskSet:
    database = Database("shop", Dialect.POSTGRES, server.host, server.port, DBNAME, server.user, tls="disable")
    catalog = trio.run(load_postgres, database, server.password)
    found = compile_masks((MaskRule("*.ssn", "redact"),), "shop", Identity("a"), catalog, Policy("p", ()), b"k" * 32)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def before(postgres18: Server, owner: psycopg.Connection) -> MaskSet:
    return masks(postgres18)


@pytest.fixture(scope="module")
def masked(postgres18: Server, owner: psycopg.Connection, before: MaskSet) -> MaskSet:
    owner.execute('CREATE EVENT TRIGGER "Keeps It" ON ddl_command_end EXECUTE FUNCTION "Keeps It"()')
    owner.commit()
    return masks(postgres18)


def held(sql: str, found: MaskSet) -> list[str]:
    (result,) = found.examine(sql, (Statement(sql, Kind.DDL, "?"),), Namespace())
    return [finding.reason for finding in result.findings]


@pytest.mark.parametrize("sql", FIRING)
def test_a_statement_that_fires_it_is_held(
    owner: psycopg.Connection, before: MaskSet, masked: MaskSet, sql: str
) -> None:
    assert held(sql, before) == [], "one that keeps the texts of statements keeps what the client wrote"
    assert "what the event trigger Keeps It writes would hold public.people.ssn unmasked" in held(sql, masked)
    owner.execute(sql)
    assert owner.execute("SELECT bool_or(what = 'canary') FROM copied").fetchone() == (True,)
    owner.rollback()


@pytest.mark.parametrize("sql", QUIET)
def test_what_fires_none_is_not(owner: psycopg.Connection, masked: MaskSet, sql: str) -> None:
    assert held(sql, masked) == []
    owner.execute(sql)
    assert owner.execute("SELECT count(*) FROM copied WHERE what = 'canary'").fetchone() == (0,)
    owner.rollback()


def test_the_copy_inherits_the_mask_if_people_let_it_run(masked: MaskSet) -> None:
    sql = "CREATE TABLE new (id int)"
    (found,) = masked.examine(sql, (Statement(sql, Kind.DDL, "CreateStmt"),), Namespace())
    assert [(move.schema, move.relation) for move in found.moves] == [("public", "copied")]


def test_one_that_is_switched_off_is_none(postgres18: Server, owner: psycopg.Connection, masked: MaskSet) -> None:
    owner.execute('ALTER EVENT TRIGGER "Keeps It" DISABLE')
    owner.commit()
    assert held("CREATE TABLE new (id int)", masks(postgres18)) == []
