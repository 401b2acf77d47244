"""What the triggers of a table do with masked values when it is written: they may copy them where no mask covers them.

A trigger's routine is read as words, like other routines in PL/pgSQL: it carries the masked columns of its table that it names, all
of them where it takes a row whole, and what the tables it reads reveal. That is safe where nothing is stored, where a column is
set from itself, and where every relation that it writes masks what the values could be put into. Who could make a trigger look
harmless could read the table: this guards against triggers that were there before the masks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import frozen

from rules.catalog import CatalogFunction, CatalogRelation, CatalogTrigger
from rules.masking.follow import Follow, World
from rules.masking.inheriting import move
from rules.masking.routines import DYNAMIC, words_of
from rules.masking.values import CLEAN, Value, union

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_HEAD = re.compile(rf"\bON (?:INSERT|UPDATE|DELETE) TO\s+{_NAME}(?:\.{_NAME})?")  # of CREATE RULE, up to what it does
INTO = re.compile(
    rf"\b(?:insert\s+into|merge\s+into|update(?!\s+set\b))\s+(?:only\s+)?({_NAME}(?:\s*\.\s*{_NAME})?)", re.IGNORECASE
)
_STORES = re.compile(
    r"\b(?:insert|update|merge|copy|perform|call|create|set_config|into|lo_\w+|dblink\w*)\b", re.IGNORECASE
)
_HANDED_BACK = re.compile(
    r"\breturn\s+(?:new|old|coalesce\s*\(\s*(?:new|old)\s*,\s*(?:new|old)\s*\))\s*;", re.IGNORECASE
)
_WHOLE_ROW = re.compile(r"\b(?:new|old)\b(?!\s*\.\s*[\w\"])", re.IGNORECASE)
_SET = re.compile(rf"\bnew\s*\.\s*({_NAME})\s*:?=", re.IGNORECASE)
# Of the server and of its extensions: they keep nothing of the row, or tell it in a notification, whose payload does not pass.
_STORING = frozenset({"INSERT", "UPDATE"})
_HARMLESS = frozenset(
    """
    suppress_redundant_updates_trigger moddatetime autoinc insert_username lo_manage triggered_change_notification
    """.split()  # noqa: SIM905
)
_LEXEMES = frozenset({"tsvector_update_trigger", "tsvector_update_trigger_column"})
_TSVECTOR = 3614
# What can take a value of any type, beside columns of the value's own: text, varchar, bpchar, name, bytea, json, jsonb, xml.
_DOCUMENTS = frozenset({0, 17, 19, 25, 114, 142, 1042, 1043, 3802})


@frozen
class _Body:
    """A trigger's routine with those that it calls."""

    text: str  # without comments
    legible: bool  # every part is in a language that names what it touches
    supplied: bool  # by the server or an extension: it works on its own row


@frozen
class Carried:
    """What a trigger does with masked values."""

    shown: Value  # those that it takes
    into: tuple[CatalogRelation, ...]  # the relations that it writes
    bare: tuple[CatalogRelation, ...]  # those of them where no mask covers all that it could put there
    legible: bool  # it does nothing but what its words say
    held: bool  # a write that fires it is


def fired(
    follow: Follow, schema: str | None, name: str, events: frozenset[str], brought: Value = CLEAN, *, rules: bool = True
) -> None:
    """Findings for a write on the relation of that name. `brought`: masked values that the statement itself puts there.

    `rules`: those of the relation apply too, as they do to all but COPY.

    One that the catalog does not know, as it was made in an open transaction, may be a view of any table.
    """
    world = follow.world
    known = list(follow.candidates(schema, name))
    written = {found.oid: found for relation in known for found in _written(world, relation)}
    waiting = [(each, events, brought) for each in (written.values() if known else world.catalog.relations.values())]
    seen: set[tuple[int, frozenset[str], Value]] = set()
    while waiting:
        relation, happening, value = waiting.pop()
        if (relation.oid, happening, value) in seen:
            continue
        seen.add((relation.oid, happening, value))
        for trigger in relation.triggers:
            if trigger.rule is not None and not rules:
                continue
            found_out = carried(world, relation, trigger, trigger.events & happening, value)
            if found_out is None:
                continue
            if found_out.held:
                moves = [move(each.schema, each.name, None, found_out.shown) for each in found_out.bare]
                follow.laundered(found_out.shown, f"what the {called(trigger)} of {relation.name} writes", *moves)
            # what it writes fires the triggers of other tables in turn: with what their masked columns hold, or what none covers
            for each in found_out.into:
                for found in _written(world, each):
                    own = world.columns(found).everything()
                    waiting.append((found, _STORING, found_out.shown if each in found_out.bare else own))


def called(trigger: CatalogTrigger) -> str:
    return f"{'trigger' if trigger.rule is None else 'rule'} {trigger.name}"


def ruled(follow: Follow, schema: str | None, name: str, events: frozenset[str]) -> Value:
    """What a write shows in the place of its own rows, since a rule may return others."""
    world = follow.world
    found = [
        world.routines.text_shows(_done_by(trigger.rule))
        for named in follow.candidates(schema, name)
        for relation in _written(world, named)
        for trigger in relation.triggers
        if trigger.rule is not None and trigger.events & events
    ]
    return union(found)


def _written(world: World, relation: CatalogRelation) -> Iterator[CatalogRelation]:
    """The relation, the partitions and children whose rows are written through it, and what is beneath a view."""
    waiting, seen = [relation], {relation.oid}
    while waiting:
        found = waiting.pop()
        yield found
        beneath = words_of(found.definition) if found.kind == "v" and found.definition is not None else ()
        for child in (*world.children(found), *(each for word in beneath for each in world.named(word))):
            if child.oid not in seen:
                seen.add(child.oid)
                waiting.append(child)


def carried(
    world: World, relation: CatalogRelation, trigger: CatalogTrigger, events: frozenset[str], brought: Value
) -> Carried | None:
    """What a trigger does with masked values when it fires on these events; None: it takes none."""
    body = _body(world, trigger)
    if not events or (body.supplied and trigger.function in _HARMLESS):
        return None
    if body.supplied and trigger.function in _LEXEMES:
        marks = world.marks.of(relation)
        if all(column.name in marks for column in relation.columns if column.type_oid == _TSVECTOR):
            return None
    held = world.columns(relation)
    # what an INSERT brings is the client's own, unless it comes from a masked column
    stored = held.everything() if events - {"INSERT"} else CLEAN
    shown = _carried(world, body, trigger, held.named, stored, brought)
    if not shown.masked:
        return None
    into, all_known = destinations(world, body.text)
    bare = [each for each in into if not covers(world, each, shown)]
    covered = body.legible and all_known and not bare and (bool(into) or not _STORES.search(body.text))
    stays = covered and _stays_in_its_column(body.text, held.named, shown)
    return Carried(shown, tuple(into), tuple(bare), body.legible, not stays)


def _body(world: World, trigger: CatalogTrigger) -> _Body:
    found = world.catalog.functions.get((trigger.schema, trigger.function), ())
    parts: dict[int, str] = {}
    legible = bool(found)
    if trigger.rule is not None:
        text = _done_by(trigger.rule)
        found = tuple(one for word in words_of(text) for one in world.routines.named(word) if _of_users(one))
        parts[0] = text
        legible = not DYNAMIC.search(text)
    waiting: list[CatalogFunction] = list(found)
    while waiting:
        each = waiting.pop()
        if id(each) in parts or (each.extension is None and each.schema == "pg_catalog" and each not in found):
            continue
        if each.language not in ("plpgsql", "sql") or each.body is None:
            legible = False
            continue
        text = parts[id(each)] = _COMMENT.sub(" ", each.body)
        if DYNAMIC.search(text):
            legible = False
        for word in words_of(text):
            waiting.extend(one for one in world.routines.named(word) if _of_users(one))
    supplied = (
        bool(found)
        and trigger.rule is None
        and all(each.schema == "pg_catalog" or each.extension is not None for each in found)
    )
    return _Body("\n;".join(parts.values()), legible, supplied)


def _done_by(rule: str) -> str:
    """What stands behind the name of its table."""
    return _HEAD.sub(" ", rule, count=1)


def _of_users(routine: CatalogFunction) -> bool:
    return routine.schema != "pg_catalog" and routine.extension is None


def _carried(
    world: World,
    body: _Body,
    trigger: CatalogTrigger,
    columns: Iterable[tuple[str | None, Value]],
    stored: Value,
    brought: Value,
) -> Value:
    """`stored`: what the table's own columns hold; `brought`: what the write puts into any of them."""
    both = union([stored, brought])
    if not body.legible:
        return both if body.supplied else union([both, world.marks.everything])
    words = words_of(body.text)
    read = world.routines.text_shows(INTO.sub(" ", body.text))  # what it writes into, it does not read
    if trigger.transition or _WHOLE_ROW.search(_HANDED_BACK.sub(" ", body.text)):
        return union([both, read])
    named = [value for name, value in columns if name is None or name in words or name.lower() in words]
    return union([stored if union(named).masked else CLEAN, brought if named else CLEAN, read])


def _stays_in_its_column(text: str, columns: Iterable[tuple[str | None, Value]], shown: Value) -> bool:
    """Whether, but for what is written into relations, no masked value is put elsewhere than into the column that it stands in."""
    masked = {name for name, value in columns if name is not None and value.masked & shown.masked}
    if {origin.column for origin in shown.masked} - masked:
        return False  # of another table
    if any(";" in quoted for quoted in re.findall(r"'(?:[^']|'')*'", text)):
        return False  # the cut below would be elsewhere
    return all(_part_stays(part, masked) for part in text.split(";"))


def _part_stays(part: str, masked: set[str]) -> bool:
    inside = words_of(part) & masked
    whole = _WHOLE_ROW.search(_HANDED_BACK.sub(" ", part + ";")) is not None
    if not inside and not whole:
        return True
    into = {_plain(name) for name in _SET.findall(part)}
    if INTO.search(part):
        return not into and ":=" not in part and not _STORES.search(INTO.sub(" ", part))
    if _STORES.search(part):
        return False
    return "=" not in part or (not whole and len(into) == 1 and inside <= into)


def destinations(world: World, text: str) -> tuple[list[CatalogRelation], bool]:
    """The relations that a body writes, and whether the catalog knows all that it names there."""
    found: list[CatalogRelation] = []
    all_known = True
    for name in INTO.findall(text):
        parts = [_plain(part) for part in re.findall(_NAME, name)]
        named = world.named(parts[-1])
        all_known = all_known and bool(named)
        found.extend(named)
    return found, all_known


def covers(world: World, relation: CatalogRelation, shown: Value) -> bool:
    """Whether every column that could take one of the values is masked."""
    types = {
        column.type_oid
        for origin in shown.masked
        if (source := world.catalog.relations.get((origin.schema, origin.relation))) is not None
        for column in source.columns
        if column.name == origin.column
    }
    marks = world.marks.of(relation)
    return all(
        column.name in marks for column in relation.columns if column.type_oid in types or column.type_oid in _DOCUMENTS
    )


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name[:1] == '"' else name.lower()
