"""What stored functions and procedures of MySQL can show beyond their arguments: what the tables show that their bodies name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from rules.catalog import Catalog, CatalogFunction, CatalogRelation, CatalogTrigger
from rules.classify.mysql.lexer import NAME, QUOTED, Lexing, Token, Unreadable, identifier, lex
from rules.masking.mysql.bodies import cut, without_targets, writes
from rules.masking.mysql.marks import MySqlMarks
from rules.masking.values import CLEAN, Columns, Unsure, Value, union
from rules.model import Namespace

if TYPE_CHECKING:
    from rules.masking.mysql.follow import MySqlWorld

_WORD = re.compile(r"[^\W\d][\w$]*|`((?:[^`]|``)+)`", re.UNICODE)
# A body that makes its statements of text, reads files, or asks the server about others.
DYNAMIC = re.compile(r"\b(?:prepare|execute|load_file|handler|diagnostics|resignal)\b", re.IGNORECASE)
_SYSTEM = re.compile(r"\b(?:information_schema|performance_schema|mysql|sys)\b|\bshow\b", re.IGNORECASE)


# What a body without any of these keeps, nobody can read later.
_KEEPING = frozenset(
    """
    insert update replace delete into call signal set create alter rename load import prepare execute immediate handler
    """.split()  # noqa: SIM905
)
_TEMPORARY = re.compile(
    r"\btemporary\s+table\s+(?:if\s+not\s+exists\s+)?(?:[`\w$]+\s*\.\s*)?(?:`((?:[^`]|``)+)`|([\w$]+))", re.IGNORECASE
)


def words_of(text: str) -> set[str]:
    """Every name that a text of SQL can mean, folded, and more."""
    return {(found[1] or found[0]).replace("``", "`").casefold() for found in _WORD.finditer(text)}


_CLAUSE_ENDS = frozenset(
    """
    WHERE GROUP ORDER HAVING LIMIT UNION EXCEPT INTERSECT SET INTO END DO THEN ON USING WINDOW FOR RETURNING ; ( )
    """.split()  # noqa: SIM905
)


def tables_of(body: str) -> set[str] | None:
    """The names that stand where a table is read; None where the text cannot be cut."""
    try:
        tokens = lex(body, Lexing()).tokens
    except Unreadable:
        return None
    found: set[str] = set()
    for at, token in enumerate(tokens):
        if token.word in ("FROM", "JOIN", "STRAIGHT_JOIN"):
            _from_clause(tokens, at + 1, found)
    return found


def _from_clause(tokens: tuple[Token, ...], at: int, found: set[str]) -> None:
    begins = True
    while at < len(tokens) and tokens[at].word not in _CLAUSE_ENDS:
        token = tokens[at]
        if begins and token.kind in (NAME, QUOTED) and token.word not in ("LATERAL", "DUAL"):
            while at + 2 < len(tokens) and tokens[at + 1].word == "." and tokens[at + 2].kind in (NAME, QUOTED):
                at += 2
            found.add(identifier(tokens[at]))
        begins = token.word == ","
        at += 1


@frozen
class Called:
    """What a stored routine of that name can do."""

    shows: Value = CLEAN  # beyond its arguments
    stores: bool = False  # it may keep an argument, or what it read, where it can be read later
    asks: bool = False  # its conditions over masked columns take their terms from its arguments
    keeps: bool = True  # it writes to variables or tables, as far as its body shows
    results: tuple[Columns, ...] = ()  # of a procedure whose body was followed


@frozen
class Body:
    """What a body was found to do."""

    shows: Value
    asks: bool = False
    results: tuple[Columns, ...] = ()


@define(slots=False)
class Routines:
    """Names of routines are folded. One that the catalog does not have shows everything."""

    catalog: Catalog
    marks: MySqlMarks
    world: MySqlWorld
    _by_name: dict[str, list[CatalogFunction]] = field(factory=dict)
    _bodies: dict[int, Body] = field(factory=dict)
    _open: list[int] = field(factory=list)  # those being followed, the innermost last

    def __attrs_post_init__(self) -> None:
        for (_, name), several in self.catalog.functions.items():
            self._by_name.setdefault(name.casefold(), []).extend(several)

    @cached_property
    def temporaries(self) -> frozenset[str]:
        """The temporary tables that any of them may make, whose names may be those of other tables."""
        bodies = (each.body or "" for several in self._by_name.values() for each in several)
        return frozenset(
            (found[1] or found[2]).replace("``", "`") for body in bodies for found in _TEMPORARY.finditer(body)
        )

    def named(self, name: str) -> Iterable[CatalogFunction]:
        return self._by_name.get(name.casefold(), ())

    def called(self, schema: str | None, name: str, kind: str, namespace: Namespace) -> Called:
        """The function ("f") or procedure ("p") of that name: of any database, where none is given."""
        if namespace.holds_masked:
            return Called(self.marks.everything, stores=True)  # it may read what this session keeps
        found = [
            each
            for each in self._by_name.get(name.casefold(), ())
            if each.kind == kind and (schema is None or each.schema.casefold() == schema.casefold())
        ]
        if not found:
            return Called(self.marks.everything, stores=True)
        bodies = [self.body(each) for each in found]
        # a body may put what it reads, and what it is given, into variables and tables
        keeps = any(not each.body or self._keeps(each.body) for each in found)
        return Called(
            union(body.shows for body in bodies),
            keeps or kind == "p",
            any(body.asks for body in bodies),
            keeps,
            bodies[0].results if len(bodies) == 1 else (),
        )

    @staticmethod
    def _keeps(body: str) -> bool:
        return "@" in body or not _KEEPING.isdisjoint(words_of(body))

    def body(self, function: CatalogFunction) -> Body:
        known = self._bodies.get(id(function))
        if known is not None:
            return known
        if id(function) in self._open:  # one that calls itself adds nothing; what a ring shows is not known yet
            return Body(CLEAN if self._open[-1] == id(function) else self.marks.everything)
        self._open.append(id(function))
        try:
            found = self._bodies[id(function)] = self._body(function)
        finally:
            self._open.pop()
        return found

    def _body(self, function: CatalogFunction) -> Body:
        if function.language.upper() not in ("SQL", "") or not function.body:
            return Body(self.marks.everything, asks=bool(function.arguments))
        followed = self.world.follow_routine(function)
        if followed is not None:
            return followed
        shown = self.text_shows(function.body)
        return Body(shown, bool(shown.masked and function.arguments))

    def text_shows(self, body: str | None) -> Value:
        """All that the relations and routines named by any word of a body can reveal."""
        if not body or DYNAMIC.search(body) or _SYSTEM.search(body):
            return self.marks.everything
        values: list[Value] = []
        tables, tokens = tables_of(body), cut(body)
        if tables is None or tokens is None or not all(any(True for _ in self.world.anywhere(name)) for name in tables):
            return self.marks.everything  # its definer may read what the catalog does not show
        for word in words_of(body):
            for relation in self.world.anywhere(word):
                try:
                    values.append(self.world.columns(relation).everything())
                except Unsure:
                    return self.marks.everything
            bodies = [self.body(each) for each in self._by_name.get(word, ())]
            # whose terms it asks on is not seen here
            values += [self.marks.everything if body.asks else body.shows for body in bodies]
        for written in writes(tokens):
            for relation in self.world.anywhere(written.name):
                values += self._fires(relation, written.events)
        return union(values)

    def _fires(self, relation: CatalogRelation, events: frozenset[str]) -> Iterator[Value]:
        """What the triggers show that a write fires, through a view as well: there the row is of a table that is not named."""
        for each in self.world.written_through(relation):
            for trigger in each.triggers:
                if trigger.events & events:
                    yield self._fired(trigger)
                    yield self.world.columns(each).everything()

    def _fired(self, trigger: CatalogTrigger) -> Value:
        """What a trigger shows that a body may fire; one that fires itself adds nothing."""
        if id(trigger) in self._open:
            return CLEAN
        self._open.append(id(trigger))
        try:
            return self.text_shows(without_targets(trigger.body or ""))
        finally:
            self._open.pop()
