"""The first packets: what each of them means, and that no bytes do anything but decode or end in a ProtocolError."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.base import ProtocolError
from protocols.postgres.startup import (
    GSSENC_REQUEST,
    SSL_REQUEST,
    STARTUP_BYTES,
    BackendKey,
    CancelRequest,
    GssEncRequest,
    SslRequest,
    StartupMessage,
    decode_backend_key,
    decode_first_packet,
    decode_length,
    decode_negotiation,
    encode_backend_key,
    encode_cancel,
    encode_first_packet,
    encode_negotiation,
    encode_startup,
    secret_bytes,
)

SQLSTATE_UNSUPPORTED = "0A000"
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
names = texts.filter(bool)


def decoded(packet: bytes, **options: bool) -> object:
    assert decode_length(packet[:4]) == len(packet) - 4
    return decode_first_packet(packet[4:], **options)


def raw_startup(*parts: bytes, version: int = 0x30000) -> bytes:
    return struct.pack("!I", version) + b"".join(part + b"\0" for part in parts) + b"\0"


@pytest.mark.parametrize(
    ("packet", "meaning"),
    [
        (SSL_REQUEST, SslRequest()),
        (GSSENC_REQUEST, GssEncRequest()),
        (encode_cancel(77, b"abcd"), CancelRequest(77, b"abcd")),
        (encode_cancel(77, b"x" * 256), CancelRequest(77, b"x" * 256)),
        (encode_startup(2, {"user": "ann"}), StartupMessage(2, {"user": "ann"}, {})),
        (encode_startup(0, {"user": "ann", "_pq_.x": "1"}), StartupMessage(0, {"user": "ann"}, {"_pq_.x": "1"})),
    ],
)
def test_each_first_packet_means_what_the_manual_says(packet: bytes, meaning: object) -> None:
    assert decoded(packet) == meaning


@given(st.dictionaries(names, texts, max_size=5), st.integers(0, 0xFFFF))
def test_a_startup_message_survives_encoding_and_decoding(parameters: dict[str, str], minor: int) -> None:
    packet = encode_startup(minor, parameters)
    if len(packet) <= STARTUP_BYTES:
        message = decoded(packet)
        assert isinstance(message, StartupMessage)
        assert {**message.parameters, **message.protocol_options} == parameters
        assert decoded(encode_first_packet(message)) == message


@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_no_bytes_do_anything_but_decode_or_break_the_protocol(body: bytes, ssl: bool, gssenc: bool) -> None:
    try:
        packet = decode_first_packet(body, ssl=ssl, gssenc=gssenc)
    except ProtocolError:
        return
    assert isinstance(packet, SslRequest | GssEncRequest | CancelRequest | StartupMessage)


@given(st.sampled_from([0x30000, 0x30002, 80877102, 80877103, 80877104]), st.binary(max_size=300))
def test_hostile_bodies_behind_a_good_code_are_handled_too(code: int, rest: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decode_first_packet(struct.pack("!I", code) + rest)


@pytest.mark.parametrize("length", [0, 4, 7, STARTUP_BYTES + 1, 0x47455420, 0xFFFFFFFF])
def test_a_length_that_cannot_be_is_refused_before_anything_is_read(length: int) -> None:
    with pytest.raises(ProtocolError, match="invalid length of startup packet"):
        decode_length(struct.pack("!I", length))


def test_an_encryption_request_out_of_turn_is_an_unknown_version() -> None:
    for packet, options in ((SSL_REQUEST, {"ssl": False}), (GSSENC_REQUEST, {"gssenc": False})):
        with pytest.raises(ProtocolError, match="unsupported frontend protocol 1234") as caught:
            decoded(packet, **options)
        assert caught.value.sqlstate == SQLSTATE_UNSUPPORTED


@pytest.mark.parametrize("version", [0x20000, 0x40000, 0x00000002, 0xFFFFFFFF])
def test_another_major_version_is_refused_with_what_is_supported(version: int) -> None:
    with pytest.raises(ProtocolError, match=r"server supports 3\.0 to 3\.2"):
        decode_first_packet(raw_startup(b"user", b"ann", version=version))


def test_an_encryption_request_with_something_behind_it_is_refused() -> None:
    with pytest.raises(ProtocolError):
        decode_first_packet(SSL_REQUEST[4:] + b"x")


@pytest.mark.parametrize("secret", [b"", b"x" * 257])
def test_a_cancel_request_without_a_secret_or_with_one_too_long_is_refused(secret: bytes) -> None:
    with pytest.raises(ProtocolError, match="cancel request"):
        decode_first_packet(encode_cancel(1, secret)[4:])


@pytest.mark.parametrize(
    "body",
    [
        raw_startup(b"user", b"ann") + b"x",  # something behind the end
        raw_startup(b"user", b"ann")[:-1],  # no end
        raw_startup(b"user"),  # a name without its value
        struct.pack("!I", 0x30000),
        b"",
    ],
)
def test_a_malformed_startup_message_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_first_packet(body)


def test_of_a_parameter_given_twice_the_last_wins_at_its_own_place() -> None:
    message = decode_first_packet(raw_startup(b"a", b"1", b"user", b"ann", b"a", b"2"))
    assert isinstance(message, StartupMessage)
    assert list(message.parameters.items()) == [("user", "ann"), ("a", "2")]


def test_text_that_is_not_utf_8_is_refused_except_in_an_application_name() -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_first_packet(raw_startup(b"user", b"\xff"))
    assert caught.value.sqlstate == "22021"
    message = decode_first_packet(raw_startup(b"application_name", b"caf\xe9"))
    assert isinstance(message, StartupMessage)
    assert message.parameters["application_name"] == "caf\\xe9"


@pytest.mark.parametrize("parameters", [{"": "x"}, {"a\0b": "x"}, {"a": "x\0role\0postgres"}])
def test_a_zero_byte_cannot_smuggle_a_parameter_to_the_server(parameters: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        encode_startup(0, parameters)


@pytest.mark.parametrize(
    ("minor", "options", "needed", "spoken"),
    [(0, {}, False, 0), (2, {}, False, 2), (3, {}, True, 2), (9999, {}, True, 2), (0, {"_pq_.new": "on"}, True, 0)],
)
def test_a_newer_minor_version_or_an_unknown_option_is_negotiated(
    minor: int, options: dict[str, str], needed: bool, spoken: int
) -> None:
    message = decoded(encode_startup(minor, {"user": "ann", **options}))
    assert isinstance(message, StartupMessage)
    assert (message.needs_negotiation, message.negotiated_minor) == (needed, spoken)


def test_negotiation_names_the_version_and_the_options_that_are_not_understood() -> None:
    assert encode_negotiation(2, ["_pq_.new"]) == b"v" + struct.pack("!III", 21, 0x30002, 1) + b"_pq_.new\0"


@pytest.mark.parametrize("version", [0, 0x30000])
def test_a_server_may_write_the_whole_version_or_the_minor_alone(version: int) -> None:
    assert decode_negotiation(struct.pack("!II", version, 0), asked_minor=2) == 0


@pytest.mark.parametrize(
    "body", [b"", struct.pack("!II", 0x30003, 0), struct.pack("!II", 0x40000, 0), struct.pack("!II", 0x30000, 1)]
)
def test_a_server_cannot_negotiate_what_was_not_asked_for(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_negotiation(body, asked_minor=2)


@given(st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=256))
def test_a_backend_key_survives_encoding_and_decoding(process_id: int, secret: bytes) -> None:
    assert decode_backend_key(encode_backend_key(process_id, secret)[5:]) == BackendKey(process_id, secret)


@pytest.mark.parametrize("body", [b"", b"1234", b"1234" + b"x" * 257])
def test_a_backend_key_without_a_secret_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_backend_key(body)


def test_secrets_are_as_long_as_the_protocol_has_them_and_do_not_print() -> None:
    assert [secret_bytes(minor) for minor in (0, 1, 2)] == [4, 4, 32]
    assert "hunter2" not in repr(CancelRequest(1, b"hunter2")) + repr(BackendKey(1, b"hunter2"))
