"""A server that breaks the protocol on purpose: whatever it says, in whatever order, no row goes past the masks.

Where it does what a server never does, the session ends; nothing but ProtocolError is raised.
"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.base import CopyIn, CopyOut, Described, Fields, Forward, ProtocolError, Question, Refuse
from protocols.mysql.capabilities import Capability as C
from protocols.mysql.messages import Command
from protocols.mysql.packets import encode_lenenc, encode_lenenc_int
from protocols.mysql.relay import MySqlRelay
from protocols.mysql.shared import ResultDescribed
from protocols.postgres.messages import frame
from protocols.postgres.relay import Relay
from tests.protocols import mysql_playbook as m
from tests.protocols import playbook as p

COPY_OUT = frame(b"H", b"\0\0\1\0\0")
DESCRIPTION = p.row_description(("ssn", 1, 1, 25, 0))
ROW = p.row(b"secret")
COPIED = frame(b"d", b"copied\n")


def scrubbed(fields: Fields) -> Fields:
    """Only the words of the server: where they come from decides about everything else."""
    return {code: b"***" if code == "M" else value for code, value in fields.items() if code != "text"}


# -- PostgreSQL


@pytest.mark.parametrize(
    "said",
    [
        COPY_OUT + ROW,
        COPY_OUT + DESCRIPTION + ROW,
        DESCRIPTION + COPIED,
        DESCRIPTION + ROW + COPIED,
        COPY_OUT + frame(b"c", b"") + COPIED,
    ],
)
def test_rows_and_copied_data_do_not_stand_for_each_other(said: bytes) -> None:
    session = p.Session()
    session.client(p.query("select ssn"))
    session.answer(p.LOOK)
    with pytest.raises(ProtocolError):
        play_postgres(session.relay, [said])
    assert b"secret" not in session.to_client()


@pytest.mark.parametrize("verdict", [Refuse(p.REFUSAL), Forward(), p.LOOK], ids=["refused", "allowed", "looked at"])
def test_nothing_but_its_end_comes_behind_the_error_of_a_text(verdict: Refuse | Forward) -> None:
    session = p.Session()
    session.client(p.query("select ssn; select ssn"))
    session.answer(verdict)
    session.server(p.error("42P01", "no"))
    with pytest.raises(ProtocolError):
        play_postgres(session.relay, [DESCRIPTION + ROW])
    assert b"secret" not in session.to_client()


def play_postgres(relay: Relay, said: list[bytes]) -> bytes:
    """What the client gets, every row masked, and nothing of copied data."""
    got = b""
    for piece in [b"", *said]:
        relay.feed_server(piece)
        while effects := relay.advance():
            for effect in effects:
                match effect:
                    case Question():
                        relay.decide(effect.ticket, Forward(look=True, record_bytes=100))
                    case Described():
                        relay.plan([p.redact] * len(effect.columns))
                    case CopyOut():
                        relay.plan_copy(None)
                    case CopyIn():
                        relay.plan_copy_in(None)
        got += b"".join(relay.take_for_client())
    return got


FIELDS = st.lists(
    st.sampled_from([(6, b"secret"), (6, b"secret"), (-1, b""), (0, b"secret"), (7, b"secret"), (2**31 - 1, b"")])
)
ROWS = st.builds(
    lambda count, fields: frame(
        b"D", struct.pack("!H", count) + b"".join(struct.pack("!i", size) + value for size, value in fields)
    ),
    st.sampled_from([0, 1, 2, 65_535]),
    FIELDS,
)
COLUMN = st.builds(
    lambda name, origin, kind, form: (name, origin, 1, kind, form),
    st.sampled_from(["ssn", ""]), st.sampled_from([0, 1]), st.sampled_from([25, 20, 0]), st.sampled_from([0, 1, 7]),
)  # fmt: skip
DESCRIPTIONS = st.lists(COLUMN, min_size=1, max_size=3).map(lambda columns: p.row_description(*columns))
WHOLE = st.builds(
    lambda description, rows, end: description + rows + rows + end,
    DESCRIPTIONS, ROWS, st.sampled_from([p.complete("SELECT 2") + p.ready(), p.complete("COPY 1"), b""]),
)  # fmt: skip
OTHERS = st.sampled_from(
    [
        p.ready(), p.ready("E"), p.complete("SELECT 1"), p.error("42P01", "x"), p.PARSE_COMPLETE, p.BIND_COMPLETE, p.CLOSE_COMPLETE,
        p.NO_DATA, p.SUSPENDED, p.EMPTY, COPY_OUT, p.COPY_IN, COPIED, frame(b"c", b""), frame(b"t", b"\0\1\0\0\0\x19"),
        frame(b"S", b"search_path\0a\0"), frame(b"A", b"\0\0\0\1a\0b\0"), frame(b"N", b"qx\0\0"), frame(b"W", b"\0\0\0"),
        frame(b"v", b"\0\3\0\0\0\0\0\0"), frame(b"K", b"\0\0\0\1\0\0\0\1"), frame(b"T", b"\0\1"), frame(b"D", b""),
        p.PARSE_COMPLETE + p.BIND_COMPLETE + DESCRIPTION + ROW + p.complete("SELECT 1") + p.ready(),
    ]
)  # fmt: skip
ASKED = st.sampled_from(
    [
        p.query("a"), p.query("a;b"), p.parse("a", "n") + p.SYNC, p.bind("n") + p.execute() + p.SYNC,
        p.parse("a") + p.bind() + p.describe("S", "") + p.execute() + p.SYNC,
        p.bind("n") + p.describe("P", "") + p.execute(rows=1) + p.execute() + p.SYNC,
    ]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(ASKED, min_size=1, max_size=4), st.lists(st.one_of(ROWS, DESCRIPTIONS, WHOLE, OTHERS), max_size=8))
def test_no_row_of_a_hostile_postgres_goes_past_the_masks(asked: list[bytes], said: list[bytes]) -> None:
    relay = Relay(scrub=scrubbed)
    relay.feed_client(b"".join(asked))
    got = b""
    try:
        got = play_postgres(relay, said)
    except ProtocolError:
        got += b"".join(relay.take_for_client())
    assert b"\0\0\0\6secret" not in got


# -- MySQL and MariaDB


@pytest.mark.parametrize("flags", [m.OLD, m.NEW, m.NEW | C.OPTIONAL_METADATA], ids=["old", "new", "marked"])
def test_an_answer_to_a_prepare_that_is_longer_than_its_contents_ends_the_session(flags: C) -> None:
    session = m.Session(flags)
    session.client(m.prepare("select 1"))
    session.answer(Forward())
    with pytest.raises(ProtocolError):
        session.server(m.packets(m.prepare_ok(1) + b"\1\6secret"))
    assert session.to_client() == b""


@pytest.mark.parametrize("packet", [m.row(b"secret"), m.column("ssn") + b"\6secret!", m.column("ssn")[:-1]])
def test_what_is_no_definition_is_not_passed_for_one(packet: bytes) -> None:
    session = m.Session()
    session.client(m.command(Command.FIELD_LIST, b"t\0"))
    session.answer(Forward(look=True))
    with pytest.raises(ProtocolError):
        session.server(m.packets(packet))
    session = m.Session()
    session.client(m.prepare("select ssn from t"))
    session.answer(Forward())
    with pytest.raises(ProtocolError):
        session.server(m.packets(m.prepare_ok(1, 1), packet))
    assert b"secret" not in session.to_client()


@pytest.mark.parametrize("default", [b"", b"\xfb", encode_lenenc(b"unknown")])
def test_a_definition_of_com_field_list_may_have_a_default_behind_it(default: bytes) -> None:
    session = m.Session(m.OLD)
    session.client(m.command(Command.FIELD_LIST, b"t\0"))
    session.answer(Forward(look=True))
    answer = m.packets(m.column("name") + default, m.eof())
    session.server(answer)
    assert session.to_client() == answer


CHANGES = m.schema_changed("shop") + m.variable_changed("time_zone", "UTC") + b"\2\1" + b"1"
NEWER = b"\6" + encode_lenenc(encode_lenenc(b"@ssn") + encode_lenenc(b"secret"))


def test_changes_of_a_kind_that_nobody_knows_are_left_out_where_anything_is_masked() -> None:
    for scrub, left in ((scrubbed, CHANGES), (None, CHANGES + NEWER)):
        session = m.Session(m.NEW, scrub=scrub)
        session.client(m.query("set x"))
        session.answer(Forward())
        session.server(m.packets(m.ok(state=CHANGES + NEWER)))
        assert session.to_client() == m.packets(m.ok(state=left))


@pytest.mark.parametrize(
    "state",
    [
        b"\1" + encode_lenenc(encode_lenenc(b"shop") + b"secret"),
        b"\1" + encode_lenenc_int(2**60) + b"\4shop",
        b"\0" + encode_lenenc(encode_lenenc(b"sql_mode")),
        b"\0" + encode_lenenc(b"\xfe" + b"\xff" * 8),
        b"\5\xff",
        b"\5",
    ],
)
def test_changes_of_the_session_with_wrong_lengths_end_it(state: bytes) -> None:
    session = m.Session(m.NEW)
    session.client(m.query("use shop"))
    session.answer(Forward())
    with pytest.raises(ProtocolError):
        session.server(m.packets(m.ok(state=state)))
    assert session.to_client() == b""


def play_mysql(relay: MySqlRelay, asked: bytes, said: bytes) -> bytes:
    """One command and what the server says to it: what the client gets."""
    relay.feed_client(asked)
    got = b""
    for piece in (b"", said):
        relay.feed_server(piece)
        while effects := relay.advance():
            for effect in effects:
                match effect:
                    case Question():
                        relay.decide(effect.ticket, Forward(look=True, record_bytes=100))
                    case ResultDescribed(asks=True):
                        relay.plan([lambda _: b"***"] * len(effect.columns))
        relay.take_for_server()
        got += b"".join(relay.take_for_client())
    return got


EXTRAS = st.sets(
    st.sampled_from(
        [
            C.DEPRECATE_EOF,
            C.SESSION_TRACK,
            C.QUERY_ATTRIBUTES,
            C.OPTIONAL_METADATA,
            C.CACHE_METADATA,
            C.PROGRESS,
            C.BULK,
        ]
    )
)
GOOD = m.text("good")
NAMED = [("a", m.VAR_STRING, GOOD)]
COMMANDS = st.sampled_from(
    [
        m.query("rows 1"), m.prepare("rows ?"), m.execute(1), m.execute(1, GOOD), m.execute(1, GOOD, cursor=1),
        m.execute(1, cursor=255),
        m.fetch(1), m.query_with("rows", *NAMED), m.execute_with(1, *NAMED), m.execute_with(1, *NAMED, flags=1),
        m.bulk(1, 128, b"\xfd\0\0" + GOOD), m.bulk(1, 192, b""), m.long_data(1, 0, b"x"), m.close(1), m.reset(1),
        m.command(Command.RESET_CONNECTION), m.command(Command.PING), m.command(Command.FIELD_LIST, b"t\0%"),
        m.command(Command.INIT_DB, b"shop"), m.command(Command.SET_OPTION, b"\0\0"), m.command(0x42),
    ]
)  # fmt: skip
MUTATIONS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=2)
KINDS = st.sampled_from([m.VAR_STRING, m.VAR_STRING, m.LONGLONG, m.TINY, m.DATE, m.TIME, 255, 0, 16])
STATUS = st.sampled_from([2, 2, 8, 0x40, 0x80, 0x1008, 0x4002])
PACKETS = st.one_of(
    KINDS.map(lambda kind: m.column("ssn", kind)),
    st.sampled_from([1, 2, 3]).map(lambda count: m.row(*[b"secret"] * count)),
    st.sampled_from([1, 2, 3]).map(lambda count: m.binary_row(*[m.text("secret")] * count)),
    STATUS.map(m.eof),
    st.just(m.progress("x")),
    STATUS.map(lambda status: m.ok(status, header=0xFE)),
    STATUS.map(m.ok),
    st.sampled_from([b"\1", b"\2", b"\1\1", b"\2\0", b"\xfe" + (2**60).to_bytes(8, "little"), b"\xfb/etc/passwd", m.err()]),
    st.builds(m.prepare_ok, st.sampled_from([1, 2]), st.sampled_from([0, 1, 65_535]), st.sampled_from([0, 1])),
)  # fmt: skip
ANSWERS = st.one_of(
    st.lists(PACKETS, min_size=1, max_size=6),
    st.builds(
        lambda kinds, mark, before, rows, end: [
            bytes((len(kinds),)) + mark, *(m.column("ssn", kind) for kind in kinds), *before, *rows, end
        ],
        st.lists(KINDS, min_size=1, max_size=3), st.sampled_from([b"", b"\0", b"\1"]), st.lists(STATUS.map(m.eof), max_size=1),
        st.lists(PACKETS, max_size=3), STATUS.map(lambda status: m.ok(status, header=0xFE)) | STATUS.map(m.eof),
    ),
)  # fmt: skip


@settings(max_examples=800, deadline=None)
@given(EXTRAS, EXTRAS, st.lists(st.tuples(COMMANDS, MUTATIONS, ANSWERS), min_size=1, max_size=6), st.integers(0, 1))
def test_no_row_of_a_hostile_mysql_goes_past_the_masks(
    client: set[C], server: set[C], script: list[tuple[bytes, list[tuple[int, int]], list[bytes]]], first: int
) -> None:
    """With every capability set, offered or not, on either leg; the client's packets are changed as well."""
    agreed = client & {C.DEPRECATE_EOF}
    legs = [m.BASE, m.BASE | C.SESSION_TRACK]
    for flag in client:
        legs[0] |= flag
    for flag in server - {C.DEPRECATE_EOF} | agreed:
        legs[1] |= flag
    relay = MySqlRelay(None, legs[0], legs[1], scrub=scrubbed)
    got = b""
    try:
        for asked, mutations, packets in script:
            command = bytearray(asked)
            for place, byte in mutations:
                command[4 + place % (len(command) - 4)] = byte
            # what answers nothing cannot be told from what comes unasked: it is a packet like others
            got += play_mysql(relay, bytes(command), m.packets(*packets, first=1 if first else 0))
    except ProtocolError:
        got += b"".join(relay.take_for_client())
    assert encode_lenenc(b"secret") not in got
