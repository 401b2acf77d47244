"""Arrays of one dimension in text and in binary, element by element.

Spec: PostgreSQL, "Array Input and Output Syntax"; the binary form is that of `array_send`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import Final

_SPACE: Final = " \t\n\r\v\f"  # other white space belongs to an element
_ELEMENT: Final = re.compile(
    r'\s*(?:"((?:[^"\\]|\\.)*)"|((?:[^",{}\\\s]|\\.)(?:(?:[^",{}\\]|\\.)*(?:[^",{}\\\s]|\\.))?))\s*',
    re.DOTALL | re.ASCII,
)
_QUOTED: Final = re.compile(r'["\\{}]')


def array_elements(text: str) -> list[str | None] | None:
    """Of an array in its text form; None where it is no plain one."""
    text = text.strip(_SPACE)
    if text[:1] != "{" or text[-1:] != "}":
        return None
    body = text[1:-1]
    if not body.strip(_SPACE):
        return []
    if not _QUOTED.search(body):
        bare_ones = [element.strip(_SPACE) for element in body.split(",")]
        return [None if element.upper() == "NULL" else element for element in bare_ones] if all(bare_ones) else None
    found: list[str | None] = []
    at = 0
    while True:
        match = _ELEMENT.match(body, at)
        if match is None:
            return None
        quoted, bare = match.groups()
        if quoted is None and bare.upper() == "NULL":
            found.append(None)
        else:
            found.append(re.sub(r"\\(.)", r"\1", bare if quoted is None else quoted, flags=re.DOTALL))
        at = match.end()
        if at == len(body):
            return found
        if body[at] != ",":
            return None
        at += 1


def array_text(elements: Sequence[str | None]) -> str:
    return "{" + ",".join([_written(element) for element in elements]) + "}"


def _written(element: str | None) -> str:
    if element is None:
        return "NULL"
    if _PLAIN.fullmatch(element) and element.upper() != "NULL":
        return element
    return '"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"'


_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:@+-]+")  # what the server writes without quotes as well
_HEAD: Final = 12  # bytes: dimensions, whether there are NULLs, the type of the elements


def array_of_binary(data: bytes) -> tuple[int, list[bytes | None]]:
    """The type of the elements, and these. Raises ValueError or struct.error for other arrays than of one dimension from 1 on."""
    dimensions, _, element_type = struct.unpack_from("!iiI", data)
    found: list[bytes | None] = []
    if not dimensions:
        if len(data) != _HEAD:
            raise ValueError("an array without dimensions, and more")
        return element_type, found
    if dimensions != 1:
        raise ValueError("an array of several dimensions")
    count, first = struct.unpack_from("!ii", data, _HEAD)
    if first != 1:
        raise ValueError("an array that begins elsewhere")
    at = _HEAD + 8
    for _ in range(count):
        (length,) = struct.unpack_from("!i", data, at)
        at += 4
        if length < 0:
            found.append(None)
            continue
        if at + length > len(data):
            raise ValueError("an array that ends early")
        found.append(data[at : at + length])
        at += length
    if at != len(data):
        raise ValueError("an array that is longer than its elements")
    return element_type, found


def binary_array(element_type: int, elements: Sequence[bytes | None]) -> bytes:
    if not elements:
        return struct.pack("!iiI", 0, 0, element_type)
    parts = [struct.pack("!iiIii", 1, int(None in elements), element_type, len(elements), 1)]
    for element in elements:
        parts.append(b"\xff\xff\xff\xff" if element is None else struct.pack("!i", len(element)) + element)
    return b"".join(parts)
