"""What the server says beside results: parameters that it reports, notifications and notices carry no masked value."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from attrs import frozen

from tests.integration.canary_forms_postgres import canaries
from tests.integration.wiretap import Wiretap, tapped
from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "masking_channels"
SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name text, ssn text);
INSERT INTO people VALUES (1, 'name', 'canaryssn1');
CREATE TABLE noted (id int);
CREATE FUNCTION names_session(i int) RETURNS int LANGUAGE plpgsql AS
    'BEGIN PERFORM set_config(''application_name'', (SELECT ssn FROM people WHERE id = i), false); RETURN i; END';
CREATE FUNCTION names_once() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM set_config(''application_name'', (SELECT ssn FROM people WHERE id = 1), false); RETURN NEW; END';
CREATE FUNCTION zones(i int) RETURNS int LANGUAGE plpgsql AS
    'BEGIN PERFORM set_config(''TimeZone'', (SELECT ssn FROM people WHERE id = i), false); RETURN i; END';
CREATE TRIGGER names_once BEFORE INSERT ON noted FOR EACH ROW EXECUTE FUNCTION names_once();
CREATE FUNCTION warns(i int) RETURNS int LANGUAGE plpgsql AS
    'DECLARE r text; BEGIN SELECT ssn INTO r FROM people WHERE id = i;
     RAISE NOTICE ''of % it is %'', i, r; RAISE WARNING USING
     MESSAGE = r, DETAIL = r, HINT = r, TABLE = r, CONSTRAINT = r; RETURN i; END';
CREATE FUNCTION sets_own(i int) RETURNS int LANGUAGE plpgsql AS
    'BEGIN PERFORM set_config(''my.own'', ssn, false) FROM people WHERE id = i; RETURN i; END';
CREATE FUNCTION sets_in_sql(i int) RETURNS int LANGUAGE sql AS
    'SELECT length(set_config(''my.own'', ssn, false)) FROM people WHERE id = i';
CREATE FUNCTION sets_variable(i int) RETURNS int LANGUAGE plpgsql AS 'DECLARE r text; BEGIN
    SELECT ssn INTO r FROM people WHERE id = i; PERFORM set_config(''my.own'', r, false); RETURN i; END';
CREATE FUNCTION sets_by_another(i int) RETURNS int LANGUAGE sql AS 'SELECT sets_own(i)';
CREATE VIEW setting AS SELECT id, set_config('my.own', ssn, false) IS NULL AS done FROM people;
CREATE VIEW over_setting AS SELECT id FROM setting WHERE done IS NOT NULL;
CREATE FUNCTION counts(i int) RETURNS bigint LANGUAGE plpgsql AS
    'BEGIN PERFORM set_config(''statement_timeout'', ''7000'', true); RETURN (SELECT count(*) FROM people); END';
CREATE PROCEDURE tells(i int) LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_notify(''news'', (SELECT ssn FROM people WHERE id = i)); END';
"""
ASKED = {
    "a parameter that a function sets": "SELECT names_session(1)",
    "the time zone, which takes any word and number": "SELECT zones(1)",
    "a parameter that a function sets in a cursor": "BEGIN; DECLARE k CURSOR FOR SELECT names_session(1); FETCH k; ROLLBACK",
    "a parameter that a trigger sets": "INSERT INTO noted VALUES (1)",
    "a parameter that a DO block sets": "DO $$ BEGIN PERFORM names_session(1); END $$",
    **{
        f"a setting, by {call}": f"SELECT {call}; SHOW my.own"
        for call in ("sets_own(1)", "sets_in_sql(1)", "sets_variable(1)", "sets_by_another(1)")
    },
    "a setting that is read by a function": "SELECT sets_own(1); SELECT current_setting('my.own')",
    "a parameter in the server's view": "SELECT names_session(1); SELECT setting FROM pg_settings WHERE name = 'application_name'",
    "a setting, by a view": "SELECT done FROM setting; SHOW my.own",
    "a setting, by a view over it": "SELECT id FROM over_setting; SHOW my.own",
    "notices of a function": "SELECT warns(1)",
    "notices of a DO block": "DO $$ BEGIN PERFORM warns(1); END $$",
    "a notification of its own": "LISTEN news; CALL tells(1); SELECT 1",
}


@frozen
class Place:
    server: Server
    direct: tuple[Wiretap, str]
    through: tuple[Wiretap, str]


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    server: Server = request.getfixturevalue(request.param)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(server.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
        plan = GatewayPlan(server=server, dbname=DBNAME, masks={"*.people.ssn": "redact"}, wait_s=0)
        with (
            running_gateway(plan, tmp_path_factory.mktemp("channels")) as gateway,
            tapped(server.host, server.port) as bare,
            tapped("127.0.0.1", gateway.port) as tap,
        ):
            own = f"postgresql://{server.user}:{server.password}@127.0.0.1:{bare.port}/{DBNAME}"
            yield Place(server, (bare, own), (tap, f"postgresql://agent:agent-secret@127.0.0.1:{tap.port}/{DBNAME}"))
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


def heard(way: tuple[Wiretap, str], sql: str) -> bytes:
    tap, dsn = way
    with psycopg.connect(dsn, autocommit=True, sslmode="disable") as connection:
        tap.take()
        for statement in sql.split("; ") if not sql.startswith("DO") else [sql]:
            connection.pgconn.exec_(statement.encode())
        return tap.take()


@pytest.mark.parametrize("asked", ASKED)
def test_what_comes_beside_the_result_shows_no_canary(place: Place, asked: str) -> None:
    assert canaries(heard(place.direct, ASKED[asked])), "it must leak directly"
    assert canaries(heard(place.through, ASKED[asked])) == []


def test_a_notification_of_another_session_comes_without_its_payload(place: Place) -> None:
    found = []
    for tap, dsn in (place.direct, place.through):
        with psycopg.connect(dsn, autocommit=True, sslmode="disable") as listener:
            listener.execute("LISTEN news")
            tap.take()
            with psycopg.connect(place.server.dsn(DBNAME), autocommit=True) as other:
                other.execute("SELECT pg_notify('news', 'canaryssn1')")
            (news,) = listener.notifies(timeout=10, stop_after=1)
            found.append((news.channel, bool(canaries(tap.take()))))
    assert found == [("news", True), ("news", False)]


def test_a_function_that_sets_a_constant_is_called(place: Place) -> None:
    with psycopg.connect(place.through[1], autocommit=True, sslmode="disable") as agent:
        assert len(agent.execute("SELECT counts(1)").fetchall()) == 1


def test_what_the_client_sets_itself_is_reported(place: Place) -> None:
    """Drivers read and write times by what the server reports of the time zone."""
    asked = [
        ("SET application_name = 'mine'", "application_name", "mine"),
        ("SELECT set_config('application_name', 'again', false)", "application_name", "again"),
        ("RESET application_name", "application_name", ""),
        ("SET TIME ZONE 'europe/berlin'", "TimeZone", "Europe/Berlin"),
        ("SET TIME ZONE 5.5", "TimeZone", "<+05:30>-05:30"),
        ("SET DateStyle = 'German'", "DateStyle", "German, DMY"),
        ("SET IntervalStyle = iso_8601", "IntervalStyle", "iso_8601"),
        ("SET client_encoding = 'LATIN1'", "client_encoding", "LATIN1"),
        ("SET default_transaction_read_only = on", "default_transaction_read_only", "on"),
    ]
    with psycopg.connect(place.through[1], autocommit=True, sslmode="disable") as agent:
        for sql, name, value in asked:
            agent.pgconn.exec_(sql.encode())
            assert (agent.info.parameter_status(name) or "") == value


def test_a_transaction_that_is_rolled_back_reports_the_value_before(place: Place) -> None:
    with psycopg.connect(place.through[1], sslmode="disable") as agent:
        agent.execute("SET TIME ZONE 'Asia/Tokyo'")
        agent.commit()
        agent.execute("SET TIME ZONE 'UTC'")
        agent.rollback()
        assert agent.info.parameter_status("TimeZone") == "Asia/Tokyo"


def test_a_parameter_that_a_function_sets_is_not_reported_though_it_holds(place: Place) -> None:
    with psycopg.connect(place.through[1], autocommit=True, sslmode="disable") as agent:
        agent.execute("SET application_name = 'mine'")
        agent.execute("SELECT set_config('application_name', %s, false)", ("other",))
        assert agent.info.parameter_status("application_name") == "mine"
        assert agent.execute("SELECT current_setting('application_name') = 'other'").fetchone() == (True,)
