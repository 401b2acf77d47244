"""PostgreSQL's own regression files, from Debian's source package, run by psql one after the other."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen

from tests.support import debian
from tests.support.programs import Programs
from tests.support.servers import Server

DBNAME = "regression"
FILE_S = 60.0  # the longest takes 7 s alone on two cores


@frozen
class Suite:
    """The folder `src/test/regress` of the sources."""

    folder: Path

    def schedule(self) -> list[str]:
        """The names of all files in an order in which each finds what it depends on."""
        names: list[str] = []
        for line in (self.folder / "parallel_schedule").read_text(encoding="ascii").splitlines():
            if line.startswith("test: "):
                names.extend(line.removeprefix("test: ").split())
        return names


def find_suite(programs: Programs) -> Suite:
    """The files of the server's major version."""
    found = re.search(r"\d+", programs.version())
    release = debian.host_release() or "bookworm"
    assert found is not None
    return Suite(debian.source_files(release, f"postgresql-{found.group()}", "src/test/regress"))


@frozen
class Runner:
    """Runs files over one route, in the environment that pg_regress gives them."""

    suite: Suite
    server: Server
    port: int  # where psql connects to
    password: str
    results: Path  # files that the tests make; the server writes there too

    def run(self, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yields each file's name and what psql printed."""
        for name in names:
            yield name, self._run(name)

    def _run(self, name: str) -> str:
        programs = self.server.programs
        assert programs is not None
        command = [
            str(programs / "psql"),
            "-X",
            "-a",
            "-q",
            "-d",
            DBNAME,
            "-v",
            "HIDE_TABLEAM=on",
            "-v",
            "HIDE_TOAST_COMPRESSION=on",
        ]
        with (self.suite.folder / "sql" / f"{name}.sql").open("rb") as script:
            try:
                printed = subprocess.run(
                    command,
                    stdin=script,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    cwd=self.results,
                    env=self._environment(name),
                    timeout=FILE_S,
                ).stdout
            except subprocess.TimeoutExpired as expired:
                printed = (expired.stdout or b"") + f"\n-- no end after {FILE_S:.0f} s".encode()
        return printed.decode("utf-8", "replace")

    def _environment(self, name: str) -> dict[str, str]:
        programs = self.server.programs
        assert programs is not None
        return {
            "PATH": os.environ["PATH"],
            "LC_MESSAGES": "C",
            "LC_CTYPE": "C.UTF-8",
            **programs.environment,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": "postgres",
            "PGPASSWORD": self.password,
            "PGSSLMODE": "disable",
            "PGAPPNAME": f"pg_regress/{name}",
            "PGTZ": "America/Los_Angeles",
            "PGDATESTYLE": "Postgres, MDY",
            "PGOPTIONS": "-c intervalstyle=postgres_verbose",
            "PG_ABS_SRCDIR": str(self.suite.folder),
            "PG_ABS_BUILDDIR": str(self.results),
            "PG_LIBDIR": str(self.suite.folder),  # regress.so is not there: what needs it fails, over both routes
            "PG_DLSUFFIX": ".so",
        }


SETUP = f"""
    ALTER DATABASE {DBNAME} SET lc_messages TO 'C';
    ALTER DATABASE {DBNAME} SET lc_monetary TO 'C';
    ALTER DATABASE {DBNAME} SET lc_numeric TO 'C';
    ALTER DATABASE {DBNAME} SET lc_time TO 'C';
    ALTER DATABASE {DBNAME} SET bytea_output TO 'hex';
    ALTER DATABASE {DBNAME} SET compute_query_id TO 'regress';
    ALTER DATABASE {DBNAME} SET timezone_abbreviations TO 'Default';
"""
