"""Classifying MySQL and MariaDB: what the session's state, the catalog and the second reader change."""

from __future__ import annotations

import inspect

import pytest
from sqlglot import exp

from rules.catalog import Catalog, CatalogFunction, CatalogRelation
from rules.classify.mysql import classify
from rules.classify.mysql.nodes import REFUSED, UNDERSTOOD
from rules.classify.mysql.recognizers import RECOGNIZERS
from rules.functions.mysql import NATIVE, native
from rules.model import Access, Effect, Kind, Namespace, Relation, Statement, Volatility

SHOP = Namespace(database="shop")


def one(text: str, namespace: Namespace = SHOP, catalog: Catalog | None = None) -> Statement:
    (statement,) = classify(text, namespace, catalog)
    return statement


def modes(*names: str) -> Namespace:
    return Namespace(database="shop", sql_mode=frozenset(names))


# -- the shape of the answer ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " ", "\n", ";", ";;;", "/* nothing */", "-- nothing", "# nothing\n;"])
def test_a_text_without_statements_has_none(text: str) -> None:
    assert classify(text, SHOP) == ()


def test_each_statement_has_its_own_text_and_place() -> None:
    found = classify(" SELECT 1 ; /* x */ DELETE FROM t ;", SHOP)
    assert [(s.text, s.index, s.batch) for s in found] == [("SELECT 1", 0, 2), ("DELETE FROM t", 1, 2)]


def test_rows_come_back_from_reads_and_from_returning() -> None:
    assert one("SELECT 1").returns_rows
    assert one("SHOW TABLES").returns_rows
    assert one("DELETE FROM t RETURNING id").returns_rows
    assert not one("DELETE FROM t").returns_rows


def test_names_of_prepared_statements_are_reported() -> None:
    assert [(n.action, n.name) for n in one("PREPARE S FROM 'SELECT 1'").names] == [("prepare", "s")]
    assert [(n.action, n.name) for n in one("EXECUTE s USING @a").names] == [("execute", "s")]
    assert [(n.action, n.name) for n in one("DROP PREPARE s").names] == [("deallocate", "s")]


def test_a_prepared_text_is_carried_inside() -> None:
    inner = one("PREPARE s FROM 'DELETE FROM `a``b` WHERE id = ?'").inner
    assert inner is not None
    assert (inner.kind, inner.relations) == (Kind.DELETE, (Relation(None, "a`b", Access.WRITE),))


def test_escapes_in_a_prepared_text_are_undone_as_the_server_does() -> None:
    inner = one(r"PREPARE s FROM 'SELECT \'x\', ''y'', \"z\"'").inner
    assert inner is not None
    assert inner.text == "SELECT 'x', 'y', \"z\""


# -- the session's state ------------------------------------------------------------------------------------------------


def test_ansi_quotes_make_names_of_double_quotes() -> None:
    assert one('SELECT * FROM "t"', modes("ANSI_QUOTES")).relations == (Relation(None, "t"),)
    assert one('SELECT * FROM "t"').opaque is not None
    assert one('SELECT "sleep"(5)', modes("ANSI")).effects >= {Effect.SLEEP}


def test_no_backslash_escapes_ends_a_string_at_the_first_quote() -> None:
    text = r"SELECT '\'; DELETE FROM t; -- '"
    assert [s.kind for s in classify(text, SHOP)] == [Kind.SELECT]
    assert [s.kind for s in classify(text, modes("NO_BACKSLASH_ESCAPES"))] == [Kind.SELECT, Kind.DELETE]


def test_both_modes_together() -> None:
    text = 'SELECT "a\\" FROM t; DELETE FROM "b"'
    found = classify(text, modes("ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"))
    assert [s.kind for s in found] == [Kind.SELECT, Kind.DELETE]
    assert found[1].relations == (Relation(None, "b", Access.WRITE),)


@pytest.mark.parametrize("mode", ["ORACLE", "oracle", "MSSQL"])
def test_another_grammar_is_opaque(mode: str) -> None:
    assert one("SELECT 1", modes(mode)).opaque is not None


@pytest.mark.parametrize("charset", ["gbk", "sjis", "big5", "cp932", "gb18030"])
def test_charsets_with_a_backslash_in_a_letter_read_ascii_only(charset: str) -> None:
    namespace = Namespace(database="shop", charset=charset)
    assert one("SELECT 'x'", namespace).opaque is None
    assert one("SELECT '縗'", namespace).opaque is not None


@pytest.mark.parametrize("charset", ["ucs2", "utf16", "utf32", "swe7", "klingon"])
def test_charsets_that_are_not_ascii_are_opaque(charset: str) -> None:
    assert one("SELECT 1", Namespace(charset=charset)).opaque is not None


def test_latin1_keeps_letters_between_quotes() -> None:
    latin1 = Namespace(database="shop", charset="latin1")
    assert one("SELECT 'größe'", latin1).opaque is None
    assert one("SELECT\u00a01", latin1).opaque is not None


def test_bytes_that_are_no_text_are_opaque() -> None:
    assert one("SELECT '\udcff'").opaque is not None


@pytest.mark.parametrize(
    "text", ["SELECT 'a'", 'SELECT "a"', "SELECT `a`", "SELECT 1 -- x", "SELECT 1 /* x */", "SELECT '\\'"]
)
def test_unknown_lexing_leaves_only_what_reads_the_same_in_every_way(text: str) -> None:
    unknown = Namespace(database="shop", lexing_known=False)
    assert one(text, unknown).opaque is not None
    assert one("SELECT a FROM t WHERE b = 1", unknown).opaque is None


def test_a_setting_changes_how_the_rest_of_the_text_is_read() -> None:
    first, second, third = classify("SET sql_mode = 'ANSI_QUOTES'; SELECT \"a\"; SELECT 1", SHOP)
    assert Effect.LEXING in first.effects
    assert second.opaque is not None
    assert third.opaque is None


def test_use_names_the_schema_of_what_follows() -> None:
    _, second = classify("USE hr; SELECT * FROM salaries", SHOP)
    assert second.relations == (Relation("hr", "salaries"),)


def test_an_unqualified_system_table_is_known_by_the_current_database() -> None:
    statement = one("UPDATE user SET x = 1 WHERE y = 2", Namespace(database="mysql"))
    assert statement.effects >= {Effect.GRANT, Effect.SAMPLES}


def test_what_may_run_a_setting_changes_how_the_rest_is_read() -> None:
    for first in ("EXECUTE s", "CALL p()", "SELECT f(1)", "PREPARE s FROM @x", "EXECUTE IMMEDIATE 'SET sql_mode = 4'"):
        *_, last = classify(f"{first}; SELECT 'a'", SHOP)
        assert last.opaque is not None
        *_, last = classify(f"{first}; SELECT 1", SHOP)
        assert last.opaque is None


def settings(text: str) -> list[tuple[str, str | None, str]]:
    return [(setting.name, setting.value, setting.scope) for setting in one(text).settings]


def test_a_scope_goes_on_to_hold() -> None:
    assert settings("SET GLOBAL a = 1, b = 2, SESSION c = 3, d = 4, @@e = 5") == [
        ("a", "1", "global"), ("b", "2", "global"), ("c", "3", "session"), ("d", "4", "session"), ("e", "5", "session"),
    ]  # fmt: skip


def test_a_value_that_is_not_in_the_text_has_none() -> None:
    assert settings("SET sql_mode = DEFAULT") == [("sql_mode", None, "session")]
    assert settings("SET NAMES DEFAULT") == [("names", None, "session")]
    assert settings("SET sql_mode = CONCAT(@@sql_mode, SLEEP(1))") == [("sql_mode", None, "session")]
    assert settings("SET sql_mode = CONCAT(@@global.sql_mode, ',ANSI')") == [("sql_mode", None, "session")]
    assert settings("SET sql_mode = CONCAT(@@sql_mode, ',A') + 1") == [("sql_mode", None, "session")]
    assert settings("SET sql_mode = 'a' 'b'") == [("sql_mode", None, "session")]
    assert settings("SET sql_mode = _utf8'ANSI'") == [("sql_mode", None, "session")]
    assert settings("SET sql_mode = -4, @A = x'41'") == [("sql_mode", "-4", "session"), ("@a", "x'41'", "session")]
    assert settings("SET ROLE admin --;") == [("role", None, "session")]


def test_ordinary_names_in_a_definition_are_not_taken_for_options() -> None:
    effects = one(
        "CREATE TABLE t (connection INT, type TEXT, directory TEXT, import INT, discard INT, engine TEXT)"
    ).effects
    assert effects == {Effect.DDL}


# -- names --------------------------------------------------------------------------------------------------------------


def test_a_common_table_expression_hides_the_table_only_where_it_is_in_sight() -> None:
    assert one("WITH x AS (SELECT 1) SELECT * FROM x").relations == ()
    assert one("WITH x AS (SELECT * FROM x) SELECT * FROM x").relations == (Relation(None, "x"),)
    assert one("WITH RECURSIVE x AS (SELECT 1 UNION SELECT * FROM x) SELECT * FROM x").relations == ()
    assert one("WITH x AS (SELECT 1) SELECT * FROM db.x").relations == (Relation("db", "x"),)
    assert one("SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) y, x").relations == (Relation(None, "x"),)


def test_a_common_table_expression_does_not_hide_what_is_written_to() -> None:
    assert one("WITH t AS (SELECT 1) DELETE FROM t").relations == (Relation(None, "t", Access.WRITE),)
    assert one("WITH t AS (SELECT 1) UPDATE t SET a = 1").relations == (Relation(None, "t", Access.WRITE),)


def test_assignments_without_a_table_may_go_to_any_table() -> None:
    found = one("UPDATE a JOIN b ON a.x = b.x SET y = 1 WHERE a.x = 1").relations
    assert {relation.access for relation in found} == {Access.WRITE}


def test_hostile_column_names_are_not_taken_for_qualifiers() -> None:
    found = one("UPDATE a, b SET `a.y` = 1 WHERE a.x = 1").relations
    assert {relation.access for relation in found} == {Access.WRITE}


# -- functions and the catalog ------------------------------------------------------------------------------------------


def function(name: str, body: str | None, kind: str = "f", language: str = "SQL") -> CatalogFunction:
    return CatalogFunction("shop", name, Volatility.VOLATILE, language, kind=kind, body=body)


def catalog(*functions: CatalogFunction, views: dict[str, str] | None = None) -> Catalog:
    relations = {
        ("shop", name): CatalogRelation("shop", name, "v", definition=text) for name, text in (views or {}).items()
    }
    return Catalog(functions={("shop", f.name): (f,) for f in functions}, relations=relations)


def test_a_stored_function_that_only_computes_is_known() -> None:
    known = catalog(function("vat", "RETURN x * 0.2"))
    statement = one("SELECT vat(1)", catalog=known)
    assert statement.effects == {Effect.READ}
    assert [f.known for f in statement.functions] == [True]


def test_a_stored_function_does_what_its_body_does() -> None:
    known = catalog(function("nap", "RETURN SLEEP(x)"))
    assert one("SELECT nap(1)", catalog=known).effects >= {Effect.SLEEP}
    assert one("SELECT NAP(1)", catalog=known).effects >= {Effect.SLEEP}
    assert one("SELECT shop.`nap` (1)", Namespace(), known).effects >= {Effect.SLEEP}


@pytest.mark.parametrize(
    "body", [None, "", "BEGIN UPDATE t SET a = 1; RETURN 1; END", "BEGIN", "RETURN", "IF 1 THEN RETURN 1; END IF"]
)
def test_a_body_that_is_not_read_is_unknown_code(body: str | None) -> None:
    statement = one("SELECT f(1)", catalog=catalog(function("f", body)))
    assert statement.effects >= {Effect.CODE, Effect.UNKNOWN}


def test_a_function_in_another_language_is_unknown() -> None:
    assert (
        Effect.UNKNOWN in one("SELECT f(1)", catalog=catalog(function("f", "RETURN 1", language="JAVASCRIPT"))).effects
    )


def test_a_procedure_of_plain_statements_is_looked_into() -> None:
    known = catalog(function("p", "BEGIN DELETE FROM a; UPDATE b SET c = 1; END", kind="p"))
    statement = one("CALL p()", catalog=known)
    assert statement.kind is Kind.CALL
    assert statement.effects == {Effect.READ, Effect.WRITE, Effect.CODE}


def test_functions_that_call_each_other_end() -> None:
    known = catalog(function("a", "RETURN b(1)"), function("b", "RETURN a(1)"))
    assert Effect.UNKNOWN in one("SELECT a(1)", catalog=known).effects


def test_a_view_that_calls_something_does_it_when_it_is_read() -> None:
    known = catalog(function("f", None), views={"v": "select f(1) AS x from `shop`.`t`", "w": "select * from v"})
    assert Effect.UNKNOWN in one("SELECT * FROM v", catalog=known).effects
    assert Effect.UNKNOWN in one("SELECT * FROM shop.w", catalog=known).effects


def test_views_over_each_other_end() -> None:
    known = catalog(views={"v": "select * from w", "w": "select * from v"})
    assert (
        one("SELECT * FROM v", catalog=known).opaque is not None
        or Effect.UNKNOWN in one("SELECT * FROM v", catalog=known).effects
    )


def test_a_space_before_the_parenthesis_calls_a_stored_function() -> None:
    """`count (x)` is the server's own only under IGNORE_SPACE."""
    assert Effect.UNKNOWN in one("SELECT count (x) FROM t").effects
    assert one("SELECT count(x) FROM t").effects == {Effect.READ}
    assert one("SELECT count (x) FROM t", modes("IGNORE_SPACE")).effects == {Effect.READ}
    assert one("SELECT concat (x) FROM t").effects == {Effect.READ}


def test_a_function_of_the_other_server_may_be_a_stored_one() -> None:
    maria, mysql = (
        Namespace(database="shop", mariadb=True, server_version=101100),
        Namespace(database="shop", server_version=80036),
    )
    assert one("SELECT NVL(a, 1) FROM t", maria, Catalog()).effects == {Effect.READ}
    assert Effect.UNKNOWN in one("SELECT NVL(a, 1) FROM t", mysql, Catalog()).effects
    assert one("SELECT IS_UUID(a) FROM t", mysql, Catalog()).effects == {Effect.READ}
    assert Effect.UNKNOWN in one("SELECT IS_UUID(a) FROM t", maria, Catalog()).effects


def test_functions_with_effects_are_distrusted_on_every_server() -> None:
    for name, found in NATIVE.items():
        if found.effects:
            assert native(name, mariadb=True, version=0) == native(name, mariadb=False, version=0) == found


# -- completeness ---------------------------------------------------------------------------------------------------------


def test_every_node_type_of_the_parser_was_looked_at() -> None:
    nodes = {
        name: value
        for name, value in vars(exp).items()
        if inspect.isclass(value) and issubclass(value, exp.Expr) and not issubclass(value, exp.Func)
    }
    understood = {name for name, value in nodes.items() if value in UNDERSTOOD}
    assert not understood & REFUSED
    assert set(nodes) == understood | REFUSED


@pytest.mark.parametrize("word", sorted(RECOGNIZERS))
def test_no_recognizer_takes_its_first_word_for_a_harmless_statement(word: str) -> None:
    """Alone, few are statements; those that are say what they do."""
    harmless = {"RESIGNAL", "SIGNAL", "DO"}
    (statement,) = classify(word, SHOP)
    assert statement.opaque is not None or statement.effects - {Effect.READ} or word in harmless


@pytest.mark.parametrize("word", sorted(RECOGNIZERS))
@pytest.mark.parametrize("tail", ["@#!", ") x", "( (", "SELECT", "; DELETE FROM t", ", , ,", "'x' 'y'", "`a`.`b`.`c`"])
def test_recognizers_take_any_tail(word: str, tail: str) -> None:
    assert classify(f"{word} {tail}", SHOP)


def test_no_statement_with_a_leading_word_that_nobody_knows_passes() -> None:
    for word in (
        "FLUSHED",
        "FOO",
        "ATTACH",
        "PRAGMA",
        "COPY",
        "MERGE",
        "VACUUM",
        "DECLARE",
        "RETURN",
        "IF",
        "END",
        "@a",
        "1",
        "'x'",
    ):
        assert one(f"{word} t").opaque is not None


@pytest.mark.parametrize(
    "first",
    [
        "PREPARE p FROM 'USE mysql'; EXECUTE p",
        "EXECUTE made_before",
        "EXECUTE IMMEDIATE @text",
        "CALL nobody_knows_what()",
    ],
)
def test_after_what_may_have_changed_the_database_a_name_without_one_is_opaque(first: str) -> None:
    """MariaDB executes a prepared USE: `user` in the same text is then mysql.user."""
    for text in ("SELECT host FROM user", "SELECT nobody_knows_what()", "DELETE FROM user WHERE host = 1"):
        assert classify(f"{first}; {text}", SHOP)[-1].opaque is not None
    for text in ("SELECT host FROM shop.user", "SELECT NOW()", "COMMIT"):
        assert classify(f"{first}; {text}", SHOP)[-1].opaque is None


def test_what_mariadb_shows_with_grants_is_read_from_the_table_of_passwords() -> None:
    maria = Namespace(database="shop", mariadb=True, server_version=101100)
    for text in ("SHOW GRANTS", "SHOW GRANTS FOR CURRENT_USER()"):
        assert Relation("mysql", "global_priv") in one(text, maria).relations
        assert one(text, SHOP).relations == ()
    assert Relation("mysql", "servers") in one("SHOW CREATE SERVER a", maria).relations


@pytest.mark.parametrize(
    "condition",
    [
        "1", "TRUE", "1 = 1", "'a' = 'a'", "id = id", "t.id = id", "id <=> id", "NOT 0", "!0", "2 > 1 AND 'x' = 'x'",
        "id IS NOT NULL", "id IS NOT NULL OR a = 3", "NOT id IS NULL", "a IS NULL OR a IS NOT NULL", "a = 1 OR NOT a = 1",
        "a OR NOT a",
        "a = 1 OR a <> 1",
        "id LIKE '%'", "a REGEXP '.*'", "a RLIKE ''", "id IN (id, 5)", "id BETWEEN id AND id", "LENGTH(a) >= 0", "ABS(a) > -1",
        "NOT (a <> a)", "id = id + 0", "id - id = 0", "a * 0 = 0", "a > 5 OR a < 7", "RAND() < 2", "NOW() > '1970-01-01'",
        "EXISTS (SELECT 1)", "(SELECT TRUE)", "id IN (SELECT id FROM t)", "id = ANY (SELECT id FROM t)",
        "t.id IN (SELECT x.id FROM t AS x)",
    ],
)  # fmt: skip
def test_a_condition_that_every_row_passes_is_trivial(condition: str) -> None:
    for text in (f"DELETE FROM t WHERE {condition}", f"UPDATE t SET a = 1 WHERE {condition}"):
        statement = one(text)
        assert (statement.has_where, statement.trivial_where, statement.opaque) == (True, True, None)


@pytest.mark.parametrize(
    "condition",
    [
        "id = 1", "a IS NULL", "a IS NOT NULL", "id IS NULL", "a LIKE 'x%'", "a <> a", "FALSE", "0", "1 = 0", "id <> 5", "a = b",
        "id IN (SELECT id FROM u)", "id IN (SELECT id FROM t WHERE a)", "id IN (SELECT id FROM t LIMIT 1)",
        "id IN (SELECT a FROM t)",
        "id IN (1, 2)", "NOT a", "a", "a = 1 OR b = 2", "a = 1 OR a <> 2", "a BETWEEN 1 AND 2", "LENGTH(a) > 3", "a REGEXP 'x'",
        "a + 1 = b", "a > 7 OR a < 5", "EXISTS (SELECT 1 FROM u WHERE u.id = t.id)", "id NOT IN (SELECT id FROM t)",
    ],
)  # fmt: skip
def test_a_condition_that_excludes_something_is_not_trivial(condition: str) -> None:
    statement = one(f"DELETE FROM t WHERE {condition}")
    assert (statement.has_where, statement.trivial_where, statement.opaque) == (True, False, None)


def test_what_is_added_to_the_sql_mode_is_added_to_what_it_is() -> None:
    """As Rails and JDBC drivers begin a session. Where the mode is not known, neither is the sum."""
    (found,) = one(
        "SET sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')", modes("ANSI_QUOTES", "IGNORE_SPACE")
    ).settings
    assert found.value == ",STRICT_ALL_TABLES"  # the text was read by the others already
    (found,) = one("SET @@session.sql_mode = concat(@@SESSION.sql_mode, ',ANSI')").settings
    assert found.value == ",ANSI"
    assert one("SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", Namespace(lexing_known=False)).opaque is not None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("/*!40100 SET @@SQL_MODE='' */", Kind.SET),
        ("/*!40103 SET TIME_ZONE='+00:00' */", Kind.SET),
        ("START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */", Kind.TRANSACTION),
        ("show /*!32332 FULL */ columns from `orders`", Kind.SHOW),
        ("LOCK TABLES `orders` READ /*!32311 LOCAL */", Kind.LOCK),
    ],
)
def test_what_dump_programs_write_as_executable_comments_is_read(text: str, kind: Kind) -> None:
    found = one(text)
    assert (found.kind, found.opaque) == (kind, None)


@pytest.mark.parametrize(
    "text",
    [
        "/*!40100 SET @@SQL_MODE='ANSI' */",
        "/*!40100  SET @@SQL_MODE='' */",
        "/*!40100 SET @@SQL_MODE='' , @@sql_log_bin=0 */",
        "/*!40101 SET @@SQL_MODE='' */",
        "SELECT /*!32332 FULL */ 1",
        "DELETE FROM t /*!32332 FULL */",
        "/*!40100 SET @@SQL_MODE='' */ DELETE FROM t",
        "/*!40100 SET @@SQL_MODE='' */ /*! DELETE FROM t */",
        "START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT /* */",
    ],
)
def test_no_other_executable_comment_is(text: str) -> None:
    assert any(found.opaque is not None for found in classify(text, SHOP))


def test_a_comment_that_is_read_ends_where_it_ends() -> None:
    first, second = classify("/*!40103 SET TIME_ZONE='+00:00' */; DROP TABLE t", SHOP)
    assert (first.kind, second.kind) == (Kind.SET, Kind.DDL)
    assert one("SELECT '/*!40100 SET @@SQL_MODE=', 1").opaque is None
