"""Which texts are judged where they arrive, and which are worth a process of their own.

What judging costs grows with tokens, not with bytes: some 40 µs for each hundred on Postgres, 600 µs on MySQL, and in the worst
case that was found (many statements of one word) 37 µs for each statement. So what is short by these bounds holds up other
sessions for a few milliseconds at most. Counting stops at the bound, and costs less than a tenth of the judging it saves.
"""

from __future__ import annotations

import re

SHORT_BYTES = 768  # too few for anything costly, whatever they are: the usual statement is not even counted
LONG_BYTES = 16 * 1024  # of few words, as a long literal: still to be decoded and searched
MAX_TOKENS = 600
MAX_DEPTH = 8  # of brackets, in the shortest text too: sqlglot took 136 s for 16 of them behind one name of a type

_TOKEN = re.compile(rb"([(\[])|([)\]])|[0-9A-Za-z_\x80-\xff]+|[^\s]")


def is_short(text: bytes) -> bool:
    """What the usual statement is, and can be seen at once."""
    return len(text) <= SHORT_BYTES and text.count(b"(") <= MAX_DEPTH


def is_long(text: bytes) -> bool:
    """Whether judging the text could hold up others. Total, and bounded itself."""
    if is_short(text):
        return False
    if len(text) > LONG_BYTES:
        return True
    depth = 0
    for count, found in enumerate(_TOKEN.finditer(text)):
        if found.lastindex is not None:
            depth = depth + 1 if found.lastindex == 1 else max(depth - 1, 0)
            if depth > MAX_DEPTH:
                return True
        if count >= MAX_TOKENS:
            return True
    return False
