"""What detectors find does not leave, however the server's bytes are cut, in rows and in COPY, and not in the record either."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.base import Detected, Forward, Masker, Rows
from protocols.postgres.copy import SIGNATURE, CopyFormat, copy_rewriter
from protocols.postgres.limits import RelayLimits
from protocols.postgres.messages import frame
from protocols.postgres.startup import encode_parameter_status
from rules.detection import finder
from rules.masking.maskers import replaced
from tests.protocols import playbook as p
from tests.protocols.playbook import Session

AWS = b"AKIA" + b"IOSFODNN7EXAMPLE"
PEM = (
    b"-----BEGIN RSA PRIVATE " + b"KEY-----\n" + b"MIIEpAIBAAKCAQEA7abc\n" * 60 + b"-----END RSA PRIVATE " + b"KEY-----"
)
TEXT, INT = 25, 23
STARS = b"*" * 20
FINDER = finder(("secrets", "cards", "emails"))
assert FINDER is not None


def starred(value: bytes) -> bytes:
    for secret in (AWS, PEM):
        value = value.replace(secret, bytes(0x2A if byte > 0x20 else byte for byte in secret))
    return value


def session(limits: RelayLimits | None = None) -> Session:
    made = Session(limits)
    made.relay.detect_with(FINDER)
    return made


def counted(effects: object) -> dict[str, int]:
    counts: dict[str, int] = {}
    for effect in effects:  # type: ignore[attr-defined]
        if isinstance(effect, Detected):
            for name, number in effect.counts.items():
                counts[name] = counts.get(name, 0) + number
    return counts


def head(*kinds: int) -> bytes:
    return p.row_description(*[(f"c{number}", 1, number, kind, 0) for number, kind in enumerate(kinds)])


def asked(made: Session, text: str = "select", **verdict: object) -> None:
    made.client(p.query(text))
    made.answer(Forward("attached", **verdict))  # type: ignore[arg-type]


VALUES = st.one_of(
    st.none(),
    st.sampled_from(
        [AWS, PEM, b"key: " + AWS + b";", b"AKIA", b"eyJ", b"", b"x" * 65, AWS + b" " + b"y" * 44, bytes(300)]
    ),
    st.binary(max_size=9),
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8),
    st.lists(st.integers(0, 300_000), max_size=6),
    st.sampled_from([200, 1 << 20]),
    st.sampled_from([0, 1 << 40]),
)
def test_no_cut_of_the_bytes_lets_a_secret_through(
    rows: list[tuple[bytes | None, bytes | None]], cuts: list[int], message_bytes: int, record_bytes: int
) -> None:
    """`message_bytes`: above it, a row is looked at in parts."""
    made = session(RelayLimits(message_bytes=message_bytes))
    asked(made, record_bytes=record_bytes)
    made.server(head(TEXT, TEXT))
    made.to_client()
    stream = b"".join(p.row(*row) for row in rows) + p.complete(f"SELECT {len(rows)}") + p.ready()
    places = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    effects = [effect for start, end in itertools.pairwise(places) for effect in made.server(stream[start:end])]
    out = made.to_client()
    expected = b"".join(p.row(*(None if value is None else starred(value) for value in row)) for row in rows)
    assert out == expected + p.complete(f"SELECT {len(rows)}") + p.ready()
    recorded = b"".join(effect.frames for effect in effects if isinstance(effect, Rows))
    assert expected.startswith(recorded)
    if record_bytes and message_bytes > 200:
        assert recorded == expected
    number = sum(value.count(AWS) for row in rows for value in row if value)
    assert counted(effects).get("aws-key", 0) == number
    assert made.relay.at_message_boundary


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 200_000), st.integers(1, 70_000), st.booleans())
def test_a_long_value_is_looked_at_in_parts_and_none_is_lost_between_two(before: int, step: int, copy: bool) -> None:
    made = session(RelayLimits(message_bytes=100_000))
    asked(made)
    value = b"." * before + PEM + b" " + AWS + b"." * 150_000 + AWS
    if copy:
        made.server(frame(b"H", struct.pack("!bHh", 0, 1, 0)))
        stream = frame(b"d", value + b"\n")
        expected = frame(b"d", starred(value) + b"\n")
    else:
        made.server(head(TEXT, INT, TEXT))
        stream = p.row(value, b"7", AWS)
        expected = p.row(starred(value), b"7", STARS)
    made.to_client()
    for at in range(0, len(stream), step):
        made.server(stream[at : at + step])
    assert made.to_client() == expected
    assert counted(made.effects) == {"private-key": 1, "aws-key": 2 if copy else 3}


def test_a_row_that_waits_for_its_end_is_bounded_by_message_bytes() -> None:
    made = session(RelayLimits(message_bytes=100_000))
    asked(made)
    made.server(head(TEXT))
    made.to_client()
    row = p.row(b"." * 10_000_000)
    made.server(row[:500_000])
    assert len(made.to_client()) > 500_000 - 18 * 1024
    assert not made.relay.at_message_boundary


def test_numbers_are_not_looked_at() -> None:
    made = session()
    asked(made)
    made.server(head(20, INT))
    rows = p.row(b"4111111111111111", b"1")
    made.server(rows, p.complete("SELECT 1"), p.ready())
    assert rows in made.to_client()
    assert counted(made.effects) == {}


def test_of_a_row_only_text_is_looked_at_and_only_inside_values() -> None:
    made = session()
    asked(made)
    made.server(head(20, TEXT, 20))
    card = b"4111111111111111"
    made.server(p.row(card, b"no. " + card, card) * 3)
    assert made.to_client().endswith(p.row(card, b"no. " + b"0" * 16, card) * 3)
    assert counted(made.effects) == {"card": 3}


def test_what_is_masked_is_looked_at_beside_it() -> None:
    made = session()
    asked(made, look=True, record_bytes=1 << 20)
    made.server(head(TEXT, TEXT))
    made.relay.plan([replaced(b"***"), None])
    made.advance()
    made.server(p.row(b"ssn", AWS), p.complete("SELECT 1"), p.ready())
    assert p.row(b"***", STARS) in made.to_client()
    recorded = [effect.frames for effect in made.effects if isinstance(effect, Rows)]
    assert recorded[-1] == p.row(b"***", STARS)


class Token:
    """A masker of many that gives what looks like a key, as a pseudonym may."""

    def __call__(self, data: bytes | None) -> bytes | None:
        return None if data is None else AWS

    def many(self, values: list[bytes]) -> list[bytes | None]:
        return [AWS for _ in values]


def last_bytes(data: bytes | None) -> bytes | None:
    return data and data[-20:]


@pytest.mark.parametrize("scans", [False, True])
@pytest.mark.parametrize("style", ["rows", "text", "csv", "quoted", "cut", "binary"])
@pytest.mark.parametrize("secret", [False, True])
def test_a_pseudonym_stays_whole_and_what_stands_beside_it_or_is_left_of_a_value_does_not(
    style: str, secret: bool, scans: bool
) -> None:
    """In COPY however its rows are cut: a message each, or not, scanned or split."""
    made = session()
    asked(made, look=True)
    plan = [None, Token(), None, last_bytes, replaced(AWS), None]
    beside, hidden = (AWS, STARS) if secret else (b"plain", b"plain")

    def of(*values: bytes, quoted: tuple[int, ...] = (0, 5)) -> bytes:
        if style == "rows":
            return p.row(*values)
        if style == "binary":
            return b"d" + p.row(*values)[1:]
        quote = b'"' if style == "quoted" else b""
        cells = [quote + value + quote if place in quoted else value for place, value in enumerate(values)]
        return frame(b"d", (b"\t" if style == "text" else b",").join(cells) + b"\n")

    read = of(beside, b"a", b"", b"key " + beside, b"b", beside, quoted=(0, 1, 5))
    expected = of(hidden, AWS, b"", (b"key " + beside)[-20:].replace(AWS, STARS), AWS, hidden)
    if style == "rows":
        made.server(head(*[TEXT] * 6))
        made.relay.plan(plan)
    else:
        made.server(frame(b"H", struct.pack("!bH6h", style == "binary", 6, *[style == "binary"] * 6)))
        rewriter = copy_rewriter(
            CopyFormat("csv", b",") if style in ("csv", "quoted", "cut") else CopyFormat(style), plan
        )  # type: ignore[arg-type]
        if style != "binary":
            rewriter._scans = scans  # type: ignore[union-attr]
        made.relay.plan_copy(rewriter)
    made.advance()
    made.to_client()
    if style == "binary":
        made.server(frame(b"d", SIGNATURE + bytes(8)))
        made.to_client()
    if style == "cut":
        body = read[5:]
        made.server(read + frame(b"d", body[:9]) + frame(b"d", body[9:] + body + body[:3]) + frame(b"d", body[3:]))
        assert made.to_client() == expected + frame(b"d", expected[5:] * 2) + expected
    else:
        made.server(read * 3)
        assert made.to_client() == expected * 3
    counts = counted(made.effects).get("aws-key", 0)
    assert counts == (3 * (4 if style == "cut" else 3) if secret else 0)


@pytest.mark.parametrize("masker", [replaced(AWS), Token()])
def test_two_rows_in_one_message_are_looked_at_around_the_same_cells(masker: Masker) -> None:
    """The first of them is begun as a row of its own, and taken back."""
    rewriter = copy_rewriter(CopyFormat(), [None, masker, None])
    rewriter._scans = rewriter.searched = True  # type: ignore[union-attr]
    read = frame(b"d", b"a\tb\t" + AWS + b"\n" + AWS + b"\td\te\n")
    new, _ = rewriter.rewrite(read, 0)
    assert new == frame(b"d", b"a\t" + AWS + b"\t" + AWS + b"\n" + AWS + b"\t" + AWS + b"\te\n")
    seen = [new[start:end] for start, end in rewriter.places(new, None)]
    assert seen == [b"a\t", b"\t" + AWS + b"\n" + AWS + b"\t", b"\te\n"]


def extended(made: Session, *client: bytes) -> None:
    made.client(p.parse("select", "s"), *client, p.SYNC)
    made.allow_all()


@pytest.mark.parametrize("described", [True, False])
def test_in_the_extended_protocol_too_described_or_not(described: bool) -> None:
    made = session()
    extended(made, p.bind("s"), *([p.describe("P")] if described else []), p.execute())
    made.server(
        p.PARSE_COMPLETE,
        p.BIND_COMPLETE,
        *([head(TEXT)] if described else []),
        p.row(AWS),
        p.complete("SELECT 1"),
        p.ready(),
    )
    assert p.row(STARS) in made.to_client()


def test_a_cursor_that_was_opened_anew_is_not_taken_for_the_one_described() -> None:
    made = session()
    extended(made, p.bind("s", "c"), p.describe("P", "c"), p.execute("c", 1))
    made.server(p.PARSE_COMPLETE, p.BIND_COMPLETE, head(INT), p.row(b"1"), p.SUSPENDED, p.ready())
    asked(made, "close c; declare c cursor for select secret")
    made.server(p.complete("CLOSE CURSOR"), p.complete("DECLARE CURSOR"), p.ready("T"))
    made.client(p.execute("c"), p.SYNC)
    made.allow_all()
    made.server(p.row(AWS), p.complete("SELECT 1"), p.ready("T"))
    assert AWS not in made.to_client()


@pytest.mark.parametrize("binary", [False, True])
def test_in_copy(binary: bool) -> None:
    def line(value: bytes) -> bytes:
        if not binary:
            return frame(b"d", b"1\t" + value + b"\n")
        return frame(b"d", struct.pack("!hi4si", 2, 4, b"\0\0\0A", len(value)) + value)

    made = session()
    asked(made)
    first = frame(b"d", SIGNATURE + struct.pack("!iIhi", 0, 0, 1, 20) + AWS) if binary else line(AWS)
    last = frame(b"d", b"\xff\xff") if binary else b""
    long = AWS + b" " + b"y" * 44  # its length is a letter
    made.server(frame(b"H", struct.pack("!bHhh", binary, 2, binary, binary)), first, line(long), line(b"plain"), last)
    made.server(frame(b"c", b""), p.complete("COPY 3"), p.ready())
    out = made.to_client()
    assert AWS not in out
    assert line(STARS + b" " + b"y" * 44) + line(b"plain") + last in out
    assert counted(made.effects) == {"aws-key": 2}


def test_in_copy_a_delimiter_that_is_a_letter_of_the_form_hides_it() -> None:
    """COPY … (DELIMITER 'K') writes the letter behind a backslash."""
    made = session()
    asked(made)
    written = AWS.replace(b"K", b"\\K")
    made.server(frame(b"H", struct.pack("!bHh", 0, 1, 0)), frame(b"d", written + b"\n"), frame(b"c", b""))
    made.server(p.complete("COPY 1"), p.ready())
    assert written in made.to_client()
    assert counted(made.effects) == {}


def test_an_error_that_quotes_a_secret_loses_it() -> None:
    made = session()
    asked(made)
    made.server(p.error("22P02", f'invalid input syntax for type integer: "{AWS.decode()}"'), p.ready())
    out = made.to_client()
    assert b'integer: "' + STARS in out
    assert counted(made.effects) == {"aws-key": 1}


def test_a_parameter_that_tells_a_secret_loses_it() -> None:
    made = session()
    asked(made)
    made.server(encode_parameter_status("application_name", f"x {AWS.decode()}"), p.complete("SET"), p.ready())
    told = encode_parameter_status("application_name", "x " + STARS.decode())
    assert made.to_client() == told + p.complete("SET") + p.ready()
    assert counted(made.effects) == {"aws-key": 1}


def test_without_detectors_nothing_changes() -> None:
    made = Session()
    asked(made)
    stream = head(TEXT) + p.row(AWS) + p.complete("SELECT 1") + p.ready()
    made.server(stream)
    assert made.to_client() == stream
