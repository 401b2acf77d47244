"""Files that fail under a running gateway: nothing more runs, the client hears what to do, and all goes on when they are back."""

from __future__ import annotations

import resource
import secrets
import signal
from collections.abc import Iterable
from pathlib import Path
from subprocess import Popen

import psycopg
import pytest

from tests.support import raw
from tests.support.gateway import Gateway, GatewayPlan, await_port, configuration, running_gateway, wireproxy_command
from tests.support.servers import Server
from wireproxy.demo.cluster import free_port
from wireproxy.demo.unprivileged import stop

HOLDS_DELETES = """
[policy.lab]
default = "allow"
[[policy.lab.rule]]
name = "deletes"
action = "hold"
when = { kinds = ["delete"] }
[[policy.lab.rule]]
name = "everything"
action = "allow"
when = { kinds = ["insert", "select"] }
"""


def last_words(connection: raw.RawConnection, texts: Iterable[str]) -> bytes:
    """Asks one after the other, and waits behind the last; the FATAL that ends the session, whenever it comes.

    It may come right behind an answer, where libpq has read it already and tells its caller of the closed connection.
    """
    frames = connection.frames()
    for text in texts:
        connection.send(raw.query(text))
        for kind, frame in frames:
            if kind == b"E":
                return frame
            if kind == b"Z":
                break
    return next(frame for kind, frame in frames if kind == b"E")


def test_a_log_that_is_removed_ends_its_session_and_the_next_has_one(postgres: Server, tmp_path: Path) -> None:
    with running_gateway(GatewayPlan(server=postgres), tmp_path) as gateway:
        with raw.raw_connection(gateway.dsn()) as connection:
            for path in (tmp_path / "sessions").rglob("*.wplog"):
                path.unlink()
            told = last_words(connection, ["SELECT 1"])
            assert b"\0C58030\0" in told
            assert b"cannot be written" in told
            assert b"operator" in told
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


def test_no_statement_runs_unrecorded_where_files_may_grow_no_longer(postgres: Server, tmp_path: Path) -> None:
    with psycopg.connect(postgres.dsn(), autocommit=True) as direct:
        direct.execute("DROP TABLE IF EXISTS fault_rows")
        direct.execute("CREATE TABLE fault_rows (n int, pad text)")
        plan = GatewayPlan(server=postgres, policy="lab", extra=HOLDS_DELETES)
        with running_gateway(plan, tmp_path) as gateway:
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            before = set((tmp_path / "sessions").rglob("*.wplog"))  # the gateway's own
            with raw.raw_connection(gateway.dsn()) as connection:
                (log,) = set((tmp_path / "sessions").rglob("*.wplog")) - before
                resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (50_000, hard))
                # digits by chance, so that they cannot be compressed away
                insert = "INSERT INTO fault_rows VALUES ({}, '{}')"
                told = last_words(connection, (insert.format(n, secrets.token_hex(300)) for n in range(1000)))
                assert b"\0C58030\0" in told
                assert b"cannot be written" in told
            with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
                resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (1, hard))
                with pytest.raises(psycopg.Error, match=r"no request could be made|cannot be written"):
                    connection.execute("DELETE FROM fault_rows")
            with pytest.raises(psycopg.OperationalError, match="cannot be written"):
                psycopg.connect(gateway.dsn())
            resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
            with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
                assert connection.execute("SELECT 2").fetchall() == [(2,)]
            exported = gateway.cli("export", log.name.partition(".")[0]).stdout
        ran = [row[0] for row in direct.execute("SELECT n FROM fault_rows ORDER BY n").fetchall()]
        assert ran
        assert ran == list(range(len(ran)))
        assert [number for number in ran if f"VALUES ({number}, " not in exported] == []
        direct.execute("DROP TABLE fault_rows")
