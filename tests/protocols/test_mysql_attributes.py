"""Query attributes over the relay: read, asked about, and sent on in the one form in which they were read."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.base import Exchange, Forward, NamedValue, ProtocolError, Refuse, Stage
from protocols.mysql.attributes import Attribute, decode_query, encode_query, with_names, without_names
from protocols.mysql.capabilities import Capability as C
from protocols.mysql.packets import frame
from protocols.mysql.prepared import Prepared
from protocols.mysql.shared import Limits
from protocols.mysql.values import DATES, PARAMETERS, STRINGS, TIME, UNSIGNED_TYPE, WIDTHS
from tests.protocols import mysql_playbook as p

NAMED = p.NEW | C.QUERY_ATTRIBUTES
TRACE = ("traceparent", p.VAR_STRING, p.text("00-ab-01"))
ROWS = ("rows", p.LONGLONG, struct.pack("<q", -5))
SHOWN = (NamedValue(b"traceparent", b"00-ab-01", p.VAR_STRING), NamedValue(b"rows", b"-5", p.LONGLONG))


def test_a_query_is_asked_about_with_its_attributes_and_goes_on_byte_for_byte() -> None:
    session = p.Session(NAMED)
    raw = p.query_with("DELETE FROM t", TRACE, ROWS, ("none", p.NULL, None))
    session.client(raw)
    assert session.question.text == b"DELETE FROM t"
    assert session.question.attributes == (*SHOWN, NamedValue(b"none", None, p.NULL))
    assert session.to_server() == b""
    session.answer(Forward())
    assert session.to_server() == raw


def test_a_query_without_attributes_goes_on_byte_for_byte() -> None:
    session = p.Session(NAMED)
    session.client(p.query_with("SELECT 1"))
    assert (session.question.text, session.question.attributes) == (b"SELECT 1", ())
    session.answer(Forward())
    assert session.to_server() == p.query_with("SELECT 1")


def test_a_server_that_knows_no_attributes_is_sent_the_statement_alone() -> None:
    session = p.Session(NAMED, server=p.NEW)
    session.client(p.query_with("SELECT 1", TRACE))
    assert session.question.attributes == SHOWN[:1]
    session.answer(Forward())
    assert session.to_server() == p.query("SELECT 1")
    session.server(p.packets(p.ok()))
    session.client(p.query_with("SELECT 2"))
    session.answer(Forward())
    assert session.to_server() == p.query("SELECT 2")


def test_where_attributes_were_not_agreed_on_a_query_is_its_text() -> None:
    session = p.Session(p.NEW)
    session.client(p.query_with("SELECT 1"))
    assert session.question.text == b"\0\1SELECT 1"


def test_a_question_of_the_gateways_own_has_the_form_that_was_agreed_on() -> None:
    session = p.Session(NAMED)
    session.relay.ask(b"SELECT 1")
    session.advance()
    assert session.to_server() == p.query_with("SELECT 1")


def test_a_text_that_is_sent_in_another_form_keeps_its_attributes() -> None:
    session = p.Session(NAMED)
    session.client(p.query_with("SELECT 'wp_x'", TRACE))
    session.answer(Forward(exchange=Exchange(b"SELECT 'Ada'")))
    assert session.to_server() == p.query_with("SELECT 'Ada'", TRACE)


def test_a_refused_query_with_attributes_leaves_nothing_behind() -> None:
    session = p.Session(NAMED)
    session.client(p.query_with("DROP TABLE t", TRACE))
    session.answer(Refuse(p.REFUSAL))
    assert (session.to_client(), session.to_server()) == (p.packets(p.refusal_packet()), b"")


@pytest.mark.parametrize("kind", [9, 13, 16, 247, 248, 255, 17, 0x4000 | 253])
def test_a_value_that_servers_read_in_another_way_cannot_move_the_beginning_of_the_text(kind: int) -> None:
    """MySQL takes an INT24 for a string with its length in front: read as four bytes, another text would run than was judged."""
    session = p.Session(NAMED)
    with pytest.raises(ProtocolError):
        session.client(p.query_with("SELECT 1", ("n", kind, b"\3\0\0\0")))
    assert session.to_server() == b""


@pytest.mark.parametrize(
    "body",
    [
        b"\1\2" + p.attributes(TRACE) + b"SELECT 1",  # two sets
        b"\1\0" + p.attributes(TRACE) + b"SELECT 1",
        b"\0\0SELECT 1",
        b"\1\1\0\0" + p.number(p.VAR_STRING, 2) + p.text("n") + p.text("v") + b"SELECT 1",  # without types
        b"\1\1\0\1" + p.number(p.VAR_STRING, 2) + p.text("n") + b"\x7fSELECT 1",  # a value beyond the packet
        b"\xfe" + b"\xff" * 8 + b"\1SELECT 1",
        b"\xfd\xff\xff\xff\1SELECT 1",
        b"\1\1\0\1" + p.number(p.NULL, 2) + p.text("n") + b"SELECT 1",  # NULL, and not said to be
        b"\1\1\0\1" + p.number(p.DATETIME, 2) + p.text("n") + b"\3abcSELECT 1",
        b"\xfb\1SELECT 1",
        b"",
    ],
)
def test_a_query_with_broken_attributes_ends_the_session(body: bytes) -> None:
    session = p.Session(NAMED)
    with pytest.raises(ProtocolError):
        session.client(p.command(3, body))
    assert session.to_server() == b""


def test_too_many_attributes_end_the_session() -> None:
    session = p.Session(NAMED)
    with pytest.raises(ProtocolError, match="1024"):
        session.client(p.query_with("SELECT 1", *([("n", p.TINY, b"\1")] * 1025)))


def test_lengths_in_a_longer_form_than_they_need_go_on_in_the_shortest() -> None:
    """So that no server can read them otherwise than they were read here."""
    session = p.Session(NAMED)
    body = b"\xfc\1\0\xfc\1\0\0\1" + p.number(p.VAR_STRING, 2) + b"\xfd\1\0\0n" + b"\xfe\1" + bytes(7) + b"v"
    session.client(p.command(3, body + b"SELECT 1"))
    assert session.question.attributes == (NamedValue(b"n", b"v", p.VAR_STRING),)
    session.answer(Forward())
    assert session.to_server() == p.query_with("SELECT 1", ("n", p.VAR_STRING, p.text("v")))


def test_a_query_over_its_limit_is_asked_about_with_the_beginning_of_its_text() -> None:
    session = p.Session(NAMED, Limits(statement_bytes=60))
    session.client(p.query_with("SELECT " + "x" * 100, TRACE))
    text = session.question.text
    assert text is not None
    assert session.question.truncated
    assert text.startswith(b"SELECT xxx")


# -- executions


def prepared(session: p.Session, parameters: int) -> None:
    session.client(p.prepare("UPDATE t SET a = ?" if parameters else "UPDATE t SET a = 1"))
    session.answer(Forward())
    session.server(p.prepared(7, session.flags, 0, parameters))
    session.to_server()
    session.to_client()


VALUE = ("", p.VAR_STRING, p.text("x"))


@pytest.mark.parametrize("flags", [8, 0])
def test_an_execution_is_asked_about_with_its_attributes_and_goes_on_byte_for_byte(flags: int) -> None:
    session = p.Session(NAMED)
    prepared(session, 1)
    raw = p.execute_with(7, VALUE, TRACE, ROWS, flags=flags)
    session.client(raw)
    asked = session.question
    assert (asked.stage, asked.parameters, asked.attributes) == (Stage.BIND, (b"x",), SHOWN)
    session.answer(Forward())
    assert session.to_server() == raw


def test_an_execution_without_parameters_may_have_attributes() -> None:
    session = p.Session(NAMED)
    prepared(session, 0)
    raw = p.execute_with(7, TRACE)
    session.client(raw)
    assert (session.question.parameters, session.question.attributes) == ((), SHOWN[:1])
    session.answer(Forward())
    assert session.to_server() == raw


def test_what_an_execution_does_not_count_does_not_go_on() -> None:
    """Without parameters and without the flag, a server does not look behind the head."""
    session = p.Session(NAMED)
    prepared(session, 0)
    session.client(p.execute_with(7, TRACE, flags=0))
    assert session.question.attributes == ()
    session.answer(Forward())
    assert session.to_server() == p.execute(7)


def test_a_parameter_with_a_name_is_shown_as_what_the_server_can_read_by_it() -> None:
    session = p.Session(NAMED)
    prepared(session, 1)
    raw = p.execute_with(7, ("who", p.VAR_STRING, p.text("x")))
    session.client(raw)
    assert session.question.parameters == (b"x",)
    assert session.question.attributes == (NamedValue(b"who", b"x", p.VAR_STRING),)
    session.answer(Forward())
    assert session.to_server() == raw


def test_a_server_that_knows_no_attributes_is_sent_the_execution_alone() -> None:
    session = p.Session(NAMED, server=p.NEW)
    prepared(session, 1)
    session.client(p.execute_with(7, VALUE, TRACE))
    session.answer(Forward())
    assert session.to_server() == p.execute(7, p.text("x"))
    session.server(p.packets(p.ok()))
    session.client(p.execute_with(7, ("n", p.VAR_STRING, None)))
    session.answer(Forward())
    assert session.to_server() == p.execute(7, None, types=[p.VAR_STRING])


def test_types_of_a_refused_execution_go_out_with_the_next_one_in_the_form_that_was_agreed_on() -> None:
    session = p.Session(NAMED)
    prepared(session, 1)
    session.client(p.execute_with(7, VALUE))
    session.answer(Refuse(p.REFUSAL))
    session.client(p.command(0x17, p.number(7) + b"\x08" + p.number(1) + b"\1\0\0" + p.text("y")))
    assert session.question.parameters == (b"y",)
    session.answer(Forward())
    assert session.to_server() == p.execute_with(7, ("", p.VAR_STRING, p.text("y")))


def test_an_execution_that_leaves_its_types_out_goes_on_as_it_came_once_the_server_has_them() -> None:
    session = p.Session(NAMED)
    prepared(session, 1)
    session.client(p.execute_with(7, VALUE))
    session.answer(Forward())
    session.to_server()
    session.server(p.packets(p.ok()))
    raw = p.command(0x17, p.number(7) + b"\x08" + p.number(1) + b"\1\0\0" + p.text("y"))
    session.client(raw)
    session.answer(Forward())
    assert session.to_server() == raw


def test_a_value_that_is_sent_in_another_form_keeps_the_attributes_beside_it() -> None:
    session = p.Session(NAMED)
    prepared(session, 1)
    session.client(p.execute_with(7, ("", p.VAR_STRING, p.text("wp_x")), TRACE))
    session.answer(Forward(exchange=Exchange(parameters=(b"Ada",))))
    assert session.to_server() == p.execute_with(7, ("", p.VAR_STRING, p.text("Ada")), TRACE)


def test_long_data_has_no_value_beside_the_attributes() -> None:
    session = p.Session(NAMED)
    prepared(session, 1)
    session.client(p.long_data(7, 0, b"long"))
    raw = p.execute_with(7, ("", p.BLOB, b""), TRACE)
    session.client(raw)
    assert (session.question.parameters, session.question.attributes) == ((b"long",), SHOWN[:1])
    session.answer(Forward())
    assert session.to_server() == p.long_data(7, 0, b"long") + raw


@pytest.mark.parametrize(
    "body",
    [
        b"\0",  # fewer values than parameters
        b"\2\0\0" + p.text("x") + p.text("v"),  # attributes without types
        b"\1\0\1" + p.number(9, 2) + b"\0\1\0\0\0",
        b"\xfd\xff\xff\xff",
        b"",
    ],
)
def test_a_broken_execution_ends_the_session(body: bytes) -> None:
    session = p.Session(NAMED)
    prepared(session, 1)
    with pytest.raises(ProtocolError):
        session.client(p.command(0x17, p.number(7) + b"\x08" + p.number(1) + body))
    assert session.to_server() == b""


def test_an_execution_over_its_limit_streams_with_its_attributes_where_the_server_reads_them() -> None:
    session = p.Session(NAMED, Limits(bind_bytes=64))
    prepared(session, 1)
    raw = p.execute_with(7, ("", p.VAR_STRING, p.text("x" * 200)), TRACE)
    session.client(raw)
    assert session.question.truncated
    session.answer(Forward())
    assert session.to_server() == raw
    session.server(p.packets(p.ok()))
    # and its types are known from now on
    again = p.command(0x17, p.number(7) + b"\x08" + p.number(1) + b"\1\0\0" + p.text("y"))
    session.client(again)
    session.answer(Forward())
    assert session.to_server() == again


def test_an_execution_over_its_limit_ends_the_session_where_the_server_reads_no_attributes() -> None:
    session = p.Session(NAMED, Limits(bind_bytes=64), server=p.NEW)
    prepared(session, 1)
    with pytest.raises(ProtocolError, match="query attributes"):
        session.client(p.execute_with(7, ("", p.VAR_STRING, p.text("x" * 200)), TRACE))


# -- for any values


def value_of(kind: int) -> st.SearchStrategy[bytes | None]:
    if kind == p.NULL:
        return st.none()
    if kind in WIDTHS:
        return st.none() | st.binary(min_size=WIDTHS[kind], max_size=WIDTHS[kind])
    if kind in DATES:
        return st.none() | st.sampled_from([0, 4, 7, 11]).flatmap(lambda size: st.binary(min_size=size, max_size=size))
    if kind == TIME:
        return st.none() | st.sampled_from([0, 8, 12]).flatmap(lambda size: st.binary(min_size=size, max_size=size))
    assert kind in STRINGS
    return st.none() | st.binary(max_size=300)


ATTRIBUTES = st.lists(
    st.sampled_from(sorted(PARAMETERS)).flatmap(
        lambda kind: st.builds(
            Attribute,
            st.binary(max_size=20),
            st.sampled_from([kind, kind | UNSIGNED_TYPE] if kind != p.NULL else [kind]),
            value_of(kind),
        )
    ),
    max_size=20,
)


@given(ATTRIBUTES, st.binary(max_size=40))
def test_attributes_come_back_as_they_were_and_the_text_behind_them(attributes: list[Attribute], text: bytes) -> None:
    payload = encode_query(attributes) + text
    found, begin = decode_query(payload)
    assert found == tuple(attributes)
    assert payload[begin:] == text


@given(ATTRIBUTES, ATTRIBUTES, st.booleans())
def test_an_execution_comes_back_as_it_was(values: list[Attribute], attributes: list[Attribute], counted: bool) -> None:
    statement = Prepared(7, b"", len(values), 0, None)
    counted = counted or (not values and bool(attributes))
    raw = p.execute_with(
        7,
        *((each.name.decode("latin-1"), each.declared, encoded(each)) for each in [*values, *attributes]),
        flags=8 if counted else 0,
    )
    payload = raw[4:]
    if not values and not counted:
        payload = payload[:10]
    plain, named = without_names(payload, statement)
    assert named.attributes == tuple(each._replace(name=each.name.decode("latin-1").encode()) for each in attributes)
    assert with_names(plain, named, len(values)) == payload
    if values:
        kinds = [each.declared for each in values]
        assert frame(plain) == p.execute(7, *(encoded(each) for each in values), types=kinds)


def encoded(each: Attribute) -> bytes | None:
    head, body = encode_query([Attribute(b"", each.declared, each.value)]), each.value
    return None if body is None else head[3 + 1 + 1 + 2 + 1 :]


@given(st.binary(max_size=60))
def test_any_bytes_are_attributes_or_a_protocol_error(body: bytes) -> None:
    try:
        attributes, begin = decode_query(b"\3" + body)
    except ProtocolError:
        return
    assert decode_query(encode_query(attributes) + body[begin - 1 :])[0] == attributes
