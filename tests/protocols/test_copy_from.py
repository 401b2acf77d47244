"""Reading the fields of COPY FROM STDIN: what must not be stored is found, at its place, however the stream is cut."""

from __future__ import annotations

import re
import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.postgres.copy import SIGNATURE, CopyFormat, escape, unescape
from protocols.postgres.copy_from import FieldCheck, FieldReader, Found, ReadLimits, field_reader

TOKEN = b"wp_" + b"t" * 20


def why(value: bytes) -> str | None:
    """Three stars alone, or a token anywhere."""
    return "stars" if value == b"***" else why_part(value)


def why_part(value: bytes) -> str | None:
    return "token" if TOKEN in value else None


CHECK = FieldCheck(re.compile(rb"\*\*\*|wp_"), why, why_part)
SMALL = ReadLimits(part_bytes=7, kept_bytes=60, overlap_bytes=30)
Rows = list[list[bytes | None]]


def fed(reader: FieldReader, data: bytes, cuts: list[int]) -> Found | None:
    at = 0
    for cut in sorted({cut for cut in cuts if cut < len(data)}):
        found = reader.feed(data[at:cut])
        if found is not None:
            return found
        at = cut
    return reader.feed(data[at:]) or reader.finish()


def as_text(rows: Rows, delimiter: bytes, end: bytes) -> bytes:
    cells = [[b"\\N" if value is None else escape(value, delimiter) for value in row] for row in rows]
    return b"".join(delimiter.join(row) + end for row in cells)


def as_csv(rows: Rows, quote: bytes, escaped: bytes, end: bytes) -> bytes:
    def cell(value: bytes | None) -> bytes:
        if value is None:
            return b""
        inner = value if quote == escaped else value.replace(escaped, escaped + escaped)
        return quote + inner.replace(quote, escaped + quote) + quote

    return b"".join(b",".join(map(cell, row)) + end for row in rows)


def as_binary(rows: Rows) -> bytes:
    parts = [SIGNATURE, struct.pack("!iI", 0, 5), b"extra"]
    for row in rows:
        parts.append(struct.pack("!h", len(row)))
        for value in row:
            parts.append(struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value)
    return b"".join([*parts, b"\xff\xff"])


def first(rows: Rows) -> tuple[int, int, str] | None:
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            if value is not None and (reason := why(value)):
                return number, column, reason
    return None


PLAIN = st.binary(max_size=12) | st.sampled_from(
    [b"\\", b"\\\\", b'"', b'""', b"\\.", b"\n", b"\r\n", b"a\tb,c|d", b"x" * 90]
)
MASKS = st.sampled_from(
    [b"***", b"see " + TOKEN, b"y" * 100 + TOKEN, TOKEN + b'\\"' * 60, b"*** ", b"wp_posts", b"a***"]
)
VALUES = st.none() | PLAIN | PLAIN | PLAIN | MASKS
ROWS = st.lists(st.lists(VALUES, min_size=3, max_size=3), max_size=12)
CUTS = st.lists(st.integers(0, 900), max_size=20)
LIMITS = st.sampled_from([SMALL, ReadLimits()])


@given(ROWS, CUTS, LIMITS, st.sampled_from([b"\t", b"|", b"*"]), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_text(rows: Rows, cuts: list[int], limits: ReadLimits, delimiter: bytes, end: bytes) -> None:
    found = fed(field_reader(CopyFormat("text", delimiter), CHECK, limits), as_text(rows, delimiter, end), cuts)
    expected = first(rows)
    assert (found and (found.column, found.why)) == (expected and expected[1:])


HOW = st.randoms(use_true_random=False)


def escaped_anyhow(value: bytes, delimiter: bytes, random: Random) -> bytes:
    """The value, each byte in one of the ways that the format knows."""
    out = []
    for place, byte in enumerate(value):
        following = value[place + 1 : place + 2]
        plain = escape(bytes((byte,)), delimiter)
        ways = [plain, plain, b"\\%03o" % byte, b"\\x%02x" % byte, b"\\x%02X" % byte]
        if not following.isdigit():
            ways.append(b"\\%o" % byte)
        if byte < 16 and not following.isalnum():
            ways.append(b"\\x%x" % byte)
        if chr(byte) not in "bfnrtvx01234567.N" or (byte == ord("N") and len(value) > 1):
            ways.append(b"\\" + bytes((byte,)))
        out.append(random.choice(ways))
    return b"".join(out)


@given(ROWS, CUTS, LIMITS, st.sampled_from([b"\t", b"|"]), HOW)
def test_text_in_which_bytes_are_escaped_anyhow(
    rows: Rows, cuts: list[int], limits: ReadLimits, delimiter: bytes, random: Random
) -> None:
    cells = [[b"\\N" if value is None else escaped_anyhow(value, delimiter, random) for value in row] for row in rows]
    data = b"".join(delimiter.join(row) + b"\n" for row in cells)
    found = fed(field_reader(CopyFormat("text", delimiter), CHECK, limits), data, cuts)
    expected = first(rows)
    assert (found and (found.column, found.why)) == (expected and expected[1:])


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (rb"\052", b"*"),
        (rb"\52", b"*"),
        (rb"\x2a", b"*"),
        (rb"\x2A1", b"*1"),
        (rb"\x9g", b"\tg"),
        (rb"\xg", b"xg"),
        (rb"\x", b"x"),
        (rb"\0521", b"*1"),
        (rb"\8", b"8"),
        (rb"\777", b"\xff"),
        (rb"\*\b\q", b"*\bq"),
        (rb"\\x2a", rb"\x2a"),
        (rb"\\\052", b"\\*"),
    ],
)
def test_what_an_escape_stands_for(written: bytes, value: bytes) -> None:
    assert unescape(written) == value


@pytest.mark.parametrize("cut", range(1, 14))
def test_masks_behind_escapes_are_found_wherever_the_data_is_cut(cut: int) -> None:
    for field in (rb"\052\x2a*", rb"\*\*\*", rb"**\52", rb"w\x70_" + TOKEN[3:], rb"\167p\x5F" + TOKEN[3:]):
        data = b"1\t\\N\n2\t" + field + b"\n"
        assert fed(field_reader(CopyFormat("text"), CHECK, SMALL), data, [cut, cut + 7]) is not None, field


def test_a_long_field_is_read_through_its_escapes() -> None:
    written = b"".join(b"\\%03o" % byte for byte in TOKEN)
    for before in range(60, 140):
        reader = field_reader(CopyFormat("text"), CHECK, SMALL)
        found = fed(reader, b"a\n1\t" + b"\\x41" * before + written + b"z" * 90 + b"\n", list(range(0, 900, 7)))
        assert found == Found(2, 1, "token"), before


@pytest.mark.parametrize("row", [b"\\N\tC:\\\\dir\\\\x41\ta\\tb\t\\\\x2a2a\n", b"\\x41\tA\\'B\\|\n"])
def test_escapes_that_hide_nothing_are_no_reason_to_look_at_fields(row: bytes) -> None:
    def seen(value: bytes) -> str:
        raise AssertionError(value)

    check = FieldCheck(re.compile(rb"\*\*\*"), seen, seen)
    assert fed(field_reader(CopyFormat("text"), check), row * 9, []) is None


@given(
    ROWS,
    CUTS,
    LIMITS,
    st.sampled_from([(b'"', b'"'), (b'"', b"\\"), (b"'", b"'")]),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_csv(rows: Rows, cuts: list[int], limits: ReadLimits, signs: tuple[bytes, bytes], end: bytes) -> None:
    shape = CopyFormat("csv", b",", b"", *signs)
    found = fed(field_reader(shape, CHECK, limits), as_csv(rows, *signs, end), cuts)
    expected = first(rows)
    assert (found and (found.column, found.why)) == (expected and expected[1:])


@given(ROWS, CUTS, LIMITS)
def test_binary(rows: Rows, cuts: list[int], limits: ReadLimits) -> None:
    found = fed(field_reader(CopyFormat("binary"), CHECK, limits), as_binary(rows), cuts)
    expected = first(rows)
    assert (found and (found.row - 1, found.column, found.why)) == expected


@pytest.mark.parametrize("style", ["text", "csv"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("limits", [SMALL, ReadLimits()])
def test_the_line_is_the_one_that_an_editor_counts(style: str, end: bytes, limits: ReadLimits) -> None:
    delimiter = b"," if style == "csv" else b"\t"
    shape = CopyFormat(style, delimiter, b"", header=True)  # type: ignore[arg-type]
    lines = [
        delimiter.join((b"***", b"name")),
        *(delimiter.join((b"%d" % n, b"name")) for n in range(2, 9)),
        delimiter.join((b"9", b"***")),
    ]
    data = end.join(lines)
    assert fed(field_reader(shape, CHECK, limits), data + end, [len(data) - 3]) == (9, 1, "stars")
    assert fed(field_reader(shape, CHECK, limits), data, [5, 6]) == (9, 1, "stars"), "without a last line end"


def test_what_stands_for_null_or_a_default_is_no_value() -> None:
    text = CopyFormat("text", null=b"***", default=b"wp_" + b"t" * 20)
    assert fed(field_reader(text, CHECK), b"***\t" + TOKEN + b"\n", []) is None
    csv = CopyFormat("csv", b",", null=b"***")
    assert fed(field_reader(csv, CHECK), b"1,***\n", []) is None
    assert fed(field_reader(csv, CHECK), b'1,"***"\n', []) == (1, 1, "stars"), "quoted it is a value"


def test_quotes_within_a_csv_field_are_none_of_its_value() -> None:
    assert fed(field_reader(CopyFormat("csv", b",", b""), CHECK), b'a,*"*"*\n', []) is None, "raw, it has no hint"
    assert fed(field_reader(CopyFormat("csv", b",", b""), CHECK), b'a,"***"""\n', []) is None
    assert fed(field_reader(CopyFormat("csv", b",", b""), CHECK), b'a,***""\n', []) == (1, 1, "stars")


def test_a_line_end_that_is_escaped_or_quoted_ends_no_row() -> None:
    assert fed(field_reader(CopyFormat("text"), CHECK), b"a\\\n***\tb\n", []) is None
    assert fed(field_reader(CopyFormat("csv", b",", b""), CHECK), b'"a\n***",b\n', []) is None


BROKEN = [
    b"PGCOPY\n\xff\r\n\1" + bytes(8),
    SIGNATURE + struct.pack("!iI", 0, 1 << 31),
    SIGNATURE + bytes(8) + b"\0\1\xff\xff\xff\xfe",
    SIGNATURE + bytes(8) + b"\xff\xfe",
]


@pytest.mark.parametrize("data", BROKEN)
def test_binary_data_that_the_server_refuses_is_read_no_further(data: bytes) -> None:
    assert (
        fed(field_reader(CopyFormat("binary"), CHECK, SMALL), data + b"\0\1\0\0\0\3***" * 9, list(range(0, 200, 7)))
        is None
    )


@pytest.mark.parametrize("style", ["text", "csv", "binary"])
def test_memory_does_not_grow_with_a_field_nor_time_with_the_pieces(style: str) -> None:
    shape = CopyFormat(style, b"," if style == "csv" else b"\t", b"")  # type: ignore[arg-type]
    reader = field_reader(shape, CHECK)
    head = (
        SIGNATURE + bytes(8) + b"\0\1" + struct.pack("!i", 1 << 30)
        if style == "binary"
        else b'"'
        if style == "csv"
        else b""
    )
    assert reader.feed(head) is None
    for _ in range(20_000):
        assert reader.feed(b"x" * 100) is None
        assert reader._size < 200_000
    assert fed(reader, b" " + TOKEN + b" " * 200_000, []) is not None


def test_many_quotes_and_escapes_cost_no_more_than_their_length() -> None:
    for shape, data in (
        (CopyFormat("csv", b",", b""), b'"' * 3_000_001),
        (CopyFormat("csv", b",", b"", escape=b"\\"), b'"' + b"\\" * 3_000_000),
        (CopyFormat("text"), b"\\" * 3_000_001),
        (CopyFormat("text"), b"wp_\t" * 700_000),
    ):
        assert fed(field_reader(shape, CHECK), data, list(range(0, len(data), 5000))) is None
