"""Where the columns of a statement of MySQL come from, and what each gets: `-` as it is, `?` derived, else its masker."""

from __future__ import annotations

import pytest
from attrs import evolve

from rules.classify.mysql import classify
from rules.model import Namespace
from tests.rules.mysql_mask_catalog import CATALOG, MARIADB, MASKS, SHOP, examine, mask_set, treatments

STAR = "- - - redact email bucket last4 date-to-year ? -"

COLUMNS = [
    # the column itself, however it is named
    ("SELECT id, ssn FROM customers", "- redact"),
    ("SELECT SSN, `ssn`, customers.Ssn, shop.customers.ssn FROM customers", "redact redact redact redact"),
    ("SELECT ssn AS name, ssn name2, ssn 'name' FROM customers", "redact redact redact"),
    ("SELECT c.ssn, c.id, `shop`.`c`.`ssn` FROM shop.customers c", "redact - redact"),
    ("SELECT (ssn), ((ssn)), +ssn FROM customers", "redact redact redact"),
    ("SELECT * FROM customers", STAR),
    ("SELECT c.* FROM customers c", STAR),
    ("SELECT shop.customers.* FROM shop.customers", STAR),
    ("SELECT o.*, c.ssn FROM orders o, customers c", "- - - redact"),
    ("SELECT customers.*, 1 FROM customers", STAR + " -"),
    ("TABLE customers", STAR),
    ("SELECT * FROM orders", "- - -"),
    ("SELECT secret_note, id FROM orders", "- -"),
    ("SELECT ssn FROM other.customers", "-"),
    ("SELECT amount FROM other.ledger", "redact"),
    ("SELECT name FROM (SELECT ssn AS name FROM customers) AS orders", "redact"),
    ("SELECT ssn FROM (SELECT id AS ssn FROM customers) AS customers", "-"),
    ("SELECT x.a FROM (SELECT ssn, id FROM customers) x(a, b)", "redact"),
    ("SELECT b FROM (SELECT ssn, id FROM customers) AS x (a, b)", "-"),
    ("SELECT x.* FROM (SELECT c.*, o.note FROM customers c JOIN orders o ON o.id = c.id) x", STAR + " -"),
    ("SELECT `upper(ssn)`, id FROM (SELECT upper(ssn), id FROM customers) x", "? -"),
    ("SELECT loud, tagged FROM customers", "? -"),
    # views
    ("SELECT * FROM v", "- - redact"),
    ("SELECT number AS id FROM v AS orders", "redact"),
    ("SELECT * FROM vv", "? -"),
    ("SELECT * FROM clean", "- -"),
    ("SELECT * FROM closed", "? ?"),
    # expressions
    ("SELECT upper(ssn), concat(ssn, ''), length(ssn), ssn + 1, -salary FROM customers", "? ? ? ? ?"),
    ("SELECT CAST(ssn AS CHAR), CONVERT(ssn USING utf8mb4), BINARY ssn, ssn COLLATE utf8mb4_bin FROM customers", "? ? ? ?"),
    ("SELECT IF(ssn > 'x', 1, 2), CASE WHEN ssn > 'x' THEN 1 END, CASE ssn WHEN name THEN 1 END FROM customers", "? ? ?"),
    ("SELECT COALESCE(ssn, name), IFNULL(name, city), NULLIF(ssn, 'x'), ISNULL(ssn), upper(ssn) IS NULL FROM customers",
     "? - ? - ?"),
    # what a WHERE may ask may be shown as well
    ("SELECT IF(ssn = 'x', 1, 2), CASE WHEN ssn = 'x' THEN 1 END, CASE ssn WHEN 'x' THEN name END FROM customers", "- - -"),
    ("SELECT ssn = 'x', ssn <=> ?, ssn IN ('x'), NOT ssn = 'x', ssn IS NOT NULL FROM customers", "- - - - -"),
    ("SELECT SUM(ssn IS NULL), SUM(CASE WHEN ssn IS NULL THEN 1 ELSE 0 END), MAX(IF(ssn = 'x', 1, 0)) FROM customers", "- - -"),
    ("SELECT c.ssn = a.ssn FROM customers c, archive a", "-"),
    ("SELECT ssn = name, ssn = 78, ssn = 'x' OR ssn > 'y', IF(ssn = 'x', ssn, name) FROM customers", "? ? ? ?"),
    ("SELECT (SELECT ssn), (SELECT name), EXISTS (SELECT ssn), (SELECT MAX(c.ssn)) FROM customers c", "redact - - ?"),
    ("SELECT COUNT(*), COUNT(ssn), MAX(ssn), GROUP_CONCAT(ssn), SUM(salary), MIN(name) FROM customers", "- - ? ? ? -"),
    ("SELECT GROUP_CONCAT(DISTINCT name ORDER BY name SEPARATOR ', '), GROUP_CONCAT(id, ssn) FROM customers", "- ?"),
    ("SELECT JSON_OBJECT('k', ssn), JSON_ARRAY(id), JSON_ARRAYAGG(ssn), JSON_OBJECTAGG(id, ssn) FROM customers", "? - ? ?"),
    ("SELECT JSON_EXTRACT(name, '$.x'), name->'$.x', name->>'$.x' FROM customers", "- - -"),
    ("SELECT JSON_EXTRACT(ssn, '$.x'), ssn->'$.x', ssn->>'$.x' FROM customers", "? ? ?"),
    ("SELECT LAG(ssn) OVER (ORDER BY id), FIRST_VALUE(name) OVER (ORDER BY id) FROM customers", "? -"),
    ("SELECT ROW_NUMBER() OVER (ORDER BY salary), RANK() OVER w FROM customers WINDOW w AS (PARTITION BY ssn)", "? ?"),
    ("SELECT SUM(id) OVER w, SUM(salary) OVER w FROM customers WINDOW w AS (ORDER BY id)", "- ?"),
    ("SELECT SUBSTRING(ssn FROM 1 FOR 2), SUBSTR(name, 1, 2), LEFT(ssn, 1), TRIM(BOTH 'x' FROM ssn) FROM customers", "? - ? ?"),
    ("SELECT POSITION('1' IN ssn), LOCATE('1', ssn), INSTR(name, 'x'), FIND_IN_SET(ssn, 'a,b') FROM customers", "? ? - ?"),
    ("SELECT EXTRACT(YEAR FROM born), DAY(born), DATE_ADD(born, INTERVAL 1 DAY), born + INTERVAL 1 DAY FROM customers", "? ? ? ?"),
    ("SELECT NOW(), CURRENT_DATE, UTC_TIMESTAMP, LOCALTIME, CURRENT_USER, @@version, DATABASE() FROM customers", "- - - - - - -"),
    ("SELECT 1, 'ssn', NULL, TRUE, x'41', 0x41, b'1', -1, DATE'2000-01-01', INTERVAL(1, 2) FROM customers", "- - - - - - - - - -"),
    ("SELECT @x, @x + 1, @`ssn` FROM customers", "- - -"),
    ("SELECT @x := ssn, @y := name FROM customers", "? -"),
    ("SELECT ANY_VALUE(ssn), DEFAULT(ssn), WEIGHT_STRING(ssn), CHAR(ssn USING utf8mb4) FROM customers", "? ? ? ?"),
    ("SELECT MATCH (ssn) AGAINST ('x'), MATCH (name, city) AGAINST ('x') FROM customers", "? -"),
    ("SELECT EXTRACTVALUE(ssn, '/a'), UPDATEXML('<a/>', ssn, 'x') FROM customers", "? ?"),
    ("SELECT MD5(ssn), SHA2(ssn, 256), CRC32(ssn), HEX(ssn), TO_BASE64(ssn), REVERSE(ssn) FROM customers", "? ? ? ? ? ?"),
    ("SELECT ROW(1, 2) = ROW(id, 3), (id, ssn) = (1, 'x'), (id, ssn) = (1, name) FROM customers", "- - ?"),
    # joins
    ("SELECT o.note, c.ssn FROM orders o JOIN customers c ON c.id = o.customer_id", "- redact"),
    ("SELECT id, name FROM customers JOIN orders USING (id)", "- -"),
    ("SELECT ssn FROM customers JOIN archive USING (ssn)", "redact"),
    ("SELECT * FROM customers c JOIN orders o USING (id)", STAR + " - -"),
    ("SELECT * FROM orders o JOIN customers c USING (id)", "- - - " + STAR[2:]),
    ("SELECT * FROM orders o RIGHT JOIN customers c USING (id)", STAR + " - -"),
    ("SELECT * FROM archive NATURAL JOIN customers", "- redact bucket - - email last4 date-to-year ? -"),
    ("SELECT * FROM customers NATURAL LEFT JOIN orders", STAR + " - -"),
    ("SELECT ssn FROM (orders CROSS JOIN (archive))", "redact"),
    ("SELECT c.ssn FROM orders o JOIN customers c JOIN archive a ON a.id = c.id ON o.id = c.id", "redact"),
    ("SELECT * FROM orders STRAIGHT_JOIN archive", "- - - - redact bucket"),
    ("SELECT l.x FROM customers c, LATERAL (SELECT c.ssn AS x) l", "redact"),
    ("SELECT l.x, c.id FROM customers c JOIN LATERAL (SELECT ssn AS x FROM archive a WHERE a.id = c.id) AS l ON 1", "redact -"),
    ("SELECT (SELECT x FROM (SELECT c.ssn AS x) q) FROM customers c", "redact"),
    ("SELECT (SELECT ssn FROM orders LIMIT 1) FROM customers", "redact"),
    ("SELECT (SELECT id FROM orders WHERE id = ssn LIMIT 1) FROM customers", "-"),
    ("SELECT ssn AS x, (SELECT x) FROM customers", "redact redact"),
    ("SELECT id FROM customers FOR UPDATE", "-"),
    ("SELECT ssn FROM customers USE INDEX (ssn) WHERE id = 1 LOCK IN SHARE MODE", "redact"),
    ("SELECT SQL_NO_CACHE DISTINCT city FROM customers PARTITION (p0, p1)", "-"),
    # common table expressions
    ("WITH t AS (SELECT ssn AS x FROM customers) SELECT x FROM t", "redact"),
    ("WITH t(a) AS (SELECT ssn FROM customers), u AS (SELECT a FROM t) SELECT * FROM u", "redact"),
    ("WITH customers AS (SELECT id AS ssn FROM orders) SELECT ssn FROM customers", "-"),
    ("WITH orders AS (SELECT ssn AS note FROM customers) SELECT note FROM orders", "redact"),
    ("WITH orders AS (SELECT ssn AS note FROM customers) SELECT note FROM shop.orders", "-"),
    ("WITH Orders AS (SELECT ssn AS note FROM customers) SELECT note FROM orders", "?"),
    ("SELECT (WITH t AS (SELECT c.ssn AS x) SELECT x FROM t) FROM customers c", "redact"),
    ("WITH RECURSIVE t(a, b, c) AS (SELECT 1, 'x', ssn FROM customers UNION ALL SELECT a, c, b FROM t) SELECT * FROM t", "- ? ?"),
    ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", "-"),
    ("WITH RECURSIVE r AS (SELECT id, ssn FROM customers UNION ALL SELECT id + 1, ssn FROM r) SELECT * FROM r", "- redact"),
    ("SELECT (SELECT Orders.name FROM orders LIMIT 1) FROM (SELECT ssn AS name FROM customers) Orders", "redact"),
    # set operations
    ("SELECT name FROM customers UNION SELECT ssn FROM customers", "?"),
    ("SELECT ssn FROM customers UNION ALL SELECT name FROM customers", "?"),
    ("SELECT ssn FROM customers UNION ALL SELECT ssn FROM archive", "redact"),
    ("SELECT id FROM customers UNION ALL SELECT id FROM orders ORDER BY id LIMIT 2", "-"),
    ("(SELECT id, ssn FROM customers) UNION ALL (SELECT id, note FROM orders)", "- ?"),
    ("SELECT id FROM orders EXCEPT SELECT id FROM customers", "-"),
    ("VALUES ROW(1, 2), ROW(3, (SELECT ssn FROM customers LIMIT 1))", "- ?"),
    ("SELECT * FROM (VALUES ROW(1, 'x')) AS t(a, b)", "- -"),
    # what the names of columns are not known of
    ("SELECT jt.a FROM customers, JSON_TABLE(name, '$[*]' COLUMNS (a INT PATH '$')) jt", "-"),
    ("SELECT jt.a FROM customers, JSON_TABLE(JSON_ARRAY(ssn), '$[*]' COLUMNS (a INT PATH '$')) jt", "?"),
    # the server's own
    ("SELECT TABLE_NAME, table_rows FROM information_schema.tables", "- -"),
    ("SELECT id, info FROM information_schema.processlist", "- redact"),
    ("SELECT SQL_TEXT FROM performance_schema.events_statements_history", "redact"),
    ("SELECT min_value FROM mysql.column_stats", "redact"),
    # stored functions
    ("SELECT get_ssn(1), shop.get_ssn(1), get_name(1), fmt(name), fmt(ssn) FROM customers", "? ? - - ?"),
    ("SELECT get_name(1), name, hidden(), nowhere() FROM customers", "? - ? ?"),  # one keeps what the others may read
    ("SELECT richer(1, 5000), name FROM customers", "- -"),
    ("SELECT richer(1, 5000), wraps_variable()", "? ?"),
    ("SELECT by_ssn(1), by_own(1), quotes(), ring(), ring_too()", "- - ? ? ?"),
    ("SELECT ring_too(), ring()", "? ?"),
    ("CALL skips()", "?"),
    ("CALL show_orders()", "-"),
    ("CALL show_all()", "?"),
    ("CALL branches()", "?"),
    ("CALL texts()", "?"),
    ("CALL away()", "?"),
    ("CALL nowhere()", "?"),
    # changes
    ("INSERT INTO orders (id, note) VALUES (1, 'x')", ""),
    ("UPDATE customers SET ssn = 'x' WHERE id = 1", ""),
    ("DELETE FROM customers WHERE id = 1", ""),
]  # fmt: skip

MARIA = [
    ("INSERT INTO customers (id, ssn) VALUES (1, 'x') RETURNING id, ssn, upper(ssn)", "- redact ?"),
    ("REPLACE INTO customers (id, ssn) VALUES (1, 'x') RETURNING *", STAR),
    ("DELETE FROM customers WHERE id = 1 RETURNING ssn AS name", "redact"),
    ("DELETE FROM orders WHERE id = 1 RETURNING note", "-"),
    ("SELECT ssn FROM customers FOR SYSTEM_TIME ALL", "redact"),
    ("SELECT id FROM orders INTERSECT ALL SELECT id FROM customers", "-"),
    ("SELECT NEXT VALUE FOR s, id FROM orders", "- -"),
]


@pytest.mark.parametrize(("sql", "expected"), COLUMNS)
def test_each_column_gets_what_its_origin_asks_for(sql: str, expected: str) -> None:
    found = examine(sql)
    assert treatments(sql).replace("*", "") == expected, found.findings


def test_results_of_a_procedure_are_followed_one_by_one() -> None:
    masks = examine("CALL show_all()")
    first, second = masks.at(0), masks.at(1)
    assert first is not None
    assert [each.treatment for each in first.outputs()] == ["as it is", "redact"]
    assert second is None
    assert not examine("CALL skips()").results  # INTO gives no result, or a file


def test_a_body_is_read_as_by_the_server_that_runs_it() -> None:
    there = mask_set(catalog=evolve(CATALOG, server_version=101106))
    assert treatments("SELECT calls_own()", masks=there, namespace=MARIADB) == "?"


def test_a_function_in_quotes_may_be_a_stored_one_of_a_native_name() -> None:
    assert treatments("SELECT LEFT(name, 2), `fmt`(name), shop.`fmt`(name), `upper`(name) FROM customers") == "- - - -"
    assert treatments("SELECT `left`(id) FROM orders") == "*?"
    assert treatments("SELECT shop.`left`(id) FROM orders") == "?"
    assert classify("SELECT `left`(1)", SHOP, CATALOG)[0].opaque is not None


def test_what_was_approved_to_be_kept_is_masked_wherever_it_may_be_kept() -> None:
    after = evolve(SHOP, holds_masked=True, temporary=frozenset({"kept"}))
    before = evolve(SHOP, temporary=frozenset({"kept", "customers"}))
    assert treatments("SELECT @x", namespace=after) == "?"
    variables = "SELECT VARIABLE_NAME, VARIABLE_VALUE FROM information_schema.USER_VARIABLES"
    assert treatments(variables, namespace=after) == "- redact"
    assert treatments("SELECT a FROM kept", namespace=after) == "?"
    assert treatments("SELECT a, @x FROM kept", namespace=before) == "- -"
    assert treatments("CALL show_orders()", namespace=after) == "*?"  # its table may be the session's
    assert "?" in treatments("SELECT get_name(1)", namespace=after)
    assert treatments("SELECT ssn, id FROM customers", namespace=before) == "? ?"  # it may be gone by now


@pytest.mark.parametrize(("sql", "expected"), MARIA)
def test_what_mariadb_alone_has(sql: str, expected: str) -> None:
    assert treatments(sql, namespace=MARIADB) == expected


def of_batch(sql: str, namespace: Namespace = SHOP) -> list[str]:
    found = MASKS.examine(sql, classify(sql, namespace, CATALOG), namespace)
    return [" ".join(output.treatment for output in each.outputs()) for each in found]


def test_a_temporary_table_of_the_same_text_is_known() -> None:
    made = "CREATE TEMPORARY TABLE zz (a int);"
    assert of_batch(f"{made} INSERT INTO zz SELECT id FROM orders; SELECT a FROM zz WHERE a > 1")[2] == "as it is"
    assert of_batch("SELECT a FROM zz; " + made) == ["redact (derived)", ""]
    assert of_batch(f"{made} DROP TEMPORARY TABLE zz; SELECT a FROM zz")[2] == "redact (derived)"
    assert of_batch("CREATE TABLE zz (a int); SELECT a FROM zz")[1] == "redact (derived)"  # one that others may fill
    assert of_batch("CREATE TEMPORARY TABLE customers (ssn int); SELECT ssn FROM customers")[1] == "redact (derived)"
    assert of_batch("CREATE TEMPORARY TABLE zz AS SELECT ssn FROM customers; SELECT * FROM zz")[1] == "redact (derived)"


@pytest.mark.parametrize(
    "keeps",
    [
        "SET @x = (SELECT ssn FROM customers LIMIT 1)",
        "SELECT ssn INTO @x FROM customers LIMIT 1",
        "SELECT @x := ssn FROM customers",
        "CALL keeps()",
        "EXECUTE IMMEDIATE 'SET @x = (SELECT ssn FROM customers LIMIT 1)'",
        "CREATE TEMPORARY TABLE x AS SELECT ssn FROM customers",
    ],
)
def test_what_one_text_keeps_and_reads_back_is_masked(keeps: str) -> None:
    assert of_batch(f"{keeps}; SELECT @x, 1; SELECT 1; SELECT @s", MARIADB)[1:] == [
        "redact (derived) as it is",
        "as it is",
        "redact (derived)",
    ]
    (_, executed) = MASKS.examine(f"{keeps}; EXECUTE s", classify(f"{keeps}; EXECUTE s", MARIADB, CATALOG), MARIADB)
    assert not executed.follows_names
    assert of_batch("SET @x = 1; SELECT @x, 1; SELECT a FROM t0", MARIADB)[1] == "as it is as it is"


def test_one_statement_that_keeps_a_value_and_reads_it_back_is_masked() -> None:
    assert treatments("SELECT @a := ssn, @a AS name FROM customers") == "? ?"
    assert treatments("SELECT @a AS name, @a := ssn FROM customers") == "? ?"
    assert treatments("SELECT @a := id, @a AS name FROM customers") == "- -"
