"""What a write, or a routine that writes, sets off: triggers, rules, and what foreign keys do to the tables that have them.

The server follows a foreign key's action by a statement of its own (`DELETE FROM ONLY child WHERE …`): it fires the child's
triggers and is rewritten by its rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import frozen
from pglast import ast, parser

from rules.catalog import CatalogFunction, CatalogReference, CatalogRelation
from rules.masking.follow import ANY_PATH, Follow, Node, World, isa
from rules.masking.inheriting import move
from rules.masking.routines import WRITES, saves, uncommented, words_of
from rules.masking.scope import Arguments, Scope
from rules.masking.trees import nodes
from rules.masking.triggers import (
    INTO,
    Body,
    Carried,
    body_of,
    body_of_text,
    called,
    carried,
    carried_by_event,
    may_set,
    of_users,
    rule_shows,
    stored_by,
)
from rules.masking.values import CLEAN, CONSTANT, Columns, Unsure, Value, union

NOTHING = Columns()
_FUNCTION_OF_TRIGGER = re.compile(r"\bEXECUTE (?:FUNCTION|PROCEDURE) [^(;]+\(")
ROWS = (ast.SelectStmt, ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)
Changed = frozenset[str] | None  # columns that an UPDATE sets; None: any


@frozen
class Write:
    """What happens to one relation."""

    relation: CatalogRelation
    events: frozenset[str]
    brought: Columns = NOTHING  # masked values that it puts there
    changed: Changed = None
    rules: bool = True  # those of the relation apply, as they do to all but COPY
    cascade: bool = False  # of a TRUNCATE: to whatever refers to it


def fired(
    follow: Follow,
    schema: str | None,
    name: str,
    events: frozenset[str],
    brought: Columns = NOTHING,
    *,
    changed: Changed = None,
    rules: bool = True,
    cascade: bool = False,
) -> None:
    """Findings for a write on the relation of that name. `brought`: masked values that the statement itself puts into its columns.

    One that the catalog does not know, as it was made in an open transaction, may be a view of any table.
    """
    known = list(follow.candidates(schema, name)) or list(follow.world.catalog.relations.values())
    _follow(follow, [Write(each, events, brought, changed, rules, cascade) for each in known])


def redefined(follow: Follow) -> None:
    """Findings for a change of definitions."""
    _follow(follow, _by_event(follow))


def run(follow: Follow, tree: Node) -> None:
    """Findings for the routines that a statement calls, by name, operator or view, and that write."""
    world = follow.world
    called: set[str] = set()  # here, where it is seen what they are given
    inside: set[str] = set()  # of views
    for node in nodes(tree):
        if isa(node, ast.RangeVar):
            for each in follow.candidates(node.schemaname, node.relname):
                inside |= world.calls(each)
                if world.launders(each):
                    follow.find(
                        "laundering", "hold", f"the view {each.name} keeps masked values where they can be read later"
                    )
        else:
            called.update(_callable(world, node))
    unsafe = [name for name in world.routines.writers & called - inside if not _writes_none(world, name)]
    run_named(follow, inside.union(unsafe))


def run_named(follow: Follow, names: Iterable[str]) -> None:
    _follow(follow, _by_routines(follow, names))


def run_text(follow: Follow, text: str) -> None:
    """The same for a text of statements: a block, or the body of a routine that is made."""
    # who wrote it may have hidden something behind what looks like a comment
    body = body_of_text(follow.world, f"{text}\n;{uncommented(text)}")
    _follow(follow, _done(follow, body, "it"))


def _by_routines(follow: Follow, names: Iterable[str]) -> Iterator[Write]:
    """What those of these names write that are routines of users."""
    world = follow.world
    for name in sorted(world.routines.writers.intersection(names)):
        body = body_of(world, [each for each in world.routines.named(name) if of_users(each)])
        yield from _done(follow, body, f"the routine {name}")


def _writes_none(world: World, name: str) -> bool:
    """Whether that name calls routines in language sql alone that write no masked value, nor set off what does.

    It has no variables, so what a statement of it writes comes from that statement. What it is given is the caller's business.
    """
    known = world.writes_none.get(name)
    if known is None:
        world.writes_none[name] = False  # while it is followed: one that calls itself is read as words
        users = [each for each in world.routines.named(name) if of_users(each)]
        known = world.writes_none[name] = all(_followed_writes_none(world, each) for each in users)
    return known


def _followed_writes_none(world: World, function: CatalogFunction) -> bool:
    if function.language != "sql" or world.keeping_types:
        return False
    inner = Follow(world, ANY_PATH)
    try:
        for tree in world.sql_of(function):
            if not isa(tree, ROWS):
                return False
            run(inner, tree)
            inner.query(tree, Scope(parameters=Arguments(CONSTANT)))
    except (Unsure, parser.ParseError, RecursionError, ValueError):
        return False
    return not (inner.findings or inner.unknown)


def _done(follow: Follow, body: Body, who: str) -> Iterator[Write]:
    shown = follow.world.routines.text_shows(INTO.sub(" ", body.text))
    found, _ = stored_by(follow.world, body, shown)
    if found.held:
        moves = [move(each.schema, each.name, None, shown) for each in found.bare]
        follow.laundered(shown, f"what {who} writes", *moves)
    if shown.masked and saves(body.text):
        follow.laundered(shown, f"what {who} keeps in the session")
    yield from _written_by(follow.world, found)
    if found.defines:
        yield from _by_event(follow)


def _callable(world: World, node: Node) -> Iterator[str]:
    """Names of routines that a node may call: f(x), x.f, an operator, a cast to a type of users."""
    if isa(node, ast.FuncCall):
        yield node.funcname[-1].sval
    elif isa(node, ast.A_Expr):
        yield from (function for _, function in world.catalog.operators.get(node.name[-1].sval, ()))
    elif isa(node, ast.TypeName):
        for expression in world.catalog.conversions.get(node.names[-1].sval, ()) if node.names else ():
            yield from words_of(expression)
    elif isa(node, ast.ColumnRef | ast.A_Indirection):
        last = (node.fields if isa(node, ast.ColumnRef) else node.indirection)[-1]
        if isa(last, ast.String):
            yield last.sval


def _follow(follow: Follow, begun: Iterable[Write]) -> None:
    world = follow.world
    waiting = [each for one in begun for each in _spread(world, one)]
    seen: set[tuple[int, frozenset[str], Columns, Changed]] = set()
    while waiting:
        write = waiting.pop()
        key = (write.relation.oid, write.events, write.brought, write.changed)
        if key not in seen:
            seen.add(key)
            following = [*_set_off(follow, write), *_cascaded(world, write)]
            waiting.extend(each for one in following for each in _spread(world, one))


def _set_off(follow: Follow, write: Write) -> Iterator[Write]:
    """What triggers and rules write in turn, and routines in what is computed of each row."""
    world, relation = follow.world, write.relation
    if relation.computed is not None:
        _keeps_computed(follow, write, relation.computed)
        yield from _by_routines(follow, world.routines.words_run(relation.computed))
    for trigger in relation.triggers:
        if trigger.rule is not None and not write.rules:
            continue
        found = carried(world, relation, trigger, trigger.events & write.events, write.brought)
        if found is None:
            continue
        if found.held:
            moves = [move(each.schema, each.name, None, found.shown) for each in found.bare]
            follow.laundered(found.shown, f"what the {called(trigger)} of {relation.name} writes", *moves)
        yield from _written_by(world, found)
        if found.defines:
            yield from _by_event(follow)


def _keeps_computed(follow: Follow, write: Write, computed: str) -> None:
    """A finding where what is computed of each row (checks, indexes, generated columns) gives masked values away."""
    world = follow.world
    text = _FUNCTION_OF_TRIGGER.sub(" ", computed)  # that is followed by itself
    called = [each for each in world.routines.users_in(text) if of_users(each)]
    if not called:
        return
    shown = union(world.routines.shows(each) for each in called)
    body, what = body_of(world, called), f"what is computed of each row of {write.relation.name}"
    if not body.legible or WRITES.search(body.text) or saves(body.text):
        words = words_of(text)
        named = {name: value for name, value in world.columns(write.relation).named if name in words}
        stored = union(named.values()) if "UPDATE" in write.events else CLEAN
        brought = union(value for name, value in write.brought.named if name in named)
        follow.handed(what, union([stored, brought, write.brought.rest or CLEAN, shown]))
    elif any(world.kept_by_type(column.type_name) for column in write.relation.columns):
        follow.handed(what, shown)  # a default is turned into the column's type without a word


def _by_event(follow: Follow) -> Iterator[Write]:
    """What event triggers write. One that changes definitions fires all of them again: they are all here."""
    for trigger in follow.world.catalog.event_triggers:
        found = carried_by_event(follow.world, trigger)
        if found is not None:
            if found.held:
                moves = [move(each.schema, each.name, None, found.shown) for each in found.bare]
                follow.laundered(found.shown, f"what the event trigger {trigger.name} writes", *moves)
            yield from _written_by(follow.world, found)


def _written_by(world: World, found: Carried) -> Iterator[Write]:
    for each, events in found.writes:
        # it puts there what it carries, or, where masks cover that, something like it
        brought = NOTHING
        if found.shown.masked:
            brought = Columns((), found.shown if each in found.bare else world.columns(each).everything())
        yield Write(each, events, brought, cascade=True)


def _cascaded(world: World, write: Write) -> Iterator[Write]:
    """What foreign keys that refer to the relation do."""
    relation = write.relation
    for reference in relation.references:
        child = world.catalog.by_oid.get(reference.by)
        if child is None:
            continue
        held = frozenset(reference.held)
        if "TRUNCATE" in write.events and write.cascade:
            yield Write(child, frozenset({"TRUNCATE"}), cascade=True)
        if "DELETE" in write.events and reference.on_delete is not None:
            yield Write(child, frozenset({reference.on_delete}), changed=held)
        if "UPDATE" in write.events and reference.on_update is not None and _moves_key(world, write, reference):
            yield Write(child, frozenset({reference.on_update}), changed=held)


def _moves_key(world: World, write: Write, reference: CatalogReference) -> bool:
    """Whether an UPDATE may change what the foreign key refers to."""
    key = frozenset(reference.columns)
    if write.changed is None or write.changed & key:
        return True
    relation = write.relation
    computed = any(column.generated is not None for column in relation.columns if column.name in key)
    return computed or _triggers_set(world, relation, key)


def _triggers_set(world: World, relation: CatalogRelation, columns: frozenset[str]) -> bool:
    return any(may_set(world, trigger, columns) for trigger in relation.triggers if "UPDATE" in trigger.events)


def _spread(world: World, write: Write) -> Iterator[Write]:
    """The write as each relation sees it whose rows it reaches."""
    reached = list(written(world, write.relation))
    crosses = "UPDATE" in write.events and any(
        _moves_rows(world, each, write.changed, [other for other, _ in reached]) for each, _ in reached
    )
    # Into another partition a row is moved by a DELETE and an INSERT, and brings all that it holds.
    events = write.events | {"DELETE", "INSERT"} if crosses else write.events
    for each, same_names in reached:
        brought = write.brought if same_names else Columns((), write.brought.everything())
        if crosses:
            brought = Columns((), union([brought.everything(), world.columns(each).everything()]))
        changed = write.changed if same_names else None
        yield Write(each, events, brought, changed, write.rules, write.cascade)


def _moves_rows(world: World, relation: CatalogRelation, changed: Changed, reached: Iterable[CatalogRelation]) -> bool:
    """Whether an UPDATE may put rows into another partition."""
    if relation.kind != "p":
        return False
    if changed is None or relation.partition_key is None:
        return True
    key = frozenset(relation.partition_key)
    return bool(changed & key) or any(_triggers_set(world, each, key) for each in reached)


def written(world: World, relation: CatalogRelation) -> Iterator[tuple[CatalogRelation, bool]]:
    """The relation, the partitions and children whose rows are written through it, and what is beneath a view.

    With each, whether columns have the relation's names there.
    """
    waiting, seen = [(relation, True)], {relation.oid}
    while waiting:
        found, same_names = waiting.pop()
        yield found, same_names
        beneath = words_of(found.definition) if found.kind in ("v", "f") and found.definition is not None else ()
        reached = [(child, same_names) for child in world.children(found)]
        reached += [(each, False) for word in beneath for each in world.named(word)]
        for each, names in reached:
            if each.oid not in seen:
                seen.add(each.oid)
                waiting.append((each, names))


def ruled(follow: Follow, schema: str | None, name: str, events: frozenset[str]) -> Value:
    """What a write shows in the place of its own rows, since a rule may return others."""
    world = follow.world
    return union(
        rule_shows(world, trigger)
        for named in follow.candidates(schema, name)
        for relation, _ in written(world, named)
        for trigger in relation.triggers
        if trigger.rule is not None and trigger.events & events
    )
