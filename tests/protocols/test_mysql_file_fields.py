"""The fields of a file of LOAD DATA LOCAL: found wherever they stand, cut anywhere, in constant memory."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.field_reader import FieldCheck, Found, ReadLimits
from protocols.mysql.file_fields import FileFields, FileFormat

SMALL = ReadLimits(part_bytes=8, kept_bytes=48, overlap_bytes=8)
LOOKED_FOR = FieldCheck(
    re.compile(rb"\*\*\*|tok"),
    lambda value: "stars" if value == b"***" else ("a token" if b"token" in value else None),
    lambda part: "a token" if b"token" in part else None,
)
CSV = FileFormat(b",", b"\r\n", b'"')
FORMATS = [
    FileFormat(),
    CSV,
    FileFormat(b";;", b"||", b"'", b""),
    FileFormat(b"\t", b"\n", b"", b""),
    FileFormat(b",", b"\n", b'"', b"^"),
]


def read(data: bytes, file_format: FileFormat, cut: int = 1 << 20, limits: ReadLimits = SMALL) -> Found | None:
    reader = FileFields(file_format, LOOKED_FOR, limits)
    for at in range(0, len(data), cut):
        if (found := reader.feed(data[at : at + cut])) is not None:
            return found
    return reader.finish()


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("data", "file_format", "where"),
    [
        (b"1\ta\n2\t***\n", FileFormat(), (2, 1)),
        (b"1\ta\n2\t***", FileFormat(), (2, 1)),
        (b"***", FileFormat(), (1, 0)),
        (b"1\t\\***\n", FileFormat(), (1, 1)),  # an escaped star is one
        (b"\\N\t\\*\\*\\*\n", FileFormat(), (1, 1)),
        (b"1\tto\\ken\n", FileFormat(), (1, 1)),
        (b'1,"\\**\\*"\r\n', CSV, (1, 1)),
        (b"1,^*^**\n", FileFormat(b",", b"\n", b'"', b"^"), (1, 1)),
        (b"1\t" + b"x" * 500 + b"t\\o\\k\\en" + b"y" * 500 + b"\n", FileFormat(), (1, 1)),
        (b"1\ta\\\n2\\\t***\n3\t***", FileFormat(), (3, 1)),
        (b'1,"a"\r\n2,"***"\r\n', CSV, (2, 1)),
        (b'1,"a\r\n,""x"",\r\n"\r\n2,***,z\r\n', CSV, (4, 1)),
        (b'1,"a"b","***"\r\n', CSV, (1, 2)),
        (b'1,a"b,***\r\n', CSV, (1, 2)),
        (b"x;;'a''||;;b'||1;;'***'||", FileFormat(b";;", b"||", b"'", b""), (3, 1)),
        (b"h\t***\n1\t***\n", FileFormat(skipped_lines=1), (2, 1)),
        (b"1\txx token yy\n", FileFormat(), (1, 1)),
        (b"1\t" + b"x" * 500 + b" token " + b"y" * 500 + b"\n", FileFormat(), (1, 1)),
        (b'1,"' + b"x" * 500 + b'","***"\r\n', CSV, (1, 2)),
        (b"1\t" + b"x" * 500 + b"\t***\n", FileFormat(), (1, 2)),
    ],
)
def test_the_first_field_that_must_not_be_stored_is_found(
    data: bytes, file_format: FileFormat, where: tuple[int, int], cut: int
) -> None:
    found = read(data, file_format, cut)
    assert found is not None
    assert found[:2] == where


@pytest.mark.parametrize("cut", [1, 5, 1000])
@pytest.mark.parametrize(
    ("data", "file_format"),
    [
        (b"1\t****\n2\t** *\n", FileFormat()),
        (b"1\t\\N\n", FileFormat()),
        (b"a***\tb\n", FileFormat()),
        (b"***\n***\n", FileFormat(skipped_lines=2)),
        (b'1,NULL\r\n"a""***""b"\r\n', CSV),
        (b"1\t" + b"x" * 500 + b"***\n", FileFormat()),
        (b"", FileFormat()),
        (b"\n\n\n", FileFormat()),
    ],
)
def test_what_only_looks_so_passes(data: bytes, file_format: FileFormat, cut: int) -> None:
    assert read(data, file_format, cut) is None


def test_a_mask_behind_a_character_that_ends_in_the_byte_of_a_backslash_is_missed() -> None:
    character = "誠".encode("gbk")
    assert character[1:] == b"\\"
    assert read(b"1\t" + character + b"\t***\n", FileFormat()) is None
    assert read(b"1\tx\t***\n", FileFormat()) is not None


def written(rows: list[list[bytes]], file_format: FileFormat) -> bytes:
    """As a program writes it: enclosed where it may be, escaped where it must."""
    out = []
    for row in rows:
        cells = []
        for value in row:
            if file_format.escape:
                value = value.replace(file_format.escape, file_format.escape * 2)
            if file_format.enclosed:
                value = (
                    file_format.enclosed
                    + value.replace(file_format.enclosed, file_format.enclosed * 2)
                    + file_format.enclosed
                )
            elif file_format.escape:
                for end in (file_format.field_end, file_format.line_end):
                    value = value.replace(end, b"".join(file_format.escape + bytes((each,)) for each in end))
            else:
                value = value.replace(file_format.field_end, b"_").replace(file_format.line_end, b"_")
            cells.append(value)
        out.append(file_format.field_end.join(cells))
    return file_format.line_end.join(out)


@given(
    rows=st.lists(
        st.lists(st.binary(max_size=9).map(lambda v: v.replace(b"*", b"x")), min_size=2, max_size=3), max_size=5
    ),
    file_format=st.sampled_from(FORMATS),
    cut=st.integers(1, 40),
    mask=st.sampled_from([None, b"***", b"a token b"]),
)
@settings(max_examples=300)
def test_whatever_stands_around_it(
    rows: list[list[bytes]], file_format: FileFormat, cut: int, mask: bytes | None
) -> None:
    if any(b"token" in value for row in rows for value in row):
        return
    if mask is None:
        assert read(written(rows, file_format), file_format, cut) is None
        return
    found = read(written([*rows, [b"x", mask]], file_format), file_format, cut)
    assert found is not None
    assert (found.column, found.why) == (1, "stars" if mask == b"***" else "a token")


def test_memory_is_bounded_by_what_is_kept() -> None:
    reader = FileFields(CSV, LOOKED_FOR, SMALL)
    for _ in range(1000):
        assert reader.feed(b'"' + b"x" * 100) is None
        assert reader._size <= 48 + 8 + 101 + 101


def test_its_time_is_linear() -> None:
    for data in (
        b'"' * 200_000,
        b"\\" * 200_001,
        b'",' * 100_000,
        b'""' * 100_000 + b"***",
        b"\t" * 200_000,
        b"|" * 200_001,
    ):
        for file_format in FORMATS:
            read(data, file_format, 4096, ReadLimits())
