"""The MySQL port: from a connection to a session, with the face of the targets behind it."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import trio

from protocols.base import ProtocolError
from rules.model import Dialect
from wireproxy.config.model import Database, Listen
from wireproxy.live import Live
from wireproxy.mysql.killing import OwnConnections
from wireproxy.mysql.login import Logins
from wireproxy.mysql.namespace import PROBE, MySqlNamespace, setup
from wireproxy.mysql.reentry import FrontDoor
from wireproxy.mysql.session import MySqlSession
from wireproxy.mysql.target import MySqlTarget
from wireproxy.mysql.upstream import MySqlUpstream, ask, connect_mysql
from wireproxy.mysql.welcome import (
    Face,
    MySqlArrival,
    finish_welcome,
    refuse_welcome,
    welcome_mysql,
)
from wireproxy.port import Port, minute_of_week
from wireproxy.target import Bench, CatalogError
from wireproxy.tls import ServerCertificate
from wireproxy.upstream import UpstreamError, unreachable
from wireproxy.wire import BrokenWire, Wire

if TYPE_CHECKING:
    from wireproxy.gateway import Gateway

LOOK_AGAIN_S = (
    30.0  # a client that has proved nothing must not make the gateway connect to a target that is down, again and again
)


class MySqlPort(Port[MySqlArrival]):
    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self.logins = Logins()
        self._door = FrontDoor(lambda: gateway.config, lambda: gateway.identification, self.logins)
        self._looked_s = -math.inf  # when the targets were last asked what they look like
        self._looked = trio.Event()  # once they were: nobody is greeted before

    async def welcome(self, wire: Wire, listen: Listen, certificate: ServerCertificate | None) -> MySqlArrival | None:
        gateway = self.gateway
        face = await self.face()
        return await welcome_mysql(wire, listen, gateway.config, gateway.identification, certificate, self.logins, face)

    async def serve(self, arrival: MySqlArrival) -> None:
        try:
            with self.admitted(arrival):
                await self._serve(arrival)
        except UpstreamError as error:
            self.no_session(arrival, error)
            refuse_welcome(arrival, error)
        except CatalogError as error:
            refuse_welcome(arrival, UpstreamError("58000", f"wireproxy: {error}"))

    async def face(self) -> Face:
        """As the targets look: the version of the first, and MariaDB only where all are."""
        names = [name for name, database in self.gateway.config.databases.items() if database.dialect is Dialect.MYSQL]
        ask = trio.current_time() - self._looked_s > LOOK_AGAIN_S
        if ask:
            self._looked_s = trio.current_time()
        else:
            await self._looked.wait()
        try:
            versions = [await self._version(name, ask=ask) for name in names]
        finally:
            self._looked.set()
        known = [version for version in versions if version is not None]
        if not known:
            return Face()
        mariadb = len(known) == len(versions) and all("mariadb" in version.lower() for version in known)
        return Face(known[0], mariadb)

    async def _version(self, name: str, *, ask: bool) -> str | None:
        target = self._target(name)
        if target.server_version is None and ask:
            try:
                await target.refresh()
            except CatalogError:
                return None  # whoever wants this database will be told
        return target.server_version

    def _target(self, name: str) -> MySqlTarget:
        target = self.gateway.target(name)
        assert isinstance(target, MySqlTarget)
        return target

    async def _serve(self, arrival: MySqlArrival) -> None:
        """Raises UpstreamError, CatalogError while the client waits for the end of its login."""
        target = self._target(arrival.database.name)
        bench = await target.bench(arrival.identity)
        upstream = await connect_mysql(arrival.database, arrival.capabilities, arrival.charset)
        with upstream.wire:
            namespace = await open_namespace(upstream, arrival.database, read_only=bench.read_only)
            await self._open(arrival, upstream, namespace, target, bench)

    async def _open(
        self,
        arrival: MySqlArrival,
        upstream: MySqlUpstream,
        namespace: MySqlNamespace,
        target: MySqlTarget,
        bench: Bench,
    ) -> None:
        gateway = self.gateway
        log = self.open_log(arrival, upstream, bench)
        try:
            await finish_welcome(arrival, upstream.status)
        except BaseException as error:  # cancelled, too: a log that is not ended looks like one that was cut off
            log.end("the client hung up" if isinstance(error, BrokenWire) else "the gateway stopped")
            raise
        session = MySqlSession(
            gateway.hub, arrival, upstream, target, bench, gateway.desk, log, gateway.config, gateway.metrics, namespace,
            time.monotonic_ns, minute_of_week, OwnConnections(gateway.live, arrival.identity, arrival.database), self._door,
        )  # fmt: skip
        await self.run(Live(session, arrival.number))


async def open_namespace(upstream: MySqlUpstream, database: Database, *, read_only: bool) -> MySqlNamespace:
    """What the session starts with. `read_only` sets it so: a second fence behind a policy without writes.

    UpstreamError where the server does not tell, within `connect_timeout_s`.
    """
    texts = [*setup(upstream.capabilities, read_only=read_only), PROBE]
    try:
        with trio.fail_after(database.connect_timeout_s):
            answers = await ask(upstream, texts)
    except trio.TooSlowError:
        raise unreachable(database, f"no answer within {database.connect_timeout_s:g} s") from None
    except (BrokenWire, ProtocolError) as error:
        raise unreachable(database, str(error)) from None
    rows = answers[-1]
    return MySqlNamespace(rows[0] if len(rows) == 1 else ())
