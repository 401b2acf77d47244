"""What detectors are known not to find, and what they find though it is none: rows of docs/limitations.md, which names these."""

from __future__ import annotations

import base64

import pytest

from rules.detection import GROUPS, finder

AWS = "AKIA" + "IOSFODNN7EXAMPLE"
FINDER = finder(tuple(GROUPS))


def found(data: bytes) -> list[str]:
    assert FINDER is not None
    return [each.name for each in FINDER.find(data)]


@pytest.mark.parametrize(
    "data",
    [AWS[::-1].encode(), base64.b64encode(AWS.encode()), AWS[:9].encode(), AWS[9:].encode(), b"correct horse battery staple"],
    ids=["reversed", "encoded", "its beginning", "its end", "a password"],
)  # fmt: skip
def test_what_is_reversed_encoded_or_taken_apart_is_not_found(data: bytes) -> None:
    assert found(AWS.encode()) == ["aws-key"]
    assert found(data) == []


@pytest.mark.parametrize("data", [AWS.encode().hex().encode(), AWS.encode("utf-16-le")], ids=["hexadecimal", "utf-16"])
def test_hexadecimal_and_utf_16_are_not_read(data: bytes) -> None:
    assert found(data) == []


def test_an_order_number_that_passes_luhn_is_taken_for_a_card() -> None:
    assert found(b"order 4111111111111111 of Tuesday") == ["card"]
