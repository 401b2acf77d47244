"""MySQL's rows rewritten a read at a time are those that come of the functions that take one row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.base import ProtocolError, RowPlan
from protocols.mysql.messages import MySqlColumn
from protocols.mysql.packets import encode_lenenc, frame
from protocols.mysql.rows import rewrite_binary_row, rewrite_text_row
from protocols.mysql.runs import BinaryRun, TextRun, end_of_run
from rules.masking.maskers import always, replaced, shortened
from rules.masking.values import Mark

MOST = 1 << 24


def last_two(data: bytes | None) -> bytes | None:
    return b"nothing" if data is None else data[-2:]


def as_it_was(data: bytes | None) -> bytes | None:
    return data


class Together:
    """Masks many at once: some of them become NULL."""

    def __call__(self, data: bytes | None) -> bytes | None:
        return data and (data[::-1] + b"+" if data[0] % 3 else None)

    def many(self, values: list[bytes]) -> list[bytes | None]:
        return [self(value) for value in values]


ENDS = [shortened(Mark("email", None)), shortened(Mark("last4", None)), shortened(Mark("first-n", "3"))]
PLAIN = [
    b"ann@shop.test",
    b"somebody@shop.test",
    b"a@b",
    b"a@b@c",
    b" padded@shop.test",
    b"4111111111111111",
    b"x" * 247,
]
STRINGS = st.one_of(
    st.none(),
    st.binary(max_size=6),
    st.text("ab@ .", max_size=12).map(str.encode),
    st.sampled_from([*PLAIN, b"", bytes(250), b"x" * 250, bytes(251), b"x" * 251, bytes(70_000), "é😀".encode()]),
)
TEXT_MASKERS = st.sampled_from(
    [
        *(None, last_two, lambda _: None, replaced(b"***"), replaced(None), always(b""), always(None)),
        *(replaced(bytes(300)), Together(), *ENDS),
    ]
)


@st.composite
def text_results(draw: st.DrawFn) -> tuple[list[bytes], RowPlan]:
    columns = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(STRINGS, min_size=columns, max_size=columns), max_size=6))
    plan = draw(st.lists(TEXT_MASKERS, min_size=columns, max_size=columns))
    return [b"".join(b"\xfb" if value is None else encode_lenenc(value) for value in row) for row in rows], plan


def framed(payloads: list[bytes], sequence: int) -> bytes:
    return b"".join(frame(payload, sequence + number) for number, payload in enumerate(payloads))


@given(text_results(), st.integers(1, 300), st.integers(-1, 3), st.binary(max_size=3))
def test_a_run_of_text_rows_is_rewritten_as_its_rows_one_by_one(
    result: tuple[list[bytes], RowPlan], sequence: int, shift: int, behind: bytes
) -> None:
    rows, plan = result
    run = framed(rows, sequence)
    new, end, count = TextRun(plan).rewrite(b"head" + run + behind, 4, sequence, shift, MOST)
    assert new == framed([rewrite_text_row(row, plan) for row in rows], sequence + shift)
    assert (end, count) == (4 + len(run), len(rows))
    assert end_of_run(run + behind, 0, sequence) == (len(run), len(rows))


# type, width (None: a length in front), lengths that a value can have
SHAPES = [(1, 1), (2, 2), (3, 4), (8, 8), (5, 8), (13, 2), (253, None), (252, None), (12, None), (11, None), (6, None)]
LENGTHS = {12: [0, 4, 7, 11], 11: [0, 8, 12]}


def column(kind: int) -> MySqlColumn:
    return MySqlColumn(b"", b"", b"", b"c", b"c", 45, 0, kind, 0, 0)


@st.composite
def binary_results(draw: st.DrawFn) -> tuple[list[bytes], RowPlan, list[MySqlColumn]]:
    shapes = draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=12))
    plan: list[object] = []
    for kind, width in shapes:
        same = bytes(width) if width is not None else bytes(LENGTHS.get(kind, [3])[0])
        of_texts = [Together(), *ENDS] if kind in (252, 253) else []
        plan.append(
            draw(
                st.sampled_from(
                    [None, as_it_was, lambda _: None, replaced(same), always(same), always(None), *of_texts]
                )
            )
            if kind != 6
            else None
        )
    rows = []
    for _ in range(draw(st.integers(0, 5))):
        bitmap = bytearray((len(shapes) + 9) // 8)
        body = b""
        for index, (kind, width) in enumerate(shapes):
            if draw(st.booleans()):
                bitmap[(index + 2) // 8] |= 1 << (index + 2) % 8
            elif width is not None:
                body += draw(st.binary(min_size=width, max_size=width))
            elif kind in LENGTHS:
                body += encode_lenenc(bytes(draw(st.sampled_from(LENGTHS[kind]))))
            elif kind != 6:
                body += encode_lenenc(draw(STRINGS) or b"")
        rows.append(b"\0" + bytes(bitmap) + body)
    return rows, plan, [column(kind) for kind, _ in shapes]  # type: ignore[return-value]


@given(binary_results(), st.integers(1, 300), st.binary(max_size=3))
def test_a_run_of_binary_rows_is_rewritten_as_its_rows_one_by_one(
    result: tuple[list[bytes], RowPlan, list[MySqlColumn]], sequence: int, behind: bytes
) -> None:
    rows, plan, columns = result
    run = framed(rows, sequence)
    new, end, count = BinaryRun(plan, columns).rewrite(run + behind, 0, sequence, 0, MOST)
    assert new == framed([rewrite_binary_row(row, plan, columns) for row in rows], sequence)
    assert (end, count) == (len(run), len(rows))


@given(binary_results().filter(lambda result: bool(result[0])), st.data())
def test_a_run_ends_at_a_row_that_is_not_its_fields(
    result: tuple[list[bytes], RowPlan, list[MySqlColumn]], data: st.DataObject
) -> None:
    """Whatever byte is damaged: what a run takes, the function that takes one row takes too, and makes the same of it."""
    rows, plan, columns = result
    row = bytearray(data.draw(st.sampled_from(rows)))
    row[data.draw(st.integers(0, min(len(row) - 1, 40)))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del row[data.draw(st.integers(0, len(row))) :]
    new, _, count = BinaryRun(plan, columns).rewrite(frame(bytes(row)), 0, 0, 0, MOST)
    try:
        expected = frame(rewrite_binary_row(bytes(row), plan, columns))
    except ProtocolError:
        assert (new, count) == (b"", 0)
    else:
        assert not count or new == expected


@given(text_results().filter(lambda result: bool(result[0])), st.data())
def test_a_run_ends_at_a_text_row_that_is_not_its_fields(
    result: tuple[list[bytes], RowPlan], data: st.DataObject
) -> None:
    rows, plan = result
    row = bytearray(data.draw(st.sampled_from(rows)))
    row[data.draw(st.integers(0, min(len(row) - 1, 40)))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del row[data.draw(st.integers(0, len(row))) :]
    new, _, count = TextRun(plan).rewrite(frame(bytes(row)), 0, 0, 0, MOST)
    try:
        expected = frame(rewrite_text_row(bytes(row), plan))
    except ProtocolError:
        assert (new, count) == (b"", 0)
    else:
        assert not count or new == expected


@pytest.mark.parametrize(
    ("packets", "rows"),
    [
        (b"\1\0\0\1a\1\0\0\2a", 2),
        (b"\1\0\0\1a\1\0\0\3a", 1),  # out of order
        (b"\1\0\0\1a\0\0\0\2", 1),  # empty
        (b"\1\0\0\1a\5\0\0\2\xfe\0\0\0\0", 1),  # the end of the rows
        (b"\1\0\0\1a\5\0\0\2\xff\0\0\0\0", 1),  # an error
        (b"\1\0\0\1a\2\0\0\2a", 1),  # not whole
        (b"\1\0\0\1a\xff\xff\xff\2a", 1),  # of several packets
        (b"\1\0\0", 0),
    ],
)
def test_a_run_ends_at_what_is_no_row_of_one_whole_packet(packets: bytes, rows: int) -> None:
    assert end_of_run(packets, 0, 1) == (5 * rows, rows)


def test_numbers_of_packets_wrap_around() -> None:
    run = framed([b"\1a"] * 600, 0)
    assert end_of_run(run, 0, 0) == (len(run), 600)
    assert TextRun([last_two]).rewrite(run, 0, 0, 0, MOST) == (run, len(run), 600)


def test_a_row_over_the_limit_or_that_grows_over_a_packet_is_not_of_the_run() -> None:
    run = framed([b"\1a", encode_lenenc(bytes(100)), b"\1a"], 0)
    assert TextRun([last_two]).rewrite(run, 0, 0, 0, 50)[2] == 1
    assert TextRun([replaced(bytes(1 << 24))]).rewrite(run, 0, 0, 0, MOST) == (b"", 0, 0)


def test_a_constant_that_does_not_fit_its_column_is_an_error_of_the_row_that_it_would_stand_in() -> None:
    run = BinaryRun([replaced(b"***")], [column(8)])
    assert run.rewrite(b"", 0, 0, 0, MOST) == (b"", 0, 0)
    assert run.rewrite(frame(b"\0\4"), 0, 0, 0, MOST)[2] == 1  # NULL stays
    with pytest.raises(ProtocolError, match="width"):
        run.rewrite(frame(b"\0\0" + bytes(8)), 0, 0, 0, MOST)
