"""Routines in SQL that write: one that puts no masked value anywhere runs when it is called, and one that may is held."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "sql_routines"
SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name text, ssn text);
INSERT INTO people VALUES (1, 'Ann', 'canary1'), (2, 'Bo', 'canary2');
CREATE TABLE runs (at timestamptz DEFAULT now(), what text);
CREATE TABLE watched (what text);
CREATE TABLE sink (what text);
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO sink SELECT ssn FROM people; RETURN NEW; END';
CREATE TRIGGER keep BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION keep();
CREATE FUNCTION checked() RETURNS bigint LANGUAGE sql AS
    $$ INSERT INTO runs (what) VALUES ('checked'); SELECT count(*) FROM people WHERE ssn IS NOT NULL $$;
CREATE FUNCTION renamed(i int, n text) RETURNS text LANGUAGE sql AS
    $$ UPDATE people SET name = n WHERE id = i; SELECT ssn FROM people WHERE id = i $$;
CREATE PROCEDURE noted(what text) LANGUAGE sql AS $$ INSERT INTO runs (what) VALUES (what); DELETE FROM runs WHERE what = 'old' $$;
CREATE FUNCTION nested() RETURNS bigint LANGUAGE sql AS $$ SELECT checked() $$;
CREATE FUNCTION copied() RETURNS int LANGUAGE sql AS $$ INSERT INTO runs (what) SELECT ssn FROM people; SELECT 1 $$;
CREATE FUNCTION copied_returning() RETURNS text LANGUAGE sql AS
    $$ WITH s AS (SELECT ssn FROM people) INSERT INTO runs (what) SELECT upper(ssn) FROM s RETURNING what $$;
CREATE FUNCTION guessed(p text) RETURNS int LANGUAGE sql AS
    $$ INSERT INTO runs (what) SELECT 'hit' FROM people WHERE ssn LIKE p; SELECT 1 $$;
CREATE FUNCTION fires() RETURNS int LANGUAGE sql AS $$ INSERT INTO watched VALUES ('x'); SELECT count(ssn)::int FROM people $$;
CREATE FUNCTION outer_one() RETURNS int LANGUAGE sql AS $$ SELECT copied() $$;
CREATE FUNCTION in_variable() RETURNS int LANGUAGE plpgsql AS
    'DECLARE s text; BEGIN SELECT ssn INTO s FROM people LIMIT 1; INSERT INTO runs (what) VALUES (s); RETURN 1; END';
CREATE FUNCTION remembered() RETURNS text LANGUAGE sql AS
    $$ SELECT set_config('app.s', (SELECT ssn FROM people LIMIT 1), false); INSERT INTO runs (what) VALUES ('x'); SELECT 'y' $$;
CREATE FUNCTION given(s text) RETURNS int LANGUAGE sql AS
    $$ INSERT INTO runs (what) VALUES (s); SELECT count(ssn)::int FROM people $$;
CREATE VIEW giving AS SELECT given(ssn) AS made FROM people;
"""
RUNS = [
    ("SELECT checked()", None), ("SELECT renamed(1, 'Anna')", [("***",)]), ("SELECT nested()", None), ("CALL noted('x')", None),
]  # fmt: skip
HELD = [
    "SELECT copied()", "SELECT copied_returning()", "SELECT guessed('canary1%')", "SELECT fires()", "SELECT outer_one()",
    "SELECT in_variable()", "SELECT remembered()", "SELECT made FROM giving", "SELECT given(ssn) FROM people",
    "CALL noted((SELECT max(ssn) FROM people))",
]  # fmt: skip


@pytest.fixture(scope="module")
def gateway(postgres18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with psycopg.connect(postgres18.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(postgres18.dsn(DBNAME), autocommit=True) as connection:
        connection.execute(SCHEMA)
    plan = GatewayPlan(server=postgres18, dbname=DBNAME, masks={"public.people.ssn": "redact"}, wait_s=0)
    with running_gateway(plan, tmp_path_factory.mktemp("routines")) as found:
        yield found


@pytest.mark.parametrize(("sql", "rows"), RUNS)
def test_a_routine_that_writes_no_masked_value_runs(gateway: Gateway, sql: str, rows: list[object] | None) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        found = agent.execute(sql.encode())  # what it returns may be masked all the same
        assert rows is None or found.fetchall() == rows
        shown = str(agent.execute("SELECT what FROM runs UNION ALL SELECT name FROM people").fetchall())
    assert "canary" not in shown


@pytest.mark.parametrize("sql", HELD)
def test_a_routine_that_may_write_one_is_held(gateway: Gateway, sql: str) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as held:
            agent.execute(sql.encode())
        assert 'held by rule "mask"' in str(held.value)
        shown = agent.execute(
            "SELECT what FROM runs UNION ALL SELECT what FROM sink UNION ALL SELECT what FROM watched"
        )
        assert "canary" not in str(shown.fetchall())
        assert agent.execute("SELECT current_setting('app.s', true)").fetchall() in ([(None,)], [("",)], [("***",)])
