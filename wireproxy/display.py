"""Values as a person is shown them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from uuid import UUID

from protocols.base import NamedValue
from rules.model import Dialect
from rules.redaction import redact_named

_VALUE_CHARACTERS = 100_000  # of one value: an approver sees what they approve; longer ones say how long they are

# Binary forms of the types that drivers bind most. Spec: the type's own send function.
_BINARY: dict[int, Callable[[bytes], str]] = {
    16: lambda value: "true" if value != b"\0" else "false",
    20: lambda value: str(struct.unpack("!q", value)[0]),
    21: lambda value: str(struct.unpack("!h", value)[0]),
    23: lambda value: str(struct.unpack("!i", value)[0]),
    26: lambda value: str(struct.unpack("!I", value)[0]),
    700: lambda value: repr(struct.unpack("!f", value)[0]),
    701: lambda value: repr(struct.unpack("!d", value)[0]),
    2950: lambda value: str(UUID(bytes=value)),
    3802: lambda value: value[1:].decode(),
}
_TEXT_TYPES = frozenset({18, 19, 25, 114, 1042, 1043})


def display_value(value: bytes | None, binary: bool, type_oid: int) -> str | None:
    if value is None:
        return None
    shown: str | None = None
    try:
        if not binary or type_oid in _TEXT_TYPES:
            shown = value.decode()
        elif type_oid in _BINARY:
            shown = _BINARY[type_oid](value)
    except (UnicodeDecodeError, struct.error, ValueError):
        shown = None
    if shown is None:
        shown = f"\\x{value[:_VALUE_CHARACTERS].hex()}" + (f" (binary, type {type_oid})" if binary else "")
    if len(shown) > _VALUE_CHARACTERS:
        shown = f"{shown[:_VALUE_CHARACTERS]}… ({len(value)} bytes)"
    return shown


def display_attributes(attributes: Sequence[NamedValue]) -> tuple[tuple[str, str | None], ...]:
    """Names and values of query attributes; secrets are taken out of them as they are in the log."""
    return tuple(
        (
            display_value(each.name, False, 0) or "",
            display_value(redact_named(each.name, each.value, Dialect.MYSQL), False, 0),
        )
        for each in attributes
    )


def display_parameters(
    parameters: Sequence[bytes | None] | None, formats: Sequence[int], types: Sequence[int]
) -> tuple[str | None, ...] | None:
    if parameters is None:
        return None
    return tuple(
        display_value(
            value,
            bool(formats[position]) if position < len(formats) else False,
            types[position] if position < len(types) else 0,
        )
        for position, value in enumerate(parameters)
    )
