"""Descriptions of columns that a client does not get: MySQL's resultset_metadata, and what MariaDB's clients have already."""

from __future__ import annotations

import tracemalloc

import pytest

from protocols.base import Forward, ParameterChanged, ProtocolError
from protocols.mysql.capabilities import Capability as C
from protocols.mysql.describing import GATHERED_BYTES
from protocols.mysql.messages import MORE_RESULTS
from protocols.mysql.packets import frame
from protocols.mysql.shared import Limits, ResultDescribed
from tests.protocols import mysql_playbook as p

OPTIONAL = p.NEW | C.OPTIONAL_METADATA
OPTIONAL_OLD = p.OLD | C.OPTIONAL_METADATA
CACHING = p.NEW | C.CACHE_METADATA
CACHING_OLD = p.OLD | C.BULK | C.CACHE_METADATA
COLUMNS = [p.column("id", p.LONGLONG), p.column("ssn")]
ROWS = [p.row(b"1", b"078"), p.row(b"2", None)]
BINARY_ROWS = [p.binary_row((1).to_bytes(8, "little"), p.text("078")), p.binary_row((2).to_bytes(8, "little"), None)]
MASKS = (None, lambda value: b"***")

both = pytest.mark.parametrize("flags", [OPTIONAL, OPTIONAL_OLD], ids=["ok", "eof"])
caching = pytest.mark.parametrize("flags", [CACHING, CACHING_OLD], ids=["ok", "eof"])


def marked(
    flags: C, mark: int | None, rows: list[bytes], columns: list[bytes] = COLUMNS, status: int = 2
) -> list[bytes]:
    """A result as it is with this mark behind its count of columns; None: without a mark."""
    payloads = p.result(columns, rows, flags, status)
    count = len(columns)
    if mark is None:
        return payloads
    return [payloads[0] + bytes((mark,)), *(payloads[1:] if mark else payloads[1 + count :])]


def select(session: p.Session, *, look: bool = False, record_bytes: int = 0) -> None:
    session.client(p.query("SELECT id, ssn FROM t"))
    session.answer(Forward(look=look, record_bytes=record_bytes))
    session.to_server()


# -- MySQL


@both
def test_a_described_result_passes_byte_for_byte(flags: C) -> None:
    session = p.Session(flags)
    select(session)
    raw = p.packets(*marked(flags, 1, ROWS))
    session.server(raw)
    assert session.to_client() == raw


@both
def test_a_client_that_wants_no_descriptions_gets_none_and_the_gateway_masks_by_them(flags: C) -> None:
    session = p.Session(flags)
    session.relay.describe_results(False)
    select(session, look=True, record_bytes=1000)
    session.server(p.packets(*marked(flags, 1, ROWS)))
    (described,) = [effect for effect in session.effects if isinstance(effect, ResultDescribed)]
    assert [column.name for column in described.columns] == [b"id", b"ssn"]
    session.relay.plan(MASKS)
    session.advance()
    assert session.to_client() == p.packets(*marked(flags, 0, [p.row(b"1", b"***"), p.row(b"2", b"***")]))


@both
def test_it_gets_none_of_several_results_and_of_a_result_without_masks(flags: C) -> None:
    session = p.Session(flags)
    session.relay.describe_results(False)
    select(session)
    first, second = (marked(flags, 1, ROWS, status=status) for status in (2 | MORE_RESULTS, 2))
    session.server(p.packets(*first, *second))
    bare = [marked(flags, 0, ROWS, status=status) for status in (2 | MORE_RESULTS, 2)]
    assert session.to_client() == p.packets(*bare[0], *bare[1])


@both
def test_it_gets_none_when_it_prepares(flags: C) -> None:
    session = p.Session(flags)
    session.relay.describe_results(False)
    session.client(p.prepare("SELECT id, ssn FROM t WHERE id = ?"))
    session.answer(Forward())
    session.server(prepared(flags, 1))
    assert session.to_client() == prepared(flags, 0)
    session.client(p.execute(7, p.text("1")))
    session.answer(Forward())
    session.server(p.packets(*marked(flags, 1, BINARY_ROWS)))
    assert session.to_client() == p.packets(*marked(flags, 0, BINARY_ROWS))


@both
def test_it_is_described_to_again_after_a_reset(flags: C) -> None:
    session = p.Session(flags)
    session.relay.describe_results(False)
    session.client(p.command(0x1F))
    session.server(p.packets(p.ok()))
    session.to_client()
    select(session)
    raw = p.packets(*marked(flags, 1, ROWS))
    session.server(raw)
    assert session.to_client() == raw


def test_the_servers_change_is_heard_and_the_gateways_own_is_not() -> None:
    session = p.Session(OPTIONAL)
    session.client(p.query("SET resultset_metadata = NONE"))
    session.answer(Forward())
    session.server(p.packets(p.ok(state=p.variable_changed("resultset_metadata", "NONE"))))
    assert ParameterChanged("resultset_metadata", "NONE") in session.effects
    session.effects.clear()
    session.relay.ask(b"SET SESSION resultset_metadata = FULL")
    session.advance()
    session.server(p.packets(p.ok(state=p.variable_changed("resultset_metadata", "FULL"))))
    assert not [effect for effect in session.effects if isinstance(effect, ParameterChanged)]


@both
def test_a_bare_result_that_nothing_masks_passes_and_the_server_is_to_be_set_back(flags: C) -> None:
    """`SET resultset_metadata = NONE; SELECT …` in one text, or in a way that the server did not tell of."""
    session = p.Session(flags)
    select(session, record_bytes=1000)
    raw = p.packets(*marked(flags, 0, ROWS))
    session.server(raw)
    assert session.to_client() == raw
    assert ParameterChanged("resultset_metadata", "NONE") in session.effects
    assert not [effect for effect in session.effects if isinstance(effect, ResultDescribed)]


@both
def test_a_bare_result_that_may_be_masked_ends_the_session(flags: C) -> None:
    session = p.Session(flags)
    select(session, look=True)
    with pytest.raises(ProtocolError, match="resultset_metadata"):
        session.server(p.packets(*marked(flags, 0, ROWS)))
    assert session.to_client() in (b"", p.packets(b"\2\0"))


@both
def test_a_statement_that_was_prepared_bare_says_so(flags: C) -> None:
    session = p.Session(flags)
    session.client(p.prepare("SELECT id, ssn FROM t WHERE id = ?"))
    session.answer(Forward())
    session.server(prepared(flags, 0))
    assert session.to_client() == prepared(flags, 0)
    assert ParameterChanged("resultset_metadata", "NONE") in session.effects
    select(session)


@pytest.mark.parametrize("mark", [b"", b"\2", b"\1\1"])
def test_a_count_with_a_broken_mark_ends_the_session(mark: bytes) -> None:
    session = p.Session(OPTIONAL)
    select(session)
    with pytest.raises(ProtocolError):
        session.server(p.packets(b"\2" + mark))


def test_a_server_that_has_no_marks_gets_them_put_in() -> None:
    session = p.Session(OPTIONAL, server=p.NEW)
    select(session)
    session.server(p.packets(*marked(p.NEW, None, ROWS)))
    assert session.to_client() == p.packets(*marked(OPTIONAL, 1, ROWS))
    session.client(p.prepare("SELECT id, ssn FROM t WHERE id = ?"))
    session.answer(Forward())
    session.server(p.prepared(7, p.NEW, 2, 1))
    assert session.to_client() == prepared(OPTIONAL, 1, [p.column("?")] * 2)


def prepared(flags: C, mark: int, columns: list[bytes] = COLUMNS) -> bytes:
    """The answer to a COM_STMT_PREPARE with one parameter, with MySQL's mark."""
    payloads = [p.prepare_ok(7, len(columns), 1) + bytes((mark,))]
    for definitions in ([p.column("?")], columns):
        payloads += definitions if mark else []
        if not flags & C.DEPRECATE_EOF:
            payloads.append(p.eof())
    return p.packets(*payloads)


# -- MariaDB


def prepare(session: p.Session, columns: list[bytes] = COLUMNS) -> None:
    session.client(p.prepare("SELECT id, ssn FROM t"))
    session.answer(Forward())
    payloads = [p.prepare_ok(7, len(columns)), *columns]
    if not session.flags & C.DEPRECATE_EOF:
        payloads.append(p.eof())
    raw = p.packets(*payloads)
    session.server(raw)
    assert session.to_client() == raw
    session.to_server()


def execute(
    session: p.Session,
    columns: list[bytes] = COLUMNS,
    rows: list[bytes] = BINARY_ROWS,
    *,
    look: bool = False,
) -> bytes:
    """What the client gets of an execution; the server describes it."""
    session.client(p.execute(7))
    session.answer(Forward(look=look))
    session.server(p.packets(*marked(session.flags & ~C.CACHE_METADATA, None, rows, columns)))
    if look:
        session.relay.plan(MASKS)
        session.advance()
    return session.to_client()


@caching
def test_a_query_is_described_in_any_case(flags: C) -> None:
    session = p.Session(flags, server=flags & ~C.CACHE_METADATA)
    for _ in range(2):
        select(session)
        session.server(p.packets(*marked(flags, None, ROWS)))
        assert session.to_client() == p.packets(*marked(flags, 1, ROWS))


@caching
def test_an_execution_is_not_described_again_when_nothing_changed(flags: C) -> None:
    session = p.Session(flags, server=flags & ~C.CACHE_METADATA)
    prepare(session)
    for _ in range(2):
        assert execute(session) == p.packets(*marked(flags, 0, BINARY_ROWS))


@caching
def test_a_table_that_changed_between_two_executions_is_described_once(flags: C) -> None:
    session = p.Session(flags, server=flags & ~C.CACHE_METADATA)
    prepare(session)
    wider = [p.column("id", p.LONGLONG), p.column("ssn", flags=1)]
    assert execute(session) == p.packets(*marked(flags, 0, BINARY_ROWS))
    assert execute(session, wider) == p.packets(*marked(flags, 1, BINARY_ROWS, wider))
    assert execute(session, wider) == p.packets(*marked(flags, 0, BINARY_ROWS, wider))
    more = [*COLUMNS, p.column("new")]
    rows = [p.binary_row((1).to_bytes(8, "little"), p.text("078"), p.text("x"))]
    assert execute(session, more, rows) == p.packets(*marked(flags, 1, rows, more))
    assert execute(session) == p.packets(*marked(flags, 1, BINARY_ROWS))


@caching
def test_an_execution_is_masked_by_descriptions_that_the_client_does_not_get(flags: C) -> None:
    session = p.Session(flags, server=flags & ~C.CACHE_METADATA)
    prepare(session)
    got = execute(session, look=True)
    described = [effect for effect in session.effects if isinstance(effect, ResultDescribed)]
    assert [column.name for column in described[0].columns] == [b"id", b"ssn"]
    rows = [p.binary_row((number).to_bytes(8, "little"), p.text("***")) for number in (1, 2)]
    assert got == p.packets(*marked(flags, 0, rows))


@caching
def test_a_statement_with_very_long_descriptions_is_described_each_time(flags: C) -> None:
    session = p.Session(flags, server=flags & ~C.CACHE_METADATA)
    long = [p.column("x" * 900) for _ in range(GATHERED_BYTES // 900 + 1)]
    rows = [p.binary_row(*[None] * len(long))]
    prepare(session, long)
    for _ in range(2):
        assert execute(session, long, rows) == p.packets(*marked(flags, 1, rows, long))


@caching
def test_what_is_kept_of_descriptions_while_a_statement_is_prepared_is_bounded(flags: C) -> None:
    session = p.Session(flags, server=flags & ~C.CACHE_METADATA)
    session.client(p.prepare("SELECT id, ssn FROM t"))
    session.answer(Forward())
    tracemalloc.start()
    try:
        session.server(p.packets(p.prepare_ok(7, 60_000)))
        for number in range(100):
            session.server(frame(p.column("x" * 500_000), number + 2))
            session.to_client()
        assert tracemalloc.get_traced_memory()[0] < 10_000_000
    finally:
        tracemalloc.stop()


def test_what_a_procedure_selects_is_described_each_time() -> None:
    session = p.Session(CACHING, server=p.NEW)
    prepare(session, [])
    for _ in range(2):
        assert execute(session) == p.packets(*marked(CACHING, 1, BINARY_ROWS))


def test_long_rows_behind_descriptions_that_were_left_out_stream_under_their_numbers() -> None:
    session = p.Session(CACHING, Limits(message_bytes=1 << 16), server=p.NEW)
    long = [p.binary_row((1).to_bytes(8, "little"), p.text("x" * size)) for size in (0xFFFFFF - 15, 40_000_000, 5)]
    prepare(session)
    session.client(p.execute(7))
    session.answer(Forward())
    got = b""
    raw = p.packets(*marked(p.NEW, None, long))
    for start in range(0, len(raw), 1 << 20):
        session.server(raw[start : start + (1 << 20)])
        got += session.to_client()
        assert session.relay.at_message_boundary or start + (1 << 20) < len(raw)
    assert got == p.packets(*marked(CACHING, 0, long))


def test_many_rows_in_any_pieces_keep_their_order_under_new_numbers() -> None:
    rows = [p.binary_row(number.to_bytes(8, "little"), p.text("v" * (number % 300))) for number in range(700)]
    raw = p.packets(*marked(p.NEW, None, rows))
    for size in (1, 7, 4096, len(raw)):
        session = p.Session(CACHING, server=p.NEW)
        prepare(session)
        session.client(p.execute(7))
        session.answer(Forward(record_bytes=100))
        for start in range(0, len(raw), size):
            session.server(raw[start : start + size])
        assert session.to_client() == p.packets(*marked(CACHING, 0, rows))
