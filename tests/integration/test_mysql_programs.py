"""The programs of MariaDB and MySQL in the hands of a reader: dumps, administration, imports, and a client at a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import define, field, frozen

from tests.integration.mysql_gateway import direct
from tests.support import debian, programs
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

DBNAME = "wp_programs"
SCHEMA = (
    f"DROP DATABASE IF EXISTS {DBNAME}",
    f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4",
    f"USE {DBNAME}",
    "CREATE TABLE people (id int PRIMARY KEY, name varchar(40), photo blob)",
    "INSERT INTO people VALUES (1, 'Grüße', x'00ff27'), (2, NULL, NULL), (3, '', '\\0\\n')",
    "CREATE VIEW named AS SELECT name FROM people WHERE name IS NOT NULL",
    "CREATE TRIGGER upper_name BEFORE INSERT ON people FOR EACH ROW SET NEW.name = TRIM(NEW.name)",
)
ANSWER_S = 20.0
ENDLESS = "SELECT COUNT(*) FROM " + " JOIN ".join(f"information_schema.COLUMNS {name}" for name in "abcd")


@frozen
class Kit:
    """The programs of one maker, and their names."""

    tool: programs.Tool
    client: str
    dump: str
    admin: str
    load: str
    show: str
    options: tuple[str, ...]
    dump_options: tuple[str, ...]

    def command(self, program: str, gateway: Gateway, *arguments: str) -> list[str | Path]:
        root = self.tool.root
        return [
            *debian.loaded(root, root / "usr/bin" / program), "--no-defaults", *self.options, "-h127.0.0.1",
            f"-P{gateway.port}", "-uagent", "--default-character-set=utf8mb4", *arguments,
        ]  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.tool.environment, "MYSQL_PWD": "agent-secret", "TERM": "dumb"}

    def run(self, program: str, gateway: Gateway, *arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            self.command(program, gateway, *arguments), capture_output=True, timeout=60, env=self.environment,
            encoding="utf-8", errors="backslashreplace",
        )  # fmt: skip
        assert bool(done.returncode) == fails, done.stderr
        return done.stderr if fails else done.stdout


def mariadb_kit() -> Kit:
    tool = programs.mariadb_tools()
    options = ("--skip-ssl", f"--plugin-dir={tool.environment['MARIADB_PLUGIN_DIR']}")
    return Kit(tool, "mariadb", "mariadb-dump", "mariadb-admin", "mariadb-import", "mariadb-show", options, ())


def mysql_kit() -> Kit:
    options = ("--ssl-mode=DISABLED", "--get-server-public-key")
    # with GTIDs it would lock all tables first, to read a position that a partial dump has no use for
    names = ("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlshow")
    return Kit(programs.mysql_tools(), *names, options, ("--set-gtid-purged=OFF", "--no-tablespaces"))


@pytest.fixture(params=[mariadb_kit, mysql_kit], ids=["of-mariadb", "of-mysql"])
def kit(request: pytest.FixtureRequest) -> Kit:
    found: Kit = request.param()
    return found


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found: Server = request.getfixturevalue(request.param)
    with closing(direct(found, "mysql", charset="utf8mb4")) as connection, connection.cursor() as cursor:
        for text in SCHEMA:
            cursor.execute(text)
        yield found
        cursor.execute(f"DROP DATABASE {DBNAME}")


@pytest.fixture(scope="module")
def gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    plan = GatewayPlan(server=server, dialect="mysql", dbname=DBNAME, policy="agent-default", wait_s=0.2)
    with running_gateway(plan, tmp_path_factory.mktemp("programs")) as gateway:
        yield gateway


def contents(server: Server, dbname: str) -> tuple[tuple[tuple[object, ...], ...], tuple[tuple[object, ...], ...]]:
    with closing(direct(server, dbname, charset="utf8mb4")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, name, photo FROM people ORDER BY id")
        people = cursor.fetchall()
        cursor.execute("SELECT name FROM named ORDER BY name")
        return people, cursor.fetchall()


def test_a_dump_by_a_reader_restores_the_same_rows_views_and_triggers(
    kit: Kit, server: Server, gateway: Gateway
) -> None:
    dump = kit.run(kit.dump, gateway, "--single-transaction", "--hex-blob", "--triggers", *kit.dump_options, DBNAME)
    assert "upper_name" in dump
    copy = f"{DBNAME}_copy"
    with closing(direct(server, "mysql")) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {copy}")
        cursor.execute(f"CREATE DATABASE {copy} CHARACTER SET utf8mb4")
        try:
            restore(server, copy, dump)
            assert contents(server, copy) == contents(server, DBNAME)
        finally:
            cursor.execute(f"DROP DATABASE {copy}")


def test_where_a_user_has_several_databases_the_name_of_the_user_says_which(
    kit: Kit, server: Server, tmp_path: Path
) -> None:
    other = f"""
[database.other]
dialect = "mysql"
host = "{server.host}"
port = {server.port}
dbname = "test"
user = "{server.user}"
password = {{ file = "{tmp_path}/other" }}
tls = "disable"
policy = "agent-default"
"""
    secret = tmp_path / "other"
    secret.touch(mode=0o600)
    secret.write_text(server.password)
    plan = GatewayPlan(server=server, dialect="mysql", dbname=DBNAME, policy="agent-default", wait_s=0.2, extra=other)
    with running_gateway(plan, tmp_path / "gateway") as gateway:
        who = f"-uagent@{DBNAME}"
        arguments = (who, "--single-transaction", "--hex-blob", "--triggers", *kit.dump_options, DBNAME)
        assert "upper_name" in kit.run(kit.dump, gateway, *arguments)
        assert "people" in kit.run(kit.show, gateway, who, DBNAME)
        assert "alive" in kit.run(kit.admin, gateway, "-uagent@other", "ping")
        said = kit.run(kit.client, gateway, "-uagent@other", "-N", "-e", "SELECT DATABASE()")
        assert said.strip() == "test"
        assert "USER@DATABASE" in kit.run(kit.admin, gateway, "status", fails=True)


def test_a_dump_has_masks_where_its_reader_sees_masks(kit: Kit, server: Server, tmp_path: Path) -> None:
    masks = {"*.people.name": "redact"}
    plan = GatewayPlan(server=server, dialect="mysql", dbname=DBNAME, policy="agent-default", wait_s=0.2, masks=masks)
    copy = f"{DBNAME}_masked"
    with running_gateway(plan, tmp_path / "gateway") as gateway:
        arguments = ("--single-transaction", "--hex-blob", "--triggers", *kit.dump_options)
        for options in (
            (),
            ("--complete-insert", "--extended-insert=FALSE"),
            ("--where=id < 9", "--tables", DBNAME, "people"),
        ):
            named = () if "--tables" in options else (DBNAME,)
            dump = kit.run(kit.dump, gateway, *arguments, *options, *named)
            assert "Grüße" not in dump
            assert "Grüße".encode().hex().upper() not in dump.upper()
        dump = kit.run(kit.dump, gateway, *arguments, DBNAME)
    with closing(direct(server, "mysql", charset="utf8mb4")) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {copy}")
        cursor.execute(f"CREATE DATABASE {copy} CHARACTER SET utf8mb4")
        try:
            restore(server, copy, dump)
            people, names = contents(server, copy)
            assert [(row[0], row[2]) for row in people] == [(row[0], row[2]) for row in contents(server, DBNAME)[0]]
            assert [row[1] for row in people] == ["***", None, "***"]
            assert names == (("***",), ("***",))
        finally:
            cursor.execute(f"DROP DATABASE {copy}")


def restore(server: Server, dbname: str, dump: str) -> None:
    """With MariaDB's client, past the gateway. Its first line may be one that only newer clients know."""
    tool = programs.mariadb_tools()
    done = subprocess.run(
        [
            *tool.command, "--no-defaults", "--skip-ssl", f"--plugin-dir={tool.environment['MARIADB_PLUGIN_DIR']}",
            f"-h{server.host}", f"-P{server.port}", f"-u{server.user}", "--default-character-set=utf8mb4", dbname,
        ],
        input=dump, capture_output=True, timeout=60, encoding="utf-8",
        env={**os.environ, **tool.environment, "MYSQL_PWD": server.password},
    )  # fmt: skip
    assert not done.returncode, done.stderr


def test_a_dump_that_locks_tables_says_which_rule_holds_it(kit: Kit, gateway: Gateway) -> None:
    said = kit.run(kit.dump, gateway, *kit.dump_options, DBNAME, fails=True)
    assert 'held by rule "table-locks"' in said


def test_administration_that_only_looks_works_without_a_database_being_named(kit: Kit, gateway: Gateway) -> None:
    assert "alive" in kit.run(kit.admin, gateway, "ping")
    assert "Uptime" in kit.run(kit.admin, gateway, "status")
    assert "processlist" in kit.run(kit.admin, gateway, "processlist").lower()
    assert "sql_mode" in kit.run(kit.admin, gateway, "variables")
    assert "Threads_connected" in kit.run(kit.admin, gateway, "extended-status")
    assert "people" in kit.run(kit.show, gateway, DBNAME)
    assert "photo" in kit.run(kit.show, gateway, DBNAME, "people")


def test_administration_that_acts_is_refused(kit: Kit, gateway: Gateway) -> None:
    for action in ("shutdown", "flush-logs", "debug"):
        assert "wireproxy" in kit.run(kit.admin, gateway, action, fails=True)


def test_an_import_waits_for_a_person_and_then_loads_the_file_that_was_named(
    kit: Kit, server: Server, gateway: Gateway, tmp_path: Path
) -> None:
    file = tmp_path / "people.txt"
    file.write_text("7\tAda\t\\N\n8\tBob\t\\N\n", encoding="utf-8")
    said = kit.run(kit.load, gateway, "--local", DBNAME, str(file), fails=True)
    pending = re.search(r"request (wp-\w+) is pending", said)
    assert pending is not None, said
    assert gateway.cli("approve", pending[1]).returncode == 0
    try:
        assert "Records: 2" in kit.run(kit.load, gateway, "--local", DBNAME, str(file))
    finally:
        with closing(direct(server, DBNAME)) as connection, connection.cursor() as cursor:
            assert cursor.execute("DELETE FROM people WHERE id > 6") == 2


@define
class Terminal:
    """A client at a terminal of its own."""

    process: subprocess.Popen[bytes]
    handle: int
    said: str = field(default="")

    @classmethod
    def open(cls, kit: Kit, gateway: Gateway, *arguments: str) -> Terminal:
        handle, theirs = pty.openpty()
        command = kit.command(kit.client, gateway, *arguments, DBNAME)
        process = subprocess.Popen(
            ["setsid", "--ctty", *command], stdin=theirs, stdout=theirs, stderr=theirs, env=kit.environment
        )
        os.close(theirs)
        return cls(process, handle)

    def type(self, text: str) -> None:
        self.said = ""
        os.write(self.handle, text.encode())

    def until(self, pattern: str) -> str:
        deadline = time.monotonic() + ANSWER_S
        while not re.search(pattern, self.said):
            ready, _, _ = select.select([self.handle], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no {pattern!r} in {self.said!r}"
            self.said += os.read(self.handle, 65536).decode("utf-8", "replace")
        return self.said

    def close(self) -> None:
        os.close(self.handle)
        self.process.kill()
        self.process.wait(ANSWER_S)


PROMPT = r"(MySQL|MariaDB|mysql)[^\n]*> \Z"


def await_running(server: Server, text: str) -> None:
    deadline = time.monotonic() + ANSWER_S
    with closing(direct(server, "mysql")) as connection, connection.cursor() as cursor:
        while not cursor.execute("SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO = %s", (text,)):
            assert time.monotonic() < deadline


def test_a_session_at_a_terminal(kit: Kit, server: Server, gateway: Gateway, tmp_path: Path) -> None:
    script = tmp_path / "more.sql"
    script.write_text("SELECT 'from the file';\n", encoding="utf-8")
    terminal = Terminal.open(kit, gateway)  # without -A: it reads the names of all columns for completion
    try:
        started = time.monotonic()
        terminal.until(PROMPT)
        assert time.monotonic() - started < ANSWER_S / 2
        terminal.type("status\n")
        assert f"Current database:\t{DBNAME}" in terminal.until(r"Threads: .*\n(?s:.*)" + PROMPT).replace("\r", "")
        terminal.type("use information_schema\n")
        terminal.until(r"Database changed\s(?s:.*)" + PROMPT)
        terminal.type(f"use {DBNAME}\n")
        terminal.until(r"Database changed\s(?s:.*)" + PROMPT)
        terminal.type("delimiter //\n")
        terminal.until(PROMPT)
        terminal.type("SELECT 1; SELECT 'second' //\n")
        assert "second" in terminal.until(r"second \|(?s:.*)" + PROMPT)
        terminal.type("delimiter ;\n")
        terminal.until(PROMPT)
        terminal.type(f"source {script}\n")
        terminal.until(r"\| from the file \|(?s:.*)" + PROMPT)
        terminal.type("DELETE FROM people WHERE id = 1;\n")
        terminal.until(r"ERROR 1142 \(42000\)(?s:.*)is pending(?s:.*)" + PROMPT)
        terminal.type(f"{ENDLESS};\n")
        await_running(server, ENDLESS)
        terminal.type("\x03")
        terminal.until(r"(interrupted|aborted|\| +1 \|)(?s:.*)" + PROMPT)
        terminal.type("SELECT 'still here';\n")
        terminal.until(r"\| still here \|(?s:.*)" + PROMPT)
    finally:
        terminal.close()


def test_control_c_withdraws_a_held_statement(kit: Kit, server: Server, tmp_path: Path) -> None:
    plan = GatewayPlan(server=server, dialect="mysql", dbname=DBNAME, policy="agent-default", wait_s=ANSWER_S)
    with running_gateway(plan, tmp_path / "patient") as gateway:
        terminal = Terminal.open(kit, gateway, "-A")
        try:
            terminal.until(PROMPT)
            terminal.type("DELETE FROM people WHERE id = 2;\n")
            _await_pending(gateway)
            typed = time.monotonic()
            terminal.type("\x03")
            terminal.until(r"ERROR 1317(?s:.*)" + PROMPT)
            assert time.monotonic() - typed < ANSWER_S / 2  # its hold ended, not its patience
            assert not _pending(gateway)
            terminal.type("SELECT COUNT(*) AS left_there FROM people WHERE id = 2;\n")
            terminal.until(r"left_there(?s:.*)\| +1 \|(?s:.*)" + PROMPT)
        finally:
            terminal.close()


def _pending(gateway: Gateway) -> int:
    return len(gateway.cli("approvals", "--json").stdout.splitlines())


def _await_pending(gateway: Gateway) -> None:
    deadline = time.monotonic() + ANSWER_S
    while not _pending(gateway):
        assert time.monotonic() < deadline
