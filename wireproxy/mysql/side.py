"""What an approver may want to know of a statement for MySQL or MariaDB: the optimizer's estimate, or what it does when tried.

And whether there is anything to decide: a statement that is only prepared does not run.

All run over a side connection, in a transaction that is rolled back, with timeouts. The values go in as user variables of the type
that the client bound: neither server explains a statement with parameters otherwise. What a rollback would not undo is not tried:
tables of another engine than InnoDB, and tables with triggers, which may write to such.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import pymysql
from attrs import frozen

from protocols.base import Fields
from protocols.mysql.values import DOUBLE, FLOAT
from rules.model import Namespace
from wireproxy.catalog import CatalogError, in_thread
from wireproxy.config.model import Database
from wireproxy.mysql.catalog import side_connection
from wireproxy.mysql.namespace import PROBE
from wireproxy.side import ESTIMATE_TIMEOUT_MS, PREVIEW_TIMEOUT_MS, Parameters, Preview

LOCK_TIMEOUT_S: Final = 1  # an approver's look must not queue up behind, or in front of, the application
ENGINE: Final = "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
TRIGGERS: Final = (
    "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = %s AND EVENT_OBJECT_TABLE = %s"
)
MOST_PARAMETERS: Final = 1_000
# Errors about the text of a statement alone, with their SQLSTATE.
WRONG: Final = {
    1049: b"42000",  # unknown database
    1052: b"23000",  # a column that may be of two tables
    1054: b"42S22",  # unknown column
    1064: b"42000",  # no SQL
    1066: b"42000",  # a table or alias twice
    1109: b"42S02",  # a table that is not in FROM
    1111: b"HY000",  # an aggregate where none may stand
    1136: b"21S01",  # another number of values than of columns
    1146: b"42S02",  # unknown table
    1193: b"HY000",  # unknown variable of the server
    1222: b"21000",  # arms of a UNION with different numbers of columns
    1241: b"21000",  # a subquery with several columns
    1248: b"42000",  # a derived table without an alias
    1305: b"42000",  # unknown function or procedure
    1318: b"42000",  # another number of arguments than of parameters, of a stored one
    1582: b"42000",  # the same, of the server's own
}
_INTEGERS: Final = frozenset({1, 2, 3, 8, 9, 13})
_DECIMALS: Final = frozenset({0, 246})
_BLOBS: Final = frozenset({249, 250, 251, 252})
_UTF8: Final = frozenset({"utf8mb4", "utf8mb3", "utf8", "ascii"})
_NUMBER: Final = re.compile(rb"-?\d{1,65}(\.\d{1,38})?\Z")
_FLOAT: Final = re.compile(rb"-?\d+(\.\d+)?(e[-+]?\d+)?\Z")
_WORDS: Final = re.compile(r"[A-Za-z0-9_,]*\Z")
_ZONE: Final = re.compile(r"[A-Za-z0-9_+:/-]{1,64}\Z")


@frozen
class Meaning:
    """The session in which the client's text is read."""

    database: str | None
    sql_mode: str
    time_zone: str

    @classmethod
    def of(cls, namespace: Namespace, time_zone: str = "SYSTEM") -> Meaning:
        """Raises CatalogError for a session whose text cannot be said over a connection in UTF-8."""
        if namespace.charset not in _UTF8 or not namespace.lexing_known:
            raise CatalogError(f"its text is in {namespace.charset}")
        return cls(namespace.database, ",".join(sorted(namespace.sql_mode)), time_zone)


async def settings_at_start(database: Database, password: str | None) -> list[bytes | None]:
    """What `PROBE` says in a session of the target's account that has just begun. Raises CatalogError."""

    def work() -> list[bytes | None]:
        with side_connection(database, password) as connection, connection.cursor() as cursor:
            cursor.execute(PROBE.decode())
            return [
                value if value is None or isinstance(value, bytes) else str(value).encode()
                for value in cursor.fetchone()
            ]

    return await in_thread(work, database.connect_timeout_s + ESTIMATE_TIMEOUT_MS / 1000)


async def estimate_rows(
    database: Database, password: str | None, text: bytes, parameters: Parameters, meaning: Meaning
) -> float | None:
    """Rows that the optimizer expects to look at, None when it says none. Raises CatalogError."""

    def work() -> float | None:
        with _tried(database, password, meaning, ESTIMATE_TIMEOUT_MS) as cursor:
            _run(cursor, b"EXPLAIN FORMAT=TRADITIONAL " + text, parameters)
            names = [column[0] for column in cursor.description or ()]
            return rows_of([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])

    return await in_thread(work, database.connect_timeout_s + 2 * ESTIMATE_TIMEOUT_MS / 1000)


async def wrong_text(
    database: Database, password: str | None, text: bytes, meaning: Meaning, may_write: bool
) -> Fields | None:
    """The server's own error where one statement is no SQL, or names something that is not there. Raises CatalogError.

    The statement is prepared, and not run: what such an error quotes, the client wrote. `may_write`: the servers prepare nothing
    that writes in a transaction that may not.
    """

    def work() -> Fields | None:
        access = "READ WRITE" if may_write else "READ ONLY"
        with _tried(database, password, meaning, ESTIMATE_TIMEOUT_MS, access) as cursor:
            cursor.execute(f"SET @wireproxy = _utf8mb4 x'{text.hex()}'")
            try:
                cursor.execute("PREPARE wireproxy FROM @wireproxy")
            except pymysql.err.MySQLError as error:
                number, message = error.args[:2] if len(error.args) > 1 else (0, "")
                if number not in WRONG:
                    return None
                return {"S": b"ERROR", "C": WRONG[number], "M": str(message).encode(), "errno": b"%d" % number}
            return None

    return await in_thread(work, database.connect_timeout_s + 2 * ESTIMATE_TIMEOUT_MS / 1000)


def rows_of(plan: Sequence[dict[str, Any]]) -> float | None:
    """Of the plan's first SELECT, UPDATE or DELETE: tables that are joined multiply, and what is filtered out does not count."""
    total: float | None = None
    first = plan[0].get("id") if plan else None
    for step in plan:
        rows = step.get("rows")
        if rows is None or step.get("id") != first:
            continue
        filtered = step.get("filtered")
        total = (1.0 if total is None else total) * float(rows) * (100.0 if filtered is None else float(filtered)) / 100
    return total


async def preview(
    database: Database,
    password: str | None,
    text: bytes,
    parameters: Parameters,
    meaning: Meaning,
    tables: Sequence[tuple[str | None, str]],
    places: int,
) -> Preview:
    """Runs one INSERT, UPDATE, DELETE or REPLACE, counts its rows and rolls it back. `tables`: those that it writes to.

    `places`: how many parameters the statement has. A bulk execution brings values for several runs, one behind the
    other. Raises CatalogError. The caller has made sure that it calls nothing that reaches outside the transaction.
    """

    def work() -> Preview:
        with _tried(database, password, meaning, PREVIEW_TIMEOUT_MS) as cursor:
            for schema, name in tables:
                _check_undone(cursor, schema or meaning.database or "", name)
            runs = _runs(parameters, places)
            rows = sum(_run(cursor, text, each) for each in runs)
            return Preview(rows, str(rows) if len(runs) == 1 else f"{rows} by {len(runs)} sets of values")

    return await in_thread(work, database.connect_timeout_s + 2 * PREVIEW_TIMEOUT_MS / 1000)


def _check_undone(cursor: Any, schema: str, name: str) -> None:
    cursor.execute(ENGINE, (schema, name))
    found = cursor.fetchone()
    if found is None or found[0] != "InnoDB":
        raise CatalogError(f"{name} is no table of InnoDB, which alone can take a change back")
    cursor.execute(TRIGGERS, (schema, name))
    if cursor.fetchone() != (0,):
        raise CatalogError(f"{name} has triggers, and what they do may not be taken back")


@contextmanager
def _tried(
    database: Database, password: str | None, meaning: Meaning, timeout_ms: int, access: str = "READ WRITE"
) -> Iterator[Any]:
    """A cursor in a transaction that is rolled back, whatever happens."""
    with side_connection(database, password) as connection:
        number = connection.thread_id()
        with connection.cursor() as cursor:
            try:
                _begin(cursor, meaning, timeout_ms, access)
                yield cursor
            except (pymysql.err.OperationalError, OSError):
                _end(
                    database, password, number
                )  # MySQL has no time limit for a change: it would go on after its reader left
                raise
            finally:
                with suppress(pymysql.err.MySQLError, OSError):
                    connection.rollback()


def _end(database: Database, password: str | None, number: int) -> None:
    with suppress(CatalogError, pymysql.err.MySQLError, OSError), side_connection(database, password) as other:
        other.kill(number)


def _begin(cursor: Any, meaning: Meaning, timeout_ms: int, access: str) -> None:
    if not _WORDS.match(meaning.sql_mode) or not _ZONE.match(meaning.time_zone):
        raise CatalogError("its settings are not known")
    cursor.execute(f"SET SESSION sql_mode = '{meaning.sql_mode}', time_zone = '{meaning.time_zone}'")
    cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {LOCK_TIMEOUT_S}, lock_wait_timeout = {LOCK_TIMEOUT_S}")
    cursor.execute("SELECT VERSION()")
    if "mariadb" in str(cursor.fetchone()[0]).lower():
        cursor.execute(f"SET SESSION max_statement_time = {timeout_ms / 1000}")
    else:
        cursor.execute(f"SET SESSION max_execution_time = {timeout_ms}")
    if meaning.database is not None:
        cursor.connection.select_db(meaning.database)
    cursor.execute(f"START TRANSACTION {access}")


def _runs(parameters: Parameters, places: int) -> list[Parameters]:
    """The values of each run."""
    count = len(parameters.values)
    if count == places or len(parameters.types) != count:
        return [parameters]
    if not places or count % places or count > MOST_PARAMETERS:
        raise CatalogError("it has more values than can be tried")
    return [
        Parameters(parameters.values[at:end], parameters.formats[at:end], parameters.types[at:end])
        for at, end in ((at, at + places) for at in range(0, count, places))
    ]


def _run(cursor: Any, text: bytes, parameters: Parameters) -> int:
    """The rows that it touched. The text is the client's: it is given to the server as it is, never put together."""
    if not parameters.values:
        return int(cursor.execute(text))
    if len(parameters.values) > MOST_PARAMETERS:
        raise CatalogError("it has more values than can be tried")
    if any(parameters.formats):
        raise CatalogError("a bulk execution that leaves values to the server (DEFAULT, IGNORE) cannot be tried")
    names = [f"@wireproxy_{index}" for index in range(len(parameters.values))]
    types = [*parameters.types, *[254] * (len(names) - len(parameters.types))]
    literals = [literal(value, kind & 0xFF) for value, kind in zip(parameters.values, types, strict=False)]
    given = ", ".join(f"{name} = {value}" for name, value in zip(names, literals, strict=True))
    cursor.execute(f"SET @wireproxy = _utf8mb4 x'{text.hex()}', {given}")
    cursor.execute("PREPARE wireproxy FROM @wireproxy")
    return int(cursor.execute(f"EXECUTE wireproxy USING {', '.join(names)}"))


def literal(value: bytes | None, kind: int) -> str:
    """A bound value in SQL's words, of the same type. Raises CatalogError for what has none."""
    if value is None:
        return "NULL"
    if kind in _INTEGERS or kind in _DECIMALS:
        if not _NUMBER.match(value):
            raise CatalogError("a number that cannot be written down")
        return value.decode("ascii")
    if kind in (FLOAT, DOUBLE):
        if not _FLOAT.match(value):
            raise CatalogError("a number that cannot be written down")
        text = value.decode("ascii")
        return text if "e" in text else f"{text}e0"
    return f"x'{value.hex()}'" if kind in _BLOBS else f"_utf8mb4 x'{value.hex()}'"
