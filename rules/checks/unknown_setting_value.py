"""A setting that gets a value computed at run time: what it will be can't be seen in the text."""

from __future__ import annotations

from rules.model import Statement


def unknown_setting_value(statement: Statement, _batch: tuple[Statement, ...]) -> str | None:
    """RESET and SET … TO DEFAULT have no value either, but they call no function; set_config sets what it computes."""
    if statement.functions:
        for setting in statement.settings:
            if setting.value is None:
                return f"the value for {setting.name} is computed when it runs"
    return None
