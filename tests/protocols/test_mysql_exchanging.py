"""What is sent in the place of what the client wrote: its text, its values, its long data; and the client hears of its own."""

from __future__ import annotations

import pytest

from protocols.base import Exchange, Forward, ProtocolError, Refuse
from protocols.mysql.messages import Command
from protocols.mysql.packets import encode_lenenc, frame
from protocols.mysql.shared import Limits
from tests.protocols import mysql_playbook as p
from tests.protocols.mysql_playbook import BLOB, LONG, NEW, REFUSAL, VAR_STRING, Session


def prepared(session: Session, parameters: int, waits: frozenset[int] = frozenset(), text: bytes | None = None) -> None:
    session.client(p.prepare("select ?"))
    session.answer(Forward("prepared", exchange=Exchange(text, waits=waits)))
    session.server(p.prepared(1, NEW, 1, parameters))
    session.to_client()


def test_another_text_goes_out_and_the_question_has_the_clients() -> None:
    session = Session()
    session.client(p.query("select 'wp_x'"))
    assert session.question.text == b"select 'wp_x'"
    session.answer(Forward("mine", exchange=Exchange(b"select 'real'")))
    assert session.to_server() == p.query("select 'real'")
    session.server(p.packets(*p.result([p.column()], [p.row(b"1")], NEW)))
    session.client(p.prepare("select 'wp_x'"))
    session.answer(Forward("mine", exchange=Exchange(b"select 'real'")))
    assert session.to_server() == p.prepare("select 'real'")


@pytest.mark.parametrize("exchange", [None, Exchange(b"select 'real'")])
def test_a_message_may_not_quote_what_was_sent_for_the_clients_own(exchange: Exchange | None) -> None:
    heard: list[bytes] = []
    session = Session(NEW, scrub=lambda fields: heard.append(fields["text"]) or dict(fields))  # type: ignore[func-returns-value]
    session.client(p.query("select 'wp_x'"))
    session.answer(Forward("mine", exchange=exchange))
    session.server(p.packets(p.err()))
    assert heard == [b"select 'wp_x'" if exchange is None else b""]


def test_values_are_put_in_the_place_of_the_clients_and_all_others_stay() -> None:
    session = Session()
    prepared(session, 3)
    session.to_server()
    client = p.execute(1, p.text("a"), p.number(5), p.text("wp_x"), types=(VAR_STRING, LONG, BLOB))
    session.client(client)
    one, two, _ = session.question.parameters or ()
    session.answer(Forward("run", exchange=Exchange(parameters=(one, two, b"real value"))))
    assert session.to_server() == client.replace(p.text("wp_x"), p.text("real value")).replace(
        client[:4], frame(b"x" * (len(client) - 4 + len("real value") - len("wp_x")))[:4]
    )
    session.server(p.packets(p.ok()))
    session.client(p.execute(1, p.text("a"), None, p.text("wp_y"), types=None))
    one, two, _ = session.question.parameters or ()
    session.answer(Forward("run", exchange=Exchange(parameters=(one, two, b"r"))))
    assert session.to_server() == p.execute(1, p.text("a"), None, p.text("r"), types=(VAR_STRING, LONG, BLOB))


def test_long_data_of_a_value_that_may_be_translated_waits_for_its_execution() -> None:
    session = Session()
    prepared(session, 2, waits=frozenset({1}))
    session.to_server()
    session.client(p.long_data(1, 0, b"sent at once"), p.long_data(1, 1, b"wp_"), p.long_data(1, 1, b"x"))
    assert session.to_server() == p.long_data(1, 0, b"sent at once")
    session.client(p.execute(1, b"", b"", types=(VAR_STRING, LONG)))
    assert session.question.parameters == (b"sent at once", b"wp_x")
    one, _ = session.question.parameters or ()
    session.answer(Forward("run", exchange=Exchange(parameters=(one, b"real"))))
    assert session.to_server() == p.execute(1, b"", p.text("real"), types=(VAR_STRING, BLOB))
    session.server(p.packets(p.ok()))
    session.client(p.long_data(1, 1, b"other"), p.execute(1, p.text("a"), b"", types=None))
    session.answer(Forward("run"))
    assert session.to_server() == p.execute(1, p.text("a"), p.text("other"), types=(VAR_STRING, BLOB))
    session.server(p.packets(p.ok()))
    session.client(p.execute(1, p.text("a"), p.number(7), types=None))
    session.answer(Forward("run"))
    assert session.to_server() == p.execute(1, p.text("a"), p.number(7), types=(VAR_STRING, LONG))


def test_long_data_that_waited_is_gone_after_a_refusal() -> None:
    session = Session()
    prepared(session, 1, waits=frozenset({0}))
    session.client(p.long_data(1, 0, b"wp_x"), p.execute(1, b"", types=(VAR_STRING,)))
    session.answer(Refuse(REFUSAL))
    session.server(p.packets(p.ok()))
    session.to_server()
    session.client(p.execute(1, p.text("new"), types=(VAR_STRING,)))
    assert session.question.parameters == (b"new",)


def test_long_data_that_was_sent_already_cannot_be_translated() -> None:
    session = Session()
    prepared(session, 1)
    session.client(p.long_data(1, 0, b"wp_x"), p.execute(1, b"", types=(VAR_STRING,)))
    with pytest.raises(ProtocolError, match="sent already"):
        session.answer(Forward("run", exchange=Exchange(parameters=(b"real",))))


def test_long_data_that_waits_is_bounded_and_then_nothing_runs() -> None:
    session = Session(limits=Limits(bind_bytes=10))
    prepared(session, 1, waits=frozenset({0}))
    session.client(p.long_data(1, 0, b"x" * 100), p.execute(1, b"", types=(VAR_STRING,)))
    assert (session.question.truncated, session.question.parameters) == (True, None)
    with pytest.raises(ProtocolError):
        session.answer(Forward("run"))


def test_every_row_of_a_bulk_execution_has_its_values_exchanged() -> None:
    session = Session()
    prepared(session, 2)
    session.to_server()
    head = (1).to_bytes(4, "little")
    types = b"\x03\0\xfd\0"
    body = (
        b"\0"
        + p.number(1)
        + b"\0"
        + p.text("wp_x")
        + b"\0"
        + p.number(2)
        + b"\1"
        + b"\0"
        + p.number(3)
        + b"\0"
        + p.text("b")
    )
    session.client(p.bulk(1, 128, types + body))
    given = session.question.parameters or ()
    assert (given[1], session.question.row_length) == (b"wp_x", 2)
    new = (given[0], b"real", *given[2:])
    session.answer(Forward("run", exchange=Exchange(parameters=new)))
    assert session.to_server() == frame(
        bytes((Command.STMT_BULK_EXECUTE,))
        + head
        + b"\x80\0"
        + types
        + body.replace(p.text("wp_x"), encode_lenenc(b"real"))
    )


def test_a_value_of_another_type_is_sent_in_that_type_and_the_clients_own_come_back_after_it() -> None:
    session = Session()
    prepared(session, 3, waits=frozenset({2}))
    session.to_server()
    types = (LONG, VAR_STRING, LONG)
    session.client(p.long_data(1, 2, b"7"), p.execute(1, p.number(5), p.text("2000-01-01"), b"", types=types))
    assert session.question.parameters == (b"5", b"2000-01-01", b"7")
    new = (b"-3", b"1985-07-14", b"18446744073709551615")
    session.answer(Forward("run", exchange=Exchange(types=(8, 10, 0x8008), parameters=new)))
    day = b"\4" + (1985).to_bytes(2, "little") + bytes((7, 14))
    sent = p.execute(1, (-3).to_bytes(8, "little", signed=True), day, b"\xff" * 8, types=(8, 10, 0x8008))
    assert session.to_server() == sent
    session.server(p.packets(p.ok()))
    session.client(p.execute(1, p.number(6), p.text("x"), p.number(1), types=None))
    session.answer(Forward("run"))
    assert session.to_server() == p.execute(1, p.number(6), p.text("x"), p.number(1), types=types)
    session.server(p.packets(p.ok()))
    session.client(p.execute(1, None, p.text("x"), p.number(1), types=None))
    session.answer(Forward("run", exchange=Exchange(types=(8, VAR_STRING, LONG), parameters=(None, b"y", b"1"))))
    assert p.text("y") in session.to_server()


def test_a_bulk_execution_declares_the_types_of_what_is_sent_for_all_its_rows() -> None:
    session = Session()
    prepared(session, 1)
    session.to_server()
    session.client(p.bulk(1, 128, b"\x03\0" + b"\0" + p.number(1) + b"\1" + b"\0" + p.number(2)))
    assert session.question.parameters == (b"1", None, b"2")
    session.answer(Forward("run", exchange=Exchange(types=(8,) * 3, parameters=(b"-1", None, b"9"))))
    rows = b"\0" + b"\xff" * 8 + b"\1" + b"\0" + (9).to_bytes(8, "little")
    assert session.to_server() == p.bulk(1, 128, b"\x08\0" + rows)
