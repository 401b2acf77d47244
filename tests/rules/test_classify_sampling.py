from __future__ import annotations

import gc
import time

from hypothesis import given
from hypothesis import strategies as st

from rules.classify.postgres import classify
from rules.classify.sampling import Column, Operation, Term, always, hangs_on_constants
from rules.model import Namespace

A, B = Column("a"), Column("b")


def op(name: str, *operands: Term) -> Operation:
    return Operation(name, operands)


def test_what_holds_for_everything_that_is_tried_always_holds() -> None:
    assert always(op("=", A, op("+", A, 0)))
    assert always(op("or", op(">", A, 5), op("<", A, 7)))
    assert not always(op("or", op(">", A, 7), op("<", A, 5)))
    assert not always(op("<>", A, 5))
    assert not always(op("<>", A, B))
    assert not always(op("=", 1, 1)), "without a column it is another question"


def test_what_is_not_known_makes_nothing_true() -> None:
    assert not always(op("=", A, None))
    assert not always(op("or", op("=", A, 1), None))
    assert always(op("or", op("=", A, A), None))
    assert not always(op("and", op("=", A, A), None))
    assert not always(op("not", None))


terms = st.recursive(
    st.one_of(st.sampled_from([A, B, Column("c"), Column("d"), None]), st.integers(-5, 5), st.booleans()),
    lambda inner: st.one_of(
        st.builds(op, st.sampled_from("+ - * = <> < <= > >=".split()), inner, inner),  # noqa: SIM905
        st.builds(
            lambda name, many: op(name, *many), st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=4)
        ),
        st.builds(lambda x: op("not", x), inner),
    ),
    max_leaves=40,
)


@given(terms)
def test_it_answers_for_any_term_in_a_moment(term: Term) -> None:
    gc.disable()  # a collection of all that the tests keep takes longer
    try:
        started = time.thread_time()
        assert always(term) in (True, False)
        assert hangs_on_constants(term) in (True, False)
        took_s = time.thread_time() - started
    finally:
        gc.enable()
    assert took_s < 0.2


def test_a_condition_that_hangs_on_its_constants_is_not_kept_by_shape() -> None:
    """`id = id + 1` and `id = id + 0` are of one shape."""
    (one,) = classify("DELETE FROM t WHERE id = id + 1", Namespace())
    (other,) = classify("DELETE FROM t WHERE id = id + 0", Namespace())
    assert (one.trivial_where, other.trivial_where) == (False, True)
    assert one.literal
    assert other.literal
    (usual,) = classify("DELETE FROM t WHERE id = 7", Namespace())
    assert not usual.literal
