"""The desk over a real SQLite store, with a clock that the tests turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from attrs import evolve

from rules.model import Dialect, Hold, Identity, Namespace
from wireproxy.approvals import (
    Binding,
    Desk,
    Limits,
    NotAllowed,
    Request,
    RequestClosed,
    RequestFacts,
    State,
    StoreError,
    TooManyRequests,
    UnknownRequest,
    meaning_of,
)
from wireproxy.config.model import Approver
from wireproxy.store.sqlite import SqliteStore

AGENT = Identity("claude", frozenset({"agents"}))
ALICE = Approver("alice", frozenset({"alice"}), frozenset({"dba"}))
BOB = Approver("bob", frozenset({"bob"}), frozenset({"dba"}))
CAROL = Approver("carol", frozenset({"carol"}), frozenset({"security"}))
HOLD = Hold("writes", ("it writes",), approvers=frozenset({"dba"}))
BINDING = Binding(Dialect.POSTGRES, "claude", None, "shop", b"DELETE FROM orders WHERE id = 7")


class Clock:
    def __init__(self) -> None:
        self.now_ns = 1_700_000_000_000_000_000

    def __call__(self) -> int:
        return self.now_ns

    def advance(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)


def facts(**changes: Any) -> RequestFacts:
    return evolve(
        RequestFacts(identity=AGENT, session_id="s1", client="10.0.0.5:41000", application="psql", sql="DELETE …"),
        **changes,
    )


@asynccontextmanager
async def opened(folder: Path, clock: Clock, limits: Limits | None = None) -> AsyncIterator[Desk]:
    desk = Desk(await SqliteStore.open(folder / "requests.db"), clock, limits=limits)
    try:
        yield desk
    finally:
        await desk.aclose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def desk(tmp_path: Path, clock: Clock) -> AsyncIterator[Desk]:
    async with opened(tmp_path, clock) as desk:
        yield desk


async def submit(desk: Desk, binding: Binding = BINDING, hold: Hold = HOLD, **changes: Any) -> Request:
    return await desk.submit(binding, facts(**changes), hold)


# What an approval is good for


async def test_an_approval_lets_exactly_one_execution_through(desk: Desk) -> None:
    request = await submit(desk)
    assert await desk.claim(BINDING) is None
    await desk.approve(request.id, ALICE, "fine")
    claim = await desk.claim(BINDING)
    assert claim is not None
    assert (claim.request_id, claim.approvers, claim.reason) == (request.id, ("alice",), "fine")
    assert await desk.claim(BINDING) is None
    assert await desk.consume(request.id) is False
    assert (await desk.get(request.id)).state is State.USED


OTHERS = [
    evolve(BINDING, statement=b"DELETE FROM orders WHERE id = 8"),
    evolve(BINDING, statement=b"DELETE FROM orders WHERE id = 7 "),
    evolve(BINDING, identity="other"),
    evolve(BINDING, issuer="corp"),
    evolve(BINDING, subject="0042"),
    evolve(BINDING, database="shop2"),
    evolve(BINDING, dialect=Dialect.MYSQL),
    evolve(BINDING, parameters=()),
    evolve(BINDING, parameters=(b"",)),
    evolve(BINDING, parameters=(None,)),
    evolve(BINDING, parameters=(b"7",), formats=(1,)),
    evolve(BINDING, parameters=(b"7",), type_oids=(23,)),
    evolve(BINDING, parameters=(b"7",), formats=(23,)),
    evolve(BINDING, meaning=meaning_of(Namespace())),
    evolve(BINDING, meaning=meaning_of(Namespace(search_path=("evil", "public")))),
    evolve(BINDING, meaning=meaning_of(Namespace(temporary=frozenset({"orders"})))),
    evolve(BINDING, meaning=meaning_of(Namespace(user="root"))),
    evolve(BINDING, meaning=meaning_of(Namespace(), {"DateStyle": "ISO, MDY"})),
    evolve(BINDING, meaning=meaning_of(Namespace(), {"DateStyle": "ISO, DMY"})),
    evolve(BINDING, meaning=meaning_of(Namespace(), {"statement d": "DELETE FROM a WHERE id = $1"})),
    evolve(BINDING, meaning=meaning_of(Namespace(), {"statement d": "DELETE FROM b WHERE id = $1"})),
]


@pytest.mark.parametrize("other", OTHERS, ids=lambda binding: repr(binding)[:60])
async def test_an_approval_is_good_for_nothing_else(desk: Desk, other: Binding) -> None:
    request = await submit(desk)
    await desk.approve(request.id, ALICE)
    assert await desk.claim(other) is None
    assert await desk.consume(request.id, other) is False
    assert await desk.consume(request.id, BINDING) is True


def test_no_two_bindings_share_a_digest() -> None:
    assert len({binding.digest() for binding in (BINDING, *OTHERS)}) == len(OTHERS) + 1


def test_bytes_cannot_move_between_neighbouring_fields() -> None:
    one = evolve(BINDING, parameters=(b"ab", b"c"))
    assert one.digest() != evolve(BINDING, parameters=(b"a", b"bc")).digest()
    assert one.digest() != evolve(BINDING, parameters=(b"ab\x00\x00c",)).digest()
    assert (
        evolve(BINDING, identity="a", database="bc").digest() != evolve(BINDING, identity="ab", database="c").digest()
    )
    assert evolve(BINDING, meaning=("a", "b")).digest() != evolve(BINDING, meaning=("ab",)).digest()
    assert meaning_of(Namespace(search_path=("a", "b"))) != meaning_of(Namespace(search_path=("a,1:b",)))
    assert meaning_of(Namespace(user=None)) != meaning_of(Namespace(user=""))


async def test_consume_has_one_winner_among_many_callers_and_gateways(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
        request = await submit(one)
        await two.approve(request.id, ALICE)
        won: list[bool] = []

        async def take(desk: Desk, claim: bool) -> None:
            won.append(await desk.claim(BINDING) is not None if claim else await desk.consume(request.id))

        async with trio.open_nursery() as nursery:
            for index in range(12):
                nursery.start_soon(take, (one, two)[index % 2], index % 3 == 0)
        assert won.count(True) == 1


async def test_a_pending_request_cannot_be_consumed(desk: Desk) -> None:
    request = await submit(desk)
    assert await desk.consume(request.id) is False
    assert await desk.consume("wp-none") is False


async def test_the_same_statement_twice_is_one_request(desk: Desk) -> None:
    first = await submit(desk)
    again = await submit(desk, session_id="s2")
    assert again == first
    assert len(await desk.select()) == 1


async def test_after_use_the_same_statement_asks_anew(desk: Desk) -> None:
    first = await submit(desk)
    await desk.approve(first.id, ALICE)
    assert await desk.consume(first.id)
    second = await submit(desk)
    assert second.id != first.id
    assert second.state is State.PENDING


async def test_an_approval_between_claim_and_submit_is_found(desk: Desk) -> None:
    request = await submit(desk)
    await desk.approve(request.id, ALICE)
    found = await submit(desk)
    verdict = await desk.wait(found.id, 0)
    assert verdict is not None
    assert verdict.approved
    assert await desk.consume(found.id)


@pytest.mark.parametrize(
    "stricter",
    [
        evolve(HOLD, quorum=2),
        evolve(HOLD, approvers=frozenset({"security"})),
        evolve(HOLD, maximum_rows=1),
        evolve(HOLD, rule="other"),
    ],
)
async def test_an_approval_under_an_older_policy_is_void(desk: Desk, stricter: Hold) -> None:
    old = await submit(desk)
    await desk.approve(old.id, ALICE)
    assert await desk.claim(BINDING, stricter) is None
    new = await submit(desk, hold=stricter)
    assert new.id != old.id
    assert (await desk.get(old.id)).state is State.WITHDRAWN
    assert await desk.claim(BINDING, HOLD) is None


# Who may decide


async def test_an_approver_outside_the_group_may_neither_approve_nor_deny(desk: Desk) -> None:
    request = await submit(desk)
    with pytest.raises(NotAllowed, match="approvers of dba"):
        await desk.approve(request.id, CAROL)
    with pytest.raises(NotAllowed, match="approvers of dba"):
        await desk.deny(request.id, CAROL)


async def test_without_a_group_any_approver_may_decide(desk: Desk) -> None:
    request = await submit(desk, hold=evolve(HOLD, approvers=frozenset()))
    assert (await desk.approve(request.id, CAROL)).state is State.APPROVED


@pytest.mark.parametrize(
    ("identity", "approver", "principal"),
    [
        (Identity("alice"), ALICE, "unix:alice"),
        (Identity("Alice"), ALICE, "unix:x"),
        (Identity("u7"), evolve(ALICE, unix_users=frozenset({"u7"})), "unix:other"),
        (Identity("u7"), evolve(ALICE, unix_users=frozenset()), "unix:u7"),
        (Identity("someone", subject="alice"), ALICE, "unix:x"),
    ],
)
async def test_the_requester_may_not_approve(
    desk: Desk, identity: Identity, approver: Approver, principal: str
) -> None:
    request = await submit(desk, identity=identity)
    with pytest.raises(NotAllowed, match="ask another approver"):
        await desk.approve(request.id, approver, principal=principal)
    assert (await desk.deny(request.id, approver, principal=principal)).state is State.DENIED


async def test_a_quorum_needs_distinct_people(desk: Desk) -> None:
    request = await submit(desk, hold=evolve(HOLD, quorum=2))
    assert (await desk.approve(request.id, ALICE, principal="unix:dba")).state is State.PENDING
    assert await desk.consume(request.id) is False
    with pytest.raises(NotAllowed, match="already"):
        await desk.approve(request.id, ALICE, principal="unix:elsewhere")
    with pytest.raises(NotAllowed, match="unix:dba"):
        await desk.approve(request.id, BOB, principal="unix:dba")
    done = await desk.approve(request.id, BOB, principal="unix:bob")
    assert (done.state, done.missing) == (State.APPROVED, 0)


async def test_one_denial_ends_a_quorum(desk: Desk) -> None:
    request = await submit(desk, hold=evolve(HOLD, quorum=2))
    await desk.approve(request.id, ALICE)
    await desk.deny(request.id, BOB, "no WHERE")
    with pytest.raises(RequestClosed, match="denied by bob: no WHERE"):
        await desk.approve(request.id, CAROL)
    verdict = await desk.wait(request.id, 0)
    assert verdict is not None
    assert (verdict.approved, verdict.approvers, verdict.reason) == (False, ("bob",), "no WHERE")


async def test_an_unused_approval_can_be_taken_back(desk: Desk) -> None:
    request = await submit(desk)
    await desk.approve(request.id, ALICE)
    await desk.deny(request.id, BOB, "wrong table")
    assert await desk.claim(BINDING) is None
    assert await desk.consume(request.id) is False


async def test_decided_requests_say_how_they_stand(desk: Desk, clock: Clock) -> None:
    request = await submit(desk)
    await desk.approve(request.id, ALICE)
    with pytest.raises(RequestClosed, match="approved already by alice"):
        await desk.approve(request.id, BOB)
    await desk.consume(request.id)
    with pytest.raises(RequestClosed, match="has run"):
        await desk.deny(request.id, BOB)
    with pytest.raises(UnknownRequest, match="wp-zzzz"):
        await desk.approve("wp-zzzz", BOB)
    late = await submit(desk)
    clock.advance(1800)
    with pytest.raises(RequestClosed, match="expired"):
        await desk.approve(late.id, BOB)


async def test_two_approvers_at_once_at_two_gateways_make_one_approval(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
        request = await submit(one)
        failures: list[str] = []

        async def approve(desk: Desk, approver: Approver) -> None:
            try:
                await desk.approve(request.id, approver)
            except RequestClosed as error:
                failures.append(str(error))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(approve, one, ALICE)
            nursery.start_soon(approve, two, BOB)
        assert len(failures) == 1
        assert len((await one.get(request.id)).votes) == 1


# Time


async def test_an_expired_approval_is_void_before_any_sweep(desk: Desk, clock: Clock) -> None:
    request = await submit(desk)
    await desk.approve(request.id, ALICE)
    clock.advance(1800)
    assert await desk.claim(BINDING) is None
    assert await desk.consume(request.id) is False
    assert (await desk.get(request.id)).state is State.EXPIRED


async def test_a_rule_sets_its_own_expiry(desk: Desk, clock: Clock) -> None:
    request = await submit(desk, hold=evolve(HOLD, expires_s=10))
    assert request.expires_ns - request.created_ns == 10_000_000_000


async def test_an_expired_request_makes_room_for_a_new_one(desk: Desk, clock: Clock) -> None:
    first = await submit(desk)
    clock.advance(1801)
    assert (await submit(desk)).id != first.id


async def test_wait_ends_when_the_request_expires(
    desk: Desk, clock: Clock, autojump_clock: trio.testing.MockClock
) -> None:
    request = await submit(desk, hold=evolve(HOLD, expires_s=5))
    async with trio.open_nursery() as nursery:

        async def tick() -> None:
            for _ in range(10):
                await trio.sleep(1)
                clock.advance(1)

        nursery.start_soon(tick)
        verdict = await desk.wait(request.id, 60)
        nursery.cancel_scope.cancel()
    assert verdict is not None
    assert verdict.state is State.EXPIRED


async def test_a_verdict_wakes_its_waiters_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wireproxy.approvals.POLL_S", 1000)
    request = await submit(desk)
    woken: list[str] = []

    async def wait() -> None:
        verdict = await desk.wait(request.id, 2000)
        assert verdict is not None
        woken.append(verdict.state)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(20):
            await desk.approve(request.id, ALICE)
    assert woken == ["approved", "approved"]


async def test_a_verdict_of_another_gateway_is_noticed(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wireproxy.approvals.POLL_S", 0.01)
    async with opened(tmp_path, clock) as here, opened(tmp_path, clock) as there:
        request = await submit(here)
        async with trio.open_nursery() as nursery:

            async def decide() -> None:
                await trio.testing.wait_all_tasks_blocked()
                await there.approve(request.id, ALICE)

            nursery.start_soon(decide)
            verdict = await here.wait(request.id, 20)
        assert verdict is not None
        assert verdict.approved


async def test_many_waiters_poll_the_store_once(
    desk: Desk, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    states = desk._store.states

    async def counted(ids: Any) -> Any:
        nonlocal asked
        asked += 1
        return await states(ids)

    monkeypatch.setattr(desk._store, "states", counted)
    requests = [await submit(desk, evolve(BINDING, statement=b"%d" % index)) for index in range(8)]
    async with trio.open_nursery() as nursery:
        for request in requests:
            nursery.start_soon(desk.wait, request.id, 4.9)
    assert asked <= 10


# The client


async def test_when_the_wait_is_over_the_ticket_stays_open(desk: Desk, autojump_clock: trio.testing.MockClock) -> None:
    request = await submit(desk)
    assert await desk.wait(request.id, 20) is None
    await desk.approve(request.id, ALICE)
    assert await desk.claim(BINDING) is not None


async def test_a_client_that_hangs_up_takes_its_request_along(desk: Desk) -> None:
    request = await submit(desk)
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await desk.wait(request.id, 20)
        finally:
            assert await desk.withdraw(request.id, "client hung up")
    with pytest.raises(RequestClosed, match="withdrawn: client hung up"):
        await desk.approve(request.id, ALICE)
    assert await desk.claim(BINDING) is None


async def test_a_wait_that_is_cancelled_leaves_nothing_behind(desk: Desk) -> None:
    request = await submit(desk)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.wait, request.id, 1000)
        while not desk.is_awaited(request.id):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert not desk.is_awaited(request.id)
    assert desk._waiting == {}


async def test_an_approved_request_whose_client_hung_up_never_runs(desk: Desk) -> None:
    request = await submit(desk)
    await desk.approve(request.id, ALICE)
    assert await desk.withdraw(request.id, "cancelled")
    assert await desk.consume(request.id) is False
    assert await desk.claim(BINDING) is None


async def test_what_has_run_cannot_be_withdrawn(desk: Desk) -> None:
    request = await submit(desk)
    await desk.approve(request.id, ALICE)
    assert await desk.consume(request.id)
    assert await desk.withdraw(request.id, "late") is False
    assert (await desk.get(request.id)).state is State.USED


async def test_one_of_two_sessions_that_wait_may_hang_up(desk: Desk) -> None:
    request = await submit(desk)
    async with trio.open_nursery() as nursery:

        async def other() -> None:
            verdict = await desk.wait(request.id, 20)
            assert verdict is not None
            assert verdict.approved

        nursery.start_soon(other)
        await trio.testing.wait_all_tasks_blocked()
        assert await desk.withdraw(request.id, "client hung up") is False
        await desk.approve(request.id, ALICE)


async def test_a_client_that_was_told_to_come_back_finds_its_ticket(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """The agent's second try may be cut off by its own tool timeout: the ticket it was promised must outlive that."""
    request = await submit(desk)
    assert await desk.wait(request.id, 20) is None
    assert await desk.withdraw((await submit(desk)).id, "client hung up") is False
    await desk.approve(request.id, ALICE)
    assert await desk.claim(BINDING) is not None


async def test_a_request_survives_a_restart_of_the_gateway(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock) as desk:
        request = await submit(desk, parameters=("7", None), relations=("public.orders (write)",))
    async with opened(tmp_path, clock) as desk:
        assert await desk.get(request.id) == request
        assert await desk.binding(request.id) == BINDING
        await desk.approve(request.id, ALICE)
    async with opened(tmp_path, clock) as desk:
        assert await desk.claim(BINDING) is not None
        assert await desk.binding(request.id) is None


# Limits


async def test_an_agent_cannot_flood_the_desk(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock, Limits(pending_per_identity=2, pending=3, submitted_per_minute=100)) as desk:
        for index in range(2):
            await submit(desk, evolve(BINDING, statement=b"%d" % index))
        with pytest.raises(TooManyRequests, match="2 of your requests"):
            await submit(desk, evolve(BINDING, statement=b"x"))
        assert (await submit(desk, evolve(BINDING, statement=b"1"))).state is State.PENDING
        await submit(desk, evolve(BINDING, identity="b"), identity=Identity("b"))
        with pytest.raises(TooManyRequests, match="at this gateway"):
            await submit(desk, evolve(BINDING, identity="c"), identity=Identity("c"))


async def test_asking_and_hanging_up_is_no_way_round_the_limit(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock, Limits(submitted_per_minute=3)) as desk:
        for _ in range(3):
            await desk.withdraw((await submit(desk)).id, "client hung up")
        with pytest.raises(TooManyRequests, match="in a minute"):
            await submit(desk)
        clock.advance(61)
        await submit(desk)


async def test_old_requests_are_forgotten_and_ids_are_never_given_twice(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock, Limits(kept=3, submitted_per_minute=100)) as desk:
        ids = []
        for _ in range(8):
            request = await submit(desk)
            ids.append(request.id)
            await desk.deny(request.id, ALICE)
            clock.advance(1)
        await desk.sweep()
        kept = await desk.select(tuple(State))
        assert [request.id for request in kept] == ids[-len(kept) :]
        assert 3 <= len(kept) <= 4
        clock.advance(8 * 86_400)
        assert await desk.select(tuple(State)) == ()
        with pytest.raises(UnknownRequest):
            await desk.get(ids[0])


async def test_text_that_is_not_utf8_can_be_submitted(desk: Desk) -> None:
    request = await submit(desk, sql="a\udcffb\x00", application="\ud800", parameters=("\udc80",))
    assert (await desk.get(request.id)).facts.sql == "a\\udcffb\x00"


async def test_listeners_hear_of_each_change(desk: Desk) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.changed, 1000)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(20):
            await submit(desk)


async def test_each_new_request_is_announced_once(tmp_path: Path, clock: Clock) -> None:
    heard: list[str] = []
    desk = Desk(await SqliteStore.open(tmp_path / "r.db"), clock, on_new=lambda request: heard.append(request.id))
    request = await submit(desk)
    await submit(desk)
    assert heard == [request.id]
    await desk.aclose()


async def test_the_background_sweep_closes_what_is_due(
    desk: Desk, clock: Clock, autojump_clock: trio.testing.MockClock
) -> None:
    request = await submit(desk)
    clock.advance(1800)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.run)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert await desk._store.states((request.id,)) == {request.id: State.EXPIRED}


async def test_each_vote_is_announced_with_what_came_of_it(tmp_path: Path, clock: Clock) -> None:
    heard: list[tuple[str, str]] = []
    desk = Desk(
        await SqliteStore.open(tmp_path / "r.db"),
        clock,
        on_vote=lambda request: heard.append((request.votes[-1].approver, request.state)),
    )
    request = await submit(desk, hold=evolve(HOLD, quorum=2))
    await desk.approve(request.id, ALICE)
    with pytest.raises(NotAllowed):
        await desk.approve(request.id, CAROL)
    await desk.approve(request.id, BOB)
    await desk.aclose()
    assert heard == [("alice", "pending"), ("bob", "approved")]


async def test_a_store_that_fails_while_polled_ends_no_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polling serves everybody who waits: what goes wrong in it is not one statement's fault."""
    monkeypatch.setattr("wireproxy.approvals.POLL_S", 0.001)
    request = await submit(desk)
    failed = trio.Event()

    async def broken(ids: object) -> Any:
        failed.set()
        raise StoreError("away for a moment")

    monkeypatch.setattr(desk._store, "states", broken)

    async def decide() -> None:
        await failed.wait()
        await desk.approve(request.id, ALICE)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(decide)
        with trio.fail_after(20):
            verdict = await desk.wait(request.id, 1000)
    assert verdict is not None
    assert verdict.approved
