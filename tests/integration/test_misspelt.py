"""What is misspelt beside masked columns is answered by the server's own error, and not held for people to look at."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "misspelt"
SCHEMA = """
CREATE TABLE customers (id int PRIMARY KEY, name text, ssn text);
INSERT INTO customers VALUES (1, 'one', 'canary1');
CREATE TABLE orders (id int, customer_id int);
"""


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Gateway]]:
    server: Server = request.getfixturevalue(request.param)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(server.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
        plan = GatewayPlan(server=server, dbname=DBNAME, masks={"*.ssn": "redact", "*.secret*": "redact"}, wait_s=0.01)
        with running_gateway(plan, tmp_path_factory.mktemp(request.param)) as running:
            yield server, running
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


@pytest.fixture
def agent(place: tuple[Server, Gateway]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(place[1].dsn(), autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        yield connection


@pytest.fixture
def direct(place: tuple[Server, Gateway]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(place[0].dsn(DBNAME), autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        yield connection


MISSPELT = [
    "SELECT nam FROM customers",
    "SELECT id FROM customers WHERE nam = 'x'",
    "  SELECT c.nam FROM customers c -- words",
    "SELECT x.id FROM customers c",
    "SELECT (c).nam FROM customers c",
    "SELECT id FROM customers ORDER BY nam",
    "SELECT ssn, count(*) FROM customers GROUP BY nam",
    "SELECT 'é', id FROM customers WHERE nam = 'ü'",
    "SELECT uper(ssn) FROM customers",
    "SELECT id FROM custommers ORDER BY id",
    "SELECT * FROM customers JOIN orders USING (nam)",
    "INSERT INTO customers (nam) VALUES (1)",
    "UPDATE customers SET nam = 'x'",
    "DELETE FROM customers WHERE nam = 'x'",
    "EXPLAIN SELECT nam FROM customers",
    "CREATE TABLE copy AS SELECT nam FROM customers",
]


def told(connection: psycopg.Connection, sql: str) -> tuple[object, ...]:
    with pytest.raises(psycopg.Error) as failed:
        connection.execute(sql)
    said = failed.value.diag
    return said.sqlstate, said.message_primary, said.message_hint, said.statement_position


@pytest.mark.parametrize("sql", MISSPELT)
def test_it_is_the_servers_own_error(agent: psycopg.Connection, direct: psycopg.Connection, sql: str) -> None:
    expected = told(direct, sql)
    assert expected[0] in ("42703", "42P01", "42883")
    assert told(agent, sql) == expected
    assert agent.execute("SELECT ssn FROM customers").fetchone() == ("***",), "the session goes on"


def test_nobody_is_asked(agent: psycopg.Connection, place: tuple[Server, Gateway]) -> None:
    told(agent, MISSPELT[1])
    assert MISSPELT[1] not in place[1].cli("approvals", "--all", "--json").stdout


def test_a_transaction_fails_as_it_does_without_a_gateway(agent: psycopg.Connection) -> None:
    agent.execute("BEGIN")
    told(agent, MISSPELT[0])
    assert told(agent, "SELECT 1")[0] == "25P02"
    agent.execute("ROLLBACK")


HIDDEN = [
    "ALTER TABLE orders ADD COLUMN fresh text",
    "ALTER TABLE orders RENAME COLUMN customer_id TO fresh",
    "CREATE TEMP TABLE orders (id int, fresh text)",
    "DO 'BEGIN CREATE TEMP TABLE orders (id int, fresh text); END'",
    "SET LOCAL search_path = elsewhere, public",
]
FRESH = "SELECT c.id FROM customers c JOIN orders o ON o.id = c.id ORDER BY fresh"


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_only_this_session_sees_is_not_said_to_be_missing(
    agent: psycopg.Connection, direct: psycopg.Connection, hidden: str
) -> None:
    """A side connection does not see it: people decide, or the server does."""
    direct.execute("CREATE SCHEMA IF NOT EXISTS elsewhere")
    direct.execute("CREATE TABLE IF NOT EXISTS elsewhere.orders (id int, fresh text)")
    agent.execute("BEGIN")
    agent.execute(hidden)
    answer = ""
    try:
        agent.execute(FRESH).fetchall()
    except psycopg.Error as error:
        answer = str(error)
    assert answer == "" or "is pending" in answer
    agent.execute("ROLLBACK")
    assert told(agent, FRESH)[0] == "42703" or "TEMP" in hidden


def test_a_column_that_was_made_past_the_gateway_is_there(
    agent: psycopg.Connection, direct: psycopg.Connection
) -> None:
    agent.execute("SELECT 1")
    direct.execute("ALTER TABLE customers ADD COLUMN secret_new text DEFAULT 'canary9'")
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="pending"):
            agent.execute("SELECT id FROM customers WHERE secret_new LIKE 'c%'")
        answer = ""
        try:
            answer = str(agent.execute("SELECT secret_new FROM customers").fetchall())
        except psycopg.errors.InsufficientPrivilege as held:
            answer = str(held)
        assert "pending" in answer or answer == "[('***',)]"
    finally:
        direct.execute("ALTER TABLE customers DROP COLUMN secret_new")


def test_a_column_that_was_made_past_the_gateway_is_masked_at_once(
    agent: psycopg.Connection, direct: psycopg.Connection
) -> None:
    """The server names an origin that the catalog does not have: it is masked, and the catalog is read again."""
    assert agent.execute("SELECT * FROM customers").fetchall() == [(1, "one", "***")]
    direct.execute("ALTER TABLE customers ADD COLUMN secret_newer text DEFAULT 'canary8'")
    direct.execute("CREATE TABLE late (id int, secret text)")
    direct.execute("INSERT INTO late VALUES (1, 'canary7')")
    try:
        for sql in ("SELECT * FROM customers", "SELECT * FROM late", "SELECT secret FROM late", "SELECT l FROM late l"):
            assert "canary" not in str(agent.execute(sql).fetchall()), sql
    finally:
        direct.execute("DROP TABLE late")
        direct.execute("ALTER TABLE customers DROP COLUMN secret_newer")


def test_values_in_the_text_are_no_way_to_ask(agent: psycopg.Connection) -> None:
    """Only parsing is done for it: a condition over masked values is held whatever else the statement names."""
    for guess in ("canary1", "other"):
        with pytest.raises(psycopg.Error) as failed:
            agent.execute(f"SELECT nam FROM customers WHERE ssn > '{guess}'")
        assert failed.value.sqlstate == "42703"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            agent.execute(f"SELECT 1/0 FROM customers WHERE ssn > '{guess}'")


WITHOUT_MASKS = [
    "SELECT ifnull(total, 0) FROM sales",
    "SELECT date_format(sold, '%Y-%m'), sum(total) FROM sales GROUP BY 1",
    "SELECT to_charr(sold, 'YYYY') FROM sales",
    "SELECT sold - datediff(total) FROM sales",
    "EXPLAIN SELECT nvl(total, 0) FROM sales",
    "UPDATE sales SET totl = 1 WHERE id = 1",
    "UPDATE sale SET total = 1 WHERE id = 1",
    "INSERT INTO sales (id, totl) VALUES (1, 2)",
    "DELETE FROM sales WHERE idd = 1",
]
OWN_NAMES = [
    ("CREATE TABLE fresh (id int)", "INSERT INTO fresh VALUES (1)"),
    ("CREATE TEMP TABLE sales (id int, fresh int)", "UPDATE sales SET fresh = 1 WHERE id = 1"),
    ("ALTER TABLE sales ADD COLUMN fresh int", "UPDATE sales SET fresh = 1 WHERE id = 1"),
    (
        "CREATE FUNCTION newest(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN EXECUTE ''x''; RETURN 1; END'",
        "SELECT newest(1)",
    ),
]
# Definitions pass here, so that what they change is there when the next statement is held.
FREE = """
[policy.held-changes]
pack = "agent-default"
[[policy.held-changes.rule]]
name = "definitions-pass"
action = "allow"
when = { only_effects = ["read", "ddl", "namespace"] }
"""


@pytest.fixture(scope="module")
def plain(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Nothing is masked; what changes rows, or is not known, is held."""
    dbname = "misspelt_plain"
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {dbname} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {dbname}")
        with psycopg.connect(postgres.dsn(dbname), autocommit=True) as connection:
            connection.execute("CREATE TABLE sales (id int, sold date, total int)")
            connection.execute(
                "CREATE FUNCTION named(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN EXECUTE ''x''; RETURN 1; END'"
            )
        plan = GatewayPlan(server=postgres, dbname=dbname, policy="held-changes", extra=FREE, wait_s=0.01)
        with running_gateway(plan, tmp_path_factory.mktemp("plain")) as running:
            yield running
        admin.execute(f"DROP DATABASE {dbname} WITH (FORCE)")


@pytest.mark.parametrize("sql", WITHOUT_MASKS)
def test_nobody_is_asked_about_a_name_that_is_not_there(plain: Gateway, postgres: Server, sql: str) -> None:
    """Functions of another dialect are what an agent writes most; they would wait for people as unknown ones."""
    with psycopg.connect(postgres.dsn(plain.dbname), autocommit=True) as direct:
        expected = told(direct, sql)
    with psycopg.connect(plain.dsn(), autocommit=True) as agent:
        assert told(agent, sql) == expected
    assert sql not in plain.cli("approvals", "--all", "--json").stdout


def test_a_function_that_is_there_and_not_known_is_held(plain: Gateway) -> None:
    with psycopg.connect(plain.dsn(), autocommit=True) as agent:
        assert "is pending" in str(told(agent, "SELECT named(1)"))
        assert "is pending" in str(told(agent, "UPDATE sales SET total = 1 WHERE id = 1"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is pending"):
            agent.execute("SELECT named(%s)", (1,))


@pytest.mark.parametrize(("definition", "sql"), OWN_NAMES)
def test_a_name_that_only_this_transaction_sees_is_not_said_to_be_missing(
    plain: Gateway, definition: str, sql: str
) -> None:
    with psycopg.connect(plain.dsn()) as agent:
        agent.execute(definition)
        assert "is pending" in str(told(agent, sql))
        agent.rollback()


QUOTING = """
CREATE FUNCTION a_secret() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ssn FROM customers WHERE id = 1';
CREATE DOMAIN quoting AS text CHECK (a_secret()::regclass IS NOT NULL);
"""


def test_what_a_check_says_of_a_constant_is_not_taken_for_the_names_of_the_statement(
    place: tuple[Server, Gateway], agent: psycopg.Connection, direct: psycopg.Connection
) -> None:
    """The server runs a domain's check while it parses, and such an error has a position and no context."""
    text = "SELECT id, '{x}'::quoting[] FROM customers WHERE ssn LIKE 'c%'"
    direct.execute(QUOTING)
    try:
        with pytest.raises(psycopg.errors.UndefinedTable, match="canary1"):
            direct.execute(text)
        with pytest.raises(psycopg.Error) as held:
            agent.execute(text)
        assert "canary1" not in str(held.value)
        assert "wp-" in str(held.value)
    finally:
        direct.execute("DROP DOMAIN quoting; DROP FUNCTION a_secret()")
