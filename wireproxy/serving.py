"""The Postgres port: from a connection to a session, and cancel requests."""

from __future__ import annotations

import hmac
import time

import structlog

from wireproxy.config.model import Listen
from wireproxy.live import Live
from wireproxy.opening import READ_ONLY, open_namespace
from wireproxy.port import Port, minute_of_week
from wireproxy.postgres.session import PostgresSession
from wireproxy.target import Bench, CatalogError, Target, Unreachable
from wireproxy.tls import ServerCertificate
from wireproxy.upstream import Upstream, UpstreamError, connect
from wireproxy.welcome import Arrival, CancelArrival, finish_welcome, new_secret, refuse_welcome, welcome
from wireproxy.wire import BrokenWire, Wire

_log = structlog.get_logger("gateway")


class PostgresPort(Port[Arrival | CancelArrival]):
    async def welcome(
        self, wire: Wire, listen: Listen, certificate: ServerCertificate | None
    ) -> Arrival | CancelArrival | None:
        return await welcome(wire, listen, self.gateway.config, self.gateway.identification, certificate)

    async def serve(self, arrival: Arrival | CancelArrival) -> None:
        if isinstance(arrival, CancelArrival):
            await self._cancel(arrival)
            return
        try:
            with self.admitted(arrival):
                await self._serve(arrival)
        except UpstreamError as error:
            self.no_session(arrival, error)
            refuse_welcome(arrival.wire, error)
        except CatalogError as error:
            self.gateway.metrics.upstream_errors += 1
            sqlstate = "08006" if isinstance(error, Unreachable) else "58000"
            refuse_welcome(arrival.wire, UpstreamError(sqlstate, f"wireproxy: {error}"))

    async def _cancel(self, arrival: CancelArrival) -> None:
        for live in self.gateway.live:
            if live.number == arrival.process_id and hmac.compare_digest(live.secret, arrival.secret):
                try:
                    await live.session.cancel()
                except UpstreamError as error:
                    _log.info("cancel_failed", reason=error.reason)

    async def _serve(self, arrival: Arrival) -> None:
        """Raises UpstreamError, CatalogError while the client waits for the end of its login."""
        target = self.gateway.target(arrival.database.name)
        bench = await target.bench(arrival.identity)
        pinned = READ_ONLY if bench.read_only else {}
        upstream = await connect(arrival.database, arrival.parameters, arrival.protocol[1], pinned=pinned)
        with upstream.wire:
            await self._open(arrival, upstream, target, bench)

    async def _open(self, arrival: Arrival, upstream: Upstream, target: Target, bench: Bench) -> None:
        gateway = self.gateway
        namespace = await open_namespace(upstream, arrival.database)
        secret = new_secret(arrival.protocol)
        log = self.open_log(arrival, upstream, bench)
        scrub = bench.masks.scrub_diagnostic if bench.masks is not None else None
        try:
            await finish_welcome(arrival.wire, upstream, upstream.process_id, secret, scrub=scrub)
        except BaseException as error:  # cancelled, too: a log that is not ended looks like one that was cut off
            log.end("the client hung up" if isinstance(error, BrokenWire) else "the gateway stopped")
            raise
        session = PostgresSession(
            gateway.hub, arrival, upstream, target, bench, gateway.desk, log, gateway.config, gateway.metrics, namespace,
            time.monotonic_ns, minute_of_week,
        )  # fmt: skip
        await self.run(Live(session, upstream.process_id, secret))
