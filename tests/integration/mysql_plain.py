"""A MySQL client that agrees on exactly the flags that a test wants, and gives the answers' packets as they came."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define

from protocols.base import Peer
from protocols.mysql.authentication import Channel, ClientAuthentication
from protocols.mysql.capabilities import Capability as C
from protocols.mysql.handshake import HandshakeResponse, decode_greeting, encode_response
from protocols.mysql.messages import LOCAL_INFILE, Command
from protocols.mysql.packets import Cursor, frame
from tests.integration.mysql_routes import MySqlRoute
from tests.protocols import mysql_playbook as p
from wireproxy.mysql.keys import encrypt

_LOGIN = C.SECURE_CONNECTION | C.PLUGIN_AUTH | C.PLUGIN_AUTH_LENENC | C.CONNECT_WITH_DB
_PING = frame(bytes((Command.PING,)))
_ANSWER_S = 20.0


@define
class Plain:
    """Answers are lists of payloads; the numbers of their packets are checked."""

    connection: socket.socket
    flags: C

    def say(self, *packets: bytes, least: int = 1, after: int = 0) -> list[bytes]:
        """Send the packets, and give all that comes back for them; at least so many packets.

        A ping is sent behind the first packets of the answer. Its own answer is the only packet that can have the number 1, so
        what stands before it is the whole answer, however long it took. No ping follows where the server asks for a file.

        `after`: the number of the last packet that is sent.
        """
        self.connection.sendall(b"".join(packets))
        found: list[bytes] = []
        pinged = False
        try:
            while True:
                if len(found) >= least and not pinged:
                    if found[0][:1] == bytes((LOCAL_INFILE,)):
                        return found
                    self.connection.sendall(_PING)
                    pinged = True
                number, payload = self._read()
                if pinged and number == 1:
                    return found
                assert number == (after + len(found) + 1) & 0xFF
                found.append(payload)
        except (EOFError, ConnectionError):
            if len(found) < least:
                raise
            return found

    def _read(self) -> tuple[int, bytes]:
        header = self._exactly(4)
        return header[3], self._exactly(int.from_bytes(header[:3], "little"))

    def _exactly(self, size: int) -> bytes:
        data = bytearray(size)
        read = 0
        while read < size:
            more = self.connection.recv_into(memoryview(data)[read:])
            if not more:
                raise EOFError("the server closed the connection")
            read += more
        return bytes(data)


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
