"""Functions, procedures, operators and views of the database itself: what they do counts, and unknown is an effect."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from rules.catalog import Catalog, CatalogFunction, CatalogRelation
from rules.classify.postgres import classify
from rules.functions.postgres import builtins, operators
from rules.model import Effect, Kind, Namespace, Statement, Volatility

NAMESPACE = Namespace(search_path=("app", "public"), user="agent")
READ = frozenset({Effect.READ})


def function(name: str, body: str | None, language: str = "sql", schema: str = "app", **more: Any) -> CatalogFunction:
    found = CatalogFunction(schema, name, Volatility.VOLATILE, language, body=body, arguments=1)
    return evolve(found, **more)


def catalog(*functions: CatalogFunction, views: dict[str, str] | None = None) -> Catalog:
    made = Catalog(server_version=180000)
    for each in functions:
        made.functions[each.schema, each.name] = (*made.functions.get((each.schema, each.name), ()), each)
    for spelled, definition in (views or {}).items():
        schema, _, name = spelled.partition(".")
        relation = CatalogRelation(schema, name, "v", len(made.by_oid) + 1, definition=definition)
        made.relations[schema, name] = made.by_oid[relation.oid] = relation
    return made


def effects(sql: str, known: Catalog | None, namespace: Namespace = NAMESPACE) -> frozenset[Effect]:
    (statement,) = classify(sql, namespace, known)
    assert statement.opaque is None, statement.opaque
    return statement.effects - READ


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("SELECT $1 + 1", set()),
        ("SELECT count(*) FROM orders WHERE id = $1", set()),
        ("DELETE FROM orders; SELECT 1", {Effect.WRITE}),
        ("SELECT nextval('s')", {Effect.SEQUENCE}),
        ("SELECT pg_read_file($1)", {Effect.FILE_READ}),
        ("SELECT set_config($1, $2, false)", {
            Effect.SETTING, Effect.LEXING, Effect.NAMESPACE, Effect.ROLE, Effect.ADMIN,
        }),
        ("SELECT set_config('search_path', $1, false)", {Effect.SETTING, Effect.NAMESPACE}),
        ("CREATE TEMP TABLE t (a int)", {Effect.DDL, Effect.NAMESPACE}),
        ("RETURN $1 + 1", set()),
        ("RETURN pg_sleep($1)", {Effect.SLEEP}),
        ("BEGIN ATOMIC\n SELECT 1;\n DELETE FROM orders;\nEND", {Effect.WRITE}),
        ("this is no SQL", {Effect.UNKNOWN}),
        ("SELECT no_such_function()", {Effect.UNKNOWN}),
        ("SELECT '" + "x" * 2_000_000 + "'", {Effect.UNKNOWN}),
    ],
    ids=range(14),
)  # fmt: skip
def test_a_function_in_sql_does_what_its_body_does(body: str, expected: set[Effect]) -> None:
    assert effects("SELECT f(1)", catalog(function("f", body))) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("BEGIN RETURN $1 + 1; END", set()),
        ("DECLARE r record; BEGIN FOR r IN SELECT * FROM orders o JOIN t(a) ON true LOOP RETURN NEXT r.id; END LOOP; END", {
            Effect.UNKNOWN,
        }),
        ("BEGIN RETURN QUERY SELECT x.id FROM orders AS x(id) WHERE lower(x.name) = 'a'; END", set()),
        ("BEGIN DELETE FROM orders; END", {Effect.WRITE}),
        ("BEGIN /* nothing */ UPDATE t SET a = 1; SET ROLE x; END", {
            Effect.WRITE, Effect.SETTING, Effect.LEXING, Effect.NAMESPACE, Effect.ROLE, Effect.ADMIN,
        }),
        ("BEGIN FOR r IN SELECT 1 FOR UPDATE LOOP SET ROLE x; END LOOP; END", {
            Effect.ROW_LOCK, Effect.SETTING, Effect.LEXING, Effect.NAMESPACE, Effect.ROLE, Effect.ADMIN,
        }),
        ("BEGIN EXECUTE 'DEL' || 'ETE FROM orders'; END", {Effect.DYNAMIC_SQL, Effect.CODE}),
        ("BEGIN PERFORM pg_sleep(1); END", {Effect.SLEEP}),
        ("BEGIN PERFORM \"pg_sleep\" /* x */ (1); END", {Effect.SLEEP}),
        ("BEGIN RETURN (5).pg_sleep; END", {Effect.SLEEP}),
        ("BEGIN PERFORM U&\"\\0070g_sleep\"(1); END", {Effect.UNKNOWN}),
        ("BEGIN SELECT 1 FROM a JOIN b ON g(a.x); END", {Effect.UNKNOWN}),
        ("BEGIN PERFORM set_config(a, b, false); END", {
            Effect.SETTING, Effect.LEXING, Effect.NAMESPACE, Effect.ROLE, Effect.ADMIN,
        }),
        ("BEGIN COMMIT; END", {Effect.TRANSACTION}),
        ("BEGIN PERFORM app.select(1); END", {Effect.UNKNOWN}),
        ("BEGIN x := query FROM pg_stat_activity; END", {Effect.SAMPLES}),
        ("BEGIN COPY t TO PROGRAM 'id'; END", {Effect.PROGRAM, Effect.FILE_READ, Effect.FILE_WRITE, Effect.WRITE}),
        ("BEGIN RETURN 'unterminated; END", {Effect.UNKNOWN}),
        ("BEGIN RETURN 'DELETE FROM orders'; END", set()),
        ("BEGIN RAISE NOTICE 'x'; NULL; END", set()),
    ],
    ids=range(20),
)  # fmt: skip
def test_a_function_in_plpgsql_does_what_its_words_can_do(body: str, expected: set[Effect]) -> None:
    assert effects("SELECT f(1)", catalog(function("f", body, "plpgsql"))) == expected


@pytest.mark.parametrize("language", ["c", "internal", "plperl", "plpython3u", "plv8"])
def test_a_function_in_another_language_is_unknown(language: str) -> None:
    (statement,) = classify("SELECT f(1)", NAMESPACE, catalog(function("f", "x", language)))
    assert Effect.UNKNOWN in statement.effects
    assert [each.known for each in statement.functions] == [False]


def test_what_a_function_calls_counts_through_any_number_of_calls_and_round_circles() -> None:
    known = catalog(
        function("a", "SELECT b($1)"),
        function("b", "BEGIN PERFORM c(1); END", "plpgsql"),
        function("c", "SELECT d($1), a($1)"),
        function("d", "DELETE FROM t; SELECT 1"),
    )
    for name in "abcd":
        assert effects(f"SELECT {name}(1)", known) == {Effect.WRITE}


def test_a_chain_of_calls_that_is_too_long_is_unknown() -> None:
    chain = [function(f"f{number}", f"SELECT f{number + 1}($1)") for number in range(300)]
    assert Effect.UNKNOWN in effects("SELECT f0(1)", catalog(*chain, function("f300", "SELECT 1")))


def test_overloads_count_together() -> None:
    known = catalog(function("f", "SELECT 1"), function("f", "DELETE FROM t", schema="public"))
    assert effects("SELECT f(1)", known) == {Effect.WRITE}
    assert effects("SELECT app.f(1)", known) == set()


def test_a_function_with_the_name_of_a_built_in_is_considered_where_the_path_reaches_it() -> None:
    known = catalog(function("lower", "DELETE FROM t"))
    assert effects("SELECT lower('A')", known) == {Effect.WRITE}
    assert effects("SELECT pg_catalog.lower('A')", known) == set()
    assert effects("SELECT lower('A')", known, evolve(NAMESPACE, search_path=("public",))) == set()
    assert effects("SELECT lower('A')", known, evolve(NAMESPACE, search_path=())) == {Effect.WRITE}
    assert effects("SELECT lower('A')", known, evolve(NAMESPACE, search_path=("$user",), user="app")) == {Effect.WRITE}


def test_without_a_catalog_a_path_that_hides_the_built_ins_makes_them_unknown() -> None:
    hidden = evolve(NAMESPACE, search_path=("evil", "pg_catalog"))
    assert effects("SELECT lower('A')", None, hidden) == {Effect.UNKNOWN}
    assert effects("SELECT lower('A')", None, evolve(NAMESPACE, search_path=())) == {Effect.UNKNOWN}
    assert effects("SELECT pg_catalog.lower('A')", None, hidden) == set()
    assert effects("SELECT lower('A')", None) == set()


def test_a_function_written_as_a_column_is_a_call() -> None:
    known = catalog(function("total", "DELETE FROM t"), function("noargs", "DELETE FROM t", arguments=0))
    assert effects("SELECT o.total FROM orders o", known) == {Effect.WRITE}
    assert effects("SELECT (o).total FROM orders o", known) == {Effect.WRITE}
    assert effects("SELECT o.noargs, o.lower, o.name FROM orders o", known) == set()


def test_a_view_does_what_its_query_does() -> None:
    known = catalog(
        function("remote", "x", "c", extension="dblink"),
        function("dblink", "x", "c", extension="dblink"),
        views={
            "app.plain": "SELECT 1",
            "app.away": "SELECT * FROM app.dblink('host=x', 'SELECT 1') AS t(a int)",
            "app.twice": "SELECT * FROM app.away",
            "app.activity": "SELECT query FROM pg_catalog.pg_stat_activity",
            "app.params": "SELECT name, setting FROM pg_settings",
        },
    )
    assert effects("SELECT * FROM plain", known) == set()
    assert effects("SELECT * FROM app.twice", known) == {Effect.NETWORK, Effect.DYNAMIC_SQL}
    assert effects("SELECT * FROM twice t JOIN orders o USING (a)", known) == {Effect.NETWORK, Effect.DYNAMIC_SQL}
    assert effects("SELECT * FROM activity", known) == {Effect.SAMPLES}
    assert effects("SELECT * FROM public.plain", known) == set()
    assert Effect.ROLE in effects("UPDATE params SET setting = 'x'", known)


def test_an_operator_of_users_is_a_call() -> None:
    known = catalog(function("loud_equal", "DELETE FROM t"))
    known.operators["==="] = (("app", "loud_equal"),)
    known.operators["="] = (("app", "loud_equal"),)
    for sql in (
        "SELECT a === b FROM t",
        "SELECT 1 FROM t WHERE a = b",
        "SELECT 1 FROM t WHERE a IN (1, 2)",
        "SELECT 1 FROM t WHERE a IN (SELECT 1)",
        "SELECT 1 FROM t JOIN u USING (a)",
        "SELECT 1 FROM t NATURAL JOIN u",
        "SELECT CASE a WHEN 1 THEN 2 END FROM t",
        "SELECT nullif(a, b) FROM t",
        "SELECT 1 FROM t WHERE a IS DISTINCT FROM b",
        "SELECT 1 FROM t WHERE a OPERATOR(app.===) b",
    ):
        assert effects(sql, known) == {Effect.WRITE}, sql
    assert effects("SELECT a OPERATOR(pg_catalog.=) b FROM t", known) == set()
    assert effects("SELECT a <===> b FROM t", known) == {Effect.UNKNOWN}


def test_functions_of_extensions() -> None:
    known = catalog(
        function("similarity", None, "c", extension="pg_trgm", volatility=Volatility.IMMUTABLE, schema="public"),
        function("show_limit", None, "c", extension="pg_trgm", volatility=Volatility.STABLE, schema="public"),
        function("crosstab", None, "c", extension="tablefunc", volatility=Volatility.STABLE, schema="public"),
        function("gen_salt", None, "c", extension="pgcrypto", schema="public"),
        function("http_get", None, "c", extension="http", schema="public"),
        function("pure", None, "c", extension="unheard_of", volatility=Volatility.IMMUTABLE, schema="public"),
        function("pg_file_write", None, "c", extension="adminpack", schema="pg_catalog"),
        function("texticeq", None, "c", volatility=Volatility.IMMUTABLE, schema="public"),
    )
    assert effects("SELECT similarity('a', 'b'), show_limit(), gen_salt('bf'), pure(1)", known) == set()
    assert effects("SELECT crosstab('SELECT 1')", known) == {Effect.DYNAMIC_SQL}
    assert effects("SELECT http_get('http://x')", known) == {Effect.UNKNOWN}
    assert effects("SELECT pg_catalog.pg_file_write('a', 'b', true)", known) == {Effect.FILE_WRITE}
    assert effects("SELECT texticeq('a', 'b')", known) == {Effect.UNKNOWN}


def test_an_aggregate_does_what_its_functions_do() -> None:
    known = catalog(
        function("good", "int4pl -", "aggregate", kind="a"),
        function("bad", 'app."Step"', "aggregate", kind="a"),
        function("Step", "DELETE FROM t"),
    )
    assert effects("SELECT good(a) FROM t", known) == set()
    assert effects("SELECT bad(a) FROM t", known) == {Effect.WRITE}


def test_a_procedure_does_what_its_body_does_and_one_that_is_not_known_is_code() -> None:
    known = catalog(function("purge", "BEGIN DELETE FROM t; END", "plpgsql", kind="p"))
    (statement,) = classify("CALL purge(1)", NAMESPACE, known)
    assert statement.kind is Kind.CALL
    assert statement.effects == {Effect.WRITE}
    (statement,) = classify("CALL nobody(1)", NAMESPACE, known)
    assert statement.effects == {Effect.CODE, Effect.UNKNOWN}


def test_explain_counts_what_the_planner_may_run() -> None:
    known = catalog(function("f", "SELECT g($1)", volatility=Volatility.STABLE), function("g", "DELETE FROM t"))
    assert effects("EXPLAIN SELECT f(1)", known) == {Effect.WRITE}
    assert effects("EXPLAIN SELECT g(1)", known) == set()


def test_a_definition_that_changed_in_the_same_text_is_not_known() -> None:
    known = catalog(function("f", "SELECT 1"))
    found = classify("CREATE OR REPLACE FUNCTION app.f(a int) RETURNS int LANGUAGE sql AS 'DELETE FROM t RETURNING 1'; "
                     "SELECT app.f(1)", NAMESPACE, known)  # fmt: skip
    assert Effect.UNKNOWN in found[1].effects


def test_a_catalog_without_anything_makes_names_of_users_unknown() -> None:
    (statement,) = classify("SELECT app.f(1), lower('A')", NAMESPACE, Catalog())
    assert [(each.name, each.known) for each in statement.functions] == [("f", False), ("lower", True)]


def named(statement: Statement, name: str) -> Volatility:
    return next(each.volatility for each in statement.functions if each.name == name)


def test_functions_are_listed_with_their_volatility() -> None:
    (statement,) = classify("SELECT lower('A'), now(), random(), nobody()", NAMESPACE)
    assert [named(statement, name) for name in ("lower", "now", "random", "nobody")] == [
        Volatility.IMMUTABLE,
        Volatility.STABLE,
        Volatility.VOLATILE,
        Volatility.UNKNOWN,
    ]


def test_the_shipped_table_leaves_no_volatile_function_unlooked_at() -> None:
    table = builtins()
    assert len(table) > 2700
    assert not [name for name, builtin in table.items() if Effect.UNKNOWN in builtin.effects]
    assert {"=", "||", "->>", "@@", "~~"} <= operators()
    assert table["pg_catalog", "nextval"].effects == {Effect.SEQUENCE}
    assert not table["pg_catalog", "nextval"].planned
    assert table["pg_catalog", "table_to_xml"].planned


CONVERTING = {
    "dom": ("app.chk(VALUE)",),
    "_dom": ("app.chk(VALUE)",),
    "xid": ("app.made(NULL)",),
    "sane": ("lower(VALUE)",),
}


def converting() -> Catalog:
    known = catalog(
        function("chk", "INSERT INTO log VALUES (1) RETURNING true"),
        function("made", "SELECT nextval('s')"),
        function("pure", "SELECT 1", defaults="1, now()"),
        function("late", "SELECT $1", defaults="chk(1)"),
        function("takes", "SELECT 1", types=("dom",)),
        function("declares", "DECLARE x app.dom; BEGIN x := 1; END", "plpgsql"),
    )
    known.conversions.update(CONVERTING)
    return known


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1::dom", {Effect.WRITE}),
        ("SELECT a::app.dom[] FROM t", {Effect.WRITE}),
        ("SELECT '{1}'::_dom", {Effect.WRITE}),
        ("SELECT dom '1'", {Effect.WRITE}),
        ("SELECT ('1').dom", {Effect.WRITE}),
        ("SELECT x.dom FROM (SELECT '1'::text AS x) q", {Effect.WRITE}),
        ("SELECT * FROM json_to_record('{}') AS x(a dom)", {Effect.WRITE}),
        ("SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a dom PATH '$'))", {Effect.WRITE}),
        ("SELECT * FROM XMLTABLE('/a' PASSING ('<a/>'::xml) COLUMNS x dom)", {Effect.WRITE}),
        ("SELECT JSON_VALUE('1', '$' RETURNING dom)", {Effect.WRITE}),
        ("SELECT (ROW(1)::thing)::xid", {Effect.SEQUENCE}),
        ("SELECT takes(1)", {Effect.WRITE}),
        ("SELECT declares(1)", {Effect.WRITE}),
        ("SELECT late()", {Effect.WRITE}),
        ("EXPLAIN SELECT late()", {Effect.WRITE}),
        ("EXPLAIN SELECT '1'::dom", {Effect.WRITE}),
        ("DO 'DECLARE x dom; BEGIN x := 1; END'", {Effect.WRITE, Effect.CODE}),
        ("SELECT pure(), 1::int, 'A'::sane, a::text FROM t", set()),
    ],
)
def test_what_defaults_and_conversions_compute_counts(sql: str, expected: set[Effect]) -> None:
    assert effects(sql, converting()) == expected
