"""From the bytes of a statement to the decision about them, with what was decided before kept at hand.

A `Judge` stands for one (dialect, policy, database, identity, catalog, masks); sessions that agree in these share it. Its
caches have three levels, for each namespace: the exact bytes, and for plain queries the text's outline, which has its bytes but for
some literals (`rules.outline`, `rules.classify.mysql.shape`), and, of Postgres, the whole normalized text, in which literals are
`$n`. Keys are whole texts, never a hash alone. What is kept under the last two is only what holds for every text of that shape: an
allowed SELECT, INSERT, UPDATE, DELETE or MERGE in which no literal was looked at. Everything else is found again by its exact
bytes or judged again.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from attrs import evolve

from rules.catalog import Catalog
from rules.masking import MaskFinding, MaskSet, ResultMasks
from rules.masking.values import COMPARABLE, HINTS
from rules.model import (
    Allow,
    Decision,
    Deny,
    Dialect,
    Effect,
    Hold,
    Identity,
    Judgement,
    Kind,
    Namespace,
    Statement,
)
from rules.outline import has_constants
from rules.policy import Facts, Limit, Policy, applicable, decide_batch, decides_by_estimate, worst
from rules.reading import Reader, reader_for

_EXACT_ENTRIES = 2048  # for each namespace and generation: the statements of an application fit
_SHAPE_ENTRIES = 1024
_KEPT_BYTES = 2 * 1024 * 1024  # of keys in one generation: a cache never holds more than twice this
_LONGEST_KEY = 16 * 1024  # a longer text is kept apart, and few of them
_WORTH_BYTES = (
    128  # from here on, finding the very same text again costs much less than finding its shape (3 µs and more)
)
_LONG_ENTRIES = 16
_LONG_BYTES = 512 * 1024  # of one generation of these; a text that is longer by itself is data, and not sent twice
_NAMESPACES = 32  # a client that changes its search_path for every statement must not grow the caches

_PLAIN_KINDS = frozenset({Kind.SELECT, Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.MERGE})
# What makes a normalized text too little to go by: a value may be run as SQL, name a setting, or be anything.
_BY_LITERAL = frozenset(
    {Effect.DYNAMIC_SQL, Effect.UNKNOWN, Effect.CODE, Effect.SETTING, Effect.LEXING, Effect.NAMESPACE, Effect.ROLE}
)

_Key = TypeVar("_Key")


def may_prepare(judgement: Judgement) -> bool:
    """Whether the statement may be prepared though its execution waits: the server then parses it and runs nothing.

    What was not understood may not: nobody knows what preparing it does.
    """
    return not isinstance(judgement.decision, Deny) and all(
        statement.opaque is None and statement.kind is not Kind.OPAQUE for statement in judgement.statements
    )


class Judge:
    """Total: `judge` never raises. What fails to be judged is opaque, and the policy decides about that."""

    def __init__(
        self,
        dialect: Dialect,
        policy: Policy,
        database: str,
        identity: Identity,
        catalog: Catalog | None,
        masks: MaskSet | None,
        *,
        reader: Reader | None = None,
    ) -> None:
        self.dialect = dialect
        self.policy = applicable(policy, identity, database, masks is not None)
        self.needs_clock = self.policy.asks_clock
        self.estimates = self.policy.asks_estimate
        self.read_only = self.policy.read_only
        self._limits = {rule.name: rule.limit for rule in self.policy.rules if rule.limit is not None}
        self.limited = bool(self._limits)
        self.database = database
        self.identity = identity
        self.catalog = catalog
        self.masks = masks
        self._reader = reader if reader is not None else reader_for(dialect)
        self._facts = Facts(identity=identity, database=database, catalog=catalog, masked=masks is not None)
        self._outline = self._reader.outline
        self._parsed_shapes = self._reader.kept is None
        self._caches: dict[Namespace, _Caches] = {}
        self._by_identity: dict[int, tuple[Namespace, _Caches]] = {}
        self._long: _Recent[tuple[bytes, Namespace]] = _Recent(_LONG_ENTRIES, _LONG_BYTES, _LONG_BYTES)
        self._minute: int | None = None

    def judge(
        self,
        text: bytes,
        namespace: Namespace,
        minute_of_week: int | None = None,
        estimated_rows: int | None = None,
    ) -> Judgement:
        """`minute_of_week` counts when `needs_clock`; `estimated_rows` when a judgement said `wants_estimate`."""
        if self.needs_clock and minute_of_week != self._minute:
            self._tell(minute_of_week)
        if estimated_rows is not None:
            return self._anew(text, namespace, estimated_rows)
        known = self._by_identity.get(id(namespace))
        if known is None or known[0] is not namespace:
            known = self._meet(namespace)
        caches = known[1]
        found = caches.exact.get(text)
        if found is not None:
            return found
        outline = self._outline(text) if self._has_shapes(text) else None
        if outline is not None and (found := caches.outlines.get(outline)) is not None:
            if len(text) >= _WORTH_BYTES or outline == text:  # without a constant, as most of what is prepared
                caches.exact.put(text, found, len(text))
            return found
        if self._parsed_shapes:
            return self._by_shape(text, namespace, caches, outline)
        return self._by_outline(text, namespace, caches, outline)

    def recall(self, text: bytes, namespace: Namespace, minute_of_week: int | None = None) -> Judgement | None:
        """What was judged before of these very bytes, here or elsewhere; None: nothing that is still known."""
        if self.needs_clock and minute_of_week != self._minute:
            self._tell(minute_of_week)
        caches = self._caches.get(namespace)
        found = caches.exact.get(text) if caches is not None else None
        return found if found is not None else self._long.get((text, namespace))

    def learn(self, text: bytes, namespace: Namespace, judgement: Judgement, minute_of_week: int | None = None) -> None:
        """Keep what an equal judge found elsewhere."""
        if not self.needs_clock or minute_of_week == self._minute:
            self._long.put((text, namespace), judgement, len(text))

    def at_best(self, judgement: Judgement, namespace: Namespace, minute_of_week: int | None = None) -> Decision:
        """The decision if the planner expected no row: what a rule that asks for its estimate could still let through."""
        masks = judgement.masks if isinstance(judgement.masks, tuple) else None
        return self._decide(judgement.statements, namespace, masks, 0, minute_of_week).decision

    def unread(self, reason: str, namespace: Namespace, minute_of_week: int | None = None) -> Judgement:
        """What the policy says of a text that could not be judged."""
        return self._decide((_opaque(reason),), namespace, None, None, minute_of_week)

    def again(self, judgement: Judgement, namespace: Namespace, minute_of_week: int | None = None) -> Judgement:
        """The same statements under this judge's policy and masks, without classifying them again."""
        masks: tuple[ResultMasks, ...] | None = None
        if self.masks is not None:
            masks = tuple(
                self.masks.examine(statement.text, (statement,), namespace)[0] for statement in judgement.statements
            )
        return self._decide(judgement.statements, namespace, masks, None, minute_of_week)

    def limits(self, judgement: Judgement) -> tuple[tuple[str, Limit], ...]:
        """The rules with limits under which the statements of an allowed text run, once for each statement."""
        if not self.limited:
            return ()
        rules = (decision.rule for decision in judgement.decisions if isinstance(decision, Allow))
        return tuple((rule, self._limits[rule]) for rule in rules if rule in self._limits)

    def _tell(self, minute_of_week: int | None) -> None:
        """A rule may begin or end to hold with this minute; judging the few hundred texts anew costs less than asking."""
        self._forget()
        self._long = _Recent(_LONG_ENTRIES, _LONG_BYTES, _LONG_BYTES)
        self._minute = minute_of_week

    def _forget(self) -> None:
        self._caches.clear()
        self._by_identity.clear()

    def _meet(self, namespace: Namespace) -> tuple[Namespace, _Caches]:
        """Hashing a namespace costs more than the rest of a cached judgement: sessions hand in the same object each time."""
        caches = self._caches.get(namespace)
        if caches is None:
            if len(self._caches) >= _NAMESPACES:
                self._forget()
            caches = self._caches[namespace] = _Caches()
        if len(self._by_identity) >= 64 * _NAMESPACES:
            self._by_identity.clear()
        # the entry holds the namespace, so that its id is not given to another one
        known = self._by_identity[id(namespace)] = (namespace, caches)
        return known

    def _by_outline(self, text: bytes, namespace: Namespace, caches: _Caches, outline: bytes | None) -> Judgement:
        judgement = self._anew(text, namespace, None)
        if outline is not None and self._reader.kept is not None and _holds_for_shape(judgement):
            statement = evolve(judgement.statements[0], text=self._reader.kept(text))
            caches.outlines.put(outline, evolve(judgement, statements=(statement,)), len(outline))
        else:
            caches.exact.put(text, judgement, len(text))
        return judgement

    def _by_shape(self, text: bytes, namespace: Namespace, caches: _Caches, outline: bytes | None) -> Judgement:
        shape = self._shape(text, namespace)
        if shape is not None and (found := caches.shapes.get(shape)) is not None:
            if outline is not None and not has_constants(shape):
                caches.outlines.put(outline, found, len(outline))
            elif len(text) >= _WORTH_BYTES or shape.encode() == text:  # without a literal, as most of what is prepared
                caches.exact.put(text, found, len(text))
            return found
        judgement = self._anew(text, namespace, None)
        if shape is not None and _holds_for_shape(judgement):
            statement = evolve(judgement.statements[0], text=shape)  # without the literals of whoever came first
            caches.shapes.put(shape, evolve(judgement, statements=(statement,)), len(shape))
        else:
            caches.exact.put(text, judgement, len(text))
        return judgement

    def _has_shapes(self, text: bytes) -> bool:
        """Whether what is found in one text may hold for others that differ in literals."""
        if len(text) > _LONGEST_KEY:
            return False
        # a constant that may be a mask is looked at, whatever texts of its shape were found to be
        return self.masks is None or not self.masks.hinted(text)

    def _shape(self, text: bytes, namespace: Namespace) -> str | None:
        if not self._has_shapes(text):
            return None
        decoded = self._reader.decode(text, namespace)
        return None if decoded is None else self._reader.shape(decoded)

    def _anew(self, text: bytes, namespace: Namespace, estimated_rows: int | None) -> Judgement:
        try:
            return self._read(text, namespace, estimated_rows)
        except Exception as error:  # noqa: BLE001 - a bug of ours, or a text made to find one: it neither passes nor ends the session
            return self._decide(
                (_opaque(f"judging it failed ({type(error).__name__})"),), namespace, None, None, self._minute
            )

    def _read(self, text: bytes, namespace: Namespace, estimated_rows: int | None) -> Judgement:
        decoded = self._reader.decode(text, namespace)
        if decoded is None:
            statements: tuple[Statement, ...] = (_opaque("the text is not valid in the session's encoding"),)
        else:
            statements = self._reader.classify(decoded, namespace, self.catalog)
        masks = None
        if self.masks is not None:
            masks = self.masks.examine(decoded or "", statements, namespace)
        return self._decide(statements, namespace, masks, estimated_rows, self._minute)

    def _decide(
        self,
        statements: tuple[Statement, ...],
        namespace: Namespace,
        masks: tuple[ResultMasks, ...] | None,
        estimated_rows: int | None,
        minute_of_week: int | None,
    ) -> Judgement:
        facts = evolve(self._facts, namespace=namespace, minute_of_week=minute_of_week, estimated_rows=estimated_rows)
        decisions = decide_batch(self.policy, statements, facts)
        if self.masks is not None and masks is None:
            masks = (self.masks.unknown(),) * len(statements)
        if masks is not None:
            equality = self.policy.predicates == "equality"
            decisions = tuple(
                worst((decision, *(_of_finding(each, equality) for each in found.findings)))
                if found.findings
                else decision
                for decision, found in zip(decisions, masks, strict=True)
            )
            if not any(found.looks or found.exchange for found in masks):
                masks = None
        return Judgement(
            statements,
            worst(decisions),
            decisions,
            self.policy.version,
            masks,
            estimated_rows is None and self.estimates and decides_by_estimate(self.policy, statements, facts),
        )


def _of_finding(finding: MaskFinding, equality: bool) -> Decision:
    hint = COMPARABLE if finding.kind == "predicate" and equality else HINTS[finding.kind]
    if finding.action == "deny":
        return Deny(finding.rule, (finding.reason,), hint)
    return Hold(finding.rule, (finding.reason,), hint)


def _holds_for_shape(judgement: Judgement) -> bool:
    if not isinstance(judgement.decision, Allow) or len(judgement.statements) != 1 or judgement.wants_estimate:
        return False
    (statement,) = judgement.statements
    if statement.literal or statement.kind not in _PLAIN_KINDS or statement.opaque is not None:
        return False
    if statement.inner is not None:  # it has a text of its own, with the literals of whoever came first
        return False
    if statement.settings or statement.names or not statement.effects.isdisjoint(_BY_LITERAL):
        return False
    masks = judgement.masks
    return masks is None or (isinstance(masks, tuple) and not any(found.literal for found in masks))


def _opaque(reason: str) -> Statement:
    return Statement("", Kind.OPAQUE, "", frozenset({Effect.UNKNOWN}), opaque=reason, literal=True)


class _Recent(Generic[_Key]):
    """A bounded mapping that forgets what was not used lately: two generations, and what is found in the old one moves on.

    Cheaper than keeping an order: a hit in the young generation is one dictionary lookup.
    """

    __slots__ = ("_bytes", "_entries", "_kept", "_longest", "_old", "_young")

    def __init__(self, entries: int, kept_bytes: int = _KEPT_BYTES, longest: int = _LONGEST_KEY) -> None:
        self._entries = entries
        self._kept = kept_bytes
        self._longest = longest
        self._young: dict[_Key, tuple[Judgement, int]] = {}
        self._old: dict[_Key, tuple[Judgement, int]] = {}
        self._bytes = 0

    def get(self, key: _Key) -> Judgement | None:
        found = self._young.get(key)
        if found is None:
            if not self._old or (found := self._old.get(key)) is None:
                return None
            self.put(key, *found)
        return found[0]

    def put(self, key: _Key, judgement: Judgement, size: int) -> None:
        """`size`: the bytes that are counted for it."""
        if size > self._longest:
            return
        if len(self._young) >= self._entries or self._bytes > self._kept:
            self._old, self._young, self._bytes = self._young, {}, 0
        self._young[key] = judgement, size
        self._bytes += size

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


class _Caches:
    __slots__ = ("exact", "outlines", "shapes")

    def __init__(self) -> None:
        self.exact: _Recent[bytes] = _Recent(_EXACT_ENTRIES)
        self.outlines: _Recent[bytes] = _Recent(_SHAPE_ENTRIES)
        self.shapes: _Recent[str] = _Recent(_SHAPE_ENTRIES)
