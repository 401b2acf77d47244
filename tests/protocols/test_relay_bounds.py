"""Playbooks over the Postgres relay: what streams, what is bounded, and hostile bytes."""

from __future__ import annotations

import pytest

from protocols.base import Forward, ProtocolError, Refuse
from protocols.postgres.limits import RelayLimits
from protocols.postgres.messages import decode_fields, encode_fields
from tests.protocols import playbook as p
from tests.protocols.playbook import LOOK, REFUSAL, Session, question, redact


def test_a_long_unmasked_row_streams_in_pieces() -> None:
    session = Session()
    session.client(p.query("select big"))
    session.allow_all()
    data = p.row(b"x" * 300_000)
    session.server(data[:65_536])
    assert session.to_client() == data[:65_536]
    session.server(data[65_536:])
    assert session.to_client() == data[65_536:]


def test_a_notice_of_the_gateway_waits_for_the_end_of_a_message() -> None:
    session = Session()
    session.client(p.query("select big"))
    session.allow_all()
    data = p.row(b"x" * 1000)
    session.server(data[:100])
    session.relay.notice({"M": b"held"})
    session.advance()
    assert session.to_client() == data[:100]
    session.server(data[100:])
    assert session.to_client() == data[100:] + encode_fields(b"N", {"M": b"held"})


def test_a_masked_row_over_its_limit_ends_the_session() -> None:
    session = Session(RelayLimits(masked_row_bytes=1000))
    session.client(p.query("select big"))
    session.answer(LOOK)
    session.server(p.row_description(("a", 1, 1, 25, 0)))
    session.relay.plan([redact])
    with pytest.raises(ProtocolError, match="masked_row_bytes"):
        session.server(p.row(b"x" * 2000)[:1500])


def test_a_statement_over_its_limit_is_asked_about_by_its_beginning_and_never_forwarded() -> None:
    session = Session(RelayLimits(statement_bytes=100))
    message = p.query("select '" + "x" * 1000 + "'")
    session.client(message[:500])
    asked = question(session)
    assert asked.truncated
    assert len(asked.text or b"") == 100
    with pytest.raises(AssertionError):
        session.relay.decide(asked.ticket, Forward())


def test_a_refused_statement_over_its_limit_is_discarded_whole() -> None:
    session = Session(RelayLimits(statement_bytes=100))
    message = p.query("select '" + "x" * 1000 + "'")
    session.client(message[:500])
    ticket = question(session).ticket
    session.answer(Refuse(REFUSAL))
    session.client(message[500:], p.query("select 1"))
    assert session.to_server() == p.stand_in_query(ticket)
    assert question(session).text == b"select 1"


def test_a_bind_over_its_limit_streams_once_it_is_allowed() -> None:
    session = Session(RelayLimits(bind_bytes=1000))
    session.client(p.parse("insert into t values ($1)"), p.SYNC)
    session.allow_all()
    session.server(p.PARSE_COMPLETE + p.ready())
    session.to_server()
    message = p.bind("", "", b"x" * 50_000)
    session.client(message[:2000])
    asked = question(session)
    assert (asked.truncated, asked.text) == (True, b"insert into t values ($1)")
    session.answer(Forward())
    session.client(message[2000:], p.execute(), p.SYNC)
    session.allow_all()
    assert session.to_server() == message + p.execute() + p.SYNC


def test_a_refused_bind_over_its_limit_is_discarded_whole() -> None:
    session = Session(RelayLimits(bind_bytes=1000))
    session.client(p.parse("insert into t values ($1)"), p.SYNC)
    session.allow_all()
    session.server(p.PARSE_COMPLETE + p.ready())
    session.to_server()
    message = p.bind("", "", b"x" * 50_000)
    session.client(message[:2000])
    ticket = question(session).ticket
    session.answer(Refuse(REFUSAL))
    session.client(message[2000:], p.SYNC)
    assert session.to_server() == p.stand_in_parse(ticket) + p.SYNC


@pytest.mark.parametrize(
    "message",
    [b"Q\0\0\0\3", b"Q\0\0\0\5x", b"P\0\0\0\4", b"B\0\0\0\6\0\0", b"E\0\0\0\5\0", b"D\0\0\0\6X\0", b"C\0\0\0\6X\0", b"!\0\0\0\4",
     b"p\0\0\0\5\0", b"S\0\0\0\5x", b"H\0\0\0\5x"],
)  # fmt: skip
def test_malformed_client_messages_are_protocol_errors(message: bytes) -> None:
    session = Session()
    with pytest.raises(ProtocolError):
        session.client(message)


@pytest.mark.parametrize(
    "message", [b"D\0\0\0\6\0\0", b"Z\0\0\0\5I", b"1\0\0\0\4", b"K\0\0\0\4", b"R\0\0\0\4", b"W\0\0\0\4"]
)
def test_server_messages_out_of_place_are_protocol_errors(message: bytes) -> None:
    session = Session()
    with pytest.raises(ProtocolError):
        session.server(message)


def test_a_query_that_the_server_skipped_ends_the_session() -> None:
    """Were its place given up, the rows of the next statements would be taken for those of the one before."""
    session = Session()
    session.client(p.query("select 1"))
    session.allow_all()
    with pytest.raises(ProtocolError, match="before it answered"):
        session.server(p.ready())


def test_an_error_that_answers_nothing_ends_the_session() -> None:
    session = Session()
    with pytest.raises(ProtocolError, match="nothing was to be answered"):
        session.server(p.error("08P01", "invalid message format"))


def test_a_client_that_never_reads_cannot_grow_the_queue() -> None:
    session = Session(RelayLimits(owed=10))
    with pytest.raises(ProtocolError, match="without reading"):
        session.client(p.SYNC * 20)


def test_what_is_kept_under_names_is_bounded_in_bytes() -> None:
    session = Session(RelayLimits(names_bytes=10_000))
    session.client(p.parse("select '" + "x" * 4000 + "'", "a"), p.parse("select '" + "x" * 4000 + "'", "b"), p.SYNC)
    session.allow_all()
    session.server(p.PARSE_COMPLETE + p.PARSE_COMPLETE + p.ready())
    with pytest.raises(ProtocolError, match="names_bytes"):
        session.client(p.parse("select '" + "x" * 4000 + "'", "c"))


def test_what_was_given_back_makes_room() -> None:
    session = Session(RelayLimits(names_bytes=10_000))
    for _ in range(20):
        session.client(p.parse("select '" + "x" * 4000 + "'", "a"), p.close("S", "a"), p.parse("select $1"), p.SYNC)
        session.allow_all()
        session.server(p.PARSE_COMPLETE + p.CLOSE_COMPLETE + p.PARSE_COMPLETE + p.ready())
    assert session.relay.idle


@pytest.mark.parametrize("kind", [b"E", b"N"])
@pytest.mark.parametrize("piece", [1, 700, 5_000, 1_000_000])
def test_an_error_that_quotes_megabytes_is_shortened_and_the_session_goes_on(kind: bytes, piece: int) -> None:
    session = Session(RelayLimits(message_bytes=20_000))
    session.client(p.query("SELECT cast(long AS int)"))
    session.allow_all()
    fields = {"S": b"ERROR", "C": b"22P02", "M": b"invalid input: " + "é".encode() * 30_000, "H": b"none"}
    end = p.complete("SELECT 1") if kind == b"N" else b""
    answer = encode_fields(kind, fields) + end + p.ready()
    for at in range(0, len(answer), piece):
        session.server(answer[at : at + piece])
    heard = session.to_client()
    length = int.from_bytes(heard[1:5], "big")
    found = decode_fields(heard[5 : length + 1])
    assert heard[:1] == kind
    assert (found["S"], found["C"], set(found)) == (b"ERROR", b"22P02", {"S", "C", "M"})
    assert found["M"].startswith(b"invalid input: ")
    assert found["M"].endswith(b" ... (cut by wireproxy)")
    assert length < 5_000
    assert heard.endswith(p.ready())
    session.client(p.query("SELECT 1"))
    session.allow_all()
    session.server(p.complete("SELECT 1") + p.ready())
    assert session.to_client() == p.complete("SELECT 1") + p.ready()


def test_an_ordinary_message_beyond_its_limit_ends_the_session() -> None:
    session = Session(RelayLimits(message_bytes=20_000))
    session.client(p.query("SELECT 1"))
    session.allow_all()
    with pytest.raises(ProtocolError, match="message_bytes"):
        session.server(b"T" + (30_000).to_bytes(4, "big") + b"x" * 10)
