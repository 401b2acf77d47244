"""Tables of MySQL and MariaDB whose rows are those of other tables: to masks, views of these.

MERGE shows the tables that it unites, and FEDERATED, CONNECT and SPIDER a table of a server that may be this one. The catalog does
not say which: the definition does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

MERGE: Final = "mrg_myisam"
_AWAY: Final = frozenset({"federated", "connect", "spider"})
REFERRING: Final = _AWAY | {MERGE}
_OPTIONS: Final = "\n) ENGINE="  # behind the columns, whose comments are on one line each
_UNION: Final = re.compile(r"\bUNION=\(((?:`(?:[^`]|``)+`[.,]?)+)\)")
_PATH: Final = re.compile(r"`(?:[^`]|``)+`(?:\.`(?:[^`]|``)+`)?")
_WORD: Final = re.compile(r"[\w$]+")
Table = tuple[str, str]


def stands_for(engine: str, created: str, own: Table, columns: Mapping[Table, Sequence[str]]) -> str | None:
    """The query of such a table, from its SHOW CREATE TABLE; None: it shows none of the catalog's tables.

    `columns`: of all tables. Of a table that is elsewhere every one counts that its options could name.
    """
    options = created.partition(_OPTIONS)[2]
    if engine.lower() == MERGE:
        listed = _UNION.findall(options)
        paths = _PATH.findall(listed[-1]) if listed else []
        return _united(f"SELECT * FROM {path}" for path in paths) if paths else None  # noqa: S608  as the server quotes them
    words = {word.casefold() for word in _WORD.findall(options)}
    named = [table for table in columns if table != own and _named(table, words)]
    return _united(_read(each, columns[own], columns[each]) for each in named) if named else None


def _named(table: Table, words: set[str]) -> bool:
    return all(word.casefold() in words for word in _WORD.findall(table[1]))


def _read(table: Table, wanted: Sequence[str], there: Sequence[str]) -> str:
    """Such a table's columns have the names of those that they stand for; where they have not, anything may be any of them."""
    known = {name.casefold() for name in there}
    exact = all(name.casefold() in known for name in wanted)
    shown = ", ".join(map(quoted, wanted)) if exact else "*"
    return f"SELECT {shown} FROM {quoted(table[0])}.{quoted(table[1])}"  # noqa: S608  names of the catalog


def _united(queries: Iterable[str]) -> str:
    return " UNION ALL ".join(queries)


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
