"""AES over many short values at once: the CMAC and the AES-SIV of each, byte for byte those of the standards.

For a short value the calls of a cipher cost more than the cipher. So each value of a read gets a lane, some blocks of 16 bytes, in
one long integer, the first value on top: one call enciphers a block of every lane, and one XOR, shift or mask serves them all.
What does not fit into a lane goes by itself. `tests/rules/test_lanes.py` holds both ways against the implementations of OpenSSL.

Spec: RFC 4493 (AES-CMAC, that of NIST SP 800-38B), RFC 5297 (AES-SIV).
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK: Final = 16  # bytes
BITS: Final = 8 * BLOCK
MOST: Final = 256  # lanes at once: the constants below stay small
FEW: Final = 8  # values, which are sooner done one by one
_FULL: Final = (1 << BITS) - 1


def repeated(lane: int, blocks: int) -> int:
    """The same in every lane, of so many blocks. Shifted right it serves fewer lanes; an AND does not mind that there are more."""
    return int.from_bytes(lane.to_bytes(BLOCK * blocks, "big") * MOST, "big")


def everywhere(place: int, blocks: int, block: int = _FULL) -> int:
    """A block at its place in every lane."""
    return repeated(block << BITS * (blocks - 1 - place), blocks)


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
    """CBC over the blocks of each lane: what CMAC is, once its last block has got its subkey."""

    def __init__(self, key: bytes) -> None:
        self._aes = Aes(key)
        self._whole = doubled(self._aes.encrypt(0, BLOCK))  # K1, for a last block that is full
        self._partial = doubled(self._whole)  # K2, for one that is padded

    def last(self, filled: int) -> int:
        """What a last block of so many bytes, and zeros behind them, is XORed with."""
        return self._whole if filled == BLOCK else self._partial ^ _padding(filled)

    def run(self, lanes: int, size: int, places: list[int]) -> bytes:
        """`places`: masks of the lanes' blocks in their order. What comes of each lane stands at the place of its last block."""
        update = self._aes.update
        done = update(lanes.to_bytes(size, "big"))
        before = places[0]
        for place in places[1:]:
            mixed = (lanes & place) ^ ((int.from_bytes(done, "big") & before) >> BITS)
            done = update(mixed.to_bytes(size, "big"))
            before = place
        return done


class Cmac:
    """AES-CMAC under one key."""

    LONGEST: Final = 64  # bytes of a value in a lane

    def __init__(self, key: bytes) -> None:
        self._one = CMAC(algorithms.AES(key))
        self._chain = Chain(key)
        self._places: list[list[int]] = [
            [everywhere(place, blocks) for place in range(blocks)] for blocks in range(self.LONGEST // BLOCK + 1)
        ]
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

    def tags(self, values: list[bytes], size: int = BLOCK) -> list[bytes]:
        """The first bytes of the tag of each value, in order."""
        if len(values) < FEW:
            return [self.tag(value)[:size] for value in values]
        found: list[bytes] = []
        for start in range(0, len(values), MOST):
            found += self._tags(values[start : start + MOST], size)
        return found

    def _tags(self, values: list[bytes], size: int) -> list[bytes]:
        found = [b""] * len(values)
        for blocks, places in enumerate(by_blocks(values, self.LONGEST)):
            if not places:
                continue
            if not blocks:
                for place in places:
                    found[place] = self.tag(values[place])[:size]
                continue
            lanes = self._run(values, places, blocks)
            begin = BLOCK * (blocks - 1)
            for place in places:
                found[place] = lanes[begin : begin + size]
                begin += BLOCK * blocks
        return found

    def _run(self, values: list[bytes], places: list[int], blocks: int) -> bytes:
        parts: list[bytes] = []
        masks: list[bytes] = []
        for place in places:
            value = values[place]
            length = len(value)
            parts.append(value)
            parts.append(self._behind[length])
            masks.append(self._masks[length])
        size = BLOCK * blocks * len(places)
        lanes = int.from_bytes(b"".join(parts), "big") ^ int.from_bytes(b"".join(masks), "big")
        return self._chain.run(lanes, size, self._places[blocks])


_COUNTER: Final = _FULL ^ (1 << 63) ^ (1 << 31)  # what of a tag is the first counter. Spec: RFC 5297 §2.5
_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _ends(spare: int) -> list[bytes]:
    """For each letter, by its code: the one whose spare bits are zero."""
    ends = [b""] * 256
    for number, letter in enumerate(_ALPHABET):
        ends[letter] = _ALPHABET[number >> spare << spare :][:1]
    return ends


_ENDS: Final = [_ends(0), _ends(4), _ends(2)]  # by how many bytes are over after the last three


def base64url(data: bytes) -> bytes:
    """Without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_URLSAFE).rstrip(b"=")


class SivLanes:
    """Lanes of so many blocks: one for the tag, the others for the text."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.places = [everywhere(place, blocks) for place in range(blocks)]
        self.counter = everywhere(0, blocks, _COUNTER)
        self.texts: list[int] = [0]  # by how many blocks a text has: where it stands,
        self.counts: list[int] = [0]  # and 0, 1, 2 … in these places
        for place in range(1, blocks):
            self.texts.append(self.texts[-1] | self.places[place])
            self.counts.append(self.counts[-1] | everywhere(place, blocks, place - 1))


class Siv:
    """AES-SIV without associated data under one key of 64 bytes, in base64url: the tag, then the ciphertext."""

    LONGEST: Final = 80  # bytes of a text in a lane, which has six blocks then

    def __init__(self, key: bytes) -> None:
        half = len(key) // 2
        self._one = AESSIV(key)
        self._chain = Chain(key[:half])
        self._aes = Aes(key[half:])
        # a lane is a multiple of three bytes too, so that all of them are encoded at once
        self._lanes = [SivLanes(6), SivLanes(3), SivLanes(3), SivLanes(6), SivLanes(6), SivLanes(6)]
        mac_of_zero = int.from_bytes(Cmac(key[:half]).tag(bytes(BLOCK)), "big")
        self._behind: list[bytes] = []  # by a text's length, as in Cmac
        self._masks: list[bytes] = []
        for length in range(self.LONGEST + 1):
            used = blocks_of(length)
            blocks = self._lanes[used].blocks
            self._behind.append(bytes(BLOCK * (blocks - 1) - length))
            mask = self._mask(mac_of_zero, length) << BITS * (blocks - 1 - used)
            self._masks.append(mask.to_bytes(BLOCK * blocks, "big"))

    def _mask(self, mac_of_zero: int, length: int) -> int:
        """What S2V XORs into a text of that length, and CMAC into what comes of it. Spec: RFC 5297 §2.4."""
        if length < BLOCK:
            return doubled(mac_of_zero) ^ _padding(length) ^ self._chain.last(BLOCK)
        behind = BLOCK * blocks_of(length) - length
        return (mac_of_zero << 8 * behind) ^ self._chain.last(BLOCK - behind)

    def sealed(self, text: bytes) -> bytes:
        return base64url(self._one.encrypt(text, None))

    def all_sealed(self, head: bytes, texts: list[bytes], before: bytes, behind: bytes) -> list[bytes]:
        """Each text with `head`, some bytes, in front of it; `before` and `behind` what comes of it."""
        if len(texts) < FEW:
            return [before + self.sealed(head + text) + behind for text in texts]
        found: list[bytes] = []
        for start in range(0, len(texts), MOST):
            found += self._sealed(head, texts[start : start + MOST], before, behind)
        return found

    def _sealed(self, head: bytes, texts: list[bytes], before: bytes, behind: bytes) -> list[bytes]:
        found = [b""] * len(texts)
        more = len(head)
        for used, places in enumerate(by_blocks(texts, self.LONGEST, more)):
            if not places:
                continue
            if not used:
                for place in places:
                    found[place] = before + self.sealed(head + texts[place]) + behind
                continue
            lanes = self._run(head, texts, places, used)
            letters = binascii.b2a_base64(lanes, newline=False).translate(_URLSAFE)
            step = self._lanes[used].blocks * BLOCK // 3 * 4
            begin = 0
            for place in places:
                size = BLOCK + more + len(texts[place])
                over = size % 3
                last = begin + size // 3 * 4 + over
                new = before + letters[begin:last]
                if over:
                    new += _ENDS[over][letters[last]]
                found[place] = new + behind if behind else new
                begin += step
        return found

    def _run(self, head: bytes, texts: list[bytes], places: list[int], used: int) -> bytes:
        """The lanes of texts that take so many blocks: tag, ciphertext, and in its last block whatever is behind its end."""
        lanes = self._lanes[used]
        front = bytes(BLOCK) + head
        more = len(head)
        parts: list[bytes] = []
        masks: list[bytes] = []
        for place in places:
            text = texts[place]
            length = len(text) + more
            parts.append(front)
            parts.append(text)
            parts.append(self._behind[length])
            masks.append(self._masks[length])
        size = BLOCK * lanes.blocks * len(places)
        plain = int.from_bytes(b"".join(parts), "big")
        mixed = plain ^ int.from_bytes(b"".join(masks), "big")
        tags = int.from_bytes(self._chain.run(mixed, size, lanes.places[1 : used + 1]), "big") & lanes.places[used]
        tags <<= BITS * used
        first = tags & lanes.counter
        stream = lanes.counts[used] >> BITS * lanes.blocks * (MOST - len(places))
        for block in range(1, used + 1):
            stream += first >> BITS * block  # bit 31 is free: no counter runs over into the next block
        return (((self._aes.encrypt(stream, size) ^ plain) & lanes.texts[used]) | tags).to_bytes(size, "big")
