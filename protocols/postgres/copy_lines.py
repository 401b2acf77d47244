"""The two formats of COPY whose rows are lines: text and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protocols.postgres.copy_rows import HEADER_BYTES, Change, CopyFormat, Plan, changes_of, end_of_frame
from protocols.postgres.rows import COMPILED, encode_header, int32

if TYPE_CHECKING:
    from mypy_extensions import i64

LINE_END: Final = 10
BACKSLASH: Final = 92
_DOT: Final = 46
_COPY_DATA: Final = ord("d")
_LATER: Final = b"later"  # stands, itself, where the cell will


class LineCopy:
    """A run of messages with a row in each, as servers send them, goes by cell; anything else by `feed`, which takes any cut.

    Looking at each byte is the fastest way where this is compiled and by far the slowest where it is not: `_scans`.
    """

    def __init__(self, copy_format: CopyFormat, plan: Plan, maximum_row_bytes: int) -> None:
        self._scans = COMPILED
        self._columns = len(plan)
        self._delimiter = copy_format.delimiter
        self._null_sign = copy_format.null
        self._null_size: i64 = len(copy_format.null)
        self._header = copy_format.header  # the next line is that of the names
        self._maximum = maximum_row_bytes
        self._changes: list[Change] = changes_of(plan, self._written)
        self._later = any(change.many is not None for change in self._changes)
        self._escaping: i64 = BACKSLASH  # a byte that is written in a way of its own
        self._quotes = b""  # stands around a shortened value

    def rewrite(self, buffer: bytes, at: int) -> tuple[bytes, int]:
        """The messages that stand at `at` and behind it with their rows rewritten, and where the first other one begins."""
        out: list[bytes] = []
        while True:
            if self._scans and self._at_row():
                at = self._scan(buffer, at, out)
            end = end_of_frame(buffer, at)
            if not end:
                return b"".join(out), at
            data = self._message(buffer[at + HEADER_BYTES : end])
            if data:
                out.append(encode_header(b"d", len(data) + 4))
                out.append(data)
            at = end

    def _scan(self, buffer: bytes, start: int, out: list[bytes]) -> int:
        """Put the messages from `start` on that are a row each, rewritten, into `out`. Gives where the first other one begins.

        Of each row: its header, for each change what is before the cell and what takes its place, the rest.
        """
        begin: i64 = start
        size: i64 = len(buffer)
        columns: i64 = self._columns
        changes = self._changes
        later = self._later
        first = len(out)
        for change in changes:
            change.values = []
        while size - begin >= HEADER_BYTES and buffer[begin] == _COPY_DATA:
            length: i64 = buffer[begin + 4]
            if buffer[begin + 3] or buffer[begin + 2] or buffer[begin + 1]:
                length = int32(buffer, begin + 1)
            end = begin + 1 + length
            at = begin + HEADER_BYTES
            last = end - 1
            if length < 5 or end > size or buffer[last] != LINE_END:
                break
            if last - at == 2 and buffer[at] == BACKSLASH and buffer[at + 1] == _DOT:
                break  # the end marker of old protocols
            kept = at  # from here on what was read is still to be taken over
            header = len(out)
            out.append(b"")
            column: i64 = 0
            fits = True
            for change in changes:
                place: i64 = change.place
                while column < place and fits:
                    at = self._end_of_cell(buffer, at, last) + 1
                    fits = 0 < at <= last
                    column += 1
                until: i64 = self._end_of_cell(buffer, at, last) if fits else -1
                if until < 0:
                    fits = False
                    break
                kept = self._cell(change, buffer, kept, at, until, out)
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
                self._take_back(out, header)
                break
            out.append(buffer[kept:end])
            if not later:
                self._head(out, header, len(out))
            begin = end
        if later:
            self._fill(out, first)
        return begin

    def _cell(self, change: Change, buffer: bytes, kept: i64, at: i64, until: i64, out: list[bytes]) -> i64:
        """Put what is between `kept` and a cell, and what takes the cell's place, into `out`. Gives where taking over goes on."""
        null = until - at == self._null_size and (at == until or buffer[at:until] == self._null_sign)
        constant = change.constant
        if null and (change.keeps_null if constant is not None else change.many is not None):
            out.append(buffer[kept:until])
            out.append(b"")
            return until
        if constant is not None:
            out.append(buffer[kept:at])
            out.append(constant)
            return until
        shortening = change.shortening
        quotes = self._quotes
        if shortening is not None and not null and (not quotes or buffer[at] != quotes[0]):
            tail = shortening.tail(buffer, at, until, self._escaping)
            if tail >= 0:
                front = at + shortening.front
                if not quotes:
                    out.append(buffer[kept:front])
                    out.append(shortening.stars)
                    return tail
                out.append(buffer[kept:at])
                out.append(quotes)
                out.append(buffer[at:front])
                out.append(shortening.stars)
                out.append(buffer[tail:until])
                out.append(quotes)
                return until
        out.append(buffer[kept:at])
        if change.many is not None:
            change.values.append(self._value(buffer[at:until]))
            out.append(_LATER)
        else:
            out.append(self._written(change.rewriter(None if null else self._value(buffer[at:until]))))
        return until

    def _take_back(self, out: list[bytes], header: i64) -> None:
        """A row that turned out to be none."""
        for number, change in enumerate(self._changes):
            place = header + 2 + 2 * number
            if self._later and place < len(out) and out[place] is _LATER:
                change.values.pop()
        del out[header:]

    def _fill(self, out: list[bytes], first: i64) -> None:
        """The values that were put aside, masked together; then the headers of the rows, the first of which is at `first`."""
        width: i64 = 2 + 2 * len(self._changes)
        size: i64 = len(out)
        cell = first
        for change in self._changes:
            cell += 2
            if change.many is None:
                continue
            new = change.many(change.values)
            if len(new) != len(change.values):
                raise AssertionError("a masker gave another number of values than it got")
            change.values = []
            taken: i64 = 0
            at = cell
            while at < size:
                if out[at] is _LATER:
                    out[at] = self._written(new[taken])
                    taken += 1
                at += width
        header = first
        while header < size:
            self._head(out, header, header + width)
            header += width

    def _head(self, out: list[bytes], header: i64, end: i64) -> None:
        length: i64 = 4
        at = header + 1
        while at < end:
            length += len(out[at])
            at += 1
        out[header] = encode_header(b"d", length)

    def _changed(self, change: Change, cell: bytes) -> bytes:
        """What stands in a cell's place."""
        null = cell == self._null_sign
        constant = change.constant
        if constant is not None:
            return cell if null and change.keeps_null else constant
        return self._written(change.rewriter(None if null else self._value(cell)))

    def _shorten_only(self, refused: bytes) -> None:
        """Where values are masked together, or the stars are no plain text of the format, the maskers are called."""
        for change in self._changes:
            if change.shortening is not None and (
                self._later or any(byte in refused for byte in change.shortening.stars)
            ):
                change.shortening = None

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
