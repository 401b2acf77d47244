"""Values as a person reads them. The pairs are what a server sends for the same value in binary and in text form."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wireproxy.log_samples import data_row
from wireproxy.log.mysql_values import UNSIGNED_FLAG, mysql_rows
from wireproxy.log.records import Column
from wireproxy.log.values import (
    postgres_copy_data,
    postgres_rows,
    show_binary,
    show_parameters,
    show_value,
)

# type, its OID, the server's binary form in hex, the server's text form
PAIRS = (
    ("bool", 16, "01", 't'),
    ("bool", 16, "00", 'f'),
    ("int2", 21, "8000", '-32768'),
    ("int4", 23, "7fffffff", '2147483647'),
    ("int8", 20, "8000000000000000", '-9223372036854775808'),
    ("oid", 26, "ffffffff", '4294967295'),
    ("float4", 700, "4048f5c3", '3.14'),
    ("float8", 701, "bdf12e0be826d695", '-2.5e-10'),
    ("float8", 701, "7ff8000000000000", 'NaN'),
    ("float8", 701, "7ff0000000000000", 'Infinity'),
    ("numeric", 1700, "0000000000000000", '0'),
    ("numeric", 1700, "0000000000000002", '0.00'),
    ("numeric", 1700, "000800044000000904d2162e23340d801ed204d2162e2328", '-12345678901234567890.123456789'),
    ("numeric", 1700, "0001fffe0000000503e8", '0.00001'),
    ("numeric", 1700, "00010001000000000001", '10000'),
    ("numeric", 1700, "00010002000000000001", '100000000'),
    ("numeric", 1700, "00000000c0000000", 'NaN'),
    ("numeric", 1700, "00000000f0000020", '-Infinity'),
    ("numeric", 1700, "00010005000000000001", '100000000000000000000'),
    ("numeric", 1700, "0002ffff0000000704d21626", '0.1234567'),
    ("text", 25, "68c3a96c6c6f", 'héllo'),
    ("varchar", 1043, "78", 'x'),
    ("bpchar", 1042, "79", 'y'),
    ("name", 19, "6e6d", 'nm'),
    ("json", 114, "7b2261223a20317d", '{"a": 1}'),
    ("jsonb", 3802, "017b2261223a20317d", '{"a": 1}'),
    ("xml", 142, "3c612f3e", '<a/>'),
    ("date", 1082, "00002279", '2024-02-29'),
    ("date", 1082, "ffffd532", '1969-12-31'),
    ("date", 1082, "7fffffff", 'infinity'),
    ("time", 1083, "000000141dcfbee0", '23:59:59.5'),
    ("timetz", 1266, "0000000a0eebb000ffffb2a8", '12:00:00+05:30'),
    ("timetz", 1266, "0000000a0eebb00000007080", '12:00:00-08'),
    ("timestamp", 1114, "0002b58341728608", '2024-02-29 12:34:56.789'),
    ("timestamp", 1114, "8000000000000000", '-infinity'),
    ("timestamptz", 1184, "0002b58341728614", '2024-02-29 12:34:56.789012+00'),
    ("timestamp", 1114, "fffffffffff0bdc0", '1999-12-31 23:59:59'),
    ("interval", 1186, "00000002925e7b000000000200000001", '1 mon 2 days 03:04:05.6'),
    ("interval", 1186, "fffffffffff0bdc00000000000000000", '-00:00:01'),
    ("interval", 1186, "00000000000000000000000000000000", '00:00:00'),
    ("uuid", 2950, "a0eebc999c0b4ef8bb6d6bb9bd380a11", 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
    ("inet", 869, "022000040a000001", '10.0.0.1'),
    ("inet", 869, "020800040a000001", '10.0.0.1/8'),
    ("cidr", 650, "020801040a000000", '10.0.0.0/8'),
    ("inet", 869, "0380001020010db8000000000000000000000001", '2001:db8::1'),
    ("macaddr", 829, "08002b010203", '08:00:2b:01:02:03'),
    ("bit(5)", 1560, "00000005b0", '10110'),
    ("varbit", 1562, "00000003a0", '101'),
    ("xid", 28, "00000007", '7'),
    ("bytea", 17, "0102ff", '\\x0102ff'),
    ("int4[]", 1007, "00000001000000010000001700000003000000010000000400000001ffffffff00000004fffffffd", '{1,NULL,-3}'),
    ("text[]", 1009, "000000010000000000000019000000020000000100000001610000000162", '{a,b}'),
    ("int4[]", 1007, "000000000000000000000017", '{}'),
    ("int4[]", 1007, "000000020000000000000017000000020000000100000002000000010000000400000001000000040000000200000004000000030000000400000004", '{{1,2},{3,4}}'),  # noqa: E501
    ("numeric[]", 1231, "0000000100000000000006a400000002000000010000000c0002000000000001000113880000000a00010000000000000002", '{1.5,2}'),  # noqa: E501
    ("uuid[]", 2951, "000000010000000000000b86000000010000000100000010a0eebc999c0b4ef8bb6d6bb9bd380a11", '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'),  # noqa: E501
    ("timestamptz[]", 1185, "0000000100000000000004a00000000100000001000000080002b0d5d4e94000", '{"2024-01-01 00:00:00+00"}'),
)  # fmt: skip


@pytest.mark.parametrize(("name", "oid", "binary", "text"), PAIRS)
def test_a_binary_value_reads_as_the_server_writes_it(name: str, oid: int, binary: str, text: str) -> None:
    assert show_binary(bytes.fromhex(binary), oid) == text


@given(st.binary(max_size=60), st.sampled_from([*sorted({pair[1] for pair in PAIRS}), 0, 600, 99999]))
def test_any_bytes_of_any_type_are_shown(value: bytes, oid: int) -> None:
    assert isinstance(show_binary(value, oid), str)


@pytest.mark.parametrize("value", [b"", b"\0", struct.pack("!iiI", 6, 0, 23) + struct.pack("!ii", 2**31 - 1, 1) * 6])
def test_sizes_that_lie_are_not_believed(value: bytes) -> None:
    for oid in {pair[1] for pair in PAIRS}:
        assert len(show_binary(value, oid)) < 300


def test_an_unknown_type_is_shown_as_hex() -> None:
    assert show_binary(b"\1\2", 600) == "\\x0102"
    assert show_binary(bytes(100), 600).endswith("… (100 bytes)")


def test_rows_are_cut_into_values() -> None:
    frames = data_row(b"1", None, b"") + data_row() + b"C\0\0\0\x0dSELECT 1\0" + data_row(b"2", b"\xc3\xa9", b"x")
    assert list(postgres_rows(frames)) == [(b"1", None, b""), (), (b"2", "é".encode(), b"x")]


@given(st.binary(max_size=200))
def test_any_bytes_are_cut(frames: bytes) -> None:
    list(postgres_rows(frames))
    list(postgres_copy_data(frames))
    list(postgres_rows(b"D" + struct.pack("!I", 4 + len(frames)) + frames))
    for binary in (0, 1):
        columns = tuple(Column("c", kind, binary) for kind in (3, 5, 7, 11, 253))
        list(mysql_rows(frames, columns))
        list(mysql_rows(len(frames).to_bytes(3, "little") + b"\0" + frames, columns))


def test_a_torn_row_ends_the_list() -> None:
    assert list(postgres_rows(data_row(b"1") + data_row(b"2")[:-1])) == [(b"1",)]


def test_copy_data_is_cut_into_lines() -> None:
    assert list(postgres_copy_data(b"d\0\0\0\x08a\tb\nd\0\0\0\x06c\n")) == [b"a\tb\n", b"c\n"]


def test_text_that_is_not_utf_8_is_shown_with_escapes() -> None:
    assert show_value(b"caf\xe9", Column("c", 25, 0)) == "caf\\xe9"
    assert show_value(None, None) is None


def test_binary_parameters_of_unknown_type_show_their_bytes_and_a_reading() -> None:
    assert show_parameters([b"\0\0\0\7", b"x", None], (1, 0, 1)) == ("\\x00000007 (7)", "x", None)
    assert show_parameters([b"\0\0\0\7"], (1,), (23,)) == ("7",)
    assert show_parameters([b"7", b"8"], ()) == ("7", "8")


# -- MySQL


def packet(payload: bytes, sequence: int = 0) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


def test_a_text_row_of_mysql_reads() -> None:
    columns = (Column("a", 3), Column("b", 253), Column("c", 253))
    rows = list(mysql_rows(packet(b"\x0242\xfb\x03abc") + packet(b"\x01x\xfc\x01\x00y\x00"), columns))
    assert rows == [("42", None, "abc"), ("x", "y", "")]


def test_a_binary_row_of_mysql_reads() -> None:
    columns = (
        Column("tiny", 1, 1), Column("utiny", 1, 1, UNSIGNED_FLAG), Column("long", 3, 1), Column("big", 8, 1),
        Column("double", 5, 1), Column("null", 3, 1), Column("datetime", 12, 1), Column("date", 10, 1),
        Column("time", 11, 1), Column("text", 253, 1),
    )  # fmt: skip
    nulls = (1 << (5 + 2)).to_bytes(2, "little")
    values = b"".join(
        [
            b"\xff", b"\xff", struct.pack("<i", -5), struct.pack("<q", 1 << 40), struct.pack("<d", 2.5),
            b"\x0b" + struct.pack("<HBBBBBI", 2024, 2, 29, 1, 2, 3, 45), b"\x04" + struct.pack("<HBB", 2024, 2, 29),
            b"\x08" + struct.pack("<BIBBB", 1, 1, 2, 3, 4), b"\x02hi",
        ]
    )  # fmt: skip
    assert list(mysql_rows(packet(b"\0" + nulls + values), columns)) == [
        (
            "-1", "255", "-5", str(1 << 40), "2.5", None, "2024-02-29 01:02:03.000045", "2024-02-29",
            "-26:03:04", "hi",
        )
    ]  # fmt: skip


def test_a_row_of_another_arity_is_passed_over() -> None:
    columns = (Column("a", 253), Column("b", 253))
    assert list(mysql_rows(packet(b"\x01x") + packet(b"\x01x\x01y\x01z") + packet(b"\x01x\x01y"), columns)) == [
        ("x", "y")
    ]
