"""Which columns are masked in MySQL and MariaDB: the rules of the config laid over the catalog.

A database is what a rule calls a schema. Names are compared without their case. The server's own schemas are reached only by
a rule that names them, except for what shows other people's statements or sampled values: that is masked as soon as anything is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from attrs import define, field

from rules.catalog import Catalog, CatalogRelation
from rules.classify.mysql.draft import SYSTEM_SCHEMAS, telling
from rules.masking.inheriting import EVERY_COLUMN, Move, inherited
from rules.masking.marks import REDACT, UNKNOWN, glob, unmatched
from rules.masking.mysql.names import folded, same
from rules.masking.values import Mark, Origin, Value
from rules.policy import MaskRule

# Of the views that are looked at every day, the columns that show statements or samples; of the other telling ones, all.
SAMPLES: dict[tuple[str, str], frozenset[str]] = {
    ("information_schema", "processlist"): frozenset({"info", "info_binary"}),
    ("information_schema", "innodb_trx"): frozenset({"trx_query"}),
    ("information_schema", "column_statistics"): frozenset({"histogram"}),
    ("information_schema", "user_variables"): frozenset({"variable_value"}),
    ("information_schema", "partitions"): frozenset({"partition_description"}),  # bounds by a masked column
    ("performance_schema", "processlist"): frozenset({"info"}),
    ("performance_schema", "threads"): frozenset({"processlist_info"}),
}


@define
class MySqlMarks:
    """The marks of one identity in one database."""

    catalog: Catalog
    rules: tuple[MaskRule, ...]
    moves: tuple[Move, ...] = ()  # what was written from masked columns into others
    unmasked: tuple[str, ...] = ()  # globs: columns that the identity may see for a time
    _patterns: tuple[tuple[re.Pattern[str], Mark], ...] = field(init=False)
    _by_relation: dict[tuple[str, str], dict[str, Mark]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._patterns = tuple((glob(rule.column.lower()), Mark(rule.masker, rule.argument)) for rule in self.rules)
        self._by_relation = {}
        shown = [glob(pattern.lower()) for pattern in self.unmasked]
        for relation in self.catalog.relations.values():
            if found := self._direct(relation, shown):
                self._by_relation[relation.schema, relation.name] = found
        for _ in range(len(self.moves)):  # a copy of a copy: each round reaches one further
            if not self._inherit(shown):
                break

    def _inherit(self, shown: Sequence[re.Pattern[str]]) -> bool:
        """Marks the columns that masked values were written into, whatever the case of their names. Whether any is new."""
        found: dict[tuple[str, str], list[tuple[str, Mark]]] = {}
        for (schema, name, column), mark in inherited(self.moves, self._source).items():
            found.setdefault((schema.casefold(), name.casefold()), []).append((column, mark))
        new = False
        for relation in self.catalog.relations.values() if found else ():
            for column, mark in found.get((relation.schema.casefold(), relation.name.casefold()), ()):
                new = self._take(relation, column, mark, shown) or new
        return new

    def _take(self, relation: CatalogRelation, column: str, mark: Mark, shown: Sequence[re.Pattern[str]]) -> bool:
        into = self._by_relation.setdefault((relation.schema, relation.name), {})
        new = False
        for each in relation.columns:
            full = f"{relation.schema}.{relation.name}.{each.name}".lower()
            named = column == EVERY_COLUMN or same(column, each.name)
            if named and folded(each.name) not in into and not any(pattern.fullmatch(full) for pattern in shown):
                into[folded(each.name)] = mark
                new = True
        return new

    def _source(self, origin: Origin) -> tuple[bool, Mark | None]:
        relation = self.catalog.relations.get((origin.schema, origin.relation))
        if relation is None or all(not same(each.name, origin.column) for each in relation.columns):
            return False, None
        return True, self.column(relation, origin.column)

    def _direct(self, relation: CatalogRelation, shown: Sequence[re.Pattern[str]]) -> dict[str, Mark]:
        schema, name = relation.schema.lower(), relation.name.lower()
        system = schema in SYSTEM_SCHEMAS
        found: dict[str, Mark] = {}
        if (samples := SAMPLES.get((schema, name))) is not None:
            found = dict.fromkeys(samples, REDACT)
        elif telling(schema, name):
            found = {folded(column.name): REDACT for column in relation.columns}
        for column in relation.columns:
            full = f"{schema}.{name}.{column.name.lower()}"
            if any(pattern.fullmatch(full) for pattern in shown):
                continue
            for pattern, mark in self._patterns:
                if system and pattern.pattern.startswith("."):
                    continue
                if pattern.fullmatch(full):
                    found[folded(column.name)] = mark
                    break
        return found

    @property
    def unmatched(self) -> tuple[str, ...]:
        """The rules' patterns that no column has."""
        names = [
            (f"{relation.schema}.{relation.name}.{column.name}".lower(), relation.schema.lower() in SYSTEM_SCHEMAS)
            for relation in self.catalog.relations.values()
            for column in relation.columns
        ]
        return unmatched(self.rules, names, str.lower)

    @property
    def in_use(self) -> frozenset[Mark]:
        """Every mark that the rules name."""
        return frozenset(mark for _, mark in self._patterns)

    def of(self, relation: CatalogRelation) -> dict[str, Mark]:
        return self._by_relation.get((relation.schema, relation.name), {})

    def column(self, relation: CatalogRelation, name: str) -> Mark | None:
        return self.of(relation).get(folded(name))

    @cached_property
    def everything(self) -> Value:
        """What something unknown may show: any masked column."""
        found = {
            Origin(schema, name, column, mark)
            for (schema, name), marks in self._by_relation.items()
            if schema.lower() not in SYSTEM_SCHEMAS
            for column, mark in marks.items()
        }
        return Value(frozenset(found | {UNKNOWN}))

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of masked columns, folded: wherever one is written, the tree must have it too."""
        return frozenset(
            name
            for (schema, _), marks in self._by_relation.items()
            if schema.lower() not in SYSTEM_SCHEMAS
            for name in marks
        )
