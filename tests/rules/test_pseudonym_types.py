"""Pseudonyms of decimal numbers, timestamps, times of day and arrays: what they keep, and how they come back."""

from __future__ import annotations

import datetime
import struct
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.masking import decimals, moments
from rules.masking.arrays import array_elements, array_of_binary, array_text, binary_array
from rules.masking.bound import real_parameters, texts_of
from rules.masking.exchange import ParameterSite, replacement_of
from rules.masking.literals import replaced
from rules.masking.maskers import Maskers, Together
from rules.masking.network import Network
from rules.masking.pseudonyms import ELEMENTS, NoPseudonym, Pseudonyms, token_in
from rules.masking.values import Mark
from rules.model import Namespace
from rules.policy import MaskRule
from tests.rules import mask_catalog
from tests.rules.mask_catalog import examine, kinds, mask_set, relation

KEY = b"k" * 32
OURS = Pseudonyms(KEY)
NETWORK = Network(KEY)
MARK = Mark("pseudonym")
NUMERIC, TEXTS, INTEGERS = 1700, 1009, 1007


# -- the network


@given(st.integers(1, 64), st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=40))
def test_many_are_permuted_as_each_is_in_any_number_of_bits(bits: int, numbers: list[int]) -> None:
    numbers = [number >> (64 - bits) for number in numbers]
    found = NETWORK.many(numbers, bits, 7)
    assert found == [NETWORK.one(number, bits, 7) for number in numbers]
    for domain in (7, 2**31, 2**32 - 1):
        permuted = NETWORK.by_words(numbers, bits, [domain] * len(numbers))
        assert permuted == [NETWORK.one(number, bits, domain) for number in numbers]
    assert [NETWORK.one(number, bits, 7, back=True) for number in found] == numbers
    assert all(0 <= number < 1 << bits for number in found)


@given(st.lists(st.tuples(st.integers(0, 10**38), st.integers(2, 10**38), st.integers(0, 2**32 - 1)), max_size=40))
def test_many_keep_within_their_domains_as_each_does(asked: list[tuple[int, int, int]]) -> None:
    numbers, sizes, domains = [a % b for a, b, _ in asked], [b for _, b, _ in asked], [c for _, _, c in asked]
    found = NETWORK.all_within(numbers, sizes, domains)
    assert found == [NETWORK.within(*each) for each in zip(numbers, sizes, domains, strict=True)]
    assert all(number < size for number, size in zip(found, sizes, strict=True))
    back = [NETWORK.within(*each, back=True) for each in zip(found, sizes, domains, strict=True)]
    assert back == numbers


# -- decimal numbers

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=4)


@given(NUMBERS, st.integers(0, 9))
def test_equal_numbers_have_equal_pseudonyms_and_come_back_however_they_are_written(number: Decimal, more: int) -> None:
    text = f"{number:f}"
    found = OURS.plain(text, NUMERIC)
    other = OURS.plain(text + "0" * more, NUMERIC)
    assert Decimal(other) == Decimal(found)
    for spelled in (
        found,
        other,
        f"{Decimal(found):e}",
        f"{Decimal(found).normalize():f}",
        f"+{found}".replace("+-", "-"),
    ):
        assert Decimal(OURS.plain(spelled, NUMERIC, back=True)) == number


@given(NUMBERS)
def test_a_number_keeps_its_sign_its_decimals_and_the_digits_beyond_six(number: Decimal) -> None:
    text = f"{number:f}"
    found = OURS.plain(text, NUMERIC)
    (negative, units, counting), shown = decimals.number_of(text.encode())
    (was, others, count), as_many = decimals.number_of(found.encode())
    assert (was, count, as_many) == (negative, counting, shown)
    assert max(6, len(str(units))) == max(6, len(str(others)))


def test_every_number_of_few_digits_has_its_own_pseudonym() -> None:
    for sign, first in (("", 0), ("-", 1)):
        found = {OURS.plain(f"{sign}{units}", NUMERIC) for units in range(first, 3000)}
        assert len(found) == 3000 - first
        assert "0" not in found or not sign
        assert {each[0] == "-" for each in found} == {bool(sign)}
    # all numbers with one decimal, at the ends of their ranks
    rank = [decimals.placed((False, units, 1)) for units in (1, 9, 11, 999_999, 1_000_001, 9_999_999)]
    assert [each[0] for each in rank] == [0, 8, 9, 899_999, 0, 8_099_999]
    assert [each[1] for each in rank] == [900_000] * 4 + [8_100_000] * 2


@given(NUMBERS, st.integers(0, 6))
def test_text_and_binary_of_a_number_have_one_pseudonym(number: Decimal, more: int) -> None:
    text = (f"{number:f}" + "0" * more).encode()
    binary = decimals.binary_of(*decimals.number_of(text))
    assert decimals.number_of_binary(binary) == decimals.number_of(text)
    one = Maskers(KEY).field(MARK, NUMERIC, False)(text)
    two = Maskers(KEY).field(MARK, NUMERIC, True)(binary)
    assert one is not None
    assert two is not None
    assert decimals.number_of_binary(two) == decimals.number_of(one)
    assert OURS.binary(two, NUMERIC, back=True) == binary


@pytest.mark.parametrize("text", [b"NaN", b"-Infinity", b"1" * 39, b"0." + b"0" * 38 + b"1", b"1,5", b"", b"x"])
def test_a_number_that_has_no_pseudonym_is_redacted(text: bytes) -> None:
    assert Maskers(KEY).field(MARK, NUMERIC, False)(text) == b"0"


@pytest.mark.parametrize(
    "text", ["", ".", "-", "1e", "e5", "0x10", "1_000", "1,5", "NaN", "1e999", "1e-99", "9" * 39, "1 2"]
)
def test_a_constant_that_is_no_number_in_its_plain_form_is_not_translated(text: str) -> None:
    with pytest.raises(NoPseudonym):
        OURS.real(text, NUMERIC)


@pytest.mark.parametrize(
    "data", [struct.pack("!hhHh", 0, 0, 0xC000, 0), struct.pack("!hhHhh", 1, 0, 0, 0, 10000), b"", bytes(9)]
)
def test_a_malformed_binary_number_is_redacted(data: bytes) -> None:
    assert Maskers(KEY).field(MARK, NUMERIC, True)(data) == bytes(8)


# -- timestamps and times

MOMENTS = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2099, 12, 31, 23, 59, 59, 999999)).flatmap(
    lambda found: st.sampled_from(
        [found, found.replace(microsecond=0), found.replace(microsecond=found.microsecond // 1000 * 1000)]
    )
)


@given(MOMENTS, st.sampled_from([1114, 1184]))
def test_a_timestamp_comes_back_and_keeps_its_century_and_its_decimals(
    moment: datetime.datetime, type_oid: int
) -> None:
    text = moment.isoformat(" ").rstrip("0" if moment.microsecond else "") + ("+00" if type_oid == 1184 else "")
    found = OURS.plain(text, type_oid)
    assert Maskers(KEY).field(MARK, type_oid, False)(text.encode()) == found.encode()
    assert "1900" <= found[:4] <= "2099"
    assert OURS.plain(found, type_oid, back=True) == text
    kept = str(moment.microsecond).rjust(6, "0").rstrip("0")
    assert len(found.removesuffix("+00").partition(".")[2]) == len(kept)
    passed = (moment - datetime.datetime(2000, 1, 1)) // datetime.timedelta(microseconds=1)
    binary = Maskers(KEY).field(MARK, type_oid, True)(struct.pack("!q", passed))
    assert binary is not None
    assert moments.text_of(moments.of_binary(struct.unpack("!q", binary)[0], type_oid), type_oid) == found
    assert OURS.binary(binary, type_oid, back=True) == struct.pack("!q", passed)


def test_an_instant_has_one_pseudonym_in_every_time_zone() -> None:
    same = [
        "1985-07-14 12:13:14.5+00",
        "1985-07-14 14:13:14.5+02",
        "1985-07-14 06:43:14.5-05:30",
        "1985-07-14 12:13:44.5+00:00:30",
    ]
    field = Maskers(KEY).field(MARK, 1184, False)
    assert len({field(text.encode()) for text in same}) == 1
    found = OURS.plain(same[0], 1184)
    assert found.endswith("+00")
    for spelled in (found, found.replace("+00", "Z"), found.replace(" ", "T"), found.replace("+00", "+00:00")):
        assert OURS.plain(spelled, 1184, back=True) == same[0]


@pytest.mark.parametrize(
    ("type_oid", "text"),
    [(1114, "infinity"), (1114, "0044-03-15 00:00:00 BC"), (1114, "1899-12-31 23:59:59"), (1114, "2100-01-01 00:00:00"),
     (1114, "Sun Jul 14 12:13:14 1985"), (1114, "14.07.1985 12:13:14"), (1184, "07/14/1985 12:13:14 CEST"), (1083, "24:00:00"),
     (1184, "1985-07-14 12:13:14")],
)  # fmt: skip
def test_a_time_that_has_no_pseudonym_is_redacted(type_oid: int, text: str) -> None:
    assert Maskers(KEY).field(MARK, type_oid, False)(text.encode()) == Maskers(KEY).field(
        Mark("redact"), type_oid, False
    )(b"")


@pytest.mark.parametrize(
    ("type_oid", "text"),
    [(1114, "now"), (1114, "1985-07-14"), (1114, "1985-07-14 12:13"), (1114, "1985-02-30 00:00:00"), (1114, "14/7/85 12:13:14"),
     (1184, "1985-07-14 12:13:14"), (1184, "1985-07-14 12:13:14 Europe/Berlin"), (1083, "noon"), (1083, "12:13"),
     (1083, "25:00:00"), (1114, "1985-07-14 12:13:14.1234567")],
)  # fmt: skip
def test_a_constant_that_is_no_time_in_its_plain_form_is_not_translated(type_oid: int, text: str) -> None:
    with pytest.raises(NoPseudonym):
        OURS.real(text, type_oid)


def test_an_offset_behind_a_timestamp_without_time_zone_counts_for_nothing_as_on_the_server() -> None:
    found = OURS.plain("1985-07-14 12:13:14", 1114)
    assert OURS.real(f"{found}+02", 1114) == "1985-07-14 12:13:14"


def test_every_second_of_a_day_has_its_own_pseudonym() -> None:
    found = [OURS.moment(second * moments.SECOND, 1083) for second in range(0, 86_400, 16)]
    assert len(set(found)) == 5_400
    assert all(not each % moments.SECOND and each < 86_400 * moments.SECOND for each in found)
    assert OURS.moment(OURS.moment(1, 1083), 1083, back=True) == 1


# -- arrays


@given(
    st.lists(
        st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9), max_size=6
    )
)
def test_arrays_keep_their_elements_in_text_and_in_binary(elements: list[str | None]) -> None:
    assert array_elements(array_text(elements)) == elements
    data = [None if each is None else each.encode() for each in elements]
    assert array_of_binary(binary_array(25, data)) == (25, data)


def test_each_element_of_an_array_has_its_pseudonym() -> None:
    maskers = Maskers(KEY)
    found = maskers.field(MARK, TEXTS, False)(b'{a,NULL,"b c","NULL",""}')
    tokens = [None if each is None else OURS.token(each) for each in ("a", None, "b c", "NULL", "")]
    assert found == array_text(tokens).encode()
    data = binary_array(25, [b"a", None])
    assert maskers.field(MARK, TEXTS, True)(data) == binary_array(25, [OURS.token("a").encode(), None])
    whole = maskers.field(MARK, INTEGERS, False)(b"{5,-7}")
    assert whole == b"{%d,%d}" % (OURS.integer(5, 23), OURS.integer(-7, 23))
    assert (
        maskers.field(MARK, 1115, False)(b'{"1985-07-14 12:13:14"}')
        == b'{"%b"}' % OURS.plain("1985-07-14 12:13:14", 1114).encode()
    )
    assert maskers.field(MARK, INTEGERS, False)(b"{}") == b"{}"
    field = maskers.field(MARK, 1182, False)
    assert isinstance(field, Together)
    days = [b"{1985-07-%02d,NULL}" % day for day in range(10, 30)]
    assert field.many(days) == [b"{%b,NULL}" % OURS.plain(f"1985-07-{day}", 1082).encode() for day in range(10, 30)]


@pytest.mark.parametrize("text", [b"{{1,2},{3,4}}", b"[0:1]={1,2}", b"{1,x}", b"{99999999999}", b"{1,}", b"1"])
def test_an_array_that_is_none_of_one_dimension_is_redacted(text: bytes) -> None:
    assert Maskers(KEY).field(MARK, INTEGERS, False)(text) == b"{}"


def test_white_space_of_other_alphabets_belongs_to_an_element() -> None:
    for space in ("\u00a0", "\u2003", "\x1c", "\x85"):
        for text in (f"{{{space}a}}", f'{{{space}a,"b"}}'):
            assert (array_elements(text) or [""])[0] == f"{space}a"


# -- what is compared

CATALOG = mask_catalog.shop()
TYPES = {"pay": "numeric", "at": "timestamp", "seen": "timestamptz", "clock": "time", "tags": "text[]", "parts": "int[]",
         "labels": "varchar[]", "rate": "float"}  # fmt: skip
mask_catalog.TYPES.update(
    {
        "timestamp": 1114,
        "timestamptz": 1184,
        "time": 1083,
        "text[]": 1009,
        "int[]": 1007,
        "varchar[]": 1015,
        "float": 701,
    }
)
CATALOG.relations["public", "typed"] = relation("typed", "id int, " + ", ".join(f"{a} {b}" for a, b in TYPES.items()))
MASKS = mask_set(catalog=CATALOG, rules=tuple(MaskRule(f"typed.{name}", "pseudonym") for name in TYPES))
MADE = MASKS.pseudonyms


def sent(condition: str) -> str:
    found = examine(f"SELECT id FROM typed WHERE {condition}", MASKS)
    assert found.findings == (), found.findings
    new = [replacement_of(site, MADE, Namespace()) for site in found.exchange.literals]
    return replaced(f"SELECT id FROM typed WHERE {condition}", [each for each in new if each is not None])[
        len("SELECT id FROM typed WHERE ") :
    ]


PAY, AT, SEEN = (
    MADE.plain("5.50", NUMERIC),
    MADE.plain("1985-07-14 12:13:14", 1114),
    MADE.plain("1985-07-14 12:13:14Z", 1184),
)
CLOCK, A, FIVE = MADE.plain("12:13:14.5", 1083), MADE.token("a"), MADE.integer(5, 23)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (f"pay = {PAY}", "pay = (5.50)"),
        (f"pay={PAY}0 OR pay IN ('{PAY}')", "pay=(5.500) OR pay IN ('5.50')"),
        (f"pay = '{PAY}'::numeric", "pay = '5.50'::numeric"),
        (f"pay = -{PAY}", f"pay = ({MADE.real(f'-{PAY}', NUMERIC)})"),
        (f"pay = ANY(ARRAY[{PAY}, 1])", f"pay = ANY(ARRAY[(5.50), ({MADE.real('1', NUMERIC)})])"),
        (f"at = '{AT}'", "at = '1985-07-14 12:13:14'"),
        (f"at = TIMESTAMP '{AT}'", "at = TIMESTAMP '1985-07-14 12:13:14'"),
        (f"seen = TIMESTAMP WITH TIME ZONE '{SEEN}'", "seen = TIMESTAMP WITH TIME ZONE '1985-07-14 12:13:14+00'"),
        (f"(seen, id) = ('{SEEN}', 1)", "(seen, id) = ('1985-07-14 12:13:14+00', 1)"),
        (f"clock = TIME '{CLOCK}'", "clock = TIME '12:13:14.5'"),
        (f"at = ANY('{{\"{AT}\"}}')", "at = ANY('{\"1985-07-14 12:13:14\"}')"),
        (f"tags = '{{{A},b}}'", "tags = '{a,b}'"),
        (f"tags = ARRAY['{A}', 'b']", "tags = ARRAY['a', 'b']"),
        (f"tags = ARRAY['{A}', 'b']::text[] OR tags = '{{{A}}}'::text[]", "tags = ARRAY['a', 'b']::text[] OR tags = '{a}'::text[]"),
        (f"'{A}' = ANY(tags)", "'a' = ANY(tags)"),
        (f"parts = '{{{FIVE}}}' OR {FIVE} = ANY(parts)", "parts = '{5}' OR (5) = ANY(parts)"),
        ("tags = '{b}' OR 'b' = ANY(tags)", "tags = '{b}' OR 'b' = ANY(tags)"),
        ("rate = 5.5", "rate = 5.5"),
    ],
)  # fmt: skip
def test_constants_of_these_types_are_translated(condition: str, expected: str) -> None:
    assert sent(condition) == expected


@pytest.mark.parametrize(
    "condition",
    ["pay = 5 + 1", "pay = 1e5", "pay = '5'::numeric(3,1)", "pay = 5::int", "pay = 0x10", "at = '1985-07-14 1:1:1'::timestamp(0)",
     "at = DATE '1985-07-14'", "at = now()::timestamp", "seen = TIMESTAMP '1985-07-14 12:13:14'", "clock = E'12:13:14'",
     "parts = ARRAY[1 + 1]", "parts = array_append('{1}', 2)", f"tags = string_to_array('{A}', ',')", "parts = ANY('{{1}}')",
     f"tags = '{{{A}}}'::varchar(3)[]", "5 = ANY(parts || 1)", "parts[1] = 5", f"tags @> '{{{A}}}'", "pay BETWEEN 1 AND 2",
     "at > '1985-07-14 12:13:14'"],
)  # fmt: skip
def test_what_of_these_types_cannot_be_translated_is_held(condition: str) -> None:
    assert kinds(f"SELECT id FROM typed WHERE {condition}", MASKS) & {"pseudonym", "predicate"}


CARD = {"card": "bigint", "code": "int", "ssn": "text"}
CATALOG.relations["public", "told"] = relation("told", "id int, " + ", ".join(f"{a} {b}" for a, b in CARD.items()))
TOLD = mask_set(catalog=CATALOG, rules=tuple(MaskRule(f"t*.{name}", "pseudonym") for name in (*CARD, *TYPES)))


@pytest.mark.parametrize(
    "condition",
    ["card = 5::int2", "card = '5'::int4", "code = 5::smallint", "code = 5::oid", "card = ANY('{5}'::int[])",
     "card = ANY(ARRAY[5]::int[])", "card = ANY(ARRAY['5', 1])", "card = ANY(ARRAY['5', 1::int4])", "card = ANY(ARRAY[5, $1])",
     "card = $1::int", "card = ANY($1::int[])", "pay = ANY(ARRAY['5', 1])", "pay = '5'::int8", "at = '1985-07-14 12:13:14'::date",
     f"ssn = ANY(ARRAY['{A}', 'x'::\"char\"])", f"ssn = ANY(ARRAY['{A}', $1])", f"ssn = '{A}'::bpchar",
     f"ssn = ANY(ARRAY['{A}', 'x'::name])", f"ssn = ANY(ARRAY['{A}', lower('x')])", f"ssn = ANY(ARRAY['{A}', 5])"],
)  # fmt: skip
def test_what_would_turn_the_real_value_into_another_type_is_held(condition: str) -> None:
    """It would be cut, or fail: an answer about the value that nobody asked by its pseudonym."""
    assert kinds(f"SELECT told.id FROM told, typed WHERE {condition}", TOLD) == {"pseudonym"}


@pytest.mark.parametrize(
    "condition",
    ["card = 5::int8", "code = 5::int8 OR code = '5'::int", "card = ANY(ARRAY['5', '1']::int8[])", "card = ANY(ARRAY[5, 1, NULL])",
     "card = ANY(ARRAY['5', 1::int8])", "card = ANY(ARRAY[$1, $2])", f"ssn = ANY(ARRAY['{A}', 'x', NULL, 'y'::text])",
     "ssn = ANY(ARRAY['x', 'y'::name, $1])", "card = $1::bigint"],
)  # fmt: skip
def test_what_keeps_the_real_value_as_it_is_passes(condition: str) -> None:
    assert kinds(f"SELECT told.id FROM told, typed WHERE {condition}", TOLD) == set()


def test_arguments_are_not_turned_into_another_type_than_the_columns() -> None:
    for column, good, bad in [
        ("card", ("bigint",), ("smallint", "int", "float8", "numeric")), ("code", ("int", "int8"), ("int2", "oid", "float4")),
        ("pay", ("numeric", "decimal"), ("int", "float4", "numeric(3,1)")), ("at", ("timestamp",), ("date", "timestamptz")),
        ("ssn", ("text", "varchar"), ('"char"', "name", "varchar(3)")), ("tags", ("text[]",), ("text", "name[]")),
    ]:  # fmt: skip
        for types, found in ((good, set()), (bad, {"pseudonym"})):
            for each in types:
                asked = f"PREPARE q({each}) AS SELECT told.id FROM told, typed WHERE {column} = $1"
                assert kinds(asked, TOLD) == found, asked


def test_an_element_is_no_column_and_is_redacted() -> None:
    assert mask_catalog.treatments("SELECT tags, tags[1], unnest(tags), pay + 1 FROM typed", MASKS) == [
        "pseudonym",
        "?",
        "?",
        "?",
    ]


def test_arrays_of_texts_are_written_like_texts_and_others_like_numbers() -> None:
    assert kinds("UPDATE typed SET tags = '{b}'", MASKS) == set()
    assert kinds(f"UPDATE typed SET tags = '{{{A}}}'", MASKS) == {"writeback"}
    for change in ("parts = '{5}'", "parts = ARRAY[5]::int[]", "pay = 5", "at = '1985-07-14 12:13:14'", "clock = $1"):
        assert kinds(f"UPDATE typed SET {change}", MASKS) == {"writeback"}
    for rows in ("VALUES (5)", "VALUES (NULL), ($1)", "SELECT 5", "SELECT NULL UNION ALL SELECT '5'::numeric"):
        assert kinds(f"INSERT INTO typed (pay) {rows}", MASKS) == {"writeback"}
    for change in ("(id, pay) = (1, 5)", "(id, pay) = ROW(1, $1)", "(id, pay) = (SELECT 1, 5)"):
        assert kinds(f"UPDATE typed SET {change}", MASKS) == {"writeback"}
        assert kinds(f"UPDATE typed SET {change.replace('pay', 'rate')}", MASKS) == set()
    for write in (
        "UPDATE typed SET at = now(), seen = CURRENT_TIMESTAMP, rate = 5, pay = NULL, clock = DEFAULT",
        "INSERT INTO typed (id, at, tags, pay) VALUES (5, now(), '{b}', NULL), (6, DEFAULT, ARRAY['b'], DEFAULT)",
    ):
        assert kinds(write, MASKS) == set()
    assert kinds("COPY typed (tags) FROM STDIN", MASKS) == set()
    assert kinds("COPY typed (parts) FROM STDIN", MASKS) == {"writeback"}


# -- bound values


def value(site: ParameterSite, bound: bytes, binary: bool, declared: int = 0) -> bytes | None:
    return real_parameters({1: site}, (bound,), (int(binary),), (declared,), OURS, Namespace())[0]


def test_numbers_are_bound_as_numbers_of_any_type() -> None:
    site, meant = ParameterSite(NUMERIC), decimals.binary_of((False, 55, 1), 0)
    found = OURS.plain("5.5", NUMERIC)
    assert value(site, found.encode(), False) == b"5.5"
    assert value(site, decimals.binary_of(*decimals.number_of(found.encode())), True, NUMERIC) == meant
    assert value(site, struct.pack("!d", float(found)), True, 701) == meant
    assert value(site, repr(float(found)).encode(), False, 701) == b"5.5"
    whole = int(OURS.plain("5", NUMERIC))
    for form, declared in (("!i", 23), ("!q", 20)):
        assert value(site, struct.pack(form, whole), True, declared) == decimals.binary_of((False, 5, 0), 0)
    for text in (b"0.12345678901234568", b"nan"):
        with pytest.raises(NoPseudonym):
            value(site, text, False, 701)
    array = binary_array(23, [struct.pack("!i", whole), None])
    assert value(ParameterSite(NUMERIC, many=True), array, True, 1007) == binary_array(
        NUMERIC, [decimals.binary_of((False, 5, 0), 0), None]
    )


def test_arrays_are_bound_to_columns_of_arrays_and_one_by_one() -> None:
    token = OURS.token("a").encode()
    assert ParameterSite(1015).sent_type == 1015
    assert value(ParameterSite(1015), b"{" + token + b"}", False) == b"{a}"
    assert value(ParameterSite(1015), binary_array(25, [token]), True, 1009) == binary_array(1043, [b"a"])
    asked = examine(
        "SELECT id FROM typed WHERE labels = $1 AND $2 = ANY(labels) AND parts = $3 AND pay = ANY($4)", MASKS
    )
    assert asked.exchange.parameters == {
        1: ParameterSite(1015), 2: ParameterSite(1043), 3: ParameterSite(1007), 4: ParameterSite(NUMERIC, many=True)
    }  # fmt: skip
    with pytest.raises(NoPseudonym):
        value(ParameterSite(1007), b"{{1}}", False)


def test_a_token_is_seen_in_a_binary_array_with_a_null() -> None:
    (text,) = texts_of(binary_array(25, [None, OURS.token("a").encode()]), True, Namespace())
    assert token_in(text)


def test_every_array_of_a_type_with_pseudonyms_has_them() -> None:
    assert {1009, 1015, 1014, 1003, 1005, 1007, 1016, 1028, 1182, 2951, 1231, 1115, 1185, 1183} == set(ELEMENTS)


# -- what they cost


@pytest.mark.parametrize(("kind", "form"), [(NUMERIC, "%d.25"), (1114, "1985-07-14 12:13:14.%06d"), (INTEGERS, "{%d}")])
def test_pseudonyms_of_other_types_take_longer_than_those_of_integers(kind: int, form: str) -> None:
    def best_s(type_oid: int, values: list[bytes]) -> float:
        times = []
        for _ in range(3):
            field = Maskers(KEY).field(MARK, type_oid, False)
            assert isinstance(field, Together)
            began = time.thread_time()
            field.many(values)
            times.append(time.thread_time() - began)
        return min(times)

    integers = [b"%d" % number for number in range(3000)]
    others = [(form % number).encode() for number in range(3000)]
    assert best_s(kind, others) > 1.2 * best_s(23, integers)
