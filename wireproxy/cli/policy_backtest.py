"""What another policy would have said of recorded sessions.

Each recorded statement is judged anew, without the catalog and the settings that its session had: what hangs on these may
come out stricter here than it would. Masks are not asked. What the log does not hold whole (a text cut at its limit, or one
with a password taken out) is counted and, where it can be read, judged as it stands.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from attrs import Factory, define, frozen

from rules.judge import Judge
from rules.model import Dialect, Identity, Namespace
from rules.policy import Policy
from wireproxy.cli.calls import Failed
from wireproxy.cli.check import action_of
from wireproxy.cli.dry_judge import version_number
from wireproxy.cli.log_place import Place
from wireproxy.log.reader import RecordAt, Walk, find_logs
from wireproxy.log.records import SessionStart, StatementRecord

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


def backtest_logs(place: Place, policy: Policy, after_ns: int) -> Report:
    """Reads the sessions one after the other, one block of a log in memory at a time."""
    report = Report(policy.name)
    judges: dict[tuple[str, str, Identity], Judge] = {}
    for names in find_logs(place.directory):
        start: SessionStart | None = None
        for met in Walk(names, auditor=place.auditor, running=True):
            if not isinstance(met, RecordAt):
                continue
            if isinstance(met.record, SessionStart):
                start = met.record
                if start.started_ns < after_ns:
                    break
                report.sessions += 1
            elif isinstance(met.record, StatementRecord) and start is not None:
                _weigh(report, start, met.record, judges, policy)
    return report


def _weigh(
    report: Report,
    start: SessionStart,
    record: StatementRecord,
    judges: dict[tuple[str, str, Identity], Judge],
    policy: Policy,
) -> None:
    if record.stage in _NOT_RUN:
        return
    report.statements += 1
    if record.truncated:
        report.cut += 1
        return
    source = start.source if start.source in ("user", "oidc", "local") else "user"
    identity = Identity(start.identity, frozenset(start.groups), source, start.issuer, start.subject)  # type: ignore[arg-type]
    key = (start.dialect, start.database, identity)
    if key not in judges:
        judges[key] = Judge(Dialect(start.dialect), policy, start.database, identity, None, None)
    found = judges[key].judge(record.text, _namespace(start), _minute(record.at_ns)).decision
    before, after = record.action, action_of(found)
    if before == "observe":
        before = "allow"
    report.moves[before, after] += 1
    if before != after:
        text = record.text.decode("utf-8", "replace")
        report.add(
            Change(
                start.database,
                start.identity,
                start.session,
                text,
                before,
                record.rule,
                after,
                found.rule,
                found.reasons,
            )
        )


def _namespace(start: SessionStart) -> Namespace:
    dialect = Dialect(start.dialect)
    try:
        number, mariadb = version_number(dialect, start.server_version)
    except Failed:
        number, mariadb = (180000, False) if dialect is Dialect.POSTGRES else (80036, False)
    if dialect is Dialect.MYSQL:
        return Namespace(database=start.target_dbname, server_version=number, mariadb=mariadb)
    return Namespace(search_path=("public",), server_version=number)


def _minute(at_ns: int) -> int:
    at = datetime.fromtimestamp(at_ns / 1e9)
    return at.weekday() * 1440 + at.hour * 60 + at.minute
