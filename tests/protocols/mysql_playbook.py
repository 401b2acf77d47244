"""Transcripts of a MySQL session over the relay, without sockets."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from protocols.base import Forward, Question, Verdict
from protocols.mysql.capabilities import Capability
from protocols.mysql.messages import Command, Err, Ok, encode_err, encode_ok, error_of
from protocols.mysql.packets import encode_lenenc, encode_lenenc_int, frame
from protocols.mysql.relay import MySqlRelay
from protocols.mysql.shared import Limits, MySqlEffect
from protocols.postgres.messages import error_fields

C = Capability
BASE = C.PROTOCOL_41 | C.TRANSACTIONS | C.MULTI_STATEMENTS | C.MULTI_RESULTS | C.PS_MULTI_RESULTS
OLD = BASE  # PyMySQL's way: EOF packets, no tracking
NEW = BASE | C.DEPRECATE_EOF | C.SESSION_TRACK | C.BULK
REFUSAL = error_fields("42501", "wireproxy: refused", hint="ask")

TINY, SHORT, LONG, FLOAT, DOUBLE, NULL, LONGLONG, DATE, TIME, DATETIME = 1, 2, 3, 4, 5, 6, 8, 10, 11, 12
BLOB, VAR_STRING = 252, 253
UNSIGNED = 0x8000


def command(code: int, body: bytes = b"") -> bytes:
    return frame(bytes((code,)) + body)


def query(text: str) -> bytes:
    return command(Command.QUERY, text.encode())


def attributes(*values: tuple[str, int, bytes | None]) -> bytes:
    """NULL bitmap, types and names, values."""
    nulls = bytearray((len(values) + 7) // 8)
    for index, (_, _, value) in enumerate(values):
        if value is None:
            nulls[index // 8] |= 1 << (index % 8)
    types = b"".join(number(kind, 2) + text(name) for name, kind, _ in values)
    return bytes(nulls) + b"\1" + types + b"".join(value for _, _, value in values if value is not None)


def query_with(sql: str, *values: tuple[str, int, bytes | None]) -> bytes:
    """COM_QUERY as it is where query attributes are agreed on."""
    head = encode_lenenc_int(len(values)) + b"\1"
    return command(Command.QUERY, head + (attributes(*values) if values else b"") + sql.encode())


def execute_with(statement: int, *values: tuple[str, int, bytes | None], flags: int = 8) -> bytes:
    """COM_STMT_EXECUTE likewise: parameters first, then attributes."""
    body = number(statement) + bytes((flags,)) + number(1) + encode_lenenc_int(len(values))
    return command(Command.STMT_EXECUTE, body + (attributes(*values) if values else b""))


def prepare(text: str) -> bytes:
    return command(Command.STMT_PREPARE, text.encode())


def number(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "little")


def execute(statement: int, *values: bytes | None, types: Sequence[int] | None = (), cursor: int = 0) -> bytes:
    """Values as they stand in the packet. `types` (): each is a string; None: they are left out."""
    body = number(statement) + bytes((cursor,)) + number(1)
    if values or types:
        nulls = bytearray((len(values) + 7) // 8)
        for index, value in enumerate(values):
            if value is None:
                nulls[index // 8] |= 1 << (index % 8)
        body += bytes(nulls)
        if types is None:
            body += b"\0"
        else:
            chosen = types or [VAR_STRING] * len(values)
            body += b"\1" + struct.pack(f"<{len(chosen)}H", *chosen)
        body += b"".join(value for value in values if value is not None)
    return command(Command.STMT_EXECUTE, body)


def text(value: str) -> bytes:
    return encode_lenenc(value.encode())


def long_data(statement: int, parameter: int, data: bytes) -> bytes:
    return command(Command.STMT_SEND_LONG_DATA, number(statement) + number(parameter, 2) + data)


def fetch(statement: int, rows: int = 10) -> bytes:
    return command(Command.STMT_FETCH, number(statement) + number(rows))


def close(statement: int) -> bytes:
    return command(Command.STMT_CLOSE, number(statement))


def reset(statement: int) -> bytes:
    return command(Command.STMT_RESET, number(statement))


def bulk(statement: int, flags: int, body: bytes) -> bytes:
    return command(Command.STMT_BULK_EXECUTE, number(statement) + number(flags, 2) + body)


# -- what the server says


def ok(
    status: int = 2, affected: int = 0, state: bytes | None = None, *, tracks: bool = True, header: int = 0
) -> bytes:
    flags = status | (0x4000 if state is not None else 0)
    return encode_ok(Ok(affected, 0, flags, 0, b"", state), tracks=tracks, header=header)


def progress(words: str, stage: int = 1, stages: int = 2, thousandths: int = 12345) -> bytes:
    return b"\xff\xff\xff\1" + bytes((stage, stages)) + number(thousandths, 3) + text(words)


def schema_changed(name: str) -> bytes:
    return b"\x01" + encode_lenenc(encode_lenenc(name.encode()))


def variable_changed(name: str, value: str) -> bytes:
    return b"\x00" + encode_lenenc(encode_lenenc(name.encode()) + encode_lenenc(value.encode()))


def eof(status: int = 2) -> bytes:
    return b"\xfe\0\0" + number(status, 2)


def err(errno: int = 1064, message: str = "syntax", sqlstate: str = "42000") -> bytes:
    return encode_err(Err(errno, sqlstate.encode(), message.encode()))


def refusal_packet() -> bytes:
    return encode_err(error_of(REFUSAL))


def column(name: str = "x", kind: int = VAR_STRING, table: str = "t", flags: int = 0) -> bytes:
    names = (b"def", b"shop", table.encode(), table.encode(), name.encode(), name.encode())
    return b"".join(encode_lenenc(part) for part in names) + struct.pack("<BHIBHBH", 12, 45, 80, kind, flags, 0, 0)


def row(*values: bytes | None) -> bytes:
    return b"".join(b"\xfb" if value is None else encode_lenenc(value) for value in values)


def binary_row(*values: bytes | None) -> bytes:
    """Values as they stand in the packet."""
    nulls = bytearray((len(values) + 9) // 8)
    for index, value in enumerate(values):
        if value is None:
            nulls[(index + 2) // 8] |= 1 << ((index + 2) % 8)
    return b"\0" + bytes(nulls) + b"".join(value for value in values if value is not None)


def prepare_ok(statement: int, columns: int = 0, parameters: int = 0) -> bytes:
    return b"\0" + number(statement) + number(columns, 2) + number(parameters, 2) + b"\0\0\0"


def packets(*payloads: bytes, first: int = 1) -> bytes:
    """An answer: each payload in packets, numbered on."""
    out = b""
    for payload in payloads:
        out += frame(payload, first)
        first += len(payload) // 0xFFFFFF + 1
    return out


def result(columns: Sequence[bytes], rows: Sequence[bytes], flags: Capability, status: int = 2) -> list[bytes]:
    """The payloads of one result, as a client with these flags gets it."""
    head = [encode_lenenc_int(len(columns)), *columns]
    if flags & C.DEPRECATE_EOF:
        return [*head, *rows, ok(status, header=0xFE, tracks=bool(flags & C.SESSION_TRACK))]
    return [*head, eof(), *rows, eof(status)]


def prepared(statement: int, flags: Capability, columns: int = 0, parameters: int = 0) -> bytes:
    """The whole answer to a COM_STMT_PREPARE."""
    payloads = [prepare_ok(statement, columns, parameters)]
    for count in (parameters, columns):
        payloads += [column("?")] * count
        if count and not flags & C.DEPRECATE_EOF:
            payloads.append(eof())
    return packets(*payloads)


class Session:
    """A relay with both ends in the hands of the test."""

    def __init__(
        self,
        flags: Capability = NEW,
        limits: Limits | None = None,
        *,
        server: Capability | None = None,
        **options: object,
    ) -> None:
        self.flags = flags
        leg = (flags if server is None else server) | C.SESSION_TRACK
        self.relay = MySqlRelay(limits, flags, leg, **options)  # type: ignore[arg-type]
        self.effects: list[MySqlEffect] = []

    def client(self, *pieces: bytes) -> list[MySqlEffect]:
        for piece in pieces:
            self.relay.feed_client(piece)
        return self.advance()

    def server(self, *pieces: bytes) -> list[MySqlEffect]:
        for piece in pieces:
            self.relay.feed_server(piece)
        return self.advance()

    def advance(self) -> list[MySqlEffect]:
        found: list[MySqlEffect] = []
        while more := self.relay.advance():
            found += more
        self.effects += found
        return found

    def answer(self, verdict: Verdict) -> list[MySqlEffect]:
        asked = self.relay.asking
        assert asked is not None
        self.relay.decide(asked.ticket, verdict)
        return self.advance()

    @property
    def question(self) -> Question:
        asked = self.relay.asking
        assert asked is not None
        return asked

    def to_server(self) -> bytes:
        return b"".join(self.relay.take_for_server())

    def to_client(self) -> bytes:
        return b"".join(self.relay.take_for_client())


BOTH = pytest.mark.parametrize("flags", [OLD, NEW], ids=["eof", "deprecate-eof"])


def kinds(effects: list[MySqlEffect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def one(effects: list[MySqlEffect], kind: type) -> object:
    (found,) = [effect for effect in effects if isinstance(effect, kind)]
    return found


def ready_statement(session: Session, text: str = "select ?", columns: int = 1, parameters: int = 1) -> None:
    session.client(prepare(text))
    session.answer(Forward("at prepare"))
    session.server(prepared(1, session.flags, columns, parameters))
    session.to_server(), session.to_client()
