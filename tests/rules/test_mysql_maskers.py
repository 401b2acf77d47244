"""Maskers of MySQL's types: what comes out is valid for its type, says no more than it should, and text and binary agree."""

from __future__ import annotations

import struct
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.masking.maskers import MASKERS, Maskers
from rules.masking.mysql.charsets import CHARSETS
from rules.masking.mysql.domains import domain_of, real, type_of
from rules.masking.mysql.maskers import MySqlMaskers
from rules.masking.mysql.types import ENUM, SET, UNSIGNED, ZEROFILL, Facts, clock_of, moment_of, zero
from rules.masking.values import Mark

KEY = b"k" * 32
MAKE = MySqlMaskers(KEY)
TEXT, BINARY = False, True
TINY, LONG, LONGLONG, FLOAT, DOUBLE, DATE, TIME, DATETIME, TIMESTAMP = 1, 3, 8, 4, 5, 10, 11, 12, 7
WIDTHS = {1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 8: 8, 9: 4, 13: 2}
TYPES = [0, *range(1, 6), *range(7, 14), 15, 16, 242, *range(245, 256), 99]
VARCHAR = Facts(253, 0, 45, 80)
LATIN1 = Facts(253, 0, 8, 20)
UCS2 = Facts(253, 0, 35, 40)
BLOB = Facts(252, 0x90, 63, 65535)
PRICE = Facts(246, 0, 63, 10, 3)  # DECIMAL(8,3)


def masked(
    masker: str, facts: Facts, data: bytes | None, binary: bool = TEXT, argument: str | None = None
) -> bytes | None:
    return MAKE.field(Mark(masker, argument), facts, binary)(data)


@given(
    masker=st.sampled_from(sorted(MASKERS)),
    facts=st.builds(
        Facts,
        st.sampled_from(TYPES),
        st.sampled_from([0, UNSIGNED, UNSIGNED | ZEROFILL, ENUM, SET]),
        st.sampled_from([*CHARSETS, 63, 9999]),
        st.sampled_from([0, 1, 4, 20, 80, 2**32 - 1]),
        st.sampled_from([0, 2, 6, 31]),
        st.sampled_from(["", "uuid", "inet6", "date", "int", "bigint unsigned"]),
    ),
    binary=st.booleans(),
    data=st.one_of(
        st.none(), st.binary(max_size=24), st.text(max_size=20).map(str.encode), st.integers().map(lambda n: b"%d" % n)
    ),
)
@settings(max_examples=500)
def test_no_masker_ever_fails_and_numbers_keep_their_width(
    masker: str, facts: Facts, binary: bool, data: bytes | None
) -> None:
    out = masked(masker, facts, data, binary, "3" if MASKERS[masker] else None)
    if data is None:
        assert out is None
    elif binary and out is not None and facts.type in WIDTHS and masker != "date-to-year":
        assert len(out) == WIDTHS[facts.type]


@pytest.mark.parametrize("facts", [VARCHAR, LATIN1, UCS2])
def test_redact_says_nothing_about_a_text_in_any_charset(facts: Facts) -> None:
    codec = CHARSETS[facts.charset].codec
    assert masked("redact", facts, "héllo wörld".encode(codec)) == "***".encode(codec)
    assert masked("email", facts, "alice@example.com".encode(codec)) == "a***@example.com".encode(codec)
    assert masked("last4", facts, "ééééabcé".encode(codec)) == "***abcé".encode(codec)
    assert masked("first-n", facts, "ébcdef".encode(codec), argument="3") == "ébc***".encode(codec)
    assert masked("hash", facts, "é".encode(codec)) == (masked("hash", VARCHAR, "é".encode()) or b"").decode().encode(
        codec
    )


def test_a_text_that_is_not_of_its_charset_says_nothing() -> None:
    assert masked("last4", VARCHAR, b"\xe9" * 20) == b"***"
    assert masked("hash", UCS2, b"\xd8\0") == "***".encode("utf-16-be")


def test_stars_are_no_longer_than_the_column() -> None:
    assert masked("redact", Facts(254, 0, 45, 8), b"yy") == b"**"
    assert masked("redact", Facts(254, 0, 63, 4), b"yyyy") == b""
    assert masked("hash", Facts(253, 0, 45, 20), b"yyyyy") == (masked("hash", VARCHAR, b"yyyyy") or b"")[:5]


def test_what_cannot_be_masked_in_its_type_is_null() -> None:
    for facts in (Facts(254, ENUM, 45, 8), Facts(255, 0x90, 63), Facts(99), Facts(253, 0, 9999, 80), Facts(6)):
        for masker in ("redact", "hash", "last4"):
            assert masked(masker, facts, b"x") is None
        assert MAKE.derived(facts, TEXT)(b"x") is None


def test_what_is_derived_is_the_same_for_null_and_value() -> None:
    for facts in (VARCHAR, PRICE, Facts(LONG), Facts(DATE), BLOB):
        mask = MAKE.derived(facts, TEXT)
        assert mask(None) == mask(b"1") == zero(facts, TEXT)


@pytest.mark.parametrize("kind", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("flags", [0, UNSIGNED])
@given(data=st.data())
@settings(max_examples=25)
def test_hash_of_an_integer_is_of_its_type_and_alike_in_both_protocols(
    kind: int, flags: int, data: st.DataObject
) -> None:
    size, bits = WIDTHS[kind], {9: 24}.get(kind, WIDTHS[kind] * 8)
    low, high = (0, 2**bits - 1) if flags else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    number = data.draw(st.integers(low, high))
    text = masked("hash", Facts(kind, flags), b"%d" % number)
    assert text is not None
    assert low <= int(text) <= high
    packed = number.to_bytes(size, "little", signed=not flags)
    assert masked("hash", Facts(kind, flags), packed, BINARY) == int(text).to_bytes(size, "little", signed=not flags)


def test_a_hash_is_that_of_postgres() -> None:
    there = Maskers(KEY)
    assert masked("hash", VARCHAR, b"x") == there.field(Mark("hash"), 25, TEXT)(b"x")
    assert masked("hash", Facts(LONG), b"77") == there.field(Mark("hash"), 23, TEXT)(b"77")
    assert masked("hash", BLOB, b"\x01\x02") == there.field(Mark("hash"), 17, BINARY)(b"\x01\x02")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-99999, max_value=99999))
def test_hash_of_a_decimal_fits_its_precision(number: Decimal) -> None:
    out = masked("hash", PRICE, f"{number:.3f}".encode())
    assert out is not None
    assert 0 <= Decimal(out.decode()) < 100_000
    assert out.endswith(b".000")


def test_numbers_are_written_as_the_server_writes_them() -> None:
    assert masked("redact", Facts(1, UNSIGNED | ZEROFILL, 63, 3), b"007") == b"000"
    assert masked("redact", PRICE, b"1.500") == b"0.000"
    assert masked("redact", Facts(FLOAT, 0, 63, 12, 31), b"1.5") == b"0"
    assert masked("redact", Facts(DOUBLE, 0, 63, 10, 2), b"1.50") == b"0.00"
    assert masked("redact", Facts(16, UNSIGNED, 63, 9), b"\x01\xff") == b"\0\0"


@pytest.mark.parametrize(
    ("facts", "text", "expected"),
    [(Facts(LONG), b"12345", b"12000"), (Facts(LONG), b"-1", b"-1000"), (Facts(TINY), b"-100", b"-128"),
     (PRICE, b"12345.678", b"12000.000"), (PRICE, b"-99999.5", b"-99999.000"), (Facts(DOUBLE, decimals=31), b"1.5e4", b"15000"),
     (VARCHAR, b"12", b"***"), (BLOB, b"12", b"")],
)  # fmt: skip
def test_buckets(facts: Facts, text: bytes, expected: bytes) -> None:
    assert masked("bucket", facts, text, argument="1000") == expected


def test_buckets_in_binary() -> None:
    assert masked("bucket", Facts(LONGLONG, UNSIGNED), struct.pack("<Q", 2**64 - 1), BINARY, "10") == struct.pack(
        "<Q", 2**64 - 6
    )
    assert masked("bucket", Facts(DOUBLE), struct.pack("<d", 15999.5), BINARY, "1000") == struct.pack("<d", 15000.0)
    assert masked("bucket", PRICE, b"12345.678", BINARY, "1000") == b"12000.000"


def test_last4_of_numbers() -> None:
    assert masked("last4", Facts(LONGLONG), b"4111111111111234") == b"1234"
    assert masked("last4", Facts(LONG), struct.pack("<i", 1234), BINARY) == bytes(4)


@pytest.mark.parametrize(
    ("facts", "text", "expected"),
    [(Facts(DATE), b"1985-07-14", b"1985-01-01"),
     (Facts(DATETIME, 0, 63, 23, 3), b"1985-07-14 12:00:00.5", b"1985-01-01 00:00:00.000"),
     (Facts(TIMESTAMP), b"1970-07-14 12:00:00", b"1970-01-02 00:00:00"),
     (Facts(DATE), b"0000-00-00", b"2000-01-01"), (Facts(DATE), b"1985-00-00", b"1985-01-01"),
     (Facts(13), b"1985", b"1985"), (Facts(TIME), b"-10:00:00", b"00:00:00"),
     (VARCHAR, b"1985-07-14", b"1985-01-01"), (VARCHAR, b"born 1985-07-14", b"***")],
)  # fmt: skip
def test_dates_keep_their_year(facts: Facts, text: bytes, expected: bytes) -> None:
    assert masked("date-to-year", facts, text) == expected


def test_dates_keep_their_year_in_binary() -> None:
    assert masked("date-to-year", Facts(DATE), struct.pack("<HBB", 1985, 7, 14), BINARY) == struct.pack(
        "<HBB", 1985, 1, 1
    )
    moment = struct.pack("<HBBBBBI", 1985, 7, 14, 12, 1, 2, 3)
    assert masked("date-to-year", Facts(DATETIME), moment, BINARY) == struct.pack("<HBBBBB", 1985, 1, 1, 0, 0, 0)
    assert masked("date-to-year", Facts(DATETIME), b"", BINARY) == struct.pack("<HBBBBB", 2000, 1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("facts", "argument", "text", "binary"),
    [(VARCHAR, "hidden", b"hidden", b"hidden"), (UCS2, "h", b"\0h", b"\0h"), (Facts(254, 0, 45, 8), "long", None, None),
     (LATIN1, "日", None, None), (Facts(LONG), "7", b"7", struct.pack("<i", 7)), (Facts(LONG), "many", None, None),
     (Facts(TINY), "200", None, None), (Facts(TINY, UNSIGNED), "200", b"200", b"\xc8"), (PRICE, "1.5", b"1.500", b"1.500"),
     (PRICE, "1.2345", None, None), (PRICE, "100000", None, None),
     (Facts(FLOAT, decimals=31), "1.5", b"1.5", struct.pack("<f", 1.5)),
     (Facts(DATE), "2000-01-02", b"2000-01-02", struct.pack("<HBB", 2000, 1, 2)), (Facts(TIMESTAMP), "1960-01-01", None, None),
     (Facts(DATETIME), "2000-01-02 03:04:05", b"2000-01-02 03:04:05", struct.pack("<HBBBBB", 2000, 1, 2, 3, 4, 5)),
     (Facts(13), "1999", b"1999", struct.pack("<H", 1999)), (Facts(13), "999", None, None), (BLOB, "x", b"x", b"x"),
     (Facts(245), '{"a": 1}', b'{"a": 1}', b'{"a": 1}'), (Facts(245), "{", None, None), (Facts(254, ENUM, 45, 8), "x", None, None)],
)  # fmt: skip
def test_constants_are_values_of_the_type_or_null(
    facts: Facts, argument: str, text: bytes | None, binary: bytes | None
) -> None:
    assert masked("constant", facts, b"1", TEXT, argument) == text
    assert masked("constant", facts, b"1", BINARY, argument) == binary


def test_types_that_only_the_catalog_knows() -> None:
    uuid = Facts(254, 0xA0, 45, 144, 0, "uuid")
    assert masked("redact", uuid, b"12345678-1234-5678-1234-567812345678") == b"00000000-0000-0000-0000-000000000000"
    out = masked("hash", uuid, b"12345678-1234-5678-1234-567812345678")
    assert out is not None
    assert len(out) == 36
    assert masked("last4", uuid, b"12345678-1234-5678-1234-567812345678") == b"00000000-0000-0000-0000-000000000000"
    assert masked("redact", Facts(254, 0xA0, 45, 156, 0, "inet6"), b"::1") == b"::"


def test_a_pseudonym_is_that_of_postgres() -> None:
    there = Maskers(KEY)
    for oid, facts, data in [
        (25, VARCHAR, "grüße".encode()), (23, Facts(LONG, declared="int"), b"-77"),
        (20, Facts(LONGLONG, declared="bigint"), b"7654321"), (1082, Facts(DATE, declared="date"), b"1985-07-14"),
        (2950, Facts(254, 0xA0, 45, 144, 0, "uuid"), b"12345678-1234-5678-1234-567812345678"),
        (1700, Facts(246, declared="decimal", decimals=2), b"-5.50"),
        (1114, Facts(DATETIME, declared="datetime"), b"1985-07-14 12:13:14"),
        (1083, Facts(TIME, declared="time", decimals=1), b"12:13:14.5"),
    ]:  # fmt: skip
        assert masked("pseudonym", facts, data) == there.field(Mark("pseudonym"), oid, TEXT)(data)
    assert masked("pseudonym", LATIN1, "grüße".encode("latin-1")) == masked("pseudonym", VARCHAR, "grüße".encode())
    assert (masked("pseudonym", VARCHAR, b"a@b.c", argument="email") or b"").endswith(b"@pseudonym.invalid")


@pytest.mark.parametrize("kind", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("flags", [0, UNSIGNED])
def test_pseudonyms_of_integers_are_of_their_type_and_alike_in_both_protocols(kind: int, flags: int) -> None:
    size, bits = WIDTHS[kind], {9: 24}.get(kind, WIDTHS[kind] * 8)
    low, high = (0, 2**bits - 1) if flags else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    name = {1: "tinyint", 2: "smallint", 3: "int", 8: "bigint", 9: "mediumint"}[kind]
    facts = Facts(kind, flags, declared=type_of(name, f"{name}(5){' unsigned' * bool(flags)}"))
    found = set()
    for number in {low, high, *range(100)}:
        text = masked("pseudonym", facts, b"%d" % number)
        assert text is not None
        assert low <= int(text) <= high
        assert real(MAKE.pseudonyms, text.decode(), domain_of(facts.declared) or 0) == str(number)
        found.add(text)
        packed = number.to_bytes(size, "little", signed=not flags)
        assert masked("pseudonym", facts, packed, BINARY) == int(text).to_bytes(size, "little", signed=not flags)
        # a server may describe a wider type than the column's: the pseudonym is the column's all the same
        assert masked("pseudonym", evolve(facts, type=LONGLONG), b"%d" % number) == text
    assert len(found) == len({low, high, *range(100)})
    for other in (
        "",
        "date",
        "decimal",
        "bigint unsigned" if not flags else "bigint",
    ):  # of another type: it says nothing
        assert masked("pseudonym", evolve(facts, declared=other), b"7") == b"0"


def test_pseudonyms_of_dates_in_binary() -> None:
    facts = Facts(DATE, declared="date")
    text = masked("pseudonym", facts, b"1985-07-14")
    assert text is not None
    assert real(MAKE.pseudonyms, text.decode(), 1082) == "1985-07-14"
    year, month, day = (int(part) for part in text.split(b"-"))
    assert masked("pseudonym", facts, struct.pack("<HBB", 1985, 7, 14), BINARY) == struct.pack("<HBB", year, month, day)
    assert masked("pseudonym", facts, b"", BINARY) == masked("redact", facts, b"", BINARY)
    assert masked("pseudonym", facts, b"0000-00-00") == masked("redact", facts, b"")


def test_pseudonyms_of_times_are_alike_in_both_protocols_and_have_the_columns_decimals() -> None:
    at, clock = Facts(DATETIME, declared="datetime", decimals=3), Facts(TIME, declared="time", decimals=2)
    text = masked("pseudonym", at, b"1985-07-14 12:13:14.500")
    assert text is not None
    assert len(text) == len(b"1985-07-14 12:13:14.500")
    assert text.endswith(b"00")
    packed = struct.pack("<HBBBBBI", 1985, 7, 14, 12, 13, 14, 500_000)
    assert moment_of(masked("pseudonym", at, packed, BINARY) or b"", True) == moment_of(text, False)
    assert real(MAKE.pseudonyms, text.decode(), 1114) == "1985-07-14 12:13:14.500"
    midnight = masked("pseudonym", at, struct.pack("<HBB", 1985, 7, 14), BINARY)
    assert midnight is not None
    assert moment_of(midnight, True) == moment_of(masked("pseudonym", at, b"1985-07-14 00:00:00.000") or b"", False)
    of_clock = masked("pseudonym", clock, b"12:13:14.50")
    assert of_clock is not None
    packed = struct.pack("<BIBBBI", 0, 0, 12, 13, 14, 500_000)
    assert clock_of(masked("pseudonym", clock, packed, BINARY) or b"", True) == clock_of(of_clock, False)
    back = real(MAKE.pseudonyms, of_clock.decode(), 1083)
    assert back == "12:13:14.50"
    assert clock_of(masked("pseudonym", clock, b"", BINARY) or b"", True) == clock_of(
        masked("pseudonym", clock, b"00:00:00.00") or b"", False
    )
    for facts, value in (
        (at, b"0000-00-00 00:00:00.000"),
        (at, b"1500-01-01 00:00:00.000"),
        (clock, b"-12:13:14.50"),
        (clock, b"101:02:03"),
    ):
        assert masked("pseudonym", facts, value) == masked("redact", facts, b"")
    for facts in (at, evolve(at, declared="timestamp"), Facts(TIMESTAMP, declared="timestamp")):
        shown = masked("pseudonym", facts, b"1985-07-14 12:13:14.500")
        assert (shown == masked("redact", facts, b"")) is (facts is not at)


def test_the_pseudonym_of_a_decimal_keeps_its_decimals_and_its_zeros_in_front() -> None:
    facts = Facts(246, 0x60, length=12, decimals=3, declared="decimal")
    found = masked("pseudonym", facts, b"00000012.500")
    assert found is not None
    assert len(found) == 12
    assert found.endswith(b"00")
    assert real(MAKE.pseudonyms, found.decode(), 1700) == "12.500"
    assert masked("pseudonym", facts, b"00000012.500", BINARY) == found


def test_a_text_that_may_have_to_be_json_gets_json() -> None:
    mariadbs = Facts(252, 0x90, 45, 2**32 - 1)
    assert masked("redact", mariadbs, b'{"a": 1}') == b'"***"'
    assert masked("last4", mariadbs, b'{"a": 1}') == b'"***"'
    assert masked("constant", mariadbs, b"{}", argument="{") is None
    assert masked("redact", Facts(252, 0x10, 45, 2**32 - 1), b"text") == b"***"
