"""The statements of one text, each judged in the state in which those before it leave the session.

The server parses the whole text first, so nothing in it changes how the rest is read. But it looks up names statement by
statement: `SET search_path TO secret; SELECT * FROM accounts` reads secret.accounts. Policies and masks look names up once
for the text; so after a statement that may change what names mean, one that has an unqualified name is opaque.
"""

from __future__ import annotations

from attrs import evolve

from rules.catalog import Catalog
from rules.classify.postgres.bodies import read_function, read_view
from rules.classify.postgres.routines import routines_of
from rules.classify.postgres.statements import statement_of
from rules.classify.postgres.tree import Parsed
from rules.classify.postgres.versions import differing
from rules.classify.postgres.walk import Reading
from rules.functions.postgres import builtins
from rules.model import Access, Effect, Namespace, Statement
from rules.redefining import redefines

_NAMES_BY = frozenset({"search_path", "all", "role", "session_authorization"})
_HIDDEN = frozenset({Effect.CODE, Effect.UNKNOWN, Effect.DYNAMIC_SQL})
_MAKES = ("prepare", "declare")
_ENDS = frozenset({"commit", "rollback", "rollback_to"})


def classified(parsed: list[Parsed], text: str, namespace: Namespace, catalog: Catalog | None) -> tuple[Statement, ...]:
    """One Statement for each of the text."""
    reading = _reading(text, namespace, catalog)
    batch = len(parsed)
    if batch == 1:
        return (statement_of(parsed[0], reading, redefined=namespace.redefined),)
    found: list[Statement] = []
    moved, defined = False, namespace.redefined
    for index, each in enumerate(parsed):
        statement = statement_of(each, reading, index, batch, redefined=defined)
        if moved and statement.opaque is None and (name := _unqualified(statement)) is not None:
            reason = f"what {name} means is changed by a statement before it in the same text: send it by itself"
            statement = evolve(statement, opaque=reason, effects=statement.effects | {Effect.UNKNOWN})
        found.append(statement)
        if not moved and (_moves_names(statement) or _runs_what_moves(statement, found)):
            moved = True
            reading = _reading(text, evolve(namespace, search_path=()), catalog)
        defined = defined or redefines(statement)
    return tuple(found)


def _moves_names(statement: Statement) -> bool:
    """Whether names may mean something else after it. A new temporary table means less than what it hides."""
    if statement.transaction in _ENDS or Effect.ROLE in statement.effects:
        return True  # the end of a transaction brings back the search_path from before it
    if any(setting.name in _NAMES_BY for setting in statement.settings) or not statement.effects.isdisjoint(_HIDDEN):
        return True
    return Effect.NAMESPACE in statement.effects and not any(
        relation.access is Access.DDL for relation in statement.relations
    )


def _runs_what_moves(statement: Statement, before: list[Statement]) -> bool:
    """EXECUTE or FETCH of what may call set_config: of a name that was not made in the same text, nothing is known here."""
    for used in statement.names:
        if used.action not in ("execute", "fetch"):
            continue
        made = [
            each.inner for each in before for name in each.names if name.name == used.name and name.action in _MAKES
        ]
        if not made or any(inner is None or _moves_names(inner) for inner in made):
            return True
    return False


def _unqualified(statement: Statement) -> str | None:
    """A name in it that is looked up in the search_path. The server's own functions come first there, usually."""
    for relation in statement.relations:
        if relation.schema is None and not relation.name.startswith("pg_"):
            return relation.name
    for function in statement.functions:
        if function.schema is None and ("pg_catalog", function.name) not in builtins():
            return function.name
    if statement.inner is not None:
        return _unqualified(statement.inner)
    return None


def _reading(text: str, namespace: Namespace, catalog: Catalog | None) -> Reading:
    routines = routines_of(namespace, catalog, read_function, read_view)
    return Reading(namespace, routines, text.encode("utf-8"), differing(namespace.server_version))
