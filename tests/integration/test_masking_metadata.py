"""What programs ask about a database when they connect and look around comes back as from the server, whatever is masked in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy

from tests.integration.masking_schema import ROWS, RULES, SCHEMA
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "masking_metadata"
CORPUS = Path(__file__).parent.parent / "corpus" / "masking" / "metadata_reads.sql"
READS = [line for line in CORPUS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("--")]
PSQL = [
    "\\d", "\\d+", "\\d customers", "\\d+ customers", "\\d orders", "\\d+ events", "\\d badges", "\\d v_customers", "\\d+ mv",
    "\\d snap", "\\d \"Odd \"\"Table\"", "\\d hr.*", "\\dt *.*", "\\dt+", "\\di+", "\\dv+", "\\dm+", "\\ds", "\\dn+", "\\df",
    "\\df+ get_*", "\\da", "\\do", "\\dC", "\\dT+", "\\dD", "\\dp", "\\ddp", "\\du", "\\dg+", "\\l", "\\dx+", "\\dL", "\\db",
    "\\dc", "\\dd", "\\dE", "\\des", "\\det", "\\dew", "\\dF", "\\dFd", "\\dO", "\\dP", "\\dRp", "\\dX", "\\dy", "\\dA+",
    "\\dAc", "\\drds", "\\sf get_ssn", "\\sv v_customers", "\\encoding", "\\z customers", "\\dconfig work_mem",
]  # fmt: skip


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found: Server = request.getfixturevalue(request.param)
    with psycopg.connect(found.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(found.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
            connection.execute(ROWS)
        yield found
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


@pytest.fixture(scope="module")
def gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    masks = {rule.column: rule.masker for rule in RULES}
    plan = GatewayPlan(server=server, dbname=DBNAME, policy="agent-default", masks=masks, wait_s=0)
    with running_gateway(plan, tmp_path_factory.mktemp("metadata")) as found:
        yield found


@pytest.mark.parametrize("result_format", [0, 1], ids=["text", "binary"])
def test_what_clients_ask_about_a_database_comes_back_as_from_the_server(
    server: Server, gateway: Gateway, result_format: int
) -> None:
    different, failed = [], []
    with psycopg.connect(server.dsn(DBNAME)) as one, psycopg.connect(gateway.dsn()) as two:
        for sql in READS:
            answers = []
            for connection in (one, two):
                connection.pgconn.exec_(b"ROLLBACK")
                result = connection.pgconn.exec_params(sql.encode(), None, None, None, result_format)
                width, height = range(result.nfields), range(result.ntuples)
                rows = [[result.get_value(row, place) for place in width] for row in height]
                answers.append((result.error_message, [result.fname(place) for place in width], rows))
            if answers[0] != answers[1]:
                different.append((sql, answers[1][0] or "other rows"))
            if answers[0][0] and b"no binary output function" not in answers[0][0]:
                failed.append((sql, answers[0][0]))
    assert different == []
    assert failed == []


def run(server: Server, dsn: str, name: str, *arguments: str) -> str:
    assert server.programs is not None
    parts = urlsplit(dsn)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        **server.programs.environment,
        "PGPASSWORD": str(parts.password), "PGSSLMODE": "disable", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    where = ["-h", str(parts.hostname), "-p", str(parts.port), "-U", str(parts.username), "-d", DBNAME]
    command = [server.programs / name, *where, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    return done.stdout + done.stderr


def test_psql_describes_as_from_the_server(postgres: Server, server: Server, gateway: Gateway) -> None:
    commands = ["-X", *(word for command in PSQL for word in ("-c", command))]
    direct = run(postgres, server.dsn(DBNAME), "psql", *commands)
    assert "customers" in direct
    through = run(postgres, gateway.dsn(), "psql", *commands)
    assert through.splitlines() == direct.splitlines()


def test_pg_dump_of_the_definitions_is_as_from_the_server(postgres: Server, server: Server, gateway: Gateway) -> None:
    if server is not postgres:
        return  # of this version there is no program
    dumps = [
        run(postgres, dsn, "pg_dump", "--schema-only", "--no-subscriptions")
        for dsn in (server.dsn(DBNAME), gateway.dsn())
    ]
    direct, through = ([line for line in dump.splitlines() if "restrict" not in line] for dump in dumps)
    assert "CREATE TABLE public.customers (" in direct
    assert through == direct


@pytest.mark.filterwarnings("ignore:Did not recognize type")
def test_sqlalchemy_reflects_as_from_the_server(server: Server, gateway: Gateway) -> None:
    found = []
    for dsn in (server.dsn(DBNAME), gateway.dsn()):
        engine = sqlalchemy.create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"))
        inspector = sqlalchemy.inspect(engine)
        schemas = [each for each in inspector.get_schema_names() if each != "information_schema"]
        found.append(
            [
                (schema, repr(each))
                for schema in schemas
                for each in (
                    inspector.get_multi_columns(schema, kind=sqlalchemy.engine.reflection.ObjectKind.ANY),
                    inspector.get_multi_pk_constraint(schema), inspector.get_multi_foreign_keys(schema),
                    inspector.get_multi_indexes(schema), inspector.get_multi_unique_constraints(schema),
                    inspector.get_multi_check_constraints(schema), inspector.get_multi_table_comment(schema),
                    sorted(inspector.get_view_names(schema)), sorted(inspector.get_materialized_view_names(schema)),
                    sorted(inspector.get_sequence_names(schema)), inspector.get_enums(schema), inspector.get_domains(schema),  # type: ignore[attr-defined]
                )
            ]
        )  # fmt: skip
        engine.dispose()
    assert "customers" in str(found[0])
    assert found[1] == found[0]
