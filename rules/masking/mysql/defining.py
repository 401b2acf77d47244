"""Definitions in MySQL that could show a masked column under another name, or carry its values elsewhere."""

from __future__ import annotations

from rules.masking.follow import listed
from rules.masking.mysql.follow import Follow, MySqlWorld
from rules.masking.mysql.inheriting import created, redefined
from rules.masking.mysql.reading import Read
from rules.masking.mysql.scope import Scope
from rules.masking.values import Value, union
from rules.model import Access, Effect

_BODIES = ("CreateProcedure", "CreateFunction", "CreateTrigger", "CreateEvent", "AlterEvent", "CreatePackage")


def defined(world: MySqlWorld, follow: Follow, read: Read) -> None:
    """CREATE, ALTER, RENAME: findings go to `follow`. Raises Unsure."""
    statement = read.statement
    shown: list[Value] = []
    for parsed in read.trees:  # CREATE TABLE … SELECT, CREATE VIEW
        columns = follow.query(parsed.tree, Scope())
        follow.laundered(columns.everything(), "the new relation", created(follow, read, columns))
    new = next((each for each in statement.relations if each.access is Access.DDL), None)
    making = statement.root in ("CreateTable", "CreateView") and "REPLACE" not in read.words
    for relation in statement.relations:
        if (making and relation is new) or (read.trees and relation.access is Access.READ):
            continue  # it holds nothing yet; or its columns were followed
        shown += [world.columns(each).everything() for each in follow.candidates(relation.schema, relation.name)]
        if relation.name == "*":
            continue
    if statement.root in _BODIES:
        text = world.routines.text_shows(statement.text)
        if text.masked:
            follow.find("source", "hold", f"the body of what is defined may read {listed(text.masked)}")
    if Effect.NETWORK in statement.effects:
        follow.find("laundering", "hold", "a table of another server can be another name of a masked one")
    masked = union(shown)
    if masked.masked:
        follow.find("laundering", "hold", f"a change of definitions around {listed(masked.masked)}")
        follow.moves.extend(redefined(follow, read))
