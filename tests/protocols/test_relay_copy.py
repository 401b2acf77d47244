"""Playbooks over the Postgres relay: COPY FROM STDIN."""

from __future__ import annotations

import itertools

import pytest

from protocols.base import Completed, CopyIn, CopyStopped, Described, Forward, ProtocolError
from protocols.postgres.messages import encode_copy_fail, encode_fields, error_fields, frame
from tests.protocols import playbook as p
from tests.protocols.playbook import COPY_IN, LOOK, Session, one, question, redact


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


BEHIND = [
    (p.query("select eaten"),),
    (p.query("select eaten"), p.query("select 1")),
    (frame(b"d", b"bad\n"), p.query("select ssn"), p.query("select 1")),
    (p.parse("select 1", "s"), p.SYNC),
    (p.SYNC, p.bind("s"), p.SYNC),
    (p.SYNC, p.describe("S", "s"), p.SYNC),
    (p.close("S", "s"), p.SYNC),
]


@pytest.mark.parametrize("behind", BEHIND, ids=repr)
@pytest.mark.parametrize("refused", [False, True])
def test_what_was_sent_behind_a_copy_and_is_no_part_of_it_ends_the_session(
    behind: tuple[bytes, ...], refused: bool
) -> None:
    """The server eats it with the copy, or, if the copy fails by itself, runs it: which, its answers do not tell for certain.

    To be wrong is to take the answers of every later statement for those of the one before: its rows leave unmasked.
    """
    session = Session()
    session.client(p.parse("select 1", "s"), p.SYNC)
    session.allow_all()
    session.server(p.PARSE_COMPLETE + p.ready())
    session.client(p.query("copy t from stdin"), *behind)
    session.answer(Forward("copy"))
    session.allow_all(lambda _: p.refuse() if refused else LOOK)
    session.to_client()
    with pytest.raises(ProtocolError, match="behind COPY"):
        session.server(COPY_IN + p.error("P0001", "by a trigger") + p.ready() + p.row_description(("ssn", 1, 1, 25, 0)))
    assert session.to_client() == b""


def masks_the_next_query(session: Session) -> bool:
    session.to_client()
    session.client(p.query("select ssn"))
    session.answer(LOOK)
    described = one(session.server(p.row_description(("ssn", 1, 1, 25, 0)) + p.row(b"123")), Described)
    assert isinstance(described, Described)
    session.relay.plan([redact])
    session.server(p.complete("SELECT 1") + p.ready())
    assert session.relay.idle
    return b"123" not in session.to_client()


def test_a_sync_within_the_data_of_a_copy_shifts_no_answer() -> None:
    """The copy eats it. Were the copy's ReadyForQuery taken for its own, the next result would leave unmasked."""
    session = Session()
    session.client(p.query("copy t from stdin"))
    session.allow_all()
    session.server(COPY_IN)
    session.client(frame(b"d", b"1\n"), p.SYNC, p.SYNC, frame(b"c", b""))
    session.server(p.complete("COPY 1") + p.ready())
    assert session.relay.idle
    assert masks_the_next_query(session)


@pytest.mark.parametrize("uneaten", [0, 1, 2])
def test_a_sync_behind_the_failure_of_a_copy_is_ready_by_itself(uneaten: int) -> None:
    session = Session()
    session.client(p.query("copy t from stdin"))
    session.allow_all()
    session.server(COPY_IN)
    session.client(frame(b"d", b"bad\n"), p.SYNC, p.SYNC)
    session.server(p.error("22P02", "bad") + p.ready() + p.ready() * uneaten)
    session.client(frame(b"c", b""))
    assert session.relay.idle
    assert masks_the_next_query(session)
    session.client(p.query("copy t from stdin"))
    session.allow_all()
    session.server(COPY_IN + p.error("22P02", "bad") + p.ready())
    assert masks_the_next_query(session)


@pytest.mark.parametrize("uneaten", [0, 1])
def test_a_sync_sent_with_an_extended_copy_may_be_eaten_or_end_the_skipping(uneaten: int) -> None:
    session = Session()
    session.client(p.parse("copy t from stdin"), p.bind(), p.execute(), p.SYNC)
    session.allow_all()
    session.server(
        p.PARSE_COMPLETE + p.BIND_COMPLETE + COPY_IN + p.error("P0001", "by a trigger") + p.ready() * uneaten
    )
    session.client(frame(b"c", b""), *[p.SYNC] * (1 - uneaten))
    session.server(p.ready() * (1 - uneaten))
    assert session.relay.idle
    assert masks_the_next_query(session)


def test_a_query_pipelined_behind_the_end_of_a_copy_keeps_its_answer() -> None:
    session = Session()
    session.client(p.query("copy t from stdin"))
    session.answer(Forward("copy"))
    session.client(frame(b"d", b"1\n"), frame(b"c", b""), p.query("select 1"))
    session.answer(Forward("one"))
    effects = session.server(COPY_IN + p.complete("COPY 1") + p.ready() + p.complete("SELECT 1") + p.ready())
    assert [e.attachment for e in effects if isinstance(e, Completed)] == ["copy", "one"]
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


class Stops:
    """A reader of what a copy brings in that stops it at a word."""

    def __init__(self, word: bytes = b"***") -> None:
        self.word = word
        self.seen = b""
        self.finished = False

    def feed(self, data: bytes) -> dict[str, bytes] | None:
        self.seen += data
        return STOPPED if self.word in self.seen else None

    def finish(self) -> dict[str, bytes] | None:
        self.finished = True
        return STOPPED if self.seen.endswith(b"**") else None


STOPPED = error_fields("42501", "wireproxy: stopped")
COPIED = Forward("copy", look=True, barrier=True)
CUT = p.error("57014", "COPY from stdin failed: wireproxy refused 1")


def copy_fail(ticket: int = 1) -> bytes:
    return encode_copy_fail(b"wireproxy refused %d" % ticket)


def copying(*messages: bytes, before: bytes = b"") -> tuple[Session, Stops]:
    """A session in which a copy has begun, and the client goes on with `messages`."""
    session = Session()
    session.client(p.query("copy t from stdin"), *messages)
    session.answer(COPIED)
    session.to_server()
    begun = one(session.server(before + COPY_IN), CopyIn)
    assert isinstance(begun, CopyIn)
    reader = Stops()
    session.relay.plan_copy_in(reader)
    session.advance()
    return session, reader


def test_data_sent_before_the_copy_began_is_looked_at_too() -> None:
    session = Session()
    session.client(p.query("copy t from stdin"), frame(b"d", b"1\n"), frame(b"c", b""))
    session.answer(COPIED)
    assert b"1\n" not in session.to_server(), "its reader is not known yet"
    session.server(COPY_IN)
    assert session.to_server() == b""
    reader = Stops()
    session.relay.plan_copy_in(reader)
    session.advance()
    assert session.to_server() == frame(b"d", b"1\n") + frame(b"c", b"")
    assert (reader.seen, reader.finished) == (b"1\n", True)
    session.server(p.complete("COPY 1") + p.ready())
    assert session.relay.idle


@pytest.mark.parametrize("cuts", [[], [3], [7], [5, 6, 7, 8]])
def test_a_copy_is_failed_at_the_end_of_the_message_that_stops_it(cuts: list[int]) -> None:
    session, _ = copying()
    data = frame(b"d", b"1\n***\n" + b"x" * 20)
    for start, end in itertools.pairwise([0, *cuts, len(data)]):
        session.client(data[start:end])
    stopped = one(session.effects, CopyStopped)
    assert isinstance(stopped, CopyStopped)
    assert stopped.fields == STOPPED
    assert session.to_server() == data + copy_fail()
    session.server(CUT + p.ready())
    assert session.to_client() == COPY_IN + encode_fields(b"E", STOPPED) + p.ready()
    assert session.relay.idle


@pytest.mark.parametrize("rest", [[], [frame(b"d", b"2\n***\n")] * 3, [p.SYNC], [frame(b"d", b"2\n"), p.SYNC, p.SYNC]])
@pytest.mark.parametrize("end", [frame(b"c", b""), frame(b"f", b"given up\0"), b""])
@pytest.mark.parametrize("early", [False, True])
def test_what_the_client_still_sends_of_a_stopped_copy_shifts_no_answer(
    rest: list[bytes], end: bytes, early: bool
) -> None:
    syncs = rest.count(p.SYNC)
    whole = [frame(b"d", b"***\n"), *rest, end]
    session, _ = copying(*whole) if early else copying()
    if not early:
        session.client(*whole)
    assert session.to_server() == frame(b"d", b"***\n") + copy_fail(), "the server is asked for its error first"
    session.server(CUT + p.ready())
    session.advance()
    sent = session.to_server()
    assert sent.count(p.SYNC) == syncs
    session.server(p.ready() * syncs)
    assert session.relay.idle
    assert masks_the_next_query(session)


def test_the_last_line_without_an_end_stops_it_in_the_place_of_copy_done() -> None:
    session, _ = copying(frame(b"d", b"1\n**"))
    session.to_server()
    session.client(frame(b"c", b""))
    assert session.to_server() == copy_fail()
    session.server(CUT + p.ready())
    assert masks_the_next_query(session)


def test_a_copy_that_the_client_fails_is_not_read_to_its_end() -> None:
    session, reader = copying(frame(b"d", b"1\n**"))
    session.client(frame(b"f", b"\0"))
    assert not reader.finished
    session.server(p.error("57014", "COPY from stdin failed: ") + p.ready())
    assert masks_the_next_query(session)


def test_a_copy_that_the_server_fails_while_its_message_passes_is_not_stopped_any_more() -> None:
    session, reader = copying()
    data = frame(b"d", b"bad\n***\n" + b"x" * 20)
    session.client(data[:20])
    session.server(p.error("22P02", "bad") + p.ready())
    session.to_server()
    session.client(data[20:], frame(b"d", b"***"), frame(b"c", b""))
    assert b"refused" not in session.to_server()
    assert len(reader.seen) == 15
    assert masks_the_next_query(session)


def test_an_error_of_the_servers_own_that_crosses_the_stop_is_answered_once() -> None:
    session, _ = copying(frame(b"d", b"***\n"))
    session.server(p.error("22P02", "bad") + p.ready())  # sent before it read the CopyFail, which it ignores
    assert session.to_client() == COPY_IN + encode_fields(b"E", STOPPED) + p.ready()
    session.client(frame(b"c", b""))
    assert masks_the_next_query(session)


@pytest.mark.parametrize("uneaten", [0, 1])
def test_a_stopped_copy_of_the_extended_protocol_skips_to_the_sync(uneaten: int) -> None:
    session = Session()
    session.client(p.parse("copy t from stdin"), p.bind(), p.execute(), p.SYNC)
    session.allow_all(lambda _: COPIED)
    assert session.to_server().endswith(p.describe("P") + p.execute() + p.FLUSH), "the Sync waits"
    session.server(p.PARSE_COMPLETE + p.BIND_COMPLETE + p.NO_DATA + COPY_IN)
    session.relay.plan_copy_in(Stops())
    session.advance()
    assert session.to_server() == p.SYNC
    session.client(frame(b"d", b"***\n"), frame(b"d", b"2\n"), frame(b"c", b""), p.SYNC)
    assert session.to_server() == frame(b"d", b"***\n") + copy_fail(2)
    session.server(p.error("57014", "stopped") + p.ready() * uneaten)
    session.advance()
    assert session.to_server().endswith(p.SYNC)
    session.server(p.ready())
    assert session.to_client() == (
        p.PARSE_COMPLETE + p.BIND_COMPLETE + COPY_IN + encode_fields(b"E", STOPPED) + p.ready() * (1 + uneaten)
    )
    assert session.relay.idle
    assert masks_the_next_query(session)


def test_behind_the_end_of_an_extended_copy_the_server_is_asked_for_its_answer() -> None:
    """Nothing more is read from the client before it comes, and the server sends it by itself at a Sync only."""
    session = Session()
    session.client(p.parse("copy t from stdin"), p.bind(), p.execute(), p.SYNC)
    session.allow_all(lambda _: COPIED)
    session.server(p.PARSE_COMPLETE + p.BIND_COMPLETE + p.NO_DATA + COPY_IN)
    session.relay.plan_copy_in(Stops())
    session.advance()
    session.to_server()
    session.client(frame(b"d", b"1\n"), frame(b"c", b""), p.SYNC)
    assert session.to_server() == frame(b"d", b"1\n") + frame(b"c", b"") + p.FLUSH
    session.server(p.complete("COPY 1"))
    assert session.to_server() == p.SYNC
    session.server(p.ready())
    assert masks_the_next_query(session)


def test_each_copy_of_a_batch_has_a_reader_of_its_own() -> None:
    session = Session()
    session.client(p.query("copy a from stdin; copy b from stdin; select 1"))
    session.answer(COPIED)
    readers = []
    for position in range(2):
        begun = one(session.server(COPY_IN), CopyIn)
        assert isinstance(begun, CopyIn)
        assert begun.position == position
        readers.append(Stops())
        session.relay.plan_copy_in(readers[-1])
        session.client(frame(b"d", b"%d\n" % position), frame(b"c", b""))
        session.server(p.complete("COPY 1"))
    assert [each.seen for each in readers] == [b"0\n", b"1\n"]
    session.server(p.complete("SELECT 1") + p.ready())
    assert session.relay.idle


def test_a_copy_without_a_reader_passes_as_it_is() -> None:
    session = Session()
    session.client(p.query("copy t from stdin"))
    session.answer(COPIED)
    session.server(COPY_IN)
    session.relay.plan_copy_in(None)
    session.to_server()
    session.client(frame(b"d", b"***\n"), frame(b"c", b""))
    assert session.to_server() == frame(b"d", b"***\n") + frame(b"c", b"")


def test_the_end_of_one_copy_of_a_batch_is_not_taken_for_that_of_the_next() -> None:
    """The Sync within the second would be taken for one that the server answers, and the next result leave unmasked."""
    session = Session()
    session.client(p.query("copy a from stdin; copy b from stdin"))
    session.answer(Forward("copies"))
    session.server(COPY_IN)
    session.client(frame(b"d", b"1\n"), frame(b"c", b""))
    session.server(p.complete("COPY 1") + COPY_IN)
    session.client(frame(b"d", b"2\n"), p.SYNC, frame(b"c", b""))
    session.server(p.complete("COPY 1") + p.ready())
    assert session.relay.idle
    assert masks_the_next_query(session)
