"""The nouns of the approval desk: what is bound, what a person is shown, and how a request stands.

Times are Unix time in ns. Everything here is a frozen value that msgspec can write as JSON.
"""

from __future__ import annotations

import enum
import hashlib
import struct
from collections.abc import Iterable, Mapping

from attrs import field, frozen

from rules.model import Dialect, Hold, Identity, Namespace

_TAG = b"wireproxy approval binding 1\x00"


def meaning_of(namespace: Namespace, context: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The session state that gives a text its meaning, as a binding carries it.

    The same bytes mean another table under another search_path, or beside a temporary table of that name: whoever got
    `DELETE FROM orders` approved could otherwise change what `orders` is before running it. `context` is what else the text
    depends on, by name: DateStyle and TimeZone, by which '01/02/2024' is one day or another, and what a prepared statement's
    name stands for when the text says EXECUTE.
    """
    more = sorted((context or {}).items())
    return (
        f"search_path={_joined(namespace.search_path)}",
        f"user={'' if namespace.user is None else '=' + namespace.user}",
        f"standard_conforming_strings={namespace.standard_conforming_strings}",
        f"client_encoding={namespace.client_encoding}",
        f"sql_mode={_joined(sorted(namespace.sql_mode))}",
        f"charset={namespace.charset}",
        f"database={'' if namespace.database is None else '=' + namespace.database}",
        f"lexing_known={namespace.lexing_known}",
        f"temporary={_joined(sorted(namespace.temporary))}",
        *(f"context={_joined(item)}" for item in more),
    )


def _joined(names: Iterable[str]) -> str:
    return "".join(f"{len(name)}:{name}" for name in names)


@frozen
class Binding:
    """What one approval is good for: these bytes with these values, from this identity, on this database, once."""

    dialect: Dialect
    identity: str
    issuer: str | None
    database: str
    statement: bytes = field(repr=False)  # exactly as the client sent it
    parameters: tuple[bytes | None, ...] | None = field(
        default=None, repr=False
    )  # None: a simple query, not "no parameters"
    formats: tuple[int, ...] | None = None  # as sent: 0 text, 1 binary
    type_oids: tuple[int, ...] | None = None  # as the client declared them
    subject: str | None = None  # the token's `sub`: a name may move from one subject to another
    meaning: tuple[str, ...] = ()  # of `meaning_of`

    @classmethod
    def of(
        cls,
        *,
        dialect: Dialect,
        identity: Identity,
        database: str,
        statement: bytes,
        namespace: Namespace,
        parameters: tuple[bytes | None, ...] | None = None,
        formats: tuple[int, ...] | None = None,
        type_oids: tuple[int, ...] | None = None,
        context: Mapping[str, str] | None = None,
    ) -> Binding:
        return cls(
            dialect=dialect,
            identity=identity.name,
            issuer=identity.issuer,
            database=database,
            statement=statement,
            parameters=parameters,
            formats=formats,
            type_oids=type_oids,
            subject=identity.subject,
            meaning=meaning_of(namespace, context),
        )

    def digest(self) -> bytes:
        """SHA-256 over every field, each with its length before it: no two bindings have the same input."""
        hasher = hashlib.sha256(_TAG)
        for part in (self.dialect.value, self.identity, self.issuer, self.subject, self.database):
            hasher.update(_prefixed(None if part is None else _utf8(part)))
        hasher.update(_prefixed(self.statement))
        hasher.update(_sequence(self.parameters))
        for numbers in (self.formats, self.type_oids):
            hasher.update(_sequence(None if numbers is None else tuple(str(number).encode() for number in numbers)))
        hasher.update(_sequence(tuple(_utf8(word) for word in self.meaning)))
        return hasher.digest()


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _prefixed(value: bytes | None) -> bytes:
    return b"\x00" if value is None else b"\x01" + struct.pack("!Q", len(value)) + value


def _sequence(values: tuple[bytes | None, ...] | None) -> bytes:
    if values is None:
        return b"\x00"
    return b"\x01" + struct.pack("!Q", len(values)) + b"".join(_prefixed(value) for value in values)


def displayable(text: str) -> str:
    """Text that can be stored and sent as UTF-8: what cannot be is shown as an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(displayable(value) for value in values)


def _values(values: Iterable[str | None] | None) -> tuple[str | None, ...] | None:
    return None if values is None else tuple(None if value is None else displayable(value) for value in values)


@frozen
class RequestFacts:
    """What the person who decides is shown. All of it is text for people; nothing is ever run from it."""

    identity: Identity
    session_id: str
    client: str = field(converter=displayable)  # address of the client
    application: str = field(converter=displayable)  # what the client calls itself
    sql: str = field(converter=displayable)
    parameters: tuple[str | None, ...] | None = field(default=None, converter=_values)
    attributes: tuple[tuple[str, str | None], ...] = ()  # MySQL's query attributes: names and values
    kinds: tuple[str, ...] = ()
    relations: tuple[str, ...] = field(default=(), converter=_texts)  # as "public.orders (write)"
    rule: str = ""
    reasons: tuple[str, ...] = field(default=(), converter=_texts)
    transaction: str = "idle"  # idle, in transaction, failed transaction
    done: tuple[str, ...] = field(default=(), converter=_texts)  # what the open transaction has done so far, shortly
    estimated_rows: float | None = None  # the planner's
    batch: int = 1  # statements in the text


class State(enum.StrEnum):
    PENDING = "pending"
    APPROVED = "approved"  # and not used yet
    DENIED = "denied"
    USED = "used"  # approved, and given to the one execution it was for
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"  # its client went away, or the policy changed under it


OPEN = frozenset({State.PENDING, State.APPROVED})


@frozen
class Vote:
    approver: str
    principal: str  # who was verified, as "unix:dba": two approver names of one account are one person
    approve: bool
    reason: str
    at_ns: int
    groups: frozenset[str] = frozenset()


@frozen
class Draft:
    """A request before it has an id."""

    digest: bytes
    binding: Binding
    facts: RequestFacts
    hold: Hold
    created_ns: int
    expires_ns: int


@frozen
class Request:
    id: str
    state: State
    digest: bytes = field(repr=False)
    dialect: Dialect
    database: str
    facts: RequestFacts
    hold: Hold
    created_ns: int
    expires_ns: int
    votes: tuple[Vote, ...] = ()
    decided_ns: int | None = None
    reason: str = ""  # of the last change of state
    promised: bool = False  # a client was told to run it again later: a hang-up does not withdraw it any more

    @property
    def missing(self) -> int:
        """Approvals that are still needed."""
        return max(0, self.hold.quorum - sum(vote.approve for vote in self.votes))


class StoreError(Exception):
    """The store cannot be read or written. Nothing is approved then."""


class TooManyRequests(Exception):
    """A limit of the desk is reached. Message and hint are for the client."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


# MySQL's clients keep 511 bytes of an error, message and reason included.
_FREED = (
    "Nothing was run. A place becomes free when an approver approves or denies one of them (wireproxy approvals), when one"
    " expires, or when you cancel a statement that still waits. The same statement run again takes up its own request and"
    " needs no new place."
)
_SLOWER = (
    "Nothing was run. Run the statement again in a minute. Wait for decisions rather than asking anew: requests that were"
    " withdrawn count as well, and the same statement run again makes no new one."
)
_CROWDED = "Nothing was run. Run the statement again once approvers have decided some of them (wireproxy approvals)."


@frozen
class Limits:
    """Named limits of the desk. An agent in a loop must not bury the one request that matters, nor fill the disk."""

    pending_per_identity: int = 20  # more than a person decides at a time
    submitted_per_minute: int = 60  # of one identity, withdrawn ones included: asking and hanging up is no way round
    pending: int = 1000  # of all identities
    kept: int = 10_000  # decided requests kept for `show`; the session logs are the record
    kept_s: float = 7 * 86_400.0

    def check(self, own: int, recent: int, everyone: int) -> None:
        """Raises TooManyRequests if one more of this identity would be too many."""
        if own >= self.pending_per_identity:
            raise TooManyRequests(
                f"{own} of your requests wait for a decision; no more than {self.pending_per_identity} may", _FREED
            )
        if recent >= self.submitted_per_minute:
            raise TooManyRequests(
                f"you made {recent} requests in a minute; no more than {self.submitted_per_minute} may be made",
                _SLOWER,
            )
        if everyone >= self.pending:
            raise TooManyRequests(
                f"{everyone} requests wait for a decision at this gateway; no more than {self.pending} may", _CROWDED
            )


class UnknownRequest(Exception):
    """There is no request with this id."""


class RequestClosed(Exception):
    """The request is not in a state in which this can be done. The message says which it is in."""


class NotAllowed(Exception):
    """This approver may not decide this request. The message says why."""


def identity_key(identity: Identity) -> str:
    """Whose limits a request counts against."""
    return _joined((identity.issuer or "", identity.name))
