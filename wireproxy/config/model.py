"""What a wireproxy.toml says, as frozen values. The loader (`wireproxy.config.load`) makes them and reports every error at once.

Times end in `_s`, sizes in `_bytes`. Paths are absolute once loaded: relative ones are taken from the file's own folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from attrs import Factory, frozen

from rules.model import Dialect
from rules.policy import MaskRule, Policy

TlsMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]


@frozen
class Listen:
    """One listening port. `[listen.postgres]` and `[listen.mysql]`."""

    dialect: Dialect
    host: str
    port: int
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    require_tls: bool = False  # refuse clients that do not ask for TLS


@frozen
class Secret:
    """Where the target's password is read when a session needs it; never the password itself. At most one is set."""

    env: str | None = None
    file: Path | None = None
    command: tuple[str, ...] | None = None


@frozen
class Database:
    """`[database.NAME]`: NAME is what clients connect to."""

    name: str
    dialect: Dialect
    host: str  # a name, an address, or an absolute path: the folder of a Unix socket
    port: int
    dbname: str  # its name on the target
    user: str
    password: Secret = Secret()
    tls: TlsMode = "prefer"
    tls_ca: Path | None = None
    policy: str = "agent-default"
    users: frozenset[str] = frozenset()  # who may connect; with `groups` empty too: every authenticated identity
    groups: frozenset[str] = frozenset()
    policy_by_group: tuple[tuple[str, str], ...] = ()  # first group that matches wins over `policy`
    forbidden_parameters: frozenset[str] = frozenset()  # startup parameters a client may not set
    connect_timeout_s: float = 10.0


@frozen
class User:
    """`[user.NAME]`. The verifier is PostgreSQL's own form, `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey`."""

    name: str
    verifier: str | None = None
    groups: frozenset[str] = frozenset()
    mysql_verifier: str | None = None  # caching_sha2_password's stored form, made by `wireproxy user add`
    mysql_native_verifier: str | None = None  # of mysql_native_password, for drivers that know no better


@frozen
class OidcIssuer:
    """`[oidc.NAME]`: tokens of this issuer are accepted as passwords, over TLS only."""

    name: str
    issuer: str
    audience: str
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    jwks_url: str | None = None
    jwks_file: Path | None = None
    user_claim: str = "sub"
    groups_claim: str = "groups"
    leeway_s: int = 30
    jwks_max_age_s: float = 300.0


@frozen
class Approver:
    """`[approver.NAME]`: a person who may decide. Unix users are verified by the peer credentials of the control socket."""

    name: str
    unix_users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    oidc_users: frozenset[str] = frozenset()  # "ISSUER:USER", ISSUER as in [oidc.ISSUER]
    token_sha256: frozenset[str] = frozenset()  # of bearer tokens for the HTTP API, in lower-case hex


@frozen
class Api:
    """`[api]`: the desk over HTTP. Nothing but loopback without TLS."""

    host: str = "127.0.0.1"
    port: int = 9433
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    audience: str = ""  # of the issuers' tokens that are accepted here; empty: none are


@frozen
class LogConfig:
    """`[log]`: the session logs."""

    directory: Path
    rows: Literal["none", "head", "all"] = "head"
    head_bytes: int = 16 * 1024  # of each result, when rows = "head"
    signing_key: Path | None = None  # Ed25519 private key, PEM; None: made in the state directory at first start
    sync: Literal["never", "decisions", "wait"] = "decisions"  # to the disk itself; see docs/session-log.md
    auditors: tuple[Path, ...] = ()  # X25519 public keys, PEM: logs are encrypted to them; none: not encrypted


@frozen
class Approvals:
    """`[approvals]`: defaults of a hold, each of which a rule may set for itself."""

    wait_s: float = 20.0  # shorter than the tool timeouts of common agents (60 s)
    expires_s: float = 1800.0
    store: str = ""  # empty: SQLite in the state directory; `postgresql://…` for several gateways
    webhook: str = ""  # each new request is announced there; https, or http on this machine
    webhook_secret: Secret = Secret()  # signs what is sent, so that the receiver knows from whom it is


@frozen
class Limits:
    """`[limits]`. Every limit says what it bounds; the default is for a gateway of 500 sessions in 2 GiB."""

    sessions: int = 500  # open at once, over all listeners
    sessions_per_user: int = 100
    startup_bytes: int = 10_000  # PostgreSQL's own MAX_STARTUP_PACKET_LENGTH
    startup_timeout_s: float = 30.0  # from accept to authenticated; PostgreSQL's authentication_timeout is 60
    statement_bytes: int = 4 * 1024 * 1024  # longer text is refused: it must be in memory whole to be judged
    bind_bytes: int = (
        4 * 1024 * 1024
    )  # parameters kept for the log and the approver; a longer Bind streams if it is allowed
    message_bytes: int = 1024 * 1024  # server messages that must be seen whole (descriptions, errors)
    masked_row_bytes: int = 16 * 1024 * 1024  # a row is rewritten in memory
    prepared_statements: int = 10_000  # per session; as many portals
    names_bytes: int = 32 * 1024 * 1024  # their texts and values, per session: a client keeps them as long as it likes
    read_bytes: int = 64 * 1024  # one read of a socket
    judging_workers: int = 2  # processes in which long statements are judged, started when one comes
    judging_worker_bytes: int = (
        1024 * 1024 * 1024
    )  # address space of each: the parsers take 100 MiB, a large catalog as much
    judging_s: float = 1.0  # what takes longer is opaque
    idle_session_s: float = 0.0  # 0: never


@frozen
class Config:
    path: Path
    state_dir: Path
    control_socket: Path
    http: tuple[str, int] | None  # health and metrics; loopback only
    listen: tuple[Listen, ...]
    databases: dict[str, Database]
    policies: dict[str, Policy]  # the shipped packs are always among them
    masks: tuple[MaskRule, ...]
    users: dict[str, User]
    oidc: dict[str, OidcIssuer]
    approvers: dict[str, Approver]
    log: LogConfig
    approvals: Approvals = Approvals()
    limits: Limits = Limits()
    version: str = ""  # a digest of the file's meaning; in every log's first record
    gateway: str = "wireproxy"
    api: Api | None = None
    drain_s: float = 30.0  # on SIGTERM: sessions may finish their transactions this long
    extra: dict[str, str] = Factory(dict)
