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
TYPES: Final[frozenset[int]] = frozenset({TIMESTAMP, TIMESTAMPTZ, TIME})

SECOND: Final = 1_000_000
DAY_S: Final = 86_400
_FIRST_DAY: Final = datetime.date(1900, 1, 1).toordinal()
_DAYS: Final = datetime.date(2100, 1, 1).toordinal() - _FIRST_DAY
_EPOCH: Final = (datetime.date(2000, 1, 1).toordinal() - _FIRST_DAY) * DAY_S * SECOND  # of the binary form
_CLOCK: Final = r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,6}))?"
_TIME: Final = re.compile(_CLOCK)
_ZONE: Final = r"Z|([+-])([0-9]{2})(?::?([0-5][0-9])(?::?([0-5][0-9]))?)?"
_MOMENT: Final = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[ T]{_CLOCK}({_ZONE})?")
_TENS: Final = [10**decimals for decimals in range(7)]

# Texts by their parts: looking one up is quicker than reading or writing it.
_MINUTES: Final = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(24 * 60)]
_SECONDS: Final = [f":{second:02}" for second in range(60)]
_MINUTE_OF: Final = {text: minute for minute, text in enumerate(_MINUTES)}
_SECOND_OF: Final = {text: second for second, text in enumerate(_SECONDS)}
_OFFSET_OF: Final = {f"{sign}{hours:02}": int(f"{sign}{hours}") * 3600 for sign in "+-" for hours in range(16)}
_DAY_OF: Final[dict[str, int]] = {}  # those that were met: there are 73,049
_DAY_TEXTS: Final[dict[int, str]] = {}


def microseconds_of(text: str, type_oid: int) -> int:
    """Since 1900, or since midnight. Raises ValueError.

    An offset behind a timestamp without time zone is passed over, as the server does; one with time zone needs it.
    """
    if type_oid == TIME:
        match = _TIME.fullmatch(text)
        if match is None:
            raise ValueError("not a time in its plain form")
        return _clock(match[1], match[2], match[3], match[4])
    found = _usual(text, type_oid)
    if found >= 0:
        return found
    match = _MOMENT.fullmatch(text)
    if match is None or (type_oid == TIMESTAMPTZ and match[6] is None):
        raise ValueError("not a timestamp in its plain form")
    day = datetime.date.fromisoformat(match[1]).toordinal() - _FIRST_DAY
    if 0 <= day < _DAYS:
        _DAY_OF[match[1]] = day
    found = day * DAY_S * SECOND + _clock(match[2], match[3], match[4], match[5])
    if type_oid != TIMESTAMPTZ or match[7] is None:
        return found
    offset = _clock(match[8], match[9] or "0", match[10] or "0", None)
    return found + offset if match[7] == "-" else found - offset


def _usual(text: str, type_oid: int) -> int:
    """The same of a text in the form that servers write, of a day that was met before; -1: of any other."""
    end = len(text)
    offset = 0
    if type_oid == TIMESTAMPTZ:
        end -= 3
        offset = _OFFSET_OF.get(text[end:], -1)
        if offset == -1:
            return -1
    day, minute, second = _DAY_OF.get(text[:10], -1), _MINUTE_OF.get(text[11:16], -1), _SECOND_OF.get(text[16:19], -1)
    if day < 0 or minute < 0 or second < 0 or text[10] != " ":
        return -1
    found = (day * DAY_S + minute * 60 + second - offset) * SECOND
    if end == 19:
        return found
    fraction = text[20:end]
    decimals = len(fraction)
    if text[19] != "." or not 0 < decimals <= 6 or not (fraction.isascii() and fraction.isdigit()):
        return -1
    return int(found + int(fraction) * _TENS[6 - decimals])


def _clock(hours: str, minutes: str, seconds: str, fraction: str | None) -> int:
    found = (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * SECOND
    return found + int(fraction.ljust(6, "0")) if fraction else found


def decimals_of(text: str) -> int:
    """How many a second has in a text."""
    behind = text.partition(".")[2]
    return len(behind) - len(behind.lstrip("0123456789"))


def text_of(microseconds: int, type_oid: int, shown: int = 0) -> str:
    """As Postgres writes it, with those decimals that are no zeros; or with so many at least."""
    seconds, fraction = microseconds // SECOND, microseconds % SECOND
    days, seconds = seconds // DAY_S, seconds % DAY_S
    found = _MINUTES[seconds // 60] + _SECONDS[seconds % 60]
    if fraction or shown:
        decimals = str(SECOND + fraction)[1:]
        found += "." + decimals[:shown] + decimals[shown:].rstrip("0")
    if type_oid == TIME:
        return found
    day = _DAY_TEXTS.get(days)
    if day is None:
        day = _DAY_TEXTS[days] = datetime.date.fromordinal(_FIRST_DAY + days).isoformat()
    return f"{day} {found}+00" if type_oid == TIMESTAMPTZ else f"{day} {found}"


def of_binary(number: int, type_oid: int) -> int:
    """From the number that the binary form is, to microseconds as they are counted here."""
    return number if type_oid == TIME else number + _EPOCH


def to_binary(microseconds: int, type_oid: int) -> int:
    return microseconds if type_oid == TIME else microseconds - _EPOCH


# -- ranks

# By the decimals of a second: how many moments have as many.
_IN_A_DAY: Final = [DAY_S, *(9 * DAY_S * 10**decimals for decimals in range(6))]
_IN_ALL: Final = [count * _DAYS for count in _IN_A_DAY]


def placed(microseconds: int, type_oid: int) -> tuple[int, int, int]:
    """Its rank among those that it is permuted with, how many they are, and their domain. Raises ValueError."""
    counts = _IN_A_DAY if type_oid == TIME else _IN_ALL
    if not 0 <= microseconds < counts[0] * SECOND:
        raise ValueError("out of range")
    units, decimals = microseconds, 6
    if not units % SECOND:
        units, decimals = units // SECOND, 0
    while decimals and not units % 10:
        units //= 10
        decimals -= 1
    return uneven_rank(units) if decimals else units, counts[decimals], type_oid << 16 | decimals


def microseconds_at(rank: int, domain: int) -> int:
    decimals = domain & 0xFF
    return int((uneven_at(rank) if decimals else rank) * _TENS[6 - decimals])
