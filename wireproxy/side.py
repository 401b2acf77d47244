"""What an approver may want to know before deciding: how many rows a statement would touch, by estimate or by trying it.

And whether there is anything to decide: a statement that is only parsed does not run.

All is done on a side connection with timeouts and leaves nothing behind: the estimate in a read-only transaction, the preview in
one that is rolled back whatever happens. A preview still takes row locks for its moment, and draws from sequences.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import psycopg
from attrs import frozen
from pglast import ast, parser
from psycopg import pq
from psycopg.pq.abc import PGconn, PGresult

from protocols.base import Fields
from rules.masking.diagnostics import OF_THE_PARSER
from wireproxy.catalog import CatalogError, in_thread, side_connection
from wireproxy.config.model import Database

ESTIMATE_TIMEOUT_MS: Final = 2_000  # the planner alone; it does not run the statement
PREVIEW_TIMEOUT_MS: Final = 30_000
LOCK_TIMEOUT_MS: Final = 1_000  # an approver's look must not queue up behind, or in front of, the application

_SETTINGS: Final = """
SELECT name, reset_val FROM pg_catalog.pg_settings
WHERE name IN ('search_path', 'standard_conforming_strings', 'server_encoding', 'server_version_num')
UNION ALL SELECT 'user', current_user
"""
WRONG_NAMES: Final = frozenset({b"42703", b"42P01", b"42883"})  # undefined column, table, function
_FIELD = pq.DiagnosticField
_FIELDS: Final = {
    "S": _FIELD.SEVERITY, "V": _FIELD.SEVERITY_NONLOCALIZED, "C": _FIELD.SQLSTATE, "M": _FIELD.MESSAGE_PRIMARY,
    "D": _FIELD.MESSAGE_DETAIL, "H": _FIELD.MESSAGE_HINT, "P": _FIELD.STATEMENT_POSITION, "F": _FIELD.SOURCE_FILE,
    "L": _FIELD.SOURCE_LINE, "R": _FIELD.SOURCE_FUNCTION,
}  # fmt: skip

PREVIEWED: Final = (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)


@frozen
class Parameters:
    """Values of a Bind as the client sent them. `types` are OIDs, 0 where the client gave none."""

    values: tuple[bytes | None, ...] = ()
    formats: tuple[int, ...] = ()  # 0 text, 1 binary; one for each value
    types: tuple[int, ...] = ()


@frozen
class Preview:
    """What a statement did before it was rolled back."""

    rows: int
    tag: str


async def estimate_rows(
    database: Database, password: str | None, sql: str, parameters: Parameters = Parameters(), search_path: str = ""
) -> int:
    """The planner's estimate of the rows that one statement touches or returns. Raises CatalogError."""

    def work() -> int:
        with side_connection(database, password, "wireproxy estimate") as connection:
            raw = begin(connection.pgconn, "READ ONLY", ESTIMATE_TIMEOUT_MS, search_path)
            result = run(raw, f"EXPLAIN (FORMAT JSON) {sql}".encode(), parameters)
            match json.loads(result.get_value(0, 0) or b"null"):
                case [{"Plan": dict() as plan}, *_]:
                    return rows_of(plan)
            raise CatalogError("it has no plan")  # a utility statement

    return await in_thread(work, database.connect_timeout_s + 2 * ESTIMATE_TIMEOUT_MS / 1000)


async def settings_at_start(database: Database, password: str | None) -> dict[str, str]:
    """What gives a text its meaning in a session of the target's role that has just begun, by name. Raises CatalogError."""

    def work() -> dict[str, str]:
        with side_connection(database, password, "wireproxy settings") as connection:
            return dict(connection.execute(_SETTINGS).fetchall())

    return await in_thread(work, database.connect_timeout_s + ESTIMATE_TIMEOUT_MS / 1000)


async def preview(
    database: Database, password: str | None, sql: str, parameters: Parameters = Parameters(), search_path: str = ""
) -> Preview:
    """Runs one INSERT, UPDATE, DELETE or MERGE, counts its rows and rolls it back. Raises CatalogError.

    The caller has made sure that it calls nothing that reaches outside the transaction.
    """
    if not changes_rows(sql):
        raise CatalogError("a preview runs one INSERT, UPDATE, DELETE or MERGE, and this is something else")

    def work() -> Preview:
        with side_connection(database, password, "wireproxy preview") as connection:
            raw = begin(connection.pgconn, "READ WRITE", PREVIEW_TIMEOUT_MS, search_path)
            try:
                result = run(raw, sql.encode(), parameters)
                return Preview(result.command_tuples or 0, (result.command_status or b"").decode())
            finally:
                raw.exec_(b"ROLLBACK")

    return await in_thread(work, database.connect_timeout_s + 2 * PREVIEW_TIMEOUT_MS / 1000)


async def wrong_names(
    database: Database, password: str | None, sql: str, search_path: str = "", types: Sequence[int] = ()
) -> Fields | None:
    """The server's own error where a statement names a column, relation or function that is not there. Raises CatalogError.

    The statement is parsed, and not run: what such an error quotes, the client wrote. `types`: those that it declared for its
    parameters, since which function is meant hangs on them.
    """

    def work() -> Fields | None:
        with side_connection(database, password, "wireproxy names") as connection:
            raw = begin(connection.pgconn, "READ ONLY", ESTIMATE_TIMEOUT_MS, search_path)
            result = raw.prepare(b"", sql.encode(), types or None)
            fields = {code: text for code, field in _FIELDS.items() if (text := result.error_field(field)) is not None}
            # of what runs when something is parsed: a function, or a domain's check of a constant
            inside = result.error_field(_FIELD.CONTEXT) is not None or not OF_THE_PARSER.match(fields.get("F", b""))
            return fields if fields.get("C") in WRONG_NAMES and not inside else None

    return await in_thread(work, database.connect_timeout_s + 2 * ESTIMATE_TIMEOUT_MS / 1000)


def changes_rows(sql: str) -> bool:
    """Whether the text is one statement that changes rows, and no more."""
    try:
        trees = parser.parse_sql(sql)
    except (parser.ParseError, ValueError):
        return False
    return len(trees) == 1 and isinstance(trees[0].stmt, PREVIEWED)


def rows_of(plan: dict[str, object]) -> int:
    """The rows of a plan; of a change, those that its source feeds it, since its own node shows what it returns."""
    children = plan.get("Plans")
    if plan.get("Node Type") == "ModifyTable" and isinstance(children, list) and children:
        own = [child for child in children if child.get("Parent Relationship") not in ("InitPlan", "SubPlan")]
        return sum(int(child.get("Plan Rows", 0)) for child in own or children)
    rows = plan.get("Plan Rows", 0)
    return int(rows) if isinstance(rows, int | float) else 0


def begin(raw: PGconn, access: str, timeout_ms: int, search_path: str) -> PGconn:
    """Opens a transaction in which nothing waits long. Raises psycopg.Error."""
    run(raw, f"BEGIN {access}".encode(), Parameters())
    for name, value in (
        ("statement_timeout", str(timeout_ms)),
        ("lock_timeout", str(min(LOCK_TIMEOUT_MS, timeout_ms))),
        ("idle_in_transaction_session_timeout", str(2 * timeout_ms)),
        *((("search_path", search_path),) if search_path else ()),
    ):
        run(raw, b"SELECT pg_catalog.set_config($1, $2, true)", Parameters((name.encode(), value.encode()), (0, 0)))
    return raw


def run(raw: PGconn, sql: bytes, parameters: Parameters) -> PGresult:
    """One statement with the values as the client bound them. Raises psycopg.Error."""
    types: Sequence[int] | None = None
    if parameters.types:
        types = [*parameters.types, *[0] * (len(parameters.values) - len(parameters.types))][: len(parameters.values)]
    result = raw.exec_params(sql, parameters.values or None, types, parameters.formats or None)
    if result.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
        message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"it failed"
        raise psycopg.OperationalError(message.decode("utf-8", "replace"))
    return result
