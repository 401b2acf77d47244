"""Classifying never raises, never takes long, and never dies, whatever the text."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.classify import shape_postgres
from rules.classify.postgres import classify
from rules.classify.postgres.text import MAX_BYTES, decode
from rules.model import Effect, Kind, Namespace
from tests.rules.test_corpus_postgres import ENTRIES

NAMESPACES = (
    Namespace(user="agent"),
    Namespace(server_version=130000, search_path=()),
    Namespace(standard_conforming_strings=False, lexing_known=False),
)
often = settings(max_examples=150, deadline=None)
SEEDS = [entry["sql"] for path, entry in ENTRIES if path.suffix == ".toml"]
WORDS = sorted({word for sql in SEEDS for word in sql.split()})


def judged(text: str) -> None:
    for namespace in NAMESPACES:
        for index, statement in enumerate(found := classify(text, namespace)):
            assert statement.index == index
            assert statement.batch == len(found)
            assert statement.effects
            assert (statement.kind is Kind.OPAQUE) == (statement.opaque is not None)
            if statement.opaque is not None:
                assert Effect.UNKNOWN in statement.effects
    shape_postgres(text)


@often
@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    judged(text)


@often
@given(st.text(alphabet="'\"\\$eEuU&/*-;()[]:., \n\0_a1é\ud800", max_size=80))
def test_any_text_of_signs(text: str) -> None:
    judged(text)


@often
@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
def test_any_order_of_words(text: str) -> None:
    judged(text)


@often
@given(st.sampled_from(SEEDS), st.sampled_from(SEEDS), st.randoms(use_true_random=False))
def test_mutated_sql(sql: str, other: str, dice: random.Random) -> None:
    for _ in range(dice.randrange(1, 4)):
        at, to = dice.randrange(len(sql) + 1), dice.randrange(len(sql) + 1)
        piece = other[dice.randrange(len(other)) :][: dice.randrange(1, 30)]
        sql = dice.choice((sql[:at] + piece + sql[at:], sql[: min(at, to)] + sql[max(at, to) :], sql[at:] + sql[:at]))
    judged(sql)


@often
@given(st.binary(max_size=120), st.sampled_from(["UTF8", "SQL_ASCII", "LATIN1", "SJIS", "EUC_JP", "WIN1252", "none"]))
def test_any_bytes_decode_or_do_not(raw: bytes, encoding: str) -> None:
    text = decode(raw, encoding)
    if text is not None:
        assert "\0" not in text
        judged(text)


NESTS: dict[str, Callable[[int], str]] = {
    "parentheses": lambda n: "SELECT " + "(" * n + "1" + ")" * n,
    "queries in parentheses": lambda n: "(" * n + "SELECT 1" + ")" * n,
    "sum": lambda n: "SELECT " + "+".join(["1"] * n),
    "or": lambda n: "SELECT 1 WHERE " + " OR ".join(["a"] * n),
    "and, or": lambda n: "SELECT 1 WHERE " + " OR a AND ".join(["a"] * n),
    "concatenation": lambda n: "SELECT " + "||".join(["a"] * n),
    "union": lambda n: " UNION ".join(["SELECT 1"] * n),
    "case": lambda n: "SELECT " + "CASE WHEN a THEN " * n + "1" + " END" * n,
    "casts": lambda n: "SELECT 1" + "::int" * n,
    "not": lambda n: "DELETE FROM t WHERE " + "NOT " * n + "a",
    "minus": lambda n: "SELECT " + "- " * n + "a",
    "signs": lambda n: "SELECT " + "+" * n + "1",
    "subscripts": lambda n: "SELECT a" + "[1]" * n,
    "subscripts in subscripts": lambda n: "SELECT " + "a[" * n + "1" + "]" * n,
    "joins": lambda n: "SELECT 1 FROM a" + " JOIN a ON b" * n,
    "subqueries": lambda n: "SELECT " + "(SELECT " * n + "1" + ")" * n,
    "with": lambda n: "WITH a AS (" * n + "SELECT 1" + ") SELECT 1" * n,
    "null tests": lambda n: "DELETE FROM t WHERE a" + " ISNULL" * n,
    "calls": lambda n: "SELECT " + "f(" * n + "1" + ")" * n,
    "arrays": lambda n: "SELECT ARRAY" + "[" * n + "1" + "]" * n,
    "comments in comments": lambda n: "/*" * n + "*/" * n + "SELECT 1",
    "comments": lambda n: "/**/" * n + "SELECT 1",
    "collations": lambda n: "SELECT a" + ' COLLATE "C"' * n,
    "explain": lambda n: "EXPLAIN " * n + "SELECT 1",
    "statements": lambda n: ";".join(["SELECT 1"] * n),
    "rows": lambda n: "INSERT INTO t VALUES " + ",".join(["(1, 2, 'abc')"] * n),
    "list": lambda n: "SELECT a IN (" + ",".join(["1"] * n) + ")",
    "dots": lambda n: "SELECT a" + ".a" * n,
    "quotes": lambda n: "SELECT " + "''" * n,
    "tags": lambda n: "SELECT $a$" + "$b$ $a" * n,
    "functions": lambda n: "SELECT " + ",".join(f"f{number}(1)" for number in range(n)),
    "tables": lambda n: "SELECT * FROM " + ",".join(f"t{number}" for number in range(n)),
    "conditions": lambda n: "DELETE FROM t WHERE " + " OR ".join(f"a{number} = 1" for number in range(n)),
    "deep conditions": lambda n: "DELETE FROM t WHERE " + "(a OR NOT (" * n + "b" + "))" * n,
}


@pytest.mark.parametrize("nest", NESTS)
@pytest.mark.parametrize("size", [100, 3_000, 60_000])
def test_deep_and_long_texts_end_quickly(nest: str, size: int) -> None:
    text = NESTS[nest](size)
    started = time.thread_time()
    found = classify(text, NAMESPACES[0])
    took_s = time.thread_time() - started
    assert found
    # the bound is some 100 ms of CPU; a busy machine may take several times as much
    assert took_s < 1.0


DEEP = """
import sys, threading
from rules.classify import shape_postgres
from rules.classify.postgres import classify
from rules.model import Namespace
from tests.rules.test_classify_postgres_total import NESTS
def run():
    for make in NESTS.values():
        for size in (1000, 20000, 200000):
            classify(make(size), Namespace())
            shape_postgres(make(size))
    print("alive")
run()
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""


def test_no_text_kills_the_process_on_the_main_thread_or_on_another() -> None:
    done = subprocess.run([sys.executable, "-c", DEEP], capture_output=True, text=True, timeout=110, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["alive", "alive"]), done.stderr[-500:]


def test_a_text_that_is_too_long_is_opaque_and_says_why() -> None:
    (statement,) = classify("SELECT '" + "x" * MAX_BYTES + "'", NAMESPACES[0])
    assert statement.opaque == f"it is longer than {MAX_BYTES} bytes"
    (statement,) = classify("SELECT '" + "é" * (MAX_BYTES // 2) + "'", NAMESPACES[0])
    assert statement.opaque == f"it is longer than {MAX_BYTES} bytes"


def test_a_text_that_is_long_and_flat_is_understood() -> None:
    (statement,) = classify("SELECT '" + "x" * (MAX_BYTES - 100) + "'", NAMESPACES[0])
    assert statement.kind is Kind.SELECT
    rows = ",".join(["(1, 'some text', 2.5)"] * 2_500)
    (statement,) = classify(f"INSERT INTO t VALUES {rows}", NAMESPACES[0])
    assert statement.kind is Kind.INSERT


def test_a_rule_of_signs_in_a_comment_is_no_obstacle() -> None:
    (statement,) = classify("-- " + "=" * 120 + "\n-- " + "-" * 120 + "\nSELECT 1", NAMESPACES[0])
    assert statement.kind is Kind.SELECT


# -- decoding -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "encoding", "text"),
    [
        (b"SELECT 1", "SJIS", "SELECT 1"),
        ("é".encode(), "UTF8", "é"),
        (b"\xe9", "LATIN1", "é"),
        (b"\x80", "WIN1252", "€"),
        ("é".encode(), "SQL_ASCII", "é"),
        ("語".encode("euc_jp"), "EUC_JP", "語"),
        (b"\xe9", "UTF8", None),
        (b"\xc0\xa7", "UTF8", None),  # overlong quote
        (b"\xed\xa0\x80", "UTF8", None),  # half a surrogate pair
        (b"\x95\x5c", "SJIS", None),  # a letter whose second byte is a backslash
        (b"\xbf\x5c", "GBK", None),
        (b"\xbf\x27", "BIG5", None),
        (b"\x81\x30\x81\x30", "GB18030", None),
        (b"\x84\x41", "JOHAB", None),
        (b"\x81\x41", "UHC", None),
        (b"\xe9", "SQL_ASCII", None),
        (b"\xe9", "MULE_INTERNAL", None),
        (b"\xe9", "no such encoding", None),
        (b"SELECT 1\0; DROP TABLE t", "UTF8", None),
    ],
)
def test_bytes_become_text_only_where_that_is_certain(raw: bytes, encoding: str, text: str | None) -> None:
    assert decode(raw, encoding) == text
    assert decode(raw, Namespace(client_encoding=encoding)) == text


LONG = "é" * 31 + "x"  # 63 bytes
DOUBTFUL = [
    ('SELECT "ééé"', "UTF8", "EUC_JP"),
    ('SELECT "〜"', "EUC_JP", "UTF8"),  # the server makes another character of it
    (r'SELECT U&"\00e9"', "UTF8", "LATIN1"),
    ("SELECT É", "UTF8", "LATIN1"),  # folded there, not here
    (f'SELECT "{LONG}x"', "UTF8", "LATIN1"),
    (f"SELECT {LONG}x", "LATIN1", "LATIN1"),
    ("SELECT é", "SQL_ASCII", "LATIN1"),
    ("SELECT é", "UTF8", "SQL_ASCII"),
    ("SELECT é", "UTF8", ""),
]
SURE = [
    (f'SELECT "{LONG}", "É", é', "UTF8", "LATIN1"),
    ("SELECT é, 'É', \"É\" -- É", "LATIN1", "WIN1252"),
    (f'SELECT "{LONG}xx", É', "UTF8", "UTF8"),
    ("SELECT É", "LATIN1", "UTF8"),
    ("SELECT '〜'", "EUC_JP", "UTF8"),
    ("SELECT '〜', U&'\\00e9'", "EUC_JP", "EUC_JP"),
]


@pytest.mark.parametrize(("text", "client", "server"), DOUBTFUL)
def test_a_name_that_the_database_may_read_as_another_is_opaque(text: str, client: str, server: str) -> None:
    (found,) = classify(text, Namespace(client_encoding=client, server_encoding=server))
    assert found.opaque is not None
    assert ("encoding" in found.opaque) or ("UTF8" in found.opaque)


@pytest.mark.parametrize(("text", "client", "server"), SURE)
def test_a_name_that_is_the_same_to_the_database_is_read(text: str, client: str, server: str) -> None:
    (found,) = classify(text, Namespace(client_encoding=client, server_encoding=server))
    assert found.opaque is None
