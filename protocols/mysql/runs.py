"""Rows on their way to the client, a whole read at a time. Compiled where it can be: each loop runs once for a row.

A run is packets that are each one row, whole and in order. It ends at whatever is anything else, and at a row that is not its
fields: `backend` takes that packet by itself, with the functions of `rows`, and says what is wrong with it. So what stands here
need only be right about rows that are. Text and binary are two code paths, as they are there.

Spec: MySQL, "Text Resultset Row", "Binary Protocol Resultset Row".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from protocols.base import Masker, ProtocolError, RowPlan, constant_of, looked_at, many_of, own_of
from protocols.mysql.messages import EOF, ERR, MySqlColumn
from protocols.mysql.packets import FULL_PAYLOAD, HEADER_BYTES, encode_lenenc
from protocols.mysql.rows import encode_binary
from protocols.mysql.values import DATES, NULL_TYPE, STRINGS, TIME, WIDTHS
from protocols.shortening import keeps_of, shortening_of

if TYPE_CHECKING:
    from mypy_extensions import i64

_NULL: Final = 0xFB
_NULL_FIELD: Final = b"\xfb"
_SEQUENCES: Final = [bytes((number,)) for number in range(256)]
_SHORT: Final = 2048  # lengths below this are taken from a table
_LENGTHS: Final = [length.to_bytes(3, "little") for length in range(_SHORT)]
# of a binary value, where it is no number of bytes
_STRING: Final = -1
_DATE: Final = -2
_TIME: Final = -3
_UNKNOWN: Final = -4
_LONGEST_LATER: Final = 8 * 1024 * 1024  # of a row that is masked with others: whatever it becomes is one packet


def end_of_row(buffer: bytes, at: i64, sequence: i64) -> i64:
    """Where the packet that stands at `at` ends; 0 when it is not one whole row with that number."""
    size: i64 = len(buffer)
    if size - at <= HEADER_BYTES:
        return 0
    low: i64 = buffer[at]
    middle: i64 = buffer[at + 1]
    high: i64 = buffer[at + 2]
    length = low | middle << 8 | high << 16
    end = at + HEADER_BYTES + length
    first: i64 = buffer[at + HEADER_BYTES]
    number: i64 = buffer[at + 3]
    if not length or length == FULL_PAYLOAD or end > size or first == ERR or first == EOF or number != sequence & 0xFF:
        return 0
    return end


def end_of_run(buffer: bytes, start: int, sequence: int) -> tuple[int, int]:
    """Where the run that starts here ends, and how many rows it has."""
    at: i64 = start
    number: i64 = sequence
    rows: i64 = 0
    while end := end_of_row(buffer, at, number + rows):
        at = end
        rows += 1
    return at, rows


def renumbered(run: bytes, sequence: int) -> bytes:
    """Whole packets one behind the other, under numbers from this one on."""
    new = bytearray(run)
    size: i64 = len(run)
    number: i64 = sequence
    at: i64 = 0
    while at < size:
        low: i64 = run[at]
        middle: i64 = run[at + 1]
        high: i64 = run[at + 2]
        new[at + 3] = number & 0xFF
        number += 1
        at += HEADER_BYTES + (low | middle << 8 | high << 16)
    return bytes(new)


def prefix_bytes(first: i64) -> i64:
    """How many bytes a length takes that begins with this one; 0: none does."""
    if first < _NULL:
        return 1
    if first == 0xFC:
        return 3
    if first == 0xFD:
        return 4
    if first == 0xFE:
        return 9
    return 0


def end_of_string(buffer: bytes, at: i64, end: i64) -> i64:
    """Where a string with its length in front ends; -1 when that is not within `end`."""
    if at >= end:
        return -1
    length: i64 = buffer[at]
    prefix = prefix_bytes(length)
    if not prefix or at + prefix > end:
        return -1
    if prefix > 1:
        length = 0
        for place in range(prefix - 1, 0, -1):
            byte: i64 = buffer[at + place]
            length = length << 8 | byte
    until = at + prefix + length
    if length < 0 or until > end:
        return -1
    return until


class Masked:
    """A column that is masked, and what takes the place of its fields."""

    def __init__(self, gap: int, index: int, masker: Masker) -> None:
        self.gap = gap  # how many columns that are not stand between it and the masked one before
        self.index = index
        self.masker = masker
        self.constant: bytes | None = None  # as a field, where it is the same for every row
        self.always_null = False
        self.keeps_null = False
        self.many = many_of(masker)
        self.shortening = shortening_of(masker)
        self.values: list[bytes] = []  # of a run, for `many`

    def tail(self, buffer: bytes, start: i64, end: i64) -> i64:
        """Where what is kept of the end of a value begins, which `head` goes in front of; -1: the masker is to be asked."""
        shortening = self.shortening
        if shortening is None:
            return -1
        tail = shortening.tail(buffer, start, end, -1)
        # one that grows might no longer fit into the column
        if tail < 0 or shortening.front + len(shortening.stars) > tail - start or end - start >= _NULL:
            return -1
        return tail

    def head(self, buffer: bytes, start: i64, end: i64, tail: i64) -> bytes:
        """Of the shortened value's field, what stands before the kept end."""
        shortening = self.shortening
        assert shortening is not None
        length = shortening.front + len(shortening.stars) + end - tail
        return _SEQUENCES[length] + buffer[start : start + shortening.front] + shortening.stars


class Gap:
    """A field that is masked with those of other rows, by its place among the parts. `head`: that of the row's bitmap of NULLs."""

    __slots__ = ("at", "each", "head")

    def __init__(self, each: Masked, at: int, head: int) -> None:
        self.each = each
        self.at = at
        self.head = head


def masked_columns(plan: RowPlan) -> tuple[list[Masked], int]:
    """And how many columns stand behind the last of them."""
    found: list[Masked] = []
    gap = 0
    for index, masker in enumerate(plan):
        if masker is None:
            gap += 1
        else:
            found.append(Masked(gap, index, masker))
            gap = 0
    return found, gap


class Run:
    """Rewrites runs of rows, for one plan."""

    def __init__(self, plan: RowPlan) -> None:
        self.plan = plan
        self._masked, self._rest = masked_columns(plan)
        self._gaps: list[Gap] = []
        self._later = any(each.many is not None for each in self._masked)
        self.looked_at = looked_at(plan)
        self.searched = False  # a detector looks at what `rewrite` gives: it keeps,
        self.outside: bytes | None = None  # of what it gave last, all but what it made; None: that is not known apart
        self._apart = all(masker is None or own_of(masker) or keeps_of(masker) is not None for masker in plan)
        for each in self._masked:
            constant = constant_of(each.masker)
            if constant is not None:
                value, each.keeps_null = constant
                each.always_null = value is None
                each.constant = self._encoded(value, each.index)

    def _encoded(self, value: bytes | None, index: int) -> bytes | None:
        """A constant as a field; None: it is none, and the masker is asked for each row."""
        raise NotImplementedError

    def _row(self, buffer: bytes, at: i64, end: i64, parts: list[bytes]) -> bool:
        """Put the new payload of the row between the two into `parts`. False: it is not its fields."""
        raise NotImplementedError

    def _filled(self, gap: Gap, value: bytes | None, parts: list[bytes]) -> None:
        """Put a masked value where it was left out."""
        raise NotImplementedError

    def _leave_out(self, each: Masked, value: bytes, parts: list[bytes], head: int) -> None:
        each.values.append(value)
        self._gaps.append(Gap(each, len(parts), head))
        parts.append(b"")

    def _fill(self, parts: list[bytes]) -> None:
        new: dict[int, list[bytes | None]] = {}
        for each in self._masked:
            if each.many is not None:
                found = each.many(each.values)
                if len(found) != len(each.values):
                    raise AssertionError("a masker gave another number of values than it got")
                new[each.index] = found[::-1]
                each.values = []
        for gap in self._gaps:
            self._filled(gap, new[gap.each.index].pop(), parts)
        self._gaps = []

    def rewrite(self, buffer: bytes, start: int, sequence: int, shift: int, most_bytes: int) -> tuple[bytes, int, int]:
        """The run that starts here, rewritten; where it ends, and how many rows it has.

        `shift`: what the new packets' numbers are ahead of the old; `most_bytes`: no row that is longer is of the run.
        """
        begin: i64 = start
        number: i64 = sequence
        ahead: i64 = shift
        most: i64 = most_bytes
        rows: i64 = 0
        parts: list[bytes] = []
        headers: list[int] = []
        later = self._later
        self._gaps = []
        for each in self._masked:
            each.values = []
        if later and most > _LONGEST_LATER:
            most = _LONGEST_LATER
        while end := end_of_row(buffer, begin, number + rows):
            header = len(parts)
            if end - begin - HEADER_BYTES > most:
                break
            gaps = len(self._gaps)
            parts.append(b"")
            parts.append(b"")
            if not self._row(buffer, begin + HEADER_BYTES, end, parts):
                del parts[header:]
                for gap in self._gaps[gaps:]:
                    gap.each.values.pop()
                del self._gaps[gaps:]
                break
            if later:
                headers.append(header)
            elif not put_length(parts, header, len(parts)):
                del parts[header:]
                break
            parts[header + 1] = _SEQUENCES[(number + rows + ahead) & 0xFF]
            begin = end
            rows += 1
        if later:
            if self.searched:
                self.outside = b"".join(parts) if self._apart else None
            self._fill(parts)
            for place in range(len(headers)):
                put_length(parts, headers[place], headers[place + 1] if place + 1 < len(headers) else len(parts))
        return b"".join(parts), begin, rows


def put_length(parts: list[bytes], header: int, end: int) -> bool:
    """Of the payload whose parts stand behind its header. False: it is too long for a packet."""
    length = 0
    for index in range(header + 2, end):
        length += len(parts[index])
    if length >= FULL_PAYLOAD:
        return False
    parts[header] = _LENGTHS[length] if length < _SHORT else length.to_bytes(3, "little")
    return True


class TextRun(Run):
    def _encoded(self, value: bytes | None, index: int) -> bytes | None:  # noqa: ARG002
        return _NULL_FIELD if value is None else encode_lenenc(value)

    def _row(self, buffer: bytes, at: i64, end: i64, parts: list[bytes]) -> bool:
        kept = at  # from here on what was read is still to be taken over
        for each in self._masked:
            gap: i64 = each.gap
            for _ in range(gap):
                if at < end and buffer[at] == _NULL:
                    at += 1
                else:
                    at = end_of_string(buffer, at, end)
                    if at < 0:
                        return False
            if at >= end:
                return False
            null = buffer[at] == _NULL
            until = at + 1 if null else end_of_string(buffer, at, end)
            if until < 0:
                return False
            if null and (each.keeps_null or each.many is not None):
                at = until
                continue
            parts.append(buffer[kept:at])
            if each.many is not None:
                self._leave_out(each, buffer[at + prefix_bytes(buffer[at]) : until], parts, 0)
                kept = at = until
                continue
            field = each.constant
            if field is None:
                start = at if null else at + prefix_bytes(buffer[at])
                tail: i64 = -1
                if not null:
                    tail = each.tail(buffer, start, until)
                if tail >= 0:
                    parts.append(each.head(buffer, start, until, tail))
                    kept = tail
                    at = until
                    continue
                masked = each.masker(None if null else buffer[start:until])
                field = _NULL_FIELD if masked is None else encode_lenenc(masked)
            parts.append(field)
            kept = at = until
        rest: i64 = self._rest
        for _ in range(rest):
            if at < end and buffer[at] == _NULL:
                at += 1
            else:
                at = end_of_string(buffer, at, end)
                if at < 0:
                    return False
        parts.append(buffer[kept:end])
        return at == end

    def _filled(self, gap: Gap, value: bytes | None, parts: list[bytes]) -> None:
        parts[gap.at] = _NULL_FIELD if value is None else encode_lenenc(value)


class BinaryRun(Run):
    def __init__(self, plan: RowPlan, columns: Sequence[MySqlColumn]) -> None:
        self._types = [column.type for column in columns]
        self._shapes = [shape_of(kind) for kind in self._types]
        super().__init__(plan)

    def _encoded(self, value: bytes | None, index: int) -> bytes | None:
        if value is None:
            return b""
        try:
            return encode_binary(value, self._types[index])
        except ProtocolError:
            return None  # it is one for the row that it would stand in

    def _row(self, buffer: bytes, at: i64, end: i64, parts: list[bytes]) -> bool:
        columns: i64 = len(self._shapes)
        bits = at + 1
        at = bits + (columns + 9) // 8
        if at > end or buffer[bits - 1]:
            return False
        bitmap: bytearray | None = None  # once it is another
        head = len(parts)
        parts.append(buffer[bits - 1 : at])
        kept = at
        column: i64 = 0
        for each in self._masked:
            place: i64 = each.index
            while column < place:
                at = self._end_of_value(buffer, at, end, bits, column)
                if at < 0:
                    return False
                column += 1
            until = self._end_of_value(buffer, at, end, bits, column)
            if until < 0:
                return False
            null = is_null(buffer, bits, column)
            column += 1
            if null and (each.keeps_null or each.many is not None):
                continue
            parts.append(buffer[kept:at])
            kept = until
            if each.many is not None:
                self._leave_out(each, buffer[at + self._prefix(buffer, at, place) : until], parts, head)
                at = until
                continue
            field = each.constant
            becomes_null = each.always_null
            if field is None:
                start = at if null else at + self._prefix(buffer, at, place)
                tail: i64 = -1
                if not null:
                    tail = each.tail(buffer, start, until)
                if tail >= 0:
                    parts.append(each.head(buffer, start, until, tail))
                    kept = tail
                    at = until
                    continue
                masked = each.masker(None if null else buffer[start:until])
                becomes_null = masked is None
                field = b"" if masked is None else encode_binary(masked, self._types[each.index])
            parts.append(field)
            if null != becomes_null:
                if bitmap is None:
                    bitmap = bytearray(parts[head])
                bitmap[1 + (each.index + 2) // 8] ^= 1 << (each.index + 2) % 8
            at = until
        while column < columns:
            at = self._end_of_value(buffer, at, end, bits, column)
            if at < 0:
                return False
            column += 1
        parts.append(buffer[kept:end])
        if bitmap is not None:
            parts[head] = bytes(bitmap)
        return at == end

    def _filled(self, gap: Gap, value: bytes | None, parts: list[bytes]) -> None:
        if value is not None:
            parts[gap.at] = encode_binary(value, self._types[gap.each.index])
        else:
            bitmap = bytearray(parts[gap.head])
            bitmap[1 + (gap.each.index + 2) // 8] |= 1 << (gap.each.index + 2) % 8
            parts[gap.head] = bytes(bitmap)

    def _prefix(self, buffer: bytes, at: i64, column: i64) -> i64:
        """How many bytes of length stand in front of the value."""
        shape: i64 = self._shapes[column]
        if shape >= 0:
            return 0
        return prefix_bytes(buffer[at])

    def _end_of_value(self, buffer: bytes, at: i64, end: i64, bits: i64, column: i64) -> i64:
        """Where the column's value ends; -1: not within `end`, or it is none of its type."""
        shape: i64 = self._shapes[column]
        if is_null(buffer, bits, column):
            return at
        if shape >= 0:
            if at + shape > end:
                return -1
            return at + shape
        if shape == _UNKNOWN:
            return -1
        if shape != _STRING:
            if at >= end:
                return -1
            length: i64 = buffer[at]
            if shape == _DATE and length != 0 and length != 4 and length != 7 and length != 11:
                return -1
            if shape == _TIME and length != 0 and length != 8 and length != 12:
                return -1
        return end_of_string(buffer, at, end)


def shape_of(kind: int) -> int:
    width = WIDTHS.get(kind)
    if width is not None:
        return width
    if kind in STRINGS:
        return _STRING
    if kind in DATES:
        return _DATE
    if kind == TIME:
        return _TIME
    return 0 if kind == NULL_TYPE else _UNKNOWN


def is_null(buffer: bytes, bits: i64, column: i64) -> bool:
    """By the bitmap that begins at `bits`; its first two bits are nobody's."""
    byte: i64 = buffer[bits + (column + 2) // 8]
    return byte >> (column + 2) % 8 & 1 != 0
