"""A statement after which the session runs with the rights of another role.

RESET ROLE, SET ROLE NONE, SET SESSION AUTHORIZATION DEFAULT and DISCARD ALL go back to the role with which the session
began, which is where the policy places it, and find nothing here. A role that is computed at run time does.
"""

from __future__ import annotations

from rules.model import Effect, Setting, Statement

_OWN_ROLE = frozenset({"none", "default"})


def role_change(statement: Statement, _batch: tuple[Statement, ...]) -> str | None:
    if Effect.ROLE not in statement.effects:
        return None
    if statement.functions:
        return "the role is set by a function call"
    if not statement.settings and not any(name.action == "discard" for name in statement.names):
        return "it changes the role that later statements run as"
    for setting in statement.settings:
        if not _own(setting):
            return f"it changes {setting.name}"
    return None


def _own(setting: Setting) -> bool:
    return setting.value is None or (setting.name == "role" and setting.value.lower() in _OWN_ROLE)
