"""Commands of a client of MySQL: what is asked about, what goes on, what is refused, and under which numbers."""

from __future__ import annotations

import pytest

from protocols.base import Completed, Forward, ParameterChanged, ProtocolError, Refuse, Stage, Terminated
from protocols.mysql.capabilities import Capability
from protocols.mysql.messages import Command
from protocols.mysql.packets import FULL_PAYLOAD, frame
from protocols.mysql.shared import Limits
from tests.protocols import mysql_playbook as p
from tests.protocols.mysql_playbook import BOTH, NEW, REFUSAL, Session, kinds, one


@BOTH
def test_nothing_of_a_query_leaves_before_the_verdict_and_then_byte_for_byte(flags: Capability) -> None:
    session = Session(flags)
    session.client(p.query("select x from t"))
    assert (session.question.stage, session.question.text) == (Stage.QUERY, b"select x from t")
    assert session.to_server() == b""
    session.answer(Forward("mine"))
    assert session.to_server() == p.query("select x from t")
    answer = p.packets(*p.result([p.column()], [p.row(b"1"), p.row(None), p.row(b"")], flags))
    done = one(session.server(answer), Completed)
    assert session.to_client() == answer
    assert isinstance(done, Completed)
    assert (done.tag, done.rows, done.attachment) == (b"ROWS 3", 3, "mine")
    assert session.relay.idle


def test_a_refusal_is_an_err_packet_in_the_commands_own_sequence() -> None:
    session = Session()
    session.client(p.query("drop table t"))
    session.answer(Refuse(REFUSAL))
    assert session.to_server() == b""
    assert session.to_client() == frame(p.refusal_packet(), 1)
    session.client(p.query("select 1"))
    assert session.question.text == b"select 1"


def test_a_long_querys_refusal_counts_its_packets() -> None:
    session = Session(limits=Limits(statement_bytes=FULL_PAYLOAD + 100))
    session.client(p.query("x" * FULL_PAYLOAD))
    assert not session.question.truncated
    session.answer(Refuse(REFUSAL))
    assert session.to_client() == frame(p.refusal_packet(), 2)


def test_a_statement_over_its_limit_is_asked_about_with_its_beginning_once_all_of_it_was_read() -> None:
    session = Session(limits=Limits(statement_bytes=10))
    raw = p.query("select 12345678901234567890")
    session.client(raw[:-1])
    assert session.relay.asking is None
    session.client(raw[-1:])
    assert (session.question.text, session.question.truncated) == (b"select 123", True)
    with pytest.raises(AssertionError):
        session.relay.decide(session.question.ticket, Forward())
    session.answer(Refuse(REFUSAL))
    assert session.to_client() == frame(p.refusal_packet(), 1)
    assert session.to_server() == b""
    session.client(p.query("select 1"))
    assert session.question.text == b"select 1"


def test_what_comes_later_is_not_read_before_the_answer() -> None:
    session = Session()
    session.client(p.query("delete from t"), p.query("select 1"))
    session.answer(Forward())
    assert session.relay.asking is None
    assert session.to_server() == p.query("delete from t")
    session.server(p.packets(p.ok(affected=3)))
    assert session.question.text == b"select 1"


# -- what the client may not do


@pytest.mark.parametrize("code", [0x00, 0x05, 0x06, 0x07, 0x08, 0x0D, 0x12, 0x13, 0x14, 0x15, 0x1D, 0x1E, 0x20, 0xFE])
def test_other_commands_are_refused_and_the_session_lives_on(code: int) -> None:
    session = Session()
    session.client(p.command(code, b"whatever"), p.query("select 1"))
    assert session.to_server() == b""
    answer = session.to_client()
    assert answer[3:7] == b"\1\xff" + (1047).to_bytes(2, "little")
    assert session.question.text == b"select 1"


@pytest.mark.parametrize("raw", [b"\0\0\0\0", b"\1\0\0\1\x0e", b"\2\0\0\0\x0ex", b"\2\0\0\0\x1b\0"])
def test_a_broken_command_ends_the_session(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        Session().client(raw)


def test_packets_of_one_command_must_be_numbered_on() -> None:
    session = Session(limits=Limits(statement_bytes=FULL_PAYLOAD * 2))
    with pytest.raises(ProtocolError, match="order"):
        session.client(frame(b"\3" + b"x" * (FULL_PAYLOAD - 1))[:-4] + b"\1\0\0\7y")


def test_quit_is_passed_on_and_nothing_after_it_is_read() -> None:
    session = Session()
    assert kinds(session.client(p.command(Command.QUIT), p.query("select 1"))) == ["Terminated"]
    assert session.to_server() == p.command(Command.QUIT)
    assert session.relay.terminated
    assert isinstance(session.effects[0], Terminated)


# -- commands that SQL has words for


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (p.command(Command.INIT_DB, b"sh`op"), b"USE `sh``op`"),
        (p.command(Command.FIELD_LIST, b"card`s\0%"), b"SHOW COLUMNS FROM `card``s`"),
        (p.command(Command.PROCESS_INFO), b"SHOW PROCESSLIST"),
        (p.command(Command.PROCESS_KILL, p.number(77)), b"KILL 77"),
    ],
)
def test_commands_that_sql_has_words_for_are_judged_in_these(raw: bytes, text: bytes) -> None:
    session = Session()
    session.client(raw)
    assert (session.question.stage, session.question.text) == (Stage.QUERY, text)
    assert session.to_server() == b""
    session.answer(Forward())
    assert session.to_server() == raw


def test_use_tells_the_schema() -> None:
    session = Session()
    session.client(p.command(Command.INIT_DB, b"shop"))
    session.answer(Forward())
    effects = session.server(p.packets(p.ok(state=p.schema_changed("shop"))))
    assert one(effects, ParameterChanged) == ParameterChanged("schema", "shop")


@BOTH
def test_a_list_of_fields_ends_with_eof(flags: Capability) -> None:
    session = Session(flags)
    session.client(p.command(Command.FIELD_LIST, b"t\0"))
    session.answer(Forward())
    last = p.ok(header=0xFE) if flags is NEW else p.eof()
    answer = p.packets(p.column("a") + b"\xfb", p.column("b") + b"\xfb", last)
    session.server(answer)
    assert session.to_client() == answer
    assert not session.relay.busy


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (p.command(Command.PING), p.ok()),
        (p.command(Command.SET_OPTION, b"\0\0"), p.eof()),
        (p.command(Command.STATISTICS), b"Uptime: 4  Threads: 1"),
    ],
)
def test_commands_that_run_nothing_pass_without_a_question(raw: bytes, answer: bytes) -> None:
    session = Session()
    assert session.client(raw) == []
    assert session.to_server() == raw
    session.server(p.packets(answer))
    assert session.to_client() == p.packets(answer)
    assert not session.relay.busy
