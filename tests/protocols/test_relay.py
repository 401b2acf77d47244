"""Playbooks: whole exchanges over the Postgres relay, message by message."""

from __future__ import annotations

import pytest

from protocols.base import (
    Completed,
    CopyOut,
    Described,
    Failed,
    Forward,
    Later,
    NameChange,
    ParameterChanged,
    ProtocolError,
    Question,
    Ready,
    Refuse,
    Rows,
    Stage,
    Terminated,
    Withdrawn,
)
from protocols.postgres.limits import RelayLimits
from protocols.postgres.messages import (
    TERMINATE,
    decode_fields,
    encode_fields,
    encode_notification,
    error_fields,
    frame,
)
from tests.protocols import playbook as p
from tests.protocols.playbook import REFUSAL, Session


def one(effects: list[object], kind: type) -> object:
    found = [effect for effect in effects if type(effect) is kind]
    assert len(found) == 1, effects
    return found[0]


def question(session: Session) -> Question:
    asked = session.relay.asking
    assert asked is not None
    return asked


# -- simple query


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


# -- extended query


def pipeline(session: Session, *verdicts: object) -> None:
    for verdict in verdicts:
        assert isinstance(verdict, Forward | Refuse | Later)
        session.answer(verdict)


def test_parse_and_bind_are_asked_and_execute_follows_from_bind() -> None:
    session = Session()
    session.client(p.parse("select $1"), p.bind("", "", b"7"), p.describe("P"), p.execute(), p.SYNC)
    assert question(session).stage is Stage.PARSE
    session.answer(Forward("at parse"))
    asked = question(session)
    assert (asked.stage, asked.text, asked.parameters, asked.attachment) == (
        Stage.BIND,
        b"select $1",
        (b"7",),
        "at parse",
    )
    session.answer(Forward("at bind"))
    assert session.relay.asking is None
    assert session.to_server() == (p.parse("select $1") + p.bind("", "", b"7") + p.describe("P") + p.execute() + p.SYNC)
    answer = (
        p.PARSE_COMPLETE + p.BIND_COMPLETE + p.row_description(("x", 0, 0, 25, 0)) + p.row(b"7")
        + p.complete("SELECT 1") + p.ready()
    )  # fmt: skip
    effects = session.server(answer)
    assert session.to_client() == answer
    done = one(effects, Completed)
    assert isinstance(done, Completed)
    assert done.attachment == "at bind"


def test_deny_in_pipeline_skips_to_sync() -> None:
    session = Session()
    session.client(
        p.parse("select 1"),
        p.bind(),
        p.execute(),
        p.parse("drop table t"),
        p.bind(),
        p.execute(),
        p.SYNC,
        p.query("select 2"),
    )
    pipeline(session, Forward(), Forward(), Refuse(REFUSAL))
    # the server skips the Bind and the Execute behind it, so nothing is asked about them
    assert question(session).text == b"select 2"
    session.allow_all()
    ticket = next(e.ticket for e in session.effects if isinstance(e, Question) and e.text == b"drop table t")
    sent = session.to_server()
    assert p.stand_in_parse(ticket, b"") in sent
    assert b"drop table" not in sent
    session.server(p.PARSE_COMPLETE + p.BIND_COMPLETE + p.complete("SELECT 1") + p.error("42601", "syntax") + p.ready())
    assert session.to_client() == (
        p.PARSE_COMPLETE + p.BIND_COMPLETE + p.complete("SELECT 1") + encode_fields(b"E", REFUSAL) + p.ready()
    )
    session.server(p.complete("SELECT 1") + p.ready())
    assert session.relay.idle


def test_an_error_before_a_held_statement_withdraws_it() -> None:
    session = Session()
    session.client(p.parse("select 1/0"), p.bind(), p.execute(), p.parse("delete from t", "d"), p.SYNC)
    pipeline(session, Forward(), Forward())
    held = question(session)
    session.relay.hold()
    sent = session.to_server()
    assert sent.endswith(p.FLUSH)
    effects = session.server(p.PARSE_COMPLETE + p.BIND_COMPLETE + p.error("22012", "division by zero"))
    assert one(effects, Withdrawn) == Withdrawn(held.ticket)
    assert session.relay.asking is None
    assert session.to_server() == p.SYNC
    session.server(p.ready())
    assert session.relay.idle


def test_a_refused_bind_does_not_drop_the_unnamed_statement() -> None:
    session = Session()
    session.client(p.parse("delete from t"), p.SYNC)
    session.answer(Forward())
    session.server(p.PARSE_COMPLETE + p.ready())
    session.to_server()
    session.client(p.bind(), p.execute(), p.SYNC)
    ticket = question(session).ticket
    session.answer(Refuse(REFUSAL))
    assert session.to_server().startswith(p.stand_in_parse(ticket, b"wireproxy_refused"))


def test_swapping_a_prepared_name_in_one_pipeline_does_not_hide_the_old_statement() -> None:
    """Parse of an existing name fails, the old statement stays, and a Bind behind the next Sync runs the old one."""
    session = Session()
    session.client(p.parse("delete from t", "s"), p.SYNC)
    session.answer(Forward())
    session.server(p.PARSE_COMPLETE + p.ready())
    session.client(p.parse("select 1", "s"), p.SYNC, p.bind("s"), p.execute(), p.SYNC)
    session.answer(Forward())
    assert session.relay.asking is None, "the name is in flight: nothing is asked before the server has answered"
    session.server(p.error("42P05", 'prepared statement "s" already exists') + p.ready())
    asked = question(session)
    assert (asked.stage, asked.text) == (Stage.BIND, b"delete from t")


def test_names_are_cut_at_63_bytes_as_the_server_does() -> None:
    session = Session()
    long = "n" * 63
    session.client(p.parse("delete from t", long + "a"), p.SYNC)
    session.answer(Forward())
    session.server(p.PARSE_COMPLETE + p.ready())
    session.client(p.bind(long + "b"))
    assert question(session).text == b"delete from t"


def test_sql_prepare_and_protocol_bind_share_their_names() -> None:
    session = Session()
    session.client(p.query("prepare s as delete from t"))
    session.answer(Forward(names=(NameChange("statement", b"s", True, b"delete from t"),)))
    session.client(p.bind("s"))
    assert session.relay.asking is None, "whether the PREPARE worked is not known yet"
    session.server(p.complete("PREPARE") + p.ready())
    assert question(session).text == b"delete from t"


def test_a_failed_sql_prepare_leaves_the_name_as_it_was() -> None:
    session = Session()
    session.client(p.query("prepare s as delete from t"))
    session.answer(Forward(names=(NameChange("statement", b"s", True, b"delete from t"),)))
    session.server(p.error("42P05", "exists") + p.ready())
    session.client(p.bind("s"))
    assert question(session).text is None


def test_what_a_batch_prepared_before_it_failed_stays() -> None:
    session = Session()
    session.client(p.query("prepare a as select 1; prepare b as select 2"))
    names = (
        NameChange("statement", b"a", True, b"select 1", position=0),
        NameChange("statement", b"b", True, b"select 2", position=1),
    )
    session.answer(Forward(names=names))
    session.server(p.complete("PREPARE") + p.error("42P05", "exists") + p.ready())
    assert session.relay.find_statement(b"a").named is not None
    assert session.relay.find_statement(b"b").named is None


def test_what_may_have_prepared_by_itself_taints_every_name_but_the_unnamed() -> None:
    session = Session()
    session.client(p.parse("select 1", "s"), p.parse("select 2"), p.SYNC)
    session.allow_all()
    session.server(p.PARSE_COMPLETE + p.PARSE_COMPLETE + p.ready())
    session.client(p.query("select f()"))
    session.answer(Forward(taints=True))
    session.server(p.complete("SELECT 1") + p.ready())
    assert session.relay.tainted
    assert session.relay.find_statement(b"s").named is None
    assert session.relay.find_statement(b"").named is not None


def test_a_portal_outlives_its_closed_statement_but_not_its_transaction() -> None:
    session = Session()
    session.client(p.query("begin"))
    session.allow_all()
    session.server(p.complete("BEGIN") + p.ready("T"))
    session.client(p.parse("select 1", "s"), p.bind("s", "c"), p.close("S", "s"), p.SYNC)
    session.allow_all()
    session.server(p.PARSE_COMPLETE + p.BIND_COMPLETE + p.CLOSE_COMPLETE + p.ready("T"))
    assert session.relay.find_statement(b"s").named is None
    assert session.relay.find_portal(b"c").named is not None
    session.client(p.query("commit"))
    session.allow_all()
    session.server(p.complete("COMMIT") + p.ready("I"))
    assert session.relay.find_portal(b"c").named is None


def test_a_portal_bound_under_an_older_policy_is_asked_about_again() -> None:
    session = Session()
    session.client(p.parse("select 1"), p.bind("", "c"), p.FLUSH)
    session.allow_all()
    session.server(p.PARSE_COMPLETE + p.BIND_COMPLETE)
    session.relay.verdicts_changed()
    session.client(p.execute("c"), p.SYNC)
    asked = question(session)
    assert (asked.stage, asked.text) == (Stage.EXECUTE, b"select 1")


def test_portal_suspended_ends_an_execute_and_the_next_goes_on() -> None:
    session = Session()
    session.client(p.parse("select g"), p.bind(), p.execute("", 1), p.execute("", 1), p.SYNC)
    session.allow_all()
    answer = (
        p.PARSE_COMPLETE
        + p.BIND_COMPLETE
        + p.row(b"1")
        + p.SUSPENDED
        + p.row(b"2")
        + p.complete("SELECT 1")
        + p.ready()
    )
    effects = session.server(answer)
    assert session.to_client() == answer
    assert [e.tag for e in effects if isinstance(e, Completed)] == [b"", b"SELECT 1"]


def test_a_barrier_keeps_what_follows_until_the_server_has_answered() -> None:
    session = Session()
    session.client(p.query("set standard_conforming_strings = off"), p.query("select '\\'"))
    session.answer(Forward(barrier=True))
    assert session.relay.asking is None
    session.server(p.complete("SET") + p.ready())
    assert question(session).text == b"select '\\'"


def test_later_asks_the_same_question_again() -> None:
    session = Session()
    session.client(p.query("select 1"), p.query("execute s"))
    session.answer(Forward())
    first = question(session)
    session.answer(Later())
    assert session.relay.asking is None
    session.server(p.complete("SELECT 1") + p.ready())
    assert question(session) == first


def test_function_calls_are_asked_about_and_never_forwarded() -> None:
    session = Session()
    session.client(frame(b"F", b"\0\0\0\1\0\0\0\0\0\0"))
    assert question(session).stage is Stage.FUNCTION_CALL
    ticket = question(session).ticket
    session.answer(Refuse(REFUSAL))
    assert session.to_server() == p.stand_in_query(ticket)
    session.server(p.error("42601", "syntax") + p.ready())
    assert session.to_client() == encode_fields(b"E", REFUSAL) + p.ready()


# -- results that are looked at


LOOK = Forward("attached", look=True)


def redact(_: bytes | None) -> bytes | None:
    return b"***"


def test_no_row_leaves_before_its_description_is_planned() -> None:
    session = Session()
    session.client(p.query("select name, ssn from customers"))
    session.answer(LOOK)
    head = p.row_description(("name", 1, 1, 25, 0), ("ssn", 1, 2, 25, 0))
    effects = session.server(head + p.row(b"Ann", b"123-45-6789") + p.complete("SELECT 1") + p.ready())
    described = one(effects, Described)
    assert isinstance(described, Described)
    assert [column.name for column in described.columns] == [b"name", b"ssn"]
    assert session.to_client() == head
    session.relay.plan([None, redact])
    session.advance()
    assert session.to_client() == p.row(b"Ann", b"***") + p.complete("SELECT 1") + p.ready()


def test_a_result_without_describe_is_planned_all_the_same() -> None:
    session = Session()
    session.client(p.parse("select ssn from customers"), p.bind(), p.execute(), p.SYNC)
    pipeline(session, Forward(), LOOK)
    assert session.to_server() == (
        p.parse("select ssn from customers") + p.bind() + p.describe("P") + p.execute() + p.SYNC
    )
    session.server(p.PARSE_COMPLETE + p.BIND_COMPLETE + p.row_description(("ssn", 1, 2, 25, 1)) + p.row(b"123-45-6789"))
    session.relay.plan([redact])
    session.server(p.complete("SELECT 1") + p.ready())
    # the description was asked for by the gateway: the client does not see it
    assert (
        session.to_client() == p.PARSE_COMPLETE + p.BIND_COMPLETE + p.row(b"***") + p.complete("SELECT 1") + p.ready()
    )


def test_a_row_of_another_arity_than_described_is_a_protocol_error() -> None:
    session = Session()
    session.client(p.query("select ssn from customers"))
    session.answer(LOOK)
    session.server(p.row_description(("ssn", 1, 2, 25, 0)))
    session.relay.plan([redact])
    with pytest.raises(ProtocolError, match="columns"):
        session.server(p.row(b"a", b"b"))


def test_rows_that_come_without_a_description_never_leave() -> None:
    session = Session()
    session.client(p.query("select ssn from customers"))
    session.answer(LOOK)
    with pytest.raises(ProtocolError, match="description"):
        session.server(p.row(b"123-45-6789"))
    assert b"123" not in session.to_client()


def test_each_statement_of_a_batch_is_planned_for_itself() -> None:
    session = Session()
    session.client(p.query("select ssn from c; select ssn from c"))
    session.answer(LOOK)
    head = p.row_description(("ssn", 1, 2, 25, 0))
    first = one(session.server(head + p.row(b"1") + p.complete("SELECT 1") + head + p.row(b"2")), Described)
    session.relay.plan([redact])
    second = one(session.advance(), Described)
    assert isinstance(first, Described)
    assert isinstance(second, Described)
    assert (first.position, second.position) == (0, 1)
    session.relay.plan([redact])
    session.advance()
    assert b"\0\0\0\x011" not in session.to_client()


def test_a_second_result_of_one_statement_says_so() -> None:
    session = Session()
    session.client(p.query("insert into t values (1)"))
    session.answer(LOOK)
    head = p.row_description(("ssn", 1, 2, 25, 0))
    session.server(head)
    session.relay.plan(None)
    again = one(session.server(head), Described)
    assert isinstance(again, Described)
    assert again.again


def test_a_masked_null_stays_null_and_a_mask_may_be_null() -> None:
    session = Session()
    session.client(p.query("select a, b from t"))
    session.answer(LOOK)
    session.server(p.row_description(("a", 1, 1, 25, 0), ("b", 1, 2, 25, 0)))
    session.relay.plan([lambda value: value, lambda _: None])
    session.to_client()
    session.server(p.row(None, b"x"))
    assert session.to_client() == p.row(None, None)


def test_copy_out_is_planned_before_its_first_byte() -> None:
    class Stars:
        def rewrite(self, buffer: bytes, at: int) -> tuple[bytes, int]:
            end = at + 1 + int.from_bytes(buffer[at + 1 : at + 5])
            return buffer[at : at + 5] + b"*" * (end - at - 5), end

        def finish(self) -> bytes:
            return b"."

    session = Session()
    session.client(p.query("copy t to stdout"))
    session.answer(LOOK)
    copy = one(session.server(frame(b"H", b"\0\0\1\0\0") + frame(b"d", b"123\n")), CopyOut)
    assert isinstance(copy, CopyOut)
    assert (copy.binary, copy.columns) == (False, 1)
    session.to_client()
    session.relay.plan_copy(Stars())
    session.server(frame(b"c", b"") + p.complete("COPY 1") + p.ready())
    assert session.to_client() == (
        frame(b"d", b"****") + frame(b"d", b".") + frame(b"c", b"") + p.complete("COPY 1") + p.ready()
    )


def test_errors_and_notices_go_through_the_scrubber() -> None:
    session = Session(scrub=lambda fields: {"M": b"clean", "C": fields["C"]}, scrub_notification=lambda *_: b"clean")
    session.client(p.query("select 1"))
    session.allow_all()
    notice = encode_fields(b"N", error_fields("00000", "secret", severity="NOTICE"))
    session.server(notice + encode_notification(7, b"c", b"secret") + p.error("22P02", "secret") + p.ready())
    assert b"secret" not in session.to_client()


# -- copy in


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


COPY_IN = frame(b"G", b"\0\0\1\0\0")


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


# -- streaming, bounds and hostile bytes


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
     b"p\0\0\0\5\0", b"S\0\0\0\5x"],
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


def test_a_client_that_never_reads_cannot_grow_the_queue() -> None:
    session = Session(RelayLimits(owed=10))
    with pytest.raises(ProtocolError, match="without reading"):
        session.client(p.SYNC * 20)


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


def test_recorded_frames_end_at_the_first_that_does_not_fit() -> None:
    session = Session()
    session.client(p.query("select x"))
    session.answer(Forward(record_bytes=len(p.row(b"1")) * 2))
    effects = session.server(p.row(b"1") + p.row(b"2") + p.row(b"3") + p.complete("SELECT 3") + p.ready())
    kept = one(effects, Rows)
    assert isinstance(kept, Rows)
    assert kept.frames == p.row(b"1") + p.row(b"2")


def test_an_error_without_a_statement_has_no_ticket() -> None:
    session = Session()
    effects = session.server(encode_fields(b"E", error_fields("57P01", "terminating", severity="FATAL")))
    failed = one(effects, Failed)
    assert isinstance(failed, Failed)
    assert failed.ticket is None


def test_recorded_rows_of_a_described_portal_begin_with_its_description() -> None:
    session = Session()
    session.client(p.parse("select 1"), p.bind(), p.describe("P"), p.execute(), p.SYNC)
    session.answer(Forward())
    session.answer(Forward(record_bytes=1000))
    head = p.row_description(("x", 0, 0, 23, 1))
    effects = session.server(
        p.PARSE_COMPLETE + p.BIND_COMPLETE + head + p.row(b"\0\0\0\1") + p.complete("SELECT 1") + p.ready()
    )
    kept = one(effects, Rows)
    assert isinstance(kept, Rows)
    assert kept.frames == head + p.row(b"\0\0\0\1")


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
    error = p.error("22P02", "x") if kind == b"N" else b""
    answer = encode_fields(kind, fields) + error + p.ready()
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
    session.server(p.ready())
    assert session.to_client() == p.ready()


def test_an_ordinary_message_beyond_its_limit_ends_the_session() -> None:
    session = Session(RelayLimits(message_bytes=20_000))
    session.client(p.query("SELECT 1"))
    session.allow_all()
    with pytest.raises(ProtocolError, match="message_bytes"):
        session.server(b"T" + (30_000).to_bytes(4, "big") + b"x" * 10)
