"""Maskers that keep the ends of a text and replace what is between: of a plain value, without a call and without taking it out.

A masker says so by its attribute `keeps`; what it says holds for plain values only, printable ASCII with no space at either end.
Whatever else a value is, it is the masker's.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Final, final

from protocols.base import Masker

if TYPE_CHECKING:
    from mypy_extensions import i64

_LONGEST: Final = 256  # bytes: what is longer is sooner looked at by what the masker itself has
_SPACE: Final = 32
_TILDE: Final = 126


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
        place: i64 = -1
        mark = self.mark
        at = start
        while at < end:
            byte: i64 = buffer[at]
            if byte < _SPACE or byte > _TILDE or byte == special:
                return -1
            if byte == mark:
                if place >= 0:
                    return -1
                place = at
            at += 1
        if mark < 0:
            return end - self.back
        return place if place >= start + 2 and place < end - 1 else -1


COMPILED: Final = type(Shortening.tail) is not FunctionType


def shortening_of(masker: Masker) -> Shortening | None:
    """None: the masker must be called. So it is where this is not compiled: it looks at each byte."""
    keeps: object = getattr(masker, "keeps", None)
    return Shortening(*keeps) if COMPILED and isinstance(keeps, tuple) else None
