"""What is looked for in the data of COPY FROM STDIN, and what its statement says beforehand."""

from __future__ import annotations

import struct

import pytest

from rules.masking.copying import CopyShape
from rules.masking.incoming import IncomingCheck
from rules.model import Namespace
from rules.policy import MaskRule
from tests.rules.mask_catalog import RULES, examine, kinds, mask_set

MASKS = mask_set(rules=(*RULES, MaskRule("orders.note", "constant", argument="entfällt")))
CODES = mask_set(rules=(MaskRule("*.card", "pseudonym"), MaskRule("*.ssn", "pseudonym")))
TOKEN = "wp_" + "t" * 30


def check(sql: str, namespace: Namespace | None = None) -> IncomingCheck:
    incoming = examine(sql, MASKS).incoming
    assert incoming is not None
    return MASKS.check_of(incoming, namespace or Namespace())


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ("", CopyShape()),
        ("(FORMAT csv, HEADER match, NULL 'x')", CopyShape("csv", b",", b"x", header=True)),
        ("CSV QUOTE '''' DELIMITER ';'", CopyShape("csv", b";", b"", b"'", b"'")),
        ("(FORMAT binary)", CopyShape("binary")),
        ("(DEFAULT '\\D')", CopyShape(default=b"\\D")),
    ],
)
def test_the_shape_of_the_data_is_that_of_the_options(options: str, shape: CopyShape) -> None:
    incoming = examine(f"COPY orders (note, id) FROM STDIN {options}", MASKS).incoming
    assert incoming is not None
    assert (incoming.shape, incoming.columns, incoming.hashed) == (shape, ("note", "id"), False)


def test_a_copy_of_a_whole_table_takes_no_generated_column() -> None:
    incoming = examine("COPY customers FROM STDIN", MASKS).incoming
    assert incoming is not None
    assert incoming.columns == ("id", "name", "city", "ssn", "email", "salary", "card")


@pytest.mark.parametrize(
    "sql", ["COPY orders FROM '/tmp/x'", "COPY orders FROM PROGRAM 'cat'", "COPY orders TO STDOUT"]
)
def test_what_no_client_sends_is_not_looked_for(sql: str) -> None:
    assert examine(sql, MASKS).incoming is None


def test_a_table_that_is_not_known_is_looked_at_without_names() -> None:
    incoming = examine("COPY nowhere FROM STDIN", MASKS).incoming
    assert incoming is not None
    assert incoming.columns == ()


FORMS = {
    b"***": "a masked value",
    b'"***"': "a masked value",
    b"a***@b.c": "a masked value",
    b"***6789": "a masked value",
    TOKEN.encode(): "a pseudonym",
    b"see " + TOKEN.encode() + b"@pseudonym.invalid": "a pseudonym",
    b"{x,***}": "a masked value",
    "entfällt".encode(): "the constant that masks a column",
}


@pytest.mark.parametrize("value", FORMS)
def test_masks_are_found_and_hinted_at(value: bytes) -> None:
    looking = check("COPY orders FROM STDIN")
    assert looking.why(value) == FORMS[value]
    assert looking.hint.search(value)


@pytest.mark.parametrize("value", [b"", b"****", b"**", b"***bold***", b"wp_posts", b"0123456789abcdef", b"\xff\xfe"])
def test_what_is_no_mask_passes(value: bytes) -> None:
    assert check("COPY orders FROM STDIN").why(value) is None


def test_a_hash_is_one_where_the_table_has_hashed_columns() -> None:
    looking = check("COPY parent FROM STDIN")
    assert looking.why(b"0123456789abcdef") == "a hash of the gateway's form"
    assert looking.hint.search(b"0123456789abcdef")


@pytest.mark.parametrize(
    ("namespace", "options"), [(Namespace(client_encoding="LATIN1"), ""), (Namespace(), "(ENCODING 'latin1')")]
)
def test_a_constant_is_looked_for_in_the_encoding_of_the_data(namespace: Namespace, options: str) -> None:
    looking = check(f"COPY orders FROM STDIN {options}", namespace)
    assert looking.why("entfällt".encode("latin-1")) == "the constant that masks a column"
    assert looking.hint.search("entfällt".encode("latin-1"))


ARRAY = struct.pack("!iiIii", 1, 1, 25, 3, 1) + struct.pack("!i", -1) + b"\0\0\0\1x" + b"\0\0\0\3***"


@pytest.mark.parametrize("value", [b'\x01"***"', b"***", ARRAY, b"\x01" + TOKEN.encode()])
def test_binary_values_are_read_by_their_form(value: bytes) -> None:
    assert check("COPY orders FROM STDIN (FORMAT binary)").why(value) is not None


@pytest.mark.parametrize(
    "value", [ARRAY[:-1], struct.pack("!iiIii", 99, 1, 25, 3, 1), struct.pack("!iiI", 1, 0, 23), b"\x01", b""]
)
def test_binary_values_that_end_early_are_no_error(value: bytes) -> None:
    assert check("COPY orders FROM STDIN (FORMAT binary)").why(value) is None


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("COPY customers FROM STDIN", {"writeback"}),
        ("COPY customers (id, card) FROM STDIN", {"writeback"}),
        ("COPY customers (id, ssn) FROM STDIN", set()),  # texts are looked at as they come
        ("COPY orders FROM STDIN", set()),
    ],
)
def test_a_column_of_which_every_value_may_be_a_pseudonym_holds_the_statement(sql: str, found: set[str]) -> None:
    assert kinds(sql, CODES) == found
