"""Counters, and the HTTP server over real loopback sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from wireproxy import metrics as module
from wireproxy.metrics import COUNTERS, HttpError, Metrics, serve_http
from wireproxy.store.model import StoreError


class Server:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self.problems: dict[str, str] = {}
        self.address = ("127.0.0.1", 0)

    async def ready(self) -> Mapping[str, str]:
        return self.problems

    async def requests(self) -> Mapping[str, int]:
        if "store" in self.problems:
            raise StoreError(self.problems["store"])
        return {"pending": 2}

    async def send(self, request: bytes) -> bytes:
        with trio.fail_after(20):
            async with await trio.open_tcp_stream(*self.address) as stream:
                await stream.send_all(request)
                answer = b""
                while received := await stream.receive_some(65536):
                    answer += received
                return answer

    async def get(self, path: str, method: str = "GET", host: str = "127.0.0.1:9464") -> tuple[int, str]:
        answer = await self.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with trio.open_nursery() as nursery:
        server.address = await nursery.start(serve_http, server.address, server.metrics, server.ready, server.requests)
        yield server
        nursery.cancel_scope.cancel()


async def values(server: Server) -> dict[tuple[str, ...], float]:
    status, body = await server.get("/metrics")
    assert status == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


async def test_what_was_counted_is_told(server: Server) -> None:
    server.metrics.sessions_opened += 3
    server.metrics.sessions_closed += 1
    server.metrics.judged("hold", "delete", "shop")
    server.metrics.judged("hold", "delete", "shop")
    found = await values(server)
    assert found["wireproxy_sessions_opened_total",] == 3
    assert found["wireproxy_sessions",] == 2
    assert found["wireproxy_judged_total", "hold", "shop", "delete"] == 2
    assert found["wireproxy_requests", "pending"] == 2
    assert found["process_open_fds",] > 0


async def test_every_counter_has_a_name_and_starts_at_zero(server: Server) -> None:
    found = await values(server)
    for name, _ in COUNTERS.values():
        assert found[f"wireproxy_{name}_total",] == 0


async def test_a_broken_store_leaves_the_other_numbers(server: Server) -> None:
    server.problems = {"store": "disk full"}
    assert ("wireproxy_statements_total",) in await values(server)


async def test_health_is_the_process_and_readiness_is_its_parts(server: Server) -> None:
    assert await server.get("/healthz") == (200, "ok\n")
    assert (await server.get("/readyz"))[0] == 200
    server.problems = {"store": "disk full"}
    status, body = await server.get("/readyz")
    assert status == 503
    assert json.loads(body) == {"ready": False, "problems": {"store": "disk full"}}
    assert (await server.get("/healthz"))[0] == 200


async def test_a_check_that_breaks_or_hangs_is_not_ready(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READY_TIMEOUT_S", 0.01)

    async def hang() -> Mapping[str, str]:
        await trio.sleep_forever()
        return {}

    async def fail() -> Mapping[str, str]:
        raise KeyError("password=secret")

    for ready in (hang, fail):
        async with trio.open_nursery() as nursery:
            server.address = await nursery.start(serve_http, ("127.0.0.1", 0), server.metrics, ready)
            status, body = await server.get("/readyz")
            assert status == 503
            assert "secret" not in body
            nursery.cancel_scope.cancel()


async def test_other_paths_and_methods_are_refused(server: Server) -> None:
    assert (await server.get("/"))[0] == 404
    assert (await server.get("/metrics/../etc/passwd"))[0] == 404
    assert (await server.get("/metrics", "POST"))[0] == 405
    status, body = await server.get("/healthz", "HEAD")
    assert (status, body) == (200, "")


@pytest.mark.parametrize("host", ["localhost", "localhost:9464", "127.0.0.1", "[::1]:9464", "[::1]"])
async def test_this_machine_is_known_by_its_names(server: Server, host: str) -> None:
    assert (await server.get("/healthz", host=host))[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9464", "127.0.0.1.evil.example", "10.0.0.1", ""])
async def test_a_page_in_a_browser_cannot_read_through_a_name_of_its_own(server: Server, host: str) -> None:
    assert (await server.get("/metrics", host=host))[0] == 421


@pytest.mark.parametrize(
    "garbage",
    [
        b"\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /" + b"x" * 100_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=lambda garbage: repr(garbage[:24]),
)
async def test_garbage_ends_its_own_connection_alone(server: Server, garbage: bytes) -> None:
    try:
        answer = await server.send(garbage)
    except trio.BrokenResourceError:  # it was cut off while still sending
        answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert (await server.get("/healthz"))[0] == 200


async def test_a_body_is_never_read(server: Server) -> None:
    answer = await server.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_silent_peer_is_let_go(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_TIMEOUT_S", 0.05)
    assert await server.send(b"GET /metr") == b""


async def test_connections_are_counted(server: Server) -> None:
    streams = [await trio.open_tcp_stream(*server.address) for _ in range(module.CONNECTIONS + 1)]
    try:
        assert await streams[-1].receive_some(1) == b""
    except trio.BrokenResourceError:
        pass
    for stream in streams:
        await stream.aclose()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org", ""])
async def test_only_this_machine_may_ask_unless_configured(host: str) -> None:
    async def ready() -> Mapping[str, str]:
        return {}

    with pytest.raises(HttpError, match="not a loopback"):
        await serve_http((host, 0), Metrics(), ready)


async def test_a_port_that_is_taken_is_named(server: Server) -> None:
    with pytest.raises(HttpError, match=str(server.address[1])):
        await serve_http(server.address, Metrics(), server.ready)
