"""What the three formats of COPY have in common: the messages that carry rows, and the columns that change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from protocols.base import Peer, ProtocolError, constant_of, many_of
from protocols.postgres.rows import int32
from protocols.shortening import shortening_of

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
        self.many = many_of(rewriter)
        self.values: list[bytes] = []  # of a run, for `many`
        constant = constant_of(rewriter)
        if constant is not None:
            self.constant = written(constant[0])
            self.keeps_null = constant[1]
        self.own = constant is not None or self.many is not None  # nothing of a value is left in what it becomes


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
