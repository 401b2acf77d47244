"""Masked columns of MariaDB and MySQL through the gateway, with PyMySQL: in text, in binary, and whatever way is taken to them."""

from __future__ import annotations

import datetime
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from pymysql.constants import CLIENT, COMMAND, FIELD_TYPE

from tests.integration.mysql_gateway import Door, direct, mysql_gateway
from tests.support.servers import Server

DBNAME = "wp_mask_shop"
SSNS = ("078-05-1120", "219-09-9999", "457-55-5462")
SCHEMA = (
    "CREATE TABLE customers (id int PRIMARY KEY, name varchar(40), ssn varchar(20), email varchar(60), salary int,"
    " born date, card bigint, loud varchar(30) AS (upper(ssn)), tagged varchar(60) AS (concat(name, '!')))",
    "INSERT INTO customers (id, name, ssn, email, salary, born, card) VALUES"
    " (1, 'Ann', '078-05-1120', 'ann@example.org', 5100, '1985-05-05', 4111111111111111),"
    " (2, 'Bob', '219-09-9999', 'bob@example.org', 7200, '1990-01-02', 5500005555555559),"
    " (3, 'Cem', '457-55-5462', NULL, NULL, NULL, NULL)",
    "CREATE TABLE orders (id int PRIMARY KEY, customer_id int, note varchar(40))",
    "INSERT INTO orders VALUES (1, 1, 'first'), (2, 1, 'second'), (3, 2, 'third')",
    "CREATE ALGORITHM = MERGE VIEW merged AS SELECT id, ssn AS number FROM customers",
    "CREATE ALGORITHM = TEMPTABLE VIEW kept AS SELECT id, ssn AS number, name AS label FROM customers",
    "CREATE VIEW deep AS SELECT number AS n FROM merged",
    "CREATE VIEW clean AS SELECT id, name FROM customers",
    "CREATE PROCEDURE show_ssn() BEGIN SELECT id, ssn FROM customers; SELECT note FROM orders; END",
    "CREATE PROCEDURE show_orders() BEGIN SELECT id, note FROM orders ORDER BY id; SELECT 'done'; END",
    "CREATE FUNCTION name_of(i int) RETURNS varchar(40) READS SQL DATA RETURN (SELECT name FROM customers WHERE id = i)",
    "CREATE FUNCTION first_ssn() RETURNS varchar(20) READS SQL DATA RETURN (SELECT ssn FROM customers LIMIT 1)",
)
MASKS = """
[[mask]]
column = "*.customers.ssn"
masker = "redact"
[[mask]]
column = "*.customers.EMAIL"
masker = "email"
[[mask]]
column = "*.customers.salary"
masker = "bucket"
argument = "1000"
[[mask]]
column = "*.customers.born"
masker = "date-to-year"
[[mask]]
column = "*.customers.card"
masker = "last4"
"""


@pytest.fixture(params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found: Server = request.getfixturevalue(request.param)
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
    with direct(found, DBNAME) as connection, connection.cursor() as cursor:
        cursor.execute("SET SQL_LOG_BIN = 0")
        for text in SCHEMA:
            cursor.execute(text)
    yield found
    with direct(found, "mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")


@pytest.fixture
async def door(server: Server, tmp_path: Path) -> AsyncIterator[Door]:
    async with mysql_gateway(server, DBNAME, tmp_path, extra=MASKS) as found:
        yield found


def rows(connection: Any, text: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


def results(connection: Any, text: str) -> list[Any]:
    """Of every result of a text, errors included."""
    found: list[Any] = []
    with connection.cursor() as cursor:
        try:
            cursor.execute(text)
            found.append(cursor.fetchall())
            while cursor.nextset():
                found.append(cursor.fetchall())
        except pymysql.err.MySQLError as error:
            found.append(error)
    return found


async def test_a_masked_column_is_masked_by_its_masker(door: Door) -> None:
    found = await door.run(
        lambda c: rows(c, "SELECT id, name, ssn, email, salary, born, card FROM customers ORDER BY id")
    )
    assert found == (
        (1, "Ann", "***", "a***@example.org", 5000, datetime.date(1985, 1, 1), 1111),
        (2, "Bob", "***", "b***@example.org", 7000, datetime.date(1990, 1, 1), 5559),
        (3, "Cem", "***", None, None, None, None),
    )


LEAKS = [
    "SELECT * FROM customers",
    "SELECT c.*, 1 FROM customers c",
    "SELECT ssn AS id FROM customers",
    "SELECT name FROM (SELECT ssn AS name FROM customers) AS orders",
    "SELECT name FROM (SELECT ssn AS name FROM customers LIMIT 3) AS clean",
    "WITH orders AS (SELECT ssn AS note FROM customers) SELECT note FROM orders",
    "SELECT note FROM orders UNION ALL SELECT ssn FROM customers",
    "SELECT number FROM merged",
    "SELECT number AS note FROM kept AS orders",
    "SELECT n FROM deep",
    "SELECT loud FROM customers",
    "SELECT upper(ssn), CONCAT(ssn, ''), REVERSE(ssn), HEX(ssn), TO_BASE64(ssn), SUBSTR(ssn, 1) FROM customers",
    "SELECT GROUP_CONCAT(ssn), MAX(ssn), JSON_ARRAYAGG(ssn), JSON_OBJECTAGG(id, ssn) FROM customers",
    "SELECT first_ssn()",
    "SELECT (SELECT ssn FROM customers LIMIT 1) AS note",
    "SELECT IFNULL(ssn, name), COALESCE(ssn), IF(1, ssn, name), CASE WHEN 1 THEN ssn END FROM customers",
    "SELECT CAST(ssn AS BINARY), CONVERT(ssn USING latin1) FROM customers",
    "CALL show_ssn()",
    "CREATE TABLE taken AS SELECT ssn FROM customers",
    "SELECT ssn INTO @x FROM customers LIMIT 1; SELECT @x",
    "SELECT @x := ssn FROM customers LIMIT 1; SELECT @x",
    "PREPARE s FROM 'SELECT ssn AS note FROM customers'; EXECUTE s",
    "HANDLER customers OPEN AS orders; HANDLER orders READ FIRST",
    "SELECT ssn FROM customers PROCEDURE ANALYSE()",
    "INSERT INTO orders (id, note) SELECT 10 + id, ssn FROM customers; SELECT note FROM orders",
    "UPDATE customers SET name = ssn; SELECT name FROM customers",
    "SELECT EXTRACTVALUE('<a/>', CONCAT('/', ssn)) FROM customers",
    "EXPLAIN FORMAT=JSON SELECT * FROM customers a JOIN orders o ON o.note = a.ssn WHERE a.id = 1",
    "EXPLAIN SELECT ssn FROM customers WHERE id = 1; SHOW WARNINGS",
    "EXECUTE IMMEDIATE 'SELECT ssn FROM customers'",
    "SELECT ssn FROM customers c NATURAL JOIN (SELECT 1 AS id) z",
    "SELECT JSON_OBJECT('a', ssn) FROM customers",
    "SELECT FIRST_VALUE(ssn) OVER (ORDER BY id) FROM customers",
    "DELETE FROM customers WHERE id = 1 RETURNING ssn",
    "INSERT INTO customers (id, ssn) VALUES (1, '078-05-1120') ON DUPLICATE KEY UPDATE name = ssn; SELECT name FROM customers",
    "BEGIN NOT ATOMIC SELECT ssn FROM customers; END",
    "SELECT ssn FROM customers; SELECT note FROM orders; SELECT ssn FROM customers",
]


async def test_no_way_leads_to_a_masked_value(door: Door) -> None:
    leaked = []
    for text in LEAKS:
        shown = repr(await door.run(lambda c, text=text: results(c, text), client_flag=CLIENT.MULTI_STATEMENTS))
        forms = [
            form
            for ssn in SSNS
            for form in (ssn, ssn[::-1], ssn.encode().hex(), ssn.encode().hex().upper(), "MDc4LTA1")
        ]
        if any(form in shown for form in forms):
            leaked.append(text)
    assert leaked == []


ORDINARY = [
    "SELECT id, name FROM customers ORDER BY id",
    "SELECT id, name, tagged FROM customers WHERE ssn = '219-09-9999'",
    "SELECT COUNT(*), COUNT(ssn) FROM customers",
    "SELECT o.*, c.name FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.id",
    "SELECT * FROM orders o JOIN clean c USING (id) ORDER BY id",
    "SELECT * FROM orders NATURAL RIGHT JOIN clean ORDER BY id",
    "SELECT label FROM kept ORDER BY id",
    "SELECT * FROM clean ORDER BY id",
    "WITH t AS (SELECT id, name FROM customers) SELECT * FROM t ORDER BY id",
    "SELECT x.id FROM (SELECT id, ssn FROM customers) x ORDER BY x.id",
    "SELECT id FROM customers UNION SELECT id FROM orders ORDER BY id",
    "SELECT 'ssn' AS ssn, NULL, 1 + 1",
    "CALL show_orders()",
    "SELECT TABLE_NAME FROM information_schema.tables WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1",
    "SHOW TABLES",
    "SHOW COLUMNS FROM customers",
    "SHOW CREATE TABLE customers",
    "SELECT id FROM customers; SELECT note FROM orders ORDER BY id",
    "SET @a = 5; SELECT @a + id FROM orders ORDER BY id",
    "PREPARE s FROM 'SELECT name FROM customers WHERE id = ?'; SET @i = 2; EXECUTE s USING @i",
    "SELECT COUNT(*) OVER (PARTITION BY customer_id) FROM orders",
    "EXPLAIN SELECT note FROM orders WHERE id = 1",
    "SELECT name_of(2), (SELECT name_of(1))",
    "SELECT c.id, (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id) AS n FROM customers c ORDER BY n DESC, id",
    "SELECT CASE WHEN id > 1 THEN 'many' ELSE 'one' END AS kind, COUNT(*) FROM customers GROUP BY kind ORDER BY kind",
]


async def test_ordinary_reads_are_equal_to_the_direct_result(door: Door, server: Server) -> None:
    different = []
    for text in ORDINARY:
        through = await door.run(lambda c, text=text: results(c, text), client_flag=CLIENT.MULTI_STATEMENTS)
        with direct(server, DBNAME, client_flag=CLIENT.MULTI_STATEMENTS) as connection:
            if repr(through) != repr(results(connection, text)):
                different.append((text, through))
    assert different == []


async def test_binary_rows_are_masked(door: Door) -> None:
    def work(connection: Any) -> tuple[bytes, ...]:
        return executed(connection, "SELECT id, ssn, salary, name, email FROM customers WHERE id = 1")

    assert await door.run(work) == (struct.pack("<i", 1), b"***", struct.pack("<i", 5000), b"Ann", b"a***@example.org")


async def test_a_cursor_gives_masked_rows(door: Door) -> None:
    def work(connection: Any) -> tuple[bytes, ...]:
        return executed(connection, "SELECT ssn, upper(ssn), name FROM customers WHERE id = 1", cursor=True)

    assert await door.run(work) == (b"***", b"***", b"Ann")


async def test_a_temporary_table_that_nothing_masked_was_written_into_reads_as_it_is(door: Door) -> None:
    def work(connection: Any) -> Any:
        results(connection, "CREATE TEMPORARY TABLE tt AS SELECT id, name FROM customers WHERE id < 3")
        with pytest.raises(pymysql.err.MySQLError):
            rows(connection, "CREATE TEMPORARY TABLE uu AS SELECT id, ssn AS name FROM customers")
        return rows(connection, "SELECT MAX(id), COUNT(name) FROM tt"), rows(
            connection, "SELECT id FROM tt ORDER BY id"
        )

    assert await door.run(work) == (((2, 2),), ((1,), (2,)))


async def test_a_column_that_does_not_exist_is_the_servers_own_error(door: Door) -> None:
    def work(connection: Any) -> tuple[int, str]:
        with pytest.raises(pymysql.err.MySQLError) as caught:
            rows(connection, "SELECT naem, id FROM customers WHERE id = 1")
        return caught.value.args

    number, words = await door.run(work)
    assert number == 1054, words
    assert "naem" in words


async def test_a_number_for_a_masked_text_is_held(door: Door) -> None:
    def work(connection: Any) -> Any:
        connection._execute_command(COMMAND.COM_STMT_PREPARE, "SELECT id FROM customers WHERE ssn = ?")
        (statement,) = struct.unpack_from("<I", connection._read_packet()._data, 1)
        for _ in range(2 if connection.server_capabilities & (1 << 24) and connection.client_flag & (1 << 24) else 4):
            connection._read_packet()
        head = struct.pack("<IBI", statement, 0, 1) + b"\0\1"
        connection._execute_command(COMMAND.COM_STMT_EXECUTE, head + struct.pack("<Hq", FIELD_TYPE.LONGLONG, 78))
        with pytest.raises(pymysql.err.MySQLError) as caught:
            connection._read_packet()
        return str(caught.value)

    assert "leading digits" in await door.run(work)


async def test_a_log_holds_masked_rows(door: Door) -> None:
    await door.run(lambda c: rows(c, "SELECT ssn, name FROM customers"))
    for log in door.folder.rglob("*.wplog"):
        assert SSNS[0].encode() not in log.read_bytes()


def executed(connection: Any, text: str, *, cursor: bool = False) -> tuple[bytes, ...]:
    """The first row of a prepared statement, by the protocol itself, as the bytes of its fields."""
    connection._execute_command(COMMAND.COM_STMT_PREPARE, text)
    head = connection._read_packet()._data
    statement, columns = struct.unpack_from("<IH", head, 1)
    for _ in range(columns):
        connection._read_packet()
    if not connection.client_flag & (1 << 24):
        connection._read_packet()
    payload = struct.pack("<IBI", statement, 1 if cursor else 0, 1)
    connection._execute_command(COMMAND.COM_STMT_EXECUTE, payload)
    count = connection._read_packet()._data[0]
    kinds = []
    for _ in range(count):
        kinds.append(connection._read_packet(pymysql.protocol.FieldDescriptorPacket).type_code)
    if not connection.client_flag & (1 << 24):
        connection._read_packet()
    if cursor:
        connection._execute_command(COMMAND.COM_STMT_FETCH, struct.pack("<II", statement, 1))
    row = connection._read_packet()._data
    at = 1 + (count + 9) // 8
    found = []
    for kind in kinds:
        if kind == FIELD_TYPE.LONG:
            found.append(row[at : at + 4])
            at += 4
        else:
            length = row[at]
            found.append(row[at + 1 : at + 1 + length])
            at += 1 + length
    return tuple(bytes(each) for each in found)
