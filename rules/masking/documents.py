"""JSON that a query makes of columns: which of its keys are masked, and how a document is rewritten so that only these are.

What is known beforehand is the whole outline: the keys in their order, or as a set where the server sorts them. A document of any
other outline is masked whole.

Spec: RFC 8259; PostgreSQL documentation, 9.16.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from attrs import evolve, frozen

from rules.masking.formats import JSON, JSONB, zero

LONGEST = 1 << 20  # characters of a document that is looked into: the loop waits for some 10 ms of it
_WHITE = " \t\n\r"
_STARS = '"***"'


@frozen
class Document:
    """An object with these members, or an array of such elements. Of a part: True, it is as it is; False, it is masked."""

    members: tuple[tuple[str, Part], ...] | None = None
    element: Part = False
    ordered: bool = True  # json; jsonb sorts keys, and keeps the last of equal ones

    def sorted(self) -> Document:
        """The same as a part of jsonb."""
        members = None if self.members is None else tuple((key, _sorted(part)) for key, part in self.members)
        return evolve(self, members=members, element=_sorted(self.element), ordered=False)


Part = bool | Document


def _sorted(part: Part) -> Part:
    return part.sorted() if isinstance(part, Document) else part


def masker(document: Document, type_oid: int, binary: bool) -> Callable[[bytes | None], bytes | None]:
    """For fields of type json or jsonb."""
    nothing = zero(type_oid, binary)
    start = 1 if binary and type_oid == JSONB else 0  # a version number

    def mask(data: bytes | None) -> bytes | None:
        if data is None:  # there was no row
            return None
        try:
            if data[:start] != b"\1"[:start]:
                raise ValueError
            return data[:start] + _rewritten(data[start:].decode(), document).encode()
        except (ValueError, IndexError, StopIteration, RecursionError):
            return nothing

    return mask


def takes(type_oid: int) -> bool:
    return type_oid in (JSON, JSONB)


def _rewritten(text: str, document: Document) -> str:
    """Raises ValueError and its like for a text of another outline."""
    if len(text) > LONGEST:
        raise ValueError
    masked: list[tuple[int, int]] = []
    end = _past(text, _part(text, _past(text, 0), document, masked))
    if end != len(text):
        raise ValueError
    found, begin = [], 0
    for start, until in masked:
        found += [text[begin:start], _STARS]
        begin = until
    return "".join([*found, text[begin:]])


def _past(text: str, at: int) -> int:
    while at < len(text) and text[at] in _WHITE:
        at += 1
    return at


# Numbers are not read: one may have more digits than Python takes.
_SKIP = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def _part(text: str, at: int, part: Part, masked: list[tuple[int, int]]) -> int:
    """Where it ends. What is masked in it is added to `masked`."""
    if not isinstance(part, Document):
        end: int = _SKIP.raw_decode(text, at)[1]
        if not part:
            masked.append((at, end))
        return end
    if text.startswith("null", at):
        return at + 4
    return _array(text, at, part.element, masked) if part.members is None else _object(text, at, part, masked)


def _array(text: str, at: int, element: Part, masked: list[tuple[int, int]]) -> int:
    _expect(text, at, "[")
    at = _past(text, at + 1)
    if text[at] == "]":
        return at + 1
    while True:
        at = _past(text, _part(text, at, element, masked))
        if text[at] == "]":
            return at + 1
        _expect(text, at, ",")
        at = _past(text, at + 1)


def _object(text: str, at: int, document: Document, masked: list[tuple[int, int]]) -> int:
    assert document.members is not None
    expected = document.members if document.ordered else _by_key(document.members)
    parts = dict(expected)
    _expect(text, at, "{")
    at = _past(text, at + 1)
    number = 0
    while text[at] != "}":
        if number:
            _expect(text, at, ",")
            at = _past(text, at + 1)
        _expect(text, at, '"')
        key, at = _SKIP.raw_decode(text, at)
        at = _past(text, at)
        _expect(text, at, ":")
        if document.ordered:
            expected_key, part = expected[number]
            if key != expected_key:
                raise ValueError
        else:
            if key not in parts:
                raise ValueError
            part = parts.pop(key)
        at = _past(text, _part(text, _past(text, at + 1), part, masked))
        number += 1
    if number != len(expected):
        raise ValueError
    return at + 1


def _by_key(members: tuple[tuple[str, Part], ...]) -> tuple[tuple[str, Part], ...]:
    """Of several members of one key, whichever stays is masked as all of them are."""
    found: dict[str, Part] = {}
    for key, part in members:
        found[key] = part if found.get(key, part) == part else False
    return tuple(found.items())


def _expect(text: str, at: int, sign: str) -> None:
    if text[at] != sign:
        raise ValueError
