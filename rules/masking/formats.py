"""Postgres types as maskers need them: a valid value that says nothing, and numbers and dates in both formats.

Spec: PostgreSQL documentation, "Frontend/Backend Protocol", formats and format codes; the binary forms are those of each
type's send function (`numeric_send`, `inet_send`, `array_send`, …).
"""

from __future__ import annotations

import datetime
import re
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from librt.strings import BytesWriter, read_i32_be, write_i32_be

STARS: Final = b"***"

XML: Final = 142
TEXTS: Final = frozenset({25, 1043, 1042, 19, XML, 705, 2275})  # text varchar bpchar name xml unknown cstring
INTEGERS: Final = {21: ("!h", 15), 23: ("!i", 31), 20: ("!q", 63), 26: ("!I", 32)}  # int2 int4 int8 oid: format, bits
FLOATS: Final = {700: "!f", 701: "!d"}
NUMERIC: Final = 1700
BYTEA: Final = 17
UUID: Final = 2950
JSON: Final = 114
JSONB: Final = 3802
BOOL: Final = 16
DATE: Final = 1082
TIMESTAMPS: Final = frozenset({1114, 1184})
EPOCH: Final = datetime.datetime(2000, 1, 1)  # of Postgres's binary dates and timestamps

# Array type → element type. An empty array is valid for each.
ARRAYS: Final = {
    1000: 16, 1001: 17, 1002: 18, 1003: 19, 1005: 21, 1007: 23, 1009: 25, 1014: 1042, 1015: 1043, 1016: 20, 1021: 700,
    1022: 701, 1028: 26, 1041: 869, 651: 650, 1040: 829, 775: 774, 1115: 1114, 1182: 1082, 1183: 1083, 1185: 1184,
    1187: 1186, 1231: 1700, 1270: 1266, 1561: 1560, 1563: 1562, 199: 114, 2951: 2950, 3807: 3802, 143: 142, 791: 790,
}  # fmt: skip
RANGES: Final = frozenset({3904, 3906, 3908, 3910, 3912, 3926})
MULTIRANGES: Final = frozenset({4451, 4532, 4533, 4534, 4535, 4536})

# A valid value of each type that says nothing: (text, binary).
ZERO: Final[dict[int, tuple[bytes, bytes]]] = {
    **dict.fromkeys(TEXTS, (STARS, STARS)),
    18: (b"*", b"*"),  # "char"
    **{oid: (b"0", struct.pack(form, 0)) for oid, (form, _) in INTEGERS.items()},
    **{oid: (b"0", struct.pack(form, 0.0)) for oid, form in FLOATS.items()},
    NUMERIC: (b"0", bytes(8)),
    DATE: (b"2000-01-01", bytes(4)),
    1083: (b"00:00:00", bytes(8)),
    1266: (b"00:00:00+00", bytes(12)),
    1114: (b"2000-01-01 00:00:00", bytes(8)),
    1184: (b"2000-01-01 00:00:00+00", bytes(8)),
    1186: (b"00:00:00", bytes(16)),
    UUID: (b"00000000-0000-0000-0000-000000000000", bytes(16)),
    BYTEA: (b"\\x", b""),
    JSON: (b'"***"', b'"***"'),
    JSONB: (b'"***"', b'\x01"***"'),
    869: (b"0.0.0.0", b"\x02\x20\x00\x04" + bytes(4)),  # inet: family, bits, is_cidr, length, address
    650: (b"0.0.0.0/32", b"\x02\x20\x01\x04" + bytes(4)),  # cidr
    829: (b"00:00:00:00:00:00", bytes(6)),
    774: (b"00:00:00:00:00:00:00:00", bytes(8)),
    **{oid: (b"{}", struct.pack("!iiI", 0, 0, element)) for oid, element in ARRAYS.items()},
    **dict.fromkeys(RANGES, (b"empty", b"\x01")),
    **dict.fromkeys(MULTIRANGES, (b"{}", bytes(4))),
}


def zero(type_oid: int, binary: bool) -> bytes | None:
    """A value of the type that says nothing; None (NULL) for a type that is not known."""
    found = ZERO.get(type_oid)
    return None if found is None else found[binary]


def integers(change: Callable[[int], int], type_oid: int, binary: bool) -> Callable[[bytes], bytes]:
    """A change of whole numbers, for a field of their type."""
    form = INTEGERS[type_oid][0]
    if binary:
        return lambda data: struct.pack(form, change(struct.unpack(form, data)[0]))
    return lambda data: b"%d" % change(int(data))


def whole_numbers(values: list[bytes], form: str, binary: bool) -> list[int]:
    """Of fields of one type of integers. Raises ValueError or struct.error."""
    if not binary:
        return [int(value) for value in values]
    if form == "!i" and all(len(value) == 4 for value in values):
        return [read_i32_be(value, 0) for value in values]
    return [struct.unpack(form, value)[0] for value in values]


def fields_of(numbers: list[int], form: str, binary: bool) -> list[bytes]:
    if not binary:
        return [str(number).encode() for number in numbers]
    if form != "!i":
        return [struct.pack(form, number) for number in numbers]
    writer = BytesWriter()
    for number in numbers:
        write_i32_be(writer, number)
    fields = writer.getvalue()
    return [fields[at : at + 4] for at in range(0, len(fields), 4)]


def decode_numeric(data: bytes) -> Decimal:
    """A binary numeric. Raises ValueError on NaN, infinities and malformed bytes."""
    if len(data) < 8:
        raise ValueError("a numeric of less than 8 bytes")
    count, weight, sign, _ = struct.unpack_from("!hhHh", data)
    if sign not in (0, 0x4000) or count < 0 or len(data) != 8 + 2 * count:
        raise ValueError("not a finite numeric")
    groups = struct.unpack_from(f"!{count}h", data, 8)
    if any(not 0 <= group < 10000 for group in groups):
        raise ValueError("a numeric digit out of range")
    # from digits, since arithmetic on Decimal rounds
    digits = tuple(int(digit) for group in groups for digit in f"{group:04d}")
    return Decimal((1 if sign else 0, digits or (0,), 4 * (weight - count + 1)))


def encode_numeric(number: int) -> bytes:
    """A whole number as a binary numeric."""
    digits: list[int] = []
    rest = abs(number)
    while rest:
        rest, digit = divmod(rest, 10000)
        digits.append(digit)
    digits.reverse()
    weight = max(len(digits) - 1, 0)
    sign = 0x4000 if number < 0 else 0
    return struct.pack(f"!hhHh{len(digits)}h", len(digits), weight, sign, 0, *digits)


ISO_DATE: Final = re.compile(rb"(\d{4,})-\d\d-\d\d(?=$|[ T])")


def year_of_text(data: bytes) -> int:
    """The year of an ISO date or timestamp. Raises ValueError for other date styles, BC and infinity."""
    match = ISO_DATE.match(data)
    if match is None or data.endswith(b"BC"):
        raise ValueError("not an ISO date")
    return int(match[1])


def year_of_binary(data: bytes, type_oid: int) -> int:
    """The year of a binary date (days) or timestamp (microseconds since 2000). Raises ValueError."""
    if type_oid == DATE:
        (days,) = struct.unpack("!i", data)
    else:
        (microseconds,) = struct.unpack("!q", data)
        days = microseconds // 86_400_000_000
    try:
        return (EPOCH + datetime.timedelta(days=days)).year
    except OverflowError as error:
        raise ValueError("out of range") from error


def first_of_year(year: int, type_oid: int, binary: bool) -> bytes:
    if not binary:
        return b"%04d-01-01" % year + {DATE: b"", 1114: b" 00:00:00", 1184: b" 00:00:00+00"}[type_oid]
    days = (datetime.datetime(year, 1, 1) - EPOCH).days
    return struct.pack("!i", days) if type_oid == DATE else struct.pack("!q", days * 86_400_000_000)


def uuid_of(digest: bytes) -> uuid.UUID:
    """In the form of a random one, which every server and program takes."""
    return uuid.UUID(bytes=digest[:16], version=4)


def mariadb_refuses(data: bytes) -> bool:
    """Whether MariaDB's type has no place for this UUID: its stored form tells by these bytes in which order the rest stands."""
    return data[6] >= 0x80 and 0 < data[8] <= 0x80
