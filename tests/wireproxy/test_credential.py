"""The target's password: from where it comes, and that it shows nowhere."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import pytest
import trio

from wireproxy.config.model import Secret
from wireproxy.credential import LONGEST_PASSWORD_BYTES, CredentialError, Password, read_password


async def revealed(secret: Secret) -> str:
    password = await read_password(secret)
    assert password is not None
    return password.reveal()


def python(code: str) -> Secret:
    return Secret(command=(sys.executable, "-S", "-c", code))


async def test_nothing_configured_is_no_password() -> None:
    assert await read_password(Secret()) is None


async def test_the_environment_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("first", "second"):
        monkeypatch.setenv("TARGET_PASSWORD", value)
        assert await revealed(Secret(env="TARGET_PASSWORD")) == value


@pytest.mark.parametrize(
    ("content", "password"),
    [(b"hunter2", "hunter2"), (b"hunter2\n", "hunter2"), (b"hunter2\r\n", "hunter2"), (b" a b \n\n", " a b \n")],
)
async def test_a_file_loses_one_line_end_and_nothing_else(tmp_path: Path, content: bytes, password: str) -> None:
    (tmp_path / "secret").write_bytes(content)
    assert await revealed(Secret(file=tmp_path / "secret")) == password


async def test_a_password_that_is_not_utf_8_reaches_the_server_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    assert (await revealed(Secret(file=tmp_path / "secret"))).encode("utf-8", "surrogateescape") == b"\xff\xfe"


async def test_a_command_gives_its_output_and_no_shell_reads_it() -> None:
    assert await revealed(python("print('minted token')")) == "minted token"
    assert await revealed(Secret(command=("/bin/echo", "$HOME; id"))) == "$HOME; id"


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (Secret(env="NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE is not set"),
        (Secret(file=Path("/nowhere/secret")), "is not a file"),
        (Secret(file=Path("/dev/zero")), "is not a file"),
        (Secret(command=("/nowhere/program",)), "No such file"),
        (python("raise SystemExit(3)"), "status 3"),
        (python("print()"), "is empty"),
        (python("print('x' * 100_000)"), "more than a password"),
        (python("print('a\\0b')"), "does not hold a password"),
        (python("print('leaked'); raise SystemExit(1)"), "status 1"),
    ],
)
async def test_a_password_that_cannot_be_had_says_from_where_and_never_what(secret: Secret, said: str) -> None:
    with pytest.raises(CredentialError, match=said) as caught:
        await read_password(secret)
    assert "leaked" not in str(caught.value)


async def test_a_file_as_long_as_a_disk_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x" * (LONGEST_PASSWORD_BYTES + 1))
    with pytest.raises(CredentialError, match="does not hold a password"):
        await read_password(Secret(file=tmp_path / "secret"))


async def test_a_command_that_hangs_is_ended_with_its_caller(tmp_path: Path) -> None:
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    code = f"import os, time; open({str(fifo)!r}, 'w').write(str(os.getpid())); print('x', flush=True); time.sleep(60)"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_password, python(code))
        process_id = int(await trio.to_thread.run_sync(fifo.read_text))
        nursery.cancel_scope.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


def test_a_password_does_not_print() -> None:
    password = Password("hunter2")
    shown = f"{password} {password!r} {[password]}"
    try:
        raise ValueError(password)
    except ValueError:
        shown += traceback.format_exc()
    assert "hunter2" not in shown
