"""Every condition, action and limit of a policy, at work on real statements: what the docs promise, a client sees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest
from psycopg import errors

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

DBNAME = "conditions"
NOW = datetime.now()
AROUND = f"{(NOW - timedelta(hours=2)):%H:%M}-{(NOW + timedelta(hours=2)):%H:%M}"
ELSEWHEN = f"{(NOW + timedelta(hours=4)):%H:%M}-{(NOW + timedelta(hours=8)):%H:%M}"
POLICY = f"""
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
name = "large"
action = "deny"
reason = "that is many rows"
when = {{ kinds = ["update", "delete", "select"], relations = ["orders"], estimated_rows_over = 500 }}

[[policy.shop.rule]]
name = "small"
action = "observe"
when = {{ kinds = ["update", "delete"], only_relations = ["public.orders"] }}

[[policy.shop.rule]]
name = "one-by-one"
action = "deny"
reason = "one statement at a time"
when = {{ batch = true, databases = ["cond*"] }}

[[policy.shop.rule]]
name = "not-him"
action = "deny"
reason = "not for him"
when = {{ identities = ["other"], functions = ["pg_catalog.version"] }}

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
when = {{ kinds = ["select"], effects = ["sleep"], functions = ["pg_catalog.pg_sleep"] }}

[[policy.shop.rule]]
name = "reads"
action = "allow"
when = {{ kinds = ["select"], only_effects = ["read"] }}
"""


@pytest.fixture(scope="module")
def gateway(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(postgres.dsn(DBNAME), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, total int)")
        connection.execute("INSERT INTO orders SELECT g, g FROM generate_series(1, 1000) g")
        connection.execute("ANALYZE orders")
        for name in ("night", "by_statements", "by_rows", "by_bytes"):
            connection.execute(
                f"CREATE TABLE {name} AS SELECT g AS id, 'some text' AS text FROM generate_series(1, 100) g"
            )
    plan = GatewayPlan(postgres, dbname=DBNAME, policy="shop", users=("agent", "other"), extra=POLICY)
    with running_gateway(plan, tmp_path_factory.mktemp("conditions")) as found:
        yield found


@pytest.fixture
def agent(gateway: Gateway) -> Iterator[psycopg.Connection]:
    with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
        yield connection


def refused(connection: psycopg.Connection, text: str) -> str:
    """The rule that refused it."""
    with pytest.raises((errors.InsufficientPrivilege, errors.ConfigurationLimitExceeded)) as caught:
        connection.execute(text)  # type: ignore[call-overload]
    assert connection.execute("SELECT 1").fetchone() == (1,), "the session goes on"
    message = str(caught.value.diag.message_primary)
    return message.partition('rule "')[2].partition('"')[0]


def test_the_time_of_day_counts(agent: psycopg.Connection) -> None:
    assert refused(agent, "SELECT * FROM night") == "closed"
    assert len(agent.execute("SELECT * FROM orders WHERE id < 9").fetchall()) == 8, "the other span is hours away"


@pytest.mark.parametrize(
    "condition", ["true", "1 = 1", "id = id", "id IS NOT NULL OR total = 3", "total = 1 OR NOT total = 1"]
)
def test_a_where_that_excludes_nothing_is_as_none(agent: psycopg.Connection, condition: str) -> None:
    assert refused(agent, f"DELETE FROM orders WHERE {condition}") == "whole-table"
    assert refused(agent, "DELETE FROM orders") == "whole-table"


def test_the_planners_estimate_decides_where_a_rule_asks_for_it(agent: psycopg.Connection) -> None:
    assert refused(agent, "UPDATE orders SET total = 0 WHERE id > 100") == "large"
    assert agent.execute("UPDATE orders SET total = 0 WHERE id = 100").rowcount == 1
    assert refused(agent, "SELECT * FROM orders") == "large"
    assert agent.execute("UPDATE orders SET total = 0 WHERE id = %s", (7,)).rowcount == 1, "with its values"


def test_what_is_observed_runs_and_is_marked(gateway: Gateway, agent: psycopg.Connection) -> None:
    agent.execute("UPDATE orders SET total = 77 WHERE id = 77")
    agent.close()
    lines = gateway.cli("search", "total = 77", "--json").stdout.splitlines()
    assert any('"observe"' in line for line in lines), lines


def test_a_batch_an_identity_and_a_function_can_be_named(gateway: Gateway, agent: psycopg.Connection) -> None:
    assert refused(agent, "SELECT 1; SELECT 2") == "one-by-one"
    assert agent.execute("SELECT version()").fetchone()
    with psycopg.connect(gateway.dsn("other"), autocommit=True) as other:
        assert refused(other, "SELECT version()") == "not-him"
        assert refused(other, "SELECT lower(version())") == "not-him"


LIMITED = {
    "statements": ("SELECT 1 FROM by_statements LIMIT 1", 3),
    "rows": ("SELECT id FROM by_rows", 2),
    "bytes": ("SELECT id, text FROM by_bytes", 1),
    "seconds": ("SELECT pg_sleep(0.1)", 1),
}


@pytest.mark.parametrize("measure", LIMITED)
def test_a_limit_lets_so_much_through_and_says_when_it_begins_anew(
    gateway: Gateway, agent: psycopg.Connection, measure: str
) -> None:
    text, times = LIMITED[measure]
    for _ in range(times):
        agent.execute(text)  # type: ignore[call-overload]
    with pytest.raises(errors.ConfigurationLimitExceeded) as caught:
        agent.execute(text)  # type: ignore[call-overload]
    diagnostic = caught.value.diag
    assert f'the limit of rule "{measure}" is used up; it resets in 10 min' in str(diagnostic.message_primary)
    assert "Run the statement again in" in str(diagnostic.message_hint)
    with psycopg.connect(gateway.dsn(), autocommit=True) as again, pytest.raises(errors.ConfigurationLimitExceeded):
        again.execute(text)  # type: ignore[call-overload]  # another session of the same identity
    with psycopg.connect(gateway.dsn("other"), autocommit=True) as other:
        other.execute(text)  # type: ignore[call-overload]  # another identity


def test_explain_shows_the_rules_in_order_and_backtest_what_would_change(
    gateway: Gateway, agent: psycopg.Connection
) -> None:
    explained = json.loads(gateway.cli("policy", "explain", "shop", "--json").stdout)
    assert [rule["name"] for rule in explained["rules"]][:3] == ["closed", "never", "whole-table"]
    agent.execute("SELECT total FROM orders WHERE id = 41")
    agent.close()
    found = gateway.cli("policy", "backtest", "--policy", "read-only")
    assert "UPDATE orders" in found.stdout, "it ran under the old policy, and would be refused"
