"""Playbooks over the Postgres relay: results that are looked at, masked or recorded."""

from __future__ import annotations

import struct

import pytest

from protocols.base import CopyOut, Described, Forward, ProtocolError, Rows
from protocols.postgres.messages import encode_fields, encode_notification, error_fields, frame
from tests.protocols import playbook as p
from tests.protocols.playbook import LOOK, Session, answer_in_turn, one, redact


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
    answer_in_turn(session, Forward(), LOOK)
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


def test_recorded_frames_end_at_the_first_that_does_not_fit() -> None:
    session = Session()
    session.client(p.query("select x"))
    session.answer(Forward(record_bytes=len(p.row(b"1")) * 2))
    effects = session.server(p.row(b"1") + p.row(b"2") + p.row(b"3") + p.complete("SELECT 3") + p.ready())
    kept = one(effects, Rows)
    assert isinstance(kept, Rows)
    assert kept.frames == p.row(b"1") + p.row(b"2")


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


def bind_all(statement: str, *formats: int) -> bytes:
    """A Bind without parameters that chooses the formats of its columns."""
    body = b"\0" + statement.encode() + b"\0" + struct.pack("!HH", 0, 0)
    return frame(b"B", body + struct.pack(f"!H{len(formats)}h", len(formats), *formats))


@pytest.mark.parametrize(
    ("formats", "described"), [((), (0, 0)), ((1,), (1, 1)), ((1, 0), (1, 0)), ((0, 1), (0, 1)), ((1, 1, 1), (0, 0))]
)
def test_recorded_rows_of_a_described_statement_are_described_as_they_were_bound(
    formats: tuple[int, ...], described: tuple[int, int]
) -> None:
    session = Session()
    session.client(p.parse("select 1 as x, 2 as longer", "s"), p.describe("S", "s"), p.SYNC)
    session.allow_all()
    session.server(
        p.PARSE_COMPLETE
        + frame(b"t", b"\0\0")
        + p.row_description(("x", 0, 0, 23, 0), ("longer", 7, 1, 25, 0))
        + p.ready()
    )
    for _ in range(2):
        session.client(bind_all("s", *formats), p.execute(), p.SYNC)
        session.answer(Forward(record_bytes=1000))
        rows = p.row(b"1", b"2") + p.row(b"3", b"4")
        effects = session.server(p.BIND_COMPLETE + rows + p.complete("SELECT 2") + p.ready())
        kept = one(effects, Rows)
        assert isinstance(kept, Rows)
        head = p.row_description(("x", 0, 0, 23, described[0]), ("longer", 7, 1, 25, described[1]))
        assert kept.frames == head + rows


def test_recorded_rows_never_get_the_description_of_another_portal_or_of_a_later_statement() -> None:
    session = Session()
    session.client(
        p.parse("select 1 as x", "s"), p.bind("s", "a"), p.describe("P", "a"), p.bind("s", "b"), p.execute("b"), p.SYNC
    )
    answer_in_turn(session, Forward(), Forward(record_bytes=1000), Forward(record_bytes=1000))
    row = p.row(b"1")
    effects = session.server(
        p.PARSE_COMPLETE + p.BIND_COMPLETE + p.row_description(("forged", 0, 0, 23, 0)) + p.BIND_COMPLETE
        + row + p.complete("SELECT 1") + p.ready("T")
    )  # fmt: skip
    kept = one(effects, Rows)
    assert isinstance(kept, Rows)
    assert kept.frames == row
    # the statement's name goes to another one, which is described; the portal runs what it was bound from
    session.client(p.close("S", "s"), p.parse("select 2 as y", "s"), p.describe("S", "s"), p.execute("a"), p.SYNC)
    session.answer(Forward())
    effects = session.server(
        p.CLOSE_COMPLETE + p.PARSE_COMPLETE + frame(b"t", b"\0\0") + p.row_description(("y", 0, 0, 23, 0))
        + row + p.complete("SELECT 1") + p.ready("T")
    )  # fmt: skip
    kept = one(effects, Rows)
    assert isinstance(kept, Rows)
    assert kept.frames == row


def test_a_description_of_a_statement_that_ends_early_is_a_protocol_error_when_it_is_needed() -> None:
    session = Session()
    session.client(p.parse("select 1 as x", "s"), p.describe("S", "s"), bind_all("s", 1), p.execute(), p.SYNC)
    answer_in_turn(session, Forward(), Forward(record_bytes=1000))
    head = frame(b"T", p.row_description(("x", 0, 0, 23, 0))[5:-3])
    with pytest.raises(ProtocolError, match="RowDescription"):
        session.server(p.PARSE_COMPLETE + frame(b"t", b"\0\0") + head + p.BIND_COMPLETE + p.row(b"1"))
