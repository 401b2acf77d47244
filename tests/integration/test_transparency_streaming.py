"""Size costs no memory: what is larger than any buffer streams through, and a slow reader stalls nobody else."""

from __future__ import annotations

import re
import socket
import struct
from pathlib import Path

import psycopg
import pytest

from tests.conftest import StartGateway
from tests.integration.conftest import Route
from tests.support.gateway import Gateway, GatewayPlan
from tests.support.raw import bind, execute, message, parse, query, raw_connection, text
from tests.support.servers import Server

MIB = 1 << 20
ALLOWED = 64 * MIB  # above idle, whatever passes through


class Memory:
    """The gateway's memory from now on: `grown_bytes` is the peak above what it has now."""

    def __init__(self, gateway: Gateway) -> None:
        self._pid = gateway.process.pid
        Path(f"/proc/{self._pid}/clear_refs").write_text("5", encoding="ascii")  # resets the peak. Spec: proc(5)
        self._before = self._read("VmRSS")

    def grown_bytes(self) -> int:
        return self._read("VmHWM") - self._before

    def _read(self, name: str) -> int:
        status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii")
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        assert found is not None
        return int(found.group(1)) * 1024


@pytest.fixture
def gateway(postgres: Server, database: str, start_gateway: StartGateway) -> Gateway:
    """One of its own: what other tests left in memory is not counted."""
    started = start_gateway(GatewayPlan(server=postgres, dbname=database))
    with psycopg.connect(started.dsn()) as connection:
        connection.execute("SELECT 1")
    return started


@pytest.mark.timeout(300)
def test_a_value_of_a_gigabyte_passes_in_constant_memory(gateway: Gateway) -> None:
    size = 1000 * 1000 * 1000
    memory = Memory(gateway)
    with raw_connection(gateway.dsn()) as connection:
        connection.sock.settimeout(120)
        connection.send(query(f"SELECT repeat('x', {size})"))
        description = connection.sock.recv(5, socket.MSG_WAITALL)
        connection.discard(struct.unpack("!I", description[1:])[0] - 4)
        row = connection.sock.recv(11, socket.MSG_WAITALL)
        assert row[:1] == b"D"
        assert struct.unpack("!i", row[7:])[0] == size
        connection.discard(size)
        assert connection.read_until(b"Z")[0] == b"C" + struct.pack("!I", 13) + b"SELECT 1\0"
    assert memory.grown_bytes() < ALLOWED


@pytest.mark.timeout(300)
def test_ten_million_rows_pass_in_constant_memory(gateway: Gateway) -> None:
    memory = Memory(gateway)
    expected = sum(11 + len(str(number)) for number in (1, 10**7)) // 2  # about the mean length of a row
    with raw_connection(gateway.dsn()) as connection:
        connection.sock.settimeout(120)
        connection.send(query("SELECT g FROM generate_series(1, 10000000) AS g"))
        read, last = 0, b""
        space = bytearray(MIB)
        while not last.endswith(b"Z\0\0\0\5I"):
            count = connection.sock.recv_into(space)
            assert count
            read += count
            last = (last + space[max(0, count - 64) : count])[-64:]
        assert b"SELECT 10000000\0" in last
        assert read > 10**7 * expected
    assert memory.grown_bytes() < ALLOWED


@pytest.mark.timeout(300)
def test_a_parameter_of_three_hundred_megabytes_passes_in_constant_memory(gateway: Gateway) -> None:
    size = 300 * MIB
    memory = Memory(gateway)
    bound = bind("", "", b"")
    # the same Bind with a value of `size` bytes: its length field and the value's are patched, the value is streamed
    head = bound[:1] + struct.pack("!I", len(bound) - 1 + size) + bound[5:-6] + struct.pack("!i", size)
    with raw_connection(gateway.dsn()) as connection:
        connection.sock.settimeout(120)
        connection.send(parse("", "SELECT octet_length($1)") + head)
        for _ in range(300):
            connection.send(b"y" * MIB)
        connection.send(bound[-2:] + execute() + message(b"S"))
        row = next(frame for frame in connection.read_until(b"Z") if frame[:1] == b"D")
    assert row.endswith(str(size).encode())
    assert memory.grown_bytes() < ALLOWED


@pytest.mark.timeout(300)
def test_copy_in_of_two_hundred_megabytes_passes_in_constant_memory(gateway: Gateway) -> None:
    rows, block = 200, "".join(f"{n}\t{'z' * 120}\n" for n in range(8000)).encode()
    memory = Memory(gateway)
    with raw_connection(gateway.dsn()) as connection:
        connection.sock.settimeout(120)
        connection.send(query("CREATE UNLOGGED TABLE t (a int, b text)") + query("COPY t FROM STDIN"))
        connection.read_until(b"G")
        for _ in range(rows):
            connection.send(message(b"d", block))
        connection.send(message(b"c"))
        assert b"C" + struct.pack("!I", 17) + text(f"COPY {rows * 8000}") in connection.read_until(b"Z")
    assert memory.grown_bytes() < ALLOWED


def test_a_slow_reader_stalls_only_its_own_session(gateway: Gateway) -> None:
    memory = Memory(gateway)
    with raw_connection(gateway.dsn()) as slow, psycopg.connect(gateway.dsn(), autocommit=True) as quick:
        slow.send(query("SELECT repeat('x', 1000) FROM generate_series(1, 200000)"))
        slow.sock.recv(1, socket.MSG_PEEK)
        for number in range(500):
            assert quick.execute("SELECT %s::int4", [number]).fetchone() == (number,)
        assert memory.grown_bytes() < ALLOWED, "what the slow one does not read piles up in the gateway"
        assert slow.read_until(b"Z")[-2] == b"C" + struct.pack("!I", 18) + b"SELECT 200000\0"


def test_the_route_fixture_and_this_gateway_agree(gateway: Gateway, postgres: Server) -> None:
    direct = Route("direct", postgres.dsn(gateway.dbname), gateway.dbname, postgres)
    through = Route("through", gateway.dsn(), gateway.dbname, postgres)
    questions = ["SELECT current_user", "SHOW search_path", "SHOW server_version", "SELECT current_database()"]
    for sql in questions:
        with direct.connect() as one, through.connect() as other:
            assert one.execute(sql.encode()).fetchone() == other.execute(sql.encode()).fetchone()
