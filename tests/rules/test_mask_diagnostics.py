"""Errors and notices of a masked session: what quotes data is withheld, what the client wrote or what exists by name passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.masking.diagnostics import scrub
from tests.rules.mask_catalog import MASKS


def fields(message: str, code: str = "22P02", **more: str) -> dict[str, bytes]:
    found = {"S": "ERROR", "V": "ERROR", "C": code, "M": message, "F": "int.c", "L": "1", "R": "int4in", **more}
    return {name: text.encode() for name, text in found.items()}


WITHHELD = [
    ('the server says: invalid input syntax for type integer: "secret"', "22P02"),
    ('relation "secret" does not exist yet', "42P01"),
    ('unit "year" not recognized for type secret 1', "22023"),
    ("invalid regular expression: secret", "2201B"),
    ('could not open file "secret" for reading', "58P01"),
    ('duplicate key value violates unique constraint "a"\nsecret"', "23505"),
    ("secret", "P0001"),
    ("division by zero secret", "22012"),
]
PASSING = [
    ("division by zero", "22012"),
    ('duplicate key value violates unique constraint "customers_ssn_key"', "23505"),
    ('null value in column "ssn" of relation "customers" violates not-null constraint', "23502"),
    ('insert or update on table "orders" violates foreign key constraint "orders_customer_id_fkey"', "23503"),
    ('new row for relation "customers" violates check constraint "c"', "23514"),
    ("permission denied for table customers", "42501"),
    ("canceling statement due to statement timeout", "57014"),
    ("current transaction is aborted, commands ignored until end of transaction block", "25P02"),
    ("deadlock detected", "40P01"),
    ("could not serialize access due to concurrent update", "40001"),
    ("there is no transaction in progress", "25P01"),
    ('relation "x" already exists, skipping', "42P07"),
    ('table "x" does not exist, skipping', "00000"),
    ("integer out of range", "22003"),
    ("value too long for type character varying(10)", "22001"),
    ("cannot execute INSERT in a read-only transaction", "25006"),
    ("terminating connection due to administrator command", "57P01"),
    ('prepared statement "p" does not exist', "26000"),
    ("LIMIT must not be negative", "2201W"),
    ("invalid regular expression: parentheses () not balanced", "2201B"),
    ("cannot cast jsonb object to type integer", "22023"),
]
STARRED = [
    ('invalid input syntax for type integer: "secret"', 'invalid input syntax for type integer: "***"', "22P02"),
    ('invalid input syntax for type inet: "se"cr"et\n"', 'invalid input syntax for type inet: "***"', "22P02"),
    ('invalid input value for enum mood: "secret"', "invalid input value for enum ***", "22P02"),
    ('relation "secret" does not exist', 'relation "***" does not exist', "42P01"),
    ('unrecognized configuration parameter "secret"', 'unrecognized configuration parameter "***"', "42704"),
    ('unrecognized encoding: "secret"', 'unrecognized encoding: "***"', "22023"),
    ('time zone "secret" not recognized', 'time zone "***" not recognized', "22023"),
    ('unit "secret" not recognized for type date', 'unit "***" not recognized for type date', "22023"),
    ('invalid value "secr" for "YYYY"', 'invalid value "***" for "***"', "22007"),
    ('invalid value "secr" for "a" for "secr"', 'invalid value "***" for "***"', "22007"),
    ("percentile value 5432 is not between 0 and 1", "percentile value *** is not between 0 and 1", "22003"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "code"), WITHHELD)
def test_a_message_that_can_quote_data_is_withheld(message: str, code: str) -> None:
    found = scrub(fields(message, code, D="secret", H="secret", W="secret", q="secret", p="1", c="secret", n="secret"))
    assert not any(b"secr" in text for text in found.values())
    assert found["C"] == code.encode()
    assert b"withheld" in found["M"]


@pytest.mark.parametrize(("message", "shown", "code"), STARRED)
def test_of_a_known_form_the_data_is_taken_out(message: str, shown: str, code: str) -> None:
    found = scrub(fields(message, code, D="secret", H="secret", W="secret"))
    assert found["M"] == shown.encode()
    assert not any(b"secr" in text for text in found.values())
    assert b"withheld" in scrub(fields(message, code, F="pl_exec.c"))["M"], "raised by a routine"


@pytest.mark.parametrize(("message", "code"), PASSING)
def test_a_message_that_only_names_things_passes(message: str, code: str) -> None:
    given = fields(message, code)
    assert scrub(given) == given


def test_what_the_client_wrote_passes() -> None:
    given = fields('column "x" does not exist', "42703", P="8", H='Perhaps you meant to reference the column "c.name".')
    assert scrub(given) == given


@pytest.mark.parametrize("inner", ["p", "q", "W"])
def test_a_position_inside_a_routine_is_not_the_clients_text(inner: str) -> None:
    found = scrub(fields('column "secret" does not exist', "42703", P="8", **{inner: "8"}))
    assert b"secret" not in found["M"]
    assert inner not in found


@pytest.mark.parametrize("file", ["pl_exec.c", "plpy_elog.c", "plperl.c", ""])
def test_a_routine_cannot_speak_as_the_server(file: str) -> None:
    given = fields(
        'duplicate key value violates unique constraint "secret"',
        "23505",
        n="secret",
        D="Key (secret)=(x) already exists.",
    )
    given["F"] = file.encode()
    if not file:
        del given["F"]
    assert not any(b"secret" in text for text in scrub(given).values())


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("Key (ssn)=(secret) already exists.", "Key (ssn)=(***) already exists."),
        ("Key (a, b)=(1, secret)=(2)) already exists.", "Key (a, b)=(***) already exists."),
        ('Key (id)=(secret) is not present in table "t".', 'Key (id)=(***) is not present in table "t".'),
        ('Key (id)=(7) is still referenced from table "t".', 'Key (id)=(***) is still referenced from table "t".'),
        ("Failing row contains (1, secret, null).", "Failing row contains (***)."),
        ("Key (lower(ssn))=(secret) already exists.", None),
        ('Token "secret" is invalid.', None),
    ],
)  # fmt: skip
def test_details_lose_the_values(detail: str, expected: str | None) -> None:
    found = scrub(fields('duplicate key value violates unique constraint "k"', "23505", D=detail))
    assert found.get("D") == (None if expected is None else expected.encode())


@given(st.dictionaries(st.sampled_from("SVCMDHPpqWstcdnFLRx"), st.binary(max_size=40)))
def test_scrubbing_is_total_and_never_adds_what_was_not_said(given: dict[str, bytes]) -> None:
    found = scrub(given)
    assert {"p", "q", "W", "x"}.isdisjoint(found)
    assert "M" in found


def test_notifications_lose_their_payload() -> None:
    assert MASKS.scrub_notification(b"channel", b"secret") == b"***"
    assert MASKS.scrub_notification(b"channel", b"") == b""
    assert MASKS.scrub_diagnostic(fields("secret"))["M"] != b"secret"


@pytest.mark.parametrize("file", [b"pl_exec.c", b"plpy_elog.c", b""])
def test_a_routine_cannot_raise_data_for_an_sqlstate(file: bytes) -> None:
    """RAISE … USING ERRCODE = left(ssn, 5)"""
    fields = {"S": b"ERROR", "C": b"12345", "M": b"12345"} | ({"F": file} if file else {})
    shown = scrub(fields)
    assert shown["C"] == b"P0001"
    assert b"12345" not in b"".join(shown.values())
    for code in (b"P0001", b"22012", b"23505", b"42501", b"00000", b"01000"):
        assert scrub({**fields, "C": code})["C"] == code
    assert scrub({**fields, "C": b"57P0X", "F": b"postgres.c"})["C"] == b"57P0X"  # a newer server's own
