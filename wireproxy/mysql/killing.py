"""KILL and COM_PROCESS_KILL: a client may end its own connections and what they run, and no others.

Every session of a database is the same account to the server, which would let one end another. So a KILL never reaches it: the
gateway does what is asked for. A connection has two numbers, the one of the gateway's greeting and the one that `CONNECTION_ID()`
gives, and either names it.

The policy is not asked: like PostgreSQL's cancel request, this takes nothing from anybody else. What it is said in must leave no
doubt: a KILL inside of something else, or of a number that is computed, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import frozen

from protocols.base import Question, Stage
from protocols.postgres.messages import error_fields
from rules.model import Identity, Statement
from wireproxy.config.model import Database
from wireproxy.live import Live, LiveSessions

RULE = "own-connections"
_WORD = re.compile(rb"\bkill\b", re.IGNORECASE)
_SPACE = rb"[ \t\r\n]+"
_KILL = re.compile(
    rb"\s*KILL" + _SPACE + rb"(?:(?:HARD|SOFT)" + _SPACE + rb")?(?:(CONNECTION|QUERY)" + _SPACE + rb")?"
    rb"(?:(\d{1,19})|(CONNECTION_ID\(\s*\)))\s*;?\s*\Z",
    re.IGNORECASE,
)


@frozen
class Kill:
    number: int | None  # None: the connection that says it
    query_only: bool


def maybe_kill(text: bytes | None) -> bool:
    """Whether it is worth a look: most texts have no such word."""
    return text is not None and text.lower().find(b"kill") >= 0 and _WORD.search(text) is not None


def is_kill(statements: tuple[Statement, ...]) -> bool:
    """Also of a text with that word that is not understood: in a comment that servers run it would be one."""
    return any(
        each.root == "Kill" or each.opaque is not None or (each.inner is not None and each.inner.root == "Kill")
        for each in statements
    )


def read_kill(question: Question) -> Kill | None:
    """What is asked for; None when it is said in a way that leaves doubt."""
    found = _KILL.match(question.text or b"")
    if found is None or question.stage is not Stage.QUERY or question.truncated:
        return None
    number = None if found[2] is None else int(found[2])
    return Kill(number, (found[1] or b"").upper() == b"QUERY")


class OwnConnections:
    """The open connections of one client to one server."""

    def __init__(self, live: LiveSessions, identity: Identity, database: Database) -> None:
        self._live = live
        self._identity = identity
        self._server = (database.host, database.port)

    def find(self, number: int) -> Live | None:
        """By the gateway's number, or else by the server's."""
        own = [live for live in self._live if self._is_own(live)]
        for has_number in (_greeted_as(number), _numbered(number)):
            for live in own:
                if has_number(live):
                    return live
        return None

    def _is_own(self, live: Live) -> bool:
        database = live.session.database
        return live.session.identity == self._identity and (database.host, database.port) == self._server


def _greeted_as(number: int) -> Callable[[Live], bool]:
    return lambda live: live.number == number


def _numbered(number: int) -> Callable[[Live], bool]:
    return lambda live: live.session.upstream.process_id == number


def not_own(number: int) -> dict[str, bytes]:
    """In the server's own words, whether there is no such connection or it is somebody else's."""
    return {**error_fields("HY000", f"You are not owner of thread {number}"), "errno": b"1095"}


def unclear() -> dict[str, bytes]:
    return error_fields(
        "42501",
        "wireproxy: KILL refused by rule own-connections",
        detail="A client may end its own connections only, and this KILL does not say plainly which one it means.",
        hint="Send KILL [CONNECTION | QUERY] by itself, with the connection's number or CONNECTION_ID().",
    )


def interrupted() -> dict[str, bytes]:
    return {**error_fields("70100", "Query execution was interrupted"), "errno": b"1317"}
