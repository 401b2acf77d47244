"""The catalog of a Postgres database, read over a side connection of the gateway's own.

Everything comes from `pg_catalog` with an empty search_path, so that definitions of views spell schemas out, in one
read-only snapshot. A role needs no rights beyond CONNECT: these tables are readable by everyone.
"""

from __future__ import annotations

import ssl
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg
import trio
from attrs import evolve
from psycopg.rows import TupleRow

from rules.catalog import (
    Catalog,
    CatalogColumn,
    CatalogForeign,
    CatalogFunction,
    CatalogReference,
    CatalogRelation,
    CatalogTrigger,
)
from rules.model import Volatility
from wireproxy.config.model import Database
from wireproxy.tls import verifies

STATEMENT_TIMEOUT_S: Final = 20  # of one catalog query: a hundred thousand columns take about a second
LOCK_TIMEOUT_S: Final = 1  # somebody has just locked a relation whose definition was about to be read
Connection = psycopg.Connection[TupleRow]
T = TypeVar("T")

VOLATILITY: Final = {"i": Volatility.IMMUTABLE, "s": Volatility.STABLE, "v": Volatility.VOLATILE}

# To show a definition the server locks all that it names, and so would wait for whoever holds such a relation for himself: a
# change of definitions that has not been committed, a table that is being rewritten, a materialized view that is being refreshed.
LOCKED: Final = """
WITH locked AS (
    SELECT DISTINCT l.relation FROM pg_catalog.pg_locks l
    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
)
SELECT l.relation::bigint FROM locked l
UNION SELECT r.ev_class::bigint FROM pg_catalog.pg_rewrite r
      JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
      JOIN locked l ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = l.relation
UNION SELECT d.objid::bigint FROM pg_catalog.pg_depend d
      JOIN locked l ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = l.relation
      WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
"""
# In place of a definition that cannot be read now: a function of which nothing is known, of a relation of which nothing is known
UNREADABLE: Final = 'SELECT "?"."?"(x.*) FROM "?"."?" x'
_STILL: Final = 'SELECT x.* FROM "?"."?" x, ({}) y'  # it does what it did when it was read last, and may show anything
RELATIONS: Final = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text,
       CASE WHEN c.relkind NOT IN ('v', 'm') OR n.nspname IN ('pg_catalog', 'information_schema') THEN NULL
            WHEN c.oid = ANY (%(locked)s) THEN %(unreadable)s
            ELSE pg_catalog.pg_get_viewdef(c.oid) END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S', 'c', 't')
"""
COLUMNS: Final = """
SELECT a.attrelid::bigint, a.attname, a.attnum, a.atttypid::bigint, pg_catalog.format_type(a.atttypid, NULL),
       CASE WHEN a.attgenerated = '' THEN NULL
            WHEN a.attrelid = ANY (%(locked)s) THEN '(' || %(unreadable)s || ')'
            ELSE pg_catalog.pg_get_expr(d.adbin, d.adrelid) END
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S', 'c', 't')
ORDER BY a.attrelid, a.attnum
"""
INHERITS: Final = "SELECT inhrelid::bigint, inhparent::bigint FROM pg_catalog.pg_inherits"
# Those of constraints are the server's own, and copy nothing.
TRIGGERS: Final = """
SELECT t.tgrelid::bigint, t.tgname, t.tgtype::int, n.nspname, f.proname, t.tgoldtable IS NOT NULL OR t.tgnewtable IS NOT NULL
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
ORDER BY t.tgrelid, t.tgname
"""
TRIGGER_EVENTS: Final = {4: "INSERT", 8: "DELETE", 16: "UPDATE", 32: "TRUNCATE"}  # bits of tgtype
# One for logins runs before anybody sends a statement.
EVENT_TRIGGERS: Final = """
SELECT t.evtname, t.evtevent, n.nspname, f.proname
FROM pg_catalog.pg_event_trigger t
JOIN pg_catalog.pg_proc f ON f.oid = t.evtfoid
JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
WHERE t.evtenabled <> 'D' AND t.evtevent <> 'login' ORDER BY t.evtname
"""
# They run in the place of a write, or beside it. Those of the server's own views write nothing.
RULES: Final = """
SELECT r.ev_class::bigint, r.rulename, r.ev_type::text,
       CASE WHEN r.ev_class = ANY (%(locked)s) THEN %(unreadable)s ELSE pg_catalog.pg_get_ruledef(r.oid) END
FROM pg_catalog.pg_rewrite r
WHERE r.ev_type <> '1' AND r.ev_enabled <> 'D' AND r.oid >= 16384
ORDER BY r.ev_class, r.rulename
"""
RULE_EVENTS: Final = {"2": "UPDATE", "3": "INSERT", "4": "DELETE"}
# Of partitioned tables the server keeps one for each partition as well.
REFERENCES: Final = """
SELECT k.confrelid::bigint, k.conrelid::bigint, k.confdeltype::text, k.confupdtype::text,
       (SELECT pg_catalog.array_agg(a.attname ORDER BY u.place) FROM unnest(k.confkey) WITH ORDINALITY u (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number),
       (SELECT pg_catalog.array_agg(a.attname ORDER BY u.place) FROM unnest(k.conkey) WITH ORDINALITY u (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number)
FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' ORDER BY k.confrelid, k.oid
"""
ON_DELETE: Final = {"c": "DELETE", "n": "UPDATE", "d": "UPDATE"}  # CASCADE, SET NULL, SET DEFAULT
ON_UPDATE: Final = {"c": "UPDATE", "n": "UPDATE", "d": "UPDATE"}
# An expression's place is a 0: what it reads is not told.
PARTITION_KEYS: Final = """
SELECT p.partrelid::bigint,
       CASE WHEN 0 = ANY (p.partattrs::int2[]) THEN NULL
            ELSE (SELECT pg_catalog.array_agg(a.attname) FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = p.partrelid AND a.attnum = ANY (p.partattrs::int2[])) END
FROM pg_catalog.pg_partitioned_table p
"""
# One that is deferrable may be broken until COMMIT.
PRIMARY_KEYS: Final = """
SELECT i.indrelid::bigint, (SELECT pg_catalog.array_agg(a.attname) FROM pg_catalog.pg_attribute a
                            WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]))
FROM pg_catalog.pg_index i WHERE i.indisprimary AND i.indisunique AND i.indimmediate AND i.indisvalid
"""
# What calls nothing, or the next number of a sequence alone, is left out.
COMPUTED: Final = """
SELECT found.relation::bigint, pg_catalog.string_agg(found.expression, '; ') FROM (
    SELECT d.adrelid AS relation, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression FROM pg_catalog.pg_attrdef d
    WHERE NOT d.adrelid::bigint = ANY (%(locked)s)
    UNION ALL SELECT k.conrelid, pg_catalog.pg_get_expr(k.conbin, k.conrelid) FROM pg_catalog.pg_constraint k
    WHERE k.contype = 'c' AND k.conrelid <> 0 AND NOT k.conrelid::bigint = ANY (%(locked)s)
    UNION ALL SELECT t.tgrelid, pg_catalog.pg_get_triggerdef(t.oid) FROM pg_catalog.pg_trigger t
    WHERE t.tgqual IS NOT NULL AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND NOT t.tgrelid::bigint = ANY (%(locked)s)
    UNION ALL SELECT i.indrelid, pg_catalog.concat_ws(
        '; ', pg_catalog.pg_get_expr(i.indexprs, i.indrelid), pg_catalog.pg_get_expr(i.indpred, i.indrelid))
    FROM pg_catalog.pg_index i
    WHERE (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL) AND NOT i.indrelid::bigint = ANY (%(locked)s)
    UNION ALL SELECT p.polrelid, pg_catalog.concat_ws(
        '; ', pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_catalog.pg_policy p WHERE NOT p.polrelid::bigint = ANY (%(locked)s)
) found WHERE found.expression ~ '[[:alnum:]_"][(]|OPERATOR' AND found.expression !~ '^nextval[(][^(]*[)]$'
GROUP BY found.relation
"""
# By its handler: a wrapper of any name can be postgres_fdw.
FOREIGN: Final = """
SELECT f.ftrelid::bigint, f.ftoptions::text[], s.srvoptions::text[], pg_catalog.current_database()
FROM pg_catalog.pg_foreign_table f
JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver
JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
JOIN pg_catalog.pg_proc h ON h.oid = w.fdwhandler WHERE h.proname = 'postgres_fdw_handler'
"""
FOREIGN_COLUMNS: Final = """
SELECT a.attrelid::bigint, a.attname, a.attfdwoptions::text[] FROM pg_catalog.pg_attribute a
WHERE a.attfdwoptions IS NOT NULL AND a.attnum > 0 AND NOT a.attisdropped
"""
DOMAINS: Final = "SELECT oid::bigint, typbasetype::bigint FROM pg_catalog.pg_type WHERE typtype = 'd'"
# Bodies of the server's own functions are C: their names, results and volatility are enough.
FUNCTIONS: Final = """
SELECT n.nspname, p.proname, p.provolatile::text,
       CASE WHEN p.oid >= 16384 AND n.nspname = 'pg_catalog' AND e.extname IS NULL THEN '?' ELSE l.lanname END,
       p.prokind::text, p.prosecdef,
       CASE WHEN p.prokind = 'a' THEN (
                SELECT pg_catalog.concat_ws(' ', g.aggtransfn, g.aggfinalfn, g.aggcombinefn, g.aggserialfn, g.aggdeserialfn,
                                            g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn)
                FROM pg_catalog.pg_aggregate g WHERE g.aggfnoid = p.oid)
            WHEN n.nspname = 'pg_catalog' THEN NULL
            WHEN p.oid = ANY (%(locked)s) THEN %(unreadable)s
            ELSE coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc) END,
       p.pronargs, CASE WHEN p.proretset THEN 'SETOF ' ELSE '' END || pg_catalog.format_type(p.prorettype, NULL),
       p.proargnames, p.proargmodes::text[], e.extname,
       CASE WHEN n.nspname <> 'pg_catalog' THEN pg_catalog.pg_get_expr(p.proargdefaults, 0) END,
       (SELECT pg_catalog.array_agg(t.typname) FROM pg_catalog.pg_type t
        WHERE (t.oid >= 16384 OR t.typname = 'refcursor') AND (t.oid = ANY (p.proargtypes) OR t.oid = p.prorettype)),
       CASE WHEN n.nspname <> 'pg_catalog' THEN (
                SELECT pg_catalog.array_agg(pg_catalog.format_type(u.type, NULL) ORDER BY u.place)
                FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY u (type, place)) END
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
LEFT JOIN pg_catalog.pg_depend x ON x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND x.objid = p.oid
      AND x.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND x.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension e ON e.oid = x.refobjid
"""
CLOSED: Final = """
SELECT nspname FROM pg_catalog.pg_namespace WHERE NOT pg_catalog.has_schema_privilege(oid, 'USAGE')
"""
OPERATORS: Final = """
SELECT DISTINCT o.oprname, fn.nspname, f.proname
FROM pg_catalog.pg_operator o
JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
JOIN pg_catalog.pg_proc f ON f.oid = o.oprcode
JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
WHERE n.nspname <> 'pg_catalog'
"""

# A domain's checks run where a value of it is made, and so for what holds such values: domains over it, arrays, rows. What
# calls nothing is left out. A cast's function runs for its type and for arrays of it.
CONVERSIONS: Final = """
WITH RECURSIVE holds(part, whole) AS (
    SELECT typelem, oid FROM pg_catalog.pg_type WHERE typelem >= 16384
    UNION ALL SELECT typbasetype, oid FROM pg_catalog.pg_type WHERE typtype = 'd' AND typbasetype >= 16384
    UNION ALL SELECT a.atttypid, t.oid FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.typrelid = a.attrelid
              WHERE a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
), checked(type, expression) AS (
    SELECT contypid, pg_catalog.pg_get_expr(conbin, 0) FROM pg_catalog.pg_constraint
    WHERE contypid >= 16384 AND contype = 'c' AND pg_catalog.pg_get_expr(conbin, 0) ~ '[[:alnum:]_"][(]|OPERATOR'
    UNION SELECT holds.whole, checked.expression FROM checked JOIN holds ON holds.part = checked.type
), cast_to(type, expression) AS (
    SELECT k.casttarget, pg_catalog.format('%%I.%%I(NULL)', n.nspname, p.proname)
    FROM pg_catalog.pg_cast k JOIN pg_catalog.pg_proc p ON p.oid = k.castfunc
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE k.oid >= 16384
)
SELECT t.typname, pg_catalog.array_agg(DISTINCT found.expression)
FROM (SELECT type, expression FROM checked UNION SELECT type, expression FROM cast_to
      UNION SELECT e.typarray, c.expression FROM cast_to c JOIN pg_catalog.pg_type e ON e.oid = c.type) found
JOIN pg_catalog.pg_type t ON t.oid = found.type GROUP BY t.typname
"""


class CatalogError(Exception):
    """The catalog could not be read; the message says why, without credentials."""


class Unreachable(CatalogError):
    """There is no connection to be had: trying again at once would meet the same."""


def parameters(database: Database, password: str | None, application: str) -> dict[str, str | int]:
    """libpq connection parameters of a side connection to a target."""
    found: dict[str, str | int] = {
        "host": database.host,
        "port": database.port,
        "dbname": database.dbname,
        "user": database.user,
        "sslmode": database.tls,
        "connect_timeout": max(2, round(database.connect_timeout_s)),
        "application_name": application,
        "client_encoding": "UTF8",
    }
    if password is not None:
        found["password"] = password
    if database.tls_ca is not None:
        found["sslrootcert"] = str(database.tls_ca)
    elif verifies(database):
        # libpq would look into the home folder; the sessions' own connections trust the system's authorities
        found["sslrootcert"] = ssl.get_default_verify_paths().cafile or "system"
    return found


@contextmanager
def side_connection(database: Database, password: str | None, application: str) -> Iterator[Connection]:
    """A connection that is closed at the end, whatever happens. Raises CatalogError instead of psycopg's errors."""
    try:
        # libpq reads PG* variables of the environment where a parameter is missing: all that matter are given.
        connection = psycopg.connect(**parameters(database, password, application), autocommit=False)  # type: ignore[arg-type]
    except psycopg.Error as error:
        raise Unreachable(f"cannot connect to {database.name}: {error}") from None
    try:
        yield connection
    except psycopg.Error as error:
        raise CatalogError(f"{database.name}: {error}") from None
    finally:
        connection.close()


async def load_postgres(
    database: Database, password: str | None, version: int = 1, before: Catalog | None = None
) -> Catalog:
    """Reads the whole catalog of a Postgres target. `version` numbers the snapshot. Raises CatalogError.

    `before` says what views did of which the definition cannot be read now.
    """

    def work() -> Catalog:
        with side_connection(database, password, "wireproxy catalog") as connection:
            found = read(connection, version)
            if not found.complete:
                remember_views(found, before)
            return found

    return await in_thread(work, database.connect_timeout_s + 6 * STATEMENT_TIMEOUT_S)


async def in_thread(work: Callable[[], T], timeout_s: float) -> T:
    """Runs blocking work beside the loop. When the time is up its thread is left to its own timeouts."""
    try:
        with trio.fail_after(timeout_s):
            return await trio.to_thread.run_sync(work, abandon_on_cancel=True)
    except trio.TooSlowError:
        raise CatalogError(f"no answer within {timeout_s:.0f} s") from None


def read(connection: Connection, version: int) -> Catalog:
    """One snapshot, as a value. Raises psycopg.Error."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)")
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_S}s'")
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")
        locked = [oid for (oid,) in cursor.execute(LOCKED).fetchall()]

        def rows(query: str) -> list[Any]:
            return cursor.execute(query, {"locked": locked, "unreadable": UNREADABLE}).fetchall()

        found = Catalog(server_version=connection.info.server_version, version=version, complete=not locked)
        add_relations(found, rows)
        add_functions(found, rows(FUNCTIONS))
        for symbol, schema, function in rows(OPERATORS):
            found.operators[symbol] = (*found.operators.get(symbol, ()), (schema, function))
        found.event_triggers = tuple(
            CatalogTrigger(name, frozenset({event}), schema, function)
            for name, event, schema, function in rows(EVENT_TRIGGERS)
        )
        found.closed = frozenset(schema for (schema,) in rows(CLOSED))
        found.conversions.update((name, tuple(expressions)) for name, expressions in rows(CONVERSIONS))
    connection.rollback()
    return found


def add_relations(catalog: Catalog, rows: Callable[[str], list[Any]]) -> None:
    bases: dict[int, int] = dict(rows(DOMAINS))
    columns: dict[int, list[CatalogColumn]] = defaultdict(list)
    for relation, name, attribute, type_oid, type_name, generated in rows(COLUMNS):
        columns[relation].append(CatalogColumn(name, attribute, base_type(type_oid, bases), type_name, generated))
    parents: dict[int, list[int]] = defaultdict(list)
    for child, parent in rows(INHERITS):
        parents[child].append(parent)
    triggers: dict[int, list[CatalogTrigger]] = defaultdict(list)
    for relation, name, bits, schema, function, transition in rows(TRIGGERS):
        events = frozenset(event for bit, event in TRIGGER_EVENTS.items() if bits & bit)
        triggers[relation].append(CatalogTrigger(name, events, schema, function, transition))
    for relation, name, event, definition in rows(RULES):
        triggers[relation].append(CatalogTrigger(name, frozenset({RULE_EVENTS[event]}), "", "", rule=definition))
    references: dict[int, list[CatalogReference]] = defaultdict(list)
    for relation, by, deleted, updated, named, held in rows(REFERENCES):
        found = CatalogReference(by, tuple(named), tuple(held), ON_DELETE.get(deleted), ON_UPDATE.get(updated))
        references[relation].append(found)
    partition_keys = {relation: None if key is None else tuple(key) for relation, key in rows(PARTITION_KEYS)}
    computed: dict[int, str] = dict(rows(COMPUTED))
    keys = {relation: tuple(columns) for relation, columns in rows(PRIMARY_KEYS)}
    for oid, schema, name, kind, definition in rows(RELATIONS):
        relation = CatalogRelation(
            schema,
            name,
            kind,
            oid,
            tuple(columns[oid]),
            definition,
            tuple(parents[oid]),
            tuple(triggers[oid]),
            tuple(references[oid]),
            partition_keys.get(oid),
            computed.get(oid),
            key=keys.get(oid, ()),
        )
        catalog.relations[schema, name] = relation
        catalog.by_oid[oid] = relation
    add_foreign(catalog, rows)


def add_foreign(catalog: Catalog, rows: Callable[[str], list[Any]]) -> None:
    """What foreign tables stand for. Over this very database they are views, as far as the name of the database tells.

    Hosts and ports are not compared: a server has many names.
    """
    names = {
        (relation, column): options(given).get("column_name", column)
        for relation, column, given in rows(FOREIGN_COLUMNS)
    }
    local = []
    for oid, given, server, here in rows(FOREIGN):
        found = catalog.by_oid[oid]
        told, of_server = options(given), options(server)
        columns = tuple(names.get((oid, column.name), column.name) for column in found.columns)
        foreign = CatalogForeign(told.get("schema_name", found.schema), told.get("table_name", found.name), columns)
        put(catalog, evolve(found, foreign=foreign))
        if of_server.get("dbname", here) == here or "service" in of_server:
            local.append(oid)
    for oid in local:
        found = catalog.by_oid[oid]
        assert found.foreign is not None
        if _ends(catalog, found):
            put(catalog, evolve(found, definition=_as_view(found, found.foreign)))


def options(given: list[str] | None) -> dict[str, str]:
    """Of a foreign table, column or server: name=value."""
    return dict(each.split("=", 1) for each in given or ())


def put(catalog: Catalog, relation: CatalogRelation) -> None:
    catalog.relations[relation.schema, relation.name] = catalog.by_oid[relation.oid] = relation


def _ends(catalog: Catalog, relation: CatalogRelation) -> bool:
    """Whether something of this database stands behind it, and not foreign tables in a circle: such are of another one."""
    seen: set[int] = set()
    while relation.foreign is not None:
        beneath = catalog.relations.get((relation.foreign.schema, relation.foreign.table))
        if beneath is None or relation.oid in seen:
            return False
        seen.add(relation.oid)
        relation = beneath
    return True


def _as_view(relation: CatalogRelation, foreign: CatalogForeign) -> str:
    pairs = zip(foreign.columns, relation.columns, strict=True)
    columns = ", ".join(f"{_quoted(there)} AS {_quoted(here.name)}" for there, here in pairs)
    return f"SELECT {columns} FROM {_quoted(foreign.schema)}.{_quoted(foreign.table)}"  # noqa: S608  it is read, and runs nowhere


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def remember_views(catalog: Catalog, before: Catalog | None) -> None:
    for key, relation in catalog.relations.items():
        if relation.definition != UNREADABLE or before is None:
            continue
        known = before.by_oid.get(relation.oid)
        if known is not None and known.definition is not None and known.definition != UNREADABLE:
            text = known.definition.rstrip("; \n")
            remembered = text if text.startswith(_STILL.partition("{")[0]) else _STILL.format(text)
            catalog.relations[key] = catalog.by_oid[relation.oid] = evolve(relation, definition=remembered)


def base_type(type_oid: int, bases: dict[int, int]) -> int:
    """What lies beneath a domain: the type under which the server sends its values."""
    while type_oid in bases:
        type_oid = bases[type_oid]
    return type_oid


def add_functions(catalog: Catalog, rows: list[Any]) -> None:
    overloads: dict[tuple[str, str], list[CatalogFunction]] = defaultdict(list)
    for (
        schema,
        name,
        volatile,
        language,
        kind,
        definer,
        body,
        arguments,
        returns,
        names,
        modes,
        extension,
        defaults,
        types,
        inputs,
    ) in rows:
        overloads[schema, name].append(
            CatalogFunction(
                schema=schema,
                name=name,
                volatility=VOLATILITY.get(volatile, Volatility.UNKNOWN),
                language="aggregate" if kind == "a" and schema != "pg_catalog" else language,
                kind=kind,
                security_definer=definer,
                body=body,
                arguments=arguments,
                returns=returns,
                columns=tuple(
                    name for name, mode in zip(names or (), modes or (), strict=True) if mode in ("o", "b", "t")
                )
                if modes and names
                else (),
                extension=extension,
                defaults=defaults,
                types=tuple(types or ()),
                inputs=_inputs(names, modes, inputs or ()),
            )
        )
    catalog.functions.update({key: tuple(found) for key, found in overloads.items()})


def _inputs(names: list[str] | None, modes: list[str] | None, types: Sequence[str]) -> tuple[tuple[str, str], ...]:
    taken = names or [""] * len(types)
    if names and modes:
        taken = [name for name, mode in zip(names, modes, strict=True) if mode in ("i", "b", "v")]
    return tuple(zip(taken, types, strict=False))


def stale(catalog: Catalog, names: tuple[str, ...]) -> bool:
    """Whether a newer snapshot may know what this one does not: `names` are those that a statement missed."""
    return any(name.rpartition(".")[2] not in {known for _, known in catalog.relations} for name in names)
