from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.limits import TRACKED, Usage
from rules.policy import Limit


def test_the_statement_above_the_limit_is_told_when_the_window_resets() -> None:
    usage, limit = Usage(), Limit(statements=2, window_s=60)
    assert usage.begin("agent", "reads", limit, 100) is None
    assert usage.begin("agent", "reads", limit, 110) is None
    exceeded = usage.begin("agent", "reads", limit, 120)
    assert exceeded is not None
    assert (exceeded.measure, exceeded.resets_in_s) == ("statements", 40)
    assert usage.begin("agent", "reads", limit, 160) is None


def test_identities_and_rules_have_their_own_windows() -> None:
    usage, limit = Usage(), Limit(statements=1)
    assert usage.begin("a", "r", limit, 0) is None
    assert usage.begin("b", "r", limit, 0) is None
    assert usage.begin("a", "q", limit, 0) is None
    assert usage.begin("a", "r", limit, 0) is not None


@pytest.mark.parametrize(
    ("limit", "measure"),
    [(Limit(rows=100), "rows"), (Limit(bytes=1000), "bytes"), (Limit(time_s=2.0), "seconds")],
)
def test_what_a_statement_came_to_stops_the_next(limit: Limit, measure: str) -> None:
    usage = Usage()
    assert usage.begin("a", "r", limit, 0) is None
    usage.end("a", "r", limit, 1, rows=100, size=1000, time_s=2.0)
    exceeded = usage.begin("a", "r", limit, 2)
    assert exceeded is not None
    assert exceeded.measure == measure


def test_a_clock_that_goes_backwards_locks_nobody_out() -> None:
    usage, limit = Usage(), Limit(statements=1, window_s=60)
    assert usage.begin("a", "r", limit, 1_000_000) is None
    assert usage.begin("a", "r", limit, 10) is None


def test_what_is_tracked_is_bounded() -> None:
    usage, limit = Usage(), Limit(statements=1)
    for number in range(TRACKED + 10):
        usage.begin(f"u{number}", "r", limit, 0)
    assert len(usage._windows) == TRACKED


@given(st.integers(1, 5), st.lists(st.integers(0, 30), max_size=60))
def test_no_window_lets_more_through_than_its_limit(allowed: int, gaps: list[int]) -> None:
    usage, limit = Usage(), Limit(statements=allowed, window_s=60)
    now, passed = 0, []
    for gap in gaps:
        now += gap
        exceeded = usage.begin("a", "r", limit, now)
        if exceeded is None:
            passed.append(now)
        else:
            assert 0 < exceeded.resets_in_s <= 60
    # any stretch of one window's length touches at most two windows
    assert all(sum(1 for at in passed if start <= at < start + 60) <= 2 * allowed for start in passed)


@given(st.integers(0, 59))
def test_a_statement_runs_as_soon_as_it_was_told(wait: int) -> None:
    usage, limit = Usage(), Limit(statements=1, window_s=60)
    assert usage.begin("a", "r", limit, 0) is None
    exceeded = usage.begin("a", "r", limit, wait)
    assert exceeded is not None
    assert usage.begin("a", "r", limit, wait + exceeded.resets_in_s) is None
