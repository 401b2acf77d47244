"""A gateway of nothing but its front door: welcome, the target or a fixed answer, and then bytes in both directions."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import Factory, define, evolve

from protocols.postgres.messages import frame
from protocols.postgres.scram import make_verifier
from protocols.postgres.startup import encode_parameter_status
from rules.model import Dialect
from wireproxy.config.model import Config, Database, Limits, Listen, LogConfig, OidcIssuer, User
from wireproxy.identity import AuthenticationFailure, Identification
from wireproxy.tls import ServerCertificate
from wireproxy.upstream import Upstream, UpstreamError, connect, send_cancel
from wireproxy.welcome import Arrival, CancelArrival, finish_welcome, new_secret, refuse_welcome, welcome
from wireproxy.wire import BrokenWire, Wire

LISTEN = Listen(Dialect.POSTGRES, "127.0.0.1", 0)
PASSWORD = "correct horse"
SALT = b"0123456789abcdef"
MOCK_KEY = b"\x07" * 32
VERIFIER = str(make_verifier(PASSWORD, SALT))


def a_user(name: str = "ann", *, groups: frozenset[str] = frozenset(), verifier: str | None = VERIFIER) -> User:
    return User(name, verifier, groups)


def a_database(name: str = "shop", **changes: object) -> Database:
    database = Database(name, Dialect.POSTGRES, "127.0.0.1", 1, name, "target_role")
    return evolve(database, **changes)  # type: ignore[arg-type]


def a_config(
    *databases: Database, users: tuple[User, ...] = (), oidc: tuple[OidcIssuer, ...] = (), limits: Limits | None = None
) -> Config:
    return Config(
        path=Path("/nowhere/wireproxy.toml"),
        state_dir=Path("/nowhere/state"),
        control_socket=Path("/nowhere/control"),
        http=None,
        listen=(LISTEN,),
        databases={database.name: database for database in databases or (a_database(),)},
        policies={},
        masks=(),
        users={user.name: user for user in users or (a_user(),)},
        oidc={issuer.name: issuer for issuer in oidc},
        approvers={},
        log=LogConfig(Path("/nowhere/log")),
        limits=limits or Limits(),
    )


def a_gate(config: Config, failures: list[AuthenticationFailure] | None = None, **options: object) -> Identification:
    report = (lambda _: None) if failures is None else failures.append
    return Identification(config, mock_key=MOCK_KEY, report=report, **options)  # type: ignore[arg-type]


def wire_pair() -> tuple[Wire, Wire]:
    left, right = socket.socketpair()
    return Wire(left), Wire(right)


def a_greeting(parameters: Mapping[str, str] | None = None) -> list[bytes | None]:
    shown = {"server_version": "15.0", "client_encoding": "UTF8", **(parameters or {})}
    frames: list[bytes | None] = [encode_parameter_status(name, value) for name, value in shown.items()]
    return [*frames, None]


@define
class Door:
    port: int
    arrivals: list[Arrival] = Factory(list)
    cancels: list[CancelArrival] = Factory(list)
    failures: list[AuthenticationFailure] = Factory(list)
    refused: list[UpstreamError] = Factory(list)

    def dsn(self, user: str = "ann", password: str = PASSWORD, dbname: str = "shop", **options: object) -> str:
        more = " ".join(f"{name}='{value}'" for name, value in options.items())
        return f"host=127.0.0.1 port={self.port} user={user} password='{password}' dbname={dbname} {more}"


@asynccontextmanager
async def front_door(
    config: Config,
    *,
    tls: ServerCertificate | None = None,
    listen: Listen = LISTEN,
    to_target: bool = False,
    gate: Callable[[list[AuthenticationFailure]], Identification] | None = None,
) -> AsyncIterator[Door]:
    """With `to_target`, clients reach the real server; else each gets a greeting and empty answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    door = Door(listener.getsockname()[1])
    chosen = a_gate(config, door.failures) if gate is None else gate(door.failures)
    sessions: dict[bytes, tuple[Database, Upstream]] = {}

    async def serve(sock: socket.socket) -> None:
        wire = Wire(sock)
        with wire, contextlib.suppress(BrokenWire):
            arrival = await welcome(wire, listen, config, chosen, tls)
            if isinstance(arrival, CancelArrival):
                door.cancels.append(arrival)
                if arrival.secret in sessions:
                    database, upstream = sessions[arrival.secret]
                    await send_cancel(database, upstream.process_id, upstream.secret, upstream.cancel_target)
            elif arrival is not None:
                door.arrivals.append(arrival)
                secret = new_secret(arrival.protocol)
                if to_target:
                    await _relay(arrival, door, secret, sessions)
                else:
                    await _answer(wire, secret)

    async def accept() -> None:
        while True:
            await trio.lowlevel.wait_readable(listener)
            nursery.start_soon(serve, listener.accept()[0])

    with listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept)
            yield door
            nursery.cancel_scope.cancel()


async def _answer(wire: Wire, secret: bytes) -> None:
    upstream = Upstream(wire, 4711, b"", 0, False, greeting=a_greeting())
    await finish_welcome(wire, upstream, 4711, secret)
    while True:
        header = await wire.receive_exactly(5)
        await wire.receive_exactly(int.from_bytes(header[1:], "big") - 4)
        if header[:1] == b"X":
            return
        await wire.send_all(frame(b"I", b"") + frame(b"Z", b"I"))


async def _relay(arrival: Arrival, door: Door, secret: bytes, sessions: dict[bytes, tuple[Database, Upstream]]) -> None:
    try:
        upstream = await connect(arrival.database, arrival.parameters, arrival.protocol[1])
    except UpstreamError as error:
        door.refused.append(error)
        refuse_welcome(arrival.wire, error)
        return
    with upstream.wire:
        sessions[secret] = arrival.database, upstream
        await finish_welcome(arrival.wire, upstream, upstream.process_id, secret)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_copy, arrival.wire, upstream.wire, nursery.cancel_scope)
            nursery.start_soon(_copy, upstream.wire, arrival.wire, nursery.cancel_scope)


async def _copy(source: Wire, sink: Wire, scope: trio.CancelScope) -> None:
    with contextlib.suppress(BrokenWire):
        while data := await source.receive(65536):
            await sink.send_all(data)
    scope.cancel()
