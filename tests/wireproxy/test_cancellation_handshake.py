"""Cancelled at any await of a handshake, on either leg, every socket is closed afterwards.

Each scenario is run to its end once to count its waits, then again for each of them, cancelled there.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme

from protocols.postgres.authentication import AUTHENTICATION_OK, SaslServer, encode_initial_response
from protocols.postgres.messages import frame
from protocols.postgres.scram import SCRAM, ScramClient, ScramServer, make_verifier
from protocols.postgres.startup import SSL_REQUEST, StartupMessage, decode_first_packet, encode_startup
from tests.support.fake_target import GREETING, Script, a_target, read_startup
from tests.support.front_door import LISTEN, PASSWORD, a_config, a_database, a_gate
from wireproxy.config.model import Secret
from wireproxy.tls import ServerCertificate
from wireproxy.upstream import Upstream, UpstreamError, connect, send_cancel
from wireproxy.welcome import Arrival, finish_welcome, welcome
from wireproxy.wire import BrokenWire, Wire


class CancelAt(trio.abc.Instrument):
    """Counts how often one task gets to run, and cancels its scope before the nth time."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.count = 0
        self.scope = trio.CancelScope()
        self.task: trio.lowlevel.Task | None = None

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.count += 1
            if self.count == self.at:
                self.scope.cancel()


Scenario = Callable[[], Awaitable[None]]


async def steps(scenario: Scenario, at: int | None) -> int:
    """How many steps the scenario took; with `at`, it is cancelled at that one."""
    instrument = CancelAt(at)

    async def run() -> None:
        instrument.task = trio.lowlevel.current_task()
        with instrument.scope:
            await scenario()

    trio.lowlevel.add_instrument(instrument)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
    finally:
        trio.lowlevel.remove_instrument(instrument)
    return instrument.count


async def at_every_await(scenario: Scenario, check: Scenario) -> None:
    """Runs the scenario whole, then cancelled at each of its steps; `check` follows every run."""
    await steps(scenario, None)  # what is loaded at the first use is loaded now
    await check()
    count = await steps(scenario, None)
    await check()
    assert count > 1
    for at in range(1, count + 1):
        await steps(scenario, at)
        await check()


# --- the client's leg


async def read_message(wire: Wire) -> bytes:
    header = await wire.receive_exactly(5)
    return await wire.receive_exactly(int.from_bytes(header[1:], "big") - 4)


async def a_client(wire: Wire, tls: ssl.SSLContext | None) -> None:
    """A client that goes all the way, or until the gateway hangs up."""
    with wire, contextlib.suppress(BrokenWire):
        if tls is not None:
            await wire.send_all(SSL_REQUEST)
            await wire.receive_exactly(1)
            await wire.start_tls_client(tls, "localhost")
        await wire.send_all(encode_startup(2, {"user": "ann", "database": "shop", "_pq_.x": "1"}))
        await read_message(wire)
        await read_message(wire)
        scram = ScramClient(PASSWORD, "nonce", SCRAM, flag="n")
        await wire.send_all(encode_initial_response(SCRAM, scram.first()))
        body = await read_message(wire)
        await wire.send_all(frame(b"p", scram.receive_first(body[4:])))
        while await wire.receive(65536):
            pass


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ServerCertificate, ssl.SSLContext]:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "server.crt"))
    issued.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(trusting)
    return ServerCertificate(tmp_path / "server.crt", tmp_path / "server.key"), trusting


Contexts = tuple[ServerCertificate, ssl.SSLContext]


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_welcome_cancelled_anywhere_has_closed_its_wire(encrypted: bool, contexts: Contexts) -> None:
    certificate, trusting = contexts
    config = a_config()
    wires: list[Wire] = []
    arrivals: list[Arrival] = []

    async def scenario() -> None:
        left, right = socket.socketpair()
        wires.append(Wire(left))
        clients.start_soon(a_client, Wire(right), trusting if encrypted else None)
        arrival = await welcome(wires[-1], LISTEN, config, a_gate(config), certificate)
        assert isinstance(arrival, Arrival)
        arrivals.append(arrival)
        with arrival.wire:
            await finish_welcome(arrival.wire, Upstream(arrival.wire, 1, b"", 0, False, greeting=[None]), 1, b"1234")

    async def check() -> None:
        assert wires.pop().sock.fileno() == -1
        with trio.fail_after(60):
            while clients.child_tasks:
                await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as clients:
        await at_every_await(scenario, check)
    assert len(arrivals) >= 2


# --- the target's leg


def a_scram_server(context: ssl.SSLContext) -> Script:
    async def script(wire: Wire) -> None:
        await wire.receive_exactly(8)
        await wire.send_all(b"S")
        await wire.start_tls_server(context)
        packet = decode_first_packet(await read_startup(wire))
        if not isinstance(packet, StartupMessage):
            return
        server = SaslServer(ScramServer(make_verifier(PASSWORD, b"salt", 10), "servernonce"))
        await wire.send_all(server.begin())
        while not server.done:
            await wire.send_all(server.receive(await read_message(wire)))
        await wire.send_all(AUTHENTICATION_OK + GREETING)
        await wire.receive(1)

    return script


@pytest.mark.parametrize("what", ["connect", "cancel"])
async def test_a_connection_to_the_target_cancelled_anywhere_is_closed(
    what: str, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET_PASSWORD", PASSWORD)
    async with a_target(a_scram_server(contexts[0].current().context)) as target:
        database = a_database(host="127.0.0.1", port=target.port, password=Secret(env="TARGET_PASSWORD"), tls="require")

        async def scenario() -> None:
            if what == "cancel":
                await send_cancel(database, 42, b"abcd")
                return
            upstream = await connect(database, {}, 2)
            upstream.wire.close()

        async def check() -> None:
            # the server's side ends only when it sees that the gateway's is closed
            with trio.fail_after(60):
                while any(wire.sock.fileno() >= 0 for wire in target.wires):
                    await trio.lowlevel.checkpoint()
            target.wires.clear()

        await at_every_await(scenario, check)


async def test_a_server_that_never_answers_is_left_at_the_timeout(autojump_clock: trio.testing.MockClock) -> None:
    async def silent(wire: Wire) -> None:
        while await wire.receive(100):
            pass

    async with a_target(silent) as target:
        for tls in ("disable", "prefer", "require"):
            database = a_database(host="127.0.0.1", port=target.port, tls=tls)
            with pytest.raises(UpstreamError):
                await connect(database, {}, 0)
        await trio.testing.wait_all_tasks_blocked()
        assert len(target.wires) == 3
        assert all(wire.sock.fileno() == -1 for wire in target.wires)
