"""Requests beyond the client that made them: hung up, told to come back, restarted, flooding, listened to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from attrs import evolve

from rules.model import Identity
from tests.wireproxy.desks import ALICE, BINDING, BOB, CAROL, HOLD, Clock, opened, submit
from wireproxy.approvals import (
    Desk,
    Limits,
    NotAllowed,
    RequestClosed,
    State,
    StoreError,
    TooManyRequests,
    UnknownRequest,
)
from wireproxy.store.sqlite import SqliteStore


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
