"""Ids of requests: short enough to type, `wp-7f3a`, and never given twice."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

SHORTEST = 4  # hexadecimal digits
TRIES = 4  # at one length; when all are taken, most of that length are


def candidate_ids() -> Iterator[str]:
    """Ids to try until one was never given before; longer ones once the short ones run out. Without end."""
    length = SHORTEST
    while True:
        for _ in range(TRIES):
            yield "wp-" + secrets.token_hex((length + 1) // 2)[:length]
        length += 1
