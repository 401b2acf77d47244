"""Transcripts: what each side sends, what is asked, what leaves."""

from __future__ import annotations

import pytest

from protocols.base import (
    Completed,
    Failed,
    Fields,
    Forward,
    NameChange,
    ParameterChanged,
    ProtocolError,
    Refuse,
    Rows,
    Stage,
    Terminated,
)
from protocols.mysql.capabilities import Capability
from protocols.mysql.messages import (
    CURSOR_EXISTS,
    EOF,
    MORE_RESULTS,
    PS_OUT_PARAMS,
    STATE_CHANGED,
    Command,
    Ok,
    encode_ok,
)
from protocols.mysql.packets import FULL_PAYLOAD, encode_lenenc_int, frame
from protocols.mysql.shared import (
    Answered,
    ConnectionReset,
    Limits,
    LoginPacket,
    MySqlEffect,
    ResultDescribed,
    UserChanging,
)
from tests.protocols import mysql_playbook as p
from tests.protocols.mysql_playbook import NEW, OLD, REFUSAL, Session

BOTH = pytest.mark.parametrize("flags", [OLD, NEW], ids=["eof", "deprecate-eof"])


def kinds(effects: list[MySqlEffect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def one(effects: list[MySqlEffect], kind: type) -> object:
    (found,) = [effect for effect in effects if isinstance(effect, kind)]
    return found


def ready_statement(session: Session, text: str = "select ?", columns: int = 1, parameters: int = 1) -> None:
    session.client(p.prepare(text))
    session.answer(Forward("at prepare"))
    session.server(p.prepared(1, session.flags, columns, parameters))
    session.to_server(), session.to_client()


# -- COM_QUERY


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


def test_several_results_are_counted_and_the_last_one_ends_the_answer() -> None:
    session = Session(OLD)
    session.client(p.query("insert into t values (1); select 1"))
    session.answer(Forward())
    answer = p.packets(p.ok(2 | MORE_RESULTS, affected=1, tracks=False), *p.result([p.column()], [p.row(b"1")], OLD))
    done = [effect for effect in session.server(answer) if isinstance(effect, Completed)]
    assert [(each.position, each.tag) for each in done] == [(0, b"OK 1"), (1, b"ROWS 1")]
    assert session.to_client() == answer
    assert not session.relay.busy


def test_the_servers_error_passes_and_ends_the_answer() -> None:
    session = Session()
    session.client(p.query("selec"))
    session.answer(Forward())
    failed = one(session.server(p.packets(p.err())), Failed)
    assert isinstance(failed, Failed)
    assert (failed.fields["C"], failed.fields["errno"]) == (b"42000", b"1064")
    assert session.to_client() == p.packets(p.err())
    assert not session.relay.busy


def test_an_error_among_rows_ends_the_answer() -> None:
    session = Session()
    session.client(p.query("select x from t"))
    session.answer(Forward())
    answer = p.packets(b"\1", p.column(), p.row(b"1"), p.err())
    assert "Failed" in kinds(session.server(answer))
    assert session.to_client() == answer
    assert not session.relay.busy


def test_the_transaction_is_what_the_server_said_last() -> None:
    session = Session()
    session.client(p.query("begin"))
    session.answer(Forward())
    session.server(p.packets(p.ok(3)))
    assert session.relay.transaction_status == "T"
    assert not session.relay.idle


def test_a_server_that_asks_for_a_file_of_the_client_ends_the_session() -> None:
    session = Session()
    session.client(p.query("load data local infile '/etc/passwd' into table t"))
    session.answer(Forward())
    with pytest.raises(ProtocolError, match="file"):
        session.server(p.packets(b"\xfb/etc/passwd"))
    assert session.to_client() == b""


# -- what the server may not do


@pytest.mark.parametrize(
    "answer",
    [
        p.packets(p.ok(), first=2),
        p.packets(b"\xfe\0\0\2\0"),
        p.packets(b"\1\0"),
        p.packets(b"\1", b"\3def"),
        p.packets(b"\0\0"),
        p.packets(b""),
        p.packets(b"\1", p.column(), b"\xfe\0\0\2"),
    ],
)
def test_a_server_that_breaks_the_protocol_ends_the_session(answer: bytes) -> None:
    session = Session()
    session.client(p.query("select 1"))
    session.answer(Forward(look=True))
    with pytest.raises(ProtocolError):
        session.server(answer)
        session.relay.plan(None)
        session.advance()


def test_rows_that_nobody_asked_for_end_the_session() -> None:
    session = Session()
    with pytest.raises(ProtocolError, match="nobody asked"):
        session.server(p.packets(p.row(b"secret")))


def test_a_server_that_ends_the_session_may_say_why() -> None:
    session = Session()
    effects = session.server(frame(p.err(1053, "Server shutdown in progress"), 0))
    assert kinds(effects) == ["Failed"]
    assert session.to_client() == frame(p.err(1053, "Server shutdown in progress"), 0)


def test_a_count_of_columns_that_no_result_has_ends_the_session() -> None:
    session = Session()
    session.client(p.query("select 1"))
    session.answer(Forward())
    with pytest.raises(ProtocolError, match="columns"):
        session.server(p.packets(b"\xfe" + (1 << 40).to_bytes(8, "little")))


# -- what the client may not do


@pytest.mark.parametrize("code", [0x00, 0x05, 0x06, 0x07, 0x08, 0x0D, 0x12, 0x13, 0x14, 0x15, 0x1D, 0x1E, 0x20, 0xFE])
def test_other_commands_are_refused_and_the_session_lives_on(code: int) -> None:
    session = Session()
    session.client(p.command(code, b"whatever"), p.query("select 1"))
    assert session.to_server() == b""
    answer = session.to_client()
    assert answer[3:7] == b"\1\xff" + (1047).to_bytes(2, "little")
    assert session.question.text == b"select 1"


def a_change() -> bytes:
    return p.command(Command.CHANGE_USER, CHANGE)


CHANGE = b"ann\0\0shop\0\x2d\0caching_sha2_password\0"


def test_a_change_of_user_is_asked_about_and_becomes_a_reset() -> None:
    session = Session(NEW | Capability.PLUGIN_AUTH)
    session.client(a_change(), p.query("select 1"))
    (changing,) = [effect for effect in session.effects if isinstance(effect, UserChanging)]
    assert (changing.request.user, changing.request.database, changing.request.charset) == (b"ann", b"shop", 45)
    session.relay.login_send(b"\xfecaching_sha2_password\0nonce", reads=True)
    assert session.to_client()[3] == 1
    assert session.to_server() == b""


def test_nothing_of_a_change_of_user_reaches_the_server_before_it_is_allowed() -> None:
    session = Session(NEW | Capability.PLUGIN_AUTH)
    session.client(a_change())
    session.relay.login_send(b"\xfeplugin\0nonce", reads=True)
    session.client(frame(b"proof", 2))
    assert [effect.payload for effect in session.effects if isinstance(effect, LoginPacket)] == [b"proof"]
    assert session.to_server() == b""
    session.relay.login_send(b"\1\3", reads=False)
    session.relay.change_allowed()
    assert session.to_server() == p.command(Command.RESET_CONNECTION)
    session.to_client()
    session.server(frame(p.ok(), 1))
    assert session.to_client() == frame(p.ok(), 4)


@pytest.mark.parametrize("packet", [frame(b"proof", 3), frame(b"proof", 0), b"\0\0\x20\2"])
def test_a_proof_out_of_order_or_too_long_ends_the_session(packet: bytes) -> None:
    session = Session(NEW | Capability.PLUGIN_AUTH)
    session.client(a_change())
    session.relay.login_send(b"\xfeplugin\0nonce", reads=True)
    with pytest.raises(ProtocolError):
        session.client(packet)


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


# -- what the client did not ask to hear


def test_a_client_that_does_not_track_is_spared_the_sessions_changes() -> None:
    session = Session(OLD)
    session.client(p.query("use shop"))
    session.answer(Forward())
    effects = session.server(p.packets(p.ok(2, state=p.variable_changed("sql_mode", "ANSI_QUOTES"))))
    assert one(effects, ParameterChanged) == ParameterChanged("sql_mode", "ANSI_QUOTES")
    assert session.to_client() == p.packets(p.ok(2, tracks=False))


def test_a_client_that_tracks_gets_the_servers_bytes() -> None:
    session = Session(NEW)
    session.client(p.query("use shop"))
    session.answer(Forward())
    answer = p.packets(p.ok(2, state=p.schema_changed("shop")))
    session.server(answer)
    assert session.to_client() == answer


# -- masking


@BOTH
def test_no_row_leaves_before_its_plan_and_then_masked(flags: Capability) -> None:
    session = Session(flags)
    session.client(p.query("select card, id from t"))
    session.answer(Forward(look=True))
    columns = [p.column("card"), p.column("id")]
    rows = [p.row(b"4111", b"1"), p.row(None, b"2")]
    described = one(session.server(p.packets(*p.result(columns, rows, flags))), ResultDescribed)
    assert isinstance(described, ResultDescribed)
    assert [(c.schema, c.org_table, c.org_name) for c in described.columns] == [
        (b"shop", b"t", b"card"), (b"shop", b"t", b"id"),
    ]  # fmt: skip
    assert b"4111" not in session.to_client()
    assert not session.relay.reads_server
    session.relay.plan([lambda value: None if value is None else b"***", None])
    session.advance()
    sent = session.to_client()
    masked = p.packets(*p.result(columns, [p.row(b"***", b"1"), p.row(None, b"2")], flags))
    assert masked.endswith(sent)
    assert b"4111" not in sent


def test_a_row_of_another_arity_than_its_plan_ends_the_session() -> None:
    session = Session()
    session.client(p.query("select card, id from t"))
    session.answer(Forward(look=True))
    session.server(p.packets(b"\2", p.column("card"), p.column("id"), p.row(b"4111")))
    session.relay.plan([lambda _: b"*", None])
    with pytest.raises(ProtocolError):
        session.advance()
    assert b"4111" not in session.to_client()


def test_a_plan_for_another_number_of_columns_ends_the_session() -> None:
    session = Session()
    session.client(p.query("select card from t"))
    session.answer(Forward(look=True))
    session.server(p.packets(b"\1", p.column("card")))
    with pytest.raises(ProtocolError):
        session.relay.plan([None, None])


def test_a_masked_row_that_takes_fewer_packets_renumbers_what_follows() -> None:
    session = Session(limits=Limits(masked_row_bytes=2 * FULL_PAYLOAD))
    session.client(p.query("select doc from t"))
    session.answer(Forward(look=True))
    rows = [p.row(b"x" * FULL_PAYLOAD), p.row(b"y")]
    session.server(p.packets(*p.result([p.column()], rows, NEW)))
    session.relay.plan([lambda _: b"***"])
    session.advance()
    assert session.to_client() == p.packets(*p.result([p.column()], [p.row(b"***")] * 2, NEW))


def test_a_masked_row_over_its_limit_ends_the_session_before_it_piles_up() -> None:
    session = Session(limits=Limits(masked_row_bytes=100))
    session.client(p.query("select doc from t"))
    session.answer(Forward(look=True))
    session.server(p.packets(b"\1", p.column()))
    session.relay.plan([lambda _: b"***"])
    with pytest.raises(ProtocolError, match="masked_row_bytes"):
        session.server(frame(p.row(b"x" * 200), 3)[:20])


def test_a_long_row_streams_and_one_that_begins_like_an_end_is_a_row() -> None:
    session = Session()
    session.client(p.query("select doc from t"))
    session.answer(Forward())
    long_first = p.row(b"z" * (FULL_PAYLOAD + 5))
    assert long_first[0] == EOF
    answer = p.packets(*p.result([p.column()], [long_first, p.row(b"1")], NEW))
    got = b""
    for start in range(0, len(answer), 1 << 20):
        session.server(answer[start : start + (1 << 20)])
        pieces = session.relay.take_for_client()
        assert sum(map(len, pieces)) <= (1 << 20) + 100
        got += b"".join(pieces)
    assert got == answer
    (done,) = [effect for effect in session.effects if isinstance(effect, Completed)]
    assert done.rows == 2


def test_rows_are_kept_for_the_record_as_they_leave() -> None:
    session = Session()
    session.client(p.query("select card from t"))
    session.answer(Forward(look=True, record_bytes=1000))
    session.server(p.packets(*p.result([p.column("card")], [p.row(b"4111")], NEW)))
    session.relay.plan([lambda _: b"***"])
    rows = one(session.advance(), Rows)
    assert isinstance(rows, Rows)
    assert rows.frames == frame(p.row(b"***"), 3)


def test_the_record_ends_with_the_first_row_that_does_not_fit() -> None:
    session = Session()
    session.client(p.query("select card from t"))
    session.answer(Forward(record_bytes=20))
    rows = [p.row(b"1"), p.row(b"2" * 30), p.row(b"3")]
    effects = session.server(p.packets(*p.result([p.column()], rows, NEW)))
    described = one(effects, ResultDescribed)
    assert isinstance(described, ResultDescribed)
    assert not described.asks
    found = one(effects, Rows)
    assert isinstance(found, Rows)
    assert found.frames == frame(p.row(b"1"), 3)


def test_an_error_is_scrubbed_with_the_text_that_it_may_quote_and_an_ok_packet_too() -> None:
    given: list[Fields] = []

    def scrub(fields: Fields) -> Fields:
        given.append(fields)
        return {**fields, "M": b""}

    session = Session(scrub=scrub)
    session.client(p.query("UPDATE t SET x = 1"))
    session.answer(Forward())
    said = Ok(1, 0, 2 | STATE_CHANGED, 0, b"Rows matched: secret", p.schema_changed("s"))
    session.server(p.packets(encode_ok(said, tracks=True)))
    assert session.to_client() == p.packets(encode_ok(said._replace(info=b""), tracks=True))
    session.client(p.query("SELEC"))
    session.answer(Forward())
    failed = session.server(p.packets(p.err(1064, "near 'SELEC'")))
    assert [fields.get("text") for fields in given] == [None, b"SELEC"]
    assert not any("text" in effect.fields for effect in failed if isinstance(effect, Failed))


def test_rows_that_a_procedure_selects_while_its_own_cursor_is_open_are_masked_and_pass() -> None:
    """MariaDB sets CURSOR_EXISTS then, though the client opened none."""
    session = Session(OLD)
    session.client(p.query("call p()"))
    session.answer(Forward(look=True))
    status = 2 | CURSOR_EXISTS | MORE_RESULTS
    payloads = p.result([p.column()], [p.row(b"secret")], OLD, status)
    (described,) = session.server(p.packets(*payloads, p.ok(tracks=False)))
    assert isinstance(described, ResultDescribed)
    session.relay.plan([lambda _: b"*"])
    session.advance()
    masked = p.result([p.column()], [p.row(b"*")], OLD, status)
    assert session.to_client() == p.packets(*masked, p.ok(tracks=False))


def test_out_parameters_are_followed_by_an_end_that_mysql_announces_before_their_row_alone() -> None:
    session = Session(OLD)
    ready_statement(session, "call p(?)", columns=0)
    session.client(p.execute(1, p.text("x")))
    session.answer(Forward("at execute"))
    head = [
        encode_lenenc_int(1),
        p.column(),
        p.eof(2 | MORE_RESULTS | PS_OUT_PARAMS),
        p.binary_row(p.text("y")),
        p.eof(2),
    ]
    answer = p.packets(*head, p.ok(tracks=False))
    effects = session.server(answer)
    assert kinds(effects) == ["Completed", "Completed"]
    assert session.to_client().endswith(answer)
    assert not session.relay.busy


def test_what_an_error_says_is_scrubbed_and_its_number_stays() -> None:
    session = Session(scrub=lambda fields: {**fields, "M": b"withheld"})
    session.client(p.query("select cast(card as signed) from t"))
    session.answer(Forward())
    session.server(p.packets(p.err(1292, "Truncated incorrect INTEGER value: '4111-secret'", "22007")))
    assert session.to_client() == p.packets(p.err(1292, "withheld", "22007"))


# -- questions of the gateway's own


@BOTH
def test_a_question_of_the_gateways_own_is_answered_unseen(flags: Capability) -> None:
    session = Session(flags)
    session.relay.ask(b"SELECT @@sql_mode, NULL")
    session.client(p.query("select 1"))
    assert session.to_server() == p.query("SELECT @@sql_mode, NULL")
    assert session.relay.asking is None
    effects = session.server(p.packets(*p.result([p.column(), p.column()], [p.row(b"ANSI", None)], flags)))
    assert one(effects, Answered) == Answered(((b"ANSI", None),), None)
    assert session.to_client() == b""
    assert session.question.text == b"select 1"


def test_a_question_of_the_gateways_own_may_fail() -> None:
    session = Session()
    session.relay.ask(b"SELECT @@no_such")
    session.advance()
    found = one(session.server(p.packets(p.err(1193, "Unknown system variable"))), Answered)
    assert isinstance(found, Answered)
    assert found.error is not None
    assert session.to_client() == b""
    assert session.relay.idle


def test_a_reset_connection_forgets_every_statement_and_says_so() -> None:
    session = Session()
    ready_statement(session)
    session.client(p.command(Command.RESET_CONNECTION))
    assert kinds(session.server(p.packets(p.ok()))) == ["ConnectionReset"]
    assert isinstance(session.effects[-1], ConnectionReset)
    session.to_client(), session.to_server()
    session.client(p.execute(1, p.text("x")))
    assert session.to_server() == b""
    assert b"Unknown prepared statement" in session.to_client()


# -- names of SQL's PREPARE


def change(name: str, text: str | None, created: bool = True) -> NameChange:
    return NameChange("statement", name.encode(), created, text.encode() if text is not None else None)


def run(session: Session, text: str, *changes: NameChange, fails: bool = False, taints: bool = False) -> None:
    session.client(p.query(text))
    session.answer(Forward(names=changes, taints=taints))
    session.server(p.packets(p.err() if fails else p.ok()))


def test_a_name_means_what_was_prepared_under_it_whatever_its_case() -> None:
    session = Session()
    run(session, "prepare S from 'select 1'", change("S", "select 1"))
    found = session.relay.find_statement(b"s").named
    assert found is not None
    assert found.text == b"select 1"
    run(session, "prepare s from 'drop'", change("s", "drop"), fails=True)
    assert session.relay.find_statement(b"S").named is None  # the server has dropped the old one
    run(session, "deallocate prepare s", change("s", None, created=False))


def test_after_a_batch_that_failed_or_unseen_code_no_name_is_known() -> None:
    session = Session()
    run(session, "prepare a", change("a", "select 1"))
    run(session, "prepare a; prepare b", change("a", "x"), change("b", "y"), fails=True)
    for name in (b"a", b"b"):
        found = session.relay.find_statement(name).named
        assert found is not None
        assert found.text is None
    run(session, "call p()", taints=True)
    assert session.relay.tainted


def test_when_texts_are_forgotten_their_names_stay_and_mean_nothing_known() -> None:
    session = Session()
    run(session, "prepare a", change("a", "delete from t"))
    session.relay.forget_texts()
    found = session.relay.find_statement(b"a").named
    assert found is not None
    assert found.text is None


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


def test_a_name_of_a_very_long_text_is_not_known() -> None:
    session = Session()
    run(session, "prepare a", change("a", "x" * 70_000))
    found = session.relay.find_statement(b"a").named
    assert found is not None
    assert found.text is None


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


# -- the end


def test_a_last_word_is_numbered_as_what_the_client_waits_for() -> None:
    session = Session()
    assert session.relay.farewell(REFUSAL)[3] == 1
    session.client(p.query("select 1"))
    assert session.relay.farewell(REFUSAL)[3] == 1
    session.answer(Forward())
    session.server(p.packets(b"\1", p.column()))
    session.to_client()
    assert session.relay.farewell(REFUSAL)[3] == 3
    session.server(p.packets(p.row(b"a"), first=3))
    assert session.relay.farewell(REFUSAL)[3] == 3  # the row was not sent, and is not any more
    assert session.to_client() == b""


def test_bytes_behind_the_parameters_do_not_go_on() -> None:
    """node's mysql2 counts a byte for each NULL and does not write it: what stands there is what was in memory."""
    session = Session()
    ready_statement(session, "insert into t values (?, ?)", 0, 2)
    sent = p.execute(1, p.text("a"), None, types=(p.VAR_STRING, p.NULL))
    session.client(frame(sent[4:] + b"\x2a"))
    assert session.question.parameters == (b"a", None)
    session.answer(Forward("mine"))
    assert session.to_server() == sent


def test_a_file_that_no_statement_names_is_not_asked_of_the_client() -> None:
    for text, gives in (("select 1", False), ("load data local infile 'a.txt' into table t", True)):
        session = Session()
        session.client(p.query(text))
        if gives:
            session.relay.gives_file()
        session.answer(Forward("mine"))
        with pytest.raises(ProtocolError, match="no statement names"):
            session.server(frame(b"\xfb/etc/passwd", 1))


def test_the_file_that_the_statement_names_goes_up_and_the_answer_is_numbered_on() -> None:
    session = Session()
    session.client(p.query("load data local infile 'a.txt' into table t"))
    session.relay.gives_file()
    session.answer(Forward("mine"))
    session.to_server()
    session.server(frame(b"\xfba.txt", 1))
    assert session.to_client() == frame(b"\xfba.txt", 1)
    sent = frame(b"1\n", 2) + frame(b"2\n", 3) + frame(b"", 4)
    for byte in sent:
        session.client(bytes((byte,)))
    assert session.to_server() == sent
    session.server(frame(p.ok(), 5))
    assert session.to_client() == frame(p.ok(), 5)
