"""`wireproxy serve` for MySQL clients, as operator, agent and DBA meet it: every command of the CLI, beside Postgres."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pymysql
import pytest

from tests.integration.mysql_gateway import direct
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server
from wireproxy.demo.cluster import free_port

DBNAME = "wp_serving"
RULE = """
[[policy.mine.rule]]
name = "no-reads-of-orders"
action = "deny"
reason = "the rule is new"
when = { relations = ["*.orders"] }
"""


@pytest.fixture
def http_port() -> int:
    return free_port()


@pytest.fixture
def gateway(mariadb: Server, tmp_path: Path, http_port: int) -> Iterator[Gateway]:
    with closing(direct(mariadb, "mysql")) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME}")
        cursor.execute(f"CREATE TABLE {DBNAME}.orders AS SELECT seq AS id FROM seq_1_to_100")
    extra = f'[policy.mine]\npack = "agent-default"\n[gateway]\nhttp = "127.0.0.1:{http_port}"\n'
    plan = GatewayPlan(server=mariadb, dialect="mysql", dbname=DBNAME, policy="mine", wait_s=0.3, extra=extra)
    with running_gateway(plan, tmp_path / "serving") as gateway:
        yield gateway


def one(connection: pymysql.Connection, text: str) -> object:  # type: ignore[type-arg]
    with connection.cursor() as cursor:
        cursor.execute(text)
        row = cursor.fetchone()
        return None if row is None else row[0]


def test_a_delete_is_held_approved_from_the_command_line_run_once_and_replayed(gateway: Gateway) -> None:
    with closing(gateway.mysql()) as agent:
        with pytest.raises(pymysql.err.Error) as held:
            agent.query("DELETE FROM orders WHERE id > 90")
        request = next(word for word in str(held.value).split() if word.startswith("wp-")).strip(",.:")
        shown = json.loads(gateway.cli("approvals", "--json").stdout)
        assert (shown["id"], shown["dialect"], shown["relations"]) == (request, "mysql", ["orders (write)"])
        assert "DELETE FROM orders WHERE id > 90" in gateway.cli("show", request).stdout
        approved = gateway.cli("approve", request)
        assert approved.returncode == 0, approved.stderr
        assert agent.query("DELETE FROM orders WHERE id > 90") == 10
        with pytest.raises(pymysql.err.Error):
            agent.query("DELETE FROM orders WHERE id > 90")
        status = json.loads(gateway.cli("status", "--sessions", "--json").stdout)
        assert status["compiled"] is ("WIREPROXY_PYTHON" in os.environ)  # the environment of `make compiled`
        (session,) = status["open_sessions"]
        assert (session["identity"], session["dialect"]) == ("agent", "mysql")
    replayed = gateway.cli("replay", str(session["session"]))
    assert "DELETE FROM orders WHERE id > 90" in replayed.stdout, replayed.stderr
    verified = gateway.cli("verify")
    assert verified.returncode == 0, verified.stdout


def test_a_denied_request_is_told_to_the_client_with_its_reason(gateway: Gateway) -> None:
    with closing(gateway.mysql()) as agent:
        with pytest.raises(pymysql.err.Error) as held:
            agent.query("DELETE FROM orders")
        request = next(word for word in str(held.value).split() if word.startswith("wp-")).strip(",.:")
        assert gateway.cli("deny", request, "--reason", "not today").returncode == 0
        assert one(agent, "SELECT count(*) FROM orders") == 100


def test_a_reload_holds_for_open_sessions_and_what_they_have_prepared(gateway: Gateway) -> None:
    with closing(gateway.mysql()) as agent:
        assert one(agent, "SELECT count(*) FROM orders") == 100
        gateway.config.write_text(gateway.config.read_text() + RULE)
        assert gateway.cli("reload").returncode == 0
        with pytest.raises(pymysql.err.Error, match="the rule is new"):
            one(agent, "SELECT count(*) FROM orders")


def test_a_user_who_is_taken_out_is_shown_out_with_the_reload(gateway: Gateway) -> None:
    with closing(gateway.mysql()) as agent:
        assert one(agent, "SELECT 1") == 1
        revoked = gateway.cli("user", "revoke", "agent")
        assert revoked.returncode == 0, revoked.stderr
        added = gateway.cli("user", "add", "other", "--generate")
        assert added.returncode == 0, added.stderr
        assert gateway.cli("reload").returncode == 0
        with pytest.raises(pymysql.err.OperationalError, match="access was withdrawn"):
            one(agent, "SELECT 1")
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        gateway.mysql()


def test_what_user_add_makes_logs_in_at_once(gateway: Gateway) -> None:
    added = gateway.cli("user", "add", "claude", "--generate")
    password = added.stderr.rstrip().rpartition(" ")[2]
    assert gateway.cli("reload").returncode == 0
    with closing(gateway.mysql(user="claude", password=password)) as agent:
        assert one(agent, "SELECT 1") == 1


def test_a_drain_lets_an_open_transaction_finish_and_takes_nobody_new(gateway: Gateway) -> None:
    with closing(gateway.mysql()) as idle, closing(gateway.mysql()) as busy:
        busy.query("BEGIN")
        assert one(busy, "SELECT count(*) FROM orders") == 100
        gateway.process.send_signal(signal.SIGTERM)
        with pytest.raises(pymysql.err.OperationalError):
            for _ in range(200):
                one(idle, "SELECT SLEEP(0.05)")
        assert one(busy, "SELECT max(id) FROM orders") == 100
        busy.query("COMMIT")
        with pytest.raises(pymysql.err.OperationalError):
            gateway.mysql(connect_timeout=5)
    assert gateway.process.wait(timeout=30) == 0


def test_a_client_that_is_never_idle_is_shown_out_between_two_statements(gateway: Gateway) -> None:
    with closing(gateway.mysql()) as agent:
        one(agent, "SELECT 1")
        gateway.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        with pytest.raises(pymysql.err.OperationalError):
            while time.monotonic() < begun + 20:
                one(agent, "SELECT SLEEP(0.5)")
        assert time.monotonic() < begun + 10, "long before drain_s"
    assert gateway.process.wait(timeout=30) == 0


def test_health_and_metrics_count_mysql_sessions(gateway: Gateway, http_port: int) -> None:
    with closing(gateway.mysql()) as agent:
        assert one(agent, "SELECT 1") == 1
        for path, word in (("healthz", ""), ("readyz", ""), ("metrics", "wireproxy_sessions 1.0")):
            with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/{path}", timeout=10) as answer:
                assert word in answer.read().decode()


def test_an_idle_client_is_shown_out_with_an_error_of_mysqls(gateway: Gateway) -> None:
    gateway.config.write_text(gateway.config.read_text() + "\n[limits]\nidle_session_s = 3\n")
    assert gateway.cli("reload").returncode == 0
    with closing(gateway.mysql(read_timeout=20)) as agent:
        assert one(agent, "SELECT 1") == 1
        found = agent._sock.recv(4096, 0)  # what the server says without being asked
        assert b"idle-session timeout" in found


def test_a_gateway_that_is_killed_leaves_a_log_in_which_nothing_forwarded_is_missing(gateway: Gateway) -> None:
    with closing(gateway.mysql()) as agent:
        assert one(agent, "SELECT 'the last words'") == "the last words"
        gateway.process.kill()
        gateway.process.wait(timeout=10)
        found = gateway.cli("search", "the last words")
        assert "the last words" in found.stdout, found.stderr


def test_both_dialects_are_served_by_one_gateway(mariadb: Server, postgres: Server, tmp_path: Path) -> None:
    import psycopg

    port = free_port()
    secret = tmp_path / "postgres-password"
    secret.touch(mode=0o600)
    secret.write_text(postgres.password)
    extra = f"""
[listen.postgres]
host = "127.0.0.1"
port = {port}
[database.other]
dialect = "postgres"
host = "{postgres.host}"
port = {postgres.port}
dbname = "postgres"
user = "{postgres.user}"
password = {{ file = "{secret}" }}
tls = "disable"
"""
    plan = GatewayPlan(server=mariadb, dialect="mysql", dbname="test", policy="agent-default", extra=extra)
    with running_gateway(plan, tmp_path / "both") as gateway, closing(gateway.mysql()) as agent:
        dsn = f"postgresql://agent:agent-secret@127.0.0.1:{port}/other"
        with psycopg.connect(dsn, autocommit=True) as other:
            assert other.execute("SELECT 1").fetchone() == (1,)
            assert one(agent, "SELECT 1") == 1
            found = json.loads(gateway.cli("status", "--sessions", "--json").stdout)["open_sessions"]
            assert sorted(session["dialect"] for session in found) == ["mysql", "postgres"]
