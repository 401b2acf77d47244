"""The forms in which a masked value could reach a client of MySQL's protocol, and how a text looks in base64."""

from __future__ import annotations

import base64
import struct
from typing import Final


def in_base64(text: bytes) -> list[bytes]:
    """At its three alignments: those characters that depend on it alone."""
    return [
        base64.b64encode(b"x" * shift + text + b"x" * 2)[-(-8 * shift // 6) : 8 * (shift + len(text)) // 6]
        for shift in range(3)
    ]


WORD: Final = b"canary"
# cards, salaries and pays, as far as all of one kind are alike; a date with its month, in whatever way it is parted
DIGITS: Final = [
    b"765432100000",
    b"876543",
    b"543210",
    b"7654322.25",
    b"7654323.25",
    b"1917-03-1",
    b"19170301",
    b"1917031",
]
_INTEGERS: Final = [*range(7654321000001, 7654321000007)]
_SMALL: Final = [*range(8765433, 8765440), *range(5432101, 5432106)]
BINARY: Final = [
    *(struct.pack("<q", value) for value in _INTEGERS),
    *(struct.pack(">q", value)[2:] for value in _INTEGERS),
    *(struct.pack("<i", value) for value in _SMALL),
    *(struct.pack("<d", float(value)) for value in (*_INTEGERS, *_SMALL)),
    *(struct.pack("<i", 19170310 + n) for n in range(1, 7)),
    *(struct.pack("<d", 7654321.25 + n) for n in range(1, 7)),
    *(struct.pack("<d", 8765432.5 + n) for n in range(1, 7)),
    *(struct.pack("<f", value + 0.5) for value in range(8765433, 8765439)),
    *(struct.pack("<HBB", 1917, 3, 10 + n) for n in range(1, 7)),
    WORD.decode().encode("utf-16-le"),
]
# a message of MySQL writes "ca[HERE]naryssn1", and MariaDB a UUID with its dashes
_TEXTS: Final = [WORD, b"naryssn", b"63616e61-7279", *DIGITS]
# in lower case: plain, reversed, in hexadecimal
FORMS: Final = [
    *_TEXTS,
    *(text[::-1] for text in _TEXTS),
    *(text.hex().encode() for text in (*_TEXTS, WORD.upper(), WORD[::-1], *BINARY)),
]
ENCODED: Final = [form for text in (*_TEXTS, WORD.upper()) for form in in_base64(text)]


def canaries(data: bytes) -> list[bytes]:
    """Every form of a masked value that is in there."""
    lower = data.lower()
    bare = lower.replace(b"\0", b"")  # what comes in UTF-16 or UTF-32 is ASCII then
    return [form for form in FORMS if form in lower or form in bare] + [
        form for form in (*BINARY, *ENCODED) if form in data
    ]
