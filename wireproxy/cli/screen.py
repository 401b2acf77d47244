"""Untrusted text on a terminal. An agent writes the SQL, the values, its application's name; a person decides by what the
screen shows. So nothing of it may move the cursor, change a colour, reorder letters, hide, or pose as our own words.

What does not print is shown as an escape, in reverse video: ESC as `\\x1b`, the right-to-left override as `\\u202e`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from rich.text import Text

ESCAPE_STYLE = "reverse yellow"
BLANK_LINES = 3  # more in a row are counted instead of shown: blank lines push text off the screen
SPACES = 40
COMBINING = 2  # marks on one letter; piled up, they paint over the lines above
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5"
_BLANK_RUN = re.compile(
    rf"(?:[ \t]*\n){{{BLANK_LINES + 2},}}|[ \t]{{{SPACES + 1},}}"
)  # linear: runs of blanks are taken whole
_WORD = re.compile(r"\w+")


def neutral(text: str, *, lines: bool = False) -> str:
    """Printable text; one line unless `lines`."""
    return "".join(piece for piece, _ in _pieces(text, lines))


def marked(text: str, *, lines: bool = False, style: str = "") -> Text:
    """The same for a screen, escapes in reverse."""
    result = Text(style=style, overflow="fold")
    for is_escape, pieces in groupby(_pieces(text, lines), key=itemgetter(1)):
        result.append("".join(piece for piece, _ in pieces), ESCAPE_STYLE if is_escape else None)
    return result


def marked_sql(sql: str) -> Text:
    """SQL as it is, except that long runs of nothing are counted instead of shown."""
    result = Text(overflow="fold")
    sql = sql.replace("\r\n", "\n")
    at = 0
    for run in _BLANK_RUN.finditer(sql):
        result.append_text(marked(sql[at : run.start()], lines=True))
        newlines = run.group().count("\n")
        note = f"⋯ {newlines - 1} blank lines ⋯" if newlines else f"⋯ {len(run.group())} blanks ⋯"
        result.append(f"\n{note}\n" if newlines else note, ESCAPE_STYLE)
        at = run.end()
    return result.append_text(marked(sql[at:], lines=True))


def cut(text: str, characters: int) -> str:
    """On one line, blanks counted as one, and an ellipsis where something is left out."""
    head = text[: characters * 8]
    flat = neutral(" ".join(head.split()))
    return flat if len(head) == len(text) and len(flat) <= characters else f"{flat[:characters]}…"


def warnings(sql: str) -> list[str]:
    """What about this text may deceive the eye."""
    found = []
    escapes = sum(is_escape for _, is_escape in _pieces(sql, True))
    if escapes:
        found.append(f"{escapes} characters that do not print are shown as escapes, like \\x1b")
    mixed = sorted({word for word in _WORD.findall(sql) if _mixes_scripts(word)})
    if mixed:
        found.append(f"letters of several scripts in one word: {', '.join(ascii(word) for word in mixed[:5])}")
    return found


def _pieces(text: str, lines: bool) -> Iterator[tuple[str, bool]]:
    marks = 0
    for character in text.replace("\r\n", "\n") if lines else text:
        if " " <= character <= "~":
            marks = 0
            yield character, False
            continue
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if character == " " or (character.isprintable() and marks <= COMBINING and not _is_blank(character)):
            yield character, False
        elif lines and character == "\n":
            yield "\n", False
        elif lines and character == "\t":
            yield "    ", False
        else:
            yield _escape(character), True


def _is_blank(character: str) -> bool:
    return character in _BLANK_LETTERS or unicodedata.category(character) in _HIDDEN_CATEGORIES | {"Zs"}


def _escape(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    if named is not None:
        return named
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _mixes_scripts(word: str) -> bool:
    letters = [character for character in word if character.isalpha()]
    latin = [unicodedata.name(character, "").startswith("LATIN") for character in letters]
    return any(latin) and not all(latin)
