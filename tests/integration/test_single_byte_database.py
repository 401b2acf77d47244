"""A database in LATIN1: the server cuts, folds and compares names there as the parser, which reads UTF-8, does not.

Names of 33 letters, of which 32 take two bytes in UTF-8: the parser cuts them to the same 31 letters, the server not at all. What
was judged of the one would be run of the other.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.raw import SYNC, bind, execute, parse, raw_connection
from tests.support.servers import Server

DBNAME = "latin"
SECRET = "123-45-6789"
FIRST, SECOND = "é" * 32 + "a", "é" * 32 + "b"


@pytest.fixture(scope="module")
def latin(postgres: Server) -> str:
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DBNAME} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    with psycopg.connect(postgres.dsn(DBNAME), autocommit=True) as connection:
        connection.execute("CREATE TABLE customers (id int, ssn text, été text)")
        connection.execute("CREATE TABLE inbox (id int)")
        connection.execute("INSERT INTO customers VALUES (1, %s, 'août')", [SECRET])
        connection.execute("INSERT INTO inbox VALUES (1)")
    return DBNAME


@pytest.fixture(scope="module", params=["agent-default", "allow-all"])
def gateway(
    request: pytest.FixtureRequest, postgres: Server, latin: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    plan = GatewayPlan(
        server=postgres, dbname=latin, policy=request.param, masks={"public.customers.ssn": "redact"}, wait_s=0.1
    )
    with running_gateway(plan, tmp_path_factory.mktemp(request.param)) as gateway:
        yield gateway


def dsn(gateway: Gateway) -> str:
    return gateway.dsn() + "?client_encoding=utf8"


def test_two_names_of_the_protocol_are_not_taken_for_one(gateway: Gateway) -> None:
    for statement, harmless in [("DELETE FROM inbox", "SELECT 1"), ("SELECT ssn || '' FROM customers", "SELECT ''")]:
        with raw_connection(dsn(gateway)) as connection:
            connection.send(
                parse(FIRST, statement) + parse(SECOND, harmless) + SYNC + bind("", FIRST) + execute() + SYNC
            )
            heard = b"".join(frame for _, frame in connection.frames())
        assert b"names beyond ASCII need UTF8" in heard
        assert SECRET.encode() not in heard
        assert b"DELETE" not in heard


@pytest.mark.parametrize(
    "texts",
    [
        [f'PREPARE "{FIRST}" AS SELECT ssn || $$$$ FROM customers', f'PREPARE "{SECOND}" AS SELECT $$x$$', f'EXECUTE "{FIRST}"'],
        [f'WITH "{FIRST}" AS (SELECT ssn AS x FROM customers), "{SECOND}" AS (SELECT $$y$$ AS x) SELECT x || $$$$ FROM "{FIRST}"'],
        [f'SELECT t."{FIRST}" || $$$$ FROM (SELECT ssn AS "{FIRST}", $$y$$ AS "{SECOND}" FROM customers) t'],
        ["WITH É AS (SELECT ssn AS x FROM customers), é AS (SELECT $$y$$ AS x) SELECT x || $$$$ FROM É"],
        [r"""WITH U&"\00c9" AS (SELECT ssn AS x FROM customers), x AS (SELECT 1) SELECT x || $$$$ FROM U&"\00c9" """],
    ],
    ids=["prepared", "with", "columns", "folded", "escaped"],
)  # fmt: skip
def test_two_names_of_sql_are_not_taken_for_one(gateway: Gateway, texts: list[str]) -> None:
    with psycopg.connect(dsn(gateway), autocommit=True) as connection:
        heard = []
        for text in texts:
            try:
                cursor = connection.execute(text)
                heard.append(str(cursor.fetchall() if cursor.description else ""))
            except psycopg.errors.Error as error:
                heard.append(str(error))
        assert SECRET not in str(heard)


def test_names_with_accents_work_as_before(gateway: Gateway) -> None:
    with psycopg.connect(dsn(gateway), autocommit=True) as connection:
        assert connection.execute('SELECT été, "été", ssn FROM customers c').fetchall() == [("août", "août", "***")]
        assert connection.execute("SELECT 'É'").fetchall() == [("É",)]


def test_nothing_was_deleted(gateway: Gateway, postgres: Server, latin: str) -> None:
    with psycopg.connect(postgres.dsn(latin)) as connection:
        assert connection.execute("SELECT count(*) FROM inbox").fetchone() == (1,)
