"""pgbench in its three protocol modes, and a script of our own that pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Route

PIPELINED = """\\startpipeline
BEGIN;
SELECT abalance FROM pgbench_accounts WHERE aid = 1;
UPDATE pgbench_tellers SET tbalance = tbalance + 1 WHERE tid = 2;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (2, 1, 1, 1, CURRENT_TIMESTAMP);
END;
\\endpipeline
"""


@pytest.mark.parametrize("protocol", ["simple", "extended", "prepared"])
def test_every_transaction_of_every_client_succeeds(route: Route, protocol: str) -> None:
    route.run("pgbench", "-i", "-q", "-s", "1")
    done = route.run("pgbench", "-n", "-M", protocol, "-c", "4", "-t", "50", "-b", "tpcb-like@1", "-b", "select-only@1")
    assert "number of transactions actually processed: 200/200" in done.stdout
    assert "number of failed transactions: 0 " in done.stdout
    with route.connect() as connection:
        row = connection.execute(
            "SELECT sum(bbalance), (SELECT sum(delta) FROM pgbench_history) FROM pgbench_branches"
        ).fetchone()
    assert row is not None
    assert row[0] == row[1], "the books do not balance: a transaction was lost or ran twice"


@pytest.mark.parametrize("protocol", ["extended", "prepared"])
def test_pipelined_transactions_succeed(route: Route, protocol: str, tmp_path: Path) -> None:
    route.run("pgbench", "-i", "-q", "-s", "1")
    script = tmp_path / "pipelined.sql"
    script.write_text(PIPELINED, encoding="ascii")
    done = route.run("pgbench", "-n", "-M", protocol, "-c", "3", "-t", "40", "-f", str(script))
    assert "actually processed: 120/120" in done.stdout
    with route.connect() as connection:
        assert connection.execute("SELECT count(*) FROM pgbench_history").fetchone() == (120,)


def test_connecting_anew_for_every_transaction(route: Route) -> None:
    route.run("pgbench", "-i", "-q", "-s", "1")
    done = route.run("pgbench", "-n", "-C", "-S", "-c", "2", "-t", "10")
    assert "actually processed: 20/20" in done.stdout
