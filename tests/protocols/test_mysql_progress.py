"""MariaDB's progress reports: they have the form of an error and end nothing."""

from __future__ import annotations

import pytest

from protocols.base import Completed, Failed, Forward, ProtocolError
from protocols.mysql.capabilities import Capability as C
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
