"""The same test over two routes: directly, and through a gateway that allows everything."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from attrs import frozen
from psycopg import sql

from tests.integration.mysql_routes import Gateways, MySqlRoute, gateways
from tests.support.gateway import Gateway
from tests.support.servers import Server

ROUTED = "routed"


@frozen
class Route:
    """How a test reaches a database of its own."""

    name: str  # direct, through
    dsn: str
    dbname: str
    server: Server  # what is behind it

    def connect(self, **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """A psycopg connection in autocommit mode."""
        return psycopg.connect(self.dsn, autocommit=True, **options)

    def run(
        self, program: str, *arguments: str, text: str | None = None, fails: bool = False, timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Runs one of PostgreSQL's programs against the database; its exit status must be 0 unless it `fails`."""
        assert self.server.programs is not None
        parts = urlsplit(self.dsn)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            **self.server.programs.environment,
            "PGHOST": str(parts.hostname),
            "PGPORT": str(parts.port),
            "PGUSER": str(parts.username),
            "PGPASSWORD": str(parts.password),
            "PGDATABASE": self.dbname,
            "PGSSLMODE": "disable",
            "LC_ALL": "C.UTF-8",
        }
        command: Sequence[str | os.PathLike[str]] = [self.server.programs / program, *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, env=environment, timeout=timeout_s)
        assert fails == bool(done.returncode), f"status {done.returncode}: {done.stdout}{done.stderr}"
        return done


@pytest.fixture
def database(postgres: Server) -> str:
    """A new empty database on `postgres`, always of the same name: that is the one the gateway knows."""
    name = sql.Identifier(ROUTED)
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    return ROUTED


@pytest.fixture(params=["direct", "through"])
def route(request: pytest.FixtureRequest, postgres: Server, database: str) -> Route:
    """The database directly, then the same through the gateway."""
    if request.param == "direct":
        return Route("direct", postgres.dsn(database), database, postgres)
    gateway: Gateway = request.getfixturevalue("allow_all")
    return Route("through", gateway.dsn(dbname=database), database, postgres)


@pytest.fixture(scope="session")
def mysql_gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    """Gateways that allow everything and mask nothing, in front of MariaDB and MySQL."""
    yield from gateways(tmp_path_factory.mktemp("allow-all-mysql"))


@pytest.fixture(
    params=[(family, name) for family in ("mariadb", "mysql") for name in ("direct", "through")], ids="-".join
)
def mysql_route(request: pytest.FixtureRequest, mysql_gateways: Gateways) -> MySqlRoute:
    """A new empty database on MariaDB and on MySQL, directly and through the gateway."""
    family, name = request.param
    return mysql_gateways.route(name, family, request.getfixturevalue(family))
