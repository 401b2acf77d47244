"""The file of `wireproxy policy test`: statements and the decisions that are expected of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from attrs import evolve, frozen

from rules.judge import Judge
from rules.model import Namespace
from rules.structuring import Reader, dotted, make_converter
from wireproxy.cli.check import action_of
from wireproxy.cli.dry_judge import Circumstances
from wireproxy.config.locate import line_of, locate

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_AT = re.compile(rf"({'|'.join(_DAYS)}) ([01]\d|2[0-3]):([0-5]\d)\Z")


class CaseErrors(Exception):
    """What is wrong with a file of cases, one line for each."""


@frozen
class Case:
    """One `[[case]]`. What is left out is as the command line says."""

    sql: str
    action: Literal["allow", "observe", "hold", "deny"]
    rule: str | None = None
    user: str | None = None
    groups: tuple[str, ...] | None = None
    database: str | None = None
    search_path: str | None = None
    at: str | None = None  # "mon 09:30"
    estimated_rows: int | None = None


@frozen
class Result:
    case: Case
    line: int
    action: str
    rule: str
    reasons: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return self.action == self.case.action and self.case.rule in (None, self.rule)

    def as_object(self) -> dict[str, object]:
        return {
            "line": self.line, "sql": self.case.sql, "agrees": self.agrees, "expected": self.case.action,
            "expected_rule": self.case.rule, "action": self.action, "rule": self.rule, "reasons": list(self.reasons),
        }  # fmt: skip


def read_cases(path: Path) -> list[tuple[Case, int]]:
    """The cases with their lines. Raises CaseErrors with everything that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise CaseErrors(f"{path}: {error}") from None
    reader = Reader(make_converter())
    reader.keys(document, ("case",), ())
    lines = locate(text)
    cases = []
    written = document.get("case", [])
    for position, table in enumerate(written if isinstance(written, list) else ()):
        at = ("case", position)
        case = reader.table(table, Case, at)
        if case is None:
            continue
        if case.at is not None and not _AT.match(case.at):
            reader.add((*at, "at"), f"expected a day and a time, found {case.at!r}", 'write "mon 09:30"')
        cases.append((case, line_of(lines, at)))
    if not cases and not reader.problems:
        reader.add((), "there is no [[case]] in it")
    if reader.problems:
        raise CaseErrors(
            "\n".join(
                f"{path}:{line_of(lines, each.path)}: {dotted(each.path)}: {each.message}"
                + (f"; {each.suggestion}" if each.suggestion else "")
                for each in reader.problems
            )
        )
    return cases


def run_cases(cases: Sequence[tuple[Case, int]], given: Circumstances) -> list[Result]:
    judges: dict[Circumstances, tuple[Judge, Namespace]] = {}
    results = []
    for case, line in cases:
        there = evolve(
            given,
            user=case.user if case.user is not None else given.user,
            groups=case.groups if case.groups is not None else given.groups,
            database=case.database if case.database is not None else given.database,
            search_path=case.search_path if case.search_path is not None else given.search_path,
        )
        if there not in judges:
            judges[there] = there.judge(), there.namespace()
        judge, namespace = judges[there]
        found = judge.judge(case.sql.encode(), namespace, _minute(case.at), case.estimated_rows).decision
        action = "observe" if getattr(found, "observe", False) else action_of(found)
        results.append(Result(case, line, action, found.rule, found.reasons))
    return results


def _minute(at: str | None) -> int | None:
    if at is None or (found := _AT.match(at)) is None:
        return None
    return _DAYS.index(found[1]) * 1440 + int(found[2]) * 60 + int(found[3])
