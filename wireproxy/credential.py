"""The target's password: read when a connection needs it, kept in memory only until the server has checked it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import trio

from wireproxy.config.model import Secret

LONGEST_PASSWORD_BYTES = 64 * 1024  # cloud databases take signed tokens of some kilobytes as passwords


class CredentialError(Exception):
    """The password could not be read. The message says from where and why, never what."""


class Password:
    """A password that does not print: not in a log, not in a traceback that shows variables."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Password(…)"

    __str__ = __repr__


async def read_password(secret: Secret) -> Password | None:
    """None where none is configured. CredentialError where it is and cannot be had. The caller bounds the time."""
    if secret.env is not None:
        value = os.environ.get(secret.env)
        if value is None:
            raise CredentialError(f"the environment variable {secret.env} is not set")
        return _password(value.encode("utf-8", "surrogateescape"), f"the environment variable {secret.env}")
    if secret.file is not None:
        path = secret.file
        return _password(await trio.to_thread.run_sync(_read_file, path), str(path))
    if secret.command is not None:
        return _password(await _run(secret.command), f"the command {secret.command[0]}")
    return None


def _read_file(path: Path) -> bytes:
    try:
        if not path.is_file():  # a FIFO or a device could keep the thread for ever
            raise CredentialError(f"{path} is not a file")
        with path.open("rb") as file:
            return file.read(LONGEST_PASSWORD_BYTES + 1)
    except OSError as error:
        raise CredentialError(f"{path}: {error.strerror}") from None


async def _run(command: tuple[str, ...]) -> bytes:
    """Standard output of a command that is run without a shell. What it says on standard error is its operator's."""
    try:
        process = await trio.lowlevel.open_process(
            list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise CredentialError(f"the command {command[0]}: {error.strerror}") from None
    try:
        assert process.stdout is not None
        output = b""
        async with process.stdout:
            while len(output) <= LONGEST_PASSWORD_BYTES:
                more = await process.stdout.receive_some()
                if not more:
                    break
                output += more
            else:
                raise CredentialError(f"the command {command[0]} writes more than a password")
        status = await process.wait()
    finally:
        with trio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.wait()
    if status != 0:
        raise CredentialError(f"the command {command[0]} ended with status {status}")
    return output


def _password(raw: bytes, source: str) -> Password:
    """Without the one line end that editors and `echo` leave behind."""
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
    if not raw:
        raise CredentialError(f"{source} is empty")
    if len(raw) > LONGEST_PASSWORD_BYTES or b"\0" in raw:
        raise CredentialError(f"{source} does not hold a password")
    return Password(raw.decode("utf-8", "surrogateescape"))
