"""Decimal numbers as pseudonyms keep them: what of a number stays, and which numbers are permuted among each other.

Equal numbers are written in several ways (1.5, 1.50, 15e-1), and a server compares them by value. So the permutation is one of
values: of all with the same sign, the same number of decimals behind which there are only zeros, and the same number of digits.
Whatever a client writes for a pseudonym then stands for one value, and the pseudonym can be shown with as many decimals as the
value was. Numbers of few digits would have few others to be mistaken for: all of up to six digits are permuted together.

Spec: PostgreSQL, `numeric_send`.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from typing import Final

from rules.masking.formats import NUMERIC

DIGITS: Final = 38  # of a number, at most: as many as fit into a block of the cipher
POOLED: Final = 6  # digits: numbers of fewer are permuted among those of up to so many, 900,000 at least
_MOST: Final = 10**DIGITS
_CONSTANT: Final = re.compile(rb"([+-]?)([0-9]{0,40})(?:\.([0-9]{0,80}))?(?:[eE]([+-]?[0-9]{1,3}))?")

Number = tuple[bool, int, int]  # negative, its digits as a whole number, how many of them are decimals: none in excess


def number_of(data: bytes) -> tuple[Number, int]:
    """As a server writes it, and how many decimals are shown. Raises ValueError for one that has no pseudonym."""
    head, _, tail = data.partition(b".")
    counting = tail.rstrip(b"0")
    negative = head.startswith(b"-")
    digits = head[1:] + counting if negative else head + counting
    if len(digits) > 2 * DIGITS or not digits.isdigit():  # of bytes, these are 0 to 9
        raise ValueError("not a number in its plain form")
    return _checked(negative, int(digits), len(counting)), len(tail)


def constant_of(text: str) -> tuple[Number, int]:
    """As a client may write it. Raises ValueError."""
    match = _CONSTANT.fullmatch(text.encode())
    if match is None or not (match[2] or match[3]):
        raise ValueError("not a number in its plain form")
    sign, whole, decimals = match[1], match[2], match[3] or b""
    power = int(match[4] or 0)
    if power > 0:
        moved = decimals[:power].ljust(power, b"0")
        whole, decimals = whole + moved, decimals[power:]
    elif power < 0:
        digits = whole.rjust(-power, b"0")
        whole, decimals = digits[:power], digits[power:] + decimals
    counting = decimals.rstrip(b"0")
    return _checked(sign == b"-", int(whole + counting or b"0"), len(counting)), len(decimals)


def _checked(negative: bool, units: int, decimals: int) -> Number:
    if units >= _MOST or decimals > DIGITS:
        raise ValueError("a number of too many digits")
    return negative and units != 0, units, decimals


def text_of(number: Number, shown: int) -> bytes:
    """With so many decimals, or all that count."""
    negative, units, decimals = number
    digits = b"%d" % units
    if shown > 0 or decimals > 0:
        digits = digits.rjust(decimals + 1, b"0")
        point = len(digits) - decimals
        digits = digits[:point] + b"." + digits[point:] + b"0" * (shown - decimals)
    return b"-" + digits if negative else digits


def number_of_binary(data: bytes) -> tuple[Number, int]:
    """Raises ValueError or struct.error."""
    count, weight, sign, shown = struct.unpack_from("!hhHH", data)
    if sign not in (0, 0x4000) or count < 0 or len(data) != 8 + 2 * count or shown > 0x3FFF:
        raise ValueError("not a finite numeric")
    units = 0
    for group in struct.unpack_from(f"!{count}h", data, 8):
        if not 0 <= group < 10000:
            raise ValueError("a numeric digit out of range")
        units = units * 10000 + group
    if not units:
        return (False, 0, 0), shown
    decimals = 4 * (count - weight - 1)
    if not -DIGITS <= decimals <= 2 * DIGITS:
        raise ValueError("a number of too many digits")
    if decimals < 0:
        units *= 10**-decimals
        decimals = 0
    while decimals and not units % 10:
        units //= 10
        decimals -= 1
    return _checked(sign != 0, units, decimals), shown


def binary_of(number: Number, shown: int) -> bytes:
    negative, units, decimals = number
    behind = (decimals + 3) // 4  # groups of four digits
    units *= 10 ** (4 * behind - decimals)
    groups: list[int] = []
    while units:
        units, group = divmod(units, 10000)
        groups.append(group)
    weight = len(groups) - behind - 1
    while groups and not groups[0]:
        del groups[0]
    groups.reverse()
    sign = 0x4000 if negative else 0
    return struct.pack(
        f"!hhHH{len(groups)}h", len(groups), weight if groups else 0, sign, max(shown, decimals), *groups
    )


# -- ranks


def uneven_rank(units: int) -> int:
    """Of a number that is no multiple of ten, among those."""
    return units - 1 - (units - 1) // 10


def uneven_at(rank: int) -> int:
    return rank + rank // 9 + 1


def _least(digits: int, even: bool, negative: bool) -> int:
    """How many numbers of the kind have too few digits."""
    if digits > POOLED:
        return int(10 ** (digits - 1) if even else 9 * 10 ** (digits - 2))
    return 1 if negative and even else 0  # there is no -0


# By the number of digits, of whole numbers and of those that are no multiples of ten: how many have too few, and how many are left.
_BOUNDS: Final = [10**digits for digits in range(DIGITS + 1)]
_LEASTS: Final = [
    [[_least(digits, even, negative) for digits in range(DIGITS + 1)] for negative in (False, True)]
    for even in (False, True)
]
_SIZES: Final = [
    [
        [(bound if even else bound // 10 * 9) - least for bound, least in zip(_BOUNDS, leasts, strict=True)]
        for leasts in _LEASTS[even]
    ]
    for even in (False, True)
]


def placed(number: Number) -> tuple[int, int, int]:
    """Its rank among those that it is permuted with, how many they are, and their domain."""
    negative, units, decimals = number
    digits = bisect_right(_BOUNDS, units, POOLED)
    even = not decimals
    rank = (units if even else uneven_rank(units)) - _LEASTS[even][negative][digits]
    return rank, _SIZES[even][negative][digits], NUMERIC << 16 | negative << 15 | decimals << 8 | digits


def number_at(rank: int, domain: int) -> Number:
    negative, decimals, digits = bool(domain >> 15 & 1), domain >> 8 & 0x7F, domain & 0xFF
    even = not decimals
    rank += _LEASTS[even][negative][digits]
    return negative, rank if even else uneven_at(rank), decimals
