"""What the three formats of COPY have in common: the messages that carry rows, and the columns that change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from protocols.base import Peer, ProtocolError, constant_of, many_of, own_of
from protocols.postgres.rows import int32
from protocols.shortening import keeps_of, shortening_of

if TYPE_CHECKING:
    from mypy_extensions import i64

FieldRewriter = Callable[[bytes | None], bytes | None]
Plan = Sequence[FieldRewriter | None]

HEADER_BYTES: Final = 5  # of a message
_COPY_DATA: Final = ord("d")


@dataclass(frozen=True, slots=True)
class CopyFormat:
    """How the rows are written. Delimiter, quote and escape are single bytes, as the server demands."""

    style: Literal["text", "csv", "binary"] = "text"
    delimiter: bytes = b"\t"
    null: bytes = b"\\N"
    quote: bytes = b'"'
    escape: bytes = b'"'
    header: bool = False
    default: bytes | None = None  # COPY FROM: a field that stands for the column's default


class Change:
    """What a column gets."""

    def __init__(self, place: int, rewriter: FieldRewriter, written: Callable[[bytes | None], bytes]) -> None:
        self.place = place
        self.rewriter = rewriter
        self.constant: bytes | None = None  # as it is written, where it is the same for every row
        self.keeps_null = False
        self.shortening = shortening_of(rewriter)
        self.keeps = keeps_of(rewriter) is not None  # what it gives is parts of the value
        self.many = many_of(rewriter)
        self.own = own_of(rewriter)
        self.values: list[bytes] = []  # of a run, for `many`,
        self._new: list[bytes | None] = []  # what came of them,
        self._taken: i64 = 0  # and how much of that has been written
        constant = constant_of(rewriter)
        if constant is not None:
            self.constant = written(constant[0])
            self.keeps_null = constant[1]
        self.passes_null = self.keeps_null if constant is not None else self.many is not None  # a NULL stays one

    def mask_all(self) -> None:
        """The values that were gathered."""
        if self.many is not None:
            self._new = self.many(self.values)
            if len(self._new) != len(self.values):
                raise AssertionError("a masker gave another number of values than it got")
            self.values = []
            self._taken = 0

    def next(self) -> bytes | None:
        value = self._new[self._taken]
        self._taken += 1
        return value


def changes_of(plan: Plan, written: Callable[[bytes | None], bytes]) -> list[Change]:
    """`written`: a value as a field of the format."""
    return [Change(place, rewriter, written) for place, rewriter in enumerate(plan) if rewriter is not None]


def end_of_frame(buffer: bytes, at: int) -> int:
    """Where the CopyData that stands at `at` ends; 0 when something else does, or when it is not whole."""
    if len(buffer) - at < HEADER_BYTES or buffer[at] != _COPY_DATA:
        return 0
    length = int32(buffer, at + 1)
    end = at + 1 + length
    return end if length >= 4 and end <= len(buffer) else 0


def broken(reason: str) -> ProtocolError:
    return ProtocolError(f"copy data: {reason}", peer=Peer.SERVER)
