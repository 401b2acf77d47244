"""Rows rewritten a read at a time are those that come of rewriting one after the other, whatever the cut."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import shortening
from protocols.base import Forward, ProtocolError, RowPlan, Rows, constant_of, many_of
from protocols.postgres.copy import SIGNATURE, CopyFormat, copy_rewriter
from protocols.postgres.rows import RowRewriter, end_of_run
from protocols.shortening import shortening_of
from rules.masking.maskers import Maskers, always, guarded, replaced
from rules.masking.values import Mark
from tests.protocols import playbook as p
from tests.protocols.playbook import Session

Row = tuple[bytes | None, ...]


def rewritten_row(row: Row, plan: RowPlan) -> Row:
    """The reference: a row's values, each given to its masker."""
    return tuple(value if masker is None else masker(value) for value, masker in zip(row, plan, strict=True))


def last_two(data: bytes | None) -> bytes | None:
    return b"nothing" if data is None else data[-2:]


MADE = Maskers(bytes(32))
# what keeps the ends of a text, and what is masked many at once
SHORTENED = [
    MADE.field(Mark(*mark), 25, False) for mark in (("email",), ("last4",), ("first-n", "1"), ("first-n", "3"))
]
TOGETHER = [MADE.field(Mark(name), 25, False) for name in ("hash", "pseudonym")]
MASKERS = st.sampled_from(
    [
        *(None, last_two, lambda _: None, replaced(b"***"), replaced(None), always(b""), always(None)),
        *(replaced(b"x" * 3000), *SHORTENED, *TOGETHER),
    ]
)
TEXTS = st.one_of(
    st.sampled_from([b"alice@example.com", b"a@b", b"ab@c", b"ab@", b"ab@c@d", b"@", b"4111111111111234", b"x" * 257]),
    st.sampled_from(
        ["lé@example.com".encode(), b"ab@\xff", b" padded@example.com", b"padded@example.com ", b"a\x1fb@c.d\x7f"]
    ),
    st.text(alphabet="ab@.\\\"'^,|*~ \t\né", max_size=12).map(str.encode),
)


@pytest.fixture(autouse=True, params=[False, True])
def in_place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values are shortened in place where that is compiled; here it is tested either way."""
    monkeypatch.setattr(shortening, "COMPILED", request.param)


# lengths on both sides of what fits into one byte of a length, and of the table of headers
VALUES = st.one_of(
    st.none(),
    TEXTS,
    st.sampled_from([b"", "é€😀".encode(), bytes(255), bytes(256), bytes(2030), bytes(70_000)]),
    st.binary(max_size=9),
)


@st.composite
def results(draw: st.DrawFn) -> tuple[list[Row], RowPlan]:
    columns = draw(st.integers(1, 5))
    plan = draw(st.lists(MASKERS, min_size=columns, max_size=columns))
    rows = draw(st.lists(st.tuples(*[VALUES] * columns), max_size=8))
    return rows, plan


@given(results(), st.binary(max_size=4))
def test_a_run_is_rewritten_as_its_rows_one_by_one(result: tuple[list[Row], RowPlan], behind: bytes) -> None:
    rows, plan = result
    run = b"".join(p.row(*row) for row in rows)
    new, end, count = RowRewriter(plan).rewrite(b"Z\0\0\0\5I" + run + behind, 6)
    assert new == b"".join(p.row(*rewritten_row(row, plan)) for row in rows)
    assert (end, count) == (6 + len(run), len(rows))


@given(results(), st.lists(st.integers(0, 300_000), max_size=6), st.sampled_from([0, 100, 1 << 40]))
def test_any_cut_gives_the_client_and_the_record_the_same(
    result: tuple[list[Row], RowPlan], cuts: list[int], record_bytes: int
) -> None:
    rows, plan = result
    session = Session()
    session.client(p.query("select"))
    session.answer(Forward("attached", look=True, record_bytes=record_bytes))
    head = p.row_description(*[(f"c{number}", 1, number, 25, 0) for number in range(len(plan))])
    session.server(head)
    session.relay.plan(plan)
    session.advance()
    stream = b"".join(p.row(*row) for row in rows) + p.complete(f"SELECT {len(rows)}") + p.ready()
    places = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    effects = [effect for start, end in itertools.pairwise(places) for effect in session.server(stream[start:end])]
    expected = [p.row(*rewritten_row(row, plan)) for row in rows]
    assert session.to_client() == head + b"".join(expected) + p.complete(f"SELECT {len(rows)}") + p.ready()
    recorded = b"".join(effect.frames for effect in effects if isinstance(effect, Rows))
    fitting = b""
    for frame in [head, *expected]:
        if len(fitting) + len(frame) > record_bytes:
            break
        fitting += frame
    assert recorded == fitting.removeprefix(head)  # that came with its own feed


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda row: row[:5] + b"\0\3" + row[7:], "columns"),
        (lambda row: row[:5] + b"\1\2" + row[7:], "columns"),
        (lambda row: b"D\0\0\0\4", "columns"),
        (lambda row: b"D\0\0\0\5\0", "columns"),
        (lambda row: row[:7] + struct.pack("!I", 50) + row[11:], "field is longer"),
        (lambda row: row[:7] + b"\xff\xff\xff\xfe" + row[11:], "field is longer"),
        (lambda row: row[:16] + struct.pack("!I", 300) + row[20:], "field is longer"),
        (lambda row: b"D" + struct.pack("!I", len(row) + 2) + row[5:] + b"abc", "longer than its fields"),
        (lambda row: b"D" + struct.pack("!I", len(row) - 2) + row[5:-1], "field is longer"),
        (lambda row: b"D\0\0\0\x0b\0\2\0\0\0\1a", "field is longer"),
    ],
)
@pytest.mark.parametrize("plan", [[last_two, None], [None, last_two], [replaced(b"*"), replaced(None)]])
@pytest.mark.parametrize("behind", [b"", p.row(b"secret", b"secret")])
def test_a_row_that_is_not_its_fields_ends_the_run(damage: object, why: str, plan: RowPlan, behind: bytes) -> None:
    row = damage(p.row(b"abcde", b"fghij"))  # type: ignore[operator]
    with pytest.raises(ProtocolError, match=why):
        RowRewriter(plan).rewrite(p.row(b"first", b"row") + row + behind, 0)


def test_a_masker_is_not_given_bytes_of_the_next_row() -> None:
    seen: list[bytes | None] = []
    row = p.row(b"abcde")[:7] + struct.pack("!I", 20) + b"abcde"
    with pytest.raises(ProtocolError, match="field is longer"):
        RowRewriter([seen.append]).rewrite(row + p.row(b"secret of the next"), 0)  # type: ignore[list-item]
    assert seen == []


@given(st.lists(VALUES, max_size=6), st.binary(max_size=12))
def test_a_run_ends_at_the_first_other_or_unfinished_frame(values: list[bytes | None], behind: bytes) -> None:
    run = b"".join(p.row(value) for value in values)
    tail = b"Z" + behind
    if run:
        assert end_of_run(run + tail, 0) == (len(run), len(values))
        assert end_of_run(run[:-1], 0) == (len(run) - len(p.row(values[-1])), len(values) - 1)


def test_a_masker_that_is_the_same_for_all_is_never_called_for_a_row() -> None:
    class Once:
        value = b"***"
        keeps_null = True

        def __call__(self, data: bytes | None) -> bytes | None:
            raise AssertionError("called for a row")

    assert constant_of(Once()) == constant_of(replaced(b"***")) == (b"***", True)
    assert constant_of(always(None)) == (None, False)
    assert constant_of(guarded(bytes.upper, b"")) is None
    assert RowRewriter([Once()]).rewrite(p.row(b"x") + p.row(None), 0)[0] == p.row(b"***") + p.row(None)
    text = copy_rewriter(CopyFormat(), [Once()])
    assert text.feed(b"x\n\\N\n") == b"***\n\\N\n"


@pytest.mark.parametrize("scans", [False, True])
@pytest.mark.parametrize(
    "line",
    [
        b"a,b\n",
        b"a,b,c,d\n",
        b"a\n",
        b"\n",
        b"a,b,c",
        b"a,b,c\n\n",
        b"a,b\nc,d,e\n",
        b'"a,b,c\n',
        b'"a",b,"c\n',
        b'a,"b"x,c\n',
        b'a,b"b,c\n',
        b"a,b,\\\n",
        b"a\\,b,c\n",
        b"\\.\n",
        b"",
    ],
)
@pytest.mark.parametrize("style", ["text", "csv"])
def test_a_message_that_is_no_row_of_the_plan_is_as_in_any_other_cut(style: str, line: bytes, scans: bool) -> None:
    """What the ways of finding cells make of odd lines: the same rows, or the same error."""
    shape = CopyFormat(style, b",", b"")  # type: ignore[arg-type]
    plans: list[RowPlan] = [[replaced(b"*"), None, last_two], [None, last_two, None], [last_two]]
    for plan in plans:
        outcomes = []
        for cut in (False, True):
            rewriter = copy_rewriter(shape, plan)
            rewriter._scans = scans  # type: ignore[union-attr]
            try:
                if cut:
                    got = rewriter.feed(line) + rewriter.finish()
                else:
                    got = unframed(rewriter.rewrite(copy_data(line), 0)[0]) + rewriter.finish()
            except ProtocolError as error:
                got = str(error).encode()
            outcomes.append(got)
        assert outcomes[0] == outcomes[1]


def copy_data(*bodies: bytes) -> bytes:
    return b"".join(b"d" + struct.pack("!I", len(body) + 4) + body for body in bodies)


COPIED = st.one_of(
    st.none(),
    st.sampled_from([b"", b"a,b", b'say "no"', b"back\\slash\\", b"tab\there", b"two\nlines", b"\\.", "é".encode()]),
)


@given(
    st.sampled_from(["text", "csv", "binary"]),
    st.lists(st.tuples(COPIED, COPIED, COPIED), min_size=1, max_size=6),
    st.lists(st.integers(0, 10_000), max_size=6),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([replaced(b"*\t,*"), always(None), last_two]),
)
def test_copied_rows_are_the_same_message_by_message_and_in_any_other_cut(
    style: str, rows: list[Row], cuts: list[int], by_row: bool, header: bool, scans: bool, masker: object
) -> None:
    shape = CopyFormat(style, b"," if style == "csv" else b"\t", b"" if style == "csv" else b"\\N", header=header)  # type: ignore[arg-type]
    plan: RowPlan = [None, masker, None]  # type: ignore[list-item]
    if style == "binary":
        header = False
    bodies = bodies_of(style, rows)
    if style == "binary":
        bodies = [SIGNATURE + bytes(8) + bodies[0], *bodies[1:], b"\xff\xff"]
    whole = b"".join(bodies)
    one = copy_rewriter(shape, plan)
    expected = one.feed(whole) + one.finish()
    if by_row:
        messages = copy_data(*bodies)
    else:
        places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
        messages = copy_data(*(whole[start:end] for start, end in itertools.pairwise(places)))
    other = copy_rewriter(shape, plan)
    if style != "binary":  # both ways of finding the cells, compiled or not
        other._scans = scans  # type: ignore[union-attr]
    got, end = other.rewrite(messages + b"c\0\0\0\4", 0)
    assert end == len(messages)
    assert unframed(got) + other.finish() == expected
    if by_row:  # clients take a message for a row
        assert len(list(frames(got))) == len(bodies)


FORMATS = [
    CopyFormat(),
    CopyFormat(delimiter=b"*"),
    CopyFormat(delimiter=b"|", null=b"ab@c"),
    CopyFormat("csv", b",", b""),
    CopyFormat("csv", b",", b"ab@c"),
    CopyFormat("csv", b"|", b"NULL", b"'", b"^"),
    CopyFormat("csv", b",", b"", b'"', b"\\"),
    CopyFormat("csv", b",", b"", b"*", b"*"),
]


@given(
    st.sampled_from(FORMATS),
    st.lists(st.tuples(*[st.one_of(st.none(), TEXTS)] * 3), max_size=6),
    st.lists(MASKERS, min_size=3, max_size=3),
    st.sets(st.integers(0, 5)),
    st.sampled_from([b"", b"a\n", b"\n", b"\\.\n", b'"a\n', b"a,b|c\td*e"]),
)
def test_what_is_masked_in_place_or_together_is_as_masked_one_by_one(
    shape: CopyFormat, rows: list[Row], plan: RowPlan, broken_at: set[int], odd: bytes
) -> None:
    """With messages among them that are no row, or that do not end where a row does."""
    writer = copy_rewriter(shape, [])
    bodies = []
    for number, row in enumerate(rows):
        body = shape.delimiter.join(plainly(writer, shape, value) for value in row) + b"\n"
        bodies += [body[:3], body[3:]] if number in broken_at else [body]
    bodies.append(odd)
    outcomes = []
    for scans in (False, True):
        rewriter = copy_rewriter(shape, plan)
        rewriter._scans = scans  # type: ignore[union-attr]
        try:
            got = unframed(rewriter.rewrite(copy_data(*bodies), 0)[0]) + rewriter.finish()
        except ProtocolError as error:
            got = str(error).encode()
        outcomes.append(got)
    assert outcomes[0] == outcomes[1]


def plainly(writer: object, shape: CopyFormat, value: bytes | None) -> bytes:
    """As servers write a field: CSV has quotes only where it needs them."""
    special = shape.delimiter + shape.quote + b"\n\r"
    if shape.style == "csv" and value and value != shape.null and not any(byte in special for byte in value):
        return value
    return writer._written(value)  # type: ignore[attr-defined, no-any-return]


def test_a_masker_of_many_is_called_once_for_a_run() -> None:
    calls: list[list[bytes]] = []

    class Many:
        def __call__(self, data: bytes | None) -> bytes | None:
            raise AssertionError("called for a row")

        def many(self, values: list[bytes]) -> list[bytes | None]:
            calls.append(values)
            return [value.upper() or None for value in values]

    assert many_of(Many()) is not None
    assert many_of(replaced(b"")) is None
    run = p.row(b"a", b"1") + p.row(None, b"2") + p.row(b"", b"3") + p.row(b"b", b"4")
    expected = p.row(b"A", b"1") + p.row(None, b"2") + p.row(None, b"3") + p.row(b"B", b"4")
    assert RowRewriter([Many(), None]).rewrite(run, 0) == (expected, len(run), 4)
    text = copy_rewriter(CopyFormat(), [Many(), None])
    text._scans = True  # type: ignore[union-attr]
    got, _ = text.rewrite(copy_data(b"a\t1\n", b"\\N\t2\n", b"b\t4\n"), 0)
    assert frames(got) == [b"A\t1\n", b"\\N\t2\n", b"B\t4\n"]
    assert calls == [[b"a", b"", b"b"], [b"a", b"b"]]


def test_a_masker_of_many_that_gives_another_number_of_values_sends_nothing() -> None:
    class Short:
        def __call__(self, data: bytes | None) -> bytes | None:
            return data

        def many(self, values: list[bytes]) -> list[bytes | None]:
            return [*values[1:]]

    with pytest.raises(AssertionError):
        RowRewriter([Short()]).rewrite(p.row(b"a") + p.row(b"b"), 0)
    text = copy_rewriter(CopyFormat(), [Short()])
    text._scans = True  # type: ignore[union-attr]
    with pytest.raises(AssertionError):
        text.rewrite(copy_data(b"a\n", b"b\n"), 0)


@given(TEXTS, st.binary(max_size=5), st.binary(max_size=5))
def test_what_is_kept_in_place_is_what_the_masker_keeps(value: bytes, before: bytes, behind: bytes) -> None:
    for masker in SHORTENED:
        keeps = shortening_of(masker)
        if keeps is not None:
            start, end = len(before), len(before) + len(value)
            buffer = before + value + behind + b"."
            tail = keeps.tail(buffer, start, end, -1)
            if tail >= 0:
                assert buffer[start : start + keeps.front] + keeps.stars + buffer[tail:end] == masker(value)


def bodies_of(style: str, rows: list[Row]) -> list[bytes]:
    if style == "binary":
        return [p.row(*row)[5:] for row in rows]
    # what writes the fields is checked against independent readers in test_copy
    writer = copy_rewriter(CopyFormat(style, b"," if style == "csv" else b"\t", b"" if style == "csv" else b"\\N"), [])  # type: ignore[arg-type]
    delimiter = b"," if style == "csv" else b"\t"
    return [delimiter.join(writer._written(value) for value in row) + b"\n" for row in rows]  # type: ignore[union-attr]


def frames(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        assert data[at] == ord("d")
        end = at + 1 + int.from_bytes(data[at + 1 : at + 5])
        found.append(data[at + 5 : end])
        at = end
    return found


def unframed(data: bytes) -> bytes:
    return b"".join(frames(data))
