"""Rewriting the rows of COPY … TO STDOUT, in text, CSV and binary, as they stream by.

A rewriter takes CopyData messages, a run of them at once, or their bodies, cut anywhere, and gives back whole rows. A plan has
one entry per column: a function from the field's value to what stands in its place, or None for a field that stays as it is,
byte for byte. Rows of another number of fields than the plan are a protocol error: guessing which field is which would show the
wrong one.

Spec: PostgreSQL documentation, SQL COMMAND COPY, "File Formats"; 55.2.6 COPY Operations.
"""

from __future__ import annotations

from protocols.postgres.copy_binary import SIGNATURE, BinaryCopy
from protocols.postgres.copy_csv import CsvCopy
from protocols.postgres.copy_rows import CopyFormat, Plan
from protocols.postgres.copy_text import TextCopy, escape, unescape

__all__ = ["MAXIMUM_ROW_BYTES", "SIGNATURE", "CopyFormat", "copy_rewriter", "escape", "unescape"]

MAXIMUM_ROW_BYTES = 16 * 1024 * 1024  # a row is held whole while it is rewritten


def copy_rewriter(
    copy_format: CopyFormat, plan: Plan, maximum_row_bytes: int = MAXIMUM_ROW_BYTES
) -> TextCopy | CsvCopy | BinaryCopy:
    match copy_format.style:
        case "text":
            return TextCopy(copy_format, plan, maximum_row_bytes)
        case "csv":
            return CsvCopy(copy_format, plan, maximum_row_bytes)
        case "binary":
            return BinaryCopy(plan, maximum_row_bytes)
