from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.config import pack
from rules.judge import Judge
from rules.length import LONG_BYTES, MAX_DEPTH, MAX_TOKENS, SHORT_BYTES, is_long
from rules.model import Dialect, Identity, Namespace

NAMESPACE = Namespace(user="app", database="shop")
# A shape of statement, made as long as may be: what the parsers and the walkers find hardest among what was tried.
HARD = {
    "operands": lambda n: b"SELECT 1" + b"+1" * (n // 2),
    "relations": lambda n: b"SELECT 1 FROM a" + b",a" * (n // 2),
    "outputs": lambda n: b"SELECT a b" + b",a b" * (n // 4),
    "alternatives": lambda n: b"DELETE FROM t WHERE a=1" + b" or a=1" * (n // 7),
    "alternatives of alternatives": lambda n: b"DELETE FROM t WHERE b=2" + b" and (a=1 or b=2)" * (n // 17),
    "statements": lambda n: b"BEGIN;" * (n // 6),
    "operators of JSON": lambda n: b"SELECT a" + b"->'b'" * (n // 5),
    "negations": lambda n: b"SELECT " + b"NOT " * (n // 4) + b"1",
    "brackets": lambda n: b"SELECT " + b"(" * (n // 2) + b"1" + b")" * (n // 2),
    "subqueries": lambda n: b"SELECT " + b"(SELECT " * (n // 9) + b"1" + b")" * (n // 9),
    "types": lambda n: b"SELECT " + b"BINARY (" * (n // 9) + b"1" + b")" * (n // 9),
    "types that convert": lambda n: b"SELECT " + b"CHAR(" * (n // 17) + b"1" + b" USING utf8)" * (n // 17),
    "names of many parts": lambda n: b"SELECT a" + b".b" * (n // 2),
    "subscripts": lambda n: b"SELECT a" + b"[1]" * (n // 3),
    "comments": lambda n: b"SELECT 1" + b"/**/" * (n // 4),
    "literals beside each other": lambda n: b"SELECT 'a' " + b"'a'" * (n // 3),
    "casts": lambda n: b"SELECT a" + b"::b" * (n // 3),
    "set operations": lambda n: b"SELECT 1" + b" UNION SELECT 1" * (n // 15),
}


def longest_in_place(shape: str) -> bytes:
    make = HARD[shape]
    return max((text for n in range(0, 20_000, 40) if not is_long(text := make(n))), key=len)


def test_the_usual_statement_is_judged_where_it_arrives() -> None:
    assert not is_long(b"SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id > 7")
    assert not is_long(b"INSERT INTO notes VALUES ('" + b"x" * (LONG_BYTES - 100) + b"')")
    assert not is_long(b"f(" * MAX_DEPTH + b"1" + b")" * MAX_DEPTH + b" " * SHORT_BYTES)


def test_many_bytes_many_tokens_and_much_depth_are_long() -> None:
    assert is_long(b"x" * (LONG_BYTES + 1))
    assert is_long(b"1," * (MAX_TOKENS // 2 + 100))
    assert is_long(b"(" * (MAX_DEPTH + 1) + b" " * SHORT_BYTES)


@pytest.mark.parametrize("shape", HARD)
@pytest.mark.parametrize("dialect", Dialect)
def test_what_is_judged_in_place_takes_a_moment(dialect: Dialect, shape: str) -> None:
    judge = Judge(dialect, pack("agent-default"), "db", Identity("b"), None, None)
    judge.judge(b"SELECT 1", NAMESPACE)
    text = longest_in_place(shape)
    took = []
    for number in range(3):
        started = time.process_time()
        judge.judge(text + b" -- %d" % number, NAMESPACE)
        took.append(time.process_time() - started)
    assert min(took) < 0.05, f"{len(text)} bytes"


@given(st.binary(max_size=3000))
def test_it_answers_for_any_bytes(text: bytes) -> None:
    assert is_long(text) in (True, False)
    assert not (is_long(text) and len(text) <= SHORT_BYTES)


def test_the_shortest_text_is_long_when_it_is_deep() -> None:
    assert is_long(b"SELECT " + b"BINARY (" * 9 + b"1" + b")" * 9)
    assert not is_long(b"SELECT " + b"f(1)," * 60 + b"1")
    assert is_long(b")" * 100 + b"(" * 9), "what is closed before it was opened does not count"
