"""The front door against clients that are broken, hostile, slow or gone: nobody gets in, the wire closes, the log knows."""

from __future__ import annotations

import struct

import pytest
import trio
import trio.testing
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from protocols.postgres.authentication import encode_initial_response, encode_password
from protocols.postgres.messages import frame
from protocols.postgres.scram import SCRAM, ScramClient
from protocols.postgres.startup import GSSENC_REQUEST, SSL_REQUEST, encode_startup
from tests.support.front_door import LISTEN, PASSWORD, a_config, a_gate
from tests.support.visit import STARTUP, a_visit, log_in, settled, trusting
from wireproxy.config.model import Limits
from wireproxy.tls import ServerCertificate
from wireproxy.welcome import Arrival
from wireproxy.wire import BrokenWire


async def test_a_wrong_password_and_an_unknown_user_get_the_same_error_at_the_same_step() -> None:
    said = []
    for user in ("ann", "bob"):
        async with a_visit() as visit:
            startup = encode_startup(0, {"user": user, "database": "shop"})
            await visit.client.send_all(startup)
            assert (await visit.message())[0] == b"R"
            scram = ScramClient("wrong", "nonce", SCRAM, flag="n")
            await visit.client.send_all(encode_initial_response(SCRAM, scram.first()))
            _, body = await visit.message()
            await visit.client.send_all(frame(b"p", scram.receive_first(body[4:])))
            fields = await visit.error()
            said.append({code: value.replace(user, "…") for code, value in fields.items()})
    assert said[0] == said[1]
    assert (said[0]["C"], said[0]["M"]) == ("28P01", 'password authentication failed for user "…"')


@pytest.mark.parametrize(
    ("first", "sqlstate", "message"),
    [
        (b"GET / HTTP/1.1\r\n", "08P01", "invalid length of startup packet"),
        (struct.pack("!I", 10_001), "08P01", "invalid length of startup packet"),
        (struct.pack("!II", 8, 0x20000), "0A000", "unsupported frontend protocol 2.0: server supports 3.0 to 3.2"),
        (encode_startup(0, {"database": "shop"}), "28000", "no PostgreSQL user name specified in startup packet"),
        (encode_startup(0, {"user": "ann", "replication": "true"}), "0A000", "replication connections are not relayed"),
        (
            encode_startup(0, {"user": "ann", "replication": "database"}),
            "0A000",
            "replication connections are not relayed",
        ),
    ],
)
async def test_a_first_packet_that_is_none_is_answered_and_ends_it(first: bytes, sqlstate: str, message: str) -> None:
    async with a_visit() as visit:
        await visit.client.send_all(first)
        fields = await visit.error()
        assert (fields["C"], fields["M"]) == (sqlstate, message)
        assert len(visit.failures) == 1


@pytest.mark.parametrize("request_twice", [SSL_REQUEST, GSSENC_REQUEST])
async def test_encryption_is_asked_for_once(request_twice: bytes) -> None:
    async with a_visit() as visit:
        await visit.client.send_all(request_twice)
        assert await visit.client.receive(10) == b"N"
        await visit.client.send_all(request_twice)
        assert "unsupported frontend protocol 1234" in (await visit.error())["M"]


async def test_a_startup_packet_smuggled_in_before_tls_is_refused(certificate: ServerCertificate) -> None:
    async with a_visit(tls=certificate) as visit:
        await visit.client.send_all(SSL_REQUEST + STARTUP)
        await settled(visit)
        assert visit.result is None
        assert await visit.client.receive(1) == b"", "not even an S"


async def test_bytes_in_clear_after_the_answer_are_no_handshake(certificate: ServerCertificate) -> None:
    async with a_visit(tls=certificate) as visit:
        await visit.client.send_all(SSL_REQUEST)
        assert await visit.client.receive(1) == b"S"
        await visit.client.send_all(STARTUP)
        await settled(visit)
        assert visit.result is None


async def test_direct_tls_needs_a_certificate() -> None:
    async with a_visit() as visit:
        await visit.client.send_all(b"\x16\x03\x01\x02\x00")
        await settled(visit)
        assert visit.result is None


@pytest.mark.parametrize("alpn", [None, ["http/1.1"], ["http/1.1", "postgresql"], ["postgresql"]])
async def test_direct_tls_needs_the_application_protocol(
    certificate: ServerCertificate, alpn: list[str] | None
) -> None:
    context = trusting()
    if alpn:
        context.set_alpn_protocols(alpn)
    async with a_visit(tls=certificate) as visit:
        await visit.client.start_tls_client(context, "localhost")
        if alpn and "postgresql" in alpn:
            assert await log_in(visit) == b"R"
            await settled(visit)
            assert isinstance(visit.result, Arrival)
            assert visit.result.tls
            visit.result.wire.close()
        else:
            assert "without ALPN" in (await visit.error())["M"]


async def test_inside_tls_no_second_tls_is_begun(certificate: ServerCertificate) -> None:
    context = trusting()
    for request in (SSL_REQUEST, GSSENC_REQUEST):
        async with a_visit(tls=certificate) as visit:
            await visit.client.send_all(SSL_REQUEST)
            assert await visit.client.receive(1) == b"S"
            await visit.client.start_tls_client(context, "localhost")
            await visit.client.send_all(request)
            assert "unsupported frontend protocol" in (await visit.error())["M"]


async def test_a_port_that_requires_tls_says_so_before_any_password(certificate: ServerCertificate) -> None:
    async with a_visit(listen=evolve(LISTEN, require_tls=True), tls=certificate) as visit:
        await visit.client.send_all(STARTUP)
        fields = await visit.error()
        assert fields["C"] == "28000"
        assert "sslmode=require" in fields["H"]


@pytest.mark.parametrize(
    "message",
    [
        frame(b"Q", b"SELECT 1\0"),
        frame(b"X", b""),
        b"p\x00\x00\x00\x03",
        b"p\xff\xff\xff\xff",
        b"p\x00\x01\x00\x00" + b"x" * 100,
        frame(b"p", b""),
        frame(b"p", b"SCRAM-SHA-256\0"),
        encode_initial_response("SCRAM-SHA-256-PLUS", b"p=tls-server-end-point,,n=,r=abc"),
        encode_initial_response(SCRAM, b"n,,n=,r="),
        encode_password(b"hunter2"),
    ],
)
async def test_an_answer_to_the_challenge_that_is_none_ends_it(message: bytes) -> None:
    async with a_visit() as visit:
        await visit.client.send_all(STARTUP)
        await visit.message()
        await visit.client.send_all(message)
        await visit.error()
        assert visit.result is None
        assert "hunter2" not in str(visit.failures)


@pytest.mark.parametrize("sent", [b"", SSL_REQUEST[:3], STARTUP[:-1], STARTUP])
async def test_a_client_that_hangs_up_leaves_nothing_behind(sent: bytes) -> None:
    async with a_visit() as visit:
        await visit.client.send_all(sent)
        await trio.testing.wait_all_tasks_blocked()
        visit.client.close()
        await settled(visit)
        assert not visit.failures, "neither a port probe nor psql asking for the password is worth a line"


@pytest.mark.parametrize("sent", [b"", STARTUP[:10], STARTUP])
async def test_a_client_that_says_nothing_more_is_sent_away(
    sent: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    async with a_visit(a_config(limits=Limits(startup_timeout_s=7))) as visit:
        await visit.client.send_all(sent)
        if sent == STARTUP:
            await visit.message()
        with trio.fail_after(8):
            await trio.sleep(7.5)
            assert (await visit.error())["M"] == "canceling authentication due to timeout"


@given(st.lists(st.binary(max_size=60), max_size=6))
async def test_no_bytes_get_anybody_in(chunks: list[bytes]) -> None:
    async with a_visit() as visit:
        for chunk in chunks:
            try:
                await visit.client.send_all(chunk)
            except BrokenWire:
                break
        visit.client.close()
        await settled(visit)
        assert visit.result is None


async def test_a_name_as_long_as_the_packet_is_not_written_whole_into_the_log() -> None:
    async with a_visit() as visit:
        startup = encode_startup(0, {"user": "x" * 4000, "database": "y" * 4000})
        assert await log_in(visit, startup=startup) == b"E"
        await settled(visit)
        assert (len(visit.failures[0].user), len(visit.failures[0].database or "")) == (255, 255)


async def test_a_failed_handshake_is_worth_a_line(certificate: ServerCertificate) -> None:
    async with a_visit(tls=certificate) as visit:
        await visit.client.send_all(SSL_REQUEST)
        assert await visit.client.receive(1) == b"S"
        await visit.client.send_all(b"this is no handshake")
        await settled(visit)
        assert "TLS handshake failed" in visit.failures[0].reason


async def test_guessing_is_slowed_down_and_the_count_is_of_wrong_proofs_alone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    gate = a_gate(a_config())
    waited = []
    for password in ["wrong"] * 12 + [PASSWORD]:
        async with a_visit(gate=lambda _: gate) as visit:
            start = trio.current_time()
            kind = await log_in(visit, password)
            waited.append(trio.current_time() - start)
            assert kind == (b"R" if password == PASSWORD else b"E")
            await settled(visit)
            if isinstance(visit.result, Arrival):
                visit.result.wire.close()
    assert waited[:5] == [0.0] * 5
    assert waited[-2] > 3
    assert waited[-1] > 3, "a right guess waits as long: the delay tells nothing"
