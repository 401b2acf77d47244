"""Where requests live: SQLite beside one gateway, PostgreSQL for several. What changes a request is in `transitions`.

Each method is one transaction. `step` functions are pure and run inside it; what they raise undoes it and is raised.
All methods may raise StoreError.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from wireproxy.config.model import Config
from wireproxy.store.model import Binding, Draft, Limits, Request, State, StoreError

Step = Callable[[Request], Request]


class Store(Protocol):
    async def submit(self, draft: Draft, limits: Limits) -> tuple[Request, bool]:
        """The open request with this digest and these terms (False), or a new one (True). Raises TooManyRequests."""
        ...

    async def change(self, request_id: str, step: Step) -> Request:
        """Raises UnknownRequest."""
        ...

    async def change_open(self, digest: bytes, step: Step) -> Request | None:
        """The one open request with this digest, changed; None when there is none."""
        ...

    async def get(self, request_id: str) -> Request | None: ...

    async def binding(self, request_id: str) -> Binding | None:
        """What an open request is bound to; None once it is closed."""
        ...

    async def select(self, states: Collection[State], limit: int) -> tuple[Request, ...]:
        """The newest `limit` of them, oldest first."""
        ...

    async def outline(self) -> dict[str, str]:
        """Of each open request, what changes whenever it changes: cheap, however long the statements are."""
        ...

    async def states(self, request_ids: Collection[str]) -> dict[str, State]: ...

    async def count(self) -> dict[State, int]: ...

    async def expire(self, now_ns: int, limits: Limits) -> tuple[str, ...]:
        """Closes what is due, forgets what is old. The ids that expired."""
        ...

    async def keep(self, kind: str, key: str, document: bytes) -> None:
        """Something that is no request and outlives the gateway. What was kept under the key is replaced."""
        ...

    async def kept(self, kind: str) -> dict[str, bytes]:
        """All of a kind, by key, in the order of their keys."""
        ...

    async def drop(self, kind: str, key: str) -> bool:
        """False: there was nothing."""
        ...

    async def check(self) -> None:
        """Raises StoreError if a request could not be written now."""
        ...

    async def follow(self, changed: Callable[[str], None]) -> None:
        """Reports ids that other gateways changed, as long as the store can say so; polling finds them anyway."""
        ...

    async def aclose(self) -> None: ...


SQLITE_NAME = "approvals.db"  # in the state directory


async def open_store(config: Config) -> Store:
    """The store that `[approvals] store` names. Raises StoreError."""
    address = config.approvals.store
    if not address:
        from wireproxy.store.sqlite import SqliteStore

        return await SqliteStore.open(config.state_dir / SQLITE_NAME)
    if address.startswith(("postgresql://", "postgres://")):
        from wireproxy.store.postgres import PostgresStore

        return await PostgresStore.open(address)
    raise StoreError('approvals.store is empty (SQLite in the state directory) or a "postgresql://…" address')
