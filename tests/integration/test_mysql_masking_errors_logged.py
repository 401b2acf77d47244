"""The servers' own words in errors and warnings, where the client gets less, are in encrypted logs alone: MySQL and MariaDB."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pymysql
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.integration.mysql_gateway import direct
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "errors_logged"
OPEN = """
[policy.open]
pack = "allow-all"
predicates = "allow"
"""


@pytest.mark.parametrize(("family", "encrypted"), [("mariadb", False), ("mariadb", True), ("mysql", True)])
def test_only_an_encrypted_log_has_the_servers_own_words(
    request: pytest.FixtureRequest, tmp_path: Path, family: str, encrypted: bool
) -> None:
    server: Server = request.getfixturevalue(family)
    private = X25519PrivateKey.generate()
    public, key = tmp_path / "auditor.pub", tmp_path / "auditor.key"
    public.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    key.touch(mode=0o600)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with closing(direct(server, "mysql")) as admin, admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
        cursor.execute(f"CREATE TABLE {DBNAME}.notes (id int PRIMARY KEY, secret varchar(40))")
        cursor.execute(f"INSERT INTO {DBNAME}.notes VALUES (1, 'canary1'), (2, 'canary2')")
        plan = GatewayPlan(
            server=server, dialect="mysql", dbname=DBNAME, policy="open", extra=OPEN, masks={"*.secret": "redact"},
            auditors=[public] if encrypted else [],
        )  # fmt: skip
        with running_gateway(plan, tmp_path / "gateway") as gateway:
            shown = fails(gateway)
            exported, replayed = log(gateway, key if encrypted else None)
        cursor.execute(f"DROP DATABASE {DBNAME}")
    assert "canary" not in shown
    assert shown.count("withheld") == 2
    assert shown.count("***") == 2
    said = {
        (str(each["name"]), str(each["detail"]["errno"]), str(each["detail"]["M"]))
        for each in exported
        if each["type"] == "event" and str(each["name"]).endswith("_in_full")
    }
    full = {
        ("error_in_full", "1105", "XPATH syntax error: '~canary1'"),
        ("warning_in_full", "1105", "XPATH syntax error: '~canary1'"),
        ("warning_in_full", "1292", "Truncated incorrect DOUBLE value: 'canary1'"),
        ("warning_in_full", "1292", "Truncated incorrect DOUBLE value: 'canary2'"),
    }
    assert said == (full if encrypted else set())
    assert ("value: 'canary2'" in replayed) is encrypted
    assert any(each["type"] == "error" and "withheld" in json.dumps(each) for each in exported)
    raw = b"".join(path.read_bytes() for path in (tmp_path / "gateway").rglob("*") if path.is_file())
    assert b"canary" not in raw


def fails(gateway: Gateway) -> str:
    with closing(gateway.mysql()) as agent, agent.cursor() as cursor:
        with pytest.raises(pymysql.err.MySQLError) as failed:
            cursor.execute("SELECT EXTRACTVALUE(1, CONCAT(0x7e, (SELECT secret FROM notes WHERE id = 1)))")
        cursor.execute("SHOW WARNINGS")
        shown = f"{failed.value} {cursor.fetchall()}"
        cursor.execute("SELECT secret + 0 FROM notes")
        cursor.execute("SHOW WARNINGS")
        return f"{shown} {cursor.fetchall()}"


def log(gateway: Gateway, key: Path | None) -> tuple[list[dict[str, object]], str]:
    options = [] if key is None else ["--private-key", str(key)]
    listed = gateway.cli("sessions", "--json", *options).stdout.splitlines()
    session = [each["session"] for each in map(json.loads, listed) if each["identity"] == "agent"][-1]
    exported = gateway.cli("export", session, *options).stdout.splitlines()
    return [json.loads(line) for line in exported], gateway.cli("replay", session, *options).stdout
