"""What people let be written from a masked column is masked where it arrives, by whatever statement it was written.

Each is first held. Then it is approved, and a later session reads it masked.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.integration.canary_forms_postgres import canaries
from tests.integration.test_exemptions import approved
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "masking_inherited"
# Statements over t0, t1, …, a table for each case; then what reads what they wrote.
WRITES = [
    ("ALTER TABLE {t} RENAME COLUMN ssn TO harmless", "SELECT harmless FROM {t}"),
    ("ALTER TABLE {t} RENAME TO {t}_moved", "SELECT ssn FROM {t}_moved"),
    ("ALTER TABLE {t} SET SCHEMA away", "SELECT ssn FROM away.{t}"),
    ("SELECT ssn AS s INTO {t}_into FROM {t}", "SELECT s FROM {t}_into"),
    ("CREATE TABLE {t}_as AS SELECT upper(ssn) AS s FROM {t}", "SELECT s FROM {t}_as"),
    ("CREATE TABLE {t}_whole AS SELECT c FROM {t} c", "SELECT (c).ssn FROM {t}_whole"),
    ("CREATE MATERIALIZED VIEW {t}_mv AS SELECT ssn AS s FROM {t}", "SELECT s FROM {t}_mv"),
    ("CREATE VIEW {t}_view AS SELECT ssn || 'x' AS s FROM {t}", "SELECT s FROM {t}_view"),
    ("UPDATE {t} SET name = ssn", "SELECT name FROM {t}"),
    ("UPDATE {t} SET name = x.ssn FROM {t} x WHERE x.id = {t}.id", "SELECT lower(name) FROM {t}"),
    ("INSERT INTO {t} (id, name) SELECT id + 1, ssn FROM {t}", "SELECT name FROM {t} WHERE id > 1"),
    (
        "INSERT INTO {t} AS z (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = z.ssn",
        "SELECT name FROM {t}",
    ),
    (
        "MERGE INTO {t} USING {t} x ON x.id = {t}.id WHEN MATCHED THEN UPDATE SET name = x.ssn",
        "SELECT name FROM {t}",
    ),
    ("ALTER TABLE {t} ALTER COLUMN name TYPE text USING ssn", "SELECT name FROM {t}"),
    ("ALTER TABLE {t} ADD COLUMN more text GENERATED ALWAYS AS (upper(ssn)) STORED", "SELECT more FROM {t}"),
    ("ALTER TABLE {t} ALTER COLUMN name TYPE varchar(40) USING reads(id)", "SELECT name FROM {t}"),
    ("ALTER TABLE {t} ADD COLUMN more text DEFAULT reads(1)", "SELECT more FROM {t}"),
    ("CREATE FUNCTION {t}_f() RETURNS text LANGUAGE sql AS 'SELECT ssn FROM {t}'", "SELECT {t}_f()"),
]


@pytest.fixture(scope="module")
def gateway(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(postgres.dsn(DBNAME), autocommit=True) as connection:
            connection.execute("CREATE SCHEMA away")
            connection.execute(
                "CREATE FUNCTION reads(i int) RETURNS text LANGUAGE plpgsql STABLE AS"
                " 'BEGIN RETURN (SELECT ssn FROM t0_kept WHERE id = i); END'"
            )
            connection.execute("CREATE TABLE renamed (id int, what text)")
            connection.execute("CREATE TABLE t0_kept (id int, ssn text)")
            connection.execute("INSERT INTO t0_kept VALUES (1, 'canaryssn')")
            for number in range(len(WRITES)):
                connection.execute(f"CREATE TABLE t{number} (id int PRIMARY KEY, name text, ssn text)")
                connection.execute(f"INSERT INTO t{number} VALUES (1, 'name', 'canaryssn')")
        plan = GatewayPlan(server=postgres, dbname=DBNAME, masks={"public.t*.ssn": "redact"}, wait_s=10)
        with running_gateway(plan, tmp_path_factory.mktemp("inherited")) as running:
            yield running
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


def test_a_column_that_is_computed_from_nothing_masked_reads_as_it_is(gateway: Gateway) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        approved(
            gateway,
            agent,
            "ALTER TABLE t0_kept ADD COLUMN size int DEFAULT 7, ALTER COLUMN id TYPE bigint USING id + 1",
        )
        assert agent.execute("SELECT size, id FROM t0_kept").fetchone() == (7, 2)
        approved(gateway, agent, "ALTER TABLE t0_kept ALTER COLUMN id TYPE int USING id - 1")
        assert agent.execute("SELECT id FROM t0_kept").fetchone() == (1,)


@pytest.mark.parametrize("number", range(len(WRITES)), ids=[write for write, _ in WRITES])
def test_what_was_written_from_a_masked_column_is_masked_where_it_arrives(
    gateway: Gateway, postgres: Server, number: int
) -> None:
    write, read = (each.format(t=f"t{number}") for each in WRITES[number])
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        approved(gateway, agent, write)
    with psycopg.connect(postgres.dsn(DBNAME)) as direct:
        assert canaries(str(direct.execute(read).fetchall()).encode()), "it must leak directly"
    for binary in (False, True):
        with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
            rows = agent.execute(read, binary=binary).fetchall()
            assert rows
            assert canaries(str(rows).encode()) == []


def test_a_column_that_inherited_a_mask_loses_it_when_it_is_renamed_past_the_gateway(
    gateway: Gateway, postgres: Server
) -> None:
    """docs/limitations.md has it."""
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        approved(gateway, agent, "INSERT INTO renamed SELECT id, ssn FROM t0_kept")
        assert agent.execute("SELECT what FROM renamed").fetchone() == ("***",)
        with psycopg.connect(postgres.dsn(DBNAME), autocommit=True) as direct:
            direct.execute("ALTER TABLE renamed RENAME COLUMN what TO other")
        agent.execute("CREATE TABLE reads_the_catalog_again (id int)")
        assert agent.execute("SELECT other FROM renamed").fetchone() == ("canaryssn",)
