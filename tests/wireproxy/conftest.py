"""A desk over SQLite, and the clock that it reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.wireproxy.desks import Clock, opened
from wireproxy.approvals import Desk


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def desk(tmp_path: Path, clock: Clock) -> AsyncIterator[Desk]:
    async with opened(tmp_path, clock) as desk:
        yield desk
