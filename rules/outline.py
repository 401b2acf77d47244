r"""Texts of Postgres that differ in constants alone, told apart without a parser: the quickest key to what was judged before.

`outline` puts a mark in the place of each string in single quotes, each whole number that stands by itself, and each fraction.
Two texts with the same outline have the same tokens but for the values of those:

- A string is cut as the server cuts it. What could make a quote, a digit or a letter something else (a comment, a dollar sign, a
  backslash, a letter beyond ASCII) gives no outline. The first place where a text is cut otherwise than by the server would be one
  of these outside of a string, or a quote in a quoted name, and all of them are still there when strings are gone. A doubled quote
  is two marks side by side, and what stands in front of a string (E, X, U&) stays in front of the mark.
- A number that is part of a name without quotes, a parameter or another base is left as it is, and so is one of more than nine
  digits, which the parser would take for another kind of token. In a quoted name a number gives no outline.

So where the parser's own normalization of one of them left none of these in place (`has_constants`), it found a constant wherever
a mark stands, and it gives the same normalized text for all of them. What may be judged by the outline is what may be judged by
that, and no more.
"""

from __future__ import annotations

import re
from typing import Final

# each begins with what is rare, which is what makes the search quick
_strings: Final = re.compile(rb"'[^']*'")
_fractions: Final = re.compile(rb"\.(?<=[0-9]\.)[0-9]++(?![\w.])")
_numbers: Final = re.compile(rb"[0-9](?<![\w.$].)[0-9]{0,8}+(?![\w.])")
_take_strings = _strings.sub
_take_fractions = _fractions.sub
_take_numbers = _numbers.sub


def outline(text: bytes) -> bytes | None:
    """None: something stands in the text that makes a character more than itself."""
    bare = without_strings(text)
    if bare is None:
        return None
    found = _take_numbers(b"\0", _take_fractions(b"\0f", bare))
    return None if b'"' in found and _marks_in_names(found) else found


def without_strings(text: bytes) -> bytes | None:
    """With marks for strings alone. None: what is a string in it, a look at its quotes does not tell."""
    if b"\\" in text or b"\0" in text or not text.isascii():
        return None
    bare = _take_strings(b"\0s", text)
    if b"'" in bare or b"$" in bare or b"--" in bare or b"/*" in bare:
        return None
    if b'"' in bare and _marks_in_names(bare):  # a quote in a quoted name was taken for a string's
        return None
    return bare


def _marks_in_names(text: bytes) -> bool:
    return b"\0" in b"".join(text.split(b'"')[1::2])


def has_constants(shape: str) -> bool:
    """Whether something that `outline` takes out was left in a normalized text, where it may be part of the grammar."""
    left = shape.encode()
    return b"'" in left or _numbers.search(left) is not None or _fractions.search(left) is not None
