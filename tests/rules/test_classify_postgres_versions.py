"""What a server reads otherwise than the parser, because it is older: keywords and functions by version."""

from __future__ import annotations

from pathlib import Path

import pytest
from pglast import keywords

from rules.catalog import Catalog
from rules.classify.postgres import classify
from rules.functions.postgres import NEWEST, OLDEST, builtins
from rules.model import Effect, Kind, Namespace, Statement

OLDER = (15, 16, 17)
CATEGORIES = {
    "U": keywords.UNRESERVED_KEYWORDS,
    "C": keywords.COL_NAME_KEYWORDS,
    "T": keywords.TYPE_FUNC_NAME_KEYWORDS,
    "R": keywords.RESERVED_KEYWORDS,
}
# Keywords that became more than names: what the parser reads as syntax, and what an older server looks up instead.
SYNTAX = {
    "json": "SELECT json('1')",
    "json_array": "SELECT json_array(1)",
    "json_arrayagg": "SELECT json_arrayagg(1)",
    "json_exists": "SELECT json_exists(a, '$') FROM t",
    "json_object": "SELECT json_object('a': 1)",
    "json_objectagg": "SELECT json_objectagg(1: 2)",
    "json_query": "SELECT json_query(a, '$') FROM t",
    "json_scalar": "SELECT json_scalar(1)",
    "json_serialize": "SELECT json_serialize('1')",
    "json_table": "SELECT * FROM json_table(a, '$' COLUMNS (b int)) AS t",
    "json_value": "SELECT json_value(a, '$') FROM t",
    "merge_action": "SELECT merge_action()",
    "system_user": "SELECT system_user",
}


def rows() -> dict[str, tuple[str, ...]]:
    text = Path(__file__).with_name("postgres_keywords.txt").read_text(encoding="utf-8")
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return {word: tuple(categories) for word, *categories in lines}


KEYWORDS = rows()


def one(sql: str, version: int, catalog: Catalog | None = None) -> Statement:
    (statement,) = classify(sql, Namespace(user="agent", server_version=version * 10000), catalog)
    return statement


def test_the_list_is_the_parsers() -> None:
    for category, words in CATEGORIES.items():
        assert set(words) == {word for word, row in KEYWORDS.items() if row[-1][0] == category}


def test_each_keyword_that_an_older_server_lacks_is_accounted_for() -> None:
    """An unreserved keyword is still a name everywhere, so it is read alike; one of any other category is in the table above."""
    for word, row in KEYWORDS.items():
        for older in row[:-1]:
            if older != row[-1] and row[-1] != "-" and row[-1][0] != "U":
                assert word in SYNTAX, f"{word} was {older}, is {row[-1]}"


@pytest.mark.parametrize("word", SYNTAX)
@pytest.mark.parametrize("version", OLDER)
def test_what_is_syntax_in_the_parser_and_a_name_to_the_server_is_opaque(word: str, version: int) -> None:
    row = KEYWORDS[word]
    found = one(SYNTAX[word], version)
    if row[OLDER.index(version)] != row[-1]:
        assert found.kind is Kind.OPAQUE
    else:
        assert found.opaque is None


@pytest.mark.parametrize("word", [word for word, row in KEYWORDS.items() if row[-1].startswith("U") and "-" in row])
def test_what_became_an_unreserved_keyword_is_a_name_to_every_version(word: str) -> None:
    for version in (*OLDER, 18):
        found = one(f"SELECT {word}.a, 1 AS {word}, 2 {word} FROM {word} WHERE {word}.b = {word}(1)", version)
        assert [str(relation) for relation in found.relations] == [word]
        assert [str(function) for function in found.functions] == [word]


@pytest.mark.parametrize(("name", "since"), [("any_value", 16), ("array_shuffle", 16), ("xmltext", 17), ("uuidv7", 18)])
def test_a_function_that_the_server_does_not_have_yet_is_somebody_elses(name: str, since: int) -> None:
    for text in (f"SELECT {name}(a) FROM t", f"SELECT pg_catalog.{name}(a) FROM t"):
        assert Effect.UNKNOWN not in one(text, since).effects
        assert Effect.UNKNOWN in one(text, since - 1).effects
        assert Effect.UNKNOWN in one(text, since - 1, Catalog()).effects


def test_versions_outside_of_the_table_count_as_the_nearest() -> None:
    assert Effect.UNKNOWN not in one("SELECT lower('a'), now()", OLDEST - 2).effects
    assert Effect.UNKNOWN not in one("SELECT uuidv7()", NEWEST + 1).effects
    assert {found.since for found in builtins().values()} == {15, 16, 17, 18}


@pytest.mark.parametrize(
    "number",
    [
        "0x1F",
        "0b1",
        "0o7",
        "1_000",
        "1.5_0",
        "1e1_0",
        "-0x1F",
        "- 0x1F",
        "-\n1_0",
        "- - 0x1F",
        "-/* 1 */0x1F",
        "- --\n0x1F",
    ],
)
def test_a_number_that_ends_earlier_for_an_older_server_is_not_understood_there(number: str) -> None:
    """It reads the digits before it as a number and what follows as a name: with a sign in front as well."""
    sql = f"SELECT a, {number} FROM t"
    assert one(sql, 15).opaque is not None
    assert one(sql, 16).opaque is None
    assert all(one(f"SELECT a, {plain} FROM t", 15).opaque is None for plain in ("-5", "- 5", "-.5", "5e1", "'0x1F'"))
