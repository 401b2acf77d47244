"""What foreign tables of postgres_fdw stand for is masked there too: of the same database by its catalog, of others by names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
import pytest
import trio
from psycopg import sql

from rules.catalog import Catalog, CatalogForeign
from rules.classify.postgres import classify
from rules.config import pack
from rules.judge import Judge
from rules.masking import MaskSet, compile_masks
from rules.masking.exchange import ParameterSite
from rules.model import Allow, Dialect, Effect, Identity, Kind, Namespace, Statement
from rules.policy import MaskRule, Policy
from tests.support.servers import Server
from wireproxy.catalog import load_postgres
from wireproxy.config.model import Database

pytestmark = pytest.mark.integration
HERE, THERE = "masking_foreign", "masking_foreign_there"
SCHEMA = """
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION dblink;
CREATE EXTENSION file_fdw;
CREATE SCHEMA "Odd ""One";
CREATE TABLE people (id int PRIMARY KEY, name text, ssn text, card bigint, born date);
CREATE TABLE "Odd ""One"."Peo ple" (id int, "S""SN" text);
CREATE TABLE orders (id int, note text);
CREATE TABLE copied (what text);
CREATE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO copied VALUES (OLD.ssn); RETURN NEW; END';
CREATE TRIGGER keeps BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION keeps();
CREATE VIEW seen AS SELECT id, ssn AS number FROM people;
CREATE FOREIGN DATA WRAPPER "my own" HANDLER postgres_fdw_handler VALIDATOR postgres_fdw_validator;
CREATE SERVER back FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'elsewhere.example', port '6432', dbname 'masking_foreign');
CREATE SERVER unsaid FOREIGN DATA WRAPPER "my own";
CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname 'masking_foreign_there');
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE f_people (no int OPTIONS (column_name 'id'), word text OPTIONS (column_name 'ssn'), name text,
    card text, born date) SERVER back OPTIONS (schema_name 'public', table_name 'people');
CREATE FOREIGN TABLE f_odd (id int, x text OPTIONS (column_name 'S"SN')) SERVER unsaid
    OPTIONS (schema_name 'Odd "One', table_name 'Peo ple');
CREATE FOREIGN TABLE f_seen (id int, number text) SERVER back OPTIONS (table_name 'seen');
CREATE FOREIGN TABLE f_f (w text OPTIONS (column_name 'word')) SERVER back OPTIONS (table_name 'f_people');
CREATE FOREIGN TABLE f_orders (id int, note text) SERVER back OPTIONS (table_name 'orders');
CREATE FOREIGN TABLE f_lost (ssn text, note text) SERVER back OPTIONS (table_name 'not_here');
CREATE FOREIGN TABLE f_wrong (x text OPTIONS (column_name 'not_there')) SERVER back OPTIONS (table_name 'people');
CREATE FOREIGN TABLE f_self (id int, note text) SERVER back;
CREATE FOREIGN TABLE f_one (id int, note text) SERVER back OPTIONS (table_name 'f_two');
CREATE FOREIGN TABLE f_two (id int, note text) SERVER back OPTIONS (table_name 'f_one');
CREATE FOREIGN TABLE f_filed (id int, ssn text) SERVER files OPTIONS (filename '/nowhere', format 'csv');
CREATE FOREIGN TABLE t_staff (id int, money int OPTIONS (column_name 'pay'), name text) SERVER there
    OPTIONS (schema_name 'hr', table_name 'staff');
CREATE FOREIGN TABLE t_stats (what text OPTIONS (column_name 'most_common_vals')) SERVER there
    OPTIONS (schema_name 'pg_catalog', table_name 'pg_stats');
CREATE SERVER alias FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname 'pooled');
CREATE FOREIGN TABLE a_people (id int, ssn text) SERVER alias OPTIONS (table_name 'people');
CREATE FOREIGN TABLE a_seen (id int, number text) SERVER alias OPTIONS (table_name 'seen');
CREATE FOREIGN TABLE t_paid (id int, pay int) SERVER there OPTIONS (schema_name 'hr', table_name 'paid');
CREATE TABLE spread (no int, word text, name text, card text, born date) PARTITION BY LIST (no);
ALTER TABLE spread ATTACH PARTITION f_people DEFAULT;
"""
RULES = (
    MaskRule("public.people.ssn", "redact"),
    MaskRule("people.card", "pseudonym"),
    MaskRule('Odd "One.Peo ple.*', "redact"),
    MaskRule("hr.staff.pay", "null", databases=frozenset({"other"})),
    MaskRule("people.name", "null", databases=frozenset({"other"}), except_groups=frozenset({"support"})),
)


@pytest.fixture(scope="module")
def catalog(postgres: Server) -> Iterator[Catalog]:
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(HERE)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(HERE)))
        with psycopg.connect(postgres.dsn(HERE), autocommit=True) as owner:
            owner.execute(SCHEMA)
        database = Database("shop", Dialect.POSTGRES, postgres.host, postgres.port, HERE, postgres.user, tls="disable")
        yield trio.run(load_postgres, database, postgres.password)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(HERE)))


def compiled(
    catalog: Catalog, rules: Sequence[MaskRule] = RULES, groups: frozenset[str] = frozenset()
) -> MaskSet | None:
    return compile_masks(rules, "shop", Identity("agent", groups), catalog, Policy("p", ()), b"k" * 32)


@pytest.fixture(scope="module")
def masks(catalog: Catalog) -> MaskSet:
    found = compiled(catalog)
    assert found is not None
    return found


def outputs(text: str, masks: MaskSet) -> list[str]:
    (found,) = masks.explain(text, Namespace())
    return [each.treatment for each in found]


def findings(text: str, masks: MaskSet) -> set[str]:
    (found,) = masks.examine(text, (Statement(text, Kind.SELECT, "?"),), Namespace())
    return {each.kind for each in found.findings}


def test_what_they_stand_for_is_read_with_its_names(catalog: Catalog) -> None:
    relations = catalog.relations
    assert relations["public", "f_people"].foreign == CatalogForeign(
        "public", "people", ("id", "ssn", "name", "card", "born")
    )
    assert relations["public", "f_self"].foreign == CatalogForeign("public", "f_self", ("id", "note"))
    assert relations["public", "f_odd"].foreign == CatalogForeign('Odd "One', "Peo ple", ("id", 'S"SN'))
    assert relations["public", "f_filed"].foreign is None
    assert relations["public", "people"].foreign is None
    views = {name for (_, name), each in relations.items() if each.kind == "f" and each.definition is not None}
    assert views == {"f_people", "f_odd", "f_seen", "f_f", "f_orders", "f_wrong"}, "the rest stand for nothing here"


@pytest.mark.parametrize(
    ("text", "treatments"),
    [
        ("TABLE f_people", ["as it is", "redact", "null", "pseudonym", "as it is"]),
        ("SELECT upper(word), name || '' FROM f_people", ["redact (derived)", "redact (derived)"]),
        ("TABLE f_odd", ["redact", "redact"]),
        ("TABLE f_seen", ["as it is", "redact"]),
        ("TABLE f_f", ["redact"]),
        ("TABLE f_orders", ["as it is", "as it is"]),
        ("SELECT x FROM f_wrong", ["redact (derived)"]),
        ("TABLE f_self", ["as it is", "as it is"]),
        ("TABLE f_one", ["as it is", "as it is"]),
        ("TABLE t_staff", ["as it is", "null", "as it is"]),
        ("SELECT what FROM t_stats", ["redact"]),
        ("SELECT word, born FROM spread", ["redact (derived)", "as it is"]),
        ("TABLE orders", ["as it is", "as it is"]),
    ],
)
def test_columns_get_the_mask_of_what_they_stand_for(masks: MaskSet, text: str, treatments: list[str]) -> None:
    assert outputs(text, masks) == treatments
    assert findings(text, masks) == set()


def test_a_foreign_table_over_a_view_of_another_database_has_the_masks_of_its_names_alone(masks: MaskSet) -> None:
    """docs/limitations.md has it: what that view reads nobody here knows, and `pooled` is this database by another name."""
    assert outputs("TABLE f_seen", masks) == ["as it is", "redact"]
    assert outputs("TABLE a_seen", masks) == ["as it is", "as it is"]
    assert outputs("TABLE a_people", masks) == ["as it is", "redact"]
    assert outputs("SELECT id, money FROM t_staff", masks) == ["as it is", "null"]
    assert outputs("TABLE t_paid", masks) == ["as it is", "as it is"]


def test_a_foreign_table_of_another_wrapper_has_the_masks_of_its_own_names_alone(catalog: Catalog) -> None:
    """docs/limitations.md has it: the file may be a copy of people."""
    for rule, treatment in (("people.ssn", "as it is"), ("f_filed.ssn", "redact")):
        found = compiled(catalog, (MaskRule(rule, "redact"),))
        assert found is not None
        assert outputs("TABLE f_filed", found) == ["as it is", treatment]


def test_exempt_readers_see_other_databases_columns_as_they_are(catalog: Catalog) -> None:
    found = compiled(catalog, groups=frozenset({"support"}))
    assert found is not None
    assert outputs("SELECT name FROM f_people", found) == ["as it is"]


def test_where_no_rule_binds_but_one_of_another_database_reaches_a_foreign_table_there_are_masks(
    catalog: Catalog,
) -> None:
    found = compiled(catalog, RULES[3:4])
    assert found is not None
    assert outputs("SELECT id, money FROM t_staff", found) == ["as it is", "null"]
    assert compiled(catalog, ()) is None


def test_a_pseudonym_is_of_the_type_that_the_foreign_table_declares(masks: MaskSet) -> None:
    text = "SELECT 1 FROM f_people WHERE card = $1"
    (found,) = masks.examine(text, (Statement(text, Kind.SELECT, "SelectStmt"),), Namespace())
    assert found.exchange.parameters == {1: ParameterSite(25)}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("UPDATE f_people SET born = now()", "laundering"),  # fires the trigger of people
        ("INSERT INTO copied SELECT word FROM f_people", "laundering"),
        ("UPDATE f_orders SET note = p.ssn FROM people p", "laundering"),
        ("SELECT no FROM f_people WHERE word LIKE 'a%'", "predicate"),
        ("SELECT no FROM f_people ORDER BY word", "predicate"),
        ("ALTER FOREIGN TABLE f_orders OPTIONS (SET table_name 'people')", "laundering"),
        ("ALTER TABLE f_orders ALTER note OPTIONS (ADD column_name 'ssn')", "laundering"),
        ("ALTER SERVER there OPTIONS (SET dbname 'masking_foreign')", "laundering"),
        ("ALTER USER MAPPING FOR PUBLIC SERVER unsaid OPTIONS (ADD user 'x')", "laundering"),
        ("IMPORT FOREIGN SCHEMA public FROM SERVER back INTO public", "laundering"),
        ("CREATE FOREIGN TABLE more (id int) SERVER back", "laundering"),
        ("CREATE FOREIGN TABLE more PARTITION OF spread FOR VALUES IN (7) SERVER back", "laundering"),
    ],
)
def test_what_is_done_with_them_is_held_as_with_what_they_stand_for(masks: MaskSet, text: str, kind: str) -> None:
    assert kind in findings(text, masks)


@pytest.mark.parametrize("text", ["UPDATE f_orders SET note = 'x'", "INSERT INTO f_orders VALUES (1, 'x')"])
def test_a_write_to_one_over_a_plain_table_passes(masks: MaskSet, text: str) -> None:
    assert findings(text, masks) == set()


@pytest.mark.parametrize(
    "text",
    [
        "IMPORT FOREIGN SCHEMA public LIMIT TO (people) FROM SERVER back INTO public",
        "CREATE FOREIGN TABLE more (id int) SERVER back",
        "ALTER FOREIGN TABLE f_orders OPTIONS (SET table_name 'people')",
        "ALTER FOREIGN TABLE f_orders ALTER COLUMN note OPTIONS (ADD column_name 'x')",
        "ALTER SERVER back OPTIONS (SET dbname 'x')",
    ],
)
def test_what_changes_them_is_a_change_of_definitions_after_which_the_catalog_is_read(
    catalog: Catalog, text: str
) -> None:
    (found,) = classify(text, Namespace(search_path=("public",)), catalog)
    assert Effect.DDL in found.effects


def test_every_function_of_dblink_is_held_for_agents_and_what_it_brings_is_masked(
    catalog: Catalog, masks: MaskSet
) -> None:
    functions = [each for found in catalog.functions.values() for each in found if each.extension == "dblink"]
    assert len(functions) > 30
    judge = Judge(Dialect.POSTGRES, pack("agent-default"), "shop", Identity("agent"), catalog, None)
    for each in functions:
        arguments = ", ".join(["NULL"] * each.arguments)
        text = f"SELECT {each.schema}.{each.name}({arguments})"
        judgement = judge.judge(text.encode(), Namespace(search_path=("public",)))
        assert all(not isinstance(decision, Allow) for decision in judgement.decisions), each.name
        assert outputs(text, masks) == ["redact (derived)"], each.name
