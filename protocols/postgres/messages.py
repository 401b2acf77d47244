"""Messages of the PostgreSQL protocol, as far as the gateway reads or writes them. Spec: PostgreSQL 55.7 and 55.8."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from protocols.base import ColumnDescription, Peer, ProtocolError
from protocols.postgres.rows import int16, int32

HEADER = struct.Struct("!BI")  # type, length; the length counts itself but not the type
_INT16 = struct.Struct("!H")
_INT32 = struct.Struct("!i")
_COLUMN = struct.Struct("!IhIhih")  # after the name: table OID, attribute, type OID, typlen, typmod, format

_LONGEST: Final = 0x7FFFFFFF  # of a signed length
_TEXT: Final = [(0,) * count for count in range(33)]  # formats of so many parameters in text

FLUSH = b"H\x00\x00\x00\x04"
SYNC = b"S\x00\x00\x00\x04"
TERMINATE = b"X\x00\x00\x00\x04"

SHORTENED_BYTES: Final = 4096  # of the field in which a message is cut


def frame(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def read_cstring(data: bytes, at: int, peer: Peer = Peer.CLIENT) -> tuple[bytes, int]:
    """The bytes up to the next NUL, and the position behind it."""
    end = data.find(0, at)
    if end < 0:
        raise ProtocolError("string without its terminator", peer=peer)
    return data[at:end], end + 1


class Parse(NamedTuple):
    name: bytes
    text: bytes
    types: tuple[int, ...]


def decode_parse(body: bytes) -> Parse:
    name, at = read_cstring(body, 0)
    text, at = read_cstring(body, at)
    if len(body) - at < 2:
        raise ProtocolError("Parse ends early")
    count = _INT16.unpack_from(body, at)[0]
    if len(body) - at != 2 + 4 * count:
        raise ProtocolError("Parse has another length than its parameter types")
    return Parse(name, text, struct.unpack_from(f"!{count}I", body, at + 2))


def encode_parse(name: bytes, text: bytes, types: Sequence[int] = ()) -> bytes:
    return frame(b"P", name + b"\0" + text + b"\0" + struct.pack(f"!H{len(types)}I", len(types), *types))


def encode_query(text: bytes) -> bytes:
    return frame(b"Q", text + b"\0")


def encode_copy_fail(reason: bytes) -> bytes:
    return frame(b"f", reason + b"\0")


def encode_describe_portal(name: bytes) -> bytes:
    return frame(b"D", b"P" + name + b"\0")


class Bind:
    """One for each execution of a prepared statement: a plain class, which compiles to a struct."""

    __slots__ = ("formats", "parameters", "portal", "results", "statement")

    def __init__(
        self,
        portal: bytes,
        statement: bytes,
        formats: tuple[int, ...],
        parameters: tuple[bytes | None, ...],
        results: bytes,
    ) -> None:
        self.portal = portal
        self.statement = statement
        self.formats = formats  # one for each parameter
        self.parameters = parameters
        self.results = results  # the formats of the columns, as they came, behind their count


def decode_bind_names(body: bytes) -> tuple[bytes, bytes, int]:
    """Portal, statement, and the position behind them: all that can be read of a Bind that is streamed."""
    portal, at = read_cstring(body, 0)
    statement, at = read_cstring(body, at)
    return portal, statement, at


def decode_bind(body: bytes) -> Bind:
    portal, statement, at = decode_bind_names(body)
    formats: tuple[int, ...] = ()
    try:
        format_count = int16(body, at)
        at += 2
        if format_count:
            formats = struct.unpack_from(f"!{format_count}h", body, at)
            at += 2 * format_count
        count = int16(body, at)
        at += 2
        parameters: list[bytes | None] = []
        for _ in range(count):
            length = int32(body, at)
            at += 4
            if length > _LONGEST:  # -1; the server takes no other negative length
                parameters.append(None)
                continue
            end = at + length
            if end > len(body):
                raise ProtocolError("Bind: a parameter is longer than the message")
            parameters.append(body[at:end])
            at = end
        result_count = int16(body, at)
    except (struct.error, IndexError) as error:
        raise ProtocolError("Bind ends early") from error
    results = body[at:]
    if len(results) != 2 + 2 * result_count:
        raise ProtocolError("Bind has another length than its contents")
    if format_count not in (0, 1, count):
        raise ProtocolError(f"Bind has {format_count} parameter formats but {count} parameters")
    if format_count == 0:
        formats = _TEXT[count] if count < len(_TEXT) else (0,) * count
    elif format_count == 1:
        formats = formats * count
    return Bind(portal, statement, formats, tuple(parameters), results)


def encode_bind_parameters(body: bytes, parameters: Sequence[bytes | None]) -> bytes:
    """A Bind with other values; `body` is that of a Bind that can be decoded, and the rest of it stays."""
    _, _, at = decode_bind_names(body)
    at += 2 + 2 * int(_INT16.unpack_from(body, at)[0])
    (count,) = _INT16.unpack_from(body, at)
    parts = [body[: at + 2]]
    at += 2
    for _ in range(count):
        at += 4 + max(0, _INT32.unpack_from(body, at)[0])
    for value in parameters:
        parts += [b"\xff\xff\xff\xff"] if value is None else [len(value).to_bytes(4, "big"), value]
    return frame(b"B", b"".join([*parts, body[at:]]))


def decode_row_description(body: bytes) -> tuple[ColumnDescription, ...]:
    try:
        (count,) = _INT16.unpack_from(body, 0)
        at = 2
        columns = []
        for _ in range(count):
            name, at = read_cstring(body, at, Peer.SERVER)
            table, attribute, type_oid, _, _, code = _COLUMN.unpack_from(body, at)
            at += _COLUMN.size
            columns.append(ColumnDescription(name, table, attribute, type_oid, code == 1))
    except struct.error as error:
        raise ProtocolError("RowDescription ends early", peer=Peer.SERVER) from error
    if at != len(body):
        raise ProtocolError("RowDescription has another length than its columns", peer=Peer.SERVER)
    return tuple(columns)


def with_formats(description: bytes, results: bytes) -> bytes:
    """The RowDescription of a statement as its portal would be described. `results`: the end of a Bind, formats and their count.

    A statement's columns are described as text, since their formats are not chosen before the Bind. Spec: 55.2.3.
    Raises ProtocolError.
    """
    (count,) = _INT16.unpack_from(results, 0)
    columns = decode_row_description(description[5:])
    if count not in (1, len(columns)):
        return description  # none: all are text; another number: the server does not run it
    out = bytearray(description)
    at = 7
    for index, column in enumerate(columns):
        at += len(column.name) + 1 + _COLUMN.size
        code = 2 + 2 * index if count > 1 else 2
        out[at - 2 : at] = results[code : code + 2]
    return bytes(out)


def decode_fields(body: bytes) -> dict[str, bytes]:
    """ErrorResponse and NoticeResponse. Spec: 55.8; later fields of the same code win, as in libpq."""
    fields: dict[str, bytes] = {}
    at = 0
    while at < len(body) and body[at]:
        value, end = read_cstring(body, at + 1, Peer.SERVER)
        fields[chr(body[at])] = value
        at = end
    return fields


def shortened_fields(beginning: bytes) -> bytes:
    """A whole ErrorResponse or NoticeResponse made of the beginning of a longer one: the field in which it ends is cut."""
    body = beginning[5:]
    at = 0
    while at < len(body) and (end := body.find(b"\0", at + 1)) >= 0:
        at = end + 1
    # cut behind a byte that is a character of its own in every encoding
    cut = body[at : at + SHORTENED_BYTES].rstrip(bytes(range(0x80, 0x100)))
    rest = cut + b" ... (cut by wireproxy)\0" if len(cut) > 1 else b""
    return frame(beginning[:1], body[:at] + rest + b"\0")


def encode_fields(kind: bytes, fields: Mapping[str, bytes]) -> bytes:
    """`kind` is b"E" or b"N"."""
    # a NUL inside a value would let what follows be read as other fields
    parts = [code.encode("ascii") + value.replace(b"\0", b"") + b"\0" for code, value in fields.items()]
    return frame(kind, b"".join(parts) + b"\0")


def error_fields(
    sqlstate: str, message: str, *, detail: str = "", hint: str = "", severity: str = "ERROR"
) -> dict[str, bytes]:
    fields = {
        "S": severity.encode(),
        "V": severity.encode(),
        "C": sqlstate.encode(),
        "M": message.encode(),
    }
    if detail:
        fields["D"] = detail.encode()
    if hint:
        fields["H"] = hint.encode()
    return fields


def error_response(sqlstate: str, message: str, *, detail: str = "", hint: str = "", severity: str = "ERROR") -> bytes:
    return encode_fields(b"E", error_fields(sqlstate, message, detail=detail, hint=hint, severity=severity))


def notice_response(sqlstate: str, message: str, *, detail: str = "", hint: str = "") -> bytes:
    return encode_fields(b"N", error_fields(sqlstate, message, detail=detail, hint=hint, severity="NOTICE"))


def decode_notification(body: bytes) -> tuple[int, bytes, bytes]:
    """Process id, channel, payload."""
    if len(body) < 4:
        raise ProtocolError("NotificationResponse ends early", peer=Peer.SERVER)
    channel, at = read_cstring(body, 4, Peer.SERVER)
    payload, _ = read_cstring(body, at, Peer.SERVER)
    return int.from_bytes(body[:4], "big"), channel, payload


def encode_notification(process_id: int, channel: bytes, payload: bytes) -> bytes:
    return frame(b"A", process_id.to_bytes(4, "big") + channel + b"\0" + payload + b"\0")


def decode_parameter_status(body: bytes) -> tuple[bytes, bytes]:
    name, at = read_cstring(body, 0, Peer.SERVER)
    value, _ = read_cstring(body, at, Peer.SERVER)
    return name, value


def decode_copy_response(body: bytes) -> tuple[bool, int]:
    """CopyInResponse and CopyOutResponse: whether it is binary, and how many columns."""
    if len(body) < 3:
        raise ProtocolError("CopyResponse ends early", peer=Peer.SERVER)
    return body[0] == 1, int.from_bytes(body[1:3], "big")


def decode_parameter_description(body: bytes) -> tuple[int, ...]:
    if len(body) < 2 or len(body) != 2 + 4 * int.from_bytes(body[:2], "big"):
        raise ProtocolError("ParameterDescription has another length than its types", peer=Peer.SERVER)
    return struct.unpack_from(f"!{(len(body) - 2) // 4}I", body, 2)
