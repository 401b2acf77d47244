"""Keys of an issuer: fetched once for many, rotated, kept through an outage, and never from just anywhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.support.front_door import a_config
from tests.support.issuer import ISSUER, JWKS, P256, public
from wireproxy.config.model import OidcIssuer
from wireproxy.jwks import (
    LONGEST_JWKS_BYTES,
    MIN_INTERVAL_S,
    STALE_S,
    FileKeys,
    KeysUnavailable,
    UrlKeys,
    check_url,
    fetch,
    key_source,
    parse_jwks,
)

URL = "https://id.corp.example/keys"
RAW = json.dumps(JWKS).encode()
ROTATED = json.dumps({"keys": [public(P256, "ES256", kid="e2")]}).encode()


class Issuer:
    """What the URL answers, and how often it was asked."""

    def __init__(self, answer: bytes | None = RAW) -> None:
        self.answer = answer
        self.asked = 0

    def __call__(self, url: str) -> bytes:
        self.asked += 1
        if self.answer is None:
            raise KeysUnavailable(f"{url}: no answer")
        return self.answer


def ids(keys: object) -> list[str | None]:
    return [key.kid for key in keys]  # type: ignore[attr-defined]


async def test_keys_are_fetched_once_until_they_are_old(autojump_clock: trio.testing.MockClock) -> None:
    issuer = Issuer()
    source = UrlKeys(URL, 300.0, fetch=issuer)
    for _ in range(3):
        assert ids(await source.keys()) == ["r1", "e1"]
    assert issuer.asked == 1
    await trio.sleep(300)
    issuer.answer = ROTATED
    assert ids(await source.keys()) == ["e2"]
    assert issuer.asked == 2


async def test_a_hundred_logins_at_once_cause_one_request(autojump_clock: trio.testing.MockClock) -> None:
    issuer = Issuer()
    source = UrlKeys(URL, 300.0, fetch=issuer)
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(source.keys)
    assert issuer.asked == 1


async def test_unknown_key_ids_cannot_make_the_gateway_hammer_the_issuer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    issuer = Issuer()
    source = UrlKeys(URL, 300.0, fetch=issuer)
    await source.keys()
    for _ in range(50):
        await source.refreshed()
    assert issuer.asked == 1
    await trio.sleep(MIN_INTERVAL_S)
    issuer.answer = ROTATED
    assert ids(await source.refreshed()) == ["e2"]
    assert issuer.asked == 2


async def test_old_keys_outlive_an_outage_but_not_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    issuer, said = Issuer(), list[str]()
    source = UrlKeys(URL, 300.0, fetch=issuer, report=said.append)
    await source.keys()
    issuer.answer = None
    await trio.sleep(400)
    for _ in range(10):
        assert ids(await source.keys()) == ["r1", "e1"]
    assert issuer.asked == 2
    assert said == [f"keys of {URL} not renewed: {URL}: no answer"]
    await trio.sleep(STALE_S)
    with pytest.raises(KeysUnavailable, match="no answer"):
        await source.keys()


@pytest.mark.parametrize("answer", [None, b"", b"{}", b"<html>", b'{"keys": []}', b"[" * 100_000])
async def test_an_issuer_that_never_answered_well_gives_no_keys(
    autojump_clock: trio.testing.MockClock, answer: bytes | None
) -> None:
    issuer = Issuer(answer)
    source = UrlKeys(URL, 300.0, fetch=issuer)
    for _ in range(5):
        with pytest.raises(KeysUnavailable):
            await source.keys()
    assert issuer.asked == 1
    issuer.answer = RAW
    await trio.sleep(MIN_INTERVAL_S)
    assert await source.keys()


async def test_a_login_that_is_cancelled_leaves_the_next_one_free_to_fetch() -> None:
    started, finish = threading.Event(), threading.Event()

    def slow(_: str) -> bytes:
        started.set()
        finish.wait(60)
        return RAW

    source = UrlKeys(URL, 300.0, fetch=slow)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.keys)
        await trio.to_thread.run_sync(started.wait)
        nursery.cancel_scope.cancel()
    finish.set()
    with pytest.raises(KeysUnavailable, match="no keys yet"):
        await source.keys()  # too soon after the last try


async def test_in_an_outage_one_login_waits_for_the_issuer_and_the_others_do_not() -> None:
    asked, finish = threading.Event(), threading.Event()
    answers = iter([RAW])

    def fetch_or_hang(url: str) -> bytes:
        for answer in answers:
            return answer
        asked.set()
        finish.wait(60)
        raise KeysUnavailable(f"{url}: timed out")

    source = UrlKeys(URL, 0.0, fetch=fetch_or_hang)
    await source.keys()
    source._tried = float("-inf")  # as if it had been long ago
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.keys)
        await trio.to_thread.run_sync(asked.wait)
        with trio.fail_after(30):
            assert ids(await source.keys()) == ["r1", "e1"]
        finish.set()


# --- files


async def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path, said = tmp_path / "keys.json", list[str]()
    source = FileKeys(path, report=said.append)
    with pytest.raises(KeysUnavailable):
        await source.keys()
    path.write_bytes(RAW)
    assert ids(await source.keys()) == ["r1", "e1"]
    path.write_bytes(b"{")
    assert ids(await source.refreshed()) == ["r1", "e1"]
    assert len(said) == 2
    path.write_bytes(ROTATED)
    assert ids(await source.keys()) == ["e2"]


# --- key sets


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "r1"},
        {"kty": "RSA", "n": "AQAB"},
        {"kty": "RSA", "n": 5, "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {**public(P256, "ES256"), "key_ops": ["sign"]},
        {**public(P256, "ES256"), "key_ops": "verify"},
        "text",
        None,
    ],
)
def test_keys_that_cannot_check_a_signature_are_left_out(key: object) -> None:
    assert len(parse_jwks(json.dumps({"keys": [key, *JWKS["keys"]]}).encode())) == 2
    with pytest.raises(ValueError):
        parse_jwks(json.dumps({"keys": [key]}).encode())


# --- URLs


@pytest.mark.parametrize(
    "url", ["https://id.example/keys", "http://127.0.0.1:8080/k", "http://[::1]/k", "http://localhost/k"]
)
def test_keys_may_come_by_https_or_from_this_host(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example/keys",
        "http://127.0.0.1.evil.example/k",
        "http://localhost@evil.example/k",
        "http://10.0.0.1/k",
        "file:///etc/passwd",
        "ftp://127.0.0.1/k",
        "data:application/json,{}",
        "https:///keys",
        "keys",
        "",
    ],
)
def test_keys_from_anywhere_else_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        check_url(url)
    with pytest.raises(KeysUnavailable):
        fetch(url)
    with pytest.raises(ValueError):
        key_source(OidcIssuer("x", "i", "a", jwks_url=url))


def test_an_issuer_needs_a_place_of_its_keys() -> None:
    with pytest.raises(ValueError, match="neither"):
        key_source(ISSUER)
    assert a_config(oidc=(ISSUER,)).oidc == {"corp": ISSUER}


Handler = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def a_site(handle: Handler) -> Iterator[str]:
    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            handle(self)

        def log_message(self, *_: object) -> None:
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=site.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{site.server_address[1]}/keys"
    finally:
        site.shutdown()
        thread.join()
        site.server_close()


def answer(status: int, body: bytes = b"", **headers: str) -> Handler:
    def handle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return handle


def test_keys_are_fetched_over_http_from_loopback() -> None:
    with a_site(answer(200, RAW)) as url:
        assert parse_jwks(fetch(url))


def test_a_redirect_is_not_followed() -> None:
    with (
        a_site(answer(200, RAW)) as elsewhere,
        a_site(answer(302, Location=elsewhere)) as url,
        pytest.raises(KeysUnavailable, match="status 302"),
    ):
        fetch(url)


def test_an_answer_without_end_is_cut_off() -> None:
    with a_site(answer(200, b"x" * (LONGEST_JWKS_BYTES + 1))) as url, pytest.raises(KeysUnavailable, match="too long"):
        fetch(url)


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_of_the_issuer_is_no_key_set(status: int) -> None:
    with a_site(answer(status, RAW)) as url, pytest.raises(KeysUnavailable, match=str(status)):
        fetch(url)


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_site(answer(200, RAW)) as url, a_site(answer(200, ROTATED)) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        assert fetch(url) == RAW


def test_an_answer_that_is_no_http_is_no_key_set() -> None:
    def garbage(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"SSH-2.0-x\r\n")

    with a_site(garbage) as url, pytest.raises(KeysUnavailable):
        fetch(url)
