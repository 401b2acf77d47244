"""`wireproxy reload` and `wireproxy status`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wireproxy.cli.calls import call, find_socket, reaches_gateway
from wireproxy.cli.screen import marked, neutral


@click.command()
@reaches_gateway
def reload(socket_option: Path | None, config_option: Path | None) -> None:
    """Make the running gateway read its configuration again. A bad one is refused whole, and the old one stays."""
    answer = call(find_socket(socket_option, config_option), "reload", dict[str, object])
    click.echo("Reloaded.")
    for name, value in answer.items():
        click.echo(f"{neutral(name)}: {neutral(_shown(value))}")


@click.command()
@reaches_gateway
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--sessions", "with_sessions", is_flag=True, help="The open sessions as well.")
def status(socket_option: Path | None, config_option: Path | None, as_json: bool, with_sessions: bool) -> None:
    """Show the running gateway: sessions, holds, versions."""
    path = find_socket(socket_option, config_option)
    found = call(path, "status", dict[str, object])
    sessions = call(path, "sessions.list", list[dict[str, object]]) if with_sessions else None
    if as_json:
        click.echo(json.dumps(found if sessions is None else {**found, "open_sessions": sessions}))
        return
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    console.print(_grid(found))
    for session in sessions or ():
        console.print(Text("—" * 20, "dim"))
        console.print(_grid({**session, **_since(session)}))


def _since(session: Mapping[str, object]) -> dict[str, object]:
    """`started` as a person reads it; in JSON it stays a number."""
    started = session.get("started")
    if not isinstance(started, int | float):
        return {}
    return {"started": datetime.fromtimestamp(started).astimezone().isoformat(" ", "seconds")}


def _grid(fields: Mapping[str, object]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields.items():
        grid.add_row(neutral(name), marked(_shown(value)))
    return grid


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value) or "none"
    return "" if value is None else str(value)
