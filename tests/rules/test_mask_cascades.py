"""Writes that reach the triggers of other tables: by foreign keys, by what triggers write, by rows that change partition."""

from __future__ import annotations

import pytest
from attrs import evolve, frozen

from rules.catalog import Catalog, CatalogFunction, CatalogReference, CatalogRelation, CatalogTrigger
from rules.model import Volatility
from tests.rules.mask_catalog import examine, mask_set, relation, shop

COPIES = "BEGIN INSERT INTO copied (what) VALUES (OLD.secret); RETURN coalesce(NEW, OLD); END"
NEW_ONES = "BEGIN INSERT INTO copied (what) VALUES (NEW.secret); RETURN NEW; END"
EMPTIED = "BEGIN INSERT INTO copied (what) SELECT secret FROM badges; RETURN NULL; END"


@frozen
class Key:
    """A foreign key of `child` to `parent`, of one column each."""

    child: str
    parent: str
    on_delete: str | None = None
    on_update: str | None = None
    column: str = "id"


def catalog(
    keys: list[Key], triggers: dict[str, tuple[str, set[str]]], changed: dict[str, object] | None = None
) -> Catalog:
    """`triggers`: of a table, its function's body and its events."""
    found = shop()
    for name, columns in (
        ("people", "id int, name, doubled int = id * 2"), ("badges", "id int, owner int, secret"),
        ("scans", "id int, badge int, secret"), ("copied", "what"), ("notes", "id int"),
    ):  # fmt: skip
        put(found, relation(name, columns))
    root = relation("days", "id int, at date, secret", kind="p")
    put(found, evolve(root, partition_key=("at",)))
    put(found, relation("days_1", "id int, at date, secret", parents=(root.oid,)))
    put(found, relation("days_2", "id int, at date, secret", parents=(root.oid,)))
    put(found, relation("over_people", "who int", kind="v", definition="SELECT id AS who FROM public.people"))
    for key in keys:
        parent = found.relations["public", key.parent]
        child = found.relations["public", key.child]
        reference = CatalogReference(child.oid, (key.column,), (child.columns[1].name,), key.on_delete, key.on_update)
        put(found, evolve(parent, references=(*parent.references, reference)))
    for table, (body, events) in triggers.items():
        made = CatalogTrigger(f"of_{table}", frozenset(events), "public", f"does_{table}")
        put(found, evolve(found.relations["public", table], triggers=(made,)))
        found.functions["public", f"does_{table}"] = (
            CatalogFunction("public", f"does_{table}", Volatility.VOLATILE, "plpgsql", returns="trigger", body=body),
        )
    for table, attributes in (changed or {}).items():
        put(found, evolve(found.relations["public", table], **attributes))  # type: ignore[arg-type]
    return found


def put(into: Catalog, found: CatalogRelation) -> None:
    into.relations[found.schema, found.name] = into.by_oid[found.oid] = found


def held(sql: str, made: Catalog) -> bool:
    return any(finding.kind == "laundering" for finding in examine(sql, mask_set(catalog=made)).findings)


ON_DELETE = {"badges": (COPIES, {"DELETE"})}
ON_UPDATE = {"badges": (COPIES, {"UPDATE"})}


@pytest.mark.parametrize(
    ("key", "triggers", "sql", "expected"),
    [
        (Key("badges", "people", "DELETE"), ON_DELETE, "DELETE FROM people WHERE id = 1", True),
        (Key("badges", "people", "DELETE"), ON_DELETE, "DELETE FROM ONLY public.people", True),
        (Key("badges", "people", "DELETE"), ON_DELETE, "DELETE FROM over_people", True),
        (Key("badges", "people", "DELETE"), ON_DELETE, "WITH d AS (DELETE FROM people RETURNING id) SELECT id FROM d", True),
        (
            Key("badges", "people", "DELETE"), ON_DELETE,
            "MERGE INTO people p USING notes n ON p.id = n.id WHEN MATCHED THEN DELETE", True,
        ),
        (
            Key("badges", "people", "DELETE"), ON_DELETE,
            "MERGE INTO people p USING notes n ON p.id = n.id WHEN MATCHED THEN UPDATE SET id = 3", False,
        ),
        (Key("badges", "people", None), ON_DELETE, "DELETE FROM people", False),
        (Key("badges", "people", "DELETE"), ON_DELETE, "UPDATE people SET id = 2", False),
        (Key("badges", "people", "DELETE"), ON_DELETE, "INSERT INTO people (id) VALUES (3)", False),
        (Key("badges", "people", "DELETE"), ON_UPDATE, "DELETE FROM people", False),
        (Key("badges", "people", "UPDATE"), ON_UPDATE, "DELETE FROM people", True),  # SET NULL
        (Key("badges", "people", None, "UPDATE"), ON_UPDATE, "UPDATE people SET id = 2", True),
        (Key("badges", "people", None, "UPDATE"), ON_UPDATE, "UPDATE people SET (name, id) = ROW('x', 2)", True),
        (Key("badges", "people", None, "UPDATE"), ON_UPDATE, "UPDATE people SET name = 'x'", False),
        (Key("badges", "people", None, "UPDATE"), ON_UPDATE, "UPDATE over_people SET who = 2", True),
        (Key("badges", "people", None, "UPDATE", "doubled"), ON_UPDATE, "UPDATE people SET name = 'x'", True),
        (
            Key("badges", "people", None, "UPDATE"), ON_UPDATE,
            "INSERT INTO people (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 9", True,
        ),
        (
            Key("badges", "people", None, "UPDATE"), ON_UPDATE,
            "INSERT INTO people (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'x'", False,
        ),
        (
            Key("badges", "people", None, "UPDATE"), ON_UPDATE,
            "MERGE INTO people p USING notes n ON p.id = n.id WHEN MATCHED THEN UPDATE SET id = 3", True,
        ),
    ],
)  # fmt: skip
def test_what_a_foreign_key_does_fires_the_triggers_of_the_table_that_has_it(
    key: Key, triggers: dict[str, tuple[str, set[str]]], sql: str, expected: bool
) -> None:
    assert held(sql, catalog([key], triggers)) is expected


def test_keys_are_followed_from_table_to_table() -> None:
    keys = [Key("badges", "people", "DELETE"), Key("scans", "badges", "UPDATE")]
    made = catalog(keys, {"scans": (COPIES, {"UPDATE"})})
    assert held("DELETE FROM people", made)
    assert not held("UPDATE people SET id = 2", made)


def test_a_key_that_the_first_one_does_not_change_stands_still() -> None:
    chain = [Key("badges", "people", None, "UPDATE"), Key("scans", "badges", None, "UPDATE", "owner")]
    assert held("UPDATE people SET id = 2", catalog(chain, {"scans": (COPIES, {"UPDATE"})}))
    other = [Key("badges", "people", None, "UPDATE"), Key("scans", "badges", None, "UPDATE", "id")]
    assert not held("UPDATE people SET id = 2", catalog(other, {"scans": (COPIES, {"UPDATE"})}))


def test_tables_that_refer_to_each_other_end() -> None:
    keys = [Key("badges", "people", "DELETE", "UPDATE"), Key("people", "badges", "DELETE", "UPDATE", "owner")]
    assert not held("DELETE FROM people", catalog(keys, {}))


def test_a_trigger_may_change_the_key_though_the_statement_does_not() -> None:
    key = [Key("badges", "people", None, "UPDATE")]
    for body, expected in (
        ("BEGIN NEW.id := 7; RETURN NEW; END", True),
        ('BEGIN new . "id" = 7; RETURN NEW; END', True),
        ("BEGIN SELECT 7 INTO NEW.id; RETURN NEW; END", True),
        ("BEGIN NEW := ROW(1, 'x'); RETURN NEW; END", True),
        ("BEGIN NEW.name := 'y'; RETURN NEW; END", False),
    ):
        made = catalog(key, {**ON_UPDATE, "people": (body, {"UPDATE"})})
        assert held("UPDATE people SET name = 'x'", made) is expected, body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("BEGIN -- DELETE FROM people;\n RETURN NEW; END", False),
        ("BEGIN /* DELETE FROM people; */ RETURN NEW; END", False),
        ("BEGIN PERFORM '--'; DELETE FROM people; RETURN NEW; END", True),
        ("BEGIN PERFORM E'\\'--'; DELETE FROM people; RETURN NEW; END", True),
        ("BEGIN PERFORM $q$'$q$, '--'; DELETE FROM people; RETURN NEW; END", True),
        ("BEGIN PERFORM $$ /* $$; DELETE FROM people; PERFORM '*/'; RETURN NEW; END", True),
        ('BEGIN PERFORM "a--b"; DELETE FROM people; RETURN NEW; END', True),
    ],
)
def test_what_is_quoted_is_no_comment(body: str, expected: bool) -> None:
    made = catalog([Key("badges", "people", "DELETE")], {**ON_DELETE, "notes": (body, {"INSERT"})})
    assert held("INSERT INTO notes (id) VALUES (1)", made) is expected


def test_a_rule_of_the_child_counts_as_its_triggers_do() -> None:
    rule = CatalogTrigger(
        "keeps", frozenset({"DELETE"}), "", "",
        rule="CREATE RULE keeps AS\n    ON DELETE TO public.badges DO ALSO INSERT INTO copied (what) VALUES (old.secret);",
    )  # fmt: skip
    made = catalog([Key("badges", "people", "DELETE")], {}, {"badges": {"triggers": (rule,)}})
    assert held("DELETE FROM people", made)


def test_partitions_of_the_child_count_and_children_by_inheritance_do_too() -> None:
    made = catalog([Key("days", "people", "DELETE")], {"days_2": (COPIES, {"DELETE"})})
    assert held("DELETE FROM people", made)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("TRUNCATE people CASCADE", True),
        ("TRUNCATE TABLE notes, ONLY public.people RESTART IDENTITY CASCADE", True),
        ("TRUNCATE people", False),  # the server refuses it
        ("TRUNCATE badges", True),
        ("TRUNCATE notes CASCADE", False),
        ("DELETE FROM people", False),
    ],
)
def test_truncate_fires_triggers_and_cascades_to_whatever_refers_to_the_table(sql: str, expected: bool) -> None:
    assert held(sql, catalog([Key("badges", "people")], {"badges": (EMPTIED, {"TRUNCATE"})})) is expected


def test_a_table_that_the_catalog_does_not_know_may_be_any() -> None:
    made = catalog([Key("badges", "people", "DELETE")], ON_DELETE)
    assert held("DELETE FROM made_in_this_transaction", made)
    assert held("TRUNCATE made_in_this_transaction", catalog([], {"badges": (EMPTIED, {"TRUNCATE"})}))


@pytest.mark.parametrize(
    "body",
    [
        "BEGIN DELETE FROM people WHERE id = NEW.id; RETURN NEW; END",
        'BEGIN delete from only public . "people"; RETURN NEW; END',
        "BEGIN TRUNCATE TABLE people CASCADE; RETURN NEW; END",
        "BEGIN UPDATE people SET name = 'x' WHERE id = NEW.id; RETURN NEW; END",
        "BEGIN PERFORM clears(NEW.id); RETURN NEW; END",
    ],
)
def test_what_a_trigger_writes_is_followed_though_it_carries_nothing_masked(body: str) -> None:
    keys = [Key("badges", "people", "DELETE", "UPDATE")]
    made = catalog(keys, {"badges": (COPIES, {"DELETE", "UPDATE"}), "notes": (body, {"INSERT"})})
    made.functions["public", "clears"] = (
        CatalogFunction("public", "clears", Volatility.VOLATILE, "sql", body="DELETE FROM people WHERE id = $1"),
    )
    if "TRUNCATE" in body:
        made = catalog(keys, {"badges": (EMPTIED, {"TRUNCATE"}), "notes": (body, {"INSERT"})})
    assert held("INSERT INTO notes (id) VALUES (1)", made)
    assert held("COPY notes FROM STDIN", made)
    assert not held("INSERT INTO people (id) VALUES (1)", made)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE days SET at = '2024-01-01'", True),
        ("UPDATE days SET id = 3", False),
        ("UPDATE days_1 SET at = '2024-01-01'", False),  # the server refuses what does not stay in it
    ],
)
@pytest.mark.parametrize(("body", "event"), [(COPIES, "DELETE"), (NEW_ONES, "INSERT")])
def test_a_row_that_changes_partition_is_deleted_and_inserted(sql: str, expected: bool, body: str, event: str) -> None:
    assert held(sql, catalog([], {"days_2": (body, {event})})) is expected


def test_a_partition_key_that_is_not_known_may_be_any_column() -> None:
    made = catalog([], {"days_2": (NEW_ONES, {"INSERT"})}, {"days": {"partition_key": None}})
    assert held("UPDATE days SET id = 3", made)


ROUTINES = {
    "evicts": "DELETE FROM people WHERE id = $1 RETURNING 1",
    "asks": "SELECT evicts(1)",
    "copies": "INSERT /* x */ INTO copied SELECT secret FROM badges RETURNING 1",
    "files": "INSERT INTO notes (id) SELECT id FROM people RETURNING 1",
    "reads": "SELECT 1",
}  # fmt: skip


def with_routines() -> Catalog:
    made = catalog([Key("badges", "people", "DELETE")], ON_DELETE)
    for name, body in ROUTINES.items():
        made.functions["public", name] = (CatalogFunction("public", name, Volatility.STABLE, "sql", body=body),)
    made.conversions["casting"] = ("public.asks(VALUE)",)
    put(made, evolve(relation("computing", "id int"), computed="(public.asks() > 0)"))
    made.operators["#~#"] = (("public", "asks"),)
    put(made, relation("evictions", "done int", kind="v", definition="SELECT public.evicts(1) AS done"))
    put(made, relation("over", "done int", kind="v", definition="SELECT evictions.done FROM public.evictions"))
    return made


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT evicts(1)", True),
        ("SELECT asks()", True),
        ("SELECT n.asks FROM notes n", True),
        ("SELECT #~# 1", True),
        ("SELECT * FROM public.evicts(1)", True),
        ("SELECT id FROM notes WHERE id = (SELECT evicts(2))", True),
        ("TABLE over", True),
        ("CALL evicts(1)", True),
        ("INSERT INTO notes (id) VALUES (asks())", True),
        ("SELECT copies()", True),
        ("SELECT files()", False),
        ("SELECT reads()", False),
        ("SELECT id FROM notes", False),
        ("DO 'BEGIN DELETE FROM people; END'", True),
        ("DO 'BEGIN PERFORM asks(); END'", True),
        ("DO 'BEGIN PERFORM ''--''; DELETE FROM people; END'", True),
        ("DO 'BEGIN DELETE/**/FROM ONLY (people); END'", True),
        ("DO 'BEGIN DELETE FROM\"people\"; END'", True),
        ("SELECT 1::casting", True),
        ("SELECT CAST(id AS public.casting) FROM notes", True),
        ("SELECT 1::int", False),
        ("INSERT INTO computing (id) VALUES (1)", True),
        ("UPDATE computing SET id = 1", True),
        ("SELECT id FROM computing", False),
        ("DO 'BEGIN INSERT INTO notes VALUES (1); END'", False),
        ("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM people'", True),
        ("CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM people; END", True),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", False),
        ("CREATE RULE r AS ON INSERT TO notes DO ALSO DELETE FROM people", True),
        ("CREATE RULE r AS ON INSERT TO notes DO ALSO DELETE FROM copied", False),
        ("CREATE TRIGGER t AFTER INSERT ON notes EXECUTE FUNCTION asks()", True),
        ("ALTER TABLE people ADD COLUMN more int", True),
        ("ALTER TABLE notes ADD COLUMN more int", False),
        ("ALTER TABLE notes ENABLE TRIGGER u", True),
    ],
)
def test_routines_that_write_and_definitions_that_let_something_be_written_are_followed(
    sql: str, expected: bool
) -> None:
    assert held(sql, with_routines()) is expected
