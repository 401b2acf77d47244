"""What a name can mean at one place of a query of MySQL: tables in FROM, common table expressions, aliases of the select list.

An alias of the select list is a name too: in GROUP BY, HAVING and ORDER BY of its own query, and in subqueries of it. Where
both a column and an alias could be meant, both count.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen

from rules.masking.mysql.names import akin, alike, folded, is_word, same
from rules.masking.values import Columns, Unsure, Value, merge, union


class NoColumn(Unsure):
    """No level has a column of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"column {name}")
        self.name = name


@frozen
class Item:
    """What can stand before a dot."""

    alias: str
    columns: Columns
    schema: str | None = None  # the database of a stored table, which may stand in front of its alias as well
    star: Columns | None = None  # what `alias.*` stands for, where that is not all of it

    def of(self, schema: str | None) -> bool:
        return schema is None or self.schema is None or self.schema.casefold() == schema.casefold()

    def shown(self, *, star: bool) -> Columns:
        return self.star if star and self.star is not None else self.columns


@frozen
class Source:
    """What a table reference brings: names to qualify with, what bare names see, and what `*` stands for."""

    items: tuple[Item, ...]
    columns: Columns
    star: Columns
    loose: bool = False  # columns that a later join merges would stand elsewhere than `star` has them

    @classmethod
    def plain(cls, items: tuple[Item, ...], columns: Columns) -> Source:
        return cls(items, columns, columns)


@define
class Scope:
    """One query level. Names not found here are looked for in `outer`."""

    outer: Scope | None = None
    items: list[Item] = field(factory=list)
    sources: list[Columns] = field(factory=list)
    stars: list[Columns] = field(factory=list)
    ctes: dict[str, Callable[[], Columns]] = field(factory=dict)
    outputs: Columns | None = None  # the select list, as far as it has been followed
    tail: bool = False  # in GROUP BY, HAVING and ORDER BY aliases are names
    windows: Value | None = None  # what the named windows of this query depend on
    parameters: Value | None = None  # inside a routine: bare names may be arguments and variables

    def add(self, source: Source) -> None:
        self.items.extend(source.items)
        self.sources.append(source.columns)
        self.stars.append(source.star)

    def star(self) -> Columns:
        return joined(self.stars)

    def cte(self, name: str) -> tuple[list[Columns], bool]:
        """The common table expressions that the name may mean, and whether one of them has its very letters: else it may be none.

        MariaDB takes the nearest whatever its case, MySQL the nearest with these letters.
        """
        scope: Scope | None = self
        near: list[Callable[[], Columns]] = []
        while scope is not None:
            exact = scope.ctes.get(name)
            near += [found for other, found in scope.ctes.items() if other == name or akin(other, name)]
            if exact is not None:
                break
            scope = scope.outer
        return [columns() for columns in near], scope is not None

    def column(self, name: str) -> Value:
        """A bare name. Raises Unsure where no level knows it."""
        maybe: list[Value] = []
        scope: Scope | None = self
        while scope is not None:
            exact, rest = find(scope.sources, name)
            maybe += rest
            if scope.outputs is not None and (scope.tail or scope is not self):
                alias, others = find([scope.outputs], name)
                maybe += others
                if alias is not None and exact is None and scope is self:
                    exact = alias
                elif alias is not None:
                    maybe.append(alias)
            if exact is not None:
                return either(exact, maybe)
            scope = scope.outer
        scope = self
        while scope is not None:
            if scope.parameters is not None:
                return either(scope.parameters, maybe)
            scope = scope.outer
        if maybe:
            return maybe[0] if len(maybe) == 1 else union(maybe)
        raise NoColumn(name)

    def tables(self, alias: str, schema: str | None, *, star: bool = False) -> list[Columns]:
        """What can stand behind `alias.` or `schema.alias.`. Raises Unsure where nothing does.

        The nearest level that has it; and where only its case is another there, the nearest that has its very letters too.
        """
        scope: Scope | None = self
        near: list[Columns] = []
        while scope is not None:
            found = [item for item in scope.items if akin(item.alias, alias) and item.of(schema)]
            exact = [item for item in found if item.alias == alias]
            if exact:
                return near + [item.shown(star=star) for item in exact]
            near = near or [item.shown(star=star) for item in found]
            scope = scope.outer
        if not near:
            raise Unsure(f"table {alias}")
        return near


def joined(several: list[Columns]) -> Columns:
    rests = [columns.rest for columns in several if columns.rest is not None]
    named = tuple(pair for columns in several for pair in columns.named)
    if rests:  # what comes behind them stands at unknown places
        return Columns(named, union([*rests, *(value for _, value in named)]))
    return Columns(named)


def one_of(several: list[Columns]) -> Columns:
    """What is one of these, and it is not known which."""
    first = several[0]
    names = [name for name, _ in first.named]
    if any(each.rest is not None or [name for name, _ in each.named] != names for each in several):
        return first if len(several) == 1 else Columns((), union([each.everything() for each in several]))
    pairs = zip(*(each.named for each in several), strict=True)
    return Columns(tuple((found[0][0], either(found[0][1], [value for _, value in found[1:]])) for found in pairs))


def find(sources: list[Columns], name: str) -> tuple[Value | None, list[Value]]:
    """The column of that name, and what may be it as well: columns of unknown names, or of names of other letters."""
    exact: Value | None = None
    maybe: list[Value] = []
    word = is_word(name)
    for columns in sources:
        for found, value in columns.named:
            if found is None:
                if not word:
                    maybe.append(value)
            elif same(found, name):
                exact = value if exact is None else merge(exact, value)
            elif alike(found, name):
                maybe.append(value)
        if columns.rest is not None:
            maybe.append(columns.rest)
    return exact, maybe


def either(sure: Value, maybe: list[Value]) -> Value:
    """`sure`, unless one of `maybe` is what the server takes."""
    others = [value for value in maybe if value.origins and value != sure]
    return sure if not others else union([sure, *others])


def member(columns: Columns, name: str) -> Value | None:
    exact, maybe = find([columns], name)
    if exact is not None:
        return either(exact, maybe)
    return union(maybe) if maybe else None


def position(columns: Columns, name: str) -> int | None:
    wanted = folded(name)
    return next(
        (at for at, (found, _) in enumerate(columns.named) if found is not None and folded(found) == wanted), None
    )


def members(several: list[Columns], name: str) -> Value | None:
    """That column of whichever of them is meant; None where none has it."""
    found = [member(columns, name) for columns in several]
    known = [value for value in found if value is not None]
    if not known:
        return None
    return known[0] if len(known) == 1 else union(known)
