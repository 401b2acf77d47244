"""Lineage against the server: wherever a direct result shows a canary, the plan made before it ran rewrites that column.

The queries run directly, so that the server says what leaks; nothing here knows how lineage works.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import psycopg
import pytest
import trio
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from rules.catalog import Catalog
from rules.masking import MaskSet, compile_masks
from rules.model import Column, Dialect, Identity, Kind, Namespace, Statement
from rules.policy import Policy
from tests.integration.masking_schema import CANARY, ROWS, RULES, SCHEMA, Queries
from tests.support.servers import Server
from wireproxy.catalog import load_postgres
from wireproxy.config.model import Database

CORPUS = Path(__file__).parent.parent / "corpus" / "masking"
ORDINARY = [
    line
    for line in (CORPUS / "ordinary_reads.sql").read_text(encoding="utf-8").splitlines()
    if not line.startswith("--")
]
pytestmark = pytest.mark.integration
DBNAME = "masking_lineage"


@pytest.fixture(scope="module")
def lab(postgres18: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres18.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(postgres18.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
            connection.execute(ROWS)
            connection.execute("SET statement_timeout = '500ms'")
            yield connection
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


@pytest.fixture(scope="module")
def database(postgres18: Server) -> Database:
    return Database("lab", Dialect.POSTGRES, postgres18.host, postgres18.port, DBNAME, postgres18.user, tls="disable")


@pytest.fixture(scope="module")
def catalog(lab: psycopg.Connection, database: Database, postgres18: Server) -> Catalog:
    return trio.run(load_postgres, database, postgres18.password)


def mask_set(catalog: Catalog, policy: Policy) -> MaskSet:
    found = compile_masks(RULES, "lab", Identity("agent"), catalog, policy, b"k" * 32)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def masks(catalog: Catalog) -> MaskSet:
    return mask_set(catalog, Policy("test", (), predicates="allow"))


def leaks(masks: MaskSet, connection: psycopg.Connection, sql: str) -> tuple[int, list[str]]:
    """How many columns of the direct result show a canary, and which of them would show it in spite of the plan."""
    cursor = connection.execute(sql)
    result = cursor.pgresult
    assert result is not None
    rows = [
        [result.get_value(row, column) for column in range(result.nfields)] for row in range(min(result.ntuples, 50))
    ]
    (found,) = masks.examine(sql, (Statement(sql, Kind.SELECT, "SelectStmt"),), Namespace())
    shown, leaking = 0, []
    for with_origin in (False, True):
        columns = [
            Column(
                "c",
                result.ftype(number),
                result.ftable(number) if with_origin else 0,
                result.ftablecol(number) if with_origin else 0,
            )
            for number in range(result.nfields)
        ]
        plan = found.plan(columns) or (None,) * len(columns)
        for number, mask in enumerate(plan):
            before = [row[number] for row in rows]
            if any(CANARY.search((value or b"").decode()) for value in before):
                shown += 1
                after = [value if mask is None else mask(value) for value in before]
                if any(CANARY.search((value or b"").decode()) for value in after):
                    leaking.append(f"column {number}, {'with' if with_origin else 'without'} origin: {sql}")
    return shown, leaking


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**48))
def test_no_column_of_a_random_query_shows_a_canary(lab: psycopg.Connection, masks: MaskSet, seed: int) -> None:
    sql = Queries(Random(seed)).statement()
    try:
        shown, leaking = leaks(masks, lab, sql)
    except psycopg.Error as error:
        event(f"refused by the server: {error.sqlstate}")
        return
    event("shows a canary directly" if shown else "shows none")
    assert not leaking


@pytest.mark.parametrize("sql", ORDINARY)
def test_an_ordinary_read_is_left_alone(lab: psycopg.Connection, catalog: Catalog, sql: str) -> None:
    masks = mask_set(catalog, Policy("test", (), derived="hold", predicates="equality"))
    cursor = lab.execute(sql)
    result = cursor.pgresult
    assert result is not None
    (found,) = masks.examine(sql, (Statement(sql, Kind.SELECT, "SelectStmt"),), Namespace())
    assert found.findings == ()
    assert found.plan([Column("c", result.ftype(number)) for number in range(result.nfields)]) is None
