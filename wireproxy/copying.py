"""From what rules know of a COPY … FROM STDIN to the reader of its data."""

from __future__ import annotations

from attrs import asdict

from protocols.base import Fields
from protocols.postgres.copy import CopyFormat
from protocols.postgres.copy_from import FieldCheck, Found, field_reader
from protocols.postgres.messages import error_fields
from rules.masking import MaskSet
from rules.masking.copying import Incoming
from rules.model import Namespace
from rules.refusal import Refusal, masked_copy


class IncomingRows:
    """Looks for masks that come back. Memory is bounded, whatever the length of a row (`protocols.postgres.copy_from`)."""

    def __init__(self, masks: MaskSet, incoming: Incoming, namespace: Namespace) -> None:
        check = masks.check_of(incoming, namespace)
        self._incoming = incoming
        self._reader = field_reader(
            CopyFormat(**asdict(incoming.shape)), FieldCheck(check.hint, check.why, check.why_part)
        )

    def feed(self, data: bytes) -> Fields | None:
        return self._answer(self._reader.feed(data))

    def finish(self) -> Fields | None:
        return self._answer(self._reader.finish())

    def _answer(self, found: Found | None) -> Fields | None:
        if found is None:
            return None
        columns = self._incoming.columns
        column = columns[found.column] if found.column < len(columns) else str(found.column + 1)
        unit = "row" if self._incoming.shape.style == "binary" else "line"
        text: Refusal = masked_copy(self._incoming.table, f"{unit} {found.row}", column, found.why)
        return error_fields(text.sqlstate, text.message, detail=text.detail, hint=text.hint)
