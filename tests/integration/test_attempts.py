"""What `agent-default` lets through leaves nothing behind: statements made to get a change past it, run on real servers.

Each is judged with the catalog, as in the gateway. What is allowed runs in a transaction, and the session is looked at before and
after: transaction ID, rows, locks, settings, role, channels, sequences, large objects, definitions, and a table that functions
in every corner of the schema write to.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from attrs import frozen
from psycopg.rows import tuple_row

from rules.config import pack
from rules.judge import Judge
from rules.model import Allow, Dialect, Effect, Identity, Namespace
from tests.rules.test_classify_postgres_nodes import PLACES
from tests.support.servers import Server
from tools.differential_postgres import ASPECTS, STATE
from wireproxy.catalog import read

pytestmark = pytest.mark.integration
DBNAME = "attempts"
CORPUS = Path(__file__).parent.parent / "corpus" / "postgres" / "attempts.sql"
SCHEMA = """
CREATE SCHEMA app; SET search_path = app, public;
CREATE TABLE t (id int PRIMARY KEY, a text, x xml, j jsonb, r int4range); INSERT INTO t (id, a) VALUES (1, 'one'), (2, 'two');
CREATE TABLE u (id int, a int); INSERT INTO u VALUES (1, 1);
CREATE TABLE log (msg text);
CREATE SEQUENCE s;
CREATE FUNCTION w() RETURNS int LANGUAGE sql AS $$INSERT INTO app.log VALUES ('w') RETURNING 1$$;
CREATE FUNCTION wd() RETURNS int SECURITY DEFINER LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.log VALUES ('w'); RETURN 1; END$$;
CREATE FUNCTION wi(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$BEGIN PERFORM app.wd(); RETURN 1; END$$;
CREATE FUNCTION stepf(int, int) RETURNS int LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.log VALUES ('agg'); RETURN 1; END$$;
CREATE AGGREGATE agg(int) (SFUNC = stepf, STYPE = int, INITCOND = '0');
CREATE FUNCTION dflt(a int DEFAULT app.wd()) RETURNS int LANGUAGE sql IMMUTABLE AS $$SELECT a$$;
CREATE FUNCTION opf(int, int) RETURNS bool LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.log VALUES ('op'); RETURN true; END$$;
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, PROCEDURE = opf);
CREATE VIEW v AS SELECT id, app.wd() AS z FROM app.t;
CREATE VIEW v2 AS SELECT * FROM app.v;
CREATE VIEW vnext AS SELECT nextval('app.s');
CREATE TYPE comp AS (a int);
CREATE FUNCTION castf(comp) RETURNS int LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.log VALUES ('cast'); RETURN 1; END$$;
CREATE CAST (comp AS int) WITH FUNCTION castf(comp);
CREATE FUNCTION chk(int) RETURNS bool LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.log VALUES ('chk'); RETURN true; END$$;
CREATE DOMAIN dom AS int CHECK (app.chk(VALUE));
CREATE FUNCTION attr(app.t) RETURNS int LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.log VALUES ('attr'); RETURN 1; END$$;
CREATE FUNCTION coll() RETURNS SETOF int LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.log VALUES ('srf'); RETURN NEXT 1; END$$;
CREATE PROCEDURE pr() LANGUAGE sql AS $$INSERT INTO app.log VALUES ('p')$$;
CREATE FUNCTION dynf(q text) RETURNS int LANGUAGE plpgsql AS $$BEGIN EXECUTE q; RETURN 1; END$$;
CREATE TYPE dd AS (d app.dom); CREATE TABLE dtab (d app.dom); CREATE DOMAIN dd2 AS app.dom;
CREATE FUNCTION useddom() RETURNS int LANGUAGE plpgsql AS $$DECLARE x app.dom := 1; BEGIN RETURN x; END$$;
CREATE FUNCTION argdom(app.dom) RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN 1; END$$;
CREATE FUNCTION ok(int) RETURNS int LANGUAGE sql IMMUTABLE AS $$SELECT $1 + 1$$;
"""
FURTHER = """
SELECT (SELECT string_agg(msg, ',') FROM app.log), (SELECT string_agg(id || coalesce(a, ''), ',' ORDER BY id) FROM app.t),
       (SELECT last_value || is_called::text FROM app.s), (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_proc),
       (SELECT count(*) FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
       (SELECT count(*) FROM pg_prepared_statements), current_setting('search_path')
"""
NAMES = (
    *ASPECTS,
    "log",
    "t",
    "s",
    "relations",
    "functions",
    "large objects",
    "advisory locks",
    "prepared",
    "search_path",
)
ACTS = (
    "wd()",
    "nextval('app.s')",
    "pg_advisory_xact_lock(1)",
    "set_config('work_mem', '1MB', false)",
    "lo_create(0)",
    "(1 === 2)::int",
)
TAKES_ID = ("txid_current()", "pg_current_xact_id()")  # which is all that these two do


@frozen
class Target:
    server: Server
    judge: Judge
    namespace: Namespace

    def allows(self, text: str) -> bool:
        return isinstance(self.judge.judge(text.encode(), self.namespace).decision, Allow)

    def effects(self, text: str) -> frozenset[Effect]:
        found = self.judge.judge(text.encode(), self.namespace).statements
        return frozenset().union(*(each.effects for each in found))

    def changes(self, text: str) -> set[str]:
        """What is different after the text has run. Nothing of it lasts."""
        with psycopg.connect(self.server.dsn(DBNAME), autocommit=True, prepare_threshold=None) as connection:
            connection.execute("SET search_path = app, public; SET statement_timeout = '5s'; BEGIN")
            before = self._looked(connection)
            connection.pgconn.exec_(b"SAVEPOINT look")
            if connection.pgconn.exec_(text.encode()).status == psycopg.pq.ExecStatus.FATAL_ERROR:
                connection.pgconn.exec_(b"ROLLBACK TO look")
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
                return {"the transaction"}
            after = self._looked(connection)
            connection.execute("ROLLBACK")
        return {name for name, one, other in zip(NAMES, before, after, strict=True) if one != other}

    def _looked(self, connection: psycopg.Connection) -> tuple[object, ...]:
        state, further = connection.execute(STATE).fetchone(), connection.execute(FURTHER).fetchone()
        assert state is not None
        assert further is not None
        return (*state, *further)


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    server: Server = request.getfixturevalue(request.param)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
        with psycopg.connect(server.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
        with psycopg.connect(server.dsn(DBNAME), row_factory=tuple_row) as connection:
            catalog, version = read(connection, 1), connection.info.server_version
        judge = Judge(Dialect.POSTGRES, pack("agent-default"), DBNAME, Identity("agent"), catalog, None)
        yield Target(server, judge, Namespace(search_path=("app", "public"), user=server.user, server_version=version))
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


def attempts() -> list[str]:
    return [text for text in CORPUS.read_text(encoding="utf-8").split("\n--\n")[1:] if text.strip()]


def unexplained(target: Target, text: str) -> set[str]:
    """What an allowed text changes beside what its effects say, and the policy lets through."""
    changed = target.changes(text)
    effects = target.effects(text)
    if Effect.SETTING in effects:
        changed -= {"settings", "search_path"}
    if Effect.TRANSACTION in effects:
        changed -= {"the transaction"}
    if any(call in text for call in TAKES_ID):
        changed -= {"transaction id", "locks"}
    return changed


def test_no_attempt_that_passes_leaves_anything_behind(target: Target) -> None:
    allowed = [text for text in attempts() if target.allows(text)]
    left = {text: found for text in allowed if (found := unexplained(target, text))}
    assert left == {}
    assert 40 < len(allowed) < 90, "some are near-misses, which must pass"


def test_no_place_in_the_grammar_hides_an_act(target: Target) -> None:
    """Each kind of act in each place where an expression can stand."""
    left: dict[str, set[str]] = {}
    acted = 0
    for place in PLACES:
        if place.startswith("COPY"):
            continue  # its data would have to be moved
        for act in ACTS:
            text = place.replace("{}", act)
            if target.allows(text):
                if found := unexplained(target, text):
                    left[text] = found
            elif act == ACTS[0]:
                acted += "log" in target.changes(text)
    assert left == {}
    assert acted > 40, "many of these act when they run, on any version"
