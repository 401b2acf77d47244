"""The control socket: how `approvals`, `approve`, `reload` and their like reach the running gateway.

A Unix socket; each line is a JSON object, in and out. `{"op": "approvals.approve", "id": "wp-7f3a"}` is answered by
`{"ok": true, "result": …}` or `{"ok": false, "kind": …, "error": …}`. After `approvals.watch` lines come as things happen.

Nobody logs in: the kernel says which account is at the other end (SO_PEERCRED), and the configuration says which
approvers that account may be. Whoever is neither root, nor the gateway's own account, nor an approver, is told so and
disconnected before a byte of theirs is read.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog
import trio
from attrs import field, frozen

from wireproxy.approvals import Desk, NotAllowed, RequestClosed, StoreError, UnknownRequest
from wireproxy.config.model import Approver
from wireproxy.exemptions import Exemptions, GrantRefused
from wireproxy.face import PREVIEW_TIMEOUT_S, ControlRefused, Face, Preview
from wireproxy.log import LogError
from wireproxy.store.model import OPEN
from wireproxy.traces import where

__all__ = ["PREVIEW_TIMEOUT_S", "ControlError", "ControlHooks", "ControlRefused", "Peer", "serve_control"]

LINE_BYTES = 64 * 1024  # of a request; the longest honest one carries a reason of 2000 characters
IDLE_TIMEOUT_S = 30.0  # for a request to arrive whole, and for an answer to be read
RELOAD_TIMEOUT_S = 60.0
CONNECTIONS = 64  # at once
WATCH_EVERY_S = 2.0  # how late a watcher sees what happened at another gateway
WATCH_AT_MOST_EVERY_S = 0.2
_log = structlog.get_logger("wireproxy.control")
_OVERFLOW_UID = Path("/proc/sys/kernel/overflowuid")


class ControlError(Exception):
    """The control socket cannot be opened."""


@frozen
class ControlHooks:
    """What the rest of the gateway does for the socket. Results are JSON values."""

    status: Callable[[], Mapping[str, object]]
    sessions: Callable[[], Sequence[Mapping[str, object]]]
    reload: Callable[
        [], Awaitable[Mapping[str, object]]
    ]  # raises ControlRefused when the new configuration is not taken
    preview: Preview | None = None
    exemptions: Exemptions | None = None
    clock_ns: Callable[[], int] = field(kw_only=True)


@frozen
class Peer:
    """Who is at the other end, as the kernel says."""

    pid: int
    uid: int
    account: str  # "uid:1234" when the number has no name; no account's own name can have a colon

    @property
    def principal(self) -> str:
        return f"unix:{self.account}"


class _List(msgspec.Struct, tag_field="op", tag="approvals.list", forbid_unknown_fields=True):
    closed: bool = False


class _Show(msgspec.Struct, tag_field="op", tag="approvals.show", forbid_unknown_fields=True):
    id: str


class _Approve(msgspec.Struct, tag_field="op", tag="approvals.approve", forbid_unknown_fields=True):
    id: str
    reason: str = ""
    approver: str | None = None


class _Deny(msgspec.Struct, tag_field="op", tag="approvals.deny", forbid_unknown_fields=True):
    id: str
    reason: str = ""
    approver: str | None = None


class _Preview(msgspec.Struct, tag_field="op", tag="approvals.preview", forbid_unknown_fields=True):
    id: str
    approver: str | None = None


class _Watch(msgspec.Struct, tag_field="op", tag="approvals.watch", forbid_unknown_fields=True):
    pass


class _Status(msgspec.Struct, tag_field="op", tag="status", forbid_unknown_fields=True):
    pass


class _Reload(msgspec.Struct, tag_field="op", tag="reload", forbid_unknown_fields=True):
    pass


class _Sessions(msgspec.Struct, tag_field="op", tag="sessions.list", forbid_unknown_fields=True):
    pass


class _Unmask(msgspec.Struct, tag_field="op", tag="unmask.grant", forbid_unknown_fields=True):
    column: str
    to: str
    for_s: float
    database: str = "*"
    reason: str = ""
    approver: str | None = None


class _Unmasked(msgspec.Struct, tag_field="op", tag="unmask.list", forbid_unknown_fields=True):
    pass


class _Mask(msgspec.Struct, tag_field="op", tag="unmask.revoke", forbid_unknown_fields=True):
    id: str
    approver: str | None = None


class _Marks(msgspec.Struct, tag_field="op", tag="masks.list", forbid_unknown_fields=True):
    pass


class _Forget(msgspec.Struct, tag_field="op", tag="masks.forget", forbid_unknown_fields=True):
    database: str
    column: str
    approver: str | None = None


_Call = (
    _List | _Show | _Approve | _Deny | _Preview | _Watch | _Status | _Reload | _Sessions
    | _Unmask | _Unmasked | _Mask | _Marks | _Forget
)  # fmt: skip
_DECODER: msgspec.json.Decoder[_Call] = msgspec.json.Decoder(_Call)
_Send = Callable[[Mapping[str, object]], Awaitable[None]]


async def serve_control(
    path: Path,
    desk: Desk,
    hooks: ControlHooks,
    approvers: Callable[[], Mapping[str, Approver]],
    *,
    mode: int = 0o660,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves until cancelled; then the socket's file is gone. Raises ControlError if it cannot be opened.

    `mode` says who may connect at all: the socket's group must be the approvers' for 0660 to be of use.
    """
    server = _Server(desk, hooks, approvers)
    with _listening(path, mode) as listener:
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                try:
                    connection, _ = await listener.accept()
                except OSError:  # out of descriptors, or the peer was gone already: neither may end the desk
                    await trio.sleep(0.1)
                    continue
                nursery.start_soon(server.attend, connection)


@contextmanager
def _listening(path: Path, mode: int) -> Iterator[trio.socket.SocketType]:
    lock = _locked(path)
    try:
        listener = _bound(path, mode)
        made = path.stat().st_ino
        try:
            yield trio.socket.from_stdlib_socket(listener)
        finally:
            listener.close()
            if path.exists() and path.stat().st_ino == made:
                path.unlink()
    finally:
        os.close(lock)


def _bound(path: Path, mode: int) -> socket.socket:
    """Never open to more than `mode` allows, not even between bind and chmod."""
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    earlier = os.umask(0o777)
    try:
        listener.bind(str(path))
        listener.listen(CONNECTIONS)
        path.chmod(mode)
    except OSError as error:
        listener.close()
        raise ControlError(f"{path}: {error.strerror or error}") from error
    finally:
        os.umask(earlier)
    return listener


def _locked(path: Path) -> int:
    """Held as long as the socket is served: only the holder may take away a socket that an earlier gateway left."""
    try:
        lock = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ControlError(
            f"{path}.lock: {error.strerror}; the gateway needs a folder of its own that it may write"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise ControlError(
            f"{path}: another gateway serves it; stop that one, or give this one its own state_dir"
        ) from error
    return lock


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ControlError(f"{path}: there is something that is not a socket; move it away")
    path.unlink()


def peer_of(connection: trio.socket.SocketType) -> Peer:
    pid, uid, _gid = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    )
    try:
        account = pwd.getpwuid(uid).pw_name
    except KeyError:
        account = f"uid:{uid}"
    return Peer(pid, uid, account)


def _overflow_uid() -> int:
    try:
        return int(_OVERFLOW_UID.read_text())
    except (OSError, ValueError):
        return 65534


def approvers_of(peer: Peer, approvers: Mapping[str, Approver]) -> dict[str, Approver]:
    """What this account may be. The kernel shows everybody of a foreign user namespace as one number: that is nobody."""
    if peer.uid == _overflow_uid():
        return {}
    return {name: approver for name, approver in approvers.items() if peer.account in approver.unix_users}


def approver_of(peer: Peer, approvers: Mapping[str, Approver], asked: str | None) -> Approver:
    """Raises ControlRefused."""
    mine = approvers_of(peer, approvers)
    names = ", ".join(sorted(mine))
    if not mine:
        raise ControlRefused(
            f"{peer.account} is no approver: add it to the configuration, as [approver.NAME] with "
            f'unix_users = ["{peer.account}"], and reload'
        )
    if asked is not None:
        if asked not in mine:
            raise ControlRefused(f"{peer.account} may not decide as {asked}, but as {names}")
        return mine[asked]
    if len(mine) > 1:
        raise ControlRefused(f"{peer.account} may decide as {names}: choose one with --as")
    return next(iter(mine.values()))


class _Server:
    def __init__(self, desk: Desk, hooks: ControlHooks, approvers: Callable[[], Mapping[str, Approver]]) -> None:
        self._desk = desk
        self._hooks = hooks
        self._approvers = approvers
        self._places = trio.CapacityLimiter(CONNECTIONS)
        self._face = Face(desk, hooks.preview, hooks.clock_ns)

    async def attend(self, connection: trio.socket.SocketType) -> None:
        """One connection, to its end. Nothing that a peer does raises here."""
        stream = trio.SocketStream(connection)
        try:
            async with stream:
                await self._greet(stream, connection)
        except* (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, OSError):
            pass  # the peer is gone, or might as well be

    async def _greet(self, stream: trio.SocketStream, connection: trio.socket.SocketType) -> None:
        async def send(answer: Mapping[str, object]) -> None:
            with trio.fail_after(IDLE_TIMEOUT_S):
                await stream.send_all(msgspec.json.encode(answer) + b"\n")

        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            await send(_error("busy", f"{CONNECTIONS} connections are open already; close a `wireproxy watch`"))
            return
        try:
            peer = await trio.to_thread.run_sync(peer_of, connection)  # a name service may take its time
            if not self._may_read(peer):
                await send(
                    _error("refused", f"{peer.account} is neither root nor the gateway's account nor an approver")
                )
                return
            await self._converse(peer, stream, send)
        finally:
            self._places.release()

    async def _converse(self, peer: Peer, stream: trio.SocketStream, send: _Send) -> None:
        unread = b""
        while True:
            with trio.fail_after(IDLE_TIMEOUT_S):
                while b"\n" not in unread:
                    if len(unread) > LINE_BYTES:
                        await send(_error("usage", f"a request has at most {LINE_BYTES} bytes"))
                        return
                    received = await stream.receive_some(LINE_BYTES)
                    if not received:
                        return
                    unread += received
            line, _, unread = unread.partition(b"\n")
            try:
                call = _DECODER.decode(line)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                await send(_error("usage", f"not a request: {error}"))
                continue
            if isinstance(call, _Watch):
                await self._watch(stream, send)
                return
            await send(await self._answer(peer, call))

    async def _answer(self, peer: Peer, call: _Call) -> dict[str, object]:
        try:
            return {"ok": True, "result": await self._do(peer, call)}
        except UnknownRequest as error:
            return _error("unknown", str(error))
        except RequestClosed as error:
            return _error("closed", str(error))
        except (NotAllowed, ControlRefused, GrantRefused) as error:
            return _error("refused", str(error))
        except StoreError as error:
            return _error("store", str(error))
        except LogError as error:
            return _error("log", f"nothing was changed, since it cannot be recorded: {error}")
        except trio.TooSlowError:
            return _error("timeout", "it took too long and was given up")
        except Exception as error:  # noqa: BLE001 — a bug in one answer may not end the gateway and everybody's sessions
            operation = type(call).__struct_config__.tag
            _log.error("control_answer_failed", op=operation, error=type(error).__name__, where=where(error))
            return _error("internal", f"{type(error).__name__} inside the gateway; its log says more")

    async def _do(self, peer: Peer, call: _Call) -> object:
        match call:
            case _List():
                return await self._face.listing(call.closed)
            case _Show():
                return await self._face.show(call.id)
            case _Approve():
                approver = approver_of(peer, self._approvers(), call.approver)
                return await self._face.approve(call.id, approver, call.reason, peer.principal)
            case _Deny():
                approver = approver_of(peer, self._approvers(), call.approver)
                return await self._face.deny(call.id, approver, call.reason, peer.principal)
            case _Preview():
                approver = approver_of(peer, self._approvers(), call.approver)
                return await self._face.preview(call.id, approver, peer.principal)
            case _Status():
                counts = {str(state): number for state, number in (await self._desk.count()).items()}
                return {**self._hooks.status(), "requests": counts}
            case _Sessions():
                return list(self._hooks.sessions())
            case _Reload():
                return await self._reload(peer)
            case _Unmask():
                approver = approver_of(peer, self._approvers(), call.approver)
                return await self._exemptions.grant(
                    approver, peer.principal, call.column, call.to, call.for_s, call.database, call.reason
                )
            case _Unmasked():
                return list(self._exemptions.grants())
            case _Mask():
                approver = approver_of(peer, self._approvers(), call.approver)
                return await self._exemptions.revoke(approver, peer.principal, call.id)
            case _Marks():
                return list(self._exemptions.marks())
            case _Forget():
                approver = approver_of(peer, self._approvers(), call.approver)
                await self._exemptions.forget(approver, peer.principal, call.database, call.column)
                return None
            case _Watch():
                raise AssertionError("a watch has its own way")

    @property
    def _exemptions(self) -> Exemptions:
        if self._hooks.exemptions is None:
            raise ControlRefused("this gateway keeps no exemptions from masks")
        return self._hooks.exemptions

    async def _reload(self, peer: Peer) -> Mapping[str, object]:
        if peer.uid not in {0, os.geteuid()}:
            raise ControlRefused("only root and the gateway's own account may reload it")
        with trio.fail_after(RELOAD_TIMEOUT_S):
            return await self._hooks.reload()

    async def _watch(self, stream: trio.SocketStream, send: _Send) -> None:
        """The open requests, `{"event": "listed"}`, then each change. Ends when the peer closes, or says anything."""
        async with trio.open_nursery() as nursery:

            async def until_closed() -> None:
                await stream.receive_some(1)
                nursery.cancel_scope.cancel()

            nursery.start_soon(until_closed)
            known: dict[str, str] = {}
            first = True
            while True:
                try:
                    known = await self._report(known, send)
                except StoreError as error:
                    await send(_error("store", str(error)))
                    break
                if first:
                    await send({"ok": True, "event": "listed"})
                    first = False
                await self._desk.changed(WATCH_EVERY_S)
                await trio.sleep(WATCH_AT_MOST_EVERY_S)
            nursery.cancel_scope.cancel()

    async def _report(self, known: dict[str, str], send: _Send) -> dict[str, str]:
        """Reads only what changed: twenty requests of four megabytes must not be decoded at every look."""
        current = await self._desk.outline()
        for request_id in (*known, *(found for found in current if found not in known)):
            if known.get(request_id) == current.get(request_id):
                continue
            try:
                request = await self._desk.get(request_id)
            except UnknownRequest:
                continue
            event = "open" if request.state in OPEN else "closed"
            await send({"ok": True, "event": event, "request": self._face.short(request)})
        return current

    def _may_read(self, peer: Peer) -> bool:
        return peer.uid in {0, os.geteuid()} or bool(approvers_of(peer, self._approvers()))


def _error(kind: str, message: str) -> dict[str, object]:
    return {"ok": False, "kind": kind, "error": message}
