"""The sessions that are open, whatever their dialect."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import trio
from attrs import Factory, define, field

from rules.model import Identity
from wireproxy.config.model import Config
from wireproxy.session import Session
from wireproxy.welcome import Arrival


@define
class Live:
    """A session that is open, and by what its client may call it later, over another connection."""

    session: Session
    number: int  # the process or connection id that the client was told
    secret: bytes = field(default=b"", repr=False)  # cancels it, in Postgres
    started_s: float = Factory(time.time)


class Greeting:
    """Connections whose clients have not proved who they are.

    Anybody can open as many as there is room for and say nothing. An honest login takes a moment: so it is the oldest one that
    makes room for the next, and a flood keeps nobody out who answers.
    """

    def __init__(self) -> None:
        self._scopes: dict[trio.CancelScope, None] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._scopes)

    @contextmanager
    def one(self) -> Iterator[trio.CancelScope]:
        with trio.CancelScope() as scope:
            self._scopes[scope] = None
            try:
                yield scope
            finally:
                self._scopes.pop(scope, None)

    def drop_oldest(self) -> None:
        for scope in self._scopes:
            scope.cancel()
            del self._scopes[scope]
            return


class LiveSessions:
    """Those that are open, and those that are about to be: a limit that did not count these would be no limit."""

    def __init__(self) -> None:
        self._by_id: dict[str, Live] = {}
        self._opening: dict[int, tuple[Arrival, Config]] = {}
        self._ended = trio.Event()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Live]:
        """Of a copy: what is done with a session may end it."""
        return iter(list(self._by_id.values()))

    @property
    def opening(self) -> int:
        return len(self._opening)

    @contextmanager
    def expecting(self, arrival: Arrival, config: Config) -> Iterator[None]:
        """While a session is being opened for a client that has proved who it is, by what `config` says of it."""
        self._opening[id(arrival)] = (arrival, config)
        try:
            yield
        finally:
            self._opening.pop(id(arrival), None)

    def add(self, session_id: str, live: Live) -> Config | None:
        """The configuration under which its client was let in: there may be a new one."""
        _, config = self._opening.pop(id(live.session.arrival), (None, None))
        self._by_id[session_id] = live
        return config

    def remove(self, session_id: str) -> None:
        del self._by_id[session_id]
        self._ended.set()
        self._ended = trio.Event()

    def of(self, identity: Identity) -> int:
        there = sum(1 for live in self._by_id.values() if live.session.identity.name == identity.name)
        return there + sum(1 for arrival, _ in self._opening.values() if arrival.identity.name == identity.name)

    @property
    def held(self) -> int:
        return sum(1 for live in self._by_id.values() if live.session.held is not None)

    async def one_ends(self) -> None:
        await self._ended.wait()

    def describe(self) -> Sequence[Mapping[str, object]]:
        """For the control socket."""
        return [
            {
                "session": name,
                "identity": live.session.identity.name,
                "database": live.session.database.name,
                "dialect": live.session.database.dialect.value,
                "client": live.session.arrival.client,
                "started": live.started_s,
                "held": live.session.held,
            }
            for name, live in self._by_id.items()
        ]
