"""The forms in which a masked value could reach a client of PostgreSQL's protocol."""

from __future__ import annotations

import struct
from datetime import date
from typing import Final

from tests.integration.canary_forms import in_base64

WORD: Final = b"canary"
# cards, salaries, pays; a date with its month, in whatever way it is parted; the word as a uuid and as an address
_TEXTS: Final = [
    WORD,
    b"7654321",
    b"8765432",
    b"8765433",
    b"8765434",
    b"543210",
    b"1917-03-1",
    b"1917031",
    b"63616e61-7279",
    b"6361:6e61:7279",
]
_DAYS: Final = [(date(1917, 3, 10 + n) - date(2000, 1, 1)).days for n in range(1, 7)]
BINARY: Final = [
    *(struct.pack("!q", 7654321000000 + n) for n in range(1, 7)),  # card
    *(struct.pack("!hhh", 6543, 2100, n) for n in range(1, 7)),  # card as a numeric, in digits to the base 10000
    *(struct.pack("!hh", 876, 5432 + n) for n in range(1, 7)),  # salary
    *(struct.pack("!i", 8765433 + n) for n in range(6)),  # salary, rounded
    *(struct.pack("!i", 5432100 + n) for n in range(1, 6)),  # pay
    *(struct.pack("!d", float(value)) for value in (*range(7654321000001, 7654321000007), *range(5432101, 5432106))),
    *(struct.pack("!i", day) for day in _DAYS),
    # that day's timestamps, at midnight and at 11:12:13.123
    *(struct.pack("!q", day * 86_400_000_000 + time) for day in _DAYS for time in (0, 40_333_123_000)),
    *(value.encode("utf-16-le") for value in ("canary", "CANARY")),
]
# What only counts upwards is not taken for a card: reversed, a number is one whole value.
_REVERSED: Final = [
    *(text[::-1] for text in _TEXTS if not text.isdigit()),
    b"000001234567",
    *(str(value)[::-1].encode() for value in (*range(8765433, 8765439), *range(5432101, 5432106))),
]
# in lower case: plain, reversed, in hexadecimal, and that reversed
_HEX: Final = [value.hex().encode() for value in (*_TEXTS, WORD.upper(), WORD[::-1], *BINARY)]
FORMS: Final = [*_TEXTS, *_REVERSED, *_HEX, *(value[::-1] for value in _HEX)]
ENCODED: Final = [form for text in (*_TEXTS, WORD.upper()) for form in in_base64(text)]


def canaries(data: bytes) -> list[bytes]:
    """Every form of a masked value that is in there."""
    lower = data.lower()
    return [form for form in FORMS if form in lower] + [form for form in (*BINARY, *ENCODED) if form in data]
