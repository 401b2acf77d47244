"""A throw-away MariaDB: the server that is on the machine, with data of its own, on a free port of loopback."""

from __future__ import annotations

import secrets
import shutil
import signal
import time
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen, TimeoutExpired, run

import pymysql
from attrs import frozen

from wireproxy.demo.cluster import ClusterError, free_port, tail
from wireproxy.demo.show import Server, StageError
from wireproxy.demo.unprivileged import Account, server_account, start, stop

START_S = 60.0
HOW_TO_GET_ONE = "the demo needs a MariaDB server on this machine: apt-get install mariadb-server-core"
_PLACES = "/usr/sbin:/usr/local/sbin:/usr/libexec:/opt/mariadb/bin:/usr/local/mysql/bin"


@frozen
class Programs:
    server: Path
    share: Path  # where the statements are that make its system tables


def find_mariadb(path: str | None = None) -> Programs:
    """Raises StageError. `path`: folders to look in, as PATH; None: PATH itself and where servers are put."""
    for name in ("mariadbd", "mysqld"):
        program = shutil.which(name, path=path) or (shutil.which(name, path=_PLACES) if path is None else None)
        if program is not None:
            share = _share(Path(program))
            if share is not None:
                return Programs(Path(program), share)
    raise StageError(HOW_TO_GET_ONE)


def _share(program: Path) -> Path | None:
    """The folder of its messages, as it says itself; None when it is no MariaDB, or comes without the statements."""
    try:
        said = run(  # noqa: S603  a server that was found, asked for its settings
            [program, "--no-defaults", "--verbose", "--help"],
            capture_output=True,
            text=True,
            timeout=30,
            cwd="/",
            check=False,
        ).stdout
    except (OSError, TimeoutExpired):
        return None
    if "MariaDB" not in said:
        return None
    settings = dict(line.split(maxsplit=1) for line in said.splitlines() if len(line.split(maxsplit=1)) == 2)
    named = settings.get("lc-messages-dir", "").strip()
    for folder in (Path(named), Path("/usr/share/mariadb"), Path("/usr/share/mysql")):
        if named and (folder / "fill_help_tables.sql").exists():
            return folder
    return None


def start_mariadb(programs: Programs, folder: Path) -> Server:
    """Makes a data folder, starts the server on it and waits until it answers. Raises ClusterError."""
    account = server_account()
    data, log = folder / "mariadb", folder / "mariadb.log"
    for place in (data, data / "mysql"):
        place.mkdir()
        account.own(place)
    log.touch()
    _bootstrap(programs, account, data, log)
    password = secrets.token_urlsafe(18)
    accounts = folder / "accounts.sql"
    accounts.touch(mode=0o600)
    accounts.write_text(
        f"CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        "GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    account.own(accounts)
    port = free_port()
    options = [
        *_options(data), "--bind-address=127.0.0.1", f"--port={port}", f"--socket={data / 'server.sock'}",
        f"--pid-file={data / 'server.pid'}", "--innodb-flush-log-at-trx-commit=0", f"--init-file={accounts}",
    ]  # fmt: skip
    process = start(account, [programs.server, *options], log)
    try:
        _await_ready(process, port, password, log)
    except BaseException:
        stop(process, signal.SIGTERM)
        raise
    finally:
        accounts.unlink()
    return Server(port, password, process, signal.SIGTERM)


def _options(data: Path) -> list[str]:
    return [
        "--no-defaults",
        f"--datadir={data}",
        f"--tmpdir={data}",
        "--secure-file-priv=",
        "--skip-log-bin",
        "--skip-name-resolve",
    ]


def _bootstrap(programs: Programs, account: Account, data: Path, log: Path) -> None:
    mode = ["--bootstrap", "--silent-startup", "--log-warnings=0", "--enforce-storage-engine="]
    mode += ["--max-allowed-packet=8M", "--net-buffer-length=16K"]
    done = run(  # noqa: S603  no shell
        [programs.server, *_options(data), *mode], input=system_tables(programs.share), stdout=PIPE, stderr=STDOUT,
        check=False, timeout=START_S, cwd="/", user=account.uid, group=account.gid,
        extra_groups=None if account.uid is None else [],
    )  # fmt: skip
    log.write_bytes(done.stdout)
    if done.returncode:
        raise ClusterError(f"{programs.server.name} could not make its tables:\n{tail(log)}")


def system_tables(share: Path) -> bytes:
    """The statements that `mariadb-install-db` feeds to the server; the files were renamed from mysql_* in 11."""
    patterns = [f"m[ya][sr]*_{part}.sql" for part in ("system_tables", "performance_tables", "system_tables_data")]
    patterns += ["fill_help_tables.sql", "maria*_add_gis_sp_bootstrap.sql", "m[ya][sr]*_sys_schema.sql"]
    parts = [b"create database if not exists mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\n"]
    for pattern in patterns:
        parts.extend(path.read_bytes() for path in sorted(share.glob(pattern)))
    return b"\n".join(parts)


def _await_ready(process: Popen[bytes], port: int, password: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ClusterError(f"the server ended with status {process.returncode}:\n{tail(log)}")
        try:
            pymysql.connect(host="127.0.0.1", port=port, user="root", password=password, connect_timeout=5).close()
        except (pymysql.err.OperationalError, OSError):
            time.sleep(0.05)
        else:
            return
    raise ClusterError(f"the server did not answer within {START_S:.0f} s:\n{tail(log)}")
