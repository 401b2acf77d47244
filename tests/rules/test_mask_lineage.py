"""Where the columns of a statement come from, and what each gets: `-` as it is, `?` derived, else its masker."""

from __future__ import annotations

import time

import pytest
from attrs import evolve

from rules.catalog import Catalog
from rules.masking import compile_masks
from rules.model import Column, Identity, Kind, Namespace, Statement
from rules.policy import MaskRule, Policy
from tests.rules.mask_catalog import CATALOG, MASKS, RULES, examine, mask_set, treatments

COLUMNS = [
    # the column itself, however it is named
    ("SELECT id, ssn FROM customers", "- redact"),
    ("SELECT ssn AS name FROM customers", "redact"),
    ('SELECT "ssn" FROM "customers"', "redact"),
    ('SELECT U&"\\0073sn" FROM customers', "redact"),
    ("SELECT c.ssn, public.customers.id FROM customers c, public.customers", "redact -"),
    ("SELECT customers.ssn FROM public.customers", "redact"),
    ("TABLE customers", "- - - redact email bucket last4 ?"),
    ("SELECT * FROM customers c(a, b, c, d)", "- - - redact email bucket last4 ?"),
    ("SELECT d FROM customers c(a, b, c, d)", "redact"),
    ("SELECT name FROM (SELECT ssn AS name FROM customers) x", "redact"),
    ("SELECT x.a FROM (SELECT ssn, id FROM customers) x(a, b)", "redact"),
    ("SELECT (c).ssn, (c).id FROM customers c", "redact -"),
    ("SELECT (c).* FROM customers c", "- - - redact email bucket last4 ?"),
    ("SELECT (x.r).ssn FROM (SELECT c AS r FROM customers c) x", "redact"),
    ("SELECT (ROW(ssn, id)).f1 FROM customers", "redact"),
    # whole rows
    ("SELECT c FROM customers c", "?"),
    ("SELECT c::text FROM customers c", "?"),
    ("SELECT ROW(c.*) FROM customers c", "?"),
    ("SELECT row_to_json(c), to_jsonb(c) FROM customers c", "redact redact"),
    ("SELECT row_to_json(t) FROM (SELECT id, name FROM customers) t", "-"),
    ("SELECT c.row_to_json FROM customers c", "?"),
    ("SELECT ssn(c), name(c) FROM customers c", "redact -"),
    ("SELECT json_agg(c) FROM customers c", "redact"),
    ("SELECT count(c) FROM customers c", "-"),
    # expressions
    ("SELECT upper(ssn), ssn || '', ssn::text, length(ssn) FROM customers", "? ? ? ?"),
    ("SELECT CASE WHEN ssn > 'x' THEN 1 END, coalesce(ssn, 'y'), nullif(ssn, 'z') FROM customers", "? ? ?"),
    # what a WHERE may ask may be shown as well
    ("SELECT ssn = 'x', ssn IS NULL, ssn = ANY ($1), ssn IS DISTINCT FROM $2 FROM customers", "- - - -"),
    ("SELECT CASE WHEN ssn = 'x' THEN 1 END, CASE ssn WHEN 'x' THEN name END FROM customers", "- -"),
    ("SELECT sum(CASE WHEN ssn IS NULL THEN 1 ELSE 0 END), max(ssn <> 'x') FROM customers", "- -"),
    ("SELECT c.ssn = a.ssn FROM customers c, archive a", "-"),
    ("SELECT ssn = name, upper(ssn) IS NULL, nullif(ssn, 'x') IS NULL, c IS NULL FROM customers c", "? ? ? ?"),
    ("SELECT CASE WHEN ssn = 'x' THEN ssn ELSE name END, CASE ssn WHEN name THEN 1 END FROM customers", "? ?"),
    ("SELECT max(id) OVER (PARTITION BY secret ORDER BY id), max(id) OVER (ORDER BY secret) FROM child", "- ?"),
    ("SELECT max(id) OVER (PARTITION BY ssn) FROM customers", "?"),
    ("SELECT ARRAY[ssn], (ARRAY[ssn])[1], ARRAY[id] FROM customers", "? ? -"),
    ("SELECT (SELECT ssn), (SELECT name), ARRAY(SELECT ssn) FROM customers", "redact - ?"),
    ("SELECT EXISTS (SELECT ssn FROM customers)", "-"),
    ("SELECT JSON_OBJECT('k' : ssn), JSON_ARRAY(ssn), JSON_SCALAR(id) FROM customers", "? ? -"),
    ("SELECT JSON_ARRAYAGG(ssn), JSON_OBJECTAGG('k' : name) FROM customers", "? -"),
    ("SELECT JSON_VALUE(to_jsonb(c), '$.ssn') FROM customers c", "?"),
    ("SELECT xmlelement(name x, ssn), xmlforest(name), xmlconcat(xmlforest(ssn)) FROM customers", "? - ?"),
    ("SELECT greatest(ssn, name), least(name, city) FROM customers", "? -"),
    ("SELECT count(*), count(ssn), max(ssn), string_agg(ssn, ','), sum(salary), min(name) FROM customers", "- - ? ? ? -"),
    ("SELECT max(id) FILTER (WHERE ssn = 'x') FROM customers", "-"),
    ("SELECT 1 @#@ 2, 1 + 2", "? -"),
    # joins
    ("SELECT o.note, c.ssn FROM orders o JOIN customers c ON c.id = o.customer_id", "- redact"),
    ("SELECT id, name FROM customers JOIN orders USING (id)", "- -"),
    ("SELECT ssn FROM customers JOIN archive USING (ssn)", "redact"),
    ("SELECT * FROM customers NATURAL JOIN archive", "- redact - - email bucket last4 ?"),
    ("SELECT j.ssn FROM (customers JOIN orders USING (id)) AS j", "redact"),
    ("SELECT ju.id FROM customers JOIN orders USING (id) AS ju", "-"),
    ("SELECT l.x FROM customers c, LATERAL (SELECT c.ssn AS x) l", "redact"),
    ("SELECT l.x FROM customers c JOIN LATERAL (SELECT ssn AS x) l ON true", "redact"),
    ("SELECT (SELECT x FROM (SELECT ssn AS x) q) FROM customers", "redact"),
    ("SELECT (SELECT ssn FROM orders LIMIT 1) FROM customers", "redact"),
    # common table expressions
    ("WITH t AS (SELECT ssn AS x FROM customers) SELECT x FROM t", "redact"),
    ("WITH t(a) AS (SELECT ssn FROM customers), u AS (SELECT a FROM t) SELECT * FROM u", "redact"),
    ("WITH customers AS (SELECT id AS ssn FROM orders) SELECT ssn FROM customers", "-"),
    ("WITH orders AS (SELECT ssn AS note FROM customers) SELECT note FROM orders", "redact"),
    ("WITH orders AS (SELECT ssn AS note FROM customers) SELECT note FROM public.orders", "-"),
    ("SELECT (WITH t AS (SELECT c.ssn AS x) SELECT x FROM t) FROM customers c", "redact"),
    ("WITH RECURSIVE t AS (SELECT id, name FROM clean UNION ALL SELECT t.id, c.ssn FROM t, customers c) TABLE t", "- ?"),
    ("WITH RECURSIVE t(a, b, c) AS (SELECT 1, 'x', ssn FROM customers UNION ALL SELECT a, c, b FROM t) SELECT * FROM t", "- ? ?"),
    ("WITH RECURSIVE a AS (SELECT x FROM b), b AS (SELECT ssn AS x FROM customers) SELECT x FROM a", "redact"),
    ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", "-"),
    ("WITH d AS (DELETE FROM customers WHERE id = 1 RETURNING ssn, id) SELECT * FROM d", "redact -"),
    # set operations and VALUES
    ("SELECT name FROM customers UNION ALL SELECT ssn FROM customers", "?"),
    ("SELECT ssn FROM customers UNION ALL SELECT ssn FROM archive", "redact"),
    ("SELECT id, name FROM customers UNION ALL SELECT id, note FROM orders", "- -"),
    ("VALUES ((SELECT ssn FROM customers LIMIT 1), 1)", "redact -"),
    ("SELECT v.b FROM (VALUES (1, 'x'), (2, (SELECT ssn FROM customers LIMIT 1))) v(a, b)", "?"),
    # stored things
    ("SELECT label, number FROM v", "- redact"),
    ("SELECT * FROM vv", "? -"),
    ("SELECT * FROM clean", "- -"),
    ("SELECT ssn FROM mv", "redact"),
    ("SELECT loud FROM customers", "?"),
    ("SELECT secret FROM child", "hash"),
    ("SELECT id, secret FROM events_1", "- hash"),
    ("SELECT note FROM upward", "redact"),
    ("SELECT c FROM snap", "?"),
    ("SELECT (c).id, snap.id FROM snap", "? -"),
    ("SELECT a FROM odd", "?"),
    # functions
    ("SELECT get_ssn(1), get_name(1), public.get_name(2)", "? - -"),
    ("SELECT ssn, name FROM everyone()", "redact -"),
    ("SELECT * FROM everyone() WITH ORDINALITY", "- - - redact email bucket last4 ? -"),
    ("SELECT e.c, upper(e.b) FROM everyone() AS e (a, b, d, c)", "redact -"),
    ("SELECT e FROM everyone() e", "?"),
    ("SELECT (everyone()).name", "?"),
    ("SELECT * FROM pairs(1)", "- ?"),
    ("SELECT p.id FROM customers c, pairs(c.ssn) p", "?"),
    ("SELECT * FROM mixed()", "? ? ?"),
    ("SELECT pl_ssn(), pl_calls(), pl_text(), pl_clean()", "? ? ? -"),
    ("SELECT compiled(1), similarity(name, 'x'), similarity(ssn, 'x'), nobody_knows(1) FROM customers", "? - ? ?"),
    ("SELECT * FROM generate_series(1, 3)", "-"),
    ("SELECT g FROM generate_series(1, 3) g", "-"),
    ("SELECT key, value FROM jsonb_each_text('{}')", "- -"),
    ("SELECT value FROM customers c, jsonb_each_text(to_jsonb(c))", "?"),
    ("SELECT g.name FROM customers c, generate_series(1, 2) g(name)", "-"),
    ("SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY[1])) WITH ORDINALITY", "-"),
    ("SELECT a FROM JSON_TABLE((SELECT to_jsonb(c) FROM customers c LIMIT 1), '$' COLUMNS (a text PATH '$.ssn'))", "?"),
    ("SELECT a FROM XMLTABLE('/r' PASSING (SELECT ssn FROM customers LIMIT 1)::xml COLUMNS a text)", "?"),
    # the server's own tables
    ("SELECT tablename, most_common_vals, null_frac FROM pg_stats", "- redact -"),
    ("SELECT pid, query FROM pg_stat_activity", "- redact"),
    ("SELECT relname FROM pg_class", "-"),
    ("SELECT chunk_data FROM pg_toast.pg_toast_1", "redact"),
    # changes
    ("INSERT INTO customers (id, ssn) VALUES (1, 'x') RETURNING ssn, id", "redact -"),
    ("INSERT INTO customers (id) VALUES (1) RETURNING *", "- - - redact email bucket last4 ?"),
    ("UPDATE customers c SET name = 'x' RETURNING c.ssn, name, upper(c.ssn)", "redact - ?"),
    ("UPDATE customers SET name = 'x' RETURNING old.ssn, new.name", "redact -"),
    ("UPDATE orders SET note = 'x' FROM customers c WHERE c.id = customer_id RETURNING c.ssn, note", "redact -"),
    ("DELETE FROM customers USING orders o WHERE o.customer_id = customers.id RETURNING ssn, o.note", "redact -"),
    ("MERGE INTO orders o USING customers c ON c.id = o.id WHEN MATCHED THEN DO NOTHING RETURNING c.ssn, o.note", "redact -"),
    # carriers
    ("COPY customers TO STDOUT", "- - - redact email bucket last4"),  # generated columns are not copied
    ("COPY customers (loud) TO STDOUT", "?"),
    ("COPY customers (ssn, id) TO STDOUT", "redact -"),
    ("COPY (SELECT ssn FROM customers) TO STDOUT (FORMAT csv)", "redact"),
    ("PREPARE p AS SELECT ssn FROM customers", "redact"),
    ("DECLARE c CURSOR FOR SELECT ssn, id FROM customers", "redact -"),
    ("EXPLAIN ANALYZE SELECT ssn FROM customers", "-"),
    ("EXPLAIN SELECT id FROM orders WHERE note = get_ssn(1)", "?"),  # folded into a constant, if it claims to be immutable
    ("EXPLAIN SELECT * FROM folding", "?"),
    ("EXPLAIN SELECT id FROM orders WHERE note = get_name(1)", "-"),
    ("SELECT * FROM nosuch", "?"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), COLUMNS)
def test_each_column_gets_what_its_origin_asks_for(sql: str, expected: str) -> None:
    assert " ".join(treatments(sql)) == expected


def test_columns_that_double_at_each_step_are_masked_in_bounded_time() -> None:
    steps = ", ".join(f"c{n} AS (SELECT * FROM c{n - 1} a, c{n - 1} b)" for n in range(1, 40))
    text = f"WITH c0 AS (SELECT * FROM customers), {steps} SELECT * FROM c39"
    began = time.process_time()
    assert examine(text).touches
    assert time.process_time() - began < 2


def test_a_text_that_was_not_understood_is_not_parsed_again() -> None:
    """The classifier refuses what is too deep before it parses it: the parser would end the process."""
    text = "SELECT 1" + " + 1" * 500_000
    deep = Statement(text, Kind.OPAQUE, "", opaque="too long a chain")
    assert mask_set().examine(text, (deep,), Namespace())[0].touches


def test_fetch_and_execute_follow_their_names() -> None:
    assert examine("FETCH ALL FROM c").follows_names
    assert examine("EXECUTE p").follows_names
    assert examine("FETCH ALL FROM c").plan([Column("ssn", 25)]) is not None


def test_what_the_server_names_as_origin_decides_over_lineage() -> None:
    customers = CATALOG.relations["public", "customers"]
    masks = MASKS.unknown()
    plan = masks.plan([Column("a", 25, customers.oid, 2), Column("b", 25, customers.oid, 4), Column("c", 25)])
    assert plan is not None
    assert plan[0] is None
    assert plan[1] is not None
    assert plan[1](b"secret") == b"***"
    assert plan[2] is not None
    assert plan[2](b"x") == plan[2](None) == b"***"


def test_an_origin_that_the_catalog_does_not_know_is_masked_and_said_to_be_unknown() -> None:
    found = examine("SELECT id FROM orders")
    column = [Column("id", 23, 99999, 1)]
    assert found.unknown_origins(column)
    assert found.plan(column) is not None
    orders = CATALOG.relations["public", "orders"]
    assert found.plan([Column("id", 23, orders.oid, 1)]) is None
    assert found.plan([Column("new", 23, orders.oid, 44)]) is not None


def test_a_whole_row_and_a_system_column_are_no_origin() -> None:
    customers = CATALOG.relations["public", "customers"]
    found = examine("SELECT c FROM customers c")
    assert found.plan([Column("c", 16500, customers.oid, 0)]) is not None
    assert examine("SELECT ctid FROM customers").plan([Column("ctid", 27, customers.oid, -1)]) is None


def test_another_number_of_columns_is_an_error() -> None:
    with pytest.raises(ValueError, match="columns"):
        examine("SELECT id, ssn FROM customers").plan([Column("id", 23)])


def test_a_batch_is_examined_statement_by_statement() -> None:
    text = "SELECT 1; SELECT ssn FROM customers"
    one = Statement("SELECT 1", Kind.SELECT, "SelectStmt", batch=2)
    two = Statement("SELECT ssn FROM customers", Kind.SELECT, "SelectStmt", index=1, batch=2)
    first, second = MASKS.examine(text, (one, two), Namespace())
    assert not first.touches
    assert second.touches
    assert all(each.touches for each in MASKS.examine(text, (one,), Namespace()))
    assert MASKS.examine("SELEC", (one, two), Namespace())[1].touches


def test_an_opaque_statement_is_unknown() -> None:
    (found,) = MASKS.examine("SELECT 1", (Statement("", Kind.OPAQUE, "", opaque="why"),), Namespace())
    assert found.touches
    assert found.plan([Column("x", 25)]) is not None


def test_deep_nesting_is_answered_cautiously() -> None:
    sql = "SELECT " + "(SELECT " * 400 + "ssn" + ")" * 400 + " FROM customers"
    assert set(treatments(sql)) <= {"?", "redact"}


def test_a_position_in_order_by_is_marked_as_looked_at() -> None:
    assert examine("SELECT ssn, name FROM customers ORDER BY 2").literal
    assert not examine("SELECT ssn, name FROM customers ORDER BY name").literal


def test_a_table_of_another_schema_of_that_name_asks_for_the_servers_word() -> None:
    """The search_path as the gateway knows it may not be the server's: then the origins decide."""
    catalog = Catalog(relations=dict(CATALOG.relations), by_oid=dict(CATALOG.by_oid), functions=CATALOG.functions)
    twin = CATALOG.relations["public", "orders"]
    catalog.relations["aside", "customers"] = twin
    masks = mask_set(catalog=catalog)
    found = examine("SELECT id FROM customers", masks, Namespace(search_path=("aside", "public")))
    assert found.touches
    customers = CATALOG.relations["public", "customers"]
    plan = found.plan([Column("ssn", 25, customers.oid, 4)])
    assert plan is not None


def test_a_temporary_table_that_the_catalog_does_not_have_is_unknown() -> None:
    found = examine("SELECT id FROM customers", namespace=Namespace(temporary=frozenset({"customers"})))
    assert found.unknown == ("customers",)
    assert found.plan([Column("id", 23)]) is not None


def test_a_temporary_table_may_be_somebody_elses_and_the_own_one_gone() -> None:
    catalog = Catalog(relations=dict(CATALOG.relations), by_oid=dict(CATALOG.by_oid), functions=CATALOG.functions)
    twin = evolve(CATALOG.relations["public", "orders"], schema="pg_temp_3", name="customers")
    catalog.relations["pg_temp_3", "customers"] = twin
    masks = mask_set(catalog=catalog, rules=(MaskRule("public.customers.ssn", "redact"),))
    for path in (("public",), ()):
        names = Namespace(temporary=frozenset({"customers"}), search_path=path)
        found = examine("SELECT note || ssn FROM customers", masks, names)
        assert found.plan([Column("?column?", 25)]) is not None
    assert examine("SELECT note || '' FROM pg_temp.customers", masks).plan([Column("?column?", 25)]) is None


def test_rules_bind_by_group_and_database() -> None:
    rule = MaskRule("customers.ssn", "redact", databases=("shop*",), except_groups=frozenset({"dba"}))
    policy = Policy("test", ())
    bound = compile_masks((rule,), "shop", Identity("a"), CATALOG, policy, b"k")
    assert bound is not None
    assert compile_masks((rule,), "shop", Identity("a", frozenset({"dba"})), CATALOG, policy, b"k") is None
    assert compile_masks((rule,), "other", Identity("a"), CATALOG, policy, b"k") is None


def test_a_rule_that_matches_nothing_yet_still_masks_what_is_unknown() -> None:
    masks = mask_set(rules=(MaskRule("nowhere.at.all", "redact"),))
    assert treatments("SELECT ssn FROM customers", masks) == ["-"]
    assert treatments("SELECT x FROM not_in_the_catalog", masks) == ["?"]


def test_the_first_rule_that_matches_a_column_wins() -> None:
    masks = mask_set(rules=(MaskRule("customers.ssn", "null"), *RULES))
    assert treatments("SELECT ssn FROM customers", masks) == ["null"]


def test_an_unknown_masker_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown masker"):
        mask_set(rules=(MaskRule("customers.ssn", "shred"),))
    with pytest.raises(ValueError, match="needs"):
        mask_set(rules=(MaskRule("customers.ssn", "bucket"),))


def test_explain_says_where_columns_come_from() -> None:
    ((name, masked),) = [MASKS.explain("SELECT c.name, upper(c.ssn) AS s FROM customers c", Namespace())[0]]
    assert (name.name, name.origins, name.treatment) == ("name", ("public.customers.name",), "as it is")
    assert (masked.name, masked.masked, masked.treatment) == ("s", ("public.customers.ssn",), "redact (derived)")
