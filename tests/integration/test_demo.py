"""`wireproxy demo` as a newcomer runs it: it ends with 0, and leaves nothing behind, also when it is broken off."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.gateway import wireproxy_command
from tests.support.programs import mariadb_programs
from wireproxy.demo.unprivileged import make_folder, server_account

TOUR_S = 90.0


@pytest.fixture
def scratch() -> Iterator[Path]:
    """The temporary folder of the demo's process: what it leaves is seen here."""
    folder = make_folder(server_account(), "wireproxy-test-demo-")
    yield folder
    for pid in _still_running(folder):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)


def _still_running(folder: Path) -> list[int]:
    """Processes whose command line or folder lies under `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            named = os.fsencode(folder) in (entry / "cmdline").read_bytes()
            if named or (entry / "cwd").readlink().is_relative_to(folder):
                found.append(int(entry.name))
        except OSError:  # ended meanwhile, or not ours to look at
            continue
    return found


def _start(scratch: Path, *arguments: str, path: str | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "TMPDIR": str(scratch), "PATH": path or os.environ["PATH"]}
    command = [*wireproxy_command(), "demo", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def _nothing_left(scratch: Path) -> None:
    assert _still_running(scratch) == []
    assert list(scratch.iterdir()) == []


def test_the_tour_ends_with_zero_and_leaves_nothing(scratch: Path) -> None:
    output, _ = (process := _start(scratch)).communicate(timeout=TOUR_S)
    assert process.returncode == 0, output
    for shown in (
        "agent=>",
        "ERROR:",
        "42501",
        "HINT:",
        "NOTICE:",
        "dba$ wireproxy approvals",
        "wireproxy approve",
        "wireproxy verify",
    ):
        assert shown in output, shown
    assert "\n  ✗" not in output
    assert "Traceback" not in output
    assert "hana.fischer1@example.net" not in output
    _nothing_left(scratch)


@pytest.mark.parametrize("broken_off_by", [signal.SIGINT, signal.SIGTERM])
def test_breaking_it_off_takes_everything_down(scratch: Path, broken_off_by: signal.Signals) -> None:
    process = _start(scratch)
    deadline = time.monotonic() + TOUR_S
    while not _still_running(scratch) and time.monotonic() < deadline:  # the server and the gateway are its children
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(broken_off_by)
    output, _ = process.communicate(timeout=TOUR_S)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    _nothing_left(scratch)


def test_keep_leaves_everything_up_and_says_how_to_reach_and_end_it(scratch: Path) -> None:
    output, _ = (process := _start(scratch, "--keep")).communicate(timeout=TOUR_S)
    assert process.returncode == 0, output
    dsn = re.search(r"psql '(postgresql://\S+)'", output)
    ending = re.search(r"kill -INT ([\d ]+) && rm -r (\S+)", output)
    assert dsn is not None
    assert ending is not None
    with psycopg.connect(dsn.group(1), autocommit=True) as agent:
        row = agent.execute("SELECT salary FROM customers WHERE id = 1").fetchone()
        assert row == (None,)
    pids = [int(pid) for pid in ending.group(1).split()]
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + TOUR_S
    while _still_running(scratch) and time.monotonic() < deadline:
        time.sleep(0.05)
    shutil.rmtree(ending.group(2))
    _nothing_left(scratch)


@pytest.fixture
def mariadb_on_the_path(tmp_path: Path) -> Iterator[str]:
    """A PATH with a `mariadbd`: of the tree that Debian's package was unpacked to, where the machine has none of its own."""
    family = mariadb_programs()
    root = family.root
    folder = make_folder(server_account(), "wireproxy-test-path-")
    program = folder / "mariadbd"
    own = f"--basedir={root}/usr --lc-messages-dir={family.share} --character-sets-dir={family.share}/charsets"
    words = " ".join(str(word) for word in family.command)
    program.write_text(
        f'#!/bin/sh\nfirst=$1; shift\nexec {words} "$first" {own} --plugin-dir={root}/usr/lib/mysql/plugin "$@"\n'
    )
    program.chmod(0o755)
    yield f"{folder}:{os.environ['PATH']}"
    shutil.rmtree(folder)


def test_the_tour_of_mysql_ends_with_zero_and_leaves_nothing(scratch: Path, mariadb_on_the_path: str) -> None:
    process = _start(scratch, "--dialect", "mysql", path=mariadb_on_the_path)
    output, _ = process.communicate(timeout=TOUR_S)
    assert process.returncode == 0, output
    for shown in ("MariaDB 10.11", "ERROR:", "1142", "dba$ wireproxy approve", "dba$ wireproxy verify", "That was it"):
        assert shown in output, shown
    assert "\n  ✗" not in output
    _nothing_left(scratch)


def test_without_a_mariadb_the_tour_says_in_a_line_how_to_get_one(scratch: Path) -> None:
    process = _start(scratch, "--dialect", "mysql", path="/nonexistent")
    output, _ = process.communicate(timeout=TOUR_S)
    if Path("/usr/sbin/mariadbd").exists():
        return  # this machine has one
    assert process.returncode == 1
    assert "apt-get install mariadb-server-core" in output
    assert "Traceback" not in output
    _nothing_left(scratch)
