"""docker-compose.yml: rendered by a real client, and its topology run as processes, for want of an engine."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support import debian
from tests.support.gateway import Gateway, serving
from tests.support.programs import postgres18_programs
from wireproxy.demo.cluster import Cluster, Plan, free_port, start_cluster
from wireproxy.demo.unprivileged import make_folder, reachable, server_account

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"


def _compose_command() -> list[str]:
    """`docker compose` of the machine, else Debian's, unpacked. It needs no engine to render a file."""
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    if found := shutil.which("docker-compose"):
        return [found]
    root = debian.unpack("trixie", "docker-compose", whole=True)
    return [str(part) for part in debian.loaded(root, root / "usr/libexec/docker/cli-plugins/docker-compose")]


@pytest.fixture(scope="module")
def rendered() -> dict[str, Any]:
    command = [*_compose_command(), "-f", str(COMPOSE), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def test_a_client_renders_the_file(rendered: dict[str, Any]) -> None:
    assert set(rendered["services"]) == {"secrets", "postgres", "gateway"}


def test_the_database_has_no_way_in_but_the_gateway(rendered: dict[str, Any]) -> None:
    services = rendered["services"]
    assert "ports" not in services["postgres"]
    assert list(services["postgres"]["networks"]) == ["inside"]
    assert rendered["networks"]["inside"]["internal"] is True
    assert [port["host_ip"] for port in services["gateway"]["ports"]] == ["127.0.0.1"]


def test_the_gateway_runs_without_privileges(rendered: dict[str, Any]) -> None:
    gateway = rendered["services"]["gateway"]
    assert gateway["read_only"] is True
    assert gateway["cap_drop"] == ["ALL"]
    assert "cap_add" not in gateway
    assert "no-new-privileges:true" in gateway["security_opt"]
    assert "privileged" not in gateway
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    last_stage = dockerfile.rpartition("FROM ")[2]
    assert "\nUSER wireproxy\n" in last_stage
    assert "install ." not in last_stage, "no package manager in the image that runs"


def test_no_secret_is_in_the_environment_or_in_the_repository(rendered: dict[str, Any]) -> None:
    for service in rendered["services"].values():
        for name, value in service.get("environment", {}).items():
            assert not name.endswith("PASSWORD"), name
            assert name.endswith("_FILE") == str(value).startswith("/run/"), name
    config = (ROOT / "docker/wireproxy.toml").read_text(encoding="utf-8")
    assert "password" not in tomllib.loads(config)["user"]["agent"]


def test_services_start_in_order_and_are_watched(rendered: dict[str, Any]) -> None:
    services = rendered["services"]
    assert services["gateway"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert services["postgres"]["depends_on"]["secrets"]["condition"] == "service_completed_successfully"
    assert "healthcheck" in services["gateway"]
    assert "healthcheck" in services["postgres"]


def test_every_file_that_is_mounted_exists(rendered: dict[str, Any]) -> None:
    mounts = [mount for service in rendered["services"].values() for mount in service.get("volumes", [])]
    bound = [mount for mount in mounts if mount["type"] == "bind"]
    assert len(bound) == 4
    for mount in bound:
        assert Path(mount["source"]).is_file(), mount["source"]
        assert mount["read_only"] is True
    named = {mount["source"] for mount in mounts if mount["type"] == "volume"}
    assert named == set(rendered["volumes"])


def test_the_image_gets_what_it_copies() -> None:
    copied = [
        word
        for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    assert set(copied) == allowed
    assert all((ROOT / name).exists() for name in copied)


@pytest.fixture
def secrets_folder(tmp_path: Path) -> Path:
    """What the service `secrets` leaves in its volumes, by its own script."""
    root = tmp_path / "secrets"
    for name in ("database", "gateway"):
        (root / name).mkdir(parents=True)
    me = str(os.getuid())
    environment = {**os.environ, "SECRETS_ROOT": str(root), "DATABASE_OWNER": me, "GATEWAY_OWNER": me}
    for _ in range(2):  # a second start must leave the passwords as they are
        subprocess.run(["sh", ROOT / "docker/make-secrets.sh"], check=True, env=environment)
        made = [(path.name, path.read_text(encoding="ascii")) for path in sorted(root.rglob("*")) if path.is_file()]
    assert [name for name, _ in made] == ["gateway", "superuser", "shop"]
    assert made[0][1] == made[2][1] != made[1][1]
    assert all(len(secret) >= 32 for _, secret in made)
    assert all(path.stat().st_mode & 0o077 == 0 for path in root.rglob("*") if path.is_file())
    return root


@pytest.fixture
def shop() -> Iterator[Cluster]:
    """PostgreSQL 18 as its image leaves it before the scripts run."""
    account = server_account()
    folder = make_folder(account, "wireproxy-compose-")
    programs = reachable(account, postgres18_programs().folder.parent, folder) / "bin"
    cluster = start_cluster(Plan(programs=programs, folder=folder))
    try:
        with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE shop")
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)


def _run_init_scripts(cluster: Cluster, secrets: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{cluster.plan.programs}:{os.environ['PATH']}",
        "PGHOST": cluster.host,
        "PGPORT": str(cluster.port),
        "PGPASSWORD": cluster.password,
        "POSTGRES_USER": "postgres",
        "POSTGRES_DB": "shop",
        "GATEWAY_PASSWORD_FILE": str(secrets / "database/gateway"),
    }
    shop_sql = ROOT / "wireproxy/demo/shop.sql"
    psql = ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "shop", "-f", str(shop_sql)]
    subprocess.run(psql, check=True, env=environment)
    subprocess.run(["sh", ROOT / "docker/gateway-role.sh"], check=True, env=environment)


@pytest.fixture
def topology(shop: Cluster, secrets_folder: Path, tmp_path: Path) -> Iterator[tuple[Gateway, int]]:
    """The gateway with the configuration of the container; only addresses, paths and the approver's name are of here."""
    _run_init_scripts(shop, secrets_folder)
    port, http = free_port(), free_port()
    text = (ROOT / "docker/wireproxy.toml").read_text(encoding="utf-8")
    here = {
        '"/var/lib/wireproxy': f'"{tmp_path}/state',
        "127.0.0.1:9187": f"127.0.0.1:{http}",
        '"0.0.0.0"': '"127.0.0.1"',
        "port = 6432": f"port = {port}",
        'host = "postgres"': 'host = "127.0.0.1"',
        "port = 5432": f"port = {shop.port}",
        "/run/gateway-secrets/shop": str(secrets_folder / "gateway/shop"),
        '["wireproxy"]': json.dumps([getpass.getuser()]),
    }
    for there, changed in here.items():
        assert there in text, there
        text = text.replace(there, changed)
    config = tmp_path / "wireproxy.toml"
    config.write_text(text, encoding="utf-8")
    with serving(config, port, "shop") as gateway:
        yield gateway, http


def test_the_topology_works_as_processes(topology: tuple[Gateway, int], rendered: dict[str, Any]) -> None:
    gateway, http = topology
    healthcheck = [
        part.replace("9187", str(http)) for part in rendered["services"]["gateway"]["healthcheck"]["test"][1:]
    ]
    assert subprocess.run(healthcheck).returncode == 0
    with psycopg.connect(gateway.dsn(password="a-sample-password"), autocommit=True) as agent:
        row = agent.execute("SELECT name, email, ssn, card_number, salary FROM customers WHERE id = 1").fetchone()
        assert row is not None
        assert row[0] == "Hana Fischer"
        assert row[1] != "hana.fischer1@example.net"
        assert row[2].endswith("7919")
        assert row[2] != "937-63-7919"
        assert row[3] != "4000000001047291"
        assert row[4] is None
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            agent.execute("DROP TABLE order_items")
        assert agent.execute("SELECT count(*) FROM order_items").fetchone() == (120_000,)


def test_the_gateway_ends_on_the_signal_that_the_engine_sends(topology: tuple[Gateway, int]) -> None:
    gateway, _ = topology
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(30) == 0
