"""The tour over a MariaDB that is on the machine, with PyMySQL."""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager, closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import pymysql

from protocols.mysql import caching_sha2
from wireproxy.demo.mariadb import find_mariadb, start_mariadb
from wireproxy.demo.show import GATEWAY_ROLE, Held, Refused, Result, Server, Show


class MySqlShow(Show):
    name = "mysql"
    title = "MariaDB"
    syntax = "mysql"
    tells_of_holds = False  # the protocol has no message for it
    code = "1142"
    schema = "shop"
    version = "SELECT version()"
    quarter = "concat(year(o.placed_at), '-Q', quarter(o.placed_at))"

    def start(self, folder: Path) -> Server:
        return start_mariadb(find_mariadb(), folder)

    def load(self, server: Server, role_password: str) -> None:
        with closing(_connect(server.port, "root", server.password, None)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE shop CHARACTER SET utf8mb4")
            cursor.execute(f"CREATE USER {GATEWAY_ROLE}@'127.0.0.1' IDENTIFIED BY %s", (role_password,))
            cursor.execute(f"GRANT ALL ON shop.* TO {GATEWAY_ROLE}@'127.0.0.1'")
        with closing(_connect(server.port, GATEWAY_ROLE, role_password)) as connection, connection.cursor() as cursor:
            for text in (files("wireproxy.demo") / "shop_mysql.sql").read_text(encoding="utf-8").split(";\n"):
                if text.strip():
                    cursor.execute(text)
            connection.commit()

    def verifier(self, password: str) -> str:
        salt = "".join(secrets.choice(caching_sha2.SALT_ALPHABET) for _ in range(caching_sha2.SALT_BYTES))
        return f'mysql_verifier = "{caching_sha2.make_verifier(password, salt)}"'

    def agent_url(self, port: int, password: str) -> str:
        return f"mysql://agent:{password}@127.0.0.1:{port}/shop"

    def client(self, url: str) -> str:
        user, _, rest = url.removeprefix("mysql://").partition(":")
        password, _, place = rest.partition("@")
        host, _, port = place.removesuffix("/shop").partition(":")
        return f"mariadb -h {host} -P {port} -u {user} -p{password} --skip-ssl shop"

    def agent(self, port: int, password: str) -> AbstractContextManager[Any]:
        return closing(_connect(port, "agent", password, program_name="report-agent"))

    def directly(self, server: Server) -> AbstractContextManager[Any]:
        return closing(_connect(server.port, "root", server.password))

    def fetch(self, connection: Any, text: str) -> Result:
        with connection.cursor() as cursor:
            cursor.execute(text)
            return Result([column[0] for column in cursor.description or ()], list(cursor.fetchall()))

    def fetch_binary(self, connection: Any, text: str) -> tuple[str, Result] | None:  # noqa: ARG002
        return None  # PyMySQL prepares nothing

    def refusal(self, connection: Any, text: str) -> Refused | None:
        try:
            connection.query(text)
        except pymysql.err.OperationalError as error:
            return Refused(str(error.args[0]), str(error.args[1]))
        return None

    def hold(self, connection: Any, text: str) -> Held:
        return _Held(connection, text)


class _Held(Held):
    def execute(self) -> int:
        return int(self.connection.query(self.text))


def _connect(port: int, user: str, password: str, database: str | None = "shop", **options: Any) -> Any:
    return pymysql.connect(
        host="127.0.0.1", port=port, user=user, password=password, database=database, autocommit=True, connect_timeout=10,
        ssl_disabled=True, **options,
    )  # fmt: skip
