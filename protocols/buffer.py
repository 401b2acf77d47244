"""What a peer has sent and nobody has read yet."""

from __future__ import annotations


class Inbox:
    """Pieces as they came, joined once when a whole message is there: a long message in small pieces costs O(n), not O(n²).

    How much may pile up is the reader's to bound: it refuses messages over its caps before it waits for them.
    """

    __slots__ = ("_needed", "_pieces", "size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._needed = 1
        self.size = 0  # bytes

    @property
    def ready(self) -> bool:
        """As much is here as the reader said that it needs to get any further."""
        return self.size >= self._needed

    def add(self, data: bytes) -> None:
        self._pieces.append(data)
        self.size += len(data)

    def take(self) -> bytes:
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces = []
        self.size = 0
        self._needed = 1
        return data

    def put_back(self, data: bytes, at: int, needed: int) -> None:
        """What stands from `at` on was not read; there is no use in another look before `needed` bytes of it are here."""
        if at < len(data):
            rest = data[at:] if at else data
            self._pieces.insert(0, rest)
            self.size += len(rest)
            # what is complete but waits for an answer must be looked at again as soon as that has come
            self._needed = needed if len(rest) < needed else 1
