"""The sessions that are open, whatever their dialect."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import trio
from attrs import Factory, define, field

from rules.model import Identity
from wireproxy.session import Session


@define
class Live:
    """A session that is open, and by what its client may call it later, over another connection."""

    session: Session
    number: int  # the process or connection id that the client was told
    secret: bytes = field(default=b"", repr=False)  # cancels it, in Postgres
    started_s: float = Factory(time.time)


class LiveSessions:
    def __init__(self) -> None:
        self._by_id: dict[str, Live] = {}
        self._ended = trio.Event()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Live]:
        """Of a copy: what is done with a session may end it."""
        return iter(list(self._by_id.values()))

    def add(self, session_id: str, live: Live) -> None:
        self._by_id[session_id] = live

    def remove(self, session_id: str) -> None:
        del self._by_id[session_id]
        self._ended.set()
        self._ended = trio.Event()

    def of(self, identity: Identity) -> int:
        return sum(1 for live in self._by_id.values() if live.session.identity.name == identity.name)

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
