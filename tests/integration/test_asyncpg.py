"""asyncpg: always the extended protocol, always binary, introspection of types by itself."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import io
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from tests.integration.conftest import Route


def over(route: Route, body: Callable[[Any], Awaitable[None]]) -> None:
    """Runs `body` with a connection in an event loop of its own."""

    async def main() -> None:
        connection = await asyncpg.connect(route.dsn, ssl=False)
        try:
            await body(connection)
        finally:
            await connection.close(timeout=10)

    asyncio.run(main())


def test_values_of_many_types_come_back_equal(route: Route) -> None:
    async def body(connection: Any) -> None:
        values = [
            ("bool", True),
            ("int8", 2**62),
            ("float8", 1.5),
            ("numeric", decimal.Decimal("12345678901234567890.123456789")),
            ("text", "grün €𝄞"),
            ("bytea", b"\x00\xff"),
            ("timestamptz", datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC)),
            ("uuid", uuid.UUID(int=7)),
            ("int4[]", [1, None, 3]),
            ("jsonb", '{"a": [1]}'),
            ("text", None),
        ]
        for kind, value in values:
            assert await connection.fetchval(f"SELECT $1::{kind}", value) == value

    over(route, body)


def test_composite_and_enum_types_are_introspected(route: Route) -> None:
    async def body(connection: Any) -> None:
        await connection.execute("CREATE TYPE mood AS ENUM ('fine', 'so so'); CREATE TYPE pair AS (a int, m mood)")
        row = await connection.fetchrow("SELECT ROW(1, 'so so')::pair AS p, ARRAY['fine']::mood[] AS m")
        assert tuple(row["p"]) == (1, "so so")
        assert row["m"] == ["fine"]

    over(route, body)


def test_executemany_inserts_in_one_transaction(route: Route) -> None:
    async def body(connection: Any) -> None:
        await connection.execute("CREATE TABLE t (a int PRIMARY KEY, b text)")
        await connection.executemany("INSERT INTO t VALUES ($1, $2)", [(n, f"row {n}") for n in range(2000)])
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.executemany("INSERT INTO t VALUES ($1, $2)", [(5000, "new"), (7, "again")])
        assert await connection.fetchval("SELECT count(*) FROM t") == 2000

    over(route, body)


def test_a_cursor_reads_in_portions(route: Route) -> None:
    async def body(connection: Any) -> None:
        async with connection.transaction():
            total = 0
            async for row in connection.cursor("SELECT g FROM generate_series(1, 1000) AS g", prefetch=37):
                total += row["g"]
            assert total == 500_500
            cursor = await connection.cursor("SELECT g FROM generate_series(1, 10) AS g")
            assert [row["g"] for row in await cursor.fetch(4)] == [1, 2, 3, 4]
            await cursor.forward(3)
            assert (await cursor.fetchrow())["g"] == 8

    over(route, body)


def test_nested_transactions_roll_back_to_their_savepoint(route: Route) -> None:
    async def body(connection: Any) -> None:
        await connection.execute("CREATE TABLE t (a int)")
        async with connection.transaction(isolation="serializable"):
            await connection.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(asyncpg.DivisionByZeroError):
                async with connection.transaction():
                    await connection.execute("INSERT INTO t VALUES (2)")
                    await connection.fetch("SELECT 1/0")
            await connection.execute("INSERT INTO t VALUES (3)")
        assert [row["a"] for row in await connection.fetch("SELECT a FROM t ORDER BY a")] == [1, 3]

    over(route, body)


def test_copy_in_and_out(route: Route) -> None:
    async def body(connection: Any) -> None:
        await connection.execute("CREATE TABLE t (a int, b text)")
        records = [(number, f"row {number}") for number in range(10_000)]
        assert await connection.copy_records_to_table("t", records=records) == "COPY 10000"
        output = io.BytesIO()
        await connection.copy_from_query("SELECT * FROM t ORDER BY a LIMIT 2", output=output, format="csv")
        assert output.getvalue() == b"0,row 0\n1,row 1\n"

    over(route, body)


def test_a_timeout_cancels_the_query_on_the_server(route: Route) -> None:
    async def body(connection: Any) -> None:
        with pytest.raises(TimeoutError):
            await connection.fetch("SELECT pg_sleep(60)", timeout=0.3)
        assert await connection.fetchval("SELECT 1") == 1

    over(route, body)


def test_notifications_reach_their_listener(route: Route) -> None:
    async def body(connection: Any) -> None:
        heard: asyncio.Queue[tuple[int, str, str]] = asyncio.Queue()
        await connection.add_listener(
            "door", lambda _, pid, channel, payload: heard.put_nowait((pid, channel, payload))
        )
        await connection.execute("NOTIFY door, 'knock'")
        notification = await asyncio.wait_for(heard.get(), 20)
        assert notification == (connection.get_server_pid(), "door", "knock")

    over(route, body)


def test_the_statement_cache_survives_a_changed_table(route: Route) -> None:
    async def body(connection: Any) -> None:
        await connection.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        assert await connection.fetchrow("SELECT * FROM t") == (1,)
        await connection.execute("ALTER TABLE t ADD COLUMN b text DEFAULT 'x'")
        assert tuple(await connection.fetchrow("SELECT * FROM t")) == (1, "x")

    over(route, body)


def test_a_pool_resets_its_connections(route: Route) -> None:
    async def main() -> None:
        async with asyncpg.create_pool(route.dsn, ssl=False, min_size=2, max_size=4) as pool:
            await asyncio.gather(*(pool.execute("SET work_mem = '3MB'") for _ in range(8)))
            settings = await asyncio.gather(*(pool.fetchval("SHOW work_mem") for _ in range(8)))
        assert set(settings) == {"4MB"}

    asyncio.run(main())


def test_a_large_result_is_whole(route: Route) -> None:
    async def body(connection: Any) -> None:
        rows = await connection.fetch("SELECT g, repeat('x', 100) FROM generate_series(1, 100000) AS g")
        assert len(rows) == 100_000
        assert sum(row["g"] for row in rows) == 5_000_050_000

    over(route, body)
