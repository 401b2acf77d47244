"""Starting MariaDB and MySQL from trees that were unpacked, not installed."""

from __future__ import annotations

import secrets
import signal
import time
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen, run
from typing import Any

import pymysql
from attrs import frozen

from tests.support.programs import MysqlFamily
from wireproxy.demo.cluster import ClusterError, free_port, tail
from wireproxy.demo.mariadb import system_tables
from wireproxy.demo.unprivileged import Account, server_account, start, stop

START_S = 120.0


@frozen
class StartedMysql:
    port: int
    password: str  # of root, from 127.0.0.1
    version: str
    process: Popen[bytes]


def start_mysql(family: MysqlFamily, place: Path, name: str, certificate: tuple[bytes, bytes]) -> StartedMysql:
    """Makes a data folder `place`/`name`, starts the server on it and waits until it answers. Raises `ClusterError`."""
    account = server_account()
    data = place / name
    for folder in (data, _scratch(data)):
        folder.mkdir()
        account.own(folder)
    log = place / f"{name}.log"
    _initialize(family, account, data, log)
    for file, content in zip(("server.crt", "server.key"), certificate, strict=True):
        (data / file).write_bytes(content)
        (data / file).chmod(0o600)
        account.own(data / file)
    password = secrets.token_urlsafe(18)
    accounts = place / f"{name}.sql"
    accounts.touch(mode=0o600)
    accounts.write_text(_accounts(password), encoding="ascii")
    account.own(accounts)
    port = free_port()
    options = [*_options(family, data), *_serving(family, data, port), f"--init-file={accounts}"]
    process = start(account, [*family.command, *options], log)
    try:
        version = _await_ready(process, port, password, log)
    except BaseException:
        stop(process, signal.SIGTERM)
        raise
    return StartedMysql(port=port, password=password, version=version, process=process)


def _scratch(data: Path) -> Path:
    """Where it keeps temporary files. MariaDB removes what it finds there when it starts, and crashes when another has done so."""
    return data.parent / f"{data.name}-scratch"


def _options(family: MysqlFamily, data: Path) -> list[str]:
    """What a program out of its place must be told: where its data, messages, character sets and plug-ins are."""
    root = family.root
    plugins = (
        [family.plugins]
        if family.plugins
        else [root / "usr/lib/mysql/plugin", *root.glob("usr/lib/*/libmariadb3/plugin")]
    )
    options = [
        "--no-defaults",
        f"--datadir={data}",
        f"--tmpdir={_scratch(data)}",
        f"--basedir={root / 'usr'}",
        f"--lc-messages-dir={family.share}",
        "--secure-file-priv=",
    ]
    if (family.share / "charsets").is_dir():
        options.append(f"--character-sets-dir={family.share / 'charsets'}")
    options.extend(f"--plugin-dir={folder}" for folder in plugins[:1] if folder.is_dir())
    return options


def _serving(family: MysqlFamily, data: Path, port: int) -> list[str]:
    options = [
        "--bind-address=127.0.0.1",
        f"--port={port}",
        f"--socket={data / 'server.sock'}",
        f"--pid-file={data / 'server.pid'}",
        "--max-connections=300",
        "--local-infile=1",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=128M",
        "--max-allowed-packet=64M",
        f"--ssl-cert={data / 'server.crt'}",
        f"--ssl-key={data / 'server.key'}",
    ]
    return options if family.mariadb else [*options, "--mysqlx=OFF", "--skip-log-bin", "--federated"]


def _initialize(family: MysqlFamily, account: Account, data: Path, log: Path) -> None:
    bootstrap = b""
    mode = ["--initialize-insecure"]
    if family.mariadb:
        (data / "mysql").mkdir()
        account.own(data / "mysql")
        bootstrap = system_tables(family.share)
        mode = ["--bootstrap", "--silent-startup", "--log-warnings=0", "--enforce-storage-engine="]
        mode += ["--max-allowed-packet=8M", "--net-buffer-length=16K"]
    command = [*family.command, *_options(family, data), *mode]
    user: dict[str, Any] = (
        {} if account.uid is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
    )
    done = run(command, input=bootstrap, stdout=PIPE, stderr=STDOUT, timeout=START_S, cwd="/", **user)
    log.write_bytes(done.stdout)
    if done.returncode:
        raise ClusterError(f"{family.program.name} could not make its tables:\n{tail(log)}")


def _accounts(password: str) -> str:
    return f"""
CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}';
CREATE DATABASE IF NOT EXISTS test;
"""


def _await_ready(process: Popen[bytes], port: int, password: str, log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ClusterError(f"the server ended with status {process.returncode}:\n{tail(log)}")
        try:
            connection = pymysql.connect(host="127.0.0.1", port=port, user="root", password=password, connect_timeout=5)
        except (pymysql.err.OperationalError, OSError):
            time.sleep(0.1)
            continue
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT CONCAT(@@version_comment, ' ', @@version)")
            row = cursor.fetchone()
            return str(row[0]) if row else "unknown"
    raise ClusterError(f"the server did not answer within {START_S:.0f} s:\n{tail(log)}")
