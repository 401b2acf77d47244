"""Proof of identity of a MySQL client: at the front door, and again when a connection is given to another borrower.

The conversation itself is sans-IO (`protocols.mysql.authentication`); here are the verifiers, the tokens and the delays.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

import trio
from attrs import define, field, frozen

from protocols.mysql.authentication import (
    CheckPassword,
    CheckToken,
    Failed,
    Proved,
    Send,
    ServerAuthentication,
    cached_digest,
    read_native_verifier,
)
from protocols.mysql.caching_sha2 import check_password, make_verifier
from protocols.mysql.handshake import NONCE_BYTES, HandshakeResponse
from rules.model import Identity
from wireproxy.config.model import Config
from wireproxy.identity import AccessRefused, Identification
from wireproxy.mysql.keys import GatewayKey
from wireproxy.throttle import TooManyFailures
from wireproxy.tokens import TokenRefused

FIRST_NUMBER = 1 << 30
_MOCK_SALT = "wireproxy.mock.salt."  # of names that do not exist: their check takes as long as a real one
_MOCK_VERIFIER = make_verifier(secrets.token_hex(16), _MOCK_SALT)
_MOCK_NATIVE = secrets.token_bytes(20)


@define
class Logins:
    """What the logins of one gateway share: its RSA key, and digests of passwords that were right, by user and verifier."""

    key: GatewayKey = field(factory=GatewayKey)
    digests: dict[tuple[str, str], bytes] = field(factory=dict, repr=False)
    connections: int = 0

    def next_connection(self) -> int:
        """The number of the greeting. Servers count from 1, and it must not be taken for one of theirs in a KILL; drivers
        may read it as signed."""
        self.connections = (self.connections + 1) % FIRST_NUMBER
        return FIRST_NUMBER + self.connections


@frozen
class Known:
    """Who it is, and until when: Unix seconds at which the token ends; None for a user with a verifier."""

    identity: Identity
    expires: float | None = None


class LoginRefused(AccessRefused):
    """`guessed`: a proof was looked at and was wrong."""

    def __init__(self, user: str, address: str, reason: str, *, guessed: bool = False) -> None:
        """MySQL's one sentence for everything that can be wrong with a login."""
        super().__init__("28000", f"Access denied for user '{user}'@'{address}'", reason)
        self.guessed = guessed


def new_nonce() -> bytes:
    return bytes(secrets.choice(range(1, 128)) for _ in range(NONCE_BYTES))


@frozen
class Conversation:
    """How packets of a login go to and fro, and what protects them."""

    ask: Callable[[bytes], Awaitable[bytes]]  # a packet that the client answers, and its answer
    tell: Callable[[bytes], Awaitable[None]]  # a packet that it does not
    tls: bool
    address: str


class Login:
    def __init__(self, config: Config, gate: Identification, logins: Logins, talk: Conversation) -> None:
        self._config = config
        self._gate = gate
        self._logins = logins
        self._talk = talk
        self._user = ""

    async def run(self, response: HandshakeResponse, nonce: bytes, *, again: bool = False) -> Known:
        """Who sent this response to a greeting with `nonce`, or `again` in COM_CHANGE_USER. Raises AccessRefused."""
        known = await self._known(response, nonce, again)
        self._gate.proved(self._talk.address, self._user)
        return known

    async def _known(self, response: HandshakeResponse, nonce: bytes, again: bool) -> Known:
        talk = self._talk
        self._user = response.user.decode("utf-8", "replace")
        user = self._config.users.get(self._user)
        verifier = None if user is None else user.mysql_verifier
        native = None if user is None else user.mysql_native_verifier
        method = self._gate.method(self._user, tls=talk.tls)
        login = ServerAuthentication(
            response,
            nonce,
            token=verifier is None and native is None and method != "scram",
            digest=None if verifier is None else self._logins.digests.get((self._user, verifier)),
            tls=talk.tls,
            rsa=self._logins.key,
            native=self._native(native),
            sha2=verifier is not None or native is None,
        )
        step = login.begin_again() if again else login.begin()
        while isinstance(step, Send):
            step = login.receive(await talk.ask(step.payload))
        await self._pause()
        match step:
            case Failed():
                raise self._denied(step.reason, guessed=step.guessed)
            case Proved():
                if step.last is not None:
                    await talk.tell(step.last)
                return Known(self._gate.local_identity(self._user))
            case CheckPassword():
                return await self._check(step.password, verifier)
            case CheckToken():
                return await self._check_token(step.token)

    def _native(self, verifier: str | None) -> bytes | None:
        """What a proof of mysql_native_password is compared with. Where some user has it, names that do not exist have it too."""
        if verifier is not None:
            try:
                return read_native_verifier(verifier)
            except ValueError as error:
                raise self._denied(f"[user.{self._user}] mysql_native_verifier: {error}") from None
        known = self._user in self._config.users
        if not known and any(user.mysql_native_verifier is not None for user in self._config.users.values()):
            return _MOCK_NATIVE
        return None

    async def _check(self, password: bytes, verifier: str | None) -> Known:
        # thousands of hashes: off the thread that all sessions share. A name without a verifier takes as long
        text = password.decode("utf-8", "surrogateescape")
        try:
            right = await trio.to_thread.run_sync(check_password, text, verifier or _MOCK_VERIFIER)
        except ValueError as error:
            raise self._denied(f"[user.{self._user}] mysql_verifier: {error}") from None
        if not right or verifier is None or not password:
            reason = "wrong password" if verifier is not None else "no such user, or one without mysql_verifier"
            raise self._denied(reason, guessed=True)
        digests = self._logins.digests
        stale = [key for key in digests if key[0] == self._user]
        for key in stale:
            del digests[key]
        digests[self._user, verifier] = cached_digest(password)
        return Known(self._gate.local_identity(self._user))

    async def _check_token(self, token: bytes) -> Known:
        try:
            verified = await self._gate.token_identity(self._user, token)
        except TokenRefused as error:
            raise self._denied(f"token: {error}", guessed=True) from None
        return Known(verified.identity, verified.expires)

    def _denied(self, reason: str, *, guessed: bool = False) -> LoginRefused:
        return LoginRefused(self._user, self._talk.address, reason, guessed=guessed)

    async def _pause(self) -> None:
        try:
            await self._gate.pause(self._talk.address, self._user)
        except TooManyFailures:
            raise AccessRefused(
                "53300", "too many failed logins from this address", "too many failed logins wait already"
            ) from None
