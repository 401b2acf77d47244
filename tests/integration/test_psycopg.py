"""psycopg 3: both formats, prepared statements, pipeline mode, COPY, cursors, notices, cancelling."""

from __future__ import annotations

import datetime
import decimal
import threading
import uuid

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.integration.conftest import Route

VALUES = [
    True,
    -(2**31),
    2**62,
    1.5,
    decimal.Decimal("12345678901234567890.123456789"),
    "grün €𝄞 '\"\\",
    b"\x00\xff\x80",
    datetime.date(2024, 2, 29),
    datetime.datetime(2024, 2, 29, 12, 30, 1, 5, tzinfo=datetime.UTC),
    datetime.timedelta(days=3, microseconds=7),
    uuid.UUID(int=7),
    [1, 2, None],
    None,
]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_values_of_many_types_come_back_equal(route: Route, binary: bool) -> None:
    with route.connect() as connection:
        for value in VALUES:
            row = connection.execute("SELECT %s", [value], binary=binary).fetchone()
            assert row == (value,)
        row = connection.execute("SELECT %s", [Jsonb({"a": [1, None]})], binary=binary).fetchone()
        assert row == ({"a": [1, None]},)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_parameters_in_both_formats_are_stored(route: Route, binary: bool) -> None:
    place = sql.SQL("%b, %b") if binary else sql.SQL("%t, %t")
    with route.connect() as connection:
        connection.execute("CREATE TABLE t (a int8, b bytea)")
        connection.execute(sql.SQL("INSERT INTO t VALUES ({})").format(place), [5, b"\x00\x01"])
        assert connection.execute("SELECT * FROM t").fetchone() == (5, b"\x00\x01")


def test_prepared_statements_run_again_and_again(route: Route) -> None:
    with route.connect(prepare_threshold=1) as connection:
        for number in range(50):
            assert connection.execute("SELECT %s::int4 * 2", [number]).fetchone() == (2 * number,)
        names = connection.execute("SELECT count(*) FROM pg_prepared_statements", prepare=False).fetchone()
        assert names is not None
        assert names[0] >= 1


def test_many_prepared_statements_are_deallocated_by_the_driver(route: Route) -> None:
    with route.connect(prepare_threshold=1) as connection:
        connection.prepared_max = 5
        for number in range(40):
            query = sql.SQL("SELECT %s::int4 + {}").format(number)
            assert connection.execute(query, [1]).fetchone() == (number + 1,)
            assert connection.execute(query, [2]).fetchone() == (number + 2,)


def test_a_pipeline_answers_in_order(route: Route) -> None:
    with route.connect() as connection, connection.pipeline():
        cursors = [connection.execute("SELECT %s::int4", [number]) for number in range(300)]
        assert [cursor.fetchone() for cursor in cursors] == [(number,) for number in range(300)]


def test_an_error_in_a_pipeline_skips_to_its_sync(route: Route) -> None:
    with route.connect() as connection:
        connection.execute("CREATE TABLE t (a int PRIMARY KEY)")
        with pytest.raises(psycopg.errors.UniqueViolation), connection.pipeline() as pipeline:
            connection.execute("INSERT INTO t VALUES (1)")
            pipeline.sync()
            connection.execute("INSERT INTO t VALUES (2)")
            connection.execute("INSERT INTO t VALUES (1)")
            skipped = connection.execute("INSERT INTO t VALUES (3)")
            pipeline.sync()
            with pytest.raises(psycopg.errors.PipelineAborted):
                skipped.fetchone()
            after = connection.execute("SELECT 'still here'")
            pipeline.sync()
            assert after.fetchone() == ("still here",)
        assert connection.execute("SELECT array_agg(a) FROM t").fetchone() == ([1],)


def test_a_transaction_with_savepoints_survives_its_errors(route: Route) -> None:
    with psycopg.connect(route.dsn) as connection:
        connection.execute("CREATE TABLE t (a int PRIMARY KEY)")
        with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction():
            connection.execute("INSERT INTO t VALUES (1)")
            connection.execute("SELECT 1/0")
        connection.execute("INSERT INTO t VALUES (2)")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nowhere")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SELECT 1")
        connection.rollback()
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


@pytest.mark.parametrize("form", ["TEXT", "CSV", "BINARY"])
def test_copy_in_and_out_give_the_same_bytes(route: Route, form: str) -> None:
    with route.connect() as connection:
        connection.execute(
            "CREATE TABLE a AS SELECT g, 'row ' || g AS t, NULL::int AS n FROM generate_series(1, 20000) AS g"
        )
        connection.execute("CREATE TABLE b (LIKE a)")
        options = sql.SQL("(FORMAT {})").format(sql.SQL(form))
        with connection.cursor().copy(sql.SQL("COPY a TO STDOUT {}").format(options)) as copy:
            data = b"".join(bytes(block) for block in copy)
        with connection.cursor().copy(sql.SQL("COPY b FROM STDIN {}").format(options)) as copy:
            for start in range(0, len(data), 7919):
                copy.write(data[start : start + 7919])
        assert connection.execute("TABLE a EXCEPT TABLE b").fetchall() == []
        assert connection.execute("SELECT count(*) FROM b").fetchone() == (20000,)


def test_a_copy_that_the_client_breaks_off_leaves_nothing(route: Route) -> None:
    with route.connect() as connection:
        connection.execute("CREATE TABLE t (a int)")
        with (
            pytest.raises(RuntimeError, match="changed my mind"),
            connection.cursor().copy("COPY t FROM STDIN") as copy,
        ):
            copy.write(b"1\n2\n")
            raise RuntimeError("changed my mind")
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_server_cursor_reads_in_portions_and_scrolls(route: Route) -> None:
    with psycopg.connect(route.dsn) as connection, connection.cursor("portions", scrollable=True) as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT g FROM generate_series(1, 1000) AS g")
        assert sum(row[0] for row in cursor) == 500_500
        cursor.scroll(0, mode="absolute")
        assert cursor.fetchmany(3) == [(1,), (2,), (3,)]


def test_rows_streamed_one_by_one(route: Route) -> None:
    with route.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        total = sum(row["g"] for row in cursor.stream("SELECT g FROM generate_series(1, 5000) AS g"))
    assert total == 12_502_500


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_a_value_of_forty_megabytes_passes_both_ways(route: Route, binary: bool) -> None:
    value = bytes(range(256)) * (40 * 4096)
    with route.connect() as connection:
        connection.execute("CREATE TABLE t (a bytea)")
        connection.execute("INSERT INTO t VALUES (%b)", [value])
        row = connection.execute("SELECT a FROM t", binary=binary).fetchone()
    assert row == (value,)


def test_a_wide_row_of_every_column_postgres_allows(route: Route) -> None:
    columns = sql.SQL(", ").join(sql.SQL("{} AS {}").format(n, sql.Identifier(f"c{n}")) for n in range(1600))
    with route.connect() as connection:
        row = connection.execute(sql.SQL("SELECT {}").format(columns)).fetchone()
    assert row == tuple(range(1600))


def test_notices_reach_their_handler(route: Route) -> None:
    heard: list[str | None] = []
    with route.connect() as connection:
        connection.add_notice_handler(lambda diagnostic: heard.append(diagnostic.message_primary))
        connection.execute("DO $$ BEGIN RAISE WARNING 'mind the gap'; END $$")
    assert heard == ["mind the gap"]


def test_a_notification_arrives_without_a_query(route: Route) -> None:
    with route.connect() as listener, route.connect() as speaker:
        listener.execute("LISTEN door")
        speaker.execute("SELECT pg_notify('door', 'knock €')")
        notification = next(listener.notifies(timeout=20, stop_after=1))
        assert (notification.channel, notification.payload) == ("door", "knock €")
        assert notification.pid == speaker.info.backend_pid


def test_the_process_id_is_the_servers_own(route: Route) -> None:
    with route.connect() as connection:
        assert connection.execute("SELECT pg_backend_pid()").fetchone() == (connection.info.backend_pid,)


def test_a_running_query_can_be_cancelled(route: Route) -> None:
    with route.connect() as connection, route.connect() as watcher:
        timer = threading.Thread(target=_cancel_when_running, args=(connection, watcher))
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(60)")
        timer.join()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def _cancel_when_running(connection: psycopg.Connection, watcher: psycopg.Connection) -> None:
    running = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
    while watcher.execute(running, [connection.info.backend_pid]).fetchone() == (0,):
        pass
    connection.cancel_safe()


def test_parameters_of_the_server_are_reported(route: Route) -> None:
    with route.connect() as connection:
        status = connection.info.parameter_status
        assert status("server_version") is not None
        assert status("standard_conforming_strings") == "on"
        connection.execute("SET application_name = 'renamed'")
        assert status("application_name") == "renamed"
        connection.execute("SET TimeZone = 'Asia/Kathmandu'")
        assert status("TimeZone") == "Asia/Kathmandu"


def test_startup_parameters_are_the_servers(route: Route) -> None:
    with route.connect(
        application_name="who am i", options="-c statement_timeout=54321 -c search_path=here,there"
    ) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("54321ms",)
        assert connection.execute("SHOW search_path").fetchone() == ("here,there",)
        assert connection.execute("SHOW application_name").fetchone() == ("who am i",)


@pytest.mark.parametrize("encoding", ["latin1", "utf8", "euc_jp"])
def test_other_client_encodings_work(route: Route, encoding: str) -> None:
    text = "日本" if encoding == "euc_jp" else "grün"
    with route.connect(client_encoding=encoding) as connection:
        assert connection.execute("SELECT %s", [text]).fetchone() == (text,)
        assert connection.execute("SELECT octet_length(convert_to(%s, 'UTF8'))", [text]).fetchone() == (
            len(text.encode()),
        )


def test_an_unknown_database_is_refused(route: Route) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(route.dsn, dbname="no_such_database")


def test_a_wrong_password_is_refused(route: Route) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(route.dsn, password="wrong")
