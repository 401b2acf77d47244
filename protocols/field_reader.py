"""What the readers of COPY FROM STDIN and LOAD DATA LOCAL have in common: what they look for, and when.

The data goes on as it comes; a reader is fed copies of it, cut anywhere, and says where the first field stands that must not be
stored. The copy is then failed before its end, and nothing of it stays. A reader never fails one itself: what it cannot read, the
server refuses by its own error.

Fields are searched for a rough `hint` first, a whole stretch at once; rows are cut only where there is one. Memory is bounded by
`KEPT_BYTES`: of a longer field only parts are seen, which overlap.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

PART_BYTES: Final = 32 * 1024  # of new data, before it is looked at again: small pieces cost no more than large ones
KEPT_BYTES: Final = 64 * 1024  # of a row whose end has not come
OVERLAP_BYTES: Final = 512  # of a part of a long field and the one before it: no form that is found anywhere is longer


class ReadLimits(NamedTuple):
    part_bytes: int = PART_BYTES
    kept_bytes: int = KEPT_BYTES
    overlap_bytes: int = OVERLAP_BYTES


USUAL: Final = ReadLimits()


@dataclass(frozen=True, slots=True)
class FieldCheck:
    """What is looked for. Both functions say what they found, or None."""

    hint: re.Pattern[bytes]  # matches in every field that they say something of
    why: Callable[[bytes], str | None]  # of a field, as the value that it stands for
    why_part: Callable[[bytes], str | None]  # of a piece of a field that is too long to be kept


class Found(NamedTuple):
    """The first field that must not be stored."""

    row: int  # from 1; the header's line counts
    column: int  # from 0
    why: str


class FieldReader:
    """Gathers pieces until a look at them is worth it."""

    def __init__(self, check: FieldCheck, limits: ReadLimits) -> None:
        self._check = check
        self._limits = limits
        self._pieces: list[bytes] = []
        self._size = 0
        self._needed = limits.part_bytes
        self._over = False  # nothing that comes now is stored

    def feed(self, data: bytes) -> Found | None:
        if self._over:
            return None
        self._pieces.append(data)
        self._size += len(data)
        return self._look(False) if self._size >= self._needed else None

    def finish(self) -> Found | None:
        """At the end of the data."""
        return None if self._over else self._look(True)

    def _look(self, last: bool) -> Found | None:
        data = b"".join(self._pieces)
        self._pieces = []
        self._size = 0
        return self._read(data, last)

    def _read(self, data: bytes, last: bool) -> Found | None:
        """Read as far as possible; what is to be read again with what follows goes to `_keep`."""
        raise NotImplementedError

    def _keep(self, rest: bytes) -> None:
        self._pieces = [rest]
        self._size = len(rest)
        self._needed = len(rest) + self._limits.part_bytes

    def _stop(self) -> None:
        self._over = True
        self._pieces = []
        self._size = 0
