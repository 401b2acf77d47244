"""Other sessions of a server that run statements with distinctive values, while somebody looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import pymysql

from tests.integration import mysql_gateway as gateway
from tests.support.servers import Server

# in many short sleeps: MariaDB's SHOW EXPLAIN is answered at the end of one, and SLEEP looks up every 5 s
ASLEEP = (
    "SELECT /* canaryssn3 */ COUNT(*) FROM customers a, customers b, customers c, customers d, customers e, customers f"
    " WHERE a.email = 'canarymail1@shop.test' AND SLEEP((b.id + c.id + d.id + e.id + f.id) / 200) = 0"
)
WAITS = "SELECT id FROM customers WHERE ssn = 'canaryssn2' FOR UPDATE"
BEFORE = (
    "SET innodb_lock_wait_timeout = 600",
    "SET @theirs = 'canaryssn1'",
    "DO GET_LOCK('canaryssn1', 0)",
    "PREPARE theirs FROM 'SELECT ''canaryssn1'''",
    "START TRANSACTION",
    "SELECT COUNT(ssn) FROM customers FORCE INDEX (ssn) FOR UPDATE",
)
START_S = 20.0


@contextmanager
def others(server: Server, dbname: str) -> Iterator[int]:
    """One that sleeps in a query and holds rows, and one that waits for one of them. Gives the number of the first."""
    with ExitStack() as stack:
        admin = stack.enter_context(closing(gateway.direct(server, dbname)))
        numbers = []
        for statements in ((*BEFORE, ASLEEP), (*BEFORE[:1], WAITS)):
            connection = gateway.direct(server, dbname)
            numbers.append(int(connection.thread_id()))
            thread = threading.Thread(target=_run, args=(connection, statements))
            thread.start()
            stack.callback(thread.join)
            stack.callback(_kill, admin, numbers[-1])
            _await(admin, numbers[-1], statements[-1])
        yield numbers[0]


def _run(connection: Any, statements: tuple[str, ...]) -> None:
    with (
        closing(connection),
        connection.cursor() as cursor,
        suppress(pymysql.err.MySQLError),
    ):  # it is killed in the end
        for statement in statements:
            cursor.execute(statement)


def _kill(admin: Any, number: int) -> None:
    with admin.cursor() as cursor:
        cursor.execute(f"KILL {number}")


def _await(admin: Any, number: int, statement: str) -> None:
    until = time.monotonic() + START_S
    with admin.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute(f"SELECT INFO FROM information_schema.PROCESSLIST WHERE ID = {number}")
            ((info,),) = cursor.fetchall()
            if info == statement:
                return
    raise AssertionError(f"the server does not run {statement!r}")
