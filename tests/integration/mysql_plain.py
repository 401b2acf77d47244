"""A MySQL client that agrees on exactly the flags that a test wants, and gives the answers' packets as they came."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define

from protocols.base import Peer
from protocols.mysql.authentication import Channel, ClientAuthentication
from protocols.mysql.capabilities import Capability as C
from protocols.mysql.handshake import HandshakeResponse, decode_greeting, encode_response
from protocols.mysql.packets import Cursor, frame
from tests.integration.mysql_routes import MySqlRoute
from tests.protocols import mysql_playbook as p
from wireproxy.mysql.keys import encrypt

_LOGIN = C.SECURE_CONNECTION | C.PLUGIN_AUTH | C.PLUGIN_AUTH_LENENC | C.CONNECT_WITH_DB
_QUIET_S = 0.25  # nothing more comes: the answers of these tests are short
_ANSWER_S = 20.0


@define
class Plain:
    """Answers are lists of payloads; the numbers of their packets are checked."""

    connection: socket.socket
    flags: C

    def say(self, *packets: bytes, least: int = 1, after: int = 0) -> list[bytes]:
        """Send the packets, and give what comes back until it is quiet; at least so many packets.

        `after`: the number of the last packet that is sent.
        """
        self.connection.sendall(b"".join(packets))
        found: list[bytes] = []
        while len(found) < least or select.select([self.connection], [], [], _QUIET_S)[0]:
            try:
                number, payload = self._read()
            except EOFError:
                if len(found) < least:
                    raise
                break
            assert number == (after + len(found) + 1) & 0xFF
            found.append(payload)
        return found

    def _read(self) -> tuple[int, bytes]:
        header = self._exactly(4)
        return header[3], self._exactly(int.from_bytes(header[:3], "little"))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.connection.recv(size - len(data))
            if not piece:
                raise EOFError("the server closed the connection")
            data += piece
        return data


@contextmanager
def plain(route: MySqlRoute, flags: C, *, base: C = p.BASE) -> Iterator[Plain]:
    """Fails if the server does not offer the flags. `base`: what is asked for in any case."""
    with socket.create_connection((route.host, route.port), _ANSWER_S) as connection:
        client = Plain(connection, flags)
        number, payload = client._read()
        greeting = decode_greeting(payload)
        assert not flags & ~greeting.capabilities
        said = _LOGIN | base | flags | (C(0) if flags >= 1 << 32 or greeting.mariadb else C.MYSQL)
        login = ClientAuthentication(route.password.encode, Channel(False, True), encrypt)
        plugin, proof = login.first(greeting.plugin, greeting.nonce)
        response = HandshakeResponse(said, 1 << 24, 45, route.user.encode(), proof, route.dbname.encode(), plugin, {})
        connection.sendall(frame(encode_response(response), number + 1))
        while not login.done:
            number, payload = client._read()
            answer = login.receive(payload)
            if answer is not None:
                connection.sendall(frame(answer, number + 1))
        yield client


def count_of(packet: bytes) -> tuple[int, int]:
    """The count of columns, and the mark behind it."""
    cursor = Cursor(packet, peer=Peer.SERVER)
    return cursor.read_lenenc_int(), cursor.read_int(1)
