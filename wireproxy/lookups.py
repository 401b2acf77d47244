"""What the unqualified names of a prepared statement meant when the server looked them up.

The server looks them up when a statement is prepared, and again only when the search_path or one of the relations that it found has
changed. A relation that is made since, in a schema that comes earlier in the path, changes nothing for it: `DELETE FROM orders`
goes on deleting from public.orders though there is a lab.orders now. So where the catalog is another one and a name could be
found elsewhere by now, it may mean any relation of its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from rules.catalog import Catalog
from rules.model import Namespace, Statement


@frozen
class LookedUp:
    version: int  # of the catalog
    path: tuple[str, ...]
    homes: tuple[tuple[str, tuple[int, ...]], ...]  # by unqualified name: OIDs of what has it in the path


def look_up(statements: Sequence[Statement], namespace: Namespace, catalog: Catalog) -> LookedUp | None:
    """None: nothing in them is looked up in the path."""
    names = {name for statement in statements for name in _unqualified(statement)}
    if not names:
        return None
    homes = tuple((name, _places(name, namespace, catalog)) for name in sorted(names))
    return LookedUp(catalog.version, namespace.search_path, homes)


def may_differ(then: object, namespace: Namespace, catalog: Catalog) -> bool:
    """Whether the server may still go by what it found `then`, and that is something else than what is found now."""
    if not isinstance(then, LookedUp) or then.version == catalog.version:
        return False
    if then.path != namespace.search_path:
        return True  # what it found in between, by another path, is not known
    return any(_places(name, namespace, catalog) != oids for name, oids in then.homes)


def _unqualified(statement: Statement) -> Iterator[str]:
    for relation in statement.relations:
        if relation.schema is None:
            yield relation.name
    if statement.inner is not None:
        yield from _unqualified(statement.inner)


def _places(name: str, namespace: Namespace, catalog: Catalog) -> tuple[int, ...]:
    path = ((namespace.user or "$user") if part == "$user" else part for part in namespace.search_path)
    return tuple([found.oid for schema in path if (found := catalog.relations.get((schema, name))) is not None])
