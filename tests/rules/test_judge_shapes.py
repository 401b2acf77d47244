# ruff: noqa: E501 - families of statements, one a line
"""Statements of one shape and different meaning: what is kept for the one must not be the answer for the other."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.catalog import Catalog
from rules.classify import shape_postgres
from rules.config import pack
from rules.judge import Judge
from rules.model import Dialect, Identity, Kind, Namespace
from rules.policy import Policy, Rule, When

NAMESPACE = Namespace(search_path=("public",))
CAREFUL_WRITES = Policy(
    "careful",
    (
        Rule("whole", "deny", when=When(missing_where=True)),
        Rule("writes", "allow", when=When(kinds=frozenset({Kind.UPDATE, Kind.DELETE, Kind.INSERT}))),
        *pack("agent-default").rules,
    ),
)
POLICIES = [pack("agent-default"), pack("read-only"), CAREFUL_WRITES]

# Each family is of one shape, or looks as if it could be.
FAMILIES = [
    ["DELETE FROM t WHERE id = 5", "DELETE FROM t WHERE id = 6", "DELETE FROM t WHERE id = $1"],
    ["DELETE FROM t WHERE false", "DELETE FROM t WHERE true", "DELETE FROM t WHERE 't'", "DELETE FROM t WHERE NULL"],
    ["UPDATE t SET a = 1 WHERE 1 = 2", "UPDATE t SET a = 1 WHERE 1 = 1", "UPDATE t SET a = 1 WHERE 2 = 2"],
    ["UPDATE t SET a = 1 WHERE b = 1 AND false", "UPDATE t SET a = 1 WHERE b = 1 OR true", "UPDATE t SET a = 1 WHERE b = 1 OR false"],
    ["UPDATE t SET a = 1 WHERE b = 1 OR 1 = 2", "UPDATE t SET a = 1 WHERE b = 1 OR 1 = 1"],
    ["DELETE FROM t WHERE a IN (1)", "DELETE FROM t WHERE 1 IN (2)", "DELETE FROM t WHERE 1 IN (1)"],
    ["DELETE FROM t WHERE a LIKE 'x'", "DELETE FROM t WHERE a LIKE '%'"],
    ["DELETE FROM t WHERE length(a) > 5", "DELETE FROM t WHERE length(a) > -1"],
    ["SELECT set_config('timezone', 'UTC', false)", "SELECT set_config('role', 'postgres', false)",
     "SELECT set_config('transaction_read_only', 'off', false)", "SELECT set_config('search_path', 'evil', false)"],
    ["SELECT current_setting('a')", "SELECT current_setting('b')"],
    ["SELECT query_to_xml('select 1', true, true, '')", "SELECT query_to_xml('delete from t', true, true, '')"],
    ["SELECT 1", "SELECT 'x'", "SELECT $1", "SELECT NULL"],
    ["SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY 2"],
    ["SELECT pg_advisory_unlock(1)", "SELECT pg_advisory_lock(1)"],
    ["SELECT lower('a')", "SELECT lower('b')", "SELECT lower($1)"],
    ["SELECT to_regclass('pg_authid')", "SELECT to_regclass('t')"],
    ["SELECT has_table_privilege('t', 'select')", "SELECT has_table_privilege('pg_authid', 'select')"],
    ["SELECT lo_get(1)", "SELECT lo_get(2)"],
    ["EXPLAIN (ANALYZE off) DELETE FROM t", "EXPLAIN (ANALYZE on) DELETE FROM t", "EXPLAIN (ANALYZE 0) DELETE FROM t",
     "EXPLAIN (ANALYZE 1) DELETE FROM t", "EXPLAIN (ANALYZE 'false') DELETE FROM t", "EXPLAIN (ANALYZE 'true') DELETE FROM t"],
    ["SET TRANSACTION READ ONLY", "SET TRANSACTION READ WRITE"],
    ["SET client_encoding = 'UTF8'", "SET client_encoding = 'SJIS'"],
    ["SET timezone = 'UTC'", "SET timezone = 5"],
    ["COPY t TO STDOUT (FORMAT 'csv')", "COPY t TO '/tmp/x'", "COPY t TO PROGRAM '/tmp/x'"],
    ["SELECT pg_notify('a', 'b')", "SELECT pg_notify('c', 'd')"],
    ["SELECT * FROM generate_series(1, 2)", "SELECT * FROM generate_series(3, 4)"],
    ["SELECT nextval('a')", "SELECT currval('a')"],
    ["SELECT x'1F'", "SELECT b'1'", "SELECT U&'x'", "SELECT E'x'", "SELECT $$x$$"],
    ["SELECT 1 -- DELETE FROM t", "SELECT 1 --\nDELETE FROM t", "SELECT 1;DELETE FROM t", "SELECT 1 /* ; */ AS a"],
    ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES ((SELECT 1))", "INSERT INTO t VALUES (pg_sleep(1))"],
]  # fmt: skip


def judge_for(policy: Policy) -> Judge:
    return Judge(Dialect.POSTGRES, policy, "shop", Identity("agent"), Catalog(), None)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family[0])
def test_a_statement_is_judged_alike_whatever_came_before_it(policy: Policy, family: list[str]) -> None:
    fresh = {text: judge_for(policy).judge(text.encode(), NAMESPACE).decision for text in family}
    for order in itertools.islice(itertools.permutations(family), 24):
        judge = judge_for(policy)
        for text in (*order, *order):
            assert judge.judge(text.encode(), NAMESPACE).decision == fresh[text], (text, order)


_LITERALS = st.sampled_from(
    ["1", "0", "'a'", "true", "false", "NULL", "$1", "-1", "'%'", "''", "1.5", "'role'", "'now'"]
)
_TEMPLATES = st.sampled_from(
    [
        "DELETE FROM t WHERE {} = {}", "DELETE FROM t WHERE a = {} OR {}", "UPDATE t SET a = {} WHERE {}",
        "SELECT set_config({}, {}, false)", "SELECT {} LIMIT {}", "SELECT a FROM t WHERE {} LIKE {}",
        "DELETE FROM t WHERE a BETWEEN {} AND {}", "DELETE FROM t WHERE NOT ({} IS NULL) AND {}", "SELECT coalesce({}, {})",
        "UPDATE t SET a = 1 WHERE CASE WHEN {} THEN {} END", "DELETE FROM t WHERE a IN ({}, {})", "DELETE FROM t WHERE ({})::bool = {}",
        "DELETE FROM t WHERE {} IS NOT DISTINCT FROM {}", "INSERT INTO t VALUES ({}, {})", "DELETE FROM t WHERE EXISTS (SELECT {} WHERE {})",
    ]
)  # fmt: skip


@given(_TEMPLATES, st.lists(st.tuples(_LITERALS, _LITERALS), min_size=2, max_size=4), st.sampled_from(POLICIES))
def test_other_literals_are_judged_as_if_they_were_the_first(
    template: str, pairs: list[tuple[str, str]], policy: Policy
) -> None:
    judge = judge_for(policy)
    for pair in pairs:
        text = template.format(*pair).encode()
        assert judge.judge(text, NAMESPACE).decision == judge_for(policy).judge(text, NAMESPACE).decision


def test_the_families_do_share_shapes() -> None:
    """Otherwise these tests would show nothing."""
    shared = [family for family in FAMILIES if len({shape_postgres(text) for text in family}) < len(family)]
    assert len(shared) > 15
