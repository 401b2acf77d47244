"""Every condition, action and limit of a policy, at work on MySQL's and MariaDB's real statements: what a client sees of them."""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pymysql
import pytest

from tests.integration.mysql_gateway import direct
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server
from wireproxy.demo.cluster import free_port

pytestmark = pytest.mark.integration
DBNAME = "conditions"
TOKEN, API = "wpa_" + "t" * 40, free_port()
NOW = datetime.now()
AROUND = f"{(NOW - timedelta(hours=2)):%H:%M}-{(NOW + timedelta(hours=2)):%H:%M}"
ELSEWHEN = f"{(NOW + timedelta(hours=4)):%H:%M}-{(NOW + timedelta(hours=8)):%H:%M}"
POLICY = f"""
[api]
port = {API}

[approver.remote]
token_sha256 = ["{hashlib.sha256(TOKEN.encode()).hexdigest()}"]
groups = ["dba"]

[policy.shop]
default = "deny"

[[policy.shop.rule]]
name = "closed"
action = "deny"
reason = "closed at this hour"
when = {{ relations = ["night"], hours = "{AROUND}" }}

[[policy.shop.rule]]
name = "never"
action = "deny"
reason = "never at this hour"
when = {{ hours = "{ELSEWHEN}" }}

[[policy.shop.rule]]
name = "whole-table"
action = "deny"
reason = "that is every row"
when = {{ kinds = ["update", "delete"], missing_where = true }}

[[policy.shop.rule]]
name = "two-people"
action = "hold"
reason = "two people look at that"
approvers = ["dba"]
quorum = 2
wait_s = 0.1
when = {{ kinds = ["delete"], groups = ["agents"] }}

[[policy.shop.rule]]
name = "large"
action = "deny"
reason = "that is many rows"
when = {{ kinds = ["update", "select"], relations = ["orders"], estimated_rows_over = 500 }}

[[policy.shop.rule]]
name = "small"
action = "observe"
when = {{ kinds = ["update"], only_relations = ["{DBNAME}.orders"] }}

[[policy.shop.rule]]
name = "one-by-one"
action = "deny"
reason = "one statement at a time"
when = {{ batch = true, databases = ["cond*"] }}

[[policy.shop.rule]]
name = "not-him"
action = "deny"
reason = "not for him"
when = {{ identities = ["other"], functions = ["version"] }}

[[policy.shop.rule]]
name = "statements"
action = "allow"
limit = {{ statements = 3, window_s = 600 }}
when = {{ kinds = ["select"], relations = ["by_statements"] }}

[[policy.shop.rule]]
name = "rows"
action = "allow"
limit = {{ rows = 150, window_s = 600 }}
when = {{ kinds = ["select"], relations = ["by_rows"] }}

[[policy.shop.rule]]
name = "bytes"
action = "allow"
limit = {{ bytes = 1000, window_s = 600 }}
when = {{ kinds = ["select"], relations = ["by_bytes"] }}

[[policy.shop.rule]]
name = "seconds"
action = "allow"
limit = {{ time_s = 0.05, window_s = 600 }}
when = {{ kinds = ["select"], effects = ["sleep"], functions = ["sleep"] }}

[[policy.shop.rule]]
name = "reads"
action = "allow"
when = {{ kinds = ["select", "show", "set"], only_effects = ["read", "setting", "lexing"] }}
"""


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    server: Server = request.getfixturevalue(request.param)
    with closing(direct(server, "mysql")) as admin, admin.cursor() as cursor:
        for statement in (f"DROP DATABASE IF EXISTS {DBNAME}", f"CREATE DATABASE {DBNAME}", f"USE {DBNAME}"):
            cursor.execute(statement)
        cursor.execute("CREATE TABLE orders (id int PRIMARY KEY, total int)")
        cursor.executemany("INSERT INTO orders VALUES (%s, %s)", [(number, number) for number in range(1, 1001)])
        cursor.execute("ANALYZE TABLE orders")
        cursor.fetchall()
        for name in ("night", "by_statements", "by_rows", "by_bytes"):
            cursor.execute(f"CREATE TABLE {name} AS SELECT id, 'some text' AS text FROM orders WHERE id <= 100")
        plan = GatewayPlan(
            server, dbname=DBNAME, policy="shop", users=("other",), dialect="mysql",
            extra=POLICY + '[user.agent]\ngroups = ["agents"]\n' + _verifiers(),
        )  # fmt: skip
        with running_gateway(plan, tmp_path_factory.mktemp("conditions")) as found:
            yield found
        cursor.execute(f"DROP DATABASE {DBNAME}")


def _verifiers() -> str:
    from tests.support.gateway import verifiers

    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in verifiers("agent-secret").items())


@pytest.fixture
def agent(gateway: Gateway) -> Iterator[Any]:
    with closing(gateway.mysql()) as connection:
        yield connection


def ask(connection: Any, text: str, values: tuple[object, ...] | None = None) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return tuple(cursor.fetchall())


def refused(connection: Any, text: str) -> str:
    """The rule that refused it."""
    with pytest.raises(pymysql.MySQLError) as caught:
        ask(connection, text)
    assert ask(connection, "SELECT 1") == ((1,),), "the session goes on"
    return str(caught.value.args[1]).partition('rule "')[2].partition('"')[0]


def test_the_time_of_day_counts(agent: Any) -> None:
    assert refused(agent, "SELECT * FROM night") == "closed"
    assert len(ask(agent, "SELECT * FROM orders WHERE id < 9")) == 8, "the other span is hours away"


@pytest.mark.parametrize(
    "condition", ["true", "1 = 1", "id = id", "id IS NOT NULL OR total = 3", "NOT (id <> id)", "id = id + 0"]
)
def test_a_where_that_excludes_nothing_is_as_none(agent: Any, condition: str) -> None:
    assert refused(agent, f"DELETE FROM orders WHERE {condition}") == "whole-table"
    assert refused(agent, "DELETE FROM orders") == "whole-table"


def test_the_optimizers_estimate_decides_where_a_rule_asks_for_it(agent: Any) -> None:
    assert refused(agent, "UPDATE orders SET total = 0 WHERE id > 100") == "large"
    with agent.cursor() as cursor:
        assert cursor.execute("UPDATE orders SET total = 0 WHERE id = 100") == 1
        assert cursor.execute("UPDATE orders SET total = 0 WHERE id = %s", (7,)) == 1
    assert refused(agent, "SELECT * FROM orders") == "large"


def test_what_is_observed_runs_and_is_marked(gateway: Gateway) -> None:
    with closing(gateway.mysql()) as agent:
        ask(agent, "UPDATE orders SET total = 77 WHERE id = 77")
    lines = gateway.cli("search", "total = 77", "--json").stdout.splitlines()
    assert any('"observe"' in line for line in lines), lines


def test_a_batch_an_identity_a_group_and_a_function_can_be_named(gateway: Gateway, agent: Any) -> None:
    with closing(gateway.mysql(client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS)) as batches:
        assert refused(batches, "SELECT 1; SELECT 2") == "one-by-one"
    assert ask(agent, "SELECT version()")
    with closing(gateway.mysql("other")) as other:
        assert refused(other, "SELECT version()") == "not-him"
        assert refused(other, "SELECT lower(version())") == "not-him"
        assert refused(other, "DELETE FROM orders WHERE id = 5") == "default", "he is in no group"
    assert refused(agent, "DELETE FROM orders WHERE id = 5") == "two-people"


def test_a_quorum_of_two_is_not_one_person_twice(gateway: Gateway, agent: Any) -> None:
    delete = "DELETE FROM orders WHERE id = 6"
    assert refused(agent, delete) == "two-people"
    requests = map(json.loads, gateway.cli("approvals", "--json").stdout.splitlines())
    (name,) = [str(each["id"]) for each in requests if "id = 6" in json.dumps(each)]
    gateway.cli("approve", name)
    gateway.cli("approve", name)
    assert refused(agent, delete) == "two-people"
    call = urllib.request.Request(
        f"http://127.0.0.1:{API}/v1/requests/{name}/approve", data=b"{}", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    with urllib.request.urlopen(call, timeout=10) as answer:
        assert json.load(answer)["state"] == "approved"
    with agent.cursor() as cursor:
        assert cursor.execute(delete) == 1
    assert refused(agent, delete) == "two-people", "it was for one execution"


LIMITED = {
    "statements": ("SELECT 1 FROM by_statements LIMIT 1", 3),
    "rows": ("SELECT id FROM by_rows", 2),
    "bytes": ("SELECT id, text FROM by_bytes", 1),
    "seconds": ("SELECT sleep(0.1)", 1),
}


@pytest.mark.parametrize("measure", LIMITED)
def test_a_limit_lets_so_much_through_and_says_when_it_begins_anew(gateway: Gateway, agent: Any, measure: str) -> None:
    text, times = LIMITED[measure]
    for _ in range(times):
        ask(agent, text)
    with pytest.raises(pymysql.MySQLError) as caught:
        ask(agent, text)
    assert f'the limit of rule "{measure}" is used up; it resets in 10 min' in str(caught.value.args[1])
    with closing(gateway.mysql()) as again, pytest.raises(pymysql.MySQLError):
        ask(again, text)  # another session of the same identity
    with closing(gateway.mysql("other")) as other:
        ask(other, text)  # another identity


def test_sessions_that_begin_at_once_share_a_limit(gateway: Gateway) -> None:
    """Three in all, however many ask at the same moment."""
    passed: list[bool] = []

    def go() -> None:
        with closing(gateway.mysql("other")) as connection:
            for _ in range(3):
                try:
                    ask(connection, "SELECT 2 FROM by_statements LIMIT 1")
                    passed.append(True)
                except pymysql.MySQLError:
                    passed.append(False)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(passed), sum(passed) <= 3) == (12, True)
