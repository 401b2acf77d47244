"""The two formats of COPY whose rows are lines: text and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protocols.postgres.copy_rows import HEADER_BYTES, Change, CopyFormat, Plan, changes_of, end_of_frame
from protocols.postgres.rows import COMPILED, HEADERS, SHORT, encode_header, int32

if TYPE_CHECKING:
    from mypy_extensions import i64

LINE_END: Final = 10
BACKSLASH: Final = 92
_DOT: Final = 46
_COPY_DATA: Final = ord("d")
_HEADERS: Final = HEADERS[b"d"]
_LATER: Final = b"later"  # stands, itself, where the cell will


def put_header(out: list[bytes], header: i64, end: i64) -> None:
    """Of the message whose parts stand behind it."""
    length: i64 = 4
    at = header + 1
    while at < end:
        length += len(out[at])
        at += 1
    out[header] = _HEADERS[length] if length < SHORT else encode_header(b"d", length)


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
        self._quoting: i64 = -1  # with which a cell begins that is not its value
        self._escaping: i64 = -1  # a byte that is written in a way of its own
        self.searched = False
        self.outside: bytes | None = None
        self._out: list[bytes] = []  # what was given last, in parts: header and contents of each message,
        self._scanned: list[tuple[int, int]] = []  # but in these stretches, rows as `_scan` puts them
        self._owned: list[
            list[tuple[int, int]]
        ] = []  # where in the contents of each message the cells are that were made here
        self._own: list[tuple[int, int]] = []  # of the message that is being made, of which there are
        self._given = 0  # so many bytes

    def rewrite(self, buffer: bytes, at: int) -> tuple[bytes, int]:
        """The messages that stand at `at` and behind it with their rows rewritten, and where the first other one begins."""
        out: list[bytes] = []
        scanned: list[tuple[int, int]] = []
        owned: list[list[tuple[int, int]]] = []
        for change in self._changes:
            change.values = []
        while True:
            if self._scans and self._at_row():
                first = len(out)
                at = self._scan(buffer, at, out)
                scanned.append((first, len(out)))
            end = end_of_frame(buffer, at)
            if not end:
                break
            self._own, self._given = [], 0
            data = self._message(buffer[at + HEADER_BYTES : end])
            if data:
                out.append(encode_header(b"d", len(data) + 4))
                out.append(data)
                owned.append(self._own)
            at = end
        if self.searched:
            self._out, self._scanned, self._owned = out, scanned, owned
            self.outside = b"".join(out) if self._later else None
        if self._later:
            self._fill(out, scanned)
        return b"".join(out), at

    def places(self, new: bytes, columns: tuple[bool, ...] | None) -> list[tuple[int, int]]:  # noqa: ARG002
        """The contents of each message, without the cells that were made here."""
        places: list[tuple[int, int]] = []
        owned = iter(self._owned)
        at = number = 0
        for first, last in [*self._scanned, (len(self._out), 0)]:
            while number < first:
                start = begin = at + HEADER_BYTES
                for low, high in next(owned):
                    places.append((start, begin + low))
                    start = begin + high
                at = begin + len(self._out[number + 1])
                places.append((start, at))
                number += 2
            while number < last:
                start = at = at + HEADER_BYTES
                number += 1
                for change in self._changes:
                    at += len(self._out[number])
                    if change.own:
                        places.append((start, at))
                        start = at + len(self._out[number + 1])
                    at += len(self._out[number + 1])
                    number += 2
                at += len(self._out[number])
                places.append((start, at))
                number += 1
        return places

    def _scan(self, buffer: bytes, start: int, out: list[bytes]) -> int:
        """Put the messages from `start` on that are a row each, rewritten, into `out`. Gives where the first other one begins.

        Of each row: its header, for each change what is before the cell and what takes its place, the rest.
        """
        begin: i64 = start
        size: i64 = len(buffer)
        columns: i64 = self._columns
        changes = self._changes
        later = self._later
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
            for change in changes:
                place: i64 = change.place
                at = self._skip(buffer, at, last, place - column)
                until: i64 = self._end_of_cell(buffer, at, last) if 0 <= at <= last else -1
                if until < 0:
                    at = -1
                    break
                kept = self._cell(change, buffer, kept, at, until, out)
                at = until + 1
                column = place + 1
            if at >= 0 and column < columns:  # behind the delimiter of the last changed cell
                at = self._skip(buffer, at, last, columns - 1 - column)
                until = self._end_of_cell(buffer, at, last) if 0 <= at <= last else -1
                at = until + 1
            if at != end:
                self._take_back(out, header)
                break
            out.append(buffer[kept:end])
            if not later:
                put_header(out, header, len(out))
            begin = end
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
        if shortening is not None and not null and buffer[at] != self._quoting:
            tail = shortening.tail(buffer, at, until, self._escaping)
            if tail >= 0:
                out.append(buffer[kept : at + shortening.front])
                out.append(shortening.stars)
                return tail
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

    def _fill(self, out: list[bytes], scanned: list[tuple[int, int]]) -> None:
        """The values that were put aside, masked together; then the headers of the rows in these stretches."""
        width: i64 = 2 + 2 * len(self._changes)
        cell: i64 = 0
        for change in self._changes:
            cell += 2
            if change.many is None:
                continue
            new = change.many(change.values)
            if len(new) != len(change.values):
                raise AssertionError("a masker gave another number of values than it got")
            change.values = []
            taken: i64 = 0
            for first, last in scanned:
                at: i64 = first + cell
                size: i64 = last
                while at < size:
                    if out[at] is _LATER:
                        out[at] = self._written(new[taken])
                        taken += 1
                    at += width
        for first, last in scanned:
            header: i64 = first
            while header < last:
                put_header(out, header, header + width)
                header += width

    def _joined(self, fields: list[bytes]) -> bytes:
        """The row of these fields, as they are written, with those that change changed."""
        at = self._given
        place = 0
        for change in self._changes:
            cell = fields[change.place] = self._changed(change, fields[change.place])
            if self.searched:
                at += sum([len(field) + 1 for field in fields[place : change.place]])
                if change.own:
                    self._own.append((at, at + len(cell)))
                at += len(cell) + 1
                place = change.place + 1
        fields[-1] += b"\n"
        return self._passed(self._delimiter.join(fields))

    def _passed(self, row: bytes) -> bytes:
        self._given += len(row)
        return row

    def _changed(self, change: Change, cell: bytes) -> bytes:
        """What stands in a cell's place."""
        null = cell == self._null_sign
        constant = change.constant
        if constant is not None:
            return cell if null and change.keeps_null else constant
        return self._written(change.rewriter(None if null else self._value(cell)))

    def _shorten_but(self, special: bytes) -> None:
        """Where stars are no plain text of the format, or may become the sign of NULL, the maskers are called."""
        for change in self._changes:
            keeps = change.shortening
            if keeps is not None and (keeps.stars in self._null_sign or any(byte in special for byte in keeps.stars)):
                change.shortening = None

    def _skip(self, buffer: bytes, at: i64, last: i64, cells: i64) -> i64:
        """Where the cell behind so many begins; -1: the line has no such."""
        while cells > 0 and 0 <= at <= last:
            at = self._end_of_cell(buffer, at, last)
            if at >= 0:
                at += 1
            cells -= 1
        return at if at <= last else -1

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
