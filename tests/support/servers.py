"""Real servers for the tests: named by the environment, or started on loopback from programs found or unpacked.

A server that cannot be had fails the test that asks for it with a line that says what to install; nothing is skipped.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import Popen
from urllib.parse import unquote, urlsplit

import psycopg
import trustme
from attrs import define, evolve, field, frozen

from tests.support import programs
from tests.support.mysql_server import start_mysql
from tests.support.programs import Missing, MysqlFamily, Programs
from wireproxy.demo.cluster import Plan, start_cluster
from wireproxy.demo.unprivileged import Account, make_folder, reachable, server_account, stop

# wal_level and prepared transactions for PostgreSQL's own tests; connections for pgbench with 32 clients on each side
SETTINGS = {
    "max_connections": "200",
    "max_prepared_transactions": "20",
    "wal_level": "logical",
    "shared_preload_libraries": "pg_stat_statements",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "shared_buffers": "128MB",
    "timezone": "UTC",
}
HOST_RULES = (
    "host all md5_user 127.0.0.1/32 md5",
    "host all trust_user 127.0.0.1/32 trust",
    "host all cleartext_user 127.0.0.1/32 password",
)
EXTRA_USERS = """
    SET password_encryption = 'md5'; CREATE ROLE md5_user LOGIN PASSWORD 'md5-secret'; RESET password_encryption;
    CREATE ROLE trust_user LOGIN;
    CREATE ROLE cleartext_user LOGIN PASSWORD 'cleartext-secret';
    CREATE ROLE scram_user LOGIN PASSWORD 'scram-secret';
"""


@frozen
class Server:
    """A database server, with an account that may do everything."""

    host: str
    port: int
    user: str
    password: str
    dbname: str
    version: str
    programs: Programs | None = None  # of PostgreSQL
    tls_ca: Path | None = None  # whoever signed its certificate; None: no TLS
    folder: Path | None = None  # where a server of our own keeps its files; None: it belongs to somebody else
    process: Popen[bytes] | None = None

    def dsn(self, dbname: str | None = None, user: str | None = None, password: str | None = None) -> str:
        """A connection string in PostgreSQL's form."""
        who = f"{user or self.user}:{self.password if password is None else password}"
        return f"postgresql://{who}@{self.host}:{self.port}/{dbname or self.dbname}"


@define
class Servers:
    """Starts each server once, when it is first asked for, and ends those it started."""

    folder: Path | None = None
    account: Account = field(factory=server_account)
    _running: dict[str, Server] = field(factory=dict)

    def postgres(self) -> Server:
        return self._one("postgres", "WIREPROXY_TEST_POSTGRES", lambda: self._start_postgres("postgres"))

    def postgres18(self) -> Server:
        return self._one("postgres18", "WIREPROXY_TEST_POSTGRES18", lambda: self._start_postgres("postgres18"))

    def mariadb(self) -> Server:
        family = programs.mariadb_programs
        return self._one("mariadb", "WIREPROXY_TEST_MARIADB", lambda: self._start_mysql("mariadb", family()))

    def mariadb_with_plugins(self) -> Server:
        """One more MariaDB, for plug-ins that are not in the core of its server."""

        def start() -> Server:
            family = evolve(programs.mariadb_programs(), plugins=programs.mariadb_plugins())
            return self._start_mysql("mariadb-plugins", family)

        return self._one("mariadb-plugins", "", start)

    def mysql(self) -> Server:
        family = programs.mysql_programs
        return self._one("mysql", "WIREPROXY_TEST_MYSQL", lambda: self._start_mysql("mysql", family()))

    def another_postgres(self, name: str) -> Server:
        """One more cluster like `postgres`, for tests that change what all databases of a cluster share."""
        return self._one(name, "", lambda: self._start_postgres(name))

    @property
    def running(self) -> dict[str, Server]:
        return dict(self._running)

    def close(self) -> None:
        def end(name: str) -> None:
            process = self._running[name].process
            if process is not None:
                stop(process, signal.SIGTERM if name in ("mariadb", "mariadb-plugins", "mysql") else signal.SIGINT)

        with ThreadPoolExecutor() as pool:  # each takes its seconds; none waits for another
            list(pool.map(end, self._running))
        self._running.clear()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def _one(self, name: str, variable: str, make: Callable[[], Server]) -> Server:
        if name not in self._running:
            given = os.environ.get(variable) if variable else None
            self._running[name] = _given(given, variable) if given else make()
        return self._running[name]

    def _place(self) -> Path:
        if self.folder is None:
            self.folder = make_folder(self.account, "wireproxy-servers-")
        return self.folder

    def _start_postgres(self, name: str) -> Server:
        found = programs.postgres18_programs() if name == "postgres18" else programs.postgres_programs()
        place = self._place()
        folder = reachable(self.account, found.folder.parent, place) / "bin"
        if found.library_path is not None:
            folder = found.folder  # an unpacked tree lies where everybody may read it, and must stay whole
        tls = name != "postgres18"
        certificate = _certificate(place, name) if tls else None
        plan = Plan(
            programs=folder,
            folder=place,
            name=name,
            settings={**SETTINGS, "unix_socket_directories": str(_sockets(place, self.account))},
            host_rules=("local all all scram-sha-256", *HOST_RULES),
            environment=found.environment,
            certificate=certificate,
        )
        cluster = start_cluster(plan)
        with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
            connection.execute(EXTRA_USERS)
        return Server(
            host="127.0.0.1",
            port=cluster.port,
            user="postgres",
            password=cluster.password,
            dbname="postgres",
            version=f"{found.version()}, {found.origin}",
            programs=Programs(folder=folder, origin=found.origin, library_path=found.library_path),
            tls_ca=place / f"{name}-ca.pem" if tls else None,
            folder=place,
            process=cluster.process,
        )

    def _start_mysql(self, name: str, family: MysqlFamily) -> Server:
        place = self._place()
        started = start_mysql(family, place, name, _certificate(place, name))
        return Server(
            host="127.0.0.1",
            port=started.port,
            user="root",
            password=started.password,
            dbname="test",
            version=started.version,
            tls_ca=place / f"{name}-ca.pem",
            folder=place,
            process=started.process,
        )


def _given(dsn: str, variable: str) -> Server:
    """A server that somebody else started: `postgresql://user:password@host:port/database` or `mysql://…`."""
    parts = urlsplit(dsn)
    if not parts.hostname or not parts.username:
        raise Missing(
            f"{variable} must be a URL with host and user: postgresql://postgres:secret@127.0.0.1:5432/postgres"
        )
    postgres = parts.scheme.startswith("postgres")
    server = Server(
        host=parts.hostname,
        port=parts.port or (5432 if postgres else 3306),
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        dbname=parts.path.lstrip("/") or ("postgres" if postgres else "test"),
        version=f"given by {variable}",
        programs=programs.postgres_programs() if postgres else None,
    )
    if postgres:
        with psycopg.connect(server.dsn()) as connection:
            version = connection.info.parameter_status("server_version")
        return evolve(server, version=f"PostgreSQL {version}, {server.version}")
    return server


def _sockets(place: Path, account: Account) -> Path:
    folder = place / "sockets"
    if not folder.exists():
        folder.mkdir()
        account.own(folder)
    return folder


def _certificate(place: Path, name: str) -> tuple[bytes, bytes]:
    """A certificate and its key for localhost, in PEM; the authority that signed it is left in `NAME-ca.pem`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(place / f"{name}-ca.pem"))
    issued = authority.issue_cert("localhost", "127.0.0.1")
    return b"".join(blob.bytes() for blob in issued.cert_chain_pems), issued.private_key_pem.bytes()
