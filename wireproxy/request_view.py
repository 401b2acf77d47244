"""A request as JSON, for the control socket, `--json` and the webhook. The names of its fields stay."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from wireproxy.store.model import Request, Vote

LIST_SQL_CHARACTERS = 2000  # in lists; `show` has all of it
LIST_VALUES = 20


class IdentityView(msgspec.Struct, frozen=True):
    name: str
    groups: list[str]
    source: str
    issuer: str | None
    subject: str | None


class VoteView(msgspec.Struct, frozen=True):
    approver: str
    principal: str
    approve: bool
    reason: str
    at: str


class RequestView(msgspec.Struct, frozen=True):
    """Everything a person needs to decide."""

    id: str
    state: str
    database: str
    dialect: str
    identity: IdentityView
    session: str
    client: str
    application: str
    sql: str
    complete: bool  # False in lists: long texts are cut there
    parameters: list[str | None] | None  # None: a simple query
    attributes: list[tuple[str, str | None]]  # MySQL's query attributes: names and values
    batch: int  # statements in the text
    kinds: list[str]
    relations: list[str]
    rule: str
    reasons: list[str]
    approvers: list[str]  # groups; empty: any approver
    quorum: int
    missing: int  # approvals
    maximum_rows: int | None
    transaction: str
    done: list[str]  # in the open transaction
    estimated_rows: float | None
    created: str  # ISO 8601, UTC
    expires: str
    expires_in_s: float
    awaited: bool  # a client of this gateway waits for the verdict right now
    votes: list[VoteView]
    decided: str | None
    reason: str
    digest: str  # of what the approval is bound to


def whole(request: Request, now_ns: int, awaited: bool) -> RequestView:
    facts = request.facts
    identity = facts.identity
    return RequestView(
        id=request.id,
        state=str(request.state),
        database=request.database,
        dialect=str(request.dialect),
        identity=IdentityView(
            identity.name, sorted(identity.groups), identity.source, identity.issuer, identity.subject
        ),
        session=facts.session_id,
        client=facts.client,
        application=facts.application,
        sql=facts.sql,
        complete=True,
        parameters=None if facts.parameters is None else list(facts.parameters),
        attributes=list(facts.attributes),
        batch=facts.batch,
        kinds=list(facts.kinds),
        relations=list(facts.relations),
        rule=request.hold.rule,
        reasons=list(facts.reasons or request.hold.reasons),
        approvers=sorted(request.hold.approvers),
        quorum=request.hold.quorum,
        missing=request.missing,
        maximum_rows=request.hold.maximum_rows,
        transaction=facts.transaction,
        done=list(facts.done),
        estimated_rows=facts.estimated_rows,
        created=timestamp(request.created_ns),
        expires=timestamp(request.expires_ns),
        expires_in_s=round((request.expires_ns - now_ns) / 1e9, 1),
        awaited=awaited,
        votes=[_vote(vote) for vote in request.votes],
        decided=None if request.decided_ns is None else timestamp(request.decided_ns),
        reason=request.reason,
        digest=request.digest.hex(),
    )


def short(request: Request, now_ns: int, awaited: bool) -> RequestView:
    """The same, with long texts cut."""
    view = whole(request, now_ns, awaited)
    values = view.parameters
    if values is not None:
        values = [None if value is None else value[:LIST_SQL_CHARACTERS] for value in values[:LIST_VALUES]]
    attributes = [(name, value and value[:LIST_SQL_CHARACTERS]) for name, value in view.attributes[:LIST_VALUES]]
    lists = {name: getattr(view, name)[:LIST_VALUES] for name in ("relations", "done", "reasons", "kinds")}
    cut = msgspec.structs.replace(
        view, sql=view.sql[:LIST_SQL_CHARACTERS], parameters=values, attributes=attributes, **lists
    )
    return view if cut == view else msgspec.structs.replace(cut, complete=False)


def timestamp(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="milliseconds")


def _vote(vote: Vote) -> VoteView:
    return VoteView(vote.approver, vote.principal, vote.approve, vote.reason, timestamp(vote.at_ns))
