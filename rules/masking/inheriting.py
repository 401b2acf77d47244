"""Columns that hold what was written into them from masked ones, and so are masked as those are.

A write from a masked column into another is held. If people let it run, the new column inherits the mark: for each identity
that of its sources, so that whoever may see the source may see the copy. A source that is gone from the catalog (renamed,
dropped) masks with the mark it had, for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import frozen

from rules.masking.values import Mark, Origin, Value

EVERY_COLUMN = "*"  # of a relation whose columns were not known one by one
REDACT = Mark("redact")


@frozen
class Move:
    """A masked value that a statement writes into a column, where no mask covers it."""

    schema: str | None  # None: of a relation that is created where the search_path says
    relation: str
    column: str  # or EVERY_COLUMN
    sources: tuple[Origin, ...]  # masked columns
    plain: bool = False  # the column's own value, unchanged


def move(schema: str | None, relation: str, column: str | None, value: Value) -> Move:
    named = sorted((each for each in value.masked if each.schema != "?"), key=str)
    return Move(schema, relation, column or EVERY_COLUMN, tuple(named), value.plain)


def inherited(
    moves: Iterable[Move], mark_of: Callable[[Origin], tuple[bool, Mark | None]]
) -> dict[tuple[str, str, str], Mark]:
    """Marks by (schema, relation, column). `mark_of` gives whether a source is still known, and its mark for the identity."""
    found: dict[tuple[str, str, str], Mark] = {}
    for each in moves:
        if each.schema is None:
            continue
        marks = set()
        for source in each.sources:
            known, mark = mark_of(source)
            if not known:
                mark = source.mark or REDACT
            if mark is not None:
                marks.add(mark)
        if not each.sources:
            marks.add(REDACT)  # nobody knows what was written
        if marks:
            key = (each.schema, each.relation, each.column)
            one = marks.pop() if each.plain and len(marks) == 1 else REDACT
            found[key] = one if found.get(key, one) == one else REDACT
    return found
