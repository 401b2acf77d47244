"""A refusal is an ordinary error of the database, wherever it falls, and the session goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from tests.support import raw
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

DBNAME = "refusing"


@pytest.fixture(scope="module")
def gateway(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(postgres.dsn(DBNAME), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, total numeric)")
        connection.execute("INSERT INTO orders SELECT g, g FROM generate_series(1, 100) g")
    plan = GatewayPlan(server=postgres, dbname=DBNAME, policy="agent-default", wait_s=0.2)
    with running_gateway(plan, tmp_path_factory.mktemp("refusing")) as gateway:
        yield gateway


@pytest.fixture
def agent(gateway: Gateway) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
        yield connection


def rows_left(postgres: Server) -> int:
    with psycopg.connect(postgres.dsn(DBNAME)) as connection:
        row = connection.execute("SELECT count(*) FROM orders").fetchone()
        assert row is not None
        return int(row[0])


def test_the_error_says_what_by_which_rule_and_what_next(agent: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege) as caught:
        agent.execute("DROP TABLE orders")
    diagnostic = caught.value.diag
    assert diagnostic.sqlstate == "42501"
    assert "DROP TABLE orders refused by rule" in str(diagnostic.message_primary)
    assert diagnostic.message_detail
    assert diagnostic.message_hint
    assert agent.execute("SELECT count(*) FROM orders").fetchone() == (100,)


def test_the_log_has_the_same_text(gateway: Gateway, agent: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege) as caught:
        agent.execute("DROP TABLE orders CASCADE")
    found = gateway.cli("search", "DROP TABLE orders CASCADE", "--json")
    assert found.returncode == 0, found.stderr
    assert "DROP TABLE orders CASCADE" in found.stdout
    assert caught.value.diag.message_primary


def test_outside_a_transaction_nothing_is_left_behind(agent: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        agent.execute("DROP TABLE orders")
    assert agent.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_inside_a_transaction_it_is_aborted_as_the_server_would(agent: psycopg.Connection) -> None:
    agent.execute("BEGIN")
    with pytest.raises(errors.InsufficientPrivilege):
        agent.execute("DROP TABLE orders")
    assert agent.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    with pytest.raises(errors.InFailedSqlTransaction):
        agent.execute("SELECT 1")
    agent.execute("ROLLBACK")
    assert agent.execute("SELECT 1").fetchone() == (1,)


def test_a_savepoint_takes_a_refusal_back(agent: psycopg.Connection) -> None:
    with agent.transaction():
        agent.execute("SELECT 1")
        with pytest.raises(errors.InsufficientPrivilege), agent.transaction():
            agent.execute("DROP TABLE orders")
        assert agent.execute("SELECT 2").fetchone() == (2,)


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_in_every_place_of_a_pipeline_the_rest_up_to_sync_is_skipped(agent: psycopg.Connection, place: int) -> None:
    statements = ["SELECT 1", "SELECT 2", "SELECT 3"]
    statements.insert(place, "DROP TABLE orders")
    cursors: list[psycopg.Cursor[tuple[object, ...]]] = []
    with pytest.raises(psycopg.Error) as caught, agent.pipeline() as pipeline:
        for statement in statements:
            cursors.append(agent.execute(statement))
        pipeline.sync()
    assert isinstance(caught.value, errors.InsufficientPrivilege | errors.PipelineAborted)
    assert [cursor.fetchone() for cursor in cursors[:place]] == [(number + 1,) for number in range(place)]
    assert agent.execute("SELECT 4").fetchone() == (4,)


def test_a_batch_is_judged_whole_and_none_of_it_runs(agent: psycopg.Connection, postgres: Server) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        agent.execute("SELECT 1; DROP TABLE orders; SELECT 2")
    assert rows_left(postgres) == 100


@pytest.mark.parametrize(
    "text",
    [
        "DROP/**/TABLE orders",
        'drop table "orders"',
        "DROP TABLE public.orders",
        "\n\n--\nDROP TABLE orders",
        "/* ; */ DROP TABLE IF EXISTS orders",
        "BEGIN; DROP TABLE orders; COMMIT",
        "DO $$ BEGIN DROP TABLE orders; END $$",
        "PREPARE d AS DELETE FROM orders; EXECUTE d",
        "WITH gone AS (DELETE FROM orders RETURNING *) SELECT count(*) FROM gone",
        "EXPLAIN ANALYZE DELETE FROM orders",
        "SELECT query_to_xml('delete from orders', true, true, '')",
        "COPY orders FROM PROGRAM 'true'",
        "TRUNCATE orders",
        "UPDATE orders SET total = 0",
        "CREATE TABLE stolen AS SELECT * FROM orders",
        "SELECT * INTO stolen FROM orders",
        "SELECT lo_import('/etc/passwd')",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE postgres",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "GRANT ALL ON orders TO PUBLIC",
        "SELECT set_config('session_replication_role', 'replica', false)",
        "VACUUM FULL orders",
        "LOCK TABLE orders",
        "SELECT pg_terminate_backend(1)",
        "DELETE FROM orders WHERE id IN (SELECT id FROM orders)",
    ],
)
def test_whatever_changes_something_does_not_run_unasked(
    agent: psycopg.Connection, postgres: Server, text: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        agent.execute(text)
    assert caught.value.sqlstate == "42501", caught.value
    assert rows_left(postgres) == 100
    if agent.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        agent.execute("ROLLBACK")
    assert agent.execute("SELECT 1").fetchone() == (1,)


def test_an_evasion_by_swapping_a_prepared_name_does_not_work(gateway: Gateway, postgres: Server) -> None:
    with raw.raw_connection(gateway.dsn()) as connection:
        connection.send(raw.parse("s", "DELETE FROM orders") + raw.SYNC)
        connection.read_until(b"Z")
        connection.send(raw.parse("s", "SELECT 1") + raw.SYNC + raw.bind("", "s") + raw.execute() + raw.SYNC)
        answers = b"".join(connection.read_until(b"Z", 2))
        assert b"42P05" in answers
        assert b"42501" in answers
    assert rows_left(postgres) == 100


def test_a_function_call_message_is_refused(gateway: Gateway) -> None:
    with raw.raw_connection(gateway.dsn()) as connection:
        connection.send(raw.message(b"F", b"\0\0\x05\x2b" + b"\0\0" + b"\0\0" + b"\0\0"))
        answers = b"".join(connection.read_until(b"Z"))
        assert b"42501" in answers
        connection.send(raw.query("SELECT 1"))
        connection.read_until(b"Z")


def test_a_statement_longer_than_its_limit_is_refused_and_the_session_goes_on(agent: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match=r"refused"):
        agent.execute("SELECT '" + "x" * 5_000_000 + "'")
    assert agent.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT o.id, sum(o.total) OVER (ORDER BY o.id) FROM orders o LIMIT 3",
        "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t",
        "SELECT now(), version(), current_setting('server_version')",
        "SHOW server_version",
        "EXPLAIN SELECT * FROM orders",
        "BEGIN; SELECT 1; COMMIT",
        "SET statement_timeout = '5s'",
        "SELECT relname FROM pg_class WHERE relkind = 'r' ORDER BY 1 LIMIT 1",
    ],
)
def test_ordinary_reads_pass(agent: psycopg.Connection, text: str) -> None:
    agent.execute(text)


@pytest.mark.parametrize("text", ["SELEC 1", "SELECT FROM WHERE", "SELECT 'abc", "DELETE orders"])
def test_a_typing_error_is_a_syntax_error_at_once_and_not_a_request(agent: psycopg.Connection, text: str) -> None:
    with pytest.raises(errors.SyntaxError) as caught:
        agent.execute(text)
    assert "syntax error" in str(caught.value) or "unterminated" in str(caught.value)
    assert agent.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("road", "text", "sqlstate"),
    [
        ("simple", b"SELECT '\xff\xfe'", b"C22021"),
        ("prepared", b"SELECT '\xff\xfe'", b"C22021"),
        ("simple", b"SELECT 1\0; DROP TABLE orders", b"C08P01"),
    ],
)
def test_bytes_that_are_no_text_are_an_error_at_once_and_not_a_request(
    gateway: Gateway, road: str, text: bytes, sqlstate: bytes
) -> None:
    with raw.raw_connection(gateway.dsn()) as connection:
        prepared = raw.message(b"P", b"\0", text, b"\0\0\0") + raw.bind("", "") + raw.execute() + raw.SYNC
        connection.send(raw.message(b"Q", text, b"\0") if road == "simple" else prepared)
        answer = b"".join(connection.read_until(b"Z"))
        assert sqlstate in answer
        assert b"waits for approval" not in answer
        connection.send(raw.query("SELECT 1"))
        assert b"SELECT 1" in b"".join(connection.read_until(b"Z"))


def test_a_read_only_policy_pins_the_servers_session_too(
    postgres: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan = GatewayPlan(server=postgres, dbname=DBNAME, policy="read-only")
    with (
        running_gateway(plan, tmp_path_factory.mktemp("read-only")) as gateway,
        psycopg.connect(gateway.dsn(), autocommit=True) as connection,
    ):
        for text in ("SELECT 1", "RESET ALL", "DISCARD ALL", "RESET default_transaction_read_only"):
            with contextlib.suppress(errors.InsufficientPrivilege):
                connection.execute(text)
            assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
    options = "-c default_transaction_read_only=off"
    with (
        running_gateway(plan, tmp_path_factory.mktemp("read-only")) as gateway,
        psycopg.connect(gateway.dsn(), autocommit=True, options=options) as connection,
    ):
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("INSERT INTO orders VALUES (1000, 1)")
