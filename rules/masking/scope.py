"""What a name can mean at one place of a query: FROM items, common table expressions, and the queries around it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field, frozen

from rules.catalog import CatalogRelation
from rules.masking.values import CLEAN, Columns, NamedValue, Unsure, Value, merge, union

SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid"})


@frozen
class Item:
    """A FROM item that can be named: `alias.column`, or `alias` for its whole row."""

    alias: str
    columns: Columns
    schema: str | None = None  # of a table without an alias: it can also be named with its schema
    table: bool = False  # a table without an alias
    exact: bool = (
        False  # the server calls its columns by these names in a whole row, too: no alias names them otherwise
    )
    keyed: CatalogRelation | None = None  # the table that it is, if its primary key tells all of its rows apart


@frozen
class Source:
    """What a FROM item brings: names to qualify with, and the columns that `*` and bare names see."""

    items: tuple[Item, ...]
    columns: Columns

    def unconditioned(self) -> Source:
        """A side of a FULL JOIN, whose rows all come, sorted among those of the other side by the columns that are compared.

        So a constant there would say of every row of the other side whether its value is less.
        """
        items = tuple(evolve(item, columns=item.columns.unconditioned()) for item in self.items)
        return Source(items, self.columns.unconditioned())


@frozen
class Arguments:
    """What a routine is given whose body is followed."""

    every: Value  # what any of them can reveal
    each: tuple[NamedValue, ...] = ()  # in order, with their names; (): not known one by one
    routine: str | None = None  # its own name, with which they may be qualified

    def numbered(self, number: int) -> Value:
        return self.each[number - 1][1] if 0 < number <= len(self.each) else self.every

    def named(self, name: str) -> Value | None:
        """An argument, or all of them as the routine's own row."""
        for found, value in self.each:
            if found and found == name:
                return value
        return Value(self.every.origins, fields=self.each or None) if name == self.routine else None


@define
class Scope:
    """One query level. Names not found here are looked for in `outer`."""

    outer: Scope | None = None
    items: list[Item] = field(factory=list)
    sources: list[Columns] = field(factory=list)
    ctes: dict[str, Callable[[], Columns]] = field(factory=dict)
    outputs: Columns | None = None  # of the query itself: ORDER BY and GROUP BY may name them
    parameters: Arguments | None = None  # inside a routine: bare names may be arguments

    def add(self, source: Source) -> None:
        self.items.extend(source.items)
        self.sources.append(source.columns)

    def columns(self) -> Columns:
        """What `*` stands for."""
        rests = [columns.rest for columns in self.sources if columns.rest is not None]
        named = tuple(pair for columns in self.sources for pair in columns.named)
        return Columns(named, union(rests) if rests else None)

    def cte(self, name: str) -> Callable[[], Columns] | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.ctes:
                return scope.ctes[name]
            scope = scope.outer
        return None

    def column(self, name: str) -> Value:
        """A bare name: a column, else a whole row, else an argument of the routine. Raises Unsure."""
        maybe: list[Value] = []  # a FROM item of unknown columns may have it: then what the server takes is not known
        scope: Scope | None = self
        while scope is not None:
            exact, rest = find(scope.sources, name)
            maybe.extend(rest)
            if exact is not None:
                return either(exact, maybe)
            scope = scope.outer
        if (row := self.row(name)) is not None:
            return either(row, maybe)
        if name in SYSTEM_COLUMNS:
            return either(CLEAN, maybe)
        if (argument := self.parameter()) is not None:
            return either(argument, maybe)
        if maybe:
            return union(maybe)
        raise Unsure(f"column {name}")

    def arguments(self) -> Arguments | None:
        scope: Scope | None = self
        while scope is not None:
            if scope.parameters is not None:
                return scope.parameters
            scope = scope.outer
        return None

    def parameter(self, number: int = 0) -> Value | None:
        """Inside a routine: what its argument of that number can reveal, or any (0)."""
        arguments = self.arguments()
        return None if arguments is None else arguments.numbered(number)

    def item(self, alias: str, schema: str | None = None) -> Item | None:
        """The nearest FROM item of that name."""
        scope: Scope | None = self
        while scope is not None:
            found = [item for item in scope.items if item.alias == alias]
            if schema is not None:
                # written without a schema it is of whatever schema the path led to
                exact = [item for item in found if item.schema == schema]
                found = exact or [item for item in found if item.table and item.schema is None]
            if found:
                return found[0]
            scope = scope.outer
        return None

    def may_be_argument(self, alias: str) -> bool:
        """Whether a FROM item has the name of an argument of the routine as well, or the routine's own."""
        arguments = self.arguments()
        return arguments is not None and arguments.named(alias) is not None and self.item(alias) is not None

    def row(self, alias: str) -> Value | None:
        item = self.item(alias)
        if item is not None:
            row = item.columns.row()
            return evolve(row, keyed=True) if item.exact and row.fields is not None else row
        arguments = self.arguments()  # columns and tables come first
        return None if arguments is None else arguments.named(alias)


def find(sources: list[Columns], name: str) -> tuple[Value | None, list[Value]]:
    """The column of that name, and what columns of unknown names may be it instead."""
    exact: Value | None = None
    maybe: list[Value] = []
    for columns in sources:
        for found, value in columns.named:
            if found == name:
                exact = value if exact is None else merge(exact, value)
            elif found is None:
                maybe.append(value)
        if columns.rest is not None:
            maybe.append(columns.rest)
    return exact, maybe


def either(sure: Value, maybe: list[Value]) -> Value:
    """`sure`, unless one of `maybe` is what the server takes."""
    return sure if not any(value.origins for value in maybe) else union([sure, *maybe])


def member(columns: Columns, name: str) -> Value | None:
    """`item.name`; None when the item has no such column (then it is a function call in attribute notation)."""
    exact, maybe = find([columns], name)
    if exact is not None:
        return either(exact, maybe)
    if maybe:
        return union(maybe)
    return CLEAN if name in SYSTEM_COLUMNS else None
