"""From what a statement's columns can reveal to what happens to each field of its rows, for MySQL and MariaDB.

The server's word on where a column comes from is heard against the client alone: it names the alias of a derived table where a
table should stand, and the alias of a column, so that a client can make any masked column look like one that is not.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve, field, frozen

from rules.masking.maskers import FieldMasker
from rules.masking.mysql.charsets import CHARSETS, WIDE
from rules.masking.mysql.diagnostics import Told, warnings_plan
from rules.masking.mysql.exchange import ECHOES
from rules.masking.mysql.follow import VARIABLES, MySqlWorld
from rules.masking.mysql.loading import LoadCheck, Loading
from rules.masking.mysql.maskers import MySqlMaskers, in_codec
from rules.masking.mysql.names import folded, is_word
from rules.masking.mysql.scope import member
from rules.masking.mysql.types import Facts
from rules.masking.plan import Planner, ResultMasks, RowPlan
from rules.masking.pseudonyms import token_in
from rules.masking.values import CLEAN, Columns, Value
from rules.masking.writeback import MaskForms
from rules.model import Column

_TEXT_TYPES = frozenset({15, 249, 250, 251, 252, 253, 254})  # VARCHAR, the BLOBs, VAR_STRING, STRING


@define
class MySqlPlanner(Planner):
    """Turns values into field maskers, for one set of marks."""

    # the base names Postgres's classes; what is used of them is the same
    world: MySqlWorld  # type: ignore[assignment]
    maskers: MySqlMaskers  # type: ignore[assignment]
    forms: MaskForms = field(factory=MaskForms)  # what a value looks like that was read masked

    def mask(self, value: Value, column: Column) -> FieldMasker | None:
        marks = {origin.mark for origin in value.origins if origin.mark is not None}
        if not marks:
            return None
        facts = Facts(
            column.type_oid, column.flags, column.charset, column.length, column.decimals, self._declared(value)
        )
        if value.plain and len(marks) == 1:
            (mark,) = marks
            found = self.maskers.field(mark, facts, column.binary)
        else:
            found = self.maskers.derived(facts, column.binary)
        return in_codec(found, column.codec) if column.codec else found

    def _declared(self, value: Value) -> str:
        """The type of the stored columns that are shown as they are; on the wire some are strings."""
        found = {self.world.type_of(origin) or "" for origin in value.origins} if value.plain else set()
        return found.pop() if len(found) == 1 else ""

    def stored(self, column: Column) -> Value | None:
        """What the stored column holds that the server names as the origin, if it is one that is known."""
        if column.origin is None:
            return None
        schema, table, name = column.origin
        found = [member(self.world.columns(each), name) for each in self.world.named(schema, table)]
        known = [each for each in found if each is not None]
        return known[0] if len(known) == 1 else None


@frozen
class MySqlResultMasks(ResultMasks):
    """What the results of one statement of MySQL may carry."""

    harmless: frozenset[str] = frozenset()  # columns of the server's own that show none of what the rest may show
    warnings: bool = False  # SHOW WARNINGS, SHOW ERRORS
    several: bool = False  # it may give any number of results
    results: tuple[Columns, ...] = ()  # of a procedure whose body was followed: its results one by one
    told: frozenset[int] = (
        frozenset()
    )  # parameters, from 0, that a masked text is compared with: a number asks for its digits
    writes: bool = False  # its parameters go into columns
    loads: Loading | None = None  # LOAD DATA LOCAL: what its file holds
    places: int = 0  # parameters of the statement: a bulk execution brings several rows of them
    handed: str | None = None  # what is said against pseudonyms among its parameters, which go where none is translated
    echoes: bool = False  # code of the database may run, and read what was sent

    @property
    def keeps(self) -> bool:
        """Whether it may put masked values where no mask covers them, if people let it run."""
        return any(finding.kind in ("laundering", "source", "unfollowed") for finding in self.findings)

    @property
    def _planner(self) -> MySqlPlanner:
        assert isinstance(self.planner, MySqlPlanner)
        return self.planner

    def plan(self, columns: Sequence[Column], told: Told | None = None) -> RowPlan | None:
        """What to do with each field of a row described so; None: nothing. `told` hears what SHOW WARNINGS loses.

        Where the description is another than what was followed, nothing is known of any column.
        """
        if self.warnings and len(columns) == 3:
            wide = CHARSETS.get(columns[2].charset)
            codecs = ("", columns[1].codec, wide.codec if wide is not None and wide.codec in WIDE.values() else "")
            found = warnings_plan(columns[0].binary, told=told)
            return tuple(
                in_codec(masker, codec) if masker is not None and codec else masker
                for masker, codec in zip(found, codecs, strict=True)
            )
        values = [self._with_origin(value, column) for value, column in zip(self._told(columns), columns, strict=True)]
        found = tuple(self._planner.mask(value, column) for value, column in zip(values, columns, strict=True))
        return found if any(found) else None

    def agrees(self, columns: Sequence[Column]) -> bool:
        """Whether the server describes the columns that were followed."""
        named = self.columns.named
        if self.columns.rest is not None:
            return True
        return len(named) == len(columns) and all(
            name is None or not (is_word(name) and is_word(column.name)) or folded(name) == folded(column.name)
            for (name, _), column in zip(named, columns, strict=True)
        )

    def at(self, position: int) -> MySqlResultMasks | None:
        """Of one result of several; None where it was not foreseen."""
        return evolve(self, columns=self.results[position]) if position < len(self.results) else None

    def against(self, values: Sequence[bytes | None], types: Sequence[int]) -> str | None:
        forms = self._planner.forms
        for index, (value, kind) in enumerate(zip(values, types, strict=False)):
            if value is None:
                continue
            at = index % self.places if self.places else index
            if at in self.told and kind & 0xFF not in _TEXT_TYPES:
                return f"parameter {at + 1} is a number, and would ask for the leading digits of a masked text"
            text = value.decode("utf-8", "replace")
            why = forms.why(text, forms.hashes) if self.writes else None
            if why is not None:
                return f"{why}, bound as parameter {at + 1}, would be written into a table"
            if self.handed is not None and token_in(text):
                return self.handed
            if self.echoes and at + 1 in self.exchange.parameters and token_in(text):
                return f"parameter {at + 1} is {ECHOES}"
        return None

    def load_check(self, loading: Loading) -> LoadCheck:
        """What is looked for in the fields of a file."""
        return LoadCheck(self._planner.forms, loading)

    def against_variables(self) -> str | None:
        if self.exchange.parameters:
            return VARIABLES
        if not self.told:
            return None
        return "a variable may hold a number, which would ask for the leading digits of a masked text"

    def unknown_origins(self, columns: Sequence[Column]) -> bool:
        return not self.agrees(columns)

    def _told(self, columns: Sequence[Column]) -> list[Value]:
        if not self.agrees(columns):
            return [self._planner.world.marks.everything] * len(columns)
        if self.columns.rest is None:
            return [value for _, value in self.columns.named]
        everything = self.columns.everything()
        return [CLEAN if folded(column.name) in self.harmless else everything for column in columns]

    def _with_origin(self, value: Value, column: Column) -> Value:
        origin = None if self.harmless else self._planner.stored(column)
        if origin is None or origin.masked <= value.masked:
            return value
        return Value(value.origins | origin.origins)
