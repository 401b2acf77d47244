"""Writes on tables of MySQL whose triggers copy masked columns."""

from __future__ import annotations

import pytest
from attrs import evolve

from rules.catalog import Catalog, CatalogTrigger
from rules.masking.mysql.copies import copies
from rules.policy import MaskRule
from tests.rules.mysql_mask_catalog import MARIADB, RULES, examine, mask_set, relation, shop, stored, treatments

EVERY = frozenset({"INSERT", "UPDATE", "DELETE"})
UPDATE = "UPDATE customers SET name = 'x' WHERE id = 1"
COPIES = "INSERT INTO audit (what) VALUES (NEW.ssn)"
COVERED = (*RULES, MaskRule("audit.what", "redact"))


def with_trigger(found: Catalog, table: str, body: str, events: frozenset[str] = EVERY, name: str = "tell") -> None:
    schema, _, bare = table.rpartition(".")
    old = found.relations[schema or "shop", bare]
    new = evolve(old, triggers=(*old.triggers, CatalogTrigger(name, events, body=body)))
    found.relations[new.schema, new.name] = new
    found.by_oid[new.oid] = new


def catalog(body: str, *, events: frozenset[str] = EVERY, table: str = "customers") -> Catalog:
    found = shop()
    for name, columns in (
        ("audit", "id int, what, at datetime"),
        ("logged", "customer int, at datetime"),
        ("notes", "id int, body json"),
    ):
        made = relation(name, columns)
        found.relations["shop", name] = made
        found.by_oid[made.oid] = made
    for routine in (
        stored("keep_it", "INSERT INTO audit (what) VALUES (x)", kind="p", arguments=1),
        stored("trimmed", "RETURN TRIM(x)", arguments=1),
        stored("writes_orders", "BEGIN UPDATE orders SET note = 'x'; END", kind="p"),
        stored("writes_clean", "BEGIN UPDATE clean SET name = 'x'; END", kind="p"),
        stored("unread", None, arguments=1),
    ):
        found.functions[routine.schema, routine.name] = (routine,)
    with_trigger(found, table, body, events)
    return found


def held(sql: str, body: str, rules: tuple[MaskRule, ...] = RULES, **options: object) -> bool:
    masks = mask_set(catalog=catalog(body, **options), rules=rules)  # type: ignore[arg-type]
    return any(finding.kind == "laundering" for finding in examine(sql, masks).findings)


COPYING = [
    "INSERT INTO audit (what) VALUES (OLD.ssn)",
    "BEGIN INSERT INTO shop.audit SELECT NEW.id, UPPER(NEW.email), NOW(); END",
    "INSERT audit SET id = 1, what = `NEW`.`ssn`",
    'INSERT INTO audit SET what = NEW."ssn"',
    'INSERT INTO "audit" VALUES (1, NEW.ssn, NULL)',
    "REPLACE LOW_PRIORITY INTO `audit` (what) VALUES (NEW.loud)",
    "UPDATE audit SET what = OLD.ssn WHERE id = NEW.id",
    "UPDATE audit a JOIN logged l ON l.customer = a.id SET a.what = old.SSN",
    "INSERT INTO audit (id) VALUES (1) ON DUPLICATE KEY UPDATE what = NEW.ssn",
    "INSERT INTO notes (body) VALUES (JSON_OBJECT('a', NEW.ssn))",
    "INSERT INTO logged (customer) VALUES (OLD.salary)",
    "SET NEW.name = NEW.ssn",
    "SET NEW.city = 'a;', NEW.name = CONCAT('a;', NEW.ssn)",
    "BEGIN DECLARE v text DEFAULT OLD.ssn; SET NEW.name = v; END",
    "BEGIN DECLARE v text; SET v = OLD.ssn; SET NEW.name = v; END",
    "BEGIN IF NEW.ssn = '1' THEN SET NEW.city = 'y'; END IF; END",
    "SET @kept = OLD.ssn",
    "SET @a = 1, @kept = OLD.ssn",
    "BEGIN DECLARE n int; SELECT OLD.ssn INTO @kept; END",
    "SET NEW.name = (@kept := OLD.ssn)",
    "CALL keep_it(NEW.ssn)",
    "SET NEW.ssn = unread(NEW.ssn)",
    "DO GET_LOCK(NEW.ssn, 0)",
    "DO LAST_INSERT_ID(OLD.card)",
    "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = NEW.ssn",
    "SET NEW.city = (SELECT ssn FROM archive LIMIT 1)",
    "INSERT /* x */ INTO audit (what) SELECT c.ssn FROM customers c",
    "INSERT INTO elsewhere VALUES (NEW.ssn)",
    "BEGIN CREATE TEMPORARY TABLE IF NOT EXISTS audit_too AS SELECT NEW.ssn; END",
    "BEGIN :NEW.name := :NEW.ssn; END",
    r"INSERT INTO audit (what) VALUES (CONCAT('\', NEW.ssn, '\'))",
]  # fmt: skip


@pytest.mark.parametrize("body", COPYING)
def test_a_write_whose_trigger_copies_a_masked_column_is_held(body: str) -> None:
    assert held(UPDATE, body)


HARMLESS = [
    "SET NEW.city = NOW()",
    "INSERT INTO logged VALUES (NEW.id, NOW())",
    "INSERT INTO audit (id, what) VALUES (NEW.id, CURRENT_USER())",
    "INSERT INTO audit (id, what) VALUES (NEW.id, @who)",
    "SET NEW.email = LOWER(NEW.email), NEW.city = 'x'",
    "SET NEW.email = trimmed(NEW.email)",
    "BEGIN IF NEW.email NOT LIKE '%@%' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no address'; END IF; END",
    "BEGIN -- INSERT INTO audit VALUES (NEW.ssn)\n SET NEW.city = 'x'; END",
    "DELETE FROM logged WHERE customer = OLD.id",
    "BEGIN END",
]


@pytest.mark.parametrize("body", HARMLESS)
def test_a_trigger_that_copies_none_is_on_no_list(body: str) -> None:
    for events in (EVERY, frozenset({"INSERT"})):
        masks = mask_set(catalog=catalog(body, events=events), rules=RULES)
        assert [
            each.name for each in copies(masks.world) if each.of == "shop.customers" and "trigger" in each.kind
        ] == []


def test_a_trigger_of_inserts_that_copies_is_on_the_list() -> None:
    body = "INSERT INTO audit (what) VALUES (NEW.ssn)"
    masks = mask_set(catalog=catalog(body, events=frozenset({"INSERT"})), rules=RULES)
    (found,) = [each for each in copies(masks.world) if each.of == "shop.customers" and "trigger" in each.kind]
    assert found.columns == ("shop.customers.ssn",)


@pytest.mark.parametrize("body", HARMLESS)
@pytest.mark.parametrize("sql", [UPDATE, "DELETE FROM customers WHERE id = 1", "INSERT INTO customers (id) VALUES (1)"])
def test_a_write_whose_trigger_copies_none_passes(sql: str, body: str) -> None:
    assert not held(sql, body)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM customers WHERE id = 1",
        "DELETE c FROM customers c JOIN orders o ON o.customer_id = c.id",
        "UPDATE customers c JOIN orders o ON o.customer_id = c.id SET c.name = 'x'",
        "UPDATE orders o, customers c SET c.name = 'x' WHERE o.customer_id = c.id",
        "INSERT INTO customers (id) VALUES (1) ON DUPLICATE KEY UPDATE name = 'x'",
        "REPLACE INTO customers (id) VALUES (1)",
        "INSERT INTO customers (id, ssn) SELECT id, ssn FROM archive",
        "LOAD DATA LOCAL INFILE 'f' REPLACE INTO TABLE customers",
        "UPDATE clean SET name = 'x' WHERE id = 1",
        "UPDATE shop.customers SET name = 'x'",
        "PREPARE p FROM 'UPDATE customers SET name = ?'",
        "SET STATEMENT max_statement_time = 1 FOR UPDATE customers SET name = 'x'",
    ],
)
def test_every_way_to_fire_it_is_held(sql: str) -> None:
    assert held(sql, COPIES)


@pytest.mark.parametrize(
    "sql",
    ["INSERT INTO customers (id, ssn) VALUES (1, '1')", "LOAD DATA LOCAL INFILE 'f' INTO TABLE customers",
     "SELECT id FROM customers", "UPDATE orders SET note = 'x'", "CREATE TEMPORARY TABLE t AS SELECT 1"],
)  # fmt: skip
def test_what_the_client_itself_brings_may_be_copied(sql: str) -> None:
    assert not held(sql, COPIES)


def test_only_the_events_of_a_trigger_fire_it() -> None:
    assert not held(UPDATE, COPIES, events=frozenset({"DELETE"}))
    assert held("DELETE FROM customers", COPIES, events=frozenset({"DELETE"}))


def test_a_trigger_that_reads_a_masked_table_holds_every_write_that_fires_it() -> None:
    body = "INSERT INTO audit (what) SELECT ssn FROM archive"
    for sql in (
        "INSERT INTO orders (id) VALUES (1)",
        "LOAD DATA LOCAL INFILE 'f' INTO TABLE orders",
        "UPDATE orders SET note = (SELECT 1 FROM (SELECT 1) x WHERE no_such_function(1))",  # nobody can follow it
    ):
        assert held(sql, body, table="orders"), sql


def test_a_routine_that_fires_it_is_held_as_well() -> None:
    masks = mask_set(catalog=catalog("INSERT INTO audit (what) SELECT ssn FROM archive", table="orders"))
    assert [finding.kind for finding in examine("CALL writes_orders()", masks).findings] == ["source"]
    beneath = mask_set(catalog=catalog(COPIES, events=frozenset({"UPDATE"})))
    assert [finding.kind for finding in examine("CALL writes_clean()", beneath).findings] == ["source"]
    without = mask_set(catalog=catalog("SET NEW.note = UPPER(NEW.note)", table="orders"))
    assert not examine("CALL writes_orders()", without).findings


def test_a_copy_whose_columns_are_masked_is_none_that_matters() -> None:
    assert not held(UPDATE, COPIES, rules=COVERED)
    assert not held(UPDATE, "INSERT INTO audit (id, what) VALUES (NEW.id, NEW.ssn)", rules=COVERED)
    assert held(UPDATE, "INSERT INTO notes VALUES (1, JSON_OBJECT('a', NEW.ssn))", rules=COVERED)
    assert held(UPDATE, "INSERT INTO audit VALUES (NEW.salary, NEW.ssn, NULL)", rules=COVERED), "a number in id"


@pytest.mark.parametrize(
    "body",
    [
        f"BEGIN {COPIES}; SET NEW.name = NEW.ssn; END",
        f"BEGIN {COPIES}; SELECT NEW.ssn INTO @x; END",
        f"BEGIN {COPIES}; INSERT INTO elsewhere VALUES (NEW.ssn); END",
        f"BEGIN {COPIES}; CALL keep_it(NEW.ssn); END",
    ],
)
def test_one_masked_copy_does_not_excuse_another(body: str) -> None:
    assert held(UPDATE, body, rules=COVERED)


def test_the_column_that_it_writes_inherits_the_mask_if_people_let_the_write_run() -> None:
    moves = examine(UPDATE, mask_set(catalog=catalog(COPIES))).moves
    assert [(each.schema, each.relation, each.column) for each in moves] == [("shop", "audit", "what")]


def test_a_column_that_it_sets_in_its_own_row_inherits_the_mask_and_is_not_returned() -> None:
    masks = mask_set(catalog=catalog("BEGIN SET NEW.note = (SELECT MAX(ssn) FROM archive); END", table="orders"))
    assert [(each.relation, each.column) for each in examine("UPDATE orders SET id = 1", masks).moves] == [
        ("orders", "note")
    ]
    returning = "INSERT INTO orders (id) VALUES (1) RETURNING id, note"
    assert all(each.treatment == "redact (derived)" for each in examine(returning, masks, MARIADB).outputs())
    masks = mask_set(catalog=catalog("SET NEW.note = UPPER(NEW.note)", table="orders"))
    assert treatments(returning, masks, MARIADB) == "- -"


@pytest.mark.parametrize(
    ("second", "events", "expected"),
    [
        ("INSERT INTO notes (body) VALUES (JSON_QUOTE(NEW.what))", EVERY, True),
        ("INSERT INTO notes (body) VALUES (JSON_QUOTE(NEW.what))", frozenset({"INSERT"}), True),
        ("INSERT INTO notes (body) VALUES (JSON_QUOTE(OLD.what))", frozenset({"DELETE"}), False),
        ("INSERT INTO logged VALUES (NEW.id, NOW())", EVERY, False),
    ],
)
@pytest.mark.parametrize("rules", [RULES, COVERED], ids=["bare", "covered"])
def test_triggers_of_what_a_trigger_writes_are_followed(
    rules: tuple[MaskRule, ...], second: str, events: frozenset[str], expected: bool
) -> None:
    found = catalog("INSERT INTO audit (what) VALUES (OLD.ssn)")
    with_trigger(found, "audit", second, events)
    moved = {move.relation for move in examine(UPDATE, mask_set(catalog=found, rules=rules)).moves}
    assert ("notes" in moved) is expected
    assert ("audit" in moved) is (rules is RULES)


def test_a_temporary_table_in_the_place_of_one_with_triggers_is_taken_for_it() -> None:
    """The catalog says what is there where it is not."""
    masks = mask_set(catalog=catalog(COPIES))
    text = "CREATE TEMPORARY TABLE customers (id int); UPDATE customers SET id = 1"
    assert any("trigger" in finding.reason for finding in examine(text, masks).findings)
