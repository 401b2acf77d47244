"""Where masked columns have copies that no mask covers, as far as a catalog shows: for whoever writes the masks.

Views, materialized views, partitions and generated columns are followed and need no mask of their own. What was copied before the
masks came is in other tables for good: what writes such tables (triggers, routines) says which, and so do equal names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from attrs import frozen

from rules.catalog import CatalogFunction, CatalogRelation
from rules.masking.follow import World
from rules.masking.marks import SAMPLES, SYSTEM_SCHEMAS
from rules.masking.triggers import INTO, called, carried, covers, destinations
from rules.masking.values import Value

_ROWS = frozenset({"INSERT", "UPDATE", "DELETE"})
_STORED = frozenset({"r", "p", "f"})  # relkinds that hold rows of their own
_OWN_SCHEMAS = SYSTEM_SCHEMAS | {"pg_toast"}


@frozen
class Copies:
    """One way by which masked values get to where they are not masked."""

    kind: Literal["trigger", "unreadable trigger", "routine", "event", "same name"]
    name: str  # of the trigger or rule, the routine or the column
    of: str  # the relation that it belongs to; "" for a routine
    into: tuple[str, ...] = ()  # relations
    columns: tuple[str, ...] = ()  # masked ones: schema.table.column


def copies(world: World) -> Iterator[Copies]:
    yield from _triggers(world)
    yield from _routines(world)
    yield from _namesakes(world)


def _triggers(world: World) -> Iterator[Copies]:
    for relation in world.catalog.relations.values():
        for trigger in relation.triggers:
            if _of_parent(world, relation, trigger.name):
                continue
            found = carried(world, relation, trigger, trigger.events & _ROWS, world.columns(relation))
            if found is None or not found.held:
                continue
            readable = found.legible and bool(found.bare)
            yield Copies(
                "trigger" if readable else "unreadable trigger",
                called(trigger),
                f"{relation.schema}.{relation.name}",
                relation_names(found.bare),
                masked_columns(found.shown),
            )


def _of_parent(world: World, relation: CatalogRelation, trigger: str) -> bool:
    """Partitions have the triggers of what they are a part of."""
    parents = (world.catalog.by_oid.get(oid) for oid in relation.parents)
    return any(each.name == trigger for parent in parents if parent is not None for each in parent.triggers)


def _routines(world: World) -> Iterator[Copies]:
    for (schema, name), overloads in world.catalog.functions.items():
        for each in overloads:
            if schema in _OWN_SCHEMAS or each.extension is not None or each.returns == "trigger":
                continue
            if found := _routine(world, each):
                yield Copies("routine", f"{schema}.{name}", "", relation_names(found[0]), masked_columns(found[1]))


def _routine(world: World, routine: CatalogFunction) -> tuple[list[CatalogRelation], Value] | None:
    if routine.body is None or routine.language not in ("sql", "plpgsql"):
        return None
    into, _ = destinations(world, routine.body)
    shown = world.routines.text_shows(INTO.sub(" ", routine.body)) if into else None
    if shown is None or not shown.masked:
        return None
    bare = [each for each in into if not covers(world, each, shown)]
    return (bare, shown) if bare else None


def _namesakes(world: World) -> Iterator[Copies]:
    """Columns of a masked column's name and type, in tables where nothing masks them."""
    masked: dict[tuple[str, int], list[str]] = {}
    for relation in _users(world):
        for column in relation.columns:
            if column.name in world.marks.of(relation):
                masked.setdefault((column.name, column.type_oid), []).append(
                    f"{relation.schema}.{relation.name}.{column.name}"
                )
    for relation in _users(world):
        marks = world.marks.of(relation)
        for column in relation.columns:
            like = masked.get((column.name, column.type_oid))
            if like is not None and column.name not in marks:
                yield Copies(
                    "same name", column.name, f"{relation.schema}.{relation.name}", (), tuple(sorted(like)[:3])
                )


def _users(world: World) -> Iterator[CatalogRelation]:
    for relation in world.catalog.relations.values():
        own = relation.schema in _OWN_SCHEMAS or relation.name in SAMPLES or relation.schema.startswith("pg_temp")
        if relation.kind in _STORED and not own and relation.definition is None:
            yield relation


def relation_names(relations: Iterable[CatalogRelation]) -> tuple[str, ...]:
    return tuple(sorted({f"{each.schema}.{each.name}" for each in relations}))


def masked_columns(shown: Value) -> tuple[str, ...]:
    return tuple(sorted(str(each) for each in shown.masked if each.schema != "?"))
