"""Requests in one SQLite file: WAL, synchronous=FULL, mode 0600. Several processes of one machine may share it.

One connection, used by one worker thread at a time. A call that has begun is not abandoned when its task is cancelled:
what it did is known when it returns.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import trio

from wireproxy.store import Step
from wireproxy.store.ids import candidate_ids
from wireproxy.store.model import (
    OPEN,
    Binding,
    Draft,
    Limits,
    Request,
    State,
    StoreError,
    UnknownRequest,
    identity_key,
)
from wireproxy.store.transitions import expired, same_terms, superseded

T = TypeVar("T")

BUSY_TIMEOUT_S = 5.0  # how long another process's transaction is waited for; they take milliseconds

# One entry for each version, applied in order; an entry that has landed is never changed.
MIGRATIONS = (
    """
    CREATE TABLE request (
        id TEXT PRIMARY KEY,
        digest BLOB NOT NULL,
        identity TEXT NOT NULL,
        state TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        expires_ns INTEGER NOT NULL,
        document BLOB NOT NULL,
        binding BLOB
    ) STRICT;
    CREATE UNIQUE INDEX request_open ON request (digest) WHERE state IN ('pending', 'approved');
    CREATE INDEX request_due ON request (expires_ns) WHERE state IN ('pending', 'approved');
    CREATE INDEX request_by_identity ON request (identity, created_ns);
    CREATE INDEX request_by_time ON request (created_ns);
    CREATE TABLE issued (id TEXT PRIMARY KEY) STRICT;
    """,
    """
    CREATE TABLE kept (kind TEXT NOT NULL, key TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (kind, key)) STRICT;
    """,
)


class SqliteStore:
    """Use `SqliteStore.open`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._turn = trio.CapacityLimiter(1)

    @classmethod
    async def open(cls, path: Path) -> SqliteStore:
        """Makes the file if there is none, and brings its schema up to date. Raises StoreError."""
        return cls(await trio.to_thread.run_sync(_open, path))

    async def submit(self, draft: Draft, limits: Limits) -> tuple[Request, bool]:
        return await self._run(lambda db: _submit(db, draft, limits))

    async def change(self, request_id: str, step: Step) -> Request:
        def work(db: sqlite3.Connection) -> Request:
            request = _one(db, "id = ?", request_id)
            if request is None:
                raise UnknownRequest(request_id)
            return _changed(db, request, step)

        return await self._run(work)

    async def change_open(self, digest: bytes, step: Step) -> Request | None:
        def work(db: sqlite3.Connection) -> Request | None:
            request = _one(db, "digest = ? AND state IN ('pending', 'approved')", digest)
            return None if request is None else _changed(db, request, step)

        return await self._run(work)

    async def get(self, request_id: str) -> Request | None:
        return await self._run(lambda db: _one(db, "id = ?", request_id), write=False)

    async def binding(self, request_id: str) -> Binding | None:
        def work(db: sqlite3.Connection) -> Binding | None:
            row = db.execute("SELECT binding FROM request WHERE id = ?", (request_id,)).fetchone()
            return None if row is None or row[0] is None else msgspec.json.decode(row[0], type=Binding)

        return await self._run(work, write=False)

    async def select(self, states: Collection[State], limit: int) -> tuple[Request, ...]:
        def work(db: sqlite3.Connection) -> tuple[Request, ...]:
            query = (
                f"SELECT document FROM request WHERE state IN ({_marks(states)}) ORDER BY created_ns DESC, id LIMIT ?"  # noqa: S608
            )
            rows = db.execute(query, (*(str(state) for state in states), limit)).fetchall()
            return tuple(_decoded(row[0]) for row in reversed(rows))

        return await self._run(work, write=False)

    async def outline(self) -> dict[str, str]:
        query = """SELECT id, state || ' ' || length(document) FROM request
                   WHERE state IN ('pending', 'approved') ORDER BY created_ns"""
        return await self._run(lambda db: {str(row[0]): str(row[1]) for row in db.execute(query)}, write=False)

    async def states(self, request_ids: Collection[str]) -> dict[str, State]:
        def work(db: sqlite3.Connection) -> dict[str, State]:
            query = f"SELECT id, state FROM request WHERE id IN ({_marks(request_ids)})"  # noqa: S608
            return {str(row[0]): State(row[1]) for row in db.execute(query, tuple(request_ids))}

        return await self._run(work, write=False)

    async def count(self) -> dict[State, int]:
        query = "SELECT state, count(*) FROM request GROUP BY state"
        return await self._run(lambda db: {State(row[0]): int(row[1]) for row in db.execute(query)}, write=False)

    async def expire(self, now_ns: int, limits: Limits) -> tuple[str, ...]:
        def work(db: sqlite3.Connection) -> tuple[str, ...]:
            ids = _expire(db, now_ns)
            oldest_ns = now_ns - int(limits.kept_s * 1e9)
            db.execute(
                "DELETE FROM request WHERE created_ns < ? AND state NOT IN ('pending', 'approved')", (oldest_ns,)
            )
            db.execute(
                """DELETE FROM request WHERE state NOT IN ('pending', 'approved') AND created_ns < coalesce((
                    SELECT created_ns FROM request WHERE state NOT IN ('pending', 'approved')
                    ORDER BY created_ns DESC LIMIT 1 OFFSET ?), 0)""",
                (limits.kept,),
            )
            return ids

        return await self._run(work)

    async def keep(self, kind: str, key: str, document: bytes) -> None:
        query = "INSERT OR REPLACE INTO kept (kind, key, document) VALUES (?, ?, ?)"
        await self._run(lambda db: db.execute(query, (kind, key, document)))

    async def kept(self, kind: str) -> dict[str, bytes]:
        query = "SELECT key, document FROM kept WHERE kind = ? ORDER BY key"
        return await self._run(
            lambda db: {str(row[0]): bytes(row[1]) for row in db.execute(query, (kind,))}, write=False
        )

    async def drop(self, kind: str, key: str) -> bool:
        query = "DELETE FROM kept WHERE kind = ? AND key = ?"
        return await self._run(lambda db: db.execute(query, (kind, key)).rowcount > 0)

    async def check(self) -> None:
        await self._run(lambda db: db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}"))

    async def follow(self, changed: Callable[[str], None]) -> None:
        """SQLite tells nobody; the desk's polling finds what other processes changed."""

    async def aclose(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._connection.close, limiter=self._turn)

    async def _run(self, work: Callable[[sqlite3.Connection], T], *, write: bool = True) -> T:
        def transaction() -> T:
            with _errors("the approval store"), _transaction(self._connection, write):
                return work(self._connection)

        return await trio.to_thread.run_sync(transaction, limiter=self._turn)


@contextmanager
def _errors(what: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, msgspec.MsgspecError, OSError) as error:
        raise StoreError(f"{what}: {error}{_advice(error)}") from error


def _advice(error: Exception) -> str:
    """For the operator, where SQLite's own words leave open what to do."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return (
                "; stop the gateway, move the file (and those beside it that end in -wal and -shm) away, and start it again:"
                " open requests, unused approvals, unmasked columns and inherited masks are lost with it, so write rules for what"
                " `wireproxy masks` last showed"
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "; another process has kept it locked for seconds"
        case sqlite3.SQLITE_FULL:
            return "; make room on its disk"
        case sqlite3.SQLITE_IOERR:
            return "; its disk fails, or the system limits how long a file may be (`ulimit -f`)"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN:
            return "; the gateway must be able to write the file and its folder"
    return ""


@contextmanager
def _transaction(db: sqlite3.Connection, write: bool) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _open(path: Path) -> sqlite3.Connection:
    with _errors(str(path)):
        _make_private(path)
        db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA trusted_schema = OFF")
            _migrate(db, path)
        except BaseException:
            db.close()
            raise
        return db


def _make_private(path: Path) -> None:
    """SQLite gives its -wal and -shm files the mode of the file itself, so this one is enough."""
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor, new = _descriptor(path)
    except OSError as error:
        raise StoreError(
            f"{path}: {error.strerror}; the gateway needs a folder of its own that it may write"
        ) from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"{path}: not a regular file")
        if found.st_uid not in {os.geteuid(), 0}:
            raise StoreError(f"{path}: belongs to user {found.st_uid}, who could approve requests by writing to it")
        if stat.S_IMODE(found.st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
        if not new and not _written(descriptor):
            raise StoreError(
                f"{path}: empty; what it held, inherited masks among it, is lost: bring back a copy, or remove it to begin anew"
            )
    finally:
        os.close(descriptor)


def _descriptor(path: Path) -> tuple[int, bool]:
    """And whether the file was made here."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600), True
    except FileExistsError:
        return os.open(path, flags), False


def _written(descriptor: int) -> bool:
    """Whether there is anything in the file, which another process may just be making."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while not os.fstat(descriptor).st_size:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    with _transaction(db, write=True):
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{path}: written by a newer wireproxy (schema {version}; this one knows {len(MIGRATIONS)})"
            )
        for script in MIGRATIONS[version:]:
            for statement in script.split(";"):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _submit(db: sqlite3.Connection, draft: Draft, limits: Limits) -> tuple[Request, bool]:
    _expire(db, draft.created_ns)
    found = _one(db, "digest = ? AND state IN ('pending', 'approved')", draft.digest)
    if found is not None:
        if same_terms(found.hold, draft.hold):
            return found, False
        _write(db, superseded(found, draft.created_ns))
    _check_limits(db, draft, limits)
    request = Request(
        id=_issue(db),
        state=State.PENDING,
        digest=draft.digest,
        dialect=draft.binding.dialect,
        database=draft.binding.database,
        facts=draft.facts,
        hold=draft.hold,
        created_ns=draft.created_ns,
        expires_ns=draft.expires_ns,
    )
    db.execute(
        """INSERT INTO request (id, digest, identity, state, created_ns, expires_ns, document, binding)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            request.id,
            request.digest,
            identity_key(request.facts.identity),
            str(request.state),
            request.created_ns,
            request.expires_ns,
            msgspec.json.encode(request),
            msgspec.json.encode(draft.binding),
        ),
    )
    return request, True


def _check_limits(db: sqlite3.Connection, draft: Draft, limits: Limits) -> None:
    who = identity_key(draft.facts.identity)
    (own,) = db.execute("SELECT count(*) FROM request WHERE identity = ? AND state = 'pending'", (who,)).fetchone()
    (everyone,) = db.execute("SELECT count(*) FROM request WHERE state = 'pending'").fetchone()
    since_ns = draft.created_ns - 60_000_000_000
    (recent,) = db.execute(
        "SELECT count(*) FROM request WHERE identity = ? AND created_ns > ?", (who, since_ns)
    ).fetchone()
    limits.check(own, recent, everyone)


def _issue(db: sqlite3.Connection) -> str:
    for candidate in candidate_ids():
        if db.execute("INSERT INTO issued (id) VALUES (?) ON CONFLICT DO NOTHING", (candidate,)).rowcount:
            return candidate
    raise AssertionError("candidates do not end")


def _expire(db: sqlite3.Connection, now_ns: int) -> tuple[str, ...]:
    rows = db.execute(
        "SELECT document FROM request WHERE state IN ('pending', 'approved') AND expires_ns <= ?", (now_ns,)
    ).fetchall()
    due = [_decoded(row[0]) for row in rows]
    for request in due:
        _write(db, expired(request))
    return tuple(request.id for request in due)


def _changed(db: sqlite3.Connection, request: Request, step: Step) -> Request:
    request = step(request)
    _write(db, request)
    return request


def _write(db: sqlite3.Connection, request: Request) -> None:
    """What a closed request was bound to is not needed any more, and may be large."""
    db.execute(
        "UPDATE request SET state = ?, document = ?, binding = CASE WHEN ? THEN binding END WHERE id = ?",
        (str(request.state), msgspec.json.encode(request), request.state in OPEN, request.id),
    )


def _one(db: sqlite3.Connection, where: str, value: str | bytes) -> Request | None:
    row = db.execute(f"SELECT document FROM request WHERE {where}", (value,)).fetchone()  # noqa: S608 — `where` is ours
    return None if row is None else _decoded(row[0])


def _decoded(document: bytes) -> Request:
    return msgspec.json.decode(document, type=Request)


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
