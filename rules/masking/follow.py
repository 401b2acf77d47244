"""The state of following one statement, and what stored relations and routines reveal, followed once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Literal

from attrs import define, field
from pglast import parser

from rules.catalog import Catalog, CatalogFunction, CatalogRelation
from rules.masking.exchange import Compared, pseudonymised
from rules.masking.inheriting import Move
from rules.masking.marks import Marks
from rules.masking.pseudonyms import ELEMENTS
from rules.masking.routines import Answered, Routines, words_of
from rules.masking.scope import Arguments, Scope, Source
from rules.masking.trees import Node, isa
from rules.masking.values import CLEAN, CONSTANT, Columns, FindingKind, MaskFinding, Origin, Unsure, Value, merge, union
from rules.model import Namespace
from rules.policy import Policy

__all__ = ["Follow", "Node", "World", "isa", "listed"]

QueryFollower = Callable[["Follow", Node, Scope], Columns]
ValueFollower = Callable[["Follow", Node, Scope], Value]
FromFollower = Callable[["Follow", Node, Scope], Source]
ECHOING = ("current_query", "pg_stat_activity", "pg_stat_get_activity", "pg_stat_get_backend_activity")
EMPTY_PATH = Namespace(search_path=())
ANY_PATH = Namespace(search_path=(), lexing_known=False)  # a routine has its own, or the caller's


@define
class Follow:
    """One statement on its way through the tree. Findings gather here."""

    world: World
    namespace: Namespace
    predicates: Literal["allow", "equality", "hold", "deny"] = "equality"
    findings: dict[MaskFinding, None] = field(factory=dict)  # in order, each once
    unknown: set[str] = field(factory=set)  # names of relations that the catalog does not have
    ambiguous: bool = False  # a masked relation of the same name stands in another schema
    positional: bool = False  # a constant's value was looked at: ORDER BY 2
    noting: bool = False  # the statement runs as it is written here: pseudonyms in it are translated
    compared: list[Compared] = field(factory=list)
    moves: list[Move] = field(factory=list)
    depth: int = 0  # of routines that are followed where they are called
    # Conditions look at a subquery more than once; the scope is kept so that its id stays its own.
    _queries: dict[tuple[int, int, int], tuple[Columns, Scope]] = field(factory=dict)

    def find(self, kind: FindingKind, action: Literal["hold", "deny"], reason: str) -> None:
        self.findings[MaskFinding(kind, action, reason)] = None

    def oracle(self, value: Value, what: str) -> None:
        """`what` happens in an order or a number that depends on the value."""
        if self.predicates == "allow" or not (masked := value.masked):
            return
        action: Literal["hold", "deny"] = "deny" if self.predicates == "deny" else "hold"
        self.find("predicate", action, f"{what} would reveal {listed(masked)}")

    def equated(self, one: Value, left: Node, two: Value, right: Node, *, many: bool = False) -> None:
        """`left = right` passes as a condition: where one side is pseudonymised, the other may be a pseudonym. `many`: = ANY."""
        if not self.noting:
            return
        for column, value, node in ((one, two, right), (two, one, left)):
            if value.masked or not value.constant:
                continue
            type_oid = pseudonymised(column)
            if type_oid is not None:
                if many and node is left:  # with the elements of the column
                    type_oid = ELEMENTS.get(type_oid, 0)
                self.compared.append(Compared(type_oid, node, many and node is right))

    def asks(self, routine: str) -> None:
        """A routine that puts its arguments into conditions over masked columns is called."""
        if self.predicates != "allow":
            action: Literal["hold", "deny"] = "deny" if self.predicates == "deny" else "hold"
            self.find("predicate", action, f"{routine} asks about masked columns on the caller's terms")

    def handed(self, what: str, value: Value) -> None:
        """Code of users that may keep its arguments is given a value.

        What was defined in the open transaction is in no catalog yet: until it ends, whatever is called may be of users.
        """
        if value.masked:
            self.find("laundering", "hold", f"{what} may keep or show {listed(value.masked)} elsewhere")

    def operated(self, symbol: str, operands: Value) -> Value:
        """What the users' functions behind an operator of that name can show; they are given the operands."""
        called = [self.world.routines.called(*key) for key in self.world.catalog.operators.get(symbol, ())]
        if self.namespace.redefined or any(each.stores for each in called):
            self.handed(f"the operator {symbol}", operands)
        if any(each.tests for each in called):
            self.oracle(operands, f"the operator {symbol}, which users defined,")
        return union(each.shows for each in called)

    def converted(self, type_name: str, value: Value) -> Value:
        """What casts and checks of users show that make a value of a type of that name; they are given the value."""
        conversions = self.world.catalog.conversions.get(type_name, ())
        if self.namespace.redefined or self.world.routines.converting_keeps([type_name]):
            self.handed(f"the type {type_name}", value)
        return union(map(self.world.routines.text_shows, conversions))

    def laundered(self, value: Value, into: str, *moves: Move, though: str | None = None) -> None:
        """A masked value is written where no mask may cover it. `moves`: into which columns, if people let it run.

        `though`: what is held there and how, where that is no unmasked column.
        """
        self.moves.extend(moves)
        self.find("laundering", "hold", f"{into} would hold {though or f'{listed(value.masked)} unmasked'}")

    def query(self, node: Node, scope: Scope) -> Columns:
        """The columns of a query inside `scope`. Raises Unsure."""
        key = (id(node), id(scope.outer or scope), len((scope.outer or scope).items))
        known = self._queries.get(key)
        if known is None:
            known = self._queries[key] = (self.world.follow_query(self, node, scope), scope)
        return known[0]

    def from_item(self, node: Node, scope: Scope) -> Source:
        """What one FROM item brings. Raises Unsure."""
        return self.world.follow_from(self, node, scope)

    def value(self, node: Node, scope: Scope) -> Value:
        """What an expression can reveal. Raises Unsure."""
        return self.world.follow_value(self, node, scope)

    def relation(self, schema: str | None, name: str) -> Columns:
        """The columns of the stored relation of that name, as far as the catalog can say which one it is."""
        found = list(self.candidates(schema, name))
        if not found:
            self.unknown.add(name if schema is None else f"{schema}.{name}")
            return Columns((), self.world.marks.everything)
        columns = any_of([self.world.columns(each) for each in found])
        # what this transaction made of it holds no other masked value, or people let it; but its columns may be others
        return Columns((), columns.everything()) if name in self.namespace.changed else columns

    def candidates(self, schema: str | None, name: str) -> Iterable[CatalogRelation]:
        catalog = self.world.catalog
        if schema is not None and schema != "pg_temp":
            found = catalog.relations.get((schema, name))
            return [] if found is None else [found]
        temporary = [each for each in self.world.named(name) if each.schema.startswith("pg_temp")]
        if schema == "pg_temp":
            return temporary
        path = [self.namespace.user or "$user" if part == "$user" else part for part in self.namespace.search_path]
        usual = catalog.found(name, path if "pg_catalog" in path else ["pg_catalog", *path])
        sure = bool(usual) and self.namespace.lexing_known and self.namespace.own_role and not self.namespace.renamed
        sure = sure and name not in self.namespace.changed
        if name in self.namespace.temporary:
            # it hides the other until it is gone, which may have happened unseen; and the catalog has those of all sessions
            if not temporary:
                return []
            return [*temporary, *usual] if sure else list(self.world.named(name))
        if not sure:
            return list(self.world.named(name))
        if not self.ambiguous and any(
            self.world.marks.of(each) for each in self.world.named(name) if each is not usual[0]
        ):
            self.ambiguous = True
        return usual


def any_of(found: Sequence[Columns]) -> Columns:
    """The columns of one of these relations, nobody knows of which."""
    first, *others = found
    names = [name for name, _ in first.named]
    if any(each.rest is not None or [name for name, _ in each.named] != names for each in found if others):
        return Columns((), union(each.everything() for each in found))
    named = first.named
    for each in others:
        named = tuple((name, merge(one, two)) for (name, one), (_, two) in zip(named, each.named, strict=True))
    return Columns(named, first.rest)


def sql_of(body: str) -> list[Node]:
    """The statements of a routine in language sql, whose body the server shows as text, as RETURN … or as BEGIN ATOMIC … END.

    Raises ParseError.
    """
    if body.startswith("RETURN "):
        return [raw.stmt for raw in parser.parse_sql(f"SELECT {body.removeprefix('RETURN ')}")]
    if body.startswith("BEGIN ATOMIC"):
        made: Node = parser.parse_sql(f"CREATE FUNCTION f() RETURNS int LANGUAGE sql {body}")[0].stmt
        return [tree for part in made.sql_body for tree in part]
    return [raw.stmt for raw in parser.parse_sql(body)]


def listed(origins: Iterable[Origin]) -> str:
    """The masked columns, for a reader: three at most."""
    names = sorted({str(origin) for origin in origins if origin.schema != "?"}) or ["a masked column"]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@define
class World:
    """A catalog under one identity's marks. Shared by all statements judged for it."""

    catalog: Catalog
    marks: Marks
    policy: Policy
    follow_query: QueryFollower
    follow_value: ValueFollower
    follow_from: FromFollower
    routines: Routines = field(init=False)
    _columns: dict[tuple[str, str], Columns] = field(factory=dict)
    _by_name: dict[str, list[CatalogRelation]] = field(factory=dict)
    _named: dict[str, Value] = field(factory=dict)
    _calls: dict[int, frozenset[str]] = field(factory=dict)
    _launders: dict[int, bool] = field(factory=dict)
    _laundering: set[int] = field(factory=set)  # views whose own definitions do
    _open: set[tuple[str, str]] = field(factory=set)
    writes_none: dict[str, bool] = field(factory=dict)  # by the names of routines, once somebody asked
    _texts: dict[int, list[Node]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for (_, name), relation in self.catalog.relations.items():
            self._by_name.setdefault(name, []).append(relation)
        self.routines = Routines(self.catalog, self.marks, self.shown_by, self._sql_routine)

    def named(self, name: str) -> Sequence[CatalogRelation]:
        """Every relation of that name in any schema."""
        return self._by_name.get(name, ())

    @cached_property
    def echoes(self) -> bool:
        """Whether a routine of the database reads the texts of statements: a trigger may keep what was sent."""
        bodies = (
            each.body or ""
            for found in self.catalog.functions.values()
            for each in found
            if each.schema != "pg_catalog"
        )
        return any(word in body.lower() for body in bodies for word in ECHOING)

    @cached_property
    def keeping_types(self) -> frozenset[str]:
        """Types whose values pass through code of users that may keep them, wherever one is made."""
        return frozenset(name for name in self.catalog.conversions if self.routines.converting_keeps([name]))

    @cached_property
    def masks_types_of_users(self) -> bool:
        """Whether a masked column is of a domain, or of a type that may hold values of one."""
        return any(
            "." in column.type_name and column.name in self.marks.of(relation)
            for relation in self.catalog.relations.values()
            for column in relation.columns
        )

    def kept_by_type(self, type_name: str) -> bool:
        """Whether a value that is made for a column of that type, as format_type spells it, passes through such code."""
        bare = type_name.removesuffix("[]").rpartition(".")[2]
        return bool(self.keeping_types) and bare.strip('"').replace('""', '"') in self.keeping_types

    def children(self, relation: CatalogRelation) -> Sequence[CatalogRelation]:
        """Its partitions, and the tables that inherit from it."""
        return self._children.get(relation.oid, ())

    @cached_property
    def _children(self) -> dict[int, list[CatalogRelation]]:
        found: dict[int, list[CatalogRelation]] = {}
        for relation in self.catalog.relations.values():
            for parent in relation.parents:
                found.setdefault(parent, []).append(relation)
        return found

    def in_schema(self, schema: str) -> Iterable[CatalogRelation]:
        return (relation for (found, _), relation in self.catalog.relations.items() if found == schema)

    def folded_in(self, relation: CatalogRelation, seen: frozenset[int] = frozenset()) -> Value:
        """What routines called in a view's definition, and in those it reads, can show."""
        if relation.definition is None or relation.kind != "v" or relation.oid in seen:
            return CLEAN
        words = words_of(relation.definition)
        seen |= {relation.oid}
        inner = (self.folded_in(each, seen) for word in words for each in self.named(word))
        return union([*(self.routines.shown_by_name(word) for word in words), *inner])

    def calls(self, relation: CatalogRelation) -> frozenset[str]:
        """Names of routines that write, called by a view's definition or by those that it reads."""
        known = self._calls.get(relation.oid)
        if known is None:
            self._calls[relation.oid] = frozenset()  # one that is defined by itself adds nothing
            words = words_of(relation.definition) if relation.definition is not None else set[str]()
            inner = (self.calls(each) for word in words for each in self.named(word))
            known = self._calls[relation.oid] = (self.routines.writers & words).union(*inner)
        return known

    def launders(self, relation: CatalogRelation) -> bool:
        """Whether reading a view, or one that it reads, gives masked values to what may keep them."""
        known = self._launders.get(relation.oid)
        if known is None:
            self._launders[relation.oid] = False  # one that is defined by itself adds nothing
            known = (
                relation.definition is not None
                and relation.kind == "v"
                and self._gives_away(relation, relation.definition)
            )
            self._launders[relation.oid] = known
        return known

    def _gives_away(self, relation: CatalogRelation, definition: str) -> bool:
        self.columns(relation)
        return relation.oid in self._laundering or any(
            self.launders(each) for word in words_of(definition) for each in self.named(word)
        )

    def shown_by(self, name: str) -> Value:
        """All that relations of that bare name reveal, in any schema."""
        known = self._named.get(name)
        if known is None:
            known = union(self.columns(each).everything() for each in self.named(name))
            self._named[name] = known
        return known

    def columns(self, relation: CatalogRelation) -> Columns:
        key = (relation.schema, relation.name)
        known = self._columns.get(key)
        if known is not None:
            return known
        if key in self._open:
            raise Unsure(f"{relation.schema}.{relation.name} is defined by itself")
        self._open.add(key)
        try:
            found = self._view(relation) if relation.definition is not None else self._table(relation)
        finally:
            self._open.discard(key)
        self._columns[key] = found
        return found

    def _table(self, relation: CatalogRelation) -> Columns:
        base = [(column.name, self._stored(relation, column.name, column.type_oid)) for column in relation.columns]
        scope = Scope()
        scope.sources.append(Columns(tuple(base)))
        named: list[tuple[str | None, Value]] = []
        for column, (name, value) in zip(relation.columns, base, strict=True):
            if column.generated is not None:
                extra = self._computed(column.generated, scope, Columns(tuple(base)))
            else:
                extra = self._composite(column.type_name)
            extra = union([extra, self._foreign_below(relation, column.name)])
            if extra.masked:
                value = Value(value.origins | extra.origins, False, None, value.type_oid)
            named.append((name, value))
        return Columns(tuple(named))

    def _foreign_below(self, relation: CatalogRelation, column: str) -> Value:
        """What foreign tables show of a column that are partitions or children of the table."""
        found: list[Value] = []
        waiting, seen = list(self.children(relation)), {relation.oid}
        while waiting:
            child = waiting.pop()
            if child.oid not in seen:
                seen.add(child.oid)
                waiting.extend(self.children(child))
                if child.definition is not None:
                    found.extend(value for name, value in self.columns(child).named if name == column)
        return union(found)

    def _stored(self, relation: CatalogRelation, column: str, type_oid: int) -> Value:
        mark = self.marks.column(relation, column)
        return Value(frozenset({Origin(relation.schema, relation.name, column, mark)}), True, None, type_oid)

    def _composite(self, type_name: str) -> Value:
        """A column of a table's row type holds what that table's columns hold."""
        schema, _, name = type_name.removesuffix("[]").rpartition(".")
        relation = self.catalog.relations.get((schema.strip('"'), name.strip('"'))) if schema else None
        if relation is None or not self.marks.of(relation):
            return CLEAN
        return Columns(
            tuple((column.name, self._stored(relation, column.name, 0)) for column in relation.columns)
        ).everything()

    def _computed(self, expression: str, scope: Scope, columns: Columns) -> Value:
        follow = Follow(self, EMPTY_PATH, "allow")
        try:
            (tree,) = parser.parse_sql(f"SELECT {expression}")
            inner = Scope(outer=scope)
            return follow.query(tree.stmt, inner).everything()
        except (Unsure, parser.ParseError, RecursionError):
            return columns.everything()

    def _view(self, relation: CatalogRelation) -> Columns:
        assert relation.definition is not None
        follow = Follow(self, EMPTY_PATH, "allow")  # what the view's own conditions reveal, its owner decided
        try:
            (tree,) = parser.parse_sql(relation.definition)
            found = follow.query(tree.stmt, Scope())
        except (Unsure, parser.ParseError, RecursionError, ValueError):
            found = Columns((), self.routines.text_shows(relation.definition))
        if any(each.kind == "laundering" for each in follow.findings):
            self._laundering.add(relation.oid)
        exact = found.rest is None and len(found.named) == len(relation.columns)
        named: list[tuple[str | None, Value]] = []
        for index, column in enumerate(relation.columns):
            value = found.named[index][1] if exact else found.everything()
            mark = self.marks.column(relation, column.name)
            if mark is not None:
                own = Origin(relation.schema, relation.name, column.name, mark)
                value = Value(value.origins | {own}, not value.masked, None, column.type_oid)
            elif not value.type_oid or relation.foreign is not None:  # which may declare another type
                value = Value(value.origins, value.plain, value.fields, column.type_oid, value.constant)
            named.append((column.name, value))
        return Columns(tuple(named))

    def sql_of(self, function: CatalogFunction) -> list[Node]:
        """The statements of a routine in language sql. Raises ParseError."""
        known = self._texts.get(id(function))
        if known is None:
            known = self._texts[id(function)] = sql_of(function.body or "")
        return known

    def _sql_routine(self, function: CatalogFunction) -> Answered:
        """What its arguments can reveal is the caller's business; what it asks of them is looked at as if they were masked."""
        found, ambiguous = self._sql_routine_by(function, Namespace(search_path=("public", function.schema)))
        return self._sql_routine_by(function, ANY_PATH)[0] if ambiguous else found

    def _sql_routine_by(self, function: CatalogFunction, namespace: Namespace) -> tuple[Answered, bool]:
        """And whether its names may mean masked tables of other schemas."""
        follow, of_arguments = Follow(self, namespace, "equality"), Follow(self, namespace, "equality")
        masked = Value(self.marks.everything.origins, plain=True)
        try:
            trees = self.sql_of(function)
            results = [follow.query(tree, Scope(parameters=Arguments(CONSTANT))) for tree in trees]
            for tree in trees:
                of_arguments.query(tree, Scope(parameters=Arguments(masked)))
        except (Unsure, parser.ParseError, RecursionError, ValueError):
            shown = self.routines.text_shows(function.body)
            return Answered(shown, asks=bool(shown.masked)), False
        asks = any(finding.kind == "predicate" for finding in follow.findings)
        if follow.unknown or not results:
            return Answered(self.routines.text_shows(function.body), asks, bool(of_arguments.findings)), False
        shown = results[-1].everything()
        return Answered(shown, asks, bool(of_arguments.findings), results[-1]), follow.ambiguous
