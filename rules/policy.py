"""Ordered rules: the first that matches a statement decides it; the worst statement decides a batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeVar, assert_never

from attrs import Factory, evolve, field, frozen

from rules.conditions import Facts, When, applies_to, effect_words, matches, may_match
from rules.model import Allow, Decision, Deny, Effect, Hold, Identity, Kind, Statement, severity

__all__ = [
    "DEFAULT_RULE", "Facts", "Limit", "MaskRule", "Policy", "Rule", "When",
    "applicable", "decide", "decide_batch", "decides_by_estimate", "worst",
]  # fmt: skip

DEFAULT_RULE = "default"  # the name under which `Policy.default` appears in a decision
_KEPT = 1024
_Number = TypeVar("_Number", int, float)
Action = Literal["allow", "observe", "hold", "deny"]


@frozen
class Limit:
    """How much one identity may do under one rule in a window of time. None: not limited."""

    statements: int | None = None
    rows: int | None = None  # rows returned or changed
    bytes: int | None = None  # of results
    time_s: float | None = None  # the server's time between statement and completion
    window_s: float = 3600.0


@frozen
class Rule:
    name: str
    action: Action
    reason: str = ""
    hint: str = ""
    when: When = Factory(When)
    approvers: frozenset[str] = frozenset()
    quorum: int = 1
    wait_s: float | None = None
    expires_s: float | None = None
    maximum_rows: int | None = None
    limit: Limit | None = None  # of an allow or observe rule: above it, the statement is refused until the window ends

    @property
    def lets_through(self) -> bool:
        return self.action in ("allow", "observe")


@frozen
class Policy:
    name: str
    rules: tuple[Rule, ...]
    default: Literal["allow", "hold", "deny"] = "hold"
    version: str = ""
    derived: Literal["mask", "hold", "deny"] = "mask"  # what an expression over a masked column gets
    predicates: Literal["allow", "equality", "hold", "deny"] = "equality"  # what a condition over one gets
    read_only: bool = False  # nothing that it lets through writes: the upstream session is pinned read-only as well
    detect: tuple[str, ...] = ()  # what is looked for in the text of results: names of `rules.detection`
    _by_effects: dict[tuple[Kind, frozenset[Effect]], tuple[Rule, ...]] = field(
        factory=dict, init=False, eq=False, repr=False
    )

    def rules_about(self, statement: Statement) -> tuple[Rule, ...]:
        """The rules that may match it, in their order: found once for each kind with each set of effects."""
        if statement.opaque is not None or statement.kind is Kind.OPAQUE:
            return self.rules
        key = statement.kind, statement.effects
        found = self._by_effects.get(key)
        if found is None:
            found = tuple(rule for rule in self.rules if may_match(rule.when, *key, lets_through=rule.lets_through))
            if len(self._by_effects) < _KEPT:
                self._by_effects[key] = found
        return found

    @property
    def asks_clock(self) -> bool:
        return any(rule.when.asks_clock for rule in self.rules)

    @property
    def asks_estimate(self) -> bool:
        return any(rule.when.estimated_rows_over is not None for rule in self.rules)


@frozen
class MaskRule:
    """`[[mask]]`: which columns are rewritten, and for whom."""

    column: str  # glob over schema.table.column
    masker: str  # redact, null, last4, email, hash, …
    databases: tuple[str, ...] = ("*",)
    except_groups: frozenset[str] = frozenset()
    argument: str | None = None  # of maskers that take one: first-n, constant, bucket


def decide(policy: Policy, statement: Statement, facts: Facts) -> Decision:
    """The decision about one statement, what it carries inside included.

    What PREPARE, DECLARE and COPY carry is decided as well, and the worse of the two counts. A plain EXPLAIN does not
    run what it carries; EXPLAIN ANALYZE does, and is of the kind of what it runs.
    """
    own = _decide_own(policy, statement, facts)
    if statement.inner is None or (statement.kind is Kind.EXPLAIN and statement.opaque is None):
        return own
    return worst((own, decide(policy, statement.inner, facts)))


def decide_batch(policy: Policy, statements: tuple[Statement, ...], facts: Facts) -> tuple[Decision, ...]:
    """One decision for each statement; `worst` of them is the batch's. An empty text does nothing and is allowed."""
    facts = evolve(facts, batch=statements)
    return tuple(decide(policy, statement, facts) for statement in statements)


def worst(decisions: Iterable[Decision]) -> Decision:
    """The most severe one, the first of its kind. Nothing at all is allowed: there is nothing to run.

    Several holds become one that satisfies each of them. Otherwise a statement that needs two approvers would need one when
    it is sent behind a statement that needs one.
    """
    found: Decision | None = None
    holds: list[Hold] = []
    for decision in decisions:
        if isinstance(decision, Hold):
            holds.append(decision)
        if found is None or severity(decision) > severity(found):
            found = decision
    if found is None:
        return Allow("empty")
    return _together(holds) if isinstance(found, Hold) else found


def _together(holds: list[Hold]) -> Decision:
    first = holds[0]
    if all(hold == first for hold in holds):
        return first
    rules = ", ".join(dict.fromkeys(hold.rule for hold in holds))
    reasons = tuple(dict.fromkeys(reason for hold in holds for reason in hold.reasons))
    asked = [hold.approvers for hold in holds if hold.approvers]  # the others leave it to any approver
    approvers = frozenset.intersection(*asked) if asked else frozenset()
    if asked and not approvers:
        return Deny(rules, (*reasons, "its parts need different approvers"), "Send the statements one by one.")
    return Hold(
        rules,
        reasons,
        next((hold.hint for hold in holds if hold.hint), ""),
        approvers,
        max(hold.quorum for hold in holds),
        _least(hold.wait_s for hold in holds),
        _least(hold.expires_s for hold in holds),
        _least(hold.maximum_rows for hold in holds),
    )


def _least(values: Iterable[_Number | None]) -> _Number | None:
    return min((value for value in values if value is not None), default=None)


def applicable(policy: Policy, identity: Identity, database: str, masked: bool) -> Policy:
    """The policy without the rules that can never match in a session of this identity."""
    rules = tuple(rule for rule in policy.rules if applies_to(rule.when, identity, database, masked))
    return policy if len(rules) == len(policy.rules) else evolve(policy, rules=rules)


def decides_by_estimate(policy: Policy, statements: tuple[Statement, ...], facts: Facts) -> bool:
    """Whether the number of rows that the planner expects could change the decision: only then is it worth asking."""
    if not policy.asks_estimate:
        return False
    few = decide_batch(policy, statements, evolve(facts, estimated_rows=0))
    many = decide_batch(policy, statements, evolve(facts, estimated_rows=2**63))
    return few != many


def _decide_own(policy: Policy, statement: Statement, facts: Facts) -> Decision:
    for rule in policy.rules_about(statement):
        found = matches(rule.when, statement, facts, lets_through=rule.lets_through)
        if found is not None:
            return _decision(policy, rule, statement, found)
    return _default(policy, statement)


def _decision(policy: Policy, rule: Rule, statement: Statement, found: tuple[str, ...]) -> Decision:
    # the rule's own reason often says what was found: "it changes rows" needs no "changes rows" behind it
    reasons = (rule.reason, *(each for each in found if each not in rule.reason)) if rule.reason else found
    if not reasons and not rule.lets_through:
        reasons = effect_words(statement.effects - {Effect.READ}) or ("it is for every statement",)
    match rule.action:
        case "allow" | "observe":
            return Allow(rule.name, reasons, observe=rule.action == "observe", read_only=policy.read_only)
        case "hold":
            return Hold(
                rule.name,
                reasons,
                rule.hint,
                rule.approvers,
                rule.quorum,
                rule.wait_s,
                rule.expires_s,
                rule.maximum_rows,
            )
        case "deny":
            return Deny(rule.name, reasons, rule.hint)
        case _:
            assert_never(rule.action)


def _default(policy: Policy, statement: Statement) -> Decision:
    """No rule spoke. Even a default of "allow" holds what was not understood: that takes a rule that names it."""
    reasons: tuple[str, ...] = ("no rule lets it through", *effect_words(statement.effects - {Effect.READ}))
    if statement.opaque is not None or statement.kind is Kind.OPAQUE:
        reasons = (statement.opaque or "not understood", "no rule names what could not be understood")
    if policy.default == "deny":
        return Deny(
            DEFAULT_RULE,
            reasons,
            "This policy is for reading: SELECT, EXPLAIN and SHOW pass." if policy.read_only else "",
        )
    if policy.default == "hold" or statement.opaque is not None or statement.kind is Kind.OPAQUE:
        return Hold(DEFAULT_RULE, reasons)
    return Allow(DEFAULT_RULE, ("no rule stops it",), read_only=policy.read_only)
