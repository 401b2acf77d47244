"""MariaDB and MySQL: pseudonyms of numbers, dates and UUIDs find their rows, in text and bound by drivers, and no others."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import mysql.connector
import pymysql
import pytest
from attrs import frozen

from tests.integration import mysql_gateway as gateway
from tests.support import programs
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "wp_pseudonyms_typed"
NODE = Path(__file__).parent / "node"
WHOLES = {
    "tiny": ("tinyint", -128, 3), "tinyu": ("tinyint(3) unsigned zerofill", 7, 255), "small": ("smallint", -32768, 300),
    "smallu": ("smallint unsigned", 1, 65535), "medium": ("mediumint", -8388608, 8388607), "mediumu": ("mediumint unsigned", 0, 1),
    "whole": ("int", -2147483648, 2147483647), "wholeu": ("integer unsigned", 0, 4294967295), "flag": ("boolean", 0, 1),
    "big": ("bigint", -(2**63), 2**63 - 1), "bigu": ("bigint unsigned", 0, 2**64 - 1),
}  # fmt: skip
DAYS = (datetime.date(1985, 7, 14), datetime.date(2024, 2, 29))
MARKS = (uuid.UUID("12345678-1234-4678-9234-567812345678"), uuid.UUID("00000000-0000-1000-8000-000000000001"))
PRICES = (Decimal("5.50"), Decimal("-1234567.25"))
MOMENTS = (datetime.datetime(2024, 5, 31, 10, 0, 0, 250000), datetime.datetime(1985, 7, 14))
TIMES = (datetime.timedelta(hours=10, minutes=11, seconds=12), datetime.timedelta(0))
REAL = {"day": DAYS, "mark": MARKS, "price": PRICES, "at": MOMENTS, "clock": TIMES}
TICK = "10:11:12.5"
MASKS = "".join(
    f'[[mask]]\ncolumn = "*.typed.{name}"\nmasker = "pseudonym"\n'
    for name in (*WHOLES, "day", "mark", "price", "at", "clock", "tick", "rate", "seen")
)


@frozen
class Typed:
    port: int
    mariadb: bool

    def connect(self, **options: Any) -> Any:
        return gateway.connect(self.port, **options)

    @property
    def columns(self) -> tuple[str, ...]:
        return (*WHOLES, "day", "price", "at", "clock", *(("mark",) if self.mariadb else ()))


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def typed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typed]:
    server: Server = request.getfixturevalue(request.param)
    mariadb = request.param == "mariadb"
    columns = [f"`{name}` {kind}" for name, (kind, *_) in WHOLES.items()]
    columns += [
        "day date",
        "price decimal(12, 2)",
        "at datetime(3)",
        "clock time(1)",
        "tick time(1)",
        "rate double",
        "seen timestamp NULL",
        "note varchar(20)",
        *(["mark uuid"] if mariadb else []),
    ]
    with closing(gateway.direct(server, "mysql")) as admin, admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {DBNAME}")
        cursor.execute(f"CREATE TABLE typed (id int PRIMARY KEY, {', '.join(columns)})")
        cursor.execute("CREATE VIEW shown AS SELECT id AS n, whole AS w, day AS d FROM typed")
        for turn in (0, 1):
            values: list[Any] = [turn + 1, *(value[turn + 1] for value in WHOLES.values())]
            values += [
                DAYS[turn],
                PRICES[turn],
                MOMENTS[turn],
                TIMES[turn],
                TICK,
                5.5,
                "2024-05-31 10:00:00",
                f"note{turn}",
                *([str(MARKS[turn])] if mariadb else []),
            ]
            cursor.execute(f"INSERT INTO typed VALUES ({', '.join(['%s'] * len(values))})", values)
        cursor.execute("INSERT INTO typed (id) VALUES (3)")
        with gateway.in_a_thread(server, DBNAME, tmp_path_factory.mktemp("typed"), extra=MASKS, wait_s=0.01) as port:
            # MySQL's own driver sends no password without TLS: it needs a login whose digest the gateway has
            gateway.connect(port).close()
            yield Typed(port, mariadb)
        cursor.execute(f"DROP DATABASE {DBNAME}")


def rows(connection: Any, text: str, *values: Any) -> list[Any]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(text, values or None)
        return list(cursor.fetchall())


def shown(connection: Any, column: str, number: int) -> Any:
    """The pseudonym, as a driver has it; of a UUID text."""
    ((found,),) = rows(connection, f"SELECT `{column}` FROM typed WHERE id = {number}")
    assert found is not None
    return found


def written(value: Any) -> str:
    """As the servers write it."""
    if isinstance(value, datetime.timedelta):  # MySQL compares it as a text where rows are compared
        return f"{datetime.datetime(2000, 1, 1) + value:%H:%M:%S.%f}"[:-5]
    return str(value)


def test_what_is_shown_is_another_value_and_finds_its_row_in_the_text(typed: Typed) -> None:
    with closing(typed.connect()) as connection:
        for column in typed.columns:
            for number in (1, 2):
                found = shown(connection, column, number)
                real = WHOLES[column][number] if column in WHOLES else REAL[column][number - 1]
                text = written(found)
                # of so many values one may stand for itself; of the wide types none does
                assert column in ("tiny", "tinyu", "flag") or str(found) != str(real)
                for literal in {text if column in (*WHOLES, "price") else f"'{text}'", f"'{text}'"}:
                    where = f"`{column}` = {literal}"
                    assert rows(connection, f"SELECT id FROM typed WHERE {where}") == [(number,)], where
                    several = f"SELECT note, x.id FROM typed x WHERE (x.`{column}`, 1) IN (({literal}, 1)) ORDER BY id"
                    assert [each[1] for each in rows(connection, several)] == [number]
                    assert rows(connection, f"SELECT id FROM typed WHERE NOT `{column}` = {literal}") == [(3 - number,)]
                if real != found:  # compared with what it stands for, another row or none is found
                    quoted = f"'{written(real)}'"
                    assert (number,) not in rows(connection, f"SELECT id FROM typed WHERE `{column}` = {quoted}")


def test_pseudonyms_are_translated_through_views_and_beside_the_same_number(typed: Typed) -> None:
    with closing(typed.connect()) as connection:
        number, day = shown(connection, "whole", 1), shown(connection, "day", 1)
        assert rows(connection, f"SELECT n, w FROM shown WHERE w = {number} AND d = DATE'{day}'") == [(1, number)]
        assert rows(connection, f"SELECT {number} AS same, id FROM typed WHERE whole={number} LIMIT 1") == [(number, 1)]
        joined = f"SELECT a.id, b.n FROM typed a JOIN shown b ON a.whole = b.w WHERE b.w = {number}"
        assert rows(connection, joined) == [(1, 1)]


@pytest.mark.parametrize("pure", [True, False], ids=["pure", "c"])
def test_mysqls_own_driver_binds_them(typed: Typed, pure: bool) -> None:
    with closing(
        mysql.connector.connect(
            host="127.0.0.1", port=typed.port, user="agent", password=gateway.PASSWORD, database="shop", use_pure=pure,
            ssl_disabled=True, charset="utf8mb4", collation="utf8mb4_general_ci",
        )
    ) as connection:  # fmt: skip
        with closing(connection.cursor(prepared=True)) as cursor:
            for column in typed.columns:
                if column == "bigu" and not pure:
                    continue  # the one in C takes numbers beyond 2 ** 63 for negative ones
                text = f"SELECT id, `{column}` FROM typed WHERE `{column}` = %s"
                found = {}
                for number in (1, 2):
                    cursor.execute(f"SELECT `{column}` FROM typed WHERE id = %s", (number,))
                    ((found[number],),) = cursor.fetchall()
                for number, value in (*found.items(), *found.items()):
                    broken = (
                        column == "clock" and not pure
                    )  # it binds another time than it is given, without a gateway too
                    for bound in {written(value) if broken else value, written(value)}:
                        cursor.execute(text, (bound,))
                        assert cursor.fetchall() == [(number, value)], (column, bound)
        with (
            closing(connection.cursor(prepared=True)) as cursor,
            pytest.raises(mysql.connector.Error, match="pseudonym"),
        ):
            cursor.execute("SELECT id FROM typed WHERE day = %s", ("31.5.2024",))


def test_mysql2_of_node_binds_them(typed: Typed) -> None:
    """All numbers of JavaScript's go as DOUBLE, dates with a time."""
    run_node, _ = programs.node()
    columns = [column for column in typed.columns if not column.startswith("big")]  # JavaScript rounds these
    done = subprocess.run(
        [*run_node, NODE / "pseudonyms.js", str(typed.port), gateway.PASSWORD, json.dumps(columns)],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "NODE_PATH": str(programs.node_modules(NODE) / "node_modules")},
    )  # fmt: skip
    assert not done.returncode, done.stderr
    assert json.loads(done.stdout) == {column: [1, 2] for column in columns}


def test_a_time_with_a_fraction_finds_its_row_wherever_it_is_compared(typed: Typed) -> None:
    with closing(typed.connect()) as connection:
        tick = written(shown(connection, "tick", 1))
        for where in (
            f"tick='{tick}'",
            f"(tick, id) IN (('{tick}', 1), ('{tick}', 2))",
            f"1 = CASE tick WHEN'{tick}' THEN 1 END",
        ):
            assert rows(connection, f"SELECT id FROM typed WHERE {where} ORDER BY id") == [(1,), (2,)], where


HELD = [
    "SELECT id FROM typed WHERE whole = 5.0",
    "SELECT id FROM typed WHERE whole = 2 + 3",
    "SELECT id FROM typed WHERE whole = 0x05",
    "SELECT id FROM typed WHERE whole = TRUE",
    "SELECT id FROM typed WHERE day = '20240531'",
    "SELECT id FROM typed WHERE day = 20240531",
    "SELECT IF(whole = 5, 1, 2) FROM typed",
    "UPDATE typed SET note = 'x' WHERE whole = 5",
    "DELETE FROM typed WHERE day = '2024-05-31'",
    "INSERT INTO typed (id, whole) VALUES (9, 5)",
    "INSERT INTO typed (id, whole) VALUES (9, NULL), (10, NULL), (11, -5)",
    "UPDATE typed SET day = '2024-05-31' WHERE id = 1",
    "SELECT id FROM typed WHERE price = 5e0",
    "SELECT id FROM typed WHERE at = '2024-05-31'",
    "SELECT id FROM typed WHERE clock = 101112",
    "INSERT INTO typed (id, price) VALUES (9, 5.5)",
    "UPDATE typed SET at = '2024-05-31 10:00:00' WHERE id = 1",
    "REPLACE INTO typed SET id = 9, bigu = 5",
]


@pytest.mark.parametrize("text", HELD)
def test_what_is_not_translated_is_held_or_refused_and_says_why(typed: Typed, text: str) -> None:
    with closing(typed.connect()) as connection, pytest.raises(pymysql.err.MySQLError, match="pseudonym"):
        rows(connection, text)


def test_columns_without_pseudonyms_are_redacted_and_compared_as_ever(typed: Typed) -> None:
    with closing(typed.connect()) as connection:
        ((rate, seen),) = rows(connection, "SELECT rate, seen FROM typed WHERE rate = 5.5 AND id = 1")
        assert (rate, seen.year) == (0, 2000)
        assert rows(connection, "INSERT INTO typed (id, rate) VALUES (8, 1)") == []
        rows(connection, "DELETE FROM typed WHERE id = 8")
