"""Whose long text is judged next: who uses much comes after everybody else, and never has all workers."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from wireproxy.judgement import line
from wireproxy.judgement.line import Line

WAIT_S = 10.0


Clock = trio.testing.MockClock  # time passes when everybody waits


async def judged(places: Line, who: str, seconds: float, *, died: bool = False) -> float:
    """Has a text judged that takes `seconds`; how long it waited in line."""
    started = trio.current_time()
    await places.enter(who, WAIT_S)
    waited = trio.current_time() - started
    try:
        await trio.sleep(seconds)
    finally:
        places.leave(who, seconds, died=died)
    return waited


async def flood(places: Line, who: str, seconds: float = 1.0) -> None:
    """Nothing but texts that take their whole time."""
    while True:
        try:
            await judged(places, who, seconds, died=True)
        except trio.TooSlowError:
            await trio.lowlevel.checkpoint()


async def test_an_identity_has_one_text_with_a_worker_whatever_the_number_of_its_sessions(
    autojump_clock: Clock,
) -> None:
    places = Line(4)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(flood, places, "a")
        await trio.sleep(0.5)
        assert await judged(places, "b", 0.1) == 0.0
        nursery.cancel_scope.cancel()


async def test_of_many_who_come_at_once_the_shortest_text_comes_first(autojump_clock: Clock) -> None:
    """To keep a worker busy for its whole time takes a long text; nothing is known yet of who sent which."""
    places = Line(2)
    waited: list[float] = []

    async def send(who: str, length: int, seconds: float) -> None:
        started = trio.current_time()
        await places.enter(who, WAIT_S, length)
        if who == "victim":
            waited.append(trio.current_time() - started)
        await trio.sleep(seconds)
        places.leave(who, seconds, died=seconds >= 1.0)

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(send, f"hostile {number}", 1_000_000, 1.0)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(send, "victim", 20_000, 0.01)
    assert waited == [1.0]


async def test_many_heavy_ones_leave_a_worker_to_everybody_else(autojump_clock: Clock) -> None:
    places = Line(2)
    async with trio.open_nursery() as nursery:
        for number in range(10):
            for _ in range(5):
                nursery.start_soon(flood, places, f"hostile {number}")
        await trio.sleep(20)  # each was new once
        for _ in range(50):
            assert await judged(places, "victim", 0.01) == 0.0
            await trio.sleep(0.33)
        nursery.cancel_scope.cancel()


async def test_two_new_ones_hold_up_others_for_one_text(autojump_clock: Clock) -> None:
    places = Line(2)
    async with trio.open_nursery() as nursery:
        for number in range(2):
            for _ in range(50):
                nursery.start_soon(flood, places, f"hostile {number}")
        await trio.sleep(0.001)
        assert await judged(places, "victim", 0.01) <= 1.0
        assert await judged(places, "victim", 0.01) == 0.0
        nursery.cancel_scope.cancel()


async def test_with_one_worker_others_wait_for_one_text_at_most(autojump_clock: Clock) -> None:
    places = Line(1)
    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(flood, places, f"hostile {number}")
        await trio.sleep(6.5)
        for _ in range(20):
            assert await judged(places, "victim", 0.01) <= 1.0
        nursery.cancel_scope.cancel()


async def test_who_ends_workers_quickly_is_as_heavy_as_who_takes_their_time(autojump_clock: Clock) -> None:
    places = Line(2)
    await judged(places, "a", 0.01, died=True)
    assert places.heavy("a")
    await judged(places, "b", 0.01)
    assert not places.heavy("b")
    await trio.sleep(10 * line.HALF_LIFE_S)
    assert not places.heavy("a"), "it is forgiven in time"


async def test_the_heavy_take_turns_and_the_least_heavy_comes_first(autojump_clock: Clock) -> None:
    places = Line(1)
    order: list[str] = []

    async def one(who: str) -> None:
        await places.enter(who, WAIT_S)
        order.append(who)
        places.leave(who, 0.0)

    for who, used in (("much", 9.0), ("some", 4.0), ("little", 0.1)):
        await judged(places, who, used)
    await places.enter("now", WAIT_S)
    async with trio.open_nursery() as nursery:
        for who in ("much", "some", "little", "new"):
            nursery.start_soon(one, who)
            await trio.testing.wait_all_tasks_blocked()
        places.leave("now", 0.0)
    assert order == ["new", "little", "some", "much"]


async def test_who_waits_too_long_or_leaves_takes_no_place(autojump_clock: Clock) -> None:
    places = Line(1)
    await places.enter("a", WAIT_S)
    with pytest.raises(trio.TooSlowError):
        await places.enter("b", 1.0)
    with trio.move_on_after(1.0) as scope:
        await places.enter("c", WAIT_S)
    assert scope.cancelled_caught
    assert not places._waiting
    places.leave("a", 1.0)
    assert await judged(places, "d", 0.1) == 0.0


async def test_more_workers_after_a_reload_are_given_to_those_in_line(autojump_clock: Clock) -> None:
    places = Line(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(judged, places, "a", 5.0)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(judged, places, "b", 1.0)
        await trio.testing.wait_all_tasks_blocked()
        assert places._running == {"a"}
        places.places = 2
        assert places._running == {"a", "b"}


async def test_only_so_many_identities_are_remembered_and_the_heaviest_longest(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "KEPT", 8)
    places = Line(2)
    await judged(places, "heavy", 5.0)
    for number in range(50):
        await judged(places, f"light {number}", 0.001)
    assert len(places._standings) <= 9
    assert places.heavy("heavy")
