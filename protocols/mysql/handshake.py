"""The first packets of a connection, for both ends. Spec: MySQL, "Connection Phase", HandshakeV10 and HandshakeResponse41.

The client chooses its flags before it has said which database it wants, so the greeting is the gateway's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from protocols.base import Peer, ProtocolError
from protocols.mysql.capabilities import Capability
from protocols.mysql.packets import Cursor, encode_lenenc

NONCE_BYTES: Final = 20
SSL_REQUEST_BYTES: Final = 32
LONGEST_RESPONSE_BYTES: Final = 80 * 1024  # connection attributes may take 64 KiB
MOST_ATTRIBUTES: Final = 256
_VERSION_10: Final = 10
_AUTH_DATA_FIRST: Final = 8


class Greeting(NamedTuple):
    version: str
    connection_id: int
    nonce: bytes
    capabilities: Capability
    charset: int
    status: int
    plugin: str

    @property
    def mariadb(self) -> bool:
        return "mariadb" in self.version.lower()


class HandshakeResponse(NamedTuple):
    capabilities: Capability  # as the client asked for them; what holds is for `agreed` to say
    maximum_packet: int
    charset: int
    user: bytes
    proof: bytes
    database: bytes | None
    plugin: str
    attributes: dict[str, str]


def encode_greeting(greeting: Greeting) -> bytes:
    """`nonce` has 20 bytes, none of them zero: old clients read it as a string."""
    assert len(greeting.nonce) == NONCE_BYTES
    assert 0 not in greeting.nonce
    flags = int(greeting.capabilities)
    return b"".join(
        (
            bytes((_VERSION_10,)),
            greeting.version.encode() + b"\0",
            greeting.connection_id.to_bytes(4, "little"),
            greeting.nonce[:_AUTH_DATA_FIRST] + b"\0",
            (flags & 0xFFFF).to_bytes(2, "little"),
            bytes((greeting.charset,)),
            greeting.status.to_bytes(2, "little"),
            (flags >> 16 & 0xFFFF).to_bytes(2, "little"),
            bytes((NONCE_BYTES + 1,)),
            bytes(6),
            (0 if greeting.capabilities & Capability.MYSQL else flags >> 32).to_bytes(4, "little"),
            greeting.nonce[_AUTH_DATA_FIRST:] + b"\0",
            greeting.plugin.encode() + b"\0",
        )
    )


def decode_greeting(payload: bytes) -> Greeting:
    cursor = Cursor(payload, peer=Peer.SERVER)
    if cursor.read_int(1) != _VERSION_10:
        raise ProtocolError("the server speaks another version of the protocol than 10", peer=Peer.SERVER)
    version = cursor.read_cstring().decode("utf-8", "replace")
    connection_id = cursor.read_int(4)
    nonce = cursor.read_bytes(_AUTH_DATA_FIRST)
    cursor.read_bytes(1)
    flags = cursor.read_int(2)
    charset = cursor.read_int(1)
    status = cursor.read_int(2)
    flags |= cursor.read_int(2) << 16
    auth_length = cursor.read_int(1)
    cursor.read_bytes(6)
    extended = cursor.read_int(4)
    if not flags & Capability.MYSQL:
        flags |= extended << 32
    if flags & Capability.SECURE_CONNECTION:
        more = cursor.read_bytes(max(13, auth_length - _AUTH_DATA_FIRST) if auth_length else 13)
        nonce += more.removesuffix(b"\0")
    plugin = "mysql_native_password"
    if flags & Capability.PLUGIN_AUTH:
        # before 5.5.10 and in some forks the name lacks its terminator
        plugin = cursor.read_rest().split(b"\0")[0].decode("ascii", "replace")
    return Greeting(version, connection_id, nonce[:NONCE_BYTES], Capability(flags), charset, status, plugin)


def _head(capabilities: Capability, maximum_packet: int, charset: int) -> bytes:
    flags = int(capabilities)
    return (
        (flags & 0xFFFFFFFF).to_bytes(4, "little")
        + maximum_packet.to_bytes(4, "little")
        + bytes((charset,))
        + bytes(19)
        + (0 if capabilities & Capability.MYSQL else flags >> 32).to_bytes(4, "little")
    )


def encode_ssl_request(capabilities: Capability, maximum_packet: int, charset: int) -> bytes:
    return _head(capabilities | Capability.SSL, maximum_packet, charset)


def encode_response(response: HandshakeResponse) -> bytes:
    """`capabilities` are those that hold; the proof goes in the form that they ask for."""
    flags = response.capabilities
    parts = [_head(flags, response.maximum_packet, response.charset), response.user + b"\0"]
    if flags & Capability.PLUGIN_AUTH_LENENC:
        parts.append(encode_lenenc(response.proof))
    else:
        parts.append(bytes((len(response.proof),)) + response.proof)
    if flags & Capability.CONNECT_WITH_DB:
        parts.append((response.database or b"") + b"\0")
    if flags & Capability.PLUGIN_AUTH:
        parts.append(response.plugin.encode() + b"\0")
    if flags & Capability.CONNECT_ATTRS:
        parts.append(encode_lenenc(_attributes(response.attributes)))
    return b"".join(parts)


def _attributes(attributes: Mapping[str, str]) -> bytes:
    return b"".join(encode_lenenc(part.encode()) for item in attributes.items() for part in item)


def is_ssl_request(payload: bytes) -> bool:
    """A response that ends where the user's name would begin. Spec: SSLRequest."""
    if len(payload) != SSL_REQUEST_BYTES:
        return False
    return bool(int.from_bytes(payload[:4], "little") & Capability.SSL)


def decode_response(payload: bytes, offer: Capability) -> HandshakeResponse:
    """`offer` is what the greeting said: a flag that was not offered is not heeded."""
    cursor = Cursor(payload)
    asked = cursor.read_int(4)
    if not asked & Capability.PROTOCOL_41:
        raise ProtocolError("Client does not support the protocol of MySQL 4.1 and later", sqlstate="08004")
    maximum_packet = cursor.read_int(4)
    charset = cursor.read_int(1)
    cursor.read_bytes(19)
    extended = cursor.read_int(4)
    if not asked & Capability.MYSQL and not offer & Capability.MYSQL:
        asked |= extended << 32
    flags = Capability(asked)
    user = cursor.read_cstring()
    proof = _proof(cursor, flags)
    database = None
    if flags & Capability.CONNECT_WITH_DB and cursor.left:
        database = cursor.read_cstring() or None
    plugin = ""
    if flags & Capability.PLUGIN_AUTH and cursor.left:
        plugin = cursor.read_cstring().decode("ascii", "replace")
    attributes: dict[str, str] = {}
    if flags & Capability.CONNECT_ATTRS and cursor.left:
        attributes = decode_attributes(cursor.read_lenenc())
    return HandshakeResponse(flags, maximum_packet, charset, user, proof, database, plugin, attributes)


def _proof(cursor: Cursor, flags: Capability) -> bytes:
    if flags & Capability.PLUGIN_AUTH_LENENC:
        return cursor.read_lenenc()
    if flags & Capability.SECURE_CONNECTION:
        return cursor.read_bytes(cursor.read_int(1))
    return cursor.read_cstring()


def decode_attributes(data: bytes) -> dict[str, str]:
    cursor = Cursor(data)
    found: dict[str, str] = {}
    while cursor.left:
        if len(found) >= MOST_ATTRIBUTES:
            raise ProtocolError("too many connection attributes")
        name = cursor.read_lenenc().decode("utf-8", "replace")
        found[name] = cursor.read_lenenc().decode("utf-8", "replace")
    return found
