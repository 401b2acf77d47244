"""Everything between accepting a MySQL client and its first command.

    accept → greeting → (TLS) → handshake response → proof of identity → database → MySqlArrival
    … the session connects to the target …  → finish_welcome: OK

The client is not told that it is in before the target has let the gateway in. Every way out other than a `MySqlArrival` has closed
the wire.
"""

from __future__ import annotations

import secrets

import trio
from attrs import define, field, frozen

from protocols.base import Peer, ProtocolError
from protocols.mysql.authentication import (
    CACHING_SHA2,
    LONGEST_PROOF_BYTES,
    CheckPassword,
    CheckToken,
    Failed,
    Proved,
    Send,
    ServerAuthentication,
    cached_digest,
)
from protocols.mysql.caching_sha2 import check_password, make_verifier
from protocols.mysql.capabilities import Capability, agreed, offered
from protocols.mysql.handshake import (
    LONGEST_RESPONSE_BYTES,
    NONCE_BYTES,
    SSL_REQUEST_BYTES,
    Greeting,
    HandshakeResponse,
    decode_response,
    encode_greeting,
    is_ssl_request,
)
from protocols.mysql.messages import AUTOCOMMIT, Ok, encode_err, encode_ok, error_of
from protocols.postgres.messages import error_fields
from rules.model import Dialect, Identity
from wireproxy.config.model import Config, Listen
from wireproxy.identity import AccessRefused, AuthenticationFailure, Identification
from wireproxy.mysql.keys import GatewayKey
from wireproxy.mysql.packets import PacketWire
from wireproxy.mysql.upstream import UTF8MB4
from wireproxy.throttle import TooManyFailures
from wireproxy.tls import ServerCertificate
from wireproxy.tokens import TokenRefused
from wireproxy.upstream import UpstreamError
from wireproxy.welcome import LOGGED_NAME_CHARS, Arrival
from wireproxy.wire import BrokenWire, PeerClosed, Wire

FIRST_NUMBER = 1 << 30
ATTRIBUTES_KEPT = 32
ATTRIBUTE_CHARS = 255
_MOCK_SALT = "wireproxy.mock.salt."  # of names that do not exist: their check takes as long as a real one
_MOCK_VERIFIER = make_verifier(secrets.token_hex(16), _MOCK_SALT)
DEFAULT_VERSION = "8.0.36"  # until a target has said its own


@frozen
class Face:
    """What the gateway looks like to a client, before it is known which target the client wants."""

    version: str = DEFAULT_VERSION
    mariadb: bool = False


@frozen(kw_only=True)
class MySqlArrival(Arrival):
    """A client that has proved who it is and may use the database it named."""

    capabilities: Capability
    charset: int
    sequence: int  # of the packet that tells the client that it is in
    number: int  # of the connection, as the greeting said it


@define
class Logins:
    """What the logins of one gateway share: its RSA key, and digests of passwords that were right, by user and verifier."""

    key: GatewayKey = field(factory=GatewayKey)
    digests: dict[tuple[str, str], bytes] = field(factory=dict, repr=False)
    connections: int = 0

    def next_connection(self) -> int:
        """The number of the greeting. Servers count from 1, and it must not be taken for one of theirs in a KILL; drivers
        may read it as signed."""
        self.connections = (self.connections + 1) % FIRST_NUMBER
        return FIRST_NUMBER + self.connections


async def welcome_mysql(
    wire: Wire,
    listen: Listen,
    config: Config,
    gate: Identification,
    tls: ServerCertificate | None,
    logins: Logins,
    face: Face,
) -> MySqlArrival | None:
    """None when there is nobody to serve: the client has been told why, the gate has the reason, the wire is closed."""
    visit = _Visit(wire, listen, config, gate, tls, logins, face)
    try:
        with trio.move_on_after(config.limits.startup_timeout_s):
            return await visit.run()
        visit.report("no login within the startup timeout")
        wire.close()
    except ProtocolError as error:
        visit.report(f"protocol: {error}")
        visit.refuse(error.sqlstate, str(error))
    except AccessRefused as error:
        visit.report(error.reason)
        visit.refuse(error.sqlstate, error.message, error.detail, error.hint)
    except BrokenWire as error:
        if not isinstance(error, PeerClosed):  # a port probe
            visit.report(str(error))
        wire.close()
    except BaseException:
        wire.close()
        raise
    return None


class _Visit:
    """One client on its way in."""

    def __init__(
        self,
        wire: Wire,
        listen: Listen,
        config: Config,
        gate: Identification,
        tls: ServerCertificate | None,
        logins: Logins,
        face: Face,
    ) -> None:
        self.wire = wire
        self.address = wire.address
        self.user = ""
        self.database: str | None = None
        self._packets = PacketWire(wire, Peer.CLIENT)
        self._listen = listen
        self._config = config
        self._gate = gate
        self._tls = tls
        self._logins = logins
        self._face = face
        self._offer = offered(tls=tls is not None, mariadb=face.mariadb)
        self._nonce = bytes(secrets.choice(range(1, 128)) for _ in range(NONCE_BYTES))
        self._number = logins.next_connection()
        self._guessed = False
        self._expires: float | None = None

    def report(self, reason: str) -> None:
        database = None if self.database is None else self.database[:LOGGED_NAME_CHARS]
        failure = AuthenticationFailure(self.user[:LOGGED_NAME_CHARS], self.address, reason, database)
        self._gate.failed(failure, counts=self._guessed)

    def refuse(self, sqlstate: str, message: str, detail: str = "", hint: str = "") -> None:
        fields = error_fields(sqlstate, message, detail=detail, hint=hint)
        self.wire.close(self._packets.encode(encode_err(error_of(fields))))

    async def run(self) -> MySqlArrival:
        await self._packets.send(encode_greeting(self._greeting()))
        response = await self._response()
        flags = agreed(self._offer, response.capabilities)
        self.user = response.user.decode("utf-8", "replace")
        self.database = None if response.database is None else response.database.decode("utf-8", "replace")
        identity = await self._authenticate(response)
        self._gate.proved(self.address, self.user)
        if self.database is None:
            raise AccessRefused(
                "3D000",
                "No database selected",
                "no database was named",
                hint="Name one in the connection string: the gateway finds the server by it.",
            )
        database = self._gate.database(self.database, Dialect.MYSQL, identity)
        shown = _shown(response.attributes)
        return MySqlArrival(
            self.wire,
            identity,
            database,
            shown,
            (10, 0),
            self.wire.tls,
            self.address,
            {},
            self._expires,
            capabilities=flags,
            charset=response.charset or UTF8MB4,
            sequence=self._packets.sequence,
            number=self._number,
        )

    def _greeting(self) -> Greeting:
        return Greeting(self._face.version, self._number, self._nonce, self._offer, UTF8MB4, AUTOCOMMIT, CACHING_SHA2)

    async def _response(self) -> HandshakeResponse:
        # no byte more than the packet is read: what follows may be a TLS handshake
        payload = await self._packets.read(LONGEST_RESPONSE_BYTES)
        if is_ssl_request(payload):
            if self._tls is None:
                raise ProtocolError("TLS asked for, and this port has no certificate")
            # clients do not wait for an answer: what is there now is the TLS handshake, and only that is let through
            await self.wire.start_tls_server(self._tls.current().context)
            first = payload
            payload = await self._packets.read(LONGEST_RESPONSE_BYTES)
            if payload[:SSL_REQUEST_BYTES] != first:
                raise ProtocolError("the client asks for other things under TLS than before")
        elif self._listen.require_tls:
            raise AccessRefused(
                "28000",
                "this gateway takes encrypted connections only",
                "no TLS, which is required",
                hint='Turn TLS on in the client: "ssl-mode=REQUIRED", or "--ssl".',
            )
        return decode_response(payload, self._offer)

    # --- who

    async def _authenticate(self, response: HandshakeResponse) -> Identity:
        user = self._config.users.get(self.user)
        verifier = None if user is None else user.mysql_verifier
        method = self._gate.method(self.user, tls=self.wire.tls)
        token = verifier is None and method != "scram"
        digest = None if verifier is None else self._logins.digests.get((self.user, verifier))
        login = ServerAuthentication(
            response, self._nonce, token=token, digest=digest, tls=self.wire.tls, rsa=self._logins.key
        )
        step = login.begin()
        while isinstance(step, Send):
            await self._packets.send(step.payload)
            step = login.receive(await self._packets.read(LONGEST_PROOF_BYTES))
        await self._pause()
        match step:
            case Failed():
                self._guessed = step.guessed
                raise self._denied(step.reason)
            case Proved():
                await self._packets.send(step.last)
                return self._gate.local_identity(self.user)
            case CheckPassword():
                return await self._check(step.password, verifier)
            case CheckToken():
                return await self._check_token(step.token)

    async def _check(self, password: bytes, verifier: str | None) -> Identity:
        # thousands of hashes: off the thread that all sessions share. A name without a verifier takes as long
        text = password.decode("utf-8", "surrogateescape")
        try:
            right = await trio.to_thread.run_sync(check_password, text, verifier or _MOCK_VERIFIER)
        except ValueError as error:
            raise self._denied(f"[user.{self.user}] mysql_verifier: {error}") from None
        if not right or verifier is None or not password:
            self._guessed = True
            raise self._denied(
                "wrong password" if verifier is not None else "no such user, or one without mysql_verifier"
            )
        digests = self._logins.digests
        stale = [key for key in digests if key[0] == self.user]
        for key in stale:
            del digests[key]
        digests[self.user, verifier] = cached_digest(password)
        return self._gate.local_identity(self.user)

    async def _check_token(self, token: bytes) -> Identity:
        try:
            verified = await self._gate.token_identity(self.user, token)
        except TokenRefused as error:
            self._guessed = True
            raise self._denied(f"token: {error}") from None
        self._expires = verified.expires
        return verified.identity

    def _denied(self, reason: str) -> AccessRefused:
        """MySQL's one sentence for everything that can be wrong with a login."""
        return AccessRefused("28000", f"Access denied for user '{self.user}'@'{self.address}'", reason)

    async def _pause(self) -> None:
        try:
            await self._gate.pause(self.address, self.user)
        except TooManyFailures:
            raise AccessRefused(
                "53300", "too many failed logins from this address", "too many failed logins wait already"
            ) from None


def _shown(attributes: dict[str, str]) -> dict[str, str]:
    """Connection attributes for the record; the program's name is where every dialect's is."""
    kept = {
        name[:ATTRIBUTE_CHARS]: value[:ATTRIBUTE_CHARS] for name, value in list(attributes.items())[:ATTRIBUTES_KEPT]
    }
    program = kept.get("program_name") or kept.get("_client_name", "")
    return {**kept, "application_name": program}


async def finish_welcome(arrival: MySqlArrival, status: int) -> None:
    """Tell the client that it is in. BrokenWire when it is gone; the wire is closed then."""
    packets = PacketWire(arrival.wire, Peer.CLIENT)
    packets.sequence = arrival.sequence
    try:
        await packets.send(encode_ok(Ok(0, 0, status, 0, b"", None)))
    except BaseException:
        arrival.wire.close()
        raise


def refuse_welcome(arrival: MySqlArrival, error: UpstreamError) -> None:
    """Tell the client why there is no session, and close."""
    packets = PacketWire(arrival.wire, Peer.CLIENT)
    packets.sequence = arrival.sequence
    arrival.wire.close(packets.encode(encode_err(error_of(error.fields))))
