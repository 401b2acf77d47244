"""A schema for MariaDB and MySQL whose masked columns hold distinctive values, and what is said of it on lines of a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from tests.support.servers import Server

DBNAME = "wp_masking"
OTHER = "wp_masking_hr"
CORPUS = Path(__file__).parent.parent / "corpus" / "masking"
_MARK = re.compile(r"\[(\w+)\] ")

MASKS = {
    f"{DBNAME}.customers.email": "email",
    f"{DBNAME}.customers.ssn": "redact",
    "*.customers.card": "redact",
    "*.salary": "redact",
    "*.customers.feeling": "redact",
    "*.customers.likes": "redact",
    "*.customers.doc": "redact",
    "*.customers.raw": "hash",
    "*.customers.born": "redact",
    "*.customers.seen": "redact",
    "*.customers.ratio": "redact",
    "*.secret": "hash",
    "*.ids.address": "redact",
    f"{OTHER}.staff.pay": "null",
    f"{DBNAME}.Odd `Table.Weird.Col": "redact",
}


@frozen
class Line:
    """One line of a corpus: marks in brackets, then statements parted by ";;"."""

    marks: frozenset[str]
    statements: tuple[str, ...]

    def is_of(self, mariadb: bool) -> bool:
        return ("mysql" if mariadb else "mariadb") not in self.marks

    def of(self, number: int) -> Line:
        """With the number of another session's connection."""
        return evolve(self, statements=tuple(each.replace("OTHER", str(number)) for each in self.statements))


def lines(name: str) -> list[Line]:
    found = []
    for line in (CORPUS / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("--"):
            marks = set()
            while match := _MARK.match(line):
                marks.add(match[1])
                line = line[match.end() :]
            found.append(Line(frozenset(marks), tuple(line.split(";;"))))
    return found


def make(cursor: Any, mariadb: bool) -> None:
    for name in (DBNAME, OTHER):
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    cursor.execute(f"USE {DBNAME}")
    for line in lines("mysql_schema.sql"):
        if line.is_of(mariadb):
            cursor.execute(*line.statements)


def federate(cursor: Any, server: Server) -> None:
    """A table of MySQL's that is another name of one of the same server."""
    cursor.execute("DROP SERVER IF EXISTS wp_here")
    cursor.execute(
        f"CREATE SERVER wp_here FOREIGN DATA WRAPPER mysql OPTIONS (HOST '{server.host}', PORT {server.port},"
        f" USER '{server.user}', PASSWORD '{server.password}', DATABASE '{DBNAME}')"
    )
    columns = "id int, ssn varchar(30), name varchar(40)"
    cursor.execute(f"CREATE TABLE {DBNAME}.far ({columns}) ENGINE = FEDERATED CONNECTION = 'wp_here/customers'")


def drop(cursor: Any) -> None:
    for name in (DBNAME, OTHER):
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
