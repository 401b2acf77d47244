"""Sockets of all sessions in one epoll set, on which one trio task waits. docs/design.md §11 has the measurements behind it.

A ready socket is read, judged and written synchronously in its callback; a session's own trio task sleeps meanwhile and wakes
only for what can take time (a hold, a catalog). trio sees one file descriptor instead of a thousand, and a transaction costs no
task switch.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections import deque
from collections.abc import Callable

import structlog
import trio

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
HUNG_UP = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
GONE = select.EPOLLHUP | select.EPOLLERR  # in both directions; EPOLLRDHUP alone: it will send nothing more
_EVENTS_PER_POLL = 128
_ROUNDS_PER_WAKE = 16  # then other trio tasks (accept, holds, timers) get their turn
_IOV_MAX = 64  # pieces joined for one send

Ready = Callable[[int], None]


class Hub:
    """The epoll set and the callbacks of what is in it."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ready: dict[int, Ready] = {}
        self._soon: deque[Callable[[], None]] = deque()
        self._log = structlog.get_logger("pump")

    def add(self, fd: int, mask: int, ready: Ready) -> None:
        self._epoll.register(fd, mask)
        self._ready[fd] = ready

    def change(self, fd: int, mask: int) -> None:
        self._epoll.modify(fd, mask)

    def remove(self, fd: int) -> None:
        if self._ready.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def soon(self, callback: Callable[[], None]) -> None:
        """Call it in the next round: bytes that TLS has already decrypted make no descriptor ready."""
        self._soon.append(callback)

    async def run(self) -> None:
        poll = self._epoll.poll
        ready = self._ready
        descriptor = self._epoll.fileno()
        while True:
            if self._soon:
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.wait_readable(descriptor)
            for _ in range(_ROUNDS_PER_WAKE):
                for _ in range(len(self._soon)):
                    self._soon.popleft()()
                events = poll(0, _EVENTS_PER_POLL)
                if not events:
                    break
                for fd, mask in events:
                    callback = ready.get(fd)  # an earlier callback of this round may have removed it
                    if callback is not None:
                        callback(mask)

    def close(self) -> None:
        self._epoll.close()


class Leg:
    """One socket of a session in the hub's set: reads without waiting, and keeps what could not be written yet.

    `reading` says whether its owner wants bytes from it; what it holds back is bounded by the owner, who stops reading the other
    leg while `backlog_bytes` is not zero.
    """

    __slots__ = (
        "_backlog",
        "_heeds_hang_up",
        "_hub",
        "_mask",
        "_on_ready",
        "_sock",
        "_tls",
        "backlog_bytes",
        "closed",
        "fd",
        "read_bytes",
        "reading",
    )

    def __init__(self, hub: Hub, sock: socket.socket, on_ready: Ready, read_bytes: int) -> None:
        self._hub = hub
        self._sock = sock
        self._tls = sock if isinstance(sock, ssl.SSLSocket) else None
        self._backlog: deque[bytes] = deque()
        self._on_ready = on_ready
        self._mask = READABLE | select.EPOLLRDHUP
        self.backlog_bytes = 0
        self.read_bytes = read_bytes
        self.reading = True
        self.closed = False
        self._heeds_hang_up = True
        self.fd = sock.fileno()
        hub.add(self.fd, self._mask, on_ready)

    def receive(self) -> bytes | None:
        """What is there, at most `read_bytes`; b"" at the end of the stream; None if nothing is there yet."""
        if self._tls is not None:
            return self._receive_tls(self._tls)
        try:
            return self._sock.recv(self.read_bytes)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _receive_tls(self, tls: ssl.SSLSocket) -> bytes | None:
        pieces: list[bytes] = []
        size = 0
        try:
            while size < self.read_bytes:
                data = tls.recv(self.read_bytes - size)
                if not data:
                    break
                pieces.append(data)
                size += len(data)
                if not tls.pending():
                    break
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if not pieces:
                return None
        except OSError:
            pass
        return b"".join(pieces)

    @property
    def has_decrypted(self) -> bool:
        """TLS holds bytes for which no descriptor will become ready."""
        return self._tls is not None and self._tls.pending() > 0

    def send(self, pieces: list[bytes]) -> None:
        """Write what the socket takes; keep the rest in order. Errors show as the end of the stream on the next read."""
        if not pieces:
            return
        if self._backlog:
            self._keep(pieces)
            return
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        sent = self._write(data)
        if sent < len(data):
            self._keep([data[sent:] if sent else data])
            self._update()

    def _keep(self, pieces: list[bytes]) -> None:
        self._backlog.extend(pieces)
        self.backlog_bytes += sum(map(len, pieces))

    def _write(self, data: bytes) -> int:
        try:
            return self._sock.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0
        except OSError:
            # the peer is gone: nothing can be delivered any more, and the read side will say so
            self._backlog.clear()
            self.backlog_bytes = 0
            return len(data)

    def flush(self) -> None:
        """The socket takes bytes again."""
        backlog = self._backlog
        while backlog:
            if len(backlog) > 1:
                taken = [backlog.popleft() for _ in range(min(len(backlog), _IOV_MAX))]
                backlog.appendleft(b"".join(taken))
            data = backlog[0]
            sent = self._write(data)
            if not backlog:
                break  # the peer is gone
            self.backlog_bytes -= sent
            if sent < len(data):
                if sent:
                    backlog[0] = data[sent:]
                break
            backlog.popleft()
        self._update()

    def want(self, reading: bool) -> None:
        if reading != self.reading:
            self.reading = reading
            self._update()
            if reading and self.has_decrypted:
                self._hub.soon(lambda: None if self.closed else self._on_ready(READABLE))

    def _update(self) -> None:
        mask = select.EPOLLRDHUP if self._heeds_hang_up else 0
        if self.reading:
            mask |= READABLE
        if self._backlog:
            mask |= WRITABLE
        if mask != self._mask and not self.closed:
            self._mask = mask
            self._hub.change(self.fd, mask)

    def drop_backlog(self) -> None:
        """The peer is gone: what it has not read is nobody's any more."""
        self._backlog.clear()
        self.backlog_bytes = 0

    def ignore_hang_up(self) -> None:
        """It will send nothing more, and what it sent is not wanted yet: without this the set would be ready for ever."""
        self._heeds_hang_up = False
        self._update()

    def stop_watching(self) -> None:
        """Out of the set: a socket at its end is ready for ever, and the hub would spin."""
        if not self.closed:
            self._hub.remove(self.fd)

    def finish(self) -> None:
        """Nothing more will be written. Closing a socket with unread bytes makes the kernel reset it, and the peer may lose what it
        was sent last: so the rest is read, by `discard`, before `close`."""
        self.stop_watching()
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def discard(self) -> bool:
        """Throw away some of what the peer sent. Whether it has come to its end."""
        try:
            for _ in range(_ROUNDS_PER_WAKE):
                if not self._sock.recv(self.read_bytes):
                    return True
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except (OSError, ValueError):
            return True
        return False

    def close(self) -> None:
        if self.closed:
            return
        self.stop_watching()
        self.closed = True
        try:
            # close_notify is not awaited: its peer may never answer
            self._sock.close()
        except OSError:
            pass
