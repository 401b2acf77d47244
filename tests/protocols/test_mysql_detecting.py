"""What detectors find does not leave, however the server's bytes are cut, in text and binary rows, and not in the record either."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.base import Completed, Detected, Failed, Forward, ProtocolError, Rows
from protocols.mysql.capabilities import Capability
from protocols.mysql.detecting import overwritten
from protocols.mysql.messages import MySqlColumn
from protocols.mysql.packets import FULL_PAYLOAD, encode_lenenc, frame
from protocols.mysql.shared import Limits, MySqlEffect, ResultDescribed
from rules.detection import finder
from rules.masking.maskers import replaced
from tests.protocols import mysql_playbook as p
from tests.protocols.mysql_playbook import BLOB, LONG, NEW, OLD, VAR_STRING, Session

BOTH = pytest.mark.parametrize("flags", [OLD, NEW], ids=["eof", "deprecate-eof"])
AWS = b"AKIA" + b"IOSFODNN7EXAMPLE"
STARS = b"*" * 20
FINDER = finder(("secrets", "cards", "emails"))
assert FINDER is not None
JSON, DECIMAL, ENUM = 245, 246, 247


def looked_at(flags: Capability = NEW, limits: Limits | None = None) -> Session:
    made = Session(flags, limits)
    made.relay.detect_with(FINDER)
    return made


def asked(session: Session, **verdict: object) -> None:
    session.client(p.query("select"))
    session.answer(Forward("attached", **verdict))  # type: ignore[arg-type]
    session.to_server()


def counted(effects: list[MySqlEffect]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for effect in effects:
        if isinstance(effect, Detected):
            for name, number in effect.counts.items():
                counts[name] = counts.get(name, 0) + number
    return counts


@BOTH
def test_a_secret_in_text_rows_is_overwritten_and_counted(flags: Capability) -> None:
    session = looked_at(flags)
    asked(session, record_bytes=1000)
    columns = [p.column("n", LONG), p.column("note"), p.column("doc", JSON)]
    rows = [(b"1", b"a " + AWS + b" b", b'{"k": "' + AWS + b'"}'), (None, None, b""), (b"2", b"plain", None)]
    hidden = [tuple(None if each is None else each.replace(AWS, STARS) for each in row) for row in rows]
    effects = session.server(p.packets(*p.result(columns, [p.row(*row) for row in rows], flags)))
    assert session.to_client() == p.packets(*p.result(columns, [p.row(*row) for row in hidden], flags))
    assert counted(effects) == {"aws-key": 2}
    recorded = b"".join(each.frames for each in effects if isinstance(each, Rows))
    assert AWS not in recorded
    assert STARS in recorded
    first = next(at for at, each in enumerate(effects) if isinstance(each, Detected))
    assert all(not isinstance(each, Rows | Completed) for each in effects[:first])


@pytest.mark.parametrize("kind", [15, JSON, ENUM, 248, 249, 250, 251, BLOB, VAR_STRING, 254])
def test_every_type_that_may_hold_text_is_looked_at_in_binary(kind: int) -> None:
    columns = [p.column("n", LONG), p.column("x", kind), p.column("y", VAR_STRING)]
    rows = [
        p.binary_row(p.number(65), encode_lenenc(b"k=" + AWS), None),
        p.binary_row(None, None, encode_lenenc(AWS)),
        p.binary_row(p.number(7), encode_lenenc(b"x" * 300 + b" " + AWS), encode_lenenc(b"")),
    ]
    session = looked_at()
    session.client(p.prepare("select"))
    session.answer(Forward("prepared"))
    session.server(p.prepared(1, NEW, 3))
    session.client(p.execute(1))
    session.answer(Forward("run"))
    session.to_client()
    effects = session.server(p.packets(*p.result(columns, rows, NEW)))
    assert session.to_client() == p.packets(*p.result(columns, [row.replace(AWS, STARS) for row in rows], NEW))
    assert counted(effects) == {"aws-key": 3}


@pytest.mark.parametrize("kind", [3, 8, DECIMAL, 16, 10, 12, 255])
def test_what_is_no_text_is_left_alone(kind: int) -> None:
    session = looked_at()
    asked(session)
    answer = p.packets(*p.result([p.column("x", kind)], [p.row(b"4111111111111111")], NEW))
    effects = session.server(answer)
    assert session.to_client() == answer
    assert counted(effects) == {}


def test_a_length_in_front_of_a_value_is_no_letter_of_it() -> None:
    """A value of 65 bytes has an A in front, which would make its first word another one."""
    value = AWS + b" " * 45
    assert encode_lenenc(value)[:1] == b"A"
    session = looked_at()
    asked(session)
    session.server(p.packets(*p.result([p.column()], [p.row(value)], NEW)))
    assert session.to_client() == p.packets(*p.result([p.column()], [p.row(value.replace(AWS, STARS))], NEW))


def test_a_masked_row_is_looked_at_as_well() -> None:
    session = looked_at()
    session.client(p.query("select"))
    session.answer(Forward("attached", look=True))
    columns = [p.column("a"), p.column("b")]
    effects = session.server(p.packets(*p.result(columns, [p.row(b"secret", AWS)], NEW)))
    assert isinstance(effects[-1], ResultDescribed)
    session.relay.plan([replaced(b"***"), None])
    effects = session.advance()
    assert session.to_client() == p.packets(*p.result(columns, [p.row(b"***", STARS)], NEW))
    assert counted(effects) == {"aws-key": 1}


class Token:
    """A masker of many that gives what looks like a key, as a pseudonym may."""

    def __call__(self, data: bytes | None) -> bytes | None:
        return None if data is None else AWS

    def many(self, values: list[bytes]) -> list[bytes | None]:
        return [AWS for _ in values]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("secret", [AWS, b"plain"])
def test_a_pseudonym_stays_whole_and_what_stands_beside_it_or_is_left_of_a_value_does_not(
    secret: bytes, binary: bool, whole: bool
) -> None:
    """However it is cut: a row that is not masked with others is long."""
    session = looked_at()
    columns = [p.column("a"), p.column("b"), p.column("c"), p.column("d")]
    if binary:
        p.ready_statement(session, columns=4, parameters=0)
        session.client(p.execute(1, types=None))
    else:
        session.client(p.query("select"))
    session.answer(Forward("attached", look=True))
    session.to_client()

    def row(*values: bytes) -> bytes:
        return p.binary_row(*[encode_lenenc(value) for value in values]) if binary else p.row(*values)

    long = b"" if whole else b"." * (8 << 20)
    effects = session.server(p.packets(*p.result(columns, [row(secret + long, b"x", b"key " + secret, b"y")] * 2, NEW)))
    assert isinstance(effects[-1], ResultDescribed)
    session.relay.plan([None, Token(), lambda data: data and data[-20:], replaced(AWS)])
    effects = session.advance()
    hidden = secret.replace(AWS, STARS)
    kept = (b"key " + secret)[-20:].replace(AWS, STARS)
    assert session.to_client() == p.packets(*p.result(columns, [row(hidden + long, AWS, kept, AWS)] * 2, NEW))
    assert counted(effects) == ({"aws-key": 4} if secret == AWS else {})


@BOTH
def test_an_error_is_looked_at(flags: Capability) -> None:
    session = looked_at(flags)
    asked(session)
    effects = session.server(p.packets(p.err(1292, "Truncated incorrect value: 'x " + AWS.decode() + "'")))
    assert session.to_client() == p.packets(p.err(1292, "Truncated incorrect value: 'x " + STARS.decode() + "'"))
    (failed,) = [each for each in effects if isinstance(each, Failed)]
    assert AWS not in failed.fields["M"]
    assert counted(effects) == {"aws-key": 1}


def test_a_detector_that_is_taken_away_looks_no_more() -> None:
    session = looked_at()
    session.relay.detect_with(None)
    asked(session)
    answer = p.packets(*p.result([p.column()], [p.row(AWS)], NEW))
    session.server(answer)
    assert session.to_client() == answer


def test_a_row_above_the_limit_streams_and_the_next_is_looked_at() -> None:
    session = looked_at(limits=Limits(masked_row_bytes=1000))
    asked(session, record_bytes=10_000)
    rows = [b"a", b"z" * 5000, AWS]
    answer = p.packets(*p.result([p.column()], [p.row(each) for each in rows], NEW))
    cut = answer.index(b"z" * 5000) + 700
    session.server(answer[:cut])
    assert session.to_client() == answer[:cut]  # nothing of it is kept
    effects = session.server(answer[cut:])
    assert session.to_client() == answer[cut:].replace(AWS, STARS)
    assert counted(effects) == {"aws-key": 1}
    (done,) = [each for each in effects if isinstance(each, Completed)]
    assert done.rows == 3


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_row_of_several_packets_streams(extra: int) -> None:
    """A row whose last packet is full has an empty one behind it."""
    value = b"v" * (FULL_PAYLOAD - 4 + extra)
    session = looked_at(limits=Limits(masked_row_bytes=2000))
    asked(session)
    answer = p.packets(*p.result([p.column()], [p.row(value), p.row(AWS)], NEW))
    for at in range(0, len(answer), 1 << 20):
        session.server(answer[at : at + (1 << 20)])
    assert session.to_client() == answer.replace(AWS, STARS)


def test_a_row_that_is_not_its_fields_ends_the_session() -> None:
    session = looked_at()
    asked(session)
    with pytest.raises(ProtocolError):
        session.server(p.packets(*p.result([p.column(), p.column()], [p.row(AWS)], NEW)))


VALUES = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.sampled_from([AWS, b"ann@shop.test", b"4111 1111 1111 1111", b"x" * 240 + b" " + AWS, b'{"a":"' + AWS + b'"}']),
)


@settings(max_examples=150)
@given(st.lists(st.tuples(VALUES, VALUES), max_size=12), st.data())
def test_the_cutting_of_the_servers_bytes_changes_nothing(
    rows: list[tuple[bytes | None, bytes | None]], data: st.DataObject
) -> None:
    columns = [p.column("a"), p.column("b", BLOB)]
    answer = p.packets(*p.result(columns, [p.row(*row) for row in rows], NEW))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=6)))
    whole, parts = looked_at(), looked_at()
    asked(whole)
    asked(parts)
    all_at_once = whole.server(answer)
    effects: list[MySqlEffect] = []
    for low, high in zip([0, *cuts], [*cuts, len(answer)], strict=True):
        effects += parts.server(answer[low:high])
    found = whole.to_client()
    assert parts.to_client() == found
    assert len(found) == len(answer)
    assert counted(effects) == counted(all_at_once)
    assert FINDER is not None
    expected = p.packets(*p.result(columns, [p.row(*map(hidden, row)) for row in rows], NEW))
    assert found == expected


def hidden(value: bytes | None) -> bytes | None:
    if value is None or FINDER is None:
        return None
    for each in FINDER.find(value):
        value = value[: each.start] + each.new + value[each.end :]
    return value


def test_binary_values_are_found_behind_nulls_and_numbers_of_every_width() -> None:
    kinds = [1, 2, LONG, 8, 4, 5, 10, 11, 12, VAR_STRING]
    values = [
        b"\1",
        b"\1\2",
        bytes(4),
        bytes(8),
        bytes(4),
        bytes(8),
        b"\4abcd",
        b"\0",
        b"\7abcdefg",
        encode_lenenc(AWS),
    ]
    columns = [MySqlColumn(b"", b"", b"", b"x", b"x", 45, 80, kind, 0, 0) for kind in kinds]
    assert FINDER is not None
    for missing in range(len(kinds) - 1):
        row = frame(p.binary_row(*[None if at == missing else each for at, each in enumerate(values)]), 3)
        found = overwritten(b"xx" + row + b"yy", 2, 2 + len(row), columns, True, FINDER)
        assert found == (row.replace(AWS, STARS), {"aws-key": 1})
