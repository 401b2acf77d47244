"""Query attributes: named values that come with a statement beside its text and its parameters.

Functions on the server read them (`mysql_query_attribute_string('name')`), so they are a part of what runs: they are recorded,
shown to approvers, and an approval is good for them alone. Where both legs agreed on them they go on, in the one form in which
they were read here; a server that knows nothing of them is sent the statement alone, as its own clients would.

The text of a COM_QUERY begins where its attributes end. Were they read in another way than the server reads them (it takes a
value of the type INT24 for a string), another text would run than was judged: so types are those of `values.PARAMETERS`, and
what goes out is written anew.

Spec: MySQL, "COM_QUERY", "COM_STMT_EXECUTE".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from protocols.base import NamedValue, Peer, ProtocolError
from protocols.mysql.messages import Command
from protocols.mysql.packets import Cursor, encode_lenenc, encode_lenenc_int
from protocols.mysql.prepared import EXECUTE_HEAD_BYTES, Prepared, checked_types
from protocols.mysql.rows import encode_binary
from protocols.mysql.values import NULL_TYPE, shown, value_bytes

MOST_ATTRIBUTES: Final = 1024  # of one statement; MySQL's own client sends 32 at most
COUNT_AVAILABLE: Final = (
    8  # in the flags of COM_STMT_EXECUTE: a count of values follows though the statement has no parameters
)
NO_ATTRIBUTES: Final = b"\0\1"  # of COM_QUERY: none, in one set
_FLAGS_AT: Final = 5


class Attribute(NamedTuple):
    """`value` in its own bytes by its type, as `values.value_bytes` cuts it; None: NULL."""

    name: bytes
    declared: int
    value: bytes | None

    @property
    def text(self) -> bytes | None:
        return None if self.value is None else shown(self.value, self.declared)


def all_shown(attributes: Sequence[Attribute]) -> tuple[NamedValue, ...]:
    """As they are asked about and recorded."""
    return tuple([NamedValue(each.name, each.text, each.declared) for each in attributes])


def decode_query(payload: bytes) -> tuple[tuple[Attribute, ...], int]:
    """The attributes of a COM_QUERY, and where its text begins."""
    if payload[1:3] == NO_ATTRIBUTES:
        return (), 3
    cursor = Cursor(payload, 1)
    count = _count(cursor)
    if cursor.read_lenenc_int() != 1:
        raise ProtocolError("a query with other than one set of attributes")
    if not count:
        return (), cursor.at
    nulls = cursor.read_bytes((count + 7) // 8)
    if cursor.read_int(1) != 1:
        raise ProtocolError("a query with attributes that have no types")
    types, names = _named_types(cursor, count)
    return _values(cursor, nulls, types, names), cursor.at


def encode_query(attributes: Sequence[Attribute]) -> bytes:
    """What stands in front of the text, the command included."""
    if not attributes:
        return bytes((Command.QUERY,)) + NO_ATTRIBUTES
    return b"".join((bytes((Command.QUERY,)), encode_lenenc_int(len(attributes)), b"\1", *_encoded(attributes)))


class Named(NamedTuple):
    """What an execution has when attributes are agreed on, and has not when they are not."""

    names: tuple[bytes, ...]  # of its parameters, which may have names as well; () where it brings no types
    attributes: tuple[Attribute, ...]
    shown: tuple[NamedValue, ...]  # all that the server could read by a name
    counted: bool  # the client said that a count follows; what it sent goes on as it was then


def without_names(payload: bytes, prepared: Prepared) -> tuple[bytes, Named]:
    """A COM_STMT_EXECUTE as it would be without attributes, and what was taken out."""
    flags = payload[_FLAGS_AT]
    parameters = prepared.parameters
    head = payload[:_FLAGS_AT] + bytes((flags & ~COUNT_AVAILABLE,)) + payload[_FLAGS_AT + 1 : EXECUTE_HEAD_BYTES]
    if not parameters and not flags & COUNT_AVAILABLE:
        return head, Named((), (), (), False)
    counted = bool(flags & COUNT_AVAILABLE)
    cursor = Cursor(payload, EXECUTE_HEAD_BYTES)
    count = _count(cursor, parameters)
    if count < parameters:
        raise ProtocolError("an execution with fewer values than its statement has parameters")
    if not count:
        return head, Named((), (), (), counted)
    nulls = cursor.read_bytes((count + 7) // 8)
    brings = cursor.read_int(1)
    types: tuple[int, ...]
    if brings:
        types, names = _named_types(cursor, count)
    elif prepared.types is None or count > parameters:
        raise ProtocolError("an execution without the types of its values")
    else:
        types, names = prepared.types, ()
    found: list[NamedValue] = []
    start = cursor.at
    for index in range(parameters):
        declared = types[index]
        null = nulls[index // 8] >> (index % 8) & 1
        value = None
        if index not in prepared.long_data and not null:
            begin, cursor.at = value_bytes(payload, cursor.at, declared & 0xFF, Peer.CLIENT)
            value = payload[begin : cursor.at]
        if names and names[index]:
            text = bytes(prepared.long_data[index]) if index in prepared.long_data else None
            found.append(NamedValue(names[index], text if value is None else shown(value, declared), declared))
    own = payload[start : cursor.at]
    attributes = _values(cursor, nulls, types, names, parameters)
    found += all_shown(attributes)
    if not parameters:
        return head, Named((), attributes, tuple(found), counted)
    bits = _bits([bool(nulls[index // 8] >> (index % 8) & 1) for index in range(parameters)])
    declared_now = b"\1" + struct.pack(f"<{parameters}H", *types[:parameters]) if brings else b"\0"
    return head + bits + declared_now + own, Named(names[:parameters], attributes, tuple(found), counted)


def with_names(payload: bytes, named: Named, parameters: int) -> bytes:
    """The reverse: an execution of a statement with that many parameters, for a server that reads attributes."""
    attributes = named.attributes
    flags = payload[_FLAGS_AT] | (COUNT_AVAILABLE if named.counted else 0)
    head = payload[:_FLAGS_AT] + bytes((flags,)) + payload[_FLAGS_AT + 1 : EXECUTE_HEAD_BYTES]
    if not parameters and not flags & COUNT_AVAILABLE:
        return head
    count = parameters + len(attributes)
    parts = [head, encode_lenenc_int(count)]
    if not count:
        return b"".join(parts)
    if not parameters:
        return b"".join((*parts, *_encoded(attributes)))
    cursor = Cursor(payload, EXECUTE_HEAD_BYTES)
    nulls = cursor.read_bytes((parameters + 7) // 8)
    empty = [bool(nulls[index // 8] >> (index % 8) & 1) for index in range(parameters)]
    parts.append(_bits([*empty, *(each.value is None for each in attributes)]))
    brings = cursor.read_int(1)
    parts.append(bytes((brings,)))
    if brings:
        for index in range(parameters):
            parts.append(cursor.read_bytes(2))
            parts.append(encode_lenenc(named.names[index] if named.names else b""))
    for each in attributes:
        parts += (each.declared.to_bytes(2, "little"), encode_lenenc(each.name))
    parts.append(payload[cursor.at :])
    parts += [encode_binary(each.value, each.declared & 0xFF) for each in attributes if each.value is not None]
    return b"".join(parts)


def declared_in_beginning(payload: bytes, prepared: Prepared) -> tuple[int, ...] | None:
    """Of an execution of which only the beginning is here: its parameters' types, or those that the client sent before."""
    cursor = Cursor(payload, EXECUTE_HEAD_BYTES)
    if not prepared.parameters and not payload[_FLAGS_AT] & COUNT_AVAILABLE:
        return None
    count = _count(cursor, prepared.parameters)
    if count < prepared.parameters:
        raise ProtocolError("an execution with fewer values than its statement has parameters")
    if not count:
        return None
    cursor.read_bytes((count + 7) // 8)
    if not cursor.read_int(1):
        return prepared.types
    types = _named_types(cursor, count)[0][: prepared.parameters]
    return types or None


def _count(cursor: Cursor, parameters: int = 0) -> int:
    count = cursor.read_lenenc_int()
    if count > parameters + MOST_ATTRIBUTES:
        raise ProtocolError(f"a statement with more than {MOST_ATTRIBUTES} query attributes", sqlstate="54000")
    return count


def _named_types(cursor: Cursor, count: int) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
    types: list[int] = []
    names: list[bytes] = []
    for _ in range(count):
        types.append(cursor.read_int(2))
        names.append(cursor.read_lenenc())
    return checked_types(types), tuple(names)


def _values(
    cursor: Cursor, nulls: bytes, types: Sequence[int], names: Sequence[bytes], first: int = 0
) -> tuple[Attribute, ...]:
    found: list[Attribute] = []
    for index in range(first, len(types)):
        declared = types[index]
        value = None
        if not nulls[index // 8] >> (index % 8) & 1:
            if declared & 0xFF == NULL_TYPE:
                raise ProtocolError("a query attribute of the type NULL that is not said to be NULL")
            begin, cursor.at = value_bytes(cursor.data, cursor.at, declared & 0xFF, Peer.CLIENT)
            value = cursor.data[begin : cursor.at]
        found.append(Attribute(names[index], declared, value))
    return tuple(found)


def _encoded(attributes: Sequence[Attribute]) -> list[bytes]:
    """NULL bitmap, types and names, values."""
    parts = [_bits([each.value is None for each in attributes]), b"\1"]
    for each in attributes:
        parts += (each.declared.to_bytes(2, "little"), encode_lenenc(each.name))
    parts += [encode_binary(each.value, each.declared & 0xFF) for each in attributes if each.value is not None]
    return parts


def _bits(nulls: Sequence[bool]) -> bytes:
    bitmap = bytearray((len(nulls) + 7) // 8)
    for index, null in enumerate(nulls):
        if null:
            bitmap[index // 8] |= 1 << index % 8
    return bytes(bitmap)
