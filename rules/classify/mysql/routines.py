"""Stored functions and procedures: what their bodies do, as far as they are simple enough to be read.

A body that is one statement, or a block of plain statements, is read with the readers of statements. Anything with
variables, branches, loops, cursors or handlers is code that is not looked into.
"""

from __future__ import annotations

from rules.catalog import CatalogFunction
from rules.classify.mysql.reading import Reader
from rules.model import Effect, Kind, Statement

_OPAQUE_CODE = frozenset({Effect.CODE, Effect.UNKNOWN})
_MAX_DEPTH = 6
_HARMLESS = frozenset({Kind.SELECT, Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.CALL, Kind.DO})


def effects_of(reader: Reader, stored: CatalogFunction) -> frozenset[Effect]:
    """What calling it does. Never empty of meaning: what is not read is CODE and UNKNOWN."""
    if stored.language.upper() not in ("SQL", "") or stored.body is None or reader.depth >= _MAX_DEPTH:
        return _OPAQUE_CODE
    body = stored.body.strip().rstrip(";").strip()
    if stored.kind == "f":
        return _function(reader, stored, body)
    return _procedure(reader, stored, body)


def _function(reader: Reader, stored: CatalogFunction, body: str) -> frozenset[Effect]:
    head, rest = _first_word(body)
    if head == "BEGIN":
        body = _unwrap(body)
        head, rest = _first_word(body)
    if head != "RETURN":
        return _OPAQUE_CODE
    return _effects(_classified(reader, stored, f"SELECT {rest}"))


def _procedure(reader: Reader, stored: CatalogFunction, body: str) -> frozenset[Effect]:
    if _first_word(body)[0] == "BEGIN":
        body = _unwrap(body)
    return _effects(_classified(reader, stored, body))


def _first_word(text: str) -> tuple[str, str]:
    parts = text.split(None, 1)
    return (parts[0].upper(), parts[1] if len(parts) > 1 else "") if parts else ("", "")


def _unwrap(body: str) -> str:
    """The inside of BEGIN … END; what is not of that form stays, and is then not understood."""
    inside = body[len("BEGIN") :].strip()
    if inside.upper().endswith("END"):
        inside = inside[: -len("END")].strip()
    return inside.rstrip(";").strip()


def _classified(reader: Reader, stored: CatalogFunction, text: str) -> tuple[Statement, ...]:
    from attrs import evolve

    from rules.classify.mysql.statements import classify_text

    namespace = evolve(
        reader.namespace, database=stored.schema, sql_mode=frozenset(), charset="utf8mb4", lexing_known=True
    )
    return classify_text(text, namespace, reader.catalog, reader.depth + 1)


def _effects(statements: tuple[Statement, ...]) -> frozenset[Effect]:
    if not statements or any(s.opaque is not None or s.kind not in _HARMLESS for s in statements):
        return _OPAQUE_CODE
    effects: set[Effect] = set()
    for statement in statements:
        effects |= statement.effects
    return frozenset(effects)
