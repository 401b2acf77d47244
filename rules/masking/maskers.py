"""Maskers: for each type and format, a function from a field's bytes to what the client gets in its place.

The function is chosen once per result column and called for every row. It never fails: what it cannot mask in its own way
it replaces by a value that says nothing. A masked value is valid for its type in both formats; where no such value is known
(enums, composites, types of extensions) it is NULL.
"""

from __future__ import annotations

import datetime
import json
import math
import struct
import uuid
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Final

from attrs import frozen

from rules.masking import formats
from rules.masking.formats import STARS, zero
from rules.masking.hashing import Hashes, finite
from rules.masking.pseudonyms import Pseudonyms
from rules.masking.values import Mark

if TYPE_CHECKING:
    from mypy_extensions import i64

FieldMasker = Callable[[bytes | None], bytes | None]
Changes = Callable[[list[bytes]], list[bytes]]
UNREADABLE: Final = (ValueError, ArithmeticError, struct.error)  # what a change raises of a value that it cannot read


@frozen
class Constant:
    """Whatever the value, the same: known without a call for each row."""

    value: bytes | None
    keeps_null: bool

    def __call__(self, data: bytes | None) -> bytes | None:
        return None if data is None and self.keeps_null else self.value


COMPILED: Final = type(Constant.__call__) is not FunctionType
_AT: Final = ord("@")


def replaced(value: bytes | None) -> FieldMasker:
    """Every value but NULL becomes the same."""
    return Constant(value, keeps_null=True)


def always(value: bytes | None) -> FieldMasker:
    """NULL too: whether something derived from a masked value is NULL can depend on it."""
    return Constant(value, keeps_null=False)


def guarded(change: Callable[[bytes], bytes], otherwise: bytes | None) -> FieldMasker:
    """`change`, and what says nothing where it cannot read the value."""

    def mask(data: bytes | None) -> bytes | None:
        if data is None:
            return None
        try:
            return change(data)
        except UNREADABLE:
            return otherwise

    return mask


REMEMBERED: Final = 1024  # values of one column, and
REMEMBERED_BYTES: Final = 64  # of the longest of them: what is long seldom comes again


def remembered(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """For what takes long to compute: columns that are hashed, rounded or cut often have few values."""
    known: dict[bytes, bytes] = {}

    def recall(data: bytes) -> bytes:
        found = known.get(data)
        if found is None:
            found = change(data)
            if len(data) <= REMEMBERED_BYTES:
                if len(known) >= REMEMBERED:
                    known.clear()
                known[data] = found
        return found

    return recall


class Together:
    """What is quicker for many values at once than for each by itself."""

    def __init__(self, one: FieldMasker, changes: Changes) -> None:
        self._one = one
        self._changes = changes
        self._known: dict[bytes, bytes | None] = {}

    def __call__(self, data: bytes | None) -> bytes | None:
        return self._one(data)

    def many(self, values: list[bytes]) -> list[bytes | None]:
        """The first show whether a column's values come again: where they do not, looking for each costs and finds none."""
        head = values[:_SAMPLE]
        known = self._known
        if 2 * len(set(head).difference(known)) > len(head):
            new = self._all(values)
            self._remember(head, new)
            return new
        missing = [value for value in dict.fromkeys(values) if value not in known]
        found = dict(zip(missing, self._all(missing), strict=True))
        all_of_them = [found[value] if value in found else known[value] for value in values]
        self._remember(missing, [*found.values()])
        return all_of_them

    def _remember(self, values: list[bytes], new: list[bytes | None]) -> None:
        if len(self._known) + len(values) > REMEMBERED:
            self._known.clear()
        for value, instead in zip(values[:REMEMBERED], new, strict=False):
            if len(value) <= REMEMBERED_BYTES:
                self._known[value] = instead

    def _all(self, values: list[bytes]) -> list[bytes | None]:
        try:
            return [*self._changes(values)]
        except UNREADABLE:
            return [self._one(value) for value in values]


_SAMPLE: Final = 64  # values by which to see whether they repeat


class Shortened:
    """What keeps the ends of a text. `keeps`: the stars, how many bytes stay before and how many behind them, of how many at least.

    The last one is the byte that stands once in a value and with which the end begins (-1: none, the end is by count). All this
    is said of plain values: printable ASCII without a space at either end.
    """

    def __init__(self, one: FieldMasker, front: int, back: int, least: int, mark: int = -1) -> None:
        self._one = one
        self.keeps = (STARS, front, back, least, mark)

    def __call__(self, data: bytes | None) -> bytes | None:
        return self._one(data)


class Maskers:
    """Makes field maskers. `key` is the gateway's, for keyed hashes."""

    def __init__(self, key: bytes) -> None:
        self.pseudonyms = Pseudonyms(key)
        self.hashes = Hashes(key)
        self._made: dict[tuple[Mark, int, bool], FieldMasker] = {}

    def field(self, mark: Mark, type_oid: int, binary: bool) -> FieldMasker:
        found = self._made.get((mark, type_oid, binary))
        if found is None:
            found = self._made[mark, type_oid, binary] = self._make(mark, type_oid, binary)
        return found

    def derived(self, type_oid: int, binary: bool) -> FieldMasker:
        return always(zero(type_oid, binary))

    def _make(self, mark: Mark, type_oid: int, binary: bool) -> FieldMasker:
        nothing = zero(type_oid, binary)
        change: Callable[[bytes], bytes] | None = None
        changes: Changes | None = None
        match mark.masker:
            case "null":
                return always(None)
            case "constant":
                return replaced(constant(mark.argument or "", type_oid, binary))
            case "hash":
                change, changes = self.hashes.field(type_oid, binary), self.hashes.fields(type_oid, binary)
            case "pseudonym":
                mail = mark.argument == "email"
                change = self.pseudonyms.field(type_oid, binary, mail)
                changes = self.pseudonyms.fields(type_oid, binary, mail)
            case "date-to-year" | "year":
                change = to_year(type_oid, binary)
            case "bucket":
                change = bucketed(number(mark), type_oid, binary)
            case "last4" | "first-n" | "email" if type_oid in formats.TEXTS and type_oid != formats.XML:
                return shortened(mark)
            case "last4" if type_oid in formats.INTEGERS:
                change = formats.integers(last4_of_number, type_oid, binary)
        if change is None:
            return replaced(nothing)
        one = guarded(remembered(change) if mark.masker in SLOW else change, nothing)
        return one if changes is None else Together(one, changes)


def number(mark: Mark) -> int:
    """The argument of a masker that takes a positive whole number. Raises ValueError."""
    found = int(mark.argument or "0")
    if found <= 0:
        raise ValueError(f"masker {mark.masker} needs a positive whole number, not {mark.argument!r}")
    return found


SLOW: Final = frozenset({"hash", "pseudonym", "date-to-year", "year", "bucket"})
# Names that a config may use, and whether each needs an argument.
MASKERS: Final[dict[str, bool]] = {
    "redact": False,
    "null": False,
    "last4": False,
    "first-n": True,
    "email": False,
    "hash": False,
    "pseudonym": False,
    "date-to-year": False,
    "bucket": True,
    "constant": True,
}


def check_masker(mark: Mark) -> None:
    """Raises ValueError with what is wrong about a masker of the config."""
    if mark.masker not in MASKERS:
        raise ValueError(f"unknown masker {mark.masker!r}; there are {', '.join(MASKERS)}")
    if MASKERS[mark.masker] and mark.argument is None:
        raise ValueError(f"masker {mark.masker} needs an argument")
    if mark.masker in ("bucket", "first-n"):
        number(mark)
    if mark.masker == "pseudonym" and mark.argument not in (None, "email"):
        raise ValueError(f'masker pseudonym takes the argument "email" or none, not {mark.argument!r}')


def shortened(mark: Mark) -> FieldMasker:
    """For texts."""
    change = {"last4": last4, "email": email}.get(mark.masker) or first_n(number(mark))
    return Shortened(guarded(change, STARS), *kept_ends(mark))


def kept_ends(mark: Mark) -> tuple[int, int, int, int]:
    """What `last4`, `email` or `first-n` keep: the last four of what `keeps` says."""
    match mark.masker:
        case "last4":
            return 0, 4, 8, -1
        case "email":
            return 1, 0, 4, _AT
    count = number(mark)
    return count, 0, 2 * count, -1


def last4_of_number(found: int) -> int:
    return abs(found) % 10_000 if abs(found) >= 10_000_000 else 0


def hides(data: bytes, least: int) -> bool:
    """Whether ASCII text has that many characters, whatever of it is white space. Not sure: False."""
    return len(data) >= least and data.isascii() and data[0] > 32 and data[-1] > 32


def last4(data: bytes) -> bytes:
    """The last four characters, if at least as many stay hidden."""
    if hides(data, 8):  # what most values are, without a decoder
        return STARS + data[-4:]
    text = data.decode()
    return STARS + text[-4:].encode() if len(text.strip()) >= 8 else STARS


def first_n(count: int) -> Callable[[bytes], bytes]:
    def mask(data: bytes) -> bytes:
        if hides(data, 2 * count):
            return data[:count] + STARS
        text = data.decode()
        return text[:count].encode() + STARS if len(text.strip()) >= 2 * count else STARS

    return mask


def sole_at(data: bytes) -> int:
    """Where the only @ of an ASCII text stands; -1: it has none, or several, or is none."""
    if not COMPILED:
        return data.find(b"@") if data.count(b"@") == 1 and data.isascii() else -1
    place: i64 = -1
    for at in range(len(data)):
        byte: i64 = data[at]
        if byte == _AT:
            if place >= 0:
                return -1
            place = at
        elif byte > 127:
            return -1
    return place


def email(data: bytes) -> bytes:
    """`a***@example.com`: the first letter and the domain."""
    place = sole_at(data)
    if place >= 0:
        return b"%b%b%b" % (data[:1], STARS, data[place:]) if 2 <= place < len(data) - 1 else STARS
    local, at, domain = data.decode().rpartition("@")
    if not at or len(local) < 2 or "@" in local or not domain.isascii() or not domain:
        return STARS
    return f"{local[0]}***@{domain}".encode()


def to_year(type_oid: int, binary: bool) -> Callable[[bytes], bytes] | None:
    if type_oid == formats.DATE or type_oid in formats.TIMESTAMPS:
        if binary:
            return lambda data: formats.first_of_year(formats.year_of_binary(data, type_oid), type_oid, True)
        return lambda data: formats.first_of_year(formats.year_of_text(data), type_oid, False)
    if type_oid in formats.TEXTS:
        return lambda data: formats.first_of_year(formats.year_of_text(data), formats.DATE, False)
    return None


def bucketed(size: int, type_oid: int, binary: bool) -> Callable[[bytes], bytes] | None:
    """The lower end of the bucket the number is in."""
    if type_oid in formats.INTEGERS:
        low = -(1 << formats.INTEGERS[type_oid][1]) if type_oid != 26 else 0
        return formats.integers(lambda found: max(found // size * size, low), type_oid, binary)
    if type_oid == formats.NUMERIC:
        if binary:
            return lambda data: formats.encode_numeric(math.floor(formats.decode_numeric(data)) // size * size)
        return lambda data: b"%d" % (math.floor(finite(data)) // size * size)
    form = formats.FLOATS.get(type_oid)
    if form is None:
        return None
    if binary:
        return lambda data: struct.pack(form, math.floor(struct.unpack(form, data)[0]) // size * size)
    return lambda data: b"%d" % (math.floor(finite(data)) // size * size)


def constant(text: str, type_oid: int, binary: bool) -> bytes | None:
    """The config's constant as a value of the type; NULL where it is none."""
    data = text.encode()
    if type_oid in formats.TEXTS:
        return None if type_oid == formats.XML and ("<" in text or "&" in text) else data
    try:
        if type_oid in formats.INTEGERS:
            packed = struct.pack(formats.INTEGERS[type_oid][0], int(text))
            return packed if binary else b"%d" % int(text)
        if type_oid in formats.FLOATS:
            return struct.pack(formats.FLOATS[type_oid], float(text)) if binary else data
        if type_oid == formats.NUMERIC:
            whole = int(text)
            return formats.encode_numeric(whole) if binary else b"%d" % whole
        if type_oid == formats.BOOL:
            truth = {"true": True, "false": False}[text]
            return (b"\x01" if truth else b"\x00") if binary else (b"t" if truth else b"f")
        if type_oid == formats.DATE:
            days = (datetime.datetime.fromisoformat(text) - formats.EPOCH).days
            return struct.pack("!i", days) if binary else datetime.date.fromisoformat(text).isoformat().encode()
        if type_oid == formats.UUID:
            return uuid.UUID(text).bytes if binary else str(uuid.UUID(text)).encode()
        if type_oid in (formats.JSON, formats.JSONB):
            json.loads(text)
            return b"\x01" + data if binary and type_oid == formats.JSONB else data
    except (ValueError, KeyError, struct.error, ArithmeticError):
        return None
    return None
