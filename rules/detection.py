"""Detectors: secrets and personal numbers in the text of results, wherever they stand.

What is found is overwritten in place by as many characters, so that no length changes and rows stream as they come: letters
become stars, digits of numbers zeros. Over what was read as a whole, a few rare bytes are searched for; where one belongs to a
hint of a detector, its rough form; and only where that stands is a value cut out and looked at by itself. No repetition of any
form is unbounded, so the time is linear in the data, whatever it holds (`tests/rules/test_detection.py`).

What it misses: secrets without a form of their own (a password is any word), what is encoded, what a query takes apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from types import FunctionType
from typing import TYPE_CHECKING, Final, final

from librt.strings import read_i64_le

if TYPE_CHECKING:
    from mypy_extensions import i64

Span = tuple[int, int]
LONGEST: Final = 17 * 1024  # of a finding; whoever cuts a value holds back as much
_PEM_BYTES: Final = 16 * 1024  # a private key of 16,384 bits has 12 KiB


@final
class Detector:
    """`hints`: one of these stands wherever there is something to find; none: it always looks closer.

    `rough` matches somewhere in whatever `look` finds, whatever stands around it: so it can be searched for across values.
    `look` gives the spans in one value, in order, none overlapping.
    """

    __slots__ = ("hints", "look", "name", "rough")

    def __init__(
        self, name: str, hints: tuple[bytes, ...], rough: re.Pattern[bytes], look: Callable[[bytes], Iterator[Span]]
    ) -> None:
        self.name = name
        self.hints = hints
        self.rough = rough
        self.look = look


# Bytes that are rare in text, by which hints are found: the first that a hint has is searched for, then its neighbours compared.
_RARE: Final = b"JIXK_x@/-"
_DENSE: Final = 512  # above one in so many bytes it is quicker to search for the hints themselves


_ONES: Final = 0x0101010101010101
_WORD: Final = 8  # bytes


def first_pair(data: bytes, start: i64, end: i64, first: i64, second: i64) -> i64:
    """Where two bytes stand side by side; -1: nowhere. Eight bytes at a time, for where this is compiled.

    A byte of a word is zero where `(word - ONES) & ~word` has its top bit set; above such a one, that can be its borrow.
    Source: S. E. Anderson, "Bit Twiddling Hacks", "Determine if a word has a zero byte".
    """
    firsts = first * _ONES
    seconds = second * _ONES
    tops: i64 = _ONES
    tops <<= 7
    at = start
    while at < end - _WORD:
        here = read_i64_le(data, at) ^ firsts
        beside = read_i64_le(data, at + 1) ^ seconds
        hits = (here - _ONES) & ~here & (beside - _ONES) & ~beside & tops
        if not hits:
            at += _WORD
            continue
        while not hits & 0xFF:
            hits >>= 8
            at += 1
        if data[at] == first and data[at + 1] == second:
            return at
        at += 1
    while at < end - 1:
        if data[at] == first and data[at + 1] == second:
            return at
        at += 1
    return -1


COMPILED: Final = type(first_pair) is not FunctionType


@final
class Hint:
    """`place`: of the rare byte in the text. `step` further, which is beside it where there is more than it, stands `beside`."""

    __slots__ = ("beside", "owner", "pair", "place", "step", "text")

    def __init__(self, text: bytes, place: int, owner: int) -> None:
        self.text = text
        self.place: i64 = place
        self.owner = owner  # the detector's place among the others
        step = 1 if place + 1 < len(text) else -1 if place else 0
        self.step: i64 = step
        self.beside: i64 = text[place + step]
        self.pair: i64 = min(place, place + step)  # where the two begin

    def stands(self, data: bytes, start: i64, end: i64) -> bool:
        """Whether the text stands in the data."""
        if not COMPILED or len(self.text) < 2:
            return data.find(self.text, start, end) >= 0
        first: i64 = self.text[self.pair]
        second: i64 = self.text[self.pair + 1]
        at = first_pair(data, start + self.pair, end, first, second)
        while at >= 0:
            if data.startswith(self.text, at - self.pair, end):
                return True
            at = first_pair(data, at + 1, end, first, second)
        return False


@final
class Trigger:
    """The hints that have one rare byte."""

    __slots__ = ("byte", "hints")

    def __init__(self, byte: bytes, hints: list[Hint]) -> None:
        self.byte = byte
        self.hints = hints

    def look(self, data: bytes, start: i64, end: i64, first: i64, close: set[int]) -> None:
        """Adds the detectors that must look closer. `first`: where the byte stands first."""
        hits: i64 = 0
        at = first
        while at >= 0 and hits <= (at - start) // _DENSE + 16:
            for hint in self.hints:
                beside = at + hint.step
                if start <= beside < end and data[beside] == hint.beside:
                    begin = at - hint.place
                    if begin >= start and data.startswith(hint.text, begin, end):
                        close.add(hint.owner)
            at = data.find(self.byte, at + 1, end)
            hits += 1
        if at >= 0:
            for hint in self.hints:
                if hint.owner not in close and hint.stands(data, start, end):
                    close.add(hint.owner)


def triggers(detectors: Iterable[Detector]) -> list[Trigger]:
    by_byte: dict[int, list[Hint]] = {}
    for owner, detector in enumerate(detectors):
        for hint in detector.hints:
            byte = next(each for each in _RARE if each in hint)
            by_byte.setdefault(byte, []).append(Hint(hint, hint.index(byte), owner))
    return [Trigger(bytes((byte,)), hints) for byte, hints in by_byte.items()]


# Where a value begins and ends: not inside a word. In arrays and composites in binary, the last byte of a length stands in front of
# a value, and may be any letter; in JSON and in COPY's text, the letter by which a line feed or a tab is written.
_BEGIN: Final = r"(?:(?<![A-Za-z0-9_-])|(?<=[\x00-\x08]...)|(?<=\\[bfnrtv])|(?<=\\u[0-9A-Fa-f]{4}))"
_NO_WORD: Final = r"(?:(?<![0-9A-Za-z.-])|(?<=[\x00-\x08]...)|(?<=\\[bfnrtv])|(?<=\\u[0-9A-Fa-f]{4}))"
_BACKSLASH: Final = 0x5C
_ESCAPED: Final = re.compile(rb"u[0-9A-Fa-f]{4}|[0-7]{3}|[bfnrtv]")  # what may stand behind a backslash


def by_form(
    name: str, hints: tuple[bytes, ...], pattern: str, before: str = "", after: str = "", rough: str = ""
) -> Detector:
    """What has one form: `pattern`, with `before` and `after` around it. The span is that of its group, where it has one."""
    strict = re.compile((before + pattern + after).encode(), re.DOTALL)
    group = strict.groups

    def look(value: bytes) -> Iterator[Span]:
        return (match.span(group) for match in strict.finditer(value))

    return Detector(name, hints, re.compile((rough or pattern).encode(), re.DOTALL), look)


# -- secrets

_PEM: Final = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY: Final = re.compile(rb"(?:[A-Za-z0-9+/=\s:,.]|\\[nrt]){0,8192}+")


def private_keys(value: bytes) -> Iterator[Span]:
    """From BEGIN to END; without an END, what looks like a key behind it."""
    at = 0
    while (match := _PEM.search(value, at)) is not None:
        body = match.end()
        last = value.find(b"-----", body, body + _PEM_BYTES)
        # the beginning of another key, the end of a JSON string, the end of an element: the END is not this one's
        ended = last >= 0 and value.startswith(b"-----END ", last)
        if ended and value.find(b'"', body, last) < 0 and value.find(b"\0", body, last) < 0:
            closing = value.find(b"-----", last + 9, last + 60)
            at = closing + 5 if closing >= 0 else last + 9
        else:
            found = _PEM_BODY.match(value, body)
            at = found.end() if found is not None else body
        yield match.start(), at


SECRETS: Final = (
    by_form("aws-key", (b"AKIA", b"ASIA"), r"A[KS]IA[A-Z2-7]{16}", _BEGIN, r"(?![A-Za-z0-9])"),
    by_form(
        "aws-secret",
        (b"ecret_access_key", b"SECRET_ACCESS_KEY", b"ecretAccessKey"),
        r"(?i:secret_?access_?key)[\"'\\\s:=]{1,8}+([A-Za-z0-9/+]{40})",
        after=r"(?![A-Za-z0-9/+])",
    ),
    by_form(
        "gcp-key",
        (b"AIza", b"GOCSPX-"),
        r"(?:AIza[0-9A-Za-z_-]{35}|GOCSPX-[0-9A-Za-z_-]{28})",
        _BEGIN,
        r"(?![A-Za-z0-9_-])",
    ),
    by_form(
        "slack-token",
        (b"xox", b"hooks.slack.com/services/"),
        r"(?:xox[abeprs]-[0-9A-Za-z-]{10,250}+|hooks\.slack\.com/services/T[A-Z0-9]{6,14}+/B[A-Z0-9]{6,14}+/[A-Za-z0-9]{20,30}+)",
    ),
    by_form(
        "github-token",
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        r"(?:gh[pousr]_[A-Za-z0-9]{36,255}+|github_pat_[A-Za-z0-9_]{22,255}+)",
    ),
    Detector("private-key", (b"PRIVATE KEY",), _PEM, private_keys),
    by_form(
        "jwt",
        (b"eyJ",),
        r"eyJ[A-Za-z0-9_-]{8,4096}+\.eyJ[A-Za-z0-9_-]{8,8192}+\.[A-Za-z0-9_-]{8,2048}+",
        _BEGIN,
        rough=r"[A-Za-z0-9_-]\.eyJ[A-Za-z0-9_-]{8}",  # by its middle: of `eyJeyJeyJ…` every third byte could begin one
    ),
)

# -- numbers and addresses

_DIGITS: Final = re.compile(_NO_WORD.encode() + rb"[2-6][0-9]{3}(?:[ -]?[0-9]){9,15}(?![0-9A-Za-z])", re.DOTALL)
_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))


def luhn(digits: bytes) -> bool:
    single, doubled = digits[-1::-2], digits[-2::-2]
    return (sum(single) - 48 * len(single) + sum(doubled.translate(_DOUBLED))) % 10 == 0


def cards(value: bytes) -> Iterator[Span]:
    """13 to 19 digits, in groups or not, that pass Luhn and begin as a card of some scheme does."""
    at = 0
    while (match := _DIGITS.search(value, at)) is not None:
        span = _card_in(value, *match.span())
        if span is None:
            at = match.start() + 1
            while at < match.end() and value[at] not in b" -":  # the next group
                at += 1
        else:
            yield span
            at = span[1]


def _card_in(value: bytes, start: int, end: int) -> Span | None:
    digits = value[start:end].translate(None, b" -")
    places = [place for place in range(start, end) if value[place] > 0x2D]  # not the blanks and dashes
    for count in range(len(places), 12, -1):
        if count < len(places) and places[count] == places[count - 1] + 1:
            continue  # it would end inside a group
        number = digits[:count]
        if _of_a_scheme(number) and luhn(number) and len(set(number)) > 1:
            return start, places[count - 1] + 1
    return None


def _of_a_scheme(number: bytes) -> bool:
    if number[0] == 0x32:
        return len(number) == 16 and b"2221" <= number[:4] <= b"2720"
    return number[0] != 0x33 or number[1] in b"045678"


_LOCAL: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-")
_AT_DOMAIN: Final = re.compile(rb"@(?:[A-Za-z0-9-]{1,63}+\.){1,8}[A-Za-z]{2,24}+")


def emails(value: bytes) -> Iterator[Span]:
    """Around each @ with a domain behind it: up to 64 characters before it."""
    at = 0
    for match in _AT_DOMAIN.finditer(value):
        first = place = match.start()
        while first > max(at, place - 64) and value[first - 1] in _LOCAL:
            first -= 1
        if first and value[first - 1] == _BACKSLASH and (escaped := _ESCAPED.match(value, first, place)) is not None:
            first = escaped.end()
        if first < place:
            at = match.end()
            yield first, at


_DNI: Final = re.compile(_NO_WORD.encode() + rb"([XYZ]?)([0-9]{7,8})[- ]?([A-HJ-NP-TV-Z])(?![0-9A-Za-z])", re.DOTALL)
_NIR: Final = re.compile(
    _NO_WORD.encode() + rb"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]) ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}(?![0-9A-Za-z])",
    re.DOTALL,
)


def spanish(value: bytes) -> Iterator[Span]:
    for match in _DNI.finditer(value):
        number = {b"": b"", b"X": b"0", b"Y": b"1", b"Z": b"2"}[match[1]] + match[2]
        if len(number) == 8 and b"TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == match[3][0]:
            yield match.span()


def french(value: bytes) -> Iterator[Span]:
    for match in _NIR.finditer(value):
        digits = match[0].replace(b" ", b"")
        if 97 - int(digits[:13]) % 97 == int(digits[13:]):
            yield match.span()


NATIONAL: Final = (
    by_form(
        "us-ssn",
        (b"-",),
        r"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}",
        _NO_WORD,
        r"(?![0-9A-Za-z-])",
    ),
    by_form(
        "uk-nino",
        (),
        r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",
        _NO_WORD,
        r"(?![0-9A-Za-z])",
    ),
    Detector("es-dni", (), re.compile(rb"[0-9]{7}[- ]?[0-9A-HJ-NP-TV-Z]"), spanish),
    Detector("fr-nir", (), re.compile(rb"[12] ?[0-9]{2} ?[01][0-9] ?[0-9]{2} ?[0-9]{3}"), french),
    by_form(
        "it-codice-fiscale",
        (),
        r"[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]",
        _NO_WORD,
        r"(?![0-9A-Za-z])",
    ),
)

# What a policy may name: a group, or one detector.
GROUPS: Final[dict[str, tuple[Detector, ...]]] = {
    "secrets": SECRETS,
    "cards": (Detector("card", (), re.compile(rb"[2-6][0-9]{3}(?:[ -]?[0-9]){9}"), cards),),
    "emails": (Detector("email", (b"@",), re.compile(rb"[A-Za-z0-9._%+-]@[A-Za-z0-9-]"), emails),),
    "national-ids": NATIONAL,
}
NAMES: Final = (*GROUPS, *(each.name for group in GROUPS.values() for each in group if each.name not in GROUPS))
_HIDDEN: Final = bytes(0x2A if 0x21 <= code <= 0x7E else code for code in range(256))
_KEPT_FORM: Final = frozenset({"card", "email", *(each.name for each in NATIONAL)})
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ZEROS: Final = bytes.maketrans(b"0123456789" + _LETTERS, b"0" * 10 + b"*" * 52)


@final
class Finding:
    """`new`: as many bytes, to stand in its place."""

    __slots__ = ("end", "name", "new", "start")

    def __init__(self, start: int, end: int, name: str, new: bytes) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.new = new


_NOTHING: Final[list[Span]] = []


@final
class Finder:
    """The detectors of a policy."""

    __slots__ = ("_always", "_triggers", "detectors", "overlap")

    def __init__(self, detectors: tuple[Detector, ...]) -> None:
        self.detectors = detectors
        self.overlap = LONGEST
        self._triggers = triggers(detectors)
        self._always = [place for place, each in enumerate(detectors) if not each.hints]

    def suspects(self, data: bytes, start: int, end: int) -> list[Span]:
        """Where a closer look is due, in order. Each finding in a value overlaps one, whatever stands around that value."""
        close = self._close(data, start, end)
        if not close:
            return _NOTHING
        spans = [match.span() for place in close for match in self.detectors[place].rough.finditer(data, start, end)]
        spans.sort()
        return spans

    def find(self, value: bytes) -> list[Finding]:
        """In order; where two overlap, they are one finding of the first."""
        found: list[tuple[int, int, str]] = []
        for place in self._close(value, 0, len(value)):
            detector = self.detectors[place]
            found.extend((start, end, detector.name) for start, end in detector.look(value))
        found.sort(key=lambda each: (each[0], -each[1]))
        apart: list[tuple[int, int, str]] = []
        for start, end, name in found:
            if apart and start < apart[-1][1]:
                first, until, known = apart[-1]
                apart[-1] = first, max(until, end), known
            else:
                apart.append((start, end, name))
        return [
            Finding(start, end, name, value[start:end].translate(_ZEROS if name in _KEPT_FORM else _HIDDEN))
            for start, end, name in apart
        ]

    def _close(self, data: bytes, start: int, end: int) -> list[int]:
        """The detectors that must look closer."""
        close: set[int] | None = None
        for trigger in self._triggers:
            at = data.find(trigger.byte, start, end)
            if at >= 0:
                if close is None:
                    close = set(self._always)
                trigger.look(data, start, end, at, close)
        return self._always if close is None else sorted(close)


@lru_cache(maxsize=64)
def finder(names: tuple[str, ...]) -> Finder | None:
    """None: nothing is looked for."""
    found = list(chosen(names))
    return Finder(tuple(found)) if found else None


def chosen(names: Iterable[str]) -> Iterator[Detector]:
    wanted = frozenset(names)
    for group, detectors in GROUPS.items():
        for each in detectors:
            if group in wanted or each.name in wanted:
                yield each
