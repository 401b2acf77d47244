"""A statement that waits for people.

It ends in one of these ways, and only the first two let the statement run: an approval that was given before is used up; an
approval comes while it waits; it is denied; the wait is over and the client is told to come back; the client hangs up or cancels;
an earlier statement of the same pipeline fails; it names something that is not there, so that nobody need be asked. What was held
when its client went away never runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import trio
from attrs import evolve

from protocols.base import Fields, NamedValue, Question
from protocols.postgres.messages import error_fields
from rules.masking import Move
from rules.model import Effect, Hold, Namespace
from rules.redaction import redact_secrets
from rules.refusal import Refusal, cancelled, denied, expired, pending, unavailable
from wireproxy.approvals import Binding, RequestFacts, State, StoreError, TooManyRequests, UnknownRequest, Verdict
from wireproxy.display import display_attributes, display_parameters
from wireproxy.weighed import Weighed

if TYPE_CHECKING:
    from wireproxy.session import Session


ATTRIBUTE = "attribute "  # before the names of such context


class Holding:
    def __init__(self, session: Session, question: Question, weighed: Weighed, hold: Hold) -> None:
        self._session = session
        self._question = question
        self._weighed = weighed
        self._hold = hold
        self._scope = trio.CancelScope()
        self._ended: str | None = None  # why the wait is over before its time
        self._cancelled = False
        self._adjourned = False
        self.request_id: str | None = None

    def end(self, reason: str) -> None:
        """The client went away, or the statement is moot: it will not run."""
        self._ended = self._ended or reason
        self._scope.cancel()

    def adjourn(self, reason: str) -> None:
        """The gateway stops: the statement does not run here, and its request waits for the client to come back."""
        self._adjourned = True
        self.end(reason)

    def cancel(self) -> None:
        """The client asked for the statement to be cancelled; the session goes on."""
        self._cancelled = True
        self.end("the client cancelled it")

    async def run(self) -> None:
        try:
            with self._scope:
                await self._decide()
        except (StoreError, UnknownRequest) as error:
            self._answer(unavailable(str(error)))
            return
        if self._ended is None:
            return
        if self.request_id is not None:
            await self._withdraw(self._ended)
        if self._cancelled:
            self._answer(cancelled(self.request_id or ""))

    async def _withdraw(self, reason: str) -> None:
        assert self.request_id is not None
        session = self._session
        try:
            if self._adjourned and await session.desk.promise(self.request_id):
                session.log.decision(self._question.ticket, "pending", self._hold.rule, (reason,), "", self.request_id)
                return
            await session.desk.withdraw(self.request_id, reason)
        except (StoreError, UnknownRequest):
            pass  # it expires by itself, and was never sent
        session.log.verdict(self._question.ticket, self.request_id, "withdrawn", "", reason)

    async def _decide(self) -> None:
        session, question, hold = self._session, self._question, self._hold
        if question.truncated:
            self._answer(unavailable("its values are longer than bind_bytes, so nobody could see what they approve"))
            return
        if not await self._within_maximum():
            return
        binding = self._binding()
        claim = await session.desk.claim(binding, hold)
        if claim is not None:
            await self._inherit()
            self.request_id = claim.request_id
            session.record_hold(question, self._weighed, hold, claim.request_id)
            self._approved(claim.request_id, claim.approvers, claim.reason)
            return
        if (fields := await session.wrong_names(question, self._weighed)) is not None:
            self._misnamed(fields)
            return
        try:
            request = await session.desk.submit(binding, await self._facts(), hold)
        except TooManyRequests as error:
            self._answer(unavailable(str(error), error.hint))
            return
        self.request_id = request.id
        session.record_hold(question, self._weighed, hold, request.id)
        wait_s = session.desk.wait_s(hold)
        if wait_s:
            notice = pending(request.id, hold, wait_s)
            session.relay.hold()
            session.relay.notice({"S": b"NOTICE", "V": b"NOTICE", "C": b"00000"} | _texts(notice))
            session.step()
        verdict = await session.desk.wait(request.id, wait_s)
        await self._act(request.id, binding, verdict)

    async def _within_maximum(self) -> bool:
        """A rule may say how many rows an approval covers at most. The planner's word counts, and no word counts as too many."""
        maximum = self._hold.maximum_rows
        if maximum is None:
            return True
        rows = await self._estimate()
        if rows is not None and rows <= maximum:
            return True
        expected = "an unknown number of" if rows is None else f"about {rows:.0f}"
        self._answer(unavailable(f"it would touch {expected} rows, and an approval covers at most {maximum}"))
        return False

    async def _act(self, request_id: str, binding: Binding, verdict: Verdict | None) -> None:
        session = self._session
        if verdict is None:
            session.log.decision(self._question.ticket, "pending", self._hold.rule, (), "", request_id)
            self._answer(expired(request_id, self._hold))
        elif verdict.approved and await session.desk.consume(request_id, binding):
            await self._inherit()
            self._approved(request_id, verdict.approvers, verdict.reason)
        else:
            state = verdict.state if verdict.state is not State.APPROVED else State.USED
            session.log.verdict(
                self._question.ticket, request_id, state.value, ", ".join(verdict.approvers), verdict.reason
            )
            self._answer(denied(request_id, state.value, verdict.reason, verdict.approvers))

    async def _inherit(self) -> None:
        """What it writes from masked columns is masked before it runs: nobody reads it in between. Raises StoreError."""
        session = self._session
        moves = [move for mask in self._weighed.masks if mask is not None for move in mask.moves]
        if moves and session.target.exemptions is not None:
            placed = [each for move in moves for each in in_schemas(move, session.namespace.current)]
            await session.target.exemptions.inherit(
                session.database.name, placed, session.identity.name, session.log.session_id
            )

    def _approved(self, request_id: str, approvers: tuple[str, ...], reason: str) -> None:
        session = self._session
        session.metrics.approved += 1

        def forward(question: Question) -> None:
            # asked for in the step that sends: the client may have gone while the approval was being used up
            if self._ended is not None or session.relay.asking is not question:
                return
            session.log.verdict(question.ticket, request_id, "approved", ", ".join(approvers), reason)
            session.forward(question, self._weighed)

        session.release(self, forward, self._question)

    def _answer(self, text: Refusal) -> None:
        session = self._session

        def refuse(question: Question) -> None:
            if session.relay.asking is question:
                session.refuse(question, error_fields(text.sqlstate, text.message, detail=text.detail, hint=text.hint))

        session.release(self, refuse, self._question)

    def _misnamed(self, fields: Fields) -> None:
        session = self._session

        def refuse(question: Question) -> None:
            if self._ended is None and session.relay.asking is question:
                session.record_misnamed(question, self._weighed, self._hold)
                session.refuse(question, fields)

        session.release(self, refuse, self._question)

    def _binding(self) -> Binding:
        session, question = self._session, self._question
        return Binding.of(
            dialect=session.database.dialect,
            identity=session.identity,
            database=session.database.name,
            statement=question.text or b"",
            namespace=session.namespace.current,
            parameters=question.parameters,
            formats=question.formats or None,
            type_oids=question.types or None,
            context={
                **session.namespace.values_read_by,
                **dict(self._weighed.behind),
                **context_of(question.attributes),
            },
        )

    async def _facts(self) -> RequestFacts:
        session, question = self._session, self._question
        statements = self._weighed.judgement.statements
        status = {"I": "idle", "T": "in transaction", "E": "failed transaction"}[session.relay.transaction_status]
        text = redact_secrets(
            question.text or b"", session.database.dialect, not session.namespace.current.standard_conforming_strings
        ).decode("utf-8", "replace")
        return RequestFacts(
            identity=session.identity,
            session_id=session.log.session_id,
            client=session.arrival.client,
            application=session.arrival.parameters.get("application_name", ""),
            sql=text,
            parameters=display_parameters(question.parameters, question.formats, question.types),
            attributes=display_attributes(question.attributes),
            kinds=tuple(statement.kind.value for statement in statements),
            relations=tuple(
                f"{relation} ({relation.access})" for statement in statements for relation in statement.relations
            ),
            rule=self._hold.rule,
            reasons=self._hold.reasons,
            transaction=status,
            done=tuple(session.done),
            estimated_rows=await self._estimate(),
            batch=len(statements),
        )

    async def _estimate(self) -> float | None:
        if not any(Effect.WRITE in statement.effects for statement in self._weighed.judgement.statements):
            return None
        return await self._session.estimate(self._question, self._weighed)


def context_of(attributes: Sequence[NamedValue]) -> dict[str, str]:
    """Query attributes as a part of what an approval is bound to: functions of the server read them."""
    return {
        f"{ATTRIBUTE}{place} {each.name.hex()}": f"{each.type} {'NULL' if each.value is None else each.value.hex()}"
        for place, each in enumerate(attributes)
    }


def in_schemas(move: Move, namespace: Namespace) -> list[Move]:
    """A relation that is made without a schema: it will stand in the first of the path that exists, and any of them may."""
    if move.schema is not None:
        return [move]
    names = (namespace.user if part == "$user" else part for part in namespace.search_path)
    return [evolve(move, schema=name) for name in names if name is not None]


def _texts(text: Refusal) -> dict[str, bytes]:
    fields = {"M": text.message.encode()}
    if text.detail:
        fields["D"] = text.detail.encode()
    if text.hint:
        fields["H"] = text.hint.encode()
    return fields
