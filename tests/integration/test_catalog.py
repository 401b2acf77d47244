"""The catalog as it is read from real servers, by a role that may do nothing but connect."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
from attrs import evolve

from rules.catalog import Catalog, CatalogReference, CatalogTrigger
from rules.classify.postgres import classify
from rules.model import Dialect, Effect, Namespace, Volatility
from tests.support.servers import Server
from wireproxy.catalog import CatalogError, load_postgres, stale
from wireproxy.config.model import Database
from wireproxy.side import Parameters, changes_rows, estimate_rows, preview

pytestmark = pytest.mark.integration
DBNAME = "catalog_reading"
ROLE = "catalog_reader"
SCHEMA = """
CREATE DOMAIN code AS varchar(10);
CREATE DOMAIN inner_code AS code;
CREATE TABLE t (id int PRIMARY KEY, c inner_code, dropped int, total int GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE t DROP COLUMN dropped;
INSERT INTO t (id, c) SELECT n, 'c' || n FROM generate_series(1, 100) n;
CREATE VIEW v AS SELECT id, c AS code FROM t;
CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t;
CREATE TABLE part (id int) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE child () INHERITS (t);
CREATE FUNCTION one(a int, OUT x int, OUT y text) LANGUAGE sql STABLE AS 'SELECT 1, ''x''';
CREATE FUNCTION atomic(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT id FROM t; END;
CREATE FUNCTION keep(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE AGGREGATE kept(int) (sfunc = keep, stype = int);
CREATE OPERATOR @@@@ (LEFTARG = int, RIGHTARG = int, FUNCTION = keep);
CREATE FUNCTION tells() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN coalesce(NEW, OLD); END';
CREATE TRIGGER a_row AFTER INSERT OR UPDATE OF c ON t FOR EACH ROW EXECUTE FUNCTION tells();
CREATE TRIGGER b_rows AFTER DELETE ON t REFERENCING OLD TABLE AS gone EXECUTE FUNCTION tells();
CREATE TRIGGER c_off AFTER DELETE ON t EXECUTE FUNCTION tells();
ALTER TABLE t DISABLE TRIGGER c_off;
CREATE FUNCTION writes(int DEFAULT 1) RETURNS boolean LANGUAGE sql AS 'INSERT INTO part_1 VALUES ($1) RETURNING true';
CREATE FUNCTION by_default(a boolean DEFAULT writes(2), b int DEFAULT 5) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE DOMAIN checked AS int CHECK (writes(VALUE));
CREATE DOMAIN deeper AS checked;
CREATE TYPE holder AS (c deeper);
CREATE DOMAIN plain AS int CHECK (VALUE > 0);
CREATE FUNCTION takes(deeper) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE TYPE thing AS (a int);
CREATE FUNCTION thing_to_xid(thing) RETURNS xid LANGUAGE plpgsql AS 'BEGIN PERFORM writes(3); RETURN ''1''::xid; END';
CREATE CAST (thing AS xid) WITH FUNCTION thing_to_xid(thing);
CREATE SCHEMA other;
CREATE TABLE "Two Keys" ("A" int, b int, c int, PRIMARY KEY ("A", b)) PARTITION BY HASH (b, "A");
CREATE TABLE two_1 PARTITION OF "Two Keys" FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE other.refers (x int, y int, id int REFERENCES t ON DELETE CASCADE ON UPDATE SET DEFAULT,
    FOREIGN KEY (y, x) REFERENCES "Two Keys" ("A", b) ON DELETE SET NULL);
CREATE FUNCTION kept_as(int, int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE TABLE counted (id serial, n int CHECK (n > 0));
CREATE TABLE computing (id int DEFAULT keep(1, 2), CHECK (keep(id, 3) > 0));
CREATE TRIGGER computes BEFORE INSERT ON computing FOR EACH ROW WHEN (keep(NEW.id, 4) > 0) EXECUTE FUNCTION tells();
CREATE INDEX ON computing (kept_as(id, 5)) WHERE kept_as(id, 6) > 0;
CREATE POLICY computes ON computing USING (keep(id, 7) > 0);
CREATE TABLE by_expression (id int) PARTITION BY RANGE ((id + 1));
CREATE TABLE other."Mixed Case" ("A" int);
ANALYZE;
"""


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    server: Server = request.getfixturevalue(request.param)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        admin.execute(f"DROP ROLE IF EXISTS {ROLE}")
        admin.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'reader-secret'")
        with psycopg.connect(server.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield Database(request.param, Dialect.POSTGRES, server.host, server.port, DBNAME, ROLE, tls="prefer")
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")
        admin.execute(f"DROP ROLE {ROLE}")


async def loaded(database: Database) -> Catalog:
    return await load_postgres(database, "reader-secret", 7)


async def test_tables_columns_and_domains(database: Database) -> None:
    catalog = await loaded(database)
    assert catalog.version == 7
    assert catalog.server_version >= 150000
    table = catalog.relations["public", "t"]
    assert [(column.name, column.attribute, column.type_oid) for column in table.columns] == [
        ("id", 1, 23),
        ("c", 2, 1043),  # what lies beneath a domain over a domain
        ("total", 4, 23),  # behind the dropped column
    ]
    assert table.columns[2].generated == "(id * 2)"
    assert catalog.by_oid[table.oid] is table
    assert catalog.relations["other", "Mixed Case"].columns[0].name == "A"


async def test_definitions_and_inheritance(database: Database) -> None:
    catalog = await loaded(database)
    view = catalog.relations["public", "v"]
    assert view.kind == "v"
    assert "public.t" in (view.definition or "")
    assert catalog.relations["public", "m"].definition is not None
    assert catalog.relations["public", "part_1"].parents == (catalog.relations["public", "part"].oid,)
    assert catalog.relations["public", "child"].parents == (catalog.relations["public", "t"].oid,)
    assert catalog.relations["pg_catalog", "pg_stats"].definition is None
    assert catalog.found("t", ("nowhere", "public")) == [catalog.relations["public", "t"]]


async def test_triggers_that_are_switched_on(database: Database) -> None:
    catalog = await loaded(database)
    assert catalog.relations["public", "t"].triggers == (
        CatalogTrigger("a_row", frozenset({"INSERT", "UPDATE"}), "public", "tells", transition=False),
        CatalogTrigger("b_rows", frozenset({"DELETE"}), "public", "tells", transition=True),
    )
    assert catalog.relations["public", "child"].triggers == ()


async def test_foreign_keys_as_the_table_sees_them_that_they_refer_to(database: Database) -> None:
    catalog = await loaded(database)
    by = catalog.relations["other", "refers"].oid
    assert catalog.relations["public", "t"].references == (CatalogReference(by, ("id",), ("id",), "DELETE", "UPDATE"),)
    assert catalog.relations["public", "Two Keys"].references == (
        CatalogReference(by, ("A", "b"), ("y", "x"), "UPDATE", None),
    )
    assert catalog.relations["other", "refers"].references == ()


async def test_what_is_computed_of_a_row_that_is_written(database: Database) -> None:
    catalog = await loaded(database)
    computed = catalog.relations["public", "computing"].computed or ""
    for word in ("keep(1, 2)", "keep(id, 3)", "keep(new.id, 4)", "kept_as(id, 5)", "kept_as(id, 6)", "keep(id, 7)"):
        assert word in computed.lower().replace("public.", ""), word
    assert catalog.relations["public", "t"].computed is None
    assert catalog.relations["public", "counted"].computed is None


async def test_columns_that_partitions_are_made_by(database: Database) -> None:
    catalog = await loaded(database)
    assert set(catalog.relations["public", "Two Keys"].partition_key or ()) == {"A", "b"}
    assert catalog.relations["public", "part"].partition_key == ("id",)
    assert catalog.relations["public", "by_expression"].partition_key is None


async def test_routines_and_operators(database: Database) -> None:
    catalog = await loaded(database)
    (one,) = catalog.functions["public", "one"]
    assert (one.columns, one.volatility, one.arguments, one.returns) == (("x", "y"), Volatility.STABLE, 1, "record")
    (atomic,) = catalog.functions["public", "atomic"]
    assert "public.t" in (atomic.body or "") or "t.id" in (atomic.body or "")
    (kept,) = catalog.functions["public", "kept"]
    assert (kept.language, kept.kind) == ("aggregate", "a")
    assert "keep" in (kept.body or "")
    assert catalog.operators["@@@@"] == (("public", "keep"),)
    assert any(each.volatility is Volatility.VOLATILE for each in catalog.functions["pg_catalog", "set_config"])
    assert catalog.functions["pg_catalog", "generate_series"][0].returns.startswith("SETOF")


HIDDEN = [
    "SELECT by_default()",
    "SELECT '1'::checked",
    "SELECT checked '1'",
    "SELECT CAST(1 AS deeper)",
    "SELECT ('1').checked",
    "SELECT '{1}'::checked[]",
    "SELECT '{1}'::_deeper",
    "SELECT '(1)'::holder",
    "SELECT * FROM jsonb_to_record('{\"c\": 1}') AS x(c checked)",
    "SELECT jsonb_populate_record(NULL::holder, '{\"c\": 1}')",
    "SELECT takes(1)",
    "SELECT ROW(1)::thing::xid",
    "SELECT ARRAY[ROW(1)::thing]::xid[]",
]


@pytest.mark.parametrize("sql", HIDDEN)
async def test_what_defaults_domains_and_casts_do_is_seen(
    database: Database, request: pytest.FixtureRequest, sql: str
) -> None:
    """Each writes a row: the server says so, and so do we."""
    server: Server = request.getfixturevalue(database.name)
    with psycopg.connect(server.dsn(DBNAME)) as owner:
        owner.execute(sql)
        assert owner.execute("SELECT count(*) > 0 FROM part_1").fetchone() == (True,)
        owner.rollback()
    (found,) = classify(sql, Namespace(search_path=("public",)), await loaded(database))
    assert Effect.WRITE in found.effects
    assert found.opaque is None


async def test_domains_and_casts_that_do_nothing_leave_a_read_one(database: Database) -> None:
    catalog = await loaded(database)
    assert "plain" not in catalog.conversions
    for sql in ("SELECT 1::plain", "SELECT '1'::code", "SELECT '(1)'::thing", "SELECT id::text, 5::int FROM t"):
        (found,) = classify(sql, Namespace(search_path=("public",)), catalog)
        assert found.effects == {Effect.READ}, sql


async def test_a_name_that_the_snapshot_lacks_makes_it_stale(database: Database) -> None:
    catalog = await loaded(database)
    assert stale(catalog, ("nosuch",))
    assert not stale(catalog, ("t", "public.v"))


async def test_a_wrong_password_is_an_error_without_the_password(database: Database) -> None:
    with pytest.raises(CatalogError) as caught:
        await load_postgres(database, "wrong-secret")
    assert "secret" not in str(caught.value)


async def test_a_server_that_is_not_there_is_an_error(database: Database) -> None:
    gone = evolve(database, host="127.0.0.1", port=1, connect_timeout_s=2.0)
    with pytest.raises(CatalogError, match="cannot connect"):
        await load_postgres(gone, None)


async def test_a_catalog_is_read_quickly(database: Database) -> None:
    took = []
    for _ in range(3):  # the best of three: a busy machine may take its time for any one
        started = time.monotonic()
        await loaded(database)
        took.append(time.monotonic() - started)
    assert min(took) < 5.0


async def test_estimates_and_previews_leave_nothing_behind(database: Database, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(database.name)
    owner = evolve(database, user=server.user)
    for values in (Parameters((b"11",)), Parameters((b"\0\0\0\x0b",), (1,), (23,))):
        statement = "DELETE FROM t WHERE id < $1"
        assert 1 <= await estimate_rows(owner, server.password, statement, values) <= 100
        seen = await preview(owner, server.password, statement, values)
        assert (seen.rows, seen.tag) == (10, "DELETE 10")
    assert (await preview(owner, server.password, "UPDATE t SET c = 'x'", search_path="public")).rows == 100
    for refused in ("DROP TABLE t", "DELETE FROM t; DELETE FROM t", "SELECT 1", "not sql", "DELETE FROM nosuch"):
        with pytest.raises(CatalogError):
            await preview(owner, server.password, refused)
    with psycopg.connect(server.dsn(DBNAME)) as connection:
        assert connection.execute("SELECT count(*) FROM t WHERE c <> 'x'").fetchone() == (100,)


async def test_a_preview_advances_sequences(database: Database, request: pytest.FixtureRequest) -> None:
    """docs/limitations.md has it: no server takes these back."""
    server: Server = request.getfixturevalue(database.name)
    with psycopg.connect(server.dsn(DBNAME), autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE advanced")
        owner = evolve(database, user=server.user)
        await preview(owner, server.password, "UPDATE t SET c = nextval('public.advanced')::text WHERE id < 11")
        assert connection.execute("SELECT last_value FROM advanced").fetchone() == (10,)
        connection.execute("DROP SEQUENCE advanced")


async def test_a_preview_does_not_wait_for_a_lock(database: Database, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(database.name)
    with psycopg.connect(server.dsn(DBNAME)) as blocker:
        blocker.execute("LOCK TABLE t")
        with pytest.raises(CatalogError, match="lock timeout"):
            await preview(evolve(database, user=server.user), server.password, "DELETE FROM t")


def test_only_changes_of_rows_are_previewed() -> None:
    assert changes_rows("WITH x AS (SELECT 1) UPDATE t SET id = 1")
    assert not changes_rows("SELECT 1")
    assert not changes_rows("DELETE FROM t; DROP TABLE t")
    assert not changes_rows("EXPLAIN ANALYZE DELETE FROM t")
