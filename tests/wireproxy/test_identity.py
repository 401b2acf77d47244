"""The gate: how each name proves itself, what unknown names look like, and which databases open for whom."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import evolve

from protocols.postgres.scram import SCRAM, make_verifier
from rules.model import Dialect, Identity
from tests.support.front_door import MOCK_KEY, a_config, a_database, a_gate, a_user
from tests.support.issuer import ISSUER, JWKS, NOW, token
from wireproxy.config.model import Config, OidcIssuer
from wireproxy.identity import (
    AccessRefused,
    AuthenticationFailure,
    Identification,
    load_mock_key,
    may_connect,
    policy_for,
)
from wireproxy.parameters import REFUSED
from wireproxy.throttle import (
    FREE_FAILURES,
    LONGEST_DELAY_S,
    MOST_ADDRESSES,
    MOST_WAITING,
    Throttle,
    TooManyFailures,
)
from wireproxy.tokens import TokenRefused

ANN = Identity("ann", frozenset({"staff"}))


@pytest.fixture
def issuer(tmp_path: Path) -> OidcIssuer:
    (tmp_path / "keys.json").write_text(json.dumps(JWKS))
    return evolve(ISSUER, jwks_file=tmp_path / "keys.json")


# --- how


@pytest.mark.parametrize(
    ("user", "tls", "oidc", "method"),
    [
        ("ann", False, False, "scram"),
        ("ann", True, True, "scram"),  # a local user never goes in by a token of the same name
        ("ann", False, True, "scram"),
        ("bob", False, False, "scram"),  # and fails there
        ("bob", True, True, "token"),
        ("bob", False, True, "tls-needed"),
        ("no-verifier", True, True, "token"),
        ("no-verifier", True, False, "scram"),
    ],
)
def test_each_name_has_one_way_to_prove_itself(
    issuer: OidcIssuer, user: str, tls: bool, oidc: bool, method: str
) -> None:
    users = (a_user("ann"), a_user("no-verifier", verifier=None))
    gate = a_gate(a_config(users=users, oidc=(issuer,) if oidc else ()))
    assert gate.method(user, tls=tls) == method


def first_answer(gate: Identification, user: str) -> dict[str, str]:
    answer = gate.scram(user, None).receive_first(SCRAM, b"n,,n=,r=abc").decode()
    return dict(part.split("=", 1) for part in answer.split(","))  # type: ignore[misc]


def test_an_unknown_user_has_the_same_salt_at_every_attempt_and_after_a_restart() -> None:
    seen = {first_answer(a_gate(a_config()), "bob")["s"] for _ in range(3)}
    assert len(seen) == 1
    assert len(base64.b64decode(seen.pop())) == 16


def test_unknown_users_look_like_the_known_ones() -> None:
    odd = make_verifier("x", b"s" * 24, 9000)
    gate = a_gate(a_config(users=(a_user("ann", verifier=str(odd)), a_user("no-verifier", verifier=None))))
    for name in ("bob", "eve", "no-verifier"):
        shown = first_answer(gate, name)
        assert (shown["i"], len(base64.b64decode(shown["s"]))) == ("9000", 24)


def test_with_verifiers_of_several_kinds_an_unknown_name_keeps_one_of_them() -> None:
    users = (
        a_user("ann", verifier=str(make_verifier("x", b"s" * 16, 4096))),
        a_user("bob", verifier=str(make_verifier("x", b"s" * 20, 5000))),
    )
    gate = a_gate(a_config(users=users))
    shapes = {
        name: (first_answer(gate, name)["i"], len(base64.b64decode(first_answer(gate, name)["s"])))
        for name in (f"user{i}" for i in range(30))
    }
    assert set(shapes.values()) == {("4096", 16), ("5000", 20)}


def test_nonces_differ() -> None:
    gate = a_gate(a_config())
    assert first_answer(gate, "ann")["r"] != first_answer(gate, "ann")["r"]


def test_a_verifier_that_cannot_be_used_is_named_at_the_start() -> None:
    with pytest.raises(ValueError, match=r"\[user.ann\]") as caught:
        a_gate(a_config(users=(a_user("ann", verifier="hunter2"),)))
    assert "hunter2" not in str(caught.value)


# --- the key of the mock salts


def test_the_mock_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    key = load_mock_key(state)
    assert load_mock_key(state) == key
    assert stat.S_IMODE((state / "mock-salt.key").stat().st_mode) == 0o600
    assert os.listdir(state) == ["mock-salt.key"]
    (state / "mock-salt.key").write_bytes(b"short")
    with pytest.raises(ValueError, match="remove it"):
        load_mock_key(state)


# --- who


async def test_a_local_user_has_the_groups_of_the_configuration() -> None:
    gate = a_gate(a_config(users=(a_user("ann", groups=frozenset({"dba"})),)))
    assert gate.local_identity("ann") == Identity("ann", frozenset({"dba"}), "user")


async def test_a_token_is_checked_against_its_own_issuer(issuer: OidcIssuer) -> None:
    gate = a_gate(a_config(oidc=(issuer,)), clock=lambda: NOW)
    verified = await gate.token_identity("ann", token())
    assert verified.identity.issuer == "corp"
    with pytest.raises(TokenRefused, match="is not configured"):
        await gate.token_identity("ann", token(iss="https://elsewhere.example"))


async def test_groups_of_a_local_entry_do_not_rub_off_on_a_token(issuer: OidcIssuer) -> None:
    users = (a_user("ann", verifier=None, groups=frozenset({"root"})),)
    gate = a_gate(a_config(users=users, oidc=(issuer,)), clock=lambda: NOW)
    assert (await gate.token_identity("ann", token(groups=[]))).identity.groups == frozenset()


async def test_a_reload_keeps_keys_and_counts_and_changes_the_rest(issuer: OidcIssuer) -> None:
    other = evolve(issuer, name="other")
    gate = a_gate(a_config(oidc=(issuer, other)))
    changed: Config = a_config(users=(a_user("eve"),), oidc=(issuer, evolve(other, audience="new")))
    renewed = gate.renewed(changed)
    assert renewed.throttle is gate.throttle
    assert renewed._sources["corp"] is gate._sources["corp"]
    assert renewed._sources["other"] is not gate._sources["other"]
    assert (renewed.method("eve", tls=True), renewed.method("ann", tls=True)) == ("scram", "token")


# --- where to


def refusal(gate: Identification, name: str, identity: Identity = ANN) -> AccessRefused:
    with pytest.raises(AccessRefused) as caught:
        gate.database(name, Dialect.POSTGRES, identity)
    return caught.value


def test_databases_that_are_not_there_and_ones_that_are_not_yours_are_refused_in_the_same_words() -> None:
    databases = (
        a_database("open"),
        a_database("payroll", users=frozenset({"eve"})),
        a_database("ledger", groups=frozenset({"dba"})),
        a_database("sakila", dialect=Dialect.MYSQL),
    )
    gate = a_gate(a_config(*databases))
    assert gate.database("open", Dialect.POSTGRES, ANN) is databases[0]
    missing = refusal(gate, "nothing")
    assert missing.sqlstate == "3D000"
    for name in ("payroll", "ledger", "sakila"):
        error = refusal(gate, name)
        assert (error.sqlstate, error.hint) == (missing.sqlstate, missing.hint)
        assert error.message == missing.message.replace("nothing", name)
        assert error.detail == missing.detail
    assert [refusal(gate, name).reason for name in ("nothing", "payroll")] == [
        "no such database is configured",
        "'ann' may not connect to it",
    ]


@pytest.mark.parametrize(
    ("users", "groups", "may"),
    [
        (set(), set(), True),
        ({"ann"}, set(), True),
        ({"eve"}, set(), False),
        (set(), {"staff"}, True),
        (set(), {"dba"}, False),
        ({"eve"}, {"staff"}, True),
        ({"staff"}, {"ann"}, False),  # a group is no user
        ({"Ann"}, {"Staff"}, False),
    ],
)
def test_who_may_connect(users: set[str], groups: set[str], may: bool) -> None:
    assert may_connect(a_database(users=frozenset(users), groups=frozenset(groups)), ANN) is may


def test_the_first_group_that_matches_gives_the_policy() -> None:
    database = a_database(policy="usual", policy_by_group=(("dba", "wide"), ("staff", "narrow"), ("staff", "never")))
    assert policy_for(database, ANN) == "narrow"
    assert policy_for(database, evolve(ANN, groups=frozenset({"staff", "dba"}))) == "wide"
    assert policy_for(database, evolve(ANN, groups=frozenset())) == "usual"


# --- slowing down


async def pause_s(throttle: Throttle, address: str = "192.0.2.1") -> float:
    start = trio.current_time()
    await throttle.pause(address)
    return trio.current_time() - start


async def test_a_few_mistakes_cost_nothing_and_many_cost_time(autojump_clock: trio.testing.MockClock) -> None:
    throttle = Throttle()
    waits = []
    for _ in range(FREE_FAILURES + 8):
        waits.append(await pause_s(throttle))
        throttle.failed("192.0.2.1")
    assert waits[: FREE_FAILURES + 1] == [0.0] * (FREE_FAILURES + 1)
    assert waits[FREE_FAILURES + 1 :] == sorted(waits[FREE_FAILURES + 1 :])
    assert max(waits) == LONGEST_DELAY_S
    assert await pause_s(throttle, "192.0.2.2") == 0.0
    await trio.sleep(600)
    assert await pause_s(throttle) == 0.0


async def test_guesses_in_parallel_are_bounded(autojump_clock: trio.testing.MockClock) -> None:
    throttle = Throttle()
    refused = 0
    for _ in range(50):
        throttle.failed("192.0.2.1")

    async def guess() -> None:
        nonlocal refused
        try:
            await throttle.pause("192.0.2.1")
        except TooManyFailures:
            refused += 1

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(guess)
    assert refused == 100 - MOST_WAITING
    assert await pause_s(throttle) > 0, "those who waited have left"


async def test_who_has_logged_in_here_is_not_delayed_by_a_neighbour_who_guesses(
    autojump_clock: trio.testing.MockClock,
) -> None:
    throttle = Throttle()
    await throttle.pause("192.0.2.1", "ann")
    throttle.proved("192.0.2.1", "ann")
    for _ in range(50):
        await throttle.pause("192.0.2.1", "bob")
        throttle.failed("192.0.2.1")
    start = trio.current_time()
    for _ in range(20):
        await throttle.pause("192.0.2.1", "ann")
        throttle.proved("192.0.2.1", "ann")
    assert trio.current_time() == start
    await throttle.pause("192.0.2.1", "cy")
    assert trio.current_time() == start + LONGEST_DELAY_S


async def test_guesses_at_one_who_has_logged_in_here_are_delayed_also_when_made_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    throttle = Throttle()
    throttle.proved("192.0.2.1", "ann")
    for _ in range(50):
        throttle.failed("192.0.2.1")
    start = trio.current_time()
    for _ in range(FREE_FAILURES):
        await throttle.pause("192.0.2.1", "ann")
    assert trio.current_time() == start
    await throttle.pause("192.0.2.1", "ann")
    assert trio.current_time() == start + LONGEST_DELAY_S


async def test_the_addresses_of_one_ipv6_host_count_as_one(autojump_clock: trio.testing.MockClock) -> None:
    throttle = Throttle()
    for number in range(30):
        throttle.failed(f"2001:db8:1:2::{number:x}")
    assert await pause_s(throttle, "2001:db8:1:2:ffff::1") == LONGEST_DELAY_S
    assert await pause_s(throttle, "2001:db8:1:3::1") == 0.0
    for _ in range(30):
        throttle.failed("::ffff:192.0.2.9")
    assert await pause_s(throttle, "192.0.2.9") == LONGEST_DELAY_S


async def test_the_memory_of_failures_is_bounded(autojump_clock: trio.testing.MockClock) -> None:
    throttle = Throttle()
    for number in range(MOST_ADDRESSES + 10):
        throttle.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(throttle._records) == MOST_ADDRESSES


def test_a_failure_is_reported_and_counts_only_when_a_proof_was_wrong() -> None:
    reported: list[AuthenticationFailure] = []

    async def fail() -> None:
        gate = Identification(a_config(), mock_key=MOCK_KEY, report=reported.append)
        gate.failed(AuthenticationFailure("ann", "192.0.2.1", "connection lost"), counts=False)
        assert not gate.throttle._records
        gate.failed(AuthenticationFailure("ann", "192.0.2.1", "SCRAM: the password does not match"))
        assert gate.throttle._records

    trio.run(fail)
    assert [failure.reason for failure in reported] == ["connection lost", "SCRAM: the password does not match"]


def test_every_refused_parameter_is_in_the_manual() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "identity.md").read_text(encoding="utf-8")
    assert [name for name in REFUSED if f"`{name}`" not in manual] == []
