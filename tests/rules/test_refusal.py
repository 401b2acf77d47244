"""What a client is told fits one text for every client, and carries nothing that a client could have put there."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from rules.model import Access, Allow, Deny, Effect, Hold, Judgement, Kind, Relation, Statement
from rules.refusal import (
    Refusal,
    cancelled,
    denied,
    describe_statement,
    expired,
    limit_reached,
    pending,
    refusal,
    unavailable,
)
from tests.rules.statements import opaque, statement, statements, writes

HOLD = Hold("writes", ("it changes rows",), "Read instead.", frozenset({"dba"}))


def judgement(*found: Statement) -> Judgement:
    decisions = tuple(Deny("no-drop", ("why",)) if each.kind is Kind.DDL else Allow("reads") for each in found)
    return Judgement(found, decisions[0], decisions)


def test_a_refusal_names_the_statement_the_rule_the_reason_and_the_next_step() -> None:
    drop = statement(
        Kind.DDL, Effect.DDL, relations=(Relation("public", "orders", Access.DDL),), text="drop  table orders"
    )
    found = refusal(Deny("no-drop", ("it never comes back", "root DropStmt"), "Rename it."), judgement(drop))
    assert found == Refusal(
        "42501",
        'wireproxy: DROP TABLE public.orders refused by rule "no-drop"',
        "it never comes back; root DropStmt",
        "Rename it.",
    )


def test_a_refusal_without_a_hint_has_one_all_the_same() -> None:
    assert refusal(Deny("x", ("y",)), judgement(statement())).hint


def test_of_a_batch_the_statement_that_decided_is_named() -> None:
    batch = (statement(batch=2), Statement("DROP TABLE t", Kind.DDL, "DropStmt", index=1, batch=2))
    assert "DROP TABLE (statement 2 of 2) refused" in refusal(Deny("no-drop", ()), judgement(*batch)).message


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            statement(Kind.DELETE, relations=(Relation("a", "read"), writes("log", "a")), text="DELETE FROM a.log"),
            "DELETE a.log",
        ),
        (statement(Kind.SELECT, relations=(Relation(None, "t"),), text="select * from t"), "SELECT t"),
        (statement(Kind.DELETE, text="WITH x AS (DELETE FROM t) SELECT 1"), "DELETE"),
        (statement(Kind.DDL, text="/* hi */ DROP TABLE t"), "DDL"),
        (statement(Kind.DDL, text="create evil words"), "CREATE"),
        (opaque(), "a statement that could not be understood"),
        (
            statement(relations=tuple(Relation("s", str(number)) for number in range(9)), text="SELECT"),
            "SELECT s.0, s.1, s.2, …",
        ),
    ],
)
def test_statements_in_a_few_words(found: Statement, words: str) -> None:
    assert describe_statement(found) == words


def test_a_hold_says_how_it_is_approved_and_what_to_do_then() -> None:
    assert (
        pending("wp-7f3a", HOLD, 20).message == 'wireproxy: held by rule "writes"; request wp-7f3a waits for approval'
    )
    assert pending("wp-7f3a", HOLD, 20).hint == "Waiting up to 20 s for dba: wireproxy approve wp-7f3a"
    over = expired("wp-7f3a", HOLD)
    assert over.sqlstate == "42501"
    assert over.message.startswith("wireproxy: request wp-7f3a is pending")
    assert (
        over.hint == "Read instead. Run the same statement again once it is approved by dba: wireproxy approve wp-7f3a"
    )


def test_a_quorum_is_said() -> None:
    assert "2 of dba or sec" in expired("wp-1", Hold("r", (), approvers=frozenset({"sec", "dba"}), quorum=2)).hint
    assert "waiting up to 9 s for 2 approvers:" in pending("wp-1", Hold("r", (), quorum=2), 9).hint.lower()
    assert "again once it is approved by 2 approvers:" in expired("wp-1", Hold("r", (), quorum=2)).hint
    assert "again once it is approved: wireproxy" in expired("wp-1", Hold("r", ())).hint


def test_a_denial_says_who_and_why() -> None:
    found = denied("wp-1", "denied", "not today", ("ann", "bob"))
    assert (found.message, found.detail) == (
        "wireproxy: request wp-1 was denied by ann, bob",
        "The reason given: not today",
    )
    assert denied("wp-1", "denied", "", ()).detail == "No reason was given."
    assert "make a new request" in denied("wp-1", "expired", "", ()).hint


def test_cancelling_looks_like_the_servers_own() -> None:
    assert cancelled("wp-1").sqlstate == "57014"
    assert "canceling statement due to user request" in cancelled("").message


def test_a_limit_says_when_it_resets() -> None:
    found = limit_reached("exports", "rows", 1_000_000, 3600, 90)
    assert "it resets in 2 min" in found.message
    assert found.detail == "The rule lets through 1,000,000 rows in 1.0 h."


@given(statements, st.text(max_size=50), st.text(max_size=900))
def test_no_name_or_reason_gets_out_of_its_line(found: Statement, name: str, reason: str) -> None:
    found = evolve(found, relations=(Relation(name, name),), text=reason)
    texts = (
        refusal(Deny(name, (reason,)), Judgement((found,), Deny(name, ()), (Deny(name, ()),))),
        pending("wp-1", Hold(name, (reason,), approvers=frozenset({name})), 1),
        expired("wp-1", Hold(name, (reason,))),
        denied("wp-1", name, reason, (name,)),
        denied("wp-1", "denied", reason, (name,)),
        unavailable(reason),
    )
    for text in texts:
        for field in (text.message, text.detail, text.hint):
            assert field.isprintable() or not set(field) & set("\r\n\t\x00\x1b\x85\u2028\u202e")
            assert len(field.encode()) < 5000
