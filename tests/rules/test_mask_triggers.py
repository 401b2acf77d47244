"""Writes on tables whose triggers copy masked columns."""

from __future__ import annotations

import pytest
from attrs import evolve

from rules.catalog import Catalog, CatalogFunction, CatalogTrigger
from rules.masking.copies import copies
from rules.model import Volatility
from rules.policy import MaskRule
from tests.rules.mask_catalog import RULES, examine, mask_set, relation, shop

EVERY = frozenset({"INSERT", "UPDATE", "DELETE"})
UPDATE = "UPDATE customers SET name = 'x' WHERE id = 1"


def catalog(
    body: str,
    *,
    language: str = "plpgsql",
    events: frozenset[str] = EVERY,
    table: str = "customers",
    transition: bool = False,
) -> Catalog:
    found = shop()
    for name, columns in (
        ("audit", "id int, what, at date"),
        ("logged", "customer int, at date"),
        ("notes", "id int, body jsonb"),
    ):
        made = relation(name, columns)
        found.relations["public", name] = made
        found.by_oid[made.oid] = made
    changed = found.relations["public", table]
    changed = evolve(changed, triggers=(CatalogTrigger("tell", events, "public", "tells", transition),))
    found.relations["public", table] = changed
    found.by_oid[changed.oid] = changed
    found.functions["public", "tells"] = (
        CatalogFunction("public", "tells", Volatility.VOLATILE, language, returns="trigger", body=body),
    )
    found.functions["public", "keeps"] = (
        CatalogFunction("public", "keeps", Volatility.VOLATILE, "sql", body="INSERT INTO audit (what) VALUES ($1)"),
    )
    return found


def held(sql: str, body: str, rules: tuple[MaskRule, ...] = RULES, **options: object) -> bool:
    masks = mask_set(catalog=catalog(body, **options), rules=rules)  # type: ignore[arg-type]
    return any(finding.kind == "laundering" for finding in examine(sql, masks).findings)


COPYING = [
    "BEGIN INSERT INTO audit (what) VALUES (OLD.ssn); RETURN NEW; END",
    "BEGIN INSERT INTO public.audit SELECT NEW.id, upper(NEW.email); RETURN NULL; END",
    "BEGIN INSERT INTO audit (what) VALUES (NEW.*::text); RETURN NEW; END",
    "BEGIN INSERT INTO notes (body) VALUES (to_jsonb(OLD)); RETURN OLD; END",
    "BEGIN INSERT INTO notes (body) VALUES (row_to_json(new)); RETURN new; END",
    "BEGIN UPDATE audit SET what = OLD.\"ssn\" WHERE id = NEW.id; RETURN NEW; END",
    "BEGIN MERGE INTO audit USING (SELECT 1) x ON true WHEN MATCHED THEN UPDATE SET what = NEW.ssn; RETURN NEW; END",
    "BEGIN NEW.name := NEW.ssn; RETURN NEW; END",
    "BEGIN NEW.name = 'a;' || NEW.ssn; RETURN NEW; END",
    "DECLARE v text := OLD.ssn; BEGIN NEW.name := v; RETURN NEW; END",
    "BEGIN IF NEW.ssn = '1' THEN NEW.city := 'y'; END IF; RETURN NEW; END",
    "BEGIN NEW := OLD; RETURN NEW; END",
    "BEGIN PERFORM keeps(NEW.ssn); RETURN NEW; END",
    "BEGIN EXECUTE 'INSERT INTO audit (what) VALUES ($1)' USING NEW.id; RETURN NEW; END",
    "BEGIN NEW.city := (SELECT ssn FROM archive LIMIT 1); RETURN NEW; END",
    "BEGIN INSERT /* x */ INTO audit (what) SELECT c.ssn FROM customers c; RETURN NEW; END",
    "BEGIN INSERT INTO elsewhere VALUES (NEW.ssn); RETURN NEW; END",
]  # fmt: skip


@pytest.mark.parametrize("body", COPYING)
def test_a_write_whose_trigger_copies_a_masked_column_is_held(body: str) -> None:
    assert held(UPDATE, body)


HARMLESS = [
    "BEGIN NEW.city := now()::text; RETURN NEW; END",
    "BEGIN INSERT INTO logged VALUES (NEW.id, now()); RETURN NEW; END",
    "BEGIN INSERT INTO audit (id, what) VALUES (NEW.id, TG_OP); RETURN coalesce(NEW, OLD); END",
    "BEGIN NEW.email := lower(NEW.email); NEW.city := 'x'; RETURN NEW; END",
    "BEGIN IF NEW.email !~ '@' THEN RAISE EXCEPTION 'no address'; END IF; RETURN NEW; END",
    "BEGIN -- INSERT INTO audit VALUES (NEW.ssn)\n RETURN NEW; END",
    "BEGIN RETURN NULL; END",
]


@pytest.mark.parametrize("body", HARMLESS)
@pytest.mark.parametrize("sql", [UPDATE, "DELETE FROM customers WHERE id = 1", "INSERT INTO customers (id) VALUES (1)"])
def test_a_write_whose_trigger_copies_none_passes(sql: str, body: str) -> None:
    assert not held(sql, body)


@pytest.mark.parametrize("body", HARMLESS)
def test_a_trigger_that_copies_none_is_on_no_list(body: str) -> None:
    masks = mask_set(catalog=catalog(body), rules=RULES)
    assert [each.name for each in copies(masks.world) if each.kind != "same name"] == []
    masks = mask_set(catalog=catalog(COPIES), rules=RULES)
    assert [each.name for each in copies(masks.world) if each.kind != "same name"] == ["trigger tell"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("BEGIN INSERT INTO audit (id, what) VALUES (NEW.id, NEW.name); RETURN NEW; END", False),
        ("BEGIN INSERT INTO audit (id, what) VALUES (NEW.id, NEW.ssn); RETURN NEW; END", True),
        ("BEGIN INSERT INTO audit (id, what) VALUES (NEW.id, NEW.loud); RETURN NEW; END", True),  # generated from it
        ("BEGIN INSERT INTO audit (id, what) VALUES (NEW.id, NEW::text); RETURN NEW; END", True),
    ],
)
def test_of_what_an_insert_brings_a_trigger_takes_what_it_names(body: str, expected: bool) -> None:
    inserts = frozenset({"INSERT"})
    assert held("INSERT INTO customers (id, ssn) SELECT id, ssn FROM archive", body, events=inserts) is expected
    assert held("INSERT INTO customers SELECT id, 'n', 'c', ssn FROM archive", body, events=inserts) is expected
    assert held("INSERT INTO customers (id, ssn) SELECT * FROM unknown_one", body, events=inserts)


COPIES = "BEGIN INSERT INTO audit (what) VALUES (NEW.ssn); RETURN NEW; END"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM customers WHERE id = 1",
        "INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'x'",
        "MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN UPDATE SET name = 'x'",
        "INSERT INTO customers (id, ssn) SELECT id, ssn FROM customers",
        "INSERT INTO customers (id, ssn) SELECT id, ssn FROM archive",
        "UPDATE clean SET name = 'x' WHERE id = 1",
        "WITH u AS (UPDATE customers SET name = 'x' RETURNING id) SELECT * FROM u",
        "EXPLAIN ANALYZE UPDATE customers SET name = 'x'",
        "PREPARE p AS UPDATE customers SET name = $1",
        "UPDATE a_view_of_this_transaction SET name = 'x'",
    ],
)
def test_every_way_to_fire_it_is_held(sql: str) -> None:
    assert held(sql, COPIES)


@pytest.mark.parametrize(
    "sql", ["INSERT INTO customers (id, ssn) VALUES (1, $1)", "COPY customers FROM STDIN", "SELECT id FROM customers",
            "UPDATE orders SET note = 'x'"],
)  # fmt: skip
def test_what_the_client_itself_brings_may_be_copied(sql: str) -> None:
    assert not held(sql, COPIES)


def test_a_trigger_that_reads_a_masked_table_holds_copy_and_insert_too() -> None:
    body = "BEGIN INSERT INTO audit (what) SELECT ssn FROM archive; RETURN NEW; END"
    for sql in ("COPY orders FROM STDIN", "INSERT INTO orders (id) VALUES (1)"):
        assert held(sql, body, table="orders")


def test_a_trigger_of_a_child_fires_for_its_parent() -> None:
    body = "BEGIN INSERT INTO audit (what) VALUES (NEW.secret); RETURN NEW; END"
    assert held("UPDATE parent SET id = 1", body, table="child")


def test_transition_tables_and_unreadable_languages_show_all() -> None:
    assert held(UPDATE, "BEGIN INSERT INTO audit SELECT * FROM changed; RETURN NULL; END", transition=True)
    assert held(UPDATE, "symbol", language="c")


def test_a_copy_whose_columns_are_masked_is_none_that_matters() -> None:
    rules = (*RULES, MaskRule("audit.what", "redact"))
    assert not held(UPDATE, COPIES, rules=rules)
    assert held(UPDATE, "BEGIN INSERT INTO notes VALUES (1, to_jsonb(NEW)); RETURN NEW; END", rules=rules)


@pytest.mark.parametrize(
    "body",
    [
        "BEGIN INSERT INTO audit (what) VALUES (NEW.ssn); NEW.name := NEW.ssn; RETURN NEW; END",
        "BEGIN INSERT INTO audit (what) VALUES (NEW.ssn); SELECT NEW.ssn INTO NEW.name; RETURN NEW; END",
        "BEGIN INSERT INTO audit (what) VALUES (NEW.ssn); INSERT INTO elsewhere VALUES (NEW.ssn); RETURN NEW; END",
        "BEGIN WITH i AS (INSERT INTO audit (what) VALUES (NEW.ssn) RETURNING what) SELECT what INTO NEW.city FROM i;"
        " RETURN NEW; END",
    ],
)
def test_one_masked_copy_does_not_excuse_another(body: str) -> None:
    assert held(UPDATE, body, rules=(*RULES, MaskRule("audit.what", "redact")))


def test_the_copy_inherits_the_mask_if_people_let_the_write_run() -> None:
    moves = examine(UPDATE, mask_set(catalog=catalog(COPIES))).moves
    assert [(each.schema, each.relation) for each in moves] == [("public", "audit")]


def chained(second: str, events: frozenset[str] = EVERY) -> Catalog:
    """A trigger that copies into `audit`, which has one of its own."""
    found = catalog("BEGIN INSERT INTO audit (what) VALUES (OLD.ssn); RETURN NEW; END")
    audit = found.relations["public", "audit"]
    audit = evolve(audit, triggers=(CatalogTrigger("then", events, "public", "thens"),))
    found.relations["public", "audit"] = audit
    found.by_oid[audit.oid] = audit
    found.functions["public", "thens"] = (
        CatalogFunction("public", "thens", Volatility.VOLATILE, "plpgsql", returns="trigger", body=second),
    )
    return found


COVERED = (*RULES, MaskRule("*.audit.what", "redact"))


@pytest.mark.parametrize(
    ("second", "events", "expected"),
    [
        ("BEGIN INSERT INTO notes (body) VALUES (to_jsonb(NEW)); RETURN NEW; END", EVERY, True),
        ("BEGIN INSERT INTO notes (body) VALUES (to_jsonb(NEW.what)); RETURN NEW; END", frozenset({"INSERT"}), True),
        ("BEGIN INSERT INTO notes (body) VALUES (to_jsonb(NEW.what)); RETURN NEW; END", frozenset({"DELETE"}), False),
        ("BEGIN INSERT INTO logged VALUES (NEW.id, now()); RETURN NEW; END", EVERY, False),
        (
            "BEGIN INSERT INTO audit (what) VALUES (NEW.what); RETURN NEW; END",
            EVERY,
            False,
        ),  # itself, and it is covered
    ],
)
def test_triggers_of_what_a_trigger_writes_are_followed(second: str, events: frozenset[str], expected: bool) -> None:
    masks = mask_set(catalog=chained(second, events), rules=COVERED)
    assert any(finding.kind == "laundering" for finding in examine(UPDATE, masks).findings) is expected


def test_what_the_second_of_two_triggers_writes_inherits_the_mask_as_well() -> None:
    masks = mask_set(catalog=chained("BEGIN INSERT INTO notes (body) VALUES (to_jsonb(NEW.what)); RETURN NEW; END"))
    assert {move.relation for move in examine(UPDATE, masks).moves} == {"audit", "notes"}


def ruled(definition: str, event: str = "UPDATE", table: str = "customers") -> Catalog:
    found = catalog("BEGIN RETURN NULL; END", events=frozenset({"TRUNCATE"}))
    changed = evolve(
        found.relations["public", table],
        triggers=(CatalogTrigger("does", frozenset({event}), "", "", rule=f"CREATE RULE does AS\n    {definition}"),),
    )
    found.relations["public", table] = changed
    found.by_oid[changed.oid] = changed
    return found


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("ON UPDATE TO public.customers DO ALSO INSERT INTO audit (what) VALUES (old.ssn);", True),
        ("ON UPDATE TO public.customers DO ALSO INSERT INTO notes (body) VALUES (to_jsonb(old.*));", True),
        ("ON UPDATE TO public.customers DO ALSO  SELECT keeps(old.ssn);", True),
        ("ON UPDATE TO public.customers DO INSTEAD NOTHING;", False),
        ("ON UPDATE TO public.customers DO ALSO INSERT INTO logged (customer) VALUES (old.id);", False),
    ],
)
def test_a_rule_that_copies_holds_the_write_as_a_trigger_does(definition: str, expected: bool) -> None:
    masks = mask_set(catalog=ruled(definition))
    assert any(finding.kind == "laundering" for finding in examine(UPDATE, masks).findings) is expected
    copying = examine("COPY customers FROM STDIN", masks)
    assert not copying.findings, "COPY knows no rules"


@pytest.mark.parametrize(
    ("sql", "event", "definition"),
    [
        (
            "INSERT INTO orders (id) VALUES (1)",
            "INSERT",
            "ON INSERT TO public.orders DO INSTEAD SELECT ssn FROM customers;",
        ),
        (
            "UPDATE orders SET note = 'x' WHERE id = 1 RETURNING note",
            "UPDATE",
            "ON UPDATE TO public.orders DO INSTEAD DELETE FROM orders RETURNING id, (SELECT ssn FROM customers);",
        ),
    ],
)
def test_rows_that_a_rule_returns_are_masked(sql: str, event: str, definition: str) -> None:
    found = examine(sql, mask_set(catalog=ruled(definition, event, "orders")))
    assert found.touches
    assert [each.treatment for each in found.outputs()] == ["redact (derived)"]
