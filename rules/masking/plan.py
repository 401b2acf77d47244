"""From what a statement's columns can reveal to what happens to each field of its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from attrs import define, evolve, field, frozen

from rules.masking import documents
from rules.masking.copying import CopyShape, Incoming
from rules.masking.exchange import NOTHING, Exchange
from rules.masking.follow import World
from rules.masking.inheriting import Move
from rules.masking.maskers import Maskers
from rules.masking.plans import PlanFormat, without_expressions
from rules.masking.values import Columns, MaskFinding, Value
from rules.model import Column

RowPlan = tuple[Callable[[bytes | None], bytes | None] | None, ...]


@frozen
class OutputColumn:
    """Where one column of a result comes from and what it gets, for a reader."""

    name: str | None  # None: the columns from here on are not known one by one
    origins: tuple[str, ...]  # schema.table.column
    masked: tuple[str, ...]  # those of them that are masked
    treatment: str  # "as it is", a masker's name, "redact (derived)"


@define
class Planner:
    """Turns values into field maskers, for one set of marks."""

    world: World
    maskers: Maskers

    def masker(self, value: Value, type_oid: int, binary: bool) -> Callable[[bytes | None], bytes | None] | None:
        marks = {origin.mark for origin in value.origins if origin.mark is not None}
        if not marks:
            return None
        if value.plain and len(marks) == 1:
            (mark,) = marks
            return self.maskers.field(mark, type_oid, binary)
        if value.document is not None and documents.takes(type_oid):
            return documents.masker(value.document, type_oid, binary)
        return self.maskers.derived(type_oid, binary)

    def by_origin(self, column: Column) -> Value | None:
        """What the stored column holds that the server names as the origin; None when it names none."""
        if not column.table_oid or column.attribute <= 0:
            return None
        relation = self.world.catalog.by_oid.get(column.table_oid)
        if relation is None:
            return self.world.marks.everything
        for stored, (_, value) in zip(relation.columns, self.world.columns(relation).named, strict=True):
            if stored.attribute == column.attribute:
                return value
        return self.world.marks.everything


@frozen
class ResultMasks:
    """What one statement's results may carry, and what was found in it. Made before it runs; plans come per description."""

    planner: Planner = field(repr=False)
    columns: Columns
    findings: tuple[MaskFinding, ...] = ()
    touches: bool = False  # a masked column may be involved at all
    literal: bool = False  # a constant's value was looked at: not to be cached by shape
    follows_names: bool = False  # FETCH, EXECUTE: take the masks of the statement behind the name instead
    unknown: tuple[str, ...] = ()  # relations that the catalog does not have: a newer one may know them
    copy: CopyShape | None = None  # of COPY … TO STDOUT
    exchange: Exchange = NOTHING  # what is sent in the place of pseudonyms
    moves: tuple[Move, ...] = ()  # masked values that it writes into other columns
    incoming: Incoming | None = None  # of COPY … FROM STDIN
    explained: PlanFormat | None = None  # of a plan of which only the expressions can show something

    def plan(self, columns: Sequence[Column]) -> RowPlan | None:
        """What to do with each field of a row described so; None: nothing.

        Raises ValueError when the statement has another number of columns than the description.
        """
        if self.explained is not None and len(columns) == 1:
            return (without_expressions(self.explained),)
        found = tuple(
            self.planner.masker(value, column.type_oid, column.binary)
            for column, value in zip(columns, self._values(columns), strict=True)
        )
        return found if any(found) else None

    @property
    def looks(self) -> bool:
        """Whether what the server sends is looked at: not where only the way to the server is changed."""
        return self.touches or self.follows_names or self.incoming is not None

    def against(self, _values: Sequence[bytes | None], _types: Sequence[int]) -> str | None:
        """What is said against these values of parameters, beside what they stand for. Postgres types them by the statement."""
        return None

    def against_variables(self) -> str | None:
        """What is said against variables in the place of parameters, of whose values nothing is known."""
        return None

    def unknown_origins(self, columns: Sequence[Column]) -> bool:
        """Whether the server named a table or column that the catalog does not have: time for a newer catalog."""
        world = self.planner.world
        for column in columns:
            if column.table_oid and column.attribute > 0:
                relation = world.catalog.by_oid.get(column.table_oid)
                if relation is None or all(each.attribute != column.attribute for each in relation.columns):
                    return True
        return False

    def _values(self, columns: Sequence[Column]) -> list[Value]:
        lineage = self._lineage(len(columns))
        origins = [self.planner.by_origin(column) for column in columns]
        return [known if origin is None else origin for origin, known in zip(origins, lineage, strict=True)]

    def _lineage(self, count: int) -> list[Value]:
        if self.columns.rest is not None:
            return [self.columns.everything()] * count
        if not self.columns.named:  # rows of a statement that was not seen to send any: a rule of the server's
            return [self.planner.world.marks.everything] * count
        if len(self.columns.named) != count:
            raise ValueError(f"a row of {count} columns for a statement of {len(self.columns.named)}")
        return [value for _, value in self.columns.named]

    def copy_plan(self, style: Literal["text", "csv", "binary"], column_count: int) -> RowPlan | None:
        """The same for COPY … TO STDOUT, which describes no types: what has none that is known becomes NULL.

        Raises ValueError on another number of columns.
        """
        found = tuple(
            self.planner.masker(value, value.type_oid, style == "binary") for value in self._lineage(column_count)
        )
        return found if any(found) else None

    def outputs(self) -> tuple[OutputColumn, ...]:
        if self.columns.rest is not None:
            return (self._output(None, self.columns.everything()),)
        return tuple(
            self._output(name or f"column {place}", value) for place, (name, value) in enumerate(self.columns.named, 1)
        )

    def _output(self, name: str | None, value: Value) -> OutputColumn:
        masked = sorted(str(origin) for origin in value.masked if origin.schema != "?")
        marks = {origin.mark for origin in value.masked}
        if not marks:
            treatment = "as it is"
        elif self.explained is not None:
            treatment = "without expressions"
        elif value.plain and len(marks) == 1:
            (mark,) = marks
            assert mark is not None
            treatment = mark.masker if mark.argument is None else f"{mark.masker} ({mark.argument})"
        else:
            treatment = "redact (derived)" if value.document is None else "redact (masked keys)"
        origins = sorted(str(origin) for origin in value.origins if origin.schema != "?")
        return OutputColumn(name, tuple(origins), tuple(masked), treatment)

    def without_findings(self) -> ResultMasks:
        return evolve(self, findings=())
