"""Values and results of any size pass in constant memory both ways, and a client that does not read stalls nobody else."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from protocols.mysql.messages import Command
from protocols.mysql.packets import FULL_PAYLOAD, Cursor, encode_lenenc_int, frame
from tests.integration.mysql_gateway import direct
from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

ROOM_KIB = 64 * 1024
MOST = 1 << 30  # the largest max_allowed_packet there is; a value is shorter by the length in front of it
MIB = 1 << 20
READ_BYTES = 1 << 18
DIGITS = " UNION ALL ".join(f"SELECT {digit} AS n" for digit in range(10))


@frozen
class Sizes:
    """The whole sizes on one server; on the other, which speaks in the same frames, what shows growth just as well."""

    digits: int  # a result of 10 to this power
    value_bytes: int
    upload_mib: int


SIZES = {"mariadb": Sizes(7, MOST - 10, 200), "mysql": Sizes(6, 256 * MIB, 96)}


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def sizes(family: str) -> Sizes:
    return SIZES[family]


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, family: str) -> Server:
    found: Server = request.getfixturevalue(family)
    return found


@pytest.fixture(scope="module")
def gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    plan = GatewayPlan(server=server, dialect="mysql", dbname="test")
    with running_gateway(plan, tmp_path_factory.mktemp("streaming")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def idle_kib(gateway: Gateway) -> int:
    """Before the first test: what is measured is the peak over all of them."""
    with closing(gateway.mysql()) as connection:
        send(connection, rows_of_digits(3))
        read_result(connection)
        return resident_kib(gateway, "VmRSS")


def resident_kib(gateway: Gateway, what: str) -> int:
    status = Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith(what)).split()[1])


def rows_of_digits(digits: int) -> str:
    """10 to that power rows of a seven-digit number."""
    tables = ", ".join(f"({DIGITS}) AS d{place}" for place in range(digits))
    return f"SELECT 1234567 FROM {tables}"


def send(connection: Any, text: str) -> None:
    body = b"\x03" + text.encode()
    connection._sock.sendall(len(body).to_bytes(3, "little") + b"\0" + body)


def read_result(connection: Any) -> int:
    """The bytes of one result up to the EOF packet behind its rows."""
    total, tail = 0, b""
    # the EOF packet behind the columns comes within the first kilobyte, and is not meant
    while total < 1000 or tail[:3] != b"\x05\0\0" or tail[4:5] != b"\xfe":
        data = connection._sock.recv(1 << 18)
        assert data, "the connection was closed"
        total += len(data)
        tail = (tail + data)[-9:]
    return total


def test_millions_of_rows_pass_in_constant_memory_and_a_slow_reader_stalls_only_itself(
    gateway: Gateway, idle_kib: int, sizes: Sizes
) -> None:
    with closing(gateway.mysql()) as slow, closing(gateway.mysql()) as quick:
        send(quick, rows_of_digits(3))
        read_result(quick)
        send(slow, rows_of_digits(sizes.digits))
        for _ in range(20):  # nobody reads the other's rows meanwhile
            send(quick, rows_of_digits(3))
            read_result(quick)
        assert read_result(slow) > 10**sizes.digits * 11
        assert resident_kib(gateway, "VmHWM") - idle_kib < ROOM_KIB


@pytest.fixture
def large_packets(server: Server) -> Iterator[None]:
    """Sessions that begin in the test may send and receive the most that a server lets through."""
    with closing(direct(server, server.dbname)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.max_allowed_packet")
        ((before,),) = cursor.fetchall()
        cursor.execute(f"SET GLOBAL max_allowed_packet = {MOST}")
        try:
            yield
        finally:
            cursor.execute(f"SET GLOBAL max_allowed_packet = {before}")


def read_packet(connection: Any) -> tuple[int, bytes]:
    head = connection._rfile.read(4)
    return head[3], connection._rfile.read(int.from_bytes(head[:3], "little"))


def read_rows_of_x(connection: Any) -> tuple[int, list[tuple[int, int]]]:
    """How long the one value of the one row is, of x alone; and the length and number of each packet that it came in."""
    for _ in range(3):  # one column, its description, EOF
        read_packet(connection)
    expected, size, packets = b"x" * READ_BYTES, 0, []
    while True:
        head = connection._rfile.read(4)
        length = left = int.from_bytes(head[:3], "little")
        packets.append((length, head[3]))
        if len(packets) == 1:
            first = connection._rfile.read(9)
            left -= len(first)
            size = Cursor(first).read_lenenc_int()
        while left:
            data = connection._rfile.read(min(left, READ_BYTES))
            assert data == expected[: len(data)]
            left -= len(data)
        if length < FULL_PAYLOAD:
            return size, packets


@pytest.mark.usefixtures("large_packets")
def test_a_blob_of_a_gigabyte_passes_in_constant_memory_in_packets_that_are_numbered_on(
    gateway: Gateway, idle_kib: int, sizes: Sizes
) -> None:
    size = sizes.value_bytes
    with closing(gateway.mysql(max_allowed_packet=MOST)) as connection:
        send(connection, f"SELECT REPEAT('x', {size})")
        found, packets = read_rows_of_x(connection)
        assert found == size
        assert sum(length for length, _ in packets) == size + 9
        assert [number for _, number in packets] == [(4 + index) % 256 for index in range(len(packets))]
        assert read_packet(connection)[1][:1] == b"\xfe"
        assert resident_kib(gateway, "VmHWM") - idle_kib < ROOM_KIB


def prepare(connection: Any, text: str) -> bytes:
    """The number of a statement with one parameter and two columns."""
    connection._sock.sendall(frame(bytes((Command.STMT_PREPARE,)) + text.encode()))
    _, answer = read_packet(connection)
    assert answer[:1] == b"\0", answer
    for _ in range(1 + 1 + 2 + 1):
        read_packet(connection)
    return answer[1:5]


def run_prepared(connection: Any) -> int:
    """The first of the two numbers in the row that an execution answers with."""
    packets = [read_packet(connection)[1] for _ in range(6)]  # the count, two columns, EOF, the row, EOF
    assert packets[0] == b"\2", packets[0]
    return int(struct.unpack_from("<q", packets[4], 2)[0])


MEASURE = (
    "SELECT CAST(CRC32(?) AS SIGNED), CAST(1 AS SIGNED)"  # MySQL cuts a parameter that it puts into a derived table
)


@pytest.mark.usefixtures("large_packets")
def test_long_data_goes_up_in_constant_memory_and_waits_while_the_server_is_busy(
    gateway: Gateway, idle_kib: int, sizes: Sizes
) -> None:
    upload = sizes.upload_mib
    block = os.urandom(MIB)
    with closing(gateway.mysql()) as connection, closing(gateway.mysql()) as other:
        number = prepare(connection, MEASURE)
        packet = frame(bytes((Command.STMT_SEND_LONG_DATA,)) + number + b"\0\0" + block)
        send(other, "DO GET_LOCK('busy', 0)")
        assert read_packet(other)[1][:1] == b"\0"
        send(connection, "DO GET_LOCK('busy', 100)")  # the server is busy until the other one lets go
        connection._sock.settimeout(0.5)
        taken, left = 0, packet * 64
        with pytest.raises(TimeoutError):  # what the server does not take, the client cannot hand over
            while taken < len(left):
                taken += connection._sock.send(left[taken : taken + MIB])
        assert taken < 32 * MIB
        send(other, rows_of_digits(3))
        read_result(other)
        connection._sock.settimeout(60)
        send(other, "DO RELEASE_LOCK('busy')")
        assert read_packet(other)[1][:1] == b"\0"
        assert read_packet(connection)[1][:1] == b"\0"
        connection._sock.sendall(left[taken:])
        for _ in range(upload - 64):
            connection._sock.sendall(packet)
        types = b"\0" + b"\1" + struct.pack("<H", 251)
        connection._sock.sendall(frame(bytes((Command.STMT_EXECUTE,)) + number + struct.pack("<BI", 0, 1) + types))
        assert run_prepared(connection) == zlib.crc32(block * upload)
        assert resident_kib(gateway, "VmHWM") - idle_kib < ROOM_KIB


@pytest.mark.usefixtures("large_packets")
def test_a_parameter_of_two_hundred_megabytes_goes_up_in_constant_memory(
    gateway: Gateway, idle_kib: int, sizes: Sizes
) -> None:
    value = os.urandom(MIB) * sizes.upload_mib
    with closing(gateway.mysql()) as connection:
        number = prepare(connection, MEASURE)
        head = (
            bytes((Command.STMT_EXECUTE,)) + number + struct.pack("<BI", 0, 1) + b"\0" + b"\1" + struct.pack("<H", 251)
        )
        connection._sock.settimeout(60)
        connection._sock.sendall(frame(head + encode_lenenc_int(len(value)) + value))
        assert run_prepared(connection) == zlib.crc32(value)
        assert resident_kib(gateway, "VmHWM") - idle_kib < ROOM_KIB
