"""What a MySQL session's settings are: told, asked for, and unknown when neither."""

from __future__ import annotations

import pytest

from rules.model import Access, Effect, Kind, Relation, Statement
from wireproxy.mysql.namespace import MySqlNamespace, version_number

ROW = (
    b"STRICT_TRANS_TABLES,ANSI_QUOTES",
    b"utf8mb4",
    b"shop",
    b"SYSTEM",
    b"1",
    b"utf8mb4",
    b"10.11.6-MariaDB",
    b"app@%",
)


def test_the_answer_says_what_the_session_is() -> None:
    now = MySqlNamespace(ROW).current
    assert now.sql_mode == {"STRICT_TRANS_TABLES", "ANSI_QUOTES"}
    assert (now.database, now.search_path, now.charset, now.user) == ("shop", ("shop",), "utf8mb4", "app@%")
    assert (now.server_version, now.mariadb, now.lexing_known) == (101106, True, True)


@pytest.mark.parametrize(
    "row",
    [
        None,
        (),
        ROW[:7],
        (None, *ROW[1:]),
        (ROW[0], None, *ROW[2:]),
        # an answer in UTF-16, or a name that nobody has
        (ROW[0].decode().encode("utf-16"), *ROW[1:]),
        (ROW[0], b"utf8mb4'; ", *ROW[2:]),
    ],
)
def test_without_an_answer_that_can_be_read_nothing_is_known(row: tuple[bytes | None, ...] | None) -> None:
    namespace = MySqlNamespace(ROW)
    namespace.answered(row)
    assert not namespace.current.lexing_known
    assert namespace.current.database is None
    namespace.answered(ROW)
    assert namespace.current.lexing_known


def test_what_the_server_reports_counts_at_once() -> None:
    namespace = MySqlNamespace(ROW)
    for name, value in (("schema", "other"), ("sql_mode", ""), ("character_set_client", "GBK"), ("time_zone", "UTC")):
        namespace.reported(name, value)
    now = namespace.current
    assert (now.database, now.sql_mode, now.charset) == ("other", frozenset(), "gbk")
    assert namespace.values_read_by["time_zone"] == "UTC"
    namespace.reported("schema", "")
    assert namespace.current.database is None


def test_a_prepared_statement_means_what_its_database_was() -> None:
    namespace = MySqlNamespace(ROW)
    then = namespace.current
    namespace.reported("schema", "other")
    namespace.read_as(then)
    assert (namespace.current.database, namespace.current.lexing_known) == ("shop", True)
    namespace.read_as(None)
    assert namespace.current.database == "other"


@pytest.mark.parametrize(("name", "value"), [("sql_mode", ""), ("character_set_client", "latin1")])
def test_a_prepared_statement_under_other_settings_could_be_read_in_two_ways(name: str, value: str) -> None:
    namespace = MySqlNamespace(ROW)
    then = namespace.current
    namespace.reported(name, value)
    namespace.read_as(then)
    assert not namespace.current.lexing_known


def test_what_is_the_same_stays_the_same_object() -> None:
    """Judgements are found by it: another of equal value would be hashed for each statement."""
    namespace = MySqlNamespace(ROW)
    then = namespace.current
    namespace.answered(ROW)
    assert namespace.current is then
    namespace.keep_masked()
    now = namespace.current
    namespace.read_as(then)
    assert namespace.current is now
    assert now.holds_masked


def test_a_temporary_table_shadows_its_name() -> None:
    namespace = MySqlNamespace(ROW)
    effects = frozenset({Effect.DDL, Effect.NAMESPACE})
    namespace.completed(
        Statement("", Kind.DDL, "Create", effects=effects, relations=(Relation(None, "people", Access.DDL),))
    )
    assert namespace.current.temporary == {"people"}


@pytest.mark.parametrize(
    ("text", "number"),
    [("8.0.36", 80036), ("9.7.4-2", 90704), ("5.5.5-10.11.19-MariaDB-0+deb12u1", 101119), ("whatever", 0)],
)
def test_versions_are_numbers(text: str, number: int) -> None:
    assert version_number(text) == number
