"""Framing, capabilities and the first packets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.base import ProtocolError
from protocols.mysql.capabilities import Capability, agreed, offered, upstream
from protocols.mysql.handshake import (
    Greeting,
    HandshakeResponse,
    decode_greeting,
    decode_response,
    encode_greeting,
    encode_response,
    encode_ssl_request,
    is_ssl_request,
)
from protocols.mysql.messages import (
    Err,
    Ok,
    decode_err,
    decode_ok,
    encode_err,
    encode_ok,
    error_of,
    state_changes,
)
from protocols.mysql.packets import FULL_PAYLOAD, Cursor, encode_lenenc, encode_lenenc_int, frame, packet_count
from protocols.postgres.messages import error_fields

C = Capability
NONCE = bytes(range(1, 21))


def test_a_payload_is_split_at_16_mib_and_ends_with_a_shorter_packet() -> None:
    for size, counts in ((FULL_PAYLOAD - 1, [FULL_PAYLOAD - 1]), (FULL_PAYLOAD, [FULL_PAYLOAD, 0])):
        raw = frame(b"x" * size, 255)
        found = []
        at = 0
        while at < len(raw):
            length = int.from_bytes(raw[at : at + 3], "little")
            found.append((length, raw[at + 3]))
            at += 4 + length
        assert [length for length, _ in found] == counts
        assert [sequence for _, sequence in found] == [255, 0][: len(counts)]
        assert packet_count(size) == len(counts)


@given(st.integers(0, 2**64 - 1))
def test_lengths_come_back_as_they_were(value: int) -> None:
    assert Cursor(encode_lenenc_int(value)).read_lenenc_int() == value


@pytest.mark.parametrize("raw", [b"", b"\xfb", b"\xff", b"\xfc\x01", b"\xfe\1\2\3", b"\x05abc"])
def test_a_length_beyond_the_packet_is_a_protocol_error(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        Cursor(raw).read_lenenc()


@pytest.mark.parametrize("mariadb", [True, False])
def test_a_greeting_comes_back_as_it_was(mariadb: bool) -> None:
    version = "5.5.5-10.11.6-MariaDB" if mariadb else "8.4.0"
    greeting = Greeting(version, 7, NONCE, offered(tls=True, mariadb=mariadb), 45, 2, "caching_sha2_password")
    assert decode_greeting(encode_greeting(greeting)) == greeting
    assert greeting.mariadb is mariadb


def test_what_was_not_offered_is_not_agreed_on() -> None:
    everything = C((1 << 38) - 1)
    for mariadb in (True, False):
        found = agreed(offered(tls=False, mariadb=mariadb), everything)
        for flag in (
            C.COMPRESS,
            C.ZSTD,
            C.MFA,
            C.EXPIRED_PASSWORDS,
            C.SSL,
        ):
            assert not found & flag
        for flag in (C.QUERY_ATTRIBUTES, C.OPTIONAL_METADATA):
            assert bool(found & flag) is not mariadb
        assert (
            found & C.LOCAL_FILES
        )  # a file is asked for only where the statement names it: test_mysql_local_infile.py
        # a client that calls itself MySQL's has none of MariaDB's flags
        assert not found & (C.BULK | C.CACHE_METADATA | C.PROGRESS)
    of_mariadb = agreed(offered(tls=False, mariadb=True), everything & ~C.MYSQL)
    for flag in (C.BULK, C.CACHE_METADATA, C.PROGRESS):
        assert of_mariadb & flag


def test_a_client_of_before_4_1_is_turned_away() -> None:
    with pytest.raises(ProtocolError, match=r"4\.1"):
        agreed(offered(tls=False, mariadb=False), C.SECURE_CONNECTION)


def test_both_legs_speak_in_the_same_frames() -> None:
    server = offered(tls=True, mariadb=True) | C.LOCAL_FILES | C.COMPRESS | C.PROGRESS
    for asked in (C.PROTOCOL_41 | C.SECURE_CONNECTION, C.PROTOCOL_41 | C.SECURE_CONNECTION | C.DEPRECATE_EOF | C.BULK):
        client = agreed(offered(tls=True, mariadb=True), asked)
        found = upstream(client, server)
        for flag in (C.DEPRECATE_EOF, C.MULTI_RESULTS, C.BULK, C.MULTI_STATEMENTS, C.FOUND_ROWS, C.IGNORE_SPACE):
            assert bool(found & flag) is bool(client & flag)
        assert found & C.SESSION_TRACK
        assert not found & (C.LOCAL_FILES | C.COMPRESS | C.PROGRESS)


def test_what_is_translated_is_asked_for_only_where_the_server_has_it() -> None:
    asked = C.PROTOCOL_41 | C.SECURE_CONNECTION | C.QUERY_ATTRIBUTES | C.OPTIONAL_METADATA
    client = agreed(offered(tls=True, mariadb=False), asked)
    for flag in (C.QUERY_ATTRIBUTES, C.OPTIONAL_METADATA):
        assert upstream(client, offered(tls=True, mariadb=False)) & flag
        assert not upstream(client, offered(tls=True, mariadb=True)) & flag
    client = agreed(offered(tls=True, mariadb=True), C.PROTOCOL_41 | C.SECURE_CONNECTION | C.CACHE_METADATA)
    assert client & C.CACHE_METADATA
    assert not upstream(client, offered(tls=True, mariadb=True)) & C.CACHE_METADATA  # descriptions always come


def test_a_server_that_lacks_what_the_client_was_promised_is_not_used() -> None:
    client = agreed(offered(tls=True, mariadb=True), C.PROTOCOL_41 | C.SECURE_CONNECTION | C.DEPRECATE_EOF)
    with pytest.raises(ProtocolError, match="DEPRECATE_EOF"):
        upstream(client, C.PROTOCOL_41 | C.SECURE_CONNECTION)


FLAGS = C.PROTOCOL_41 | C.SECURE_CONNECTION | C.CONNECT_WITH_DB | C.PLUGIN_AUTH | C.CONNECT_ATTRS
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)


@given(TEXT, st.binary(max_size=40), TEXT.filter(bool), st.dictionaries(TEXT, TEXT, max_size=3), st.booleans())
def test_a_response_comes_back_as_it_was(
    user: str, proof: bytes, database: str, attributes: dict[str, str], lenenc: bool
) -> None:
    flags = FLAGS | (C.PLUGIN_AUTH_LENENC if lenenc else C(0))
    response = HandshakeResponse(flags, 1 << 24, 45, user.encode(), proof, database.encode(), "x_plugin", attributes)
    assert decode_response(encode_response(response), offered(tls=True, mariadb=True)) == response


def test_an_ssl_request_is_known_by_its_length_and_flag() -> None:
    assert is_ssl_request(encode_ssl_request(FLAGS, 0, 45))
    assert not is_ssl_request(encode_ssl_request(FLAGS, 0, 45) + b"ann\0")


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_hostile_bytes_end_in_protocol_errors_alone(data: bytes) -> None:
    for decode in (
        decode_greeting,
        lambda raw: decode_response(raw, offered(tls=True, mariadb=True)),
        lambda raw: decode_ok(raw, tracks=True),
        decode_err,
        lambda raw: list(state_changes(raw)),
    ):
        try:
            decode(data)
        except ProtocolError:
            pass


def test_an_ok_packet_loses_the_sessions_changes_for_a_client_that_did_not_ask() -> None:
    state = b"\x01" + encode_lenenc(encode_lenenc(b"shop"))
    ok = Ok(3, 9, 0x4002, 1, b"Rows matched: 3", state)
    raw = encode_ok(ok, tracks=True)
    assert decode_ok(raw, tracks=True) == ok
    plain = encode_ok(ok)
    assert decode_ok(plain, tracks=False) == Ok(3, 9, 2, 1, b"Rows matched: 3", None)
    assert list(state_changes(state)) == [("schema", b"shop")]


def test_an_err_packet_comes_back_as_it_was() -> None:
    err = Err(1146, b"42S02", b"Table 'x' doesn't exist")
    assert decode_err(encode_err(err)) == err
    assert decode_err(b"\xff\x10\x04Too many connections") == Err(1040, b"HY000", b"Too many connections")


def test_a_refusal_says_what_why_and_what_next_within_what_clients_keep() -> None:
    err = error_of(error_fields("42501", "wireproxy: no", detail="It deletes.", hint="Ask."))
    assert (err.errno, err.sqlstate) == (1142, b"42000")
    assert err.message == b"wireproxy: no. It deletes. Ask."
    refused = error_of(
        error_fields("42501", 'wireproxy: refused by rule "writes"', detail="it changes rows", hint="Ask.")
    )
    assert refused.message == b'wireproxy: refused by rule "writes": it changes rows. Ask.'
    long = error_of(error_fields("42501", "wireproxy: no", detail="ä" * 600, hint="wireproxy approve wp-1"))
    assert len(long.message) <= 511
    assert long.message.endswith("… wireproxy approve wp-1".encode())
