# ruff: noqa: E501 - tables of statements and rules, one a line
"""What the shipped packs decide, over statements as the classifiers describe them."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from rules.config import pack
from rules.model import (
    Allow,
    Deny,
    Effect,
    Function,
    Hold,
    Identity,
    Kind,
    Namespace,
    Relation,
    Setting,
    Statement,
    Volatility,
)
from rules.packs import PACKS, pack_text
from rules.policy import Facts, decide
from tests.rules.statements import builtin, opaque, statement, statements, unknown, writes

FACTS = Facts(Identity("agent"), "shop", Namespace(search_path=("public",)))
AGENT, READ_ONLY, ALL = pack("agent-default"), pack("read-only"), pack("allow-all")
READERS = frozenset({Effect.READ, Effect.SAMPLES})
OWN_SESSION = READERS | {
    Effect.TRANSACTION,
    Effect.SETTING,
    Effect.NAMESPACE,
    Effect.LEXING,
    Effect.ROLE,
    Effect.ADVISORY_LOCK,
}


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_says_why_and_each_of_its_stops_has_a_reason(name: str) -> None:
    assert pack_text(name).startswith(f"# {name}: ")
    for rule in pack(name).rules:
        if not rule.lets_through:
            assert rule.reason, rule.name
        if rule.action == "deny":
            assert rule.hint, rule.name


@given(statements)
def test_agent_default_lets_through_nothing_that_outlasts_the_session(found: Statement) -> None:
    if isinstance(decide(AGENT, found, FACTS), Allow):
        assert found.effects <= OWN_SESSION
        assert found.opaque is None
        assert found.kind is not Kind.OPAQUE


@given(statements)
def test_read_only_decides_at_least_as_strictly_as_agent_default(found: Statement) -> None:
    found = evolve(found, root="SelectStmt")  # a DROP is a definition for read-only, and no read for anybody
    decision = decide(READ_ONLY, found, FACTS)
    assert isinstance(decision, Allow | Deny)
    if isinstance(decision, Allow):
        assert decision.read_only
        assert isinstance(decide(AGENT, found, FACTS), Allow)


@given(statements)
def test_allow_all_stops_nothing_and_marks_everything(found: Statement) -> None:
    decision = decide(ALL, found, FACTS)
    assert isinstance(decision, Allow)
    assert decision.observe


@given(st.sampled_from(sorted(set(Effect) - OWN_SESSION)), st.sampled_from(Kind))
def test_a_dangerous_effect_is_stopped_in_whatever_statement_it_hides(effect: Effect, kind: Kind) -> None:
    assert not isinstance(decide(AGENT, statement(kind, effect), FACTS), Allow)
    assert isinstance(decide(READ_ONLY, statement(kind, effect), FACTS), Deny)


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        (statement(), "reads"),
        (statement(functions=(builtin("lower"), builtin("random", volatility=Volatility.VOLATILE))), "reads"),
        (statement(Kind.EXPLAIN, inner=statement(Kind.DELETE, Effect.WRITE)), "reads"),
        (statement(Kind.SHOW), "reads"),
        (statement(Kind.COPY), "reads"),
        (statement(Kind.SELECT, Effect.SAMPLES), "reads"),
        (statement(Kind.TRANSACTION, Effect.TRANSACTION), "transactions"),
        (statement(Kind.EXECUTE), "prepared-names"),
        (statement(Kind.PREPARE, inner=statement()), "prepared-names"),
        (statement(Kind.SET, Effect.SETTING, settings=(Setting("timezone", "UTC"),)), "session-settings"),
        (statement(Kind.SET, Effect.SETTING, Effect.NAMESPACE, settings=(Setting("search_path", "app"),)), "session-settings"),
        (statement(Kind.SET, Effect.SETTING, Effect.LEXING, settings=(Setting("client_encoding", "UTF8"),)), "session-settings"),
        (statement(Kind.SET, Effect.ROLE, Effect.SETTING, settings=(Setting("role"),), root="VariableSetStmt"), "reset"),
        (
            statement(
                Kind.SELECT, Effect.ADVISORY_LOCK,
                functions=(Function("pg_catalog", "pg_advisory_unlock_all", Volatility.VOLATILE, frozenset({Effect.ADVISORY_LOCK}), True),),
            ),
            "advisory-unlock",
        ),
    ],
)  # fmt: skip
def test_what_agent_default_lets_through(found: Statement, rule: str) -> None:
    decision = decide(AGENT, found, FACTS)
    assert isinstance(decision, Allow), decision
    assert decision.rule == rule


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        (statement(Kind.INSERT, Effect.WRITE), "writes"),
        (statement(Kind.DELETE, Effect.WRITE, has_where=True), "writes"),
        (statement(Kind.DELETE, Effect.WRITE, has_where=False), "whole-table"),
        (statement(Kind.UPDATE, Effect.WRITE, has_where=True, trivial_where=True), "whole-table"),
        (statement(Kind.TRUNCATE, Effect.WRITE), "truncate"),
        (statement(Kind.DDL, Effect.DDL, root="CreateStmt"), "definitions"),
        (statement(Kind.DO, Effect.CODE), "code"),
        (statement(Kind.SELECT, Effect.DYNAMIC_SQL), "code"),
        (statement(Kind.SELECT, Effect.UNKNOWN, functions=(unknown("f"),)), "unknown"),
        (statement(Kind.SELECT, Effect.ROW_LOCK), "row-locks"),
        (statement(Kind.SELECT, Effect.ADVISORY_LOCK, functions=(builtin("pg_advisory_lock", Effect.ADVISORY_LOCK),)), "advisory-locks"),
        (statement(Kind.SELECT, Effect.SEQUENCE), "sequences"),
        (statement(Kind.NOTIFY, Effect.NOTIFY), "notifications"),
        (statement(Kind.SET, Effect.SETTING, settings=(Setting("session_replication_role", "replica"),)), "default"),
        (statement(Kind.SET, Effect.SETTING, Effect.LEXING, settings=(Setting("client_encoding", "SJIS"),)), "changed-reading"),
        (statement(Kind.SET, Effect.SETTING, Effect.LEXING, settings=(Setting("sql_mode"),)), "changed-reading"),
        (opaque(), "unknown"),
    ],
)  # fmt: skip
def test_what_agent_default_holds(found: Statement, rule: str) -> None:
    decision = decide(AGENT, found, FACTS)
    assert isinstance(decision, Hold), decision
    assert decision.rule == rule


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        (statement(Kind.DDL, Effect.DDL, root="DropStmt"), "no-drop"),
        (statement(Kind.DDL, Effect.DDL, root="DropdbStmt"), "no-drop"),
        (statement(Kind.GRANT, Effect.GRANT), "no-grants"),
        (statement(Kind.COPY, Effect.PROGRAM), "no-programs"),
        (statement(Kind.SELECT, Effect.FILE_READ), "no-server-files"),
        (statement(Kind.SELECT, Effect.NETWORK, Effect.UNKNOWN), "no-connections"),
        (statement(Kind.SELECT, Effect.ADMIN), "no-administration"),
        (statement(Kind.SELECT, Effect.SLEEP), "no-sleep"),
        (statement(Kind.TRANSACTION, Effect.TWO_PHASE), "no-two-phase"),
        (statement(Kind.SET, Effect.ROLE, Effect.SETTING, settings=(Setting("role", "postgres"),)), "no-other-role"),
        (statement(Kind.SELECT, Effect.ROLE, functions=(builtin("set_config"),)), "no-other-role"),
        (statement(relations=(Relation(None, "pg_authid"),)), "no-credentials"),
        (
            statement(Kind.INSERT, Effect.WRITE, relations=(writes("x"), Relation("pg_catalog", "pg_shadow"))),
            "no-credentials",
        ),
    ],
)
def test_what_agent_default_denies(found: Statement, rule: str) -> None:
    decision = decide(AGENT, found, FACTS)
    assert isinstance(decision, Deny), decision
    assert decision.rule == rule


def test_samples_are_stopped_where_something_is_masked() -> None:
    found = statement(Kind.SELECT, Effect.SAMPLES)
    masked = evolve(FACTS, masked=True)
    assert isinstance(decide(AGENT, found, masked), Hold)
    assert isinstance(decide(READ_ONLY, found, masked), Deny)
    assert isinstance(decide(AGENT, found, FACTS), Allow)


@pytest.mark.parametrize(
    "found",
    [
        evolve(statement(Kind.TRANSACTION, Effect.TRANSACTION), transaction="begin_write"),
        statement(Kind.SET, Effect.SETTING, settings=(Setting("transaction_read_only", "off"),)),
        statement(Kind.SET, Effect.SETTING, settings=(Setting("default_transaction_read_only"),)),
        statement(Kind.SET, Effect.SETTING, settings=(Setting("transaction_read_only", "o"),)),
        statement(Kind.PREPARE, inner=statement(Kind.DELETE, Effect.WRITE)),
        statement(Kind.INSERT, Effect.WRITE),
        opaque(),
    ],
)
def test_read_only_keeps_its_second_fence(found: Statement) -> None:
    assert isinstance(decide(READ_ONLY, found, FACTS), Deny)
