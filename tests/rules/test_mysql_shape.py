"""Texts of one shape are judged alike: whatever constants stand where the shape has marks, the whole judgement is the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from rules.classify.mysql.lexer import NUMBER, STRING, Unreadable, lex
from rules.classify.mysql.shape import shape, without_constants
from rules.classify.mysql.statements import lexing_of
from rules.config import pack
from rules.judge import Judge
from rules.masking.mysql.plan import MySqlResultMasks
from rules.model import Dialect, Identity, Judgement, Kind, Namespace
from rules.policy import Policy, Rule, When
from tests.rules.mysql_mask_catalog import CATALOG, MARIADB, MASKS, SHOP

CORPUS = Path(__file__).parent.parent / "corpus"
WRITES = frozenset({Kind.UPDATE, Kind.DELETE, Kind.INSERT})
CAREFUL = Policy(
    "careful",
    (
        Rule("whole", "deny", when=When(missing_where=True)),
        Rule("writes", "allow", when=When(kinds=WRITES)),
        *pack("agent-default").rules,
    ),
)
POLICIES = (CAREFUL, pack("agent-default"))
NAMESPACES = (
    SHOP,
    MARIADB,
    evolve(SHOP, sql_mode=frozenset({"ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"})),
    evolve(SHOP, sql_mode=frozenset({"PIPES_AS_CONCAT"}), charset="latin1"),
    evolve(SHOP, lexing_known=False),
)
NUMBERS = (
    "0",
    "1",
    "2",
    "7",
    "10",
    "1000003",
    "-1",
    "999999999999999999",
    "1.5",
    "0.0",
    "0x1F",
    "1e3",
    "99999999999999999999",
)
STRINGS = (
    "''", "'%'", "'x'", "'0'", "'1'", "'ssn'", "'name'", "'***'", "'5 day'", "'id'", "'$.a'", "'a\\'", "'a''b'", "'é'", "'role'",
    "'0123456789abcdef'", "'; DELETE FROM t'", "'--'", "'/*!'", '"x"', "x'41'", "N'x'", "_utf8'x'", "'a' 'b'", "'\n'", "'`'",
    "?", "NULL", "'nothing'",
)  # fmt: skip
LITERALS = NUMBERS + STRINGS


def judge_for(policy: Policy, *, masked: bool) -> Judge:
    return Judge(Dialect.MYSQL, policy, "shop", Identity("agent"), CATALOG, MASKS if masked else None)


def meaning(judgement: Judgement) -> object:
    """All of a judgement but for the text."""
    masks = judgement.masks
    found = []
    for each in masks if isinstance(masks, tuple) else ():
        assert isinstance(each, MySqlResultMasks)
        found.append(evolve(each, planner=None))  # type: ignore[arg-type]  # which has no part in what was found
    statements = tuple(evolve(each, text="") for each in judgement.statements)
    return statements, judgement.decision, judgement.decisions, judgement.wants_estimate, tuple(found), masks is None


def texts() -> Iterator[str]:
    for path in sorted((CORPUS / "mysql").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)["sql"]
    for name in ("mysql_attempts.sql", "mysql_ordinary.sql"):
        for line in (CORPUS / "masking" / name).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("--"):
                yield line


def mutants(text: str, namespace: Namespace, chance: random.Random) -> Iterator[str]:
    """The text with one constant, or all of them, in the place of those that it has."""
    try:
        tokens = [each for each in lex(text, lexing_of(namespace)).tokens if each.kind in (STRING, NUMBER)]
    except Unreadable:
        return
    for token in tokens[:12]:
        same = NUMBERS if token.kind == NUMBER else STRINGS
        for literal in (*chance.sample(same, 3), chance.choice(LITERALS)):
            yield text[: token.start] + literal + text[token.end :]
    if len(tokens) > 1:
        parts, at = [], 0
        for token in tokens:
            parts += (text[at : token.start], chance.choice(NUMBERS if token.kind == NUMBER else STRINGS))
            at = token.end
        yield "".join(parts) + text[at:]


@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "masked"])
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_corpus_with_other_constants_is_judged_as_if_it_were_the_first(policy: Policy, masked: bool) -> None:
    chance = random.Random(1)
    kept = 0
    for number, text in enumerate(texts()):
        namespace = NAMESPACES[number % len(NAMESPACES)]
        judge = judge_for(policy, masked=masked)
        judge.judge(text.encode(), namespace)
        seen = {shape(text.encode())} - {None}
        for mutant in mutants(text, namespace, chance):
            encoded = mutant.encode()
            if (found := shape(encoded)) not in seen:  # judged whole, and there for those that follow
                if found is not None:
                    seen.add(found)
                    judge.judge(encoded, namespace)
                continue
            judged = judge.judge(encoded, namespace)
            kept += judged.statements[0].text == without_constants(encoded) != mutant
            assert meaning(judged) == meaning(judge_for(policy, masked=masked).judge(encoded, namespace)), mutant
    assert kept > 50  # or it would show nothing


TEMPLATES = (
    "DELETE FROM orders WHERE {} = {}", "DELETE FROM orders WHERE id = {} OR {}", "UPDATE orders SET note = {} WHERE {}",
    "DELETE FROM orders WHERE id = {} AND {}", "UPDATE orders SET note = {} WHERE id = {}", "SELECT {} LIMIT {}",
    "DELETE FROM orders WHERE customer_id = {} AND (id > {} OR note < 5)", "DELETE FROM orders WHERE id > {} OR id < {}",
    "DELETE FROM orders WHERE id BETWEEN {} AND {}", "SELECT id FROM customers WHERE ssn = {} AND name LIKE {}",
    "SELECT id FROM customers WHERE ssn IN ({}, {})", "SELECT id FROM customers WHERE id IN ({}, {})",
    "SELECT id FROM customers WHERE id IN ({}) LIMIT {}", "SELECT name FROM customers ORDER BY {} LIMIT {}",
    "SELECT * FROM (SELECT {} FROM customers) x WHERE 1 = {}", "SELECT nothing FROM orders WHERE note = {} OR note = {}",
    "SELECT ssn_ FROM customers WHERE name = {} OR name = {}", "INSERT INTO orders (id, note) VALUES ({}, {})",
    "INSERT INTO orders VALUES (1, {}), (2, {})", "INSERT INTO customers (id, ssn) VALUES ({}, {})",
    "INSERT INTO orders (id, note) VALUES ({}, 'a') ON DUPLICATE KEY UPDATE note = {}", "SELECT @a := {}, id = {} FROM orders",
    "SELECT note->{}, note->>{} FROM orders", "SELECT id >> {} FROM orders WHERE id << {}", "SELECT {} = {}",
    "SELECT id FROM orders WHERE note = {} -- {}", "SELECT id FROM orders WHERE note = {} AND '{}' = note",
    "SELECT id FROM orders WHERE `{}` = {}", "SELECT id FROM orders WHERE id = {} + {}", "SELECT id FROM orders LIMIT {}, {}",
    "SELECT id FROM orders LIMIT {} OFFSET {}", "SELECT CASE WHEN id = {} THEN {} END FROM orders",
    "SELECT id FROM orders WHERE id = {} UNION SELECT id FROM customers WHERE salary = {}", "SET @x = {}; SELECT {}",
    "DELETE FROM orders WHERE id = {} AND EXISTS (SELECT {})", "SELECT SLEEP({}) FROM orders WHERE id = {}",
    "SELECT id FROM orders WHERE note = {} INTO OUTFILE {}", "SELECT GET_LOCK({}, {})", "SELECT x.`{}` FROM (SELECT {}) x",
    "SELECT id FROM orders WHERE note LIKE {} ESCAPE {}", "SELECT id FROM customers WHERE NOT ssn = {} AND id = {}",
    "SELECT id FROM customers WHERE salary BETWEEN {} AND {}", "REPLACE INTO orders VALUES ({}, {})", "SET sql_mode = {}, @a = {}",
)  # fmt: skip


@given(
    st.sampled_from(TEMPLATES),
    st.lists(st.tuples(st.sampled_from(LITERALS), st.sampled_from(LITERALS)), min_size=2, max_size=4),
    st.sampled_from(POLICIES),
    st.booleans(),
    st.sampled_from(NAMESPACES),
)
def test_other_constants_are_judged_as_if_they_were_the_first(
    template: str, pairs: list[tuple[str, str]], policy: Policy, masked: bool, namespace: Namespace
) -> None:
    judge = judge_for(policy, masked=masked)
    for pair in pairs:
        text = template.format(*pair).encode()
        fresh = judge_for(policy, masked=masked).judge(text, namespace)
        assert meaning(judge.judge(text, namespace)) == meaning(fresh), text


PIECES = (
    "'", "`", "=", " = ", "''", "a", " LIKE ", " IN (", ")", ",", "5", "'x'", " AND ", " ", "'q' ", "->", ":=", " LIMIT ", ".",
    ";", "BETWEEN", "1.5", " OFFSET ",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.lists(st.sampled_from(PIECES), max_size=14))
def test_texts_of_one_shape_are_cut_alike(one: list[str], other: list[str]) -> None:
    first, second = "".join(one), "".join(other)
    if (found := shape(first.encode())) is None or shape(second.encode()) != found:
        second = first.replace("5", "77").replace("'x'", "'yy'")
        if found is None or shape(second.encode()) != found:
            return
    assert outline(first) == outline(second)


def outline(text: str) -> list[str] | str:
    try:
        tokens = lex(text, lexing_of(SHOP)).tokens
    except Unreadable as reason:
        return str(reason)
    return [each.kind if each.kind in (STRING, NUMBER) else each.text for each in tokens]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT a FROM t WHERE b = 5 AND c >= 'x' LIMIT 3", b"SELECT a FROM t WHERE b = \0n AND c >= \0s LIMIT \0l"),
        ("SELECT a->'$.x' FROM t", b"SELECT a->'$.x' FROM t"),
        ("SELECT a FROM t WHERE b = 5 + 1", b"SELECT a FROM t WHERE b = 5 + 1"),
        ("SELECT a FROM t WHERE b = 'x' 'y'", b"SELECT a FROM t WHERE b = 'x' 'y'"),
        ("SELECT a FROM t WHERE b = -5", b"SELECT a FROM t WHERE b = -5"),
        ("SELECT a FROM t WHERE b IN (1, 2,3)", b"SELECT a FROM t WHERE b IN (\0N)"),
        ("SELECT a FROM t WHERE b IN (1, 'x')", b"SELECT a FROM t WHERE b IN (1, 'x')"),
        ("SELECT `= 5` FROM t WHERE `b`=5", b"SELECT `= 5` FROM t WHERE `b`=\0n"),
        ("INSERT INTO t (a, b) VALUES (1, 'x'), (-2.5, NULL)", b"INSERT INTO t (a, b) VALUES \0v(\0n, \0s), (-\0f, NULL)"),
        ("SELECT @a := 5", b"SELECT @a := 5"),
        ("SELECT a FROM t WHERE b = 'it''s'", b"SELECT a FROM t WHERE b = 'it''s'"),
        ("SELECT a FROM t WHERE b = 'é'", "SELECT a FROM t WHERE b = 'é'".encode()),
        ("SELECT a FROM t WHERE b = 'x\\'", None),
        ('SELECT "a" FROM t WHERE b = 5', None),
        ("SELECT a FROM t WHERE b = 5 -- x", None),
        ("SELECT a FROM t WHERE b = 5 /* x */", None),
        ("SELECT a FROM t WHERE b = 5 # x", None),
        ("SELECT a FROM t WHERE b = 'x", None),
        ("SELECT a FROM t WHERE b = \0n", None),
    ],
)  # fmt: skip
def test_what_is_taken_out_of_a_text(text: str, expected: bytes | None) -> None:
    assert shape(text.encode()) == expected
