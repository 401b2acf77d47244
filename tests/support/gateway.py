"""The gateway as a process in front of a server, with a configuration made for the test."""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import STDOUT, CompletedProcess, Popen, run
from typing import Any

import pymysql
from attrs import field, frozen

from protocols.mysql.caching_sha2 import make_verifier
from tests.support.servers import Server
from wireproxy.demo.cluster import free_port, tail
from wireproxy.demo.unprivileged import stop

START_S = 30.0


@frozen
class GatewayPlan:
    """What is in the gateway's wireproxy.toml. Names of users become their passwords: `agent` has `agent-secret`."""

    server: Server
    dbname: str | None = None  # on the target; what clients name is the same
    also: Sequence[str] = ()  # more databases of the same server, under their own names
    policy: str = "allow-all"
    masks: Mapping[str, str] = field(factory=dict)  # column glob -> masker
    users: Sequence[str] = ("agent",)
    tls: tuple[Path, Path] | None = None  # certificate and key that the gateway shows its clients
    extra: str = ""  # more TOML: tables of its own
    log_rows: str = "head"
    auditors: Sequence[Path] = ()  # their public keys: logs are encrypted to them
    wait_s: float = 20.0
    dialect: str = "postgres"


@frozen
class Gateway:
    """A running gateway."""

    config: Path
    port: int
    dbname: str
    process: Popen[bytes]
    log: Path  # what the process writes to its standard error

    def dsn(self, user: str = "agent", dbname: str | None = None, password: str | None = None) -> str:
        return f"postgresql://{user}:{password or user + '-secret'}@127.0.0.1:{self.port}/{dbname or self.dbname}"

    def mysql(self, user: str = "agent", **options: Any) -> Any:
        """A PyMySQL connection in autocommit mode."""
        chosen = {"password": f"{user}-secret", "database": self.dbname, "autocommit": True, "ssl_disabled": True}
        return pymysql.connect(host="127.0.0.1", port=self.port, user=user, **{**chosen, **options})

    def cli(self, *arguments: str, timeout_s: float = 30.0) -> CompletedProcess[str]:
        """Runs a command of the CLI against this gateway, as a DBA does."""
        command = [*wireproxy_command(), *arguments, "-c", str(self.config)]
        return run(command, capture_output=True, text=True, timeout=timeout_s)


def wireproxy_command() -> list[str]:
    """WIREPROXY_PYTHON: an environment in which another build of the gateway is installed, as the compiled one."""
    other = os.environ.get("WIREPROXY_PYTHON")
    return [str(Path(other).absolute()), "-P", "-m", "wireproxy"] if other else [sys.executable, "-m", "wireproxy"]


@contextmanager
def running_gateway(plan: GatewayPlan, folder: Path) -> Iterator[Gateway]:
    """Starts a gateway in `folder` with a configuration made from `plan`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "wireproxy.toml"
    config.write_text(configuration(plan, folder, port), encoding="utf-8")
    config.chmod(0o600)
    with serving(config, port, plan.dbname or plan.server.dbname) as gateway:
        yield gateway


@contextmanager
def serving(config: Path, port: int, dbname: str) -> Iterator[Gateway]:
    """Runs `wireproxy serve` with a configuration, waits until it accepts, and ends it by its own pid."""
    log = config.with_name("serve.log")
    with log.open("wb") as output:
        process = Popen([*wireproxy_command(), "serve", "-c", config], stdout=output, stderr=STDOUT)
    try:
        await_port(process, port, log)
        yield Gateway(config, port, dbname, process, log)
    finally:
        stop(process, signal.SIGTERM)


def await_port(process: Popen[bytes], port: int, log: Path) -> None:
    """Until it listens. RuntimeError, with the end of `log`, when it does not."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"`wireproxy serve` ended with status {process.returncode}:\n{tail(log, 40)}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"`wireproxy serve` did not listen within {START_S:.0f} s:\n{tail(log, 40)}")


def configuration(plan: GatewayPlan, folder: Path, port: int) -> str:
    """The text of a wireproxy.toml; the target's password goes into a file beside it."""
    password = folder / "target-password"
    password.touch(mode=0o600)
    password.write_text(plan.server.password, encoding="utf-8")
    dbname = plan.dbname or plan.server.dbname
    parts = [
        _table("", state_dir=str(folder / "state"), control_socket=str(folder / "control")),
        _table(f"listen.{plan.dialect}", host="127.0.0.1", port=port, **_tls(plan)),
        *(
            _table(
                f"database.{name}",
                dialect=plan.dialect,
                host=plan.server.host,
                port=plan.server.port,
                dbname=name,
                user=plan.server.user,
                password={"file": str(password)},
                tls="disable",
                policy=plan.policy,
            )
            for name in (dbname, *plan.also)
        ),
        _table("log", directory=str(folder / "sessions"), rows=plan.log_rows, auditors=[*map(str, plan.auditors)]),
        _table("approvals", wait_s=plan.wait_s),
        _table("approver.tester", unix_users=[getpass.getuser()], groups=["dba"]),
        *(_table(f"user.{name}", **verifiers(f"{name}-secret")) for name in plan.users),
        *(f"[[mask]]\n{_lines(column=column, masker=masker)}" for column, masker in plan.masks.items()),
        plan.extra,
    ]
    return "\n".join(parts)


def _tls(plan: GatewayPlan) -> dict[str, str]:
    if plan.tls is None:
        return {}
    certificate, key = plan.tls
    return {"tls_certificate": str(certificate), "tls_key": str(key)}


def _table(name: str, **values: object) -> str:
    return (f"[{name}]\n" if name else "") + _lines(**values)


def _lines(**values: object) -> str:
    return "".join(f"{name} = {_value(value)}\n" for name, value in values.items())


def _value(value: object) -> str:
    """Strings, numbers, lists and tables in TOML. A JSON string is a TOML string as long as nothing exotic is in it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_value(each)}" for name, each in value.items()) + " }"
    return json.dumps(value)


def verifiers(password: str) -> dict[str, str]:
    """Of both dialects, as `wireproxy user add` makes them."""
    return {"verifier": scram_verifier(password), "mysql_verifier": make_verifier(password, "wireproxy.tests.salt")}


def scram_verifier(password: str, iterations: int = 4096) -> str:
    """What PostgreSQL keeps of a password. Spec: RFC 5802 §3; PostgreSQL, pg_authid.rolpassword."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    shown = [base64.b64encode(each).decode() for each in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{shown[0]}${shown[1]}:{shown[2]}"
