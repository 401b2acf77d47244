"""The front door: who gets in, as whom, with which parameters and what greeting."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import evolve

from protocols.postgres.authentication import encode_password
from protocols.postgres.messages import frame, notice_response
from protocols.postgres.startup import GSSENC_REQUEST, SSL_REQUEST, encode_cancel, encode_startup
from tests.support.front_door import LISTEN, a_config, a_database, a_gate, a_greeting, a_user, wire_pair
from tests.support.issuer import ISSUER, JWKS, NOW, token
from tests.support.visit import STARTUP, Visit, a_visit, log_in, settled, trusting
from wireproxy.config.model import Config, OidcIssuer
from wireproxy.identity import AccessRefused, AuthenticationFailure, Identification
from wireproxy.parameters import REFUSED, plan_parameters
from wireproxy.tls import ServerCertificate
from wireproxy.upstream import Upstream, UpstreamError
from wireproxy.welcome import Arrival, CancelArrival, finish_welcome, new_secret, refuse_welcome
from wireproxy.wire import BrokenWire

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


def test_a_custom_setting_arrives_as_it_is_unless_the_configuration_forbids_it() -> None:
    """docs/limitations.md has it: policies of rows may read it."""
    for parameters in ({"app.tenant": "2"}, {"options": "-c app.tenant=2"}):
        assert plan_parameters(parameters, set())[1] == {"app.tenant": "2"}
        with pytest.raises(AccessRefused, match=r"app\.tenant"):
            plan_parameters(parameters, {"app.*"})


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
