"""A relay between a client and a server that keeps every byte the client receives."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from attrs import define, field


@define
class Wiretap:
    port: int
    _received: bytearray = field(factory=bytearray)
    _lock: threading.Lock = field(factory=threading.Lock)

    def record(self, data: bytes) -> None:
        with self._lock:
            self._received += data

    def take(self) -> bytes:
        """What the client has received since the last call."""
        with self._lock:
            data = bytes(self._received)
            self._received.clear()
        return data


@contextmanager
def tapped(host: str, port: int) -> Iterator[Wiretap]:
    """Listens on a port of its own, and passes each connection on to `host`:`port`."""
    listener = socket.create_server(("127.0.0.1", 0))
    tap = Wiretap(listener.getsockname()[1])
    threading.Thread(target=_accept, args=(listener, (host, port), tap), daemon=True).start()
    try:
        yield tap
    finally:
        listener.close()


def _accept(listener: socket.socket, upstream: tuple[str, int], tap: Wiretap) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.create_connection(upstream)
        for end in (client, server):  # or an answer in two pieces waits for the client to acknowledge the first, 40 ms
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_pass, args=(client, server, None), daemon=True).start()
        threading.Thread(target=_pass, args=(server, client, tap), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket, tap: Wiretap | None) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if tap is not None:
                tap.record(data)
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
