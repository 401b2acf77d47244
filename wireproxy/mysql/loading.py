"""From what rules know of LOAD DATA LOCAL to the reader of the client's file."""

from __future__ import annotations

from protocols.base import Fields
from protocols.field_reader import FieldCheck, Found
from protocols.mysql.file_fields import FileFields, FileFormat
from protocols.postgres.messages import error_fields
from rules.masking import ResultMasks
from rules.masking.mysql.loading import Loading
from rules.masking.mysql.plan import MySqlResultMasks
from rules.model import Effect, Statement
from rules.refusal import masked_load


def loaded_rows(mask: ResultMasks | None) -> LoadedRows | None:
    """None: nothing is masked here."""
    return LoadedRows(mask, mask.loads) if isinstance(mask, MySqlResultMasks) and mask.loads is not None else None


class LoadedRows:
    """Looks for masks that come back. Memory is bounded, whatever the length of a row (`protocols.mysql.file_fields`)."""

    def __init__(self, mask: MySqlResultMasks, loading: Loading) -> None:
        self._loading = loading
        check = mask.load_check(loading)
        file_format = FileFormat(
            loading.field_end.encode(),
            loading.line_end.encode(),
            loading.enclosed.encode(),
            loading.escape.encode(),
            loading.skipped_lines,
        )
        self.filler = file_format.filler
        self._reader = FileFields(file_format, FieldCheck(check.hint, check.why, check.why_part))

    def feed(self, data: bytes) -> Fields | None:
        return self._answer(self._reader.feed(data))

    def finish(self) -> Fields | None:
        return self._answer(self._reader.finish())

    def _answer(self, found: Found | None) -> Fields | None:
        if found is None:
            return None
        columns = self._loading.columns
        column = columns[found.column] if found.column < len(columns) else str(found.column + 1)
        text = masked_load(self._loading.table, f"line {found.row}", column, found.why)
        return error_fields(text.sqlstate, text.message, detail=text.detail, hint=text.hint)


def loads_local(statement: Statement) -> bool:
    """LOAD DATA LOCAL reads no file of the server's: it asks the client for one."""
    return statement.root == "LoadData" and Effect.FILE_READ not in statement.effects
