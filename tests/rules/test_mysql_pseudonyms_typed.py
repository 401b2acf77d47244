"""MySQL: numbers, dates and UUIDs that a pseudonymised column is compared with: each stands for some value."""

from __future__ import annotations

import pytest

from rules.masking.exchange import ParameterSite
from rules.masking.literals import replaced
from rules.masking.mysql.domains import NO_DOMAIN, TEXT, WHOLES, domain_of, pseudonym
from rules.masking.mysql.exchange import replacement
from rules.masking.pseudonyms import NoPseudonym
from rules.model import Namespace
from rules.policy import MaskRule, Policy
from tests.rules.mysql_mask_catalog import MARIADB, SHOP, examine, kinds, mask_set
from wireproxy.mysql.exchanging import sent_values

RULES = (MaskRule("tags.*", "pseudonym"), MaskRule("customers.ssn", "pseudonym"))
MASKS = mask_set(rules=RULES)
LOOSE = mask_set(Policy("loose", (), predicates="allow"), rules=RULES)
MADE = MASKS.pseudonyms
MOMENT, CLOCK = "1985-07-14 12:13:14.5", "12:13:14.25"
DAY, MARK = "1985-07-14", "12345678-1234-5678-9234-567812345678"


def of(number: int, name: str = "smallint") -> int:
    return pseudonym(MADE, number, WHOLES[name])


def day(text: str = DAY) -> str:
    return MADE.plain(text, 1082)


def mark(text: str = MARK) -> str:
    return MADE.plain(text, 2950)


POSITIVE = next(number for number in range(100, 200) if of(number) > 0)
NEGATIVE = next(number for number in range(100, 200) if of(number) < 0)
BELOW = next(number for number in range(-200, -100) if of(number) > 0)


def sent(sql: str, namespace: Namespace = SHOP) -> str:
    found = examine(sql, MASKS, namespace)
    assert not found.findings, found.findings
    return replaced(sql, [new for site in found.exchange.literals if (new := replacement(site, MADE)) is not None])


def test_whole_numbers_are_translated_with_their_signs_and_others_of_the_same_value_stay() -> None:
    own, other = of(POSITIVE), of(NEGATIVE)
    for before, after in [
        ("SELECT id FROM tags WHERE code={0} LIMIT 3", "SELECT id FROM tags WHERE code=({1}) LIMIT 3"),
        ("SELECT {0}, note FROM tags WHERE code = {0}", "SELECT {0}, note FROM tags WHERE code = ({1})"),
        ("SELECT {0} AS é FROM tags WHERE {0} = code", "SELECT {0} AS é FROM tags WHERE ({1}) = code"),
        ("SELECT note FROM tags WHERE code = '{0}'", "SELECT note FROM tags WHERE code = ({1})"),
        ("SELECT note FROM tags WHERE (code, twin) = ({0}, +{0})", "SELECT note FROM tags WHERE (code, twin) = (({1}), +({1}))"),
        ("SELECT c FROM tag_view WHERE c IN ({0}, NULL)", "SELECT c FROM tag_view WHERE c IN (({1}), NULL)"),
        ("SELECT CASE code WHEN {0} THEN 1 END AS x FROM tags", "SELECT CASE code WHEN ({1}) THEN 1 END AS x FROM tags"),
    ]:  # fmt: skip
        assert sent(before.format(own, POSITIVE)) == after.format(own, POSITIVE)
    assert sent(f"SELECT note FROM tags WHERE code ={other}") == f"SELECT note FROM tags WHERE code =({NEGATIVE})"
    assert sent(f"SELECT note FROM tags WHERE code=( {other})") == f"SELECT note FROM tags WHERE code=( ({NEGATIVE}))"
    assert sent(f"SELECT note FROM tags WHERE code <> {of(BELOW)}") == f"SELECT note FROM tags WHERE code <> ({BELOW})"


def test_each_type_has_its_own() -> None:
    big = 2**64 - 3
    one, two, three = of(7, "int"), of(big, "bigint unsigned"), of(7)
    sql = f"SELECT note FROM tags WHERE wide = {one} AND big = {two} AND code = {three}"
    assert sent(sql) == f"SELECT note FROM tags WHERE wide = (7) AND big = ({big}) AND code = (7)"


def test_dates_and_uuids_are_translated_in_their_plain_form() -> None:
    for text in (f"'{day()}'", f"DATE '{day()}'", f"DATE'{day()}'", f"CAST('{day()}' AS DATE)", f'"{day()}"'):
        for condition in ("day = {}", "{} = day", "day IN ({})", "NOT day <=> {}"):
            found = sent(f"SELECT note FROM tags WHERE {condition.format(text)}")
            assert (
                found
                == f"SELECT note FROM tags WHERE {condition.format(text.replace(day(), DAY).replace(chr(34), chr(39)))}"
            )
    assert sent(f"SELECT d FROM tag_view WHERE d = '{day()}'") == f"SELECT d FROM tag_view WHERE d = '{DAY}'"
    for text in (mark(), mark().upper(), mark().replace("-", "")):
        assert (
            sent(f"SELECT note FROM tags WHERE mark = '{text}'", MARIADB)
            == f"SELECT note FROM tags WHERE mark = '{MARK}'"
        )


def test_decimals_and_times_are_translated_however_they_are_written() -> None:
    price, at, clock = MADE.plain("-5.50", 1700), MADE.plain(MOMENT, 1114), MADE.plain(CLOCK, 1083)
    assert price.startswith("-")
    for text, meant in (
        (price, "-5.50"),
        (f"'{price}'", "-5.50"),
        (price.rstrip("0"), "-5.5"),
        (f"{price}0", "-5.500"),
    ):
        assert sent(f"SELECT note FROM tags WHERE price={text}") == f"SELECT note FROM tags WHERE price=({meant})"
    assert "5.5" not in sent(f"SELECT note FROM tags WHERE price IN ({price[1:]})")
    for text in (f"'{at}'", f"TIMESTAMP'{at}'", f"'{at.replace(' ', 'T')}'", f"TIMESTAMP '{at}'"):
        expected = f"SELECT note FROM tags WHERE at = {text[: text.index(chr(39))]}'{MOMENT}'"
        assert sent(f"SELECT note FROM tags WHERE at = {text}") == expected
    whole = MADE.plain("12:13:14", 1083)
    assert sent(f"SELECT note FROM tags WHERE clock='{clock}'") == f"SELECT note FROM tags WHERE clock= TIME'{CLOCK}'"
    assert (
        sent(f"SELECT note FROM tags WHERE clock = TIME'{whole}'")
        == "SELECT note FROM tags WHERE clock = TIME'12:13:14'"
    )


UNTRANSLATABLE = [
    "price = 5e0",
    "price = '5,5'",
    "price = 5 + 1",
    "price = CAST('5.5' AS DECIMAL)",
    "5 IN (price, code)",
    "at = '1985-07-14'",
    "at = '1985-07-14 12:13'",
    "at = 19850714121314",
    "at = DATE'1985-07-14'",
    "at = '1985-07-14 12:13:14+02:00'",
    "at = TIMESTAMP'1985-07-14 12:13:14+02:00'",
    "at = CAST('1985-07-14 12:13:14.5' AS DATETIME)",
    "at = NOW()",
    "at = '1899-12-31 23:59:59'",
    "clock = 121314",
    "clock = '1 12:13:14'",
    "clock = '25:00:00'",
    "clock = '-12:13:14'",
    "clock = TIME'12:13:14.5'",
    "clock = '12:13'",
    "code = 5.0",
    "code = 5e0",
    "code = .5",
    "code = 0x05",
    "code = x'05'",
    "code = b'101'",
    "code = TRUE",
    "code = 2 + 3",
    "code = -(5)",
    "code = - -5",
    "code = ~5",
    "code = -'5'",
    "code = '5.0'",
    "code = '5a'",
    "code = ''",
    "code = '5' '1'",
    "code = _latin1'5'",
    "code = N'5'",
    "code = 70000",
    "code = -32769",
    "code = abs(5)",
    "code = CAST('5' AS SIGNED)",
    "code = CAST('1985-07-14' AS DATE)",
    "code = @v",
    "code = (SELECT 5)",
    "code IN (SELECT 5)",
    "code IN (SELECT 5 UNION SELECT 6)",
    "code = ANY (SELECT 5)",
    "(code, id) = (SELECT 5, 1)",
    "(SELECT 1, 5) = ROW(id, code)",
    "(code, id) IN (SELECT 5, 1)",
    "(code, id) = (5.0, 1)",
    "5 IN (code, wide)",
    "5 IN (code, note)",
    "CASE 5 WHEN code THEN 1 WHEN id THEN 2 END = 1",
    "big = -1",
    "big = 18446744073709551616",
    "day = 19850714",
    "day = '19850714'",
    "day = '1985-7-14'",
    "day = '1985-07-14 00:00:00'",
    "day = TIMESTAMP'1985-07-14 00:00:00'",
    "day = '0000-00-00'",
    "day = '2150-01-01'",
    "day = '85-07-14'",
    "day = 'x'",
    "day = CURRENT_DATE",
    "day = DATE'1985-07-14' + INTERVAL 1 DAY",
    "DATE'1985-07-14' IN (day, at)",
    "mark = 'none'",
    "mark = x'12345678123456789234567812345678'",
    "mark = 5",
    "q.c = 5",
]


def held_or_refused(condition: str, masks: object) -> bool:
    tables = "tags, (SELECT code AS c FROM tags UNION ALL SELECT wide FROM tags) AS q" if "q.c" in condition else "tags"
    found = examine(f"SELECT tags.note FROM {tables} WHERE {condition}", masks, MARIADB)  # type: ignore[arg-type]
    if found.findings:
        return True
    for site in found.exchange.literals:
        try:
            replacement(site, MADE)
        except NoPseudonym:
            return True
    return False


@pytest.mark.parametrize("condition", UNTRANSLATABLE)
@pytest.mark.parametrize("masks", [MASKS, LOOSE], ids=["equality", "allow"])
def test_what_cannot_be_translated_is_not_compared_as_it_is(condition: str, masks: object) -> None:
    assert held_or_refused(condition, masks)


def test_inside_a_column_that_has_no_alias_it_would_be_named() -> None:
    assert "pseudonym" in kinds("SELECT IF(code = 5, 1, 2) FROM tags", MASKS)
    assert "pseudonym" in kinds("SELECT (SELECT note FROM tags WHERE code = 5)", MASKS)
    assert not kinds("SELECT (SELECT note FROM tags WHERE code = 5) AS x", MASKS)


def test_types_without_pseudonyms_and_columns_without_masks_compare_as_ever() -> None:
    for condition in ("rate = 5", "seen = '1985-07-14'", "rate = 5.5"):
        found = examine(f"SELECT note FROM tags WHERE {condition}", MASKS)
        assert (found.findings, bool(found.exchange)) == ((), False)
    for sql in ("SELECT id FROM orders WHERE id = 5", "SELECT t.note FROM tags t JOIN tags u ON t.code = u.code"):
        assert not examine(sql, MASKS).findings
    assert not examine("SELECT note FROM tags WHERE code IS NULL OR code <=> NULL OR code = wide", MASKS).exchange


def test_a_number_that_is_compared_is_looked_at_in_every_text_of_its_shape() -> None:
    assert examine("SELECT note FROM tags WHERE code = 5", MASKS).literal
    assert not examine("SELECT note FROM orders WHERE id = 5", MASKS).literal


WRITES = [
    "INSERT INTO tags (id, code) VALUES (1, 5)",
    "INSERT INTO tags (note, code) VALUES (?, NULL), (?, NULL), (?, -5)",
    "INSERT INTO tags (note, code) VALUES ('a', NULL), ('b', -5)",
    "INSERT INTO tags (note, code) SELECT note, 5 FROM orders",
    "INSERT INTO tags (code) SELECT 5 UNION ALL SELECT 6",
    "INSERT INTO tags (note, day) VALUES (?, ?)",
    "INSERT INTO tags (note, mark) VALUES ('x', '12345678-1234-5678-9234-567812345678')",
    "REPLACE INTO tags SET code = 5",
    "UPDATE tags SET day = DATE'1985-07-14'",
    "UPDATE tags t JOIN orders o ON o.id = 1 SET t.code = (5)",
    "INSERT INTO tags (note) VALUES ('x') ON DUPLICATE KEY UPDATE code = 5",
    "INSERT INTO tag_view (c) VALUES (5)",
    "INSERT INTO tags (price) VALUES (5.5)",
    "UPDATE tags SET at = '1985-07-14 12:13:14'",
]


@pytest.mark.parametrize("sql", WRITES)
def test_a_constant_that_is_written_into_such_a_column_may_be_a_pseudonym(sql: str) -> None:
    assert "writeback" in kinds(sql, MASKS)


def test_what_is_written_elsewhere_or_is_computed_is_no_pseudonym() -> None:
    for sql in (
        "INSERT INTO tags (note, rate, seen) VALUES ('x', 5, '1985-07-14')",
        "INSERT INTO tags (code) VALUES (NULL)",
        "INSERT INTO tags (code) VALUES (DEFAULT)",
        "INSERT INTO tags (note) VALUES ('x')",
        "INSERT INTO orders (id) VALUES (5)",
        "UPDATE tags SET code = code",
    ):
        assert kinds(sql, MASKS) == [], sql


def test_a_comparison_in_a_write_or_beside_code_of_the_database_is_held_for_parameters_too() -> None:
    for sql in (
        "DELETE FROM tags WHERE code = 5",
        "DELETE FROM tags WHERE code = ?",
        "SELECT fmt('x') AS x FROM tags WHERE day = ?",
    ):
        assert "pseudonym" in kinds(sql, MASKS)
    text = examine("DELETE FROM customers WHERE ssn = ?", MASKS)
    assert not text.findings
    assert text.against((MADE.token("real").encode(),), (253,)) is not None
    assert text.against((b"real",), (253,)) is None


def test_bound_values_are_sent_in_the_columns_own_type() -> None:
    sql = "SELECT note FROM tags WHERE code = ? AND big = ? AND day = ? AND mark = ? AND note = ? AND rate = ?"
    sites = examine(sql, MASKS, MARIADB).exchange.parameters
    assert [sites[number].type_oid for number in (1, 2, 3, 4, 5)] == [21, 1017, 1082, 2950, TEXT]
    big = 2**64 - 3
    values = [str(of(NEGATIVE)), str(of(big, "bigint unsigned")), day(), mark(), MADE.token("n"), "1"]
    bound = [value.encode() for value in values]
    for types in ((3, 8, 10, 253, 253, 3), (253, 253, 253, 253, 252, 253), (246, 0, 12, 254, 15, 3)):
        found, given = sent_values(sites, bound, types, MADE, MARIADB, 6)
        assert [each.decode() for each in found if each is not None] == [str(NEGATIVE), str(big), DAY, MARK, "n", "1"]
        assert given == (8, 0x8008, 10, types[3], types[4], types[5])
    twice, given = sent_values(sites, [*bound, None, *bound[1:]], (3, 8, 10, 253, 253, 3) * 2, MADE, MARIADB, 6)
    assert twice[6] is None
    assert (twice[8], given[6]) == (DAY.encode(), 8)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(b"5.5", 5), (b"1e+17", 5), (b"nan", 5), (b"inf", 5), (b"9007199254740994.0", 5), (b"5.0", 246), (b"x", 253), (b"", 253),
     (b"70000", 3), (b"2024-05-31", 10), (b"0 10:00:00", 11), (b"\xff\xfe", 252)],
)  # fmt: skip
def test_a_bound_value_that_is_no_number_of_the_type_is_refused(value: bytes, kind: int) -> None:
    with pytest.raises(NoPseudonym):
        sent_values({1: ParameterSite(21)}, [value], (kind,), MADE, SHOP, 1)


@pytest.mark.parametrize(
    ("domain", "meant", "value", "kind", "given"),
    [(1700, "5.5", "{}", 5, 246), (1700, "5.50", "{}", 253, 246), (1700, "-5", "{}", 8, 246), (1700, "5.5", "{}", 246, 246),
     (1114, f"{MOMENT}00000", "{}", 12, 253), (1114, MOMENT, "{}", 253, 253), (1083, f"{CLOCK}0000", "0 {}", 11, 253),
     (1083, CLOCK, "{}", 253, 253)],
)  # fmt: skip
def test_bound_decimals_and_times_are_sent_as_they_stand(
    domain: int, meant: str, value: str, kind: int, given: int
) -> None:
    bound = value.format(MADE.plain(meant, domain)).encode()
    assert sent_values({1: ParameterSite(domain)}, [bound], (kind,), MADE, MARIADB, 1) == ((meant.encode(),), (given,))


@pytest.mark.parametrize(
    ("domain", "value", "kind"),
    [(1700, b"0.12345679104328156", 4), (1700, b"123456789012345.67", 5), (1700, b"nan", 5), (1700, b"x", 253), (1700, b"", 253),
     (1114, b"0000-00-00", 12), (1114, b"1985-07-14", 253), (1083, b"1 10:00:00", 11), (1083, b"-0 10:00:00", 11),
     (1083, MADE.plain(CLOCK, 1083).encode(), 253)],
)  # fmt: skip
def test_a_bound_decimal_or_time_that_is_not_exact_is_refused(domain: int, value: bytes, kind: int) -> None:
    with pytest.raises(NoPseudonym):
        sent_values({1: ParameterSite(domain)}, [value], (kind,), MADE, SHOP, 1)


def test_javascripts_numbers_and_dates_with_a_time_of_zero_are_understood() -> None:
    number = {1: ParameterSite(21)}
    assert sent_values(number, [f"{of(NEGATIVE)}.0".encode()], (5,), MADE, SHOP, 1)[0] == (str(NEGATIVE).encode(),)
    date = {1: ParameterSite(1082)}
    assert sent_values(date, [f"{day()} 00:00:00".encode()], (12,), MADE, SHOP, 1)[0] == (DAY.encode(),)
    with pytest.raises(NoPseudonym):
        sent_values(date, [f"{day()} 00:00:01".encode()], (12,), MADE, SHOP, 1)
    with pytest.raises(NoPseudonym):
        sent_values({1: ParameterSite(21, elsewhere=True)}, [b"5"], (3,), MADE, SHOP, 1)
    with pytest.raises(NoPseudonym):
        sent_values({1: ParameterSite(TEXT, elsewhere=True)}, [MADE.token("x").encode()], (253,), MADE, SHOP, 1)
    assert sent_values({1: ParameterSite(TEXT, elsewhere=True)}, [b"x"], (253,), MADE, SHOP, 1)[0] == (b"x",)
    assert domain_of("double") is None
    assert NO_DOMAIN == 0
