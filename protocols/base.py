"""What every relay has in common: its inputs, its effects and its verdicts.

A relay stands between two peers. Bytes from either are fed to it; `advance()` cuts them into messages, puts what may go on
into the outboxes, and returns effects: questions that somebody must answer before the direction they came from moves on, and
facts for the record. It does no I/O, reads no clock, and knows neither SQL nor policy.

Those of which several are made for each transaction are plain classes in `protocols.facts`; the others are NamedTuples.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from protocols.facts import Completed, CopyIn, CopyOut, Described, Failed, Forward, NameChange, Question, Rows

__all__ = [
    "AnyRelay",
    "ColumnDescription",
    "Completed",
    "CopyIn",
    "CopyOut",
    "CopyReader",
    "CopyRewriter",
    "CopyStopped",
    "Described",
    "Effect",
    "Exchange",
    "Failed",
    "Fields",
    "Forward",
    "Known",
    "Later",
    "Look",
    "Masker",
    "Mender",
    "NameChange",
    "NamedValue",
    "ParameterChanged",
    "Peer",
    "ProtocolError",
    "Question",
    "Ready",
    "Refuse",
    "RowPlan",
    "Rows",
    "Stage",
    "Terminated",
    "Verdict",
    "Withdrawn",
]

# A masked column's function: the field's bytes (None: NULL) in, the bytes that leave instead out.
Masker = Callable[[bytes | None], bytes | None]
RowPlan = Sequence[Masker | None]


Fields = Mapping[str, bytes]
Mender = Callable[[Fields], Fields]


def constant_of(masker: Masker) -> tuple[bytes | None, bool] | None:
    """What a masker gives for every value, and whether NULL stays NULL all the same; None: it must be called for each.

    One that is so has the attributes `value` and `keeps_null`. Its class is another package's, which knows nothing of this one.
    """
    keeps_null: object = getattr(masker, "keeps_null", None)
    if not isinstance(keeps_null, bool):
        return None
    value: object = getattr(masker, "value", ())
    return (value, keeps_null) if value is None or isinstance(value, bytes) else None


def many_of(masker: Masker) -> Callable[[list[bytes]], list[bytes | None]] | None:
    """A masker's attribute `many`: what it gives for many values, in order, sooner than one by one. NULL it leaves as NULL.

    No part of a value is left in what it gives.
    """
    found: Callable[[list[bytes]], list[bytes | None]] | None = getattr(masker, "many", None)
    return found


def own_of(masker: Masker) -> bool:
    """Whether nothing of a value is left in what the masker gives: it is none that a detector need look at."""
    return constant_of(masker) is not None or many_of(masker) is not None


def looked_at(plan: RowPlan) -> list[bool]:
    """In which columns a detector may find something once they are masked."""
    return [masker is None or not own_of(masker) for masker in plan]


class Peer(enum.Enum):
    CLIENT = "client"
    SERVER = "server"


class ProtocolError(Exception):
    """A peer broke the protocol, or sent what cannot be relayed safely. The session ends; nothing else leaves a codec."""

    def __init__(self, message: str, *, peer: Peer = Peer.CLIENT, sqlstate: str = "08P01") -> None:
        super().__init__(message)
        self.peer = peer
        self.sqlstate = sqlstate


class NamedValue(NamedTuple):
    """A value beside a statement's parameters that functions of the server can read by its name: MySQL's query attributes."""

    name: bytes
    value: bytes | None  # as text
    type: int  # MySQL's type, and 0x8000 for unsigned


class Stage(enum.StrEnum):
    """Where in its life a statement is asked about."""

    QUERY = "query"  # a simple query: one text, any number of statements
    PARSE = "parse"  # prepared, not run
    BIND = "bind"  # its values are known; it will be planned
    EXECUTE = "execute"  # a portal bound under an older policy is about to run
    FUNCTION_CALL = "function_call"


class ColumnDescription(NamedTuple):
    """A result column as the server describes it. Spec: PostgreSQL 55.7, RowDescription."""

    name: bytes
    table_oid: int
    attribute: int
    type_oid: int
    binary: bool


class Detected(NamedTuple):
    """A detector found something in what a statement returned, and it was overwritten. By the detector's name, how often."""

    ticket: int
    counts: Mapping[str, int]


class CopyStopped(NamedTuple):
    """What the client copies in must not be stored: the copy is failed, and these fields are its error."""

    ticket: int
    fields: Fields


class ParameterChanged(NamedTuple):
    name: str
    value: str


class Ready(NamedTuple):
    """The server waits for the next query, and has reported every parameter that changed. Given on request only."""

    status: str  # I, T or E


class Withdrawn(NamedTuple):
    """The question is moot: an earlier failure makes the server skip what it asked about."""

    ticket: int


class Terminated(NamedTuple):
    """The client said goodbye."""


Effect = (
    Question
    | Described
    | CopyOut
    | CopyIn
    | CopyStopped
    | Completed
    | Rows
    | Detected
    | Failed
    | ParameterChanged
    | Ready
    | Withdrawn
    | Terminated
)


class Exchange(NamedTuple):
    """Contents that are sent in the place of the client's own. The message keeps its kind and its names."""

    text: bytes | None = None  # of Query and Parse; None: as it is
    types: tuple[int, ...] | None = (
        None  # of Parse; MySQL, of an execution: in which `parameters` that changed are sent
    )
    parameters: tuple[bytes | None, ...] | None = None  # of Bind, in the formats of the client's; MySQL: as text
    waits: frozenset[int] = frozenset()  # MySQL, of Parse: parameters, from 0, whose long data waits for the execution
    mend: Mender | None = None  # errors and notices about it, as of the client's own


class Refuse(NamedTuple):
    """Answer with this error in its place. Keys are the field codes of ErrorResponse (Spec: PostgreSQL 55.8)."""

    fields: Mapping[str, bytes]


class Later(NamedTuple):
    """Ask again once the server has answered everything sent so far: what a name means is still in flight."""


Verdict = Forward | Refuse | Later


class CopyRewriter(Protocol):
    """Rewrites the data of one COPY … TO STDOUT; memory is bounded by its longest row."""

    def rewrite(self, buffer: bytes, at: int) -> tuple[bytes, int]:
        """The whole CopyData messages that stand at `at` and behind it, rewritten, and where the first other one begins."""

    def finish(self) -> bytes: ...

    searched: bool  # a detector looks at what `rewrite` gives: it keeps what the next two say

    @property
    def outside(self) -> bytes | None:
        """What it last gave, without what it made of values that nothing is left of; None: it does not know that apart."""

    def places(self, new: bytes, columns: tuple[bool, ...] | None) -> list[tuple[int, int]]:
        """Where in `new`, which it last gave, such stands that it did not make so: by value, where the format knows values."""


class CopyReader(Protocol):
    """Looks at the data of one COPY … FROM STDIN as it passes. Both give the fields of the error that stops it."""

    def feed(self, data: bytes) -> Fields | None:
        """The next bodies of CopyData messages, cut anywhere."""

    def finish(self) -> Fields | None:
        """Before the client's CopyDone goes on."""


class Known(Protocol):
    """What stands behind a name of SQL's."""

    @property
    def text(self) -> bytes | None: ...

    @property
    def attachment(self) -> object: ...


class Look(Protocol):
    """A look-up's answer; not certain while a change of the name is in flight."""

    @property
    def named(self) -> Known | None: ...

    @property
    def certain(self) -> bool: ...


class AnyRelay(Protocol):
    """What a session needs of a relay, whatever the dialect."""

    def feed_client(self, data: bytes) -> None: ...

    def feed_server(self, data: bytes) -> None: ...

    def decide(self, ticket: int, verdict: Verdict) -> None: ...

    def hold(self) -> None: ...

    def notice(self, fields: Fields) -> None: ...

    def verdicts_changed(self) -> None: ...

    def farewell(self, fields: Fields) -> bytes:
        """The error after which the gateway ends the session, as bytes for the client."""

    def find_statement(self, name: bytes) -> Look: ...

    def find_portal(self, name: bytes) -> Look: ...

    @property
    def asking(self) -> Question | None: ...

    @property
    def reads_client(self) -> bool: ...

    @property
    def reads_server(self) -> bool: ...

    @property
    def transaction_status(self) -> str: ...

    @property
    def idle(self) -> bool: ...

    @property
    def terminated(self) -> bool: ...

    @property
    def tainted(self) -> bool: ...

    @property
    def at_message_boundary(self) -> bool: ...
