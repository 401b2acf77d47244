"""Transcripts of a session over the relay, without sockets: what each side sends, what is asked, what leaves."""

from __future__ import annotations

import struct
from collections.abc import Callable

from protocols.base import Effect, Forward, Question, Refuse, Verdict
from protocols.postgres.limits import RelayLimits
from protocols.postgres.messages import encode_fields, encode_parse, encode_query, error_fields, frame
from protocols.postgres.relay import Relay

SYNC = b"S\0\0\0\4"
FLUSH = b"H\0\0\0\4"
PARSE_COMPLETE = b"1\0\0\0\4"
BIND_COMPLETE = b"2\0\0\0\4"
CLOSE_COMPLETE = b"3\0\0\0\4"
NO_DATA = b"n\0\0\0\4"
SUSPENDED = b"s\0\0\0\4"
EMPTY = b"I\0\0\0\4"
REFUSAL = error_fields("42501", "wireproxy: refused", hint="ask")
COPY_IN = frame(b"G", b"\0\0\1\0\0")
LOOK = Forward("attached", look=True)


def query(text: str) -> bytes:
    return encode_query(text.encode())


def parse(text: str, name: str = "") -> bytes:
    return encode_parse(name.encode(), text.encode())


def bind(statement: str = "", portal: str = "", *values: bytes | None) -> bytes:
    body = portal.encode() + b"\0" + statement.encode() + b"\0" + struct.pack("!HH", 0, len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return frame(b"B", body + struct.pack("!H", 0))


def execute(portal: str = "", rows: int = 0) -> bytes:
    return frame(b"E", portal.encode() + b"\0" + struct.pack("!I", rows))


def describe(what: str, name: str = "") -> bytes:
    return frame(b"D", what.encode() + name.encode() + b"\0")


def close(what: str, name: str) -> bytes:
    return frame(b"C", what.encode() + name.encode() + b"\0")


def ready(status: str = "I") -> bytes:
    return frame(b"Z", status.encode())


def complete(tag: str) -> bytes:
    return frame(b"C", tag.encode() + b"\0")


def row_description(*columns: tuple[str, int, int, int, int]) -> bytes:
    """Columns as (name, table OID, attribute, type OID, format)."""
    body = struct.pack("!H", len(columns))
    for name, table, attribute, kind, code in columns:
        body += name.encode() + b"\0" + struct.pack("!IhIhih", table, attribute, kind, -1, -1, code)
    return frame(b"T", body)


def row(*values: bytes | None) -> bytes:
    body = struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return frame(b"D", body)


def error(sqlstate: str, message: str) -> bytes:
    return encode_fields(b"E", error_fields(sqlstate, message))


def stand_in_query(ticket: int) -> bytes:
    return encode_query(b"wireproxy refused %d" % ticket)


def stand_in_parse(ticket: int, name: bytes = b"wireproxy_refused") -> bytes:
    return encode_parse(name, b"wireproxy refused %d" % ticket)


class Session:
    """A relay with both ends in the hands of the test."""

    def __init__(self, limits: RelayLimits | None = None, **options: object) -> None:
        self.relay = Relay(limits, **options)  # type: ignore[arg-type]
        self.effects: list[Effect] = []

    def client(self, *pieces: bytes) -> list[Effect]:
        for piece in pieces:
            self.relay.feed_client(piece)
        return self.advance()

    def server(self, *pieces: bytes) -> list[Effect]:
        for piece in pieces:
            self.relay.feed_server(piece)
        return self.advance()

    def advance(self) -> list[Effect]:
        found = self.relay.advance()
        self.effects += found
        return found

    def answer(self, verdict: Verdict) -> list[Effect]:
        asked = self.relay.asking
        assert asked is not None
        self.relay.decide(asked.ticket, verdict)
        return self.advance()

    def allow_all(self, judge: Callable[[Question], Verdict] = lambda _: Forward()) -> None:
        """Answer questions until none is open."""
        while (asked := self.relay.asking) is not None:
            self.relay.decide(asked.ticket, judge(asked))
            self.advance()

    def to_server(self) -> bytes:
        return b"".join(self.relay.take_for_server())

    def to_client(self) -> bytes:
        return b"".join(self.relay.take_for_client())


def refuse(text: str = "") -> Refuse:
    return Refuse(error_fields("42501", f"wireproxy: refused {text}".strip()))


def one(effects: list[Effect], kind: type) -> Effect:
    """The only effect of its kind."""
    found = [effect for effect in effects if type(effect) is kind]
    assert len(found) == 1, effects
    return found[0]


def question(session: Session) -> Question:
    asked = session.relay.asking
    assert asked is not None
    return asked


def answer_in_turn(session: Session, *verdicts: Verdict) -> None:
    for verdict in verdicts:
        session.answer(verdict)


def redact(_: bytes | None) -> bytes | None:
    return b"***"
