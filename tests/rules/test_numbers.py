"""A text without its numbers stands for every text that differs from it in numbers alone, and for no other."""

from __future__ import annotations

import random
import re

import pytest

from rules.catalog import Catalog
from rules.classify import shape_postgres
from rules.config import pack
from rules.judge import Judge
from rules.model import Dialect, Identity, Namespace
from rules.numbers import has_numbers, without_numbers
from tests.rules.test_corpus_postgres import ENTRIES

NUMBER = re.compile(r"(?<![\w.$])\d{1,9}(?![\w.])")


def test_texts_that_differ_in_numbers_alone_have_one_key() -> None:
    keys = {without_numbers(b"SELECT a FROM t WHERE id = %d LIMIT %d" % pair) for pair in [(1, 2), (999_999_999, 0)]}
    assert keys == {b"SELECT a FROM t WHERE id = \0 LIMIT \0"}


def test_numbers_in_strings_are_the_strings_own_business() -> None:
    keys = {without_numbers(text) for text in (b"SELECT a FROM t WHERE b = 'x 1'", b"SELECT a FROM t WHERE b = 'x 22'")}
    assert keys == {b"SELECT a FROM t WHERE b = 'x \0'"}
    assert shape_postgres("SELECT a FROM t WHERE b = 'x 1'") == shape_postgres("SELECT a FROM t WHERE b = 'x 22'")


def test_a_string_that_decides_something_is_looked_at_each_time() -> None:
    judge = Judge(Dialect.POSTGRES, pack("agent-default"), "shop", Identity("agent"), Catalog(), None)
    for _ in range(3):
        for number in (1, 2):
            text = f"SELECT set_config('search_path', 'a {number}', false)".encode()
            assert judge.judge(text, Namespace()).statements[0].settings[0].value == f"a {number}"
        assert not judge.judge(b"DELETE FROM t WHERE id = id + 1", Namespace()).statements[0].trivial_where
        assert judge.judge(b"DELETE FROM t WHERE id = id + 0", Namespace()).statements[0].trivial_where


@pytest.mark.parametrize(
    "text", [b"SELECT a5", b"SELECT 1.5", b"SELECT 5e1", b"SELECT 0x1F", b"SELECT 1_000", b"SELECT 1234567890", b"SELECT .5"]
)  # fmt: skip
def test_what_is_no_whole_number_by_itself_stays(text: bytes) -> None:
    assert without_numbers(text) == text


@pytest.mark.parametrize(
    "text",
    [
        b'SELECT "a 5"', b"SELECT $1", b"SELECT $$ 5 $$", b"SELECT E\\5", b"SELECT 5 -- 5",
        b"SELECT /* 5 */ 5", b"SELECT \0",
    ],
)  # fmt: skip
def test_where_a_digit_may_be_more_than_a_digit_there_is_no_key(text: bytes) -> None:
    assert without_numbers(text) is None


@pytest.mark.parametrize(
    "text", ["SELECT a FROM t ORDER BY 1", "SELECT a FROM t GROUP BY 2", "SELECT a::numeric(10,2) FROM t"]
)
def test_a_number_that_is_part_of_the_grammar_is_seen_in_the_shape(text: str) -> None:
    shape = shape_postgres(text)
    assert shape is not None
    assert has_numbers(shape)


def test_one_key_is_one_shape_for_every_statement_of_the_corpus() -> None:
    chance = random.Random(7)
    tried = 0
    for text in {str(entry["sql"]) for _, entry in ENTRIES}:
        shape = shape_postgres(text)
        if shape is None or has_numbers(shape) or without_numbers(text.encode()) is None or not NUMBER.search(text):
            continue
        for _ in range(3):
            other = NUMBER.sub(lambda _: str(chance.randrange(10 ** chance.randrange(1, 10))), text)
            assert without_numbers(other.encode()) == without_numbers(text.encode())
            assert shape_postgres(other) == shape
        tried += 1
    assert tried > 50


def test_what_a_nul_stands_for_is_not_taken_for_a_number() -> None:
    """The key has NULs where numbers were: a client that sends one must not be judged by it."""
    judge = Judge(Dialect.POSTGRES, pack("agent-default"), "shop", Identity("agent"), Catalog(), None)
    for _ in range(3):
        assert judge.judge(b"SELECT a FROM t WHERE id = 5", Namespace()).statements[0].opaque is None
    assert judge.judge(b"SELECT a FROM t WHERE id = \0", Namespace()).statements[0].opaque is not None
