"""Total and bounded: any text gets an answer, soon, and no text brings the process down."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.catalog import Catalog
from rules.classify.mysql import classify
from rules.model import Effect, Kind, Namespace, Statement

SHOP = Namespace(database="shop")
CORPUS = Path(__file__).parent.parent / "corpus" / "mysql"
TEXTS = [json.loads(line)["sql"] for path in sorted(CORPUS.glob("*.jsonl")) for line in path.read_text().splitlines()]
PIECES = [
    "SELECT", "FROM", "t", "a", "`b`", "'c'", "\"d\"", "1", ".5", "0x1F", "(", ")", ",", ".", ";", "*", "=", ":=", "@x", "@@y",
    "WHERE", "AND", "NOT", "UNION", "WITH", "AS", "INSERT INTO", "VALUES", "UPDATE", "SET", "DELETE", "JOIN", "ON", "USING",
    "SLEEP", "COUNT", "INTO", "OUTFILE", "FOR UPDATE", "ORDER BY", "GROUP BY", "LIMIT", "SHOW", "EXPLAIN", "ANALYZE", "PREPARE",
    "EXECUTE IMMEDIATE", "CREATE", "TABLE", "VIEW", "PROCEDURE", "ALTER", "DROP", "GRANT", "CALL", "DO", "HANDLER", "LOAD DATA",
    "/*", "*/", "/*!", "--", "-- ", "#", "\n", "\\", "\u00a0", "{", "NEXT VALUE FOR", "CASE", "WHEN", "END", "INTERVAL", "OVER",
]  # fmt: skip


def sound(statements: tuple[Statement, ...]) -> bool:
    return all(s.batch == len(statements) and s.index == i and s.effects for i, s in enumerate(statements)) and all(
        s.opaque is not None for s in statements if s.kind is Kind.OPAQUE
    )


@given(st.text(max_size=200))
def test_any_text_is_classified(text: str) -> None:
    assert sound(classify(text, SHOP))


@given(
    st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join),
    st.sampled_from(["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"]),
)
@settings(max_examples=300)
def test_any_heap_of_words_is_classified(text: str, mode: str) -> None:
    namespace = Namespace(database="shop", sql_mode=frozenset({mode} - {""}))
    assert sound(classify(text, namespace, Catalog()))


@given(st.sampled_from(TEXTS), st.sampled_from(PIECES), st.integers(0, 400), st.integers(0, 5))
@settings(max_examples=300)
def test_mutated_statements_are_classified(text: str, piece: str, at: int, removed: int) -> None:
    assert sound(classify(text[:at] + piece + text[at + removed :], SHOP))


@given(st.sampled_from(TEXTS))
def test_what_is_added_behind_is_never_lost(text: str) -> None:
    """A DELETE behind a semicolon is found, or the text is opaque."""
    found = classify(text + "\n; DELETE FROM victim", SHOP)
    assert any(s.kind is Kind.DELETE and Effect.WRITE in s.effects for s in found) or any(s.opaque for s in found)


@given(st.sampled_from([text for text in TEXTS if text[:6].upper() == "SELECT"]), st.integers(0, 300))
@settings(max_examples=300)
def test_a_call_put_anywhere_is_found_or_stops_the_text(text: str, at: int) -> None:
    """Where a call can stand it is found; inside of quotes and comments there is none."""
    base, changed = classify(text, SHOP), classify(text[:at] + " SLEEP(5) " + text[at:], SHOP)
    if any(s.opaque for s in changed) or any(Effect.SLEEP in s.effects for s in changed):
        return
    marker = classify(text[:at] + " ' \" ` */ \n" + text[at:], SHOP)
    assert any(s.opaque for s in marker) or [s.kind for s in changed] == [s.kind for s in base]


DEEP = {
    "parentheses": "SELECT " + "(" * 30_000 + "1" + ")" * 30_000,
    "calls": "SELECT " + "ABS(" * 20_000 + "1" + ")" * 20_000,
    "subqueries": "SELECT * FROM " + "(SELECT * FROM " * 20_000 + "t" + ") x" * 20_000,
    "shallow subqueries": "SELECT * FROM " + "(SELECT * FROM " * 45 + "t" + ") x" * 45,
    "common tables": "WITH x AS (" * 45 + "SELECT 1" + ") SELECT 1" * 45,
    "not": "SELECT " + "NOT " * 90_000 + "1",
    "minus": "SELECT " + "- " * 90_000 + "1",
    "exclamation": "SELECT " + "!" * 5_900 + "1",
    "interval": "SELECT " + "INTERVAL " * 5_900 + "1",
    "case": "SELECT " + "CASE WHEN 1 THEN " * 1_400 + "1" + " END" * 1_400,
    "sum": "SELECT " + "1+" * 2_900 + "1",
    "long sum": "SELECT " + "1+" * 40_000 + "1",
    "and": "DELETE FROM t WHERE " + "a=1 AND " * 1_400 + "1",
    "union": "SELECT 1" + " UNION SELECT 1" * 1_900,
    "join": "SELECT * FROM t" + " JOIN t" * 30,
    "joins on": "SELECT * FROM t" + " JOIN t ON 1" * 1_400,
    "natural": "SELECT * FROM t" + " NATURAL JOIN t" * 30,
    "straight": "SELECT * FROM t" + " STRAIGHT_JOIN t" * 30,
    "left": "SELECT * FROM t" + " LEFT JOIN t" * 30,
    "commas": "SELECT * FROM t" + ", t" * 2_900,
    "columns": "SELECT 1" + ",1" * 2_900,
    "rows": "INSERT INTO t VALUES (1,'a')" + ",(1,'a')" * 9_000,
    "calls in rows": "INSERT INTO t VALUES (1)" + ",(ABS(1))" * 1_400,
    "strings": "SELECT " + "'a' " * 5_900,
    "comments": "/**/" * 100_000 + "SELECT 1",
    "semicolons": ";" * 90_000,
    "statements": "SELECT 1;" * 3_000,
    "quotes": "SELECT '" + "''" * 200_000,
    "backslashes": "SELECT '" + "\\" * 200_001 + "'",
    "open comments": "/*" * 200_000,
    "in": "SELECT " + "1 IN (" * 45 + "1" + ")" * 45,
    "parenthesized joins": "SELECT * FROM " + "(" * 45 + "t" + ")" * 45,
    "parenthesized unions": "(" * 45 + "SELECT 1" + ") UNION SELECT 1" * 45,
    "values": "INSERT INTO t VALUES " + "((((((((((1))))))))))," * 200 + "(1)",
    "prepare": "PREPARE s FROM '" * 50,
    "explain": "EXPLAIN " * 3_000 + "SELECT 1",
    "statement for": "SET STATEMENT a=1 FOR " * 1_000 + "SELECT 1",
    "between": "SELECT " + "1 BETWEEN 0 AND " * 1_400 + "1",
    "arrows": "SELECT a" + "->'$.a'" * 2_900,
    "assignments": "SELECT " + "@a:=" * 2_900 + "1",
    "collate": "SELECT a" + " COLLATE x" * 2_900,
    "windows": "SELECT " + "SUM(1) OVER (ORDER BY " * 20 + "1" + ")" * 20,
    "hints": "SELECT " + "/*+ A() */" * 20_000 + "1",
    "index hints": "SELECT * FROM t" + " USE INDEX (a)" * 2_000,
    "parens of queries": "SELECT * FROM " + "(" * 22 + "SELECT 1" + ")" * 22 + " x",
    "using": "SELECT * FROM t" + " JOIN t USING (a)" * 1_000,
    "tables in parentheses": "SELECT * FROM " + "(t JOIN " * 45 + "t" + ")" * 45,
}
ONE = "import sys, time; from rules.classify.mysql import classify; from rules.model import Namespace; text = sys.stdin.read();" \
      "t = time.process_time(); classify(text, Namespace()); print(time.process_time() - t)"  # fmt: skip


@pytest.mark.parametrize("name", sorted(DEEP))
def test_deep_and_long_texts_end_soon_and_kill_nothing(name: str) -> None:
    """In a process of its own: a stack overflow in compiled code ends the process, not the statement."""
    done = subprocess.run([sys.executable, "-c", ONE], input=DEEP[name], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-500:]
    assert float(done.stdout) < 1.0


def test_a_row_of_constants_costs_little() -> None:
    text = "INSERT INTO t VALUES " + ",".join(f"({i},'name {i}',NULL,-1.5)" for i in range(4_000))
    started = time.process_time()
    (statement,) = classify(text, SHOP)
    assert statement.opaque is None
    assert time.process_time() - started < 1.0


def test_a_recursion_limit_close_by_makes_a_statement_opaque_and_nothing_worse() -> None:
    def deeper(levels: int) -> tuple[Statement, ...]:
        return deeper(levels - 1) if levels else classify("SELECT " + "(" * 40 + "1" + ")" * 40, SHOP)

    for levels in range(sys.getrecursionlimit() - 400, sys.getrecursionlimit() - 150, 10):
        try:
            (statement,) = deeper(levels)
        except RecursionError:
            return
        assert statement.kind in (Kind.SELECT, Kind.OPAQUE)


@pytest.mark.parametrize(
    "inside",
    [
        "BINARY ({})",
        "CHAR({} USING utf8)",
        "DATE({})",
        "CONVERT({}, CHAR)",
        "COALESCE({})",
        "IF(1, {}, 2)",
        "TIMESTAMP({})",
    ],
)
@pytest.mark.parametrize("depth", [4, 8, 16, 40])
def test_what_the_parser_tries_again_and_again_does_not_multiply(inside: str, depth: int) -> None:
    """sqlglot took 136 s for sixteen BINARY in each other, in 150 bytes."""
    text = "1"
    for _ in range(depth):
        text = inside.format(text)
    started = time.process_time()
    (statement,) = classify(f"SELECT {text}", Namespace(database="shop"))
    assert time.process_time() - started < 1
    if depth == 4:
        assert statement.opaque is None
