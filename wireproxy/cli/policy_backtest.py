"""What another policy would have said of recorded sessions.

Each recorded statement is judged anew. Live, by the catalog and the masks of its database as they are now; else without either:
what hangs on them may then come out stricter here than it would. What the log does not hold whole (a text cut at its limit, or
one with a password taken out) is counted and, where it can be read, judged as it stands.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from attrs import Factory, define, frozen

from wireproxy.cli.backtest_judges import Judges, Session
from wireproxy.cli.check import action_of
from wireproxy.cli.log_place import Place
from wireproxy.log.reader import RecordAt, Walk, find_logs
from wireproxy.log.records import CompletionRecord, ErrorRecord, SessionStart, StatementRecord

_NOT_RUN = frozenset({"parse", "execute", "function_call", "com_stmt_prepare"})  # the run of it is recorded beside it
LISTED = 5_000  # distinct changes; more are counted


@frozen
class Change:
    """One statement that would be decided otherwise."""

    database: str
    identity: str
    session: str  # the first in which it was met
    text: str
    before: str
    before_rule: str
    after: str
    after_rule: str
    reasons: tuple[str, ...]

    @property
    def key(self) -> tuple[str, ...]:
        return self.database, self.identity, self.text, self.before, self.before_rule, self.after


@define
class Report:
    policy: str
    sessions: int = 0
    statements: int = 0
    cut: int = 0  # not judged: the log has only their beginning
    moves: Counter[tuple[str, str]] = Factory(Counter)  # (before, after) -> statements, those that stay the same too
    changes: dict[tuple[str, ...], Change] = Factory(dict)
    times: Counter[tuple[str, ...]] = Factory(Counter)  # by Change.key
    not_listed: int = 0
    unknown: tuple[str, ...] = ()  # databases that the configuration does not have: judged without a catalog

    def add(self, change: Change) -> None:
        if change.key not in self.changes:
            if len(self.changes) >= LISTED:
                self.not_listed += 1
                return
            self.changes[change.key] = change
        self.times[change.key] += 1

    def objects(self) -> list[dict[str, object]]:
        return [
            {
                "database": each.database, "identity": each.identity, "session": each.session, "sql": each.text,
                "times": self.times[key], "before": each.before, "before_rule": each.before_rule,
                "after": each.after, "after_rule": each.after_rule, "reasons": list(each.reasons),
            }
            for key, each in self.changes.items()
        ]  # fmt: skip


async def backtest_logs(place: Place, judges: Judges, policy: str, after_ns: int) -> Report:
    """Reads the sessions one after the other, one block of a log in memory at a time. Raises Failed."""
    report = Report(policy)
    try:
        for names in find_logs(place.directory):
            session: Session | None = None
            for met in Walk(names, auditor=place.auditor, running=True):
                if not isinstance(met, RecordAt):
                    continue
                match met.record:
                    case SessionStart() as start:
                        if start.started_ns < after_ns:
                            break
                        report.sessions += 1
                        session = await judges.open(start)
                    case StatementRecord() as record if session is not None:
                        await _weigh(report, session, record, judges)
                    case CompletionRecord() as record if session is not None:
                        session.ended(record.ticket, record.tag)
                    case ErrorRecord() as record if session is not None:
                        session.failed(record.ticket)
    finally:
        await judges.aclose()
    report.unknown = tuple(sorted(judges.unknown))
    return report


async def _weigh(report: Report, session: Session, record: StatementRecord, judges: Judges) -> None:
    session.followed.arrives(record.transaction)
    ran = record.stage not in _NOT_RUN
    report.statements += ran
    if record.truncated:
        report.cut += ran
        return
    minute = _minute(session.start.started_ns + record.at_ns)
    judgement = await judges.judge(session.judge, record.text, session.followed.current, minute)
    session.sent(record.ticket, judgement.statements)
    if not ran:
        return
    found = judgement.decision
    before, after = record.action, action_of(found)
    if before == "observe":
        before = "allow"
    report.moves[before, after] += 1
    if before != after:
        report.add(
            Change(
                session.start.database,
                session.start.identity,
                session.start.session,
                record.text.decode("utf-8", "replace"),
                before,
                record.rule,
                after,
                found.rule,
                found.reasons,
            )
        )


def _minute(at_ns: int) -> int:
    at = datetime.fromtimestamp(at_ns / 1e9)
    return at.weekday() * 1440 + at.hour * 60 + at.minute
