"""A file of LOAD DATA LOCAL that must not be stored: no end of it reaches the server before its statement was killed."""

from __future__ import annotations

import pytest

from protocols.base import Failed, Fields, Forward, ProtocolError
from protocols.mysql.messages import encode_err, error_of
from protocols.mysql.packets import frame
from protocols.mysql.shared import FileStopped
from tests.protocols import mysql_playbook as p
from tests.protocols.mysql_playbook import REFUSAL, Session

KILLED = encode_err(error_of({"C": b"70100", "errno": b"1317", "M": b"Query execution was interrupted"}))
FILLER = b"\n" * 5


class Reader:
    """Stops at a piece that has a star in it; what stands at the end alone is found there."""

    def __init__(self) -> None:
        self.seen = b""

    def feed(self, data: bytes) -> Fields | None:
        self.seen += data
        return REFUSAL if b"*" in data else None

    def finish(self) -> Fields | None:
        return REFUSAL if self.seen.endswith(b"!") else None


def started() -> Session:
    session = Session()
    session.client(p.query("load data local infile 'a.txt' into table t"))
    session.relay.gives_file(Reader())
    session.answer(Forward("mine"))
    session.server(frame(b"\xfba.txt", 1))
    session.to_server()
    session.to_client()
    return session


def refused(session: Session, sequence: int) -> None:
    session.server(frame(KILLED, session.relay._shared.exchange.sequence))  # type: ignore[union-attr]
    assert session.to_client() == frame(encode_err(error_of(REFUSAL)), sequence)
    assert [each.fields for each in session.effects if isinstance(each, Failed)] == [REFUSAL]
    assert session.relay.idle


def test_a_file_without_any_passes_to_the_byte() -> None:
    session = started()
    sent = frame(b"1\n", 2) + frame(b"2\n", 3) + frame(b"", 4)
    for byte in sent:
        session.client(bytes((byte,)))
    assert session.to_server() == sent
    session.server(frame(p.ok(), 5))
    assert session.to_client() == frame(p.ok(), 5)
    session.client(p.query("select 1"))
    assert session.question.text == b"select 1"


def test_what_follows_is_thrown_away_and_the_packet_is_filled_up() -> None:
    session = started()
    begin = frame(b"1\n2\n3*\n4\n", 2)
    session.client(begin[:8])
    assert session.to_server() == begin[:8]
    effects = session.client(begin[8:], frame(b"5\n", 3))
    assert [each for each in effects if isinstance(each, FileStopped)] == [FileStopped(1, REFUSAL)]
    session.client(frame(b"6*\n", 4))
    assert session.to_server() == b""
    session.relay.end_file(FILLER)
    assert session.to_server() == b"\n" * 5 + frame(FILLER, 3) + frame(b"", 4)
    session.server(frame(KILLED, 5))
    assert session.to_client() == b""  # the client still sends
    session.client(frame(b"", 5))
    assert session.to_client() == frame(encode_err(error_of(REFUSAL)), 6)
    assert [each.fields for each in session.effects if isinstance(each, Failed)] == [REFUSAL]
    assert session.relay.idle
    session.client(p.query("select 1"))
    assert session.question.text == b"select 1"


def test_what_stands_at_the_end_alone_is_found_before_the_server_has_the_end() -> None:
    session = started()
    session.client(frame(b"1!", 2), frame(b"", 3))
    assert session.to_server() == frame(b"1!", 2)
    session.relay.end_file(FILLER)
    assert session.to_server() == frame(FILLER, 3) + frame(b"", 4)
    refused(session, 4)


def test_the_client_may_end_its_file_before_the_server_is_told() -> None:
    session = started()
    session.client(frame(b"*", 2), frame(b"2\n", 3), frame(b"", 4))
    assert not session.relay.at_command_boundary  # the server reads a file: no command would be taken for one
    session.client(p.query("drop table t"))
    assert session.relay.asking is None
    session.relay.end_file(FILLER)
    assert session.to_server() == frame(b"*", 2)[:4] + b"\n" + frame(FILLER, 3) + frame(b"", 4)
    session.server(frame(KILLED, 5))
    assert session.to_client() == frame(encode_err(error_of(REFUSAL)), 5)
    assert session.question.text == b"drop table t"


def test_a_server_that_takes_it_all_the_same_ends_the_session() -> None:
    session = started()
    session.client(frame(b"*", 2), frame(b"", 3))
    session.relay.end_file(FILLER)
    with pytest.raises(ProtocolError, match="taken"):
        session.server(frame(p.ok(), 5))


def test_packets_out_of_order_are_refused_while_they_are_thrown_away() -> None:
    session = started()
    session.client(frame(b"*", 2))
    with pytest.raises(ProtocolError, match="order"):
        session.client(frame(b"2", 4))


def test_the_numbers_of_many_packets_go_on_over_255() -> None:
    session = started()
    session.client(frame(b"*", 2), *(frame(b"x", (3 + n) % 256) for n in range(300)), frame(b"", (303) % 256))
    session.relay.end_file(FILLER)
    session.to_server()
    session.server(frame(KILLED, 5))
    assert session.to_client() == frame(encode_err(error_of(REFUSAL)), 304 % 256)
