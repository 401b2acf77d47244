"""Python's drivers, each with the same result directly and through the gateway: PyMySQL, MySQL's own in pure Python and in C,
aiomysql, SQLAlchemy."""

from __future__ import annotations

import asyncio
import datetime
import decimal
from collections.abc import Callable
from contextlib import closing
from typing import Any

import aiomysql
import mysql.connector
import pymysql
import pymysql.cursors
import pytest
import sqlalchemy as sa
import trio
from attrs import evolve, frozen

from tests.integration.mysql_routes import Gateways, MySqlRoute
from tests.support.servers import Server

TABLE = """
CREATE TABLE things (
    id int PRIMARY KEY AUTO_INCREMENT, name varchar(80), price decimal(10, 2), weight double, born date, seen datetime(6),
    took time, data blob, doc json, flags bit(9), kind enum('a', 'b'), note text
)
"""
INSERT = (
    "INSERT INTO things (name, price, weight, born, seen, took, data, note) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)
ROW = (
    "Grüße 🐘 'quoted' \\ back",
    decimal.Decimal("1234.50"),
    -2.25,
    datetime.date(1815, 12, 10),
    datetime.datetime(2025, 11, 23, 10, 11, 12, 345678),
    "01:02:03",  # the C extension cannot prepare a timedelta
    bytes(range(256)),
    None,
)
BACK = (*ROW[:5], datetime.timedelta(hours=1, minutes=2, seconds=3), *ROW[6:])
SELECT = "SELECT name, price, weight, born, seen, took, data, note FROM things ORDER BY id"


@frozen
class Driver:
    """How a driver connects, and what it takes for a cursor whose statements are prepared by the server."""

    connect: Callable[..., Any]
    prepared: Callable[[Any], Any] | None = None


def _pymysql(route: MySqlRoute, **options: Any) -> Any:
    tls = {"ca": str(route.ca)}
    return pymysql.connect(
        host=route.host, port=route.port, user=route.user, password=route.password, database=route.dbname, ssl=tls,
        **options,
    )  # fmt: skip


def _connector(route: MySqlRoute, *, pure: bool, **options: Any) -> Any:
    return mysql.connector.connect(
        host=route.host, port=route.port, user=route.user, password=route.password, database=route.dbname, use_pure=pure,
        ssl_ca=str(route.ca), charset="utf8mb4", collation="utf8mb4_general_ci", **options,
    )  # fmt: skip


DRIVERS = {
    "pymysql": Driver(_pymysql),
    "connector-pure": Driver(
        lambda route, **options: _connector(route, pure=True, **options), lambda c: c.cursor(prepared=True)
    ),
    "connector-c": Driver(
        lambda route, **options: _connector(route, pure=False, **options), lambda c: c.cursor(prepared=True)
    ),
}


@pytest.fixture(params=sorted(DRIVERS))
def driver(request: pytest.FixtureRequest) -> Driver:
    return DRIVERS[request.param]


def test_every_value_comes_back_as_it_went_in(mysql_route: MySqlRoute, driver: Driver) -> None:
    with closing(driver.connect(mysql_route)) as connection:
        ways = [connection.cursor]
        if driver.prepared is not None:
            ways.append(lambda: driver.prepared(connection))  # type: ignore[misc]
        plain = connection.cursor()
        plain.execute(TABLE)
        for cursor in (way() for way in ways):
            cursor.execute(INSERT, ROW)
            assert cursor.rowcount == 1
            assert cursor.lastrowid
            cursor.close()
        connection.commit()
        for cursor in (way() for way in ways):
            cursor.execute(SELECT)
            found = cursor.fetchall()
            assert [tuple(row) for row in found] == [BACK] * len(ways)
            assert [column[0] for column in cursor.description] == SELECT[7:].split(" FROM", maxsplit=1)[0].split(", ")
            cursor.close()


def test_transactions_errors_and_batches(mysql_route: MySqlRoute, driver: Driver) -> None:
    with closing(driver.connect(mysql_route)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("CREATE TABLE t (id int PRIMARY KEY, v varchar(10))")
        cursor.executemany("INSERT INTO t VALUES (%s, %s)", [(n, str(n)) for n in range(200)])
        assert cursor.rowcount == 200
        connection.commit()
        cursor.execute("DELETE FROM t WHERE id < %s", (50,))
        connection.rollback()
        cursor.execute("SELECT count(*), min(v), max(id) FROM t")
        assert tuple(cursor.fetchone()) == (200, "0", 199)
        for text, number, state in (
            ("INSERT INTO t VALUES (1, 'again')", 1062, "23000"),
            ("SELECT * FROM nowhere", 1146, "42S02"),
            ("SELEC 1", 1064, "42000"),
            ("INSERT INTO t VALUES (1000, 'much too long')", 1406, "22001"),
        ):
            with pytest.raises(Exception) as failed:
                cursor.execute(text)
            assert failed.value.args[0] == number
            assert getattr(failed.value, "sqlstate", state) == state
        cursor.execute("SELECT 1")
        assert tuple(cursor.fetchone()) == (1,)


def test_procedures_give_several_results(mysql_route: MySqlRoute, driver: Driver) -> None:
    with closing(driver.connect(mysql_route)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("CREATE PROCEDURE two(IN n int) BEGIN SELECT n AS a; SELECT n + 1 AS b, 'x' AS c; END")
        cursor.callproc("two", (7,))
        if hasattr(cursor, "stored_results"):
            found = [[tuple(row) for row in result.fetchall()] for result in cursor.stored_results()]
        else:
            found = [list(cursor.fetchall())]
            cursor.nextset()
            found.append(list(cursor.fetchall()))
        assert found == [[(7,)], [(8, "x")]]


@pytest.mark.parametrize("pure", [True, False], ids=["pure", "c"])
def test_the_connection_is_made_new_for_another_borrower(mysql_route: MySqlRoute, pure: bool) -> None:
    """What pools do between two users of one connection."""
    with closing(_connector(mysql_route, pure=pure)) as connection:
        for renew in (
            connection.cmd_reset_connection,
            lambda: connection.cmd_change_user(mysql_route.user, mysql_route.password, mysql_route.dbname),
        ):
            with closing(connection.cursor()) as cursor:
                cursor.execute("SET @mine = 1, SESSION sort_buffer_size = 400000")
                cursor.execute("CREATE TEMPORARY TABLE only_mine (a int)")
            renew()
            with closing(connection.cursor()) as cursor:
                cursor.execute("SELECT @mine, DATABASE(), @@sort_buffer_size = 400000")
                assert tuple(cursor.fetchone()) == (None, mysql_route.dbname, 0)
                with pytest.raises(mysql.connector.Error):
                    cursor.execute("SELECT * FROM only_mine")


def test_rows_are_fetched_one_by_one_and_another_connection_goes_on(mysql_route: MySqlRoute) -> None:
    with (
        closing(_pymysql(mysql_route, cursorclass=pymysql.cursors.SSCursor)) as slow,
        closing(_pymysql(mysql_route)) as quick,
        slow.cursor() as rows,
        quick.cursor() as other,
    ):
        rows.execute("WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n")
        assert rows.fetchone() == (1,)
        other.execute("SELECT 1")
        assert other.fetchall() == ((1,),)
        assert len(rows.fetchall()) == 899


async def _aiomysql(route: MySqlRoute) -> list[Any]:
    pool = await aiomysql.create_pool(
        host=route.host, port=route.port, user=route.user, password=route.password, db=route.dbname, autocommit=True,
        charset="utf8mb4", minsize=1, maxsize=4,
    )  # fmt: skip

    async def ask(number: int) -> Any:
        async with pool.acquire() as connection, connection.cursor(aiomysql.DictCursor) as cursor:
            await cursor.execute("INSERT INTO things (name, price) VALUES (%s, %s)", (f"é{number}", number))
            await cursor.execute("SELECT name, price FROM things WHERE name = %s", (f"é{number}",))
            return await cursor.fetchone()

    async with pool.acquire() as connection, connection.cursor() as cursor:
        await cursor.execute(TABLE)
    found = await asyncio.gather(*(ask(number) for number in range(20)))
    pool.close()
    await pool.wait_closed()
    return found


async def test_aiomysql_with_a_pool(mysql_route: MySqlRoute) -> None:
    found = await trio.to_thread.run_sync(lambda: asyncio.run(_aiomysql(mysql_route)))
    assert found == [{"name": f"é{number}", "price": decimal.Decimal(number)} for number in range(20)]


@pytest.mark.parametrize("dialect", ["mysql+pymysql", "mysql+mysqlconnector"])
def test_sqlalchemy_makes_reflects_and_queries_a_schema(mysql_route: MySqlRoute, dialect: str) -> None:
    engine = sa.create_engine(f"{dialect}://{mysql_route.url}?charset=utf8mb4", pool_pre_ping=True, pool_size=2)
    metadata = sa.MetaData()
    people = sa.Table(
        "people", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(80), index=True),
        sa.Column("doc", sa.JSON), sa.Column("born", sa.Date), sa.Column("sure", sa.Boolean, nullable=False),
    )  # fmt: skip
    orders = sa.Table(
        "orders", metadata, sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("person", sa.ForeignKey("people.id", ondelete="CASCADE")), sa.Column("total", sa.Numeric(8, 2)),
    )  # fmt: skip
    metadata.create_all(engine)
    with engine.begin() as connection:
        ada = {"name": "Ada ♥", "doc": {"a": [1, None]}, "born": datetime.date(1815, 12, 10), "sure": True}
        added = connection.execute(people.insert(), ada).inserted_primary_key
        assert added is not None
        connection.execute(orders.insert(), [{"person": added[0], "total": decimal.Decimal(n) / 4} for n in range(8)])
    with engine.connect() as connection:
        total = sa.func.sum(orders.c.total)
        query = sa.select(people.c.name, people.c.doc, total).join(orders).group_by(people.c.id)
        assert connection.execute(query).all() == [("Ada ♥", {"a": [1, None]}, decimal.Decimal("7.00"))]
        connection.rollback()
        nested = connection.begin()
        with connection.begin_nested() as savepoint:
            connection.execute(orders.delete())
            savepoint.rollback()
        assert connection.execute(sa.select(sa.func.count()).select_from(orders)).scalar() == 8
        nested.commit()
    inspector = sa.inspect(engine)
    assert sorted(inspector.get_table_names()) == ["orders", "people"]
    assert [each["name"] for each in inspector.get_columns("people")] == ["id", "name", "doc", "born", "sure"]
    (key,) = inspector.get_foreign_keys("orders")
    assert (key["referred_table"], key["options"]) == ("people", {"ondelete": "CASCADE"})
    metadata.drop_all(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("user", "password", "database"),
    [("agent", "wrong", "routed"), ("other", "other-secret", "routed"), ("agent", "agent-secret", "elsewhere")],
)
def test_a_change_of_user_to_somebody_or_somewhere_else_ends_the_connection(
    mysql_gateways: Gateways, mariadb: Server, user: str, password: str, database: str
) -> None:
    route = mysql_gateways.route("through", "mariadb", mariadb)
    with closing(_connector(route, pure=True)) as connection:
        with pytest.raises(mysql.connector.Error):
            connection.cmd_change_user(user, password, database)
        with pytest.raises(mysql.connector.Error):
            connection.cmd_query("SELECT 1")


def test_a_password_may_come_in_clear_under_tls(mysql_gateways: Gateways, mariadb: Server) -> None:
    route = mysql_gateways.route("through", "mariadb", mariadb)
    with closing(_connector(route, pure=True, auth_plugin="mysql_clear_password")) as connection:
        connection.cmd_query("SELECT 1")
    wrong = evolve(route, password="wrong")
    with pytest.raises(mysql.connector.Error, match="Access denied"):
        _connector(wrong, pure=True, auth_plugin="mysql_clear_password")
