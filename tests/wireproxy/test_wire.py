"""A wire reads what it was asked for and no more, waits without spinning, and is closed by whoever holds it."""

from __future__ import annotations

import socket
import ssl

import pytest
import trio
import trio.testing
import trustme

from tests.support.front_door import wire_pair
from wireproxy.wire import BrokenWire, CleartextInjected, Wire, connect_tcp, connect_unix


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's that trust each other."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    return server, client


Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


async def tls_pair(contexts: Contexts) -> tuple[Wire, Wire]:
    server, client = wire_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.start_tls_server, contexts[0])
        nursery.start_soon(client.start_tls_client, contexts[1], "localhost")
    return server, client


async def test_bytes_that_were_not_asked_for_stay_in_the_socket() -> None:
    left, right = wire_pair()
    with left, right:
        await left.send_all(b"SSLReqst\x16TLS")
        assert await right.receive_exactly(8) == b"SSLReqst"
        assert right.take_unread() == b""
        assert await right.peek() == 0x16
        assert await right.receive(100) == b"\x16TLS"


async def test_reading_ahead_keeps_the_rest_for_whoever_comes_next() -> None:
    left, right = wire_pair()
    with left, right:
        await left.send_all(b"headerbodyrest")
        assert await right.receive_exactly(6, ahead=True) == b"header"
        assert await right.receive_exactly(4, ahead=True) == b"body"
        assert right.take_unread() == b"rest"
        assert right.take_unread() == b""


@pytest.mark.parametrize("ahead", [False, True])
async def test_a_packet_in_pieces_is_put_together(ahead: bool) -> None:
    left, right = wire_pair()

    async def dribble() -> None:
        for byte in b"in pieces":
            await left.send_all(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked()

    with left, right:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dribble)
            assert await right.receive_exactly(9, ahead=ahead) == b"in pieces"


async def test_the_end_of_the_stream_is_empty_or_an_error_where_more_was_needed() -> None:
    left, right = wire_pair()
    with right:
        await left.send_all(b"abc")
        left.close()
        with pytest.raises(BrokenWire, match="closed"):
            await right.receive_exactly(4)
    left, right = wire_pair()
    with right:
        left.close()
        assert await right.peek() is None
        assert await right.receive(1) == b""


async def test_a_cancelled_read_loses_nothing() -> None:
    left, right = wire_pair()
    with left, right:
        await left.send_all(b"half")
        with trio.move_on_after(0) as scope:
            await right.receive_exactly(8)
        assert scope.cancelled_caught
        await left.send_all(b"rest")
        assert await right.receive_exactly(8) == b"halfrest"


async def test_a_long_send_waits_for_its_reader(contexts: Contexts) -> None:
    sent = bytes(range(256)) * 20_000
    for left, right in (wire_pair(), await tls_pair(contexts)):
        received = bytearray()
        with left, right:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(left.send_all, sent)
                while len(received) < len(sent):
                    received += await right.receive(65536)
        assert received == sent


async def test_sending_to_a_peer_that_is_gone_is_an_error_and_no_signal() -> None:
    left, right = wire_pair()
    right.close()
    with left, pytest.raises(BrokenWire):
        while True:
            await left.send_all(b"x" * 65536)


async def test_what_tls_has_decrypted_already_is_handed_over(contexts: Contexts) -> None:
    server, client = await tls_pair(contexts)
    with server, client:
        assert server.tls
        await client.send_all(b"startup" + b"query")
        assert await server.receive_exactly(7) == b"startup"
        # the socket would never become readable for these bytes: OpenSSL has them
        assert server.take_unread() == b"query"


async def test_clear_bytes_before_tls_are_refused(contexts: Contexts) -> None:
    left, right = wire_pair()
    with left, right:
        await left.send_all(b"SSLReqst" + b"injected startup packet")
        assert await right.receive_exactly(8) == b"SSLReqst"
        with pytest.raises(CleartextInjected):
            right.refuse_cleartext()


async def test_clear_bytes_read_ahead_can_not_become_the_first_under_tls(contexts: Contexts) -> None:
    left, right = wire_pair()
    with left, right:
        await left.send_all(b"SSLReqst" + b"injected")
        await right.receive_exactly(8, ahead=True)
        with pytest.raises(CleartextInjected):
            right.refuse_cleartext()
        with pytest.raises(CleartextInjected):
            await right.start_tls_server(contexts[0])


async def test_clear_bytes_in_place_of_a_handshake_end_it(contexts: Contexts) -> None:
    left, right = wire_pair()
    with left, right:
        await left.send_all(b"\x00\x00\x00\x10\x00\x03\x00\x00user\x00ann\x00\x00")
        with pytest.raises(BrokenWire, match="TLS handshake failed"):
            await right.start_tls_server(contexts[0])


async def test_a_peer_that_hangs_up_in_the_handshake_is_noticed(contexts: Contexts) -> None:
    left, right = wire_pair()
    with right:
        left.close()
        with pytest.raises(BrokenWire):
            await right.start_tls_client(contexts[1], "localhost")


async def test_a_certificate_that_does_not_fit_is_refused_with_its_reason(contexts: Contexts) -> None:
    left, right = wire_pair()
    strange = ssl.create_default_context(cadata=None)

    async def serve() -> None:
        with pytest.raises(BrokenWire):
            await left.start_tls_server(contexts[0])

    with left, right:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            with pytest.raises(BrokenWire, match="certificate: "):
                await right.start_tls_client(strange, "localhost")
            right.close()


async def test_closing_wakes_whoever_waits() -> None:
    left, right = wire_pair()

    async def wait() -> None:
        with pytest.raises(BrokenWire):
            await right.receive(1)

    with left:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            right.close()


@pytest.mark.parametrize("encrypted", [False, True])
async def test_the_last_message_arrives_although_input_was_left_unread(contexts: Contexts, encrypted: bool) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        client = await connect_tcp("127.0.0.1", listener.getsockname()[1])
        server = Wire(listener.accept()[0])
    if encrypted:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.start_tls_server, contexts[0])
            nursery.start_soon(client.start_tls_client, contexts[1], "localhost")
    with client:
        await client.send_all(b"x" * 100_000)
        await trio.lowlevel.wait_readable(server.sock)
        server.close(b"good bye")
        assert await client.receive_exactly(8) == b"good bye"
        assert await client.receive(1) == b""


async def test_closing_twice_is_closing_once() -> None:
    left, right = wire_pair()
    for wire in (left, right):
        wire.close()
        wire.close(b"again")
        await wire.aclose()
        assert wire.sock.fileno() == -1


async def test_an_address_is_that_of_the_peer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = await connect_tcp("localhost", listener.getsockname()[1])
        with wire:
            assert wire.address == "127.0.0.1"
            assert wire.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert wire.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    left, right = wire_pair()
    with left, right:
        assert left.address == "local"


async def test_a_port_where_nobody_listens_and_a_name_that_is_none_say_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(BrokenWire, match="connection refused"):
        await connect_tcp("127.0.0.1", port)
    for host in ("host.invalid", "\udcff", "a" * 64):
        with pytest.raises(BrokenWire):
            await connect_tcp(host, port)
    with pytest.raises(BrokenWire, match="no such file"):
        await connect_unix("/nowhere/.s.PGSQL.5432")
