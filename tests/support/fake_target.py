"""A server that says what a test wants it to say, on loopback or a Unix socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import Factory, define

from protocols.postgres.authentication import AUTHENTICATION_OK
from protocols.postgres.messages import error_response
from protocols.postgres.startup import encode_backend_key, encode_parameter_status, encode_ready
from wireproxy.wire import BrokenWire, Wire

Script = Callable[[Wire], Awaitable[None]]
GREETING = encode_parameter_status("server_version", "15.0") + encode_backend_key(42, b"abcd") + encode_ready(b"I")


@define
class Target:
    port: int
    folder: Path | None = None
    wires: list[Wire] = Factory(list)  # one for each connection that was made
    startups: list[bytes] = Factory(list)


async def read_startup(wire: Wire) -> bytes:
    """A packet without a type byte."""
    length = int.from_bytes(await wire.receive_exactly(4), "big")
    return await wire.receive_exactly(length - 4)


def saying(*answers: bytes) -> Script:
    """Reads a packet before each answer, then waits for the end."""

    async def run(wire: Wire) -> None:
        await read_startup(wire)
        for index, answer in enumerate(answers):
            if index:
                header = await wire.receive_exactly(5)
                await wire.receive_exactly(int.from_bytes(header[1:], "big") - 4)
            await wire.send_all(answer)
        await wire.receive(1)

    return run


TRUSTING = saying(AUTHENTICATION_OK + GREETING)
REFUSING = saying(error_response("53300", "sorry, too many clients already", severity="FATAL"))


@asynccontextmanager
async def a_target(script: Script, folder: Path | None = None) -> AsyncIterator[Target]:
    """`script` serves each connection; with `folder`, on a Unix socket there."""
    if folder is None:
        listener = socket.create_server(("127.0.0.1", 0))
        target = Target(listener.getsockname()[1])
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / ".s.PGSQL.5432"))
        listener.listen()
        target = Target(5432, folder)
    listener.setblocking(False)

    async def serve(wire: Wire) -> None:
        with wire, contextlib.suppress(BrokenWire):
            await script(wire)

    async def accept() -> None:
        while True:
            await trio.lowlevel.wait_readable(listener)
            wire = Wire(listener.accept()[0])
            target.wires.append(wire)
            nursery.start_soon(serve, wire)

    with listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept)
            yield target
            nursery.cancel_scope.cancel()
