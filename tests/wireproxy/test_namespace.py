"""What a name and a literal mean, after what the session has done."""

from __future__ import annotations

import pytest

from rules.model import Effect, Kind, Namespace, Setting, Statement
from wireproxy.namespace import PostgresNamespace, split_search_path


def tracker(version: int = 150000, **parameters: str) -> PostgresNamespace:
    return PostgresNamespace({"server_encoding": "UTF8", **parameters}, "app", '"$user", public', version)


def set_path(value: str | None, scope: str = "session") -> Statement:
    setting = Setting("search_path", value, scope)  # type: ignore[arg-type]
    return Statement(
        "set", Kind.SET, "VariableSetStmt", frozenset({Effect.SETTING, Effect.NAMESPACE}), settings=(setting,)
    )


def transaction(what: str) -> Statement:
    return Statement(what, Kind.TRANSACTION, "TransactionStmt", frozenset({Effect.TRANSACTION}), transaction=what)  # type: ignore[arg-type]


LEXING = Statement(
    "set", Kind.SET, "VariableSetStmt", frozenset({Effect.SETTING, Effect.LEXING}),
    settings=(Setting("standard_conforming_strings", "off"),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ('"$user", public', ("$user", "public")),
        ("a,b", ("a", "b")),
        ("Public", ("public",)),
        ('"A, b", c', ("A, b", "c")),
        ('"say ""hi"""', ('say "hi"',)),
        ("", ()),
        ('"unterminated', ()),
    ],
)
def test_a_search_path_is_split_as_the_server_splits_it(value: str, path: tuple[str, ...]) -> None:
    assert split_search_path(value) == path


def test_a_set_that_succeeded_counts() -> None:
    names = tracker()
    names.completed(set_path("audit"), b"SET")
    names.ready("I")
    assert names.current.search_path == ("audit",)


def test_a_value_that_is_no_constant_makes_the_path_unknown() -> None:
    names = tracker()
    names.completed(set_path(None), b"SET")
    assert names.current.search_path == ()


def test_a_rollback_brings_the_path_back() -> None:
    names = tracker()
    names.completed(transaction("begin"), b"BEGIN")
    names.ready("T")
    names.completed(set_path("audit"), b"SET")
    names.ready("T")
    assert names.current.search_path == ("audit",)
    assert names.unsettled, "what ends the transaction is a barrier"
    names.completed(transaction("rollback"), b"ROLLBACK")
    names.ready("I")
    assert names.current.search_path == ("$user", "public")


def test_a_commit_that_the_server_answers_with_rollback_is_a_rollback() -> None:
    names = tracker()
    names.completed(transaction("begin"), b"BEGIN")
    names.ready("T")
    names.completed(set_path("audit"), b"SET")
    names.failed()
    names.ready("E")
    names.completed(transaction("commit"), b"ROLLBACK")
    names.ready("I")
    assert names.current.search_path == ("$user", "public")


def test_a_commit_keeps_the_path() -> None:
    names = tracker()
    names.completed(transaction("begin"), b"BEGIN")
    names.completed(set_path("audit"), b"SET")
    names.completed(transaction("commit"), b"COMMIT")
    names.ready("I")
    assert names.current.search_path == ("audit",)


def test_a_failed_batch_undoes_its_own_set() -> None:
    names = tracker()
    names.completed(set_path("audit"), b"SET")
    names.failed()
    names.ready("I")
    assert names.current.search_path == ("$user", "public")


def test_set_local_ends_with_its_transaction() -> None:
    names = tracker()
    names.completed(transaction("begin"), b"BEGIN")
    names.ready("T")
    names.completed(set_path("audit", "local"), b"SET")
    assert names.current.search_path == ("audit",)
    names.completed(transaction("commit"), b"COMMIT")
    names.ready("I")
    assert names.current.search_path == ("$user", "public")


def test_rollback_to_a_savepoint_makes_the_path_unknown() -> None:
    names = tracker()
    names.completed(transaction("begin"), b"BEGIN")
    names.completed(set_path("audit"), b"SET")
    names.completed(transaction("rollback_to"), b"ROLLBACK")
    assert names.current.search_path == ()


def test_what_the_server_reports_overrides_what_was_followed() -> None:
    names = tracker(180000, search_path="public")
    names.completed(set_path(None), b"SET")
    assert names.current.search_path == ()
    names.reported("search_path", "audit, public")
    names.ready("I")
    assert names.current.search_path == ("audit", "public")


def test_a_path_that_is_reported_and_did_not_change_is_known_again_at_ready() -> None:
    names = tracker(180000, search_path="public")
    unknown = Statement("do", Kind.DO, "DoStmt", frozenset({Effect.CODE}))
    names.completed(unknown, b"DO")
    assert names.current.search_path == ()
    names.ready("I")
    assert names.current.search_path == ("$user", "public")


def test_how_text_is_read_is_unknown_until_the_server_has_reported() -> None:
    names = tracker()
    names.completed(LEXING, b"SET")
    assert not names.current.lexing_known
    names.reported("standard_conforming_strings", "off")
    names.ready("I")
    assert names.current.lexing_known
    assert not names.current.standard_conforming_strings


def test_the_end_of_a_transaction_that_touched_lexing_makes_it_unknown_again() -> None:
    names = tracker()
    names.completed(transaction("begin"), b"BEGIN")
    names.ready("T")
    names.completed(LEXING, b"SET")
    names.reported("standard_conforming_strings", "off")
    names.ready("T")
    assert names.unsettled
    names.completed(transaction("rollback"), b"ROLLBACK")
    assert not names.current.lexing_known
    names.reported("standard_conforming_strings", "on")
    names.ready("I")
    assert names.current == Namespace(search_path=("$user", "public"), user="app", server_version=150000)


def test_temporary_tables_are_remembered() -> None:
    from rules.model import Access, Relation

    names = tracker()
    create = Statement(
        "create temp table orders", Kind.DDL, "CreateStmt", frozenset({Effect.DDL, Effect.NAMESPACE}),
        relations=(Relation(None, "orders", Access.DDL),),
    )  # fmt: skip
    names.completed(create, b"CREATE TABLE")
    assert "orders" in names.current.temporary


def test_a_path_with_letters_that_the_server_reads_in_another_encoding_is_unknown() -> None:
    for encoding in ("LATIN1", "EUC_JP", ""):
        session = tracker(server_encoding=encoding)
        session.completed(set_path("été"), b"SET")
        assert session.current.search_path == ()
        session.completed(set_path("ete"), b"SET")
        assert session.current.search_path == ("ete",)
        assert not session.names_are_utf8
    session = tracker()
    session.completed(set_path("été"), b"SET")
    assert session.current.search_path == ("été",)


def test_definitions_of_an_open_transaction_are_doubted_until_it_ends() -> None:
    session = tracker()
    session.completed(transaction("begin"), b"BEGIN")
    session.ready("T")
    session.completed(Statement("create", Kind.DDL, "CreateStmt", frozenset({Effect.DDL})), b"CREATE TABLE")
    assert not session.current.redefined
    session.completed(Statement("create", Kind.DDL, "CreateFunctionStmt", frozenset({Effect.DDL})), b"CREATE FUNCTION")
    session.ready("T")
    assert session.current.redefined
    assert session.unsettled
    session.ready("I")
    assert not session.current.redefined
    assert not session.unsettled


def test_after_a_role_was_changed_it_may_be_any() -> None:
    session = tracker()
    assert session.current.own_role
    session.completed(Statement("set", Kind.SET, "VariableSetStmt", frozenset({Effect.ROLE})), b"SET")
    session.ready("I")
    session.completed(set_path("archive, public"), b"SET")
    assert session.current.search_path == ("archive", "public")
    assert not session.current.own_role


def test_a_reported_path_is_read_in_the_encoding_that_the_client_asked_for() -> None:
    """PostgreSQL 18 reports it. Misread, the name would be that of no schema, and the tables of the next one be meant."""
    names = tracker(180000, search_path="public")
    names.reported("search_path", "bücher, public")
    assert names.current.search_path == ("bücher", "public")
    names.reported("client_encoding", "LATIN1")
    names.ready("I")
    assert names.current.search_path == ()
    names.reported("search_path", "public")
    assert names.current.search_path == ("public",)
    names.reported("search_path", b"b\xfccher, public".decode("utf-8", "replace"))
    names.ready("I")
    assert names.current.search_path == ()
    names.reported("search_path", "bücher, public")  # in LATIN1, that is another schema
    names.ready("I")
    assert names.current.search_path == ()


@pytest.mark.parametrize("value", ["bücher, public", b"b\xfccher, public".decode("utf-8", "replace")])
def test_a_path_that_is_reported_before_the_encoding_in_which_it_comes_is_not_known(value: str) -> None:
    names = tracker(180000, search_path="public")
    names.reported("search_path", value)
    names.reported("client_encoding", "LATIN1")
    names.ready("I")
    assert names.current.search_path == ()
