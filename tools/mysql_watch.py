"""A MySQL or MariaDB server that is watched from outside: what did a text change?

Observed are rows, definitions, sequences, events, accounts and settings of the whole server; of the session its variables, its user
variables, row locks, advisory locks, its database; and the time that it took.
"""

# ruff: noqa: S608  its SQL is its own, with names that it made

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import pymysql
from attrs import define, frozen
from pymysql.constants import CLIENT

from rules.catalog import Catalog
from wireproxy.mysql.catalog import read as read_catalog

DATABASE = "wp_differential"
SETUP = f"""
DROP DATABASE IF EXISTS {DATABASE}
CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4
USE {DATABASE}
CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b VARCHAR(40), j TEXT, KEY (a), FULLTEXT KEY (b))
CREATE TABLE u (id INT PRIMARY KEY, t_id INT, n DECIMAL(8,2), at DATETIME)
INSERT INTO t (a, b, j) VALUES (1, 'one', '{{"x": 1}}'), (2, 'two', '[1,2]'), (3, 'three', '{{}}')
INSERT INTO u VALUES (1, 1, 1.5, '2024-01-01'), (2, 2, 2.5, '2024-02-01'), (3, 2, 3.5, '2024-03-01')
CREATE VIEW v AS SELECT t.id, u.n FROM t JOIN u ON u.t_id = t.id
CREATE FUNCTION writes_u(x INT) RETURNS INT DETERMINISTIC MODIFIES SQL DATA BEGIN UPDATE u SET n = n + 1; RETURN x; END
CREATE PROCEDURE p() DELETE FROM u
CREATE PROCEDURE shows() SELECT * FROM t
CREATE FUNCTION reads_t() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM t)
CREATE FUNCTION calls_writes(x INT) RETURNS INT DETERMINISTIC MODIFIES SQL DATA RETURN writes_u(x)
CREATE FUNCTION sets_a() RETURNS INT DETERMINISTIC BEGIN SET @a = 9; RETURN 1; END
CREATE FUNCTION locks_l() RETURNS INT READS SQL DATA RETURN GET_LOCK('l', 0)
CREATE VIEW acts AS SELECT id, writes_u(id) AS x FROM t
CREATE VIEW calm AS SELECT id, reads_t() AS n FROM t
CREATE TABLE g (id INT)
CREATE TRIGGER g_writes AFTER INSERT ON g FOR EACH ROW UPDATE u SET n = n + 1
"""
OF_MARIADB = """
CREATE SEQUENCE s NOCACHE
CREATE TABLE numbered (n BIGINT DEFAULT NEXT VALUE FOR s)
INSERT INTO numbered VALUES (7)
CREATE TABLE h (id INT) WITH SYSTEM VERSIONING
INSERT INTO h VALUES (1)
DELETE FROM h
"""
# of the whole server, and moved by what others do, or by time
RESTLESS = frozenset(
    {
        "timestamp", "gtid_executed", "gtid_purged", "gtid_binlog_pos", "gtid_binlog_state", "gtid_current_pos", "last_gtid",
        "innodb_buffer_pool_load_status", "innodb_buffer_pool_dump_status", "rand_seed1", "rand_seed2",
    }
)  # fmt: skip


class Stuck(Exception):
    """The server runs a statement that it does not end: the comparison ends there, with what was found."""


@frozen
class Seen:
    """What a text did, as observed."""

    accepted: bool  # by the server's grammar; it may have failed later
    changed: tuple[str, ...]
    error: int = 0
    stayed: bool = False  # something of it is there when the session is over


@define
class Server:
    port: int
    user: str
    password: str
    observer: pymysql.Connection[pymysql.cursors.Cursor]
    name: str = ""

    @classmethod
    def at(cls, port: int, user: str, password: str) -> Server:
        server = cls(port, user, password, _connect(port, user, password))
        server.name = str(server.ask("SELECT VERSION()")[0][0])
        return server

    def ask(self, text: str) -> Sequence[Sequence[object]]:
        with self.observer.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall())

    def prepare(self) -> None:
        for line in SETUP.strip().splitlines():
            self.ask(line)
        if self.mariadb:
            for line in OF_MARIADB.strip().splitlines():
                self.ask(line)
        self.observer.commit()

    @property
    def mariadb(self) -> bool:
        return "MariaDB" in self.name

    def catalog(self) -> Catalog:
        """What the gateway would know of the database."""
        with contextlib.closing(_connect(self.port, self.user, self.password, DATABASE)) as connection:
            return read_catalog(connection, 1)

    def run(self, text: str) -> Seen:
        """Runs the text inside a transaction of a new connection and compares before with after."""
        before = self.data()
        connection = _connect(self.port, self.user, self.password, DATABASE)
        changed: list[str] = []
        try:
            error = 0
            self._ask_on(connection, "SET SESSION autocommit = 0")
            self._limit(connection)
            session = self.session(connection)
            started = time.monotonic()
            error = self._execute(connection, text)
            changed += ["time"] * (time.monotonic() - started > 0.3)
            changed += ["locks"] * self.holds_locks(connection)
            changed += _differences(session, self.session(connection))
            connection.commit()
        except pymysql.Error:
            changed.append("connection lost")
        finally:
            connection.close()  # ends what it holds: temporary tables, LOCK TABLES
        self.await_end(connection.thread_id())
        stayed = _differences(before, self.data())
        return Seen(error != 1064, (*changed, *stayed), error, bool(stayed))

    def await_end(self, thread: int) -> None:
        """Until the server has let go of the connection. Raises `Stuck` when a statement cannot be ended."""
        started = time.monotonic()
        killed = False
        while self.ask(f"SELECT 1 FROM information_schema.processlist WHERE id = {thread}"):
            waited = time.monotonic() - started
            if waited > 10:
                raise Stuck
            if waited > 3 and not killed:
                killed = True
                with contextlib.suppress(pymysql.Error):
                    self.ask(f"KILL {thread}")
            time.sleep(0.005)

    def _limit(self, connection: pymysql.Connection[pymysql.cursors.Cursor]) -> None:
        variable = "max_statement_time = 2" if "MariaDB" in self.name else "max_execution_time = 2000"
        self._ask_on(connection, f"SET SESSION {variable}")
        self._ask_on(connection, "SET SESSION lock_wait_timeout = 1, innodb_lock_wait_timeout = 1")

    def _execute(self, connection: pymysql.Connection[pymysql.cursors.Cursor], text: str) -> int:
        try:
            with connection.cursor() as cursor:
                cursor.execute(text)
                cursor.fetchall()
                while cursor.nextset():
                    cursor.fetchall()
        except pymysql.Error as error:
            return int(error.args[0]) if error.args and isinstance(error.args[0], int) else -1
        return 0

    def _ask_on(self, connection: pymysql.Connection[pymysql.cursors.Cursor], text: str) -> Sequence[Sequence[object]]:
        with connection.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall())

    def data(self) -> dict[str, object]:
        found: dict[str, object] = {}
        self.observer.rollback()
        for name, kind in self.ask(
            f"SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = '{DATABASE}'"
        ):
            found[f"table {name}"] = kind
            if kind in ("BASE TABLE", "SYSTEM VERSIONED", "SEQUENCE"):
                found[f"rows of {name}"] = self.ask(f"CHECKSUM TABLE {DATABASE}.`{name}`")[0][1]
        for catalog, key, columns in (
            ("columns", "table_schema", "table_name, column_name, column_type, column_default"),
            ("routines", "routine_schema", "routine_name"),
            ("triggers", "trigger_schema", "trigger_name"),
            ("views", "table_schema", "table_name, view_definition"),
        ):
            found[catalog] = sorted(
                str(row)
                for row in self.ask(f"SELECT {columns} FROM information_schema.{catalog} WHERE {key} = '{DATABASE}'")
            )
        # MariaDB 10.11.19 was seen to end in SIGSEGV in information_schema.events
        events = (
            ("name, status", "mysql.event", "db")
            if self.mariadb
            else ("event_name, status", "information_schema.events", "event_schema")
        )
        found["events"] = sorted(map(str, self.ask("SELECT {} FROM {} WHERE {} = '{}'".format(*events, DATABASE))))
        found["server"] = {name: value for name, value in self.ask("SHOW GLOBAL VARIABLES") if name not in RESTLESS}
        found["accounts"] = self.ask(
            "CHECKSUM TABLE mysql.global_priv" if self.mariadb else "CHECKSUM TABLE mysql.user"
        )
        found["plugins"] = self.ask("SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_status = 'ACTIVE'")
        found["prepared transactions"] = self.ask("XA RECOVER")
        self.observer.rollback()
        return found

    def session(self, connection: pymysql.Connection[pymysql.cursors.Cursor]) -> dict[str, object]:
        try:
            found = {str(name): value for name, value in self._ask_on(connection, "SHOW SESSION VARIABLES")}
            for volatile in (
                "timestamp",
                "rand_seed1",
                "rand_seed2",
                "warning_count",
                "error_count",
                "in_transaction",
                "gtid_executed",
                "last_gtid",
                "statement_id",
                "pseudo_thread_id",
                "insert_id",
                "identity",
                "last_insert_id",
                "innodb_buffer_pool_load_status",
                "gtid_binlog_pos",
                "gtid_binlog_state",
                "gtid_current_pos",
                "pseudo_slave_mode",
            ):
                found.pop(volatile, None)  # fmt: skip
            found["@a"] = self._ask_on(connection, "SELECT @a, @b, @q")
            found["database"] = self._ask_on(connection, "SELECT DATABASE()")
            found["lock l"] = self._ask_on(connection, "SELECT IS_USED_LOCK('l') IS NULL")
            return found
        except pymysql.Error:
            return {}

    def holds_locks(self, connection: pymysql.Connection[pymysql.cursors.Cursor]) -> bool:
        rows = self.ask(
            "SELECT trx_rows_locked + trx_tables_locked FROM information_schema.innodb_trx"
            f" WHERE trx_mysql_thread_id = {connection.thread_id()}"
        )
        return bool(rows and rows[0][0])


def _connect(
    port: int, user: str, password: str, database: str | None = None
) -> pymysql.Connection[pymysql.cursors.Cursor]:
    return pymysql.connect(
        host="127.0.0.1", port=port, user=user, password=password, database=database, charset="utf8mb4",
        client_flag=CLIENT.MULTI_STATEMENTS, connect_timeout=5, read_timeout=10,
    )  # fmt: skip


def _differences(before: dict[str, object], after: dict[str, object]) -> list[str]:
    if not after:
        return ["session unreadable"] if before else []
    return [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
