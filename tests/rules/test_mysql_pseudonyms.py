"""Which pseudonyms in a statement of MySQL are translated, where they stand, and what is not."""

from __future__ import annotations

import pytest

from rules.masking.literals import replaced
from rules.masking.mysql.exchange import replacement
from rules.masking.mysql.plan import MySqlResultMasks
from rules.model import Namespace
from rules.policy import MaskRule, Policy
from tests.rules.mysql_mask_catalog import CATALOG, SHOP, examine, mask_set

RULES = (MaskRule("*.ssn", "pseudonym"), MaskRule("*.email", "redact"), MaskRule("*.card", "pseudonym"))
MASKS = mask_set(rules=RULES)
LOOSE = mask_set(Policy("loose", (), predicates="allow"), rules=RULES)
MADE = MASKS.pseudonyms
REAL = "123-45"
T = MADE.token(REAL)
HARD = "it's \\ Ö"
H = MADE.token(HARD)


def looked_at(sql: str, namespace: Namespace = SHOP) -> MySqlResultMasks:
    return examine(sql, MASKS, namespace)


def sent(sql: str, namespace: Namespace = SHOP) -> str:
    found = looked_at(sql, namespace)
    assert not found.findings, found.findings
    return replaced(sql, [new for site in found.exchange.literals if (new := replacement(site, MADE)) is not None])


TRANSLATED = [
    "SELECT id FROM customers WHERE ssn = '{}'",
    "SELECT id FROM customers WHERE '{}' = ssn AND id > 1",
    "SELECT id FROM customers c WHERE c.ssn IN ('{}', '{}') OR c.ssn <> ('{}')",
    "SELECT id FROM customers WHERE ssn <=> '{}' AND NOT ssn != '{}'",
    "SELECT id FROM customers WHERE (id, ssn) = (3, '{}')",
    "SELECT id FROM customers WHERE (name, ssn) IN (('a', '{}'), ('b', '{}'))",
    "SELECT a.id FROM customers a JOIN archive b ON a.ssn = b.ssn AND b.ssn = '{}' /* é '{{}}' */",
    "SELECT n FROM (SELECT id AS n, ssn AS q FROM customers) s WHERE '{}' = q",
    "WITH w AS (SELECT * FROM customers) SELECT id FROM w WHERE ssn = '{}' ORDER BY id LIMIT 3",
    "SELECT id FROM v WHERE number = '{}'",
    "SELECT CASE ssn WHEN '{}' THEN 1 ELSE 2 END AS which FROM customers",
    "SELECT ssn = '{}' AS same FROM customers",
    "SELECT IF(ssn = '{}', 1, 2) AS which FROM customers",
    "SELECT 'é', id FROM customers WHERE ssn = '{}' UNION SELECT 'ü', id FROM archive WHERE ssn = '{}'",
    "SELECT id FROM orders o WHERE EXISTS (SELECT * FROM customers c WHERE c.id = o.id AND c.ssn = '{}')",
]


@pytest.mark.parametrize("sql", TRANSLATED)
def test_a_pseudonym_that_is_compared_is_translated_and_not_a_byte_beside_it(sql: str) -> None:
    assert sent(sql.format(*[T] * 3)) == sql.format(*[REAL] * 3)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT '{}', id FROM customers WHERE ssn = '<>'",
        "SELECT '{}' AS x, id FROM customers WHERE ssn = '<>'",
        "SELECT id FROM customers WHERE ssn = '<>' AND name = '{}'",
        "SELECT id FROM customers WHERE name = '{}' AND '<>' = ssn ORDER BY concat(name, '{}')",
        "SELECT 'é{}', id FROM archive WHERE id = 1 UNION ALL SELECT '{}', id FROM customers WHERE ssn = '<>'",
    ],
)
def test_it_is_translated_where_it_is_compared_alone(sql: str) -> None:
    assert sent(sql.replace("<>", T).format(T, T)) == sql.replace("<>", REAL).format(T, T)


def test_what_has_quotes_backslashes_or_letters_is_written_so_that_every_mode_reads_it() -> None:
    hexed = HARD.encode().hex()
    assert (
        sent(f"SELECT id FROM customers WHERE ssn='{H}'") == f"SELECT id FROM customers WHERE ssn=_utf8mb4 x'{hexed}'"
    )
    assert sent(f'SELECT id FROM customers WHERE ssn="{T}"') == f"SELECT id FROM customers WHERE ssn='{REAL}'"


def test_a_text_that_is_no_pseudonym_of_this_key_stands_for_itself() -> None:
    other = mask_set(rules=RULES).pseudonyms.__class__(b"another key").token(REAL)
    for text in (f"'{other}'", "'123-45'", "'wp_'", "'wp_short'"):
        sql = f"SELECT id FROM customers WHERE ssn = {text}"
        assert sent(sql) == sql


NOT_TRANSLATED = [
    "SELECT IF(ssn = '{}', 1, 2) FROM customers",
    "SELECT x.* FROM (SELECT CASE ssn WHEN '{}' THEN 1 END FROM customers) x",
    "SELECT ssn = '{}' FROM customers",
    "SELECT (SELECT id FROM archive WHERE ssn = '{}') FROM customers",
    "SELECT id FROM customers WHERE ssn = concat('{}', '')",
    "SELECT id FROM customers WHERE ssn = _latin1'{}'",
    "SELECT id FROM customers WHERE ssn = '{}' COLLATE utf8mb4_bin",
    "SELECT id FROM customers WHERE ssn = '{}' '1'",
    "SELECT id FROM customers WHERE ssn LIKE '{}'",
    "SELECT id FROM customers WHERE upper(ssn) = '{}'",
    "SELECT id FROM customers WHERE coalesce(ssn, name) = '{}'",
    "SELECT id FROM customers WHERE '{}' IN (ssn, name)",
    "SELECT id FROM customers WHERE ssn = N'{}'",
    f"SELECT id FROM customers WHERE ssn = x'{T.encode().hex()}'",
    "SELECT id FROM customers WHERE ssn > '{}'",
    "SELECT id FROM customers WHERE ssn = fmt('{}')",
    "SELECT s.id FROM (SELECT id, ssn AS q FROM customers UNION ALL SELECT id, name FROM customers) s WHERE q = '{}'",
    "SELECT id FROM customers LEFT JOIN orders USING (id) WHERE note = ssn AND ssn = '{}'",
    "INSERT INTO orders (note) VALUES ('{}')",
    "INSERT INTO orders (note) SELECT '{}' FROM customers WHERE ssn = '{}'",
]


@pytest.mark.parametrize("sql", NOT_TRANSLATED)
def test_where_it_could_be_seen_or_ask_more_than_equality_nothing_is_translated_unseen(sql: str) -> None:
    found = looked_at(sql.format(*[T] * 3))
    assert found.findings
    assert not found.exchange.literals or "note = ssn" in sql or "fmt" in sql or "INSERT" in sql


UNTOUCHED = [
    "SELECT id FROM customers WHERE name = '{}'",
    "SELECT id FROM orders WHERE note = '{}'",
    "SELECT id FROM customers WHERE email = '{}'",
    "SELECT '{}'",
    "SELECT id FROM other.customers c WHERE c.note = '{}'",
    "DO sleep(0)",
]


@pytest.mark.parametrize("sql", UNTOUCHED)
def test_what_is_compared_with_something_else_stays(sql: str) -> None:
    assert not looked_at(sql.format(T)).exchange


GROUPINGS = [
    "SELECT ssn, COUNT(*) FROM customers GROUP BY ssn ORDER BY COUNT(*) DESC",
    "SELECT ssn AS s, name, COUNT(*) FROM customers GROUP BY s, 2 WITH ROLLUP",
    "SELECT DISTINCT ssn, name FROM customers",
    "SELECT COUNT(DISTINCT ssn), COUNT(DISTINCT name, ssn) FROM customers",
    "SELECT ssn FROM customers UNION SELECT ssn FROM archive",
    "SELECT COUNT(*) OVER (PARTITION BY ssn) FROM customers",
    "SELECT ROW_NUMBER() OVER w FROM customers WINDOW w AS (PARTITION BY ssn ORDER BY id)",
    "SELECT COUNT(*) FROM v GROUP BY number",
]
MORE = [
    "SELECT email, COUNT(*) FROM customers GROUP BY email",
    "SELECT DISTINCT ssn, email FROM customers",
    "SELECT ssn FROM customers UNION SELECT 'm'",
    "SELECT ssn FROM customers UNION SELECT name FROM customers",
    "SELECT s FROM (SELECT ssn AS s FROM customers UNION ALL SELECT 'm') x GROUP BY s",
    "SELECT COUNT(*) FROM customers GROUP BY upper(ssn)",
    "SELECT ssn, COUNT(*) FROM customers GROUP BY ssn ORDER BY ssn",
    "SELECT COUNT(*) OVER (PARTITION BY ssn ORDER BY ssn) FROM customers",
]


@pytest.mark.parametrize("sql", GROUPINGS)
def test_grouping_by_what_stands_for_the_values_passes(sql: str) -> None:
    assert not looked_at(sql).findings
    strict = mask_set(Policy("strict", (), predicates="hold"), rules=RULES)
    assert [finding.kind for finding in examine(sql, strict, SHOP).findings] == ["predicate"]


@pytest.mark.parametrize("sql", MORE)
def test_grouping_by_anything_else_that_is_masked_is_held(sql: str) -> None:
    assert "predicate" in [finding.kind for finding in looked_at(sql).findings]


def test_what_a_window_tells_of_partitions_by_pseudonyms_is_shown() -> None:
    found = looked_at("SELECT MAX(id) OVER (PARTITION BY ssn), MAX(id) OVER (PARTITION BY ssn, email) FROM customers")
    assert [bool(value.masked) for _, value in found.columns.named] == [False, True]


def test_an_ordinary_read_of_a_view_that_calls_a_function_is_followed_beside_a_masked_table() -> None:
    found = looked_at("SELECT c.id, c.ssn, k.q FROM customers c JOIN calling k ON k.id = c.id")
    assert not found.findings
    assert [bool(value.masked) for _, value in found.columns.named] == [False, True, False]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT c.id FROM customers c JOIN Calling k ON k.id = c.id WHERE c.ssn = '{}'",
        "UPDATE orders o JOIN customers c ON c.id = o.id SET o.note = 'seen' WHERE c.ssn = '{}'",
        "DELETE FROM customers WHERE ssn = '{}'",
        "SELECT get_name(1) AS x FROM customers WHERE ssn = '{}'",
        "SELECT shop.fmt(name) AS x FROM customers WHERE ssn = '{}'",
        "SELECT c.id FROM customers c JOIN calling k ON k.id = c.id WHERE c.ssn = '{}'",
        "SELECT c.id FROM customers c WHERE c.ssn = '{}' AND EXISTS (SELECT 1 FROM calling_too)",
        "SELECT c.id FROM customers c JOIN closed k ON k.a = c.id WHERE c.ssn = '{}'",
    ],
)
def test_beside_code_of_the_database_it_is_held(sql: str) -> None:
    assert "pseudonym" in [finding.kind for finding in looked_at(sql.format(T)).findings]


def test_under_allow_an_equality_is_translated_and_a_pattern_is_not() -> None:
    assert examine(f"SELECT id FROM customers WHERE ssn = '{T}'", LOOSE).exchange.literals
    assert not examine(f"SELECT id FROM customers WHERE ssn LIKE '{T}'", LOOSE).exchange
    assert not examine(f"SELECT id FROM customers WHERE concat(ssn, name) = '{T}'", LOOSE).exchange
    assert not examine("SELECT id FROM customers WHERE ssn = ?", LOOSE).told


def test_parameters_are_translated_by_the_place_in_which_they_stand() -> None:
    sql = "SELECT ?, id FROM customers WHERE name = ? AND ssn = ? AND ssn IN (?, ?) AND salary = ?"
    assert sorted(looked_at(sql).exchange.parameters) == [3, 4, 5]
    assert not looked_at("SELECT id FROM customers WHERE ssn = concat(?, '')").exchange.parameters
    assert not looked_at("SELECT id FROM customers WHERE email = ?").exchange.parameters
    both = looked_at("SELECT id FROM customers WHERE ? IN (ssn, name) AND card = ?").exchange.parameters
    assert [(number, site.elsewhere) for number, site in both.items()] == [(1, True), (2, False)]


def test_a_temporary_table_or_a_name_that_may_be_another_is_not_trusted() -> None:
    hidden = Namespace(search_path=("shop",), database="shop", server_version=80036, temporary=frozenset({"customers"}))
    found = looked_at(f"SELECT id FROM customers WHERE ssn = '{T}'", hidden)
    assert not found.exchange.literals
    assert CATALOG.relations
