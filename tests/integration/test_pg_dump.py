"""A dump taken over a route and restored over it is the same database.

Without large objects: libpq reads and writes those by the FunctionCall message, which the gateway refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from attrs import evolve

from tests.integration.conftest import ROUTED, Route
from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.servers import Server

ODDITIES = """
CREATE SCHEMA "Odd ""one"" too";
CREATE TYPE mood AS ENUM ('fine', 'so so');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE "Odd ""one"" too"."T" (id int GENERATED ALWAYS AS IDENTITY, m mood, p positive, j jsonb, x bytea, a text[]);
INSERT INTO "Odd ""one"" too"."T" (m, p, j, x, a) VALUES ('so so', 3, '{"a": null}', '\\x00ff', ARRAY['a', NULL, '€']);
CREATE TABLE parted (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE parted_2024 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
INSERT INTO parted VALUES (1, '2024-05-05');
CREATE VIEW totals AS SELECT status, count(*) FROM orders GROUP BY status;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM totals;
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1 * 2;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
COMMENT ON TABLE orders IS 'with ''quotes''';
"""


def _fill(route: Route) -> None:
    with route.connect() as connection:
        connection.execute((files("wireproxy.demo") / "shop.sql").read_bytes())
        connection.execute(ODDITIES)


def _recreate(route: Route) -> None:
    with psycopg.connect(route.server.dsn(), autocommit=True) as connection:
        connection.execute("DROP DATABASE routed WITH (FORCE)")
        connection.execute("CREATE DATABASE routed")


def _plain_dump(route: Route) -> str:
    """Without the key of \\restrict, which newer clients choose at random for every dump."""
    return re.sub(
        r"^\\(un)?restrict .*$", "", route.run("pg_dump", "--rows-per-insert=1000").stdout, flags=re.MULTILINE
    )


@pytest.mark.parametrize("form", ["custom", "directory"])
def test_a_dump_restored_gives_the_same_database(route: Route, form: str, tmp_path: Path) -> None:
    _fill(route)
    before = _plain_dump(route)
    jobs = ["-j", "2"] if form == "directory" else []
    route.run("pg_dump", "-F", form, "-f", str(tmp_path / "dump"), *jobs)
    _recreate(route)
    route.run("pg_restore", "-d", route.dbname, "--exit-on-error", *jobs, str(tmp_path / "dump"))
    assert _plain_dump(route) == before


def test_a_plain_dump_runs_in_psql(route: Route) -> None:
    _fill(route)
    digest = "SELECT md5(string_agg(c::text, ',' ORDER BY id)) FROM customers AS c"
    with route.connect() as connection:
        expected = connection.execute(digest).fetchone()
    before = route.run("pg_dump").stdout
    _recreate(route)
    route.run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", text=before)
    with route.connect() as connection:
        assert connection.execute(digest).fetchone() == expected


# -- by an agent ------------------------------------------------------------------------------------------------------

READER = """
DROP OWNED BY dump_reader CASCADE;
DROP ROLE dump_reader;
CREATE ROLE dump_reader LOGIN PASSWORD 'dump-reader';
GRANT SELECT ON ALL TABLES IN SCHEMA public, "Odd ""one"" too" TO dump_reader;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public, "Odd ""one"" too" TO dump_reader;
GRANT USAGE ON SCHEMA "Odd ""one"" too" TO dump_reader;
"""


@pytest.fixture(params=["superuser", "reader"])
def by_agent(request: pytest.FixtureRequest, postgres: Server, database: str, tmp_path: Path) -> Iterator[Route]:
    """Through a gateway under agent-default, which logs in as a superuser or as a role that may read."""
    direct = Route("direct", postgres.dsn(database), database, postgres)
    _fill(direct)
    server = postgres
    if request.param == "reader":
        with direct.connect() as connection:
            for each in READER.split(";\n"):
                if each.strip():
                    connection.execute(_if_exists(each))
        server = evolve(postgres, user="dump_reader", password="dump-reader")
    plan = GatewayPlan(server=server, dbname=ROUTED, policy="agent-default", wait_s=0.5)
    with running_gateway(plan, tmp_path / "gateway") as gateway:
        yield Route(request.param, gateway.dsn(), database, server)


def _if_exists(text: str) -> str:
    drop = text.strip()
    if not drop.startswith("DROP"):
        return text
    return (
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'dump_reader') THEN " + drop + "; END IF; END $$"
    )


def test_an_agent_may_dump_what_it_may_read(by_agent: Route) -> None:
    options = ["--no-subscriptions"] if by_agent.name == "superuser" else []  # a superuser's pg_dump reads passwords
    dumped = by_agent.run("pg_dump", *options).stdout
    direct = Route("direct", by_agent.server.dsn(ROUTED), ROUTED, by_agent.server)
    expected = direct.run("pg_dump", *options).stdout

    def plain(text: str) -> str:
        return re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.MULTILINE)

    assert plain(dumped) == plain(expected)
    assert "COPY public.customers" in dumped


def test_an_agents_dump_of_subscriptions_is_refused_with_the_way_round(by_agent: Route) -> None:
    if by_agent.name == "superuser":
        done = by_agent.run("pg_dump", fails=True)
        assert "pg_dump --no-subscriptions" in done.stderr
    else:
        assert "subscriptions" not in by_agent.run("pg_dump").stderr
