"""How a request may change: pure functions, run inside the store's transaction, so that no two changes interleave.

    pending ──approve × quorum──> approved ──claim / consume──> used
       │ └──deny──> denied <──deny──┘ │
       ├────────────expire────────────┤──> expired
       └───────────withdraw───────────┘──> withdrawn

`used`, `denied`, `expired` and `withdrawn` are final. Expiry is judged by the clock at every step, not by the sweep: an
approval that is too old is void even if nothing has swept it yet.
"""

from __future__ import annotations

from attrs import evolve

from rules.model import Hold
from wireproxy.config.model import Approver
from wireproxy.store.model import OPEN, NotAllowed, Request, RequestClosed, State, Vote


def is_due(request: Request, now_ns: int) -> bool:
    return request.state in OPEN and request.expires_ns <= now_ns


def expired(request: Request) -> Request:
    return evolve(request, state=State.EXPIRED, decided_ns=request.expires_ns, reason="nobody used it in time")


def same_terms(one: Hold, other: Hold) -> bool:
    """Would an approval under one be an approval under the other? A policy may have changed since it was given."""
    return (one.rule, one.approvers, one.quorum, one.maximum_rows) == (
        other.rule,
        other.approvers,
        other.quorum,
        other.maximum_rows,
    )


def superseded(request: Request, now_ns: int) -> Request:
    return evolve(
        request, state=State.WITHDRAWN, decided_ns=now_ns, reason="the policy changed; a new request was made"
    )


def used(request: Request, now_ns: int, digest: bytes | None = None) -> Request:
    """Raises RequestClosed unless the request is approved, in time, and (if `digest` is given) for this binding."""
    if request.state is not State.APPROVED or is_due(request, now_ns):
        raise RequestClosed(_standing(request, now_ns))
    if request.missing or (digest is not None and digest != request.digest):
        raise RequestClosed(f"{request.id} is an approval of something else")
    return evolve(request, state=State.USED, decided_ns=now_ns)


def promised(request: Request) -> Request:
    """The wait of a client is over, and it was told that the request stays open."""
    return evolve(request, promised=True) if request.state is State.PENDING else request


def withdrawn(request: Request, now_ns: int, reason: str) -> Request:
    """Raises RequestClosed; also if another client was promised that the request stays open: its re-run may come yet."""
    if request.state not in OPEN or request.promised or is_due(request, now_ns):
        raise RequestClosed(_standing(request, now_ns))
    return evolve(request, state=State.WITHDRAWN, decided_ns=now_ns, reason=reason)


def voted(request: Request, vote: Vote, approver: Approver) -> Request:
    """Raises RequestClosed or NotAllowed."""
    if is_due(request, vote.at_ns) or request.state not in (OPEN if not vote.approve else {State.PENDING}):
        raise RequestClosed(_standing(request, vote.at_ns))
    _check_group(request, approver)
    if not vote.approve:
        return evolve(
            request, state=State.DENIED, decided_ns=vote.at_ns, reason=vote.reason, votes=(*request.votes, vote)
        )
    _check_not_requester(request, approver, vote.principal)
    _check_first_vote(request, vote)
    request = evolve(request, votes=(*request.votes, vote))
    if request.missing:
        return request
    return evolve(request, state=State.APPROVED, decided_ns=vote.at_ns, reason=vote.reason)


def check_may_decide(request: Request, approver: Approver, principal: str) -> None:
    """Raises NotAllowed if this person's approval would not count."""
    _check_group(request, approver)
    _check_not_requester(request, approver, principal)


def _check_group(request: Request, approver: Approver) -> None:
    wanted = request.hold.approvers
    if wanted and not wanted & approver.groups:
        raise NotAllowed(
            f"{request.id} is for approvers of {_listed(wanted)}; {approver.name} is in {_listed(approver.groups) or 'no group'}"
        )


def _check_not_requester(request: Request, approver: Approver, principal: str) -> None:
    """The requester is known by several names: as identity, as approver, and as the account behind either.

    Letters are compared without case: two people whose names differ in case alone lose less than a request that is
    approved by whoever made it.
    """
    requester = {name.casefold() for name in (request.facts.identity.name, request.facts.identity.subject) if name}
    account = principal.partition(":")[2]
    oidc = (user.partition(":")[2] for user in approver.oidc_users)
    names = {name.casefold() for name in (approver.name, account, *approver.unix_users, *oidc)}
    if requester & names:
        raise NotAllowed(
            f"{request.id} was made by {request.facts.identity.name}, who may not approve it as well: ask another approver"
        )


def _check_first_vote(request: Request, vote: Vote) -> None:
    for earlier in request.votes:
        if earlier.approver == vote.approver or earlier.principal == vote.principal:
            who = earlier.approver if earlier.approver == vote.approver else f"{vote.principal} (as {earlier.approver})"
            raise NotAllowed(
                f"{who} has approved {request.id} already; it needs {request.missing} more, from someone else"
            )


def _standing(request: Request, now_ns: int) -> str:
    if is_due(request, now_ns):
        request = expired(request)
    match request.state:
        case State.PENDING:
            return f"{request.id} is still pending"
        case State.APPROVED:
            return f"{request.id} is approved already by {_listed(_voters(request, True))}, and waits to be run"
        case State.DENIED:
            return (
                f"{request.id} was denied by {_listed(_voters(request, False))}: {request.reason or 'no reason given'}"
            )
        case State.USED:
            return f"{request.id} was approved by {_listed(_voters(request, True))} and has run"
        case State.EXPIRED:
            return f"{request.id} has expired; when the statement is run again, it asks anew"
        case State.WITHDRAWN:
            return f"{request.id} was withdrawn: {request.reason}; when the statement is run again, it asks anew"


def _voters(request: Request, approve: bool) -> set[str]:
    return {vote.approver for vote in request.votes if vote.approve is approve}


def _listed(names: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(names))
