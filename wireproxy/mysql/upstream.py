"""The connection to a MySQL or MariaDB target: TCP or a Unix socket, TLS, the gateway's own login, what the session starts with."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import trio
from attrs import define

from protocols.base import Peer, ProtocolError
from protocols.mysql.authentication import Channel, ClientAuthentication, ServerRefused
from protocols.mysql.capabilities import Capability
from protocols.mysql.capabilities import upstream as upstream_flags
from protocols.mysql.handshake import (
    Greeting,
    HandshakeResponse,
    decode_greeting,
    encode_response,
    encode_ssl_request,
)
from protocols.mysql.messages import AUTOCOMMIT, Err, decode_err, decode_ok
from protocols.mysql.relay import MySqlRelay
from protocols.mysql.shared import Answered
from wireproxy import wire as wires
from wireproxy.config.model import Database
from wireproxy.credential import CredentialError, Password, read_password
from wireproxy.mysql.keys import encrypt
from wireproxy.mysql.packets import PacketWire
from wireproxy.tls import TlsError, client_context
from wireproxy.upstream import UpstreamError, unreachable
from wireproxy.wire import READ_BYTES, BrokenWire, CleartextInjected, Wire

LONGEST_LOGIN_BYTES = 64 * 1024
MOST_LOGIN_PACKETS = 20
MAXIMUM_PACKET = 1 << 30
UTF8MB4 = 45  # utf8mb4_general_ci: known to every server
ATTRIBUTES = {"_client_name": "wireproxy", "program_name": "wireproxy"}
# Errors of a login that are the server's state and not the gateway's account: the client may know
_TELLING = frozenset({1040, 1053, 1203, 1226})  # too many connections, shutdown, limits of the account
Rows = tuple[tuple[bytes | None, ...], ...]


@define
class MySqlUpstream:
    """A session of the target that is ready for its first command."""

    wire: Wire
    greeting: Greeting
    capabilities: Capability
    tls: bool
    status: int = AUTOCOMMIT

    @property
    def process_id(self) -> int:
        return self.greeting.connection_id

    @property
    def parameter_status(self) -> dict[str, str]:
        """What a session's log says of the server."""
        return {"server_version": self.greeting.version.removeprefix("5.5.5-")}  # MariaDB's, for replicas of old


async def connect_mysql(database: Database, client: Capability, charset: int = UTF8MB4) -> MySqlUpstream:
    """Log in as the target's configured account, with the flags on which the client's leg agreed.

    UpstreamError when that fails, within `connect_timeout_s`. Nothing stays open then, nor when cancelled.
    """
    try:
        with trio.fail_after(database.connect_timeout_s):
            password = await read_password(database.password)
            wire, greeting, packets = await _open(database, client)
            try:
                return await _log_in(packets, greeting, database, client, charset, password)
            except BaseException:
                wire.close()
                raise
    except trio.TooSlowError:
        raise unreachable(database, f"no answer within {database.connect_timeout_s:g} s") from None
    except ServerRefused as error:
        raise _refused(database, error) from None
    except (BrokenWire, TlsError, ProtocolError, CredentialError) as error:
        raise unreachable(database, str(error)) from None


def _refused(database: Database, error: ServerRefused) -> UpstreamError:
    if error.errno in _TELLING:
        fields = {"C": error.sqlstate.encode(), "M": error.message.encode(), "errno": str(error.errno).encode()}
        return UpstreamError(error.sqlstate, error.message, fields=fields)
    reason = f"the target refused the gateway's login: {error}"
    return UpstreamError("08006", f'the gateway cannot log in to the target of database "{database.name}"', reason)


# --- the wire


async def _open(database: Database, client: Capability) -> tuple[Wire, Greeting, PacketWire]:
    """A wire that has been greeted, and encrypted as `tls` asks for."""
    if database.host.startswith("/"):
        # a folder, as for Postgres, or the socket itself; TLS is for networks
        path = database.host if database.host.endswith(".sock") else f"{database.host}/mysqld.sock"
        return await _greeted(await wires.connect_unix(path))
    if database.tls == "disable":
        return await _greeted(await wires.connect_tcp(database.host, database.port))
    try:
        return await _greeted(await wires.connect_tcp(database.host, database.port), database, client)
    except BrokenWire as error:
        if database.tls != "prefer" or isinstance(error, CleartextInjected):
            raise
        return await _greeted(await wires.connect_tcp(database.host, database.port))


async def _greeted(
    wire: Wire, encrypts: Database | None = None, client: Capability = Capability(0)
) -> tuple[Wire, Greeting, PacketWire]:
    packets = PacketWire(wire, Peer.SERVER)
    try:
        payload = await packets.read(LONGEST_LOGIN_BYTES)
        if payload[:1] == b"\xff":
            raise _as_refused(decode_err(payload))
        greeting = decode_greeting(payload)
        if encrypts is not None:
            await _encrypt(packets, greeting, encrypts, client)
    except BaseException:
        wire.close()
        raise
    return wire, greeting, packets


def _as_refused(err: Err) -> ServerRefused:
    return ServerRefused(err.errno, err.sqlstate.decode("ascii", "replace"), err.message.decode("utf-8", "replace"))


async def _encrypt(packets: PacketWire, greeting: Greeting, database: Database, client: Capability) -> None:
    if not greeting.capabilities & Capability.SSL:
        if database.tls != "prefer":
            raise BrokenWire("the server does not support TLS, but it is required")
        return
    context = client_context(database)
    flags = upstream_flags(client, greeting.capabilities)  # the server keeps those that it hears before TLS
    packets.wire.refuse_cleartext()
    await packets.send(encode_ssl_request(flags, MAXIMUM_PACKET, UTF8MB4))
    await packets.wire.start_tls_client(context, database.host)


def _channel(wire: Wire) -> Channel:
    try:
        private = wire.address == "local" or ipaddress.ip_address(wire.address.partition("%")[0]).is_loopback
    except ValueError:
        private = False
    return Channel(wire.tls, private)


# --- logging in


async def _log_in(
    packets: PacketWire,
    greeting: Greeting,
    database: Database,
    client: Capability,
    charset: int,
    password: Password | None,
) -> MySqlUpstream:
    wire = packets.wire
    flags = upstream_flags(client, greeting.capabilities)

    def secret() -> bytes | None:
        return None if password is None else password.reveal().encode("utf-8", "surrogateescape")

    login = ClientAuthentication(secret, _channel(wire), encrypt)
    plugin, proof = login.first(greeting.plugin, greeting.nonce)
    said = flags | (Capability.SSL if wire.tls else Capability(0))
    name = database.dbname.encode()
    response = HandshakeResponse(
        said, MAXIMUM_PACKET, charset, database.user.encode(), proof, name, plugin, dict(ATTRIBUTES)
    )
    await packets.send(encode_response(response))
    for _ in range(MOST_LOGIN_PACKETS):
        payload = await packets.read(LONGEST_LOGIN_BYTES, ahead=True)
        answer = login.receive(payload)
        if answer is not None:
            await packets.send(answer)
        if login.done:
            ok = decode_ok(payload, tracks=bool(flags & Capability.SESSION_TRACK))
            return MySqlUpstream(wire, greeting, flags, wire.tls, ok.status)
    raise ProtocolError("the server does not become ready", peer=Peer.SERVER)


# --- questions of the gateway's own, before the session begins


async def ask(upstream: MySqlUpstream, texts: Sequence[bytes]) -> list[Rows]:
    """Run each and give its rows. UpstreamError when one fails."""
    flags = upstream.capabilities
    relay = MySqlRelay(None, flags, flags)
    answers: list[Rows] = []
    for text in texts:
        relay.ask(text)
    while True:
        for effect in relay.advance():
            if isinstance(effect, Answered):
                if effect.error is not None:
                    reason = effect.error.message.decode("utf-8", "replace")
                    raise UpstreamError("58000", "wireproxy: the session cannot be set up", reason)
                answers.append(effect.rows)
        await upstream.wire.send_all(b"".join(relay.take_for_server()))
        if len(answers) == len(texts):
            return answers
        if relay.busy:
            data = await upstream.wire.receive(READ_BYTES)
            if not data:
                raise BrokenWire("the connection was closed")
            relay.feed_server(data)


async def kill_query(database: Database, connection_id: int) -> None:
    """End what a session of the gateway's own account runs. UpstreamError when that cannot be asked for."""
    upstream = await connect_mysql(database, Capability.PROTOCOL_41)
    with upstream.wire:
        try:
            with trio.fail_after(database.connect_timeout_s):
                await ask(upstream, [b"KILL QUERY %d" % connection_id])
        except trio.TooSlowError:
            raise unreachable(database, "no answer to a KILL") from None
        except (BrokenWire, ProtocolError) as error:
            raise unreachable(database, str(error)) from None
