"""Secrets in results that no rule masks are overwritten for real drivers and in the record, and counted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
CARD = "4111 1111 1111 1111"
PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEpAIBAAKCAQEA7\n-----END RSA PRIVATE " + "KEY-----"
NOTE = f"use {AWS} (ann@shop.test, {CARD})"
HIDDEN = f"use {'*' * 20} (ann@shop.test, {CARD})"
POLICY = """
[policy.careful]
pack = "agent-default"
detect = ["secrets", "cards", "emails"]

[policy.careless]
pack = "agent-default"
detect = []
"""


def gateway_under(policy: str, server: Server, factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    plan = GatewayPlan(server=server, policy=policy, extra=POLICY, log_rows="all")
    with running_gateway(plan, factory.mktemp("detection")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(postgres18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    yield from gateway_under("agent-default", postgres18, tmp_path_factory)


@pytest.fixture(scope="module")
def careful(postgres18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    yield from gateway_under("careful", postgres18, tmp_path_factory)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("prepare", [False, True])
def test_the_shipped_pack_hides_secrets_and_nothing_else(gateway: Gateway, binary: bool, prepare: bool) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
        rows = connection.cursor(binary=binary).execute(
            "SELECT n, %s::text, ARRAY[%s::text, 'b'], jsonb_build_object('k', %s::text), %s::text FROM generate_series(1, 300) n",
            (NOTE, NOTE, NOTE, PEM),
            prepare=prepare,
        )
        found = rows.fetchall()
    assert [row[0] for row in found] == list(range(1, 301))
    for _, note, array, document, key in found:
        assert (note, array, document) == (HIDDEN, [HIDDEN, "b"], {"k": HIDDEN})
        assert "MIIE" not in key
        assert len(key) == len(PEM)


@pytest.mark.parametrize("style", ["text", "csv", "binary"])
def test_copy_is_looked_at(gateway: Gateway, style: str) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
        text = f"COPY (SELECT n, '{NOTE}', '{PEM}'::text FROM generate_series(1, 100) n) TO STDOUT (FORMAT {style})"
        with connection.cursor().copy(text) as copy:
            data = b"".join(bytes(part) for part in copy)
    assert data.count(HIDDEN.encode()) == 100
    assert AWS.encode() not in data
    assert b"MIIE" not in data


def test_a_cursor_a_long_value_and_an_error_are_looked_at(gateway: Gateway) -> None:
    with psycopg.connect(gateway.dsn()) as connection:
        with connection.cursor("c") as cursor:
            cursor.execute("SELECT %s::text FROM generate_series(1, 5)", (NOTE,))
            assert cursor.fetchall() == [(HIDDEN,)] * 5
        (long,) = connection.execute(
            "SELECT repeat('. ', 1000000) || %s || repeat(' .', 100000)", (NOTE,)
        ).fetchone() or ("",)
        assert (HIDDEN in long, AWS in long, len(long)) == (True, False, 2_200_000 + len(NOTE))
        with pytest.raises(psycopg.errors.InvalidTextRepresentation) as caught:
            connection.execute("SELECT ('x ' || %s::text)::int", (AWS,))
        assert AWS not in str(caught.value)


def test_a_policy_says_what_is_looked_for(
    careful: Gateway, postgres18: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with psycopg.connect(careful.dsn(), autocommit=True) as connection:
        assert connection.execute("SELECT %s::text", (NOTE,)).fetchone() == (
            f"use {'*' * 20} (***@****.****, 0000 0000 0000 0000)",
        )
        assert connection.execute("SELECT 4111111111111111").fetchone() == (4111111111111111,)
    for careless in gateway_under("careless", postgres18, tmp_path_factory):
        with psycopg.connect(careless.dsn(), autocommit=True) as connection:
            assert connection.execute("SELECT %s::text", (NOTE,)).fetchone() == (NOTE,)


def test_what_is_found_is_counted_in_the_log_and_never_recorded(careful: Gateway) -> None:
    part = AWS[4:]  # the client puts the secret together, so that its own text is not the one that shows it
    with psycopg.connect(careful.dsn(), autocommit=True) as connection:
        text = "SELECT 'AKIA' || %s::text, n FROM generate_series(1, 20000) n"
        connection.execute(text, (part,)).fetchall()
    session = careful.cli("sessions", "--json").stdout.strip().splitlines()[-1]
    identifier = json.loads(session)["session"]
    shown = careful.cli("replay", identifier, "--json").stdout
    records = [json.loads(line) for line in shown.splitlines()]
    counts = [int(each["detail"]["aws-key"]) for each in records if each.get("name") == "detected"]
    assert sum(counts) == 20_000
    assert len(counts) <= 2
    assert AWS not in shown
