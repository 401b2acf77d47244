"""No byte of a masked value reaches a client of MariaDB or MySQL, in any form, however it is asked for.

Each attempt is first made on a direct connection, where it must show a canary; then through the gateway, where every byte that
arrives is searched: as text, as prepared statements in binary, and by cursors. Beside them, ordinary reads come back as from the
server itself.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration import mysql_gateway as gateway
from tests.integration.canary_forms import canaries
from tests.integration.mysql_masking_schema import DBNAME, MASKS, drop, make
from tests.integration.mysql_queries import Queries
from tests.integration.mysql_raw import Heard
from tests.support.servers import Server

pytestmark = pytest.mark.integration
CORPUS = Path(__file__).parent.parent / "corpus" / "masking"
MARK = re.compile(r"\[(\w+)\] ")
WAYS: dict[str, Callable[[Heard, str], None]] = {
    "text": Heard.text,
    "prepared": Heard.prepared,
    "cursor": Heard.cursor,
}


@frozen
class Attempt:
    marks: frozenset[str]
    statements: tuple[str, ...]

    def suits(self, mariadb: bool, way: str) -> bool:
        other = "mysql" if mariadb else "mariadb"
        if other in self.marks or ("text" in self.marks and way != "text"):
            return False
        return way == "text" or not any("; " in statement and statement.startswith(("SELECT 1;", "SET @a36")) for statement in self.statements)


def lines(name: str) -> list[Attempt]:
    found = []
    for line in (CORPUS / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("--"):
            marks = set()
            while match := MARK.match(line):
                marks.add(match[1])
                line = line[match.end() :]
            found.append(Attempt(frozenset(marks), tuple(line.split(";;"))))
    return found


ATTEMPTS = lines("mysql_attempts.sql")
ORDINARY = lines("mysql_ordinary.sql")


@frozen
class Family:
    """A server with the schema on it, and a gateway in front."""

    server: Server
    mariadb: bool
    port: int  # the gateway's

    def direct(self, **options: Any) -> Any:
        return gateway.direct(self.server, DBNAME, client_flag=1 << 16, **options)

    def through(self, **options: Any) -> Any:
        return gateway.connect(self.port, client_flag=1 << 16, **options)


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Family]:
    server: Server = request.getfixturevalue(request.param)
    mariadb = request.param == "mariadb"
    with closing(gateway.direct(server, "mysql")) as admin:
        make(admin.cursor(), mariadb)
        masks = "".join(
            f"\n[[mask]]\ncolumn = {_quoted(column)}\nmasker = \"{masker}\"" for column, masker in MASKS.items()
        )
        with gateway.in_a_thread(server, DBNAME, tmp_path_factory.mktemp("canary"), wait_s=0.005, extra=masks) as port:
            yield Family(server, mariadb, port)
        drop(admin.cursor())


def _quoted(text: str) -> str:
    return f"'{text}'"


@contextmanager
def hearing(connection: Any) -> Iterator[Heard]:
    with closing(connection):
        yield Heard(connection)


def tidy(admin: Any) -> None:
    """What an attempt left behind goes, and what it renamed gets its name back."""
    with admin.cursor() as cursor:
        cursor.execute("SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME LIKE 'zz\\_%%'", DBNAME)
        for name, kind in cursor.fetchall():
            if name in ("zz_m", "zz_n"):
                cursor.execute(f"RENAME TABLE {name} TO customers")
            else:
                cursor.execute(f"DROP {'VIEW' if 'VIEW' in kind else 'TABLE'} {name}")
        for routine in ("FUNCTION zz_k", "PROCEDURE zz_l", "TRIGGER zz_p", "TRIGGER zz_q"):
            cursor.execute(f"DROP {routine.split()[0]} IF EXISTS {routine.split()[1]}")


def heard(session: Heard, attempt: Attempt, say: Callable[[Heard, str], None], file: str) -> bytes:
    """Everything that the client receives for it."""
    session.take()
    for statement in attempt.statements:
        say(session, statement.replace("/tmp/FILE", file))
    return session.take()


@pytest.mark.parametrize("way", WAYS)
def test_no_attempt_shows_a_canary(family: Family, way: str) -> None:
    silent, leaking = [], []
    attempts = [each for each in ATTEMPTS if each.suits(family.mariadb, way)]
    if way == "cursor":
        attempts = [each for each in attempts if len(each.statements) == 1 and each.statements[0].startswith(("SELECT", "WITH"))]
    with closing(family.direct()) as admin, hearing(family.direct()) as bare, hearing(family.through()) as masked:
        for attempt in attempts:
            for session, file in ((bare, "a"), (masked, "b")):
                found = canaries(heard(session, attempt, WAYS[way], f"/tmp/wp_{uuid.uuid4().hex}"))
                if session is bare and not found:
                    silent.append(attempt)
                if session is masked and found:
                    leaking.append((attempt, found))
                if any("zz_" in statement for statement in attempt.statements):
                    tidy(admin)
    _remove_files()
    assert leaking == []
    assert silent == [], "these do not leak directly, and prove nothing"
    assert len(attempts) > (250 if way == "cursor" else 400)


def _remove_files() -> None:
    for path in Path("/tmp").glob("wp_*"):
        with suppress(OSError):
            os.unlink(path)
