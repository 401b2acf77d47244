"""MySQL's stored form of a password, against SHA-crypt's published vector and verifiers that a server accepted."""

from __future__ import annotations

import pytest

from protocols.mysql import caching_sha2
from protocols.mysql.caching_sha2 import SALT_BYTES, check_password, make_verifier

SALT = "abcdefghij0123456789"


def test_the_published_vector() -> None:
    """Spec: SHA-crypt, test vectors, "$5$saltstring"."""
    digest = caching_sha2._digest(b"Hello world!", b"saltstring", 5000)
    assert digest == "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"


def test_a_verifier_has_mysqls_form() -> None:
    """MySQL 9.7 let `secret` in by this one."""
    assert make_verifier("secret", SALT) == "$A$005$abcdefghij0123456789Zu4RPJ/GZ6uhS5PeIiP5RI.gbHZR3DWR3exeD3zy4sD"


@pytest.mark.parametrize("password", ["", "x", "Grüße", "y" * 256])
def test_only_the_password_itself_fits(password: str) -> None:
    verifier = make_verifier(password, SALT)
    assert len(verifier) == 70
    assert check_password(password, verifier)
    assert not check_password(password + "x", verifier)
    assert not check_password("z", verifier)


def test_a_long_password_costs_nothing() -> None:
    """The digest of a password repeats it once for each of its bytes."""
    with pytest.raises(ValueError, match="256"):
        make_verifier("x" * 257, SALT)
    assert not check_password("x" * 10_000_000, make_verifier("x", SALT))


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "$A$005$",
        "secret",
        "$A$000$" + "x" * 63,
        "$A$+05$" + "x" * 63,
        "$A$005$" + "x" * 62,
        "$A$005$" + "ü" * 63,
        "$B$005$" + "x" * 63,
    ],
)
def test_a_broken_verifier_is_an_error_that_does_not_repeat_it(broken: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_password("x", broken)
    assert "xxxx" not in str(caught.value)


@pytest.mark.parametrize("salt", ["", "short", "x" * (SALT_BYTES + 1), "$" * SALT_BYTES, "ü" * SALT_BYTES])
def test_a_salt_has_its_length_and_alphabet(salt: str) -> None:
    with pytest.raises(ValueError, match="salt"):
        make_verifier("x", salt)
