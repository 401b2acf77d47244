"""Policies, their tests and their backtests on a terminal. What clients wrote is shown as it can do no harm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import asdict, fields
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rules.conditions import When
from rules.policy import Limit, Policy, Rule
from wireproxy.cli.check import STYLE
from wireproxy.cli.policy_backtest import Report
from wireproxy.cli.policy_cases import Result
from wireproxy.cli.screen import cut, marked, neutral

_ACTION_STYLE = {**STYLE, "observe": "bold cyan"}
_DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SQL_SHOWN = 70


def policy(found: Policy) -> RenderableType:
    head = Text(neutral(found.name), "bold").append(f"  version {found.version}", "not bold dim")
    if found.read_only:
        head.append("  the session on the server is read-only too", "not bold")
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", style="dim")
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for number, rule in enumerate(found.rules, 1):
        grid.add_row(str(number), Text(rule.action, _ACTION_STYLE[rule.action]), "", Text(neutral(rule.name), "bold"))
        for label, words in _lines(rule):
            grid.add_row("", "", label, neutral(words))
    grid.add_row("", Text(found.default, _ACTION_STYLE[found.default]), "", "whatever no rule has decided")
    masks = f"An expression over a masked column is {_DERIVED[found.derived]}; conditions on one: {found.predicates}."
    looked_for = f"Overwritten in the text of results: {', '.join(found.detect) or 'nothing'}."
    return Group(head, grid, Text(masks, "dim"), Text(looked_for, "dim"))


_DERIVED = {"mask": "masked", "hold": "held", "deny": "refused"}


def _lines(rule: Rule) -> Iterator[tuple[str, str]]:
    label = "when"
    for key, value in when_object(rule.when).items():
        yield label, f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else str(value).lower()}"
        label = "and"
    if rule.reason:
        yield "says", rule.reason
    if rule.hint:
        yield "hint", rule.hint
    if rule.action == "hold" and (rule.approvers or rule.quorum > 1):
        yield "asks", f"{rule.quorum} of {', '.join(sorted(rule.approvers)) or 'all approvers'}"
    if rule.maximum_rows is not None:
        yield "void", f"above {rule.maximum_rows} rows"
    if rule.limit is not None:
        yield "limit", limit_words(rule.limit)


def limit_words(limit: Limit) -> str:
    parts = [
        f"{getattr(limit, key):g} {word}"
        for key, word in (
            ("statements", "statements"),
            ("rows", "rows"),
            ("bytes", "bytes"),
            ("time_s", "s of the server's time"),
        )
        if getattr(limit, key) is not None
    ]
    return f"{', '.join(parts)} in {limit.window_s:g} s"


def when_object(when: When) -> dict[str, object]:
    """The conditions that are asked, as they are written in TOML."""
    out: dict[str, object] = {}
    for attribute in fields(When):
        value = getattr(when, attribute.name)
        if value in (None, (), frozenset()) or (attribute.name == "access" and value == "any"):
            continue
        if attribute.name == "hours":
            out["hours"] = "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in value)
        elif attribute.name == "days":
            out["days"] = [_DAY_NAMES[day] for day in sorted(value)]
        elif isinstance(value, frozenset):
            out[attribute.name] = sorted(str(each) for each in value)
        else:
            out[attribute.name] = list(value) if isinstance(value, tuple) else value
    return out


def policy_object(found: Policy) -> dict[str, object]:
    return {
        "name": found.name, "version": found.version, "default": found.default, "derived": found.derived,
        "predicates": found.predicates, "read_only": found.read_only, "detect": list(found.detect),
        "rules": [_rule_object(rule) for rule in found.rules],
    }  # fmt: skip


def _rule_object(rule: Rule) -> dict[str, object]:
    return {
        "name": rule.name, "action": rule.action, "reason": rule.reason, "hint": rule.hint,
        "when": when_object(rule.when), "approvers": sorted(rule.approvers), "quorum": rule.quorum,
        "wait_s": rule.wait_s, "expires_s": rule.expires_s, "maximum_rows": rule.maximum_rows,
        "limit": None if rule.limit is None else asdict(rule.limit),
    }  # fmt: skip


def cases(file: Path, results: Sequence[Result]) -> RenderableType:
    wrong = [result for result in results if not result.agrees]
    parts: list[RenderableType] = []
    for result in wrong:
        text = Text().append_text(marked(f"{file}:{result.line}: ", style="dim"))
        text.append_text(marked(cut(result.case.sql, _SQL_SHOWN), style="italic"))
        text.append("\n    expected ").append(result.case.action, _ACTION_STYLE[result.case.action])
        if result.case.rule is not None:
            text.append(f" by {neutral(result.case.rule)}")
        text.append(", found ").append(result.action, _ACTION_STYLE[result.action]).append(
            f" by {neutral(result.rule)}"
        )
        if result.reasons:
            text.append(f": {neutral('; '.join(result.reasons))}", "dim")
        parts.append(text)
    summary = f"{len(results) - len(wrong)} of {len(results)} agree"
    parts.append(Text(summary, style="bold red" if wrong else "bold green"))
    return Group(*parts)


def backtest(report: Report) -> RenderableType:
    changed = sum(count for (before, after), count in report.moves.items() if before != after)
    head = Text(f"{report.statements} statements of {report.sessions} sessions under ").append(
        neutral(report.policy), "bold"
    )
    head.append(f": {changed} would be decided otherwise")
    parts: list[RenderableType] = [head]
    for (before, after), count in sorted(report.moves.items()):
        if before != after:
            line = (
                Text(f"{count:>7} ")
                .append(before, _ACTION_STYLE.get(before, ""))
                .append(" → ")
                .append(after, _ACTION_STYLE[after])
            )
            parts.append(line)
    if report.cut:
        parts.append(Text(f"{report.cut:>7} not judged: the log has only their beginning", "dim"))
    for database in report.unknown:
        parts.append(
            Text(f"database {neutral(database)} is not in the configuration: judged without its catalog", "dim")
        )
    if report.changes:
        parts.append(_changes(report))
    if report.not_listed:
        parts.append(Text(f"{report.not_listed} more are not listed", "dim"))
    return Group(*parts)


def _changes(report: Report) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("times", justify="right")
    table.add_column("was → would be", no_wrap=True)
    table.add_column("rule", overflow="fold")
    table.add_column("who", overflow="fold")
    table.add_column("statement", ratio=1, overflow="fold")
    for key, change in sorted(report.changes.items(), key=lambda each: -report.times[each[0]]):
        move = Text(change.before, _ACTION_STYLE.get(change.before, "")).append(" → ", "default not bold")
        move.append(change.after, _ACTION_STYLE[change.after])
        table.add_row(
            str(report.times[key]), move, neutral(change.after_rule), neutral(f"{change.identity}@{change.database}"),
            marked(cut(change.text, _SQL_SHOWN)),
        )  # fmt: skip
    return table
