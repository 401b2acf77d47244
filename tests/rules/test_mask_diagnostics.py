"""Errors and notices of a masked session: what quotes data is withheld, what the client wrote or what exists by name passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.masking.diagnostics import scrub
from tests.rules.mask_catalog import MASKS, mask_set, shop


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


def test_where_a_check_of_a_domain_reads_masked_columns_a_constant_may_bring_them() -> None:
    """The server makes a constant of an array of the domain as it parses: with a position, and with no context."""
    catalog = shop()
    catalog.conversions = {"asking": ("(public.get_ssn(1))::integer > 0",)}
    for masks, starred in ((mask_set(catalog=catalog), True), (MASKS, False)):
        asked = masks.scrub_diagnostic(fields('invalid input syntax for type integer: "secret"', P="8"))
        assert (b"secret" not in asked["M"]) == starred
        named = fields('relation "secret" does not exist', "42P01", P="8", F="namespace.c")
        assert (b"secret" not in masks.scrub_diagnostic(named)["M"]) == starred
        own = fields('relation "mine" does not exist', "42P01", P="8", F="parse_relation.c")
        assert masks.scrub_diagnostic(own) == own


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


NAMING = [
    ('table "secret" does not exist, skipping', "00000"),
    ('relation "secret" already exists', "42P07"),
    ('schema "secret" already exists, skipping', "42P06"),
    ('identifier "secretsecret" will be truncated to "secret"', "42622"),
    ('prepared statement "secret" does not exist', "26000"),
    ('cursor "secret" does not exist', "34000"),
    ('null value in column "secret" of relation "secret" violates not-null constraint', "23502"),
    ('new row for relation "secret" violates check constraint "secret"', "23514"),
    ('duplicate key value violates unique constraint "secret"', "23505"),
    ("permission denied for table secret", "42501"),
    ("must be owner of schema secret", "42501"),
    ("cannot drop table secret because other objects depend on it", "2BP01"),
    ("drop cascades to table secret", "00000"),
]
CONTEXTS = [
    'SQL statement "DROP TABLE IF EXISTS x"\nPL/pgSQL function f() line 1 at EXECUTE',
    'SQL function "f" statement 1',
    'invalid type name "x"',
    'COPY t, line 1: "x"\nSQL statement "COPY t FROM PROGRAM"\nPL/pgSQL function f() line 1 at EXECUTE',
]


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize(("message", "code"), NAMING)
def test_what_a_routine_names_may_be_data(message: str, code: str, context: str) -> None:
    more = {
        "n": "secret",
        "t": "secret",
        "c": "secret",
        "s": "secret",
        "d": "secret",
        "D": "Key (secret)=(1) already exists.",
    }
    found = scrub(fields(message, code, W=context, **more))
    assert not any(b"secret" in text for text in found.values())
    outside = scrub(fields(message, code, **more))
    assert outside["M"] == message.encode()
    assert outside["n"] == b"secret"


def test_in_a_routine_the_words_of_a_known_form_stay() -> None:
    given = fields('duplicate key value violates unique constraint "k"', "23505", W=CONTEXTS[0])
    assert scrub(given)["M"] == b'duplicate key value violates unique constraint "***"'
    assert scrub(fields("division by zero", "22012", W=CONTEXTS[0]))["M"] == b"division by zero"


def test_the_lines_of_a_copy_are_no_routine() -> None:
    given = fields('duplicate key value violates unique constraint "k"', "23505", W='COPY t, line 1: "a"', n="k")
    found = scrub(given)
    assert found["M"] == given["M"]
    assert found["n"] == b"k"
    assert "W" not in found


# Forms of the server's catalog of messages that have data in them.
QUOTING = [
    ("22P02", 'invalid input syntax for type json'), ("22P02", 'invalid input syntax for type uuid: "secret"'),
    ("22P02", 'invalid input syntax for type bytea'), ("22P02", 'invalid input syntax for type pg_lsn: "secret"'),
    ("22P02", 'malformed array literal: "secret"'), ("22P02", 'malformed record literal: "secret"'),
    ("22P02", 'malformed range literal: "secret"'), ("22P02", 'invalid hexadecimal digit: "s"'),
    ("22P02", '"secret" is not a valid binary digit'), ("22P02", 'invalid symbol "s" found while decoding base64 sequence'),
    ("22003", 'value "secret" is out of range for type integer'), ("22003", '"secret" is out of range for type double precision'),
    ("22003", "12345secret out of range"), ("22003", "secret-1 out of range"),
    ("22007", 'invalid input syntax for type timestamp: "secret"'), ("22007", 'invalid value "secr" for "YYYY"'),
    ("22008", 'date/time field value out of range: "secret"'), ("22008", 'interval field value out of range: "secret"'),
    ("22008", 'time zone displacement out of range: "secret"'), ("22008", "date out of range: \"secret\""),
    ("22009", 'time zone displacement out of range: "secret"'), ("22023", 'time zone "secret" not recognized'),
    ("22023", 'unit "secret" not supported for type timestamp with time zone'),
    ("22023", 'timestamp units "secret" not recognized'),
    ("22021", 'invalid byte sequence for encoding "UTF8": 0x73 0x65 0x63 secret'),
    ("22P05", 'character with byte sequence secret in encoding "UTF8" has no equivalent in encoding "LATIN1"'),
    ("22P05", "unsupported Unicode escape sequence secret"), ("2201B", "invalid regular expression: secret"),
    ("2201B", 'invalid regular expression option: "secret"'), ("22019", "invalid escape string secret"),
    ("23514", 'value for domain d violates check constraint "secret"'),
    ("23P01", 'conflicting key value violates exclusion constraint "c" secret'),
    ("42846", "cannot cast type secret to integer"), ("22000", "secret"), ("2200M", "invalid XML document secret"),
    ("2200N", "invalid XML content secret"), ("10608", "secret"), ("22030", 'duplicate JSON object key value: "secret"'),
    ("22032", "invalid JSON secret"), ("2203A", 'JSON object does not contain key "secret"'),
    ("22033", "jsonpath array subscript secret is out of bounds"),
    ("22036", 'argument "secret" of jsonpath item method .double() is invalid for type double precision'),
    ("22P04", 'extra data after last expected column secret'), ("22P04", 'missing data for column "c" secret'),
    ("58P01", 'could not open file "secret" for reading: No such file or directory'),
    ("58000", 'could not convert secret'), ("42704", 'unrecognized configuration parameter "secret"'),
    ("42704", 'type "secret" does not exist'), ("42704", 'text search configuration "secret" does not exist'),
    ("42883", 'function "secret" does not exist'), ("42602", 'invalid name syntax secret'),
    ("42P01", 'relation "secret" does not exist'),
    ("3F000", 'schema "secret" does not exist'), ("22004", "secret cannot be null"),
    ("22023", 'invalid value for parameter "TimeZone": "secret"'), ("22023", 'unrecognized privilege type: "secret"'),
    ("22023", 'argument secret is not a number'), ("22023", "large object secret does not exist"),
    ("42710", 'role "secret" already exists'), ("55000", 'currval of sequence "secret" is not yet defined in this session'),
    ("XX000", "cache lookup failed for type secret"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "message"), QUOTING)
def test_no_form_of_the_server_lets_the_data_of_it_pass(code: str, message: str) -> None:
    context = 'JSON data, line 1: {"secret...\nCOPY t, line 1, column a: "secret"'
    for more in ({}, {"W": context}, {"W": 'COPY t, line 1, column a: "secret"'}):
        found = scrub(fields(message, code, D='Token "secret" is invalid.', H='Perhaps "secret".', **more))
        assert not any(b"secr" in text for text in found.values()), found
        assert found["C"] == code.encode()
