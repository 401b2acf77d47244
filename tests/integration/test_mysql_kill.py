"""KILL through the gateway: one's own connections by either of their numbers, and nobody else's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pymysql
import pytest

from tests.integration.mysql_gateway import direct
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

PATIENCE_S = 60.0  # for what a busy machine does late
POLICY = """
[policy.mine]
pack = "allow-all"
[[policy.mine.rule]]
name = "deletes"
action = "hold"
when = { kinds = ["delete"] }
"""


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    plan = GatewayPlan(
        server=server, dialect="mysql", dbname="test", policy="mine", users=("agent", "other"), extra=POLICY
    )
    with running_gateway(plan, tmp_path_factory.mktemp("kill")) as gateway:
        yield gateway


def run(connection: Any, text: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text)
        row = cursor.fetchone()
        return None if row is None else row[0]


def by_greeting(connection: Any) -> int:
    return int(connection.thread_id())


def by_server(connection: Any) -> int:
    return int(run(connection, "SELECT CONNECTION_ID()"))


Number = Callable[[Any], int]


@pytest.fixture(params=[by_greeting, by_server])
def number_of(request: pytest.FixtureRequest) -> Number:
    found: Number = request.param
    return found


def once(condition: Callable[[], object], act: Callable[[], object]) -> threading.Thread:
    """Acts when there is something to act on: a KILL QUERY that comes before the statement ends nothing."""

    def wait_and_act() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                return
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def test_kill_query_ends_what_runs_and_leaves_the_connection(
    gateway: Gateway, number_of: Number, server: Server
) -> None:
    with closing(gateway.mysql()) as agent, closing(gateway.mysql()) as second, closing(direct(server, "test")) as dba:
        number, there = number_of(agent), by_server(agent)
        asks = f"SELECT count(*) FROM information_schema.processlist WHERE id = {there} AND info LIKE 'SELECT SLEEP%'"
        timer = once(lambda: run(dba, asks), lambda: run(second, f"KILL QUERY {number}"))
        assert run_or_error(agent, "SELECT SLEEP(100)") in (
            1,
            1317,
        )  # SLEEP says 1 when it is interrupted; MariaDB errs
        timer.join()
        assert run(agent, "SELECT 2") == 2


def run_or_error(connection: Any, text: str) -> int:
    try:
        return int(run(connection, text))
    except pymysql.err.Error as error:
        return int(error.args[0])


def test_kill_ends_the_connection_and_the_server_has_it_no_more(
    gateway: Gateway, number_of: Number, server: Server
) -> None:
    with closing(gateway.mysql()) as agent, closing(gateway.mysql()) as second, closing(direct(server, "test")) as dba:
        number, there = number_of(agent), by_server(agent)
        run(second, f"KILL {number}")
        with pytest.raises(pymysql.err.Error):
            run(agent, "SELECT 1")
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if not run(dba, f"SELECT count(*) FROM information_schema.processlist WHERE id = {there}"):
                return
        raise AssertionError("the server still has it")


def test_com_process_kill_is_the_same(gateway: Gateway, number_of: Number) -> None:
    with closing(gateway.mysql()) as agent, closing(gateway.mysql()) as second:
        second.kill(number_of(agent))
        with pytest.raises(pymysql.err.Error):
            run(agent, "SELECT 1")
        assert run(second, "SELECT 1") == 1


def test_somebody_elses_connection_is_not_killed_whatever_the_policy_says(gateway: Gateway, number_of: Number) -> None:
    with closing(gateway.mysql()) as agent, closing(gateway.mysql("other")) as other:
        for text in (f"KILL {number_of(agent)}", f"KILL QUERY {number_of(agent)}", "KILL 1", "KILL 4294967295"):
            with pytest.raises(pymysql.err.Error) as refused:
                run(other, text)
            assert refused.value.args[0] == 1095
        assert run(agent, "SELECT 1") == 1


@pytest.mark.parametrize(
    "text",
    [
        "KILL {}+0",
        "KILL (SELECT {})",
        "/* x */ KILL {}",
        "KILL /* x */ {}",
        "KILL CONNECTION @id",
        "KILL USER root",
        "/*!50000 KILL {} */",
        "/*M! KILL {} */",
        "SELECT 1; KILL {}",
        "PREPARE s FROM 'KILL {}'",
    ],
)
def test_a_kill_that_is_not_plain_is_refused(gateway: Gateway, text: str) -> None:
    with closing(gateway.mysql(client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS)) as agent:
        with closing(gateway.mysql("other")) as other:
            with pytest.raises(pymysql.err.Error):
                run(agent, text.format(by_server(other)))
            assert run(other, "SELECT 1") == 1
        assert run(agent, "SELECT 1") == 1


def test_a_held_statement_is_withdrawn_by_kill_query(gateway: Gateway) -> None:
    def pending() -> str:
        return gateway.cli("approvals", "--json").stdout

    with closing(gateway.mysql()) as agent, closing(gateway.mysql()) as second:
        number = by_greeting(agent)
        timer = once(pending, lambda: run(second, f"KILL QUERY {number}"))
        with pytest.raises(pymysql.err.Error, match="cancel"):
            run(agent, "DELETE FROM test.nothing")
        timer.join()
        assert run(agent, "SELECT 1") == 1
        assert pending() == ""


def test_a_connection_may_end_itself(gateway: Gateway) -> None:
    with closing(gateway.mysql()) as agent:
        with pytest.raises(pymysql.err.Error) as ended:
            run(agent, "KILL CONNECTION_ID()")
        assert ended.value.args[0] == 1317
        with pytest.raises(pymysql.err.Error):
            run(agent, "SELECT 1")
