"""From what a walk found to a `Statement`, with the statement that it may carry inside."""

from __future__ import annotations

from typing import TypeVar

from rules.classify.postgres.inner import inner_statement
from rules.classify.postgres.tree import Node, Parsed, constant, options
from rules.classify.postgres.walk import Reading, Scope, Walk, handles
from rules.model import Effect, Kind, NameEffect, Statement

T = TypeVar("T")
_FALSE = frozenset({"false", "off", "0"})
_CARRIERS = {"PrepareStmt": "query", "DeclareCursorStmt": "query", "ExplainStmt": "query", "CopyStmt": "query"}
_NESTED = 8  # EXPLAIN of EXPLAIN is no SQL; EXPLAIN of DECLARE of … ends soon


def statement_of(
    parsed: Parsed, reading: Reading, index: int = 0, batch: int = 1, *, depth: int = 0, redefined: bool = False
) -> Statement:
    """Classifies one statement of a parsed text. `redefined`: the definitions that are known may have changed before it."""
    walk = Walk(reading, parsed.node, parsed.tag, parsed.text)
    walk.run()
    carried = _CARRIERS.get(parsed.tag)
    if carried is not None and carried in parsed.node:
        _with_inner(walk, parsed, parsed.node[carried], reading, depth)
    _with_definitions(walk)
    if redefined and walk.called:
        walk.effects.add(Effect.UNKNOWN)
    if parsed.tag == "CallStmt" and Effect.UNKNOWN in walk.effects:
        walk.effects.add(Effect.CODE)
    return _finished(walk, index, batch)


def _with_definitions(walk: Walk) -> None:
    definitions = walk.reading.routines.definitions
    if definitions is not None:
        for called in walk.called:
            done = definitions.effects(called)
            walk.calls_ddl = walk.calls_ddl or Effect.DDL in done
            walk.effects |= done
        for called in walk.planned_calls:
            walk.planned |= definitions.effects(called)


def _finished(walk: Walk, index: int, batch: int) -> Statement:
    changes = walk.kind in (Kind.UPDATE, Kind.DELETE, Kind.MERGE)
    if walk.opaque is not None:
        walk.effects.add(Effect.UNKNOWN)
    return Statement(
        walk.text,
        Kind.OPAQUE if walk.opaque is not None else walk.kind or Kind.OPAQUE,
        walk.tag,
        frozenset(walk.effects) or frozenset({Effect.READ}),
        tuple(_in_order(walk.relations)),
        tuple(_in_order(walk.functions)),
        walk.has_where if changes else None,
        walk.trivial_where if changes else False,
        walk.opaque if walk.opaque is not None or walk.kind is not None else f"{walk.tag} is no statement",
        tuple(walk.settings),
        tuple(walk.names),
        walk.transaction,
        walk.returns_rows,
        walk.literal,
        walk.inner,
        index,
        batch,
        walk.calls_ddl,
        walk.renamed_to,
    )


def _in_order(found: dict[T, int]) -> list[T]:
    return sorted(found, key=lambda item: found[item]) if len(found) > 1 else list(found)


# -- statements inside statements ---------------------------------------------------------------------------------------


@handles("PrepareStmt")
def prepare(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.PREPARE)
    walk.names.append(NameEffect("prepare", node.get("name", "")))


@handles("DeclareCursorStmt")
def declare(walk: Walk, node: Node, _scope: Scope) -> None:
    if node is walk.root:
        walk.names.append(NameEffect("declare", node.get("portalname", "")))
        walk.become(Kind.SELECT)


@handles("ExplainStmt")
def explain(walk: Walk, _node: Node, _scope: Scope) -> None:
    walk.become(Kind.EXPLAIN)
    walk.returns_rows = True


def _with_inner(walk: Walk, parsed: Parsed, wrapped: Node, reading: Reading, depth: int) -> None:
    found = inner_statement(parsed, wrapped) if depth < _NESTED else None
    if found is None:
        walk.not_understood(f"the statement inside {parsed.tag} could not be found in the text")
        return
    inner_reading = Reading(reading.namespace, reading.routines, found.text.encode("utf-8", "replace"), reading.differs)
    walk.inner = inner = statement_of(found, inner_reading, depth=depth + 1)
    if inner.opaque is not None:
        walk.not_understood(inner.opaque)
    walk.literal = True  # the options beside it were looked at
    for relation in inner.relations:
        walk.relations.setdefault(relation, len(walk.relations))
    for function in inner.functions:
        walk.functions.setdefault(function, len(walk.functions))
    match parsed.tag:
        case "PrepareStmt":
            pass  # nothing is run, nor planned, before EXECUTE
        case "ExplainStmt" if not _analyzes(parsed.node):
            _planned(walk, found, inner_reading, inner)
        case _:
            _runs(walk, inner)


def _planned(walk: Walk, found: Parsed, reading: Reading, inner: Statement) -> None:
    """EXPLAIN without ANALYZE: the planner still runs functions that are not volatile, and EXECUTE its arguments."""
    probe = Walk(reading, found.node, found.tag, found.text)
    probe.run()
    if found.tag in _CARRIERS:
        for effect in inner.effects:
            walk.effects.add(effect)
    elif "ExecuteStmt" in _tags(found):
        walk.effects |= probe.effects - {Effect.DDL, Effect.WRITE}
        walk.called |= probe.called
    else:
        walk.effects |= probe.planned
        walk.called |= probe.planned_calls
    walk.effects.add(Effect.READ)
    walk.names += inner.names
    walk.relations = {
        relation.__class__(relation.schema, relation.name, database=relation.database): place
        for relation, place in walk.relations.items()
    }


def _tags(found: Parsed) -> set[str]:
    query = found.node.get("query")
    return {found.tag, *(query if found.tag == "CreateTableAsStmt" and isinstance(query, dict) else ())}


def _analyzes(node: Node) -> bool:
    """The server lets the last of several win; here one that says yes is enough."""
    return any(
        name == "analyze" and ("arg" not in option or (constant(option["arg"]) or "").lower() not in _FALSE)
        for name, option in options(node)
    )


def _runs(walk: Walk, inner: Statement) -> None:
    """What is inside runs as well: its kind, unless it only reads, and all that it does."""
    walk.effects |= inner.effects
    walk.names += inner.names
    walk.settings += inner.settings
    walk.has_where, walk.trivial_where = inner.has_where, inner.trivial_where
    if walk.tag == "ExplainStmt" or inner.kind is not Kind.SELECT:
        walk.kind = inner.kind
