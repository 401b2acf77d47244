"""Bound parameters that stand for pseudonyms, as the values they stand for; in text and in binary.

Spec: PostgreSQL documentation, 55.2.3 (formats of parameters); the binary form of arrays is that of `array_send`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from rules.classify.postgres.text import decode, encode
from rules.masking import formats
from rules.masking.exchange import ARRAY_OF, ParameterSite, array_elements, real_text
from rules.masking.pseudonyms import INTEGER_BITS, TEXTS, NoPseudonym, Pseudonyms, token_in
from rules.model import Namespace

_INTEGER_SIZES = {2: "!h", 4: "!i", 8: "!q"}
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
            found[number - 1] = _real(value, site, binary, pseudonyms, namespace)
        except (ValueError, struct.error, IndexError):
            raise NoPseudonym(f"the value of parameter ${number} is no pseudonym of the column's type") from None
    return tuple(found)


def _must_not_be_one(value: bytes, site: ParameterSite) -> None:
    if site.type_oid not in TEXTS:
        raise NoPseudonym("a parameter is compared with a pseudonymised column and used in another way as well")
    if token_in(value.decode("latin-1")):
        raise NoPseudonym("a pseudonym is a parameter that is used in another way as well")


def _real(value: bytes, site: ParameterSite, binary: bool, pseudonyms: Pseudonyms, namespace: Namespace) -> bytes:
    if site.many and binary:
        return _real_array(value, site, _scalar(site.type_oid, pseudonyms, namespace))
    if binary:
        return _scalar(site.type_oid, pseudonyms, namespace)(value)
    return _text(value, lambda text: real_text(text, site.type_oid, site.many, pseudonyms), namespace)


def _scalar(type_oid: int, pseudonyms: Pseudonyms, namespace: Namespace) -> _Scalar:
    if type_oid in TEXTS:
        return lambda data: _text(data, lambda text: pseudonyms.real(text, type_oid), namespace)
    if type_oid in INTEGER_BITS:
        return lambda data: _integer(data, type_oid, pseudonyms)
    return lambda data: pseudonyms.binary(data, type_oid, back=True)


def _integer(data: bytes, type_oid: int, pseudonyms: Pseudonyms) -> bytes:
    """Drivers choose the size by the value; the server is told the column's type."""
    form = "!I" if type_oid == 26 and len(data) == 4 else _INTEGER_SIZES[len(data)] if len(data) in (2, 4, 8) else "!q"
    (number,) = struct.unpack(form, data)
    return struct.pack(formats.INTEGERS[type_oid][0], pseudonyms.integer(number, type_oid, back=True))


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


def _real_array(data: bytes, site: ParameterSite, scalar: _Scalar) -> bytes:
    dimensions, flags, _ = struct.unpack_from("!iiI", data)
    if dimensions not in (0, 1):
        raise ValueError("an array of several dimensions")
    element_type = next(element for element, array in ARRAY_OF.items() if array == site.sent_type)
    parts = [struct.pack("!iiI", dimensions, flags, element_type), data[12 : 12 + 8 * dimensions]]
    count = struct.unpack_from("!i", data, 12)[0] if dimensions else 0
    at = 12 + 8 * dimensions
    for _ in range(count):
        (length,) = struct.unpack_from("!i", data, at)
        at += 4
        if length < 0:
            parts.append(b"\xff\xff\xff\xff")
            continue
        if at + length > len(data):
            raise ValueError("an array that ends early")
        real = scalar(data[at : at + length])
        parts += [struct.pack("!i", len(real)), real]
        at += length
    if at != len(data):
        raise ValueError("an array that is longer than its elements")
    return b"".join(parts)


def texts_of(value: bytes, binary: bool, namespace: Namespace) -> tuple[str, ...]:
    """The texts that a parameter writes: itself, or the elements of an array in its text form."""
    text = decode(value, namespace)
    if text is None:
        return ()
    elements = array_elements(text) if not binary and text[:1] == "{" else None
    return (text, *(each for each in elements or () if each is not None))
