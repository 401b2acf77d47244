"""Bound parameters that stand for pseudonyms, as the values they stand for; in text and in binary.

Spec: PostgreSQL documentation, 55.2.3 (formats of parameters).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from rules.classify.postgres.text import decode, encode
from rules.masking import decimals, formats
from rules.masking.arrays import array_elements, array_of_binary, binary_array
from rules.masking.exchange import ParameterSite, real_text
from rules.masking.formats import NUMERIC
from rules.masking.pseudonyms import (
    ELEMENTS,
    INTEGER_BITS,
    RECOGNIZED,
    TEXTS,
    NoPseudonym,
    Pseudonyms,
    token_in,
)
from rules.model import Namespace

_INTEGER_SIZES = {2: "!h", 4: "!i", 8: "!q"}
_FLOAT8 = 701
_Scalar = Callable[[bytes], bytes]


def sent_types(sites: Mapping[int, ParameterSite], declared: Sequence[int]) -> tuple[int, ...]:
    """The parameter types of a Parse: those that are translated get the type of the column."""
    found = list(declared)
    for number, site in sites.items():
        found.extend([0] * (number - len(found)))
        if not site.elsewhere and site.takes(found[number - 1]):
            found[number - 1] = site.sent_type
    return tuple(found)


def real_parameters(
    sites: Mapping[int, ParameterSite],
    parameters: Sequence[bytes | None],
    value_formats: Sequence[int],
    types: Sequence[int],
    pseudonyms: Pseudonyms,
    namespace: Namespace,
) -> tuple[bytes | None, ...]:
    """Raises NoPseudonym where a value cannot be translated and must not be compared as it is."""
    found = list(parameters)
    for number, site in sites.items():
        value = found[number - 1] if number <= len(found) else None
        if value is None:
            continue
        declared = types[number - 1] if number <= len(types) else 0
        binary = value_formats[number - 1] == 1
        if site.elsewhere or not site.takes(declared):
            _must_not_be_one(value, site)
            continue
        try:
            found[number - 1] = _real(value, site, declared, binary, pseudonyms, namespace)
        except (ValueError, struct.error, IndexError):
            raise NoPseudonym(f"the value of parameter ${number} is no pseudonym of the column's type") from None
    return tuple(found)


def _must_not_be_one(value: bytes, site: ParameterSite) -> None:
    if site.type_oid not in RECOGNIZED:
        raise NoPseudonym("a parameter is compared with a pseudonymised column and used in another way as well")
    if token_in(value.decode("latin-1")):
        raise NoPseudonym("a pseudonym is a parameter that is used in another way as well")


def _real(
    value: bytes, site: ParameterSite, declared: int, binary: bool, pseudonyms: Pseudonyms, namespace: Namespace
) -> bytes:
    declared = ELEMENTS.get(declared, declared)
    if not binary:
        if declared == _FLOAT8:
            _checked_float(*(float(each) for each in texts_of(value, False, namespace)))
        return _text(value, lambda text: real_text(text, site.element, site.array, pseudonyms), namespace)
    if not site.array:
        return _scalar(site.element, declared, pseudonyms, namespace)(value)
    element_type, elements = array_of_binary(value)
    real = _scalar(site.element, element_type, pseudonyms, namespace)
    sent_element = ELEMENTS[site.sent_type]
    return binary_array(sent_element, [None if element is None else real(element) for element in elements])


def _scalar(type_oid: int, declared: int, pseudonyms: Pseudonyms, namespace: Namespace) -> _Scalar:
    """`declared`: as what the client gives a value of the column's type. Drivers choose the type of a number by its value."""
    if type_oid in TEXTS:
        return lambda data: _text(data, lambda text: pseudonyms.real(text, type_oid), namespace)
    if type_oid in INTEGER_BITS:
        return lambda data: _integer(data, type_oid, pseudonyms)
    if type_oid == NUMERIC and declared in INTEGER_BITS:
        return lambda data: _numeric(str(_whole(data, declared)), pseudonyms)
    if type_oid == NUMERIC and declared == _FLOAT8:
        return lambda data: _numeric(_float(data), pseudonyms)
    return lambda data: pseudonyms.binary(data, type_oid, back=True)


def _integer(data: bytes, type_oid: int, pseudonyms: Pseudonyms) -> bytes:
    """Drivers choose the size by the value; the server is told the column's type."""
    return struct.pack(formats.INTEGERS[type_oid][0], pseudonyms.integer(_whole(data, type_oid), type_oid, back=True))


def _whole(data: bytes, type_oid: int) -> int:
    form = "!I" if type_oid == 26 and len(data) == 4 else _INTEGER_SIZES[len(data)] if len(data) in (2, 4, 8) else "!q"
    return int(struct.unpack(form, data)[0])


def _numeric(text: str, pseudonyms: Pseudonyms) -> bytes:
    number, shown = decimals.constant_of(text)
    return decimals.binary_of(pseudonyms.number(number, back=True), shown)


def _float(data: bytes) -> str:
    (found,) = struct.unpack("!d", data)
    _checked_float(found)
    return repr(found)


def _checked_float(*numbers: float) -> None:
    """Of a number of more digits a float is not the number that was meant."""
    if any(float(f"{number:.15g}") != number for number in numbers):
        raise ValueError("a float that is not exact")


def _text(data: bytes, change: Callable[[str], str], namespace: Namespace) -> bytes:
    text = decode(data, namespace)
    if text is None:
        return data  # in no encoding that is known: no token either, which is ASCII
    real = change(text)
    if real == text:
        return data
    encoded = encode(real, namespace)
    if encoded is None:
        raise NoPseudonym("what a pseudonym stands for cannot be written in this session's encoding")
    return encoded


def texts_of(value: bytes, binary: bool, namespace: Namespace) -> tuple[str, ...]:
    """The texts that a parameter writes: itself, or the elements of an array in its text form."""
    text = decode(value, namespace)
    if text is None:  # in binary an array with NULLs is no text, but the letters of a token stand in it
        return (value.decode("latin-1"),) if binary else ()
    elements = array_elements(text) if not binary and text[:1] == "{" else None
    return (text, *(each for each in elements or () if each is not None))
