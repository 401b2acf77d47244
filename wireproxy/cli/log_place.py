"""Where the session logs and the keys to them are, and what else the commands that read them share."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO, TypeVar

import click
from attrs import frozen
from rich.console import Console

from wireproxy.cli.calls import CONFIG_PLACES, Failed
from wireproxy.log.books import Verifiers, key_ring
from wireproxy.log.sealing import AuditorKey
from wireproxy.log.signing import PUBLIC_NAME, KeyFileError, load_public_keys

Command = TypeVar("Command", bound=Callable[..., object])


@frozen
class Place:
    """Where the logs are, and the keys to them."""

    directory: Path
    verifiers: Verifiers
    auditor: AuditorKey | None
    keys_from: str  # for a person: which file said whose signature counts


def finds_logs(command: Command) -> Command:
    """Adds the options that say where the logs and the keys are; the command gets them as `place`, ready."""
    options = (
        click.option("-c", "--config", type=click.Path(path_type=Path, dir_okay=False), envvar="WIREPROXY_CONFIG",
                     help="The gateway's configuration [wireproxy.toml, then /etc/wireproxy/wireproxy.toml]."),
        click.option("--directory", type=click.Path(path_type=Path, file_okay=False), help="The log directory itself."),
        click.option("--public-key", "public_keys", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
                     help=f"The gateway's {PUBLIC_NAME}; after a change of keys, all of them."),
        click.option("--private-key", type=click.Path(path_type=Path, dir_okay=False),
                     help="An auditor's X25519 key, for encrypted logs."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def find_place(
    config: Path | None, directory: Path | None, public_keys: tuple[Path, ...], private_key: Path | None
) -> Place:
    """Raises Failed, with the next step."""
    given = directory is not None
    if directory is None:
        directory, beside = _from_config(config)
    else:
        beside = (directory / PUBLIC_NAME, directory.parent / PUBLIC_NAME)
    if not given and not directory.exists():
        raise Failed(f"{directory} is not there yet: no gateway has recorded a session with this configuration")
    if not directory.is_dir():
        raise Failed(
            f"{directory} is not a folder: give the log directory with --directory, or the configuration with -c"
        )
    paths = public_keys or tuple(path for path in beside if path.is_file())[:1]
    try:
        verifiers = key_ring(key for path in paths for key in load_public_keys(path))
        auditor = None if private_key is None else AuditorKey.load(private_key)
    except (OSError, KeyFileError) as error:
        raise Failed(str(error)) from None
    return Place(directory, verifiers, auditor, ", ".join(str(path) for path in paths))


def _from_config(config: Path | None) -> tuple[Path, tuple[Path, ...]]:
    path = config or next((place for place in CONFIG_PLACES if place.is_file()), None)
    if path is None:
        raise Failed("there is no wireproxy.toml here: give it with -c, or the log directory with --directory")
    from wireproxy.config.load import ConfigErrors, load

    try:
        loaded = load(path)
    except ConfigErrors as error:
        raise Failed(str(error)) from None
    key = loaded.log.signing_key or loaded.state_dir / "gateway.key"
    return loaded.log.directory, (key.parent / PUBLIC_NAME,)


_AGO = re.compile(r"(\d{1,6})([smhdw])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def seconds_of(text: str, option: str) -> float:
    """`30m`, `1h`, `2d` as seconds. Raises click.BadParameter."""
    found = _AGO.match(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no length of time: give 30m, 1h or 2d", param_hint=option)
    return timedelta(**{_UNITS[found[2]]: int(found[1])}).total_seconds()


def since_ns(text: str | None, now_ns: int) -> int:
    """`2h` before now, or a date or time (UTC unless it says otherwise), in wall nanoseconds. Raises click.BadParameter."""
    if text is None:
        return 0
    ago = _AGO.match(text)
    if ago is not None:
        delta = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return now_ns - int(delta.total_seconds()) * 1_000_000_000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time: give 2h, 3d or 2026-03-01T12:00", param_hint="--since"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1_000_000_000


def console(stream: TextIO) -> Console:
    return Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=False)


def print_json(stream: TextIO, value: object) -> None:
    """ASCII alone: escapes of the terminal and direction marks stay escapes of JSON."""
    stream.write(json.dumps(value) + "\n")
