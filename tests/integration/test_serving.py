"""`wireproxy serve` as its operator meets it: reload, drain, health, metrics."""

from __future__ import annotations

import signal
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from tests.support import raw
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server
from wireproxy.demo.cluster import free_port

DBNAME = "serving"
PATIENCE_S = 60.0  # for what a busy machine does late
POLICY = """
[policy.mine]
pack = "allow-all"
"""
RULE = """
[[policy.mine.rule]]
name = "no-reads-of-orders"
action = "deny"
reason = "the rule is new"
when = { relations = ["public.orders"] }
"""


@pytest.fixture
def http_port() -> int:
    return free_port()


@pytest.fixture
def gateway(postgres: Server, tmp_path: Path, http_port: int) -> Iterator[Gateway]:
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(postgres.dsn(DBNAME), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 100) g")
    plan = GatewayPlan(
        server=postgres, dbname=DBNAME, policy="mine", extra=f'{POLICY}\n[gateway]\nhttp = "127.0.0.1:{http_port}"\n'
    )
    with running_gateway(plan, tmp_path / "serving") as gateway:
        yield gateway


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def test_a_reload_holds_for_open_sessions_and_for_portals_that_are_bound_already(gateway: Gateway) -> None:
    with raw.raw_connection(gateway.dsn()) as connection:
        connection.send(raw.query("BEGIN"))
        connection.read_until(b"Z")
        connection.send(raw.parse("s", "SELECT id FROM orders") + raw.bind("c", "s") + raw.execute("c", 1) + raw.SYNC)
        assert b"\0\0\0\x011" in b"".join(connection.read_until(b"Z"))
        gateway.config.write_text(gateway.config.read_text() + RULE)
        reloaded = gateway.cli("reload")
        assert reloaded.returncode == 0, reloaded.stderr
        connection.send(raw.execute("c", 1) + raw.SYNC)
        assert b"the rule is new" in b"".join(connection.read_until(b"Z"))


def test_a_configuration_with_a_mistake_is_refused_whole_and_the_old_one_stays(gateway: Gateway) -> None:
    good = gateway.config.read_text()
    gateway.config.write_text(good + RULE.replace('action = "deny"', 'action = "denny"'))
    refused = gateway.cli("reload")
    assert refused.returncode == 1
    assert "denny" in refused.stdout + refused.stderr
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        assert agent.execute("SELECT count(*) FROM orders").fetchone() == (100,)


def test_a_user_who_is_put_into_another_group_must_log_in_again(gateway: Gateway) -> None:
    """Masks and policies go by groups: a session that kept the old ones would go on seeing what they show."""
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        agent.execute("SELECT 1")
        assert gateway.cli("reload").returncode == 0
        agent.execute("SELECT 1")
        gateway.config.write_text(gateway.config.read_text().replace("[user.agent]", '[user.agent]\ngroups = ["new"]'))
        assert gateway.cli("reload").returncode == 0
        with pytest.raises(errors.AdminShutdown, match="access was withdrawn or changed"):
            agent.execute("SELECT 1")


def test_a_database_that_is_down_is_said_to_be_and_is_not_ready(gateway: Gateway, http_port: int) -> None:
    assert '"ready": true' in get(http_port, "/readyz")
    text = gateway.config.read_text()
    port = text.split("[database.")[1].split("port = ")[1].split("\n")[0]
    gateway.config.write_text(text.replace(f"port = {port}\n", f"port = {free_port()}\n"))
    assert gateway.cli("reload").returncode == 0
    with pytest.raises(psycopg.OperationalError, match='cannot connect to the target of database "serving"') as caught:
        psycopg.connect(gateway.dsn())
    assert "127.0.0.1" not in str(caught.value).partition("FATAL")[2]  # where it is, is not the client's business
    with pytest.raises(urllib.error.HTTPError) as unready:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            get(http_port, "/readyz")
            time.sleep(0.1)
    assert "database serving" in unready.value.read().decode()


def test_sighup_reloads_as_well(gateway: Gateway) -> None:
    gateway.config.write_text(gateway.config.read_text() + RULE)
    gateway.process.send_signal(signal.SIGHUP)
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                agent.execute("SELECT count(*) FROM orders")
            except errors.InsufficientPrivilege:
                return
    raise AssertionError("the new rule does not hold")


def test_a_drain_lets_an_open_transaction_finish_and_takes_nobody_new(gateway: Gateway) -> None:
    with (
        psycopg.connect(gateway.dsn(), autocommit=True) as idle,
        psycopg.connect(gateway.dsn(), autocommit=True) as busy,
    ):
        busy.execute("BEGIN")
        busy.execute("INSERT INTO orders VALUES (101)")
        gateway.process.send_signal(signal.SIGTERM)
        with pytest.raises(psycopg.OperationalError):
            for _ in range(200):
                idle.execute("SELECT pg_sleep(0.05)")
        assert busy.execute("SELECT count(*) FROM orders").fetchone() == (101,)
        busy.execute("COMMIT")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(gateway.dsn(), connect_timeout=5)
    assert gateway.process.wait(timeout=30) == 0


def test_a_client_that_is_never_idle_is_shown_out_between_two_statements(gateway: Gateway) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        agent.execute("SELECT 1")
        gateway.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            while time.monotonic() < begun + 20:
                agent.execute("SELECT pg_sleep(0.5)")
        assert time.monotonic() < begun + 10, "long before drain_s"
    assert gateway.process.wait(timeout=30) == 0


def test_health_readiness_and_metrics_answer_on_loopback(gateway: Gateway, http_port: int) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        agent.execute("SELECT 1")
        assert get(http_port, "/healthz")
        assert get(http_port, "/readyz")
        metrics = get(http_port, "/metrics")
    assert "wireproxy_sessions 1.0" in metrics
    assert "wireproxy_statements_total" in metrics


def test_a_gateway_that_is_killed_leaves_a_log_in_which_nothing_forwarded_is_missing(gateway: Gateway) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        agent.execute("SELECT 'the last words' AS words")
        gateway.process.kill()
        gateway.process.wait(timeout=10)
    found = gateway.cli("search", "the last words")
    assert found.returncode == 0, found.stderr
    assert "the last words" in found.stdout


def test_a_slow_reader_stalls_only_its_own_session(gateway: Gateway) -> None:
    with raw.raw_connection(gateway.dsn()) as slow, psycopg.connect(gateway.dsn(), autocommit=True) as quick:
        slow.send(raw.query("SELECT repeat('x', 1000) FROM generate_series(1, 200000)"))  # 200 MB that nobody reads
        for number in range(200):
            assert quick.execute("SELECT %s::int", [number]).fetchone() == (number,)


def test_a_cancel_request_with_another_secret_cancels_nothing(gateway: Gateway, postgres: Server) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        process_id = agent.info.backend_pid
        assert agent.execute("SELECT pg_backend_pid()").fetchone() == (process_id,)
        with socket.create_connection(("127.0.0.1", gateway.port)) as wire:
            wire.sendall(struct.pack("!IIII", 16, 80877102, process_id, 0x01020304))
            assert wire.recv(1) == b""
        assert agent.execute("SELECT pg_sleep(0.5), 1").fetchone() == ("", 1)
        canceller = threading.Thread(target=cancel_when_asleep, args=(agent, postgres))
        canceller.start()
        with pytest.raises(errors.QueryCanceled):
            agent.execute("SELECT pg_sleep(100)")
        canceller.join()


def cancel_when_asleep(agent: psycopg.Connection, server: Server) -> None:
    """A cancel request that comes before the statement cancels nothing."""
    asks = "SELECT wait_event FROM pg_stat_activity WHERE pid = %s"
    deadline = time.monotonic() + PATIENCE_S
    with psycopg.connect(server.dsn(), autocommit=True) as watcher:
        while watcher.execute(asks, [agent.info.backend_pid]).fetchone() != ("PgSleep",):
            if time.monotonic() > deadline:
                return
    agent.cancel_safe()
