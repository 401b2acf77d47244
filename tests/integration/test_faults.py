"""Files that fail under a running gateway: nothing more runs, the client hears what to do, and all goes on when they are back."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from subprocess import Popen

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, await_port, configuration, running_gateway, wireproxy_command
from tests.support.servers import Server
from wireproxy.demo.cluster import free_port
from wireproxy.demo.unprivileged import stop


def test_a_log_that_is_removed_ends_its_session_and_the_next_has_one(postgres: Server, tmp_path: Path) -> None:
    with running_gateway(GatewayPlan(server=postgres), tmp_path) as gateway:
        with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
            connection.execute("SELECT 1")
            for path in (tmp_path / "sessions").rglob("*.wplog"):
                path.unlink()
            with pytest.raises(psycopg.OperationalError, match="cannot be written") as caught:
                for _ in range(100):
                    connection.execute("SELECT 1")
                    time.sleep(0.1)
            assert caught.value.diag.sqlstate == "58030"
            assert "operator" in (caught.value.diag.message_hint or "")
        with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
            assert connection.execute("SELECT 2").fetchall() == [(2,)]


def test_without_room_for_a_log_there_is_no_session(postgres: Server, tmp_path: Path) -> None:
    with running_gateway(GatewayPlan(server=postgres), tmp_path) as gateway:
        folder = tmp_path / "sessions"
        folder.rename(tmp_path / "away")
        folder.touch()
        with pytest.raises(psycopg.OperationalError, match="operator"):
            psycopg.connect(gateway.dsn())
        folder.unlink()
        (tmp_path / "away").rename(folder)
        with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
            assert connection.execute("SELECT 2").fetchall() == [(2,)]


def test_diagnostics_that_cannot_be_written_end_nothing(postgres: Server, tmp_path: Path) -> None:
    """Standard error on a full disk, or a pipe that nobody reads any more."""
    plan = GatewayPlan(server=postgres)
    port = free_port()
    config = tmp_path / "wireproxy.toml"
    config.write_text(configuration(plan, tmp_path, port), encoding="utf-8")
    config.chmod(0o600)
    with Path("/dev/full").open("wb") as full:
        process = Popen([*wireproxy_command(), "serve", "-c", config], stdout=full, stderr=full)
    try:
        await_port(process, port, Path("/dev/null"))
        gateway = Gateway(config, port, postgres.dbname, process, Path("/dev/null"))
        with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
            for _ in range(2):
                with pytest.raises(psycopg.OperationalError, match="authentication failed"):
                    psycopg.connect(gateway.dsn(password="wrong"))
            assert connection.execute("SELECT 2").fetchall() == [(2,)]
    finally:
        stop(process, signal.SIGTERM)
    assert process.returncode == 0
