"""What the triggers of a MySQL table do with masked values when it is written: they may copy them where no mask covers them.

A trigger's body is cut into words, with those of the routines that it calls. It carries the masked columns that it names behind NEW
and OLD, and what the tables it reads show. That is safe where nothing is stored, where a column is set from itself, and where the
columns that it writes are masked. Cascades of foreign keys fire no triggers here.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from rules.catalog import CatalogRelation, CatalogTrigger
from rules.classify.mysql.lexer import Token
from rules.masking.inheriting import Move, move
from rules.masking.mysql.bodies import (
    assignments,
    cut,
    keeps_elsewhere,
    of_the_row,
    set_in_the_row,
    statements_of,
    without_targets,
    writes,
)
from rules.masking.mysql.follow import OTHER, TEXT, Follow, MySqlWorld, kind_of
from rules.masking.mysql.names import folded
from rules.masking.mysql.routines import DYNAMIC, words_of
from rules.masking.values import CLEAN, Value, union

_HANDING = frozenset({"CALL", "DECLARE", "RETURN", "FETCH", "INTO", "DO"})  # a value goes where these words do not say
_RAISING = frozenset({"SIGNAL", "RESIGNAL"})


@frozen
class Destination:
    """A relation that a body writes."""

    relation: CatalogRelation
    events: frozenset[str]
    columns: frozenset[str] | None  # folded; None: any

    def bare(self, world: MySqlWorld, shown: Value) -> tuple[str, ...]:
        """Those of the columns that could take one of the values and are not masked."""
        types = [world.type_of(origin) for origin in shown.masked]
        kinds = None if None in types else {kind_of(each or "") for each in types}
        marks = world.marks.of(self.relation)
        return tuple(
            column.name
            for column in self.relation.columns
            if not column.generated
            and (self.columns is None or folded(column.name) in self.columns)
            and (kinds is None or kind_of(column.type_name) in kinds | {TEXT, OTHER})
            and folded(column.name) not in marks
        )


@frozen
class Carried:
    """What a trigger does with masked values."""

    shown: Value  # those that it takes
    into: tuple[Destination, ...]  # the relations that it writes; its own by SET NEW
    bare: tuple[Destination, ...]  # those of them where no mask covers all that it could put there
    legible: bool  # it does nothing but what its words say
    held: bool  # a write that fires it is

    def moves(self, world: MySqlWorld) -> Iterator[Move]:
        for each in self.bare:
            for column in each.bare(world, self.shown):
                yield move(each.relation.schema, each.relation.name, column, self.shown)


@frozen
class _Body:
    """A trigger's body with the routines that it calls."""

    texts: tuple[tuple[str, str], ...]  # each with the database that its names are looked up in
    tokens: tuple[Token, ...]  # of the trigger's own
    legible: bool


def fired(follow: Follow, schema: str | None, name: str, events: frozenset[str], brought: Value = CLEAN) -> Value:
    """Findings for a write on the relation of that name, and what its rows may show by then.

    `brought`: masked values that the statement itself puts there.

    One that the catalog does not know, as it was made a moment ago, may be a view of any table; a temporary table has no triggers.
    """
    world = follow.world
    known = follow.candidates(schema, name)
    if not known and any(name.casefold() == other.casefold() for other in follow.namespace.temporary):
        return CLEAN
    shown: list[Value] = []
    written = {found.oid: found for relation in known for found in world.written_through(relation)}
    waiting = [(each, events, brought) for each in (written.values() if known else world.catalog.relations.values())]
    seen: set[tuple[int, frozenset[str], Value]] = set()
    while waiting:
        relation, happening, value = waiting.pop()
        if (relation.oid, happening, value) in seen:
            continue
        seen.add((relation.oid, happening, value))
        for trigger in relation.triggers:
            found_out = carried(world, relation, trigger, trigger.events & happening, value)
            if found_out is None:
                continue
            if found_out.held:
                into = f"what the trigger {trigger.name} of {relation.name} writes"
                follow.laundered(found_out.shown, into, found_out.moves(world))
                shown.append(found_out.shown)
            # what it writes fires the triggers of other tables in turn: with what their masked columns hold, or what none covers
            for each in found_out.into:
                for found in world.written_through(each.relation):
                    own = world.columns(found).everything()
                    waiting.append((found, each.events, found_out.shown if each in found_out.bare else own))
    return union(shown)


def carried(
    world: MySqlWorld, relation: CatalogRelation, trigger: CatalogTrigger, events: frozenset[str], brought: Value | None
) -> Carried | None:
    """What a trigger does with masked values when it fires on these events; None: it takes none.

    `brought`: what the write puts into any column; None: into each what it holds.
    """
    if not events:
        return None
    body = _body(world, relation, trigger)
    # what an INSERT brings is the client's own, unless it comes from a masked column
    stored = events != {"INSERT"}
    shown = _shown(world, relation, body, stored, brought)
    if not shown.masked:
        return None
    into: list[Destination] = []
    all_known = True
    for text, database in body.texts:
        found, known = destinations(world, text, database)
        into += found
        all_known = all_known and known
    bare = [each for each in into if each.bare(world, shown)]
    elsewhere = any(keeps_elsewhere(cut(text) or ()) for text, _ in body.texts)
    covered = body.legible and all_known and not bare and not elsewhere
    stays = covered and _stays(world, relation, body.tokens, shown)
    own = Destination(relation, frozenset(), frozenset(set_in_the_row(body.tokens)))
    if not stays and own.bare(world, shown):
        bare.append(own)
    return Carried(shown, (*into, own), tuple(bare), body.legible, not stays)


def _body(world: MySqlWorld, relation: CatalogRelation, trigger: CatalogTrigger) -> _Body:
    text = trigger.body or ""
    own = cut(text)
    parts = {-1: (text, relation.schema)}
    legible = own is not None and not DYNAMIC.search(text)
    waiting = [text]
    while waiting:
        for word in words_of(waiting.pop()):
            for each in world.routines.named(word):
                if id(each) in parts:
                    continue
                if not each.body or cut(each.body) is None or DYNAMIC.search(each.body):
                    legible = False
                parts[id(each)] = (each.body or "", each.schema)
                waiting.append(each.body or "")
    return _Body(tuple(parts.values()), own or (), legible)


def _shown(world: MySqlWorld, relation: CatalogRelation, body: _Body, stored: bool, brought: Value | None) -> Value:
    columns = world.columns(relation)
    stored, brought = stored or brought is None, brought or CLEAN
    read = union(world.routines.text_shows(without_targets(text)) for text, _ in body.texts)
    if not body.legible:
        return union([read, brought, world.marks.everything, *([columns.everything()] if stored else [])])
    named = of_the_row(body.tokens)
    own = [value for name, value in columns.named if name is not None and folded(name) in named]
    return union([*(own if stored else []), brought if own else CLEAN, read])


def _stays(world: MySqlWorld, relation: CatalogRelation, tokens: tuple[Token, ...], shown: Value) -> bool:
    """Whether, but for what is written into tables, no masked value is put elsewhere than into the column that it stands in."""
    own = [(folded(name or ""), value.masked & shown.masked) for name, value in world.columns(relation).named]
    if shown.masked - frozenset().union(*(found for _, found in own)):
        return False  # of another table
    masked = {name for name, found in own if found}
    return all(_part_stays(part, masked) for part in statements_of(tokens))


def _part_stays(part: tuple[Token, ...], masked: set[str]) -> bool:
    words = {token.word for token in part}
    if of_the_row(part).isdisjoint(masked) or any(True for _ in writes(part)):
        return True
    if not _HANDING.isdisjoint(words):
        return False
    at = next((at for at, token in enumerate(part) if token.word == "SET"), None)
    if at is None:
        return True  # what it asks is no value that is kept
    for each in assignments(part, at):
        taken = of_the_row(each.expression) & masked
        if not taken <= _column_of(each.target):
            return False
    return bool(words & _RAISING) or of_the_row(part[:at]).isdisjoint(masked)


def _column_of(target: tuple[str, ...]) -> set[str]:
    return {folded(target[1])} if len(target) == 2 and target[0].lower() == "new" else set()


def destinations(world: MySqlWorld, text: str, database: str) -> tuple[list[Destination], bool]:
    """The relations that a body writes, and whether the catalog knows all that it names there."""
    tokens = cut(text)
    found: list[Destination] = []
    all_known = tokens is not None
    for each in writes(tokens or ()):
        named = world.named(each.schema or database, each.name)
        all_known = all_known and bool(named)
        columns = None if each.columns is None else frozenset(map(folded, each.columns))
        found += [Destination(relation, each.events, columns) for relation in named]
    return found, all_known
