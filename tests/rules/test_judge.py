"""What is kept at hand is what would be decided anew; nothing of one statement is shown with another."""

from __future__ import annotations

import time
from typing import Literal

import pglast.parser
import pytest
from attrs import Factory, define, evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from rules.catalog import Catalog
from rules.judge import Judge, may_prepare
from rules.masking import MaskFinding
from rules.masking.values import COMPARABLE, HINTS
from rules.model import Allow, Deny, Dialect, Effect, Hold, Identity, Judgement, Kind, Namespace, Statement
from rules.outline import outline
from rules.policy import Limit, Policy, Rule, When
from rules.reading import Reader
from tests.rules.statements import opaque, statement, statements

AGENT = Identity("agent", frozenset({"agents"}))
NAMESPACE = Namespace()


@define
class Classifier:
    """A classifier that counts its calls: SELECTs read, what else there is writes."""

    found: tuple[Statement, ...] | None = None
    calls: list[str] = Factory(list)
    fails: bool = False

    def __call__(self, text: str, namespace: Namespace, catalog: Catalog | None = None) -> tuple[Statement, ...]:
        self.calls.append(text)
        if self.fails:
            raise RecursionError
        if self.found is not None:
            return self.found
        if text.startswith("SELECT"):
            return (statement(text=text),)
        return (statement(Kind.DELETE, Effect.WRITE, text=text),)


def finding(action: Literal["hold", "deny"]) -> MaskFinding:
    return MaskFinding("predicate", action, "an oracle")


@frozen
class Masks:
    touches: bool = True
    findings: tuple[MaskFinding, ...] = ()
    literal: bool = False
    follows_names: bool = False
    exchange: bool = False

    @property
    def looks(self) -> bool:
        return self.touches or self.follows_names


@frozen
class MaskSet:
    masks: Masks = Masks()

    def examine(self, text: str, found: tuple[Statement, ...], namespace: Namespace) -> tuple[Masks, ...]:
        return (self.masks,) * len(found)

    def hinted(self, text: bytes) -> bool:
        return b"***" in text

    def unknown(self) -> Masks:
        return Masks()


def decode(text: bytes, _namespace: Namespace) -> str | None:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return None


def shape(text: str) -> str | None:
    try:
        found: str = pglast.parser.normalize(text)
    except pglast.parser.ParseError:
        return None
    return found


READS = Policy("reads", (Rule("reads", "allow", when=When(kinds=frozenset({Kind.SELECT}))),), "hold", "v1")


def judge_of(classifier: Classifier, policy: Policy = READS, masks: MaskSet | None = None) -> Judge:
    reader = Reader(decode, classifier, shape, outline)
    return Judge(Dialect.POSTGRES, policy, "shop", AGENT, Catalog(), masks, reader=reader)  # type: ignore[arg-type]


def test_a_shape_is_classified_once() -> None:
    classifier = Classifier()
    judge = judge_of(classifier)
    for number in range(5):
        assert judge.judge(b"SELECT %d" % number, NAMESPACE).decision == Allow("reads")
    assert classifier.calls == ["SELECT 0"]


def test_a_judgement_found_by_shape_shows_no_value_of_another_statement() -> None:
    judge = judge_of(Classifier())
    judge.judge(b"SELECT 'secret'", NAMESPACE)
    later = judge.judge(b"SELECT 'mine'", NAMESPACE)
    assert later.statements[0].text == "SELECT $1"


def test_what_is_held_is_found_again_by_its_exact_bytes_alone() -> None:
    classifier = Classifier()
    judge = judge_of(classifier)
    for text in (b"DELETE FROM t WHERE a = 1", b"DELETE FROM t WHERE a = 2", b"DELETE FROM t WHERE a = 1"):
        assert judge.judge(text, NAMESPACE).statements[0].text == text.decode()
    assert len(classifier.calls) == 2


@pytest.mark.parametrize(
    "found",
    [
        statement(literal=True),
        statement(Kind.SELECT, Effect.SETTING),
        statement(Kind.SELECT, Effect.DYNAMIC_SQL),
        statement(Kind.SELECT, Effect.UNKNOWN),
        statement(Kind.SET, Effect.SETTING),
        statement(Kind.COPY),
        opaque(),
    ],
)
def test_a_decision_that_could_depend_on_a_literal_is_not_kept_by_shape(found: Statement) -> None:
    everything = Policy(
        "p", (Rule("o", "allow", when=When(kinds=frozenset({Kind.OPAQUE}))), Rule("e", "allow")), "allow"
    )
    classifier = Classifier((found,))
    judge = judge_of(classifier, everything)
    for number in range(3):
        judge.judge(b"SELECT %d" % number, NAMESPACE)
    assert len(classifier.calls) == 3


def test_a_batch_is_not_kept_by_shape() -> None:
    classifier = Classifier((evolve(statement(), batch=2), evolve(statement(), batch=2, index=1)))
    judge = judge_of(classifier)
    judge.judge(b"SELECT 1; SELECT 2", NAMESPACE)
    judge.judge(b"SELECT 3; SELECT 4", NAMESPACE)
    assert len(classifier.calls) == 2


def test_another_namespace_is_another_judgement() -> None:
    classifier = Classifier()
    judge = judge_of(classifier)
    judge.judge(b"SELECT 1", NAMESPACE)
    judge.judge(b"SELECT 1", evolve(NAMESPACE, search_path=("evil",)))
    assert len(classifier.calls) == 2
    judge.judge(b"SELECT 1", Namespace())
    assert len(classifier.calls) == 2, "an equal namespace is the same"


def test_a_namespace_that_took_the_place_of_another_in_memory_is_not_taken_for_it() -> None:
    classifier = Classifier()
    judge = judge_of(classifier)
    for number in range(200):
        judge.judge(b"SELECT 1", Namespace(search_path=(f"s{number}",)))
    assert len(classifier.calls) == 200


def test_the_caches_are_bounded_for_any_client() -> None:
    judge = judge_of(Classifier())
    for number in range(3000):
        judge.judge(b"DELETE FROM t WHERE a = %d" % number, Namespace(search_path=(f"s{number % 50}",)))
        judge.judge(b"DELETE FROM t%d" % number, NAMESPACE)
    kept = sum(len(caches.exact) + len(caches.shapes) for caches in judge._caches.values())
    assert kept <= 32 * 2 * (2048 + 1024)
    assert len(judge._caches) <= 32
    assert len(judge._by_identity) <= 64 * 32


def test_many_bytes_are_not_kept() -> None:
    judge = judge_of(Classifier())
    for number in range(2000):
        judge.judge(b"DELETE FROM t -- %d %s" % (number, b"x" * 10_000), NAMESPACE)
        judge.judge(b"DELETE FROM t -- %d %s" % (number, b"x" * 20_000), NAMESPACE)
    (caches,) = judge._caches.values()
    assert sum(map(len, [*caches.exact._young, *caches.exact._old])) < 5 * 1024 * 1024


def test_a_classifier_that_fails_holds_the_statement() -> None:
    judgement = judge_of(Classifier(fails=True)).judge(b"SELECT 1", NAMESPACE)
    assert isinstance(judgement.decision, Hold)
    assert judgement.statements[0].opaque == "judging it failed (RecursionError)"


def test_bytes_that_are_no_text_are_opaque() -> None:
    judgement = judge_of(Classifier()).judge(b"SELECT '\xff'", NAMESPACE)
    assert isinstance(judgement.decision, Hold)
    assert judgement.statements[0].opaque is not None


def test_nothing_is_allowed_and_does_nothing() -> None:
    assert judge_of(Classifier(())).judge(b"  ", NAMESPACE).decision == Allow("empty")


@given(st.lists(statements, max_size=3).map(tuple), st.binary(max_size=20))
def test_judging_again_from_what_was_kept_decides_the_same(found: tuple[Statement, ...], text: bytes) -> None:
    judge = judge_of(Classifier(found))
    first = judge.judge(text, NAMESPACE)
    second = judge.judge(text, NAMESPACE)
    assert (second.decision, second.decisions) == (first.decision, first.decisions)
    assert [evolve(each, text="") for each in second.statements] == [evolve(each, text="") for each in first.statements]
    assert judge.again(first, NAMESPACE).decision == first.decision


@given(st.binary(max_size=40))
def test_any_bytes_get_a_judgement(text: bytes) -> None:
    assert isinstance(judge_of(Classifier()).judge(text, NAMESPACE), Judgement)


def test_a_changed_policy_decides_again_without_reading_again() -> None:
    classifier = Classifier()
    before = judge_of(classifier).judge(b"SELECT 1", NAMESPACE)
    after = judge_of(classifier, Policy("none", (), "deny", "v2")).again(before, NAMESPACE)
    assert isinstance(after.decision, Deny)
    assert after.policy_version == "v2"
    assert len(classifier.calls) == 1


# -- clock, estimates, limits


def test_a_rule_with_hours_is_decided_by_the_hour_it_is() -> None:
    policy = Policy("p", (Rule("day", "allow", when=When(hours=(540, 1020))),), "hold")
    judge = judge_of(Classifier(), policy)
    assert judge.needs_clock
    decided = [
        type(judge.judge(b"SELECT 1", NAMESPACE, minute).decision) for minute in (539, 540, 541, 1020, None, 540)
    ]
    assert decided == [Hold, Allow, Allow, Hold, Hold, Allow]


def test_deciding_again_at_another_hour_leaves_the_kept_ones_right() -> None:
    policy = Policy("p", (Rule("day", "allow", when=When(hours=(540, 1020))),), "hold")
    judge = judge_of(Classifier(), policy)
    by_day = judge.judge(b"SELECT 1", NAMESPACE, 600)
    assert isinstance(judge.again(by_day, NAMESPACE, 0).decision, Hold)
    assert isinstance(judge.again(by_day, NAMESPACE).decision, Hold), "no clock"
    assert isinstance(judge.judge(b"SELECT 1", NAMESPACE, 0).decision, Hold)
    assert isinstance(judge.judge(b"SELECT 1", NAMESPACE, 600).decision, Allow)


def test_an_estimate_is_asked_and_not_kept() -> None:
    policy = Policy("p", (Rule("many", "hold", when=When(estimated_rows_over=10)),), "allow")
    judge = judge_of(Classifier(), policy)
    first = judge.judge(b"SELECT 1", NAMESPACE)
    assert first.wants_estimate
    assert isinstance(first.decision, Hold)
    assert isinstance(judge.judge(b"SELECT 1", NAMESPACE, None, 5).decision, Allow)
    assert isinstance(judge.judge(b"SELECT 1", NAMESPACE).decision, Hold)


def test_the_limits_of_the_rules_that_let_a_text_through() -> None:
    limit = Limit(statements=3)
    policy = Policy("p", (Rule("reads", "allow", when=When(kinds=frozenset({Kind.SELECT})), limit=limit),), "allow")
    judge = judge_of(Classifier(), policy)
    assert judge.limits(judge.judge(b"SELECT 1", NAMESPACE)) == (("reads", limit),)
    assert judge.limits(judge.judge(b"DELETE FROM t", NAMESPACE)) == ()


# -- masks


def test_what_masking_finds_is_decided_with_the_rest() -> None:
    held = judge_of(Classifier(), masks=MaskSet(Masks(findings=(finding("hold"),)))).judge(b"SELECT 1", NAMESPACE)
    assert held.decision == Hold("mask", ("an oracle",), COMPARABLE)
    denied = judge_of(Classifier(), masks=MaskSet(Masks(findings=(finding("hold"), finding("deny"))))).judge(
        b"SELECT 1", NAMESPACE
    )
    assert denied.decision == Deny("mask", ("an oracle",), COMPARABLE)


def test_a_finding_does_not_soften_what_the_policy_decided() -> None:
    policy = Policy("none", (), "deny")
    found = judge_of(Classifier(), policy, MaskSet(Masks(findings=(finding("hold"),)))).judge(b"SELECT 1", NAMESPACE)
    assert found.decision.rule == "default"


def test_a_hint_speaks_of_equality_only_where_the_policy_lets_it_pass() -> None:
    strict = evolve(READS, predicates="hold")
    held = judge_of(Classifier(), strict, MaskSet(Masks(findings=(finding("hold"),)))).judge(b"SELECT 1", NAMESPACE)
    assert held.decision == Hold("mask", ("an oracle",), HINTS["predicate"])


def test_masks_are_left_out_where_nothing_masked_may_appear() -> None:
    assert judge_of(Classifier(), masks=MaskSet(Masks(touches=False))).judge(b"SELECT 1", NAMESPACE).masks is None
    assert judge_of(Classifier(), masks=MaskSet(Masks())).judge(b"SELECT 1", NAMESPACE).masks == (Masks(),)


def test_masks_that_looked_at_a_literal_are_not_kept_by_shape() -> None:
    classifier = Classifier()
    judge = judge_of(classifier, masks=MaskSet(Masks(literal=True)))
    judge.judge(b"SELECT 1", NAMESPACE)
    judge.judge(b"SELECT 2", NAMESPACE)
    assert len(classifier.calls) == 2


def test_a_failure_under_masks_masks_everything() -> None:
    found = judge_of(
        Classifier(fails=True), Policy("p", (Rule("o", "allow", when=When(kinds=frozenset({Kind.OPAQUE}))),)), MaskSet()
    )
    assert found.judge(b"SELECT 1", NAMESPACE).masks == (Masks(),)


# -- preparing


def test_what_is_held_may_be_prepared_and_what_is_opaque_or_denied_may_not() -> None:
    judge = judge_of(Classifier())
    assert may_prepare(judge.judge(b"DELETE FROM t", NAMESPACE))
    assert not may_prepare(judge_of(Classifier((opaque(),))).judge(b"?", NAMESPACE))
    assert not may_prepare(judge_of(Classifier(), Policy("none", (), "deny")).judge(b"DELETE FROM t", NAMESPACE))


def test_a_repeated_shape_costs_microseconds() -> None:
    judge = judge_of(Classifier())
    texts = [b"SELECT abalance FROM pgbench_accounts WHERE aid = %d;" % number for number in range(1000)]
    judge.judge(texts[0], NAMESPACE)
    best = min(_seconds(judge, texts) for _ in range(5)) / len(texts)
    assert best < 30e-6, "five times the mark: a slow machine must not fail, a lost cache must"


def _seconds(judge: Judge, texts: list[bytes]) -> float:
    started = time.thread_time()
    for text in texts:
        judge.judge(text, NAMESPACE)
    return time.thread_time() - started
