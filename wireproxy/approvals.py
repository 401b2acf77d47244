"""The approval desk: held statements wait here until people decide.

Theory of operation. A session that holds a statement first asks `claim`: is there an approval for exactly this, not yet
used? Else it `submit`s a request and `wait`s. A verdict is told, not handed over: before the statement is sent, the
session must `consume` the request, and only one caller ever gets True. When the wait is over without a verdict, the
session says so to its client and does nothing: the ticket stays open, and the same statement run later finds the
approval by `claim`. When the client went away instead, the session calls `withdraw`.

All decisions are transactions of the store, so two gateways, two approvers or a claim and a denial cannot both win.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterator

import structlog
import trio
from attrs import frozen

from rules.model import Hold
from wireproxy.config.model import Approvals, Approver
from wireproxy.store import Store
from wireproxy.store.model import (
    OPEN,
    Binding,
    Draft,
    Limits,
    NotAllowed,
    Request,
    RequestClosed,
    RequestFacts,
    State,
    StoreError,
    TooManyRequests,
    UnknownRequest,
    Vote,
    displayable,
    meaning_of,
)
from wireproxy.store.transitions import expired, is_due, promised, same_terms, used, voted, withdrawn

__all__ = [
    "OPEN",
    "Binding",
    "Claim",
    "Desk",
    "Hold",
    "Limits",
    "NotAllowed",
    "Request",
    "RequestClosed",
    "RequestFacts",
    "State",
    "StoreError",
    "TooManyRequests",
    "UnknownRequest",
    "Verdict",
    "Vote",
    "meaning_of",
]

POLL_S = 0.5  # how late a verdict given at another gateway may be noticed
SWEEP_S = 5.0
WITHDRAW_TIMEOUT_S = 5.0  # a session that ends does not wait longer for the store
REASON_CHARACTERS = 2000

_log = structlog.get_logger("wireproxy.approvals")


@frozen
class Claim:
    """An approval that has just been used up by this caller. Nobody else can use it."""

    request_id: str
    votes: tuple[Vote, ...]
    reason: str
    maximum_rows: int | None

    @property
    def approvers(self) -> tuple[str, ...]:
        return tuple(vote.approver for vote in self.votes if vote.approve)


@frozen
class Verdict:
    """How a request stands after the wait. `approved` is not yet a licence: `consume` is."""

    request_id: str
    state: State  # never PENDING
    votes: tuple[Vote, ...]
    reason: str
    maximum_rows: int | None

    @property
    def approved(self) -> bool:
        return self.state is State.APPROVED

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who decided it so, in order."""
        return tuple(vote.approver for vote in self.votes if vote.approve is (self.state is not State.DENIED))


class Desk:
    def __init__(
        self,
        store: Store,
        clock_ns: Callable[[], int],
        defaults: Approvals | None = None,
        limits: Limits | None = None,
        on_new: Callable[[Request], None] | None = None,
        on_vote: Callable[[Request], None] | None = None,
    ) -> None:
        """`clock_ns` gives Unix time in ns. `on_new` hears of each new request, `on_vote` of each vote; they must not block."""
        self.defaults = Approvals() if defaults is None else defaults
        self.limits = Limits() if limits is None else limits
        self._store = store
        self._clock_ns = clock_ns
        self._on_new = on_new
        self._on_vote = on_vote
        self._waiting: dict[str, set[trio.Event]] = {}
        self._polled_at = -math.inf
        self._changed = trio.Event()

    # What a session does

    async def claim(self, binding: Binding, hold: Hold | None = None) -> Claim | None:
        """Uses up the approval of exactly this binding, if there is one. With `hold`, only one given under these terms."""

        def step(request: Request) -> Request:
            if hold is not None and not same_terms(request.hold, hold):
                raise RequestClosed(f"{request.id} was approved under other terms")
            return used(request, self._clock_ns(), binding.digest())

        try:
            request = await self._store.change_open(binding.digest(), step)
        except RequestClosed:
            return None
        if request is None:
            return None
        self._wake(request.id)
        return Claim(request.id, request.votes, request.reason, request.hold.maximum_rows)

    async def submit(self, binding: Binding, facts: RequestFacts, hold: Hold) -> Request:
        """The request for this binding: the open one if there is one, else a new one.

        Raises TooManyRequests, StoreError: the statement is refused then.
        """
        now_ns = self._clock_ns()
        expires_s = self.defaults.expires_s if hold.expires_s is None else hold.expires_s
        draft = Draft(binding.digest(), binding, facts, hold, now_ns, now_ns + int(expires_s * 1e9))
        request, is_new = await self._store.submit(draft, self.limits)
        if is_new:
            self._wake()
            if self._on_new is not None:
                self._on_new(request)
        return request

    def wait_s(self, hold: Hold) -> float:
        return self.defaults.wait_s if hold.wait_s is None else hold.wait_s

    async def wait(self, request_id: str, timeout_s: float) -> Verdict | None:
        """The verdict, as soon as there is one; None when there is none in time: the request stays open then.

        Raises UnknownRequest, StoreError.
        """
        deadline = trio.current_time() + timeout_s
        with self._listening(request_id) as woken:
            while True:
                request = await self.get(request_id)
                if request.state is not State.PENDING:
                    return Verdict(request.id, request.state, request.votes, request.reason, request.hold.maximum_rows)
                left_s = deadline - trio.current_time()
                if left_s <= 0 and request.promised:
                    return None
                if left_s <= 0:
                    await self._store.change(request_id, promised)
                    continue  # and if the verdict came just now, it is told
                expires_s = (request.expires_ns - self._clock_ns()) / 1e9
                await self._pause(woken(), min(left_s, max(expires_s, 0.001)))

    async def consume(self, request_id: str, binding: Binding | None = None) -> bool:
        """True for one caller, once: what was approved may be sent now. Raises StoreError."""
        digest = None if binding is None else binding.digest()
        try:
            await self._store.change(request_id, lambda request: used(request, self._clock_ns(), digest))
        except (RequestClosed, UnknownRequest):
            return False
        self._wake(request_id)
        return True

    async def promise(self, request_id: str) -> bool:
        """The client will be told that the request stays open, as after a wait. False: it is decided. Raises as `wait`."""
        with trio.move_on_after(WITHDRAW_TIMEOUT_S, shield=True):
            return (await self._store.change(request_id, promised)).state in OPEN
        return False

    async def withdraw(self, request_id: str, reason: str) -> bool:
        """The client went away. False: the request was closed already, or stays open for others.

        Others are sessions that wait for it too, and clients whose wait was over and who were told to come back.
        Runs to its end even if the caller is being cancelled. Raises StoreError.
        """
        if self._waiting.get(request_id):
            return False
        with trio.move_on_after(WITHDRAW_TIMEOUT_S, shield=True):
            try:
                await self._store.change(
                    request_id, lambda request: withdrawn(request, self._clock_ns(), _bounded(reason))
                )
            except (RequestClosed, UnknownRequest):
                return False
            self._wake(request_id)
            return True
        return False

    # What people do

    async def get(self, request_id: str) -> Request:
        """Raises UnknownRequest, StoreError."""
        request = await self._store.get(request_id)
        if request is None:
            raise UnknownRequest(f"there is no request {request_id}")
        return expired(request) if is_due(request, self._clock_ns()) else request

    async def binding(self, request_id: str) -> Binding | None:
        return await self._store.binding(request_id)

    async def select(self, states: Collection[State] = (State.PENDING,), limit: int = 200) -> tuple[Request, ...]:
        """The newest `limit` of them, oldest first."""
        await self.sweep()
        return await self._store.select(states, limit)

    def is_awaited(self, request_id: str) -> bool:
        """Does a client of this gateway wait for the verdict right now?"""
        return bool(self._waiting.get(request_id))

    async def outline(self) -> dict[str, str]:
        """Of each open request, what changes whenever it changes."""
        await self.sweep()
        return await self._store.outline()

    async def count(self) -> dict[State, int]:
        return await self._store.count()

    async def approve(
        self, request_id: str, approver: Approver, reason: str = "", principal: str | None = None
    ) -> Request:
        """One approval. The request is approved once the quorum is reached.

        `principal` is who was verified, as "unix:dba"; the approver's name when nothing else is known.
        Raises UnknownRequest, RequestClosed, NotAllowed, StoreError.
        """
        return await self._vote(request_id, approver, reason, principal, approve=True)

    async def deny(
        self, request_id: str, approver: Approver, reason: str = "", principal: str | None = None
    ) -> Request:
        """One denial is enough, and takes back an approval that was not used yet. Raises as `approve`."""
        return await self._vote(request_id, approver, reason, principal, approve=False)

    async def _vote(
        self, request_id: str, approver: Approver, reason: str, principal: str | None, *, approve: bool
    ) -> Request:
        def step(request: Request) -> Request:
            who = f"approver:{approver.name}" if principal is None else principal
            vote = Vote(approver.name, who, approve, _bounded(reason), self._clock_ns(), approver.groups)
            return voted(request, vote, approver)

        try:
            request = await self._store.change(request_id, step)
        except UnknownRequest:
            raise UnknownRequest(f"there is no request {request_id}") from None
        self._wake(request_id)
        vote = request.votes[-1]
        _log.info(
            "vote",
            request=request.id,
            state=str(request.state),
            approver=vote.approver,
            by=vote.principal,
            approve=approve,
        )
        if self._on_vote is not None:
            self._on_vote(request)
        return request

    # What goes on meanwhile

    async def run(self) -> None:
        """Sweeps, and hears from other gateways. Everything is right without it, a little later."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._store.follow, self._wake)
            while True:
                with contextlib.suppress(StoreError):  # readiness reports it; each use of the store fails on its own
                    await self.sweep()
                await trio.sleep(SWEEP_S)

    async def sweep(self) -> None:
        for request_id in await self._store.expire(self._clock_ns(), self.limits):
            self._wake(request_id)

    async def check(self) -> None:
        """Raises StoreError if a request could not be written now."""
        await self._store.check()

    async def changed(self, timeout_s: float) -> None:
        """Returns when a request may have changed, or after the time."""
        event = self._changed
        with trio.move_on_after(timeout_s):
            await event.wait()

    async def aclose(self) -> None:
        await self._store.aclose()

    def _wake(self, request_id: str | None = None) -> None:
        for event in () if request_id is None else self._waiting.get(request_id, ()):
            event.set()
        self._changed.set()
        self._changed = trio.Event()

    @contextlib.contextmanager
    def _listening(self, request_id: str) -> Iterator[Callable[[], trio.Event]]:
        """Registers before the first look at the store, so that no verdict falls between look and wait."""
        waiters = self._waiting.setdefault(request_id, set())
        current = trio.Event()
        waiters.add(current)

        def woken() -> trio.Event:
            nonlocal current
            if current.is_set():
                waiters.discard(current)
                current = trio.Event()
                waiters.add(current)
            return current

        try:
            yield woken
        finally:
            waiters.discard(current)
            if not waiters and self._waiting.get(request_id) is waiters:
                del self._waiting[request_id]

    async def _pause(self, event: trio.Event, most_s: float) -> None:
        """Until woken, or `most_s`, or another gateway changed something; whoever is first polls for everybody."""
        end = trio.current_time() + most_s
        while not event.is_set() and trio.current_time() < end:
            with trio.move_on_at(min(end, trio.current_time() + POLL_S)):
                await event.wait()
            if not event.is_set() and trio.current_time() - self._polled_at >= POLL_S:
                self._polled_at = trio.current_time()
                await self._poll()

    async def _poll(self) -> None:
        ids = tuple(self._waiting)
        try:
            states = await self._store.states(ids)
        except StoreError:
            return  # the next look of each waiter at its own request tells
        for request_id in ids:
            if states.get(request_id) is not State.PENDING:
                self._wake(request_id)


def _bounded(reason: str) -> str:
    return displayable(reason)[:REASON_CHARACTERS]
