"""The gateway as a client of real servers: every way of authentication, TLS, protocol 3.2, cancelling."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
import trio
from attrs import evolve
from psycopg import sql

from protocols.postgres.messages import encode_query
from protocols.postgres.scram import make_verifier
from tests.support.front_door import a_database
from tests.support.servers import Server
from wireproxy.config.model import Database, Secret, TlsMode
from wireproxy.parameters import plan_parameters
from wireproxy.upstream import Upstream, UpstreamError, connect, read_message, send_cancel

pytestmark = pytest.mark.integration


def database(server: Server, monkeypatch: pytest.MonkeyPatch, **changes: object) -> Database:
    user, password = str(changes.pop("user", server.user)), str(changes.pop("password", server.password))
    monkeypatch.setenv("REAL_TARGET_PASSWORD", password)
    found = a_database(
        host=server.host,
        port=server.port,
        dbname=server.dbname,
        user=user,
        password=Secret(env="REAL_TARGET_PASSWORD"),
        tls="disable",
    )
    return evolve(found, **changes)


async def ask(upstream: Upstream, text: str) -> str:
    """The only value of a query, or the SQLSTATE of its error."""
    await upstream.wire.send_all(encode_query(text.encode()))
    value = ""
    while True:
        kind, body = await read_message(upstream.wire, 100_000)
        if kind == b"D":
            value = body[6:].decode()
        elif kind == b"E":
            value = body[body.index(b"\0C") + 2 :].split(b"\0")[0].decode()
        elif kind == b"Z":
            return value


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("scram_user", "scram-secret"),
        ("md5_user", "md5-secret"),
        ("cleartext_user", "cleartext-secret"),
        ("trust_user", "not looked at"),
    ],
)
@pytest.mark.parametrize("tls", ["disable", "require"])
async def test_every_way_of_authentication_lets_the_gateway_in(
    postgres: Server, monkeypatch: pytest.MonkeyPatch, user: str, password: str, tls: TlsMode
) -> None:
    found = database(postgres, monkeypatch, user=user, password=password, tls=tls)
    upstream = await connect(found, {"application_name": "the client"}, 0)
    with upstream.wire:
        assert await ask(upstream, "SELECT current_user || ' ' || current_setting('application_name')") == (
            f"{user} the client"
        )
        assert await ask(upstream, "SELECT pg_backend_pid()") == str(upstream.process_id)
        assert await ask(upstream, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == (
            "t" if tls == "require" else "f"
        )
        assert {"server_version", "client_encoding", "standard_conforming_strings"} <= upstream.parameter_status.keys()
    if user != "trust_user":
        monkeypatch.setenv("REAL_TARGET_PASSWORD", "wrong")
        with pytest.raises(UpstreamError) as caught:
            await connect(found, {}, 0)
        assert "refused the gateway's login: 28P01" in caught.value.reason


async def test_verify_full_needs_the_servers_own_authority(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert postgres.tls_ca is not None
    trusted = database(postgres, monkeypatch, tls="verify-full", tls_ca=postgres.tls_ca)
    (await connect(trusted, {}, 0)).wire.close()
    with pytest.raises(UpstreamError) as caught:
        await connect(evolve(trusted, tls_ca=None), {}, 0)
    assert "certificate" in caught.value.reason


async def test_protocol_3_2_is_spoken_where_both_ends_know_it(
    postgres: Server, postgres18: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for server, minor, length in ((postgres18, 2, 32), (postgres, 0, 4)):
        upstream = await connect(database(server, monkeypatch), {}, 2)
        upstream.wire.close()
        assert (upstream.minor, len(upstream.secret)) == (minor, length)


async def test_prefer_takes_what_the_server_has(
    postgres: Server, postgres18: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for server, encrypted in ((postgres, True), (postgres18, False)):
        upstream = await connect(database(server, monkeypatch, tls="prefer"), {}, 0)
        upstream.wire.close()
        assert upstream.tls is encrypted


@pytest.mark.parametrize("tls", ["disable", "require"])
@pytest.mark.parametrize("minor", [0, 2])
async def test_a_cancel_request_ends_the_statement(
    postgres: Server, monkeypatch: pytest.MonkeyPatch, tls: TlsMode, minor: int
) -> None:
    found = database(postgres, monkeypatch, tls=tls)
    upstream = await connect(found, {}, minor)
    ended: list[str] = []

    async def sleep() -> None:
        ended.append(await ask(upstream, "SELECT pg_sleep(30)"))
        nursery.cancel_scope.cancel()

    with upstream.wire, trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleep)
            while True:  # one that arrives before the statement runs cancels nothing
                await send_cancel(found, upstream.process_id, upstream.secret, upstream.cancel_target)
                await trio.sleep(0.02)
    assert ended == ["57014"]


ODD_PASSWORDS = ["I\u00adX", "\u2168", "a\u00a0b", "\u0627\u0031", "\u00adx\u0007", "\u0221", "pä ss'\\w", "\U0001f511"]


@pytest.fixture
def odd_role(postgres: Server) -> Iterator[str]:
    name = f"handshake_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        yield name
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.mark.parametrize("made_by", ["server", "gateway"])
async def test_passwords_are_prepared_as_the_server_prepares_them(
    postgres: Server, monkeypatch: pytest.MonkeyPatch, odd_role: str, made_by: str
) -> None:
    alter = sql.SQL("ALTER ROLE {} PASSWORD {}")
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        for password in ODD_PASSWORDS:
            stored = password if made_by == "server" else str(make_verifier(password, secrets.token_bytes(16)))
            connection.execute(alter.format(sql.Identifier(odd_role), sql.Literal(stored)))
            found = database(postgres, monkeypatch, user=odd_role, password=password)
            (await connect(found, {}, 0)).wire.close()


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (r"-c search_path=a,\ b", "a, b"),
        ("--search-path=x", "x"),
        (r"-csearch_path=\"$\user\"", '"$user"'),
        ("-c search_path=one -c SEARCH_PATH=two", "two"),
        (r"-c search_path=a\\b", "a\\b"),
    ],
)
async def test_options_taken_apart_mean_what_they_mean_to_the_server(
    postgres: Server, monkeypatch: pytest.MonkeyPatch, options: str, shown: str
) -> None:
    found = database(postgres, monkeypatch)
    parameters, settings = plan_parameters({"options": options}, ())
    direct = await connect(found, {"options": options}, 0)
    ours = await connect(found, parameters, 0)
    with direct.wire, ours.wire:
        assert await ask(direct, "SHOW search_path") == await ask(ours, "SHOW search_path") == shown
        assert settings["search_path"] == shown


@pytest.mark.parametrize("options", ["-e", "-S 5000", "-fs", "-f h", "-c work_mem=5MB -e"])
async def test_switches_mean_what_they_mean_to_the_server(
    postgres: Server, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    found = database(postgres, monkeypatch)
    direct = await connect(found, {"options": options}, 0)
    ours = await connect(found, plan_parameters({"options": options}, ())[0], 0)
    changed = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE source = 'client'"
    with direct.wire, ours.wire:
        assert await ask(direct, changed) == await ask(ours, changed) != ""
