"""As `test_masking_canary`, over what servers have beside plain tables: extensions, foreign tables, statistics, triggers, types.

Every attempt that the server can run first shows a canary on a direct connection; those that it cannot are made all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.integration import masking_schema_wide as wide
from tests.integration.canary_forms_postgres import canaries
from tests.integration.masking_schema import RULES
from tests.integration.test_masking_canary import (
    WAYS,
    Attempt,
    Line,
    attempts,
    framed,
)
from tests.integration.wiretap import tapped
from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "masking_wide"
ATTEMPTS = attempts("attempts_wide.sql")
# writes pass, and conditions over masked columns: only what shows or moves a masked value is stopped
OPEN = """
[policy.open]
pack = "allow-all"
predicates = "allow"
"""


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def database(request: pytest.FixtureRequest) -> Iterator[tuple[Server, wide.Wide]]:
    server: Server = request.getfixturevalue(request.param)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        wide.drop(admin)
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(server.dsn(DBNAME), autocommit=True) as connection:
            has = wide.make(connection, server, DBNAME)
            with psycopg.connect(server.dsn(DBNAME), autocommit=True) as other:
                other.execute("SELECT 'canaryactivity' AS of_another_session")
                yield server, has
            wide.drop(connection)
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


@pytest.fixture(scope="module")
def direct(database: tuple[Server, wide.Wide]) -> Iterator[Line]:
    server = database[0]
    with tapped(server.host, server.port) as tap:
        yield Line(tap, f"postgresql://{server.user}:{server.password}@127.0.0.1:{tap.port}/{DBNAME}")


@pytest.fixture(scope="module")
def through(database: tuple[Server, wide.Wide], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    masks = {rule.column: rule.masker for rule in (*RULES, *wide.RULES)}
    plan = GatewayPlan(server=database[0], dbname=DBNAME, masks=masks, policy="open", extra=OPEN, wait_s=0)
    with running_gateway(plan, tmp_path_factory.mktemp("wide")) as gateway, tapped("127.0.0.1", gateway.port) as tap:
        yield Line(tap, f"postgresql://agent:agent-secret@127.0.0.1:{tap.port}/{DBNAME}")


def written(attempt: Attempt, server: Server) -> list[str]:
    """`«dsn»` in libpq's own form, as dblink takes it."""
    dsn = f"host=127.0.0.1 port={server.port} dbname={DBNAME} user={server.user} password={server.password}"
    return framed(attempt.sql.replace("«dsn»", dsn))


@pytest.mark.parametrize("way", WAYS)
def test_no_attempt_shows_a_canary(database: tuple[Server, wide.Wide], direct: Line, through: Line, way: str) -> None:
    server, has = database
    silent, leaking = [], []
    with direct.open() as bare, through.open() as masked:
        for attempt in ATTEMPTS:
            statements = written(attempt, server)
            if not canaries(bare.hear(statements, WAYS[way])) and attempt.needs <= has.features | {way}:
                silent.append(attempt.sql)
            if found := canaries(masked.hear(statements, WAYS[way])):
                leaking.append((attempt.sql, found))
    assert not leaking, "\n".join(map(str, leaking))
    assert not silent, "these do not leak directly, and prove nothing:\n" + "\n".join(silent)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE owners SET label = 'x' WHERE id = 1",
        "INSERT INTO owners VALUES (7, 'x') ON CONFLICT (id) DO UPDATE SET label = excluded.label",
        "INSERT INTO rooms VALUES (8, 'x')",
        "UPDATE rooms SET label = 'x'",
        "UPDATE movers SET label = 'x'",
        "INSERT INTO houses VALUES (9, 'x')",
        "TRUNCATE leavings CASCADE",
        "MERGE INTO owners o USING rooms r ON o.id = r.id WHEN MATCHED THEN UPDATE SET label = 'x'",
    ],
)
def test_a_write_that_reaches_none_of_those_triggers_passes(through: Line, sql: str) -> None:
    with psycopg.connect(through.dsn, sslmode="disable") as connection:
        connection.execute(sql)
        connection.rollback()


def test_a_foreign_table_that_no_rule_names_is_read_masked(database: tuple[Server, wide.Wide], through: Line) -> None:
    if "postgres_fdw" in database[1].features:
        with psycopg.connect(through.dsn, sslmode="disable") as connection:
            assert connection.execute("SELECT no, label, note FROM stands WHERE no = 1").fetchall() == [
                (1, "***", "name1")
            ]
            assert connection.execute("SELECT id, label FROM spread").fetchall() == [(1, "***")]
