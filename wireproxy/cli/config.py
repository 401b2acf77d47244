"""`wireproxy config check`: is this file fit to run with?"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from attrs import asdict
from rich.console import Console
from rich.text import Text

from wireproxy.cli.calls import find_config
from wireproxy.cli.screen import marked, neutral
from wireproxy.config.load import ConfigErrors, ConfigProblem, load_with_warnings
from wireproxy.config.model import Config

Echo = Callable[[str], object]


@click.group()
def config() -> None:
    """Check a configuration file."""


@config.command("check")
@click.option(
    "-c", "--config", "config_option", type=click.Path(path_type=Path, dir_okay=False), envvar="WIREPROXY_CONFIG",
    help="The file [wireproxy.toml, then /etc/wireproxy/wireproxy.toml].",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each finding.")
@click.option("--live", is_flag=True, help="Look into the databases too: unmasked copies of masked columns.")
@click.argument("path", required=False, type=click.Path(path_type=Path))
def check(config_option: Path | None, as_json: bool, live: bool, path: Path | None) -> None:
    """Say everything that is wrong with the file, with lines. Exit status 0 if the gateway would start with it, else 1.

    With --live, it is 1 as well if the catalog of a database cannot be read.
    """
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    sys.exit(check_file(path or find_config(config_option), console, as_json=as_json, live=live))


def check_file(path: Path, console: Console, *, as_json: bool = False, live: bool = False) -> int:
    try:
        config, problems = load_with_warnings(path)
    except ConfigErrors as error:
        _show(error.problems, console, as_json)
        if not as_json:
            count = len(error.problems)
            console.print(Text(f"{count} error{'s' if count != 1 else ''}; the gateway would not start.", style="bold"))
        return 1
    _show(problems, console, as_json)
    status = _show_live(config, console, as_json) if live else 0
    if not as_json and not status:
        console.print(_summary(config), soft_wrap=True)
    return status


def _show_live(config: Config, console: Console, as_json: bool) -> int:
    from wireproxy.cli.config_live import live_findings  # what reads databases takes its time to load

    status = 0
    for found in live_findings(config):
        status = max(status, int(found.severity == "error"))
        if as_json:
            console.out(json.dumps(asdict(found)))
            continue
        text = marked(f"database {found.database}: ", style="dim")
        text.append(f"{found.severity}: ", "bold red" if found.severity == "error" else "bold yellow")
        text.append(neutral(found.message))
        if found.suggestion:
            text.append(f"; {neutral(found.suggestion)}", "green")
        console.print(text, soft_wrap=True)
    return status


def _show(problems: Iterable[ConfigProblem], console: Console, as_json: bool) -> None:
    for problem in problems:
        if as_json:
            console.out(json.dumps(_object(problem)))
        else:
            console.print(_line(problem), soft_wrap=True)


def _object(problem: ConfigProblem) -> dict[str, object]:
    return {
        "severity": problem.severity, "file": str(problem.file), "line": problem.line or None, "key": problem.key,
        "message": problem.message, "suggestion": problem.suggestion,
    }  # fmt: skip


def _line(problem: ConfigProblem) -> Text:
    text = marked(problem.place, style="dim")
    text.append(f"{problem.severity}: ", "bold red" if problem.severity == "error" else "bold yellow")
    if problem.key:
        text.append(f"{neutral(problem.key)}: ", "bold")
    text.append(neutral(problem.message))
    if problem.suggestion:
        text.append(f"; {neutral(problem.suggestion)}", "green")
    return text


def _summary(config: Config) -> Text:
    listeners = ", ".join(f"{each.dialect.value} on {each.host}:{each.port}" for each in config.listen)
    text = Text("fine: ", style="bold green")
    databases = ", ".join(f"{each.name} ({each.policy})" for each in config.databases.values())
    text.append(
        f"{listeners}; {'database' if len(config.databases) == 1 else 'databases'} {databases}; "
        f"{_counted(len(config.users), 'user')}, {_counted(len(config.approvers), 'approver')}, "
        f"{_counted(len(config.masks), 'mask')}; version {config.version}",
        "not bold default",
    )
    return text


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
