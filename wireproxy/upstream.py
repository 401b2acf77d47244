"""The connection to the target: TCP or a Unix socket, TLS, the gateway's own login, up to the first ReadyForQuery."""

from __future__ import annotations

import ipaddress
import secrets
from base64 import b64encode
from collections.abc import Mapping
from typing import NoReturn

import trio
from attrs import Factory, define, field, frozen

from protocols.base import ProtocolError
from protocols.postgres.authentication import Channel, ClientAuthentication, Method, ServerRefused
from protocols.postgres.messages import decode_fields, decode_parameter_status, error_fields
from protocols.postgres.scram import NONCE_BYTES
from protocols.postgres.startup import (
    SSL_REQUEST,
    BackendKey,
    decode_backend_key,
    decode_negotiation,
    encode_cancel,
    encode_startup,
)
from wireproxy import wire as wires
from wireproxy.config.model import Database
from wireproxy.credential import CredentialError, Password, read_password
from wireproxy.tls import TlsError, client_context, end_point
from wireproxy.wire import BrokenWire, CleartextInjected, Wire

LONGEST_MESSAGE_BYTES = 1024 * 1024  # a notice of a login trigger can be long; nothing else comes near
MOST_MESSAGES = 1_000  # PostgreSQL sends about twenty before it is ready
CANCEL_TIMEOUT_S = 10.0


class UpstreamError(Exception):
    """The target cannot be had. `sqlstate` and `message` are for the client, `reason` is for the log alone.

    `fields` is the whole ErrorResponse for the client, its keys the field codes of Spec: PostgreSQL 55.8.
    """

    def __init__(
        self, sqlstate: str, message: str, reason: str = "", fields: Mapping[str, bytes] | None = None
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.reason = reason or message
        self.fields = dict(fields or error_fields(sqlstate, message, severity="FATAL"))


@frozen
class CancelTarget:
    """What a CancelRequest for one session needs: the very address that it is connected to, and the server's key."""

    host: str  # an address, never a name: a name could lead to another server now
    process_id: int
    secret: bytes = field(repr=False)
    tls: bool


@define
class Upstream:
    """A session of the target that is ready for its first statement."""

    wire: Wire
    process_id: int
    secret: bytes = field(repr=False)
    minor: int  # of the protocol that this leg speaks
    tls: bool
    parameter_status: dict[str, str] = Factory(dict)  # in the order in which they came
    transaction_status: bytes = b"I"
    notices: list[bytes] = Factory(list)  # whole frames, to be passed on
    greeting: list[bytes | None] = Factory(
        list
    )  # what came before ReadyForQuery, in order; None: BackendKeyData's place

    @property
    def cancel_target(self) -> CancelTarget:
        return CancelTarget(self.wire.address, self.process_id, self.secret, self.tls)


async def connect(
    database: Database, parameters: Mapping[str, str], minor: int = 0, *, pinned: Mapping[str, str] | None = None
) -> Upstream:
    """Log in to the target as its configured role, with the client's startup parameters and, over them, `pinned` ones.

    UpstreamError when that fails, within `connect_timeout_s`. Nothing stays open then, nor when cancelled.
    """
    try:
        with trio.fail_after(database.connect_timeout_s):
            password = await _password(database)
            wire = await open_wire(database)
            try:
                return await _log_in(wire, database, _merge(database, parameters, pinned or {}), minor, password)
            except BaseException:
                wire.close()
                raise
    except trio.TooSlowError:
        raise unreachable(database, f"no answer within {database.connect_timeout_s:g} s") from None
    except (BrokenWire, TlsError, ServerRefused, ProtocolError, CredentialError) as error:
        raise unreachable(database, str(error)) from None


async def send_cancel(database: Database, process_id: int, secret: bytes, target: CancelTarget | None = None) -> None:
    """Ask the server to cancel what the session runs. Returns once the server has taken it; UpstreamError if it cannot.

    With `target`, it goes to the address of the session itself and under the session's own encryption.
    """
    try:
        with trio.fail_after(CANCEL_TIMEOUT_S):
            with await open_wire(database, target) as wire:
                await wire.send_all(encode_cancel(process_id, secret))
                # the server says nothing; it hangs up once the signal is sent
                await wire.receive(1)
    except trio.TooSlowError:
        raise unreachable(database, "no answer to a cancel request") from None
    except (BrokenWire, TlsError) as error:
        raise unreachable(database, str(error)) from None


def unreachable(database: Database, reason: str) -> UpstreamError:
    """Hosts, accounts and addresses behind the gateway are not the client's business."""
    message = f'the gateway cannot connect to the target of database "{database.name}"'
    return UpstreamError("08006", message, reason)


async def _password(database: Database) -> Password | None:
    return await read_password(database.password)


def _merge(database: Database, parameters: Mapping[str, str], pinned: Mapping[str, str]) -> dict[str, str]:
    fixed = {name.lower() for name in pinned} | {"user", "database", "replication"}
    chosen = {name: value for name, value in parameters.items() if name.lower() not in fixed}
    return {"user": database.user, "database": database.dbname, **chosen, **pinned}


# --- the wire


async def open_wire(database: Database, target: CancelTarget | None = None) -> Wire:
    """A wire to the target, encrypted as its `tls` asks for. BrokenWire, TlsError."""
    if database.host.startswith("/"):
        # TLS is for networks: libpq, too, leaves it out here whatever the mode
        return await wires.connect_unix(f"{database.host}/.s.PGSQL.{database.port}")
    host = database.host if target is None else target.host
    if database.tls == "disable" or (target is not None and not target.tls):
        return await wires.connect_tcp(host, database.port)
    try:
        return await _open_encrypted(database, host)
    except BrokenWire as error:
        if database.tls != "prefer" or target is not None or isinstance(error, CleartextInjected):
            raise
        # libpq's meaning of "prefer": where TLS fails, it is done without
        return await wires.connect_tcp(host, database.port)


async def _open_encrypted(database: Database, host: str) -> Wire:
    context = client_context(database)
    wire = await wires.connect_tcp(host, database.port)
    try:
        await wire.send_all(SSL_REQUEST)
        answer = await wire.receive_exactly(1)
        if answer == b"S":
            wire.refuse_cleartext()
            await wire.start_tls_client(context, database.host)
        elif answer != b"N":
            # an ErrorResponse here comes from who knows whom, and is never shown (CVE-2024-10977)
            raise BrokenWire("the server answered the request for TLS with something else")
        elif database.tls != "prefer":
            raise BrokenWire("the server does not support TLS, but it is required")
    except BaseException:
        wire.close()
        raise
    return wire


def _channel(wire: Wire) -> Channel:
    certificate = wire.peer_certificate
    try:
        private = wire.address == "local" or ipaddress.ip_address(wire.address.partition("%")[0]).is_loopback
    except ValueError:
        private = False
    return Channel(wire.tls, end_point(certificate) if certificate else None, private)


# --- logging in


async def read_message(wire: Wire, limit_bytes: int) -> tuple[bytes, bytes]:
    """Type and body of the next message. ProtocolError when it is longer than `limit_bytes`."""
    header = await wire.receive_exactly(5, ahead=True)
    length = int.from_bytes(header[1:], "big") - 4
    if not 0 <= length <= limit_bytes:
        raise ProtocolError("a message before ReadyForQuery is too long")
    return header[:1], await wire.receive_exactly(length, ahead=True)


async def _log_in(
    wire: Wire, database: Database, parameters: Mapping[str, str], minor: int, password: Password | None
) -> Upstream:
    await wire.send_all(encode_startup(minor, parameters))
    authentication = ClientAuthentication(
        database.user,
        lambda: None if password is None else password.reveal(),
        b64encode(secrets.token_bytes(NONCE_BYTES)).decode("ascii"),
        _channel(wire),
    )
    upstream = Upstream(wire, 0, b"", minor, wire.tls)
    for _ in range(MOST_MESSAGES):
        kind, body = await read_message(wire, LONGEST_MESSAGE_BYTES)
        if kind == b"R":
            await _authenticate(wire, authentication, body)
        elif kind == b"E":
            _refused(database, decode_fields(body), authenticated=authentication.done)
        elif kind == b"v" and not authentication.done:
            upstream.minor = decode_negotiation(body, minor)
        elif not authentication.done:
            raise ProtocolError(f"the server sent {kind!r} before it had authenticated the gateway")
        elif kind == b"Z":
            upstream.transaction_status = body
            return upstream
        else:
            _note(upstream, kind, body)
    raise ProtocolError("the server does not become ready")


async def _authenticate(wire: Wire, authentication: ClientAuthentication, body: bytes) -> None:
    if body[:4] == Method.SASL_CONTINUE.to_bytes(4, "big"):
        # thousands of hash iterations, as many as the server likes: off the thread that all sessions share
        answer = await trio.to_thread.run_sync(authentication.receive, body)
    else:
        answer = authentication.receive(body)
    if answer is not None:
        await wire.send_all(answer)


def _note(upstream: Upstream, kind: bytes, body: bytes) -> None:
    whole = kind + (len(body) + 4).to_bytes(4, "big") + body
    if kind == b"S":
        name, value = decode_parameter_status(body)
        upstream.parameter_status[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    elif kind == b"K":
        key: BackendKey = decode_backend_key(body)
        upstream.process_id, upstream.secret = key.process_id, key.secret
        upstream.greeting.append(None)
        return
    elif kind == b"N":
        upstream.notices.append(whole)
    else:
        raise ProtocolError(f"the server sent {kind!r} before ReadyForQuery")
    upstream.greeting.append(whole)


def _refused(database: Database, fields: dict[str, bytes], *, authenticated: bool) -> NoReturn:
    """The server's own error goes to the client, unless it is about the gateway's login: that names roles and hosts."""
    sqlstate = fields.get("C", b"XX000").decode("ascii", "replace")
    message = fields.get("M", b"").decode("utf-8", "replace")
    if not authenticated and sqlstate.startswith("28"):
        reason = f"the target refused the gateway's login: {sqlstate} {message}"
        raise UpstreamError("08006", f'the gateway cannot log in to the target of database "{database.name}"', reason)
    raise UpstreamError(sqlstate, message, fields=fields)
