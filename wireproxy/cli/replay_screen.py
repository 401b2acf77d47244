"""A recorded session on a terminal: who it was, then what happened, each line with its time since the start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from attrs import define, field, frozen
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from wireproxy.cli.screen import cut, marked, marked_sql, warnings
from wireproxy.log.export import Heads, wall_time
from wireproxy.log.findings import Finding
from wireproxy.log.reader import Met, RecordAt, SignedAt, Walk
from wireproxy.log.records import (
    CompletionRecord,
    DecisionRecord,
    EndRecord,
    ErrorRecord,
    EventRecord,
    HeadRecord,
    Record,
    RowsRecord,
    SessionStart,
    StatementRecord,
    VerdictRecord,
)
from wireproxy.log.values import show_attributes, show_parameters

INDENT = 20  # behind the time and the ticket
SQL_CHARACTERS = 4000  # of one statement; `export` has all of it
PARAMETERS_SHOWN = 20
CELL_CHARACTERS = 40
COLUMNS_SHOWN = 12
RESULTS_OPEN = 64  # results whose rows wait to be shown: those of a pipeline

_ACTION = {
    "allow": ("✓", "green"),
    "observe": ("◎", "cyan"),
    "hold": ("⏸", "bold yellow"),
    "deny": ("✗", "bold red"),
}
_VERDICT = {"approved": ("✓", "bold green"), "denied": ("✗", "bold red")}
_ERROR_FIELDS = (("S", "severity"), ("C", "sqlstate"), ("M", "message"))
_MORE_FIELDS = (("D", "detail"), ("H", "hint"))


@frozen
class Shown:
    """Something to print, and when it happened."""

    at_ns: int
    what: RenderableType


@define
class _Result:
    rows: list[Sequence[str | None]] = field(factory=list)
    kept: int = 0  # rows of the log
    truncated: bool = False


@define
class Screen:
    """Turns what a walk meets into things to print. Rows are gathered until their result is complete."""

    rows_shown: int = 5
    _heads: Heads = field(factory=Heads)
    _results: dict[int, _Result] = field(factory=dict)
    _signed: int = 0  # checkpoints

    def replay(self, walk: Walk) -> Iterator[Shown]:
        at_ns = 0
        for met in walk:
            if isinstance(met, RecordAt) and not isinstance(met.record, SessionStart):
                at_ns = met.record.at_ns
            yield from (Shown(at_ns, what) for what in self._show(met))
        yield from (Shown(at_ns, what) for ticket in list(self._results) for what in self._table(ticket))
        yield Shown(at_ns, _footer(walk, self._signed))

    def _show(self, met: Met) -> Iterator[RenderableType]:
        match met:
            case Finding():
                yield _finding(met)
            case SignedAt():
                self._signed += met.valid is True
            case RecordAt(record=record):
                self._heads.note(record)
                yield from self._record(record)

    def _record(self, record: Record) -> Iterator[RenderableType]:
        match record:
            case SessionStart():
                yield header(record)
            case StatementRecord():
                yield from _statement(record)
            case DecisionRecord():
                yield _line(record.at_ns, record.ticket, _badge(record.action, record.rule, record.request_id))
                yield from _reasons(record.reasons)
            case VerdictRecord():
                yield from _verdict(record)
            case HeadRecord():
                yield from self._table(record.ticket)
                self._open(record.ticket)
            case RowsRecord():
                self._gather(record)
            case CompletionRecord():
                yield from self._table(record.ticket)
                yield _line(record.at_ns, record.ticket, _completion(record))
            case ErrorRecord():
                if record.ticket is not None:
                    yield from self._table(record.ticket)
                yield from _error(record)
            case EventRecord():
                yield _event(record)
            case EndRecord():
                yield _end(record)

    def _open(self, ticket: int) -> _Result:
        if len(self._results) >= RESULTS_OPEN:
            self._results.pop(next(iter(self._results)))
        return self._results.setdefault(ticket, _Result())

    def _gather(self, record: RowsRecord) -> None:
        result = self._results.get(record.ticket) or self._open(record.ticket)
        result.truncated = result.truncated or record.truncated
        for row in self._heads.rows(record):
            result.kept += 1
            if len(result.rows) < self.rows_shown:
                result.rows.append(row)

    def _table(self, ticket: int) -> Iterator[RenderableType]:
        result = self._results.pop(ticket, None)
        if result is None:
            return
        columns = self._heads.columns(ticket)
        if not columns and not result.rows:
            return
        width = len(columns) or max(map(len, result.rows))
        table = Table(box=None, header_style="bold cyan", pad_edge=False, padding=(0, 2, 0, 0))
        for column in columns[:COLUMNS_SHOWN]:
            table.add_column(Text(cut(column.name, CELL_CHARACTERS)), overflow="ellipsis", no_wrap=True)
        for row in result.rows:
            table.add_row(*(_cell(value) for value in row[:COLUMNS_SHOWN]))
        yield _below(table)
        notes = [f"{width - COLUMNS_SHOWN} more columns"] if width > COLUMNS_SHOWN else []
        notes += [f"{result.kept - len(result.rows)} more rows in the log"] if result.kept > len(result.rows) else []
        notes += ["more rows passed than the log keeps"] if result.truncated else []
        if notes:
            yield _below(Text("… " + ", ".join(notes), style="dim"))


def header(start: SessionStart) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    who = marked(start.identity, style="bold")
    if start.groups:
        who.append_text(marked(f"  ({', '.join(start.groups)})", style="default"))
    origin = {"oidc": f"token of {start.issuer}, subject {start.subject}", "user": "user of the gateway"}
    target = f"{start.target_user}@{start.target_host}:{start.target_port}/{start.target_dbname}"
    security = f"TLS {start.tls}" if start.tls not in ("", "yes") else "TLS" if start.tls else "no TLS"
    protocol = f"{start.dialect} {start.protocol}, {security}"
    rows: list[tuple[str, Text]] = [
        ("who", who),
        ("known by", marked(origin.get(start.source, start.source))),
        ("from", marked(start.client + (f", {start.application_name}" if start.application_name else ""))),
        ("database", marked(f"{start.database} → {target}, server {start.server_version}")),
        ("protocol", marked(protocol)),
        ("policy", marked(f"{start.policy} {start.policy_version[:12]}, config {start.config_version[:12]}")),
        ("gateway", marked(f"{start.gateway}, wireproxy {start.wireproxy}")),
        ("started", Text(wall_time(start.started_ns))),
    ]
    for name, value in rows:
        grid.add_row(name, value)
    return Panel(grid, title=Text(f"session {start.session}", style="bold"), title_align="left", border_style="blue")


def offset(at_ns: int) -> str:
    """`+00:01:02.345`, 13 characters up to a hundred hours."""
    seconds, nanoseconds = divmod(max(at_ns, 0), 1_000_000_000)
    return f"+{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{nanoseconds // 1_000_000:03}"


def duration(elapsed_ns: int) -> str:
    if elapsed_ns < 1_000_000:
        return f"{elapsed_ns / 1000:.0f} µs"
    if elapsed_ns < 1_000_000_000:
        return f"{elapsed_ns / 1_000_000:.1f} ms"
    seconds = elapsed_ns // 1_000_000_000
    if seconds < 60:
        return f"{elapsed_ns / 1_000_000_000:.1f} s"
    return f"{seconds // 60}m {seconds % 60:02}s" if seconds < 3600 else f"{seconds // 3600}h {seconds // 60 % 60:02}m"


def size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.1f} kB"
    return f"{count / 1_000_000:.1f} MB" if count < 1_000_000_000 else f"{count / 1_000_000_000:.1f} GB"


def _line(at_ns: int, ticket: int | None, rest: Text) -> Text:
    line = Text(offset(at_ns), style="dim", overflow="fold")
    line.append(f" {'' if ticket is None else f'#{ticket}':>5} ", style="blue")
    return line.append_text(rest)


def _below(what: RenderableType) -> RenderableType:
    return Padding(what, (0, 0, 0, INDENT), expand=False)


def _badge(action: str, rule: str, request_id: str | None) -> Text:
    sign, style = _ACTION.get(action, ("·", "bold"))
    badge = Text(style="not dim")
    badge.append(f"{sign} {'HELD' if action == 'hold' else 'DENIED' if action == 'deny' else cut(action, 20)}", style)
    badge.append(f"  {cut(rule, 60)}" if rule else "", "default")
    badge.append(f"  {cut(request_id, 40)}" if request_id else "", "bold")
    return badge


def _statement(record: StatementRecord) -> Iterator[RenderableType]:
    badge = _badge(record.action, record.rule, record.request_id)
    place = {"T": " · in transaction", "E": " · in failed transaction"}.get(record.transaction, "")
    kinds = " ".join(record.kinds)
    badge.append(f"  {cut(record.stage, 20)}{' · ' if kinds else ''}{cut(kinds, 60)}{place}", "dim")
    yield _line(record.at_ns, record.ticket, badge)
    sql = record.text.decode("utf-8", "backslashreplace")
    yield _below(marked_sql(sql[:SQL_CHARACTERS]))
    notes = [f"{len(sql) - SQL_CHARACTERS} more characters"] if len(sql) > SQL_CHARACTERS else []
    notes += ["cut when it was recorded"] if record.truncated else []
    notes += ["a secret was taken out"] if record.redacted else []
    notes += [f"exact text sha256 {record.digest.hex()}"] if record.digest else []
    if notes:
        yield _below(Text("… " + ", ".join(notes), style="dim"))
    for warning in warnings(sql[:SQL_CHARACTERS]):
        yield _below(Text(f"⚠ {warning}", style="yellow"))
    if record.parameters:
        yield _below(_parameters(record))
    if record.attributes:
        yield _below(_attributes(record))
    if record.action not in ("allow", "observe"):
        yield from _reasons(record.reasons)


def _parameters(record: StatementRecord) -> RenderableType:
    values = show_parameters((record.parameters or ())[:PARAMETERS_SHOWN], record.formats, record.types)
    text = Text(overflow="fold")
    for index, value in enumerate(values, 1):
        text.append(f"${index}", "cyan")
        text.append(" = ", "dim").append_text(_cell(value, 200)).append("  ")
    more = len(record.parameters or ()) - len(values)
    return text.append(f"… {more} more", "dim") if more > 0 else text


def _attributes(record: StatementRecord) -> RenderableType:
    text = Text(overflow="fold")
    for name, value in show_attributes(record.attributes[:PARAMETERS_SHOWN]):
        text.append(cut(name, 80), "cyan").append(" = ", "dim").append_text(_cell(value, 200)).append("  ")
    more = len(record.attributes) - PARAMETERS_SHOWN
    return text.append(f"… {more} more", "dim") if more > 0 else text


def _reasons(reasons: Sequence[str]) -> Iterator[RenderableType]:
    for reason in reasons:
        yield _below(Text("because ", style="dim").append_text(marked(reason[:500], style="not dim")))


def _verdict(record: VerdictRecord) -> Iterator[RenderableType]:
    sign, style = _VERDICT.get(record.verdict, ("⊘", "bold yellow"))
    rest = Text(style="not dim").append(f"{sign} {cut(record.request_id, 40)} {cut(record.verdict, 20).upper()}", style)
    if record.approver:
        rest.append(f" by {cut(record.approver, 100)}", "bold")
    if record.reason:
        rest.append(f" — {cut(record.reason, 300)}")
    yield _line(record.at_ns, record.ticket, rest)


def _completion(record: CompletionRecord) -> Text:
    rest = Text(style="not dim").append("└ ", "dim").append(cut(record.tag, 60))
    parts = [f"{record.rows} row{'' if record.rows == 1 else 's'}"] if record.rows else []
    parts += [size(record.bytes)] if record.bytes else []
    return rest.append(f"  {' · '.join([*parts, duration(record.elapsed_ns)])}", "dim")


def _error(record: ErrorRecord) -> Iterator[RenderableType]:
    severity, code, message = (_field(record, names) for names in _ERROR_FIELDS)
    rest = Text(style="not dim").append(f"✗ {cut(severity or 'ERROR', 20)} {cut(code, 20)} ", "red")
    yield _line(record.at_ns, record.ticket, rest.append_text(marked(message[:1000])))
    for names in _MORE_FIELDS:
        value = _field(record, names)
        if value:
            yield _below(Text(f"{names[1]}: ", style="dim").append_text(marked(value[:1000], style="not dim")))


def _field(record: ErrorRecord, names: Sequence[str]) -> str:
    return next((record.fields[name] for name in names if name in record.fields), "")


def _event(record: EventRecord) -> Text:
    rest = Text(style="not dim").append(f"◆ {cut(record.name, 60)}", "magenta")
    for name, value in list(record.detail.items())[:20]:
        rest.append(f"  {cut(name, 40)}=", "dim").append(cut(value, 200))
    return _line(record.at_ns, None, rest)


def _end(record: EndRecord) -> Text:
    counts = (
        f"{record.statements} statement{'s' * (record.statements != 1)}, {record.held} held, {record.denied} denied, "
        f"{record.errors} error{'s' * (record.errors != 1)}, {record.rows} row{'s' * (record.rows != 1)}, {size(record.bytes)}"
    )
    rest = (
        Text(style="not dim")
        .append("■ end", "bold")
        .append(f"  {cut(record.reason, 200)}")
        .append(f"  {counts}", "dim")
    )
    return _line(record.at_ns, None, rest)


def _cell(value: str | None, characters: int = CELL_CHARACTERS) -> Text:
    if value is None:
        return Text("null", style="dim italic")
    return Text(cut(value, characters))


def _finding(finding: Finding) -> RenderableType:
    return finding_line(finding)


def finding_line(finding: Finding) -> Text:
    line = Text("✗ ", style="bold red", overflow="fold")
    kind = finding.kind.value.replace("_", " ")
    if not finding.message.startswith(kind):
        line.append(f"{kind}  ", "bold red")
    line.append_text(marked(finding.message, style="not bold default"))
    if finding.path is not None:
        where = f"  ({finding.path.name}{'' if finding.offset is None else f' at byte {finding.offset}'})"
        line.append_text(marked(where, style="not bold dim"))
    return line


def _footer(walk: Walk, checkpoints: int) -> RenderableType:
    progress = walk.progress
    lines: list[Text] = []
    if progress.sealed_records:
        lines.append(
            Text(f"{progress.sealed_records} records are encrypted: give the auditors' --private-key", style="yellow")
        )
    if walk.running and not progress.closed:
        lines.append(Text("… the session is still running", style="bold cyan"))
    records = f"{progress.records} records"
    if not walk.verifiers:
        lines.append(Text(f"{records}; signatures were not checked: give --public-key, or use verify", style="dim"))
    elif progress.closed and progress.signed == progress.records and not progress.broken:
        lines.append(Text(f"✓ {records}, all signed ({checkpoints} checkpoints)", style="green"))
    else:
        lines.append(Text(f"{progress.signed} of {records} are signed", style="yellow"))
    return Group(*lines)


def pace(shown: Iterator[Shown], speed: float | None, sleep: Callable[[float], None]) -> Iterator[RenderableType]:
    """Wait between things as long as the session did, `speed` times as fast. None: do not wait."""
    before = 0
    for item in shown:
        if speed and item.at_ns > before:
            sleep((item.at_ns - before) / 1_000_000_000 / speed)
            before = item.at_ns
        yield item.what
