"""What is found in text, what is not, and that it takes time in proportion to the text, whatever it holds."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.detection import GROUPS, LONGEST, NAMES, Detector, finder, first_pair, luhn

EVERYTHING = tuple(GROUPS)
# put together here, so that no scanner takes them for secrets that somebody left in the source
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEpAIBAAKCAQEA7\nabc/+=\n-----END RSA PRIVATE " + "KEY-----"
SAMPLES = {
    "aws-key": [AWS, "ASIA" + "Y34FZKBOKMUTVV7A"],
    "aws-secret": ["x" * 0 + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"],
    "gcp-key": ["AIza" + "SyA1234567890abcdefghijklmnopqrstuv", "GOCSPX-" + "abcdefghijklmnopqrstuvwxyz12"],
    "slack-token": [
        "xoxb-" + "123456789012-abcdefABCDEF",
        "hooks.slack.com/services/" + "T0000000/B0000000/" + "X" * 24,
    ],
    "github-token": ["ghp_" + "a1B2" * 9, "github_pat_" + "A" * 22 + "_" + "b" * 59],
    "private-key": [PEM, PEM.replace("\n", "\\n"), "-----BEGIN OPENSSH PRIVATE " + "KEY-----\nb3BlbnNzaC1rZXk"],
    "jwt": [JWT],
    "card": ["4111111111111111", "4111 1111 1111 1111", "3782-822463-10005", "5555555555554444", "2223003122003222"],
    "email": ["ann.lee+x@shop.example.com", "a@b.co"],
    "us-ssn": ["219-09-9999"],
    "uk-nino": ["AB123456C", "AB 12 34 56 C"],
    "es-dni": ["12345678Z", "X1234567L"],
    "fr-nir": ["2 55 08 14 168 025 38", "255081416802538"],
    "it-codice-fiscale": ["RSSMRA85T10A562S"],
}
BEFORE = {"aws-secret": "aws_secret_access_key = "}
NEAR_MISSES = [
    "AKIA in a sentence", AWS[:-1], "X" + AWS, "my eyJ is not one", "eyJhbGciOiJIUzI1NiJ9.e30", "xoxo, hugs", "ghp_short",
    "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----",
    "4111111111111112", "1234567890123", "0000000000000000", "1700000000123", "2024-05-31 12:00:00", "41111111111111110000000",
    "@home", "a@b", "a @ b.com", "000-12-3456", "219-09-99990", "12345678A", "GB123456C", "255081416802539",
    "550e8400-e29b-41d4-a716-446655440000", "an ordinary sentence about x-rays, JSON_KEYS and VIZ@x", "",
]  # fmt: skip


FINDER = finder(EVERYTHING)
assert FINDER is not None


def hidden(text: bytes) -> bytes:
    assert FINDER is not None
    out = text
    for each in FINDER.find(text):
        assert len(each.new) == each.end - each.start
        out = out[: each.start] + each.new + out[each.end :]
    return out


def test_there_is_a_sample_of_each_detector() -> None:
    assert set(SAMPLES) == {each.name for group in GROUPS.values() for each in group}
    assert set(SAMPLES) | set(EVERYTHING) == set(NAMES)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_found_wherever_it_stands(name: str) -> None:
    for sample in SAMPLES[name]:
        for before, after in (
            ("", ""),
            ("see: ", "."),
            ('{"a": "', '"}'),
            ("(", ") and more"),
            ("é€", "é"),
            ("\n", "\n"),
            ('{"a": "x\\n', '\\n"}'),  # as JSON and COPY write a line feed
            ("one\\t", "\\ttwo"),
            ('["\\u000b', '"]'),
        ):
            before += BEFORE.get(name, "")
            text = (before + sample + after).encode()
            assert FINDER is not None
            assert [each.name for each in FINDER.find(text)] == [name]
            out = hidden(text)
            assert out.startswith(before.encode())
            assert (
                out.endswith(after.encode()) or "OPENSSH" in sample
            )  # without an END, it ends where nothing looks like a key
            assert sample.encode()[:12] not in out
            assert hidden(out) == out


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_a_near_miss_is_left_as_it_is(text: str) -> None:
    assert hidden(text.encode()) == text.encode()


@pytest.mark.parametrize("name", SAMPLES)
@settings(deadline=None, max_examples=30)
@given(st.integers(0, 300), st.sampled_from([b"D", b"d", b"C"]), st.sampled_from([b"\0\1", b"AZ", b"9\0"]))
def test_what_a_value_holds_is_suspected_in_the_rows_around_it(
    name: str, length: int, kind: bytes, edge: bytes
) -> None:
    """Lengths and headers stand right beside values, and their bytes may be letters and digits."""
    assert FINDER is not None
    value = (BEFORE.get(name, "") + SAMPLES[name][0]).encode()
    data = edge + struct.pack("!i", length)[-4:] + value + kind + struct.pack("!iH", 75, 65)
    at = data.index(value)
    assert any(start < at + len(value) and end > at for start, end in FINDER.suspects(data, 0, len(data)))


def test_in_an_array_in_binary_a_value_stands_behind_its_length() -> None:
    for text in (
        AWS + " is a key, and these are some other words about it",
        "4111111111111111 and words up to that length, forty",
    ):
        element = struct.pack("!i", 65) + text.encode().ljust(65)
        assert (
            hidden(struct.pack("!iiiii", 1, 0, 25, 2, 1) + element + element).count(
                b"*" * 20 if "AKIA" in text else b"0" * 16
            )
            == 2
        )


def test_only_what_a_policy_names_is_looked_for() -> None:
    assert finder(()) is None
    secrets = finder(("secrets",))
    assert secrets is not None
    text = f"{AWS} ann@shop.test 4111111111111111".encode()
    assert [each.name for each in secrets.find(text)] == ["aws-key"]
    one = finder(("email",))
    assert one is not None
    assert [each.name for each in one.find(text)] == ["email"]


@given(
    data=st.lists(st.sampled_from(b"\x00\x01\x7f\x80\xffnopwxy"), max_size=60).map(bytes),
    cut=st.tuples(st.integers(0, 20), st.integers(0, 20)),
)
@settings(max_examples=300, deadline=None)
def test_two_bytes_side_by_side_are_found_where_the_first_two_stand(data: bytes, cut: tuple[int, int]) -> None:
    start, end = cut[0], len(data) - cut[1]
    for pair in (b"xo", b"xx", b"\x01\x01"):
        assert first_pair(data, start, end, *pair) == data.find(pair, start, max(0, end))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_suspected_among_many_of_its_rare_bytes(name: str) -> None:
    assert FINDER is not None
    text = (BEFORE.get(name, "") + SAMPLES[name][0]).encode()
    for around in (b"x" * 5000, b"J_" * 2500, b"I" * 5000, b"K" * 5000, b"/-" * 2500, b"@" * 5000):
        data = around + b" " + text + b" " + around
        assert any(
            low < len(around) + 1 + len(text) and high > len(around)
            for low, high in FINDER.suspects(data, 0, len(data))
        )


def test_luhn_is_that_of_the_card_schemes() -> None:
    def slow(digits: str) -> bool:
        total = 0
        for place, digit in enumerate(reversed(digits)):
            value = int(digit) * (2 if place % 2 else 1)
            total += value - 9 if value > 9 else value
        return total % 10 == 0

    for number in range(4_111_111_111_111_100, 4_111_111_111_111_400):
        assert luhn(str(number).encode()) == slow(str(number))


HOSTILE = [
    b"eyJ", b"eyJaaaaaaaa.", b"eyJaaaaaaaa.eyJaaaaaaaa.", b"\1abceyJaaaaaaaa", b"AKIA", b"AKIAAAAAAAAAAAAAAAA", b"xoxb-", b"ghp_",
    b"github_pat_a", b"-----BEGIN PRIVATE KEY-----", b"-----BEGIN ", b"-----BEGIN PRIVATE KEY-----AAAA-----END ", b"-----",
    b"AIza", b"secret_access_key=", b"secret_access_key" + b"=" * 8, b"4", b"4-", b"4444-", b"4444444444444444444 ", b"1 1",
    b"@", b"a@", b"a@a.", b"a.", b"a@a.a.a.a.a.a.a.a.a", b"1-", b"123-45-", b"AB", b"AB12", b"1234567", b"12345678 ", b"ABCDEF",
    b"1 55 08 ", b" ", b"\0\0\0A", b"x", b"hooks.slack.com/services/T000000/",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
def test_time_is_linear_in_the_text_whatever_it_holds(piece: bytes) -> None:
    """Four times the text takes not much more than four times as long: what is quadratic takes sixteen times."""
    assert FINDER is not None

    def best_s(size: int) -> float:
        text = (piece * (size // len(piece) + 1))[:size]
        best = 1e9
        for _ in range(3):
            began = time.thread_time()
            FINDER.suspects(text, 0, size)  # type: ignore[union-attr]
            FINDER.find(text)  # type: ignore[union-attr]
            best = min(best, time.thread_time() - began)
        return best

    short, long = best_s(16_000), best_s(64_000)
    assert long < 9 * short + 0.002, (short, long)
    assert long < 0.5


@pytest.mark.parametrize("piece", [b"eyJaaaaaaaa.", b"A", b"-----BEGIN PRIVATE KEY-----\\n", b"a-", b"+/\\n"], ids=repr)
def test_no_finding_is_longer_than_is_held_back(piece: bytes) -> None:
    """What cuts a value in two relies on it."""
    for detector in (each for group in GROUPS.values() for each in group):
        assert isinstance(detector, Detector)
        for head in ("-----BEGIN PRIVATE " + "KEY-----", "eyJaaaaaaaa.eyJ", "eyJ", "xoxb-", "ghp_"):
            text = head.encode() + piece * 4_000
            assert all(end - start <= LONGEST for start, end in detector.look(text))
