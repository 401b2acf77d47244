"""`make bench`: pgbench against PostgreSQL directly, through pgbouncer in session mode and through the gateway.

The three routes take turns within one run, so that what else the machine does hits all of them. Ratios count, not
numbers: `bench/README.md` says how to read them.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import psycopg
from attrs import asdict, frozen
from rich.console import Console

from bench.chart import chart
from bench.measurements import Measurement, PgbenchError, Workload, median, read_latencies, read_summary
from bench.processes import cpu_time
from bench.routes import Route, gateway_route, pgbouncer_route
from bench.table import table
from tests.support.programs import pgbouncer
from tests.support.servers import Server, Servers
from wireproxy.demo.unprivileged import make_folder, server_account

RESULTS = Path(__file__).parent / "results"
DBNAME = "bench"
THREADS = 1  # of pgbench: on two cores it must leave room for the server and the proxy
SAMPLED = 0.1  # of the transactions, for the percentiles


@frozen
class Plan:
    scripts: Sequence[str]
    protocols: Sequence[str]
    clients: Sequence[int]
    routes: Sequence[str]
    seconds: int
    rounds: int
    scale: int

    def workloads(self) -> list[Workload]:
        return [Workload(s, p, c) for s in self.scripts for p in self.protocols for c in self.clients]


@click.command()
@click.option("--seconds", default=5, show_default=True, help="Length of one run of pgbench.")
@click.option(
    "--rounds", default=2, show_default=True, help="Runs of each workload over each route; the median counts."
)
@click.option("--clients", default="1,8,32", show_default=True, help="Numbers of clients.")
@click.option("--protocols", default="simple,extended,prepared", show_default=True)
@click.option("--scripts", default="select-only,tpcb-like", show_default=True)
@click.option("--routes", default="direct,pgbouncer,wireproxy", show_default=True)
@click.option("--scale", default=10, show_default=True, help="pgbench's scale: 100,000 accounts each.")
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS, help="Folder for the JSON and the chart.")
def main(
    *, seconds: int, rounds: int, clients: str, protocols: str, scripts: str, routes: str, scale: int, output: Path
) -> None:
    """Measure throughput, latency and the proxy's CPU per transaction, side by side."""
    plan = Plan(
        scripts=scripts.split(","),
        protocols=protocols.split(","),
        clients=[int(number) for number in clients.split(",")],
        routes=routes.split(","),
        seconds=seconds,
        rounds=rounds,
        scale=scale,
    )
    console = Console() if sys.stdout.isatty() else Console(width=132)
    with _bench(plan) as (server, ways):
        results = list(_run(plan, server, ways, console))
        about = _about(plan, server)
    console.print(table(results))
    _keep(output, about, results, console)


@contextmanager
def _bench(plan: Plan) -> Iterator[tuple[Server, list[Route]]]:
    servers = Servers()
    with ExitStack() as stack:
        stack.callback(servers.close)
        server = servers.postgres()
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DBNAME}")
        # scale 10 fits into memory; the log to stderr shows a failure only
        _pgbench(server, server.dsn(DBNAME), ["-i", "-q", "-s", str(plan.scale)])
        folder = make_folder(server_account(), "wireproxy-bench-")
        stack.callback(lambda: subprocess.run(["rm", "-rf", folder], check=True))
        ways = [Route("direct", server.dsn(DBNAME))]
        if "pgbouncer" in plan.routes:
            ways.append(stack.enter_context(pgbouncer_route(server, folder, DBNAME)))
        if "wireproxy" in plan.routes:
            ways.append(stack.enter_context(gateway_route(server, folder, DBNAME)))
        yield server, [way for way in ways if way.name in plan.routes]


def _run(plan: Plan, server: Server, ways: Sequence[Route], console: Console) -> Iterator[Measurement]:
    workloads = plan.workloads()
    minutes = len(workloads) * len(ways) * plan.rounds * (plan.seconds + 0.3) / 60
    console.print(f"{len(workloads)} workloads, {len(ways)} routes, {plan.rounds} rounds: about {minutes:.0f} min")
    for workload in workloads:
        runs: dict[str, list[Measurement]] = {way.name: [] for way in ways}
        for _ in range(plan.rounds):
            for way in ways:
                runs[way.name].append(_measure(server, way, workload, plan.seconds))
        middle = [median(each) for each in runs.values()]
        console.print(f"  {workload}: " + "  ".join(f"{each.route} {each.tps:,.0f} tps" for each in middle))
        yield from middle


def _measure(server: Server, way: Route, workload: Workload, seconds: int) -> Measurement:
    with tempfile.TemporaryDirectory() as scratch:
        arguments = [
            *("-n", "-b", workload.script, "-M", workload.protocol),
            *("-c", str(workload.clients), "-j", str(THREADS), "-T", str(seconds)),
            *("--log", f"--log-prefix={scratch}/log", f"--sampling-rate={SAMPLED}"),
        ]
        before = cpu_time(way.pid) if way.pid else None
        summary = _pgbench(server, way.dsn, arguments)
        used = cpu_time(way.pid) - before if way.pid and before else None
        transactions, tps, latency = read_summary(summary)
        p50, p99 = read_latencies(Path(scratch).iterdir())
    return Measurement(
        workload=workload,
        route=way.name,
        transactions=transactions,
        seconds=transactions / tps,
        tps=tps,
        latency_ms=latency,
        p50_ms=p50,
        p99_ms=p99,
        user_us=used.user_s / transactions * 1e6 if used else None,
        system_us=used.system_s / transactions * 1e6 if used else None,
    )


def _pgbench(server: Server, dsn: str, arguments: Sequence[str]) -> str:
    assert server.programs is not None
    environment = {**os.environ, **server.programs.environment, "PGSSLMODE": "disable"}
    command = [str(server.programs / "pgbench"), *arguments, dsn]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise PgbenchError(f"{' '.join(arguments)} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _about(plan: Plan, server: Server) -> dict[str, object]:
    """What the numbers depend on, without anything that names the machine."""
    program, environment = pgbouncer()
    version = subprocess.run([program, "--version"], capture_output=True, text=True, env={**os.environ, **environment})
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "plan": asdict(plan),
        "cpu": processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "postgres": server.version,
        "pgbouncer": version.stdout.splitlines()[0] if version.stdout else "unknown",
        "commit": commit(),
    }


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=RESULTS.parent)
    return done.stdout.strip() or "unknown"


def _keep(output: Path, about: dict[str, object], results: Sequence[Measurement], console: Console) -> None:
    output.mkdir(parents=True, exist_ok=True)
    name = f"pgbench-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    kept = {"about": about, "results": [{**asdict(each), "cpu_us": each.cpu_us} for each in results]}
    (output / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    (output / f"{name}.svg").write_text(chart(results, f"{about['cpu']}, {about['cores']} cores"), encoding="utf-8")
    console.print(f"kept as {output / name}.json and .svg")


if __name__ == "__main__":
    sys.exit(main())
