"""`wireproxy serve`: what the process is told before it serves."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import pytest

from wireproxy.cli.serve import YOUNG_OBJECTS, settle


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_a_full_collection_does_not_walk_what_was_loaded() -> None:
    loaded = len(gc.get_objects())
    settle()
    assert gc.get_freeze_count() > loaded // 2
    assert len(gc.get_objects()) < loaded // 10
    assert gc.get_threshold()[0] == YOUNG_OBJECTS


def test_cycles_are_still_freed() -> None:
    settle()
    found = gc.collect()
    for _ in range(3 * YOUNG_OBJECTS):
        cycle: list[object] = []
        cycle.append(cycle)
    assert len(gc.get_objects()) < 2 * YOUNG_OBJECTS + found
    start = time.process_time()  # and not what others do to the machine meanwhile
    gc.collect()
    assert time.process_time() - start < 0.5
