"""Bound values as the person who approves sees them."""

from __future__ import annotations

import struct

import pytest

from wireproxy.display import display_parameters, display_value


@pytest.mark.parametrize(
    ("value", "binary", "type_oid", "shown"),
    [
        (None, False, 0, None),
        (b"", False, 25, ""),
        (b"O'Brien", False, 25, "O'Brien"),
        (b"\xff\xfe", False, 25, "\\xfffe"),
        (struct.pack("!i", -7), True, 23, "-7"),
        (struct.pack("!q", 1 << 40), True, 20, str(1 << 40)),
        (struct.pack("!h", 3), True, 21, "3"),
        (struct.pack("!d", 1.5), True, 701, "1.5"),
        (b"\1", True, 16, "true"),
        (bytes(16), True, 2950, "00000000-0000-0000-0000-000000000000"),
        (b'\1{"a":1}', True, 3802, '{"a":1}'),
        ("é".encode(), True, 25, "é"),
        (b"\0\1", True, 23, "\\x0001 (binary, type 23)"),
        (b"\0\1\2", True, 0, "\\x000102 (binary, type 0)"),
    ],
)
def test_a_value_is_shown_in_its_type(value: bytes | None, binary: bool, type_oid: int, shown: str | None) -> None:
    assert display_value(value, binary, type_oid) == shown


def test_a_long_value_is_cut_and_says_how_long_it_was() -> None:
    shown = display_value(b"x" * 500_000, False, 25)
    assert shown is not None
    assert shown.endswith("… (500000 bytes)")


def test_formats_and_types_may_be_fewer_than_values() -> None:
    assert display_parameters((b"1", struct.pack("!i", 2)), (0, 1), (23, 23)) == ("1", "2")
    assert display_parameters((b"1", b"2"), (), ()) == ("1", "2")
    assert display_parameters(None, (), ()) is None
