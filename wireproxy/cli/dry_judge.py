"""A judge without a gateway: what `check` and `policy` judge statements with. It knows no catalog, unless told no masks."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
from attrs import field, frozen

from rules.config import pack, policy_converter, read_policy
from rules.judge import Judge
from rules.model import Dialect, Identity, Namespace
from rules.packs import PACKS
from rules.policy import Policy
from rules.structuring import Reader, dotted, nearest
from wireproxy.cli.calls import CONFIG_PLACES, Failed
from wireproxy.config.locate import line_of, locate

Command = TypeVar("Command", bound=Callable[..., object])

_VERSION = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?")
_NEWEST = {Dialect.POSTGRES: "18", Dialect.MYSQL: "8.0.36"}


@frozen
class Circumstances:
    """Who would send the statement, where to, and under which settings."""

    dialect: Dialect = Dialect.POSTGRES
    server_version: str | None = None
    search_path: str | None = None
    user: str = "agent"
    groups: tuple[str, ...] = ()
    database: str | None = None
    policy: Policy = field(factory=lambda: pack("agent-default"))

    def judge(self) -> Judge:
        identity = Identity(self.user, frozenset(self.groups))
        return Judge(self.dialect, self.policy, self.database or "", identity, None, None)

    def namespace(self) -> Namespace:
        """Raises Failed for a version that is none."""
        written = self.server_version or _NEWEST[self.dialect]
        number, mariadb = version_number(self.dialect, written)
        if self.dialect is Dialect.MYSQL:
            return Namespace(database=self.search_path or self.database or "db", server_version=number, mariadb=mariadb)
        path = tuple(part.strip().strip('"') for part in (self.search_path or "public").split(","))
        return Namespace(search_path=path, server_version=number)


def version_number(dialect: Dialect, written: str) -> tuple[int, bool]:
    """`15`, `15.4`, `150004`; `8.0.36`; `10.11.6-MariaDB`. The number as the server gives it; whether it is MariaDB.

    Raises Failed.
    """
    found = _VERSION.match(written)
    if found is None:
        raise Failed(f"{written!r} is no server version: write 18, 15.4, 8.0.36 or 10.11.6-MariaDB")
    major, middle, minor = (int(part or 0) for part in found.groups())
    if dialect is Dialect.POSTGRES:
        return (major if major >= 10_000 else major * 10_000 + middle), False
    return major * 10_000 + middle * 100 + minor, "mariadb" in written.lower() or major >= 10


def judges(command: Command) -> Command:
    """Adds the options that say how to judge; the command gets them as keyword arguments of `circumstances`."""
    options = (
        click.option("--dialect", type=click.Choice([dialect.value for dialect in Dialect]), default="postgres",
                     show_default=True, help="Which database reads the statement."),
        click.option("--policy", "policy_name", metavar="P",
                     help="A pack, a policy of the configuration, or a TOML file of rules  [agent-default]"),
        click.option("-c", "--config", "config_option", type=click.Path(path_type=Path, dir_okay=False),
                     envvar="WIREPROXY_CONFIG", help="The configuration in which the policy is."),
        click.option("--server-version", metavar="V", help="As 15, 18.1, 8.0.36 or 10.11.6-MariaDB  [18, 8.0.36]"),
        click.option("--search-path", metavar="PATH", help="The schemas of unqualified names; MySQL: the database  [public]"),
        click.option("--as", "user", metavar="USER", default="agent", show_default=True, help="Who would send it."),
        click.option("--group", "groups", metavar="GROUP", multiple=True, help="A group that the user is in."),
        click.option("--database", metavar="NAME", help="The database, by its name in the configuration."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def circumstances(
    dialect: str,
    policy_name: str | None,
    config_option: Path | None,
    server_version: str | None,
    search_path: str | None,
    user: str,
    groups: tuple[str, ...],
    database: str | None,
) -> Circumstances:
    """Raises Failed."""
    policy = find_policy(policy_name, config_option, database)
    return Circumstances(Dialect(dialect), server_version, search_path, user, groups, database, policy)


def find_policy(name: str | None, config_option: Path | None, database: str | None = None) -> Policy:
    """A pack, a policy of the configuration, or a file. Raises Failed with what there is."""
    if name is not None and (name.endswith(".toml") or "/" in name):
        return read_policy_file(Path(name))
    if config_option is None and (name in PACKS or (name is None and database is None)):
        return pack(name or "agent-default")
    path = config_option or next((place for place in CONFIG_PLACES if place.is_file()), None)
    if path is None:
        known = ", ".join(PACKS)
        raise Failed(f"there is no pack {name!r} ({known}), and no wireproxy.toml here: name one with -c")
    return _from_config(path, name, database)


def _from_config(path: Path, name: str | None, database: str | None) -> Policy:
    from wireproxy.config.load import ConfigErrors, load

    try:
        config = load(path)
    except ConfigErrors as error:
        raise Failed(str(error)) from None
    if name is None and database is not None:
        if database not in config.databases:
            raise Failed(f"there is no database {database!r} in {path}; {nearest(database, config.databases)}")
        name = config.databases[database].policy
    name = name or "agent-default"
    if name not in config.policies:
        suggestion = nearest(name, config.policies) or f"there are {', '.join(sorted(config.policies))}"
        raise Failed(f"there is no policy {name!r} in {path}; {suggestion}")
    return config.policies[name]


def read_policy_file(path: Path) -> Policy:
    """A file with the rules of one policy, as the packs are written. Raises Failed with every mistake."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise Failed(f"{path}: {error}") from None
    reader = Reader(policy_converter())
    policy = read_policy(reader, path.stem, table, ())
    if policy is None:
        lines = locate(text)
        raise Failed(
            "\n".join(
                f"{path}:{line_of(lines, each.path)}: {dotted(each.path)}: {each.message}"
                + (f"; {each.suggestion}" if each.suggestion else "")
                for each in reader.problems
                if each.severity == "error"
            )
        )
    return policy
