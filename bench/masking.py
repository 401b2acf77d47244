"""What masking costs: one result of a million rows of six columns, directly, through the gateway, and through it with one masked.

    python -m bench.masking [--rows N] [--rounds N] [--maskers redact,email,first-n:3,placed=date-to-year,amount=bucket:100]

Every round runs all routes one after the other, so that a slow moment of the machine hits all alike: what counts is the ratio to
the direct run of the same round, and of those the median. Where others use the machine too, the ratio of the fastest runs says
what the slow moments hide. The consumers are libpq's single rows and its chunks of rows (less
work for the client, so harder for the gateway), and psycopg's COPY.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

import psycopg
from attrs import evolve
from psycopg import pq

from bench.long_results import Route, mask_table, measure, report
from tests.support.gateway import GatewayPlan, running_gateway
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


def connect(route: Route) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1",
        port=route.port,
        user=route.user,
        password=route.password,
        dbname=DBNAME,
        autocommit=True,
    )


def prepare(dsn: str, rows: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE people AS SELECT i AS id, 'name of person ' || i AS name, 'person' || i || '@shop.test' AS email,"
            " (i % 1000) * 1.5 AS amount, DATE '2020-01-01' + i % 1000 AS placed, repeat('x', 20 + i % 20) AS note"
            f" FROM generate_series(1, {rows}) i"
        )
        connection.execute("VACUUM ANALYZE people")


def routes_to(server: Server, maskers: Iterable[str], policy: str, folder: Path, stack: ExitStack) -> list[Route]:
    routes = [Route("direct", server.port, server.user, server.password)]
    unmasked = GatewayPlan(server=server, dbname=DBNAME, policy=policy)
    routes.append(Route.through("through", stack.enter_context(running_gateway(unmasked, folder / "through"))))
    for number, name in enumerate(maskers):
        plan = evolve(unmasked, extra=mask_table("public.people", name))
        routes.append(Route.through(name, stack.enter_context(running_gateway(plan, folder / str(number)))))
    return routes


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
            consumers = {name: CONSUMERS[name] for name in options.consumers.split(";")}
            runs, grown = measure(routes, connect, consumers, QUERY, options.rows, options.rounds)
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")
    finally:
        servers.close()
    print(f"{options.rows} rows of six columns, one masked; medians of {options.rounds} rounds")
    report(runs, grown)


if __name__ == "__main__":
    main()
