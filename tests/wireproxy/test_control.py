"""The control socket: real Unix sockets, real peer credentials."""

from __future__ import annotations

import os
import pwd
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.model import Dialect, Hold, Identity
from wireproxy import control
from wireproxy.approvals import Binding, Desk, RequestFacts, State, StoreError
from wireproxy.config.model import Approver
from wireproxy.control import ControlError, ControlHooks, ControlRefused, Peer, approver_of, approvers_of, serve_control
from wireproxy.store.model import Request
from wireproxy.store.sqlite import SqliteStore

ME = pwd.getpwuid(os.geteuid()).pw_name
DBA = Approver("dana", frozenset({ME}), frozenset({"dba"}))
HOLD = Hold("writes", ("it writes",), approvers=frozenset({"dba"}))
BINDING = Binding(Dialect.POSTGRES, "claude", None, "shop", b"DELETE FROM orders")
FACTS = RequestFacts(
    Identity("claude"), "s1", "10.0.0.5:41000", "psql", "DELETE FROM orders", relations=("orders (write)",)
)
NOW_NS = 1_700_000_000_000_000_000


class Line:
    """A client of the socket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.unread = b""

    async def ask(self, **call: object) -> dict[str, Any]:
        await self.stream.send_all(msgspec.json.encode(call) + b"\n")
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        while b"\n" not in self.unread:
            received = await self.stream.receive_some(65536)
            assert received, "the gateway closed"
            self.unread += received
        line, _, self.unread = self.unread.partition(b"\n")
        return msgspec.json.decode(line, type=dict[str, Any])


class Gateway:
    def __init__(self, folder: Path, desk: Desk) -> None:
        self.path = folder / "control"
        self.desk = desk
        self.approvers: dict[str, Approver] = {"dana": DBA}
        self.reloads = 0
        self.scope = trio.CancelScope()

    async def reload(self) -> Mapping[str, object]:
        self.reloads += 1
        if self.reloads > 1:
            raise ControlRefused("wireproxy.toml:3: no such policy")
        return {"version": "2"}

    async def preview(self, request: Request, binding: Binding) -> Mapping[str, object]:
        return {"tag": "DELETE 3", "statement": binding.statement.decode()}

    def hooks(self) -> ControlHooks:
        return ControlHooks(
            status=lambda: {"version": "1"},
            sessions=lambda: [{"id": "s1"}],
            reload=self.reload,
            preview=self.preview,
            clock_ns=lambda: NOW_NS,
        )

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Line]:
        stream = await trio.open_unix_socket(str(self.path))
        async with stream:
            yield Line(stream)

    async def stop(self) -> None:
        self.scope.cancel()

    async def submit(self) -> Request:
        return await self.desk.submit(BINDING, FACTS, HOLD)


@asynccontextmanager
async def running(folder: Path, gateway: Gateway | None = None) -> AsyncIterator[Gateway]:
    desk = Desk(await SqliteStore.open(folder / "requests.db"), lambda: NOW_NS)
    gateway = Gateway(folder, desk)

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        with gateway.scope:
            await serve_control(gateway.path, desk, gateway.hooks(), lambda: gateway.approvers, task_status=task_status)

    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        with trio.fail_after(30):
            yield gateway
        nursery.cancel_scope.cancel()
    await desk.aclose()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(tmp_path) as gateway:
        yield gateway


async def test_a_request_is_listed_shown_and_approved(gateway: Gateway) -> None:
    request = await gateway.submit()
    async with gateway.connected() as line:
        (listed,) = (await line.ask(op="approvals.list"))["result"]
        assert listed["id"] == request.id
        shown = (await line.ask(op="approvals.show", id=request.id))["result"]
        assert shown["sql"] == "DELETE FROM orders"
        assert shown["rule"] == "writes"
        approved = (await line.ask(op="approvals.approve", id=request.id, reason="ok"))["result"]
        assert approved["state"] == "approved"
        assert approved["votes"][0]["approver"] == "dana"
        assert approved["votes"][0]["principal"] == f"unix:{ME}"
    assert await gateway.desk.claim(BINDING) is not None


async def test_a_denial_carries_its_reason(gateway: Gateway) -> None:
    request = await gateway.submit()
    async with gateway.connected() as line:
        assert (await line.ask(op="approvals.deny", id=request.id, reason="no WHERE"))["result"]["state"] == "denied"
        late = await line.ask(op="approvals.approve", id=request.id)
        assert (late["kind"], "denied by dana: no WHERE" in late["error"]) == ("closed", True)


async def test_status_sessions_and_preview(gateway: Gateway) -> None:
    request = await gateway.submit()
    async with gateway.connected() as line:
        assert (await line.ask(op="status"))["result"] == {"version": "1", "requests": {"pending": 1}}
        assert (await line.ask(op="sessions.list"))["result"] == [{"id": "s1"}]
        found = await line.ask(op="approvals.preview", id=request.id)
        assert found["result"] == {"tag": "DELETE 3", "statement": "DELETE FROM orders"}
        await line.ask(op="approvals.deny", id=request.id)
        assert (await line.ask(op="approvals.preview", id=request.id))["kind"] == "refused"


async def test_a_bad_configuration_is_told_to_whoever_reloads(gateway: Gateway) -> None:
    async with gateway.connected() as line:
        assert (await line.ask(op="reload"))["result"] == {"version": "2"}
        assert await line.ask(op="reload") == {
            "ok": False,
            "kind": "refused",
            "error": "wireproxy.toml:3: no such policy",
        }


async def test_unknown_requests_are_named(gateway: Gateway) -> None:
    async with gateway.connected() as line:
        for op in ("approvals.show", "approvals.approve", "approvals.deny", "approvals.preview"):
            assert await line.ask(op=op, id="wp-none") == {
                "ok": False,
                "kind": "unknown",
                "error": "there is no request wp-none",
            }


# Who may do what


def peer(account: str, uid: int = 1000) -> Peer:
    return Peer(1, uid, account)


def test_an_account_without_an_entry_may_not_decide() -> None:
    with pytest.raises(ControlRefused, match=r'unix_users = \["root"\]'):
        approver_of(peer("root", 0), {"dana": evolve(DBA, unix_users=frozenset({"dana"}))}, None)


def test_an_account_of_several_approvers_says_which() -> None:
    approvers = {name: Approver(name, frozenset({"shared"})) for name in ("ann", "ben")} | {
        "eve": Approver("eve", frozenset({"eve"}))
    }
    with pytest.raises(ControlRefused, match="ann, ben: choose one with --as"):
        approver_of(peer("shared"), approvers, None)
    assert approver_of(peer("shared"), approvers, "ben").name == "ben"
    with pytest.raises(ControlRefused, match="may not decide as eve"):
        approver_of(peer("shared"), approvers, "eve")


def test_accounts_of_a_foreign_user_namespace_are_nobody() -> None:
    """The kernel shows all of them as the overflow number, which has a name: `nobody`, or whatever an entry says."""
    overflow = int(Path("/proc/sys/kernel/overflowuid").read_text())
    assert approvers_of(peer("nobody", overflow), {"x": Approver("x", frozenset({"nobody"}))}) == {}


async def test_strangers_are_told_and_disconnected_unheard(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    request = await gateway.submit()
    monkeypatch.setattr(control, "peer_of", lambda connection: Peer(1, 4711, "mallory"))
    async with gateway.connected() as line:
        assert (await line.answer())["kind"] == "refused"
        assert await line.stream.receive_some(10) == b""
    assert (await gateway.desk.get(request.id)).state is State.PENDING


async def test_an_approver_may_not_reload(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "peer_of", lambda connection: Peer(1, 4711, ME))
    async with gateway.connected() as line:
        assert (await line.ask(op="reload"))["kind"] == "refused"
        assert (await line.ask(op="approvals.list"))["ok"]
    assert gateway.reloads == 0


async def test_root_without_an_entry_reads_but_does_not_decide(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await gateway.submit()
    gateway.approvers = {}
    monkeypatch.setattr(control, "peer_of", lambda connection: Peer(1, 0, "root"))
    async with gateway.connected() as line:
        assert (await line.ask(op="approvals.show", id=request.id))["ok"]
        for op in ("approvals.approve", "approvals.deny", "approvals.preview"):
            assert (await line.ask(op=op, id=request.id))["kind"] == "refused"


@pytest.mark.parametrize(
    "approver", [evolve(DBA, groups=frozenset({"other"})), evolve(DBA, unix_users=frozenset({ME, "claude"}))]
)
async def test_a_preview_is_for_those_who_could_approve(gateway: Gateway, approver: Approver) -> None:
    """It runs the statement: the requester must not get it run by asking for a preview."""
    request = await gateway.submit()
    gateway.approvers = {"dana": approver}
    async with gateway.connected() as line:
        assert (await line.ask(op="approvals.preview", id=request.id))["kind"] == "refused"


async def test_approvers_are_looked_up_at_each_decision(gateway: Gateway) -> None:
    request = await gateway.submit()
    async with gateway.connected() as line:
        assert (await line.ask(op="approvals.list"))["ok"]
        gateway.approvers = {}
        assert (await line.ask(op="approvals.approve", id=request.id))["kind"] == "refused"


def test_the_kernel_names_the_peer() -> None:
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        found = control.peer_of(trio.socket.from_stdlib_socket(here))
    assert (found.pid, found.uid, found.account) == (os.getpid(), os.geteuid(), ME)


# Watching


async def test_a_watcher_hears_what_is_open_and_what_changes(gateway: Gateway) -> None:
    request = await gateway.submit()
    async with gateway.connected() as line:
        first = await line.ask(op="approvals.watch")
        assert (first["event"], first["request"]["id"]) == ("open", request.id)
        assert (await line.answer())["event"] == "listed"
        await gateway.desk.approve(request.id, DBA)
        changed = await line.answer()
        assert (changed["event"], changed["request"]["state"]) == ("open", "approved")
        await gateway.desk.consume(request.id)
        gone = await line.answer()
        assert (gone["event"], gone["request"]["state"]) == ("closed", "used")


async def test_a_watcher_that_goes_away_is_forgotten(gateway: Gateway) -> None:
    for _ in range(3):
        async with gateway.connected() as line:
            assert (await line.ask(op="approvals.watch"))["event"] == "listed"
    async with gateway.connected() as line:
        assert (await line.ask(op="approvals.list"))["ok"]


# Hostile input


GARBAGE = [
    b"\n",
    b"null\n",
    b"[]\n",
    b"{}\n",
    b'{"op": "drop"}\n',
    b'{"op": 3}\n',
    b'{"op": "approvals.approve"}\n',
    b'{"op": "approvals.approve", "id": 7}\n',
    b'{"op": "approvals.approve", "id": "x", "principal": "unix:root"}\n',
    b'{"op": "status", "op": "reload", "x": 1}\n',
    b"\xff\xfe\n",
    b'{"op": "approvals.show", "id": "\\ud800"}\n',
    b"[" * 60_000 + b"\n",
    b'{"a":' * 10_000 + b"\n",
    b"9" * 60_000 + b"\n",
    b"\x00" * 100 + b"\n",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda garbage: repr(garbage[:40]))
async def test_garbage_is_answered_and_the_line_lives_on(gateway: Gateway, garbage: bytes) -> None:
    async with gateway.connected() as line:
        await line.stream.send_all(garbage)
        assert not (await line.answer())["ok"]
        assert (await line.ask(op="approvals.list"))["ok"]


@given(st.binary(max_size=300))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_the_decoders_own_errors_leave_it(data: bytes) -> None:
    try:
        control._DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass


async def test_a_line_without_end_is_cut_off(gateway: Gateway) -> None:
    async with gateway.connected() as line:
        await line.stream.send_all(b"x" * (control.LINE_BYTES + 1))
        assert "at most" in (await line.answer())["error"]


async def test_a_silent_peer_is_let_go(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "IDLE_TIMEOUT_S", 0.05)
    async with gateway.connected() as line:
        assert await line.stream.receive_some(1) == b""


async def test_connections_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "CONNECTIONS", 2)
    async with running(tmp_path) as gateway, gateway.connected() as one, gateway.connected() as two:
        assert (await one.ask(op="status"))["ok"]
        assert (await two.ask(op="status"))["ok"]
        async with gateway.connected() as three:
            assert (await three.answer())["kind"] == "busy"


async def test_a_bug_in_a_hook_ends_neither_the_line_nor_the_gateway(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> int:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(gateway.desk, "count", broken)
    async with gateway.connected() as line:
        answer = await line.ask(op="status")
        assert (answer["kind"], "secret" in answer["error"]) == ("internal", False)
        assert (await line.ask(op="approvals.list"))["ok"]


async def test_a_store_that_fails_approves_nothing(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*args: object) -> Request:
        raise StoreError("disk full")

    request = await gateway.submit()
    monkeypatch.setattr(gateway.desk._store, "change", broken)
    async with gateway.connected() as line:
        assert await line.ask(op="approvals.approve", id=request.id) == {
            "ok": False,
            "kind": "store",
            "error": "disk full",
        }


# The socket's file


async def test_the_socket_is_not_open_to_everybody_and_goes_with_the_gateway(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        assert stat.S_IMODE(gateway.path.stat().st_mode) == 0o660
    assert not gateway.path.exists()


async def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "control"))
    async with running(tmp_path) as gateway, gateway.connected() as line:
        assert (await line.ask(op="status"))["ok"]


async def test_a_second_gateway_does_not_take_the_socket_over(gateway: Gateway) -> None:
    with pytest.raises(ControlError, match="another gateway"):
        await serve_control(gateway.path, gateway.desk, gateway.hooks(), dict)
    async with gateway.connected() as line:
        assert (await line.ask(op="status"))["ok"]


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "control").write_text("precious")
    desk = Desk(await SqliteStore.open(tmp_path / "requests.db"), lambda: NOW_NS)
    with pytest.raises(ControlError, match="not a socket"):
        await serve_control(tmp_path / "control", desk, Gateway(tmp_path, desk).hooks(), dict)
    assert (tmp_path / "control").read_text() == "precious"
    await desk.aclose()
