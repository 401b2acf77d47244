"""How a test of a MySQL client reaches a database of its own: directly, or through a gateway that allows everything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import trustme
from attrs import define, field, frozen

from tests.integration.mysql_gateway import direct
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

ROUTED = "routed"


@frozen
class MySqlRoute:
    """The same account and database on either route. `ca` signed the certificate of whoever listens."""

    name: str  # direct, through
    family: str  # mariadb, mysql
    host: str
    port: int
    user: str
    password: str
    dbname: str
    ca: Path
    server: Server

    @property
    def url(self) -> str:
        return f"{self.user}:{self.password}@{self.host}:{self.port}/{self.dbname}"


@define
class Gateways:
    """One for each server, for all tests of clients."""

    folder: Path
    _stack: ExitStack = field(factory=ExitStack)
    _running: dict[str, Gateway] = field(factory=dict)

    def route(self, name: str, family: str, server: Server) -> MySqlRoute:
        fresh_database(server)
        if name == "direct":
            assert server.tls_ca is not None
            return MySqlRoute(
                name, family, server.host, server.port, server.user, server.password, ROUTED, server.tls_ca, server
            )
        gateway = self._running.get(family)
        if gateway is None:
            gateway = self._running[family] = self._start(family, server)
        return MySqlRoute(
            name,
            family,
            "127.0.0.1",
            gateway.port,
            "agent",
            "agent-secret",
            ROUTED,
            self.folder / f"{family}-ca.pem",
            server,
        )

    def _start(self, family: str, server: Server) -> Gateway:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.folder / f"{family}-ca.pem"))
        issued = authority.issue_cert("localhost", "127.0.0.1")
        certificate, key = self.folder / f"{family}.crt", self.folder / f"{family}.key"
        certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        key.touch(mode=0o600)
        key.write_bytes(issued.private_key_pem.bytes())
        plan = GatewayPlan(server=server, dialect="mysql", dbname=ROUTED, tls=(certificate, key))
        return self._stack.enter_context(running_gateway(plan, self.folder / family))

    def close(self) -> None:
        self._stack.close()


def fresh_database(server: Server) -> None:
    with closing(direct(server, "mysql")) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {ROUTED}")
        cursor.execute(f"CREATE DATABASE {ROUTED} CHARACTER SET utf8mb4")


def gateways(folder: Path) -> Iterator[Gateways]:
    running = Gateways(folder)
    try:
        yield running
    finally:
        running.close()
