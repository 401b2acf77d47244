"""What is known about one value of a statement: which columns it can reveal, and whether it is one of them unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from attrs import evolve, frozen

from rules.masking.documents import Document


@frozen
class Mark:
    """That a column is masked, and how."""

    masker: str
    argument: str | None = None


@frozen(cache_hash=True)  # the same few are in the sets of many values
class Origin:
    """A column of a stored relation that a value can reveal. `mark` is None when nothing masks it."""

    schema: str
    relation: str
    column: str
    mark: Mark | None = None

    def __str__(self) -> str:
        return f"{self.schema}.{self.relation}.{self.column}"


@frozen
class Value:
    """One value of a query.

    `plain` says that it is the named column itself, unchanged: it takes that column's masker and may be compared for
    equality. `fields` are the parts of a row, where they are known.
    """

    origins: frozenset[Origin] = frozenset()
    plain: bool = False
    fields: tuple[tuple[str | None, Value], ...] | None = None
    type_oid: int = 0  # of a plain column; 0: not known
    constant: bool = False  # a constant or a parameter: the client itself brought it
    keyed: bool = False  # of a row: the server calls its fields by these names
    document: Document | None = None  # of JSON: which of its keys are masked

    @property
    def masked(self) -> frozenset[Origin]:
        origins = self.origins
        return frozenset(origin for origin in origins if origin.mark is not None) if origins else origins

    def unmasked(self) -> Value:
        """Something that tells of the masked columns no more than may be known."""
        return Value(frozenset(evolve(origin, mark=None) for origin in self.origins))

    def derived(self) -> Value:
        """The same knowledge about something computed from it."""
        return Value(self.origins)


CLEAN = Value()
CONSTANT = Value(constant=True)


def union(values: Iterable[Value]) -> Value:
    """Something computed from all of these."""
    found = frozenset[Origin]().union(*(value.origins for value in values))
    return Value(found) if found else CLEAN


def merge(left: Value, right: Value) -> Value:
    """Either of the two: the column of a set operation, of a merged join, of rows of VALUES."""
    if left == right and not left.constant:
        return left
    origins = left.origins | right.origins
    plain = left.plain and right.plain and len({origin.mark for origin in origins}) == 1
    type_oid = left.type_oid if left.type_oid == right.type_oid else 0
    fields = None
    if left.fields is not None and right.fields is not None and len(left.fields) == len(right.fields):
        fields = tuple(
            (name if name == other else None, merge(one, two))
            for (name, one), (other, two) in zip(left.fields, right.fields, strict=True)
        )
    return Value(origins, plain, fields, type_oid)  # of several constants: a list of guesses, and no constant


FindingKind = Literal["predicate", "derived", "laundering", "source", "unfollowed", "pseudonym", "writeback"]


# What to do instead, for the client.
COMPARABLE = (
    "A masked column may be compared by = and IN (…) with constants and parameters, not with rows of VALUES or of other tables;"
    " order and group by others."
)
HINTS: dict[FindingKind, str] = {
    "predicate": "Leave the masked column out of conditions, order and groups.",
    "derived": "Select the column itself: it comes back masked.",
    "laundering": "Leave the masked columns out of what is written. How their table is defined is for people to change.",
    "source": "Read the tables in the statement itself: their columns are masked there.",
    "unfollowed": "Write it as a plain query of the tables that it reads.",
    "pseudonym": "Compare the column with the pseudonym as it was shown: a constant or a parameter of its own.",
    "writeback": "Leave the column out, or take its value from where it is stored.",
}


@frozen
class MaskFinding:
    """Something about a statement that rewriting its rows cannot make safe."""

    kind: FindingKind
    action: Literal["hold", "deny"]
    reason: str
    rule: str = "mask"


class Unsure(Exception):
    """The statement cannot be followed here; the caller takes the cautious answer for all of it."""


NamedValue = tuple[str | None, Value]  # None: the name is not known, and may be any


@frozen
class Columns:
    """The columns of a query or a FROM item. `rest` is set when there may be more, of unknown name and number."""

    named: tuple[NamedValue, ...] = ()
    rest: Value | None = None

    def values(self) -> list[Value]:
        values = [value for _, value in self.named]
        return values if self.rest is None else [*values, self.rest]

    def everything(self) -> Value:
        return union(self.values())

    def unconditioned(self) -> Columns:
        """The same, none of which counts as a constant of the client."""
        named = tuple((name, evolve(value, constant=False) if value.constant else value) for name, value in self.named)
        return Columns(named, self.rest)

    def row(self) -> Value:
        """All of it as one value: a whole row."""
        return Value(self.everything().origins, fields=None if self.rest is not None else self.named)
