"""Maskers that keep the ends of a text and replace what is between: of a plain value, without a call and without taking it out.

A masker says so by its attribute `keeps`; what it says holds for plain values only, printable ASCII with no space at either end.
Whatever else a value is, it is the masker's.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Final, final

from protocols.base import Masker
from protocols.words import DELETE, ONES, first_of, printable_but

if TYPE_CHECKING:
    from mypy_extensions import i64

_LONGEST: Final = 256  # bytes: what is longer is sooner looked at by what the masker itself has
_SPACE: Final = 32


@final
class Shortening:
    """Of a value of at least `least` bytes stay the first `front` ones and the last `back` ones, with `stars` between them.

    `mark`: a byte that must stand in the value once, with two bytes or more before it and one behind it: what is kept at the end
    begins there. -1: none.
    """

    __slots__ = ("back", "front", "least", "mark", "stars")

    def __init__(self, stars: bytes, front: int, back: int, least: int, mark: int) -> None:
        self.stars = stars
        self.front: i64 = front
        self.back: i64 = back
        self.least: i64 = least
        self.mark: i64 = mark

    def tail(self, buffer: bytes, start: i64, end: i64, special: i64) -> i64:
        """Where what is kept of the end begins; -1: the value is not plain, or too short.

        `special`: a byte that the format writes in a way of its own; -1: there is none.
        """
        length = end - start
        if length < self.least or length > _LONGEST or buffer[start] == _SPACE or buffer[end - 1] == _SPACE:
            return -1
        without: i64 = DELETE
        if special >= 0 and special < DELETE:  # beyond ASCII there is nothing
            without = special
        without *= ONES
        if self.mark < 0:
            if not printable_but(buffer, start, end, without, without):
                return -1
            return end - self.back
        marks: i64 = self.mark * ONES
        place = first_of(buffer, start, end, marks, marks, marks)
        if place < start + 2 or place >= end - 1 or special == self.mark:
            return -1
        if not printable_but(buffer, start, place, without, without):
            return -1
        if not printable_but(buffer, place + 1, end, without, marks):
            return -1
        return place


COMPILED: Final = type(Shortening.tail) is not FunctionType


def keeps_of(masker: Masker) -> tuple[bytes, int, int, int, int] | None:
    """The stars, how many bytes stay in front and at the end, of how many at least, and the mark; None: the masker says nothing."""
    keeps: tuple[bytes, int, int, int, int] | None = getattr(masker, "keeps", None)
    return keeps


def shortening_of(masker: Masker) -> Shortening | None:
    """None: the masker must be called. So it is where this is not compiled: it looks at each byte."""
    keeps = keeps_of(masker) if COMPILED else None
    return None if keeps is None else Shortening(*keeps)
