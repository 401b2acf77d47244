"""A small catalog for tests of masking, made by hand: what the loader would read from a shop's database."""

from __future__ import annotations

from itertools import count

from rules.catalog import Catalog, CatalogColumn, CatalogFunction, CatalogRelation
from rules.masking import MaskSet, ResultMasks, compile_masks
from rules.model import Identity, Kind, Namespace, Statement, Volatility
from rules.policy import MaskRule, Policy

TYPES = {
    "int": 23,
    "bigint": 20,
    "text": 25,
    "numeric": 1700,
    "date": 1082,
    "jsonb": 3802,
    "bytea": 17,
    "anyarray": 2277,
}
OIDS = count(16400)
PURE = (
    "upper",
    "lower",
    "length",
    "md5",
    "concat",
    "format",
    "to_jsonb",
    "row_to_json",
    "left",
    "substr",
    "reverse",
    "round",
    "date_trunc",
    "timezone",
    "strpos",
    "substring",
    "int4div",
    "int4range",
    "string_to_array",
    "array_positions",
    "regexp_match",
    "num_nulls",
    "jsonb_build_object",
    "jsonb_path_exists",
    "date",
    "extract",
    "split_part",
    "lpad",
    "repeat",
    "replace",
    "regexp_replace",
    "to_char",
    "jsonb_set",
    "to_tsvector",
    "plainto_tsquery",
)
AGGREGATES = (
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "string_agg",
    "array_agg",
    "json_agg",
    "rank",
    "row_number",
    "json_object_agg",
    "ntile",
)


def relation(
    name: str, columns: str, *, kind: str = "r", definition: str | None = None, parents: tuple[int, ...] = ()
) -> CatalogRelation:
    schema, _, bare = name.rpartition(".")
    found = []
    for attribute, column in enumerate(columns.split(","), 1):
        title, _, type_name = column.strip().partition(" ")
        type_name, _, generated = (type_name or "text").partition(" = ")
        found.append(CatalogColumn(title, attribute, TYPES.get(type_name, 0), type_name, generated or None))
    return CatalogRelation(schema or "public", bare, kind, next(OIDS), tuple(found), definition, parents)


def function(
    name: str, returns: str = "text", body: str | None = None, language: str = "internal", volatility: str = "immutable",
    columns: tuple[str, ...] = (), schema: str = "pg_catalog", extension: str | None = None,
) -> CatalogFunction:  # fmt: skip
    return CatalogFunction(
        schema, name, Volatility(volatility), language, body=body, returns=returns, columns=columns, extension=extension
    )


def own(name: str, body: str, language: str = "sql", **options: object) -> CatalogFunction:
    return function(name, body=body, language=language, schema="public", volatility="stable", **options)  # type: ignore[arg-type]


def shop() -> Catalog:
    parent = relation("parent", "id int, secret")
    events = relation("events", "id int, secret", kind="p")
    relations = [
        relation("customers", "id int, name, city, ssn, email, salary numeric, card bigint, loud text = upper(ssn)"),
        relation("orders", "id int, customer_id int, note"),
        relation("archive", "id int, ssn"),
        relation("archived", "id int, ssn, name", kind="c"),
        relation("snap", "id int, c public.customers"),
        relation(
            "v",
            "id int, label, number",
            kind="v",
            definition="SELECT id, name AS label, ssn AS number FROM public.customers",
        ),
        relation("vv", "deep, n bigint", kind="v", definition="SELECT v.number || '!', count(*) OVER () FROM public.v"),
        relation(
            "folding", "id int", kind="v", definition="SELECT id FROM public.orders WHERE note = public.get_ssn(1)"
        ),
        relation("clean", "id int, name", kind="v", definition="SELECT id, name FROM public.customers"),
        relation("mv", "ssn", kind="m", definition="SELECT customers.ssn FROM public.customers"),
        relation("odd", "a, b", kind="v", definition="SELECT ssn AS a FROM public.customers IN A FUTURE SYNTAX"),
        parent,
        relation("child", "id int, secret, extra", parents=(parent.oid,)),
        events,
        relation("events_1", "id int, secret", parents=(events.oid,)),
        relation("upward", "id int, note"),
        relation("pg_catalog.pg_stats", "tablename, most_common_vals anyarray, null_frac", kind="v"),
        relation("pg_catalog.pg_stat_activity", "pid int, query", kind="v"),
        relation("pg_catalog.pg_class", "relname, oid int"),
        relation("pg_toast.pg_toast_1", "chunk_id int, chunk_data bytea", kind="t"),
    ]
    upward = relations[-5]
    relations.append(relation("downward", "id int, note", parents=(upward.oid,)))
    functions = [
        *(function(name) for name in PURE),
        *(function(name, "bigint") for name in AGGREGATES),
        function("unnest", "SETOF anyelement"),
        function("generate_series", "SETOF integer"),
        function("regexp_split_to_table", "SETOF text"),
        function("jsonb_each_text", "SETOF record", columns=("key", "value")),
        function("set_config", volatility="volatile"),
        function("pg_notify", "void", volatility="volatile"),
        function("now", volatility="stable"),
        function("query_to_xml", "xml", volatility="volatile"),
        own("get_ssn", "SELECT ssn FROM customers WHERE id = $1"),
        own("get_name", "SELECT name FROM customers WHERE id = i"),
        own("everyone", "SELECT * FROM customers", returns="SETOF public.customers"),
        own("pairs", "SELECT id, ssn FROM customers WHERE id = $1", returns="SETOF record", columns=("id", "number")),
        own("mixed", "SELECT ssn FROM customers", returns="SETOF public.archived"),
        own("pl_ssn", "BEGIN RETURN (SELECT ssn FROM customers LIMIT 1); END", "plpgsql"),
        own("pl_calls", "BEGIN RETURN pl_ssn(); END", "plpgsql"),
        own("pl_text", "BEGIN EXECUTE 'SELECT 1'; END", "plpgsql"),
        own("pl_clean", "BEGIN RETURN 2; END", "plpgsql"),
        own("compiled", "sym", "c"),
        own("similarity", "sym", "c", extension="pg_trgm"),
    ]
    made = Catalog(server_version=180000, operators={"@#@": (("public", "get_ssn"),)})
    for each in relations:
        made.relations[each.schema, each.name] = each
        made.by_oid[each.oid] = each
    for one in functions:
        made.functions[one.schema, one.name] = (one,)
    return made


CATALOG = shop()
RULES = (
    MaskRule("public.customers.ssn", "redact"),
    MaskRule("customers.email", "email"),
    MaskRule("*.salary", "bucket", argument="1000"),
    MaskRule("customers.card", "last4"),
    MaskRule("*.secret", "hash"),
    MaskRule("archive.ssn", "redact"),
    MaskRule("downward.note", "redact"),
)


KEY = b"the key of the maskers, 32 bytes"


def mask_set(policy: Policy | None = None, catalog: Catalog = CATALOG, rules: tuple[MaskRule, ...] = RULES) -> MaskSet:
    found = compile_masks(rules, "shop", Identity("agent"), catalog, policy or Policy("test", ()), KEY)
    assert found is not None
    return found


MASKS = mask_set()


def examine(sql: str, masks: MaskSet = MASKS, namespace: Namespace | None = None) -> ResultMasks:
    (found,) = masks.examine(sql, (Statement(sql, Kind.SELECT, "SelectStmt"),), namespace or Namespace())
    return found


def treatments(sql: str, masks: MaskSet = MASKS) -> list[str]:
    """What each output column gets: `-` as it is, `?` derived, else the masker."""
    short = {"as it is": "-", "redact (derived)": "?"}
    return [short.get(each.treatment, each.treatment.split(" ")[0]) for each in examine(sql, masks).outputs()]


def kinds(sql: str, masks: MaskSet = MASKS) -> set[str]:
    return {finding.kind for finding in examine(sql, masks).findings}
