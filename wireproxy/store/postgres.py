"""Requests in PostgreSQL, for several gateways that share one desk. asyncpg, run inside trio by trio-asyncio.

The event loop has a task of its own, beside the caller's: a call shields itself for at most CALL_TIMEOUT_S, so what it
did is known when it returns. What changes more than one row takes one advisory lock; the rest locks its one row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack
from typing import TypeVar

import asyncpg
import msgspec
import structlog
import trio
import trio_asyncio

from wireproxy.store import Step
from wireproxy.store.ids import candidate_ids
from wireproxy.store.model import OPEN, Binding, Draft, Limits, Request, State, StoreError, UnknownRequest, identity_key
from wireproxy.store.transitions import expired, same_terms, superseded

T = TypeVar("T")

CALL_TIMEOUT_S = 10.0  # of one transaction; they take milliseconds
CONNECTIONS = 4
RECONNECT_S = 2.0
CHANNEL = "wireproxy_requests"
# A connection that the server ended, as a call on it finds out: by what the server said last, or by asyncpg's protocol out of step
ENDED = (
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    OSError,
)
_LOCK = 0x77697265  # "wire"; of submissions, sweeps and migrations

# One entry for each version, applied in order; an entry that has landed is never changed.
MIGRATIONS = (
    """
    CREATE TABLE wireproxy.request (
        id text PRIMARY KEY,
        digest bytea NOT NULL,
        identity text NOT NULL,
        state text NOT NULL,
        created_ns bigint NOT NULL,
        expires_ns bigint NOT NULL,
        document bytea NOT NULL,
        binding bytea
    );
    CREATE UNIQUE INDEX request_open ON wireproxy.request (digest) WHERE state IN ('pending', 'approved');
    CREATE INDEX request_due ON wireproxy.request (expires_ns) WHERE state IN ('pending', 'approved');
    CREATE INDEX request_by_identity ON wireproxy.request (identity, created_ns);
    CREATE INDEX request_by_time ON wireproxy.request (created_ns);
    CREATE TABLE wireproxy.issued (id text PRIMARY KEY);
    """,
    """
    CREATE TABLE wireproxy.kept (kind text, key text, document bytea NOT NULL, PRIMARY KEY (kind, key));
    """,
)

_log = structlog.get_logger("wireproxy.store")


class PostgresStore:
    """Use `PostgresStore.open`."""

    def __init__(self, address: str, loop: trio_asyncio.TrioEventLoop, stop: trio.Event, stopped: trio.Event) -> None:
        self._address = address
        self._loop = loop
        self._stop = stop
        self._stopped = stopped
        self._pool: asyncpg.Pool | None = None

    @classmethod
    async def open(cls, address: str) -> PostgresStore:
        """`address` is a connection string; a password may come from PGPASSWORD or a passfile. Raises StoreError."""
        stop, stopped = trio.Event(), trio.Event()
        ready: list[trio_asyncio.TrioEventLoop] = []
        started = trio.Event()

        async def hold_loop() -> None:
            try:
                async with trio_asyncio.open_loop() as loop:
                    loop.set_exception_handler(_nobody_waits_for)
                    ready.append(loop)
                    started.set()
                    await stop.wait()
            finally:
                started.set()
                stopped.set()

        trio.lowlevel.spawn_system_task(hold_loop)
        await started.wait()
        store = cls(address, ready[0], stop, stopped)
        try:
            await store._call(store._prepare)
        except BaseException:
            await store.aclose()
            raise
        return store

    async def _prepare(self) -> None:
        self._pool = await asyncpg.create_pool(
            self._address,
            min_size=1,
            max_size=CONNECTIONS,
            command_timeout=CALL_TIMEOUT_S / 2,
            server_settings={"application_name": "wireproxy approvals", "search_path": "pg_catalog"},
        )
        async with self._pool.acquire() as db, db.transaction():
            await _lock(db)
            await _migrate(db)

    async def submit(self, draft: Draft, limits: Limits) -> tuple[Request, bool]:
        return await self._run(lambda db: _submit(db, draft, limits))

    async def change(self, request_id: str, step: Step) -> Request:
        async def work(db: asyncpg.Connection) -> Request:
            request = await _one(db, "SELECT document FROM wireproxy.request WHERE id = $1 FOR UPDATE", request_id)
            if request is None:
                raise UnknownRequest(request_id)
            return await _changed(db, request, step)

        return await self._run(work)

    async def change_open(self, digest: bytes, step: Step) -> Request | None:
        async def work(db: asyncpg.Connection) -> Request | None:
            request = await _open_one(db, digest)
            return None if request is None else await _changed(db, request, step)

        return await self._run(work)

    async def get(self, request_id: str) -> Request | None:
        return await self._run(lambda db: _one(db, "SELECT document FROM wireproxy.request WHERE id = $1", request_id))

    async def binding(self, request_id: str) -> Binding | None:
        async def work(db: asyncpg.Connection) -> Binding | None:
            found = await db.fetchval("SELECT binding FROM wireproxy.request WHERE id = $1", request_id)
            return None if found is None else msgspec.json.decode(found, type=Binding)

        return await self._run(work)

    async def select(self, states: Collection[State], limit: int) -> tuple[Request, ...]:
        async def work(db: asyncpg.Connection) -> tuple[Request, ...]:
            rows = await db.fetch(
                "SELECT document FROM wireproxy.request WHERE state = ANY($1) ORDER BY created_ns DESC, id LIMIT $2",
                [str(state) for state in states],
                limit,
            )
            return tuple(_decoded(row[0]) for row in reversed(rows))

        return await self._run(work)

    async def outline(self) -> dict[str, str]:
        async def work(db: asyncpg.Connection) -> dict[str, str]:
            rows = await db.fetch(
                """SELECT id, state || ' ' || length(document) FROM wireproxy.request
                   WHERE state IN ('pending', 'approved') ORDER BY created_ns"""
            )
            return {str(row[0]): str(row[1]) for row in rows}

        return await self._run(work)

    async def states(self, request_ids: Collection[str]) -> dict[str, State]:
        async def work(db: asyncpg.Connection) -> dict[str, State]:
            rows = await db.fetch("SELECT id, state FROM wireproxy.request WHERE id = ANY($1)", list(request_ids))
            return {str(row[0]): State(row[1]) for row in rows}

        return await self._run(work)

    async def count(self) -> dict[State, int]:
        async def work(db: asyncpg.Connection) -> dict[State, int]:
            rows = await db.fetch("SELECT state, count(*) FROM wireproxy.request GROUP BY state")
            return {State(row[0]): int(row[1]) for row in rows}

        return await self._run(work)

    async def expire(self, now_ns: int, limits: Limits) -> tuple[str, ...]:
        async def work(db: asyncpg.Connection) -> tuple[str, ...]:
            await _lock(db)
            ids = await _expire(db, now_ns)
            await db.execute(
                """DELETE FROM wireproxy.request WHERE state NOT IN ('pending', 'approved') AND created_ns < greatest($1, (
                    SELECT created_ns FROM wireproxy.request WHERE state NOT IN ('pending', 'approved')
                    ORDER BY created_ns DESC LIMIT 1 OFFSET $2))""",
                now_ns - int(limits.kept_s * 1e9),
                limits.kept,
            )
            return ids

        return await self._run(work)

    async def keep(self, kind: str, key: str, document: bytes) -> None:
        async def work(db: asyncpg.Connection) -> None:
            await db.execute(
                """INSERT INTO wireproxy.kept (kind, key, document) VALUES ($1, $2, $3)
                   ON CONFLICT (kind, key) DO UPDATE SET document = excluded.document""",
                kind,
                key,
                document,
            )

        await self._run(work)

    async def kept(self, kind: str) -> dict[str, bytes]:
        async def work(db: asyncpg.Connection) -> dict[str, bytes]:
            rows = await db.fetch("SELECT key, document FROM wireproxy.kept WHERE kind = $1 ORDER BY key", kind)
            return {str(row[0]): bytes(row[1]) for row in rows}

        return await self._run(work)

    async def drop(self, kind: str, key: str) -> bool:
        async def work(db: asyncpg.Connection) -> bool:
            query = "DELETE FROM wireproxy.kept WHERE kind = $1 AND key = $2 RETURNING true"
            return bool(await db.fetchval(query, kind, key))

        return await self._run(work)

    async def check(self) -> None:
        async def work(db: asyncpg.Connection) -> None:
            if await db.fetchval("SHOW transaction_read_only") != "off" or await db.fetchval(
                "SELECT pg_is_in_recovery()"
            ):
                raise StoreError("the approval store is read-only")

        await self._run(work)

    async def follow(self, changed: Callable[[str], None]) -> None:
        while True:
            try:
                await self._loop.run_aio_coroutine(self._listen(changed))
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                _log.warning("listening_lost", error=type(error).__name__)  # polling goes on meanwhile
            await trio.sleep(RECONNECT_S)

    async def _listen(self, changed: Callable[[str], None]) -> None:
        """Until the connection is lost."""
        lost = asyncio.Event()
        db = await asyncpg.connect(self._address, timeout=CALL_TIMEOUT_S)
        try:
            db.add_termination_listener(lambda _: lost.set())
            await db.add_listener(CHANNEL, lambda *heard: changed(str(heard[3])))
            await lost.wait()
        finally:
            db.terminate()

    async def aclose(self) -> None:
        with trio.move_on_after(CALL_TIMEOUT_S, shield=True):
            if self._pool is not None:
                pool, self._pool = self._pool, None
                with trio.move_on_after(CALL_TIMEOUT_S / 2):
                    await self._loop.run_aio_coroutine(pool.close())
                pool.terminate()
            self._stop.set()
            await self._stopped.wait()

    async def _run(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        async def transaction() -> T:
            if self._pool is None:
                raise StoreError("the approval store is closed")
            for _ in range(CONNECTIONS + 1):
                async with self._pool.acquire() as db, AsyncExitStack() as stack:
                    try:
                        await stack.enter_async_context(db.transaction())
                    except ENDED:
                        db.terminate()  # the server ended it while nobody used it, and nothing was done over it: take another
                        continue
                    return await work(db)
            raise StoreError("the approval store ends every connection")

        return await self._call(transaction)

    async def _call(self, work: Callable[[], Awaitable[T]]) -> T:
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            with trio.CancelScope(shield=True), trio.fail_after(CALL_TIMEOUT_S):
                result: T = await self._loop.run_aio_coroutine(work())
                return result
            raise TimeoutError
        except (*ENDED, asyncpg.PostgresError, msgspec.MsgspecError, ValueError) as error:
            raise StoreError(f"the approval store: {type(error).__name__}: {error}") from error
        except (TimeoutError, trio.TooSlowError) as error:
            raise StoreError("the approval store does not answer") from error


def _nobody_waits_for(_: object, context: Mapping[str, object]) -> None:
    """An error of a connection that was given up, as it falls away. Raised here, it would end the loop and all of the gateway.

    What a call waits for reaches the call itself. The message is asyncio's own; the error's text could quote data.
    """
    _log.warning("connection_error", message=context.get("message"), error=type(context.get("exception")).__name__)


async def _lock(db: asyncpg.Connection) -> None:
    await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


async def _migrate(db: asyncpg.Connection) -> None:
    await db.execute("CREATE SCHEMA IF NOT EXISTS wireproxy")
    await db.execute("CREATE TABLE IF NOT EXISTS wireproxy.schema_version (version integer NOT NULL)")
    version = await db.fetchval("SELECT max(version) FROM wireproxy.schema_version") or 0
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the approval store was written by a newer wireproxy (schema {version}; this one knows {len(MIGRATIONS)})"
        )
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        await db.execute(script)
        await db.execute("INSERT INTO wireproxy.schema_version (version) VALUES ($1)", number)


async def _submit(db: asyncpg.Connection, draft: Draft, limits: Limits) -> tuple[Request, bool]:
    await _lock(db)
    await _expire(db, draft.created_ns)
    found = await _open_one(db, draft.digest)
    if found is not None:
        if same_terms(found.hold, draft.hold):
            return found, False
        await _write(db, superseded(found, draft.created_ns))
    await _check_limits(db, draft, limits)
    request = Request(
        id=await _issue(db),
        state=State.PENDING,
        digest=draft.digest,
        dialect=draft.binding.dialect,
        database=draft.binding.database,
        facts=draft.facts,
        hold=draft.hold,
        created_ns=draft.created_ns,
        expires_ns=draft.expires_ns,
    )
    await db.execute(
        """INSERT INTO wireproxy.request (id, digest, identity, state, created_ns, expires_ns, document, binding)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        request.id,
        request.digest,
        identity_key(request.facts.identity),
        str(request.state),
        request.created_ns,
        request.expires_ns,
        msgspec.json.encode(request),
        msgspec.json.encode(draft.binding),
    )
    return request, True


async def _check_limits(db: asyncpg.Connection, draft: Draft, limits: Limits) -> None:
    own, everyone, recent = await db.fetchrow(
        """SELECT count(*) FILTER (WHERE state = 'pending' AND identity = $1), count(*) FILTER (WHERE state = 'pending'),
                  count(*) FILTER (WHERE identity = $1 AND created_ns > $2)
           FROM wireproxy.request WHERE state = 'pending' OR (identity = $1 AND created_ns > $2)""",
        identity_key(draft.facts.identity),
        draft.created_ns - 60_000_000_000,
    )
    limits.check(own, recent, everyone)


async def _issue(db: asyncpg.Connection) -> str:
    for candidate in candidate_ids():
        issued = "INSERT INTO wireproxy.issued (id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING id"
        if await db.fetchval(issued, candidate) is not None:
            return candidate
    raise AssertionError("candidates do not end")


async def _expire(db: asyncpg.Connection, now_ns: int) -> tuple[str, ...]:
    rows = await db.fetch(
        """SELECT document FROM wireproxy.request
           WHERE state IN ('pending', 'approved') AND expires_ns <= $1 ORDER BY id FOR UPDATE""",
        now_ns,
    )
    due = [_decoded(row[0]) for row in rows]
    for request in due:
        await _write(db, expired(request))
    return tuple(request.id for request in due)


async def _changed(db: asyncpg.Connection, request: Request, step: Step) -> Request:
    request = step(request)
    await _write(db, request)
    return request


async def _write(db: asyncpg.Connection, request: Request) -> None:
    await db.execute(
        "UPDATE wireproxy.request SET state = $2, document = $3, binding = CASE WHEN $4 THEN binding END WHERE id = $1",
        request.id,
        str(request.state),
        msgspec.json.encode(request),
        request.state in OPEN,
    )
    await db.execute("SELECT pg_notify($1, $2)", CHANNEL, request.id)


async def _open_one(db: asyncpg.Connection, digest: bytes) -> Request | None:
    query = "SELECT document FROM wireproxy.request WHERE digest = $1 AND state IN ('pending', 'approved') FOR UPDATE"
    return await _one(db, query, digest)


async def _one(db: asyncpg.Connection, query: str, value: str | bytes) -> Request | None:
    document = await db.fetchval(query, value)
    return None if document is None else _decoded(document)


def _decoded(document: bytes) -> Request:
    return msgspec.json.decode(document, type=Request)
