"""One session of PostgreSQL: what differs from `wireproxy.session`, which judges, holds, records and forwards for both dialects."""

from __future__ import annotations

from collections.abc import Callable

from protocols.base import (
    Completed,
    CopyIn,
    CopyOut,
    CopyStopped,
    Described,
    Failed,
    Fields,
    ParameterChanged,
    Peer,
    ProtocolError,
    Question,
    Ready,
    Rows,
)
from protocols.postgres.copy import CopyFormat, copy_rewriter
from protocols.postgres.limits import RelayLimits
from protocols.postgres.messages import TERMINATE, decode_row_description
from protocols.postgres.relay import Relay
from rules.classify.postgres.text import decode
from rules.model import Column
from rules.policy import Limit
from wireproxy.approvals import Desk
from wireproxy.config.model import Config
from wireproxy.copying import IncomingRows
from wireproxy.log import SessionLog
from wireproxy.metrics import Metrics
from wireproxy.namespace import PostgresNamespace
from wireproxy.pump import Hub
from wireproxy.session import Session
from wireproxy.target import Bench, Target
from wireproxy.upstream import Upstream, send_cancel
from wireproxy.weighed import Attached, Weighed
from wireproxy.welcome import Arrival

_HEADS_KEPT = 64
_ANALYZED = frozenset(
    {"select", "insert", "update", "delete", "merge", "explain"}
)  # the server looks at their names when it parses


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


def may_be_misnamed(weighed: Weighed) -> bool:
    """Whether one statement is held which the server could refuse for its names before anybody decides about it."""
    statements = weighed.judgement.statements
    if len(statements) == 1 and statements[0].opaque is None and statements[0].kind in _ANALYZED:
        return True
    return len(weighed.masks) == 1 and any(mask is not None and mask.findings for mask in weighed.masks)


class PostgresSession(Session):
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
        relay = Relay(relay_limits(config))
        relay.names_are_utf8(namespace.names_are_utf8)
        relay.know_values(upstream.parameter_status.values())
        # the same as without the underscore, under types that compile to direct calls
        self._relay = relay
        self._namespace = namespace
        self._upstream = upstream
        self._redefined = False  # the open transaction may have made or renamed something, which nobody else sees
        self._defined = False  # definitions changed in a transaction that may not have ended
        self._heads: dict[bytes, tuple[tuple[str, int, int], ...]] = {}
        super().__init__(
            relay,
            hub,
            arrival,
            upstream,
            target,
            bench,
            desk,
            log,
            config,
            metrics,
            namespace,
            clock_ns,
            minute_of_week,
        )
        self._handlers[Described] = self._on_described
        self._handlers[CopyOut] = self._on_copy_out
        self._handlers[CopyIn] = self._on_copy_in
        self._handlers[CopyStopped] = self._on_copy_stopped
        self._handlers[Ready] = self._on_ready

    # -- life

    async def cancel(self) -> None:
        """A CancelRequest with this session's secret. Spec: PostgreSQL 55.2.8."""
        if self._holding is not None:
            self._holding.cancel()
        else:
            await send_cancel(
                self.database, self._upstream.process_id, self._upstream.secret, self._upstream.cancel_target
            )

    def _use(self, bench: Bench) -> None:
        self.bench = bench
        self._relay.detect_with(bench.finder)
        masks = bench.masks
        if masks is None:
            self._relay.scrub_with(None, None)
        else:
            self._relay.scrub_with(masks.scrub_diagnostic, masks.scrub_notification)

    def _leave_server(self) -> None:
        self._abandoned = self._relay.busy
        if self._relay.at_client_boundary:
            self._server.send([TERMINATE])
        else:
            self._server_done.set()

    # -- bytes

    def _turn(self) -> None:
        relay = self._relay
        again = True
        while again:
            again = False
            for effect in relay.advance():
                # the three that every transaction has are called directly
                if isinstance(effect, Question):
                    answered = self._on_question(effect)
                elif isinstance(effect, Completed):
                    answered = self._on_completed(effect)
                elif isinstance(effect, Rows):
                    answered = self._on_rows(effect)
                else:
                    answered = self._handlers[type(effect)](effect)
                again = again or answered
        self._results.flush()
        self.log.flush()
        self._server.send(relay.take_for_server())
        if self._client_left:
            relay.take_for_client()
            return
        self._client.send(relay.take_for_client())
        self._set_interest()

    def forward(self, question: Question, weighed: Weighed, limits: tuple[tuple[str, Limit], ...] = ()) -> None:
        if weighed.settles:
            self._relay.know_values(
                setting.value
                for statement in weighed.judgement.statements
                for setting in statement.settings
                if setting.value is not None
            )
        super().forward(question, weighed, limits)

    # -- effects

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
            self._relay.plan(None)
            return True
        columns = [
            Column(c.name.decode("utf-8", "replace"), c.type_oid, c.table_oid, c.attribute, binary=c.binary)
            for c in described.columns
        ]
        if mask.unknown_origins(columns):
            self.target.missing()
        try:
            plan = mask.plan(columns)
        except ValueError:
            # a migration went past the gateway: until the catalog is read again, the server's word decides, column by column
            self.target.mark_stale()
            assert masks is not None
            plan = masks.unknown().plan(columns)
        if plan is not None:
            self.metrics.masked_results += 1
        self._relay.plan(plan)
        return True

    def _on_copy_out(self, copy: CopyOut) -> bool:
        attached = copy.attachment
        assert isinstance(attached, Attached)
        mask = attached.weighed.masks[copy.position] if copy.position < len(attached.weighed.masks) else None
        if mask is None:
            if self.bench.masks is not None:
                raise ProtocolError(
                    "copied rows of which it is not known what they carry cannot be masked", peer=Peer.SERVER
                )
            self._relay.plan_copy(None)
            return True
        shape = mask.copy
        if shape is None or (shape.style == "binary") != copy.binary:
            raise ProtocolError("copied rows in a form that is not known cannot be masked", peer=Peer.SERVER)
        try:
            plan = mask.copy_plan(shape.style, copy.columns)
        except ValueError as error:
            self.target.mark_stale()
            text = f"copied rows have other columns than their statement: {error}"
            raise ProtocolError(text, peer=Peer.SERVER) from error
        if plan is None:
            self._relay.plan_copy(None)
            return True
        self.metrics.masked_results += 1
        form = CopyFormat(shape.style, shape.delimiter, shape.null, shape.quote, shape.escape, shape.header)
        self._relay.plan_copy(copy_rewriter(form, plan, self.config.limits.masked_row_bytes))
        return True

    def _on_copy_in(self, copy: CopyIn) -> bool:
        attached = copy.attachment
        assert isinstance(attached, Attached)
        known = attached.weighed.masks
        mask = known[copy.position] if copy.position < len(known) else None
        masks = self.bench.masks
        incoming = mask.incoming if mask is not None and masks is not None else None
        if masks is None or incoming is None:
            self._relay.plan_copy_in(None)
            return True
        if (incoming.shape.style == "binary") != copy.binary:
            raise ProtocolError("rows are copied in a form that is not known", peer=Peer.SERVER)
        self._relay.plan_copy_in(IncomingRows(masks, incoming, self._namespace.current))
        return True

    def _on_copy_stopped(self, stopped: CopyStopped) -> bool:
        reason = stopped.fields.get("D", b"").decode("utf-8", "replace")
        self.log.decision(stopped.ticket, "deny", "mask", (reason,), "copy")
        self.metrics.denied += 1
        return False

    async def wrong_names(self, question: Question, weighed: Weighed) -> Fields | None:
        """Asked of the server itself, which has the newest catalog, where it sees all that this session sees.

        A name that is not known may be anybody's, so it is held; and a change that could not even be parsed is nothing to decide.
        """
        namespace = self._namespace.current
        if not may_be_misnamed(weighed):
            return None
        own = namespace.temporary or self._relay.tainted or self._redefined or namespace.user != self.database.user
        if own or not namespace.lexing_known or not namespace.search_path:
            return None
        text = decode(question.text or b"", namespace)
        return (
            None if text is None else await self.target.wrong_names(text, namespace.search_path, question.types or ())
        )

    def _settle(self, weighed: Weighed, completed: Completed) -> None:
        statements = weighed.judgement.statements
        if completed.position < len(statements):
            statement = statements[completed.position]
            before = self._namespace.current
            self._namespace.completed(statement, completed.tag)
            if weighed.moves:
                self._namespace.lost()
            if self._namespace.current is not before:
                self._relay.meaning_changed()
            if self._namespace.in_transaction:
                tag = completed.tag.decode("ascii", "replace")
                self.done.append(f"{tag}: {statement.text[:120]}")
        self._redefined = self._redefined or weighed.settles
        if weighed.changes_definitions:
            self.target.mark_stale()
            self._defined = True
        self._relay.report_ready()

    def _on_rows(self, rows: Rows) -> bool:
        frames = rows.frames
        head = None
        if frames[:1] == b"T":
            end = 1 + int.from_bytes(frames[1:5], "big")
            head = self._head(frames[:end])
            frames = frames[end:]
        self._results.rows(rows.ticket, head, frames)
        return False

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
        super()._on_failed(failed)
        if self._namespace.unsettled:
            self._relay.report_ready()
        return False

    def _on_parameter(self, changed: ParameterChanged) -> bool:
        super()._on_parameter(changed)
        self._relay.names_are_utf8(self._namespace.names_are_utf8)
        return False

    def _on_ready(self, ready: Ready) -> bool:
        before = self._namespace.current
        self._namespace.ready(ready.status)
        if self._namespace.current is not before:
            self._relay.meaning_changed()
        if ready.status == "I":
            self.done.clear()
            self._redefined = False
            if self._defined:
                # somebody may have read the catalog in between, when nobody else could see the change yet
                self._defined = False
                self.target.mark_stale()
        else:
            self._relay.report_ready()  # until the transaction has ended
        return False
