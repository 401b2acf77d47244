"""Where masked columns of MySQL and MariaDB have copies that no mask covers: as `rules.masking.copies` finds them for Postgres."""

from __future__ import annotations

from collections.abc import Iterator

from rules.catalog import CatalogFunction, CatalogRelation
from rules.classify.mysql.draft import SYSTEM_SCHEMAS
from rules.masking.copies import Copies, masked_columns, relation_names
from rules.masking.mysql.bodies import without_targets
from rules.masking.mysql.follow import MySqlWorld
from rules.masking.mysql.names import folded
from rules.masking.mysql.triggers import Destination, carried, destinations
from rules.masking.values import Value


def copies(world: MySqlWorld) -> Iterator[Copies]:
    yield from _triggers(world)
    yield from _routines(world)
    yield from _namesakes(world)


def _triggers(world: MySqlWorld) -> Iterator[Copies]:
    for relation in world.catalog.relations.values():
        for trigger in relation.triggers:
            found = carried(world, relation, trigger, trigger.events, None)
            if found is None or not found.held:
                continue
            readable = found.legible and bool(found.bare)
            yield Copies(
                "trigger" if readable else "unreadable trigger",
                f"trigger {trigger.name}",
                f"{relation.schema}.{relation.name}",
                relation_names(each.relation for each in found.bare),
                masked_columns(found.shown),
            )


def _routines(world: MySqlWorld) -> Iterator[Copies]:
    for (schema, name), several in world.catalog.functions.items():
        for each in several:
            if found := _routine(world, each):
                into, shown = found
                bare = relation_names(target.relation for target in into)
                found_in = f"{schema}.{name}", "", bare, masked_columns(shown)
                yield Copies("event", *found_in) if each.kind == "e" else Copies("routine", *found_in)


def _routine(world: MySqlWorld, routine: CatalogFunction) -> tuple[list[Destination], Value] | None:
    if not routine.body:
        return None
    into, _ = destinations(world, routine.body, routine.schema)
    shown = world.routines.text_shows(without_targets(routine.body)) if into else None
    if shown is None or not shown.masked:
        return None
    bare = [each for each in into if each.bare(world, shown)]
    return (bare, shown) if bare else None


def _namesakes(world: MySqlWorld) -> Iterator[Copies]:
    """Columns of a masked column's name and type, in tables where nothing masks them."""
    masked: dict[tuple[str, str], list[str]] = {}
    for relation in _users(world):
        for column in relation.columns:
            if folded(column.name) in world.marks.of(relation):
                like = masked.setdefault((folded(column.name), column.type_name), [])
                like.append(f"{relation.schema}.{relation.name}.{column.name}")
    for relation in _users(world):
        shown = world.columns(relation)
        for column, (_, value) in zip(relation.columns, shown.named, strict=True):
            found = masked.get((folded(column.name), column.type_name))
            if found is not None and not value.masked:  # what is computed from a masked column is masked with it
                of = f"{relation.schema}.{relation.name}"
                yield Copies("same name", column.name, of, (), tuple(sorted(found)[:3]))


def _users(world: MySqlWorld) -> Iterator[CatalogRelation]:
    for relation in world.catalog.relations.values():
        if relation.kind == "r" and relation.schema.lower() not in SYSTEM_SCHEMAS:
            yield relation
