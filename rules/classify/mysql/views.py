"""What reading a view does beside reading: the functions that its definition calls run with the reader's statement."""

from __future__ import annotations

from rules.classify.mysql.reading import Reader
from rules.model import Effect, Kind

_MAX_DEPTH = 8  # of views over views


def look_into_view(reader: Reader, schema: str | None, name: str) -> None:
    """Notes the effects and functions of a view's definition. Its tables are the definer's, and are not noted."""
    home = schema if schema is not None else reader.draft.database
    if reader.catalog is None or home is None:
        return
    relations = reader.catalog.relations
    # a server that takes names in any case keeps them in lower case
    found = relations.get((home, name)) or relations.get((home.lower(), name.lower()))
    if found is None or found.kind != "v" or found.definition is None:
        return
    if reader.depth >= _MAX_DEPTH:
        reader.fail("views nested too deep")
    from rules.classify.mysql.statements import classify_inside

    inner = classify_inside(found.definition, reader, database=home)
    if inner is None or inner.opaque is not None or inner.kind is not Kind.SELECT:
        reader.draft.effects.add(Effect.UNKNOWN)
        return
    reader.draft.effects |= inner.effects
    for function in inner.functions:
        reader.draft.functions[function] = None
