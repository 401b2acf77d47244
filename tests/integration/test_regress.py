"""PostgreSQL's own regression files: psql prints the same through an allow-all gateway as it prints directly."""

from __future__ import annotations

import difflib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from attrs import frozen

from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.regress import DBNAME, SETUP, Runner, Suite, find_suite
from tests.support.servers import Server, Servers
from wireproxy.demo.unprivileged import make_folder, server_account

# file -> why its output through the gateway differs from a direct run
EXPLAINED = {
    "largeobject": "libpq reads and writes large objects by FunctionCall messages; the gateway refuses those: they name a "
    "function by number, with no statement that could be judged",
}

DIFF_LINES = 30


@frozen
class Outcome:
    suite: Suite
    direct: dict[str, str]
    through: dict[str, str]


def _prepare(server: Server) -> Path:
    """The database as pg_regress makes it, and a folder that the server may write to."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DBNAME} TEMPLATE template0")
        connection.execute(SETUP)
    folder = make_folder(server_account(), "wireproxy-regress-")
    (folder / "results").mkdir()
    for path in (folder, folder / "results"):
        server_account().own(path)
    return folder


def _outputs(runner: Runner) -> tuple[dict[str, str], float]:
    began = time.monotonic()
    outputs = {
        name: output.replace(str(runner.results), "RESULTS") for name, output in runner.run(runner.suite.schedule())
    }
    return outputs, time.monotonic() - began


@pytest.fixture(scope="module")
def outcome(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Both runs at the same time, each in a cluster of its own: roles and tablespaces belong to a cluster."""
    direct, behind = servers.another_postgres("regress-direct"), servers.another_postgres("regress-through")
    assert direct.programs is not None
    suite = find_suite(direct.programs)
    folders = [_prepare(direct), _prepare(behind)]
    plan = GatewayPlan(server=behind, dbname=DBNAME, users=("postgres",))
    with running_gateway(plan, tmp_path_factory.mktemp("regress")) as gateway, ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(_outputs, Runner(suite, direct, direct.port, direct.password, folders[0])),
            pool.submit(_outputs, Runner(suite, behind, gateway.port, "postgres-secret", folders[1])),
        ]
        (one, one_s), (other, other_s) = (run.result() for run in runs)
    print(f"{len(one)} files: {one_s:.0f} s directly, {other_s:.0f} s through the gateway")
    return Outcome(suite=suite, direct=one, through=other)


@pytest.mark.timeout(900)
def test_the_direct_run_is_what_postgres_expects(outcome: Outcome) -> None:
    """Otherwise two runs that fail alike would pass for equal. What is left needs regress.so or another locale."""
    expected = outcome.suite.folder / "expected"
    passed = [
        name
        for name, output in outcome.direct.items()
        if any(output == path.read_text(encoding="utf-8", errors="replace") for path in expected.glob(f"{name}*.out"))
    ]
    assert len(passed) >= 0.85 * len(outcome.direct)


@pytest.mark.timeout(900)
def test_every_file_prints_the_same_through_the_gateway(outcome: Outcome) -> None:
    assert len(outcome.direct) > 150
    assert outcome.direct.keys() == outcome.through.keys()
    differing = {name for name, output in outcome.direct.items() if output != outcome.through[name]}
    unexplained = sorted(differing - EXPLAINED.keys())
    assert not unexplained, "\n".join(_difference(outcome, name) for name in unexplained)


@pytest.mark.timeout(900)
def test_every_explained_difference_is_still_there(outcome: Outcome) -> None:
    same = {name for name, output in outcome.direct.items() if output == outcome.through[name]}
    assert not same & EXPLAINED.keys(), "these files print the same now: take them off the list"


def _difference(outcome: Outcome, name: str) -> str:
    lines = difflib.unified_diff(
        outcome.direct[name].splitlines(),
        outcome.through[name].splitlines(),
        f"{name} direct",
        f"{name} through",
        n=1,
        lineterm="",
    )
    shown = list(lines)
    return "\n".join([*shown[:DIFF_LINES], f"… {len(shown)} lines of difference in {name}"])
