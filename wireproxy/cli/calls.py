"""How commands reach the running gateway: its control socket, found through the configuration, an option or the environment."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from wireproxy.cli.screen import neutral
from wireproxy.config.model import Config

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., object])

TIMEOUT_S = 75.0  # longer than the gateway's own limits for a preview or a reload
CONFIG_PLACES = (Path("wireproxy.toml"), Path("/etc/wireproxy/wireproxy.toml"))


class Failed(click.ClickException):
    """Exit status 1. The message names the next step."""

    exit_code = 1


class _Answer(msgspec.Struct):
    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    kind: str = ""
    event: str = ""
    request: msgspec.Raw = msgspec.Raw(b"null")


def reaches_gateway(command: Command) -> Command:
    """Adds `-c` and `--socket` to a command, which then gets `socket_path`: where the gateway listens."""
    command = click.option(
        "--socket",
        "socket_option",
        type=click.Path(path_type=Path),
        envvar="WIREPROXY_SOCKET",
        help="The gateway's control socket; found through the configuration otherwise.",
    )(command)
    return click.option(
        "-c",
        "--config",
        "config_option",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="WIREPROXY_CONFIG",
        help="The gateway's configuration [wireproxy.toml, then /etc/wireproxy/wireproxy.toml].",
    )(command)


def find_socket(socket_option: Path | None, config_option: Path | None) -> Path:
    """Raises Failed."""
    if socket_option is not None:
        return socket_option
    try:
        return load_config(find_config(config_option)).control_socket
    except Failed as error:
        raise Failed(f"{error.message}\nThe gateway's socket can be named with --socket as well.") from error


def find_config(config_option: Path | None) -> Path:
    """Raises Failed."""
    if config_option is not None:
        return config_option
    for place in CONFIG_PLACES:
        if place.exists():
            return place
    raise Failed(
        "no wireproxy.toml here nor in /etc/wireproxy: name one with -c, or the gateway's socket with --socket"
    )


def load_config(path: Path) -> Config:
    """Raises Failed, with every error of the file."""
    from wireproxy.config.load import ConfigErrors, load

    try:
        return load(path)
    except ConfigErrors as error:
        raise Failed(str(error)) from error


def call(path: Path, op: str, result: type[T], **arguments: object) -> T:
    """One question, one answer. Raises Failed."""
    with _connected(path) as lines:
        return msgspec.json.decode(_accepted(lines, op, **arguments).result, type=result)


def stream(path: Path, op: str, request: type[T]) -> Iterator[tuple[str, T | None]]:
    """Events as they come, until the gateway ends. Raises Failed."""
    with _connected(path) as lines:
        answer = _accepted(lines, op)
        lines.endless()
        while True:
            yield answer.event, msgspec.json.decode(answer.request, type=request | None)
            answer = lines.receive()


class _Lines:
    def __init__(self, connection: socket.socket, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._reader = connection.makefile("rb")

    def endless(self) -> None:
        self._connection.settimeout(None)

    def send(self, message: object) -> None:
        self._connection.sendall(msgspec.json.encode(message) + b"\n")

    def receive(self) -> _Answer:
        line = self._reader.readline()
        if not line.endswith(b"\n"):
            raise Failed(f"the gateway closed {self._path}; has it been stopped? `wireproxy status` tells")
        answer = msgspec.json.decode(line, type=_Answer)
        if not answer.ok:
            raise Failed(neutral(answer.error, lines=True))
        return answer


def _accepted(lines: _Lines, op: str, **arguments: object) -> _Answer:
    with contextlib.suppress(BrokenPipeError):  # a gateway that refuses says so without reading: the answer is there
        lines.send({"op": op, **arguments})
    return lines.receive()


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[_Lines]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_S)
        try:
            connection.connect(os.fspath(path))
            yield _Lines(connection, path)
        except FileNotFoundError as error:
            raise Failed(
                f"no gateway at {path}: start it with `wireproxy serve`, or name its socket with --socket"
            ) from error
        except ConnectionRefusedError as error:
            raise Failed(f"the gateway at {path} is not running: start it with `wireproxy serve`") from error
        except PermissionError as error:
            raise Failed(
                f"you may not open {path}: an approver's account must be in the socket's group (`ls -l {path}`)"
            ) from error
        except TimeoutError as error:
            raise Failed(
                f"the gateway at {path} does not answer; `wireproxy status` tells whether it still lives"
            ) from error
        except (OSError, msgspec.MsgspecError) as error:
            raise Failed(f"{path}: {error}") from error
