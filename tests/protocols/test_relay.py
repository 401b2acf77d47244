"""Playbooks: whole exchanges over the Postgres relay, message by message. Here, what holds for every message."""

from __future__ import annotations

import pytest

from protocols.base import Completed, Failed, Forward, ParameterChanged, ProtocolError, Ready, Refuse, Stage, Terminated
from protocols.postgres.messages import TERMINATE, encode_fields, error_fields, frame
from tests.protocols import playbook as p
from tests.protocols.playbook import REFUSAL, Session, one, question


def test_a_query_is_asked_about_and_leaves_only_when_allowed() -> None:
    session = Session()
    session.client(p.query("select 1"))
    asked = question(session)
    assert (asked.stage, asked.text) == (Stage.QUERY, b"select 1")
    assert session.to_server() == b""
    session.answer(Forward())
    assert session.to_server() == p.query("select 1")


def test_an_allowed_exchange_is_byte_for_byte() -> None:
    session = Session()
    session.client(p.query("select 1"))
    session.answer(Forward())
    answer = p.row_description(("x", 0, 0, 23, 0)) + p.row(b"1") + p.complete("SELECT 1") + p.ready()
    effects = session.server(answer)
    assert session.to_client() == answer
    done = one(effects, Completed)
    assert isinstance(done, Completed)
    assert (done.tag, done.rows) == (b"SELECT 1", 1)
    assert session.relay.idle


def test_a_refused_query_is_replaced_by_one_that_fails_and_its_error_by_the_refusal() -> None:
    session = Session()
    session.client(p.query("drop table t"))
    ticket = question(session).ticket
    session.answer(Refuse(REFUSAL))
    assert session.to_server() == p.stand_in_query(ticket)
    session.server(p.error("42601", 'syntax error at or near "wireproxy"') + p.ready("E"))
    assert session.to_client() == encode_fields(b"E", REFUSAL) + p.ready("E")
    assert session.relay.transaction_status == "E"


def test_what_comes_later_never_overtakes_what_is_held() -> None:
    session = Session()
    session.client(p.query("delete from t"), p.query("select 1"))
    assert question(session).text == b"delete from t"
    session.advance()
    assert session.to_server() == b""
    session.answer(Forward())
    assert question(session).text == b"select 1"
    assert session.to_server() == p.query("delete from t")


def test_a_stand_in_that_succeeds_ends_the_session() -> None:
    session = Session()
    session.client(p.query("drop table t"))
    session.answer(Refuse(REFUSAL))
    with pytest.raises(ProtocolError, match="refused"):
        session.server(p.complete("DROP TABLE"))


def test_rows_for_a_refused_query_end_the_session() -> None:
    session = Session()
    session.client(p.query("select secret"))
    session.answer(Refuse(REFUSAL))
    with pytest.raises(ProtocolError):
        session.server(p.row(b"secret"))


def test_a_fatal_error_in_place_of_the_stand_ins_is_the_servers_own() -> None:
    session = Session()
    session.client(p.query("drop table t"))
    session.answer(Refuse(REFUSAL))
    fatal = encode_fields(b"E", error_fields("57P01", "terminating connection", severity="FATAL"))
    session.server(fatal)
    assert session.to_client() == fatal


def test_parameter_changes_and_readiness_are_reported() -> None:
    session = Session()
    session.client(p.query("set x"))
    session.allow_all()
    session.relay.report_ready()
    effects = session.server(p.complete("SET") + frame(b"S", b"TimeZone\0UTC\0") + p.ready())
    assert ParameterChanged("TimeZone", "UTC") in effects
    assert Ready("I") in effects


def test_terminate_is_forwarded_and_ends_reading() -> None:
    session = Session()
    effects = session.client(TERMINATE + p.query("drop table t"))
    assert effects == [Terminated()]
    assert session.to_server() == TERMINATE


def test_an_error_without_a_statement_has_no_ticket() -> None:
    session = Session()
    effects = session.server(encode_fields(b"E", error_fields("57P01", "terminating", severity="FATAL")))
    failed = one(effects, Failed)
    assert isinstance(failed, Failed)
    assert failed.ticket is None
