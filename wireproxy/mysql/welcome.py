"""Everything between accepting a MySQL client and its first command.

    accept → greeting → (TLS) → handshake response → proof of identity → database → MySqlArrival
    … the session connects to the target …  → finish_welcome: OK

The client is not told that it is in before the target has let the gateway in. Every way out other than a `MySqlArrival` has closed
the wire.
"""

from __future__ import annotations

import trio
from attrs import frozen

from protocols.base import Peer, ProtocolError
from protocols.mysql.authentication import CACHING_SHA2, LONGEST_PROOF_BYTES
from protocols.mysql.capabilities import Capability, agreed, offered
from protocols.mysql.handshake import (
    LONGEST_RESPONSE_BYTES,
    SSL_REQUEST_BYTES,
    Greeting,
    HandshakeResponse,
    decode_response,
    encode_greeting,
    is_ssl_request,
)
from protocols.mysql.messages import AUTOCOMMIT, Ok, encode_err, encode_ok, error_of
from protocols.postgres.messages import error_fields
from rules.model import Dialect
from wireproxy.config.model import Config, Listen
from wireproxy.identity import AccessRefused, AuthenticationFailure, Identification
from wireproxy.mysql.login import Conversation, Known, Login, LoginRefused, Logins, new_nonce
from wireproxy.mysql.packets import PacketWire
from wireproxy.mysql.upstream import UTF8MB4
from wireproxy.tls import ServerCertificate
from wireproxy.upstream import UpstreamError
from wireproxy.welcome import LOGGED_NAME_CHARS, Arrival
from wireproxy.wire import BrokenWire, PeerClosed, Wire

ATTRIBUTES_KEPT = 32
ATTRIBUTE_CHARS = 255
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
        self._nonce = new_nonce()
        self._number = logins.next_connection()
        self._guessed = False

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
        given = response.user.decode("utf-8", "replace")
        self.user, meant = self._gate.named_in_user(given, Dialect.MYSQL)
        self.database = meant if response.database is None else response.database.decode("utf-8", "replace")
        if meant is not None:
            response = response._replace(user=self.user.encode())
        known = await self._authenticate(response, given)
        if meant is not None and meant != self.database:
            raise AccessRefused(
                "3D000", "the name of the user and the login name different databases", "two databases named"
            )
        if self.database is None:  # programs that dump and administer choose it later, by USE
            database = self._gate.only_database(Dialect.MYSQL, known.identity)
        else:
            database = self._gate.database(self.database, Dialect.MYSQL, known.identity)
        shown = shown_attributes(response.attributes)
        return MySqlArrival(
            self.wire,
            known.identity,
            database,
            shown,
            (10, 0),
            self.wire.tls,
            self.address,
            {},
            known.expires,
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

    async def _authenticate(self, response: HandshakeResponse, given: str) -> Known:
        """`given`: the user as the client wrote it. A refusal repeats just that, or it would say which databases exist."""

        async def ask(payload: bytes) -> bytes:
            await self._packets.send(payload)
            return await self._packets.read(LONGEST_PROOF_BYTES)

        talk = Conversation(ask, self._packets.send, self.wire.tls, self.address)
        try:
            return await Login(self._config, self._gate, self._logins, talk).run(response, self._nonce)
        except LoginRefused as error:
            self._guessed = error.guessed
            raise LoginRefused(given, self.address, error.reason, guessed=error.guessed) from None


def shown_attributes(attributes: dict[str, str]) -> dict[str, str]:
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
