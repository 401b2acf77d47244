"""A batch that changes something and ends a transaction itself: what it did can't be rolled back afterwards.

Several statements in one text are one implicit transaction, so an error undoes them all. A COMMIT among them makes what
came before it permanent even if a later statement fails, and a ROLLBACK first steps out of the transaction in which an
application meant to keep its statements. Misses: the end of a transaction in a text of its own, the ordinary way.
"""

from __future__ import annotations

from rules.model import Effect, Statement

_CHANGES = frozenset({Effect.WRITE, Effect.DDL, Effect.GRANT, Effect.SEQUENCE, Effect.CODE, Effect.UNKNOWN})
_ENDS = ("commit", "rollback")


def early_commit(statement: Statement, batch: tuple[Statement, ...]) -> str | None:
    if not statement.effects & _CHANGES:
        return None
    if any(other.transaction in _ENDS for other in batch):
        return "the same text ends a transaction, so it can't be undone as a whole"
    return None
