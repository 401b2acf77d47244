"""The catalog of a MySQL or MariaDB server, read over a side connection of the gateway's own.

Everything comes from `information_schema`, which shows what the account of the target may see: a relation that is not in it is one
that no statement of the session can reach either. Relations get numbers here, since the server has none.
"""

from __future__ import annotations

import re
import ssl
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pymysql

from rules.catalog import Catalog, CatalogColumn, CatalogFunction, CatalogRelation, CatalogTrigger
from rules.masking.mysql.domains import type_of
from rules.model import Volatility
from wireproxy.catalog import CatalogError, in_thread
from wireproxy.config.model import Database
from wireproxy.mysql.engines import REFERRING, quoted, stands_for
from wireproxy.mysql.namespace import version_number
from wireproxy.tls import TlsError, verifies

STATEMENT_TIMEOUT_S: Final = 20
_SYSTEM: Final = "('information_schema', 'performance_schema', 'mysql', 'sys')"

_EVENT: Final = re.compile("INSERT|UPDATE|DELETE")  # a trigger of a newer MariaDB has several
TRANSACTIONAL: Final = frozenset({"innodb", "rocksdb", "ndbcluster"})
RELATIONS: Final = """
SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, v.VIEW_DEFINITION, t.ENGINE
FROM information_schema.TABLES t
LEFT JOIN information_schema.VIEWS v ON v.TABLE_SCHEMA = t.TABLE_SCHEMA AND v.TABLE_NAME = t.TABLE_NAME
"""
COLUMNS: Final = """
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, DATA_TYPE, COLUMN_TYPE, GENERATION_EXPRESSION, EXTRA
FROM information_schema.COLUMNS ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION
"""
# loaded and stored ones; those of the server's own schemas run with what `sys` is for, and stay unknown
ROUTINES: Final = f"""
SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE, ROUTINE_BODY, ROUTINE_DEFINITION, IS_DETERMINISTIC, SECURITY_TYPE,
       DTD_IDENTIFIER
FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN {_SYSTEM}
"""  # noqa: S608  constants of this file
# what they do, they do later and by themselves
EVENTS: Final = f"""
SELECT EVENT_SCHEMA, EVENT_NAME, 'e', EVENT_BODY, EVENT_DEFINITION, 'NO', 'DEFINER', NULL
FROM information_schema.EVENTS WHERE EVENT_SCHEMA NOT IN {_SYSTEM}
"""  # noqa: S608  constants of this file
PARAMETERS: Final = f"""
SELECT SPECIFIC_SCHEMA, SPECIFIC_NAME, ROUTINE_TYPE, COUNT(*) FROM information_schema.PARAMETERS
WHERE ORDINAL_POSITION > 0 AND SPECIFIC_SCHEMA NOT IN {_SYSTEM} GROUP BY SPECIFIC_SCHEMA, SPECIFIC_NAME, ROUTINE_TYPE
"""  # noqa: S608

TRIGGERS: Final = f"""
SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME, EVENT_MANIPULATION, ACTION_STATEMENT
FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA NOT IN {_SYSTEM}
ORDER BY EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME
"""  # noqa: S608  constants of this file


async def load_mysql(database: Database, password: str | None, version: int = 1) -> tuple[Catalog, str]:
    """The whole catalog of the target's server, and what the server calls its version. Raises CatalogError."""

    def work() -> tuple[Catalog, str]:
        with side_connection(database, password) as connection:
            return read(connection, version), _text(connection.get_server_info())

    return await in_thread(work, database.connect_timeout_s + 5 * STATEMENT_TIMEOUT_S)


@contextmanager
def side_connection(database: Database, password: str | None) -> Iterator[Any]:
    """A connection of the gateway's own, in a read-only snapshot. CatalogError when it cannot be had or breaks."""
    where: dict[str, Any] = {"host": database.host, "port": database.port}
    if database.host.startswith("/"):
        where = {"unix_socket": database.host if database.host.endswith(".sock") else f"{database.host}/mysqld.sock"}
    try:
        connection = pymysql.connect(
            user=database.user,
            password=password or "",
            database=database.dbname,
            charset="utf8mb4",
            connect_timeout=max(1, int(database.connect_timeout_s)),
            read_timeout=STATEMENT_TIMEOUT_S,
            write_timeout=STATEMENT_TIMEOUT_S,
            local_infile=False,
            program_name="wireproxy catalog",
            **_tls(database),
            **where,
        )
    except (pymysql.err.MySQLError, OSError, TlsError, RuntimeError) as error:
        raise CatalogError(_reason(error)) from error
    try:
        yield connection
    except (pymysql.err.MySQLError, OSError) as error:
        raise CatalogError(_reason(error)) from error
    finally:
        connection.close()


def _tls(database: Database) -> dict[str, Any]:
    """As PyMySQL wants it: without any of these it uses TLS where the server has it, and checks nothing."""
    if database.tls == "disable" or database.host.startswith("/"):
        return {"ssl_disabled": True}
    if database.tls == "prefer":
        return {}
    context = ssl.create_default_context(cafile=None if database.tls_ca is None else str(database.tls_ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = database.tls == "verify-full"
    if not verifies(database):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


def _reason(error: BaseException) -> str:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else ""
    return f"{type(error).__name__} {number}".strip()


def read(connection: Any, version: int) -> Catalog:
    """One snapshot, as a value. Raises pymysql.err.MySQLError."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION READ ONLY")

        def rows(query: str) -> list[tuple[Any, ...]]:
            cursor.execute(query)
            return [tuple(_text(value) for value in row) for row in cursor.fetchall()]

        ((server,),) = rows("SELECT VERSION()")
        found = Catalog(server_version=version_number(server), version=version)
        relations = rows(RELATIONS)
        created = {
            (schema, name): _created(cursor, schema, name)
            for schema, name, _, _, engine in relations
            if (engine or "").lower() in REFERRING
        }
        _add_relations(found, relations, rows(COLUMNS), _triggers(rows(TRIGGERS)), created)
        counts = {(schema, name, kind): count for schema, name, kind, count in rows(PARAMETERS)}
        _add_routines(found, [*rows(ROUTINES), *rows(EVENTS)], counts)
    return found


def _created(cursor: Any, schema: str, name: str) -> str | None:
    """None: what it refers to is not there, or not this account's to read."""
    try:
        cursor.execute(f"SHOW CREATE TABLE {quoted(schema)}.{quoted(name)}")
        ((_, text),) = cursor.fetchall()
    except pymysql.err.MySQLError:
        return None
    return str(_text(text))


def _text(value: Any) -> Any:
    """MySQL 8 gives some texts of information_schema as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else value


def _triggers(rows: list[tuple[Any, ...]]) -> dict[tuple[str, str], list[CatalogTrigger]]:
    found: dict[tuple[str, str], list[CatalogTrigger]] = defaultdict(list)
    for schema, table, name, events, body in rows:
        found[schema, table].append(CatalogTrigger(name, frozenset(_EVENT.findall(events)), body=body or ""))
    return found


def _add_relations(
    catalog: Catalog,
    relations: list[tuple[Any, ...]],
    columns: list[tuple[Any, ...]],
    triggers: dict[tuple[str, str], list[CatalogTrigger]],
    created: dict[tuple[str, str], str | None],
) -> None:
    """`created`: the definitions of tables that may be other names of others; None: it is not told."""
    by_relation: dict[tuple[str, str], list[CatalogColumn]] = defaultdict(list)
    for schema, table, name, position, kind, whole, generated, extra in columns:
        by_relation[schema, table].append(
            CatalogColumn(
                name,
                int(position),
                type_name=type_of(kind or "", whole or ""),
                generated=generated or None,
                hidden="INVISIBLE" in (extra or "").upper(),
            )
        )
    names = {table: [column.name for column in found] for table, found in by_relation.items()} if created else {}
    for number, (schema, name, kind, definition, engine) in enumerate(relations, 1):
        # a view of the server's own without a definition is one of its tables, to whoever reads it
        view = "VIEW" in (kind or "")
        if (schema, name) in created:
            text = created[schema, name]
            definition = "" if text is None else stands_for(engine, text, (schema, name), names)
            view = definition is not None
        relation = CatalogRelation(
            schema,
            name,
            "v" if view else "r",
            number,
            tuple(by_relation[schema, name]),
            definition if view else None,
            triggers=tuple(triggers.get((schema, name), ())),
            transactional=engine is None or engine.lower() in TRANSACTIONAL,
        )
        catalog.relations[schema, name] = relation
        catalog.by_oid[number] = relation


def _add_routines(catalog: Catalog, routines: list[tuple[Any, ...]], counts: dict[tuple[str, str, str], int]) -> None:
    found: dict[tuple[str, str], list[CatalogFunction]] = defaultdict(list)
    for schema, name, kind, language, body, deterministic, security, returns in routines:
        found[schema, name].append(
            CatalogFunction(
                schema=schema,
                name=name,
                volatility=Volatility.STABLE if deterministic == "YES" else Volatility.VOLATILE,
                language=language or "",
                kind={"FUNCTION": "f", "PROCEDURE": "p"}.get(kind, kind.lower()),
                security_definer=security == "DEFINER",
                body=body,
                arguments=int(counts.get((schema, name, kind), 0)),
                returns=returns or "",
            )
        )
    catalog.functions.update({key: tuple(several) for key, several in found.items()})
