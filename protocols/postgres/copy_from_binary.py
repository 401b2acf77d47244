"""Reading the fields of COPY FROM in binary.

Spec: PostgreSQL documentation, COPY, "Binary Format": a signature, flags, an extension of the header, rows of counted fields, -1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protocols.field_reader import FieldCheck, FieldReader, Found, ReadLimits
from protocols.postgres.copy_binary import SIGNATURE
from protocols.postgres.rows import int32

if TYPE_CHECKING:
    from mypy_extensions import i64

_HEADER_BYTES: Final = len(SIGNATURE) + 8
_NULL: Final = 0xFFFFFFFF
_LONGEST: Final = 0x7FFFFFFF


class BinaryFields(FieldReader):
    def __init__(self, check: FieldCheck, limits: ReadLimits) -> None:
        super().__init__(check, limits)
        self._started = False
        self._passing = 0  # bytes that are not looked at: of the header's extension
        self._left = 0  # bytes of a field that is too long to be kept
        self._fields = 0  # of the row, that are still to come
        self._row = 0
        self._column = 0

    def _read(self, data: bytes, _last: bool) -> Found | None:
        at = 0
        if not self._started:
            if len(data) < _HEADER_BYTES:
                self._keep(data)
                return None
            self._started = True
            self._passing = int32(data, _HEADER_BYTES - 4)
            at = _HEADER_BYTES
            if not data.startswith(SIGNATURE) or self._passing > _LONGEST:
                self._stop()  # the server refuses it
                return None
        if self._passing:
            passed = min(self._passing, len(data) - at)
            self._passing -= passed
            at += passed
        if self._left:
            found, at = self._long_field(data, at)
            if found is not None or self._left:
                return found
        return self._rows(data, at)

    def _rows(self, data: bytes, start: int) -> Found | None:
        size: i64 = len(data)
        at: i64 = start
        hint: i64 = self._hint(data, start)
        fields: i64 = self._fields
        column: i64 = self._column
        while True:
            if not fields:
                if size - at < 2:
                    break
                high: i64 = data[at]
                fields = high << 8 | data[at + 1]
                if fields >= 0x8000:  # the trailer; or a count that the server refuses
                    self._stop()
                    return None
                at += 2
                column = 0
                self._row += 1
                continue
            if size - at < 4:
                break
            length = int32(data, at)
            end: i64 = at + 4
            if length != _NULL:
                if length > _LONGEST:
                    self._stop()  # a size that the server refuses
                    return None
                end += length
                if end > size:
                    break
                if hint < end:
                    why = self._check.why(data[at + 4 : end])
                    if why is not None:
                        return Found(self._row, column, why)
                    hint = self._hint(data, end)
            at = end
            column += 1
            fields -= 1
        self._fields = fields
        self._column = column
        rest = data[at:]
        if len(rest) <= self._limits.kept_bytes:
            self._keep(rest)
            return None
        self._left = int32(rest, 0)
        return self._long_field(rest, 4)[0]

    def _hint(self, data: bytes, at: int) -> int:
        """Where the next one stands; behind all of it, if none does."""
        match = self._check.hint.search(data, at)
        return len(data) if match is None else match.start()

    def _long_field(self, data: bytes, at: int) -> tuple[Found | None, int]:
        """Look at the part that is here of a field whose beginning is not kept, and give where the next begins."""
        end = min(at + self._left, len(data))
        why = self._check.why_part(data[at:end])
        if why is not None:
            return Found(self._row, self._column, why), end
        whole = end == at + self._left
        if not whole:
            kept = min(self._limits.overlap_bytes, end - at)
            self._left -= end - at - kept
            self._keep(data[end - kept : end])
            return None, end
        self._left = 0
        self._column += 1
        self._fields -= 1
        return None, end
