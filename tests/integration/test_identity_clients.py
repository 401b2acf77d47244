"""libpq at the gateway's front door: what the first packets, TLS and SCRAM look like to a driver that others wrote."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest
import trio
import trustme
from attrs import evolve
from psycopg import pq

from rules.model import Dialect
from tests.support.front_door import LISTEN, PASSWORD, a_config, a_database, a_user, front_door
from tests.support.servers import Server
from wireproxy.config.model import Database, Limits, Secret
from wireproxy.tls import ServerCertificate

pytestmark = pytest.mark.integration


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> ServerCertificate:
    issued = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "server.crt"))
    issued.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    return ServerCertificate(tmp_path / "server.crt", tmp_path / "server.key")


async def connect(dsn: str) -> psycopg.Connection[tuple[object, ...]]:
    return await trio.to_thread.run_sync(lambda: psycopg.connect(dsn, autocommit=True, connect_timeout=10))


async def refused(dsn: str) -> str:
    with pytest.raises(psycopg.OperationalError) as caught:
        await connect(dsn)
    return str(caught.value)


async def test_a_user_with_a_verifier_gets_in_without_tls() -> None:
    async with front_door(a_config()) as door:
        connection = await connect(door.dsn(sslmode="disable"))
        assert connection.info.parameter_status("server_version") == "15.0"
        connection.close()
        assert door.arrivals[0].identity.name == "ann"
        assert not door.arrivals[0].tls


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
@pytest.mark.parametrize("binding", ["disable", "prefer", "require"])
async def test_tls_by_request_and_direct_with_and_without_channel_binding(
    certificate: ServerCertificate, tmp_path: Path, negotiation: str, binding: str
) -> None:
    assert pq.version() >= 170000, "direct TLS needs libpq 17"
    async with front_door(a_config(), tls=certificate, listen=evolve(LISTEN, require_tls=True)) as door:
        options = {"sslnegotiation": negotiation, "channel_binding": binding}
        dsn = door.dsn(sslmode="verify-full", sslrootcert=tmp_path / "ca.pem", **options)
        (await connect(dsn)).close()
        assert door.arrivals[0].tls


async def test_protocol_3_2_gets_a_secret_of_32_bytes_and_cancels_with_it() -> None:
    assert pq.version() >= 180000, "protocol 3.2 needs libpq 18"
    async with front_door(a_config()) as door:
        connection = await connect(door.dsn(sslmode="disable", max_protocol_version="3.2"))
        assert door.arrivals[0].protocol == (3, 2)
        await trio.to_thread.run_sync(lambda: connection.cancel_safe(timeout=5))
        connection.close()
        assert (door.cancels[0].process_id, len(door.cancels[0].secret)) == (4711, 32)


async def test_a_newer_minor_version_is_negotiated_down() -> None:
    async with front_door(a_config()) as door:
        connection = await connect(door.dsn(sslmode="disable", max_protocol_version="latest"))
        connection.close()
        assert door.arrivals[0].protocol[1] <= 2


async def test_a_wrong_password_and_an_unknown_user_sound_the_same() -> None:
    async with front_door(a_config()) as door:
        wrong = await refused(door.dsn(password="wrong", sslmode="disable"))
        unknown = await refused(door.dsn(user="bob", sslmode="disable"))
        assert 'password authentication failed for user "ann"' in wrong
        assert unknown == wrong.replace('"ann"', '"bob"')
        assert [failure.reason for failure in door.failures] == [
            "SCRAM: the password does not match",
            "SCRAM: no such user",
        ]


async def test_a_client_without_tls_is_told_to_use_it(certificate: ServerCertificate) -> None:
    async with front_door(a_config(), tls=certificate, listen=evolve(LISTEN, require_tls=True)) as door:
        said = await refused(door.dsn(sslmode="disable"))
        assert "encrypted connections only" in said
        assert "sslmode=require" in said


async def test_a_database_that_is_not_there_and_one_that_is_not_for_you_sound_the_same() -> None:
    config = a_config(a_database("shop"), a_database("payroll", users=frozenset({"eve"})))
    async with front_door(config) as door:
        forbidden = await refused(door.dsn(dbname="payroll", sslmode="disable"))
        missing = await refused(door.dsn(dbname="nothing", sslmode="disable"))
        assert 'database "payroll" does not exist' in forbidden
        assert missing == forbidden.replace('"payroll"', '"nothing"')


async def test_a_startup_parameter_that_would_slip_past_the_policy_is_refused_and_named() -> None:
    async with front_door(a_config()) as door:
        said = await refused(door.dsn(sslmode="disable", options="-c Role=admin"))
        assert 'parameter "role" cannot be set when connecting' in said


async def test_a_silent_client_is_sent_away_at_the_timeout() -> None:
    async with (
        front_door(a_config(limits=Limits(startup_timeout_s=0.05))) as door,
        await trio.open_tcp_stream("127.0.0.1", door.port) as stream,
    ):
        said = await stream.receive_some()
        assert b"canceling authentication due to timeout" in said
        assert await stream.receive_some() == b""


def target(server: Server, **changes: object) -> Database:
    os.environ["FRONT_DOOR_PASSWORD"] = server.password
    found = Database(
        "shop",
        Dialect.POSTGRES,
        server.host,
        server.port,
        server.dbname,
        server.user,
        Secret(env="FRONT_DOOR_PASSWORD"),
        tls="disable",
    )
    return evolve(found, **changes)  # type: ignore[arg-type]


async def test_what_the_server_says_of_itself_and_its_process_id_pass_through(postgres: Server) -> None:
    async with front_door(a_config(target(postgres)), to_target=True) as door:
        dsn = door.dsn(sslmode="disable", application_name="me", options="-c work_mem=7MB")

        def look() -> None:
            with psycopg.connect(dsn, autocommit=True) as through:
                assert str(through.info.parameter_status("server_version")).split()[0] in postgres.version
                assert through.execute("SELECT pg_backend_pid()").fetchone() == (through.info.backend_pid,)
                assert through.execute("SHOW work_mem").fetchone() == ("7MB",)
                assert through.execute("SHOW application_name").fetchone() == ("me",)

        await trio.to_thread.run_sync(look)


async def test_a_cancel_request_reaches_the_session_that_its_secret_belongs_to(postgres18: Server) -> None:
    async with front_door(a_config(target(postgres18)), to_target=True) as door:
        connection = await connect(door.dsn(sslmode="disable"))

        def sleep() -> str:
            with pytest.raises(psycopg.errors.QueryCanceled) as caught:
                connection.execute("SELECT pg_sleep(100)")
            return str(caught.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, sleep)
            await _until_active(postgres18, connection.info.backend_pid)
            await trio.to_thread.run_sync(lambda: connection.cancel_safe(timeout=5))
        connection.close()


async def _until_active(server: Server, process_id: int) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as watcher:
        with trio.fail_after(60):
            sql = "SELECT state FROM pg_stat_activity WHERE pid = %s AND query LIKE '%%pg_sleep%%'"
            while watcher.execute(sql, (process_id,)).fetchone() != ("active",):  # noqa: ASYNC110  the server tells nobody
                await trio.sleep(0.01)


async def test_an_error_of_the_server_at_login_reaches_the_client_as_it_is(postgres: Server) -> None:
    async with front_door(a_config(target(postgres)), to_target=True) as door:
        said = await refused(door.dsn(sslmode="disable", options="-c work_mem=nonsense"))
        assert 'invalid value for parameter "work_mem": "nonsense"' in said


async def test_the_gateways_own_login_stays_its_own_when_it_fails(postgres: Server) -> None:
    config = a_config(target(postgres, user="nobody_here"))
    async with front_door(config, to_target=True) as door:
        said = await refused(door.dsn(sslmode="disable"))
        assert 'cannot log in to the target of database "shop"' in said
        assert "nobody_here" not in said
        assert "nobody_here" in door.refused[0].reason


async def test_psql_itself_gets_in(postgres: Server) -> None:
    assert postgres.programs is not None
    async with front_door(a_config(target(postgres), users=(a_user(),)), to_target=True) as door:
        done = await trio.run_process(
            [postgres.programs / "psql", "-XAtc", "SELECT 40 + 2", door.dsn(sslmode="prefer")],
            capture_stdout=True,
            env={**postgres.programs.environment, "PGPASSWORD": PASSWORD, "PGDATESTYLE": "German", "PGTZ": "UTC"},
        )
        assert done.stdout == b"42\n"
        assert {"datestyle", "timezone"} <= door.arrivals[0].settings.keys()
