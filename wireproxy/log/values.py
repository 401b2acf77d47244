"""Rows out of a log: Postgres DataRow frames cut into values, and values in text or binary form made readable.

Total: what does not decode is shown as hex. Binary forms are those of the types' own send functions.
Spec: PostgreSQL, "Frontend/Backend Protocol", Message Formats; src/backend/utils/adt.
"""

from __future__ import annotations

import ipaddress
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from wireproxy.log.records import Column

Row = tuple[bytes | None, ...]
HEX_BYTES = 64  # of a value that cannot be decoded

_DAY_ZERO = date(2000, 1, 1)
_TIME_ZERO = datetime(2000, 1, 1)


def postgres_rows(frames: bytes) -> Iterator[Row]:
    """Cut DataRow frames into their values. Frames of other kinds are passed over; a torn one ends it."""
    offset = 0
    while offset + 5 <= len(frames):
        end = offset + 1 + int.from_bytes(frames[offset + 1 : offset + 5], "big")
        if end > len(frames) or end < offset + 5:
            return
        if frames[offset : offset + 1] == b"D":
            row = _data_row(frames[offset + 5 : end])
            if row is None:
                return
            yield row
        offset = end


def postgres_copy_data(frames: bytes) -> Iterator[bytes]:
    """The payloads of CopyData frames."""
    offset = 0
    while offset + 5 <= len(frames):
        end = offset + 1 + int.from_bytes(frames[offset + 1 : offset + 5], "big")
        if end > len(frames) or end < offset + 5:
            return
        if frames[offset : offset + 1] == b"d":
            yield frames[offset + 5 : end]
        offset = end


def _data_row(body: bytes) -> Row | None:
    if len(body) < 2:
        return None
    values: list[bytes | None] = []
    offset = 2
    for _ in range(int.from_bytes(body[:2], "big")):
        if offset + 4 > len(body):
            return None
        length = int.from_bytes(body[offset : offset + 4], "big", signed=True)
        offset += 4
        if length < 0:
            values.append(None)
            continue
        if offset + length > len(body):
            return None
        values.append(body[offset : offset + length])
        offset += length
    return tuple(values)


def show_value(value: bytes | None, column: Column | None) -> str | None:
    """A value as a person reads it; None is SQL's null. Not yet safe for a terminal."""
    if value is None:
        return None
    if column is None or column.format == 0:
        return value.decode("utf-8", "backslashreplace")
    return show_binary(value, column.type)


def show_binary(value: bytes, type_oid: int) -> str:
    decode = _BINARY.get(type_oid)
    try:
        if decode is not None:
            return decode(value)
        if type_oid in _ARRAYS:
            return _array(value)
    except (struct.error, ValueError, OverflowError, IndexError):
        pass
    return _hex(value)


def show_attributes(attributes: Sequence[tuple[bytes, bytes | None]]) -> Iterator[tuple[str, str | None]]:
    """Names and values of MySQL's query attributes."""
    for name, value in attributes:
        yield name.decode("utf-8", "backslashreplace"), _shown_text(value)


def _shown_text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")


def show_parameters(
    parameters: Sequence[bytes | None], formats: Sequence[int], types: Sequence[int] = ()
) -> tuple[str | None, ...]:
    """Bound values. Binary ones of an unknown type are shown as hex, with a plain reading beside it."""
    shown: list[str | None] = []
    for index, value in enumerate(parameters):
        binary = (formats[0] if len(formats) == 1 else formats[index] if index < len(formats) else 0) == 1
        type_oid = types[index] if index < len(types) else 0
        if value is None or not binary:
            shown.append(show_value(value, None))
        else:
            shown.append(show_binary(value, type_oid) if type_oid else _guess(value))
    return tuple(shown)


def _guess(value: bytes) -> str:
    """Numbers are the usual binary parameters: their plain reading is given beside the bytes, never instead of them."""
    if value.isascii() and len(value) > 8 and value.decode().isprintable():
        return value.decode()
    number = f" ({int.from_bytes(value, 'big', signed=True)})" if len(value) in (2, 4, 8) else ""
    return _hex(value) + number


def _hex(value: bytes) -> str:
    more = f"… ({len(value)} bytes)" if len(value) > HEX_BYTES else ""
    return f"\\x{value[:HEX_BYTES].hex()}{more}"


def _integer(code: str) -> Callable[[bytes], str]:
    return lambda value: str(struct.unpack(code, value)[0])


def _float(value: bytes) -> str:
    """In the server's words for what is no number."""
    number = struct.unpack("!f" if len(value) == 4 else "!d", value)[0]
    if not math.isfinite(number):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(number)]
    return format(number, ".6g") if len(value) == 4 else repr(number)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _bool(value: bytes) -> str:
    if value not in (b"\0", b"\1"):
        raise ValueError("not a boolean")
    return "t" if value == b"\1" else "f"


def _numeric(value: bytes) -> str:
    """numeric_send: groups of four decimal digits, weight of the first, sign, digits after the point."""
    count, weight, sign, scale = struct.unpack("!HhHH", value[:8])
    special = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}.get(sign)
    if special is not None:
        return special
    groups = struct.unpack(f"!{count}H", value[8:])
    if scale > 0x3FFF or any(group > 9999 for group in groups) or abs(weight) > 0x7FFF:
        raise ValueError("not a numeric")
    before = (
        "".join(f"{groups[index] if 0 <= index < count else 0:04}" for index in range(weight + 1)).lstrip("0") or "0"
    )
    after = "".join(
        f"{groups[index] if 0 <= index < count else 0:04}" for index in range(weight + 1, weight + 1 + (scale + 3) // 4)
    )[:scale]
    return ("-" if sign == 0x4000 else "") + before + ("." + after if scale else "")


def _date(value: bytes) -> str:
    (days,) = struct.unpack("!i", value)
    infinite = {0x7FFFFFFF: "infinity", -0x80000000: "-infinity"}.get(days)
    return infinite or (_DAY_ZERO + timedelta(days=days)).isoformat()


def _timestamp(zone: str) -> Callable[[bytes], str]:
    def show(value: bytes) -> str:
        (micros,) = struct.unpack("!q", value)
        infinite = {(1 << 63) - 1: "infinity", -(1 << 63): "-infinity"}.get(micros)
        if infinite is not None:
            return infinite
        shown = (_TIME_ZERO + timedelta(microseconds=micros)).isoformat(" ")
        return (shown.rstrip("0") if "." in shown else shown) + zone

    return show


def _time_of_day(micros: int) -> str:
    seconds, micros = divmod(micros, 1_000_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}" + (
        f".{micros:06}".rstrip("0") if micros else ""
    )


def _time(value: bytes) -> str:
    return _time_of_day(struct.unpack("!q", value)[0])


def _timetz(value: bytes) -> str:
    micros, west = struct.unpack("!qi", value)
    minutes = f":{abs(west) // 60 % 60:02}" if abs(west) // 60 % 60 else ""
    return f"{_time_of_day(micros)}{'-' if west > 0 else '+'}{abs(west) // 3600:02}{minutes}"


def _interval(value: bytes) -> str:
    micros, days, months = struct.unpack("!qii", value)
    parts = [f"{months} mon{'' if months == 1 else 's'}"] if months else []
    parts += [f"{days} day{'' if days == 1 else 's'}"] if days else []
    if micros or not parts:
        parts.append(("-" if micros < 0 else "") + _time_of_day(abs(micros)))
    return " ".join(parts)


def _uuid(value: bytes) -> str:
    return str(UUID(bytes=value))


def _inet(value: bytes) -> str:
    """network_send: family (2 or 3), bits, is_cidr, length, address."""
    if len(value) != 4 + value[3] or value[3] not in (4, 16):
        raise ValueError("not an address")
    address = ipaddress.ip_address(value[4:])
    return str(address) if value[1] == address.max_prefixlen and not value[2] else f"{address}/{value[1]}"


def _mac(value: bytes) -> str:
    if len(value) not in (6, 8):
        raise ValueError("not a MAC address")
    return value.hex(":")


def _jsonb(value: bytes) -> str:
    if value[:1] != b"\1":
        raise ValueError("unknown version of jsonb")
    return _text(value[1:])


def _bits(value: bytes) -> str:
    (length,) = struct.unpack("!i", value[:4])
    if not 0 <= length <= 8 * (len(value) - 4):
        raise ValueError("not a bit string")
    return "".join(f"{byte:08b}" for byte in value[4:])[:length]


def _money(value: bytes) -> str:
    (cents,) = struct.unpack("!q", value)
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"


_BINARY: dict[int, Callable[[bytes], str]] = {
    16: _bool,
    17: _hex,
    18: _text,
    19: _text,
    20: _integer("!q"),
    21: _integer("!h"),
    23: _integer("!i"),
    25: _text,
    26: _integer("!I"),
    28: _integer("!I"),
    114: _text,
    142: _text,
    650: _inet,
    700: _float,
    701: _float,
    705: _text,
    790: _money,
    829: _mac,
    774: _mac,
    869: _inet,
    1042: _text,
    1043: _text,
    1082: _date,
    1083: _time,
    1114: _timestamp(""),
    1184: _timestamp("+00"),
    1186: _interval,
    1266: _timetz,
    1560: _bits,
    1562: _bits,
    1700: _numeric,
    2950: _uuid,
    3802: _jsonb,
    5069: _integer("!Q"),
}
_ARRAYS = frozenset(
    {
        1000,
        1001,
        1002,
        1003,
        1005,
        1007,
        1009,
        1014,
        1015,
        1016,
        1021,
        1022,
        1028,
        1040,
        1041,
        1115,
        1182,
        1183,
        1185,
        1187,
    }
    | {1231, 1270, 1561, 1563, 199, 651, 791, 2951, 3807}
)


_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-+.:_/@#")  # others are quoted


def _array(value: bytes) -> str:
    """array_send: dimensions, has-nulls, element type; length and lower bound of each dimension; elements."""
    dimensions, _, element = struct.unpack("!iiI", value[:12])
    if not 0 <= dimensions <= 6:
        raise ValueError("not an array")
    sizes = [struct.unpack("!ii", value[12 + 8 * index : 20 + 8 * index])[0] for index in range(dimensions)]
    items = iter(_elements(value[12 + 8 * dimensions :], element))
    return _nest(sizes, items) if sizes else "{}"


def _elements(body: bytes, element: int) -> Iterator[str]:
    offset = 0
    while offset < len(body):
        (length,) = struct.unpack_from("!i", body, offset)
        offset += 4
        if length < 0:
            yield "NULL"
            continue
        if offset + length > len(body):
            raise ValueError("not an array")
        shown = show_binary(body[offset : offset + length], element)
        yield _quoted(shown) if not shown or shown.upper() == "NULL" or not _BARE.issuperset(shown) else shown
        offset += length


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _nest(sizes: Sequence[int], items: Iterator[str]) -> str:
    if len(sizes) == 1:
        shown = [item for _, item in zip(range(sizes[0]), items, strict=False)]
    else:
        shown = []
        for _ in range(sizes[0]):
            inner = _nest(sizes[1:], items)
            if not inner.strip("{},"):
                break  # no elements are left: the sizes lie
            shown.append(inner)
    return "{" + ",".join(shown) + "}"
