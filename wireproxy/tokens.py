"""Tokens as passwords: what a JWT must have to name a user. Spec: RFC 7519, RFC 7515, RFC 8725 (best practices).

The signature is checked by python-jose, with one key and the one algorithm that goes with it. Which key, which algorithm
and every claim are decided here, so that nothing depends on a default of the library.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen
from jose import jws
from jose.exceptions import JOSEError

from rules.model import Identity
from wireproxy.config.model import OidcIssuer
from wireproxy.jwks import Key, KeySource, KeysUnavailable

# Signatures by a private key alone: with HS256 whoever knows the public key could sign, with none anybody.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"})
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})  # logout tokens and the like are no logins
LONGEST_TOKEN_BYTES = 16_384
MOST_GROUPS = 1_000
SMALLEST_RSA_BITS = 2048  # RFC 7518 §3.3
MOST_TRIED_KEYS = 10
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class TokenRefused(Exception):
    """The reason, for the log. It never has the token in it, nor a piece of one that is not shown as `repr`."""


@frozen
class Unverified:
    """A token that was taken apart and not checked yet."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]


@frozen
class Verified:
    identity: Identity
    expires: float  # Unix seconds


def parse_token(raw: bytes) -> Unverified:
    if len(raw) > LONGEST_TOKEN_BYTES:
        raise TokenRefused("the token is too long")
    text = raw.decode("ascii", "replace")
    if not _COMPACT.fullmatch(text):
        raise TokenRefused("the password is not a token")
    header, claims, _ = text.split(".")
    return Unverified(text, _object(header, "header"), _object(claims, "claims"))


def _object(part: str, what: str) -> dict[str, Any]:
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except (binascii.Error, ValueError, RecursionError):
        raise TokenRefused(f"the token's {what} is not JSON in base64url, or names a member twice") from None
    if not isinstance(value, dict):
        raise TokenRefused(f"the token's {what} is not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # of two members with one name, the library and this module could each believe another
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def _shown(value: object) -> str:
    """A value out of an unchecked token, fit for a log line."""
    return ascii(value)[:80]


def choose_issuer(token: Unverified, issuers: Sequence[OidcIssuer]) -> OidcIssuer:
    """By the exact `iss`, and where several have it, the one whose audience the token names."""
    named = [issuer for issuer in issuers if token.claims.get("iss") == issuer.issuer]
    if not named:
        raise TokenRefused(f"issuer {_shown(token.claims.get('iss'))} is not configured")
    return next((issuer for issuer in named if issuer.audience in _audiences(token)), named[0])


def _audiences(token: Unverified) -> list[Any]:
    audience = token.claims.get("aud")
    return audience if isinstance(audience, list) else [audience]


async def verify_token(token: Unverified, issuer: OidcIssuer, source: KeySource, user: str, now: float) -> Verified:
    """Who the token proves to be there, `now` in Unix seconds. TokenRefused."""
    algorithm = _check_header(token, issuer)
    await _check_signature(token, algorithm, source)
    expires = _check_times(token.claims, issuer.leeway_s, now)
    if issuer.audience not in _audiences(token):
        raise TokenRefused(f"audience {_shown(token.claims.get('aud'))} is not {issuer.audience!r}")
    _check_user(token.claims, issuer, user)
    subject = token.claims.get("sub")
    identity = Identity(
        name=user,
        groups=_groups(token.claims.get(issuer.groups_claim), issuer.groups_claim),
        source="oidc",
        issuer=issuer.name,
        subject=subject if isinstance(subject, str) else None,
    )
    return Verified(identity, expires)


def _check_header(token: Unverified, issuer: OidcIssuer) -> str:
    algorithm = token.header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or algorithm not in issuer.algorithms:
        raise TokenRefused(f"algorithm {_shown(algorithm)} is not allowed for issuer {issuer.name!r}")
    if "crit" in token.header or "b64" in token.header:
        raise TokenRefused("the token's header asks for an extension")  # RFC 7515 §4.1.11: then it must be refused
    kind = token.header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        raise TokenRefused(f"type {_shown(kind)} is not that of a login token")
    return algorithm


async def _check_signature(token: Unverified, algorithm: str, source: KeySource) -> None:
    kid = token.header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise TokenRefused("the token's key id is not a string")
    try:
        keys = _candidates(await source.keys(), kid, algorithm)
        if not keys:
            keys = _candidates(await source.refreshed(), kid, algorithm)
    except KeysUnavailable as error:
        raise TokenRefused(f"the issuer's keys cannot be had: {error}") from None
    if not keys:
        raise TokenRefused(f"the issuer has no {algorithm} key {_shown(kid)}")
    if not any(_signed(token.text, key, algorithm) for key in keys):
        raise TokenRefused("the signature does not fit")


def _candidates(keys: Sequence[Key], kid: str | None, algorithm: str) -> list[Key]:
    fitting = [key for key in keys if key.fits(algorithm) and (kid is None or key.kid in (None, kid))]
    return fitting[:MOST_TRIED_KEYS]


def _signed(text: str, key: Key, algorithm: str) -> bool:
    if key.kty == "RSA" and _rsa_bits(key.members["n"]) < SMALLEST_RSA_BITS:
        return False
    try:
        jws.verify(text, dict(key.members), algorithms=[algorithm])
    except (JOSEError, ValueError, TypeError):  # ValueError: a key whose numbers are none
        return False
    return True


def _rsa_bits(modulus: str) -> int:
    try:
        raw = base64.b64decode(modulus + "=" * (-len(modulus) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return 0
    return int.from_bytes(raw, "big").bit_length()


def _check_times(claims: Mapping[str, Any], leeway_s: int, now: float) -> float:
    expires = _time(claims, "exp")
    if expires is None:
        raise TokenRefused("the token has no expiry")
    if now >= expires + leeway_s:
        raise TokenRefused(f"the token expired {now - expires:.0f} s ago")
    for name in ("nbf", "iat"):
        begins = _time(claims, name)
        if begins is not None and begins > now + leeway_s:
            raise TokenRefused(f"the token's {name} is {begins - now:.0f} s in the future")
    return expires


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused(f"the token's {name} is not a number")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise TokenRefused(f"the token's {name} is not a time")
    return seconds


def _check_user(claims: Mapping[str, Any], issuer: OidcIssuer, user: str) -> None:
    name = claims.get(issuer.user_claim)
    if not isinstance(name, str) or not name or name != user:
        raise TokenRefused(f"the token's {issuer.user_claim} is {_shown(name)}, not the user name {_shown(user)}")
    if issuer.user_claim == "email" and claims.get("email_verified") is False:
        # some issuers let their users write any address there
        raise TokenRefused("the token's e-mail address is not verified")


def _groups(value: Any, claim: str) -> frozenset[str]:
    """A list of strings, or one string with spaces between (as `scope` is written). No claim: no groups."""
    if value is None:
        return frozenset()
    listed = value.split() if isinstance(value, str) else value
    if not isinstance(listed, list) or len(listed) > MOST_GROUPS or not all(isinstance(item, str) for item in listed):
        raise TokenRefused(f"the token's {claim} is not a list of group names")
    return frozenset(item for item in listed if item)
