"""MariaDB's progress reports: they have the form of an error and end nothing."""

from __future__ import annotations

import pytest

from protocols.base import Completed, Failed, Forward, ProtocolError, Refuse
from protocols.mysql.capabilities import Capability as C
from protocols.mysql.shared import Limits
from protocols.postgres.messages import error_fields
from tests.protocols import mysql_playbook as p

FLAGS = p.NEW | C.PROGRESS


def alter(flags: C = FLAGS, **options: object) -> p.Session:
    session = p.Session(flags, **options)  # type: ignore[arg-type]
    session.client(p.query("ALTER TABLE t ADD c int"))
    session.answer(Forward())
    session.to_server()
    return session


def test_reports_pass_and_the_answer_is_numbered_on() -> None:
    session = alter()
    reports = [p.progress("copy to tmp table", 1, 2, done) for done in (10, 90_000)]
    for number, report in enumerate(reports, 1):
        session.server(p.packets(report, first=number))
        assert session.to_client() == p.packets(report, first=number)
        assert session.relay.busy
    session.server(p.packets(p.ok(), first=3))
    assert session.to_client() == p.packets(p.ok(), first=3)
    assert [type(effect) for effect in session.effects if not isinstance(effect, Failed)][-1] is Completed
    assert not [effect for effect in session.effects if isinstance(effect, Failed)]
    assert not session.relay.busy


def test_reports_between_rows_pass() -> None:
    """CHECK TABLE describes its result before it begins."""
    session = alter()
    payloads = p.result([p.column()], [p.row(b"a")], FLAGS)
    raw = p.packets(*payloads[:2], p.progress("Checking table"), payloads[2], p.progress("Checking table"), payloads[3])
    session.server(raw)
    assert session.to_client() == raw
    assert not session.relay.busy


def test_an_error_behind_reports_is_the_answer() -> None:
    session = alter()
    raw = p.packets(p.progress("copy to tmp table"), p.err(1062, "Duplicate entry"))
    session.server(raw)
    assert session.to_client() == raw
    assert not session.relay.busy


def test_words_that_an_engine_chose_are_left_out_where_anything_is_masked() -> None:
    for options, words in (
        ({}, "rewriting Ada Lovelace"),
        ({"scrub": lambda fields: fields}, ""),
    ):
        session = alter(**options)
        session.server(p.packets(p.progress("rewriting Ada Lovelace"), p.progress("copy to tmp table"), p.ok()))
        told = p.packets(p.progress(words), p.progress("copy to tmp table"), p.ok())
        assert session.to_client() == told


@pytest.mark.parametrize("report", [b"\xff\xff\xff", b"\xff\xff\xff\1\1\1", p.progress("")[:-1] + b"\x20abc"])
def test_a_broken_report_ends_the_session_where_anything_is_masked(report: bytes) -> None:
    session = alter(scrub=lambda fields: fields)
    with pytest.raises(ProtocolError):
        session.server(p.packets(report))


def test_a_report_that_nobody_asked_for_ends_the_session() -> None:
    session = alter(p.NEW)
    with pytest.raises(ProtocolError, match="progress"):
        session.server(p.packets(p.progress("copy to tmp table")))
    assert session.to_client() == b""


def test_a_report_in_the_middle_of_descriptions_ends_the_session() -> None:
    session = alter()
    with pytest.raises(ProtocolError):
        session.server(p.packets(b"\2", p.column(), p.progress("copy to tmp table")))


def test_reports_on_a_question_of_the_gateways_own_stay_here() -> None:
    session = p.Session(FLAGS)
    session.relay.ask(b"SELECT 1")
    session.advance()
    payloads = p.result([p.column()], [p.row(b"1")], FLAGS)
    session.server(p.packets(p.progress("Sending data"), *payloads))
    assert session.to_client() == b""
    session.client(p.command(0x0E))
    session.server(p.packets(p.ok()))
    assert session.to_client() == p.packets(p.ok())


HELD = error_fields(
    "00000", "wireproxy: held; request wp-7f3a waits:", detail="x" * 400, hint="wireproxy approve wp-7f3a"
)


def told(session: p.Session) -> str:
    """The words of the only report that the client got just now."""
    packet = session.to_client()
    assert packet[4:7] == b"\xff\xff\xff"
    assert len(packet) == 4 + int.from_bytes(packet[:3], "little")
    return packet[14:].decode() if packet[13] < 251 else ""


def test_who_waits_for_an_approval_is_told_by_a_report_and_the_answer_is_numbered_on() -> None:
    session = p.Session(FLAGS)
    session.client(p.query("SELECT 1"))
    session.relay.notice(HELD)
    words = told(session)
    assert words.startswith("wireproxy: held; request wp-7f3a waits: xxx")
    assert words.endswith("… wireproxy approve wp-7f3a")
    assert len(words.encode()) <= 192
    session.answer(Forward())
    assert session.to_server() == p.query("SELECT 1")
    payloads = p.result([p.column()], [p.row(b"a"), p.row(b"b")], FLAGS)
    session.server(p.packets(*payloads))
    assert session.to_client() == p.packets(*payloads, first=2)


def test_a_refusal_behind_a_notice_is_numbered_on_and_the_next_command_begins_anew() -> None:
    session = p.Session(FLAGS)
    session.client(p.query("DROP TABLE t"))
    session.relay.notice(HELD)
    session.relay.notice(HELD)
    session.to_client()
    assert session.relay.farewell(p.REFUSAL)[3] == 3
    session.answer(Refuse(p.REFUSAL))
    assert session.to_client() == p.packets(p.refusal_packet(), first=3)
    session.client(p.command(0x0E))
    session.server(p.packets(p.ok()))
    assert session.to_client() == p.packets(p.ok())


def test_a_refused_execution_with_long_data_is_numbered_behind_its_notice() -> None:
    session = p.Session(FLAGS)
    session.client(p.prepare("UPDATE t SET a = ?"))
    session.answer(Forward())
    session.server(p.prepared(7, FLAGS, 0, 1))
    session.client(p.long_data(7, 0, b"long"), p.execute(7, b"", types=[p.BLOB]))
    session.to_client()
    session.relay.notice(HELD)
    told(session)
    session.answer(Refuse(p.REFUSAL))
    session.server(p.packets(p.ok()))
    assert session.to_client() == p.packets(p.refusal_packet(), first=2)


def test_who_does_not_take_reports_hears_nothing() -> None:
    session = p.Session(p.NEW)
    session.client(p.query("DROP TABLE t"))
    session.relay.notice(HELD)
    assert session.to_client() == b""
    session.answer(Refuse(p.REFUSAL))
    assert session.to_client() == p.packets(p.refusal_packet())


def test_a_notice_does_not_cut_into_a_command_that_is_on_its_way() -> None:
    session = p.Session(FLAGS, Limits(bind_bytes=64))
    session.client(p.prepare("UPDATE t SET a = ?"))
    session.answer(Forward())
    session.server(p.prepared(7, FLAGS, 0, 1))
    session.to_client()
    raw = p.execute(7, p.text("x" * 200))
    session.client(raw[:150])
    session.relay.notice(HELD)
    assert session.to_client() == b""
    session.answer(Refuse(p.REFUSAL))
    session.client(raw[150:])
    assert session.to_client() == p.packets(p.refusal_packet())
