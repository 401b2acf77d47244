"""COPY … TO STDOUT rewritten as it streams: any cut of the stream gives the same rows, and only planned fields change."""

from __future__ import annotations

import csv
import io
import itertools
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.base import ProtocolError
from protocols.postgres.copy import SIGNATURE, CopyFormat, copy_rewriter, escape, unescape


def stars(data: bytes | None) -> bytes | None:
    return None if data is None else b'*\t,"\\\n*'


def feed(rewriter: object, data: bytes, cuts: list[int]) -> bytes:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]
    return b"".join(rewriter.feed(piece) for piece in pieces) + rewriter.finish()  # type: ignore[attr-defined]


field = st.one_of(
    st.none(),
    st.binary(max_size=8).map(lambda data: data.replace(b"\0", b"0")),
    st.sampled_from([b"", b"\\N", b"\\.", b"a,b"]),
)
rows = st.lists(st.tuples(field, field, field), max_size=6)
cuts = st.lists(st.integers(0, 10_000), max_size=12)


def as_text(values: list[tuple[bytes | None, ...]], delimiter: bytes, null: bytes) -> bytes:
    return b"".join(
        delimiter.join(null if value is None else escape(value, delimiter) for value in row) + b"\n" for row in values
    )


@given(rows, cuts, st.sampled_from([b"\t", b"|", b",", b"\x01"]))
def test_text_rows_change_in_planned_columns_only(
    values: list[tuple[bytes | None, ...]], where: list[int], delimiter: bytes
) -> None:
    shape = CopyFormat("text", delimiter)
    got = feed(copy_rewriter(shape, (None, stars, None)), as_text(values, delimiter, b"\\N"), where)
    assert got == as_text([(one, stars(two), three) for one, two, three in values], delimiter, b"\\N")


@given(st.one_of(st.binary(max_size=30), st.sampled_from([b"plain", b"a|b", b"\t", b"\\", b"x" * 200])), st.booleans())
def test_escaping_is_undone_by_unescaping_and_leaves_nothing_special(value: bytes, scans: bool) -> None:
    writer = copy_rewriter(CopyFormat("text", b"|"), [stars])
    writer._scans = scans  # type: ignore[union-attr]
    escaped = writer._written(value)  # type: ignore[union-attr]
    assert escaped == escape(value, b"|")
    assert unescape(escaped) == value
    assert re.fullmatch(rb"(?:[^\\|\x08-\x0d]|\\.)*", escaped)


def as_csv(values: list[tuple[bytes | None, ...]], quote: bytes, escape_byte: bytes, null: bytes) -> bytes:
    def cell(value: bytes | None) -> bytes:
        if value is None:
            return null
        if value not in (null, b"\\.") and not any(byte in b",\n\r" + quote for byte in value):
            return value
        inside = value if quote == escape_byte else value.replace(escape_byte, escape_byte * 2)
        return quote + inside.replace(quote, escape_byte + quote) + quote

    return b"".join(b",".join(cell(value) for value in row) + b"\n" for row in values)


@given(rows, cuts, st.sampled_from([(b'"', b'"'), (b'"', b"\\"), (b"'", b"^")]), st.sampled_from([b"", b"NULL"]))
def test_csv_rows_change_in_planned_columns_only(
    values: list[tuple[bytes | None, ...]], where: list[int], marks: tuple[bytes, bytes], null: bytes
) -> None:
    quote, escape_byte = marks
    shape = CopyFormat("csv", b",", null, quote, escape_byte)
    got = feed(copy_rewriter(shape, (None, stars, None)), as_csv(values, quote, escape_byte, null), where)
    assert got == as_csv([(one, stars(two), three) for one, two, three in values], quote, escape_byte, null)


def test_csv_stays_readable_for_a_csv_reader() -> None:
    data = b'id,"the\nsecret",c\n1,"a ""b"", c",x\n2,,y\n'
    got = feed(copy_rewriter(CopyFormat("csv", b",", b"", header=True), (None, stars, None)), data, [3, 9, 20, 21, 22])
    assert list(csv.reader(io.StringIO(got.decode(), newline=""))) == [
        ["id", "the\nsecret", "c"],
        ["1", '*\t,"\\\n*', "x"],
        ["2", "", "y"],
    ]


def as_binary(values: list[tuple[bytes | None, ...]], extension: bytes = b"") -> bytes:
    body = b"".join(
        struct.pack("!h", len(row))
        + b"".join(b"\xff\xff\xff\xff" if value is None else struct.pack("!i", len(value)) + value for value in row)
        for row in values
    )
    return SIGNATURE + struct.pack("!iI", 0, len(extension)) + extension + body + b"\xff\xff"


@given(rows, cuts, st.binary(max_size=9))
def test_binary_rows_change_in_planned_columns_only(
    values: list[tuple[bytes | None, ...]], where: list[int], extension: bytes
) -> None:
    got = feed(copy_rewriter(CopyFormat("binary"), (None, stars, None)), as_binary(values, extension), where)
    assert got == as_binary([(one, stars(two), three) for one, two, three in values])


@pytest.mark.parametrize("style", ["text", "csv", "binary"])
def test_a_row_of_another_arity_is_a_protocol_error(style: str) -> None:
    delimiter = b"\t" if style == "text" else b","
    data = as_binary([(b"a", b"b")]) if style == "binary" else b"a" + delimiter + b"b\n"
    rewriter = copy_rewriter(CopyFormat(style, delimiter), (None, stars, None))  # type: ignore[arg-type]
    with pytest.raises(ProtocolError):
        rewriter.feed(data)


@pytest.mark.parametrize("style", ["text", "csv", "binary"])
def test_a_row_without_end_is_given_up_at_the_limit(style: str) -> None:
    rewriter = copy_rewriter(CopyFormat(style), (stars, None), 1000)  # type: ignore[arg-type]
    start = SIGNATURE + bytes(8) + struct.pack("!hi", 2, 100) if style == "binary" else b""
    with pytest.raises(ProtocolError, match=r"cannot be masked|a field of"):
        for piece in [start, *[b"a" * 100] * 11]:
            rewriter.feed(piece)


@pytest.mark.parametrize("style", ["text", "csv", "binary"])
def test_data_that_ends_inside_a_row_is_a_protocol_error(style: str) -> None:
    rewriter = copy_rewriter(CopyFormat(style), (stars,))  # type: ignore[arg-type]
    rewriter.feed(as_binary([(b"secret",)])[:-4] if style == "binary" else b"secret")
    with pytest.raises(ProtocolError):
        rewriter.finish()


def test_a_header_line_passes_and_the_first_row_does_not() -> None:
    rewriter = copy_rewriter(CopyFormat("text", header=True), (None, lambda data: b"*"))
    assert rewriter.feed(b"id\tssn\n1\tx\n") == b"id\tssn\n1\t*\n"


def test_old_end_marker_passes() -> None:
    assert copy_rewriter(CopyFormat(), (lambda data: b"*",)).feed(b"x\n\\.\n") == b"*\n\\.\n"


def test_binary_with_oids_is_refused() -> None:
    with pytest.raises(ProtocolError, match="OIDs"):
        copy_rewriter(CopyFormat("binary"), (stars,)).feed(SIGNATURE + struct.pack("!iI", 1 << 16, 0))


@given(rows)
def test_binary_rows_that_come_one_in_a_message_are_as_those_that_come_in_pieces(
    values: list[tuple[bytes | None, ...]],
) -> None:
    stream = as_binary(values)
    ends = [len(as_binary(values[:count])) - 2 for count in range(len(values) + 1)]
    whole, pieces = (copy_rewriter(CopyFormat("binary"), (stars, None, stars)) for _ in range(2))
    messages = [stream[:19], *(stream[start:end] for start, end in itertools.pairwise([*ends, len(stream)]))]
    got = b"".join(whole.feed(message) for message in messages) + whole.finish()
    assert got == feed(pieces, stream, list(range(0, len(stream), 3)))
