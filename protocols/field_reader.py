"""What the readers of COPY FROM STDIN and LOAD DATA LOCAL have in common: what they look for, and when.

The data goes on as it comes; a reader is fed copies of it, cut anywhere, and says where the first field stands that must not be
stored. The copy is then failed before its end, and nothing of it stays. A reader never fails one itself: what it cannot read, the
server refuses by its own error.

Fields are searched for a rough `hint` first, a whole stretch at once; rows are cut only where there is one, or an escape that may
hide one. Memory is bounded by `KEPT_BYTES`: of a longer field only parts are seen, which overlap.
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


class RowReader(FieldReader):
    """Rows of fields that end with signs of their own, as text and CSV have them.

    The data is cut by patterns alone: `cell` matches a field, `row` a whole row with its end.
    """

    def __init__(self, check: FieldCheck, limits: ReadLimits, cell: bytes, row: bytes, hinted: bool) -> None:
        """`hinted`: no sign of the format but its escape stands within what the hint looks for."""
        super().__init__(check, limits)
        self._hinted = hinted
        self._row = 1
        self._column = 0
        self._long = False  # the field that is read began in what is not kept
        self._cell = re.compile(cell, re.DOTALL)
        self._one = re.compile(row, re.DOTALL)
        self._rows = re.compile(rb"(?:%s)*+" % row, re.DOTALL)
        self._escape = b""
        self._unhidden: re.Pattern[bytes] | None = None

    def _usual(self, escape: bytes, letters: bytes, nothing: bytes, bounds: bytes) -> None:
        """Escapes that hide nothing: of these letters, and `nothing` where it stands alone between `bounds`."""
        sign = re.escape(escape)
        alone = rb"(?<![^%s])%s(?=[%s])" % (bounds, re.escape(nothing), bounds)
        usual = rb"[^%s]*+(?:(?:%s[%s%s]|%s)[^%s]*+)*+" % (sign, sign, sign, letters, alone, sign)
        self._escape = escape
        self._unhidden = re.compile(usual, re.DOTALL)

    def _read(self, data: bytes, last: bool) -> Found | None:
        at = self._begin(data)
        if at < 0:
            return None
        if self._column or self._long:
            found, at = self._cells(data, at, last)
            if found is not None or at < 0:
                return found
        whole = self._rows.match(data, at)
        end = whole.end() if whole is not None else at
        found = self._whole_rows(data, at, end)
        if found is not None:
            return found
        if last:
            return self._cells(data, end, True)[0]
        if len(data) - end <= self._limits.kept_bytes:
            self._keep(data[end:])
            return None
        return self._cells(data, end, False)[0]

    def _whole_rows(self, data: bytes, at: int, end: int) -> Found | None:
        if not self._worth(data, at, end):
            self._count(data, at, end)
            return None
        while at < end:
            row = self._one.match(data, at)
            assert row is not None
            until = row.end()
            if self._worth(data, at, until):
                found, _ = self._cells(data, at, False)
                if found is not None:
                    return found
            else:
                self._count(data, at, until)
            at = until
        return None

    def _worth(self, data: bytes, at: int, end: int) -> bool:
        """Whether a field in there may be one that is looked for."""
        if not self._hinted or self._check.hint.search(data, at, end) is not None:
            return True
        if self._unhidden is None or data.find(self._escape, at, end) < 0:
            return False
        unhidden = self._unhidden.match(data, at, end)
        if unhidden is not None and unhidden.end() == end:
            return False
        return self._check.hint.search(self._part(data[at:end])) is not None

    def _cells(self, data: bytes, at: int, last: bool) -> tuple[Found | None, int]:
        """Read the row that goes on at `at`, field by field, and give where the next begins; -1: its end has not come."""
        start = at
        while True:
            match = self._cell.match(data, at)
            if match is None:
                break  # inside of quotes that end with the data
            end = match.end()
            field_end, row_end = self._field_end(data, end), self._row_end(data, end)
            if not (field_end or row_end):
                break  # it ends with the data, or inside of quotes or an escape that do
            why = self._why(data[at:end])
            if why is not None:
                return Found(self._row, self._column, why), end
            self._long = False
            at = end + (field_end or row_end)
            if not field_end:
                self._column = 0
                self._count(data, start, at)
                return None, at
            self._column += 1
        if last:
            why = self._why(data[at:])
            return (None if why is None else Found(self._row, self._column, why)), -1
        self._count(data, start, at)
        return self._pass_on(data[at:]), -1

    def _pass_on(self, rest: bytes) -> Found | None:
        """Keep the beginning of a field, or look at it and keep its end alone."""
        if len(rest) <= self._limits.kept_bytes:
            self._keep(rest)
            return None
        why = self._check.why_part(self._part(rest))
        if why is not None:
            return Found(self._row, self._column, why)
        kept, dropped = self._remains(rest)
        self._long = True
        self._count(rest, 0, dropped)
        self._keep(kept)
        return None

    def _why(self, cell: bytes) -> str | None:
        if self._long:
            return self._check.why_part(self._part(cell))
        value = self._value(cell)
        if value is None or (self._hinted and self._check.hint.search(value) is None):
            return None
        return self._check.why(value)

    def _begin(self, data: bytes) -> int:
        """Where in `data` the first byte stands of what is stored; -1: that has not come, and what is kept of it is."""
        raise NotImplementedError

    def _field_end(self, data: bytes, at: int) -> int:
        """The length of what ends a field at `at`, but not its row."""
        raise NotImplementedError

    def _row_end(self, data: bytes, at: int) -> int:
        """The length of what ends a row at `at`."""
        raise NotImplementedError

    def _count(self, data: bytes, at: int, end: int) -> None:
        """Count the rows or lines that end in there."""
        raise NotImplementedError

    def _value(self, cell: bytes) -> bytes | None:
        """What a field stands for. None: NULL, or the column's default."""
        raise NotImplementedError

    def _part(self, piece: bytes) -> bytes:
        """The same of a piece of one or several, in which quotes may be left: what its escapes stand for."""
        return piece

    def _remains(self, rest: bytes) -> tuple[bytes, int]:
        """What stands for `rest`, the beginning of a long field, so that it can be read on, and how much of `rest` is done with."""
        raise NotImplementedError


def run_length(data: bytes, end: int, sign: bytes) -> int:
    """How many of `sign` stand one behind the other up to `end`."""
    return end - len(data[:end].rstrip(sign))
