"""Which columns are masked: the rules of the config laid over the catalog, through inheritance and partitions.

A child table inherits its parent's marks, since it holds the same rows; a parent shows its children's rows, so it takes
theirs. Columns of the server's own catalogs that carry samples of data or other people's statements are marked as soon as
anything is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from attrs import define, field

from rules.catalog import Catalog, CatalogRelation
from rules.masking.inheriting import EVERY_COLUMN, Move, inherited
from rules.masking.values import Mark, Origin, Value
from rules.model import Identity
from rules.policy import MaskRule

REDACT = Mark("redact")
SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema"})

# Views and tables of the server that show sampled values, statement texts of others, or stored objects. "*": every column.
# They go by name in any schema, since extensions install theirs where they like.
SAMPLES: dict[str, frozenset[str]] = {
    "pg_statistic": frozenset({f"stavalues{n}" for n in range(1, 6)}),
    "pg_stats": frozenset({"most_common_vals", "histogram_bounds", "most_common_elems", "range_bounds_histogram"}),
    "pg_statistic_ext_data": frozenset({"stxdmcv", "stxdexpr"}),
    "pg_stats_ext": frozenset({"most_common_vals"}),
    "pg_stats_ext_exprs": frozenset(
        {"most_common_vals", "histogram_bounds", "most_common_elems", "range_bounds_histogram"}
    ),
    "pg_attribute": frozenset({"attmissingval"}),  # the old rows' value of a column added with a default
    "pg_stat_activity": frozenset({"query"}),
    "pg_stat_statements": frozenset({"query"}),
    "pg_stat_monitor": frozenset({"query", "comments", "message"}),
    "pg_store_plans": frozenset({"plan"}),
    "pg_qualstats": frozenset({"constvalue"}),
    "pg_qualstats_all": frozenset({"constvalue"}),
    "pg_qualstats_pretty": frozenset({"constvalue"}),
    "pg_prepared_statements": frozenset({"statement"}),
    "pg_cursors": frozenset({"statement"}),
    "pg_backend_memory_contexts": frozenset({"ident"}),  # of a cached plan: the text of its statement
    "pg_largeobject": frozenset({"data"}),
}

UNKNOWN = Origin("?", "?", "?", REDACT)  # what an unknown relation or function may show


def glob(pattern: str) -> re.Pattern[str]:
    """`*` and `?` over schema.table.column; a pattern with fewer parts stands in any schema, or in any table."""
    whole = "*." * max(0, 2 - pattern.count(".")) + pattern
    body = "".join(".*" if mark == "*" else "." if mark == "?" else re.escape(mark) for mark in whole)
    return re.compile(body, re.DOTALL)


def unmatched(
    rules: Iterable[MaskRule], columns: Sequence[tuple[str, bool]], written: Callable[[str], str]
) -> tuple[str, ...]:
    """The patterns that no column has. `columns`: with whether it is the server's own, which `*.name` does not mean."""

    def matches(pattern: re.Pattern[str]) -> bool:
        anywhere = pattern.pattern.startswith(".")
        return any(pattern.fullmatch(name) for name, system in columns if not (anywhere and system))

    return tuple(rule.column for rule in rules if not matches(glob(written(rule.column))))


def rules_for(rules: Sequence[MaskRule], database: str, identity: Identity) -> tuple[MaskRule, ...]:
    """The rules that bind this identity in this database, in their order."""

    def named(patterns: Iterable[str]) -> bool:
        return any(
            pattern == "*" or pattern == database or _simple(pattern).fullmatch(database) for pattern in patterns
        )

    return tuple(rule for rule in rules if named(rule.databases) and not (rule.except_groups & identity.groups))


def rules_elsewhere(
    rules: Sequence[MaskRule], binding: Sequence[MaskRule], identity: Identity, catalog: Catalog
) -> tuple[MaskRule, ...]:
    """The rules for other databases that may reach foreign tables of this one: which database is behind them, names do not tell."""
    if all(relation.foreign is None for relation in catalog.relations.values()):
        return ()
    return tuple(rule for rule in rules if rule not in binding and not (rule.except_groups & identity.groups))


def _simple(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if mark == "*" else "." if mark == "?" else re.escape(mark) for mark in pattern))


def _patterns(rules: Iterable[MaskRule]) -> tuple[tuple[re.Pattern[str], Mark], ...]:
    return tuple((glob(rule.column), Mark(rule.masker, rule.argument)) for rule in rules)


def _first(patterns: Iterable[tuple[re.Pattern[str], Mark]], schema: str, relation: str, column: str) -> Mark | None:
    """The mark of the first rule that matches. `*.name` means the users' tables; a rule must name a system schema to reach it."""
    name = f"{schema}.{relation}.{column}"
    system = schema in SYSTEM_SCHEMAS
    for pattern, mark in patterns:
        if pattern.fullmatch(name) and not (system and pattern.pattern.startswith(".")):
            return mark
    return None


@define
class Marks:
    """The marks of one identity in one database."""

    catalog: Catalog
    rules: tuple[MaskRule, ...]
    moves: tuple[Move, ...] = ()  # what was written from masked columns into others
    unmasked: tuple[str, ...] = ()  # globs: columns that the identity may see for a time
    elsewhere: tuple[
        MaskRule, ...
    ] = ()  # that bind the identity in other databases, over whose tables there may be foreign ones
    _open: set[tuple[str, str, str]] = field(init=False, factory=set)
    _patterns: tuple[tuple[re.Pattern[str], Mark], ...] = field(init=False)
    _elsewhere: tuple[tuple[re.Pattern[str], Mark], ...] = field(init=False)
    _by_relation: dict[tuple[str, str], dict[str, Mark]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._patterns = _patterns(self.rules)
        self._elsewhere = _patterns(self.elsewhere)
        self._by_relation = {}
        self._open = self._opened()
        for relation in self.catalog.relations.values():
            if found := self._direct(relation):
                self._by_relation[relation.schema, relation.name] = found
        self._through_inheritance()
        for _ in range(len(self.moves)):  # a copy of a copy: each round reaches one further
            if not self._inherit():
                break
            self._through_inheritance()

    def _opened(self) -> set[tuple[str, str, str]]:
        """The columns that are unmasked, those of children with them: they hold the same rows."""
        if not self.unmasked:
            return set()
        patterns = [glob(pattern) for pattern in self.unmasked]
        children: dict[int, list[CatalogRelation]] = {}
        for relation in self.catalog.relations.values():
            for parent in relation.parents:
                children.setdefault(parent, []).append(relation)
        found: set[tuple[str, str, str]] = set()
        waiting = [
            (relation, column.name)
            for relation in self.catalog.relations.values()
            if relation.schema not in SYSTEM_SCHEMAS
            for column in relation.columns
            if any(each.fullmatch(f"{relation.schema}.{relation.name}.{column.name}") for each in patterns)
        ]
        while waiting:
            relation, name = waiting.pop()
            if (relation.schema, relation.name, name) not in found:
                found.add((relation.schema, relation.name, name))
                waiting.extend((child, name) for child in children.get(relation.oid, ()))
        return found

    def _inherit(self) -> bool:
        """Marks the columns that masked values were written into. Whether any is new."""
        new = False
        for (schema, name, column), mark in inherited(self.moves, self._source).items():
            for relation in self._named(schema, name):
                into = self._by_relation.setdefault((relation.schema, name), {})
                for each in relation.columns:
                    named = column in (each.name, EVERY_COLUMN)
                    if named and each.name not in into and (relation.schema, name, each.name) not in self._open:
                        into[each.name] = mark
                        new = True
        return new

    def _named(self, schema: str, name: str) -> Iterable[CatalogRelation]:
        """Temporary tables are in a schema of their session's, whose number says nothing."""
        if schema == "pg_temp":
            return [each for each in self.catalog.named(name) if each.schema.startswith("pg_temp")]
        found = self.catalog.relations.get((schema, name))
        return [] if found is None else [found]

    def _source(self, origin: Origin) -> tuple[bool, Mark | None]:
        relation = self.catalog.relations.get((origin.schema, origin.relation))
        if relation is None or all(column.name != origin.column for column in relation.columns):
            return False, None
        return True, self.column(relation, origin.column)

    def _direct(self, relation: CatalogRelation) -> dict[str, Mark]:
        if relation.schema == "pg_toast":  # the out-of-line pieces of any table's values
            return {column.name: REDACT for column in relation.columns}
        found = dict.fromkeys(SAMPLES.get(relation.name, ()), REDACT)
        for column in relation.columns:
            if (relation.schema, relation.name, column.name) in self._open:
                continue
            mark = _first(self._patterns, relation.schema, relation.name, column.name)
            if mark is not None:
                found[column.name] = mark
        return {**self._foreign(relation), **found}

    def _foreign(self, relation: CatalogRelation) -> dict[str, Mark]:
        """Of a foreign table, by the names of what it stands for. One over this database is followed as a view is."""
        foreign = relation.foreign
        if foreign is None:
            return {}
        patterns = self._elsewhere if relation.definition is not None else (*self._patterns, *self._elsewhere)
        samples = SAMPLES.get(foreign.table, frozenset())
        found: dict[str, Mark] = {}
        for column, there in zip(relation.columns, foreign.columns, strict=True):
            mark = _first(patterns, foreign.schema, foreign.table, there)
            if mark is None and (there in samples or foreign.schema == "pg_toast"):
                mark = REDACT
            if mark is not None and (relation.schema, relation.name, column.name) not in self._open:
                found[column.name] = mark
        return found

    def _through_inheritance(self) -> None:
        children: dict[int, list[CatalogRelation]] = {}
        for relation in self.catalog.relations.values():
            for parent in relation.parents:
                children.setdefault(parent, []).append(relation)
        direct = {key: dict(marks) for key, marks in self._by_relation.items()}
        for key, marks in direct.items():
            relation = self.catalog.relations[key]
            self._spread(relation, marks, lambda found: children.get(found.oid, ()), set())
            self._spread(relation, marks, self._parents, set())

    def _parents(self, relation: CatalogRelation) -> Iterable[CatalogRelation]:
        return (found for oid in relation.parents if (found := self.catalog.by_oid.get(oid)) is not None)

    def _spread(
        self,
        relation: CatalogRelation,
        marks: dict[str, Mark],
        step: Callable[[CatalogRelation], Iterable[CatalogRelation]],
        seen: set[int],
    ) -> None:
        for other in step(relation):
            if other.oid in seen:
                continue
            seen.add(other.oid)
            names = {column.name for column in other.columns}
            into = self._by_relation.setdefault((other.schema, other.name), {})
            for name, mark in marks.items():
                if name in names and (other.schema, other.name, name) not in self._open:
                    into.setdefault(name, mark)
            self._spread(other, marks, step, seen)

    @property
    def unmatched(self) -> tuple[str, ...]:
        """The rules' patterns that no column has."""
        names = [
            (f"{relation.schema}.{relation.name}.{column.name}", relation.schema in SYSTEM_SCHEMAS)
            for relation in self.catalog.relations.values()
            for column in relation.columns
        ]
        return unmatched(self.rules, names, lambda pattern: pattern)

    @property
    def any_foreign(self) -> bool:
        return any(self._foreign(relation) for relation in self.catalog.relations.values())

    @property
    def in_use(self) -> frozenset[Mark]:
        """Every mark that the rules name."""
        return frozenset(mark for _, mark in (*self._patterns, *self._elsewhere))

    def of(self, relation: CatalogRelation) -> dict[str, Mark]:
        return self._by_relation.get((relation.schema, relation.name), {})

    def column(self, relation: CatalogRelation, name: str) -> Mark | None:
        return self.of(relation).get(name)

    @cached_property
    def everything(self) -> Value:
        """What something unknown may show: any masked column."""
        found = {
            Origin(schema, name, column, mark)
            for (schema, name), marks in self._by_relation.items()
            if schema not in SYSTEM_SCHEMAS and schema != "pg_toast" and name not in SAMPLES
            for column, mark in marks.items()
        }
        return Value(frozenset(found | {UNKNOWN}))
