"""What a call does: the server's own functions from a table, stored ones from the catalog, all others unknown."""

from __future__ import annotations

from rules.catalog import CatalogFunction
from rules.classify.mysql.reading import Reader
from rules.functions.mysql import NATIVE, TOUCHING, native
from rules.model import Effect, Function


def call(reader: Reader, schema: str | None, name: str, *, touching: bool) -> Function:
    """The function that the server would run. It looks among its own first, then among loaded and stored ones.

    Spec: MySQL 8.4 manual §11.2.5 "Function Name Parsing and Resolution".
    """
    upper = name.upper() if name.isascii() else name
    spaced = upper in TOUCHING and not touching and "IGNORE_SPACE" not in reader.namespace.sql_mode
    if schema is None and not spaced and (own := _own(reader, upper)) is not None:
        return own
    home = schema if schema is not None else reader.draft.database
    stored = routine(reader, home, name, "f")
    if stored is None:
        return Function(schema, name)
    return _stored(reader, stored, schema)


def _own(reader: Reader, upper: str) -> Function | None:
    """Without a catalog there is no one server whose text is judged: what either of the two has counts as known."""
    if reader.catalog is None:
        return NATIVE.get(upper)
    return native(upper, mariadb=reader.namespace.mariadb, version=reader.namespace.server_version)


def ambiguous(reader: Reader, name: str) -> bool:
    """Whether a name in quotes could mean a native or a stored function: LEFT is a word of the grammar, and `left` a name."""
    return name.upper() in NATIVE and routine(reader, reader.draft.database, name, "f") is not None


def routine(reader: Reader, schema: str | None, name: str, kind: str) -> CatalogFunction | None:
    """A stored function ("f") or procedure ("p"). Its name is folded, its schema's is not."""
    if reader.catalog is None or schema is None:
        return None
    functions = reader.catalog.functions
    for spelling in (name, name.lower()):
        for found in functions.get((schema, spelling), ()):
            if found.kind == kind:
                return found
    for (home, other), several in functions.items():
        if home == schema and other.lower() == name.lower():
            return next((found for found in several if found.kind == kind), None)
    return None


def _stored(reader: Reader, stored: CatalogFunction, schema: str | None) -> Function:
    from rules.classify.mysql.routines import effects_of  # reads a body with the readers of statements

    effects = effects_of(reader, stored)
    return Function(schema, stored.name, stored.volatility, effects, known=Effect.UNKNOWN not in effects)
