"""The protocol's commands on real servers: the same bytes directly and through the gateway, and refusals that keep their place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from protocols.mysql.capabilities import Capability as C
from protocols.mysql.messages import Command
from protocols.mysql.packets import FULL_PAYLOAD, frame
from tests.integration.mysql_gateway import PASSWORD, direct, in_a_thread
from tests.integration.mysql_plain import Plain, plain
from tests.integration.mysql_routes import Gateways, MySqlRoute
from tests.protocols import mysql_playbook as p
from tests.support.servers import Server

FAMILIES = pytest.mark.parametrize("family", ["mariadb", "mysql"])
PEOPLE = (
    "CREATE TABLE people (id int PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'x', born date)",
    "INSERT INTO people VALUES (1, 'Ada', '1815-12-10'), (2, 'Bo', NULL)",
)
REFUSED = {
    0x00: "sleep", 0x05: "create db", 0x06: "drop db", 0x07: "refresh", 0x08: "shutdown", 0x0B: "connect", 0x0D: "debug",
    0x0F: "time", 0x10: "delayed insert", 0x12: "binlog dump", 0x13: "table dump", 0x14: "connect out",
    0x15: "register slave", 0x1D: "daemon", 0x1E: "binlog dump by gtid", 0x20: "clone", 0x21: "subscribe", 0x7F: "none",
}  # fmt: skip


def fill(server: Server, dbname: str) -> None:
    with closing(direct(server, dbname)) as connection, connection.cursor() as cursor:
        for statement in PEOPLE:
            cursor.execute(statement)


def text_of(packet: bytes) -> str:
    return packet.decode("utf-8", "replace")


@FAMILIES
@pytest.mark.parametrize("eof", [C(0), C.DEPRECATE_EOF], ids=["eof", "deprecate-eof"])
def test_commands_are_answered_as_by_the_server(
    mysql_gateways: Gateways, request: pytest.FixtureRequest, family: str, eof: C
) -> None:
    server: Server = request.getfixturevalue(family)
    script = [
        p.command(Command.PING),
        p.command(Command.FIELD_LIST, b"people\0"),
        p.command(Command.FIELD_LIST, b"people\0na%"),
        p.command(Command.FIELD_LIST, b"nowhere\0"),
        p.query("SELECT 1; SELECT 2"),
        p.command(Command.SET_OPTION, p.number(1, 2)),
        p.query("SELECT 1; SELECT 2"),
        p.command(Command.SET_OPTION, p.number(0, 2)),
        p.query("SELECT 1; SELECT 2"),
        p.command(Command.SET_OPTION, p.number(7, 2)),
        p.command(Command.INIT_DB, b"information_schema"),
        p.query("SELECT DATABASE()"),
        p.command(Command.INIT_DB, b"no_such_database"),
        p.query("SELECT DATABASE()"),
        p.reset(4711),
        p.command(Command.STMT_FETCH, p.number(4711) + p.number(1)),
        p.command(Command.RESET_CONNECTION),
        p.query("SELECT 1"),
    ]
    answers = []
    for name in ("direct", "through"):
        route = mysql_gateways.route(name, family, server)
        fill(server, route.dbname)
        with plain(route, (p.BASE & ~C.MULTI_STATEMENTS) | eof, base=p.BASE & ~C.MULTI_STATEMENTS) as client:
            answers.append([[without_server(packet) for packet in client.say(packets)] for packets in script])
    assert answers[1] == answers[0]
    assert [packet[0] for packet in answers[0][5]] in ([0xFE], [0])
    assert b"Ada" not in b"".join(answers[0][1])


def without_server(packet: bytes) -> bytes:
    """Who it is that does not know a statement."""
    return re.sub(rb"(given to )[\w. ]*", rb"\1", packet)


@FAMILIES
def test_the_servers_statistics_and_processes_are_told(
    mysql_gateways: Gateways, request: pytest.FixtureRequest, family: str
) -> None:
    server: Server = request.getfixturevalue(family)
    told = []
    for name in ("direct", "through"):
        with plain(mysql_gateways.route(name, family, server), C(0)) as client:
            (statistics,) = client.say(p.command(Command.STATISTICS))
            numbers = re.sub(rb"[\d.]+", b"N", statistics)
            processes = client.say(p.command(Command.PROCESS_INFO))
            again = client.say(p.query("SELECT 1"))
            told.append((numbers, processes[0][:1], again))
    assert told[1] == told[0]
    assert b"Uptime: N" in told[0][0]


@FAMILIES
def test_commands_that_are_not_relayed_are_errors_and_the_server_is_as_it_was(
    mysql_gateways: Gateways, request: pytest.FixtureRequest, family: str
) -> None:
    server: Server = request.getfixturevalue(family)
    with plain(mysql_gateways.route("through", family, server), C(0)) as client:
        for code, what in REFUSED.items():
            (answer,) = client.say(p.command(code, b"anything"))
            assert answer[:3] == b"\xff" + (1047).to_bytes(2, "little"), what
            assert f"{code:#x}" in text_of(answer)
            assert len(client.say(p.query("SELECT 1"))) == 5


# -- refusals


@pytest.fixture(params=["mariadb", "mysql"])
def refusing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MySqlRoute]:
    server: Server = request.getfixturevalue(request.param)
    dbname = "wp_commands"
    with closing(direct(server, "mysql")) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {dbname}")
        cursor.execute(f"CREATE DATABASE {dbname}")
    fill(server, dbname)
    with in_a_thread(server, dbname, tmp_path, policy="read-only") as port:
        yield MySqlRoute("through", request.param, "127.0.0.1", port, "agent", PASSWORD, "shop", tmp_path, server)


def refused(answer: list[bytes]) -> bool:
    return len(answer) == 1 and answer[0][0] == 0xFF and b"wireproxy" in answer[0]


def test_every_refusal_has_the_number_that_is_due_and_the_session_lives_on(refusing: MySqlRoute) -> None:
    """`Plain` counts the packets of every answer."""
    with plain(refusing, C(0)) as client:
        checked = client.say(p.prepare("SELECT name FROM people WHERE id = ?"))
        reads = int.from_bytes(checked[0][1:5], "little")
        held = client.say(p.prepare("UPDATE people SET name = ? WHERE id = 1"))
        if held[0][0] == 0:
            writes = int.from_bytes(held[0][1:5], "little")
            value = p.text("x")
            assert refused(client.say(p.execute(writes, value)))
            assert refused(client.say(p.execute(writes, value, cursor=1)))
            assert refused(client.say(p.long_data(writes, 0, b"long"), p.execute(writes, b"", types=[p.BLOB])))
            assert refused(client.say(p.execute(writes, p.text("x" * 5_000_000))))
            assert refused(client.say(p.execute(writes, p.text("x" * (FULL_PAYLOAD + 10))), after=1))
        else:
            assert refused(held)
        for packets, after in (
            (p.query("DELETE FROM people WHERE id = 1"), 0),
            (p.query("SELECT 1; DELETE FROM people WHERE id = 1; SELECT 2"), 0),
            (p.query("DELETE FROM people WHERE name = '" + "x" * 5_000_000 + "'"), 0),
            (frame(b"\3DELETE FROM people WHERE name = '" + b"x" * FULL_PAYLOAD + b"'"), 1),
            (frame(b"\3" + b"x" * (FULL_PAYLOAD - 1)), 1),
            (frame(b"\3" + b"x" * (2 * FULL_PAYLOAD)), 2),
            (p.prepare("DROP TABLE people"), 0),
            (p.command(0x0D), 0),
            (frame(b"\x0d" + b"x" * FULL_PAYLOAD), 1),
            (p.query("KILL 1"), 0),
            (p.command(Command.PROCESS_KILL, p.number(1)), 0),
        ):
            answer = client.say(packets, after=after)
            assert answer[0][0] == 0xFF, packets[:40]
            assert len(answer) == 1
            rows = client.say(p.execute(reads, p.number(1, 8), types=[p.LONGLONG]), least=4)
            assert p.binary_row(p.text("Ada")) in rows
            assert len(client.say(p.query("SELECT name FROM people"))) == 6
            assert len(client.say(p.command(Command.PING))) == 1


# -- 16 MiB


@FAMILIES
def test_packets_of_16_mib_are_split_and_joined_in_both_directions(
    request: pytest.FixtureRequest, family: str, tmp_path: Path
) -> None:
    server: Server = request.getfixturevalue(family)
    dbname = "wp_commands_long"
    with closing(direct(server, "mysql")) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {dbname}")
        cursor.execute(f"CREATE DATABASE {dbname}")
    limits = "[limits]\nstatement_bytes = 40_000_000\nbind_bytes = 40_000_000\n"
    with in_a_thread(server, dbname, tmp_path, extra=limits) as port:
        route = MySqlRoute("through", family, "127.0.0.1", port, "agent", PASSWORD, "shop", tmp_path, server)
        with plain(route, C.DEPRECATE_EOF) as client:
            number = int.from_bytes(client.say(p.prepare("SELECT LENGTH(?), ?"))[0][1:5], "little")
            for size in (FULL_PAYLOAD - 100, FULL_PAYLOAD, 2 * FULL_PAYLOAD - 13, 2 * FULL_PAYLOAD + 5):
                text = f"SELECT '{'é' * 20}', '"
                long = text.encode() + b"y" * (size - len(text.encode()) - 3) + b"'"
                assert len(long) == size - 2
                answer = joined(client, frame(b"\3" + long), size)
                assert answer.endswith(b"y" * 1000)
                value = b"z" * (size // 2)
                answer = joined(client, p.execute(number, p.encode_lenenc(value), p.encode_lenenc(value)), len(value))
                assert answer.endswith(value)
                assert len(client.say(p.query("SELECT 1"))) == 4


def joined(client: Plain, packets: bytes, size: int) -> bytes:
    """The only row of the answer, out of however many packets."""
    client.connection.sendall(packets)
    number = (len(packets) - 1) // (FULL_PAYLOAD + 4) if len(packets) > FULL_PAYLOAD else 0
    found: list[bytes] = []
    while not (found and found[-1][:1] == b"\xfe" and len(found[-1]) < 100):
        seen, payload = client._read()
        number += 1
        assert seen == number & 0xFF, size
        found.append(payload)
        assert payload[:1] != b"\xff", payload[:200]
    columns = found[0][0]
    return b"".join(found[1 + columns : -1])
