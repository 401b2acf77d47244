"""Everything between accepting a Postgres client and its first statement.

    accept → (TLS) → startup packet → proof of identity → database and parameters → Arrival
    … the session connects to the target …  → finish_welcome: AuthenticationOk, the server's own greeting, ReadyForQuery

The client is not told that it is in before the target has let the gateway in: an error of the target is then an ordinary
login error. Every way out other than an `Arrival` or a `CancelArrival` has closed the wire.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import NoReturn

import trio
from attrs import field, frozen

from protocols.base import ProtocolError
from protocols.postgres.authentication import (
    AUTHENTICATION_CLEARTEXT,
    AUTHENTICATION_OK,
    SaslServer,
    decode_password,
)
from protocols.postgres.messages import decode_fields, encode_fields, error_response
from protocols.postgres.scram import ScramError
from protocols.postgres.startup import (
    ALPN,
    TLS_HANDSHAKE,
    CancelRequest,
    GssEncRequest,
    SslRequest,
    StartupMessage,
    decode_first_packet,
    decode_length,
    encode_backend_key,
    encode_negotiation,
    encode_ready,
    secret_bytes,
)
from rules.model import Dialect, Identity
from wireproxy.config.model import Config, Database, Listen
from wireproxy.identity import AccessRefused, AuthenticationFailure, Identification, wrong_password
from wireproxy.parameters import plan_parameters
from wireproxy.throttle import TooManyFailures
from wireproxy.tls import ServerCertificate
from wireproxy.tokens import LONGEST_TOKEN_BYTES, TokenRefused
from wireproxy.upstream import Upstream, UpstreamError
from wireproxy.wire import BrokenWire, PeerClosed, Wire


@frozen
class Arrival:
    """A client that has proved who it is and may use the database it named."""

    wire: Wire
    identity: Identity
    database: Database
    parameters: dict[str, str]  # for the server, in order; `options` taken apart, user and database left out
    protocol: tuple[int, int]
    tls: bool
    client: str  # its address
    settings: dict[str, str]  # the same parameters by lower-cased name: what the session starts with
    expires: float | None = None  # Unix seconds at which its token ends; None for a user with a verifier


@frozen
class CancelArrival:
    """A CancelRequest. The wire says nothing more; close it once the request has been dealt with."""

    wire: Wire
    process_id: int
    secret: bytes = field(repr=False)


async def welcome(
    wire: Wire, listen: Listen, config: Config, gate: Identification, tls: ServerCertificate | None
) -> Arrival | CancelArrival | None:
    """None when there is nobody to serve: the client has been told why, the gate has the reason, the wire is closed."""
    visit = _Visit(wire, listen, config, gate, tls)
    try:
        with trio.move_on_after(config.limits.startup_timeout_s):
            return await visit.run()
        visit.report("no login within the startup timeout")
        wire.close(error_response("57014", "canceling authentication due to timeout", severity="FATAL"))
    except ProtocolError as error:
        visit.report(f"protocol: {error}")
        wire.close(error_response(error.sqlstate, str(error), severity="FATAL"))
    except AccessRefused as error:
        visit.report(error.reason)
        wire.close(
            error_response(error.sqlstate, error.message, detail=error.detail, hint=error.hint, severity="FATAL")
        )
    except BrokenWire as error:
        # a port probe, or psql that hangs up to ask for the password and comes again: nobody wants a line for each
        if not isinstance(error, PeerClosed):
            visit.report(str(error))
        wire.close()
    except BaseException:
        wire.close()
        raise
    return None


LOGGED_NAME_CHARS = 255  # a name can be as long as a startup packet, and whoever sends one has proved nothing


class _Visit:
    """One client on its way in."""

    def __init__(
        self, wire: Wire, listen: Listen, config: Config, gate: Identification, tls: ServerCertificate | None
    ) -> None:
        self.wire = wire
        self.address = wire.address
        self.user = ""
        self.database: str | None = None
        self._listen = listen
        self._limits = config.limits
        self._gate = gate
        self._tls = tls
        self._binding: bytes | None = None
        self._guessed = False  # a proof was looked at and was wrong
        self._expires: float | None = None

    def report(self, reason: str) -> None:
        database = None if self.database is None else self.database[:LOGGED_NAME_CHARS]
        failure = AuthenticationFailure(self.user[:LOGGED_NAME_CHARS], self.address, reason, database)
        self._gate.failed(failure, counts=self._guessed)

    async def run(self) -> Arrival | CancelArrival:
        packet = await self._first_packets()
        if isinstance(packet, CancelRequest):
            # libpq before 17 sends it in clear even for a session under TLS; the secret is what counts
            return CancelArrival(self.wire, packet.process_id, packet.secret)
        self._check_startup(packet)
        if packet.needs_negotiation:
            await self.wire.send_all(encode_negotiation(packet.negotiated_minor, packet.protocol_options))
        identity = await self._authenticate()
        self._gate.proved(self.address, self.user)
        database = self._gate.database(self.database or self.user, Dialect.POSTGRES, identity)
        parameters, settings = plan_parameters(packet.parameters, database.forbidden_parameters)
        return Arrival(
            self.wire,
            identity,
            database,
            parameters,
            (3, packet.negotiated_minor),
            self.wire.tls,
            self.address,
            settings,
            self._expires,
        )

    # --- up to the startup packet

    async def _first_packets(self) -> CancelRequest | StartupMessage:
        ssl = gssenc = True
        if await self.wire.peek() == TLS_HANDSHAKE:
            await self._start_direct_tls()
            ssl = gssenc = False
        while True:
            packet = await self._first_packet(ssl=ssl, gssenc=gssenc)
            match packet:
                case SslRequest():
                    ssl = False
                    if await self._answer_ssl():
                        gssenc = False  # one encryption inside another is not to be had
                case GssEncRequest():
                    gssenc = False
                    await self.wire.send_all(b"N")
                case _:
                    return packet

    async def _first_packet(
        self, *, ssl: bool, gssenc: bool
    ) -> SslRequest | GssEncRequest | CancelRequest | StartupMessage:
        # no byte more than the packet is read: what follows may be a TLS handshake
        header = await self.wire.receive_exactly(4)
        body = await self.wire.receive_exactly(decode_length(header, self._limits.startup_bytes))
        return decode_first_packet(body, ssl=ssl, gssenc=gssenc)

    async def _answer_ssl(self) -> bool:
        """Whether TLS is on now. Bytes that came before the answer were not said under TLS, and end it all."""
        self.wire.refuse_cleartext()
        if self._tls is None:
            await self.wire.send_all(b"N")
            return False
        await self.wire.send_all(b"S")
        await self._start_tls(self._tls)
        return True

    async def _start_tls(self, certificate: ServerCertificate) -> None:
        tls = certificate.current()
        self._binding = tls.binding
        await self.wire.start_tls_server(tls.context)

    async def _start_direct_tls(self) -> None:
        if self._tls is None:
            raise BrokenWire("TLS asked for, and this port has no certificate")
        await self._start_tls(self._tls)
        if self.wire.alpn != ALPN:
            # else a browser could be made to speak to a database (55.2.11)
            raise ProtocolError("received direct SSL connection request without ALPN protocol negotiation extension")

    def _check_startup(self, packet: StartupMessage) -> None:
        self.user = packet.parameters.get("user", "")
        self.database = packet.parameters.get("database") or self.user
        if not self.user:
            raise ProtocolError("no PostgreSQL user name specified in startup packet", sqlstate="28000")
        if packet.parameters.get("replication", "").lower() not in ("", "false", "off", "no", "0", "f", "n"):
            raise AccessRefused("0A000", "replication connections are not relayed", "replication asked for")
        if self._listen.require_tls and not self.wire.tls:
            raise _tls_needed("this gateway takes encrypted connections only", "no TLS, which is required")

    # --- who

    async def _authenticate(self) -> Identity:
        match self._gate.method(self.user, tls=self.wire.tls):
            case "scram":
                return await self._scram()
            case "token":
                return await self._token()
            case _:
                raise _tls_needed(
                    f'password authentication failed for user "{self.user}"', "not a local user, and no TLS for a token"
                )

    async def _scram(self) -> Identity:
        sasl = SaslServer(self._gate.scram(self.user, self._binding if self.wire.tls else None))
        await self.wire.send_all(sasl.begin())
        try:
            await self.wire.send_all(sasl.receive(await self._password_message(sasl.limit_bytes)))
            proof = await self._password_message(sasl.limit_bytes)
            await self._pause()
            last = sasl.receive(proof)
        except ScramError as error:
            self._refuse_scram(error)
        assert sasl.done
        await self.wire.send_all(last)
        return self._gate.local_identity(self.user)

    def _refuse_scram(self, error: ScramError) -> NoReturn:
        if error.sqlstate == "28P01":
            self._guessed = True
            raise wrong_password(self.user, f"SCRAM: {error}") from None
        raise AccessRefused(error.sqlstate, str(error), f"SCRAM: {error}") from None

    async def _token(self) -> Identity:
        await self.wire.send_all(AUTHENTICATION_CLEARTEXT)
        token = decode_password(await self._password_message(LONGEST_TOKEN_BYTES))
        await self._pause()
        try:
            verified = await self._gate.token_identity(self.user, token)
        except TokenRefused as error:
            self._guessed = True
            raise wrong_password(self.user, f"token: {error}") from None
        self._expires = verified.expires
        return verified.identity

    async def _password_message(self, limit_bytes: int) -> bytes:
        header = await self.wire.receive_exactly(5)
        length = int.from_bytes(header[1:], "big") - 4
        if header[:1] != b"p":
            raise ProtocolError(f"expected password response, got message type {header[0]}")
        if not 0 <= length <= limit_bytes + 64:  # around the message itself: the mechanism's name, a length, a zero
            raise ProtocolError("password message is too long")
        return await self.wire.receive_exactly(length)

    async def _pause(self) -> None:
        try:
            await self._gate.pause(self.address, self.user)
        except TooManyFailures:
            raise AccessRefused(
                "53300", "too many failed logins from this address", "too many failed logins wait already"
            ) from None


def _tls_needed(message: str, reason: str) -> AccessRefused:
    return AccessRefused(
        "28000",
        message,
        reason,
        detail="The connection is not encrypted.",
        hint='Add "sslmode=require" to the connection string, or "verify-full" with the gateway\'s certificate.',
    )


# --- the end of the welcome


def new_secret(protocol: tuple[int, int]) -> bytes:
    """A cancel secret of the gateway's own, as long as the client's protocol version has it."""
    return secrets.token_bytes(secret_bytes(protocol[1]))


Scrubber = Callable[[Mapping[str, bytes]], Mapping[str, bytes]]


async def finish_welcome(
    wire: Wire, upstream: Upstream, process_id: int, secret: bytes, *, scrub: Scrubber | None = None
) -> None:
    """Tell the client that it is in: what the server said, in its order, with `secret` in place of the server's own.

    `scrub` rewrites the fields of notices. BrokenWire when the client is gone; the wire is closed then.
    """
    frames = [AUTHENTICATION_OK]
    for frame in upstream.greeting:
        if frame is None:
            frames.append(encode_backend_key(process_id, secret))
        elif scrub is not None and frame[:1] == b"N":
            frames.append(encode_fields(b"N", scrub(decode_fields(frame[5:]))))
        else:
            frames.append(frame)
    frames.append(encode_ready(upstream.transaction_status))
    try:
        await wire.send_all(b"".join(frames))
    except BaseException:
        wire.close()
        raise


def refuse_welcome(wire: Wire, error: UpstreamError) -> None:
    """Tell the client why there is no session, and close."""
    wire.close(encode_fields(b"E", error.fields))
