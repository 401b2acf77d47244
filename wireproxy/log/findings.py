"""What can be wrong with a log."""

from __future__ import annotations

import enum
from pathlib import Path

from attrs import frozen


class FindingKind(enum.StrEnum):
    """What can be wrong. The words are part of `verify --json`; a member is never renamed."""

    UNREADABLE = "unreadable"  # a file cannot be opened or is not a log
    DAMAGED = "damaged"  # bytes that no writer wrote
    CHAIN = "chain"  # records or blocks do not follow from what stands before them
    SIGNATURE = "signature"  # a checkpoint or an entry is not signed by the key
    KEY = "key"  # signed by a key that is not among those given
    TORN = "torn"  # the file ends inside something
    NOT_CLOSED = "not_closed"  # no signed end: the gateway died, or the end was cut off
    TRAILING = "trailing"  # something stands behind the end
    ORDER = "order"  # records in an order that no session has
    IDENTITY = "identity"  # the file is of another session than its name or its ledger says
    PART = "part"  # a part is missing or too many
    MISSING = "missing"  # the ledger knows a session whose log is gone
    UNLISTED = "unlisted"  # no ledger knows the session
    LEDGER = "ledger"  # a ledger is damaged, cut, or at odds with a log
    SEALED = "sealed"  # encrypted, and no key to read it (not a finding of `verify`)


@frozen
class Finding:
    kind: FindingKind
    message: str
    path: Path | None = None
    offset: int | None = None
