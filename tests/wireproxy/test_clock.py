"""The clock by which approvals and unmaskings end."""

from __future__ import annotations

import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.wireproxy.desks import ALICE, BINDING, opened, submit
from wireproxy.clock import SteadyClock

SECOND = 1_000_000_000


class Machine:
    """A clock that people set, and one that they cannot."""

    def __init__(self) -> None:
        self.wall_ns = 1_000_000 * SECOND
        self.uptime_ns = 5 * SECOND

    def run(self, seconds: int) -> None:
        self.wall_ns += seconds * SECOND
        self.uptime_ns += seconds * SECOND

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall_ns, lambda: self.uptime_ns)


def test_it_follows_the_machine() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.run(100)
    assert clock() == machine.wall_ns
    assert abs(SteadyClock()() - time.time_ns()) < 5 * SECOND


def test_a_clock_that_is_set_back_ends_nothing_later() -> None:
    machine = Machine()
    clock = machine.clock()
    ends = clock() + 60 * SECOND
    machine.run(30)
    assert clock() < ends
    machine.wall_ns -= 3600 * SECOND
    machine.run(31)
    assert clock() > ends


def test_a_clock_that_is_set_ahead_ends_things_at_once() -> None:
    machine = Machine()
    clock = machine.clock()
    ends = clock() + 60 * SECOND
    machine.wall_ns += 3600 * SECOND
    assert clock() > ends


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(-10_000, 10_000))))
def test_whatever_is_done_to_the_clock_at_least_the_time_that_went_by_has_passed(steps: list[tuple[int, int]]) -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock()
    for ran, was_set in steps:
        machine.run(ran)
        machine.wall_ns += was_set * SECOND
        now = clock()
        assert now - before >= ran * SECOND
        before = now


async def test_an_approval_ends_though_the_clock_is_set_back(tmp_path: Path) -> None:
    machine = Machine()
    async with opened(tmp_path, machine.clock()) as desk:  # type: ignore[arg-type]
        request = await submit(desk)
        await desk.approve(request.id, ALICE)
        machine.wall_ns -= 7200 * SECOND
        machine.run(1801)
        assert await desk.claim(BINDING) is None
        assert await desk.consume(request.id) is False
