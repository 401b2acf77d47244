"""The functions and operators of PostgreSQL itself, by name: how volatile they are and what they can do.

`postgres.tsv` is generated (tools/generate_functions.py). All overloads of a name count together: the worst volatility,
the union of effects. A name that is not here is not the server's own.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from attrs import frozen

from rules.model import Effect, Volatility

_VOLATILITY = {"i": Volatility.IMMUTABLE, "s": Volatility.STABLE, "v": Volatility.VOLATILE}
_NOTHING: frozenset[Effect] = frozenset()
OLDEST, NEWEST = 15, 18  # of the versions that the table was made from


@frozen
class Builtin:
    schema: str  # pg_catalog or information_schema
    name: str
    volatility: Volatility  # of the worst overload
    effects: frozenset[Effect]
    planned: bool  # some overload is not volatile, so the planner may run it for EXPLAIN as well
    since: int  # first major version that has it, of those that the table was made from
    until: int

    def exists_in(self, server_version: int) -> bool:
        """Whether a server of this version (PG_VERSION_NUM) has it: where not, the name is somebody else's function.

        Outside of the versions that the table was made from nothing is known, and the nearest of them counts.
        """
        major = server_version // 10000
        return (self.since <= major or self.since == OLDEST) and (major <= self.until or self.until == NEWEST)


@cache
def builtins() -> dict[tuple[str, str], Builtin]:
    """By (schema, name)."""
    found: dict[tuple[str, str], Builtin] = {}
    for line in _lines("postgres.tsv"):
        spelled, letters, since, until, words = line.split("\t")
        schema, _, name = spelled.rpartition(".")
        schema = schema or "pg_catalog"
        effects = frozenset(Effect(word) for word in words.split(",")) if words else _NOTHING
        found[schema, name] = Builtin(
            schema, name, _VOLATILITY[letters[-1]], effects, letters[0] != "v", int(since), int(until)
        )
    return found


@cache
def acting() -> frozenset[str]:
    """Names of the server's functions that do more than compute or read."""
    return frozenset(name for (_, name), builtin in builtins().items() if builtin.effects)


@cache
def operators() -> frozenset[str]:
    """Symbols of the server's own operators. None of them has an effect."""
    return frozenset(_lines("postgres_operators.txt"))


def _lines(name: str) -> list[str]:
    return files("rules.functions").joinpath(name).read_text(encoding="utf-8").splitlines()
