"""`wireproxy unmask grant|list|revoke`, and `wireproxy masks`: what changes about masks while the gateway runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from wireproxy.cli.calls import call, find_socket, reaches_gateway
from wireproxy.cli.log_place import seconds_of
from wireproxy.cli.screen import marked, neutral
from wireproxy.exemptions import Inherited, Unmasking

_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on a line.")
_as = click.option("--as", "approver", metavar="NAME", help="Which approver you are, if your account may be several.")


@click.group()
def unmask() -> None:
    """Show a masked column to a user or a group for a time. Only approvers may, and not for themselves."""


@unmask.command("grant")
@reaches_gateway
@_as
@click.option("--column", required=True, metavar="GLOB", help="schema.table.column; * and ? stand for any letters.")
@click.option("--to", required=True, metavar="NAME", help="A user, or a group.")
@click.option("--for", "duration", required=True, metavar="TIME", help="30m, 1h, 2d.")
@click.option("--database", default="*", metavar="NAME", help="Only in this database [all].")
@click.option("--reason", default="", help="For the log.")
def grant(
    socket_option: Path | None,
    config_option: Path | None,
    approver: str | None,
    column: str,
    to: str,
    duration: str,
    database: str,
    reason: str,
) -> None:
    """Unmask a column from now on until the time is over."""
    found = call(
        find_socket(socket_option, config_option), "unmask.grant", Unmasking, column=column, to=to,
        for_s=seconds_of(duration, "--for"), database=database, reason=reason, approver=approver,
    )  # fmt: skip
    click.echo(f"{found.id}: {neutral(found.to)} sees {neutral(found.column)} until {_time(found.ends_ns)}.")
    click.echo(f"To end it earlier: wireproxy unmask revoke {found.id}")


@unmask.command("list")
@reaches_gateway
@_json
def listing(socket_option: Path | None, config_option: Path | None, as_json: bool) -> None:
    """What is unmasked now, for whom, until when."""
    found = call(find_socket(socket_option, config_option), "unmask.list", list[Unmasking])
    if as_json:
        for each in found:
            click.echo(json.dumps(msgspec.to_builtins(each)))
    elif not found:
        click.echo("Nothing is unmasked.")
    else:
        rows = [
            (each.id, each.column, each.to, each.database, _time(each.ends_ns), each.approver, each.reason)
            for each in found
        ]
        _print(("id", "column", "to", "database", "until", "by", "reason"), rows)


@unmask.command("revoke")
@reaches_gateway
@_as
@click.argument("grant_id", metavar="ID")
def revoke(socket_option: Path | None, config_option: Path | None, approver: str | None, grant_id: str) -> None:
    """End it now."""
    found = call(find_socket(socket_option, config_option), "unmask.revoke", Unmasking, id=grant_id, approver=approver)
    click.echo(f"{found.id}: {neutral(found.column)} is masked again for {neutral(found.to)}.")


@click.command()
@reaches_gateway
@_json
@_as
@click.option(
    "--forget", nargs=2, metavar="DATABASE COLUMN", help="Take the mask away: the column was emptied or dropped."
)
def masks(
    socket_option: Path | None,
    config_option: Path | None,
    as_json: bool,
    approver: str | None,
    forget: tuple[str, str] | None,
) -> None:
    """List the columns that inherited a mask from what was written into them, and from where."""
    socket = find_socket(socket_option, config_option)
    if forget is not None:
        database, column = forget
        call(socket, "masks.forget", object, database=database, column=column, approver=approver)
        click.echo(f"{neutral(column)} of {neutral(database)} has no inherited mask any more.")
        return
    found = call(socket, "masks.list", list[Inherited])
    if as_json:
        for each in found:
            click.echo(json.dumps(msgspec.to_builtins(each)))
    elif not found:
        click.echo("No column has inherited a mask.")
    else:
        rows = [
            (
                each.database,
                f"{each.move.schema}.{each.move.relation}.{each.move.column}",
                ", ".join(f"{source.schema}.{source.relation}.{source.column}" for source in each.move.sources),
                each.identity,
                _time(each.at_ns),
            )
            for each in found
        ]
        _print(("database", "column", "from", "written by", "at"), rows)


def _time(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9).astimezone().isoformat(" ", "seconds")


def _print(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(marked(cell) for cell in row))
    Console(file=sys.stdout, highlight=False, markup=False, emoji=False).print(table)
