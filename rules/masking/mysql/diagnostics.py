"""Errors, warnings and notes of a session in which columns are masked: what names things passes, what can quote data does not.

The servers quote values in many messages (`XPATH syntax error: '~123-45-6789'`, `Duplicate entry '123-45-6789' for key 'ssn'`),
and a note of EXPLAIN writes out rows that the optimizer read. `forms.txt` has the messages that are known, by their numbers: what
is data in them becomes `***`, names pass, and what the client is said to have written passes if it did. A message of any other
form, or in another language than English, is reduced to its number, SQLSTATE and severity.

A routine can raise what it likes under any number (SIGNAL … SET MYSQL_ERRNO), so names must look like names wherever they stand.
What it misses: a routine that puts a masked value, shaped like a name, where such a message has a name; that an error happens.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from attrs import frozen

MAXIMUM_MESSAGE_BYTES: Final = 1024  # the servers cut at 512; a longer one is of no known form
MAXIMUM_OWN_BYTES: Final = 64 * 1024  # of the client's text that is searched for what a message quotes of it
WITHHELD: Final = "the server's own words are withheld, since columns are masked in this session"
STARS: Final = "***"

# One place of a form: what is looked for there. Data is taken greedily, so that it cannot end early and pass its rest for a name.
_PLACES: Final = {
    "«»": ("name", r"[\w$.@%-]{1,260}"),
    "«~»": ("own", r".{1,512}?"),
    "«*»": ("data", r".*"),
    "«w»": ("words", r"|-{0,2}[A-Za-z][A-Za-z0-9 ,()/=_.&:-]{0,80}?"),
    "«r»": ("words", r"PROCEDURE|FUNCTION|TRIGGER|EVENT|PACKAGE|SAVEPOINT|SEQUENCE|LIBRARY"),
    "«k»": ("keys", r"`[\w$]{1,64}`(?:, `[\w$]{1,64}`){0,31}"),
    "##": ("number", r"\#?\d{1,20}"),
    "#": ("number", r"-?\d{1,20}"),
}
_MARKS: Final = re.compile("|".join(map(re.escape, _PLACES)))
_INFO: Final = re.compile(
    rb"(?:(?:Records|Duplicates|Warnings|Rows matched|Changed|Deleted|Skipped): \d{1,20} {0,2})*|Statement prepared"
)
CUT: Final = "..."  # MariaDB puts it behind as much of a text as it shows
MINIMUM_CUT: Final = 60  # letters; it shows no fewer of a longer text
_QUALIFIER: Final = re.compile(r"(?:[\w$-]{1,64}\.){0,2}")


@frozen
class Form:
    pattern: re.Pattern[str]
    pieces: tuple[str, ...]  # the words of the form, with a kind of place between each two
    kinds: tuple[str, ...]

    def said(self, message: str, own: str) -> str | None:
        """The message without data; None if it is not of this form."""
        match = self.pattern.fullmatch(message)
        if match is None:
            return None
        found = [self.pieces[0]]
        for kind, value, piece in zip(self.kinds, match.groups(), self.pieces[1:], strict=True):
            hidden = kind == "data" or (kind == "own" and not _written(value, own))
            found += (STARS if hidden else value, piece)
        return "".join(found)


def _written(value: str, own: str) -> bool:
    """Whether the client wrote it; the server puts the schema, and the table, before a name."""
    folded = value.casefold()
    if folded in own or (folded.endswith(CUT) and len(folded) > MINIMUM_CUT and folded.removesuffix(CUT) in own):
        return True
    match = _QUALIFIER.match(folded)
    rest = folded[match.end() :] if match is not None else ""
    return bool(rest) and rest in own


@cache
def forms() -> Mapping[int, tuple[Form, ...]]:
    found: dict[int, list[Form]] = {}
    table = files("rules.masking.mysql").joinpath("forms.txt").read_text(encoding="utf-8")
    for line in table.splitlines():
        if line.startswith("#"):
            continue
        errno, _, form = line.partition(" ")
        places = _MARKS.findall(form)
        pieces = _MARKS.split(form)
        pattern = re.escape(pieces[0])
        for place, piece in zip(places, pieces[1:], strict=True):
            pattern += f"({_PLACES[place][1]}){re.escape(piece)}"
        kinds = tuple(_PLACES[place][0] for place in places)
        found.setdefault(int(errno), []).append(Form(re.compile(pattern, re.DOTALL), tuple(pieces), kinds))
    return {errno: tuple(several) for errno, several in found.items()}


def scrub(fields: Mapping[str, bytes]) -> dict[str, bytes]:
    """The fields that may pass of an error, or of an OK packet (severity "OK"), by the codes of `fields_of`. Total.

    `text`, where it is given, is the statement that the client sent.
    """
    found = {code: value for code, value in fields.items() if code in ("S", "V", "C", "errno")}
    if fields.get("S") == b"OK":
        return {**found, "M": info(fields.get("M", b""))}
    number = fields.get("errno", b"")
    errno = int(number) if number.isdigit() and len(number) < 10 else 0
    found["M"] = message(errno, fields.get("M", b""), fields.get("text", b""))
    return found


def message(errno: int, words: bytes, own: bytes = b"") -> bytes:
    """What may pass of an error's, warning's or note's message. `own`: the client's text. Total."""
    if len(words) <= MAXIMUM_MESSAGE_BYTES:
        try:
            known = _known(errno, words.decode(), _folded(own))
        except UnicodeDecodeError:
            known = None
        if known is not None:
            return known.encode()
    return f"message {errno} of the server: {WITHHELD}".encode()


def _folded(own: bytes) -> str:
    return own.decode("utf-8", "replace").casefold() if len(own) <= MAXIMUM_OWN_BYTES else ""


def _known(errno: int, words: str, own: str) -> str | None:
    for form in forms().get(errno, ()):
        if (said := form.said(words, own)) is not None:
            return said
    return None


def info(data: bytes) -> bytes:
    """The words of an OK packet: counts of rows, or nothing."""
    return data if _INFO.fullmatch(data) else b""


Masker = Callable[[bytes | None], bytes | None]


Told = Callable[[int, bytes], None]  # the number and the words of a warning that the client gets less of


def warnings_plan(binary: bool, own: bytes = b"", told: Told | None = None) -> Sequence[Masker | None]:
    """The plan for one result of SHOW WARNINGS or SHOW ERRORS: Level, Code, Message. `told` hears what it takes away.

    The fields of a row are masked in their order, so the second masker can tell the third which number the message has.
    It keeps state: make one for each result.
    """
    seen = 0

    def note(data: bytes | None) -> bytes | None:
        nonlocal seen
        seen = _number(data, binary)
        return data

    def scrubbed(data: bytes | None) -> bytes | None:
        if data is None:
            return None
        shown = message(seen, data, own)
        if told is not None and shown != data:
            told(seen, data)
        return shown

    return (None, note, scrubbed)


def _number(data: bytes | None, binary: bool) -> int:
    if data is None:
        return 0
    if binary:
        return int.from_bytes(data, "little")
    return int(data) if data.isdigit() and len(data) < 10 else 0
