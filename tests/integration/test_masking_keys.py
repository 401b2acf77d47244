"""Grouping by a masked column beside the primary key of its table: the key decides alone, so it passes, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "masking_keys"
SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name text, ssn text);
CREATE TABLE orders (id int, person int, total int);
CREATE TABLE pairs (a int, b int, ssn text, PRIMARY KEY (a, b));
CREATE TABLE late (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, ssn text);
CREATE TABLE once (id int UNIQUE, ssn text);
CREATE TABLE parent (id int PRIMARY KEY, ssn text);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE parted (id int PRIMARY KEY, ssn text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE empty ();
CREATE TABLE two (ssn text, x int);
INSERT INTO people VALUES (1, 'a', 'canary2'), (2, 'b', 'canary1'), (3, 'c', 'canary2');
INSERT INTO orders VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30), (4, 9, 40);
INSERT INTO pairs VALUES (1, 1, 'canary1'), (1, 2, 'canary1'), (2, 1, 'canary2');
INSERT INTO late VALUES (1, 'canary1');
INSERT INTO once VALUES (NULL, 'canary1'), (NULL, 'canary2');
INSERT INTO parent VALUES (1, 'canary1');
INSERT INTO child VALUES (1, 'canary2');
INSERT INTO parted VALUES (1, 'canary1'), (2, 'canary1');
INSERT INTO empty DEFAULT VALUES;
INSERT INTO two VALUES ('canary1', 1);
"""
PASSES = [
    "SELECT id, ssn, count(*) FROM people GROUP BY id, ssn ORDER BY id", "SELECT ssn, id FROM people GROUP BY ssn, id ORDER BY id",
    "SELECT p.id, p.ssn, sum(o.total) FROM people p LEFT JOIN orders o ON o.person = p.id GROUP BY p.id, p.ssn, p.name ORDER BY 1",
    "SELECT p.id, p.ssn, count(*) FROM people p FULL JOIN orders o ON o.person = p.id GROUP BY p.id, p.ssn ORDER BY 1",
    "SELECT people.id, ssn, max(total) FROM people JOIN orders ON person = people.id GROUP BY 1, 2 ORDER BY 1",
    "SELECT a, b, ssn FROM pairs GROUP BY ssn, b, a ORDER BY a, b", "SELECT id, ssn FROM parted GROUP BY id, ssn ORDER BY id",
    "SELECT DISTINCT p.id, p.name, p.ssn FROM people p JOIN orders o ON o.person = p.id ORDER BY 1",
    "SELECT x.n FROM (SELECT count(*) AS n, id FROM people GROUP BY id, ssn) x ORDER BY 1, id",
    "SELECT id, upper(ssn) FROM people GROUP BY id, ssn ORDER BY id",
]  # fmt: skip
HELD = [
    "SELECT ssn, count(*) FROM people GROUP BY ssn", "SELECT count(*) FROM people p, people q GROUP BY p.id, q.ssn",
    "SELECT count(*) FROM people GROUP BY id, left(ssn, 1)", "SELECT count(*) FROM people p (ssn, name, id) GROUP BY p.ssn, p.id",
    "SELECT count(*) FROM people GROUP BY GROUPING SETS ((id, ssn), (ssn))",
    "SELECT count(*) FROM people GROUP BY ROLLUP (ssn, id)",
    "SELECT count(*) FROM people GROUP BY name, ssn", "SELECT a, count(*) FROM pairs GROUP BY a, ssn",
    "SELECT count(*) FROM late GROUP BY id, ssn", "SELECT count(*) FROM once GROUP BY id, ssn",
    "SELECT count(*) FROM parent GROUP BY id, ssn", "SELECT count(*) FROM people p JOIN orders o USING (id) GROUP BY id, ssn",
    "SELECT id % 2, count(*) FROM people GROUP BY id % 2, ssn", "SELECT DISTINCT p.ssn, p.id FROM people p",
    "SELECT DISTINCT ssn FROM people", "SELECT DISTINCT ON (ssn) id, ssn FROM people",
    "SELECT DISTINCT e.*, p.id, p.ssn, t.* FROM empty e, people p, two t",
    "SELECT count(*) FROM (SELECT 1 AS id, ssn FROM people) people GROUP BY people.id, people.ssn",
    "WITH people AS (SELECT 1 AS id, ssn FROM public.people) SELECT count(*) FROM people GROUP BY id, ssn",
]  # fmt: skip


@pytest.fixture(scope="module")
def server(postgres18: Server) -> Server:
    with psycopg.connect(postgres18.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(postgres18.dsn(DBNAME), autocommit=True) as connection:
        connection.execute(SCHEMA)
    return postgres18


@pytest.fixture(scope="module")
def gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    plan = GatewayPlan(
        server=server, dbname=DBNAME, masks={"*.ssn": "redact"}, wait_s=0, users=("agent", "other", "third")
    )
    with running_gateway(plan, tmp_path_factory.mktemp("keys")) as found:
        yield found


@pytest.mark.parametrize("sql", PASSES)
def test_a_group_that_the_primary_key_decides_passes_with_its_masked_column(
    server: Server, gateway: Gateway, sql: str
) -> None:
    with psycopg.connect(server.dsn(DBNAME)) as one, psycopg.connect(gateway.dsn()) as two:
        direct = one.execute(sql.encode()).fetchall()
        through = two.execute(sql.encode()).fetchall()

    def masked(value: object) -> object:
        return "***" if isinstance(value, str) and value.lower().startswith("canary") else value

    nullable = [tuple(map(masked, row)) for row in direct]
    assert [tuple("***" if value is None else value for value in row) for row in through] == [
        tuple("***" if value is None else value for value in row) for row in nullable
    ]
    assert "canary" not in str(through).lower()


@pytest.mark.parametrize("sql", HELD)
def test_a_group_that_depends_on_the_masked_column_is_held(gateway: Gateway, sql: str) -> None:
    user = ("agent", "other", "third")[HELD.index(sql) % 3]
    with psycopg.connect(gateway.dsn(user)) as agent, pytest.raises(psycopg.errors.InsufficientPrivilege) as held:
        agent.execute(sql.encode())
    assert 'held by rule "mask"' in str(held.value)


def test_a_key_that_the_open_transaction_took_away_decides_nothing(gateway: Gateway) -> None:
    with psycopg.connect(gateway.dsn("third"), autocommit=True) as agent:
        agent.execute("BEGIN")
        agent.execute("CREATE SCHEMA mine")
        agent.execute("CREATE TABLE mine.people (id int, ssn text)")
        agent.execute("SET LOCAL search_path = mine, public")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            agent.execute("SELECT count(*) FROM people GROUP BY id, ssn")
        agent.execute("ROLLBACK")
