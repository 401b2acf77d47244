"""Session logs for tests: a directory, a key, a clock that is moved by hand, and sessions with everything in them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import define, field

from wireproxy.log import Ledger, SessionLog, SessionStart, Signer
from wireproxy.log.books import Books, Verifiers, key_ring, read_books
from wireproxy.log.findings import Finding
from wireproxy.log.reader import RecordAt, Walk
from wireproxy.log.records import Record
from wireproxy.log.sealing import Auditor
from wireproxy.log.verify import Verdict, verify_directory

START_NS = 1_767_225_600_000_000_000  # 2026-01-01 UTC
KEY = Signer.generate()


@define
class Clock:
    now_ns: int = 0

    def __call__(self) -> int:
        return self.now_ns

    def step(self, milliseconds: float) -> None:
        self.now_ns += int(milliseconds * 1_000_000)


@define
class Shelf:
    """A log directory of one process."""

    directory: Path
    signer: Signer = KEY
    clock: Clock = field(factory=Clock)
    _ledger: Ledger | None = None

    @property
    def ledger(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger(self.directory, self.signer, lambda: START_NS + self.clock.now_ns)
        return self._ledger

    @property
    def ring(self) -> Verifiers:
        return key_ring([self.signer.verifier])

    def log(
        self,
        session: str = "aaaa0001",
        *,
        auditors: tuple[Auditor, ...] = (),
        part_bytes: int = 1 << 30,
        **start: object,
    ) -> SessionLog:
        fields: dict[str, object] = {"identity": "agent", "database": "shop", **start}
        first = SessionStart(session, START_NS, **fields)  # type: ignore[arg-type]
        return SessionLog(
            self.directory, first, self.signer, self.clock,
            sync="never", auditors=auditors, part_bytes=part_bytes, ledger=self.ledger,
        )  # fmt: skip

    def close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def die(self) -> None:
        """As a killed process: the lock is gone, and nothing was signed off."""
        import os

        if self._ledger is not None:
            os.close(self._ledger._fd)
            self._ledger._fd = -1
            self._ledger = None

    def books(self) -> Books:
        return read_books(self.directory, self.ring)

    def verdicts(self) -> list[Verdict]:
        return list(verify_directory(self.directory, self.ring, self.books()))

    def findings(self) -> list[Finding]:
        """Everything that `verify` without an id would find."""
        return [*self.books().findings, *(finding for verdict in self.verdicts() for finding in verdict.findings)]


def allow(log: SessionLog, ticket: int, text: bytes = b"SELECT 1") -> None:
    log.statement(ticket, "query", text, None, (), "allow", "reads", (), "I", kinds=("select",))


def deny(log: SessionLog, ticket: int, text: bytes = b"DROP TABLE customers") -> None:
    log.statement(ticket, "query", text, None, (), "deny", "no-ddl", ("DDL is refused",), "I", kinds=("ddl",))


def data_row(*values: bytes | None) -> bytes:
    body = struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return b"D" + struct.pack("!I", len(body) + 4) + body


def play(log: SessionLog, clock: Clock, tell: Callable[[], None] = lambda: None) -> None:
    """A session with a record of each type; `tell` is called after each method that has returned."""
    acts: tuple[Callable[[], None], ...] = (
        lambda: allow(log, 1, b"SELECT id, email FROM customers"),
        lambda: log.rows(1, [("id", 23, 0), ("email", 25, 0)], data_row(b"1", b"a***@example.com") + data_row(b"2", None)),
        lambda: log.completion(1, "SELECT 2", 2, 70, 1_500_000),
        lambda: log.statement(
            2, "parse", b"DELETE FROM orders WHERE id = $1", [struct.pack("!i", 7)], (1,), "hold", "writes",
            ("DELETE changes rows",), "T", "wp-7f3a", ("delete",), parameter_types=(23,),
        ),
        lambda: log.verdict(2, "wp-7f3a", "approved", "dba", "looks right"),
        lambda: log.decision(2, "allow", "writes", ("approved",), "execute", "wp-7f3a"),
        lambda: log.completion(2, "DELETE 1", 1, 10, 900_000),
        lambda: deny(log, 3),
        lambda: log.error(3, {"S": "ERROR", "C": "42501", "M": "refused by rule no-ddl", "H": "ask a DBA"}),
        lambda: log.event("policy_reloaded", {"from": "1", "to": "2"}),
        lambda: clock.step(1500),
        log.tick,
        lambda: allow(log, 4),
        lambda: log.error(None, {"S": "FATAL", "C": "57P01", "M": "terminating connection"}),
    )  # fmt: skip
    for act in acts:
        clock.step(10)
        act()
        tell()


def recorded(shelf: Shelf, session: str = "aaaa0001", running: bool = True) -> list[Record]:
    return [met.record for met in walk(shelf, session, running) if isinstance(met, RecordAt)]


def walk(shelf: Shelf, session: str = "aaaa0001", running: bool = False) -> Walk:
    from wireproxy.log.reader import find_session

    return Walk(find_session(shelf.directory, session), shelf.ring, running=running)


def findings_of(walk: Walk) -> Iterator[Finding]:
    return (met for met in walk if isinstance(met, Finding))
