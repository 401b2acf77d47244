"""A client that pipelines, cuts its bytes anywhere and does not wait, and verdicts that come late. Oracle: no byte of an undecided
statement reaches the server, and the answers are the server's own with a refusal in each refused statement's place."""

from __future__ import annotations

from attrs import define
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocols.base import Forward, Refuse
from protocols.mysql.capabilities import Capability
from protocols.mysql.messages import Command
from protocols.mysql.packets import frame
from protocols.mysql.shared import Limits
from tests.protocols import mysql_playbook as p
from tests.protocols.mysql_fake_server import FakeMySql

LIMIT = 60  # a longer text is asked about by its beginning, and cannot be let through
TEXTS = st.one_of(
    st.lists(
        st.sampled_from(["ok", "rows 2", "rows 0", "fail", "begin", "commit", "use shop"]), min_size=1, max_size=3
    ),
    st.integers(0, 2 * LIMIT).map(lambda size: ["ok " + "x" * size]),
).map(";".join)
PREPARED = st.sampled_from(["ok ?", "ok 1", "rows 1", "nonsense"])
SIZES = st.integers(1, 80)


@define
class Sent:
    """A command as the client sent it. `allowed` None: it was not decided yet."""

    raw: bytes
    text: bytes | None = None
    allowed: bool | None = None


class MySqlMachine(RuleBasedStateMachine):
    @initialize(flags=st.sampled_from([p.NEW, p.OLD | Capability.SESSION_TRACK]))
    def begin(self, flags: Capability) -> None:
        self.flags = flags
        self.session = p.Session(flags, Limits(statement_bytes=LIMIT))
        self.server = FakeMySql(flags)
        self.sent: list[Sent] = []
        self.unsent = b""  # of the client, on its way
        self.unheard = b""  # of the server, on its way
        self.at_server = b""
        self.at_client = b""

    # -- the client

    @rule(text=TEXTS)
    def query(self, text: str) -> None:
        self.send(Sent(p.query(text), text.encode()))

    @rule(text=PREPARED)
    def prepare(self, text: str) -> None:
        self.send(Sent(p.prepare(text), text.encode()))

    @rule(name=st.sampled_from(["shop", "other"]))
    def use(self, name: str) -> None:
        self.send(Sent(p.command(Command.INIT_DB, name.encode())))

    @rule()
    def ping(self) -> None:
        self.send(Sent(p.command(Command.PING), allowed=True))

    @precondition(lambda self: self.idle and self.server.statements)
    @rule(data=st.data(), value=st.text("abc", max_size=20))
    def execute(self, data: st.DataObject, value: str) -> None:
        number = data.draw(st.sampled_from(sorted(self.server.statements)))
        values = [p.text(value)] * self.server.statements[number].count("?")
        self.send(Sent(p.execute(number, *values, types=() if values else None)))

    @precondition(lambda self: self.idle and self.server.statements)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.server.statements)))
        self.send(Sent(p.close(number), allowed=True))

    # -- what is on its way arrives, in pieces

    @precondition(lambda self: self.unsent)
    @rule(size=SIZES)
    def bytes_of_the_client_arrive(self, size: int) -> None:
        piece, self.unsent = self.unsent[:size], self.unsent[size:]
        self.session.client(piece)
        self.pass_on()

    @precondition(lambda self: self.unheard)
    @rule(size=SIZES)
    def bytes_of_the_server_arrive(self, size: int) -> None:
        piece, self.unheard = self.unheard[:size], self.unheard[size:]
        self.session.server(piece)
        self.pass_on()

    # -- verdicts

    @precondition(lambda self: self.session.relay.asking is not None)
    @rule(allowed=st.booleans())
    def decide(self, allowed: bool) -> None:
        question = self.session.question
        asked = next(each for each in self.sent if each.allowed is None)
        if asked.text is not None:
            assert question.text == asked.text[:LIMIT]
        asked.allowed = allowed and not question.truncated
        self.session.answer(Forward() if asked.allowed else Refuse(p.REFUSAL))
        self.pass_on()

    @invariant()
    def nothing_undecided_is_at_the_server(self) -> None:
        decided = b""
        for each in self.sent:
            if each.allowed is None:
                break
            if each.allowed:
                decided += each.raw
        assert decided.startswith(self.at_server)

    def teardown(self) -> None:
        while self.unsent or self.unheard or self.session.relay.asking is not None:
            if self.session.relay.asking is not None:
                self.decide(True)
            elif self.unheard:
                self.bytes_of_the_server_arrive(len(self.unheard))
            else:
                self.bytes_of_the_client_arrive(len(self.unsent))
            self.nothing_undecided_is_at_the_server()
        direct = FakeMySql(self.flags)
        refusal = frame(p.refusal_packet(), 1)
        assert self.at_client == b"".join(direct.feed(each.raw) if each.allowed else refusal for each in self.sent)
        assert self.at_server == b"".join(each.raw for each in self.sent if each.allowed)
        assert self.server.ran == direct.ran

    # -- both ends

    @property
    def idle(self) -> bool:
        return not self.unsent and not self.unheard and self.session.relay.asking is None

    def send(self, sent: Sent) -> None:
        self.sent.append(sent)
        self.unsent += sent.raw

    def pass_on(self) -> None:
        data = self.session.to_server()
        self.at_server += data
        self.unheard += self.server.feed(data)
        self.at_client += self.session.to_client()


TestMySqlMachine = MySqlMachine.TestCase
TestMySqlMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
