"""What it costs to judge a MySQL statement that was not seen before, beside the bare parser in the same run.

    python -m bench.judging_mysql

Prints medians in microseconds: `classified` is a text never seen before, `judged` decides about it under a policy as well, `shape`
is one that differs from one judged before in a constant alone (0: none that may differ), `repeated` the very same bytes. The goal
is a new statement of 60 tokens under 500 µs, and a repeated shape under 6 µs.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
import timeit
from collections.abc import Callable

from sqlglot.dialects.mysql import MySQL

from rules.classify.mysql import classify
from rules.classify.mysql.lexer import Lexing, lex
from rules.config import pack
from rules.judge import Judge
from rules.model import Dialect, Identity, Namespace

NEW_US, REPEATED_US = 500.0, 6.0
STATEMENTS = {
    "a primary key": "SELECT * FROM customers WHERE id = {}",
    "60 tokens": (
        "SELECT c.id, c.name, COUNT(*) AS n, SUM(o.amount) AS total FROM customers AS c LEFT JOIN orders AS o"
        " ON o.customer_id = c.id WHERE c.country = 'DE' AND o.created_at >= '{}' GROUP BY c.id HAVING n > 3 LIMIT 20"
    ),
    "a recursive query": (
        "WITH RECURSIVE tree AS (SELECT id, parent_id, 0 AS depth FROM categories WHERE parent_id IS NULL UNION ALL"
        " SELECT c.id, c.parent_id, t.depth + 1 FROM categories c JOIN tree t ON c.parent_id = t.id)"
        " SELECT * FROM tree ORDER BY depth"
    ),
    "an insert of 1000 rows": "INSERT INTO t VALUES " + ",".join(f"({i},'name {i}')" for i in range(1000)),
    "an insert": "INSERT INTO orders (id, customer_id, note) VALUES ({}, 7, 'a note of some length')",
    "a setting": "SET NAMES utf8mb4",
}


def median_us(action: Callable[[], object], number: int) -> float:
    return statistics.median(timeit.repeat(action, timer=time.process_time, number=number, repeat=15)) / number * 1e6


def main() -> int:
    namespace, dialect = Namespace(database="shop"), MySQL()
    judge = Judge(Dialect.MYSQL, pack("agent-default"), "shop", Identity("bench"), None, None)
    judge.judge(b"SELECT 1", namespace)
    print(
        f"{'':<24}{'tokens':>8}{'lexed':>9}{'sqlglot':>9}{'classified':>12}{'judged':>9}{'shape':>9}{'repeated':>10}   µs, medians"
    )
    slow = False
    for name, template in STATEMENTS.items():
        text = template.format(1)
        tokens = len(lex(text, Lexing()).tokens)
        number = 50 if tokens < 500 else 2
        fresh = (f"{text} -- {count}".encode() for count in itertools.count())
        lexed = median_us(lambda text=text: lex(text, Lexing()), number)  # type: ignore[misc]
        parsed = median_us(lambda text=text: dialect.parser().parse(dialect.tokenize(text), text), number)  # type: ignore[misc]
        found = median_us(lambda text=text: classify(text, namespace), number)  # type: ignore[misc]
        judged = median_us(lambda fresh=fresh: judge.judge(next(fresh), namespace), number)  # type: ignore[misc]
        others = (template.format(count).encode() for count in itertools.count(10))
        made = [next(others) for _ in range(number * 16)] if "{}" in template else []
        judge.judge(text.encode(), namespace)
        each = iter(made)
        shaped = median_us(lambda each=each: judge.judge(next(each), namespace), number) if made else 0.0  # type: ignore[misc]
        known = text.encode()
        judge.judge(known, namespace)
        repeated = median_us(lambda known=known: judge.judge(known, namespace), number)  # type: ignore[misc]
        print(
            f"{name:<24}{tokens:>8}{lexed:>9.0f}{parsed:>9.0f}{found:>12.0f}{judged:>9.0f}{shaped:>9.2f}{repeated:>10.2f}"
        )
        slow |= name == "60 tokens" and (judged > NEW_US or max(shaped, repeated) > REPEATED_US)
    print(f"marks: a new statement of 60 tokens under {NEW_US:.0f} µs, a repeated shape under {REPEATED_US:.0f} µs")
    print("missed" if slow else "all are met")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
