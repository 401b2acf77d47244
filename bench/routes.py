"""The three ways from pgbench to the same PostgreSQL: directly, through pgbouncer, through the gateway."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

from attrs import frozen

from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.programs import pgbouncer
from tests.support.servers import Server
from wireproxy.demo.cluster import free_port, tail
from wireproxy.demo.unprivileged import server_account, start, stop

# The shipped policy, with a rule that lets pgbench's own writes through; the log is on.
POLICY = """
[policy.bench]
pack = "agent-default"

[[policy.bench.rule]]
name = "tellers-write"
action = "allow"
when = { kinds = ["insert", "update"], only_relations = ["public.pgbench_*"] }
"""


@frozen
class Route:
    """Where pgbench connects to, and which process stands between (None: nobody)."""

    name: str
    dsn: str
    pid: int | None = None


@contextmanager
def pgbouncer_route(server: Server, folder: Path, dbname: str) -> Iterator[Route]:
    """pgbouncer in session mode, its log as Debian sets it up."""
    program, environment = pgbouncer()
    account = server_account()
    place = folder / "pgbouncer"
    place.mkdir()
    account.own(place)
    port = free_port()
    accounts = place / "userlist.txt"
    accounts.touch(mode=0o600)
    accounts.write_text(f'"{server.user}" "{server.password}"\n', encoding="ascii")
    account.own(accounts)
    settings = place / "pgbouncer.ini"
    settings.write_text(
        "[databases]\n"
        f"{dbname} = host={server.host} port={server.port} dbname={dbname}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {accounts}\n"
        "pool_mode = session\nmax_client_conn = 200\ndefault_pool_size = 100\n",
        encoding="ascii",
    )
    process = start(account, [program, settings], log := place / "pgbouncer.log", environment)
    try:
        _await_port(process, port, log)
        yield Route("pgbouncer", f"postgresql://{server.user}:{server.password}@127.0.0.1:{port}/{dbname}", process.pid)
    finally:
        stop(process, signal.SIGINT)


@contextmanager
def gateway_route(server: Server, folder: Path, dbname: str) -> Iterator[Route]:
    plan = GatewayPlan(server=server, dbname=dbname, policy="bench", extra=POLICY)
    with running_gateway(plan, folder / "gateway") as gateway:
        yield Route("wireproxy", gateway.dsn(), gateway.process.pid)


def _await_port(process: Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"pgbouncer did not answer:\n{tail(log)}")
