"""A transaction or a session asks for write access: BEGIN READ WRITE, SET transaction_read_only = off.

Under a policy that pins the upstream session read-only this is how a client would take the pin out. The spellings of
"on" are those of PostgreSQL's parse_bool, every unique prefix included; everything else counts as off.
"""

from __future__ import annotations

from rules.model import Statement

_READ_ONLY = frozenset({"transaction_read_only", "default_transaction_read_only", "tx_read_only"})
_ON = frozenset({"on", "true", "tru", "tr", "t", "yes", "ye", "y", "1"})


def write_access(statement: Statement, _batch: tuple[Statement, ...]) -> str | None:
    if statement.transaction == "begin_write":
        return "it begins a transaction that may write"
    for setting in statement.settings:
        if setting.name in _READ_ONLY and (setting.value or "").strip().lower() not in _ON:
            return f"{setting.name} would no longer be on"
        if (
            setting.name in ("transaction_mode", "session characteristics")
            and "read write" in (setting.value or "").lower()
        ):
            return "it asks for transactions that may write"
    return None
