"""The records of a session log, version 1 of the format: what a session did, one frozen value each.

Stored as msgpack arrays `[tag, field, …]` in the order of the fields. A field is only ever added at the end and with a
default, a tag is never used again for another thing: so every reader reads every older record. `at_ns` is nanoseconds
since the start of the session.
"""

from __future__ import annotations

import msgspec


class Column(msgspec.Struct, frozen=True, array_like=True):
    """A column of a result as the server described it. `type` is a pg_type OID, or MySQL's field type byte."""

    name: str
    type: int = 0
    format: int = 0  # 0 text, 1 binary
    flags: int = 0  # MySQL's column flags


class SessionStart(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The first record of every session: who came, from where, to what, and under which rules."""

    session: str
    started_ns: int  # wall time, nanoseconds since 1970 UTC
    identity: str
    database: str  # the gateway's name for it
    dialect: str = "postgres"
    groups: tuple[str, ...] = ()
    source: str = "user"  # user, oidc, local
    issuer: str | None = None
    subject: str | None = None
    client: str = ""  # its address as host:port
    application_name: str = ""
    target_host: str = ""
    target_port: int = 0
    target_dbname: str = ""
    target_user: str = ""
    server_version: str = ""
    policy: str = ""
    policy_version: str = ""
    config_version: str = ""
    gateway: str = ""
    wireproxy: str = ""  # the gateway's own version
    protocol: str = ""  # "3.2"
    tls: str = ""  # empty: none; else as "TLSv1.3"
    parameters: dict[str, str] = {}  # the startup parameters the client sent
    server_process_id: int = 0
    rows: str = ""  # how much of results this log keeps: none, head, all


class StatementRecord(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A statement arrived and this was decided. Written before anything is done about it."""

    at_ns: int
    ticket: int
    stage: str  # the message that brought it: query, parse, execute, …
    text: bytes
    parameters: tuple[bytes | None, ...] | None
    formats: tuple[int, ...]  # of the parameters: 0 text, 1 binary; one for all, or one each
    action: str  # allow, observe, hold, deny
    rule: str
    reasons: tuple[str, ...]
    transaction: str  # I idle, T in a transaction, E in a failed one
    request_id: str | None = None
    kinds: tuple[str, ...] = ()
    truncated: bool = False  # text or parameters were longer than what is kept
    redacted: bool = False  # a password stood in the text
    digest: bytes | None = None  # SHA-256 of the exact text, when `text` is not it
    types: tuple[int, ...] = ()  # of the parameters, as far as the client or the server said: pg_type OIDs
    attributes: tuple[tuple[bytes, bytes | None], ...] = ()  # MySQL's query attributes: names, and values as text


class DecisionRecord(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """A later decision about the same ticket: judged again at Execute, or after its names or the policy had changed."""

    at_ns: int
    ticket: int
    action: str
    rule: str
    reasons: tuple[str, ...]
    stage: str = ""
    request_id: str | None = None


class VerdictRecord(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """What became of a held statement. A signed checkpoint follows at once."""

    at_ns: int
    ticket: int
    request_id: str
    verdict: str  # approved, denied, expired, withdrawn
    approver: str
    reason: str


class HeadRecord(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """The description of the result that follows."""

    at_ns: int
    ticket: int
    columns: tuple[Column, ...]


class RowsRecord(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Rows as the client got them, masks applied: the raw frames of the protocol, whole ones."""

    at_ns: int
    ticket: int
    frames: bytes
    truncated: bool = False  # more rows passed than are kept here


class CompletionRecord(msgspec.Struct, frozen=True, array_like=True, tag=7):
    at_ns: int
    ticket: int
    tag: str  # the server's own: "SELECT 5"
    rows: int
    bytes: int  # of the result on the wire
    elapsed_ns: int


class ErrorRecord(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """An error as the client got it. Keys are Postgres's field codes or names; for MySQL code, sqlstate, message."""

    at_ns: int
    ticket: int | None
    fields: dict[str, str]


class EventRecord(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """Anything else worth knowing: the policy was reloaded, a column was unmasked, the server sent a notice."""

    at_ns: int
    name: str
    detail: dict[str, str]


class EndRecord(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """The last record of a session that ended in order, with its totals."""

    at_ns: int
    reason: str
    statements: int = 0
    held: int = 0
    denied: int = 0
    errors: int = 0
    rows: int = 0
    bytes: int = 0


Record = (
    SessionStart
    | StatementRecord
    | DecisionRecord
    | VerdictRecord
    | HeadRecord
    | RowsRecord
    | CompletionRecord
    | ErrorRecord
    | EventRecord
    | EndRecord
)
