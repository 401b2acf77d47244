"""MariaDB and MySQL: a pseudonym in a write waits for people, who see what the client wrote; so does the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.integration.mysql_gateway import mysql_gateway
from tests.integration.test_mysql_pseudonyms import DBNAME, MASKS, made, rows, token
from tests.support.servers import Server
from wireproxy.config.model import Approver

pytestmark = pytest.mark.integration


@pytest.fixture(params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    yield from made(request.getfixturevalue(request.param))


def test_a_pseudonym_in_a_write_waits_for_people_and_what_is_approved_is_shown_as_it_was_written(
    server: Server, tmp_path: Path
) -> None:
    bob = Approver("bob", frozenset({"bob"}), frozenset({"dba"}))

    async def run() -> None:
        async with mysql_gateway(server, DBNAME, tmp_path, extra=MASKS, wait_s=20) as door:
            desk = door.gateway.desk
            assert desk is not None
            value = await door.run(lambda c: token(c, 3))
            text = f"UPDATE people SET name = 'seen' WHERE ssn = '{value}'"
            changed: list[int] = []

            async def client() -> None:
                def work(connection: Any) -> int:
                    with connection.cursor() as cursor:
                        return int(cursor.execute(text))

                changed.append(await door.run(work))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(client)
                with trio.fail_after(15):
                    while not (waiting := await desk.select()):
                        await desk.changed(1)
                assert waiting[0].facts.sql == text
                await desk.approve(waiting[0].id, bob, "fine")
            assert changed == [1]
            assert await door.run(lambda c: rows(c, "SELECT name FROM people WHERE id = 3")) == [("seen",)]
            await door.run(lambda c: rows(c, "UPDATE people SET name = 'name3' WHERE id = 3"))

    trio.run(run)
    for log in (tmp_path / "sessions").rglob("*"):
        if log.is_file():
            assert b"canary" not in log.read_bytes()
