"""What the gateway counts, and the small HTTP server that tells: `/metrics`, `/healthz`, `/readyz`.

The hot path adds to plain integers. Prometheus's types are made of them when somebody scrapes. Labels have few values
by construction (actions, kinds, configured databases): nothing that a client chooses becomes a label.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping

import h11
import structlog
import trio
from attrs import frozen
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from wireproxy import __version__
from wireproxy.store.model import StoreError
from wireproxy.traces import where

HEADER_BYTES = 8 * 1024  # of a request; Prometheus sends a few hundred
REQUEST_TIMEOUT_S = 10.0  # from connect to the last byte of the answer
READY_TIMEOUT_S = 5.0
CONNECTIONS = 32  # at once

_log = structlog.get_logger("wireproxy.http")

# attribute -> (name after `wireproxy_`, help). Counters: they only grow.
COUNTERS: dict[str, tuple[str, str]] = {
    "connections": ("connections", "Connections accepted."),
    "refused_logins": ("refused_logins", "Connections that ended before a session, for what the client did."),
    "sessions_opened": ("sessions_opened", "Sessions begun."),
    "sessions_closed": ("sessions_closed", "Sessions ended."),
    "statements": ("statements", "Texts judged."),
    "denied": ("statements_denied", "Texts refused by a rule."),
    "held": ("statements_held", "Texts held for a decision."),
    "approved": ("verdicts_approved", "Held texts that ran because people approved them."),
    "rejected": ("verdicts_denied", "Held texts that people denied."),
    "expired": ("holds_expired", "Waits that ended without a verdict."),
    "withdrawn": ("holds_withdrawn", "Held texts whose client went away or cancelled."),
    "errors": ("server_errors", "Errors that servers sent."),
    "upstream_errors": ("upstream_errors", "Sessions that found no server."),
    "masked_results": ("masked_results", "Results with rewritten columns."),
    "masked_values": ("masked_values", "Values rewritten."),
    "rows": ("rows", "Rows passed to clients."),
    "client_bytes": ("client_bytes", "Bytes read from clients."),
    "server_bytes": ("server_bytes", "Bytes read from servers."),
    "log_bytes": ("log_bytes", "Bytes written to session logs."),
    "log_errors": ("log_errors", "Sessions ended because their log could not be written."),
    "judge_hits": ("judge_cache_hits", "Texts judged from the cache."),
    "judge_misses": ("judge_cache_misses", "Texts judged anew."),
    "judge_failures": ("judging_failures", "Long texts that took too long to judge, or ended the process that did it."),
    "reloads": ("config_reloads", "Configurations taken."),
    "reload_failures": ("config_reload_failures", "Configurations refused at a reload."),
}


class Metrics:
    """Integers to add to. One for each process."""

    __slots__ = (*COUNTERS, "_detected", "_judged")

    approved: int
    client_bytes: int
    connections: int
    denied: int
    errors: int
    expired: int
    held: int
    judge_failures: int
    judge_hits: int
    judge_misses: int
    log_bytes: int
    log_errors: int
    masked_results: int
    masked_values: int
    refused_logins: int
    rejected: int
    reload_failures: int
    reloads: int
    rows: int
    server_bytes: int
    sessions_closed: int
    sessions_opened: int
    statements: int
    upstream_errors: int
    withdrawn: int

    def __init__(self) -> None:
        for name in COUNTERS:
            setattr(self, name, 0)
        self._judged: dict[tuple[str, str, str], int] = {}
        self._detected: dict[str, int] = {}

    def judged(self, action: str, kind: str, database: str) -> None:
        """One statement of a text. All three words come from us or the configuration, never from a client."""
        key = (action, kind, database)
        self._judged[key] = self._judged.get(key, 0) + 1

    def detected(self, detector: str, count: int) -> None:
        self._detected[detector] = self._detected.get(detector, 0) + count

    def families(self) -> Iterable[Metric]:
        for attribute, (name, text) in COUNTERS.items():
            yield CounterMetricFamily(f"wireproxy_{name}", text, value=getattr(self, attribute))
        yield GaugeMetricFamily(
            "wireproxy_sessions", "Sessions open.", value=self.sessions_opened - self.sessions_closed
        )
        judged = CounterMetricFamily(
            "wireproxy_judged", "Statements by decision.", labels=("action", "kind", "database")
        )
        for labels, number in sorted(self._judged.items()):
            judged.add_metric(labels, number)
        yield judged
        detected = CounterMetricFamily(
            "wireproxy_detected_values", "Values that a detector found and overwrote.", labels=("detector",)
        )
        for detector, number in sorted(self._detected.items()):
            detected.add_metric((detector,), number)
        yield detected
        info = GaugeMetricFamily("wireproxy_build", "The running version.", labels=("version",))
        info.add_metric((__version__,), 1)
        yield info


class HttpError(Exception):
    """The HTTP server cannot be opened."""


Ready = Callable[[], Awaitable[Mapping[str, str]]]
Requests = Callable[[], Awaitable[Mapping[str, int]]]


async def serve_http(
    address: tuple[str, int],
    metrics: Metrics,
    ready: Ready,
    requests: Requests | None = None,
    *,
    allow_remote: bool = False,
    task_status: trio.TaskStatus[tuple[str, int]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Until cancelled. `ready` names what keeps the gateway from serving, by part; `requests` counts those of the desk.

    Nobody logs in here, so only addresses of this machine are listened on, unless `allow_remote`. Raises HttpError.
    """
    host, port = address
    if not allow_remote and not is_loopback(host):
        raise HttpError(f"http: {host} is not a loopback address; metrics are for this machine, or for a proxy on it")
    server = _Server(metrics, ready, requests, check_host=not allow_remote)
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise HttpError(f"http: {host}:{port}: {error.strerror or error}") from error
    bound = listeners[0].socket.getsockname()
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, server.attend, listeners)
        task_status.started((bound[0], bound[1]))


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Collector(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.requests: Mapping[str, int] = {}

    def collect(self) -> Iterable[Metric]:
        yield from self._metrics.families()
        requests = GaugeMetricFamily("wireproxy_requests", "Requests in the store, by state.", labels=("state",))
        for state, number in sorted(self.requests.items()):
            requests.add_metric((state,), number)
        yield requests


@frozen
class _Answer:
    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


class _Server:
    def __init__(self, metrics: Metrics, ready: Ready, requests: Requests | None, *, check_host: bool) -> None:
        self._ready = ready
        self._requests = requests
        self._check_host = check_host
        self._collector = _Collector(metrics)
        self._registry = CollectorRegistry()
        self._registry.register(self._collector)
        ProcessCollector(registry=self._registry)
        self._places = trio.CapacityLimiter(CONNECTIONS)

    async def attend(self, stream: trio.SocketStream) -> None:
        """One connection, one request. Nothing that a peer sends raises here."""
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            await trio.aclose_forcefully(stream)
            return
        try:
            with trio.move_on_after(REQUEST_TIMEOUT_S):
                async with stream:
                    await self._respond(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        finally:
            self._places.release()

    async def _respond(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES)
        try:
            request = await _receive(connection, stream)
        except h11.RemoteProtocolError as error:
            request = None
            answer = _Answer(error.error_status_hint, b"not a request\n")
        else:
            if request is None:
                return
            answer = await self._answer(request)
        headers = [
            ("content-type", answer.content_type),
            ("content-length", str(len(answer.body))),
            ("cache-control", "no-store"),
            ("connection", "close"),
        ]
        head = connection.send(h11.Response(status_code=answer.status, headers=headers))
        wanted = request is None or request.method != b"HEAD"
        body = connection.send(h11.Data(data=answer.body)) if wanted else b""
        await stream.send_all((head or b"") + (body or b""))

    async def _answer(self, request: h11.Request) -> _Answer:
        if self._check_host and not _is_own_host(request):
            return _Answer(421, b"ask for this server by its address or as localhost\n")
        if request.method not in {b"GET", b"HEAD"}:
            return _Answer(405, b"only GET\n")
        match request.target.partition(b"?")[0]:
            case b"/healthz":
                return _Answer(200, b"ok\n")
            case b"/readyz":
                return await self._readiness()
            case b"/metrics":
                return await self._scrape()
            case _:
                return _Answer(404, b"there are /metrics, /healthz and /readyz\n")

    async def _readiness(self) -> _Answer:
        problems: Mapping[str, str] = {"gateway": f"no answer within {READY_TIMEOUT_S:g} s"}
        try:
            with trio.move_on_after(READY_TIMEOUT_S):
                problems = await self._ready()
        except Exception as error:  # noqa: BLE001 — whatever went wrong, it is not ready, and that is the answer
            _log.error("readiness_failed", error=type(error).__name__, where=where(error))
            problems = {"gateway": type(error).__name__}
        body = json.dumps({"ready": not problems, "problems": dict(problems)}).encode() + b"\n"
        return _Answer(503 if problems else 200, body, "application/json")

    async def _scrape(self) -> _Answer:
        if self._requests is not None:
            try:
                self._collector.requests = await self._requests()
            except StoreError:
                self._collector.requests = {}  # /readyz says what is wrong; the other numbers are still right
        return _Answer(200, generate_latest(self._registry), CONTENT_TYPE_LATEST)


async def _receive(connection: h11.Connection, stream: trio.SocketStream) -> h11.Request | None:
    """The head of a request; None when the peer closed before it. A body is never read. Raises h11.RemoteProtocolError."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        connection.receive_data(await stream.receive_some(HEADER_BYTES))


def _is_own_host(request: h11.Request) -> bool:
    """A page in somebody's browser may give its own name this address, and read what is answered to that name."""
    named = next((value for name, value in request.headers if name == b"host"), b"").decode("ascii", "replace")
    host = named.rpartition(":")[0] if named.count(":") == 1 or "]:" in named else named
    return is_loopback(host.strip("[]"))
