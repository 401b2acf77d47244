"""The same with MySQL's own driver, in pure Python and in C, by texts and by prepared statements that outlive a grant."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import mysql.connector
import pytest
import trio

from tests.integration.mysql_gateway import PASSWORD, Door
from tests.integration.test_mysql_exemptions import DBNAME, approved, door, server, told

__all__ = ["door", "server"]
pytestmark = pytest.mark.integration
IMPLEMENTATIONS = pytest.mark.parametrize("pure", [True, False], ids=["pure", "c"])


def connect(door: Door, pure: bool) -> Any:
    return mysql.connector.connect(
        host="127.0.0.1", port=door.port, user="agent", password=PASSWORD, database="shop", use_pure=pure, ssl_disabled=True,
        charset="utf8mb4", collation="utf8mb4_general_ci", autocommit=True,
    )  # fmt: skip


def rows(cursor: Any, text: str, *values: Any) -> list[tuple[Any, ...]]:
    cursor.execute(text, values)
    return list(cursor.fetchall())


@IMPLEMENTATIONS
async def test_a_statement_prepared_before_a_grant_shows_the_column_during_it_and_not_after(
    door: Door, pure: bool
) -> None:
    text = "SELECT id, email FROM customers WHERE id = %s"
    granted, revoked, ready, shown = trio.Event(), trio.Event(), trio.Event(), trio.Event()

    def client() -> list[Any]:
        with closing(connect(door, pure)) as connection, closing(connection.cursor(prepared=True)) as cursor:
            seen = [rows(cursor, text, 1)]
            trio.from_thread.run_sync(ready.set)
            trio.from_thread.run(granted.wait)
            seen.append(rows(cursor, text, 1))
            with closing(connection.cursor(buffered=True)) as other:
                seen.append(rows(other, text, 1))
                seen.append(rows(other, "SELECT upper(email), ssn FROM customers"))
            trio.from_thread.run_sync(shown.set)
            trio.from_thread.run(revoked.wait)
            seen.append(rows(cursor, text, 1))
            with closing(connection.cursor()) as other:
                seen.append(rows(other, text, 1))
            return seen

    await door.run(
        lambda connection: connection.ping()
    )  # the driver proves itself without TLS once the gateway knows the password
    found: list[Any] = []
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            found.extend(await trio.to_thread.run_sync(client))

        nursery.start_soon(run)
        await ready.wait()
        given = await told(
            door, "unmask", "grant", "--column", f"{DBNAME}.customers.email", "--to", "agent", "--for", "1h"
        )
        assert given.returncode == 0, given.stderr
        granted.set()
        await shown.wait()
        assert (await told(door, "unmask", "revoke", given.stdout.split(":")[0])).returncode == 0
        revoked.set()
    before, prepared, text_row, others, after, last = found
    assert before == after == last == [(1, "***")]
    assert prepared == text_row == [(1, "canary@shop.test")]
    ((loud, ssn),) = others
    assert loud == "CANARY@SHOP.TEST"
    assert "canary" not in ssn  # the other mask holds on


@IMPLEMENTATIONS
async def test_what_inherited_a_mask_is_masked_by_texts_and_prepared_statements(door: Door, pure: bool) -> None:
    await approved(
        door,
        "INSERT INTO notes (id, body) SELECT 7, ssn FROM customers",
        "CREATE TABLE taken AS SELECT id, email AS e FROM customers",
    )

    def look() -> list[Any]:
        with closing(connect(door, pure)) as connection:
            with closing(connection.cursor(prepared=True)) as cursor:
                seen = [
                    rows(cursor, "SELECT body FROM notes WHERE id = %s", 7),
                    rows(cursor, "SELECT e FROM taken WHERE id = %s", 1),
                ]
                seen.append(rows(cursor, "SELECT more FROM notes WHERE id = %s", 1))
            with closing(connection.cursor()) as cursor:
                seen += [rows(cursor, "SELECT body FROM notes WHERE id = 7"), rows(cursor, "SELECT e FROM taken")]
                seen.append(rows(cursor, "SELECT words FROM shown WHERE id = 7"))
            return seen

    body, taken, own, body_text, taken_text, through_view = await trio.to_thread.run_sync(look)
    assert taken == taken_text == [("***",)]
    assert own == [("words",)]
    assert body == body_text == through_view
    assert "canary" not in repr(body)
