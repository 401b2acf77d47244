"""What can go wrong with a session log: writing it, reading it, asking for it."""

from __future__ import annotations

# for clients
LOG_HINT = (
    "Tell the gateway's operator, whose own log says why: most often a disk is full. Come back when that is mended."
)


class LogError(Exception):
    """The log cannot be written. The session that it belongs to ends: nothing may run unrecorded."""


class FormatError(ValueError):
    """Bytes that are not what docs/session-log.md says. `offset` is where in the file, when that is known."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class TornError(FormatError):
    """The file ends inside something: the writer died, or is about to write the rest."""


class UnknownSession(LookupError):
    """No session has this id, or the prefix fits several."""
