"""Playbooks over the Postgres relay: pipelines, prepared statements and portals, and what their names mean."""

from __future__ import annotations

from protocols.base import Completed, Forward, Later, NameChange, Question, Refuse, Stage, Withdrawn
from protocols.postgres.messages import encode_fields, frame
from tests.protocols import playbook as p
from tests.protocols.playbook import REFUSAL, Session, answer_in_turn, one, question


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
    answer_in_turn(session, Forward(), Forward(), Refuse(REFUSAL))
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
    answer_in_turn(session, Forward(), Forward())
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
