"""Texts that differ in whole numbers alone, told apart from others without a parser: the quickest key to what was judged before.

`without_numbers` puts a NUL in the place of every whole number that stands by itself, within a string too. Two texts with the
same result have the same tokens but for the values of such numbers and strings: a digit neither opens nor closes a string, and
quoted names, comments, dollar signs and backslashes are not in them; a number that is part of a name, a parameter, a fraction or
another base is left as it is, and so is one of more than nine digits, which the parser would take for another kind of token. So
where the parser's own normalization of one of them left no such number in place (`has_numbers`), it found a constant wherever
one stands, and it gives the same normalized text for all of them.
"""

from __future__ import annotations

import re

_numbers = re.compile(rb"(?<![\w.$])\d{1,9}(?![\w.])")
_substitute = _numbers.sub


def without_numbers(text: bytes) -> bytes | None:
    """None: something stands in the text that makes a digit more than a digit."""
    if b"\0" in text or b'"' in text or b"$" in text or b"\\" in text:
        return None
    if b"--" in text or b"/*" in text:
        return None
    return _substitute(b"\0", text)


def has_numbers(shape: str) -> bool:
    """Whether a number was left in a normalized text, where it may be part of the grammar."""
    return _numbers.search(shape.encode()) is not None
