"""How a request looks on a terminal: for somebody who is woken at three and must decide right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from wireproxy.cli.screen import cut, marked, marked_sql, neutral, warnings
from wireproxy.request_view import RequestView, VoteView

VALUE_CHARACTERS = 2000  # of one bound value; --json has all of it
FIELD_CHARACTERS = 200
_COLOURS = {
    "pending": "bold yellow",
    "approved": "bold green",
    "used": "green",
    "denied": "bold red",
    "expired": "dim",
    "withdrawn": "dim",
}


def listing(requests: Sequence[RequestView]) -> Text:
    """Two lines for each: how it stands, and what it is."""
    return Text("\n").join(_block(request) for request in requests)


def _block(request: RequestView) -> Text:
    is_open = request.state in {"pending", "approved"}
    found = _rows(request.estimated_rows)
    rows = f"  {found} row{'' if found == '~1' else 's'}" if found else ""
    until = f"  until {clock_time(request.expires)}" if is_open else ""
    return Text.assemble(
        (neutral(request.id), "bold"),
        "  ",
        (_state(request), _COLOURS.get(request.state, "")),
        until,
        ("  waits now" if request.awaited and is_open else "", "bold"),
        f"  {cut(request.identity.name, 24)}@{cut(request.database, 24)}",
        f"  {cut(', '.join(sorted(set(request.kinds))), 40)}{rows}",
        f"\n    {_shortly(request, 160)}",
        overflow="fold",
    )


def line(request: RequestView) -> str:
    who = f"{cut(request.identity.name, 40)}@{cut(request.database, 40)}"
    last = request.votes[-1] if request.votes else None
    why = f" by {neutral(last.approver)}{_quoted(last.reason)}" if last is not None else ""
    waits = ", waits now" if request.awaited and request.state == "pending" else ""  # or its client will come back
    return f"{neutral(request.id)} {_state(request)}{waits}{why} {who} {cut(','.join(request.kinds), 80)}: {_shortly(request, 300)}"


def page(request: RequestView) -> RenderableType:
    fields = Table.grid(padding=(0, 2))
    fields.add_column(style="dim", no_wrap=True)
    fields.add_column(overflow="fold")
    for name, value in _before(request):
        fields.add_row(name, value)
    after = Table.grid(padding=(0, 2))
    after.add_column(style="dim", no_wrap=True)
    after.add_column(overflow="fold")
    for name, value in _after(request):
        after.add_row(name, value)
    statements = f"statement, {request.batch} in one text" if request.batch != 1 else "statement"
    sql = Panel(marked_sql(request.sql), title=statements, title_align="left", box=box.ROUNDED)
    return Group(_head(request), fields, sql, after)


def effect(found: Mapping[str, object]) -> RenderableType:
    """What a preview found; the names are those of whoever made it."""
    result = Table.grid(padding=(0, 2))
    result.add_column(style="dim", no_wrap=True)
    result.add_column(overflow="fold")
    for name, value in found.items():
        values = value if isinstance(value, list) else [value]
        result.add_row(cut(name, 40), Text("\n").join(marked(str(item), lines=True) for item in values))
    return result


def clock_time(timestamp: str) -> str:
    """In the time zone of whoever looks."""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%H:%M:%S")


def _head(request: RequestView) -> Text:
    head = Text.assemble((neutral(request.id), "bold"), "  ", (_state(request), _COLOURS.get(request.state, "")))
    if request.state in {"pending", "approved"}:
        head.append(f"  expires in {_duration(request.expires_in_s)}, at {clock_time(request.expires)}")
    if request.awaited:
        head.append("  its client waits right now", "bold")
    return head


def _before(request: RequestView) -> list[tuple[str, Text]]:
    who = request.identity
    verified = (
        f"by {neutral(who.source)}"
        if who.issuer is None
        else f"by {neutral(who.source)} {cut(who.issuer, 80)}, subject {cut(who.subject or '?', 80)}"
    )
    return [
        (
            "who",
            Text(
                f"{cut(who.name, 80)}  groups: {cut(', '.join(who.groups) or 'none', FIELD_CHARACTERS)}  verified {verified}"
            ),
        ),
        ("from", Text(f"{cut(request.client, 80)}  says it is {cut(request.application, 80) or 'nothing'}")),
        (
            "database",
            Text(f"{cut(request.database, 80)} ({neutral(request.dialect)})  session {cut(request.session, 80)}"),
        ),
        ("asked at", Text(clock_time(request.created))),
        (
            "rule",
            Text(
                f"{cut(request.rule, 80)}: {'; '.join(cut(reason, FIELD_CHARACTERS) for reason in request.reasons)}",
                "yellow",
            ),
        ),
        ("kind", Text(cut(", ".join(request.kinds), FIELD_CHARACTERS) or "unknown", "bold")),
        ("tables", _listed(request.relations)),
        ("rows", Text(_rows(request.estimated_rows) or "no estimate: a preview counts them")),
        ("transaction", _transaction(request)),
    ]


def _after(request: RequestView) -> list[tuple[str, Text]]:
    rows = [("beware", Text(warning, "bold red")) for warning in warnings(request.sql)]
    for number, value in enumerate(request.parameters or (), 1):
        rows.append((f"${number}", _value(value)))
    if request.parameters is not None and not request.parameters:
        rows.append(("values", Text("none bound")))
    for name, given in request.attributes:
        rows.append(("attribute", Text(f"{cut(name, 80)} = ").append_text(_value(given))))
    groups = f" of {cut(', '.join(request.approvers), FIELD_CHARACTERS)}" if request.approvers else ""
    rows.append(
        (
            "needs",
            Text(f"{request.quorum} approval{'s' if request.quorum != 1 else ''}{groups}; {request.missing} missing"),
        )
    )
    if request.maximum_rows is not None:
        rows.append(("limit", Text(f"void if it would touch more than {request.maximum_rows:,} rows")))
    rows.extend(("vote", _vote(vote)) for vote in request.votes)
    if request.state not in {"pending", "approved"} and request.reason:
        rows.append(("because", marked(request.reason)))
    if request.state == "pending":
        shown = neutral(request.id)
        rows.append(
            (
                "next",
                Text(
                    f"wireproxy approve {shown}  ·  wireproxy deny {shown} --reason '…'  ·  wireproxy preview {shown}",
                    "dim",
                ),
            )
        )
    return rows


def _transaction(request: RequestView) -> Text:
    text = Text(neutral(request.transaction))
    if request.done:
        text.append("; it has done already:")
        for number, done in enumerate(request.done, 1):
            text.append(f"\n{number}. ").append_text(marked(done))
    elif request.transaction != "idle":
        text.append("; nothing done in it yet")
    return text


def _vote(vote: VoteView) -> Text:
    word = "approved" if vote.approve else "denied"
    return Text(
        f"{neutral(vote.approver)} ({neutral(vote.principal)}) {word} at {clock_time(vote.at)}{_quoted(vote.reason)}"
    )


def _value(value: str | None) -> Text:
    if value is None:
        return Text("NULL", "italic")
    text = Text("'").append_text(marked(value[:VALUE_CHARACTERS])).append("'")
    if len(value) > VALUE_CHARACTERS:
        text.append(f" … {len(value) - VALUE_CHARACTERS:,} more characters; --json has them", "bold yellow")
    return text


def _listed(names: Sequence[str]) -> Text:
    return Text("\n").join(marked(name) for name in names) if names else Text("none named")


def _shortly(request: RequestView, characters: int) -> str:
    return cut(request.sql, characters) + ("" if request.complete else " (cut: see show)")


def _state(request: RequestView) -> str:
    if request.state == "pending" and request.quorum > 1:
        return f"pending {request.quorum - request.missing}/{request.quorum}"
    return neutral(request.state)


def _quoted(reason: str) -> str:
    return f": {cut(reason, FIELD_CHARACTERS)}" if reason else ""


def _rows(estimate: float | None) -> str:
    return "" if estimate is None else f"~{estimate:,.0f}"


def _duration(seconds: float) -> str:
    if seconds < 0:
        return "0 s"
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )
