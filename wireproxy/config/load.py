"""Reading a wireproxy.toml. Everything that is wrong with it is told at once, with lines and suggestions.

Each table is structured by itself, so that a mistake in one hides none in another; then the tables are checked against each
other (`wireproxy.config.checks`): names that are referred to exist, files are there and not everybody's.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import cattrs
from attrs import asdict, define, field

from rules.config import pack, policy_converter, read_policy
from rules.model import Dialect
from rules.packs import PACKS
from rules.policy import MaskRule, Policy
from rules.structuring import Problem, Reader, Step, WrongValue, dotted, found
from wireproxy.config.checks import check_config
from wireproxy.config.errors import ConfigErrors, ConfigProblem
from wireproxy.config.locate import line_of, locate
from wireproxy.config.model import (
    Api,
    Approvals,
    Approver,
    Config,
    Database,
    Limits,
    Listen,
    LogConfig,
    OidcIssuer,
    Secret,
    User,
)
from wireproxy.config.tables import (
    DEFAULT_PORTS,
    TARGET_PORTS,
    ApproverTable,
    DatabaseTable,
    GatewayTable,
    ListenTable,
    LogTable,
    OidcTable,
    UserTable,
)

__all__ = ["ConfigErrors", "ConfigProblem", "load", "load_with_warnings"]

T = TypeVar("T")

LONGEST_FILE_BYTES = 4 * 1024 * 1024  # somebody gave us another file than a configuration
SECTIONS = (
    "gateway",
    "listen",
    "database",
    "user",
    "oidc",
    "approver",
    "policy",
    "mask",
    "approvals",
    "api",
    "log",
    "limits",
)
GATEWAY_KEYS = ("state_dir", "control_socket", "http", "drain_s")  # also at the top, in front of the first table
TLS_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)|\s*\(at end of document\)")


def load(path: Path) -> Config:
    """Raises ConfigErrors."""
    return load_with_warnings(path)[0]


def load_with_warnings(path: Path) -> tuple[Config, tuple[ConfigProblem, ...]]:
    """The configuration, and what is allowed and yet looks like a mistake. Raises ConfigErrors."""
    path = path.absolute()
    document, text = _document(path)
    reading = _Reading(path, Reader(_converter(path.parent)))
    config = reading.read(document)
    if config is not None:
        check_config(config, reading.reader)
    lines = locate(text)
    problems = tuple(
        ConfigProblem(path, line_of(lines, each.path), dotted(each.path), each.message, each.suggestion, each.severity)
        for each in sorted(reading.reader.problems, key=lambda each: line_of(lines, each.path))
    )
    errors = tuple(problem for problem in problems if problem.severity == "error")
    if errors or config is None:
        raise ConfigErrors(errors)
    return config, problems


def _document(path: Path) -> tuple[dict[str, Any], str]:
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST_FILE_BYTES + 1)
        if len(data) > LONGEST_FILE_BYTES:
            raise ConfigErrors((ConfigProblem(path, 0, "", "is too long for a configuration"),))
        text = data.decode("utf-8")
        return tomllib.loads(text), text.replace("\r\n", "\n")
    except FileNotFoundError:
        problem = ConfigProblem(path, 0, "", "there is no such file", "`wireproxy init` writes one to start from")
    except OSError as error:
        problem = ConfigProblem(path, 0, "", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = ConfigProblem(path, line, "", "is not UTF-8")
    except tomllib.TOMLDecodeError as error:
        said = _LINE.search(str(error))
        line = int(said[1]) if said is not None and said[1] else data.count(b"\n") + 1
        problem = ConfigProblem(path, line, "", f"is not TOML: {_LINE.sub('', str(error))}", _toml_hint(text, line))
    raise ConfigErrors((problem,))


def _toml_hint(text: str, line: int) -> str:
    """The two mistakes that people make: no quotes round a text, and a table in braces over several lines."""
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    if "".join(lines[max(line - 3, 0) : line]).count("{") > "".join(lines[max(line - 3, 0) : line]).count("}"):
        return "a table in braces stands on one line; only lists inside it may be longer"
    if re.match(r"\s*[\w.-]+\s*=\s*[A-Za-z_/$]", written) and not re.search(r"=\s*(true|false)\b", written):
        return "text is written in quotes"
    return ""


def _converter(folder: Path) -> cattrs.Converter:
    converter = policy_converter()

    def path(value: object, _: object) -> Path:
        if not isinstance(value, str) or not value:
            raise WrongValue(f"expected a path, found {found(value)}")
        return folder / Path(value).expanduser()

    def secret(value: object, _: object) -> Secret:
        if isinstance(value, str):
            raise WrongValue(
                "a password is not written here", 'write { env = "NAME" }, { file = "PATH" } or { command = [...] }'
            )
        if (
            not isinstance(value, Mapping)
            or len(value) != 1
            or (key := next(iter(value))) not in ("env", "file", "command")
        ):
            raise WrongValue("expected one of env, file or command", 'write { env = "NAME" }')
        if key == "command":
            return Secret(command=converter.structure(value[key], tuple[str, ...]))
        return Secret(env=converter.structure(value[key], str)) if key == "env" else Secret(file=path(value[key], Path))

    converter.register_structure_hook(Path, path)
    converter.register_structure_hook(Secret, secret)
    return converter


@define
class _Reading:
    """One file on its way from tables to a Config."""

    path: Path
    reader: Reader
    _folder: Path = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._folder = self.path.parent

    def read(self, document: dict[str, Any]) -> Config | None:
        self.reader.keys(document, (*SECTIONS, *GATEWAY_KEYS), ())
        gateway = self._gateway(document)
        policies = self._policies(document)
        databases = self._named(document, "database", DatabaseTable, self._database)
        listen = self._listen(document, databases)
        users = self._named(document, "user", UserTable, lambda name, table: User(name, **asdict(table, recurse=False)))
        oidc = self._named(
            document, "oidc", OidcTable, lambda name, table: OidcIssuer(name, **asdict(table, recurse=False))
        )
        approvers = self._named(
            document, "approver", ApproverTable, lambda name, table: Approver(name, **asdict(table, recurse=False))
        )
        masks = self._masks(document)
        log = self._single(document, "log", LogTable)
        approvals = self._single(document, "approvals", Approvals)
        limits = self._single(document, "limits", Limits)
        api = self._single(document, "api", Api) if "api" in document else None
        if gateway is None or log is None or approvals is None or limits is None:
            # what depends on these cannot be checked; what is wrong with them has been said
            gateway, log = gateway or GatewayTable(), log or LogTable()
            approvals, limits = approvals or Approvals(), limits or Limits()
        state_dir = gateway.state_dir or self._default_state_dir()
        return Config(
            path=self.path,
            state_dir=state_dir,
            control_socket=gateway.control_socket or state_dir / "control.sock",
            http=self._http(gateway, document),
            listen=listen,
            databases=databases,
            policies=policies,
            masks=masks,
            users=users,
            oidc=oidc,
            approvers=approvers,
            log=LogConfig(**{**asdict(log, recurse=False), "directory": log.directory or state_dir / "sessions"}),
            approvals=approvals,
            limits=limits,
            version=_digest(document, policies),
            gateway=gateway.name,
            api=api,
            drain_s=gateway.drain_s,
        )

    def _default_state_dir(self) -> Path:
        return Path("/var/lib/wireproxy") if self._folder.is_relative_to("/etc") else self._folder / "state"

    def _gateway(self, document: Mapping[str, Any]) -> GatewayTable | None:
        table = document.get("gateway", {})
        top = {key: document[key] for key in GATEWAY_KEYS if key in document}
        if not isinstance(table, Mapping):
            return self.reader.table(table, GatewayTable, ("gateway",))
        for key in sorted(top.keys() & table.keys()):
            self.reader.add((key,), "is written twice: here and in [gateway]")
        before = len(self.reader.problems)
        gateway = self.reader.table({**table, **top}, GatewayTable, ("gateway",))
        self.reader.problems[before:] = [_at_the_top(each, top) for each in self.reader.problems[before:]]
        return gateway

    def _http(self, gateway: GatewayTable, document: Mapping[str, Any]) -> tuple[str, int] | None:
        if gateway.http is None:
            return None
        at = ("http",) if "http" in document else ("gateway", "http")
        host, _, port = gateway.http.rpartition(":")
        host = host.strip("[]")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            self.reader.add(at, f"expected host:port, found {found(gateway.http)}", 'write "127.0.0.1:9432"')
            return None
        if host not in ("127.0.0.1", "::1", "localhost"):
            self.reader.add(
                at, f"{host} is not a loopback address: metrics are nobody else's", 'write "127.0.0.1:9432"'
            )
            return None
        return host, int(port)

    def _policies(self, document: Mapping[str, Any]) -> dict[str, Policy]:
        policies = {name: pack(name) for name in PACKS}
        for name, table in self._tables(document, "policy").items():
            if name in PACKS:
                self.reader.warn(
                    ("policy", name), "takes the place of the shipped pack of this name", "give it another name"
                )
            policy = read_policy(self.reader, name, table, ("policy", name))
            # a policy with mistakes still exists for those that refer to it
            policies[name] = policy if policy is not None else Policy(name, (), "deny")
        return policies

    def _masks(self, document: Mapping[str, Any]) -> tuple[MaskRule, ...]:
        written = document.get("mask", [])
        if not isinstance(written, list):
            self.reader.add(("mask",), "expected a list of tables", "write [[mask]]")
            return ()
        masks = [self.reader.table(table, MaskRule, ("mask", position)) for position, table in enumerate(written)]
        # one that could not be read keeps its place, so that what is found later has the right line
        return tuple(mask if mask is not None else MaskRule("", "") for mask in masks)

    def _listen(self, document: Mapping[str, Any], databases: Mapping[str, Database]) -> tuple[Listen, ...]:
        if "listen" not in document:
            dialects = dict.fromkeys(database.dialect for database in databases.values())
            return tuple(Listen(dialect, "127.0.0.1", DEFAULT_PORTS[dialect]) for dialect in dialects)
        tables = self._tables(document, "listen")
        self.reader.keys(tables, list(Dialect), ("listen",))
        listen = []
        for name, table in tables.items():
            if name in list(Dialect) and (read := self.reader.table(table, ListenTable, ("listen", name))) is not None:
                dialect = Dialect(name)
                port = read.port if read.port is not None else DEFAULT_PORTS[dialect]
                listen.append(Listen(dialect, read.host, port, read.tls_certificate, read.tls_key, read.require_tls))
        return tuple(listen)

    def _database(self, name: str, table: DatabaseTable) -> Database | None:
        at = ("database", name)
        given = self._from_url(table, at)
        dialect = table.dialect or given.get("dialect") or Dialect.POSTGRES
        host, user = table.host or given.get("host"), table.user or given.get("user")
        if not host:
            self.reader.add(
                (*at, "host"), "is missing: where the database is", 'write host = "…" or url = "postgresql://…"'
            )
        if not user:
            self.reader.add((*at, "user"), "is missing: the role that the gateway logs in as", 'write user = "…"')
        return Database(
            name=name,
            dialect=dialect,
            host=host or "localhost",
            port=table.port if table.port is not None else given.get("port") or TARGET_PORTS[dialect],
            dbname=table.dbname or given.get("dbname") or name,
            user=user or "",
            password=table.password,
            tls=table.tls or given.get("tls") or "prefer",
            tls_ca=table.tls_ca,
            policy=table.policy,
            users=table.users,
            groups=table.groups,
            policy_by_group=tuple(table.policy_by_group.items()),
            forbidden_parameters=table.forbidden_parameters,
            connect_timeout_s=table.connect_timeout_s,
        )

    def _from_url(self, table: DatabaseTable, at: tuple[Step, ...]) -> dict[str, Any]:
        if table.url is None:
            return {}
        for key in ("host", "port", "dbname", "user"):
            if getattr(table, key) is not None:
                self.reader.add((*at, key), "is written twice: here and in url")
        try:
            return _url_parts(table.url)
        except WrongValue as error:
            self.reader.add((*at, "url"), *error.args)
            return {"host": "localhost", "user": "unknown"}  # what is wrong has been said

    # -- sections

    def _tables(self, document: Mapping[str, Any], section: str) -> Mapping[str, object]:
        tables = document.get(section, {})
        if not isinstance(tables, Mapping):
            self.reader.add((section,), f"expected tables, found {found(tables)}", f"write [{section}.NAME]")
            return {}
        for name, table in tables.items():
            if not name:
                self.reader.add((section, name), "has an empty name")
            elif not isinstance(table, Mapping):
                self.reader.add((section, name), f"expected a table, found {found(table)}", f"write [{section}.NAME]")
        return {name: table for name, table in tables.items() if isinstance(table, Mapping)}

    def _named(
        self, document: Mapping[str, Any], section: str, kind: type[Any], make: Callable[[str, Any], T | None]
    ) -> dict[str, T]:
        out: dict[str, T] = {}
        for name, table in self._tables(document, section).items():
            read = self.reader.table(table, kind, (section, name))
            if read is not None and (made := make(name, read)) is not None:
                out[name] = made
        return out

    def _single(self, document: Mapping[str, Any], section: str, kind: type[T]) -> T | None:
        return self.reader.table(document.get(section, {}), kind, (section,))


def _at_the_top(problem: Problem, top: Mapping[str, object]) -> Problem:
    if len(problem.path) > 1 and problem.path[1] in top:
        return Problem(problem.path[1:], problem.message, problem.suggestion, problem.severity)
    return problem


def _url_parts(url: str) -> dict[str, Any]:
    """Raises WrongValue. Spec: PostgreSQL, connection URIs."""
    parts = urlsplit(url)
    dialects = {
        "postgresql": Dialect.POSTGRES,
        "postgres": Dialect.POSTGRES,
        "mysql": Dialect.MYSQL,
        "mariadb": Dialect.MYSQL,
    }
    if parts.scheme not in dialects:
        raise WrongValue(
            f"{found(parts.scheme)} is no kind of database", 'write "postgresql://user@host/name" or "mysql://…"'
        )
    if parts.password is not None:
        raise WrongValue("a password is not written here", 'take it out, and write password = { env = "NAME" }')
    try:
        port = parts.port
    except ValueError as error:
        raise WrongValue("the port is not a number from 1 to 65535") from error
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    tls = options.pop("sslmode", None)
    if options or (tls is not None and tls not in TLS_MODES):
        raise WrongValue(f"only sslmode is known after the ?, one of {', '.join(TLS_MODES)}")
    return {
        "dialect": dialects[parts.scheme],
        "host": parts.hostname,
        "port": port,
        "user": unquote(parts.username) if parts.username else None,
        "dbname": unquote(parts.path.lstrip("/")) or None,
        "tls": tls,
    }


def _digest(document: Mapping[str, Any], policies: Mapping[str, Policy]) -> str:
    versions = {name: policy.version for name, policy in policies.items()}
    text = json.dumps([document, versions], sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
