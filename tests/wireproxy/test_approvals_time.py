"""Requests and approvals in time: what expires, who waits, and how a verdict wakes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from attrs import evolve

from tests.wireproxy.desks import ALICE, BINDING, HOLD, Clock, opened, submit
from wireproxy.approvals import Desk, State


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
