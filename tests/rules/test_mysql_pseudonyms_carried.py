"""MySQL: pseudonyms in statements that stand inside of others, in variables, and in what is handed to routines."""

from __future__ import annotations

import pytest
from attrs import evolve

from rules.classify.mysql.lexer import STRING, Lexing, lex, string_value
from rules.masking.literals import replaced
from rules.masking.mysql.domains import WHOLES, pseudonym
from rules.masking.mysql.exchange import replacement
from rules.masking.mysql.plan import MySqlResultMasks
from rules.model import Namespace
from rules.policy import MaskRule, Policy
from tests.rules.mysql_mask_catalog import MARIADB, SHOP, examine, kinds, mask_set

RULES = (MaskRule("*.ssn", "pseudonym"), MaskRule("tags.*", "pseudonym"))
MASKS = mask_set(rules=RULES)
LOOSE = mask_set(Policy("loose", (), predicates="allow"), rules=RULES)
MADE = MASKS.pseudonyms
REAL, HARD = "123-45", "it's \\ Ö"
T, H = MADE.token(REAL), MADE.token(HARD)
N = pseudonym(MADE, 7, WHOLES["smallint"])


def found_in(sql: str, namespace: Namespace = MARIADB) -> MySqlResultMasks:
    return examine(sql, MASKS, namespace)


def sent(sql: str, namespace: Namespace = MARIADB) -> str:
    found = found_in(sql, namespace)
    assert not found.findings, found.findings
    return replaced(sql, [new for site in found.exchange.literals if (new := replacement(site, MADE)) is not None])


@pytest.mark.parametrize(
    "sql",
    [
        "EXPLAIN SELECT id FROM customers WHERE ssn = '<>'",
        "SELECT 'é' ; EXPLAIN FORMAT=JSON  SELECT '<T>', id FROM customers c WHERE c.ssn IN ('<>')",
        "DESC EXTENDED SELECT id FROM customers WHERE ssn = '<>' UNION ALL SELECT id FROM archive WHERE '<>' = ssn",
        "EXPLAIN ANALYZE SELECT id FROM customers WHERE ssn = '<>'",
        "ANALYZE FORMAT=JSON SELECT id FROM customers WHERE ssn = '<>'",
        "SET STATEMENT max_statement_time = 1 FOR SELECT id FROM customers WHERE ssn = '<>' /* '<T>' */",
        "SET @x = (SELECT id FROM customers WHERE ssn = '<>')",
        "SET @x = 5, @y = 'é', @z = (SELECT max(id) FROM customers WHERE ssn = '<>')",
        "DO (SELECT id FROM customers WHERE ssn = '<>')",
    ],
)
def test_what_stands_behind_other_words_is_translated_at_its_place(sql: str) -> None:
    client = sql.replace("<>", T).replace("<T>", T)
    assert sent(client) == sql.replace("<>", REAL).replace("<T>", T)


@pytest.mark.parametrize("lexing", [Lexing(False, True), Lexing(False, False), Lexing(True, False)])
@pytest.mark.parametrize("outer", ["PREPARE s FROM {}", "EXECUTE IMMEDIATE {}", "PREPARE `from` FROM {} "])
def test_a_statement_in_a_string_is_quoted_anew(outer: str, lexing: Lexing) -> None:
    modes = ["ANSI_QUOTES"] * lexing.ansi_quotes + ["NO_BACKSLASH_ESCAPES"] * (not lexing.backslash)
    namespace = evolve(MARIADB, sql_mode=frozenset(modes))
    back = "\\\\" if lexing.backslash else "\\"
    for inner in (
        "SELECT id FROM customers WHERE ssn = '<>'",
        "  SELECT ' it''s ' AS q, '<T>', id FROM customers WHERE ssn = '<>' -- '<>'\n",
        f"SELECT 'a{back}b' AS q FROM customers WHERE '<>' = ssn AND ssn != '<H>'",
        "EXPLAIN SELECT id FROM customers WHERE ssn = '<>'",
    ):
        client = inner.replace("<>", T).replace("<T>", T).replace("<H>", H)
        literal = client.replace("\\", back) if lexing.backslash else client
        literal = "'" + literal.replace("'", "''") + "'"
        answer = sent(outer.format(literal), namespace)
        (token,) = [each for each in lex(answer, lexing).tokens if each.kind == STRING]
        hexed = f"_utf8mb4 x'{HARD.encode().hex()}'"
        first, _, comment = client.partition("--")
        want = first.replace(f"= '{T}'", f"= '{REAL}'").replace(f"'{T}' =", f"'{REAL}' =").replace(f"'{H}'", hexed)
        assert string_value(token, lexing) == want + ("--" + comment if comment else "")


def test_a_number_inside_of_a_string_too_and_nothing_where_it_stands_for_itself() -> None:
    assert (
        sent(f"PREPARE s FROM 'SELECT note FROM tags WHERE code = {N}'")
        == "PREPARE s FROM 'SELECT note FROM tags WHERE code = (7)'"
    )
    plain = "PREPARE s FROM \"SELECT id FROM customers WHERE ssn = 'none'\""
    assert sent(plain) == plain


def test_what_is_prepared_gets_its_values_another_time() -> None:
    for inner in ("SELECT note FROM tags WHERE code = ?", "EXPLAIN SELECT id FROM customers WHERE ssn = ?"):
        assert kinds(f"PREPARE s FROM '{inner}'", MASKS, MARIADB) == []


def test_parameters_behind_other_words_are_counted_in_the_whole_text() -> None:
    sites = found_in("EXPLAIN SELECT id FROM customers WHERE id = ? AND ssn = ?").exchange.parameters
    assert sorted(sites) == [2]
    assert found_in("EXPLAIN SELECT id FROM customers WHERE id = ? AND ssn = ?").told == {1}
    assert found_in("SET STATEMENT max_statement_time = 1 FOR SELECT id FROM customers WHERE ssn = ?").told == {0}


HELD = [
    "EXPLAIN ANALYZE DELETE FROM customers WHERE ssn = '{T}'",
    "EXECUTE IMMEDIATE 'DELETE FROM customers WHERE ssn = ''{T}'''",
    "PREPARE s FROM 'UPDATE orders o JOIN customers c ON c.id = o.id SET o.note = 1 WHERE c.ssn = ''{T}'''",
    "PREPARE s FROM 'SELECT (SELECT id FROM customers WHERE ssn = ''{T}'')'",
    "EXPLAIN SELECT IF(code = {N}, 1, 2) FROM tags",
    "EXECUTE IMMEDIATE 'SELECT note FROM tags WHERE code = ?' USING @x",
    "EXECUTE IMMEDIATE 'SELECT note FROM tags WHERE code = ?' USING 5",
    "EXECUTE IMMEDIATE 'SELECT id FROM customers WHERE ssn = ?' USING '{T}'",
    "PREPARE s FROM 'SELECT note FROM tags WHERE code = 5.0'",
    "CREATE VIEW w AS SELECT id FROM customers WHERE ssn = '{T}'",
    "CREATE OR REPLACE VIEW w AS SELECT note FROM tags WHERE code = {N}",
    "CREATE TABLE w AS SELECT id FROM customers WHERE ssn = '{T}'",
    "SET @x = '{T}'",
    "SET @x = (SELECT id FROM customers WHERE ssn = '{T}'), @y = concat('{T}x', 1)",
    "CALL show_orders('{T}')",
    "CALL show_orders((SELECT id FROM customers WHERE ssn = '{T}'))",
    "SELECT id FROM customers WHERE ssn = @x",
    "SELECT id FROM customers WHERE ssn IN ('a', @x)",
    "SELECT note FROM tags WHERE code = @x + 0",
]


@pytest.mark.parametrize("sql", HELD)
@pytest.mark.parametrize("masks", [MASKS, LOOSE], ids=["equality", "allow"])
def test_what_cannot_be_translated_is_held_and_says_why(sql: str, masks: object) -> None:
    assert "pseudonym" in kinds(sql.format(T=T, N=N), masks, MARIADB)  # type: ignore[arg-type]


def test_a_write_in_a_string_is_looked_at_for_masks_like_any_other() -> None:
    for text in (f"''{T}''", "''***''"):
        for sql in (
            f"EXECUTE IMMEDIATE 'INSERT INTO orders (note) VALUES ({text})'",
            f"PREPARE s FROM 'UPDATE orders SET note = {text}'",
        ):
            assert "writeback" in kinds(sql, MASKS, MARIADB), sql
    assert "writeback" in kinds(
        "SET STATEMENT max_statement_time = 1 FOR INSERT INTO orders (note) VALUES ('***')", MASKS, MARIADB
    )
    assert "writeback" in kinds("EXECUTE IMMEDIATE 'INSERT INTO tags (code) VALUES (5)'", MASKS, MARIADB)


def test_values_of_execute_using_are_not_known_to_be_translated() -> None:
    for sql in ("SELECT id FROM customers WHERE ssn = ?", "SELECT note FROM tags WHERE day = ?"):
        assert "variable" in (found_in(sql).against_variables() or "")
        assert "variable" in (examine(sql, LOOSE, SHOP).against_variables() or "")
    assert found_in("SELECT id FROM customers WHERE id = ?").against_variables() is None


def test_a_bound_pseudonym_that_is_handed_on_is_held_and_any_other_value_is_not() -> None:
    for sql in ("CALL show_orders(?)", "SET @x = ?"):
        found = found_in(sql)
        assert found.touches
        assert "pseudonym" in (found.against((T.encode(),), (253,)) or "")
        assert found.against((b"plain",), (253,)) is None
    assert not found_in("CALL show_orders('plain')").findings
    assert not found_in("SET @x = 'plain'").findings


def test_a_bulk_execution_is_looked_at_row_by_row() -> None:
    found = found_in("UPDATE orders SET note = 1 WHERE id IN (SELECT id FROM customers WHERE ssn = ? AND id = ?)")
    assert found.against((None, b"1", b"78", b"2"), (3, 3, 3, 3)) is not None
    assert found.against((None, b"1", None, b"2"), (3, 3, 3, 3)) is None
