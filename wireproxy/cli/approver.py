"""`wireproxy approver token`: a bearer token for the HTTP API."""

from __future__ import annotations

import secrets
from hashlib import sha256

import click

TOKEN_BYTES = 32


@click.group()
def approver() -> None:
    """Tokens with which approvers use the HTTP API."""


@approver.command()
def token() -> None:
    """Make a token and show it, once, with the line that lets an approver use it."""
    made = f"wpa_{secrets.token_urlsafe(TOKEN_BYTES)}"
    click.echo(f"token: {made}")
    click.echo("For the approver's table in wireproxy.toml, which keeps only its digest:", err=True)
    click.echo(f'token_sha256 = ["{sha256(made.encode()).hexdigest()}"]')
