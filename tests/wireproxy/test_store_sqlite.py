"""The file behind the desk: who may open it, what happens to it, and that nothing is approved when it fails."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
import trio

from rules.model import Dialect, Hold, Identity
from tests.wireproxy.desks import ALICE, BINDING, HOLD, Clock, facts, opened, submit
from wireproxy.approvals import Desk, State, StoreError
from wireproxy.store.ids import SHORTEST, candidate_ids
from wireproxy.store.sqlite import MIGRATIONS, SqliteStore


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_file_and_its_companions_are_for_the_gateway_alone(tmp_path: Path, clock: Clock) -> None:
    old = os.umask(0)
    try:
        async with opened(tmp_path / "state", clock) as desk:
            await submit(desk)
            found = {path.name: mode(path) for path in (tmp_path / "state").iterdir()}
    finally:
        os.umask(old)
    assert found["requests.db"] == 0o600
    assert set(found.values()) == {0o600}
    assert mode(tmp_path / "state") == 0o750


async def test_a_file_that_was_open_to_others_is_closed(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock):
        pass
    (tmp_path / "requests.db").chmod(0o666)
    async with opened(tmp_path, clock):
        assert mode(tmp_path / "requests.db") == 0o600


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / "requests.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        await SqliteStore.open(tmp_path / "requests.db")


async def test_a_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns it could approve by writing to it."""
    path = tmp_path / "requests.db"
    path.touch()
    found = list(os.stat(path))
    found[stat.ST_UID] = 4711
    monkeypatch.setattr("wireproxy.store.sqlite.os.fstat", lambda _: os.stat_result(found))
    with pytest.raises(StoreError, match="4711"):
        await SqliteStore.open(path)


async def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "requests.db"
    path.write_bytes(b"precious" * 1000)
    with pytest.raises(StoreError, match="not a database"):
        await SqliteStore.open(path)
    assert path.read_bytes() == b"precious" * 1000


async def test_a_store_that_lost_everything_does_not_open_as_a_new_one(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, clock):
        pass
    path = tmp_path / "requests.db"
    os.truncate(path, 0)
    monkeypatch.setattr("wireproxy.store.sqlite.BUSY_TIMEOUT_S", 0.2)
    with pytest.raises(StoreError, match="inherited masks among it, is lost"):
        await SqliteStore.open(path)
    assert not path.stat().st_size


async def test_a_store_that_is_destroyed_under_the_gateway_approves_nothing_and_says_what_to_do(
    tmp_path: Path, clock: Clock
) -> None:
    async with opened(tmp_path, clock) as desk:
        await submit(desk)
        for path in list(tmp_path.iterdir()):  # noqa: ASYNC240
            path.write_bytes(b"\x55" * path.stat().st_size)
        with pytest.raises(StoreError, match=r"move the file .* away.*inherited masks are lost"):
            await submit(desk)
        with pytest.raises(StoreError):
            await desk.claim(BINDING, HOLD)


async def test_a_newer_schema_is_not_touched(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock):
        pass
    with sqlite3.connect(tmp_path / "requests.db") as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreError, match="newer wireproxy"):
        await SqliteStore.open(tmp_path / "requests.db")


async def test_two_gateways_that_start_at_once_make_one_store(tmp_path: Path, clock: Clock) -> None:
    async with trio.open_nursery() as nursery:

        async def start() -> None:
            async with opened(tmp_path, clock) as desk:
                await submit(desk)

        for _ in range(6):
            nursery.start_soon(start)
    async with opened(tmp_path, clock) as desk:
        assert await desk.count() == {State.PENDING: 1}


async def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path, clock: Clock) -> None:
    store = await SqliteStore.open(tmp_path / "requests.db")
    desk = Desk(store, clock)
    request = await submit(desk)
    store._connection.execute("PRAGMA max_page_count = 1")  # no page more than there are
    with pytest.raises(StoreError, match="full"):
        await submit(desk, BINDING, Hold("other", ()), sql="x" * 100_000)
    store._connection.execute("PRAGMA max_page_count = 100000")
    assert (await desk.get(request.id)).state is State.PENDING
    await desk.approve(request.id, ALICE)
    assert await desk.claim(BINDING) is not None
    await desk.aclose()


async def test_a_limit_of_the_system_on_its_length_refuses_and_says_so(tmp_path: Path, clock: Clock) -> None:
    desk = Desk(await SqliteStore.open(tmp_path / "requests.db"), clock)
    request = await submit(desk)
    await desk.approve(request.id, ALICE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        for use in (desk.claim(BINDING), submit(desk, BINDING, Hold("other", ())), desk.check()):
            with pytest.raises(StoreError, match="ulimit -f"):
                await use
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert await desk.claim(BINDING) is not None  # it was not used up by what did not run
    assert await desk.claim(BINDING) is None
    await desk.aclose()


async def test_a_store_that_another_process_holds_is_an_error_not_a_hang(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wireproxy.store.sqlite.BUSY_TIMEOUT_S", 0.01)
    async with opened(tmp_path, clock) as desk:
        request = await submit(desk)
        await desk.approve(request.id, ALICE)
        other = sqlite3.connect(tmp_path / "requests.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            await desk.consume(request.id)
        with pytest.raises(StoreError):
            await desk.check()
        other.execute("ROLLBACK")
        other.close()
        assert await desk.consume(request.id)


async def test_a_broken_record_approves_nothing(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock) as desk:
        request = await submit(desk)
        await desk.approve(request.id, ALICE)
        with sqlite3.connect(tmp_path / "requests.db") as other:
            other.execute("UPDATE request SET document = x'7b7d'")
        with pytest.raises(StoreError):
            await desk.claim(BINDING)
        with pytest.raises(StoreError):
            await desk.consume(request.id)


async def test_what_was_begun_is_finished_when_its_task_is_cancelled(tmp_path: Path, clock: Clock) -> None:
    """Else an approval could be used up by a caller who never hears of it, or the other way round."""
    async with opened(tmp_path, clock) as desk:
        request = await submit(desk)
        await desk.approve(request.id, ALICE)
        known: list[bool] = []
        async with trio.open_nursery() as nursery:

            async def consume() -> None:
                known.append(await desk.consume(request.id))

            nursery.start_soon(consume)
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert ((await desk.get(request.id)).state is State.USED) is (known == [True])


KILLED = """
import os, sys, trio
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.wireproxy.desks import BINDING, Clock, submit
from wireproxy.approvals import Desk
from wireproxy.store.sqlite import SqliteStore

async def main():
    desk = Desk(await SqliteStore.open(Path({path!r})), Clock())
    request = await submit(desk)
    print(request.id, flush=True)
    os.kill(os.getpid(), 9)

trio.run(main)
"""


async def test_a_request_survives_a_gateway_that_is_killed(tmp_path: Path, clock: Clock) -> None:
    root = str(Path(__file__).parents[2])
    script = KILLED.format(root=root, path=str(tmp_path / "requests.db"))
    command = [sys.executable, "-c", script]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    assert done.returncode == -9, done.stderr
    async with opened(tmp_path, clock) as desk:
        assert (await desk.get(done.stdout.decode().strip())).facts == facts()


async def test_a_statement_of_any_bytes_is_kept_exactly(tmp_path: Path, clock: Clock) -> None:
    from wireproxy.approvals import Binding

    statement = bytes(range(256)) * 4
    binding = Binding(Dialect.MYSQL, "claude", None, "shop", statement, (b"\xff", None, b""), (1, 0, 1), (17, 0, 0))
    async with opened(tmp_path, clock) as desk:
        request = await desk.submit(binding, facts(identity=Identity("claude")), HOLD)
        assert await desk.binding(request.id) == binding


def test_ids_grow_when_the_short_ones_run_out() -> None:
    candidates = candidate_ids()
    lengths = [len(next(candidates)) - len("wp-") for _ in range(100)]
    assert lengths == sorted(lengths)
    assert lengths[0] == SHORTEST
    assert lengths[-1] > SHORTEST + 20
