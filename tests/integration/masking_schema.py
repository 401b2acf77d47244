"""A schema whose masked columns hold distinctive values, and a generator of queries over it."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from rules.policy import MaskRule

SCHEMA = """
CREATE SCHEMA hr;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'canarymood');
CREATE DOMAIN ssn_t AS text;
CREATE TABLE customers (
    id int PRIMARY KEY, name text, city text, email text, ssn ssn_t UNIQUE, card bigint, salary numeric(12, 2),
    feeling mood, tags text[], doc jsonb, raw bytea,
    upper_ssn text GENERATED ALWAYS AS (upper(ssn)) STORED
);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, total numeric(12, 2), note text, placed date);
CREATE TABLE hr.staff (id int PRIMARY KEY, name text, pay int, boss int);
CREATE TABLE parent (id int, label text, secret text);
CREATE TABLE child (extra text) INHERITS (parent);
CREATE TABLE events (id int, at date, label text, secret text) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE snap (id int, c customers, plain text);
CREATE TABLE "Odd ""Table" (id int, "Weird.Col" text, label text);
CREATE VIEW v_customers AS SELECT id, name AS label, ssn AS number, email || '!' AS mail, city FROM customers;
CREATE VIEW v_two AS SELECT v.number AS deep, v.id, count(*) OVER () AS label FROM v_customers v;
CREATE VIEW v_clean AS SELECT id, name AS label, city FROM customers;
CREATE VIEW v_rows AS SELECT c AS r, c.id FROM customers c;
CREATE VIEW v_union AS SELECT id, ssn::text AS label FROM customers UNION ALL SELECT id, note FROM orders;
CREATE MATERIALIZED VIEW mv AS SELECT id, ssn, name FROM customers;
CREATE FUNCTION get_ssn(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn::text FROM customers WHERE id = $1';
CREATE FUNCTION get_name(i int) RETURNS text LANGUAGE sql STABLE AS 'SELECT name FROM customers WHERE id = i';
CREATE FUNCTION pl_ssn(i int) RETURNS text LANGUAGE plpgsql AS
    'DECLARE r text; BEGIN SELECT ssn INTO r FROM customers WHERE id = i; RETURN r; END';
CREATE FUNCTION pl_dynamic(i int) RETURNS text LANGUAGE plpgsql AS
    'DECLARE r text; BEGIN EXECUTE ''SELECT s''||''sn FROM custo''||''mers WHERE id = $1'' INTO r USING i; RETURN r; END';
CREATE FUNCTION pl_double(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i * 2; END';
CREATE FUNCTION all_customers() RETURNS SETOF customers LANGUAGE sql STABLE AS 'SELECT * FROM customers';
CREATE FUNCTION pairs(OUT a int, OUT b text) RETURNS SETOF record LANGUAGE sql STABLE AS 'SELECT id, ssn::text FROM customers';
CREATE FUNCTION clean_pairs(OUT a int, OUT b text) RETURNS SETOF record LANGUAGE sql STABLE AS 'SELECT id, name FROM customers';
CREATE FUNCTION atomic_ssn(i int) RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT ssn FROM customers WHERE id = i; END;
CREATE FUNCTION wrap(c customers) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.ssn::text';
CREATE FUNCTION identity_of(x anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION keep_first(anyelement, anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1';
CREATE AGGREGATE first_of(anyelement) (sfunc = keep_first, stype = anyelement);
CREATE FUNCTION leak_op(int, int) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn::text FROM customers WHERE id = $1';
CREATE TABLE badges (id int PRIMARY KEY, label text, secret text);
CREATE TABLE trail (what text);
CREATE FUNCTION keep_trail() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO trail VALUES (OLD.secret); RETURN coalesce(NEW, OLD); END';
CREATE TRIGGER keep_trail BEFORE UPDATE OR DELETE ON badges FOR EACH ROW EXECUTE FUNCTION keep_trail();
CREATE OPERATOR @#@ (LEFTARG = int, RIGHTARG = int, FUNCTION = leak_op);
"""
ROWS = """
INSERT INTO customers (id, name, city, email, ssn, card, salary, feeling, tags, doc, raw)
    SELECT i, 'name' || i, 'city' || (i % 3), 'canarymail' || i || '@shop.test', 'canaryssn' || i, 7654321000000 + i,
           8765432.5 + i, 'canarymood', ARRAY['canarytag' || i], jsonb_build_object('k', 'canarydoc' || i),
           convert_to('canaryraw' || i, 'UTF8')
    FROM generate_series(1, 6) i;
INSERT INTO orders SELECT i, 1 + i % 6, i * 10, 'note' || i, '2024-01-01'::date + i FROM generate_series(1, 9) i;
INSERT INTO hr.staff SELECT i, 'staff' || i, 5432100 + i, nullif(i / 2, 0) FROM generate_series(1, 5) i;
INSERT INTO parent VALUES (1, 'p', 'canaryparent');
INSERT INTO child VALUES (2, 'c', 'canarychild', 'x');
INSERT INTO events VALUES (1, '2024-05-05', 'e', 'canaryevent');
INSERT INTO badges VALUES (1, 'b', 'canarybadge');
INSERT INTO snap SELECT id, customers, 'p' FROM customers;
INSERT INTO "Odd ""Table" VALUES (1, 'canaryodd', 'l');
REFRESH MATERIALIZED VIEW mv;
ANALYZE;
"""
RULES = (
    MaskRule("public.customers.email", "email"),
    MaskRule("public.customers.ssn", "redact"),
    MaskRule("*.customers.card", "redact"),
    MaskRule("*.salary", "redact"),
    MaskRule("*.customers.feeling", "redact"),
    MaskRule("*.customers.tags", "redact"),
    MaskRule("*.customers.doc", "redact"),
    MaskRule("*.customers.raw", "hash"),
    MaskRule("*.secret", "hash"),
    MaskRule("hr.staff.pay", "null"),
    MaskRule('public.Odd "Table.Weird.Col', "redact"),
)
CANARY = re.compile(
    r"canary|7654321|8765432|54321|" + "canary"[::-1] + "|" + b"canary".hex() + "|Y2FuYXJ5|NhbmFye|jYW5hcn",
    re.IGNORECASE,
)

TABLES: dict[str, list[str]] = {
    "customers": ["id", "name", "city", "email", "ssn", "card", "salary", "feeling", "tags", "doc", "raw", "upper_ssn"],
    "orders": ["id", "customer_id", "total", "note", "placed"],
    "hr.staff": ["id", "name", "pay", "boss"],
    "parent": ["id", "label", "secret"],
    "child": ["id", "label", "secret", "extra"],
    "events": ["id", "at", "label", "secret"],
    "events_1": ["id", "at", "label", "secret"],
    "snap": ["id", "c", "plain"],
    '"Odd ""Table"': ["id", '"Weird.Col"', "label"],
    "v_customers": ["id", "label", "number", "mail", "city"],
    "v_two": ["deep", "id", "label"],
    "v_clean": ["id", "label", "city"],
    "v_rows": ["r", "id"],
    "v_union": ["id", "label"],
    "mv": ["id", "ssn", "name"],
    "all_customers()": ["id", "name", "city", "email", "ssn", "card", "salary"],
    "pairs()": ["a", "b"],
    "clean_pairs()": ["a", "b"],
    "generate_series(1, 2)": [],
    "pg_stats": ["tablename", "attname", "most_common_vals", "histogram_bounds", "null_frac"],
}

Columns = list[tuple[str, str]]  # (qualifier, column)


class Queries:
    """Random queries, most of which the server accepts. One instance makes one query."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.count = 0
        self.ctes: dict[str, list[str]] = {}

    def one_of(self, *makers: Callable[[], str]) -> str:
        return self.random.choice(makers)()

    def alias(self) -> str:
        self.count += 1
        return self.random.choice([f"t{self.count}", f"t{self.count}", f'"T {self.count}"'])

    def statement(self) -> str:
        text, _ = self.query(3)
        if self.random.random() < 0.15:
            names = [f"x{self.count}", f"y{self.count}"]
            inner, columns = self.query(2)
            self.ctes[names[0]] = columns
            second, more = self.query(2)
            self.ctes[names[1]] = more
            text, _ = self.query(2)
            text = f"WITH {names[0]} AS ({inner}), {names[1]} AS MATERIALIZED ({second}) {text}"
        elif self.random.random() < 0.05:
            scope: Columns = [("c", each) for each in TABLES["customers"]]
            seed, step = self.scalar(scope, 1), self.scalar(scope, 1)
            text = (
                f"WITH RECURSIVE r(n, v) AS (SELECT 1, ({seed})::text FROM customers c UNION ALL"
                f" SELECT n + 1, coalesce(r.v, '') || ({step})::text FROM r, customers c WHERE n < 2 AND c.id = n)"
                " SELECT n, v FROM r"
            )
        return text

    def query(self, depth: int) -> tuple[str, list[str]]:
        choice = self.random.random()
        if depth > 1 and choice < 0.1:
            return self.united(depth)
        if choice < 0.13:
            count = self.random.randint(1, 2)
            cells = ", ".join(self.scalar([], 1) for _ in range(count))
            return f"VALUES ({cells})", [f"column{number}" for number in range(1, count + 1)]
        return self.select(depth)

    def united(self, depth: int) -> tuple[str, list[str]]:
        sides = []
        count = self.random.randint(1, 3)
        for _ in range(2):
            tables, scope = self.tables(depth - 1)
            cells = ", ".join(f"({self.scalar(scope, 1)})::text" for _ in range(count))
            sides.append(f"SELECT {cells} FROM {tables}")
        names = [f"u{self.count}_{number}" for number in range(count)]
        words = self.random.choice(["UNION ALL", "UNION", "EXCEPT", "INTERSECT"])
        alias = self.alias()
        inner = f"(({sides[0]}) {words} ({sides[1]})) AS {alias}({', '.join(names)})"
        return f"SELECT * FROM {inner}", names

    def select(self, depth: int) -> tuple[str, list[str]]:
        tables, scope = self.tables(depth)
        where = self.random.choice(["", "", "", f" WHERE {self.condition(scope)}"])
        kind = self.random.random()
        if kind < 0.08:
            return f"SELECT * FROM {tables}{where}", [column for _, column in scope]
        if kind < 0.13 and scope:
            return f"SELECT {scope[0][0]}.* FROM {tables}{where}", [c for a, c in scope if a == scope[0][0]]
        if kind < 0.3:
            return self.grouped(tables, scope, where)
        outputs, names = [], []
        for number in range(self.random.randint(1, 4)):
            name = f"o{self.count}_{number}"
            cell = self.scalar(scope, depth)
            if self.random.random() < 0.15:
                outputs.append(cell)
            else:
                outputs.append(f"{cell} AS {name}")
                names.append(name)
        order = self.random.choice(
            ["", "", " ORDER BY 1", f" ORDER BY {self.column(scope)} LIMIT {self.random.randint(1, 5)}"]
        )
        distinct = self.random.choice(["", "", "", "DISTINCT "])
        return f"SELECT {distinct}{', '.join(outputs)} FROM {tables}{where}{order}", names

    def grouped(self, tables: str, scope: Columns, where: str) -> tuple[str, list[str]]:
        inner = self.scalar(scope, 1)
        makers = [
            "count(*)", f"count({inner})", f"max(({inner})::text)", f"string_agg(({inner})::text, ',')", f"json_agg({inner})",
            f"array_agg({inner})", f"jsonb_object_agg('k', {inner})", f"(array_agg({inner}))[1]", f"first_of(({inner})::text)",
            f"min(({inner})::text) FILTER (WHERE true)", f"JSON_ARRAYAGG(({inner})::text)", f"xmlagg(xmlelement(name x, {inner}))",
            f"mode() WITHIN GROUP (ORDER BY ({inner})::text)", f"string_agg('k', ',' ORDER BY ({inner})::text)",
        ]  # fmt: skip
        name = f"g{self.count}"
        made = self.random.choice(makers)
        if self.random.random() < 0.4:
            key = self.scalar(scope, 1)
            return f"SELECT {key} AS k, {made} AS {name} FROM {tables}{where} GROUP BY {key}", ["k", name]
        return f"SELECT {made} AS {name} FROM {tables}{where}", [name]

    def tables(self, depth: int) -> tuple[str, Columns]:
        first, scope = self.table(depth)
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            kind = self.random.random()
            if kind < 0.25:
                lateral, alias = self.lateral(scope), self.alias()
                first += f", LATERAL (SELECT {lateral} AS lat) {alias}"
                scope = [*scope, (alias, "lat")]
                continue
            second, more = self.table(depth)
            shared = sorted({column for _, column in scope} & {column for _, column in more})
            if kind < 0.35:
                joined = f"{first} NATURAL JOIN {second}"
            elif kind < 0.5 and shared:
                how = self.random.choice(["JOIN", "LEFT JOIN", "FULL JOIN"])
                joined = f"{first} {how} {second} USING ({self.random.choice(shared)})"
            elif kind < 0.75:
                how = self.random.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN"])
                joined = f"{first} {how} {second} ON {self.condition(scope + more)}"
            else:
                joined = f"{first}, {second}"
            first, scope = joined, scope + more
        return first, scope

    def table(self, depth: int) -> tuple[str, Columns]:
        alias = self.alias()
        choice = self.random.random()
        if depth > 0 and choice < 0.25:
            inner, columns = self.query(depth - 1)
            if columns and self.random.random() < 0.3:
                columns = [f"r{self.count}_{number}" for number in range(len(columns))]
                return f"({inner}) AS {alias}({', '.join(columns)})", [(alias, each) for each in columns]
            return f"({inner}) AS {alias}", [(alias, each) for each in columns]
        if self.ctes and choice < 0.6:
            name = self.random.choice(list(self.ctes))
            return f"{name} {alias}", [(alias, each) for each in self.ctes[name]]
        name = self.random.choice(["customers", "customers", *TABLES])
        columns = TABLES[name]
        if choice < 0.75 and "." not in name and not name.endswith(")"):
            return name, [(name, each) for each in columns]
        if choice < 0.85 and columns and not name.endswith(")"):
            renamed = [f"a{self.count}_{number}" for number in range(min(2, len(columns)))]
            return f"{name} AS {alias}({', '.join(renamed)})", [
                (alias, each) for each in renamed + columns[len(renamed) :]
            ]
        if not columns:
            return f"{name} AS {alias}", [(alias, alias)]
        return f"{name} AS {alias}", [(alias, each) for each in columns]

    def lateral(self, scope: Columns) -> str:
        return self.scalar(scope, 1)

    def column(self, scope: Columns) -> str:
        if not scope:
            return self.random.choice(["1", "'x'", "NULL", "get_ssn(1)", "(SELECT ssn FROM customers LIMIT 1)"])
        table, column = self.random.choice(scope)
        return self.random.choice([f"{table}.{column}", f"{table}.{column}", column])

    def row(self, scope: Columns) -> str:
        if not scope:
            return "ROW(1, 'x')"
        table = self.random.choice(scope)[0]
        return self.random.choice([table, table, f"ROW({table}.*)", f"ROW({self.column(scope)}, 1)"])

    def condition(self, scope: Columns) -> str:
        inner, other = self.column(scope), self.column(scope)
        return self.random.choice(
            [
                f"{inner} IS NOT NULL", f"({inner})::text <> 'q'", "true", f"EXISTS (SELECT {inner})",
                f"({inner})::text IN ('q', {inner}::text)", f"{inner} = {other}", f"{inner} > {other}", f"{inner}::text LIKE '%1'",
                f"{inner} IN (SELECT {other})", f"length({inner}::text) > 10", f"{inner}::text BETWEEN 'b' AND 'd'",
                f"({inner}, {other}) = ({other}, {inner})", f"{inner} = 'q1'", f"{inner} <> 'x'",
                f"NOT ({inner} < {other})",
                f"({inner})::text > 'canaryssn3' OR false", f"({inner} IS NULL) IS NOT TRUE",
            ]
        )  # fmt: skip

    def scalar(self, scope: Columns, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.35:
            return self.column(scope)
        a = self.scalar(scope, depth - 1)
        b = self.scalar(scope, depth - 1)
        row = self.row(scope)
        makers = [
            f"({a})::text", f"upper(({a})::text)", f"({a})::text || ({b})::text", f"concat({a}, {b})", f"format('%s-%s', {a}, {b})",
            f"coalesce(({a})::text, ({b})::text)", f"CASE WHEN {self.condition(scope)} THEN ({a})::text ELSE ({b})::text END",
            f"to_json({a})", f"json_build_object('k', {a})", f"to_jsonb({row})", f"row_to_json({row})", f"({row})::text",
            f"ARRAY[({a})::text, ({b})::text]", f"(ARRAY[({a})::text])[1]", f"nullif(({a})::text, 'q')",
            f"greatest(({a})::text, ({b})::text)", f"to_jsonb({row})->>'ssn'", f"jsonb_path_query_first(to_jsonb({row}), '$.*')",
            f"md5(({a})::text)", f"reverse(({a})::text)", f"encode(convert_to(({a})::text, 'UTF8'), 'hex')",
            f"first_value({a}) OVER ()", f"lag(({a})::text, 0, ({b})::text) OVER (ORDER BY 1)", f"xmlforest(({a})::text AS x)",
            f"JSON_OBJECT('k' : ({a})::text)", f"JSON_ARRAY(({a})::text, ({b})::text)", f"string_to_array(({a})::text, ',')",
            f"1 / (length(({a})::text) - 10)", f"({a})::text::numeric", f"({a} > {b})", f"row_number() OVER (ORDER BY {a})",
            f"count(*) OVER (PARTITION BY {a})", f"substr('abcdef', length(({a})::text))", f"repeat('x', length(({a})::text))",
            f"identity_of({a})", f"identity_of({row})", f"({a}) IS NULL", "get_ssn(1)", "pl_ssn(2)", "get_name(1)", "pl_double(2)",
            "atomic_ssn(1)", "pl_dynamic(1)", "1 @#@ 2", f"quote_literal(({a})::text)", f"left(({a})::text, 20)",
            f"(SELECT {a})", f"ARRAY(SELECT ({a})::text)", f"(SELECT max(({b})::text) FROM {self.small(scope)})",
            f"({a} IS NOT DISTINCT FROM {b})", f"translate(({a})::text, 'q', 'q')", f"unnest(ARRAY[({a})::text])",
            f"jsonb_each_text(to_jsonb({row}))", f"(jsonb_each_text(to_jsonb({row}))).value", f"wrap({self.whole(scope)})",
            f"({self.whole(scope)}).ssn", f"{self.whole(scope)}.wrap", f"ssn({self.whole(scope)})",
            f"JSON_VALUE(to_jsonb({row}), '$.ssn')",
            f"(row_to_json({row})::jsonb)::text", f"regexp_replace(({a})::text, 'q', 'q')",
            f"hashtext(({a})::text) * 0 || {a}::text",
        ]  # fmt: skip
        return self.random.choice(makers)

    def whole(self, scope: Columns) -> str:
        tables = sorted({table for table, column in scope if column in ("ssn", "email")})
        return self.random.choice(tables) if tables else "(SELECT c FROM customers c LIMIT 1)"

    def small(self, scope: Columns) -> str:
        return self.random.choice(["customers z", "orders z", "v_clean z", "hr.staff z"])
