"""SCRAM against the RFC's own example, against itself, and against everything a hostile peer could send."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.postgres.scram import (
    SCRAM,
    SCRAM_PLUS,
    ScramClient,
    ScramError,
    ScramServer,
    Verifier,
    make_verifier,
    mock_verifier,
    parse_verifier,
    prepare_password,
)

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
PENCIL = make_verifier("pencil", SALT)
FEW = make_verifier("pencil", SALT, 1)  # one iteration keeps the many small tests quick
BINDING = hashlib.sha256(b"certificate").digest()
NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"


def exchange(server: ScramServer, client: ScramClient) -> None:
    last = server.receive_final(client.receive_first(server.receive_first(client.mechanism, client.first())))
    client.receive_final(last)


def a_client(password: str = "pencil", *, flag: str = "n", binding: bytes = b"") -> ScramClient:
    return ScramClient(password, "clientnonce", SCRAM_PLUS if flag == "p" else SCRAM, flag=flag, binding=binding)


# --- the example of RFC 7677 §3


def test_the_example_of_rfc_7677_is_understood_by_the_server() -> None:
    server = ScramServer(PENCIL, NONCE)
    first = server.receive_first(SCRAM, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    assert first == b"r=rOprNGfwEbeRWgbNEkqO" + NONCE.encode() + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    last = server.receive_final(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO" + NONCE.encode() + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert last == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert server.done


# --- both ends together


@pytest.mark.parametrize(("flag", "bound"), [("n", None), ("y", None), ("n", BINDING), ("p", BINDING)])
def test_client_and_server_agree(flag: str, bound: bytes | None) -> None:
    server = ScramServer(FEW, NONCE, binding=bound)
    client = a_client(flag=flag, binding=bound or b"")
    exchange(server, client)
    assert server.done
    assert client.done


# HMAC fills its key up with NULs (RFC 2104), so one more at the end changes nothing: no password has any
PASSWORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@settings(deadline=None)
@given(PASSWORDS, PASSWORDS)
def test_only_the_same_password_gets_in(known: str, typed: str) -> None:
    server = ScramServer(make_verifier(known, SALT, 1), NONCE)
    if prepare_password(known) == prepare_password(typed):
        exchange(server, a_client(typed))
    else:
        with pytest.raises(ScramError) as caught:
            exchange(server, a_client(typed))
        assert caught.value.sqlstate == "28P01"
        assert not server.done


def test_a_mock_verifier_lets_nobody_in_and_looks_the_same_at_every_attempt() -> None:
    mock = mock_verifier(b"key", "bob")
    assert mock == mock_verifier(b"key", "bob")
    assert mock.salt != mock_verifier(b"key", "eve").salt != mock_verifier(b"other key", "eve").salt
    assert (mock.iterations, len(mock.salt)) == (4096, 16)
    with pytest.raises(ScramError, match="no such user"):
        exchange(ScramServer(mock, NONCE, genuine=False), a_client())


def test_a_verifier_that_is_not_genuine_refuses_even_the_right_proof() -> None:
    with pytest.raises(ScramError) as caught:
        exchange(ScramServer(FEW, NONCE, genuine=False), a_client())
    assert caught.value.sqlstate == "28P01"


# --- what the server refuses


def test_binding_to_another_certificate_is_refused() -> None:
    server = ScramServer(FEW, NONCE, binding=BINDING)
    with pytest.raises(ScramError, match="channel binding check failed"):
        exchange(server, a_client(flag="p", binding=hashlib.sha256(b"of somebody in between").digest()))


def test_a_client_that_was_told_there_is_no_binding_shows_the_downgrade() -> None:
    with pytest.raises(ScramError, match="thinks the server does not") as caught:
        ScramServer(FEW, NONCE, binding=BINDING).receive_first(SCRAM, b"y,,n=,r=abc")
    assert caught.value.sqlstate == "28000"


@pytest.mark.parametrize(
    ("mechanism", "message"),
    [
        (SCRAM_PLUS, b"n,,n=,r=abc"),
        (SCRAM_PLUS, b"y,,n=,r=abc"),
        (SCRAM_PLUS, b"p=tls-unique,,n=,r=abc"),
        (SCRAM, b"p=tls-server-end-point,,n=,r=abc"),
        (SCRAM, b"n,a=root,n=,r=abc"),
        (SCRAM, b"n,,m=ext,n=,r=abc"),
        (SCRAM, b"n,,n=,m=ext,r=abc"),
        (SCRAM, b"n,,r=abc"),
        (SCRAM, b"n,,n=,r="),
        (SCRAM, b"n,,n=,r=a\x7f"),
        (SCRAM, b"n,,n=,r=a\x00"),
        (SCRAM, b"n,,n=,r=a b"),
        (SCRAM, b"x,,n=,r=abc"),
        (SCRAM, b""),
        (SCRAM, b"n,,n=,r=" + b"a" * 2000),
        ("SCRAM-SHA-1", b"n,,n=,r=abc"),
        ("scram-sha-256", b"n,,n=,r=abc"),
    ],
)
def test_a_first_message_that_breaks_the_rules_is_refused(mechanism: str, message: bytes) -> None:
    with pytest.raises(ScramError):
        ScramServer(FEW, NONCE, binding=BINDING).receive_first(mechanism, message)


def final(**changes: bytes) -> bytes:
    """A client-final that is right but for `changes`."""
    client = a_client()
    server = ScramServer(FEW, NONCE)
    message = client.receive_first(server.receive_first(SCRAM, client.first()))
    parts = dict(part.split(b"=", 1) for part in message.split(b","))
    return b",".join(name + b"=" + changes.get(name.decode(), value) for name, value in parts.items())


@pytest.mark.parametrize(
    "message",
    [
        final(c=b"eSws"),
        final(c=b"!"),
        final(r=b"clientnonce"),
        final(r=b"clientnonce" + NONCE.encode() + b"x"),
        final(p=b""),
        final(p=b"AAAA"),
        final(p=base64.b64encode(b"\0" * 32)),
        final() + b",x=1",
        final() + b",p=AAAA",
        final().replace(b"c=biws,", b""),
        final().replace(b",p=", b",m=1,p="),
        final().replace(b",p=", b";p="),
        final()[: final().index(b",p=")],
        b"",
        b"\xff",
    ],
)
def test_a_final_message_that_breaks_the_rules_is_refused(message: bytes) -> None:
    server = ScramServer(FEW, NONCE)
    server.receive_first(SCRAM, a_client().first())
    with pytest.raises(ScramError):
        server.receive_final(message)
    assert not server.done


def test_optional_extensions_are_part_of_what_is_signed_and_otherwise_ignored() -> None:
    server = ScramServer(FEW, NONCE)
    server.receive_first(SCRAM, b"n,,n=,r=clientnonce,x=of the future")
    with pytest.raises(ScramError) as caught:  # the proof was made without them
        server.receive_final(final())
    assert caught.value.sqlstate == "28P01"


@given(st.binary(max_size=100), st.binary(max_size=200))
def test_no_bytes_get_in_or_raise_anything_else(first: bytes, last: bytes) -> None:
    server = ScramServer(FEW, NONCE)
    with pytest.raises(ScramError):
        server.receive_first(SCRAM, first)
        server.receive_final(last)
    assert not server.done


def test_messages_out_of_turn_are_refused_and_a_failure_is_final() -> None:
    server = ScramServer(FEW, NONCE)
    with pytest.raises(ScramError):
        server.receive_final(final())
    with pytest.raises(ScramError):
        server.receive_first(SCRAM, a_client().first())


# --- what the client refuses


@pytest.mark.parametrize(
    "message",
    [
        b"r=clientnonce,s=AAAA,i=4096",  # the server adds nothing
        b"r=another,s=AAAA,i=4096",
        b"r=clientnonceX,s=AAAA,i=0",
        b"r=clientnonceX,s=AAAA,i=-1",
        b"r=clientnonceX,s=AAAA,i=1_0",
        b"r=clientnonceX,s=AAAA,i=99999999999999999999",
        b"r=clientnonceX,s=AAAA,i=1000001",
        b"r=clientnonceX,s=,i=1",
        b"r=clientnonceX,s=?,i=1",
        b"m=x,r=clientnonceX,s=AAAA,i=1",
        b"e=other-error",
        b"",
    ],
)
def test_a_server_cannot_make_the_client_do_what_is_out_of_reason(message: bytes) -> None:
    with pytest.raises(ScramError):
        a_client().receive_first(message)


@pytest.mark.parametrize(
    "message", [b"v=AAAA", b"v=", b"e=invalid-proof", b"v=" + base64.b64encode(b"\0" * 32), b"", b"x"]
)
def test_a_server_that_does_not_know_the_password_is_not_believed(message: bytes) -> None:
    client, server = a_client(), ScramServer(FEW, NONCE)
    server.receive_final(client.receive_first(server.receive_first(SCRAM, client.first())))
    with pytest.raises(ScramError):
        client.receive_final(message)
    assert not client.done


@given(st.binary(max_size=100))
def test_no_answer_of_a_server_raises_anything_else(message: bytes) -> None:
    with pytest.raises(ScramError):
        a_client().receive_first(message)


def test_binding_and_mechanism_go_together() -> None:
    with pytest.raises(ScramError):
        ScramClient("x", "n", SCRAM, flag="p", binding=b"b")
    with pytest.raises(ScramError):
        ScramClient("x", "n", SCRAM_PLUS, flag="n")


# --- verifiers


def test_a_verifier_is_written_as_postgresql_stores_it() -> None:
    assert str(PENCIL).startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    assert parse_verifier(str(PENCIL)) == PENCIL
    assert parse_verifier(f"  {PENCIL}\n") == PENCIL


@given(st.integers(1, 10**6), st.binary(min_size=1, max_size=32), st.binary(min_size=32, max_size=32))
def test_every_verifier_survives_writing_and_reading(iterations: int, salt: bytes, key: bytes) -> None:
    verifier = Verifier(iterations, salt, key, key[::-1])
    assert parse_verifier(str(verifier)) == verifier


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "md5aabbccddeeff00112233445566778899",
        str(PENCIL).replace("4096", "0"),
        str(PENCIL).replace("4096", "-1"),
        str(PENCIL).replace("4096", "4_096"),
        str(PENCIL).replace("SCRAM-SHA-256", "SCRAM-SHA-512"),
        str(PENCIL)[:-4],
        str(PENCIL).replace("W22ZaJ0SNY7soEsUEjb6gQ==", ""),
        str(PENCIL) + ":x",
    ],
)
def test_what_is_no_verifier_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_verifier(text)
    assert len(text) < 10 or text not in str(caught.value)


@given(st.text(max_size=50))
def test_any_text_is_a_verifier_or_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_verifier(text)


def test_a_verifier_does_not_print_its_keys() -> None:
    assert "stored_key" not in repr(PENCIL)


# --- SASLprep


@pytest.mark.parametrize(
    ("password", "prepared"),
    [
        ("plain", b"plain"),
        ("con\x07trol", b"con\x07trol"),  # ASCII is taken as it is
        ("I\u00adX", b"IX"),  # RFC 4013 §3: soft hyphen to nothing
        ("\u00aa", b"a"),  # NFKC
        ("\u2168", b"IX"),
        ("a\u00a0b", b"a b"),  # a space that is not ASCII
        ("\u0627\u0031", "\u06271".encode()),  # right-to-left with a digit at its end: refused, so used as it is
        ("\u00adx\u0007", "\u00adx\u0007".encode()),  # prohibited: as it is, soft hyphen and all
        ("\u00ad", "\u00ad".encode()),  # nothing would be left
        ("\u0221", "\u0221".encode()),  # unassigned in Unicode 3.2
        ("", b""),
    ],
)
def test_passwords_are_prepared_as_postgresql_does(password: str, prepared: bytes) -> None:
    assert prepare_password(password) == prepared


@given(st.text(max_size=30))
def test_any_password_can_be_prepared(password: str) -> None:
    assert isinstance(
        prepare_password(password.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")), bytes
    )
