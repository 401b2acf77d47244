"""Which descriptions of columns a client gets. The gateway itself gets them all: it could neither mask nor record without.

Two ways of leaving them out, with the same frames: a mark behind the count of columns says whether descriptions follow.

- MySQL (OPTIONAL_METADATA): the client sets `resultset_metadata` to NONE, and results come bare from then on. The gateway sees the
  change, sets the server back to FULL before the next command, and leaves the descriptions out itself.
- MariaDB (CACHE_METADATA): the server leaves out what has not changed since the statement was prepared or executed last. The
  gateway does not ask it to, and compares itself what the server describes with what the client has.

Spec: MySQL, "Text Resultset", "COM_STMT_PREPARE Response"; MariaDB, "Result Set Packets", "Column count packet".
"""

from __future__ import annotations

import hashlib
from typing import Final

from protocols.mysql.packets import encode_lenenc

VARIABLE: Final = "resultset_metadata"
FULL: Final = b"\1"
NONE: Final = b"\0"
GATHERED_BYTES: Final = 64 * 1024  # a statement with longer descriptions is described each time


class Gathered:
    """Descriptions of one result, kept until it is known whether the client has them. Mutable."""

    __slots__ = ("count", "definitions", "sequence", "size_bytes")

    def __init__(self, count: bytes, sequence: int) -> None:
        self.count = count  # the packet that announces them, without the mark
        self.sequence = sequence  # its number, for the client
        self.definitions: list[bytes] = []
        self.size_bytes = 0

    def add(self, definition: bytes) -> bool:
        """False: they have become too long to be kept."""
        self.definitions.append(definition)
        self.size_bytes += len(definition)
        return self.size_bytes <= GATHERED_BYTES


def digest(definitions: list[bytes]) -> bytes:
    """Of descriptions as packets: the same only where they are."""
    hasher = hashlib.blake2b(digest_size=32)
    for definition in definitions:
        hasher.update(encode_lenenc(definition))
    return hasher.digest()
