"""From a connection to a session: what is the same on every dialect's port.

A dialect brings a `Port` of its own and names it in `wireproxy.dialects`. It greets, lets in and connects in its own words;
admission, the session's log, the list of open sessions and the counters are here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import structlog

from protocols.postgres.messages import error_fields
from wireproxy.live import Live
from wireproxy.log import LOG_HINT, LogError, SessionLog, new_session_id
from wireproxy.upstream import UpstreamError

if TYPE_CHECKING:
    from wireproxy.config.model import Listen
    from wireproxy.gateway import Gateway
    from wireproxy.target import Bench
    from wireproxy.tls import ServerCertificate
    from wireproxy.welcome import Arrival
    from wireproxy.wire import Wire


class Connected(Protocol):
    """A session of the target, as far as its log tells of it."""

    @property
    def process_id(self) -> int: ...

    @property
    def parameter_status(self) -> Mapping[str, str]: ...


A = TypeVar("A")  # what a dialect's welcome makes of a client


class Port(ABC, Generic[A]):
    """What all connections of one dialect share."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._diagnostics = structlog.get_logger("gateway")

    async def attend(self, wire: Wire, listen: Listen, certificate: ServerCertificate | None) -> None:
        """One connection, from its first byte to its last. BrokenWire, ProtocolError when it ends early."""
        with self.gateway.greeting.one() as scope:
            arrival = await self.welcome(wire, listen, certificate)
        if scope.cancelled_caught or arrival is None:
            self.gateway.metrics.refused_logins += 1
        else:
            await self.serve(arrival)

    @abstractmethod
    async def welcome(self, wire: Wire, listen: Listen, certificate: ServerCertificate | None) -> A | None:
        """None when there is nobody to serve: the client has been told why, and the wire is closed."""

    @abstractmethod
    async def serve(self, arrival: A) -> None:
        """From the proof of identity to the end of the session. A client that there is no session for is told why."""

    @contextmanager
    def admitted(self, arrival: Arrival) -> Iterator[None]:
        """Around the opening of a session, to its end. Raises UpstreamError when there is no room for another one."""
        gateway = self.gateway
        limits = gateway.config.limits
        live = gateway.live
        if gateway.draining:
            raise UpstreamError("57P03", "wireproxy: the gateway is shutting down")
        if len(live) + live.opening >= limits.sessions or live.of(arrival.identity) >= limits.sessions_per_user:
            raise UpstreamError("53300", "wireproxy: too many sessions are open")
        with live.expecting(arrival, gateway.config):
            yield

    def open_log(self, arrival: Arrival, connected: Connected, bench: Bench) -> SessionLog:
        """The log of a session that is about to begin. Raises UpstreamError: without it there is none.

        What a reload has taken away since the login is told here, while the client waits for an answer: told behind the welcome,
        it may lie unread in the client's buffer until the connection is found closed.
        """
        self.gateway.admit_again(arrival)
        start = self.gateway.session_start(new_session_id(), arrival, connected, bench)
        try:
            return self.gateway.new_log(start)
        except LogError as error:
            message = "wireproxy: the session log cannot be written, so nothing may run"
            fields = error_fields("58030", message, hint=LOG_HINT, severity="FATAL")
            raise UpstreamError("58030", message, str(error), fields) from error

    async def run(self, live: Live) -> None:
        """The session, from here to its end."""
        gateway = self.gateway
        session_id = live.session.log.session_id
        let_in_by = gateway.live.add(session_id, live)
        gateway.metrics.sessions_opened += 1
        try:
            if let_in_by is not gateway.config:  # a reload told the open sessions, of which this was none
                gateway.reconfigure(live.session)
            await live.session.run()
        finally:
            gateway.live.remove(session_id)
            gateway.metrics.sessions_closed += 1

    def no_session(self, arrival: Arrival, error: UpstreamError) -> None:
        """For the operator: a client that proved itself could not be served."""
        self._diagnostics.warning("no_session", database=arrival.database.name, reason=error.reason)
        self.gateway.metrics.upstream_errors += 1


def minute_of_week() -> int:
    now = datetime.now()
    return now.weekday() * 1440 + now.hour * 60 + now.minute
