"""What masking costs: one result of a million rows of six columns, directly, through the gateway, and through it with one masked.

    python -m bench.masking [--rows N] [--rounds N] [--maskers redact,email,first-n:3,placed=date-to-year,amount=bucket:100]

Every round runs all routes one after the other, so that a slow moment of the machine hits all alike: what counts is the ratio to
the direct run of the same round, and of those the median. Where others use the machine too, the ratio of the fastest runs says
what the slow moments hide. The consumers are libpq's single rows and its chunks of rows (less
work for the client, so harder for the gateway), and psycopg's COPY.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

import psycopg
from attrs import evolve, frozen
from psycopg import pq

from bench.processes import CpuTime, cpu_time, peak_bytes
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server, Servers

DBNAME = "bench_masking"
QUERY = "SELECT id, name, email, amount, placed, note FROM people"
CHUNK_ROWS = 1000
Consumer = Callable[[psycopg.Connection, str], int]  # gives how many rows it saw


def select(result_format: int, chunk_rows: int) -> Consumer:
    def run(connection: psycopg.Connection, query: str) -> int:
        raw = connection.pgconn
        raw.send_query_params(query.encode(), None, None, None, result_format)
        if chunk_rows == 1:
            raw.set_single_row_mode()
        else:
            raw.set_chunked_rows_mode(chunk_rows)
        rows = 0
        while (result := raw.get_result()) is not None:
            if result.status not in (pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.TUPLES_CHUNK, pq.ExecStatus.TUPLES_OK):
                raise RuntimeError(result.error_message.decode())
            rows += result.ntuples
        return rows

    return run


def copy(style: str) -> Consumer:
    def run(connection: psycopg.Connection, query: str) -> int:
        with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT {style})".encode()) as data:
            for _ in data:
                pass
            return cursor.rowcount

    return run


CONSUMERS = {
    "text, single rows": select(0, 1),
    "binary, single rows": select(1, 1),
    "text, chunks": select(0, CHUNK_ROWS),
    "binary, chunks": select(1, CHUNK_ROWS),
    "copy text": copy("text"),
    "copy csv": copy("csv"),
    "copy binary": copy("binary"),
}


@frozen
class Run:
    """One result over one route."""

    seconds: float
    ratio: float  # to the direct run of the same round
    cpu: CpuTime  # of the gateway


@frozen
class Route:
    name: str
    dsn: str
    gateway: Gateway | None = None

    def cpu(self) -> CpuTime:
        return CpuTime() if self.gateway is None else cpu_time(self.gateway.process.pid)


Runs = dict[str, dict[str, list[Run]]]  # by consumer and route


def prepare(dsn: str, rows: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE people AS SELECT i AS id, 'name of person ' || i AS name, 'person' || i || '@shop.test' AS email,"
            " (i % 1000) * 1.5 AS amount, DATE '2020-01-01' + i % 1000 AS placed, repeat('x', 20 + i % 20) AS note"
            f" FROM generate_series(1, {rows}) i"
        )
        connection.execute("VACUUM ANALYZE people")


def measure(routes: list[Route], consumers: Iterable[str], rows: int, rounds: int) -> tuple[Runs, dict[str, int]]:
    """Every run but those of a first round to warm up; and by how many bytes the gateways' peak memory grew in all of them.

    The first route is the one that ratios are to.
    """
    runs: Runs = {name: {route.name: [] for route in routes} for name in consumers}
    with ExitStack() as stack:
        connections = {route.name: stack.enter_context(psycopg.connect(route.dsn, autocommit=True)) for route in routes}
        for name in runs:  # what a first statement of its form makes the gateway keep is no cost of long results
            for connection in connections.values():
                CONSUMERS[name](connection, f"{QUERY} LIMIT 1")
        before = {route.name: peak_bytes(route.gateway.process.pid) for route in routes if route.gateway}
        for turn in range(rounds + 1):
            for name, found in runs.items():
                direct_s = 0.0
                for route in routes:
                    cpu, started = route.cpu(), time.perf_counter()
                    seen = CONSUMERS[name](connections[route.name], QUERY)
                    seconds = time.perf_counter() - started
                    direct_s = direct_s or seconds
                    if seen not in (rows, -1):
                        raise RuntimeError(f"{route.name}, {name}: {seen} rows")
                    if turn:
                        found[route.name].append(Run(seconds, seconds / direct_s, route.cpu() - cpu))
        grown = {
            route.name: peak_bytes(route.gateway.process.pid) - before[route.name] for route in routes if route.gateway
        }
    return runs, grown


def report(runs: Runs, grown: dict[str, int]) -> None:
    for consumer, routes in runs.items():
        print(consumer)
        first_s = 0.0
        for name, found in routes.items():
            seconds, ratio = (statistics.median(getattr(run, what) for run in found) for what in ("seconds", "ratio"))
            user = statistics.median(run.cpu.user_s for run in found)
            system = statistics.median(run.cpu.system_s for run in found)
            cpu = f"   gateway {user:.2f} + {system:.2f} s of CPU" if user else ""
            fastest = min(run.seconds for run in found)
            first_s = first_s or fastest
            print(
                f"  {name:22} {seconds:6.2f} s  {ratio:5.2f}x   fastest {fastest:5.2f} s  {fastest / first_s:5.2f}x{cpu}"
            )
    for name, size in grown.items():
        print(f"peak memory of the gateway, {name}: {size / 1024 / 1024:+.1f} MiB over all results")


def routes_to(server: Server, maskers: Iterable[str], policy: str, folder: Path, stack: ExitStack) -> list[Route]:
    routes = [Route("direct", server.dsn(DBNAME))]
    unmasked = GatewayPlan(server=server, dbname=DBNAME, policy=policy)
    plain = stack.enter_context(running_gateway(unmasked, folder / "through"))
    routes.append(Route("through", plain.dsn(), plain))
    for number, name in enumerate(maskers):
        plan = evolve(unmasked, extra=mask_table(name))
        gateway = stack.enter_context(running_gateway(plan, folder / str(number)))
        routes.append(Route(name, gateway.dsn(), gateway))
    return routes


def mask_table(name: str) -> str:
    """The TOML of a mask: `masker`, `masker:argument`, of the column `email`, or of another one by `column=masker`."""
    column, equals, masker = name.rpartition("=")
    masker, colon, argument = masker.partition(":")
    lines = [f'column = "public.people.{column if equals else "email"}"', f'masker = "{masker}"']
    return "\n".join(["[[mask]]", *lines, *([f'argument = "{argument}"'] if colon else [])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--maskers", default="redact,email", help="masker, masker:argument or column=masker")
    parser.add_argument("--policy", default="agent-default", help="whose detectors look at every result, or allow-all")
    parser.add_argument("--consumers", default=";".join(CONSUMERS), help="names with ; between them")
    options = parser.parse_args()
    servers = Servers()
    try:
        server = servers.postgres18()
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
            admin.execute(f"CREATE DATABASE {DBNAME}")
        prepare(server.dsn(DBNAME), options.rows)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            routes = routes_to(server, options.maskers.split(","), options.policy, folder, stack)
            runs, grown = measure(routes, options.consumers.split(";"), options.rows, options.rounds)
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")
    finally:
        servers.close()
    print(f"{options.rows} rows of six columns, one masked; medians of {options.rounds} rounds")
    report(runs, grown)
    print(
        json.dumps(
            {
                consumer: {name: [run.seconds for run in found] for name, found in each.items()}
                for consumer, each in runs.items()
            }
        )
    )


if __name__ == "__main__":
    main()
