"""docker-compose.yml: rendered by a real client, and its topology run as processes, for want of an engine."""

from __future__ import annotations

import getpass
import json
import os
import shlex
import shutil
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from attrs import evolve

from tests.integration.mysql_gateway import direct
from tests.support import debian, programs
from tests.support.gateway import Gateway, serving
from tests.support.programs import postgres18_programs
from tests.support.servers import Server
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
    assert set(rendered["services"]) == {"secrets", "postgres", "mariadb", "gateway"}


@pytest.mark.parametrize("database", ["postgres", "mariadb"])
def test_a_database_has_no_way_in_but_the_gateway(rendered: dict[str, Any], database: str) -> None:
    services = rendered["services"]
    assert "ports" not in services[database]
    assert list(services[database]["networks"]) == ["inside"]
    assert rendered["networks"]["inside"]["internal"] is True
    assert [port["host_ip"] for port in services["gateway"]["ports"]] == ["127.0.0.1", "127.0.0.1"]


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
    for database in ("postgres", "mariadb"):
        assert services["gateway"]["depends_on"][database]["condition"] == "service_healthy"
        assert services[database]["depends_on"]["secrets"]["condition"] == "service_completed_successfully"
        assert "healthcheck" in services[database]
    assert "healthcheck" in services["gateway"]


def test_every_file_that_is_mounted_exists(rendered: dict[str, Any]) -> None:
    mounts = [mount for service in rendered["services"].values() for mount in service.get("volumes", [])]
    bound = [mount for mount in mounts if mount["type"] == "bind"]
    assert len(bound) == 6
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
    for name in ("database", "mariadb", "gateway"):
        (root / name).mkdir(parents=True)
    me = str(os.getuid())
    environment = {
        **os.environ,
        "SECRETS_ROOT": str(root),
        "DATABASE_OWNER": me,
        "MARIADB_OWNER": me,
        "GATEWAY_OWNER": me,
    }
    first: dict[str, str] = {}
    for _ in range(2):  # a second start must leave the passwords as they are
        subprocess.run(["sh", ROOT / "docker/make-secrets.sh"], check=True, env=environment)
        made = {str(path.relative_to(root)): path.read_text("ascii") for path in root.rglob("*") if path.is_file()}
        first = first or made
    assert made == first
    assert set(made) == {
        "database/superuser", "database/gateway", "mariadb/root", "mariadb/gateway", "gateway/shop", "gateway/shop_mysql",
    }  # fmt: skip
    assert made["gateway/shop"] == made["database/gateway"]
    assert made["gateway/shop_mysql"] == made["mariadb/gateway"]
    assert len(set(made.values())) == 4
    assert all(len(secret) >= 32 for secret in made.values())
    assert all(path.stat().st_mode & 0o077 == 0 for path in root.rglob("*") if path.is_file())
    return root


@pytest.fixture
def shop() -> Iterator[Cluster]:
    """PostgreSQL 18 as its image leaves it before the scripts run."""
    account = server_account()
    folder = make_folder(account, "wireproxy-compose-")
    folder18 = reachable(account, postgres18_programs().folder.parent, folder) / "bin"
    cluster = start_cluster(Plan(programs=folder18, folder=folder))
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
def shop_mysql(mariadb: Server, secrets_folder: Path, tmp_path: Path) -> Iterator[Server]:
    """MariaDB after its image has run the scripts; the image's `mariadb` finds the server by itself."""
    tool = programs.mariadb_client()
    options = ["--no-defaults", f"--plugin-dir={tool.environment['MARIADB_PLUGIN_DIR']}", "--skip-ssl"]
    client = shlex.join(map(str, [*tool.command, *options, "-h", mariadb.host, "-P", mariadb.port]))
    here = tmp_path / "bin"
    here.mkdir()
    (here / "mariadb").write_text(f'#!/bin/sh\nexec {client} "$@"\n', encoding="utf-8")
    (here / "mariadb").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{here}:{os.environ['PATH']}",
        "MARIADB_ROOT_PASSWORD": mariadb.password,
        "MARIADB_DATABASE": "shop",
        "GATEWAY_PASSWORD_FILE": str(secrets_folder / "mariadb/gateway"),
    }
    image: list[str | Path] = [here / "mariadb", "-u", "root"]
    as_root = {**environment, "MYSQL_PWD": mariadb.password}
    with closing(direct(mariadb, mariadb.dbname)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE shop CHARACTER SET utf8mb4")
        try:
            shop_sql = (ROOT / "wireproxy/demo/shop_mysql.sql").read_bytes()
            subprocess.run(
                [*image, "--database=shop"], check=True, env=as_root, input=shop_sql, stdout=subprocess.DEVNULL
            )
            subprocess.run([ROOT / "docker/gateway-account.sh"], check=True, env=environment)
            yield mariadb
        finally:
            cursor.execute("DROP DATABASE shop")
            cursor.execute("DROP USER IF EXISTS shop_gateway")


@pytest.fixture
def topology(
    shop: Cluster, shop_mysql: Server, secrets_folder: Path, tmp_path: Path
) -> Iterator[tuple[Gateway, int, int]]:
    """The gateway with the configuration of the container; only addresses, paths and the approver's name are of here."""
    _run_init_scripts(shop, secrets_folder)
    port, mysql_port, http = free_port(), free_port(), free_port()
    text = (ROOT / "docker/wireproxy.toml").read_text(encoding="utf-8")
    here = {
        '"/var/lib/wireproxy': f'"{tmp_path}/state',
        "127.0.0.1:9187": f"127.0.0.1:{http}",
        '"0.0.0.0"': '"127.0.0.1"',
        "port = 6432": f"port = {port}",
        "port = 6306": f"port = {mysql_port}",
        'host = "postgres"': 'host = "127.0.0.1"',
        "port = 5432": f"port = {shop.port}",
        'host = "mariadb"': 'host = "127.0.0.1"',
        "port = 3306": f"port = {shop_mysql.port}",
        "/run/gateway-secrets": str(secrets_folder / "gateway"),
        '["wireproxy"]': json.dumps([getpass.getuser()]),
    }
    for there, changed in here.items():
        assert there in text, there
        text = text.replace(there, changed)
    config = tmp_path / "wireproxy.toml"
    config.write_text(text, encoding="utf-8")
    with serving(config, port, "shop") as gateway:
        yield gateway, mysql_port, http


def test_the_topology_works_as_processes(topology: tuple[Gateway, int, int], rendered: dict[str, Any]) -> None:
    gateway, mysql_port, http = topology
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
    other_door = evolve(gateway, port=mysql_port, dbname="shop_mysql")
    with closing(other_door.mysql(password="a-sample-password")) as agent, agent.cursor() as cursor:
        cursor.execute("SELECT name, email, ssn, card_number, salary FROM customers WHERE id = 1")
        name, email, ssn, card_number, salary = cursor.fetchone()
        assert name == "Hana Fischer"
        assert email != "hana.fischer1@example.net"
        assert email.endswith("@example.net")
        assert ssn.endswith("7919")
        assert ssn != "937-63-7919"
        assert card_number != "4000000000104729"
        assert salary is None
        with pytest.raises(pymysql.err.OperationalError, match="wireproxy"):
            cursor.execute("DROP TABLE order_items")
        cursor.execute("SELECT count(*) FROM order_items")
        assert cursor.fetchone() == (120_000,)


def test_the_gateway_ends_on_the_signal_that_the_engine_sends(topology: tuple[Gateway, int, int]) -> None:
    gateway, _, _ = topology
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(30) == 0
