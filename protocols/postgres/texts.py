"""Which results hold text, for a detector that looks at it; without one, nothing here is asked."""

from __future__ import annotations

from typing import Final, Protocol

from protocols.base import Detected, Fields
from protocols.detecting import cleaned, hidden
from protocols.postgres.detecting import overwritten, textual
from protocols.postgres.messages import decode_row_description
from protocols.postgres.pending import Entry, Owed
from protocols.postgres.shared import Shared

_ROW: Final = ord("D")
_DESCRIPTIONS_KEPT: Final = 256


class Rewriter(Protocol):
    """As `CopyRewriter` has these."""

    @property
    def outside(self) -> bytes | None: ...

    def places(self, new: bytes, columns: tuple[bool, ...] | None) -> list[tuple[int, int]]: ...


class Texts:
    """What the descriptions of results say of their columns, and what a detector finds in them."""

    __slots__ = ("_textual", "portal", "shared")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.portal: tuple[bytes, tuple[bool, ...] | None] | None = None  # described last, and which columns hold text
        self._textual: dict[bytes, tuple[bool, ...]] = {}  # by RowDescription: the same few come again and again

    def holds_text(self, head: Entry, kind: int) -> bool:
        """Whether a detector has anything to look at in these rows. Columns of which nothing is known may hold anything."""
        if kind != _ROW:
            return True
        if head.textual is None and head.kind == Owed.EXECUTE and self.portal is not None:
            name, columns = self.portal
            if name == head.name:
                head.textual = columns
        return head.textual is None or head.textual != ()

    def describes(self, message: bytes) -> tuple[bool, ...]:
        known = self._textual.get(message)
        if known is None:
            if len(self._textual) >= _DESCRIPTIONS_KEPT:
                self._textual.clear()
            known = self._textual[message] = textual(decode_row_description(message[5:]))
        return known

    def detected(self, head: Entry, data: bytes, start: int, end: int) -> bytes | None:
        """Whole frames without what the detector finds in them; None: it finds nothing."""
        detector = self.shared.detector
        assert detector is not None
        found = overwritten(data, start, end, head.textual, head.binary_copy, detector)
        if found is None:
            return None
        self.shared.effects.append(Detected(head.ticket, found[1]))
        return found[0]

    def detected_beside(self, head: Entry, new: bytes, rewriter: Rewriter) -> bytes | None:
        """The same for what a rewriter gave, but for what it made: a pseudonym looks as mixed as a key, and must stay whole."""
        detector = self.shared.detector
        assert detector is not None
        outside = rewriter.outside
        if outside is not None and not detector.suspects(outside, 0, len(outside)):
            return None
        suspects = detector.suspects(new, 0, len(new))
        if not suspects:
            return None
        found = hidden(new, 0, len(new), rewriter.places(new, head.textual), suspects, detector)
        if found is None:
            return None
        self.shared.effects.append(Detected(head.ticket, found[1]))
        return found[0]

    def cleaned(self, fields: Fields, ticket: int | None) -> Fields:
        """What an error, a notice or a notification says, without what the detector finds in it."""
        detector = self.shared.detector
        found = None if detector is None else cleaned(fields, detector)
        if found is None:
            return fields
        self.shared.effects.append(Detected(ticket or 0, found[1]))
        return found[0]
