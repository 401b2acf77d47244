"""`make bench-mysql`: sysbench against MariaDB directly, and through a gateway that judges every statement and has its log on.

The routes take turns within one run, so that what else the machine does hits both. Ratios count, not numbers: `bench/README.md`
says how to read them. A transaction of `oltp_read_only` is 14 SELECTs with BEGIN and COMMIT around them; `oltp_read_write` adds
four writes.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import pymysql
from attrs import asdict, frozen
from rich import box
from rich.console import Console
from rich.table import Table

from bench.pgbench import RESULTS, commit, processor
from bench.processes import CpuTime, cpu_time
from bench.table import ratio
from tests.support import programs
from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.servers import Server, Servers

DBNAME = "bench"
TABLES = 4
# The shipped policy, with a rule that lets sysbench's own writes through.
POLICY = f"""
[policy.bench]
pack = "agent-default"

[[policy.bench.rule]]
name = "sysbench-writes"
action = "allow"
when = {{ kinds = ["insert", "update", "delete"], only_relations = ["{DBNAME}.sbtest*"] }}
"""


class SysbenchError(Exception):
    """sysbench failed, or said something that is not understood."""


@frozen
class Route:
    """Where sysbench connects to, and which process stands between (None: nobody)."""

    name: str
    port: int
    user: str
    password: str
    pid: int | None = None


@frozen
class Workload:
    script: str  # oltp_read_only, oltp_read_write
    prepared: bool  # statements prepared once, or sent as text
    threads: int

    def __str__(self) -> str:
        return f"{self.script} {'prepared' if self.prepared else 'text'} {self.threads}"


@frozen
class Measurement:
    """One run of sysbench over one route, or the medians of several."""

    workload: Workload
    route: str
    transactions: int
    tps: float
    mean_ms: float
    p95_ms: float
    user_us: float | None = None  # CPU of the gateway per transaction, in its own code; None: there is none
    system_us: float | None = None  # and in the kernel

    @property
    def cpu_us(self) -> float | None:
        return None if self.user_us is None or self.system_us is None else self.user_us + self.system_us


@click.command()
@click.option("--seconds", default=5, show_default=True, help="Length of one run of sysbench.")
@click.option("--rounds", default=3, show_default=True, help="Runs of each workload over each route; medians count.")
@click.option("--threads", default="1,8", show_default=True, help="Numbers of connections.")
@click.option("--scripts", default="oltp_read_only,oltp_read_write", show_default=True)
@click.option("--modes", default="prepared,text", show_default=True)
@click.option("--rows", default=20_000, show_default=True, help=f"In each of {TABLES} tables.")
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS, help="Folder for the JSON.")
def main(*, seconds: int, rounds: int, threads: str, scripts: str, modes: str, rows: int, output: Path) -> None:
    """Measure throughput, latency and the gateway's CPU per transaction, side by side."""
    workloads = [
        Workload(script, mode == "prepared", int(number))
        for script in scripts.split(",")
        for mode in modes.split(",")
        for number in threads.split(",")
    ]
    console = Console() if sys.stdout.isatty() else Console(width=120)
    with _bench(rows) as (server, routes):
        results = list(_run(workloads, routes, seconds, rounds, rows, console))
    console.print(table(results))
    about = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "plan": {"seconds": seconds, "rounds": rounds, "rows": rows},
        "cpu": processor(),
        "cores": os.cpu_count(),
        "server": server.version,
        "commit": commit(),
    }
    output.mkdir(parents=True, exist_ok=True)
    place = output / f"sysbench-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    kept = {"about": about, "results": [{**asdict(each), "cpu_us": each.cpu_us} for each in results]}
    place.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    console.print(f"kept as {place}")


@contextmanager
def _bench(rows: int) -> Iterator[tuple[Server, list[Route]]]:
    servers = Servers()
    with ExitStack() as stack:
        stack.callback(servers.close)
        server = servers.mariadb()
        settings = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
        with closing(pymysql.connect(**settings)) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
            cursor.execute(f"CREATE DATABASE {DBNAME}")
        direct = Route("direct", server.port, server.user, server.password)
        sysbench(direct, "oltp_read_write", rows, "prepare")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plan = GatewayPlan(server=server, dialect="mysql", dbname=DBNAME, policy="bench", extra=POLICY)
        gateway = stack.enter_context(running_gateway(plan, folder / "gateway"))
        yield server, [direct, Route("wireproxy", gateway.port, "agent", "agent-secret", gateway.process.pid)]


def _run(
    workloads: Sequence[Workload], routes: Sequence[Route], seconds: int, rounds: int, rows: int, console: Console
) -> Iterator[Measurement]:
    for workload in workloads:
        runs: dict[str, list[Measurement]] = {route.name: [] for route in routes}
        for _ in range(rounds):
            for route in routes:
                runs[route.name].append(measure(route, workload, seconds, rows))
        middle = [median(each) for each in runs.values()]
        console.print(f"  {workload}: " + "  ".join(f"{each.route} {each.tps:,.0f} tps" for each in middle))
        yield from middle


def measure(route: Route, workload: Workload, seconds: int, rows: int) -> Measurement:
    before = cpu_time(route.pid) if route.pid else None
    said = sysbench(
        route, workload.script, rows, f"--threads={workload.threads}", f"--time={seconds}",
        f"--db-ps-mode={'auto' if workload.prepared else 'disable'}", "run",
    )  # fmt: skip
    used: CpuTime | None = cpu_time(route.pid) - before if route.pid and before else None
    transactions, tps, mean_ms, p95_ms = read_summary(said)
    return Measurement(
        workload=workload,
        route=route.name,
        transactions=transactions,
        tps=tps,
        mean_ms=mean_ms,
        p95_ms=p95_ms,
        user_us=used.user_s / transactions * 1e6 if used else None,
        system_us=used.system_s / transactions * 1e6 if used else None,
    )


def sysbench(route: Route, script: str, rows: int, *arguments: str) -> str:
    tool = programs.sysbench()
    command = [
        *tool.command, tool.root / f"usr/share/sysbench/{script}.lua", "--db-driver=mysql", "--mysql-host=127.0.0.1",
        f"--mysql-port={route.port}", f"--mysql-user={route.user}", f"--mysql-password={route.password}",
        f"--mysql-db={DBNAME}", f"--tables={TABLES}", f"--table-size={rows}", *arguments,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **tool.environment})
    if done.returncode:
        raise SysbenchError(f"{script} {' '.join(arguments)} over {route.name}:\n{done.stdout}{done.stderr}")
    return done.stdout


def read_summary(said: str) -> tuple[int, float, float, float]:
    """Transactions, transactions a second, mean latency and its 95th percentile in ms."""
    patterns = (
        r"transactions: +(\d+) ", r"transactions: .*\(([\d.]+) per sec", r"avg: +([\d.]+)", r"95th percentile: +([\d.]+)",
    )  # fmt: skip
    found = [match.group(1) for pattern in patterns if (match := re.search(pattern, said)) is not None]
    if len(found) < len(patterns) or not int(found[0]):
        raise SysbenchError(f"a summary without its numbers:\n{said}")
    return int(found[0]), float(found[1]), float(found[2]), float(found[3])


def median(rounds: Sequence[Measurement]) -> Measurement:
    first = rounds[0]

    def middle(name: str) -> float:
        return float(statistics.median(getattr(each, name) for each in rounds))

    split = first.user_us is not None
    return Measurement(
        workload=first.workload,
        route=first.route,
        transactions=sum(each.transactions for each in rounds),
        tps=middle("tps"),
        mean_ms=middle("mean_ms"),
        p95_ms=middle("p95_ms"),
        user_us=middle("user_us") if split else None,
        system_us=middle("system_us") if split else None,
    )


def table(results: Sequence[Measurement]) -> Table:
    """One line for each workload and route. Ratios are to the direct run of the same workload."""
    shown = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1))
    for name in ("workload", "route"):
        shown.add_column(name, no_wrap=True)
    for name in ("tps", "/direct", "mean ms", "/direct", "p95 ms", "CPU µs/tx", "user + system"):
        shown.add_column(name, justify="right", no_wrap=True)
    for workload in dict.fromkeys(each.workload for each in results):
        routes = [each for each in results if each.workload == workload]
        direct = next((each for each in routes if each.route == "direct"), None)
        for each in routes:
            cpu, split = "", ""
            if each.cpu_us is not None:
                cpu, split = f"{each.cpu_us:.0f}", f"{each.user_us:.0f} + {each.system_us:.0f}"
            shown.add_row(
                str(workload) if each is routes[0] else "", each.route, f"{each.tps:,.0f}",
                ratio(each.tps, direct.tps if direct else None), f"{each.mean_ms:.2f}",
                ratio(each.mean_ms, direct.mean_ms if direct else None), f"{each.p95_ms:.2f}", cpu, split,
            )  # fmt: skip
        shown.add_section()
    return shown


if __name__ == "__main__":
    sys.exit(main())
