"""Findings that need more than a comparison of sets: one rule, one file, one function.

A check looks at a statement and the batch it stands in and says in one clause what it found, or None. Policies name
checks in `checks = [...]`. A check is pure and total: it never raises, on any statement.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from rules.checks.back_to_start import back_to_start
from rules.checks.early_commit import early_commit
from rules.checks.role_change import role_change
from rules.checks.subscriptions_counted import subscriptions_counted
from rules.checks.unknown_setting_value import unknown_setting_value
from rules.checks.unsafe_lexing import unsafe_lexing
from rules.checks.write_access import write_access
from rules.model import Statement

Check = Callable[[Statement, tuple[Statement, ...]], str | None]

CHECKS: MappingProxyType[str, Check] = MappingProxyType(
    {
        "back-to-start": back_to_start,
        "early-commit": early_commit,
        "role-change": role_change,
        "subscriptions-counted": subscriptions_counted,
        "unknown-setting-value": unknown_setting_value,
        "unsafe-lexing": unsafe_lexing,
        "write-access": write_access,
    }
)
