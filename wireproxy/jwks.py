"""The public keys of an OIDC issuer: from a URL, kept and rotated, or from a file. Spec: RFC 7517.

fresh                         used as they are, for `jwks_max_age_s`
a key that is not among them  fetched again, at most once in MIN_INTERVAL_S: tokens with made-up key ids are free
the issuer does not answer    the old ones stay in use for STALE_S, and it is asked again every MIN_INTERVAL_S
"""

from __future__ import annotations

import ipaddress
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol

import trio
from attrs import frozen

from wireproxy.config.model import OidcIssuer

MIN_INTERVAL_S = 10.0
STALE_S = 24 * 3600.0  # an outage of the issuer over a night; a key it withdrew meanwhile is accepted that long
FETCH_TIMEOUT_S = 5.0
LONGEST_JWKS_BYTES = 1024 * 1024
MOST_KEYS = 100


class KeysUnavailable(Exception):
    """No keys to check with. The message says why."""


@frozen
class Key:
    """One public key, RSA or EC, as its issuer wrote it."""

    kid: str | None
    kty: str
    members: Mapping[str, str]

    def fits(self, algorithm: str) -> bool:
        """Whether this key may check that algorithm. Spec: RFC 7517 §4.2–4.4, RFC 7518 §3.1."""
        if self.members.get("use", "sig") != "sig" or self.members.get("alg", algorithm) != algorithm:
            return False
        if self.kty == "RSA":
            return algorithm.startswith("RS")
        # one curve for each algorithm: ES256 over another curve is no ES256
        return self.members.get("crv") == {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}.get(algorithm)


class KeySource(Protocol):
    async def keys(self) -> tuple[Key, ...]: ...

    async def refreshed(self) -> tuple[Key, ...]:
        """Called for a key id that is not among `keys()`."""
        ...


def parse_jwks(raw: bytes) -> tuple[Key, ...]:
    """The keys that can check signatures of tokens; symmetric and unknown ones are left out. ValueError."""
    document = json.loads(raw)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError('not a key set: no list "keys"')
    keys = tuple(key for key in (_key(item) for item in listed[:MOST_KEYS]) if key is not None)
    if not keys:
        raise ValueError("the key set has no RSA or EC key")
    return keys


def _key(item: Any) -> Key | None:
    if not isinstance(item, dict):
        return None
    members = {name: value for name, value in item.items() if isinstance(value, str)}
    kty = members.get("kty", "")
    needed = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}.get(kty)
    if needed is None or not all(members.get(name) for name in needed):
        return None
    operations = item.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    return Key(members.get("kid"), kty, members)


def check_url(url: str) -> None:
    """https, or http to this very host: keys that come in clear over a network are anybody's. ValueError."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return
    raise ValueError(f"{url}: keys are fetched by https, or by http from loopback only")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could lead to http, or to a host inside that the issuer has no business with."""

    def redirect_request(self, *_: object) -> None:
        return None


def fetch(url: str) -> bytes:
    """GET, blocking, bounded in time and size. KeysUnavailable."""
    deadline = time.monotonic() + FETCH_TIMEOUT_S
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    try:
        check_url(url)
        if _is_loopback(urllib.parse.urlsplit(url).hostname or ""):
            handlers.append(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(url, headers={"Accept": "application/json", "User-Agent": "wireproxy"})  # noqa: S310 checked
        with urllib.request.build_opener(*handlers).open(request, timeout=FETCH_TIMEOUT_S) as response:
            return _read(response, deadline)
    except urllib.error.HTTPError as error:
        raise KeysUnavailable(f"{url}: HTTP status {error.code}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise KeysUnavailable(f"{url}: {error}") from None


class _Readable(Protocol):
    def read1(self, size: int, /) -> bytes: ...


def _read(response: _Readable, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    # the timeout of urllib is for one read: a server that drips bytes would keep the thread for ever
    while part := response.read1(64 * 1024):
        parts.append(part)
        size += len(part)
        if size > LONGEST_JWKS_BYTES:
            raise ValueError("the key set is too long")
        if time.monotonic() > deadline:
            raise ValueError("the key set takes too long")
    return b"".join(parts)


class UrlKeys:
    """Keys of a URL. Any number of logins at once cause one request."""

    def __init__(
        self,
        url: str,
        max_age_s: float,
        *,
        fetch: Callable[[str], bytes] = fetch,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        check_url(url)
        self._url = url
        self._max_age_s = max_age_s
        self._fetch = fetch
        self._report = report
        self._keys: tuple[Key, ...] = ()
        self._fetched = self._tried = float("-inf")
        self._failure = ""
        self._lock = trio.Lock()

    async def keys(self) -> tuple[Key, ...]:
        old = trio.current_time() - self._fetched >= self._max_age_s
        # where old keys will do, one login asks the issuer and the others do not wait for its answer
        if old and not (self._keys and self._lock.locked()):
            await self._renew(older_than=self._fetched)
        return self._usable()

    async def refreshed(self) -> tuple[Key, ...]:
        await self._renew(older_than=self._fetched)
        return self._usable()

    def _usable(self) -> tuple[Key, ...]:
        if self._keys and trio.current_time() - self._fetched < self._max_age_s + STALE_S:
            return self._keys
        raise KeysUnavailable(self._failure or f"{self._url}: no keys yet")

    async def _renew(self, older_than: float) -> None:
        async with self._lock:
            if self._fetched > older_than or trio.current_time() - self._tried < MIN_INTERVAL_S:
                return
            self._tried = trio.current_time()
            try:
                raw = await trio.to_thread.run_sync(self._fetch, self._url, abandon_on_cancel=True)
                self._keys = parse_jwks(raw)
            except (KeysUnavailable, ValueError, RecursionError) as error:
                self._tried = trio.current_time()
                self._failure = str(error)
                self._report(f"keys of {self._url} not renewed: {error}")
            else:
                self._fetched = trio.current_time()


class FileKeys:
    """Keys of a file, read again when it changes; one that cannot be read leaves the old ones in use."""

    def __init__(self, path: Path, *, report: Callable[[str], None] = lambda _: None) -> None:
        self._path = path
        self._report = report
        self._keys: tuple[Key, ...] = ()
        self._seen: tuple[int, int, int] | None = None

    async def keys(self) -> tuple[Key, ...]:
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp != self._seen:
                self._seen = stamp
                self._keys = parse_jwks(self._path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            self._report(f"keys of {self._path} not read: {error}")
        if not self._keys:
            raise KeysUnavailable(f"{self._path}: no keys")
        return self._keys

    async def refreshed(self) -> tuple[Key, ...]:
        return await self.keys()


def key_source(issuer: OidcIssuer, report: Callable[[str], None] = lambda _: None) -> KeySource:
    """ValueError when the issuer names no usable place of its keys."""
    if issuer.jwks_file is not None:
        return FileKeys(issuer.jwks_file, report=report)
    if issuer.jwks_url is not None:
        return UrlKeys(issuer.jwks_url, issuer.jwks_max_age_s, report=report)
    raise ValueError(f"[oidc.{issuer.name}] has neither jwks_url nor jwks_file")
