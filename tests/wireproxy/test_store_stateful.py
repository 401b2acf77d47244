"""The desk against a model of it, over a real store: whatever happens in whatever order, an approval runs once, in time, and
only after enough of the right people said so.

The model is a few lines of plain dictionaries and knows nothing of how the store works.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import trio
from attrs import define, evolve, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rules.model import Dialect, Hold, Identity
from wireproxy.approvals import Binding, Desk, Limits, NotAllowed, RequestClosed, RequestFacts, TooManyRequests
from wireproxy.config.model import Approver
from wireproxy.store import Store
from wireproxy.store.sqlite import SqliteStore

T = TypeVar("T")

AGENTS = ("claude", "alice")  # the second has the name of an approver
HOLDS = (
    Hold("writes", ()),
    Hold("writes", (), approvers=frozenset({"dba"}), expires_s=600),
    Hold("writes", (), quorum=2, expires_s=100),
)
APPROVERS = (
    Approver("alice", frozenset({"alice"}), frozenset({"dba"})),
    Approver("bob", frozenset({"bob"}), frozenset({"dba"})),
    Approver("carol", frozenset({"carol"}), frozenset({"security"})),
    Approver("carol2", frozenset({"carol"}), frozenset({"dba"})),  # the same account under another name
)
BINDINGS = tuple(
    Binding(Dialect.POSTGRES, agent, None, "shop", statement)
    for agent in AGENTS
    for statement in (b"DELETE 1", b"DELETE 2")
)
PENDING_LIMIT = 2
RECENT = st.integers(0, 2)  # which request, the newest first: most is worth doing to one that lives
MEMORY = Path("/dev/shm")  # the machine restarts its gateway, not its disk


@define
class Modelled:
    binding: Binding
    hold: Hold
    expires_s: float
    state: str = "pending"
    yes: dict[str, str] = field(factory=dict)  # account -> approver
    promised: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in {"pending", "approved"}


class DeskMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.now_s = 1_700_000_000.0
        self.model: dict[str, Modelled] = {}
        self.ran: list[str] = []
        self.store = self.run(self.open_store)
        self.desk = self.make_desk()

    async def open_store(self) -> Store:
        return await SqliteStore.open(Path(self.folder.name) / "requests.db")

    def make_desk(self) -> Desk:
        limits = Limits(pending_per_identity=PENDING_LIMIT, submitted_per_minute=10_000)
        return Desk(self.store, lambda: int(self.now_s * 1e9), limits=limits)

    def run(self, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        return trio.run(work, *arguments)

    def teardown(self) -> None:
        self.run(self.desk.aclose)
        self.folder.cleanup()

    def expire(self) -> None:
        for request in self.model.values():
            if request.is_open and request.expires_s <= self.now_s:
                request.state = "expired"

    def recent(self, nth: int) -> tuple[str, Modelled]:
        self.expire()
        names = list(self.model)
        name = names[max(0, len(names) - 1 - nth)]
        return name, self.model[name]

    def open_for(self, binding: Binding) -> tuple[str, Modelled] | None:
        found = [(name, one) for name, one in self.model.items() if one.is_open and one.binding == binding]
        assert len(found) <= 1
        return found[0] if found else None

    @initialize(binding=st.sampled_from(BINDINGS), hold=st.sampled_from(HOLDS))
    def first(self, binding: Binding, hold: Hold) -> None:
        self.submit(binding, hold)

    @rule(binding=st.sampled_from(BINDINGS), hold=st.sampled_from(HOLDS))
    def submit(self, binding: Binding, hold: Hold) -> None:
        self.expire()
        facts = RequestFacts(Identity(binding.identity), "s", "c", "a", "sql")
        before = self.open_for(binding)
        same = before is not None and before[1].hold == hold
        pending = sum(
            one.state == "pending" and one.binding.identity == binding.identity for one in self.model.values()
        )
        if before is not None and not same and before[1].state == "pending":
            pending -= 1
        try:
            request = self.run(self.desk.submit, binding, facts, hold)
        except TooManyRequests:
            assert not same
            assert pending >= PENDING_LIMIT
            return
        if same:
            assert before is not None
            assert request.id == before[0]
        else:
            assert pending < PENDING_LIMIT
            assert request.id not in self.model
            if before is not None:
                before[1].state = "withdrawn"
            expires_s = 1800.0 if hold.expires_s is None else hold.expires_s
            self.model[request.id] = Modelled(binding, hold, self.now_s + expires_s)

    @rule(nth=RECENT, approver=st.sampled_from(APPROVERS))
    def approve(self, nth: int, approver: Approver) -> None:
        request_id, request = self.recent(nth)
        account = next(iter(approver.unix_users))
        allowed = (
            (not request.hold.approvers or bool(request.hold.approvers & approver.groups))
            and request.binding.identity not in {approver.name, account}
            and account not in request.yes
        )
        try:
            self.run(self.desk.approve, request_id, approver, "", f"unix:{account}")
        except RequestClosed:
            assert request.state != "pending"
            return
        except NotAllowed:
            assert not allowed
            return
        assert allowed
        assert request.state == "pending"
        request.yes[account] = approver.name
        if len(request.yes) >= request.hold.quorum:
            request.state = "approved"

    @rule(nth=RECENT)
    def approve_in_full(self, nth: int) -> None:
        for approver in APPROVERS[1], APPROVERS[3]:
            self.approve(nth, approver)

    @rule(nth=RECENT, approver=st.sampled_from(APPROVERS))
    def deny(self, nth: int, approver: Approver) -> None:
        request_id, request = self.recent(nth)
        try:
            self.run(self.desk.deny, request_id, approver, "no", None)
        except RequestClosed:
            assert not request.is_open
        except NotAllowed:
            assert request.hold.approvers
            assert not request.hold.approvers & approver.groups
        else:
            assert request.is_open
            request.state = "denied"

    @rule(binding=st.sampled_from(BINDINGS), hold=st.sampled_from((None, None, *HOLDS)))
    def claim(self, binding: Binding, hold: Hold | None) -> None:
        self.expire()
        found = self.open_for(binding)
        expected = found is not None and found[1].state == "approved" and hold in (None, found[1].hold)
        claim = self.run(self.desk.claim, binding, hold)
        assert (claim is not None) == expected
        if claim is not None and found is not None:
            assert claim.request_id == found[0]
            self.use(found[0])

    @rule(nth=RECENT, binding=st.sampled_from((None, None, *BINDINGS)))
    def consume(self, nth: int, binding: Binding | None) -> None:
        request_id, request = self.recent(nth)
        expected = request.state == "approved" and binding in (None, request.binding)
        assert self.run(self.desk.consume, request_id, binding) is expected
        if expected:
            self.use(request_id)

    def use(self, request_id: str) -> None:
        request = self.model[request_id]
        self.ran.append(request_id)
        request.state = "used"
        assert self.now_s < request.expires_s
        assert len(request.yes) >= request.hold.quorum
        assert request.binding.identity not in {*request.yes, *request.yes.values()}

    @rule(nth=RECENT)
    def hang_up(self, nth: int) -> None:
        request_id, request = self.recent(nth)
        expected = request.is_open and not request.promised
        assert self.run(self.desk.withdraw, request_id, "gone") is expected
        if expected:
            request.state = "withdrawn"

    @rule(nth=RECENT)
    def wait_in_vain(self, nth: int) -> None:
        request_id, request = self.recent(nth)
        verdict = self.run(self.desk.wait, request_id, 0)
        if request.state == "pending":
            assert verdict is None
            request.promised = True
        else:
            assert verdict is not None
            assert verdict.state.value == request.state
            assert verdict.approved is (request.state == "approved")

    @rule(seconds=st.sampled_from((1.0, 99.0, 500.0, 1799.0)))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def sweep(self) -> None:
        self.run(self.desk.sweep)

    @rule()
    def restart(self) -> None:
        self.run(self.desk.aclose)
        self.store = self.run(self.open_store)
        self.desk = self.make_desk()

    @invariant()
    def every_execution_had_its_own_approval(self) -> None:
        assert len(self.ran) == len(set(self.ran))

    @invariant()
    def the_store_and_the_model_agree(self) -> None:
        self.expire()
        for request_id, request in self.model.items():
            found = self.run(self.desk.get, request_id)
            assert found.state.value == request.state
            assert found.facts == evolve(found.facts, identity=Identity(request.binding.identity))
            assert (self.run(self.desk.binding, request_id) == request.binding) or not request.is_open


DeskMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestDesk = DeskMachine.TestCase
