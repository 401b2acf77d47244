"""Maskers by type and format: what comes out is valid for the type, says no more than it should, and text and binary agree."""

from __future__ import annotations

import hashlib
import hmac
import struct
import uuid
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.base import many_of
from rules.masking import formats, maskers
from rules.masking.maskers import (
    MASKERS,
    REMEMBERED,
    REMEMBERED_BYTES,
    Maskers,
    Together,
    check_masker,
    remembered,
)
from rules.masking.network import Network
from rules.masking.values import Mark

MAKE = Maskers(b"k" * 32)
TEXT, BINARY = False, True


def masked(
    masker: str, type_oid: int, data: bytes | None, binary: bool = TEXT, argument: str | None = None
) -> bytes | None:
    return MAKE.field(Mark(masker, argument), type_oid, binary)(data)


@given(
    masker=st.sampled_from(sorted(MASKERS)),
    type_oid=st.sampled_from([*formats.ZERO, 16, 99999]),
    binary=st.booleans(),
    data=st.one_of(st.none(), st.binary(max_size=24), st.text(max_size=20).map(str.encode)),
)
@settings(max_examples=1000)
def test_no_masker_ever_fails(masker: str, type_oid: int, binary: bool, data: bytes | None) -> None:
    argument = "3" if MASKERS[masker] else None
    out = masked(masker, type_oid, data, binary, argument)
    assert out is None or isinstance(out, bytes)
    if data is None:
        assert out is None


@given(st.text(min_size=1).filter(lambda text: text not in "***"))
def test_redact_says_nothing_about_a_text(text: str) -> None:
    assert masked("redact", 25, text.encode()) == b"***"
    assert masked("redact", 1043, text.encode(), BINARY) == b"***"


def test_a_type_that_is_not_known_becomes_null() -> None:
    assert masked("redact", 54321, b"x") is None
    assert masked("hash", 54321, b"x") is None
    assert MAKE.derived(54321, TEXT)(b"x") is None


def test_what_is_derived_is_the_same_for_null_and_value() -> None:
    """Whether `nullif(ssn, 'x')` is NULL says whether it was x."""
    for type_oid in (25, 23, 1700, 3802):
        mask = MAKE.derived(type_oid, TEXT)
        assert mask(None) == mask(b"1") == formats.zero(type_oid, TEXT)


def test_last4_keeps_four_characters_of_long_values_only() -> None:
    assert masked("last4", 25, b"123-45-6789") == b"***6789"
    assert masked("last4", 25, b"1234567") == b"***"
    assert masked("last4", 25, "ééééabcé".encode()) == "***abcé".encode()
    assert masked("last4", 25, b"\xe9" * 20) == b"***"  # not UTF-8: nobody knows where a character starts
    assert masked("last4", 20, b"4111111111111234") == b"1234"
    assert masked("last4", 20, struct.pack("!q", 4111111111111234), BINARY) == struct.pack("!q", 1234)
    assert masked("last4", 23, b"1234") == b"0"
    assert masked("last4", 1700, b"1234.5") == b"0"


@given(
    st.one_of(
        st.text(alphabet="ab@. \t\x1c\x85é😀", max_size=14),
        st.tuples(st.text(max_size=5), st.text(max_size=5)).map("@".join),
        st.text(max_size=12),
    ),
    st.booleans(),
)
def test_what_is_kept_of_a_text_is_counted_in_characters(text: str, compiled: bool) -> None:
    """The definitions, in characters, beside what is computed in bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maskers, "COMPILED", compiled)
        _keeps_characters(text)


def _keeps_characters(text: str) -> None:
    long = len(text.strip())
    assert masked("last4", 25, text.encode()) == (f"***{text[-4:]}" if long >= 8 else "***").encode()
    assert masked("first-n", 25, text.encode(), TEXT, "3") == (f"{text[:3]}***" if long >= 6 else "***").encode()
    local, at, domain = text.partition("@")
    fits = at and len(local) >= 2 and domain and domain.isascii() and "@" not in domain
    assert masked("email", 25, text.encode()) == (f"{local[0]}***@{domain}" if fits else "***").encode()


def test_what_is_remembered_of_a_column_is_little_and_changes_nothing() -> None:
    computed: list[bytes] = []
    change = remembered(lambda data: computed.append(data) or data.upper())  # type: ignore[func-returns-value]
    for round_ in range(2):
        assert [change(b"a"), change(b"a"), change(b"x" * (REMEMBERED_BYTES + 1))][:2] == [b"A", b"A"], round_
    assert computed == [b"a", b"x" * (REMEMBERED_BYTES + 1), b"x" * (REMEMBERED_BYTES + 1)]
    for number in range(REMEMBERED):
        assert change(b"%d" % number) == b"%d" % number
    assert change(b"a") == b"A"
    assert computed.count(b"a") == 2  # what was known has made room


def test_first_n_keeps_as_much_as_it_hides() -> None:
    assert masked("first-n", 25, b"abcdef", argument="3") == b"abc***"
    assert masked("first-n", 25, b"abcde", argument="3") == b"***"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (b"alice@example.com", b"a***@example.com"),
        (b"a@example.com", b"***"),
        (b"nobody", b"***"),
        (b"a@b@example.com", b"***"),
        (b"alice@", b"***"),
        (b"secret text without", b"***"),
    ],
)
def test_email_keeps_the_first_letter_and_the_domain(address: bytes, expected: bytes) -> None:
    assert masked("email", 25, address) == expected


@given(st.integers(-(2**31), 2**31 - 1))
def test_hash_of_an_integer_is_an_integer_and_alike_in_both_formats(number: int) -> None:
    text = masked("hash", 23, str(number).encode())
    binary = masked("hash", 23, struct.pack("!i", number), BINARY)
    assert text is not None
    assert binary == struct.pack("!i", int(text))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15), max_value=10**15))
def test_hash_of_a_numeric_does_not_depend_on_its_scale(number: Decimal) -> None:
    assert masked("hash", 1700, format(number, "f").encode()) == masked(
        "hash", 1700, format(number.normalize(), "f").encode()
    )


@given(st.integers(-(10**30), 10**30))
def test_numerics_survive_encoding(number: int) -> None:
    assert formats.decode_numeric(formats.encode_numeric(number)) == number


@pytest.mark.parametrize("key", [b"", b"k", b"k" * 32, b"k" * 65])
@pytest.mark.parametrize("data", [b"", b"x", b"x" * 1000])
def test_the_hash_is_a_cmac(key: bytes, data: bytes) -> None:
    made = CMAC(algorithms.AES(hmac.digest(key, b"wireproxy hash", hashlib.sha256)))
    made.update(data)
    assert Maskers(key).field(Mark("hash"), 25, TEXT)(data) == made.finalize().hex()[:16].encode()


# what a server sends of a type, and now and then what it never does
FIELDS = {
    25: st.one_of(st.text(max_size=90).map(str.encode), st.binary(max_size=5), st.just(b"x" * 300)),
    1042: st.text(alphabet="aé ", max_size=40).map(str.encode),
    21: st.integers(-(2**15), 2**15 - 1),
    23: st.integers(-(2**31), 2**31 - 1),
    20: st.integers(-(2**63), 2**63 - 1),
    26: st.integers(0, 2**32 - 1),
    2950: st.one_of(
        st.uuids(),
        st.binary(min_size=16, max_size=16).map(lambda data: uuid.UUID(bytes=data)),
        st.builds(
            lambda data, six, eight: uuid.UUID(bytes=data[:6] + six + data[7:8] + eight + data[9:]),
            st.binary(min_size=16, max_size=16),
            st.sampled_from([b"\x0f", b"\x7f", b"\x80", b"\xff"]),
            st.sampled_from([b"\x80", b"\xbf", b"\x7f", b"\x01"]),
        ),
    ),
}
ODD = st.sampled_from(
    [
        *(b"", b"1", b"-", b"1 ", b" 1", b"1,", b"1,2", b"1_0", b"+7", b"9" * 30, b"\xff", b"x" * 8, b"y" * 16),
        b"12345678-1234-4678-9234-567812345678,22345678-1234-4678-9234-567812345678",
        b"{12345678-1234-4678-9234-567812345678}",
    ]
)


@given(
    st.data(),
    st.sampled_from(["hash", "pseudonym", "pseudonym email"]),
    st.sampled_from(sorted(FIELDS)),
    st.booleans(),
    st.integers(1, 3),
)
@settings(max_examples=300)
def test_many_values_get_what_each_gets(
    data: st.DataObject, masker: str, type_oid: int, binary: bool, times: int
) -> None:
    def field(value: object) -> bytes:
        if isinstance(value, bytes):
            return value
        if isinstance(value, uuid.UUID):
            return value.bytes if binary else str(value).encode()
        assert isinstance(value, int)
        return struct.pack(formats.INTEGERS[type_oid][0], value) if binary else b"%d" % value

    drawn = data.draw(st.lists(FIELDS[type_oid].map(field), max_size=20))  # type: ignore[attr-defined]
    values = [value for value in drawn for _ in range(times)] + data.draw(st.lists(ODD, max_size=2))
    name, _, argument = masker.partition(" ")
    mask = MAKE.field(Mark(name, argument or None), type_oid, binary)
    many = many_of(mask)
    if many is not None:
        assert many(values) == [mask(value) for value in values]


@given(
    st.lists(st.lists(st.one_of(st.integers(0, 40), st.integers(0, 9999)), max_size=300), max_size=8),
    st.integers(1, 40),
)
@settings(max_examples=50)
def test_what_is_known_of_a_column_changes_nothing(reads: list[list[int]], most: int) -> None:
    """However often values come again, over reads, and however few are kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maskers, "REMEMBERED", most)
        mask = Together(lambda data: data and b"<" + data, lambda values: [b"<" + value for value in values])
        for read in reads:
            values = [b"%d" % number * (1 + number % 30) for number in read]
            assert mask.many(values) == [b"<" + value for value in values]
            assert len(mask._known) <= max(most, REMEMBERED if maskers.COMPILED else 0)
            assert all(len(value) <= REMEMBERED_BYTES for value in mask._known)


def test_a_column_whose_values_come_again_is_computed_once() -> None:
    computed: list[bytes] = []

    def changes(values: list[bytes]) -> list[bytes]:
        computed.extend(values)
        return values

    mask = Together(lambda data: data, changes)
    values = [b"%d" % number for number in range(100)] * 7
    for _ in range(3):
        assert mask.many(values) == values
    assert len(computed) <= 2 * len(values)  # the first read shows nothing yet


@given(st.lists(st.integers(0, 2**122 - 1), max_size=40), st.sampled_from([16, 32, 64]), st.integers(0, 2**20))
def test_many_numbers_are_permuted_as_each_is(numbers: list[int], bits: int, domain: int) -> None:
    network = Network(bytes(32))
    numbers = [number % (1 << bits) for number in numbers]
    found = network.many(numbers, bits, domain)
    assert found == [network.one(number, bits, domain) for number in numbers]
    assert [network.one(number, bits, domain, back=True) for number in found] == numbers


def test_results_without_end_are_taken_in_pieces() -> None:
    many = many_of(MAKE.field(Mark("pseudonym"), 20, TEXT))
    assert many is not None
    values = [b"%d" % number for number in range(1000)]
    assert many(values) == [masked("pseudonym", 20, value) for value in values]


@pytest.mark.parametrize(
    ("type_oid", "value", "expected"),
    [
        (25, b"alice@example.com", b"wp_dSOpSWUoXnMVXCZ-EVaNvuMFcY93Kbgh-JlV7-F1BBj5kw"),
        (20, b"1234567890123", b"-9112090292414625060"),
        (23, b"-7", b"1182900774"),
        (2950, b"12345678-1234-4678-9234-567812345678", b"a47c5851-e777-492f-8e5b-5bd861a17a3e"),
        (1082, b"1985-04-01", b"2086-10-03"),
    ],
)
def test_pseudonyms_stay_what_they_were(type_oid: int, value: bytes, expected: bytes) -> None:
    """Stored queries hold them."""
    assert masked("pseudonym", type_oid, value) == expected


def test_hash_is_keyed_and_stable() -> None:
    first, second = masked("hash", 25, b"x"), masked("hash", 1043, b"x", BINARY)
    assert first == second != Maskers(b"other").field(Mark("hash"), 25, TEXT)(b"x")
    assert first is not None
    assert len(first) == 16


def test_hash_of_a_uuid_is_a_uuid() -> None:
    value = uuid.UUID("12345678-1234-5678-1234-567812345678")
    text = masked("hash", 2950, str(value).encode())
    assert text is not None
    found = uuid.UUID(text.decode())
    assert masked("hash", 2950, value.bytes, BINARY) == found.bytes != value.bytes
    assert (found.variant, found.version) == (uuid.RFC_4122, 4)


@pytest.mark.parametrize(
    ("type_oid", "text", "expected"),
    [
        (1082, b"1985-07-14", b"1985-01-01"),
        (1114, b"1985-07-14 12:00:00.5", b"1985-01-01 00:00:00"),
        (1184, b"1985-07-14 12:00:00+02", b"1985-01-01 00:00:00+00"),
        (1082, b"14.07.1985", b"2000-01-01"),
        (1082, b"infinity", b"2000-01-01"),
        (1082, b"0044-03-15 BC", b"2000-01-01"),
        (25, b"1985-07-14", b"1985-01-01"),
        (25, b"born 1985-07-14", b"***"),
    ],
)
def test_dates_keep_their_year(type_oid: int, text: bytes, expected: bytes) -> None:
    assert masked("date-to-year", type_oid, text) == expected


@given(st.integers(-700_000, 2_000_000))
def test_binary_dates_keep_their_year(days: int) -> None:
    out = masked("date-to-year", 1082, struct.pack("!i", days), BINARY)
    assert out is not None
    try:
        year = formats.year_of_binary(struct.pack("!i", days), 1082)
    except ValueError:
        assert out == bytes(4)
    else:
        assert formats.year_of_binary(out, 1082) == year


@pytest.mark.parametrize(
    ("type_oid", "text", "expected"),
    [(23, b"12345", b"12000"), (23, b"-1", b"-1000"), (1700, b"12345.67", b"12000"), (1700, b"-1.5", b"-1000"),
     (701, b"1.5e4", b"15000"), (1700, b"NaN", b"0"), (25, b"12", b"***")],
)  # fmt: skip
def test_buckets_in_text(type_oid: int, text: bytes, expected: bytes) -> None:
    assert masked("bucket", type_oid, text, argument="1000") == expected


@given(st.integers(-(10**12), 10**12))
def test_buckets_are_alike_in_both_formats(number: int) -> None:
    text = masked("bucket", 1700, str(number).encode(), argument="1000")
    binary = masked("bucket", 1700, formats.encode_numeric(number), BINARY, "1000")
    assert text is not None
    assert binary is not None
    assert formats.decode_numeric(binary) == int(text) == number // 1000 * 1000


def test_constants_are_values_of_the_type_or_null() -> None:
    assert masked("constant", 25, b"x", argument="hidden") == b"hidden"
    assert masked("constant", 23, b"5", argument="7") == b"7"
    assert masked("constant", 23, struct.pack("!i", 5), BINARY, "7") == struct.pack("!i", 7)
    assert masked("constant", 23, b"5", argument="many") is None
    assert masked("constant", 21, b"5", argument="70000") is None
    assert masked("constant", 3802, b"\x01{}", BINARY, '{"a": 1}') == b'\x01{"a": 1}'
    assert masked("constant", 3802, b"{}", argument="{") is None
    assert masked("constant", 16, b"t", argument="false") == b"f"
    assert masked("constant", 1082, bytes(4), BINARY, "2000-01-02") == struct.pack("!i", 1)


def test_null_masks_everything() -> None:
    assert masked("null", 25, b"x") is None
    assert masked("null", 23, b"1", BINARY) is None


@pytest.mark.parametrize(
    "mark", [Mark("shred"), Mark("bucket"), Mark("bucket", "0"), Mark("first-n", "x"), Mark("constant")]
)
def test_a_masker_of_the_config_is_checked(mark: Mark) -> None:
    with pytest.raises(ValueError, match=r"masker|invalid literal"):
        check_masker(mark)


@pytest.mark.parametrize("masker", ["last4", "first-n", "email"])
@pytest.mark.parametrize("binary", [False, True])
def test_xml_is_never_cut(masker: str, binary: bool) -> None:
    """A part of a document is none, and the server would not take it back."""
    mask = Maskers(b"key").field(Mark(masker, "3"), 142, binary)
    assert mask(b"<a>someone@shop.test</a>") == b"***"


@pytest.mark.parametrize(("argument", "expected"), [("hidden", b"hidden"), ("<a>", None), ("a & b", None)])
def test_a_constant_that_is_no_xml_is_null(argument: str, expected: bytes | None) -> None:
    assert Maskers(b"key").field(Mark("constant", argument), 142, False)(b"<a/>") == expected
