"""Authentication messages on both legs: what a server may ask for, in which order, and what it never gets."""

from __future__ import annotations

import contextlib
import hashlib
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.base import ProtocolError
from protocols.postgres.authentication import (
    Channel,
    ClientAuthentication,
    Method,
    SaslServer,
    ServerRefused,
    decode_initial_response,
    decode_mechanisms,
    decode_password,
    encode_authentication,
    encode_initial_response,
    encode_mechanisms,
    encode_password,
)
from protocols.postgres.scram import SCRAM, SCRAM_PLUS, ScramError, ScramServer, make_verifier

PASSWORD = "hunter2"
VERIFIER = make_verifier(PASSWORD, b"salt", 1)
CLEAR = Channel(tls=False)
TLS = Channel(tls=True, binding=b"bound")


def a_client(channel: Channel = CLEAR, password: Callable[[], str | None] = lambda: PASSWORD) -> ClientAuthentication:
    return ClientAuthentication("role", password, "clientnonce", channel)


def ask(method: int, data: bytes = b"") -> bytes:
    return struct.pack("!I", method) + data


def offer(*mechanisms: str) -> bytes:
    return encode_mechanisms(mechanisms)[5:]


def sasl_through(client: ClientAuthentication, server: SaslServer) -> None:
    message = client.receive(server.begin()[5:])
    while message is not None:
        message = client.receive(server.receive(message[5:])[5:])


# --- messages


@given(st.binary(max_size=50).filter(lambda value: b"\0" not in value))
def test_a_password_survives_its_message(password: bytes) -> None:
    assert decode_password(encode_password(password)[5:]) == password


@pytest.mark.parametrize("body", [b"", b"secret", b"secret\0x", b"a\0b\0"])
def test_a_password_message_is_one_string_and_no_more(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_password(body)


def test_a_password_with_a_zero_byte_is_not_cut_silently() -> None:
    with pytest.raises(ProtocolError):
        encode_password(b"a\0b")


@given(st.binary(max_size=60))
def test_an_initial_response_survives_and_no_bytes_raise_anything_else(data: bytes) -> None:
    assert decode_initial_response(encode_initial_response(SCRAM, data)[5:]) == (SCRAM, data)
    with contextlib.suppress(ProtocolError):
        decode_initial_response(data)
    with contextlib.suppress(ProtocolError):
        decode_mechanisms(data)


@pytest.mark.parametrize("length", [-1, 2, 4])
def test_an_initial_response_with_another_length_than_its_message_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError):
        decode_initial_response(SCRAM.encode() + b"\0" + struct.pack("!i", length) + b"abc")


# --- the gateway as a server


@pytest.mark.parametrize(("binding", "mechanisms"), [(None, [SCRAM]), (b"bound", [SCRAM_PLUS, SCRAM])])
def test_channel_binding_is_offered_where_there_is_something_to_bind(
    binding: bytes | None, mechanisms: list[str]
) -> None:
    server = SaslServer(ScramServer(VERIFIER, "servernonce", binding=binding))
    assert decode_mechanisms(server.begin()[9:]) == mechanisms


@given(st.lists(st.binary(max_size=80), max_size=3))
def test_no_messages_of_a_client_get_it_in(messages: list[bytes]) -> None:
    server = SaslServer(ScramServer(VERIFIER, "servernonce"))
    with contextlib.suppress(ScramError, ProtocolError):
        for message in messages:
            server.receive(message)
    assert not server.done


# --- the gateway as a client


@pytest.mark.parametrize(("channel", "binding"), [(CLEAR, None), (TLS, b"bound"), (TLS, None)])
def test_scram_ends_with_both_sides_proved(channel: Channel, binding: bytes | None) -> None:
    client, server = a_client(channel), SaslServer(ScramServer(VERIFIER, "servernonce", binding=binding))
    sasl_through(client, server)
    assert server.done
    assert not client.done
    assert client.receive(ask(Method.OK)) is None
    assert client.done


def test_binding_is_used_wherever_the_server_offers_it() -> None:
    answer = a_client(TLS).receive(offer(SCRAM, SCRAM_PLUS)) or b""
    assert answer[5:].startswith(SCRAM_PLUS.encode() + b"\0")
    assert b"p=tls-server-end-point,," in answer


@pytest.mark.parametrize(("channel", "flag"), [(TLS, b"y,,"), (CLEAR, b"n,,"), (Channel(tls=True), b"n,,")])
def test_without_an_offer_the_client_tells_whether_it_could_have_bound(channel: Channel, flag: bytes) -> None:
    answer = a_client(channel).receive(offer(SCRAM)) or b""
    assert flag in answer


def test_somebody_who_takes_the_binding_out_of_the_offer_is_seen_by_the_server() -> None:
    client, server = a_client(TLS), SaslServer(ScramServer(VERIFIER, "servernonce", binding=b"bound"))
    answer = client.receive(offer(SCRAM)) or b""
    with pytest.raises(ScramError, match="thinks the server does not"):
        server.receive(answer[5:])


def test_a_man_in_the_middle_with_a_certificate_of_his_own_gets_nowhere() -> None:
    client, server = a_client(TLS), SaslServer(ScramServer(VERIFIER, "servernonce", binding=b"another"))
    with pytest.raises(ScramError, match="channel binding"):
        sasl_through(client, server)


@pytest.mark.parametrize("steps", [1, 2])
def test_a_server_that_breaks_scram_off_with_ok_is_not_believed(steps: int) -> None:
    client, server = a_client(), SaslServer(ScramServer(VERIFIER, "servernonce"))
    message = client.receive(server.begin()[5:])
    for _ in range(steps - 1):
        assert message is not None
        message = client.receive(server.receive(message[5:])[5:])
    with pytest.raises(ServerRefused, match="before it had proved"):
        client.receive(ask(Method.OK))
    assert not client.done


def test_a_server_that_trusts_needs_no_password_and_none_is_read() -> None:
    client = a_client(password=lambda: pytest.fail("the password was read"))
    assert client.receive(ask(Method.OK)) is None
    assert client.done


@pytest.mark.parametrize("channel", [TLS, Channel(tls=False, private=True)])
def test_a_password_goes_in_clear_where_nobody_else_can_read_it(channel: Channel) -> None:
    assert a_client(channel).receive(ask(Method.CLEARTEXT)) == encode_password(b"hunter2")


def test_a_password_never_goes_in_clear_over_a_network() -> None:
    with pytest.raises(ServerRefused, match="not encrypted") as caught:
        a_client(CLEAR).receive(ask(Method.CLEARTEXT))
    assert PASSWORD not in str(caught.value)


def test_md5_is_answered_with_the_double_hash() -> None:
    inner = hashlib.md5(b"hunter2role").hexdigest().encode()
    expected = b"md5" + hashlib.md5(inner + b"abcd").hexdigest().encode()
    assert a_client().receive(ask(Method.MD5, b"abcd")) == encode_password(expected)


@pytest.mark.parametrize("password", [None, ""])
@pytest.mark.parametrize("request_body", [ask(Method.CLEARTEXT), ask(Method.MD5, b"abcd"), offer(SCRAM)])
def test_without_a_password_the_error_says_that_none_is_configured(password: str | None, request_body: bytes) -> None:
    with pytest.raises(ServerRefused, match="none is configured"):
        a_client(TLS, lambda: password).receive(request_body)


@pytest.mark.parametrize(
    "second", [ask(Method.CLEARTEXT), ask(Method.MD5, b"abcd"), offer(SCRAM)], ids=["cleartext", "md5", "sasl"]
)
@pytest.mark.parametrize(
    "first", [ask(Method.CLEARTEXT), ask(Method.MD5, b"abcd"), offer(SCRAM)], ids=["cleartext", "md5", "sasl"]
)
def test_a_server_cannot_ask_for_the_password_in_a_second_way(first: bytes, second: bytes) -> None:
    client = a_client(TLS)
    client.receive(first)
    with pytest.raises(ProtocolError, match="second kind"):
        client.receive(second)


@pytest.mark.parametrize(
    "method", [Method.KERBEROS_V5, Method.GSS, Method.SSPI, Method.GSS_CONTINUE, Method.SASL_CONTINUE, 6, 99]
)
def test_methods_that_are_not_supported_are_named(method: int) -> None:
    with pytest.raises(ServerRefused, match=f"method {int(method)}"):
        a_client().receive(ask(method))


@pytest.mark.parametrize("mechanisms", [(), ("OAUTHBEARER",), (SCRAM_PLUS,), ("scram-sha-256",)])
def test_a_server_without_a_mechanism_that_can_be_used_is_refused(mechanisms: tuple[str, ...]) -> None:
    with pytest.raises(ServerRefused, match="no SASL mechanism"):
        a_client(CLEAR).receive(offer(*mechanisms))


def test_nothing_may_follow_ok() -> None:
    client = a_client()
    client.receive(ask(Method.OK))
    with pytest.raises(ProtocolError):
        client.receive(ask(Method.OK))


@given(
    st.lists(st.one_of(st.binary(max_size=60), st.builds(ask, st.integers(0, 13), st.binary(max_size=40))), max_size=5)
)
def test_no_server_gets_the_password_or_raises_anything_else(bodies: list[bytes]) -> None:
    client = a_client(CLEAR)
    answers = []
    with contextlib.suppress(ServerRefused, ProtocolError):
        for body in bodies:
            answers.append(client.receive(body) or b"")
    assert not any(PASSWORD.encode() in answer for answer in answers)


def test_authentication_messages_are_framed() -> None:
    assert encode_authentication(Method.OK) == b"R\x00\x00\x00\x08\x00\x00\x00\x00"
