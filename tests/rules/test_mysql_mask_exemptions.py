"""What is unmasked for a time, and what inherits a mask because masked values were written into it, in MySQL."""

from __future__ import annotations

import pytest

from rules.catalog import Catalog
from rules.masking.inheriting import EVERY_COLUMN, Move
from rules.masking.mysql.mask_set import MySqlMaskSet, compile_mysql_masks
from rules.masking.values import Mark, Origin
from rules.model import Identity
from rules.policy import MaskRule, Policy
from tests.rules.mysql_mask_catalog import CATALOG, RULES, examine, relation, shop, treatments

SSN = Origin("shop", "customers", "ssn", Mark("redact"))
EMAIL = Origin("shop", "customers", "email", Mark("email"))


def masks(
    *moves: Move, unmasked: tuple[str, ...] = (), rules: tuple[MaskRule, ...] = RULES, catalog: Catalog = CATALOG
) -> MySqlMaskSet:
    found = compile_mysql_masks(rules, "shop", Identity("agent"), catalog, Policy("t", ()), b"k" * 32, moves, unmasked)
    assert found is not None
    return found


def test_an_unmasked_column_is_shown_and_no_other() -> None:
    shown = masks(unmasked=("SHOP.customers.SSN",))
    assert treatments("SELECT ssn, email FROM customers", shown) == "- email"
    assert treatments("SELECT number FROM v", shown) == "-"
    assert treatments("SELECT ssn FROM archive", shown) == "redact"


MOVES = [
    ("CREATE TABLE t (a int, b text) AS SELECT id AS a, ssn AS b FROM customers", ["shop.t.b"]),
    ("CREATE TABLE other.t SELECT ssn, upper(email) AS u FROM customers", ["other.t.ssn", "other.t.u"]),
    ("CREATE TABLE t SELECT id, upper(ssn) FROM customers", ["shop.t.*"]),
    ("CREATE TABLE t SELECT id, name FROM customers", []),
    ("CREATE VIEW w AS SELECT ssn FROM customers", []),
    ("CREATE TEMPORARY TABLE t AS SELECT ssn FROM customers", []),
    ("INSERT INTO orders (id, note) SELECT id, ssn FROM customers", ["shop.orders.note"]),
    ("REPLACE INTO shop.orders (id, note) SELECT id, ssn FROM customers", ["shop.orders.note"]),
    ("INSERT INTO orders SELECT id, salary, ssn FROM customers", ["shop.orders.customer_id", "shop.orders.note"]),
    ("INSERT INTO orders (id, note) SELECT id, name FROM customers", []),
    ("INSERT INTO clean (id, name) SELECT id, ssn FROM customers", ["shop.customers.name"]),
    (
        "INSERT INTO orders (id) SELECT id FROM customers c ON DUPLICATE KEY UPDATE note = c.ssn",
        ["shop.orders.note"],
    ),
    ("UPDATE orders SET note = (SELECT ssn FROM customers LIMIT 1)", ["shop.orders.note"]),
    ("UPDATE orders o JOIN customers c ON c.id = o.id SET o.note = c.ssn, c.name = 'x'", ["shop.orders.note"]),
    ("UPDATE customers SET name = ssn", ["shop.customers.name"]),
    ("ALTER TABLE customers RENAME COLUMN ssn TO n", ["shop.customers.n"]),
    ("ALTER TABLE customers RENAME COLUMN `ssn` TO `n`, RENAME COLUMN city TO town", ["shop.customers.n"]),
    ("ALTER TABLE customers CHANGE COLUMN ssn `n` varchar(20)", ["shop.customers.n"]),
    ("ALTER TABLE customers CHANGE ssn n varchar(20)", ["shop.customers.n"]),
    ("ALTER TABLE customers CHANGE city town varchar(20)", []),
    ("CREATE TABLE empty LIKE customers", []),
]


@pytest.mark.parametrize(("sql", "expected"), MOVES)
def test_what_a_statement_writes_into(sql: str, expected: list[str]) -> None:
    found = examine(sql)
    assert [f"{each.schema}.{each.relation}.{each.column}" for each in found.moves] == expected
    assert bool(found.findings) or not expected


@pytest.mark.parametrize(
    "sql",
    [
        "RENAME TABLE customers TO people",
        "RENAME TABLE customers WAIT 3 TO x, x TO people",
        "RENAME TABLE orders TO o, shop.customers TO `people`",
        "ALTER TABLE customers RENAME TO people",
        "ALTER TABLE customers RENAME people",
        "ALTER TABLE customers RENAME AS shop.people",
        "ALTER TABLE customers EXCHANGE PARTITION p WITH TABLE people",
        "ALTER TABLE customers CONVERT PARTITION p TO TABLE people",
        "ALTER TABLE people CONVERT TABLE customers TO PARTITION p VALUES LESS THAN (10)",
    ],
)
def test_a_renamed_table_takes_its_masks_along(sql: str) -> None:
    moves = {(each.schema, each.relation, each.column): each for each in examine(sql).moves}
    assert {("shop", "people", name) for name in ("ssn", "email", "salary", "card", "born", "loud")} <= moves.keys()
    assert moves["shop", "people", "ssn"].plain


def test_a_table_that_takes_the_name_of_a_masked_one_is_not_the_source() -> None:
    moves = examine("RENAME TABLE customers TO x, orders TO customers, x TO orders").moves
    into = {(each.relation, each.column) for each in moves}
    assert ("orders", "ssn") in into
    assert ("customers", "note") not in into


def test_a_copy_has_the_mask_of_its_source() -> None:
    found = masks(Move("shop", "ORDERS", "Note", (EMAIL,), plain=True))
    assert treatments("SELECT id, note FROM orders", found) == "- email"
    assert treatments("SELECT upper(note) FROM orders", found) == "?"


def test_what_was_computed_or_mixed_is_redacted() -> None:
    assert treatments("SELECT note FROM orders", masks(Move("shop", "orders", "note", (EMAIL,)))) == "redact"
    mixed = masks(
        Move("shop", "orders", "note", (EMAIL,), plain=True), Move("shop", "orders", "note", (SSN,), plain=True)
    )
    assert treatments("SELECT note FROM orders", mixed) == "redact"


def test_a_copy_of_a_copy_is_masked_and_so_is_all_of_a_table_whose_columns_have_no_names() -> None:
    copied = masks(
        Move("shop", "clean", "name", (Origin("shop", "orders", "note", Mark("redact")),), plain=True),
        Move("shop", "orders", "note", (SSN,), plain=True),
    )
    assert treatments("SELECT name FROM clean", copied) == "redact"
    assert (
        treatments("SELECT * FROM orders", masks(Move("shop", "orders", EVERY_COLUMN, (SSN,))))
        == "redact redact redact"
    )


def test_a_source_that_is_gone_masks_with_what_it_had() -> None:
    gone = Origin("shop", "dropped", "ssn", Mark("email"))
    assert treatments("SELECT note FROM orders", masks(Move("shop", "orders", "note", (gone,), plain=True))) == "email"


def test_who_may_see_the_source_may_see_the_copy() -> None:
    moved = Move("shop", "orders", "note", (SSN,), plain=True)
    assert treatments("SELECT note FROM orders", masks(moved, unmasked=("shop.customers.ssn",))) == "-"
    assert (
        treatments("SELECT note, ssn FROM orders, customers", masks(moved, unmasked=("shop.orders.note",)))
        == "- redact"
    )


def test_a_copy_is_masked_where_it_goes_next() -> None:
    found = masks(Move("shop", "orders", "note", (SSN,), plain=True))
    again = examine("INSERT INTO clean SELECT id, note FROM orders", found)
    assert [(each.relation, each.column) for each in again.moves] == [("customers", "name")]


def test_the_names_of_tables_that_differ_in_case_alone_are_both_marked() -> None:
    catalog = shop()
    other = relation("Orders", "id int, note")
    catalog.relations[other.schema, other.name] = other
    found = masks(Move("shop", "orders", "note", (SSN,), plain=True), catalog=catalog)
    assert treatments("SELECT note FROM Orders", found) == "redact"
