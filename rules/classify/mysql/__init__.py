"""Classifying MySQL and MariaDB: total, and honest about what is not understood.

A text goes through four fences. The lexer (`lexer.py`) cuts it as the server does and refuses what could be cut in two
ways. A reader of our own (`statements.py` and what it calls) recognizes the statement by its leading words and finds every
relation, call and effect in it. For queries and changes of rows sqlglot reads the same text (`grammar.py`), and where it
sees other tokens, tables or query blocks, the statement is opaque. What any of them does not know is opaque, with the
reason; opaque statements are held.
"""

from __future__ import annotations

from rules.catalog import Catalog
from rules.classify.mysql.statements import classify_text, opaque
from rules.model import Namespace, Statement

__all__ = ["classify"]


def classify(text: str, namespace: Namespace, catalog: Catalog | None = None) -> tuple[Statement, ...]:
    """The statements of a text, in order; () for a text without any. Never raises."""
    try:
        return classify_text(text, namespace, catalog)
    except Exception as error:  # noqa: BLE001  a bug of ours on odd input must stop the statement, never the gateway
        return (opaque(text, f"the classifier failed ({type(error).__name__})"),)
