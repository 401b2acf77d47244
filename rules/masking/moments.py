"""Timestamps and times of day as pseudonyms keep them: in microseconds, of the years 1900 to 2099, or of one day.

A moment has as many decimals of a second as are no zeros, and is permuted among those that have as many: whole seconds become whole
seconds, and a column of milliseconds shows milliseconds.

Of a `timestamp with time zone` it is the instant that is permuted. Its text says the offset from UTC in force where and when the
session looks at it; the pseudonym's says UTC, which every session reads alike, whatever its TimeZone. Only texts in the DateStyle
ISO are read: no other one says every instant without doubt.

Spec: PostgreSQL, "Date/Time Output"; `timestamp_send`, `time_send`.
"""

from __future__ import annotations

import datetime
import re
from typing import Final

from rules.masking.decimals import uneven_at, uneven_rank

TIMESTAMP: Final = 1114
TIMESTAMPTZ: Final = 1184
TIME: Final = 1083
TYPES: Final = frozenset({TIMESTAMP, TIMESTAMPTZ, TIME})

SECOND: Final = 1_000_000
DAY_S: Final = 86_400
_FIRST_DAY: Final = datetime.date(1900, 1, 1).toordinal()
_EPOCH: Final = (datetime.date(2000, 1, 1).toordinal() - _FIRST_DAY) * DAY_S * SECOND  # of the binary form
_SPAN_S: Final = (datetime.date(2100, 1, 1).toordinal() - _FIRST_DAY) * DAY_S
_CLOCK: Final = r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,6}))?"
_TIME: Final = re.compile(_CLOCK)
_ZONE: Final = r"Z|([+-])([0-9]{2})(?::?([0-5][0-9])(?::?([0-5][0-9]))?)?"
_MOMENT: Final = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[ T]{_CLOCK}({_ZONE})?")


def span_s(type_oid: int) -> int:
    """How many whole seconds a type's pseudonyms are permuted among."""
    return DAY_S if type_oid == TIME else _SPAN_S


def microseconds_of(text: str, type_oid: int) -> int:
    """Since 1900, or since midnight. Raises ValueError.

    An offset behind a timestamp without time zone is passed over, as the server does; one with time zone needs it.
    """
    if type_oid == TIME:
        match = _TIME.fullmatch(text)
        if match is None:
            raise ValueError("not a time in its plain form")
        return _clock(match[1], match[2], match[3], match[4])
    match = _MOMENT.fullmatch(text)
    if match is None or (type_oid == TIMESTAMPTZ and match[6] is None):
        raise ValueError("not a timestamp in its plain form")
    day = datetime.date.fromisoformat(match[1]).toordinal() - _FIRST_DAY
    found = day * DAY_S * SECOND + _clock(match[2], match[3], match[4], match[5])
    if type_oid != TIMESTAMPTZ or match[7] is None:
        return found
    offset = _clock(match[8], match[9] or "0", match[10] or "0", None)
    return found + offset if match[7] == "-" else found - offset


def _clock(hours: str, minutes: str, seconds: str, fraction: str | None) -> int:
    found = (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * SECOND
    return found + int(fraction.ljust(6, "0")) if fraction else found


def decimals_of(text: str) -> int:
    """How many a second has in a text."""
    behind = text.partition(".")[2]
    return len(behind) - len(behind.lstrip("0123456789"))


def text_of(microseconds: int, type_oid: int, shown: int = 0) -> str:
    """As Postgres writes it, with those decimals that are no zeros; or with so many at least."""
    seconds, fraction = divmod(microseconds, SECOND)
    days, seconds = divmod(seconds, DAY_S)
    found = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if fraction or shown:
        decimals = f"{fraction:06}"
        found += "." + decimals[:shown] + decimals[shown:].rstrip("0")
    if type_oid == TIME:
        return found
    day = datetime.date.fromordinal(_FIRST_DAY + days).isoformat()
    return f"{day} {found}+00" if type_oid == TIMESTAMPTZ else f"{day} {found}"


def of_binary(number: int, type_oid: int) -> int:
    """From the number that the binary form is, to microseconds as they are counted here."""
    return number if type_oid == TIME else number + _EPOCH


def to_binary(microseconds: int, type_oid: int) -> int:
    return microseconds if type_oid == TIME else microseconds - _EPOCH


# -- ranks


def placed(microseconds: int, type_oid: int) -> tuple[int, int, int]:
    """Its rank among those that it is permuted with, how many they are, and their domain. Raises ValueError."""
    span = span_s(type_oid)
    if not 0 <= microseconds < span * SECOND:
        raise ValueError("out of range")
    if not microseconds % SECOND:
        return microseconds // SECOND, span, type_oid << 16
    units, decimals = microseconds, 6
    while not units % 10:
        units //= 10
        decimals -= 1
    return uneven_rank(units), 9 * span * 10 ** (decimals - 1), type_oid << 16 | decimals


def microseconds_at(rank: int, domain: int) -> int:
    decimals = domain & 0xFF
    return int((uneven_at(rank) if decimals else rank) * 10 ** (6 - decimals))
