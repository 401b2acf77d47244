"""`wireproxy config check --live`: copies of masked columns that no mask covers; and what their triggers do, end to end."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest
from click.testing import CliRunner

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server
from wireproxy.cli import cli

pytestmark = pytest.mark.integration
DBNAME = "config_check_live"
SCHEMA = """
CREATE SCHEMA hr;
CREATE TABLE customers (id int PRIMARY KEY, name text, ssn text, email text, born date);
CREATE TABLE audit (id int GENERATED ALWAYS AS IDENTITY, what text, at timestamptz DEFAULT now());
CREATE TABLE audit_of_audit (what text);
CREATE TABLE seen (customer int, at date);
CREATE TABLE masked_audit (ssn text);
CREATE TABLE report (line text);
CREATE TABLE hr.customers_backup (id int, ssn text);
CREATE TABLE numbers (ssn int);
CREATE TABLE chain (secret text);
CREATE TABLE chain_end (what text);
CREATE TABLE events (id int, at date, secret text) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE VIEW v AS SELECT ssn FROM customers;
CREATE MATERIALIZED VIEW mv AS SELECT ssn FROM customers;
CREATE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO audit (what) VALUES (OLD.ssn || '' '' || OLD.email); RETURN NEW; END';
CREATE TRIGGER keeps AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION keeps();
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit_of_audit VALUES (NEW.what); RETURN NEW; END';
CREATE TRIGGER again AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION again();
CREATE FUNCTION sees() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO seen VALUES (NEW.id, now()); NEW.email := lower(NEW.email); RETURN NEW; END';
CREATE TRIGGER sees BEFORE INSERT OR DELETE ON customers FOR EACH ROW EXECUTE FUNCTION sees();
CREATE FUNCTION builds() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN EXECUTE ''INSERT INTO '' || TG_ARGV[0] || '' VALUES (1)''; RETURN NEW; END';
CREATE TRIGGER builds AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION builds('seen');
CREATE FUNCTION chains() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO chain VALUES (OLD.ssn); RETURN OLD; END';
CREATE TRIGGER chains AFTER DELETE ON customers FOR EACH ROW EXECUTE FUNCTION chains();
CREATE FUNCTION ends() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO chain_end VALUES (NEW.secret); RETURN NEW; END';
CREATE TRIGGER ends AFTER INSERT ON chain FOR EACH ROW EXECUTE FUNCTION ends();
CREATE PROCEDURE refresh_report() LANGUAGE sql AS 'INSERT INTO report SELECT ssn FROM customers';
CREATE FUNCTION harmless() RETURNS void LANGUAGE sql AS 'INSERT INTO report SELECT name FROM (VALUES (1)) AS a (name)';
INSERT INTO customers VALUES (1, 'one', 'canary1', 'canary1@shop.test', '1987-06-05');
"""
MASKS = {
    "public.customers.ssn": "redact", "*.customers.email": "email", "*.secret": "redact", "*.masked_audit.ssn": "redact",
    "*.customers.snn": "redact", "hr.staf.pay": "null",
}  # fmt: skip


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Gateway]]:
    server: Server = request.getfixturevalue(request.param)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(server.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
        plan = GatewayPlan(server=server, dbname=DBNAME, masks=MASKS, wait_s=0.01)
        with running_gateway(plan, tmp_path_factory.mktemp(request.param)) as running:
            yield server, running
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


def found(gateway: Gateway) -> list[str]:
    done = CliRunner().invoke(cli, ["config", "check", "--live", "--json", "-c", str(gateway.config)])
    assert done.exit_code == 0, done.output
    listed = [json.loads(line) for line in done.output.splitlines()]
    return [each["message"] for each in listed if each.get("database") == DBNAME]


def test_it_lists_what_is_not_covered_and_nothing_else(place: tuple[Server, Gateway]) -> None:
    covers = "where no mask covers all that it may write"
    assert sorted(found(place[1])) == sorted([
        "the mask '*.customers.snn' matches no column",
        "the mask 'hr.staf.pay' matches no column",
        "the trigger keeps of public.customers copies public.customers.email, public.customers.ssn into public.audit, " + covers,
        "the trigger ends of public.chain copies public.chain.secret into public.chain_end, " + covers,
        "the trigger builds of public.events may keep public.chain.secret, public.customers.email, public.customers.ssn, "
        "public.events.secret, public.events_1.secret and 1 more in ways that cannot be followed",
        "the routine public.refresh_report copies public.customers.email, public.customers.ssn into public.report, " + covers,
        "hr.customers_backup.ssn is not masked, though public.customers.ssn, public.masked_audit.ssn is",
    ])  # fmt: skip


def test_people_read_it_too(place: tuple[Server, Gateway]) -> None:
    done = CliRunner().invoke(cli, ["config", "check", "--live", "-c", str(place[1].config)])
    assert done.exit_code == 0
    assert f"database {DBNAME}: warning: the trigger keeps of public.customers copies" in done.output
    assert done.output.splitlines()[-1].startswith("fine: ")


def test_a_database_that_cannot_be_read_is_an_error(place: tuple[Server, Gateway], tmp_path: object) -> None:
    gateway = place[1]
    other = gateway.config.with_name("other.toml")
    other.write_text(gateway.config.read_text().replace(f"port = {place[0].port}", "port = 1"))
    other.chmod(0o600)
    done = CliRunner().invoke(cli, ["config", "check", "--live", "-c", str(other)])
    assert done.exit_code == 1, done.output
    assert "error: the gateway cannot connect" in done.output


def check(gateway: Gateway, sql: str) -> tuple[int, str]:
    arguments = ["check", "--live", "-c", str(gateway.config), "--database", DBNAME, "--json", sql]
    done = CliRunner().invoke(cli, arguments)
    return done.exit_code, done.output


HELD = {
    "UPDATE customers SET name = 'x' WHERE id = 1": "what the trigger keeps of customers writes",
    "DELETE FROM customers WHERE id = 9": "what the trigger ends of chain writes",
    "INSERT INTO events VALUES (1, '2024-05-05', 'x')": "what the trigger builds of events writes",
    "COPY events FROM STDIN": "what the trigger builds of events writes",
}


@pytest.mark.parametrize("sql", HELD)
def test_check_live_shows_the_hold_by_a_trigger(place: tuple[Server, Gateway], sql: str) -> None:
    status, output = check(place[1], sql)
    assert status == 3, output
    assert HELD[sql] in output


def test_check_live_lets_pass_what_fires_none(place: tuple[Server, Gateway]) -> None:
    assert check(place[1], "INSERT INTO customers VALUES (2, 'a', 'b', 'c', '2020-01-01')")[0] == 0


def test_what_a_trigger_copies_inherits_the_mask_from_end_to_end(place: tuple[Server, Gateway]) -> None:
    """Approved once, it is masked in the table that the trigger writes, in its own copy, and for every later write."""
    gateway = place[1]
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        sql = "UPDATE customers SET name = 'y' WHERE id = 1"
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="pending") as held:
            agent.execute(sql)
        assert "would hold public.customers.email, public.customers.ssn unmasked" in str(held.value.diag.message_detail)
        request = str(held.value).split("request ")[1].split()[0]
        assert gateway.cli("approve", request).returncode == 0
        assert agent.execute(sql).rowcount == 1
        for table in ("audit", "audit_of_audit"):
            rows = agent.execute(f"SELECT what FROM {table}").fetchall()
            assert rows == [("***",)], table
        assert agent.execute("SELECT upper(what) FROM audit").fetchall() == [("***",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            agent.execute("SELECT 1 FROM audit WHERE what LIKE 'c%'")
        assert agent.execute("UPDATE customers SET name = 'z' WHERE id = 1").rowcount == 1, "it is covered by now"
        masked = [json.loads(line)["move"] for line in gateway.cli("masks", "--json").stdout.splitlines()]
        assert {each["relation"] for each in masked} == {"audit", "audit_of_audit"}
    assert not [each for each in found(gateway) if "trigger keeps" in each]
