# ruff: noqa: E501 - roads, one a line
r"""Every road to a setting that gives a text its meaning: wherever it was set, no statement is judged by another one.

A rule denies whatever is in the schema `hidden`, and everything else passes. On a direct connection each road ends where the name
`secrets` means the hidden table, or where a backslash escapes a quote; through the gateway none may show what is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import psycopg
import pytest
from attrs import evolve, field, frozen

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME, ROLE = "roads", "roads_agent"
SCHEMA = f"""
CREATE SCHEMA hidden;
CREATE TABLE hidden.secrets (said text);
CREATE TABLE secrets (said text);
INSERT INTO hidden.secrets VALUES ('hidden');
INSERT INTO secrets VALUES ('open');
CREATE SCHEMA "hül";
CREATE TABLE "hül".secrets AS TABLE hidden.secrets;
CREATE FUNCTION moves() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM set_config(''search_path'', ''hidden'', false); END';
CREATE FUNCTION unseen(text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE $1; END';
CREATE PROCEDURE goes() LANGUAGE sql AS 'SELECT set_config(''search_path'', ''hidden'', false)';
CREATE FUNCTION walks() RETURNS text LANGUAGE sql AS 'SELECT set_config(''search_path'', ''hidden'', false)';
CREATE VIEW mover AS SELECT set_config('search_path', 'hidden', false);
CREATE TABLE moved (path text);
CREATE VIEW settings AS SELECT * FROM pg_settings;
GRANT ALL ON SCHEMA hidden, "hül", public TO {ROLE};
GRANT ALL ON ALL TABLES IN SCHEMA hidden, "hül", public TO {ROLE};
"""
POLICY = """
[policy.roads]
default = "allow"
[[policy.roads.rule]]
name = "hidden"
action = "deny"
reason = "nobody reads that"
when = { relations = ["hidden.*", "hül.*"] }
[[policy.roads.rule]]
name = "everything"
action = "allow"
when = { kinds = ["do", "call", "set", "execute", "explain", "select", "update", "transaction", "utility", "prepare", "copy"], effects = [
  "unknown", "code", "dynamic_sql", "setting", "lexing", "namespace", "role", "read", "write", "admin", "ddl", "transaction"] }
"""
READ = "SELECT said FROM secrets"
PATH = "search_path = hidden"
BEYOND_ASCII = 'search_path = U&"h\\00fcl", public'
# With backslashes that escape: a quote, a subquery, a comment. Without: one string.
ESCAPED = r"SELECT '\'', (SELECT said FROM hidden.secrets) --'"
OFF = "standard_conforming_strings = off"


@frozen
class Road:
    before: Sequence[str] = ()  # said to the server directly, before the session begins
    options: dict[str, str] = field(factory=dict)  # of the connection
    steps: Sequence[str] = ()
    read: str = READ
    since: int = 15  # the first version of the server on which it leads there


def path(*steps: str, **options: str) -> Road:
    return Road(steps=steps, options=options)


def lexing(*steps: str, **options: str) -> Road:
    return Road(steps=steps, options=options, read=ESCAPED)


ROADS = {
    "default of the role": Road([f"ALTER ROLE {ROLE} SET {PATH}"]),
    "default of the database": Road([f"ALTER DATABASE {DBNAME} SET {PATH}"]),
    "default of the role in the database": Road([f"ALTER ROLE {ROLE} IN DATABASE {DBNAME} SET {PATH}"]),
    "default of all roles": Road([f"ALTER ROLE ALL IN DATABASE {DBNAME} SET {PATH}"]),
    "options": path(options=f"-c {PATH.replace(' ', '')}"),
    "options with dashes": path(options="--search-path=hidden"),
    "SET": path(f"SET {PATH}"),
    "SET TO quoted": path("SET search_path TO \"hidden\", 'public'"),
    "a name beyond ASCII for a client in another encoding": path(f"SET {BEYOND_ASCII}", client_encoding="latin1"),
    "a name beyond ASCII, and then another encoding": path(f"SET {BEYOND_ASCII}", "SET client_encoding = latin1"),
    "a name beyond ASCII and another encoding in one text": path(f"SET {BEYOND_ASCII}; SET client_encoding = latin1"),
    "default of the role for a client in another encoding": Road(
        [f"ALTER ROLE {ROLE} SET {BEYOND_ASCII}"], {"client_encoding": "latin1"}
    ),
    "SET SCHEMA": path("SET SCHEMA 'hidden'"),
    "SET LOCAL": path("BEGIN", f"SET LOCAL {PATH}"),
    "set_config": path("SELECT set_config('search_path', 'hidden', false)"),
    "set_config of a computed name": path("SELECT set_config('search' || '_path', 'hid' || 'den', false)"),
    "set_config of rows": path("SELECT set_config(name, 'hidden', false) FROM pg_settings WHERE name = 'search_path'"),
    "set_config in capitals": path("SELECT pg_catalog.SET_CONFIG('SEARCH_PATH', 'hidden', false)"),
    "UPDATE pg_settings": path("UPDATE pg_settings SET setting = 'hidden' WHERE name = 'search_path'"),
    "UPDATE of a view of it": path("UPDATE settings SET setting = 'hidden' WHERE name = 'search_path'"),
    "DO": path("DO 'BEGIN SET search_path = hidden; END'"),
    "a function": path("SELECT moves()"),
    "a function that runs a text": path(f"SELECT unseen('SET {PATH}')"),
    "a procedure": path("CALL goes()"),
    "a function in SQL": path("SELECT walks()"),
    "a function in FROM": path("SELECT * FROM walks()"),
    "a function that is asked whether": path("SELECT 1 WHERE walks() <> ''"),
    "a view": path("SELECT * FROM mover"),
    "a view that is explained": path("EXPLAIN (ANALYZE, COSTS off) TABLE mover"),
    "COPY of a query": path("COPY (SELECT set_config('search_path', 'hidden', false)) TO STDOUT"),
    "COPY of a view": path("COPY (TABLE mover) TO STDOUT"),
    "UPDATE": path("UPDATE secrets SET said = said WHERE set_config('search_path', 'hidden', false) = ''"),
    "PREPARE and EXECUTE": path("PREPARE s AS SELECT set_config('search_path', 'hidden', false)", "EXECUTE s"),
    "a cursor": path("BEGIN", "DECLARE c CURSOR FOR SELECT set_config('search_path', 'hidden', false)", "FETCH c"),
    "EXPLAIN ANALYZE": path("EXPLAIN ANALYZE SELECT set_config('search_path', 'hidden', false)"),
    "RESET to the default of the role": Road([f"ALTER ROLE {ROLE} SET {PATH}"], steps=("SET search_path = public", "RESET search_path")),
    "RESET ALL": Road([f"ALTER ROLE {ROLE} SET {PATH}"], steps=("SET search_path = public", "RESET ALL")),
    "DISCARD ALL": Road([f"ALTER ROLE {ROLE} SET {PATH}"], steps=("SET search_path = public", "DISCARD ALL")),
    "SET TO DEFAULT": Road([f"ALTER ROLE {ROLE} SET {PATH}"], steps=("SET search_path = public", "SET search_path TO DEFAULT")),
    "ROLLBACK": path(f"SET {PATH}", "BEGIN", "SET search_path = public", "ROLLBACK"),
    "ROLLBACK TO": path(f"SET {PATH}", "BEGIN", "SAVEPOINT a", "SET search_path = public", "ROLLBACK TO a"),
    "an error": path(f"SET {PATH}", "SET search_path = public; SELECT 1/0"),
    "the end of SET LOCAL": path(f"SET {PATH}", "BEGIN", "SET LOCAL search_path = public", "COMMIT"),
    "a temporary view that hides the table": path("CREATE TEMP VIEW secrets AS SELECT * FROM hidden.secrets"),
    "one in the same text": Road(steps=("BEGIN",), read=f"SET LOCAL {PATH}; {READ}"),
    "set_config in the same text": Road(read=f"SELECT set_config('search_path', 'hidden', false); {READ}"),
    "options that let backslashes escape": lexing(options=f"-c {OFF.replace(' ', '')}"),
    "role's default that lets backslashes escape": Road([f"ALTER ROLE {ROLE} SET {OFF}"], read=ESCAPED),
    "SET that lets backslashes escape": lexing(f"SET {OFF}"),
    "set_config that lets backslashes escape": lexing("SELECT set_config('standard_conforming_strings', 'off', false)"),
    "DO that lets backslashes escape": lexing(f"DO 'BEGIN SET {OFF}; END'"),
    "UPDATE pg_settings that lets backslashes escape": lexing(
        "UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings'"
    ),
    "ROLLBACK that lets backslashes escape": lexing(
        f"SET {OFF}", "BEGIN", f"SET {OFF.replace('off', 'on')}", "ROLLBACK"
    ),
    "a function that lets backslashes escape": lexing(f"SELECT unseen('SET {OFF}')"),
    "one in the same text that lets backslashes escape": Road(read=f"SELECT 1; {ESCAPED}", steps=(f"SET {OFF}",)),
}  # fmt: skip


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found: Server = request.getfixturevalue(request.param)
    with psycopg.connect(found.dsn(), autocommit=True) as admin:
        clean(admin)
        admin.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'roads-secret'")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(found.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield found
        clean(admin)


def clean(admin: psycopg.Connection) -> None:
    admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
    admin.execute(f"DROP ROLE IF EXISTS {ROLE}")


@pytest.fixture(scope="module")
def gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    target = evolve(server, user=ROLE, password="roads-secret")
    plan = GatewayPlan(server=target, dbname=DBNAME, policy="roads", extra=POLICY, wait_s=0.01)
    with running_gateway(plan, tmp_path_factory.mktemp("roads")) as found:
        yield found


@pytest.fixture
def road(request: pytest.FixtureRequest, server: Server) -> Iterator[Road]:
    found = ROADS[request.param]
    with psycopg.connect(server.dsn(DBNAME), autocommit=True) as admin:
        for statement in found.before:
            admin.execute(statement)
        yield found
        for statement in (
            f"ALTER ROLE {ROLE} RESET ALL", f"ALTER DATABASE {DBNAME} RESET ALL",
            f"ALTER ROLE {ROLE} IN DATABASE {DBNAME} RESET ALL", f"ALTER ROLE ALL IN DATABASE {DBNAME} RESET ALL",
            f"DROP SCHEMA IF EXISTS {ROLE} CASCADE",
        ):  # fmt: skip
            admin.execute(statement)


def went(dsn: str, road: Road) -> str:
    """All that a session saw that took the road."""
    seen: list[object] = []
    with psycopg.connect(dsn, autocommit=True, **road.options) as connection:
        for step in road.steps:
            with suppress(psycopg.Error):
                if step.startswith("COPY"):
                    with connection.cursor().copy(step.encode()) as copy:
                        list(copy)
                else:
                    connection.execute(step.encode())
        with suppress(psycopg.Error):
            cursor = connection.execute(road.read.encode())
            while True:
                with suppress(psycopg.ProgrammingError):
                    seen += cursor.fetchall()
                if not cursor.nextset():
                    break
    return str(seen)


@pytest.mark.parametrize("road", ROADS, indirect=True)
def test_no_road_leads_to_what_a_rule_hides(gateway: Gateway, server: Server, road: Road) -> None:
    assert "hidden" in went(server.dsn(DBNAME, user=ROLE, password="roads-secret"), road), "it leads there directly"
    assert "'hidden'" not in went(gateway.dsn(), road)


def test_what_is_open_is_read_where_the_path_is_known(gateway: Gateway, server: Server) -> None:
    for steps in (
        (),
        ("SET search_path = public",),
        ("BEGIN", "SET LOCAL search_path = hidden", "COMMIT"),
        (f"SET {OFF}", f"RESET {OFF[:27]}"),
    ):
        assert went(gateway.dsn(), Road(steps=steps)) == "[('open',)]", steps
