"""What an approval is good for, and who may give it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import evolve

from rules.model import Dialect, Hold, Identity, Namespace
from tests.wireproxy.desks import ALICE, BINDING, BOB, CAROL, HOLD, Clock, opened, submit
from wireproxy.approvals import Binding, Desk, NotAllowed, RequestClosed, State, UnknownRequest, meaning_of
from wireproxy.config.model import Approver


async def test_an_approval_lets_exactly_one_execution_through(desk: Desk) -> None:
    request = await submit(desk)
    assert await desk.claim(BINDING) is None
    await desk.approve(request.id, ALICE, "fine")
    claim = await desk.claim(BINDING)
    assert claim is not None
    assert (claim.request_id, claim.approvers, claim.reason) == (request.id, ("alice",), "fine")
    assert await desk.claim(BINDING) is None
    assert await desk.consume(request.id) is False
    assert (await desk.get(request.id)).state is State.USED


OTHERS = [
    evolve(BINDING, statement=b"DELETE FROM orders WHERE id = 8"),
    evolve(BINDING, statement=b"DELETE FROM orders WHERE id = 7 "),
    evolve(BINDING, identity="other"),
    evolve(BINDING, issuer="corp"),
    evolve(BINDING, subject="0042"),
    evolve(BINDING, database="shop2"),
    evolve(BINDING, dialect=Dialect.MYSQL),
    evolve(BINDING, parameters=()),
    evolve(BINDING, parameters=(b"",)),
    evolve(BINDING, parameters=(None,)),
    evolve(BINDING, parameters=(b"7",), formats=(1,)),
    evolve(BINDING, parameters=(b"7",), type_oids=(23,)),
    evolve(BINDING, parameters=(b"7",), formats=(23,)),
    evolve(BINDING, meaning=meaning_of(Namespace())),
    evolve(BINDING, meaning=meaning_of(Namespace(search_path=("evil", "public")))),
    evolve(BINDING, meaning=meaning_of(Namespace(temporary=frozenset({"orders"})))),
    evolve(BINDING, meaning=meaning_of(Namespace(user="root"))),
    evolve(BINDING, meaning=meaning_of(Namespace(), {"DateStyle": "ISO, MDY"})),
    evolve(BINDING, meaning=meaning_of(Namespace(), {"DateStyle": "ISO, DMY"})),
    evolve(BINDING, meaning=meaning_of(Namespace(), {"statement d": "DELETE FROM a WHERE id = $1"})),
    evolve(BINDING, meaning=meaning_of(Namespace(), {"statement d": "DELETE FROM b WHERE id = $1"})),
]


@pytest.mark.parametrize("other", OTHERS, ids=lambda binding: repr(binding)[:60])
async def test_an_approval_is_good_for_nothing_else(desk: Desk, other: Binding) -> None:
    request = await submit(desk)
    await desk.approve(request.id, ALICE)
    assert await desk.claim(other) is None
    assert await desk.consume(request.id, other) is False
    assert await desk.consume(request.id, BINDING) is True


def test_no_two_bindings_share_a_digest() -> None:
    assert len({binding.digest() for binding in (BINDING, *OTHERS)}) == len(OTHERS) + 1


def test_bytes_cannot_move_between_neighbouring_fields() -> None:
    one = evolve(BINDING, parameters=(b"ab", b"c"))
    assert one.digest() != evolve(BINDING, parameters=(b"a", b"bc")).digest()
    assert one.digest() != evolve(BINDING, parameters=(b"ab\x00\x00c",)).digest()
    assert (
        evolve(BINDING, identity="a", database="bc").digest() != evolve(BINDING, identity="ab", database="c").digest()
    )
    assert evolve(BINDING, meaning=("a", "b")).digest() != evolve(BINDING, meaning=("ab",)).digest()
    assert meaning_of(Namespace(search_path=("a", "b"))) != meaning_of(Namespace(search_path=("a,1:b",)))
    assert meaning_of(Namespace(user=None)) != meaning_of(Namespace(user=""))


async def test_consume_has_one_winner_among_many_callers_and_gateways(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
        request = await submit(one)
        await two.approve(request.id, ALICE)
        won: list[bool] = []

        async def take(desk: Desk, claim: bool) -> None:
            won.append(await desk.claim(BINDING) is not None if claim else await desk.consume(request.id))

        async with trio.open_nursery() as nursery:
            for index in range(12):
                nursery.start_soon(take, (one, two)[index % 2], index % 3 == 0)
        assert won.count(True) == 1


async def test_a_pending_request_cannot_be_consumed(desk: Desk) -> None:
    request = await submit(desk)
    assert await desk.consume(request.id) is False
    assert await desk.consume("wp-none") is False


async def test_the_same_statement_twice_is_one_request(desk: Desk) -> None:
    first = await submit(desk)
    again = await submit(desk, session_id="s2")
    assert again == first
    assert len(await desk.select()) == 1


async def test_after_use_the_same_statement_asks_anew(desk: Desk) -> None:
    first = await submit(desk)
    await desk.approve(first.id, ALICE)
    assert await desk.consume(first.id)
    second = await submit(desk)
    assert second.id != first.id
    assert second.state is State.PENDING


async def test_an_approval_between_claim_and_submit_is_found(desk: Desk) -> None:
    request = await submit(desk)
    await desk.approve(request.id, ALICE)
    found = await submit(desk)
    verdict = await desk.wait(found.id, 0)
    assert verdict is not None
    assert verdict.approved
    assert await desk.consume(found.id)


@pytest.mark.parametrize(
    "stricter",
    [
        evolve(HOLD, quorum=2),
        evolve(HOLD, approvers=frozenset({"security"})),
        evolve(HOLD, maximum_rows=1),
        evolve(HOLD, rule="other"),
    ],
)
async def test_an_approval_under_an_older_policy_is_void(desk: Desk, stricter: Hold) -> None:
    old = await submit(desk)
    await desk.approve(old.id, ALICE)
    assert await desk.claim(BINDING, stricter) is None
    new = await submit(desk, hold=stricter)
    assert new.id != old.id
    assert (await desk.get(old.id)).state is State.WITHDRAWN
    assert await desk.claim(BINDING, HOLD) is None


# Who may decide


async def test_an_approver_outside_the_group_may_neither_approve_nor_deny(desk: Desk) -> None:
    request = await submit(desk)
    with pytest.raises(NotAllowed, match="approvers of dba"):
        await desk.approve(request.id, CAROL)
    with pytest.raises(NotAllowed, match="approvers of dba"):
        await desk.deny(request.id, CAROL)


async def test_without_a_group_any_approver_may_decide(desk: Desk) -> None:
    request = await submit(desk, hold=evolve(HOLD, approvers=frozenset()))
    assert (await desk.approve(request.id, CAROL)).state is State.APPROVED


@pytest.mark.parametrize(
    ("identity", "approver", "principal"),
    [
        (Identity("alice"), ALICE, "unix:alice"),
        (Identity("Alice"), ALICE, "unix:x"),
        (Identity("u7"), evolve(ALICE, unix_users=frozenset({"u7"})), "unix:other"),
        (Identity("u7"), evolve(ALICE, unix_users=frozenset()), "unix:u7"),
        (Identity("someone", subject="alice"), ALICE, "unix:x"),
    ],
)
async def test_the_requester_may_not_approve(
    desk: Desk, identity: Identity, approver: Approver, principal: str
) -> None:
    request = await submit(desk, identity=identity)
    with pytest.raises(NotAllowed, match="ask another approver"):
        await desk.approve(request.id, approver, principal=principal)
    assert (await desk.deny(request.id, approver, principal=principal)).state is State.DENIED


async def test_a_quorum_needs_distinct_people(desk: Desk) -> None:
    request = await submit(desk, hold=evolve(HOLD, quorum=2))
    assert (await desk.approve(request.id, ALICE, principal="unix:dba")).state is State.PENDING
    assert await desk.consume(request.id) is False
    with pytest.raises(NotAllowed, match="already"):
        await desk.approve(request.id, ALICE, principal="unix:elsewhere")
    with pytest.raises(NotAllowed, match="unix:dba"):
        await desk.approve(request.id, BOB, principal="unix:dba")
    done = await desk.approve(request.id, BOB, principal="unix:bob")
    assert (done.state, done.missing) == (State.APPROVED, 0)


async def test_one_denial_ends_a_quorum(desk: Desk) -> None:
    request = await submit(desk, hold=evolve(HOLD, quorum=2))
    await desk.approve(request.id, ALICE)
    await desk.deny(request.id, BOB, "no WHERE")
    with pytest.raises(RequestClosed, match="denied by bob: no WHERE"):
        await desk.approve(request.id, CAROL)
    verdict = await desk.wait(request.id, 0)
    assert verdict is not None
    assert (verdict.approved, verdict.approvers, verdict.reason) == (False, ("bob",), "no WHERE")


async def test_an_unused_approval_can_be_taken_back(desk: Desk) -> None:
    request = await submit(desk)
    await desk.approve(request.id, ALICE)
    await desk.deny(request.id, BOB, "wrong table")
    assert await desk.claim(BINDING) is None
    assert await desk.consume(request.id) is False


async def test_decided_requests_say_how_they_stand(desk: Desk, clock: Clock) -> None:
    request = await submit(desk)
    await desk.approve(request.id, ALICE)
    with pytest.raises(RequestClosed, match="approved already by alice"):
        await desk.approve(request.id, BOB)
    await desk.consume(request.id)
    with pytest.raises(RequestClosed, match="has run"):
        await desk.deny(request.id, BOB)
    with pytest.raises(UnknownRequest, match="wp-zzzz"):
        await desk.approve("wp-zzzz", BOB)
    late = await submit(desk)
    clock.advance(1800)
    with pytest.raises(RequestClosed, match="expired"):
        await desk.approve(late.id, BOB)


async def test_two_approvers_at_once_at_two_gateways_make_one_approval(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
        request = await submit(one)
        failures: list[str] = []

        async def approve(desk: Desk, approver: Approver) -> None:
            try:
                await desk.approve(request.id, approver)
            except RequestClosed as error:
                failures.append(str(error))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(approve, one, ALICE)
            nursery.start_soon(approve, two, BOB)
        assert len(failures) == 1
        assert len((await one.get(request.id)).votes) == 1
