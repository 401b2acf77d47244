"""`wireproxy serve`: run the gateway until SIGTERM."""

from __future__ import annotations

import gc
import logging
import resource
import signal
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import click
import structlog
import trio

from wireproxy.api import ApiError
from wireproxy.cli.screen import neutral
from wireproxy.config.load import ConfigErrors, load
from wireproxy.config.model import Config
from wireproxy.control import ControlError
from wireproxy.gateway import Gateway
from wireproxy.log import KeyFileError, LogError
from wireproxy.metrics import HttpError
from wireproxy.store.model import StoreError
from wireproxy.tls import TlsError

YOUNG_OBJECTS = (
    10_000  # more than were freed since, before a collection; Python's own 700 is a few reads of a busy gateway
)


@click.command(help="Run the gateway.")
@click.option(
    "-c", "--config", "path", type=click.Path(path_type=Path), default=Path("wireproxy.toml"), show_default=True,
    envvar="WIREPROXY_CONFIG", help="The configuration file.",
)  # fmt: skip
@click.option("--json-log", is_flag=True, help="Diagnostics as one JSON object a line.")
def serve(path: Path, json_log: bool) -> None:
    configure_diagnostics(json_log)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a session has two sockets and up to two files of its log
    try:
        config = load(path)
    except ConfigErrors as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    try:
        trio.run(run, config)
    except* (ApiError, ControlError, HttpError, KeyFileError, LogError, StoreError, TlsError, OSError) as group:
        for cause in leaves(group):
            click.echo(f"wireproxy: cannot start: {cause}", err=True)
        sys.exit(1)


def leaves(group: BaseExceptionGroup[Exception]) -> Iterator[BaseException]:
    """What went wrong itself: each nursery that it passes puts it into one more group, whose text says nothing."""
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from leaves(each)
        else:
            yield each


async def run(config: Config) -> None:
    # approvers reach the control socket through it by their group; every secret in it has a mode of its own
    config.state_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    config.log.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    gateway = Gateway(config)
    with trio.open_signal_receiver(signal.SIGHUP, signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_heed, gateway, signals)
            await nursery.start(gateway.run)
            settle()
            structlog.get_logger("gateway").info("ready", sessions=config.limits.sessions)
            await gateway.stopped.wait()


def settle() -> None:
    """Keep what was loaded out of the cycle collector's sight: a full collection stopped every session for some 60 ms.

    Parsers, grammars and function tables are over 100,000 objects that live as long as the process.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)


async def _heed(gateway: Gateway, signals: object) -> None:
    log = structlog.get_logger("gateway")
    async for number in signals:  # type: ignore[attr-defined]
        if number == signal.SIGHUP:
            try:
                await gateway.reload()
            except (ConfigErrors, ValueError) as error:
                log.error("reload_refused", errors=str(error))
        else:
            await gateway.drain()
            return


def _in_one_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A client chooses its user name before it has proved anything: it may not write on the operator's terminal."""
    return {name: neutral(value) if isinstance(value, str) else value for name, value in event.items()}


class Diagnostics:
    """Lines for the operator. One that cannot be written is lost.

    Were a full disk, or a pipe that nobody reads any more, an error here, a client that is refused would end everybody's sessions.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def msg(self, message: str) -> None:
        with suppress(OSError):
            print(message, file=self._file, flush=True)

    debug = info = warning = error = critical = msg


def configure_diagnostics(json_log: bool) -> None:
    """Diagnostics go to standard error; what sessions do goes into the session logs alone."""
    renderer = structlog.processors.JSONRenderer() if json_log else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            _in_one_line,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        logger_factory=lambda *_: Diagnostics(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
