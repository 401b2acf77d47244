"""What a rule asks of a statement, and whether the statement answers it.

One principle decides every doubtful case. A rule that stops (hold, deny) matches when *any* part of the statement is
named by it; a rule that lets through (allow, observe) matches only when *every* part is. So a join of a permitted with
a forbidden table is not permitted, one unknown function among known ones is not known, and a fact that nobody has (the
time, an estimate, the schema of an unqualified name) counts against the statement in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal

from attrs import Factory, frozen

from rules.catalog import Catalog
from rules.checks import CHECKS
from rules.model import Access, Effect, Function, Identity, Kind, Namespace, Relation, Statement

EVERY_EFFECT = frozenset(Effect)
_ROWS = frozenset({Effect.READ, Effect.WRITE, Effect.SEQUENCE})

# What a rule that lets a kind through lets it do without naming the effect: what every statement of the kind is for.
NATURAL_EFFECTS: dict[Kind, frozenset[Effect]] = {
    Kind.INSERT: _ROWS,
    Kind.UPDATE: _ROWS,
    Kind.DELETE: _ROWS,
    Kind.MERGE: _ROWS,
    Kind.TRUNCATE: _ROWS | {Effect.TABLE_LOCK},
    Kind.DDL: _ROWS | {Effect.DDL, Effect.TABLE_LOCK},
    Kind.GRANT: frozenset({Effect.READ, Effect.GRANT}),
    Kind.COPY: _ROWS,
    Kind.CALL: frozenset({Effect.READ, Effect.CODE}),
    Kind.DO: frozenset({Effect.READ, Effect.CODE}),
    Kind.SET: frozenset({Effect.READ, Effect.SETTING}),
    Kind.TRANSACTION: frozenset({Effect.READ, Effect.TRANSACTION}),
    Kind.NOTIFY: frozenset({Effect.READ, Effect.NOTIFY}),
    Kind.LOCK: frozenset({Effect.READ, Effect.TABLE_LOCK}),
    Kind.MAINTENANCE: frozenset({Effect.READ, Effect.WRITE, Effect.TABLE_LOCK}),
    Kind.OPAQUE: EVERY_EFFECT,
}
_READ = frozenset({Effect.READ})
_NO_ROOT = frozenset({"", "Unreadable"})  # of a text that no parser took
_WILD = frozenset("*?[")  # of a glob
# A rule about tables that names neither kinds nor effects: everything that is done to the table itself.
_ON_TABLES = _ROWS | {Effect.DDL, Effect.ROW_LOCK, Effect.TABLE_LOCK}


@frozen
class When:
    """Conditions of a rule; all that are given must hold. Empty sets and None mean "not asked"."""

    kinds: frozenset[Kind] = frozenset()
    effects: frozenset[Effect] = frozenset()  # any of these
    only_effects: frozenset[Effect] = frozenset()  # no effect outside these
    relations: tuple[str, ...] = ()  # globs over schema.name: any relation matches
    only_relations: tuple[str, ...] = ()  # every relation matches
    access: Literal["read", "write", "ddl", "any"] = "any"  # which relations the globs look at
    functions: tuple[str, ...] = ()  # globs over schema.name
    missing_where: bool | None = None
    batch: bool | None = None
    identities: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    databases: tuple[str, ...] = ()
    hours: tuple[int, int] | None = None  # minutes of the day, [from, to); from > to wraps midnight
    days: frozenset[int] = frozenset()  # 0 Monday … 6 Sunday
    estimated_rows_over: int | None = None
    roots: tuple[str, ...] = ()  # globs over the parser's node type: "DropStmt", "Drop*"
    settings: tuple[str, ...] = ()  # globs over the parameters that are changed
    checks: frozenset[str] = frozenset()  # names of rules.checks: any of them finds something
    masked: bool | None = None  # some column of the database is masked for this identity

    @property
    def asks_clock(self) -> bool:
        return self.hours is not None or bool(self.days)

    @property
    def asks_statement(self) -> bool:
        """Whether it looks at what is done, not only at who, where and when."""
        return bool(
            self.kinds or self.effects or self.only_effects or self.relations or self.only_relations
            or self.functions or self.roots or self.settings or self.checks
        )  # fmt: skip


@frozen
class Facts:
    """What is known beside the statement itself. None: not known, and that never speaks for the statement."""

    identity: Identity = Factory(lambda: Identity(""))
    database: str = ""
    namespace: Namespace = Factory(Namespace)
    catalog: Catalog | None = None
    batch: tuple[Statement, ...] = ()
    masked: bool = False
    minute_of_week: int | None = None  # 0 is Monday 00:00 of the gateway's local time
    estimated_rows: int | None = None


def applies_to(when: When, identity: Identity, database: str, masked: bool) -> bool:
    """The conditions that stay the same for a whole session."""
    if when.identities and identity.name not in when.identities:
        return False
    if when.groups and not when.groups & identity.groups:
        return False
    if when.databases and not any(fnmatchcase(database, glob) for glob in when.databases):
        return False
    return when.masked is None or when.masked == masked


def may_match(when: When, kind: Kind, effects: frozenset[Effect], *, lets_through: bool) -> bool:
    """What can be said by kind and effects alone of a statement that was understood: most rules are about others."""
    if when.kinds and kind not in when.kinds:
        return False
    if when.only_effects and not effects <= when.only_effects:
        return False
    return lets_through or not when.effects or not when.effects.isdisjoint(effects)


def matches(when: When, statement: Statement, facts: Facts, *, lets_through: bool) -> tuple[str, ...] | None:
    """What of the statement answers the rule, in words for a reader; None: the rule does not match."""
    if not applies_to(when, facts.identity, facts.database, facts.masked) or not _circumstances(
        when, statement, facts, lets_through
    ):
        return None
    if statement.opaque is not None or statement.kind is Kind.OPAQUE:
        return _opaque(when, statement, lets_through)
    if not may_match(when, statement.kind, statement.effects, lets_through=lets_through):
        return None
    if when.roots and not any(fnmatchcase(statement.root, glob) for glob in when.roots):
        return None
    return _covered(when, statement, facts) if lets_through else _touched(when, statement, facts)


def _circumstances(when: When, statement: Statement, facts: Facts, lets_through: bool) -> bool:
    if when.batch is not None and when.batch != (statement.batch > 1):
        return False
    if when.missing_where is not None:
        missing = statement.has_where is False or (statement.has_where is True and statement.trivial_where)
        if missing != when.missing_where:
            return False
    if when.asks_clock and not _at_that_time(when, facts.minute_of_week, unknown=not lets_through):
        return False
    if when.estimated_rows_over is None:
        return True
    if facts.estimated_rows is None:
        return not lets_through
    return facts.estimated_rows > when.estimated_rows_over


def _at_that_time(when: When, minute_of_week: int | None, *, unknown: bool) -> bool:
    if minute_of_week is None:
        return unknown
    day, minute = divmod(minute_of_week, 24 * 60)
    if when.hours is None:
        return day in when.days
    start, end = when.hours
    if start <= end:
        return start <= minute < end and (not when.days or day in when.days)
    if minute < end:  # after midnight: the span belongs to the day on which it began
        day = (day - 1) % 7
    return (minute >= start or minute < end) and (not when.days or day in when.days)


def _opaque(when: When, statement: Statement, lets_through: bool) -> tuple[str, ...] | None:
    """Nothing that was found in an opaque statement is complete: only a rule that names the kind may let it through.

    A rule that stops goes by what was understood. A DROP whose names may mean something else by then is a DROP: to put a COMMIT
    in front of it must not make of what is denied something that people are asked about.
    """
    reason = statement.opaque or "not understood"
    if Kind.OPAQUE in when.kinds:
        return (reason,)
    if lets_through or when.only_effects or when.only_relations or when.settings or when.checks:
        return None
    if when.kinds and statement.kind not in when.kinds:
        return None
    rooted = any(fnmatchcase(statement.root, glob) for glob in when.roots)
    if when.roots and not rooted and statement.root not in _NO_ROOT:
        return None
    if not when.effects and not when.relations and not when.functions:
        return (reason,) if rooted or when.kinds or not when.asks_statement else None
    seen = when.effects & (statement.effects | {Effect.UNKNOWN})
    named = when.functions and any(
        _names(glob, function.schema, function.name) for glob in when.functions for function in statement.functions
    )
    touched = any(_names(glob, found.schema, found.name) for glob in when.relations for found in statement.relations)
    return (reason,) if seen or named or touched else None


# -- rules that stop: any part is enough ----------------------------------------------------------------------------


def _touched(when: When, statement: Statement, facts: Facts) -> tuple[str, ...] | None:
    found: list[str] = []
    if when.effects:
        if not (seen := when.effects & statement.effects):
            return None
        if len(when.effects) > 1:  # of one effect, the rule's own reason says what it is
            found += effect_words(seen)
        found += [f"function {_spoken(f, seen)}" for f in statement.functions if _does(f, seen)]
    if when.only_effects and not statement.effects <= when.only_effects:
        return None
    if when.relations:
        relations = [
            r
            for r in _looked_at(when, statement)
            if _any_schema(when.relations, r.name, lambda r=r: _schemas(r, facts))  # type: ignore[misc]
        ]
        if not relations:
            return None
        found += [f"{relation.access} {relation}" for relation in relations]
    if when.only_relations and not _all_relations(when.only_relations, when, statement, facts):
        return None
    if when.functions:
        functions = [
            f
            for f in statement.functions
            if _any_schema(when.functions, f.name, lambda f=f: _homes(f, facts))  # type: ignore[misc]
        ]
        if not functions:
            return None
        found += [f"function {function}" for function in functions]
    if when.settings:
        settings = [s.name for s in statement.settings if any(fnmatchcase(s.name, glob) for glob in when.settings)]
        if not settings:
            return None
        found += [f"setting {name}" for name in settings]
    if when.checks:
        findings = list(_findings(when, statement, facts))
        if not findings:
            return None
        found += findings
    return tuple(found)


def _findings(when: When, statement: Statement, facts: Facts) -> Iterator[str]:
    for name in sorted(when.checks):
        if (finding := CHECKS[name](statement, facts.batch)) is not None:
            yield finding


def _does(function: Function, effects: frozenset[Effect]) -> bool:
    harmful = effects - _READ
    return bool(function.effects & harmful) or (Effect.UNKNOWN in harmful and not function.known)


def _spoken(function: Function, seen: frozenset[Effect]) -> str:
    return f"{function} is not known" if Effect.UNKNOWN in seen and not function.known else str(function)


# -- rules that let through: every part must be named ---------------------------------------------------------------


def _covered(when: When, statement: Statement, facts: Facts) -> tuple[str, ...] | None:
    named = _named_functions(when, statement, facts)
    if named is None or not statement.effects <= _accepted(when, statement.kind, named):
        return None
    if when.effects and not when.effects & statement.effects:
        return None
    if when.relations and not _looked_at(when, statement):
        return None  # a rule about tables does not speak for a statement without one
    for globs in (when.relations, when.only_relations):
        if globs and not _all_relations(globs, when, statement, facts):
            return None
    if when.settings and not (
        statement.settings
        and all(any(fnmatchcase(s.name, glob) for glob in when.settings) for s in statement.settings)
        and all(s.scope in ("session", "local") for s in statement.settings)
    ):
        return None
    return tuple(_findings(when, statement, facts)) or (None if when.checks else ())


def _accepted(when: When, kind: Kind, named: Sequence[Function]) -> frozenset[Effect]:
    if when.only_effects:
        return when.only_effects
    if not when.asks_statement:
        return EVERY_EFFECT
    accepted = _READ | when.effects
    if when.kinds:
        accepted |= NATURAL_EFFECTS.get(kind, _READ)
    elif not when.effects and (when.relations or when.only_relations):
        accepted |= _ON_TABLES
    if when.settings:
        accepted |= {Effect.SETTING}
    for function in named:
        accepted |= function.effects | (frozenset() if function.known else {Effect.UNKNOWN})
    return accepted


def _named_functions(when: When, statement: Statement, facts: Facts) -> list[Function] | None:
    """The functions that the rule names; None: it asks for functions, and one that can do something is not named."""
    if not when.functions:
        return []
    named = [f for f in statement.functions if _every_schema(when.functions, _homes(f, facts), f.name)]
    if not named or any(can_act(function) for function in statement.functions if function not in named):
        return None
    return named


def can_act(function: Function) -> bool:
    return not function.known or bool(function.effects - _READ)


# -- names ----------------------------------------------------------------------------------------------------------


def _looked_at(when: When, statement: Statement) -> list[Relation]:
    if when.access == "any":
        return list(statement.relations)
    return [relation for relation in statement.relations if relation.access == Access(when.access)]


def _all_relations(globs: Sequence[str], when: When, statement: Statement, facts: Facts) -> bool:
    return all(_every_schema(globs, _schemas(r, facts), r.name) for r in _looked_at(when, statement))


def _schemas(relation: Relation, facts: Facts) -> tuple[str, ...]:
    """Every schema in which an unqualified relation may be found: one if the catalog knows it, else the whole path."""
    if relation.schema is not None:
        return (relation.schema,)
    path = _search_path(facts.namespace)
    sure = facts.namespace.own_role and not facts.namespace.renamed
    known = facts.catalog.found(relation.name, path) if facts.catalog is not None and sure else []
    places = tuple([each.schema for each in known]) or path
    if relation.name in facts.namespace.temporary:
        # a temporary table hides the other until it is dropped, which may have happened unseen: it can be either
        return ("pg_temp", *places)
    return places


def _homes(function: Function, facts: Facts) -> tuple[str, ...]:
    """Every schema in which an unqualified function may be found."""
    if function.schema is not None:
        return (function.schema,)
    path = _search_path(facts.namespace)
    found = facts.catalog.functions if facts.catalog is not None else {}
    homes = tuple(schema for schema in path if (schema, function.name) in found)
    if function.known and "pg_catalog" in path and "pg_catalog" not in homes:
        homes = (*homes, "pg_catalog")  # the server's own functions need not be in the snapshot
    return homes or path


def _search_path(namespace: Namespace) -> tuple[str, ...]:
    """As the server searches it; () when nobody knows. pg_catalog comes first unless the path names it elsewhere."""
    if namespace.database is not None:  # MySQL: one current database, no path
        return (namespace.database,)
    if not namespace.search_path:
        return ()
    path = tuple((namespace.user or "$user") if part == "$user" else part for part in namespace.search_path)
    return path if "pg_catalog" in path else ("pg_catalog", *path)


def _any_schema(globs: tuple[str, ...], name: str, schemas: Callable[[], Iterable[str]]) -> bool:
    """For rules that stop: upper and lower case are the same, and a name without a schema may be anywhere."""
    folded = name.casefold()
    exact, patterns = _by_name(globs)
    homes = exact.get(folded, ())
    if patterns:
        homes = (*homes, *(home for home, rest in patterns if fnmatchcase(folded, rest)))
    if not homes:
        return False  # most names of most statements
    places = tuple(schemas())
    return not places or any(home is None or fnmatchcase(place.casefold(), home) for home in homes for place in places)


@lru_cache(maxsize=4096)
def _by_name(globs: tuple[str, ...]) -> tuple[dict[str, tuple[str | None, ...]], tuple[tuple[str | None, str], ...]]:
    """Folded globs, by what they say of the name: schemas by exact name, and (schema, pattern). None: any schema."""
    exact: dict[str, tuple[str | None, ...]] = {}
    patterns: list[tuple[str | None, str]] = []
    for glob in globs:
        home, dot, rest = glob.casefold().partition(".")
        schema, name = (home, rest) if dot else (None, home)
        if _WILD.isdisjoint(name):
            exact[name] = (*exact.get(name, ()), schema)
        else:
            patterns.append((schema, name))
    return exact, tuple(patterns)


def _every_schema(globs: Sequence[str], schemas: Iterable[str], name: str) -> bool:
    """For rules that let through: wherever the name may be found, some glob must name it there."""
    places = tuple(schema for schema in schemas if schema != "pg_catalog" or name.startswith("pg_"))
    return bool(places) and all(any(_names(glob, place, name) for glob in globs) for place in places)


def _names(glob: str, schema: str | None, name: str) -> bool:
    """A glob without a dot names the relation in every schema. Schema and name are compared apart: a dot inside a
    quoted name must not reach over from one into the other."""
    home, dot, rest = glob.partition(".")
    if not dot:
        return fnmatchcase(name, glob)
    return fnmatchcase(name, rest) and (schema is None or fnmatchcase(schema, home))


_EFFECT_WORDS: dict[Effect, str] = {
    Effect.READ: "reads",
    Effect.WRITE: "changes rows",
    Effect.DDL: "changes a definition",
    Effect.GRANT: "changes who may do what",
    Effect.ROW_LOCK: "locks the rows it reads",
    Effect.TABLE_LOCK: "locks a table",
    Effect.ADVISORY_LOCK: "takes or releases an advisory lock",
    Effect.SEQUENCE: "moves a sequence",
    Effect.SETTING: "changes a setting",
    Effect.LEXING: "changes how later text is read",
    Effect.NAMESPACE: "changes what later names mean",
    Effect.ROLE: "changes the role that it runs as",
    Effect.FILE_READ: "reads a file of the server's host",
    Effect.FILE_WRITE: "writes a file of the server's host",
    Effect.PROGRAM: "runs a program or loads a library on the server's host",
    Effect.NETWORK: "makes the server open a connection",
    Effect.ADMIN: "acts on other sessions or on the server itself",
    Effect.NOTIFY: "sends a message to other sessions",
    Effect.LARGE_OBJECT: "changes a large object",
    Effect.DYNAMIC_SQL: "runs a text as SQL",
    Effect.CODE: "runs code that is not looked into",
    Effect.TWO_PHASE: "is part of a two-phase commit",
    Effect.TRANSACTION: "controls the transaction",
    Effect.SLEEP: "holds the connection without work",
    Effect.SAMPLES: "shows other people's statements or sampled column values",
    Effect.UNKNOWN: "uses something about which nothing is known",
}


def effect_words(effects: Iterable[Effect]) -> tuple[str, ...]:
    seen = frozenset(effects)
    return tuple(_EFFECT_WORDS[effect] for effect in Effect if effect in seen)
