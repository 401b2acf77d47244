"""What every relay has in common: its inputs, its effects and its verdicts.

A relay stands between two peers. Bytes from either are fed to it; `advance()` cuts them into messages, puts what may go on
into the outboxes, and returns effects: questions that somebody must answer before the direction they came from moves on, and
facts for the record. It does no I/O, reads no clock, and knows neither SQL nor policy.

Effects and verdicts are NamedTuples rather than frozen dataclasses: several are made for each transaction, and a NamedTuple
costs a third.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

# A masked column's function: the field's bytes (None: NULL) in, the bytes that leave instead out.
Masker = Callable[[bytes | None], bytes | None]
RowPlan = Sequence[Masker | None]


@runtime_checkable
class ConstantMasker(Protocol):
    """A masker whose result is the same for every value: what rewrites rows need not call it for each."""

    @property
    def value(self) -> bytes | None: ...

    @property
    def keeps_null(self) -> bool: ...  # NULL stays NULL

    def __call__(self, data: bytes | None) -> bytes | None: ...


Fields = Mapping[str, bytes]
Mender = Callable[[Fields], Fields]


class Peer(enum.Enum):
    CLIENT = "client"
    SERVER = "server"


class ProtocolError(Exception):
    """A peer broke the protocol, or sent what cannot be relayed safely. The session ends; nothing else leaves a codec."""

    def __init__(self, message: str, *, peer: Peer = Peer.CLIENT, sqlstate: str = "08P01") -> None:
        super().__init__(message)
        self.peer = peer
        self.sqlstate = sqlstate


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


class Question(NamedTuple):
    """May this go on? Answered by `decide`; nothing that the client sent later moves before."""

    ticket: int
    stage: Stage
    text: bytes | None  # None: the gateway does not know what stands behind the name
    name: bytes = b""  # the prepared statement's, or for EXECUTE the portal's
    parameters: tuple[bytes | None, ...] | None = None
    formats: tuple[int, ...] = ()
    types: tuple[int, ...] = ()
    attachment: object = None  # what the verdict on an earlier stage attached
    truncated: bool = False  # the message is longer than its limit; `text` and `parameters` are only its beginning
    length: int = 0  # bytes of the whole message
    moved: bool = False  # names or settings changed since its portal was bound, and only running it looks them up


class Described(NamedTuple):
    """A result is about to come. Answered by `plan`; no row of it leaves before."""

    ticket: int
    position: int  # which statement of a batch
    columns: tuple[ColumnDescription, ...]
    attachment: object
    again: bool  # a second result of the same statement: what was planned for the first does not hold for it


class CopyOut(NamedTuple):
    """COPY … TO STDOUT is about to send rows. Answered by `plan_copy`."""

    ticket: int
    position: int
    binary: bool
    columns: int
    attachment: object


class Completed(NamedTuple):
    """A statement ended well (or a portal was suspended: tag is empty)."""

    ticket: int
    position: int
    tag: bytes
    rows: int
    size_bytes: int
    attachment: object


class Rows(NamedTuple):
    """What the client was sent of a result, as frames, for the record."""

    ticket: int
    frames: bytes


class Failed(NamedTuple):
    """An error on the way to the client. `ticket` is None when it belongs to no statement."""

    ticket: int | None
    fields: Fields
    attachment: object


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


Effect = Question | Described | CopyOut | Completed | Rows | Failed | ParameterChanged | Ready | Withdrawn | Terminated


class NameChange(NamedTuple):
    """What a statement of SQL does to a name if it succeeds."""

    space: str  # "statement" or "portal"
    name: bytes | None  # None: every name of the space
    created: bool
    text: bytes | None = None  # of a created name: its own text, where it is known
    attachment: object = None
    position: int = 0  # which statement of the batch makes the change
    types: tuple[int, ...] = ()


class Forward(NamedTuple):
    """Let it pass, byte for byte."""

    attachment: object = None
    look: bool = False  # its results are described and planned before a row of them leaves
    barrier: bool = False  # nothing later is read before the server has answered it
    record_bytes: int = 0  # of each of its results, kept as frames for the record
    names: tuple[NameChange, ...] = ()
    taints: bool = False  # it may have changed the names of statements and cursors in ways that cannot be seen
    late: bool = False  # what its names mean is looked up when it runs, not when it is bound
    exchange: Exchange | None = None  # other contents than the client's go to the server


class Exchange(NamedTuple):
    """Contents that are sent in the place of the client's own. The message keeps its kind and its names."""

    text: bytes | None = None  # of Query and Parse; None: as it is
    types: tuple[int, ...] | None = None  # of Parse
    parameters: tuple[bytes | None, ...] | None = None  # of Bind, in the formats of the client's
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
