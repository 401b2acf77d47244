"""An OIDC issuer of the tests' own: its keys, and tokens that are right but for what a test changes."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import jwk, jws

from wireproxy.config.model import OidcIssuer

NOW = 1_800_000_000.0
ISSUER = OidcIssuer("corp", "https://id.corp.example", "wireproxy", user_claim="sub", groups_claim="groups")
CLAIMS: dict[str, Any] = {
    "iss": ISSUER.issuer,
    "aud": ISSUER.audience,
    "sub": "ann",
    "exp": NOW + 300,
    "iat": NOW - 10,
    "groups": ["dba", "staff"],
}


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


RSA = rsa.generate_private_key(65537, 2048)
SMALL_RSA = rsa.generate_private_key(65537, 1024)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())


def public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, algorithm: str, **members: str) -> dict[str, str]:
    made = jwk.construct(pem(key), algorithm).public_key().to_dict()
    texts = {name: value.decode() if isinstance(value, bytes) else value for name, value in made.items()}
    del texts["alg"]
    return {**texts, **members}


JWKS = {"keys": [public(RSA, "RS256", kid="r1"), public(P256, "ES256", kid="e1")]}


def encode(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(
    *,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = RSA,
    algorithm: str = "RS256",
    header: dict[str, Any] | None = None,
    **claims: Any,
) -> bytes:
    merged = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not ...}
    kid = "e1" if algorithm.startswith("ES") else "r1"
    signed: str = jws.sign(merged, pem(key), headers={"kid": kid, **(header or {})}, algorithm=algorithm)
    return signed.encode()
