"""The canary tests hear a masked value in whatever form it comes: otherwise their silence would prove nothing."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable

import pytest

from tests.integration import canary_forms, canary_forms_postgres

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "upper": bytes.upper,
    "mixed": bytes.title,
    "reversed": lambda text: text[::-1],
    "hexadecimal": lambda text: text.hex().encode(),
    "hexadecimal in capitals": lambda text: text.hex().upper().encode(),
    "hexadecimal of capitals": lambda text: text.upper().hex().encode(),
    "base64": base64.b64encode,
    "base64 one further": lambda text: base64.b64encode(b"a" + text),
    "base64 two further": lambda text: base64.b64encode(b"ab" + text),
    "base64 of capitals": lambda text: base64.b64encode(text.upper()),
    "utf-16": lambda text: text.decode().encode("utf-16-le"),
}
TEXTS = [b"canaryssn1", b"7654321000003", b"8765433.50", b"5432102", b"1917-03-12"]
MODULES = {"postgres": canary_forms_postgres, "mysql": canary_forms}


@pytest.mark.parametrize("dialect", MODULES)
@pytest.mark.parametrize("form", FORMS)
def test_the_word_is_heard_in_every_form(dialect: str, form: str) -> None:
    assert MODULES[dialect].canaries(b"D\0\0before " + FORMS[form](b"canaryssn1") + b" behind")


@pytest.mark.parametrize("dialect", MODULES)
@pytest.mark.parametrize("form", [each for each in FORMS if "capitals" not in each and each != "utf-16"])
@pytest.mark.parametrize("text", TEXTS)
def test_numbers_and_dates_are_heard_in_every_form(dialect: str, form: str, text: bytes) -> None:
    assert MODULES[dialect].canaries(b"D\0\0before " + FORMS[form](text) + b" behind")


@pytest.mark.parametrize(
    ("dialect", "value"),
    [
        ("postgres", struct.pack("!q", 7654321000003)),
        ("postgres", struct.pack("!d", 7654321000003.0)),
        ("postgres", struct.pack("!hhhhhhh", 4, 3, 0, 0, 7, 6543, 2100) + struct.pack("!h", 3)),
        ("postgres", struct.pack("!i", 5432102)),
        ("postgres", struct.pack("!i", -30244)),
        ("mysql", struct.pack("<q", 7654321000003)),
        ("mysql", struct.pack("<d", 8765433.5)),
        ("mysql", struct.pack("<i", 5432102)),
        ("mysql", struct.pack("<BHBB", 4, 1917, 3, 12)),
    ],
)
def test_binary_values_are_heard_as_they_are_and_in_hexadecimal(dialect: str, value: bytes) -> None:
    assert MODULES[dialect].canaries(b"\0\0" + value)
    assert MODULES[dialect].canaries(b"\\x" + value.hex().encode())


@pytest.mark.parametrize("dialect", MODULES)
def test_masks_are_not(dialect: str) -> None:
    shown = b"*** 0 2000-01-01 1020304050 c***@shop.test 00000000-0000-0000-0000-000000000000 AAAA " + bytes(64)
    assert MODULES[dialect].canaries(shown) == []
