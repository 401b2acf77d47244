"""The table of recorded sessions."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from wireproxy.cli.replay_screen import duration
from wireproxy.cli.screen import cut
from wireproxy.log.export import finding_json, wall_time
from wireproxy.log.summary import Summary

NARROW = 100  # columns
STATE_STYLE = {"open": "cyan", "closed": "green", "torn": "bold red", "missing": "bold red"}


def summary_json(summary: Summary) -> dict[str, object]:
    start = summary.start
    return {
        "session": summary.session,
        "state": summary.state,
        "identity": start.identity if start else None,
        "groups": list(start.groups) if start else None,
        "database": start.database if start else None,
        "client": start.client if start else None,
        "application_name": start.application_name if start else None,
        "policy": start.policy if start else None,
        "started": wall_time(summary.started_ns),
        "duration_s": summary.duration_ns / 1_000_000_000,
        "statements": summary.statements,
        "held": summary.held,
        "denied": summary.denied,
        "errors": summary.errors,
        "rows": summary.rows,
        "encrypted": summary.sealed,
        "path": str(summary.path),
        "findings": [finding_json(finding) for finding in summary.findings],
    }


def listing(found: list[Summary], width: int) -> Table:
    """On a narrow screen without the duration, and the start to the minute: ids, names and counts stay whole."""
    narrow = width < NARROW
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1 if narrow else 2, 0, 0))
    table.add_column("id", no_wrap=True, style="bold", min_width=8)
    table.add_column("who", overflow="ellipsis", no_wrap=True)
    table.add_column("database", overflow="ellipsis", no_wrap=True)
    table.add_column("started", no_wrap=True)
    for name in (*(() if narrow else ("lasted",)), "stmts", "held", "denied", "errors"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    prefixes = short_ids([summary.session for summary in found])
    for summary in found:
        start = summary.start
        table.add_row(
            prefixes[summary.session],
            Text(cut(start.identity, 40)) if start else Text("encrypted" if summary.sealed else "?", style="dim"),
            Text(cut(start.database, 30)) if start else "",
            wall_time(summary.started_ns)[5 if narrow else 0 : 16 if narrow else 19].replace("T", " "),
            *(() if narrow else (duration(summary.duration_ns),)),
            str(summary.statements),
            _count(summary.held, "bold yellow"),
            _count(summary.denied, "bold red"),
            _count(summary.errors, "red"),
            Text(summary.state, style=STATE_STYLE[summary.state]),
        )
    return table


def _count(count: int, style: str) -> Text:
    return Text(str(count), style=style) if count else Text("·", style="dim")


def short_ids(ids: list[str]) -> dict[str, str]:
    """Each id as far as it must be typed to name it, and at least eight characters of it."""
    ordered = sorted(ids)
    shown = {}
    for index, name in enumerate(ordered):
        neighbours = ordered[max(index - 1, 0) : index] + ordered[index + 1 : index + 2]
        common = max((_common(name, other) for other in neighbours), default=0)
        shown[name] = name[: max(8, common + 1)]
    return shown


def _common(one: str, other: str) -> int:
    return next(
        (index for index, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )
