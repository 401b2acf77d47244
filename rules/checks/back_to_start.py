"""A statement that brings the session back to how it began: RESET, SET … TO DEFAULT, DISCARD.

Poolers and drivers send these between one client and the next. Nothing in them is chosen by the client.
"""

from __future__ import annotations

from rules.model import Statement

_ROOTS = frozenset({"VariableSetStmt", "DiscardStmt"})


def back_to_start(statement: Statement, _batch: tuple[Statement, ...]) -> str | None:
    if statement.root not in _ROOTS or statement.functions:
        return None
    if any(setting.value is not None and setting.value.lower() != "none" for setting in statement.settings):
        return None
    return "it brings the session back to how it began"
