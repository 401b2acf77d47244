"""What must hold for any client: nothing undecided runs, nothing masked leaves, and without rules nothing is changed."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.base import Described, Forward, Later, NameChange, ProtocolError, Question, Refuse, Stage, Verdict
from protocols.postgres.relay import Relay
from tests.protocols import playbook as p
from tests.protocols.fake_server import FakeServer

NAMES = st.sampled_from(["", "a", "b"])
GOOD = [
    "ok 1",
    "ok 2",
    "rows 2",
    "fail",
    "begin",
    "commit",
    "rollback",
    "prepare a: ok 1",
    "prepare b: bad 3",
    "deallocate a",
]
BAD = ["ok bad", "rows 1 bad", "prepare a: ok bad", "fail bad"]
TEXTS = st.sampled_from(GOOD + BAD)
BATCHES = st.lists(TEXTS, min_size=1, max_size=3).map(";".join)

MESSAGES = st.one_of(
    BATCHES.map(p.query),
    st.builds(p.parse, TEXTS, NAMES),
    st.builds(p.bind, NAMES, NAMES),
    st.builds(p.execute, NAMES),
    st.builds(p.describe, st.sampled_from("SP"), NAMES),
    st.builds(p.close, st.sampled_from("SP"), NAMES),
    st.just(p.SYNC),
    st.just(p.SYNC),
    st.just(p.FLUSH),
    # the road that drivers take
    st.builds(lambda text, name: p.parse(text, name) + p.bind(name) + p.execute() + p.SYNC, TEXTS, NAMES),
    st.builds(lambda name: p.bind(name) + p.execute() + p.SYNC, NAMES),
)


def is_bad(text: str) -> bool:
    return "bad" in text


class Policy:
    """Refuses every text with `bad` in it, wherever it stands, and knows what SQL prepares."""

    def __init__(self, relay: Relay, look: bool) -> None:
        self.relay = relay
        self.look = look

    def __call__(self, question: Question) -> Verdict:
        text = question.text
        if text is None:
            return Forward(look=self.look)
        if question.stage is Stage.FUNCTION_CALL:
            return Refuse(p.REFUSAL)  # as every policy does
        if is_bad(text.decode()) and (question.stage is not Stage.PARSE or "prepare" in text.decode()):
            return Refuse(p.REFUSAL)
        names = []
        for position, statement in enumerate(text.decode().split(";")):
            words = statement.split()
            if words[0] == "prepare":
                name, _, inner = statement[8:].partition(": ")
                names.append(NameChange("statement", name.encode(), True, inner.encode(), position=position))
            elif words[0] == "deallocate":
                names.append(NameChange("statement", words[1].encode(), False, position=position))
        return Forward(look=self.look, names=tuple(names) if question.stage is not Stage.PARSE else ())


def drive(pieces: list[bytes], delays: list[bool], look: bool = False) -> tuple[FakeServer, bytes]:
    """Everything the client gets; `delays` says after which piece the server's answers are held up."""
    server = FakeServer()
    relay = Relay()
    policy = Policy(relay, look)
    got = b""
    in_flight = b""

    def settle(deliver: bool) -> None:
        nonlocal got, in_flight
        while True:
            effects = relay.advance()
            for effect in effects:
                if isinstance(effect, Question):
                    relay.decide(effect.ticket, policy(effect))
                elif isinstance(effect, Described):
                    relay.plan([lambda _: b"***"] * len(effect.columns))
            in_flight += server.feed(b"".join(relay.take_for_server()))
            got += b"".join(relay.take_for_client())
            if in_flight and deliver:
                relay.feed_server(in_flight)
                in_flight = b""
            elif not effects:
                return

    for number, piece in enumerate(pieces):
        relay.feed_client(piece)
        settle(deliver=not (delays and delays[number % len(delays)]))
    settle(deliver=True)
    return server, got


def chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


# few words, so that the sequences that matter (prepare, fail to prepare again, run) are found
NARROW = st.one_of(
    st.builds(
        lambda text: p.parse(text, "a") + p.bind("a") + p.execute() + p.SYNC, st.sampled_from(["ok bad", "ok 1"])
    ),
    st.just(p.bind("a") + p.execute() + p.SYNC),
    st.just(p.bind("a", "c") + p.execute("c")),
    st.just(p.execute("c")),
    st.sampled_from([p.query("deallocate a"), p.query("prepare a: ok 1"), p.query("begin"), p.query("commit"), p.SYNC]),
)
SCRIPTS = st.one_of(st.lists(MESSAGES, min_size=1, max_size=14), st.lists(NARROW, min_size=2, max_size=10))
CUTS = st.lists(st.integers(0, 5000), max_size=6)
DELAYS = st.lists(st.booleans(), max_size=4)


@settings(max_examples=600, deadline=None)
@given(SCRIPTS, CUTS, DELAYS, st.booleans())
def test_nothing_refused_ever_runs(script: list[bytes], cuts: list[int], delays: list[bool], look: bool) -> None:
    server, _ = drive(chunked(b"".join(script), cuts), delays, look)
    assert not [text for text in server.ran if is_bad(text)]


@settings(max_examples=400, deadline=None)
@given(SCRIPTS, CUTS, DELAYS)
def test_no_row_of_a_masked_session_leaves_unmasked(script: list[bytes], cuts: list[int], delays: list[bool]) -> None:
    _, got = drive(chunked(b"".join(script), cuts), delays, look=True)
    assert b"secret" not in got


@settings(max_examples=400, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=14), CUTS, DELAYS)
def test_without_refusals_the_client_gets_what_the_server_would_send(
    script: list[bytes], cuts: list[int], delays: list[bool]
) -> None:
    data = b"".join(script).replace(b"bad", b"fin")
    direct = FakeServer()
    expected = direct.feed(data)
    server, got = drive(chunked(data, cuts), delays)
    assert got == expected
    assert server.ran == direct.ran


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.one_of(MESSAGES, st.binary(max_size=20)), max_size=6), st.integers(0, 400), st.integers(0, 255), CUTS
)
def test_mutated_sessions_end_only_in_protocol_errors(
    script: list[bytes], place: int, value: int, cuts: list[int]
) -> None:
    data = bytearray(b"".join(script))
    if data:
        data[place % len(data)] = value
    try:
        server, _ = drive(chunked(bytes(data), cuts), [])
    except (ProtocolError, UnicodeDecodeError, IndexError, AttributeError):
        # the last three are the fake server's or the fake policy's: the text was mutated too
        return
    assert not [text for text in server.ran if is_bad(text)]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), CUTS)
def test_any_bytes_of_a_server_end_only_in_protocol_errors(data: bytes, cuts: list[int]) -> None:
    relay = Relay()
    relay.feed_client(p.query("rows 1") + p.parse("ok") + p.bind() + p.describe("S") + p.execute() + p.SYNC)
    for effect in relay.advance():
        if isinstance(effect, Question):
            relay.decide(effect.ticket, Forward())
    while relay.asking is not None:
        relay.decide(relay.asking.ticket, Forward())
        relay.advance()
    try:
        for piece in chunked(data, cuts):
            relay.feed_server(piece)
            relay.advance()
    except ProtocolError:
        pass


def test_later_is_a_verdict() -> None:
    relay = Relay()
    relay.feed_client(p.query("ok"))
    (question,) = relay.advance()
    assert isinstance(question, Question)
    relay.decide(question.ticket, Later())
    (again,) = relay.advance()
    assert again == question
