"""Pseudonyms: keyed stand-ins that keep their type and can be turned back, so that what was read masked can be asked for again.

Text becomes a token, `wp_` and the base64url form of AES-SIV (RFC 5297): equal values give equal tokens, and a token that was
not made here is recognized as none. Numbers, dates, times and UUIDs are permuted within their type (a Feistel network, or AES),
so that every value is the pseudonym of some value. A UUID keeps its version, which programs check, and what MariaDB can store
becomes what it can store; `decimals` and `moments` say what the others keep. Of an array each element has its pseudonym. Nothing
is stored here: the key alone translates both ways.

Spec: RFC 5297 for AES-SIV. The Feistel network is that of Luby and Rackoff, ten rounds, with AES as its round function; values
outside a domain that is no power of two are walked back into it (Black and Rogaway, "Ciphers with Arbitrary Finite Domains").
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import hmac
import re
import struct
import uuid
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from rules.masking import decimals, formats, moments
from rules.masking.arrays import array_elements, array_of_binary, array_text, binary_array
from rules.masking.lanes import BITS, BLOCK, MOST, Siv, repeated
from rules.masking.network import DOMAIN, Network

PREFIX: Final = "wp_"
LONG_PREFIX: Final = "wpx_"  # of what is too long to be carried in a token: equal for equal values, and no way back
MAIL: Final = "@pseudonym.invalid"  # RFC 2606: a domain that will never exist
TOKEN: Final = re.compile(r"wp_([A-Za-z0-9_-]{23,342})(?:@pseudonym\.invalid)?")
LONG_TOKEN: Final = re.compile(r"wpx_[A-Za-z0-9_-]{22}(?:@pseudonym\.invalid)?")
LONGEST_BYTES: Final = 200  # of a text that becomes a token; nobody compares by longer ones
_VERSION: Final = b"\x01"  # stands before the text inside a token, so that another form can follow

TEXTS: Final = frozenset({25, 1043, 1042, 19})  # text varchar bpchar name
_FIRST_DAY: Final = (datetime.date(1900, 1, 1) - datetime.date(2000, 1, 1)).days
_LAST_DAY: Final = (datetime.date(2099, 12, 31) - datetime.date(2000, 1, 1)).days
_ISO_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}")
_INTEGERS: Final = re.compile(rb"(?:[+-]?[0-9]{1,20}(?:,|\Z))*+")
_EPOCH: Final = datetime.date(2000, 1, 1)
_LOW_62: Final = (1 << 62) - 1  # of a UUID: all behind its variant
INTEGER_BITS: Final = {21: 16, 23: 32, 20: 64, 26: 32}

SCALARS: Final = frozenset((*TEXTS, *INTEGER_BITS, formats.UUID, formats.DATE, formats.NUMERIC, *moments.TYPES))
ELEMENTS: Final = {array: element for array, element in formats.ARRAYS.items() if element in SCALARS}
ARRAYS: Final = {element: array for array, element in ELEMENTS.items()}
KEEPS: Final = SCALARS.union(ELEMENTS)  # every other type is redacted
# What is written so is a pseudonym only if a token says it; of all others every value is the pseudonym of some value.
RECOGNIZED: Final = TEXTS.union([array for array, element in ELEMENTS.items() if element in TEXTS])


class NoPseudonym(Exception):
    """Something that had to be translated back and cannot be. The message says why, without the value."""


class Pseudonyms:
    """Both directions, for one key of the gateway."""

    def __init__(self, key: bytes) -> None:
        text_key = hmac.digest(key, b"wireproxy pseudonym text", hashlib.sha512)
        self._siv = AESSIV(text_key)
        self._lanes = Siv(text_key)
        self._long = hmac.digest(key, b"wireproxy pseudonym long", hashlib.sha256)
        self._block = algorithms.AES(hmac.digest(key, b"wireproxy pseudonym uuid", hashlib.sha256))
        self._network = Network(hmac.digest(key, b"wireproxy pseudonym number", hashlib.sha256))
        self._encrypt = Cipher(self._block, modes.ECB()).encryptor()  # noqa: S305 - a permutation of single blocks
        self._decrypt = Cipher(self._block, modes.ECB()).decryptor()  # noqa: S305
        self._days: dict[tuple[int, bool], int] = {}

    # -- text

    def token(self, text: str, mail: bool = False) -> str:
        data = text.encode()
        if len(data) > LONGEST_BYTES:
            found = LONG_PREFIX + _base64(hmac.digest(self._long, data, hashlib.sha256)[:16])
        else:
            found = PREFIX + _base64(self._siv.encrypt(_VERSION + data, None))
        return found + MAIL if mail else found

    def tokens(self, texts: list[bytes], padded: bool, mail: bool) -> list[bytes]:
        """Of texts in UTF-8, without the blanks behind them where they are padded. Raises ValueError where one is no UTF-8."""
        if padded:
            texts = [text.rstrip(b" ") for text in texts]
        b"\n".join(texts).decode()
        short = [text if len(text) <= LONGEST_BYTES else b"" for text in texts]
        found = self._lanes.all_sealed(_VERSION, short, PREFIX.encode(), MAIL.encode() if mail else b"")
        for place, text in enumerate(texts):
            if len(text) > LONGEST_BYTES:
                found[place] = self.token(text.decode(), mail).encode()
        return found

    def text(self, token: str) -> str | None:
        """What a token stands for; None when it is no token of this key. Raises NoPseudonym for one that has no way back."""
        match = TOKEN.fullmatch(token)
        if match is None:
            if LONG_TOKEN.fullmatch(token):
                raise NoPseudonym("the pseudonym of a long text cannot be translated back")
            return None
        body = match[1]
        try:
            data = self._siv.decrypt(base64.b64decode(body + "=" * (-len(body) % 4), b"-_", validate=True), None)
        except (InvalidTag, ValueError, binascii.Error):
            return None
        if data[:1] != _VERSION or _base64(base64.b64decode(body + "=" * (-len(body) % 4), b"-_")) != body:
            return None  # the last letter of base64 can have spare bits: one value, one token
        return data[1:].decode()

    # -- numbers

    def permuted(self, number: int, bits: int, domain: int, back: bool = False) -> int:
        """A number below 2 ** bits (an even number of them) as another one. `domain`: its type, each of which has its own order."""
        return self._network.one(number, bits, domain, back)

    def all_permuted(self, numbers: list[int], bits: int, domain: int) -> list[int]:
        """Each as `permuted` has it. At most 64 bits."""
        return self._network.many(numbers, bits, domain)

    def integer(self, number: int, type_oid: int, back: bool = False) -> int:
        """Raises ValueError for a number that the type does not have."""
        bits = INTEGER_BITS[type_oid]
        low = 0 if type_oid == 26 else -(1 << (bits - 1))
        if not low <= number < low + (1 << bits):
            raise ValueError("out of range")
        return self._network.one(number - low, bits, type_oid, back) + low

    def day(self, day: int, back: bool = False) -> int:
        """Days since 2000, of the years 1900 to 2099. Raises ValueError for any other."""
        if not _FIRST_DAY <= day <= _LAST_DAY:
            raise ValueError("out of range")
        known = self._days.get((day, back))
        if known is not None:
            return known
        size = _LAST_DAY - _FIRST_DAY + 1
        found = day - _FIRST_DAY
        while True:  # 18 bits are 3.6 times the domain; a permutation comes back to where it began, so this ends
            found = self._network.one(found, 18, formats.DATE, back)
            if found < size:
                break
        self._days[day, back] = found + _FIRST_DAY  # there are 73,049
        return found + _FIRST_DAY

    def number(self, number: decimals.Number, back: bool = False) -> decimals.Number:
        rank, size, domain = decimals.placed(number)
        return decimals.number_at(self._network.within(rank, size, domain, back), domain)

    def moment(self, microseconds: int, type_oid: int, back: bool = False) -> int:
        """As `moments` counts them. Raises ValueError for one that has no pseudonym."""
        rank, size, domain = moments.placed(microseconds, type_oid)
        return moments.microseconds_at(self._network.within(rank, size, domain, back), domain)

    def block(self, data: bytes, back: bool = False) -> bytes:
        """The 16 bytes of a UUID."""
        if len(data) != 16:
            raise ValueError("not a UUID")
        refused = formats.mariadb_refuses(data)
        while True:  # a permutation comes back to where it began, so this ends
            data = self._another_uuid(data, back)
            if formats.mariadb_refuses(data) is refused:
                return data

    def _another_uuid(self, data: bytes, back: bool) -> bytes:
        """One in the form of RFC 9562 keeps that form and its version; all others are permuted among themselves."""
        if _in_rfc_form(data):
            number = int.from_bytes(data)
            version = number >> 76 & 0xF
            rest = number >> 80 << 74 | (number >> 64 & 0xFFF) << 62 | number & _LOW_62
            rest = self._network.one(rest, 122, formats.UUID << 4 | version, back)
            number = rest >> 74 << 80 | version << 76 | (rest >> 62 & 0xFFF) << 64 | 0b10 << 62 | rest & _LOW_62
            return number.to_bytes(16)
        crypt = (self._decrypt if back else self._encrypt).update
        data = crypt(data)
        while _in_rfc_form(data):
            data = crypt(data)
        return data

    # -- fields of results

    def field(self, type_oid: int, binary: bool, mail: bool) -> Callable[[bytes], bytes] | None:
        """From a field's bytes to its pseudonym's; None for a type that has none. The function raises ValueError."""
        if type_oid in TEXTS:
            padded = type_oid == 1042
            return lambda data: self.token((data.decode().rstrip(" ") if padded else data.decode()), mail).encode()
        if type_oid not in KEEPS:
            return None
        if type_oid in ELEMENTS:
            arrays = self._arrays(ELEMENTS[type_oid], binary, mail)
            return lambda data: arrays([data])[0]
        if binary:
            return lambda data: self.binary(data, type_oid)
        return lambda data: self.plain(data.decode(), type_oid).encode()

    def fields(self, type_oid: int, binary: bool, mail: bool) -> Callable[[list[bytes]], list[bytes]] | None:
        """The same for many values at once, where that is quicker."""
        if type_oid in TEXTS:
            return lambda texts: self.tokens(texts, type_oid == 1042, mail)
        if type_oid in INTEGER_BITS:
            return lambda values: self._integers(values, type_oid, binary)
        if type_oid == formats.UUID:
            return self._uuids if binary else lambda values: texts_of_uuids(self._uuids(uuids_of_texts(values)))
        if type_oid == formats.NUMERIC:
            return lambda values: self._numbers(values, binary)
        if type_oid in moments.TYPES:
            return lambda values: self._moments(values, type_oid, binary)
        if type_oid in ELEMENTS:
            return self._arrays(ELEMENTS[type_oid], binary, mail)
        return None

    def _arrays(self, element_type: int, binary: bool, mail: bool) -> Callable[[list[bytes]], list[bytes]]:
        one, many = self.field(element_type, binary, mail), self.fields(element_type, binary, mail)

        def change(values: list[bytes]) -> list[bytes]:
            arrays = [_elements(value, element_type, binary) for value in values]
            old = [element for array in arrays for element in array if element is not None]
            new = iter(
                [] if not old else many(old) if many is not None else [one(value) for value in old] if one else []
            )
            return [
                _array([None if element is None else next(new) for element in array], element_type, binary)
                for array in arrays
            ]

        return change

    def _numbers(self, values: list[bytes], binary: bool) -> list[bytes]:
        ranks: list[int] = []
        sizes: list[int] = []
        domains: list[int] = []
        shown: list[int] = []
        for value in values:
            number, its_decimals = decimals.number_of_binary(value) if binary else decimals.number_of(value)
            rank, size, domain = decimals.placed(number)
            ranks.append(rank)
            sizes.append(size)
            domains.append(domain)
            shown.append(its_decimals)
        found: list[bytes] = []
        for place, rank in enumerate(self._network.all_within(ranks, sizes, domains)):
            number = decimals.number_at(rank, domains[place])
            written = decimals.binary_of if binary else decimals.text_of
            found.append(written(number, shown[place]))
        return found

    def _moments(self, values: list[bytes], type_oid: int, binary: bool) -> list[bytes]:
        ranks: list[int] = []
        sizes: list[int] = []
        domains: list[int] = []
        for value in values:
            if binary:
                microseconds = moments.of_binary(struct.unpack("!q", value)[0], type_oid)
            else:
                microseconds = moments.microseconds_of(value.decode(), type_oid)
            rank, size, domain = moments.placed(microseconds, type_oid)
            ranks.append(rank)
            sizes.append(size)
            domains.append(domain)
        found: list[bytes] = []
        for place, rank in enumerate(self._network.all_within(ranks, sizes, domains)):
            microseconds = moments.microseconds_at(rank, domains[place])
            if binary:
                found.append(struct.pack("!q", moments.to_binary(microseconds, type_oid)))
            else:
                found.append(moments.text_of(microseconds, type_oid).encode())
        return found

    def _uuids(self, values: list[bytes]) -> list[bytes]:
        """As `block` has each: those of RFC 9562 with a version below 8 together, which are all but a few."""
        found = [b""] * len(values)
        for start in range(0, len(values), MOST):
            places: list[int] = []
            for place in range(start, min(start + MOST, len(values))):
                value = values[place]
                if len(value) == BLOCK and _in_rfc_form(value) and value[6] < 0x80:
                    places.append(place)
                else:
                    found[place] = self.block(value)
            blocks = self._known_uuids(b"".join([values[place] for place in places])) if places else b""
            at = 0
            for place in places:
                found[place] = blocks[at : at + BLOCK]
                at += BLOCK
        return found

    def _known_uuids(self, blocks: bytes) -> bytes:
        """What `_another_uuid` does to one, to each of as many as there are lanes."""
        size = len(blocks)
        lanes = int.from_bytes(blocks, "big")
        versions = lanes >> 76 & _UUID_VERSION
        domains = _UUID_DOMAIN >> BITS * MOST - 8 * size | versions << DOMAIN
        rest = (lanes >> 80 & _UUID_TOP) << 74 | (lanes >> 64 & _UUID_MIDDLE) << 62 | lanes & _UUID_LOW
        rest = self._network.lanes(rest, size, 122, domains)
        lanes = (rest >> 74 & _UUID_TOP) << 80 | versions << 76 | (rest >> 62 & _UUID_MIDDLE) << 64 | rest & _UUID_LOW
        return (lanes | _UUID_VARIANT >> BITS * MOST - 8 * size).to_bytes(size, "big")

    def _integers(self, values: list[bytes], type_oid: int, binary: bool) -> list[bytes]:
        form, bits = formats.INTEGERS[type_oid][0], INTEGER_BITS[type_oid]
        low = 0 if type_oid == 26 else -(1 << (bits - 1))
        if not binary and not _INTEGERS.fullmatch(b",".join(values)):
            raise ValueError("not whole numbers")
        numbers = [number - low for number in formats.whole_numbers(values, form, binary)]
        if min(numbers) < 0 or max(numbers) >> bits:
            raise ValueError("out of range")
        found = [number + low for number in self._network.many(numbers, bits, type_oid)]
        return formats.fields_of(found, form, binary)

    def plain(self, text: str, type_oid: int, back: bool = False) -> str:
        """A number, date, time or UUID in its text form. Raises ValueError."""
        if type_oid in INTEGER_BITS:
            if not _INTEGER.fullmatch(text):
                raise ValueError("not a whole number")
            return str(self.integer(int(text), type_oid, back))
        if type_oid == formats.DATE:
            if not _ISO_DATE.fullmatch(text):
                raise ValueError("not an ISO date")
            found = self.day((datetime.date.fromisoformat(text) - _EPOCH).days, back)
            return (_EPOCH + datetime.timedelta(days=found)).isoformat()
        if type_oid == formats.NUMERIC:
            number, shown = decimals.constant_of(text)
            return decimals.text_of(self.number(number, back), shown).decode()
        if type_oid in moments.TYPES:
            found = self.moment(moments.microseconds_of(text, type_oid), type_oid, back)
            return moments.text_of(found, type_oid, moments.decimals_of(text))
        return str(uuid.UUID(bytes=self.block(uuid.UUID(text).bytes, back)))

    def binary(self, data: bytes, type_oid: int, back: bool = False) -> bytes:
        """The same in binary. Raises ValueError or struct.error."""
        if type_oid in INTEGER_BITS:
            form = formats.INTEGERS[type_oid][0]
            return struct.pack(form, self.integer(struct.unpack(form, data)[0], type_oid, back))
        if type_oid == formats.DATE:
            return struct.pack("!i", self.day(struct.unpack("!i", data)[0], back))
        if type_oid == formats.NUMERIC:
            number, shown = decimals.number_of_binary(data)
            return decimals.binary_of(self.number(number, back), shown)
        if type_oid in moments.TYPES:
            microseconds = moments.of_binary(struct.unpack("!q", data)[0], type_oid)
            return struct.pack("!q", moments.to_binary(self.moment(microseconds, type_oid, back), type_oid))
        return self.block(data, back)

    # -- back

    def real(self, constant: str, type_oid: int) -> str:
        """What a client's constant stands for, in text. A text that is no token stands for itself.

        Raises NoPseudonym.
        """
        if type_oid in TEXTS:
            found = self.text(constant)
            return constant if found is None else found
        try:
            return self.plain(constant.strip(" \t\n\r\f\v"), type_oid, back=True)
        except ValueError:
            raise NoPseudonym("the constant is no value of the type in its plain form") from None


# parts of a UUID in lanes of a block each. Spec: RFC 9562 §5
_UUID_TOP: Final = repeated((1 << 48) - 1, 1)
_UUID_VERSION: Final = repeated(0xF, 1)
_UUID_MIDDLE: Final = repeated(0xFFF, 1)
_UUID_VARIANT: Final = repeated(0b10 << 62, 1)
_UUID_LOW: Final = repeated(_LOW_62, 1)
_UUID_DOMAIN: Final = repeated(formats.UUID << 4 << DOMAIN, 1)
_UUID_LETTERS: Final = 36
_UUIDS: Final = re.compile(rb"(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?:,|\Z))*+")


def uuids_of_texts(values: list[bytes]) -> list[bytes]:
    """Raises ValueError where one is not written as servers do."""
    if any(len(value) != _UUID_LETTERS for value in values) or not _UUIDS.fullmatch(b",".join(values)):
        raise ValueError("not UUIDs")
    blocks = binascii.unhexlify(b"".join(values).translate(None, b"-"))
    return [blocks[at : at + BLOCK] for at in range(0, len(blocks), BLOCK)]


def texts_of_uuids(blocks: list[bytes]) -> list[bytes]:
    letters = binascii.hexlify(b"".join(blocks))
    return [
        b"-".join(
            (
                letters[at : at + 8],
                letters[at + 8 : at + 12],
                letters[at + 12 : at + 16],
                letters[at + 16 : at + 20],
                letters[at + 20 : at + 32],
            )
        )
        for at in range(0, len(letters), 2 * BLOCK)
    ]


def _elements(value: bytes, element_type: int, binary: bool) -> list[bytes | None]:
    """Raises ValueError."""
    if not binary:
        texts = array_elements(value.decode())
        if texts is None:
            raise ValueError("an array of several dimensions")
        return [None if text is None else text.encode() for text in texts]
    named, elements = array_of_binary(value)
    if named != element_type:
        raise ValueError("an array of another type")
    return elements


def _array(elements: list[bytes | None], element_type: int, binary: bool) -> bytes:
    if binary:
        return binary_array(element_type, elements)
    return array_text([None if element is None else element.decode() for element in elements]).encode()


def _in_rfc_form(data: bytes) -> bool:
    """By the variant of a UUID, the two bits at the head of its ninth byte. Spec: RFC 9562 §4.1."""
    return data[8] & 0xC0 == 0x80


def token_in(text: str) -> bool:
    """Whether something of a token's form stands in the text: whether it is one, the key says."""
    return ("wp_" in text or "wpx_" in text) and (TOKEN.search(text) or LONG_TOKEN.search(text)) is not None


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
