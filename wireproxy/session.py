"""One session of either dialect: the only place that knows the relay, the judge, the desk and the log together.

Theory of operation. The relay's effects are handled one by one. Most statements are judged, recorded and forwarded within the
callback that brought them. What takes time (a hold, a catalog that must be read first) becomes a job of the session's own trio
task; the relay keeps the client's later bytes back until the job has answered, while the server's bytes go on flowing.

Order within every decision: the record is written, then the verdict goes to the relay, then its bytes leave. If the record
cannot be written, the session ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

import trio
from mypy_extensions import mypyc_attr

from protocols.base import (
    AnyRelay,
    Completed,
    Detected,
    Failed,
    Fields,
    Forward,
    Later,
    ParameterChanged,
    Question,
    Refuse,
    Rows,
    Stage,
    Terminated,
    Withdrawn,
)
from protocols.postgres.messages import error_fields
from rules.length import LONG_BYTES
from rules.masking.pseudonyms import NoPseudonym
from rules.model import Allow, Deny, Dialect, Hold, Namespace
from rules.policy import Limit
from rules.redaction import may_hold_secret, redact_secrets
from rules.refusal import Refusal, limit_reached, refusal, undecodable, unreadable
from wireproxy.approvals import Desk
from wireproxy.config.model import Config
from wireproxy.exchanging import in_one_piece
from wireproxy.exemptions import Unmasking
from wireproxy.holding import Holding
from wireproxy.judging import reading, weigh
from wireproxy.life import Connected, Life
from wireproxy.log import SessionLog
from wireproxy.metrics import Metrics
from wireproxy.pump import Hub
from wireproxy.results import Results
from wireproxy.side import Parameters
from wireproxy.target import ROLLED_BACK, Bench, CatalogError, Target
from wireproxy.weighed import Attached, Elsewhere, Long, Weighed
from wireproxy.welcome import Arrival

_PARSE: Final = Stage.PARSE
_STAGES: Final = {stage: stage.value for stage in Stage}  # asking a member for its value takes a call
ESTIMATE_S = 3.0  # the planner's estimate helps an approver, and may decide for a rule; it is not waited for longer
_ALL_ROWS_BYTES = 1 << 62
_DONE_KEPT = 20  # statements of the open transaction that an approver is shown


class SessionNamespace(Protocol):
    """What the settings of the session are, as far as they give text its meaning."""

    values_read_by: dict[str, str]  # settings that give a constant its meaning
    unsettled: bool  # more of it may be told before the next statement is judged

    @property
    def current(self) -> Namespace: ...

    def reported(self, name: str, value: str) -> None: ...

    def failed(self) -> None: ...


@mypyc_attr(allow_interpreted_subclasses=True)
class Session(Life):
    def __init__(
        self,
        relay: AnyRelay,
        hub: Hub,
        arrival: Arrival,
        upstream: Connected,
        target: Target,
        bench: Bench,
        desk: Desk,
        log: SessionLog,
        config: Config,
        metrics: Metrics,
        namespace: SessionNamespace,
        clock_ns: Callable[[], int],
        minute_of_week: Callable[[], int],
    ) -> None:
        super().__init__(relay, hub, arrival, upstream, log, config, metrics)
        self.target = target
        self.bench = bench
        self.desk = desk
        self.namespace = namespace
        self.clock_ns = clock_ns
        self.done: deque[str] = deque(maxlen=_DONE_KEPT)  # what the open transaction has done so far
        self._minute_of_week = minute_of_week
        self._results = Results(log)
        self._record_bytes = {"none": 0, "head": config.log.head_bytes, "all": _ALL_ROWS_BYTES}[config.log.rows]
        self._stale_bench = False
        self._redacted: bytes | None = None  # the last long text whose secrets were looked for before it was recorded
        self._renewed_for: int | None = None  # the ticket of a long statement, when it was judged by an old bench
        self._handlers: dict[type[object], Callable[..., bool]] = {  # of a dialect's own effects too
            Question: self._on_question,
            Completed: self._on_completed,
            Rows: self._on_rows,
            Detected: self._on_detected,
            Failed: self._on_failed,
            ParameterChanged: self._on_parameter,
            Withdrawn: self._on_withdrawn,
            Terminated: self._on_terminated,
        }
        self._detected: dict[int, dict[str, int]] = {}  # by ticket: what was found since it was last recorded
        self._shown: tuple[Unmasking, ...] = ()
        self._use(bench)
        self._note_unmasking(bench)

    # -- what a dialect fills in

    def _use(self, bench: Bench) -> None:
        """Judge and mask with this from now on."""
        raise NotImplementedError

    def _settle(self, weighed: Weighed, completed: Completed) -> None:
        """A statement has ended well that may have changed settings, definitions, or whether a transaction is open."""
        raise NotImplementedError

    # -- the configuration

    def reconfigured(self, config: Config) -> None:
        """The configuration is new: what was judged under the old one is judged again before it runs."""
        self.config = config
        self._stale_bench = True
        self.relay.verdicts_changed()

    def _note_unmasking(self, bench: Bench) -> None:
        """Into the log, before a value is shown that others do not see. Raises LogError."""
        for each in bench.unmasked:
            if each not in self._shown:
                until = datetime.fromtimestamp(each.ends_ns / 1e9, UTC).isoformat(timespec="seconds")
                detail = {"grant": each.id, "column": each.column, "to": each.to, "until": until, "by": each.approver}
                self.log.event("unmasked", {**detail, "reason": each.reason})
        for each in self._shown:
            if each not in bench.unmasked:
                self.log.event("masked_again", {"grant": each.id, "column": each.column})
        self._shown = bench.unmasked

    # -- questions; each handler says whether it answered something, so that the relay can go on

    def _on_question(self, question: Question) -> bool:
        if self._bench_is_old:
            return self._renew_bench_for(question)
        return self._consider(question)

    @property
    def _bench_is_old(self) -> bool:
        return self._stale_bench or (
            self.bench.needs_catalog
            and (self.target.catalog_version != self.bench.catalog.version or self.target.stale)
        )

    def _renew_bench_for(self, question: Question) -> bool:
        self.job(lambda: self._renew_bench(question))
        return False

    async def _renew_bench(self, question: Question) -> None:
        self._stale_bench = False
        try:
            bench = await self.target.bench(self.identity)
            self._use(bench)
            self._guarded(self._note_unmasking, bench)
        except CatalogError as error:
            text = Refusal("58000", f"wireproxy: {error}", "", "")
            self._guarded(lambda asked: self._refuse(asked, text), question)
            return
        self.relay.verdicts_changed()
        if self.relay.asking is question:
            self._guarded(self._consider, question)

    def _consider(
        self,
        question: Question,
        estimated_rows: int | None = None,
        asked: bool = False,
        elsewhere: Elsewhere | None = None,
    ) -> bool:
        """`asked`: the planner was asked for its estimate already, and `estimated_rows` is what it said.

        `elsewhere`: what worker processes said of the question's long texts.
        """
        text = question.text
        if text is not None and len(text) > LONG_BYTES and self._redacted is not text and may_hold_secret(text):
            self.job(lambda: self._redact(question, text, estimated_rows, asked, elsewhere))
            return False
        minute = self._minute_of_week() if self.bench.judge.needs_clock else None
        try:
            weighed = weigh(question, self.bench, self.namespace.current, self.relay, minute, estimated_rows, elsewhere)
        except Long as long:
            return self._judge_elsewhere(question, long, minute, estimated_rows, asked, elsewhere)
        if weighed is None:
            self.relay.decide(question.ticket, Later())
            return True
        if weighed.look and _unforeseen(weighed) and self.target.missing():
            return self._renew_bench_for(question)
        if weighed.judgement.wants_estimate and not asked and question.stage is not _PARSE:
            return self._ask_planner_for(question, weighed)
        match weighed.decision:
            case Allow() as allow:
                if self.bench.judge.limited and question.stage is not _PARSE:
                    return self._consider_limits(question, weighed, allow)
                self._record(question, weighed, "observe" if allow.observe else "allow", allow.rule, allow.reasons)
                self.forward(question, weighed)
                return True
            case Deny() as deny:
                self._record(question, weighed, "deny", deny.rule, deny.reasons)
                self.metrics.denied += 1
                self._refuse(question, refusal(deny, weighed.judgement))
                return True
            case Hold() as hold:
                if (error := self._unreadable(question, weighed)) is not None:
                    self._record(question, weighed, "deny", hold.rule, hold.reasons)
                    self.metrics.denied += 1
                    self._refuse(question, error)
                    return True
                self._holding = Holding(self, question, weighed, hold)
                self.job(self._holding.run)
                return False

    async def _redact(
        self, question: Question, text: bytes, rows: int | None, asked: bool, elsewhere: Elsewhere | None
    ) -> None:
        """Taking the secrets out of a long text takes up to some seconds: beside the loop, and what comes of it is kept."""
        backslash = not self.namespace.current.standard_conforming_strings
        await trio.to_thread.run_sync(redact_secrets, text, self.database.dialect, backslash)
        self._redacted = text
        if self.relay.asking is question:
            self._guarded(lambda again: self._consider(again, rows, asked, elsewhere), question)

    def _judge_elsewhere(
        self,
        question: Question,
        long: Long,
        minute: int | None,
        estimated_rows: int | None,
        asked: bool,
        elsewhere: Elsewhere | None,
    ) -> bool:
        """A worker process judges the text; then the question is considered again."""
        text, namespace = long.text, long.namespace

        async def judge() -> None:
            found = await self.target.workers.judge(self.bench.judge, text, namespace, minute, estimated_rows)
            if self.relay.asking is not question:
                return
            if self._bench_is_old and self._renewed_for != question.ticket:
                self._renewed_for = question.ticket  # once: somebody may change definitions all the time
                await self._renew_bench(question)
                return
            known = {**(elsewhere or {}), (text, namespace): found}
            self._guarded(lambda again: self._consider(again, estimated_rows, asked, known), question)

        self.job(judge)
        return False

    def _ask_planner_for(self, question: Question, weighed: Weighed) -> bool:
        self.job(lambda: self._ask_planner(question, weighed))
        return False

    def _unreadable(self, question: Question, weighed: Weighed) -> Refusal | None:
        """An ordinary error for what no approver could make anything of."""
        if (error := unreadable(weighed.judgement)) is not None:
            return error
        if question.text is None or question.truncated or self.database.dialect is not Dialect.POSTGRES:
            return None
        return undecodable(question.text, self.namespace.current)

    async def _ask_planner(self, question: Question, weighed: Weighed) -> None:
        """A rule asks how many rows; no answer counts against the statement."""
        rows = await self.estimate(question, weighed)
        if self.relay.asking is question:
            self._guarded(lambda asked: self._consider(asked, None if rows is None else int(rows), True), question)

    async def estimate(self, question: Question, weighed: Weighed) -> float | None:
        """What the planner expects the question's only statement to touch; None when it cannot say."""
        statements = weighed.judgement.statements
        if len(statements) != 1 or statements[0].opaque is not None or not statements[0].effects <= ROLLED_BACK:
            return None  # to plan a statement, the server runs the functions in it that call themselves immutable or stable
        text, parameters = statements[0].text, Parameters(question.parameters or (), question.formats, question.types)
        if weighed.sites.mends and self.bench.masks is not None:
            read = reading(question, self.namespace.current)
            try:
                text, parameters = in_one_piece(question.text or b"", parameters, weighed.sites, self.bench.masks, read)
            except NoPseudonym:
                return None
        with trio.move_on_after(ESTIMATE_S):
            return await self.target.estimate(text, parameters, self.namespace.current.search_path)
        return None

    def _consider_limits(self, question: Question, weighed: Weighed, allow: Allow) -> bool:
        """An allowed statement whose rule lets through only so much in a window of time."""
        limits = self.bench.judge.limits(weighed.judgement)
        now_s = trio.current_time()
        for rule, limit in limits:
            exceeded = self.target.usage.begin(self.identity.name, rule, limit, now_s)
            if exceeded is not None:
                reason = f"the limit of {exceeded.allowed:g} {exceeded.measure} is used up"
                self._record(question, weighed, "deny", rule, (reason,))
                self.metrics.denied += 1
                self._refuse(
                    question,
                    limit_reached(rule, exceeded.measure, exceeded.allowed, exceeded.window_s, exceeded.resets_in_s),
                )
                return True
        self._record(question, weighed, "observe" if allow.observe else "allow", allow.rule, allow.reasons)
        self.forward(question, weighed, limits)
        return True

    def _record(
        self,
        question: Question,
        weighed: Weighed,
        action: str,
        rule: str,
        reasons: tuple[str, ...],
        request_id: str | None = None,
    ) -> None:
        """Before anything is done about it: what is allowed is written at the end of the turn, before its bytes leave."""
        self.log.statement(
            question.ticket,
            _STAGES[question.stage],
            question.text or b"",
            question.parameters,
            question.formats,
            action,
            rule,
            reasons,
            self.relay.transaction_status,
            request_id,
            weighed.kinds,
            question.truncated,
            not self.namespace.current.standard_conforming_strings,
            question.types,
            tuple([(each.name, each.value) for each in question.attributes]) if question.attributes else (),
            later=True,
        )
        self.metrics.statements += 1

    async def wrong_names(self, _question: Question, _weighed: Weighed) -> Fields | None:
        """The server's own error for a held statement that names what is not there: nobody need be asked about it."""
        return None

    def record_misnamed(self, question: Question, weighed: Weighed, hold: Hold) -> None:
        self._record(question, weighed, "deny", hold.rule, ("it names something that is not there", *hold.reasons))
        self.metrics.denied += 1

    def record_hold(self, question: Question, weighed: Weighed, hold: Hold, request_id: str) -> None:
        self._record(question, weighed, "hold", hold.rule, hold.reasons, request_id)
        self.metrics.held += 1

    def forward(self, question: Question, weighed: Weighed, limits: tuple[tuple[str, Limit], ...] = ()) -> None:
        """Recorded already. The exact bytes go on, or what the key makes of the pseudonyms in them."""
        if question.truncated and not isinstance(weighed.decision, Allow):
            raise AssertionError("what was not seen whole cannot have been approved")
        settles = weighed.settles or self.namespace.unsettled
        namespace = reading(question, self.namespace.current)
        attached = Attached(weighed, question.text or b"", namespace, self.clock_ns(), limits)
        self.relay.decide(
            question.ticket,
            Forward(
                attached,
                look=weighed.look,
                barrier=settles,
                record_bytes=self._record_bytes,
                names=weighed.names,
                taints=weighed.taints,
                late=weighed.late,
                exchange=weighed.exchange,
            ),
        )

    def _refuse(self, question: Question, text: Refusal) -> None:
        self.refuse(question, error_fields(text.sqlstate, text.message, detail=text.detail, hint=text.hint))

    def refuse(self, question: Question, fields: Mapping[str, bytes]) -> None:
        self.relay.decide(question.ticket, Refuse(fields))

    def release(self, holding: Holding, answer: Callable[[Question], None], question: Question) -> None:
        """The hold is over: `answer` decides its question."""
        if self._holding is holding:
            self._holding = None
        self._guarded(answer, question)

    # -- results

    def _on_completed(self, completed: Completed) -> bool:
        attached = completed.attachment
        elapsed_ns = 0
        if isinstance(attached, Attached):
            elapsed_ns = self.clock_ns() - attached.started_ns
            weighed = attached.weighed
            if weighed.settles or self.namespace.unsettled or weighed.transactional:
                self._settle(weighed, completed)
            for rule, limit in attached.limits:
                self.target.usage.end(
                    self.identity.name, rule, limit, trio.current_time(),
                    rows=completed.rows or affected(completed.tag), size=completed.size_bytes, time_s=elapsed_ns / 1e9,
                )  # fmt: skip
        if self._detected:
            self._end_detected()
        tag = completed.tag.decode("ascii", "replace")
        self._results.completed(completed.ticket, tag, completed.rows, completed.size_bytes, elapsed_ns)
        return False

    def _on_rows(self, rows: Rows) -> bool:
        self._results.rows(rows.ticket, None, rows.frames)
        return False

    def _on_detected(self, detected: Detected) -> bool:
        """The first findings of a result are recorded before they leave, the rest of them with its end."""
        for name, count in detected.counts.items():
            self.metrics.detected(name, count)
        counts = self._detected.get(detected.ticket)
        if counts is None:
            self._detected[detected.ticket] = {}
            self._record_detected(detected.ticket, detected.counts)
            return False
        for name, count in detected.counts.items():
            counts[name] = counts.get(name, 0) + count
        return False

    def _record_detected(self, ticket: int, counts: Mapping[str, int]) -> None:
        if counts:
            self.log.event("detected", {"statement": str(ticket), **{name: str(n) for name, n in counts.items()}})

    def _conclude(self) -> None:
        self._end_detected()

    def _end_detected(self) -> None:
        for ticket, counts in self._detected.items():
            self._record_detected(ticket, counts)
        self._detected.clear()

    def _on_failed(self, failed: Failed) -> bool:
        if self._detected:
            self._end_detected()
        self._results.flush()
        self.namespace.failed()
        self.metrics.errors += 1
        self.log.error(failed.ticket, decoded(failed.fields))
        if failed.full is not None and self.log.encrypted:
            # what may quote masked values is for the auditors alone
            self.log.event("error_in_full", {"statement": str(failed.ticket or ""), **decoded(failed.full)})
        return False

    def _on_parameter(self, changed: ParameterChanged) -> bool:
        self.namespace.reported(changed.name, changed.value)
        return False

    def _on_withdrawn(self, _withdrawn: Withdrawn) -> bool:
        if self._holding is not None:
            self._holding.end("an earlier statement of the same pipeline failed")
            self._holding = None
        return False

    def _on_terminated(self, _terminated: Terminated) -> bool:
        self._over = "the client ended the session"
        self._wake.set()
        return False


def _unforeseen(weighed: Weighed) -> bool:
    return any(mask is not None and mask.unknown for mask in weighed.masks)


def decoded(fields: Fields) -> dict[str, str]:
    return {code: value.decode("utf-8", "replace") for code, value in fields.items()}


def affected(tag: bytes) -> int:
    """Rows of a command tag: DELETE 7, INSERT 0 7. Spec: PostgreSQL 55.7, CommandComplete."""
    last = tag.rpartition(b" ")[2]
    return int(last) if last.isdigit() else 0
