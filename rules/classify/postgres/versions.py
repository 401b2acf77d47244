"""Where an older server reads a text that the parser of PostgreSQL 18 reads as something of its own.

Up to the version that brought a keyword, its name is an ordinary one: a function, a column, an alias of the user. Compared by the
keyword lists and grammars of 13 to 18. What an older server refuses as a syntax error is no danger and is not listed.
"""

from __future__ import annotations

from functools import cache

_SINCE: dict[str, int] = {
    "JsonObjectConstructor": 160000,
    "JsonArrayConstructor": 160000,
    "JsonArrayQueryConstructor": 160000,
    "JsonObjectAgg": 160000,
    "JsonArrayAgg": 160000,
    "JsonParseExpr": 170000,
    "JsonScalarExpr": 170000,
    "JsonSerializeExpr": 170000,
    "JsonFuncExpr": 170000,
    "JsonTable": 170000,
    "MergeSupportFunc": 170000,
}


@cache
def differing(server_version: int) -> frozenset[str]:
    """Node types that a server of this version (PG_VERSION_NUM) would read as something else."""
    return frozenset(tag for tag, since in _SINCE.items() if server_version < since)
