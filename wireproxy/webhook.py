"""Tells somebody that a request waits: a signed POST of JSON for each new one. Nobody approves by it.

What is sent leaves the machine, so it has no SQL and no values: who asks for what kind of thing on which tables, by which rule it
was held, and the id to look at. A receiver checks `Wireproxy-Signature: t=SECONDS,v1=HEX`, where HEX is HMAC-SHA256 over
`SECONDS.BODY`, and that the time is near its own.

A receiver that is slow or gone delays nobody: announcements wait in a short queue, and are dropped when it is full.
"""

from __future__ import annotations

import hmac
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog
import trio

from wireproxy import request_view
from wireproxy.config.model import Approvals
from wireproxy.credential import read_password
from wireproxy.metrics import is_loopback
from wireproxy.store.model import Request

QUEUED = 100  # the desk's own limits keep it shorter, as a rule
TIMEOUT_S = 10.0
RETRY_AFTER_S = (1.0, 5.0, 25.0)  # then it is given up: the request is on the list in any case
TABLES = 20

_log = structlog.get_logger("wireproxy.webhook")

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[None]]


class DeliveryFailed(Exception):
    """One attempt failed. The message has no secret in it."""


class Webhook:
    """Use `Webhook.of`; `announce` is the desk's `on_new`."""

    def __init__(
        self, url: str, secret: bytes, clock_ns: Callable[[], int], gateway: str, post: Post | None = None
    ) -> None:
        """ValueError for a URL that would send in clear over a network."""
        check_url(url)
        self.dropped = 0
        self._url = url
        self._secret = secret
        self._clock_ns = clock_ns
        self._gateway = gateway
        self._post = post_json if post is None else post
        self._send, self._receive = trio.open_memory_channel[Request](QUEUED)

    @classmethod
    async def of(cls, approvals: Approvals, clock_ns: Callable[[], int], gateway: str) -> Webhook | None:
        """None when none is configured. ValueError; CredentialError when its secret cannot be had."""
        if not approvals.webhook:
            return None
        password = await read_password(approvals.webhook_secret)
        if password is None:
            raise ValueError("approvals.webhook needs a webhook_secret: unsigned, anybody could send the like")
        return cls(approvals.webhook, password.reveal().encode("utf-8", "surrogateescape"), clock_ns, gateway)

    def announce(self, request: Request) -> None:
        try:
            self._send.send_nowait(request)
        except trio.WouldBlock:
            self.dropped += 1
            _log.warning("webhook_dropped", request=request.id, dropped=self.dropped)

    async def run(self) -> None:
        async for request in self._receive:
            await self._deliver(request)

    async def _deliver(self, request: Request) -> None:
        body = announcement(request, self._gateway)
        for pause_s in (*RETRY_AFTER_S, None):
            seconds = self._clock_ns() // 1_000_000_000  # of this attempt: a late one is not taken for a replay
            headers = {
                "Content-Type": "application/json",
                "Wireproxy-Signature": signature(self._secret, seconds, body),
            }
            try:
                await self._post(self._url, body, headers)
            except DeliveryFailed as error:
                _log.warning("webhook_failed", request=request.id, error=str(error), again=pause_s is not None)
            else:
                return
            if pause_s is not None:
                await trio.sleep(pause_s)


def announcement(request: Request, gateway: str) -> bytes:
    facts = request.facts
    return msgspec.json.encode(
        {
            "event": "request",
            "gateway": gateway,
            "id": request.id,
            "database": request.database,
            "identity": facts.identity.name,
            "kinds": facts.kinds[:TABLES],
            "relations": facts.relations[:TABLES],
            "rule": request.hold.rule,
            "estimated_rows": facts.estimated_rows,
            "approvers": sorted(request.hold.approvers),
            "quorum": request.hold.quorum,
            "created": request_view.timestamp(request.created_ns),
            "expires": request_view.timestamp(request.expires_ns),
        }
    )


def signature(secret: bytes, seconds: int, body: bytes) -> str:
    return f"t={seconds},v1={hmac.new(secret, str(seconds).encode() + b'.' + body, 'sha256').hexdigest()}"


def check_url(url: str) -> None:
    """https, or http to this very host. ValueError, without what the address may carry as a secret."""
    parts = urllib.parse.urlsplit(url)
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))):
        return
    raise ValueError("approvals.webhook is an address with https, or with http on this machine")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could lead inside, or to http: what was configured is where it goes."""

    def redirect_request(self, *_: object) -> None:
        return None


async def post_json(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Raises DeliveryFailed unless the answer's status is 2xx. The answer's body is not read."""
    await trio.to_thread.run_sync(_post_blocking, url, body, headers, abandon_on_cancel=True)


def _post_blocking(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")  # noqa: S310 — checked before
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if is_loopback(urllib.parse.urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S) as response:
            status = response.status
    except urllib.error.HTTPError as error:
        raise DeliveryFailed(f"HTTP status {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DeliveryFailed(type(error).__name__) from None
    if not 200 <= status < 300:
        raise DeliveryFailed(f"HTTP status {status}")
