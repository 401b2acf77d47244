"""Looking at the fields of COPY … FROM STDIN, in text, CSV and binary, as they stream by.

Spec: PostgreSQL documentation, SQL COMMAND COPY, "File Formats"; 55.2.6 COPY Operations. What a row and a field are follows
CopyReadLineText and CopyReadAttributesText/CSV of the server.
"""

from __future__ import annotations

from protocols.field_reader import USUAL, FieldCheck, FieldReader, Found, ReadLimits
from protocols.postgres.copy_from_binary import BinaryFields
from protocols.postgres.copy_from_lines import CsvFields, TextFields
from protocols.postgres.copy_rows import CopyFormat

__all__ = ["FieldCheck", "FieldReader", "Found", "ReadLimits", "field_reader"]


def field_reader(copy_format: CopyFormat, check: FieldCheck, limits: ReadLimits = USUAL) -> FieldReader:
    match copy_format.style:
        case "text":
            return TextFields(copy_format, check, limits)
        case "csv":
            return CsvFields(copy_format, check, limits)
        case "binary":
            return BinaryFields(check, limits)
