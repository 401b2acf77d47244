"""EXPLAIN of what is compared with a pseudonym gives the plan for the value that it stands for, and shows nothing of that value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import pq

from rules.masking.plans import PlanFormat, without_expressions
from tests.integration.wiretap import Wiretap, tapped
from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "pseudonym_plans"
COMMON = "canary common\nSort on canary\nCTE canary\nBuffers: canary\n'x\"<y>&\\"
SCHEMA = r"""
CREATE TABLE people (id int PRIMARY KEY, name text, ssn text, card bigint, note text) WITH (autovacuum_enabled = off);
INSERT INTO people SELECT i, 'name' || i,
    CASE WHEN i % 2 = 0 THEN E'canary common\nSort on canary\nCTE canary\nBuffers: canary\n''x"<y>&\\' ELSE 'canary' || i END,
    7654321000000 + i, 'n' FROM generate_series(1, 2000) i;
CREATE INDEX by_ssn ON people (ssn);
CREATE INDEX by_card ON people (card);
CREATE TABLE visits (id int, person int, ssn text);
INSERT INTO visits SELECT i, i % 100, 'canary' || (2 * i + 1) FROM generate_series(1, 500) i;
CREATE TABLE parted (id int, ssn text) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER tells BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION told();
ANALYZE;
"""
MASKS = {"*.ssn": "pseudonym", "*.card": "pseudonym"}
CANARIES = (b"canary", b"7654321")
QUERIES = [
    "SELECT id FROM people WHERE ssn = {ssn}",
    "SELECT id FROM people WHERE ssn IN ({ssn}, 'x') AND name <> 'Filter: y'",
    "SELECT id FROM people WHERE card = {card}",
    "SELECT p.id FROM people p JOIN visits v USING (ssn) WHERE p.ssn = {ssn} OR v.ssn = {ssn}",
    "SELECT name, count(*) FROM people WHERE ssn = {ssn} GROUP BY name ORDER BY 1 LIMIT 3",
    "SELECT CASE WHEN ssn = {ssn} THEN 1 ELSE 2 END FROM people",
    "WITH c AS MATERIALIZED (SELECT * FROM people WHERE ssn = {ssn}) SELECT a.id FROM c a, c b WHERE a.id = b.id",
    "SELECT (SELECT max(id) FROM visits v WHERE v.person = p.id) FROM people p WHERE p.ssn = {ssn}",
    "SELECT id FROM people WHERE ssn = {ssn} UNION ALL SELECT id FROM parted WHERE ssn = {ssn}",
    "SELECT id, row_number() OVER (PARTITION BY name ORDER BY id) FROM people WHERE ssn = {ssn}",
    "SELECT * FROM generate_series(1, 3) g LEFT JOIN people p ON p.id = g AND p.ssn = {ssn}",
    "UPDATE people SET note = 'm' WHERE ssn = {ssn}",
    "DELETE FROM visits WHERE ssn = {ssn}",
    "SELECT id FROM people WHERE ssn = ANY (ARRAY[{ssn}, NULL]) FOR UPDATE",
]
FORMATS: list[PlanFormat] = ["text", "json", "xml", "yaml"]


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def database(request: pytest.FixtureRequest) -> Iterator[Server]:
    server: Server = request.getfixturevalue(request.param)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(server.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield server
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


@pytest.fixture(scope="module")
def direct(database: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.dsn(DBNAME), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def tap(database: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiretap]:
    plan = GatewayPlan(server=database, dbname=DBNAME, masks=MASKS, wait_s=0.01)
    with running_gateway(plan, tmp_path_factory.mktemp("plans")) as gateway, tapped("127.0.0.1", gateway.port) as found:
        yield found


@pytest.fixture
def agent(tap: Wiretap) -> Iterator[psycopg.Connection]:
    dsn = f"postgresql://agent:agent-secret@127.0.0.1:{tap.port}/{DBNAME}"
    with psycopg.connect(dsn, autocommit=True, sslmode="disable") as connection:
        tap.take()
        yield connection
        heard = tap.take()
        assert [canary for canary in CANARIES if canary in heard] == []


def written(query: str, ssn: str, card: int) -> str:
    return query.format(ssn="'" + ssn.replace("'", "''") + "'", card=card)


def standing_for(agent: psycopg.Connection, number: int) -> tuple[str, int]:
    found = agent.execute("SELECT ssn, card FROM people WHERE id = %s", (number,)).fetchone()
    assert found is not None
    return found[0], found[1]


def lines(connection: psycopg.Connection, sql: str) -> list[str]:
    connection.pgconn.exec_(b"BEGIN")
    result = connection.pgconn.exec_(sql.encode())
    connection.pgconn.exec_(b"ROLLBACK")
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    return [(result.get_value(place, 0) or b"").decode() for place in range(result.ntuples)]


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize(
    "options", ["", "VERBOSE, COSTS off", "ANALYZE, COSTS off, TIMING off, SUMMARY off, BUFFERS off"]
)
def test_the_plan_is_that_of_the_real_value_without_its_expressions(
    direct: psycopg.Connection, agent: psycopg.Connection, style: PlanFormat, options: str
) -> None:
    head = f"EXPLAIN (FORMAT {style}{', ' if options else ''}{options}) "
    rewrite = without_expressions(style)
    for number, real in ((2, COMMON), (3, "canary3")):
        ssn, card = standing_for(agent, number)
        for query in QUERIES:
            shown = lines(agent, head + written(query, ssn, card))
            real_plan = lines(direct, head + written(query, real, 7654321000000 + number))
            assert without_memory(shown) == without_memory(
                [(rewrite(line.encode()) or b"").decode() for line in real_plan]
            )
            if not query.startswith("SELECT CASE") or "VERBOSE" in options:
                assert "canary" in str(real_plan) or "7654321" in str(real_plan)
                assert "***" in str(shown)
            if style == "text":
                nodes = [line for line in real_plan if re.search(r"\((cost=|actual)|Rows Removed|^Trigger ", line)]
                assert set(without_memory(nodes)) <= set(without_memory(shown)), "all but expressions is there"


def without_memory(plan: list[str]) -> list[str]:
    return [re.sub(r"(Memory.*?|Peak-Memory-Usage>|Sort-Space-Used>)\d+", r"\1N", line) for line in plan]


def kinds(plan: Any) -> list[str]:
    return [plan["Node Type"], *(kind for each in plan.get("Plans", ()) for kind in kinds(each))]


def test_a_frequent_value_and_a_rare_one_have_plans_of_their_own(agent: psycopg.Connection) -> None:
    found = []
    for number in (2, 3):
        ssn, _ = standing_for(agent, number)
        (plan,) = lines(agent, written("EXPLAIN (FORMAT JSON) SELECT id FROM people WHERE ssn = {ssn}", ssn, 0))
        (tree,) = json.loads(plan)
        found.append((kinds(tree["Plan"])[0], tree["Plan"]["Plan Rows"]))
    (frequent, many), (rare, few) = found
    assert frequent in ("Seq Scan", "Bitmap Heap Scan")
    assert rare == "Index Scan"
    assert many > 900
    assert few < 5


@pytest.mark.parametrize("style", FORMATS)
def test_bound_and_prepared_pseudonyms_are_translated_too(agent: psycopg.Connection, style: PlanFormat) -> None:
    ssn, card = standing_for(agent, 3)
    wanted = lines(agent, written(f"EXPLAIN (FORMAT {style}) SELECT id FROM people WHERE ssn = {{ssn}}", ssn, 0))
    head = f"EXPLAIN (FORMAT {style}) "
    for result_format in (0, 1):
        sql = (head + "SELECT id FROM people WHERE ssn = $1").encode()
        result = agent.pgconn.exec_params(sql, [ssn.encode()], None, None, result_format)
        assert [(result.get_value(place, 0) or b"").decode() for place in range(result.ntuples)] == wanted
    agent.execute("PREPARE by_ssn(text) AS SELECT id FROM people WHERE ssn = $1")
    assert lines(agent, f"{head} EXECUTE by_ssn('{ssn}')") == wanted
    agent.execute(f"PREPARE by_both AS SELECT id FROM people WHERE ssn = '{ssn}' AND card = {card}")
    shown = lines(agent, f"EXPLAIN (ANALYZE, FORMAT {style}) EXECUTE by_both")
    assert "***" in str(shown)
    assert "by_" in str(shown), "which index is used may be seen"
    agent.execute("DEALLOCATE ALL")


def test_what_names_no_pseudonymised_column_is_explained_as_it_is(
    direct: psycopg.Connection, agent: psycopg.Connection
) -> None:
    sql = "EXPLAIN VERBOSE SELECT id FROM people WHERE name = 'x' AND id > 3"
    assert lines(agent, sql) == lines(direct, sql)
    assert "'x'" in str(lines(agent, sql))


def test_where_characters_may_hold_a_quote_all_of_the_plan_is_masked(agent: psycopg.Connection) -> None:
    ssn, _ = standing_for(agent, 3)
    agent.execute("SET client_encoding = 'SJIS'")
    assert set(lines(agent, f"EXPLAIN SELECT id FROM people WHERE ssn = '{ssn}'")) == {"***"}
