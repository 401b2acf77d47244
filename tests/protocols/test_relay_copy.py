"""Playbooks over the Postgres relay: COPY FROM STDIN."""

from __future__ import annotations

import pytest

from protocols.base import Completed, Described, Forward, ProtocolError
from protocols.postgres.messages import frame
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
