"""Approval desks over a real SQLite store, with a clock that the tests turn, and requests to put on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import evolve

from rules.model import Dialect, Hold, Identity
from wireproxy.approvals import Binding, Desk, Limits, Request, RequestFacts
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


async def submit(desk: Desk, binding: Binding = BINDING, hold: Hold = HOLD, **changes: Any) -> Request:
    return await desk.submit(binding, facts(**changes), hold)
