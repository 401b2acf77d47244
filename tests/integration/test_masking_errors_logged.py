"""What the server said in full, where the client gets less, is in the log if the log is encrypted, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "errors_logged"
SCHEMA = """
CREATE TABLE notes (id int PRIMARY KEY, label text, secret text);
INSERT INTO notes VALUES (1, 'l', 'canary1');
CREATE FUNCTION tells() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''it is %'', OLD.secret; END';
CREATE TRIGGER tells BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION tells();
"""


@pytest.mark.parametrize("encrypted", [False, True])
def test_only_an_encrypted_log_has_the_servers_own_words(postgres: Server, tmp_path: Path, encrypted: bool) -> None:
    private = X25519PrivateKey.generate()
    public, key = tmp_path / "auditor.pub", tmp_path / "auditor.key"
    public.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    key.touch(mode=0o600)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(postgres.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
        plan = GatewayPlan(
            server=postgres, dbname=DBNAME, masks={"*.secret": "redact"}, auditors=[public] if encrypted else []
        )
        with running_gateway(plan, tmp_path / "gateway") as gateway:
            shown = fails(gateway)
            exported = log(gateway, key if encrypted else None)
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")
    assert "canary1" not in shown
    assert "withheld" in shown
    events = [each for each in exported if each["type"] == "event" and each["name"] == "error_in_full"]
    assert len(events) == int(encrypted)
    assert ("it is canary1" in json.dumps(exported)) is encrypted
    assert any(each["type"] == "error" and "withheld" in json.dumps(each) for each in exported)
    raw = b"".join(path.read_bytes() for path in (tmp_path / "gateway").rglob("*") if path.is_file())
    assert b"canary1" not in raw


def fails(gateway: Gateway) -> str:
    with (
        psycopg.connect(gateway.dsn(), autocommit=True) as agent,
        pytest.raises(psycopg.errors.RaiseException) as failed,
    ):
        agent.execute("UPDATE notes SET label = 'x'")
    return f"{failed.value} {failed.value.diag.message_detail} {failed.value.diag.context}"


def log(gateway: Gateway, key: Path | None) -> list[dict[str, object]]:
    options = [] if key is None else ["--private-key", str(key)]
    listed = gateway.cli("sessions", "--json", *options).stdout.splitlines()
    sessions = [each["session"] for each in map(json.loads, listed) if each["identity"] == "agent"]
    return [json.loads(line) for line in gateway.cli("export", sessions[-1], *options).stdout.splitlines()]
