"""Pseudonyms turn back by their key, and where they stand in a statement is known to the character."""

from __future__ import annotations

import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pglast import parser

from rules.masking import formats
from rules.masking.arrays import array_elements, array_text
from rules.masking.bound import real_parameters, sent_types
from rules.masking.exchange import ParameterSite, replacement_of
from rules.masking.literals import Constants, Positions, Replacement, replaced, written
from rules.masking.maskers import Maskers
from rules.masking.pseudonyms import INTEGER_BITS, LONGEST_BYTES, NoPseudonym, Pseudonyms, token_in
from rules.masking.values import Mark
from rules.model import Namespace
from rules.policy import MaskRule
from tests.rules.mask_catalog import examine, kinds, mask_set

KEY = b"k" * 32
OURS = Pseudonyms(KEY)
NAMESPACE = Namespace()
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


@given(TEXTS, st.booleans())
def test_a_token_stands_for_its_text_and_is_the_same_for_equal_texts(text: str, mail: bool) -> None:
    token = OURS.token(text, mail)
    assert OURS.token(text, mail) == token
    if len(text.encode()) <= LONGEST_BYTES:
        assert OURS.text(token) == text
        assert token_in(f"was {token}.")
    assert Pseudonyms(b"o" * 32).token(text, mail) != token


@given(TEXTS, st.integers(3, 30), st.sampled_from("abcXYZ019-_"))
def test_a_token_that_was_changed_is_none(text: str, place: int, letter: str) -> None:
    token = OURS.token(text)
    if len(text.encode()) <= LONGEST_BYTES and place < len(token):
        changed = token[:place] + letter + token[place + 1 :]
        assert OURS.text(changed) is None or changed == token


def test_a_token_of_another_key_stands_for_itself() -> None:
    token = Pseudonyms(b"o" * 32).token("secret")
    assert OURS.real(token, 25) == token


def test_a_long_text_has_no_way_back_and_says_so() -> None:
    token = OURS.token("x" * (LONGEST_BYTES + 1))
    with pytest.raises(NoPseudonym):
        OURS.text(token)
    assert token == OURS.token("x" * (LONGEST_BYTES + 1))


@pytest.mark.parametrize("type_oid", INTEGER_BITS)
def test_integers_are_permuted_within_their_type(type_oid: int) -> None:
    bits = INTEGER_BITS[type_oid]
    low = 0 if type_oid == 26 else -(1 << (bits - 1))
    numbers = [low, low + 1, 0, 1, 5, 1000, low + (1 << bits) - 1]
    found = [OURS.integer(number, type_oid) for number in numbers]
    assert [OURS.integer(number, type_oid, back=True) for number in found] == numbers
    assert all(low <= number < low + (1 << bits) for number in found)
    with pytest.raises(ValueError, match="range"):
        OURS.integer(low - 1, type_oid)


def test_every_small_integer_has_its_own_pseudonym() -> None:
    assert len({OURS.integer(number, 21) for number in range(-32768, 32768)}) == 65536


def test_dates_of_two_centuries_keep_to_them() -> None:
    assert OURS.plain(OURS.plain("1985-04-01", 1082), 1082, back=True) == "1985-04-01"
    assert "1900" <= OURS.plain("2099-12-31", 1082)[:4] <= "2099"
    with pytest.raises(ValueError, match="range"):
        OURS.plain("1899-12-31", 1082)


UUIDS = st.builds(
    lambda data, six, eight: data[:6] + six + data[7:8] + eight + data[9:],
    st.binary(min_size=16, max_size=16),
    st.integers(0, 255).map(lambda found: bytes([found])),
    st.sampled_from([0, 1, 0x7F, 0x80, 0x81, 0xBF, 0xC0, 0xFF]).map(lambda found: bytes([found])),
)


@given(UUIDS)
def test_a_uuid_turns_back_and_keeps_its_form(data: bytes) -> None:
    found = OURS.block(data)
    assert OURS.block(found, back=True) == data
    assert OURS.block(OURS.block(data, back=True)) == data
    assert formats.mariadb_refuses(found) is formats.mariadb_refuses(data)
    before, after = uuid.UUID(bytes=data), uuid.UUID(bytes=found)
    assert (after.variant == uuid.RFC_4122, after.version) == (before.variant == uuid.RFC_4122, before.version)


def test_uuids_that_differ_in_one_bit_have_pseudonyms_that_differ_in_many() -> None:
    value = uuid.UUID("12345678-1234-4678-9234-567812345678").int
    found = [
        int.from_bytes(OURS.block((value ^ change).to_bytes(16))) for change in [0, *(1 << bit for bit in range(62))]
    ]
    assert min((one ^ found[0]).bit_count() for one in found[1:]) > 30


@pytest.mark.parametrize(
    ("type_oid", "text", "binary"),
    [
        (23, b"77", struct.pack("!i", 77)),
        (20, b"-5", struct.pack("!q", -5)),
        (1082, b"2000-01-11", struct.pack("!i", 10)),
        (2950, b"00000000-0000-0000-0000-00000000000a", bytes(15) + b"\x0a"),
        (25, b"a@b", b"a@b"),
        (1042, b"a@b   ", b"a@b"),
    ],
)
def test_text_and_binary_of_a_value_have_one_pseudonym(type_oid: int, text: bytes, binary: bytes) -> None:
    maskers = Maskers(KEY)
    one = maskers.field(Mark("pseudonym"), type_oid, False)(text)
    two = maskers.field(Mark("pseudonym"), type_oid, True)(binary)
    assert one is not None
    assert two is not None
    if type_oid in (25, 1042):
        assert one == two
    elif type_oid in (20, 23):
        assert int(one) == int.from_bytes(two, "big", signed=True)
    assert maskers.field(Mark("pseudonym"), type_oid, False)(None) is None


def test_what_has_no_pseudonym_is_redacted() -> None:
    maskers = Maskers(KEY)
    assert maskers.field(Mark("pseudonym"), 1700, False)(b"NaN") == b"0"
    assert maskers.field(Mark("pseudonym"), 701, False)(b"12.5") == b"0"
    assert maskers.field(Mark("pseudonym"), 1082, False)(b"0044-03-15 BC") == b"2000-01-01"
    assert maskers.field(Mark("pseudonym"), 25, False)(b"\xff") == b"***"


# -- where constants stand

MASKS = mask_set(rules=(MaskRule("*.ssn", "pseudonym"), MaskRule("*.card", "pseudonym"), MaskRule("*.email", "hash")))


def sent(sql: str) -> str:
    found = examine(sql, MASKS)
    assert found.findings == ()
    pseudonyms = MASKS.pseudonyms
    each = [replacement_of(site, pseudonyms, NAMESPACE) for site in found.exchange.literals]
    return replaced(sql, [one for one in each if one is not None])


def card(number: int) -> int:
    return MASKS.pseudonyms.integer(number, 20, back=True)


def ssn(text: str) -> str:
    return MASKS.pseudonyms.token(text)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM customers WHERE ssn = '«»'",
        "SELECT '@', id FROM customers WHERE 'é' = name AND ssn='«»'",
        "SELECT id FROM customers WHERE ssn IN ('x', '«»')",
        "SELECT id FROM customers WHERE ssn = ANY(ARRAY['x', '«»'])",
        "SELECT id FROM customers WHERE ssn = '«»'::text",
        "SELECT id FROM customers WHERE (id, ssn) = (1, '«»')",
        "SELECT CASE ssn WHEN '«»' THEN 1 END FROM customers",
        "DELETE FROM customers WHERE ssn = '«»'",
        "SELECT id FROM customers WHERE name = '@'",
        "SELECT a.id FROM customers a JOIN orders o ON a.id = o.id AND a.ssn = '«»'",
        "PREPARE p AS SELECT id FROM customers WHERE ssn = '«»' AND name = '@'",
        "DECLARE c CURSOR FOR SELECT id FROM customers WHERE ssn = '«»'",
        "COPY (SELECT id, '@' FROM customers WHERE ssn = '«»') TO STDOUT",
    ],
)
def test_only_the_compared_constant_is_replaced(sql: str) -> None:
    token = ssn("joe")
    written_so = sql.replace("«»", token).replace("@", token)
    assert sent(written_so) == sql.replace("«»", "joe").replace("@", token)


def test_an_array_in_one_constant_is_written_anew() -> None:
    found = sent(f"SELECT id FROM customers WHERE ssn = ANY('{{x,{ssn('joe')}}}')")
    assert found == """SELECT id FROM customers WHERE ssn = ANY('{x,joe}')"""


def test_numbers_are_replaced_in_parentheses_with_their_sign() -> None:
    expected = f"SELECT id FROM customers WHERE card=({card(-5)}) OR card IN (({card(7)}))"
    assert sent("SELECT id FROM customers WHERE card=- /* five */ 5 OR card IN (7)") == expected


def test_what_is_explained_is_translated_as_it_is_where_it_runs() -> None:
    expected = "EXPLAIN (ANALYZE) SELECT id FROM customers WHERE ssn = 'joe'"
    assert sent(f"EXPLAIN (ANALYZE) SELECT id FROM customers WHERE ssn = '{ssn('joe')}'") == expected
    (argument,) = examine(f"EXPLAIN EXECUTE p('{ssn('joe')}')", MASKS).exchange.arguments
    assert argument is not None
    assert argument.value == ssn("joe")


def test_definitions_keep_what_the_client_wrote() -> None:
    token = ssn("joe")
    for sql in (
        f"EXPLAIN CREATE MATERIALIZED VIEW w AS SELECT id FROM customers WHERE ssn = '{token}'",
        f"CREATE VIEW w AS SELECT id FROM customers WHERE ssn = '{token}'",
        f"CREATE MATERIALIZED VIEW w AS SELECT id FROM customers WHERE ssn = '{token}'",
    ):
        assert not examine(sql, MASKS).exchange.literals


def test_a_pseudonym_that_is_compared_by_the_name_of_its_column_is_held() -> None:
    """It would be compared as it is, and find nothing."""
    for source in ("(SELECT '{}' AS x)", "(VALUES ('{}'))"):
        sql = f"SELECT c.id FROM customers c JOIN {source} v(x) ON c.ssn = v.x"
        assert [found.kind for found in examine(sql.format(ssn("joe")), MASKS).findings] == ["pseudonym"]
        assert not examine(sql.format("joe"), MASKS).findings
        beside = sql.format("joe") + f" WHERE c.ssn = '{ssn('joe')}'"
        assert not examine(beside, MASKS).findings


@pytest.mark.parametrize(
    "condition",
    [
        "card = 2 + 3", "card = 1.5", "card = '5'::int::text::int", "card = 0x10", "card = E'5'", "card IN (SELECT 5)",
        "ssn = '«»'::varchar(3)", "ssn = E'«»'", "ssn = $$«»$$", "ssn = '«»' || ''", "ssn = lower('«»')",
    ],
)  # fmt: skip
def test_what_cannot_be_translated_is_held(condition: str) -> None:
    sql = f"SELECT id FROM customers WHERE {condition}".replace("«»", ssn("joe"))
    assert kinds(sql, MASKS) == {"pseudonym"}


def test_a_parameter_is_translated_only_if_it_is_nowhere_else() -> None:
    only = examine("SELECT id FROM customers WHERE ssn = $1 OR $1 IS NULL OR $1::text IS NULL", MASKS)
    assert only.exchange.parameters == {1: ParameterSite(25)}
    shown = examine("SELECT $1 FROM customers WHERE ssn = $1", MASKS)
    assert shown.exchange.parameters[1].elsewhere
    both = examine("SELECT id FROM customers WHERE ssn = $1 OR card = $1", MASKS)
    assert both.exchange.parameters[1].elsewhere


def test_masks_are_not_written_back() -> None:
    for value in ("***", "***6789", "a***@example.com", ssn("joe"), f"see {ssn('joe')}"):
        assert kinds(f"INSERT INTO orders (note) VALUES ('{value}')", MASKS) == {"writeback"}, value
        assert kinds(f"UPDATE orders SET note = '{value}'", MASKS) == {"writeback"}, value
    for value in ("**bold**", "a *** b", "wp_admin", "0123456789abcdef", "***12345"):
        assert kinds(f"INSERT INTO orders (note) VALUES ('{value}')", MASKS) == set(), value
    assert kinds("UPDATE customers SET email = '0123456789abcdef'", MASKS) == {"writeback"}
    assert kinds("UPDATE customers SET card = 5", MASKS) == {"writeback"}
    assert kinds("SELECT id FROM orders WHERE note = '***'", MASKS) == set()


# -- values


def values(site: ParameterSite, value: bytes, binary: bool, declared: int = 0) -> bytes | None:
    return real_parameters({1: site}, (value,), (int(binary),), (declared,), OURS, NAMESPACE)[0]


@pytest.mark.parametrize(("form", "number"), [("!h", 5), ("!i", 77), ("!q", -8)])
def test_binary_integers_of_any_size_come_out_in_the_columns(form: str, number: int) -> None:
    found = values(ParameterSite(20), struct.pack(form, number), True)
    assert found == struct.pack("!q", OURS.integer(number, 20, back=True))


def test_arrays_are_translated_element_by_element() -> None:
    token = OURS.token('a"b').encode()
    assert values(ParameterSite(25, True), b"{x,NULL," + token + b"}", False) == b'{x,NULL,"a\\"b"}'
    head = struct.pack("!iiIii", 1, 1, 25, 2, 1)
    data = head + b"\xff\xff\xff\xff" + struct.pack("!i", len(token)) + token
    assert values(ParameterSite(25, True), data, True) == head + b"\xff\xff\xff\xff" + b'\x00\x00\x00\x03a"b'


def test_a_value_that_is_no_pseudonym_of_its_type_refuses() -> None:
    with pytest.raises(NoPseudonym):
        values(ParameterSite(23), b"12.5", False)
    with pytest.raises(NoPseudonym):
        values(ParameterSite(23), b"12345", True)
    with pytest.raises(NoPseudonym):
        values(ParameterSite(25, elsewhere=True), OURS.token("joe").encode(), False)
    assert values(ParameterSite(25, elsewhere=True), b"joe", False) == b"joe"


def test_parameters_are_declared_of_the_columns_type() -> None:
    assert sent_types({2: ParameterSite(23)}, ()) == (0, 23)
    assert sent_types({1: ParameterSite(20)}, (21,)) == (20,)
    assert sent_types({1: ParameterSite(20, elsewhere=True)}, (21,)) == (21,)
    assert sent_types({1: ParameterSite(1043, True)}, (0,)) == (1009,)


@given(st.lists(st.none() | TEXTS, max_size=6))
def test_arrays_in_text_come_back_as_they_were(elements: list[str | None]) -> None:
    assert array_elements(array_text(elements)) == elements


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 9), st.text("ab", max_size=9)), max_size=5))
def test_positions_map_back_outside_of_what_was_replaced(parts: list[tuple[int, int, str]]) -> None:
    text, at, replacements = "".join(chr(0x4E00 + n) for n in range(300)), 0, []
    for start, length, new in sorted(parts):
        if start >= at and start + length < len(text):
            replacements.append(Replacement(start, start + length, new))
            at = start + length
    changed = replaced(text, replacements)
    positions = Positions(replacements)
    for place, letter in enumerate(changed, 1):
        if letter >= "\u4e00":
            assert text[positions.own(place) - 1] == letter


def test_a_constant_is_quoted_for_either_reading_of_backslashes() -> None:
    trees = tuple(raw.stmt for raw in parser.parse_sql("SELECT 1 WHERE a='x'"))
    constant = Constants("SELECT 1 WHERE a='x'", trees).of(trees[0].whereClause.rexpr)
    assert constant is not None
    assert written(constant, "it's \\ here", NAMESPACE) == Replacement(17, 20, " E'it''s \\\\ here'")
    unknown = Namespace(lexing_known=False)
    assert written(constant, "\\", unknown) is None
    assert written(constant, "é", unknown) is None
    assert written(constant, "a\0b", NAMESPACE) is None
