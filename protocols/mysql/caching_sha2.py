"""What a server keeps for caching_sha2_password: SHA-256-crypt with 5000 rounds and a salt of 20 bytes.

    $A$005$<20 bytes of salt><43 characters of digest>

Spec: MySQL's `mysql.user.authentication_string`; SHA-crypt by Ulrich Drepper, 2007. Its salts have 16 bytes at most, MySQL's
are a little longer; else it is the same.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

SALT_BYTES = 20
SALT_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # any 7-bit text without $ will do
LONGEST_PASSWORD_BYTES = 256  # MySQL's CACHING_SHA2_PASSWORD_MAX_PASSWORD_LENGTH; the work grows with its square
_PREFIX = "$A$"
_THOUSANDS = 5  # of rounds, MySQL's default; written as three hexadecimal digits
_MOST_THOUSANDS = 0xFFF
_DIGEST_CHARACTERS = 43
# the order in which the digest's bytes go into groups of 24 bits. Spec: SHA-crypt, step 22 e
_ORDER = (
    (0, 10, 20),
    (21, 1, 11),
    (12, 22, 2),
    (3, 13, 23),
    (24, 4, 14),
    (15, 25, 5),
    (6, 16, 26),
    (27, 7, 17),
    (18, 28, 8),
    (9, 19, 29),
)


def make_verifier(password: str, salt: str) -> str:
    """`salt` is 20 characters of SALT_ALPHABET, fresh for each verifier. ValueError otherwise, or for a password too long."""
    if len(salt) != SALT_BYTES or not set(salt) <= set(SALT_ALPHABET):
        raise ValueError(f"a salt has {SALT_BYTES} characters of SALT_ALPHABET")
    return f"{_PREFIX}{_THOUSANDS:03X}${salt}{_digest(_encoded(password), salt.encode(), _THOUSANDS * 1000)}"


def check_password(password: str, verifier: str) -> bool:
    """In a time that does not depend on where they differ. ValueError if `verifier` is none."""
    thousands, salt, digest = _parse(verifier)
    try:
        raw = _encoded(password)
    except ValueError:
        return False
    return hmac.compare_digest(_digest(raw, salt, thousands * 1000), digest)


def check_verifier(verifier: str) -> None:
    """ValueError if it is none."""
    _parse(verifier)


def _parse(verifier: str) -> tuple[int, bytes, str]:
    head, rest = verifier[:7], verifier[7:]
    shaped = head.startswith(_PREFIX) and head.endswith("$") and len(rest) == SALT_BYTES + _DIGEST_CHARACTERS
    if not shaped or not verifier.isascii() or not set(head[3:6]) <= set("0123456789ABCDEFabcdef"):
        raise ValueError(
            f"a verifier of caching_sha2_password has the form {_PREFIX}005$, {SALT_BYTES} bytes of salt and a digest"
        )
    thousands = int(head[3:6], 16)
    if not 1 <= thousands <= _MOST_THOUSANDS:
        raise ValueError("a verifier of caching_sha2_password has at least 1000 rounds")
    return thousands, rest[:SALT_BYTES].encode(), rest[SALT_BYTES:]


def _encoded(password: str) -> bytes:
    raw = password.encode("utf-8", "surrogateescape")
    if len(raw) > LONGEST_PASSWORD_BYTES:
        raise ValueError(f"MySQL's passwords have at most {LONGEST_PASSWORD_BYTES} bytes")
    return raw


def _digest(password: bytes, salt: bytes, rounds: int) -> str:
    """Spec: SHA-crypt, steps 1 to 22."""
    inner = hashlib.sha256(password + salt + password).digest()
    start = password + salt + _repeated(inner, len(password))
    start += b"".join(inner if bit else password for bit in _bits(len(password)))
    state = hashlib.sha256(start).digest()
    p = _repeated(hashlib.sha256(password * len(password)).digest(), len(password))
    s = _repeated(hashlib.sha256(salt * (16 + state[0])).digest(), len(salt))
    for number in range(rounds):
        odd = number & 1
        text = (p if odd else state) + (s if number % 3 else b"") + (p if number % 7 else b"") + (state if odd else p)
        state = hashlib.sha256(text).digest()
    return "".join(_characters(state))


def _repeated(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


def _bits(number: int) -> Iterator[bool]:
    while number:
        yield bool(number & 1)
        number >>= 1


def _characters(state: bytes) -> Iterator[str]:
    for high, middle, low in _ORDER:
        yield from _base64(state[high] << 16 | state[middle] << 8 | state[low], 4)
    yield from _base64(state[31] << 8 | state[30], 3)


def _base64(value: int, characters: int) -> Iterator[str]:
    for _ in range(characters):
        yield SALT_ALPHABET[value & 0x3F]
        value >>= 6
