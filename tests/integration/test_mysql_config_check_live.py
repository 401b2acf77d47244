"""`wireproxy config check --live` on MySQL and MariaDB: copies of masked columns; and what their triggers do, end to end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pymysql
import pytest
from click.testing import CliRunner

from tests.integration.mysql_gateway import direct
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server
from wireproxy.cli import cli

pytestmark = pytest.mark.integration
DBNAME = "config_check_live"
HR = "config_check_live_hr"
SCHEMA = f"""
CREATE TABLE customers (id int PRIMARY KEY, name varchar(40), ssn varchar(40), email varchar(80), born date,
    loud varchar(40) GENERATED ALWAYS AS (upper(ssn)) STORED);
CREATE TABLE audit (id int AUTO_INCREMENT PRIMARY KEY, what varchar(200), at datetime DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE audit_of_audit (what varchar(200));
CREATE TABLE seen (customer int, at date);
CREATE TABLE masked_audit (SSN varchar(40));
CREATE TABLE report (line varchar(40));
CREATE TABLE {HR}.customers_backup (id int, ssn varchar(40));
CREATE TABLE numbers (ssn int);
CREATE TABLE chain (id int PRIMARY KEY, secret varchar(40));
CREATE TABLE chain_end (what varchar(40));
CREATE TABLE events (id int, secret varchar(40));
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int, secret varchar(40), FOREIGN KEY (id) REFERENCES parent (id) ON DELETE CASCADE);
CREATE TABLE cascaded (what varchar(40));
CREATE VIEW v AS SELECT ssn, name FROM customers;
CREATE TRIGGER keeps AFTER UPDATE ON customers FOR EACH ROW
    INSERT INTO audit (what) VALUES (CONCAT(OLD.ssn, ' ', OLD.email));
CREATE TRIGGER again AFTER INSERT ON audit FOR EACH ROW INSERT INTO audit_of_audit VALUES (NEW.what);
CREATE TRIGGER sees BEFORE INSERT ON customers FOR EACH ROW
    BEGIN INSERT INTO seen VALUES (NEW.id, NOW()); SET NEW.email = LOWER(NEW.email); END;
CREATE TRIGGER variable AFTER UPDATE ON events FOR EACH ROW SET @kept = NEW.secret;
CREATE TRIGGER chains AFTER DELETE ON customers FOR EACH ROW INSERT INTO chain (id, secret) VALUES (OLD.id, OLD.ssn);
CREATE TRIGGER ends AFTER INSERT ON chain FOR EACH ROW INSERT INTO chain_end VALUES (NEW.secret);
CREATE TRIGGER cascades AFTER DELETE ON child FOR EACH ROW INSERT INTO cascaded VALUES (OLD.secret);
CREATE PROCEDURE refresh_report() INSERT INTO report SELECT ssn FROM customers;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE DO INSERT INTO report SELECT ssn FROM customers WHERE name = 'x';
CREATE PROCEDURE harmless() INSERT INTO report VALUES ('x');
CREATE PROCEDURE writes() UPDATE customers SET name = 'x' WHERE id = 0;
INSERT INTO customers (id, name, ssn, email, born) VALUES (1, 'one', 'canary1', 'canary1@shop.test', '1987-06-05')
"""
MASKS = {
    f"{DBNAME}.customers.ssn": "redact", "*.CUSTOMERS.email": "email", "*.secret": "redact", "*.masked_audit.ssn": "redact",
    "*.customers.snn": "redact", "hr.staf.pay": "null",
}  # fmt: skip


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Gateway]]:
    server: Server = request.getfixturevalue(request.param)
    with closing(direct(server, "mysql")) as admin, admin.cursor() as cursor:
        for name in (HR, DBNAME):
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {DBNAME}")
        for statement in SCHEMA.split(";\nCREATE"):
            cursor.execute(statement if statement.startswith("\n") else f"CREATE{statement}".partition(";\nINSERT")[0])
        cursor.execute("INSERT" + SCHEMA.partition(";\nINSERT")[2])
        plan = GatewayPlan(server=server, dialect="mysql", dbname=DBNAME, masks=MASKS, wait_s=0.01)
        with running_gateway(plan, tmp_path_factory.mktemp(request.param)) as running:
            yield server, running
        for name in (HR, DBNAME):
            cursor.execute(f"DROP DATABASE {name}")


def found(gateway: Gateway) -> list[str]:
    done = CliRunner().invoke(cli, ["config", "check", "--live", "--json", "-c", str(gateway.config)])
    assert done.exit_code == 0, done.output
    listed = [json.loads(line) for line in done.output.splitlines()]
    return [each["message"] for each in listed if each.get("database") == DBNAME]


def test_it_lists_what_is_not_covered_and_nothing_else(place: tuple[Server, Gateway]) -> None:
    covers = "where no mask covers all that it may write"
    shop = DBNAME
    assert sorted(found(place[1])) == sorted([
        "the mask '*.customers.snn' matches no column",
        "the mask 'hr.staf.pay' matches no column",
        f"the trigger keeps of {shop}.customers copies {shop}.customers.email, {shop}.customers.ssn into {shop}.audit, {covers}",
        f"the trigger ends of {shop}.chain copies {shop}.chain.secret into {shop}.chain_end, {covers}",
        f"the trigger cascades of {shop}.child copies {shop}.child.secret into {shop}.cascaded, {covers}",
        f"the trigger variable of {shop}.events may keep {shop}.events.secret in ways that cannot be followed",
        f"the routine {shop}.refresh_report copies {shop}.customers.email, {shop}.customers.ssn into {shop}.report, {covers}",
        f"the event {shop}.nightly copies {shop}.customers.email, {shop}.customers.ssn into {shop}.report, {covers}",
        f"{HR}.customers_backup.ssn is not masked, though {shop}.customers.ssn, {shop}.masked_audit.SSN is",
    ])  # fmt: skip


def test_people_read_it_too(place: tuple[Server, Gateway]) -> None:
    done = CliRunner().invoke(cli, ["config", "check", "--live", "-c", str(place[1].config)])
    assert done.exit_code == 0
    assert f"database {DBNAME}: warning: the trigger keeps of {DBNAME}.customers copies" in done.output
    assert done.output.splitlines()[-1].startswith("fine: ")


def test_a_database_that_cannot_be_read_is_an_error(place: tuple[Server, Gateway]) -> None:
    gateway = place[1]
    other = gateway.config.with_name("other.toml")
    other.write_text(gateway.config.read_text().replace(f"port = {place[0].port}", "port = 1"))
    other.chmod(0o600)
    done = CliRunner().invoke(cli, ["config", "check", "--live", "-c", str(other)])
    assert done.exit_code == 1, done.output
    assert f"error: the catalog of {DBNAME} cannot be read" in done.output


def check(gateway: Gateway, sql: str) -> tuple[int, str]:
    arguments = ["check", "--live", "-c", str(gateway.config), "--database", DBNAME, "--json", sql]
    done = CliRunner().invoke(cli, arguments)
    return done.exit_code, done.output


HELD = {
    "UPDATE customers SET name = 'x' WHERE id = 1": "what the trigger keeps of customers writes",
    "UPDATE v SET name = 'x'": "what the trigger keeps of customers writes",
    "DELETE FROM customers WHERE id = 9": "what the trigger ends of chain writes",
    "UPDATE events SET id = 1": "what the trigger variable of events writes",
    "CALL writes()": "writes may put",
    "ALTER EVENT nightly ENABLE": "the body of what is defined may read",
}


@pytest.mark.parametrize("sql", HELD)
def test_check_live_shows_the_hold_by_a_trigger(place: tuple[Server, Gateway], sql: str) -> None:
    status, output = check(place[1], sql)
    assert status == 3, output
    assert HELD[sql] in output


def test_check_live_lets_pass_what_fires_none(place: tuple[Server, Gateway]) -> None:
    for sql in ("INSERT INTO customers (id, ssn) VALUES (2, 'b')", "CALL harmless()"):
        status, output = check(place[1], sql)
        assert status == 0, output


def test_what_a_trigger_copies_inherits_the_mask_from_end_to_end(place: tuple[Server, Gateway]) -> None:
    """Approved once, it is masked in the column that the trigger writes, in its own copy, and for every later write."""
    gateway = place[1]
    with closing(gateway.mysql()) as agent, agent.cursor() as cursor:
        sql = "UPDATE customers SET name = 'y' WHERE id = 1"
        with pytest.raises(pymysql.err.MySQLError, match="pending") as held:
            cursor.execute(sql)
        request = str(held.value).split("request ")[1].split()[0]
        assert gateway.cli("approve", request).returncode == 0
        assert cursor.execute(sql) == 1
        for table in ("audit", "audit_of_audit"):
            cursor.execute(f"SELECT what FROM {table}")
            assert cursor.fetchall() == (("***",),), table
        with pytest.raises(pymysql.err.MySQLError, match="pending"):
            cursor.execute("SELECT 1 FROM audit WHERE what LIKE 'c%'")
        assert cursor.execute("UPDATE customers SET name = 'z' WHERE id = 1") == 1, "it is covered by now"
        masked = [json.loads(line)["move"] for line in gateway.cli("masks", "--json").stdout.splitlines()]
        assert {(each["relation"], each["column"]) for each in masked} == {
            ("audit", "what"),
            ("audit_of_audit", "what"),
        }
    assert not [each for each in found(gateway) if "trigger keeps" in each]


def test_a_cascade_of_a_foreign_key_fires_no_trigger(place: tuple[Server, Gateway]) -> None:
    """What follows writes through foreign keys would have to follow triggers there as well."""
    with closing(direct(place[0], DBNAME)) as admin, admin.cursor() as cursor:
        cursor.execute("INSERT INTO parent VALUES (1)")
        cursor.execute("INSERT INTO child VALUES (1, 'canary')")
        cursor.execute("DELETE FROM parent")
        cursor.execute("SELECT (SELECT COUNT(*) FROM child), (SELECT COUNT(*) FROM cascaded)")
        assert cursor.fetchall() == ((0, 0),)
