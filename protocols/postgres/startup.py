"""The first packets of a PostgreSQL connection, on both legs. Spec: PostgreSQL 55.2.1, 55.2.10, 55.2.11 and 55.7.

Theory of operation. A connection begins with packets that have a length but no type byte. A client may first ask for
encryption (SSLRequest, GSSENCRequest, or at once with a TLS ClientHello), each at most once; then comes exactly one
StartupMessage or CancelRequest:

    FRESH --SSLRequest--> (answer S: TLS, then encrypted, or N) --> FRESH without SSLRequest
    FRESH --GSSENCRequest--> (answer N) --> FRESH without GSSENCRequest
    FRESH --StartupMessage--> authentication
    FRESH --CancelRequest--> the end

An encryption request out of turn is taken for what its number says as a version (1234.5679), as the server takes it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from protocols.base import Peer, ProtocolError
from protocols.postgres.messages import frame, read_cstring

STARTUP_BYTES = 10_000  # MAX_STARTUP_PACKET_LENGTH of the server
LONGEST_SECRET_BYTES = 256  # 55.7, CancelRequest: "the maximum length is 256 bytes"
SECRET_BYTES_3_0 = 4
SECRET_BYTES_3_2 = 32  # what PostgreSQL 18 itself uses
MAJOR = 3
NEWEST_MINOR = 2

TLS_HANDSHAKE = 0x16  # first byte of a TLS record that carries a ClientHello: no packet below 16 MiB begins so
ALPN = "postgresql"

_CANCEL_REQUEST = 80877102
_SSL_REQUEST = 80877103
_GSSENC_REQUEST = 80877104
_INT32 = struct.Struct("!I")
_HEADER = struct.Struct("!II")

SSL_REQUEST = _HEADER.pack(8, _SSL_REQUEST)
GSSENC_REQUEST = _HEADER.pack(8, _GSSENC_REQUEST)


@dataclass(frozen=True, slots=True)
class SslRequest:
    """The client asks for TLS; answered by one byte, S or N."""


@dataclass(frozen=True, slots=True)
class GssEncRequest:
    """The client asks for GSSAPI encryption; answered by N."""


@dataclass(frozen=True, slots=True)
class CancelRequest:
    process_id: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StartupMessage:
    """`minor` is as the client asked; `parameters` in the order in which the server would apply them."""

    minor: int
    parameters: Mapping[str, str]
    protocol_options: Mapping[str, str]  # the `_pq_.` ones

    @property
    def negotiated_minor(self) -> int:
        return min(self.minor, NEWEST_MINOR)

    @property
    def needs_negotiation(self) -> bool:
        """Whether NegotiateProtocolVersion is due. Spec: 55.2.1, for a newer minor version or an unknown option."""
        return self.minor > NEWEST_MINOR or bool(self.protocol_options)


FirstPacket = SslRequest | GssEncRequest | CancelRequest | StartupMessage


def decode_length(header: bytes, limit: int = STARTUP_BYTES) -> int:
    """How many bytes follow the four that are given."""
    length = int.from_bytes(header, "big")
    if len(header) != 4 or not 8 <= length <= limit:
        raise ProtocolError("invalid length of startup packet")
    return length - 4


def decode_first_packet(body: bytes, *, ssl: bool = True, gssenc: bool = True) -> FirstPacket:
    """`body` is what follows the length. `ssl` and `gssenc` say whether the request for it may still come."""
    if len(body) < 4:
        raise ProtocolError("invalid length of startup packet")
    code = _INT32.unpack_from(body)[0]
    if code == _CANCEL_REQUEST:
        return _decode_cancel(body)
    if code == _SSL_REQUEST and ssl:
        _expect_bare(body)
        return SslRequest()
    if code == _GSSENC_REQUEST and gssenc:
        _expect_bare(body)
        return GssEncRequest()
    major, minor = code >> 16, code & 0xFFFF
    if major != MAJOR:
        raise ProtocolError(
            f"unsupported frontend protocol {major}.{minor}: server supports 3.0 to {MAJOR}.{NEWEST_MINOR}",
            sqlstate="0A000",
        )
    return _decode_startup(minor, body)


def _expect_bare(body: bytes) -> None:
    if len(body) != 4:
        raise ProtocolError("invalid length of startup packet")


def _decode_cancel(body: bytes) -> CancelRequest:
    secret = body[8:]
    if not 0 < len(secret) <= LONGEST_SECRET_BYTES:
        raise ProtocolError("invalid length of cancel request packet")
    return CancelRequest(_INT32.unpack_from(body, 4)[0], secret)


def _decode_startup(minor: int, body: bytes) -> StartupMessage:
    parameters: dict[str, str] = {}
    protocol_options: dict[str, str] = {}
    at = 4
    while body[at : at + 1] != b"\0":
        raw_name, at = read_cstring(body, at)
        raw_value, at = read_cstring(body, at)
        name = _text(raw_name)
        chosen = protocol_options if name.startswith("_pq_.") else parameters
        # the server applies them one after the other: of a name given twice the last wins, at its place
        chosen.pop(name, None)
        chosen[name] = _lenient_text(raw_value) if name == "application_name" else _text(raw_value)
    if at != len(body) - 1:
        raise ProtocolError("invalid startup packet layout: expected terminator as last byte")
    return StartupMessage(minor, parameters, protocol_options)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError("startup packet is not UTF-8", sqlstate="22021") from error


def _lenient_text(raw: bytes) -> str:
    # the server itself writes what is not ASCII in an application_name as \xHH
    return raw.decode("utf-8", "backslashreplace")


def encode_startup(minor: int, parameters: Mapping[str, str]) -> bytes:
    """A StartupMessage. A name that is empty, or a NUL anywhere, would end or split it, and is refused."""
    parts = [_INT32.pack(MAJOR << 16 | minor)]
    for name, value in parameters.items():
        if not name or "\0" in name or "\0" in value:
            raise ProtocolError("a startup parameter has no name, or a zero byte in it")
        parts.append(name.encode() + b"\0" + value.encode() + b"\0")
    body = b"".join(parts) + b"\0"
    return _INT32.pack(len(body) + 4) + body


def encode_first_packet(packet: FirstPacket) -> bytes:
    match packet:
        case SslRequest():
            return SSL_REQUEST
        case GssEncRequest():
            return GSSENC_REQUEST
        case CancelRequest():
            return encode_cancel(packet.process_id, packet.secret)
        case StartupMessage():
            return encode_startup(packet.minor, {**packet.parameters, **packet.protocol_options})
        case _:
            assert_never(packet)


def encode_cancel(process_id: int, secret: bytes) -> bytes:
    return struct.pack("!III", 12 + len(secret), _CANCEL_REQUEST, process_id) + secret


def encode_negotiation(minor: int, unknown_options: Iterable[str]) -> bytes:
    """NegotiateProtocolVersion. The version goes out whole (3.minor), as PostgreSQL writes it and libpq reads it."""
    names = [name.encode() + b"\0" for name in unknown_options]
    return frame(b"v", _HEADER.pack(MAJOR << 16 | minor, len(names)) + b"".join(names))


def decode_negotiation(body: bytes, asked_minor: int) -> int:
    """The minor version that the server will speak. Spec: 55.7, NegotiateProtocolVersion.

    Some servers send the minor version alone, as the manual once said, others the whole version.
    """
    if len(body) < 8:
        raise ProtocolError("NegotiateProtocolVersion ends early", peer=Peer.SERVER)
    version, count = _HEADER.unpack_from(body)
    major, minor = divmod(int(version), 1 << 16)
    if major not in (0, MAJOR) or minor > asked_minor:
        raise ProtocolError("the server negotiates a protocol that was not asked for", peer=Peer.SERVER)
    if count:
        raise ProtocolError("the server refuses protocol options that were not sent", peer=Peer.SERVER)
    return minor


@dataclass(frozen=True, slots=True)
class BackendKey:
    process_id: int
    secret: bytes = field(repr=False)


def decode_backend_key(body: bytes) -> BackendKey:
    secret = body[4:]
    if not 0 < len(secret) <= LONGEST_SECRET_BYTES:
        raise ProtocolError("BackendKeyData has a secret of a length that cannot be", peer=Peer.SERVER)
    return BackendKey(_INT32.unpack_from(body)[0], secret)


def encode_backend_key(process_id: int, secret: bytes) -> bytes:
    return frame(b"K", _INT32.pack(process_id) + secret)


def encode_parameter_status(name: str, value: str) -> bytes:
    return frame(b"S", name.encode() + b"\0" + value.encode() + b"\0")


def encode_ready(transaction_status: bytes) -> bytes:
    return frame(b"Z", transaction_status)


def secret_bytes(minor: int) -> int:
    """How long the gateway's own cancel secret is. Spec: 55.7, BackendKeyData: before 3.2 it was always 4 bytes."""
    return SECRET_BYTES_3_2 if minor >= 2 else SECRET_BYTES_3_0
