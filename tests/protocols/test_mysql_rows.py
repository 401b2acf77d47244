"""Rows and parameters: every type of both protocols, NULL, empty, and the lengths at which their encoding changes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.base import ProtocolError
from protocols.mysql.messages import MySqlColumn
from protocols.mysql.prepared import Prepared, decode_bulk, decode_execute
from protocols.mysql.rows import rewrite_binary_row, rewrite_text_row
from protocols.mysql.values import UNSIGNED_TYPE, shown
from tests.protocols import mysql_playbook as p


def column(kind: int) -> MySqlColumn:
    return MySqlColumn(b"shop", b"t", b"t", b"x", b"x", 45, 80, kind, 0, 0)


# every type of the binary protocol with a value of it, as it stands in a row
SAMPLES = {
    1: b"\x7f",
    2: b"\1\2",
    13: b"\xe9\x07",
    3: b"\1\2\3\4",
    9: b"\1\2\3\0",
    8: bytes(8),
    4: struct.pack("<f", 1.5),
    5: struct.pack("<d", -2.25),
    10: b"\x04\xe9\x07\x0b\x17",
    12: b"\x0b\xe9\x07\x0b\x17\x0a\x0b\x0c\x01\0\0\0",
    7: b"\x07\xe9\x07\x0b\x17\x0a\x0b\x0c",
    11: b"\x08\x01\x02\0\0\0\x03\x04\x05",
    0: p.text("1.50"),
    246: p.text("12.30"),
    15: p.text("varchar"),
    16: p.text("\1"),
    245: p.text('{"a": 1}'),
    247: p.text("enum"),
    248: p.text("set"),
    249: p.text("tiny"),
    250: p.text("medium"),
    251: p.text("x" * 300),
    252: p.text("Grüße"),
    253: p.text(""),
    254: p.text("y" * 70000),
    255: p.text("geometry"),
}


def test_a_binary_row_of_every_type_is_cut_where_its_fields_end() -> None:
    columns = [column(kind) for kind in SAMPLES]
    row = p.binary_row(*SAMPLES.values())
    seen: list[bytes | None] = []
    for masked in range(len(columns)):
        plan = [None] * len(columns)
        plan[masked] = lambda value: seen.append(value) or value  # type: ignore[call-overload, func-returns-value]
        assert rewrite_binary_row(row, plan, columns) == row
    assert len(seen) == len(columns)
    assert None not in seen


def test_every_type_can_become_null_and_a_null_stays_one() -> None:
    columns = [column(kind) for kind in SAMPLES]
    nothing = p.binary_row(*[None] * len(columns))
    assert rewrite_binary_row(p.binary_row(*SAMPLES.values()), [lambda _: None] * len(columns), columns) == nothing
    assert rewrite_binary_row(nothing, [lambda value: value] * len(columns), columns) == nothing


def test_a_null_can_become_a_value() -> None:
    assert rewrite_binary_row(p.binary_row(None), [lambda _: b"***"], [column(253)]) == p.binary_row(p.text("***"))
    assert rewrite_text_row(p.row(None, b"1"), [lambda _: b"***", None]) == p.row(b"***", b"1")


def test_a_masked_number_must_have_its_types_width() -> None:
    with pytest.raises(ProtocolError, match="width"):
        rewrite_binary_row(p.binary_row(p.number(1)), [lambda _: b"***"], [column(3)])


@pytest.mark.parametrize(
    "row",
    [b"", b"\0", b"\1\0\1", b"\0\0\xff", b"\0\0\5abc", b"\0\0\3abcx", b"\0\0"],
)
def test_a_broken_binary_row_is_a_protocol_error(row: bytes) -> None:
    with pytest.raises(ProtocolError):
        rewrite_binary_row(row, [lambda _: b"x"], [column(253)])


def test_a_binary_value_of_an_unknown_type_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="unknown type"):
        rewrite_binary_row(b"\0\0\1x", [lambda _: b"x"], [column(200)])


@pytest.mark.parametrize("row", [b"", b"\5abc", b"\1ab", b"\xff", b"\xfc\1"])
def test_a_broken_text_row_is_a_protocol_error(row: bytes) -> None:
    with pytest.raises(ProtocolError):
        rewrite_text_row(row, [lambda _: b"x"])


VALUES = st.lists(st.one_of(st.none(), st.binary(max_size=300)), min_size=1, max_size=12)


@settings(max_examples=200)
@given(VALUES, st.data())
def test_only_what_is_planned_changes(values: list[bytes | None], data: st.DataObject) -> None:
    masked = data.draw(st.sets(st.integers(0, len(values) - 1)))
    plan = [(lambda _: b"***") if index in masked else None for index in range(len(values))]
    wanted = [b"***" if index in masked else value for index, value in enumerate(values)]
    assert rewrite_text_row(p.row(*values), plan) == p.row(*wanted)

    def binary(given: list[bytes | None]) -> bytes:
        return p.binary_row(*[None if value is None else p.encode_lenenc(value) for value in given])

    assert rewrite_binary_row(binary(values), plan, [column(252)] * len(values)) == binary(wanted)


# -- parameters


@pytest.mark.parametrize(
    ("declared", "raw", "text"),
    [
        (1, b"\xff", b"-1"),
        (1 | UNSIGNED_TYPE, b"\xff", b"255"),
        (2, b"\xfe\xff", b"-2"),
        (3, b"\1\0\0\0", b"1"),
        (8 | UNSIGNED_TYPE, b"\xff" * 8, b"18446744073709551615"),
        (4, struct.pack("<f", 0.5), b"0.5"),
        (5, struct.pack("<d", 0.1), b"0.1"),
        (12, b"\x0b\xe9\x07\x0b\x17\x0a\x0b\x0c\x01\0\0\0", b"2025-11-23 10:11:12.000001"),
        (10, b"\x04\xe9\x07\x0b\x17", b"2025-11-23"),
        (10, b"\x00", b"0000-00-00"),
        (11, b"\x08\x01\x02\0\0\0\x03\x04\x05", b"-2 03:04:05"),
        (253, p.text("Grüße"), "Grüße".encode()),
        (252, p.text(""), b""),
    ],
)
def test_a_parameter_is_shown_as_what_it_is(declared: int, raw: bytes, text: bytes) -> None:
    prepared = Prepared(1, b"select ?", 1, 0, None)
    bound = decode_execute(p.execute(1, raw, types=(declared,))[4:], prepared)
    assert bound.parameters == (text,)
    assert bound.types == (declared,)


def test_null_comes_by_the_bitmap() -> None:
    prepared = Prepared(1, b"select ?, ?", 2, 0, None)
    bound = decode_execute(p.execute(1, None, None, types=(253, 6))[4:], prepared)
    assert bound.parameters == (None, None)


# 9 INT24, 13 YEAR, 16 BIT, 247 ENUM, 255 GEOMETRY; a long integer with a bit that no flag has
@pytest.mark.parametrize("declared", [9, 13, 14, 16, 17, 200, 247, 248, 255, 0x0103, 0x4003])
def test_a_type_that_servers_read_in_different_ways_is_a_protocol_error(declared: int) -> None:
    """Shown as four bytes of a number, and run as the string that they spell."""
    prepared = Prepared(1, b"select ?", 1, 0, None)
    with pytest.raises(ProtocolError, match="unknown type"):
        decode_execute(p.execute(1, p.text("abc"), types=(declared,))[4:], prepared)
    with pytest.raises(ProtocolError, match="unknown type"):
        decode_bulk(p.bulk(1, 128, p.number(declared, 2) + b"\0\3abc")[4:], prepared)


def test_null_by_type_alone_or_against_long_data_is_a_protocol_error() -> None:
    prepared = Prepared(1, b"select ?", 1, 0, None)
    with pytest.raises(ProtocolError, match="NULL"):
        decode_execute(p.execute(1, b"", types=(6,))[4:], prepared)
    with pytest.raises(ProtocolError, match="NULL"):
        decode_bulk(p.bulk(1, 128, b"\6\0\0")[4:], prepared)
    prepared.long_data[0] = bytearray(b"shown")
    with pytest.raises(ProtocolError, match="long data"):
        decode_execute(p.execute(1, None, types=(252,))[4:], prepared)


@settings(max_examples=300)
@given(st.binary(max_size=60), st.integers(0, 4))
def test_hostile_executions_end_in_protocol_errors_alone(body: bytes, parameters: int) -> None:
    prepared = Prepared(1, b"select ?", parameters, 0, None)
    for decode, head in ((decode_execute, b"\x17\1\0\0\0\0\1\0\0\0"), (decode_bulk, b"\xfa\1\0\0\0\x80\0")):
        try:
            decode(head + body, prepared)
        except ProtocolError:
            pass


@given(st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False))
def test_two_values_of_a_type_are_shown_alike_only_if_they_are(first: float, second: float) -> None:
    raw = [struct.pack("<f", value) for value in (first, second)]
    assert (shown(raw[0], 4) == shown(raw[1], 4)) is (raw[0] == raw[1])
