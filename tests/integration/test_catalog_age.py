"""What changes past the gateway is noticed: when the catalog is as old as it may get, and when the server names what it lacks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio
from attrs import frozen

import wireproxy.target
from tests.support.gateway import GatewayPlan, configuration
from tests.support.servers import Server
from wireproxy.config.load import load
from wireproxy.demo.cluster import free_port
from wireproxy.gateway import Gateway

pytestmark = pytest.mark.integration
DBNAME = "catalog_age"
SCHEMA = """
CREATE TABLE people (id int, mail text, label text);
INSERT INTO people VALUES (1, 'canary@shop.test', 'plain');
CREATE VIEW seen AS SELECT id, label FROM people;
"""
MASKED = "c***@shop.test"
PATIENCE_S = 30


@frozen
class Door:
    """A gateway in this process, with one session through it."""

    gateway: Gateway
    agent: psycopg.Connection[Any]

    @property
    def version(self) -> int:
        return self.gateway.targets[DBNAME].catalog_version

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return await trio.to_thread.run_sync(lambda: self.agent.execute(sql).fetchall())

    async def reads_again(self, before: int) -> None:
        with trio.fail_after(PATIENCE_S):
            while self.version == before:  # noqa: ASYNC110  nobody is told when a catalog was read
                await trio.sleep(0.02)


@pytest.fixture
def direct(postgres18: Server) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres18.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(postgres18.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
            yield connection
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


@asynccontextmanager
async def a_door(server: Server, folder: Path) -> AsyncIterator[Door]:
    port = free_port()
    path = folder / "wireproxy.toml"
    plan = GatewayPlan(server=server, dbname=DBNAME, masks={"*.*mail": "email"}, wait_s=0)
    path.write_text(configuration(plan, folder, port), encoding="utf-8")
    path.chmod(0o600)
    config = load(path)
    config.state_dir.mkdir(parents=True, exist_ok=True)
    config.log.directory.mkdir(parents=True, exist_ok=True)
    gateway = Gateway(config)
    dsn = f"postgresql://agent:agent-secret@127.0.0.1:{port}/{DBNAME}"
    connect: Callable[[], psycopg.Connection[Any]] = lambda: psycopg.connect(dsn, autocommit=True)  # noqa: E731
    async with trio.open_nursery() as nursery:
        await nursery.start(gateway.run)
        agent = await trio.to_thread.run_sync(connect)
        yield Door(gateway, agent)
        await trio.to_thread.run_sync(agent.close)
        nursery.cancel_scope.cancel()


async def test_what_was_made_past_the_gateway_is_masked_when_the_catalog_is_as_old_as_it_may_get(
    postgres18: Server, direct: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wireproxy.target, "CATALOG_MAX_AGE_S", 0.05)
    async with a_door(postgres18, tmp_path) as door:
        assert await door.rows("TABLE seen") == [(1, "plain")]
        before = door.version
        direct.execute("CREATE TABLE late (id int, new_mail text, label text)")
        direct.execute("INSERT INTO late VALUES (1, 'canary@shop.test', 'plain')")
        direct.execute("CREATE OR REPLACE VIEW seen AS SELECT id, mail AS label FROM people")
        await door.reads_again(before)
        # of the view the server names an origin that was known before, as another
        assert await door.rows("TABLE seen") == [(1, MASKED)]
        assert await door.rows("TABLE late") == [(1, MASKED, "plain")], "by the rule's pattern, and no other column"


async def test_an_origin_that_the_catalog_lacks_has_it_read_at_once(
    postgres18: Server, direct: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wireproxy.target, "CATALOG_MAX_AGE_S", 3600)
    monkeypatch.setattr(wireproxy.target, "CATALOG_MIN_AGE_S", 0)
    async with a_door(postgres18, tmp_path) as door:
        assert await door.rows("TABLE people") == [(1, MASKED, "plain")]
        before = door.version
        direct.execute(
            "ALTER TABLE people ADD COLUMN second_mail text DEFAULT 'canary@shop.test', ADD COLUMN note text DEFAULT 'n'"
        )
        ((_, *unknown),) = await door.rows("SELECT id, people.* FROM people")
        assert "canary" not in str(unknown), "what nobody knows is masked until it is known"
        assert await door.rows("TABLE people") == [(1, MASKED, "plain", MASKED, "n")]
        assert door.version == before + 1


async def test_a_change_through_the_gateway_is_known_to_the_next_statement(
    postgres18: Server, direct: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wireproxy.target, "CATALOG_MAX_AGE_S", 3600)
    async with a_door(postgres18, tmp_path) as door:
        await door.rows("TABLE people")
        before = door.version
        for sql in (
            "CREATE TABLE late (id int, new_mail text, label text)",
            "INSERT INTO late SELECT 1, 'canary' || '@shop.test', 'plain'",
        ):
            await trio.to_thread.run_sync(door.agent.execute, sql)
        assert await door.rows("TABLE late") == [(1, MASKED, "plain")]
        assert door.version == before + 1
