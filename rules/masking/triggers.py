"""What the triggers of a table do with masked values when it is written: they may copy them where no mask covers them.

A trigger's routine is read as words, like other routines in PL/pgSQL: it carries the masked columns of its table that it names, all
of them where it takes a row whole, and what the tables it reads reveal. That is safe where nothing is stored, where a column is
set from itself, and where every relation that it writes masks what the values could be put into. Who could make a trigger look
harmless could read the table: this guards against triggers that were there before the masks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from attrs import evolve, frozen

from rules.catalog import CatalogFunction, CatalogRelation, CatalogTrigger
from rules.masking.follow import World
from rules.masking.routines import DEFINES, DYNAMIC, uncommented, words_of
from rules.masking.values import CLEAN, Columns, NamedValue, Value, union

_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_ONE = rf"(?:\s+|(?=\"))(?:only\b\s*\(?\s*)?({_NAME}(?:\s*\.\s*{_NAME})?)"  # a table, in whatever way it is named
_HEAD = re.compile(rf"\bON (?:INSERT|UPDATE|DELETE) TO\s+{_NAME}(?:\.{_NAME})?")  # of CREATE RULE, up to what it does
INTO = re.compile(rf"\b(?:insert\s+into|merge\s+into|update(?!\s+set\b)){_ONE}", re.IGNORECASE)
_FROM = re.compile(rf"\bdelete\s+from{_ONE}", re.IGNORECASE)
_EMPTIED = re.compile(r"\btruncate(?=[\s\"])([^;]*)", re.IGNORECASE)
_OWN_TEXT = re.compile(r"\bcurrent_query\b", re.IGNORECASE)  # of a change of definitions: what the client wrote
_STORES = re.compile(
    r"\b(?:insert|update|merge|copy|perform|call|create|set_config|into|lo_\w+|dblink\w*)\b", re.IGNORECASE
)
_HANDED_BACK = re.compile(
    r"\breturn\s+(?:new|old|coalesce\s*\(\s*(?:new|old)\s*,\s*(?:new|old)\s*\))\s*;", re.IGNORECASE
)
_WHOLE_ROW = re.compile(r"\b(?:new|old)\b(?!\s*\.\s*[\w\"])", re.IGNORECASE)
_SET = re.compile(rf"\bnew\s*\.\s*({_NAME})\s*:?=", re.IGNORECASE)
_STORING = frozenset({"INSERT", "UPDATE"})
# Of the server and of its extensions: they keep nothing of the row, or tell it in a notification, whose payload does not pass.
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
class Body:
    """What runs: a trigger's routine, a rule or a block, with the routines that it calls."""

    text: str  # without comments
    legible: bool  # every part is in a language that names what it touches
    supplied: bool  # by the server or an extension: it works on its own row


@frozen
class Carried:
    """What a trigger does with masked values."""

    shown: Value  # those that it takes
    bare: tuple[CatalogRelation, ...]  # relations that it writes where no mask covers all that it could put there
    writes: tuple[tuple[CatalogRelation, frozenset[str]], ...]  # all that it writes, with what happens there
    defines: bool  # it may change definitions, which fires event triggers
    legible: bool  # it does nothing but what its words say
    held: bool  # a write that fires it is


def called(trigger: CatalogTrigger) -> str:
    return f"{'trigger' if trigger.rule is None else 'rule'} {trigger.name}"


def rule_shows(world: World, rule: CatalogTrigger) -> Value:
    """What a rule's own statements can return."""
    return CLEAN if rule.rule is None else world.routines.text_shows(_done_by(rule.rule))


def may_set(world: World, trigger: CatalogTrigger, columns: frozenset[str]) -> bool:
    """Whether a trigger of the row may set one of its columns."""
    if trigger.rule is not None:
        return False
    body = _body(world, trigger)
    if body.supplied:
        return trigger.function not in _HARMLESS | _LEXEMES
    if not body.legible or _WHOLE_ROW.search(_HANDED_BACK.sub(" ", body.text)):
        return True
    return bool({_plain(name) for name in re.findall(rf"\bnew\s*\.\s*({_NAME})", body.text, re.IGNORECASE)} & columns)


def carried(
    world: World, relation: CatalogRelation, trigger: CatalogTrigger, events: frozenset[str], brought: Columns
) -> Carried | None:
    """What a trigger does with masked values, and writes, when it fires on these events; None: neither.

    `brought`: what the write puts into each column, or, as its rest, into any.
    """
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
    shown = _carried(world, body, trigger, relation, held.named, stored, brought)
    found, all_known = stored_by(world, body, shown)
    if not shown.masked:
        return found
    covered = (
        body.legible
        and all_known
        and not found.bare
        and (bool(INTO.search(body.text)) or not _STORES.search(body.text))
    )
    stays = covered and _stays_in_its_column(body.text, held.named, shown)
    return evolve(found, held=not stays)


def carried_by_event(world: World, trigger: CatalogTrigger) -> Carried | None:
    """What an event trigger does: it has no rows of its own. None: it came with an extension, and carries none."""
    body = _body(world, trigger)
    if body.supplied:
        return None
    text = INTO.sub(" ", _OWN_TEXT.sub(" ", body.text))
    shown = world.routines.text_shows(text) if body.legible else world.marks.everything
    found, all_known = stored_by(world, body, shown)
    covered = body.legible and all_known and not found.bare and not _STORES.search(text)
    return evolve(found, held=bool(shown.masked) and not covered)


def stored_by(world: World, body: Body, shown: Value) -> tuple[Carried, bool]:
    """What a body that carries `shown` writes, and whether the catalog knows all that it names there."""
    into, all_known = destinations(world, body.text)
    writes = [*((each, _STORING) for each in into), *_removed(world, body.text)]
    bare = [each for each in into if shown.masked and not covers(world, each, shown)]
    defines = DEFINES.search(body.text) is not None or not (body.legible or body.supplied)
    return Carried(shown, tuple(bare), tuple(writes), defines, body.legible, bool(bare)), all_known


def _body(world: World, trigger: CatalogTrigger) -> Body:
    if trigger.rule is not None:
        return body_of_text(world, _done_by(trigger.rule))
    found = world.catalog.functions.get((trigger.schema, trigger.function), ())
    return body_of(world, found)


def body_of(world: World, routines: Sequence[CatalogFunction]) -> Body:
    """Of routines, with those that they call."""
    supplied = bool(routines) and not any(of_users(each) for each in routines)
    return _gathered(world, routines, "", bool(routines), supplied)


def body_of_text(world: World, text: str) -> Body:
    """Of statements, with the routines that they call."""
    called = [one for word in world.routines.words_run(text) for one in world.routines.named(word) if of_users(one)]
    return _gathered(world, called, text, not DYNAMIC.search(text), False)


def _gathered(world: World, first: Sequence[CatalogFunction], text: str, legible: bool, supplied: bool) -> Body:
    parts: dict[int, str] = {0: text}
    waiting = list(first)
    while waiting:
        each = waiting.pop()
        if id(each) in parts or (each.extension is None and each.schema == "pg_catalog" and each not in first):
            continue
        if each.language not in ("plpgsql", "sql") or each.body is None:
            legible = False
            continue
        own = parts[id(each)] = uncommented(each.body)
        if DYNAMIC.search(own):
            legible = False
        for word in world.routines.words_run(own, each.types):
            waiting.extend(one for one in world.routines.named(word) if of_users(one))
    return Body("\n;".join(parts.values()), legible, supplied)


def _done_by(rule: str) -> str:
    """What stands behind the name of its table."""
    return _HEAD.sub(" ", rule, count=1)


def of_users(routine: CatalogFunction) -> bool:
    return routine.schema != "pg_catalog" and routine.extension is None


def _carried(
    world: World,
    body: Body,
    trigger: CatalogTrigger,
    relation: CatalogRelation,
    columns: Sequence[NamedValue],
    stored: Value,
    brought: Columns,
) -> Value:
    """`stored`: what the table's own columns hold; `brought`: what the write puts into them."""
    both = union([stored, brought.everything()])
    if not body.legible:
        return both if body.supplied else union([both, world.marks.everything])
    words = words_of(body.text)
    read = world.routines.text_shows(INTO.sub(" ", body.text))  # what it writes into, it does not read
    if trigger.transition or _WHOLE_ROW.search(_HANDED_BACK.sub(" ", body.text)):
        return union([both, read])
    named = {name: value for name, value in columns if name is None or name in words or name.lower() in words}
    if any(column.generated is not None for column in relation.columns if column.name in named):
        taken = brought.everything()
    else:
        taken = union(value for name, value in brought.named if name is None or name in named)
        taken = union([taken, brought.rest or CLEAN]) if named else CLEAN
    return union([stored if union(named.values()).masked else CLEAN, taken, read])


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


def _removed(world: World, text: str) -> Iterator[tuple[CatalogRelation, frozenset[str]]]:
    """The relations of which a body deletes rows, or that it empties."""
    for name in _FROM.findall(text):
        for each in world.named(_plain(re.findall(_NAME, name)[-1])):
            yield each, frozenset({"DELETE"})
    for names in _EMPTIED.findall(text):
        for word in words_of(names):
            for each in world.named(word):
                yield each, frozenset({"TRUNCATE"})


def covers(world: World, relation: CatalogRelation, shown: Value) -> bool:
    """Whether every column that could take one of the values is masked, and no code of users keeps what is put there."""
    if any(world.kept_by_type(column.type_name) for column in relation.columns):
        return False
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
