"""The front door against clients that are broken, hostile, slow or gone: nobody gets in, the wire closes, the log knows."""

from __future__ import annotations

import json
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme
from attrs import define, evolve
from hypothesis import given
from hypothesis import strategies as st

from protocols.postgres.authentication import encode_initial_response, encode_password
from protocols.postgres.messages import decode_fields, frame, notice_response
from protocols.postgres.scram import SCRAM, ScramClient
from protocols.postgres.startup import GSSENC_REQUEST, SSL_REQUEST, encode_cancel, encode_startup
from tests.support.front_door import LISTEN, PASSWORD, a_config, a_database, a_gate, a_greeting, a_user, wire_pair
from tests.support.issuer import ISSUER, JWKS, NOW, token
from wireproxy.config.model import Config, Limits, Listen, OidcIssuer
from wireproxy.identity import AccessRefused, AuthenticationFailure, Identification
from wireproxy.parameters import REFUSED, plan_parameters
from wireproxy.tls import ServerCertificate
from wireproxy.upstream import Upstream, UpstreamError
from wireproxy.welcome import Arrival, CancelArrival, finish_welcome, new_secret, refuse_welcome, welcome
from wireproxy.wire import BrokenWire, Wire

STARTUP = encode_startup(0, {"user": "ann", "database": "shop"})


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@define
class Visit:
    client: Wire
    failures: list[AuthenticationFailure]
    result: Arrival | CancelArrival | None = None
    ended: bool = False

    async def message(self) -> tuple[bytes, bytes]:
        header = await self.client.receive_exactly(5)
        return header[:1], await self.client.receive_exactly(int.from_bytes(header[1:], "big") - 4)

    async def error(self) -> dict[str, str]:
        """The error that the client gets, after which the wire must be closed."""
        kind, body = await self.message()
        assert kind == b"E"
        assert await self.client.receive(1) == b""
        fields = {code: value.decode() for code, value in decode_fields(body).items()}
        assert fields["S"] == fields["V"] == "FATAL"
        return fields


@asynccontextmanager
async def a_visit(
    config: Config | None = None,
    *,
    listen: Listen = LISTEN,
    tls: ServerCertificate | None = None,
    gate: Callable[[Config], Identification] | None = None,
) -> AsyncIterator[Visit]:
    server, client = wire_pair()
    chosen = config or a_config()
    visit = Visit(client, [])
    identification = a_gate(chosen, visit.failures) if gate is None else gate(chosen)

    async def serve() -> None:
        visit.result = await welcome(server, listen, chosen, identification, tls)
        visit.ended = True

    with server, client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            yield visit
            if visit.result is None:
                client.close()
        if visit.result is None:
            assert server.sock.fileno() == -1, "nobody to serve, and the wire is open"


async def log_in(visit: Visit, password: str = PASSWORD, startup: bytes = STARTUP) -> bytes:
    """Through SCRAM; what kind of message ended it."""
    await visit.client.send_all(startup)
    kind, _ = await visit.message()
    if kind != b"R":
        return kind
    scram = ScramClient(password, "nonce", SCRAM, flag="n")
    await visit.client.send_all(encode_initial_response(SCRAM, scram.first()))
    _, body = await visit.message()
    await visit.client.send_all(frame(b"p", scram.receive_first(body[4:])))
    kind, body = await visit.message()
    if kind == b"R":
        scram.receive_final(body[4:])
    return kind


async def settled(visit: Visit) -> None:
    await trio.testing.wait_all_tasks_blocked()
    assert visit.ended


@pytest.fixture
def certificate(tmp_path: Path) -> ServerCertificate:
    issued = trustme.CA().issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "server.crt"))
    issued.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    return ServerCertificate(tmp_path / "server.crt", tmp_path / "server.key")


# --- getting in


async def test_a_good_proof_is_an_arrival_and_no_ok_has_been_said() -> None:
    async with a_visit() as visit:
        parameters = {"user": "ann", "database": "shop", "TimeZone": "UTC", "options": "-c Work-Mem=1MB"}
        assert await log_in(visit, startup=encode_startup(2, parameters)) == b"R"
        await settled(visit)
        arrival = visit.result
        assert isinstance(arrival, Arrival)
        assert (arrival.identity.name, arrival.database.name, arrival.protocol) == ("ann", "shop", (3, 2))
        assert arrival.parameters == {"Work_Mem": "1MB", "TimeZone": "UTC"}
        assert arrival.settings == {"work_mem": "1MB", "timezone": "UTC"}
        assert (arrival.tls, arrival.client, arrival.expires) == (False, "local", None)
        with pytest.raises(BlockingIOError):
            visit.client.sock.recv(1)
        arrival.wire.close()


async def test_the_database_is_named_like_the_user_when_it_is_not_named() -> None:
    async with a_visit(a_config(a_database("ann"))) as visit:
        assert await log_in(visit, startup=encode_startup(0, {"user": "ann", "database": ""})) == b"R"
        await settled(visit)
        assert isinstance(visit.result, Arrival)
        assert visit.result.database.name == "ann"
        visit.result.wire.close()


async def test_a_client_in_single_bytes_gets_in_too() -> None:
    async with a_visit() as visit:
        for byte in GSSENC_REQUEST + STARTUP[:-1]:
            await visit.client.send_all(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked()
        assert await visit.client.receive(10) == b"N"
        assert await log_in(visit, startup=STARTUP[-1:]) == b"R"
        await settled(visit)
        assert isinstance(visit.result, Arrival)
        visit.result.wire.close()


@pytest.mark.parametrize("requests", [[SSL_REQUEST, GSSENC_REQUEST], [GSSENC_REQUEST, SSL_REQUEST], [SSL_REQUEST]])
async def test_encryption_that_is_not_to_be_had_is_answered_no_and_the_client_may_go_on(requests: list[bytes]) -> None:
    async with a_visit() as visit:
        for request in requests:
            await visit.client.send_all(request)
            assert await visit.client.receive(10) == b"N"
        assert await log_in(visit) == b"R"
        await settled(visit)
        assert isinstance(visit.result, Arrival)
        visit.result.wire.close()


async def test_what_is_not_known_of_a_newer_protocol_is_negotiated_before_the_login() -> None:
    async with a_visit() as visit:
        await visit.client.send_all(encode_startup(9999, {"user": "ann", "database": "shop", "_pq_.grease": "1"}))
        kind, body = await visit.message()
        assert (kind, body) == (b"v", struct.pack("!II", 0x30002, 1) + b"_pq_.grease\0")
        assert (await visit.message())[0] == b"R"


@pytest.mark.parametrize("secret", [b"1234", b"x" * 32, b"x" * 256])
async def test_a_cancel_request_is_handed_on_also_where_tls_is_required(
    certificate: ServerCertificate, secret: bytes
) -> None:
    async with a_visit(listen=evolve(LISTEN, require_tls=True), tls=certificate) as visit:
        await visit.client.send_all(encode_cancel(4711, secret))
        await settled(visit)
        assert isinstance(visit.result, CancelArrival)
        assert (visit.result.process_id, visit.result.secret) == (4711, secret)
        visit.result.wire.close()


# --- not getting in


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


# --- tokens


@pytest.fixture
def with_tokens(tmp_path: Path) -> Config:
    (tmp_path / "keys.json").write_text(json.dumps(JWKS))
    issuer: OidcIssuer = evolve(ISSUER, jwks_file=tmp_path / "keys.json")
    return a_config(users=(a_user("local"),), oidc=(issuer,))


async def start_tls(visit: Visit) -> None:
    context = trusting()
    await visit.client.send_all(SSL_REQUEST)
    assert await visit.client.receive(1) == b"S"
    await visit.client.start_tls_client(context, "localhost")


async def test_a_token_is_a_password_under_tls(with_tokens: Config, certificate: ServerCertificate) -> None:
    async with a_visit(with_tokens, tls=certificate, gate=lambda config: a_gate(config, clock=lambda: NOW)) as visit:
        await start_tls(visit)
        await visit.client.send_all(STARTUP)
        assert await visit.message() == (b"R", b"\0\0\0\x03")
        await visit.client.send_all(encode_password(token()))
        await settled(visit)
        assert isinstance(visit.result, Arrival)
        assert visit.result.identity.groups == {"dba", "staff"}
        assert visit.result.expires == NOW + 300
        visit.result.wire.close()


async def test_a_token_is_never_asked_for_in_clear(with_tokens: Config, certificate: ServerCertificate) -> None:
    async with a_visit(with_tokens, tls=certificate) as visit:
        await visit.client.send_all(STARTUP)
        fields = await visit.error()
        assert (fields["C"], fields["D"]) == ("28000", "The connection is not encrypted.")
        assert visit.failures[0].reason == "not a local user, and no TLS for a token"


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        (token(), "expired"),
        (token(sub="eve"), "token: "),
        (b"hunter2", "token: the password is not a token"),
        (b"", "token: the password is not a token"),
    ],
)
async def test_a_bad_token_is_a_wrong_password_to_the_client_and_a_reason_in_the_log(
    with_tokens: Config, certificate: ServerCertificate, password: bytes, reason: str
) -> None:
    failures: list[AuthenticationFailure] = []

    def gate(config: Config) -> Identification:
        return a_gate(config, failures, clock=lambda: NOW + 10_000)

    async with a_visit(with_tokens, tls=certificate, gate=gate) as visit:
        await start_tls(visit)
        await visit.client.send_all(STARTUP)
        await visit.message()
        await visit.client.send_all(encode_password(password))
        fields = await visit.error()
        assert (fields["C"], fields["M"]) == ("28P01", 'password authentication failed for user "ann"')
        assert fields.keys() == {"S", "V", "C", "M"}
        assert reason in failures[0].reason
        assert len(password) < 20 or password.decode() not in str(failures)


async def test_a_local_user_is_asked_for_scram_where_tokens_are_taken(
    with_tokens: Config, certificate: ServerCertificate
) -> None:
    async with a_visit(with_tokens, tls=certificate) as visit:
        await start_tls(visit)
        assert await log_in(visit, startup=encode_startup(0, {"user": "local", "database": "shop"})) == b"R"
        await settled(visit)
        assert isinstance(visit.result, Arrival)
        assert visit.result.identity.source == "user"
        visit.result.wire.close()


# --- parameters


@pytest.mark.parametrize("name", ["role", "session_authorization", "log_statement", "local_preload_libraries", "LOG_x"])
@pytest.mark.parametrize("road", ["packet", "options", "escaped"])
async def test_no_road_leads_a_refused_parameter_to_the_server(name: str, road: str) -> None:
    spelled = {
        "packet": {name.title(): "x"},
        "options": {"options": f"--{name.replace('_', '-')}=x"},
        "escaped": {"options": "\\-c \\" + name[0] + "\\".join(["", *name[1:]]) + "=x"},
    }[road]
    async with a_visit() as visit:
        startup = encode_startup(0, {"user": "ann", "database": "shop", **spelled})
        assert await log_in(visit, startup=startup) == b"R"
        fields = await visit.error()
        assert (fields["C"], fields["M"]) == ("42501", f'parameter "{name.lower()}" cannot be set when connecting')


@pytest.mark.parametrize(
    ("forbidden", "refused"),
    [(set(), False), ({"Search_Path"}, True), ({"search_*"}, True), ({"app.*"}, False), ({"work_mem"}, False)],
)
def test_the_configuration_forbids_by_name_or_pattern(forbidden: set[str], refused: bool) -> None:
    parameters = {"options": "-c SEARCH_PATH=secret"}
    if refused:
        with pytest.raises(AccessRefused, match="search_path"):
            plan_parameters(parameters, forbidden)
    else:
        assert plan_parameters(parameters, forbidden)[1] == {"search_path": "secret"}


def test_the_table_of_refused_parameters_is_lower_case_and_gives_reasons() -> None:
    assert all(name == name.lower() and reason for name, reason in REFUSED.items())


# --- the end of the welcome


def an_upstream(greeting: list[bytes | None]) -> Upstream:
    wire, other = wire_pair()
    other.close()
    return Upstream(wire, 99, b"the server's own", 0, False, greeting=greeting)


async def test_the_greeting_passes_in_its_order_with_a_secret_of_the_gateways_own() -> None:
    server, client = wire_pair()
    notice = notice_response("00000", "be careful")
    upstream = an_upstream([notice, *a_greeting(), notice])
    with server, client, upstream.wire:
        secret = new_secret((3, 2))
        await finish_welcome(server, upstream, 99, secret)
        said = await client.receive(65536)
        parameters = b"".join(part for part in a_greeting() if part is not None)
        key = frame(b"K", struct.pack("!I", 99) + secret)
        assert said == b"R\0\0\0\x08\0\0\0\0" + notice + parameters + key + notice + b"Z\0\0\0\x05I"
        assert b"the server's own" not in said
        assert (len(new_secret((3, 0))), len(secret)) == (4, 32)


async def test_notices_of_the_greeting_can_be_scrubbed() -> None:
    server, client = wire_pair()
    upstream = an_upstream([notice_response("00000", "secret row"), None])
    with server, client, upstream.wire:
        await finish_welcome(server, upstream, 99, b"1234", scrub=lambda fields: {**fields, "M": b"***"})
        said = await client.receive(65536)
        assert b"secret row" not in said
        assert b"M***\0" in said


async def test_a_client_that_is_gone_at_the_end_closes_the_wire() -> None:
    server, client = wire_pair()
    client.close()
    upstream = an_upstream([None])
    with upstream.wire, pytest.raises(BrokenWire):
        await finish_welcome(server, upstream, 99, b"1234")
    assert server.sock.fileno() == -1


async def test_an_error_of_the_target_is_the_clients_login_error() -> None:
    server, client = wire_pair()
    with client:
        refuse_welcome(server, UpstreamError("53300", "sorry, too many clients already", "log only"))
        said = await client.receive(65536)
        assert b"C53300\0" in said
        assert b"log only" not in said
        assert server.sock.fileno() == -1
