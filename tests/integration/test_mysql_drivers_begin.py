"""What MariaDB's JDBC driver says first, under `agent-default`: were it held, the driver could not connect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymysql.constants import CLIENT

from tests.integration.mysql_gateway import Door, direct, mysql_gateway
from tests.support.servers import Server

DBNAME = "wp_drivers"
BEGINS = (
    "set sql_mode=CONCAT(@@sql_mode,',STRICT_TRANS_TABLES'),session_track_system_variables ="
    " CONCAT(@@global.session_track_system_variables,',tx_isolation'),NAMES utf8mb4"
)


@pytest.fixture(params=["mariadb", "mysql"])
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Door]:
    server: Server = request.getfixturevalue(request.param)
    with direct(server, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS {DBNAME}")
    async with mysql_gateway(server, DBNAME, tmp_path, policy="agent-default", wait_s=0.01) as door:
        yield door


async def test_a_driver_that_ignores_spaces_may_set_the_modes_that_it_likes_beside(door: Door) -> None:
    def begin(connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@sql_mode")
            assert "IGNORE_SPACE" in cursor.fetchone()[0]
            cursor.execute(BEGINS)
            cursor.execute("SELECT count (*), @@sql_mode FROM (SELECT 1) t")
            count, mode = cursor.fetchone()
            assert count == 1
            assert {"IGNORE_SPACE", "STRICT_TRANS_TABLES"} <= set(mode.split(","))

    await door.run(begin, client_flag=CLIENT.IGNORE_SPACE)


async def test_what_the_session_reports_does_not_change_how_it_is_read(door: Door) -> None:
    """The gateway asks for the mode by itself, whatever a client has the server report."""

    def begin(connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET session_track_system_variables = '', session_track_schema = OFF")
            cursor.execute("SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')")

    with pytest.raises(Exception, match="changes how later text is read"):
        await door.run(begin)
