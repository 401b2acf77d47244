"""What belongs to a MySQL session as a whole: its transaction, names, user, files, the gateway's own questions, its end."""

from __future__ import annotations

import pytest

from protocols.base import Forward, NameChange, ProtocolError
from protocols.mysql.capabilities import Capability
from protocols.mysql.messages import Command
from protocols.mysql.packets import frame
from protocols.mysql.shared import Answered, ConnectionReset, LoginPacket, UserChanging
from tests.protocols import mysql_playbook as p
from tests.protocols.mysql_playbook import BOTH, NEW, REFUSAL, Session, kinds, one, ready_statement


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


def test_a_server_that_ends_the_session_may_say_why() -> None:
    session = Session()
    effects = session.server(frame(p.err(1053, "Server shutdown in progress"), 0))
    assert kinds(effects) == ["Failed"]
    assert session.to_client() == frame(p.err(1053, "Server shutdown in progress"), 0)


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


def test_a_name_of_a_very_long_text_is_not_known() -> None:
    session = Session()
    run(session, "prepare a", change("a", "x" * 70_000))
    found = session.relay.find_statement(b"a").named
    assert found is not None
    assert found.text is None


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
