"""A client at the front door, with no server behind it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
import trio.testing
from attrs import define

from protocols.postgres.authentication import encode_initial_response
from protocols.postgres.messages import decode_fields, frame
from protocols.postgres.scram import SCRAM, ScramClient
from protocols.postgres.startup import encode_startup
from tests.support.front_door import LISTEN, PASSWORD, a_config, a_gate, wire_pair
from wireproxy.config.model import Config, Listen
from wireproxy.identity import AuthenticationFailure, Identification
from wireproxy.tls import ServerCertificate
from wireproxy.welcome import Arrival, CancelArrival, welcome
from wireproxy.wire import Wire

STARTUP = encode_startup(0, {"user": "ann", "database": "shop"})


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@define
class Visit:
    client: Wire
    failures: list[AuthenticationFailure]
    result: Arrival | CancelArrival | None = None
    ended: bool = False

    async def message(self) -> tuple[bytes, bytes]:
        header = await self.client.receive_exactly(5)
        return header[:1], await self.client.receive_exactly(int.from_bytes(header[1:], "big") - 4)

    async def error(self) -> dict[str, str]:
        """The error that the client gets, after which the wire must be closed."""
        kind, body = await self.message()
        assert kind == b"E"
        assert await self.client.receive(1) == b""
        fields = {code: value.decode() for code, value in decode_fields(body).items()}
        assert fields["S"] == fields["V"] == "FATAL"
        return fields


@asynccontextmanager
async def a_visit(
    config: Config | None = None,
    *,
    listen: Listen = LISTEN,
    tls: ServerCertificate | None = None,
    gate: Callable[[Config], Identification] | None = None,
) -> AsyncIterator[Visit]:
    server, client = wire_pair()
    chosen = config or a_config()
    visit = Visit(client, [])
    identification = a_gate(chosen, visit.failures) if gate is None else gate(chosen)

    async def serve() -> None:
        visit.result = await welcome(server, listen, chosen, identification, tls)
        visit.ended = True

    with server, client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            yield visit
            if visit.result is None:
                client.close()
        if visit.result is None:
            assert server.sock.fileno() == -1, "nobody to serve, and the wire is open"


async def log_in(visit: Visit, password: str = PASSWORD, startup: bytes = STARTUP) -> bytes:
    """Through SCRAM; what kind of message ended it."""
    await visit.client.send_all(startup)
    kind, _ = await visit.message()
    if kind != b"R":
        return kind
    scram = ScramClient(password, "nonce", SCRAM, flag="n")
    await visit.client.send_all(encode_initial_response(SCRAM, scram.first()))
    _, body = await visit.message()
    await visit.client.send_all(frame(b"p", scram.receive_first(body[4:])))
    kind, body = await visit.message()
    if kind == b"R":
        scram.receive_final(body[4:])
    return kind


async def settled(visit: Visit) -> None:
    await trio.testing.wait_all_tasks_blocked()
    assert visit.ended
