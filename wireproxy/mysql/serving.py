"""From a connection on the MySQL port to a session: the counterpart of what `wireproxy.gateway` does for Postgres."""

from __future__ import annotations

import math
import secrets
import time
from typing import TYPE_CHECKING

import structlog
import trio
from attrs import define, field

from protocols.base import ProtocolError
from rules.model import Dialect
from wireproxy.config.model import Listen
from wireproxy.log import LogError, new_session_id
from wireproxy.mysql.namespace import PROBE, READ_ONLY, SETUP, MySqlNamespace
from wireproxy.mysql.session import MASKED, MySqlSession
from wireproxy.mysql.target import MySqlTarget
from wireproxy.mysql.upstream import MySqlUpstream, ask, connect_mysql, unreachable
from wireproxy.mysql.welcome import (
    Face,
    Logins,
    MySqlArrival,
    finish_welcome,
    refuse_welcome,
    welcome_mysql,
)
from wireproxy.target import Bench, CatalogError
from wireproxy.tls import ServerCertificate
from wireproxy.upstream import UpstreamError
from wireproxy.wire import BrokenWire, Wire

if TYPE_CHECKING:
    from wireproxy.gateway import Gateway

LOOK_AGAIN_S = (
    30.0  # a client that has proved nothing must not make the gateway connect to a target that is down, again and again
)
_log = structlog.get_logger("mysql")


@define
class MySqlPort:
    """What all connections of the MySQL port share."""

    gateway: Gateway
    logins: Logins = field(factory=Logins)
    _looked_s: float = -math.inf  # when the targets were last asked what they look like

    async def attend(self, wire: Wire, listen: Listen, certificate: ServerCertificate | None) -> None:
        """One connection, from its first byte to its last. BrokenWire, ProtocolError when it ends early."""
        gateway = self.gateway
        arrival = await welcome_mysql(
            wire, listen, gateway.config, gateway._identification, certificate, self.logins, await self.face()
        )
        if arrival is None:
            gateway.metrics.refused_logins += 1
            return
        try:
            await self._serve(arrival)
        except UpstreamError as error:
            _log.warning("no_session", database=arrival.database.name, reason=error.reason)
            gateway.metrics.upstream_errors += 1
            refuse_welcome(arrival, error)
        except CatalogError as error:
            refuse_welcome(arrival, UpstreamError("58000", f"wireproxy: {error}"))

    async def face(self) -> Face:
        """As the targets look: the version of the first, and MariaDB only where all are."""
        names = [name for name, database in self.gateway.config.databases.items() if database.dialect is Dialect.MYSQL]
        ask = trio.current_time() - self._looked_s > LOOK_AGAIN_S
        if ask:
            self._looked_s = trio.current_time()
        versions = [await self._version(name, ask=ask) for name in names]
        known = [version for version in versions if version is not None]
        if not known:
            return Face()
        mariadb = len(known) == len(versions) and all("mariadb" in version.lower() for version in known)
        return Face(known[0], mariadb)

    async def _version(self, name: str, *, ask: bool) -> str | None:
        target = self.target(name)
        if target.server_version is None and ask:
            try:
                await target.refresh()
            except CatalogError:
                return None  # whoever wants this database will be told
        return target.server_version

    def target(self, name: str) -> MySqlTarget:
        gateway = self.gateway
        target = gateway.targets.get(name)
        if not isinstance(target, MySqlTarget):
            target = MySqlTarget(gateway.config.databases[name], gateway.config, gateway._mask_key)
            gateway.targets[name] = target
        return target

    async def _serve(self, arrival: MySqlArrival) -> None:
        """Raises UpstreamError, CatalogError while the client waits for the end of its login."""
        gateway = self.gateway
        gateway._admit(arrival)
        target = self.target(arrival.database.name)
        bench = await target.bench(arrival.identity)
        if bench.masks is not None:
            raise UpstreamError("0A000", f"wireproxy: {MASKED}")
        upstream = await connect_mysql(arrival.database, arrival.capabilities, arrival.charset)
        with upstream.wire:
            try:
                namespace = await open_namespace(upstream, read_only=bench.read_only)
            except (BrokenWire, ProtocolError) as error:
                raise unreachable(arrival.database, str(error)) from None
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
        session_id = new_session_id()
        try:
            # of the upstream it reads what both dialects have: the server's version and its number of the session
            log = gateway._new_log(gateway._start(session_id, arrival, upstream, bench))  # type: ignore[arg-type]
        except LogError as error:
            raise UpstreamError("58030", "wireproxy: the session log cannot be written", str(error)) from error
        try:
            await finish_welcome(arrival, upstream.status)
        except BrokenWire:
            log.end("the client hung up")
            raise
        from wireproxy.gateway import _Live, minute_of_week  # it imports this module

        assert gateway.desk is not None
        session = MySqlSession(
            gateway.hub, arrival, upstream, target, bench, gateway.desk, log, gateway.config, gateway.metrics, namespace,
            time.monotonic_ns, minute_of_week,
        )  # fmt: skip
        gateway.sessions[session_id] = _Live(session, upstream.process_id, secrets.token_bytes(32))
        gateway.metrics.sessions_opened += 1
        try:
            await session.run()
        finally:
            del gateway.sessions[session_id]
            gateway._session_ended.set()
            gateway._session_ended = trio.Event()
            gateway.metrics.sessions_closed += 1


async def open_namespace(upstream: MySqlUpstream, *, read_only: bool) -> MySqlNamespace:
    """What the session starts with. `read_only` sets it so: a second fence behind a policy without writes."""
    setup = (*SETUP, READ_ONLY) if read_only else SETUP
    answers = await ask(upstream, [*setup, PROBE])
    (row,) = answers[-1] or ((),)
    return MySqlNamespace(row)
