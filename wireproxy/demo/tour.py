"""The guided tour. Whatever it shows, it has checked: a step that does not hold ends the tour with an error."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import psycopg
from attrs import define, field, frozen

from wireproxy.demo.screen import Screen
from wireproxy.demo.stage import MASKS, Stage

HOLD_S = 15.0  # how long the tour waits for things that take milliseconds

READ = """\
SELECT id, name, email, ssn, card_number, salary, country
FROM customers ORDER BY id LIMIT 4"""

REPORT = """\
WITH sales AS (
    SELECT date_trunc('quarter', o.placed_at)::date AS quarter, p.category,
           count(DISTINCT o.id) AS orders, sum(i.quantity * i.price) AS revenue
    FROM orders AS o
         JOIN order_items AS i ON i.order_id = o.id
         JOIN products AS p ON p.id = i.product_id
    WHERE o.status IN ('paid', 'shipped') AND o.placed_at >= '2025-01-01'
    GROUP BY 1, 2
)
SELECT quarter, category, orders, revenue,
       rank() OVER (PARTITION BY quarter ORDER BY revenue DESC) AS place,
       round(100 * revenue / sum(revenue) OVER (PARTITION BY quarter), 1) AS percent
FROM sales ORDER BY quarter, place"""

COUNTS = """\
SELECT (SELECT count(*) FROM customers) AS customers, (SELECT count(*) FROM products) AS products,
       (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM order_items) AS order_items"""

DROP = "DROP TABLE order_items"
DELETE = "DELETE FROM orders WHERE status = 'cancelled' AND placed_at < '2024-07-01'"
COUNT_DELETED = "SELECT count(*) FROM orders WHERE status = 'cancelled' AND placed_at < '2024-07-01'"


class TourError(Exception):
    """What the tour was about to show is not so."""


@frozen
class Result:
    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]]  # whatever types the columns have


@define
class HeldDelete:
    """The agent's DELETE, waiting in a thread of its own as it would in a program."""

    connection: psycopg.Connection
    noticed: threading.Event = field(factory=threading.Event)
    notices: list[str] = field(factory=list)
    deleted: int | None = None
    failure: Exception | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self.connection.add_notice_handler(self._on_notice)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> int:
        assert self._thread is not None
        self._thread.join(HOLD_S)
        if self.failure is not None:
            raise TourError(f"the approved DELETE failed: {self.failure}") from self.failure
        if self.deleted is None:
            raise TourError(f"the approved DELETE did not end within {HOLD_S:.0f} s")
        return self.deleted

    def _on_notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        self.notices.append("\n".join(filter(None, (diagnostic.message_primary, diagnostic.message_hint))))
        self.noticed.set()

    def _run(self) -> None:
        try:
            self.deleted = self.connection.execute(DELETE.encode()).rowcount
        except psycopg.Error as error:
            self.failure = error
        finally:
            self.noticed.set()


@frozen
class Tour:
    stage: Stage
    screen: Screen

    def run(self) -> None:
        """Raises `TourError` at the first thing that is not as it should be."""
        self._introduce()
        dsn = f"{self.stage.agent_dsn}?application_name=report-agent&connect_timeout=10"
        with psycopg.connect(dsn, autocommit=True) as agent:
            self._masked_read(agent)
            self._report(agent)
            self._refused_drop(agent)
            self._held_delete(agent)
        self._replay()
        self.screen.step(6, "That was it")
        self.screen.say("Every statement above was judged, recorded, then run, refused or held. Next: README.md")

    def _introduce(self) -> None:
        counts = self._direct(COUNTS)
        rows = sum(counts.rows[0])
        tables = ", ".join(f"{count:,} {name}" for name, count in zip(counts.columns, counts.rows[0], strict=True))
        version = self._direct("SHOW server_version").rows[0][0]
        self.screen.title("wireproxy: a guided tour", "a gateway between an agent and a production database")
        self.screen.say("")
        self.screen.say(f"PostgreSQL {version} with a sample shop: {tables}")
        self.screen.say("The agent has an ordinary connection string; it leads to the gateway:")
        self.screen.say(f"  {self.stage.agent_dsn}")
        self._require(rows >= 100_000, f"the shop has only {rows} rows")

    def _masked_read(self, agent: psycopg.Connection) -> None:
        self.screen.step(1, "A read: it passes, four of its columns are masked on the way back")
        self.screen.agent(READ)
        seen, real = _fetch(agent, READ), self._direct(READ)
        self.screen.rows(seen.columns, seen.rows, tuple(MASKS))
        for name in seen.columns:
            index = seen.columns.index(name)
            pairs = [(mine[index], theirs[index]) for mine, theirs in zip(seen.rows, real.rows, strict=True)]
            if name in MASKS:
                self._require(all(mine != theirs for mine, theirs in pairs), f"{name} came through unmasked")
            else:
                self._require(all(mine == theirs for mine, theirs in pairs), f"{name} was changed and is not masked")
        self.screen.fine(
            "compared with the table itself: e-mail, SSN, card number and salary differ, the rest is equal"
        )
        binary = _fetch(agent, READ, binary=True)
        self._require(binary.rows == seen.rows, "binary results differ from text results")
        self.screen.fine("the same in PostgreSQL's binary format")

    def _report(self, agent: psycopg.Connection) -> None:
        self.screen.step(2, "A complicated read: a CTE, joins, aggregates, windows; it passes unchanged")
        self.screen.agent(REPORT)
        seen = _fetch(agent, REPORT)
        self.screen.rows(seen.columns, seen.rows)
        self._require(
            bool(seen.rows) and seen.rows == self._direct(REPORT).rows, "the report differs from a direct one"
        )
        self.screen.fine("compared with the same query run directly: equal")

    def _refused_drop(self, agent: psycopg.Connection) -> None:
        self.screen.step(3, "A DROP: it never reaches the database")
        self.screen.agent(DROP)
        try:
            agent.execute(DROP.encode())
        except psycopg.errors.InsufficientPrivilege as error:
            shown = error.diag
        else:
            raise TourError("the DROP was not refused")
        self.screen.error(
            [
                ("ERROR", f"{shown.sqlstate}: {shown.message_primary}"),
                ("DETAIL", shown.message_detail),
                ("HINT", shown.message_hint),
            ]
        )
        self._require(shown.sqlstate == "42501", f"SQLSTATE {shown.sqlstate}, not 42501")
        self._require(bool(shown.message_detail and shown.message_hint), "a refusal without DETAIL and HINT")
        items = _fetch(agent, "SELECT count(*) FROM order_items").rows[0][0]
        self._require(items > 0, "order_items is empty")
        self.screen.fine(f"an ordinary error: the session lives on, order_items still has its {items:,} rows")

    def _held_delete(self, agent: psycopg.Connection) -> None:
        self.screen.step(4, "A DELETE: it is held until a DBA has looked at it")
        before = self._direct(COUNT_DELETED).rows[0][0]
        self._require(before > 0, "there is nothing to delete")
        self.screen.agent(DELETE)
        held = HeldDelete(agent)
        held.start()
        self._require(held.noticed.wait(HOLD_S) and bool(held.notices), f"no notice about the hold ({held.failure})")
        self.screen.notice("NOTICE", held.notices[0])
        request = self._pending()
        self._dba("approvals")
        self._dba("show", request)
        self._require(DELETE in json.loads(self._run("show", request, "--json")).values(), "another statement is shown")
        self._require(self._direct(COUNT_DELETED).rows[0][0] == before, "rows went before anybody approved")
        self._dba("approve", request)
        deleted = held.finish()
        self.screen.say("")
        self.screen.say(f"The agent's DELETE returns: {deleted} rows")
        self._require(deleted == before, f"{deleted} rows deleted, {before} expected")
        self._require(self._direct(COUNT_DELETED).rows[0][0] == 0, "the rows are still there")
        self.screen.fine(f"asked the database directly: {before} rows before, 0 now")

    def _replay(self) -> None:
        self.screen.step(5, "The record: replayed, and proved whole with the public key alone")
        sessions = self._records("sessions", "--user", "agent")  # the gateway keeps a log of its own besides
        self._require(len(sessions) == 1, f"{len(sessions)} sessions were recorded, expected one")
        session = str(sessions[0]["session"])
        self._dba("replay", session)
        recorded = self._run("export", session)
        for text in (READ.rsplit("\n", maxsplit=1)[-1], DROP, DELETE):
            self._require(text in recorded, f"the log does not hold {text!r}")
        for row in self._direct("SELECT ssn, card_number, email FROM customers ORDER BY id LIMIT 4").rows:
            self._require(not any(value in recorded for value in row), "the log holds a value that was masked")
        self._dba("verify", session)
        self.screen.fine("the log holds what was asked, what was decided and by whom; masked values it never saw")

    def _pending(self) -> str:
        """The id of the one request that waits."""
        waiting = self._records("approvals")
        self._require(len(waiting) == 1, f"{len(waiting)} requests wait, expected one")
        return str(waiting[0]["id"])

    def _records(self, *command: str) -> list[dict[str, object]]:
        """What `wireproxy COMMAND --json` lists: one object a line."""
        return [json.loads(line) for line in self._run(*command, "--json").splitlines()]

    def _dba(self, *arguments: str) -> None:
        """Runs a command and shows it as in a terminal; it must end with 0."""
        colour = self.screen.console.is_terminal
        self.screen.shell("dba", " ".join(("wireproxy", *arguments)), self._run(*arguments, colour=colour))

    def _run(self, *arguments: str, colour: bool = False) -> str:
        done = self.stage.command(*arguments, columns=self.screen.columns, colour=colour)
        if done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise TourError(f"`wireproxy {' '.join(arguments)}` ended with status {done.returncode}:\n{said}")
        return done.stdout

    def _direct(self, sql: str) -> Result:
        with psycopg.connect(self.stage.direct_dsn, autocommit=True) as connection:
            return _fetch(connection, sql)

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise TourError(otherwise)


def _fetch(connection: psycopg.Connection, sql: str, *, binary: bool = False) -> Result:
    cursor = connection.execute(sql.encode(), binary=binary)
    return Result(columns=[column.name for column in cursor.description or ()], rows=cursor.fetchall())
