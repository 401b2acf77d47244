"""The masker `hash`: a keyed hash in the type's own form. Equal values give equal results, in either format, in any column.

It is AES-CMAC under a key of its own, derived from the gateway's: a pseudorandom function, so that without the key a result says
nothing of a value but that it is equal to another one. Cut to 64 bits for texts, any two different values in a column of a million
have the same hash with a chance of 1 in 37 million.

Spec: RFC 4493.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from librt.strings import read_i64_be

from rules.masking import formats
from rules.masking.lanes import BLOCK, Cmac

if TYPE_CHECKING:
    from mypy_extensions import i64

HASH_DIGITS: Final = 16  # hexadecimal: 64 bits, few enough to read and enough not to collide by chance
_BITS: Final = 8 * BLOCK
# The types of Postgres that have hashes; every other is redacted.
HASHED: Final = frozenset((*formats.TEXTS, *formats.INTEGERS, formats.NUMERIC, formats.UUID, formats.BYTEA))


class Hashes:
    """Of one gateway."""

    def __init__(self, key: bytes) -> None:
        self._cmac = Cmac(hmac.digest(key, b"wireproxy hash", hashlib.sha256))

    def digest(self, data: bytes) -> bytes:
        """16 bytes."""
        return self._cmac.tag(data)

    def bits(self, data: bytes, count: int) -> int:
        """A number of so many bits."""
        return int.from_bytes(self._cmac.tag(data), "big") >> (_BITS - count)

    def word(self, data: bytes) -> bytes:
        """Of a text."""
        return binascii.hexlify(self._cmac.tag(data)[: HASH_DIGITS // 2])

    def words(self, texts: list[bytes]) -> list[bytes]:
        return self._cmac.hexadecimal(texts, HASH_DIGITS)

    def field(self, type_oid: int, binary: bool) -> Callable[[bytes], bytes] | None:
        """From a field's bytes to its hash's, in Postgres; None for a type that has none."""
        if type_oid in formats.TEXTS:
            return self.word
        if type_oid in formats.INTEGERS:
            bits = formats.INTEGERS[type_oid][1]
            return formats.integers(lambda found: self.bits(b"%d" % found, bits), type_oid, binary)
        if type_oid == formats.NUMERIC:
            if binary:
                return lambda data: formats.encode_numeric(self.bits(canonical(formats.decode_numeric(data)), 53))
            return lambda data: b"%d" % self.bits(canonical(finite(data)), 53)
        if type_oid == formats.UUID:
            if binary:
                return lambda data: formats.uuid_of(self.digest(data)).bytes
            return lambda data: str(formats.uuid_of(self.digest(uuid.UUID(data.decode()).bytes))).encode()
        if type_oid == formats.BYTEA:
            if binary:
                return self.digest
            return lambda data: b"\\x" + self.digest(bytes_of_text(data)).hex().encode()
        return None

    def fields(self, type_oid: int, binary: bool) -> Callable[[list[bytes]], list[bytes]] | None:
        """The same for many values at once, where that is quicker."""
        if type_oid in formats.TEXTS:
            return self.words
        if type_oid not in formats.INTEGERS:
            return None
        form, bits = formats.INTEGERS[type_oid]

        def change(values: list[bytes]) -> list[bytes]:
            return formats.fields_of(self.numbers(formats.whole_numbers(values, form, binary), bits), form, binary)

        return change

    def numbers(self, numbers: list[int], bits: int) -> list[int]:
        """Of whole numbers, by their decimal digits: of each the first bits of its hash, at most 63."""
        mask = (1 << bits) - 1
        tags = self._cmac.tags([str(number).encode() for number in numbers])
        return [_first_bits(tag, bits, mask) for tag in tags]


def _first_bits(tag: bytes, bits: i64, mask: i64) -> int:
    """The first of at most 63, as a number. `mask`: as many ones."""
    return read_i64_be(tag, 0) >> (64 - bits) & mask


def canonical(number: Decimal) -> bytes:
    """The same bytes for equal numbers, whatever their scale."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return (text.lstrip("-").lstrip("0") or "0").encode() if not number else text.encode()


def bytes_of_text(data: bytes) -> bytes:
    """A bytea in its hex output form. Raises ValueError for the escape form."""
    if data[:2] != b"\\x":
        raise ValueError("a bytea in escape form")
    return bytes.fromhex(data[2:].decode())


def finite(data: bytes) -> Decimal:
    try:
        found = Decimal(data.decode())
    except InvalidOperation as error:
        raise ValueError("not a number") from error
    if not found.is_finite():
        raise ValueError("not a finite number")
    return found
