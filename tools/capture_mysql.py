"""Records what MariaDB and MySQL and a client say to each other, for `tests/protocols/test_mysql_captures.py`:

    python -m tools.capture_mysql [tests/captures/mysql]

Starts the servers that the tests use. PyMySQL logs in as an account made for the purpose, then a script of commands is sent, packet
by packet. One line for a packet: `C` or `S`, whoever sent it, and its bytes in hexadecimal digits. An answer ends when nothing more
comes.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
from attrs import define, field
from pymysql.constants import CLIENT

from protocols.mysql.messages import Command
from protocols.mysql.packets import encode_lenenc, frame
from tests.support.servers import Server, Servers

FOLDER = Path("tests/captures/mysql")
USER, PASSWORD, DBNAME = "captured", "a-password-of-the-tests", "capture"
QUIET_S = 0.3
STRING = 253
FLAGS = {"eof": 0, "deprecate-eof": 1 << 24, "tracking": 1 << 24 | 1 << 23}
TEXTS = (
    "SELECT 1 AS one, 'Grüße 🐘' AS text, NULL AS nothing",
    "CREATE TEMPORARY TABLE t (id int PRIMARY KEY, v varchar(20), seen datetime(3), price decimal(10, 2))",
    "INSERT INTO t VALUES (1, 'a', '2025-11-23 10:11:12.345', 1.50), (2, NULL, NULL, NULL), (3, '', '1999-12-31', -2)",
    "SELECT * FROM t ORDER BY id",
    "SELECT * FROM t WHERE id > 99",
    "SELECT * FROM nowhere",
    "SELECT 1; UPDATE t SET v = 'b' WHERE id = 1; SELECT v FROM t",
    "SELECT 1; SELECT * FROM nowhere; SELECT 2",
    "BEGIN",
    "COMMIT",
    "SET sql_mode = 'ANSI_QUOTES'",
    "USE capture",
    "SELECT REPEAT('x', 1000)",
)


@define
class Tap:
    """Passes one connection on and writes down each packet."""

    upstream: tuple[str, int]
    listener: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))
    lines: list[str] = field(factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        client, _ = self.listener.accept()
        server = socket.create_connection(self.upstream)
        threading.Thread(target=self._pass, args=(client, server, "C"), daemon=True).start()
        threading.Thread(target=self._pass, args=(server, client, "S"), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, who: str) -> None:
        kept = b""
        while data := source.recv(1 << 16):
            kept += data
            while len(kept) >= 4 and len(kept) >= (end := 4 + int.from_bytes(kept[:3], "little")):
                self.lines.append(f"{who} {kept[:end].hex()}")
                kept = kept[end:]
            target.sendall(data)


def record(server: Server, flags: int) -> list[str]:
    tap = Tap((server.host, server.port))
    tap.start()
    with closing(tap.listener):
        connection = pymysql.connect(
            host="127.0.0.1", port=tap.port, user=USER, password=PASSWORD, database=DBNAME, autocommit=True,
            ssl_disabled=True, client_flag=CLIENT.MULTI_STATEMENTS | flags,
        )  # fmt: skip
        converse(connection._sock)
    return tap.lines


def converse(sock: Any) -> None:
    sock.settimeout(QUIET_S)
    for text in TEXTS:
        say(sock, Command.QUERY, text.encode())
    number = say(sock, Command.STMT_PREPARE, b"SELECT id, v, seen, price FROM t WHERE v <> ? OR id > 0 ORDER BY id")[
        5:9
    ]
    types = b"\1" + struct.pack("<H", STRING)
    bound = b"\0" + types + encode_lenenc(b"none")
    say(sock, Command.STMT_EXECUTE, number + struct.pack("<BI", 0, 1) + bound)
    say(sock, Command.STMT_EXECUTE, number + struct.pack("<BI", 0, 1) + b"\0\0" + encode_lenenc(b"again"))
    say(sock, Command.STMT_EXECUTE, number + struct.pack("<BI", 1, 1) + bound)
    say(sock, Command.STMT_FETCH, number + struct.pack("<I", 2))
    say(sock, Command.STMT_FETCH, number + struct.pack("<I", 2))
    say(sock, Command.STMT_RESET, number)
    say(sock, Command.STMT_SEND_LONG_DATA, number + b"\0\0" + b"lo")
    say(sock, Command.STMT_SEND_LONG_DATA, number + b"\0\0" + b"ng")
    say(sock, Command.STMT_EXECUTE, number + struct.pack("<BI", 0, 1) + b"\0" + types)
    say(sock, Command.STMT_CLOSE, number)
    say(sock, Command.STMT_PREPARE, b"SELEC")
    say(sock, Command.INIT_DB, DBNAME.encode())
    say(sock, Command.PING)
    say(sock, Command.STATISTICS)
    say(sock, Command.RESET_CONNECTION)
    say(sock, Command.QUERY, b"SELECT 'at the end'")
    say(sock, Command.QUIT)


def say(sock: Any, command: Command, body: bytes = b"") -> bytes:
    sock.sendall(frame(bytes((command,)) + body))
    answer = b""
    try:
        while data := sock.recv(1 << 16):
            answer += data
    except TimeoutError:
        pass
    return answer


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    servers = Servers()
    try:
        for name, server in (("mariadb", servers.mariadb()), ("mysql", servers.mysql())):
            admin = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
            with closing(pymysql.connect(**admin, autocommit=True)) as connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {DBNAME}")
                cursor.execute(f"CREATE USER {USER} IDENTIFIED BY '{PASSWORD}'")
                cursor.execute(f"GRANT ALL ON {DBNAME}.* TO {USER}")
            # the first login of an account with caching_sha2_password is another one than those that follow
            pymysql.connect(host=server.host, port=server.port, user=USER, password=PASSWORD).close()
            for flavour, flags in FLAGS.items():
                lines = record(server, flags)
                place = folder / f"{name}-{flavour}.txt"
                place.write_text(f"# {server.version}\n" + "\n".join(lines) + "\n", encoding="ascii")
                print(place, len(lines), "packets")
    finally:
        servers.close()


if __name__ == "__main__":
    main()
