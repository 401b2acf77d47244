"""Held statements: what was approved is what runs, once, for whom it was approved; everything else does not run."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from tests.support import raw
from tests.support.gateway import Gateway, GatewayPlan, running_gateway, serving
from tests.support.servers import Server
from wireproxy.demo.cluster import free_port

DBNAME = "holding"


@pytest.fixture
def shop(postgres: Server) -> Server:
    """A database with a hundred orders."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(postgres.dsn(DBNAME), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, total numeric)")
        connection.execute("INSERT INTO orders SELECT g, g FROM generate_series(1, 100) g")
        connection.execute("ANALYZE orders")
    return postgres


def start(shop: Server, folder: Path, wait_s: float) -> Iterator[Gateway]:
    plan = GatewayPlan(server=shop, dbname=DBNAME, policy="agent-default", users=("agent", "other"), wait_s=wait_s)
    with running_gateway(plan, folder) as gateway:
        yield gateway


@pytest.fixture
def patient(shop: Server, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that waits long for a verdict."""
    yield from start(shop, tmp_path / "patient", 60)


@pytest.fixture
def hasty(shop: Server, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that gives out tickets at once."""
    yield from start(shop, tmp_path / "hasty", 0)


def left(shop: Server) -> int:
    with psycopg.connect(shop.dsn(DBNAME)) as connection:
        row = connection.execute("SELECT count(*) FROM orders").fetchone()
        assert row is not None
        return int(row[0])


def lines(text: str) -> list[dict[str, object]]:
    """JSON Lines."""
    return [json.loads(line) for line in text.splitlines()]


def requests(gateway: Gateway) -> list[dict[str, object]]:
    listed = gateway.cli("approvals", "--json")
    assert listed.returncode == 0, listed.stderr
    return lines(listed.stdout)


def wait_for_request(gateway: Gateway) -> dict[str, object]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := requests(gateway):
            return found[0]
    raise AssertionError("no request came up")


class InBackground:
    """A statement in a thread of its own."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self.result: object = None

        def run() -> None:
            try:
                self.result = work()
            except BaseException as error:
                self.error = error

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def end(self) -> object:
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        return self.result


def test_an_approved_delete_runs_and_only_then(patient: Gateway, shop: Server) -> None:
    notices: list[str] = []
    with psycopg.connect(patient.dsn(), autocommit=True) as agent:
        agent.add_notice_handler(lambda diagnostic: notices.append(str(diagnostic.message_primary)))
        running = InBackground(lambda: agent.execute("DELETE FROM orders WHERE id <= %s", [7]).rowcount)
        request = wait_for_request(patient)
        assert left(shop) == 100
        shown = patient.cli("show", str(request["id"]), "--json")
        facts = json.loads(shown.stdout)
        assert "DELETE FROM orders" in json.dumps(facts)
        assert "7" in json.dumps(facts)
        approved = patient.cli("approve", str(request["id"]))
        assert approved.returncode == 0, approved.stderr
        assert running.end() == 7
    assert left(shop) == 93
    assert any(str(request["id"]) in notice for notice in notices)
    assert requests(patient) == []


def test_a_denied_delete_tells_the_reason(patient: Gateway, shop: Server) -> None:
    with psycopg.connect(patient.dsn(), autocommit=True) as agent:
        running = InBackground(lambda: agent.execute("DELETE FROM orders"))
        request = wait_for_request(patient)
        assert patient.cli("deny", str(request["id"]), "--reason", "not on a Friday").returncode == 0
        with pytest.raises(errors.InsufficientPrivilege, match="not on a Friday"):
            running.end()
        assert agent.execute("SELECT 1").fetchone() == (1,)
    assert left(shop) == 100


def test_an_approver_without_an_account_here_approves_over_http(shop: Server, tmp_path: Path) -> None:
    token, port = "wpa_" + "t" * 40, free_port()
    extra = f"""
[api]
port = {port}
[approver.remote]
token_sha256 = ["{hashlib.sha256(token.encode()).hexdigest()}"]
"""
    plan = GatewayPlan(server=shop, dbname=DBNAME, policy="agent-default", wait_s=60, extra=extra)
    with running_gateway(plan, tmp_path / "http") as gateway, psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        running = InBackground(lambda: agent.execute("DELETE FROM orders WHERE id <= 7").rowcount)
        name = wait_for_request(gateway)["id"]
        call = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/requests/{name}/approve",
            data=b'{"reason": "ticket 4711"}',
            headers={"Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(call, timeout=10) as answer:
            assert json.load(answer)["state"] == "approved"
        assert running.end() == 7
        session = json.loads(gateway.cli("status", "--sessions", "--json").stdout)["open_sessions"][0]["session"]
        assert "APPROVED by remote" in gateway.cli("replay", session).stdout


def test_a_ticket_passes_once_for_the_same_statement(hasty: Gateway, shop: Server) -> None:
    with psycopg.connect(hasty.dsn(), autocommit=True) as agent:
        with pytest.raises(errors.InsufficientPrivilege, match="pending"):
            agent.execute("DELETE FROM orders WHERE id = 1")
        request = wait_for_request(hasty)
        with pytest.raises(errors.InsufficientPrivilege, match=str(request["id"])):
            agent.execute("DELETE FROM orders WHERE id = 1")
        assert hasty.cli("approve", str(request["id"])).returncode == 0
        assert agent.execute("DELETE FROM orders WHERE id = 1").rowcount == 1
        with pytest.raises(errors.InsufficientPrivilege):
            agent.execute("DELETE FROM orders WHERE id = 1")
    assert left(shop) == 99


def test_an_approval_is_for_these_values_these_bytes_and_this_identity(hasty: Gateway, shop: Server) -> None:
    with (
        psycopg.connect(hasty.dsn(), autocommit=True) as agent,
        psycopg.connect(hasty.dsn("other"), autocommit=True) as other,
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            agent.execute("DELETE FROM orders WHERE id = %s", [1])
        assert hasty.cli("approve", str(wait_for_request(hasty)["id"])).returncode == 0
        for connection, text, values in (
            (agent, "DELETE FROM orders WHERE id = %s", [2]),
            (agent, "DELETE FROM orders WHERE id  = %s", [1]),
            (agent, "DELETE FROM orders WHERE id = 1", None),
            (other, "DELETE FROM orders WHERE id = %s", [1]),
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(text, values)
        assert left(shop) == 100
        assert agent.execute("DELETE FROM orders WHERE id = %s", [1]).rowcount == 1


def test_what_was_held_when_its_client_hung_up_never_runs(patient: Gateway, shop: Server) -> None:
    with raw.raw_connection(patient.dsn()) as connection:
        connection.send(raw.query("DELETE FROM orders"))
        request = wait_for_request(patient)
        connection.sock.shutdown(socket.SHUT_RDWR)
    deadline = time.monotonic() + 20
    while requests(patient) and time.monotonic() < deadline:
        pass
    assert requests(patient) == []
    assert patient.cli("approve", str(request["id"])).returncode == 1
    assert left(shop) == 100


def test_a_cancelled_hold_leaves_the_session_alive(patient: Gateway, shop: Server) -> None:
    with psycopg.connect(patient.dsn(), autocommit=True) as agent:
        running = InBackground(lambda: agent.execute("DELETE FROM orders"))
        wait_for_request(patient)
        agent.cancel_safe()
        with pytest.raises(errors.QueryCanceled):
            running.end()
        assert agent.execute("SELECT 1").fetchone() == (1,)
    assert requests(patient) == []
    assert left(shop) == 100


def test_who_has_as_many_requests_as_may_be_open_is_told_how_one_is_closed(hasty: Gateway, shop: Server) -> None:
    def held(row: int) -> psycopg.Error:
        with pytest.raises(errors.InsufficientPrivilege) as caught:
            agent.execute(f"DELETE FROM orders WHERE id = {row}".encode())
        return caught.value

    with psycopg.connect(hasty.dsn(), autocommit=True) as agent:
        for row in range(20):
            held(row)
        refused = held(20).diag
        assert refused.message_detail == "20 of your requests wait for a decision; no more than 20 may"
        for word in ("approver approves or denies", "wireproxy approvals", "expires", "cancel", "Nothing was run"):
            assert word in (refused.message_hint or "")
        assert "pending" in str(held(19))  # takes up its own request
        request = str(requests(hasty)[0]["id"])
        assert hasty.cli("deny", request, "--reason", "no").returncode == 0
        assert "pending" in str(held(20))
    assert left(shop) == 100


def test_who_need_not_wait_hears_no_notice_of_waiting(hasty: Gateway) -> None:
    notices: list[str] = []
    with psycopg.connect(hasty.dsn(), autocommit=True) as agent:
        agent.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        with pytest.raises(errors.InsufficientPrivilege, match="is pending"):
            agent.execute("DELETE FROM orders WHERE id = 6")
        request = wait_for_request(hasty)
        assert hasty.cli("approve", str(request["id"])).returncode == 0
        assert agent.execute("DELETE FROM orders WHERE id = 6").rowcount == 1
    assert notices == []


def test_a_request_survives_a_restart_of_the_gateway(shop: Server, tmp_path: Path) -> None:
    plan = GatewayPlan(server=shop, dbname=DBNAME, policy="agent-default", wait_s=0.2)
    with running_gateway(plan, tmp_path / "restarted") as first:
        with psycopg.connect(first.dsn(), autocommit=True) as agent, pytest.raises(errors.InsufficientPrivilege):
            agent.execute("DELETE FROM orders WHERE id = 5")
        request = wait_for_request(first)
    with serving(first.config, first.port, DBNAME) as second:
        assert [found["id"] for found in requests(second)] == [request["id"]]
        assert second.cli("approve", str(request["id"])).returncode == 0
        with psycopg.connect(second.dsn(), autocommit=True) as agent:
            assert agent.execute("DELETE FROM orders WHERE id = 5").rowcount == 1


def test_results_before_a_held_statement_of_a_pipeline_arrive_while_it_waits(patient: Gateway, shop: Server) -> None:
    with raw.raw_connection(patient.dsn()) as connection:
        connection.send(
            raw.parse("", "SELECT 41 + 1") + raw.bind("", "") + raw.execute()
            + raw.parse("", "DELETE FROM orders WHERE id = 3") + raw.bind("", "") + raw.execute() + raw.SYNC
        )  # fmt: skip
        before = b"".join(connection.read_until(b"C"))
        assert b"42" in before
        request = wait_for_request(patient)
        assert patient.cli("approve", str(request["id"])).returncode == 0
        after = b"".join(connection.read_until(b"Z"))
        assert b"DELETE 1" in after
    assert left(shop) == 99


def test_an_approver_sees_the_open_transaction_and_the_estimate(patient: Gateway) -> None:
    with psycopg.connect(patient.dsn(), autocommit=True) as agent:
        agent.execute("BEGIN")
        agent.execute("SELECT count(*) FROM orders")
        running = InBackground(lambda: agent.execute("DELETE FROM orders WHERE id > 50"))
        request = wait_for_request(patient)
        shown = patient.cli("show", str(request["id"]), "--json")
        facts = json.loads(shown.stdout)
        assert facts["transaction"] == "in transaction"
        assert 40 <= facts["estimated_rows"] <= 60  # the planner's, from a sample
        assert any("SELECT count(*)" in statement for statement in facts["done"])
        preview = patient.cli("preview", str(request["id"]))
        assert preview.returncode == 0, preview.stderr
        assert "50" in preview.stdout
        assert patient.cli("deny", str(request["id"]), "--reason", "test").returncode == 0
        with pytest.raises(errors.InsufficientPrivilege):
            running.end()
        agent.execute("ROLLBACK")


def test_a_gateway_that_is_stopped_keeps_the_requests_whose_clients_wait(shop: Server, tmp_path: Path) -> None:
    extra = "[gateway]\ndrain_s = 0.2\n"
    plan = GatewayPlan(server=shop, dbname=DBNAME, policy="agent-default", wait_s=60, extra=extra)
    with running_gateway(plan, tmp_path / "stopped") as gateway:
        with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
            running = InBackground(lambda: agent.execute("DELETE FROM orders WHERE id <= 7"))
            name = str(wait_for_request(gateway)["id"])
            gateway.process.send_signal(signal.SIGTERM)
            with pytest.raises(errors.AdminShutdown, match=f"{name} stays open"):
                running.end()
        assert gateway.process.wait(timeout=20) == 0
        with serving(gateway.config, gateway.port, DBNAME) as again:
            assert again.cli("approve", name).returncode == 0
            assert left(shop) == 100
            with psycopg.connect(again.dsn(), autocommit=True) as agent:
                assert agent.execute("DELETE FROM orders WHERE id <= 7").rowcount == 7
            assert again.cli("verify").returncode == 0


def test_what_an_approver_is_told_runs_nothing_of_what_is_held(shop: Server, tmp_path: Path) -> None:
    """The planner evaluates immutable functions of constants: asked for an estimate, it would run what waits."""
    with psycopg.connect(shop.dsn(DBNAME), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {DBNAME} SET track_functions = 'all'")
        admin.execute(
            "CREATE FUNCTION loud(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
            "$$ BEGIN EXECUTE 'SELECT 1'; RETURN x; END $$"
        )
    plan = GatewayPlan(
        server=shop, dbname=DBNAME, policy="strict", wait_s=0.2, extra='[policy.strict]\ndefault = "hold"'
    )
    with (
        running_gateway(plan, tmp_path / "strict") as gateway,
        psycopg.connect(gateway.dsn(), autocommit=True) as agent,
    ):
        for statement in ("DELETE FROM orders WHERE id = loud(3)", "DELETE FROM orders WHERE id = 3"):
            with pytest.raises(errors.InsufficientPrivilege, match="is pending"):
                agent.execute(statement)
        assert [request["estimated_rows"] for request in requests(gateway)] == [None, 1.0]
    with psycopg.connect(shop.dsn(DBNAME)) as admin:
        calls = "SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE funcname = 'loud'"
        assert admin.execute(calls).fetchone() == (0,)
        admin.execute("EXPLAIN DELETE FROM orders WHERE id = loud(3)")
    with psycopg.connect(shop.dsn(DBNAME)) as admin:
        assert admin.execute(calls).fetchone() == (1,), "or this test would not notice"


@pytest.mark.parametrize(
    "statement", ["REFRESH MATERIALIZED VIEW nothing", "EXECUTE nothing", "CREATE TABLE t AS EXECUTE nothing", "VACUUM", "CALL x()"]
)  # fmt: skip
def test_whatever_is_held_its_session_lives_on(hasty: Gateway, statement: str) -> None:
    with psycopg.connect(hasty.dsn(), autocommit=True) as agent:
        with pytest.raises(psycopg.Error):
            agent.execute(statement)
        assert agent.execute("SELECT 1").fetchone() == (1,)


def test_a_session_with_a_hold_replays_and_verifies(hasty: Gateway) -> None:
    with psycopg.connect(hasty.dsn(), autocommit=True) as agent:
        with pytest.raises(errors.InsufficientPrivilege):
            agent.execute("DELETE FROM orders WHERE id = 9")
        hasty.cli("approve", str(wait_for_request(hasty)["id"]))
        agent.execute("DELETE FROM orders WHERE id = 9")
    deadline = time.monotonic() + 10
    while True:
        sessions = lines(hasty.cli("sessions", "--user", "agent", "--json").stdout)
        if all(session.get("state") != "open" for session in sessions) or time.monotonic() > deadline:
            break
    verified = hasty.cli("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    replayed = hasty.cli("replay", str(sessions[0].get("session") or sessions[0].get("id")))
    assert replayed.returncode == 0, replayed.stderr
    assert "DELETE FROM orders WHERE id = 9" in replayed.stdout
    assert "approved" in replayed.stdout


def test_what_runs_for_a_client_that_hung_up_is_cancelled(patient: Gateway, shop: Server) -> None:
    text = "SELECT count(*) FROM generate_series(1, 2000000000) AS abandoned"
    with raw.raw_connection(patient.dsn()) as connection:
        connection.send(raw.query(text))
        running = (
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%abandoned' AND state = 'active' AND pid <> %s"
        )
        with psycopg.connect(shop.dsn(DBNAME), autocommit=True) as watcher:

            def at_work() -> bool:
                row = watcher.execute(running, [watcher.info.backend_pid]).fetchone()
                return row is not None and row[0] == 1

            deadline = time.monotonic() + 20
            while not at_work() and time.monotonic() < deadline:
                pass
            assert at_work()
            connection.sock.shutdown(socket.SHUT_RDWR)
            while at_work() and time.monotonic() < deadline:
                pass
            assert not at_work()
