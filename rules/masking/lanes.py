"""AES over many short values at once: the CMAC and the AES-SIV of each, byte for byte those of the standards.

For a short value the calls of a cipher cost more than the cipher. So the values of a read go through it together, the first block
of each, then the second of each, and what is XORed in between is so here, eight bytes at a time. That is for where this is
compiled; elsewhere, and for what is long, each value goes by itself through OpenSSL. `tests/rules/test_lanes.py` holds both ways
against it.

Spec: RFC 4493 (AES-CMAC, that of NIST SP 800-38B), RFC 5297 (AES-SIV).
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.cmac import CMAC
from librt.base64 import urlsafe_b64decode, urlsafe_b64encode
from librt.strings import BytesWriter, read_i64_be, read_i64_le, write_i64_be, write_i64_le

if TYPE_CHECKING:
    from mypy_extensions import i64

BLOCK: Final = 16  # bytes
BITS: Final = 8 * BLOCK
MOST: Final = 256  # lanes at once: the constants below stay small
FEW: Final = 8  # values, which are sooner done one by one
_FULL: Final = (1 << BITS) - 1


def repeated(lane: int, blocks: int) -> int:
    """The same in every lane, of so many blocks. Shifted right it serves fewer lanes; an AND does not mind that there are more."""
    return int.from_bytes(lane.to_bytes(BLOCK * blocks, "big") * MOST, "big")


def blocks_of(length: int) -> int:
    """How many blocks so many bytes take. None take one too: that of the padding."""
    return max(1, (length + BLOCK - 1) // BLOCK)


def by_blocks(values: list[bytes], longest: int, more: int = 0) -> list[list[int]]:
    """Which values take so many blocks, with `more` bytes each; under 0: which are too long for a lane."""
    groups: list[list[int]] = [[] for _ in range(longest // BLOCK + 1)]
    for place, value in enumerate(values):
        length = len(value) + more
        groups[0 if length > longest else blocks_of(length)].append(place)
    return groups


class Aes:
    """The cipher over the blocks of an integer."""

    def __init__(self, key: bytes) -> None:
        encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - the blocks that modes are made of
        self.update: Callable[[bytes], bytes] = encryptor.update

    def encrypt(self, number: int, size: int) -> int:
        """`size`: of the number, in bytes."""
        return int.from_bytes(self.update(number.to_bytes(size, "big")), "big")


def doubled(block: int) -> int:
    """In GF(2^128). Spec: RFC 4493 §2.3, RFC 5297 §2.3."""
    return ((block << 1) & _FULL) ^ (0x87 if block >> (BITS - 1) else 0)


def _padding(filled: int) -> int:
    """The 10* behind so many bytes of a block."""
    return 0x80 << 8 * (BLOCK - 1 - filled)


class Chain:
    """CBC over the blocks of each value: what CMAC is, once its last block has got its subkey."""

    def __init__(self, key: bytes) -> None:
        self._aes = Aes(key)
        self._whole = doubled(self._aes.encrypt(0, BLOCK))  # K1, for a last block that is full
        self._partial = doubled(self._whole)  # K2, for one that is padded

    def last(self, filled: int) -> int:
        """What a last block of so many bytes, and zeros behind them, is XORed with."""
        return self._whole if filled == BLOCK else self._partial ^ _padding(filled)

    def run(self, lanes: bytes, masks: list[bytes], blocks: i64) -> bytes:
        """The last block that comes of each lane, one behind the other.

        `masks`: what each lane, of so many blocks, is XORed with.
        """
        done = b""
        block: i64 = 0
        while block < blocks:
            mixed = BytesWriter()
            at = BLOCK * block
            before: i64 = 0
            for mask in masks:
                high = read_i64_le(lanes, at) ^ read_i64_le(mask, BLOCK * block)
                low = read_i64_le(lanes, at + 8) ^ read_i64_le(mask, BLOCK * block + 8)
                if block:
                    high ^= read_i64_le(done, before)
                    low ^= read_i64_le(done, before + 8)
                    before += BLOCK
                write_i64_le(mixed, high)
                write_i64_le(mixed, low)
                at += BLOCK * blocks
            done = self._aes.update(mixed.getvalue())
            block += 1
        return done


COMPILED: Final = type(Chain.run) is not FunctionType


class Cmac:
    """AES-CMAC under one key."""

    LONGEST: Final = 64  # bytes of a value in a lane

    def __init__(self, key: bytes) -> None:
        self._one = CMAC(algorithms.AES(key))
        self._chain = Chain(key)
        self._behind: list[bytes] = []  # by a value's length: zeros up to the end of its lane,
        self._masks: list[bytes] = []  # and what the lane is XORed with
        for length in range(self.LONGEST + 1):
            size = BLOCK * blocks_of(length)
            self._behind.append(bytes(size - length))
            self._masks.append(self._chain.last(BLOCK - (size - length)).to_bytes(size, "big"))

    def tag(self, value: bytes) -> bytes:
        made = self._one.copy()
        made.update(value)
        return made.finalize()

    def tags(self, values: list[bytes]) -> list[bytes]:
        """The tag of each value, in order."""
        if not COMPILED or len(values) < FEW:
            return [self.tag(value) for value in values]
        return self.together(values, BLOCK, False)

    def hexadecimal(self, values: list[bytes], digits: int) -> list[bytes]:
        """The first digits of each."""
        if not COMPILED or len(values) < FEW:
            return [binascii.hexlify(self.tag(value))[:digits] for value in values]
        return self.together(values, digits, True)

    def together(self, values: list[bytes], size: int, hexadecimal: bool) -> list[bytes]:
        """The first bytes, or hexadecimal digits, of the tag of each."""
        found = [b""] * len(values)
        for blocks, places in enumerate(by_blocks(values, self.LONGEST)):
            if not places:
                continue
            if not blocks:
                for place in places:
                    tag = self.tag(values[place])
                    found[place] = (binascii.hexlify(tag) if hexadecimal else tag)[:size]
                continue
            lanes = BytesWriter()
            masks: list[bytes] = []
            for place in places:
                value = values[place]
                lanes.write(value)
                lanes.write(self._behind[len(value)])
                masks.append(self._masks[len(value)])
            tags = self._chain.run(lanes.getvalue(), masks, blocks)
            step: i64 = BLOCK
            if hexadecimal:
                tags = binascii.hexlify(tags)
                step = 2 * BLOCK
            begin: i64 = 0
            for place in places:
                found[place] = tags[begin : begin + size]
                begin += step
        return found


_COUNTER: Final = 0x7FFFFFFF7FFFFFFF  # what of a tag's second half is the first counter's. Spec: RFC 5297 §2.5


def base64url(data: bytes) -> bytes:
    """Without padding."""
    return urlsafe_b64encode(data).rstrip(b"=")


class Siv:
    """AES-SIV without associated data under one key of 64 bytes, in base64url: the tag, then the ciphertext."""

    LONGEST: Final = 80  # bytes of a text in a lane

    def __init__(self, key: bytes) -> None:
        half = len(key) // 2
        self._one = AESSIV(key)
        self._chain = Chain(key[:half])
        self._update = Aes(key[half:]).update
        mac_of_zero = int.from_bytes(Cmac(key[:half]).tag(bytes(BLOCK)), "big")
        self._behind: list[bytes] = []  # by a text's length, as in Cmac
        self._masks: list[bytes] = []
        self._texts: list[bytes] = []  # all ones where the text stands
        for length in range(self.LONGEST + 1):
            size = BLOCK * blocks_of(length)
            self._behind.append(bytes(size - length))
            self._masks.append(self._mask(mac_of_zero, length).to_bytes(size, "big"))
            self._texts.append(b"\xff" * length + bytes(size - length))

    def _mask(self, mac_of_zero: int, length: int) -> int:
        """What S2V XORs into a text of that length, and CMAC into what comes of it. Spec: RFC 5297 §2.4."""
        if length < BLOCK:
            return doubled(mac_of_zero) ^ _padding(length) ^ self._chain.last(BLOCK)
        behind = BLOCK * blocks_of(length) - length
        return (mac_of_zero << 8 * behind) ^ self._chain.last(BLOCK - behind)

    def sealed(self, text: bytes) -> bytes:
        return base64url(self._one.encrypt(text, None))

    def all_sealed(self, head: bytes, texts: list[bytes], before: bytes, behind: bytes) -> list[bytes]:
        """Each text with `head`, some bytes, in front of it; `before`, letters of base64url, and `behind` what comes of it."""
        if not COMPILED or len(texts) < FEW:
            return [before + self.sealed(head + text) + behind for text in texts]
        return self.together(head, texts, before, behind)

    def together(self, head: bytes, texts: list[bytes], before: bytes, behind: bytes) -> list[bytes]:
        found = [b""] * len(texts)
        more = len(head)
        # what stands before is encoded with the rest: the letters that three bytes give more than it has are left out
        fill: i64 = -len(before) % 4
        lead = urlsafe_b64decode(b"A" * fill + before)
        for blocks, places in enumerate(by_blocks(texts, self.LONGEST, more)):
            if not places:
                continue
            if not blocks:
                for place in places:
                    found[place] = before + self.sealed(head + texts[place]) + behind
                continue
            # lanes of a multiple of three bytes, so that all of them are encoded at once
            stride: i64 = (len(lead) + BLOCK * (blocks + 1) + 2) // 3 * 3
            letters = self._encoded(lead, head, texts, places, blocks, stride)
            begin: i64 = 0
            for place in places:
                size: i64 = len(lead) + BLOCK + more + len(texts[place])
                new = letters[begin + fill : begin + (size * 4 + 2) // 3]
                found[place] = new + behind if behind else new
                begin += stride // 3 * 4
        return found

    def _encoded(
        self, lead: bytes, head: bytes, texts: list[bytes], places: list[int], blocks: i64, stride: i64
    ) -> bytes:
        """Lead, tag, ciphertext and zeros up to the stride, of texts that take so many blocks, as base64url."""
        lanes = BytesWriter()
        masks: list[bytes] = []
        ends: list[bytes] = []
        for place in places:
            text = texts[place]
            length = len(head) + len(text)
            lanes.write(head)
            lanes.write(text)
            lanes.write(self._behind[length])
            masks.append(self._masks[length])
            ends.append(self._texts[length])
        plain = lanes.getvalue()
        tags = self._chain.run(plain, masks, blocks)
        size: i64 = len(tags)
        counters = BytesWriter()
        counter: i64 = _COUNTER
        at: i64 = 0
        while at < size:
            high = read_i64_be(tags, at)
            low = read_i64_be(tags, at + 8) & counter
            block: i64 = 0
            while block < blocks:
                write_i64_be(counters, high)
                write_i64_be(counters, low + block)  # bit 31 is free: no carry
                block += 1
            at += BLOCK
        stream = self._update(counters.getvalue())
        between = bytes(stride - len(lead) - BLOCK * (blocks + 1)) + lead
        sealed = BytesWriter()
        sealed.write(lead)
        at = 0
        begin: i64 = 0
        for end in ends:
            write_i64_le(sealed, read_i64_le(tags, at))
            write_i64_le(sealed, read_i64_le(tags, at + 8))
            place_in: i64 = 0
            while place_in < BLOCK * blocks:
                crypt = read_i64_le(plain, begin + place_in) ^ read_i64_le(stream, begin + place_in)
                write_i64_le(sealed, crypt & read_i64_le(end, place_in))
                place_in += 8
            if between:
                sealed.write(between)
            at += BLOCK
            begin += BLOCK * blocks
        sealed.truncate(len(sealed) - len(lead))
        return urlsafe_b64encode(sealed.getvalue())
