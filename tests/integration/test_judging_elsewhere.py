"""A client that sends the worst texts it can find makes nobody wait but itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

# In the process of the gateway each would hold up everybody, for up to some seconds.
WORST = {
    "operands": "SELECT 1" + "+1" * 14_000,
    "more operands": "SELECT 1" + "+1" * 200_000,
    "alternatives": "SELECT id FROM judged_elsewhere WHERE " + " OR ".join(["id = 1"] * 5_000),
    "changes": "DELETE FROM judged_elsewhere WHERE email = 'x' AND (" + " OR ".join(["id = 1"] * 4_900) + ")",
    "statements": "SELECT 1;" * 1_900,
    "brackets": "SELECT " + "(" * 100_000 + "1",
    "one long word": "SELECT '" + "x" * 1_000_000 + "' FROM judged_elsewhere WHERE name = 'y'",
    "negations": "SELECT " + "NOT " * 100_000 + "true",
    "secrets": "SELECT 'password " + "x', 'y" * 100_000 + "'",
}
NOBODY_WAITS_S = 0.4  # on a machine that may be busy; without worker processes the longest wait is three times that
ROUNDS = 4


@pytest.fixture(scope="module")
def gateway(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    plan = GatewayPlan(
        postgres,
        policy="agent-default",
        users=("agent", "other"),
        masks={"*.judged_elsewhere.email": "redact"},
        wait_s=0.2,
    )
    with running_gateway(plan, Path(tmp_path_factory.mktemp("elsewhere"))) as found:
        yield found


def attack(dsn: str, start: int, stop: threading.Event, sent: dict[str, str]) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for number in range(1000 * start, 1000 * (start + 1)):  # texts that are new each time
            for name, text in WORST.items():
                if stop.is_set():
                    return
                try:
                    connection.execute(text + f" -- {number}")
                    sent[name] = "passed"
                except psycopg.Error as error:
                    sent[name] = str(error.sqlstate)


def test_others_do_not_wait_while_worst_cases_are_judged(gateway: Gateway, postgres: Server) -> None:
    """In the gateway's process somebody would wait in each round; a machine that stands still does not do so in all."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as direct:
        direct.execute("CREATE TABLE IF NOT EXISTS judged_elsewhere (id int, name text, email text)")
    rounds = []
    for number in range(ROUNDS):
        took = waits(gateway, number)
        if took[-1] < NOBODY_WAITS_S:
            return
        rounds.append(f"median {took[len(took) // 2]:.4f} s, longest {took[-5:]}")
    raise AssertionError(rounds)


def waits(gateway: Gateway, number: int) -> list[float]:
    """How long the statements of another took, in seconds, while each of the worst texts was judged; the longest last."""
    stop = threading.Event()
    sent: dict[str, str] = {}
    attacker = threading.Thread(target=attack, args=(gateway.dsn("agent"), number, stop, sent))
    took = []
    with psycopg.connect(gateway.dsn("other"), autocommit=True) as mine:
        mine.execute("SELECT 1")
        attacker.start()
        try:
            deadline = time.monotonic() + 45  # it is over when each text was answered
            while time.monotonic() < deadline and len(sent) < len(WORST):
                started = time.monotonic()
                assert mine.execute("SELECT 1").fetchone() == (1,)
                took.append(time.monotonic() - started)
                time.sleep(0.01)  # a client that thinks
        finally:
            stop.set()
            attacker.join()
        assert set(sent) == set(WORST), "each was answered, and the attacker's session went on"
    return sorted(took)


def test_a_long_statement_that_is_fine_passes_in_every_form(gateway: Gateway) -> None:
    text = "SELECT " + ",".join(f"{number} AS c{number}" for number in range(600))
    with psycopg.connect(gateway.dsn("agent"), autocommit=True) as connection:
        for _ in range(2):
            assert connection.execute(text).fetchone() == tuple(range(600))
        assert connection.execute(text + " WHERE 1 = %s", (1,), prepare=True).fetchone() == tuple(range(600))
        connection.execute(f"PREPARE long AS {text}")
        assert len(connection.execute("EXECUTE long").fetchone() or ()) == 600
        with connection.pipeline():
            found = [connection.execute(text + f" -- {number}") for number in range(3)]
        assert [each.fetchone() for each in found] == [tuple(range(600))] * 3
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute(text + " FROM pg_sleep(0)")
        assert connection.execute("SELECT 1").fetchone() == (1,)
