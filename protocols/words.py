"""Bytes looked for eight at a time, in the words that they make. For where this is compiled: elsewhere `bytes.find` is quicker.

A byte of a word is zero where `(word - ONES) & ~word & TOPS` has its top bit set: the lowest such bit is always right, one above
it can be the borrow of that. XORed with a byte in all places, a word has zeros where that byte stands; less than another there
are bytes where that one is subtracted instead of one. All of it modulo 2 ** 64, so that the sign does not matter.

Source: S. E. Anderson, "Bit Twiddling Hacks", "Determine if a word has a zero byte" and "… has a byte less than n".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from librt.strings import read_i64_le

if TYPE_CHECKING:
    from mypy_extensions import i64

WORD: Final = 8  # bytes
ONES: Final = 0x0101010101010101  # words above 2 ** 62 are made of it: as constants, they would be Python's numbers
_SPACE: Final = 0x20
_TILDE: Final = 0x7E
DELETE: Final = 0x7F


def everywhere(byte: int) -> int:
    """A byte in all places of a word."""
    return int.from_bytes(bytes((byte,)) * WORD, "little", signed=True)


def first_of(buffer: bytes, start: i64, end: i64, one: i64, two: i64, three: i64) -> i64:
    """Where the first of three bytes stands, which are given as words; `end` if none does."""
    size: i64 = len(buffer)
    at = start
    tops: i64 = ONES
    tops <<= 7
    while at < end and at + WORD <= size:
        word = read_i64_le(buffer, at)
        first = word ^ one
        second = word ^ two
        third = word ^ three
        hits = (((first - ONES) & ~first) | ((second - ONES) & ~second) | ((third - ONES) & ~third)) & tops
        if hits:
            at += _lowest(hits)
            return at if at < end else end
        at += WORD
    while at < end:
        byte: i64 = buffer[at]
        if byte == one & 0xFF or byte == two & 0xFF or byte == three & 0xFF:
            return at
        at += 1
    return end


def _lowest(hits: i64) -> i64:
    """In which place the lowest top bit stands."""
    place: i64 = 0
    if not hits & 0xFFFFFFFF:
        hits >>= 32
        place = 4
    if not hits & 0xFFFF:
        hits >>= 16
        place += 2
    return place if hits & 0xFF else place + 1


def printable_but(buffer: bytes, start: i64, end: i64, one: i64, two: i64) -> bool:
    """Whether there is only printable ASCII, and neither of two bytes, which are given as words."""
    at = start
    ones: i64 = ONES
    tops = ones << 7
    spaces = ones * _SPACE
    deletes = ones * DELETE
    while at + WORD <= end:
        word = read_i64_le(buffer, at)
        first = word ^ one
        second = word ^ two
        delete = word ^ deletes
        low = (word - spaces) & ~word
        hits = low | word | ((first - ONES) & ~first) | ((second - ONES) & ~second) | ((delete - ONES) & ~delete)
        if hits & tops:
            return False
        at += WORD
    while at < end:
        byte: i64 = buffer[at]
        if byte < _SPACE or byte > _TILDE or byte == one & 0xFF or byte == two & 0xFF:
            return False
        at += 1
    return True
