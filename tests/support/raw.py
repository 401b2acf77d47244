"""A connection that libpq has opened and authenticated, taken over for raw bytes: what a driver would never send."""

from __future__ import annotations

import os
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from attrs import define


def message(kind: bytes, *parts: bytes) -> bytes:
    """One frontend message. Spec: PostgreSQL, Message Formats."""
    body = b"".join(parts)
    return kind + struct.pack("!I", len(body) + 4) + body


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def query(sql: str) -> bytes:
    return message(b"Q", text(sql))


def parse(name: str, sql: str, *types: int) -> bytes:
    return message(b"P", text(name), text(sql), struct.pack(f"!H{len(types)}I", len(types), *types))


def bind(portal: str, name: str, *values: bytes | None, binary_results: bool = False) -> bytes:
    fields = b"".join(
        struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value for value in values
    )
    results = struct.pack("!HH", 1, 1) if binary_results else struct.pack("!H", 0)
    return message(b"B", text(portal), text(name), struct.pack("!HH", 0, len(values)), fields, results)


def describe(what: bytes, name: str) -> bytes:
    return message(b"D", what, text(name))


def execute(portal: str = "", rows: int = 0) -> bytes:
    return message(b"E", text(portal), struct.pack("!I", rows))


def close(what: bytes, name: str) -> bytes:
    return message(b"C", what, text(name))


FLUSH = message(b"H")
SYNC = message(b"S")


@define
class RawConnection:
    """Bytes in, bytes out. Reads time out after 30 s."""

    sock: socket.socket

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_in_pieces(self, data: bytes, seed: int, largest: int) -> None:
        """The same bytes in pieces of 1 to `largest` bytes, each in a segment of its own."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        chance = random.Random(seed)
        start = 0
        while start < len(data):
            end = start + chance.randint(1, largest)
            self.sock.sendall(data[start:end])
            start = end

    def frames(self) -> Iterator[tuple[bytes, bytes]]:
        """Backend messages as they come: kind and the whole frame."""
        buffer, start = b"", 0
        while True:
            while len(buffer) - start >= 5:
                end = start + 1 + struct.unpack_from("!I", buffer, start + 1)[0]
                if end > len(buffer):
                    break
                yield buffer[start : start + 1], buffer[start:end]
                start = end
            received = self.sock.recv(1 << 20)
            if not received:
                return
            buffer, start = buffer[start:] + received, 0

    def read_until(self, kind: bytes, times: int = 1) -> list[bytes]:
        """Whole frames up to and with the `times`-th of `kind`."""
        taken: list[bytes] = []
        for found, frame in self.frames():
            taken.append(frame)
            times -= found == kind
            if times == 0:
                return taken
        raise EOFError(f"the connection ended before {kind!r}; got {taken[-3:]!r}")

    def discard(self, count: int) -> None:
        """Reads and forgets `count` bytes."""
        space = bytearray(1 << 20)
        while count:
            read = self.sock.recv_into(space, min(count, len(space)))
            if not read:
                raise EOFError(f"the connection ended {count} bytes early")
            count -= read


@contextmanager
def raw_connection(dsn: str) -> Iterator[RawConnection]:
    with (
        psycopg.connect(dsn, autocommit=True, sslmode="disable", gssencmode="disable") as connection,
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as sock,
    ):
        sock.setblocking(True)
        sock.settimeout(30)
        yield RawConnection(sock)
        with suppress(OSError):  # the other side may have ended it already
            sock.shutdown(socket.SHUT_RDWR)
