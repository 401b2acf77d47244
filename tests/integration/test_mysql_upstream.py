"""Real servers let the gateway in, by every method that they know, and tell what a session starts with."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pymysql
import pytest
import trio

from protocols.mysql.capabilities import Capability
from rules.model import Dialect, Volatility
from tests.support.servers import Server, Servers
from wireproxy.config.model import Database, Secret, TlsMode
from wireproxy.mysql.catalog import load_mysql
from wireproxy.mysql.serving import open_namespace
from wireproxy.mysql.upstream import MySqlUpstream, ask, connect_mysql, kill_query
from wireproxy.upstream import UpstreamError

CLIENT = Capability.PROTOCOL_41 | Capability.TRANSACTIONS | Capability.MULTI_RESULTS | Capability.PS_MULTI_RESULTS
PASSWORD = "wp-mysql-wire Grüße"


@pytest.fixture(params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


def admin(server: Server) -> pymysql.Connection:  # type: ignore[type-arg]
    return pymysql.connect(
        host=server.host, port=server.port, user=server.user, password=server.password, autocommit=True
    )


def a_database(server: Server, folder: Path, *, tls: TlsMode = "disable", **changes: str) -> Database:
    secret = folder / "password"
    secret.write_text(changes.get("password", server.password), encoding="utf-8")
    user = changes.get("user", server.user)
    return Database("shop", Dialect.MYSQL, server.host, server.port, "mysql", user, Secret(file=secret), tls=tls)


@asynccontextmanager
async def logged_in(database: Database, flags: Capability = CLIENT) -> AsyncIterator[MySqlUpstream]:
    upstream = await connect_mysql(database, flags)
    with upstream.wire:
        yield upstream


@pytest.mark.parametrize("tls", ["disable", "prefer", "require"])
@pytest.mark.parametrize("flags", [CLIENT, CLIENT | Capability.DEPRECATE_EOF], ids=["eof", "deprecate-eof"])
async def test_a_session_is_had_and_tells_its_settings(
    server: Server, tmp_path: Path, tls: TlsMode, flags: Capability
) -> None:
    async with logged_in(a_database(server, tmp_path, tls=tls), flags) as upstream:
        assert upstream.tls is (tls != "disable")
        namespace = (await open_namespace(upstream, a_database(server, tmp_path), read_only=False)).current
    assert namespace.lexing_known
    assert namespace.database == "mysql"
    assert namespace.charset == "utf8mb4"
    with admin(server) as connection:
        assert namespace.mariadb is ("MariaDB" in connection.get_server_info())
    assert "STRICT_TRANS_TABLES" in namespace.sql_mode
    assert namespace.server_version > 80000


async def test_a_read_only_session_cannot_write(server: Server, tmp_path: Path) -> None:
    async with logged_in(a_database(server, tmp_path)) as upstream:
        await open_namespace(upstream, a_database(server, tmp_path), read_only=True)
        with pytest.raises(UpstreamError) as caught:
            await ask(upstream, [b"CREATE TABLE test.wp_wire_never (a int)"])
    assert "READ ONLY" in caught.value.reason


@pytest.mark.parametrize("tls", ["disable", "require"])
async def test_native_passwords_are_proved(mariadb: Server, tmp_path: Path, tls: TlsMode) -> None:
    with admin(mariadb) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE USER wp_wire_native IDENTIFIED BY '{PASSWORD}'")
        cursor.execute("GRANT ALL ON *.* TO wp_wire_native")
        try:
            database = a_database(mariadb, tmp_path, tls=tls, user="wp_wire_native", password=PASSWORD)
            async with logged_in(database) as upstream:
                assert await ask(upstream, [b"SELECT 7"]) == [((b"7",),)]
        finally:
            cursor.execute("DROP USER wp_wire_native")


@pytest.mark.parametrize("tls", ["disable", "require"])
async def test_ed25519_is_proved(servers: Servers, tmp_path: Path, tls: TlsMode) -> None:
    server = servers.mariadb_with_plugins()
    with admin(server) as connection, connection.cursor() as cursor:
        cursor.execute("INSTALL SONAME 'auth_ed25519'")
        cursor.execute(f"CREATE OR REPLACE USER wp_wire_ed25519 IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}')")
        cursor.execute("GRANT ALL ON *.* TO wp_wire_ed25519")
        try:
            for password, comes in ((PASSWORD, True), ("wrong", False)):
                database = a_database(server, tmp_path, tls=tls, user="wp_wire_ed25519", password=password)
                with contextlib.nullcontext() if comes else pytest.raises(UpstreamError):
                    async with logged_in(database) as upstream:
                        assert await ask(upstream, [b"SELECT CURRENT_USER()"]) == [((b"wp_wire_ed25519@%",),)]
        finally:
            cursor.execute("DROP USER wp_wire_ed25519")
            cursor.execute("UNINSTALL SONAME 'auth_ed25519'")


@pytest.mark.parametrize("tls", ["disable", "require"])
async def test_caching_sha2_is_proved_fully_and_then_fast(mysql: Server, tmp_path: Path, tls: TlsMode) -> None:
    with admin(mysql) as connection, connection.cursor() as cursor:
        cursor.execute("DROP USER IF EXISTS wp_wire_sha2")
        cursor.execute(f"CREATE USER wp_wire_sha2 IDENTIFIED BY '{PASSWORD}'")
        cursor.execute("GRANT ALL ON *.* TO wp_wire_sha2")
        try:
            database = a_database(mysql, tmp_path, tls=tls, user="wp_wire_sha2", password=PASSWORD)
            for _ in range(2):  # the server remembers the first
                async with logged_in(database) as upstream:
                    assert await ask(upstream, [b"SELECT 7"]) == [((b"7",),)]
        finally:
            cursor.execute("DROP USER wp_wire_sha2")


async def test_a_wrong_password_is_not_told_to_the_client(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UpstreamError) as caught:
        async with logged_in(a_database(server, tmp_path, password="wrong")):
            pass
    assert "root" not in caught.value.message
    assert "Access denied" in caught.value.reason


async def test_an_unknown_database_is_an_error_of_the_login(server: Server, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(server.password)
    database = Database(
        "shop", Dialect.MYSQL, server.host, server.port, "wp_no_such", "root", Secret(file=secret), tls="disable"
    )
    with pytest.raises(UpstreamError):
        async with logged_in(database):
            pass


async def test_a_running_query_is_killed(server: Server, tmp_path: Path) -> None:
    database = a_database(server, tmp_path)
    async with logged_in(database) as upstream, trio.open_nursery() as nursery:
        nursery.start_soon(kill_when_running, server, database, upstream.process_id)
        with suppress(UpstreamError):  # MySQL gives a row, MariaDB an error
            await ask(upstream, [b"SELECT SLEEP(100)"])


async def kill_when_running(server: Server, database: Database, number: int) -> None:
    with admin(server) as connection, connection.cursor() as cursor:
        running = 0
        while not running:
            cursor.execute(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE id = %s AND info LIKE 'SELECT SLEEP%%'",
                (number,),
            )
            row = cursor.fetchone()
            running = row[0] if row else 0
            await trio.lowlevel.checkpoint()
    await kill_query(database, number)


async def test_the_catalog_has_tables_views_and_routines(server: Server, tmp_path: Path) -> None:
    with admin(server) as connection, connection.cursor() as cursor:
        for text in (
            "CREATE DATABASE wp_wire_catalog",
            "CREATE TABLE wp_wire_catalog.people (id int PRIMARY KEY, name text, up int AS (id + 1))",
            "CREATE VIEW wp_wire_catalog.names AS SELECT name FROM wp_wire_catalog.people",
            "CREATE FUNCTION wp_wire_catalog.twice(n int) RETURNS int DETERMINISTIC RETURN n * 2",
            "CREATE PROCEDURE wp_wire_catalog.tidy() DELETE FROM wp_wire_catalog.people",
        ):
            cursor.execute(text)
        try:
            catalog, version = await load_mysql(a_database(server, tmp_path), server.password, 4)
        finally:
            cursor.execute("DROP DATABASE wp_wire_catalog")
    assert catalog.version == 4
    assert version
    people = catalog.relations["wp_wire_catalog", "people"]
    assert people.kind == "r"
    assert [column.name for column in people.columns] == ["id", "name", "up"]
    assert people.columns[2].generated
    assert catalog.by_oid[people.oid] is people
    view = catalog.relations["wp_wire_catalog", "names"]
    assert view.kind == "v"
    assert view.definition is not None
    (twice,) = catalog.functions["wp_wire_catalog", "twice"]
    assert (twice.kind, twice.arguments, twice.volatility) == ("f", 1, Volatility.STABLE)
    (tidy,) = catalog.functions["wp_wire_catalog", "tidy"]
    assert tidy.kind == "p"
    assert "DELETE" in (tidy.body or "")
