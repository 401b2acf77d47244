"""A request as JSON, for the control socket, `--json` and the webhook. The names of its fields stay."""

from __future__ import annotations

from datetime import UTC, datetime

from wireproxy.store.model import Request, Vote

LIST_SQL_CHARACTERS = 2000  # in lists; `show` has all of it
LIST_VALUES = 20


def whole(request: Request, now_ns: int, awaited: bool) -> dict[str, object]:
    """Everything a person needs to decide. `awaited`: a client of this gateway waits for the verdict right now."""
    facts = request.facts
    return {
        "id": request.id,
        "state": str(request.state),
        "database": request.database,
        "dialect": str(request.dialect),
        "identity": {
            "name": facts.identity.name,
            "groups": sorted(facts.identity.groups),
            "source": facts.identity.source,
            "issuer": facts.identity.issuer,
            "subject": facts.identity.subject,
        },
        "session": facts.session_id,
        "client": facts.client,
        "application": facts.application,
        "sql": facts.sql,
        "sql_complete": True,
        "parameters": None if facts.parameters is None else list(facts.parameters),
        "batch": facts.batch,
        "kinds": list(facts.kinds),
        "relations": list(facts.relations),
        "rule": request.hold.rule,
        "reasons": list(facts.reasons or request.hold.reasons),
        "approvers": sorted(request.hold.approvers),
        "quorum": request.hold.quorum,
        "missing": request.missing,
        "maximum_rows": request.hold.maximum_rows,
        "transaction": facts.transaction,
        "done": list(facts.done),
        "estimated_rows": facts.estimated_rows,
        "created": timestamp(request.created_ns),
        "expires": timestamp(request.expires_ns),
        "expires_in_s": round((request.expires_ns - now_ns) / 1e9, 1),
        "awaited": awaited,
        "votes": [_vote(vote) for vote in request.votes],
        "decided": None if request.decided_ns is None else timestamp(request.decided_ns),
        "reason": request.reason,
        "digest": request.digest.hex(),
    }


def short(request: Request, now_ns: int, awaited: bool) -> dict[str, object]:
    """The same, with long texts cut: `sql_complete` says whether this one was."""
    view = whole(request, now_ns, awaited)
    facts = request.facts
    view["sql"] = facts.sql[:LIST_SQL_CHARACTERS]
    view["sql_complete"] = len(facts.sql) <= LIST_SQL_CHARACTERS
    if facts.parameters is not None:
        view["parameters"] = [
            None if value is None else value[:LIST_SQL_CHARACTERS] for value in facts.parameters[:LIST_VALUES]
        ]
    for name in ("relations", "done", "reasons", "kinds"):
        texts = view[name]
        assert isinstance(texts, list)
        view[name] = texts[:LIST_VALUES]
    return view


def timestamp(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="milliseconds")


def _vote(vote: Vote) -> dict[str, object]:
    return {
        "approver": vote.approver,
        "principal": vote.principal,
        "approve": vote.approve,
        "reason": vote.reason,
        "at": timestamp(vote.at_ns),
    }
