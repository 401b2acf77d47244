"""Columns that are shown for a time, and columns that hold what was written from masked ones."""

from __future__ import annotations

from rules.masking import MaskSet, Move, compile_masks
from rules.masking.inheriting import EVERY_COLUMN
from rules.masking.values import Mark, Origin
from rules.model import Identity
from rules.policy import MaskRule, Policy
from tests.rules.mask_catalog import CATALOG, RULES, examine, treatments

SSN = Origin("public", "customers", "ssn", Mark("redact"))
EMAIL = Origin("public", "customers", "email", Mark("email"))
GONE = Origin("public", "dropped", "ssn", Mark("hash"))


def masks(*moves: Move, unmasked: tuple[str, ...] = (), rules: tuple[MaskRule, ...] = RULES) -> MaskSet:
    found = compile_masks(rules, "shop", Identity("agent"), CATALOG, Policy("test", ()), b"k" * 32, moves, unmasked)
    assert found is not None
    return found


def test_an_unmasked_column_is_shown_and_no_other() -> None:
    shown = masks(unmasked=("public.customers.ssn",))
    assert treatments("SELECT ssn, email FROM customers", shown) == ["-", "email"]
    assert treatments("SELECT number FROM v", shown) == ["-"]
    assert treatments("SELECT ssn FROM archive", shown) == ["redact"]


def test_an_unmasked_parent_shows_its_children() -> None:
    assert treatments("SELECT secret FROM parent", masks(unmasked=("public.parent.secret",))) == ["-"]


def test_samples_of_the_server_stay_masked_for_whoever_sees_everything() -> None:
    shown = masks(unmasked=("*.*.*",))
    assert treatments("SELECT ssn, email, card FROM customers", shown) == ["-", "-", "-"]


def test_a_copy_has_the_mark_of_its_source() -> None:
    note = Move("public", "orders", "note", (EMAIL,), plain=True)
    assert treatments("SELECT id, note FROM orders", masks(note)) == ["-", "email"]
    assert treatments("SELECT note || '!' FROM orders", masks(note)) == ["?"]


def test_a_copy_of_several_is_redacted_and_a_copy_of_a_copy_is_reached() -> None:
    first = Move("public", "orders", "note", (EMAIL, SSN))
    second = Move("public", "customers", "city", (Origin("public", "orders", "note", Mark("redact")),), plain=True)
    assert treatments("SELECT note FROM orders", masks(second, first)) == ["redact"]
    assert treatments("SELECT city FROM customers", masks(second, first)) == ["redact"]


def test_whoever_sees_the_source_sees_the_copy() -> None:
    note = Move("public", "orders", "note", (EMAIL,), plain=True)
    assert treatments("SELECT note FROM orders", masks(note, unmasked=("public.customers.email",))) == ["-"]
    assert treatments("SELECT note FROM orders", masks(note, unmasked=("public.orders.note",))) == ["-"]


def test_a_source_that_is_gone_masks_as_it_did() -> None:
    note = Move("public", "orders", "note", (GONE,), plain=True)
    assert treatments("SELECT note FROM orders", masks(note)) == ["hash"]
    unknown = Move("public", "orders", EVERY_COLUMN, ())
    assert set(treatments("SELECT id, note FROM orders", masks(unknown))) == {"redact"}


def test_statements_say_what_they_write_where() -> None:
    def moves(sql: str) -> list[tuple[str | None, str, str]]:
        return [(each.schema, each.relation, each.column) for each in examine(sql).moves]

    assert moves("CREATE TABLE t (a, b) AS SELECT id, ssn FROM customers") == [(None, "t", "b")]
    assert moves("SELECT id, ssn INTO app.t FROM customers") == [("app", "t", "ssn")]
    assert moves("CREATE TEMP TABLE t AS SELECT ssn || '!' AS s FROM customers") == [("pg_temp", "t", "s")]
    assert moves("INSERT INTO orders (id, note) SELECT id, ssn FROM customers") == [("public", "orders", "note")]
    assert moves("UPDATE orders SET note = (SELECT ssn FROM customers)") == [("public", "orders", "note")]
    assert moves("ALTER TABLE customers RENAME COLUMN ssn TO n") == [("public", "customers", "n")]
    assert ("public", "people", "ssn") in moves("ALTER TABLE customers RENAME TO people")
    assert ("app", "customers", "ssn") in moves("ALTER TABLE customers SET SCHEMA app")
    assert moves("CREATE TABLE t AS EXECUTE p") == [(None, "t", EVERY_COLUMN)]
    assert moves("CREATE VIEW w AS SELECT ssn FROM customers") == []
    assert moves("INSERT INTO orders (id, note) SELECT id, name FROM customers") == []
