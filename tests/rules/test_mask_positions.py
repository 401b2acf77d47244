"""Every place where a condition over a masked column can stand, by what a policy says of conditions (design, section 6)."""

from __future__ import annotations

from typing import Literal

import pytest

from rules.policy import Policy
from tests.rules import mask_catalog as postgres
from tests.rules import mysql_mask_catalog as mysql

Choice = Literal["allow", "equality", "hold", "deny"]
CHOICES: tuple[Choice, ...] = ("allow", "equality", "hold", "deny")
# By place: what asks for equality alone, which `equality` lets pass, and what asks for more, which it holds. None: there is none.
Places = dict[str, tuple[str | None, str | None]]

POSTGRES: Places = {
    "where": ("SELECT id FROM customers WHERE ssn = 'x'", "SELECT id FROM customers WHERE ssn < 'x'"),
    "null": ("SELECT id FROM customers WHERE ssn IS NULL", "SELECT id FROM customers WHERE (ssn || '') IS NULL"),
    "join": (
        "SELECT c.id FROM customers c JOIN archive a ON a.ssn = c.ssn",
        "SELECT c.id FROM customers c JOIN orders o ON o.note = c.ssn",
    ),
    "left join": (
        "SELECT c.id FROM orders c LEFT JOIN customers a ON a.ssn = 'x'",
        "SELECT c.id FROM orders c LEFT JOIN customers a ON a.ssn > c.note",
    ),
    "using": (
        "SELECT c.id FROM customers c JOIN archive a USING (ssn)",
        "SELECT 1 FROM customers JOIN (SELECT note AS ssn FROM orders) o USING (ssn)",
    ),
    "natural": (
        "SELECT 1 FROM (SELECT ssn FROM customers) c NATURAL JOIN (SELECT ssn FROM archive) a",
        "SELECT 1 FROM customers NATURAL JOIN (SELECT note AS ssn FROM orders) o",
    ),
    "having": (
        "SELECT max(id) FROM customers GROUP BY id HAVING ssn = 'x'",
        "SELECT city FROM customers GROUP BY city HAVING max(ssn) > 'x'",
    ),
    "order by": (None, "SELECT id FROM customers ORDER BY ssn"),
    "order by an expression": (None, "SELECT id FROM customers ORDER BY ssn = 'x', left(ssn, 1)"),
    "order by of a union": (None, "SELECT id, ssn FROM customers UNION ALL SELECT id, ssn FROM archive ORDER BY ssn"),
    "order by limit": (None, "SELECT id FROM customers ORDER BY salary DESC LIMIT 1"),
    "limit": (None, "SELECT id FROM orders LIMIT (SELECT salary FROM customers WHERE id = 1)"),
    "offset": (None, "SELECT id FROM orders OFFSET (SELECT salary FROM customers WHERE id = 1)"),
    "group by": ("SELECT count(*) FROM child GROUP BY secret", "SELECT count(*) FROM customers GROUP BY ssn"),
    "grouping sets": (
        "SELECT count(*) FROM child GROUP BY GROUPING SETS ((secret), (id))",
        "SELECT count(*) FROM customers GROUP BY GROUPING SETS ((ssn), (id))",
    ),
    "distinct": ("SELECT DISTINCT secret FROM child", "SELECT DISTINCT ssn FROM customers"),
    "distinct on": ("SELECT DISTINCT ON (secret) id FROM child", "SELECT DISTINCT ON (ssn) id FROM customers"),
    "distinct in an aggregate": (
        "SELECT count(DISTINCT secret) FROM child",
        "SELECT count(DISTINCT ssn) FROM customers",
    ),
    "window order": (None, "SELECT id, row_number() OVER (ORDER BY ssn) FROM customers"),
    "window partition": (
        "SELECT id, count(*) OVER (PARTITION BY secret) FROM child",
        "SELECT id, count(*) OVER (PARTITION BY ssn) FROM customers",
    ),
    "named window": (
        "SELECT id, count(*) OVER w FROM child WINDOW w AS (PARTITION BY secret)",
        "SELECT id, count(*) OVER w FROM customers WINDOW w AS (ORDER BY ssn)",
    ),
    "window frame": (
        None,
        "SELECT count(*) OVER (ORDER BY id ROWS (SELECT salary FROM customers LIMIT 1) PRECEDING) FROM orders",
    ),
    "in a list": (
        "SELECT id FROM customers WHERE ssn IN ('x', $1)",
        "SELECT id FROM customers WHERE ssn IN ('x', name)",
    ),
    "in a subquery": (
        "SELECT id FROM customers WHERE ssn IN (SELECT ssn FROM archive)",
        "SELECT id FROM customers WHERE ssn IN (SELECT note FROM orders)",
    ),
    "in a masked subquery": (None, "SELECT id FROM orders WHERE note IN (SELECT ssn FROM customers)"),
    "not in": (
        "SELECT id FROM customers WHERE ssn NOT IN (SELECT ssn FROM archive)",
        "SELECT id FROM customers WHERE ssn NOT IN (SELECT note FROM orders)",
    ),
    "any": ("SELECT id FROM customers WHERE ssn = ANY ($1)", "SELECT id FROM customers WHERE ssn > ANY ($1)"),
    "all": (
        "SELECT id FROM customers WHERE ssn <> ALL (ARRAY['x'])",
        "SELECT id FROM customers WHERE ssn >= ALL (SELECT ssn FROM customers)",
    ),
    "exists": (
        "SELECT id FROM orders o WHERE EXISTS (SELECT FROM customers c WHERE c.ssn = 'x')",
        "SELECT id FROM orders o WHERE EXISTS (SELECT FROM customers c WHERE c.ssn = o.note)",
    ),
    "exists in a select list": (
        "SELECT EXISTS (SELECT FROM customers WHERE ssn = 'x')",
        "SELECT EXISTS (SELECT FROM customers WHERE ssn > 'x')",
    ),
    "scalar subquery": (
        "SELECT (SELECT id FROM customers WHERE ssn = 'x')",
        "SELECT id FROM orders WHERE note = (SELECT ssn FROM customers WHERE id = 1)",
    ),
    "array subquery": (
        "SELECT ARRAY(SELECT id FROM customers WHERE ssn = 'x')",
        "SELECT ARRAY(SELECT id FROM customers ORDER BY ssn)",
    ),
    "from a subquery": (
        "SELECT id FROM (SELECT id, ssn AS s FROM customers) x WHERE s = 'x'",
        "SELECT id FROM (SELECT id, ssn AS s FROM customers) x WHERE s > 'x'",
    ),
    "lateral": (
        "SELECT o.id FROM customers c, LATERAL (SELECT id FROM orders WHERE c.ssn = 'x') o",
        "SELECT o.id FROM customers c, LATERAL (SELECT id FROM orders WHERE c.ssn = note) o",
    ),
    "returning": (
        "DELETE FROM orders RETURNING (SELECT id FROM customers WHERE ssn = 'x')",
        "DELETE FROM orders RETURNING (SELECT id FROM customers WHERE ssn > note)",
    ),
    "returning of the row": (
        None,  # below: an answer in the result is masked there
        "UPDATE customers SET name = 'x' WHERE id = 1 RETURNING ssn > 'x'",
    ),
    "filter": (
        "SELECT count(*) FILTER (WHERE ssn = 'x') FROM customers",
        "SELECT count(*) FILTER (WHERE ssn > 'x') FROM customers",
    ),
    "filter of a window": (
        "SELECT count(*) FILTER (WHERE ssn = 'x') OVER () FROM customers",
        "SELECT count(*) FILTER (WHERE ssn > 'x') OVER () FROM customers",
    ),
    "case": (
        "SELECT CASE WHEN ssn = 'x' THEN 1 END FROM customers",
        "SELECT CASE WHEN ssn > 'x' THEN 1 END FROM customers",
    ),
    "case of a subject": (
        "SELECT CASE ssn WHEN 'x' THEN 1 END FROM customers",
        "SELECT CASE ssn WHEN name THEN 1 END FROM customers",
    ),
    "union": ("SELECT secret FROM child UNION SELECT secret FROM events", "SELECT ssn FROM customers UNION SELECT 'x'"),
    "intersect": (
        "SELECT secret FROM child INTERSECT SELECT secret FROM events",
        "SELECT ssn FROM customers INTERSECT SELECT note FROM orders",
    ),
    "except": (None, "SELECT ssn FROM customers EXCEPT SELECT note FROM orders"),
    "with": (
        "WITH c AS (SELECT id FROM customers WHERE ssn = 'x') SELECT * FROM c",
        "WITH c AS (SELECT id FROM customers WHERE ssn > 'x') SELECT * FROM c",
    ),
    "recursion": (
        "WITH RECURSIVE c AS (SELECT id, ssn FROM customers UNION ALL SELECT c.* FROM c WHERE c.ssn = 'x') SELECT id FROM c",
        "WITH RECURSIVE c AS (SELECT id, ssn FROM customers UNION ALL SELECT c.* FROM c WHERE c.ssn > 'x') SELECT id FROM c",
    ),
    "recursion that compares rows": (
        None,
        "WITH RECURSIVE c AS (SELECT id, ssn FROM customers UNION SELECT c.id + 1, c.ssn FROM c WHERE c.id < 9) SELECT id FROM c",
    ),
    "search": (
        None,
        "WITH RECURSIVE c AS (SELECT id, ssn FROM customers UNION ALL SELECT id, ssn FROM c) SEARCH DEPTH FIRST BY ssn SET o "
        "SELECT id FROM c",
    ),
    "cycle": (
        None,
        "WITH RECURSIVE c AS (SELECT id, ssn FROM customers UNION ALL SELECT id, ssn FROM c) CYCLE ssn SET is_cycle USING path "
        "SELECT id FROM c",
    ),
    "aggregate order": (None, "SELECT string_agg(name, ',' ORDER BY ssn) FROM customers"),
    "merge on": (
        "MERGE INTO customers c USING (VALUES ('x')) v(s) ON c.ssn = v.s WHEN MATCHED THEN UPDATE SET name = 'y'",
        "MERGE INTO customers c USING orders o ON c.ssn = o.note WHEN MATCHED THEN UPDATE SET name = 'y'",
    ),
    "merge when": (
        "MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED AND c.ssn = 'x' THEN DELETE",
        "MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED AND c.ssn > 'x' THEN DELETE",
    ),
    "on conflict where": (
        "INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'x' WHERE customers.ssn = 'x'",
        "INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'x' WHERE customers.ssn > 'x'",
    ),
    "on conflict target": (
        None,
        "INSERT INTO customers (id, ssn) VALUES (1, 'x') ON CONFLICT (id) WHERE ssn > 'x' DO UPDATE SET name = 'x'",
    ),
    "update where": (
        "UPDATE customers SET name = 'x' WHERE ssn = 'x'",
        "UPDATE customers SET name = 'x' WHERE ssn > 'x'",
    ),
    "update from": (
        "UPDATE orders SET note = 'x' FROM customers c WHERE c.ssn = 'x'",
        "UPDATE orders SET note = 'x' FROM customers c WHERE c.ssn = orders.note",
    ),
    "delete where": ("DELETE FROM customers WHERE ssn = 'x'", "DELETE FROM customers WHERE ssn > 'x'"),
    "delete using": (
        "DELETE FROM orders USING customers c WHERE c.ssn = 'x'",
        "DELETE FROM orders USING customers c WHERE c.ssn = orders.note",
    ),
    "insert select": (
        "INSERT INTO orders (id) SELECT id FROM customers WHERE ssn = 'x'",
        "INSERT INTO orders (id) SELECT id FROM customers WHERE ssn > 'x'",
    ),
    "a new table": (
        "CREATE TABLE t AS SELECT id FROM customers WHERE ssn = 'x'",
        "CREATE TABLE t AS SELECT id FROM customers WHERE ssn > 'x'",
    ),
    "a cursor": (
        "DECLARE k CURSOR FOR SELECT id FROM customers WHERE ssn = 'x'",
        "DECLARE k CURSOR FOR SELECT id FROM customers WHERE ssn > 'x'",
    ),
    "copy": (
        "COPY (SELECT id FROM customers WHERE ssn = 'x') TO STDOUT",
        "COPY (SELECT id FROM customers WHERE ssn > 'x') TO STDOUT",
    ),
    "explain": (
        "EXPLAIN SELECT id FROM customers WHERE ssn = 'x'",
        "EXPLAIN ANALYZE SELECT id FROM customers WHERE ssn > 'x'",
    ),
    "values": (None, "VALUES ((SELECT id FROM customers WHERE ssn > 'x'))"),
    "arguments": (
        "SELECT upper((SELECT name FROM customers WHERE ssn = 'x'))",
        "SELECT upper((SELECT name FROM customers WHERE ssn > 'x'))",
    ),
    "a table function": (
        None,
        "SELECT g FROM customers c, generate_series(1, c.salary) g",
    ),
    "rows of values": (
        "SELECT id FROM customers WHERE (ssn, id) = ('x', 1)",
        "SELECT id FROM customers WHERE (ssn, id) > ('x', 1)",
    ),
    "is distinct": (
        "SELECT id FROM customers WHERE ssn IS NOT DISTINCT FROM 'x'",
        "SELECT id FROM customers WHERE ssn IS DISTINCT FROM name",
    ),
    "a view": ("SELECT id FROM v WHERE number = 'x'", "SELECT id FROM v WHERE number > 'x'"),
    "a whole row": (None, "SELECT id FROM customers c WHERE c > ROW(1)"),
    "count of a distinct row": (None, "SELECT count(DISTINCT c) FROM customers c"),
    "tablesample": (None, "SELECT id FROM orders TABLESAMPLE SYSTEM ((SELECT salary FROM customers WHERE id = 1))"),
}
MYSQL: Places = {
    "where": ("SELECT id FROM customers WHERE ssn = 'x'", "SELECT id FROM customers WHERE ssn < 'x'"),
    "null": ("SELECT id FROM customers WHERE ssn IS NULL", "SELECT id FROM customers WHERE CONCAT(ssn, '') IS NULL"),
    "null-safe": ("SELECT id FROM customers WHERE ssn <=> 'x'", "SELECT id FROM customers WHERE ssn <=> name"),
    "join": (
        "SELECT c.id FROM customers c JOIN archive a ON a.ssn = c.ssn",
        "SELECT c.id FROM customers c JOIN orders o ON o.note = c.ssn",
    ),
    "left join": (
        "SELECT c.id FROM orders c LEFT JOIN customers a ON a.ssn = 'x'",
        "SELECT c.id FROM orders c LEFT JOIN customers a ON a.ssn > c.note",
    ),
    "straight join": (
        "SELECT c.id FROM orders c STRAIGHT_JOIN customers a ON a.ssn = 'x'",
        "SELECT c.id FROM orders c STRAIGHT_JOIN customers a ON a.ssn > c.note",
    ),
    "using": (
        "SELECT c.id FROM customers c JOIN archive a USING (ssn)",
        "SELECT 1 FROM customers JOIN (SELECT note AS ssn FROM orders) o USING (ssn)",
    ),
    "natural": (
        "SELECT 1 FROM (SELECT ssn FROM customers) c NATURAL JOIN (SELECT ssn FROM archive) a",
        "SELECT 1 FROM customers NATURAL JOIN (SELECT note AS ssn FROM orders) o",
    ),
    "having": (
        "SELECT id, ssn FROM customers HAVING ssn = 'x'",
        "SELECT city FROM customers GROUP BY city HAVING MAX(ssn) > 'x'",
    ),
    "order by": (None, "SELECT id FROM customers ORDER BY ssn"),
    "order by of a union": (None, "SELECT id, ssn FROM customers UNION ALL SELECT id, ssn FROM archive ORDER BY ssn"),
    "order by limit": (None, "SELECT id FROM customers ORDER BY salary DESC LIMIT 1"),
    "group by": (None, "SELECT COUNT(*) FROM customers GROUP BY ssn"),
    "rollup": (None, "SELECT COUNT(*) FROM customers GROUP BY ssn WITH ROLLUP"),
    "distinct": (None, "SELECT DISTINCT ssn FROM customers"),
    "distinct in an aggregate": (None, "SELECT COUNT(DISTINCT ssn) FROM customers"),
    "window order": (None, "SELECT id, ROW_NUMBER() OVER (ORDER BY ssn) FROM customers"),
    "window partition": (None, "SELECT id, COUNT(*) OVER (PARTITION BY ssn) FROM customers"),
    "named window": (None, "SELECT id, COUNT(*) OVER w FROM customers WINDOW w AS (ORDER BY ssn)"),
    "in a list": (
        "SELECT id FROM customers WHERE ssn IN ('x', ?)",
        "SELECT id FROM customers WHERE ssn IN ('x', name)",
    ),
    "in a subquery": (
        "SELECT id FROM customers WHERE ssn IN (SELECT ssn FROM archive)",
        "SELECT id FROM customers WHERE ssn IN (SELECT note FROM orders)",
    ),
    "in a masked subquery": (None, "SELECT id FROM orders WHERE note IN (SELECT ssn FROM customers)"),
    "not in": (
        "SELECT id FROM customers WHERE ssn NOT IN (SELECT ssn FROM archive)",
        "SELECT id FROM customers WHERE ssn NOT IN (SELECT note FROM orders)",
    ),
    "any": (
        "SELECT id FROM customers WHERE ssn = ANY (SELECT ssn FROM archive)",
        "SELECT id FROM customers WHERE ssn > ANY (SELECT ssn FROM archive)",
    ),
    "all": (
        "SELECT id FROM customers WHERE ssn <> ALL (SELECT ssn FROM archive)",
        "SELECT id FROM customers WHERE ssn >= ALL (SELECT ssn FROM customers)",
    ),
    "exists": (
        "SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM customers c WHERE c.ssn = 'x')",
        "SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM customers c WHERE c.ssn = o.note)",
    ),
    "exists in a select list": (
        "SELECT EXISTS (SELECT 1 FROM customers WHERE ssn = 'x')",
        "SELECT EXISTS (SELECT 1 FROM customers WHERE ssn > 'x')",
    ),
    "scalar subquery": (
        "SELECT (SELECT id FROM customers WHERE ssn = 'x')",
        "SELECT id FROM orders WHERE note = (SELECT ssn FROM customers WHERE id = 1)",
    ),
    "from a subquery": (
        "SELECT id FROM (SELECT id, ssn AS s FROM customers) x WHERE s = 'x'",
        "SELECT id FROM (SELECT id, ssn AS s FROM customers) x WHERE s > 'x'",
    ),
    "lateral": (
        "SELECT o.id FROM customers c JOIN LATERAL (SELECT id FROM orders WHERE c.ssn = 'x') o ON TRUE",
        "SELECT o.id FROM customers c JOIN LATERAL (SELECT id FROM orders WHERE c.ssn = note) o ON TRUE",
    ),
    "case": (
        "SELECT CASE WHEN ssn = 'x' THEN 1 END FROM customers",
        "SELECT CASE WHEN ssn > 'x' THEN 1 END FROM customers",
    ),
    "case of a subject": (
        "SELECT CASE ssn WHEN 'x' THEN 1 END FROM customers",
        "SELECT CASE ssn WHEN name THEN 1 END FROM customers",
    ),
    "if": ("SELECT IF(ssn = 'x', 1, 2) FROM customers", "SELECT IF(ssn > 'x', 1, 2) FROM customers"),
    "union": (None, "SELECT ssn FROM customers UNION SELECT 'x'"),
    "intersect": (None, "SELECT ssn FROM customers INTERSECT SELECT note FROM orders"),
    "except": (None, "SELECT ssn FROM customers EXCEPT SELECT note FROM orders"),
    "with": (
        "WITH c AS (SELECT id FROM customers WHERE ssn = 'x') SELECT * FROM c",
        "WITH c AS (SELECT id FROM customers WHERE ssn > 'x') SELECT * FROM c",
    ),
    "recursion": (
        "WITH RECURSIVE c AS (SELECT id, ssn FROM customers UNION ALL SELECT c.* FROM c WHERE c.ssn = 'x') SELECT id FROM c",
        "WITH RECURSIVE c AS (SELECT id, ssn FROM customers UNION ALL SELECT c.* FROM c WHERE c.ssn > 'x') SELECT id FROM c",
    ),
    "recursion that compares rows": (
        None,
        "WITH RECURSIVE c AS (SELECT id, ssn FROM customers UNION SELECT c.id + 1, c.ssn FROM c WHERE c.id < 9) SELECT id FROM c",
    ),
    "aggregate order": (None, "SELECT GROUP_CONCAT(name ORDER BY ssn) FROM customers"),
    "update where": (
        "UPDATE customers SET name = 'x' WHERE ssn = 'x'",
        "UPDATE customers SET name = 'x' WHERE ssn > 'x'",
    ),
    "update order": (None, "UPDATE customers SET name = 'x' ORDER BY ssn LIMIT 1"),
    "update join": (
        "UPDATE orders o JOIN customers c ON c.ssn = 'x' SET o.note = 'x'",
        "UPDATE orders o JOIN customers c ON c.ssn = o.note SET o.note = 'x'",
    ),
    "delete where": ("DELETE FROM customers WHERE ssn = 'x'", "DELETE FROM customers WHERE ssn > 'x'"),
    "delete order": (None, "DELETE FROM customers ORDER BY ssn LIMIT 1"),
    "delete join": (
        "DELETE o FROM orders o JOIN customers c ON c.ssn = 'x'",
        "DELETE o FROM orders o JOIN customers c ON c.ssn = o.note",
    ),
    "insert select": (
        "INSERT INTO orders (id) SELECT id FROM customers WHERE ssn = 'x'",
        "INSERT INTO orders (id) SELECT id FROM customers WHERE ssn > 'x'",
    ),
    "on duplicate key": (
        "INSERT INTO orders (id) VALUES (1) ON DUPLICATE KEY UPDATE note = (SELECT name FROM customers WHERE ssn = 'x')",
        "INSERT INTO orders (id) VALUES (1) ON DUPLICATE KEY UPDATE note = (SELECT name FROM customers WHERE ssn > 'x')",
    ),
    "set": (
        "SET @n = (SELECT id FROM customers WHERE ssn = 'x')",
        "SET @n = (SELECT id FROM customers WHERE ssn > 'x')",
    ),
    "do": ("DO (SELECT id FROM customers WHERE ssn = 'x')", "DO (SELECT id FROM customers WHERE ssn > 'x')"),
    "a new table": (
        "CREATE TABLE t AS SELECT id FROM customers WHERE ssn = 'x'",
        "CREATE TABLE t AS SELECT id FROM customers WHERE ssn > 'x'",
    ),
    "explain": ("EXPLAIN SELECT id FROM customers WHERE ssn = 'x'", "EXPLAIN SELECT id FROM customers WHERE ssn > 'x'"),
    "rows of values": (
        "SELECT id FROM customers WHERE (ssn, id) = ('x', 1)",
        "SELECT id FROM customers WHERE (ssn, id) > ('x', 1)",
    ),
    "a view": ("SELECT id FROM v WHERE number = 'x'", "SELECT id FROM v WHERE number > 'x'"),
    "between": (None, "SELECT id FROM customers WHERE ssn BETWEEN 'a' AND 'b'"),
    "another kind": (None, "SELECT id FROM customers WHERE ssn = 78"),
}
CELLS = [
    pytest.param(dialect, sql, choice, more, id=f"{dialect} {place} {'more' if more else 'equal'} {choice}")
    for dialect, places in (("postgres", POSTGRES), ("mysql", MYSQL))
    for place, pair in places.items()
    for more, sql in zip((False, True), pair, strict=True)
    if sql is not None
    for choice in CHOICES
]


def actions(dialect: str, sql: str, choice: Choice) -> set[str]:
    """What a statement gets for its conditions."""
    policy = Policy("test", (), predicates=choice)
    if dialect == "postgres":
        findings = postgres.examine(sql, postgres.mask_set(policy)).findings
    else:
        findings = mysql.examine(sql, mysql.mask_set(policy)).findings
    assert {each.kind for each in findings} <= {"predicate"}, "it asks, and does nothing else"
    return {each.action for each in findings}


@pytest.mark.parametrize(("dialect", "sql", "choice", "more"), CELLS)
def test_a_condition_gets_what_the_policy_says_wherever_it_stands(
    dialect: str, sql: str, choice: Choice, more: bool
) -> None:
    expected = {"allow": set(), "equality": {"hold"} if more else set(), "hold": {"hold"}, "deny": {"deny"}}
    assert actions(dialect, sql, choice) == expected[choice]


@pytest.mark.parametrize("choice", CHOICES)
def test_an_answer_that_returning_gives_is_masked_where_the_policy_does_not_let_ask_for_it(choice: Choice) -> None:
    masks = postgres.mask_set(Policy("test", (), predicates=choice))
    shown = postgres.treatments("UPDATE customers SET name = 'x' RETURNING ssn = 'x', id", masks)
    assert shown == ["?" if choice in ("hold", "deny") else "-", "-"]
