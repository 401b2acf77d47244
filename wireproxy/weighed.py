"""What weighing a question gives, and what a verdict attaches to a statement: plain classes, which compile to structs."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.base import Exchange, NameChange
from rules.masking import ResultMasks
from rules.model import Decision, Judgement, Namespace
from rules.policy import Limit
from wireproxy.exchanging import NOWHERE, Sites
from wireproxy.lookups import LookedUp

Masks = tuple[ResultMasks | None, ...]
# What was judged elsewhere for one question: by text, the namespace in which the server reads it
Elsewhere = Mapping[tuple[bytes, Namespace], Judgement]


class Long(Exception):
    """A text that is to be judged in a process of its own before the question can be weighed."""

    def __init__(self, text: bytes, namespace: Namespace) -> None:
        super().__init__("a long text")
        self.text = text
        self.namespace = namespace


class Weighed:
    """A question's answer before it is acted on. Kept and shared, so never changed. A plain class, which compiles to a struct."""

    __slots__ = (
        "behind",
        "changes_definitions",
        "decision",
        "exchange",
        "judgement",
        "kinds",
        "late",
        "look",
        "looked_up",
        "masks",
        "moves",
        "names",
        "of_parse",
        "settles",
        "sites",
        "taints",
        "transactional",
    )

    def __init__(
        self,
        judgement: Judgement,
        decision: Decision,
        masks: Masks,
        look: bool,
        settles: bool,
        taints: bool,
        transactional: bool,
        changes_definitions: bool,
        names: tuple[NameChange, ...],
        behind: tuple[tuple[str, str], ...] = (),
        moves: bool = False,
        late: bool = False,
        sites: Sites = NOWHERE,
        exchange: Exchange | None = None,
        looked_up: LookedUp | None = None,
    ) -> None:
        self.looked_up = looked_up  # what its names mean to the server, for as long as it keeps what it found
        self.judgement = judgement
        self.decision = decision
        self.masks = masks  # one for each statement
        self.look = look  # its results may carry something masked
        self.settles = settles  # its end may change what later text means: nothing is judged before
        self.taints = taints
        self.transactional = transactional  # it begins or ends a transaction, or a savepoint
        self.changes_definitions = changes_definitions
        self.names = names
        self.behind = behind  # what stands behind the names that it refers to: name, text
        self.moves = moves  # what stands behind a name may change settings, in ways that the statement does not show
        self.late = late  # what its names mean is looked up when it runs, not when it is bound
        self.sites = sites  # where pseudonyms may stand in its text
        self.exchange = exchange  # what is sent in the place of what the client wrote
        self.kinds: tuple[str, ...] = tuple([statement.kind for statement in judgement.statements])
        self.of_parse: Weighed | None = None  # the same for its Parse, once that was asked for

    def decided(self, decision: Decision) -> Weighed:
        """The same under another decision."""
        return self._with(decision, self.masks, self.look, self.exchange)

    def unsure(self, masks: Masks) -> Weighed:
        """The same where it is not known what the rows carry."""
        return self._with(self.decision, masks, True, self.exchange)

    def exchanged(self, exchange: Exchange | None) -> Weighed:
        """The same with other contents in the place of the client's."""
        return self._with(self.decision, self.masks, self.look, exchange)

    def _with(self, decision: Decision, masks: Masks, look: bool, exchange: Exchange | None) -> Weighed:
        return Weighed(
            self.judgement,
            decision,
            masks,
            look,
            self.settles,
            self.taints,
            self.transactional,
            self.changes_definitions,
            self.names,
            self.behind,
            self.moves,
            self.late,
            self.sites,
            exchange,
            self.looked_up,
        )


class Attached:
    """What a verdict attaches to a statement, and every effect of it brings back. A plain class: one for each statement."""

    __slots__ = ("limits", "namespace", "started_ns", "text", "weighed")

    def __init__(
        self,
        weighed: Weighed,
        text: bytes,
        namespace: Namespace,
        started_ns: int,
        limits: tuple[tuple[str, Limit], ...] = (),
    ) -> None:
        self.weighed = weighed
        self.limits = limits  # of the rules that let it through, to be charged with what it comes to
        self.text = text
        self.namespace = namespace  # as it was when the server read the text
        self.started_ns = started_ns
