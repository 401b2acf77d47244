"""Results of any size pass in constant memory, and a client that does not read stalls nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

ROOM_KIB = 64 * 1024
ROWS = 10_000_000


@pytest.fixture
def gateway(mariadb: Server, tmp_path: Path) -> Iterator[Gateway]:
    with running_gateway(GatewayPlan(server=mariadb, dialect="mysql", dbname="test"), tmp_path / "g") as gateway:
        yield gateway


def resident_kib(gateway: Gateway, what: str) -> int:
    status = Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith(what)).split()[1])


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


def test_ten_million_rows_pass_in_constant_memory_and_a_slow_reader_stalls_only_itself(gateway: Gateway) -> None:
    with closing(gateway.mysql()) as slow, closing(gateway.mysql()) as quick:
        send(quick, "SELECT 1 FROM seq_1_to_1000")
        read_result(quick)
        idle = resident_kib(gateway, "VmRSS")
        send(slow, f"SELECT seq FROM seq_1_to_{ROWS}")
        for _ in range(20):  # nobody reads the other's rows meanwhile
            send(quick, "SELECT 1 FROM seq_1_to_1000")
            read_result(quick)
        assert read_result(slow) > ROWS * 11
        assert resident_kib(gateway, "VmHWM") - idle < ROOM_KIB
