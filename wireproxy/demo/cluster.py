"""A throw-away PostgreSQL: a cluster made from a folder of programs, on a free port of loopback."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import cycle
from pathlib import Path
from subprocess import Popen

import psycopg
from attrs import define, field, frozen

from wireproxy.demo.unprivileged import Account, server_account, start, stop

START_S = 60.0  # initdb and the first start take two seconds; a loaded machine gets thirty times that

_SHARES = 64
_OUTGOING_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")

# Durability is not asked of what is deleted in the end.
FAST: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class ClusterError(Exception):
    """A server could not be made or started. The message ends with what the server itself said."""


@frozen
class Plan:
    """How a cluster is to be: `settings` go into postgresql.conf, `host_rules` are the first lines of pg_hba.conf."""

    programs: Path  # the folder with initdb and postgres
    folder: Path  # exists, and `account` may enter it
    name: str = "postgres"
    settings: Mapping[str, str] = field(factory=dict)
    host_rules: Sequence[str] = ()
    environment: Mapping[str, str] = field(factory=dict)
    certificate: tuple[bytes, bytes] | None = None  # PEM of certificate and key: TLS on


@define
class Cluster:
    """A running server. The superuser is `postgres`."""

    plan: Plan
    host: str
    port: int
    password: str
    process: Popen[bytes]

    def dsn(self, dbname: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        return f"postgresql://{user}:{password or self.password}@{self.host}:{self.port}/{dbname}"

    def stop(self) -> None:
        stop(self.process, signal.SIGINT)  # "fast shutdown": sessions are ended, nothing is waited for


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody has, out of those that no outgoing connection is given between now and the server's own bind.

    Nor is it given twice in that time: a process deals its ports out in turn, and those that look at the same time, as
    the workers of a test run, have different ones, as long as fewer than `_SHARES` processes were started in between.
    """
    share = _share(os.getpid())
    for _ in range(200):
        port = next(share)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((host, port))
            return port
    raise ClusterError("no port is free")


@lru_cache(maxsize=1)  # a process that was forked has a share of its own
def _share(process_id: int) -> Iterator[int]:
    """The ports of this process, again and again in an order of its own."""
    mine = list(_quiet_ports()[process_id % _SHARES :: _SHARES])
    secrets.SystemRandom().shuffle(mine)
    return cycle(mine)


def _quiet_ports() -> range:
    """Below those that the system itself hands out."""
    try:
        first = int(_OUTGOING_PORTS.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        first = 32768  # Linux's own default
    return range(12_000, first) if first > 14_000 else range(20_000, 32_000)


def start_cluster(plan: Plan) -> Cluster:
    """Makes a cluster and waits until it answers. Raises `ClusterError`."""
    account = server_account()
    data = plan.folder / plan.name
    password = secrets.token_urlsafe(18)
    _initialize(plan, account, data, password)
    port = free_port()
    _configure(plan, account, data, port)
    log = plan.folder / f"{plan.name}.log"
    process = start(account, [plan.programs / "postgres", "-D", data], log, plan.environment)
    cluster = Cluster(plan=plan, host="127.0.0.1", port=port, password=password, process=process)
    try:
        _await_ready(cluster, log)
    except BaseException:
        cluster.stop()
        raise
    return cluster


def _initialize(plan: Plan, account: Account, data: Path, password: str) -> None:
    data.mkdir(mode=0o700)
    account.own(data)
    secret = plan.folder / f"{plan.name}.password"
    secret.touch(mode=0o600)
    secret.write_text(password + "\n", encoding="ascii")
    account.own(secret)
    log = plan.folder / f"{plan.name}.log"
    place = ["-D", str(data), f"--pwfile={secret}"]
    kind = ["-U", "postgres", "-A", "scram-sha-256", "--no-sync", "--no-locale", "-E", "UTF8"]
    process = start(account, [plan.programs / "initdb", *place, *kind], log, plan.environment)
    try:
        status = process.wait(START_S)
    finally:
        stop(process, signal.SIGTERM)
        secret.unlink()
    if status:
        raise ClusterError(f"initdb ended with status {status}:\n{tail(log)}")


def _configure(plan: Plan, account: Account, data: Path, port: int) -> None:
    settings = {
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
        **FAST,
        **plan.settings,
    }
    if plan.certificate is not None:
        settings["ssl"] = "on"
        for name, content in zip(("server.crt", "server.key"), plan.certificate, strict=True):
            _write_private(data / name, content, account)
    with (data / "postgresql.conf").open("a", encoding="ascii") as conf:
        conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    everyone = ("host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256")
    rules = [*plan.host_rules, *everyone]
    (data / "pg_hba.conf").write_text("\n".join(rules) + "\n", encoding="ascii")


def _write_private(path: Path, content: bytes, account: Account) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
    account.own(path)


def _await_ready(cluster: Cluster, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if cluster.process.poll() is not None:
            raise ClusterError(f"the server ended with status {cluster.process.returncode}:\n{tail(log)}")
        try:
            psycopg.connect(cluster.dsn(), connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.03)
        else:
            return
    raise ClusterError(f"the server did not answer within {START_S:.0f} s:\n{tail(log)}")


def tail(log: Path, lines: int = 12) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
