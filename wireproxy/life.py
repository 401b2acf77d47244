"""How a session lives: two sockets, a relay between them, jobs that take time, and one end.

Bytes come in by the pump's callbacks and go through `_turn`, which a dialect fills in: it runs the relay as far as it gets and
sends what that gives. What takes time (a hold, a catalog that must be read first) is a job of the session's own trio task,
which sleeps meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol, TypeVar

import structlog
import trio
from mypy_extensions import mypyc_attr

from protocols.base import AnyRelay, ProtocolError
from protocols.postgres.messages import error_fields
from wireproxy.config.model import Config
from wireproxy.holding import Holding
from wireproxy.log import LOG_HINT, LogError, SessionLog
from wireproxy.metrics import Metrics
from wireproxy.pump import GONE, HUNG_UP, READABLE, WRITABLE, Hub, Leg
from wireproxy.traces import where
from wireproxy.upstream import UpstreamError
from wireproxy.welcome import Arrival
from wireproxy.wire import Wire

LINGER_S = 60.0  # after the client has left, what it had sent may still be finished and recorded
PARTING_S = 1.0  # what a client sends into the end of its session is read so long: unread, it would make the kernel reset the rest
FLUSH_S = 10.0  # a client that does not read its last error does not keep the session
BACKLOG_BYTES = 256 * 1024  # of one leg: above it, the other leg is not read

Job = Callable[[], Awaitable[None]]
P = TypeVar("P")


class Connected(Protocol):
    """A session of the target, whatever the dialect."""

    @property
    def wire(self) -> Wire: ...

    @property
    def process_id(self) -> int: ...


@mypyc_attr(allow_interpreted_subclasses=True)
class Life:
    def __init__(
        self,
        relay: AnyRelay,
        hub: Hub,
        arrival: Arrival,
        upstream: Connected,
        log: SessionLog,
        config: Config,
        metrics: Metrics,
    ) -> None:
        self.relay = relay
        self.arrival = arrival
        self.identity = arrival.identity
        self.database = arrival.database
        self.upstream = upstream
        self.log = log
        self.config = config
        self.metrics = metrics
        self._diagnostics = structlog.get_logger("session").bind(session=log.session_id)
        self._jobs: deque[Job] = deque()
        self._wake = trio.Event()
        self._holding: Holding | None = None
        self._over: str | None = None  # why it ended
        self._at_rest: Callable[[], None] | None = None  # what ends it as soon as it is idle
        self._client_left = False
        self._abandoned = False  # the client left while the server was still at work for it
        self._server_done = trio.Event()
        self._active = True  # the client sent something since the last tick
        self._idle_s = 0
        self._client = Leg(hub, arrival.wire.sock, self._on_client, config.limits.read_bytes)
        self._server = Leg(hub, upstream.wire.sock, self._on_server, config.limits.read_bytes)

    # -- what a dialect fills in

    def _turn(self) -> None:
        """Run the relay until it waits for bytes or for an answer, and send what it gives."""
        raise NotImplementedError

    def _leave_server(self) -> None:
        """The client is gone and nothing is held: say goodbye to the server, or let it be if that cannot be said now."""
        raise NotImplementedError

    async def cancel(self) -> None:
        """End what the server runs for this session. A statement that is held is withdrawn instead. Raises UpstreamError."""
        raise NotImplementedError

    # -- from beginning to end

    async def run(self) -> None:
        """Until either side ends. The sockets are closed and the log is ended on every way out."""
        try:
            if unread := self.arrival.wire.take_unread():
                self._guarded(self.relay.feed_client, unread)
            if unread := self.upstream.wire.take_unread():
                self._guarded(self.relay.feed_server, unread)
            while self._over is None:
                await self._wake.wait()
                self._wake = trio.Event()
                while self._jobs and self._over is None:
                    await self._do(self._jobs.popleft())
            await self._wind_up()
        except trio.Cancelled:
            self._over = self._over or "the gateway stopped"
            raise
        finally:
            self._client.close()
            self._server.close()
            try:
                self._conclude()
                self.log.end(self._over or "an error of the gateway")
            except LogError as error:
                self._diagnostics.error("log_not_ended", error=str(error))

    def _conclude(self) -> None:
        """What is still to be recorded when the session ends. Raises LogError."""

    async def _do(self, job: Job) -> None:
        try:
            await job()
        except Exception as error:  # noqa: BLE001  a job that fails would leave its question open for ever
            self._fail_internally(error)

    async def _wind_up(self) -> None:
        """What is on its way still arrives, within bounds. What nobody waits for any more is cancelled."""
        if self._abandoned:
            with suppress(UpstreamError):
                await self.cancel()
        if self._client_left or self.relay.terminated:
            with trio.move_on_after(LINGER_S):
                await self._server_done.wait()
        if not self._client_left:
            with trio.move_on_after(FLUSH_S):
                while self._client.backlog_bytes and not self._client.closed:
                    await trio.lowlevel.wait_writable(self._client.fd)
                    self._client.flush()
        if not (self._client_left or self.relay.terminated or self._client.closed):
            self._server.close()  # whatever its client does, nothing of the session goes on there
            self._client.finish()
            with trio.move_on_after(PARTING_S):
                while not self._client.discard():
                    await trio.lowlevel.wait_readable(self._client.fd)

    def end(self, reason: str, fields: Mapping[str, bytes] | None = None, *, adjourn: bool = False) -> None:
        """End the session from outside or because it cannot go on. `fields`: the FATAL error that the client gets.

        `adjourn`: the request that it waits for stays open.
        """
        if self._over is not None:
            return
        self._over = reason
        if fields is not None and self.relay.at_message_boundary:
            self._client.send([self.relay.farewell(fields)])
        if self._holding is not None:
            (self._holding.adjourn if adjourn else self._holding.end)(reason)
        self._wake.set()

    def when_idle(self, end: Callable[[], None]) -> None:
        """Call `end` now if the session is idle, else with the answer after which it is: a busy client leaves no time to look."""
        self._at_rest = end
        self._rest()

    def _rest(self) -> None:
        if self._over is None and self.relay.idle and self._rested not in self._jobs:
            self.job(self._rested)  # behind what the last statement left to be done

    async def _rested(self) -> None:
        if self._at_rest is not None and self.relay.idle:
            self._at_rest()

    def tick(self) -> None:
        """Once a second: the log closes a block that is old enough, and an idle client is shown out."""
        self._guarded(lambda _: self.log.tick(), None)
        self._idle_s = 0 if self._active or not self.relay.idle else self._idle_s + 1
        self._active = False
        limit_s = self.config.limits.idle_session_s
        if limit_s and self._idle_s >= limit_s:
            text = "terminating connection due to idle-session timeout"
            self.end(text, error_fields("57P05", text, severity="FATAL"))

    @property
    def held(self) -> str | None:
        """The request that the session waits for."""
        return self._holding.request_id if self._holding is not None else None

    def job(self, job: Job) -> None:
        self._jobs.append(job)
        self._wake.set()

    def step(self) -> None:
        """Send what the relay has by now."""
        self._guarded(void, None)

    # -- bytes

    def _guarded(self, step: Callable[[P], object], argument: P) -> None:
        """Whatever goes wrong ends this session, closed and recorded, and no other."""
        try:
            step(argument)
            self._turn()
            if self._at_rest is not None:
                self._rest()
        except ProtocolError as error:
            self.fail(error.sqlstate, f"wireproxy: protocol violation by the {error.peer.value}: {error}")
        except LogError as error:
            self._diagnostics.error("log_failed", error=str(error))
            self.fail("58030", "wireproxy: the session log cannot be written, so nothing more may run", LOG_HINT)
        except Exception as error:  # noqa: BLE001  a bug of ours must fail closed, and must not show data
            self._fail_internally(error)

    def _fail_internally(self, error: Exception) -> None:
        self._diagnostics.error("internal_error", error=type(error).__name__, where=where(error))
        self.fail("XX000", "wireproxy: internal error; the session was ended")

    def fail(self, sqlstate: str, message: str, hint: str = "") -> None:
        self.end(message, error_fields(sqlstate, message, hint=hint, severity="FATAL"))

    def _on_client(self, mask: int) -> None:
        if self._over is not None:
            if mask & HUNG_UP or self._client_left:
                self._client.stop_watching()
                self._client.drop_backlog()
            elif mask & WRITABLE:
                self._client.flush()
            return
        if mask & WRITABLE:
            self._client.flush()
            self._set_interest()
        if self._client.reading and mask & (READABLE | HUNG_UP):
            self._read_client()
        elif mask & HUNG_UP:
            self._client_hung_up(mask)

    def _read_client(self) -> None:
        self._active = True
        data = self._client.receive()
        while data is not None:
            if not data:
                self._client_gone()
                return
            self._guarded(self.relay.feed_client, data)
            if self._over is not None or not self._client.reading or not self._client.has_decrypted:
                return
            data = self._client.receive()

    def _client_hung_up(self, mask: int) -> None:
        """It hung up while its bytes are not wanted: a hold ends, backpressure goes on until they are."""
        if self._holding is not None or mask & GONE:
            self._client_gone()
        else:
            self._client.ignore_hang_up()

    def _client_gone(self) -> None:
        """The end of the client's stream. What was held never runs; what was sent is ended by the server as it would be."""
        self._client_left = True
        self._client.stop_watching()
        self._client.drop_backlog()
        if self._holding is not None:
            self._holding.end("the client hung up")
            self._over = "the client hung up"
            self._server_done.set()
        elif not self.relay.terminated:
            self._over = self._over or "the client hung up"
            self._leave_server()
        self._wake.set()

    def _on_server(self, mask: int) -> None:
        if mask & WRITABLE:
            self._server.flush()
            self._set_interest()
        if not (mask & (READABLE | HUNG_UP)) or not (self._server.reading or self._client_left):
            return
        data = self._server.receive()
        while data is not None:
            if not data:
                self._server_gone()
                return
            self._guarded(self.relay.feed_server, data)
            if not self._server.reading or not self._server.has_decrypted:
                return
            data = self._server.receive()

    def _server_gone(self) -> None:
        self._server.stop_watching()
        self._server_done.set()
        self.end("the server ended the session")

    def _set_interest(self) -> None:
        relay = self.relay
        self._client.want(relay.reads_client and self._server.backlog_bytes <= BACKLOG_BYTES)
        self._server.want(relay.reads_server and self._client.backlog_bytes <= BACKLOG_BYTES)


def void(_: object) -> None:
    return None
