"""What detectors are known not to find, and what they find though it is none: rows of docs/limitations.md, which names these."""

from __future__ import annotations

import base64
import time

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


def test_the_second_byte_of_a_character_may_be_taken_for_a_part() -> None:
    assert FINDER is not None
    data = "ア".encode("sjis") + b"ann@shop.test"
    assert data[1:2] == b"A"
    (email,) = FINDER.find(data)
    assert (email.name, email.start) == ("email", 1), "in the middle of the character"


def test_what_is_full_of_findings_costs_more_than_what_holds_none() -> None:
    def best_s(data: bytes) -> float:
        """As a row is looked at: closely where something is suspected."""
        assert FINDER is not None
        times = []
        for _ in range(3):
            began = time.thread_time()
            if FINDER.suspects(data, 0, len(data)):
                FINDER.find(data)
            times.append(time.thread_time() - began)
        return min(times)

    dense, plain = b"a@b.co 4111111111111111 " * 2730, b"an ordinary little text " * 2730
    assert (len(found(dense)), len(found(plain))) == (5460, 0)
    assert best_s(dense) > 4 * best_s(plain)


def test_an_order_number_that_passes_luhn_is_taken_for_a_card() -> None:
    assert found(b"order 4111111111111111 of Tuesday") == ["card"]
