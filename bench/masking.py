"""What masking costs: one result of a million rows, directly, through the gateway, and through it with one of six columns masked.

    python -m bench.masking [--rows N] [--rounds N]

Every round runs all of them one after the other, so that a slow moment of the machine hits all alike; the ratio of the medians is
what counts. The consumers are libpq's chunked rows for SELECT, in text and binary, and raw reads for COPY.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psycopg
from psycopg import pq

from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.servers import Servers

DBNAME = "bench_masking"
QUERY = "SELECT id, name, email, amount, placed, note FROM people"
CHUNK_ROWS = 1000


def select(result_format: int) -> Callable[[psycopg.Connection, str], int]:
    def run(connection: psycopg.Connection, query: str) -> int:
        raw = connection.pgconn
        raw.send_query_params(query.encode(), None, None, None, result_format)
        raw.set_chunked_rows_mode(CHUNK_ROWS)
        rows = 0
        while (result := raw.get_result()) is not None:
            if result.status not in (pq.ExecStatus.TUPLES_CHUNK, pq.ExecStatus.TUPLES_OK):
                raise RuntimeError(result.error_message.decode())
            rows += result.ntuples
        return rows

    return run


def copy(style: str) -> Callable[[psycopg.Connection, str], int]:
    def run(connection: psycopg.Connection, query: str) -> int:
        with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT {style})".encode()) as data:
            for _ in data:
                pass
            return cursor.rowcount

    return run


CONSUMERS = {
    "select text": select(0),
    "select binary": select(1),
    "copy text": copy("text"),
    "copy binary": copy("binary"),
}


def prepare(dsn: str, rows: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE people AS SELECT i AS id, 'name of person ' || i AS name, 'person' || i || '@shop.test' AS email,"
            " (i % 1000) * 1.5 AS amount, DATE '2020-01-01' + i % 1000 AS placed, repeat('x', 20 + i % 20) AS note"
            f" FROM generate_series(1, {rows}) i"
        )
        connection.execute("VACUUM ANALYZE people")


def measure(routes: dict[str, str], rows: int, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds by consumer and route: the median of all rounds but a first one to warm up."""
    taken: dict[str, dict[str, list[float]]] = {name: {route: [] for route in routes} for name in CONSUMERS}
    with ExitStack() as stack:
        connections = {
            route: stack.enter_context(psycopg.connect(dsn, autocommit=True)) for route, dsn in routes.items()
        }
        for turn in range(rounds + 1):
            for name, consume in CONSUMERS.items():
                for route, connection in connections.items():
                    started = time.perf_counter()
                    seen = consume(connection, QUERY)
                    if turn:
                        taken[name][route].append(time.perf_counter() - started)
                    if seen not in (rows, -1):
                        raise RuntimeError(f"{route}, {name}: {seen} rows")
    return {name: {route: statistics.median(times) for route, times in found.items()} for name, found in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
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
            plain = stack.enter_context(running_gateway(GatewayPlan(server=server, dbname=DBNAME), folder / "plain"))
            plan = GatewayPlan(server=server, dbname=DBNAME, masks={"public.people.email": "email"})
            masked = stack.enter_context(running_gateway(plan, folder / "masked"))
            routes = {"direct": server.dsn(DBNAME), "through": plain.dsn(), "masked": masked.dsn()}
            found = measure(routes, options.rows, options.rounds)
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")
    finally:
        servers.close()
    print(f"{options.rows} rows of six columns, one masked; medians of {options.rounds} rounds")
    print(f"{'':15} {'direct':>9} {'through':>16} {'masked':>16}")
    for name, times in found.items():
        cells = "".join(
            f" {times[route]:8.2f} s {times[route] / times['direct']:4.2f}x" for route in ("through", "masked")
        )
        print(f"{name:15} {times['direct']:7.2f} s{cells}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
