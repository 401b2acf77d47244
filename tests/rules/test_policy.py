"""A rule that stops needs one part of a statement; a rule that lets through needs all of it."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from rules.catalog import Catalog, CatalogRelation
from rules.conditions import EVERY_EFFECT
from rules.config import pack
from rules.judge import Judge
from rules.model import (
    Allow,
    Decision,
    Deny,
    Dialect,
    Effect,
    Hold,
    Identity,
    Kind,
    Namespace,
    Relation,
    Setting,
    Statement,
    severity,
)
from rules.policy import Facts, Policy, Rule, When, applicable, decide, decide_batch, decides_by_estimate, worst
from tests.rules.statements import builtin, functions, opaque, relations, statement, statements, unknown, writes

FACTS = Facts(Identity("agent", frozenset({"agents"})), "shop", Namespace(search_path=("public",)))
MONDAY_9 = 9 * 60


def policy(*rules: Rule, default: str = "deny") -> Policy:
    return Policy("test", rules, default)  # type: ignore[arg-type]


def allow(**when: object) -> Policy:
    return policy(Rule("yes", "allow", when=When(**when)))  # type: ignore[arg-type]


def deny(**when: object) -> Policy:
    return policy(Rule("no", "deny", when=When(**when)), default="allow")  # type: ignore[arg-type]


def passes(rules: Policy, found: Statement, facts: Facts = FACTS) -> bool:
    return isinstance(decide(rules, found, facts), Allow)


# -- order


def test_the_first_rule_that_matches_decides() -> None:
    rules = policy(
        Rule("a", "hold", when=When(kinds=frozenset({Kind.DELETE}))),
        Rule("b", "deny"),
        Rule("c", "allow"),
        default="allow",
    )
    assert decide(rules, statement(Kind.DELETE, Effect.WRITE), FACTS).rule == "a"
    assert decide(rules, statement(), FACTS).rule == "b"


def test_the_worst_statement_decides_a_batch() -> None:
    found: list[Decision] = [Allow("a"), Hold("b", ()), Deny("c", ()), Hold("d", ())]
    assert worst(found).rule == "c"
    assert worst(found[:2]).rule == "b"
    assert worst([]) == Allow("empty")


def test_holds_of_one_batch_are_satisfied_together() -> None:
    easy = Hold("a", ("x",), approvers=frozenset({"dev", "dba"}), maximum_rows=100)
    hard = Hold("b", ("y",), "Look.", frozenset({"dba"}), 2, 5.0, 60.0, 1000)
    everybody = Hold("c", ("x",))
    assert worst((easy, Allow("z"), hard, everybody)) == Hold(
        "a, b, c", ("x", "y"), "Look.", frozenset({"dba"}), 2, 5.0, 60.0, 100
    )
    assert worst((easy, easy)) == easy
    assert worst((easy, hard)) == evolve(worst((hard, easy)), rule="a, b", reasons=("x", "y"))


def test_holds_that_nobody_could_satisfy_together_are_refused() -> None:
    found = worst((Hold("a", (), approvers=frozenset({"dev"})), Hold("b", (), approvers=frozenset({"dba"}))))
    assert found == Deny("a, b", ("its parts need different approvers",), "Send the statements one by one.")


def test_a_hold_carries_what_the_rule_says() -> None:
    rule = Rule("h", "hold", "why", "what now", When(), frozenset({"dba"}), 2, 5.0, 60.0, 10)
    found = decide(policy(rule), statement(), FACTS)
    assert found == Hold("h", ("why",), "what now", frozenset({"dba"}), 2, 5.0, 60.0, 10)


def test_observe_allows_and_marks() -> None:
    assert decide(policy(Rule("o", "observe")), statement(), FACTS) == Allow("o", observe=True)


@given(statements, st.sampled_from(["allow", "hold", "deny"]))
def test_every_statement_gets_a_decision_with_a_reason(found: Statement, default: str) -> None:
    decision = decide(policy(default=default), found, FACTS)
    assert decision.rule == "default"
    assert decision.reasons


# -- what was not understood


@given(st.sampled_from(Effect), st.booleans())
def test_nothing_but_the_word_opaque_lets_through_what_was_not_understood(effect: Effect, everything: bool) -> None:
    when = When() if everything else When(only_effects=EVERY_EFFECT, effects=frozenset({effect}))
    assert not passes(policy(Rule("yes", "allow", when=when)), opaque())
    assert not passes(policy(Rule("yes", "observe", when=when)), opaque())


def test_a_default_of_allow_holds_what_was_not_understood() -> None:
    assert isinstance(decide(policy(default="allow"), opaque(), FACTS), Hold)
    assert isinstance(decide(policy(default="deny"), opaque(), FACTS), Deny)


def test_a_rule_that_names_opaque_lets_it_through() -> None:
    assert passes(allow(kinds=frozenset({Kind.OPAQUE})), opaque())


def test_a_statement_with_a_reason_for_being_opaque_is_opaque_whatever_its_kind() -> None:
    found = statement(Kind.SELECT, opaque="half understood")
    assert not passes(allow(kinds=frozenset({Kind.SELECT})), found)
    assert not passes(policy(default="allow"), found)


def test_a_rule_that_stops_goes_by_what_was_understood_of_an_opaque_statement() -> None:
    found = statement(Kind.DDL, Effect.DDL, root="DropStmt", opaque="what orders means may have changed")
    ddl, delete = frozenset({Kind.DDL}), frozenset({Kind.DELETE})
    for denying in (deny(kinds=ddl), deny(roots=("Drop*",)), deny(roots=("Drop*",), effects=frozenset({Effect.DDL}))):
        assert isinstance(decide(denying, found, FACTS), Deny)
    for other in (deny(kinds=delete), deny(roots=("Trunc*",)), deny(kinds=delete, effects=frozenset({Effect.DDL}))):
        assert isinstance(decide(other, found, FACTS), Hold)  # as everything that was not understood
    for when in (When(kinds=frozenset({Kind.DDL})), When(roots=("Drop*",))):
        assert not passes(policy(Rule("yes", "allow", when=when)), found)


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (Dialect.POSTGRES, b"COMMIT; DROP TABLE orders"),
        (Dialect.POSTGRES, b"SET search_path TO x; DROP TABLE IF EXISTS orders CASCADE"),
        (Dialect.POSTGRES, b"SELECT nobody_knows(); DROP VIEW v"),
        (Dialect.MYSQL, b"CALL p(); DROP TABLE orders"),
        (Dialect.MYSQL, b"PREPARE s FROM 'USE x'; EXECUTE s; DROP TABLE orders"),
    ],
)
def test_what_is_put_in_front_of_a_drop_makes_no_request_of_it(dialect: Dialect, text: bytes) -> None:
    judge = Judge(dialect, pack("agent-default"), "shop", Identity("agent"), None, None)
    found = judge.judge(
        text, Namespace(database="shop", server_version=180000 if dialect is Dialect.POSTGRES else 80036)
    )
    assert found.statements[-1].opaque is not None
    assert isinstance(found.decision, Deny)
    assert found.decision.rule == "no-drop"


def test_a_rule_that_denies_unknown_effects_denies_what_was_not_understood() -> None:
    assert not passes(deny(effects=frozenset({Effect.UNKNOWN})), opaque())


# -- letting through needs every part


def test_an_unknown_function_among_reads_is_not_a_read() -> None:
    found = statement(Kind.SELECT, Effect.UNKNOWN, functions=(unknown("wipe"),))
    assert not passes(allow(kinds=frozenset({Kind.SELECT})), found)


@given(st.sampled_from(sorted(EVERY_EFFECT - {Effect.READ})))
def test_allowing_selects_allows_no_effect_beside_reading(effect: Effect) -> None:
    assert not passes(allow(kinds=frozenset({Kind.SELECT})), statement(Kind.SELECT, effect))


def test_allowing_inserts_does_not_allow_an_insert_that_grants() -> None:
    assert passes(allow(kinds=frozenset({Kind.INSERT})), statement(Kind.INSERT, Effect.WRITE))
    assert not passes(allow(kinds=frozenset({Kind.INSERT})), statement(Kind.INSERT, Effect.WRITE, Effect.GRANT))


def test_a_named_effect_is_let_through_with_the_kind() -> None:
    rules = allow(kinds=frozenset({Kind.SELECT}), effects=frozenset({Effect.ROW_LOCK}))
    assert passes(rules, statement(Kind.SELECT, Effect.ROW_LOCK))
    assert not passes(rules, statement(Kind.SELECT))
    assert not passes(rules, statement(Kind.SELECT, Effect.ROW_LOCK, Effect.UNKNOWN))


def test_a_join_of_a_permitted_with_another_table_is_not_permitted() -> None:
    rules = allow(kinds=frozenset({Kind.SELECT}), relations=("app.*",))
    both = statement(relations=(Relation("app", "a"), Relation("public", "b")))
    assert passes(rules, statement(relations=(Relation("app", "a"),)))
    assert not passes(rules, both)


@pytest.mark.parametrize("key", ["relations", "only_relations"])
def test_access_says_which_tables_a_rule_looks_at(key: str) -> None:
    rules = allow(**{"kinds": frozenset({Kind.INSERT}), key: ("app.*",), "access": "write"})
    copied = statement(Kind.INSERT, Effect.WRITE, relations=(writes("log", "app"), Relation("public", "b")))
    assert passes(rules, copied)
    assert not passes(rules, evolve(copied, relations=(writes("log", "app"), writes("b"))))
    every = allow(**{"kinds": frozenset({Kind.INSERT}), key: ("app.*",)})
    assert not passes(every, copied)


def test_a_rule_about_tables_does_not_speak_for_a_statement_without_one() -> None:
    found = statement(functions=(builtin("pg_read_file", Effect.FILE_READ),))
    assert not passes(allow(relations=("*",)), evolve(found, effects=found.effects | {Effect.FILE_READ}))
    assert not passes(allow(relations=("*",)), statement())


def test_an_unqualified_name_is_let_through_only_if_every_place_it_may_be_in_is() -> None:
    rules = allow(kinds=frozenset({Kind.SELECT}), only_relations=("public.*",))
    found = statement(relations=(Relation(None, "orders"),))
    assert passes(rules, found)
    assert not passes(rules, found, evolve(FACTS, namespace=Namespace(search_path=("evil", "public"))))
    assert not passes(rules, found, evolve(FACTS, namespace=Namespace(search_path=())))
    assert not passes(
        rules, found, evolve(FACTS, namespace=Namespace(search_path=("public",), temporary=frozenset({"orders"})))
    )


@pytest.mark.parametrize("known", [True, False])
def test_a_temporary_table_of_that_name_does_not_lift_a_rule_that_stops(known: bool) -> None:
    """It may have been dropped in a way that was not seen: then the name is the permanent table's again."""
    there = {("public", "orders"): CatalogRelation("public", "orders", "r")} if known else {}
    namespace = Namespace(search_path=("public",), temporary=frozenset({"orders"}))
    facts = evolve(FACTS, namespace=namespace, catalog=Catalog(relations=there))
    found = statement(relations=(Relation(None, "orders"),))
    assert not passes(deny(relations=("public.orders",)), found, facts)
    assert not passes(deny(relations=("pg_temp.orders",)), found, facts)
    assert not passes(allow(kinds=frozenset({Kind.SELECT}), only_relations=("public.*",)), found, facts)


def test_the_catalog_tells_where_an_unqualified_name_is() -> None:
    catalog = Catalog(relations={("public", "orders"): CatalogRelation("public", "orders", "r")})
    facts = evolve(FACTS, namespace=Namespace(user="app"), catalog=catalog)
    rules = allow(kinds=frozenset({Kind.SELECT}), only_relations=("public.*",))
    assert passes(rules, statement(relations=(Relation(None, "orders"),)), facts)
    assert not passes(rules, statement(relations=(Relation(None, "made_since"),)), facts)


def test_a_dot_inside_a_name_does_not_reach_over_from_the_schema() -> None:
    rules = allow(kinds=frozenset({Kind.SELECT}), only_relations=("public.*",))
    assert not passes(rules, statement(relations=(Relation("public.x", "y"),)))
    assert not passes(rules, statement(relations=(Relation("Public", "y"),)))


def test_naming_a_function_lets_it_through_and_no_other() -> None:
    rules = allow(kinds=frozenset({Kind.SELECT}), functions=("app.refresh",))
    refresh, wipe = unknown("refresh", "app"), unknown("wipe", "app")
    found = statement(Kind.SELECT, Effect.UNKNOWN, functions=(refresh, builtin("lower")))
    assert passes(rules, found)
    assert not passes(rules, evolve(found, functions=(refresh, wipe)))
    assert not passes(rules, evolve(found, functions=(wipe,)))
    assert not passes(rules, evolve(found, effects=found.effects | {Effect.WRITE}))
    assert not passes(rules, evolve(found, functions=(unknown("refresh"),))), "unqualified: it may be public.refresh"


def test_naming_a_setting_lets_it_through_and_no_other() -> None:
    rules = allow(kinds=frozenset({Kind.SET}), settings=("timezone",))
    zone, role = Setting("timezone", "UTC"), Setting("role", "postgres")
    assert passes(rules, statement(Kind.SET, Effect.SETTING, settings=(zone,)))
    assert not passes(rules, statement(Kind.SET, Effect.SETTING, settings=(zone, role)))
    assert not passes(rules, statement(Kind.SET, Effect.SETTING))
    assert not passes(rules, statement(Kind.SET, Effect.SETTING, settings=(evolve(zone, scope="global"),)))


@given(statements, st.data())
def test_more_effects_never_turn_a_refusal_into_a_pass(found: Statement, data: st.DataObject) -> None:
    """Of a rule that lets through: a part more can only make it match less. Rules that ask for an effect aside."""
    when = data.draw(st.builds(
        When,
        kinds=st.frozensets(st.sampled_from(Kind), max_size=3),
        only_effects=st.frozensets(st.sampled_from(Effect), max_size=6),
        only_relations=st.sampled_from([(), ("public.*",), ("*",)]),
        missing_where=st.none() | st.booleans(),
        batch=st.none() | st.booleans(),
    ))  # fmt: skip
    rules = policy(Rule("yes", "allow", when=when))
    more = evolve(
        found,
        effects=found.effects | data.draw(st.frozensets(st.sampled_from(Effect), max_size=2)),
        relations=found.relations + tuple(data.draw(st.lists(relations, max_size=2))),
        functions=found.functions + tuple(data.draw(st.lists(functions, max_size=2))),
    )
    if passes(rules, more):
        assert passes(rules, found)


@given(statements, st.data())
def test_more_parts_never_turn_a_stop_into_a_pass(found: Statement, data: st.DataObject) -> None:
    when = data.draw(st.builds(
        When,
        effects=st.frozensets(st.sampled_from(Effect), max_size=2),
        relations=st.sampled_from([(), ("public.*",), ("pg_catalog.pg_authid",)]),
        functions=st.sampled_from([(), ("app.*",)]),
        settings=st.sampled_from([(), ("role",)]),
    ))  # fmt: skip
    rules = policy(Rule("no", "deny", when=when), default="allow")
    more = evolve(
        found,
        effects=found.effects | data.draw(st.frozensets(st.sampled_from(Effect), max_size=2)),
        relations=found.relations + tuple(data.draw(st.lists(relations, max_size=2))),
        functions=found.functions + tuple(data.draw(st.lists(functions, max_size=2))),
    )
    assert severity(decide(rules, more, FACTS)) >= severity(decide(rules, found, FACTS))


# -- stopping needs one part


@pytest.mark.parametrize(
    ("when", "found"),
    [
        (When(effects=frozenset({Effect.WRITE, Effect.DDL})), statement(Kind.SELECT, Effect.WRITE)),
        (When(relations=("*.secrets",)), statement(relations=(Relation("a", "x"), Relation("b", "secrets")))),
        (When(relations=("pg_catalog.pg_authid",)), statement(relations=(Relation(None, "pg_authid"),))),
        (When(relations=("app.secrets",)), statement(relations=(Relation("APP", "Secrets"),))),
        (When(functions=("*.dblink*",)), statement(functions=(unknown("dblink_exec", "x"),))),
        (When(functions=("pg_catalog.pg_sleep",)), statement(functions=(unknown("pg_sleep"),))),
        (When(settings=("role",)), statement(Kind.SET, settings=(Setting("timezone", "UTC"), Setting("role", "x")))),
        (When(missing_where=True), statement(Kind.DELETE, has_where=False)),
        (When(missing_where=True), statement(Kind.DELETE, has_where=True, trivial_where=True)),
        (When(batch=True), statement(batch=2)),
        (When(groups=frozenset({"agents", "others"})), statement()),
        (When(identities=frozenset({"agent"})), statement()),
        (When(databases=("sh*",)), statement()),
        (When(roots=("Drop*",)), statement(Kind.DDL, root="DropdbStmt")),
        (When(only_effects=frozenset({Effect.READ})), statement()),
        (When(only_relations=("public.*",)), statement(relations=(Relation("public", "a"),))),
        (When(hours=(0, 600)), statement()),
        (When(estimated_rows_over=10), statement()),
        (When(checks=frozenset({"early-commit", "write-access"})), evolve(statement(Kind.TRANSACTION), transaction="begin_write")),
    ],
)  # fmt: skip
def test_one_part_is_enough_to_stop(when: When, found: Statement) -> None:
    rules = policy(Rule("no", "deny", when=when), default="allow")
    assert isinstance(decide(rules, found, FACTS), Deny)


def test_a_name_whose_schema_is_not_known_is_stopped_by_a_rule_for_any_schema() -> None:
    found = statement(relations=(Relation(None, "customers"),))
    nowhere = evolve(FACTS, namespace=Namespace(search_path=()))
    assert not passes(deny(relations=("public.customers",)), found, nowhere)
    assert passes(deny(relations=("app.customers",)), found), "it can only be in public"


def test_a_mysql_name_is_looked_for_in_the_current_database() -> None:
    facts = evolve(FACTS, namespace=Namespace(database="mysql"))
    assert not passes(deny(relations=("mysql.user",)), statement(relations=(Relation(None, "user"),)), facts)


# -- circumstances


@pytest.mark.parametrize(
    ("hours", "days", "minute", "within"),
    [
        ((540, 1020), frozenset(), MONDAY_9, True),
        ((540, 1020), frozenset(), MONDAY_9 - 1, False),
        ((540, 1020), frozenset(), 1020, False),
        ((540, 1020), frozenset({1}), MONDAY_9, False),
        ((1320, 360), frozenset({0}), 1330, True),
        ((1320, 360), frozenset({0}), 1440 + 60, True),  # Tuesday 01:00 belongs to Monday's night
        ((1320, 360), frozenset({0}), 60, False),  # Monday 01:00 belongs to Sunday's
        ((1320, 360), frozenset({6}), 60, True),
        (None, frozenset({5, 6}), 5 * 1440, True),
    ],
)
def test_hours_and_days(hours: tuple[int, int] | None, days: frozenset[int], minute: int, within: bool) -> None:
    assert passes(allow(hours=hours, days=days), statement(), evolve(FACTS, minute_of_week=minute)) is within


def test_a_time_that_nobody_knows_counts_against_the_statement() -> None:
    assert not passes(allow(hours=(0, 1440)), statement())
    assert not passes(deny(hours=(0, 1)), statement())


def test_an_estimate_that_nobody_has_counts_against_the_statement() -> None:
    rules = policy(Rule("many", "deny", when=When(estimated_rows_over=100)), default="allow")
    assert not passes(rules, statement())
    assert passes(rules, statement(), evolve(FACTS, estimated_rows=100))
    assert not passes(rules, statement(), evolve(FACTS, estimated_rows=101))


def test_the_estimate_is_asked_only_where_it_could_change_the_decision() -> None:
    rules = policy(
        Rule("many", "hold", when=When(kinds=frozenset({Kind.UPDATE}), estimated_rows_over=100)), default="allow"
    )
    assert decides_by_estimate(rules, (statement(Kind.UPDATE, Effect.WRITE),), FACTS)
    assert not decides_by_estimate(rules, (statement(),), FACTS)
    assert not decides_by_estimate(policy(), (statement(),), FACTS)


def test_rules_for_others_are_left_out_of_a_session() -> None:
    rules = policy(
        Rule("dba", "allow", when=When(groups=frozenset({"dba"}))),
        Rule("masked", "deny", when=When(masked=True)),
        Rule("rest", "hold"),
    )
    mine = applicable(rules, FACTS.identity, "shop", masked=False)
    assert [rule.name for rule in mine.rules] == ["rest"]
    assert decide(mine, statement(), FACTS) == decide(rules, statement(), FACTS)


# -- what a statement carries


def test_what_is_prepared_is_decided_as_well() -> None:
    rules = policy(
        Rule("no", "deny", when=When(kinds=frozenset({Kind.DELETE}))),
        Rule("names", "allow", when=When(kinds=frozenset({Kind.PREPARE}))),
    )
    inner = statement(Kind.DELETE, Effect.WRITE)
    assert decide(rules, statement(Kind.PREPARE, inner=inner), FACTS).rule == "no"
    assert passes(rules, statement(Kind.PREPARE))


def test_what_is_only_explained_is_not_decided() -> None:
    rules = allow(kinds=frozenset({Kind.EXPLAIN}))
    assert passes(rules, statement(Kind.EXPLAIN, inner=statement(Kind.DELETE, Effect.WRITE)))


def test_each_statement_of_a_batch_is_decided_with_the_batch_in_sight() -> None:
    rules = deny(checks=frozenset({"early-commit"}))
    delete, commit = (
        statement(Kind.DELETE, Effect.WRITE, batch=2),
        evolve(statement(Kind.TRANSACTION, batch=2), transaction="commit"),
    )
    assert [type(each) for each in decide_batch(rules, (delete, commit), FACTS)] == [Deny, Allow]
    assert [type(each) for each in decide_batch(rules, (delete,), FACTS)] == [Allow]


def test_what_the_rules_reason_says_already_is_not_said_again() -> None:
    rule = Rule("changes", "hold", "it changes rows", when=When(effects=frozenset({Effect.WRITE, Effect.DDL})))
    changed = statement(Kind.UPDATE, Effect.WRITE)
    assert decide(Policy("p", (rule,)), changed, Facts()) == Hold("changes", ("it changes rows",))
    both = statement(Kind.DDL, Effect.WRITE, Effect.DDL)
    assert decide(Policy("p", (rule,)), both, Facts()) == Hold("changes", ("it changes rows", "changes a definition"))
