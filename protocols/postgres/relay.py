"""One session between a client and a PostgreSQL server, after both have been authenticated. Sans-IO.

Feed bytes, call `advance()`, answer its questions with `decide`, `plan`, `plan_copy` and `plan_copy_in`, call `advance()` again,
and send what stands in the outboxes. Nothing is in `take_for_server()` that has not been decided.

Spec: PostgreSQL documentation, 55.2 Message Flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from protocols.base import CopyReader, CopyRewriter, Effect, Question, RowPlan, Verdict
from protocols.detecting import Detector
from protocols.postgres.backend import Backend
from protocols.postgres.frontend import Frontend
from protocols.postgres.limits import RelayLimits
from protocols.postgres.messages import encode_fields
from protocols.postgres.names import Found
from protocols.postgres.shared import NotificationScrubber, Scrubber, Shared

KNOWN_VALUES = 1000  # of a session's parameters: what comes after those is not reported where anything is masked


class Relay:
    __slots__ = ("_backend", "_frontend", "_shared")

    def __init__(
        self,
        limits: RelayLimits | None = None,
        *,
        scrub: Scrubber | None = None,
        scrub_notification: NotificationScrubber | None = None,
    ) -> None:
        self._shared = Shared(limits or RelayLimits())
        self._shared.scrub = scrub
        self._shared.scrub_notification = scrub_notification
        self._frontend = Frontend(self._shared)
        self._backend = Backend(self._shared)

    # -- bytes

    def feed_client(self, data: bytes) -> None:
        self._frontend.feed(data)

    def feed_server(self, data: bytes) -> None:
        self._backend.feed(data)

    def advance(self) -> list[Effect]:
        """Go as far as possible in both directions. The effects must all be handled before the next call."""
        shared = self._shared
        self._backend.advance()
        self._frontend.advance()
        if shared.skipping:
            self._frontend.withdraw_if_skipped()
            self._frontend.advance()
        if shared.notices:
            self._backend.deliver_notices()
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
        self._frontend.decide(ticket, verdict)

    def plan(self, plan: RowPlan | None) -> None:
        self._backend.plan(plan)

    def plan_copy(self, rewriter: CopyRewriter | None) -> None:
        self._backend.plan_copy(rewriter)

    def plan_copy_in(self, reader: CopyReader | None) -> None:
        self._backend.plan_copy_in(reader)

    def hold(self) -> None:
        """The open question will take a while: let the client have the answers to what came before."""
        self._frontend.flush_for_hold()

    def notice(self, fields: Mapping[str, bytes]) -> None:
        """Tell the client something, between two messages of the server."""
        self._shared.notices.append(encode_fields(b"N", fields))

    def verdicts_changed(self) -> None:
        """A policy or a catalog is new: what was bound under the old one is asked about again before it runs."""
        self._shared.epoch += 1

    def names_are_utf8(self, utf8: bool) -> None:
        """Whether a name of the protocol has the same bytes in SQL and in the server, which converts both."""
        self._shared.ascii_names = not utf8

    def meaning_changed(self) -> None:
        """What names mean is another thing now: portals that look them up when they run are asked about again."""
        self._shared.names.version += 1

    def scrub_with(self, scrub: Scrubber | None, scrub_notification: NotificationScrubber | None) -> None:
        self._shared.scrub = scrub
        self._shared.scrub_notification = scrub_notification

    def know_values(self, values: Iterable[str]) -> None:
        """Values of parameters that say nothing new to the client when the server reports them."""
        known = self._shared.known_values
        for value in values:
            if len(known) < KNOWN_VALUES:
                known.add(value.lower())

    def detect_with(self, detector: Detector | None) -> None:
        """From the next result on."""
        self._shared.detector = detector

    def report_ready(self) -> None:
        """Give a `Ready` effect at the next ReadyForQuery."""
        self._shared.report_ready = True

    def farewell(self, fields: Mapping[str, bytes]) -> bytes:
        return encode_fields(b"E", fields)

    # -- state

    @property
    def asking(self) -> Question | None:
        return self._frontend.asking

    @property
    def reads_client(self) -> bool:
        return not self._frontend.blocked

    @property
    def reads_server(self) -> bool:
        return not self._backend.waiting

    @property
    def transaction_status(self) -> str:
        """I idle, T in a transaction, E in a failed one: as of the last ReadyForQuery."""
        return self._shared.transaction_status.decode("ascii")

    @property
    def idle(self) -> bool:
        """The server owes nothing, no transaction is open, nothing is being asked: a good moment to end the session."""
        return (
            self._shared.pending.head is None
            and self._shared.transaction_status == b"I"
            and self._frontend.asking is None
            and not self._frontend.buffered_bytes
        )

    @property
    def busy(self) -> bool:
        """The server owes an answer."""
        return self._shared.pending.head is not None

    @property
    def terminated(self) -> bool:
        """The client has said goodbye."""
        return self._frontend.terminated

    @property
    def at_client_boundary(self) -> bool:
        """The server has whole messages only: one of the gateway's own may be sent."""
        return self._frontend.at_boundary

    @property
    def at_message_boundary(self) -> bool:
        """The client has whole messages only: an error of the gateway's own may be sent."""
        return self._backend.at_boundary

    @property
    def tainted(self) -> bool:
        return self._shared.names.tainted

    def find_statement(self, name: bytes) -> Found:
        """What SQL's EXECUTE of this name would run; not certain while a change of it is in flight."""
        return self._shared.names.statements.look_up(name, self._shared.segment)

    def find_portal(self, name: bytes) -> Found:
        return self._shared.names.portals.look_up(name, self._shared.segment)
