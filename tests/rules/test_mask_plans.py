"""Plans of EXPLAIN without their expressions: what stays is known by its form, and everything else goes."""

from __future__ import annotations

import pytest
from pglast import parser

from rules.masking.plans import PlanFormat, format_of, without_expressions
from rules.policy import MaskRule, Policy
from tests.rules.mask_catalog import examine, mask_set

MASKS = mask_set(rules=(MaskRule("public.customers.ssn", "pseudonym"),))


@pytest.mark.parametrize(
    "line",
    [
        "Seq Scan on customers  (cost=0.00..35.50 rows=10 width=4)",
        '  ->  Index Only Scan Backward using "my idx" on public.customers c  (cost=0.15..8.17 rows=1 width=4) (never executed)',
        "        ->  Parallel Hash Left Join  (cost=0.00..1.00 rows=1 width=4) (actual time=0.010..0.020 rows=1.00 loops=1)",
        "  ->  Finalize GroupAggregate  (cost=0.00..1.00 rows=1 width=4)",
        "Seq Scan",
        "  SubPlan 1",
        "  InitPlan 2 (returns $0,$1)",
        "  Rows Removed by Filter: 1999",
        "  Sort Method: top-N heapsort  Memory: 25kB",
        "  Buffers: shared hit=3 read=1, temp written=2",
        "Planning Time: 0.113 ms",
        "Trigger tells on customers: time=1.234 calls=1000",
        "Trigger for constraint a_fkey: calls=2",
    ],
)
def test_nodes_and_figures_stay(line: str) -> None:
    assert without_expressions("text")(line.encode()) == line.encode()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  Filter: (ssn = 'canary'::text)", "  Filter: ***"),
        ("        Index Cond: (card = '7654321'::bigint)", "        Index Cond: ***"),
        ("  Output: id, 'canary'::text", "  Output: ***"),
        ("  Remote SQL: SELECT id FROM t WHERE ((ssn = 'canary'))", "  Remote SQL: ***"),
        ("  New Property: canary", "***"),
        ("canary'::text)", "***"),
        ("Seq Scan on canary", "Seq Scan ***"),  # with costs off; or the middle of a constant of several lines
        ("  ->  Index Scan using canary on t", "  ->  Index Scan ***"),
        ("CTE canary", "CTE ***"),
        ("Buffers: canary", "***"),
        ("Worker 1: canary", "***"),
        ("Custom Scan (Canary) on t", "***"),
        ("Sort canary  (cost=0.00..1.00 rows=1 width=4)", "***"),
        ("Hash Cond: (a = 'canary')  (cost=0.00..1.00 rows=1 width=4)", "Hash Cond: ***"),
    ],
)
def test_everything_else_of_a_line_is_overwritten(line: str, shown: str) -> None:
    assert without_expressions("text")(line.encode()) == shown.encode()


WHOLE: list[tuple[PlanFormat, str, str]] = [
    (
        "json",
        '[\n  {\n    "Plan": {\n      "Node Type": "Sort",\n      "Plan Rows": 1.50,\n      "Sort Key": ["canary", "b"],\n'
        '      "Output": [\n        "canary \\" x"\n      ],\n      "Filter": "(a = \'canary\')"\n'
        '    },\n    "Triggers": [\n    ]\n  }\n]',
        '[\n  {\n    "Plan": {\n      "Node Type": "Sort",\n      "Plan Rows": 1.50,\n      "Sort Key": ["***"],\n'
        '      "Output": [\n        "***"\n      ],\n      "Filter": "***"\n    },\n    "Triggers": [\n    ]\n  }\n]',
    ),
    ("json", "[\n canary\n]", '"***"'),
    ("json", '[\n  {"Filter": "canary"}\n]', '"***"'),
    (
        "yaml",
        '- Plan: \n    Node Type: "Sort"\n    Sort Key: \n      - "canary"\n    Filter: "canary \\n x"\n    Plan Rows: 3',
        '- Plan: \n    Node Type: "Sort"\n    Sort Key: \n      - "***"\n    Filter: "***"\n    Plan Rows: 3',
    ),
    ("yaml", "- Plan: canary", "***"),
    ("yaml", '- Plan: \n    Filter: "a" canary', "***"),
    (
        "xml",
        '<explain xmlns="http://x">\n <Node-Type>Sort</Node-Type>\n <Filter>canary &lt;\nSort</Filter>\n <Item>canary</Item>\n'
        " <Plan-Rows>3</Plan-Rows>\n <Triggers>\n </Triggers>\n</explain>",
        '<explain xmlns="http://x">\n <Node-Type>Sort</Node-Type>\n <Filter>***</Filter>\n <Item>***</Item>\n'
        " <Plan-Rows>3</Plan-Rows>\n <Triggers>\n </Triggers>\n</explain>",
    ),
    ("xml", "<explain>canary<Filter>x</Filter></explain>", "<explain/>"),
    ("xml", '<explain a="canary"></explain>', "<explain/>"),
]  # fmt: skip


@pytest.mark.parametrize(("style", "plan", "shown"), WHOLE)
def test_whole_plans(style: PlanFormat, plan: str, shown: str) -> None:
    assert (without_expressions(style)(plan.encode()) or b"").decode() == shown


@pytest.mark.parametrize("style", ["text", "json", "xml", "yaml"])
def test_null_stays_null(style: PlanFormat) -> None:
    assert without_expressions(style)(None) is None


@pytest.mark.parametrize(
    "line", [b"Buffers: " + b"1" * 5000 + b"canary", b"Sort on " + b"a." * 5000 + b"'canary", b" " * 5000 + b"'canary"]
)
def test_a_line_costs_no_more_than_its_length(line: bytes) -> None:
    assert b"canary" not in (without_expressions("text")(line) or b"")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", "text"),
        ("ANALYZE", "text"),
        ("(FORMAT JSON)", "json"),
        ("(format 'Yaml', ANALYZE off)", "yaml"),
        ("(FORMAT XML, FORMAT TEXT)", "text"),
        ("(FORMAT new)", None),
    ],
)
def test_the_form_is_that_of_the_last_option(options: str, expected: PlanFormat | None) -> None:
    (tree,) = parser.parse_sql(f"EXPLAIN {options} SELECT 1")
    assert format_of(tree.stmt.options) == expected


@pytest.mark.parametrize(
    ("sql", "treatments"),
    [
        ("EXPLAIN SELECT id FROM customers WHERE ssn = 'x'", ["without expressions"]),
        ("EXPLAIN (FORMAT JSON) EXECUTE p('x')", ["without expressions"]),
        ("EXPLAIN (FORMAT other) SELECT id FROM customers WHERE ssn = 'x'", ["redact (derived)"]),
        ("EXPLAIN SELECT id FROM customers WHERE name = 'x'", ["as it is"]),
    ],
)
def test_what_the_plan_of_a_statement_gets(sql: str, treatments: list[str]) -> None:
    assert [each.treatment for each in examine(sql, MASKS).outputs()] == treatments


def test_a_plan_is_not_derived_from_what_its_constants_stand_for() -> None:
    masks = mask_set(Policy("p", (), derived="deny"), rules=(MaskRule("public.customers.ssn", "pseudonym"),))
    assert not examine("EXPLAIN SELECT id FROM customers WHERE ssn = 'x'", masks).findings
    assert examine("SELECT upper(ssn) FROM customers", masks).findings
