"""The guided tour. Whatever it shows, it has checked: a step that does not hold ends the tour with an error."""

from __future__ import annotations

import json
import time
from typing import Any

from attrs import frozen

from wireproxy.demo.screen import Screen
from wireproxy.demo.show import HOLD_S, Result, Show, TourError
from wireproxy.demo.stage import Stage


@frozen
class Tour:
    stage: Stage
    screen: Screen

    @property
    def show(self) -> Show:
        return self.stage.show

    def run(self) -> None:
        """Raises `TourError` at the first thing that is not as it should be."""
        self._introduce()
        with self.show.agent(self.stage.port, self.stage.agent_password) as agent:
            self._masked_read(agent)
            self._report(agent)
            self._refused_drop(agent)
            self._held_delete(agent)
        self._replay()
        self.screen.step(6, "That was it")
        self.screen.say("Every statement above was judged, recorded, then run, refused or held. Next: README.md")

    def _introduce(self) -> None:
        counts = self._direct(self.show.counts)
        rows = sum(counts.rows[0])
        tables = ", ".join(f"{count:,} {name}" for name, count in zip(counts.columns, counts.rows[0], strict=True))
        version = self._direct(self.show.version).rows[0][0]
        self.screen.title("wireproxy: a guided tour", "a gateway between an agent and a production database")
        self.screen.say("")
        self.screen.say(f"{self.show.title} {version} with a sample shop: {tables}")
        self.screen.say("The agent has an ordinary connection string; it leads to the gateway:")
        self.screen.say(f"  {self.stage.agent_url}")
        self._require(rows >= 100_000, f"the shop has only {rows} rows")

    def _masked_read(self, agent: Any) -> None:
        show = self.show
        masked = len(show.masks)
        self.screen.step(
            1,
            f"A read: it passes, {masked} of its columns are masked on the way back" if masked else "A read: it passes",
        )
        self._agent(show.read)
        seen, real = show.fetch(agent, show.read), self._direct(show.read)
        self.screen.rows(seen.columns, seen.rows, tuple(show.masks))
        for name in seen.columns:
            index = seen.columns.index(name)
            pairs = [(mine[index], theirs[index]) for mine, theirs in zip(seen.rows, real.rows, strict=True)]
            if name in show.masks:
                self._require(all(mine != theirs for mine, theirs in pairs), f"{name} came through unmasked")
            else:
                self._require(all(mine == theirs for mine, theirs in pairs), f"{name} was changed and is not masked")
        if masked:
            self.screen.fine(
                "compared with the table itself: e-mail, SSN, card number and salary differ, the rest is equal"
            )
        else:
            self.screen.fine("compared with the table itself: equal")
        binary = show.fetch_binary(agent, show.read)
        if binary is not None:
            name, again = binary
            self._require(again.rows == seen.rows, "binary results differ from text results")
            self.screen.fine(f"the same in {name}")

    def _report(self, agent: Any) -> None:
        self.screen.step(2, "A complicated read: a CTE, joins, aggregates, windows; it passes unchanged")
        self._agent(self.show.report)
        seen = self.show.fetch(agent, self.show.report)
        self.screen.rows(seen.columns, seen.rows)
        self._require(
            bool(seen.rows) and seen.rows == self._direct(self.show.report).rows, "the report differs from a direct one"
        )
        self.screen.fine("compared with the same query run directly: equal")

    def _refused_drop(self, agent: Any) -> None:
        self.screen.step(3, "A DROP: it never reaches the database")
        self._agent(self.show.drop)
        shown = self.show.refusal(agent, self.show.drop)
        if shown is None:
            raise TourError("the DROP was not refused")
        self.screen.error([("ERROR", f"{shown.code}: {shown.message}"), ("DETAIL", shown.detail), ("HINT", shown.hint)])
        self._require(shown.code == self.show.code, f"{shown.code}, not {self.show.code}")
        said = " ".join(filter(None, (shown.message, shown.detail, shown.hint)))
        self._require("wireproxy" in said and "rule" in said, "a refusal that does not say by which rule")
        items = self.show.fetch(agent, "SELECT count(*) FROM order_items").rows[0][0]
        self._require(items > 0, "order_items is empty")
        self.screen.fine(f"an ordinary error: the session lives on, order_items still has its {items:,} rows")

    def _held_delete(self, agent: Any) -> None:
        self.screen.step(4, "A DELETE: it is held until a DBA has looked at it")
        show = self.show
        before = self._direct(show.count_deleted).rows[0][0]
        self._require(before > 0, "there is nothing to delete")
        self._agent(show.delete)
        held = show.hold(agent, show.delete)
        held.start()
        if show.tells_of_holds:
            self._require(held.noticed.wait(HOLD_S) and bool(held.notices), f"no notice of the hold ({held.failure})")
            self.screen.notice("NOTICE", held.notices[0])
        else:
            self.screen.say("… it waits: the protocol has no message for that")
        request = self._pending()
        self._dba("approvals")
        self._dba("show", request)
        self._require(
            show.delete in json.loads(self._run("show", request, "--json")).values(), "another statement is shown"
        )
        self._require(self._direct(show.count_deleted).rows[0][0] == before, "rows went before anybody approved")
        self._dba("approve", request)
        deleted = held.finish()
        self.screen.say("")
        self.screen.say(f"The agent's DELETE returns: {deleted} rows")
        self._require(deleted == before, f"{deleted} rows deleted, {before} expected")
        self._require(self._direct(show.count_deleted).rows[0][0] == 0, "the rows are still there")
        self.screen.fine(f"asked the database directly: {before} rows before, 0 now")

    def _replay(self) -> None:
        self.screen.step(5, "The record: replayed, and proved whole with the public key alone")
        sessions = self._records("sessions", "--user", "agent")  # the gateway keeps a log of its own besides
        self._require(len(sessions) == 1, f"{len(sessions)} sessions were recorded, expected one")
        session = str(sessions[0]["session"])
        self._dba("replay", session)
        recorded = self._run("export", session)
        show = self.show
        for text in (show.read.rsplit("\n", maxsplit=1)[-1], show.drop, show.delete):
            self._require(text in recorded, f"the log does not hold {text!r}")
        hidden = self._direct(show.read)
        masked = [hidden.columns.index(name) for name, masker in show.masks.items() if masker != "null"]
        for row in hidden.rows:
            self._require(
                not any(str(row[index]) in recorded for index in masked), "the log holds a value that was masked"
            )
        self._dba("verify", session)
        self.screen.fine("the log holds what was asked, what was decided and by whom; masked values it never saw")

    def _pending(self) -> str:
        """The id of the one request that waits."""
        deadline = time.monotonic() + HOLD_S
        while not (waiting := self._records("approvals")) and time.monotonic() < deadline:
            time.sleep(0.1)
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

    def _agent(self, text: str) -> None:
        self.screen.agent(text, self.show.syntax)

    def _direct(self, text: str) -> Result:
        with self.show.directly(self.stage.server) as connection:
            return self.show.fetch(connection, text)

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise TourError(otherwise)
