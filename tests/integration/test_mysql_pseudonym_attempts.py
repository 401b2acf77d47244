"""MariaDB and MySQL: no statement makes the gateway say what a pseudonym stands for, though it translates them.

An attempt is a text with places for values. With the real values, on a direct connection, its answer shows one: so would the
gateway's translation, where it translated too much. With pseudonyms, through the gateway, no byte that arrives may show any.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from random import Random
from typing import Any

import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration import mysql_gateway as gateway
from tests.integration.canary_forms import canaries
from tests.integration.mysql_masking_schema import Line, lines
from tests.integration.mysql_raw import Heard
from tests.integration.test_mysql_masking_canary import FIRM, FLAGS, OPEN, OPENED
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "wp_pseudonym_attempts"
COLUMNS = ("ssn", "mail", "code", "card", "born", "price", "at")
NUMBERS = frozenset({"code", "card", "price"})
MASKS = "".join(
    f"\n[[mask]]\ncolumn = '*.{column}'\nmasker = 'pseudonym'{extra}"
    for column, extra in [
        *((column, "") for column in (*COLUMNS, "ref") if column != "mail"),
        ("mail", "\nargument = 'email'"),
    ]
)
SCHEMA = (
    "CREATE TABLE people (id int PRIMARY KEY, name varchar(40), ssn varchar(60) UNIQUE, mail varchar(80), code int, card bigint,"
    " born date, price decimal(12, 2), at datetime(2), note varchar(200){ref})",
    "CREATE TABLE visits (id int PRIMARY KEY, ssn varchar(60), place varchar(200))",
)
ATTEMPTS = lines("mysql_pseudonym_attempts.sql")
REF = "63616e61-7279-4361-8e61-7279636{}6e61"


def shown(data: bytes) -> list[bytes]:
    """Every form of a real value that is in there."""
    lower = data.lower()
    return canaries(data) + [form for form in (b"63616e61-7279", b"0163616e617279", b"naryssn") if form in lower]


@frozen
class Family:
    """A server with these tables, and a gateway in front."""

    server: Server
    mariadb: bool
    port: int

    @contextmanager
    def direct(self) -> Iterator[Filled]:
        with closing(gateway.direct(self.server, DBNAME, client_flag=FLAGS)) as connection:
            yield Filled(self, connection)

    @contextmanager
    def through(self, database: str) -> Iterator[Filled]:
        with closing(gateway.connect(self.port, database=database, client_flag=FLAGS)) as connection:
            yield Filled(self, connection)


class Filled:
    """A session, and what its client reads in the places of the attempts."""

    def __init__(self, family: Family, connection: Any) -> None:
        self.heard = Heard(connection)
        columns = [*COLUMNS, *(["ref"] if family.mariadb else [])]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(columns)} FROM people WHERE id = 3")
            (row,) = cursor.fetchall()
        assert None not in row
        self.places = {
            name: str(value) if name in NUMBERS else f"'{value}'" for name, value in zip(columns, row, strict=True)
        }

    def hear(self, attempt: Line, way: str) -> list[bytes]:
        self.heard.take()
        for statement in attempt.statements:
            for name, value in self.places.items():
                statement = statement.replace(f"{{{name}}}", value)
            getattr(self.heard, way)(statement.strip())
        return shown(self.heard.take())


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Family]:
    server: Server = request.getfixturevalue(request.param)
    mariadb = request.param == "mariadb"
    folder = tmp_path_factory.mktemp("attempts")
    with closing(gateway.direct(server, "mysql")) as admin, admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {DBNAME}")
        for text in SCHEMA:
            cursor.execute(text.replace("{ref}", ", ref uuid" if mariadb else ""))
        fill(cursor, mariadb)
        opened = OPENED.format(server=server, dbname=DBNAME, folder=folder)
        with gateway.in_a_thread(server, DBNAME, folder, wait_s=0.005, extra=MASKS + opened) as port:
            yield Family(server, mariadb, port)
        cursor.execute(f"DROP DATABASE {DBNAME}")


def fill(cursor: Any, mariadb: bool) -> None:
    """The rows as they were, whatever an attempt has changed on the direct connection."""
    cursor.execute(
        f"SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{DBNAME}' AND TABLE_NAME LIKE 'zz%'"
    )
    for name, kind in cursor.fetchall():
        cursor.execute(f"DROP {'VIEW' if 'VIEW' in kind else 'TABLE'} {name}")
    for table in ("people", "visits"):
        cursor.execute(f"DELETE FROM {table}")
    for n in range(1, 7):
        row: list[object] = [
            n,
            f"name{n}",
            f"canaryssn{n}",
            f"canarymail{n}@shop.test",
            8765432 + n,
            7654321000000 + n,
            f"1917-03-1{n}",
            8765432.5 + n,
            f"1917-03-1{n} 04:05:06.25",
            "note",
        ]
        row += [REF.format(n)] if mariadb else []
        cursor.execute(f"INSERT INTO people VALUES ({', '.join(['%s'] * len(row))})", row)
        cursor.execute("INSERT INTO visits VALUES (%s, %s, %s)", (n, f"canaryssn{n}", f"place{n}"))


def suits(line: Line, mariadb: bool, way: str) -> bool:
    return line.is_of(mariadb) and ("text" not in line.marks or way == "text")


@pytest.mark.parametrize(("database", "way"), [(FIRM, "text"), (OPEN, "text"), (OPEN, "prepared")])
def test_no_attempt_shows_what_a_pseudonym_stands_for(family: Family, database: str, way: str) -> None:
    silent, leaking = [], []
    attempts = [each for each in ATTEMPTS if suits(each, family.mariadb, way)]
    with closing(gateway.direct(family.server, DBNAME)) as admin, admin.cursor() as cursor, family.direct() as bare:
        for attempt in attempts:
            with family.through(database) as masked:
                if found := masked.hear(attempt, way):
                    leaking.append((attempt.statements, found))
            if not bare.hear(attempt, way):
                silent.append(attempt.statements)
            fill(cursor, family.mariadb)
    assert leaking == []
    assert silent == [], "these do not leak directly, and prove nothing"
    assert len(attempts) >= 100


SHOWN = [
    "{v}", "{v} AS s", "upper({v}) AS s", "concat({v}, '') AS s", "hex({v}) AS s", "json_array({v}) AS s",
    "coalesce({c}, {v}) AS s", "nullif({c}, {v}) AS s", "if({c} = {v}, 'y', 'n')", "if({c} = {v}, 'y', 'n') AS s",
    "CASE {c} WHEN {v} THEN {v} END AS s", "{c} = {v}", "{c} = {v} AS s", "max({c}) OVER () AS s",
    "(SELECT x FROM (SELECT {v} AS x) i WHERE x = {c}) AS s", "people.id", "s.x", "greatest({c}, {v}) AS s",
    "EXISTS (SELECT {v} FROM visits WHERE {c} = {v})", "(SELECT max(id) FROM people z WHERE z.{c} = {v})", "{v} + 0 AS s",
    "@s := {v}",
]  # fmt: skip
ASKED = [
    "{c} = {v}", "{v} = {c}", "{c} IN ({v})", "{c} <=> {v}", "NOT ({c} <> {v})", "({c}, id) = ({v}, id)", "{c} = s.x",
    "{c} IN (SELECT {v})", "EXISTS (SELECT 1 FROM people z WHERE z.{c} = {v})", "{c} = {v} OR {v} + 0 = 1",
    "coalesce({c} = {v}, false)", "{c} BETWEEN {v} AND {v}", "{c} = (SELECT {v})", "true",
    "{c} = {v} AND extractvalue('<a/>', concat('~', {v}))", "{c} = {v} AND nowhere = 1", "{c} = @s",
]  # fmt: skip
FRAMES = [
    "SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a}",
    "SELECT {s} FROM people JOIN (SELECT {v} AS x UNION ALL SELECT {v}) s ON {a}",
    "WITH s (x) AS (SELECT {v}) SELECT {s} FROM people, s WHERE {a} ORDER BY 1",
    "SELECT * FROM (SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a}) q",
    "SELECT 1 AS one, 2 AS two UNION ALL SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a}",
    "EXPLAIN FORMAT=JSON SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a}",
    "EXPLAIN SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a} ;; SHOW WARNINGS",
    'PREPARE zq FROM "SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a}" ;; EXECUTE zq ;; SHOW WARNINGS',
    "SET @s = (SELECT max(people.id) FROM people, (SELECT {v} AS x) s WHERE {a}) ;; SELECT @s, {v}",
    "SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a} ;; SHOW WARNINGS",
]


def generated(random: Random) -> Line:
    column = random.choice(COLUMNS)
    text = random.choice(FRAMES).replace("{s}", ", ".join(random.sample(SHOWN, 2))).replace("{a}", random.choice(ASKED))
    return Line(frozenset(), tuple(text.replace("{c}", f"people.{column}").replace("{v}", f"{{{column}}}").split(";;")))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**48), st.sampled_from(["text", "prepared"]), st.sampled_from([FIRM, OPEN]))
def test_no_generated_statement_shows_what_a_pseudonym_stands_for(
    family: Family, seed: int, way: str, database: str
) -> None:
    with family.through(database) as masked:
        assert masked.hear(generated(Random(seed)), way) == []


def test_the_generator_makes_statements_that_would_show_it(family: Family) -> None:
    with family.direct() as bare:
        assert sum(bool(bare.hear(generated(Random(seed)), "text")) for seed in range(100)) > 30


def test_where_conditions_may_pass_most_of_what_is_asked_is_answered_and_translated(family: Family) -> None:
    """A canary that nothing ever leaves proves little."""
    with family.through(OPEN) as masked:
        answered = 0
        for seed in range(100):
            masked.hear(generated(Random(seed)), "text")
        for column in COLUMNS:
            for asked in ASKED[:6]:
                masked.heard.take()
                text = f"SELECT people.name FROM people WHERE {asked}".replace("{c}", column).replace(
                    "{v}", masked.places[column]
                )
                masked.heard.text(text)
                answered += b"name3" in masked.heard.take()
    assert answered == 6 * len(COLUMNS)
