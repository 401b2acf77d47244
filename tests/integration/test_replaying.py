"""Recorded sessions: rows that a driver describes when it prepares and not when it runs, and no data of COPY FROM STDIN."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import asyncpg
import psycopg
import pytest

from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration


def test_binary_rows_of_a_prepared_statement_have_names_and_values(postgres: Server, tmp_path: Path) -> None:
    async def main(dsn: str) -> None:
        connection = await asyncpg.connect(dsn, ssl=False)
        try:
            prepared = await connection.prepare(
                "SELECT n, n::text AS word, n % 2 = 0 AS even FROM generate_series(1, $1) n"
            )
            assert len(await prepared.fetch(2)) == 2
            assert len(await prepared.fetch(1)) == 1
        finally:
            await connection.close(timeout=10)

    with running_gateway(GatewayPlan(server=postgres, log_rows="all"), tmp_path) as gateway:
        asyncio.run(main(gateway.dsn()))
        session = json.loads(gateway.cli("sessions", "--user", "agent", "--json").stdout.strip().splitlines()[-1])
        records = gateway.cli("replay", session["session"], "--json").stdout.splitlines()
        screen = gateway.cli("replay", session["session"]).stdout
    found = [json.loads(record) for record in records]
    names = [[column["name"] for column in record["columns"]] for record in found if "columns" in record]
    assert names[-2:] == [["n", "word", "even"]] * 2
    rows = [record["rows"] for record in found if "rows" in record and "truncated" in record]
    assert rows[-2:] == [[["1", "1", "f"], ["2", "2", "t"]], [["1", "1", "f"]]]
    assert "even" in screen


def test_data_of_copy_from_stdin_is_not_kept(postgres: Server, tmp_path: Path) -> None:
    """docs/limitations.md has it: the statement is, and how many rows it wrote."""
    with running_gateway(GatewayPlan(server=postgres, log_rows="all"), tmp_path) as gateway:
        with psycopg.connect(gateway.dsn()) as agent:  # taken back when it ends
            agent.execute("CREATE TABLE copied_in (what text)")
            with agent.cursor().copy("COPY copied_in FROM STDIN") as copy:
                copy.write("canary\nanother\n")
            agent.rollback()
        session = json.loads(gateway.cli("sessions", "--user", "agent", "--json").stdout.strip().splitlines()[-1])
        exported = gateway.cli("export", session["session"]).stdout
    assert "COPY copied_in FROM STDIN" in exported
    assert "COPY 2" in exported
    assert "canary" not in exported
