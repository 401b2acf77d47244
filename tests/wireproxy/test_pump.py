"""The pump: what the kernel takes is written, the rest is kept in order, and nothing spins."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
import trio

from wireproxy.pump import HUNG_UP, READABLE, WRITABLE, Hub, Leg


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    yield left, right
    left.close()
    right.close()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.close()


def drain(sock: socket.socket) -> bytes:
    got = b""
    while True:
        try:
            data = sock.recv(1 << 20)
        except BlockingIOError:
            return got
        if not data:
            return got
        got += data


async def test_a_ready_socket_is_called_back(hub: Hub, pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    seen: list[int] = []
    done = trio.Event()

    def ready(mask: int) -> None:
        seen.append(mask)
        assert leg.receive() == b"hello"
        done.set()

    leg = Leg(hub, left, ready, 65536)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        right.send(b"hello")
        with trio.fail_after(30):
            await done.wait()
        nursery.cancel_scope.cancel()
    assert seen[0] & READABLE


async def test_what_the_kernel_does_not_take_is_kept_in_order(
    hub: Hub, pair: tuple[socket.socket, socket.socket]
) -> None:
    left, right = pair
    leg = Leg(hub, left, lambda _: None, 65536)
    data = [bytes([number]) * 100_000 for number in range(50)]
    for piece in data:
        leg.send([piece])
    assert leg.backlog_bytes > 0
    got = b""
    with trio.fail_after(30):
        while leg.backlog_bytes or len(got) < 5_000_000:
            got += drain(right)
            leg.flush()
            await trio.lowlevel.checkpoint()
    assert got == b"".join(data)
    assert leg.backlog_bytes == 0


async def test_a_full_socket_asks_to_be_told_when_it_takes_more(
    hub: Hub, pair: tuple[socket.socket, socket.socket]
) -> None:
    left, right = pair
    masks: list[int] = []

    def ready(mask: int) -> None:
        masks.append(mask)
        leg.flush()

    leg = Leg(hub, left, ready, 65536)
    leg.send([b"x" * 3_000_000])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        with trio.fail_after(30):
            while leg.backlog_bytes:
                drain(right)
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert any(mask & WRITABLE for mask in masks)


async def test_the_end_of_the_stream_is_empty_bytes(hub: Hub, pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    leg = Leg(hub, left, lambda _: None, 65536)
    assert leg.receive() is None
    right.close()
    assert leg.receive() == b""


async def test_a_paused_leg_hears_of_a_hang_up_and_can_ignore_it(
    hub: Hub, pair: tuple[socket.socket, socket.socket]
) -> None:
    left, right = pair
    masks: list[int] = []

    def ready(mask: int) -> None:
        masks.append(mask)
        leg.ignore_hang_up()

    leg = Leg(hub, left, ready, 65536)
    leg.want(False)
    right.send(b"unwanted")
    right.shutdown(socket.SHUT_WR)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        with trio.fail_after(30):
            while not masks:
                await trio.lowlevel.checkpoint()
        used = []
        for _ in range(3):  # a collection of garbage may fall into one
            before = time.process_time()
            await trio.sleep(0.2)
            used.append(time.process_time() - before)
        nursery.cancel_scope.cancel()
    assert len(masks) == 1
    assert masks[0] & HUNG_UP
    assert min(used) < 0.15, "the hub spins"


async def test_a_removed_leg_is_not_called_any_more(hub: Hub, pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    leg = Leg(hub, left, lambda _: pytest.fail("called"), 65536)
    leg.stop_watching()
    right.send(b"x")
    with trio.move_on_after(0.1):
        await hub.run()


async def test_writing_to_a_peer_that_is_gone_drops_the_bytes(
    hub: Hub, pair: tuple[socket.socket, socket.socket]
) -> None:
    left, right = pair
    leg = Leg(hub, left, lambda _: None, 65536)
    right.close()
    leg.send([b"x"])
    assert leg.backlog_bytes == 0


async def test_closing_twice_is_once(hub: Hub, pair: tuple[socket.socket, socket.socket]) -> None:
    left, _ = pair
    leg = Leg(hub, left, lambda _: None, 65536)
    leg.close()
    leg.close()
    assert left.fileno() == -1


def test_who_sends_into_the_end_of_a_session_still_hears_its_last_words(hub: Hub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as peer:
        ours, _ = server.accept()
        ours.setblocking(False)
        leg = Leg(hub, ours, lambda _: None, 65536)
        leg.send([b"last words"])
        peer.sendall(b"another question")
        leg.finish()
        assert not leg.discard()
        peer.settimeout(30)
        assert peer.recv(100) == b"last words"
        assert peer.recv(100) == b""  # and not a reset, which may overtake the words
        peer.close()
        assert leg.discard()
        leg.close()
