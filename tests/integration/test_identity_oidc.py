"""An ordinary connection string whose password is a token: libpq, TLS, and an issuer that serves its keys on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio
import trustme
from attrs import evolve

from tests.support.front_door import a_config, a_database, a_user, front_door
from tests.support.issuer import ISSUER, P256, RSA, public
from tests.support.issuer import token as made_token
from wireproxy.config.model import Config
from wireproxy.tls import ServerCertificate

pytestmark = pytest.mark.integration


class Keys:
    def __init__(self) -> None:
        self.document: Any = {"keys": [public(P256, "ES256", kid="e1")]}
        self.asked = 0


@contextmanager
def served(keys: Keys) -> Iterator[str]:
    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.asked += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(keys.document).encode())

        def log_message(self, *_: object) -> None:
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=site.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{site.server_address[1]}/jwks"
    finally:
        site.shutdown()
        thread.join()
        site.server_close()


@pytest.fixture
def certificate(tmp_path: Path) -> ServerCertificate:
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "server.crt"))
    issued.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    return ServerCertificate(tmp_path / "server.crt", tmp_path / "server.key")


def config(url: str) -> Config:
    databases = (a_database("shop", groups=frozenset({"dba"})), a_database("payroll", groups=frozenset({"hr"})))
    return a_config(*databases, users=(a_user("local"),), oidc=(evolve(ISSUER, jwks_url=url),))


def token(**claims: Any) -> str:
    now = time.time()
    options = {"key": P256, "algorithm": "ES256", "exp": now + 60, "iat": now, **claims}
    return made_token(**options).decode()


async def connect(dsn: str) -> str:
    """Empty when it works, else what the client is told."""
    try:
        connection = await trio.to_thread.run_sync(lambda: psycopg.connect(dsn, connect_timeout=10))
    except psycopg.OperationalError as error:
        return str(error)
    connection.close()
    return ""


async def test_a_token_in_a_connection_string_gets_its_user_in(certificate: ServerCertificate) -> None:
    keys = Keys()
    with served(keys) as url:
        async with front_door(config(url), tls=certificate) as door:
            for _ in range(3):
                assert await connect(door.dsn(password=token(), sslmode="require")) == ""
            assert keys.asked == 1
            identity = door.arrivals[0].identity
            assert (identity.name, identity.source, identity.groups) == ("ann", "oidc", {"dba", "staff"})


async def test_groups_open_some_databases_and_not_others(certificate: ServerCertificate) -> None:
    with served(Keys()) as url:
        async with front_door(config(url), tls=certificate) as door:
            assert "does not exist" in await connect(door.dsn(password=token(), dbname="payroll", sslmode="require"))
            assert "does not exist" in await connect(door.dsn(password=token(groups=[]), sslmode="require"))
            assert await connect(door.dsn(password=token(groups="hr"), dbname="payroll", sslmode="require")) == ""


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1_000_000_000}, "expired"),
        ({"aud": "other"}, "audience"),
        ({"sub": "eve"}, "not the user name"),
        ({"iss": "https://evil.example"}, "not configured"),
        ({"key": RSA, "algorithm": "RS256"}, "no RS256 key"),
    ],
)
async def test_what_is_wrong_is_an_ordinary_error_to_the_client_and_precise_in_the_log(
    certificate: ServerCertificate, claims: dict[str, Any], reason: str
) -> None:
    raw = token(**claims)
    with served(Keys()) as url:
        async with front_door(config(url), tls=certificate) as door:
            said = await connect(door.dsn(password=raw, sslmode="require"))
            assert 'FATAL:  password authentication failed for user "ann"' in said
            assert reason not in said
            assert reason in door.failures[0].reason
            assert raw.split(".")[2] not in str(door.failures)


async def test_a_token_is_not_sent_without_tls(certificate: ServerCertificate) -> None:
    with served(Keys()) as url:
        async with front_door(config(url), tls=certificate) as door:
            said = await connect(door.dsn(password=token(), sslmode="disable"))
            assert "not encrypted" in said
            assert "sslmode=require" in said


async def test_a_local_user_logs_in_as_before(certificate: ServerCertificate) -> None:
    with served(Keys()) as url:
        async with front_door(evolve(config(url), databases={"shop": a_database()}), tls=certificate) as door:
            assert await connect(door.dsn(user="local", sslmode="require", channel_binding="require")) == ""


async def test_an_issuer_that_is_down_lets_nobody_new_in_and_says_why_in_the_log(
    certificate: ServerCertificate,
) -> None:
    with served(Keys()) as url:
        pass
    async with front_door(config(url), tls=certificate) as door:
        said = await connect(door.dsn(password=token(), sslmode="require"))
        assert "password authentication failed" in said
        assert "keys cannot be had" in door.failures[0].reason
