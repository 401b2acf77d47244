"""The two formats of COPY whose rows are lines: text and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from librt.strings import BytesWriter, read_i64_le, write_i32_be, write_i64_le

from protocols.postgres.copy_rows import HEADER_BYTES, Change, CopyFormat, Plan, changes_of, end_of_frame
from protocols.postgres.rows import COMPILED, int32, put_length, write_between

if TYPE_CHECKING:
    from mypy_extensions import i64

LINE_END: Final = 10
BACKSLASH: Final = 92
_DOT: Final = 46
_COPY_DATA: Final = ord("d")


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
        self._apart = all(change.own or change.keeps for change in self._changes)
        self._owns = [change.own for change in self._changes]
        self._quoting: i64 = -1  # with which a cell begins that is not its value
        self._escaping: i64 = -1  # a byte that is written in a way of its own
        self.searched = False
        self.outside: bytes | None = None
        # where in what is given the cells stand that were made here: for each, its first byte and the one behind it
        self._own = BytesWriter()
        self._given: i64 = 0  # where the row stands that is made next

    def rewrite(self, buffer: bytes, at: int) -> tuple[bytes, int]:
        """The messages that stand at `at` and behind it with their rows rewritten, and where the first other one begins."""
        out = BytesWriter()
        between = BytesWriter()
        apart = self.searched and self._later and self._apart
        self._own = BytesWriter()
        while True:
            if self._scans and self._at_row():
                spans = BytesWriter()
                begin = at
                at = self._find(buffer, begin, spans)
                found = spans.getvalue()
                if apart:
                    write_between(buffer, begin, at, found, self._owns, between)
                if self._later:
                    self._gather(buffer, found)
                    for change in self._changes:
                        change.mask_all()
                self._write(buffer, begin, at, found, out)
            end = end_of_frame(buffer, at)
            if not end:
                break
            self._given = len(out) + HEADER_BYTES
            data = self._message(buffer[at + HEADER_BYTES : end])
            if data:
                apart = False
                length: int = len(data) + 4
                out.append(_COPY_DATA)
                write_i32_be(out, length)
                out.write(data)
            at = end
        self.outside = between.getvalue() if apart else None
        return out.getvalue(), at

    def places(self, new: bytes, columns: tuple[bool, ...] | None) -> list[tuple[int, int]]:  # noqa: ARG002
        """The contents of each message, without the cells that were made here."""
        places: list[tuple[int, int]] = []
        own = self._own.getvalue()
        number: i64 = 0
        at: i64 = 0
        while end := end_of_frame(new, at):
            at += HEADER_BYTES
            while number < len(own) and read_i64_le(own, number) < end:
                first: int = at
                last: int = read_i64_le(own, number)
                places.append((first, last))
                at = read_i64_le(own, number + 8)
                number += 16
            first = at
            places.append((first, end))
            at = end
        return places

    def _find(self, buffer: bytes, start: i64, spans: BytesWriter) -> i64:
        """Over the messages from `start` on that are a row each: where the first other one begins.

        `spans`: of each row, where its message begins, and of each cell that changes where it begins and ends; 0 for the end of a
        NULL that stays one.
        """
        begin = start
        limit: i64 = len(buffer)
        columns: i64 = self._columns
        null_size = self._null_size
        changes = self._changes
        while limit - begin >= HEADER_BYTES and buffer[begin] == _COPY_DATA:
            length: i64 = buffer[begin + 4]
            if buffer[begin + 3] or buffer[begin + 2] or buffer[begin + 1]:
                length = int32(buffer, begin + 1)
            end = begin + 1 + length
            at = begin + HEADER_BYTES
            last = end - 1
            if length < 5 or end > limit or buffer[last] != LINE_END:
                break
            if last - at == 2 and buffer[at] == BACKSLASH and buffer[at + 1] == _DOT:
                break  # the end marker of old protocols
            noted = len(spans)
            write_i64_le(spans, begin)
            column: i64 = 0
            for change in changes:
                place: i64 = change.place
                at = self._skip(buffer, at, last, place - column)
                until: i64 = -1
                if 0 <= at <= last:
                    until = self._end_of_cell(buffer, at, last)
                if until < 0:
                    at = -1
                    break
                column = place + 1
                write_i64_le(spans, at)
                if change.passes_null and until - at == null_size and buffer[at:until] == self._null_sign:
                    write_i64_le(spans, 0)
                else:
                    write_i64_le(spans, until)
                at = until + 1
            if at >= 0 and column < columns:  # behind the delimiter of the last changed cell
                at = self._skip(buffer, at, last, columns - 1 - column)
                until = -1
                if 0 <= at <= last:
                    until = self._end_of_cell(buffer, at, last)
                at = until + 1
            if at != end:  # a row that turned out to be none
                spans.truncate(noted)
                break
            begin = end
        return begin

    def _gather(self, buffer: bytes, spans: bytes) -> None:
        """The values that are masked many at once."""
        size: i64 = len(spans)
        stride: i64 = 8 + 16 * len(self._changes)
        first: i64 = 8
        for change in self._changes:
            if change.many is not None:
                values: list[bytes] = []
                at = first
                while at < size:
                    until = read_i64_le(spans, at + 8)
                    if until:
                        values.append(self._value(buffer[read_i64_le(spans, at) : until]))
                    at += stride
                change.values = values
            first += 16

    def _write(self, buffer: bytes, start: i64, end: i64, spans: bytes, out: BytesWriter) -> None:
        """The messages with the cells that change replaced, and their lengths where they became others."""
        kept = start  # from here on what was read is still to be taken over
        changes = self._changes
        notes = self.searched
        size: i64 = len(spans)
        place: i64 = 0
        while place < size:
            begin = read_i64_le(spans, place)
            place += 8
            place_of_length = len(out) + begin + 1 - kept
            grown: i64 = 0
            for change in changes:
                cell = read_i64_le(spans, place)
                until = read_i64_le(spans, place + 8)
                place += 16
                if not until:
                    continue
                constant = change.constant
                if constant is not None:
                    new = constant
                elif change.many is not None:
                    new = self._written(change.next())
                else:
                    null = until - cell == self._null_size and buffer[cell:until] == self._null_sign
                    shortening = change.shortening
                    if shortening is not None and not null and buffer[cell] != self._quoting:
                        tail = shortening.tail(buffer, cell, until, self._escaping)
                        if tail >= 0:
                            out.write(buffer[kept : cell + shortening.front])
                            out.write(shortening.stars)
                            grown += shortening.front + len(shortening.stars) + cell - tail
                            kept = tail
                            continue
                    new = self._written(change.rewriter(None if null else self._value(buffer[cell:until])))
                out.write(buffer[kept:cell])
                if notes and change.own:
                    write_i64_le(self._own, len(out))
                    write_i64_le(self._own, len(out) + len(new))
                out.write(new)
                grown += len(new) + cell - until
                kept = until
            if grown:
                put_length(out, place_of_length, int32(buffer, begin + 1) + grown)
        out.write(buffer[kept:end])

    def _joined(self, fields: list[bytes]) -> bytes:
        """The row of these fields, as they are written, with those that change changed."""
        at = self._given
        place = 0
        for change in self._changes:
            cell = fields[change.place] = self._changed(change, fields[change.place])
            if self.searched:
                for field in fields[place : change.place]:
                    at += len(field) + 1
                self._made(change, at, cell)
                at += len(cell) + 1
                place = change.place + 1
        fields[-1] += b"\n"
        return self._passed(self._delimiter.join(fields))

    def _made(self, change: Change, at: i64, cell: bytes) -> None:
        if change.own and self.searched:
            write_i64_le(self._own, at)
            write_i64_le(self._own, at + len(cell))

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
        if at > last:
            return -1
        return at

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
