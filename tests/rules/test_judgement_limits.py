"""What the judgement of statements is known not to see, shown. Each is a row of docs/limitations.md, which names the test.

When one of these fails, something holds better than the register says: take the row out, and turn the test round.
"""

from __future__ import annotations

import pytest

from rules.catalog import Catalog, CatalogColumn, CatalogForeign, CatalogRelation
from rules.classify.postgres import classify
from rules.config import pack
from rules.judge import Judge
from rules.limits import Usage
from rules.model import Allow, Deny, Dialect, Effect, Hold, Identity, Judgement, Kind, Namespace
from rules.policy import Limit, Policy, Rule, When
from rules.redaction import redact_secrets

NAMESPACE = Namespace(search_path=("public",))


def catalog(*relations: CatalogRelation) -> Catalog:
    found = Catalog()
    for relation in relations:
        found.relations[relation.schema, relation.name] = relation
        found.by_oid[relation.oid] = relation
    return found


def judged(text: str, policy: Policy, known: Catalog | None = None) -> Judgement:
    return Judge(Dialect.POSTGRES, policy, "shop", Identity("agent"), known, None).judge(text.encode(), NAMESPACE)


COLUMNS = (CatalogColumn("id", 1, type_name="int4"),)
ORDERS = CatalogRelation("public", "orders", "r", 1, COLUMNS)
VIEW = CatalogRelation("public", "recent", "v", 2, COLUMNS, "SELECT id FROM public.orders")
FOREIGN = CatalogRelation("public", "far", "f", 3, COLUMNS, foreign=CatalogForeign("public", "elsewhere", ("id",)))


def test_reading_a_foreign_table_is_a_read() -> None:
    (found,) = classify("SELECT id FROM far", NAMESPACE, catalog(FOREIGN))
    assert (found.kind, found.opaque) == (Kind.SELECT, None)
    assert found.effects <= {Effect.READ}
    assert isinstance(judged("SELECT id FROM far", pack("agent-default"), catalog(FOREIGN)).decision, Allow)


def test_a_rule_about_a_table_does_not_see_it_beneath_a_view() -> None:
    policy = Policy("p", (Rule("orders", "hold", when=When(relations=("public.orders",))),), "allow")
    known = catalog(ORDERS, VIEW)
    assert isinstance(judged("SELECT id FROM orders", policy, known).decision, Hold)
    assert isinstance(judged("SELECT id FROM recent", policy, known).decision, Allow)


@pytest.mark.parametrize("rest", ["WHERE a = a || ''", "WHERE id > 0", "USING orders o WHERE o.id = orders.id"])
def test_a_condition_that_excludes_nothing_by_functions_or_data_counts_as_one(rest: str) -> None:
    (found,) = classify(f"DELETE FROM orders {rest}", NAMESPACE, None)
    assert (found.has_where, found.trivial_where) == (True, False)
    (plain,) = classify("DELETE FROM orders WHERE id = id", NAMESPACE, None)
    assert plain.trivial_where


def test_a_rule_that_names_an_unknown_function_accepts_what_else_is_unknown_beside_it() -> None:
    selects, operator = frozenset({Kind.SELECT}), "id OPERATOR(odd.@@@) 1"
    naming = Policy("p", (Rule("mine", "allow", when=When(kinds=selects, functions=("public.mine",))),), "deny")
    reading = Policy("p", (Rule("reads", "allow", when=When(kinds=selects)),), "deny")
    assert isinstance(judged(f"SELECT {operator} FROM orders", reading).decision, Deny)
    assert isinstance(judged("SELECT mine(), other() FROM orders", naming).decision, Deny)
    assert isinstance(judged(f"SELECT mine(), {operator} FROM orders", naming).decision, Allow)


def test_a_limit_counts_in_one_process() -> None:
    limit = Limit(statements=1)
    here, there = Usage(), Usage()
    assert here.begin("agent", "reads", limit, 0) is None
    assert here.begin("agent", "reads", limit, 1) is not None
    assert there.begin("agent", "reads", limit, 1) is None


def test_a_secret_under_a_neutral_name_is_not_redacted() -> None:
    for dialect in Dialect:
        assert b"hunter2" not in redact_secrets(b"INSERT INTO users (password) VALUES ('hunter2')", dialect)
        assert b"hunter2" in redact_secrets(b"INSERT INTO users (word) VALUES ('hunter2')", dialect)
