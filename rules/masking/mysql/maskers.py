"""Maskers for MySQL and MariaDB: for each type, in text and in binary, a function from a field's bytes to what the client gets.

The same maskers as for Postgres (`rules.masking.maskers`), and equal values give equal hashes there and here. What cannot be
masked in its type becomes NULL, in a column that is NOT NULL as well: clients tell NULL by the row, not by the column's flag.

MariaDB writes numbers and dates in the charset of results, and MySQL JSON: `in_codec` masks those of a client that has asked for
UTF-16. MariaDB's JSON is a text on the wire: a LONGTEXT with a binary collation is masked as JSON would be.
"""

from __future__ import annotations

import datetime
import json
import math
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Final

from attrs import define, field

from rules.masking import decimals, maskers, moments
from rules.masking.formats import uuid_of, year_of_text
from rules.masking.hashing import HASH_DIGITS, Hashes, canonical
from rules.masking.maskers import (
    SLOW,
    Changes,
    FieldMasker,
    Shortened,
    Together,
    always,
    guarded,
    kept_ends,
    number,
    remembered,
    replaced,
)
from rules.masking.mysql import domains, types
from rules.masking.mysql.charsets import CHARSETS, WIDE, Charset
from rules.masking.mysql.types import Facts, finite, fitting, numbers, zero
from rules.masking.pseudonyms import Pseudonyms
from rules.masking.values import Mark

Change = Callable[[bytes], bytes]
HASH_BYTES = 16  # of a binary string


@define
class MySqlMaskers:
    """Makes field maskers. `key` is the gateway's, for keyed hashes. Nothing is kept: a client can describe columns without end."""

    key: bytes = field(repr=False)
    pseudonyms: Pseudonyms = field(init=False, repr=False)
    hashes: Hashes = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.pseudonyms = Pseudonyms(self.key)
        self.hashes = Hashes(self.key)

    def field(self, mark: Mark, facts: Facts, binary: bool) -> FieldMasker:
        """For a column that is a masked one, unchanged."""
        if mark.masker == "null":
            return always(None)
        if mark.masker == "constant":
            return replaced(constant(mark.argument or "", facts, binary))
        nothing = zero(facts, binary)
        change = self._change(mark, facts, binary)
        if change is None:
            return replaced(nothing)
        one = guarded(remembered(change) if mark.masker in SLOW else change, nothing)
        if mark.masker in ENDS and holds_ascii(facts):
            return Shortened(one, *kept_ends(mark))
        together = self._changes(mark, facts, binary)
        return one if together is None else Together(one, together)

    def derived(self, facts: Facts, binary: bool) -> FieldMasker:
        """For what is computed from masked columns: NULL says nothing either."""
        return always(zero(facts, binary))

    def _change(self, mark: Mark, facts: Facts, binary: bool) -> Change | None:
        match mark.masker:
            case "hash":
                return hashed(self.hashes, facts, binary)
            case "pseudonym":
                return pseudonym(self.pseudonyms, facts, binary, mark.argument == "email")
            case "date-to-year":
                return to_year(facts, binary)
            case "bucket":
                return bucketed(number(mark), facts, binary)
            case "last4" | "first-n" | "email":
                return shortened(mark, facts, binary)
        return None

    def _changes(self, mark: Mark, facts: Facts, binary: bool) -> Changes | None:
        """The same for many values at once, where that is quicker. The function raises one of UNREADABLE."""
        if facts.type in types.INTEGERS:
            return self._of_integers(mark, facts, binary)
        if not holds_ascii(facts):
            return None
        if mark.masker == "pseudonym":
            return in_ascii(lambda texts: self.pseudonyms.tokens(texts, False, mark.argument == "email"), facts)
        whole = "0" * HASH_DIGITS
        if mark.masker == "hash" and facts.words and fitting(whole, facts.words, facts) == whole.encode():
            return in_ascii(self.hashes.words, facts)
        return None

    def _of_integers(self, mark: Mark, facts: Facts, binary: bool) -> Changes | None:
        whole = domains.WHOLES.get(facts.declared)
        if mark.masker == "hash":
            change = partial(self.hashes.numbers, bits=types.INTEGERS[facts.type][1])
        elif mark.masker == "pseudonym" and whole is not None:
            change = partial(domains.pseudonyms, self.pseudonyms, whole=whole)
        else:
            return None
        return lambda values: types.fields_of(change(types.whole_numbers(values, facts, binary)), facts, binary)


ENDS: Final = frozenset({"last4", "email", "first-n"})


def holds_ascii(facts: Facts) -> bool:
    """Whether it is a text in a charset in which ASCII has its own bytes."""
    return facts.words is not None and facts.words.codec not in WIDE.values()


def in_ascii(change: Changes, facts: Facts) -> Changes:
    """Of UTF-8, for texts in the column's charset: those of another are read by themselves where one is more than ASCII."""
    assert facts.words is not None
    any_text = facts.words.codec == "utf_8"

    def mask(texts: list[bytes]) -> list[bytes]:
        joined = b"\n".join(texts)
        if not joined.isascii():
            if not any_text:
                raise ValueError("not ASCII")
            joined.decode()  # UnicodeDecodeError, a ValueError, for what is no text
        return change(texts)

    return mask


def in_codec(masker: FieldMasker, codec: str) -> FieldMasker:
    """The same for a field whose text comes in that codec. What cannot be read in it is nothing that the masker can read."""

    def mask(data: bytes | None) -> bytes | None:
        found = masker(None if data is None else data.decode(codec, "replace").encode())
        return None if found is None else found.decode().encode(codec)

    return mask


def in_words(facts: Facts, change: Change) -> Change | None:
    """A change of UTF-8, for a text in the column's charset; None where the column holds no text."""
    return None if facts.words is None else recoded(facts, facts.words, change)


def recoded(facts: Facts, charset: Charset, change: Change) -> Change:
    codec = charset.codec
    return lambda data: fitting(change(data.decode(codec).encode()).decode(), charset, facts)


def shortened(mark: Mark, facts: Facts, binary: bool) -> Change | None:
    match mark.masker:
        case "last4" if facts.type in types.INTEGERS:
            form = numbers(facts, binary)
            assert form is not None
            return lambda data: form.write(last4(int(form.read(data))))
        case "last4":
            return in_words(facts, maskers.last4)
        case "email":
            return in_words(facts, maskers.email)
        case _:
            return in_words(facts, maskers.first_n(number(mark)))


def last4(found: int) -> int:
    """The last four digits, if at least as many stay hidden. A TINYINT never has so many."""
    return abs(found) % 10_000 if abs(found) >= 10_000_000 else 0


def hashed(hashes: Hashes, facts: Facts, binary: bool) -> Change | None:
    """A keyed hash in the type's own form: equal values give equal results, in either protocol and any charset."""
    bits, digest = hashes.bits, hashes.digest
    form = numbers(facts, binary)
    if form is not None and facts.type in types.INTEGERS:
        size = types.INTEGERS[facts.type][1]
        return lambda data: form.write(bits(b"%d" % int(form.read(data)), size))
    if form is not None and facts.type in types.DECIMALS:
        return lambda data: form.write(bits(canonical(Decimal(form.read(data))), 53) % (form.high + 1))
    if facts.declared == "uuid" and (charset := CHARSETS.get(facts.charset)) is not None:
        return recoded(facts, charset, lambda data: str(uuid_of(digest(uuid.UUID(data.decode()).bytes))).encode())
    if facts.bytes:
        return lambda data: digest(data)[: min(HASH_BYTES, facts.length or HASH_BYTES)]
    return in_words(facts, hashes.word)


def pseudonym(made: Pseudonyms, facts: Facts, binary: bool, mail: bool) -> Change | None:
    """Text is not cut to the column's length: what is left of a token would be none.

    Of a number the stored column's type decides, which is what a comparison with it goes by: a server may describe a wider one.
    """
    charset = CHARSETS.get(facts.charset)
    if facts.declared == "uuid" and charset is not None:
        codec = charset.codec
        return lambda data: str(uuid.UUID(bytes=made.block(uuid.UUID(data.decode(codec)).bytes))).encode(codec)
    if facts.words is not None:
        codec = facts.words.codec
        return lambda data: made.token(data.decode(codec), mail).encode(codec)
    if facts.type == types.DATE and facts.declared == "date":
        return lambda data: types.date(_another_day(made, types.date_of(data, binary)), facts, binary)
    if facts.type in types.DECIMALS and facts.declared == "decimal":
        return lambda data: _another_decimal(made, data, facts)
    if facts.type == types.DATETIME and facts.declared == "datetime":
        return lambda data: types.date(_another_moment(made, types.moment_of(data, binary)), facts, binary)
    if facts.type == types.TIME and facts.declared == "time":
        return lambda data: types.clock(made.moment(types.clock_of(data, binary), moments.TIME), facts, binary)
    form = numbers(facts, binary)
    whole = domains.WHOLES.get(facts.declared)
    if form is None or whole is None or facts.type not in types.INTEGERS:
        return None
    if not form.low <= whole.low <= whole.high <= form.high:
        return None
    return lambda data: form.write(domains.pseudonym(made, int(form.read(data)), whole))


def _another_decimal(made: Pseudonyms, data: bytes, facts: Facts) -> bytes:
    """In both protocols a text, with all its decimals and, under ZEROFILL, zeros in front."""
    number, shown = decimals.number_of(data)
    return types.padded(decimals.text_of(made.number(number), shown), facts)


def _another_moment(made: Pseudonyms, moment: datetime.datetime) -> datetime.datetime:
    passed = (moment - _FIRST) // _MICROSECOND
    return _FIRST + made.moment(passed, moments.TIMESTAMP) * _MICROSECOND


_FIRST: Final = datetime.datetime(1900, 1, 1)
_MICROSECOND: Final = datetime.timedelta(microseconds=1)


def _another_day(made: Pseudonyms, day: datetime.date) -> datetime.datetime:
    days = made.day(day.toordinal() - _EPOCH)
    return datetime.datetime.fromordinal(days + _EPOCH)


_EPOCH: Final = datetime.date(2000, 1, 1).toordinal()


def to_year(facts: Facts, binary: bool) -> Change | None:
    if facts.type in (types.DATE, types.DATETIME, types.TIMESTAMP):
        return lambda data: types.first_of_year(types.year_of(data, binary), facts, binary)
    if facts.type == types.YEAR:
        return lambda data: data
    return in_words(facts, lambda data: b"%04d-01-01" % year_of_text(data))


def bucketed(size: int, facts: Facts, binary: bool) -> Change | None:
    """The lower end of the bucket the number is in, or the least number of the type."""
    form = numbers(facts, binary)
    if form is None:
        return None
    return lambda data: form.write(max(math.floor(form.read(data)) // size * size, form.low))


def constant(text: str, facts: Facts, binary: bool) -> bytes | None:
    """The config's constant as a value of the type; NULL where it is none."""
    try:
        return _constant(text, facts, binary)
    except (ValueError, ArithmeticError):
        return None


def _constant(text: str, facts: Facts, binary: bool) -> bytes | None:
    if facts.json:
        json.loads(text)
        return text.encode(CHARSETS[facts.charset].codec if facts.charset in CHARSETS else "utf-8")
    if facts.words is not None:
        whole = text.encode(facts.words.codec)
        return whole if whole == fitting(text, facts.words, facts) else None
    if facts.bytes:
        data = text.encode()
        return data if not facts.length or len(data) <= facts.length else None
    if facts.type in types.INTEGERS:
        return _whole(int(text), facts, binary)
    if facts.type in types.DECIMALS:
        return _decimal(finite(text.encode()), facts)
    if facts.type in (types.FLOAT, types.DOUBLE):
        return _float(finite(text.encode()), facts, binary)
    if facts.type in (types.DATE, types.DATETIME, types.TIMESTAMP):
        return _date(datetime.datetime.fromisoformat(text).replace(tzinfo=None), facts, binary)
    if facts.type == types.YEAR:
        year = int(text)
        fits = 1901 <= year <= 2155
        return (year.to_bytes(2, "little") if binary else b"%d" % year) if fits else None
    if facts.declared == "uuid" and (charset := CHARSETS.get(facts.charset)) is not None:
        return str(uuid.UUID(text)).encode(charset.codec)
    return None


def _date(found: datetime.datetime, facts: Facts, binary: bool) -> bytes | None:
    if facts.type == types.TIMESTAMP and not datetime.datetime(1970, 1, 2) <= found <= datetime.datetime(2038, 1, 18):
        return None
    return types.date(found, facts, binary)


def _float(found: Decimal, facts: Facts, binary: bool) -> bytes:
    if binary:
        return struct.pack("<f" if facts.type == types.FLOAT else "<d", found)
    return str(found if facts.decimals >= types.ANY_DECIMALS else f"{found:.{facts.decimals}f}").encode()


def _whole(found: int, facts: Facts, binary: bool) -> bytes | None:
    form = numbers(facts, binary)
    assert form is not None
    return form.write(found) if form.low <= found <= form.high else None


def _decimal(found: Decimal, facts: Facts) -> bytes | None:
    if found < 0 and facts.unsigned:
        return None
    text = f"{found:.{facts.decimals if facts.decimals < types.ANY_DECIMALS else 0}f}"
    whole = text.lstrip("-").partition(".")[0].lstrip("0")
    return text.encode() if Decimal(text) == found and len(whole) <= facts.digits else None
