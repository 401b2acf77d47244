"""Announcements of new requests: what is in them, who can believe them, and that they delay nobody."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import evolve

from tests.wireproxy.desks import BINDING, HOLD, Clock, facts, submit
from wireproxy import webhook as module
from wireproxy.approvals import Desk, Request
from wireproxy.config.model import Approvals, Secret
from wireproxy.store.sqlite import SqliteStore
from wireproxy.webhook import DeliveryFailed, Webhook, announcement, check_url, post_json, signature

SECRET = b"key"


class Receiver:
    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.got: list[tuple[bytes, Mapping[str, str]]] = []

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.got.append((body, headers))
        if len(self.got) <= self.failures:
            raise DeliveryFailed("HTTP status 503")


async def make_request(folder: Path, **changes: object) -> Request:
    desk = Desk(await SqliteStore.open(folder / "requests.db"), Clock())
    request = await submit(desk, **changes)
    await desk.aclose()
    return request


def checked(body: bytes, headers: Mapping[str, str], secret: bytes = SECRET) -> bool:
    """As a receiver does it."""
    parts = dict(part.split("=", 1) for part in headers["Wireproxy-Signature"].split(","))
    expected = hmac.new(secret, parts["t"].encode() + b"." + body, "sha256").hexdigest()
    return hmac.compare_digest(expected, parts["v1"])


async def test_no_sql_and_no_value_leaves_the_machine(tmp_path: Path) -> None:
    request = await make_request(
        tmp_path, sql="DELETE 'canary-sql'", parameters=("canary-value",), done=("canary-done",)
    )
    body = announcement(request, "gw")
    assert b"canary" not in body
    found = json.loads(body)
    assert (found["id"], found["identity"], found["database"], found["gateway"]) == (request.id, "claude", "shop", "gw")


async def test_what_is_sent_can_be_checked_and_not_changed(tmp_path: Path) -> None:
    request = await make_request(tmp_path)
    receiver, clock = Receiver(), Clock()
    webhook = Webhook("https://hook.example/x", SECRET, clock, "gw", receiver.post)
    webhook.announce(request)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(webhook.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    ((body, headers),) = receiver.got
    assert checked(body, headers)
    assert not checked(body + b" ", headers)
    assert not checked(body, headers, b"other")
    assert f"t={clock.now_ns // 10**9}," in headers["Wireproxy-Signature"]


async def test_a_failure_is_tried_again_and_then_given_up(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    request = await make_request(tmp_path)
    receiver = Receiver(failures=5)
    webhook = Webhook("https://hook.example/x", SECRET, Clock(), "gw", receiver.post)
    webhook.announce(request)
    webhook.announce(request)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(webhook.run)
        await trio.sleep(100)
        nursery.cancel_scope.cancel()
    assert len(receiver.got) == 4 + 2


async def test_a_receiver_that_hangs_delays_nobody(tmp_path: Path) -> None:
    request = await make_request(tmp_path)
    webhook = Webhook("https://hook.example/x", SECRET, Clock(), "gw", Receiver().post)
    for _ in range(module.QUEUED + 7):
        webhook.announce(request)
    assert webhook.dropped == 7


async def test_the_desk_announces_each_new_request(tmp_path: Path) -> None:
    receiver = Receiver()
    webhook = Webhook("https://hook.example/x", SECRET, Clock(), "gw", receiver.post)
    desk = Desk(await SqliteStore.open(tmp_path / "r.db"), Clock(), on_new=webhook.announce)
    for statement in (b"1", b"2", b"2"):
        await desk.submit(evolve(BINDING, statement=statement), facts(), HOLD)
    await desk.aclose()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(webhook.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert len(receiver.got) == 2


@pytest.mark.parametrize(
    "url", ["http://hook.example/x", "ftp://h/x", "file:///etc/passwd", "https:///x", "x", "http://10.0.0.1/"]
)
def test_nothing_is_sent_in_clear_over_a_network(url: str) -> None:
    with pytest.raises(ValueError, match="https") as caught:
        check_url(url + "?token=hunter2")
    assert "hunter2" not in str(caught.value)


async def test_without_a_secret_there_is_no_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "key")
    assert await Webhook.of(Approvals(), Clock(), "gw") is None
    assert (
        await Webhook.of(Approvals(webhook="https://h/x", webhook_secret=Secret(env="HOOK")), Clock(), "gw") is not None
    )
    with pytest.raises(ValueError, match="webhook_secret"):
        await Webhook.of(Approvals(webhook="https://h/x"), Clock(), "gw")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", None),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/secret\r\n\r\n", "302"),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "500"),
        (b"garbage\r\n\r\n", "BadStatusLine"),
        (b"", "RemoteDisconnected"),
    ],
)
async def test_only_a_success_is_one(answer: bytes, reason: str | None) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        heard = b""
        while b"body" not in heard:
            heard += await stream.receive_some(65536)
        assert heard.startswith(b"POST /x HTTP/1.1\r\n")
        await stream.send_all(answer)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/x"
        headers = {"Wireproxy-Signature": signature(SECRET, 1, b"body")}
        with pytest.raises(DeliveryFailed, match=reason) if reason is not None else nullcontext():
            await post_json(url, b"body", headers)
        nursery.cancel_scope.cancel()
