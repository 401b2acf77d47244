"""One session: the only place that knows the relay, the judge, the desk and the log together.

Theory of operation. Bytes come in by the pump's callbacks and go through `_turn`, which runs the relay as far as it gets and
handles its effects one by one. Most statements are judged, recorded and forwarded within the callback. What takes time (a hold,
a catalog that must be read first) becomes a job of the session's own trio task; the relay keeps the client's later bytes back
until the job has answered, while the server's bytes go on flowing.

Order within every decision: the record is written, then the verdict goes to the relay, then its bytes leave. If the record
cannot be written, the session ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TypeVar

import structlog
import trio

from protocols.base import (
    Completed,
    CopyOut,
    Described,
    Effect,
    Failed,
    Forward,
    Later,
    ParameterChanged,
    ProtocolError,
    Question,
    Ready,
    Refuse,
    Rows,
    Stage,
    Terminated,
    Withdrawn,
)
from protocols.postgres.copy import CopyFormat, copy_rewriter
from protocols.postgres.limits import RelayLimits
from protocols.postgres.messages import TERMINATE, decode_row_description, encode_fields, error_fields
from protocols.postgres.relay import Relay
from rules.model import Allow, Column, Deny, Hold
from rules.policy import Limit
from rules.refusal import Refusal, limit_reached, refusal, unreadable
from wireproxy.approvals import Desk
from wireproxy.config.model import Config
from wireproxy.holding import Holding
from wireproxy.judging import Attached, Elsewhere, Long, Weighed, reading, weigh
from wireproxy.log import LogError, SessionLog
from wireproxy.metrics import Metrics
from wireproxy.namespace import PostgresNamespace
from wireproxy.pump import GONE, HUNG_UP, READABLE, WRITABLE, Hub, Leg
from wireproxy.side import Parameters
from wireproxy.target import Bench, CatalogError, Target
from wireproxy.upstream import Upstream, UpstreamError, send_cancel
from wireproxy.welcome import Arrival

LINGER_S = 60.0  # after the client has left, what it had sent may still be finished and recorded
FLUSH_S = 10.0  # a client that does not read its last error does not keep the session
BACKLOG_BYTES = 256 * 1024  # of one leg: above it, the other leg is not read
ESTIMATE_S = 3.0  # the planner's estimate helps an approver, and may decide for a rule; it is not waited for longer
_ALL_ROWS_BYTES = 1 << 62
_DONE_KEPT = 20  # statements of the open transaction that an approver is shown
_HEADS_KEPT = 64
_SHORT_RESULT_BYTES = 64 * 1024

Job = Callable[[], Awaitable[None]]
P = TypeVar("P")


def relay_limits(config: Config) -> RelayLimits:
    limits = config.limits
    return RelayLimits(
        statement_bytes=limits.statement_bytes,
        bind_bytes=limits.bind_bytes,
        message_bytes=limits.message_bytes,
        masked_row_bytes=limits.masked_row_bytes,
        prepared_statements=limits.prepared_statements,
        names_bytes=limits.names_bytes,
    )


class Session:
    def __init__(
        self,
        hub: Hub,
        arrival: Arrival,
        upstream: Upstream,
        target: Target,
        bench: Bench,
        desk: Desk,
        log: SessionLog,
        config: Config,
        metrics: Metrics,
        namespace: PostgresNamespace,
        clock_ns: Callable[[], int],
        minute_of_week: Callable[[], int],
    ) -> None:
        self.arrival = arrival
        self.identity = arrival.identity
        self.database = arrival.database
        self.target = target
        self.bench = bench
        self.desk = desk
        self.log = log
        self.config = config
        self.namespace = namespace
        self.upstream = upstream
        self.clock_ns = clock_ns
        self.done: deque[str] = deque(maxlen=_DONE_KEPT)  # what the open transaction has done so far
        self.relay = Relay(relay_limits(config))
        self.relay.names_are_utf8(namespace.current.client_encoding == "UTF8")
        self.metrics = metrics
        self._minute_of_week = minute_of_week
        self._hub = hub
        self._diagnostics = structlog.get_logger("session").bind(session=log.session_id)
        self._jobs: deque[Job] = deque()
        self._wake = trio.Event()
        self._holding: Holding | None = None
        self._over: str | None = None  # why it ended
        self._client_left = False
        self._abandoned = False  # the client left while the server was still at work for it
        self._server_done = trio.Event()
        self._unrecorded: tuple[int, tuple[tuple[str, int, int], ...] | None, bytes] | None = None
        self._heads: dict[bytes, tuple[tuple[str, int, int], ...]] = {}
        self._record_bytes = {"none": 0, "head": config.log.head_bytes, "all": _ALL_ROWS_BYTES}[config.log.rows]
        self._stale_bench = False
        self._renewed_for: int | None = None  # the ticket of a long statement, when it was judged by an old bench
        self._active = True  # the client sent something since the last tick
        self._idle_s = 0
        self._use(bench)
        self._client = Leg(hub, arrival.wire.sock, self._on_client, config.limits.read_bytes)
        self._server = Leg(hub, upstream.wire.sock, self._on_server, config.limits.read_bytes)
        self._handlers: dict[type[Effect], Callable[..., bool]] = {
            Question: self._on_question,
            Described: self._on_described,
            CopyOut: self._on_copy_out,
            Completed: self._on_completed,
            Rows: self._on_rows,
            Failed: self._on_failed,
            ParameterChanged: self._on_parameter,
            Ready: self._on_ready,
            Withdrawn: self._on_withdrawn,
            Terminated: self._on_terminated,
        }

    # -- life

    async def run(self) -> None:
        """Until either side ends. The sockets are closed and the log is ended on every way out."""
        try:
            if unread := self.arrival.wire.take_unread():
                self._guarded(self.relay.feed_client, unread)
            if unread := self.upstream.wire.take_unread():
                self._guarded(self.relay.feed_server, unread)
            while self._over is None:
                await self._wake.wait()
                self._wake = trio.Event()
                while self._jobs and self._over is None:
                    await self._do(self._jobs.popleft())
            await self._wind_up()
        except trio.Cancelled:
            self._over = self._over or "the gateway stopped"
            raise
        finally:
            self._client.close()
            self._server.close()
            try:
                self.log.end(self._over or "an error of the gateway")
            except LogError as error:
                self._diagnostics.error("log_not_ended", error=str(error))

    async def _do(self, job: Job) -> None:
        try:
            await job()
        except Exception as error:  # noqa: BLE001  a job that fails would leave its question open for ever
            self._fail_internally(error)

    async def _wind_up(self) -> None:
        """What is on its way still arrives, within bounds. What nobody waits for any more is cancelled."""
        if self._abandoned:
            with suppress(UpstreamError):
                await self.cancel()
        if self._client_left or self.relay.terminated:
            with trio.move_on_after(LINGER_S):
                await self._server_done.wait()
        if not self._client_left:
            with trio.move_on_after(FLUSH_S):
                while self._client.backlog_bytes and not self._client.closed:
                    await trio.lowlevel.wait_writable(self._client.fd)
                    self._client.flush()

    def end(self, reason: str, fields: Mapping[str, bytes] | None = None) -> None:
        """End the session from outside or because it cannot go on. `fields`: the FATAL error that the client gets."""
        if self._over is not None:
            return
        self._over = reason
        if fields is not None and self.relay.at_message_boundary:
            self._client.send([encode_fields(b"E", fields)])
        if self._holding is not None:
            self._holding.end(reason)
        self._wake.set()

    def tick(self) -> None:
        """Once a second: the log closes a block that is old enough, and an idle client is shown out."""
        self._guarded(lambda _: self.log.tick(), None)
        self._idle_s = 0 if self._active or not self.relay.idle else self._idle_s + 1
        self._active = False
        limit_s = self.config.limits.idle_session_s
        if limit_s and self._idle_s >= limit_s:
            text = "terminating connection due to idle-session timeout"
            self.end(text, error_fields("57P05", text, severity="FATAL"))

    @property
    def idle(self) -> bool:
        return self.relay.idle

    @property
    def held(self) -> str | None:
        """The request that the session waits for."""
        return self._holding.request_id if self._holding is not None else None

    def job(self, job: Job) -> None:
        self._jobs.append(job)
        self._wake.set()

    async def cancel(self) -> None:
        """A CancelRequest with this session's secret. Spec: PostgreSQL 55.2.8."""
        if self._holding is not None:
            self._holding.cancel()
        else:
            await send_cancel(
                self.database, self.upstream.process_id, self.upstream.secret, self.upstream.cancel_target
            )

    def reconfigured(self, config: Config) -> None:
        """The configuration is new: what was judged under the old one is judged again before it runs."""
        self.config = config
        self._stale_bench = True
        self.relay.verdicts_changed()

    def _use(self, bench: Bench) -> None:
        self.bench = bench
        masks = bench.masks
        if masks is None:
            self.relay.scrub_with(None, None)
        else:
            self.relay.scrub_with(masks.scrub_diagnostic, masks.scrub_notification)

    # -- bytes

    def _guarded(self, step: Callable[[P], object], argument: P) -> None:
        """Whatever goes wrong ends this session, closed and recorded, and no other."""
        try:
            step(argument)
            self._turn()
        except ProtocolError as error:
            self.fail(error.sqlstate, f"wireproxy: protocol violation by the {error.peer.value}: {error}")
        except LogError as error:
            self._diagnostics.error("log_failed", error=str(error))
            self.fail("58030", "wireproxy: the session log cannot be written, so nothing more may run")
        except Exception as error:  # noqa: BLE001  a bug of ours must fail closed, and must not show data
            self._fail_internally(error)

    def _fail_internally(self, error: Exception) -> None:
        self._diagnostics.error("internal_error", error=type(error).__name__, where=where(error))
        self.fail("XX000", "wireproxy: internal error; the session was ended")

    def fail(self, sqlstate: str, message: str) -> None:
        self.end(message, error_fields(sqlstate, message, severity="FATAL"))

    def _on_client(self, mask: int) -> None:
        if self._over is not None:
            if mask & HUNG_UP or self._client_left:
                self._client.stop_watching()
                self._client.drop_backlog()
            elif mask & WRITABLE:
                self._client.flush()
            return
        if mask & WRITABLE:
            self._client.flush()
            self._set_interest()
        if self._client.reading and mask & (READABLE | HUNG_UP):
            self._read_client()
        elif mask & HUNG_UP:
            self._client_hung_up(mask)

    def _read_client(self) -> None:
        self._active = True
        data = self._client.receive()
        while data is not None:
            if not data:
                self._client_gone()
                return
            self._guarded(self.relay.feed_client, data)
            if self._over is not None or not self._client.reading or not self._client.has_decrypted:
                return
            data = self._client.receive()

    def _client_hung_up(self, mask: int) -> None:
        """It hung up while its bytes are not wanted: a hold ends, backpressure goes on until they are."""
        if self._holding is not None or mask & GONE:
            self._client_gone()
        else:
            self._client.ignore_hang_up()

    def _client_gone(self) -> None:
        """The end of the client's stream. What was held never runs; what was sent is ended by the server as it would be."""
        self._client_left = True
        self._client.stop_watching()
        self._client.drop_backlog()
        if self._holding is not None:
            self._holding.end("the client hung up")
            self._over = "the client hung up"
            self._server_done.set()
        elif not self.relay.terminated:
            self._over = self._over or "the client hung up"
            self._abandoned = self.relay.busy
            if self.relay.at_client_boundary:
                self._server.send([TERMINATE])
            else:
                self._server_done.set()
        self._wake.set()

    def _on_server(self, mask: int) -> None:
        if mask & WRITABLE:
            self._server.flush()
            self._set_interest()
        if not (mask & (READABLE | HUNG_UP)) or not (self._server.reading or self._client_left):
            return
        data = self._server.receive()
        while data is not None:
            if not data:
                self._server_gone()
                return
            self._guarded(self.relay.feed_server, data)
            if not self._server.reading or not self._server.has_decrypted:
                return
            data = self._server.receive()

    def _server_gone(self) -> None:
        self._server.stop_watching()
        self._server_done.set()
        self.end("the server ended the session")

    def _turn(self) -> None:
        """Run the relay until it waits for bytes or for an answer, and send what it gives."""
        relay = self.relay
        again = True
        while again:
            again = False
            for effect in relay.advance():
                if self._handlers[type(effect)](effect):
                    again = True
        if self._unrecorded is not None:
            self._record_rows()
        self._server.send(relay.take_for_server())
        if self._client_left:
            relay.take_for_client()
            return
        self._client.send(relay.take_for_client())
        self._set_interest()

    def _set_interest(self) -> None:
        relay = self.relay
        self._client.want(relay.reads_client and self._server.backlog_bytes <= BACKLOG_BYTES)
        self._server.want(relay.reads_server and self._client.backlog_bytes <= BACKLOG_BYTES)

    # -- effects; each handler says whether it answered something, so that the relay can go on

    def _on_question(self, question: Question) -> bool:
        if self._bench_is_old:
            self.job(lambda: self._renew_bench(question))
            return False
        return self._consider(question)

    @property
    def _bench_is_old(self) -> bool:
        return self._stale_bench or (
            self.bench.needs_catalog
            and (self.target.catalog_version != self.bench.catalog.version or self.target.stale)
        )

    async def _renew_bench(self, question: Question) -> None:
        self._stale_bench = False
        try:
            self._use(await self.target.bench(self.identity))
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
        minute = self._minute_of_week() if self.bench.judge.needs_clock else None
        try:
            weighed = weigh(question, self.bench, self.namespace.current, self.relay, minute, estimated_rows, elsewhere)
        except Long as long:
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
        if weighed is None:
            self.relay.decide(question.ticket, Later())
            return True
        if any(mask is not None and mask.unknown for mask in weighed.masks) and self.target.missing():
            self.job(lambda: self._renew_bench(question))
            return False
        if weighed.judgement.wants_estimate and not asked and question.stage is not Stage.PARSE:
            self.job(lambda: self._ask_planner(question, weighed))
            return False
        match weighed.decision:
            case Allow() as allow:
                if self.bench.judge.limited and question.stage is not Stage.PARSE:
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
                if (error := unreadable(weighed.judgement)) is not None:
                    self._record(question, weighed, "deny", hold.rule, hold.reasons)
                    self.metrics.denied += 1
                    self._refuse(question, error)
                    return True
                self._holding = Holding(self, question, weighed, hold)
                self.job(self._holding.run)
                return False

    async def _ask_planner(self, question: Question, weighed: Weighed) -> None:
        """A rule asks how many rows; no answer counts against the statement."""
        rows = await self.estimate(question, weighed)
        if self.relay.asking is question:
            self._guarded(lambda asked: self._consider(asked, None if rows is None else int(rows), True), question)

    async def estimate(self, question: Question, weighed: Weighed) -> float | None:
        """What the planner expects the question's only statement to touch; None when it cannot say."""
        statements = weighed.judgement.statements
        if len(statements) != 1 or statements[0].opaque is not None:
            return None
        parameters = Parameters(question.parameters or (), question.formats, question.types)
        with trio.move_on_after(ESTIMATE_S):
            return await self.target.estimate(statements[0].text, parameters, self.namespace.current.search_path)
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
        """Before anything is done about it."""
        self.log.statement(
            question.ticket,
            question.stage.value,
            question.text or b"",
            question.parameters,
            question.formats,
            action,
            rule,
            reasons,
            self.relay.transaction_status,
            request_id,
            tuple(statement.kind for statement in weighed.judgement.statements),
            question.truncated,
            not self.namespace.current.standard_conforming_strings,
            question.types,
        )
        self.metrics.statements += 1

    def record_hold(self, question: Question, weighed: Weighed, hold: Hold, request_id: str) -> None:
        self._record(question, weighed, "hold", hold.rule, hold.reasons, request_id)
        self.metrics.held += 1

    def forward(self, question: Question, weighed: Weighed, limits: tuple[tuple[str, Limit], ...] = ()) -> None:
        """Recorded already. The exact bytes go on."""
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

    def step(self) -> None:
        """Send what the relay has by now."""
        self._guarded(void, None)

    def _on_described(self, described: Described) -> bool:
        attached = described.attachment
        assert isinstance(attached, Attached)
        masks = self.bench.masks
        known = attached.weighed.masks
        mask = known[described.position] if described.position < len(known) and not described.again else None
        if mask is None and masks is not None:
            # a batch in which only some statement touches a masked column, or a result nobody foresaw
            mask = masks.unknown()
        if mask is None:
            self.relay.plan(None)
            return True
        columns = [
            Column(c.name.decode("utf-8", "replace"), c.type_oid, c.table_oid, c.attribute, binary=c.binary)
            for c in described.columns
        ]
        if mask.unknown_origins(columns):
            self.target.missing()
        try:
            plan = mask.plan(columns)
        except ValueError as error:
            raise ProtocolError(f"a result has other columns than its statement: {error}") from error
        if plan is not None:
            self.metrics.masked_results += 1
        self.relay.plan(plan)
        return True

    def _on_copy_out(self, copy: CopyOut) -> bool:
        attached = copy.attachment
        assert isinstance(attached, Attached)
        mask = attached.weighed.masks[copy.position] if copy.position < len(attached.weighed.masks) else None
        if mask is None:
            if self.bench.masks is not None:
                raise ProtocolError("copied rows of which it is not known what they carry cannot be masked")
            self.relay.plan_copy(None)
            return True
        shape = mask.copy
        if shape is None or (shape.style == "binary") != copy.binary:
            raise ProtocolError("copied rows in a form that is not known cannot be masked")
        try:
            plan = mask.copy_plan(shape.style, copy.columns)
        except ValueError as error:
            raise ProtocolError(f"copied rows have other columns than their statement: {error}") from error
        if plan is None:
            self.relay.plan_copy(None)
            return True
        self.metrics.masked_results += 1
        form = CopyFormat(shape.style, shape.delimiter, shape.null, shape.quote, shape.escape, shape.header)
        self.relay.plan_copy(copy_rewriter(form, plan, self.config.limits.masked_row_bytes))
        return True

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
        tag = completed.tag.decode("ascii", "replace")
        waiting = self._unrecorded
        if waiting is not None and waiting[0] == completed.ticket and len(waiting[2]) <= _SHORT_RESULT_BYTES:
            self._unrecorded = None
            self.log.result(
                completed.ticket, waiting[1], waiting[2], tag, completed.rows, completed.size_bytes, elapsed_ns
            )
            return False
        self._record_rows()
        self.log.completion(completed.ticket, tag, completed.rows, completed.size_bytes, elapsed_ns)
        return False

    def _settle(self, weighed: Weighed, completed: Completed) -> None:
        statements = weighed.judgement.statements
        if completed.position < len(statements):
            statement = statements[completed.position]
            before = self.namespace.current
            self.namespace.completed(statement, completed.tag)
            if weighed.moves:
                self.namespace.lost()
            if self.namespace.current is not before:
                self.relay.meaning_changed()
            if self.namespace.in_transaction:
                tag = completed.tag.decode("ascii", "replace")
                self.done.append(f"{tag}: {statement.text[:120]}")
        if weighed.changes_definitions:
            self.target.mark_stale()
        self.relay.report_ready()

    def _on_rows(self, rows: Rows) -> bool:
        self._record_rows()
        frames = rows.frames
        head = None
        if frames[:1] == b"T":
            end = 1 + int.from_bytes(frames[1:5], "big")
            head = self._head(frames[:end])
            frames = frames[end:]
        self._unrecorded = (rows.ticket, head, frames)
        return False

    def _record_rows(self) -> None:
        """Rows wait for their completion, which mostly comes with them, and at the latest for the end of the turn."""
        if self._unrecorded is not None:
            ticket, head, frames = self._unrecorded
            self._unrecorded = None
            self.log.rows(ticket, head, frames)

    def _head(self, message: bytes) -> tuple[tuple[str, int, int], ...]:
        """The columns of a RowDescription; the same few come again and again."""
        head = self._heads.get(message)
        if head is None:
            columns = decode_row_description(message[5:])
            head = tuple((c.name.decode("utf-8", "replace"), c.type_oid, int(c.binary)) for c in columns)
            if len(self._heads) < _HEADS_KEPT:
                self._heads[message] = head
        return head

    def _on_failed(self, failed: Failed) -> bool:
        self._record_rows()
        self.namespace.failed()
        if self.namespace.unsettled:
            self.relay.report_ready()
        self.metrics.errors += 1
        self.log.error(failed.ticket, {code: value.decode("utf-8", "replace") for code, value in failed.fields.items()})
        return False

    def _on_parameter(self, changed: ParameterChanged) -> bool:
        self.namespace.reported(changed.name, changed.value)
        self.relay.names_are_utf8(self.namespace.current.client_encoding == "UTF8")
        return False

    def _on_ready(self, ready: Ready) -> bool:
        before = self.namespace.current
        self.namespace.ready(ready.status)
        if self.namespace.current is not before:
            self.relay.meaning_changed()
        if ready.status == "I":
            self.done.clear()
        else:
            self.relay.report_ready()  # until the transaction has ended
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


def affected(tag: bytes) -> int:
    """Rows of a command tag: DELETE 7, INSERT 0 7. Spec: PostgreSQL 55.7, CommandComplete."""
    last = tag.rpartition(b" ")[2]
    return int(last) if last.isdigit() else 0


def void(_: object) -> None:
    return None


def where(error: BaseException) -> str:
    """The last frames of a traceback as file:line, without the values that a rendered one may show."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(frames[-4:]))
