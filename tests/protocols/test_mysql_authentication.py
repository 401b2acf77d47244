"""Logins in both roles, against published values and against each other."""

from __future__ import annotations

import base64

import pytest

from protocols.base import ProtocolError
from protocols.mysql import ed25519
from protocols.mysql.authentication import (
    CACHING_SHA2,
    CLEAR,
    ED25519,
    NATIVE,
    Channel,
    CheckPassword,
    CheckToken,
    ClientAuthentication,
    Failed,
    Proved,
    Send,
    ServerAuthentication,
    ServerRefused,
    Step,
    cached_digest,
    caching_sha2_proof,
    native_proof,
)
from protocols.mysql.capabilities import Capability
from protocols.mysql.handshake import HandshakeResponse
from protocols.mysql.messages import Err, encode_err

NONCE = bytes(range(1, 21))
SECRET = b"correct horse"
FLAGS = Capability.PROTOCOL_41 | Capability.PLUGIN_AUTH | Capability.SECURE_CONNECTION


class FakeRsa:
    """Not RSA: it turns the bytes round."""

    public_pem = b"-----BEGIN PUBLIC KEY-----"

    def decrypt(self, data: bytes) -> bytes:
        if not data.startswith(b"sealed:"):
            raise ValueError("no")
        return data[7:][::-1]


def seal(pem: bytes, data: bytes) -> bytes:
    assert pem == FakeRsa.public_pem
    return b"sealed:" + data[::-1]


def response(plugin: str = CACHING_SHA2, proof: bytes = b"", flags: Capability = FLAGS) -> HandshakeResponse:
    return HandshakeResponse(flags, 0, 45, b"ann", proof, b"shop", plugin, {})


def login(
    *, tls: bool, digest: bytes | None = None, plugin: str = CACHING_SHA2, password: bytes = SECRET, token: bool = False
) -> Step:
    """A client of ours against a server of ours: what the server says in the end."""
    client = ClientAuthentication(lambda: password, Channel(tls, True), seal)
    named, proof = client.first(plugin, NONCE)
    server = ServerAuthentication(response(named, proof), NONCE, token=token, digest=digest, tls=tls, rsa=FakeRsa())
    step = server.begin()
    while isinstance(step, Send):
        answer = client.receive(step.payload)
        assert answer is not None
        step = server.receive(answer)
    return step


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("plugin", [CACHING_SHA2, NATIVE, "unheard_of"])
def test_the_first_login_brings_the_password_and_the_next_ones_a_proof(tls: bool, plugin: str) -> None:
    assert login(tls=tls, plugin=plugin) == CheckPassword(SECRET)
    assert isinstance(login(tls=tls, plugin=plugin, digest=cached_digest(SECRET)), Proved)


def test_a_digest_of_an_old_password_does_not_shut_out_the_new_one() -> None:
    assert login(tls=True, digest=cached_digest(b"old")) == CheckPassword(SECRET)


def test_an_empty_password_is_never_right() -> None:
    assert isinstance(login(tls=True, password=b"", digest=cached_digest(b"")), Failed)


def test_a_token_comes_in_clear_under_tls_alone() -> None:
    assert login(tls=True, token=True, password=b"a.b.c") == CheckToken(b"a.b.c")
    server = ServerAuthentication(response(CLEAR, b"a.b.c\0"), NONCE, token=True, digest=None, tls=False, rsa=None)
    assert isinstance(server.begin(), Failed)
    server = ServerAuthentication(response(), NONCE, token=True, digest=None, tls=False, rsa=None)
    assert isinstance(server.begin(), Failed)  # and it is not even asked for


def test_without_tls_or_a_key_the_password_is_not_taken() -> None:
    server = ServerAuthentication(
        response(proof=caching_sha2_proof(SECRET, NONCE)), NONCE, token=False, digest=None, tls=False, rsa=None
    )
    assert isinstance(server.begin(), Send)
    assert isinstance(server.receive(SECRET + b"\0"), Failed)


def test_a_password_in_clear_where_an_encrypted_one_was_due_is_no_login() -> None:
    server = ServerAuthentication(
        response(proof=caching_sha2_proof(SECRET, NONCE)), NONCE, token=False, digest=None, tls=False, rsa=FakeRsa()
    )
    server.begin()
    assert isinstance(server.receive(SECRET + b"\0"), Failed)


def test_a_login_that_is_over_takes_no_more() -> None:
    server = ServerAuthentication(response(proof=b"x" * 31), NONCE, token=False, digest=None, tls=True, rsa=None)
    assert isinstance(server.begin(), Failed)
    with pytest.raises(ProtocolError):
        server.receive(b"")


def test_native_password_has_its_published_value() -> None:
    """The value that PyMySQL and the server agree on for this nonce."""
    pytest.importorskip("pymysql")
    from pymysql._auth import scramble_native_password

    assert native_proof(SECRET, NONCE) == scramble_native_password(SECRET, NONCE)
    assert native_proof(b"", NONCE) == b""


def test_ed25519_is_rfc_8032_for_a_password_of_32_bytes() -> None:
    """Spec: RFC 8032, 7.1, TEST 3."""
    seed = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
    assert ed25519.public_key(seed).hex() == "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
    assert ed25519.sign(seed, bytes.fromhex("af82")).hex() == (
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )


def test_mariadbs_published_value_of_a_password() -> None:
    """Spec: MariaDB, "Authentication Plugin - ed25519": ed25519_password('secret')."""
    kept = base64.b64encode(ed25519.public_key(b"secret")).decode().rstrip("=")
    assert kept == "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"


def test_the_gateway_signs_when_mariadb_asks_for_it() -> None:
    client = ClientAuthentication(lambda: SECRET, Channel(False, False), seal)
    client.first(NATIVE, NONCE)
    nonce = bytes(range(32))
    assert client.receive(b"\xfe" + ED25519.encode() + b"\0" + nonce) == ed25519.sign(SECRET, nonce)


def open_client(*, encrypted: bool, private: bool) -> ClientAuthentication:
    client = ClientAuthentication(lambda: SECRET, Channel(encrypted, private), seal)
    client.first(CACHING_SHA2, NONCE)
    return client


def test_the_gateway_says_its_password_to_nobody_in_between() -> None:
    for asks in (b"\x01\x04", b"\xfe" + CLEAR.encode() + b"\0"):
        with pytest.raises(ProtocolError, match="no TLS"):
            open_client(encrypted=False, private=False).receive(asks)
    assert open_client(encrypted=True, private=False).receive(b"\x01\x04") == SECRET + b"\0"
    with pytest.raises(ProtocolError, match="no TLS"):
        open_client(encrypted=False, private=True).receive(b"\xfe" + CLEAR.encode() + b"\0")


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\x02",
        b"\xfe",
        b"\xfeauthentication_windows_client\0",
        b"\xfecaching_sha2_password\0short",
        b"\x01\x09",
        b"\x01",
    ],
)
def test_a_strange_server_ends_the_login_with_a_protocol_error(hostile: bytes) -> None:
    with pytest.raises(ProtocolError):
        open_client(encrypted=True, private=True).receive(hostile)


def test_a_server_may_switch_once() -> None:
    client = open_client(encrypted=True, private=True)
    client.receive(b"\xfe" + NATIVE.encode() + b"\0" + NONCE + b"\0")
    with pytest.raises(ProtocolError, match="second"):
        client.receive(b"\xfe" + NATIVE.encode() + b"\0" + NONCE + b"\0")


def test_a_refusal_keeps_its_number_and_words() -> None:
    with pytest.raises(ServerRefused) as caught:
        open_client(encrypted=True, private=True).receive(encode_err(Err(1045, b"28000", b"Access denied")))
    assert (caught.value.errno, caught.value.sqlstate, caught.value.message) == (1045, "28000", "Access denied")
