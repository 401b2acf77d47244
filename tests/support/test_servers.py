"""The ground the other tests stand on: servers are found, started, ended, or missed loudly."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pymysql
import pytest

from tests.support import debian, programs
from tests.support.servers import Server, Servers
from wireproxy.demo.unprivileged import Account, reachable


def test_a_server_named_in_the_environment_is_used_and_left_alone(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIREPROXY_TEST_POSTGRES", postgres.dsn())
    others = Servers()
    given = others.postgres()
    assert (given.port, given.password, given.process) == (postgres.port, postgres.password, None)
    others.close()
    psycopg.connect(postgres.dsn()).close()


def test_a_url_without_a_user_is_told_apart_from_a_server_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIREPROXY_TEST_POSTGRES", "localhost:5432")
    with pytest.raises(programs.Missing, match="must be a URL with host and user"):
        Servers().postgres()


@pytest.mark.parametrize("find", [programs.postgres_programs, programs.mariadb_programs, programs.mysql_programs])
def test_what_is_missing_is_named_with_what_to_install(find: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Path:
        raise debian.PackageError("no network")

    monkeypatch.setenv("WIREPROXY_TEST_UNPACKED", "1")
    monkeypatch.setattr(debian, "unpack", refuse)
    with pytest.raises(programs.Missing, match=r"is missing(.|\n)*(apt-get install|mariadb-server|mysql-server)"):
        find.__wrapped__()  # type: ignore[attr-defined]


def test_every_login_method_of_postgres_has_a_user(postgres: Server) -> None:
    for user, password in (
        ("md5_user", "md5-secret"),
        ("scram_user", "scram-secret"),
        ("cleartext_user", "cleartext-secret"),
    ):
        psycopg.connect(postgres.dsn(user=user, password=password)).close()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(postgres.dsn(user=user, password="wrong"))
    psycopg.connect(postgres.dsn(user="trust_user", password="anything")).close()


def test_postgres_shows_a_certificate_that_its_authority_signed(postgres: Server) -> None:
    with psycopg.connect(postgres.dsn(), sslmode="verify-full", sslrootcert=str(postgres.tls_ca)) as connection:
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)


def test_postgres_18_speaks_protocol_3_2(postgres18: Server) -> None:
    with psycopg.connect(postgres18.dsn(), max_protocol_version="3.2", min_protocol_version="3.2") as connection:
        assert connection.info.server_version >= 180000


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "said"), [("mariadb", "MariaDB"), ("mysql", "")])
def test_the_mysql_family_answers_over_tls(servers: Servers, name: str, said: str) -> None:
    server: Server = getattr(servers, name)()
    assert said in server.version
    with (
        pymysql.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password,
            ssl_ca=str(server.tls_ca),
            ssl_verify_cert=True,
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SHOW STATUS LIKE 'Ssl_version'")
        row = cursor.fetchone()
    assert row is not None
    assert row[1].startswith("TLS")


def test_servers_end_and_leave_no_files(tmp_path: Path) -> None:
    servers = Servers()
    started = servers.postgres18()
    folder, process = servers.folder, started.process
    assert folder is not None
    assert process is not None
    servers.close()
    assert process.poll() is not None
    assert not folder.exists()


def test_root_never_runs_a_server_itself(postgres: Server) -> None:
    assert postgres.process is not None
    owner = Path(f"/proc/{postgres.process.pid}").stat().st_uid
    assert owner != 0
    assert (owner != os.geteuid()) == (os.geteuid() == 0)


def test_programs_that_nobody_can_reach_are_copied_with_their_libraries(tmp_path: Path) -> None:
    package = tmp_path / "site-packages/embedded"
    (package / "pginstall/bin").mkdir(parents=True)
    (package / "pginstall/bin/postgres").touch(mode=0o700)
    (tmp_path / "site-packages/embedded.libs").mkdir(mode=0o700)
    (tmp_path / "site-packages/embedded.libs/libpq.so").touch(mode=0o600)
    (tmp_path / "site-packages").chmod(0o700)
    stranger = Account(name="stranger", uid=os.geteuid() + 1, gid=os.getegid() + 1)
    copy = reachable(stranger, package / "pginstall", tmp_path / "scratch")
    assert copy.is_relative_to(tmp_path / "scratch")
    assert (copy / "bin/postgres").stat().st_mode & 0o555 == 0o555
    assert (copy / "bin/../../../embedded.libs/libpq.so").stat().st_mode & 0o444 == 0o444
