"""Heads of results that came before: found again by their bytes, and then as if they had been read anew."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.base import Completed, Forward, ProtocolError, Rows
from protocols.mysql.capabilities import Capability
from protocols.mysql.heads import Heads
from protocols.mysql.messages import CURSOR_EXISTS, decode_column
from protocols.mysql.packets import frame
from protocols.mysql.shared import MySqlEffect, ResultDescribed
from tests.protocols import mysql_playbook as p
from tests.protocols.mysql_playbook import NEW, OLD, Session

BOTH = pytest.mark.parametrize("flags", [OLD, NEW], ids=["eof", "deprecate-eof"])
COLUMNS = ([p.column()], [p.column("y")], [p.column(kind=p.LONG), p.column("y")], [p.column(table="other")])


def ask(session: Session, verdict: Forward) -> None:
    session.client(p.query("select x from t"))
    session.answer(verdict)
    session.to_server()


def described(effects: Sequence[MySqlEffect]) -> ResultDescribed:
    (found,) = [effect for effect in effects if isinstance(effect, ResultDescribed)]
    return found


@BOTH
def test_the_second_time_it_is_described_by_the_same_columns(flags: Capability) -> None:
    session = Session(flags)
    answer = p.packets(*p.result(COLUMNS[2], [p.row(b"1", b"a")], flags))
    ask(session, Forward(record_bytes=100))
    first = described(session.server(answer))
    assert session.to_client() == answer
    ask(session, Forward(record_bytes=100))
    effects = session.server(answer)
    assert session.to_client() == answer
    assert described(effects).columns is first.columns
    assert [effect.frames for effect in effects if isinstance(effect, Rows)]
    assert [effect.rows for effect in effects if isinstance(effect, Completed)] == [1]


@BOTH
def test_the_second_time_too_no_row_leaves_before_its_plan(flags: Capability) -> None:
    session = Session(flags)
    answer = p.packets(*p.result(COLUMNS[0], [p.row(b"4111")], flags))
    ask(session, Forward())
    session.server(answer)
    assert session.to_client() == answer
    ask(session, Forward(look=True))
    assert described(session.server(answer)).asks
    assert b"4111" not in session.to_client()
    session.relay.plan([lambda _: b"***"])
    session.advance()
    assert b"4111" not in (sent := session.to_client())
    assert p.packets(*p.result(COLUMNS[0], [p.row(b"***")], flags)).endswith(sent)


def test_a_head_with_another_status_is_another() -> None:
    session = Session(OLD)
    for status in (2, 3, 2):
        head = [b"\1", p.column(), p.eof(status)]
        ask(session, Forward())
        session.server(p.packets(*head))
        assert session.relay.transaction_status == ("T" if status & 1 else "I")
        session.server(p.packets(p.row(b"1"), p.eof(status), first=4))
        assert session.to_client() == p.packets(*head, p.row(b"1"), p.eof(status))


@BOTH
def test_packets_out_of_order_are_not_taken_for_a_head_that_is_known(flags: Capability) -> None:
    session = Session(flags)
    answer = p.result(COLUMNS[0], [p.row(b"1")], flags)
    ask(session, Forward())
    session.server(p.packets(*answer))
    ask(session, Forward())
    with pytest.raises(ProtocolError, match="out of order"):
        session.server(p.packets(*answer, first=2))


def test_a_cursor_is_opened_by_a_head_that_a_result_with_rows_had_before() -> None:
    session = Session(OLD)
    session.client(p.prepare("select x from t"))
    session.answer(Forward())
    session.server(p.prepared(1, OLD, 1))
    head = [b"\1", p.column(), p.eof(2 | CURSOR_EXISTS)]
    for cursor in (0, 1):
        session.client(p.execute(1, cursor=cursor))
        session.answer(Forward())
        session.server(p.packets(*head))
        if not cursor:
            assert session.relay.busy
            session.server(p.packets(p.row(b"1"), p.eof(), first=4))
    assert not session.relay.busy
    session.client(p.fetch(1))
    assert session.to_server().endswith(p.fetch(1))


def test_only_the_last_few_are_kept_and_none_that_is_long() -> None:
    heads = Heads()
    for number in range(40):
        payloads = [b"\1", p.column(f"c{number}")]
        heads.keep(1, payloads, b"", (decode_column(payloads[1]),), 0)
    assert heads.find(p.packets(b"\1", p.column("c39")), 0, 1) is not None
    assert heads.find(p.packets(b"\1", p.column("c0")), 0, 1) is None
    wide = p.column("x" * 20_000)
    heads.keep(1, [b"\1", wide], b"", (decode_column(wide),), 0)
    assert heads.find(p.packets(b"\1", wide), 0, 1) is None


def shown(effects: Sequence[MySqlEffect]) -> list[object]:
    """What of the effects must not hang on whether a head is known, nor on how the answer was cut."""
    found: list[object] = []
    for effect in effects:
        if isinstance(effect, ResultDescribed):
            found.append((effect.columns, effect.binary, effect.asks))
        elif isinstance(effect, Completed):
            found.append((effect.tag, effect.rows, effect.size_bytes))
    return found


ANSWERS = st.tuples(st.sampled_from(range(len(COLUMNS))), st.integers(0, 2), st.sampled_from([2, 3]), st.booleans())
KINDS = (OLD, NEW, OLD | Capability.CACHE_METADATA, NEW | Capability.CACHE_METADATA)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(ANSWERS, min_size=2, max_size=6),
    st.sampled_from(KINDS),
    st.booleans(),
    st.lists(st.integers(0, 200), max_size=3),
)
def test_a_session_that_knows_heads_says_what_one_that_knows_none_says(
    answers: list[tuple[int, int, int, bool]], flags: Capability, prepared: bool, cuts: list[int]
) -> None:
    knowing, forgetting = Session(flags), Session(flags)
    if prepared:
        for session in (knowing, forgetting):
            session.client(p.prepare("select x from t"))
            session.answer(Forward())
            session.server(p.prepared(1, flags, 1))
            session.to_server(), session.to_client()
    for which, rows, status, masked in answers:
        columns = COLUMNS[which]
        values = [p.number(7), p.text("secret")][-len(columns) :]
        row = p.binary_row(*values) if prepared else p.row(*[b"7", b"secret"][-len(columns) :])
        payloads = p.result(columns, [row] * rows, flags, status)
        answer = b"".join(frame(payload, 1 + place) for place, payload in enumerate(payloads))
        places = [0, *sorted(cut % len(answer) for cut in cuts), len(answer)]
        told, left = [], []
        for session in (knowing, forgetting):
            if session is forgetting:
                session.relay._backend._heading._heads._kept.clear()
            session.client(p.execute(1) if prepared else p.query("select x from t"))
            session.answer(Forward(look=masked, record_bytes=50))
            session.to_server()
            effects: list[MySqlEffect] = []
            for start, end in pairwise(places):
                found = session.server(answer[start:end])
                if any(isinstance(effect, ResultDescribed) and effect.asks for effect in found):
                    session.relay.plan([None, lambda _: b"***"][-len(columns) :])
                    found += session.advance()
                effects += found
            told.append(shown(effects))
            left.append(session.to_client())
        assert told[0] == told[1]
        assert left[0] == left[1]
        assert masked is False or b"secret" not in left[0]


@pytest.mark.parametrize("flags", KINDS[2:], ids=["eof", "deprecate-eof"])
def test_a_client_that_has_the_descriptions_gets_a_known_head_without_them(flags: Capability) -> None:
    session = Session(flags)
    session.client(p.prepare("select x from t"))
    session.answer(Forward())
    session.server(p.prepared(1, flags, 1))
    session.to_client()
    answer = p.packets(*p.result(COLUMNS[0], [p.binary_row(p.text("a"))], flags))
    sent = []
    for _ in range(3):
        session.client(p.execute(1))
        session.answer(Forward())
        session.server(answer)
        sent.append(session.to_client())
    assert p.column() in sent[0]
    assert p.column() not in sent[1]
    assert sent[1] == sent[2]


@BOTH
def test_descriptions_without_end_end_the_session_before_they_fill_the_memory(flags: Capability) -> None:
    session = Session(flags)
    ask(session, Forward(look=True))
    session.server(frame(b"\xfd" + (65_535).to_bytes(3, "little"), 1))
    long = p.column("x" * 60_000)
    with pytest.raises(ProtocolError, match="descriptions"):
        for number in range(300):
            session.server(frame(long, number + 2))
    assert number < 290


def test_descriptions_that_are_too_long_to_be_kept_come_as_they_are_each_time() -> None:
    session = Session(NEW)
    columns = [p.column(f"{'x' * 250}{number}") for number in range(100)]
    answer = p.packets(*p.result(columns, [p.row(*[b"1"] * 100)], NEW))
    for _ in range(3):
        ask(session, Forward(look=True))
        session.server(answer)
        session.relay.plan([lambda _: b"***"] + [None] * 99)
        session.advance()
        assert session.to_client() == p.packets(*p.result(columns, [p.row(b"***", *[b"1"] * 99)], NEW))
