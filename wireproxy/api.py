"""The HTTP API: the desk for programs and for approvers without an account on this machine.

    GET  /v1/requests[?closed=true]       GET  /v1/requests/ID
    POST /v1/requests/ID/approve|deny     {"reason": "…"}          POST /v1/requests/ID/preview

Every call brings its own proof in `Authorization: Bearer …`: a token of an approver (`token_sha256`), or one that an issuer made
for this API (`audience`) and whose user is an approver (`oidc_users`). No cookie counts and no page of another origin is told
anything, so a browser cannot be made to approve. Nothing is answered before the proof, and one call is all of a connection.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import parse_qs, unquote

import h11
import msgspec
import structlog
import trio
from attrs import frozen

from wireproxy.approvals import NotAllowed, RequestClosed, StoreError, UnknownRequest
from wireproxy.config.model import Api, Approver
from wireproxy.face import PREVIEW_TIMEOUT_S, ControlRefused, Face
from wireproxy.throttle import Throttle, TooManyFailures
from wireproxy.tls import ServerCertificate
from wireproxy.tokens import LONGEST_TOKEN_BYTES, TokenRefused, Verified
from wireproxy.traces import where

HEADER_BYTES = 32 * 1024  # a token has up to 16 KiB
BODY_BYTES = 64 * 1024  # the longest honest one carries a reason of 2000 characters
REQUEST_TIMEOUT_S = 15.0  # for a request to arrive whole, and for an answer to be read
CONNECTIONS = 64  # at once
SHORTEST_TOKEN = 32  # characters: the configuration keeps a digest, from which a shorter one could be guessed
_log = structlog.get_logger("wireproxy.api")
Bearer = Callable[[bytes, str], Awaitable[Verified]]  # the identity that a token names for an audience; TokenRefused
_Stream = trio.abc.Stream


class ApiError(Exception):
    """The port of the API cannot be opened."""


@frozen
class Caller:
    approver: Approver
    principal: str  # who was verified, for the vote


@frozen
class _Refused(Exception):
    status: HTTPStatus
    kind: str
    message: str


@frozen
class _Call:
    method: str
    path: str
    query: Mapping[str, list[str]]
    token: bytes | None
    body: bytes


class _Decision(msgspec.Struct, forbid_unknown_fields=True):
    reason: str = ""


async def serve_api(
    api: Api,
    face: Face,
    approvers: Callable[[], Mapping[str, Approver]],
    bearer: Bearer,
    certificate: ServerCertificate | None,
    *,
    task_status: trio.TaskStatus[tuple[str, int]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Until cancelled. Raises ApiError when the address cannot be listened on."""
    server = _Server(api, face, approvers, bearer, certificate)
    try:
        listeners = await trio.open_tcp_listeners(api.port, host=api.host)
    except OSError as error:
        raise ApiError(f"[api] {api.host}:{api.port}: {error.strerror or error}") from error
    bound = listeners[0].socket.getsockname()
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, server.attend, listeners)
        task_status.started((bound[0], bound[1]))


class _Server:
    def __init__(
        self,
        api: Api,
        face: Face,
        approvers: Callable[[], Mapping[str, Approver]],
        bearer: Bearer,
        certificate: ServerCertificate | None,
    ) -> None:
        self._api = api
        self._face = face
        self._approvers = approvers
        self._bearer = bearer
        self._certificate = certificate
        self._throttle = Throttle()
        self._places = trio.CapacityLimiter(CONNECTIONS)

    async def attend(self, connection: trio.SocketStream) -> None:
        """One connection, one call. Nothing that a peer sends raises here."""
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            await trio.aclose_forcefully(connection)
            return
        try:
            address = connection.socket.getpeername()[0]
            stream: _Stream = connection
            if self._certificate is not None:
                context = self._certificate.current().context
                stream = trio.SSLStream(connection, context, server_side=True, https_compatible=True)
            await self._respond(stream, address)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, OSError):
            pass
        except Exception as error:  # noqa: BLE001  a bug in one answer may not end the gateway and everybody's sessions
            _log.error("api_failed", error=type(error).__name__, where=where(error))
        finally:
            self._places.release()
            await trio.aclose_forcefully(connection)

    async def _respond(self, stream: _Stream, address: str) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES)
        try:
            with trio.fail_after(REQUEST_TIMEOUT_S):
                call = await _receive(connection, stream)
            if call is None:
                return
            with trio.fail_after(PREVIEW_TIMEOUT_S + REQUEST_TIMEOUT_S):
                status, answer = HTTPStatus.OK, await self._answer(call, address)
        except h11.RemoteProtocolError as error:
            status, answer = HTTPStatus(error.error_status_hint), _error("usage", "not a request")
        except Exception as error:  # noqa: BLE001  every way in which a call can fail has an answer
            status, answer = _refusal(error)
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body := msgspec.json.encode(answer) + b"\n"))),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("connection", "close"),
        ]
        if status is HTTPStatus.UNAUTHORIZED:
            headers.append(("www-authenticate", 'Bearer realm="wireproxy"'))
        head = connection.send(h11.Response(status_code=status, headers=headers)) or b""
        with trio.fail_after(REQUEST_TIMEOUT_S):
            await stream.send_all(head + (connection.send(h11.Data(data=body)) or b""))
            await stream.aclose()

    async def _answer(self, call: _Call, address: str) -> object:
        caller = await self._caller(call.token, address)
        match call.method, call.path.strip("/").split("/"):
            case "GET", ["v1", "requests"]:
                return {"requests": await self._face.listing(call.query.get("closed") in (["true"], ["1"]))}
            case "GET", ["v1", "requests", name]:
                return await self._face.show(unquote(name))
            case "POST", ["v1", "requests", name, "approve"]:
                reason = _decision(call.body).reason
                return await self._face.approve(unquote(name), caller.approver, reason, caller.principal)
            case "POST", ["v1", "requests", name, "deny"]:
                reason = _decision(call.body).reason
                if not reason.strip():
                    raise _Refused(HTTPStatus.BAD_REQUEST, "usage", 'a denial says why: {"reason": "…"}')
                return await self._face.deny(unquote(name), caller.approver, reason, caller.principal)
            case "POST", ["v1", "requests", name, "preview"]:
                return await self._face.preview(unquote(name), caller.approver, caller.principal)
            case _, ["v1", "requests"] | ["v1", "requests", _] | ["v1", "requests", _, "approve" | "deny" | "preview"]:
                raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "usage", "another method: GET reads, POST decides")
        raise _Refused(
            HTTPStatus.NOT_FOUND, "usage", "there are /v1/requests, /v1/requests/ID and its approve, deny, preview"
        )

    async def _caller(self, token: bytes | None, address: str) -> Caller:
        if not token:
            raise _Refused(HTTPStatus.UNAUTHORIZED, "refused", "Authorization: Bearer TOKEN is needed")
        digest = sha256(token).hexdigest()
        try:
            await self._throttle.pause(address, digest)
        except TooManyFailures:
            raise _Refused(HTTPStatus.TOO_MANY_REQUESTS, "busy", "too many failed calls from this address") from None
        try:
            caller = self._by_digest(token, digest) or await self._by_issuer(token)
        except TokenRefused as error:
            self._throttle.failed(address)
            _log.warning("api_login_failed", client=address, reason=str(error))
            raise _Refused(HTTPStatus.UNAUTHORIZED, "refused", "the token is not accepted") from None
        self._throttle.proved(address, digest)
        return caller

    def _by_digest(self, token: bytes, digest: str) -> Caller | None:
        if len(token) < SHORTEST_TOKEN:
            return None
        for approver in self._approvers().values():
            if any(hmac.compare_digest(digest, kept) for kept in approver.token_sha256):
                return Caller(approver, f"token:{approver.name}")
        return None

    async def _by_issuer(self, token: bytes) -> Caller:
        """Raises TokenRefused, and _Refused for somebody who is known and no approver."""
        if not self._api.audience or len(token) > LONGEST_TOKEN_BYTES:
            raise TokenRefused("no approver has this token")
        identity = (await self._bearer(token, self._api.audience)).identity
        for approver in self._approvers().values():
            if f"{identity.issuer}:{identity.name}" in approver.oidc_users:
                return Caller(approver, f"oidc/{identity.issuer}:{identity.name}")
        _log.warning("api_no_approver", user=identity.name, issuer=identity.issuer)
        text = f'{identity.name} is no approver: "{identity.issuer}:{identity.name}" is in no oidc_users of an [approver.NAME]'
        raise _Refused(HTTPStatus.FORBIDDEN, "refused", text)


async def _receive(connection: h11.Connection, stream: _Stream) -> _Call | None:
    """None when the peer closed before a whole request. Raises h11.RemoteProtocolError, _Refused."""
    request: h11.Request | None = None
    body = b""
    while True:
        match connection.next_event():
            case h11.Request() as request:
                if connection.they_are_waiting_for_100_continue:
                    interim = connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
                    await stream.send_all(interim)
            case h11.Data(data=data):
                body += data
                if len(body) > BODY_BYTES:
                    raise _Refused(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "usage", f"a body has at most {BODY_BYTES} bytes"
                    )
            case h11.EndOfMessage():
                assert request is not None
                break
            case event if event is h11.NEED_DATA:
                connection.receive_data(bytes(await stream.receive_some(HEADER_BYTES)))
            case _:
                return None
    path, _, query = request.target.decode("ascii", "replace").partition("?")
    return _Call(request.method.decode(), path, parse_qs(query), _token(request), body)


def _token(request: h11.Request) -> bytes | None:
    """Two headers could mean one to a proxy in front and the other here: then neither counts."""
    given = [value for name, value in request.headers if name == b"authorization"]
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None


def _decision(body: bytes) -> _Decision:
    try:
        return msgspec.json.decode(body or b"{}", type=_Decision)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, "usage", f'expected {{"reason": "…"}}: {error}') from None


def _refusal(error: Exception) -> tuple[HTTPStatus, Mapping[str, object]]:
    match error:
        case _Refused():
            return error.status, _error(error.kind, error.message)
        case UnknownRequest():
            return HTTPStatus.NOT_FOUND, _error("unknown", str(error))
        case RequestClosed():
            return HTTPStatus.CONFLICT, _error("closed", str(error))
        case NotAllowed() | ControlRefused():
            return HTTPStatus.FORBIDDEN, _error("refused", str(error))
        case StoreError():
            return HTTPStatus.SERVICE_UNAVAILABLE, _error("store", str(error))
        case trio.TooSlowError():
            return HTTPStatus.GATEWAY_TIMEOUT, _error("timeout", "it took too long and was given up")
        case trio.BrokenResourceError() | trio.ClosedResourceError() | OSError():
            raise error
    _log.error("api_answer_failed", error=type(error).__name__)
    return HTTPStatus.INTERNAL_SERVER_ERROR, _error("internal", f"{type(error).__name__} inside the gateway")


def _error(kind: str, message: str) -> dict[str, object]:
    return {"kind": kind, "error": message}
