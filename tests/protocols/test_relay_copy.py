"""Playbooks over the Postgres relay: COPY FROM STDIN."""

from __future__ import annotations

import pytest

from protocols.base import Completed, Described, Forward, ProtocolError, Refuse
from protocols.postgres.messages import encode_fields, frame
from tests.protocols import playbook as p
from tests.protocols.playbook import COPY_IN, REFUSAL, Session, one, question


def test_syncs_sent_before_the_copy_began_are_eaten_by_it() -> None:
    session = Session()
    session.client(p.parse("copy t from stdin"), p.bind(), p.execute(), p.SYNC)
    session.allow_all()
    session.server(p.PARSE_COMPLETE + p.BIND_COMPLETE + frame(b"G", b"\0\0\1\0\0"))
    session.client(frame(b"d", b"1\n"), frame(b"c", b""), p.SYNC)
    session.server(p.complete("COPY 1") + p.ready())
    assert session.relay.idle


def test_copy_data_streams_through() -> None:
    session = Session()
    session.client(p.query("copy t from stdin"))
    session.allow_all()
    session.server(frame(b"G", b"\0\0\1\0\0"))
    session.to_server()
    data = frame(b"d", b"x" * 100_000)
    session.client(data[:10], data[10:50_000])
    assert session.to_server() == data[:50_000]
    session.client(data[50_000:], frame(b"c", b""))
    assert session.to_server() == data[50_000:] + frame(b"c", b"")


def test_a_query_sent_behind_a_copy_is_eaten_by_it_and_shifts_no_answer() -> None:
    """Else the answers of every later statement would be taken for those of the one before: masks and refusals misplaced."""
    session = Session()
    session.client(p.query("copy t from stdin"), p.query("select eaten"), p.query("select ssn"))
    session.answer(Forward("copy"))
    session.answer(Forward("eaten"))
    session.answer(Forward("ssn", look=True))
    session.server(COPY_IN + p.error("08P01", "unexpected message type 0x51 during COPY from stdin") + p.ready())
    described = one(session.server(p.row_description(("ssn", 1, 1, 25, 0))), Described)
    assert isinstance(described, Described)
    assert described.attachment == "ssn"


def test_a_refused_query_behind_a_copy_is_eaten_with_its_refusal() -> None:
    session = Session()
    session.client(p.query("copy t from stdin"), p.query("drop table t"), p.query("drop table u"))
    session.answer(Forward())
    session.answer(Refuse(REFUSAL))
    session.answer(Refuse(REFUSAL))
    session.server(COPY_IN + p.error("08P01", "unexpected") + p.ready())
    session.to_client()
    session.server(p.error("42601", "syntax") + p.ready())
    assert session.to_client() == encode_fields(b"E", REFUSAL) + p.ready()
    assert session.relay.idle


def test_a_query_pipelined_behind_the_end_of_a_copy_keeps_its_answer() -> None:
    session = Session()
    session.client(p.query("copy t from stdin"))
    session.answer(Forward("copy"))
    session.client(frame(b"d", b"1\n"), frame(b"c", b""), p.query("select 1"))
    session.answer(Forward("one"))
    effects = session.server(COPY_IN + p.complete("COPY 1") + p.ready() + p.complete("SELECT 1") + p.ready())
    assert [e.attachment for e in effects if isinstance(e, Completed)] == ["copy", "one"]
    assert session.relay.idle


def test_a_prepared_name_that_a_copy_ate_was_never_made() -> None:
    session = Session()
    session.client(p.parse("copy t from stdin"), p.bind(), p.execute(), p.parse("select 1", "s"), p.SYNC)
    session.allow_all()
    session.server(p.PARSE_COMPLETE + p.BIND_COMPLETE + COPY_IN + p.error("08P01", "unexpected") + p.ready())
    assert session.relay.find_statement(b"s").named is None
    assert session.relay.idle


def test_other_messages_during_a_copy_end_the_session() -> None:
    session = Session()
    session.client(p.query("copy t from stdin"))
    session.allow_all()
    session.server(COPY_IN)
    with pytest.raises(ProtocolError, match="during COPY"):
        session.client(p.query("select 1"))


def test_the_end_of_a_copy_does_not_hold_up_a_barrier() -> None:
    session = Session()
    session.client(p.query("copy t from stdin"))
    session.answer(Forward(barrier=True))
    session.server(COPY_IN + p.complete("COPY 0"))
    session.client(frame(b"c", b""))
    session.server(p.ready())
    session.client(frame(b"c", b""), p.query("select 1"))
    assert question(session).text == b"select 1"


def test_a_barrier_lets_the_data_of_its_own_copy_through() -> None:
    """A copy whose end may change settings (a trigger that is not known) is a barrier, and its server waits for its data."""
    session = Session()
    session.client(p.query("copy t from stdin"))
    session.answer(Forward(barrier=True))
    session.client(frame(b"d", b"1\n"))
    session.server(COPY_IN)
    assert session.to_server() == p.query("copy t from stdin") + frame(b"d", b"1\n")
    session.client(frame(b"d", b"2\n"), frame(b"c", b""), p.query("select 1"))
    assert session.to_server() == frame(b"d", b"2\n") + frame(b"c", b"")
    assert session.relay.asking is None
    session.server(p.complete("COPY 2") + p.ready())
    assert question(session).text == b"select 1"


def test_copy_messages_without_a_copy_leave_no_trace() -> None:
    session = Session()
    session.client(frame(b"c", b""), frame(b"f", b"no\0"), frame(b"d", b"x"), p.query("select 1"))
    session.allow_all()
    session.server(p.complete("SELECT 1") + p.ready())
    assert session.relay.idle


def test_a_failed_copy_ends_in_ready() -> None:
    session = Session()
    session.client(p.query("copy t from stdin"))
    session.allow_all()
    session.server(frame(b"G", b"\0\0\1\0\0"))
    session.client(frame(b"d", b"bad\n"))
    session.server(p.error("22P02", "bad") + p.ready())
    session.client(frame(b"d", b"more\n"), frame(b"c", b""), p.query("select 1"))
    assert question(session).text == b"select 1"
