"""PostgreSQL: a text becomes statements of which everything that they can do is known, or opaque ones that say why not.

The parser is the server's own (libpg_query of PostgreSQL 18), so what is judged is what is run, except where an older server
has another grammar, where settings change how text is read, and where a text is too big to be parsed beside other work;
each of these ends in an opaque statement. See docs/classification.md for what every part of a statement counts as.
"""

from __future__ import annotations

from rules.catalog import Catalog
from rules.classify import opaque
from rules.classify.postgres import definitions as _definitions
from rules.classify.postgres import expressions as _expressions
from rules.classify.postgres import queries as _queries
from rules.classify.postgres import utilities as _utilities
from rules.classify.postgres.batch import classified
from rules.classify.postgres.text import ambiguous, doubtful_name, too_big
from rules.classify.postgres.tree import Unreadable, parse
from rules.model import Namespace, Statement

__all__ = ["classify"]

_HANDLERS_OF = (_definitions, _expressions, _queries, _utilities)  # importing them registers their handlers

MAX_STATEMENTS = 2_000  # in one text: some 60 ms


def classify(text: str, namespace: Namespace, catalog: Catalog | None = None) -> tuple[Statement, ...]:
    """Every statement of a text. Total: never raises; a text that cannot be judged is one opaque statement. Empty: ()."""
    reason = too_big(text) or ambiguous(text, namespace) or doubtful_name(text, namespace)
    if reason is not None:
        return (opaque(text, reason),)
    try:
        parsed = parse(text)
    except Unreadable as error:
        return (opaque(text, str(error)),)
    if len(parsed) > MAX_STATEMENTS:
        return (opaque(text, f"it has more than {MAX_STATEMENTS} statements"),)
    try:
        return classified(parsed, text, namespace, catalog)
    except Exception as error:  # noqa: BLE001 - total by contract: a bug here must not end a session, and must not pass
        return (opaque(text, f"classifying it failed ({type(error).__name__})"),)
