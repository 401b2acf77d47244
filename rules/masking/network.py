"""A Feistel network that permutes the numbers of so many bits, one by one and many at once.

Spec: that of Luby and Rackoff, ten rounds, with AES as its round function. Each domain (a type, say) has a permutation of its own.
Of an odd number of bits one half is a bit longer, and the halves change places each round (NIST SP 800-38G does the same). What
leaves a domain of another size is walked back into it (Black and Rogaway, "Ciphers with Arbitrary Finite Domains").
"""

from __future__ import annotations

import struct
from types import FunctionType
from typing import TYPE_CHECKING, Final

from librt.strings import BytesWriter, read_i64_be, write_i64_be

from rules.masking.lanes import BITS, BLOCK, MOST, Aes, repeated

if TYPE_CHECKING:
    from mypy_extensions import i64

_ROUNDS: Final = 10
_WORD: Final = 64  # bits; the half that a round looks at is the lower word of its block
DOMAIN: Final = 96
_TURN: Final = 64
_DOMAINS: Final = 1 << 32


class Network:
    """Under one key."""

    def __init__(self, key: bytes) -> None:
        self._aes = Aes(key)
        self._masks: dict[int, int] = {}  # by bits: the half in each lane

    def one(self, number: int, bits: int, domain: int, back: bool = False) -> int:
        """A number below 2 ** bits as another one. At most 128 bits."""
        upper = bits // 2
        lower = bits - upper
        masks = ((1 << upper) - 1, (1 << lower) - 1)  # of the half that changes, by the round
        left, right = number >> lower, number & masks[1]
        if back:
            for turn in range(_ROUNDS - 1, -1, -1):
                left, right = right ^ (self._round(domain, turn, left) & masks[turn & 1]), left
        else:
            for turn in range(_ROUNDS):
                left, right = right, left ^ (self._round(domain, turn, right) & masks[turn & 1])
        return left << lower | right

    def _round(self, domain: int, turn: int, half: int) -> int:
        return self._aes.encrypt(domain << DOMAIN | turn << _TURN | half, BLOCK) >> _WORD

    def within(self, number: int, size: int, domain: int, back: bool = False) -> int:
        """A number below `size` as another one below it."""
        bits = (size - 1).bit_length()
        while True:  # a permutation comes back to where it began, so this ends
            number = self.one(number, bits, domain, back)
            if number < size:
                return number

    def many(self, numbers: list[int], bits: int, domain: int) -> list[int]:
        """Each as `one` has it. At most 64 bits."""
        return self._many(numbers, bits, [domain] * len(numbers))

    def all_within(self, numbers: list[int], sizes: list[int], domains: list[int]) -> list[int]:
        """Each as `within` has it."""
        found = numbers.copy()
        by_bits: dict[int, list[int]] = {}
        for place, size in enumerate(sizes):
            by_bits.setdefault((size - 1).bit_length(), []).append(place)
        for bits, places in by_bits.items():
            if bits > _WORD:
                for place in places:
                    found[place] = self.within(numbers[place], sizes[place], domains[place])
                continue
            while places:  # those that left their domain
                new = self._many([found[place] for place in places], bits, [domains[place] for place in places])
                again: list[int] = []
                for place, number in zip(places, new, strict=True):
                    found[place] = number
                    if number >= sizes[place]:
                        again.append(place)
                places = again
        return found

    def _many(self, numbers: list[int], bits: int, domains: list[int]) -> list[int]:
        if COMPILED:
            return self.by_words(numbers, bits, domains)
        found: list[int] = []
        for start in range(0, len(numbers), MOST):
            some = numbers[start : start + MOST]
            size = BLOCK * len(some)
            lanes = int.from_bytes(struct.pack("!" + "8xQ" * len(some), *some), "big")
            theirs = int.from_bytes(struct.pack("!" + "I12x" * len(some), *domains[start : start + MOST]), "big")
            found += struct.unpack("!" + "8xQ" * len(some), self.lanes(lanes, size, bits, theirs).to_bytes(size, "big"))
        return found

    def by_words(self, numbers: list[int], bits: int, domains: list[int]) -> list[int]:
        """The same with each half in a word of its own, which is quicker where this is compiled."""
        upper = bits // 2
        lower = bits - upper
        lower_mask = (1 << lower) - 1
        mask: i64 = (1 << upper) - 1  # of the half that changes,
        other: i64 = lower_mask  # and of the one that does in the next round
        before, writer = BytesWriter(), BytesWriter()  # the blocks of two rounds: domain, round and half
        for place, number in enumerate(numbers):
            domain: i64 = domains[place]
            if domain >> 31:
                domain -= _DOMAINS  # the same 32 bits in a word that has a sign
            left: i64 = number >> lower
            right: i64 = number & lower_mask
            write_i64_be(before, domain << 32)
            write_i64_be(before, left)
            write_i64_be(writer, domain << 32)
            write_i64_be(writer, right)
        old, blocks = before.getvalue(), writer.getvalue()
        size: i64 = len(blocks)
        for _ in range(_ROUNDS):
            mixed = self._aes.update(blocks)
            writer = BytesWriter()
            at: i64 = 0
            while at < size:
                write_i64_be(writer, read_i64_be(blocks, at) + 1)
                write_i64_be(writer, read_i64_be(old, at + 8) ^ (read_i64_be(mixed, at) & mask))
                at += BLOCK
            old, blocks = blocks, writer.getvalue()
            mask, other = other, mask
        found: list[int] = []
        at = 8
        while at < size:
            high: int = read_i64_be(old, at)
            low: int = read_i64_be(blocks, at)
            found.append(high << lower | low)
            at += BLOCK
        return found

    def lanes(self, numbers: int, size: int, bits: int, domains: int) -> int:
        """The numbers of lanes of a block each, `size` bytes of them. `domains`: of each, from the bit `DOMAIN` on."""
        upper = bits // 2
        lower = bits - upper
        masks = (self._mask(upper), self._mask(lower))
        turn = repeated(1 << _TURN, 1) >> (BITS * MOST - 8 * size)
        left, right = numbers >> lower & masks[0], numbers & masks[1]
        for round_ in range(_ROUNDS):
            left, right = right, left ^ (self._aes.encrypt(domains | right, size) >> _WORD & masks[round_ & 1])
            domains += turn
        return left << lower | right

    def _mask(self, half: int) -> int:
        mask = self._masks.get(half)
        if mask is None:
            mask = self._masks[half] = repeated((1 << half) - 1, 1)
        return mask


COMPILED: Final = type(Network.by_words) is not FunctionType
