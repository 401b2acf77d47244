"""What the canary schema has beside plain tables: extensions, foreign tables, types of users, statistics, large objects, triggers.

Parts need what not every server has: `features` says what is there, and `statements` gives the schema that it can have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from attrs import frozen
from psycopg import sql

from rules.policy import MaskRule
from tests.integration import masking_schema
from tests.support.servers import Server

EXTENSIONS = (
    "hstore", "citext", "ltree", "postgres_fdw", "file_fdw", "pg_stat_statements", "dblink", "tablefunc", "pageinspect", "pgcrypto",
    "unaccent", "xml2",
)  # fmt: skip
LARGE_OBJECT = 424242
SLOT = "canary_slot"

SCHEMA = """
CREATE TYPE address AS (street text, city text);
CREATE DOMAIN code AS text CHECK (VALUE <> '');
CREATE DOMAIN strict_code AS code CHECK (length(VALUE) > 3);
CREATE TYPE canary_level AS ENUM ('low', 'canaryhigh');
CREATE TYPE textrange AS RANGE (subtype = text);
CREATE TABLE wide (
    id int PRIMARY KEY, label text, home address, homes address[], dom strict_code, doms strict_code[], level canary_level,
    levels canary_level[], span int8range, spans int8multirange, words textrange, spot point, grid text[][], js json, price money,
    ratio float8, big numeric, vec tsvector, bits varbit, gone timestamptz,
    loud text GENERATED ALWAYS AS (upper(dom)) STORED
);
CREATE TABLE moments (
    id int PRIMARY KEY, label text, born date, seen timestamptz, local timestamp, times timestamp[],
    ident uuid, net inet, netmask cidr, part bit varying, at daterange
);
CREATE FUNCTION frozen_dom(i int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT dom::text FROM wide WHERE id = i';
CREATE FUNCTION wide_row(i int) RETURNS wide LANGUAGE sql STABLE AS 'SELECT * FROM wide WHERE id = i';
CREATE FUNCTION wide_out(i int, OUT a text, OUT b int) LANGUAGE sql STABLE AS 'SELECT dom::text, id FROM wide WHERE id = i';
CREATE FUNCTION wide_table(i int) RETURNS TABLE (x text, y int) LANGUAGE plpgsql AS
    'BEGIN RETURN QUERY SELECT w.dom::text, w.id FROM wide w WHERE w.id = i; END';
CREATE FUNCTION wide_cursor() RETURNS refcursor LANGUAGE plpgsql AS
    'DECLARE c refcursor := ''canary_cursor''; BEGIN OPEN c FOR SELECT dom FROM wide; RETURN c; END';
CREATE PROCEDURE wide_inout(INOUT x text) LANGUAGE plpgsql AS 'BEGIN SELECT dom INTO x FROM wide LIMIT 1; END';
CREATE FUNCTION wide_fails() RETURNS int LANGUAGE plpgsql AS
    'BEGIN RETURN (SELECT dom::int FROM wide LIMIT 1); END';
CREATE VIEW wide_view WITH (security_barrier) AS SELECT id, dom AS d, home, span FROM wide;
CREATE VIEW wide_rules AS SELECT id, label FROM wide;
CREATE RULE tells AS ON UPDATE TO wide_rules DO INSTEAD UPDATE wide SET label = new.label WHERE id = old.id RETURNING id, dom::text;
CREATE VIEW over_rules AS SELECT id, label FROM wide_rules;
CREATE TABLE answering (id int);
CREATE RULE answers AS ON INSERT TO answering DO INSTEAD SELECT dom::text FROM wide;
CREATE TABLE copying (id int, label text, secret text);
CREATE RULE copies AS ON UPDATE TO copying DO ALSO INSERT INTO trail VALUES (old.secret);
CREATE TABLE told (id int PRIMARY KEY, label text, secret text);
CREATE FUNCTION tells() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_notify(''told'', NEW.secret); RETURN NEW; END';
CREATE TRIGGER tells AFTER UPDATE ON told FOR EACH ROW EXECUTE FUNCTION tells();
CREATE TABLE shouts (id int PRIMARY KEY, label text, secret text CHECK (secret <> 'canarynever'), UNIQUE (secret));
CREATE FUNCTION shouts() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE WARNING ''old %'', OLD.secret USING DETAIL = OLD.secret, HINT = OLD.secret; RETURN NEW; END';
CREATE TRIGGER shouts BEFORE UPDATE ON shouts FOR EACH ROW EXECUTE FUNCTION shouts();
CREATE TABLE owners (id int PRIMARY KEY, label text);
CREATE SCHEMA "Far Away";
CREATE TABLE "Far Away"."To Kens" (
    id int PRIMARY KEY, "Owner" int REFERENCES owners ON DELETE CASCADE ON UPDATE CASCADE, secret text
);
CREATE TRIGGER keeps BEFORE UPDATE OR DELETE ON "Far Away"."To Kens" FOR EACH ROW EXECUTE FUNCTION keep_trail();
CREATE TABLE rooms (id int PRIMARY KEY, label text);
CREATE TABLE doors (id int PRIMARY KEY, room int DEFAULT 2 REFERENCES rooms ON DELETE SET NULL ON UPDATE SET DEFAULT, secret text);
CREATE RULE keeps AS ON UPDATE TO doors DO ALSO INSERT INTO trail VALUES (old.secret);
CREATE TABLE houses (id int PRIMARY KEY, label text);
CREATE TABLE floors (id int PRIMARY KEY REFERENCES houses ON DELETE CASCADE);
CREATE TABLE flats (id int REFERENCES floors ON DELETE CASCADE, secret text) PARTITION BY LIST (id);
CREATE TABLE flats_rest PARTITION OF flats DEFAULT;
CREATE TRIGGER keeps BEFORE DELETE ON flats_rest FOR EACH ROW EXECUTE FUNCTION keep_trail();
CREATE TABLE leavings (id int);
CREATE FUNCTION clears() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM houses WHERE id = NEW.id; RETURN NEW; END';
CREATE TRIGGER clears AFTER INSERT ON leavings FOR EACH ROW EXECUTE FUNCTION clears();
CREATE FUNCTION evicts(i int) RETURNS int LANGUAGE sql AS 'DELETE FROM houses WHERE id = i RETURNING 1';
CREATE FUNCTION moves_out(i int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN evicts(i); END';
CREATE FUNCTION copies_secrets() RETURNS int LANGUAGE sql AS 'INSERT INTO trail SELECT secret FROM doors RETURNING 1';
CREATE PROCEDURE moves_all() LANGUAGE sql AS 'DELETE FROM houses';
CREATE TABLE by_default (id int, done int DEFAULT evicts(1));
CREATE TABLE by_check (id int CHECK (coalesce(evicts(id), 1) > 0));
CREATE TABLE by_condition (id int);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER nothing BEFORE INSERT ON by_condition FOR EACH ROW WHEN (evicts(NEW.id) > 5) EXECUTE FUNCTION nothing();
CREATE DOMAIN evicting AS int CHECK (coalesce(evicts(VALUE), 1) > 0);
CREATE OPERATOR #~# (RIGHTARG = int, FUNCTION = moves_out);
CREATE VIEW evictions AS SELECT evicts(1) AS done;
CREATE TABLE shelves (id int PRIMARY KEY, label text);
CREATE TABLE tins (id int REFERENCES shelves, secret text);
CREATE FUNCTION keep_tins() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO trail SELECT secret FROM tins; RETURN NULL; END';
CREATE TRIGGER keeps BEFORE TRUNCATE ON tins EXECUTE FUNCTION keep_tins();
CREATE TABLE movers (id int, label text, secret text) PARTITION BY LIST (id);
CREATE TABLE movers_1 PARTITION OF movers FOR VALUES IN (1);
CREATE TABLE movers_2 PARTITION OF movers FOR VALUES IN (2);
CREATE FUNCTION keep_new() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO trail VALUES (NEW.secret); RETURN NEW; END';
CREATE TRIGGER keeps BEFORE INSERT ON movers_2 FOR EACH ROW EXECUTE FUNCTION keep_new();
CREATE SCHEMA odd;
CREATE TABLE odd.kept (a text);
CREATE FUNCTION odd.sets(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN PERFORM set_config(''odd.a'', t, false); RETURN ''x''; END';
CREATE FUNCTION odd.sets_any(anyelement) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT set_config(''odd.a'', $1::text, false)';
CREATE FUNCTION odd.sets_rows(text) RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT set_config(''odd.a'', $1, false)';
CREATE FUNCTION odd.calls(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN odd.sets(t); END';
CREATE SEQUENCE odd.numbers;
CREATE FUNCTION odd.counts(n bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN setval(''odd.numbers'', n); END';
CREATE FUNCTION odd.tells(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_notify(''odd'', $1)::text';
CREATE FUNCTION odd.locks(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_advisory_lock($1)::text';
CREATE FUNCTION odd.config(text, text, bool) RETURNS text LANGUAGE internal IMMUTABLE AS 'set_config_by_name';
CREATE FUNCTION odd.file(text) RETURNS text LANGUAGE internal IMMUTABLE AS 'pg_read_file_all';
CREATE FUNCTION odd.words(text) RETURNS SETOF record LANGUAGE internal AS 'ts_stat1';
CREATE FUNCTION odd.object(oid) RETURNS bytea LANGUAGE internal AS 'be_lo_get';
CREATE FUNCTION odd.keeps(s text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN INSERT INTO odd.kept VALUES (s); RETURN true; END';
CREATE FUNCTION odd.keeps_two(s text, t text) RETURNS text LANGUAGE plpgsql AS
    'BEGIN INSERT INTO odd.kept VALUES (t); RETURN ''x''; END';
CREATE FUNCTION odd.either(s text, t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''x''::text';
CREATE FUNCTION odd.same(s text, t varchar) RETURNS bool LANGUAGE plpgsql AS
    'BEGIN INSERT INTO odd.kept VALUES (s); RETURN true; END';
CREATE TYPE odd.stage AS ENUM ('low');
CREATE FUNCTION odd.to_stage(s text) RETURNS odd.stage LANGUAGE plpgsql AS
    'BEGIN INSERT INTO odd.kept VALUES (s); RETURN ''low''::odd.stage; END';
CREATE AGGREGATE odd.keep(text) (sfunc = odd.keeps_two, stype = text, initcond = '');
CREATE AGGREGATE odd.slide(text) (
    sfunc = odd.either, stype = text, initcond = '', msfunc = odd.keeps_two, minvfunc = odd.keeps_two, mstype = text, minitcond = ''
);
CREATE OPERATOR odd.= (LEFTARG = text, RIGHTARG = varchar, FUNCTION = odd.same);
CREATE OPERATOR odd.==> (LEFTARG = text, RIGHTARG = varchar, FUNCTION = odd.same);
CREATE DOMAIN odd.spy AS text CHECK (odd.keeps(VALUE));
CREATE FUNCTION odd.takes(s odd.spy) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN ''x''; END';
CREATE TABLE odd.vault (id int, secret odd.spy);
CREATE DOMAIN odd.plain AS text;
CREATE TABLE odd.plains (id int, secret odd.plain);
CREATE TABLE odd.staged (id int, secret odd.stage);
CREATE TABLE odd.checking (id int, label text, secret text);
CREATE TABLE odd.moving (id int, label text, secret text);
CREATE FUNCTION odd.moves() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO odd.vault VALUES (OLD.id, OLD.secret); RETURN NEW; END';
CREATE TRIGGER moves BEFORE UPDATE ON odd.moving FOR EACH ROW EXECUTE FUNCTION odd.moves();
CREATE DOMAIN odd.asking AS text CHECK (frozen_dom(1)::int > 0);
CREATE TYPE odd.asked AS (a odd.asking, b int);
CREATE FUNCTION odd.returns_spy() RETURNS odd.spy LANGUAGE sql AS 'SELECT dom::text FROM wide LIMIT 1';
CREATE FUNCTION odd.calls_spy() RETURNS text LANGUAGE sql AS 'SELECT odd.returns_spy()::text';
CREATE FUNCTION odd.declares_spy() RETURNS text LANGUAGE plpgsql AS
    'DECLARE v odd.spy; BEGIN SELECT dom::text INTO v FROM wide LIMIT 1; RETURN ''x''; END';
CREATE FUNCTION odd.says(form text) RETURNS int LANGUAGE plpgsql AS
    'BEGIN EXECUTE format(form, (SELECT dom::text FROM wide LIMIT 1)); RETURN 1; END';
CREATE TABLE odd.defaulting (id int, secret odd.spy DEFAULT frozen_dom(1));
CREATE CAST (text AS odd.stage) WITH FUNCTION odd.to_stage(text) AS ASSIGNMENT;
CREATE FUNCTION odd.fetches(c refcursor) RETURNS text LANGUAGE plpgsql AS 'DECLARE r text; BEGIN FETCH c INTO r; RETURN r; END';
CREATE FUNCTION odd.quotes(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT quote_ident($1)';
CREATE FUNCTION odd.quotes_twice(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT odd.quotes($1)';
CREATE TABLE grand (id int, secret text, label text) PARTITION BY LIST (id);
CREATE TABLE grand_1 PARTITION OF grand FOR VALUES IN (1, 2) PARTITION BY RANGE (id);
CREATE TABLE grand_1_a PARTITION OF grand_1 FOR VALUES FROM (1) TO (2);
CREATE TABLE grand_rest PARTITION OF grand DEFAULT;
CREATE TABLE base (id int, label text);
CREATE TABLE derived (secret text) INHERITS (base);
CREATE TABLE derived_again () INHERITS (derived);
CREATE TABLE common (id int, secret text, other text);
CREATE STATISTICS common_mcv (mcv, dependencies) ON secret, other FROM common;
CREATE STATISTICS common_expression ON (upper(secret)) FROM common;
"""
ROWS = """
INSERT INTO wide SELECT i, 'label' || i, ROW('canarystreet' || i, 'c')::address,
    ARRAY[ROW('canarystreet' || i, 'c')::address], 'canarydom' || i, ARRAY['canarydom' || i]::strict_code[], 'canaryhigh',
    ARRAY['canaryhigh']::canary_level[],
    int8range(7654321000000 + i, 7654321000006), int8multirange(int8range(7654321000000 + i, 7654321000006)),
    textrange('canarya', 'canaryb'), point(7654321000000 + i, 1), ARRAY[ARRAY['canarygrid' || i]],
    json_build_object('k', 'canaryjs' || i),
    7654321000001, 7654321000000 + i, 8765432.5 + i, to_tsvector('simple', 'canaryvec' || i), B'101', now()
    FROM generate_series(1, 4) i;
INSERT INTO moments SELECT i, 'label' || i, '1917-03-10'::date + i,
    ('1917-03-10'::date + i) + '11:12:13.123'::time AT TIME ZONE 'UTC',
    ('1917-03-10'::date + i) + '11:12:13.123'::time, ARRAY[('1917-03-10'::date + i) + '11:12:13.123'::time],
    '63616e61-7279-6361-6e61-727963616e61', '6361:6e61:7279::1', '6361:6e61:7279::/48',
    ('x' || encode('canary', 'hex'))::bit(48), daterange('1917-03-10'::date + i, NULL)
    FROM generate_series(1, 4) i;
INSERT INTO copying VALUES (1, 'l', 'canarycopying');
INSERT INTO told VALUES (1, 'l', 'canarytold');
INSERT INTO shouts VALUES (1, 'l', 'canaryshout'), (2, 'l', 'canaryshout2');
INSERT INTO owners VALUES (1, 'l'), (2, 'l');
INSERT INTO "Far Away"."To Kens" VALUES (1, 1, 'canarytoken');
INSERT INTO rooms VALUES (1, 'l'), (2, 'l');
INSERT INTO doors VALUES (1, 1, 'canarydoor');
INSERT INTO houses VALUES (1, 'l');
INSERT INTO floors VALUES (1);
INSERT INTO flats VALUES (1, 'canaryflat');
INSERT INTO shelves VALUES (1, 'l');
INSERT INTO tins VALUES (1, 'canarytin');
INSERT INTO odd.checking VALUES (1, 'l', 'canarychecking');
ALTER TABLE odd.checking ADD CHECK (odd.keeps(secret)) NOT VALID;
INSERT INTO odd.plains VALUES (1, 'canaryplains');
INSERT INTO odd.moving VALUES (1, 'l', 'canarymoving');
INSERT INTO movers VALUES (1, 'l', 'canarymover');
INSERT INTO grand VALUES (1, 'canarygrand1', 'l'), (9, 'canarygrand9', 'l');
INSERT INTO derived VALUES (1, 'l', 'canaryderived');
INSERT INTO derived_again VALUES (2, 'l', 'canaryagain');
INSERT INTO common SELECT i, 'canarycommon' || (i % 3), 'canaryother' || (i % 3) FROM generate_series(1, 300) i;
ANALYZE;
"""
# by the feature that each needs
PARTS = {
    "hstore": """
        CREATE TABLE stores (id int, label text, attrs hstore);
        INSERT INTO stores VALUES (1, 'l', 'k => canaryhstore, canarykey => v'), (2, 'm', 'k => canaryhstore2');
    """,
    "citext": """
        CREATE TABLE cases (id int, label text, mail citext);
        INSERT INTO cases VALUES (1, 'l', 'CanaryCI@shop.test'), (2, 'l', 'canaryci2@shop.test');
    """,
    "ltree": """
        CREATE TABLE trees (id int, label text, path ltree);
        INSERT INTO trees VALUES (1, 'l', 'top.canarytree.leaf'), (2, 'l', 'top.canarytree2');
    """,
    "xml": """
        CREATE TABLE papers (id int, label text, doc xml);
        INSERT INTO papers VALUES (1, 'l', '<a><b>canaryxml</b></a>');
    """,
    "18": """
        CREATE TABLE virtuals (id int, label text, secret text, loud text GENERATED ALWAYS AS (upper(secret)) VIRTUAL);
        INSERT INTO virtuals VALUES (1, 'l', 'canaryvirtual');
    """,
}  # fmt: skip
# No rule names these: they are masked as what they stand for.
STANDING_FOR = (
    "CREATE FOREIGN TABLE stands (no int OPTIONS (column_name 'id'), label text OPTIONS (column_name 'ssn'), "
    "note text OPTIONS (column_name 'name')) SERVER far OPTIONS (schema_name 'public', table_name 'customers')",
    """CREATE FOREIGN TABLE "Far Away"."Stands ""Too" ("a""b" text OPTIONS (column_name 'Weird.Col'), label text) SERVER far """
    """OPTIONS (schema_name 'public', table_name 'Odd "Table')""",
    "CREATE FOREIGN TABLE of_view (id int, number text, label text) SERVER far "
    "OPTIONS (schema_name 'public', table_name 'v_customers')",
    "CREATE FOREIGN TABLE of_stands (what text OPTIONS (column_name 'label')) SERVER far "
    "OPTIONS (schema_name 'public', table_name 'stands')",
    "CREATE FOREIGN TABLE of_stats (tablename text, vals text OPTIONS (column_name 'most_common_vals')) SERVER far "
    "OPTIONS (schema_name 'pg_catalog', table_name 'pg_stats')",
    "CREATE TABLE spread (id int, label text) PARTITION BY LIST (id)",
    "CREATE FOREIGN TABLE spread_1 PARTITION OF spread FOR VALUES IN (1) SERVER far "
    "OPTIONS (schema_name 'public', table_name 'get_label')",
    "CREATE VIEW get_label AS SELECT id, ssn::text AS label FROM customers WHERE id = 1",
    "CREATE FOREIGN TABLE turning (id int, ssn text OPTIONS (column_name 'note')) SERVER far OPTIONS (table_name 'orders')",
    "CREATE VIEW v_stands AS SELECT label AS word FROM stands",
)
RULES = tuple(
    MaskRule(column, masker)
    for column, masker in {
        **{f"public.wide.{name}": "redact" for name in (
            "home", "homes", "dom", "doms", "level", "levels", "span", "spans", "words", "spot", "grid", "js", "price",
            "ratio", "big", "vec",
        )},
        **{f"public.moments.{name}": "redact" for name in (
            "born", "seen", "local", "times", "ident", "net", "netmask", "part", "at",
        )},
        "*.common.other": "null", "*.stores.attrs": "redact", "*.cases.mail": "email", "*.trees.path": "redact",
        "*.papers.doc": "redact", "*.far.ssn": "redact", "*.filed.ssn": "redact",
    }.items()
)  # fmt: skip


@frozen
class Wide:
    """A server's part of the schema."""

    features: frozenset[str]

    @property
    def version(self) -> int:
        return max(int(name) for name in self.features if name.isdigit())


def features(connection: psycopg.Connection[Any]) -> frozenset[str]:
    """Names of extensions, `xml`, and the versions from 15 up to the server's own."""
    major = connection.info.server_version // 10000
    available = {name for (name,) in connection.execute("SELECT name FROM pg_available_extensions")}
    found = {str(each) for each in range(15, major + 1)} | (available & set(EXTENSIONS))
    try:
        connection.execute("SELECT '<a/>'::xml")
        found.add("xml")
    except psycopg.errors.FeatureNotSupported:
        pass
    try:
        connection.execute("SELECT pg_create_logical_replication_slot('canary_probe', 'test_decoding', true)")
        connection.execute("SELECT pg_drop_replication_slot('canary_probe')")
        found.add("test_decoding")
    except psycopg.errors.UndefinedFile:
        pass
    return frozenset(found)


def make(connection: psycopg.Connection[Any], server: Server, dbname: str) -> Wide:
    """Everything that this server can have, in an empty database, the plain schema included."""
    has = features(connection)
    if "test_decoding" in has:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", (SLOT,))
    for name in sorted(has & set(EXTENSIONS)):
        connection.execute(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(name)))
    for statement in (masking_schema.SCHEMA, masking_schema.ROWS, SCHEMA, ROWS):
        connection.execute(statement)
    for name, part in PARTS.items():
        if name in has:
            connection.execute(part)
    for statement in foreign(connection, server, dbname, has):
        connection.execute(statement)
    connection.execute("SELECT lo_from_bytea(%s, 'canarylarge')", (LARGE_OBJECT,))
    connection.execute("CREATE VIEW kept AS SELECT 'canaryview'::text AS word")  # its text stays in pg_stat_statements
    return Wide(has)


def foreign(
    connection: psycopg.Connection[Any], server: Server, dbname: str, has: frozenset[str]
) -> Iterator[sql.Composed | sql.SQL]:
    if "postgres_fdw" in has:
        yield sql.SQL(
            "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port {}, dbname {})"
        ).format(sql.Literal(str(server.port)), sql.Literal(dbname))
        yield sql.SQL("CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user {}, password {})").format(
            sql.Literal(server.user), sql.Literal(server.password)
        )
        yield sql.SQL(
            "CREATE FOREIGN TABLE far (id int, name text, ssn text) SERVER far OPTIONS (table_name 'customers')"
        )
        yield from (sql.SQL(each) for each in STANDING_FOR)
    if "file_fdw" in has:
        row = connection.execute("SELECT current_setting('data_directory') || '/canary.csv'").fetchone()
        assert row is not None
        yield sql.SQL("COPY (SELECT id, name, ssn FROM customers) TO {} CSV").format(sql.Literal(row[0]))
        yield sql.SQL("CREATE SERVER files FOREIGN DATA WRAPPER file_fdw")
        yield sql.SQL(
            "CREATE FOREIGN TABLE filed (id int, name text, ssn text) SERVER files OPTIONS (filename {}, format 'csv')"
        ).format(sql.Literal(row[0]))


def drop(connection: psycopg.Connection[Any]) -> None:
    """What would keep the database from being dropped."""
    connection.execute(
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s AND active", (SLOT,)
    )
    connection.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", (SLOT,)
    )
