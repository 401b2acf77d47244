"""`wireproxy approvals`, `show`, `approve`, `deny`, `preview`, `watch`: the desk on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.live import Live

from wireproxy.cli import request_screen
from wireproxy.cli.calls import call, find_socket, reaches_gateway, stream
from wireproxy.cli.screen import cut, neutral
from wireproxy.request_view import RequestView

_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on a line.")
_as = click.option("--as", "approver", metavar="NAME", help="Which approver you are, if your account may be several.")


def _console() -> Console:
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def _print_json(value: object) -> None:
    """ASCII alone: escapes of the terminal and direction marks stay escapes of JSON."""
    click.echo(json.dumps(msgspec.to_builtins(value)))


@click.command()
@reaches_gateway
@_json
@click.option("--all", "closed", is_flag=True, help="The decided ones as well.")
def approvals(socket_option: Path | None, config_option: Path | None, as_json: bool, closed: bool) -> None:
    """List the requests that wait for a decision."""
    requests = call(find_socket(socket_option, config_option), "approvals.list", list[RequestView], closed=closed)
    if as_json:
        for request in requests:
            _print_json(request)
    elif not requests:
        click.echo("Nothing waits." if not closed else "There were no requests yet.")
    else:
        _console().print(request_screen.listing(requests))


@click.command()
@reaches_gateway
@_json
@click.argument("request_id", metavar="ID")
def show(socket_option: Path | None, config_option: Path | None, as_json: bool, request_id: str) -> None:
    """Show one request in full."""
    request = call(find_socket(socket_option, config_option), "approvals.show", RequestView, id=request_id)
    if as_json:
        _print_json(request)
    else:
        _console().print(request_screen.page(request))


@click.command()
@reaches_gateway
@_as
@click.option("--reason", default="", help="For the log, and for whoever asked.")
@click.argument("request_id", metavar="ID")
def approve(
    socket_option: Path | None, config_option: Path | None, approver: str | None, reason: str, request_id: str
) -> None:
    """Approve a request: its statement may run once."""
    path = find_socket(socket_option, config_option)
    request = call(path, "approvals.approve", RequestView, id=request_id, reason=reason, approver=approver)
    click.echo(f"{request.id}: {cut(request.sql, 100)}")
    if request.missing:
        click.echo(f"Your approval counts; {request.missing} more needed, from someone else.")
    elif request.awaited:
        click.echo(f"Approved: {neutral(request.identity.name)} waits for it, it runs now.")
    else:
        until = request_screen.clock_time(request.expires)
        click.echo(f"Approved: it runs when {neutral(request.identity.name)} sends it again, until {until}.")


@click.command()
@reaches_gateway
@_as
@click.option("--reason", required=True, help="For the log, and for whoever asked.")
@click.argument("request_id", metavar="ID")
def deny(
    socket_option: Path | None, config_option: Path | None, approver: str | None, reason: str, request_id: str
) -> None:
    """Deny a request, or take back an approval that was not used yet."""
    path = find_socket(socket_option, config_option)
    request = call(path, "approvals.deny", RequestView, id=request_id, reason=reason, approver=approver)
    click.echo(f"{request.id}: {cut(request.sql, 100)}\nDenied; {neutral(request.identity.name)} is told why.")


@click.command()
@reaches_gateway
@_as
@_json
@click.argument("request_id", metavar="ID")
def preview(
    socket_option: Path | None, config_option: Path | None, approver: str | None, as_json: bool, request_id: str
) -> None:
    """Run a held statement in a transaction that is rolled back, and show its effect.

    Sequences advance and locks are held for a moment, as with any rolled back statement.
    """
    path = find_socket(socket_option, config_option)
    effect = call(path, "approvals.preview", dict[str, object], id=request_id, approver=approver)
    if as_json:
        _print_json(effect)
    else:
        _console().print(request_screen.effect(effect))


@click.command()
@reaches_gateway
@_json
def watch(socket_option: Path | None, config_option: Path | None, as_json: bool) -> None:
    """Follow the requests as they come; Ctrl-C ends it. A live table on a terminal, else a line for each change."""
    events = stream(find_socket(socket_option, config_option), "approvals.watch", RequestView)
    try:
        if as_json or not sys.stdout.isatty():
            _watch_lines(events, as_json)
        else:
            _watch_live(events)
    except KeyboardInterrupt:
        return


def _watch_lines(events: Iterator[tuple[str, RequestView | None]], as_json: bool) -> None:
    for event, request in events:
        if as_json:
            _print_json({"event": event, "request": request})
        elif request is not None:
            click.echo(request_screen.line(request))


def _watch_live(events: Iterator[tuple[str, RequestView | None]]) -> None:
    known: dict[str, RequestView] = {}
    closed: list[RequestView] = []
    with Live(console=_console(), auto_refresh=False, screen=False) as live:
        for event, request in events:
            if request is not None and event == "open":
                known[request.id] = request
            elif request is not None:
                known.pop(request.id, None)
                closed = [*closed, request][-5:]
            live.update(request_screen.listing([*closed, *known.values()]), refresh=True)
