"""MariaDB and MySQL: masks that come back in a file of LOAD DATA LOCAL. Nothing of it is written, and the session lives on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.integration import mysql_gateway as gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "wp_masked_load"
MASKS = """
[[mask]]
column = "*.people.email"
masker = "email"
[[mask]]
column = "*.people.ssn"
masker = "pseudonym"
[[mask]]
column = "*.coded.code"
masker = "pseudonym"
"""
CSV = "FIELDS TERMINATED BY ',' ENCLOSED BY '\"' LINES TERMINATED BY '\\r\\n' IGNORE 1 LINES"


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    server: Server = request.getfixturevalue(request.param)
    with closing(gateway.direct(server, "mysql")) as admin, admin.cursor() as cursor:
        cursor.execute("SET GLOBAL local_infile = 1")
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {DBNAME}")
        cursor.execute("CREATE TABLE people (id int PRIMARY KEY, email varchar(80), ssn varchar(80), note longtext)")
        cursor.execute("INSERT INTO people VALUES (1, 'ann@example.org', '123-45', 'first')")
        cursor.execute("CREATE TABLE coded (id int, code int)")
        cursor.execute("CREATE TABLE kept (id int, note varchar(80)) ENGINE = MyISAM")
        with gateway.in_a_thread(server, DBNAME, tmp_path_factory.mktemp("load"), extra=MASKS, wait_s=0.01) as port:
            yield port
        cursor.execute(f"DROP DATABASE {DBNAME}")


@pytest.fixture
def agent(port: int) -> Iterator[Any]:
    with closing(gateway.connect(port, local_infile=True)) as connection:
        run(connection, "DELETE FROM people WHERE id > 1")
        yield connection


def run(connection: Any, text: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


def load(connection: Any, folder: Path, data: bytes, options: str = "", table: str = "people") -> None:
    file = folder / "rows"
    file.write_bytes(data)
    run(connection, f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {table} {options}")


def test_a_file_without_masks_is_loaded(agent: Any, tmp_path: Path) -> None:
    load(agent, tmp_path, b"2\tb@example.org\t1\tstars: ****\n3\t\\N\t2\t")
    load(agent, tmp_path, b'id,email\r\n4,"d@example.org",3,"a\r\n""b"""\r\n', CSV)
    assert run(agent, "SELECT id, note FROM people ORDER BY id") == (
        (1, "first"),
        (2, "stars: ****"),
        (3, None),
        (4, 'a\r\n"b"'),
    )


MASKED = [
    (b"2\tb@example.org\t1\tx\n3\ta***@example.org\t1\ty\n", "", "line 2, column email"),
    (b"2\ta***@example.org\t1\ty", "", "line 1, column email"),
    (b"2\tb@example.org\t1\tx\n3\tx\t***", "", "line 2, column ssn"),
    (b"2\t\\*\\*\\*\t1\ty\n", "", "line 1, column email"),
    (b'id,email\r\n2,"b@example.org",1,"x\r\ny"\r\n3,"x","***","z"\r\n', CSV, "line 4, column ssn"),
    (b"x;***;2|", "FIELDS TERMINATED BY ';' LINES TERMINATED BY '|' (note, ssn, id)", "line 1, column ssn"),
    (b"2\t***\n", "(id, @m) SET email = upper(@m)", "line 1, column @m"),
]


@pytest.mark.parametrize(("data", "options", "where"), MASKED)
def test_a_mask_in_a_file_stops_it_and_nothing_is_written(
    agent: Any, tmp_path: Path, data: bytes, options: str, where: str
) -> None:
    for _ in range(2):
        with pytest.raises(pymysql.err.MySQLError) as caught:
            load(agent, tmp_path, data, options)
        assert where.lower() in str(caught.value).lower()
        assert "Nothing was written" in str(caught.value)
        assert run(agent, "SELECT count(*) FROM people") == ((1,),)


def test_what_was_read_as_a_pseudonym_stops_it_wherever_it_stands(agent: Any, tmp_path: Path) -> None:
    ((token,),) = run(agent, "SELECT ssn FROM people WHERE id = 1")
    for note in (token, f"see {token}!", "x" * 200_000 + token + "y" * 200_000):
        with pytest.raises(pymysql.err.MySQLError, match="a pseudonym would be written"):
            load(agent, tmp_path, f"2\tx\t1\t{note}\n3\tx\t1\tz\n".encode())
        assert run(agent, "SELECT count(*) FROM people") == ((1,),)


def test_of_a_long_file_nothing_stays_either_and_the_transaction_is_as_before(agent: Any, tmp_path: Path) -> None:
    rows = b"".join(b"%d\tsomebody@example.org\t%d\tnote\n" % (n, n) for n in range(2, 150_000))
    agent.begin()
    run(agent, "INSERT INTO people (id, email) VALUES (200000, 'mine@example.org')")
    for data in (rows + b"150000\t***\t1\tx\n", rows + b"150000\t***\t1\tx\n" + rows.replace(b"\t", b"9\t", 1)):
        with pytest.raises(pymysql.err.MySQLError, match="stopped"):
            load(agent, tmp_path, data)
    assert run(agent, "SELECT id FROM people ORDER BY id") == ((1,), (200000,))
    agent.commit()
    load(agent, tmp_path, rows)
    assert run(agent, "SELECT count(*) FROM people") == ((150_000,),)
    assert run(agent, "SELECT id FROM people WHERE id = 200000") == ((200000,),)


def test_where_it_could_not_be_stopped_it_is_held_before(agent: Any, tmp_path: Path) -> None:
    for table, options, why in (
        ("kept", "", "takes nothing back"),
        ("coded", "", "may be a pseudonym"),
        ("people", "LINES STARTING BY 'x'", "cannot be followed"),
    ):
        with pytest.raises(pymysql.err.MySQLError, match=why):
            load(agent, tmp_path, b"1\t2\n", options, table)
    load(agent, tmp_path, b"1\n", "(id)", "coded")
    assert run(agent, "SELECT id, code FROM coded") == ((1, None),)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(port: int, agent: Any) -> None:
    with closing(gateway.connect(port, local_infile=True)) as other:
        other._execute_command(3, b"LOAD DATA LOCAL INFILE 'x' INTO TABLE people")
        assert other._read_packet()._data[:1] == b"\xfb"
        other.write_packet(b"2\ta@b.c\t1\tx\n" * 3000 + b"3\t***\t1\tx\n")
        other._sock.close()
    for _ in range(100):
        if run(agent, "SELECT count(*) FROM people") != ((1,),):
            break
    assert run(agent, "SELECT count(*) FROM people") == ((1,),)
