"""A Feistel network that permutes the numbers of so many bits, one by one and many at once.

Spec: that of Luby and Rackoff, ten rounds, with AES as its round function. Each domain (a type, say) has a permutation of its own.
"""

from __future__ import annotations

import struct
from typing import Final

from rules.masking.lanes import BITS, BLOCK, MOST, Aes, repeated

_ROUNDS: Final = 10
_WORD: Final = 64  # bits; the half that a round looks at is the lower word of its block
DOMAIN: Final = 96
_TURN: Final = 64


class Network:
    """Under one key."""

    def __init__(self, key: bytes) -> None:
        self._aes = Aes(key)
        self._masks: dict[int, int] = {}  # by bits: the half in each lane

    def one(self, number: int, bits: int, domain: int, back: bool = False) -> int:
        """A number below 2 ** bits (an even number of them) as another one."""
        half = bits // 2
        mask = (1 << half) - 1
        left, right = number >> half, number & mask
        if back:
            for turn in range(_ROUNDS - 1, -1, -1):
                left, right = right ^ (self._round(domain, turn, left) & mask), left
        else:
            for turn in range(_ROUNDS):
                left, right = right, left ^ (self._round(domain, turn, right) & mask)
        return left << half | right

    def _round(self, domain: int, turn: int, half: int) -> int:
        return self._aes.encrypt(domain << DOMAIN | turn << _TURN | half, BLOCK) >> _WORD

    def many(self, numbers: list[int], bits: int, domain: int) -> list[int]:
        """Each as `one` has it. At most 64 bits."""
        found: list[int] = []
        for start in range(0, len(numbers), MOST):
            some = numbers[start : start + MOST]
            form = "!" + "8xQ" * len(some)
            size = BLOCK * len(some)
            lanes = int.from_bytes(struct.pack(form, *some), "big")
            domains = repeated(domain << DOMAIN, 1) >> BITS * (MOST - len(some))
            found += struct.unpack(form, self.lanes(lanes, size, bits, domains).to_bytes(size, "big"))
        return found

    def lanes(self, numbers: int, size: int, bits: int, domains: int) -> int:
        """The numbers of lanes of a block each, `size` bytes of them. `domains`: of each, from the bit `DOMAIN` on."""
        half = bits // 2
        mask = self._masks.get(half)
        if mask is None:
            mask = self._masks[half] = repeated((1 << half) - 1, 1)
        turn = repeated(1 << _TURN, 1) >> (BITS * MOST - 8 * size)
        left, right = numbers >> half & mask, numbers & mask
        for _ in range(_ROUNDS):
            left, right = right, left ^ (self._aes.encrypt(domains | right, size) >> _WORD & mask)
            domains += turn
        return left << half | right
