"""What a statement of PostgreSQL carries beyond the corpus: batches, versions, lexing, shapes, conditions."""

from __future__ import annotations

import pytest

from rules.classify import opaque, shape_postgres
from rules.classify.postgres import classify
from rules.model import Access, Effect, Kind, Namespace, Statement

NAMESPACE = Namespace(user="agent")


def one(sql: str, namespace: Namespace = NAMESPACE) -> Statement:
    (statement,) = classify(sql, namespace)
    return statement


# -- texts and batches ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sql", ["", "  ", ";", "-- nothing", "/* nothing */ ;;"])
def test_text_without_a_statement_is_no_statement(sql: str) -> None:
    assert classify(sql, NAMESPACE) == ()


def test_each_statement_of_a_batch_has_its_own_text_and_place() -> None:
    found = classify("SELECT 'ä;'; DELETE FROM t ;\n-- end\nCOMMIT", NAMESPACE)
    assert [(each.text, each.kind, each.index, each.batch) for each in found] == [
        ("SELECT 'ä;'", Kind.SELECT, 0, 3),
        ("DELETE FROM t", Kind.DELETE, 1, 3),
        ("COMMIT", Kind.TRANSACTION, 2, 3),
    ]


@pytest.mark.parametrize(
    "first",
    [
        "SET search_path TO secret",
        "SELECT set_config('search_path', 'secret', false)",
        "RESET ALL",
        "DISCARD ALL",
        "SET ROLE other",
        "ROLLBACK",
        "COMMIT",
        "ROLLBACK TO a",
        "SELECT set_config(a, b, false) FROM t",
        "UPDATE pg_settings SET setting = 'secret' WHERE name = 'search_path'",
        "PREPARE p AS SELECT set_config('search_path', 'secret', false); EXECUTE p",
        "DECLARE c CURSOR FOR SELECT set_config('search_path', 'secret', false); FETCH c",
        "EXECUTE made_before",
        "MOVE ALL IN made_before",
        "SELECT nobody_knows_what()",
    ],
)
def test_an_unqualified_name_after_the_search_path_may_have_changed_is_opaque(first: str) -> None:
    assert classify(f"{first}; SELECT * FROM accounts", NAMESPACE)[-1].opaque is not None
    assert classify(f"{first}; DECLARE c CURSOR FOR SELECT * FROM accounts", NAMESPACE)[-1].opaque is not None
    assert classify(f"{first}; SELECT total(1)", NAMESPACE)[-1].opaque is not None
    assert classify(f"{first}; SELECT * FROM app.accounts", NAMESPACE)[-1].opaque is None
    assert classify(f"{first}; SELECT 1", NAMESPACE)[-1].opaque is None


def test_an_ordinary_transaction_in_one_text_is_understood() -> None:
    found = classify("BEGIN; UPDATE t SET a = 1 WHERE b = 2; SELECT * FROM t; COMMIT", NAMESPACE)
    assert [each.kind for each in found] == [Kind.TRANSACTION, Kind.UPDATE, Kind.SELECT, Kind.TRANSACTION]


# -- what is inside ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "inner"),
    [
        ("PREPARE p AS SELECT 'AS'", "SELECT 'AS'"),
        ('PREPARE "AS" (int, "AS") AS DELETE FROM t', "DELETE FROM t"),
        ("PREPARE p AS /* AS */ SELECT 1 AS x;", "SELECT 1 AS x"),
        ("DECLARE c CURSOR FOR SELECT 1 FOR UPDATE", "SELECT 1 FOR UPDATE"),
        ('DECLARE "FOR" NO SCROLL CURSOR WITHOUT HOLD FOR VALUES (1)', "VALUES (1)"),
        ("EXPLAIN (ANALYZE, FORMAT json) (SELECT 1)", "(SELECT 1)"),
        ("EXPLAIN (SELECT 1)", "(SELECT 1)"),
        ("EXPLAIN ANALYZE VERBOSE (SELECT 1)", "(SELECT 1)"),
        ("EXPLAIN /* é */ SELECT 'é'", "SELECT 'é'"),
        ("COPY (SELECT ')' FROM t) TO STDOUT", "SELECT ')' FROM t"),
        ("COPY (WITH x AS (SELECT 1) TABLE x) TO STDOUT (FORMAT csv)", "WITH x AS (SELECT 1) TABLE x"),
        ("PREPARE é AS SELECT 'é', x FROM \"ü\"", "SELECT 'é', x FROM \"ü\""),
    ],
)
def test_the_statement_inside_is_cut_out_exactly(sql: str, inner: str) -> None:
    statement = one(sql)
    assert statement.opaque is None
    assert statement.inner is not None
    assert statement.inner.text == inner


def test_explain_of_an_execute_evaluates_arguments_and_needs_the_name() -> None:
    statement = one("EXPLAIN EXECUTE p (nextval('s'))")
    assert statement.kind is Kind.EXPLAIN
    assert Effect.SEQUENCE in statement.effects
    assert [(each.action, each.name) for each in statement.names] == [("execute", "p")]


def test_explain_runs_nothing_that_is_volatile() -> None:
    assert one("EXPLAIN SELECT nextval('s'), pg_terminate_backend(1)").effects == {Effect.READ}
    assert Effect.ADMIN in one("EXPLAIN ANALYZE SELECT pg_terminate_backend(1)").effects


# -- literals and shapes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one_way", "other_way"),
    [
        ("DELETE FROM t WHERE 1 = 2", "DELETE FROM t WHERE 1 = 1"),
        ("DELETE FROM t WHERE $1 = 2", "DELETE FROM t WHERE 1 = 1"),
        ("DELETE FROM t WHERE a LIKE 'x%'", "DELETE FROM t WHERE a LIKE '%'"),
        ("DELETE FROM t WHERE a = 1 OR a <> 2", "DELETE FROM t WHERE a = 1 OR a <> 1"),
        ("DELETE FROM t WHERE a + 1 = a + 2", "DELETE FROM t WHERE a + 1 = a + 1"),
        ("DELETE FROM t WHERE a BETWEEN 1 AND 2", "DELETE FROM t WHERE a BETWEEN 1 AND 1"),
        ("DELETE FROM t WHERE a = 1 AND false", "DELETE FROM t WHERE a = 1 AND true"),
        ("DELETE FROM t WHERE id = 1 OR 'f'", "DELETE FROM t WHERE id = 1 OR 't'"),
        ("DELETE FROM t WHERE length(a) >= 5", "DELETE FROM t WHERE length(a) >= 0"),
        ("DELETE FROM t WHERE a + 1 IN (a + 2, 3)", "DELETE FROM t WHERE a + 1 IN (a + 1, 3)"),
        ("SELECT set_config('a.b', 'x', false)", "SELECT set_config('role', 'x', false)"),
        ("UPDATE t SET a = 1 WHERE coalesce(a, 1) = 1", "UPDATE t SET a = 1 WHERE coalesce(a, 2) = 2"),
    ],
)
def test_of_two_texts_of_one_shape_that_differ_in_meaning_neither_stands_for_the_shape(
    one_way: str, other_way: str
) -> None:
    first, second = one(one_way), one(other_way)
    differ = (first.trivial_where, first.effects, first.settings) != (
        second.trivial_where,
        second.effects,
        second.settings,
    )
    assert not differ or (first.literal and second.literal)


def test_an_ordinary_condition_holds_for_its_shape() -> None:
    assert not one("UPDATE t SET a = 1 WHERE id = 5").literal
    assert not one("DELETE FROM t WHERE id = $1 AND b > 3 AND c IN (1, 2)").literal
    assert not one("SELECT a FROM t WHERE b = 1 OR c LIKE 'x%'").literal


def test_shape_is_the_text_without_its_literals() -> None:
    assert shape_postgres("SELECT a FROM t WHERE b = 5") == shape_postgres("SELECT a FROM t WHERE b = 77")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'a\\'",
        "SELECT 'é'",
        "SELECT 1\0",
        "SELEC 1",
        "SELECT " + "(" * 500 + "1" + ")" * 500,
        "SELECT " + "+" * 40 + "1",
        "SELECT 1 " + "/**/" * 200,
        "SELECT '" + "x" * 20_000 + "'",
        "SELECT '\ud800'",
    ],
    ids=range(9),
)
def test_a_text_that_can_be_read_in_two_ways_or_costs_much_has_no_shape(sql: str) -> None:
    assert shape_postgres(sql) is None


def test_opaque_is_unknown_and_says_why() -> None:
    statement = opaque("x", "because")
    assert (statement.kind, statement.opaque) == (Kind.OPAQUE, "because")
    assert statement.effects == {Effect.UNKNOWN}
    assert statement.literal


# -- versions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "since"),
    [
        ("SELECT JSON_OBJECT('a': 1)", 160000),
        ("SELECT JSON_ARRAY(1, 2)", 160000),
        ("SELECT JSON_ARRAY(SELECT 1)", 160000),
        ("SELECT JSON_OBJECTAGG(a: b) FROM t", 160000),
        ("SELECT JSON_ARRAYAGG(a) FROM t", 160000),
        ("SELECT system_user", 160000),
        ("SELECT 0x1F", 160000),
        ("SELECT 1_000", 160000),
        ("SELECT 1.5_0", 160000),
        ("SELECT JSON('1')", 170000),
        ("SELECT JSON_SCALAR(1)", 170000),
        ("SELECT JSON_SERIALIZE('1')", 170000),
        ("SELECT JSON_EXISTS(a, '$.b') FROM t", 170000),
        ("SELECT JSON_VALUE(a, '$.b') FROM t", 170000),
        ("SELECT JSON_QUERY(a, '$.b') FROM t", 170000),
        ("SELECT * FROM JSON_TABLE(a, '$' COLUMNS (b int)) AS t", 170000),
        ("SELECT merge_action()", 170000),
        ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE RETURNING 1", 170000),
    ],
)
def test_what_an_older_server_reads_otherwise_is_opaque_there(sql: str, since: int) -> None:
    assert one(sql, Namespace(user="agent", server_version=since)).opaque is None
    older = one(sql, Namespace(user="agent", server_version=since - 1))
    assert older.kind is Kind.OPAQUE
    assert Effect.UNKNOWN in older.effects


def test_numbers_that_every_version_reads_alike_are_no_obstacle() -> None:
    old = Namespace(user="agent", server_version=150000)
    assert one("SELECT 10, 1.5, 0, 007, 1e5, '0x1F', a_1_2, '1_000' FROM t", old).opaque is None


# -- how text is read ---------------------------------------------------------------------------------------------------

OFF = Namespace(user="agent", standard_conforming_strings=False)
IN_FLIGHT = Namespace(user="agent", lexing_known=False)


def test_a_backslash_is_opaque_where_it_may_escape_a_quote() -> None:
    text = r"SELECT 'a\', 'b; DROP TABLE t; --'"
    assert one(text).kind is Kind.SELECT
    assert one(text, OFF).kind is Kind.OPAQUE
    assert one(text, IN_FLIGHT).kind is Kind.OPAQUE
    assert one("SELECT 'a'", OFF).kind is Kind.SELECT
    assert one("SELECT 'a', $$b$$", IN_FLIGHT).kind is Kind.SELECT


def test_letters_beyond_ascii_are_opaque_while_the_encoding_may_change() -> None:
    assert one("SELECT 'é'").kind is Kind.SELECT
    assert one("SELECT 'é'", IN_FLIGHT).kind is Kind.OPAQUE


def test_names_are_folded_and_cut_as_the_server_does() -> None:
    (relation,) = one(f"SELECT * FROM {'A' * 70}").relations
    assert relation.name == "a" * 63
    (relation,) = one(f'SELECT * FROM "{"é" * 40}"').relations
    assert relation.name == "é" * 31  # 62 bytes: a character is not cut in two
    (relation,) = one(r'SELECT * FROM U&"d\0061t\+000061".T').relations
    assert (relation.schema, relation.name) == ("data", "t")


# -- conditions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        "true", "NOT false", "1 = 1", "1 < 2", "'a' = 'a'", "id = id", "t.id = id", "id >= id", "id IS NOT DISTINCT FROM id",
        "id = 1 OR true", "id = 1 OR 1 = 1", "id = 1 OR NOT id = 1", "a IS NULL OR a IS NOT NULL", "id IS NOT NULL",
        "NOT (id IS NULL)", "a = 1 OR a <> 1", "a > 1 OR a <= 1", "a LIKE '%'", "a::text ~ '.*'", "a ILIKE '%%'",
        "id IN (SELECT id FROM t)", "t.id IN (SELECT id FROM t)", "EXISTS (SELECT 1)", "now() IS NOT NULL", "$1", "'yes'",
        "(id, a) = (id, a)", "a BETWEEN a AND a", "id = id AND (a = a)", "CASE WHEN a THEN true ELSE true END",
        "coalesce(a = a, true)", "(id = id) IS TRUE", "(id <> id) IS NOT TRUE", "1 = ANY (ARRAY[1])", "true = true",
        "random() >= 0", "ctid IS NOT NULL", "id IN (id, 5)", "length(a) >= 0", "length(a) > -1", "1::bool",
        "NOT (a = 1 AND false)", "id IS DISTINCT FROM NULL",
        "id = id + 0", "id - id = 0", "a * 0 = 0", "id > id - 1", "a > 5 OR a < 7", "a >= 0 OR a < 0", "a * a >= 0",
        "a IN (1) OR a NOT IN (1)", "NOT (a > 3 AND a < 2)", "id = ANY (SELECT id FROM t)", "t.id IN (SELECT x.id FROM t x)",
        "a + b = b + a", "a BETWEEN 5 AND 7 OR a < 6 OR a > 6",
    ],
)  # fmt: skip
def test_a_condition_that_every_row_passes_is_trivial(condition: str) -> None:
    for sql in (f"DELETE FROM t WHERE {condition}", f"UPDATE t SET a = 1 WHERE {condition}"):
        statement = one(sql)
        assert (statement.has_where, statement.trivial_where) == (True, True)


@pytest.mark.parametrize(
    "condition",
    [
        "id = 1", "id = $1", "a IS NULL", "a IS NOT NULL", "id IS NULL", "id = 1 AND true", "a LIKE 'x%'", "a <> a", "false",
        "1 = 0",
        "id IN (SELECT id FROM u)", "id IN (SELECT id FROM t WHERE a)", "id IN (SELECT id FROM t LIMIT 1)", "id <> 5",
        "a = b", "id IN (1, 2)", "NOT a", "a", "EXISTS (SELECT FROM u WHERE u.id = t.id)", "a = 1 OR b = 2", "NULL",
        "CURRENT OF c", "id = 1 AND (a = a OR b)", "CASE WHEN a THEN true ELSE b END", "a BETWEEN 1 AND 2", "length(a) > 3",
        "a = 1 OR a <> 2", "id NOT IN (SELECT id FROM t)",
    ],
)  # fmt: skip
def test_a_condition_that_excludes_something_is_not_trivial(condition: str) -> None:
    statement = one(f"DELETE FROM t WHERE {condition}")
    assert (statement.has_where, statement.trivial_where) == (True, False)


def test_the_condition_with_the_worst_reach_counts() -> None:
    statement = one("WITH x AS (DELETE FROM a RETURNING 1) DELETE FROM b WHERE id = 1")
    assert statement.has_where is False
    statement = one("WITH x AS (UPDATE a SET b = 1 WHERE true RETURNING 1) SELECT * FROM x")
    assert (statement.kind, statement.trivial_where) == (Kind.UPDATE, True)


# -- temporary relations, which hide others by name -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TEMP TABLE users (a int)",
        "CREATE TABLE pg_temp.users (a int)",
        "CREATE TEMP TABLE users AS SELECT 1",
        "SELECT 1 INTO TEMP users",
        "CREATE TEMP VIEW users AS SELECT 1",
        "CREATE TEMP SEQUENCE users",
        "CREATE VIEW users AS SELECT * FROM mine",
        "ALTER TABLE mine RENAME TO users",
        "ALTER TABLE pg_temp.other RENAME TO users",
    ],
)
def test_whatever_makes_a_temporary_relation_of_a_name_says_so(sql: str) -> None:
    statement = one(sql, Namespace(user="agent", temporary=frozenset({"mine"})))
    assert Effect.NAMESPACE in statement.effects
    assert "users" in {relation.name for relation in statement.relations if relation.access is Access.DDL}


def test_an_ordinary_table_is_temporary_where_the_path_begins_so() -> None:
    sql = "CREATE TABLE users (a int)"
    assert Effect.NAMESPACE not in one(sql).effects
    assert Effect.NAMESPACE in one(sql, Namespace(user="agent", search_path=("pg_temp", "public"))).effects


@pytest.mark.parametrize("sql", ["DROP TABLE users", "ALTER TABLE a RENAME TO users", "CREATE TABLE users (a int)"])
def test_what_makes_no_temporary_relation_does_not_say_so(sql: str) -> None:
    assert Effect.NAMESPACE not in one(sql).effects


def test_white_space_is_the_servers() -> None:
    statement = one("PREPARE p AS SELECT * FROM t\u00a0")
    assert statement.inner is not None
    assert [relation.name for relation in statement.inner.relations] == ["t\u00a0"]
    assert statement.inner.text == "SELECT * FROM t\u00a0"
