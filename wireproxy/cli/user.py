"""`wireproxy user add|list|revoke` and `wireproxy token`."""

from __future__ import annotations

import errno
import json
import secrets
import sys
import time
from pathlib import Path

import click
import trio
from attrs import frozen

from protocols.mysql import caching_sha2
from protocols.mysql.authentication import make_native_verifier, read_native_verifier
from protocols.postgres.scram import SALT_BYTES, make_verifier, parse_verifier
from wireproxy.cli.calls import Failed, find_config, load_config
from wireproxy.cli.screen import neutral
from wireproxy.cli.user_block import Change, EditRefused, User, added, block, listed, removed, rewrite
from wireproxy.config.model import Config, OidcIssuer
from wireproxy.identity import may_connect, policy_for
from wireproxy.jwks import KeySource, key_source
from wireproxy.tokens import TokenRefused, Unverified, Verified, choose_issuer, parse_token, verify_token

GENERATED_BYTES = 24  # 192 bits: a guess is hopeless even against a stolen verifier
SHORT_CHARACTERS = 12
LONGEST_NAME_BYTES = 63  # PostgreSQL's limit of a user name

_config = click.option(
    "-c", "--config", "config_option", type=click.Path(path_type=Path, dir_okay=False), envvar="WIREPROXY_CONFIG",
    help="The configuration to change.",
)  # fmt: skip
_RELOAD = "Run `wireproxy reload` to make it count."


@click.group()
def user() -> None:
    """Add, list and revoke users of the gateway."""


@user.command()
@_config
@click.option("--group", "groups", multiple=True, metavar="G", help="A group of the user; may be given several times.")
@click.option("--generate", is_flag=True, help="Make a password and show it, once.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@click.option(
    "--replace", is_flag=True, help="Give a user who is there already a new password (and groups, if any are named)."
)
@click.option(
    "--mysql-native",
    is_flag=True,
    help="Also for MySQL drivers that know mysql_native_password alone: who steals what checks it can log in with it.",
)
@click.argument("name")
def add(
    *,
    config_option: Path | None,
    groups: tuple[str, ...],
    generate: bool,
    password_stdin: bool,
    replace: bool,
    mysql_native: bool,
    name: str,
) -> None:
    """Add a user, or give one a new password.

    With -c the configuration is changed, else, and where it cannot be written, the block to put there is printed. It has no
    password, but what checks one.
    """
    _check_name(name)
    for group in groups:
        _check_name(group)
    password = _password(generate, password_stdin)
    scram = str(make_verifier(password, secrets.token_bytes(SALT_BYTES)))
    native = make_native_verifier(password) if mysql_native else None
    made = User(name, scram, _mysql_verifier(password), groups, native)
    if config_option is None:
        click.echo(block(made), nl=False)
        click.echo("Put this into wireproxy.toml, or name the file with -c. " + _RELOAD, err=True)
    elif _change(config_option, lambda text: added(text, made, replace=replace)):
        click.echo(f"{config_option}: {name} may log in. {_RELOAD}", err=True)
    else:
        click.echo(block(made), nl=False)
        click.echo(f"{config_option} cannot be changed from here: put this into it. {_RELOAD}", err=True)
    if generate:
        click.echo(f"Password of {name}, shown this once: {password}", err=True)


@user.command(name="list")
@_config
@click.option("--json", "as_json", is_flag=True, help="One JSON object on a line.")
def list_users(config_option: Path | None, as_json: bool) -> None:
    """List the users of the configuration, and how each can log in."""
    path = find_config(config_option)
    for found in _read(path):
        ways = [
            name
            for name, there in (
                ("scram-sha-256", found.verifier),
                ("caching_sha2_password", found.mysql_verifier),
                ("mysql_native_password", found.mysql_native_verifier),
            )
            if there
        ]
        if as_json:
            click.echo(
                json.dumps(
                    {"name": found.name, "groups": sorted(found.groups), "verifiers": ways, "usable": _usable(found)}
                )
            )
            continue
        groups = ", ".join(sorted(found.groups)) or "no groups"
        note = "" if _usable(found) else "  (its verifier is broken: add it again)"
        click.echo(neutral(f"{found.name}  {groups}  {', '.join(ways) or 'cannot log in'}{note}"))


@user.command()
@_config
@click.argument("name")
def revoke(config_option: Path | None, name: str) -> None:
    """Take a user out of the configuration. After a reload, their open sessions end as well."""
    path = find_config(config_option)
    if not _change(path, lambda text: removed(text, name)):
        raise Failed(f"{path} cannot be changed from here: take [user.{neutral(name)}] out where it is kept")
    click.echo(f"{path}: {neutral(name)} is out. {_RELOAD}", err=True)


def _check_name(name: str) -> None:
    """Raises Failed. A name stands in logs, requests and policies: one that does not print could pass for another."""
    if not name or neutral(name) != name or name != name.strip():
        raise Failed("a name has printable characters, and no blank at its ends")
    if len(name.encode()) > LONGEST_NAME_BYTES:
        raise Failed(f"a name has at most {LONGEST_NAME_BYTES} bytes")


def _password(generate: bool, from_stdin: bool) -> str:
    if generate and from_stdin:
        raise click.UsageError("choose one of --generate and --password-stdin")
    if generate:
        return secrets.token_urlsafe(GENERATED_BYTES)
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        raise Failed("no terminal to ask for a password: use --generate, or --password-stdin")
    if not password or "\0" in password:
        raise Failed("a password is not empty, and has no NUL")
    if len(password) < SHORT_CHARACTERS:
        click.echo(
            f"This password has fewer than {SHORT_CHARACTERS} characters; --generate makes one that cannot be guessed.",
            err=True,
        )
    return password


def _mysql_verifier(password: str) -> str | None:
    salt = "".join(secrets.choice(caching_sha2.SALT_ALPHABET) for _ in range(caching_sha2.SALT_BYTES))
    try:
        return caching_sha2.make_verifier(password, salt)
    except ValueError as error:
        click.echo(f"No login over MySQL's protocol with this one: {error}.", err=True)
        return None


def _usable(found: User) -> bool:
    """Some way in is there, and none is broken."""
    checks = (
        (found.verifier, parse_verifier),
        (found.mysql_verifier, caching_sha2.check_verifier),
        (found.mysql_native_verifier, read_native_verifier),
    )
    try:
        there = [check(verifier) for verifier, check in checks if verifier is not None]
    except ValueError:
        return False
    return bool(there)


def _read(path: Path) -> list[User]:
    try:
        return listed(path.read_text(encoding="utf-8"))
    except (EditRefused, OSError, UnicodeDecodeError) as error:
        raise Failed(f"{path}: {error}") from error


def _change(path: Path, change: Change) -> bool:
    """Whether it was written: the configuration of a container is mounted read-only, and kept elsewhere."""
    try:
        rewrite(path, change)
    except (EditRefused, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.EBUSY):
            return False
        raise Failed(f"{path}: {error}") from error
    return True


@frozen
class _Look:
    """What would come of a token at one issuer."""

    issuer: OidcIssuer
    verified: Verified | None
    refused: str | None


@click.command()
@_config
@click.option("--user", "name", help="The user name it would come with [the token's own].")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def token(config_option: Path | None, name: str | None, as_json: bool) -> None:
    """Look into an OIDC token from standard input: would it be accepted, and as whom?

    Exit status 0 if it would, 1 if not. The token itself is never shown.
    """
    config = load_config(find_config(config_option))
    try:
        unverified = parse_token(sys.stdin.read().strip().encode())
        look = trio.run(_look, config, unverified, name)
    except TokenRefused as error:
        raise Failed(f"refused: {neutral(str(error))}") from error
    _report(config, unverified, look, as_json)
    if look.verified is None:
        sys.exit(1)


async def _look(config: Config, unverified: Unverified, name: str | None) -> _Look:
    issuer = choose_issuer(unverified, list(config.oidc.values()))
    own = unverified.claims.get(issuer.user_claim)
    asked = name if name is not None else own if isinstance(own, str) else ""
    source: KeySource = key_source(issuer, lambda text: click.echo(neutral(text), err=True))
    try:
        return _Look(issuer, await verify_token(unverified, issuer, source, asked, time.time()), None)
    except TokenRefused as error:
        return _Look(issuer, None, str(error))


def _report(config: Config, unverified: Unverified, look: _Look, as_json: bool) -> None:
    identity = None if look.verified is None else look.verified.identity
    databases = {
        database.name: policy_for(database, identity)
        for database in config.databases.values()
        if identity is not None and may_connect(database, identity)
    }
    found: dict[str, object] = {
        "accepted": identity is not None,
        "reason": look.refused,
        "issuer": look.issuer.name,
        "user": None if identity is None else identity.name,
        "groups": [] if identity is None else sorted(identity.groups),
        "databases": databases,
        "expires": None if look.verified is None else look.verified.expires,
        "header": dict(unverified.header),
        "claims": dict(unverified.claims),
    }
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo("accepted" if identity is not None else f"refused: {neutral(look.refused or '')}")
    for key in ("issuer", "user", "groups", "databases", "header", "claims"):
        click.echo(neutral(f"{key:<10} {json.dumps(found[key], ensure_ascii=False)}"))
