"""Many values at once get what OpenSSL gives each of them."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from rules.masking.lanes import Cmac, Siv

KEY = bytes(range(64))
MACS = Cmac(KEY[:32])
SIVS = Siv(KEY)
# every length that a lane takes and some that none takes, in any order, so that lanes of several widths come of one call
VALUES = st.lists(st.binary(max_size=100), max_size=40)


def mac(value: bytes, key: bytes = KEY[:32]) -> bytes:
    made = CMAC(algorithms.AES(key))
    made.update(value)
    return made.finalize()


def siv(text: bytes, key: bytes = KEY) -> bytes:
    return base64.urlsafe_b64encode(AESSIV(key).encrypt(text, None)).rstrip(b"=")


@given(VALUES)
def test_the_macs_of_many_are_those_of_each(values: list[bytes]) -> None:
    expected = [mac(value) for value in values]
    assert MACS.together(values, 16, hexadecimal=False) == MACS.tags(values) == expected
    words = [tag.hex()[:5].encode() for tag in expected]
    assert MACS.together(values, 5, hexadecimal=True) == MACS.hexadecimal(values, 5) == words


@given(VALUES, st.binary(min_size=1, max_size=3))
def test_the_sivs_of_many_are_those_of_each(texts: list[bytes], head: bytes) -> None:
    expected = [b"wp_" + siv(head + text) + b"@x" for text in texts]
    assert SIVS.together(head, texts, b"wp_", b"@x") == SIVS.all_sealed(head, texts, b"wp_", b"@x") == expected


@pytest.mark.parametrize("key", [bytes(64), b"\xff" * 64, KEY[::-1]])
@pytest.mark.parametrize("count", [1, 7, 8, 256, 1000])
def test_any_number_of_values_of_every_length(count: int, key: bytes) -> None:
    values = [bytes([number & 0xFF]) * (number % 100) for number in range(count)]
    assert Cmac(key[:32]).together(values, 16, hexadecimal=False) == [mac(value, key[:32]) for value in values]
    assert Siv(key).together(b"\1", values, b"", b"") == [siv(b"\1" + value, key) for value in values]


# Spec: RFC 4493 §4. Those of RFC 5297 have associated data.
@pytest.mark.parametrize(
    ("length", "tag"),
    [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_the_vectors_of_the_standard(length: int, tag: str) -> None:
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    message = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    assert Cmac(key).together([message[:length]], 16, hexadecimal=False) == [bytes.fromhex(tag)]
    assert Cmac(key).together([message[:length]] * 9, 5, hexadecimal=False) == [bytes.fromhex(tag)[:5]] * 9
