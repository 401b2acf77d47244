"""The tables of a wireproxy.toml as they are written: what may be left out is None or has its default here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from attrs import Factory, field, frozen

from rules.model import Dialect
from wireproxy.config.model import Secret, TlsMode

DEFAULT_PORTS = {Dialect.POSTGRES: 6432, Dialect.MYSQL: 6306}  # of the gateway
TARGET_PORTS = {Dialect.POSTGRES: 5432, Dialect.MYSQL: 3306}


@frozen
class GatewayTable:
    name: str = "wireproxy"
    state_dir: Path | None = None
    control_socket: Path | None = None
    http: str | None = None
    drain_s: float = 30.0


@frozen
class ListenTable:
    host: str = "127.0.0.1"
    port: int | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    require_tls: bool = False


@frozen
class DatabaseTable:
    dialect: Dialect | None = None
    url: str | None = None
    host: str | None = None
    port: int | None = None
    dbname: str | None = None
    user: str | None = None
    password: Secret = Factory(Secret)
    tls: TlsMode | None = None
    tls_ca: Path | None = None
    policy: str = "agent-default"
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    policy_by_group: dict[str, str] = Factory(dict)
    forbidden_parameters: frozenset[str] = frozenset()
    connect_timeout_s: float = 10.0


@frozen
class UserTable:
    verifier: str | None = field(default=None, repr=False)
    groups: frozenset[str] = frozenset()
    mysql_verifier: str | None = field(default=None, repr=False)
    mysql_native_verifier: str | None = field(default=None, repr=False)


@frozen
class OidcTable:
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
class ApproverTable:
    unix_users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    oidc_users: frozenset[str] = frozenset()
    token_sha256: frozenset[str] = field(default=frozenset(), repr=False)


@frozen
class LogTable:
    directory: Path | None = None
    rows: Literal["none", "head", "all"] = "head"
    head_bytes: int = 16 * 1024
    signing_key: Path | None = None
    sync: Literal["never", "decisions", "wait"] = "decisions"
    auditors: tuple[Path, ...] = ()
