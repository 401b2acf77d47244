"""Prepared statements over the relay of MySQL: their values, types, long data, cursors and bulk executions."""

from __future__ import annotations

import pytest

from protocols.base import Completed, Forward, ProtocolError, Refuse, Stage
from protocols.mysql.capabilities import Capability
from protocols.mysql.messages import CURSOR_EXISTS, Command
from protocols.mysql.packets import frame
from protocols.mysql.shared import Limits, ResultDescribed
from tests.protocols import mysql_playbook as p
from tests.protocols.mysql_playbook import BOTH, NEW, OLD, REFUSAL, Session, one, ready_statement

# -- prepared statements


@BOTH
def test_preparing_is_asked_and_executing_is_asked_with_its_values(flags: Capability) -> None:
    session = Session(flags)
    session.client(p.prepare("select x from t where id = ? and n = ?"))
    assert session.question.stage is Stage.PARSE
    session.answer(Forward("at prepare"))
    answer = p.prepared(7, flags, columns=1, parameters=2)
    session.server(answer)
    assert session.to_client() == answer
    raw = p.execute(7, p.text("abc"), p.number(2**32 - 2), types=(p.VAR_STRING, p.LONG))
    session.to_server()
    session.client(raw)
    asked = session.question
    assert (asked.stage, asked.text) == (Stage.BIND, b"select x from t where id = ? and n = ?")
    assert asked.parameters == (b"abc", b"-2")
    assert asked.attachment == "at prepare"
    assert session.to_server() == b""
    session.answer(Forward("at execute"))
    assert session.to_server() == raw
    answer = p.packets(*p.result([p.column("x", p.LONG)], [p.binary_row(p.number(5)), p.binary_row(None)], flags))
    done = one(session.server(answer), Completed)
    assert isinstance(done, Completed)
    assert (done.rows, done.attachment) == (2, "at execute")
    assert session.to_client() == answer


def test_binary_rows_are_masked_by_their_types() -> None:
    session = Session()
    ready_statement(session, columns=3, parameters=0)
    session.client(p.execute(1))
    session.answer(Forward(look=True))
    columns = [p.column("id", p.LONG), p.column("card"), p.column("n", p.LONGLONG)]
    row = p.binary_row(p.number(5), p.text("4111"), p.number(9, 8))
    described = one(session.server(p.packets(*p.result(columns, [row], NEW))), ResultDescribed)
    assert isinstance(described, ResultDescribed)
    assert described.binary
    session.to_client()
    session.relay.plan([None, lambda value: b"***" + (value or b"")[-1:], lambda _: None])
    session.advance()
    assert session.to_client().startswith(frame(p.binary_row(p.number(5), p.text("***1"), None), 5))


def test_a_statement_that_nobody_prepared_runs_nowhere() -> None:
    session = Session()
    for raw in (p.execute(9), p.fetch(9), p.reset(9)):
        session.client(raw)
        assert session.to_server() == b""
        assert (1243).to_bytes(2, "little") in session.to_client()
    session.client(p.close(9))
    assert session.to_server() == session.to_client() == b""


def test_closing_has_no_answer() -> None:
    session = Session()
    ready_statement(session)
    session.client(p.close(1), p.query("select 1"))
    assert session.to_server() == p.close(1)
    assert session.question.text == b"select 1"


def test_types_are_remembered_when_the_client_leaves_them_out() -> None:
    session = Session()
    ready_statement(session)
    session.client(p.execute(1, p.number(1), types=(p.LONG,)))
    session.answer(Forward())
    session.server(p.packets(p.ok()))
    session.to_server()
    again = p.execute(1, p.number(2), types=None)
    session.client(again)
    assert session.question.parameters == (b"2",)
    session.answer(Forward())
    assert session.to_server() == again


def test_types_of_a_refused_execution_go_out_with_the_next_one() -> None:
    session = Session()
    ready_statement(session)
    session.client(p.execute(1, p.number(1), types=(p.LONG,)))
    session.answer(Refuse(REFUSAL))
    session.client(p.execute(1, p.number(2), types=None))
    session.answer(Forward())
    assert session.to_server() == p.execute(1, p.number(2), types=(p.LONG,))


def test_types_of_an_execution_that_failed_go_out_again_with_the_next_one() -> None:
    session = Session()
    ready_statement(session)
    session.client(p.execute(1, p.text("a")))
    session.answer(Forward())
    session.to_server()
    session.server(p.packets(p.err()))
    session.client(p.execute(1, p.text("b"), types=None))
    assert session.question.parameters == (b"b",)
    session.answer(Forward())
    assert session.to_server() == p.execute(1, p.text("b"))


def test_after_a_failure_types_are_missed_in_what_is_too_long_to_be_written_anew() -> None:
    """docs/limitations.md has it: drivers send them whenever they might have changed."""
    session = Session(limits=Limits(bind_bytes=64))
    ready_statement(session)
    session.client(p.execute(1, p.text("a")))
    session.answer(Forward())
    session.server(p.packets(p.err()))
    with pytest.raises(ProtocolError, match="too long to be given the types"):
        session.client(p.execute(1, p.text("v" * 5000), types=None))


def test_an_execution_without_types_is_a_protocol_error() -> None:
    session = Session()
    ready_statement(session)
    with pytest.raises(ProtocolError, match="types"):
        session.client(p.execute(1, p.number(2), types=None))


def test_long_data_goes_on_at_once_and_is_shown_with_its_execution() -> None:
    session = Session()
    ready_statement(session, parameters=2)
    pieces = p.long_data(1, 1, b"hello ") + p.long_data(1, 1, b"world")
    for start in range(len(pieces)):
        session.client(pieces[start : start + 1])
    assert session.to_server() == pieces
    raw = p.command(Command.STMT_EXECUTE, p.number(1) + b"\0" + p.number(1) + b"\0\1\xfd\0\xfc\0" + p.text("a"))
    session.client(raw)
    assert session.question.parameters == (b"a", b"hello world")
    session.answer(Forward())
    assert session.to_server() == raw
    session.server(p.packets(p.ok()))
    session.client(p.execute(1, p.text("a"), p.text("b")))
    assert session.question.parameters == (b"a", b"b")


def test_long_data_of_a_refused_execution_is_taken_back() -> None:
    session = Session()
    ready_statement(session)
    session.client(p.long_data(1, 0, b"evil"))
    session.to_server()
    session.client(p.command(Command.STMT_EXECUTE, p.number(1) + b"\0" + p.number(1) + b"\0\1\xfc\0"))
    session.answer(Refuse(REFUSAL))
    assert session.to_server() == p.reset(1)
    assert session.to_client() == b""
    session.server(p.packets(p.ok()))
    assert session.to_client() == frame(p.refusal_packet(), 1)
    session.client(p.execute(1, p.text("good")))
    assert session.question.parameters == (b"good",)


def test_more_long_data_than_is_kept_streams_and_is_said_to_be_cut() -> None:
    session = Session(limits=Limits(bind_bytes=100))
    ready_statement(session)
    session.client(p.long_data(1, 0, b"x" * 90), p.long_data(1, 0, b"y" * 90))
    assert len(session.to_server()) == 2 * (90 + 11)
    session.client(p.command(Command.STMT_EXECUTE, p.number(1) + b"\0" + p.number(1) + b"\0\1\xfc\0"))
    assert session.question.truncated
    assert session.question.parameters is None


def test_long_data_of_many_statements_is_kept_within_one_limit() -> None:
    session = Session(limits=Limits(bind_bytes=100))
    for number in (1, 2):
        session.client(p.prepare("select ?"))
        session.answer(Forward())
        session.server(p.prepared(number, NEW, 1, 1))
        session.client(p.long_data(number, 0, b"x" * 70))
    session.client(p.command(Command.STMT_EXECUTE, p.number(2) + b"\0" + p.number(1) + b"\0\1\xfc\0"))
    assert session.question.truncated
    session.answer(Forward())
    session.server(p.packets(p.ok()))
    session.client(p.command(Command.STMT_EXECUTE, p.number(1) + b"\0" + p.number(1) + b"\0\1\xfc\0"))
    assert session.question.parameters == (b"x" * 70,)


def test_long_data_for_nothing_goes_nowhere() -> None:
    session = Session()
    ready_statement(session)
    session.client(p.long_data(9, 0, b"x"), p.long_data(1, 5, b"x"), p.query("select 1"))
    assert session.to_server() == b""
    assert session.question.text == b"select 1"


def test_an_execution_over_its_limit_streams_if_it_is_allowed() -> None:
    session = Session(limits=Limits(bind_bytes=64))
    ready_statement(session)
    raw = p.execute(1, p.text("v" * 5000))
    session.client(raw[:100])
    assert (session.question.truncated, session.question.parameters) == (True, None)
    assert session.question.text == b"select ?"
    assert session.to_server() == b""
    session.answer(Forward())
    session.client(raw[100:])
    assert session.to_server() == raw
    session.server(p.packets(p.ok()))
    assert session.to_client() == p.packets(p.ok())
    session.client(p.execute(1, p.text("x"), types=None))
    assert session.question.parameters == (b"x",)  # its types were read


def test_an_execution_over_its_limit_is_refused_after_all_of_it_was_read() -> None:
    session = Session(limits=Limits(bind_bytes=64))
    ready_statement(session)
    raw = p.execute(1, p.text("v" * 5000))
    session.client(raw[:100])
    session.answer(Refuse(REFUSAL))
    session.client(raw[100:-1])
    assert session.to_client() == b""
    session.client(raw[-1:], p.query("select 1"))
    assert session.to_client() == frame(p.refusal_packet(), 1)
    assert session.to_server() == b""
    assert session.question.text == b"select 1"


def test_the_statement_prepared_last_is_called_by_its_number() -> None:
    session = Session()
    ready_statement(session)
    session.client(p.execute(0xFFFFFFFF, p.text("a")))
    assert session.question.text == b"select ?"
    session.answer(Forward())
    assert session.to_server() == p.execute(1, p.text("a"))


def test_after_a_prepare_that_failed_there_is_no_last_statement() -> None:
    session = Session()
    ready_statement(session)
    session.client(p.prepare("selec"), p.execute(0xFFFFFFFF, p.text("a")))
    session.answer(Forward())
    session.server(p.packets(p.err()))
    session.to_server()
    assert session.relay.asking is None
    assert session.to_server() == b""


def test_too_many_statements_are_refused() -> None:
    session = Session(limits=Limits(prepared_statements=1))
    ready_statement(session)
    session.client(p.prepare("select 2"))
    assert session.to_server() == b""
    assert (1461).to_bytes(2, "little") in session.to_client()


def test_texts_of_statements_are_kept_within_a_limit() -> None:
    session = Session(limits=Limits(prepared_bytes=20))
    ready_statement(session, "select 1234567", parameters=0)
    session.client(p.prepare("select 2345678"))
    assert (1461).to_bytes(2, "little") in session.to_client()
    session.client(p.close(1), p.prepare("select 2345678"))
    assert session.question.text == b"select 2345678"


# -- cursors


@BOTH
def test_rows_of_a_cursor_are_masked_as_its_execution_described(flags: Capability) -> None:
    session = Session(flags)
    ready_statement(session, parameters=0)
    session.client(p.execute(1, cursor=1))
    session.answer(Forward(look=True))
    opened = [b"\1", p.column("card")]
    status = 2 | CURSOR_EXISTS
    opened.append(p.ok(status, header=0xFE) if flags is NEW else p.eof(status))
    session.server(p.packets(*opened))
    session.relay.plan([lambda _: b"***"])
    session.advance()
    assert not session.relay.busy
    session.to_client(), session.to_server()
    session.client(p.fetch(1))
    assert session.relay.asking is None
    assert session.to_server() == p.fetch(1)
    end = p.ok(header=0xFE, tracks=flags is NEW) if flags is NEW else p.eof()
    session.server(p.packets(p.binary_row(p.text("4111")), end))
    assert session.to_client() == p.packets(p.binary_row(p.text("***")), end)


def test_a_cursor_opened_under_an_older_policy_is_asked_about_and_planned_again() -> None:
    session = Session()
    ready_statement(session, parameters=0)
    session.client(p.execute(1, cursor=1))
    session.answer(Forward())
    session.server(p.packets(b"\1", p.column("card"), p.ok(2 | CURSOR_EXISTS, header=0xFE)))
    session.to_client(), session.to_server()
    session.relay.verdicts_changed()
    session.client(p.fetch(1))
    assert session.question.stage is Stage.EXECUTE
    session.answer(Forward(look=True))
    effects = session.server(p.packets(p.binary_row(p.text("4111")), p.ok(header=0xFE)))
    described = one(effects, ResultDescribed)
    assert isinstance(described, ResultDescribed)
    assert described.columns[0].org_name == b"card"
    session.relay.plan([lambda _: b"***"])
    session.advance()
    assert b"4111" not in session.to_client()


# -- MariaDB's bulk execution


def test_a_bulk_executions_values_are_shown_row_by_row() -> None:
    session = Session()
    ready_statement(session, "insert into t values (?, ?)", columns=0, parameters=2)
    body = b"\x03\0\xfd\0" + b"\0" + p.number(1) + b"\0" + p.text("a") + b"\1" + b"\2"
    raw = p.bulk(1, 128, body)
    session.client(raw)
    asked = session.question
    assert asked.parameters == (b"1", b"a", None, b"DEFAULT")
    assert asked.formats == (0, 0, 0, 2)
    session.answer(Forward())
    assert session.to_server() == raw
    session.server(p.packets(p.ok(affected=2)))
    assert not session.relay.busy


def test_bulk_execution_needs_to_have_been_agreed_on() -> None:
    session = Session(OLD)
    ready_statement(session)
    session.client(p.bulk(1, 128, b""))
    assert session.to_server() == b""
    assert (1047).to_bytes(2, "little") in session.to_client()


@pytest.mark.parametrize("body", [b"\xfd\0\4", b"\xfd\0\0\5ab", b"\x63\0\0\1"])
def test_a_broken_bulk_execution_ends_the_session(body: bytes) -> None:
    session = Session()
    ready_statement(session)
    with pytest.raises(ProtocolError):
        session.client(p.bulk(1, 128, body))


def test_bytes_behind_the_parameters_do_not_go_on() -> None:
    """node's mysql2 counts a byte for each NULL and does not write it: what stands there is what was in memory."""
    session = Session()
    ready_statement(session, "insert into t values (?, ?)", 0, 2)
    sent = p.execute(1, p.text("a"), None, types=(p.VAR_STRING, p.NULL))
    session.client(frame(sent[4:] + b"\x2a"))
    assert session.question.parameters == (b"a", None)
    session.answer(Forward("mine"))
    assert session.to_server() == sent
