"""What is looked for in the data of COPY … FROM STDIN: masks on their way back, as in the constants of other writes."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

from attrs import evolve

from rules.classify.postgres.text import decode, encode
from rules.masking import formats
from rules.masking.arrays import array_elements
from rules.masking.copying import Incoming
from rules.masking.pseudonyms import token_in
from rules.masking.writeback import MaskForms
from rules.model import Namespace

_PLAIN = re.compile(r"[^\\\s\"'\x00-\x1f]+")  # what no format of COPY writes in another way
_EVERYTHING = re.compile(rb"")


class IncomingCheck:
    """For the fields of one copy."""

    def __init__(self, forms: MaskForms, incoming: Incoming, namespace: Namespace) -> None:
        self._forms = forms
        self._incoming = incoming
        encoding = incoming.encoding
        self._namespace = namespace if encoding is None else evolve(namespace, client_encoding=encoding.upper())
        self._binary = incoming.shape.style == "binary"
        self.hint = self._hint()

    def _hint(self) -> re.Pattern[bytes]:
        """What matches in every field that `why` says something of."""
        hints = [rb"\*\*\*|wpx?_"]
        if self._incoming.hashed:
            hints.append(rb"[0-9a-f]{16}")
        for constant in self._forms.constants:
            encoded = encode(constant, self._namespace)
            if encoded is None or not _PLAIN.fullmatch(constant):
                return _EVERYTHING
            hints.append(re.escape(encoded))
        return re.compile(b"|".join(hints))

    def why(self, value: bytes) -> str | None:
        """What a field, as the value that it stands for, looks like; None: like no mask."""
        for text in self._texts(value):
            why = self._forms.why(text, self._incoming.hashed)
            if why is not None:
                return why
        return None

    def why_part(self, value: bytes) -> str | None:
        """The same of a piece of a long field: only pseudonyms stand among other text."""
        return "a pseudonym" if token_in(value.decode("latin-1")) else None

    def _texts(self, value: bytes) -> Iterable[str]:
        yield self._text(value)
        if self._binary:
            if value[:1] == b"\x01":  # jsonb: the version of its format
                yield self._text(value[1:])
            yield from map(self._text, _elements(value))
        elif value[:1] == b"{":
            yield from (each for each in array_elements(self._text(value)) or () if each is not None)

    def _text(self, value: bytes) -> str:
        found = decode(value, self._namespace)
        return value.decode("latin-1") if found is None else found  # the masks of every masker but `constant` are ASCII


def _elements(value: bytes) -> list[bytes]:
    """Those of an array of texts in binary. Spec: `array_recv`: dimensions, flags, type, then each one's size and lower bound."""
    try:
        dimensions, flags, element = struct.unpack_from("!iiI", value)
        if not 0 < dimensions <= 6 or flags not in (0, 1) or element not in formats.TEXTS:
            return []
        at = 12 + 8 * dimensions
        found = []
        while at < len(value):
            (length,) = struct.unpack_from("!i", value, at)
            at += 4 + max(length, 0)
            if length >= 0:
                found.append(value[at - length : at])
    except struct.error:
        return []
    return found
