"""A small catalog of MySQL for tests of masking, made by hand: what the loader would read from a shop's server."""

from __future__ import annotations

from itertools import count

from rules.catalog import Catalog, CatalogColumn, CatalogFunction, CatalogRelation
from rules.classify.mysql import classify
from rules.masking.mysql.mask_set import MySqlMaskSet, compile_mysql_masks
from rules.masking.mysql.plan import MySqlResultMasks
from rules.model import Identity, Namespace, Volatility
from rules.policy import MaskRule, Policy

SHOP = Namespace(search_path=("shop",), database="shop", server_version=80036)
MARIADB = Namespace(search_path=("shop",), database="shop", server_version=101106, mariadb=True)
NUMBERS = count(1)


def relation(name: str, columns: str, *, definition: str | None = None, kind: str = "r") -> CatalogRelation:
    """Columns as `name type`, `name type = expression` for a generated one, `name type !` for an invisible one."""
    schema, _, bare = name.rpartition(".")
    found = []
    for position, column in enumerate(columns.split(","), 1):  # a comma inside an expression is written ‚
        title, _, kind_of = column.strip().partition(" ")
        kind_of, _, generated = (kind_of.replace("\u201a", ",") or "varchar").partition(" = ")
        hidden = kind_of.endswith("!")
        found.append(
            CatalogColumn(title, position, 0, kind_of.rstrip("! ") or "varchar", generated or None, hidden=hidden)
        )
    kind = "v" if definition is not None else kind
    return CatalogRelation(schema or "shop", bare, kind, next(NUMBERS), tuple(found), definition)


def stored_query(columns: str) -> str:
    """A view's definition as the server keeps it."""
    names = ",".join(f"`shop`.`customers`.{column.strip()}" for column in columns.split(","))
    return f"select {names} from `shop`.`customers`"


def stored_tags(columns: str) -> str:
    names = ",".join(f"`shop`.`tags`.{column.strip()}" for column in columns.split(","))
    return f"select {names} from `shop`.`tags`"


def stored(
    name: str, body: str | None, *, kind: str = "f", arguments: int = 0, schema: str = "shop"
) -> CatalogFunction:
    return CatalogFunction(schema, name, Volatility.VOLATILE, "SQL", kind, body=body, arguments=arguments)


def shop() -> Catalog:
    relations = [
        relation(
            "customers",
            "id int, name, city, ssn, email, salary int, card bigint, born date, loud varchar = upper(`ssn`),"
            " tagged varchar = concat(`name`\u201a_utf8mb4\\'x\\')",
        ),
        relation("orders", "id int, customer_id int, note, secret_note varchar !"),
        relation("archive", "id int, ssn, salary int"),
        relation("v", "id int, label, number", definition=stored_query("id AS `id`, name AS `label`, ssn AS `number`")),
        relation("vv", "deep, n bigint", definition="select concat(`v`.`number`,'!') AS `deep`,count(0) AS `n` from `shop`.`v`"),
        relation(
            "tags",
            "id int unsigned, code smallint, twin smallint, wide int, big bigint unsigned, day date, mark uuid, at datetime,"
            " price decimal, clock time, rate double, seen timestamp, note",
        ),
        relation("tag_view", "n, c smallint, d date", definition=stored_tags("id AS `n`, code AS `c`, day AS `d`")),
        relation("clean", "id int, name", definition=stored_query("id AS `id`, name AS `name`")),
        relation("closed", "a, b", definition=""),
        relation(
            "calling",
            "id int, q",
            definition="select `shop`.`orders`.`id` AS `id`,`shop`.`fmt`(`shop`.`orders`.`note`) AS `q` from `shop`.`orders`",
        ),
        relation("calling_too", "id int", definition="select `calling`.`id` AS `id` from `shop`.`calling`"),
        relation("other.ledger", "id int, amount decimal"),
        relation("other.customers", "id int, ssn, note"),
        relation("information_schema.TABLES", "TABLE_SCHEMA, TABLE_NAME, TABLE_ROWS bigint", kind="v"),
        relation("information_schema.PROCESSLIST", "ID bigint, USER, INFO longtext", kind="v"),
        relation("information_schema.USER_VARIABLES", "VARIABLE_NAME, VARIABLE_VALUE longtext", kind="v"),
        relation("performance_schema.events_statements_history", "THREAD_ID bigint, SQL_TEXT longtext"),
        relation("mysql.column_stats", "db_name, column_name, min_value, max_value"),
    ]  # fmt: skip
    functions = [
        stored("get_ssn", "RETURN (SELECT ssn FROM customers WHERE id = i)", arguments=1),
        stored("get_name", "RETURN (SELECT note FROM orders WHERE id = i)", arguments=1),
        stored("fmt", "RETURN CONCAT('<', x, '>')", arguments=1),
        stored("hidden", None),
        stored("left", "RETURN (SELECT ssn FROM customers WHERE id = i)", arguments=1),
        stored("show_all", "BEGIN SELECT id, ssn FROM customers; END", kind="p"),
        stored("show_orders", "BEGIN SELECT id, note FROM orders; END", kind="p"),
        stored("richer", "RETURN (SELECT COUNT(*) FROM customers c WHERE c.id = i AND c.salary > n)", arguments=2),
        stored(
            "branches", "BEGIN IF 1 THEN SELECT note FROM orders; ELSE SELECT ssn FROM customers; END IF; END", kind="p"
        ),
        stored("regexp_like", "RETURN (SELECT COUNT(*) FROM customers WHERE ssn LIKE b)", arguments=2),
        stored("wraps", "BEGIN DECLARE x int; SET x = 1; RETURN richer(x, n); END", arguments=1),
        stored("wraps_variable", "RETURN richer(1, @n)"),
        stored("by_ssn", "RETURN (SELECT id FROM customers WHERE ssn = i)", arguments=1),
        stored("by_own", "RETURN (SELECT id FROM customers c WHERE c.ssn = ssn)", arguments=1),
        stored("quotes", 'RETURN (SELECT "ssn" FROM customers LIMIT 1)'),
        stored("skips", "BEGIN SELECT note INTO x FROM orders; SELECT note, ssn FROM customers, orders; END", kind="p"),
        stored("gtid_subset", "RETURN (SELECT ssn FROM customers LIMIT 1)", arguments=2),
        stored("calls_own", "RETURN gtid_subset(1, 2)"),
        stored("ring", "RETURN IF(1, (SELECT ssn FROM customers LIMIT 1), ring_too())"),
        stored("ring_too", "RETURN ring()"),
        stored("nightly", "INSERT INTO orders (note) SELECT ssn FROM customers", kind="e"),
        stored("texts", "BEGIN PREPARE s FROM @x; EXECUTE s; END", kind="p"),
        stored("away", "BEGIN SELECT amount FROM vault.unseen; END", kind="p"),
        stored("keeps", "BEGIN SELECT ssn INTO @s FROM customers LIMIT 1; END", kind="p"),
        stored(
            "copies", "CREATE TEMPORARY TABLE IF NOT EXISTS `orders` AS SELECT id, ssn AS note FROM customers", kind="p"
        ),
    ]
    made = Catalog(server_version=80036)
    for each in relations:
        made.relations[each.schema, each.name] = each
        made.by_oid[each.oid] = each
    for one in functions:
        made.functions[one.schema, one.name] = (one,)
    return made


CATALOG = shop()
RULES = (
    MaskRule("shop.customers.SSN", "redact"),
    MaskRule("customers.email", "email"),
    MaskRule("*.salary", "bucket", argument="1000"),
    MaskRule("customers.card", "last4"),
    MaskRule("customers.born", "date-to-year"),
    MaskRule("archive.ssn", "redact"),
    MaskRule("other.ledger.amount", "redact"),
)


def mask_set(
    policy: Policy | None = None, catalog: Catalog = CATALOG, rules: tuple[MaskRule, ...] = RULES
) -> MySqlMaskSet:
    found = compile_mysql_masks(rules, "shop", Identity("agent"), catalog, policy or Policy("test", ()), b"key")
    assert found is not None
    return found


MASKS = mask_set()


def examine(sql: str, masks: MySqlMaskSet = MASKS, namespace: Namespace = SHOP) -> MySqlResultMasks:
    """Of the last statement of a text."""
    return masks.examine(sql, classify(sql, namespace, masks.world.catalog), namespace)[-1]


def treatments(sql: str, masks: MySqlMaskSet = MASKS, namespace: Namespace = SHOP) -> str:
    """`-` as it is, `?` derived, else the masker's name; `*` in front where columns are not known one by one."""
    short = {"as it is": "-", "redact (derived)": "?"}
    return " ".join(
        ("*" if each.name is None and examine(sql, masks, namespace).columns.rest is not None else "")
        + short.get(each.treatment, each.treatment.split(" ")[0])
        for each in examine(sql, masks, namespace).outputs()
    )


def kinds(sql: str, masks: MySqlMaskSet = MASKS, namespace: Namespace = SHOP) -> list[str]:
    return [finding.kind for finding in examine(sql, masks, namespace).findings]
