"""One session between a client and a MySQL or MariaDB server, after both have been authenticated. Sans-IO.

Feed bytes, call `advance()` until it gives no effects, answer its questions with `decide` and `plan`, and send what stands in the
outboxes. Nothing is in `take_for_server()` that has not been decided, except what runs nothing: pings, resets, long data.

Spec: MySQL, "Command Phase"; MariaDB, "Client/Server Protocol".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from protocols.base import CopyReader, Question, RowPlan, Verdict
from protocols.detecting import Detector
from protocols.mysql import progress
from protocols.mysql.backend import Backend
from protocols.mysql.capabilities import Capability
from protocols.mysql.changing import Step
from protocols.mysql.frontend import Frontend
from protocols.mysql.messages import encode_err, error_of, shortened
from protocols.mysql.packets import HEADER_BYTES, frame
from protocols.mysql.shared import Found, Limits, MySqlEffect, Scrubber, Shared

_DECIDING: Final = Step.DECIDING
AHEAD_BYTES: Final = 64 * 1024


class MySqlRelay:
    """`client` and `server` are the flags that hold on each leg; they differ in SESSION_TRACK at most."""

    __slots__ = ("_backend", "_frontend", "_shared")

    def __init__(
        self, limits: Limits | None, client: Capability, server: Capability, *, scrub: Scrubber | None = None
    ) -> None:
        self._shared = Shared(limits or Limits(), client, server)
        self._shared.scrub = scrub
        self._frontend = Frontend(self._shared)
        self._backend = Backend(self._shared)

    # -- bytes

    def feed_client(self, data: bytes) -> None:
        self._frontend.feed(data)

    def feed_server(self, data: bytes) -> None:
        self._backend.feed(data)

    def advance(self) -> list[MySqlEffect]:
        """Go on, and give the effects. They must all be handled before the next call; call until there are none.

        What an answer changed must be known before the next command is asked about: so that is read in a call of its own.
        """
        shared = self._shared
        self._backend.advance()
        if not shared.effects:
            discards = shared.discards_file
            self._frontend.advance()
            if discards and not shared.discards_file:
                self._backend.advance()  # what has been answered meanwhile
        effects = shared.effects
        if effects:
            shared.effects = []
        return effects

    def take_for_client(self) -> list[bytes]:
        out = self._shared.to_client
        if out:
            self._shared.to_client = []
        return out

    def take_for_server(self) -> list[bytes]:
        out = self._shared.to_server
        if out:
            self._shared.to_server = []
        return out

    # -- answers

    def decide(self, ticket: int, verdict: Verdict) -> None:
        self._frontend.questions.decide(ticket, verdict)

    def answer_ok(self, ticket: int) -> None:
        """Answer the open question with an OK packet: the gateway has done what was asked, and the server hears nothing of it."""
        self._frontend.questions.answer_ok(ticket)

    def gives_file(self, reader: CopyReader | None = None) -> None:
        """The open question is LOAD DATA LOCAL: if it goes on, the server may ask for the file that its text names.

        `reader` looks at that, and can stop it: `FileStopped`.
        """
        self._frontend.questions.give_file(reader)

    def end_file(self, filler: bytes) -> None:
        """The server was told to give up the statement whose file was stopped; it heeds that between two rows: `filler`."""
        self._frontend.end_file(filler)

    def login_send(self, payload: bytes, *, reads: bool) -> None:
        """A packet of the proof that COM_CHANGE_USER asks for. `reads`: the client answers it, with a `LoginPacket`."""
        self._frontend.change.send(payload, reads=reads)

    def change_allowed(self) -> None:
        """The client is who it was: the server makes the session as new, and its OK is the answer."""
        self._frontend.change.allowed()

    def plan(self, plan: RowPlan | None) -> None:
        self._backend.plan(plan)

    def ask(self, text: bytes) -> None:
        """A statement of the gateway's own, run before the client's next command. Its answer comes as `Answered`."""
        self._shared.own.append(text)

    def hold(self) -> None:
        """The open question will take a while. Everything before it has been answered already."""

    def notice(self, fields: Mapping[str, bytes]) -> None:
        """For a client that takes MariaDB's progress reports. Nobody else hears anything until the answer: MySQL has no notices."""
        if self._shared.progress_for_client:
            self._frontend.questions.tell(
                shortened([fields[code] for code in "MDH" if code in fields], progress.WORDS_BYTES)
            )

    def verdicts_changed(self) -> None:
        """A policy or a catalog is new: what a cursor still has to give is asked about again."""
        self._shared.epoch += 1

    def names_are_utf8(self, utf8: bool) -> None:
        """Statements have numbers here, and SQL's names come by the text alone: nothing to keep apart."""

    def meaning_changed(self) -> None:
        """Every execution is asked about anew here: nothing was bound under the old meaning."""

    def scrub_with(self, scrub: Scrubber | None) -> None:
        self._shared.scrub = scrub

    def detect_with(self, detector: Detector | None) -> None:
        """Overwrite what it finds in results and errors from now on."""
        self._shared.detector = detector

    def farewell(self, fields: Mapping[str, bytes]) -> bytes:
        """An ERR packet that the client takes for the answer to what it waits for, or to what it sends next.

        What was not taken for the client yet will not be: its packets do not count.
        """
        exchange = self._shared.exchange
        sequence = self._frontend.answer_sequence
        changing = self._frontend.change.next_sequence
        if changing is not None:
            sequence = changing
        elif exchange is not None:
            sequence = exchange.sequence + exchange.shift - self._untaken() if exchange.sequence >= 0 else 1
        elif not self.asking:
            sequence = 1
        return frame(encode_err(error_of(fields)), sequence)

    def _untaken(self) -> int:
        """Packets of an answer that stand in the outbox."""
        data = b"".join(self.take_for_client())
        at = packets = 0
        while at < len(data):
            at += HEADER_BYTES + int.from_bytes(data[at : at + 3], "little")
            packets += 1
        return packets

    # -- state

    @property
    def asking(self) -> Question | None:
        return self._frontend.asking

    @property
    def reads_client(self) -> bool:
        """A little is read ahead while the server answers: else nobody would see that the client has hung up."""
        frontend = self._frontend
        if frontend.asking is not None or frontend.terminated or frontend.change.step is _DECIDING:
            return False
        return not (frontend.blocked or self._shared.own) or frontend.buffered_bytes < AHEAD_BYTES

    @property
    def reads_server(self) -> bool:
        return not self._backend.waiting

    @property
    def transaction_status(self) -> str:
        """I idle, T in a transaction: as of the last answer."""
        return "T" if self._shared.in_transaction else "I"

    @property
    def idle(self) -> bool:
        """No answer is owed, no transaction is open, nothing is being asked: a good moment to end the session."""
        shared = self._shared
        return (
            shared.exchange is None
            and not shared.own
            and not shared.in_transaction
            and self._frontend.asking is None
            and not self._frontend.changing
            and not self._frontend.buffered_bytes
        )

    @property
    def busy(self) -> bool:
        """The server owes an answer."""
        return self._shared.exchange is not None

    @property
    def runs_for_client(self) -> bool:
        """The server owes an answer to a command of the client's: to the gateway's own questions it gives one at once."""
        exchange = self._shared.exchange
        return exchange is not None and not exchange.injected

    @property
    def terminated(self) -> bool:
        """The client has said goodbye."""
        return self._frontend.terminated

    @property
    def at_client_boundary(self) -> bool:
        """The server has whole commands only, and waits for the next: one of the gateway's own may be sent."""
        return self._frontend.at_boundary and self._shared.exchange is None

    @property
    def at_command_boundary(self) -> bool:
        """The server has whole commands only, the last of which it may be answering still."""
        return self._frontend.at_boundary

    @property
    def at_message_boundary(self) -> bool:
        """The client has whole packets only: an error of the gateway's own may be sent."""
        return self._backend.at_boundary

    @property
    def tainted(self) -> bool:
        return self._shared.names.tainted

    def find_statement(self, name: bytes) -> Found:
        """What SQL's EXECUTE of this name would run."""
        return self._shared.names.find(name)

    def describe_results(self, wanted: bool) -> None:
        """Whether the client gets descriptions of columns from now on. The server is to send them in any case."""
        self._shared.describes = wanted

    def forget_texts(self) -> None:
        """Names of SQL's PREPARE stay, and what stands behind them is not known any more."""
        self._shared.names.forget_texts()

    def find_portal(self, _name: bytes) -> Found:
        """Cursors have names inside stored programs alone."""
        return Found(None)
