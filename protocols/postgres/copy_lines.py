"""The two formats of COPY whose rows are lines: text and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protocols.postgres.copy_rows import HEADER_BYTES, Change, CopyFormat, Plan, changes_of, end_of_frame
from protocols.postgres.rows import COMPILED, encode_header

if TYPE_CHECKING:
    from mypy_extensions import i64

LINE_END: Final = 10
BACKSLASH: Final = 92
_DOT: Final = 46


class LineCopy:
    """A run of messages with a row in each, as servers send them, goes by cell; anything else by `feed`, which takes any cut.

    Looking at each byte is the fastest way where this is compiled and by far the slowest where it is not: `_scans`.
    """

    def __init__(self, copy_format: CopyFormat, plan: Plan, maximum_row_bytes: int) -> None:
        self._scans = COMPILED
        self._columns = len(plan)
        self._delimiter = copy_format.delimiter
        self._null_sign = copy_format.null
        self._header = copy_format.header  # the next line is that of the names
        self._maximum = maximum_row_bytes
        self._changes: list[Change] = changes_of(plan, self._written)

    def rewrite(self, buffer: bytes, at: int) -> tuple[bytes, int]:
        """The messages that stand at `at` and behind it with their rows rewritten, and where the first other one begins."""
        out: list[bytes] = []
        while end := end_of_frame(buffer, at):
            start = at + HEADER_BYTES
            if not (self._scans and self._at_row() and self._scan(buffer, start, end, out)):
                data = self._message(buffer[start:end])
                if data:
                    out.append(encode_header(b"d", len(data) + 4))
                    out.append(data)
            at = end
        return b"".join(out), at

    def _scan(self, buffer: bytes, start: int, end: int, out: list[bytes]) -> bool:
        """Put the message and its one row, rewritten, into `out`; or nothing, where it is not one row of the right width."""
        at: i64 = start
        kept: i64 = start  # from here on what was read is still to be taken over
        last: i64 = end - 1
        if at > last or buffer[last] != LINE_END:
            return False
        if last - at == 2 and buffer[at] == BACKSLASH and buffer[at + 1] == _DOT:
            return False  # the end marker of old protocols
        header = len(out)
        out.append(b"")
        length: i64 = end - start + 4
        column: i64 = 0
        columns: i64 = self._columns
        fits = True
        for change in self._changes:
            place: i64 = change.place
            while column < place and fits:
                at = self._end_of_cell(buffer, at, last) + 1
                fits = 0 < at <= last
                column += 1
            until: i64 = self._end_of_cell(buffer, at, last) if fits else -1
            if until < 0:
                fits = False
                break
            cell = buffer[at:until]
            new = self._changed(change, cell)
            if new is not cell:
                out.append(buffer[kept:at])
                out.append(new)
                length += len(new) - (until - at)
                kept = until
            at = until
            column += 1
            if column < columns:
                at += 1
                fits = at <= last
        while column < columns and fits:
            at = self._end_of_cell(buffer, at, last)
            column += 1
            if column < columns:
                at += 1
                fits = 0 < at <= last
        if not fits or at != last:
            del out[header:]
            return False
        out.append(buffer[kept:end])
        out[header] = encode_header(b"d", length)
        return True

    def _changed(self, change: Change, cell: bytes) -> bytes:
        """What stands in a cell's place; the very same object where that is the cell itself."""
        null = cell == self._null_sign
        constant = change.constant
        if constant is not None:
            return cell if null and change.keeps_null else constant
        return self._written(change.rewriter(None if null else self._value(cell)))

    def _at_row(self) -> bool:
        """Whether the next byte is the first of a row."""
        raise NotImplementedError

    def _end_of_cell(self, buffer: bytes, at: i64, last: i64) -> i64:
        """Where the cell that begins at `at` ends: a delimiter, or `last`, the line's end. -1: it is none, or no line."""
        raise NotImplementedError

    def _message(self, data: bytes) -> bytes:
        """The rewritten rows that the body of a message completes."""
        raise NotImplementedError

    def _value(self, cell: bytes) -> bytes:
        raise NotImplementedError

    def _written(self, value: bytes | None) -> bytes:
        raise NotImplementedError
