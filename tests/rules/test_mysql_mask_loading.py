"""LOAD DATA LOCAL: how the fields of its file are told apart, where they go, and what is looked for in them."""

from __future__ import annotations

import pytest
from attrs import evolve

from rules.masking.mysql.loading import Loading
from rules.model import Namespace
from rules.policy import MaskRule
from tests.rules.mysql_mask_catalog import CATALOG, MARIADB, SHOP, examine, kinds, mask_set

RULES = (
    MaskRule("customers.email", "email"),
    MaskRule("archive.ssn", "hash"),
    MaskRule("tags.code", "pseudonym"),
    MaskRule("tags.note", "pseudonym"),
    MaskRule("customers.city", "constant", argument="no,where"),
)
MASKS = mask_set(rules=RULES)
TAKEN = "LOAD DATA LOCAL INFILE 'f' INTO TABLE "


def of(sql: str, namespace: Namespace = SHOP) -> Loading:
    found = examine(sql, MASKS, namespace)
    assert found.findings == (), found.findings
    assert found.touches
    assert found.loads is not None
    return found.loads


def test_the_usual_file() -> None:
    assert of(TAKEN + "orders") == Loading("orders", ("id", "customer_id", "note"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("FIELDS TERMINATED BY ',' ENCLOSED BY '\"' LINES TERMINATED BY '\\r\\n' IGNORE 1 LINES",
         Loading("orders", ("id", "customer_id", "note"), ",", "\r\n", '"', "\\", 1)),
        ("CHARACTER SET utf8mb4 COLUMNS TERMINATED BY '||' OPTIONALLY ENCLOSED BY '''' ESCAPED BY ''",
         Loading("orders", ("id", "customer_id", "note"), "||", "\n", "'", "")),
        ("IGNORE 20 ROWS (note, @x, `id`) SET customer_id = @x + 1",
         Loading("orders", ("note", "@x", "id"), skipped_lines=20)),
        ("PARTITION (p0, p1) LINES TERMINATED BY ';' ()", Loading("orders", ("id", "customer_id", "note"), line_end=";")),
    ],
)  # fmt: skip
def test_the_clauses_of_the_statement(options: str, expected: Loading) -> None:
    assert of(TAKEN + "orders " + options) == expected
    assert of(TAKEN.replace("INTO", "REPLACE INTO") + "shop.orders " + options) == expected
    assert (
        of("LOAD DATA LOW_PRIORITY LOCAL INFILE 'into table' IGNORE INTO TABLE `shop`.`orders` " + options, MARIADB)
        == expected
    )


@pytest.mark.parametrize(
    "sql",
    [
        "LOAD XML LOCAL INFILE 'f' INTO TABLE orders",
        TAKEN + "orders LINES STARTING BY 'xxx'",
        TAKEN + "orders FIELDS TERMINATED BY ''",
        TAKEN + "orders LINES TERMINATED BY ''",
        TAKEN + "orders FIELDS TERMINATED BY x'09'",
        TAKEN + "orders FIELDS TERMINATED BY 'é'",
        TAKEN + "orders FIELDS ENCLOSED BY 'ab'",
        TAKEN + "orders SOMETHING ELSE",
        TAKEN + "orders CHARACTER SET gbk",
    ],
)
def test_a_file_whose_fields_cannot_be_told_apart_is_held(sql: str) -> None:
    assert kinds(sql, MASKS) == ["unfollowed"]


def test_a_column_of_pseudonymised_numbers_is_held_before_any_of_the_file() -> None:
    assert kinds(TAKEN + "tags", MASKS) == ["writeback"]
    assert kinds(TAKEN + "tags (id, CODE)", MASKS) == ["writeback"]
    assert kinds(TAKEN + "tags (id, note)", MASKS) == []


def test_a_table_that_takes_nothing_back_is_held() -> None:
    catalog = evolve(CATALOG, relations=dict(CATALOG.relations))
    catalog.relations["shop", "orders"] = evolve(CATALOG.relations["shop", "orders"], transactional=False)
    found = examine(TAKEN + "orders", mask_set(catalog=catalog, rules=RULES))
    assert [finding.kind for finding in found.findings] == ["writeback"]
    assert found.loads is not None


def test_a_file_of_the_servers_is_not_looked_into() -> None:
    assert examine("LOAD DATA INFILE 'f' INTO TABLE orders", MASKS).loads is None


def test_what_is_looked_for() -> None:
    plain, hashed = examine(TAKEN + "orders", MASKS), examine(TAKEN + "archive", MASKS)
    assert plain.loads is not None
    assert hashed.loads is not None
    check, other = plain.load_check(plain.loads), hashed.load_check(hashed.loads)
    for value in (b"***", b'"***"', b"a***@example.org", b"***6789", MASKS.pseudonyms.token("x").encode(), b"no,where"):
        assert check.why(value) is not None, value
        assert check.hint.search(value) is not None
    for value in (b"****", b"x", b"0123456789abcdef", b"\xff\xfe"):
        assert check.why(value) is None, value
    assert other.why(b"0123456789abcdef") is not None
    assert check.why_part(b"x" * 20 + MASKS.pseudonyms.token("x").encode()) is not None
    assert check.hint.pattern != b""
    # a constant with the separator in it stands otherwise in the file: every field is looked at
    commas = examine(TAKEN + "orders FIELDS TERMINATED BY ','", MASKS)
    assert commas.loads is not None
    assert commas.load_check(commas.loads).hint.pattern == b""
