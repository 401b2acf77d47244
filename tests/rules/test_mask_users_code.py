"""Code of users that is handed masked values: it may keep them, whatever it was declared to be, or end in an error for some."""

from __future__ import annotations

import pytest
from attrs import evolve

from rules.catalog import Catalog, CatalogFunction
from rules.masking.routines import words_of
from rules.model import Effect, Kind, Namespace, Statement
from rules.policy import Policy
from tests.rules.mask_catalog import CATALOG, examine, function, kinds, mask_set, own, relation, treatments

KEEPS = "BEGIN PERFORM set_config('a.b', x::text, false); RETURN true; END"


def said(
    name: str, body: str, language: str = "plpgsql", volatility: str = "immutable", **more: object
) -> CatalogFunction:
    return function(name, body=body, language=language, schema="public", volatility=volatility, **more)  # type: ignore[arg-type]


FUNCTIONS = [
    said("keeps", KEEPS),
    said("keeps_sql", "SELECT set_config('a.b', $1, false)", "sql"),
    said("calls", "BEGIN RETURN keeps(x); END"),
    said("one", "BEGIN RETURN other(x); END"),
    said("other", "BEGIN PERFORM keeps(x); RETURN one(x); END"),
    said("reads_one", "SELECT reads_other($1 - 1)", "sql"),
    said("reads_other", "SELECT reads_one($1 - 1) || (SELECT ssn FROM customers LIMIT 1)", "sql"),
    said("by_text", "BEGIN EXECUTE 'SELECT 1' USING x; RETURN x; END"),
    said("by_operator", "BEGIN RETURN x ==> 'y'; END"),
    said("by_type", "BEGIN RETURN x::spy; END"),
    said("another_name", "set_config_by_name", "internal"),
    function("placed", body=KEEPS, language="?"),
    said("total", "keeps_state", "aggregate"),
    said("keeps_state", KEEPS, volatility="volatile"),
    said("takes_spy", "SELECT 'x'::text", "sql", returns="text"),
    said("double", "SELECT $1 + $1", "sql"),
    said("doubles", "BEGIN RETURN x * 2; END"),
    said("bigger", "SELECT $1 > 5", "sql"),
    said("named", "SELECT name FROM customers WHERE card > $1", "sql"),
    said("draws", "BEGIN RETURN x || random(); END"),
]


def lab() -> Catalog:
    found = evolve(CATALOG, relations=dict(CATALOG.relations), functions=dict(CATALOG.functions))
    found.operators = {
        **CATALOG.operators,
        "==>": (("public", "keeps"),),
        "=": (("public", "keeps"),),
        "<=": (("public", "keeps"),),
    }
    found.conversions = {
        "spy": ("keeps(VALUE)",),
        "_spy": ("keeps(VALUE)",),
        "quiet": ("double(VALUE)",),
        "told": ("get_ssn(NULL)",),
    }
    for each in FUNCTIONS:
        found.functions[each.schema, each.name] = (evolve(each, types=("spy",)) if each.name == "takes_spy" else each,)
    found.relations["public", "vault"] = relation("vault", "id int, secret public.spy")
    found.relations["public", "calm"] = relation("calm", "id int, secret public.quiet")
    found.relations["public", "checking"] = evolve(relation("checking", "id int, secret"), computed="keeps(secret)")
    found.relations["public", "checked"] = evolve(relation("checked", "id int, secret"), computed="double(secret)")
    volatile = function("random", volatility="volatile")
    found.functions["pg_catalog", "random"] = (volatile,)
    return found


LAB = lab()
OPEN = mask_set(Policy("test", (), predicates="allow"), LAB)
STRICT = mask_set(Policy("test", ()), LAB)


@pytest.mark.parametrize(
    "expression",
    [
        "keeps(ssn)",
        "keeps_sql(ssn)",
        "calls(ssn)",
        "one(ssn)",
        "other(ssn)",
        "by_text(ssn)",
        "by_operator(ssn)",
        "by_type(ssn)",
        "another_name(ssn)",
        "placed(ssn)",
        "pg_catalog.placed(ssn)",
        "total(ssn)",
        "total(ssn) OVER ()",
        "count(keeps(ssn))",
        "keeps(c)",
        "c.keeps",
        "(ssn).keeps",
        "takes_spy(ssn)",
        "ssn ==> 'x'",
        "ssn = 'x'",
        "ssn IN ('x', 'y')",
        "ssn = ANY (ARRAY['x'])",
        "ssn IS DISTINCT FROM 'x'",
        "nullif(ssn, 'x')",
        "CASE ssn WHEN 'x' THEN 1 END",
        "CASE WHEN ssn = 'x' THEN 1 END",
        "ssn IN (SELECT name FROM customers)",
        "'x' = ALL (SELECT ssn FROM customers)",
        "salary BETWEEN 1 AND 2",
        "ssn::spy",
        "ARRAY[ssn]::spy[]",
    ],
)
def test_code_that_may_keep_a_value_is_not_given_a_masked_one(expression: str) -> None:
    assert "laundering" in kinds(f"SELECT {expression} FROM customers c", OPEN)
    clean = (
        expression.replace("ssn", "name")
        .replace("salary", "id")
        .replace("(c)", "(city)")
        .replace("c.keeps", "keeps(city)")
    )
    assert kinds(f"SELECT {clean} FROM customers c", OPEN) == set()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM customers WHERE ssn = 'x'",
        "SELECT id FROM customers WHERE (ssn, id) = ('x', 1)",
        "SELECT c.id FROM customers c JOIN archive a ON a.ssn = c.ssn",
        "SELECT c.id FROM customers c JOIN archive a USING (ssn)",
        "SELECT c.id FROM customers c NATURAL JOIN archive a",
        "SELECT id FROM customers ORDER BY keeps(ssn)",
        "SELECT c.id FROM customers c, LATERAL keeps(ssn) k",
        "SELECT x.ssn FROM customers c, LATERAL ROWS FROM (jsonb_to_record(to_jsonb(c)) AS (ssn spy)) x",
        "SELECT JSON_VALUE(to_jsonb(ssn), '$' RETURNING spy) FROM customers",
        "SELECT t.v FROM customers c, JSON_TABLE(to_jsonb(c), '$' COLUMNS (v spy PATH '$.ssn')) t",
    ],
)
def test_nor_is_it_in_other_clauses(sql: str) -> None:
    assert "laundering" in kinds(sql, OPEN)


@pytest.mark.parametrize("expression", ["double(card)", "doubles(card)", "draws(ssn)", "card::quiet", "named(card)"])
def test_code_that_keeps_nothing_is(expression: str) -> None:
    assert kinds(f"SELECT {expression} FROM customers", OPEN) == set()
    assert treatments(f"SELECT {expression} FROM customers", OPEN) == ["?"]


def test_routines_that_call_each_other_show_what_each_of_them_reads() -> None:
    for _ in range(2):  # in whatever order they are asked for
        masks = mask_set(Policy("test", (), predicates="allow"), lab())
        assert treatments("SELECT reads_one(1), reads_other(1)", masks) == ["?", "?"]
        assert treatments("SELECT reads_other(1), reads_one(1)", masks) == ["?", "?"]


def test_a_cast_shows_what_its_function_reads() -> None:
    assert treatments("SELECT 1::told, 1::quiet", OPEN) == ["?", "-"]


@pytest.mark.parametrize("expression", ["doubles(card)", "bigger(card)", "named(card)", "total(ssn)", "draws(ssn)"])
def test_code_that_may_tell_values_apart_is_a_condition(expression: str) -> None:
    assert "predicate" in kinds(f"SELECT {expression} FROM customers", STRICT)


def test_code_that_gives_a_result_for_every_value_is_none() -> None:
    assert kinds("SELECT double(card) FROM customers", STRICT) == set()


def test_an_unqualified_name_in_a_routine_means_every_table_of_that_name() -> None:
    catalog = lab()
    catalog.relations["app", "customers"] = evolve(
        CATALOG.relations["public", "orders"], schema="app", name="customers", oid=99
    )
    catalog.functions["app", "reads"] = (own("reads", "SELECT note FROM customers"),)
    assert treatments("SELECT app.reads()", mask_set(catalog=catalog)) == ["?"]


REDEFINED = evolve(Namespace(), redefined=True)


@pytest.mark.parametrize("expression", ["upper(ssn)", "ssn || 'x'", "ssn = 'x'", "ssn::text", "count(reverse(ssn))"])
def test_what_was_defined_in_the_open_transaction_may_keep_what_it_is_given(expression: str) -> None:
    masks = mask_set(Policy("test", (), predicates="allow"))
    sql = f"SELECT {expression} FROM customers"
    assert examine(sql, masks).findings == ()
    assert {each.kind for each in examine(sql, masks, REDEFINED).findings} == {"laundering"}


@pytest.mark.parametrize(
    "sql", ["SELECT ssn, name, upper(name) FROM customers", "SELECT pg_catalog.upper(ssn) FROM customers"]
)
def test_but_columns_and_the_servers_own_by_their_schema_are_read(sql: str) -> None:
    assert examine(sql, mask_set(), REDEFINED).findings == ()


def test_in_one_text_what_stands_behind_a_definition_does_not_know_it() -> None:
    texts = ("CREATE FUNCTION upper(text) RETURNS text LANGUAGE sql AS ''", "SELECT upper(ssn) FROM customers")
    statements = (
        Statement(texts[0], Kind.DDL, "CreateFunctionStmt", effects=frozenset({Effect.DDL})),
        Statement(texts[1], Kind.SELECT, "SelectStmt"),
    )
    masks = mask_set(Policy("test", (), predicates="allow"))
    after, before = "; ".join(texts), "; ".join(texts[::-1])
    assert {each.kind for each in masks.examine(after, statements, Namespace())[1].findings} == {"laundering"}
    assert masks.examine(before, statements[::-1], Namespace())[0].findings == ()


def test_a_routine_that_fetches_from_cursors_of_others_reads_what_nobody_can_follow() -> None:
    catalog = lab()
    body = "DECLARE r text; BEGIN FETCH c INTO r; RETURN r; END"
    catalog.functions["public", "fetches"] = (evolve(said("fetches", body), types=("refcursor",)),)
    catalog.functions["public", "fetches_too"] = (said("fetches_too", "BEGIN RETURN fetches('c'); END"),)
    masks = mask_set(catalog=catalog)
    for name in ("fetches", "fetches_too"):
        assert "source" in kinds(f"SELECT {name}('c')", masks)


def test_names_in_a_body_are_read_as_the_server_reads_them() -> None:
    long = "x" * 63
    assert {"Émil", long, 'a"b'} <= words_of(f'SELECT * FROM ÉMIL, {long}yz, "a""b"')


NEW_WITH_SPY = [
    "CREATE TABLE t (a int, s spy)",
    "CREATE TEMP TABLE t (s public.spy)",
    "CREATE TABLE t (s spy[])",
    "CREATE TABLE t (LIKE orders, s spy)",
    "CREATE TABLE t OF spy",
    "CREATE TYPE t AS (s spy)",
    "CREATE DOMAIN t AS spy",
    "CREATE DOMAIN t AS spy[]",
    "CREATE TYPE t AS RANGE (subtype = spy)",
    "ALTER TABLE orders ADD COLUMN s spy",
    "ALTER TABLE orders ALTER COLUMN note TYPE spy",
    "ALTER TYPE archived ADD ATTRIBUTE s spy",
]


@pytest.mark.parametrize("sql", NEW_WITH_SPY)
def test_what_is_made_with_a_type_that_keeps_its_values_is_held(sql: str) -> None:
    assert kinds(sql, OPEN) == {"laundering"}
    assert kinds(sql.replace("spy", "quiet"), OPEN) == set(), "its check keeps nothing"


INTO_TYPES = [
    "INSERT INTO vault SELECT id, secret FROM child",
    "INSERT INTO vault (secret) VALUES ((SELECT secret FROM child))",
    "INSERT INTO vault VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET secret = (SELECT secret FROM child)",
    "UPDATE vault SET secret = c.secret FROM child c",
    "UPDATE vault SET (id, secret) = (SELECT c.id, c.secret FROM child c)",
    "MERGE INTO vault v USING child c ON c.id = v.id WHEN MATCHED THEN UPDATE SET secret = c.secret",
    "MERGE INTO vault v USING child c ON c.id = v.id WHEN NOT MATCHED THEN INSERT VALUES (c.id, c.secret)",
    "WITH w AS (INSERT INTO vault SELECT id, secret FROM child RETURNING 1) SELECT FROM w",
]


@pytest.mark.parametrize("sql", INTO_TYPES)
def test_nor_is_it_put_into_a_column_of_a_type_that_keeps_its_values(sql: str) -> None:
    assert "laundering" in kinds(sql, OPEN)
    assert kinds(sql.replace("vault", "calm"), OPEN) == set()


@pytest.mark.parametrize(
    "sql",
    ["INSERT INTO vault VALUES (1, 'x')", "UPDATE vault SET secret = 'x'", "UPDATE vault SET id = 1", "DELETE FROM vault",
     "INSERT INTO vault (id) SELECT id FROM child"],
)  # fmt: skip
def test_but_what_the_client_brings_is(sql: str) -> None:
    assert kinds(sql, OPEN) == set()


def test_a_check_of_a_table_that_keeps_values_is_not_given_masked_ones() -> None:
    for sql in ("UPDATE checking SET id = 1", "INSERT INTO checking SELECT id, secret FROM child"):
        assert "laundering" in kinds(sql, OPEN)
        assert kinds(sql.replace("checking", "checked"), OPEN) == set()
    assert kinds("INSERT INTO checking VALUES (1, 'x')", OPEN) == set()
    assert kinds("DELETE FROM checking", OPEN) == set()


@pytest.mark.parametrize(
    ("sql", "held"),
    [
        ("ALTER DOMAIN d ADD CHECK (length(VALUE) > 3)", True),
        ("ALTER DOMAIN d ADD CHECK (VALUE > 'm')", True),
        ("ALTER DOMAIN d VALIDATE CONSTRAINT c", True),
        ("ALTER DOMAIN d DROP CONSTRAINT c", False),
        ("ALTER DOMAIN d SET DEFAULT 'x'", False),
    ],
)
def test_a_check_that_every_stored_value_passes_through_is_held_where_one_is_masked(sql: str, held: bool) -> None:
    assert kinds(sql, OPEN) == ({"laundering"} if held else set())
    assert kinds(sql, mask_set(Policy("test", (), predicates="allow"))) == set(), "no masked column is of users' types"
