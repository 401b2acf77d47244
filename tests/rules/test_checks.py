"""Each check: what it finds, what comes near, and how one would try to get round it."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from rules.checks import CHECKS
from rules.model import Effect, Kind, NameEffect, Setting, Statement
from tests.rules.statements import builtin, statement, statements


def lexing(name: str, value: str | None = None, *, computed: bool = False) -> Statement:
    functions = (builtin("set_config"),) if computed else ()
    return statement(
        Kind.SET,
        Effect.SETTING,
        Effect.LEXING,
        settings=(Setting(name, value),),
        functions=functions,
        root="VariableSetStmt",
    )


def setting(name: str, value: str | None = None) -> Statement:
    return statement(Kind.SET, Effect.SETTING, settings=(Setting(name, value),), root="VariableSetStmt")


def role(name: str, value: str | None, *, computed: bool = False) -> Statement:
    functions = (builtin("set_config"),) if computed else ()
    return statement(
        Kind.SET,
        Effect.SETTING,
        Effect.ROLE,
        settings=(Setting(name, value),),
        functions=functions,
        root="VariableSetStmt",
    )


def ended(found: Statement, how: str) -> Statement:
    return evolve(found, transaction=how)


DELETE = statement(Kind.DELETE, Effect.WRITE)
DISCARD = evolve(
    statement(Kind.UTILITY, Effect.SETTING, Effect.LEXING, Effect.ROLE, root="DiscardStmt"),
    names=(NameEffect("discard"),),
)


@pytest.mark.parametrize(
    "found",
    [
        lexing("standard_conforming_strings", "off"),
        lexing("standard_conforming_strings", "0"),
        evolve(lexing("names"), root="Set"),  # MySQL's SET NAMES DEFAULT
        lexing("standard_conforming_strings", "o"),
        lexing("client_encoding", "SJIS"),
        lexing("client_encoding", "GBK"),
        lexing("client_encoding", "latin1"),
        lexing("client_encoding", "utf8", computed=True),
        lexing("backslash_quote", "on"),
        lexing("sql_mode", "ANSI_QUOTES"),
        lexing("sql_mode", "STRICT_ALL_TABLES, no_backslash_escapes"),
        lexing("sql_mode", "ansi"),
        lexing("sql_mode"),
        lexing("names", "gbk"),
        lexing("character set", "sjis"),
        lexing("character_set_client", "big5"),
        evolve(
            lexing("client_encoding", "utf8"),
            settings=(Setting("client_encoding", "utf8"), Setting("sql_mode", "ANSI")),
        ),
        statement(Kind.SELECT, Effect.LEXING),
        statement(Kind.DO, Effect.LEXING, Effect.CODE),
    ],
)
def test_reading_that_would_be_unsafe(found: Statement) -> None:
    assert CHECKS["unsafe-lexing"](found, (found,))


@pytest.mark.parametrize(
    "found",
    [
        lexing("standard_conforming_strings", "on"),
        lexing("standard_conforming_strings", " TRUE"),
        lexing("standard_conforming_strings"),
        lexing("client_encoding", "UTF8"),
        lexing("client_encoding", "unicode"),
        lexing("client_encoding"),
        lexing("all"),
        lexing("names", "utf8mb4"),
        lexing("sql_mode", ""),
        lexing("sql_mode", "STRICT_TRANS_TABLES,NO_ZERO_DATE"),
        lexing("character_set_results", "NULL"),
        evolve(lexing("client_encoding", "utf8"), settings=(Setting("timezone", "UTC"), Setting("names", "utf8"))),
        setting("timezone", "UTC"),
        statement(),
    ],
)
def test_reading_that_stays_safe(found: Statement) -> None:
    assert CHECKS["unsafe-lexing"](found, (found,)) is None


@pytest.mark.parametrize(
    "found",
    [
        role("role", "postgres"),
        role("session_authorization", "postgres"),
        role("session_authorization", "none"),  # a role of that name
        role("role", "all"),
        role("role", None, computed=True),
        role("role", "none", computed=True),
        statement(Kind.SELECT, Effect.ROLE),
    ],
)
def test_another_role(found: Statement) -> None:
    assert CHECKS["role-change"](found, (found,))


@pytest.mark.parametrize(
    "found", [role("role", None), role("role", "none"), role("session_authorization", None), DISCARD, statement()]
)
def test_back_to_ones_own_role(found: Statement) -> None:
    assert CHECKS["role-change"](found, (found,)) is None


@pytest.mark.parametrize(
    "found", [DISCARD, role("role", None), role("role", "none"), setting("all"), setting("work_mem")]
)
def test_going_back_to_the_start(found: Statement) -> None:
    assert CHECKS["back-to-start"](found, (found,))


@pytest.mark.parametrize(
    "found",
    [
        role("role", "postgres"), role("role", None, computed=True), setting("work_mem", "1GB"),
        evolve(setting("all"), root="AlterSystemStmt"), statement(),
    ],
)  # fmt: skip
def test_going_elsewhere(found: Statement) -> None:
    assert CHECKS["back-to-start"](found, (found,)) is None


@pytest.mark.parametrize(
    "found",
    [
        ended(statement(Kind.TRANSACTION), "begin_write"),
        setting("transaction_read_only", "off"),
        setting("transaction_read_only", "false"),
        setting("transaction_read_only", "OFF "),
        setting("default_transaction_read_only"),
        setting("transaction_read_only", "nonsense"),
        setting("tx_read_only", "0"),
        evolve(setting("x", "y"), settings=(Setting("timezone", "UTC"), Setting("transaction_read_only", "off"))),
    ],
)
def test_asking_for_write_access(found: Statement) -> None:
    assert CHECKS["write-access"](found, (found,))


@pytest.mark.parametrize(
    "found",
    [
        ended(statement(Kind.TRANSACTION), "begin"), setting("transaction_read_only", "on"), setting("transaction_read_only", "T"),
        setting("default_transaction_isolation"), statement(),
    ],
)  # fmt: skip
def test_not_asking_for_write_access(found: Statement) -> None:
    assert CHECKS["write-access"](found, (found,)) is None


def test_a_change_in_a_text_that_ends_a_transaction() -> None:
    check = CHECKS["early-commit"]
    for how in ("commit", "rollback"):
        end = ended(statement(Kind.TRANSACTION, Effect.TRANSACTION), how)
        assert check(DELETE, (DELETE, end))
        assert check(DELETE, (end, DELETE))
        assert check(end, (DELETE, end)) is None
        assert check(statement(), (statement(), end)) is None
    begin = ended(statement(Kind.TRANSACTION, Effect.TRANSACTION), "begin")
    assert check(DELETE, (begin, DELETE)) is None
    assert check(DELETE, (DELETE, DELETE)) is None


def test_a_value_that_is_computed() -> None:
    check = CHECKS["unknown-setting-value"]
    call = (builtin("set_config"),)
    assert check(evolve(setting("timezone"), functions=call), ())
    assert check(evolve(setting("timezone", "UTC"), functions=call), ()) is None
    assert check(setting("timezone"), ()) is None


@given(statements, st.lists(statements, max_size=2).map(tuple), st.sampled_from(sorted(CHECKS)))
def test_a_check_is_total_and_speaks_in_a_clause(found: Statement, batch: tuple[Statement, ...], name: str) -> None:
    said = CHECKS[name](found, batch)
    assert said is None or said


COUNTED = "SELECT count(*) FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database                 WHERE datname = current_database())"  # noqa: E501


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        (COUNTED, True),
        (COUNTED.lower(), False),
        (COUNTED + " OR subconninfo ~ 'a'", False),
        (COUNTED.replace("count(*)", "max(subconninfo)"), False),
        ("EXPLAIN " + COUNTED, False),
        (COUNTED + " " * 1000, False),
    ],
)
def test_only_the_very_query_of_pg_dump_counts_subscriptions(text: str, finds: bool) -> None:
    found = evolve(statement(), text=text, root="SelectStmt")
    assert (CHECKS["subscriptions-counted"](found, (found,)) is not None) == finds
