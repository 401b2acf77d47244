"""A desk over SQLite with the clock that it reads, and a certificate for a listener."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from tests.wireproxy.desks import Clock, opened
from wireproxy.approvals import Desk
from wireproxy.tls import ServerCertificate


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def desk(tmp_path: Path, clock: Clock) -> AsyncIterator[Desk]:
    async with opened(tmp_path, clock) as desk:
        yield desk


@pytest.fixture
def certificate(tmp_path: Path) -> ServerCertificate:
    issued = trustme.CA().issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "server.crt"))
    issued.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    return ServerCertificate(tmp_path / "server.crt", tmp_path / "server.key")
