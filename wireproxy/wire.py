"""One connection: a non-blocking socket, in clear or under TLS, and the bytes that were read ahead of their reader.

TLS wraps the socket itself rather than a pair of memory buffers, so that the pump may later read and write it without a
task of its own. Until then everything here waits through trio, and cancelling any wait leaves the socket open: whoever
holds the wire closes it (`with wire:` does).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
from types import TracebackType
from typing import Self

import trio

READ_BYTES = 64 * 1024
_FAREWELL_BYTES = 256 * 1024  # read and thrown away before closing, so that the last message is not lost to a reset


class BrokenWire(Exception):
    """The peer is gone, or TLS failed; the message says how. The wire is of no further use."""


class PeerClosed(BrokenWire):
    """The peer hung up where more was to come."""

    def __init__(self) -> None:
        super().__init__("the connection was closed")


class CleartextInjected(BrokenWire):
    """There were bytes in clear where TLS was to begin: a broken peer, or somebody in between (CVE-2021-23214)."""


class Wire:
    """`sock` is what the pump reads and writes once it takes over; `take_unread()` gives it what was read already."""

    __slots__ = ("_closed", "_unread", "sock")

    def __init__(self, sock: socket.socket, unread: bytes = b"") -> None:
        sock.setblocking(False)
        _tune(sock)
        self.sock = sock
        self._unread = bytearray(unread)
        self._closed = False

    # --- reading

    async def receive(self, size: int) -> bytes:
        """Between 1 and `size` bytes; b"" at the end of the stream. Never asks the socket for more than `size`."""
        if not self._unread:
            return await self._read(size)
        return self._take(size)

    async def receive_exactly(self, size: int, *, ahead: bool = False) -> bytes:
        """`size` bytes, or BrokenWire when the stream ends before. `ahead` allows to read more, kept for later."""
        while len(self._unread) < size:
            more = await self._read(READ_BYTES if ahead else size - len(self._unread))
            if not more:
                raise PeerClosed
            self._unread += more
        return self._take(size)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._unread[:size])
        del self._unread[:size]
        return taken

    async def _read(self, size: int) -> bytes:
        while True:
            try:
                return self.sock.recv(size)
            except (BlockingIOError, ssl.SSLWantReadError):
                await self._wait_readable()
            except ssl.SSLWantWriteError:
                await self._wait_writable()
            except OSError as error:
                raise BrokenWire(_reason(error)) from error

    async def peek(self) -> int | None:
        """The first byte that will come, left where it is; None at the end of the stream. In clear only."""
        assert not self.tls
        while True:
            try:
                first = self.sock.recv(1, socket.MSG_PEEK)
                return first[0] if first else None
            except BlockingIOError:
                await self._wait_readable()
            except OSError as error:
                raise BrokenWire(_reason(error)) from error

    def take_unread(self) -> bytes:
        """Everything that was read or decrypted ahead: after this, only the socket's readiness tells of more."""
        taken = bytes(self._unread)
        self._unread.clear()
        while isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            try:
                taken += self.sock.recv(self.sock.pending())
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as error:
                raise BrokenWire(_reason(error)) from error
        return taken

    # --- writing

    async def send_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                await self._wait_writable()
            except ssl.SSLWantReadError:
                await self._wait_readable()
            except OSError as error:
                raise BrokenWire(_reason(error)) from error

    # --- TLS

    @property
    def tls(self) -> bool:
        return isinstance(self.sock, ssl.SSLSocket)

    async def start_tls_server(self, context: ssl.SSLContext) -> None:
        await self._start_tls(context, server_side=True, hostname=None)

    async def start_tls_client(self, context: ssl.SSLContext, hostname: str | None) -> None:
        await self._start_tls(context, server_side=False, hostname=hostname)

    def refuse_cleartext(self) -> None:
        """What lies unread now came before TLS was agreed on, and must not be taken for something said under it."""
        pending = bool(self._unread)
        with contextlib.suppress(BlockingIOError):
            pending = pending or bool(self.sock.recv(1, socket.MSG_PEEK))
        if pending:
            raise CleartextInjected("unencrypted data where TLS was to begin")

    async def _start_tls(self, context: ssl.SSLContext, *, server_side: bool, hostname: str | None) -> None:
        assert not self.tls
        if self._unread:
            raise CleartextInjected("unencrypted data where TLS was to begin")
        try:
            wrapped = context.wrap_socket(
                self.sock, server_side=server_side, do_handshake_on_connect=False, server_hostname=hostname
            )
            self.sock = wrapped
        except (OSError, ValueError) as error:
            raise BrokenWire(_reason(error)) from error
        while True:
            try:
                wrapped.do_handshake()
                return
            except ssl.SSLWantReadError:
                await self._wait_readable()
            except ssl.SSLWantWriteError:
                await self._wait_writable()
            except OSError as error:
                raise BrokenWire(f"TLS handshake failed: {_reason(error)}") from error

    @property
    def alpn(self) -> str | None:
        return self.sock.selected_alpn_protocol() if isinstance(self.sock, ssl.SSLSocket) else None

    @property
    def peer_certificate(self) -> bytes | None:
        """The certificate that the peer showed, DER."""
        return self.sock.getpeercert(binary_form=True) if isinstance(self.sock, ssl.SSLSocket) else None

    # --- the end

    @property
    def address(self) -> str:
        """The peer's address without its port; "local" for a Unix socket or a peer that is gone."""
        try:
            name = self.sock.getpeername()
        except OSError:
            return "local"
        return str(name[0]) if isinstance(name, tuple) else "local"

    def close(self, last: bytes = b"") -> None:
        """Close now, at once and for good. `last` is sent if the socket takes it without waiting."""
        if self._closed:
            return
        self._closed = True
        if self.sock.fileno() < 0:
            return
        with contextlib.suppress(OSError, ValueError):
            if last:
                self.sock.send(last)
        with contextlib.suppress(OSError, ValueError):
            self._hang_up()
        trio.lowlevel.notify_closing(self.sock)
        self.sock.close()

    def _hang_up(self) -> None:
        # closing with unread input makes the kernel send a reset, and a reset may overtake the last message
        if isinstance(self.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                self.sock.unwrap()  # sends close_notify; the peer's is not waited for
        self.sock.shutdown(socket.SHUT_WR)
        plain = socket.socket(fileno=socket.dup(self.sock.fileno()))
        with plain:
            for _ in range(_FAREWELL_BYTES // READ_BYTES):
                if not plain.recv(READ_BYTES):
                    break

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _wait_readable(self) -> None:
        try:
            await trio.lowlevel.wait_readable(self.sock)
        except trio.ClosedResourceError:
            raise BrokenWire("closed on this side") from None

    async def _wait_writable(self) -> None:
        try:
            await trio.lowlevel.wait_writable(self.sock)
        except trio.ClosedResourceError:
            raise BrokenWire("closed on this side") from None


def _tune(sock: socket.socket) -> None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with contextlib.suppress(OSError):  # a peer that is gone already shows at the first read
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # a peer that vanished is noticed within two minutes, not the kernel's two hours
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)


async def connect_tcp(host: str, port: int) -> Wire:
    """The first of the host's addresses that answers. The caller bounds the time, and each address gets its share.

    BrokenWire when none does.
    """
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BrokenWire(f"{host}: {_reason(error)}") from error
    failure = BrokenWire(f"{host}: no address")
    for index, (family, kind, proto, _, address) in enumerate(found):
        left_s = max(0.0, trio.current_effective_deadline() - trio.current_time())
        with trio.move_on_after(left_s / (len(found) - index)):
            try:
                return await _connect(socket.socket(family, kind, proto), address)
            except BrokenWire as error:
                failure = error
                continue
        failure = BrokenWire(f"{host}: connection timed out")
    raise failure


async def connect_unix(path: str) -> Wire:
    return await _connect(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), path)


async def _connect(sock: socket.socket, address: object) -> Wire:
    wire = Wire(sock)
    try:
        await _finish_connect(sock, address)
    except OSError as error:
        wire.close()
        raise BrokenWire(_reason(error)) from error
    except BaseException:
        wire.close()
        raise
    return wire


async def _finish_connect(sock: socket.socket, address: object) -> None:
    try:
        sock.connect(address)  # type: ignore[arg-type]
    except BlockingIOError as error:
        if error.errno != errno.EINPROGRESS:  # a Unix socket whose queue is full: nothing would tell when it is not
            raise
        await trio.lowlevel.wait_writable(sock)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code)) from None
