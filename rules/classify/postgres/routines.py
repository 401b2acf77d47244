"""What a name does when it is called or read: the server's own functions, those of the database, and its views.

A function name can mean several functions; which one the server picks depends on types that nobody has here. So all that
the name can mean count together. Definitions of the database (SQL bodies, PL/pgSQL bodies, views, aggregates) are read and
classified themselves. Those of the caller's search_path are too many to follow once for each path: inside a definition an
unqualified name means every function of that name in any schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from attrs import define, field, frozen

from rules.catalog import Catalog, CatalogFunction, CatalogRelation
from rules.classify.postgres.places import CREDENTIAL_WRITES, SAMPLES, SETTINGS_VIEWS, SYSTEM_SCHEMAS, is_system
from rules.functions.postgres import Builtin, acting, builtins, operators
from rules.model import Access, Effect, Function, Namespace, Volatility

Called = tuple[Literal["function", "view", "type", "direct"], str, str]  # kind, schema ("" of a type), name
_NOTHING: frozenset[Effect] = frozenset()
_UNKNOWN = frozenset({Effect.UNKNOWN})
_ANY_SETTING = frozenset({Effect.SETTING, Effect.LEXING, Effect.NAMESPACE, Effect.ROLE})
_ORDER = (Volatility.IMMUTABLE, Volatility.STABLE, Volatility.VOLATILE, Volatility.UNKNOWN)
_FOLLOWED = 150  # definitions behind one statement; more are not looked at, and so unknown
_KEPT_CATALOGS = 8  # of databases in use, and older ones that sessions still judge by
_KEPT_NAMESPACES = 64
_NO_CALLS: frozenset[Called] = frozenset()


@frozen
class Known:
    """What calling a name can do."""

    function: Function
    effects: frozenset[Effect]  # without those of the definitions in `called`
    planned: frozenset[Effect]  # of the overloads that the planner may run for an EXPLAIN
    called: frozenset[Called] = _NO_CALLS
    planned_calls: frozenset[Called] = _NO_CALLS


@frozen
class Body:
    """What one definition does by itself, and what it uses."""

    effects: frozenset[Effect]
    called: frozenset[Called] = _NO_CALLS


ReadFunction = Callable[[CatalogFunction, "Definitions"], Body]
ReadView = Callable[[str, "Definitions"], Body]


@define(eq=False)
class Definitions:
    """The definitions of one catalog, each read once when it is first needed."""

    catalog: Catalog
    server_version: int
    read_function: ReadFunction
    read_view: ReadView
    by_name: dict[str, list[CatalogFunction]] = field(factory=dict)  # that are not the server's own
    bodies: dict[Called, Body] = field(factory=dict)
    closures: dict[Called, frozenset[Effect]] = field(factory=dict)
    views: dict[str, list[CatalogRelation]] = field(factory=dict)  # materialized ones included
    routines: dict[Namespace, Routines] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for relation in self.catalog.relations.values():
            if relation.kind in ("v", "m") and relation.definition is not None:
                self.views.setdefault(relation.name, []).append(relation)
        for (schema, name), overloads in self.catalog.functions.items():
            if schema in SYSTEM_SCHEMAS and (schema, name) in builtins():
                # an extension may have put an overload of its own beside the server's
                overloads = tuple(each for each in overloads if each.extension is not None)
            if overloads:
                self.by_name.setdefault(name, []).extend(overloads)

    def body(self, called: Called) -> Body:
        known = self.bodies.get(called)
        if known is None:
            kind, schema, name = called
            if kind == "view":
                relation = self.catalog.relations.get((schema, name))
                definition = relation.definition if relation is not None else None
                known = Body(_NOTHING) if definition is None else self.read_view(definition, self)
            elif kind == "type":
                known = self.read_view(f"SELECT {', '.join(self.catalog.conversions[name])}", self)
            else:
                found = [each for each in self.by_name.get(name, ()) if each.schema == schema]
                bodies = [self.read_function(each, self) for each in found]
                # computed where the call leaves the arguments out
                bodies += [self.read_view(f"SELECT {each.defaults}", self) for each in found if each.defaults]
                known = Body(
                    frozenset().union(*(each.effects for each in bodies)) if bodies else _UNKNOWN,
                    frozenset().union(*(each.called for each in bodies), self.conversions_of(found)),
                )
            self.bodies[called] = known
        return known

    def conversions_of(self, functions: Iterable[CatalogFunction]) -> frozenset[Called]:
        """What arguments and results are checked by."""
        names = {name for each in functions for name in each.types}
        return frozenset(("type", "", name) for name in names if name in self.catalog.conversions)

    def effects(self, called: Called) -> frozenset[Effect]:
        """Of a definition and of all that it uses, recursion included."""
        known = self.closures.get(called)
        if known is None:
            known = self.closures[called] = self._closure(called)
        return known

    def _closure(self, called: Called) -> frozenset[Effect]:
        found: set[Effect] = set()
        seen = {called}
        pending = [called]
        while pending:
            if len(seen) > _FOLLOWED:
                return frozenset(found | _UNKNOWN)
            body = self.body(pending.pop())
            found |= body.effects
            new = body.called - seen
            seen |= new
            pending += new
        return frozenset(found - {Effect.READ})


@define(eq=False)
class Routines:
    """Resolves names for one namespace, or, with `anywhere`, for the inside of a definition."""

    namespace: Namespace
    definitions: Definitions | None
    anywhere: bool = False
    _functions: dict[tuple[str | None, str], Known] = field(factory=dict)
    _relations: dict[tuple[str | None, str, Access], tuple[frozenset[Effect], frozenset[Called]] | None] = field(
        factory=dict
    )
    _path: tuple[str, ...] | None = None

    def __attrs_post_init__(self) -> None:
        if self.namespace.search_path and not (self.anywhere or self.namespace.renamed):
            self._path = tuple(
                (self.namespace.user or "$user") if part == "$user" else part for part in self.namespace.search_path
            )

    def function(self, schema: str | None, name: str, *, notation: bool) -> Known | None:
        """None: written as a column, it is one."""
        if notation and name not in acting() and not self._takes_arguments(name):
            return None
        key = (schema, name)
        known = self._functions.get(key)
        if known is None:
            if len(self._functions) > 4096:
                self._functions.clear()
            known = self._functions[key] = self._resolve(schema, name)
        return known

    def _takes_arguments(self, name: str) -> bool:
        if self.definitions is None:
            return False
        return any(each.arguments > 0 for each in self.definitions.by_name.get(name, ()))

    def _resolve(self, schema: str | None, name: str) -> Known:
        own = [] if self.definitions is None else self.definitions.by_name.get(name, [])
        builtin: Builtin | None
        if schema is not None:
            builtin = self._builtin(schema, name)
            mine = [each for each in own if each.schema == schema]
        else:
            builtin = self._builtin("pg_catalog", name)
            if builtin is None and (self._path is None or "information_schema" in self._path):
                builtin = self._builtin("information_schema", name)
            mine = [each for each in own if self._path is None or each.schema in (*self._path, "pg_catalog")]
        hidden = builtin is not None and schema is None and self._may_be_hidden()
        if builtin is None and not mine:
            return Known(Function(schema, name, Volatility.UNKNOWN, _UNKNOWN), _UNKNOWN, _UNKNOWN)
        return self._merged(schema, name, builtin, mine, hidden)

    def _builtin(self, schema: str, name: str) -> Builtin | None:
        """The server's own, if a server of this version has it: `any_value` on 15 is a function of the user's."""
        found = builtins().get((schema, name))
        return found if found is not None and found.exists_in(self.namespace.server_version) else None

    def _may_be_hidden(self) -> bool:
        """Whether an overload that nobody knows of may be chosen instead: a path without pg_catalog in front, and no catalog."""
        if self.definitions is not None or self.anywhere:
            return False
        return self._path is None or ("pg_catalog" in self._path and self._path[0] != "pg_catalog")

    def _merged(
        self, schema: str | None, name: str, builtin: Builtin | None, mine: list[CatalogFunction], hidden: bool
    ) -> Known:
        effects: frozenset[Effect] = _UNKNOWN if hidden else _NOTHING
        planned = effects
        volatilities = []
        if builtin is not None:
            effects |= builtin.effects
            planned |= builtin.effects if builtin.planned else _NOTHING
            volatilities.append(builtin.volatility)
        called: frozenset[Called] = frozenset(("function", each.schema, each.name) for each in mine)
        planned_calls = frozenset(
            ("function", each.schema, each.name)
            for each in mine
            if each.volatility is not Volatility.VOLATILE or each.defaults  # which may themselves be planned
        )
        volatilities += [each.volatility for each in mine]
        deep = effects
        if self.definitions is not None:
            # inside a definition the closure is made by whoever asked for it
            deep = deep.union(*(self.definitions.effects(each) for each in called)) if not self.anywhere else deep
        function = Function(schema, name, max(volatilities, key=_ORDER.index), deep, known=Effect.UNKNOWN not in deep)
        return Known(function, effects, planned, called, planned_calls)  # type: ignore[arg-type]

    def operator(self, schema: str | None, symbol: str) -> Iterable[tuple[str, str]] | None:
        """The functions of users behind an operator; None: nothing of that symbol is known."""
        mine = self.definitions.catalog.operators.get(symbol, ()) if self.definitions is not None else ()
        if schema == "pg_catalog":
            return ()
        if mine or (schema is None and symbol in operators()):
            return mine
        return None

    def conversion(self, name: str) -> Called | None:
        """What may run where a value becomes one of a type of that name; None: nothing of the database's own."""
        if self.definitions is None or name not in self.definitions.catalog.conversions:
            return None
        return "type", "", name

    @property
    def own_operators(self) -> bool:
        return self.definitions is not None and bool(self.definitions.catalog.operators)

    def relation(
        self, schema: str | None, name: str, access: Access
    ) -> tuple[frozenset[Effect], frozenset[Called]] | None:
        """What reading or writing a relation does beyond that; None: nothing."""
        key = (schema, name, access)
        if key not in self._relations:
            if len(self._relations) > 4096:
                self._relations.clear()
            self._relations[key] = self._place(schema, name, access)
        return self._relations[key]

    def _place(
        self, schema: str | None, name: str, access: Access
    ) -> tuple[frozenset[Effect], frozenset[Called]] | None:
        effects: set[Effect] = set()
        if name in SAMPLES:
            effects.add(Effect.SAMPLES)
        if access is Access.WRITE:
            if name in SETTINGS_VIEWS:
                effects |= _ANY_SETTING
            if is_system(schema, name):
                effects |= {Effect.DDL, Effect.ADMIN}
            if name in CREDENTIAL_WRITES:
                effects.add(Effect.GRANT)
        views = frozenset[Called](("view", found, name) for found in self._views(schema, name, access))
        if access is Access.WRITE and self.definitions is not None:
            for view in views:
                # an automatically updatable view hands the write on, to pg_settings for example
                inner = self.definitions.catalog.relations[view[1], view[2]].definition or ""
                effects |= _ANY_SETTING if any(word in inner for word in SETTINGS_VIEWS) else _NOTHING
        return (frozenset(effects), views) if effects or views else None

    def _views(self, schema: str | None, name: str, access: Access) -> list[str]:
        """Schemas in which the name is a view, or a materialized view that REFRESH fills."""
        if self.definitions is None:
            return []
        kinds = ("v", "m") if access is Access.WRITE else ("v",)
        places = None if self._path is None and schema is None else (schema,) if schema is not None else self._path
        return [
            view.schema
            for view in self.definitions.views.get(name, ())
            if view.kind in kinds and (places is None or view.schema in places)
        ]


_without_catalog: dict[Namespace, Routines] = {}
_kept: dict[tuple[int, int], Definitions] = {}


def routines_of(
    namespace: Namespace, catalog: Catalog | None, read_function: ReadFunction, read_view: ReadView
) -> Routines:
    """What names mean in a namespace, worked out once."""
    if catalog is None:
        definitions, kept = None, _without_catalog
    else:
        definitions = _definitions_of(catalog, namespace.server_version, read_function, read_view)
        kept = definitions.routines
    found = kept.get(namespace)
    if found is None:
        if len(kept) >= _KEPT_NAMESPACES:
            kept.pop(next(iter(kept)))
        found = kept[namespace] = Routines(namespace, definitions)
    return found


def _definitions_of(
    catalog: Catalog, server_version: int, read_function: ReadFunction, read_view: ReadView
) -> Definitions:
    """Made once for a catalog: it is not changed, a newer one replaces it. Those not used lately are forgotten."""
    key = (id(catalog), server_version)
    known = _kept.pop(key, None)
    if known is None or known.catalog is not catalog:
        if len(_kept) >= _KEPT_CATALOGS:
            _kept.pop(next(iter(_kept)))
        known = Definitions(catalog, server_version, read_function, read_view)
    _kept[key] = known  # the last one is the one used last
    return known
