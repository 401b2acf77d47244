"""Which held statements are put before the server first, which may say that they are no SQL, or name what is not there."""

from __future__ import annotations

from protocols.base import Question
from rules.model import Effect, Namespace
from wireproxy.weighed import Weighed


def may_be_wrong(question: Question, weighed: Weighed, namespace: Namespace) -> bool:
    """Whether a held statement may be held for what the server would take for a mistake, and a side connection would see that.

    Behind a semicolon may stand another statement, which is prepared with no other.
    """
    text = question.text
    if text is None or question.truncated or b";" in text.rstrip(b"; \t\r\n") or len(weighed.masks) > 1:
        return False
    if namespace.temporary or namespace.holds_masked or not namespace.lexing_known:
        return False
    return not understood(weighed) or any(mask is not None and mask.findings for mask in weighed.masks)


def understood(weighed: Weighed) -> bool:
    """Whether it is known what runs, should a server compute something of the statement when it prepares it."""
    unclear = frozenset({Effect.UNKNOWN, Effect.CODE, Effect.DYNAMIC_SQL})
    return all(each.opaque is None and not each.effects & unclear for each in weighed.judgement.statements)
