"""A grammar of queries over the masked schema of MariaDB and MySQL, with joins, subqueries, set operations and expressions."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.integration.mysql_masking_schema import OTHER

Columns = list[tuple[str, str]]  # alias and column
TABLES: dict[str, list[str]] = {
    "customers": ["id", "name", "city", "email", "ssn", "card", "salary", "feeling", "doc", "raw", "born", "ratio", "upper_ssn"],
    "orders": ["id", "customer_id", "total", "note", "placed"],
    f"{OTHER}.staff": ["id", "name", "pay", "boss"],
    "events": ["id", "label", "secret"],
    "notes": ["id", "label", "body", "secret"],
    "numbers": ["n", "label"],
    "`Odd ``Table`": ["id", "`Weird.Col`", "label"],
    "v_customers": ["id", "label", "number", "mail", "city"],
    "v_temptable": ["id", "label", "number"],
    "v_merge": ["id", "ssn", "name"],
    "v_two": ["deep", "id"],
    "v_clean": ["id", "label", "city"],
    "v_union": ["id", "label"],
    "v_total": ["city", "n", "last"],
}  # fmt: skip


class Queries:
    """Random statements. Some fail; a failure's message may show nothing either."""

    def __init__(self, random: Random, mariadb: bool) -> None:
        self.random = random
        self.mariadb = mariadb
        self.count = 0
        self.ctes: dict[str, list[str]] = {}

    def alias(self) -> str:
        self.count += 1
        return self.random.choice([f"t{self.count}", f"t{self.count}", f"`T {self.count}`"])

    def statement(self) -> str:
        kind = self.random.random()
        if kind < 0.15:
            names = [f"x{self.count}", f"y{self.count}"]
            inner, columns = self.query(2)
            self.ctes[names[0]] = columns
            second, more = self.query(2)
            self.ctes[names[1]] = more
            text, _ = self.query(2)
            return f"WITH {names[0]} AS ({inner}), {names[1]} AS ({second}) {text}"
        if kind < 0.2:
            scope: Columns = [("c", each) for each in TABLES["customers"]]
            seed, step = self.scalar(scope, 1), self.scalar(scope, 1)
            return (
                f"WITH RECURSIVE r (n, v) AS (SELECT 1, CAST({seed} AS char(200)) FROM customers c UNION ALL"
                f" SELECT n + 1, CONCAT(COALESCE(r.v, ''), {step}) FROM r JOIN customers c ON c.id = n WHERE n < 3)"
                " SELECT n, v FROM r"
            )
        return self.query(3)[0]

    def query(self, depth: int) -> tuple[str, list[str]]:
        return self.united(depth) if depth > 1 and self.random.random() < 0.1 else self.select(depth)

    def united(self, depth: int) -> tuple[str, list[str]]:
        count = self.random.randint(1, 3)
        names = [f"u{self.count}_{number}" for number in range(count)]
        sides = []
        for first in (True, False):
            tables, scope = self.tables(depth - 1)
            cells = [self.scalar(scope, 1) + (f" AS {name}" if first else "") for name in names]
            sides.append(f"SELECT {', '.join(cells)} FROM {tables}")
        words = self.random.choice(["UNION ALL", "UNION", "EXCEPT", "INTERSECT"])
        return f"SELECT * FROM ({sides[0]} {words} {sides[1]}) AS {self.alias()}", names

    def select(self, depth: int) -> tuple[str, list[str]]:
        tables, scope = self.tables(depth)
        where = self.random.choice(["", "", "", f" WHERE {self.condition(scope)}"])
        kind = self.random.random()
        if kind < 0.06 and len({name for _, name in scope}) == len(scope):
            return f"SELECT * FROM {tables}{where}", [column for _, column in scope]
        if kind < 0.12 and scope:
            return f"SELECT {scope[0][0]}.* FROM {tables}{where}", [c for a, c in scope if a == scope[0][0]]
        if kind < 0.28:
            return self.grouped(tables, scope, where)
        outputs, names = [], []
        for number in range(self.random.randint(1, 4)):
            name = f"o{self.count}_{depth}_{number}"
            outputs.append(f"{self.scalar(scope, depth)} AS {name}")
            names.append(name)
        order = self.random.choice(
            ["", "", " ORDER BY 1", f" ORDER BY {self.column(scope)} LIMIT {self.random.randint(1, 5)}"]
        )
        distinct = self.random.choice(["", "", "", "DISTINCT "])
        return f"SELECT {distinct}{', '.join(outputs)} FROM {tables}{where}{order}", names

    def grouped(self, tables: str, scope: Columns, where: str) -> tuple[str, list[str]]:
        inner = self.scalar(scope, 1)
        made = self.random.choice([
            "COUNT(*)", f"COUNT({inner})", f"MAX({inner})", f"MIN({inner})", f"GROUP_CONCAT({inner})", f"SUM({inner})",
            f"JSON_ARRAYAGG({inner})", f"JSON_OBJECTAGG('k', {inner})",
            f"GROUP_CONCAT('k' ORDER BY {inner})", f"BIT_OR({inner})",
            f"GROUP_CONCAT(DISTINCT {inner} SEPARATOR '|')", f"AVG({inner})", f"MAX(CONCAT({inner}, 'x'))",
        ])  # fmt: skip
        name = f"g{self.count}"
        if self.random.random() < 0.4:
            key = self.column(scope)
            return f"SELECT {key} AS k, {made} AS {name} FROM {tables}{where} GROUP BY {key}", ["k", name]
        return f"SELECT {made} AS {name} FROM {tables}{where}", [name]

    def tables(self, depth: int) -> tuple[str, Columns]:
        first, scope = self.table(depth)
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            kind = self.random.random()
            if kind < 0.15 and not self.mariadb:
                value, alias = self.scalar(scope, 1), self.alias()
                first += f" JOIN LATERAL (SELECT {value} AS lat) {alias}"
                scope = [*scope, (alias, "lat")]
                continue
            second, more = self.table(depth)
            shared = sorted({column for _, column in scope} & {column for _, column in more})
            if kind < 0.3:
                joined = f"{first} NATURAL {self.random.choice(['', 'LEFT ', 'RIGHT '])}JOIN {second}"
            elif kind < 0.5 and shared:
                joined = f"{first} {self.random.choice(['', 'LEFT ', 'RIGHT '])}JOIN {second} USING ({self.random.choice(shared)})"
            elif kind < 0.8:
                joined = f"{first} {self.random.choice(['', 'LEFT ', 'RIGHT '])}JOIN {second} ON {self.condition(scope + more)}"
            else:
                joined = f"{first} CROSS JOIN {second}"
            first, scope = joined, scope + more
        return first, scope

    def table(self, depth: int) -> tuple[str, Columns]:
        alias = self.alias()
        choice = self.random.random()
        if depth > 0 and choice < 0.25:
            inner, columns = self.query(depth - 1)
            return f"({inner}) AS {alias}", [(alias, each) for each in columns]
        if self.ctes and choice < 0.6:
            name = self.random.choice(list(self.ctes))
            return f"{name} {alias}", [(alias, each) for each in self.ctes[name]]
        name = self.random.choice(["customers", "customers", *TABLES])
        return f"{name} AS {alias}", [(alias, each) for each in TABLES[name]]

    def column(self, scope: Columns) -> str:
        if not scope:
            return self.random.choice(["1", "'x'", "NULL", "get_ssn(1)", "(SELECT ssn FROM customers LIMIT 1)"])
        table, column = self.random.choice(scope)
        return self.random.choice([f"{table}.{column}", f"{table}.{column}", f"{table}.{column.upper()}"])

    def condition(self, scope: Columns) -> str:
        one, other = self.column(scope), self.column(scope)
        # with such a subquery in ON, MariaDB 10.11 crashes on some prepared statements
        inner = "TRUE" if self.mariadb else self.random.choice([f"EXISTS (SELECT {one})", f"{one} IN (SELECT {other})"])
        return self.random.choice([
            f"{one} IS NOT NULL", f"{one} <> 'q'", "TRUE",
            inner, f"{one} IN ('q', {one})", f"{one} = {other}",
            f"{one} > {other}", f"{one} LIKE '%1'",
            f"LENGTH({one}) > 5", f"{one} BETWEEN 'b' AND 'd'",
            f"({one}, {other}) = ({other}, {one})", f"{one} = 'q1'", f"NOT ({one} < {other})", f"{one} > 'b' OR FALSE",
            f"({one} IS NULL) IS NOT TRUE", f"{one} <=> {other}", f"{one} REGEXP 'a'", f"{one} XOR {other}", f"{one}",
        ])  # fmt: skip

    def scalar(self, scope: Columns, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.35:
            return self.column(scope)
        a, b = self.scalar(scope, depth - 1), self.scalar(scope, depth - 1)
        makers: list[Callable[[], str]] = [
            lambda: self.textual(a, b), lambda: self.numeric(a, b), lambda: self.chosen(scope, a, b), lambda: self.nested(a, b)
        ]  # fmt: skip
        return self.random.choice(makers)()

    def textual(self, a: str, b: str) -> str:
        return self.random.choice([
            f"CONCAT({a}, {b})", f"UPPER({a})", f"LOWER({a})", f"REVERSE({a})", f"HEX({a})", f"TO_BASE64({a})", f"QUOTE({a})",
            f"CONCAT_WS('-', {a}, {b})", f"LEFT({a}, 20)", f"SUBSTRING({a}, 2)", f"REPLACE({a}, 'q', 'r')", f"TRIM({a})",
            f"LPAD({a}, 30, 'x')", f"CAST({a} AS char)",
            f"CONVERT({a} USING utf8mb4)", f"CAST({a} AS binary)", f"REPEAT({a}, 2)",
            f"INSERT({a}, 1, 0, {b})", f"ELT(1, {a}, {b})", f"REGEXP_REPLACE({a}, 'q', 'r')", f"SUBSTRING_INDEX({a}, 'q', 1)",
            f"FORMAT({a}, 0)", f"MAKE_SET(3, {a}, {b})", f"UNHEX(HEX({a}))", f"WEIGHT_STRING({a})", f"MD5({a})", f"CHAR({a})",
            f"({a}) COLLATE utf8mb4_bin", f"DATE_FORMAT({a}, '%Y-%m-%d')", f"SOUNDEX({a})", f"CONV({a}, 10, 16)",
        ])  # fmt: skip

    def numeric(self, a: str, b: str) -> str:
        return self.random.choice([
            f"({a} + 0)", f"({a} * 1)", f"({a} | 0)",
            f"-({a})", f"({a} DIV 1)", f"CAST({a} AS signed)", f"CAST({a} AS decimal(20, 2))",
            f"ROUND({a}, 1)", f"ABS({a})", f"({a} MOD 1000000000000000)", f"LENGTH({a})", f"ASCII({a})", f"CRC32({a})",
            f"1 / ({a} - 5)", f"({a} > {b})", f"({a} = {b})",
            f"({a} <=> {b})", f"({a}) IS NULL", f"POW({a}, 1)", f"INSTR({a}, {b})",
            f"CAST({a} AS date)", f"DATE({a})", f"{a} + INTERVAL 0 DAY",
            f"TO_DAYS({a})", f"({a} LIKE {b})", f"STRCMP({a}, {b})",
            f"ROW_NUMBER() OVER (ORDER BY {a})", f"COUNT(*) OVER (PARTITION BY {a})", f"SUM({a}) OVER ()", "twice(2)",
        ])  # fmt: skip

    def chosen(self, scope: Columns, a: str, b: str) -> str:
        return self.random.choice([
            f"COALESCE({a}, {b})", f"IFNULL({a}, {b})", f"NULLIF({a}, 'q')", f"IF({self.condition(scope)}, {a}, {b})",
            f"CASE WHEN {self.condition(scope)} THEN {a} ELSE {b} END", f"CASE {a} WHEN 'q' THEN {b} ELSE {a} END",
            f"GREATEST({a}, {b})", f"LEAST({a}, {b})", f"FIRST_VALUE({a}) OVER (ORDER BY {b})", f"LAG({a}) OVER (ORDER BY {b})",
            f"MAX({a}) OVER ()", f"(SELECT {a})", f"(SELECT MAX({b}) FROM customers z)",
            "get_ssn(1)", "via_variable(2)", "get_name(1)",
            f"(SELECT {a} FROM numbers z LIMIT 1)", f"NTH_VALUE({a}, 1) OVER ()", f"@v := {a}", "@v",
        ])  # fmt: skip

    def nested(self, a: str, b: str) -> str:
        return self.random.choice([
            f"JSON_OBJECT('k', {a})", f"JSON_OBJECT({a}, 1)",
            f"JSON_ARRAY({a}, {b})", f"JSON_QUOTE({a})", f"JSON_UNQUOTE(JSON_QUOTE({a}))",
            f"JSON_EXTRACT(JSON_OBJECT('k', {a}), '$.k')",
            f"JSON_SET('{{}}', '$.a', {a})", f"JSON_VALUE(JSON_ARRAY({a}), '$[0]')",
            f"JSON_KEYS(JSON_OBJECT({a}, 1))", f"JSON_EXTRACT({a}, '$.k')",
            f"JSON_MERGE_PATCH('{{}}', {a})", f"JSON_VALID({a})",
            f"EXTRACTVALUE(CONCAT('<a>', {a}, '</a>'), '/a')",
            f"UPDATEXML('<a>x</a>', '/a', {a})", f"EXTRACTVALUE(1, CONCAT(0x7e, {a}))",
        ])  # fmt: skip
