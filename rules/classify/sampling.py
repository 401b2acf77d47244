"""Conditions over numbers, tried out: is one true whatever its columns hold?

`id = id + 0`, `id * 0 = 0`, `id > 5 OR id < 7` exclude no row, and no table of rewritings finds them all. Both dialects turn a
WHERE into the few operations here; what they have no operation for is not known, and something unknown makes a condition true
only where it would be true without it. Columns take the constants of the condition, their neighbours, and some numbers that nobody
writes; the first combination that fails is the end, and for most conditions that is the first.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Sequence
from itertools import islice, product
from typing import Final

from attrs import frozen

Number = int | float
MAX_COLUMNS: Final = 3
MAX_CONSTANTS: Final = 12
MAX_TERMS: Final = 120
_TRIES: Final = 400
_LARGEST: Final = 10**9  # constants beyond are not neighbours of anything
_UNLIKELY: Final = (1000003, -1000033, 0, 1, -1)


@frozen
class Column:
    key: Hashable


@frozen
class Operation:
    """`+ - *`, comparisons, `and or not`."""

    name: str
    operands: tuple[Term, ...]


Term = Column | Number | Operation | None  # None: not known

_ARITHMETIC: Final[dict[str, Callable[[Number, Number], Number]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul,
}  # fmt: skip
_COMPARISONS: Final[dict[str, Callable[[Number, Number], bool]]] = {
    "=": operator.eq, "<>": operator.ne, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
SYMBOLS: Final = frozenset({*_ARITHMETIC, *_COMPARISONS})


def always(term: Term) -> bool:
    """Whether it was true for everything that was tried. False for what has no column, or too many parts."""
    columns, constants = _parts(term)
    if not columns or len(columns) > MAX_COLUMNS or len(constants) > MAX_CONSTANTS:
        return False
    near = {found + step for found in constants if abs(found) < _LARGEST for step in (0, 1, -1)}
    values = [*_UNLIKELY, *sorted(near), *sorted(-found for found in near)]
    keys = sorted(columns, key=repr)
    tried = islice(product(values, repeat=len(keys)), _TRIES)
    return all(_value(term, dict(zip(keys, each, strict=True))) is True for each in tried)


def restless(term: Term) -> Hashable | None:
    """The column whose values change from each try of `always` to the next; None: there is no column."""
    columns, _ = _parts(term)
    return max(columns, key=repr, default=None)


def hangs_on_constants(term: Term) -> bool:
    """Whether other constants could make another answer of it, beyond comparing a column with one."""
    pending = [term]
    while pending:
        found = pending.pop()
        if isinstance(found, Operation):
            if found.name in _ARITHMETIC and _parts(found)[1]:
                return True
            pending.extend(found.operands)
    return False


def _parts(term: Term) -> tuple[set[Hashable], set[Number]]:
    columns: set[Hashable] = set()
    constants: set[Number] = set()
    pending: list[Term] = [term]
    count = 0
    while pending:
        found = pending.pop()
        count += 1
        if count > MAX_TERMS:
            return set(), set()
        if isinstance(found, Column):
            columns.add(found.key)
        elif isinstance(found, Operation):
            pending.extend(found.operands)
        elif found is not None and not isinstance(found, bool):
            constants.add(found)
    return columns, constants


def _value(term: Term, row: dict[Hashable, Number]) -> Number | bool | None:
    """Of numbers and truths; None: not known. Depth is bounded by MAX_TERMS."""
    if isinstance(term, Column):
        return row[term.key]
    if not isinstance(term, Operation):
        return term
    values = [_value(each, row) for each in term.operands]
    if term.name in ("and", "or", "not"):
        return _joined(term.name, values)
    if None in values or len(values) != 2:
        return None
    one, other = values
    assert one is not None
    assert other is not None
    if term.name in _ARITHMETIC:
        return _ARITHMETIC[term.name](one, other)
    return _COMPARISONS[term.name](one, other)


def _joined(name: str, values: Sequence[Number | bool | None]) -> bool | None:
    truths = [None if value is None else bool(value) for value in values]
    if name == "not":
        return None if truths[0] is None else not truths[0]
    decisive = name == "or"
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive
