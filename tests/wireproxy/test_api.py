"""The desk over HTTP: real loopback sockets, real tokens, and callers who should not get anything."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
import trustme
from attrs import evolve
from click.testing import CliRunner

from rules.model import Hold, Identity
from tests.support.front_door import a_config
from tests.support.issuer import ISSUER, JWKS, NOW, RSA, encode, public_pem, token
from tests.wireproxy.test_control import BINDING, FACTS, HOLD, NOW_NS
from wireproxy import api as module
from wireproxy.api import BODY_BYTES, ApiError, serve_api
from wireproxy.approvals import Desk
from wireproxy.cli import cli
from wireproxy.config.model import Api, Approver
from wireproxy.face import Face
from wireproxy.identity import Identification
from wireproxy.store.model import Binding, Request
from wireproxy.store.sqlite import SqliteStore
from wireproxy.throttle import FREE_FAILURES, MOST_WAITING
from wireproxy.tls import ServerCertificate

SECRET = "wpa_" + "s" * 40
FOR_API: dict[str, Any] = {"aud": "wireproxy-approvals", "sub": "ann"}
Answer = tuple[int, Any]


class Service:
    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk = desk
        self.approvers = {
            "dana": Approver("dana", groups=frozenset({"dba"}), token_sha256=frozenset({digest(SECRET)})),
            "ann": Approver("ann the dba", groups=frozenset({"dba"}), oidc_users=frozenset({"corp:ann"})),
        }
        (folder / "jwks.json").write_text(json.dumps(JWKS))
        config = evolve(a_config(), oidc={"corp": evolve(ISSUER, jwks_file=folder / "jwks.json")})
        self.gate = Identification(config, mock_key=b"k" * 32, clock=lambda: NOW)
        self.face = Face(desk, self.preview, lambda: NOW_NS)
        self.api = Api(port=0, audience="wireproxy-approvals")
        self.address = ("127.0.0.1", 0)

    async def preview(self, _: Request, binding: Binding) -> Mapping[str, object]:
        return {"rows": 3, "tag": binding.statement.decode()[:6]}

    async def serve(
        self, certificate: ServerCertificate | None = None, *, task_status: trio.TaskStatus[tuple[str, int]]
    ) -> None:
        bearer = self.gate.bearer_identity
        await serve_api(self.api, self.face, lambda: self.approvers, bearer, certificate, task_status=task_status)

    async def send(self, data: bytes) -> bytes:
        async with await trio.open_tcp_stream(*self.address) as stream:
            await stream.send_all(data)
            with trio.fail_after(20):
                return b"".join([part async for part in stream])

    async def call(self, method: str, path: str, body: object = None, bearer: str | bytes | None = SECRET) -> Answer:
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        shown = bearer.decode() if isinstance(bearer, bytes) else bearer
        proof = "" if shown is None else f"Authorization: Bearer {shown}\r\n"
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{proof}Content-Length: {len(raw)}\r\n\r\n"
        return parsed(await self.send(head.encode() + raw))

    async def submit(self, **changes: Any) -> Request:
        return await self.desk.submit(BINDING, evolve(FACTS, **changes), HOLD)


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def parsed(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    desk = Desk(await SqliteStore.open(tmp_path / "requests.db"), lambda: NOW_NS)
    service = Service(desk, tmp_path)
    async with trio.open_nursery() as nursery:
        service.address = await nursery.start(service.serve)
        with trio.fail_after(60):
            yield service
        nursery.cancel_scope.cancel()
    await desk.aclose()


async def test_a_request_is_listed_shown_tried_and_approved(service: Service) -> None:
    request = await service.submit()
    status, listed = await service.call("GET", "/v1/requests")
    assert (status, [each["id"] for each in listed["requests"]]) == (200, [request.id])
    assert (await service.call("GET", f"/v1/requests/{request.id}"))[1]["sql"] == "DELETE FROM orders"
    tried = await service.call("POST", f"/v1/requests/{request.id}/preview")
    assert tried == (200, {"rows": 3, "tag": "DELETE"})
    status, approved = await service.call("POST", f"/v1/requests/{request.id}/approve", {"reason": "ticket 7"})
    assert (status, approved["state"], approved["reason"]) == (200, "approved", "ticket 7")
    assert (approved["votes"][0]["approver"], approved["votes"][0]["principal"]) == ("dana", "token:dana")
    assert (await service.call("GET", "/v1/requests?closed=true"))[1]["requests"]
    claim = await service.desk.claim(BINDING)
    assert claim is not None
    assert claim.approvers == ("dana",)


async def test_a_token_of_the_issuer_made_for_the_api_decides_too(service: Service) -> None:
    request = await service.submit()
    path = f"/v1/requests/{request.id}/deny"
    status, denied = await service.call("POST", path, {"reason": "no"}, bearer=token(**FOR_API))
    assert (status, denied["state"], denied["votes"][0]["principal"]) == (200, "denied", "oidc/corp:ann")


@pytest.mark.parametrize(
    ("bearer", "status"),
    [
        (None, 401),
        ("", 401),
        ("x" * 40, 401),
        (digest(SECRET), 401),
        (SECRET[:-1], 401),
        (token(), 401),  # one that opens databases
        (token(aud=["wireproxy", "other"]), 401),
        (token(**FOR_API, exp=NOW - 100), 401),
        (token(**FOR_API, iss="https://else.example"), 401),
        (token(aud="wireproxy-approvals", sub=...), 401),
        (token(aud="wireproxy-approvals", sub=["ann"]), 401),
        (token(aud="wireproxy-approvals", sub="claude"), 403),
        (b".".join([encode({"alg": "none"}).encode(), encode({**FOR_API, "iss": ISSUER.issuer}).encode(), b"x"]), 401),
        (token(**FOR_API, header={"kid": "none of them"}), 401),
    ],
)
async def test_who_is_no_approver_is_shown_nothing_and_decides_nothing(
    service: Service, bearer: str | bytes | None, status: int
) -> None:
    request = await service.submit()
    for method, path in [("GET", "/v1/requests"), ("GET", f"/v1/requests/{request.id}"), ("GET", "/elsewhere"),
                         ("POST", f"/v1/requests/{request.id}/approve")]:  # fmt: skip
        found, answer = await service.call(method, path, bearer=bearer)
        assert found == status
        assert "DELETE" not in json.dumps(answer)
        assert request.id not in json.dumps(answer)
    assert (await service.desk.get(request.id)).state == "pending"


async def test_an_hmac_over_the_public_key_is_no_signature(service: Service) -> None:
    from jose import jws

    forged = jws.sign({**FOR_API, "iss": ISSUER.issuer, "exp": NOW + 9}, "secret", algorithm="HS256")
    assert (await service.call("GET", "/v1/requests", bearer=forged))[0] == 401
    assert public_pem(RSA)


async def test_the_requester_may_not_approve_by_any_of_their_names(service: Service) -> None:
    for identity in (Identity("ann"), Identity("claude", subject="ANN")):
        request = await service.desk.submit(
            evolve(BINDING, identity=identity.name), evolve(FACTS, identity=identity), HOLD
        )
        path = f"/v1/requests/{request.id}/approve"
        status, answer = await service.call("POST", path, bearer=token(**FOR_API))
        assert (status, answer["kind"]) == (403, "refused")


async def test_a_quorum_is_not_reached_by_one_person_on_two_faces(service: Service) -> None:
    request = await service.desk.submit(BINDING, FACTS, Hold("writes", (), quorum=2))
    path = f"/v1/requests/{request.id}/approve"
    assert (await service.call("POST", path))[1]["missing"] == 1
    assert (await service.call("POST", path))[0] == 403
    service.approvers["dana"] = evolve(service.approvers["dana"], unix_users=frozenset({"dana"}))
    assert (await service.call("POST", path, bearer=token(**FOR_API)))[1]["state"] == "approved"


async def test_what_cannot_be_done_is_said_with_the_status_that_fits(service: Service) -> None:
    request = await service.submit()
    one = f"/v1/requests/{request.id}"
    assert (await service.call("GET", "/v1/requests/wp-none"))[0] == 404
    assert (await service.call("GET", "/v2"))[0] == 404
    assert (await service.call("DELETE", one))[0] == 405
    assert (await service.call("GET", f"{one}/approve"))[0] == 405
    assert (await service.call("POST", f"{one}/deny"))[0] == 400
    assert (await service.call("POST", f"{one}/deny", {"reason": "  "}))[0] == 400
    assert (await service.call("POST", f"{one}/approve", b"[1"))[0] == 400
    assert (await service.call("POST", f"{one}/approve", {"as": "ann"}))[0] == 400
    assert (await service.call("POST", f"{one}/approve", b"[" * 50_000))[0] == 400
    assert (await service.call("POST", f"{one}/approve", b"x" * (BODY_BYTES + 1)))[0] == 413
    assert (await service.desk.get(request.id)).state == "pending"
    assert (await service.call("POST", f"{one}/deny", {"reason": "no"}))[0] == 200
    assert (await service.call("POST", f"{one}/approve"))[0] == 409


async def test_a_second_authorization_header_makes_none(service: Service) -> None:
    head = f"GET /v1/requests HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n"
    assert parsed(await service.send(f"{head}\r\n".encode()))[0] == 200
    assert parsed(await service.send(f"{head}Authorization: Bearer x\r\n\r\n".encode()))[0] == 401
    assert parsed(await service.send(head.replace("Authorization", "Cookie").encode() + b"\r\n"))[0] == 401


async def test_a_page_of_another_origin_is_allowed_nothing(service: Service) -> None:
    answer = await service.send(b"OPTIONS /v1/requests HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"access-control" not in answer.lower()


async def test_guessing_is_slowed_down_and_who_has_a_token_is_not(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await service.call("GET", "/v1/requests"))[0] == 200
    for _ in range(FREE_FAILURES + 2):
        assert (await service.call("GET", "/v1/requests", bearer="y" * 40))[0] == 401
    monkeypatch.setattr("wireproxy.throttle.LONGEST_DELAY_S", 60.0)
    monkeypatch.setattr("wireproxy.throttle.FIRST_DELAY_S", 60.0)
    statuses = []
    refused = trio.Event()

    async def guess() -> None:
        statuses.append((await service.call("GET", "/v1/requests", bearer="z" * 40))[0])
        if len(statuses) == 3:
            refused.set()

    async with trio.open_nursery() as nursery:
        for _ in range(MOST_WAITING + 3):
            nursery.start_soon(guess)
        await refused.wait()
        assert (await service.call("GET", "/v1/requests"))[0] == 200
        nursery.cancel_scope.cancel()
    assert statuses == [429] * 3


async def test_a_client_that_says_nothing_is_sent_away(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_TIMEOUT_S", 0.2)
    assert parsed(await service.send(b"GET /v1/requests HTTP/1.1\r\n"))[0] == 504


async def test_over_tls_it_answers_and_in_clear_it_does_not(service: Service, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(tmp_path / "key"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "crt"))
    certificate = ServerCertificate(tmp_path / "crt", tmp_path / "key", protocol="http/1.1")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["http/1.1"])
    async with trio.open_nursery() as nursery:
        address = await nursery.start(service.serve, certificate)
        stream = await trio.open_ssl_over_tcp_stream(
            "localhost", address[1], https_compatible=True, ssl_context=context
        )
        async with stream:
            await stream.send_all(
                f"GET /v1/requests HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n\r\n".encode()
            )
            assert parsed(b"".join([part async for part in stream])) == (200, {"requests": []})
        service.address = address
        assert not (await service.send(b"GET /v1/requests HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP")
        nursery.cancel_scope.cancel()


async def test_a_port_that_is_taken_is_named(service: Service) -> None:
    service.api = evolve(service.api, port=service.address[1])
    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            await nursery.start(service.serve)
    assert caught.group_contains(ApiError, match=f"127.0.0.1:{service.address[1]}: Address already in use")


async def test_no_bytes_decide_anything_or_end_it(service: Service) -> None:
    request = await service.submit()
    good = f"POST /v1/requests/{request.id}/deny HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n".encode()
    chance = Random(7)
    for _ in range(150):
        mangled = bytearray(good + b"Content-Length: 16\r\n\r\n")
        for _ in range(chance.randint(1, 4)):
            mangled[chance.randrange(len(mangled))] = chance.randrange(256)
        async with await trio.open_tcp_stream(*service.address) as stream:
            await stream.send_all(bytes(mangled))
            await stream.send_eof()
            answer = b"".join([part async for part in stream])
        assert answer == b"" or answer.split(b" ")[1][:1] in (b"4", b"5")
    assert (await service.desk.get(request.id)).state == "pending"


def test_the_command_makes_a_token_whose_digest_fits() -> None:
    said = CliRunner().invoke(cli, ["approver", "token"]).output.splitlines()
    made = said[0].removeprefix("token: ")
    assert len(made) >= 40
    assert f'token_sha256 = ["{digest(made)}"]' in said
