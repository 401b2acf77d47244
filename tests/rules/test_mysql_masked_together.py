"""What masks MySQL's values many at once gives each what it would get by itself, and is there where it is quicker."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.base import many_of
from protocols.shortening import keeps_of
from rules.masking.maskers import STARS
from rules.masking.mysql.charsets import CHARSETS
from rules.masking.mysql.maskers import MySqlMaskers
from rules.masking.mysql.types import INTEGERS, UNSIGNED, ZEROFILL, Facts
from rules.masking.values import Mark

MAKE = MySqlMaskers(b"k" * 32)
NAMES = {1: "tinyint", 2: "smallint", 9: "mediumint", 3: "int", 8: "bigint"}
UTF8MB4, LATIN1, GBK, UTF16 = 45, 8, 28, 54


@pytest.mark.parametrize("masker", ["hash", "pseudonym"])
@pytest.mark.parametrize("charset", sorted({found.codec: number for number, found in CHARSETS.items()}.values()))
@settings(max_examples=5)
@given(texts=st.lists(st.one_of(st.text(max_size=9).map(str.encode), st.binary(max_size=9)), max_size=6))
def test_texts_are_masked_together_as_one_by_one(masker: str, charset: int, texts: list[bytes]) -> None:
    mask = MAKE.field(Mark(masker, None), Facts(253, 0, charset, 320, 0, "varchar"), False)
    many = many_of(mask)
    assert (many is not None) is (not CHARSETS[charset].codec.startswith(("utf_16", "utf_32")))
    if many is not None:
        assert many(texts) == [mask(text) for text in texts]


@pytest.mark.parametrize("charset", [UTF8MB4, LATIN1, GBK])
@pytest.mark.parametrize("masker", ["hash", "pseudonym"])
def test_texts_of_any_kind_have_the_results_of_their_words(charset: int, masker: str) -> None:
    """In every charset, and whether they are masked with others that are ASCII or not."""
    mask = MAKE.field(Mark(masker, None), Facts(253, 0, charset, 320, 0, "varchar"), False)
    many = many_of(mask)
    assert many is not None
    plain = many([b"ann@shop.test", b"bob@shop.test"])
    mixed = many([b"ann@shop.test", "bébé".encode(CHARSETS[charset].codec, "replace"), b"bob@shop.test"])
    assert [mixed[0], mixed[2]] == plain
    assert plain == [masked_text(masker, text) for text in (b"ann@shop.test", b"bob@shop.test")]


def masked_text(masker: str, text: bytes) -> bytes | None:
    return MAKE.field(Mark(masker, None), Facts(253, 0, UTF8MB4, 320, 0, "varchar"), False)(text)


@pytest.mark.parametrize("masker", ["hash", "pseudonym"])
@pytest.mark.parametrize("flags", [0, UNSIGNED, UNSIGNED | ZEROFILL])
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("kind", sorted(INTEGERS))
@settings(max_examples=20)
@given(data=st.data())
def test_whole_numbers_are_masked_together_as_one_by_one(
    masker: str, flags: int, binary: bool, kind: int, data: st.DataObject
) -> None:
    form, bits = INTEGERS[kind]
    unsigned = bool(flags & UNSIGNED)
    low, high = (0, 2 ** (bits + 1) - 1) if unsigned else (-(2**bits), 2**bits - 1)
    found = data.draw(st.lists(st.one_of(st.integers(low, high), st.sampled_from([low, high])), max_size=9))
    written = struct.Struct(form.upper() if unsigned else form).pack if binary else lambda number: b"%d" % number
    facts = Facts(kind, flags, 63, 10, 0, f"{NAMES[kind]} unsigned" if unsigned else NAMES[kind])
    mask = MAKE.field(Mark(masker, None), facts, binary)
    many = many_of(mask)
    assert many is not None
    values = [written(number) for number in found]
    assert many(values) == [mask(value) for value in values]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("masker", ["hash", "pseudonym"])
def test_a_value_that_is_no_number_spoils_none_of_the_others(masker: str, binary: bool) -> None:
    mask = MAKE.field(Mark(masker, None), Facts(3, 0, 63, 11, 0, "int"), binary)
    many = many_of(mask)
    assert many is not None
    values = [struct.pack("<i", 7), b"xyz", struct.pack("<i", 8)] if binary else [b"7", b"xyz", b"99999999999", b"8"]
    assert many(values) == [mask(value) for value in values]


@pytest.mark.parametrize(("masker", "argument"), [("last4", None), ("email", None), ("first-n", "3")])
def test_what_keeps_the_ends_of_a_text_says_so_where_ascii_has_its_own_bytes(masker: str, argument: str | None) -> None:
    for charset in (UTF8MB4, LATIN1, GBK):
        keeps = keeps_of(MAKE.field(Mark(masker, argument), Facts(253, 0, charset, 80), False))
        assert keeps is not None
        assert keeps[0] == STARS
    assert keeps_of(MAKE.field(Mark(masker, argument), Facts(253, 0, UTF16, 80), False)) is None
    assert keeps_of(MAKE.field(Mark(masker, argument), Facts(3, 0, 63, 11), False)) is None
