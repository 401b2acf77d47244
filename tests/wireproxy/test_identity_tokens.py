"""A token as a password: every claim that is wrong, every algorithm that must not count, every trick with keys."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.support.issuer import (
    CLAIMS,
    ISSUER,
    JWKS,
    NOW,
    P256,
    P384,
    RSA,
    SMALL_RSA,
    encode,
    public,
    public_pem,
    token,
)
from wireproxy.config.model import OidcIssuer
from wireproxy.jwks import Key, KeysUnavailable, parse_jwks
from wireproxy.tokens import LONGEST_TOKEN_BYTES, TokenRefused, Verified, choose_issuer, parse_token, verify_token


class FixedKeys:
    def __init__(self, document: object = None, later: object = None) -> None:
        self._keys = parse_jwks(json.dumps(document or JWKS).encode())
        self._later = None if later is None else parse_jwks(json.dumps(later).encode())
        self.refreshes = 0

    async def keys(self) -> tuple[Key, ...]:
        return self._keys

    async def refreshed(self) -> tuple[Key, ...]:
        self.refreshes += 1
        return self._later or self._keys


async def verify(
    raw: bytes, *, user: str = "ann", issuer: OidcIssuer = ISSUER, keys: FixedKeys | None = None
) -> Verified:
    parsed = parse_token(raw)
    return await verify_token(parsed, choose_issuer(parsed, [issuer]), keys or FixedKeys(), user, NOW)


async def refusal(raw: bytes, **options: Any) -> str:
    with pytest.raises(TokenRefused) as caught:
        await verify(raw, **options)
    reason = str(caught.value)
    signature = raw.rsplit(b".", 1)[-1].decode("ascii", "replace")
    assert not signature or len(signature) < 8 or signature not in reason
    return reason


# --- what is accepted


async def test_a_good_token_names_its_user_and_groups() -> None:
    verified = await verify(token())
    assert verified.expires == CLAIMS["exp"]
    identity = verified.identity
    assert (identity.name, identity.groups) == ("ann", {"dba", "staff"})
    assert (identity.source, identity.issuer, identity.subject) == ("oidc", "corp", "ann")


@pytest.mark.parametrize(
    ("changes", "groups"),
    [
        ({"groups": "dba  staff"}, {"dba", "staff"}),
        ({"groups": []}, set()),
        ({"groups": ...}, set()),
        ({"groups": None}, set()),
        ({"aud": ["other", "wireproxy"]}, {"dba", "staff"}),
        ({"exp": NOW - 29}, {"dba", "staff"}),
        ({"nbf": NOW + 29, "iat": NOW + 29}, {"dba", "staff"}),
        ({"iat": ...}, {"dba", "staff"}),
    ],
)
async def test_what_the_standard_leaves_open_is_accepted(changes: dict[str, Any], groups: set[str]) -> None:
    assert (await verify(token(**changes))).identity.groups == groups


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
async def test_login_and_access_tokens_are_accepted(kind: str) -> None:
    await verify(token(header={"typ": kind}))


async def test_an_elliptic_key_is_accepted() -> None:
    await verify(token(key=P256, algorithm="ES256"))


async def test_keys_without_an_id_are_tried() -> None:
    keys = FixedKeys({"keys": [public(RSA, "RS256")]})
    await verify(token(), keys=keys)
    await verify(token(header={"kid": None}), keys=FixedKeys())


async def test_another_claim_may_name_the_user() -> None:
    issuer = evolve(ISSUER, user_claim="email")
    verified = await verify(token(email="ann@corp.example"), user="ann@corp.example", issuer=issuer)
    assert verified.identity.name == "ann@corp.example"
    assert verified.identity.subject == "ann"


async def test_a_key_that_came_after_the_last_look_is_fetched() -> None:
    keys = FixedKeys({"keys": [public(P256, "ES256", kid="e1")]}, later=JWKS)
    await verify(token(), keys=keys)
    assert keys.refreshes == 1


# --- what is refused


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW - 30}, "expired 30 s ago"),
        ({"exp": ...}, "no expiry"),
        ({"exp": "never"}, "exp is not a number"),
        ({"exp": True}, "exp is not a number"),
        ({"exp": float("inf")}, "exp is not a time"),
        ({"exp": float("nan")}, "exp is not a time"),
        ({"exp": 10**400}, "exp is not a time"),
        ({"nbf": NOW + 31}, "nbf is 31 s in the future"),
        ({"iat": NOW + 31}, "iat is 31 s in the future"),
        ({"nbf": [1]}, "nbf is not a number"),
        ({"aud": "other"}, "audience 'other' is not 'wireproxy'"),
        ({"aud": ["other"]}, "audience"),
        ({"aud": ...}, "audience None"),
        ({"aud": {"wireproxy": 1}}, "audience"),
        ({"aud": "wireproxy-and-more"}, "audience"),
        ({"iss": "https://id.corp.example/"}, "is not configured"),
        ({"iss": ...}, "issuer None is not configured"),
        ({"iss": ["https://id.corp.example"]}, "is not configured"),
        ({"sub": "eve"}, "sub is 'eve', not the user name 'ann'"),
        ({"sub": "Ann"}, "not the user name"),
        ({"sub": "ann "}, "not the user name"),
        ({"sub": ["ann"]}, "not the user name"),
        ({"sub": ...}, "sub is None"),
        ({"groups": {"dba": True}}, "groups is not a list"),
        ({"groups": ["dba", 1]}, "groups is not a list"),
        ({"groups": ["g"] * 1001}, "groups is not a list"),
    ],
)
async def test_a_claim_that_is_wrong_is_refused_and_named(changes: dict[str, Any], reason: str) -> None:
    assert reason in await refusal(token(**changes))


async def test_an_address_that_its_issuer_has_not_verified_names_nobody() -> None:
    issuer = evolve(ISSUER, user_claim="email")
    raw = token(email="ceo@corp.example", email_verified=False)
    assert "not verified" in await refusal(raw, user="ceo@corp.example", issuer=issuer)


async def test_an_empty_user_name_never_fits() -> None:
    assert "not the user name" in await refusal(token(sub=""), user="")


@pytest.mark.parametrize("kind", ["logout+jwt", "secevent+jwt", "dpop+jwt", "", 1, None, ["JWT"]])
async def test_a_token_of_another_kind_is_no_login(kind: object) -> None:
    assert "is not that of a login token" in await refusal(token(header={"typ": kind}))


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}])
async def test_a_header_that_asks_for_extensions_is_refused(header: dict[str, Any]) -> None:
    assert "extension" in await refusal(token(header=header))


def raw_token(header: bytes, claims: bytes) -> bytes:
    return f"{encode(header)}.{encode(claims)}.AA".encode()


def forged(header: dict[str, Any], signature: bytes = b"") -> bytes:
    return f"{encode(header)}.{encode(CLAIMS)}.{encode(signature) if signature else 'AA'}".encode()


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "", "HS256", "rs256", "RS256 ", "PS256", None, 1, ["RS256"]]
)
async def test_no_algorithm_but_the_allowed_ones_counts(algorithm: object) -> None:
    assert "is not allowed" in await refusal(forged({"alg": algorithm, "kid": "r1"}))


async def test_a_signature_by_hmac_over_the_public_key_is_refused_even_if_the_operator_allows_hmac() -> None:
    issuer = evolve(ISSUER, algorithms=("HS256", "RS256", "none"))
    signed = f"{encode({'alg': 'HS256', 'kid': 'r1'})}.{encode(CLAIMS)}"
    raw = f"{signed}.{encode(hmac.digest(public_pem(RSA), signed.encode(), hashlib.sha256))}".encode()
    assert "algorithm 'HS256' is not allowed" in await refusal(raw, issuer=issuer)
    assert "algorithm 'none' is not allowed" in await refusal(forged({"alg": "none"}), issuer=issuer)


async def test_an_algorithm_that_this_issuer_does_not_use_is_refused() -> None:
    raw = token(key=P256, algorithm="ES256")
    assert "is not allowed" in await refusal(raw, issuer=evolve(ISSUER, algorithms=("RS256",)))


async def test_a_key_that_the_token_brings_along_is_not_looked_at() -> None:
    own = rsa.generate_private_key(65537, 2048)
    raw = token(
        key=own, header={"jwk": public(own, "RS256"), "jku": "https://evil.example/keys", "x5u": "https://evil"}
    )
    assert "signature does not fit" in await refusal(raw)


async def test_a_key_of_somebody_else_is_refused() -> None:
    assert "signature does not fit" in await refusal(token(key=rsa.generate_private_key(65537, 2048)))
    assert "signature does not fit" in await refusal(
        token(key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")
    )


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_no_part_of_a_token_can_be_changed(part: int) -> None:
    parts = token().decode().split(".")
    parts[part] = token(sub="eve", header={"kid": "e1"}).decode().split(".")[part]
    with pytest.raises(TokenRefused):
        await verify(".".join(parts).encode())


@pytest.mark.parametrize(
    "document",
    [
        {"keys": [public(RSA, "RS256", kid="r1", use="enc")]},
        {"keys": [public(RSA, "RS256", kid="r1", alg="RS512")]},
        {"keys": [public(RSA, "RS256", kid="r2")]},
        {"keys": [public(P256, "ES256", kid="r1")]},
    ],
)
async def test_a_key_that_is_for_something_else_is_not_used(document: object) -> None:
    keys = FixedKeys(document)
    assert "has no RS256 key 'r1'" in await refusal(token(), keys=keys)
    assert keys.refreshes == 1


async def test_a_key_on_another_curve_is_not_used() -> None:
    keys = FixedKeys({"keys": [public(P384, "ES384", kid="e1")]})
    assert "has no ES256 key" in await refusal(token(key=P256, algorithm="ES256"), keys=keys)


async def test_a_key_too_small_to_trust_is_not_used() -> None:
    keys = FixedKeys({"keys": [public(SMALL_RSA, "RS256", kid="r1")]})
    assert "signature does not fit" in await refusal(token(key=SMALL_RSA), keys=keys)


async def test_keys_whose_numbers_are_none_let_nobody_in() -> None:
    good = public(RSA, "RS256", kid="r1")
    for members in ({"n": "!!!"}, {"e": "!!!"}, {"e": "AA"}, {"n": "AA"}):
        with pytest.raises(TokenRefused):
            await verify(token(), keys=FixedKeys({"keys": [{**good, **members}]}))


async def test_a_key_id_that_is_no_text_is_refused() -> None:
    assert "key id" in await refusal(token(header={"kid": 1}))


async def test_an_issuer_whose_keys_cannot_be_had_lets_nobody_in() -> None:
    class Unavailable(FixedKeys):
        async def keys(self) -> tuple[Key, ...]:
            raise KeysUnavailable("https://id.corp.example/keys: timed out")

    assert "timed out" in await refusal(token(), keys=Unavailable())


# --- parsing


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hunter2",
        b"a.b",
        b"a.b.c.d",
        b"a.b.c\n",
        b" a.b.c",
        b"a.b=.c",
        b"a.b.",
        b"\xff.a.b",
        b"x" * (LONGEST_TOKEN_BYTES + 1),
        raw_token(b"[]", b"{}"),
        raw_token(b'{"alg": "RS256"}', b'"text"'),
        raw_token(b"{", b"{}"),
        raw_token(b"[" * 9000, b"{}"),
        raw_token(b'{"alg": "RS256", "alg": "none"}', b"{}"),
        raw_token(b'{"alg": "RS256"}', b'{"sub": "ann", "sub": "eve"}'),
        raw_token(b'{"alg": "RS256"}', b'{"sub": "\xff"}'),
    ],
)
def test_what_is_no_token_is_refused_without_being_repeated(raw: bytes) -> None:
    with pytest.raises(TokenRefused) as caught:
        parse_token(raw)
    assert len(raw) < 7 or raw.decode("latin-1") not in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
members = st.dictionaries(st.sampled_from([*CLAIMS, "alg", "typ", "kid", "nbf", "crit"]), json_values, max_size=6)


def forged_from(header: dict[str, Any], claims: dict[str, Any]) -> bytes:
    merged_header, merged_claims = {"alg": "RS256", "kid": "r1", **header}, {**CLAIMS, **claims}
    return f"{encode(merged_header)}.{encode(merged_claims)}.AA".encode()


@given(st.binary(max_size=80) | st.builds(forged_from, members, members))
async def test_no_bytes_get_in_or_raise_anything_else(raw: bytes) -> None:
    with pytest.raises(TokenRefused):
        await verify(raw)


# --- choosing the issuer


def test_the_issuer_is_the_one_that_the_token_names_and_of_several_the_one_with_its_audience() -> None:
    other = evolve(ISSUER, name="other", audience="other")
    elsewhere = evolve(ISSUER, name="elsewhere", issuer="https://elsewhere.example")

    def pick(**claims: object) -> str:
        return choose_issuer(parse_token(token(**claims)), [elsewhere, other, ISSUER]).name

    assert pick() == "corp"
    assert pick(aud="other") == "other"
    assert pick(iss="https://elsewhere.example") == "elsewhere"
