"""What goes to a MySQL or MariaDB server in the place of pseudonyms; what is judged and recorded is the client's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from protocols.base import Exchange, Question, Stage
from rules.masking import moments
from rules.masking.exchange import LiteralSite, ParameterSite
from rules.masking.formats import DATE, NUMERIC
from rules.masking.literals import replaced
from rules.masking.mysql.domains import BY_DOMAIN, TEXT, real
from rules.masking.mysql.exchange import replacement
from rules.masking.pseudonyms import NoPseudonym, Pseudonyms, token_in
from rules.model import Namespace
from rules.reading import decode_mysql, encode_mysql

if TYPE_CHECKING:
    from wireproxy.exchanging import Sites

_FLOATS: Final = frozenset({4, 5})  # FLOAT, DOUBLE: all numbers of JavaScript's
_EXACT: Final = 2**53  # beyond, a DOUBLE is not the number that was meant
_FLOAT_TYPE, _FEWEST, _DIGITS = 4, 6, 15  # how many digits a FLOAT keeps of any number, and a DOUBLE
_DATE_TYPE, _BIGINT, _UNSIGNED = 10, 8, 0x8000
_TIME_TYPE, _STRING, _DECIMAL = 11, 253, 246
_DATETIMES: Final = frozenset({7, 12})  # TIMESTAMP, DATETIME
_WHOLE: Final = re.compile(r"-?\d+\.0")  # as `repr` writes it up to 10 ** 16
_DAY: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?: 00:00:00(?:\.0+)?)?")
_FRACTION: Final = re.compile(r"\.0*[1-9]")
_CLOCK: Final = re.compile(r"0 (\d\d:\d\d:\d\d(?:\.\d+)?)")  # of no days, as a bound TIME is shown


def mysql_exchange(question: Question, sites: Sites, made: Pseudonyms, read: Namespace, now: Namespace) -> Exchange:
    """Raises NoPseudonym. `read`: in which the server reads the text, `now`: in which it reads values."""
    match question.stage:
        case Stage.QUERY:
            return Exchange(sent_text(question.text or b"", sites.literals, made, read))
        case Stage.PARSE:
            waits = frozenset(number - 1 for number in sites.parameters)
            return Exchange(sent_text(question.text or b"", sites.literals, made, read), waits=waits)
        case Stage.BIND if sites.parameters:
            if question.parameters is None:
                raise NoPseudonym("its values are longer than bind_bytes, so that they cannot be translated")
            values, types = sent_values(
                sites.parameters, question.parameters, question.types, made, now, question.row_length
            )
            return Exchange(parameters=values, types=types)
        case _:
            return Exchange()


def sent_text(text: bytes, literals: Iterable[LiteralSite], made: Pseudonyms, namespace: Namespace) -> bytes | None:
    """None: the client's own. Raises NoPseudonym."""
    replacements = [found for site in literals if (found := replacement(site, made)) is not None]
    if not replacements:
        return None
    decoded = decode_mysql(text, namespace)
    if decoded is None or encode_mysql(decoded, namespace) != text:
        raise NoPseudonym("the text is in no encoding in which places can be counted")
    return encode_mysql(replaced(decoded, replacements), namespace)


def sent_values(
    sites: Mapping[int, ParameterSite],
    values: Sequence[bytes | None],
    types: Sequence[int],
    made: Pseudonyms,
    namespace: Namespace,
    row_length: int,
) -> tuple[tuple[bytes | None, ...], tuple[int, ...]]:
    """Values as text, and the types in which they are sent: a column's own, so that nothing is rounded or converted.

    Of a bulk execution those of all rows, one row after the other, each with `row_length` of them. Raises NoPseudonym.
    """
    found, sent = list(values), list(types)
    for at, value in enumerate(values):
        site = sites.get(at % row_length + 1)
        if site is None:
            continue
        if not site.elsewhere:
            sent[at] = _sent_type(site.type_oid, types[at])
        if value is not None:
            found[at] = _real(value, types[at] & 0xFF, site, made, namespace)
    return tuple(found), tuple(sent)


def _sent_type(domain: int, declared: int) -> int:
    whole = BY_DOMAIN.get(domain)
    if whole is not None:
        return _BIGINT | (_UNSIGNED if whole.unsigned else 0)
    # a string that is compared with a time is read as one, however many decimals either has
    return {DATE: _DATE_TYPE, NUMERIC: _DECIMAL, moments.TIMESTAMP: _STRING, moments.TIME: _STRING}.get(
        domain, declared
    )


def _real(value: bytes, kind: int, site: ParameterSite, made: Pseudonyms, namespace: Namespace) -> bytes:
    """The very same object where it stands for itself."""
    text = decode_mysql(value, namespace)
    if site.elsewhere:
        if site.type_oid != TEXT or (text is not None and token_in(text)):
            raise NoPseudonym("a parameter is compared with a pseudonymised column and with others as well")
        return value
    if site.type_oid == TEXT:
        if text is None:
            return value  # no token either, which is ASCII
        meant = real(made, text, TEXT)
        if meant == text:
            return value
    else:
        meant = real(made, _plain(text or "", kind, site.type_oid), site.type_oid)
        if site.type_oid == moments.TIME and _FRACTION.search(meant) and not namespace.mariadb:
            raise NoPseudonym("MySQL rounds a bound time: write one with a fraction of a second into the text")
    encoded = encode_mysql(meant, namespace)
    if encoded is None:
        raise NoPseudonym("what a pseudonym stands for cannot be written in this session's encoding")
    return encoded


def _plain(text: str, kind: int, domain: int) -> str:
    """A bound number or date in its plain form, whatever type the driver gave it; anything else as it came."""
    if domain in BY_DOMAIN and kind in _FLOATS and _WHOLE.fullmatch(text) and abs(float(text)) <= _EXACT:
        return text.partition(".")[0]
    if domain == DATE and (match := _DAY.fullmatch(text)) is not None:
        return match[1]
    if domain == NUMERIC and kind in _FLOATS:
        return _exact(text, _FEWEST if kind == _FLOAT_TYPE else _DIGITS)
    if domain == moments.TIMESTAMP and kind in _DATETIMES and len(text) == len("2024-05-31"):
        return f"{text} 00:00:00"
    if domain == moments.TIME and kind == _TIME_TYPE and (match := _CLOCK.fullmatch(text)) is not None:
        return match[1]
    return text


def _exact(text: str, digits: int) -> str:
    """A float as the decimal number that was meant, which it is of so many digits; raises NoPseudonym for one of more."""
    found = f"{float(text):.{digits}g}"
    if float(found) != float(text):
        raise NoPseudonym("a number of too many digits is bound as a float: bind it as a text")
    return found
