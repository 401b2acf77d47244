"""What a detector finds is overwritten in place: as many bytes, so that frames, fields and their lengths stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from protocols.base import Fields


class Found(Protocol):
    """A place in the data, and as many bytes to stand there."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def new(self) -> bytes: ...


class Detector(Protocol):
    @property
    def overlap(self) -> int:
        """No finding is longer."""

    def suspects(self, data: bytes, start: int, end: int) -> Sequence[tuple[int, int]]:
        """Spans in order. Whatever `find` finds in a value that stands in the data overlaps one of them."""

    def find(self, value: bytes) -> Sequence[Found]:
        """In order, none overlapping another."""


def hidden(
    data: bytes,
    start: int,
    end: int,
    places: Iterable[tuple[int, int]],
    suspects: Sequence[tuple[int, int]],
    detector: Detector,
) -> tuple[bytes, dict[str, int]] | None:
    """The data from `start` to `end` without what is found in the values at `places`, and how much of what; None: nothing.

    `places` and `suspects` are in order: only what overlaps a suspect is looked at.
    """
    new: bytearray | None = None
    counts: dict[str, int] = {}
    which = 0
    for low, high in places:
        while which < len(suspects) and suspects[which][1] <= low:
            which += 1
        if which == len(suspects):
            break
        if suspects[which][0] >= high:
            continue
        for each in detector.find(data[low:high]):
            if new is None:
                new = bytearray(data[start:end])
            new[low - start + each.start : low - start + each.end] = each.new
            counts[each.name] = counts.get(each.name, 0) + 1
    return None if new is None else (bytes(new), counts)


def cleaned(fields: Fields, detector: Detector) -> tuple[Fields, dict[str, int]] | None:
    """The fields of an error without what is found in them, and how much of what that is; None: nothing."""
    new: dict[str, bytes] = {}
    counts: dict[str, int] = {}
    for code, value in fields.items():
        for each in detector.find(value):
            value = value[: each.start] + each.new + value[each.end :]
            counts[each.name] = counts.get(each.name, 0) + 1
            new[code] = value
    return ({**fields, **new}, counts) if new else None
