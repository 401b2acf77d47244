"""The nouns of judgement: what a statement is, what was found in it, and what was decided.

Everything here is a frozen value. Classifiers make `Statement`s, checks and policies make `Decision`s of them, the
gateway acts on a `Judgement`. Names of relations and functions are as the server resolves them: folded, unquoted, cut
at the server's identifier length; a schema of None means "unqualified in the text, resolved through search_path".
"""

from __future__ import annotations

import enum
from typing import Literal

from attrs import field, frozen


class Dialect(enum.StrEnum):
    POSTGRES = "postgres"
    MYSQL = "mysql"


class Kind(enum.StrEnum):
    """What a statement is, after the worst effect inside it has won: a CTE that deletes makes a `delete` of a SELECT.

    These words are the vocabulary of policies and of `wireproxy check`; a member is never renamed.
    """

    SELECT = "select"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    MERGE = "merge"
    TRUNCATE = "truncate"
    DDL = "ddl"
    GRANT = "grant"
    COPY = "copy"
    CALL = "call"
    DO = "do"
    SET = "set"
    TRANSACTION = "transaction"
    EXPLAIN = "explain"
    SHOW = "show"
    PREPARE = "prepare"
    EXECUTE = "execute"
    LISTEN = "listen"
    NOTIFY = "notify"
    LOCK = "lock"
    MAINTENANCE = "maintenance"
    UTILITY = "utility"
    OPAQUE = "opaque"


class Effect(enum.StrEnum):
    """One thing that running the statement can do. A plain read has only READ."""

    READ = "read"
    WRITE = "write"  # rows of a table change
    DDL = "ddl"  # a definition changes
    GRANT = "grant"  # who may do what changes: GRANT, REVOKE, roles, owners, policies
    ROW_LOCK = "row_lock"  # FOR UPDATE / FOR SHARE
    TABLE_LOCK = "table_lock"
    ADVISORY_LOCK = "advisory_lock"
    SEQUENCE = "sequence"  # nextval, setval
    SETTING = "setting"  # a session or server parameter changes
    LEXING = "lexing"  # a setting that changes how later text is read: standard_conforming_strings, sql_mode, client_encoding
    NAMESPACE = "namespace"  # search_path, USE, temporary objects: what a later name means
    ROLE = "role"  # SET ROLE, SET SESSION AUTHORIZATION
    FILE_READ = "file_read"  # a file of the server's host is read
    FILE_WRITE = "file_write"  # a file of the server's host is written
    PROGRAM = "program"  # a program is run on the server's host, or a library loaded into it
    NETWORK = "network"  # the server opens a connection: dblink, subscriptions, foreign servers
    ADMIN = "admin"  # other sessions or the server itself: terminate, reload, replication, WAL, backup
    NOTIFY = "notify"  # a message to other sessions
    LARGE_OBJECT = "large_object"  # written large objects
    DYNAMIC_SQL = "dynamic_sql"  # text given as a value is run as SQL: query_to_xml, EXECUTE IMMEDIATE
    CODE = "code"  # a body that is not looked into: DO, CALL of a routine with unknown effects
    TWO_PHASE = "two_phase"  # PREPARE TRANSACTION and its ends
    TRANSACTION = "transaction"  # BEGIN, COMMIT, ROLLBACK, savepoints
    SLEEP = "sleep"  # holds a connection without work: pg_sleep, SLEEP, BENCHMARK
    SAMPLES = "samples"  # shows other people's statements or sampled column values: pg_stats, pg_stat_activity
    UNKNOWN = "unknown"  # a function, operator or construct about which nothing is known


class Access(enum.StrEnum):
    READ = "read"
    WRITE = "write"
    DDL = "ddl"


class Volatility(enum.StrEnum):
    IMMUTABLE = "immutable"
    STABLE = "stable"
    VOLATILE = "volatile"
    UNKNOWN = "unknown"


@frozen
class Relation:
    """A table, view, sequence or index that the statement names."""

    schema: str | None
    name: str
    access: Access = Access.READ
    database: str | None = None  # MySQL's `db.table` is a schema; only Postgres's three-part names fill this

    def __str__(self) -> str:
        return ".".join(part for part in (self.database, self.schema, self.name) if part is not None)


@frozen
class Function:
    """A function that the statement calls, operators behind syntax (`LIKE`, `EXTRACT`) not included."""

    schema: str | None
    name: str
    volatility: Volatility = Volatility.UNKNOWN
    effects: frozenset[Effect] = frozenset()
    known: bool = False

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@frozen
class Setting:
    """A parameter that the statement changes. `value` is None for RESET / DEFAULT or when it is not a constant."""

    name: str  # lower case
    value: str | None = None
    scope: Literal["session", "local", "global", "persist"] = "session"


@frozen
class NameEffect:
    """What a statement of SQL does to the names of prepared statements and cursors, if it succeeds."""

    action: Literal["prepare", "execute", "deallocate", "declare", "fetch", "close", "discard"]
    name: str | None = None  # None: all of them (DEALLOCATE ALL, CLOSE ALL, DISCARD ALL)


TransactionStep = Literal["begin", "begin_write", "commit", "rollback", "savepoint", "release", "rollback_to"]


@frozen
class Statement:
    """One classified statement of a batch."""

    text: str  # its own slice of the batch
    kind: Kind
    root: str  # the parser's node type, as "SelectStmt" or "Delete"
    effects: frozenset[Effect] = frozenset({Effect.READ})
    relations: tuple[Relation, ...] = ()
    functions: tuple[Function, ...] = ()
    has_where: bool | None = None  # of the UPDATE or DELETE with the worst reach; None: the kind has none
    trivial_where: bool = False  # a WHERE that every row passes, as far as can be seen
    opaque: str | None = None  # why it was not understood; None: it was
    settings: tuple[Setting, ...] = ()
    names: tuple[NameEffect, ...] = ()
    transaction: TransactionStep | None = None
    returns_rows: bool = False
    literal: bool = False  # a constant's value was looked at: the finding holds for this text alone, not for its shape
    inner: Statement | None = None  # of PREPARE, DECLARE, EXPLAIN, COPY (query): what it carries
    index: int = 0  # 0-based position in the batch
    batch: int = 1  # how many statements the batch has
    calls_ddl: bool = False  # Postgres: a routine or view of the database that it uses may change definitions
    renamed_to: str | None = None  # Postgres: the name that a relation gets


@frozen
class Identity:
    """Who is at the other end, as the gateway verified it."""

    name: str
    groups: frozenset[str] = frozenset()
    source: Literal["user", "oidc", "local"] = "user"
    issuer: str | None = None  # the OIDC issuer's name in the config
    subject: str | None = None  # the token's `sub`


@frozen
class Namespace:
    """The session state that gives text its meaning. Part of the key of every cached judgement.

    `search_path` and `sql_mode` are as last known; `lexing_known` is False when a statement in flight, or one that was not
    understood, may have changed how text is read: then everything that could be read in two ways is opaque.
    """

    search_path: tuple[str, ...] = ("$user", "public")
    user: str | None = None  # what $user stands for: the upstream role
    standard_conforming_strings: bool = True
    client_encoding: str = "UTF8"  # the server's own name of it
    server_encoding: str = "UTF8"  # of the database: in it names are folded, cut and compared
    sql_mode: frozenset[str] = frozenset()
    charset: str = "utf8mb4"
    database: str | None = None  # MySQL's current database
    server_version: int = 180000  # PG_VERSION_NUM; MySQL's 80036; MariaDB's 101100
    mariadb: bool = False
    lexing_known: bool = True
    looked_up: object | None = None  # of what SQL prepared or declared: what its names meant then
    own_role: bool = True  # current_user is the role as which the catalog is read
    redefined: bool = (
        False  # this session changed what routines and views do, and nobody else can see it before it commits
    )
    renamed: bool = False  # so may every name of a relation mean another of that name
    changed: frozenset[str] = frozenset()  # names of relations whose columns it may have changed
    temporary: frozenset[str] = frozenset()  # temporary relations of this session: they shadow by name
    holds_masked: bool = False  # MySQL: its variables and temporary tables may hold masked values, as somebody approved


@frozen
class Hold:
    """Wait for people. `approvers` are groups; any `quorum` distinct members of them decide."""

    rule: str
    reasons: tuple[str, ...]
    hint: str = ""
    approvers: frozenset[str] = frozenset()
    quorum: int = 1
    wait_s: float | None = None  # None: the gateway's default
    expires_s: float | None = None
    maximum_rows: int | None = None  # an approval is void above this many rows touched


@frozen
class Deny:
    rule: str
    reasons: tuple[str, ...]
    hint: str = ""


@frozen
class Allow:
    rule: str
    reasons: tuple[str, ...] = ()
    observe: bool = False  # allowed, and marked in the log for a second look
    read_only: bool = False  # the policy that allowed it has no writes: the upstream session may be pinned read-only


Decision = Allow | Hold | Deny


def severity(decision: Decision) -> int:
    """0 allow, 1 hold, 2 deny: the worst statement of a batch decides for all of it."""
    match decision:
        case Allow():
            return 0
        case Hold():
            return 1
        case Deny():
            return 2


@frozen
class Column:
    """A column of a result as the server describes it."""

    name: str
    type_oid: int = 0  # Postgres: pg_type OID. MySQL: the field type byte.
    table_oid: int = 0  # Postgres: 0 when the server gives no origin
    attribute: int = 0  # Postgres: attribute number, from 1; 0 when no origin
    origin: tuple[str, str, str] | None = None  # MySQL: (database, org_table, org_name), None when no origin
    binary: bool = False
    charset: int = 0  # MySQL: collation id of the column
    length: int = 0  # MySQL: column length in bytes
    flags: int = 0  # MySQL: UNSIGNED_FLAG and others
    decimals: int = 0
    codec: str = ""  # MySQL: in which its text comes, where the description does not say so


@frozen
class Judgement:
    """What was found in one text, and what was decided about the whole of it."""

    statements: tuple[Statement, ...]
    decision: Decision
    decisions: tuple[Decision, ...]  # one for each statement
    policy_version: str = ""
    masks: object | None = field(default=None, eq=False, repr=False)  # rules.masking: what its result columns may carry
    wants_estimate: bool = False  # the planner's row estimate could change the decision: judge again with it
