"""What the database's own definitions do: SQL and PL/pgSQL bodies, views, aggregates, functions of extensions."""

from __future__ import annotations

import re

from attrs import define, field

from rules.catalog import CatalogFunction
from rules.classify.postgres.lexical import code_effects
from rules.classify.postgres.routines import Body, Called, Definitions, Routines
from rules.classify.postgres.text import too_big
from rules.classify.postgres.tree import Parsed, Unreadable, parse
from rules.classify.postgres.walk import Reading, Walk
from rules.model import Effect, Namespace, Volatility

_UNKNOWN = frozenset({Effect.UNKNOWN})
_READ = frozenset({Effect.READ})

# Extensions whose C functions compute and read, as far as they are not volatile. Those that do more are named below.
_COMPUTING = frozenset(
    {
        "btree_gin", "btree_gist", "citext", "cube", "dict_int", "dict_xsyn", "earthdistance", "fuzzystrmatch", "hstore",
        "intarray", "isn", "lo", "ltree", "pg_freespacemap", "pg_stat_statements", "pg_trgm", "pg_visibility", "pgcrypto",
        "pgrowlocks",
        "pgstattuple", "postgis", "postgis_topology", "seg", "tablefunc", "timescaledb", "tsm_system_rows",
        "tsm_system_time", "unaccent", "uuid-ossp", "vector", "xml2",
    }
)  # fmt: skip
_HARMLESS_THOUGH_VOLATILE = re.compile(
    r"gen_random_(bytes|uuid)|gen_salt|pgp_(sym|pub)_.*|crypt|uuid_generate_v.*|normal_rand|system_rows|system_time|pg_stat_statements_info"
)
_BY_EXTENSION: tuple[tuple[str, frozenset[Effect]], ...] = (
    (r"dblink.*", frozenset({Effect.NETWORK, Effect.DYNAMIC_SQL})),
    (r"postgres_fdw_.*", frozenset({Effect.NETWORK})),
    (r"crosstab.*|connectby|xpath_table", frozenset({Effect.DYNAMIC_SQL})),
    (r"pg_file_(write|rename|unlink|sync)", frozenset({Effect.FILE_WRITE})),
    (r"pg_file_read|pg_file_length|pg_logdir_ls|pg_read_.*", frozenset({Effect.FILE_READ})),
    (r"pg_stat_statements", frozenset({Effect.SAMPLES})),
    (r".*_reset", frozenset({Effect.ADMIN})),
    (r"set_limit", frozenset({Effect.SETTING})),
    (r"get_raw_page|heap_page_items|bt_page_items.*|tuple_data_split|gist_page_items.*", frozenset({Effect.SAMPLES})),
    (r"lo_.*", frozenset({Effect.LARGE_OBJECT})),
)
_REGPROC = re.compile(r'(?:("(?:[^"]|"")+"|[^\s."]+)\.)?("(?:[^"]|"")+"|[^\s."]+)')


def read_view(definition: str, definitions: Definitions) -> Body:
    """A view does what its query does whenever it is read."""
    return _sql(definition, definitions)


def read_function(function: CatalogFunction, definitions: Definitions) -> Body:
    """What a call of the function does by itself, and whom it calls."""
    if function.language == "sql" and function.body is not None:
        body = function.body.strip()
        if re.match(r"(?i)begin\s+atomic\b|return\b", body):
            body = f"CREATE FUNCTION a() RETURNS void {body}"
            return _sql(body, definitions, wrapped=True)
        return _sql(body, definitions)
    if function.language == "plpgsql" and function.body is not None:
        return code(function.body, definitions)
    if function.language == "aggregate":
        return _aggregate(function, definitions)
    if function.extension is not None and function.language in ("c", "internal"):
        return Body(_of_extension(function))
    return Body(_UNKNOWN)


def _of_extension(function: CatalogFunction) -> frozenset[Effect]:
    for pattern, effects in _BY_EXTENSION:
        if re.fullmatch(pattern, function.name):
            return effects
    if function.volatility is Volatility.IMMUTABLE:
        return _READ
    if function.extension in _COMPUTING and (
        function.volatility is Volatility.STABLE or _HARMLESS_THOUGH_VOLATILE.fullmatch(function.name)
    ):
        return _READ
    return _UNKNOWN


def _sql(text: str, definitions: Definitions, *, wrapped: bool = False) -> Body:
    if too_big(text) is not None:
        return Body(_UNKNOWN)
    try:
        statements = parse(text)
    except Unreadable:
        return Body(_UNKNOWN)
    effects: set[Effect] = set()
    called: set[Called] = set()
    for statement in statements:
        walk = walk_inside(statement, text, definitions)
        effects |= walk.effects
        called |= walk.called
        if walk.opaque is not None or walk.names:
            effects |= _UNKNOWN
    if wrapped:
        effects.discard(Effect.DDL)
    return Body(frozenset(effects), frozenset(called))


def walk_inside(statement: Parsed, text: str, definitions: Definitions) -> Walk:
    """Walks a statement of a definition, in which unqualified names may mean anything of that name."""
    namespace = Namespace(server_version=definitions.server_version)
    routines = Routines(namespace, definitions, anywhere=True)
    reading = Reading(namespace, routines, text.encode("utf-8"), frozenset())
    walk = Walk(reading, statement.node, statement.tag, statement.text)
    walk.run()
    return walk


def _aggregate(function: CatalogFunction, definitions: Definitions) -> Body:
    effects: set[Effect] = set()
    called: set[Called] = set()
    routines = Routines(Namespace(server_version=definitions.server_version), definitions, anywhere=True)
    for found in _REGPROC.finditer(function.body or ""):
        if found.group() == "-":
            continue
        schema, name = (part and _unquoted(part) for part in found.groups())
        known = routines.function(schema, name or "", notation=False)
        if known is not None:
            effects |= known.effects
            called |= known.called
    return Body(frozenset(effects) if function.body else _UNKNOWN, frozenset(called))


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


@define
class Inside:
    """The names in a body of code, as `lexical` asks for them."""

    routines: Routines
    effects: set[Effect] = field(factory=set)
    calls: set[Called] = field(factory=set)

    def called(self, schema: str | None, name: str) -> bool:
        known = self.routines.function(schema, name, notation=False)
        if known is None or (not known.called and not known.function.known and known.function.effects == _UNKNOWN):
            return False
        self.effects |= known.effects
        self.calls |= known.called
        return True

    def named(self, name: str) -> None:
        definitions = self.routines.definitions
        if definitions is not None:
            self.calls |= {("view", each.schema, name) for each in definitions.views.get(name, ())}
            if (conversion := self.routines.conversion(name)) is not None:
                self.calls.add(conversion)

    def symbol(self, symbol: str) -> None:
        for schema, name in self.routines.operator(None, symbol) or ():
            self.called(schema, name)


def code(body: str, definitions: Definitions) -> Body:
    """A body of PL/pgSQL, by its words."""
    inside = Inside(Routines(Namespace(server_version=definitions.server_version), definitions, anywhere=True))
    effects = code_effects(body, inside)
    return Body(effects | inside.effects, frozenset(inside.calls))


def code_of_do(language: str, body: str, routines: Routines) -> frozenset[Effect]:
    """What can be seen in the body of a DO. Another language than PL/pgSQL shows nothing."""
    if language != "plpgsql":
        return _UNKNOWN
    inside = Inside(routines)
    effects = code_effects(body, inside) | inside.effects
    if routines.definitions is not None:
        effects = effects.union(*(routines.definitions.effects(each) for each in inside.calls))
    return effects
