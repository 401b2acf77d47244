# ruff: noqa: E501 - constants and templates by the line
"""A text without its constants stands for every text that differs from it in them alone, and for no other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from pglast import parser
from pglast.error import Error

from rules.catalog import Catalog
from rules.classify import shape_postgres
from rules.config import pack
from rules.judge import Judge
from rules.masking.plan import ResultMasks
from rules.model import Dialect, Identity, Judgement, Kind, Namespace
from rules.outline import has_constants, outline
from rules.policy import MaskRule, Policy, Rule, When
from tests.rules.mask_catalog import CATALOG, MASKS, RULES, mask_set
from tests.rules.test_corpus_postgres import ENTRIES

CORPUS = Path(__file__).parent.parent / "corpus" / "masking"
CAREFUL = Policy(
    "careful",
    (
        Rule("whole", "deny", when=When(missing_where=True)),
        Rule("writes", "allow", when=When(kinds=frozenset({Kind.UPDATE, Kind.DELETE, Kind.INSERT, Kind.MERGE}))),
        *pack("agent-default").rules,
    ),
)
POLICIES = (CAREFUL, pack("agent-default"))
PSEUDONYMS = mask_set(
    rules=(*RULES, MaskRule("customers.name", "pseudonym"), MaskRule("*.label", "constant", argument="gone"))
)
NAMESPACES = (
    Namespace(server_version=180000, search_path=("public",)),
    Namespace(server_version=150000, search_path=("public",)),
    Namespace(server_version=180000, standard_conforming_strings=False),
    Namespace(server_version=160000, client_encoding="LATIN1"),
    Namespace(server_version=150000, lexing_known=False),
)
NUMBERS = (
    "0", "1", "2", "7", "10", "1000003", "-1", "- 1", "999999999", "1234567890", "99999999999999999999", "1.5", "0.0", ".5", "5.",
    "1e3", "0x1F", "0b1", "1_000", "1_0.5", "-0x1F", "1.5.5",
)  # fmt: skip
STRINGS = (
    "''", "'%'", "'x'", "'0'", "'1'", "'t'", "'off'", "'ssn'", "'name'", "'***'", "'5 day'", "'$.a'", "'a''b'", "''''", "'é'", "'role'",
    "'now'", "'pg_authid'", "'0123456789abcdef'", "'; DELETE FROM t'", "'--'", "'/*'", "'\"'", "'a \" b'", "'$$'", "E'x'", "E'\\''",
    "'\\'", "x'41'", "B'01'", "N'x'", "U&'x'", "U&'d!0061' UESCAPE '!'", "'a' 'b'", "'a'\n'b'", "'a' --\n'b'", "'\n'", "$$x$$", "$1",
    "'gone'", "'wp_AAAA'", "'a***@b.c'",
)  # fmt: skip
WORDS = ("NULL", "true", "false", "DEFAULT", "id", "ssn", "(SELECT 1)")
LITERALS = (*NUMBERS, *STRINGS, *WORDS)
CONSTANT_TOKENS = {
    "ICONST": NUMBERS,
    "FCONST": NUMBERS,
    "SCONST": STRINGS,
    "USCONST": STRINGS,
    "XCONST": STRINGS,
    "BCONST": STRINGS,
}


def judge_for(policy: Policy, *, masked: bool) -> Judge:
    masks = PSEUDONYMS if masked else None
    return Judge(Dialect.POSTGRES, policy, "shop", Identity("agent"), CATALOG if masked else Catalog(), masks)


def meaning(judgement: Judgement) -> object:
    """All of a judgement but for the text."""
    masks = judgement.masks
    found = []
    for each in masks if isinstance(masks, tuple) else ():
        assert isinstance(each, ResultMasks)
        found.append(evolve(each, planner=None))  # type: ignore[arg-type]  # which has no part in what was found
    statements = tuple(evolve(each, text="") for each in judgement.statements)
    return statements, judgement.decision, judgement.decisions, judgement.wants_estimate, tuple(found), masks is None


def texts() -> Iterator[str]:
    for _, entry in ENTRIES:
        yield str(entry["sql"])
    for name in ("attempts.sql", "ordinary_reads.sql", "pseudonym_attempts.sql"):
        for line in (CORPUS / name).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("--"):
                yield from line.removeprefix("@16 ").removeprefix("@17 ").removeprefix("@18 ").split(";;")


def mutants(text: str, chance: random.Random) -> Iterator[str]:
    """The text with one constant, or all of them, in the place of those that it has."""
    try:
        tokens = [token for token in parser.scan(text) if token.name in CONSTANT_TOKENS]
    except (Error, UnicodeError):
        return
    for token in tokens[:5]:
        for literal in (*chance.sample(CONSTANT_TOKENS[token.name], 2), chance.choice(LITERALS)):
            yield text[: token.start] + literal + text[token.end + 1 :]
    for _ in range(2):
        parts, at = [], 0
        for token in tokens:
            parts += (text[at : token.start], chance.choice(CONSTANT_TOKENS[token.name]))
            at = token.end + 1
        yield "".join(parts) + text[at:]


@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "masked"])
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_corpus_with_other_constants_is_judged_as_if_it_were_the_first(policy: Policy, masked: bool) -> None:
    """One judge sees all of it, so that what it kept of any statement has its chance to be taken for another's."""
    chance = random.Random(3)
    judge = judge_for(policy, masked=masked)
    kept = 0
    for number, text in enumerate(texts()):
        namespace = NAMESPACES[number % len(NAMESPACES)]
        for variant in (text, *mutants(text, chance)):
            encoded = variant.encode()
            judged = judge.judge(encoded, namespace)
            again = judge.judge(encoded, namespace)
            fresh = meaning(judge_for(policy, masked=masked).judge(encoded, namespace))
            assert meaning(judged) == fresh, variant
            assert meaning(again) == fresh, variant
            kept += judged.statements[0].text != variant if judged.statements else 0
    assert kept > 800, "or it would show nothing"


TEMPLATES = (
    "DELETE FROM orders WHERE {} = {}", "DELETE FROM orders WHERE id = {} OR {}", "UPDATE orders SET note = {} WHERE {}",
    "DELETE FROM orders WHERE id = {} AND {}", "UPDATE orders SET note = {} WHERE id = {}", "SELECT {} LIMIT {}",
    "DELETE FROM orders WHERE id > {} OR id < {}", "DELETE FROM orders WHERE id BETWEEN {} AND {}", "SELECT {}, {} FROM orders ORDER BY {}",
    "SELECT id FROM customers WHERE ssn = {} AND city LIKE {}", "SELECT id FROM customers WHERE name IN ({}, {})",
    "SELECT id FROM customers WHERE ssn LIKE {} OR salary > {}", "SELECT name FROM customers ORDER BY {} LIMIT {}",
    "SELECT * FROM (SELECT {} FROM customers) x WHERE 1 = {}", "INSERT INTO orders (id, note) VALUES ({}, {})",
    "INSERT INTO customers (id, ssn) VALUES ({}, {}) ON CONFLICT DO NOTHING", "INSERT INTO orders SELECT {}, id FROM customers WHERE name = {}",
    "SELECT set_config({}, {}, false)", "SELECT current_setting({}), to_regclass({})", "SELECT {}::regclass, {}::text",
    "SELECT query_to_xml({}, true, true, {})", "SELECT nextval({}), pg_notify('a', {})", "SELECT date {}, interval {} year",
    "SELECT interval {} second ({})", "SELECT \"a\" FROM \"t\" WHERE \"b\" = {} AND \"c\" = {}", "SELECT \"it's\" FROM t WHERE a = {} AND b = {}",
    "SELECT \"a {} b\" FROM t WHERE x = {}", "SELECT a FROM t WHERE b = {} -- {}", "SELECT a FROM t WHERE b = {} /* {} */",
    "SELECT a{} FROM t WHERE b = {}", "SELECT float {} FROM t WHERE a = {}", "SELECT a::float({}), b::numeric({}, 2) FROM t",
    "SELECT E{} FROM t WHERE a = {}", "SELECT U&{} FROM t WHERE a = {}", "SELECT x{}, {} FROM t", "SELECT a FROM t WHERE a LIKE {} ESCAPE {}",
    "SELECT extract(year FROM date {}), extract({} FROM now())", "SELECT a FROM t WHERE b = {}{}", "SELECT {} {} FROM t",
    "SELECT $1, {} FROM t WHERE b = {}", "SELECT $${}$$, {}", "UPDATE t SET a = 1 WHERE CASE WHEN {} THEN {} END",
    "SELECT * FROM json_table({}, '$' COLUMNS (a int PATH {})) j", "MERGE INTO orders o USING (SELECT {} AS id) s ON o.id = s.id WHEN MATCHED "
    "THEN UPDATE SET note = {}", "SELECT count(*) OVER (ROWS BETWEEN {} PRECEDING AND CURRENT ROW) FROM t GROUP BY {}",
    "SELECT a FROM t TABLESAMPLE bernoulli({}) REPEATABLE ({})", "SELECT xmlelement(name x, {}), xmlroot(a, version {}) FROM t",
    "SELECT dblink({}, {})", "SELECT pg_read_file({}), lo_import({})", "SELECT a[{}], (b)[{}:] FROM t", "SELECT a FROM t WHERE (b, c) = ({}, {})",
    "SELECT name FROM customers WHERE ssn = {} UNION SELECT {}", "SELECT format({}, ssn), name FROM customers WHERE id = {}",
)  # fmt: skip


@given(
    st.sampled_from(TEMPLATES),
    st.lists(st.tuples(*[st.sampled_from(LITERALS)] * 3), min_size=2, max_size=5),
    st.sampled_from(POLICIES),
    st.booleans(),
    st.sampled_from(NAMESPACES),
)
def test_other_constants_are_judged_as_if_they_were_the_first(
    template: str, several: list[tuple[str, ...]], policy: Policy, masked: bool, namespace: Namespace
) -> None:
    judge = judge_for(policy, masked=masked)
    for constants in [*several, *several]:
        text = template.format(*constants).encode()
        fresh = judge_for(policy, masked=masked).judge(text, namespace)
        assert meaning(judge.judge(text, namespace)) == meaning(fresh), text


PIECES = (
    "'", '"', "''", '""', "5", "1.5", "a", "a5", " ", ", ", "E", "U&", "x", "--", "/*", "*/", "\n", "$", "$1", ".", "-", "=", "(", ")",
    "'x'", "'5'", '"y"', "SELECT ", " FROM t", " UESCAPE ", "_", "e", "0x1", ";",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.lists(st.sampled_from(PIECES), max_size=12))
def test_texts_of_one_outline_are_cut_alike(one: list[str], other: list[str]) -> None:
    first = "".join(one)
    found = outline(first.encode())
    if found is None:
        return
    for second in ("".join(other), first.replace("5", "77"), first.replace("'x'", "'--'").replace("'5'", "'\"'")):
        if outline(second.encode()) == found:
            assert cut(first) == cut(second)


def cut(text: str) -> list[str] | None:
    """The tokens as the server's lexer cuts them, without the values of constants; None: it does not take the text."""
    try:
        tokens = parser.scan(text)
    except (Error, UnicodeError):
        return None
    return [token.name if token.name in CONSTANT_TOKENS else text[token.start : token.end + 1] for token in tokens]


def test_one_outline_is_one_shape_for_every_statement_of_the_corpus() -> None:
    chance = random.Random(7)
    tried = 0
    for text in texts():
        shape, found = shape_postgres(text), outline(text.encode())
        if shape is None or found is None or has_constants(shape):
            continue
        for mutant in mutants(text, chance):
            if outline(mutant.encode()) == found:
                assert shape_postgres(mutant) == shape
                tried += 1
    assert tried > 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"SELECT a FROM t WHERE id = 5 LIMIT 20", b"SELECT a FROM t WHERE id = \0 LIMIT \0"),
        (b"SELECT a FROM t WHERE b = 'x 1' AND c<='--'", b"SELECT a FROM t WHERE b = \0s AND c<=\0s"),
        (b"SELECT 'it''s'", b"SELECT \0s\0s"),
        (b"SELECT 'it' 's'", b"SELECT \0s \0s"),
        (b"SELECT 12.50, 7", b"SELECT \0\0f, \0"),
        (b"SELECT x'1F', E'a'", b"SELECT x\0s, E\0s"),
        (b'SELECT "a b" FROM "t" WHERE b = \'"\'', b'SELECT "a b" FROM "t" WHERE b = \0s'),
        (b"SELECT 'US$ 5'", b"SELECT \0s"),
        (b"SELECT -5", b"SELECT -\0"),
        (b"SELECT a5, t.b FROM t1", b"SELECT a5, t.b FROM t1"),
        (b"SELECT .5", b"SELECT .5"),
        (b"SELECT 5e1, 0x1F, 1_000, 1234567890", b"SELECT 5e1, 0x1F, 1_000, 1234567890"),
        (b"SELECT 'x'5", b"SELECT \0s5"),
    ],
)
def test_what_is_taken_out_of_a_text(text: bytes, expected: bytes) -> None:
    assert outline(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        b'SELECT "it\'s", \'x\'', b'SELECT "it\'s" = \'"\'', b'SELECT "a 5"', b"SELECT $1", b"SELECT $$ 5 $$", b"SELECT $a$'$a$", b"SELECT E'\\5'", b"SELECT 5 -- 5",
        b"SELECT /* 5 */ 5", b"SELECT 1 -- it's\n, 'x'", b"SELECT \0", b"SELECT 'x", "SELECT 'é'".encode(), b"SELECT 'a\\'",
    ],
)  # fmt: skip
def test_where_a_character_may_be_more_than_itself_there_is_no_outline(text: bytes) -> None:
    assert outline(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM t ORDER BY 1", "SELECT a FROM t GROUP BY 2", "SELECT a::numeric(10,2) FROM t", "SELECT U&'d!0061' UESCAPE '!'",
        "SELECT * FROM json_table(a, '$' COLUMNS (b int PATH '$.x')) j",
    ],
)  # fmt: skip
def test_a_constant_that_is_part_of_the_grammar_is_seen_in_the_shape(text: str) -> None:
    shape = shape_postgres(text)
    assert shape is not None
    assert has_constants(shape)


@pytest.mark.parametrize(
    "text", ["SELECT 0x1F", "SELECT a FROM t WHERE b = -1_000", "SELECT '''', 0b1", "SELECT /* ' */ 0o7 /* ' */"]
)
def test_a_number_that_an_older_server_cuts_otherwise_gives_no_shape(text: str) -> None:
    assert shape_postgres(text) is None


def test_what_looks_like_such_a_number_in_a_string_or_a_name_does_not_count() -> None:
    assert shape_postgres("SELECT a1_b, 'ab-0b12-1_0' FROM t2_x WHERE \"c1_\" = 'x'") is not None


def test_a_string_that_decides_something_is_looked_at_each_time() -> None:
    judge = Judge(Dialect.POSTGRES, pack("agent-default"), "shop", Identity("agent"), Catalog(), None)
    for _ in range(3):
        for number in (1, 2):
            text = f"SELECT set_config('search_path', 'a {number}', false)".encode()
            assert judge.judge(text, Namespace()).statements[0].settings[0].value == f"a {number}"
        assert not judge.judge(b"DELETE FROM t WHERE id = id + 1", Namespace()).statements[0].trivial_where
        assert judge.judge(b"DELETE FROM t WHERE id = id + 0", Namespace()).statements[0].trivial_where


def test_texts_that_differ_in_strings_alone_are_found_without_the_normalizer() -> None:
    shapes: list[str] = []

    def counted(text: str) -> str | None:
        shapes.append(text)
        return shape_postgres(text)

    judge = Judge(Dialect.POSTGRES, pack("agent-default"), "shop", Identity("agent"), Catalog(), MASKS)
    judge._reader = evolve(judge._reader, shape=counted)
    for number in range(20):
        text = f"SELECT \"id\" FROM orders WHERE note = 'it''s {number}' AND id > {number}.5 LIMIT {number}"
        assert judge.judge(text.encode(), NAMESPACES[0]).statements[0].opaque is None
    assert len(shapes) == 2, "the first is judged, the second finds what was kept of it"


def test_what_a_nul_stands_for_is_not_taken_for_a_constant() -> None:
    """The key has NULs where constants were: a client that sends one must not be judged by it."""
    judge = Judge(Dialect.POSTGRES, pack("agent-default"), "shop", Identity("agent"), Catalog(), None)
    for _ in range(3):
        assert judge.judge(b"SELECT a FROM t WHERE id = 5 AND b = 'x'", Namespace()).statements[0].opaque is None
    for text in (b"SELECT a FROM t WHERE id = \0 AND b = 'x'", b"SELECT a FROM t WHERE id = \0 AND b = \0s"):
        assert judge.judge(text, Namespace()).statements[0].opaque is not None
