"""Results and errors of a MySQL server on their way to the client: counted, masked, scrubbed, and nothing else let through."""

from __future__ import annotations

import pytest

from protocols.base import Completed, Failed, Fields, Forward, ParameterChanged, ProtocolError, Rows
from protocols.mysql.capabilities import Capability
from protocols.mysql.messages import CURSOR_EXISTS, EOF, MORE_RESULTS, PS_OUT_PARAMS, STATE_CHANGED, Ok, encode_ok
from protocols.mysql.packets import FULL_PAYLOAD, encode_lenenc_int, frame
from protocols.mysql.shared import Limits, ResultDescribed
from tests.protocols import mysql_playbook as p
from tests.protocols.mysql_playbook import BOTH, NEW, OLD, Session, kinds, one, ready_statement


def test_several_results_are_counted_and_the_last_one_ends_the_answer() -> None:
    session = Session(OLD)
    session.client(p.query("insert into t values (1); select 1"))
    session.answer(Forward())
    answer = p.packets(p.ok(2 | MORE_RESULTS, affected=1, tracks=False), *p.result([p.column()], [p.row(b"1")], OLD))
    done = [effect for effect in session.server(answer) if isinstance(effect, Completed)]
    assert [(each.position, each.tag) for each in done] == [(0, b"OK 1"), (1, b"ROWS 1")]
    assert session.to_client() == answer
    assert not session.relay.busy


def test_the_servers_error_passes_and_ends_the_answer() -> None:
    session = Session()
    session.client(p.query("selec"))
    session.answer(Forward())
    failed = one(session.server(p.packets(p.err())), Failed)
    assert isinstance(failed, Failed)
    assert (failed.fields["C"], failed.fields["errno"]) == (b"42000", b"1064")
    assert session.to_client() == p.packets(p.err())
    assert not session.relay.busy


def test_an_error_among_rows_ends_the_answer() -> None:
    session = Session()
    session.client(p.query("select x from t"))
    session.answer(Forward())
    answer = p.packets(b"\1", p.column(), p.row(b"1"), p.err())
    assert "Failed" in kinds(session.server(answer))
    assert session.to_client() == answer
    assert not session.relay.busy


# -- what the server may not do


@pytest.mark.parametrize(
    "answer",
    [
        p.packets(p.ok(), first=2),
        p.packets(b"\xfe\0\0\2\0"),
        p.packets(b"\1\0"),
        p.packets(b"\1", b"\3def"),
        p.packets(b"\0\0"),
        p.packets(b""),
        p.packets(b"\1", p.column(), b"\xfe\0\0\2"),
    ],
)
def test_a_server_that_breaks_the_protocol_ends_the_session(answer: bytes) -> None:
    session = Session()
    session.client(p.query("select 1"))
    session.answer(Forward(look=True))
    with pytest.raises(ProtocolError):
        session.server(answer)
        session.relay.plan(None)
        session.advance()


def test_rows_that_nobody_asked_for_end_the_session() -> None:
    session = Session()
    with pytest.raises(ProtocolError, match="nobody asked"):
        session.server(p.packets(p.row(b"secret")))


def test_a_count_of_columns_that_no_result_has_ends_the_session() -> None:
    session = Session()
    session.client(p.query("select 1"))
    session.answer(Forward())
    with pytest.raises(ProtocolError, match="columns"):
        session.server(p.packets(b"\xfe" + (1 << 40).to_bytes(8, "little")))


# -- what the client did not ask to hear


def test_a_client_that_does_not_track_is_spared_the_sessions_changes() -> None:
    session = Session(OLD)
    session.client(p.query("use shop"))
    session.answer(Forward())
    effects = session.server(p.packets(p.ok(2, state=p.variable_changed("sql_mode", "ANSI_QUOTES"))))
    assert one(effects, ParameterChanged) == ParameterChanged("sql_mode", "ANSI_QUOTES")
    assert session.to_client() == p.packets(p.ok(2, tracks=False))


def test_a_client_that_tracks_gets_the_servers_bytes() -> None:
    session = Session(NEW)
    session.client(p.query("use shop"))
    session.answer(Forward())
    answer = p.packets(p.ok(2, state=p.schema_changed("shop")))
    session.server(answer)
    assert session.to_client() == answer


# -- masking


@BOTH
def test_no_row_leaves_before_its_plan_and_then_masked(flags: Capability) -> None:
    session = Session(flags)
    session.client(p.query("select card, id from t"))
    session.answer(Forward(look=True))
    columns = [p.column("card"), p.column("id")]
    rows = [p.row(b"4111", b"1"), p.row(None, b"2")]
    described = one(session.server(p.packets(*p.result(columns, rows, flags))), ResultDescribed)
    assert isinstance(described, ResultDescribed)
    assert [(c.schema, c.org_table, c.org_name) for c in described.columns] == [
        (b"shop", b"t", b"card"), (b"shop", b"t", b"id"),
    ]  # fmt: skip
    assert b"4111" not in session.to_client()
    assert not session.relay.reads_server
    session.relay.plan([lambda value: None if value is None else b"***", None])
    session.advance()
    sent = session.to_client()
    masked = p.packets(*p.result(columns, [p.row(b"***", b"1"), p.row(None, b"2")], flags))
    assert masked.endswith(sent)
    assert b"4111" not in sent


def test_a_row_of_another_arity_than_its_plan_ends_the_session() -> None:
    session = Session()
    session.client(p.query("select card, id from t"))
    session.answer(Forward(look=True))
    session.server(p.packets(b"\2", p.column("card"), p.column("id"), p.row(b"4111")))
    session.relay.plan([lambda _: b"*", None])
    with pytest.raises(ProtocolError):
        session.advance()
    assert b"4111" not in session.to_client()


def test_a_plan_for_another_number_of_columns_ends_the_session() -> None:
    session = Session()
    session.client(p.query("select card from t"))
    session.answer(Forward(look=True))
    session.server(p.packets(b"\1", p.column("card")))
    with pytest.raises(ProtocolError):
        session.relay.plan([None, None])


def test_a_masked_row_that_takes_fewer_packets_renumbers_what_follows() -> None:
    session = Session(limits=Limits(masked_row_bytes=2 * FULL_PAYLOAD))
    session.client(p.query("select doc from t"))
    session.answer(Forward(look=True))
    rows = [p.row(b"x" * FULL_PAYLOAD), p.row(b"y")]
    session.server(p.packets(*p.result([p.column()], rows, NEW)))
    session.relay.plan([lambda _: b"***"])
    session.advance()
    assert session.to_client() == p.packets(*p.result([p.column()], [p.row(b"***")] * 2, NEW))


def test_a_masked_row_over_its_limit_ends_the_session_before_it_piles_up() -> None:
    session = Session(limits=Limits(masked_row_bytes=100))
    session.client(p.query("select doc from t"))
    session.answer(Forward(look=True))
    session.server(p.packets(b"\1", p.column()))
    session.relay.plan([lambda _: b"***"])
    with pytest.raises(ProtocolError, match="masked_row_bytes"):
        session.server(frame(p.row(b"x" * 200), 3)[:20])


def test_a_long_row_streams_and_one_that_begins_like_an_end_is_a_row() -> None:
    session = Session()
    session.client(p.query("select doc from t"))
    session.answer(Forward())
    long_first = p.row(b"z" * (FULL_PAYLOAD + 5))
    assert long_first[0] == EOF
    answer = p.packets(*p.result([p.column()], [long_first, p.row(b"1")], NEW))
    got = b""
    for start in range(0, len(answer), 1 << 20):
        session.server(answer[start : start + (1 << 20)])
        pieces = session.relay.take_for_client()
        assert sum(map(len, pieces)) <= (1 << 20) + 100
        got += b"".join(pieces)
    assert got == answer
    (done,) = [effect for effect in session.effects if isinstance(effect, Completed)]
    assert done.rows == 2


def test_rows_are_kept_for_the_record_as_they_leave() -> None:
    session = Session()
    session.client(p.query("select card from t"))
    session.answer(Forward(look=True, record_bytes=1000))
    session.server(p.packets(*p.result([p.column("card")], [p.row(b"4111")], NEW)))
    session.relay.plan([lambda _: b"***"])
    rows = one(session.advance(), Rows)
    assert isinstance(rows, Rows)
    assert rows.frames == frame(p.row(b"***"), 3)


def test_the_record_ends_with_the_first_row_that_does_not_fit() -> None:
    session = Session()
    session.client(p.query("select card from t"))
    session.answer(Forward(record_bytes=20))
    rows = [p.row(b"1"), p.row(b"2" * 30), p.row(b"3")]
    effects = session.server(p.packets(*p.result([p.column()], rows, NEW)))
    described = one(effects, ResultDescribed)
    assert isinstance(described, ResultDescribed)
    assert not described.asks
    found = one(effects, Rows)
    assert isinstance(found, Rows)
    assert found.frames == frame(p.row(b"1"), 3)


def test_an_error_is_scrubbed_with_the_text_that_it_may_quote_and_an_ok_packet_too() -> None:
    given: list[Fields] = []

    def scrub(fields: Fields) -> Fields:
        given.append(fields)
        return {**fields, "M": b""}

    session = Session(scrub=scrub)
    session.client(p.query("UPDATE t SET x = 1"))
    session.answer(Forward())
    said = Ok(1, 0, 2 | STATE_CHANGED, 0, b"Rows matched: secret", p.schema_changed("s"))
    session.server(p.packets(encode_ok(said, tracks=True)))
    assert session.to_client() == p.packets(encode_ok(said._replace(info=b""), tracks=True))
    session.client(p.query("SELEC"))
    session.answer(Forward())
    failed = session.server(p.packets(p.err(1064, "near 'SELEC'")))
    assert [fields.get("text") for fields in given] == [None, b"SELEC"]
    assert not any("text" in effect.fields for effect in failed if isinstance(effect, Failed))


def test_rows_that_a_procedure_selects_while_its_own_cursor_is_open_are_masked_and_pass() -> None:
    """MariaDB sets CURSOR_EXISTS then, though the client opened none."""
    session = Session(OLD)
    session.client(p.query("call p()"))
    session.answer(Forward(look=True))
    status = 2 | CURSOR_EXISTS | MORE_RESULTS
    payloads = p.result([p.column()], [p.row(b"secret")], OLD, status)
    (described,) = session.server(p.packets(*payloads, p.ok(tracks=False)))
    assert isinstance(described, ResultDescribed)
    session.relay.plan([lambda _: b"*"])
    session.advance()
    masked = p.result([p.column()], [p.row(b"*")], OLD, status)
    assert session.to_client() == p.packets(*masked, p.ok(tracks=False))


def test_out_parameters_are_followed_by_an_end_that_mysql_announces_before_their_row_alone() -> None:
    session = Session(OLD)
    ready_statement(session, "call p(?)", columns=0)
    session.client(p.execute(1, p.text("x")))
    session.answer(Forward("at execute"))
    head = [
        encode_lenenc_int(1),
        p.column(),
        p.eof(2 | MORE_RESULTS | PS_OUT_PARAMS),
        p.binary_row(p.text("y")),
        p.eof(2),
    ]
    answer = p.packets(*head, p.ok(tracks=False))
    effects = session.server(answer)
    assert kinds(effects) == ["Completed", "Completed"]
    assert session.to_client().endswith(answer)
    assert not session.relay.busy


def test_what_an_error_says_is_scrubbed_and_its_number_stays() -> None:
    session = Session(scrub=lambda fields: {**fields, "M": b"withheld"})
    session.client(p.query("select cast(card as signed) from t"))
    session.answer(Forward())
    session.server(p.packets(p.err(1292, "Truncated incorrect INTEGER value: '4111-secret'", "22007")))
    assert session.to_client() == p.packets(p.err(1292, "withheld", "22007"))
