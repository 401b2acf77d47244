"""Prepared statements of one session, and the parameters of their executions.

What the server knows of a statement and what the client believes that it knows can part: parameter types are sent once and then
left out, and an execution that was refused never brought its types to the server. So both are kept, and the types are put into
the next execution that goes out.

Spec: MySQL, "COM_STMT_EXECUTE", "COM_STMT_SEND_LONG_DATA"; MariaDB, "COM_STMT_BULK_EXECUTE".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from protocols.base import Peer, ProtocolError, RowPlan
from protocols.mysql.messages import Command, MySqlColumn
from protocols.mysql.packets import Cursor
from protocols.mysql.values import NULL_TYPE, PARAMETERS, UNSIGNED_TYPE, encoded, shown, value_bytes

_CLIENT: Final = Peer.CLIENT
LAST_STATEMENT: Final = 0xFFFFFFFF  # MariaDB: the one that was prepared last
STATEMENT_AT: Final = 1
EXECUTE_HEAD_BYTES: Final = 10  # command, statement, flags, iterations
BULK_HEAD_BYTES: Final = 7  # command, statement, bulk flags
SEND_TYPES: Final = 128
UNIT_RESULTS: Final = 64
CURSOR_FLAGS: Final = 0x07
_LONG_TEXT: Final = 252  # BLOB: a text of any length
VALUE, NULL, DEFAULT, IGNORE = range(4)  # MariaDB's indicators


class Prepared:
    """One statement. Mutable: executions leave types, long data and a cursor behind."""

    __slots__ = (
        "attachment",
        "columns",
        "cursor_columns",
        "cursor_plan",
        "described",
        "epoch",
        "known_types",
        "long_bytes",
        "long_cut",
        "long_data",
        "look",
        "number",
        "parameters",
        "record_bytes",
        "text",
        "ticket",
        "types",
        "waits",
    )

    def __init__(self, number: int, text: bytes, parameters: int, columns: int, attachment: object) -> None:
        self.number = number
        self.text = text
        self.parameters = parameters
        self.columns = columns
        self.attachment = attachment
        self.described: bytes | None = None  # digest of the descriptions of its columns that the client has; None: none
        self.types: tuple[int, ...] | None = None  # as the client sent them last
        self.known_types: tuple[int, ...] | None = None  # as the server got them last
        self.long_data: dict[int, bytearray] = {}
        self.long_bytes = 0
        self.long_cut = False  # more came than is kept
        self.waits: frozenset[int] = (
            frozenset()
        )  # parameters whose long data goes with the execution: it may be sent otherwise
        # of the execution whose cursor is open
        self.ticket = 0
        self.epoch = -1
        self.look = False
        self.record_bytes = 0
        self.cursor_plan: RowPlan | None = None
        self.cursor_columns: tuple[MySqlColumn, ...] = ()


class Bound(NamedTuple):
    """What an execution brings."""

    parameters: tuple[bytes | None, ...]  # as text; of a bulk execution those of all rows, one row after the other
    types: tuple[int, ...]  # one for each of `parameters`: MySQL's type, and 0x8000 for unsigned
    formats: tuple[int, ...]  # 0, or MariaDB's indicator DEFAULT or IGNORE
    declared: tuple[int, ...] | None  # one for each parameter of the statement; None where it has none
    payload: bytes  # as it has to go to the server: with its types, where the server does not know them


def decode_execute(payload: bytes, prepared: Prepared) -> Bound:
    """ProtocolError for what the server would have to guess about."""
    count = prepared.parameters
    if not count:
        return Bound((), (), (), None, payload)
    cursor = Cursor(payload, EXECUTE_HEAD_BYTES)
    nulls = cursor.read_bytes((count + 7) // 8)
    brings = cursor.read_int(1)
    types = _types(cursor, count) if brings else prepared.types
    if types is None:
        raise ProtocolError("an execution without the types of its parameters")
    at = cursor.at
    values: list[bytes | None] = []
    for index, declared in enumerate(types):
        null = nulls[index // 8] >> (index % 8) & 1
        if index in prepared.long_data:
            if null:
                raise ProtocolError("a parameter that is NULL and has long data")
            values.append(bytes(prepared.long_data[index]))
        elif null:
            values.append(None)
        elif declared == NULL_TYPE:
            raise ProtocolError("a parameter of the type NULL that is not said to be NULL")
        else:
            start, end = value_bytes(payload, at, declared & 0xFF, _CLIENT)
            values.append(shown(payload[start:end], declared))
            at = end
    # node's mysql2 leaves a byte of nothing behind for each NULL. Servers pass over it; here it does not go on at all
    payload = payload[:at]
    if not brings and prepared.known_types != types:
        head = EXECUTE_HEAD_BYTES + len(nulls)
        payload = payload[:head] + b"\1" + struct.pack(f"<{count}H", *types) + payload[head + 1 :]
    return Bound(tuple(values), types, (0,) * count, types, payload)


def exchanged(
    payload: bytes,
    prepared: Prepared,
    bound: Bound,
    values: Sequence[bytes | None],
    given: Sequence[int] | None = None,
) -> tuple[bytes, tuple[int, ...]]:
    """An execution with other values in the place of some of its own, and the types that it declares.

    `values` are all of them, as in `bound.parameters`: those that are the very same stay as they came. Long data that was not sent
    yet goes with them. `given`: the types in which others are sent, one for each of `values`; None: the client's own.
    """
    types = bound.types
    given = types if given is None else given
    bulk = payload[0] == Command.STMT_BULK_EXECUTE
    parts: list[bytes] = []
    if bulk:
        count = prepared.parameters
        cursor = Cursor(payload, STATEMENT_AT + 4)
        flags = cursor.read_int(2)
        at = cursor.at + (2 * count if flags & SEND_TYPES else 0)
        for index, new in enumerate(values):
            _, _, end = _bulk_value(payload, at, types[index])
            changed = new is not None and new is not bound.parameters[index]
            parts.append(b"\0" + encoded(new or b"", given[index]) if changed else payload[at:end])
            at = end
        head = payload[: STATEMENT_AT + 4] + (flags | SEND_TYPES).to_bytes(2, "little")
        declared = tuple(given[:count])
        return head + struct.pack(f"<{count}H", *declared) + b"".join(parts), declared
    count = len(types)
    cursor = Cursor(payload, EXECUTE_HEAD_BYTES)
    nulls = cursor.read_bytes((count + 7) // 8)
    at = cursor.at + 1 + (2 * count if cursor.read_int(1) else 0)
    sent = list(types)
    for index, new in enumerate(values):
        if index in prepared.long_data:
            if index in prepared.waits:
                sent[index] = _LONG_TEXT if given[index] == types[index] else given[index]
                parts.append(encoded(new or b"", sent[index]))
            elif new is not bound.parameters[index]:
                raise ProtocolError("long data that was sent already cannot be translated")
            continue
        if new is None:
            continue
        _, end = value_bytes(payload, at, types[index] & 0xFF, _CLIENT)
        if new is bound.parameters[index]:
            parts.append(payload[at:end])
        else:
            sent[index] = given[index]
            parts.append(encoded(new, given[index]))
        at = end
    head = payload[:EXECUTE_HEAD_BYTES] + nulls + b"\1" + struct.pack(f"<{count}H", *sent)
    return head + b"".join(parts), tuple(sent)


def decode_bulk(payload: bytes, prepared: Prepared) -> Bound:
    count = prepared.parameters
    cursor = Cursor(payload, STATEMENT_AT + 4)
    flags = cursor.read_int(2)
    if flags & ~(SEND_TYPES | UNIT_RESULTS):
        raise ProtocolError("a bulk execution with unknown flags")
    if not count:
        raise ProtocolError("a bulk execution of a statement without parameters")
    types = _types(cursor, count) if flags & SEND_TYPES else prepared.types
    if types is None:
        raise ProtocolError("a bulk execution without the types of its parameters")
    values: list[bytes | None] = []
    formats: list[int] = []
    at = cursor.at
    while at < len(payload):
        for declared in types:
            value, indicator, at = _bulk_value(payload, at, declared)
            values.append(value)
            formats.append(indicator)
    if not flags & SEND_TYPES and prepared.known_types != types:
        head = payload[: STATEMENT_AT + 4] + (flags | SEND_TYPES).to_bytes(2, "little")
        payload = head + struct.pack(f"<{count}H", *types) + payload[BULK_HEAD_BYTES:]
    return Bound(tuple(values), types * (len(values) // count), tuple(formats), types, payload)


def _bulk_value(payload: bytes, at: int, declared: int) -> tuple[bytes | None, int, int]:
    if at >= len(payload):
        raise ProtocolError("a bulk execution ends inside a row")
    indicator = payload[at]
    at += 1
    match indicator:
        case 0 if declared == NULL_TYPE:
            raise ProtocolError("a parameter of the type NULL that is not said to be NULL")
        case 0:
            start, end = value_bytes(payload, at, declared & 0xFF, _CLIENT)
            return shown(payload[start:end], declared), 0, end
        case 1:
            return None, 0, at
        case 2:
            return b"DEFAULT", DEFAULT, at
        case 3:
            return b"IGNORE", IGNORE, at
        case _:
            raise ProtocolError("a bulk execution with an unknown indicator")


def declared_types(payload: bytes, prepared: Prepared) -> tuple[int, ...] | None:
    """Of an execution of which only the beginning is here: the types it brings, or those that the client sent before."""
    count = prepared.parameters
    if not count:
        return None
    bulk = payload[0] == Command.STMT_BULK_EXECUTE
    cursor = Cursor(payload, STATEMENT_AT + 4 if bulk else EXECUTE_HEAD_BYTES + (count + 7) // 8)
    brings = cursor.read_int(2) & SEND_TYPES if bulk else cursor.read_int(1)
    return _types(cursor, count) if brings else prepared.types


def _types(cursor: Cursor, count: int) -> tuple[int, ...]:
    return checked_types(struct.unpack(f"<{count}H", cursor.read_bytes(2 * count)))


def checked_types(types: Sequence[int]) -> tuple[int, ...]:
    """ProtocolError for one that servers read in different ways."""
    for declared in types:
        if declared & ~UNSIGNED_TYPE not in PARAMETERS:
            raise ProtocolError(f"a parameter of the unknown type {declared:#x}")
    return tuple(types)


class Statements:
    """By the server's number."""

    __slots__ = ("by_number", "last", "long_bytes", "text_bytes")

    def __init__(self) -> None:
        self.by_number: dict[int, Prepared] = {}
        self.text_bytes = 0  # of all their texts
        self.long_bytes = 0  # of all the long data that is kept
        self.last: Prepared | None = None  # what MariaDB's -1 means; None after a Prepare that failed

    def add(self, prepared: Prepared) -> None:
        self._drop(prepared.number)
        self.by_number[prepared.number] = prepared
        self.text_bytes += len(prepared.text)
        self.last = prepared

    def _drop(self, number: int) -> None:
        dropped = self.by_number.pop(number, None)
        if dropped is not None:
            self.text_bytes -= len(dropped.text)
            self.long_bytes -= dropped.long_bytes

    def keep_long_data(self, prepared: Prepared, parameter: int, data: bytes, limit_bytes: int) -> None:
        """`limit_bytes` bounds what is kept for all statements of the session together."""
        kept = prepared.long_data.setdefault(parameter, bytearray())
        room = max(0, limit_bytes - self.long_bytes)
        taken = data[:room]
        prepared.long_cut = prepared.long_cut or len(taken) < len(data)
        kept += taken
        prepared.long_bytes += len(taken)
        self.long_bytes += len(taken)

    def forget_long_data(self, prepared: Prepared) -> None:
        self.long_bytes -= prepared.long_bytes
        prepared.long_data = {}
        prepared.long_bytes = 0
        prepared.long_cut = False

    def find(self, number: int) -> Prepared | None:
        return self.last if number == LAST_STATEMENT else self.by_number.get(number)

    def close(self, number: int) -> None:
        prepared = self.find(number)
        if prepared is not None:
            self._drop(prepared.number)
            if self.last is prepared:
                self.last = None

    def clear(self) -> None:
        self.by_number.clear()
        self.text_bytes = self.long_bytes = 0
        self.last = None
