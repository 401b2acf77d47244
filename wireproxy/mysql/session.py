"""One session of MySQL or MariaDB: what differs from `wireproxy.session`, which judges, holds, records and forwards for both.

Differences: an answer that may have changed how text is read is followed by a question of the gateway's own, and nothing is judged
before its answer; a prepared statement is judged by what the session was when the server read it; an error is an ERR packet of the
gateway's own; a query is ended by KILL QUERY over another connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import trio

from protocols.base import Completed, Failed, Fields, ParameterChanged, Question, RowPlan, Rows, Stage
from protocols.mysql.cutting import quoted
from protocols.mysql.describing import VARIABLE
from protocols.mysql.handshake import HandshakeResponse
from protocols.mysql.messages import Command, MySqlColumn
from protocols.mysql.packets import frame
from protocols.mysql.relay import MySqlRelay
from protocols.mysql.shared import (
    Answered,
    ConnectionReset,
    FileStopped,
    Limits,
    LoginPacket,
    ResultDescribed,
    UserChanging,
)
from protocols.postgres.messages import error_fields
from rules.length import is_long
from rules.masking.mysql.diagnostics import Told
from rules.masking.mysql.mask_set import MySqlMaskSet
from rules.masking.mysql.plan import MySqlResultMasks
from rules.model import Allow, Judgement, Namespace
from rules.policy import Limit
from wireproxy.approvals import Desk
from wireproxy.config.model import Config
from wireproxy.log import SessionLog
from wireproxy.log.writer import ColumnHead
from wireproxy.metrics import Metrics
from wireproxy.mysql.killing import (
    RULE,
    OwnConnections,
    interrupted,
    is_kill,
    maybe_kill,
    not_own,
    read_kill,
    unclear,
)
from wireproxy.mysql.loading import LoadedRows, loaded_rows, loads_local
from wireproxy.mysql.mistaken import may_be_wrong, understood
from wireproxy.mysql.namespace import DESCRIBE, PROBE, MySqlNamespace, setup
from wireproxy.mysql.reentry import FrontDoor, Reentry
from wireproxy.mysql.results import column_of, head_of, mask_of
from wireproxy.mysql.side import Meaning
from wireproxy.mysql.target import MySqlTarget, not_explained
from wireproxy.mysql.upstream import UTF8MB4, MySqlUpstream, kill_query
from wireproxy.mysql.welcome import MySqlArrival, shown_attributes
from wireproxy.pump import Hub
from wireproxy.session import ESTIMATE_S, Session
from wireproxy.side import Parameters
from wireproxy.target import Bench, CatalogError, Target
from wireproxy.upstream import UpstreamError
from wireproxy.weighed import Attached, Weighed

Heard = Callable[[Answered], None]
_QUERY: Final = Stage.QUERY
_PARSE: Final = Stage.PARSE
_PREPARED_BEFORE: Final = frozenset({Stage.BIND, Stage.EXECUTE})
COLLATION = b"SELECT CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLLATIONS WHERE ID = %d"
COM_QUIT = frame(bytes((Command.QUIT,)))
PREPARED = b"PREPARED"  # the relay's tag of a statement that was prepared and not run
_HEADS_KEPT = 16
_HEAD_KEPT_COLUMNS = 256
KILL_S = 10.0  # what may be spent on ending a query whose client has gone


def relay_limits(config: Config) -> Limits:
    limits = config.limits
    return Limits(
        statement_bytes=limits.statement_bytes,
        bind_bytes=limits.bind_bytes,
        message_bytes=limits.message_bytes,
        masked_row_bytes=limits.masked_row_bytes,
        prepared_statements=limits.prepared_statements,
    )


class MySqlSession(Session):
    def __init__(
        self,
        hub: Hub,
        arrival: MySqlArrival,
        upstream: MySqlUpstream,
        target: Target,
        bench: Bench,
        desk: Desk,
        log: SessionLog,
        config: Config,
        metrics: Metrics,
        namespace: MySqlNamespace,
        clock_ns: Callable[[], int],
        minute_of_week: Callable[[], int],
        own_connections: OwnConnections,
        door: FrontDoor,
    ) -> None:
        self._own_connections = own_connections
        self._door = door
        self._reentry: Reentry | None = None
        self._borrower: HandshakeResponse | None = None  # whose COM_CHANGE_USER is being carried out
        relay = MySqlRelay(relay_limits(config), arrival.capabilities, upstream.capabilities)
        # the same as without the underscore, under types that compile to direct calls
        self._relay = relay
        self._namespace = namespace
        self._capabilities = upstream.capabilities  # of the target's leg
        self._heads: dict[int, tuple[tuple[MySqlColumn, ...], bool, tuple[ColumnHead, ...]]] = {}
        super().__init__(
            relay, hub, arrival, upstream, target, bench, desk, log, config, metrics, namespace, clock_ns, minute_of_week
        )  # fmt: skip
        self._loaded: LoadedRows | None = None  # looks at the file that the client may send
        self._withheld: list[tuple[int, int, bytes]] = []  # of warnings in the rows of this turn: ticket, number, words
        self._own: deque[Heard] = deque()  # who hears the answers to the gateway's own questions
        self._handlers.update(
            {
                ResultDescribed: self._on_result,
                Answered: self._on_answered,
                FileStopped: self._on_file_stopped,
                ConnectionReset: self._on_reset,
                UserChanging: self._on_user_changing,
                LoginPacket: self._on_login_packet,
            }
        )

    # -- life

    async def _wind_up(self) -> None:
        if self._client_left and self._relay.runs_for_client:
            with trio.move_on_after(KILL_S):
                await self.cancel()
        await super()._wind_up()

    def end(self, reason: str, fields: Mapping[str, bytes] | None = None, *, adjourn: bool = False) -> None:
        if self._over is None and self._reentry is not None:
            self._reentry.stop()
        super().end(reason, fields, adjourn=adjourn)

    async def cancel(self) -> None:
        """End what the server runs for this session. A statement that is held is withdrawn instead."""
        if self._holding is not None:
            self._holding.cancel()
            return
        try:
            await kill_query(self.database, self.upstream.process_id)
        except UpstreamError as error:
            self._diagnostics.info("cancel_failed", reason=error.reason)

    def _use(self, bench: Bench) -> None:
        self.bench = bench
        self._relay.scrub_with(None if bench.masks is None else bench.masks.scrub_diagnostic)
        self._relay.detect_with(bench.finder)

    def _client_gone(self) -> None:
        if self._reentry is not None:
            self._reentry.stop()
        super()._client_gone()

    def _leave_server(self) -> None:
        """What runs is ended by `_wind_up`: a server notices only with its next answer that nobody reads it."""
        if self._relay.at_command_boundary:
            self._server.send([COM_QUIT])
        else:
            self._server_done.set()

    def _turn(self) -> None:
        """Run the relay until it waits for bytes or for an answer, and send what it gives."""
        relay = self._relay
        while not self._ended_here:
            effects = relay.advance()
            if self._withheld:
                self._tell_withheld()
            if not effects:
                break
            for effect in effects:
                # the three that most statements have are called directly
                if isinstance(effect, Question):
                    self._on_question(effect)
                elif isinstance(effect, Completed):
                    self._on_completed(effect)
                elif isinstance(effect, Rows):
                    self._on_rows(effect)
                else:
                    self._handlers[type(effect)](effect)
        self._results.flush()
        self.log.flush()
        if self._ended_here:
            return
        to_server = relay.take_for_server()
        if self._client_left:
            relay.take_for_client()  # and nothing new is begun for a client that has gone
            return
        self._server.send(to_server)
        self._client.send(relay.take_for_client())
        self._set_interest()

    @property
    def _ended_here(self) -> bool:
        """Access was withdrawn, the log cannot be written, masks came: not a byte passes any more, in either direction."""
        return self._over is not None and not self._relay.terminated and not self._client_left

    async def estimate(self, question: Question, weighed: Weighed) -> float | None:
        """Rows that the optimizer expects the question's only statement to look at; None when it is not asked, or cannot say."""
        statements = weighed.judgement.statements
        target = self.target
        if len(statements) != 1 or statements[0].opaque is not None or weighed.sites.mends:
            return None
        if (
            not isinstance(target, MySqlTarget)
            or not_explained(statements[0]) is not None
            or self._namespace.current.temporary
        ):
            return None
        parameters = Parameters(question.parameters or (), question.formats, question.types)
        try:
            meaning = Meaning.of(self._namespace.current, self._namespace.values_read_by.get("time_zone", "SYSTEM"))
        except CatalogError:
            return None
        with trio.move_on_after(ESTIMATE_S):
            return await target.estimate_in(statements[0].text.encode(), parameters, meaning)
        return None

    async def wrong_names(self, question: Question, weighed: Weighed) -> Fields | None:
        target = self.target
        if not isinstance(target, MySqlTarget) or not may_be_wrong(question, weighed, self._namespace.current):
            return None
        text, masks = question.text or b"", self.bench.masks
        found = await target.wrong_text(text, self._namespace.current, may_write=understood(weighed))
        return found if found is None or masks is None else masks.scrub_diagnostic({**found, "text": text})

    def forward(self, question: Question, weighed: Weighed, limits: tuple[tuple[str, Limit], ...] = ()) -> None:
        statements = weighed.judgement.statements
        if question.stage is _QUERY and len(statements) == 1 and loads_local(statements[0]):
            self._loaded = loaded_rows(weighed.masks[0])
            self._relay.gives_file(self._loaded)
        if question.stage is not _PARSE and any(
            isinstance(mask, MySqlResultMasks) and mask.keeps for mask in weighed.masks
        ):
            masks, made = self.bench.masks, frozenset[str]()
            if isinstance(masks, MySqlMaskSet) and any(each.functions for each in statements):
                made = masks.temporaries
            self._namespace.keep_masked(made)
        super().forward(question, weighed, limits)

    # -- effects

    def _on_question(self, question: Question) -> bool:
        attached = question.attachment
        prepared: Namespace | None = None
        if question.stage in _PREPARED_BEFORE and isinstance(attached, Attached):
            prepared = attached.namespace
        self._namespace.read_as(prepared)
        text = question.text
        if text is None or not maybe_kill(text):
            return super()._on_question(question)
        judge, namespace = self.bench.judge, self._namespace.current
        known = judge.recall(text, namespace)
        if known is None and is_long(text):
            self.job(lambda: self._look_for_kill(question, text, namespace))
            return False
        return self._kill_or_consider(question, known or judge.judge(text, namespace))

    async def _look_for_kill(self, question: Question, text: bytes, namespace: Namespace) -> None:
        found = await self.target.workers.judge(self.bench.judge, text, namespace)
        if self._relay.asking is question:
            self._guarded(lambda asked: self._kill_or_consider(asked, found), question)

    def _kill_or_consider(self, question: Question, judgement: Judgement) -> bool:
        return self._killing(question, judgement) or super()._on_question(question)

    def _killing(self, question: Question, judgement: Judgement) -> bool:
        """Whether it asks for the end of a connection: that is the gateway's to do, or to refuse."""
        if question.truncated or not is_kill(judgement.statements):
            return False
        kill = read_kill(question)
        if kill is None:
            self._record_kill(question, judgement, "deny")
            self.refuse(question, unclear())
            return True
        found = None if kill.number is None else self._own_connections.find(kill.number)
        if found is None and kill.number is not None:
            self._record_kill(question, judgement, "deny")
            self.refuse(question, not_own(kill.number))
            return True
        self._record_kill(question, judgement, "allow")
        target = self if found is None else found.session
        if target is not self:
            self.job(lambda: self._kill(question, target, kill.query_only))
        elif kill.query_only:
            self.refuse(question, interrupted())
        else:
            self.end("killed by its own client", interrupted())
        return True

    async def _kill(self, question: Question, target: Session, query_only: bool) -> None:
        if query_only or target.held is None:
            await target.cancel()
        if not query_only:
            target.end("killed by its client", error_fields("57P01", "Connection was killed", severity="FATAL"))
        if self._relay.asking is question:
            self._guarded(lambda asked: self._relay.answer_ok(asked.ticket), question)

    def _record_kill(self, question: Question, judgement: Judgement, action: str) -> None:
        allow = Allow(RULE, ("a client may end its own connections",))
        weighed = Weighed(judgement, allow, (None,), False, False, False, False, False, ())
        self._record(question, weighed, action, RULE, allow.reasons)

    def _on_result(self, described: ResultDescribed) -> bool:
        if self._record_bytes:
            self._results.head(described.ticket, self._head(described.columns, described.binary))
        if described.asks:
            self._relay.plan(self._plan(described))
        return True

    def _head(self, columns: tuple[MySqlColumn, ...], binary: bool) -> tuple[ColumnHead, ...]:
        """The relay gives the same object for results that are described alike."""
        known = self._heads.get(id(columns))
        if known is not None and known[0] is columns and known[1] is binary:
            return known[2]
        head = tuple([head_of(column, binary) for column in columns])
        if len(columns) <= _HEAD_KEPT_COLUMNS:
            if len(self._heads) >= _HEADS_KEPT:
                self._heads.clear()
            self._heads[id(columns)] = columns, binary, head
        return head

    def _plan(self, described: ResultDescribed) -> RowPlan | None:
        attached = described.attachment
        assert isinstance(attached, Attached)
        mask = mask_of(attached.weighed, described.position)
        if mask is None:
            if self.bench.masks is None:
                return None
            mask = self.bench.masks.unknown()
        results_in, mariadb = self._namespace.results_in, self._namespace.current.mariadb
        columns = [column_of(each, described.binary, results_in, mariadb=mariadb) for each in described.columns]
        if mask.unknown_origins(columns):
            self.target.missing()  # another table than the one of the catalog, or a bug of ours: masked as a whole
        told = self._hears_withheld(described.ticket) if self.log.encrypted else None
        plan = mask.plan(columns, told) if isinstance(mask, MySqlResultMasks) else mask.plan(columns)
        if plan is not None:
            self.metrics.masked_results += 1
        return plan

    def _hears_withheld(self, ticket: int) -> Told:
        return lambda number, words: self._withheld.append((ticket, number, words))

    def _tell_withheld(self) -> None:
        """What may quote masked values is for the auditors alone."""
        for ticket, number, words in self._withheld:
            fields = {"errno": str(number), "M": words.decode("utf-8", "replace")}
            self.log.event("warning_in_full", {"statement": str(ticket), **fields})
        self._withheld.clear()

    def _on_completed(self, completed: Completed) -> bool:
        super()._on_completed(completed)
        if self._relay.transaction_status == "I":
            self.done.clear()
        elif isinstance(completed.attachment, Attached) and completed.tag != PREPARED:
            text = completed.attachment.text[:120].decode("utf-8", "replace")
            self.done.append(f"{completed.tag.decode('ascii', 'replace')}: {text}")
        return False

    def _on_file_stopped(self, stopped: FileStopped) -> bool:
        reason = stopped.fields.get("D", b"").decode("utf-8", "replace")
        self.log.decision(stopped.ticket, "deny", "mask", (reason,), "load")
        self.metrics.denied += 1
        self.job(self._end_file)
        return False

    async def _end_file(self) -> None:
        """The end of a file would be taken for a good one: the statement is killed before."""
        assert self._loaded is not None
        filler = self._loaded.filler
        try:
            await kill_query(self.database, self.upstream.process_id)
        except UpstreamError:  # the server takes back what it has when the connection ends
            self.fail("58000", "wireproxy: a file with masked values could not be stopped")
            return
        self._guarded(lambda _: self._relay.end_file(filler), None)

    def _settle(self, weighed: Weighed, completed: Completed) -> None:
        if completed.tag == PREPARED:
            return
        statements = weighed.judgement.statements
        if completed.position < len(statements):
            self._namespace.completed(statements[completed.position])
        for _, text in weighed.behind:  # EXECUTE may have made a temporary table
            known = self.bench.judge.recall(text.encode(), self._namespace.current)
            for statement in () if known is None else known.statements:
                self._namespace.completed(statement)
        if weighed.changes_definitions:
            self.target.mark_stale()
            self._stale_bench = True
        if weighed.settles:
            self._probe()

    def _on_failed(self, failed: Failed) -> bool:
        super()._on_failed(failed)
        if isinstance(failed.attachment, Attached) and failed.attachment.weighed.settles:
            self._probe()  # what it did before it failed is not undone
        return False

    def _on_parameter(self, changed: ParameterChanged) -> bool:
        if changed.name == VARIABLE:
            wanted = changed.value != "NONE"
            self._relay.describe_results(wanted)
            if not wanted:  # the client gets none from now on, and the gateway needs them
                self._ask(DESCRIBE, self._heard_setup)
            return False
        before = self._namespace.reading
        super()._on_parameter(changed)
        self._heed(before)
        return False

    def _heed(self, before: tuple[object, ...]) -> None:
        """A text that SQL prepared was read by the settings, and in the database, of that moment."""
        if self._namespace.reading != before:
            self._relay.forget_texts()

    def _probe(self) -> None:
        """Ask for the settings before anything more is judged."""
        if self._heard_settings not in self._own:
            self._ask(PROBE, self._heard_settings)

    def _ask(self, text: bytes, heard: Heard) -> None:
        self._own.append(heard)
        self._relay.ask(text)

    def _on_answered(self, answered: Answered) -> bool:
        self._own.popleft()(answered)
        return False

    def _heard_settings(self, answered: Answered) -> None:
        before = self._namespace.reading
        self._namespace.answered(answered.rows[0] if len(answered.rows) == 1 else None)
        self._heed(before)

    def _heard_setup(self, answered: Answered) -> None:
        if answered.error is not None:
            self.fail("58000", "wireproxy: the session cannot be set up again")

    # -- the session is made new

    def _on_reset(self, _reset: ConnectionReset) -> bool:
        self.log.event("connection_reset", {})
        self.done.clear()
        self._namespace.lose()
        for text in setup(self._capabilities, read_only=self.bench.read_only):
            self._ask(text, self._heard_setup)
        borrower, self._borrower = self._borrower, None
        if borrower is None:
            self._ask(PROBE, self._heard_settings)
            return False
        self._ask(b"USE " + quoted(self.database.dbname.encode()), self._heard_setup)
        self._ask(COLLATION % (borrower.charset or UTF8MB4), self._heard_collation)
        return False

    def _heard_collation(self, answered: Answered) -> None:
        """What a login with this collation would have set. One that the server does not have leaves its default."""
        names = answered.rows[0] if len(answered.rows) == 1 else ()
        if len(names) == 2 and all(name is not None and name.replace(b"_", b"").isalnum() for name in names):
            self._ask(b"SET NAMES %s COLLATE %s" % names, self._heard_setup)
        self._ask(PROBE, self._heard_settings)

    def _on_user_changing(self, changing: UserChanging) -> bool:
        self._reentry = Reentry(self, self._door, changing.request)
        self.job(self._reentry.run)
        return False

    def _on_login_packet(self, packet: LoginPacket) -> bool:
        assert self._reentry is not None
        self._reentry.heard(packet.payload)
        return False

    def say(self, payload: bytes, *, reads: bool) -> None:
        """A packet of the proof that COM_CHANGE_USER asks for."""
        self._relay.login_send(payload, reads=reads)
        self.step()

    def changed_user(self, request: HandshakeResponse) -> None:
        """The client is who it was."""
        self._reentry = None
        self._borrower = request
        self.log.event("changed_user", shown_attributes(request.attributes))
        self._guarded(lambda _: self._relay.change_allowed(), None)
