"""The types of MySQL and MariaDB whose values have pseudonyms that can be asked for again.

Each type has a domain, in which its pseudonyms are permuted. Where PostgreSQL has the same type the domain is that type's number
there, so that equal values have equal pseudonyms; the others have numbers that no type of PostgreSQL's has. Of a text a token is
recognized as one that this key made. Of all others every value is the pseudonym of some value: what is compared with such a
column is translated, or not compared.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from attrs import frozen

from rules.masking import moments
from rules.masking.formats import DATE, NUMERIC, UUID
from rules.masking.pseudonyms import NoPseudonym, Pseudonyms

TEXT: Final = 25
NO_DOMAIN: Final = 0  # columns of several types, or of one that is not known
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}")


@frozen
class Whole:
    """Whole numbers of one type."""

    domain: int
    bits: int  # of the type, the sign among them
    low: int

    @property
    def high(self) -> int:
        return self.low + (1 << self.bits) - 1

    @property
    def unsigned(self) -> bool:
        return self.low == 0


def _wholes() -> dict[str, Whole]:
    # name, bits, domains of the signed and the unsigned type
    table = (("tinyint", 8, 1002, 1003), ("smallint", 16, 21, 1005), ("mediumint", 24, 1018, 1019), ("int", 32, 23, 26))
    found: dict[str, Whole] = {}
    for name, bits, signed, unsigned in (*table, ("bigint", 64, 20, 1017)):
        found[name] = Whole(signed, bits, -(1 << (bits - 1)))
        found[f"{name} unsigned"] = Whole(unsigned, bits, 0)
    return found


WHOLES: Final = _wholes()  # by the name of the type
BY_DOMAIN: Final = {whole.domain: whole for whole in WHOLES.values()}
_TEXTS: Final = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
_DOMAINS: Final = {
    **dict.fromkeys(_TEXTS, TEXT),
    **{name: whole.domain for name, whole in WHOLES.items()},
    "decimal": NUMERIC,
    "date": DATE,
    "datetime": moments.TIMESTAMP,
    "time": moments.TIME,
    "uuid": UUID,
}
NUMBERS: Final = frozenset((*BY_DOMAIN, NUMERIC))
# Without an offset: with one, MySQL counts in the session's time zone, which is not known here.
_TIMES: Final = {
    DATE: re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    moments.TIMESTAMP: re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"),
    moments.TIME: re.compile(r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"),
}


def domain_of(type_name: str) -> int | None:
    """`type_name`: the catalog's, as `int unsigned`. None: values of the type have no pseudonyms, and are redacted."""
    return _DOMAINS.get(type_name)


@lru_cache(4096)
def type_of(data_type: str, column_type: str) -> str:
    """A type as the catalog keeps it, from DATA_TYPE and COLUMN_TYPE of information_schema."""
    name = data_type.lower()
    name = "int" if name == "integer" else name
    return f"{name} unsigned" if name in WHOLES and "unsigned" in column_type.lower() else name


def pseudonym(made: Pseudonyms, number: int, whole: Whole, *, back: bool = False) -> int:
    """A whole number as another one of its type. Raises ValueError for one that the type does not have."""
    if not whole.low <= number <= whole.high:
        raise ValueError("out of range")
    return made.permuted(number - whole.low, whole.bits, whole.domain, back) + whole.low


def pseudonyms(made: Pseudonyms, numbers: list[int], whole: Whole) -> list[int]:
    """Many at once, as `pseudonym` has each."""
    ranks = [number - whole.low for number in numbers]
    if ranks and (min(ranks) < 0 or max(ranks) >> whole.bits):
        raise ValueError("out of range")
    return [rank + whole.low for rank in made.all_permuted(ranks, whole.bits, whole.domain)]


def real(made: Pseudonyms, constant: str, domain: int) -> str:
    """What a client's constant stands for, in text. A text that is no token stands for itself.

    Raises NoPseudonym.
    """
    whole = BY_DOMAIN.get(domain)
    plain = constant.strip(" \t\n\r\f\v")
    if whole is None:
        if domain in _TIMES and not _TIMES[domain].fullmatch(plain):
            raise NoPseudonym("the constant is no value of the column's type in its plain form")
        if domain == moments.TIME and plain[1:2] == ":":
            plain = f"0{plain}"
        return made.real(plain if domain in _TIMES else constant, domain)
    try:
        if not _INTEGER.fullmatch(plain):
            raise ValueError("not a whole number")
        return str(pseudonym(made, int(plain), whole, back=True))
    except ValueError:
        raise NoPseudonym("the constant is no value of the column's type in its plain form") from None
