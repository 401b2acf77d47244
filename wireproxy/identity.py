"""Who is at the other end, and where they may go: users with a verifier, tokens of OIDC issuers, databases by group.

One `Identification` serves every listener. What went wrong is told twice: the client hears the ordinary sentence of a
database, `AuthenticationFailure` has the precise reason for the log.
"""

from __future__ import annotations

import os
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Literal

from attrs import evolve, frozen

from protocols.postgres.scram import NONCE_BYTES, ScramServer, Verifier, mock_verifier, parse_verifier
from rules.model import Dialect, Identity
from wireproxy.config.model import Config, Database, User
from wireproxy.jwks import KeySource, key_source
from wireproxy.throttle import Throttle
from wireproxy.tokens import TokenRefused, Verified, choose_issuer, parse_token, verify_token

MOCK_KEY_BYTES = 32


@frozen
class AuthenticationFailure:
    """For the log. `reason` has no password, proof or token in it."""

    user: str
    address: str
    reason: str
    database: str | None = None


class AccessRefused(Exception):
    """The client gets `sqlstate` and `message` (and `detail`), the log gets `reason`."""

    def __init__(self, sqlstate: str, message: str, reason: str, *, detail: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.reason = reason
        self.detail = detail
        self.hint = hint


def wrong_password(user: str, reason: str) -> AccessRefused:
    """PostgreSQL's one sentence for everything that can be wrong with a login."""
    return AccessRefused("28P01", f'password authentication failed for user "{user}"', reason)


def load_mock_key(state_dir: Path) -> bytes:
    """The key behind the salts of users that do not exist, made at the first start.

    Kept in a file: a salt that changed with a restart would show that there is no such user.
    """
    path = state_dir / "mock-salt.key"
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = _create_mock_key(path)
    if len(key) != MOCK_KEY_BYTES:
        raise ValueError(f"{path} is not {MOCK_KEY_BYTES} bytes long; remove it and a new one is made")
    return key


def _create_mock_key(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(MOCK_KEY_BYTES))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another worker was first: its key counts for all
    finally:
        draft.unlink()
    return path.read_bytes()


def _ignore(_: AuthenticationFailure) -> None:
    pass


class Identification:
    """The gate of one configuration. A reload makes a new one with `renewed`, which keeps the issuers' keys and counts."""

    def __init__(
        self,
        config: Config,
        *,
        mock_key: bytes | None = None,
        clock: Callable[[], float] = time.time,
        report: Callable[[AuthenticationFailure], None] = _ignore,
        report_keys: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`clock` gives Unix seconds. ValueError: a verifier, an issuer or the mock key cannot be used."""
        self._config = config
        self._mock_key = load_mock_key(config.state_dir) if mock_key is None else mock_key
        self._clock = clock
        self._report = report
        self._report_keys = report_keys
        self.throttle = Throttle()
        self._verifiers = {user.name: _verifier(user) for user in config.users.values() if user.verifier is not None}
        self._shapes = sorted({(v.iterations, len(v.salt)) for v in self._verifiers.values()}) or [(4096, 16)]
        self._sources: dict[str, KeySource] = {
            name: key_source(issuer, report_keys) for name, issuer in config.oidc.items()
        }

    def renewed(self, config: Config) -> Identification:
        gate = Identification(
            config, mock_key=self._mock_key, clock=self._clock, report=self._report, report_keys=self._report_keys
        )
        gate.throttle = self.throttle
        unchanged = [name for name, issuer in config.oidc.items() if self._config.oidc.get(name) == issuer]
        gate._sources.update({name: self._sources[name] for name in unchanged})
        return gate

    # --- who

    def method(self, user: str, *, tls: bool) -> Literal["scram", "token", "tls-needed"]:
        """How this name proves itself. A password that is a token cannot be proved by SCRAM: the gateway has no verifier
        of it. So a name with a verifier gets SCRAM; any other, where issuers are configured, is asked for its token, and
        that under TLS alone. Without issuers every name gets SCRAM, and the ones that do not exist fail there.
        """
        if user in self._verifiers or not self._sources:
            return "scram"
        return "token" if tls else "tls-needed"

    def scram(self, user: str, binding: bytes | None) -> ScramServer:
        nonce = b64encode(secrets.token_bytes(NONCE_BYTES)).decode("ascii")
        mock = self._mock(user)  # made for every name: the time it takes must not tell the real ones
        return ScramServer(self._verifiers.get(user, mock), nonce, binding=binding, genuine=user in self._verifiers)

    def _mock(self, user: str) -> Verifier:
        # iterations and salt as long as a real user's, or their number alone would tell
        name = user.encode("utf-8", "surrogateescape")
        pick = int.from_bytes(sha256(self._mock_key + b"shape:" + name).digest()[:4], "big")
        iterations, salt_bytes = self._shapes[pick % len(self._shapes)]
        return mock_verifier(self._mock_key, user, iterations, salt_bytes)

    def local_identity(self, user: str) -> Identity:
        """Of a user whose proof was good."""
        return Identity(user, self._config.users[user].groups, "user")

    async def token_identity(self, user: str, token: bytes) -> Verified:
        """TokenRefused with the precise reason."""
        parsed = parse_token(token)
        issuer = choose_issuer(parsed, list(self._config.oidc.values()))
        return await verify_token(parsed, issuer, self._sources[issuer.name], user, self._clock())

    async def bearer_identity(self, token: bytes, audience: str) -> Verified:
        """Who a token for another purpose than a database names. TokenRefused with the precise reason."""
        parsed = parse_token(token)
        issuers = [evolve(issuer, audience=audience) for issuer in self._config.oidc.values()]
        issuer = choose_issuer(parsed, issuers)
        user = parsed.claims.get(issuer.user_claim)
        if not isinstance(user, str):
            raise TokenRefused(f"the token has no {issuer.user_claim}")
        return await verify_token(parsed, issuer, self._sources[issuer.name], user, self._clock())

    async def pause(self, address: str, user: str) -> None:
        await self.throttle.pause(address, user)

    def proved(self, address: str, user: str) -> None:
        self.throttle.proved(address, user)

    def failed(self, failure: AuthenticationFailure, *, counts: bool = True) -> None:
        """Record a login that did not come to be; `counts` towards the delay of later ones."""
        if counts:
            self.throttle.failed(failure.address)
        self._report(failure)

    # --- where to

    def database(self, name: str, dialect: Dialect, identity: Identity) -> Database:
        """AccessRefused, in the same words whether there is no such database or it is not for this identity."""
        database = self._config.databases.get(name)
        if database is None or database.dialect is not dialect:
            raise _no_database(name, identity, "no such database is configured")
        if not may_connect(database, identity):
            raise _no_database(name, identity, f"{identity.name!r} may not connect to it")
        return database

    def named_in_user(self, user: str, dialect: Dialect) -> tuple[str, str | None]:
        """`NAME@DATABASE` as who and where: for programs that can name no database when they log in.

        A name that a user has stays whole, and so does one whose last part is no database of this dialect.
        """
        name, _, database = user.rpartition("@")
        found = self._config.databases.get(database)
        if not name or user in self._config.users or found is None or found.dialect is not dialect:
            return user, None
        return name, database

    def only_database(self, dialect: Dialect, identity: Identity) -> Database:
        """For a client that names none: the one of its dialect for this identity. AccessRefused when there are none or several."""
        found = [
            each for each in self._config.databases.values() if each.dialect is dialect and may_connect(each, identity)
        ]
        if len(found) != 1:
            raise AccessRefused(
                "3D000",
                "No database selected",
                f"no database was named, and {len(found)} may be meant",
                hint='Name one in the connection string, or log in as "USER@DATABASE": the gateway finds the server by it.',
            )
        return found[0]


def _no_database(name: str, identity: Identity, reason: str) -> AccessRefused:
    return AccessRefused(
        "3D000",
        f'database "{name}" does not exist',
        reason,
        detail=f'Or "{identity.name}" may not connect to it: the gateway does not say which.',
    )


def may_connect(database: Database, identity: Identity) -> bool:
    if not database.users and not database.groups:
        return True
    return identity.name in database.users or bool(database.groups & identity.groups)


def policy_for(database: Database, identity: Identity) -> str:
    """The name of the policy: of the first group in `policy_by_group` that the identity is in, else the database's own."""
    for group, policy in database.policy_by_group:
        if group in identity.groups:
            return policy
    return database.policy


def _verifier(user: User) -> Verifier:
    try:
        return parse_verifier(user.verifier or "")
    except ValueError as error:
        raise ValueError(f"[user.{user.name}] {error}") from None
