"""By what recorded sessions are judged anew, and how each of them read its texts.

Without a configuration a session is judged by its policy alone. Live, by the catalog and the masks that its database has now, read
over a side connection as the running gateway reads them. Settings are followed as far as statements that ended well set them to
constants: the search_path or the current database, sql_mode and character sets.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import Protocol

from attrs import define, evolve, field, frozen

from protocols.base import ProtocolError
from protocols.postgres.options import flatten_parameters
from rules.judge import Judge
from rules.length import is_long
from rules.model import Dialect, Effect, Identity, Judgement, Kind, Namespace, Statement
from rules.policy import Policy
from wireproxy.cli.calls import Failed
from wireproxy.cli.dry_judge import version_number
from wireproxy.config.model import Config, Limits
from wireproxy.dialects import DIALECTS
from wireproxy.identity import policy_for
from wireproxy.judgement.workers import Workers
from wireproxy.log.records import SessionStart
from wireproxy.mysql.namespace import MySqlNamespace
from wireproxy.namespace import PostgresNamespace
from wireproxy.target import CatalogError, Target, quoted_path

# A function that nobody knows may change any setting. It hardly ever does, and what follows is a trial.
_HARDLY_EVER = frozenset({Effect.UNKNOWN, Effect.CODE, Effect.DYNAMIC_SQL})
_REPORTED = frozenset({"client_encoding", "standard_conforming_strings"})  # by the server, which the log does not keep
_MOVES = frozenset({Effect.NAMESPACE, Effect.LEXING, Effect.ROLE})
_PENDING = 1_000  # statements whose end is awaited at once, of one session: a pipeline


@frozen
class Live:
    """The databases as they are now."""

    config: Config
    policy: Policy | None  # None: the one that the configuration has for the database and the identity


class Judges:
    """One judge for each database and identity, and workers for long texts, as in the gateway."""

    def __init__(self, policy: Policy, live: Live | None = None) -> None:
        limits = Limits() if live is None else live.config.limits
        self._workers = Workers(1, limits.judging_worker_bytes, limits.judging_s)
        self._policy = policy
        self._live = live
        self._targets: dict[str, tuple[Target, Namespace] | None] = {}
        self._judges: dict[tuple[str, str, Identity], Judge] = {}
        self.unknown: set[str] = set()  # databases of the log that the configuration does not have (any more)

    async def judge(self, judge: Judge, text: bytes, namespace: Namespace, minute: int) -> Judgement:
        """A text that could end this process is judged in another one."""
        if is_long(text):
            return await self._workers.judge(judge, text, namespace, minute)
        return judge.judge(text, namespace, minute)

    async def open(self, start: SessionStart) -> Session:
        """Raises Failed where the catalog of its database cannot be read."""
        identity = _identity(start)
        dialect = Dialect(start.dialect)
        found = await self._target(start, dialect)
        namespace = _as_recorded(start, dialect) if found is None else found[1]
        key = (start.dialect, start.database, identity)
        judge = self._judges.get(key)
        if judge is None:
            if found is None:
                judge = Judge(dialect, self._policy, start.database, identity, None, None)
            else:
                judge = (await found[0].bench_under(self._policy_of(found[0], identity), identity)).judge
            self._judges[key] = judge
        followed = FollowedMySql(namespace, start) if dialect is Dialect.MYSQL else FollowedPostgres(namespace, start)
        return Session(start, judge, followed)

    async def _target(self, start: SessionStart, dialect: Dialect) -> tuple[Target, Namespace] | None:
        if self._live is None:
            return None
        if start.database not in self._targets:
            database = self._live.config.databases.get(start.database)
            if database is None or database.dialect is not dialect:
                self.unknown.add(start.database)
                self._targets[start.database] = None
                return None
            # hashes and pseudonyms are not made here, so the gateway's own key is not needed
            target = DIALECTS[dialect].target(database, self._live.config, os.urandom(32), self._workers)
            try:
                await target.refresh()
                self._targets[start.database] = target, await target.namespace_at_start()
            except CatalogError as error:
                raise Failed(f"{error}") from None
        return self._targets[start.database]

    def _policy_of(self, target: Target, identity: Identity) -> Policy:
        assert self._live is not None
        return self._live.policy or self._live.config.policies[policy_for(target.database, identity)]

    async def aclose(self) -> None:
        await self._workers.aclose()


class Followed(Protocol):
    """How a session reads its texts at the moment."""

    @property
    def current(self) -> Namespace: ...

    def arrives(self, transaction: str) -> None:
        """A statement, with the state that the transaction was in when it came: I, T, E."""

    def ends(self, statement: Statement, tag: str, /) -> None:
        """It ended well."""

    def fails(self) -> None: ...


class FollowedPostgres:
    def __init__(self, namespace: Namespace, start: SessionStart) -> None:
        try:
            asked = {name.lower(): value for name, value in flatten_parameters(start.parameters).items()}
        except ProtocolError:
            asked = {}  # the gateway refused them as well
        self._namespace = PostgresNamespace(
            {
                "server_encoding": namespace.server_encoding or "UTF8",
                "standard_conforming_strings": asked.get(
                    "standard_conforming_strings", "on" if namespace.standard_conforming_strings else "off"
                ),
                "client_encoding": asked.get("client_encoding", "UTF8"),
            },
            namespace.user or "",
            asked.get("search_path", quoted_path(namespace.search_path)),
            namespace.server_version,
        )

    @property
    def current(self) -> Namespace:
        return self._namespace.current

    def arrives(self, transaction: str) -> None:
        self._namespace.ready(transaction)

    def ends(self, statement: Statement, tag: str) -> None:
        self._namespace.completed(evolve(statement, effects=statement.effects - _HARDLY_EVER), tag.encode())
        for setting in statement.settings:
            if statement.kind is Kind.SET and setting.value is not None and setting.name in _REPORTED:
                self._namespace.reported(setting.name, setting.value)

    def fails(self) -> None:
        self._namespace.failed()


class FollowedMySql:
    def __init__(self, namespace: Namespace, start: SessionStart) -> None:
        version = start.server_version if start.server_version else "8.0.36"
        row = [
            ",".join(sorted(namespace.sql_mode)),
            namespace.charset,
            start.target_dbname,
            "SYSTEM",
            "1",
            "utf8mb4",
            version,
        ]
        self._namespace = MySqlNamespace([*(each.encode() for each in row), (namespace.user or "").encode()])

    @property
    def current(self) -> Namespace:
        return self._namespace.current

    def arrives(self, transaction: str) -> None:
        """Nothing hangs on it: settings outlive transactions."""

    def ends(self, statement: Statement, _tag: str) -> None:
        self._namespace.completed(statement)
        for setting in statement.settings:
            if setting.value is None or setting.scope != "session":
                continue
            match setting.name:
                case "database":
                    self._namespace.reported("schema", setting.value)
                case "names" | "character_set_client":
                    self._namespace.reported("character_set_client", setting.value)
                case "sql_mode":
                    self._namespace.reported("sql_mode", setting.value)

    def fails(self) -> None:
        """An error leaves the settings as they are."""


@define
class Session:
    """A recorded session that is gone through once more."""

    start: SessionStart
    judge: Judge
    followed: Followed
    _pending: OrderedDict[int, list[Statement]] = field(factory=OrderedDict)

    def sent(self, ticket: int, statements: tuple[Statement, ...]) -> None:
        if any(each.settings or each.transaction or not each.effects.isdisjoint(_MOVES) for each in statements):
            self._pending[ticket] = list(statements)
            if len(self._pending) > _PENDING:
                self._pending.popitem(last=False)

    def ended(self, ticket: int, tag: str) -> None:
        """The next statement of a text has ended well."""
        statements = self._pending.get(ticket)
        if statements:
            self.followed.ends(statements.pop(0), tag)
        if not statements:
            self._pending.pop(ticket, None)

    def failed(self, ticket: int | None) -> None:
        self._pending.pop(ticket if ticket is not None else -1, None)
        self.followed.fails()


def _identity(start: SessionStart) -> Identity:
    source = start.source if start.source in ("user", "oidc", "local") else "user"
    return Identity(start.identity, frozenset(start.groups), source, start.issuer, start.subject)  # type: ignore[arg-type]


def _as_recorded(start: SessionStart, dialect: Dialect) -> Namespace:
    try:
        number, mariadb = version_number(dialect, start.server_version)
    except Failed:
        number, mariadb = (180000, False) if dialect is Dialect.POSTGRES else (80036, False)
    if dialect is Dialect.MYSQL:
        return Namespace(database=start.target_dbname, server_version=number, mariadb=mariadb)
    return Namespace(search_path=("public",), server_version=number)
