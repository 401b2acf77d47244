"""The walk over one statement: every node is visited, and what it can do is gathered.

A stack of (type, node, names of CTEs in sight) instead of recursion, so that depth costs nothing. What a node type means is said
by the handler registered for it (`HANDLERS`): one that looks at the node and pushes what lies below, or `below`, for
types that do nothing by themselves. A type without a handler makes the statement opaque.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from attrs import define, field, frozen

from rules.classify.postgres.routines import Called, Routines
from rules.classify.postgres.tree import FIELDS, Node
from rules.model import Access, Effect, Function, Kind, NameEffect, Namespace, Relation, Setting, Statement

Scope = frozenset[str]
NO_NAMES: Scope = frozenset()

Handler = Callable[["Walk", Node, Scope], None]
HANDLERS: dict[str, Handler] = {}

TransactionWord = Literal["begin", "begin_write", "commit", "rollback", "savepoint", "release", "rollback_to"]

# A data-modifying CTE makes its kind of the statement; among several the one that is hardest to take back.
_REACH = {Kind.SELECT: 0, Kind.INSERT: 1, Kind.UPDATE: 2, Kind.MERGE: 3, Kind.DELETE: 4}


def handles(*tags: str) -> Callable[[Handler], Handler]:
    """Registers a handler for node types. One type has one handler."""

    def register(handler: Handler) -> Handler:
        for tag in tags:
            assert tag not in HANDLERS, tag
            HANDLERS[tag] = handler
        return handler

    return register


@frozen
class Reading:
    """What is the same for every node of a text."""

    namespace: Namespace
    routines: Routines
    raw: bytes  # the text, in which `location` counts
    differs: frozenset[str]  # node types that an older server would read as something else


@define(eq=False)
class Walk:
    """What was found so far in one statement."""

    reading: Reading
    root: Node
    tag: str
    text: str
    kind: Kind | None = None
    effects: set[Effect] = field(factory=set)
    planned: set[Effect] = field(factory=set)  # of what the planner may run to estimate, when the statement is not run
    relations: dict[Relation, int] = field(factory=dict)  # and where they stand
    functions: dict[Function, int] = field(factory=dict)
    called: set[Called] = field(factory=set)  # routines and views of the database whose definitions count as well
    planned_calls: set[Called] = field(factory=set)
    settings: list[Setting] = field(factory=list)
    names: list[NameEffect] = field(factory=list)
    transaction: TransactionWord | None = None
    has_where: bool | None = None
    trivial_where: bool = False
    returns_rows: bool = False
    literal: bool = False
    opaque: str | None = None
    inner: Statement | None = None
    calls_ddl: bool = False
    renamed_to: str | None = None
    setting_name: str | None = None  # what `name` is in a SELECT over one row of pg_settings
    pending: list[tuple[str, Node, Scope]] = field(factory=list)

    def run(self) -> None:
        """Visits everything below the root. Total over trees of the parser."""
        pending = self.pending
        pending.append((self.tag, self.root, NO_NAMES))
        differs = self.reading.differs
        while pending:
            tag, node, scope = pending.pop()
            handler = HANDLERS.get(tag)
            if handler is None:
                self.not_understood(f"{tag} is not known here")
                self.push_below(tag, node, scope)
                continue
            if tag in differs:
                self.not_understood(f"a server of this version reads {_WORDS.get(tag, tag)} as something else")
            handler(self, node, scope)

    def push_below(self, tag: str, node: Node, scope: Scope, but: Iterable[str] = ()) -> None:
        """Everything below a node is to be visited, except the fields in `but`."""
        certain = FIELDS.get(tag)
        if certain is None:
            certain = _NONE
        pending = self.pending
        for name, value in node.items():
            kind = type(value)
            if kind is dict:
                if name in but:
                    continue
                if name in certain:
                    pending.append((certain[name], value, scope))
                else:
                    for inner, below in value.items():
                        pending.append((inner, below, scope))
            elif kind is list:
                if name in but:
                    continue
                for item in value:
                    for inner, below in item.items():
                        pending.append((inner, below, scope))

    def push(self, wrapped: Node | None, scope: Scope) -> None:
        """One wrapped node, or none."""
        if wrapped:
            for tag, node in wrapped.items():
                self.pending.append((tag, node, scope))

    def push_all(self, wrapped: Iterable[Node], scope: Scope) -> None:
        for item in wrapped:
            for tag, node in item.items():
                self.pending.append((tag, node, scope))

    def become(self, kind: Kind) -> None:
        """The root says what the statement is; a data-modifying part of it can make it worse."""
        if self.kind is None or _REACH.get(kind, -1) > _REACH.get(self.kind, 9):
            self.kind = kind

    def not_understood(self, reason: str) -> None:
        if self.opaque is None:
            self.opaque = reason

    def name_relation(
        self, schema: str | None, name: str, access: Access, place: int, database: str | None = None
    ) -> None:
        relation = Relation(schema, name, access, database)
        self.relations.setdefault(relation, place)
        found = self.reading.routines.relation(schema, name, access)
        if found is not None:
            effects, views = found
            self.effects |= effects
            self.called |= views
            self.planned_calls |= views

    def relation(self, node: Node, access: Access) -> None:
        """A RangeVar that is certainly not a CTE."""
        self.name_relation(
            node.get("schemaname"), node.get("relname", ""), access, node.get("location", -1), node.get("catalogname")
        )

    def call(self, schema: str | None, name: str, place: int, *, shown: bool = True, notation: bool = False) -> None:
        """A call of a function by name. `shown`: it is listed even when it does nothing. `notation`: written as a column."""
        found = self.reading.routines.function(schema, name, notation=notation)
        if found is None:
            return
        self.effects |= found.effects
        self.planned |= found.planned
        self.called |= found.called
        self.planned_calls |= found.planned_calls
        if shown or found.function.effects or not found.function.known:
            self.functions.setdefault(found.function, place)

    def convert(self, name: str) -> None:
        """A value becomes one of the type `name`."""
        found = self.reading.routines.conversion(name)
        if found is not None:
            self.called.add(found)
            self.planned_calls.add(found)

    def where(self, present: bool, trivial: bool, looked: bool) -> None:
        """The condition of an UPDATE or DELETE. The one with the worst reach counts."""
        if not present:
            self.has_where = False
        elif self.has_where is None:
            self.has_where = True
        self.trivial_where = self.trivial_where or trivial
        self.literal = self.literal or looked


_NONE: dict[str, str] = {}
_WORDS = {
    "JsonFuncExpr": "JSON_EXISTS, JSON_QUERY or JSON_VALUE",
    "JsonTable": "JSON_TABLE",
    "JsonParseExpr": "JSON()",
    "JsonScalarExpr": "JSON_SCALAR",
    "JsonSerializeExpr": "JSON_SERIALIZE",
    "JsonObjectConstructor": "JSON_OBJECT",
    "JsonArrayConstructor": "JSON_ARRAY",
    "JsonArrayQueryConstructor": "JSON_ARRAY",
    "JsonObjectAgg": "JSON_OBJECTAGG",
    "JsonArrayAgg": "JSON_ARRAYAGG",
    "MergeSupportFunc": "merge_action()",
}


def below(tag: str) -> Handler:
    """The handler of a type that does nothing by itself."""

    def visit(walk: Walk, node: Node, scope: Scope) -> None:
        walk.push_below(tag, node, scope)

    return visit


def nothing(_walk: Walk, _node: Node, _scope: Scope) -> None:
    """The handler of a type that has nothing below that could do anything."""


def planner_only(tag: str) -> Handler:
    """The handler of a type that only the server's analysis makes: in a raw tree it cannot be."""

    def visit(walk: Walk, node: Node, scope: Scope) -> None:
        walk.not_understood(f"{tag} cannot stand in a statement")
        walk.push_below(tag, node, scope)

    return visit


def wrapped_name(items: list[Any]) -> tuple[str | None, str]:
    """(schema, name) of a qualified name as a list of wrapped strings; a database in front is dropped."""
    parts = [item["String"].get("sval", "") if "String" in item else "" for item in items]
    if not parts:
        return None, ""
    return (parts[-2] if len(parts) > 1 else None), parts[-1]
