"""MySQL's types as maskers need them: a valid value that says nothing, and numbers and dates in both protocols.

In text a value is what the server writes; in binary its own bytes by its type, without the length in front.

Spec: MySQL, "Text Resultset Row", "Binary Protocol Value", "Column Definition".
"""

from __future__ import annotations

import datetime
import re
import struct
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Final

from attrs import frozen

from rules.masking.formats import STARS, year_of_text
from rules.masking.mysql.charsets import BINARY, CHARSETS, WIDE, Charset

FLOAT, DOUBLE, BIT, JSON, VECTOR, GEOMETRY, YEAR = 4, 5, 16, 245, 242, 255, 13
DATE, TIME, DATETIME, TIMESTAMP = 10, 11, 12, 7
INTEGERS: Final = {1: ("<b", 7), 2: ("<h", 15), 3: ("<i", 31), 8: ("<q", 63), 9: ("<i", 23)}  # form, bits without sign
DECIMALS: Final = frozenset({0, 246})
STRINGS: Final = frozenset({15, 247, 248, 249, 250, 251, 252, 253, 254})
_WRITTEN: Final = frozenset({FLOAT, DOUBLE, DATE, TIME, DATETIME, TIMESTAMP, YEAR})
UNSIGNED, ZEROFILL, ENUM, SET = 0x20, 0x40, 0x100, 0x800  # flags of a column
_BLOB, _BINARY_FLAG, _LONGTEXT_BYTES = 252, 0x80, 0xFFFFFFFF
ANY_DECIMALS: Final = 31  # of a FLOAT without a fixed number of them, and more in expressions

NO_JSON: Final = '"***"'


def codec_beside(kind: int, binary: bool, results_in: str, *, mariadb: bool) -> str:
    """The codec of a field whose description names none, though it comes in the charset of results; "": bytes, or ASCII.

    MariaDB converts every number and date that it writes as text, MySQL its JSON.
    """
    codec = WIDE.get(results_in, "")
    if not mariadb:
        return codec if kind == JSON else ""
    written = kind in DECIMALS or (not binary and (kind in INTEGERS or kind in _WRITTEN))
    return codec if written else ""


# Types that only the catalog knows: on the wire they are strings.
DECLARED: Final = {"uuid": b"00000000-0000-0000-0000-000000000000", "inet6": b"::", "inet4": b"0.0.0.0"}


@frozen
class Facts:
    """What is known of a result column. All but the last is the server's own description of it."""

    type: int
    flags: int = 0
    charset: int = BINARY
    length: int = 0  # as described: in bytes of text, digits, bits
    decimals: int = 0
    declared: str = ""  # DATA_TYPE of the catalog in lower case, where the column is a stored one unchanged

    @property
    def unsigned(self) -> bool:
        return bool(self.flags & UNSIGNED)

    @property
    def words(self) -> Charset | None:
        """The charset of a text that may be any; None for what is no such text."""
        if self.type not in STRINGS or self.flags & (ENUM | SET) or self.declared in DECLARED or self.json:
            return None
        return CHARSETS.get(self.charset)

    @property
    def bytes(self) -> bool:
        return self.type in STRINGS and self.charset == BINARY and not self.flags & (ENUM | SET)

    @property
    def json(self) -> bool:
        """JSON of MySQL, or a text like MariaDB's: a LONGTEXT with a binary collation, which may be checked for being JSON."""
        text = self.type == _BLOB and self.charset != BINARY and bool(self.flags & _BINARY_FLAG)
        return self.type == JSON or (text and self.length == _LONGTEXT_BYTES)

    @property
    def digits(self) -> int:
        """Of a DECIMAL, before its point: 65 at most."""
        precision = self.length - (self.decimals > 0) - (not self.unsigned)
        return min(max(0, precision - self.decimals), 65)


def zero(facts: Facts, binary: bool) -> bytes | None:
    """A value of the type that says nothing; None (NULL) where none is known: ENUM, geometries, types to come."""
    if (found := numbers(facts, binary)) is not None:
        return found.write(0)
    if facts.type in (DATE, DATETIME, TIMESTAMP):
        return date(datetime.datetime(2000, 1, 1), facts, binary)
    if facts.type == TIME:  # in binary midnight has no bytes
        return b"" if binary else b"00:00:00" + fraction(0, facts.decimals)
    if facts.type == YEAR:
        return (2000).to_bytes(2, "little") if binary else b"2000"
    if facts.type in STRINGS:
        return _string(facts)
    if facts.type == BIT:
        return bytes(max(1, (min(facts.length, 64) + 7) // 8))
    return {JSON: NO_JSON.encode(), VECTOR: bytes(4)}.get(facts.type)  # the vector (0.0)


def _string(facts: Facts) -> bytes | None:
    charset = CHARSETS.get(facts.charset)
    if facts.flags & ENUM:
        return None
    if facts.flags & SET or facts.charset == BINARY:
        return b""  # no member, no byte
    if charset is None:
        return None
    return fitting(NO_JSON if facts.json else DECLARED.get(facts.declared, STARS).decode(), charset, facts)


def fitting(text: str, charset: Charset, facts: Facts) -> bytes:
    """In the column's charset, cut to its length: `CHAR(2)` holds two stars."""
    room = facts.length // charset.widest if facts.length else len(text)
    return text[:room].encode(charset.codec)


# -- numbers


@frozen
class Numbers:
    """How the values of one numeric type are read, and whole numbers written. Both raise ValueError or ArithmeticError."""

    read: Callable[[bytes], Decimal | int | float]
    write: Callable[[int], bytes]
    low: int
    high: int


def numbers(facts: Facts, binary: bool) -> Numbers | None:
    if facts.type in INTEGERS:
        return _integers(facts, binary)
    if facts.type in DECIMALS:
        return _decimals(facts)
    return _floats(facts, binary) if facts.type in (FLOAT, DOUBLE) else None


def _integers(facts: Facts, binary: bool) -> Numbers:
    form, bits = INTEGERS[facts.type]
    low, high = (0, 2 ** (bits + 1) - 1) if facts.unsigned else (-(2**bits), 2**bits - 1)
    if binary:
        packing = struct.Struct(form.upper() if facts.unsigned else form)
        return Numbers(lambda data: int(packing.unpack(data)[0]), packing.pack, low, high)
    return Numbers(int, lambda number: padded(b"%d" % number, facts), low, high)


def whole_numbers(values: list[bytes], facts: Facts, binary: bool) -> list[int]:
    """Of fields of one type of integers. Raises ValueError or struct.error."""
    if not binary:
        return [int(value) for value in values]
    return [*struct.unpack(_packed(len(values), facts), b"".join(values))]


def fields_of(numbers: list[int], facts: Facts, binary: bool) -> list[bytes]:
    if not binary:
        return [padded(b"%d" % number, facts) for number in numbers]
    data = struct.pack(_packed(len(numbers), facts), *numbers)
    width = len(data) // max(1, len(numbers))
    return [data[at : at + width] for at in range(0, len(data), width)] if data else []


def _packed(count: int, facts: Facts) -> str:
    form = INTEGERS[facts.type][0]
    return f"<{count}{form[1].upper() if facts.unsigned else form[1]}"


def _decimals(facts: Facts) -> Numbers:
    """In both protocols a text with all its decimals."""
    high = 10**facts.digits - 1
    point = b"." + b"0" * facts.decimals if 0 < facts.decimals < ANY_DECIMALS else b""
    return Numbers(finite, lambda number: padded(b"%d" % number + point, facts), 0 if facts.unsigned else -high, high)


def _floats(facts: Facts, binary: bool) -> Numbers:
    high = 2**53
    if binary:
        packing = struct.Struct("<f" if facts.type == FLOAT else "<d")
        return Numbers(
            lambda data: float(packing.unpack(data)[0]), lambda number: packing.pack(float(number)), -high, high
        )
    point = b"." + b"0" * facts.decimals if 0 < facts.decimals < ANY_DECIMALS else b""
    return Numbers(finite, lambda number: padded(b"%d" % number + point, facts), -high, high)


def padded(text: bytes, facts: Facts) -> bytes:
    """With ZEROFILL the server writes leading zeros to the column's width, which a client may choose: 255 at most."""
    return text.rjust(min(facts.length, 255), b"0") if facts.flags & ZEROFILL else text


def finite(data: bytes) -> Decimal:
    try:
        found = Decimal(data.decode("ascii"))
    except InvalidOperation as error:
        raise ValueError("not a number") from error
    if not found.is_finite():
        raise ValueError("not a finite number")
    return found


# -- dates


def fraction(microseconds: int, decimals: int) -> bytes:
    """Of a second, with as many digits as the column has."""
    return b"." + (b"%06d" % microseconds)[:decimals] if 0 < decimals <= 6 else b""


def date(moment: datetime.datetime, facts: Facts, binary: bool) -> bytes:
    """A DATE, DATETIME or TIMESTAMP. In binary the server leaves out a time of zero, and mysql2 shows it so: here it stands."""
    if binary:
        head = struct.pack("<HBB", moment.year, moment.month, moment.day)
        clock = bytes((moment.hour, moment.minute, moment.second))
        if facts.type == DATE:
            return head
        return head + clock + (moment.microsecond.to_bytes(4, "little") if moment.microsecond else b"")
    text = b"%04d-%02d-%02d" % (moment.year, moment.month, moment.day)
    if facts.type == DATE:
        return text
    return (
        text
        + b" %02d:%02d:%02d" % (moment.hour, moment.minute, moment.second)
        + fraction(moment.microsecond, facts.decimals)
    )


def year_of(data: bytes, binary: bool) -> int:
    """Of a DATE, DATETIME or TIMESTAMP. ValueError for a date of the year 0."""
    year = int.from_bytes(data[:2], "little") if binary else year_of_text(data)
    if not 1 <= year <= 9999:
        raise ValueError("no year")
    return year


def date_of(data: bytes, binary: bool) -> datetime.date:
    """Of a DATE. ValueError for one with a zero in it."""
    if binary:
        return datetime.date(*struct.unpack("<HBB", data[:4]))
    return datetime.date.fromisoformat(data.decode("ascii"))


def moment_of(data: bytes, binary: bool) -> datetime.datetime:
    """Of a DATETIME. ValueError for one with a zero in its date."""
    if not binary:
        return datetime.datetime.fromisoformat(data.decode("ascii"))
    year, month, day, hour, minute, second = struct.unpack("<HBBBBB", data[:7].ljust(7, b"\0"))
    return datetime.datetime(year, month, day, hour, minute, second, int.from_bytes(data[7:], "little"))


_CLOCK: Final = re.compile(rb"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?")


def clock_of(data: bytes, binary: bool) -> int:
    """A TIME of less than a day, in microseconds. ValueError for any other."""
    if binary:
        if not data:
            return 0
        negative, days, hours, minutes, seconds = struct.unpack("<BIBBB", data[:8])
        if negative or days:
            raise ValueError("no time of a day")
        behind = int.from_bytes(data[8:], "little")
    else:
        match = _CLOCK.fullmatch(data)
        if match is None:
            raise ValueError("no time of a day")
        hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3])
        behind = int((match[4] or b"").ljust(6, b"0"))
    return int((hours * 3600 + minutes * 60 + seconds) * 1_000_000 + behind)


def clock(microseconds: int, facts: Facts, binary: bool) -> bytes:
    """A TIME of less than a day."""
    seconds, behind = divmod(microseconds, 1_000_000)
    parts = (seconds // 3600, seconds // 60 % 60, seconds % 60)
    if not binary:
        return b"%02d:%02d:%02d" % parts + fraction(behind, facts.decimals)
    if not microseconds:
        return b""  # midnight
    return struct.pack("<BIBBB", 0, 0, *parts) + (behind.to_bytes(4, "little") if behind else b"")


def first_of_year(year: int, facts: Facts, binary: bool) -> bytes:
    # a TIMESTAMP begins within the first of January 1970, at an hour that depends on the time zone
    day = 2 if facts.type == TIMESTAMP and year == 1970 else 1
    return date(datetime.datetime(year, 1, day), facts, binary)
