"""The desk of several gateways: requests in a real PostgreSQL, and beside SQLite, which must do the same."""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
import trio
import trio.testing
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from rules.model import Identity
from tests.support.servers import Server
from tests.wireproxy.desks import AGENT, ALICE, BINDING, BOB, CAROL, HOLD, Clock, facts, submit
from wireproxy.approvals import (
    Desk,
    Limits,
    NotAllowed,
    RequestClosed,
    State,
    StoreError,
    TooManyRequests,
    UnknownRequest,
)
from wireproxy.store import Store
from wireproxy.store.postgres import PostgresStore
from wireproxy.store.sqlite import SqliteStore

NAME = "wireproxy_desk_test"


@pytest.fixture
def address(postgres: Server) -> Iterator[str]:
    name = sql.Identifier(NAME)
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield postgres.dsn(NAME)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@asynccontextmanager
async def opened(address: str, clock: Clock, limits: Limits | None = None) -> AsyncIterator[Desk]:
    desk = Desk(await PostgresStore.open(address), clock, limits=limits)
    try:
        yield desk
    finally:
        await desk.aclose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_a_request_lives_through_its_life(address: str, clock: Clock) -> None:
    async with opened(address, clock) as desk:
        request = await submit(desk, parameters=("7", None))
        assert await desk.claim(BINDING) is None
        assert await submit(desk) == request
        assert await desk.binding(request.id) == BINDING
        assert await desk.count() == {State.PENDING: 1}
    async with opened(address, clock) as desk:  # the gateway was restarted
        assert await desk.get(request.id) == request
        assert [found.id for found in await desk.select()] == [request.id]
        await desk.approve(request.id, ALICE, "fine")
        claim = await desk.claim(BINDING, HOLD)
        assert claim is not None
        assert claim.approvers == ("alice",)
        assert await desk.claim(BINDING) is None
        assert await desk.binding(request.id) is None
        with pytest.raises(RequestClosed, match="has run"):
            await desk.deny(request.id, BOB)
        with pytest.raises(UnknownRequest):
            await desk.approve("wp-none", BOB)


async def test_one_execution_among_many_callers_of_two_gateways(address: str, clock: Clock) -> None:
    async with opened(address, clock) as one, opened(address, clock) as two:
        request = await submit(one)
        await two.approve(request.id, ALICE)
        won: list[bool] = []

        async def take(desk: Desk, claim: bool) -> None:
            won.append(await desk.claim(BINDING) is not None if claim else await desk.consume(request.id, BINDING))

        async with trio.open_nursery() as nursery:
            for index in range(16):
                nursery.start_soon(take, (one, two)[index % 2], index % 3 == 0)
        assert won.count(True) == 1


async def test_one_request_of_many_submissions_at_two_gateways(address: str, clock: Clock) -> None:
    async with opened(address, clock) as one, opened(address, clock) as two:
        made: set[str] = set()

        async def ask(desk: Desk) -> None:
            made.add((await submit(desk)).id)

        async with trio.open_nursery() as nursery:
            for index in range(12):
                nursery.start_soon(ask, (one, two)[index % 2])
        assert len(made) == 1


async def test_a_verdict_of_another_gateway_wakes_at_once(
    address: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wireproxy.approvals.POLL_S", 1000)
    async with opened(address, clock) as here, opened(address, clock) as there, trio.open_nursery() as nursery:
        nursery.start_soon(here.run)
        await _until_listening(address)
        request = await submit(here)

        async def decide() -> None:
            await trio.testing.wait_all_tasks_blocked(0.05)
            await there.deny(request.id, ALICE, "no")

        nursery.start_soon(decide)
        with trio.fail_after(30):
            verdict = await here.wait(request.id, 2000)
        assert verdict is not None
        assert verdict.state is State.DENIED
        nursery.cancel_scope.cancel()


async def _until_listening(address: str) -> None:
    def listening() -> bool:
        with psycopg.connect(address, autocommit=True) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND query ILIKE 'listen%%'"
            found = connection.execute(query, (NAME,)).fetchone()
            return found is not None and found[0] == 1

    with trio.fail_after(30):
        while not await trio.to_thread.run_sync(listening):  # noqa: ASYNC110 — what another process knows
            await trio.sleep(0.02)


async def test_a_server_that_goes_away_approves_nothing_and_comes_back(address: str, clock: Clock) -> None:
    def disconnect() -> None:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                (NAME,),
            )

    async with opened(address, clock) as desk:
        request = await submit(desk)
        await desk.approve(request.id, ALICE)
        await trio.to_thread.run_sync(disconnect)
        with trio.fail_after(30):
            try:
                won = await desk.consume(request.id)
            except StoreError:
                won = await desk.consume(request.id)
        assert won
        await desk.check()


async def test_an_error_that_no_call_waits_for_ends_neither_the_store_nor_the_gateway(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = await PostgresStore.open(address)

    async def give_up() -> None:
        loop = asyncio.get_running_loop()
        loop.create_future().set_exception(ConnectionError("unexpected connection_lost() call"))
        loop.call_soon(dict[str, str]().pop, "nothing")
        gc.collect()
        await asyncio.sleep(0)

    try:
        await store._loop.run_aio_coroutine(give_up())
        await trio.testing.wait_all_tasks_blocked()
        await store.keep("kind", "key", b"still here")
        assert await store.kept("kind") == {"key": b"still here"}
    finally:
        await store.aclose()
    said = capsys.readouterr().out
    assert "ConnectionError" in said
    assert "KeyError" in said
    assert "unexpected" not in said, "the text of an error can quote what was stored"


async def test_what_was_begun_is_finished_when_its_task_is_cancelled(address: str, clock: Clock) -> None:
    async with opened(address, clock) as desk:
        request = await submit(desk)
        await desk.approve(request.id, ALICE)
        known: list[bool] = []
        async with trio.open_nursery() as nursery:

            async def consume() -> None:
                known.append(await desk.consume(request.id))

            nursery.start_soon(consume)
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        state = (await desk.get(request.id)).state
        assert state is (State.USED if known == [True] else State.APPROVED)


async def test_an_address_without_a_server_is_named_without_its_password() -> None:
    with pytest.raises(StoreError) as caught:
        await PostgresStore.open("postgresql://desk:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(caught.value)


async def test_a_newer_schema_is_not_touched(address: str, clock: Clock) -> None:
    async with opened(address, clock):
        pass
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("INSERT INTO wireproxy.schema_version VALUES (99)")
    with pytest.raises(StoreError, match="newer wireproxy"):
        await PostgresStore.open(address)


async def test_a_read_only_store_is_not_ready(address: str, clock: Clock) -> None:
    async with opened(address, clock) as desk:
        await desk.check()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(sql.Identifier(NAME))
        )
    with pytest.raises(StoreError):
        await PostgresStore.open(address)


# Beside SQLite

HOLDS = (HOLD, evolve(HOLD, quorum=2, expires_s=100), evolve(HOLD, approvers=frozenset()))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["submit", "approve", "approve", "deny", "claim", "consume", "withdraw", "wait", "time", "sweep", "list"]
        ),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    min_size=5,
    max_size=40,
)


async def outcome(desk: Desk, clock: Clock, ids: list[str], step: tuple[str, int, int]) -> object:
    """What one step comes to, with ids as their positions: the two stores give their own."""
    name, first, second = step
    binding = evolve(BINDING, statement=b"%d" % first)
    newest = ids[-1 - min(first, len(ids) - 1)] if ids else "wp-none"
    try:
        match name:
            case "submit":
                request = await desk.submit(binding, facts(identity=Identity("claude")), HOLDS[second])
                if request.id not in ids:
                    ids.append(request.id)
                return ids.index(request.id), request.state, request.missing
            case "approve":
                return (await desk.approve(newest, (ALICE, BOB, CAROL)[second])).state
            case "deny":
                return (await desk.deny(newest, (ALICE, BOB, CAROL)[second])).state
            case "claim":
                claim = await desk.claim(binding, HOLDS[second])
                return claim and (ids.index(claim.request_id), claim.approvers)
            case "consume":
                return await desk.consume(newest, binding if second else None)
            case "withdraw":
                return await desk.withdraw(newest, "gone")
            case "wait":
                verdict = await desk.wait(newest, 0)
                return verdict and (verdict.state, verdict.approvers)
            case "time":
                clock.advance((1, 60, 900)[second])
            case "sweep":
                await desk.sweep()
            case "list":
                found = await desk.select(tuple(State))
                return [(ids.index(request.id), request.state, len(request.votes)) for request in found]
    except (NotAllowed, RequestClosed, TooManyRequests, UnknownRequest) as error:
        return type(error)
    return None


@given(STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_two_stores_come_to_the_same(address: str, steps: list[tuple[str, int, int]]) -> None:
    limits = Limits(pending_per_identity=2, submitted_per_minute=6)

    async def play(store: Store) -> list[object]:
        clock, ids = Clock(), []  # type: Clock, list[str]
        desk = Desk(store, clock, limits=limits)
        try:
            # each step at a time of its own: what is listed is ordered by it
            return [await outcome(desk, clock, ids, step) for step in steps if not clock.advance(0.001)]
        finally:
            await desk.aclose()

    async def both() -> None:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS wireproxy CASCADE")
        with tempfile.TemporaryDirectory() as folder:
            expected = await play(await SqliteStore.open(Path(folder) / "requests.db"))
        assert await play(await PostgresStore.open(address)) == expected

    assert AGENT.name == BINDING.identity
    trio.run(both)


async def test_what_is_kept_is_there_for_the_next_gateway_in_either_store(address: str, tmp_path: Path) -> None:
    async def open_both() -> list[Store]:
        return [await PostgresStore.open(address), await SqliteStore.open(tmp_path / "kept.db")]

    for store in await open_both():
        await store.keep("grant", "b", b"2")
        await store.keep("grant", "a", b"1")
        await store.keep("grant", "a", b"one")
        await store.keep("mark", "a", b"other")
        await store.aclose()
    for store in await open_both():
        assert await store.kept("grant") == {"a": b"one", "b": b"2"}
        assert await store.drop("grant", "a")
        assert not await store.drop("grant", "a")
        assert await store.kept("grant") == {"b": b"2"}
        assert await store.kept("mark") == {"a": b"other"}
        await store.aclose()
