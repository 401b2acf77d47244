"""`wireproxy check`: how would this statement be judged?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import IO, BinaryIO, TextIO

import click
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from rules.judge import Judge
from rules.masking import MaskSet, OutputColumn
from rules.model import Allow, Decision, Deny, Hold, Judgement, Namespace, Statement, severity
from rules.refusal import describe_statement
from wireproxy.cli.dry_judge import circumstances, judges
from wireproxy.cli.screen import cut, marked, neutral

EXIT = {"allow": 0, "hold": 3, "deny": 4}
STYLE = {"allow": "bold green", "hold": "bold yellow", "deny": "bold red"}
SHOWN_ORIGINS = 6
LONGEST_LINE = 64 * 1024 * 1024  # of a JSON Lines file


@click.command(help="How would this SQL be judged? Exit status 0 allow, 3 hold, 4 deny, for the worst statement.")
@judges
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each statement.")
@click.option(
    "--jsonl", "file", type=click.File("rb"), help='Each line {"id", "sql"} in; {"id", "action", "statements"} out.'
)
@click.option(
    "--live",
    is_flag=True,
    help="Read the catalog of --database, judge with it, and say of each column of a result where it comes from and what it gets.",
)
@click.argument("sql", required=False)
def check(as_json: bool, file: BinaryIO | None, live: bool, sql: str | None, **options: object) -> None:
    if (sql is None) == (file is None):
        raise click.UsageError("give one of SQL, - (standard input) and --jsonl FILE")
    if live and options["policy_name"] is not None:
        raise click.UsageError("--live judges by the policy that the database has for the user: leave --policy out")
    given = circumstances(**options)  # type: ignore[arg-type]
    judge, namespace, masks = given.judge(), given.namespace(), None
    if live:
        from wireproxy.cli.live_judge import live_bench

        bench, namespace = live_bench(given, options["config_option"])  # type: ignore[arg-type]
        judge, masks = bench.judge, bench.masks
    if file is not None:
        sys.exit(check_lines(file, sys.stdout, judge, namespace, masks))
    assert sql is not None
    text = sys.stdin.buffer.read() if sql == "-" else sql.encode("utf-8", "surrogateescape")
    sys.exit(check_text(text, sys.stdout, judge, namespace, as_json=as_json, masks=masks))


def check_text(
    text: bytes, output: TextIO, judge: Judge, namespace: Namespace, *, as_json: bool, masks: MaskSet | None = None
) -> int:
    """Judges one text; the exit status."""
    judgement = judge.judge(text, namespace)
    columns = columns_of(masks, text, judgement, namespace)
    if as_json:
        for found in statement_objects(judgement, columns):
            output.write(json.dumps(found) + "\n")
    else:
        console = Console(file=output, highlight=False, markup=False, emoji=False)
        if not judgement.statements:
            console.print("no statement: nothing would run")
        for statement, decision in zip(judgement.statements, judgement.decisions, strict=True):
            shown = columns[statement.index] if statement.index < len(columns) else ()
            console.print(_screen(statement, decision, shown))
    return EXIT[action_of(judgement.decision)]


def columns_of(
    masks: MaskSet | None, text: bytes, judgement: Judgement, namespace: Namespace
) -> tuple[tuple[OutputColumn, ...], ...]:
    """The columns of each statement's result; none where nothing is masked, or where a text was not understood."""
    if masks is None or any(statement.opaque is not None for statement in judgement.statements):
        return ()
    return masks.explain(text.decode("utf-8", "replace"), namespace)


def check_lines(
    lines: IO[bytes], output: TextIO, judge: Judge, namespace: Namespace, masks: MaskSet | None = None
) -> int:
    """Judges each line of a JSON Lines file. A line that is not as it should be is answered with an error, and the
    exit status is then 1; else it is that of the worst statement."""
    worst, failed = 0, False
    for line in _lines(lines):
        try:
            entry = json.loads(line)
            sql = entry["sql"]
            text = sql.encode("utf-8", "surrogatepass")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            failed = True
            said = f'not a line with "sql": {type(error).__name__}'
            output.write(json.dumps({"id": None, "error": said}) + "\n")
            continue
        judgement = judge.judge(text, namespace)
        worst = max(worst, severity(judgement.decision))
        statements = list(statement_objects(judgement, columns_of(masks, text, judgement, namespace)))
        answer = {"id": entry.get("id"), "action": action_of(judgement.decision), "statements": statements}
        output.write(json.dumps(answer) + "\n")
    return 1 if failed else (0, 3, 4)[worst]


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE):
        if line.strip():
            yield line


def action_of(decision: Decision) -> str:
    match decision:
        case Allow():
            return "allow"
        case Hold():
            return "hold"
        case Deny():
            return "deny"


def statement_objects(
    judgement: Judgement, columns: Sequence[Sequence[OutputColumn]] = ()
) -> Iterator[dict[str, object]]:
    """What `check --json` shows of each statement. Keys are only ever added. `columns`: of each statement's result."""
    for statement, decision in zip(judgement.statements, judgement.decisions, strict=True):
        shown = columns[statement.index] if statement.index < len(columns) else ()
        yield {
            "kind": statement.kind.value,
            "action": action_of(decision),
            "rule": decision.rule,
            "reasons": list(decision.reasons),
            "hint": "" if isinstance(decision, Allow) else decision.hint,
            "observe": isinstance(decision, Allow) and decision.observe,
            "effects": sorted(statement.effects),
            "relations": [
                {"schema": each.schema, "name": each.name, "access": each.access.value} for each in statement.relations
            ],
            "functions": [str(function) for function in statement.functions],
            "settings": [{"name": each.name, "value": each.value, "scope": each.scope} for each in statement.settings],
            "opaque": statement.opaque,
            "root": statement.root,
            "has_where": statement.has_where,
            "trivial_where": statement.trivial_where,
            "index": statement.index,
            "text": statement.text,
            "columns": [
                {"name": each.name, "from": list(each.origins), "masked": list(each.masked), "gets": each.treatment}
                for each in shown
            ],
        }


def _screen(statement: Statement, decision: Decision, columns: Sequence[OutputColumn] = ()) -> RenderableType:
    action = action_of(decision)
    head = Text(f"{action:<6}", STYLE[action])
    head.append(neutral(describe_statement(statement)), "default bold")
    head.append(f"  by rule {neutral(decision.rule)}", "default not bold dim")
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=5)
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    grid.add_row("", "sql", marked(cut(statement.text, 200), style="italic"))
    for label, words in _facts(statement, decision):
        grid.add_row("", label, neutral(words))
    for number, column in enumerate(columns):
        grid.add_row("", "" if number else "columns", neutral(_described(column)))
    return Group(head, grid, "")


def _described(column: OutputColumn) -> str:
    name = "every column" if column.name is None else column.name
    told = column.masked or column.origins
    origins = f" from {', '.join(told[:SHOWN_ORIGINS])}" if told else ""
    if len(told) > SHOWN_ORIGINS:
        origins += f" and {len(told) - SHOWN_ORIGINS} more"
    return f"{name}{origins}: {column.treatment}"


def _facts(statement: Statement, decision: Decision) -> Iterator[tuple[str, str]]:
    yield "kind", f"{statement.kind} ({', '.join(sorted(statement.effects))})"
    if decision.reasons:
        yield "why", "; ".join(decision.reasons)
    if not isinstance(decision, Allow) and decision.hint:
        yield "instead", decision.hint
    if isinstance(decision, Hold) and decision.approvers:
        yield "approvers", f"{decision.quorum} of {', '.join(sorted(decision.approvers))}"
    if statement.relations:
        yield "relations", ", ".join(f"{each} ({each.access})" for each in statement.relations)
    if statement.functions:
        yield "functions", ", ".join(f"{each}{'' if each.known else ' (unknown)'}" for each in statement.functions)
