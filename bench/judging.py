"""What judging a statement costs, beside what its parser alone costs in the same run.

    python -m bench.judging [--rounds N]

Medians of microseconds. `parser` is the parser that is used, `tree` builds pglast's Python objects and is there for comparison.
`new` classifies a text never seen before, `judged` decides about it under a policy as well, `numbers` and `strings` are texts that
differ from one judged before in these alone, `repeated` the very same bytes. (What is held, as the UPDATE here, is not kept by
shape.) What has comments, backslashes or letters beyond ASCII costs what the library's `normalize` costs, or is judged anew.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from attrs import frozen
from pglast import parser

from rules.classify.postgres import classify
from rules.config import pack
from rules.judge import Judge
from rules.model import Dialect, Identity, Namespace

NAMESPACE = Namespace(user="app")
SHAPES = ("by key", "60 tokens")
NEW_TOKENS, NEW_US, REPEATED_US = 64, 400.0, 6.0  # the marks: a statement of some 60 tokens

STATEMENTS = {
    "by key": "SELECT abalance FROM pgbench_accounts WHERE aid = {}",
    "60 tokens": (
        "SELECT o.id, c.name, count(*) AS n FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.created_at >= now() "
        "AND c.country = 'DE' AND o.id > {} GROUP BY o.id, c.name ORDER BY n DESC LIMIT 50"
    ),
    "120 tokens": (
        "WITH recent AS (SELECT id, customer_id, total FROM app.orders WHERE created_at > now() - interval '7 days') "
        "SELECT c.id, c.name, coalesce(sum(r.total), 0) AS amount, rank() OVER (PARTITION BY c.country ORDER BY sum(r.total)) "
        "FROM app.customers c LEFT JOIN recent r ON r.customer_id = c.id WHERE c.country IN ('DE', 'FR', 'IT') AND c.id <> {} "
        "AND EXISTS (SELECT FROM app.items i WHERE i.order_id = r.id AND i.qty * i.price > 10) GROUP BY c.id, c.name, c.country "
        "HAVING count(*) > 1 ORDER BY amount DESC LIMIT 20 OFFSET 40"
    ),
    "update": "UPDATE app.orders SET total = total + 1, note = 'x' WHERE id = {} RETURNING id",
}


@frozen
class Cost:
    """Medians in microseconds."""

    tokens: int
    parser: float
    tree: float
    new: float
    judged: float
    numbers: float
    strings: float
    repeated: float


def median_us(work: Callable[[str], object], texts: Sequence[str]) -> float:
    took = []
    for text in texts:
        started = time.perf_counter_ns()
        work(text)
        took.append(time.perf_counter_ns() - started)
    return statistics.median(took) / 1000


def cost(statement: str, rounds: int) -> Cost:
    def texts(first: int) -> list[str]:
        return [statement.format(number) for number in range(first, first + rounds)]

    def judging(judge: Judge) -> Callable[[str], object]:
        return lambda text: judge.judge(text.encode(), NAMESPACE)

    judge = Judge(Dialect.POSTGRES, pack("agent-default"), "db", Identity("bench"), None, None)
    quoted = statement.replace("{}", "'{}'")
    judge.judge(statement.format(0).encode(), NAMESPACE)
    judge.judge(quoted.format(0).encode(), NAMESPACE)
    return Cost(
        tokens=len(parser.scan(statement.format(1))),
        parser=median_us(parser.parse_sql_json, texts(1_000)),
        tree=median_us(parser.parse_sql, texts(1_000)),
        new=median_us(lambda text: classify(text, NAMESPACE), texts(100_000)),
        # a comment makes a shape of its own
        judged=median_us(judging(judge), [f"{text} -- {number}" for number, text in enumerate(texts(200_000))]),
        numbers=median_us(judging(judge), texts(300_000)),
        strings=median_us(judging(judge), [quoted.format(f"it''s {number}") for number in range(rounds)]),
        repeated=median_us(judging(judge), [statement.format(0)] * rounds),
    )


def table(costs: dict[str, Cost]) -> Iterator[str]:
    titles = f"{'tokens':>8}{'parser':>8}{'tree':>8}{'new':>8}{'judged':>8}{'numbers':>9}{'strings':>9}{'repeated':>10}"
    yield f"{'':12}{titles}   µs, medians"
    for name, found in costs.items():
        yield (
            f"{name:12}{found.tokens:8}{found.parser:8.1f}{found.tree:8.1f}{found.new:8.1f}{found.judged:8.1f}"
            f"{found.numbers:9.1f}{found.strings:9.1f}{found.repeated:10.2f}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=1000, help="statements of each kind")
    chosen = options.parse_args(arguments)
    classify("SELECT 1", NAMESPACE)
    costs = {name: cost(statement, chosen.rounds) for name, statement in STATEMENTS.items()}
    for line in table(costs):
        print(line)
    missed = [name for name, found in costs.items() if found.repeated > REPEATED_US]
    missed += [f"{name} with other numbers" for name in SHAPES if costs[name].numbers > REPEATED_US]
    missed += [f"{name} with other strings" for name in SHAPES if costs[name].strings > REPEATED_US]
    missed += [name for name, found in costs.items() if found.tokens <= NEW_TOKENS and found.judged > NEW_US]
    print(
        f"marks: a new statement of {NEW_TOKENS} tokens under {NEW_US:.0f} µs, a repeated one under {REPEATED_US:.0f} µs"
    )
    print(f"missed by: {', '.join(missed)}" if missed else "all are met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
