"""Real servers and gateways as fixtures. Each starts when a test first asks for it; none that is missing is skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import settings

import protocols.postgres.relay
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.programs import Missing, postgres18_programs, postgres_programs
from tests.support.servers import Server, Servers

# How long one example may take says only how busy the machine is; where a time is the claim, the test itself measures it.
settings.register_profile("suite", parent=settings.default, deadline=None)
settings.load_profile("suite")


# Files that take longest. Their tests stay together on one worker, so they begin first: begun last, it would be alone in the end.
LONGEST = (
    "test_regress.py",
    "test_backtest_live.py",
    "test_holding.py",
    "test_mysql_masking_canary.py",
    "test_masking_canary.py",
    "test_masking_canary_wide.py",
    "test_mysql_exemptions.py",
    "test_outline.py",
    "test_exemptions.py",
    "test_prepared_before.py",
    "test_mysql_commands.py",
    "test_pg_dump.py",
    "test_mysql_programs.py",
    "test_mysql_previews.py",
    "test_mysql_shape.py",
    "test_demo.py",
    "test_workers.py",
    "test_store_stateful.py",
)


class StartGateway(Protocol):
    """Starts a gateway in front of a server; it ends with the test."""

    def __call__(self, plan: GatewayPlan) -> Gateway: ...


_STARTED: dict[str, str] = {}


def pytest_configure() -> None:
    if os.environ.get("WIREPROXY_COMPILED") and not protocols.postgres.relay.__file__.endswith(".so"):
        raise pytest.UsageError(f"the compiled build is to be tested, and this is {protocols.postgres.relay.__file__}")


def pytest_report_header() -> list[str]:
    lines = []
    for name, find in (("postgres", postgres_programs), ("postgres18", postgres18_programs)):
        try:
            programs = find()
            lines.append(f"{name}: {programs.version()}, {programs.origin}")
        except Missing as error:
            lines.append(f"{name}: {error}")
    return lines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Each worker starts servers of its own; one that is named in the environment cannot be shared."""
    given = any(name.startswith("WIREPROXY_TEST_") for name in os.environ)
    return 1 if given else min(len(os.sched_getaffinity(0)), 4)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if isinstance(output := getattr(session.config, "workeroutput", None), dict):
        output["started"] = _STARTED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _STARTED.update(getattr(node, "workeroutput", {}).get("started", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, version in _STARTED.items():
        terminalreporter.write_line(f"ran against {name}: {version}")


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Every server of this run. Ends those that it started."""
    running = Servers()
    try:
        yield running
    finally:
        _STARTED.update({name: server.version for name, server in running.running.items()})
        running.close()


@pytest.fixture(scope="session")
def postgres(servers: Servers) -> Server:
    """PostgreSQL of the machine or of Debian, with TLS."""
    return servers.postgres()


@pytest.fixture(scope="session")
def postgres18(servers: Servers) -> Server:
    """PostgreSQL 18, with protocol 3.2 and without TLS."""
    return servers.postgres18()


@pytest.fixture(scope="session")
def mariadb(servers: Servers) -> Server:
    """MariaDB 10.11, with TLS."""
    return servers.mariadb()


@pytest.fixture(scope="session")
def mysql(servers: Servers) -> Server:
    """MySQL 9, with TLS; caching_sha2_password is its default."""
    return servers.mysql()


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[StartGateway]:
    """Makes gateways with a configuration of the test's own."""
    with ExitStack() as stack:
        count = iter(range(1, 100))

        def start(plan: GatewayPlan) -> Gateway:
            return stack.enter_context(running_gateway(plan, tmp_path / f"gateway{next(count)}"))

        yield start


@pytest.fixture(scope="session")
def allow_all(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway in front of `postgres` that allows everything and masks nothing, for all tests of transparency."""
    with running_gateway(
        GatewayPlan(server=postgres, dbname="routed"), tmp_path_factory.mktemp("allow-all")
    ) as gateway:
        yield gateway
