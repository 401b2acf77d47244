"""What masking costs MySQL's clients: as `bench.masking`, for MariaDB or MySQL.

    python -m bench.masking_mysql [--server mariadb|mysql] [--rows N] [--rounds N] [--maskers redact,email,id=hash]

The consumers are MariaDB's own client, which writes each row as it comes, and the C extension of MySQL's connector for Python, a
thousand rows at a time: rows in text, which it does not convert, and in binary as of a prepared statement.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from pathlib import Path

import mysql.connector
import pymysql
from attrs import evolve, frozen

from bench.long_results import Route, mask_table, measure, report
from tests.support import programs
from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.servers import Server, Servers

DBNAME = "bench_masking"
QUERY = "SELECT id, name, email, amount, placed, note FROM people"
FETCHED_ROWS = 1000


@frozen
class Connection:
    """A route, and the connector's connection over it; the client of its own makes one for each result."""

    route: Route
    connector: mysql.connector.abstracts.MySQLConnectionAbstract

    def close(self) -> None:
        self.connector.close()


def connect(route: Route) -> closing[Connection]:
    login = {"host": "127.0.0.1", "port": route.port, "user": route.user, "password": route.password}
    pymysql.connect(
        **login
    ).close()  # without TLS, the connector gets in by what the server remembers of an earlier login alone
    connector = mysql.connector.connect(**login, database=DBNAME, ssl_disabled=True, use_pure=False)
    assert isinstance(connector, mysql.connector.abstracts.MySQLConnectionAbstract)
    return closing(Connection(route, connector))


def client(connection: Connection, query: str) -> int:
    route, tool = connection.route, programs.mariadb_client()
    command = [
        *tool.command, "--no-defaults", "--host=127.0.0.1", f"--port={route.port}", f"--user={route.user}", "--quick",
        "--batch", "--skip-ssl", "--skip-column-names", f"--database={DBNAME}", f"--execute={query}",
    ]  # fmt: skip
    environment = {**os.environ, **tool.environment, "MYSQL_PWD": route.password}
    subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=True)
    return -1


def connector(*, prepared: bool) -> Callable[[Connection, str], int]:
    def run(connection: Connection, query: str) -> int:
        rows = 0
        kind = {"prepared": True} if prepared else {"raw": True}
        with closing(connection.connector.cursor(**kind)) as cursor:
            cursor.execute(query)
            while found := cursor.fetchmany(FETCHED_ROWS):
                rows += len(found)
        return rows

    return run


CONSUMERS = {
    "text, client": client,
    "text, connector": connector(prepared=False),
    "binary, connector": connector(prepared=True),
}


def prepare(server: Server, rows: int) -> None:
    settings = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
    with closing(pymysql.connect(**settings, autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME}")
        cursor.execute(f"USE {DBNAME}")
        cursor.execute(
            "CREATE TABLE people (id integer PRIMARY KEY, name text, email varchar(80), amount decimal(12, 2),"
            " placed date, note text)"
        )
        digits = " CROSS JOIN ".join(
            f"(SELECT 0 d UNION ALL SELECT {' UNION ALL SELECT '.join(map(str, range(1, 10)))}) t{place}"
            for place in range(len(str(rows - 1)))
        )
        number = " + ".join(f"t{place}.d * {10**place}" for place in range(len(str(rows - 1))))
        cursor.execute(
            "INSERT INTO people SELECT i, CONCAT('name of person ', i), CONCAT('person', i, '@shop.test'), (i % 1000) * 1.5,"
            f" DATE '2020-01-01' + INTERVAL i % 1000 DAY, REPEAT('x', 20 + i % 20) FROM (SELECT {number} AS i FROM {digits}) n"
            f" WHERE i < {rows}"
        )
        cursor.execute("ANALYZE TABLE people")


def routes_to(server: Server, maskers: Iterable[str], policy: str, folder: Path, stack: ExitStack) -> list[Route]:
    routes = [Route("direct", server.port, server.user, server.password)]
    unmasked = GatewayPlan(server=server, dialect="mysql", dbname=DBNAME, policy=policy)
    routes.append(Route.through("through", stack.enter_context(running_gateway(unmasked, folder / "through"))))
    for number, name in enumerate(maskers):
        plan = evolve(unmasked, extra=mask_table(f"{DBNAME}.people", name))
        routes.append(Route.through(name, stack.enter_context(running_gateway(plan, folder / str(number)))))
    return routes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=("mariadb", "mysql"), default="mariadb")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--maskers", default="redact,email", help="masker, masker:argument or column=masker")
    parser.add_argument("--policy", default="agent-default", help="whose detectors look at every result, or allow-all")
    parser.add_argument("--consumers", default=";".join(CONSUMERS), help="names with ; between them")
    options = parser.parse_args()
    servers = Servers()
    try:
        server = servers.mariadb() if options.server == "mariadb" else servers.mysql()
        prepare(server, options.rows)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            routes = routes_to(server, options.maskers.split(","), options.policy, folder, stack)
            consumers = {name: CONSUMERS[name] for name in options.consumers.split(";")}
            runs, grown = measure(routes, connect, consumers, QUERY, options.rows, options.rounds)
    finally:
        servers.close()
    print(f"{server.version}: {options.rows} rows of six columns, one masked; medians of {options.rounds} rounds")
    report(runs, grown)


if __name__ == "__main__":
    main()
